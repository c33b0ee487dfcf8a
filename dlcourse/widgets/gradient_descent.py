"""Explorers and drawings for unit 02: a slope and its step, and three optimizers racing over one landscape.

Each landscape is a loss of two weights on real data (diabetes, Efron et al. 2004), so that a contour map shows all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drivers.descent import BUDGET, GOAL, ravine_loss, roll
from dlcourse.plot import BLUE, COLORS, GREEN, LINES, MARKERS, RED
from dlcourse.widgets import explore

__all__ = [
    "Landscape",
    "draw_downhill",
    "draw_landscape",
    "draw_path",
    "four_curves",
    "landscape",
    "race",
    "race_figure",
    "ravine_figure",
    "slope_and_step",
    "slope_figure",
]

Array = np.ndarray
BLOWN_UP = 1e9  # a loss above this counts as diverged


@dataclass(frozen=True)
class Landscape:
    """A loss of two weights: what a contour map needs to be drawn, and an optimizer to be run.

    Parameters
    ----------
    name : what the menu calls it
    loss : (..., 2) array of weights -> (...,) array of losses
    gradient : (2,) array of weights -> (2,) array of slopes
    start : where a run begins, (2,)
    box : left, right, bottom, top of the map
    labels : names of the two axes
    best : the lowest loss there is
    """

    name: str
    loss: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    start: tuple[float, float]
    box: tuple[float, float, float, float]
    labels: tuple[str, str]
    best: float


@cache
def _diabetes() -> tuple[Array, Array]:
    from sklearn.datasets import load_diabetes

    patients = load_diabetes(scaled=False)
    X = patients.data[:, [2, 8]]  # (N, 2): body-mass index in kg/m², blood value s5
    y = (patients.target - patients.target.mean()) / patients.target.std()  # (N,)
    return X - X.mean(axis=0), y


def _squared_error(
    name: str, X: Array, y: Array, start: tuple[float, float], box: tuple[float, float, float, float]
) -> Landscape:
    """The bowl of a linear model's mean squared error: X (N, 2), y (N,)."""
    A, c, d = X.T @ X / len(y), X.T @ y / len(y), float(y @ y / len(y))
    bottom = np.linalg.solve(A, c)

    def loss(weights: Array) -> Array:
        return np.asarray(np.einsum("...i,ij,...j->...", weights, A, weights) - 2 * weights @ c + d)

    return Landscape(
        name=name,
        loss=loss,
        gradient=lambda weights: 2 * (A @ weights - c),
        start=start,
        box=box,
        labels=("weight of the body-mass index", "weight of s5"),
        best=float(loss(bottom)),
    )


def _two_in_a_row() -> Landscape:
    """The smallest deep network, ŷ = b·a·x with x and y in standard deviations: a saddle at the origin.

    After Saxe, McClelland & Ganguli (2014), whose deep linear networks are this one with matrices.
    """
    X, y = _diabetes()
    rho = float(np.corrcoef(X[:, 0], y)[0, 1])

    def loss(weights: Array) -> Array:
        product = weights[..., 0] * weights[..., 1]
        return np.asarray(product * product - 2 * rho * product + 1)

    def gradient(weights: Array) -> Array:
        return np.asarray(2 * (weights[0] * weights[1] - rho) * weights[::-1])

    return Landscape(
        name="two weights in a row (saddle)",
        loss=loss,
        gradient=gradient,
        start=(0.6, -0.59),
        box=(-1.3, 1.3, -1.3, 1.3),
        labels=("first weight a", "second weight b"),
        best=1 - rho * rho,
    )


@cache
def landscape(name: str) -> Landscape:
    """One of the course's landscapes: "scaled", "raw units" or "saddle".

    Raises
    ------
    ValueError
        For another name.
    """
    X, y = _diabetes()
    if name == "scaled":
        return _squared_error("diabetes, scaled", X / X.std(axis=0), y, (-0.6, 0.5), (-0.8, 1.6, -0.8, 1.6))
    if name == "raw units":
        return _squared_error("diabetes, raw units", X, y, (-0.35, -0.35), (-0.6, 1.4, -0.6, 1.4))
    if name == "saddle":
        return _two_in_a_row()
    raise ValueError(f"no landscape is named {name!r}; there are 'scaled', 'raw units' and 'saddle'")


def draw_landscape(ax: Axes, land: Landscape, levels: int = 12) -> None:
    """Draw the contour lines of a landscape, closer together toward its bottom, and the bottom's color scale in gray."""
    left, right, bottom, top = land.box
    xs, ys = np.linspace(left, right, 161), np.linspace(bottom, top, 161)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)  # (161, 161, 2)
    above = land.loss(grid) - land.best
    heights = float(above.max()) * np.linspace(0.06, 1, levels) ** 2.2
    ax.contour(xs, ys, above, levels=heights, colors="0.45", linewidths=0.8)
    ax.set(xlabel=land.labels[0], ylabel=land.labels[1], xlim=(left, right), ylim=(bottom, top))
    ax.grid(False)


def draw_path(ax: Axes, path: Array, number: int = 0, label: str = "", every: int = 1) -> None:
    """Draw the way an optimizer went: path (T, 2), a marker at every so many steps, a ring where it began."""
    color, marker = COLORS[number], MARKERS[number]
    shown = np.clip(path, -1e6, 1e6)
    ax.plot(
        shown[:, 0],
        shown[:, 1],
        color=color,
        ls=LINES[number],
        lw=1.4,
        marker=marker,
        ms=4,
        markevery=every,
        label=label,
    )
    ax.plot(*shown[0], "o", ms=10, mfc="none", mec="k", mew=1.5)


def draw_downhill(ax: Axes, gradient: Callable[[Array], Array], places: Sequence[Sequence[float]]) -> None:
    """Draw at each place an arrow along the negative gradient."""
    for place in np.asarray(places, dtype=float):
        arrow = {"color": RED, "width": 1, "headwidth": 6}
        ax.annotate("", xy=place - 0.18 * gradient(place), xytext=tuple(place), arrowprops=arrow)


def _run(land: Landscape, method: str, lr: float, momentum: float, steps: int) -> Array:
    """The (steps + 1, 2) weights that a method visits; it stops moving once the loss has blown up."""
    weights = np.array(land.start)
    m, v = np.zeros(2), np.zeros(2)
    path = [weights]
    for t in range(1, steps + 1):
        if land.loss(weights) > BLOWN_UP:
            path.append(weights)
            continue
        grad = land.gradient(weights)
        if method == "Adam":
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad * grad
            step = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        else:
            m = (momentum if method == "momentum" else 0.0) * m + grad
            step = m
        weights = weights - lr * step
        path.append(weights)
    return np.array(path)


METHODS = ("gradient descent", "momentum", "Adam")


class _Race:
    """The race's figure: paths on the map at the left, the loss above the bottom at the right."""

    def __init__(self) -> None:
        self.figure, (self.map, self.curve) = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained")

    def update(self, where: str, lr: float, momentum: float, steps: int) -> str:
        """Draw the race anew; returns what happened as a sentence."""
        land = landscape(where)
        for ax in (self.map, self.curve):
            ax.clear()
        draw_landscape(self.map, land)
        goal = 1e-4 * (float(land.loss(np.array(land.start))) - land.best)
        said = []
        for number, method in enumerate(METHODS):
            path = _run(land, method, lr, momentum, steps)
            above = np.maximum(land.loss(path) - land.best, 1e-14)
            draw_path(self.map, path, number, method, every=max(1, steps // 12))
            self.curve.semilogy(above, color=COLORS[number], ls=LINES[number], label=method)
            said.append(f"{method} {_fate(above, goal)}")
        self.curve.axhline(goal, color="0.4", lw=1, ls=(0, (1, 2)))
        note = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        self.curve.text(0, goal, "goal: a ten-thousandth left", va="center", color="0.3", fontsize=8, bbox=note)
        self.curve.set(xlabel="step", ylabel="loss above the bottom", ylim=(1e-8, 1e3))
        self.curve.legend(loc="upper right", fontsize=9)
        self.map.set(title=f"{land.name}: the way down", aspect="equal")
        self.curve.set_title(f"learning rate {lr:.3g}, {steps} steps")
        return "; ".join(said) + "."


def _fate(above: Array, goal: float) -> str:
    """What became of a run, in words: ``above`` (T,) is its loss above the bottom."""
    if not above[-1] <= 1e3:
        return "diverges"
    if above[-1] > goal:
        return "is still on its way"
    last_outside = np.flatnonzero(above > goal)
    return f"is there to stay after step {int(last_outside[-1]) + 1 if len(last_outside) else 0}"


def race_figure(where: str, finding: str, lr: float, momentum: float = 0.7, steps: int = 80) -> Figure:
    """The race as a figure that stands still: the explorer's picture for these settings, under a title that says what it shows."""
    panel = _Race()
    panel.update(where, lr, momentum, steps)
    panel.map.set_title(finding)
    return panel.figure


def race() -> w.VBox:
    """Gradient descent, momentum and Adam race over a landscape of your choice, all with one learning rate."""
    panel = _Race()
    places: Sequence[tuple[str, str]] = [(landscape(name).name, name) for name in ("raw units", "scaled", "saddle")]
    return explore(
        panel.figure,
        panel.update,
        {
            "where": w.Dropdown(options=places, description="landscape"),
            "lr": w.FloatLogSlider(
                value=0.04, min=-3, max=0.3, step=0.05, description="learning rate", readout_format=".3f"
            ),
            "momentum": w.FloatSlider(value=0.7, min=0, max=0.99, step=0.01, description="momentum μ"),
            "steps": w.IntSlider(value=80, min=5, max=300, step=5, description="steps"),
        },
    )


@cache
def _tumors() -> tuple[Array, Array]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    radius = data.data[:, 0]
    return (radius - radius.mean()) / radius.std(), (data.target == 0).astype(float)


def _one_weight(weight: Array) -> Array:
    """Cross-entropy of a neuron that sees the tumors' radius only: weight (...,) -> loss (...,)."""
    x, y = _tumors()
    z = np.asarray(weight)[..., None] * x - 0.6  # the bias stays where it is
    return np.asarray(np.mean(np.logaddexp(0, z) - y * z, axis=-1))


def _one_slope(weight: float) -> float:
    x, y = _tumors()
    return float(np.mean((1 / (1 + np.exp(-(weight * x - 0.6))) - y) * x))


class _Slope:
    """The figure of one weight: its loss, the tangent where you stand, and where a few steps lead."""

    def __init__(self) -> None:
        self.figure, self.ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")

    def update(self, weight: float, lr: float, steps: int) -> str:
        """Draw it anew; returns what is seen as a sentence."""
        ax, ws = self.ax, np.linspace(-3, 9, 241)
        ax.clear()
        ax.plot(ws, _one_weight(ws), color=BLUE, ls="-", label="loss")
        slope, height = _one_slope(weight), float(_one_weight(np.array(weight)))
        ax.plot(ws, height + slope * (ws - weight), color=RED, ls="--", label=f"tangent, slope {slope:+.3f}")
        trail = [weight]
        for _ in range(steps):
            trail.append(trail[-1] - lr * _one_slope(trail[-1]))
        heights = _one_weight(np.array(trail))
        ax.plot(trail, heights, color=GREEN, ls=":", marker="^", label=f"{steps} steps of gradient descent")
        ax.plot(weight, height, "o", ms=10, mfc="none", mec="k", mew=1.5)
        ax.set(xlabel="weight of the radius", ylabel="cross-entropy (nats)", xlim=(-3, 9), ylim=(0, 2.2))
        ax.set_title("A step goes against the slope, and is as long as the slope is steep")
        ax.legend(loc="upper right", fontsize=9)
        way = "right" if slope < 0 else "left"
        return (
            f"At weight {weight:.1f} the slope is {slope:+.3f}, so downhill is to the {way}; after {steps} steps the "
            f"weight is {trail[-1]:.2f} and the loss {heights[-1]:.3f}."
        )


def slope_figure(weight: float, lr: float, steps: int) -> Figure:
    """The slope explorer's picture for these settings, standing still."""
    panel = _Slope()
    panel.update(weight, lr, steps)
    return panel.figure


def slope_and_step() -> w.VBox:
    """One weight of a neuron on the tumors: its loss, the slope where you stand, and where a few steps lead."""
    panel = _Slope()
    controls: dict[str, Any] = {
        "weight": w.FloatSlider(value=-2, min=-2.8, max=8.5, step=0.1, description="weight"),
        "lr": w.FloatLogSlider(value=2, min=-1, max=2, step=0.1, description="learning rate"),
        "steps": w.IntSlider(value=6, min=0, max=30, description="steps"),
    }
    return explore(panel.figure, panel.update, controls)


def ravine_figure(lr: float, momentum: float) -> Figure:
    """The exercise's ravine with a run down it, and the run's loss beside it."""
    path, losses = roll(lr, momentum)
    figure, (ax, curve) = plt.subplots(1, 2, figsize=(8.5, 3.4), layout="constrained")
    xs, ys = np.linspace(-1.3, 0.7, 121), np.linspace(-1.1, 0.9, 121)
    height = ravine_loss(np.stack(np.meshgrid(xs, ys), axis=-1))
    ax.contour(xs, ys, height, levels=np.geomspace(0.01, 100, 9), colors="0.45", linewidths=0.8)
    draw_path(ax, path)
    ax.plot(0, 0, "*", color="k", ms=11)
    ax.set(xlabel="first weight", ylabel="second weight", xlim=xs[[0, -1]], ylim=ys[[0, -1]], aspect="equal")
    ax.set_title("The way down (the star is the bottom)")
    curve.semilogy(np.clip(losses, 1e-12, 1e12), color=BLUE, ls="-")
    curve.axhline(GOAL, color=RED, ls="--", lw=1.2)
    curve.text(0, GOAL, "goal", color=RED, va="bottom")
    curve.set(xlabel="step", ylabel="loss", title=f"Loss after {BUDGET} steps: {losses[-1]:.3g}")
    return figure


def _regression_curve(lr: float, shuffle: bool, epochs: int = 5) -> list[float]:
    """Loss of a linear model on all patients after each step, in batches of 16 from a file sorted by outcome."""
    from sklearn.datasets import load_diabetes

    patients = load_diabetes()
    y = (patients.target - patients.target.mean()) / patients.target.std()
    X = np.hstack([patients.data / patients.data.std(axis=0), np.ones((len(y), 1))])
    order = np.argsort(y, kind="stable")
    X, y, weights, rng, losses = X[order], y[order], np.zeros(X.shape[1]), np.random.default_rng(0), []
    for _ in range(epochs):
        mixed = rng.permutation(len(y)) if shuffle else np.arange(len(y))
        for i in range(0, len(y), 16):
            batch = mixed[i : i + 16]
            weights = weights - lr * 2 / len(batch) * X[batch].T @ (X[batch] @ weights - y[batch])
            losses.append(float(np.mean((X @ weights - y) ** 2)))
    return losses


def four_curves() -> Figure:
    """Four training runs on the diabetes data that differ in one thing each, without a word about which is which."""
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), sharey=True, layout="constrained")
    runs = {"A": (0.03, False), "B": (0.16, True), "C": (0.02, True), "D": (0.0003, True)}
    for ax, (name, (lr, shuffle)) in zip(axes, runs.items(), strict=True):
        losses = _regression_curve(lr, shuffle)
        ax.plot(losses, color=BLUE, ls="-", lw=1.2)
        for epoch in range(1, 5):
            ax.axvline(epoch * len(losses) / 5, color="0.6", lw=1, ls=":")
        ax.set(xlabel="step (dotted: epochs)", title=name)
    axes[0].set(ylabel="loss on all patients", ylim=(0.4, 1.3))
    return figure
