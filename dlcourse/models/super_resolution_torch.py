"""Twice as many pixels in each direction: a network that adds what bicubic interpolation leaves out (Shi et al. 2016, ESPCN).

It computes on the small picture, and the four channels of its last layer become 2×2 pixels each. With a discriminator and a
loss on features, as in SRGAN (Ledig et al. 2017), it makes pictures that are sharper and, pixel by pixel, further off.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.photograph import load_photograph
from dlcourse.models.cnn_torch import pretrained_classifier
from dlcourse.models.options import check_options
from dlcourse.models.training_torch import descend
from dlcourse.ops.rule import Array

__all__ = [
    "PatchJudge",
    "Split",
    "SuperResolver",
    "bicubic",
    "enlarge",
    "sharpen",
    "sharpness",
    "shrink",
    "split",
    "train_super_resolution",
]

Tensor = torch.Tensor


@dataclass(frozen=True)
class Split:
    """A photograph in two parts, each also half as large.

    Attributes
    ----------
    train, test : (C, H, W), pixels from 0 to 1
    train_low, test_low : (C, H/2, W/2), made by ``shrink``
    """

    train: Array
    test: Array
    train_low: Array
    test_low: Array


def split(photograph: Array | None = None, columns: int = 72) -> Split:
    """The columns at the left to measure on, the others to train on.

    Parameters
    ----------
    photograph : (C, H, W), even in height and width; None is ``load_photograph()``
    columns : how many to measure on, an even number

    Raises
    ------
    ValueError
        If height, width or columns is odd, or no column is left to train on.
    """
    photo = load_photograph() if photograph is None else photograph
    if photo.ndim != 3 or photo.shape[1] % 2 or photo.shape[2] % 2 or columns % 2 or not 0 < columns < photo.shape[2]:
        raise ValueError(
            f"split: photograph of shape {photo.shape}, columns={columns}; give (C, H, W) with H, W and columns even, "
            "and fewer columns than W"
        )
    train, test = np.ascontiguousarray(photo[:, :, columns:]), np.ascontiguousarray(photo[:, :, :columns])
    return Split(train, test, shrink(train), shrink(test))


def shrink(image: Array) -> Array:
    """Half as large, (C, H, W) -> (C, H/2, W/2): bicubic, details that have no room any more smoothed away before."""
    small: Array = _resize(_batch("shrink", image), 0.5).clamp(0, 1)[0].numpy()
    return small


def bicubic(image: Array) -> Array:
    """Twice as large by bicubic interpolation (Keys 1981): (C, H, W) -> (C, 2H, 2W)."""
    large: Array = _resize(_batch("bicubic", image), 2).clamp(0, 1)[0].numpy()
    return large


def _batch(name: str, image: Array) -> Tensor:
    """A batch of one picture: (C, H, W) -> (1, C, H, W)."""
    if np.ndim(image) != 3:
        raise ValueError(f"{name}: image of shape {np.shape(image)}; give (C, H, W), with C = 1 for a gray one")
    return torch.from_numpy(np.asarray(image, np.float32))[None]


def _resize(images: Tensor, factor: float) -> Tensor:
    return F.interpolate(images, scale_factor=factor, mode="bicubic", antialias=factor < 1, align_corners=False)


class SuperResolver(nn.Module):
    """(N, C, H, W) -> (N, C, 2H, 2W): bicubic interpolation, and what four convolutions add. Each channel goes alone.

    Attributes
    ----------
    layers : 1 -> width -> width -> width -> 4 channels; ``PixelShuffle`` lays the four out as 2×2 pixels
    history : the loss of each step of the last training
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        last = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.zeros_(last.weight)  # training sets out from bicubic interpolation
        nn.init.zeros_(cast(Tensor, last.bias))
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            last, nn.PixelShuffle(2),
        )  # fmt: skip
        self.history: list[float] = []

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2H, 2W)."""
        N, C, H, W = images.shape
        added: Tensor = self.layers(images.reshape(N * C, 1, H, W)).reshape(N, C, 2 * H, 2 * W)
        return _resize(images, 2) + added


class PatchJudge(nn.Module):
    """The discriminator, (N, 1, H, W) -> logits (N, 1, H/4, W/4): is the patch around here photographed or computed?"""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 1, H/4, W/4)."""
        logits: Tensor = self.layers(images)
        return logits


def train_super_resolution(
    photograph: Array | None = None,
    *,
    seed: int = 0,
    steps: int = 500,
    batch: int = 8,
    size: int = 16,
    lr: float = 2e-3,
    progress: bool = True,
) -> SuperResolver:
    """Learn to double a photograph's size from patches of its half: the mean squared error made small, and so PSNR large.

    Patches are turned and mirrored at random, as there are few. Adam on a one-cycle schedule (Smith 2018).

    Parameters
    ----------
    photograph : (C, H, W), pixels from 0 to 1, even in height and width; None is ``split().train``
    seed : of weights and patches
    steps : updates
    batch, size : patches in a step, and their side in pixels of the small picture
    lr : the largest learning rate
    progress : whether to show the bar

    Returns
    -------
    The network in evaluation mode. Interrupt the training (Kernel, Interrupt), and you get it as far as it came.

    Raises
    ------
    ValueError
        If the photograph has another shape, or is smaller than twice ``size``, or steps is below 1.
    """
    check_options("train_super_resolution", {"steps": steps})
    low, high = _pictures("train_super_resolution", photograph, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SuperResolver()
    optimizer = torch.optim.Adam(model.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    rng = np.random.default_rng(seed)
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for _ in range(steps):
            x, y = _patches(low, high, batch, size, rng)
            loss = F.mse_loss(model(x), y)
            descend(optimizer, loss)
            schedule.step()
            _note(model, loss, bar)
    return model.eval()


def sharpen(
    model: SuperResolver,
    photograph: Array | None = None,
    *,
    seed: int = 0,
    steps: int = 300,
    adversarial: float = 3e-3,
    perceptual: float = 0.1,
    features: nn.Module | None = None,
    batch: int = 8,
    size: int = 16,
    lr: float = 5e-4,
    progress: bool = True,
) -> SuperResolver:
    """Train a copy of a network further, now also to deceive a discriminator, as SRGAN does (Ledig et al. 2017).

    The loss is the mean squared error, plus ``adversarial`` times the non-saturating loss against a discriminator that
    learns beside it, plus ``perceptual`` times the mean squared error of features (Johnson, Alahi & Fei-Fei 2016). The
    learning rates go down to 0 in the second half.

    Parameters
    ----------
    model : what ``train_super_resolution`` returned; it is left as it is
    photograph : (C, H, W), pixels from 0 to 1, even in height and width; None is ``split().train``
    seed : of the discriminator's weights and of the patches
    steps : updates of each side
    adversarial, perceptual : weights of the two terms; 0 leaves a term out
    features : (N, 1, H, W) -> what the perceptual term compares; None is the first convolution of
        ``pretrained_classifier()`` with its batch norm and ReLU: this course's stand-in for a network trained on photographs
    batch, size : patches in a step, and their side in pixels of the small picture
    lr : the network's largest learning rate, and half the discriminator's
    progress : whether to show the bar

    Returns
    -------
    The copy in evaluation mode. Interrupt the training (Kernel, Interrupt), and you get it as far as it came.

    Raises
    ------
    ValueError
        If the photograph has another shape, or is smaller than twice ``size``, or steps is below 1.
    """
    check_options("sharpen", {"steps": steps})
    low, high = _pictures("sharpen", photograph, size)
    if perceptual and features is None:
        features = pretrained_classifier().features[:3].eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, judge = copy.deepcopy(model), PatchJudge()
    model.history = []
    optimizers = [torch.optim.Adam(m.parameters(), betas=(0.5, 0.99)) for m in (model, judge)]
    rng = np.random.default_rng(seed)
    with progress_bar(progress, total=steps, desc="sharpening", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps):
            for optimizer, highest in zip(optimizers, (lr, 2 * lr), strict=True):
                optimizer.param_groups[0]["lr"] = highest * min(1, 2 * (1 - step / steps))
            x, y = _patches(low, high, batch, size, rng)
            out = model(x)
            down, right = rng.integers(4, size=2).tolist()
            real, fake = y[..., down:, right:], out[..., down:, right:]  # else it learns where the 2×2 pixels begin
            loss = F.mse_loss(out, y) + adversarial * F.softplus(-judge(fake)).mean()
            if perceptual and features is not None:
                loss = loss + perceptual * F.mse_loss(features(out), features(y))
            descend(optimizers[0], loss)
            judged = F.softplus(-judge(real)).mean() + F.softplus(judge(fake.detach())).mean()
            descend(optimizers[1], judged)  # which drops the gradient that the network's loss left in the discriminator
            _note(model, loss, bar)
    return model.eval()


def _note(model: SuperResolver, loss: Tensor, bar: Any) -> None:
    model.history.append(loss.item())
    bar.set_postfix_str(f"loss {np.mean(model.history[-20:]):.5f}", refresh=False)
    bar.update()


def _pictures(name: str, photograph: Array | None, size: int) -> tuple[Tensor, Tensor]:
    """The channels as C gray pictures, small (C, 1, H/2, W/2) and large (C, 1, H, W)."""
    large = split().train if photograph is None else photograph
    shape = np.shape(large)
    if len(shape) != 3 or shape[1] % 2 or shape[2] % 2 or min(shape[1:]) < 2 * size:
        raise ValueError(
            f"{name}: photograph of shape {shape}; give (C, H, W) with H and W even and at least 2·size = {2 * size}"
        )
    return torch.from_numpy(shrink(large))[:, None], torch.from_numpy(np.asarray(large, np.float32))[:, None]


def _patches(low: Tensor, high: Tensor, n: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random patches of the small pictures (C, 1, h, w), turned and mirrored, and the same places in the large ones."""
    C, _, h, w = low.shape
    xs: list[Tensor] = []
    ys: list[Tensor] = []
    for _ in range(n):
        c, top, left = int(rng.integers(C)), int(rng.integers(h - size + 1)), int(rng.integers(w - size + 1))
        x = low[c, :, top : top + size, left : left + size]
        y = high[c, :, 2 * top : 2 * (top + size), 2 * left : 2 * (left + size)]
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
        for patch, seen in ((x, xs), (y, ys)):
            turned = patch.rot90(turns, (1, 2))
            seen.append(turned.flip(-1) if mirrored else turned)
    return torch.stack(xs), torch.stack(ys)


@torch.no_grad()
def enlarge(model: SuperResolver, image: Array) -> Array:
    """What the network makes of a picture, pixels cut to 0 to 1: (C, H, W) -> (C, 2H, 2W)."""
    large: Array = model(_batch("enlarge", image)).clamp(0, 1)[0].numpy()
    return large


def sharpness(image: Array, reference: Array) -> float:
    """Energy of the differences between neighboring pixels, as a share of the reference's: below 1 is blurred.

    It says how much detail there is, and not whether it is the right one: a pattern of made-up dots counts as well.

    Parameters
    ----------
    image, reference : (C, H, W) both

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if image.shape != reference.shape:
        raise ValueError(f"sharpness: image {image.shape} and reference {reference.shape}; give the same shape")

    def energy(x: Array) -> float:
        return float(np.mean(np.diff(x, axis=-1) ** 2) + np.mean(np.diff(x, axis=-2) ** 2))

    return energy(image) / energy(reference)
