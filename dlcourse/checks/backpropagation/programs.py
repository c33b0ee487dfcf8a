"""A backward pass to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


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
        case(2, 2, 2, 2, "square matrices"),
        case(3, 3, 3, 3, "square matrices"),
        case(3, 2, 4, 3, "as many examples as outputs"),
    ]


def program(
    slope: Callable[[Array, Array], Array] = lambda z, h: 1 - h**2,
    slope_of_dh: bool = False,
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
        dh = dout @ W2
        dz = dh * (1 - dh**2 if slope_of_dh else slope(z, h))
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
            "slope-from-arriving",
            program(slope_of_dh=True),
            "tanh's slope is written with `dh`, the slope that arrives, in place of a number of the forward pass. "
            "What does the line of the table square?",
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
