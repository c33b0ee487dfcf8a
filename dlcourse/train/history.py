"""What a run has measured, a list of numbers for each quantity, one number for each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class History(dict[str, list[float]]):
    """``history["val_loss"][3]`` is the validation loss after the fourth epoch.

    Training figures are means over the epoch's batches, measured while the weights were still changing and in training
    mode; those that begin with ``val_`` are measured after the epoch in evaluation mode. ``lr`` is the rate of the
    epoch's last step.
    """

    def append(self, row: Mapping[str, float]) -> None:
        """Add the figures of one epoch."""
        for name, value in row.items():
            self.setdefault(name, []).append(value)

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.get("loss", []))

    def plot(self) -> Figure:
        """The learning curves, as a matplotlib figure."""
        from dlcourse.plot.training import learning_curves

        return learning_curves(self)


class Means:
    """Running means, each batch weighted by its number of examples."""

    def __init__(self, state: Mapping[str, list[float]] | None = None) -> None:
        self.sums = {name: list(pair) for name, pair in (state or {}).items()}  # name -> [weighted sum, examples]

    def add(self, values: Mapping[str, float], examples: int) -> None:
        """Take in the means over one batch."""
        for name, value in values.items():
            pair = self.sums.setdefault(name, [0.0, 0])
            pair[0] += value * examples
            pair[1] += examples

    def result(self, prefix: str = "") -> dict[str, float]:
        """The mean of each quantity, over all examples that had it."""
        return {prefix + name: total / examples for name, (total, examples) in self.sums.items()}
