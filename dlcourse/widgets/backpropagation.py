"""A computation graph drawn with its numbers, and an explorer that walks forward and backward through it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.plot import BLUE, ORANGE, RED
from dlcourse.scalar import Value
from dlcourse.widgets import explore

__all__ = ["backward_steps", "graph_figure", "hand_figure", "neuron_graph", "slopes_in_a_row", "steps_figure"]

Floats = NDArray[np.floating[Any]]
Places = Mapping[str, tuple[float, float]]
NEURON_PLACES: Places = {
    "x₁": (0, 3), "w₁": (0, 2), "x₂": (0, 1), "w₂": (0, 0), "p₁": (1, 2.5), "p₂": (1, 0.5), "s": (2, 1.5),
    "b": (2, 0.2), "z": (3, 1.5), "a": (4, 1.5), "−y": (4, 0.2), "e": (5, 1.5), "L": (6, 1.5),
}  # fmt: skip
SQUARE_PLACES: Places = {
    "x": (0, 1.5), "3": (0, 0.2), "x²": (1.6, 2.6), "3x": (1.6, 0.6), "L": (3.2, 1.5),
}  # fmt: skip
DIAMOND_PLACES: Places = {
    "x": (0, 2.2), "2": (0, 0.8), "u": (1.4, 1.5), "v": (2.8, 2.7), "L": (4.2, 1.5),
}  # fmt: skip
HAND_PLACES: Places = {
    "a": (0, 2.2), "b": (0, 0.8), "u": (1.3, 1.2), "v": (2.6, 2.6), "5": (1.3, 0), "v²": (3.9, 2.6), "5u": (2.6, 0.6),
    "L": (5.2, 1.6),
}  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """What is known at one step: which values, which slopes, where the step happens, and the step in words."""

    values: frozenset[int]
    grads: Mapping[int, float]
    active: int | None
    said: str


def neuron_graph(
    x: Sequence[float] = (1.3, 1.7), w: Sequence[float] = (0.5, -0.8), b: float = 0.4, y: float = -1.0
) -> Value:
    """The squared error of one tanh neuron with two inputs, with a label on every value."""
    x1, x2, w1, w2 = Value(x[0], label="x₁"), Value(x[1], label="x₂"), Value(w[0], label="w₁"), Value(w[1], label="w₂")
    p1, p2 = named(w1 * x1, "p₁"), named(w2 * x2, "p₂")
    z = named(named(p1 + p2, "s") + Value(b, label="b"), "z")
    error = named(named(z.tanh(), "a") + Value(-y, label="−y"), "e")
    return named(error**2, "L")


def named(value: Value, label: str) -> Value:
    """The value itself, with a label."""
    value.label = label
    return value


def square_graph(x: float) -> Value:
    """A value used in two places: x² + 3x."""
    leaf = Value(x, label="x")
    return named(named(leaf * leaf, "x²") + named(leaf * Value(3.0, label="3"), "3x"), "L")


def diamond_graph(x: float) -> Value:
    """Two paths of different length from u to L = u · tanh u, with u = 2x."""
    u = named(Value(x, label="x") * Value(2.0, label="2"), "u")
    return named(u * named(u.tanh(), "v"), "L")


def hand_graph() -> Value:
    """The graph of the exercise by hand: u = a·b, v = u + a, L = v² + 5u."""
    a, b = Value(2.0, label="a"), Value(-2.5, label="b")
    u = named(a * b, "u")
    v = named(u + a, "v")
    return named(named(v**2, "v²") + named(u * Value(5.0, label="5"), "5u"), "L")


def moments(root: Value) -> list[Moment]:
    """Every step of the forward and then of the backward pass over the graph of ``root``, in order."""
    order = root.graph()
    known = frozenset(v.number for v in order if v.rule is None)
    steps = [Moment(known, {}, None, "The inputs and weights are given; nothing is computed yet.")]
    for v in order:
        if v.rule is not None:
            known = known | {v.number}
            made = f" {v.op} ".join(f"{p.label} = {p.data:.3g}" for p in v.parents)
            if len(v.parents) == 1:
                made = f"{v.parents[0].label} = {v.parents[0].data:.3g} through {v.op}"
            steps.append(Moment(known, {}, v.number, f"Forward: {v.label} = {v.data:.3g}, from {made}."))
    grads = {root.number: 1.0}
    steps.append(Moment(known, dict(grads), root.number, f"Backward begins: the slope of {root.label} by itself is 1."))
    for v in reversed(order):
        if v.rule is not None:
            parts = []
            for parent, grad in zip(v.parents, v.rule(grads[v.number]), strict=True):
                again = parent.number in grads
                grads[parent.number] = grads.get(parent.number, 0.0) + grad
                total = f", which now has {grads[parent.number]:.3g}" if again else ""
                parts.append(f"{grad:.3g} to {parent.label}{total}")
            text = f"Backward through {v.label}: slope {grads[v.number]:.3g} arrives; on go {' and '.join(parts)}."
            steps.append(Moment(known, dict(grads), v.number, text))
    return steps


def draw_graph(ax: Axes, root: Value, places: Places, moment: Moment) -> None:
    """Draw the graph of ``root``: values above, slopes below in each box, the active step with a thick border."""
    ax.clear()
    ax.set_axis_off()
    order = root.graph()
    for v in order:
        handing = moment.active == v.number and all(parent.number in moment.grads for parent in v.parents)
        seen: dict[int, int] = {}
        for parent in v.parents:
            twin = seen[parent.number] = seen.get(parent.number, 0) + 1
            bend = 0.18 if v.parents.count(parent) == 2 else 0.0
            ax.annotate(
                "",
                places[v.label],
                places[parent.label],
                arrowprops={
                    "arrowstyle": "<|-" if handing else "-|>",
                    "color": ORANGE if handing else "0.6",
                    "linewidth": 2.6 if handing else 1.2,
                    "shrinkA": 27,
                    "shrinkB": 31,
                    "connectionstyle": f"arc3,rad={bend * (-1) ** twin}",
                },
            )
    for v in order:
        _box(ax, v, places[v.label], moment)
    xs, ys = zip(*places.values(), strict=True)
    ax.set_xlim(min(xs) - 0.45, max(xs) + 0.45)
    ax.set_ylim(min(ys) - 0.55, max(ys) + 0.55)


def _box(ax: Axes, v: Value, place: tuple[float, float], moment: Moment) -> None:
    active, leaf = moment.active == v.number, v.rule is None
    rows = (
        (v.label if leaf else f"{v.label}  ({v.op})", 13, "black", "bold"),
        (f"{v.data:.3g}" if v.number in moment.values else "?", 0, BLUE, "normal"),
        (f"∂ {moment.grads[v.number]:.3g}" if v.number in moment.grads else "∂ –", -13, RED, "normal"),
    )
    widest = max((text for text, *_ in rows), key=len)
    ax.text(
        *place,
        f"{widest}\n\n",
        alpha=0,
        ha="center",
        va="center",
        fontweight="bold",
        bbox={
            "boxstyle": "square,pad=0.4" if leaf else "round,pad=0.4",
            "facecolor": "0.93" if leaf else "white",
            "edgecolor": RED if active else "0.4",
            "linewidth": 3 if active else 1,
        },
    )
    for text, dy, color, weight in rows:
        ax.annotate(
            text, place, (0, dy), textcoords="offset points", ha="center", va="center", color=color, fontweight=weight
        )


def graph_figure(root: Value, title: str, places: Places = NEURON_PLACES) -> Figure:
    """The whole graph after both passes."""
    fig, ax = plt.subplots(figsize=(9.4, 3.9), layout="constrained")
    last = moments(root)[-1]
    draw_graph(ax, root, places, Moment(last.values, last.grads, None, ""))
    ax.set_title(title)
    return fig


def hand_figure() -> Figure:
    """The graph of the exercise by hand after its forward pass."""
    fig, ax = plt.subplots(figsize=(8.6, 3.9), layout="constrained")
    root = hand_graph()
    draw_graph(ax, root, HAND_PLACES, Moment(frozenset(v.number for v in root.graph()), {}, None, ""))
    ax.set_title("The values are there; the slopes of L (after ∂) are yours to find")
    return fig


def steps_figure(graph: str, steps: Sequence[int], title: str, start: float = 0.5) -> Figure:
    """Some steps of one of the explorer's graphs, one below the other."""
    build, places, _ = GRAPHS[graph]
    root = build(start)
    every = moments(root)
    fig, axes = plt.subplots(len(steps), 1, figsize=(8.2, 2.3 * len(steps)), layout="constrained")
    for ax, step in zip(axes, steps, strict=True):
        draw_graph(ax, root, places, every[step])
        ax.set_title(f"Step {step}. {every[step].said}", fontsize=10)
    fig.suptitle(title)
    return fig


def slopes_in_a_row(x: Sequence[float], w: Sequence[float], b: float, y: float) -> Figure:
    """Four panels: the three functions between a weight and the error with their slopes, and all of them at once."""

    def tanh_neuron(w1: Floats) -> Floats:
        return np.asarray(np.tanh(w1 * x[0] + w[1] * x[1] + b))

    z = w[0] * x[0] + w[1] * x[1] + b
    a = math.tanh(z)
    stages: list[tuple[str, str, float, float, Callable[[Floats], Floats]]] = [
        ("weight w₁", "weighted sum z", w[0], x[0], lambda v: v * x[0] + (z - w[0] * x[0])),
        ("weighted sum z", "output a", z, 1 - a * a, lambda v: np.asarray(np.tanh(v))),
        ("output a", "error L", a, 2 * (a - y), lambda v: (v - y) ** 2),
        ("weight w₁", "error L", w[0], x[0] * (1 - a * a) * 2 * (a - y), lambda v: (tanh_neuron(v) - y) ** 2),
    ]
    fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
    for ax, (xlabel, ylabel, at, slope, function) in zip(axes, stages, strict=True):
        grid = np.linspace(at - 1.2, at + 1.2, 81)
        near = np.array([at - 0.6, at + 0.6])
        ax.plot(grid, function(grid), color=BLUE, linestyle="-")
        ax.plot(near, function(np.array(at)) + slope * (near - at), color=RED, linestyle="--", linewidth=2.5)
        ax.plot(at, function(np.array(at)), "o", color="black")
        ax.set(xlabel=xlabel, ylabel=ylabel, title=f"slope {slope:.3f}")
    axes[3].set_facecolor("0.95")
    fig.suptitle("The slope of the whole (gray panel) is the product of the three slopes before it")
    return fig


GRAPHS: dict[str, tuple[Callable[[float], Value], Places, str]] = {
    "a neuron and its error": (lambda weight: neuron_graph(w=(weight, -0.8)), NEURON_PLACES, "w₁"),
    "a value used twice: x² + 3x": (square_graph, SQUARE_PLACES, "x"),
    "a short and a long path: u · tanh u": (diamond_graph, DIAMOND_PLACES, "x"),
}


def backward_steps(graph: str = "a neuron and its error", step: int = 0) -> w.VBox:
    """Walk through a graph step by step: values appear on the way forward, slopes on the way back."""
    fig, ax = plt.subplots(figsize=(9.4, 3.9), layout="constrained")

    def update(graph: str, step: int, start: float) -> str:
        build, places, name = GRAPHS[graph]
        root = build(start)
        steps = moments(root)
        now = min(step, len(steps) - 1)
        draw_graph(ax, root, places, steps[now])
        ax.set_title(f"Step {now} of {len(steps) - 1}; {name} = {start:g}   (top: name, middle: value, ∂: slope of L)")
        return f"Step {now} of {len(steps) - 1}. {steps[now].said}"

    most = max(len(moments(build(0.5))) for build, _, _ in GRAPHS.values()) - 1
    wide = {"description_width": "70px"}
    controls = {
        "graph": w.Dropdown(options=list(GRAPHS), value=graph, description="graph", style=wide),
        "step": w.IntSlider(step, 0, most, description="step", style=wide),
        "start": w.FloatSlider(0.5, min=-2, max=2, step=0.1, description="w₁ or x", style=wide),
    }
    return explore(fig, update, controls)
