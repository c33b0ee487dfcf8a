"""What all optimizers share: groups of parameters with their options, and a state for each parameter."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array
from dlcourse.tensor import Tensor

Params = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimizer:
    """Base class: a subclass defines ``update`` for one parameter.

    Parameters
    ----------
    params : the parameters, or dicts ``{"params": [...], "lr": ...}`` with options of their own
    defaults : options of every group that does not set its own

    Attributes
    ----------
    param_groups : list of dicts with "params" and the options, read at every step: set a learning rate here

    Raises
    ------
    ValueError
        If there are no parameters, one stands in two groups, or an option is negative.
    TypeError
        If something else than a tensor is given, or a group without "params".
    """

    def __init__(self, params: Params, defaults: Mapping[str, Any]) -> None:
        given = [params] if isinstance(params, Tensor) else list(params)
        groups = given if given and isinstance(given[0], Mapping) else [{"params": given}]
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        for group in groups:
            if not isinstance(group, Mapping) or "params" not in group:
                raise TypeError(f"{type(self).__name__}: each group must be a dict with 'params', this is a "
                                f"{type(group).__name__}{list(group) if isinstance(group, Mapping) else ''}")  # fmt: skip
            inside = group["params"]
            inside = [inside] if isinstance(inside, Tensor) else list(inside)
            self.param_groups.append({**defaults, **group, "params": inside})
        self.state: dict[Tensor, dict[str, Any]] = {}  # by the parameter: what the update remembers of it
        self._check()

    def _check(self) -> None:
        everything = self._parameters()
        if not everything:
            raise ValueError(f"{type(self).__name__} got no parameters; model.parameters() can be used up only once")
        for parameter in everything:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{type(self).__name__} optimizes tensors, not {type(parameter).__name__}")
        if len(set(everything)) != len(everything):
            raise ValueError(f"{type(self).__name__}: a parameter was given twice")
        for group in self.param_groups:
            for option in ("lr", "eps", "weight_decay", "momentum"):
                if group.get(option, 0) < 0:
                    raise ValueError(f"{type(self).__name__}: {option}={group[option]} is negative")

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters():
            parameter.zero_grad()

    def step(self) -> None:
        """Move every parameter that has a gradient, in place."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state.setdefault(parameter, {})
                    self.update(parameter.data, parameter.grad, state, group)

    def update(self, p: Array, g: Array, state: dict[str, Any], group: Mapping[str, Any]) -> None:
        """Change ``p`` in place, given its gradient ``g`` (left as it is), its state and its group's options."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Copies of all that the next step needs beside the parameters, which are numbered through the groups.

        Returns
        -------
        ``{"state": {0: {...}, ...}, "param_groups": [{"lr": ..., "params": [0, 1]}, ...]}`` of arrays and plain numbers.
        """
        numbers = {parameter: number for number, parameter in enumerate(self._parameters())}
        state = {number: self.state[p] for p, number in numbers.items() if p in self.state}
        groups = [{**group, "params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        return copy.deepcopy({"state": state, "param_groups": groups})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the saved optimizer was: with copies of its state and its groups' options.

        Raises
        ------
        ValueError
            If groups, shapes or options do not fit this optimizer; nothing is changed then.
        """
        saved = copy.deepcopy(dict(state_dict))
        name, groups = f"load_state_dict of {type(self).__name__}", saved.get("param_groups", [])
        theirs, own = ([len(g["params"]) for g in all_] for all_ in (groups, self.param_groups))
        if theirs != own or "state" not in saved:
            raise ValueError(f"{name}: the saved groups have {theirs} parameters, this optimizer's {own}")
        for group in groups:
            if missing := self.defaults.keys() - group.keys():
                raise ValueError(f"{name}: the saved state has no {sorted(missing)}; is it another optimizer's?")
        numbers = [number for group in groups for number in group["params"]]
        state = {}
        for number, parameter in zip(numbers, self._parameters(), strict=True):
            for key, value in saved["state"].get(number, {}).items():
                if isinstance(value, np.ndarray) and value.shape != parameter.shape:
                    raise ValueError(f"{name}: {key!r} of parameter {number} has shape {value.shape}, the parameter "
                                     f"{parameter.shape}")  # fmt: skip
            if number in saved["state"]:
                state[parameter] = saved["state"][number]
        self.state = state
        for group, loaded in zip(self.param_groups, groups, strict=True):
            group |= {**loaded, "params": group["params"]}


def with_decay(g: Array, p: Array, weight_decay: float) -> Array:
    """The gradient of the loss plus ``weight_decay/2 · |p|²``."""
    return g + weight_decay * p if weight_decay else g


def buffer(state: dict[str, Any], name: str, p: Array) -> Array:
    """A running average in the state, zeros at first."""
    if name not in state:
        state[name] = np.zeros_like(p)
    array: Array = state[name]
    return array
