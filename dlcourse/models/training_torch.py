"""What several trainings share: a check of the number of steps, one update, and a learning rate that rises and falls."""

from __future__ import annotations

import math

import torch

__all__ = ["check_steps", "descend", "rise_and_fall"]


def check_steps(function: str, steps: int) -> None:
    """Refuse a training without steps.

    Raises
    ------
    ValueError
        That names the function, if steps is below 1.
    """
    if steps < 1:
        raise ValueError(f"{function}: steps={steps!r}; give at least 1")


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One update by the loss's gradient alone: what another loss has left in the parameters is dropped first."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def rise_and_fall(step: int, steps: int, warm_up: int, least: float = 0.02) -> float:
    """The learning rate as a share of the largest: up in the warm-up, and down to ``least`` along a cosine."""
    return min(1, (step + 1) / max(1, warm_up)) * (least + (1 - least) / 2 * (1 + math.cos(math.pi * step / steps)))
