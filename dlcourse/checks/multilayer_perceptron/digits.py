"""A network of one's own that reads the digits, within a budget of numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.multilayer_perceptron.forward import Layers
from dlcourse.drivers import Case

Array = NDArray[np.float64]


@cache
def training_digits() -> tuple[Array, NDArray[np.int64]]:
    from dlcourse.data import load_digits

    X, _, y, _ = load_digits()
    return X.astype(np.float64), y


def fitted(hidden: int, function: Callable[[Array], Array] = lambda z: np.maximum(0, z), gain: float = 2.0) -> Layers:
    """A network whose first layer is random and whose second is the least-squares one: no training loop, yet it reads."""
    X, y = training_digits()
    rng = np.random.default_rng(1)
    W, b = rng.normal(0, np.sqrt(gain / 64), (hidden, 64)), rng.normal(0, 0.3, hidden)
    h = np.column_stack([function(X @ W.T + b), np.ones(len(X))])
    solved = np.linalg.solve(h.T @ h + 0.1 * np.eye(hidden + 1), h.T @ np.eye(10)[y])  # (H + 1, 10)
    return [(W, b), (np.asarray(solved[:-1].T), np.asarray(solved[-1]))]


def good() -> Layers:
    return fitted(250)


def of_good(change: Callable[[Array, Array, Array, Array], Any]) -> Callable[[], Any]:
    """The good network, its (W1, b1, W2, b2) put together in another way."""
    return lambda: change(*[array for pair in good() for array in pair])


def standardized(W1: Array, b1: Array, W2: Array, b2: Array) -> Layers:
    X, _ = training_digits()
    mean, std = X.mean(axis=0), X.std(axis=0)
    return [(W1 * std, b1 + W1 @ mean), (W2, b2)]


def centered(W1: Array, b1: Array, W2: Array, b2: Array) -> Layers:
    X, _ = training_digits()
    return [(W1, b1 + W1 @ X.mean(axis=0)), (W2, b2)]


def linear() -> Layers:
    """Two layers that read without ReLU: the linear least-squares map, sent through a hidden layer of 10."""
    X, y = training_digits()
    long = np.column_stack([X, np.ones(len(X))])
    solved = np.linalg.solve(long.T @ long + 1e-3 * np.eye(65), long.T @ np.eye(10)[y])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))[0]
    return [(5 * turn @ solved[:-1].T, 5 * turn @ solved[-1] - 3), (turn.T / 5, turn.T @ np.full(10, 0.6))]


DIGITS_NETWORK = Exercise(
    id="multilayer_perceptron.digits_network",
    kind="target",
    title="A network of your own that reads digits",
    points=4,
    minutes=35,
    difficulty=3,
    function="digits_network",
    reference=good,
    inputs=lambda rng: [Case()],
    driver="reads_with_layers",
    facts=lambda case, value: value,
    seconds=20,
    wrong=(
        Wrong(
            "less-than-90",
            lambda: fitted(40),
            "Your network reads less than 90 of 100 held-out digits. How many does it read of those it was trained on? If that is no more, "
            "does the loss still fall when you stop; if it is, was something different there?",
        ),
        Wrong(
            "nearly",
            lambda: fitted(80),
            "Nearly: between 90 and 97 of 100 are read. What is still to be had: more neurons (the budget allows them), more epochs, "
            "another learning rate, smaller steps toward the end? Which of them does the training loss speak for?",
        ),
        Wrong(
            "untrained",
            lambda: [
                (np.random.default_rng(3).normal(size=(32, 64)) / 6, np.zeros(32)),
                (np.random.default_rng(4).normal(size=(10, 32)) / 4, np.zeros(10)),
            ],
            "The scores are no better than guesses. If the loss falls while you train: are the trained arrays the ones that you hand over, "
            "and did they see the same kind of images, pixels from 0 to 1 and background 0?",
        ),
        Wrong(
            "always-the-same",
            of_good(lambda W1, b1, W2, b2: [(W1, b1), (0 * W2, b2)]),
            "Every digit gets the same class. Print the scores of two images: are they the same, and are the neurons of the hidden layer ever on?",
        ),
        Wrong(
            "not-finite",
            of_good(lambda W1, b1, W2, b2: [(W1, b1), (W2 * np.nan, b2)]),
            "The scores hold NaN or infinity: training ran away. In which step did the loss become NaN, and how large was the learning rate?",
        ),
        Wrong(
            "too-many-numbers",
            lambda: fitted(300),
            "Your network reads well, but it has more than 20,000 weights and biases. Between which two layers do most of them lie?",
        ),
        Wrong(
            "weights-transposed",
            of_good(lambda W1, b1, W2, b2: [(W1.T, b1), (W2.T, b2)]),
            "Your weights lie as (I, O), inputs first. In this course, as in PyTorch, W has one row for each output. Which attribute turns a table round?",
        ),
        Wrong(
            "not-in-pairs",
            of_good(lambda W1, b1, W2, b2: [W1, b1, W2, b2]),
            "You hand over arrays in one row. How does `layers` group them, one entry for each layer?",
        ),
        Wrong(
            "pixels-from-0-to-16",
            of_good(lambda W1, b1, W2, b2: [(W1 / 16, b1), (W2, b2)]),
            "Your network reads when the pixels run from 0 to 16, as scikit-learn's do; here they run from 0 to 1. Where do your training images come from?",
        ),
        Wrong(
            "pixels-standardized",
            of_good(standardized),
            "Your network reads standardized pixels (minus mean, divided by standard deviation), but gets them as they are. "
            "A standardization is a linear step: into which W and b can you fold it?",
        ),
        Wrong(
            "pixels-centered",
            of_good(centered),
            "Your network reads pixels whose mean was subtracted, but gets them as they are. Into which bias can you fold that subtraction "
            "(and, if you divided by a standard deviation too, into which W that)?",
        ),
        Wrong(
            "pixels-inverted",
            of_good(lambda W1, b1, W2, b2: [(-W1, b1 + W1.sum(axis=1)), (W2, b2)]),
            "Your network reads inverted pixels, ink 0 and background 1; here ink is 1. Which line inverted them in training, and into which W and b can you fold it?",
        ),
        Wrong(
            "pixels-from-minus-1-to-1",
            of_good(lambda W1, b1, W2, b2: [(W1 / 2, b1 + W1.sum(axis=1) / 2), (W2, b2)]),
            "Your network reads pixels that run from -1 to 1; here they run from 0 to 1. Which line moved them in training, and into which W and b can you fold it?",
        ),
        Wrong(
            "trained-without-relu",
            linear,
            "Your network reads more without ReLU than with it. Does the way forward in your training loop have the ReLU that `mlp_forward` has, "
            "or another function (tanh is nearly a straight line for small sums)?",
        ),
        Wrong(
            "trained-with-tanh",
            lambda: fitted(250, np.tanh, gain=10),
            "Your network reads with tanh between its layers; the check puts ReLU there. Which function does the task name?",
        ),
        Wrong(
            "trained-with-the-sigmoid",
            lambda: fitted(250, lambda z: 1 / (1 + np.exp(-z))),
            "Your network reads with the sigmoid between its layers; the check puts ReLU there. Which function does the task name?",
        ),
        Wrong(
            "other-names",
            of_good(lambda W1, b1, W2, b2: [(W1, b1), (np.roll(W2, 1, axis=0), np.roll(b2, 1))]),
            "Your network tells the digits apart, but calls them by other names: nearly always the same wrong class for a digit. "
            "Do your one-hot columns count from 0?",
        ),
    ),
    hints=(
        "Put your pieces together: `he_init` for the weights, zeros for the biases; then for each batch `mlp_forward`, the slopes of the loss, "
        "`mlp_backward`, and a step for each pair.",
        "The slopes of the loss are (softmax - one-hot) / B. Watch the training loss: it should begin near ln 10 = 2.3 or a little above and fall in every epoch.",
        "One hidden layer of 128 neurons has 9,610 numbers. Batches of 32 and 40 epochs are enough, with a learning rate that falls evenly from 0.3 to nearly 0: "
        "at a constant rate the last steps can still jump.",
    ),
    unlocks="You have built, from nothing but arrays, a network that reads handwriting.",
)
