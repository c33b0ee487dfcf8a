"""Slopes by nudging, and a backward pass to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Fn

Array = NDArray[np.float64]
F = Callable[[Array], float]

# --- backpropagation.numerical_gradient ---------------------------------------------------------------------------


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
        Case((Fn("product_of_sines"), x(2, 1, 3)), "three axes"),
        Case((Fn("weighted_exponentials"), x()), "a single number"),
        Case((Fn("weighted_exponentials"), x(2, 3), 0.05), "a large eps"),
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

# --- backpropagation.repair_backward ------------------------------------------------------------------------------


def backward_two_layer(X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    h = np.tanh(X @ W1.T + b1)  # (N, H)
    difference = h @ W2.T + b2 - y  # (N, O)
    loss = (difference**2).mean()
    dout = 2 * difference / difference.size
    dz = (dout @ W2) * (1 - h**2)
    return loss, dz.T @ X, dz.sum(axis=0), dout.T @ h, dout.sum(axis=0)


def backward_by_example(X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    loss, dW1, db1, dW2, db2 = 0.0, np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(W2), np.zeros_like(b2)
    for x, target in zip(X, y, strict=True):
        z = W1 @ x + b1
        h = np.tanh(z)
        difference = W2 @ h + b2 - target
        loss += float((difference**2).sum()) / y.size
        dout = 2 * difference / y.size
        dz = W2.T @ dout / np.cosh(z) ** 2
        dW2, db2 = dW2 + np.outer(dout, h), db2 + dout
        dW1, db1 = dW1 + np.outer(dz, x), db1 + dz
    return loss, dW1, db1, dW2, db2


def backward_by_einsum(X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    h = np.tanh(np.einsum("nd,hd->nh", X, W1) + b1)
    dout = (np.einsum("nh,oh->no", h, W2) + b2 - y) * (2 / y.size)
    dz = np.einsum("no,oh,nh->nh", dout, W2, 1 - h * h)
    loss = np.square(dout).sum() * y.size / 4
    return [loss, np.einsum("nh,nd->hd", dz, X), dz.sum(0), np.einsum("no,nh->oh", dout, h), dout.sum(0)]


def two_layer_inputs(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, h: int, o: int, label: str = "") -> Case:
        shapes = (n, d), (n, o), (h, d), (h,), (o, h), (o,)
        return Case(tuple(rng.normal(size=shape).round(2) for shape in shapes), label)

    return [
        case(2, 3, 4, 5),
        case(5, 4, 3, 2),
        case(6, 2, 5, 3),
        case(1, 3, 2, 4, "one example"),
        case(4, 3, 2, 1, "one output"),
    ]


def program(
    slope: Callable[[Array, Array], Array] = lambda z, h: 1 - h**2,
    count: Callable[[Array], float] = lambda y: y.size,
    loss: Callable[[Array], Any] = lambda d: (d**2).mean(),
    bias: Callable[[Array], Array] = lambda dz: dz.sum(axis=0),
) -> Callable[..., Any]:
    """The program with the slope of tanh, the divisor, the loss or the bias rule replaced."""

    def answer(X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
        z = X @ W1.T + b1
        h = np.tanh(z)
        difference = h @ W2.T + b2 - y
        dout = 2 * difference / count(y)
        dz = (dout @ W2) * slope(z, h)
        return loss(difference), dz.T @ X, bias(dz), dout.T @ h, bias(dout)

    return answer


REPAIR_BACKWARD = Exercise(
    id="backpropagation.repair_backward",
    kind="program",
    title="Mend a backward pass",
    points=3,
    minutes=20,
    difficulty=2,
    function="backward_two_layer",
    reference=backward_two_layer,
    alternatives=(backward_by_example, backward_by_einsum),
    inputs=two_layer_inputs,
    returns=("loss", "dW1", "db1", "dW2", "db2"),
    wrong=(
        Wrong(
            "as-given",
            program(slope=lambda z, h: 1 - z**2, count=len),
            "This is still the program as it was handed out. Check its slopes by nudging: which of the five results are wrong, "
            "and which one comes first on the way back?",
        ),
        Wrong(
            "tanh-fault-left",
            program(slope=lambda z, h: 1 - z**2),
            "One fault is mended: `dW2` and `db2` are right now. What lies between them and `dW1` is tanh: "
            "with which number is its slope written, the one that goes in or the one that comes out?",
        ),
        Wrong(
            "mean-fault-left",
            program(count=len),
            "One fault is mended: tanh's slope is right now. All slopes are still too large by one factor, the number of outputs. "
            "Over how many numbers does the loss take its mean?",
        ),
        Wrong(
            "loss-bent-to-fit",
            program(loss=lambda d: (d**2).sum() / len(d), count=len),
            "The loss was changed so that it fits the slopes. The slopes agree with it now, but the task's loss is the mean over all "
            "entries. Which side was wrong?",
        ),
        Wrong(
            "tanh-of-tanh",
            program(slope=lambda z, h: 1 - np.tanh(h) ** 2),
            "tanh's slope is taken with the tanh of the output, so that tanh is applied twice. Which of z and h is already tanh of something?",
        ),
        Wrong(
            "tanh-slope-dropped",
            program(slope=lambda z, h: np.ones_like(h)),
            "The slope passes tanh unchanged, as if tanh were the identity. Which factor belongs between `dh` and `dz`?",
        ),
        Wrong(
            "tanh-not-squared",
            program(slope=lambda z, h: 1 - h),
            "The slope of tanh is 1 - h in your program. At h = -0.5 and h = 0.5 the curve is equally steep: what is missing?",
        ),
        Wrong(
            "sigmoid-slope",
            program(slope=lambda z, h: h * (1 - h)),
            "The slope h·(1 - h) belongs to the sigmoid. Which function does the forward pass use, and which line of the lesson's "
            "table is its own?",
        ),
        Wrong(
            "relu-slope",
            program(slope=lambda z, h: (z > 0).astype(float)),
            "You put in the slope of ReLU. Which function does the forward pass use?",
        ),
        Wrong(
            "two-forgotten",
            program(count=lambda y: 2 * y.size),
            "The mean is right now, but all slopes are half of what they should be. What is the slope of a square?",
        ),
        Wrong(
            "divided-twice",
            program(count=lambda y: y.size * len(y)),
            "The slopes are divided by the number of examples once too often: the number of entries already holds it. "
            "How many numbers does the loss take its mean over?",
        ),
    ),
    hints=(
        "Two lines are at fault. Use `numerical_gradient` on each of the four parameters: `dW2` and `db2` depend on fewer lines "
        "than `dW1` and `db1`, so look at them first.",
        "First fault: `loss` is the mean over N·O entries; look at what `dout` is divided by. Second fault: the line of the table "
        "for tanh.",
        "`dout`: divide by `y.size`. `dz`: tanh's slope is 1 minus the square of its output.",
    ),
    unlocks="You have found what a gradient check is for.",
)
