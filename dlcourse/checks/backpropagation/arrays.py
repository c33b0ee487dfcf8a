"""Backward rules on arrays: a matrix product, a linear layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Three = tuple[Array, Array, Array]

# --- backpropagation.matmul_backward ------------------------------------------------------------------------------


def matmul_backward(dout: Array, A: Array, B: Array) -> tuple[Array, Array]:
    return dout @ B.T, A.T @ dout


def matmul_backward_by_einsum(dout: Array, A: Array, B: Array) -> tuple[Array, Array]:
    return np.einsum("no,do->nd", dout, B), np.einsum("nd,no->do", A, dout)


def matmul_backward_by_loops(dout: Array, A: Array, B: Array) -> tuple[Array, Array]:
    dA, dB = np.zeros_like(A), np.zeros_like(B)
    for n in range(A.shape[0]):
        for o in range(B.shape[1]):
            dA[n] += dout[n, o] * B[:, o]
            dB[:, o] += dout[n, o] * A[n]
    return dA, dB


def matmul_inputs(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, o: int, label: str = "", scale: float = 1.0) -> Case:
        shapes = ((n, o), (n, d), (d, o))
        return Case(tuple((scale * rng.normal(size=shape)).round(3) for shape in shapes), label)

    return [
        case(2, 3, 4),
        case(5, 2, 3),
        case(3, 4, 2),
        case(1, 4, 3, "a single row"),
        case(4, 1, 3, "a single column of A"),
        case(4, 3, 1, "a single column of B"),
        *(
            case(*nine, "square matrices")
            for nine in ((2, 2, 2), (3, 3, 3), (2, 3, 3), (3, 3, 2), (3, 2, 3), (2, 2, 4), (4, 2, 4))
        ),
        case(3, 2, 4, "large numbers", 1e4),
    ]


def rows_reshaped(dout: Array, A: Array, B: Array) -> tuple[Array, Array]:
    return dout @ B.reshape(B.shape[::-1]), A.reshape(A.shape[::-1]) @ dout


MATMUL_BACKWARD = Exercise(
    id="backpropagation.matmul_backward",
    kind="function",
    title="Back through a matrix product",
    points=2,
    minutes=10,
    difficulty=2,
    function="matmul_backward",
    reference=matmul_backward,
    alternatives=(matmul_backward_by_einsum, matmul_backward_by_loops),
    inputs=matmul_inputs,
    returns=("dA", "dB"),
    wrong=(
        Wrong(
            "reshape-for-transpose",
            rows_reshaped,
            "The shapes fit, but the numbers stand in wrong places: `reshape` keeps the order of reading and only cuts the rows "
            "elsewhere. Which operation exchanges rows and columns?",
        ),
        Wrong(
            "a-transposed",
            lambda dout, A, B: (B @ dout.T, A.T @ dout),
            "`dA` comes out with rows and columns exchanged. Which shape does a slope have, compared with what it belongs to?",
        ),
        Wrong(
            "b-transposed",
            lambda dout, A, B: (dout @ B.T, dout.T @ A),
            "`dB` comes out with rows and columns exchanged. Which shape does a slope have, compared with what it belongs to?",
        ),
        Wrong(
            "both-transposed",
            lambda dout, A, B: (B @ dout.T, dout.T @ A),
            "Both slopes come out with rows and columns exchanged. What is the rule for turning round a product of two matrices, "
            "and did you want to turn it round?",
        ),
        Wrong(
            "arriving-slope-ignored",
            lambda dout, A, B: (np.ones_like(dout) @ B.T, A.T @ np.ones_like(dout)),
            "Your result is right only where all slopes that arrive are 1: `dout` does not come in. "
            "What is each local slope multiplied with?",
        ),
        Wrong(
            "divided-by-rows",
            lambda dout, A, B: (dout @ B.T, A.T @ dout / len(A)),
            "`dB` is divided by the number of rows. If the loss is a mean, the division has already happened in `dout`: "
            "who should divide, and how often?",
        ),
        Wrong(
            "entry-by-entry",
            lambda dout, A, B: (A * dout.sum(axis=1, keepdims=True), B * dout.sum(axis=0)),
            "Each entry is multiplied by a sum of slopes and by itself, as if the product were entry by entry. "
            "In the product, what is the entry A[n, d] multiplied with?",
        ),
        Wrong(
            "output-for-slope",
            lambda dout, A, B: ((A @ B) @ B.T, A.T @ (A @ B)),
            "You multiply with the output A @ B where the slopes of the output belong. What does `dout` hold?",
        ),
    ),
    hints=(
        "Write the shapes down: `dout` (N, O), A (N, D), B (D, O). Which product of two of them has A's shape?",
        "A[n, d] is used in all of row n of the output, each time multiplied with a B[d, o]. "
        "Its slope is the sum over o of dout[n, o] · B[d, o].",
        "That sum is a matrix product of `dout` with B transposed. For B it is A transposed that meets `dout`, from the left.",
    ),
    unlocks="With `unbroadcast` this is all that a linear layer needs.",
)

# --- backpropagation.linear_backward ------------------------------------------------------------------------------


def linear_backward(dout: Array, x: Array, W: Array) -> Three:
    return dout @ W, dout.T @ x, dout.sum(axis=0)


def linear_backward_by_einsum(dout: Array, x: Array, W: Array) -> Three:
    return np.einsum("no,oi->ni", dout, W), np.einsum("no,ni->oi", dout, x), np.einsum("no->o", dout)


def linear_backward_by_example(dout: Array, x: Array, W: Array) -> list[Array]:
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros(len(W))
    for n, slopes in enumerate(dout):
        dx[n] = W.T @ slopes
        dW += np.outer(slopes, x[n])
        db += slopes
    return [dx, dW, db]


def linear_inputs(rng: np.random.Generator) -> list[Case]:
    def case(n: int, i: int, o: int, label: str = "", scale: float = 1.0) -> Case:
        shapes = ((n, o), (n, i), (o, i))
        return Case(tuple((scale * rng.normal(size=shape)).round(3) for shape in shapes), label)

    return [
        case(2, 3, 4),
        case(5, 2, 3),
        case(4, 3, 2),
        case(1, 4, 3, "one example"),
        case(3, 4, 1, "one output"),
        case(4, 1, 3, "one input"),
        case(2, 2, 2, "square matrices"),
        case(3, 3, 3, "square matrices"),
        case(4, 3, 3, "as many inputs as outputs"),
        case(3, 3, 2, "as many examples as inputs"),
        case(3, 2, 3, "as many examples as outputs"),
        case(3, 2, 5, "large numbers", 1e4),
    ]


def but(**parts: Any) -> Any:
    """The right answer but for some parts."""

    def answer(dout: Array, x: Array, W: Array) -> Three:
        right = dict(zip(("dx", "dW", "db"), linear_backward(dout, x, W), strict=True))
        dx, dW, db = ({**right, **{name: rule(dout, x, W) for name, rule in parts.items()}}).values()
        return dx, dW, db

    return answer


LINEAR_BACKWARD = Exercise(
    id="backpropagation.linear_backward",
    kind="function",
    title="Back through a linear layer",
    points=3,
    minutes=15,
    difficulty=2,
    function="linear_backward",
    reference=linear_backward,
    alternatives=(linear_backward_by_einsum, linear_backward_by_example),
    inputs=linear_inputs,
    returns=("dx", "dW", "db"),
    wrong=(
        Wrong(
            "bias-averaged",
            but(db=lambda dout, x, W: dout.mean(axis=0)),
            "`db` is the mean over the examples. The bias is used once for each of them: how do the shares of several uses combine? "
            "(If the loss is a mean, `dout` already knows.)",
        ),
        Wrong(
            "bias-over-wrong-axis",
            but(db=lambda dout, x, W: dout.sum(axis=1)),
            "`db` is summed over the outputs, so that it has one entry for each example. "
            "One bias belongs to each output: along which axis is it used again and again?",
        ),
        Wrong(
            "bias-not-summed",
            but(db=lambda dout, x, W: dout),
            "`db` is `dout` itself, one row for each example. The same bias was added to every row: "
            "what does that mean for its slope?",
        ),
        Wrong(
            "bias-local-slope",
            but(db=lambda dout, x, W: np.full(len(W), float(len(x)))),
            "`db` counts the examples: the local slope of 1, added up, without the slopes that arrive. Where does `dout` come in?",
        ),
        Wrong(
            "weight-transposed",
            but(dW=lambda dout, x, W: x.T @ dout),
            "`dW` has rows and columns exchanged: (inputs, outputs), and W is (outputs, inputs) here. "
            "Which of the two factors has to be turned round so that the outputs come first?",
        ),
        Wrong(
            "weight-reshaped",
            but(dW=lambda dout, x, W: (x.T @ dout).reshape(W.shape)),
            "`dW` has the right shape but the numbers stand in wrong places: `reshape` does not exchange rows and columns. What does?",
        ),
        Wrong(
            "divided-by-batch",
            but(dW=lambda dout, x, W: dout.T @ x / len(x), db=lambda dout, x, W: dout.mean(axis=0)),
            "`dW` and `db` are divided by the number of examples. A mean in the loss has already put that into `dout`: "
            "how often would it be divided then?",
        ),
        Wrong(
            "weight-divided",
            but(dW=lambda dout, x, W: dout.T @ x / len(x)),
            "`dW` is divided by the number of examples, `db` is not. Does anything in x Wᵀ + b divide?",
        ),
        Wrong(
            "summed-before-multiplying",
            but(dW=lambda dout, x, W: np.outer(dout.sum(axis=0), x.sum(axis=0))),
            "`dW` is the product of two sums, so the slopes of one example meet the inputs of all others. "
            "For which inputs is a sum of products the same as a product of sums?",
        ),
        Wrong(
            "arriving-slope-ignored",
            but(dx=lambda dout, x, W: np.ones_like(dout) @ W),
            "`dx` does not depend on `dout`: it is the sum of the rows of W, the same for all examples. "
            "What is each weight multiplied with on the way back?",
        ),
    ),
    hints=(
        "Write the shapes beside the names: dout (N, O), x (N, I), W (O, I). Which products give (N, I) and (O, I)?",
        "out[n, o] = Σᵢ x[n, i] · W[o, i] + b[o]. So W[o, i] is used once in each example, multiplied with x[n, i]; "
        "b[o] is used once in each example, multiplied with 1.",
        "dx: `dout` times W, no transpose needed. dW: `dout` transposed times x. db: sum `dout` over the examples.",
    ),
    unlocks="Two of these, with a tanh between, train the digits network at the end of this notebook.",
)
