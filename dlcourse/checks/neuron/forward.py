"""Exercises on the forward pass: one neuron, the sigmoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def expit(z: Any) -> Array:
    """The sigmoid, quiet and right at both ends."""
    z = np.asarray(z, dtype=float)
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, e) / (1 + e))


def overflowing(z: Any) -> Array:
    e = np.exp(z)
    return np.asarray(e / (1 + e))


# --- neuron.forward -----------------------------------------------------------------------------------------------


def neuron(x: Array, w: Array, b: float) -> float:
    return float(expit(w @ x + b))


def neuron_by_loop(x: Array, w: Array, b: float) -> float:
    z = b
    for weight, value in zip(w, x, strict=True):
        z += weight * value
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def neuron_by_tanh(x: Array, w: Array, b: float) -> Any:
    return (1 + np.tanh((np.einsum("d,d->", w, x) + b) / 2)) / 2


def neuron_inputs(rng: np.random.Generator) -> list[Case]:
    def case(count: int, label: str = "", scale: float = 1.0) -> Case:
        b = float(rng.uniform(0.4, 1.2) * rng.choice([-1, 1]))
        return Case((rng.normal(size=count) * scale, rng.normal(size=count), b), label)

    return [
        Case((np.array([0.5, -1.2, 2.0]), np.array([1.5, 0.25, -0.8]), 0.4)),
        case(2),
        case(5),
        case(4),
        Case((np.array([2.0, -1.0, 0.5]), np.array([4.0, -3.5, 1.0]), 0.5)),
        Case((np.array([2.0, -1.0, 0.5]), np.array([-4.0, 3.5, 1.0]), -1.5)),
        case(1, "a single input"),
        Case((np.array([1.0, 2.0]), np.array([1.5, -1.0]), 0.5), "a score of exactly 0"),
        Case((np.zeros(3), np.array([1.0, -2.0, 0.5]), -0.75), "inputs that are all 0"),
        Case((np.array([4000.0, 30.0]), np.array([2.0, -1.5]), -0.5), "a very large score"),
        Case((np.array([4000.0, 30.0]), np.array([-2.0, 1.5]), 0.5), "a very negative score"),
    ]


def neuron_by_math(x: Array, w: Array, b: float) -> float:
    return 1 / (1 + math.exp(-(w @ x + b)))


FORWARD = Exercise(
    id="neuron.forward",
    kind="function",
    title="One neuron",
    points=1,
    minutes=5,
    difficulty=1,
    function="neuron",
    reference=neuron,
    alternatives=(neuron_by_loop, neuron_by_tanh),
    inputs=neuron_inputs,
    wrong=(
        Wrong(
            "bias-forgotten",
            lambda x, w, b: expit(w @ x),
            "Your neuron weighs its inputs but has no bias: with all inputs zero it always answers one half. "
            "Which argument have you not used yet?",
        ),
        Wrong(
            "no-activation",
            lambda x, w, b: w @ x + b,
            "This is the score z itself, which can be any number; the output should lie between 0 and 1. "
            "What still has to happen to z?",
        ),
        Wrong(
            "step-activation",
            lambda x, w, b: 1.0 if w @ x + b > 0 else 0.0,
            "Your neuron answers 0 or 1 and nothing in between: its activation is the step. "
            "Which activation rounds off the corner?",
        ),
        Wrong(
            "tanh-activation",
            lambda x, w, b: np.tanh(w @ x + b),
            "Your output is the tanh of the score: it runs from -1 to 1. Between which numbers should the sigmoid run?",
        ),
        Wrong(
            "relu-activation",
            lambda x, w, b: np.maximum(0.0, w @ x + b),
            "Your neuron gives 0 for a negative score and the score itself for a positive one: that is a ReLU. "
            "Which activation does the task ask for?",
        ),
        Wrong(
            "sum-forgotten",
            lambda x, w, b: expit(w * x + b),
            "You multiply input by weight but never add the products up, so each input gets an output of its own. "
            "How many outputs has one neuron?",
        ),
        Wrong(
            "bias-in-every-product",
            lambda x, w, b: expit(np.sum(w * x + b)),
            "The bias is added to every product before the sum, so it counts once for each input. "
            "How often does b stand in the formula?",
        ),
        Wrong(
            "bias-after-activation",
            lambda x, w, b: expit(w @ x) + b,
            "The bias is added after the sigmoid, so the output can leave the range from 0 to 1. "
            "Is b part of the score or of the output?",
        ),
        Wrong(
            "bias-subtracted",
            lambda x, w, b: expit(w @ x - b),
            "The bias is subtracted: it acts like a threshold. Should a larger b make this neuron fire more or less?",
        ),
        Wrong(
            "activation-before-sum",
            lambda x, w, b: w @ expit(x) + b,
            "The sigmoid is applied to the inputs, and the sum comes last. In which order does a neuron weigh, add and decide?",
        ),
        Wrong(
            "mean-for-sum",
            lambda x, w, b: expit(np.mean(w * x) + b),
            "The products are averaged instead of added, so a neuron with many inputs hears each of them less. "
            "Which of the two is meant by w·x?",
        ),
        Wrong(
            "exponent-sign",
            lambda x, w, b: expit(-(w @ x + b)),
            "Your output is 1 minus the right one: evidence for yes pushes your neuron toward no. "
            "What sign does z have in the exponent of the sigmoid?",
        ),
        Wrong(
            "precedence",
            lambda x, w, b: 1 / 1 + np.exp(-(w @ x + b)),
            "Your output is 1 plus the exponential of minus z, so it is always above 1: Python divides before it adds. "
            "What should stand in the denominator as a whole?",
        ),
        Wrong(
            "overflow",
            lambda x, w, b: overflowing(w @ x + b),
            "Right for ordinary scores, but for a large one both parts of your fraction overflow, and inf / inf is nan. "
            "Can you write the sigmoid so that the overflow meets only the denominator?",
        ),
        Wrong(
            "math-exp-stops",
            neuron_by_math,
            "Right for ordinary scores, but at a very negative one `math.exp` stops with an OverflowError, because "
            "its result is too large for a float. What does `np.exp` give there, and what is 1 divided by that?",
        ),
    ),
    hints=(
        "Two steps: first one number z out of all inputs, then one number a out of z.",
        "z is the dot product of weights and inputs, plus the bias once. Then the sigmoid of z.",
        "With `z = w @ x + b`, the sigmoid is one divided by one plus the exponential of minus z.",
    ),
    unlocks="Everything else in deep learning is many of these.",
)


# --- neuron.sigmoid -----------------------------------------------------------------------------------------------


def sigmoid(z: Array) -> Array:
    return expit(z)


def sigmoid_by_tanh(z: Array) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(z)))


def sigmoid_by_logs(z: Array) -> Any:
    return np.exp(-np.logaddexp(0, -np.asarray(z)))


def sigmoid_by_branches(z: Any) -> Any:
    if z >= 0:
        return 1 / (1 + np.exp(-z))
    return np.exp(z) / (1 + np.exp(z))


def sigmoid_by_one_formula(z: Any, positive: bool) -> Any:
    z = np.asarray(z)
    return 1 / (1 + np.exp(-z)) if positive else overflowing(z)


def sigmoid_inputs(rng: np.random.Generator) -> list[Case]:
    both = "z with both extremes in it"
    return [
        Case((np.array([-2.0, 0.5, 3.0]),)),
        Case((rng.normal(size=(2, 3)) * 3,)),
        Case((rng.normal(size=4) * 2,)),
        Case((rng.normal(size=(2, 3, 4)),)),
        Case((0.7,), "a single number"),
        Case((-1.3,), "a single number"),
        Case((rng.normal(size=(1, 3)) * 2,), "an axis of length 1"),
        Case((np.array([-1.0, 0.0, 2.0]),), "z = 0"),
        Case((0.0,), "z = 0"),
        Case((1e4,), "very large scores"),
        Case((-1e4,), "very negative scores"),
        Case((np.array([1e4, 800.0, 40.0, 1.5]),), "very large scores"),
        Case((np.array([-1e4, -800.0, -40.0, -1.5, -0.3]),), "very negative scores"),
        Case((np.array([-1e4, 0.0, 1e4]),), both),
        Case((np.array([[1e4, -1e4, 1.0], [0.5, -800.0, -0.5]]),), both),
        Case((np.array([[-0.5, 800.0], [-1e4, 2.0], [750.0, -750.0]]),), both),
        Case((np.array([-0.5, 900.0, -2.0, 1.0, -1.5]),), "z with one large score"),
    ]


SIGMOID = Exercise(
    id="neuron.sigmoid",
    kind="function",
    title="A sigmoid that is right at both ends",
    points=2,
    minutes=10,
    difficulty=2,
    function="sigmoid",
    reference=sigmoid,
    alternatives=(sigmoid_by_tanh, sigmoid_by_logs),
    inputs=sigmoid_inputs,
    wrong=(
        Wrong(
            "overflow",
            overflowing,
            "Right for ordinary scores, but for large ones your numerator and denominator both overflow, and inf / inf "
            "is nan. For which sign of z is the exponential of z harmless, and for which that of minus z?",
        ),
        Wrong(
            "exponent-sign",
            lambda z: expit(-np.asarray(z)),
            "Your curve falls from 1 to 0 where it should rise. Which sign does z have in the exponent?",
        ),
        Wrong(
            "precedence",
            lambda z: 1 / 1 + np.exp(-np.asarray(z)),
            "Your result is 1 plus the exponential of minus z, so it is always above 1: Python divides before it adds. "
            "What should stand in the denominator as a whole?",
        ),
        Wrong(
            "one-in-denominator-missing",
            lambda z: 1 / np.exp(-np.asarray(z)),
            "Your result grows without end: it equals the exponential of z. What is added to the exponential "
            "in the denominator, so that the quotient stays below 1?",
        ),
        Wrong(
            "tanh",
            np.tanh,
            "This is tanh: it runs from -1 to 1 and is 0 at z = 0. What should the sigmoid be at z = 0?",
        ),
        Wrong(
            "relu",
            lambda z: np.maximum(0.0, z),
            "This is ReLU: 0 for negative scores, and the score itself for positive ones. "
            "Which number should the sigmoid never exceed?",
        ),
        Wrong(
            "negative-side-mirrored",
            lambda z: expit(np.abs(z)),
            "The positive side is right, but z and -z give the same, so no output is below one half. "
            "How does the sigmoid of -z follow from that of z?",
        ),
        Wrong(
            "step",
            lambda z: np.where(np.asarray(z) > 0, 1.0, 0.0),
            "This is the step: 0 or 1 and nothing in between. How much should a score of 0.5 differ from one of 3?",
        ),
        Wrong(
            "twice-too-steep",
            lambda z: 0.5 * (1 + np.tanh(np.asarray(z))),
            "Your curve has the right ends and the right middle but is twice as steep: it is the sigmoid of 2z. "
            "In the identity with tanh, what does the argument have to be divided by?",
        ),
        Wrong(
            "softmax",
            lambda z: np.exp(np.asarray(z) - np.max(z)) / np.sum(np.exp(np.asarray(z) - np.max(z))),
            "Your entries sum to 1 over the whole array: that is a softmax, in which scores compete. "
            "Should one entry of a sigmoid depend on the others?",
        ),
        Wrong(
            "derivative",
            lambda z: expit(z) * (1 - expit(z)),
            "This is the slope of the sigmoid, largest at z = 0 and flat at both ends. "
            "Which value should the sigmoid itself approach for large z?",
        ),
        Wrong(
            "branch-on-whole-array",
            sigmoid_by_branches,
            "Your code is right for a single number but stops with a ValueError at an array: `if` wants one yes or no, "
            "and an array has many. Which NumPy tool chooses entry by entry?",
        ),
        Wrong(
            "one-formula-for-the-whole-array",
            lambda z: sigmoid_by_one_formula(z, bool(np.all(np.asarray(z) >= 0))),
            "One formula is chosen for the whole array, so where negative and large positive entries come together, "
            "the large ones overflow. How can each entry get the formula that is safe for it?",
        ),
        Wrong(
            "first-entry-chooses",
            lambda z: sigmoid_by_one_formula(z, bool(np.ravel(z)[0] >= 0)),
            "The first entry chooses the formula for the whole array, and where that entry is negative, large positive "
            "ones overflow. How can each entry get the formula that is safe for it?",
        ),
        Wrong(
            "zero-left-out",
            lambda z: np.where(np.asarray(z) == 0, 0.0, expit(z)),
            "Right everywhere but at z = 0, where 0 comes out: one of your formulas is for z > 0, the other for z < 0. "
            "Which of them takes care of 0?",
        ),
        Wrong(
            "zero-counted-twice",
            lambda z: np.where(np.asarray(z) == 0, 1.0, expit(z)),
            "Right everywhere but at z = 0, where 1 comes out, as if two halves were added. "
            "Which output lies exactly between the two ends?",
        ),
    ),
    hints=(
        "Where does an exponential overflow: for a large positive exponent or for a large negative one?",
        "Both 1/(1 + e^-z) and e^z/(1 + e^z) are the sigmoid. Each is safe for one sign of z; "
        "the exponential of minus |z| is safe for both.",
        "With `e = np.exp(-np.abs(z))`: where z >= 0 the answer is `1 / (1 + e)`, elsewhere `e / (1 + e)`; "
        "`np.where` puts them together.",
    ),
    unlocks="Yes-or-no outputs and the gates of unit 09 are built on it.",
)
