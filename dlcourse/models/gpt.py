"""A GPT on the engine: blocks of attention and a small network, each of which adds to one stream of vectors.

After Vaswani et al. 2017 and Radford et al. 2018; layer norm stands before each branch (Xiong et al. 2020), the nonlinearity
is ReLU, and the embedding serves as the output layer too (Press & Wolf 2017). Its twin in PyTorch is
:mod:`dlcourse.models.gpt_torch`, with the same names and keys: weights cross in either direction.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcourse import nn
from dlcourse.models.gpt_config import GPTConfig, check_ids, pair_turn, rotations, sinusoids, starting_spread
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.tensor import Tensor

__all__ = ["GPT", "Block", "CausalSelfAttention", "GPTConfig", "KeyValueCache"]


class KeyValueCache:
    """What the layers have computed of the text so far: with it, each further position costs one position's work.

    Attributes
    ----------
    keys, values : a (N, h, T, d) for each layer, empty before anything is read
    """

    def __init__(self) -> None:
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def length(self, layer: int = 0) -> int:
        """The number of positions T that it holds of a layer; between two readings, the same for all."""
        return self.keys[layer].shape[2] if layer < len(self.keys) else 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put new positions (N, h, t, d) behind a layer's; returns all of that layer's, (N, h, T + t, d)."""
        if layer == len(self.keys):
            self.keys.append(keys)
            self.values.append(values)
        else:
            self.keys[layer] = F.concatenate([self.keys[layer], keys], axis=2)
            self.values[layer] = F.concatenate([self.values[layer], values], axis=2)
        return self.keys[layer], self.values[layer]


class CausalSelfAttention(nn.Module):
    """Each position attends to itself and to earlier ones (to all with ``causal=False``), h times side by side.

    Attributes
    ----------
    qkv : Linear(E, 3E), queries, keys and values one below the other, each split into heads
    out : Linear(E, E)
    """

    def __init__(self, config: GPTConfig, layer: int = 0, rng: np.random.Generator | None = None) -> None:
        rng = np.random.default_rng(rng)
        self.config, self.layer = config, layer
        self.qkv = nn.Linear(config.width, 3 * config.width, rng=rng)
        self.out = nn.Linear(config.width, config.width, rng=rng)

    def project(self, x: Any, start: int = 0) -> list[Tensor]:
        """Queries, keys and values, (N, h, T, d) each, of x (N, T, E) whose first position is number ``start``."""
        N, T, E = x.shape
        q, k, v = [part.reshape(N, T, self.config.heads, -1).swapaxes(1, 2) for part in F.split(self.qkv(x), E, -1)]
        if self.config.positions == "rotary":
            q, k = _turned(q, start), _turned(k, start)
        return [q, k, v]

    def forward(self, x: Any, cache: KeyValueCache | None = None) -> Tensor:
        """(N, T, E) -> (N, T, E); with a cache, x comes after what it holds, and is added to it."""
        N, T, E = x.shape
        start = 0 if cache is None else cache.length(self.layer)
        q, k, v = self.project(x, start)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        mask = np.tri(T, start + T, start, dtype=bool) if start and T > 1 else None
        mixed = F.scaled_dot_product_attention(q, k, v, mask, is_causal=self.config.causal and not start)
        output: Tensor = self.out(mixed.swapaxes(1, 2).reshape(N, T, E))
        return output


def _turned(x: Tensor, start: int) -> Tensor:
    """Rotary positions (Su et al. 2021, equation 34): each pair of (N, h, T, d) turned by its position's angles."""
    cosines, sines = rotations(start, *x.shape[2:])  # (T, d)
    return x * cosines + (x @ pair_turn(x.shape[3])) * sines


class Block(nn.Module):
    """Attention, then a small network at each position; what they give is added to what came in.

    Attributes
    ----------
    norm_1, attention : before the attention (``norm="post"``: after its sum), and the attention
    norm_2, mlp : the same for E -> 4E -> E with ReLU
    """

    def __init__(self, config: GPTConfig, layer: int = 0, rng: np.random.Generator | None = None) -> None:
        rng = np.random.default_rng(rng)
        E = config.width
        self.pre = config.norm == "pre"
        self.norm_1 = nn.LayerNorm(E)
        self.attention = CausalSelfAttention(config, layer, rng)
        self.norm_2 = nn.LayerNorm(E)
        self.mlp = nn.Sequential(nn.Linear(E, 4 * E, rng=rng), nn.ReLU(), nn.Linear(4 * E, E, rng=rng))
        self.dropout = nn.Dropout(config.dropout, rng=rng)

    def forward(self, x: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """(N, T, E) -> (N, T, E)."""
        if self.pre:
            x = x + self.dropout(self.attention(self.norm_1(x), cache))
            x = x + self.dropout(self.mlp(self.norm_2(x)))
        else:
            x = self.norm_1(x + self.dropout(self.attention(x, cache)))
            x = self.norm_2(x + self.dropout(self.mlp(x)))
        return x


class GPT(nn.Module):
    """Reads symbols, and at each position says what the next may be.

    Parameters
    ----------
    config : sizes and choices
    rng : source of the starting weights and of dropout; None is a fresh one

    Attributes
    ----------
    token : Embedding(V, E), whose weight is the output layer's too
    position : Embedding(context, E); only with learned positions
    blocks : the layers
    norm : before the output; with ``norm="post"``, where every block ends with one, none
    """

    def __init__(self, config: GPTConfig, rng: np.random.Generator | None = None) -> None:
        rng = np.random.default_rng(rng)
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width, rng=rng)
        if config.positions == "learned":
            self.position = nn.Embedding(config.context, config.width, rng=rng)
        self.blocks = nn.ModuleList(Block(config, layer, rng) for layer in range(config.layers))
        self.norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.dropout = nn.Dropout(config.dropout, rng=rng)
        for name, parameter in self.named_parameters():
            if name.endswith("weight") and parameter.ndim == 2:
                nn.init.normal_(parameter, std=starting_spread(config, name), rng=rng)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Any, cache: KeyValueCache | None = None) -> Tensor:
        """Symbols (N, T) -> logits of the following ones (N, T, V).

        With a cache, the symbols come after those that it holds, and are added to it: reading a text in pieces gives
        what reading it at once gives.

        Raises
        ------
        ValueError
            If the shape is another, or there are more positions than were learned.
        """
        start = 0 if cache is None else cache.length()
        T = check_ids(self.config, np.shape(ids), start)
        x = self.token(ids)  # (N, T, E)
        if self.config.positions == "learned":
            x = x + self.position(np.arange(start, start + T))
        elif self.config.positions == "sinusoidal":
            x = x * math.sqrt(self.config.width) + sinusoids(start, T, self.config.width)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, cache)
        return F.linear(self.norm(x), self.token.weight)
