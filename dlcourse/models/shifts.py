"""What a shift by one pixel does to classifiers of the digits: the SVM, unit 04's perceptron, two convolutional networks.

``benchmarks/convolutional_networks.py`` trains each kind from several seeds, and writes what came out into ``shifts.csv``
beside this file, where an installed course finds it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.data import DataLoader, load_digits
from dlcourse.graph import no_grad
from dlcourse.models.cnn import train_small_cnn
from dlcourse.nn import Flatten, Linear, ReLU, Sequential, init
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.ops.rule import Array
from dlcourse.optim import SGD, lr_scheduler
from dlcourse.train import fit

MEASURED = Path(__file__).parent / "shifts.csv"

KINDS = (
    "SVM", "MLP", "MLP, augmented", "SmallCNN", "SmallCNN, augmented", "DigitsCNN", "DigitsCNN, augmented",
)  # fmt: skip
DIRECTIONS = {  # name -> pixels down, pixels to the right
    "none": (0, 0), "up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1),
    "up left": (-1, -1), "up right": (-1, 1), "down left": (1, -1), "down right": (1, 1),
}  # fmt: skip

EPOCHS, EPOCHS_AUGMENTED = 40, 100  # of the two small networks: changed images take longer to learn

Classifier = Callable[[Array], Array]


def measured() -> dict[tuple[str, str], Array]:
    """What the script wrote: (kind, direction) -> the test accuracy of each seed, (S,); (kind, "seconds") -> its CPU time.

    The directions are the keys of ``DIRECTIONS``, "none" among them: the test images where they are.
    """
    _, header, *lines = MEASURED.read_text(encoding="utf-8").splitlines()
    columns = header.split(";")[2:]
    found: dict[tuple[str, str], list[float]] = {}
    for kind, _, *values in (line.split(";") for line in lines):
        for column, value in zip(columns, values, strict=True):
            found.setdefault((kind, column), []).append(float(value))
    return {key: np.array(values) for key, values in found.items()}


def shift(images: Array, down: int, right: int) -> Array:
    """Whole images moved by whole pixels: (..., H, W) -> (..., H, W). What leaves is lost, what comes in is 0.

    Parameters
    ----------
    down, right : pixels; negative numbers move up and to the left
    """
    H, W = images.shape[-2:]
    moved = np.zeros_like(images)
    moved[..., max(down, 0) : H + min(down, 0), max(right, 0) : W + min(right, 0)] = images[
        ..., max(-down, 0) : H + min(-down, 0), max(-right, 0) : W + min(-right, 0)
    ]
    return moved


def accuracies(classify: Classifier) -> dict[str, float]:
    """The share of the 450 test images that are read right, for each of ``DIRECTIONS``, all of them moved alike."""
    _, images, _, targets = load_digits(images=True)
    return {name: float((classify(shift(images, *pixels)) == targets).mean()) for name, pixels in DIRECTIONS.items()}


def classifier(kind: str, seed: int) -> Classifier:
    """Train one of ``KINDS`` on the course's training images: a function of images (N, 1, 8, 8) to digits (N,).

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"classifier: kind={kind!r}; choose one of {'; '.join(KINDS)}")
    images, _, targets, _ = load_digits(images=True)
    name, _, augmented = kind.partition(", ")
    if name == "SVM":
        return _svm(images, targets)
    if name == "DigitsCNN":
        return _digits_cnn(images, targets, seed, bool(augmented))
    train, epochs = train_mlp if name == "MLP" else train_small_cnn, EPOCHS_AUGMENTED if augmented else EPOCHS
    model = train(images, targets, seed=seed, epochs=epochs, augmented=bool(augmented), progress=False)

    def classify(images: Array) -> Array:
        with no_grad():
            return np.asarray(model(images).data.argmax(axis=1))

    return classify


def _svm(images: Array, targets: Array) -> Classifier:
    from sklearn.svm import SVC

    model = SVC(C=10).fit(images.reshape(-1, 64), targets)  # lesson 4's; it draws nothing, so seeds do not apply
    return lambda images: np.asarray(model.predict(images.reshape(-1, 64)))


def _digits_cnn(images: Array, targets: Array, seed: int, augmented: bool) -> Classifier:
    import torch

    from dlcourse.models.cnn_torch import train_classifier

    model = train_classifier(images, targets, seed=seed, augmented=augmented, device="cpu", progress=False)

    def classify(images: Array) -> Array:
        with torch.no_grad():
            return np.asarray(model(torch.from_numpy(images)).argmax(1))

    return classify


def train_mlp(
    images: Array, targets: Array, *, seed: int, epochs: int = EPOCHS, augmented: bool = False, progress: bool = True
) -> Sequential:
    """Unit 04's network, 64-256-128-10, trained as there: momentum 0.9, a cosine from 0.1 down to 0, batches of 32.

    Parameters
    ----------
    images, targets : (N, 1, 8, 8) or (N, 64) pixels from 0 to 1, and (N,) digits
    seed : decides the starting weights, the order of the examples and the augmentation
    epochs : passes over the examples
    augmented : change the images by ``cnn_torch.augment`` anew for each batch; they must be (N, 1, 8, 8)
    progress : show a bar, where somebody can see it
    """
    rng = np.random.default_rng(seed)
    layers = [_he(o, i, rng) for i, o in ((64, 256), (256, 128), (128, 10))]
    model = Sequential(Flatten(), layers[0], ReLU(), layers[1], ReLU(), layers[2])
    batches: Any = DataLoader((images, targets), 32, shuffle=True, rng=rng)
    if augmented:
        from dlcourse.models.cnn_torch import AugmentedBatches

        batches = AugmentedBatches(batches, seed)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(batches))
    fit(
        model, batches, F.cross_entropy, optimizer, epochs=epochs, schedule=schedule, schedule_every="step",
        progress=progress,
    )  # fmt: skip
    return model


def _he(out_features: int, in_features: int, rng: np.random.Generator) -> Linear:
    layer = Linear(in_features, out_features, rng=np.random.default_rng(0))
    layer.weight.data[...] = rng.normal(0, math.sqrt(2 / in_features), layer.weight.shape)
    assert layer.bias is not None
    init.zeros_(layer.bias)
    return layer
