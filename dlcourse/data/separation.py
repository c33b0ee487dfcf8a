"""Which sets of points a single neuron separates: four sets to look at, an exact test, and the widest margin.

A set is separable when some line (in D dimensions: some hyperplane) has all points of one kind on its one side and
all points of the other kind on the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

__all__ = ["is_separable", "point_sets", "widest_margin"]


def point_sets() -> dict[str, tuple[Floats, Floats]]:
    """Four small sets of points in the plane, named A to D.

    Returns
    -------
    dict of letter -> (X, y), X (N, 2) in the square from -3 to 3, y (N,) of 0.0 and 1.0
    """
    rng = np.random.default_rng(1)

    def cloud(center: tuple[float, float], spread: tuple[float, float], angle: float, count: int) -> Floats:
        """Points spread evenly over a tilted ellipse."""
        radius, turn = np.sqrt(rng.uniform(size=count)), rng.uniform(0, 2 * np.pi, count)
        ellipse = np.stack([spread[0] * radius * np.cos(turn), spread[1] * radius * np.sin(turn)], axis=1)
        cos, sin = np.cos(angle), np.sin(angle)
        points: Floats = ellipse @ np.array([[cos, sin], [-sin, cos]]) + np.array(center)
        return points

    def pair(zeros: list[Floats], ones: list[Floats]) -> tuple[Floats, Floats]:
        counts = [sum(map(len, zeros)), sum(map(len, ones))]
        return np.concatenate([*zeros, *ones]), np.repeat([0.0, 1.0], counts)

    diamond = [cloud(center, (0.55, 0.55), 0, 7) for center in ((0, 1.9), (0, -1.9), (-1.9, 0), (1.9, 0))]
    stripes = [cloud(center, (2.4, 0.4), np.pi / 4, 16) for center in ((-0.55, 0.55), (0.55, -0.55))]
    ring = np.array([[2 * np.cos(turn), 2 * np.sin(turn)] for turn in np.linspace(0.2, 6.0, 14)])
    corner = [cloud((-0.6, -0.5), (2.1, 2.0), 0, 34), cloud((1.95, 1.75), (0.6, 0.7), 0, 6)]
    return {
        "A": pair(diamond[:2], diamond[2:]),
        "B": pair(stripes[:1], stripes[1:]),
        "C": pair([ring + 0.08 * rng.standard_normal(ring.shape)], [np.array([[0.7, 0.35]])]),
        "D": pair(corner[:1], corner[1:]),
    }


def is_separable(X: Floats, y: Floats) -> bool:
    """Whether some hyperplane separates the examples with y = 1 from those with y = 0, by linear programming.

    Parameters
    ----------
    X : (N, D) examples
    y : (N,) targets, 0 or 1
    """
    from scipy.optimize import linprog

    signed = np.where(np.asarray(y) > 0, 1.0, -1.0)[:, None] * np.column_stack([X, np.ones(len(X))])
    search = linprog(np.zeros(signed.shape[1]), A_ub=-signed, b_ub=-np.ones(len(X)), bounds=(None, None))
    return bool(search.status == 0)


def widest_margin(X: Floats, y: Floats) -> tuple[Floats, float]:
    """The unit vector that separates with the widest margin, the bias counted as the weight of a constant input 1.

    Parameters
    ----------
    X : (N, D) examples, separable
    y : (N,) targets, 0 or 1

    Returns
    -------
    u : (D + 1,) weights and bias together, of length 1
    gamma : the smallest of ±u·(x, 1) over the examples, plus for y = 1 and minus for y = 0

    Raises
    ------
    ValueError
        If no hyperplane separates the two kinds.
    """
    from sklearn.svm import SVC

    if not is_separable(X, y):
        raise ValueError("no hyperplane separates the two kinds of examples in X, so there is no margin")
    signed = np.where(np.asarray(y) > 0, 1.0, -1.0)[:, None] * np.column_stack([X, np.ones(len(X))])
    kinds = np.repeat([1, -1], len(X))  # each example and its mirror image: by symmetry the machine's own bias is 0
    machine = SVC(kernel="linear", C=1e8).fit(np.concatenate([signed, -signed]), kinds)
    u = machine.coef_[0] / np.linalg.norm(machine.coef_)
    return u, float((signed @ u).min())
