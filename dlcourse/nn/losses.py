"""Losses as modules; the functions, with shapes and errors, are in :mod:`dlcourse.nn.functional`."""

from __future__ import annotations

from typing import Any

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.module import Module
from dlcourse.ops.losses import Reduction
from dlcourse.tensor import Tensor


class Loss(Module):
    """What all losses share: ``reduction`` is "mean", "sum" or "none"."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction


class CrossEntropyLoss(Loss):
    """Minus the log-probability of the right class, from scores."""

    def forward(self, input: Any, target: Any) -> Tensor:
        """Scores (N, C) and integers (N,)."""
        return F.cross_entropy(input, target, reduction=self.reduction)


class NLLLoss(Loss):
    """Minus the entry of the right class, from log-probabilities."""

    def forward(self, input: Any, target: Any) -> Tensor:
        """Log-probabilities (N, C) and integers (N,)."""
        return F.nll_loss(input, target, reduction=self.reduction)


class MSELoss(Loss):
    """Squared error."""

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two of one shape."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """Absolute error."""

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two of one shape."""
        return F.l1_loss(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy from scores."""

    def forward(self, input: Any, target: Any) -> Tensor:
        """Scores and targets in [0, 1], of one shape."""
        return F.binary_cross_entropy_with_logits(input, target, reduction=self.reduction)
