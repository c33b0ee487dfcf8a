"""Exercise on learning from many mistakes: a broken program to mend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.neuron.perceptron import fires, perceptron_update
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def train_perceptron(X: Array, y: Array, epochs: int, lr: float) -> tuple[Array, float, list[int]]:
    w, b, mistakes = trained(X, y, epochs, lr)
    return w, b, mistakes


def trained(
    X: Array,
    y: Array,
    epochs: int,
    lr: float,
    count: str = "epoch",
    bias_step: float = 1.0,
    weight_step: float = 1.0,
    stop: str = "epoch",
    bias_in_score: bool = True,
    at_zero: float = 0.0,
) -> Any:
    """The program, with each of its possible faults; ``count`` says what it counts, ``at_zero`` is its output there."""
    w, b, wrong = np.zeros(X.shape[1]), 0.0, 0
    mistakes: list[int] = []
    for _ in range(epochs):
        wrong = 0 if count == "epoch" else wrong
        before = wrong
        for x, target in zip(X, y, strict=True):
            wrong = 0 if count == "last example" else wrong
            z = w @ x + (b if bias_in_score else 0)
            error = target - (fires(z) if z else at_zero)
            if error:
                w = w + weight_step * lr * error * x
                b = b + bias_step * lr * error
                wrong += 1
            if stop == "in the pass" and wrong == 0:
                break
        mistakes.append(wrong)
        wrong = 0 if count == "reset before the test" else wrong
        if stop == "epoch" and wrong == (before if count == "running total" else 0):
            break
        if stop == "all right" and not np.any((X @ w + b > 0) != y):
            break
    return w, float(b), mistakes


def without_last_zero(result: Any) -> Any:
    w, b, mistakes = result
    return w, b, [count for count in mistakes if count]


def train_in_one_vector(X: Array, y: Array, epochs: int, lr: float) -> Any:
    both, long_X = np.zeros(X.shape[1] + 1), np.column_stack([X, np.ones(len(X))])
    mistakes: list[int] = []
    while len(mistakes) < epochs and (not mistakes or mistakes[-1] > 0):
        count = 0
        for n in range(len(y)):
            error = y[n] - (long_X[n] @ both > 0)
            both = both + lr * error * long_X[n]
            count += int(error != 0)
        mistakes.append(count)
    return both[:-1], both[-1], np.array(mistakes)


def train_by_updates(X: Array, y: Array, epochs: int, lr: float) -> Any:
    w, b = np.zeros(X.shape[1]), 0.0
    mistakes: list[int] = []
    for _ in range(epochs):
        before = [(w, b)]
        for x, target in zip(X, y, strict=True):
            new_w, new_b = perceptron_update(w, b, x, int(target), lr)
            if new_b != b:
                before.append((w, b))
            w, b = new_w, new_b
        mistakes.append(len(before) - 1)
        if mistakes[-1] == 0:
            return w, b, mistakes
    return w, b, mistakes


def train_in_batches(X: Array, y: Array, epochs: int, lr: float) -> Any:
    w, b = np.zeros(X.shape[1]), 0.0
    mistakes: list[int] = []
    for _ in range(epochs):
        error = y - np.where(X @ w + b > 0, 1.0, 0.0)
        w, b = w + lr * error @ X, b + lr * float(error.sum())
        mistakes.append(int(np.abs(error).sum()))
        if mistakes[-1] == 0:
            break
    return w, b, mistakes


def train_inputs(rng: np.random.Generator) -> list[Case]:
    def separable(count: int, features: int, epochs: int, lr: float) -> Case:
        """Shifted points with a gap, on which the rule needs a few epochs and the bias counts."""
        while True:
            direction, shift = rng.normal(size=features), float(rng.uniform(0.6, 1.2) * rng.choice([-1, 1]))
            X = rng.normal(size=(count, features)) + 0.4
            score = X @ direction / np.linalg.norm(direction) + shift
            y = (score > 0).astype(float)
            case = Case((X, y, epochs, lr))
            mistakes = trained(*case.args)[2]
            if np.abs(score).min() > 0.1 and 2 < y.sum() < count - 2 and 3 <= len(mistakes) < epochs:
                return case

    never_at_rest = np.array([[0.0, 1.0], [0.0, 2.0], [2.0, 2.0], [-2.0, -1.0], [-3.0, 1.0], [0.0, 3.0]])
    kinds = np.array([0.0, 1, 1, 1, 0, 1])  # 3, 5, 4, 2, 5 mistakes
    slow = np.array([[-1.0, 0.0], [3.0, 1.0], [2.0, -3.0], [3.0, -3.0], [-1.0, 1.0], [-2.0, 0.0]])
    slow_kinds = np.array([1.0, 0, 0, 0, 0, 1])  # 3, 1, 2, 2, 2, 1, 0 mistakes
    slowest = np.array([[-2.0, 1.0], [3.0, 3.0], [1.0, -3.0], [1.0, 0.0], [0.0, -1.0]])
    three = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]])
    return [
        Case((np.array([[1.0, 2.0], [3.0, 0.5], [-0.5, 1.5], [2.0, 2.5], [0.2, -1.0]]), np.array([0.0, 1, 0, 1, 0]), 12, 0.5)),
        separable(8, 2, 60, 0.1),
        separable(9, 3, 60, 0.25),
        Case((slow, slow_kinds, 20, 0.5)),
        Case((slowest, np.array([0.0, 0, 1, 1, 0]), 40, 0.5)),
        Case((never_at_rest, kinds, 5, 0.5), "epochs that run out"),
        Case((slow, slow_kinds, 6, 0.5), "epochs that run out"),
        Case((slow, slow_kinds, 1, 1.5), "one epoch"),
        Case((slow, slow_kinds, 7, 0.5), "a first epoch without mistakes that is the last one allowed"),
        Case((three, np.zeros(3), 4, 0.5), "no mistake from the start"),
        Case((np.array([[2.0], [-1.0]]), np.array([1.0, 0]), 10, 1.0), "a single input"),
        Case((three, np.ones(3), 10, 0.25), "targets that are all 1"),
        Case((np.array([[0.7, -1.1, 0.4]]), np.array([1.0]), 5, 0.2), "one example"),
        Case((np.array([[0.7, -1.1, 0.4]]), np.array([0.0]), 5, 0.2), "one example"),
        Case((np.array([[1.0, 2.0], [2.0, -0.5]]), np.array([1.0, 0]), 10, 0.5), "as many examples as inputs"),
    ]  # fmt: skip


TRAIN = Exercise(
    id="neuron.train_perceptron",
    kind="program",
    title="Mend a perceptron that never comes to rest",
    points=3,
    minutes=15,
    difficulty=2,
    function="train_perceptron",
    reference=train_perceptron,
    alternatives=(train_in_one_vector, train_by_updates),
    inputs=train_inputs,
    returns=("w", "b", "mistakes"),
    wrong=(
        Wrong(
            "as-given",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, count="never reset", bias_step=-1.0),
            "This is still the program as it was handed out: it has two faults. Print `mistakes` and compare with the "
            "lesson's run: should these numbers be able to fall?",
        ),
        Wrong(
            "bias-still-wrong",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, bias_step=-1.0),
            "The count of mistakes is mended. One fault is left, in the nudge: on a missed 1 the weights raise the score, "
            "and what does the bias do at the same moment?",
        ),
        Wrong(
            "count-still-wrong",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, count="never reset"),
            "The nudge is mended. One fault is left, in the counting: `mistakes` never falls, so the program never sees an epoch "
            "without any. When does a new count begin?",
        ),
        Wrong(
            "count-of-the-last-example",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, count="last example"),
            "The nudge is mended, but the count starts again at every example, so it covers only the last one of an epoch and "
            "training stops too early. Which loop is the new count for?",
        ),
        Wrong(
            "count-reset-before-the-test",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, count="reset before the test"),
            "The nudge is mended, but the count is set back to 0 before it is tested, so training always stops after the "
            "first epoch. What does `wrong == 0` see at that place?",
        ),
        Wrong(
            "running-total",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, count="running total"),
            "It learns and stops rightly, but `mistakes` holds running totals: each entry counts all the epochs before it "
            "as well. What should the entry of an epoch without mistakes be?",
        ),
        Wrong(
            "zero-score-fires",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, at_zero=1.0),
            "A score of exactly 0 is taken for a 1, and with weights and bias 0 that is the score of the very first example. "
            "What does the task say about a score of exactly 0?",
        ),
        Wrong(
            "both-nudges-wrong",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, bias_step=-1.0, weight_step=-1.0),
            "Now weights and bias agree, but both go the wrong way: each nudge makes the mistake larger. "
            "Which of the two was right to begin with?",
        ),
        Wrong(
            "both-nudges-wrong-and-count",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, count="never reset", bias_step=-1.0, weight_step=-1.0),
            "Now weights and bias agree, but both go the wrong way, and the count of mistakes is still not that of one epoch. "
            "Which sign lets the score of a missed 1 go up?",
        ),
        Wrong(
            "bias-nudge-removed",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, bias_step=0.0),
            "The bias is no longer nudged at all, so it stays 0 and the line always runs through the origin. "
            "Which way should the bias move on a missed 1?",
        ),
        Wrong(
            "bias-out-of-score",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, bias_in_score=False),
            "The bias is nudged rightly but no longer takes part in the decision. What is the score of an example?",
        ),
        Wrong(
            "no-stop",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, stop="never"),
            "The learning is right, but the program goes on after an epoch without mistakes, so `mistakes` ends in a row of "
            "zeros. After which epoch should it stop?",
        ),
        Wrong(
            "last-zero-missing",
            lambda X, y, epochs, lr: without_last_zero(trained(X, y, epochs, lr)),
            "The learning is right, but the epoch without mistakes is not in the list. "
            "Which comes first, noting the count of an epoch or testing whether it is 0?",
        ),
        Wrong(
            "stopped-an-epoch-early",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, stop="all right"),
            "The learning is right, but you test all examples at the end of an epoch and stop as soon as they are right, so "
            "the epoch without mistakes is not run. Which number in `mistakes` should be the last one?",
        ),
        Wrong(
            "stop-inside-the-pass",
            lambda X, y, epochs, lr: trained(X, y, epochs, lr, stop="in the pass"),
            "The test for no mistakes stands inside the pass over the examples, so an epoch ends at its first example if that "
            "one is right, and the others are not seen. When can you know that a whole epoch had no mistakes?",
        ),
        Wrong(
            "whole-epoch-at-once",
            train_in_batches,
            "All mistakes of an epoch are judged with the same weights and nudged together at its end. "
            "When does the perceptron rule nudge: after each example or after all of them?",
        ),
    ),
    hints=(
        "Follow two or three examples by hand, and write down w, b and the count after each.",
        "One fault is in the nudge: compare what it does to the weights and to the bias when a 1 was missed. "
        "The other is in what `wrong` counts.",
        "Weights and bias must go the same way, by target minus output; and `wrong` must start from 0 in every epoch.",
    ),
    unlocks="You can train a neuron on any data that a line separates.",
)
