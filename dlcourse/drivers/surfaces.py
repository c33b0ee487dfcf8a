"""Functions of arrays to measure slopes of: any shape, every entry matters differently, no two slopes are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.functions import register

Array = NDArray[np.floating[Any]]


def _places(x: Array) -> Array:
    """1, 2, 3, ... in the shape of ``x``."""
    return np.arange(1.0, np.size(x) + 1).reshape(np.shape(x))


@register
def weighted_exponentials(x: Array) -> float:
    """Σ k·exp(x_k), with k the place: bends strongly, so that a one-sided difference shows."""
    return float(np.sum(_places(x) * np.exp(x)))


@register
def product_of_sines(x: Array) -> float:
    """Σ sin(k·x_k) times the mean of all entries: each slope depends on all of ``x``."""
    return float(np.sum(np.sin(_places(x) * x)) * np.mean(x))


@register
def weighted_cubes(x: Array) -> float:
    """Σ x_k³ / k."""
    return float(np.sum(x * x * x / _places(x)))


@register
def squared_row_sums(x: Array) -> float:
    """Σ_i i·(Σ_j j·x_ij)²: rows and columns count differently, so the shape matters."""
    rows = np.sum(_places(x[0]) * x, axis=1)
    return float(np.sum(_places(rows) * rows**2))


@register
def fast_waves(x: Array) -> float:
    """Σ k·sin(100,000·x_k) / 100,000: within 1e-5 it bends so much that the nudge's size shows."""
    return float(np.sum(_places(x) * np.sin(1e5 * x)) / 1e5)
