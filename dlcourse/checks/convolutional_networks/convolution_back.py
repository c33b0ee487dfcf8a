"""The way back through a convolution: to the image, to the kernels, to the biases."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.convolutional_networks import convolution_back_answers as answers
from dlcourse.checks.convolutional_networks.convolution_back_answers import variant
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]
Triple = tuple[Any, Any, Any]


def conv2d_backward(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    H, W = x.shape[2:]
    k = weight.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows, columns = slice(i * stride, i * stride + k), slice(j * stride, j * stride + k)
            slope = dout[:, :, i, j]  # (N, O)
            dweight += np.einsum("no,ncab->ocab", slope, padded[:, :, rows, columns])
            dpadded[:, :, rows, columns] += np.einsum("no,ocab->ncab", slope, weight)
    dx = dpadded[:, :, padding : padding + H, padding : padding + W]
    return dx, dweight, dout.sum(axis=(0, 2, 3))


def conv2d_backward_by_shifts(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Any:
    """One product for each place in the kernel, over the whole image at once."""
    N, C, H, W = x.shape
    O, _, k, _ = weight.shape
    OH, OW = dout.shape[2:]
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : H + padding, padding : W + padding] = x
    dpadded, dweight = np.zeros(padded.shape), np.zeros((O, C, k, k))
    for a in range(k):
        for b in range(k):
            seen = (..., slice(a, a + stride * (OH - 1) + 1, stride), slice(b, b + stride * (OW - 1) + 1, stride))
            dweight[:, :, a, b] = np.tensordot(dout, padded[seen], axes=([0, 2, 3], [0, 2, 3]))
            dpadded[seen] += np.tensordot(weight[:, :, a, b], dout, axes=([0], [1])).transpose(1, 0, 2, 3)
    return [dpadded[:, :, padding:, padding:][:, :, :H, :W], dweight, np.einsum("nohw->o", dout)]


def conv2d_backward_by_convolutions(dout: Array, x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Triple:
    """Two convolutions: the image with the slopes, and the slopes, spread out, with the turned kernels."""
    N, _, H, W = x.shape
    k, p = weight.shape[2], padding
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    spread = np.zeros((N, len(weight), padded.shape[2] - k + 1, padded.shape[3] - k + 1))
    spread[:, :, ::stride, ::stride] = dout
    window = np.lib.stride_tricks.sliding_window_view
    dweight = np.einsum("ncabhw,nohw->ocab", window(padded, spread.shape[2:], axis=(2, 3)), spread)
    full = np.pad(spread, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    dpadded = np.einsum("nohwab,ocab->nchw", window(full, (k, k), axis=(2, 3)), weight[:, :, ::-1, ::-1])
    return dpadded[:, :, p : p + H, p : p + W], dweight, dout.sum(3).sum(2).sum(0)


def backward_inputs(rng: np.random.Generator) -> list[Case]:
    def case(image: tuple[int, ...], kernel: tuple[int, int], *options: int, label: str = "") -> Case:
        (N, C, H, W), (O, k) = image, kernel
        stride, padding = options or (1, 0)
        OH, OW = ((n + 2 * padding - k) // stride + 1 for n in (H, W))
        arrays = rng.normal(size=(N, O, OH, OW)), rng.normal(size=image), rng.normal(size=(O, C, k, k))
        return Case((*(a.round(2) for a in arrays), *options), label)

    first = (
        np.array([[[[1.0, 0.0, 2.0], [-1.0, 0.5, 0.0]]]]),
        np.array([[[[1.0, 2.0, 0.0, -1.0], [0.0, 3.0, 1.0, 2.0], [2.0, -2.0, 4.0, 1.0]]]]),
        np.array([[[[1.0, 2.0], [0.0, -1.0]]]]),
    )
    return [
        Case(first),
        case((2, 3, 5, 6), (4, 3), 1, 1),
        case((3, 2, 6, 4), (3, 2), 2, 0),
        case((2, 3, 6, 7), (2, 3), 2, 1),
        case((2, 2, 5, 8), (5, 3), 3, 2),
        case((1, 2, 5, 6), (3, 3), 1, 0, label="a batch of one"),
        case((2, 3, 5, 4), (4, 1), 1, 0, label="a kernel of one pixel"),
        case((2, 3, 4, 4), (2, 4), 1, 0, label="a kernel as large as the image"),
        case((3, 1, 5, 4), (1, 2), 1, 1, label="a single channel in and out"),
        case((2, 3, 5, 6), (3, 3), 1, 1),
        case((2, 3, 6, 6), (3, 3), 2, 1, label="all sizes alike"),
        case((2, 2, 7, 6), (3, 2), 3, 0, label="pixels that no window sees"),
        case((2, 2, 4, 6), (3, 2), label="stride and padding left at their defaults"),
    ]


CONV2D_BACKWARD = Exercise(
    id="convolutional_networks.conv2d_backward",
    kind="function",
    title="Convolution, backward",
    points=5,
    minutes=40,
    difficulty=3,
    function="conv2d_backward",
    reference=conv2d_backward,
    alternatives=(conv2d_backward_by_shifts, conv2d_backward_by_convolutions),
    inputs=backward_inputs,
    returns=("dx", "dweight", "dbias"),
    blame=("dbias", "dweight", "dx"),
    forbid=("torch", "dlcourse.nn", "dlcourse.ops", "scipy"),
    wrong=(
        # --- dbias
        Wrong(
            "dbias-not-summed-over-the-batch",
            variant(dbias=lambda dout: dout.sum(axis=(2, 3))),
            "`dx` and `dweight` are right. `dbias` has one row for each example. One bias serves all N of them: how do its slopes come together?",
        ),
        Wrong(
            "dbias-not-summed-over-the-pixels",
            variant(dbias=lambda dout: dout.sum(axis=0)),
            "`dx` and `dweight` are right. `dbias` is summed over the examples, but has a number for each pixel. At how many pixels is one bias added?",
        ),
        Wrong(
            "dbias-averaged-over-the-batch",
            variant(dbias=lambda dout: dout.sum(axis=(2, 3)).mean(axis=0)),
            "`dx` and `dweight` are right. `dbias` is a mean over the examples. A number that is used N times gets N slopes: are they added or averaged?",
        ),
        Wrong(
            "dbias-averaged",
            variant(dbias=lambda dout: dout.mean(axis=(0, 2, 3))),
            "`dx` and `dweight` are right. `dbias` is a mean over examples and pixels. How do the slopes of a number come together that is added in many places?",
        ),
        Wrong(
            "dbias-averaged-over-the-pixels",
            variant(dbias=lambda dout: dout.mean(axis=(2, 3)).sum(axis=0)),
            "`dx` and `dweight` are right. `dbias` is a mean over the output's pixels. The bias is added at each of them: are its slopes added or averaged?",
        ),
        Wrong(
            "dbias-with-four-axes",
            variant(dbias=lambda dout: dout.sum(axis=(0, 2, 3), keepdims=True)),
            "`dx` and `dweight` are right. The numbers of `dbias` are, too, but it has shape (1, O, 1, 1). Which shape has `bias` itself?",
        ),
        Wrong(
            "dbias-of-everything",
            variant(dbias=lambda dout: dout.sum()),
            "`dx` and `dweight` are right. `dbias` is one number, the sum over all output channels. How many biases are there, and which axis has to stay?",
        ),
        Wrong(
            "dbias-along-the-columns",
            variant(dbias=lambda dout: dout.sum(axis=(0, 1, 2))),
            "`dx` and `dweight` are right. `dbias` keeps the last axis of `dout`, the columns. Which of the four axes belongs to the output channels?",
        ),
        # --- dx
        Wrong(
            "dx-not-cropped",
            variant(crop=lambda d, p, H, W: d),
            "`dweight` and `dbias` are right. `dx` has the shape of the *padded* image. Its frame holds the slopes of zeros that nobody asked for: which part belongs to x?",
        ),
        Wrong(
            "dx-cropped-at-the-far-end",
            variant(crop=lambda d, p, H, W: d[:, :, :H, :W]),
            "`dweight` and `dbias` are right. `dx` has the right size, but is cut from the upper left corner of the padded image. Where in it does x begin?",
        ),
        Wrong(
            "dx-cropped-on-the-rows-only",
            variant(crop=lambda d, p, H, W: d[:, :, p : p + H]),
            "`dweight` and `dbias` are right. The frame of `dx` is taken off above and below, but not at the left and right. On which axes did the padding lie?",
        ),
        Wrong(
            "dx-cropped-to-the-old-size",
            variant(crop=lambda d, p, H, W: d[:, :, p:H, p:W]),
            "`dweight` and `dbias` are right. `dx` ends too early: your slices run from `padding` to the height and width of x. At which row of the padded image does x end?",
        ),
        Wrong(
            "dx-by-convolution-without-the-stride",
            answers.by_full_convolution,
            "`dweight` and `dbias` are right. `dx` is the full convolution of `dout` with the turned kernels, which is right for a stride of 1. With a larger one, how far apart do the slopes of neighboring outputs have to lie first?",
        ),
        Wrong(
            "dx-by-fitted-convolution-without-the-stride",
            answers.by_fitted_convolution,
            "`dweight` and `dbias` are right. `dx` is `dout`, padded by k - 1 - p, under the turned kernels, which is right for a stride of 1. With a larger one, how far apart do the slopes of neighboring outputs have to lie first?",
        ),
        Wrong(
            "dx-empty-without-padding",
            variant(crop=lambda d, p, H, W: d[:, :, p:-p, p:-p]),
            "`dweight` and `dbias` are right, and with padding `dx` is, too. Without any it comes out empty: what does the slice `[0:-0]` select?",
        ),
        Wrong(
            "dx-overwritten",
            variant(dx_overwrites=True),
            "`dweight` and `dbias` are right. In `dx` a pixel keeps only the slope from the last window that saw it. What has to happen where windows overlap, and is that `=` or `+=`?",
        ),
        Wrong(
            "kernel-not-turned",
            variant(kernel=lambda w: w[:, :, ::-1, ::-1]),
            "`dweight` and `dbias` are right. For `dx` the kernel is the wrong way round: `weight[o, c, 0, 0]` met the window's first pixel on the way forward. Which pixel's slope does it carry on the way back?",
        ),
        Wrong(
            "kernel-transposed",
            variant(kernel=lambda w: w.swapaxes(2, 3)),
            "`dweight` and `dbias` are right. For `dx` rows and columns of the kernel are exchanged. Which pixel of the window did `weight[o, c, 0, 1]` meet on the way forward?",
        ),
        Wrong(
            "dx-for-unit-strides",
            variant(dx_step=lambda s: 1),
            "`dweight` and `dbias` are right. In `dx` the windows lie one pixel apart, whatever `stride` is. Where did the window of output (1, 1) begin on the way forward?",
        ),
        Wrong(
            "dx-averaged",
            variant(dx_after=lambda d: d / len(d)),
            "`dweight` and `dbias` are right. `dx` is divided by the number of examples. Each example has its own pixels: over what would one average?",
        ),
        Wrong(
            "dx-with-the-first-kernel-only",
            variant(dx_slopes=lambda g: g * (np.arange(g.shape[1]) == 0)),
            "`dweight` and `dbias` are right. `dx` gets the slopes from output channel 0 only. How many output channels has a pixel of x an influence on?",
        ),
        Wrong(
            "dx-with-the-last-kernel-only",
            variant(dx_slopes=lambda g: g * (np.arange(g.shape[1]) == g.shape[1] - 1)),
            "`dweight` and `dbias` are right. `dx` gets the slopes from the last output channel only. Where does `=` overwrite what `+=` would add, in the loop over the output channels?",
        ),
        Wrong(
            "dx-counted-by-overlap",
            answers.divided_by_overlap,
            "`dweight` and `dbias` are right. In `dx` each pixel's slope is divided by the number of windows that see it. A pixel that acts in nine places: are its slopes added or averaged?",
        ),
        Wrong(
            "dx-without-the-remainder",
            answers.without_remainder,
            "`dweight` and `dbias` are right. `dx` is too small where the stride leaves a remainder of pixels that no window sees. Which shape must `dx` have, and which slope have those pixels?",
        ),
        # --- dweight
        Wrong(
            "frame-missing",
            variant(seen=lambda x, p: x),
            "Right without padding; with it the shapes in your code do not go together. Three arrays have to fit there: the framed image (`np.pad(x, padding)` frames all four axes!), "
            "its windows, and the array in which you collect `dx`. Which shape has each of them?",
        ),
        Wrong(
            "dweight-shifted",
            variant(seen=lambda x, p: np.pad(x, ((0, 0), (0, 0), (0, 2 * p), (0, 2 * p)))),
            "`dx` and `dbias` are right. For `dweight` the padding lies below and to the right of the image only. Where did it lie on the way forward?",
        ),
        Wrong(
            "dweight-averaged",
            variant(dweight_after=lambda d, N: d / N),
            "`dx` and `dbias` are right. `dweight` is divided by the number of examples. Whatever mean the loss takes is in `dout` already: how do slopes of one kernel come together?",
        ),
        Wrong(
            "dweight-averaged-over-the-pixels",
            variant(dweight_of=lambda g, w, pixels: np.einsum("no,ncab->ocab", g, w) / pixels),
            "`dx` and `dbias` are right. `dweight` is divided by the number of output pixels. The kernel is used at each of them: are its slopes added or averaged?",
        ),
        Wrong(
            "dweight-of-the-last-window",
            variant(dweight_overwrites=True),
            "`dx` and `dbias` are right. `dweight` holds only what comes from the last window. How many windows does the kernel act on, and is that `=` or `+=`?",
        ),
        Wrong(
            "dweight-of-the-last-example",
            variant(dweight_of=lambda g, w, pixels: np.einsum("no,ncab->ocab", g[-1:], w[-1:])),
            "`dx` and `dbias` are right. `dweight` holds only what comes from the last example. Where does the loop over the examples overwrite instead of adding?",
        ),
        Wrong(
            "dweight-of-the-first-example",
            variant(dweight_of=lambda g, w, pixels: np.einsum("no,ncab->ocab", g[:1], w[:1])),
            "`dx` and `dbias` are right. `dweight` holds only what comes from the first example. How many examples does one kernel serve?",
        ),
        Wrong(
            "dweight-for-each-example",
            answers.for_each_example,
            "`dx` and `dbias` are right. `dweight` has an axis for the examples in front. One set of kernels serves them all: how do its slopes come together?",
        ),
        Wrong(
            "dweight-turned",
            variant(dweight_after=lambda d, N: d[:, :, ::-1, ::-1]),
            "`dx` and `dbias` are right. Each kernel in `dweight` is turned by 180 degrees. On the way forward `weight[o, c, 0, 0]` met the window's first pixel: which pixel is in its slope?",
        ),
        Wrong(
            "dweight-kernels-transposed",
            variant(dweight_after=lambda d, N: d.swapaxes(2, 3)),
            "`dx` and `dbias` are right. In `dweight` rows and columns of each kernel are exchanged. Which order do the two letters for them have in your `einsum`, or the two loops?",
        ),
        Wrong(
            "dweight-channels-exchanged",
            variant(dweight_after=lambda d, N: d.swapaxes(0, 1)),
            "`dx` and `dbias` are right. `dweight` comes out as (C, O, k, k). Which shape must the slope of an array have?",
        ),
        Wrong(
            "dweight-for-unit-strides",
            variant(dweight_step=lambda s: 1),
            "`dx` and `dbias` are right. For `dweight` the windows lie one pixel apart, whatever `stride` is. Which window belongs to output (1, 1)?",
        ),
        Wrong(
            "channels-summed",
            variant(dweight_of=lambda g, w, pixels: np.einsum("no,nab->oab", g, w.sum(axis=1))[:, None] + 0 * w[0]),
            "`dx` and `dbias` are right. In `dweight` all input channels have the same slope, that of their sum. Which channel of the window does `weight[o, c]` meet?",
        ),
        # --- everything
        Wrong(
            "unit-strides",
            variant(dx_step=lambda s: 1, dweight_step=lambda s: 1),
            "`dbias` is right. The others come out as if the windows lay one pixel apart. Where does `stride` come in, on the way forward, and where in your slices?",
        ),
        Wrong(
            "padding-ignored",
            answers.without_padding,
            "`dbias` is right. Where `padding` is above 0, `dx` and `dweight` know nothing of it. Which image did the kernels slide over on the way forward?",
        ),
        Wrong(
            "loops-without-the-frame",
            answers.as_many_as_without_padding,
            "`dbias` is right. Your loops reach only as many outputs as there would be without padding. Which array knows how many rows and columns of outputs there are?",
        ),
        Wrong(
            "last-outputs-missing",
            answers.without_the_last,
            "`dbias` is right. The last row and the last column of outputs send nothing back. Where does your `range` end?",
        ),
        Wrong(
            "overwritten",
            variant(dx_overwrites=True, dweight_overwrites=True),
            "`dbias` is right. `dweight` holds only what comes from the last window, and in `dx` each pixel keeps only the slope from the last window that saw it. Is that `=` or `+=`?",
        ),
        Wrong(
            "kernels-turned",
            variant(kernel=lambda w: w[:, :, ::-1, ::-1], dweight_after=lambda d, N: d[:, :, ::-1, ::-1]),
            "`dbias` is right. The others are the slopes of a convolution whose kernels are turned by 180 degrees. Does the formula of exercise 4 turn them?",
        ),
        Wrong(
            "kernels-transposed",
            variant(kernel=lambda w: w.swapaxes(2, 3), dweight_after=lambda d, N: d.swapaxes(2, 3)),
            "`dbias` is right. In the others rows and columns of the kernels are exchanged. Which axis of `weight` runs down the window?",
        ),
        Wrong(
            "averaged-over-everything",
            answers.averaged_over(lambda N, pixels: N * pixels, dx=True),
            "All three slopes are divided by the number of examples and output pixels. The mean of the loss is in `dout` already: how often should one divide?",
        ),
        Wrong(
            "parameters-averaged-over-everything",
            answers.averaged_over(lambda N, pixels: N * pixels),
            "`dx` is right. `dweight` and `dbias` are means over examples and output pixels. A number that acts in many places: are its slopes added or averaged?",
        ),
        Wrong(
            "parameters-averaged-over-the-pixels",
            answers.averaged_over(lambda N, pixels: pixels),
            "`dx` is right. `dweight` and `dbias` are means over the output's pixels. A number that acts in many places: are its slopes added or averaged?",
        ),
        Wrong(
            "averaged-over-the-batch",
            variant(dx_after=lambda d: d / len(d), dweight_after=lambda d, N: d / N, dbias=lambda d: d.sum(axis=(0, 2, 3)) / len(d)),
            "All three slopes are divided by the number of examples. The mean of the loss is in `dout` already: how often should one divide?",
        ),
        Wrong(
            "parameters-averaged-over-the-batch",
            variant(dweight_after=lambda d, N: d / N, dbias=lambda d: d.sum(axis=(0, 2, 3)) / len(d)),
            "`dx` is right. `dweight` and `dbias` are divided by the number of examples. The mean of the loss is in `dout` already: how often should one divide?",
        ),
        Wrong(
            "another-order",
            answers.weight_first,
            "The three slopes are right, but handed back as (dweight, dbias, dx). In which order does the task ask for them?",
        ),
        Wrong(
            "dx-missing",
            answers.parameters_only,
            "You hand back two slopes, `dweight` and `dbias`. What does the layer in front need to go on learning?",
        ),
    ),
    hints=(
        "`dbias` is a sum over three axes. For the other two go through the output's pixels as on the way forward: each has a window, and a slope for each example and output channel.",
        "At output pixel (i, j) with slopes g = dout[:, :, i, j] (N, O): the kernels get g times the window, summed over the examples; the window gets g times the kernels, summed over the output channels. "
        "Both are added up over all pixels: windows overlap.",
        "`dweight += np.einsum(\"no,ncab->ocab\", g, window)` and `dpadded[window's place] += np.einsum(\"no,ocab->ncab\", g, weight)`. At the end cut the frame off: `dpadded[:, :, p : p + H, p : p + W]`.",
    ),
    unlocks="With this, `conv2d` can be trained: you have written what a framework hides in its kernels.",
)  # fmt: skip
