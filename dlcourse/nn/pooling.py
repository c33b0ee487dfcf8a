"""Pooling: images made smaller, one number for each window."""

from __future__ import annotations

from typing import Any

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.module import Module
from dlcourse.ops.windows import Size
from dlcourse.tensor import Tensor


class MaxPool2d(Module):
    """The largest pixel of each window, by :func:`functional.max_pool2d`; ``stride=None`` is ``kernel_size``."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def forward(self, input: Any) -> Tensor:
        """(N, C, H, W) -> (N, C, oh, ow)."""
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window, by :func:`functional.avg_pool2d`; ``stride=None`` is ``kernel_size``."""

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, *, count_include_pad: bool = True
    ) -> None:
        self.kernel_size, self.padding, self.count_include_pad = kernel_size, padding, count_include_pad
        self.stride = kernel_size if stride is None else stride

    def forward(self, input: Any) -> Tensor:
        """(N, C, H, W) -> (N, C, oh, ow)."""
        return F.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, count_include_pad=self.count_include_pad
        )

    def extra_repr(self) -> str:
        """The options."""
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"count_include_pad={self.count_include_pad}")  # fmt: skip
