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
from dlcourse.tensor import Tensor, apply, apply_many, as_tensor

# ---- activations


def relu(input: Any) -> Tensor:
    """``max(x, 0)`` (Nair & Hinton 2010)."""
    return apply(ops.relu, as_tensor(input))


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """``x`` where positive, else ``negative_slope * x`` (Maas, Hannun & Ng 2013)."""
    return apply(ops.leaky_relu, as_tensor(input), negative_slope=negative_slope)


def sigmoid(input: Any) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return apply(ops.sigmoid, as_tensor(input))


def tanh(input: Any) -> Tensor:
    """Hyperbolic tangent."""
    return apply(ops.tanh, as_tensor(input))


def gelu(input: Any, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """``x * Φ(x)``, exact, or by a hyperbolic tangent (Hendrycks & Gimpel 2016, section 2)."""
    if approximate == "tanh":
        return apply(ops.gelu_tanh, as_tensor(input))
    if approximate != "none":
        raise ValueError(f"gelu: approximate={approximate!r}; choose 'none' or 'tanh'")
    from scipy.special import ndtr

    return apply(ops.gelu, as_tensor(input), normal_cdf=ndtr)


def silu(input: Any) -> Tensor:
    """``x * sigmoid(x)``, also called swish."""
    return apply(ops.silu, as_tensor(input))


def softmax(input: Any, axis: int = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along an axis."""
    return apply(ops.softmax, as_tensor(input), axis=axis)


def log_softmax(input: Any, axis: int = -1) -> Tensor:
    """``log(softmax(x))`` along an axis, right also where the softmax underflows to 0."""
    return apply(ops.log_softmax, as_tensor(input), axis=axis)


# ---- layers


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """``x Wᵀ + b``: input (..., I), weight (O, I), bias (O,) or None -> (..., O)."""
    parameters = (as_tensor(weight),) if bias is None else (as_tensor(weight), as_tensor(bias))
    return apply(ops.linear, as_tensor(input), *parameters)


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
    return apply(ops.cross_entropy, as_tensor(input), as_array(target), reduction=reduction)


def nll_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Minus the entry of the right class: :func:`cross_entropy` for what :func:`log_softmax` returned."""
    return apply(ops.nll_loss, as_tensor(input), as_array(target), reduction=reduction)


def mse_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Squared error, "mean" over all entries, "sum" or "none"; shapes must be equal (ValueError)."""
    return apply(ops.mse_loss, as_tensor(input), as_tensor(target), reduction=reduction)


def l1_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Absolute error, "mean" over all entries, "sum" or "none"; shapes must be equal (ValueError)."""
    return apply(ops.l1_loss, as_tensor(input), as_tensor(target), reduction=reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``-y log σ(x) - (1 - y) log(1 - σ(x))``: x scores, y in [0, 1], of equal shapes; "mean", "sum" or "none"."""
    return apply(ops.binary_cross_entropy_with_logits, as_tensor(input), as_tensor(target), reduction=reduction)


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
        If the sizes do not add up to the axis's.
    """
    x = as_tensor(tensor)
    total, sizes = x.shape[axis], split_size_or_sections
    if isinstance(sizes, int):
        sizes = [min(sizes, total - start) for start in range(0, total, sizes)]
    if sum(sizes) != total:
        raise ValueError(
            f"split: sizes {list(sizes)} add up to {sum(sizes)}, axis {axis} of shape {x.shape} has {total}"
        )
    return apply_many(ops.split, x, sizes=sizes, axis=axis)


def pad(input: Any, pad: Sequence[int], mode: Literal["constant"] = "constant", value: float = 0.0) -> Tensor:
    """A border of ``value``. ``pad`` counts from the last axis: (left, right, top, bottom, ...).

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
    return apply(ops.pad, x, widths=[(0, 0)] * (x.ndim - len(pairs)) + pairs, value=value)
