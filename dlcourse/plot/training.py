"""Learning curves: what a run has measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.plot import BLUE, ORANGE

__all__ = ["learning_curves"]


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """One panel for each quantity, training and validation in it; the best validation epoch is named in its title.

    Parameters
    ----------
    history : name -> one number for each epoch; "val_loss" belongs to "loss"

    Raises
    ------
    ValueError
        If there is no finished epoch.
    """
    names = [name for name in history if not name.startswith("val_") and name != "lr"]
    if not names or not history[names[0]]:
        raise ValueError("the history is empty: no epoch was finished")
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.2), squeeze=False, layout="constrained")
    for ax, name in zip(axes[0], names, strict=True):
        _panel(ax, name, history[name], history.get(f"val_{name}"))
    return figure


def _panel(ax: Axes, name: str, training: Sequence[float], validation: Sequence[float] | None) -> None:
    title = f"{name}: {training[-1]:.3g} at the end"
    ax.plot(range(1, len(training) + 1), training, color=BLUE, marker="o", markersize=3, label="training")
    if validation:
        best = (max if name.endswith("accuracy") else min)(validation)
        title = f"validation {name}: best {best:.3g} in epoch {list(validation).index(best) + 1}"
        epochs = range(1, len(validation) + 1)
        ax.plot(epochs, validation, color=ORANGE, linestyle="--", marker="s", markersize=3, label="validation")
        ax.legend()
    ax.set(title=title, xlabel="epoch", ylabel=name)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
