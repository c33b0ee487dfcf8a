"""Adam: momentum, divided by the recent size of the gradient (Kingma & Ba 2015, algorithm 1).

AdamW takes the weight decay out of the gradient, where the division would weaken it for large gradients, and shrinks
the weights directly (Loshchilov & Hutter 2019, algorithm 2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array
from dlcourse.optim.optimizer import Optimizer, Params, buffer, with_decay


class Adam(Optimizer):
    """``m ← β₁ m + (1-β₁) g``, ``v ← β₂ v + (1-β₂) g²``, ``p ← p - lr m̂ / (√v̂ + ε)``.

    The averages begin at 0 and are too small at first; m̂ and v̂ are divided by ``1 - βᵗ``, t counted from 1.

    Parameters
    ----------
    params : parameters or groups of them
    lr : learning rate
    betas : (β₁, β₂), how slowly the two averages forget
    eps : ε, outside of the root
    weight_decay : adds ``weight_decay · p`` to the gradient
    """

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0,
    ) -> None:  # fmt: skip
        if not (0 <= betas[0] < 1 and 0 <= betas[1] < 1):
            raise ValueError(f"{type(self).__name__}: betas={betas} must each be at least 0 and below 1")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: Mapping[str, Any]) -> None:
        """One step of one parameter."""
        self._step(p, with_decay(g, p, group["weight_decay"]), state, group)

    def _step(self, p: Array, g: Array, state: dict[str, Any], group: Mapping[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        m, v = buffer(state, "m", p), buffer(state, "v", p)
        t = state["t"] = state.get("t", 0) + 1
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        root = np.sqrt(v)
        root /= math.sqrt(1 - beta2**t)
        root += group["eps"]  # √v̂ + ε
        step = m / root
        step *= group["lr"] / (1 - beta1**t)
        p -= step


class AdamW(Adam):
    """Adam with the weights multiplied by ``1 - lr · weight_decay`` before each step. Parameters as Adam's."""

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, p: Array, g: Array, state: dict[str, Any], group: Mapping[str, Any]) -> None:
        """One step of one parameter."""
        p *= 1 - group["lr"] * group["weight_decay"]
        self._step(p, g, state, group)
