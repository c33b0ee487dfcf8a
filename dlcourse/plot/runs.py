"""Panels of learning curves side by side, to be compared with those of a healthy run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from dlcourse.plot import BLUE, ORANGE

__all__ = ["beside_healthy"]

HIGHEST_LOSS = 4.5


def beside_healthy(runs: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Loss and accuracy of each run, one above the other, four runs in a row.

    Parameters
    ----------
    runs : letter -> "train_loss", "val_loss", "train_accuracy", "val_accuracy"; what stands under "healthy" is drawn thin and gray everywhere
    title : what is seen
    """
    letters = [letter for letter in runs if letter != "healthy"]
    rows = -(-len(letters) // 4)
    figure, axes = plt.subplots(2 * rows, 4, figsize=(10.5, 3.9 * rows), sharex=True, layout="constrained")
    for place, letter in enumerate(letters):
        for below, quantity in enumerate(("loss", "accuracy")):
            ax = axes[2 * (place // 4) + below, place % 4]
            epochs = range(1, len(runs[letter]["train_loss"]) + 1)
            for part, gray, line in (("train", "0.75", "-."), ("val", "0.45", ":")):
                label = f"healthy {'training' if part == 'train' else 'validation'}"
                ax.plot(
                    epochs,
                    runs["healthy"][f"{part}_{quantity}"],
                    color=gray,
                    linestyle=line,
                    linewidth=1.3,
                    label=label,
                )
            ax.plot(epochs, runs[letter][f"train_{quantity}"], color=BLUE, linestyle="-", label="training")
            ax.plot(epochs, runs[letter][f"val_{quantity}"], color=ORANGE, linestyle="--", label="validation")
            ax.set(ylim=(0, HIGHEST_LOSS) if quantity == "loss" else (0, 1), ylabel=quantity)
            ax.set_title(letter if not below else "", fontweight="bold", loc="left")
            if below and place // 4 == rows - 1:
                ax.set_xlabel("epoch")
    figure.suptitle(title)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    return figure
