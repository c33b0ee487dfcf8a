"""How many modes do samples reach, and how many samples belong to any (Srivastava et al. 2017)?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def mode_coverage(samples: Array, centers: Array, radius: float, least: int) -> Any:
    distances = np.linalg.norm(samples[:, None] - centers, axis=2)  # (N, K)
    good = distances.min(axis=1) <= radius
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=len(centers))
    return int((counts >= least).sum()), float(good.mean())


def coverage_by_loop(samples: Array, centers: Array, radius: float, least: int) -> Any:
    counts = [0] * len(centers)
    for x in samples.tolist():
        away = [math.dist(x, c) for c in centers.tolist()]
        if min(away) <= radius:
            counts[away.index(min(away))] += 1
    return sum(count >= least for count in counts), sum(counts) / len(samples)


def coverage_by_products(samples: Array, centers: Array, radius: float, least: int) -> Any:
    squares = ((samples[:, None] - centers[None]) ** 2).sum(axis=-1)
    belongs = (squares == squares.min(axis=1, keepdims=True)) & (squares <= radius * radius)  # (N, K)
    return np.count_nonzero(belongs.sum(axis=0) >= least), belongs.any(axis=1).mean()


def coverage_inputs(rng: np.random.Generator) -> list[Case]:
    def around(centers: Array, counts: list[int], radius: float, far: int) -> Array:
        """Samples at 0.2 to 1.9 radii from their centers, ``counts`` of them well inside, and some far from all."""
        inside = np.repeat(centers, counts, axis=0)
        strays = np.repeat(centers, far, axis=0)
        angles = rng.uniform(0, 2 * np.pi, len(inside) + len(strays))
        away = np.concatenate([rng.uniform(0.2, 0.95, len(inside)), rng.uniform(1.05, 1.9, len(strays))]) * radius
        samples = np.concatenate([inside, strays]) + away[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(rng.permutation(samples))

    def case(centers: Any, counts: list[int], radius: float, least: int, far: int = 2, label: str = "") -> Case:
        centers = np.asarray(centers, float)
        return Case((around(centers, counts, radius, far), centers, radius, least), label)

    square = 3.0 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    ring = 4 * np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1)
    first = np.array([[0.1, 0.2], [-0.2, 0.1], [3.1, 0.0], [1.5, 1.0], [0.35, 0.4], [0.0, -0.3]])
    edge = np.array([[3.0, 4.0], [-3.0, 4.0], [20.0, 5.0], [20.0, -5.0], [24.0, 3.0], [6.0, 3.0]])
    near = np.array([[-0.1, 0.0], [0.2, 0.1], [0.35, -0.1], [0.7, 0.1], [1.1, 0.0], [0.45, 0.2], [2.6, 0.0]])
    shared = np.array([[-0.15, 0.0], [0.2, 0.1], [0.1, -0.2], [0.35, -0.1], [0.45, 0.2], [0.7, 0.1], [1.1, 0.0], [1.25, 0.1],
                       [0.95, 0.0]])  # fmt: skip
    return [
        Case((first, np.array([[0.0, 0.0], [3.0, 0.0]]), 0.5, 2)),
        case(square, [5, 0, 3, 1], 0.5, 3),
        case(ring, [4, 4, 2, 0, 6, 1], 0.8, 2, far=3),
        case(rng.permutation(2 * square), [7, 3, 2, 2], 1.5, 3, far=4),
        case(square, [4, 4, 4, 4], 0.5, 5, label="no mode with enough samples"),
        case(square, [3, 0, 1, 2], 0.5, 1, label="a single sample that is enough"),
        Case((edge, np.array([[0.0, 0.0], [20.0, 0.0]]), 5.0, 3), "samples at exactly the radius"),
        Case((near, np.array([[0.0, 0.0], [0.6, 0.0], [1.2, 0.0]]), 0.7, 3), "circles that overlap"),
        Case((shared, np.array([[0.0, 0.0], [0.6, 0.0], [1.2, 0.0]]), 0.7, 3), "circles that overlap"),
        Case((50 + rng.normal(size=(5, 2)), square, 0.5, 1), "no sample near any center"),
        case(square[:1], [4], 0.5, 3, far=3, label="one center"),
    ]


def norms(samples: Array, centers: Array) -> Array:
    return np.asarray(np.linalg.norm(samples[:, None] - centers, axis=2))


def of_good(distances: Array, within: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Good samples that belong to each center."""
    return np.bincount(distances.argmin(axis=1)[within.any(axis=1)], minlength=distances.shape[1])


def variant(
    distance: Callable[[Array, Array], Array] = norms,
    near: Callable[[Array, float], Any] = lambda d, radius: d <= radius,
    count: Callable[[Array, Any], Any] = of_good,
    enough: Callable[[Any, int], Any] = lambda counts, least: counts >= least,
    modes: Callable[[Any], Any] = lambda found: int(found.sum()),
    quality: Callable[[Any, Array, Any], Any] = lambda within, d, found: within.any(axis=1).mean(),
    handed: Callable[[Any, Any], Any] = lambda modes, quality: (modes, quality),
) -> Callable[..., Any]:
    """The two numbers with one part exchanged."""

    def answer(samples: Array, centers: Array, radius: float, least: int) -> Any:
        d = distance(samples, centers)
        within = near(d, radius)
        found = enough(count(d, within), least)
        return handed(modes(found), quality(within, d, found))

    return answer


def in_every_circle(d: Array, within: Any) -> Any:
    return within.sum(axis=0)


def in_the_first_circle(d: Array, within: Any) -> Any:
    return np.bincount(within.argmax(axis=1)[within.any(axis=1)], minlength=d.shape[1])


def in_the_cells(d: Array, within: Any) -> Any:
    return np.bincount(d.argmin(axis=1), minlength=d.shape[1])


def in_found_modes(within: Any, d: Array, found: Any) -> Any:
    return (within.any(axis=1) & found[d.argmin(axis=1)]).mean()


def by_center(samples: Array, centers: Array) -> Array:
    """The right distances, but each center keeps its nearest sample alone."""
    d = norms(samples, centers)
    only = np.full(d.shape, np.inf)
    only[d.argmin(axis=0), np.arange(len(centers))] = d.min(axis=0)
    return only


MODE_COVERAGE = Exercise(
    id="gans.mode_coverage",
    kind="function",
    title="Count the modes",
    points=2,
    minutes=15,
    difficulty=2,
    function="mode_coverage",
    reference=mode_coverage,
    alternatives=(coverage_by_loop, coverage_by_products),
    inputs=coverage_inputs,
    returns=("modes", "quality"),
    blame=("quality", "modes"),
    forbid=("dlcourse.metrics",),
    wrong=(
        Wrong(
            "distance-squared",
            variant(distance=lambda x, c: ((x[:, None] - c) ** 2).sum(axis=2)),
            "You compare the *squared* distance with `radius`. What must be done to one of the two?",
        ),
        Wrong(
            "sum-of-coordinates",
            variant(distance=lambda x, c: np.abs(x[:, None] - c).sum(axis=2)),
            "Your distance is the sum of the differences along both axes, so the circles become diamonds. How long is the straight line?",
        ),
        Wrong(
            "largest-coordinate",
            variant(distance=lambda x, c: np.abs(x[:, None] - c).max(axis=2)),
            "Your distance is the larger of the differences along both axes, so the circles become squares. How long is the straight line?",
        ),
        Wrong(
            "mean-of-squares",
            variant(distance=lambda x, c: np.sqrt(((x[:, None] - c) ** 2).mean(axis=2))),
            "Under the root you take the *mean* of the squares of both coordinates, so the circles are too large. How long is the straight line?",
        ),
        Wrong(
            "first-coordinate",
            variant(distance=lambda x, c: np.abs(x[:, None, 0] - c[:, 0])),
            "You look at the first coordinate alone, so the circles become strips. How long is the straight line from a sample to a center?",
        ),
        Wrong(
            "diameter-for-radius",
            variant(near=lambda d, radius: d <= radius / 2),
            "Your circles are half as wide as asked for. Is `radius` measured from the center or across?",
        ),
        Wrong(
            "radius-doubled",
            variant(near=lambda d, radius: d <= 2 * radius),
            "Your circles are twice as wide as asked for. How far from its center may a good sample lie?",
        ),
        Wrong(
            "within-the-edge",
            variant(near=lambda d, radius: d < radius),
            "Right, except for samples at exactly the radius, which you leave out. Does the task say *less than* or *at most*?",
        ),
        Wrong(
            "more-than-least",
            variant(enough=lambda counts, least: counts > least),
            "`quality` is right. A mode with exactly `least` good samples does not count with you. Does the task say *more than* or *at least*?",
        ),
        Wrong(
            "one-is-enough",
            variant(enough=lambda counts, least: counts >= 1),
            "`quality` is right. One good sample is enough for a mode of yours: `least` has no effect. Where should it come in?",
        ),
        Wrong(
            "any-number-is-enough",
            variant(enough=lambda counts, least: counts >= 0),
            "`quality` is right. You count every center, whatever reaches it. How many good samples does a mode need?",
        ),
        Wrong(
            "radius-forgotten-for-the-modes",
            variant(count=in_the_cells),
            "`quality` is right. For the modes you count every sample for its nearest center, however far away it lies. Which samples count?",
        ),
        Wrong(
            "radius-forgotten",
            variant(near=lambda d, radius: d < np.inf, count=in_the_cells),
            "`radius` has no effect: every sample counts for its nearest center, however far away it lies. Which samples are good?",
        ),
        Wrong(
            "counted-twice",
            variant(count=in_every_circle),
            "Right while the circles keep apart. Where they overlap, you count a sample for each circle it lies in. For which center does it count by the task?",
        ),
        Wrong(
            "counted-twice-throughout",
            variant(count=in_every_circle, quality=lambda within, d, found: within.sum() / len(d)),
            "Right while the circles keep apart. Where they overlap, a sample counts once for each circle it lies in, and `quality` can be above 1. For which center does it count by the task?",
        ),
        Wrong(
            "some-circle",
            variant(count=in_the_first_circle),
            "Right while the circles keep apart. Where they overlap, you count a sample for one center within the radius, such as the first in the list, which need not be the nearest. For which does it count by the task?",
        ),
        Wrong(
            "nearest-sample-of-each-center",
            variant(distance=by_center, count=in_every_circle),
            "You look for the nearest *sample* of each center, so no center can get more than one. For each of which do you need the nearest of which?",
        ),
        Wrong(
            "modes-missing",
            variant(modes=lambda found: int((~found).sum())),
            "`quality` is right. `modes` counts those that are *missing*. Which are asked for?",
        ),
        Wrong(
            "share-of-the-modes",
            variant(modes=lambda found: float(found.mean())),
            "`quality` is right. `modes` is the share of the centers that are reached. Is a share asked for, or a number?",
        ),
        Wrong(
            "modes-one-by-one",
            variant(modes=lambda found: found),
            "`quality` is right. `modes` says of each center whether it is reached. How many are they?",
        ),
        Wrong(
            "counts-of-the-centers",
            variant(enough=lambda counts, least: counts, modes=lambda counts: counts, quality=lambda within, d, counts: within.any(axis=1).mean()),
            "`quality` is right. `modes` holds the number of good samples of each center. How many of these numbers are large enough?",
        ),
        Wrong(
            "which-modes",
            variant(modes=np.flatnonzero),
            "`quality` is right. `modes` says *which* centers are reached. How many are they?",
        ),
        Wrong(
            "number-of-good-samples",
            variant(quality=lambda within, d, found: int(within.any(axis=1).sum())),
            "`modes` is right. `quality` is the *number* of good samples. By what is it divided to be a share?",
        ),
        Wrong(
            "percent",
            variant(quality=lambda within, d, found: 100 * within.any(axis=1).mean()),
            "`modes` is right. `quality` is in percent. What is all of them, as a share?",
        ),
        Wrong(
            "share-of-the-strays",
            variant(quality=lambda within, d, found: 1 - within.any(axis=1).mean()),
            "`modes` is right. `quality` is the share of the samples that are *not* near any center. Which does the task ask for?",
        ),
        Wrong(
            "strays-of-small-modes",
            variant(quality=in_found_modes),
            "`modes` is right. For `quality` you leave out good samples whose mode has too few of them. What makes a sample good, by the task?",
        ),
        Wrong(
            "share-of-the-pairs",
            variant(quality=lambda within, d, found: within.mean()),
            "`modes` is right. `quality` is the share of all *pairs* of a sample and a center, so it falls with the number of centers. By what should the good samples be divided?",
        ),
        Wrong(
            "good-samples-per-center",
            variant(quality=lambda within, d, found: within.any(axis=1).sum() / d.shape[1]),
            "`modes` is right. For `quality` you divide the number of good samples by that of the *centers*. Of what is it to be the share?",
        ),
        Wrong(
            "share-of-the-modes-as-quality",
            variant(quality=lambda within, d, found: float(found.mean())),
            "`modes` is right. `quality` is the share of the centers that are reached. Of what is it to be the share?",
        ),
        Wrong(
            "share-of-centers-with-a-sample",
            variant(quality=lambda within, d, found: within.any(axis=0).mean()),
            "`modes` is right. `quality` is the share of the *centers* that have some sample within the radius. Over which axis of the table of distances should you look for the smallest?",
        ),
        Wrong(
            "share-near-the-first-center",
            variant(quality=lambda within, d, found: within[:, 0].mean()),
            "`modes` is right. `quality` is the share of the samples near the *first* center. Near which may a good sample lie?",
        ),
        Wrong(
            "mean-distance",
            variant(quality=lambda within, d, found: d.min(axis=1).mean()),
            "`modes` is right. `quality` is the mean distance to the nearest center. What share is asked for?",
        ),
        Wrong(
            "exchanged",
            variant(handed=lambda modes, quality: (quality, modes)),
            "The two numbers are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "modes-alone",
            variant(handed=lambda modes, quality: modes),
            "You hand back one number, that of the modes. Which second one does the task ask for?",
        ),
        Wrong(
            "quality-alone",
            variant(handed=lambda modes, quality: quality),
            "You hand back one number, the quality. Which other one does the task ask for?",
        ),
    ),
    hints=(
        "Begin with a table of distances, a row for each sample and a column for each center. What do its rows tell?",
        "`np.linalg.norm(samples[:, None] - centers, axis=2)` is (N, K). A sample is good if the smallest number in its row is at most `radius`, and counts for the column where that stands.",
        "`np.bincount(distances.argmin(axis=1)[good], minlength=len(centers))` counts the good samples of each center. How many of these counts are at least `least`, and what is the mean of `good`?",
    ),
    unlocks="Two numbers that a loss curve never tells.",
)  # fmt: skip
