"""Small made-up problems in the plane, each for one thing that a network must be able to do.

Every function returns points (N, 2) in float32 and class numbers (N,) in int64, in order of the classes: shuffle them
where it matters. ``rng`` draws the noise; None is a fresh one. A count below 1 or not whole is a ValueError.
"""

from __future__ import annotations

import numpy as np

from dlcourse.ops.rule import Array

Rng = np.random.Generator | None
Points = tuple[Array, Array]


def spirals(
    n_per_class: int = 100, n_classes: int = 2, turns: float = 1.0, noise: float = 0.02, rng: Rng = None
) -> Points:
    """Arms that wind around each other: no straight line and no single bend separates them.

    Parameters
    ----------
    n_per_class : points on each arm
    n_classes : arms
    turns : how often an arm goes around; 2.5 is hard
    noise : standard deviation of each coordinate; the outermost points are at distance 1
    """
    _check_counts(n_per_class=n_per_class, n_classes=n_classes)
    t = np.linspace(0.05, 1, n_per_class)  # how far along the arm
    starts = 2 * np.pi * np.arange(n_classes) / n_classes
    angles = starts[:, None] + 2 * np.pi * turns * t  # (classes, points)
    return _labelled(t[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1), noise, rng)


def moons(n_per_class: int = 100, noise: float = 0.1, rng: Rng = None) -> Points:
    """Two half circles, each with an end inside the other: the smallest problem that needs a bend."""
    _check_counts(n_per_class=n_per_class)
    angles = np.linspace(0, np.pi, n_per_class)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    lower = np.stack([1 - np.cos(angles), 0.5 - np.sin(angles)], axis=-1)
    return _labelled(np.stack([upper, lower]), noise, rng)


def circles(
    n_per_class: int = 100, radii: tuple[float, ...] = (1.0, 0.5), noise: float = 0.05, rng: Rng = None
) -> Points:
    """Circles with one center, one for each radius: a new feature, the distance, separates them."""
    _check_counts(n_per_class=n_per_class)
    angles = np.linspace(0, 2 * np.pi, n_per_class, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return _labelled(np.array(radii)[:, None, None] * circle, noise, rng)


def gaussian_ring(
    n_per_class: int = 100, n_modes: int = 8, radius: float = 2.0, noise: float = 0.1, rng: Rng = None
) -> Points:
    """Normal clouds around points on a circle: does a generator find all of them?"""
    _check_counts(n_per_class=n_per_class, n_modes=n_modes)
    angles = 2 * np.pi * np.arange(n_modes) / n_modes
    centers = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (modes, 2)
    return _labelled(np.repeat(centers[:, None], n_per_class, axis=1), noise, rng)


def xor(n_per_class: int = 100, noise: float = 0.15, rng: Rng = None) -> Points:
    """Class 1 where exactly one coordinate is positive: clouds around (±1, ±1), what one neuron cannot separate."""
    _check_counts(n_per_class=n_per_class)
    corners = np.array([[[-1, -1], [1, 1]], [[-1, 1], [1, -1]]])  # (classes, corners, 2)
    return _labelled(corners[:, np.arange(n_per_class) % 2], noise, rng)


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"{name}={count!r}; it must be a whole number of at least 1")


def _labelled(points: Array, noise: float, rng: Rng) -> Points:
    """Points (classes, n, 2), moved by noise, as (N, 2), with their class numbers."""
    rng = np.random.default_rng() if rng is None else rng
    moved = points + noise * rng.standard_normal(points.shape)
    labels = np.repeat(np.arange(len(points)), points.shape[1])
    return moved.reshape(-1, 2).astype(np.float32), labels
