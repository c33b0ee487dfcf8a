"""Generative adversarial networks (Goodfellow et al. 2014): two losses, two penalties, and a ring to watch them on.

A generator turns noise z into samples, a discriminator D says how real a sample looks, as a logit; each is trained against
the other. The losses are of this course's convention: a mean over the batch, minimized, the discriminator's the sum of its
two halves.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Real
from typing import Literal, cast

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.metrics import Coverage, mode_coverage
from dlcourse.models.training_torch import descend
from dlcourse.ops.rule import Array

__all__ = [
    "EXTENT",
    "RING_CENTERS",
    "RING_SETTINGS",
    "RingRun",
    "RingSettings",
    "discriminator_loss",
    "generator_loss",
    "gradient_penalty",
    "minimax_generator_loss",
    "r1_penalty",
    "ring_coverage",
    "train_ring_gan",
]

Loss = Literal["non-saturating", "minimax", "wasserstein"]
LOSSES: tuple[Loss, ...] = ("non-saturating", "minimax", "wasserstein")
Scorer = Callable[[torch.Tensor], torch.Tensor]

MODES, NOISE = 8, 0.02  # clouds on the ring, and their standard deviation
_ANGLES = 2 * np.pi * np.arange(MODES) / MODES
RING_CENTERS: Array = 2 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # (8, 2)
RADIUS, LEAST, SAMPLES = 0.2, 20, 2000  # a mode is found by 20 of 2000 samples within ten standard deviations
EXTENT, CELLS = 3.0, 40  # the discriminator is drawn on 40×40 points from -3 to 3
NUMBERS = ("beta1", "beta2", "lr_generator", "lr_discriminator", "r1", "gradient_penalty")
SPECTRAL_SCALE = 4.0  # spectral norm holds the slope of D at 1: a logit this many times steeper can still be sure


# ---- losses


def discriminator_loss(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """Mean of -log D(real) plus mean of -log(1 - D(fake)), D a sigmoid of the logits (Goodfellow et al. 2014, eq. 1).

    Parameters
    ----------
    real_logits, fake_logits : of any shapes

    Returns
    -------
    A scalar; 2·log 2 = 1.386 for a discriminator that cannot tell. softplus(-a) is -log σ(a), and does not overflow.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    """Mean of -log D(fake): the non-saturating loss, whose gradient is largest where the discriminator is sure."""
    return F.softplus(-fake_logits).mean()


def minimax_generator_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    """Mean of log(1 - D(fake)): the generator's part of the minimax game, whose gradient dies where D(fake) is near 0."""
    return -F.softplus(fake_logits).mean()


# ---- penalties


def gradient_penalty(
    D: Scorer, real: torch.Tensor, fake: torch.Tensor, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Mean of (‖∇D‖ - 1)², the gradient taken at points between real and fake (Gulrajani et al. 2017, eq. 3).

    Parameters
    ----------
    D : (N, …) -> a score for each of the N
    real, fake : (N, …) of one shape; one point is drawn on the line from each real sample to its fake one
    generator : draws the points; None is PyTorch's global one

    Returns
    -------
    A scalar whose gradient reaches the weights of D, and neither real nor fake. Without its weight, often 10.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if real.shape != fake.shape:
        raise ValueError(f"gradient_penalty: real {tuple(real.shape)}, fake {tuple(fake.shape)}; give as many of each")
    mix = torch.rand((len(real), *[1] * (real.ndim - 1)), generator=generator).to(real)  # one for each sample
    points = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_()
    norms = torch.linalg.vector_norm(_slopes(D, points), dim=1)  # (N,)
    penalty: torch.Tensor = ((norms - 1) ** 2).mean()
    return penalty


def r1_penalty(D: Scorer, real: torch.Tensor) -> torch.Tensor:
    """Half the mean of ‖∇D‖² at real samples: R₁ without its weight γ (Mescheder et al. 2018, eq. 9).

    Parameters
    ----------
    D : (N, …) -> a score for each of the N
    real : (N, …)

    Returns
    -------
    A scalar whose gradient reaches the weights of D.
    """
    return (_slopes(D, real.detach().requires_grad_()) ** 2).sum(1).mean() / 2


def _slopes(D: Scorer, points: torch.Tensor) -> torch.Tensor:
    """The gradient of each score with respect to its own input, (N, …) -> (N, D), itself differentiable."""
    (slopes,) = torch.autograd.grad(D(points).sum(), points, create_graph=True)
    return slopes.flatten(1)


# ---- the ring


@dataclass(frozen=True)
class RingSettings:
    """One way to train a GAN on the ring of eight normal clouds; what is not said is a plain GAN with Adam's defaults.

    Attributes
    ----------
    loss : "non-saturating", "minimax" or "wasserstein" (Arjovsky et al. 2017; needs a penalty)
    beta1, beta2 : of both Adams: how long they remember gradients and their squares
    lr_generator, lr_discriminator : unequal ones are two time scales (Heusel et al. 2017)
    r1 : weight γ of the R₁ penalty
    gradient_penalty : weight of the penalty on slopes that are not 1
    spectral_norm : whether D's layers are divided by their largest singular value (Miyato et al. 2018)
    unrolled : steps of Adam by which D is trained ahead before G answers it, and set back afterwards (Metz et al. 2017)
    through : whether G's gradient runs back through these steps, as in the paper; if not, they count as given
    discriminator_steps : steps of D for each of G
    batch, latent, width : samples in a batch N, size of z, and units of each hidden layer; both networks have two of them

    Raises
    ------
    ValueError
        If a value makes no sense.
    TypeError
        If a rate, a memory or a weight of a penalty is no number.
    """

    loss: Loss = "non-saturating"
    beta1: float = 0.9
    beta2: float = 0.999
    lr_generator: float = 1e-3
    lr_discriminator: float = 1e-3
    r1: float = 0.0
    gradient_penalty: float = 0.0
    spectral_norm: bool = False
    unrolled: int = 0
    through: bool = False
    discriminator_steps: int = 1
    batch: int = 128
    latent: int = 64
    width: int = 128

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"RingSettings: loss={self.loss!r}; choose {', '.join(map(repr, LOSSES))}")
        for name in NUMBERS:
            if isinstance(getattr(self, name), bool) or not isinstance(getattr(self, name), Real):
                raise TypeError(f"RingSettings: {name}={getattr(self, name)!r}; it must be a number")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"RingSettings: {name}={getattr(self, name)!r}; it must be from 0 to below 1")
        for name in ("lr_generator", "lr_discriminator"):
            if not getattr(self, name) > 0:
                raise ValueError(f"RingSettings: {name}={getattr(self, name)!r}; it must be above 0")
        for name in ("r1", "gradient_penalty", "unrolled"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"RingSettings: {name}={getattr(self, name)!r}; it must be 0 or more")
        for name in ("discriminator_steps", "batch", "latent", "width"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"RingSettings: {name}={getattr(self, name)!r}; it must be at least 1")


RING_SETTINGS: dict[str, RingSettings] = {
    "base": RingSettings(),
    "minimax": RingSettings(loss="minimax"),
    "β₁ = 0.5": RingSettings(beta1=0.5),
    "β₁ = 0": RingSettings(beta1=0.0),
    "slow generator": RingSettings(lr_generator=2.5e-4),
    "fast generator": RingSettings(lr_generator=4e-3),
    "fast discriminator": RingSettings(lr_discriminator=4e-3),
    "R1": RingSettings(r1=0.1),
    "WGAN-GP": RingSettings(loss="wasserstein", gradient_penalty=1.0, discriminator_steps=3),
    "spectral norm": RingSettings(spectral_norm=True),
    "unrolled": RingSettings(unrolled=5, through=True),
    "unrolled, first order": RingSettings(unrolled=5),
    "β₁ = 0.5 and R1": RingSettings(beta1=0.5, r1=0.1),
}  # one change at a time, and one pair of changes


@dataclass
class RingRun:
    """A training, and what was seen on the way.

    Attributes
    ----------
    generator, discriminator : z (N, Z) -> (N, 2), and (N, 2) -> logits (N, 1), as they were at the end
    settings, seed : that it was trained with
    losses : (steps, 2) of discriminator and generator, penalties included
    coverage : of 2000 samples, at the steps of ``coverage_steps``
    coverage_steps : (M,) updates made by then; 24 times in the training, the last one at its end
    frames : (F, 400, 2) samples of the same 400 z, in float32
    grids : (F, 40, 40) logits of the discriminator, rows along y from -3 up to 3, columns along x
    frame_steps : (F,) updates made by then, the first 0
    """

    generator: nn.Module
    discriminator: nn.Module
    settings: RingSettings
    seed: int
    losses: Array
    coverage: list[Coverage]
    coverage_steps: Array
    frames: Array
    grids: Array
    frame_steps: Array

    def sample(self, n: int, seed: int = 0) -> Array:
        """New samples of the generator, (n, 2) in float32."""
        z = torch.randn(n, self.settings.latent, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            samples: Array = self.generator(z).numpy()
        return samples


def ring_coverage(samples: Array) -> Coverage:
    """``mode_coverage`` of samples (N, 2) on the ring: a mode needs 1 % of them within 0.2 of its center."""
    return mode_coverage(samples, RING_CENTERS, RADIUS, max(1, LEAST * len(samples) // SAMPLES))


def real_ring(n: int, generator: torch.Generator) -> torch.Tensor:
    """Samples of the ring, (n, 2): a center each, all equally likely, and normal noise of 0.02."""
    centers = torch.from_numpy(RING_CENTERS).float()
    return centers[torch.randint(MODES, (n,), generator=generator)] + NOISE * torch.randn(n, 2, generator=generator)


def train_ring_gan(
    settings: RingSettings | None = None,
    *,
    seed: int = 0,
    steps: int = 1200,
    frames: int = 0,
    progress: bool = True,
) -> RingRun:
    """Train a GAN on eight normal clouds in a ring.

    The bar shows how many modes the generator reaches. Interrupt it (Kernel, Interrupt), and you get the run as far as it
    came.

    Parameters
    ----------
    settings : None is the plain GAN, ``RingSettings()``
    seed : of weights, noise and data
    steps : updates of the generator
    frames : pictures to keep of samples and discriminator, the first before any update; 0 keeps none
    progress : whether to show the bar

    Raises
    ------
    ValueError
        If steps is below 1 or frames below 0.
    """
    if steps < 1 or frames < 0:
        raise ValueError(f"train_ring_gan: steps={steps!r}, frames={frames!r}; give at least 1 step and 0 frames")
    game = _Ring(settings or RingSettings(), seed)
    measure_at = {round(steps * k / 24) for k in range(1, 25)}
    picture_at = set(np.linspace(0, steps, frames).round().astype(int).tolist())
    losses: list[tuple[float, float]] = []
    coverage: dict[int, Coverage] = {}
    pictures: dict[int, tuple[Array, Array]] = {}
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps + 1):
            if step in picture_at:
                pictures[step] = game.picture()
            if step in measure_at - {0}:
                coverage[step] = ring_coverage(game.samples(SAMPLES))
                bar.set_postfix_str(f"{coverage[step].modes} of {MODES} modes", refresh=False)
            if step < steps:
                losses.append(game.step())
                bar.update()
    samples, grids = zip(*pictures.values(), strict=True) if pictures else ((), ())
    return RingRun(
        game.G, game.D, game.settings, seed, np.array(losses).reshape(-1, 2), list(coverage.values()),
        np.array(list(coverage), dtype=int), np.array(samples, np.float32).reshape(-1, 400, 2),
        np.array(grids, np.float32).reshape(-1, CELLS, CELLS), np.array(list(pictures), dtype=int),
    )  # fmt: skip


def mlp(inputs: int, outputs: int, width: int) -> nn.Sequential:
    """Two hidden layers of ReLU."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


class _Ring:
    """Two networks, their optimizers and the noise; ``step`` is the game's turn."""

    def __init__(self, settings: RingSettings, seed: int) -> None:
        self.settings = settings
        self.generator = torch.Generator().manual_seed(seed)  # of the training
        self.watching = torch.Generator().manual_seed(seed)  # of samples to look at, so that looking changes nothing
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.G = mlp(settings.latent, 2, settings.width)
            self.D = mlp(2, 1, settings.width)
            if settings.spectral_norm:
                for layer in self.D:
                    if isinstance(layer, nn.Linear):
                        nn.utils.parametrizations.spectral_norm(layer)
                self.D.append(_Times(SPECTRAL_SCALE))
        self.z = torch.randn(400, settings.latent, generator=self.watching)
        self.G_optimizer = self._adam(self.G, settings.lr_generator)
        self.D_optimizer = self._adam(self.D, settings.lr_discriminator)

    def _adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        betas = float(self.settings.beta1), float(self.settings.beta2)  # Adam takes no whole numbers, such as 0
        return torch.optim.Adam(network.parameters(), lr, betas=betas)

    def step(self) -> tuple[float, float]:
        """The discriminator's updates, then the generator's; both losses."""
        for _ in range(self.settings.discriminator_steps):
            loss_D = self.update(self.D, self.D_optimizer)
        fake = self.G(self.noise())
        loss_G = self.answer(self.opponent(fake)(fake))
        descend(self.G_optimizer, loss_G)
        return loss_D, loss_G.item()

    def noise(self) -> torch.Tensor:
        return torch.randn(self.settings.batch, self.settings.latent, generator=self.generator)

    def real(self) -> torch.Tensor:
        return real_ring(self.settings.batch, self.generator)

    def update(self, D: nn.Module, optimizer: torch.optim.Adam) -> float:
        real = self.real()
        with torch.no_grad():  # D's loss is not to reach G
            fake = self.G(self.noise())
        loss = self.loss(D, real, fake)
        descend(optimizer, loss)
        return loss.item()

    def loss(self, D: Scorer, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        """The discriminator's, penalties included."""
        if self.settings.loss == "wasserstein":
            loss = D(fake).mean() - D(real).mean()
        else:
            loss = discriminator_loss(D(real), D(fake))
        if self.settings.r1:
            loss = loss + self.settings.r1 * r1_penalty(D, real)
        if self.settings.gradient_penalty:
            loss = loss + self.settings.gradient_penalty * gradient_penalty(D, real, fake, self.generator)
        return loss

    def opponent(self, fake: torch.Tensor) -> Scorer:
        """The discriminator that G answers: that of now, or of some steps ahead."""
        if not self.settings.unrolled:
            return self.D
        return self.ahead_through(fake) if self.settings.through else self.ahead()

    def ahead(self) -> nn.Module:
        """A copy of D, trained further against the G of now, by a copy of its optimizer with what that remembers."""
        D = copy.deepcopy(self.D)
        optimizer = self._adam(D, self.settings.lr_discriminator)
        optimizer.load_state_dict(copy.deepcopy(self.D_optimizer.state_dict()))
        for _ in range(self.settings.unrolled):
            self.update(D, optimizer)
        return D

    def ahead_through(self, fake: torch.Tensor) -> Scorer:
        """The same as a function of ``fake``: Adam written out, so that autograd follows its steps."""
        names, parameters = zip(*self.D.named_parameters(), strict=True)
        states = [self.D_optimizer.state[parameter] for parameter in parameters]
        m, v = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
        weights, made = list(parameters), int(states[0]["step"])
        beta1, beta2 = self.settings.beta1, self.settings.beta2
        for t in range(made + 1, made + 1 + self.settings.unrolled):
            loss = self.loss(_with(self.D, names, weights), self.real(), fake)
            grads = torch.autograd.grad(loss, weights, create_graph=True)
            m = [beta1 * mean + (1 - beta1) * g for mean, g in zip(m, grads, strict=True)]
            v = [beta2 * square + (1 - beta2) * g**2 for square, g in zip(v, grads, strict=True)]
            roots = [(square / (1 - beta2**t) + 1e-16).sqrt() for square in v]  # √ has no slope at 0
            moves = [mean / (1 - beta1**t) / root for mean, root in zip(m, roots, strict=True)]
            weights = [w - self.settings.lr_discriminator * move for w, move in zip(weights, moves, strict=True)]
        return _with(self.D, names, weights)

    def answer(self, fake_logits: torch.Tensor) -> torch.Tensor:
        if self.settings.loss == "wasserstein":
            return -fake_logits.mean()
        return (generator_loss if self.settings.loss == "non-saturating" else minimax_generator_loss)(fake_logits)

    @torch.no_grad()
    def samples(self, n: int) -> Array:
        samples: Array = self.G(torch.randn(n, self.settings.latent, generator=self.watching)).numpy()
        return samples

    @torch.no_grad()
    def picture(self) -> tuple[Array, Array]:
        axis = torch.linspace(-EXTENT, EXTENT, CELLS)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self.D.eval()  # a look at spectral norm must not turn its power iteration
        grid = self.D(torch.stack([x, y], dim=-1).flatten(0, 1)).view(CELLS, CELLS).numpy()
        self.D.train()
        return self.G(self.z).numpy(), grid


def _with(D: nn.Module, names: Sequence[str], weights: Sequence[torch.Tensor]) -> Scorer:
    """D with other weights."""
    return lambda x: cast(torch.Tensor, functional_call(D, dict(zip(names, weights, strict=True)), (x,)))


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x
