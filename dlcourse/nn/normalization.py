"""Layers that bring what flows through them to mean 0 and variance 1, and let the network choose others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.module import Buffer, Module, Parameter
from dlcourse.tensor import Tensor, as_tensor


class _BatchNorm(Module):
    """Over the examples, for each channel (Ioffe & Szegedy 2015, algorithms 1 and 2).

    In training with the batch's mean and variance, which the running ones follow; in evaluation with those.

    Parameters
    ----------
    num_features : C
    eps : added to the variance
    momentum : the share of the new in the running statistics; None for the plain mean over all batches
    affine : whether there are weight and bias
    track_running_stats : whether there are running statistics; without them, evaluation uses the batch's too

    Attributes
    ----------
    weight, bias : (C,), at first 1 and 0, or None
    running_mean, running_var : buffers (C,), at first 0 and 1, or None
    num_batches_tracked : buffer, the number of batches seen in training, or None
    """

    axes: ClassVar[tuple[int, ...]]
    shapes: ClassVar[str]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:  # fmt: skip
        C = num_features
        self.num_features, self.eps, self.momentum = C, eps, momentum
        self.weight = Parameter(np.ones(C, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(C, np.float32)) if affine else None
        self.running_mean = Buffer(np.zeros(C, np.float32)) if track_running_stats else None
        self.running_var = Buffer(np.ones(C, np.float32)) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.array(0)) if track_running_stats else None

    def forward(self, input: Any) -> Tensor:
        """The input's shape. Another C, other axes, or one value for each channel in training are a ValueError."""
        x = as_tensor(input)
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}({self.num_features}) takes {self.shapes} with C = "
                             f"{self.num_features}, not shape {x.shape}")  # fmt: skip
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data += 1
            momentum = 1 / self.num_batches_tracked.data.item() if momentum is None else momentum
        training = self.training or self.running_mean is None
        running = (self.running_mean, self.running_var)
        return F.batch_norm(x, *running, self.weight, self.bias, training, momentum or 0.0, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        affine, tracks = self.weight is not None, self.running_mean is not None
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={affine}, "
                f"track_running_stats={tracks}")  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """For (N, C) or (N, C, L); the parameters are the base class's."""

    axes, shapes = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """For (N, C, H, W); the parameters are the base class's."""

    axes, shapes = (4,), "(N, C, H, W)"


class LayerNorm(Module):
    """Over the last axes, for each example (Ba, Kiros & Hinton 2016, section 3).

    Parameters
    ----------
    normalized_shape : the sizes of these axes, or the one size
    eps : added to the variance
    elementwise_affine, bias : whether there are weight and bias; no weight, no bias

    Attributes
    ----------
    weight, bias : of shape ``normalized_shape``, at first 1 and 0, or None
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:  # fmt: skip
        shape = (normalized_shape,) if isinstance(normalized_shape, int | np.integer) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        self.weight = Parameter(np.ones(shape, np.float32)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, np.float32)) if elementwise_affine and bias else None

    def forward(self, input: Any) -> Tensor:
        """The input's shape; a ValueError if its last axes have others than ``normalized_shape``."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"
