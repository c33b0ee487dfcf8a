"""Ops that make one number of many, along some axes or all of them.

Each reduces with ``keepdims=True`` first: the gradient, reshaped to that shape, broadcasts back over the input.
"""

from __future__ import annotations

import math

import numpy as np

from dlcourse.ops.rule import Array, Result

Axis = int | tuple[int, ...] | None


def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Result:
    """Sum: every entry gets the gradient of its sum."""
    total = x.sum(axis, keepdims=True)

    def backward(grad: Array) -> tuple[Array]:
        return (np.broadcast_to(grad.reshape(total.shape), x.shape),)

    return _squeeze(total, axis, keepdims), backward


def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Result:
    """Mean: every entry gets 1/n of the gradient; the mean of nothing is NaN."""
    total = np.sum(x, axis=axis, keepdims=True)
    n = _count(x, total) or math.nan

    def backward(grad: Array) -> tuple[Array]:
        return (np.broadcast_to(grad.reshape(total.shape) / n, x.shape),)

    return _squeeze(total / n, axis, keepdims), backward


def var(x: Array, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Result:
    """Variance about the mean, divided by ``n - ddof``, in two passes: E[x²] − E[x]² would cancel."""
    total = np.sum(x, axis=axis, keepdims=True)
    n = _count(x, total)
    centered = x - total / (n or math.nan)
    degrees = n - ddof if n > ddof else math.nan

    def backward(grad: Array) -> tuple[Array]:
        return (grad.reshape(total.shape) * (2 / degrees) * centered,)

    out = np.sum(centered * centered, axis=axis, keepdims=True) / degrees
    return _squeeze(out, axis, keepdims), backward


def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Result:
    """Largest entry; where several are equal, they share the gradient evenly."""
    return _extreme(x, np.max(x, axis=axis, keepdims=True), axis, keepdims)


def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Result:
    """Smallest entry; where several are equal, they share the gradient evenly."""
    return _extreme(x, np.min(x, axis=axis, keepdims=True), axis, keepdims)


def _extreme(x: Array, best: Array, axis: Axis, keepdims: bool) -> Result:
    def backward(grad: Array) -> tuple[Array]:
        mask = x == best
        winners = np.sum(mask, axis=axis, keepdims=True, dtype=x.dtype)
        return (mask * (grad.reshape(best.shape) / winners),)

    return _squeeze(best, axis, keepdims), backward


def _squeeze(kept: Array, axis: Axis, keepdims: bool) -> Array:
    return kept if keepdims else kept.squeeze(axis)


def _count(x: Array, reduced: Array) -> int:
    """How many entries went into each entry of ``reduced``."""
    return x.size // reduced.size if reduced.size else 0
