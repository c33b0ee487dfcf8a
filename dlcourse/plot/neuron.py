"""The figures of lesson 1, each made from what the lesson computed; every function returns a figure to ``show``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, COLORS, GREEN, LINES, MARKERS, ORANGE, RED
from dlcourse.plot.planes import draw_line, frame, scatter_kinds, shade_sides

Array = NDArray[Any]
Function = Callable[[Array], Array]

__all__ = [
    "averaging",
    "band",
    "confidence",
    "error_shares",
    "firing_rate",
    "hidden_space",
    "learning_runs",
    "mistake_race",
    "one_and_two_measurements",
    "sigmoid_and_belief",
    "slopes",
    "slopes_of_patients",
    "three_lines",
    "unseen",
]

HATCHES = ("", "//", "..")


def panels(count: int, width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    """A row of panels."""
    return plt.subplots(1, count, figsize=(width, height), layout="constrained", **options)


def fires(w: Array, b: float, points: Array) -> Array:
    """Whether a neuron fires on points (M, 2)."""
    return np.asarray(points @ w + b > 0)


def one_and_two_measurements(X: Array, y: Array, kinds: Sequence[str], threshold: float, errors: int) -> Figure:
    """Histograms of the first feature of X (N, 2) with a threshold; beside them both features."""
    fig, (left, right) = panels(2, 9, 3.6)
    for kind, name in enumerate(kinds):
        left.hist(X[y == kind, 0], bins=np.linspace(-2, 4, 37), alpha=0.55, label=name, hatch=HATCHES[kind])
    left.axvline(threshold, color=BLACK, linestyle="--", label="best threshold")
    left.set(xlabel="radius (standard deviations)", ylabel="patients", title=f"One threshold: at best {errors} errors")
    left.legend()
    scatter_kinds(right, X, y, kinds, size=14)
    right.set(xlabel="radius (standard deviations)", ylabel="smoothness (standard deviations)",
              title="Two measurements: the border runs aslant")  # fmt: skip
    return fig


def three_lines(X: Array, y: Array, kinds: Sequence[str], settings: Sequence[tuple[Sequence[float], float]]) -> Figure:
    """A panel for each (w, b): its line, its sides, and an arrow along w."""
    fig, axes = panels(len(settings), 9.4, 3.6, sharey=True)
    for ax, (weights, b) in zip(axes, settings, strict=True):
        w = np.array(weights, dtype=float)
        scatter_kinds(ax, X, y, kinds, size=9)
        frame(ax, X)
        shade_sides(ax, partial(fires, w, b))
        draw_line(ax, w, b)
        foot = -b * w / (w @ w)  # the line's point nearest to the origin
        tip = foot + 1.4 * w / np.linalg.norm(w)
        ax.annotate("", tip, foot, arrowprops={"arrowstyle": "-|>", "lw": 2}, zorder=6)
        wrong = int(np.sum((X @ w + b > 0) != y))
        ax.set(title=f"w = ({w[0]:g}, {w[1]:g}), b = {b:g}: {wrong} errors", xlabel="radius (std. dev.)")
    axes[0].set_ylabel("smoothness (std. dev.)")
    fig.suptitle("The weights turn the line, the bias shifts it; the arrow is w")
    return fig


def sigmoid_and_belief(sigmoid: Function, scores: Array, y: Array, kinds: Sequence[str]) -> Figure:
    """Sigmoids of three steepnesses; beside them histograms of the outputs for the scores (N,)."""
    fig, (left, right) = panels(2, 9, 3.3)
    z = np.linspace(-6, 6, 400)
    for factor, line, color in zip((0.5, 1, 4), LINES, COLORS, strict=False):
        left.plot(z, sigmoid(factor * z), linestyle=line, color=color, label=f"weights × {factor:g}")
    left.plot(z, np.where(z > 0, 1.0, 0.0), color="0.5", linestyle=":", label="step")
    left.set(xlabel="weighted sum z before the factor", ylabel="output", title="Larger weights: a steeper sigmoid")
    left.legend()
    for kind, name in enumerate(kinds):
        outputs = sigmoid(scores)[y == kind]
        right.hist(outputs, bins=np.linspace(0, 1, 26), alpha=0.55, label=name, hatch=HATCHES[kind])
    right.set(xlabel="output σ(z)", ylabel="patients", title="Doubtful patients get outputs near one half")
    right.legend()
    return fig


def slopes(activations: Mapping[str, Function], derivatives: Mapping[str, Function], flat: float = 0.02) -> Figure:
    """Each activation above, its derivative below; hatched where the slope is under ``flat``."""
    fig, axes = plt.subplots(2, len(activations), figsize=(10, 3.9), layout="constrained", sharex=True)
    z = np.linspace(-6, 6, 600)
    for k, name in enumerate(activations):
        slope = derivatives[name](z)
        axes[0, k].plot(z, activations[name](z), color=BLUE, linestyle="-")
        axes[1, k].plot(z, slope, color=RED, linestyle="--")
        for ax in axes[:, k]:
            ax.fill_between(z, 0, 1, where=np.abs(slope) < flat, transform=ax.get_xaxis_transform(),
                            facecolor="0.93", edgecolor="0.7", hatch="//", linewidth=0)  # fmt: skip
        axes[0, k].set_title(name)
        axes[1, k].set(ylim=(-0.05, 1.1), xlabel="z")
    axes[0, 0].set_ylabel("output φ(z)")
    axes[1, 0].set_ylabel("slope φ′(z)")
    fig.suptitle(f"Where an activation is flat (hatched: slope below {flat:g}), its neuron hardly learns")
    return fig


def slopes_of_patients(cases: Mapping[str, Array]) -> Figure:
    """One dot a patient at the slope of a neuron's activation, one row a neuron, on a logarithmic axis."""
    fig, ax = plt.subplots(figsize=(8, 2.5), layout="constrained")
    for k, slope in enumerate(cases.values()):
        spread = 0.4 * (np.random.default_rng(0).random(len(slope)) - 0.5)
        ax.plot(np.maximum(slope, 1e-12), len(cases) - k + spread, MARKERS[k], ls="", markersize=2, color=COLORS[k])
    ax.axvline(0.001, color=BLACK, linestyle="--", linewidth=1)
    ax.set(xscale="log", xlabel="slope φ′(z), one dot a patient (slopes under 10⁻¹² are drawn there)",
           yticks=range(len(cases), 0, -1), yticklabels=list(cases),
           title="Raw inputs saturate a sigmoid, a bad bias kills a ReLU; each has a cure")  # fmt: skip
    return fig


def learning_runs(runs: Mapping[str, tuple[Array, Array, float, list[int]]], y: Array, kinds: Sequence[str]) -> Figure:
    """A panel for each run (X, w, b, mistakes in each epoch) with the line found; then the mistakes so far."""
    fig, axes = panels(len(runs) + 1, 10, 3.3, width_ratios=(*[1] * len(runs), 1.1))
    for k, (part, (X, w, b, mistakes)) in enumerate(runs.items()):
        scatter_kinds(axes[k], X, y, kinds, size=14)
        frame(axes[k], X)
        draw_line(axes[k], w, b)
        one = part.removesuffix("s")
        axes[k].set(xlabel=f"{one} length (cm)", ylabel=f"{one} width (cm)", title=f"{part}: {sum(mistakes)} mistakes")
        axes[-1].plot(
            np.arange(1, len(mistakes) + 1), np.cumsum(mistakes), marker=MARKERS[k], markevery=0.2, label=part
        )
    axes[-1].set(
        xscale="log", yscale="log", xlabel="epoch", ylabel="mistakes so far", title="A narrow gap costs mistakes"
    )
    axes[-1].legend()
    return fig


def mistake_race(path: Array, u: Array, gamma: float, longest: float) -> Figure:
    """Novikoff's floor and ceiling and the perceptron's weights and bias, path (K, D + 1), after each mistake."""
    k = np.arange(1, len(path) + 1)
    fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    ax.plot(k, np.sqrt(k) * longest, label="ceiling: √k R", color=RED, linestyle=LINES[0])
    ax.plot(k, np.linalg.norm(path, axis=1), label="length of weights and bias", color=BLUE, linestyle=LINES[1])
    ax.plot(k, path @ u, label="their part along the best direction u", color=GREEN, linestyle=LINES[2])
    ax.plot(k, k * gamma, label="floor: k γ", color=ORANGE, linestyle=LINES[3])
    ax.set(
        xlabel="mistakes k", ylabel="length (cm)", title="The weights live between a floor like k and a ceiling like √k"
    )
    ax.legend()
    return fig


def averaging(last: Sequence[int], average: Sequence[int]) -> Figure:
    """Errors after each epoch of the last weights and of the averaged ones."""
    fig, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
    epochs = range(1, len(last) + 1)
    ax.plot(epochs, last, color=RED, linestyle=":", linewidth=1.2, label="last weights")
    ax.plot(epochs, average, color=BLUE, linestyle="-", label="average of all weights so far")
    ax.set(xlabel="epoch", ylabel="errors of 100 flowers", title="Without a separating line the rule never rests; the average does")  # fmt: skip
    ax.legend()
    return fig


def unseen(last: Sequence[float], average: Sequence[float], by_hand: float) -> Figure:
    """Share of unseen patients classified rightly after each epoch."""
    fig, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
    epochs = range(1, len(last) + 1)
    ax.plot(epochs, last, color=RED, linestyle=":", marker=".", label="thirty inputs, last weights")
    ax.plot(epochs, average, color=BLUE, linestyle="-", label="thirty inputs, averaged weights")
    ax.axhline(by_hand, color=BLACK, linestyle="--", linewidth=1.2, label="two inputs, weights by hand")
    ax.set(xlabel="epoch", ylabel="share right (unseen patients)", title="Learned weights overtake those set by hand")
    ax.legend()
    return fig


def error_shares(errors: Mapping[str, Array]) -> Figure:
    """For each task, how large a share of the lines tried makes 0, 1, 2, 3, 4 errors."""
    fig, axes = panels(len(errors), 8, 2.9, sharey=True)
    for ax, (task, count) in zip(axes, errors.items(), strict=True):
        shares = [float(np.mean(count == n)) for n in range(5)]
        bars = ax.bar(range(5), shares, color=BLUE)
        ax.bar_label(bars, [f"{share:.1%}" if share else "none" for share in shares])
        best = int(count.min())
        ax.set(xlabel="errors on the four points", ylim=(0, 0.95),
               title=f"{task}: the best line makes {best} error{'s' if best != 1 else ''}")  # fmt: skip
    axes[0].set_ylabel("share of all lines tried")
    return fig


def hidden_space(corners: Array, hidden: Array, y: Array, W1: Array, b1: Array, w2: Array, b2: float) -> Figure:
    """XOR's four points as inputs, with the hidden neurons' lines, and as the hidden layer sees them."""
    fig, (left, right) = panels(2, 7.6, 3.5)
    titles = ("Inputs: no line separates them", "After the hidden layer: a line does")
    for ax, points, title in zip((left, right), (corners, hidden), titles, strict=True):
        scatter_kinds(ax, points, y, ("XOR is 0", "XOR is 1"), size=110)
        ax.set(xlim=(-0.4, 1.4), ylim=(-0.4, 1.4), title=title, aspect="equal", xticks=(0, 1), yticks=(0, 1))
    for row, (name, style) in enumerate((("OR", "--"), ("AND", ":"))):
        draw_line(left, W1[row], b1[row], f"{name} neuron", linestyle=style)
    draw_line(right, w2, b2, "output neuron")
    left.legend(loc="center", fontsize=8, framealpha=0.9)
    right.annotate("(0, 1) and (1, 0)\nland here together", (1, 0), (0.34, -0.33), fontsize=9)
    left.set(xlabel="$x_1$", ylabel="$x_2$")
    right.set(xlabel="output of OR", ylabel="output of AND")
    return fig


def band(length: Array, species: Array, names: Sequence[str], says: Function, errors: int) -> Figure:
    """Petal lengths (N,) of the species, and where the network ``says`` 1."""
    fig, ax = plt.subplots(figsize=(8, 2.7), layout="constrained")
    for kind, name in enumerate(names):
        ax.hist(length[species == kind], bins=26, range=(0.75, 7.25), alpha=0.6, label=name, hatch=HATCHES[kind])
    grid = np.linspace(0.75, 7.25, 600)
    ax.plot(grid, 26 * says(grid), color=BLACK, linestyle="-", label="network says versicolor")
    ax.set(xlabel="petal length (cm)", ylabel="flowers", ylim=(0, 29), title=f"Two thresholds make a band: {errors} errors of 150")  # fmt: skip
    ax.legend(loc="upper right", fontsize=9)
    return fig


def confidence(length: Array, species: Array, names: Sequence[str], beliefs: Mapping[str, Array]) -> Figure:
    """Belief in the third species against petal length (N,), one panel for each unit of measurement."""
    fig, axes = panels(len(beliefs), 9, 2.9, sharey=True)
    near = (length > 2.5) & (length < 6)
    for ax, (title, belief) in zip(axes, beliefs.items(), strict=True):
        for kind in (1, 2):
            chosen = near & (species == kind)
            ax.scatter(length[chosen], belief[chosen, 2], s=22, c=COLORS[kind], marker=MARKERS[kind], label=names[kind])
        ax.set(xlabel="petal length (cm)", title=title)
    axes[0].set_ylabel(f"belief in {names[2]}")
    axes[0].legend()
    return fig


def firing_rate(times: Array, voltage: Array, current: float, currents: Array, rates: Array) -> Figure:
    """A spiking cell's voltage over time, and its firing rate over the input current."""
    fig, (left, right) = panels(2, 9, 2.9)
    left.plot(times, voltage, color=BLUE, linestyle="-", linewidth=1.2)
    left.set(xlabel="time (ms)", ylabel="voltage (threshold = 1)", title=f"It charges, fires, starts again (current {current:g})")  # fmt: skip
    right.plot(currents, rates, color=RED, linestyle="-")
    right.set(xlabel="input current (threshold = 1)", ylabel="spikes per second", title="Its firing rate: silent, then rising")  # fmt: skip
    return fig
