"""Multi-head attention: several attentions side by side, each in a subspace of its own (Vaswani et al. 2017, 3.2.2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn import init
from dlcourse.nn.linear import Linear
from dlcourse.nn.module import Module, Parameter
from dlcourse.ops.inputs import as_array
from dlcourse.ops.rule import Array
from dlcourse.tensor import Tensor, as_tensor


class MultiheadAttention(Module):
    """``W_o [head_1 … head_h] + b_o``, each head attending with its own rows of W_q, W_k and W_v.

    Boolean masks are as in PyTorch's layer: True *forbids*, the opposite of
    :func:`dlcourse.nn.functional.scaled_dot_product_attention`, where True allows.

    Parameters
    ----------
    embed_dim : E, the width of queries, keys and values
    num_heads : h, which must divide E (else a ValueError)
    dropout : share of the attention weights that is set to 0 in training
    bias : whether the projections have biases
    batch_first : whether inputs and output are (N, T, E) rather than (T, N, E)
    rng : source of the starting weights and of dropout; None is a fresh one

    Attributes
    ----------
    in_proj_weight, in_proj_bias : (3E, E) and (3E,), of queries, keys and values one below the other
    out_proj : Linear(E, E)
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, *, batch_first: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: num_heads={num_heads} does not divide embed_dim={embed_dim}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"MultiheadAttention: dropout={dropout} is no probability; it must lie in [0, 1]")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.rng = np.random.default_rng(rng)
        self.in_proj_weight = Parameter(np.empty((3 * embed_dim, embed_dim), np.float32))
        self.in_proj_bias = Parameter(np.zeros(3 * embed_dim, np.float32)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, self.rng)
        init.xavier_uniform_(self.in_proj_weight, rng=self.rng)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
        attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Attend from T queries to S keys. Sizes are those for ``batch_first``; else N is the second axis.

        Parameters
        ----------
        query, key, value : (N, T, E), (N, S, E), (N, S, E); or all without N
        key_padding_mask : (N, S), True for keys that nobody may attend to, or floats added to the scores
        attn_mask : (T, S) or (N·h, T, S), True where a query may *not* attend to a key, or floats added to the scores
        need_weights : False gives None for the weights, and is faster
        average_attn_weights : the mean over the heads, rather than each
        is_causal : no query attends to a later key; needs no mask

        Returns
        -------
        output (N, T, E), and weights (N, T, S) or (N, h, T, S). A query that may attend to nobody has weights of 0.
        Shapes that do not fit are a ValueError, masks of integers a TypeError.
        """
        inputs = [as_tensor(query)] * 3 if query is key is value else [as_tensor(x) for x in (query, key, value)]
        self._check(*[x.shape for x in inputs])
        batched = inputs[0].ndim == 3
        Q, K, V = [self._heads(x, batched) for x in self._project(*inputs)]  # (N, h, T, d), (N, h, S, d) twice
        N, h, T, S = *Q.shape[:3], K.shape[2]
        padding = _added("key_padding_mask", key_padding_mask, {(N, S): (N, 1, 1, S), (S,): (1, 1, 1, S)})
        pairs = _added("attn_mask", attn_mask, {(T, S): (1, 1, T, S), (N * h, T, S): (N, h, T, S)})
        mask = pairs if padding is None else padding if pairs is None else padding + pairs
        options: dict[str, Any] = {"dropout_p": self.dropout * self.training, "is_causal": is_causal, "rng": self.rng}
        weights = None
        if need_weights:  # attending to the rows of the unit matrix gives the weights themselves
            weights = F.scaled_dot_product_attention(Q, K, np.eye(S, dtype=V.dtype), mask, **options)  # (N, h, T, S)
            mixed = weights @ V
            weights = weights.mean(axis=1) if average_attn_weights else weights
        else:
            mixed = F.scaled_dot_product_attention(Q, K, V, mask, **options)  # (N, h, T, d)
        output = self.out_proj(mixed.swapaxes(1, 2).reshape(N, T, self.embed_dim))
        if not batched:
            return output[0], None if weights is None else weights[0]
        return output if self.batch_first else output.swapaxes(0, 1), weights

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        weight, bias, E = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        if query is key is value:  # one product for the three
            return F.split(F.linear(query, weight, bias), E, -1)
        biases = (None,) * 3 if bias is None else F.split(bias, E)
        return tuple(F.linear(*x) for x in zip((query, key, value), F.split(weight, E), biases, strict=True))

    def _heads(self, x: Tensor, batched: bool) -> Tensor:
        """To (N, h, T, d)."""
        x = x.reshape(1, *x.shape) if not batched else x if self.batch_first else x.swapaxes(0, 1)
        return x.reshape(*x.shape[:2], self.num_heads, self.embed_dim // self.num_heads).swapaxes(1, 2)

    def _check(self, query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...]) -> None:
        N = 0 if self.batch_first else 1  # its axis
        fits = len(query) == len(key) in (2, 3) and key == value and query[-1] == key[-1] == self.embed_dim
        if not fits or (len(query) == 3 and query[N] != key[N]):
            wanted = "(N, T, E), (N, S, E)" if self.batch_first else "(T, N, E), (S, N, E)"
            raise ValueError(f"MultiheadAttention: query, key and value of shapes {query}, {key} and {value} do not "
                             f"fit; they must be {wanted} twice, with E = {self.embed_dim}")  # fmt: skip


def _added(name: str, given: Any, shapes: dict[tuple[int, ...], tuple[int, ...]]) -> Array | None:
    """A mask as numbers to add to the scores, in the shape that broadcasts to (N, h, T, S)."""
    if given is None:
        return None
    mask = as_array(given)
    if mask.dtype.kind not in "bf":
        raise TypeError(f"MultiheadAttention: {name} holds booleans (True = masked out) or floats (added to the "
                        f"scores), not {mask.dtype}; convert it with .astype(bool)")  # fmt: skip
    if mask.shape not in shapes:
        raise ValueError(f"MultiheadAttention: {name} has shape {mask.shape}; it must be one of {list(shapes)}")
    return (np.where(mask, -math.inf, 0) if mask.dtype == bool else mask).reshape(shapes[mask.shape])
