"""Embedding: rows of a table, chosen by number."""

from __future__ import annotations

import numpy as np

from dlcourse.ops.rule import Array, Result
from dlcourse.ops.shapes import scatter_sum


def embedding(indices: Array, weight: Array, padding_idx: int | None = None) -> Result:
    """``weight[indices]``: integers (...) and (V, E) -> (..., E); the gradient of a row is summed over its uses.

    Row ``padding_idx`` gets no gradient.

    Raises
    ------
    ValueError
        If a number or ``padding_idx`` has no row.
    TypeError
        If the numbers are not integers.
    """
    if weight.ndim != 2:
        raise ValueError(f"embedding: the weight must have two axes, (V, E), not shape {weight.shape}")
    V, E = weight.shape
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding: row numbers must be integers, not {indices.dtype}; use .astype(int)")
    if indices.size and (indices.min() < 0 or indices.max() >= V):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise ValueError(f"embedding: row {wrong} is asked for, but the weight has {V} rows: 0 to {V - 1}")
    if padding_idx is not None and not -V <= padding_idx < V:
        raise ValueError(f"embedding: padding_idx={padding_idx} is no row of a weight with {V} rows")

    def for_weight(grad: Array) -> Array:
        places = indices.reshape(-1, 1) * E + np.arange(E)  # each entry's place in the flat weight
        d = scatter_sum(grad, places, V * E).reshape(V, E)
        if padding_idx is not None:
            d[padding_idx] = 0
        return d

    return weight[indices], lambda grad: (None, lambda: for_weight(grad))
