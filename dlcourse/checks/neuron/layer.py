"""Exercise on a layer of neurons: one matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.neuron.forward import expit, neuron, overflowing
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def layer(X: Array, W: Array, b: Array) -> Array:
    return expit(X @ W.T + b)


def layer_by_loops(X: Array, W: Array, b: Array) -> Any:
    return np.array([[neuron(x, w, bias) for w, bias in zip(W, b, strict=True)] for x in X])


def layer_by_einsum(X: Array, W: Array, b: Array) -> Any:
    return np.exp(-np.logaddexp(0, -(np.einsum("nd,od->no", X, W) + b[None, :])))


def layer_inputs(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, o: int, label: str = "") -> Case:
        return Case((rng.normal(size=(n, d)), rng.normal(size=(o, d)), rng.normal(size=o) + 0.3), label)

    large = np.array([[5000.0, -300.0, 20.0], [-5000.0, 300.0, 10.0]])
    weights = np.array([[1.0, 0.5, -1.0], [2.0, -0.1, 0.3], [0.1, 0.2, 0.3], [1.5, 1.0, 1.0]])
    biases = np.array([0.1, -0.2, 0.3, -0.4])
    return [
        case(2, 3, 4),
        case(5, 2, 3),
        case(3, 4, 2),
        case(2, 3, 4),
        case(1, 4, 3, "one example"),
        case(3, 4, 1, "a layer of one neuron"),
        case(4, 1, 3, "a single input"),
        case(1, 1, 1, "one example, one input and one neuron"),
        case(4, 3, 3, "as many neurons as inputs"),
        case(3, 2, 3, "as many neurons as examples"),
        case(3, 3, 2, "as many examples as inputs"),
        case(3, 3, 3, "square arrays"),
        Case((np.array([[1.0, 2.0], [0.0, 0.0], [2.0, -1.0]]), np.array([[0.5, -1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 2.0]]),
              np.array([0.5, -1.0, 0.0, 0.0])), "scores of exactly 0"),
        Case((large, weights, biases), "large scores"),
        Case((large[::-1].copy(), weights, biases), "large scores"),
    ]  # fmt: skip


def layer_softmax(X: Array, W: Array, b: Array) -> Any:
    z = X @ W.T + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


LAYER = Exercise(
    id="neuron.layer",
    kind="function",
    title="A layer of neurons as one matrix product",
    points=2,
    minutes=10,
    difficulty=2,
    function="layer",
    reference=layer,
    alternatives=(layer_by_loops, layer_by_einsum),
    inputs=layer_inputs,
    wrong=(
        Wrong(
            "bias-forgotten",
            lambda X, W, b: expit(X @ W.T),
            "The biases are not used: an example of zeros gives one half everywhere. Which argument is still idle?",
        ),
        Wrong(
            "no-activation",
            lambda X, W, b: X @ W.T + b,
            "These are the scores; some lie outside 0 to 1. What does each neuron do with its score?",
        ),
        Wrong(
            "step-activation",
            lambda X, W, b: np.where(X @ W.T + b > 0, 1.0, 0.0),
            "Every output is 0 or 1: the activation is the step. Which one does the task ask for?",
        ),
        Wrong(
            "tanh-activation",
            lambda X, W, b: np.tanh(X @ W.T + b),
            "The activation is tanh, so negative scores give negative outputs. Between which numbers does the sigmoid stay?",
        ),
        Wrong(
            "relu-activation",
            lambda X, W, b: np.maximum(0.0, X @ W.T + b),
            "The activation is ReLU: negative scores give 0, and positive ones come out as they are. "
            "Which activation does the task ask for?",
        ),
        Wrong(
            "sigmoid-twice",
            lambda X, W, b: expit(expit(X @ W.T + b)),
            "The sigmoid is applied twice, so all outputs lie between one half and 0.74. "
            "Does a function that you call apply it already?",
        ),
        Wrong(
            "softmax-activation",
            layer_softmax,
            "Each of your rows sums to 1, so the neurons of the layer compete. Should one neuron of this layer know "
            "what the others say?",
        ),
        Wrong(
            "transposed",
            lambda X, W, b: expit(W @ X.T + b[:, None]),
            "The numbers are right, but each row is a neuron and each column an example. "
            "Which axis should the examples lie on?",
        ),
        Wrong(
            "weights-reshaped",
            lambda X, W, b: expit(X @ W.reshape(W.shape[1], W.shape[0]) + b),
            "The weights were reshaped to (D, O): that keeps the order in memory, so the weights of different neurons "
            "get mixed. Which operation exchanges rows and columns instead?",
        ),
        Wrong(
            "bias-after-activation",
            lambda X, W, b: expit(X @ W.T) + b,
            "The biases are added after the sigmoid, so outputs can leave the range from 0 to 1. "
            "Where do they stand in the formula?",
        ),
        Wrong(
            "bias-subtracted",
            lambda X, W, b: expit(X @ W.T - b),
            "The biases are subtracted. Should a larger bias make a neuron fire more or less?",
        ),
        Wrong(
            "mean-for-sum",
            lambda X, W, b: expit(X @ W.T / X.shape[1] + b),
            "The products are averaged over the D inputs instead of summed. What does a dot product do with its terms?",
        ),
        Wrong(
            "first-example-only",
            lambda X, W, b: expit(W @ X[0] + b),
            "Only the first example is answered. What does the first axis of X count, and where should it be in the result?",
        ),
        Wrong(
            "overflow",
            lambda X, W, b: overflowing(X @ W.T + b),
            "Right for ordinary scores; for large ones both parts of your fraction overflow, and inf / inf is nan. "
            "Could you call the sigmoid that you mended in the exercise before?",
        ),
    ),
    hints=(
        "Write the shapes side by side: X is (N, D), W is (O, D), the result is (N, O). Which axis disappears?",
        "The D axes have to meet: the second axis of X with the second axis of W. "
        "The bias (O,) is then added to every row by broadcasting.",
        "`X @ W.T` is (N, O); add `b`, then apply your `sigmoid` to the whole array.",
    ),
    unlocks="Stack two of these and you have the network of unit 04.",
)
