"""Starting weights: their spread decides whether signals grow, vanish or keep their size from layer to layer.

Each function overwrites a tensor and returns it. Shapes as in PyTorch: (O, I) for a linear layer, (O, I, k, k) for a
convolution; ``fan_in`` is the number of inputs of one output, ``fan_out`` of outputs that one input reaches.
"""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import numpy as np

from dlcourse.ops.rule import Array
from dlcourse.tensor import Tensor

T = TypeVar("T", bound=Tensor)
Rng = np.random.Generator | None
Mode = Literal["fan_in", "fan_out"]


def _fill(tensor: T, values: Array | float) -> T:
    tensor.data[...] = values
    return tensor


def constant_(tensor: T, val: float) -> T:
    """All entries equal to ``val``."""
    return _fill(tensor, val)


def zeros_(tensor: T) -> T:
    """All entries 0."""
    return _fill(tensor, 0)


def ones_(tensor: T) -> T:
    """All entries 1."""
    return _fill(tensor, 1)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, rng: Rng = None) -> T:
    """Uniform between ``a`` and ``b``."""
    return _fill(tensor, np.random.default_rng(rng).uniform(a, b, tensor.shape))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, rng: Rng = None) -> T:
    """Normal with a mean and a standard deviation."""
    return _fill(tensor, np.random.default_rng(rng).normal(mean, std, tensor.shape))


def xavier_uniform_(tensor: T, gain: float = 1.0, rng: Rng = None) -> T:
    """Uniform with variance ``gain² · 2 / (fan_in + fan_out)`` (Glorot & Bengio 2010, equation 16)."""
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor: T, gain: float = 1.0, rng: Rng = None) -> T:
    """Normal with variance ``gain² · 2 / (fan_in + fan_out)`` (Glorot & Bengio 2010, equation 12)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))), rng)


def kaiming_uniform_(
    tensor: T, a: float = 0.0, mode: Mode = "fan_in", nonlinearity: str = "leaky_relu", rng: Rng = None
) -> T:
    """Uniform with variance ``gain² / fan`` (He et al. 2015, equations 10 and 15)."""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(
    tensor: T, a: float = 0.0, mode: Mode = "fan_in", nonlinearity: str = "leaky_relu", rng: Rng = None
) -> T:
    """Normal with variance ``gain² / fan`` (He et al. 2015, equations 10 and 15)."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), rng)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that makes up for what an activation takes away; ``param`` is leaky ReLU's slope."""
    slope = 0.01 if param is None else param
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + slope * slope)),
    }
    if nonlinearity not in gains:
        raise ValueError(f"nonlinearity={nonlinearity!r}: choose one of {', '.join(gains)}")
    return gains[nonlinearity]


def _kaiming_std(tensor: Tensor, a: float, mode: Mode, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode={mode!r}: choose 'fan_in' or 'fan_out'")
    fan_in, fan_out = _fans(tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def _fans(tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError(
            f"fan_in and fan_out need a weight with at least two axes, (O, I, ...); got shape {tensor.shape}"
        )
    receptive_field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive_field, tensor.shape[0] * receptive_field
