"""Why a result may have another shape: right values in another form, summed or not, broadcast by accident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlcourse.checks.compare import Array, Tolerance, close
from dlcourse.checks.relations import Pair, Relation


def explain_shape(wrong: Sequence[Pair], tolerance: Tolerance) -> Relation:
    """Why shapes may differ: right values in another shape, summed or not summed, broadcast by accident.

    A story is told only where it is that of every pair.
    """
    first = wrong[0]
    wanted = f"Your result has shape {first.got.shape}, expected is {first.expected.shape}."
    with np.errstate(all="ignore"):
        told = [
            [(name, words) for name, holds, words in _shape_stories(p.expected, p.got, tolerance) if holds]
            for p in wrong
        ]
    for story in told[0]:
        if all(story in stories for stories in told):
            return Relation(story[0], f"{wanted} {story[1]}")
    return Relation("wrong-shape", wanted)


def _shape_stories(e: Array, g: Array, tolerance: Tolerance) -> Iterator[tuple[str, bool, str]]:
    def near(a: Array, b: Array) -> bool:
        return a.shape == b.shape and bool(close(a, b, tolerance).all())

    yield "transposed", e.ndim == 2 and near(e.T, g), "The values are right, but transposed."
    yield "wrong-shape", e.size == g.size and near(e.ravel(), g.ravel()), "The values are right, in another shape."
    if e.ndim == 0 and g.size > 1:
        yield "wrong-shape", near(np.full(g.shape, e), g), "Each of its entries is the one number asked for."
        yield "not-averaged", near(e, g.mean()), "The mean of its entries is the number asked for: one mean is missing."
        yield "not-summed", near(e, g.sum()), "The sum of its entries is the number asked for: one sum is missing."
    for axis in range(g.ndim):
        if g.shape[:axis] + g.shape[axis + 1 :] == e.shape:
            yield "not-summed", near(e, g.sum(axis)), f"Summed over axis {axis} it would be right."
            yield "not-averaged", near(e, g.mean(axis)), f"Averaged over axis {axis} it would be right."
    for axis in range(e.ndim):
        if e.shape[:axis] + e.shape[axis + 1 :] == g.shape:
            yield "summed", near(e.sum(axis), g), f"It is the expected one summed over axis {axis}."
            yield "averaged", near(e.mean(axis), g), f"It is the expected one averaged over axis {axis}."
            yield "first-only", near(e.take(0, axis), g), f"It is the first part of the expected one along axis {axis}."
    squared = e.ndim == 1 and g.shape == (e.size, e.size) and e.size > 1
    yield (
        "broadcast",
        squared,
        "A (N, 1) array and a (N,) array combine to (N, N): which of the two has one axis too many?",
    )
