"""Max pooling: the largest pixel of each window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def tiles(x: Array, size: int) -> Array:
    """The windows side by side, without the remainder at the edge: (N, C, H, W) -> (N, C, OH, OW, k, k)."""
    N, C, H, W = x.shape
    OH, OW = H // size, W // size
    cut = x[:, :, : OH * size, : OW * size].reshape(N, C, OH, size, OW, size)
    return cut.swapaxes(3, 4)


def max_pool2d(x: Array, size: int) -> Array:
    N, C, H, W = x.shape
    OH, OW = H // size, W // size
    cut = x[:, :, : OH * size, : OW * size]
    out: Array = cut.reshape(N, C, OH, size, OW, size).max(axis=(3, 5))
    return out


def max_pool2d_by_loops(x: Array, size: int) -> Any:
    N, C, H, W = x.shape
    out = np.zeros((N, C, H // size, W // size))
    for i in range(H // size):
        for j in range(W // size):
            window = x[:, :, i * size : (i + 1) * size, j * size : (j + 1) * size]
            out[:, :, i, j] = window.reshape(N, C, -1).max(axis=2)
    return out


def max_pool2d_by_shifts(x: Array, size: int) -> Any:
    """The maximum of size·size thinned-out images."""
    H, W = (n // size * size for n in x.shape[2:])
    parts = [x[:, :, a:H:size, b:W:size] for a in range(size) for b in range(size)]
    return np.maximum.reduce(parts).tolist()


def pool_inputs(rng: np.random.Generator) -> list[Case]:
    def case(image: tuple[int, ...], size: int, label: str = "", shift: float = 0.0) -> Case:
        return Case((different_numbers(rng, image) + shift, size), label)

    first = np.array(
        [[[[1.0, 3.0, 2.0, 0.0], [4.0, -1.0, -2.0, -3.0]], [[-4.0, -2.0, 5.0, 6.0], [-1.0, -3.0, 7.0, 9.0]]]]
    )
    return [
        Case((first, 2)),
        case((2, 3, 6, 4), 2),
        case((3, 2, 6, 9), 3),
        case((2, 3, 7, 5), 2),
        case((2, 2, 5, 8), 3),
        case((1, 3, 4, 6), 2, "a batch of one"),
        case((3, 1, 6, 4), 2, "a single channel"),
        case((2, 2, 4, 4), 2, "square images"),
        case((2, 3, 3, 5), 1, "windows of one pixel"),
        case((2, 2, 4, 4), 4, "a window as large as the image"),
        case((2, 2, 4, 6), 2, "negative pixels only", shift=-30.0),
    ]  # fmt: skip


def different_numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers on both sides of 0, no two of them alike in size, so that no window has two largest."""
    count = int(np.prod(shape))
    numbers = (1 + rng.permutation(count)) / 10 * rng.choice([-1, 1], count)
    return np.asarray(numbers.reshape(shape))


def by_window(function: Callable[[Array], Array]) -> Callable[..., Array]:
    """An answer that makes one number of each window, (…, k·k) -> (…)."""

    def answer(x: Array, size: int) -> Array:
        windows = tiles(x, size)
        return function(windows.reshape(*windows.shape[:4], size * size))

    answer.__name__ = "max_pool2d"
    return answer


def overlapping(x: Array, size: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return np.asarray(windows.max(axis=(4, 5)))


def remainder_kept(x: Array, size: int) -> Array:
    H, W = x.shape[2:]
    wide = np.pad(x, ((0, 0), (0, 0), (0, -H % size), (0, -W % size)), constant_values=-np.inf)
    return max_pool2d(wide, size)


def remainder_kept_with_zeros(x: Array, size: int) -> Array:
    H, W = x.shape[2:]
    return max_pool2d(np.pad(x, ((0, 0), (0, 0), (0, -H % size), (0, -W % size))), size)


def remainder_fails(x: Array, size: int) -> Array:
    N, C, H, W = x.shape
    return np.asarray(x.reshape(N, C, H // size, size, W // size, size).max(axis=(3, 5)))


def mixed_by_reshape(x: Array, size: int) -> Array:
    N, C, H, W = x.shape
    OH, OW = H // size, W // size
    cut = x[:, :, : OH * size, : OW * size]
    return np.asarray(cut.reshape(N, C, OH, OW, size, size).max(axis=(4, 5)))


def whole_image(x: Array, size: int) -> Array:
    return np.asarray(x.max(axis=(2, 3), keepdims=True))


def over_channels(x: Array, size: int) -> Array:
    return np.asarray(max_pool2d(x, size).max(axis=1))


def rows_only(x: Array, size: int) -> Array:
    N, C, H, W = x.shape
    return np.asarray(x[:, :, : H // size * size].reshape(N, C, H // size, size, W).max(axis=3))


def columns_only(x: Array, size: int) -> Array:
    return rows_only(x.swapaxes(2, 3), size).swapaxes(2, 3)


def square(x: Array, size: int) -> Array:
    N, C, H, _ = x.shape
    out = np.zeros((N, C, H // size, H // size))
    for i in range(H // size):
        for j in range(H // size):
            out[:, :, i, j] = x[:, :, i * size : (i + 1) * size, j * size : (j + 1) * size].max(axis=(2, 3))
    return out


def over_everything(x: Array, size: int) -> Array:
    return np.asarray(np.broadcast_to(max_pool2d(x, size).max(axis=(0, 1)), max_pool2d(x, size).shape).copy())


def other_axes(x: Array, size: int) -> Array:
    return np.asarray(tiles(x, size).max(axis=(2, 3)))


def two_apart(x: Array, size: int) -> Array:
    return overlapping(x, size)[:, :, ::2, ::2]


def steps_of_one(x: Array, size: int) -> Array:
    """The right size of the output, but windows one pixel apart."""
    OH, OW = (n // size for n in x.shape[2:])
    return overlapping(x, size)[:, :, :OH, :OW]


def over_examples(x: Array, size: int) -> Array:
    out = max_pool2d(x, size)
    return np.asarray(np.broadcast_to(out.max(axis=0), out.shape).copy())


def channels_alike(x: Array, size: int) -> Array:
    out = max_pool2d(x, size)
    return np.asarray(np.broadcast_to(out.max(axis=1, keepdims=True), out.shape).copy())


def from_the_lower_right(x: Array, size: int) -> Array:
    H, W = x.shape[2:]
    return max_pool2d(x[:, :, H % size :, W % size :], size)


def far_apart(x: Array, size: int) -> Array:
    """The reshape splits each axis the wrong way round: (size, OH) in place of (OH, size)."""
    N, C, H, W = x.shape
    OH, OW = H // size, W // size
    cut = x[:, :, : OH * size, : OW * size]
    return np.asarray(cut.reshape(N, C, size, OH, size, OW).max(axis=(2, 4)))


def one_too_few(x: Array, size: int) -> Array:
    H, W = x.shape[2:]
    return max_pool2d(x, size)[:, :, : (H - size) // size, : (W - size) // size]


def last_pixel_left_out(x: Array, size: int) -> Array:
    """A slice that ends at (i + 1) * size - 1, as if its end were included."""
    windows = tiles(x, size)
    inside = windows[..., : size - 1, : size - 1] if size > 1 else windows
    return np.asarray(inside.max(axis=(4, 5)))


def rounded(x: Array, size: int) -> Array:
    N, C, H, W = x.shape
    out = np.zeros((N, C, round(H / size), round(W / size)))
    for i, j in np.ndindex(*out.shape[2:]):
        out[:, :, i, j] = x[:, :, i * size : (i + 1) * size, j * size : (j + 1) * size].max(axis=(2, 3))
    return out


MAX_POOL2D = Exercise(
    id="convolutional_networks.max_pool2d",
    kind="function",
    title="Max pooling, forward",
    points=2,
    minutes=12,
    difficulty=1,
    function="max_pool2d",
    reference=max_pool2d,
    alternatives=(max_pool2d_by_loops, max_pool2d_by_shifts),
    inputs=pool_inputs,
    forbid=("torch", "dlcourse.nn", "dlcourse.ops", "scipy"),
    wrong=(
        Wrong(
            "average",
            by_window(lambda w: w.mean(axis=-1)),
            "Each number is the mean of its window: that is average pooling. Which pixel of a window survives here?",
        ),
        Wrong(
            "sum",
            by_window(lambda w: w.sum(axis=-1)),
            "Each number is the sum of its window. Which single pixel of it is asked for?",
        ),
        Wrong(
            "smallest",
            by_window(lambda w: w.min(axis=-1)),
            "Each number is the smallest of its window. Which one is asked for?",
        ),
        Wrong(
            "maximum-from-zero",
            by_window(lambda w: np.maximum(w.max(axis=-1), 0)),
            "Windows that hold negative pixels only come out as 0. With which number does your maximum begin?",
        ),
        Wrong(
            "largest-by-size",
            by_window(lambda w: np.abs(w).max(axis=-1)),
            "Signs get lost: you take the maximum of the absolute values. Is -5 larger than 3?",
        ),
        Wrong(
            "largest-by-size-with-its-sign",
            by_window(lambda w: np.take_along_axis(w, np.abs(w).argmax(axis=-1)[..., None], -1)[..., 0]),
            "You take the pixel that is farthest from 0, so that -5 beats 3. Which of the two is the maximum?",
        ),
        Wrong(
            "first-pixel",
            by_window(lambda w: w[..., 0]),
            "Each number is the first pixel of its window, as if the image were thinned out. How do the other pixels of the window come in?",
        ),
        Wrong(
            "thinned-out",
            lambda x, size: x[:, :, ::size, ::size],
            "You keep every `size`-th pixel and look at no other (and a pixel of the remainder, where there is one). How do the other pixels of a window come in?",
        ),
        Wrong(
            "over-everything",
            over_everything,
            "In each place you take the maximum over all examples and channels, so they all come out alike. Which two axes does a window extend over, and which does `.max()` without `axis` run over?",
        ),
        Wrong(
            "other-axes",
            other_axes,
            "After the reshape to (N, C, OH, size, OW, size) you take the maximum over axes 2 and 4, which count the windows. Which two axes run inside a window?",
        ),
        Wrong(
            "two-pixels-apart",
            two_apart,
            "Your windows have the right size, but lie 2 pixels apart, whatever `size` is. Where does the second window begin if they lie side by side?",
        ),
        Wrong(
            "windows-one-pixel-apart",
            overlapping,
            "Your windows overlap: they lie one pixel apart, so the output is too large. Where does the second window begin?",
        ),
        Wrong(
            "right-size-but-one-pixel-apart",
            steps_of_one,
            "The output has the right size, but its windows lie one pixel apart. Where in `x` does the window of output (1, 1) begin?",
        ),
        Wrong(
            "remainder-kept",
            remainder_kept,
            "Where `size` does not divide the height or width, your output gets one more row or column, from what is left over. What does the task do with that remainder?",
        ),
        Wrong(
            "remainder-filled-with-zeros",
            remainder_kept_with_zeros,
            "Where `size` does not divide the height or width, you fill the image up with zeros, and the output gets too large. What does the task do with the remainder?",
        ),
        Wrong(
            "remainder-fails",
            remainder_fails,
            "Right where `size` divides height and width; where a remainder is left, the shapes in your code do not fit (a `reshape` needs whole windows). "
            "What should happen to the rows and columns that are left over, and when?",
        ),
        Wrong(
            "mixed-by-reshape",
            mixed_by_reshape,
            "Your `reshape` makes windows of pixels that follow one another in a row, not of neighbors in two directions. Which axis must each of the two window axes directly follow, before the maximum is taken?",
        ),
        Wrong(
            "whole-image",
            whole_image,
            "Each channel gives a single number, the largest of the whole image. How many windows does an image have?",
        ),
        Wrong(
            "over-the-channels-too",
            over_channels,
            "The channels' axis is gone: you take the maximum over the channels too. Which axes does a window extend over?",
        ),
        Wrong(
            "all-examples-alike",
            over_examples,
            "All examples come out alike: you take the maximum over the examples too. Which axes does a window extend over?",
        ),
        Wrong(
            "all-channels-alike",
            channels_alike,
            "All channels come out alike: you take the maximum over the channels too. Which axes does a window extend over?",
        ),
        Wrong(
            "from-the-lower-right-corner",
            from_the_lower_right,
            "Where a remainder is left, you drop rows and columns at the upper and left edge. From which corner on do the windows lie?",
        ),
        Wrong(
            "pixels-far-apart",
            far_apart,
            "Your `reshape` splits the height into (size, OH), not into (OH, size), so that the pixels of a window lie far apart. Which of the two counts the windows, and must come first?",
        ),
        Wrong(
            "one-window-too-few",
            one_too_few,
            "There is one row and one column of windows too few. If the image is as large as one window, how many fit in?",
        ),
        Wrong(
            "last-pixel-left-out",
            last_pixel_left_out,
            "Each window lacks its last row and column. Does a slice `a:b` hold the entry b - 1, and the entry b?",
        ),
        Wrong(
            "number-of-windows-rounded",
            rounded,
            "The number of windows is rounded, up where more than half of a window is left over. What does the task do with every remainder, a large one too?",
        ),
        Wrong(
            "rows-only",
            rows_only,
            "Your windows are one pixel wide: the image gets lower, but not narrower. Over which two axes does a window extend?",
        ),
        Wrong(
            "columns-only",
            columns_only,
            "Your windows are one pixel high: the image gets narrower, but not lower. Over which two axes does a window extend?",
        ),
        Wrong(
            "height-for-width",
            square,
            "Right only for square images: the number of rows is used for the columns too. How many columns does the output of a 6 × 4 image have at size 2?",
        ),
        Wrong(
            "windows-of-two",
            lambda x, size: max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x,
            "Your windows measure 2 × 2, whatever `size` is. Where does a 2 stand in your code in place of a name?",
        ),
        Wrong(
            "channels-last",
            lambda x, size: max_pool2d(x, size).transpose(0, 2, 3, 1),
            "The numbers are right, but the channels stand last. In which order are the axes asked for?",
        ),
    ),
    hints=(
        "How many whole windows fit into the height, and how many into the width? What is beyond them is cut off first.",
        "Either two loops over the windows, with a maximum over their two axes, or one reshape that splits the height in two axes (window, row in it), and the width likewise.",
        "`x[:, :, :OH*size, :OW*size].reshape(N, C, OH, size, OW, size).max(axis=(3, 5))`, with OH = H // size.",
    ),
    unlocks="A quarter of the numbers, and what matters in them is still there.",
)
