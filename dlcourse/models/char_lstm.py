"""A language model with a memory: embedding, LSTM, and a linear layer that says what comes next, on the engine.

Its twin in PyTorch is :mod:`dlcourse.models.char_lstm_torch`, with the same names and keys: weights cross in either
direction. After Graves 2013, "Generating sequences with recurrent neural networks", and Karpathy 2015.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse import nn
from dlcourse.data.text import CHARACTERS
from dlcourse.tensor import Tensor

__all__ = ["CharLSTM"]


class CharLSTM(nn.Module):
    """Reads characters, and after each one says what the next may be.

    Parameters
    ----------
    vocabulary : the alphabet, V characters
    embedding : width E of the vector that stands for a character
    hidden : width S of the state
    rng : source of the starting weights; None is a fresh one
    """

    def __init__(
        self,
        vocabulary: str = CHARACTERS,
        embedding: int = 64,
        hidden: int = 256,
        rng: np.random.Generator | None = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(len(vocabulary), embedding, rng=rng)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, rng=rng)
        self.head = nn.Linear(hidden, len(vocabulary), rng=rng)

    def forward(self, ids: Any, state: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Characters (N, T), and the state (h, c), each (1, N, S) -> the next ones' logits (N, T, V), and the last state.

        A state of None is zeros: nothing read yet.
        """
        h, state = self.lstm(self.embedding(ids), state)
        return self.head(h), state
