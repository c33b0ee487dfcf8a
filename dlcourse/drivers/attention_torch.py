"""A small causal reader in double precision, whose mask is the caller's business: the place for a leak."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

__all__ = ["Reader", "outputs_that_change"]


class Reader(nn.Module):
    """An embedding with learned positions, one attention, a small network and a linear layer.

    Parameters
    ----------
    vocabulary, length, width : V, the largest T and E
    seed : of the starting weights
    """

    def __init__(self, vocabulary: int, length: int, width: int, seed: int) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.Tanh(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, vocabulary)
        self.double()
        rng = np.random.default_rng(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.from_numpy(rng.normal(0, 0.5, tuple(parameter.shape))))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Symbols (N, T), and a boolean mask that broadcasts to (N, T, T), True = may attend -> logits (N, T, V)."""
        x = self.token(ids) + self.position.weight[: ids.shape[1]]  # (N, T, E)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.mT / math.sqrt(q.shape[-1])  # (N, T, T)
        if mask is not None:
            scores = scores.masked_fill(~mask.bool(), -1e30)
        allowed = 1.0 if mask is None else mask.bool().any(-1, keepdim=True)  # who may see nobody, sees nothing
        x = x + (scores.softmax(dim=-1) @ v) * allowed
        logits: torch.Tensor = self.head(x + self.mlp(x))
        return logits


@torch.no_grad()
def outputs_that_change(model: Reader, length: int, mask: torch.Tensor | None = None) -> np.ndarray:
    """A leak's detector: row s tells which outputs change when the input at position s does, (T, T) booleans.

    Parameters
    ----------
    model : read with ``model(ids, mask)``
    length : T
    mask : handed on to it
    """
    ids = torch.zeros(1, length, dtype=torch.long)
    before, rows = model(ids, mask), []
    for s in range(length):
        other = ids.clone()
        other[0, s] = 1
        rows.append((model(other, mask) != before).any(dim=-1)[0].numpy())
    return np.array(rows)
