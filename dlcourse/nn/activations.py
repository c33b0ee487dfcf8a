"""Activations as modules, for use in a Sequential; the functions are in :mod:`dlcourse.nn.functional`."""

from __future__ import annotations

from typing import Any, Literal

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.module import Module
from dlcourse.tensor import Tensor


class ReLU(Module):
    """``max(x, 0)``."""

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.relu(input)


class LeakyReLU(Module):
    """``x`` where positive, else ``negative_slope * x``."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.leaky_relu(input, self.negative_slope)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``."""

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.sigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.tanh(input)


class GELU(Module):
    """``x * Φ(x)``, exact or with ``approximate="tanh"``."""

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate: Literal["none", "tanh"] = approximate

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.gelu(input, self.approximate)


class SiLU(Module):
    """``x * sigmoid(x)``."""

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.silu(input)


class Softmax(Module):
    """Probabilities along an axis. A network for :class:`CrossEntropyLoss` ends *without* it."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.softmax(input, self.axis)


class LogSoftmax(Module):
    """Log-probabilities along an axis."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return F.log_softmax(input, self.axis)
