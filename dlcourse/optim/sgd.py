"""Stochastic gradient descent, with momentum (Polyak 1964; Sutskever et al. 2013)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcourse.ops.rule import Array
from dlcourse.optim.optimizer import Optimizer, Params, buffer, with_decay


class SGD(Optimizer):
    """``v ← μ v + g``, ``p ← p - lr v``.

    Parameters
    ----------
    params : parameters or groups of them
    lr : learning rate
    momentum : μ, the share of the last step's velocity that is kept
    weight_decay : adds ``weight_decay · p`` to the gradient
    nesterov : step by ``g + μ v``, the gradient as seen from where the velocity leads

    Raises
    ------
    ValueError
        If an option is negative, or ``nesterov`` has no momentum.
    """

    def __init__(
        self, params: Params, lr: float, momentum: float = 0, weight_decay: float = 0, nesterov: bool = False
    ) -> None:
        if nesterov and momentum <= 0:
            raise ValueError(f"SGD: nesterov=True needs a momentum above 0, not {momentum}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: Mapping[str, Any]) -> None:
        """One step of one parameter."""
        mu = group["momentum"]
        g = with_decay(g, p, group["weight_decay"])
        if mu:
            v = buffer(state, "velocity", p)
            v *= mu
            v += g
            g = g + mu * v if group["nesterov"] else v
        p -= group["lr"] * g
