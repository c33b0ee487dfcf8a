"""Convolutional networks for the digits in PyTorch: the twin of ``cnn.py``, and the classifier that later units use.

``DigitsCNN`` has what came after LeNet: pairs of 3×3 convolutions (Simonyan & Zisserman 2014), batch normalization (Ioffe
& Szegedy 2015), dropout (Srivastava et al. 2014), and pictures that are changed a little each time they are seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.data import DataLoader, load_digits
from dlcourse.models.cnn import check_images, examples
from dlcourse.models.kept_torch import load_or_train
from dlcourse.ops.rule import Array
from dlcourse.train import fit


class SmallCNN(nn.Module):
    """Two convolutions with ReLU and pooling, and two linear layers: (N, 1, 8, 8) -> logits (N, 10); 13,706 numbers.

    Attributes
    ----------
    conv1, conv2 : 3×3 kernels with a border of one pixel, 1 -> 16 -> 32 channels; each is followed by ReLU and 2×2 pooling
    hidden, output : 128 -> 64 -> 10, with ReLU between
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(128, 64)
        self.output = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
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
        logits: torch.Tensor = self.output(x)
        return logits


class DigitsCNN(nn.Module):
    """Four convolutions with batch normalization, and one linear layer: (N, 1, 8, 8) -> logits (N, 10); 67,754 numbers.

    Attributes
    ----------
    features : (N, 1, 8, 8) -> (N, 256): twice two 3×3 convolutions, each with batch norm and ReLU, and 2×2 pooling;
        1 -> 32 -> 32 -> 64 -> 64 channels
    dropout, output : 256 -> 10
    """

    def __init__(self) -> None:
        super().__init__()
        pool = nn.MaxPool2d(2)
        self.features = nn.Sequential(
            *_convolution(1, 32), *_convolution(32, 32), pool,  # (N, 32, 4, 4)
            *_convolution(32, 64), *_convolution(64, 64), pool,  # (N, 64, 2, 2)
            nn.Flatten(),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(256, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1, 8, 8) -> (N, 10).

        Raises
        ------
        ValueError
            If the images have another shape.
        """
        check_images("DigitsCNN", images)
        logits: torch.Tensor = self.output(self.dropout(self.features(images)))
        return logits


def _convolution(channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)  # batch norm has a bias of its own
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU()]


def augment(
    images: torch.Tensor, generator: torch.Generator, pixels: float = 1.0, degrees: float = 15.0, zoom: float = 0.12,
    shear: float = 0.15,
) -> torch.Tensor:  # fmt: skip
    """Each image moved, turned, stretched and slanted a little, in its own way: (N, C, H, W) -> (N, C, H, W), bilinear.

    Parameters
    ----------
    images : what lies outside of them counts as 0
    generator : source of the changes, on the CPU
    pixels : moved by so many at most, along either axis
    degrees : turned by so many at most
    zoom : larger or smaller by this share at most
    shear : a row moves by at most this share of its distance from the center

    Raises
    ------
    ValueError
        If the images have no four axes.
    """
    if images.ndim != 4:
        raise ValueError(f"augment: images of shape {tuple(images.shape)}; give (N, C, H, W), for digits (N, 1, 8, 8)")
    N, _, H, W = images.shape
    turn, stretch, slant, right, down = torch.rand(5, N, generator=generator) * 2 - 1  # (N,) each, from -1 to 1
    angle, scale = turn * math.radians(degrees), 1 + stretch * zoom
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [cos, slant * shear - sin, right * pixels * 2 / W, sin, cos, down * pixels * 2 / H]  # the image is 2 wide
    where = torch.stack(rows, dim=1).view(N, 2, 3).to(images)
    grid = F.affine_grid(where, list(images.shape), align_corners=False)  # (N, H, W, 2): where a pixel is taken from
    return F.grid_sample(images, grid, align_corners=False)


class AugmentedBatches:
    """The batches of a loader, their images changed by ``augment`` anew each time; arrays, for both engines."""

    def __init__(self, loader: DataLoader, seed: int) -> None:
        self.loader, self.generator = loader, torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        for images, targets in self.loader:
            yield augment(torch.from_numpy(images), self.generator).numpy(), targets


def train_classifier(
    images: Array, targets: Array, *, seed: int, epochs: int = 40, augmented: bool = True, device: str | None = None,
    progress: bool = True,
) -> DigitsCNN:  # fmt: skip
    """Train with AdamW on a one-cycle schedule (Smith 2018), batches of 64; the network returned is in evaluation mode.

    Parameters
    ----------
    images, targets : (N, 1, 8, 8) pixels from 0 to 1, and (N,) digits
    seed : decides the starting weights, the order of the examples, the dropout and the augmentation
    epochs : passes over the examples
    augmented : change the images by ``augment`` anew for each batch
    device : "cpu", "cuda" or "mps", where the network stays; None is the GPU if there is one
    progress : show a bar, where somebody can see it

    Raises
    ------
    ValueError
        If images or targets have another shape, or there is no such device here.
    """
    X, y = examples("train_classifier", images, targets)
    loader = DataLoader((X, y), min(64, len(X)), shuffle=True, drop_last=True, rng=np.random.default_rng(seed))
    batches = AugmentedBatches(loader, seed) if augmented else loader
    with torch.random.fork_rng():  # PyTorch's global generator draws weights and dropout; afterwards it is as it was
        torch.manual_seed(seed)
        model = DigitsCNN()
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=epochs * len(loader))
        fit(
            model, batches, F.cross_entropy, optimizer, epochs=epochs, schedule=schedule, schedule_every="step",
            device=device or "auto", progress=progress,
        )  # fmt: skip
    return model


RECIPE = 1  # counted up whenever network or training change: weights that an older version kept are then not used


def pretrained_classifier(workspace: str | Path | None = None) -> DigitsCNN:
    """A trained ``DigitsCNN`` in evaluation mode, on the CPU: from the workspace's file, or trained now and kept there.

    Parameters
    ----------
    workspace : a folder; None is the one that the current folder lies in. Where there is none, the network is kept for as
        long as Python runs

    Raises
    ------
    ValueError
        If the workspace is no folder.

    Notes
    -----
    It is trained on the training images of ``load_digits`` only, so the 450 test images are new to it. The file is
    ``.dlcourse/models/digits_cnn_<recipe>.pt``; delete it, and the network is trained anew.
    """
    with torch.random.fork_rng():
        model = DigitsCNN()
    load_or_train(model, f"digits_cnn_{RECIPE}.pt", lambda: _trained().state_dict(), workspace)
    return model.eval()


@cache
def _trained() -> DigitsCNN:
    images, _, targets, _ = load_digits(images=True)
    return train_classifier(images, targets, seed=0, device="cpu")
