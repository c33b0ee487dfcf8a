"""Drawings for convolutions: images, grids of numbers with a window on them, receptive fields, a family of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dlcourse.plot import BLUE, COLORS, MARKERS, ORANGE

__all__ = ["architectures", "draw_cells", "draw_picture", "receptive_fields"]

Array = NDArray[Any]
Window = tuple[float, float, int]  # top, left, size, in cells


def draw_picture(ax: Axes, picture: Array, title: str = "", kind: str = "ink", limit: float | None = None) -> None:
    """Draw an image (H, W) without axes.

    Parameters
    ----------
    kind : "ink" has 0 as white and 1 as black, "light" the other way round, "signed" blue below zero and red above it,
        "dark" colors from dark (0) to bright for what is not negative
    limit : the largest value that is told apart; 1, or for "signed" and "dark" the largest there is, by default
    """
    top = limit if limit is not None else 1.0 if kind in ("ink", "light") else float(np.abs(picture).max()) or 1.0
    colors = {"ink": "gray_r", "light": "gray", "signed": "RdBu_r", "dark": "cividis"}[kind]
    ax.imshow(picture, cmap=colors, vmin=-top if kind == "signed" else 0, vmax=top)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    if title:
        ax.set_title(title, fontsize=9)


def draw_cells(ax: Axes, values: Array, title: str = "", windows: Sequence[Window] = (), signed: bool = True,
               limit: float | None = None) -> None:  # fmt: skip
    """Draw numbers (H, W) in colored cells; an entry that is NaN stays empty. Windows are framed."""
    H, W = values.shape
    known = values[np.isfinite(values)]
    top = limit if limit is not None else float(np.abs(known).max(initial=0)) or 1.0
    ax.imshow(values, cmap="RdBu_r" if signed else "gray_r", vmin=-top if signed else 0, vmax=top, alpha=0.6)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ax.text(column, row, f"{value:.3g}".replace("-", "−"), ha="center", va="center", fontsize=9)
    for (y, x, size), color in zip(windows, (ORANGE, BLUE), strict=False):
        ax.add_patch(Rectangle((x - 0.5, y - 0.5), size, size, fill=False, edgecolor=color, lw=3))
    ax.set(xticks=np.arange(W + 1) - 0.5, yticks=np.arange(H + 1) - 0.5, xticklabels=[], yticklabels=[])
    ax.tick_params(length=0)
    ax.grid(True, color="0.7", lw=0.6, alpha=1)
    ax.set_title(title, fontsize=10)


def receptive_fields(networks: Sequence[tuple[str, Sequence[tuple[int, int]]]], reach: int) -> Figure:
    """For each network, what one output sees, layer by layer, along one axis of the image.

    Parameters
    ----------
    networks : a title, and (kernel_size, stride) of each layer from the input on
    reach : cells of the input that are drawn
    """
    figure, axes = plt.subplots(
        1, len(networks), figsize=(4.4 * len(networks), 2.6), squeeze=False, layout="constrained"
    )
    for ax, (title, layers) in zip(axes[0], networks, strict=True):
        steps = [math.prod(stride for _, stride in layers[:depth]) for depth in range(len(layers) + 1)]
        low = high = 0.0  # centers of the first and the last cell that is seen, in cells of the input
        for depth in range(len(layers), -1, -1):
            step = steps[depth]
            count = max(1, reach // step)
            shift = (low % step) if depth < len(layers) else 0.0
            for place in step * (np.arange(-count, count + 1)) + shift:
                if abs(place) <= reach / 2:
                    seen = low - 1e-9 <= place <= high + 1e-9
                    ax.add_patch(Rectangle((place - 0.45, depth - 0.2), 0.9, 0.4, facecolor=BLUE if seen else "0.9",
                                           edgecolor="0.5", lw=0.6))  # fmt: skip
            if depth:
                widen = (layers[depth - 1][0] - 1) / 2 * steps[depth - 1]
                for end, sign in ((low, -1), (high, 1)):
                    ax.plot([end, end + sign * widen], [depth - 0.2, depth - 0.8], color=ORANGE, ls="-", lw=1.2)
                low, high = low - widen, high + widen
        ax.set(xlim=(-reach / 2 - 0.6, reach / 2 + 0.6), ylim=(-0.4, len(layers) + 0.4), title=title, xticks=[])
        names = [f"{k}×{k}" + (f", stride {s}" if s > 1 else "") for k, s in layers]
        ax.set_yticks(range(len(layers) + 1), ["input", *names])
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.set_xlabel(f"one output sees {round(high - low) + 1} of the input's cells")
    return figure


def architectures(rows: Sequence[tuple[str, int, int, int]], finding: str) -> Figure:
    """Networks over the years: depth at the left, parameters at the right, on logarithmic axes.

    Parameters
    ----------
    rows : name, year, depth, parameters
    finding : the title
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
    depths, numbers = [row[2] for row in rows], [row[3] for row in rows]
    for ax, values, label in (
        (axes[0], depths, "layers with weights, input to output"),
        (axes[1], numbers, "weights and biases"),
    ):
        for place, (name, year, *_) in enumerate(rows):
            value, before = values[place], values[max(place - 1, 0)]
            crowded = year > 2012 and abs(math.log(value / before)) < 0.9
            lift = 0 if not crowded else 8 if value > before else -12  # beside its marker, or out of the way
            right = year < 2000
            ax.plot(year, value, ls="", marker=MARKERS[place], ms=8, color=COLORS[place])
            ax.annotate(f"{name}: {value:,}", (year, value), xytext=(8 if right else -8, lift - 3), fontsize=8,
                        textcoords="offset points", ha="left" if right else "right")  # fmt: skip
        ax.set(xlabel="year", ylabel=label, yscale="log", xlim=(1986, 2018))
        ax.margins(y=0.15)
    figure.suptitle(finding, fontsize=11)
    return figure
