"""The step of plain gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


# --- gradient_descent.gd_step -------------------------------------------------------------------------------------


def gd_step(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * g for p, g in zip(params, grads, strict=True)]


def gd_step_by_loop(params: list[Array], grads: list[Array], lr: float) -> Any:
    new = []
    for i in range(len(params)):
        p = params[i].copy()
        p -= lr * grads[i]
        new.append(p)
    return new


def gd_step_by_map(params: list[Array], grads: list[Array], lr: float) -> Any:
    return tuple(map(lambda p, g: np.add(p, -lr * g), params, grads))


def gd_step_inputs(rng: np.random.Generator) -> list[Case]:
    def case(lr: float, *shapes: tuple[int, ...], label: str = "", scale: float = 1.0) -> Case:
        params = [rng.normal(size=shape) for shape in shapes]
        grads = [scale * rng.normal(size=shape) for shape in shapes]
        return Case((params, grads, lr), label)

    return [
        Case(([np.array([1.0, -2.0, 0.5]), np.array([3.0])], [np.array([0.5, 1.5, -2.0]), np.array([-4.0])], 0.1)),
        case(0.3, (2, 3), (3,)),
        case(0.02, (4, 2), (4,), (1, 4)),
        case(0.2, (2, 3), (2, 3), (4,), (2, 3)),
        case(0.5, (3, 2), label="a single array"),
        case(0.4, (3, 3), (3,), label="a square array"),
        case(0.1, (), (2,), label="an array of shape ()"),
        Case(
            ([np.array([1.0, -2.0, 0.5]), np.array([[3.0], [0.5]])], [np.zeros(3), np.array([[0.0], [1.5]])], 0.1),
            "gradients of zero",
        ),
        case(0.01, (2,), (5, 2), label="large gradients", scale=1e4),
    ]


def gd_in_place(params: list[Array], grads: list[Array], lr: float) -> Any:
    for p, g in zip(params, grads, strict=True):
        p -= lr * g
    return params


def gd_uphill(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p + lr * g for p, g in zip(params, grads, strict=True)]


def gd_without_rate(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - g for p, g in zip(params, grads, strict=True)]


def gd_only_the_step(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [-lr * g for g in grads]


def gd_first_only(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [params[0] - lr * grads[0]]


def gd_sign(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * np.sign(g) for p, g in zip(params, grads, strict=True)]


def gd_normalized(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * g / np.linalg.norm(g) for p, g in zip(params, grads, strict=True)]


def gd_relative(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p * (1 - lr * g) for p, g in zip(params, grads, strict=True)]


def gd_rate_on_difference(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [lr * (p - g) for p, g in zip(params, grads, strict=True)]


def gd_gradient_averaged(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * np.mean(g) for p, g in zip(params, grads, strict=True)]


def gd_shared_among_arrays(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * g / len(params) for p, g in zip(params, grads, strict=True)]


def gd_by_shape(params: list[Array], grads: list[Array], lr: float) -> Any:
    of_shape = {g.shape: g for g in grads}
    return [p - lr * of_shape[p.shape] for p in params]


GD_STEP = Exercise(
    id="gradient_descent.gd_step",
    kind="function",
    title="One step of gradient descent",
    points=1,
    minutes=5,
    difficulty=1,
    function="gd_step",
    reference=gd_step,
    alternatives=(gd_step_by_loop, gd_step_by_map),
    inputs=gd_step_inputs,
    wrong=(
        Wrong(
            "in-place",
            gd_in_place,
            "The numbers you return are right, but the arrays you were given (or their list) were overwritten, "
            "so whoever kept the old weights has lost them. Which statement writes into something instead of making something new?",
        ),
        Wrong(
            "uphill",
            gd_uphill,
            "Each weight moves *with* its slope, so the loss rises. Where the slope is positive, which way is down?",
        ),
        Wrong(
            "learning-rate-forgotten",
            gd_without_rate,
            "The whole gradient is subtracted: the result does not depend on `lr`. What should scale the step?",
        ),
        Wrong(
            "only-the-step",
            gd_only_the_step,
            "You hand back the steps, not the places where they lead. From where is the step taken?",
        ),
        Wrong(
            "first-array-only",
            gd_first_only,
            "Only the first array is updated and handed back. Does your loop end, or return, in its first round?",
        ),
        Wrong(
            "only-the-sign",
            gd_sign,
            "Every entry moves by exactly `lr`, however steep the slope. What in the formula makes steps short where it is flat?",
        ),
        Wrong(
            "gradient-normalized",
            gd_normalized,
            "Each gradient is divided by its own length, so every array moves by exactly `lr`. "
            "Does the formula divide by anything?",
        ),
        Wrong(
            "step-times-weight",
            gd_relative,
            "Each step is multiplied by the weight itself, so a weight of zero could never move. "
            "What does the step depend on, besides `lr`?",
        ),
        Wrong(
            "gradient-averaged",
            gd_gradient_averaged,
            "All entries of an array move by the same amount: each gradient is averaged to one number first. "
            "Whose slope should move which weight?",
        ),
        Wrong(
            "divided-by-the-number-of-arrays",
            gd_shared_among_arrays,
            "Each step is divided by the number of arrays in the list. Does one array's step depend on how many others there are?",
        ),
        Wrong(
            "arrays-told-apart-by-shape",
            gd_by_shape,
            "Right as long as all arrays differ in shape; two of one shape both get the gradient of the last of them. "
            "What else says which gradient belongs to which array?",
        ),
        Wrong(
            "rate-times-difference",
            gd_rate_on_difference,
            "The learning rate multiplies the weight as well as the gradient. Which of the two should it scale?",
        ),
    ),
    hints=(
        "Walk through both lists together: each array of weights has its own array of slopes, of the same shape.",
        "New weights = old weights minus learning rate times slopes. An expression makes a new array; `-=` overwrites the old one.",
        "`zip(params, grads)` gives the pairs; collect `p - lr * g` for each of them in a new list.",
    ),
    unlocks="All training in this course is this line, with better steps.",
)
