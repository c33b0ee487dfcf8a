"""Diagrams of neurons and networks: circles, arrows and the numbers on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, GREEN, ORANGE, RED, SKY

__all__ = ["cell_and_model", "network", "neuron"]

Point = tuple[float, float]


def blank(width: float, height: float, xlim: Point, ylim: Point) -> tuple[Figure, Axes]:
    """A figure without axes, in which a unit is as long to the right as upward."""
    fig, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.set(xlim=xlim, ylim=ylim, aspect="equal")
    ax.axis("off")
    return fig, ax


def node(ax: Axes, at: Point, text: str, color: str = SKY, radius: float = 0.34) -> None:
    """A circle with a text in it."""
    ax.add_patch(Circle(at, radius, facecolor=color, edgecolor=BLACK, alpha=0.35, zorder=2))
    ax.add_patch(Circle(at, radius, fill=False, edgecolor=BLACK, linewidth=1.2, zorder=3))
    ax.text(at[0], at[1], text, ha="center", va="center", fontsize=11, zorder=4)


def arrow(ax: Axes, start: Point, end: Point, text: str = "", color: str = BLACK, dashed: bool = False,
          gap: float = 0.36, at: float = 0.5) -> None:  # fmt: skip
    """An arrow between two nodes, a text on it at the fraction ``at`` of its way."""
    a, b = np.array(start), np.array(end)
    unit = (b - a) / np.linalg.norm(b - a)
    style = "--" if dashed else "-"
    ax.add_patch(FancyArrowPatch(tuple(a + gap * unit), tuple(b - gap * unit), arrowstyle="-|>", mutation_scale=12,
                                 color=color, linestyle=style, linewidth=1.4, shrinkA=0, shrinkB=0, zorder=1))  # fmt: skip
    if text:
        spot = a + at * (b - a)
        ax.text(spot[0], spot[1], text, ha="center", va="center", fontsize=10, zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2})  # fmt: skip


def neuron(features: Sequence[str]) -> Figure:
    """One neuron with the named inputs: weights on the arrows, then the sum, the activation and the output."""
    count = len(features)
    high = max(0.9, 0.1 + 0.5 * count)
    fig, ax = blank(8.2, 0.81 * (high + 1.5), (-2.9, 7.2), (-1.5, high))
    heights = 0.5 * (count - 1) - np.arange(count)
    for k, (name, height) in enumerate(zip(features, heights, strict=True), 1):
        node(ax, (0, height), f"$x_{k}$")
        ax.text(-0.5, height, name, ha="right", va="center", fontsize=10)
        arrow(ax, (0, height), (2.4, 0), f"$w_{k}$", BLUE)
    node(ax, (2.4, 0), "Σ", ORANGE)
    node(ax, (4.4, 0), "$\\varphi$", GREEN)
    arrow(ax, (2.4, -1.5), (2.4, 0), "", BLACK)
    ax.text(2.4, -1.3, "bias $b$", ha="center", va="center", fontsize=10)
    arrow(ax, (2.4, 0), (4.4, 0), "$z$")
    arrow(ax, (4.4, 0), (6.2, 0))
    ax.text(6.0, 0, "$a$  output", ha="left", va="center", fontsize=11)
    ax.text(2.4, 0.5, "weighted sum", ha="center", fontsize=10)
    ax.text(4.4, 0.5, "activation", ha="center", fontsize=10)
    return fig


def network(names: Sequence[Sequence[str]], weights: Sequence[NDArray[Any]], biases: Sequence[NDArray[Any]],
            layers: Sequence[str]) -> Figure:  # fmt: skip
    """A network of layers, weights on the arrows and biases under the nodes; a negative weight has a dashed red arrow.

    Parameters
    ----------
    names : for each layer, the texts of its nodes, the inputs first
    weights : for each layer after the first, an array (O, D): row o holds the weights into node o
    biases : for each layer after the first, an array (O,)
    layers : a title for each layer
    """
    tall = max(map(len, names))
    wide, top = 2.6 * (len(names) - 1), 1.5 * (tall - 1) + 0.75
    fig, ax = blank(0.95 * (wide + 1.8), 0.95 * (top + 1.0), (-0.9, wide + 0.9), (-0.75, top + 0.25))
    spots = [
        [(2.6 * k, 1.5 * (tall - 1) / 2 + 1.5 * ((len(layer) - 1) / 2 - i)) for i in range(len(layer))]
        for k, layer in enumerate(names)
    ]
    for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
        for o, end in enumerate(spots[k + 1]):
            ax.text(end[0], end[1] - 0.53, f"b = {b[o]:g}", ha="center", va="center", fontsize=9, zorder=5)
            for d, start in enumerate(spots[k]):
                number = float(W[o, d])
                arrow(ax, start, end, f"{number:+g}", RED if number < 0 else BLUE, number < 0, at=0.3)
    for k, layer in enumerate(names):
        ax.text(2.6 * k, top, layers[k], ha="center", va="center", fontsize=10)
        for spot, text in zip(spots[k], layer, strict=True):
            node(ax, spot, text, (SKY, ORANGE, GREEN)[min(k, 2)])
    return fig


def cell_and_model() -> Figure:
    """A nerve cell above, the model's parts below, each part under what it was named after."""
    fig, ax = blank(8.6, 4.0, (-4.6, 6.4), (-3.0, 2.4))
    for angle in np.linspace(0.66 * np.pi, 1.34 * np.pi, 5):  # dendrites: stems toward the left that fork
        stem = np.array([1.1 * np.cos(angle), 0.6 + 0.75 * np.sin(angle)])
        ax.plot([0, stem[0]], [0.6, stem[1]], color=BLUE, linestyle="-", linewidth=2.4, zorder=1)
        for fork in (-0.35, 0.25):
            tip = stem + np.array([1.5 * np.cos(angle + fork), 0.65 * np.sin(angle + fork)])
            ax.plot([stem[0], tip[0]], [stem[1], tip[1]], color=BLUE, linestyle="-", linewidth=1.5, zorder=1)
            ax.plot(tip[0], tip[1], ".", color=BLUE, markersize=7)
    ax.add_patch(Circle((0, 0.6), 0.48, facecolor="white", edgecolor="none", zorder=2))
    ax.add_patch(Circle((0, 0.6), 0.48, facecolor=ORANGE, alpha=0.45, edgecolor="none", zorder=2))
    ax.add_patch(Circle((0, 0.6), 0.48, fill=False, edgecolor=BLACK, zorder=3))
    ax.plot([0.48, 4.2], [0.6, 0.6], color=GREEN, linestyle="-", linewidth=3, zorder=1)
    for rise in (-0.55, -0.2, 0.2, 0.55):
        ax.plot([4.2, 4.9], [0.6, 0.6 + rise], color=GREEN, linestyle="-", linewidth=1.8)
        ax.plot(4.95, 0.6 + rise, "o", color=GREEN, markersize=5)
    texts = (("dendrites collect\nsignals at synapses", -2.4), ("cell body\nadds them up", 0.3),
             ("axon: fires a spike\nif the sum is enough", 2.5), ("synapses\non other cells", 5.1))  # fmt: skip
    for text, x in texts:
        ax.text(x, 2.15 if x < 1 else 1.55, text, ha="center", va="center", fontsize=9)
    for height in (-1.6, -2.1, -2.6):
        arrow(ax, (-3.0, height), (0, -2.1), "", BLUE, gap=0.34)
    ax.text(-1.75, -1.45, "weights $w$", ha="center", fontsize=9)
    ax.text(-3.1, -2.1, "inputs\n$x$", ha="right", va="center", fontsize=9)
    node(ax, (0, -2.1), "Σ", ORANGE)
    node(ax, (2.5, -2.1), "$\\varphi$", GREEN)
    arrow(ax, (0, -2.1), (2.5, -2.1), "$z$")
    arrow(ax, (2.5, -2.1), (4.9, -2.1))
    ax.text(4.7, -2.1, "output $a$", ha="left", va="center", fontsize=9)
    ax.axhline(-0.8, color="0.7", linewidth=0.8, linestyle="--")
    ax.text(-4.5, -0.62, "nerve cell", fontsize=9, style="italic")
    ax.text(-4.5, -1.05, "model", fontsize=9, style="italic")
    return fig
