"""The networks of deep reinforcement learning's small problems: layers in a row, and a NumPy twin that acts quickly.

An agent asks its network about one observation at a time. For networks this small PyTorch spends most of that time on
bookkeeping; the same products in NumPy, on the same memory, take a fraction of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import nn

__all__ = ["Mirror", "flat_sizes", "mlp", "one_thread"]

ACTIVATIONS: dict[type[nn.Module], Callable[[np.ndarray], np.ndarray]] = {
    nn.ReLU: lambda x: np.maximum(x, 0),
    nn.Tanh: np.tanh,
}


def mlp(inputs: int, width: int, outputs: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Two hidden layers of ``width`` units: (N, inputs) -> (N, outputs)."""
    return nn.Sequential(
        nn.Linear(inputs, width), activation(), nn.Linear(width, width), activation(), nn.Linear(width, outputs)
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one core for a while: products this small take longer to share out than to do, the more so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Mirror:
    """What an MLP of :func:`mlp` computes, in NumPy and without gradients; it follows the weights as they are trained.

    Parameters
    ----------
    network : of Linear, ReLU and Tanh layers, on the CPU, its weights updated in place (as optimizers do)

    Raises
    ------
    ValueError
        If it has layers of other kinds.
    """

    def __init__(self, network: nn.Sequential) -> None:
        self._steps: list[Callable[[np.ndarray], np.ndarray]] = []
        for layer in network:
            if isinstance(layer, nn.Linear):
                self._steps.append(_affine(layer))
            elif type(layer) in ACTIVATIONS:
                self._steps.append(ACTIVATIONS[type(layer)])
            else:
                raise ValueError(f"Mirror: no layer {type(layer).__name__}; the network may have Linear, ReLU and Tanh")

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """(O,) -> (A,), or (N, O) -> (N, A)."""
        x = observations
        for step in self._steps:
            x = step(x)
        return x


def _affine(layer: nn.Linear) -> Callable[[np.ndarray], np.ndarray]:
    """The layer's product, with arrays that share its memory."""
    W, b = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
    return lambda x: cast(np.ndarray, x @ W + b)


def flat_sizes(function: str, env: Any) -> tuple[int, int]:
    """How many numbers an environment of Gymnasium's shows, O, and how many actions it has, A.

    Raises
    ------
    ValueError
        If its observations are no vector of numbers, or its actions are not 0, 1, 2 …; the message names the function.
    """
    import gymnasium

    seen, done = env.observation_space, env.action_space
    if not isinstance(seen, gymnasium.spaces.Box) or len(seen.shape) != 1:
        raise ValueError(
            f"{function}: the environment's observations are {seen}; they must be a vector of numbers, a Box of one axis"
        )
    if not isinstance(done, gymnasium.spaces.Discrete) or done.start != 0:
        raise ValueError(f"{function}: the environment's actions are {done}; they must be Discrete and start at 0")
    return seen.shape[0], int(done.n)
