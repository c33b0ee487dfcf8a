"""Functions of tensors, with PyTorch's names, argument order and meaning; NumPy's ``axis`` stands for ``dim``.

Inputs may be tensors, arrays or numbers; targets, masks and class numbers may be plain arrays. Shapes: N examples,
C classes, I and O features, ``...`` any leading axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from dlcourse import ops
from dlcourse.ops.inputs import as_array
from dlcourse.ops.losses import Reduction
from dlcourse.ops.rule import Array
from dlcourse.ops.windows import Size
from dlcourse.tensor import Tensor, apply, apply_many, as_tensor, floating

# ---- activations


def relu(input: Any) -> Tensor:
    """``max(x, 0)`` (Nair & Hinton 2010)."""
    return apply(ops.relu, as_tensor(input))


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """``x`` where positive, else ``negative_slope * x`` (Maas, Hannun & Ng 2013)."""
    return apply(ops.leaky_relu, floating(input), negative_slope=negative_slope)


def sigmoid(input: Any) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return apply(ops.sigmoid, floating(input))


def tanh(input: Any) -> Tensor:
    """Hyperbolic tangent."""
    return apply(ops.tanh, floating(input))


def gelu(input: Any, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """``x * Φ(x)``, exact, or by a hyperbolic tangent (Hendrycks & Gimpel 2016, section 2)."""
    if approximate == "tanh":
        return apply(ops.gelu_tanh, floating(input))
    if approximate != "none":
        raise ValueError(f"gelu: approximate={approximate!r}; choose 'none' or 'tanh'")
    from scipy.special import ndtr

    return apply(ops.gelu, floating(input), normal_cdf=ndtr)


def silu(input: Any) -> Tensor:
    """``x * sigmoid(x)``, also called swish."""
    return apply(ops.silu, floating(input))


def softmax(input: Any, axis: int = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along an axis."""
    return apply(ops.softmax, floating(input), axis=axis)


def log_softmax(input: Any, axis: int = -1) -> Tensor:
    """``log(softmax(x))`` along an axis, right also where the softmax underflows to 0."""
    return apply(ops.log_softmax, floating(input), axis=axis)


# ---- layers


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """``x Wᵀ + b``: input (..., I), weight (O, I), bias (O,) or None -> (..., O)."""
    return apply(ops.linear, *_tensors(input, weight, bias))


def _tensors(input: Any, weight: Any, bias: Any) -> list[Tensor]:
    return [floating(input), as_tensor(weight)] + ([] if bias is None else [as_tensor(bias)])


def batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``w (x - μ) / √(σ² + ε) + b`` for each channel (Ioffe & Szegedy 2015, algorithm 1): (N, C) or (N, C, ...).

    In training μ and σ² are the batch's, and move the running ones in place: ``r ← (1 - momentum) r + momentum μ``,
    with σ² divided by n - 1 there; else they are the running ones.

    Parameters
    ----------
    running_mean, running_var : (C,); None in training for none to move
    weight, bias : (C,) or None

    Raises
    ------
    ValueError
        If the shapes do not fit, training has one value for each channel only, or evaluation no running statistics.
    """
    x = floating(input)
    if training and x.ndim > 1 and x.size == x.shape[1]:
        raise ValueError(f"batch_norm: in training, shape {x.shape} has one value for each channel, which has no "
                         "variance; give it more examples, or switch to eval()")  # fmt: skip
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: evaluation (training=False) needs running_mean and running_var")
    given = (None, None) if training else (as_array(running_mean), as_array(running_var))
    parts = (1.0 if weight is None else as_tensor(weight), 0.0 if bias is None else as_tensor(bias))
    out, mean, var = apply_many(ops.batch_norm, x, *parts, mean=given[0], var=given[1], eps=eps)
    if training and x.size:
        n = x.size // mean.size
        for running, new in ((running_mean, mean.data), (running_var, var.data * (n / (n - 1)))):
            if running is not None:
                as_array(running)[...] += momentum * (new - as_array(running))
    return out


def layer_norm(
    input: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """``w (x - μ) / √(σ² + ε) + b``, μ and σ² each example's (Ba, Kiros & Hinton 2016, section 3).

    They are taken over the last axes, of shape ``normalized_shape``, which is also that of weight and bias (or None).
    Shapes that do not fit are a ValueError.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int | np.integer) else tuple(normalized_shape)
    parts = (1.0 if weight is None else as_tensor(weight), 0.0 if bias is None else as_tensor(bias))
    return apply(ops.layer_norm, floating(input), *parts, shape=shape, eps=eps)


def dropout(input: Any, p: float = 0.5, training: bool = True, *, rng: np.random.Generator | None = None) -> Tensor:
    """Entries set to 0 with probability ``p``, the others divided by ``1 - p`` (Srivastava et al. 2014, section 10).

    Not in training, or with p = 0, the input as it is. ``rng`` decides which entries; None is a fresh generator.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p={p} is no probability; it must lie in [0, 1]")
    x = as_tensor(input)
    if not training or p == 0:
        return x
    return apply(ops.dropout, x, p=p, rng=np.random.default_rng(rng))


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """Rows of a table: integers (...) and weight (V, E) -> (..., E); row ``padding_idx`` gets no gradient.

    Raises
    ------
    ValueError
        If a number has no row in the weight.
    TypeError
        If the input does not hold integers.
    """
    return apply(ops.embedding, as_array(input), as_tensor(weight), padding_idx=padding_idx)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Size = 1, padding: Size | Literal["valid", "same"] = 0,
    dilation: Size = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Kernels slid over images, without turning them around (LeCun et al. 1989); sizes are rounded down.

    Parameters
    ----------
    input : (N, C, H, W)
    weight : (O, C / groups, kh, kw)
    bias : (O,) or None
    stride, dilation : steps from window to window, and between the neighboring pixels of a window
    padding : zeros around the image; "same" keeps its size and needs stride 1
    groups : each group of C / groups channels makes O / groups outputs from itself alone

    Returns
    -------
    Tensor (N, O, oh, ow) with ``oh = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1`` and ow alike
    (Dumoulin & Visin 2016, relationships 6 and 15)

    Raises
    ------
    ValueError
        If shapes do not fit, an option is no whole number or pair, or the kernel is larger than the padded image.
    """
    return apply(
        ops.conv2d, *_tensors(input, weight, bias), stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def conv_transpose2d(
    input: Any, weight: Any, bias: Any = None, stride: Size = 1, padding: Size = 0, output_padding: Size = 0,
    groups: int = 1, dilation: Size = 1,
) -> Tensor:  # fmt: skip
    """A kernel, times each pixel, added around it: :func:`conv2d`'s gradient with respect to its input, as a layer.

    Parameters
    ----------
    input : (N, C, H, W)
    weight : (C, O / groups, kh, kw)
    bias : (O,) or None
    stride, dilation, groups : those of the convolution whose gradient this is
    padding : how many pixels are cut off on each side
    output_padding : rows and columns to add below and on the right, of the sizes that a stride above 1 rounds to the
        same one; smaller than the stride or the dilation

    Returns
    -------
    Tensor (N, O, oh, ow) with ``oh = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1`` and ow alike
    (Dumoulin & Visin 2016, relationship 14)

    Raises
    ------
    ValueError
        If shapes or options do not fit.
    """
    return apply(
        ops.conv_transpose2d, *_tensors(input, weight, bias), stride=stride, padding=padding,
        output_padding=output_padding, groups=groups, dilation=dilation,
    )  # fmt: skip


def max_pool2d(input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The largest pixel of each window: (N, C, H, W) -> (N, C, oh, ow), sizes as in :func:`conv2d`.

    Parameters
    ----------
    kernel_size : of the windows
    stride : from window to window; None is ``kernel_size``. A remainder at the right and lower edges is dropped
    padding : border that is never the largest, at most half the kernel

    Raises
    ------
    ValueError
        If there are not four axes, or an option does not fit.
    """
    return apply(ops.max_pool2d, floating(input), kernel_size=kernel_size, stride=stride, padding=padding)


def avg_pool2d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, *, count_include_pad: bool = True
) -> Tensor:
    """The mean of each window, as :func:`max_pool2d`; the border is zeros, which count unless told otherwise."""
    return apply(
        ops.avg_pool2d, floating(input), kernel_size=kernel_size, stride=stride, padding=padding,
        count_include_pad=count_include_pad,
    )  # fmt: skip


def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
    scale: float | None = None, rng: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """``softmax(Q Kᵀ / √d) V`` (Vaswani et al. 2017, equation 1): (..., T, d), (..., S, d), (..., S, e) -> (..., T, e).

    Parameters
    ----------
    attn_mask : (..., T, S), booleans, True where query t may attend to key s (in nn.MultiheadAttention, as in
        PyTorch's, True forbids it), or floats added to the scores. A query that may attend to nobody gets zeros
    dropout_p : share of the weights set to 0, whatever the mode: pass 0.0 in evaluation
    is_causal : no query attends to a later key; also beside a mask
    scale : in place of 1 / √d
    rng : the source of dropout; None is a fresh generator

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If the mask holds neither booleans nor floats.
    """
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"scaled_dot_product_attention: dropout_p={dropout_p} must lie in [0, 1]")
    mask = () if attn_mask is None else (as_tensor(attn_mask),)
    rng = np.random.default_rng(rng) if dropout_p else None
    options = {"causal": is_causal, "scale": scale, "p": dropout_p, "rng": rng}
    return apply(ops.scaled_dot_product_attention, as_tensor(query), as_tensor(key), as_tensor(value), *mask, **options)


# ---- losses


def cross_entropy(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Minus the log-probability of the right class, from scores.

    Parameters
    ----------
    input : (N, C) scores (logits), not probabilities; also (C,), or (N, C, ...) with the classes on axis 1
    target : (N,) integers from 0 to C - 1; also a number, or (N, ...)
    reduction : "mean" over the examples, "sum", or "none"

    Raises
    ------
    ValueError
        If the shapes do not fit or a class does not exist.
    TypeError
        If the target does not hold integers.
    """
    return apply(ops.cross_entropy, floating(input), as_array(target), reduction=reduction)


def nll_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Minus the entry of the right class: :func:`cross_entropy` for what :func:`log_softmax` returned."""
    return apply(ops.nll_loss, floating(input), as_array(target), reduction=reduction)


def mse_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Squared error, "mean" over all entries, "sum" or "none"; shapes must be equal (ValueError)."""
    return apply(ops.mse_loss, floating(input), floating(target), reduction=reduction)


def l1_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Absolute error, "mean" over all entries, "sum" or "none"; shapes must be equal (ValueError)."""
    return apply(ops.l1_loss, floating(input), floating(target), reduction=reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``-y log σ(x) - (1 - y) log(1 - σ(x))``: x scores, y in [0, 1], of equal shapes; "mean", "sum" or "none"."""
    return apply(ops.binary_cross_entropy_with_logits, floating(input), floating(target), reduction=reduction)


# ---- choosing and moving entries


def one_hot(input: Any, num_classes: int = -1) -> Array:
    """Rows of zeros with a 1 at the class: integers (...) -> a plain integer array (..., num_classes)."""
    classes = as_array(input)
    if classes.dtype.kind not in "iu":
        raise TypeError(f"one_hot: class numbers must be integers, not {classes.dtype}; use .astype(int)")
    C = int(classes.max(initial=-1)) + 1 if num_classes == -1 else num_classes
    if classes.size and (classes.min() < 0 or classes.max() >= C):
        raise ValueError(f"one_hot: classes from {classes.min()} to {classes.max()} do not fit num_classes={C}")
    return np.equal(classes[..., None], np.arange(C)).astype(np.int64)


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """``input`` where the boolean condition holds, else ``other``."""
    return apply(ops.where, np.asarray(condition, bool), input, other)


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of two entries."""
    return apply(ops.maximum, input, other)


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of two entries."""
    return apply(ops.minimum, input, other)


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors joined along an axis they have."""
    return apply(ops.concatenate, *[as_tensor(t) for t in tensors], axis=axis)


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    return apply(ops.stack, *[as_tensor(t) for t in tensors], axis=axis)


def unbind(input: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis."""
    return apply_many(ops.unbind, as_tensor(input), axis=axis)


def split(tensor: Any, split_size_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size along an axis (the last may be smaller) or of the sizes in a list. NumPy's ``split`` differs.

    Raises
    ------
    ValueError
        If there is no such axis, a size is negative, or the sizes do not add up to the axis's.
    """
    x, sizes = as_tensor(tensor), split_size_or_sections
    total = len(np.moveaxis(x.data, axis, 0))
    if isinstance(sizes, int | np.integer):
        sizes = [min(sizes, total - start) for start in range(0, total, max(sizes, 1))]
    if sum(sizes) != total or min(sizes, default=0) < 0:
        raise ValueError(f"split: sizes {list(sizes)} add up to {sum(sizes)}, axis {axis} of shape {x.shape} has "
                         f"{total}; none may be negative")  # fmt: skip
    return apply_many(ops.split, x, sizes=sizes, axis=axis)


def pad(input: Any, pad: Sequence[int], mode: Literal["constant"] = "constant", value: float | None = None) -> Tensor:
    """A border of ``value``, or 0. ``pad`` counts from the last axis: (left, right, top, bottom, ...).

    Raises
    ------
    ValueError
        If ``pad`` has an odd length, a negative entry, more pairs than there are axes, or another mode is asked for.
    """
    x = as_tensor(input)
    pairs = list(zip(pad[::2], pad[1::2], strict=False))[::-1]
    if mode != "constant" or len(pad) % 2 or len(pairs) > x.ndim or min(pad, default=0) < 0:
        raise ValueError(f"pad: pad={tuple(pad)}, mode={mode!r} for shape {x.shape}; pad holds a pair of sizes >= 0 "
                         "for each axis, beginning with the last, and mode is 'constant'")  # fmt: skip
    return apply(ops.pad, x, widths=[(0, 0)] * (x.ndim - len(pairs)) + pairs, value=value or 0.0)
