"""What learners hand in for the way back through a convolution, wrong in one thing each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Triple = tuple[Any, Any, Any]


def framed(x: Array, p: int) -> Array:
    """The images with a frame of zeros."""
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def variant(
    dbias: Callable[[Array], Any] = lambda dout: dout.sum(axis=(0, 2, 3)),
    crop: Callable[[Array, int, int, int], Array] = lambda d, p, H, W: d[:, :, p : p + H, p : p + W],
    kernel: Callable[[Array], Array] = lambda w: w,
    seen: Callable[[Array, int], Array] = framed,
    dx_overwrites: bool = False,
    dx_step: Callable[[int], int] = lambda s: s,
    dx_slopes: Callable[[Array], Array] = lambda g: g,
    dx_after: Callable[[Array], Array] = lambda d: d,
    dweight_overwrites: bool = False,
    dweight_step: Callable[[int], int] = lambda s: s,
    dweight_of: Callable[[Array, Array, int], Array] = lambda g, w, pixels: np.einsum("no,ncab->ocab", g, w),
    dweight_after: Callable[[Array, int], Array] = lambda d, N: d,
) -> Callable[..., Triple]:
    """The way back with some of its parts exchanged."""

    def answer(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
        (N, _, H, W), k, (OH, OW) = x.shape, weight.shape[2], dout.shape[2:]
        image, dpadded, dweight = seen(x, padding), np.zeros_like(framed(x, padding)), np.zeros_like(weight)
        for i in range(OH):
            for j in range(OW):
                g, s = dout[:, :, i, j], dweight_step(stride)
                window = image[:, :, i * s : i * s + k, j * s : j * s + k]
                added = dweight_of(g, window, OH * OW)
                dweight = added if dweight_overwrites else dweight + added
                s = dx_step(stride)
                place = (..., slice(i * s, i * s + k), slice(j * s, j * s + k))
                sent = np.einsum("no,ocab->ncab", dx_slopes(g), kernel(weight))
                dpadded[place] = sent if dx_overwrites else dpadded[place] + sent
        return dx_after(crop(dpadded, padding, H, W)), dweight_after(dweight, N), dbias(dout)

    answer.__name__ = "conv2d_backward"
    return answer


right = variant()


def divided_by_overlap(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    dx, dweight, dbias = right(dout, x, weight, stride, padding)
    seen, _, _ = right(np.ones_like(dout[:, :1]), x, np.ones_like(weight[:1]), stride, padding)
    return dx / np.maximum(seen, 1), dweight, dbias


def without_remainder(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    dx, dweight, dbias = right(dout, x, weight, stride, padding)
    H, W = (stride * (n - 1) + weight.shape[2] - 2 * padding for n in dout.shape[2:])
    return dx[:, :, :H, :W], dweight, dbias


def for_each_example(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    dx, _, dbias = right(dout, x, weight, stride, padding)
    each = [right(dout[n : n + 1], x[n : n + 1], weight, stride, padding)[1] for n in range(len(x))]
    return dx, np.stack(each), dbias


def without_padding(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    """Loops over the windows that fit into the image as it is."""
    k = weight.shape[2]
    OH, OW = ((n - k) // stride + 1 for n in x.shape[2:])
    dx, dweight, _ = right(dout[:, :, :OH, :OW], x, weight, stride, 0)
    return dx, dweight, dout.sum(axis=(0, 2, 3))


def as_many_as_without_padding(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    """The framed image, but loops over as many outputs as there would be without the frame."""
    OH, OW = ((n - weight.shape[2]) // stride + 1 for n in x.shape[2:])
    dx, dweight, _ = right(dout[:, :, :OH, :OW], x, weight, stride, padding)
    return dx, dweight, dout.sum(axis=(0, 2, 3))


def without_the_last(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    dx, dweight, _ = right(dout[:, :, :-1, :-1], x, weight, stride, padding)
    return dx, dweight, dout.sum(axis=(0, 2, 3))


def averaged_over(count: Callable[[int, int], int], dx: bool = False) -> Callable[..., Triple]:
    """The slopes of the parameters, and with ``dx`` those of the image too, divided by a count of examples and pixels."""

    def answer(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
        image, dweight, dbias = right(dout, x, weight, stride, padding)
        n = count(len(dout), dout[0, 0].size)
        return image / n if dx else image, dweight / n, dbias / n

    answer.__name__ = "conv2d_backward"
    return answer


def weight_first(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    dx, dweight, dbias = right(dout, x, weight, stride, padding)
    return dweight, dbias, dx


def parameters_only(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Any:
    return right(dout, x, weight, stride, padding)[1:]


def by_full_convolution(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    """As if the stride were 1: the slopes are not spread out before they meet the turned kernels."""
    _, dweight, dbias = right(dout, x, weight, stride, padding)
    (H, W), k, p = x.shape[2:], weight.shape[2], padding
    windows = np.lib.stride_tricks.sliding_window_view(framed(dout, k - 1), (k, k), axis=(2, 3))
    full = np.einsum("nohwab,ocab->nchw", windows, weight[:, :, ::-1, ::-1])
    return full[:, :, p : p + H, p : p + W], dweight, dbias


def by_fitted_convolution(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    """As if the stride were 1, with the padding that gives the image's size then."""
    _, dweight, dbias = right(dout, x, weight, stride, padding)
    k = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(framed(dout, k - 1 - padding), (k, k), axis=(2, 3))
    return np.einsum("nohwab,ocab->nchw", windows, weight[:, :, ::-1, ::-1]), dweight, dbias
