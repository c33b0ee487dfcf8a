"""The Fréchet distance of two normal distributions (Fréchet 1957; Dowson & Landau 1982), as used by Heusel et al. (2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def root_of(matrix: Array) -> Array:
    """The symmetric square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def frechet_distance(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
    root = root_of(cov_1)
    middle = np.linalg.eigvalsh(root @ cov_2 @ root)  # those of cov_1 @ cov_2
    traces = np.trace(cov_1) + np.trace(cov_2) - 2 * np.sqrt(np.maximum(middle, 0)).sum()
    return np.sum((mean_1 - mean_2) ** 2) + traces


def frechet_by_sqrtm(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
    from scipy.linalg import sqrtm

    root = sqrtm(cov_1 @ cov_2)
    difference = mean_1 - mean_2
    return float(difference @ difference + np.trace(cov_1 + cov_2 - 2 * np.real(root)))


def frechet_by_eigenvalues(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
    values = np.linalg.eigvals(cov_1 @ cov_2).astype(complex)
    return np.linalg.norm(mean_1 - mean_2) ** 2 + np.diag(cov_1 + cov_2).sum() - 2 * np.sqrt(values).real.sum()


def frechet_by_singular_values(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
    """The trace of the root is the sum of the singular values of the product of two factors."""
    (U, s, _), (V, t, _) = np.linalg.svd(cov_1), np.linalg.svd(cov_2)
    nuclear = np.linalg.svd((U * np.sqrt(s)).T @ (V * np.sqrt(t)), compute_uv=False).sum()
    return np.dot(mean_1 - mean_2, mean_1 - mean_2) + np.einsum("ii", cov_1) + np.einsum("ii", cov_2) - 2 * nuclear


def distance_inputs(rng: np.random.Generator) -> list[Case]:
    def cov(d: int, scale: float = 1.0) -> Array:
        A = rng.normal(size=(d, d))
        return np.asarray(scale * (A @ A.T / d + 0.2 * np.eye(d)))

    def case(d: int, label: str = "", scale: float = 1.0) -> Case:
        return Case((rng.normal(size=d), cov(d, scale), rng.normal(size=d), cov(d)), label)

    def few(d: int) -> Array:
        A = rng.normal(size=(d - 2, d))
        return np.asarray(A.T @ A / (d - 2))

    mean, same = rng.normal(size=3), cov(3)
    mixed = rng.uniform(0.5, 2) * np.array([[1.0, 1.8], [1.8, 4.0]])
    other = mixed.copy()
    other[0, 1] = other[1, 0] = -mixed[0, 1]
    return [
        Case((np.array([1.0, 2.0]), np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([0.0, 2.5]), np.array([[4.0, 0.0], [0.0, 1.0]]))),
        case(3),
        case(4, scale=3.0),
        case(5),
        case(1, "a single feature"),
        Case((mean, same, mean + rng.normal(size=3), same.copy()), "equal covariances"),
        Case((mean, same, mean.copy(), cov(3)), "equal means"),
        Case((np.zeros(2), mixed, np.zeros(2), other), "covariances that differ in a sign only"),
        Case((rng.normal(size=4), np.diag(rng.uniform(0.3, 2, 4)), rng.normal(size=4), np.diag(rng.uniform(0.3, 2, 4))),
             "features that do not vary together"),
        Case((rng.normal(size=4), few(4), rng.normal(size=4), few(4)), "covariances of few samples, which are singular"),
    ]  # fmt: skip


def variant(
    between: Callable[[Array], Any] = lambda difference: (difference**2).sum(),
    first: Callable[[Array, Array], Any] = lambda C, K: np.trace(C) + np.trace(K),
    middle: Callable[[Array, Array], Any] = lambda C, K: np.sqrt(
        np.maximum(np.linalg.eigvalsh(root_of(C) @ K @ root_of(C)), 0)
    ).sum(),
    join: Callable[[Any, Any, Any], Any] = lambda between, first, middle: between + first - 2 * middle,
) -> Callable[..., Any]:
    """The distance with one part exchanged."""

    def answer(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
        with np.errstate(all="ignore"):
            return join(between(mean_1 - mean_2), first(cov_1, cov_2), middle(cov_1, cov_2))

    return answer


def root_of_product(C: Array, K: Array) -> Array:
    """R with R @ R = C @ K: C^½ (C^½ K C^½)^½ C^-½."""
    half = root_of(C)
    return np.asarray(half @ root_of(half @ K @ half) @ np.linalg.inv(half))


def with_an_imaginary_part(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
    """As `sqrtm` gives it where rounding makes an eigenvalue of 0 negative."""
    distance = frechet_distance(mean_1, cov_1, mean_2, cov_2)
    return distance if np.linalg.eigvalsh(cov_1)[0] > 1e-9 else distance + 0j


def kullback_leibler(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> Any:
    inverse, difference = np.linalg.inv(cov_2), mean_1 - mean_2
    logs = np.linalg.slogdet(cov_2)[1] - np.linalg.slogdet(cov_1)[1]
    return (np.trace(inverse @ cov_1) + difference @ inverse @ difference - len(mean_1) + logs) / 2


FRECHET_DISTANCE = Exercise(
    id="gans.frechet_distance",
    kind="function",
    title="How far apart are two clouds?",
    points=3,
    minutes=15,
    difficulty=2,
    function="frechet_distance",
    reference=frechet_distance,
    alternatives=(frechet_by_sqrtm, frechet_by_eigenvalues, frechet_by_singular_values),
    inputs=distance_inputs,
    rtol=1e-5,
    atol=1e-6,
    forbid=("dlcourse.metrics",),
    wrong=(
        Wrong(
            "root-entry-by-entry",
            variant(middle=lambda C, K: np.trace(np.sqrt(C @ K))),
            "You take the square root of the product entry by entry (`np.sqrt`). A matrix R is the root of M if R @ R is M: does yours pass that test?",
        ),
        Wrong(
            "root-of-the-size-of-entries",
            variant(middle=lambda C, K: np.trace(np.sqrt(np.abs(C @ K)))),
            "You take the square root of the product's entries without their signs. A matrix R is the root of M if R @ R is M: does yours pass that test?",
        ),
        Wrong(
            "product-entry-by-entry",
            variant(middle=lambda C, K: np.trace(np.sqrt(np.maximum(C * K, 0)))),
            "What lies off the diagonals has no effect, as where product and root are taken entry by entry, or the features' deviations are compared one by one. Which product and which root of *matrices* does the formula mean?",
        ),
        Wrong(
            "product-of-the-roots",
            variant(middle=lambda C, K: np.trace(root_of(C) @ root_of(K))),
            "Your result is that of the two covariances' roots, multiplied with each other or subtracted and squared. For matrices the product of the roots is not the root of the product, unless they commute. Which comes first in the formula?",
        ),
        Wrong(
            "root-of-the-trace",
            variant(middle=lambda C, K: np.sqrt(np.trace(C @ K))),
            "You take the root of the product's *trace*. Which comes first in the formula: the root of the matrix or the trace?",
        ),
        Wrong(
            "only-the-product-entry-by-entry",
            variant(middle=lambda C, K: np.trace(root_of(C * K))),
            "Right where features do not vary together. Your product of the covariances is taken entry by entry (`*`). Which product of *matrices* does the formula mean?",
        ),
        Wrong(
            "root-of-the-traces",
            variant(middle=lambda C, K: np.sqrt(np.trace(C) * np.trace(K))),
            "You multiply the two covariances' *traces* and take the root of that number. Of what does the formula take the root, and when the trace?",
        ),
        Wrong(
            "eigenvalues-in-pairs",
            variant(middle=lambda C, K: np.sqrt(np.maximum(np.linalg.eigvalsh(C) * np.linalg.eigvalsh(K), 0)).sum()),
            "You multiply the eigenvalues of both covariances in pairs, in order of size, as if both clouds were stretched along the same directions. Of which matrix do you need the eigenvalues?",
        ),
        Wrong(
            "eigenvalues-of-half-the-product",
            variant(middle=lambda C, K: np.sqrt(np.maximum(np.linalg.eigvalsh(C @ K), 0)).sum()),
            "You take the product's eigenvalues with a function for symmetric matrices (`eigh`, `eigvalsh`), which looks at one triangle alone. Is the product of two symmetric matrices symmetric?",
        ),
        Wrong(
            "root-of-the-determinant",
            variant(middle=lambda C, K: np.sqrt(np.maximum(np.linalg.det(C @ K), 0))),
            "You take the root of the product's *determinant*, which multiplies the eigenvalues. What does a trace do with them?",
        ),
        Wrong(
            "root-forgotten",
            variant(middle=lambda C, K: np.trace(C @ K)),
            "You take the trace of the product itself. In which unit is it, if the features are in meters, and in which are the other terms?",
        ),
        Wrong(
            "cholesky",
            variant(middle=lambda C, K: np.trace(np.linalg.cholesky(C) @ np.linalg.cholesky(K).T)),
            "You use Cholesky factors, L with L @ L.T equal to the covariance. Is such an L the root meant here, the one with R @ R?",
        ),
        Wrong(
            "root-of-the-sum",
            variant(middle=lambda C, K: np.trace(root_of(C + K))),
            "You take the root of the covariances' *sum*. Of what does the formula take it?",
        ),
        Wrong(
            "not-doubled",
            variant(join=lambda between, first, middle: between + first - middle),
            "The root's trace is subtracted once. What would be left for two equal distributions, and what should be?",
        ),
        Wrong(
            "added",
            variant(join=lambda between, first, middle: between + first + 2 * middle),
            "The root's trace is added. What comes out for two equal distributions, and what should?",
        ),
        Wrong(
            "middle-left-out",
            variant(middle=lambda C, K: 0.0),
            "The root of the product is left out. What comes out for two equal distributions, and what should?",
        ),
        Wrong(
            "norm-not-squared",
            variant(between=lambda d: np.sqrt((d**2).sum())),
            "The traces are right. The distance of the means is not squared. In which unit is it, if the features are in meters, and in which are the traces?",
        ),
        Wrong(
            "means-averaged",
            variant(between=lambda d: (d**2).mean()),
            "The traces are right. For the means you take the *mean* of the squared differences. How is the length of an arrow computed?",
        ),
        Wrong(
            "absolute-differences",
            variant(between=lambda d: np.abs(d).sum()),
            "The traces are right. For the means you sum absolute differences. How is the squared length of an arrow computed?",
        ),
        Wrong(
            "sum-of-differences-squared",
            variant(between=lambda d: d.sum() ** 2),
            "The traces are right. You sum the differences of the means and square the sum, so that they can cancel. Which comes first?",
        ),
        Wrong(
            "means-left-out",
            variant(between=lambda d: 0.0),
            "The means have no effect: two clouds of the same form would have distance 0, wherever they lie. Which term of the formula is missing?",
        ),
        Wrong(
            "means-subtracted",
            variant(between=lambda d: -(d**2).sum()),
            "The means' term is subtracted, so clouds further apart come out nearer. Which sign does the formula give it?",
        ),
        Wrong(
            "covariances-left-out",
            variant(first=lambda C, K: 0.0, middle=lambda C, K: 0.0),
            "The covariances have no effect: a cloud and a single point in its middle would have distance 0. Which term of the formula is missing?",
        ),
        Wrong(
            "first-covariance-left-out",
            variant(first=lambda C, K: np.trace(K)),
            "The trace of the first covariance is missing. What comes out for two equal distributions, and what should?",
        ),
        Wrong(
            "second-covariance-left-out",
            variant(first=lambda C, K: np.trace(C)),
            "The trace of the second covariance is missing. What comes out for two equal distributions, and what should?",
        ),
        Wrong(
            "difference-of-traces",
            variant(first=lambda C, K: np.trace(C - K)),
            "You take the trace of the covariances' *difference* where the formula has their sum. What comes out for two equal distributions?",
        ),
        Wrong(
            "sum-for-trace",
            variant(first=lambda C, K: (C + K).sum()),
            "You sum *all* entries of the two covariances where the formula has their traces. Which entries does a trace add up?",
        ),
        Wrong(
            "sums-for-traces",
            variant(
                first=lambda C, K: (C + K).sum(),
                middle=lambda C, K: root_of_product(C, K).sum(),
            ),
            "You sum *all* entries of the matrices where the formula has traces. Which entries does a trace add up?",
        ),
        Wrong(
            "frobenius",
            variant(first=lambda C, K: ((C - K) ** 2).sum(), middle=lambda C, K: 0.0),
            "For the covariances you sum the squares of the entries' differences. In which unit is that, if the features are in meters, and which three terms does the formula have?",
        ),
        Wrong(
            "root-of-the-distance",
            variant(join=lambda between, first, middle: np.sqrt(np.maximum(between + first - 2 * middle, 0))),
            "Your result is the square root of the one asked for, a distance in the features' own unit. Which of the two does the formula give?",
        ),
        Wrong(
            "halved",
            variant(join=lambda between, first, middle: (between + first - 2 * middle) / 2),
            "Your result is half of the one asked for. Where does the factor come from?",
        ),
        Wrong(
            "per-feature",
            lambda mean_1, cov_1, mean_2, cov_2: frechet_distance(mean_1, cov_1, mean_2, cov_2) / len(mean_1),
            "Your result is divided by the number of features. Does the formula divide?",
        ),
        Wrong(
            "kullback-leibler",
            kullback_leibler,
            "That is the Kullback-Leibler divergence from the second to the first, with an inverse and determinants. Which terms does the Fréchet distance have?",
        ),
        Wrong(
            "complex",
            with_an_imaginary_part,
            "Right, but a complex number comes back where covariances are singular: the eigenvalues of 0 come out a little below it, and their roots imaginary. Which part of the root do you need?",
        ),
        Wrong(
            "nan-where-singular",
            lambda mean_1, cov_1, mean_2, cov_2: (
                np.nan
                if np.linalg.eigvalsh(cov_1)[0] < 1e-9
                else frechet_distance(mean_1, cov_1, mean_2, cov_2)
            ),
            "Right, but nan where covariances are singular: an eigenvalue of 0 comes out a little below it, and has no real root, or a matrix has no Cholesky factor or inverse. What can you do with numbers that should be 0 and are -1e-17?",
        ),
        Wrong(
            "deviations-for-covariances",
            variant(first=lambda C, K: np.sqrt(np.diag(C)).sum() + np.sqrt(np.diag(K)).sum()),
            "Where the formula has the covariances' traces, you sum standard deviations, the roots of the diagonals. In which unit are those, if the features are in meters?",
        ),
    ),
    hints=(
        "Three terms: how far the means lie apart, squared; the two traces; and twice the trace of a root. Only the root is hard.",
        "The root of a matrix M is a matrix R with R @ R = M, and not the root of each entry. SciPy has it. Or: the trace of the root is the sum of the roots of M's eigenvalues.",
        "`scipy.linalg.sqrtm(cov_1 @ cov_2)`, of which you may need the real part; or the sum of `np.sqrt` of the real parts of `np.linalg.eigvals(cov_1 @ cov_2)` for its trace. What should become of eigenvalues that rounding has carried a little below 0?",
    ),
    unlocks="With features of a classifier in place of numbers, that is the FID of every paper on images.",
)  # fmt: skip
