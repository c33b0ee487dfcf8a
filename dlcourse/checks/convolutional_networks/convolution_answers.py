"""What learners hand in for a convolution, wrong in one thing each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def pad(x: Array, before: int, behind: int, value: float = 0.0) -> Array:
    """The images with so many rows and columns before and behind."""
    return np.pad(x, ((0, 0), (0, 0), (before, behind), (before, behind)), constant_values=value)


def all_round(x: Array, p: int) -> Array:
    """The images with zeros on all four sides."""
    return pad(x, p, p)


def places(n: int, k: int, s: int) -> int:
    """How many places a window has."""
    return (n - k) // s + 1


def variant(
    pad: Callable[[Array, int], Array] = lambda x, p: all_round(x, p),
    kernel: Callable[[Array], Array] = lambda w: w,
    size: Callable[[int, int, int], int] = places,
    width: Callable[[int, int, int], int] | None = None,
    step: Callable[[int], tuple[int, int]] = lambda s: (s, s),
    combine: Callable[[Array, Array], Array] = lambda w, v: np.einsum("nchwij,ocij->nohw", w, v),
    bias: Callable[[Array, Array, int, int], Array] = lambda out, b, C, k: out + b[:, None, None],
    post: Callable[[Array], Array] = lambda out: out,
    square: bool = False,
    tiles: bool = False,
    fill: bool = False,
) -> Callable[..., Array]:
    """A convolution with some of its parts exchanged.

    ``size`` and ``width`` give the numbers of rows and columns of the output, ``step`` how far the window moves;
    ``square``: the rows are used for both; ``tiles``: the window moves by its own size; ``fill``: the
    output is filled at the place where the window begins.
    """

    def answer(x: Array, weight: Array, b: Array, stride: int = 1, padding: int = 0) -> Array:
        k, C = weight.shape[-1], weight.shape[1]
        padded, weight = pad(x, padding), kernel(weight)
        OH = size(padded.shape[2], k, stride)
        OW = OH if square else (width or size)(padded.shape[3], k, stride)
        down, across = (k, k) if tiles else step(stride)
        if fill:
            np.zeros((OH, OW))[(OH - 1) * down, (OW - 1) * across]
        windows = np.zeros((*padded.shape[:2], OH, OW, k, k), dtype=padded.dtype)
        for i in range(OH):
            for j in range(OW):
                top, left = i * down, j * across
                windows[:, :, i, j] = padded[:, :, top : top + k, left : left + k]
        return post(bias(combine(windows, weight), b, C, k))

    answer.__name__ = "conv2d"
    return answer


def dilated(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    k, reach = weight.shape[-1], stride * (weight.shape[-1] - 1) + 1
    padded = pad(x, padding, padding)
    if min(padded.shape[2:]) < reach:
        padded = pad(padded, 0, reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (reach, reach), axis=(2, 3))[..., ::stride, ::stride]
    assert windows.shape[-1] == k
    return np.asarray(np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None])


def rounded_up(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    return _over_the_edge(x, weight, bias, stride, padding, lambda n, k, s: -(-(n - k) // s) + 1)


def same_padded(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    return _over_the_edge(x, weight, bias, stride, padding, lambda n, k, s: n // s)


def _over_the_edge(
    x: Array, weight: Array, bias: Array, stride: int, padding: int, size: Callable[[int, int, int], int]
) -> Array:
    """With windows that may hang over the edge, where they see zeros."""
    k = weight.shape[-1]
    inside = pad(x, padding, padding)
    OH, OW = (size(n, k, stride) for n in inside.shape[2:])
    wide = pad(inside, 0, stride * (max(OH, OW) + 1) + k)
    out = variant(pad=lambda x, p: x, size=lambda n, k, s: OH, width=lambda n, k, s: OW)
    return out(wide, weight, bias, stride)


def output_padded(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    return all_round(variant()(x, weight, bias, stride, 0), padding)


def as_small_as_without_padding(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    OH, OW = (places(n, weight.shape[-1], stride) for n in x.shape[2:])
    return variant()(x, weight, bias, stride, padding)[:, :, :OH, :OW]


def padded_twice(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    return variant()(all_round(x, padding), weight, bias, stride, padding)


def only_first(out: Array) -> Array:
    out[1:] = 0
    return out


def half_a_kernel(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    return variant()(x, weight, bias, stride, weight.shape[-1] // 2)


def centered(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    k, framed = weight.shape[-1], all_round(x, padding)
    rows, columns = (places(n, k, stride) for n in framed.shape[2:])
    early = variant(pad=lambda x, p: pad(x, k // 2, 0))(framed, weight, bias, stride)
    return early[:, :, :rows, :columns]
