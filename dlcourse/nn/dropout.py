"""Dropout: no unit may rely on another that could be missing (Srivastava et al. 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.module import Module
from dlcourse.tensor import Tensor


class Dropout(Module):
    """In training, entries are set to 0 with probability ``p`` and the others divided by 1 - p; else nothing happens.

    Parameters
    ----------
    p : probability of a 0; a ValueError unless in [0, 1]
    rng : decides which entries, and moves on with every use; None is a fresh one
    """

    def __init__(self, p: float = 0.5, rng: np.random.Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p={p} is no probability; it must lie in [0, 1]")
        self.p = p
        self.rng = np.random.default_rng(rng)

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.dropout(input, self.p, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
