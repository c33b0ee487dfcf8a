"""A small convolutional network for the digits: a window that slides over the image learns what to look for.

The layout is LeNet's (LeCun, Bottou, Bengio & Haffner 1998, figure 2): convolution and pooling, twice, then a multilayer
perceptron. ``cnn_torch.py`` holds the same class in PyTorch; weights cross by ``state_dict``, in both directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.data import DataLoader
from dlcourse.nn import Conv2d, Flatten, Linear, MaxPool2d, Module
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.ops.rule import Array
from dlcourse.optim import AdamW, lr_scheduler
from dlcourse.tensor import Tensor
from dlcourse.train import fit


class SmallCNN(Module):
    """Two convolutions with ReLU and pooling, and two linear layers: (N, 1, 8, 8) -> logits (N, 10); 13,706 numbers.

    Parameters
    ----------
    rng : source of the starting weights; None is a fresh one

    Attributes
    ----------
    conv1, conv2 : 3×3 kernels with a border of one pixel, 1 -> 16 -> 32 channels; each is followed by ReLU and 2×2 pooling
    hidden, output : 128 -> 64 -> 10, with ReLU between
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        rng = np.random.default_rng(rng)
        self.conv1 = Conv2d(1, 16, 3, padding=1, rng=rng)
        self.conv2 = Conv2d(16, 32, 3, padding=1, rng=rng)
        self.pool = MaxPool2d(2)
        self.flatten = Flatten()
        self.hidden = Linear(128, 64, rng=rng)
        self.output = Linear(64, 10, rng=rng)

    def forward(self, images: Any) -> Tensor:
        """(N, 1, 8, 8) -> (N, 10).

        Raises
        ------
        ValueError
            If the images have another shape.
        """
        check_images("SmallCNN", images)
        x = self.pool(F.relu(self.conv1(images)))  # (N, 16, 4, 4)
        x = self.pool(F.relu(self.conv2(x)))  # (N, 32, 2, 2)
        x = F.relu(self.hidden(self.flatten(x)))  # (N, 64)
        logits: Tensor = self.output(x)
        return logits


def train_small_cnn(
    images: Array, targets: Array, *, seed: int, epochs: int = 40, augmented: bool = False, progress: bool = True
) -> SmallCNN:
    """Train with AdamW on a one-cycle schedule, batches of 64, and return the network in evaluation mode.

    Parameters
    ----------
    images, targets : (N, 1, 8, 8) pixels from 0 to 1, and (N,) digits
    seed : decides the starting weights, the order of the examples and the augmentation
    epochs : passes over the examples; with augmentation it gains from more, such as 100
    augmented : move, turn, stretch and slant the images, anew for each batch (by ``cnn_torch.augment``)
    progress : show a bar, where somebody can see it

    Raises
    ------
    ValueError
        If images or targets have another shape.
    """
    X, y = examples("train_small_cnn", images, targets)
    rng = np.random.default_rng(seed)
    model = SmallCNN(rng)
    batches: Any = DataLoader((X, y), min(64, len(X)), shuffle=True, drop_last=True, rng=rng)
    if augmented:
        from dlcourse.models.cnn_torch import AugmentedBatches

        batches = AugmentedBatches(batches, seed)
    optimizer = AdamW(model.parameters(), lr=1e-2, weight_decay=1e-4)
    schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * len(batches))
    fit(
        model, batches, F.cross_entropy, optimizer, epochs=epochs, schedule=schedule, schedule_every="step",
        progress=progress,
    )  # fmt: skip
    return model


def check_images(name: str, images: Any) -> None:
    """Refuse what is not (N, 1, 8, 8); ``name`` is the function's, for the error.

    Raises
    ------
    ValueError
        That says the shape, and what makes it right.
    """
    shape = tuple(np.shape(images))
    if len(shape) != 4 or shape[1:] != (1, 8, 8):
        raise ValueError(f"{name}: images of shape {shape}, but it reads (N, 1, 8, 8); {_remedy(shape)}")


def _remedy(shape: tuple[int, ...]) -> str:
    match shape:
        case (_, 64):
            return "images.reshape(-1, 1, 8, 8), or load_digits(images=True), gives it"
        case (8, 8):
            return "images[None, None] makes a batch of this one image"
        case (_, 8, 8):
            return "images[:, None] adds the axis of channels"
        case (_, 8, 8, 1):
            return "the axis of channels belongs behind that of the examples: images.reshape(-1, 1, 8, 8)"
        case (_, _, 8, 8):
            return "the mean over the channels, kept as an axis, makes them gray"
        case (_, 1, _, _):
            return "resize them to 8×8 pixels"
    return "load_digits(images=True) gives images of that shape"


def examples(name: str, images: Any, targets: Any) -> tuple[Array, Array]:
    """Images in float32 and digits in int64, or an error; ``name`` is the function's, for the error.

    Raises
    ------
    ValueError
        That says what was given, and what makes it right.
    """
    check_images(name, images)
    X, y = np.ascontiguousarray(images, dtype=np.float32), np.asarray(targets)
    N = len(X)
    if not N:
        raise ValueError(f"{name}: 0 images; give some to learn from")
    if y.shape != (N,):
        remedy = (
            "argmax(axis=1) turns rows with a single 1 into digits" if y.ndim == 2 else "give a digit for each image"
        )
        raise ValueError(f"{name}: targets of shape {y.shape} for {N} images; {remedy}")
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() > 9:
        raise ValueError(
            f"{name}: targets of dtype {y.dtype} from {y.min()} to {y.max()}; give whole numbers from 0 to 9"
        )
    return X, y.astype(np.int64)
