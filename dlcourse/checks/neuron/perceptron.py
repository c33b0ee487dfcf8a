"""Exercise on learning from a mistake: one nudge of the perceptron rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.neuron.forward import expit
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def fires(z: Any) -> float:
    return 1.0 if z > 0 else 0.0


# --- neuron.perceptron_update -------------------------------------------------------------------------------------


def perceptron_update(w: Array, b: float, x: Array, target: int, lr: float) -> tuple[Array, float]:
    error = target - fires(w @ x + b)
    return w + lr * error * x, b + lr * error


def update_by_cases(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    score = sum(a * c for a, c in zip(w, x, strict=True)) + b
    if score > 0 and target == 0:
        return w - lr * x, b - lr
    if score <= 0 and target == 1:
        return w + lr * x, b + lr
    return w.copy(), b


def update_by_augmenting(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    both, long_x = np.append(w, b), np.append(x, 1.0)
    both += lr * (target - (np.dot(both, long_x) > 0)) * long_x
    return [both[:-1], both[-1]]


def update_inputs(rng: np.random.Generator) -> list[Case]:
    def case(count: int, target: int, mistake: bool, lr: float, label: str = "", by_bias: bool = False) -> Case:
        """A random example that is clearly a mistake or not; ``by_bias``: without the bias the prediction would turn."""
        while True:
            w, x, b = rng.normal(size=count), rng.normal(size=count), float(rng.normal() * (2 if by_bias else 0.5))
            z, without = w @ x + b, w @ x
            clear = abs(z) > 1.2 and np.abs(np.array([without, b])).min() > 0.15 and np.abs(x).min() > 0.1
            if clear and (fires(z) != target) == mistake and ((z > 0) != (without > 0)) == by_bias:
                return Case((w, b, x, target, lr), label)

    right = "an example that it gets right already"
    zero, low, high = "a score of exactly 0", "a negative score near 0", "a positive score near 0"
    slanted, inputs = np.array([1.0, -0.5]), np.array([0.5, 1.0])  # the weighted sum is 0
    steep, long_inputs = np.array([1.0, 1.5, -0.75]), np.array([1.0, 0.5, 1.0])  # it is 1
    return [
        Case((np.array([0.5, -1.0, 0.25]), 0.2, np.array([1.0, 2.0, -0.4]), 1, 0.1)),
        case(2, 0, True, 0.5),
        case(4, 1, True, 0.3),
        case(3, 0, True, 0.05),
        case(3, 1, True, 0.2, by_bias=True),
        case(2, 0, True, 0.7, by_bias=True),
        Case((np.array([2.0, -1.5]), -0.5, np.array([2.0, -1.0]), 0, 0.4)),
        Case((np.array([-2.0, 1.5]), 0.5, np.array([2.0, -1.0]), 1, 0.4)),
        Case((steep, 0.5, long_inputs, 0, 1.5)),
        Case((-steep, -0.5, long_inputs, 1, 2.0)),
        case(3, 1, False, 0.4, right),
        case(4, 0, False, 0.1, right),
        case(2, 1, False, 0.25, right, by_bias=True),
        Case((steep, 0.5, long_inputs, 1, 1.5), right),
        case(1, 0, True, 0.6, "a single input"),
        case(1, 1, True, 0.35, "a single input"),
        Case((np.array([1.0, -1.0]), 0.0, np.array([1.0, 1.0]), 1, 0.5), zero),
        Case((np.array([1.0, -1.0]), 0.0, np.array([1.0, 1.0]), 0, 0.5), zero),
        Case((np.array([1.0, 2.0, -0.5]), -1.0, np.array([1.0, 0.5, 2.0]), 1, 0.25), zero),
        Case((np.array([1.0, 2.0, -0.5]), -1.0, np.array([1.0, 0.5, 2.0]), 0, 0.25), zero),
        Case((np.zeros(3), 0.0, np.array([1.0, -2.0, 0.5]), 1, 0.3), zero),
        Case((slanted, -0.25, inputs, 1, 0.5), low),
        Case((slanted, -0.25, inputs, 0, 0.5), low),
        Case((slanted, 0.25, inputs, 0, 0.5), high),
        Case((slanted, 0.25, inputs, 1, 0.5), high),
        Case((slanted, 0.4375, inputs, 0, 0.3), high),
        Case((slanted, 0.5625, inputs, 0, 0.3), high),
        Case((slanted, -0.001, inputs, 1, 0.1), low),
        Case((slanted, 0.001, inputs, 0, 0.1), high),
    ]


def update_in_place(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    error = target - fires(w @ x + b)
    w += lr * error * x
    return w, b + lr * error


def update_deciding_twice(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    w = w + lr * (target - fires(w @ x + b)) * x
    return w, b + lr * (target - fires(w @ x + b))


def update_deciding_twice_bias_first(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    b = b + lr * (target - fires(w @ x + b))
    return w + lr * (target - fires(w @ x + b)) * x, b


def update_deciding_at_every_weight(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    w = w.copy()
    for d in range(len(w)):
        w[d] += lr * (target - fires(w @ x + b)) * x[d]
    return w, b + lr * (target - fires(w @ x + b))


def update_deciding_at_weights_only(w: Array, b: float, x: Array, target: int, lr: float) -> Any:
    return update_deciding_at_every_weight(w, b, x, target, lr)[0], b + lr * (target - fires(w @ x + b))


def deciding(fires_at: Any) -> Any:
    """The right nudge after another decision."""
    return lambda w, b, x, target, lr: nudged(w, b, x, target - float(fires_at(w @ x + b)), lr)


def nudged(w: Array, b: float, x: Array, error: float, lr: float) -> Any:
    return w + lr * error * x, b + lr * error


UPDATE = Exercise(
    id="neuron.perceptron_update",
    kind="function",
    title="One nudge of the perceptron rule",
    points=2,
    minutes=10,
    difficulty=2,
    function="perceptron_update",
    reference=perceptron_update,
    alternatives=(update_by_cases, update_by_augmenting),
    inputs=update_inputs,
    returns=("w", "b"),
    wrong=(
        Wrong(
            "wrong-way",
            lambda w, b, x, target, lr: nudged(w, b, x, fires(w @ x + b) - target, lr),
            "Each nudge goes the wrong way: after it the score of the very same example is worse. "
            "If the neuron should have fired and did not, must its score go up or down?",
        ),
        Wrong(
            "nudged-when-right",
            lambda w, b, x, target, lr: nudged(w, b, x, 2 * target - 1, lr),
            "Mistakes are nudged rightly, but you also nudge examples that the neuron gets right already. "
            "What should the rule do where output and target agree?",
        ),
        Wrong(
            "only-missed-ones",
            lambda w, b, x, target, lr: nudged(w, b, x, float(target == 1 and fires(w @ x + b) == 0), lr),
            "A missed 1 is nudged up, but a false alarm (target 0, output 1) changes nothing. "
            "Which sign does the nudge have then?",
        ),
        Wrong(
            "target-for-error",
            lambda w, b, x, target, lr: nudged(w, b, x, target, lr),
            "You nudge by the target alone, without looking at what the neuron said: every example with target 1 is "
            "pushed, no example with target 0 ever is. Which difference should decide?",
        ),
        Wrong(
            "learning-rate-forgotten",
            lambda w, b, x, target, lr: nudged(w, b, x, target - fires(w @ x + b), 1.0),
            "Every nudge has full length, as if the learning rate were 1. Which argument makes it shorter?",
        ),
        Wrong(
            "bias-without-learning-rate",
            lambda w, b, x, target, lr: (
                w + lr * (target - fires(w @ x + b)) * x,
                b + target - fires(w @ x + b),
            ),
            "The weights are right, but the bias moves by a whole 1 at each mistake. What scales the nudge of the weights, "
            "and should the bias be an exception?",
        ),
        Wrong(
            "bias-not-updated",
            lambda w, b, x, target, lr: (w + lr * (target - fires(w @ x + b)) * x, b),
            "The weights are right, but the bias never changes. If the bias is a weight, what is its input?",
        ),
        Wrong(
            "bias-wrong-way",
            lambda w, b, x, target, lr: (
                w + lr * (target - fires(w @ x + b)) * x,
                b - lr * (target - fires(w @ x + b)),
            ),
            "The weights are right, but the bias moves the opposite way and takes back part of their nudge. "
            "When a 1 was missed, should the bias rise or fall?",
        ),
        Wrong(
            "decided-twice",
            update_deciding_twice,
            "The weights are right, but the bias is nudged by a second decision, made with the new weights, which often finds "
            "nothing wrong any more. When should the output be computed, and how often?",
        ),
        Wrong(
            "decided-twice-bias-first",
            update_deciding_twice_bias_first,
            "The bias is right, but the weights are nudged by a second decision, made with the new bias, which often finds "
            "nothing wrong any more. When should the output be computed, and how often?",
        ),
        Wrong(
            "decided-at-every-weight",
            update_deciding_at_every_weight,
            "The neuron decides anew after each weight that you change, so the nudge breaks off as soon as the example has "
            "come right. When should the output be computed, and how often?",
        ),
        Wrong(
            "decided-at-the-weights-only",
            update_deciding_at_weights_only,
            "The bias is right, but the weights are nudged by decisions made anew after each of them, so their nudge breaks "
            "off as soon as the example has come right. When should the output be computed, and how often?",
        ),
        Wrong(
            "zero-score-fires",
            deciding(lambda z: z >= 0),
            "Right but for a score of exactly 0, which your neuron takes for a 1. "
            "In the task, does the neuron say 1 above 0, or at 0 as well?",
        ),
        Wrong(
            "half-at-zero",
            deciding(lambda z: np.heaviside(z, 0.5)),
            "Right but for a score of exactly 0, where your neuron answers one half (as `np.heaviside` does if told so) and "
            "half a nudge comes out. What does the neuron say at 0?",
        ),
        Wrong(
            "sign-function",
            deciding(np.sign),
            "Your neuron answers with the sign of its score, so it says -1 where it should say 0: a missed 1 is nudged "
            "twice as far, and some right answers are nudged too. Which two outputs does the step have?",
        ),
        Wrong(
            "threshold-one-half",
            deciding(lambda z: z > 0.5),
            "Your neuron says 1 only where the score is above one half, so small positive scores are decided wrongly. "
            "One half is the threshold for the output of a sigmoid; which is that for a score?",
        ),
        Wrong(
            "nudged-along-the-weights",
            lambda w, b, x, target, lr: (
                w + lr * (target - fires(w @ x + b)) * w,
                b + lr * (target - fires(w @ x + b)),
            ),
            "Each weight is nudged in proportion to itself, so the vector of weights gets longer or shorter but never turns. "
            "Along which vector does a nudge change the score most?",
        ),
        Wrong(
            "always-upward",
            lambda w, b, x, target, lr: nudged(w, b, x, abs(target - fires(w @ x + b)), lr),
            "A missed 1 is nudged rightly, but a false alarm (target 0, output 1) is pushed up as well, so it gets worse. "
            "Which sign has target minus output then?",
        ),
        Wrong(
            "bias-not-in-prediction",
            lambda w, b, x, target, lr: nudged(w, b, x, target - fires(w @ x), lr),
            "You decide from the weighted sum without the bias, so some examples are taken for right or wrong that are not. "
            "What is the whole score?",
        ),
        Wrong(
            "score-for-output",
            lambda w, b, x, target, lr: nudged(w, b, x, target - (w @ x + b), lr),
            "You compare the target with the score instead of the output 0 or 1, so the length of the nudge depends on "
            "how wrong the score is (Widrow and Hoff's rule, 1960). What does this neuron put out?",
        ),
        Wrong(
            "sigmoid-output",
            lambda w, b, x, target, lr: nudged(w, b, x, target - float(expit(w @ x + b)), lr),
            "You compare the target with the sigmoid of the score, so even a right example is nudged a little. "
            "Which activation has the perceptron?",
        ),
        Wrong(
            "plus-minus-one",
            lambda w, b, x, target, lr: nudged(w, b, x, target - (1.0 if w @ x + b > 0 else -1.0), lr),
            "Your neuron answers -1 instead of 0, while the targets are 0 and 1: a missed 1 is nudged twice as far, and "
            "some right answers are nudged too. Which two outputs does the step have?",
        ),
        Wrong(
            "input-forgotten",
            lambda w, b, x, target, lr: nudged(w, b, np.ones_like(x), target - fires(w @ x + b), lr),
            "All weights are nudged by the same amount, whatever their inputs were. Which weight had the largest share "
            "in the mistake?",
        ),
        Wrong(
            "in-place",
            update_in_place,
            "The numbers are right, but the caller's own w was changed on the way. "
            "Which of your lines writes into w instead of making a new array?",
        ),
    ),
    hints=(
        "Ask first what the neuron says: 1 where w·x + b > 0, otherwise 0. Then compare with the target.",
        "The error, target minus output, is 0, +1 or -1. Multiply it by the learning rate; the weights get it times x, "
        "the bias gets it times 1.",
        "`error = target - output`; the new weights are `w + lr * error * x` (not `+=`, which writes into w), "
        "and the bias goes the same way without x.",
    ),
    unlocks="Repeat it, and a neuron finds its own weights: the next exercise.",
)
