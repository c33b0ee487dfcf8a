"""Exercises on activations: leaky ReLU and the derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.neuron.forward import expit
from dlcourse.drivers import Case

Array = NDArray[np.float64]


# --- neuron.leaky_relu --------------------------------------------------------------------------------------------


def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    z = np.asarray(z)
    return np.where(z > 0, z, slope * z)


def leaky_relu_by_parts(z: Array, slope: float = 0.01) -> Any:
    return np.maximum(z, 0.0) + slope * np.minimum(z, 0.0)


def leaky_relu_by_mask(z: Array, slope: float = 0.01) -> Any:
    return z * (slope + (1 - slope) * (np.asarray(z) > 0))


def leaky_relu_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((np.array([-2.0, 3.0, -0.5, 1.5]), 0.1)),
        Case((rng.normal(size=(2, 3)) * 2, 0.3)),
        Case((rng.normal(size=(2, 3, 4)), 0.05)),
        Case((np.array([-3.0, 0.25, -1.5, 4.0, -0.75]), 0.25)),
        Case((np.array([2.5, -1.0, 0.5, -3.5]), 0.7)),
        Case((np.array([-4.0, 2.5, -0.3]),), "no slope given"),
        Case((rng.normal(size=(1, 3)), 0.15), "an axis of length 1"),
        Case((np.array([-1.0, 0.0, 2.0]), 0.2), "z = 0"),
        Case((np.array([-0.15, 0.05, -0.05, 0.15, -0.5]), 0.2), "z near 0"),
        Case((np.array([-2.0, 0.5, -0.25, 3.0]), 0.0), "slope 0"),
        Case((np.array([-2.0, 0.5, -0.25, 3.0]), 1.0), "slope 1"),
        Case((np.array([-2.0, -0.5, -3.0]), 0.4), "negative scores only"),
        Case((np.array([2.0, 0.5, 3.0]), 0.4), "positive scores only"),
        Case((np.array([-1e4, 1e4, -2e3]), 0.02), "large inputs"),
    ]


def leaky_relu_in_place(z: Any, slope: float = 0.01) -> Any:
    z[z < 0] *= slope
    return z


LEAKY_RELU = Exercise(
    id="neuron.leaky_relu",
    kind="function",
    title="Leaky ReLU",
    points=1,
    minutes=5,
    difficulty=1,
    function="leaky_relu",
    reference=leaky_relu,
    alternatives=(leaky_relu_by_parts, leaky_relu_by_mask),
    inputs=leaky_relu_inputs,
    wrong=(
        Wrong(
            "no-leak",
            lambda z, slope=0.01: np.maximum(z, 0.0),
            "This is the plain ReLU: every negative score becomes 0, where nothing can be learned. "
            "What should come out for a negative score instead?",
        ),
        Wrong(
            "slope-ignored",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, z, 0.01 * np.asarray(z)),
            "The negative side always has the slope 0.01, whatever slope is handed in. Where does `slope` come in?",
        ),
        Wrong(
            "slope-0-taken-for-none",
            lambda z, slope=0.01: leaky_relu(z, slope or 0.01),
            "Right but for slope 0, where your function uses its default as if no slope had been given: to `or` and "
            "`if slope`, 0 counts as False. Does a default in the signature need any test in the body?",
        ),
        Wrong(
            "other-default",
            lambda z, slope=0.1: np.where(np.asarray(z) > 0, z, slope * np.asarray(z)),
            "Right where a slope is given; without one your function uses 0.1. Which default does the signature ask for?",
        ),
        Wrong(
            "sides-exchanged",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, slope * np.asarray(z), z),
            "The positive side is made small and the negative one kept: the sides are exchanged. "
            "On which side should the neuron answer with full strength?",
        ),
        Wrong(
            "slope-on-both-sides",
            lambda z, slope=0.01: slope * np.asarray(z),
            "Both sides are multiplied by the slope, so the function is a straight line and bends nowhere. "
            "Which scores should pass as they are?",
        ),
        Wrong(
            "constant-leak",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, z, slope),
            "Every negative score gives the same number, the slope itself: the negative side is flat. "
            "How does a line of that slope depend on z?",
        ),
        Wrong(
            "negative-side-flipped",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, z, -slope * np.asarray(z)),
            "Negative scores come out positive: the function falls and then rises. "
            "Should the output go up or down when a negative score rises toward 0?",
        ),
        Wrong(
            "negative-side-shifted",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, z, np.asarray(z) - slope),
            "Negative scores are lowered by the slope instead of multiplied by it, so the function jumps at 0. "
            "What does a slope do to its variable?",
        ),
        Wrong(
            "divided",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, z, np.asarray(z) / slope),
            "Negative scores are divided by the slope, so they grow large. Should the leak make them smaller or larger?",
        ),
        Wrong(
            "exponential-side",
            lambda z, slope=0.01: np.where(np.asarray(z) > 0, z, slope * np.expm1(np.minimum(z, 0.0))),
            "Your negative side is curved and levels off at minus the slope: that is the ELU, a relative. "
            "Which shape does the negative side of a leaky ReLU have?",
        ),
        Wrong(
            "in-place",
            leaky_relu_in_place,
            "The numbers are right, but they are written into the caller's own z, which is lost; and a plain number "
            "cannot be written into at all. How do you make the result a new array?",
        ),
    ),
    hints=(
        "Two rules, one for each side of zero. Draw both lines on paper first.",
        "For each entry: keep it where it is positive, multiply it by the slope where it is not.",
        "`np.where(condition, a, b)` takes from a where the condition holds and from b elsewhere, into a new array.",
    ),
    unlocks="Hidden neurons that never die use it.",
)


# --- neuron.derivatives -------------------------------------------------------------------------------------------


def activation_derivatives(z: Array) -> tuple[Array, Array, Array]:
    z = np.asarray(z, dtype=float)
    s, t = expit(z), np.tanh(z)
    return s * (1 - s), np.asarray(1 - t**2), np.where(z > 0, 1.0, 0.0)


def derivatives_by_exponentials(z: Array) -> Any:
    e, e2 = np.exp(-np.abs(z)), np.exp(-2 * np.abs(z))
    return e / (1 + e) ** 2, 4 * e2 / (1 + e2) ** 2, np.heaviside(z, 0.5)


def derivatives_by_tanh(z: Array) -> Any:
    half = np.tanh(np.asarray(z) / 2)
    return [(1 - half**2) / 4, (1 - np.tanh(z)) * (1 + np.tanh(z)), (np.sign(z) + 1) / 2]


def derivatives_inputs(rng: np.random.Generator) -> list[Case]:
    def away_from_zero(*shape: int) -> Array:
        return np.asarray(rng.uniform(0.05, 3, shape) * rng.choice([-1.0, 1.0], shape))

    return [
        Case((np.array([-2.0, 0.5, 1.5]),)),
        Case((away_from_zero(2, 3),)),
        Case((away_from_zero(4),)),
        Case((away_from_zero(2, 3, 4),)),
        Case((np.array([-0.8]),), "a single entry"),
        Case((np.array([0.6]),), "a single entry"),
        Case((away_from_zero(1, 3),), "an axis of length 1"),
        Case((np.array([0.02, 0.001, -0.001, -0.02]),), "entries near 0"),
        Case((np.array([1e4, -1e4, 800.0, -800.0, 30.0]),), "large scores"),
        Case((np.array([[-1e4, 1.5], [0.75, -30.0], [-0.5, 1e4]]),), "large scores"),
    ]


def derivatives_overflowing(z: Array) -> Any:
    e = np.exp(-np.asarray(z))
    return e / (1 + e) ** 2, 1 - np.tanh(z) ** 2, np.where(np.asarray(z) > 0, 1.0, 0.0)


def with_right(z: Any, dsigmoid: Any = None, dtanh: Any = None, drelu: Any = None) -> Any:
    """The right derivatives, except for those that are given."""
    right = activation_derivatives(z)
    return tuple(
        np.asarray(a if b is None else b, dtype=float) for a, b in zip(right, (dsigmoid, dtanh, drelu), strict=True)
    )


DERIVATIVES = Exercise(
    id="neuron.derivatives",
    kind="function",
    title="Three slopes",
    points=2,
    minutes=12,
    difficulty=2,
    function="activation_derivatives",
    reference=activation_derivatives,
    alternatives=(derivatives_by_exponentials, derivatives_by_tanh),
    inputs=derivatives_inputs,
    returns=("dsigmoid", "dtanh", "drelu"),
    wrong=(
        Wrong(
            "values-for-slopes",
            lambda z: (expit(z), np.tanh(z), np.maximum(0.0, z)),
            "These are the three activations themselves, not their slopes. What does sigmoid's slope do far from zero?",
        ),
        Wrong(
            "score-for-output",
            lambda z: with_right(z, dsigmoid=np.asarray(z) * (1 - np.asarray(z)), dtanh=1 - np.asarray(z) ** 2),
            "You put the score z where the formulas have the activation's output, so slopes come out negative. "
            "In a(1 - a), what is a?",
        ),
        Wrong(
            "sigmoid-factor-missing",
            lambda z: with_right(z, dsigmoid=1 - expit(z)),
            "Your slope of the sigmoid tends to 1 for very negative z, where the curve is flat. "
            "Which factor makes it vanish there too?",
        ),
        Wrong(
            "sigmoid-unfinished",
            lambda z: with_right(z, dsigmoid=expit(z)),
            "In the place of the sigmoid's slope stands the sigmoid itself, which is not flat but 1 at the right end. "
            "Which other factor belongs to its slope?",
        ),
        Wrong(
            "sigmoid-quarter",
            lambda z: with_right(z, dsigmoid=np.full(np.shape(z), 0.25)),
            "Your slope of the sigmoid is a quarter everywhere: that is its largest value, taken at z = 0. "
            "What happens to the slope away from zero?",
        ),
        Wrong(
            "tanh-square-missing",
            lambda z: with_right(z, dtanh=1 - np.tanh(z)),
            "Your slope of tanh reaches 2 for very negative z, where tanh is flat. What becomes of the -1 that tanh "
            "approaches there, if it is to give slope 0?",
        ),
        Wrong(
            "tanh-like-sigmoid",
            lambda z: with_right(z, dtanh=np.tanh(z) * (1 - np.tanh(z))),
            "You used sigmoid's formula a(1 - a) for tanh: it gives negative slopes, but tanh rises everywhere. "
            "What is tanh's own formula?",
        ),
        Wrong(
            "relu-value",
            lambda z: with_right(z, drelu=np.maximum(0.0, z)),
            "The third part is ReLU itself; its slope does not grow with z. How steep is a line that gives z back?",
        ),
        Wrong(
            "relu-sign",
            lambda z: with_right(z, drelu=np.sign(z)),
            "Your slope of ReLU is -1 on the negative side, as if the function fell there. What does ReLU do for z below 0?",
        ),
        Wrong(
            "relu-always-one",
            lambda z: with_right(z, drelu=np.ones_like(z, dtype=float)),
            "Your slope of ReLU is 1 everywhere, so it would be a straight line. What is its slope where its output stays 0?",
        ),
        Wrong(
            "relu-leaks",
            lambda z: with_right(z, drelu=np.where(np.asarray(z) > 0, 1.0, 0.01)),
            "Your third part has a slope of 0.01 on the negative side: that is the leaky ReLU. "
            "How flat is the plain one there?",
        ),
        Wrong(
            "overflow",
            derivatives_overflowing,
            "Right for ordinary scores, but for very negative z the exponential overflows in your sigmoid's slope, and inf / inf is nan. "
            "Can the slope be computed from the sigmoid's output, which never leaves 0 to 1?",
        ),
    ),
    hints=(
        "Look at the figure of the activations and their slopes in the lesson: where is each slope largest, and how large?",
        "Sigmoid and tanh have slopes that can be written with their own outputs: a(1 - a) and 1 - a².",
        "`s = sigmoid(z)` gives `s * (1 - s)`; `1 - np.tanh(z) ** 2`; and for ReLU `np.where(...)` with 1.0 and 0.0.",
    ),
    unlocks="Back-propagation in unit 03 multiplies by exactly these.",
)
