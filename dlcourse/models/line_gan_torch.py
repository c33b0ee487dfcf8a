"""Two players on a line: a generator that learns a distribution of one number, small enough to watch all of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dlcourse.bars import progress_bar
from dlcourse.models.gan_torch import discriminator_loss, generator_loss, mlp, r1_penalty
from dlcourse.models.training_torch import descend
from dlcourse.ops.rule import Array

__all__ = ["LineRun", "real_density", "train_line_gan"]

MEANS, DEVIATION = (-1.0, 1.5), 0.4  # two normal distributions, equally likely
BATCH, LATENT, WIDTH = 256, 2, 32
LR = 5e-3  # at the start; it falls to 0 along a line
SAMPLES, BANDWIDTH = 4000, 0.1
GRID: Array = np.linspace(-4, 4, 161)


def real_density(x: Array) -> Array:
    """The density of the data: half of N(-1, 0.4²) and half of N(1.5, 0.4²); any shape."""
    each = [np.exp(-(((x - mean) / DEVIATION) ** 2) / 2) for mean in MEANS]
    density: Array = sum(each) / (len(MEANS) * DEVIATION * np.sqrt(2 * np.pi))
    return density


@dataclass
class LineRun:
    """A training on the line, frame by frame.

    Attributes
    ----------
    generator, discriminator : z (N, 2) -> (N, 1), and (N, 1) -> logits (N, 1), as they were at the end
    grid : (G,) points of the line
    real : (G,) density of the data there
    generated : (F, G) density of the generator's samples, smoothed by a normal kernel of width 0.1
    judged : (F, G) what the discriminator says, D(x) from 0 to 1
    frame_steps : (F,) updates made by then, the first 0
    losses : (steps, 2) of discriminator (without penalty) and generator
    """

    generator: nn.Module
    discriminator: nn.Module
    grid: Array
    real: Array
    generated: Array
    judged: Array
    frame_steps: Array
    losses: Array


def train_line_gan(
    *, seed: int = 0, steps: int = 1000, frames: int = 12, r1: float = 0.1, progress: bool = True
) -> LineRun:
    """Train a small GAN on a distribution of two hills.

    Adam with β = (0, 0.99) and a learning rate that falls from 5e-3 to 0, so that the players come to rest. Interrupt it
    (Kernel, Interrupt), and you get the run as far as it came.

    Parameters
    ----------
    seed : of weights, noise and data
    steps : updates of each player
    frames : pictures to keep, evenly spread, the first before any update
    r1 : weight of the R₁ penalty; 0 is the game alone
    progress : whether to show a bar

    Raises
    ------
    ValueError
        If steps is below 1, or frames or r1 below 0.
    """
    if steps < 1 or frames < 0 or r1 < 0:
        raise ValueError(
            f"train_line_gan: steps={steps!r}, frames={frames!r}, r1={r1!r}; give at least 1 step, and no number below 0"
        )
    game = _Line(seed, r1)
    picture_at = set(np.linspace(0, steps, frames).round().astype(int).tolist())
    losses: list[tuple[float, float]] = []
    pictures: dict[int, tuple[Array, Array]] = {}
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps + 1):
            if step in picture_at:
                pictures[step] = game.picture()
            if step < steps:
                losses.append(game.step(1 - step / steps))
                bar.update()
    generated, judged = zip(*pictures.values(), strict=True) if pictures else ((), ())
    return LineRun(
        game.G, game.D, GRID, real_density(GRID), np.array(generated).reshape(-1, len(GRID)),
        np.array(judged).reshape(-1, len(GRID)), np.array(list(pictures), dtype=int), np.array(losses).reshape(-1, 2),
    )  # fmt: skip


class _Line:
    def __init__(self, seed: int, r1: float) -> None:
        self.r1 = r1
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.G, self.D = mlp(LATENT, 1, WIDTH), mlp(1, 1, WIDTH)
        self.z = torch.randn(SAMPLES, LATENT, generator=self.generator)  # the same in all pictures
        self.G_optimizer = torch.optim.Adam(self.G.parameters(), LR, betas=(0.0, 0.99))
        self.D_optimizer = torch.optim.Adam(self.D.parameters(), LR, betas=(0.0, 0.99))

    def real(self) -> torch.Tensor:
        means = torch.tensor(MEANS)[torch.randint(len(MEANS), (BATCH,), generator=self.generator)]
        return (means + DEVIATION * torch.randn(BATCH, generator=self.generator))[:, None]

    def step(self, rate: float) -> tuple[float, float]:
        """An update of each player, with this share of the learning rate; both losses."""
        for optimizer in (self.D_optimizer, self.G_optimizer):
            optimizer.param_groups[0]["lr"] = rate * LR
        real, z = self.real(), torch.randn(BATCH, LATENT, generator=self.generator)
        loss_D = discriminator_loss(self.D(real), self.D(self.G(z).detach()))
        total = loss_D + self.r1 * r1_penalty(self.D, real)
        descend(self.D_optimizer, total)
        loss_G = generator_loss(self.D(self.G(z)))
        descend(self.G_optimizer, loss_G)
        return loss_D.item(), loss_G.item()

    @torch.no_grad()
    def picture(self) -> tuple[Array, Array]:
        """The generator's density and the discriminator's answer on the grid, (G,) each."""
        samples = self.G(self.z).numpy()  # (4000, 1)
        kernel = np.exp(-(((GRID - samples) / BANDWIDTH) ** 2) / 2)  # (4000, G)
        judged = torch.sigmoid(self.D(torch.from_numpy(GRID[:, None]).float()))[:, 0].numpy()
        return kernel.mean(0) / (BANDWIDTH * np.sqrt(2 * np.pi)), judged
