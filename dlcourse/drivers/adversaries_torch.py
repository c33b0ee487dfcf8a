"""A small generator and a small discriminator in double precision, and optimizers that write down who moved when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcourse.drivers.characters_torch import Watched

__all__ = ["Player", "double_mlp"]


def double_mlp(inputs: int, hidden: int, outputs: int, seed: int, scale: float = 1.0) -> nn.Sequential:
    """One hidden layer of tanh, (N, inputs) -> (N, outputs).

    Parameters
    ----------
    inputs, hidden, outputs : widths
    seed : of the weights
    scale : of the last layer's weights
    """
    last = nn.Linear(hidden, outputs)
    network = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), last).double()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(0, 0.8, tuple(parameter.shape))))
        last.weight.mul_(scale)
    return network


class Player(Watched):
    """Plain gradient descent that writes its name into a list at each of its steps.

    Parameters
    ----------
    parameters, lr : as of any optimizer
    name : of the player
    log : a list that all players share
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, name: str, log: list[str]) -> None:
        super().__init__(parameters, lr)
        self.name, self.log = name, log

    def step(self, closure: Any = None) -> None:
        """One step, and a note of whose it was."""
        self.log.append(self.name)
        super().step(closure)
