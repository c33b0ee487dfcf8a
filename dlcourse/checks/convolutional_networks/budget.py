"""A small convolutional network that reads the digits nearly as well as any."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Network = dict[str, Any]


@cache
def training_digits() -> tuple[Array, NDArray[np.int64]]:
    from dlcourse.data import load_digits

    X, _, y, _ = load_digits(images=True)
    return X.astype(np.float64), y


def layer(name: str, arrays: dict[str, Array] | None = None, **options: Any) -> dict[str, Any]:
    return {"layer": name, "options": options, "arrays": arrays or {}}


def network(*layers: dict[str, Any]) -> Network:
    return {"network": "Sequential", "layers": layers}


def features(X: Array, weight: Array, bias: Array) -> Array:
    """Convolution without padding, ReLU, max pooling by 2: (N, 1, 8, 8) -> (N, O·9)."""
    windows = np.lib.stride_tricks.sliding_window_view(X[:, 0], (3, 3), axis=(1, 2))  # (N, 6, 6, 3, 3)
    h = np.maximum(np.tensordot(windows, weight[:, 0], axes=([3, 4], [1, 2])) + bias, 0)  # (N, 6, 6, O)
    pooled = h.reshape(len(X), 3, 2, 3, 2, -1).max(axis=(2, 4))  # (N, 3, 3, O)
    return np.asarray(pooled.transpose(0, 3, 1, 2).reshape(len(X), -1))


@cache
def fitted(filters: int, decay: float = 8, scale: float = 1) -> tuple[Array, Array, Array, Array]:
    """Random filters, and behind them the least-squares layer: no training loop, yet it reads (pixels times ``scale``)."""
    X, y = training_digits()
    X = X * scale
    rng = np.random.default_rng(2)
    weight, bias = rng.normal(size=(filters, 1, 3, 3)), 0.5 * rng.normal(size=filters)
    h = np.column_stack([features(X, weight, bias), np.ones(len(X))])
    solved = np.linalg.solve(h.T @ h + decay * np.eye(h.shape[1]), h.T @ (2 * np.eye(10)[y] - 1))
    return weight, bias, np.asarray(solved[:-1].T), np.asarray(solved[-1])


def of(weight: Array, bias: Array, W: Array, b: Array) -> Network:
    return network(
        layer("Conv2d", {"weight": weight, "bias": bias}, stride=(1, 1), padding=(0, 0)),
        layer("ReLU"),
        layer("MaxPool2d", kernel_size=2, stride=2, padding=0),
        layer("Flatten", start_dim=1, end_dim=-1),
        layer("Linear", {"weight": W, "bias": b}),
    )


def good() -> Network:
    return of(*fitted(90))


def changed(change: Callable[[Array, Array, Array, Array], tuple[Array, Array, Array, Array]]) -> Callable[[], Network]:
    """The good network with its arrays changed: (kernels, biases, weights, biases) -> the same."""
    return lambda: of(*change(*fitted(90)))


def for_pixels(scale: float, offset: float) -> Callable[[], Network]:
    """The good network as it would be for pixels that are ``scale`` times ours plus ``offset``."""
    return changed(lambda v, c, W, b: (v / scale, c - offset / scale * v.sum(axis=(1, 2, 3)), W, b))


def with_softmax_over_the_examples() -> Network:
    layers = good()["layers"]
    return network(*layers, layer("Softmax", dim=0))


def without_the_last_flatten() -> Network:
    """Scores from a convolution, which leaves an image of one pixel."""
    weight, bias, W, b = fitted(90)
    convolution, relu, pooling, *_ = of(weight, bias, W, b)["layers"]
    return network(convolution, relu, pooling, layer("Conv2d", {"weight": W.reshape(10, 90, 3, 3), "bias": b}))


def standardized() -> Network:
    X, _ = training_digits()
    return for_pixels(1 / X.std(), -X.mean() / X.std())()


def with_batch_norm() -> Network:
    """Batch norm that has never seen a batch in training mode: its running statistics are those of the start."""
    weight, bias, W, b = fitted(90)
    X, _ = training_digits()
    windows = np.lib.stride_tricks.sliding_window_view(X[:, 0], (3, 3), axis=(1, 2))
    h = np.tensordot(windows, weight[:, 0], axes=([3, 4], [1, 2])) + bias  # (N, 6, 6, O)
    mean, std = h.mean(axis=(0, 1, 2)), h.std(axis=(0, 1, 2))
    arrays = {"weight": std, "bias": mean, "running_mean": np.zeros(90), "running_var": np.ones(90)}
    convolution, *rest = of(5 * weight, bias, W, b)["layers"]
    return network(convolution, layer("BatchNorm2d", arrays, eps=0.0), *rest)


def no_inputs(rng: np.random.Generator) -> list[Case]:
    return [Case()]


DIGITS_BUDGET = Exercise(
    id="convolutional_networks.digits_in_10000_parameters",
    kind="target",
    title="Digits in 10,000 parameters",
    points=4,
    minutes=35,
    difficulty=3,
    function="digits_cnn",
    reference=good,
    inputs=no_inputs,
    driver="reads_with_convolutions",
    facts=lambda case, value: value,
    seconds=20,
    wrong=(
        Wrong(
            "nearly",
            lambda: of(*fitted(12)),
            "Nearly: between 900 and 985 of 1000 held-out digits are read. Where nearly all training digits are, a network that sees larger parts of the image, or images moved a little, can help; "
            "where they are not, more steps, another learning rate, or smaller steps toward the end. How many of the training digits does yours read?",
        ),
        Wrong(
            "less-than-90",
            lambda: of(*fitted(2)),
            "Your network reads less than 90 of 100 held-out digits. How many does it read of those it was trained on, and does the loss still fall when you stop?",
        ),
        Wrong(
            "untrained",
            lambda: changed(lambda v, c, W, b: (v, c, np.random.default_rng(0).normal(size=W.shape), b))(),
            "The scores are no better than guesses. If the loss falls while you train: is the network that you hand over the trained one, and do its layers come in the order in which it was trained?",
        ),
        Wrong(
            "always-the-same",
            changed(lambda v, c, W, b: (v, c, 0 * W, b)),
            "Every digit gets the same class. Print the scores of two images: are they the same, and is anything behind the ReLUs ever above 0?",
        ),
        Wrong(
            "not-finite",
            changed(lambda v, c, W, b: (v, c, W * np.nan, b)),
            "The scores hold NaN or infinity: training ran away. In which step did the loss become NaN, and how large was the learning rate?",
        ),
        Wrong(
            "too-many-parameters",
            lambda: of(*fitted(130)),
            "Your network reads well, but it has more than 10,000 parameters. Behind which layer do most of them lie, and how would one more pooling before it change that?",
        ),
        Wrong(
            "too-many-and-nearly",
            lambda: of(*fitted(110, 3e3)),
            "Your network has more than 10,000 parameters, and reads between 900 and 985 of 1000 held-out digits. Begin with the size: which layer has most of the parameters?",
        ),
        Wrong(
            "pixels-from-0-to-16",
            for_pixels(16, 0),
            "Your network reads when the pixels run from 0 to 16, as scikit-learn's do; here they run from 0 to 1. Where do your training images come from?",
        ),
        Wrong(
            "pixels-from-0-to-255",
            for_pixels(255, 0),
            "Your network reads when the pixels run from 0 to 255; here they run from 0 to 1. Which line of yours multiplies them?",
        ),
        Wrong(
            "pixels-divided-twice",
            lambda: of(*fitted(90, 1e-3, 1 / 16)),
            "Your network reads when the pixels are divided by 16 once more. `load_digits` of the course gives them from 0 to 1 already: which line of yours divides again?",
        ),
        Wrong(
            "pixels-divided-by-255",
            lambda: of(*fitted(90, 1e-6, 1 / 255)),
            "Your network reads when the pixels are divided by 255, as one does with photographs. What is the largest pixel in `X_train`?",
        ),
        Wrong(
            "pixels-inverted",
            for_pixels(-1, 1),
            "Your network reads inverted pixels, ink 0 and background 1; here ink is 1. Which line inverted them in training?",
        ),
        Wrong(
            "pixels-from-minus-1-to-1",
            for_pixels(2, -1),
            "Your network reads pixels that run from -1 to 1; here they run from 0 to 1. Which line moved them in training?",
        ),
        Wrong(
            "pixels-standardized",
            standardized,
            "Your network reads standardized pixels (minus their mean, divided by their standard deviation), but gets them as they are. A `BatchNorm2d(1)` in front can do that: where does the scaling stand now?",
        ),
        Wrong(
            "images-turned-over",
            changed(lambda v, c, W, b: (v.swapaxes(2, 3), c, W.reshape(10, 90, 3, 3).swapaxes(2, 3).reshape(10, -1), b)),
            "Your network reads images whose rows and columns are exchanged. Which `reshape` or `transpose` made your training images, and does a digit drawn from them stand upright?",
        ),
        Wrong(
            "running-statistics-missing",
            with_batch_norm,
            "Your network reads if batch norm takes its statistics from the batch, and not with the running ones it holds. Was it in training mode while it was trained, and were its buffers copied along with its weights?",
        ),
        Wrong(
            "not-a-sequential",
            {"network": "Net", "layers": ()},
            "Your network is a Module of another class than `nn.Sequential`, so the check cannot tell in which order its layers come. How would you write the same layers as one `nn.Sequential`?",
        ),
        Wrong(
            "weights-only",
            lambda: {"0.weight": fitted(90)[0], "0.bias": fitted(90)[1]},
            "That is a dict of arrays, such as `state_dict()` gives: weights without the layers that they belong to. What do you hand over, the network or what it holds?",
        ),
        Wrong(
            "image-of-scores",
            without_the_last_flatten,
            "What comes out for an image has shape (10, 1, 1): ten scores, but each still an image of one pixel. Which layer makes one row of it?",
        ),
        Wrong(
            "softmax-over-the-examples",
            with_softmax_over_the_examples,
            "Your softmax runs over axis 0, the examples: what an image gets depends on the others in its batch. Along which axis of (N, 10) do the scores of one image lie?",
        ),
        Wrong(
            "a-function",
            lambda images: images,
            "That is a function. Hand over the trained network itself, an `nn.Sequential`: which variable holds it?",
        ),
        Wrong(
            "eleven-scores",
            lambda: of(*fitted(90)[:2], np.ones((11, 810)), np.zeros(11)),
            "The network gives 11 scores for each image. How many classes of digits are there, and which is the first?",
        ),
        Wrong(
            "a-number",
            0.99,
            "That is a number, such as an accuracy. Hand over the trained network itself: which variable holds it?",
        ),
    ),
    hints=(
        "Count before you train: a convolution from C to O channels with kernels of 3 has 9 · C · O + O numbers, and the linear layer at the end has most of the rest. Two poolings bring 8 × 8 down to 2 × 2.",
        "Three convolutions, 1 → 16 → 16 → 32 channels, each with batch norm and ReLU, max pooling behind the second and average pooling behind the third, then Flatten and Linear(128, 10): about 8,500 numbers.",
        "Train it with AdamW at a peak learning rate of 0.01 with `OneCycleLR`, batches of 64, 30 epochs. A constant rate leaves the last steps jumping.",
    ),
    unlocks="A phone could hold a thousand of these.",
)  # fmt: skip
