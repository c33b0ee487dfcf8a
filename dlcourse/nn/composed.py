"""The fused functions once more, each composed of small ops: what they compute, step by step, in the lesson's form.

Signatures and results are those of :mod:`dlcourse.nn.functional`, which the layers use: there each is one node with its
gradient in closed form, in a fraction of the time and memory. Here the graph finds the gradient from its parts.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.ops.inputs import as_array
from dlcourse.ops.losses import Reduction
from dlcourse.ops.rule import Array
from dlcourse.ops.windows import Size
from dlcourse.tensor import Tensor, as_op, as_tensor, floating


def softmax(input: Any, axis: int = -1) -> Tensor:
    """``exp(x) / Σ exp(x)``; taking the largest score from all changes nothing, but ``exp`` cannot overflow then."""
    x = as_tensor(input)
    powers = (x - x.max(axis, keepdims=True).detach()).exp()
    return powers / powers.sum(axis, keepdims=True)


def cross_entropy(input: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``-Σ y log softmax(x)``, y one-hot (Bishop 2006, equation 4.108): (N, C, ...) and classes (N, ...)."""
    x, axis = floating(input), min(1, as_tensor(input).ndim - 1)
    shifted = x - x.max(axis, keepdims=True).detach()
    log_probs = shifted - shifted.exp().sum(axis, keepdims=True).log()
    y = np.moveaxis(F.one_hot(target, x.shape[axis]), -1, axis)
    losses = -(log_probs * y).sum(axis)
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


def gelu(input: Any, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """``x Φ(x)``, or ``x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`` (Hendrycks & Gimpel 2016, section 2).

    Φ, the normal distribution function, has no small op; it is made one here, with the density as its derivative.
    """
    from scipy.special import ndtr

    x = as_tensor(input)
    if approximate == "tanh":
        return 0.5 * x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())
    return x * as_op(ndtr, lambda grad, x: grad * np.exp(-x * x / 2) / math.sqrt(2 * math.pi))(x)


# ---- normalization


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """``w (x - μ) / √(σ² + ε) + b`` with each example's mean and variance (Ba, Kiros & Hinton 2016, section 3).

    Over the last axes, of shape ``normalized_shape``, which is also that of w and b.
    """
    x = as_tensor(input)
    axes = (-1,) if isinstance(normalized_shape, int) else tuple(range(-len(normalized_shape), 0))
    out = (x - x.mean(axes, keepdims=True)) / (x.var(axes, keepdims=True) + eps).sqrt()
    return _scale_and_shift(out, weight, bias)


def batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``w (x - μ) / √(σ² + ε) + b`` with each channel's mean and variance (Ioffe & Szegedy 2015, algorithm 1).

    In training they are the batch's, and move the running ones, in place; else they are the running ones.
    """
    x = as_tensor(input)  # (N, C) or (N, C, ...)
    axes = (0, *range(2, x.ndim))
    per_channel = (-1, *[1] * (x.ndim - 2))  # shape (C, 1, 1) broadcasts over (N, C, H, W)
    if training:
        mean, var = x.mean(axes), x.var(axes)  # (C,)
        for running, new in ((running_mean, mean), (running_var, x.var(axes, ddof=1))):
            if running is not None:
                as_array(running)[...] += momentum * (new.data - as_array(running))
    else:
        mean, var = as_tensor(running_mean), as_tensor(running_var)
    out = (x - mean.reshape(per_channel)) / (var.reshape(per_channel) + eps).sqrt()
    w, b = (None if p is None else as_tensor(p).reshape(per_channel) for p in (weight, bias))
    return _scale_and_shift(out, w, b)


def _scale_and_shift(x: Tensor, weight: Any, bias: Any) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


# ---- windows


def conv2d(input: Any, weight: Any, bias: Any = None, stride: Size = 1, padding: Size = 0) -> Tensor:
    """``out[n, o, y, x] = b[o] + Σ w[o, c, i, j] in[n, c, y + i, x + j]`` (Goodfellow et al. 2016, equation 9.6).

    For each place (i, j) in the kernel, the image shifted by it goes through one matrix (O, C), and these are summed.
    """
    w = as_tensor(weight)  # (O, C, k, k)
    windows = _shifted(input, w.shape[2:], stride, padding)  # for each place in the kernel: (N, C, H, W), of the output
    N, C, H, W = windows[0].shape
    places = np.ndindex(*w.shape[2:])
    products = [w[:, :, i, j] @ x.reshape(N, C, H * W) for (i, j), x in zip(places, windows, strict=True)]
    out = F.stack(products).sum(0).reshape(N, w.shape[0], H, W)
    return out if bias is None else out + as_tensor(bias).reshape(-1, 1, 1)


def max_pool2d(input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The largest entry of each window. Equal ones share the gradient here; the fused form gives it to the first."""
    return F.stack(_shifted(input, kernel_size, stride or kernel_size, padding, border=-math.inf)).max(0)


def avg_pool2d(input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The mean of each window, a zero border included."""
    return F.stack(_shifted(input, kernel_size, stride or kernel_size, padding)).mean(0)


def _shifted(input: Any, kernel_size: Any, stride: Size, padding: Size, border: float = 0.0) -> list[Tensor]:
    """For each place (i, j) in a window, the entries there of all windows: (N, C, H, W), H and W the output's."""
    (kh, kw), (sh, sw), (ph, pw) = ((v, v) if isinstance(v, int) else v for v in (kernel_size, stride, padding))
    x = F.pad(input, (pw, pw, ph, ph), value=border)
    last_y, last_x = x.shape[-2] - kh, x.shape[-1] - kw  # where the last window may begin
    return [x[..., i : i + last_y + 1 : sh, j : j + last_x + 1 : sw] for i in range(kh) for j in range(kw)]


# ---- sequences


def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
    scale: float | None = None, rng: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """``softmax(Q Kᵀ / √d) V`` (Vaswani et al. 2017, equation 1): (..., T, d), (..., S, d), (..., S, e) -> (..., T, e).

    A boolean mask (..., T, S) says who may attend to whom; others get a score that leaves them no weight. A mask of
    numbers is added to the scores. Who may attend to nobody gets zeros.
    """
    Q, K, V = as_tensor(query), as_tensor(key), as_tensor(value)
    scores = Q @ K.swapaxes(-1, -2) * (1 / math.sqrt(Q.shape[-1]) if scale is None else scale)  # (..., T, S)
    mask: Array = np.tri(scores.shape[-2], scores.shape[-1]) > 0 if is_causal else np.array(True)
    if attn_mask is not None and as_array(attn_mask).dtype != bool:
        mask = mask & (as_array(attn_mask) > -math.inf)
        scores = scores + F.where(mask, attn_mask, 0)
    elif attn_mask is not None:
        mask = mask & as_array(attn_mask)
    weights = softmax(F.where(mask, scores, -1e30)) * mask  # the product matters only where a row is all masked
    return F.dropout(weights, dropout_p, rng=rng) @ V if dropout_p else weights @ V


def lstm(
    input: Any, h: Any, c: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None
) -> tuple[Tensor, Tensor, Tensor]:
    """T steps of ``c ← f c + i g``, ``h ← o tanh(c)`` (Hochreiter & Schmidhuber 1997; f: Gers et al. 2000).

    The gates i, f, o are sigmoids and the candidate g a hyperbolic tangent of ``W_ih x + b_ih + W_hh h + b_hh``.

    Parameters
    ----------
    input : (T, N, D)
    h, c : (N, S), the state before the first step
    weight_ih, weight_hh : (4 S, D) and (4 S, S), the rows of i, f, g, o one after the other
    bias_ih, bias_hh : (4 S,), or None

    Returns
    -------
    outputs (T, N, S), all h; and the last h and c, (N, S) each
    """
    h, c, outputs = as_tensor(h), as_tensor(c), []
    for x in F.unbind(input):  # (N, D)
        gates = F.linear(x, weight_ih, bias_ih) + F.linear(h, weight_hh, bias_hh)  # (N, 4 S)
        i, f, g, o = F.split(gates, h.shape[-1], axis=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return F.stack(outputs), h, c
