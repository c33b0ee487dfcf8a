"""Pictures of attention: a soft lookup, heads split and merged, blocks, families of Transformers, and maps of weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from dlcourse.plot.diagrams import blank, node

__all__ = [
    "attention_map",
    "blocks",
    "families",
    "soft_lookup",
    "split_and_merge",
    "token_strip",
    "visible",
]

Floats = NDArray[np.floating[Any]]
Point = tuple[float, float]
HATCHES = ("", "///", "...", "xx")


def visible(token: str) -> str:
    """A token as it can be seen: ⏎ for a newline, ␣ for a blank, ␣8 for eight of them."""
    token = token.replace("\n", "⏎")
    return re.sub(" +", lambda run: "␣" if len(run[0]) == 1 else f"␣{len(run[0])}", token)


def _box(ax: Axes, at: Point, text: str, color: str, wide: float = 1.5, high: float = 0.46, size: float = 10) -> None:
    for face, alpha, edge in (("white", 1.0, BLACK), (color, 0.35, "none")):
        ax.add_patch(FancyBboxPatch((at[0] - wide / 2, at[1] - high / 2), wide, high, boxstyle="round,pad=0.04",
                                    facecolor=face, alpha=alpha, edgecolor=edge, zorder=3))  # fmt: skip
    ax.text(at[0], at[1], text, ha="center", va="center", fontsize=size, zorder=4, linespacing=1.1)


def _path(ax: Axes, *points: Point, color: str = BLACK, width: float = 1.4, head: bool = True) -> None:
    """Straight pieces from point to point, an arrow head on the last."""
    x, y = zip(*(points[:-1] if head else points), strict=True)
    ax.plot(x, y, color=color, linestyle="-", linewidth=width, zorder=1)
    if head:
        ax.add_patch(FancyArrowPatch(points[-2], points[-1], arrowstyle="-|>", mutation_scale=11, color=color,
                                     linewidth=width, shrinkA=0, shrinkB=0, zorder=1))  # fmt: skip


# --- a lookup


def soft_lookup(query: str, keys: Sequence[str], values: Sequence[float], weights: Floats) -> Figure:
    """A query asks every key: lines as thick as the weights, bars as long, and the weighted mean of the values.

    Parameters
    ----------
    query, keys : what is asked for, and the n keys
    values, weights : n numbers each; the weights sum to 1
    """
    count = len(keys)
    fig, ax = blank(8.6, 0.46 * count + 0.9, (-2.9, 7.4), (-0.6 * count + 0.1, 0.95))
    middle = -0.6 * (count - 1) / 2
    _box(ax, (-2.0, middle), query, SKY)
    mean = float(np.dot(values, weights))
    for k, (key, value, weight) in enumerate(zip(keys, values, weights, strict=True)):
        y = -0.6 * k
        ax.plot([-1.2, 0.3], [middle, y], color=BLUE, linestyle="-", linewidth=0.4 + 7 * weight, zorder=1)
        _box(ax, (1.1, y), key, ORANGE)
        ax.add_patch(Rectangle((2.3, y - 0.16), 1.6 * weight, 0.32, facecolor=BLUE, edgecolor="none"))
        ax.text(2.4 + 1.6 * weight, y, f"{weight:.2f}", ha="left", va="center", fontsize=10)
        ax.text(4.95, y, f"{value:g}", ha="right", va="center", fontsize=10)
    _path(ax, (5.05, middle), (5.6, middle), color=GREEN)
    _box(ax, (6.4, middle), f"{mean:.1f}", GREEN)
    for x, text in ((-2.0, "query"), (1.1, "keys"), (2.9, "weights"), (4.8, "values"), (6.4, "weighted mean")):
        ax.text(x, 0.62, text, ha="center", va="center", fontsize=10, style="italic")
    ax.set_title("No key fits exactly, so each counts as far as it fits")
    return fig


# --- heads


def _cells(ax: Axes, at: Point, numbers: NDArray[Any], columns: int, heads: int, title: str) -> None:
    """Cells with time and column of the entry that lies there; color and hatching say to which head its column belongs."""
    d = columns // heads
    for (row, column), number in np.ndenumerate(numbers):
        time, feature = divmod(int(number), columns)
        head = feature // d
        x, y = at[0] + column, at[1] - row
        ax.add_patch(Rectangle((x, y - 1), 1, 1, facecolor=(SKY, ORANGE, GREEN, PURPLE)[head % 4], alpha=0.3))
        ax.add_patch(Rectangle((x, y - 1), 1, 1, fill=False, edgecolor="0.55", hatch=HATCHES[head % 4], lw=0.6))
        ax.text(x + 0.5, y - 0.5, f"{time},{feature}", ha="center", va="center", fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8})  # fmt: skip
    ax.text(at[0] + numbers.shape[1] / 2, at[1] + 0.25, title, ha="center", va="bottom", fontsize=10)


def split_and_merge(T: int = 3, E: int = 4, heads: int = 2) -> Figure:
    """(T, E) split into heads (h, T, d) and merged again; below, what a reshape without the transposing makes of it.

    Each cell says "time, column" of the entry that lies there.
    """
    x = np.arange(T * E).reshape(T, E)
    d, gap = E // heads, 1.2
    split, mixed = x.reshape(T, heads, d).transpose(1, 0, 2), x.reshape(heads, T, d)
    wide = heads * (d + gap)
    right = E + 2.6 + wide + 1.4
    fig, ax = blank(8.6, 0.36 * (2 * T + 4.4), (-0.3, right + E + 0.3), (-2 * T - 2.9, 1.4))
    _cells(ax, (0, 0), x, E, heads, f"x  ({T}, {E})")
    for top, pieces, color, text in ((0.0, split, BLACK, "split"), (-T - 2.2, mixed, RED, "reshape only")):
        _path(ax, (E + 0.3, -T / 2) if top == 0 else (E / 2, -T - 0.2), *([] if top == 0 else [(E / 2, top - T / 2)]),
              (E + 2.2, top - T / 2), color=color)  # fmt: skip
        middle = E + 1.2 if top == 0 else (1.5 * E + 2.2) / 2
        ax.text(middle, top - T / 2 + 0.25, text, ha="center", va="bottom", fontsize=10, color=color)
        for head, piece in enumerate(pieces):
            name = f"head {head}" if top == 0 else f"“head {head}”"
            _cells(ax, (E + 2.6 + head * (d + gap), top), piece, E, heads, name)
    _path(ax, (E + 2.6 + wide - gap + 0.3, -T / 2), (right - 0.3, -T / 2))
    ax.text((E + 2.6 + wide - gap + right) / 2, -T / 2 + 0.25, "merge", ha="center", va="bottom", fontsize=10)
    _cells(ax, (right, 0), x, E, heads, f"({T}, {E}) again")
    ax.text(
        E + 2.6 + wide,
        -1.5 * T - 2.2,
        "times and columns\nare mixed up",
        ha="left",
        va="center",
        fontsize=10,
        color=RED,
    )
    ax.set_title("A head gets some columns of all times; a reshape alone mixes them up")
    return fig


# --- blocks


def _block(ax: Axes, x: float, pre: bool) -> None:
    """One block, from below: the stream runs straight up, attention and MLP stand beside it."""
    y, side = 0.0, x + 1.55
    ax.text(x, -0.55, "x  (N, T, E)", ha="center", va="center", fontsize=10)
    for name, color in (("attention", ORANGE), ("MLP", GREEN)):
        top = y + 2.2
        inner = [("LayerNorm", SKY), (name, color)] if pre else [(name, color)]
        heights = [y + 0.62, y + 1.42] if pre else [y + 0.72]
        _path(ax, (x, y + 0.12), (side, y + 0.12), (side, heights[0] - 0.28))
        for (text, face), height in zip(inner, heights, strict=True):
            _box(ax, (side, height), text, face)
        for low, high in pairwise(heights):
            _path(ax, (side, low + 0.28), (side, high - 0.28))
        joint = top - 0.15 if pre else top - 1.0
        _path(ax, (side, heights[-1] + 0.28), (side, joint), (x + 0.2, joint))
        node(ax, (x, joint), "+", "white", radius=0.18)
        _path(ax, (x, y - 0.3 if y == 0 else y), (x, joint - 0.18), color=BLUE, width=2.6, head=False)
        _path(ax, (x, joint + 0.18), (x, top + 0.05), color=BLUE, width=2.6, head=False)
        if not pre:
            _box(ax, (x, joint + 0.6), "LayerNorm", SKY)
        y = top + 0.05
    _path(ax, (x, y - 0.05), (x, y + 0.55), color=BLUE, width=2.6)
    ax.text(x, y + 0.75, "pre-norm" if pre else "post-norm", ha="center", va="center", fontsize=11, weight="bold")


def blocks() -> Figure:
    """A pre-norm and a post-norm block side by side; read from below."""
    fig, ax = blank(7.2, 4.6, (-1.4, 8.2), (-0.8, 5.6))
    _block(ax, 0.2, pre=True)
    _block(ax, 4.8, pre=False)
    ax.text(-0.15, 3.15, "residual\nstream", ha="right", va="center", fontsize=10, color=BLUE)
    ax.set_title("Pre-norm leaves the residual stream alone, post-norm normalizes it")
    return fig


# --- families


def _mask(ax: Axes, at: Point, mask: NDArray[np.bool_], size: float, title: str) -> None:
    rows, columns = mask.shape
    for (row, column), may in np.ndenumerate(mask):
        ax.add_patch(Rectangle((at[0] + column * size, at[1] - (row + 1) * size), size, size,
                               facecolor=BLUE if may else "white", edgecolor="0.5", lw=0.6))  # fmt: skip
    ax.text(at[0] + columns * size / 2, at[1] - rows * size - 0.12, title, ha="center", va="top", fontsize=9)


def _tower(ax: Axes, x: float, parts: Sequence[tuple[str, str]], below: str, above: str, top: float) -> list[float]:
    """Boxes one above the other between an input and an output; returns their heights."""
    heights = [0.75 + 0.8 * k for k in range(len(parts))]
    ax.text(x, -0.05, below, ha="center", va="center", fontsize=9.5)
    _path(ax, (x, 0.15), (x, heights[0] - 0.28))
    for (text, color), height in zip(parts, heights, strict=True):
        _box(ax, (x, height), text, color, wide=2.0)
    for low, high in pairwise(heights):
        _path(ax, (x, low + 0.28), (x, high - 0.28))
    if above:
        _path(ax, (x, heights[-1] + 0.28), (x, top - 0.2))
        ax.text(x, top, above, ha="center", va="center", fontsize=9.5)
    return heights


def families() -> Figure:
    """Encoder, decoder and encoder-decoder: the parts of a block in each, and who may attend to whom."""
    fig, ax = blank(9.2, 4.6, (-1.6, 13.6), (-2.35, 4.6))
    full, causal, T = np.ones((4, 4), bool), np.tri(4, dtype=bool), 0.26
    attention, feed = ("self-attention", ORANGE), ("MLP", GREEN)
    _tower(ax, 0, [attention, feed], "all words", "a vector for each", 2.5)
    _tower(ax, 4, [("causal attention", ORANGE), feed], "words so far", "the next word", 2.5)
    heights = _tower(ax, 8.4, [attention, feed], "all source words", "", 2.5)
    parts = [("causal attention", ORANGE), ("cross-attention", PURPLE), feed]
    right = _tower(ax, 11.8, parts, "translated so far", "the next word", 3.3)
    ax.plot([8.4, 8.4], [heights[-1] + 0.28, 2.4], color=RED, linestyle="-", linewidth=1.4)
    _path(ax, (8.4, 2.4), (9.9, 2.4), (9.9, right[1]), (10.72, right[1]), color=RED)
    ax.text(9.15, 2.52, "keys, values", ha="center", va="bottom", fontsize=9, color=RED)
    for x, title in ((0, "encoder"), (4, "decoder"), (10.1, "encoder-decoder")):
        ax.text(x, 4.15, title, ha="center", va="center", fontsize=11, weight="bold")
    for x, name in ((0, "as in BERT"), (4, "as in GPT"), (10.1, "as in the first Transformer")):
        ax.text(x, 3.75, name, ha="center", va="center", fontsize=9.5, style="italic")
    for x, mask, title in ((0, full, "all see all"), (4, causal, "none sees ahead"), (8.4, full, "all see all"),
                           (11.0, causal, "none sees\nahead"), (12.6, full, "all see\nall sources")):  # fmt: skip
        _mask(ax, (x - 2 * T, -0.5), mask, T, title)
    ax.set_title("The same parts, other masks")
    return fig


# --- maps


def attention_map(
    ax: Axes, weights: Floats, queries: Sequence[str], keys: Sequence[str], title: str, size: float = 8
) -> Any:
    """Weights (T, S) as a picture, white = 0 to dark = 1, a row for each query; returns the picture for a color bar.

    Raises
    ------
    ValueError
        If there is not one name for each row and each column.
    """
    if weights.shape != (len(queries), len(keys)):
        raise ValueError(f"attention_map: weights of shape {weights.shape} for {len(queries)} queries and {len(keys)} keys; "
                         "give a row for each query and a column for each key")  # fmt: skip
    picture = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    ax.grid(False)
    style: dict[str, Any] = {"fontsize": size, "family": "monospace", "parse_math": False}
    ax.set_xticks(range(len(keys)), [visible(key) for key in keys], rotation=90, **style)
    ax.set_yticks(range(len(queries)), [visible(query) for query in queries], **style)
    ax.tick_params(length=0)
    ax.set_title(title)
    return picture


def token_strip(
    ax: Axes, tokens: Sequence[str], values: Floats, chosen: int | None = None, width: int = 80, size: float = 9
) -> None:
    """Write tokens in lines of ``width`` characters, each on a ground as dark as its value, 0 to 1; ``chosen`` is framed.

    Raises
    ------
    ValueError
        If there is not one value for each token.
    """
    if len(values) != len(tokens):
        raise ValueError(f"token_strip: {len(values)} values for {len(tokens)} tokens; give one for each token")
    colors, row, column = plt.get_cmap("Blues"), 0, 0
    for number, (token, value) in enumerate(zip(tokens, values, strict=True)):
        text = visible(token)
        if column + len(text) > width and column:
            row, column = row + 1, 0
        dark = float(np.clip(value, 0, 1))
        edge, wide = (RED, 1.8) if number == chosen else ("0.8", 0.5)
        ax.add_patch(Rectangle((column, -row - 0.9), len(text), 0.8, facecolor=colors(dark), edgecolor=edge, lw=wide,
                               zorder=3 if number == chosen else 2))  # fmt: skip
        for place, character in enumerate(text):
            ax.text(column + place + 0.5, -row - 0.5, character, ha="center", va="center", fontsize=size, zorder=4,
                    family="monospace", color="white" if dark > 0.55 else "black", parse_math=False)  # fmt: skip
        row, column = (row + 1, 0) if token.startswith("\n") else (row, column + len(text))
    ax.set(xlim=(-0.5, width + 0.5), ylim=(-row - 1.1, 0.1))
    ax.axis("off")
