"""Embedding: a learned vector for each word."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn import init
from dlcourse.nn.module import Module, Parameter
from dlcourse.tensor import Tensor


class Embedding(Module):
    """A table that is looked up: integers (...) -> (..., embedding_dim).

    Parameters
    ----------
    num_embeddings, embedding_dim : numbers of rows (the vocabulary V) and of columns (E)
    padding_idx : a row that starts at 0 and gets no gradient; None for no such row
    rng : source of the starting weights; None is a fresh one

    Attributes
    ----------
    weight : (V, E), standard normal at first like PyTorch's

    Raises
    ------
    ValueError
        If ``padding_idx`` is no row.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), np.float32))
        self.padding_idx = padding_idx
        init.normal_(self.weight, rng=rng)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"Embedding: padding_idx={padding_idx} is no row of num_embeddings={num_embeddings}")
            self.weight.data[padding_idx] = 0

    def forward(self, input: Any) -> Tensor:
        """Integers (...) -> (..., E)."""
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """The sizes."""
        V, E = self.weight.shape
        return f"{V}, {E}" + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")
