"""Slopes by nudging: the function that finds faults in all the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Fn

Array = NDArray[np.float64]
F = Callable[[Array], float]


def numerical_gradient(f: F, x: Array, eps: float = 1e-5) -> Array:
    x = x.copy()
    grad = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + eps
        above = f(x)
        x[place] = kept - eps
        below = f(x)
        x[place] = kept
        grad[place] = (above - below) / (2 * eps)
    return grad


def numerical_gradient_by_steps(f: F, x: Array, eps: float = 1e-5) -> Array:
    steps = eps * np.eye(x.size).reshape(-1, *x.shape)  # one array of x's shape for each entry
    return np.array([(f(x + step) - f(x - step)) / (2 * eps) for step in steps]).reshape(x.shape)


def numerical_gradient_in_place(f: F, x: Array, eps: float = 1e-5) -> Array:
    slopes = []
    for i in range(x.size):
        kept = float(x.flat[i])
        values = []
        for nudge in (-eps, eps):
            x.flat[i] = kept + nudge
            values.append(f(x))
        x.flat[i] = kept
        slopes.append((values[1] - values[0]) / eps / 2)
    return np.reshape(slopes, x.shape)


def surface_inputs(rng: np.random.Generator) -> list[Case]:
    def x(*shape: int) -> Array:
        return np.asarray(rng.uniform(0.2, 0.9, shape) * rng.choice([-1.0, 1.0], shape))

    return [
        Case((Fn("weighted_exponentials"), np.array([0.5, -1.0, 0.2]))),
        Case((Fn("weighted_exponentials"), x(4))),
        Case((Fn("product_of_sines"), x(2, 3))),
        Case((Fn("weighted_cubes"), x(3, 2))),
        Case((Fn("weighted_exponentials"), np.array([0.4, 0.0, -0.7]), 0.2)),
        Case((Fn("product_of_sines"), x(2, 1, 3)), "three axes"),
        Case((Fn("weighted_exponentials"), x()), "a single number"),
        Case((Fn("squared_row_sums"), x(3, 2)), "a function that needs the shape of x"),
        Case((Fn("product_of_sines"), np.array([2.0, 2.0, 2.0])), "equal entries"),
        Case((Fn("weighted_cubes"), np.array([[0.5, -1.0], [0.5, 0.5]])), "equal entries"),
        Case((Fn("weighted_exponentials"), np.array([1.5, -2.0, 0.0, 2.5]), 0.3), "a large eps"),
        Case((Fn("weighted_exponentials"), x(2, 3), 0.05), "a large eps"),
        Case((Fn("fast_waves"), np.array([0.31, -0.52])), "the usual eps on a very fast wave"),
    ]


def nudged_one_side(f: F, x: Array, eps: float = 1e-5) -> Array:
    base = f(x)
    steps = eps * np.eye(x.size).reshape(-1, *x.shape)
    return np.array([(f(x + step) - base) / eps for step in steps]).reshape(x.shape)


def nudged_below(f: F, x: Array, eps: float = 1e-5) -> Array:
    base = f(x)
    steps = eps * np.eye(x.size).reshape(-1, *x.shape)
    return np.array([(base - f(x - step)) / eps for step in steps]).reshape(x.shape)


def nudged_in_proportion(f: F, x: Array, eps: float = 1e-5) -> Array:
    steps = (np.eye(x.size) * eps * x.ravel()).reshape(-1, *x.shape)
    return np.array([(f(x + step) - f(x - step)) / (2 * eps) for step in steps]).reshape(x.shape)


def nudged_all_at_once(f: F, x: Array, eps: float = 1e-5) -> Array:
    return np.full(x.shape, (f(x + eps) - f(x - eps)) / (2 * eps))


def nudged_and_left(f: F, x: Array, eps: float = 1e-5) -> Array:
    x = x.copy()
    grad = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        x[place] += eps
        above = f(x)
        x[place] -= 2 * eps
        grad[place] = (above - f(x)) / (2 * eps)
    return grad


def nudged_alias(f: F, x: Array, eps: float = 1e-5) -> Array:
    grad = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        above, below = x, x  # two names for one array
        above[place] += eps
        below[place] -= eps
        grad[place] = (f(above) - f(below)) / (2 * eps)
    return grad


def nudged_and_taken_back(f: F, x: Array, eps: float = 1e-5) -> Array:
    grad = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        x[place] += eps
        above = f(x)
        x[place] -= 2 * eps
        below = f(x)
        x[place] += eps
        grad[place] = (above - below) / (2 * eps)
    return grad


def nudged_rows(f: F, x: Array, eps: float = 1e-5) -> Array:
    grad = np.zeros_like(x)
    for i in range(len(x)):
        above, below = x.copy(), x.copy()
        above[i] += eps
        below[i] -= eps
        grad[i] = (f(above) - f(below)) / (2 * eps)
    return grad


def nudged_flat(f: F, x: Array, eps: float = 1e-5) -> Array:
    return numerical_gradient(f, x, eps).ravel()


NUMERICAL_GRADIENT = Exercise(
    id="backpropagation.numerical_gradient",
    kind="function",
    title="Slopes by nudging",
    points=2,
    minutes=15,
    difficulty=2,
    function="numerical_gradient",
    reference=numerical_gradient,
    alternatives=(numerical_gradient_by_steps, numerical_gradient_in_place),
    inputs=surface_inputs,
    wrong=(
        Wrong(
            "one-sided",
            nudged_one_side,
            "You nudge to one side only, (f(x + eps) - f(x)) / eps, which is off by half the curve's bend times eps. "
            "What happens to that error when the other side is nudged as well?",
        ),
        Wrong(
            "one-sided-below",
            nudged_below,
            "You nudge to one side only, (f(x) - f(x - eps)) / eps, which is off by half the curve's bend times eps. "
            "What happens to that error when the other side is nudged as well?",
        ),
        Wrong(
            "not-divided",
            lambda f, x, eps=1e-5: 2 * eps * numerical_gradient(f, x, eps),
            "These are the differences of f, tiny numbers that shrink with eps. A slope is a change per step: "
            "how long was the step between the two points?",
        ),
        Wrong(
            "nudged-in-proportion",
            nudged_in_proportion,
            "Each entry is nudged by eps times itself, and the difference divided by 2·eps, so that every slope is multiplied by its "
            "entry. By how much should an entry be nudged, whatever it holds?",
        ),
        Wrong(
            "two-forgotten",
            lambda f, x, eps=1e-5: 2 * numerical_gradient(f, x, eps),
            "Every slope is twice what it should be. How far apart are the two points at which you take f?",
        ),
        Wrong(
            "all-at-once",
            nudged_all_at_once,
            "Every entry of your result is the same number: all entries of `x` are nudged together, which adds all slopes up. "
            "How can you nudge one entry and leave the others?",
        ),
        Wrong(
            "not-put-back",
            nudged_and_left,
            "The first slope is right; then errors creep in, because each entry stays nudged while the next ones are measured. "
            "What should stand in `x` before the next entry's turn?",
        ),
        Wrong(
            "two-names-one-array",
            nudged_alias,
            "Every slope is 0: the array with the nudge up and the one with the nudge down are the same array under two names, "
            "so the nudges cancel. What does `a = x` copy?",
        ),
        Wrong(
            "not-exactly-put-back",
            nudged_and_taken_back,
            "The slopes are right, but `x` is no longer exactly what it was: adding a nudge and taking it away again can leave a "
            "rounding error in the last digit. What could you keep before the nudge, and put back after?",
        ),
        Wrong(
            "rows-nudged",
            nudged_rows,
            "With one axis it is right. With two, a whole row is nudged at once, and its entries share one number, the sum of their "
            "slopes. How do you run through all entries of an array of any shape?",
        ),
        Wrong(
            "flat",
            nudged_flat,
            "The slopes are right, but they stand in one long row. Which shape should a slope have, compared with what it belongs to?",
        ),
        Wrong(
            "eps-fixed",
            lambda f, x, eps=1e-5: numerical_gradient(f, x, 1e-5),
            "Right for the usual nudge, but your function nudges by 1e-5 whatever is asked for. Where does the argument `eps` come in?",
        ),
        Wrong(
            "eps-squared",
            lambda f, x, eps=1e-5: eps**2 * numerical_gradient(f, x, eps),
            "Your slopes are tiny: too small by the square of eps. Of / and *, Python does first what stands first: "
            "where do brackets belong in the division by 2·eps?",
        ),
        Wrong(
            "one-sided-halved",
            lambda f, x, eps=1e-5: nudged_one_side(f, x, eps) / 2,
            "You nudge up only, and divide by 2·eps all the same, which gives half the slope. "
            "How far apart are the two points at which you take f?",
        ),
        Wrong(
            "extrapolated",
            lambda f, x, eps=1e-5: (4 * numerical_gradient(f, x, eps / 2) - numerical_gradient(f, x, eps)) / 3,
            "Two nudges, eps and eps / 2, are combined so that the error nearly cancels: more exact than the formula asked for, "
            "and the check compares with that one. Which two points does the task name?",
        ),
        Wrong(
            "four-points",
            lambda f, x, eps=1e-5: (4 * numerical_gradient(f, x, eps) - numerical_gradient(f, x, 2 * eps)) / 3,
            "Your formula with four points is more exact than the one asked for, and the check compares with that one. "
            "Which two points does the task name?",
        ),
        Wrong(
            "half-nudge",
            lambda f, x, eps=1e-5: numerical_gradient(f, x, eps / 2),
            "You nudge by eps / 2 to each side, which shows when eps is large. "
            "In the formula of the task, how far from x are the two points?",
        ),
    ),
    hints=(
        "For a single entry: f with the entry a little larger, minus f with it a little smaller, divided by the distance of the two.",
        "Run through all places with `np.ndindex(x.shape)`; it works for any number of axes, none included.",
        "At each place: keep `x[place]`; set it to kept + eps and take f; set it to kept - eps and take f; set it back to kept; "
        "write the difference, divided by 2·eps, into an array made with `np.zeros_like(x)`. Work on a copy of `x`, or put back "
        "exactly what you kept.",
    ),
    unlocks="With it you can check any rule that you or others write.",
)
