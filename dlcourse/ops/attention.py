"""Attention: for each query a mean of the values, weighted by how well their keys fit (Vaswani et al. 2017, eq. 1)."""

from __future__ import annotations

import math

import numpy as np

from dlcourse.ops.masks import dropout_mask
from dlcourse.ops.rule import Array, Gradient, Result


def scaled_dot_product_attention(
    q: Array, k: Array, v: Array, *mask: Array, causal: bool = False, scale: float | None = None, p: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Result:  # fmt: skip
    """``softmax(Q Kᵀ scale + mask) V``: (..., T, d), (..., S, d), (..., S, e) -> (..., T, e).

    The softmax's denominators divide rows of the output, which are shorter than rows of weights. The gradient needs
    the exponentials and the output alone (Dao et al. 2022, appendix B.2): with g = dout / denominator,
    ``dscores = exp · (g Vᵀ - Σ g out)``. A query may attend to nobody: its row is 0, and so is its gradient.

    Parameters
    ----------
    mask : booleans (..., T, S), True where query t may attend to key s, or numbers added to the scores; or nothing
    causal : no query attends to a later key
    scale : None for 1 / √d
    p : share of the weights that dropout sets to 0, drawn from ``rng``
    """
    _fits(q, k, v, mask)
    scale = 1 / math.sqrt(q.shape[-1] or 1) if scale is None else scale
    powers: Array = (q * scale) @ k.swapaxes(-1, -2)  # (..., T, S), the scores at first
    for one in (*mask, np.tri(*powers.shape[-2:], dtype=bool)) if causal else mask:
        added = np.where(one, 0, -math.inf) if one.dtype == bool else one
        powers = powers + added.astype(powers.dtype, copy=False)
    highest = powers.max(-1, keepdims=True, initial=-math.inf)
    highest[highest == -math.inf] = 0  # all masked: exp(-inf) will be 0
    powers -= highest
    np.exp(powers, out=powers)
    total = (powers @ np.ones(powers.shape[-1], powers.dtype))[..., None]  # (..., T, 1)
    total[total == 0] = 1
    kept = dropout_mask(powers, p, rng) if p and rng else None
    out = _product(powers if kept is None else powers * kept, v, like=q)
    out /= total

    def backward(grad: Array) -> tuple[Gradient, ...]:
        g = grad / total  # (..., T, e)
        d = g @ v.swapaxes(-1, -2)  # (..., T, S)
        if kept is not None:
            d *= kept
        d -= np.einsum("...e,...e->...", g, out)[..., None]
        d *= powers
        dq, dk = _product(d, k, q), _product(d.swapaxes(-1, -2), q, k)
        dq *= scale
        dk *= scale
        weights = powers if kept is None else powers * kept
        return dq, dk, _product(weights.swapaxes(-1, -2), g, v), *(d for _ in mask)

    return out, backward


def _product(a: Array, b: Array, like: Array) -> Array:
    """``a @ b`` in the memory order of ``like``: heads that were split off an axis join it again without a copy."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return np.matmul(a, b, out=np.empty_like(like, np.result_type(a, b), shape=(*lead, a.shape[-2], b.shape[-1])))


def _fits(q: Array, k: Array, v: Array, mask: tuple[Array, ...]) -> None:
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"attention: a query of shape {q.shape}, a key of shape {k.shape} and a value of shape "
                         f"{v.shape} do not fit; they must be (..., T, d), (..., S, d) and (..., S, e)")  # fmt: skip
    wanted = (k.shape[-2], q.shape[-2])  # S, T
    for one in mask:
        if one.dtype.kind not in "bf":
            raise TypeError("attention: a mask holds booleans (True = may attend) or floats (added to the scores), not "
                            f"{one.dtype}; convert it with mask.astype(bool)")  # fmt: skip
        if any(size not in (1, full) for size, full in zip(one.shape[::-1], wanted, strict=False)):
            raise ValueError(f"attention: a mask of shape {one.shape} does not broadcast to (..., T, S) = (..., "
                             f"{wanted[1]}, {wanted[0]})")  # fmt: skip
