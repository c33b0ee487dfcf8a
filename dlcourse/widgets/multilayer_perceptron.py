"""Explorer and drawings for unit 04: the border that a small network draws, digits, and a confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.data import circles, moons, spirals, xor
from dlcourse.plot import BLUE
from dlcourse.plot.planes import frame, scatter_kinds, shade_sides
from dlcourse.widgets import explore

__all__ = ["Trained", "draw_confusion", "draw_images", "fit_curve", "playground", "playground_figure", "train_on_plane"]

Array = NDArray[Any]
Layers = list[tuple[Array, Array]]
Loss = Callable[[Array, Array], tuple[float, Array]]  # outputs z (N,), wanted y (N,) -> loss, its slope (N,)
PLACES: dict[str, Callable[..., tuple[Array, Array]]] = {
    "spirals": lambda rng: spirals(100, turns=1.25, noise=0.02, rng=rng),
    "moons": lambda rng: moons(100, rng=rng),
    "circles": lambda rng: circles(100, rng=rng),
    "XOR": lambda rng: xor(100, noise=0.25, rng=rng),
}
ACTIVATIONS = ("ReLU", "tanh", "none")


@dataclass(frozen=True)
class Trained:
    """A network trained on points in the plane.

    Parameters
    ----------
    X, y : the points (N, 2) and their classes (N,)
    layers : a (W (O, I), b (O,)) for each layer
    activation : what stands between the layers
    losses : loss before each step
    """

    X: Array
    y: Array
    layers: Layers
    activation: str
    losses: Array

    def fires(self, points: Array) -> Array:
        """Whether the network says 1: points (M, 2) -> (M,)."""
        return np.asarray(_forward(points, self.layers, self.activation)[-1][:, 0] > 0)

    @property
    def accuracy(self) -> float:
        """The share of its points that lie on the right side."""
        return float(np.mean(self.fires(self.X) == (self.y == 1)))

    @property
    def numbers(self) -> int:
        """How many weights and biases there are."""
        return sum(W.size + b.size for W, b in self.layers)


def _activate(z: Array, activation: str) -> Array:
    if activation == "none":
        return z
    return np.maximum(z, 0) if activation == "ReLU" else np.tanh(z)


def _slope(h: Array, activation: str) -> Array:
    """The activation's slope, from its output."""
    if activation == "none":
        return np.ones_like(h)
    return (h > 0).astype(float) if activation == "ReLU" else 1 - h * h


def _forward(X: Array, layers: Layers, activation: str) -> list[Array]:
    hs = [X]
    for number, (W, b) in enumerate(layers, 1):
        z = hs[-1] @ W.T + b
        hs.append(z if number == len(layers) else _activate(z, activation))
    return hs


@lru_cache(maxsize=128)
def train_on_plane(
    where: str, width: int, depth: int, activation: str = "ReLU", seed: int = 0, steps: int = 600
) -> Trained:
    """Train a network of ``depth`` hidden layers of ``width`` neurons by Adam on 200 points, all at each step.

    Parameters
    ----------
    where : "spirals", "moons", "circles" or "XOR"
    activation : "ReLU", "tanh" or "none"
    seed : of the starting weights; the points are the same for every seed

    Raises
    ------
    ValueError
        For another place or activation.
    """
    if where not in PLACES or activation not in ACTIVATIONS:
        raise ValueError(
            f"where={where!r}, activation={activation!r}; there are {list(PLACES)} and {list(ACTIVATIONS)}"
        )
    X, y = PLACES[where](np.random.default_rng(0))
    X, rng = (X - X.mean(axis=0)) / X.std(axis=0), np.random.default_rng(seed)
    gain = 2 if activation == "ReLU" else 1
    layers = [
        (rng.normal(0, np.sqrt(gain / inputs), (outputs, inputs)), rng.uniform(-0.5, 0.5, outputs))
        for inputs, outputs in pairwise([2, *[width] * depth, 1])
    ]
    return Trained(X, y, layers, activation, _fit(X, y, layers, activation, steps))


def fit_curve(x: Array, y: Array, width: int, seed: int = 0, steps: int = 1000) -> Layers:
    """Train a network 1 → ``width`` ReLU units → 1 on a curve by mean squared error, with Adam.

    Parameters
    ----------
    x, y : places from 0 to 1 (N, 1), and the curve's height there (N,)
    seed : of the starting weights; each unit's bend starts at a random place between 0 and 1

    Returns
    -------
    [(W1, b1), (W2, b2)]
    """
    rng = np.random.default_rng(seed)
    W1 = rng.choice([-1.0, 1.0], (width, 1)) * np.sqrt(12)  # a place from 0 to 1 varies by 1/√12
    hidden = W1, -W1[:, 0] * rng.uniform(0, 1, width)
    layers = [hidden, (rng.normal(0, np.sqrt(2 / width), (1, width)), np.zeros(1))]
    _fit(x, y, layers, "ReLU", steps, _squared_error)
    return layers


def _cross_entropy(z: Array, y: Array) -> tuple[float, Array]:
    p = 1 / (1 + np.exp(-np.clip(z, -500, 500)))
    return float(np.mean(np.logaddexp(0, z) - y * z)), (p - y) / len(y)


def _squared_error(z: Array, y: Array) -> tuple[float, Array]:
    return float(np.mean((z - y) ** 2)), 2 * (z - y) / len(y)


def _fit(X: Array, y: Array, layers: Layers, activation: str, steps: int, loss_of: Loss = _cross_entropy) -> Array:
    """Adam with a learning rate that falls along a cosine; the layers are changed in place, the losses returned."""
    state = [(np.zeros_like(p), np.zeros_like(p)) for layer in layers for p in layer]
    losses = []
    for t in range(1, steps + 1):
        hs = _forward(X, layers, activation)
        loss, dz = loss_of(hs[-1][:, 0], y)
        grads = _slopes(dz[:, None], hs, layers, activation)
        losses.append(loss)
        lr = 0.03 * (1 + np.cos(np.pi * (t - 1) / steps)) / 2
        params = [p for layer in layers for p in layer]
        for p, (m, v), g in zip(params, state, grads, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return np.array(losses)


def _slopes(delta: Array, hs: list[Array], layers: Layers, activation: str) -> list[Array]:
    """Slopes of the loss in the order W, b, W, b and so on, from the slope (N, 1) at the output."""
    grads: list[Array] = []
    for k in reversed(range(len(layers))):
        grads[:0] = [delta.T @ hs[k], delta.sum(axis=0)]
        if k:
            delta = delta @ layers[k][0] * _slope(hs[k], activation)
    return grads


def _shape(width: int, depth: int, activation: str) -> str:
    if not depth:
        return "no hidden layer"
    layers = f"{depth} hidden layer{'s' if depth > 1 else ''} of {width}"
    return f"{layers}, {activation if activation != 'none' else 'no activation'}"


def _draw_plane(ax: Axes, run: Trained) -> None:
    scatter_kinds(ax, run.X, run.y, ("class 0", "class 1"), size=14)
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    frame(ax, run.X)
    shade_sides(ax, run.fires)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


class _Playground:
    """The explorer's figure: the plane at the left, the loss at the right."""

    def __init__(self) -> None:
        self.figure, (self.plane, self.curve) = plt.subplots(1, 2, figsize=(8.5, 3.8), layout="constrained")

    def update(self, where: str, width: int, depth: int, activation: str, seed: int) -> str:
        """Train, draw, and say what came of it."""
        run = train_on_plane(where, width, depth, activation, seed)
        for ax in (self.plane, self.curve):
            ax.clear()
        _draw_plane(self.plane, run)
        self.plane.set_title(f"{run.accuracy:.0%} of the points on the right side")
        self.curve.semilogy(run.losses, color=BLUE, ls="-")
        self.curve.set(
            xlabel="step", ylabel="cross-entropy (nats)", ylim=(1e-4, 5), title=f"{run.numbers} weights and biases"
        )
        share = "every point is" if run.accuracy == 1 else f"{run.accuracy:.1%} of the points are"
        straight = " Without an activation the border is straight, whatever the depth." if activation == "none" else ""
        return (
            f"{where}, {_shape(width, depth, activation)}, {run.numbers} numbers: {share} on the right side.{straight}"
        )


def playground() -> w.VBox:
    """Train small networks on points in the plane: choose width, depth, activation and start, see border and loss."""
    panel = _Playground()
    return explore(
        panel.figure,
        panel.update,
        {
            "where": w.Dropdown(options=list(PLACES), description="points"),
            "width": w.IntSlider(value=4, min=1, max=32, description="width", continuous_update=False),
            "depth": w.IntSlider(value=1, min=0, max=4, description="hidden layers", continuous_update=False),
            "activation": w.Dropdown(options=ACTIVATIONS, description="activation"),
            "seed": w.IntSlider(value=0, min=0, max=9, description="start", continuous_update=False),
        },
    )


def playground_figure(
    settings: Sequence[tuple[int, int, str]], finding: str, where: str = "spirals", seed: int = 0
) -> Figure:
    """The explorer's planes side by side, standing still: settings are (width, depth, activation)."""
    figure, axes = plt.subplots(
        1, len(settings), figsize=(2.35 * len(settings), 2.9), layout="constrained", squeeze=False
    )
    for ax, (width, depth, activation) in zip(axes[0], settings, strict=True):
        run = train_on_plane(where, width, depth, activation, seed)
        _draw_plane(ax, run)
        ax.set_title(f"{_shape(width, depth, activation).replace(', ', chr(10))}: {run.accuracy:.0%}", fontsize=9)
        if ax is not axes[0][0]:
            ax.set_ylabel("")
    figure.suptitle(finding, fontsize=11)
    return figure


def draw_images(axes: Sequence[Axes], images: Array, titles: Sequence[str] = (), signed: bool = False) -> None:
    """Draw one 8×8 picture on each axes: ink as black, or signed weights from blue (against) over white to red (for)."""
    for number, (ax, image) in enumerate(zip(axes, images, strict=True)):
        picture = np.asarray(image).reshape(8, 8)
        if signed:
            top = float(np.abs(picture).max()) or 1.0
            ax.imshow(picture, cmap="RdBu_r", vmin=-top, vmax=top)
        else:
            ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        if len(titles):
            ax.set_title(titles[number], fontsize=9)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.grid(False)


def draw_confusion(ax: Axes, counts: Array) -> None:
    """Draw a (C, C) table of counts: right answers on the pale diagonal, mistakes as dark cells; zeros stay empty."""
    counts = np.asarray(counts)
    mistakes = counts - np.diag(np.diag(counts))
    ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(3, int(mistakes.max())))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            weight = "normal" if row == column else "bold"
            ax.text(column, row, f"{count}", ha="center", va="center", fontsize=9, weight=weight)
    classes = np.arange(len(counts))
    ax.set(xticks=classes, yticks=classes, xlabel="the network's guess", ylabel="truth")
    ax.grid(False)
