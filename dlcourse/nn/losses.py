"""Losses as modules; the functions, with shapes and errors, are in :mod:`dlcourse.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.module import Module
from dlcourse.ops.losses import Reduction
from dlcourse.tensor import Tensor


class Loss(Module):
    """What all losses share: a function, and ``reduction``, which is "mean", "sum" or "none"."""

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, input: Any, target: Any) -> Tensor:
        """Shapes as in the function."""
        return type(self).function(input, target, reduction=self.reduction)


class CrossEntropyLoss(Loss):
    """Minus the log-probability of the right class, from scores (N, C) and integers (N,)."""

    function = F.cross_entropy


class NLLLoss(Loss):
    """Minus the entry of the right class, from log-probabilities (N, C) and integers (N,)."""

    function = F.nll_loss


class MSELoss(Loss):
    """Squared error of two arrays of one shape."""

    function = F.mse_loss


class L1Loss(Loss):
    """Absolute error of two arrays of one shape."""

    function = F.l1_loss


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy, from scores and targets in [0, 1] of one shape."""

    function = F.binary_cross_entropy_with_logits
