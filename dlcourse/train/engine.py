"""What differs between the engines behind one loop: PyTorch's part is in ``engine_torch``, loaded only for its models."""
# ruff: noqa: D102  (the methods of NumpyEngine do what Engine's docstrings say)

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from dlcourse.nn.utils import clip_grad_norm_
from dlcourse.ops.inputs import as_array
from dlcourse.ops.rule import Array
from dlcourse.tensor import Tensor, no_grad
from dlcourse.train import checkpoint, generators
from dlcourse.train.generators import States

Batch = tuple[tuple[Any, ...], Any]  # the model's inputs, and the target


class Engine(ABC):
    """A model with its loss and optimizer, in one process unless a subclass knows of more."""

    name: ClassVar[str]
    tensor: ClassVar[Any]  # the engine's tensors
    rank, world = 0, 1

    def __init__(self, model: Any, loss: Callable[..., Any], optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self._check_optimizer()

    def _check_optimizer(self) -> None:
        if not hasattr(self.optimizer, "param_groups") or not hasattr(self.optimizer, "step"):
            raise TypeError(f"fit: optimizer is a {type(self.optimizer).__name__}; give an optimizer, such as "
                            "optim.SGD(model.parameters(), lr=0.1)")  # fmt: skip
        held = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        if not any(id(parameter) in held for parameter in self.model.parameters()):
            raise ValueError("fit: the optimizer holds none of the model's parameters; make it after the model, "
                             "from model.parameters()")  # fmt: skip

    def inputs_and_target(self, batch: Any, is_split: bool, training: bool) -> Batch:
        """A batch as the model's inputs and the target; the process's share of it unless the loader has split it."""
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            what = f"{len(batch)} part" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
            raise ValueError(f"fit: a batch of the loader is {what}; it must be inputs and a target, such as (X, y); "
                             "an autoencoder's is (X, X)")  # fmt: skip
        *inputs, target = batch
        return tuple(self.own(part) for part in inputs), self.own(target)

    def examples(self, target: Any) -> int:
        """How many examples a target belongs to."""
        return len(target) if getattr(target, "ndim", 0) else 1

    def check(self, value: Any, training: bool) -> None:
        """Raise a TypeError or ValueError unless a loss is one number and, in training, has a gradient."""
        if not isinstance(value, self.tensor):
            raise TypeError(f"fit: the loss returned a {type(value).__name__}, not a tensor; .item() and arrays have no "
                            "gradient")  # fmt: skip
        if tuple(value.shape) not in ((), (1,), (1, 1)):
            raise ValueError(f"fit: the loss has shape {tuple(value.shape)}; it must be one number: take its .mean(), or "
                             'reduction="mean"')  # fmt: skip
        if training and not value.requires_grad:
            raise ValueError("fit: the loss does not depend on the model's parameters; was something detached on the "
                             "way (.data, .detach(), no_grad, argmax), or is every parameter frozen?")  # fmt: skip

    def accuracy(self, outputs: Any, target: Any) -> dict[str, float]:
        """The share of right classes, where outputs (N, C, ...) meet whole numbers (N, ...); else nothing."""
        out, classes = self.array(outputs), self.array(target)
        if (
            out is None
            or classes is None
            or out.ndim < 2
            or out.ndim != classes.ndim + 1
            or classes.dtype.kind not in "iu"
        ):
            return {}
        return {"accuracy": float(np.mean(out.argmax(1) == classes))}

    def generators(self, loaders: Mapping[str, Any]) -> dict[str, Any]:
        """The sources of randomness in model, loss and loaders."""
        layers = {f"model.{number}": layer for number, layer in enumerate(self.model.modules())}
        return generators.find({**loaders, "loss": self.loss, **layers})

    def read_generators(self, found: Mapping[str, Any]) -> States:
        """All states of randomness."""
        return generators.read(found)

    def write_generators(self, found: Mapping[str, Any], states: States) -> None:
        """Set them."""
        generators.write(found, states)

    def set_epoch(self, loader: Any, epoch: int) -> None:
        """Tell the loader's sampler which epoch begins, where it wants to know, as DistributedSampler does."""
        batch_sampler: Any = getattr(loader, "batch_sampler", None)
        samplers: list[Any] = [getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None)]
        for each in samplers:
            if hasattr(each, "set_epoch"):
                each.set_epoch(epoch)

    def schedule_step(self, schedule: Any, row: Mapping[str, float]) -> None:
        """Let a schedule go on by one epoch."""
        schedule.step()

    # ---- with one process there is nobody to ask

    def split(self, loader: Any) -> bool:
        """Whether a loader already gives each process its own share."""
        return True

    def total(self, sums: dict[str, list[float]]) -> dict[str, list[float]]:
        """The sums over all processes."""
        return sums

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return flag

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes."""
        return [value]

    def from_first(self, value: Any) -> Any:
        """The value of process 0."""
        return value

    def equalize(self) -> None:  # noqa: B027  (nothing to do for one process)
        """Give every process the buffers of process 0."""

    # ---- what each engine does in its own way

    @abstractmethod
    def own(self, part: Any) -> Any:
        """A part of a batch, as the model takes it."""

    @abstractmethod
    def array(self, value: Any) -> Array | None:
        """A tensor's or an array's entries as an array; None for anything else."""

    @abstractmethod
    def plain(self, outputs: Any) -> Any:
        """Outputs without their history, as metrics take them."""

    @abstractmethod
    def forward(self, inputs: Sequence[Any], target: Any) -> tuple[Any, Any]:
        """The model's outputs and the loss, to train on."""

    @abstractmethod
    def backward(self, value: Any) -> None:
        """Leave gradients in the parameters."""

    @abstractmethod
    def step(self, max_norm: float | None) -> bool:
        """Clip and let the optimizer step; False if mixed precision had to skip the step."""

    @abstractmethod
    def evaluation(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, nothing is recorded for gradients."""

    @abstractmethod
    def evaluate(self, inputs: Sequence[Any], target: Any) -> tuple[Any, Any]:
        """The model's outputs and the loss, to look at."""

    @abstractmethod
    def weights(self) -> dict[str, Any]:
        """Copies of parameters and buffers."""

    @abstractmethod
    def load_weights(self, weights: Mapping[str, Any]) -> None:
        """Set them."""

    @abstractmethod
    def encode(self, state: dict[str, Any]) -> bytes:
        """A checkpoint's content."""

    @abstractmethod
    def decode(self, content: bytes) -> dict[str, Any]:
        """What was encoded; no code in the content is run."""


class NumpyEngine(Engine):
    """Models of dlcourse.nn."""

    name = "numpy"
    tensor = Tensor

    def own(self, part: Any) -> Any:
        return part if isinstance(part, Tensor | dict) else np.asarray(part)

    def array(self, value: Any) -> Array | None:
        return as_array(value) if isinstance(value, Tensor | np.ndarray) else None

    def plain(self, outputs: Any) -> Any:
        return outputs.data if isinstance(outputs, Tensor) else outputs

    def forward(self, inputs: Sequence[Any], target: Any) -> tuple[Any, Any]:
        outputs = self.model(*inputs)
        return outputs, self.loss(outputs, target)

    evaluate = forward

    def backward(self, value: Any) -> None:
        value.backward()

    def step(self, max_norm: float | None) -> bool:
        if max_norm is not None:
            clip_grad_norm_(self.model.parameters(), max_norm)
        self.optimizer.step()
        return True

    def evaluation(self) -> contextlib.AbstractContextManager[Any]:
        return no_grad()

    def weights(self) -> dict[str, Any]:
        weights: dict[str, Any] = self.model.state_dict()
        return weights

    def load_weights(self, weights: Mapping[str, Any]) -> None:
        self.model.load_state_dict(weights)

    def encode(self, state: dict[str, Any]) -> bytes:
        return checkpoint.encode(state)

    def decode(self, content: bytes) -> dict[str, Any]:
        return checkpoint.decode(content)
