"""Right and wrong answers of the exercise on attention's slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.transformers.attending_answers import HIDDEN, attention, masked_afterwards, softmax

Array = NDArray[Any]


def swapped(a: Array) -> Array:
    return a.swapaxes(-1, -2)


def attention_backward(dout: Array, q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])  # (N, h, T, T)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(highest), 0, highest))
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    dweights = dout @ v.swapaxes(-1, -2)
    dscores = weights * (dweights - (weights * dweights).sum(axis=-1, keepdims=True))
    dscores = dscores / np.sqrt(q.shape[-1])
    return dscores @ k, dscores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dout


def attention_backward_from_the_output(dout: Array, q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    out, weights = attention(q, k, v, mask)
    d = q.shape[-1]
    inner = (dout * out).sum(axis=-1)[..., None]  # (N, h, T, 1)
    dscores = weights * (np.einsum("nhtd,nhsd->nhts", dout, v) - inner) * d**-0.5
    return [
        np.einsum("nhts,nhsd->nhtd", dscores, k),
        np.einsum("nhts,nhtd->nhsd", dscores, q),
        np.einsum("nhts,nhtd->nhsd", weights, dout),
    ]


def attention_backward_query_by_query(dout: Array, q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    _, weights = attention(q, k, v, mask)
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    N, h, T, d = q.shape
    for n, head, t in np.ndindex(N, h, T):
        w = weights[n, head, t]  # (T,)
        jacobian = np.diag(w) - np.outer(w, w)
        dscores = jacobian @ (v[n, head] @ dout[n, head, t]) / np.sqrt(d)
        dq[n, head, t] = dscores @ k[n, head]
        dk[n, head] += np.outer(dscores, q[n, head, t])
        dv[n, head] += np.outer(w, dout[n, head, t])
    return dq, dk, dv


# --- the known wrong answers: the way there and back with one step exchanged ------------------------------------------


def through_softmax(w: Array, dw: Array) -> Array:
    return np.asarray(w * (dw - (w * dw).sum(axis=-1, keepdims=True)))


def root(q: Array) -> float:
    return float(np.sqrt(q.shape[-1]))


def variant(
    divisor: Callable[[Array], float] = root,
    hide: Callable[[Array, Any], Array] = HIDDEN,
    before: Callable[[Any, int], Any] = lambda mask, T: mask,
    weights_of: Callable[[Array, Any], Array] = lambda scores, mask: softmax(scores),
    dweights: Callable[[Array, Array], Array] = lambda dout, v: dout @ swapped(v),
    back: Callable[[Array, Array], Array] = through_softmax,
    scale: Callable[[Array], tuple[float, float]] = lambda q: (1 / root(q), 1 / root(q)),
    dq: Callable[[Array, Array, Array], Array] = lambda ds, q, k: ds @ k,
    dk: Callable[[Array, Array, Array], Array] = lambda ds, q, k: swapped(ds) @ q,
    dv: Callable[[Array, Array, Array], Array] = lambda w, dout, v: swapped(w) @ dout,
    handed: Callable[[Array, Array, Array], Any] = lambda dq, dk, dv: (dq, dk, dv),
) -> Callable[..., Any]:
    """The slopes with one step exchanged."""

    def answer(dout: Array, q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
        with np.errstate(all="ignore"):
            allowed = before(mask, q.shape[2])
            w = weights_of(hide(q @ swapped(k) / divisor(q), allowed), allowed)
            ds = back(w, dweights(dout, v))
            for_q, for_k = scale(q)
            return handed(for_q * dq(ds, q, k), for_k * dk(ds, q, k), dv(w, dout, v))

    return answer


def by_one_minus(w: Array, dw: Array) -> Array:
    return np.asarray(w * (1 - w) * dw)


def mask_after(scores: Array, mask: Any) -> Array:
    return masked_afterwards(scores, mask)


def mask_only_on_the_way_back(dout: Array, q: Array, k: Array, v: Array, mask: Array | None = None) -> Any:
    w = softmax(q @ swapped(k) / root(q))
    ds = through_softmax(w, dout @ swapped(v)) / root(q)
    ds = ds if mask is None else ds * mask
    return ds @ k, swapped(ds) @ q, swapped(w) @ dout
