"""Convolution as one matrix product (Chellapilla, Puri & Simard 2006), and its transpose.

``im2col`` makes a column of what each window sees; then one product, with the kernels as the rows of a matrix, gives all
outputs of all examples. ``col2im`` is its adjoint: it adds each entry of a column to the pixel that it came from.
Forward, backward and the transposed convolution are these two and matrix products (Dumoulin & Visin 2016, section 4).
"""

from __future__ import annotations

import math

import numpy as np

from dlcourse.ops.rule import Array, Gradient, Result
from dlcourse.ops.windows import Size, Windows, as_batch, as_image, pair, windows


def im2col(image: Array, where: Windows) -> Array:
    """What each window sees, which is the image k·k times, each time shifted: (C, H, W, N) -> (C, k·k, oh, ow, N)."""
    shifted = where.take(image)
    return np.stack(shifted, axis=1) if len(shifted) > 1 else shifted[0][:, None]  # a 1×1 kernel needs no copy


def col2im(columns: Array, where: Windows) -> Array:
    """Each entry added to the pixel that im2col took it from: (C, k·k, oh, ow, N) -> (C, H, W, N)."""
    return where.add_back(columns.swapaxes(0, 1))


def conv2d(
    x: Array, weight: Array, bias: Array | None = None, stride: Size = 1, padding: Size | str = 0, dilation: Size = 1,
    groups: int = 1,
) -> Result:  # fmt: skip
    """x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,) -> (N, O, oh, ow); ValueError if they do not fit.

    The kernels are not turned around: in mathematics this is a cross-correlation.
    """
    image = as_image("conv2d", x)
    _check("conv2d", x, weight, bias, groups)
    where = windows("conv2d", image.shape[1:3], weight.shape[2:], stride, padding, dilation)
    columns = im2col(image, where)  # (C, k·k, oh, ow, N)
    O, P = len(weight), math.prod(columns.shape[2:])
    W = weight.reshape(groups, O // groups, -1)  # (groups, O / groups, C·k·k / groups)
    X = columns.reshape(groups, W.shape[2], P)
    out = _with_bias((W @ X).reshape(O, *columns.shape[2:]), bias)

    def backward(grad: Array) -> tuple[Gradient, ...]:
        g = as_image("conv2d", grad).reshape(groups, O // groups, P)
        return (
            lambda: as_batch(col2im((W.swapaxes(1, 2) @ g).reshape(columns.shape), where)),
            lambda: (g @ X.swapaxes(1, 2)).reshape(weight.shape),
            lambda: g.reshape(O, P).sum(axis=1),
        )[: 2 + (bias is not None)]

    return as_batch(out), backward


def conv_transpose2d(
    x: Array, weight: Array, bias: Array | None = None, stride: Size = 1, padding: Size = 0, output_padding: Size = 0,
    groups: int = 1, dilation: Size = 1,
) -> Result:  # fmt: skip
    """x (N, C, H, W), weight (C, O / groups, kh, kw), bias (O,) -> (N, O, oh, ow); ValueError if they do not fit.

    What conv2d's backward does for its input, as an op: so its own backward is a conv2d.
    """
    name = "conv_transpose2d"
    image = as_image(name, x)
    _check(name, x, weight, bias, groups)
    where = _reached(image.shape[1:3], weight.shape[2:], stride, padding, output_padding, dilation)
    C, P = len(weight), math.prod(image.shape[1:])
    W = weight.reshape(groups, C // groups, -1)  # (groups, C / groups, O·k·k / groups)
    X = image.reshape(groups, C // groups, P)
    O = groups * weight.shape[1]
    columns = (W.swapaxes(1, 2) @ X).reshape(O, math.prod(where.kernel), *image.shape[1:])  # (O, k·k, H, W, N)
    out = _with_bias(col2im(columns, where), bias)

    def backward(grad: Array) -> tuple[Gradient, ...]:
        g = as_image(name, grad)
        columns = im2col(g, where).reshape(groups, W.shape[2], P)
        return (
            lambda: as_batch((W @ columns).reshape(image.shape)),
            lambda: (X @ columns.swapaxes(1, 2)).reshape(weight.shape),
            lambda: g.sum(axis=(1, 2, 3)),
        )[: 2 + (bias is not None)]

    return as_batch(out), backward


def _reached(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: Size, padding: Size, output_padding: Size, dilation: Size
) -> Windows:
    """The windows of the convolution that would make an image of this size from the one to be made."""
    name, both = "conv_transpose2d", (0, 1)
    s, p, d = pair(name, "stride", stride, 1), pair(name, "padding", padding, 0), pair(name, "dilation", dilation, 1)
    more = pair(name, "output_padding", output_padding, 0)
    H, W = [(size[i] - 1) * s[i] - 2 * p[i] + d[i] * (kernel[i] - 1) + more[i] + 1 for i in both]
    if any(more[i] >= max(s[i], d[i]) for i in both) or min(H, W) < 1:
        raise ValueError(
            f"{name}: output_padding={output_padding!r} must be smaller than stride={stride!r} or the dilation, and "
            f"padding={padding!r} must leave something of the output, whose size would be {H}×{W}"
        )
    return Windows((H, W), (size[0], size[1]), (kernel[0], kernel[1]), s, d, ((p[0], p[0]), (p[1], p[1])))


def _check(name: str, x: Array, weight: Array, bias: Array | None, groups: int) -> None:
    """Whether x (N, C, H, W), weight and bias have the channels for one another."""
    transposed = name == "conv_transpose2d"
    layout = "(C, O / groups, kh, kw)" if transposed else "(O, C / groups, kh, kw)"
    if weight.ndim != 4 or 0 in weight.shape or groups < 1 or len(weight) % groups:
        raise ValueError(f"{name}: the weight must be {layout}, its first axis a multiple of groups, none empty; got "
                         f"shape {weight.shape} and groups={groups!r}")  # fmt: skip
    first, second = len(weight), groups * weight.shape[1]
    C, O = (first, second) if transposed else (second, first)
    if x.shape[1] != C:
        raise ValueError(f"{name}: a weight of shape {weight.shape}, {layout}, with groups={groups} takes {C} channels; "
                         f"the input of shape {x.shape}, (N, C, H, W), has {x.shape[1]}")  # fmt: skip
    if bias is not None and bias.shape != (O,):
        raise ValueError(f"{name}: the bias must have a number for each of {O} output channels, not shape {bias.shape}")


def _with_bias(out: Array, bias: Array | None) -> Array:
    """A new ``out`` (O, oh, ow, N) plus bias (O,)."""
    if bias is None:
        return out
    return np.add(out, bias[:, None, None, None], out=out if out.dtype == bias.dtype else None)
