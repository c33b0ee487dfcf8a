"""A slope summed back to the shape of what was broadcast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Shape = tuple[int, ...]


def unbroadcast(grad: Array, shape: Shape) -> Array:
    if grad.shape == shape:
        return grad
    added = grad.ndim - len(shape)
    stretched = tuple(added + i for i, length in enumerate(shape) if length == 1)
    summed = grad.sum(axis=(*range(added), *stretched), keepdims=True)
    return np.asarray(summed.reshape(shape))


def unbroadcast_axis_by_axis(grad: Array, shape: Shape) -> Array:
    while grad.ndim > len(shape):
        grad = np.asarray(grad.sum(axis=0))
    for axis, length in enumerate(shape):
        if length == 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


def unbroadcast_entry_by_entry(grad: Array, shape: Shape) -> Array:
    total = np.zeros(shape)
    home = np.broadcast_to(np.arange(total.size).reshape(shape), grad.shape)  # which entry was copied to each place
    for place in np.ndindex(grad.shape):
        total.reshape(-1)[home[place]] += grad[place]
    return total


def unbroadcast_inputs(rng: np.random.Generator) -> list[Case]:
    def case(big: Shape, small: Shape, label: str = "") -> Case:
        return Case((rng.normal(size=big).round(3), small), label)

    return [
        Case((np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]]), (3,))),
        case((4, 3), (4, 1)),
        case((2, 5), (1, 5)),
        case((2, 4, 3), (3,)),
        case((2, 4, 3), (4, 1)),
        case((2, 4, 3), (1, 4, 1)),
        case((3, 2), (1, 1)),
        case((2, 3, 4, 5), (3, 1, 5)),
        case((1, 3), (3,), "an added axis of length 1"),
        case((3, 3), (3,), "a square array"),
        case((3, 3), (3, 1), "a square array"),
        case((3, 3), (1, 3), "a square array"),
        case((2, 2, 2), (2,), "a cube"),
        case((2, 2, 2), (2, 1), "a cube"),
        case((2, 2, 2), (2, 1, 2), "a cube"),
        case((4,), (1,), "the shape (1,)"),
        case((3, 4), (1,), "the shape (1,)"),
        case((1,), (1,), "the shape (1,)"),
        case((2, 1, 3), (1, 3), "an axis of length 1 that was not stretched"),
        case((4, 3, 1), (3, 1), "an axis of length 1 that was not stretched"),
        case((1, 4), (1, 1), "an axis of length 1 that was not stretched"),
        case((1, 1, 3), (3,), "two added axes of length 1"),
        case((3, 2), (3, 2), "equal shapes"),
        case((3, 3), (3, 3), "equal shapes"),
        case((3, 2), (), "a single number that was broadcast"),
        case((4,), (), "a single number that was broadcast"),
        case((), (), "a single number that was not broadcast"),
    ]


def added_axes(grad: Array, shape: Shape) -> tuple[int, ...]:
    return tuple(range(grad.ndim - len(shape)))


def stretched_axes(grad: Array, shape: Shape) -> tuple[int, ...]:
    return tuple(grad.ndim - len(shape) + i for i, length in enumerate(shape) if length == 1)


def by_mean(grad: Array, shape: Shape) -> Array:
    axes = (*added_axes(grad, shape), *stretched_axes(grad, shape))
    return np.asarray(grad.mean(axis=axes, keepdims=True).reshape(shape))


def by_first_entry(grad: Array, shape: Shape) -> Array:
    for axis in (*added_axes(grad, shape), *stretched_axes(grad, shape)):
        grad = np.take(grad, [0], axis=axis)
    return grad.reshape(shape)


def without_keepdims(grad: Array, shape: Shape) -> Array:
    return np.asarray(grad.sum(axis=(*added_axes(grad, shape), *stretched_axes(grad, shape))))


def with_all_dims(grad: Array, shape: Shape) -> Array:
    axes = (*added_axes(grad, shape), *stretched_axes(grad, shape))
    return np.asarray(grad.sum(axis=axes, keepdims=True))


def added_only(grad: Array, shape: Shape) -> Array:
    return np.asarray(grad.sum(axis=added_axes(grad, shape)))


def stretched_only(grad: Array, shape: Shape) -> Array:
    return np.asarray(grad.sum(axis=stretched_axes(grad, shape), keepdims=True))


def first_axis_only(grad: Array, shape: Shape) -> Array:
    if grad.ndim > len(shape):
        grad = np.asarray(grad.sum(axis=0))
    axes = tuple(i for i, length in enumerate(shape) if length == 1 and i < grad.ndim)
    return np.asarray(grad.sum(axis=axes, keepdims=True))


def from_the_back(grad: Array, shape: Shape) -> Array:
    while grad.ndim > len(shape):
        grad = np.asarray(grad.sum(axis=-1))
    axes = tuple(i for i, length in enumerate(shape) if length == 1)
    return np.asarray(grad.sum(axis=axes, keepdims=True))


def cut_off(grad: Array, shape: Shape) -> Array:
    return np.resize(grad, shape)


def total_everywhere(grad: Array, shape: Shape) -> Array:
    return grad if grad.shape == shape else np.full(shape, grad.sum())


UNBROADCAST = Exercise(
    id="backpropagation.unbroadcast",
    kind="function",
    title="A broadcast, summed back",
    points=2,
    minutes=15,
    difficulty=2,
    function="unbroadcast",
    reference=unbroadcast,
    alternatives=(unbroadcast_axis_by_axis, unbroadcast_entry_by_entry),
    inputs=unbroadcast_inputs,
    wrong=(
        Wrong(
            "mean-for-sum",
            by_mean,
            "You average where the shares should add up. An entry that was used four times moves the loss in four places: "
            "how do four shares combine?",
        ),
        Wrong(
            "first-for-sum",
            by_first_entry,
            "You keep the first of the copies and drop the slopes of the others. Does the loss depend on one copy only?",
        ),
        Wrong(
            "axes-lost",
            without_keepdims,
            "The sums are right, but an axis of length 1 in `shape` is gone from your result. "
            "What does `sum` do with an axis it sums over, unless it is told otherwise?",
        ),
        Wrong(
            "axes-kept",
            with_all_dims,
            "The sums are right, but the axes that broadcasting added in front are still there, with length 1. "
            "How many axes should the result have?",
        ),
        Wrong(
            "stretched-axes-forgotten",
            added_only,
            "You sum over the axes that were added in front, and not over those that were stretched from length 1. "
            "Which entries of `shape` tell that an axis was stretched?",
        ),
        Wrong(
            "added-axes-forgotten",
            stretched_only,
            "You sum over the axes that were stretched from length 1, and not over those that were added in front. "
            "How many axes does `grad` have more than `shape`?",
        ),
        Wrong(
            "one-added-axis-only",
            first_axis_only,
            "You remove a single axis in front, and there may be several. What has to be repeated, and until when?",
        ),
        Wrong(
            "added-at-the-back",
            from_the_back,
            "You sum over the last axes where the first ones were added. Broadcasting lines shapes up at one end: at which?",
        ),
        Wrong(
            "cut-to-size",
            cut_off,
            "Your result holds the first entries of `grad`, cut to the new shape, with nothing summed. "
            "What happens to the slopes that were left out?",
        ),
        Wrong(
            "total-everywhere",
            total_everywhere,
            "Each entry of your result is the sum of all of `grad`. Which places of `grad` came from one certain entry?",
        ),
    ),
    hints=(
        "Write down for (4, 3) and (4, 1): which entries of the large array are copies of entry [2, 0] of the small one? "
        "Their slopes add up.",
        "Two kinds of axes: those that broadcasting added in front (`grad.ndim - len(shape)` of them), and those where `shape` "
        "has a 1. Sum over both; the first kind disappears, the second stays with length 1.",
        "While `grad` has more axes than `shape`, sum over axis 0. Then, for each axis where `shape` has a 1, sum over that axis "
        "with `keepdims=True`.",
    ),
    unlocks="The lesson's array engine now runs on your `unbroadcast`.",
)
