"""Clip gradients by their global norm (Pascanu, Mikolov & Bengio 2013, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Grads = list[Array]


def clip_by_norm(grads: Grads, max_norm: float) -> Any:
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    scale = max_norm / total if total > max_norm else 1.0
    return [g * scale for g in grads], total


def clip_as_in_pytorch(grads: Grads, max_norm: float) -> Any:
    total = np.linalg.norm([np.linalg.norm(g) for g in grads])
    coefficient = np.minimum(max_norm / (total + 1e-6), 1.0)
    return tuple(coefficient * g for g in grads), total


def clip_of_one_long_vector(grads: Grads, max_norm: float) -> Any:
    total = np.sqrt(np.square(np.concatenate([np.ravel(g) for g in grads])).sum())
    if total <= max_norm:
        return list(grads), total
    return [max_norm * g / total for g in grads], total


def clip_inputs(rng: np.random.Generator) -> list[Case]:
    def case(shapes: list[tuple[int, ...]], max_norm: float, share: float, label: str = "") -> Case:
        """The norm of all is ``share`` times max_norm."""
        grads = [rng.normal(size=shape) for shape in shapes]
        total = math.sqrt(sum(float((g**2).sum()) for g in grads))
        return Case(([g * (share * max_norm / total) for g in grads], max_norm), label)

    small_and_large = [np.array([0.3, -0.4]), np.array([[30.0, -40.0], [10.0, 5.0]])]
    return [
        Case(([np.array([3.0, 0.0]), np.array([[4.0], [-12.0]])], 6.5)),
        case([(3, 2), (3,)], 2.0, 2.5),
        case([(2, 4), (2,), (3, 2)], 5.0, 4.0),
        case([(4,), (2, 3)], 8.0, 0.4),
        case([(2, 2), (5,)], 3.0, 0.9),
        case([(3,), (2, 2)], 0.8, 0.5),
        Case((small_and_large, 20.0), "one array far larger than the others"),
        case([(3, 2), (2,)], 2.0, 1.0, "a norm of just max_norm"),
        case([(3, 3)], 2.0, 3.0, "a single array"),
        case([(2,), (2,), (2,)], 3.0, 1.5, "several arrays, none of which is too long by itself"),
        Case(([np.zeros((2, 3)), np.zeros(2)], 3.0), "slopes that are all 0"),
        case([(4, 2), (3,)], 2.0, 5e6, "exploded slopes"),
        Case(([np.array(6.0), np.array([2.0, 3.0])], 3.5), "an array of shape ()"),
    ]  # fmt: skip


def two_norm(grads: Grads) -> float:
    return math.sqrt(sum(float((g**2).sum()) for g in grads))


def variant(
    norm: Callable[[Grads], float] = two_norm,
    scale: Callable[[float, float], float] = lambda total, limit: limit / total if total > limit else 1.0,
    reported: Callable[[float, float, float], float] = lambda total, scale, limit: total,
    handed: Callable[[Grads, float], Any] = lambda grads, total: (grads, total),
) -> Callable[..., Any]:
    """Clipping with one part exchanged."""

    def answer(grads: Grads, max_norm: float) -> Any:
        with np.errstate(all="ignore"):
            total = np.float64(norm(grads))
            factor = scale(total, max_norm)
            return handed([g * factor for g in grads], reported(total, factor, max_norm))

    return answer


def each_by_itself(grads: Grads, max_norm: float) -> Any:
    return [g * min(1.0, max_norm / max(two_norm([g]), 1e-12)) for g in grads], two_norm(grads)


def by_value(grads: Grads, max_norm: float) -> Any:
    return [np.clip(g, -max_norm, max_norm) for g in grads], two_norm(grads)


def too_long_ones_only(grads: Grads, max_norm: float) -> Any:
    total = two_norm(grads)
    return [g * (max_norm / total) if two_norm([g]) > max_norm else g for g in grads], total


def each_to_the_limit(grads: Grads, max_norm: float) -> Any:
    total = two_norm(grads)
    return [g * (max_norm / two_norm([g])) if total > max_norm else g.copy() for g in grads], total


def norm_of_each(grads: Grads, max_norm: float) -> Any:
    return clip_by_norm(grads, max_norm)[0], [two_norm([g]) for g in grads]


def return_in_the_loop(grads: Grads, max_norm: float) -> Any:
    return clip_by_norm(grads[:1], max_norm)


def in_place(grads: Grads, max_norm: float) -> Any:
    total = two_norm(grads)
    for g in grads:
        g *= max_norm / total if total > max_norm else 1.0
    return grads, total


CLIP_BY_NORM = Exercise(
    id="training_deep_networks.clip_by_norm",
    kind="function",
    title="Clip by the global norm",
    points=2,
    minutes=10,
    difficulty=2,
    function="clip_by_norm",
    reference=clip_by_norm,
    alternatives=(clip_as_in_pytorch, clip_of_one_long_vector),
    inputs=clip_inputs,
    driver="clipped",
    blame=("form", "total_norm"),
    rtol=1e-5,
    wrong=(
        Wrong(
            "each-array-by-itself",
            each_by_itself,
            "`total_norm` is right, but each array is clipped by its own norm, which changes the direction of the whole step. How many factors should there be for all arrays?",
        ),
        Wrong(
            "each-norm-for-itself-decides",
            too_long_ones_only,
            "`total_norm` is right, but only arrays that are too long by themselves get smaller. Whose norm decides, and to which arrays does the factor apply?",
        ),
        Wrong(
            "clipped-by-value",
            by_value,
            "`total_norm` is right, but single entries are cut off at ±max_norm: that is clipping by value, which bends the direction. What happens to *all* entries here?",
        ),
        Wrong(
            "always-scaled",
            variant(scale=lambda total, limit: limit / total),
            "You scale whether it is needed or not, so gradients that are short enough are made longer. When should everything stay as it is?",
        ),
        Wrong(
            "not-clipped",
            variant(scale=lambda total, limit: 1.0),
            "`total_norm` is right, but the gradients come back as they went in, however long they are. What happens to them when the norm is above the limit?",
        ),
        Wrong(
            "condition-reversed",
            variant(scale=lambda total, limit: limit / total if total < limit else 1.0),
            "You leave long gradients as they are and stretch the short ones. Which way round does your comparison stand?",
        ),
        Wrong(
            "unit-length",
            variant(scale=lambda total, limit: 1 / total if total > limit else 1.0),
            "Gradients that are too long come out with norm 1. Which norm should they have afterwards?",
        ),
        Wrong(
            "factor-upside-down",
            variant(scale=lambda total, limit: total / limit if total > limit else 1.0),
            "Gradients that are too long get longer still. Is your factor above or below 1?",
        ),
        Wrong(
            "divided-by-the-limit",
            variant(scale=lambda total, limit: 1 / limit if total > limit else 1.0),
            "Gradients that are too long are divided by max_norm, so their norm is then whatever it happens to be. Which two numbers does the factor need?",
        ),
        Wrong(
            "zeroed",
            variant(scale=lambda total, limit: 0.0 if total > limit else 1.0),
            "Gradients that are too long are set to 0, so the step is skipped. What of them should survive?",
        ),
        Wrong(
            "norm-after-clipping",
            variant(reported=lambda total, scale, limit: total * scale),
            "The gradients are right, but your norm is the one *after* clipping, which says nothing new. Which norm tells you that something exploded?",
        ),
        Wrong(
            "factor-reported",
            variant(reported=lambda total, scale, limit: scale),
            "The gradients are right, but in place of the norm you hand back the factor. Which number does the task ask for?",
        ),
        Wrong(
            "root-forgotten",
            variant(norm=lambda grads: two_norm(grads) ** 2),
            "Your norm is the sum of squares. What is still missing?",
        ),
        Wrong(
            "sums-squared",
            variant(norm=lambda grads: math.sqrt(sum(float(g.sum()) ** 2 for g in grads))),
            "You square the *sum* of each array, in which plus and minus cancel. What is squared first: single entries or their sum?",
        ),
        Wrong(
            "first-array-only",
            variant(norm=lambda grads: two_norm(grads[:1]), scale=lambda total, limit: limit / total if total > limit else 1.0),
            "Your norm is that of the first array alone. Which numbers belong to the one long vector of all gradients?",
        ),
        Wrong(
            "norms-added",
            variant(norm=lambda grads: sum(two_norm([g]) for g in grads)),
            "Your norm is the sum of the arrays' norms. Arrays of norm 3 and 4 together have norm 5: what is summed before the root is taken?",
        ),
        Wrong(
            "largest-norm",
            variant(norm=lambda grads: max(two_norm([g]) for g in grads)),
            "Your norm is that of the longest array alone. Which numbers belong to the one long vector of all gradients?",
        ),
        Wrong(
            "mean-norm",
            variant(norm=lambda grads: float(np.mean([two_norm([g]) for g in grads]))),
            "Your norm is the mean of the arrays' norms, so a model with many small arrays seems tame. How does one get the norm of all of them together?",
        ),
        Wrong(
            "mean-of-squares",
            variant(norm=lambda grads: two_norm(grads) / math.sqrt(sum(g.size for g in grads))),
            "Your norm is the root of the *mean* square. Is a norm divided by how many entries there are?",
        ),
        Wrong(
            "absolute-values-summed",
            variant(norm=lambda grads: sum(float(np.abs(g).sum()) for g in grads)),
            "Your norm is the sum of absolute values (L1). Which norm is the length of an arrow?",
        ),
        Wrong(
            "largest-entry",
            variant(norm=lambda grads: max(float(np.abs(g).max()) for g in grads)),
            "Your norm is the largest entry by absolute value. How do all the entries together make a length?",
        ),
        Wrong(
            "grads-alone",
            variant(handed=lambda grads, total: grads),
            "You hand back the gradients alone. Which second result does the task ask for?",
        ),
        Wrong(
            "one-long-array",
            variant(handed=lambda grads, total: (np.concatenate([np.ravel(g) for g in grads]), total)),
            "You hand back one long array, and nobody can tell any more which weights its pieces belong to. Which form did `grads` come in?",
        ),
        Wrong(
            "exchanged",
            variant(handed=lambda grads, total: (total, grads)),
            "Norm and gradients are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but `grads` is not as it was: its arrays were overwritten, or clipped ones were put in their places. "
            "What is the difference between `g *= k`, or `grads[i] = ...`, and a new list of `g * k`?",
        ),
        Wrong(
            "squares-compared",
            variant(scale=lambda total, limit: limit / total if total**2 > limit else 1.0),
            "`total_norm` is right, but it is its square that you compare with `max_norm`, so some gradients that are short enough are made longer. Which two lengths belong beside each other?",
        ),
        Wrong(
            "last-array-only",
            variant(norm=lambda grads: two_norm(grads[-1:])),
            "Your norm is that of the last array alone. Is something set anew in each round of a loop that should have been added up?",
        ),
        Wrong(
            "each-array-to-the-limit",
            each_to_the_limit,
            "`total_norm` is right, but when it is too long, each array is brought to the norm `max_norm` by itself, small ones too. How many factors should there be for all arrays?",
        ),
        Wrong(
            "norm-of-each-array",
            norm_of_each,
            "In place of one norm you hand back as many numbers as there are arrays. Of which single vector does the task want the length?",
        ),
        Wrong(
            "return-in-the-loop",
            return_in_the_loop,
            "You hand back a list of one array where several came in. Where does your `return` stand: inside the loop or behind it?",
        ),
    ),
    hints=(
        "Think of all entries of all arrays as one long vector. Its length is what must not exceed max_norm.",
        "Sum the squares of each array, sum those sums, take the root. If that is above max_norm, one factor below 1 makes everything shorter.",
        "The factor is `max_norm / total_norm` where `total_norm > max_norm`, else 1. Multiply each array by it in a new list, and return the norm that you measured before.",
    ),
    unlocks="Unit 09's recurrent networks would not train without it.",
)  # fmt: skip
