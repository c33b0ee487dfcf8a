"""Explorer and drawings for unit 05: a schedule you shape and what it does to a run, cures side by side, eight ill runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from dlcourse.data import load_digits
from dlcourse.drivers.cures import Deep
from dlcourse.graph import no_grad
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.optim import Adam
from dlcourse.plot import BLUE, COLORS, MARKERS, ORANGE, RED
from dlcourse.widgets import explore

__all__ = [
    "Run",
    "cures_figure",
    "ill_runs_figure",
    "rate",
    "schedule_designer",
    "schedule_figure",
    "train_with_schedule",
]

Array = np.ndarray
STEPS, DEPTH, BATCH = 200, 8, 32
DECAYS = ("constant", "cosine", "three steps")


def rate(step: int, peak: float, warmup: int, decay: str, steps: int = STEPS) -> float:
    """The learning rate of a step counted from 0: a straight line from 0 up to the peak, then the decay.

    Raises
    ------
    ValueError
        For a decay that is not one of ``DECAYS``.
    """
    if decay not in DECAYS:
        raise ValueError(f"rate: decay={decay!r}; choose one of {', '.join(DECAYS)}")
    if step < warmup:
        return peak * step / warmup
    done = (step - warmup) / (steps - warmup)  # from 0 to 1
    if decay == "cosine":
        return peak * (1 + math.cos(math.pi * done)) / 2
    return peak * 0.3 ** int(3 * done) if decay == "three steps" else peak


@dataclass(frozen=True)
class Run:
    """A training run: the rate and the loss of each step, and the accuracy on the test digits at the end."""

    rates: Array
    losses: Array
    test: float


@lru_cache(maxsize=256)
def train_with_schedule(peak: float, warmup: int, decay: str, seed: int = 0) -> Run:
    """Train eight layers of 32 units on the digits: 200 steps of Adam in batches of 32, under a schedule."""
    rng = np.random.default_rng(seed)
    X, X_test, y, y_test = load_digits()
    model = Deep(DEPTH, "plain", rng)
    optimizer = Adam(model.parameters(), lr=peak)
    rates = np.array([rate(step, peak, warmup, decay) for step in range(STEPS)])
    losses = []
    with np.errstate(all="ignore"):
        for lr in rates:
            batch = rng.integers(0, len(y), BATCH)
            loss = F.cross_entropy(model(X[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = float(lr)
            optimizer.step()
            losses.append(loss.item())
        with no_grad():
            guesses = model(X_test).data.argmax(axis=1)
    return Run(rates, np.array(losses), float((guesses == y_test).mean()))


class _Designer:
    """The schedule at the left, the loss of the run that follows it at the right."""

    def __init__(self) -> None:
        self.figure, (self.rate, self.loss) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")

    def update(self, peak: float, warmup: int, decay: str) -> str:
        """Draw a schedule and its run; returns what happened as a sentence."""
        run = train_with_schedule(round(peak, 6), warmup, decay)
        for ax in (self.rate, self.loss):
            ax.clear()
        self.rate.plot(run.rates, color=BLUE, ls="-")
        self.rate.set(xlabel="step", ylabel="learning rate", ylim=(0, 1.1 * peak))
        self.rate.set_title(f"Warm-up {warmup} steps, then {decay}")
        shown = np.minimum(run.losses, 4.0)
        smooth = np.convolve(np.pad(shown, 7, mode="edge"), np.ones(15) / 15, mode="valid")
        self.loss.plot(shown, color=ORANGE, ls="-", lw=0.7, label="each batch (cut off at 4)")
        self.loss.plot(smooth, color=RED, ls="-", label="mean over 15 steps")
        self.loss.axhline(math.log(10), color="0.4", lw=1, ls=":")
        self.loss.set(xlabel="step (dotted: guessing)", ylabel="training loss (nats)", ylim=(0, 4.1))
        self.loss.set_title(f"{run.test:.0%} of the test digits are read")
        self.loss.legend(fontsize=8)
        return (
            f"Peak rate {peak:.3g}, warm-up over {warmup} steps, then {decay}: after {STEPS} steps the network reads "
            f"{run.test:.0%} of the test digits."
        )


def schedule_figure(peak: float, warmup: int, decay: str) -> Figure:
    """The explorer's picture for these settings, standing still."""
    panel = _Designer()
    panel.update(peak, warmup, decay)
    return panel.figure


def schedule_designer() -> w.VBox:
    """Shape a schedule, and see a network of eight layers trained with it at once."""
    panel = _Designer()
    controls: dict[str, Any] = {
        "peak": w.FloatLogSlider(
            value=0.03,
            min=-4,
            max=-0.5,
            step=0.1,
            description="peak rate",
            readout_format=".4f",
            continuous_update=False,
        ),
        "warmup": w.IntSlider(value=0, min=0, max=100, step=10, description="warm-up", continuous_update=False),
        "decay": w.Dropdown(options=DECAYS, value="constant", description="then"),
    }
    return explore(panel.figure, panel.update, controls)


def cures_figure(measured: Mapping[tuple[str, str], Array], titles: Mapping[str, str], columns: int) -> Figure:
    """Test accuracies as dots, a row for each cure, a panel for each situation; a bar marks the mean.

    Parameters
    ----------
    measured : (situation, cure) -> accuracy of each seed
    titles : situation -> the panel's title, which says what it shows; other situations are left out
    columns : panels in a row
    """
    rows = math.ceil(len(titles) / columns)
    most = max(sum(key[0] == situation for key in measured) for situation in titles)
    figure, axes = plt.subplots(
        rows, columns, figsize=(9, rows * (0.9 + 0.24 * most)), squeeze=False, layout="constrained", sharey=True
    )
    for ax, (situation, title) in zip(axes.flat, titles.items(), strict=True):
        cures = {cure: tests for (where, cure), tests in measured.items() if where == situation}
        for row, tests in enumerate(cures.values()):
            color = COLORS[0] if row else COLORS[3]
            ax.plot(
                tests, np.full(len(tests), row), ls="", marker=MARKERS[0 if row else 3], ms=4.5, color=color, alpha=0.7
            )
            ax.plot([tests.mean()] * 2, [row - 0.35, row + 0.35], color=color, ls="-", lw=2.5)
        base = next(iter(cures.values())).mean()
        ax.axvline(base, color="0.5", lw=1, ls=":")
        ax.set_yticks(range(len(cures)), list(cures))
        ax.set(xlabel="test accuracy", title=title)
    axes[0, 0].invert_yaxis()
    return figure


def ill_runs_figure(runs: Sequence[tuple[str, Mapping[str, Array]]], columns: int = 3) -> Figure:
    """Learning curves side by side: for each run its loss above, its accuracy below, training solid, validation dashed.

    Parameters
    ----------
    runs : (title, curves) with ``train_loss``, ``val_loss``, ``train_accuracy`` and ``val_accuracy``, one number an epoch
    columns : runs in a row
    """
    rows = math.ceil(len(runs) / columns)
    figure, axes = plt.subplots(
        2 * rows, columns, figsize=(9, 3.1 * rows), sharex=True, squeeze=False, layout="constrained"
    )
    for number, (title, curves) in enumerate(runs):
        top, bottom = axes[2 * (number // columns) : 2 * (number // columns) + 2, number % columns]
        epochs = np.arange(1, len(curves["train_loss"]) + 1)
        for ax, name, highest in ((top, "loss", 4.0), (bottom, "accuracy", 1.0)):
            for part, color, style in (("train", BLUE, "-"), ("val", ORANGE, "--")):
                values = np.clip(np.nan_to_num(curves[f"{part}_{name}"], nan=highest), 0, highest)
                label = {"train": "training", "val": "validation"}[part]
                ax.plot(epochs, values, color=color, ls=style, lw=1.5, label=label)
            ax.set_ylim(0, 1.02 * highest)
        top.axhline(math.log(10), color="0.4", lw=0.8, ls=":")
        top.set_title(title, fontsize=10)
        if number % columns == 0:
            top.set_ylabel("loss")
            bottom.set_ylabel("accuracy")
        if number // columns == rows - 1:
            bottom.set_xlabel("epoch")
    for ax in axes.flat[2 * len(runs) :]:
        ax.axis("off")
    axes[1, 0].legend(fontsize=8, loc="center right")
    return figure
