"""Where a run stands, and how it is saved and resumed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcourse.train import checkpoint
from dlcourse.train.callbacks import Callback
from dlcourse.train.engine import Batch, Engine
from dlcourse.train.generators import States
from dlcourse.train.history import History, Means
from dlcourse.train.nonfinite import NonFiniteLossError, explanation

FORMAT = 1


class Run:
    """The state of one training run; callbacks are given it.

    Attributes
    ----------
    model, optimizer : what is trained (the model without wrappers for several processes)
    history : the figures of the finished epochs
    epoch, batch, step : finished epochs, steps of the running epoch, steps of the whole run
    loss : the loss of the last step, of this process
    stopped : why the run was stopped early; empty if it was not
    rank : the number of this process, 0 where there is only one
    """

    def __init__(
        self, engine: Engine, schedule: Any, callbacks: Sequence[Callback], loaders: Mapping[str, Any]
    ) -> None:
        self.engine, self.schedule, self.callbacks, self.loaders = engine, schedule, callbacks, loaders
        self.model, self.optimizer, self.rank = engine.model, engine.optimizer, engine.rank
        self.is_split = {name: engine.split(loader) for name, loader in loaders.items()}
        self.generators = engine.generators(loaders)
        self.history, self.means = History(), Means()
        self.epoch = self.batch = self.step = 0
        self.loss, self.stopped = math.nan, ""
        self.recent: deque[float] = deque(maxlen=4)
        self.epoch_start: States = {}  # the generators' states when the running epoch began
        self.resume_at: States = {}  # and when the checkpoint was written

    def stop(self, why: str) -> None:
        """End the run after this epoch, for the reason given; under torchrun one process is enough to ask."""
        self.stopped = why

    def weights(self) -> dict[str, Any]:
        """Copies of the model's parameters and buffers, by name."""
        return self.engine.weights()

    def load_weights(self, weights: Mapping[str, Any]) -> None:
        """Put such copies back."""
        self.engine.load_weights(weights)

    # ---- batches

    def batches(self) -> Iterator[Batch]:
        """The running epoch's batches; where it was resumed, those that are left."""
        loader = self.loaders["loader"]
        self.engine.set_epoch(loader, self.epoch)
        self.epoch_start = self.epoch_start or self.engine.read_generators(self.generators)
        batches = iter(loader)
        for _ in range(self.batch):  # draws the same order once more, and passes over what was trained on
            if next(batches, None) is None:
                raise ValueError(f"fit: the checkpoint was written after batch {self.batch} of an epoch; the loader ends "
                                 "before. Resume with the loader the run began with")  # fmt: skip
        if self.resume_at:
            self.engine.write_generators(self.generators, self.resume_at)
            self.resume_at = {}
        for batch in batches:
            yield self.engine.inputs_and_target(batch, self.is_split["loader"], training=True)
        if self.batch == 0:
            raise ValueError("fit: the loader gave no batches, so there is nothing to learn from")

    def number(self, value: Any, batch: Batch, outputs: Any, where: str = "") -> float:
        """A loss as a number; a NonFiniteLossError if it is none. ``where`` is empty in training."""
        self.engine.check(value, training=not where)
        loss = float(value.item())
        if math.isfinite(loss):
            return loss
        number, step = self.batch + 1, self.step + 1
        where = where or f"epoch {self.epoch + 1}, batch {number} (step {step} of the run)"
        everything = (*batch[0], batch[1])
        parts = [self.engine.array(part) for part in everything]
        weights = {name: self.engine.array(each) for name, each in self.weights().items()}
        message = explanation(loss, where, parts, weights, self.engine.array(outputs), list(self.recent))
        raise NonFiniteLossError(message, self.epoch + 1, number, step, everything)

    def count_step(self, loss: float, values: Mapping[str, float], examples: int) -> None:
        """Take note of a finished step."""
        self.means.add({"loss": loss, **values}, examples)
        self.batch, self.step, self.loss = self.batch + 1, self.step + 1, loss
        self.recent.append(loss)
        for callback in self.callbacks:
            callback.on_step_end(self)

    def count_epoch(self, row: Mapping[str, float]) -> None:
        """Take note of a finished epoch."""
        self.history.append(row)
        self.epoch, self.batch, self.means, self.epoch_start = self.epoch + 1, 0, Means(), {}
        for callback in self.callbacks:
            callback.on_epoch_end(self)
        if self.engine.any(bool(self.stopped)):
            self.stopped = self.stopped or "another process asked for it"

    # ---- checkpoints

    def save(self, path: Path) -> None:
        """Write a checkpoint; under torchrun all processes must call it, and the first one writes."""
        states = self.engine.read_generators(self.generators)
        own = {"epoch_start": self.epoch_start, "generators": states, "sums": self.means.sums}
        processes = self.engine.gather(own)
        if self.rank == 0:
            checkpoint.replace(
                path, self.engine.encode({**self._fingerprint(), **self._state(), "processes": processes})
            )

    def _fingerprint(self) -> dict[str, Any]:
        """What must be the same in a run that goes on."""
        return {
            "format": FORMAT,
            "engine": self.engine.name,
            "number of processes": self.engine.world,
            "optimizer": type(self.optimizer).__name__,
            "schedule": type(self.schedule).__name__,
            "callbacks": [type(callback).__name__ for callback in self.callbacks],
            "number of batches": length(self.loaders["loader"]),
        }

    def _state(self) -> dict[str, Any]:
        return {
            "weights": self.weights(),
            "optimizer_state": self.optimizer.state_dict(),
            "schedule_state": None if self.schedule is None else self.schedule.state_dict(),
            "callback_states": [callback.state_dict() for callback in self.callbacks],
            "history": dict(self.history),
            **{name: getattr(self, name) for name in ("epoch", "batch", "step", "stopped")},
        }

    def resume(self, path: Path) -> None:
        """Go on where a checkpoint was written, if there is one.

        Raises
        ------
        ValueError
            If the file is no checkpoint, or that of another run: another engine, model, optimizer and so on.
        """
        content = path.read_bytes() if self.rank == 0 and path.exists() else None
        content = self.engine.from_first(content)
        if content is None:
            return
        remedy = "delete it, name another file, or begin anew with resume=False"
        try:
            state = self.engine.decode(content)
            differ = [(name, state[name], own) for name, own in self._fingerprint().items() if state[name] != own]
        except Exception as problem:
            raise ValueError(f"fit: {path} cannot be read as a checkpoint of a {self.engine.name} model ({problem}); "
                             f"{remedy}") from problem  # fmt: skip
        if differ:
            said = "; ".join(f"{name} was {saved!r} and is {own!r}" for name, saved, own in differ)
            raise ValueError(f"fit: {path} is the checkpoint of another run: {said}; {remedy}")
        try:
            self._load(state)
        except (ValueError, RuntimeError, KeyError) as problem:
            raise ValueError(f"fit: {path} is the checkpoint of another model or run: {problem}; {remedy}") from problem

    def _load(self, state: Mapping[str, Any]) -> None:
        self.load_weights(state["weights"])
        self.optimizer.load_state_dict(state["optimizer_state"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule_state"])
        for callback, saved in zip(self.callbacks, state["callback_states"], strict=True):
            callback.load_state_dict(saved)
        self.history = History(state["history"])
        self.epoch, self.batch, self.step = state["epoch"], state["batch"], state["step"]
        self.stopped = state["stopped"]
        own = state["processes"][self.rank]
        self.means = Means(own["sums"])
        self.epoch_start, self.resume_at = own["epoch_start"], own["generators"] if self.batch else {}
        self.engine.write_generators(self.generators, self.epoch_start if self.batch else own["generators"])


def length(loader: Any) -> int | None:
    """The number of batches, where the loader knows it."""
    try:
        return len(loader)
    except TypeError:
        return None
