"""Pooling: one number for each window, its largest pixel or its mean, in each channel by itself.

The loops go over the k·k pixels of the kernel, not over the windows: each step is one operation on a whole array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from itertools import repeat
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array, Result
from dlcourse.ops.windows import Size, Windows, as_batch, as_image, pair, windows


def max_pool2d(x: Array, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Result:
    """The largest pixel of each window, (N, C, H, W) -> (N, C, oh, ow); ValueError if an option does not fit.

    The first of equal pixels gets the gradient.
    """
    image, where = _windows("max_pool2d", x, kernel_size, stride, padding)
    seen = where.take(image, border=-math.inf)  # k·k arrays (C, oh, ow, N)
    out: Array = reduce(np.maximum, seen)

    def shares(left: Array) -> Iterator[Array]:  # left: the gradients that have not yet met their pixel
        for pixels in seen[:-1]:
            share = left * (pixels == out)
            yield share
            left -= share
        yield left

    return as_batch(out), lambda grad: (as_batch(where.add_back(shares(as_image("max_pool2d", grad).copy()))),)


def avg_pool2d(
    x: Array, kernel_size: Size, stride: Size | None = None, padding: Size = 0, count_include_pad: bool = True
) -> Result:
    """The mean of each window, (N, C, H, W) -> (N, C, oh, ow); ValueError if an option does not fit.

    The border is zeros; they count, or the mean is over the window's pixels in the image alone.
    """
    image, where = _windows("avg_pool2d", x, kernel_size, stride, padding)
    k = math.prod(where.kernel)
    weight: Any = 1 / k if count_include_pad else 1 / sum(where.take(np.ones((1, *where.image, 1), image.dtype)))
    out = reduce(np.add, where.take(image)) * weight

    def backward(grad: Array) -> tuple[Array]:
        return (as_batch(where.add_back(repeat(as_image("avg_pool2d", grad) * weight, k))),)

    return as_batch(out), backward


def _windows(name: str, x: Array, kernel_size: object, stride: object, padding: object) -> tuple[Array, Windows]:
    image = as_image(name, x if x.dtype.kind == "f" else x.astype(np.float32))
    kernel, edge = pair(name, "kernel_size", kernel_size, 1), pair(name, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(edge, kernel, strict=True)):
        raise ValueError(f"{name}: padding={padding!r} must be at most half of kernel_size={kernel_size!r}, or a window "
                         "could see nothing but border")  # fmt: skip
    return image, windows(name, image.shape[1:3], kernel, kernel if stride is None else stride, edge)
