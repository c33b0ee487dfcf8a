"""Convolutions: one small kernel serves all places of an image."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn import init
from dlcourse.nn.module import Module, Parameter
from dlcourse.ops.windows import Size, pair
from dlcourse.tensor import Tensor


class Conv2d(Module):
    """Kernels slid over images: (N, in_channels, H, W) -> (N, out_channels, oh, ow), by :func:`functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : numbers of channels, multiples of ``groups``
    kernel_size, stride, padding, dilation : a number for height and width, or a pair; padding also "same" or "valid"
    groups : how many groups of channels are convolved apart
    bias : whether each output channel gets one
    rng : source of the starting weights; None is a fresh one

    Attributes
    ----------
    weight : (out_channels, in_channels / groups, kh, kw), uniform in ±1/√(kh·kw·in_channels / groups) like PyTorch's
    bias : (out_channels,), drawn alike, or None

    Raises
    ------
    ValueError
        If the channels are no multiples of ``groups``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1,
        padding: Size | Literal["valid", "same"] = 0, dilation: Size = 1, groups: int = 1, bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.weight, self.bias = _start((out_channels, in_channels), kernel_size, groups, bias * out_channels, rng)

    def forward(self, input: Any) -> Tensor:
        """(N, C, H, W) -> (N, O, oh, ow)."""
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """The options."""
        O, C, kh, kw = self.weight.shape
        return (f"{C * self.groups}, {O}, kernel_size=({kh}, {kw}), stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}")  # fmt: skip


class ConvTranspose2d(Module):
    """Makes images larger: (N, in_channels, H, W) -> (N, out_channels, oh, ow), by :func:`functional.conv_transpose2d`.

    Parameters
    ----------
    as for Conv2d, in PyTorch's order; ``output_padding`` chooses among the sizes that a stride leaves open

    Attributes
    ----------
    weight : (in_channels, out_channels / groups, kh, kw), uniform in ±1/√(kh·kw·out_channels / groups) like PyTorch's
    bias : (out_channels,), drawn alike, or None
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1, padding: Size = 0,
        output_padding: Size = 0, groups: int = 1, bias: bool = True, dilation: Size = 1,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.groups, self.dilation = groups, dilation
        self.weight, self.bias = _start((in_channels, out_channels), kernel_size, groups, bias * out_channels, rng)

    def forward(self, input: Any) -> Tensor:
        """(N, C, H, W) -> (N, O, oh, ow)."""
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )

    def extra_repr(self) -> str:
        """The options."""
        C, O, kh, kw = self.weight.shape
        return (f"{C}, {O * self.groups}, kernel_size=({kh}, {kw}), stride={self.stride}, padding={self.padding}, "
                f"output_padding={self.output_padding}, groups={self.groups}, bias={self.bias is not None}, "
                f"dilation={self.dilation}")  # fmt: skip


def _start(
    channels: tuple[int, int], kernel_size: Size, groups: int, biases: int, rng: np.random.Generator | None
) -> tuple[Parameter, Parameter | None]:
    """A weight for these channels, those of its first axis first, and so many biases, as PyTorch draws them."""
    if groups < 1 or any(C % groups for C in channels):
        raise ValueError(f"a convolution with groups={groups} needs multiples of it as channels, not {channels}")
    rng = np.random.default_rng(rng)
    shape = (channels[0], channels[1] // groups, *pair("a convolution", "kernel_size", kernel_size, 1))
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    weight = init.uniform_(Parameter(np.empty(shape, np.float32)), -bound, bound, rng)
    return weight, init.uniform_(Parameter(np.empty(biases, np.float32)), -bound, bound, rng) if biases else None
