"""What happens beside the training steps: a callback is told when a step, an epoch and the run have ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dlcourse.train.run import Run


class Callback:
    """Base class: define the methods you need.

    Each is given the :class:`~dlcourse.train.run.Run`, with ``model``, ``optimizer``, ``history``, ``epoch`` (finished
    ones), ``step`` (all steps so far), ``batch`` (those of this epoch), ``loss`` (of the last step), and ``stop(why)``.
    Under torchrun every process calls them; ``run.rank == 0`` is the one that writes and shows.
    """

    def on_step_end(self, run: Run) -> None:
        """After each step of the optimizer."""

    def on_epoch_end(self, run: Run) -> None:
        """After each epoch and its validation, when the history has the epoch's figures; before the checkpoint."""

    def on_fit_end(self, run: Run) -> None:
        """After the last epoch; also where a finished run is resumed and nothing is left to do."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep: numbers, strings, lists, dicts, and arrays or tensors of the model's engine."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""


class EarlyStopping(Callback):
    """Stop when a figure has not improved for a while, and restore the weights of its best epoch (Prechelt 1998).

    Parameters
    ----------
    patience : epochs without improvement after which to stop, at least 1
    monitor : the figure in the history that is watched
    mode : "min" or "max" is better; None is "max" where the name ends in "accuracy", else "min"
    min_delta : what counts as an improvement must be larger than this

    Attributes
    ----------
    best : the best value so far
    best_epoch : the epoch it belongs to, counted from 1; 0 before the first

    Raises
    ------
    ValueError
        If an argument is out of range, or the history has no such figure.
    """

    def __init__(
        self,
        patience: int = 5,
        monitor: str = "val_loss",
        mode: Literal["min", "max"] | None = None,
        min_delta: float = 0.0,
    ) -> None:
        if patience < 1 or min_delta < 0 or mode not in (None, "min", "max"):
            raise ValueError(f"EarlyStopping: patience={patience} must be at least 1, min_delta={min_delta} at least 0, "
                             f"mode={mode!r} 'min', 'max' or None")  # fmt: skip
        self.patience, self.monitor, self.min_delta = patience, monitor, min_delta
        self.sign = -1.0 if (mode or ("max" if monitor.endswith("accuracy") else "min")) == "max" else 1.0
        self.best, self.best_epoch = self.sign * math.inf, 0
        self.weights: dict[str, Any] = {}

    def on_epoch_end(self, run: Run) -> None:
        """Keep the weights if they are the best so far; else lose patience."""
        if self.monitor not in run.history:
            raise ValueError(f"EarlyStopping watches {self.monitor!r}, but the history has {', '.join(run.history)}; "
                             "give fit a val_loader, or watch one of these")  # fmt: skip
        value = run.history[self.monitor][-1]
        if self.sign * (self.best - value) > self.min_delta:
            self.best, self.best_epoch, self.weights = value, run.epoch, run.weights()
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop(f"{self.monitor} has not improved since epoch {self.best_epoch}")

    def on_fit_end(self, run: Run) -> None:
        """Go back to the best weights, whether stopped early or not."""
        if self.weights:
            run.load_weights(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The best value, its epoch and its weights."""
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.best, self.best_epoch, self.weights = state["best"], state["best_epoch"], dict(state["weights"])
