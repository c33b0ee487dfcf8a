"""Right and wrong answers of the exercise on attention: one lookup with some of its steps exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def attention(q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])  # (N, h, T, T)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(highest), 0, highest))  # safe for large scores
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)  # a row of zeros stays one
    return weights @ v, weights


def attention_by_einsum(q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    allowed = np.ones((1, 1, 1, 1), bool) if mask is None else np.asarray(mask)
    scores = np.einsum("nhtd,nhsd->nhts", q, k) * q.shape[-1] ** -0.5
    highest = np.where(allowed, scores, -1e30).max(axis=-1, keepdims=True)
    powers = allowed * np.exp(np.minimum(scores - highest, 0))
    weights = powers / np.maximum(powers.sum(axis=-1, keepdims=True), 1e-300)
    return np.einsum("nhts,nhsd->nhtd", weights, v), weights


def attention_query_by_query(q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    N, h, T, d = q.shape
    allowed = np.broadcast_to(True if mask is None else mask, (N, h, T, T))
    out, weights = np.zeros((N, h, T, d)), np.zeros((N, h, T, T))
    for n, head, t in np.ndindex(N, h, T):
        seen = np.flatnonzero(allowed[n, head, t])
        if not len(seen):
            continue
        scores = k[n, head, seen] @ q[n, head, t] / np.sqrt(d)
        powers = np.exp(scores - scores.max())
        weights[n, head, t, seen] = powers / powers.sum()
        out[n, head, t] = weights[n, head, t] @ v[n, head]
    return [out, weights]


def attention_with_holes_filled(q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    scores = (q / np.sqrt(q.shape[3])) @ np.transpose(k, (0, 1, 3, 2))
    if mask is not None:
        scores = scores + np.where(mask, 0.0, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=3)[..., None])
        weights = np.nan_to_num(powers / powers.sum(axis=3)[..., None])
    return weights @ v, weights


def attention_with_reductions_over_a_part(q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    scores = np.einsum("nhtd,nhsd->nhts", q, k) / q.shape[-1] ** 0.5
    seen = np.broadcast_to(True if mask is None else mask, scores.shape)
    highest = np.max(scores, axis=-1, keepdims=True, where=seen, initial=-1e300)
    powers = np.exp(scores - highest, where=seen, out=np.zeros_like(scores))
    total = powers.sum(axis=-1, keepdims=True)
    weights = np.divide(powers, total, where=total > 0, out=powers)
    return np.einsum("nhts,nhsd->nhtd", weights, v), weights


# --- the steps of the known wrong answers ----------------------------------------------------------------------------


def products(q: Array, k: Array) -> Array:
    return q @ k.swapaxes(-1, -2)


def hidden_by(fill: float) -> Callable[[Array, Any], Array]:
    """Masked scores replaced by a number."""
    return lambda scores, mask: scores if mask is None else np.where(mask, scores, fill)


def softmax(scores: Array, axis: Any = -1, empty: str = "zeros", largest_of: Any = "the same axis") -> Array:
    """The softmax; ``empty``: what a row without a finite score gives, zeros or NaN."""
    highest = scores.max(axis=axis if largest_of == "the same axis" else largest_of, keepdims=True)
    if empty == "zeros":
        highest = np.where(np.isneginf(highest), 0, highest)
    powers = np.exp(scores - highest)
    total = powers.sum(axis=axis, keepdims=True)
    return np.asarray(powers / (np.where(total == 0, 1, total) if empty == "zeros" else total))


def naive(scores: Array, mask: Any) -> Array:
    """Without taking off the largest score; a row of zeros is caught."""
    powers = np.exp(scores)
    total = powers.sum(axis=-1, keepdims=True)
    return np.asarray(powers / np.where(total == 0, 1, total))


def naive_with_holes(scores: Array, mask: Any) -> Array:
    powers = np.exp(scores)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def masked_afterwards(scores: Array, mask: Any) -> Array:
    weights = softmax(scores)
    return weights if mask is None else weights * mask


def masked_and_shared_out_again(guard: bool) -> Callable[[Array, Any], Array]:
    def weights_of(scores: Array, mask: Any) -> Array:
        weights = masked_afterwards(scores, mask)
        total = weights.sum(axis=-1, keepdims=True)
        return weights / (np.where(total == 0, 1, total) if guard else total)

    return weights_of


def shares_without_exponential(scores: Array, mask: Any) -> Array:
    kept = scores if mask is None else scores * mask
    total = kept.sum(axis=-1, keepdims=True)
    return kept / np.where(total == 0, 1, total)


def sigmoids(scores: Array, mask: Any) -> Array:
    return np.exp(-np.logaddexp(0, -scores))


def of_unit_length(a: Array) -> Array:
    return np.asarray(a / np.linalg.norm(a, axis=-1, keepdims=True))


HIDDEN = hidden_by(-np.inf)


def variant(
    scores: Callable[[Array, Array], Array] = products,
    divisor: Callable[[Array], float] = lambda q: float(np.sqrt(q.shape[-1])),
    hide: Callable[[Array, Any], Array] = HIDDEN,
    before: Callable[[Any, int], Any] = lambda mask, T: mask,
    weights_of: Callable[[Array, Any], Array] = lambda scores, mask: softmax(scores),
    mix: Callable[[Array, Array, Array, Array], Any] = lambda w, q, k, v: w @ v,
    handed: Callable[[Any, Array, Array], Any] = lambda out, weights, scores: (out, weights),
) -> Callable[..., Any]:
    """The lookup with one of its steps exchanged."""

    def answer(q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
        with np.errstate(all="ignore"):
            allowed = before(mask, q.shape[2])
            scaled = hide(scores(q, k) / divisor(q), allowed)
            weights = weights_of(scaled, allowed)
            return handed(mix(weights, q, k, v), weights, scaled)

    return answer


def keys_reshaped(q: Array, k: Array) -> Array:
    return q @ k.reshape(*k.shape[:2], k.shape[3], k.shape[2])


def all_axes_reversed(q: Array, k: Array) -> Array:
    return q @ k.T


def transposed(mask: Any, T: int) -> Any:
    return mask if mask is None else np.swapaxes(mask, -1, -2)


def with_causal(mask: Any, T: int) -> Any:
    lower = np.tri(T, dtype=bool)
    return lower if mask is None else np.logical_and(mask, lower)


def causal_where_none_is_given(mask: Any, T: int) -> Any:
    return np.tri(T, dtype=bool) if mask is None else mask


def ones_added(scores: Array, mask: Any) -> Array:
    return scores if mask is None else scores + mask


def itself_allowed(mask: Any, T: int) -> Any:
    return mask if mask is None else np.logical_or(mask, np.eye(T, dtype=bool))


def empty_rows_see_themselves(mask: Any, T: int) -> Any:
    return mask if mask is None else mask | (np.eye(T, dtype=bool) & ~np.any(mask, axis=-1, keepdims=True))


def first_mask_for_all(mask: Any, T: int) -> Any:
    return mask if mask is None or mask.ndim < 4 else mask[:1]


def rows_emptied(scores: Array, mask: Any) -> Array:
    """Rows that may attend to nothing become 0 afterwards."""
    weights = softmax(scores)
    return weights if mask is None else weights * np.any(mask, axis=-1, keepdims=True)


def zeros_hidden(scores: Array, mask: Any) -> Array:
    """Multiplies by the mask, and takes every 0 for hidden."""
    return scores if mask is None else np.where(scores * mask == 0, -np.inf, scores)


def largest_but_not_below_zero(scores: Array, mask: Any) -> Array:
    """A guard for empty rows that reaches other rows, too."""
    powers = np.exp(scores - np.maximum(scores.max(axis=-1, keepdims=True), 0))
    total = powers.sum(axis=-1, keepdims=True)
    return np.asarray(powers / np.where(total == 0, 1, total))
