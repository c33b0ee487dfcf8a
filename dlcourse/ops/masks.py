"""Dropout: entries set to 0 by chance, so that no unit relies on another (Srivastava et al. 2014)."""

from __future__ import annotations

import numpy as np

from dlcourse.ops.rule import Array, Result


def dropout(x: Array, p: float, rng: np.random.Generator) -> Result:
    """Entries set to 0 with probability p, the others divided by 1 - p, which keeps the mean (section 10)."""
    mask = dropout_mask(x, p, rng)
    return x * mask, lambda grad: (grad * mask,)


def dropout_mask(x: Array, p: float, rng: np.random.Generator) -> Array:
    """Factors for the entries of x. As numbers, for a product with them is faster than a choice by booleans."""
    kept = np.asarray(rng.random(x.shape, np.float32) >= p).astype(x.dtype)
    return np.asarray(kept * (1 / (1 - p) if p < 1 else 0))
