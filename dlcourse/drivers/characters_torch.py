"""A small network that reads characters, in double precision, and an optimizer that says what it was handed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["Characters", "Watched", "flat"]

State = tuple[torch.Tensor, torch.Tensor]


class Characters(nn.Module):
    """An embedding, an LSTM and a linear layer, built like :class:`dlcourse.models.char_lstm_torch.CharLSTM`.

    Parameters
    ----------
    vocabulary, hidden : V and S
    seed : of the starting weights
    """

    def __init__(self, vocabulary: int, hidden: int, seed: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 3)
        self.lstm = nn.LSTM(3, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)
        self.double()
        rng = np.random.default_rng(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.from_numpy(rng.normal(0, 0.6, tuple(parameter.shape))))

    def forward(self, ids: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Characters (N, T), and the state (h, c), each (1, N, S) -> logits (N, T, V), and the last state."""
        h, state = self.lstm(self.embedding(ids), state)
        return self.head(h), state


class Watched:
    """Plain gradient descent that keeps, for each step it takes, the norm of all gradients together.

    ``torch.optim`` loads PyTorch's compiler, which wants to write files; where answers are graded, nothing may be written.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": lr}]
        self.norms: list[float] = []

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else torch.zeros_like(p)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step, and a note of it."""
        squares = 0.0
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    squares += float((p.grad**2).sum())
                    p.add_(p.grad, alpha=-group["lr"])
        self.norms.append(squares**0.5)


def flat(model: nn.Module) -> np.ndarray:
    """All weights one behind the other."""
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])
