"""Explorers of unit 01: a neuron's line under your hands, the perceptron's nudges one by one, an activation's slope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, ORANGE, RED
from dlcourse.plot.planes import frame, scatter_kinds
from dlcourse.widgets import explore

Floats = NDArray[np.floating[Any]]

__all__ = ["activation_slope", "decision_line", "perceptron_replay"]


def slider(text: str, value: float, low: float, high: float, step: float = 0.1) -> w.FloatSlider:
    """A slider that redraws while it moves."""
    return w.FloatSlider(value=value, min=low, max=high, step=step, description=text, readout_format=".2f")


class Sides:
    """The two sides of a line as one picture that is filled anew, with their names, and the line itself."""

    def __init__(self, ax: Axes, names: Sequence[str] = (), resolution: int = 120) -> None:
        self.ax = ax
        self.x = np.linspace(*ax.get_xlim(), resolution)
        self.y = np.linspace(*ax.get_ylim(), resolution)
        extent = (*ax.get_xlim(), *ax.get_ylim())
        self.image: AxesImage = ax.imshow(
            np.zeros((resolution, resolution)), extent=extent, origin="lower", aspect="auto", alpha=0.16,
            cmap=ListedColormap([BLUE, ORANGE]), vmin=0, vmax=1, zorder=0,
        )  # fmt: skip
        (self.line,) = ax.plot([], [], color=BLACK, linestyle="-", linewidth=2, zorder=4)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
        self.labels = [ax.text(0, 0, f"called {n}", ha="center", style="italic", zorder=6, bbox=box) for n in names]

    def move(self, weights: Floats, b: float) -> None:
        """Show the line of these weights (2,) and bias."""
        fires = weights[0] * self.x[None, :] + weights[1] * self.y[:, None] + b > 0
        self.image.set_data(fires)
        for label, side in zip(self.labels, (~fires, fires), strict=False):
            label.set_visible(bool(side.mean() > 0.02))
            rows, columns = np.nonzero(side)
            if len(rows):  # the middle of a side lies within it, since a side is convex
                label.set_position((self.x[columns].mean(), self.y[rows].mean()))
        length = float(weights @ weights)
        if length == 0:
            self.line.set_data([], [])
            return
        start, along = -b * weights / length, np.array([-weights[1], weights[0]]) / np.sqrt(length)
        reach = 4 * max(np.ptp(self.x), np.ptp(self.y)) + np.linalg.norm(start)
        ends = np.stack([start - reach * along, start + reach * along])
        self.line.set_data(ends[:, 0], ends[:, 1])


def plane(X: Floats, y: Floats, names: Sequence[str], features: Sequence[str]) -> tuple[Any, Axes, Sides, Any]:
    """A figure with the points, the two sides, and rings for the points on the wrong side."""
    fig, ax = plt.subplots(figsize=(6.2, 4.2), layout="constrained")
    frame(ax, X)
    sides = Sides(ax, names)
    scatter_kinds(ax, X, y, names)
    rings = ax.scatter([], [], s=90, facecolors="none", edgecolors=RED, linewidths=1.3, zorder=5)
    ax.set(xlabel=features[0], ylabel=features[1], autoscale_on=False)
    return fig, ax, sides, rings


def decision_line(X: Floats, y: Floats, names: Sequence[str], features: Sequence[str], reach: float = 3.0) -> w.VBox:
    """Sliders for w1, w2 and b of one neuron on two features, with the points that it gets wrong.

    Parameters
    ----------
    X : (N, 2) examples
    y : (N,) targets, 0 or 1
    names : of the kinds 0 and 1
    features : of the two columns
    reach : the sliders go from minus to plus this
    """
    fig, ax, sides, rings = plane(X, y, names, features)
    best = [len(y)]

    def update(w1: float, w2: float, b: float) -> str:
        weights = np.array([w1, w2])
        fires = X @ weights + b > 0
        wrong = fires != (y > 0)
        sides.move(weights, b)
        rings.set_offsets(X[wrong])
        best[0] = min(best[0], int(wrong.sum()))
        missed, false = int((wrong & ~fires).sum()), int((wrong & fires).sum())
        ax.set_title(f"{wrong.sum()} of {len(y)} on the wrong side (ringed)")
        return (
            f"{missed} {names[1]} on the side called {names[0]} and {false} {names[0]} on the side called {names[1]}: "
            f"{wrong.sum()} errors. Your best so far: {best[0]}."
        )

    return explore(
        fig, update, {"w1": slider("w₁", 1, -reach, reach), "w2": slider("w₂", 1, -reach, reach),
                      "b": slider("b", 0, -reach, reach)},
    )  # fmt: skip


def mistakes_of(X: Floats, y: Floats, lr: float, epochs: int) -> list[tuple[int, int, Floats, float]]:
    """The perceptron's mistakes in order: (epoch, example, weights after, bias after); it starts at zero."""
    weights, b = np.zeros(X.shape[1]), 0.0
    history: list[tuple[int, int, Floats, float]] = []
    for epoch in range(1, epochs + 1):
        before = len(history)
        for i, (x, target) in enumerate(zip(X, y, strict=True)):
            error = target - float(weights @ x + b > 0)
            if error:
                weights, b = weights + lr * error * x, b + lr * error
                history.append((epoch, i, weights, float(b)))
        if len(history) == before:
            break
    return history


def perceptron_replay(X: Floats, y: Floats, names: Sequence[str], features: Sequence[str], epochs: int = 20) -> w.VBox:
    """The perceptron's run on two features, mistake by mistake: the line before (dashed), the line after, the culprit.

    Parameters
    ----------
    X : (N, 2) examples, in the order in which they are seen
    y : (N,) targets, 0 or 1
    names : of the kinds 0 and 1
    features : of the two columns
    epochs : at most so many passes over the examples
    """
    history = mistakes_of(X, y, 1.0, epochs)
    fig, ax, sides, rings = plane(X, y, names, features)
    ghost = Sides(ax)
    ghost.image.remove()
    ghost.image = sides.image  # the dashed line alone: the tint belongs to the line after the nudge
    ghost.line.set(linestyle="--", linewidth=1.2)

    def update(mistake: int) -> str:
        before = history[mistake - 2][2:] if mistake > 1 else (np.zeros(2), 0.0)
        epoch, i, weights, b = history[mistake - 1]
        ghost.move(*before)
        sides.move(weights, b)
        rings.set_offsets(X[i : i + 1])
        left = int(((X @ weights + b > 0) != (y > 0)).sum())
        ax.set_title(f"Mistake {mistake} of {len(history)}, in epoch {epoch}: {left} still wrong after it")
        pull = "up" if y[i] else "down"
        return (
            f"The ringed {names[int(y[i])]} was on the wrong side of the dashed line; its score was pushed {pull}, "
            f"from {X[i] @ before[0] + before[1]:.2f} to {X[i] @ weights + b:.2f}. Now w = ({weights[0]:.2f}, "
            f"{weights[1]:.2f}) and b = {b:.2f}."
        )

    control = w.IntSlider(value=1, min=1, max=max(len(history), 1), description="mistake")
    return explore(fig, update, {"mistake": control})


def activation_slope(functions: dict[str, Callable[[Floats], Floats]]) -> w.VBox:
    """A curve, a point on it that a slider moves, and the tangent there: flat means that nothing is learned.

    Parameters
    ----------
    functions : name -> function of an array
    """
    fig, ax = plt.subplots(figsize=(6.2, 3.6), layout="constrained")
    grid = np.linspace(-8, 8, 801)
    (curve,) = ax.plot([], [], color=BLUE, linestyle="-")
    (tangent,) = ax.plot([], [], color=RED, linestyle="--")
    (spot,) = ax.plot([], [], "o", color=BLACK)
    ax.set(xlabel="weighted sum z", ylabel="output φ(z)", xlim=(-8, 8))

    def update(name: str, z: float) -> str:
        function, h = functions[name], 1e-4
        values = function(grid)
        here = float(function(np.array([z]))[0])
        up, down = function(np.array([z + h, z - h]))
        slope = float(up - down) / (2 * h)
        curve.set_data(grid, values)
        tangent.set_data([z - 2, z + 2], [here - 2 * slope, here + 2 * slope])
        spot.set_data([z], [here])
        room = 0.1 * np.ptp(values)
        ax.set(ylim=(values.min() - room, values.max() + room), title=f"{name}: slope {slope:.4f} at z = {z:g}")
        return f"At z = {z:g} the output is {here:.4f}. Raising z by 0.1 changes it by about {0.1 * slope:.5f}."

    controls = {"name": w.Dropdown(options=list(functions), description="activation"), "z": slider("z", 0.3, -8, 8)}
    return explore(fig, update, controls)
