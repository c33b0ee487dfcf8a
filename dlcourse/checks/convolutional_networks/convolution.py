"""Two-dimensional convolution as deep learning means it: cross-correlation, with stride and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.convolutional_networks import convolution_answers as answers
from dlcourse.checks.convolutional_networks.convolution_answers import variant
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def conv2d(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    N, _, H, W = x.shape
    O, _, k, _ = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    OH, OW = (H + 2 * padding - k) // stride + 1, (W + 2 * padding - k) // stride + 1
    out = np.empty((N, O, OH, OW), dtype=np.result_type(x, weight, bias))
    for i in range(OH):
        for j in range(OW):
            window = padded[:, :, i * stride : i * stride + k, j * stride : j * stride + k]  # (N, C, k, k)
            out[:, :, i, j] = np.tensordot(window, weight, axes=([1, 2, 3], [1, 2, 3])) + bias
    return out


def conv2d_by_windows(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    p, k = padding, weight.shape[-1]
    x = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    out: Array = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]
    return out


def conv2d_by_shifts(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    """One product for each place in the kernel, over the whole image at once."""
    N, C, H, W = x.shape
    O, k = len(weight), weight.shape[2]
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = x
    OH = (padded.shape[2] - k) // stride + 1
    OW = (padded.shape[3] - k) // stride + 1
    out = np.zeros((N, O, OH, OW)) + bias.reshape(1, -1, 1, 1)
    for a in range(k):
        for b in range(k):
            part = padded[:, :, a : a + (OH - 1) * stride + 1 : stride, b : b + (OW - 1) * stride + 1 : stride]
            out += np.einsum("nchw,oc->nohw", part, weight[:, :, a, b])
    return out


def conv2d_inputs(rng: np.random.Generator) -> list[Case]:
    def case(image: tuple[int, ...], kernel: tuple[int, int], *options: int, label: str = "") -> Case:
        (O, k), C = kernel, image[1]
        arrays = rng.normal(size=image), rng.normal(size=(O, C, k, k)), rng.normal(size=O) + np.sign(rng.normal(size=O))
        return Case((*(a.round(2) for a in arrays), *options), label)

    first = (
        np.array([[[[1.0, 2.0, 0.0, -1.0], [0.0, 3.0, 1.0, 2.0], [2.0, -2.0, 4.0, 1.0]]]]),
        np.array([[[[1.0, 2.0], [0.0, -1.0]]]]),
        np.array([0.5]),
    )
    return [
        Case(first),
        case((2, 3, 5, 6), (4, 3), 1, 1),
        case((3, 2, 6, 5), (3, 2), 2, 0),
        case((1, 3, 6, 7), (2, 3), 2, 1),
        case((2, 2, 5, 8), (5, 3), 3, 2),
        case((2, 3, 9, 5), (2, 3), 2, 1),
        case((2, 3, 5, 4), (4, 1), 1, 0, label="a kernel of one pixel"),
        case((2, 3, 4, 4), (2, 4), 1, 0, label="a kernel as large as the image"),
        case((3, 1, 5, 4), (1, 2), 1, 1, label="a single channel in and out"),
        case((2, 3, 5, 6), (3, 3), 1, 1),
        case((2, 3, 6, 6), (3, 3), 1, 1, label="all sizes alike"),
        case((2, 2, 5, 6), (4, 3), 1, 0),
        case((2, 2, 5, 6), (3, 2), 2, 2, label="padding as wide as the kernel"),
        case((2, 2, 4, 6), (3, 2), label="stride and padding left at their defaults"),
    ]


CONV2D = Exercise(
    id="convolutional_networks.conv2d",
    kind="function",
    title="Convolution, forward",
    points=4,
    minutes=30,
    difficulty=2,
    function="conv2d",
    reference=conv2d,
    alternatives=(conv2d_by_windows, conv2d_by_shifts),
    inputs=conv2d_inputs,
    forbid=("torch", "dlcourse.nn", "dlcourse.ops", "scipy"),
    wrong=(
        Wrong(
            "kernel-flipped",
            variant(kernel=lambda w: w[:, :, ::-1, ::-1]),
            "Your kernel is turned by 180 degrees: that is the convolution of mathematics (`scipy.signal.convolve2d` does it). "
            "With which pixel of the window should `weight[o, c, 0, 0]` meet?",
        ),
        Wrong(
            "kernel-rows-flipped",
            variant(kernel=lambda w: w[:, :, ::-1]),
            "Your kernel stands upside down: its rows run from the bottom of the window to the top. With which row of the window should the first row of the kernel meet?",
        ),
        Wrong(
            "kernel-columns-flipped",
            variant(kernel=lambda w: w[:, :, :, ::-1]),
            "Your kernel is mirrored: its columns run from the right of the window to the left. With which column of the window should the first column of the kernel meet?",
        ),
        Wrong(
            "kernel-flipped-on-all-axes",
            variant(kernel=np.flip),
            "Your kernels are flipped on all four axes (`np.flip(weight)` does that), output and input channels too. Which axes does the formula run through backward?",
        ),
        Wrong(
            "kernel-transposed",
            variant(kernel=lambda w: w.swapaxes(2, 3)),
            "Rows and columns of the kernel are exchanged. Which axis of `weight` runs down the window, and which across?",
        ),
        Wrong(
            "channel-axes-exchanged",
            variant(kernel=lambda w: w.swapaxes(0, 1)),
            "You read `weight` as (C, O, k, k): that fits only by chance, where there are as many channels in as out. Which of its first two axes does the sum run over?",
        ),
        Wrong(
            "padding-from-the-kernel",
            answers.half_a_kernel,
            "You pad by half a kernel (k // 2), whatever `padding` says, so that the output keeps the image's size. Which argument says how much to pad?",
        ),
        Wrong(
            "windows-centered",
            answers.centered,
            "The middle of your window lies at pixel i · stride of the padded image, so each window begins half a kernel too early. Which pixel of the window does the formula put there, for a = b = 0?",
        ),
        Wrong(
            "padding-ignored",
            variant(pad=lambda x, p: x),
            "Without padding you are right; where `padding` is above 0, it changes nothing. What is laid round the image before the window starts to slide?",
        ),
        Wrong(
            "padding-before-only",
            variant(pad=lambda x, p: answers.pad(x, p, 0)),
            "Your output is that of an image padded above and to the left only. How many rows does `padding=1` add to an image of 5 rows, on which sides, and are all of them in your count of output rows?",
        ),
        Wrong(
            "padding-behind-only",
            variant(pad=lambda x, p: answers.pad(x, 0, p)),
            "Your padding lies below and to the right of the image only. How many rows does `padding=1` add to an image of 5 rows, and where?",
        ),
        Wrong(
            "padding-round-the-output",
            answers.output_padded,
            "The zeros lie round your *output*. What should they lie round, and who should see them?",
        ),
        Wrong(
            "size-without-the-padding",
            answers.as_small_as_without_padding,
            "Your windows see the padding, but there are only as many of them as fit without it. How many rows has an image of 5 rows with `padding=1`?",
        ),
        Wrong(
            "size-with-the-padding-twice",
            answers.padded_twice,
            "The padding is counted twice: your output has the size for twice as much. Is the height you put into the formula that of the image, or that of the padded one?",
        ),
        Wrong(
            "image-in-the-corner",
            variant(pad=lambda x, p: answers.pad(x, 0, 2 * p)),
            "The frame has the right size, but the image lies in its upper left corner. At which row and column of the framed image should it begin?",
        ),
        Wrong(
            "padding-on-rows-only",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (0, 0)))),
            "You pad above and below, but not at the left and right. Which pair in the list for `np.pad` belongs to the last axis?",
        ),
        Wrong(
            "padding-on-columns-only",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (0, 0), (p, p)))),
            "You pad at the left and right, but not above and below. Which pair in the list for `np.pad` belongs to the rows?",
        ),
        Wrong(
            "padding-on-all-axes",
            variant(pad=np.pad),
            "Right without padding; with it the shapes no longer go together. `np.pad(x, padding)` pads *all* four axes, those of examples and channels too. "
            "Which two may grow, how does `np.pad` take one pair for each axis, and are your windows cut out of what it returns?",
        ),
        Wrong(
            "padding-total",
            variant(pad=lambda x, p: answers.pad(x, p // 2, p - p // 2)),
            "Your `padding` is shared between the two sides. Does it count the zeros on each side, or on both together?",
        ),
        Wrong(
            "padding-with-edges",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")),
            "You pad by repeating the pixels at the edge. Which number does the task put there, and what is the default mode of `np.pad`?",
        ),
        Wrong(
            "padding-with-ones",
            variant(pad=lambda x, p: answers.pad(x, p, p, 1.0)),
            "You pad with ones. What should a window see where there is no image?",
        ),
        Wrong(
            "padding-wraps-around",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="wrap")),
            "Your padding takes its pixels from the opposite edge of the image. Does an index below 0 count from the end in your code, and what should a window see outside of the image?",
        ),
        Wrong(
            "stride-ignored",
            variant(step=lambda s: (1, 1), size=lambda n, k, s: n - k + 1),
            "Your window moves by one pixel, whatever `stride` is, so the output comes out too large where `stride` is above 1. Where does the window for output (1, 0) begin?",
        ),
        Wrong(
            "stride-in-the-size-only",
            variant(step=lambda s: (1, 1)),
            "The output has the right size, but the windows lie one pixel apart. Where in `x` does the window for output (1, 1) begin if the stride is 2?",
        ),
        Wrong(
            "stride-on-rows-only",
            variant(step=lambda s: (s, 1), size=lambda n, k, s: (n - k) // s + 1, width=lambda n, k, s: n - k + 1),
            "The stride moves your window down, but not across: there it goes by single pixels. Which slices does `stride` belong in?",
        ),
        Wrong(
            "stride-on-columns-only",
            variant(step=lambda s: (1, s), size=lambda n, k, s: n - k + 1, width=lambda n, k, s: (n - k) // s + 1),
            "The stride moves your window across, but not down: there it goes by single pixels. Which slices does `stride` belong in?",
        ),
        Wrong(
            "stride-on-the-kernel",
            answers.dilated,
            "Your window moves by one pixel and takes every `stride`-th pixel inside (that is *dilation*). Which of the two should be spread out, the windows' starts or the pixels within one?",
        ),
        Wrong(
            "kernel-as-stride",
            variant(step=lambda s: (0, 0), size=lambda n, k, s: n // k, tiles=True),
            "Your windows lie side by side without overlap, as in pooling. By how many pixels does the window move from one output to the next?",
        ),
        Wrong(
            "size-rounded-up",
            answers.rounded_up,
            "Your output gets one more row or column where the stride does not divide evenly, from windows that hang over the edge. How should (H + 2p - k) / stride be rounded?",
        ),
        Wrong(
            "one-output-missing",
            variant(size=lambda n, k, s: (n - k) // s),
            "Your output has one row and one column too few. How many places does a window of 3 have on a row of 3 pixels?",
        ),
        Wrong(
            "size-without-the-kernel",
            answers.same_padded,
            "Your output has one place for each step of the stride, as if the window could start at the image's last pixel, and reads zeros behind the edge. By how much does the kernel's size shorten the row of possible places?",
        ),
        Wrong(
            "pixels-for-outputs",
            variant(fill=True),
            "Right with a stride of 1; with a larger one your code runs out of the output (or leaves gaps in it). The window that begins at row i of the image: is it output row i, or i divided by something?",
        ),
        Wrong(
            "height-for-width",
            variant(square=True),
            "Your output is square: the number of rows is used for the columns too. How many columns does an image of 5 rows and 8 columns give?",
        ),
        Wrong(
            "bias-forgotten",
            variant(bias=lambda out, b, C, k: out),
            "Without `bias` this is right. What is added to every pixel of output channel o?",
        ),
        Wrong(
            "bias-for-each-channel",
            variant(bias=lambda out, b, C, k: out + C * b[:, None, None]),
            "The bias is added once for each input channel, so C times. Is it inside the loop (or the sum) over the channels, and how often does the formula add it?",
        ),
        Wrong(
            "bias-for-each-product",
            variant(bias=lambda out, b, C, k: out + C * k * k * b[:, None, None]),
            "The bias is added to every single product, so C·k·k times. Which side of the sum does it stand on in the formula?",
        ),
        Wrong(
            "bias-subtracted",
            variant(bias=lambda out, b, C, k: out - b[:, None, None]),
            "The bias is subtracted. Which sign has it in the formula?",
        ),
        Wrong(
            "first-bias-only",
            variant(bias=lambda out, b, C, k: out + b[0]),
            "All output channels get the first bias. Which entry of `bias` belongs to channel o?",
        ),
        Wrong(
            "bias-along-the-columns",
            variant(bias=lambda out, b, C, k: out + b),
            "`out + bias` sets the biases along the *last* axis, the columns, and fits there only by chance. Along which axis do the output channels lie, and which shape must `bias` have to meet it?",
        ),
        Wrong(
            "channels-averaged",
            variant(combine=lambda w, v: np.einsum("nchwij,ocij->nohw", w, v) / v.shape[1]),
            "Before the bias you divide by the number of channels. Does the formula take a sum over c, or a mean?",
        ),
        Wrong(
            "window-averaged",
            variant(combine=lambda w, v: np.einsum("nchwij,ocij->nohw", w, v) / v[0].size),
            "Before the bias you divide by C·k·k: a mean over the products. What does the formula take over c, a and b?",
        ),
        Wrong(
            "first-channel-only",
            variant(combine=lambda w, v: np.einsum("nhwij,oij->nohw", w[:, 0], v[:, 0])),
            "Only the first input channel counts. Over which channels does the formula sum?",
        ),
        Wrong(
            "last-channel-only",
            variant(combine=lambda w, v: np.einsum("nhwij,oij->nohw", w[:, -1], v[:, -1])),
            "Only the last input channel counts: each channel overwrites the one before. Where is `=` written in place of `+=`, or which loop is the sum missing over?",
        ),
        Wrong(
            "one-kernel-for-all-channels",
            variant(combine=lambda w, v: np.einsum("nchwij,oij->nohw", w, v[:, 0])),
            "Every input channel meets the kernel of channel 0. Which kernel belongs to channel c of the input?",
        ),
        Wrong(
            "one-kernel-for-all-outputs",
            variant(combine=lambda w, v: np.einsum("nchwij,ocij->nohw", w, np.repeat(v[:1], len(v), axis=0))),
            "Every output channel is made by the first set of kernels, and only the biases differ. Which entry of `weight` belongs to output channel o?",
        ),
        Wrong(
            "first-output-everywhere",
            variant(post=lambda out: np.repeat(out[:, :1], out.shape[1], axis=1)),
            "All output channels come out as the first one. Which index of `weight`, of `bias` and of the result counts the output channels?",
        ),
        Wrong(
            "output-channels-summed",
            variant(combine=lambda w, v: np.einsum("nchwij,ocij->nohw", w, 0 * v + v.sum(axis=0))),
            "Before the bias, every output channel is the sum of all of them. Which letters has the result of your `einsum`, and which axes do you sum over?",
        ),
        Wrong(
            "channels-mixed-before",
            variant(combine=lambda w, v: np.einsum("nhwij,oij->nohw", w.sum(axis=1), v.sum(axis=1))),
            "You sum the input over its channels and the kernels over theirs, and multiply then. Is a sum of products the product of the sums?",
        ),
        Wrong(
            "first-example-only",
            variant(post=lambda out: np.repeat(out[:1], len(out), axis=0)),
            "Every example gets the output of the first. Which index picks the example in your loop?",
        ),
        Wrong(
            "other-examples-zero",
            variant(post=answers.only_first),
            "Only the first example is computed; the others are left at 0. Does a loop over the examples end, or a `return` come, too early?",
        ),
        Wrong(
            "weight-reshaped-the-other-way",
            variant(kernel=lambda w: w.reshape(-1, len(w)).T.reshape(w.shape)),
            "Your kernels come out mixed, as `weight.reshape(-1, O)` mixes them: a reshape does not turn a table round. Which numbers stand in row 0 of `weight.reshape(O, -1)`, and how do they become a column?",
        ),
        Wrong(
            "reshaped-without-moving-axes",
            variant(post=lambda out: out.transpose(0, 2, 3, 1).reshape(out.shape)),
            "The numbers are right but in another order, as if (N, OH·OW, O) had been reshaped to (N, O, OH, OW). A reshape moves no axis: what has to come before it?",
        ),
        Wrong(
            "channels-last",
            variant(post=lambda out: out.transpose(0, 2, 3, 1)),
            "The numbers are right, but your output is (N, OH, OW, O), channels last, as TensorFlow has them. In which order are the axes asked for?",
        ),
        Wrong(
            "channels-first-of-all",
            variant(post=lambda out: out.swapaxes(0, 1)),
            "The numbers are right, but your output is (O, N, OH, OW): channels and examples are exchanged. Which axis stands first in the task?",
        ),
        Wrong(
            "rows-and-columns-exchanged",
            variant(post=lambda out: out.swapaxes(2, 3)),
            "The numbers are right, but rows and columns of your output are exchanged. Which of the two loops runs over the rows, and which index of `out` does it fill?",
        ),
        Wrong(
            "followed-by-relu",
            variant(post=lambda out: np.maximum(out, 0)),
            "Every negative number comes out as 0: you put ReLU behind the convolution. Does the formula have it?",
        ),
    ),
    hints=(
        "Pad first, on all four sides, in the last two axes only. Then work out how many rows and columns the output has, and fill it with two loops over its pixels.",
        "Output pixel (i, j) sees the window of the padded image whose rows begin at i · stride and whose columns begin at j · stride, k of each. Multiply it by each kernel, sum over channels, rows and columns, add the bias.",
        "`window = padded[:, :, i*stride : i*stride+k, j*stride : j*stride+k]` has shape (N, C, k, k). `np.einsum(\"ncab,ocab->no\", window, weight) + bias` is `out[:, :, i, j]`.",
    ),
    unlocks="This is the operation that nearly every network that sees is built from.",
)  # fmt: skip
