"""Pictures of one kind into pictures of another, without pairs to learn from: CycleGAN (Zhu, Park, Isola & Efros 2017).

Two generators, one in each direction, and a discriminator for each domain. A discriminator can say whether a picture looks
like its domain, and not whether it is the translation of *this* picture; the cycle loss asks for that, by translating back.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.domains import Domains, read_digits
from dlcourse.models.cnn_torch import pretrained_classifier
from dlcourse.models.options import check_options
from dlcourse.models.training_torch import descend
from dlcourse.ops.rule import Array

__all__ = ["CycleGAN", "Discriminator", "Generator", "Translated", "judge", "train_cyclegan", "translate"]

Tensor = torch.Tensor


class Generator(nn.Module):
    """(N, C, H, W) -> (N, C, H, W): the picture itself, and what a convolutional network adds to it.

    At first it adds next to nothing: a translation that keeps the picture is where the training sets out from.

    Parameters
    ----------
    channels : C, 1 for gray and 3 for colored pictures
    width : channels inside
    blocks : residual blocks of two 3×3 convolutions each (He et al. 2016)
    """

    def __init__(self, channels: int = 1, width: int = 16, blocks: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 5, padding=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(cast(Tensor, self.last.bias))

    def forward(self, images: Tensor) -> Tensor:
        """Pixels a little below 0 or above 1 are possible: cut off entirely, they would have no gradient to come back by."""
        h = F.relu(self.first(images))
        for block in self.blocks:
            h = F.relu(h + block(h))
        y = images + self.last(h)
        cut: Tensor = 0.9 * y.clamp(0, 1) + 0.1 * y
        return cut


class Discriminator(nn.Module):
    """(N, C, 16, 16) -> (N, 1, 4, 4): a score for each of 16 overlapping patches, near 1 for real ones and near 0 for others."""

    def __init__(self, channels: int = 1, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),  # (N, width, 8, 8)
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),  # (N, 2·width, 4, 4)
            nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, 16, 16) -> (N, 1, 4, 4)."""
        scores: Tensor = self.layers(images)
        return scores


class CycleGAN(nn.Module):
    """Two generators that translate between the domains A and B, and the discriminators they were trained against.

    Attributes
    ----------
    to_b, to_a : A -> B and B -> A
    judge_a, judge_b : the discriminators
    history : the losses of each step so far, (generators, discriminators, cycle): the cycle loss without its weight
    """

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.to_b, self.to_a = Generator(channels, width), Generator(channels, width)
        self.judge_a, self.judge_b = Discriminator(channels), Discriminator(channels)
        self.history: list[tuple[float, float, float]] = []


class Pool:
    """Mixes fakes of earlier steps among the new ones, so that a discriminator does not forget them (Shrivastava et al. 2017).

    Parameters
    ----------
    generator : source of the draws
    size : batches kept
    """

    def __init__(self, generator: torch.Generator, size: int = 20) -> None:
        self.generator, self.size = generator, size
        self.batches: list[Tensor] = []

    def mix(self, fakes: Tensor) -> Tensor:
        """About half of the pictures new, the others from one earlier batch: (N, C, H, W) -> (N, C, H, W)."""
        self.batches.append(fakes)
        if len(self.batches) > self.size:
            self.batches.pop(self._draw(self.size))
        earlier = self.batches[self._draw(len(self.batches))]
        new = torch.rand(len(fakes), 1, 1, 1, generator=self.generator) < 0.5
        return torch.where(new, fakes, earlier)

    def _draw(self, below: int) -> int:
        return int(torch.randint(below, (), generator=self.generator))


def train_cyclegan(
    a: Array,
    b: Array,
    *,
    seed: int = 0,
    steps: int = 400,
    cycle: float = 10.0,
    identity: float = 1.0,
    batch: int = 4,
    width: int = 16,
    lr: float = 1e-3,
    progress: bool = True,
) -> CycleGAN:
    """Learn to translate between two sets of pictures, none of which is paired with any other.

    Least squares for the adversarial loss (Mao et al. 2017); Adam with β₁ = 0.5 for both sides, the learning rate going
    down to 0 in the second half.

    Parameters
    ----------
    a, b : (N, C, 16, 16) and (M, C, 16, 16), pixels from 0 to 1
    seed : of weights and draws
    steps : updates of each side
    cycle : weight of |to_a(to_b(a)) - a| and |to_b(to_a(b)) - b|, means over pixels
    identity : weight of |to_b(b) - b| and |to_a(a) - a|: what is in the domain already should stay as it is
    batch : pictures of each domain in a step
    width : channels inside the generators
    lr : the largest learning rate
    progress : whether to show the bar

    Returns
    -------
    The networks in evaluation mode. Interrupt the training (Kernel, Interrupt), and you get them as far as they came.

    Raises
    ------
    ValueError
        If a or b has another shape, or they differ in channels, or steps is below 1.
    """
    A, B = _pictures(a, b)
    check_options("train_cyclegan", {"steps": steps})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CycleGAN(A.shape[1], width)
    draws = torch.Generator().manual_seed(seed)
    generators = [*model.to_b.parameters(), *model.to_a.parameters()]
    judges = [*model.judge_a.parameters(), *model.judge_b.parameters()]
    optimizers = [torch.optim.Adam(side, lr, betas=(0.5, 0.99)) for side in (generators, judges)]
    pools = Pool(draws), Pool(draws)
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps):
            for optimizer in optimizers:
                optimizer.param_groups[0]["lr"] = lr * min(1, 2 * (1 - step / steps))
            real_a = A[torch.randint(len(A), (batch,), generator=draws)]
            real_b = B[torch.randint(len(B), (batch,), generator=draws)]
            losses = _update(model, real_a, real_b, optimizers, pools, cycle, identity)
            model.history.append(losses)
            bar.set_postfix_str(f"cycle {np.mean([c for _, _, c in model.history[-20:]]):.3f}", refresh=False)
            bar.update()
    return model.requires_grad_(True).eval()  # an interrupt may have come while the discriminators were frozen


def _update(
    model: CycleGAN,
    a: Tensor,
    b: Tensor,
    optimizers: list[torch.optim.Adam],
    pools: tuple[Pool, Pool],
    cycle: float,
    identity: float,
) -> tuple[float, float, float]:
    """One step of the generators, then one of the discriminators; the losses of both, and the cycle loss."""
    judges = [*model.judge_a.parameters(), *model.judge_b.parameters()]
    for p in judges:
        p.requires_grad_(False)  # the generators' loss goes through the discriminators, and is none of theirs
    fake_b, fake_a = model.to_b(a), model.to_a(b)
    back = F.l1_loss(model.to_a(fake_b), a) + F.l1_loss(model.to_b(fake_a), b)
    loss = _distance(model.judge_b(fake_b), 1) + _distance(model.judge_a(fake_a), 1) + cycle * back
    if identity:
        loss = loss + identity * (F.l1_loss(model.to_b(b), b) + F.l1_loss(model.to_a(a), a))
    descend(optimizers[0], loss)
    for p in judges:
        p.requires_grad_(True)
    old_a, old_b = pools[0].mix(fake_a.detach()), pools[1].mix(fake_b.detach())
    judged = _distance(model.judge_a(a), 1) + _distance(model.judge_a(old_a), 0)
    judged = judged + _distance(model.judge_b(b), 1) + _distance(model.judge_b(old_b), 0)
    descend(optimizers[1], judged)
    return loss.item(), judged.item(), back.item()


def _distance(scores: Tensor, goal: float) -> Tensor:
    return ((scores - goal) ** 2).mean()


@torch.no_grad()
def translate(generator: Generator, images: Array) -> Array:
    """What ``model.to_b`` or ``model.to_a`` makes of pictures, pixels cut to 0 to 1: (N, C, 16, 16) -> (N, C, 16, 16)."""
    out: Array = generator(torch.from_numpy(np.asarray(images, np.float32))).clamp(0, 1).numpy()
    return out


@dataclass(frozen=True)
class Translated:
    """How well test pictures were translated. Errors are mean absolute differences over all pixels.

    Attributes
    ----------
    to_b, to_a : error of the translations, against the true partners
    round_trip : error of A -> B -> A, against the pictures themselves; small does not mean that B was right
    labels : share of the test digits that a classifier reads rightly after A -> B -> A
    labels_to_a : share that it reads rightly after B -> A
    """

    to_b: float
    to_a: float
    round_trip: float
    labels: float
    labels_to_a: float


def judge(model: CycleGAN, domains: Domains, classifier: nn.Module | None = None) -> Translated:
    """Measure on the held-out pairs.

    Parameters
    ----------
    model : with its two generators
    domains : whose test pictures are translated
    classifier : (N, 1, 8, 8) -> logits (N, 10); None is ``pretrained_classifier()``
    """
    classifier = pretrained_classifier() if classifier is None else classifier
    b, a = translate(model.to_b, domains.test_a), translate(model.to_a, domains.test_b)
    back = translate(model.to_a, b)
    with torch.no_grad():
        read = [classifier(torch.from_numpy(read_digits(x))).argmax(1).numpy() for x in (back, a)]
    kept, kept_to_a = (float(np.mean(labels == domains.test_labels)) for labels in read)
    pairs = (b, domains.test_b), (a, domains.test_a), (back, domains.test_a)
    to_b, to_a, round_trip = (float(np.abs(x - y).mean()) for x, y in pairs)
    return Translated(to_b, to_a, round_trip, kept, kept_to_a)


def _pictures(a: Array, b: Array) -> tuple[Tensor, Tensor]:
    for name, images in (("a", a), ("b", b)):
        if np.ndim(images) != 4 or np.shape(images)[2:] != (16, 16) or len(images) == 0:
            raise ValueError(f"train_cyclegan: {name} of shape {np.shape(images)}; give pictures (N, C, 16, 16)")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"train_cyclegan: a has {a.shape[1]} channels and b {b.shape[1]}; give both as many")
    return torch.from_numpy(np.asarray(a, np.float32)), torch.from_numpy(np.asarray(b, np.float32))
