"""Pictures of agents: grids with values and arrows, the cart with its pole, and curves over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrow, Rectangle
from numpy.typing import ArrayLike, NDArray

from dlcourse.plot import BLACK, BLUE, ORANGE, RED

__all__ = ["draw_band", "draw_cartpole", "draw_grid", "smoothed"]

DIRECTIONS = {"←": (-1, 0), "→": (1, 0), "↑": (0, -1), "↓": (0, 1)}
BLANK = "-F"  # free cells of GridWorld's and of FrozenLake's maps
FINAL = "GH"
ENDS = {"G": "#B6E3D4", "H": "#F4C7AB", "C": "#F4C7AB"}  # pale green and pale red


def draw_grid(
    ax: Axes, rows: Sequence[str], values: ArrayLike | None = None, policy: ArrayLike | None = None,
    moves: str = "←↓→↑", path: Sequence[int] | None = None, title: str = "", form: str = ".2f",
    limits: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """A grid world from above: signs, values as numbers and shades, a policy as arrows, a path as a line.

    Parameters
    ----------
    rows : lines of the map; ``#`` is a wall, ``-`` and ``F`` are free, other signs are shown
    values : (S,) or (H, W), for states numbered row by row; walls and cells that end (G, H) show none
    policy : (S,) or (H, W) numbers of actions; a negative one draws no arrow
    moves : where action 0, 1, … points: "←↓→↑" in GridWorld and FrozenLake, "↑→↓←" in CliffWalking
    path : states in the order they were visited
    title : what is seen
    form : how a value is written
    limits : values of the palest and of the darkest shade; the smallest and the largest that are shown if None

    Raises
    ------
    ValueError
        If values or policy do not fit the map, or the lines are not of one length.
    """
    H, W = len(rows), len(rows[0])
    if any(len(row) != W for row in rows):
        raise ValueError(f"draw_grid: the lines of {list(rows)} have several lengths")
    numbers = None if values is None else _on_map("values", values, (H, W))
    actions = None if policy is None else _on_map("policy", policy, (H, W)).astype(int)
    shades = None if numbers is None else _shades(numbers, rows, limits)
    for row in range(H):
        for column in range(W):
            sign, at = rows[row][column], (row, column)
            shown = sign not in FINAL + "#"
            color: Any = "0.3" if sign == "#" else ENDS.get(sign, "white")
            if shades is not None and numbers is not None and shown and sign != "C":
                color = shades(numbers[at])
                ax.text(column, row + 0.32, f"{numbers[at]:{form}}", ha="center", va="center", fontsize=8)
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, edgecolor="0.7", linewidth=0.8))
            if sign not in BLANK + "#":
                crowded = sign not in ENDS and (shades is not None or actions is not None)
                x, y = (column - 0.32, row - 0.28) if crowded else (column, row)
                ax.text(x, y, sign, ha="center", va="center", fontsize=10, fontweight="bold")
            if actions is not None and shown and sign != "C" and actions[at] >= 0:
                ax.add_patch(_arrow(column, row, moves[actions[at]]))
    if path is not None:
        ax.plot([s % W for s in path], [s // W for s in path], color=RED, linestyle="-", linewidth=9, alpha=0.45,
                zorder=1.5, solid_capstyle="round")  # fmt: skip
    ax.set(xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5), xticks=[], yticks=[], aspect="equal")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10)


def _on_map(name: str, given: ArrayLike, shape: tuple[int, int]) -> NDArray[Any]:
    found = np.asarray(given)
    if found.size != shape[0] * shape[1]:
        raise ValueError(f"draw_grid: {name} of shape {found.shape}; the map has {shape[0]} × {shape[1]} states")
    return found.reshape(shape)


def _shades(
    numbers: NDArray[Any], rows: Sequence[str], limits: tuple[float, float] | None
) -> Callable[[float], tuple[float, ...]]:
    """A value's shade of blue, pale enough for black letters."""
    import matplotlib as mpl

    shown = [numbers[r, c] for r, row in enumerate(rows) for c, sign in enumerate(row) if sign not in FINAL + "#C"]
    low, high = limits or (min(shown), max(shown))
    return lambda value: mpl.colormaps["Blues"](0.6 * float(np.clip((value - low) / ((high - low) or 1), 0, 1)))


def _arrow(column: int, row: int, sign: str) -> FancyArrow:
    dx, dy = DIRECTIONS[sign]
    return FancyArrow(column - 0.19 * dx, row - 0.06 - 0.19 * dy, 0.38 * dx, 0.38 * dy, width=0.045, head_width=0.2,
                      head_length=0.16, length_includes_head=True, color=BLACK, linewidth=0, zorder=2.5)  # fmt: skip


def draw_cartpole(ax: Axes, observation: ArrayLike, title: str = "") -> None:
    """The cart on its track with the pole as it leans; what was drawn on the axes before is cleared.

    Parameters
    ----------
    observation : (4,) position in meters, velocity, angle in radians (to the right if positive), angular velocity
    """
    x, _, angle, _ = np.asarray(observation, dtype=float)
    ax.clear()
    ax.axhline(0, color="0.6", linestyle="-", linewidth=1)
    for end in (-2.4, 2.4):  # where a cart has left
        ax.plot([end, end], [-0.15, 0.3], color=RED, linestyle="--", linewidth=1.2)
    ax.add_patch(Rectangle((x - 0.25, -0.02), 0.5, 0.24, facecolor=BLUE, edgecolor="none"))
    ax.plot([x, x + np.sin(angle)], [0.22, 0.22 + np.cos(angle)], color=ORANGE, linestyle="-", linewidth=5,
            solid_capstyle="round")  # fmt: skip
    ax.set(xlim=(-2.7, 2.7), ylim=(-0.25, 1.4), aspect="equal", xticks=(-2.4, 0, 2.4), yticks=[], xlabel="")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10)


def smoothed(curves: ArrayLike, window: int) -> NDArray[np.float64]:
    """The mean of each value and up to ``window`` - 1 before it, along the last axis."""
    if window < 1:
        raise ValueError(f"smoothed: window={window!r}; give at least 1")
    sums = np.cumsum(np.asarray(curves, dtype=float), axis=-1)
    before = np.zeros_like(sums)
    before[..., window:] = sums[..., :-window]
    means: NDArray[np.float64] = (sums - before) / np.minimum(np.arange(1, sums.shape[-1] + 1), window)
    return means


def draw_band(
    ax: Axes, curves: ArrayLike, label: str, x: ArrayLike | None = None, window: int = 1, **line: Any
) -> None:  # fmt: skip
    """The mean of several seeds' curves, in a band from the lowest to the highest of them.

    Parameters
    ----------
    curves : (seeds, T)
    label : for the legend
    x : (T,) places along the axis; 1, 2, 3 … if None
    window : values to average over in each curve first
    line : options of the line, such as its color; otherwise the next of the cycle

    Raises
    ------
    ValueError
        If the curves are not (seeds, T).
    """
    table = np.asarray(curves, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"draw_band: curves of shape {table.shape}; give (seeds, T)")
    table, places = smoothed(table, window), np.arange(1, table.shape[1] + 1) if x is None else np.asarray(x)
    (drawn,) = ax.plot(places, table.mean(0), label=label, **line)
    ax.fill_between(places, table.min(0), table.max(0), color=drawn.get_color(), alpha=0.18, linewidth=0)
