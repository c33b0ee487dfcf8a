"""RMSprop: each entry's step is divided by the recent size of its gradient (Hinton 2012, lecture 6e)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array
from dlcourse.optim.optimizer import Optimizer, Params, buffer, with_decay


class RMSprop(Optimizer):
    """``s ← α s + (1 - α) g²``, ``p ← p - lr g / (√s + ε)``.

    Parameters
    ----------
    params : parameters or groups of them
    lr : learning rate
    alpha : α, how slowly the mean of the squares forgets
    eps : ε, outside of the root
    weight_decay : adds ``weight_decay · p`` to the gradient
    momentum : share of the last step that is kept
    """

    def __init__(
        self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0,
    ) -> None:  # fmt: skip
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, options)

    def update(self, p: Array, g: Array, state: dict[str, Any], group: Mapping[str, Any]) -> None:
        """One step of one parameter."""
        alpha = group["alpha"]
        g = with_decay(g, p, group["weight_decay"])
        s = buffer(state, "square", p)
        s *= alpha
        s += (1 - alpha) * g * g
        step = g / (np.sqrt(s) + group["eps"])
        if group["momentum"]:
            v = buffer(state, "velocity", p)
            v *= group["momentum"]
            v += step
            step = v
        p -= group["lr"] * step
