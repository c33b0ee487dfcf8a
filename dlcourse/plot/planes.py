"""Pictures of the plane of two inputs: kinds of points, a neuron's line, and the sides it tells apart.

A kind has its color and its marker, a side its tint and its hatching: nothing is said by color alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, GREEN, MARKERS, ORANGE

Floats = NDArray[np.floating[Any]]

__all__ = ["draw_line", "frame", "scatter_kinds", "shade_sides", "show_sets"]

KINDS = (BLUE, ORANGE, GREEN)


def scatter_kinds(ax: Axes, X: Floats, y: NDArray[Any], names: Sequence[str], size: float = 22) -> None:
    """Draw the points X (N, 2), each kind of y (N,) with its own color and marker, and a legend of the names."""
    for kind, name in enumerate(names):
        points = X[np.asarray(y) == kind]
        ax.scatter(points[:, 0], points[:, 1], s=size, c=KINDS[kind], marker=MARKERS[kind], edgecolors="white",
                   linewidths=0.4, label=name, zorder=3)  # fmt: skip
    ax.legend(loc="best", frameon=True, framealpha=0.9, fontsize=9)


def frame(ax: Axes, X: Floats, pad: float = 0.08) -> None:
    """Fix the axes' limits around the points X (N, 2), so that a line drawn later does not move them."""
    low, high = X.min(axis=0), X.max(axis=0)
    room = pad * (high - low) + 1e-9
    ax.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))


def draw_line(ax: Axes, w: Sequence[float] | Floats, b: float, label: str | None = None, **style: Any) -> None:
    """Draw the line w1·x1 + w2·x2 + b = 0; nothing where both weights are 0, since there is no line then."""
    w = np.asarray(w, dtype=float)
    if not np.any(w):
        return
    start = -b * w / (w @ w)
    ax.axline(
        tuple(start), tuple(start + np.array([-w[1], w[0]])), label=label, **{"color": BLACK, "zorder": 4, **style}
    )
    if label:
        ax.legend(loc="best", frameon=True, framealpha=0.9, fontsize=9)


def shade_sides(ax: Axes, fires: Callable[[Floats], NDArray[Any]], resolution: int = 160) -> None:
    """Tint the plane blue where ``fires`` of points (M, 2) gives 0, orange and hatched where it gives 1."""
    x = np.linspace(*ax.get_xlim(), resolution)
    y = np.linspace(*ax.get_ylim(), resolution)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    value = np.asarray(fires(grid), dtype=float).reshape(resolution, resolution)
    ax.contourf(x, y, value, levels=[-0.5, 0.5, 1.5], colors=[BLUE, ORANGE], alpha=0.13)
    with plt.rc_context({"hatch.color": ORANGE, "hatch.linewidth": 0.5}):
        ax.contourf(x, y, value, levels=[0.5, 1.5], colors="none", hatches=["//"])


def show_sets(sets: Mapping[str, tuple[Floats, NDArray[Any]]], columns: int = 4) -> Figure:
    """A row of small panels, one for each named set (X (N, 2), y (N,) of 0 and 1)."""
    rows = -(-len(sets) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(2.5 * columns, 2.6 * rows), layout="constrained", squeeze=False)
    for ax, (name, (X, y)) in zip(axes.flat, sets.items(), strict=False):
        scatter_kinds(ax, X, y, ("kind 0", "kind 1"), size=26)
        ax.get_legend().remove()
        ax.set(title=name, xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig
