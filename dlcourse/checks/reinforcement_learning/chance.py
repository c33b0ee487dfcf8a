"""Shares of many draws held against probabilities, so that a right answer fails less often than once in 10¹¹ times."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 27.0  # a share is further off than this with a probability below 2 exp(-27) = 4e-12 (Chernoff 1952)


def unlikely(share: float, p: float, n: int) -> float:
    """n times the divergence of two coins, ``share`` from ``p``: exp(-this) bounds how often n draws stray so far."""
    total = 0.0
    for seen, expected in ((share, p), (1 - share, 1 - p)):
        if seen > 0:
            total += math.inf if expected <= 0 else seen * math.log(seen / expected)
    return n * max(total, 0.0)


def strangeness(shares: Array, p: Array, n: int) -> float:
    """The most unlikely of the shares."""
    return max(unlikely(share, expected, n) for share, expected in zip(shares.tolist(), p.tolist(), strict=True))


def nearest(shares: Array, known: Mapping[str, Array], n: int, apart: float = 0.06) -> str:
    """Which of the known distributions the draws come from: the first if they may, else the likeliest, else "another".

    Distributions that no entry tells apart by more than ``apart`` bear the name of the first of them.
    """
    odds = {name: strangeness(shares, p, n) for name, p in known.items()}
    first = next(iter(known))
    best = first if odds[first] < MOST else min(odds, key=lambda name: odds[name])
    if odds[best] >= MOST:
        return "another"
    return next(name for name in known if np.abs(known[name] - known[best]).max() <= apart)
