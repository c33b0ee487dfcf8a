"""The way back through max pooling: which pixel a window's slope goes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.convolutional_networks.pooling import max_pool2d, pool_inputs, tiles
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def max_pool2d_backward(dout: Array, x: Array, size: int) -> Array:
    dx = np.zeros_like(x)
    N, C, OH, OW = dout.shape
    n, c = np.arange(N)[:, None], np.arange(C)
    for i in range(OH):
        for j in range(OW):
            window = x[:, :, i * size : (i + 1) * size, j * size : (j + 1) * size].reshape(N, C, -1)
            a, b = np.divmod(window.argmax(axis=2), size)  # (N, C) each
            dx[n, c, i * size + a, j * size + b] = dout[:, :, i, j]
    return dx


def max_pool2d_backward_by_mask(dout: Array, x: Array, size: int) -> Any:
    largest = max_pool2d(x, size)

    def spread(small: Array) -> Array:
        return small.repeat(size, axis=2).repeat(size, axis=3)

    H, W = (n * size for n in dout.shape[2:])
    dx = np.zeros(x.shape)
    dx[:, :, :H, :W] = spread(dout) * (x[:, :, :H, :W] == spread(largest))
    return dx


def max_pool2d_backward_pixel_by_pixel(dout: Array, x: Array, size: int) -> Any:
    dx = (0 * x).tolist()
    for n, c, i, j in np.ndindex(*dout.shape):
        inside = [(i * size + a, j * size + b) for a in range(size) for b in range(size)]
        row, column = max(inside, key=lambda at: x[n, c, at[0], at[1]])
        dx[n][c][row][column] += float(dout[n, c, i, j])
    return dx


def pool_back_inputs(rng: np.random.Generator) -> list[Case]:
    """The images of the way forward, each with a slope that is not 0 for every window."""
    cases = []
    for images in pool_inputs(rng):
        dout = rng.normal(size=max_pool2d(*images.args).shape).round(2)
        cases.append(Case((np.where(dout == 0, 0.5, dout), *images.args), images.label))
    cases[0] = Case((np.array([[[[0.5, -1.0]], [[2.0, 3.0]]]]), *cases[0].args[1:]))
    return cases


def sent_back(share: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """An answer that shares each slope out in its window: (slopes (…, 1), windows (…, k·k)) -> (…, k·k)."""

    def answer(dout: Array, x: Array, size: int) -> Array:
        windows = tiles(x, size)
        N, C, OH, OW = dout.shape
        parts = share(dout[..., None], windows.reshape(N, C, OH, OW, size * size)).reshape(windows.shape)
        dx = np.zeros(x.shape)
        dx[:, :, : OH * size, : OW * size] = parts.swapaxes(3, 4).reshape(N, C, OH * size, OW * size)
        return dx

    answer.__name__ = "max_pool2d_backward"
    return answer


def chosen(w: Array, place: Array) -> Array:
    """1 at one place of each window, 0 elsewhere."""
    return np.asarray(np.arange(w.shape[-1]) == place[..., None], dtype=float)


def is_max(w: Array) -> Array:
    """1 at the largest pixel of each window, 0 elsewhere."""
    return chosen(w, w.argmax(axis=-1))


def turned_place(w: Array) -> Array:
    """The place of the largest with row and column exchanged."""
    k = round(w.shape[-1] ** 0.5)
    a, b = np.divmod(w.argmax(axis=-1), k)
    return chosen(w, b * k + a)


right_back = sent_back(lambda g, w: g * is_max(w))


def remainder_cut_off(dout: Array, x: Array, size: int) -> Array:
    OH, OW = dout.shape[2:]
    return right_back(dout, x, size)[:, :, : OH * size, : OW * size]


def remainder_fails_on_the_way_back(dout: Array, x: Array, size: int) -> Array:
    largest = max_pool2d(x, size)
    mask = x == largest.repeat(size, axis=2).repeat(size, axis=3)
    return np.asarray(mask * dout.repeat(size, axis=2).repeat(size, axis=3))


def small(dout: Array, x: Array, size: int) -> Array:
    return dout * max_pool2d(x, size)


def one_maximum_an_image(dout: Array, x: Array, size: int) -> Array:
    highest = x == x.max(axis=(2, 3), keepdims=True)
    return np.asarray(right_back(dout, x, size) * highest)


def one_maximum_a_place(dout: Array, x: Array, size: int) -> Array:
    highest = max_pool2d(x, size).max(axis=(0, 1))  # (OH, OW)
    return right_back(dout * (max_pool2d(x, size) == highest), x, size)


def places_one_apart(dout: Array, x: Array, size: int) -> Array:
    """The window's number is used as the place of its corner."""
    windows, dx = tiles(x, size), np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dout.shape):
        a, b = divmod(int(windows[n, c, i, j].argmax()), size)
        dx[n, c, i + a, j + b] += dout[n, c, i, j]
    return dx


def one_for_all_channels(dout: Array, x: Array, size: int) -> Array:
    """The place of the largest is found in the first channel, and used for all of them."""
    same = np.repeat(x[:, :1], x.shape[1], axis=1)
    return right_back(dout, same, size)


def one_for_all_examples(dout: Array, x: Array, size: int) -> Array:
    return right_back(dout, np.repeat(x[:1], len(x), axis=0), size)


def written_over(dout: Array, x: Array, size: int) -> Array:
    """As `places_one_apart`, with ``=`` in place of ``+=``."""
    windows, dx = tiles(x, size), np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dout.shape):
        a, b = divmod(int(windows[n, c, i, j].argmax()), size)
        dx[n, c, i + a, j + b] = dout[n, c, i, j]
    return dx


def read_and_written_one_apart(added: bool) -> Callable[..., Array]:
    """Windows one pixel apart, on the way in and out."""

    def answer(dout: Array, x: Array, size: int) -> Array:
        dx = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(*dout.shape):
            a, b = divmod(int(x[n, c, i : i + size, j : j + size].argmax()), size)
            dx[n, c, i + a, j + b] = dout[n, c, i, j] + (dx[n, c, i + a, j + b] if added else 0)
        return dx

    answer.__name__ = "max_pool2d_backward"
    return answer


def windows_of_two(dout: Array, x: Array, size: int) -> Array:
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * 2 : (i + 1) * 2, j * 2 : (j + 1) * 2]
        if window.size:
            a, b = divmod(int(window.argmax()), window.shape[1])
            dx[n, c, i * 2 + a, j * 2 + b] = dout[n, c, i, j]
    return dx


def on_top_of_the_image(dout: Array, x: Array, size: int) -> Array:
    dx, slopes = x.copy(), right_back(dout, x, size)
    dx[slopes != 0] = slopes[slopes != 0]
    return dx


def remainder_keeps_its_pixels(dout: Array, x: Array, size: int) -> Array:
    OH, OW = dout.shape[2:]
    dx = x.copy()
    dx[:, :, : OH * size, : OW * size] = right_back(dout, x, size)[:, :, : OH * size, : OW * size]
    return dx


def one_maximum_for_all_channels(dout: Array, x: Array, size: int) -> Array:
    pooled = max_pool2d(x, size)
    return right_back(dout * (pooled == pooled.max(axis=1, keepdims=True)), x, size)


def every_pair_of_places(dout: Array, x: Array, size: int) -> Array:
    """An index that pairs each example with the places of all: ``dx[:, :, rows, columns]`` with arrays (N, C)."""
    windows, dx = tiles(x, size), np.zeros(x.shape)
    N, C, OH, OW = dout.shape
    for i, j in np.ndindex(OH, OW):
        a, b = np.divmod(windows[:, :, i, j].reshape(N, C, -1).argmax(axis=2), size)
        dx[:, :, i * size + a, j * size + b] = dout[:, :, i, j][:, :, None, None]
    return dx


def from_the_lower_right_back(dout: Array, x: Array, size: int) -> Array:
    dx, (H, W) = np.zeros(x.shape), x.shape[2:]
    dx[:, :, H % size :, W % size :] = right_back(dout, x[:, :, H % size :, W % size :], size)
    return dx


def every_larger_than_zero(dout: Array, x: Array, size: int) -> Array:
    return sent_back(lambda g, w: g * (w > 0))(dout, x, size)


def written_to_the_first_window(dout: Array, x: Array, size: int) -> Array:
    """The place inside a window is used as the place in the image."""
    windows, dx = tiles(x, size), np.zeros(x.shape)
    N, C, OH, OW = dout.shape
    n, c = np.arange(N)[:, None], np.arange(C)
    for i in range(OH):
        for j in range(OW):
            a, b = np.divmod(windows[:, :, i, j].reshape(N, C, -1).argmax(axis=2), size)
            dx[n, c, a, b] += dout[:, :, i, j]
    return dx


MAX_POOL2D_BACKWARD = Exercise(
    id="convolutional_networks.max_pool2d_backward",
    kind="function",
    title="Max pooling, backward",
    points=3,
    minutes=20,
    difficulty=2,
    function="max_pool2d_backward",
    reference=max_pool2d_backward,
    alternatives=(max_pool2d_backward_by_mask, max_pool2d_backward_pixel_by_pixel),
    inputs=pool_back_inputs,
    forbid=("torch", "dlcourse.nn", "dlcourse.ops", "scipy"),
    wrong=(
        Wrong(
            "spread-evenly",
            sent_back(lambda g, w: g / w.shape[-1] + 0 * w),
            "Each slope is spread evenly over its window: that belongs to average pooling. If a pixel that is not the largest moves a little, does the output move?",
        ),
        Wrong(
            "to-all-of-the-window",
            sent_back(lambda g, w: g + 0 * w),
            "Every pixel of a window gets its whole slope. If a pixel that is not the largest moves a little, does the output move?",
        ),
        Wrong(
            "to-the-first-pixel",
            sent_back(lambda g, w: g * chosen(w, np.zeros(w.shape[:-1], dtype=int))),
            "Each slope goes to the first pixel of its window. Which pixel did the output come from?",
        ),
        Wrong(
            "to-the-smallest",
            sent_back(lambda g, w: g * chosen(w, w.argmin(axis=-1))),
            "Each slope goes to the smallest pixel of its window. Which one did the output come from?",
        ),
        Wrong(
            "to-the-largest-by-size",
            sent_back(lambda g, w: g * chosen(w, np.abs(w).argmax(axis=-1))),
            "Each slope goes to the pixel farthest from 0. In a window with -5 and 3, which one came through?",
        ),
        Wrong(
            "to-all-but-the-largest",
            sent_back(lambda g, w: g * (1 - is_max(w))),
            "Your mask is the wrong way round: the slope goes to all pixels but the largest. Is it `==` or `!=` (`<`) that tells the largest?",
        ),
        Wrong(
            "row-and-column-exchanged",
            sent_back(lambda g, w: g * turned_place(w)),
            "Inside each window the row and the column of the place are exchanged. If `argmax` of a flat window of 2 × 2 says 1, which row and which column is that?",
        ),
        Wrong(
            "ones-for-slopes",
            sent_back(lambda g, w: is_max(w)),
            "You found the right pixels, but each gets a 1. With which number does the slope arrive at that window?",
        ),
        Wrong(
            "values-for-slopes",
            sent_back(lambda g, w: w * is_max(w)),
            "You found the right pixels, but each gets its own value back. Which slope arrives there: does it depend on `dout`?",
        ),
        Wrong(
            "multiplied-by-the-value",
            sent_back(lambda g, w: g * w * is_max(w)),
            "You found the right pixels, but multiply each slope by the pixel. If the largest pixel rises by 0.1, by how much does the output rise?",
        ),
        Wrong(
            "divided-by-the-window",
            sent_back(lambda g, w: g * is_max(w) / w.shape[-1]),
            "You found the right pixels, but divide each slope by the number of pixels in the window. If the largest pixel rises by 0.1, by how much does the output rise?",
        ),
        Wrong(
            "positive-pixels-only",
            every_larger_than_zero,
            "Each slope goes to all pixels above 0: that is the mask of ReLU. Which pixels does max pooling let through?",
        ),
        Wrong(
            "relu-besides",
            sent_back(lambda g, w: g * is_max(w) * (w > 0)),
            "Where the largest pixel of a window is negative, its slope is lost. Is there a ReLU in this layer, or does a maximum begin at 0?",
        ),
        Wrong(
            "one-pixel-of-the-image",
            one_maximum_an_image,
            "Only one pixel of each image and channel gets a slope, the largest of all. Over which pixels is the maximum taken?",
        ),
        Wrong(
            "one-pixel-of-all",
            lambda dout, x, size: right_back(dout, x, size) * (x == x.max()),
            "Only one pixel of all gets a slope, the largest of the whole batch: your mask compares with `x.max()`. With which number must the pixels of a window be compared?",
        ),
        Wrong(
            "one-maximum-for-all-channels-and-examples",
            one_maximum_a_place,
            "Only the examples and channels with the largest pixel of all at that place get their slopes: `window.max()` without `axis` is a single number. Over which axes of the window does it have to run?",
        ),
        Wrong(
            "window-number-for-its-place",
            places_one_apart,
            "`argmax` is right, but the windows' corners are not: window (i, j) begins for you at pixel (i, j). Where does it begin if the windows lie side by side?",
        ),
        Wrong(
            "window-number-for-its-place-written-over",
            written_over,
            "`argmax` is right, but the windows' corners are not: window (i, j) begins for you at pixel (i, j), and some slopes overwrite others. Where does it begin if the windows lie side by side?",
        ),
        Wrong(
            "windows-one-pixel-apart",
            read_and_written_one_apart(True),
            "Window (i, j) begins for you at pixel (i, j), where you look for the largest and where you write. Where does it begin if the windows lie side by side?",
        ),
        Wrong(
            "windows-one-pixel-apart-written-over",
            read_and_written_one_apart(False),
            "Window (i, j) begins for you at pixel (i, j), where you look for the largest and where you write, and some slopes overwrite others. Where does it begin if the windows lie side by side?",
        ),
        Wrong(
            "windows-of-two",
            windows_of_two,
            "Your windows measure 2 × 2, whatever `size` is. Where does a 2 stand in your code in place of a name?",
        ),
        Wrong(
            "on-top-of-the-image",
            on_top_of_the_image,
            "The slopes are in the right places, but all other pixels still hold the image's values. With which array does `dx` begin, and which slope do pixels have that are not the largest?",
        ),
        Wrong(
            "remainder-keeps-its-pixels",
            remainder_keeps_its_pixels,
            "Right inside the windows; the rows and columns that no window covers still hold the image's pixels. Which slope do they get?",
        ),
        Wrong(
            "one-maximum-for-all-channels",
            one_maximum_for_all_channels,
            "Of the channels only the one with the largest pixel at that place gets its slope: your maximum runs over the channels too. Over which axes of the window does it have to run?",
        ),
        Wrong(
            "every-pair-of-places",
            every_pair_of_places,
            "Each image and channel gets slopes at the places of *all* images and channels. An index `dx[:, :, rows, columns]` pairs everything with everything: what has to stand in place of the two colons?",
        ),
        Wrong(
            "from-the-lower-right-corner",
            from_the_lower_right_back,
            "Where a remainder is left, you leave out rows and columns at the upper and left edge. From which corner on do the windows lie?",
        ),
        Wrong(
            "repeated",
            lambda dout, x, size: dout.repeat(size, axis=2).repeat(size, axis=3),
            "Every pixel of a window gets its whole slope, and rows and columns without a window are missing. Which pixel of a window did the output come from, and which shape must dx have?",
        ),
        Wrong(
            "first-channel-decides",
            one_for_all_channels,
            "The places of the largest pixels are those of channel 0, for all channels. Does the largest pixel of a window lie at the same place in every channel?",
        ),
        Wrong(
            "first-example-decides",
            one_for_all_examples,
            "The places of the largest pixels are those of the first example, for all of them. Which axes does your `argmax` run over, and which should it keep?",
        ),
        Wrong(
            "remainder-cut-off",
            remainder_cut_off,
            "`dx` lacks the rows and columns that no window covers. Which shape must it have, and which slope do those pixels get?",
        ),
        Wrong(
            "remainder-fails",
            remainder_fails_on_the_way_back,
            "Right where `size` divides height and width; where a remainder is left, the shapes in your code do not fit. Which part of x do the windows cover, and which slope gets the rest?",
        ),
        Wrong(
            "small-image",
            small,
            "Your result has the shape of `dout`. Which shape has the slope with respect to x?",
        ),
        Wrong(
            "all-into-the-first-window",
            written_to_the_first_window,
            "All slopes land in the first window, in the upper left corner. `argmax` counts *inside* a window: what has to be added to find the pixel in the image?",
        ),
        Wrong(
            "all-zero",
            sent_back(lambda g, w: 0 * w),
            "Every slope comes out as 0. Where do you write into `dx`: into the array itself, or into a copy (an index by an array makes one)?",
        ),
    ),
    hints=(
        "The output of a window moves exactly as its largest pixel does, and not at all with the others. So where does the whole slope go?",
        "For each window find the place of its largest pixel (a flat `argmax`, then row and column by `divmod`), and write the slope there. Or make a mask: the pixels that equal the maximum of their window.",
        "With loops over i and j: `window.reshape(N, C, -1).argmax(axis=2)`, `a, b = np.divmod(place, size)`, then `dx[n, c, i*size + a, j*size + b] = dout[:, :, i, j]` with n (N, 1) and c (C,) counting up.",
    ),
    unlocks="All layers of a CNN now have their way back.",
)  # fmt: skip
