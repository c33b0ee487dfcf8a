"""Schedules: large learning rates to get near a minimum, small ones to settle in it; rates and defaults are PyTorch's.

``schedule.step()`` follows ``optimizer.step()``, once a batch or once an epoch, and sets the rates in ``param_groups``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dlcourse.optim.optimizer import Optimizer


class LRScheduler:
    """Base class: a subclass defines ``factor(t)``, by which the rate's distance from ``floor`` is multiplied.

    Each step multiplies by ``factor(t) / factor(t - 1)``, so schedules on one optimizer, a warm-up and a decay, multiply.
    ``last_epoch`` is -1 to begin, or k to take the optimizer's rates for those of step k + 1 and go on from there.
    """

    floor = 0.0

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} sets the rates of an optimizer, not of {type(optimizer).__name__}")
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(f"last_epoch={last_epoch} goes on with a schedule, but a group of the optimizer has no "
                                 "'initial_lr'; load the optimizer's state_dict first, or begin with -1")  # fmt: skip
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._advance(set_rates=last_epoch == -1)

    def factor(self, t: int) -> float:
        """What the starting rate is multiplied by at step ``t``, counted from 0."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on by one step."""
        self._advance()

    def _advance(self, set_rates: bool = True) -> None:
        self.last_epoch += 1
        if set_rates:
            self._set_rates()
        self._last_lr: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    def _set_rates(self) -> None:
        t = self.last_epoch
        now, before = self.factor(t), self.factor(t - 1) if t else 1.0
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            if before:
                group["lr"] = self.floor + (group["lr"] - self.floor) * (now / before)
            else:  # from nothing there is nothing to multiply
                group["lr"] += (base - self.floor) * now

    def get_last_lr(self) -> list[float]:
        """The rate of each group, as this schedule last set it."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Copies of the schedule's own numbers; the rates themselves are in the optimizer's ``state_dict``."""
        return copy.deepcopy({name: value for name, value in vars(self).items() if name != "optimizer"})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the saved schedule was; the state of another kind of schedule is a ValueError."""
        own, given = self.state_dict(), copy.deepcopy(dict(state_dict))
        if own.keys() != given.keys() or len(own["base_lrs"]) != len(given["base_lrs"]):
            raise ValueError(f"load_state_dict of {type(self).__name__} for {len(self.base_lrs)} groups needs "
                             f"{sorted(own)} and got {given}; was it saved by another schedule?")  # fmt: skip
        vars(self).update(given)


class StepLR(LRScheduler):
    """The rate times ``gamma`` every ``step_size`` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = _count("step_size", step_size), gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """Stairs."""
        return float(self.gamma ** (t // self.step_size))


class LinearLR(LRScheduler):
    """From ``start_factor`` to ``end_factor`` times the rate in ``total_iters`` steps, then level: a warm-up."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not (0 < start_factor <= 1 and 0 <= end_factor <= 1):
            raise ValueError(f"start_factor={start_factor} must lie in (0, 1], end_factor={end_factor} in [0, 1]")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = _count("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """On the line, or at its end."""
        return self.start_factor + (self.end_factor - self.start_factor) * min(t / self.total_iters, 1)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine down to ``eta_min`` in ``T_max`` steps, and then up again (Loshchilov & Hutter 2017, equation 5)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.floor = _count("T_max", T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """From 1 to 0."""
        return (1 + math.cos(math.pi * t / self.T_max)) / 2


class OneCycleLR(LRScheduler):
    """From ``max_lr / div_factor`` up to ``max_lr`` and down to nearly nothing, momentum the other way (Smith 2018).

    Parameters
    ----------
    max_lr : the highest rate, or one for each group
    total_steps : steps in all, or else ``epochs`` times ``steps_per_epoch``; a step beyond is a ValueError
    pct_start : the share of the steps that lead up
    anneal_strategy : "cos" or "linear"
    cycle_momentum : move SGD's and RMSprop's momentum, Adam's β₁, between ``max_momentum`` and ``base_momentum``
    final_div_factor : the last rate is the first one divided by this
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos", cycle_momentum: bool = True, base_momentum: float = 0.85,
        max_momentum: float = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4, *, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = epochs * steps_per_epoch
        self.total_steps = _count("total_steps, or epochs * steps_per_epoch,", total_steps)
        if not 0 <= pct_start <= 1 or anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"pct_start={pct_start} must lie in [0, 1], anneal_strategy={anneal_strategy!r} be 'cos' or "
                             "'linear'")  # fmt: skip
        groups = optimizer.param_groups if isinstance(optimizer, Optimizer) else []
        self.max_lrs = list(max_lr) if isinstance(max_lr, Sequence) else [max_lr] * len(groups)
        if len(self.max_lrs) != len(groups):
            raise ValueError(f"max_lr has {len(self.max_lrs)} values for {len(groups)} groups; give each group one")
        if cycle_momentum and any("momentum" not in group and "betas" not in group for group in groups):
            raise ValueError("the optimizer has no momentum to cycle; pass cycle_momentum=False")
        self.pct_start, self.anneal_strategy, self.final_div_factor = pct_start, anneal_strategy, final_div_factor
        self.momenta = (max_momentum, base_momentum) if cycle_momentum else None
        if last_epoch == -1:
            for group, highest in zip(groups, self.max_lrs, strict=True):
                group["initial_lr"] = highest / div_factor
        super().__init__(optimizer, last_epoch)

    def _set_rates(self) -> None:
        t, last = self.last_epoch, self.total_steps - 1
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: this is step {t} of a schedule with total_steps={self.total_steps}")
        peak = self.pct_start * self.total_steps - 1
        share = t / (peak or 1) if t <= peak else (t - peak) / (last - peak or 1)
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        for group, first, highest in zip(self.optimizer.param_groups, self.base_lrs, self.max_lrs, strict=True):
            start, end = (first, highest) if t <= peak else (highest, first / self.final_div_factor)
            group["lr"] = start + (end - start) * share
            if self.momenta:
                start, end = self.momenta if t <= peak else self.momenta[::-1]
                momentum = start + (end - start) * share
                group |= {"betas": (momentum, group["betas"][1])} if "betas" in group else {"momentum": momentum}


def _count(name: str, value: int | None) -> int:
    if not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(f"{name} must be a whole number of steps above 0, not {value!r}")
    return int(value)
