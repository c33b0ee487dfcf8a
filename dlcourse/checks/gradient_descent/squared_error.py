"""Mean squared error and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Pair = tuple[Any, Any]


# --- gradient_descent.mse -----------------------------------------------------------------------------------------


def mse(pred: Array, target: Array) -> Pair:
    error = pred - target  # (N, D)
    return np.mean(error**2), 2 * error / error.size


def mse_by_sums(pred: Array, target: Array) -> Pair:
    N, D = pred.shape
    loss, dpred = 0.0, np.zeros((N, D))
    for i in range(N):
        for j in range(D):
            loss += (pred[i, j] - target[i, j]) ** 2 / (N * D)
            dpred[i, j] = 2 * (pred[i, j] - target[i, j]) / (N * D)
    return loss, dpred


def mse_by_dot(pred: Array, target: Array) -> Pair:
    error = np.subtract(pred, target).ravel()
    return float(error @ error) / len(error), (error * (2 / len(error))).reshape(pred.shape)


def mse_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, label: str = "", scale: float = 1.0) -> Case:
        return Case((scale * rng.normal(size=(N, D)), scale * rng.normal(size=(N, D))), label)

    return [
        Case((np.array([[1.0, 2.5], [-0.5, 0.3], [-1.0, 2.0]]), np.array([[0.4, 3.0], [0.5, 1.5], [-1.2, 0.7]]))),
        case(4, 3),
        case(3, 5),
        case(1, 4, "one example"),
        Case(
            (np.array([[1.0, 2.0], [-0.5, 0.0], [3.0, -1.0]]), np.array([[1.0, 2.5], [-0.5, 0.0], [2.0, -1.0]])),
            "some predictions exactly right",
        ),
        Case((np.array([[1.0, 2.0, -0.5]] * 2), np.array([[1.0, 2.0, -0.5]] * 2)), "all predictions exactly right"),
        Case(
            (
                np.array([[1.0, -0.5], [2.0, 0.3], [0.1, 0.7]]),
                np.array([[1.004, -0.503], [1.992, 0.3005], [0.1001, 0.698]]),
            ),
            "small errors",
        ),
        case(3, 3, "as many numbers as examples"),
        case(5, 1, "a single column"),
        case(3, 2, "large numbers", 1e4),
    ]


def mse_summed(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.sum(error**2), 2 * error


def mse_over_examples(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.sum(error**2) / len(error), 2 * error / len(error)


def mse_gradient_of_sum(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2), 2 * error


def mse_gradient_over_examples(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2), 2 * error / len(error)


def mse_two_forgotten(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2), error / error.size


def mse_halved(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2) / 2, error / error.size


def mse_turned(pred: Array, target: Array) -> Pair:
    error = target - pred
    return np.mean(error**2), 2 * error / error.size


def mse_absolute(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(np.abs(error)), np.sign(error) / error.size


def mse_root(pred: Array, target: Array) -> Pair:
    error = pred - target
    root = np.sqrt(np.mean(error**2))
    return root, error / (error.size * root)


def mse_by_example(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2, axis=1), 2 * error / error.shape[1]


def mse_error_averaged_first(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error) ** 2, 2 * np.mean(error) / error.size * np.ones_like(error)


def mse_squared_before_subtracting(pred: Array, target: Array) -> Pair:
    return np.mean(pred**2 - target**2), 2 * (pred - target) / pred.size


def mse_one_less(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.sum(error**2) / (error.size - 1), 2 * error / (error.size - 1)


def mse_number_squared(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.sum(error**2) / len(error) ** 2, 2 * error / len(error) ** 2


def mse_small_ignored(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2), np.where(np.abs(error) < 0.01, 0, 2 * error / error.size)


def mse_slope_by_quotient(pred: Array, target: Array) -> Pair:
    error = pred - target
    return np.mean(error**2), 2 * error**2 / error / error.size


MSE = Exercise(
    id="gradient_descent.mse",
    kind="function",
    title="Mean squared error and its gradient",
    points=2,
    minutes=8,
    difficulty=1,
    function="mse",
    reference=mse,
    alternatives=(mse_by_sums, mse_by_dot),
    inputs=mse_inputs,
    returns=("loss", "dpred"),
    wrong=(
        Wrong(
            "sum-for-mean",
            mse_summed,
            "The squared errors are summed, not averaged, so the loss and its gradient grow with the size of the batch. "
            "How many numbers does the mean of an (N, D) array divide by?",
        ),
        Wrong(
            "averaged-over-examples-only",
            mse_over_examples,
            "You divide by the number of examples N, so the loss is D times too large. "
            "How many entries does an (N, D) array have?",
        ),
        Wrong(
            "gradient-of-the-sum",
            mse_gradient_of_sum,
            "The loss is right, but the gradient belongs to the sum of squares: the mean's division is missing in it. "
            "If the loss is divided by a constant, what happens to every slope?",
        ),
        Wrong(
            "gradient-over-examples-only",
            mse_gradient_over_examples,
            "The loss is right, but the gradient is divided by N only. "
            "What does the mean over an (N, D) array divide by?",
        ),
        Wrong(
            "two-forgotten",
            mse_two_forgotten,
            "The loss is right; every slope is half of what it should be. What is the derivative of e²?",
        ),
        Wrong(
            "half-squared-error",
            mse_halved,
            "Loss and gradient both are half of the right ones: that is the loss with a ½ in front, which some books use. "
            "Does the formula asked for have one?",
        ),
        Wrong(
            "gradient-turned",
            mse_turned,
            "The loss is right, but the gradient has the opposite sign: it is that with respect to `target`. "
            "If a prediction is too high and you raise it further, does the loss rise or fall?",
        ),
        Wrong(
            "absolute-error",
            mse_absolute,
            "This is the mean absolute error: all its slopes have the same size, however large the error. "
            "What turns an error of 3 into a cost of 9?",
        ),
        Wrong(
            "root-taken",
            mse_root,
            "This is the root of the mean squared error, with the gradient of that. Which word of the name is one too many?",
        ),
        Wrong(
            "one-loss-for-each-example",
            mse_by_example,
            "You average each example by itself, so there are N losses instead of one. "
            "Over which axes does a mean over *all* entries go?",
        ),
        Wrong(
            "squared-before-subtracting",
            mse_squared_before_subtracting,
            "The gradient is right, but the loss subtracts squares instead of squaring differences, so it can even be negative. "
            "Which comes first, the difference or the square?",
        ),
        Wrong(
            "one-entry-too-few",
            mse_one_less,
            "You divide by the number of entries minus 1, as for the variance of a sample. Was a mean estimated here, "
            "that a degree of freedom should be lost?",
        ),
        Wrong(
            "n-times-n",
            mse_number_squared,
            "You divide by N times N. The errors have N rows, but how many columns?",
        ),
        Wrong(
            "small-errors-without-slope",
            mse_small_ignored,
            "The slopes of small errors (below about 0.01) are set to zero, so training would stop short of the bottom. "
            "Is the derivative of e² zero anywhere but at e = 0?",
        ),
        Wrong(
            "divided-by-the-error",
            mse_slope_by_quotient,
            "Where a prediction is exactly right, you divide zero by zero. Can the slope be written without dividing by the error?",
        ),
        Wrong(
            "averaged-before-squaring",
            mse_error_averaged_first,
            "The errors are averaged first and squared afterwards, so an error of +3 and one of -3 cancel to nothing. "
            "Which comes first, the square or the mean?",
        ),
    ),
    hints=(
        "Name the error first: one array of shape (N, D). Both results come from it.",
        "The loss is a mean over N·D squares. Its slope for one entry: derivative of the square, divided by the same N·D.",
        "`np.mean(error ** 2)` for the loss; for the gradient, twice the error divided by `error.size`.",
    ),
    unlocks="It is the loss of every regression in the course.",
)
