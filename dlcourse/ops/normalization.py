"""Normalization: entries moved to mean 0 and variance 1, then by a learned scale and shift.

Both functions compute ``w x̂ + b`` with ``x̂ = (x - μ) / √(σ² + ε)``. They differ in which entries share a mean: those
of a channel over the batch, or those of an example. Every x moves μ and σ too, which is why the gradient of x̂ loses
its mean and its part along x̂:  ``dx = (dx̂ - mean(dx̂) - x̂ mean(dx̂ x̂)) / √(σ² + ε)``.

Many sums are products with ones here, which is faster than ``np.sum``.
"""

from __future__ import annotations

import math

import numpy as np

from dlcourse.ops.rule import Array, Gradient, Operand, Result
from dlcourse.ops.shapes import SeveralResults


def layer_norm(x: Array, weight: Operand, bias: Operand, shape: tuple[int, ...], eps: float = 1e-5) -> Result:
    """Mean and variance of each example over its last axes, of the given shape (Ba, Kiros & Hinton 2016, section 3).

    ``weight`` and ``bias`` have that shape, or are 1.0 and 0.0.
    """
    _fits("layer_norm", x, x.shape[max(x.ndim - len(shape), 0) :], shape, weight, bias)
    N, D = math.prod(x.shape[: x.ndim - len(shape)]), math.prod(shape)
    share, ones = 1 / (D or 1), np.ones(D, x.dtype)
    X, w, b = x.reshape(N, D), np.reshape(weight, -1), np.reshape(bias, -1)  # w, b: (D,) or (1,)
    normal = X - (X @ ones * share)[:, None]
    rate = 1 / np.sqrt(np.einsum("nd,nd->n", normal, normal) * share + eps)  # (N,)
    normal *= rate[:, None]
    out = normal * w
    out += b

    def backward(grad: Array) -> tuple[Gradient, ...]:
        g = grad.reshape(N, D)

        def for_x() -> Array:
            d: Array = g * w
            mean = d @ ones * share
            d -= normal * (np.einsum("nd,nd->n", d, normal) * share)[:, None]
            d -= mean[:, None]
            d *= rate[:, None]
            return d.reshape(x.shape)

        return for_x, lambda: np.einsum("nd,nd->d", g, normal).reshape(shape), lambda: _sum(g).reshape(shape)

    return out.reshape(x.shape), backward


def batch_norm(
    x: Array, weight: Operand, bias: Operand, mean: Array | None = None, var: Array | None = None, eps: float = 1e-5
) -> SeveralResults:
    """Mean and variance of each channel over the batch (Ioffe & Szegedy 2015, algorithm 1), or given constants.

    x (N, C) or (N, C, ...); weight and bias (C,), or 1.0 and 0.0; mean and var (C,), both or none.
    -> out, and the mean and the (biased) variance used, through which no gradient flows.
    """
    _fits("batch_norm", x, x.shape[1:2], x.shape[1:2], weight, bias, mean, var)
    (N, C), L = x.shape[:2], math.prod(x.shape[2:])  # L places in an image
    X, n, of_batch = x.reshape(N, C, L), N * L or 1, mean is None
    mean = _by_channel(X) / n if mean is None else mean.astype(x.dtype, copy=False)
    centered = X - mean[:, None]
    var = _by_channel(centered, centered) / n if var is None else var.astype(x.dtype, copy=False)
    rate = 1 / np.sqrt(var + eps)  # (C,)
    scale = np.reshape(rate * weight, (C, 1))
    out = centered * scale
    out += np.reshape(bias, (-1, 1))

    def backward(grad: Array, *_: Array) -> tuple[Gradient, ...]:
        g = grad.reshape(N, C, L)
        along, total = _by_channel(g, centered), _by_channel(g)  # (C,)

        def for_x() -> Array:
            d: Array = g * scale
            if of_batch:
                d -= centered * (scale * (along * rate * rate / n)[:, None])
                d -= scale * (total / n)[:, None]
            return d.reshape(x.shape)

        return for_x, along * rate, total

    return (out.reshape(x.shape), mean, var), backward


def _by_channel(a: Array, b: Array | None = None) -> Array:
    """(N, C, L) -> (C,): the sums of a, or of the products with b."""
    if b is None:
        return _sum(a[:, :, 0] if a.shape[2] == 1 else a @ np.ones(a.shape[2], a.dtype))
    return np.asarray(np.einsum("ncl,ncl->c", a, b))


def _sum(a: Array) -> Array:
    """(N, D) -> (D,)."""
    return np.asarray(np.ones(len(a), a.dtype) @ a)


def _fits(name: str, x: Array, found: tuple[int, ...], wanted: tuple[int, ...], *parts: Operand | None) -> None:
    shapes = [part.shape for part in parts if isinstance(part, np.ndarray)]
    if not wanted or any(shape != wanted for shape in (found, *shapes)):
        raise ValueError(f"{name}: an input of shape {x.shape} does not go with a normalized shape {wanted} and "
                         f"parameters of shapes {shapes}; these must be equal to the input's last axes (layer_norm) or "
                         "to its axis 1 (batch_norm)")  # fmt: skip
