"""Linear: every output is a weighted sum of all inputs, plus a bias."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn import init
from dlcourse.nn.module import Module, Parameter
from dlcourse.tensor import Tensor, as_tensor


class Linear(Module):
    """``y = x Wᵀ + b`` over the last axis: (..., in_features) -> (..., out_features).

    Parameters
    ----------
    in_features, out_features : numbers of inputs and outputs
    bias : whether there is a ``b``
    rng : source of the starting weights; None is a fresh one

    Attributes
    ----------
    weight : (out_features, in_features), uniform in ±1/√in_features like PyTorch's
    bias : (out_features,), drawn alike, or None
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, rng: np.random.Generator | None = None
    ) -> None:
        rng = np.random.default_rng(rng)
        bound = 1 / math.sqrt(in_features) if in_features else 0.0
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.bias = Parameter(np.empty(out_features, np.float32)) if bias else None
        init.uniform_(self.weight, -bound, bound, rng)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, rng)

    def forward(self, input: Any) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        out_features, in_features = self.weight.shape
        return f"in_features={in_features}, out_features={out_features}, bias={self.bias is not None}"


class Identity(Module):
    """What it is given: in the place of a layer that is left out."""

    def forward(self, input: Any) -> Tensor:
        """Any shape, kept."""
        return as_tensor(input)


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` made one: by default (N, ...) -> (N, D)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Tensor:
        """(N, ...) -> (N, D)."""
        x = as_tensor(input)
        axes = range(x.ndim)[slice(self.start_dim, None if self.end_dim == -1 else self.end_dim + 1)]
        if not axes:
            raise ValueError(f"Flatten: shape {x.shape} has no axes from {self.start_dim} to {self.end_dim}")
        return x.reshape(*x.shape[: axes[0]], math.prod(x.shape[a] for a in axes), *x.shape[axes[-1] + 1 :])
