"""Classes as rows of zeros and a one, and how often a network hits the right class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


# --- multilayer_perceptron.one_hot --------------------------------------------------------------------------------


def one_hot(targets: Labels, num_classes: int) -> Array:
    out = np.zeros((len(targets), num_classes))
    out[np.arange(len(targets)), targets] = 1
    return out


def one_hot_from_identity(targets: Labels, num_classes: int) -> Array:
    return np.asarray(np.eye(num_classes)[targets])


def one_hot_by_comparing(targets: Labels, num_classes: int) -> Array:
    return np.asarray(targets[:, None] == np.arange(num_classes), dtype=float)


def one_hot_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, C: int, label: str = "") -> Case:
        return Case((rng.permutation(np.arange(N) % C), C), label)

    return [
        Case((np.array([2, 0, 3]), 4)),
        Case((np.append(2, rng.permutation(np.arange(6) % 3)), 3)),
        Case((np.array([4, 1, 2, 0, 3, 1]), 5)),
        Case((np.array([0, 1, 0, 2]), 5), "a last class that no example has"),
        Case((np.array([3, 1, 3]), 4), "a class in between that no example has"),
        case(4, 4, "as many examples as classes"),
        Case((np.array([1]), 3), "one example"),
        Case((np.array([0, 0]), 1), "a single class"),
        Case((np.array([1, 1, 1]), 2), "examples that are all of one class"),
        Case((np.array([1, 3, 0], dtype=np.uint8), 4), "targets stored as uint8"),
    ]


def from_the_data(targets: Labels, num_classes: int) -> Array:
    return one_hot(targets, int(targets.max()) + 1)


def classes_that_occur(targets: Labels, num_classes: int) -> Array:
    return np.asarray(targets[:, None] == np.unique(targets), dtype=float)


def numbered_anew(targets: Labels, num_classes: int) -> Array:
    return one_hot(np.unique(targets, return_inverse=True)[1], num_classes)


def whole_columns(targets: Labels, num_classes: int) -> Array:
    out = np.zeros((len(targets), num_classes))
    out[:, targets] = 1
    return out


def class_for_one(targets: Labels, num_classes: int) -> Array:
    return one_hot(targets, num_classes) * targets[:, None]


ONE_HOT = Exercise(
    id="multilayer_perceptron.one_hot",
    kind="function",
    title="Classes as rows of zeros and a one",
    points=1,
    minutes=5,
    difficulty=1,
    function="one_hot",
    reference=one_hot,
    alternatives=(one_hot_from_identity, one_hot_by_comparing),
    inputs=one_hot_inputs,
    wrong=(
        Wrong(
            "classes-counted-from-the-data",
            from_the_data,
            "Right as long as the last class occurs. Where no example has it, its column is missing, and the rows no longer fit the network's "
            "scores. Which argument says how many columns there are?",
        ),
        Wrong(
            "only-classes-that-occur",
            classes_that_occur,
            "Only the classes that occur among these examples get a column, so a column stands for another class from batch to batch. "
            "Which class should column c always stand for?",
        ),
        Wrong(
            "numbered-anew",
            numbered_anew,
            "You number the classes anew among those that occur here: the smallest gets column 0, the next one column 1. "
            "Which column should class 3 have when class 1 does not occur?",
        ),
        Wrong(
            "transposed",
            lambda targets, num_classes: one_hot(targets, num_classes).T,
            "Your columns are the examples and your rows the classes. Which of the two comes first in (N, C)?",
        ),
        Wrong(
            "counted-from-one",
            lambda targets, num_classes: one_hot((targets.astype(int) - 1) % num_classes, num_classes),
            "Every one stands a column too far to the left (class 0 wraps round to the last one). Do the classes count from 0 or from 1?",
        ),
        Wrong(
            "whole-columns",
            whole_columns,
            "All rows come out alike: each holds a one for every class that occurs anywhere. `out[:, targets]` means all rows: "
            "which row belongs to which target?",
        ),
        Wrong(
            "class-for-one",
            class_for_one,
            "The place is right, but what stands there is the number of the class: class 3 gets a 3, class 0 a zero. "
            "How large should the entry of the true class be, whichever it is?",
        ),
        Wrong(
            "ones-up-to-the-class",
            lambda targets, num_classes: (np.arange(num_classes) <= targets[:, None]).astype(float),
            "Your rows have ones up to the true class and not only at it, as if the classes were steps of a scale. "
            "How many ones should a row hold?",
        ),
        Wrong(
            "zeros-and-ones-exchanged",
            lambda targets, num_classes: 1 - one_hot(targets, num_classes),
            "Zeros and ones are exchanged: the true class has the only zero. Is your comparison `!=` where it should ask for equality?",
        ),
        Wrong(
            "counted",
            lambda targets, num_classes: one_hot(targets, num_classes).sum(axis=0),
            "You hand back how often each class occurs, one number a class. Which step adds up the examples?",
        ),
        Wrong(
            "not-floats",
            lambda targets, num_classes: one_hot(targets, num_classes).astype(int),
            "The places are right, but your ones are whole numbers (int). They are to be subtracted from probabilities, and the task asks "
            "for floats. Which dtype does your array start with?",
        ),
        Wrong(
            "true-and-false",
            lambda targets, num_classes: targets[:, None] == np.arange(num_classes),
            "The places are right, but they hold True and False, and NumPy will not subtract booleans from each other. "
            "Which method turns them into floats?",
        ),
        Wrong(
            "one-axis-too-many",
            lambda targets, num_classes: one_hot(targets, num_classes)[:, None, :],
            "Your result has an axis of length 1 in the middle: the shape is (N, 1, C). Where did a column of targets, (N, 1), come in, "
            "and what shape do the targets have in the task?",
        ),
    ),
    hints=(
        "Start from an array of zeros with N rows and num_classes columns; one entry of each row becomes 1.",
        "Row n gets its one in column targets[n]. A pair of index arrays, one for the rows and one for the columns, does it for all rows at once.",
        "`out[np.arange(N), targets] = 1`. Or take rows out of the identity matrix: row 3 of `np.eye(C)` is the one-hot row of class 3.",
    ),
    unlocks="Softmax minus one-hot is where the way back through every classifier begins.",
)


# --- multilayer_perceptron.accuracy -------------------------------------------------------------------------------


def accuracy(logits: Array, targets: Labels) -> Any:
    return np.mean(logits.argmax(axis=1) == targets)


def accuracy_by_counting(logits: Array, targets: Labels) -> float:
    right = 0
    for scores, target in zip(logits.tolist(), targets.tolist(), strict=True):
        right += scores.index(max(scores)) == target
    return right / len(targets)


def accuracy_by_the_true_score(logits: Array, targets: Labels) -> float:
    true = np.take_along_axis(logits, targets.astype(int)[:, None], axis=1)[:, 0]
    return float((true >= logits.max(axis=1)).sum() / logits.shape[0])


def accuracy_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, C: int, right: int, label: str = "", scale: float = 2.0, shift: float = 0.0) -> Case:
        """N examples, of which ``right`` are right, the others one class off."""
        logits = scale * rng.normal(size=(N, C)) + shift
        targets = logits.argmax(axis=1)
        targets[right:] = (targets[right:] + rng.integers(1, C, N - right)) % C
        order = rng.permutation(N)
        return Case((logits[order], targets[order]), label)

    first = np.array([[2.0, 0.1, -1.0], [0.3, 1.2, 0.4], [-0.5, 0.2, 0.1], [0.6, -2.0, 0.5]])
    close = np.array([[0.3, 0.2, 0.1, 0.25], [0.1, 0.2, 0.3, 0.25], [-0.1, -0.3, -0.2, -0.5]])
    uneven = np.array([[3.0, 1, 0], [2, 1, 0], [2, 0, 1], [1, 0, 2], [2.0, 1.5, 0.1]])
    return [
        Case((first, np.array([0, 1, 2, 0]))),
        case(7, 4, 5),
        case(6, 5, 2),
        Case((uneven, np.array([0, 0, 0, 0, 1])), "classes of different sizes"),
        Case((close, np.array([0, 2, 1])), "scores that are close together"),
        case(3, 4, 2, "scores that are all below zero", 1.0, -9.0),
        case(6, 3, 4, "large scores", 1e4),
        Case((np.array([[800.0, 900, 1], [-900, -950, -800], [2, 0, 1]]), np.array([1, 2, 0])), "large scores"),
        case(4, 4, 1, "as many examples as classes"),
        case(5, 2, 3, "two classes"),
        case(1, 3, 1, "one example"),
        case(1, 4, 0, "one example"),
        case(4, 3, 0, "no example right"),
        case(5, 3, 5, "all examples right"),
    ]


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def by_unstable_softmax(logits: Array, targets: Labels) -> Any:
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        return np.mean((e / e.sum(axis=1, keepdims=True)).argmax(axis=1) == targets)


def by_class(logits: Array, targets: Labels) -> Any:
    right = logits.argmax(axis=1) == targets
    return np.mean([right[targets == c].mean() for c in np.unique(targets)])


def entry_by_entry(logits: Array, targets: Labels) -> Any:
    C = logits.shape[1]
    return np.mean(np.eye(C)[logits.argmax(axis=1)] == np.eye(C)[targets])


def top_two(logits: Array, targets: Labels) -> Any:
    return np.mean((np.argsort(-logits, axis=1)[:, :2] == targets[:, None]).any(axis=1))


def sure_ones(logits: Array, targets: Labels) -> Any:
    p = softmax(logits)[np.arange(len(targets)), targets]
    return np.mean(p > 0.5)


def counts_compared(logits: Array, targets: Labels) -> Any:
    return np.mean(np.sort(logits.argmax(axis=1)) == np.sort(targets))


ACCURACY = Exercise(
    id="multilayer_perceptron.accuracy",
    kind="function",
    title="How often is it right?",
    points=1,
    minutes=5,
    difficulty=1,
    function="accuracy",
    reference=accuracy,
    alternatives=(accuracy_by_counting, accuracy_by_the_true_score),
    inputs=accuracy_inputs,
    wrong=(
        Wrong(
            "in-percent",
            lambda logits, targets: 100 * accuracy(logits, targets),
            "You hand back percent, from 0 to 100. In which range does the task want the share?",
        ),
        Wrong(
            "error-rate",
            lambda logits, targets: 1 - accuracy(logits, targets),
            "You hand back the share of the examples that are *wrong*. Which comparison counts those that are right?",
        ),
        Wrong(
            "not-divided",
            lambda logits, targets: float((logits.argmax(axis=1) == targets).sum()),
            "You hand back the number of right examples, which grows with the batch. What turns a number into a share?",
        ),
        Wrong(
            "counted",
            lambda logits, targets: (logits.argmax(axis=1) == targets).sum(),
            "You hand back how many examples are right, a whole number. What turns it into a share?",
        ),
        Wrong(
            "all-or-nothing",
            lambda logits, targets: float((logits.argmax(axis=1) == targets).all()),
            "You hand back 1 where every example is right and 0 everywhere else: that asks whether *all* are right. Which function tells how many of them?",
        ),
        Wrong(
            "unstable-softmax",
            by_unstable_softmax,
            "Right, except for large scores: their exponentials overflow to infinity or shrink to 0, and the highest can no longer be told. "
            "Does the order of the scores change when you take exponentials?",
        ),
        Wrong(
            "not-averaged",
            lambda logits, targets: logits.argmax(axis=1) == targets,
            "You hand back one True or False for each example. Which function makes one number of them?",
        ),
        Wrong(
            "one-class-for-all",
            lambda logits, targets: np.mean(logits.argmax() == targets),
            "`argmax` without an axis looks through all scores at once and gives a single place, which you compare with every target. "
            "Along which axis do the scores of one example lie?",
        ),
        Wrong(
            "divided-by-classes",
            lambda logits, targets: (logits.argmax(axis=1) == targets).sum() / logits.shape[1],
            "You divide by the number of classes, `logits.shape[1]`. The share of what is asked for?",
        ),
        Wrong(
            "entry-by-entry",
            entry_by_entry,
            "You compare one-hot rows entry by entry, so the many zeros that agree count as right, and even a network that is always wrong "
            "scores well. What should be counted: entries or examples?",
        ),
        Wrong(
            "averaged-over-classes",
            by_class,
            "You average the accuracies of the classes, so a rare class counts as much as a frequent one. "
            "That is the *balanced* accuracy. How much should each example count here?",
        ),
        Wrong(
            "second-place-counts",
            top_two,
            "You count an example as right when its class is among the two highest scores. Which place counts here?",
        ),
        Wrong(
            "only-sure-ones",
            sure_ones,
            "You count an example only if its true class gets a probability above one half. With several classes the highest score "
            "can be right with less. What decides which class the network chooses?",
        ),
        Wrong(
            "sorted-first",
            counts_compared,
            "You sort both sides before you compare them, so that only the counts of the classes matter. "
            "Which prediction belongs to which target?",
        ),
        Wrong(
            "lowest-score",
            lambda logits, targets: np.mean(logits.argmin(axis=1) == targets),
            "You take the class with the *lowest* score. Which one does the network believe in most?",
        ),
        Wrong(
            "largest-size",
            lambda logits, targets: np.mean(np.abs(logits).argmax(axis=1) == targets),
            "You take the score that is farthest from 0, so a class that is strongly *rejected* wins. What does a large negative score say?",
        ),
        Wrong(
            "rounded",
            lambda logits, targets: round(float(accuracy(logits, targets)), 2),
            "Right, but rounded to two decimals. Who needs the other digits, and where would rounding belong?",
        ),
    ),
    hints=(
        "Two steps: the class that the network chooses for each example, then how many of those agree with the targets.",
        "The chosen class is the place of the highest score in the example's row. The mean of True and False is the share of True.",
        "`logits.argmax(axis=1)` gives the N classes; compare with `targets` and take `.mean()`.",
    ),
    unlocks="This is the number that everybody asks for first; the confusion matrix shows what it hides.",
)
