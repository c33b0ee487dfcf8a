"""A driver for answers that build a network: it is tried with weights that depend on nothing but their shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.drivers.case import plain

EXAMPLES = 3


def builds_a_cnn(answer: Callable[..., Any], size: int, channels: int, classes: int) -> Any:
    """What the PyTorch network does that ``answer(size, channels, classes)`` builds, by name.

    Every weight is set to numbers that depend only on its shape, so that networks of the same layers give the same
    scores, however they are written. Where the network stops, the layers it has are told, and where that was.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        network = answer(size, channels, classes)
        if network is None:
            return None
        if not isinstance(network, torch.nn.Module):
            ours = type(network).__module__.startswith("dlcourse.")
            kind = "a network of the course's engine" if ours else _kind(plain(network))
            return {"forward": f"{kind} is no network of PyTorch"}
        images = torch.from_numpy(np.random.default_rng(size).random((EXAMPLES, 1, size, size)))
        try:
            with torch.no_grad():
                network.double().eval()(images)  # a layer that finds its size by itself does so now
                for weight in network.parameters():
                    weight.copy_(torch.from_numpy(_numbers(tuple(weight.shape))))
                scores = network(images)
        except Exception as error:
            return {"forward": f"stops: {str(error)[:120]}", "layers": _layers(network)}
    if not isinstance(scores, torch.Tensor):
        return {"forward": f"gives {_kind(plain(scores))}"}
    return {
        "forward": "runs",
        "numbers to learn": sum(weight.numel() for weight in network.parameters()),
        "scores": scores.numpy(),
    }


def _numbers(shape: tuple[int, ...]) -> Any:
    """Random numbers of a size that keeps a signal's, the same for the same shape."""
    return np.random.default_rng(shape).normal(size=shape) / np.sqrt(max(1, int(np.prod(shape[1:]))))


def _layers(network: Any) -> str:
    import torch

    def shapes(layer: Any) -> str:
        made = [tuple(w.shape) for w in layer.parameters(recurse=False) if not torch.nn.parameter.is_lazy(w)]
        return f" {made[0]}" if made else ""

    return ", ".join(f"{type(m).__name__}{shapes(m)}" for m in network.modules() if not list(m.children()))


def _kind(value: Any) -> str:
    return getattr(value, "type", f"a {type(value).__name__}")
