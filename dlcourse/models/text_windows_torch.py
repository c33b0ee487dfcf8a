"""What a language model's training with :func:`dlcourse.train.fit` needs: windows of text, and a record in bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlcourse.train import Callback

__all__ = ["Record", "Windows"]


class Windows:
    """Batches of windows and of what follows each of their symbols, (N, T) each, as many batches as steps."""

    def __init__(self, ids: torch.Tensor, context: int, batch: int, steps: int, seed: int) -> None:
        self.ids, self.context, self.batch, self.steps = ids, context, batch, steps
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        starts = np.zeros(0, np.int64)
        for _ in range(self.steps):
            if len(starts) < self.batch:  # a new pass; its windows begin elsewhere
                first = self.rng.integers(self.context)
                starts = self.rng.permutation(np.arange(first, len(self.ids) - self.context, self.context))
            now, starts = starts[: self.batch], starts[self.batch :]
            chunk = self.ids[torch.from_numpy(now)[:, None] + torch.arange(self.context + 1)]  # (N, T + 1)
            yield chunk[:, :-1], chunk[:, 1:]


class Record(Callback):
    """Bits per character of each step, into the model's history and onto the bar."""

    def __init__(self, characters: float, bar: Any) -> None:
        self.characters, self.bar = characters, bar  # characters that a symbol stands for, on average

    def on_step_end(self, run: Any) -> None:
        """Take note of ``run.loss``."""
        history = run.model.history
        history.append(run.loss / math.log(2) / self.characters)
        self.bar.set_postfix_str(f"{np.mean(history[-50:]):.2f} bits per character", refresh=False)
        self.bar.update()  # which draws the bar ten times a second at most
