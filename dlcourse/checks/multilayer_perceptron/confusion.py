"""Which class is taken for which: a table of counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Labels = NDArray[np.int64]


def confusion_matrix(targets: Labels, predictions: Labels, num_classes: int) -> Labels:
    counts = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(counts, (targets, predictions), 1)
    return counts


def confusion_by_loop(targets: Labels, predictions: Labels, num_classes: int) -> list[list[int]]:
    counts = [[0] * num_classes for _ in range(num_classes)]
    for target, prediction in zip(targets.tolist(), predictions.tolist(), strict=True):
        counts[target][prediction] += 1
    return counts


def confusion_by_product(targets: Labels, predictions: Labels, num_classes: int) -> Labels:
    rows, columns = (np.equal.outer(np.arange(num_classes), side) for side in (targets, predictions))  # (C, N)
    return np.asarray(rows.astype(np.int64) @ columns.T.astype(np.int64))


def confusion_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, C: int, label: str = "", dtype: Any = np.int64) -> Case:
        """Every class occurs, some pairs twice; a few predictions are off."""
        targets = rng.permutation(np.resize(np.arange(C), N))
        predictions = np.where(rng.random(N) < 0.6, targets, rng.integers(0, C, N))
        predictions[0], predictions[1] = (targets[0] + 1) % C, targets[1]  # one off and one right, whatever the seed
        return Case((targets.astype(dtype), predictions.astype(dtype), C), label)

    many = np.array([1, 0, 2], dtype=np.uint8)
    return [
        Case((np.array([0, 0, 1, 2, 2, 2, 1]), np.array([0, 2, 1, 2, 0, 0, 1]), 3)),
        Case((np.array([0, 1, 1, 2, 3, 3, 0, 0]), np.array([0, 2, 2, 2, 3, 0, 0, 1]), 4)),
        case(20, 3),
        case(30, 5),
        Case((np.array([0, 1, 2, 1]), np.array([1, 1, 0, 1]), 5), "classes that do not occur"),
        Case((np.array([0, 3, 3, 0]), np.array([3, 3, 0, 3]), 4), "classes in between that do not occur"),
        Case((np.array([1]), np.array([2]), 3), "one example"),
        Case((np.array([1, 0, 1, 2]), np.array([1, 0, 1, 2]), 3), "predictions that are all right"),
        case(60, 20, "labels stored as uint8", np.uint8),
        Case(
            (np.repeat(many, [300, 2, 1]), np.repeat(many[[0, 2, 2]], [300, 2, 1]), 3), "a pair that occurs 300 times"
        ),
    ]


def repeats_lost(targets: Labels, predictions: Labels, num_classes: int) -> Labels:
    counts = np.zeros((num_classes, num_classes), dtype=int)
    counts[targets, predictions] += 1
    return counts


def size_from_the_data(targets: Labels, predictions: Labels, num_classes: int) -> Labels:
    return confusion_matrix(targets, predictions, int(max(targets.max(), predictions.max())) + 1)


def only_occurring(targets: Labels, predictions: Labels, num_classes: int) -> Labels:
    kept = np.unique(np.concatenate([targets, predictions]))
    return np.asarray(confusion_matrix(targets, predictions, num_classes)[np.ix_(kept, kept)])


def counts_and(change: Callable[[Labels], Any]) -> Callable[[Labels, Labels, int], Any]:
    return lambda targets, predictions, num_classes: change(confusion_matrix(targets, predictions, num_classes))


def without_first(counts: Labels) -> Labels:
    counts[0], counts[:, 0] = 0, 0
    return counts


def overflowing(targets: Labels, predictions: Labels, num_classes: int) -> Labels:
    cells = targets * targets.dtype.type(num_classes) + predictions
    return np.bincount(cells, minlength=num_classes**2)[: num_classes**2].reshape(num_classes, num_classes)


CONFUSION_MATRIX = Exercise(
    id="multilayer_perceptron.confusion_matrix",
    kind="function",
    title="Which digits are taken for which?",
    points=2,
    minutes=10,
    difficulty=2,
    function="confusion_matrix",
    reference=confusion_matrix,
    alternatives=(confusion_by_loop, confusion_by_product),
    inputs=confusion_inputs,
    wrong=(
        Wrong(
            "rows-and-columns-exchanged",
            counts_and(lambda counts: counts.T),
            "Rows and columns are exchanged: your rows are what was predicted. A 3 that is read as an 8 belongs into which row?",
        ),
        Wrong(
            "repeats-counted-once",
            repeats_lost,
            "No count is above 1: a pair that occurs several times is counted once. `counts[targets, predictions] += 1` on whole arrays does that: "
            "it reads all the old values, then writes all the new ones. What can count the same place several times?",
        ),
        Wrong(
            "size-from-the-data",
            size_from_the_data,
            "Right as long as the last class occurs; where it does not, your table is too small. Which argument says how many rows there are?",
        ),
        Wrong(
            "only-classes-that-occur",
            only_occurring,
            "Classes that do not occur have no row and no column in your table, so that row 3 is not always class 3. "
            "How many rows should it have?",
        ),
        Wrong(
            "shares-of-the-rows",
            counts_and(lambda counts: counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)),
            "You hand back shares: each row is divided by its sum. That is good for a picture, but the task asks for something else. What do the entries count?",
        ),
        Wrong(
            "shares-of-all",
            counts_and(lambda counts: counts / counts.sum()),
            "You hand back shares of all examples. What does the task say that an entry is?",
        ),
        Wrong(
            "mistakes-only",
            counts_and(lambda counts: counts - np.diag(np.diag(counts))),
            "Your diagonal is empty: only mistakes are counted. Where do the examples go that were read correctly?",
        ),
        Wrong(
            "right-ones-only",
            counts_and(lambda counts: np.diag(np.diag(counts))),
            "Only the diagonal is filled: the mistakes are missing, and they are what the table is for. What is counted when target and prediction differ?",
        ),
        Wrong(
            "float-counts",
            counts_and(lambda counts: counts.astype(float)),
            "The counts are right, but they are floats. Which dtype does `np.zeros` give when none is named, and which one suits counts?",
        ),
        Wrong(
            "both-ways",
            counts_and(lambda counts: counts + counts.T - np.diag(np.diag(counts))),
            "Each mistake is counted in two places, so that your table is the same when mirrored. Is a 3 taken for an 8 the same as an 8 taken for a 3?",
        ),
        Wrong(
            "overflows",
            overflowing,
            "Right for ordinary integers. With labels stored as uint8, row · C + column runs past 255, where that type begins again at 0. "
            "Which integer type should the place be computed in?",
        ),
        Wrong(
            "counts-in-uint8",
            counts_and(lambda counts: counts.astype(np.uint8)),
            "Right until a pair occurs more than 255 times: there your counts begin again at 0. Which dtype does your table have, and how far does it count?",
        ),
        Wrong(
            "counted-from-one",
            counts_and(lambda counts: np.roll(counts, (-1, -1), axis=(0, 1))),
            "Each count stands one row too high and one column too far to the left; class 0 wraps round to the last row and column. "
            "Do the classes count from 0 or from 1?",
        ),
        Wrong(
            "class-0-cut-off",
            counts_and(lambda counts: np.pad(counts[1:, 1:], (0, 1))),
            "Class 0 is missing, the others stand one row and one column too early, and the last row and column are empty. Do the classes count from 0 or from 1?",
        ),
        Wrong(
            "first-example-left-out",
            lambda targets, predictions, num_classes: confusion_matrix(targets[1:], predictions[1:], num_classes),
            "The first example is not counted. With which number does your loop begin?",
        ),
        Wrong(
            "first-class-left-out",
            counts_and(without_first),
            "The first row and the first column stay empty. With which class does your loop begin?",
        ),
        Wrong(
            "flat",
            counts_and(np.ravel),
            "The counts are right, but they lie in one long row. Which shape does a table with C rows and C columns have?",
        ),
    ),
    hints=(
        "One example adds 1 to one entry: in the row of its true class, in the column of the class that was predicted.",
        "A loop over the examples is good enough. Without one: `np.add.at` adds 1 at places that may repeat, and `np.bincount` counts numbers.",
        "`counts = np.zeros((C, C), dtype=int)`, then for each pair of target and prediction `counts[target, prediction] += 1`.",
    ),
    unlocks="Its diagonal, divided by the sum of all, is the accuracy; the rest is what to look at next.",
)
