"""Ops that move entries without changing them: their rules move the gradient back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array, Operand, Result, Rule

SeveralResults = tuple[tuple[Array, ...], Rule]


def reshape(x: Array, shape: tuple[int, ...]) -> Result:
    """The same entries in another shape; one size may be -1."""
    return x.reshape(shape), lambda grad: (grad.reshape(x.shape),)


def transpose(x: Array, axes: tuple[int, ...] | None = None) -> Result:
    """Axes in the order ``axes``; None reverses them. A ValueError unless each axis is named once."""
    if axes is not None and len(axes) != x.ndim:
        raise ValueError(f"transpose: axes {axes} for shape {x.shape}; name each of its {x.ndim} axes, in the new order, or "
                         "exchange two of them by swapaxes(a, b)")  # fmt: skip
    back = None if axes is None else tuple(np.argsort([axis % x.ndim for axis in axes]))
    return np.transpose(x, axes), lambda grad: (np.transpose(grad, back),)


def swapaxes(x: Array, a: int, b: int) -> Result:
    """Axes ``a`` and ``b`` exchanged."""
    return np.swapaxes(x, a, b), lambda grad: (np.swapaxes(grad, a, b),)


def index(x: Array, key: Any) -> Result:
    """``x[key]`` for any of NumPy's indices; an entry that is chosen repeatedly sums its gradients."""
    out = np.asarray(x[key])

    def backward(grad: Array) -> tuple[Array]:
        if _may_repeat(key):
            entries = np.arange(x.size).reshape(x.shape)[key]
            return (scatter_sum(grad, entries, x.size).reshape(x.shape),)
        dx = np.zeros(x.shape, grad.dtype)
        dx[key] = grad
        return (dx,)

    return out, backward


def scatter_sum(values: Array, places: Array, size: int) -> Array:
    """An array (size,) whose entry i is the sum of the ``values`` at the ``places`` that hold i.

    By ``np.bincount``, many times as fast as ``np.add.at``.
    """
    return np.bincount(places.ravel(), weights=values.ravel(), minlength=size).astype(values.dtype)


def _may_repeat(key: Any) -> bool:
    """Only an array of integers can name one entry twice."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(isinstance(part, list | np.ndarray) and np.asarray(part).dtype != bool for part in parts)


def concatenate(*arrays: Array, axis: int = 0) -> Result:
    """Arrays joined along an axis they have."""
    out = np.concatenate(arrays, axis)
    ends = list(itertools.accumulate(array.shape[axis] for array in arrays))
    return out, lambda grad: tuple(np.split(grad, ends[:-1], axis))


def stack(*arrays: Array, axis: int = 0) -> Result:
    """Arrays of one shape joined along a new axis."""
    return np.stack(arrays, axis), lambda grad: tuple(np.moveaxis(grad, axis, 0))


def unbind(x: Array, axis: int = 0) -> SeveralResults:
    """The slices along an axis. They share one rule, which keeps a recurrent network's backward linear in T."""
    return tuple(np.moveaxis(x, axis, 0)), lambda *grads: (np.stack(grads, axis),)


def split(x: Array, sizes: Sequence[int], axis: int = 0) -> SeveralResults:
    """Consecutive pieces of the given sizes along an axis."""
    ends = list(itertools.accumulate(sizes))
    return tuple(np.split(x, ends[:-1], axis)), lambda *grads: (np.concatenate(grads, axis),)


def pad(x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Result:
    """A border of ``value`` around ``x``: for each axis, how many entries before and after."""
    inside = tuple(slice(before, before + size) for (before, _), size in zip(widths, x.shape, strict=True))
    return np.pad(x, widths, constant_values=value), lambda grad: (grad[inside],)


def where(condition: Array, a: Operand, b: Operand) -> Result:
    """``a`` where the condition holds, else ``b``."""
    return np.where(condition, a, b), lambda grad: (None, lambda: grad * condition, lambda: grad * ~condition)
