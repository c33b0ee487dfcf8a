"""GANs that draw digits: one that collapses, one that does not, and a judge of what they draw.

``train_dcgan`` has the layers of DCGAN (Radford et al. 2016), but no batch norm in the discriminator unless asked for:
without it the game collapses, with it it does not. ``train_digits_gan`` is told which digit to draw (Mirza & Osindero 2014),
has the R₁ penalty (Mescheder et al. 2018), and gives away a moving average of its generator's weights (Yazıcı et al. 2019).
"""

from __future__ import annotations

import copy
from contextlib import suppress
from functools import cache
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.digits import load_digits
from dlcourse.metrics import frechet_distance, nearest
from dlcourse.models.cnn_torch import DigitsCNN, pretrained_classifier
from dlcourse.models.gan_torch import Scorer, discriminator_loss, generator_loss, r1_penalty
from dlcourse.models.options import check_options
from dlcourse.models.training_torch import descend
from dlcourse.ops.rule import Array

__all__ = ["DCGAN", "DigitsGAN", "Quality", "judge_digits", "train_dcgan", "train_digits_gan"]

CLASSES, PIXELS, BATCH = 10, 64, 64
CONFIDENT, PRESENT = 0.9, 0.02  # a probability from which on the judge is sure; the share of samples that makes a class


class DigitsGAN(nn.Module):
    """Draws the digit it is told to.

    Attributes
    ----------
    latent : size Z of the noise
    generator : (N, Z + 10) -> (N, 64), pixels from 0 to 1: the average of its weights over the last steps
    discriminator : (N, 64 + 10) -> logits (N, 1), as it was at the end
    history : (discriminator's loss without its penalty, generator's loss) of each step
    """

    def __init__(self, latent: int = 16) -> None:
        super().__init__()
        self.latent = latent
        self.history: list[tuple[float, float]] = []
        self.generator = nn.Sequential(
            nn.Linear(latent + CLASSES, 128), nn.BatchNorm1d(128), nn.ReLU(),
            nn.Linear(128, 256), nn.BatchNorm1d(256), nn.ReLU(),
            nn.Linear(256, PIXELS), nn.Sigmoid(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Linear(PIXELS + CLASSES, 256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, 128),
            nn.LeakyReLU(0.2),
            nn.Linear(128, 1),
        )

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Noise (N, Z) and digits (N,) -> pictures (N, 1, 8, 8)."""
        pixels: torch.Tensor = self.generator(torch.cat([z, _one_hot(labels)], dim=1))
        return pixels.view(-1, 1, 8, 8)

    @torch.no_grad()
    def draw(self, z: Array, labels: Array) -> Array:
        """Noise (N, Z) and digits (N,) -> pictures (N, 1, 8, 8) in float32; one digit's picture hangs on its own z only.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a label is no digit.
        """
        z, labels = np.asarray(z, dtype=np.float32), np.asarray(labels)
        if z.shape != (len(z), self.latent) or labels.shape != (len(z),):
            raise ValueError(f"draw: z {z.shape}, labels {labels.shape}; give (N, {self.latent}) and (N,)")
        if labels.size and not (labels.min() >= 0 and labels.max() < CLASSES):
            raise ValueError(f"draw: labels from {labels.min()} to {labels.max()}; give digits from 0 to 9")
        pictures: Array = self(torch.from_numpy(z), torch.from_numpy(labels.astype(np.int64))).numpy()
        return pictures

    def sample(self, labels: Array, rng: np.random.Generator | None = None) -> Array:
        """A new picture for each of the digits (N,): (N, 1, 8, 8) in float32; rng None is a fresh one."""
        rng = np.random.default_rng() if rng is None else rng
        return self.draw(rng.standard_normal((len(labels), self.latent)), np.asarray(labels))


def train_digits_gan(
    *, seed: int = 0, steps: int = 1600, r1: float = 1.0, beta1: float = 0.0, decay: float = 0.99,
    conditional: bool = True, lr: float = 1e-3, progress: bool = True,
) -> DigitsGAN:  # fmt: skip
    """Train a GAN on the training digits of ``load_digits``, both players told which digit is meant.

    Adam with β₂ = 0.99, batches of 64. Interrupt it (Kernel, Interrupt), and you get the model as far as it came.

    Parameters
    ----------
    seed : of weights, noise and data
    steps : updates of each player
    r1 : weight γ of the R₁ penalty
    beta1 : of both Adams
    decay : of the moving average of the generator's weights; 0 gives the last weights
    conditional : False hides the digits: the players are told 0 whatever they see; draw with labels of 0 then
    lr : learning rate of both
    progress : whether to show a bar

    Returns
    -------
    The model, in evaluation mode.

    Raises
    ------
    ValueError
        If steps is below 1, or decay not from 0 to below 1.
    """
    check_options("train_digits_gan", {"steps": steps})
    if not 0 <= decay < 1:
        raise ValueError(f"train_digits_gan: decay={decay!r}; it must be from 0 to below 1")
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DigitsGAN()
    G = copy.deepcopy(model.generator)  # the model's own becomes the average
    G_optimizer = torch.optim.Adam(G.parameters(), lr, betas=(beta1, 0.99))
    D_optimizer = torch.optim.Adam(model.discriminator.parameters(), lr, betas=(beta1, 0.99))
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for _ in range(steps):
            real, labels = _labeled_batch(generator, conditional)
            asked = _one_hot(torch.randint(CLASSES if conditional else 1, (BATCH,), generator=generator))
            fake = G(torch.cat([torch.randn(BATCH, model.latent, generator=generator), asked], dim=1))

            judge_real = _told(model.discriminator, labels)
            judge_fake = _told(model.discriminator, asked)
            loss_D = discriminator_loss(judge_real(real), judge_fake(fake.detach()))
            descend(D_optimizer, loss_D + r1 * r1_penalty(judge_real, real) if r1 else loss_D)
            loss_G = generator_loss(judge_fake(fake))
            descend(G_optimizer, loss_G)

            _average(model.generator, G, decay)
            model.history.append((loss_D.item(), loss_G.item()))
            bar.update()
    _remember_statistics(model, generator, conditional)
    return model.eval()


def _labeled_batch(generator: torch.Generator, conditional: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Training digits (N, 64), and what D is told about them (N, 10)."""
    images, targets = _training_digits()
    chosen = torch.randint(len(images), (BATCH,), generator=generator)
    return images[chosen], _one_hot(targets[chosen] if conditional else torch.zeros_like(targets[chosen]))


def _told(D: nn.Module, labels: torch.Tensor) -> Scorer:
    """D as a function of the pixels alone (N, 64), in which a penalty takes its slopes; it is told the digits (N, 10)."""
    return lambda pixels: cast(torch.Tensor, D(torch.cat([pixels, labels], dim=1)))


class DCGAN(nn.Module):
    """Draws digits of its own choice, with convolutions.

    Attributes
    ----------
    latent : size Z of the noise
    generator : (N, Z) -> (N, 1, 8, 8), pixels from 0 to 1
    discriminator : (N, 1, 8, 8) -> logits (N, 1)
    history : (discriminator's loss, generator's loss) of each step
    """

    def __init__(self, latent: int = 32, batch_norm: bool = False, spectral_norm: bool = False) -> None:
        super().__init__()
        self.latent = latent
        self.history: list[tuple[float, float]] = []
        self.generator = nn.Sequential(
            nn.Linear(latent, 256), nn.Unflatten(1, (64, 2, 2)), nn.BatchNorm2d(64), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),  # (N, 32, 4, 4)
            nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),  # (N, 16, 8, 8)
            nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid(),
        )  # fmt: skip
        norm = nn.BatchNorm2d if batch_norm else nn.Identity
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, 2, 1), norm(32), nn.LeakyReLU(0.2),  # (N, 32, 4, 4)
            nn.Conv2d(32, 64, 4, 2, 1), norm(64), nn.LeakyReLU(0.2),  # (N, 64, 2, 2)
            nn.Flatten(), nn.Linear(256, 1),
        )  # fmt: skip
        if spectral_norm:
            for layer in self.discriminator:
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    nn.utils.parametrizations.spectral_norm(layer)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Noise (N, Z) -> pictures (N, 1, 8, 8)."""
        pictures: torch.Tensor = self.generator(z)
        return pictures

    @torch.no_grad()
    def sample(self, n: int, rng: np.random.Generator | None = None) -> Array:
        """New pictures, (n, 1, 8, 8) in float32; rng None is a fresh one."""
        rng = np.random.default_rng() if rng is None else rng
        z = torch.from_numpy(rng.standard_normal((n, self.latent)).astype(np.float32))
        pictures: Array = self(z).numpy()
        return pictures


def train_dcgan(
    *, seed: int = 0, steps: int = 400, batch_norm: bool = False, spectral_norm: bool = False, r1: float = 0.0,
    beta1: float = 0.5, lr: float = 5e-4, progress: bool = True,
) -> DCGAN:  # fmt: skip
    """Train a DCGAN on the training digits: Adam with β₂ = 0.99, batches of 64.

    As it stands it collapses. Interrupt it (Kernel, Interrupt), and you get the model as far as it came.

    Parameters
    ----------
    seed : of weights, noise and data
    steps : updates of each player
    batch_norm : whether the discriminator has batch norm after its second and third layer, as DCGAN's has. Real and
        generated pictures come in batches of their own, so it sees where a whole batch is alike
    spectral_norm : whether the discriminator's layers are divided by their largest singular value (Miyato et al. 2018)
    r1 : weight γ of the R₁ penalty
    beta1 : of both Adams
    lr : learning rate of both
    progress : whether to show a bar

    Returns
    -------
    The model, in training mode: its pictures are normalized by the batch they are drawn in, as in its training.

    Raises
    ------
    ValueError
        If steps is below 1.
    """
    check_options("train_dcgan", {"steps": steps})
    images = _training_digits()[0].view(-1, 1, 8, 8)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DCGAN(batch_norm=batch_norm, spectral_norm=spectral_norm)
    G, D = model.generator, model.discriminator
    G_optimizer = torch.optim.Adam(G.parameters(), lr, betas=(beta1, 0.99))
    D_optimizer = torch.optim.Adam(D.parameters(), lr, betas=(beta1, 0.99))
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for _ in range(steps):
            real = images[torch.randint(len(images), (BATCH,), generator=generator)]
            fake = G(torch.randn(BATCH, model.latent, generator=generator))
            loss_D = discriminator_loss(D(real), D(fake.detach()))
            descend(D_optimizer, loss_D + r1 * r1_penalty(D, real) if r1 else loss_D)
            loss_G = generator_loss(D(fake))
            descend(G_optimizer, loss_G)
            model.history.append((loss_D.item(), loss_G.item()))
            bar.update()
    return model


# ---- the judge


class Quality(NamedTuple):
    """What a classifier of digits makes of pictures.

    Attributes
    ----------
    confident : share of pictures that it gives a probability above 0.9 to one digit
    frechet : Fréchet distance to the training digits in its 256 features
    classes : digits that it sees in more than 2 % of the pictures
    nearest : median distance of a picture to the nearest training digit; 0 for copies
    accuracy : share of pictures in which it sees the digit that was asked for; None if none was
    """

    confident: float
    frechet: float
    classes: int
    nearest: float
    accuracy: float | None


def judge_digits(images: Array, labels: Array | None = None, classifier: DigitsCNN | None = None) -> Quality:
    """Judge pictures of digits by a classifier that has never seen a generated one.

    Parameters
    ----------
    images : (N, 1, 8, 8) or (N, 64), pixels from 0 to 1 (others are clipped); some hundreds, the same number in comparisons
    labels : (N,) digits that the pictures are meant to show
    classifier : None is ``pretrained_classifier()``, which is trained at its first use

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    pictures = np.asarray(images, dtype=np.float32)
    if len(pictures) < 2 or pictures.shape[1:] not in ((1, 8, 8), (PIXELS,)):
        raise ValueError(f"judge_digits: images of shape {pictures.shape}; give (N, 1, 8, 8) or (N, 64), at least 2")
    if labels is not None and np.shape(labels) != (len(pictures),):
        raise ValueError(f"judge_digits: labels of shape {np.shape(labels)} for {len(pictures)} images; give (N,)")
    pictures = pictures.clip(0, 1).reshape(-1, 1, 8, 8)
    classifier = pretrained_classifier() if classifier is None else classifier
    training = _training_digits()[0].view(-1, 1, 8, 8)
    with torch.no_grad():
        features, known = classifier.features(torch.from_numpy(pictures)), classifier.features(training)  # (N, 256)
        probabilities = classifier.output(features).softmax(1).numpy()  # (N, 10)
    seen = probabilities.argmax(1)
    return Quality(
        confident=float((probabilities.max(1) > CONFIDENT).mean()),
        frechet=frechet_distance(features.numpy(), known.numpy()),
        classes=int((np.bincount(seen, minlength=CLASSES) > PRESENT * len(seen)).sum()),
        nearest=float(np.median(nearest(pictures, training.numpy()))),
        accuracy=None if labels is None else float((seen == np.asarray(labels)).mean()),
    )


# ---- helpers of both trainings


@cache
def _training_digits() -> tuple[torch.Tensor, torch.Tensor]:
    images, _, targets, _ = load_digits()
    return torch.from_numpy(images), torch.from_numpy(targets)


def _one_hot(labels: torch.Tensor) -> torch.Tensor:
    return F.one_hot(labels, CLASSES).float()


@torch.no_grad()
def _average(average: nn.Module, current: nn.Module, decay: float) -> None:
    for mean, parameter in zip(average.parameters(), current.parameters(), strict=True):
        mean.lerp_(parameter, 1 - decay)


@torch.no_grad()
def _remember_statistics(model: DigitsGAN, generator: torch.Generator, conditional: bool) -> None:
    """Batch norm's means and variances under the averaged weights, of 2000 pictures: training saw other weights'."""
    for layer in model.generator:
        if isinstance(layer, nn.BatchNorm1d):
            layer.reset_running_stats()
            layer.momentum = None  # a plain mean over the batches
    model.generator.train()
    labels = torch.arange(2000) % (CLASSES if conditional else 1)
    model(torch.randn(2000, model.latent, generator=generator), labels)
