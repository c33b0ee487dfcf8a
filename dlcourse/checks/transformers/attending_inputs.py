"""What attention is tried on: masks of every shape, rows without any key, and large, low and zero scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers import Case

Array = NDArray[Any]


def some_mask(rng: np.random.Generator, *shape: int) -> NDArray[np.bool_]:
    """A random mask in which each query may attend to itself and is kept from something."""
    T = shape[-1]
    mask = rng.random(shape) < 0.6
    mask |= np.eye(T, dtype=bool)
    mask[..., np.arange(T), (np.arange(T) + 1) % T] = False
    return mask


def with_a_hidden_best(q: Array, k: Array) -> NDArray[np.bool_]:
    """Gives query 1 low scores and query 2 a best key, number 0, which the mask that comes back keeps from it."""
    q[:, :, 1], k[...] = -np.abs(q[:, :, 1]), np.abs(k)
    k[:, :, 0] = 3 * q[:, :, 2]
    T = q.shape[2]
    return ~np.eye(T, dtype=bool)[[0] * T] | np.eye(T, dtype=bool)  # nobody but the first sees the first


def attention_inputs(rng: np.random.Generator) -> list[Case]:
    def qkv(N: int, h: int, T: int, d: int, scale: float = 1.0) -> tuple[Array, ...]:
        return tuple(size * rng.normal(size=(N, h, T, d)) for size in (scale, scale, 1.0))

    small = (
        np.array([[[[1.0, 0.0, 1.0, 2.0], [0.0, -2.0, 1.0, 1.0]]]]),
        np.array([[[[2.0, 1.0, 0.0, 0.5], [0.0, 1.0, -1.0, 1.0]]]]),
        np.array([[[[1.0, 2.0, 0.0, -1.0], [3.0, -1.0, 1.0, 0.0]]]]),
    )
    large = qkv(2, 2, 4, 3, 30.0)
    before = with_a_hidden_best(large[0], large[1])
    empty = some_mask(rng, 2, 1, 4, 4)
    empty[0, 0, 1] = empty[1, 0, 0] = False
    cases = [
        Case(small),
        Case(qkv(2, 3, 4, 5)),
        Case((*qkv(2, 3, 5, 2), np.tri(5, dtype=bool))),
        Case((*qkv(3, 2, 4, 3), np.arange(4) < np.array([2, 4, 3]).reshape(3, 1, 1, 1))),
        Case((*qkv(2, 3, 5, 4), some_mask(rng, 2, 3, 5, 5))),
        Case((*qkv(3, 3, 3, 3), some_mask(rng, 3, 3))),
        Case((*qkv(3, 2, 4, 6), some_mask(rng, 4, 4))),
        Case((*qkv(2, 2, 4, 3), empty), "queries that may attend to nothing"),
        Case((*large, before), "large scores"),
        Case(qkv(2, 2, 1, 3), "a single position"),
    ]
    low = qkv(2, 2, 4, 4)
    low[0][..., 0], low[1][..., 0] = -200, 99.95  # all scores are about -9,995: a hidden one must be lower still
    zero = qkv(2, 2, 4, 3)
    zero[0][:, :, 1] = 0  # a score may be 0 without being hidden
    return [
        *cases,
        Case((*low, some_mask(rng, 4, 4)), "very low scores"),
        Case((*zero, some_mask(rng, 4, 4)), "scores of 0"),
    ]
