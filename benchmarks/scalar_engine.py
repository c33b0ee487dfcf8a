"""Unit 03's scalar engine against the design of micrograd (Karpathy 2020), in training steps of a small network.

    python benchmarks/scalar_engine.py [--json]

The other design is written anew below, plainly: each result keeps a closure that reads its own slope and adds to those
of its inputs, and ``backward`` orders the values by a recursive depth-first search. A closure that knows its own value
is a cycle, so such a graph is freed only by Python's garbage collector, which must therefore stay on. Ours has no
cycles: :func:`dlcourse.scalar.collector_paused` may keep the collector from walking over the growing graph.

Both train a 2-16-16-1 network on two moons from the same weights, and must arrive at the same losses.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from dlcourse.data import moons
from dlcourse.scalar import Value, collector_paused

SIZES, STEPS, ROUNDS = (2, 16, 16, 1), 3, 7


class Closures:
    """A number in micrograd's design, with the operations that the network below needs."""

    def __init__(self, data: float, inputs: tuple[Closures, ...] = ()) -> None:
        self.data, self.grad = data, 0.0
        self.inputs = set(inputs)
        self.pass_on: Callable[[], None] = lambda: None

    def __add__(self, other: Closures | float) -> Closures:
        other = other if isinstance(other, Closures) else Closures(other)
        out = Closures(self.data + other.data, (self, other))

        def pass_on() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out.pass_on = pass_on
        return out

    def __mul__(self, other: Closures | float) -> Closures:
        other = other if isinstance(other, Closures) else Closures(other)
        out = Closures(self.data * other.data, (self, other))

        def pass_on() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.pass_on = pass_on
        return out

    __radd__, __rmul__ = __add__, __mul__

    def relu(self) -> Closures:
        out = Closures(max(self.data, 0.0), (self,))

        def pass_on() -> None:
            self.grad += (out.data > 0) * out.grad

        out.pass_on = pass_on
        return out

    def backward(self) -> None:
        order: list[Closures] = []
        seen: set[Closures] = set()

        def visit(value: Closures) -> None:
            if value not in seen:
                seen.add(value)
                for before in value.inputs:
                    visit(before)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            value.pass_on()


# ---- one network for both


def network(number: Any) -> list[list[list[Any]]]:
    """Layers of neurons, each a list of weights with the bias last; the same for every kind of number."""
    rng = random.Random(0)
    return [
        [[number(rng.gauss(0, (2 / wide) ** 0.5)) for _ in range(wide)] + [number(0.0)] for _ in range(out)]
        for wide, out in itertools.pairwise(SIZES)
    ]


def score(layers: list[list[list[Any]]], x: list[Any]) -> Any:
    for layer in layers:
        sums = [sum((w * xi for w, xi in zip(neuron[:-1], x, strict=True)), neuron[-1]) for neuron in layer]
        x = [z.relu() for z in sums] if layer is not layers[-1] else sums
    return x[0]


def training(number: Any, N: int, pause: Callable[[], AbstractContextManager[None]]) -> Callable[[], float]:
    """A step of gradient descent on the hinge loss; it returns the loss."""
    X, y = moons(N // 2, rng=np.random.default_rng(0))
    examples = list(zip(X.tolist(), (2.0 * y - 1).tolist(), strict=True))
    layers = network(number)
    weights = [weight for layer in layers for neuron in layer for weight in neuron]

    def step() -> float:
        with pause():
            loss = sum(((score(layers, x) * -target + 1.0).relu() for x, target in examples), number(0.0)) * (1 / N)
            for weight in weights:
                weight.grad = 0.0
            loss.backward()
        for weight in weights:
            weight.data -= 0.05 * weight.grad
        return float(loss.data)

    return step


# ---- measuring


def alternate(ours: Callable[[], float], theirs: Callable[[], float]) -> dict[str, Any]:
    """CPU time of a step in ms, and the median ratio theirs / ours with its quartiles."""
    losses = [[step() for _ in range(5)] for step in (ours, theirs)]
    assert max(abs(a - b) for a, b in zip(*losses, strict=True)) < 1e-9, f"the losses differ: {losses}"
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for step, spent in zip((ours, theirs), times, strict=True):
            gc.collect()
            started = time.process_time()
            for _ in range(STEPS):
                step()
            spent.append(1000 * (time.process_time() - started) / STEPS)
    low, middle, high = statistics.quantiles([b / a for a, b in zip(*times, strict=True)], n=4)
    return {"ours_ms": statistics.median(times[0]), "theirs_ms": statistics.median(times[1]),
            "ratio": middle, "quartiles": [low, high]}  # fmt: skip


CASES = [  # examples in the batch, what ours and theirs do about the collector, in words, and the goal
    (32, nullcontext, nullcontext, "on for both", 1.3),
    (32, collector_paused, collector_paused, "paused for both", 1.3),
    (32, collector_paused, nullcontext, "paused for ours alone", 7.0),
    (100, collector_paused, nullcontext, "paused for ours alone", 7.0),
]


def main(as_json: bool) -> None:
    rows = [
        {"batch": N, "collector": words, "goal": goal}
        | alternate(training(Value, N, ours), training(Closures, N, theirs))
        for N, ours, theirs, words, goal in CASES
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print(f"batch  {'collector':21} {'theirs, ms':>10} {'ours, ms':>9}  ratio (quartiles)     goal")
    for row in rows:
        times, spread = f"{row['theirs_ms']:10.1f} {row['ours_ms']:9.1f}", "{:.2f}-{:.2f}".format(*row["quartiles"])
        print(f"{row['batch']:5}  {row['collector']:21} {times}  {row['ratio']:5.2f} ({spread:11})  ≥{row['goal']:4}")


if __name__ == "__main__":
    main("--json" in sys.argv[1:])
