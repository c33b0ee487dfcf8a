"""Pictures of recurrent networks: a cell unrolled over time, the LSTM's gates, and text shaded by what a unit says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, GREEN, ORANGE, RED, SKY
from dlcourse.plot.diagrams import arrow, blank, node

__all__ = ["lines_of", "lstm_cell", "shade_text", "unrolled"]


def unrolled(inputs: Sequence[str], outputs: Sequence[str]) -> Figure:
    """Left the cell with its loop; right the same cell, once for each step, with inputs below and guesses above."""
    T = len(inputs)
    fig, ax = blank(9, 2.9, (-3.6, 2.1 * T + 0.3), (-1.65, 1.65))
    steps = [2.1 * t + 1.4 for t in range(T)]
    for x, hidden, into, out in zip(
        [-2.6, *steps],
        ["h", *(f"h_{t}" for t in range(1, T + 1))],
        ["input", *inputs],
        ["guess", *outputs],
        strict=True,
    ):
        node(ax, (x, 0), f"${hidden}$", ORANGE, radius=0.42)
        arrow(ax, (x, -1.6), (x, 0), "", BLUE, gap=0.42)
        arrow(ax, (x, 0), (x, 1.6), "", GREEN, gap=0.42)
        ax.text(x + 0.1, -0.8, "$W_{ih}$", ha="left", va="center", fontsize=10)
        style = {"fontsize": 10} if x < 0 else {"fontsize": 12, "family": "monospace"}
        for y, text in ((-1.4, into), (1.4, out)):
            ax.text(x, y, text, ha="center", va="center", parse_math=False, **style)
    ax.add_patch(
        FancyArrowPatch((-2.25, 0.24), (-2.25, -0.24), connectionstyle="arc3,rad=-2.2", arrowstyle="-|>",
                        mutation_scale=12, color=RED, linewidth=1.4, zorder=1)
    )  # fmt: skip
    ax.text(-1.65, 0, "$W_{hh}$", ha="left", va="center", fontsize=10)
    ax.text(-0.5, 0, "=", ha="center", va="center", fontsize=18)
    ax.text(0.15, 0, "$h_0$", ha="center", va="center", fontsize=11)
    for x in steps:
        first = x == steps[0]
        arrow(ax, (x - (1.55 if first else 2.1), 0), (x, 0), "" if first else "$W_{hh}$", RED, gap=0.42)
    return fig


def _box(ax: Axes, at: tuple[float, float], text: str, color: str) -> None:
    ax.add_patch(FancyBboxPatch((at[0] - 0.42, at[1] - 0.22), 0.84, 0.44, boxstyle="round,pad=0.04", zorder=3,
                                facecolor="white", edgecolor=BLACK))  # fmt: skip
    ax.add_patch(FancyBboxPatch((at[0] - 0.42, at[1] - 0.22), 0.84, 0.44, boxstyle="round,pad=0.04", zorder=3,
                                facecolor=color, edgecolor="none", alpha=0.35))  # fmt: skip
    ax.text(at[0], at[1], text, ha="center", va="center", fontsize=10, zorder=4)


def _line(ax: Axes, *points: tuple[float, float], color: str = BLACK, width: float = 1.4) -> None:
    """Straight pieces from point to point, an arrow head on the last."""
    x, y = zip(*points[:-1], strict=True)
    ax.plot(x, y, color=color, linestyle="-", linewidth=width, zorder=1)
    ax.add_patch(FancyArrowPatch(points[-2], points[-1], arrowstyle="-|>", mutation_scale=12, color=color,
                                 linewidth=width, shrinkA=0, shrinkB=0, zorder=1))  # fmt: skip


def lstm_cell() -> Figure:
    """One step of an LSTM: the memory c runs straight through above, the gates f, i and o act on it from below."""
    fig, ax = blank(8.6, 4.0, (-1.7, 8.9), (-1.6, 2.6))
    xs = {"f": 0.8, "i": 2.2, "g": 3.6, "o": 5.2}
    colors = {"f": RED, "i": GREEN, "g": SKY, "o": BLUE}
    names = {"f": "$f$  σ", "i": "$i$  σ", "g": "$g$  tanh", "o": "$o$  σ"}
    _line(ax, (-0.9, 1.8), (7.9, 1.8), color=ORANGE, width=3.0)
    ax.plot([-0.9, 5.2], [-0.9, -0.9], color=BLACK, linestyle="-", linewidth=1.4, zorder=1)
    for gate, x in xs.items():
        ax.plot([x, x], [-0.9, -0.32], color=BLACK, linestyle="-", linewidth=1.4, zorder=1)
        _box(ax, (x, -0.1), names[gate], colors[gate])
    for at, sign in (((0.8, 1.8), "×"), ((2.9, 1.8), "+"), ((2.9, 0.85), "×"), ((6.5, 0.55), "×")):
        node(ax, at, sign, "white", radius=0.2)
    _line(ax, (0.8, 0.14), (0.8, 1.58))
    _line(ax, (2.2, 0.14), (2.2, 0.85), (2.7, 0.85))
    _line(ax, (3.6, 0.14), (3.6, 0.85), (3.1, 0.85))
    _line(ax, (2.9, 1.05), (2.9, 1.58))
    _line(ax, (5.2, 0.14), (5.2, 0.55), (6.28, 0.55))
    _box(ax, (6.5, 1.2), "tanh", ORANGE)
    ax.plot([6.5, 6.5], [1.8, 1.46], color=BLACK, linestyle="-", linewidth=1.4, zorder=1)
    _line(ax, (6.5, 0.94), (6.5, 0.77))
    _line(ax, (6.5, 0.35), (6.5, -0.9), (7.9, -0.9))
    texts = ((-1.0, 1.8, "$c_{t-1}$", "right"), (8.0, 1.8, "$c_t$", "left"), (-1.0, -0.9, "$h_{t-1}$ and $x_t$", "right"),
             (8.0, -0.9, "$h_t$", "left"))  # fmt: skip
    for x, y, text, side in texts:
        ax.text(x, y, text, ha=side, va="center", fontsize=12)
    ax.set_xlim(-2.6, 8.9)
    for x, y, text in ((0.8, 2.3, "keep?"), (2.9, 2.3, "write"), (6.5, 2.3, "show?")):
        ax.text(x, y, text, ha="center", va="center", fontsize=10, style="italic")
    return fig


def lines_of(text: str, width: int) -> list[tuple[int, int, str]]:
    """Row, column and character of each place of a text that is broken at newlines and after ``width`` characters."""
    places, row, column = [], 0, 0
    for character in text:
        if column == width:
            row, column = row + 1, 0
        places.append((row, column, character))
        row, column = (row + 1, 0) if character == "\n" else (row, column + 1)
    return places


def shade_text(ax: Axes, text: str, values: NDArray[np.floating[Any]], width: int = 76, size: float = 7.5) -> Any:
    """Write a text in cells, each shaded by a value from -1 (orange) to 1 (purple); returns the picture for a color bar.

    Raises
    ------
    ValueError
        If there is not one value for each character.
    """
    if len(values) != len(text):
        raise ValueError(f"shade_text: {len(values)} values for {len(text)} characters; give one for each character")
    places = lines_of(text, width)
    grid = np.full((places[-1][0] + 1, width), np.nan)
    for (row, column, _), value in zip(places, values, strict=True):
        grid[row, column] = value
    picture = ax.imshow(grid, cmap="PuOr", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    for (row, column, character), value in zip(places, values, strict=True):
        if character != "\n":
            shade = "white" if abs(value) > 0.75 else "black"
            ax.text(column, row, character, ha="center", va="center", fontsize=size, family="monospace",
                    color=shade, parse_math=False)  # fmt: skip
    ax.axis("off")
    return picture
