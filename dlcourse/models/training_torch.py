"""What several trainings share: one update, and learning rates that fall."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

__all__ = ["descend", "lower_rate", "rise_and_fall"]


def descend(
    optimizer: torch.optim.Optimizer, loss: torch.Tensor, networks: Iterable[nn.Module] = (), longest: float = math.inf
) -> None:
    """One update by the loss's gradient alone: what another loss has left in the parameters is dropped first.

    Of each of the networks, the gradient is shortened to ``longest``.
    """
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for network in networks:
        nn.utils.clip_grad_norm_(network.parameters(), longest)
    optimizer.step()


def lower_rate(optimizer: torch.optim.Optimizer, lr: float, done: float, least: float = 0.1) -> None:
    """Set the learning rate that is due when a share of the steps is done: from ``lr`` in a line, not below a tenth."""
    for group in optimizer.param_groups:
        group["lr"] = lr * max(least, 1 - done)


def rise_and_fall(step: int, steps: int, warm_up: int, least: float = 0.02) -> float:
    """The learning rate as a share of the largest: up in the warm-up, and down to ``least`` along a cosine."""
    return min(1, (step + 1) / max(1, warm_up)) * (least + (1 - least) / 2 * (1 + math.cos(math.pi * step / steps)))
