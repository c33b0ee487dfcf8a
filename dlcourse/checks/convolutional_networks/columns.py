"""im2col: the windows of an image as the columns of a matrix, in the order of PyTorch's ``unfold``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def im2col(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    N, _, H, W = x.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    columns = [
        x[:, :, i : i + size, j : j + size].reshape(N, -1)  # (N, C·k·k)
        for i in range(0, H + 2 * padding - size + 1, stride)
        for j in range(0, W + 2 * padding - size + 1, stride)
    ]
    return np.stack(columns, axis=2)


def im2col_by_windows(x: Array, size: int, stride: int = 1, padding: int = 0) -> Any:
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    N, C, OH, OW, _, _ = windows.shape
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * size * size, OH * OW)


def im2col_by_indices(x: Array, size: int, stride: int = 1, padding: int = 0) -> Any:
    N, C, H, W = x.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = x
    OH, OW = ((n + 2 * padding - size) // stride + 1 for n in (H, W))
    c, a, b = (index.ravel()[:, None] for index in np.indices((C, size, size)))
    i, j = (index.ravel() for index in np.indices((OH, OW)))
    return padded[:, c, i * stride + a, j * stride + b].tolist()


def im2col_inputs(rng: np.random.Generator) -> list[Case]:
    def case(image: tuple[int, ...], *options: int, label: str = "") -> Case:
        return Case((rng.normal(size=image).round(2), *options), label)

    return [
        Case((np.arange(1.0, 13.0).reshape(1, 1, 3, 4), 2)),
        case((2, 3, 4, 5), 3, 1, 1),
        case((3, 2, 6, 5), 2, 2, 0),
        case((2, 2, 7, 6), 3, 2, 1),
        case((2, 3, 5, 8), 2, 3, 2),
        case((1, 2, 4, 5), 2, 1, 0, label="a batch of one"),
        case((2, 1, 4, 5), 3, 1, 0, label="a single channel"),
        case((2, 3, 3, 4), 1, 1, 0, label="windows of one pixel"),
        case((2, 3, 4, 4), 4, 1, 0, label="a window as large as the image"),
        case((2, 2, 5, 5), 3, 2, 1, label="square images"),
        case((2, 3, 4, 5), 2, label="stride and padding left at their defaults"),
    ]


def frame(x: Array, p: int) -> Array:
    """The images with a frame of zeros."""
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def variant(
    pad: Callable[[Array, int], Array] = frame,
    step: Callable[[int, int], tuple[int, int]] = lambda s, k: (s, s),
    window: Callable[[Array], Array] = lambda w: w,
    across_first: bool = False,
    stack: Callable[[list[Array]], Array] = lambda columns: np.stack(columns, axis=2),
    last: int = 1,
) -> Callable[..., Any]:
    """The windows with some of the steps exchanged; ``across_first``: the places run down the columns first."""

    def answer(x: Array, size: int, stride: int = 1, padding: int = 0) -> Any:
        x, (down, across) = pad(x, padding), step(stride, size)
        rows, columns = range(0, x.shape[2] - size + last, down), range(0, x.shape[3] - size + last, across)
        places = [(i, j) for j in columns for i in rows] if across_first else [(i, j) for i in rows for j in columns]
        if not places:
            return np.zeros((len(x), x.shape[1] * size * size, 0))
        return stack([window(x[:, :, i : i + size, j : j + size]).reshape(len(x), -1) for i, j in places])

    answer.__name__ = "im2col"
    return answer


def plain_reshape(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    """The right numbers, joined as they lie: (N, C, OH, OW, k, k) reshaped at once."""
    windows = np.lib.stride_tricks.sliding_window_view(frame(x, padding), (size, size), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    N, C, OH, OW, _, _ = windows.shape
    return windows.reshape(N, C * size * size, OH * OW)


def count_only(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    """As many windows as asked for, but one pixel apart."""
    OH, OW = ((n + 2 * padding - size) // stride + 1 for n in x.shape[2:])
    return im2col(frame(x, padding)[:, :, : OH + size - 1, : OW + size - 1], size)


def rounded_up(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    """With windows that hang over the lower and right edge, where they see zeros."""
    x = frame(x, padding)
    down, across = (-(n - size) % stride for n in x.shape[2:])
    return im2col(np.pad(x, ((0, 0), (0, 0), (0, down), (0, across))), size, stride)


def unframed_loops(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    """The windows that would fit without the frame, cut out of the framed image."""
    H, W = x.shape[2:]
    if min(H, W) < size:
        return np.zeros((len(x), x.shape[1] * size * size, 0))
    return im2col(frame(x, padding)[:, :, :H, :W], size, stride)


def square(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    """Takes the height for the width."""
    x = frame(x, padding)
    starts = range(0, x.shape[2] - size + 1, stride)
    return np.stack([x[:, :, i : i + size, j : j + size].reshape(len(x), -1) for i in starts for j in starts], axis=2)


def channels_apart(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    columns = im2col(x, size, stride, padding)
    return columns.reshape(len(x), x.shape[1], size * size, -1)


def channels_summed(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    return im2col(x.sum(axis=1, keepdims=True), size, stride, padding)


def first_example(x: Array, size: int, stride: int = 1, padding: int = 0) -> Array:
    return np.asarray(im2col(x[:1], size, stride, padding)[0])


IM2COL = Exercise(
    id="convolutional_networks.im2col",
    kind="function",
    title="im2col: all windows in one matrix",
    points=3,
    minutes=20,
    difficulty=2,
    function="im2col",
    reference=im2col,
    alternatives=(im2col_by_windows, im2col_by_indices),
    inputs=im2col_inputs,
    forbid=("torch", "dlcourse.nn", "dlcourse.ops", "scipy"),
    wrong=(
        Wrong(
            "windows-as-rows",
            variant(stack=lambda columns: np.stack(columns, axis=1)),
            "The numbers are right, but each window is a row: (N, L, C·k·k). Which of the last two axes is asked to count the windows?",
        ),
        Wrong(
            "windows-in-front",
            variant(stack=np.array),
            "The numbers are right, but the windows' axis stands in front: (L, N, C·k·k). In which order does the task ask for the three axes, and which argument of `np.stack` says where the new one goes?",
        ),
        Wrong(
            "examples-side-by-side",
            variant(stack=lambda columns: np.concatenate([np.stack(columns, axis=2)[n] for n in range(len(columns[0]))], axis=1)),
            "You set the examples' columns side by side in one matrix (C·k·k, N·L). How many axes has the result that is asked for, and which is the first?",
        ),
        Wrong(
            "examples-among-the-columns",
            variant(stack=lambda columns: np.stack(columns, axis=2).transpose(1, 2, 0).reshape(columns[0].shape[1], -1)),
            "You make one matrix of all examples, as some courses do: (C·k·k, L·N). How many axes has the result that is asked for, and which is the first?",
        ),
        Wrong(
            "channels-last-in-a-column",
            variant(window=lambda w: w.transpose(0, 2, 3, 1)),
            "In each of your columns the channel changes fastest: all channels of a pixel, then the next pixel. In the task, which of c, a, b changes slowest?",
        ),
        Wrong(
            "window-column-by-column",
            variant(window=lambda w: w.swapaxes(2, 3)),
            "Within a window you go down its columns first. In the task, which changes faster, the column b or the row a?",
        ),
        Wrong(
            "window-turned",
            variant(window=lambda w: w[:, :, ::-1, ::-1]),
            "Each window is turned by 180 degrees before it becomes a column. Which of its pixels comes first in the task?",
        ),
        Wrong(
            "places-column-by-column",
            variant(across_first=True),
            "Your windows come in the order down, then across. In the task, which window is column 1, the one to the right of the first or the one below it?",
        ),
        Wrong(
            "reshaped-at-once",
            plain_reshape,
            "The right numbers, in a mixture: the axes of the windows' places lie in front of those inside a window, and a reshape joins only neighbors. Which axes have to move before it?",
        ),
        Wrong(
            "rows-of-windows-reshaped",
            variant(stack=lambda columns: np.stack(columns, axis=1).reshape(*columns[0].shape, -1)),
            "The right numbers, in a mixture, as if (N, L, C·k·k) had been reshaped to (N, C·k·k, L). A reshape moves no axis: what does?",
        ),
        Wrong(
            "list-of-windows-reshaped",
            variant(stack=lambda columns: np.array(columns).reshape(*columns[0].shape, -1)),
            "The right numbers, in a mixture, as if a list of windows, which makes an array (L, N, C·k·k), had been reshaped to (N, C·k·k, L). A reshape moves no axis: what does?",
        ),
        Wrong(
            "channels-apart",
            channels_apart,
            "Your result has four axes: the channels stand apart, (N, C, k·k, L). Which axes are joined in the one that is asked for?",
        ),
        Wrong(
            "channels-summed",
            channels_summed,
            "You add the channels up, so a column has only k·k numbers. How many numbers of the image does one window hold?",
        ),
        Wrong(
            "first-example-only",
            first_example,
            "Only the first example comes back, without an axis for the examples. What does the result's first axis count?",
        ),
        Wrong(
            "padding-ignored",
            variant(pad=lambda x, p: x),
            "Where `padding` is above 0, your result knows nothing of it. What lies round the image before the windows are cut?",
        ),
        Wrong(
            "padding-before-only",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, 0), (p, 0)))),
            "Your windows are those of an image padded above and to the left only. Does the frame lie on all four sides, and do your loops go on to its end?",
        ),
        Wrong(
            "padding-behind-only",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (0, p), (0, p)))),
            "Your padding lies below and to the right only. On how many sides does the task put it?",
        ),
        Wrong(
            "image-in-the-corner",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (0, 2 * p), (0, 2 * p)))),
            "The frame has the right size, but the image lies in its upper left corner. At which row and column of the framed image should it begin?",
        ),
        Wrong(
            "padding-on-rows-only",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (0, 0)))),
            "Your padding lies above and below, but not at the left and right. Which pair in the list for `np.pad` belongs to the last axis?",
        ),
        Wrong(
            "padding-with-edges",
            variant(pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")),
            "Your padding repeats the pixels at the edge. Which number does the task put there, and what is the default mode of `np.pad`?",
        ),
        Wrong(
            "loops-without-the-frame",
            unframed_loops,
            "Your windows are cut out of the framed image, but only as many as would fit without the frame. How many rows and columns has the image *with* it?",
        ),
        Wrong(
            "padding-on-all-axes",
            variant(pad=np.pad),
            "`np.pad(x, padding)` pads *all* axes: your result has more examples and channels than came in. How does `np.pad` take one pair for each axis?",
        ),
        Wrong(
            "stride-ignored",
            variant(step=lambda s, k: (1, 1)),
            "Your windows lie one pixel apart, whatever `stride` is. Where does the second window begin if the stride is 2?",
        ),
        Wrong(
            "stride-in-the-count-only",
            count_only,
            "There are as many windows as there should be, but they lie one pixel apart. Where in the image does the window in row 1, column 1 begin if the stride is 2?",
        ),
        Wrong(
            "stride-on-rows-only",
            variant(step=lambda s, k: (s, 1)),
            "Down, your windows lie `stride` apart, but across only one pixel. Which of the two loops goes on by 1?",
        ),
        Wrong(
            "stride-on-columns-only",
            variant(step=lambda s, k: (1, s)),
            "Across, your windows lie `stride` apart, but down only one pixel. Which of the two loops goes on by 1?",
        ),
        Wrong(
            "windows-side-by-side",
            variant(step=lambda s, k: (k, k)),
            "Your windows lie side by side without overlap. By how many pixels does the window move, by its size or by `stride`?",
        ),
        Wrong(
            "size-rounded-up",
            rounded_up,
            "Where the stride does not divide evenly, you have windows that hang over the edge. What does the task say of a window that does not fit in as a whole?",
        ),
        Wrong(
            "height-for-width",
            square,
            "Both of your loops end at the same place, as if the image were square. How far does the window move across an image of 3 rows and 5 columns?",
        ),
        Wrong(
            "last-window-missing",
            variant(last=0),
            "Where a window would fit exactly at the edge, it is missing. Which is the last place where a window of k fits into n pixels, and does `range` include its end?",
        ),
    ),
    hints=(
        "Cut the windows out of the padded image one by one, with two loops over their first row and column; lay each out flat, and collect them. What is left is the order of the axes.",
        "A window (N, C, k, k) becomes (N, C·k·k) by `reshape`, in just the order that is asked for. The windows go row by row over the image; they become the *last* axis.",
        "`np.stack([x[:, :, i:i+size, j:j+size].reshape(N, -1) for i in … for j in …], axis=2)`, with `range(0, padded height - size + 1, stride)` for i and likewise for j.",
    ),
    unlocks="With this a convolution is one matrix product, which is how libraries made it fast.",
)  # fmt: skip
