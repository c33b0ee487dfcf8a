"""PyTorch's side of the loop: devices, mixed precision, compiled models, and several processes."""
# ruff: noqa: D102  (the methods do what Engine's docstrings say)

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel

from dlcourse.ops.rule import Array
from dlcourse.train import generators
from dlcourse.train import processes_torch as processes
from dlcourse.train.engine import Batch, Engine
from dlcourse.train.generators import States


def choose_device(name: str) -> torch.device:
    """The device of that name; for "auto" the GPU if there is one.

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cpu":
        return device
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.type, True):
        there = [kind for kind, found in available.items() if found]
        raise ValueError(f"fit: device={name!r}, but PyTorch finds only {', '.join(there)} here; device='auto' takes "
                         "the best")  # fmt: skip
    if device.type == "cuda":
        device = torch.device("cuda", processes.local_rank() if device.index is None else device.index)
        torch.cuda.set_device(device)
    return device


class TorchEngine(Engine):
    """Models of torch.nn, compiled or not, wrapped in DistributedDataParallel or not."""

    name = "torch"
    tensor = torch.Tensor

    def __init__(
        self, model: Any, loss: Callable[..., Any], optimizer: Any, device: str = "auto", mixed_precision: bool = False
    ) -> None:
        inner = getattr(model, "_orig_mod", model)  # what torch.compile was given
        wrapped = isinstance(inner, DistributedDataParallel)
        super().__init__(inner.module if wrapped else model, loss, optimizer)
        self.device = next(model.parameters()).device if wrapped else choose_device(device)
        self._move()
        self.rank, self.world = processes.join(self.device)
        self.network = model if wrapped or self.world == 1 else self._distributed()
        self.mixed = mixed_precision and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.mixed)

    def _move(self) -> None:
        moves = any(parameter.device != self.device for parameter in self.model.parameters())
        self.model.to(self.device)
        if isinstance(self.loss, torch.nn.Module):
            self.loss.to(self.device)
        if moves and self.optimizer.state_dict()["state"]:  # it follows its parameters
            self.optimizer.load_state_dict(self.optimizer.state_dict())

    def _distributed(self) -> DistributedDataParallel:
        return DistributedDataParallel(self.model, [self.device] if self.device.type == "cuda" else None)

    @property
    def bare(self) -> torch.nn.Module:
        """The model that torch.compile was given: its names are the same on every machine."""
        bare: torch.nn.Module = getattr(self.model, "_orig_mod", self.model)
        return bare

    # ---- batches

    def inputs_and_target(self, batch: Any, is_split: bool, training: bool) -> Batch:
        if self.world > 1 and not is_split and isinstance(batch, tuple | list):
            batch = [processes.share(part, self.rank, self.world, even=training) for part in batch]
        return super().inputs_and_target(batch, is_split, training)

    def own(self, part: Any) -> Any:
        if isinstance(part, dict):
            return {name: self.own(each) for name, each in part.items()}
        if isinstance(part, tuple | list):
            return type(part)(self.own(each) for each in part)
        return torch.as_tensor(part).to(self.device, non_blocking=True)

    def array(self, value: Any) -> Array | None:
        if not isinstance(value, torch.Tensor):
            return value if isinstance(value, np.ndarray) else None
        value = value.detach()
        return np.asarray((value.float() if value.dtype == torch.bfloat16 else value).cpu())

    def accuracy(self, outputs: Any, target: Any) -> dict[str, float]:
        right = all(isinstance(each, torch.Tensor) for each in (outputs, target)) and outputs.ndim >= 2
        if not right or outputs.ndim != target.ndim + 1 or target.is_floating_point():
            return {}
        return {"accuracy": (outputs.argmax(1) == target).float().mean().item()}

    def plain(self, outputs: Any) -> Any:
        return outputs.detach() if isinstance(outputs, torch.Tensor) else outputs

    # ---- a step

    def forward(self, inputs: Sequence[Any], target: Any) -> tuple[Any, Any]:
        return self._forward(self.network, inputs, target)

    def evaluate(self, inputs: Sequence[Any], target: Any) -> tuple[Any, Any]:
        return self._forward(self.model, inputs, target)  # not the wrapped one: processes may have unlike shares here

    def _forward(self, network: Any, inputs: Sequence[Any], target: Any) -> tuple[Any, Any]:
        with torch.autocast(self.device.type, dtype=torch.float16 if self.mixed else None, enabled=self.mixed):
            outputs = network(*inputs)
            return outputs, self.loss(outputs, target)

    def backward(self, value: Any) -> None:
        self.scaler.scale(value).backward()

    def step(self, max_norm: float | None) -> bool:
        if max_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm)
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return self.scaler.get_scale() >= before  # a smaller scale: gradients had overflowed, the step was left out

    def schedule_step(self, schedule: Any, row: Mapping[str, float]) -> None:
        if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            schedule.step(row.get("val_loss", row["loss"]))
        else:
            schedule.step()

    def evaluation(self) -> contextlib.AbstractContextManager[Any]:
        return torch.no_grad()

    # ---- states

    def weights(self) -> dict[str, Any]:
        return {
            name: value.detach().cpu().clone() if isinstance(value, torch.Tensor) else value
            for name, value in self.bare.state_dict().items()
        }

    def load_weights(self, weights: Mapping[str, Any]) -> None:
        self.bare.load_state_dict(weights)

    def encode(self, state: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        torch.save({**state, "scaler": self.scaler.state_dict()}, buffer)
        return buffer.getvalue()

    def decode(self, content: bytes) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if self.mixed and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        return state

    def generators(self, loaders: Mapping[str, Any]) -> dict[str, Any]:
        bare = {f"model.{number}": layer for number, layer in enumerate(self.bare.modules())}
        return generators.find({**loaders, "loss": self.loss, **bare})

    def read_generators(self, found: Mapping[str, Any]) -> States:
        states = {**super().read_generators(found), "torch": torch.get_rng_state().tolist()}
        if self.device.type == "cuda":
            states["device"] = torch.cuda.get_rng_state(self.device).tolist()
        elif self.device.type == "mps":
            states["device"] = torch.mps.get_rng_state().tolist()
        return states

    def write_generators(self, found: Mapping[str, Any], states: States) -> None:
        own = {name: torch.tensor(states[name], dtype=torch.uint8) for name in ("torch", "device") if name in states}
        super().write_generators(found, {name: state for name, state in states.items() if name not in own})
        torch.set_rng_state(own["torch"])
        if "device" in own and self.device.type == "cuda":
            torch.cuda.set_rng_state(own["device"], self.device)
        elif "device" in own and self.device.type == "mps":
            torch.mps.set_rng_state(own["device"])

    # ---- several processes

    def split(self, loader: Any) -> bool:
        if self.world == 1 or processes.is_split(loader):
            return True
        sampler = processes.sampler_of(loader)
        if isinstance(sampler, torch.utils.data.RandomSampler) and sampler.generator is None:
            sampler.generator = torch.Generator()  # else each process shuffles by its own global one
            sampler.generator.manual_seed(int(torch.randint(2**62, ())))
        found = generators.find({"loader": loader})
        own, first = generators.read(found), self.from_first(generators.read(found))
        generators.write(found, {path: (first if path in found else own)[path] for path in own})  # one order for all
        return False

    def total(self, sums: dict[str, list[float]]) -> dict[str, list[float]]:
        return sums if self.world == 1 else processes.total(sums, self.device)

    def any(self, flag: bool) -> bool:
        return flag if self.world == 1 else processes.anywhere(flag, self.device)

    def gather(self, value: Any) -> list[Any]:
        return [value] if self.world == 1 else processes.gather(value)

    def from_first(self, value: Any) -> Any:
        return value if self.world == 1 else processes.from_first(value)

    def equalize(self) -> None:
        if self.world > 1:
            processes.broadcast(self.bare.buffers())
