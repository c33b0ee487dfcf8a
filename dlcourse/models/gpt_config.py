"""What a GPT looks like, and where its positions come from: shared by :mod:`gpt` and :mod:`gpt_torch`, and free of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["GPTConfig", "check_ids", "pair_turn", "rotations", "sinusoids", "starting_spread"]

Positions = Literal["learned", "sinusoidal", "rotary", "none"]
Norm = Literal["pre", "post"]
Floats = NDArray[np.float32]

CHOICES: dict[str, tuple[Any, ...]] = {
    "positions": get_args(Positions), "norm": get_args(Norm), "causal": (True, False),
}  # fmt: skip
BASE = 10_000.0  # the slowest wave is about so many times as long as the fastest


@dataclass(frozen=True)
class GPTConfig:
    """The sizes and choices of a GPT.

    Attributes
    ----------
    vocabulary : number of symbols V
    context : positions T that it is trained on; with learned positions no text may be longer
    width : E of the vector at each position
    heads, layers : h, which divides E, and the number of blocks
    positions : how it knows the order: a learned vector for each position (Radford et al. 2018), waves (Vaswani et al.
        2017, 3.5), queries and keys turned by their position (Su et al. 2021), or not at all but for the causal mask
    norm : layer norm before each branch (Xiong et al. 2020), or after each sum as in Vaswani et al. 2017
    causal : whether a position attends to itself and earlier ones only; False makes it an encoder
    dropout : share set to 0 in training, of the embedded text and of each branch's output

    Raises
    ------
    ValueError
        If a value makes no sense; the message names it.
    """

    vocabulary: int
    context: int = 64
    width: int = 128
    heads: int = 4
    layers: int = 3
    positions: Positions = "learned"
    norm: Norm = "pre"
    causal: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocabulary", "context", "width", "heads", "layers"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"GPTConfig: {name}={value!r}; give a whole number, 1 or more")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"GPTConfig: {name}={getattr(self, name)!r}; choose {', '.join(map(repr, choices))}")
        if self.width % self.heads:
            raise ValueError(f"GPTConfig: heads={self.heads} does not divide width={self.width}; each head has an equal "
                             "share of it")  # fmt: skip
        even = self.head_width if self.positions == "rotary" else self.width if self.positions == "sinusoidal" else 0
        if even % 2:
            raise ValueError(f"GPTConfig: positions={self.positions!r} works on pairs of numbers, so {even} must be even; "
                             f"it follows from width={self.width} and heads={self.heads}")  # fmt: skip
        if not 0 <= self.dropout < 1:
            raise ValueError(f"GPTConfig: dropout={self.dropout}; it must be 0 or more and less than 1")

    @property
    def head_width(self) -> int:
        """The width d of a head."""
        return self.width // self.heads


def starting_spread(config: GPTConfig, name: str) -> float:
    """The standard deviation of a matrix's starting weights, by the parameter's name.

    As in Radford et al. 2019, 2.3: 0.02, and less for the two of each layer that write into the stream, so that it does
    not grow with depth. Embeddings have 0.05, with which a short training came further.
    """
    if name in ("token.weight", "position.weight"):
        return 0.05
    writes = name.endswith(("out.weight", "mlp.2.weight"))
    return 0.02 / math.sqrt(2 * config.layers) if writes else 0.02


def check_ids(config: GPTConfig, shape: tuple[int, ...], start: int) -> int:
    """T of a shape (N, T); refuses another, and what reaches beyond the learned positions; ``start`` are in the cache.

    Raises
    ------
    ValueError
        That says the shape, and what makes it right.
    """
    if len(shape) != 2 or shape[1] < 1:
        raise ValueError(f"GPT: ids of shape {tuple(shape)}; give (N, T) with T >= 1, for one text ids[None]")
    if config.positions == "learned" and start + shape[1] > config.context:
        raise ValueError(
            f"GPT: {start + shape[1]} positions, but it has learned only context={config.context} of them; give the last "
            "ones, or train with sinusoidal or rotary positions"
        )
    if start and not config.causal:
        raise ValueError(
            "GPT: a cache works with causal=True only; else earlier positions would have to see the new ones"
        )
    return shape[1]


def sinusoids(start: int, T: int, E: int) -> Floats:
    """Waves for positions ``start`` … ``start + T - 1``, (T, E): sines in even columns, cosines in odd (Vaswani et al. 2017)."""
    cosines, sines = _waves(start, T, E)
    return np.stack([sines, cosines], -1).reshape(T, E).astype(np.float32)


@lru_cache(maxsize=64)
def rotations(start: int, T: int, d: int) -> tuple[Floats, Floats]:
    """Cosines and sines, (T, d) each, of the angles by which the pairs of a vector are turned; both of a pair the same."""
    cosines, sines = _waves(start, T, d)
    return np.repeat(cosines, 2, -1).astype(np.float32), np.repeat(sines, 2, -1).astype(np.float32)


@lru_cache(maxsize=8)
def pair_turn(d: int) -> Floats:
    """The matrix (d, d) that turns each pair by a right angle: (a, b) @ it = (-b, a)."""
    return np.kron(np.eye(d // 2), [[0, 1], [-1, 0]]).astype(np.float32)


def _waves(start: int, T: int, d: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines and sines of position · BASE^(-2i/d), (T, d/2) each."""
    frequencies = BASE ** (-np.arange(0, d, 2) / d)
    angles = np.arange(start, start + T)[:, None] * frequencies
    return np.cos(angles), np.sin(angles)
