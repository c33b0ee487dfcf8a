"""How good are samples? Distances between sets of them, modes found, copies made, and decibels of a picture.

No single number says that a generative model is good: each function here answers one question and is blind to others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlcourse.ops.rule import Array

__all__ = ["Coverage", "frechet_distance", "gaussian_frechet", "mode_coverage", "nearest", "psnr"]


def frechet_distance(features: Array, other: Array) -> float:
    """Two sets of samples, compared as if each were drawn from a normal distribution: 0 if means and covariances agree.

    With the features of an image classifier this is the Fréchet inception distance (Heusel et al. 2017); the classifier
    decides what it can see.

    Parameters
    ----------
    features, other : (N, D) and (M, D), with N and M at least 2

    Returns
    -------
    The squared Fréchet distance of the two normal distributions, in the features' unit squared.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a set has fewer than 2 samples or numbers that are not finite.

    Notes
    -----
    It falls with the number of samples, because covariances of few samples are poor: compare only distances that were
    measured with the same numbers of samples.
    """
    a, b = _samples("frechet_distance", "features", features), _samples("frechet_distance", "other", other)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"frechet_distance: features {a.shape} and other {b.shape} differ in width; give the same D")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"frechet_distance: {len(a)} and {len(b)} samples; a covariance needs at least 2 of each")
    covariances = [np.atleast_2d(np.cov(each, rowvar=False)) for each in (a, b)]
    return gaussian_frechet(a.mean(0), covariances[0], b.mean(0), covariances[1])


def gaussian_frechet(mean: Array, covariance: Array, other_mean: Array, other_covariance: Array) -> float:
    """The squared Fréchet distance of two normal distributions: ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½).

    Parameters
    ----------
    mean, other_mean : (D,)
    covariance, other_covariance : (D, D), symmetric, no negative eigenvalue

    Returns
    -------
    At least 0, and 0 for equal distributions.

    Raises
    ------
    ValueError
        If shapes do not fit, or a covariance is not symmetric or has an eigenvalue below 0.

    References
    ----------
    Fréchet (1957); Dowson & Landau (1982) for normal distributions.

    Notes
    -----
    Σ₁Σ₂ is not symmetric, but has the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which is: the trace of its root is the sum of their
    roots, and stays real where covariances are singular.
    """
    means = [np.asarray(each, dtype=np.float64) for each in (mean, other_mean)]
    D = means[0].size
    if any(each.shape != (D,) for each in means):
        raise ValueError(f"gaussian_frechet: means of shape {means[0].shape} and {means[1].shape}; both must be (D,)")
    first = _covariance("covariance", covariance, D)
    second = _covariance("other_covariance", other_covariance, D)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # Σ₁^½
    product = np.linalg.eigvalsh(root @ second @ root)
    trace = np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(product, 0)).sum()
    return max(0.0, float(((means[0] - means[1]) ** 2).sum() + trace))


class Coverage(NamedTuple):
    """What samples cover.

    Attributes
    ----------
    modes : centers with enough samples near them
    quality : the share of samples that are near a center, from 0 to 1
    counts : (K,) samples near each center
    """

    modes: int
    quality: float
    counts: Array


def mode_coverage(samples: Array, centers: Array, radius: float, least: int = 1) -> Coverage:
    """Which of the known modes do samples reach, and how many samples belong to any?

    A sample counts for its nearest center, if it lies at most ``radius`` from it; a mode is found if at least ``least``
    samples count for it. The measure of Srivastava et al. (2017) and Metz et al. (2017).

    Parameters
    ----------
    samples : (N, D), N at least 1
    centers : (K, D), K at least 1
    radius : above 0; for normal clouds, some standard deviations
    least : samples that make a mode, at least 1

    Raises
    ------
    ValueError
        If shapes do not fit, or radius or least is too small.
    """
    points, middles = _samples("mode_coverage", "samples", samples), _samples("mode_coverage", "centers", centers)
    if points.shape[1] != middles.shape[1]:
        raise ValueError(f"mode_coverage: samples {points.shape} and centers {middles.shape} differ in width")
    if not radius > 0:
        raise ValueError(f"mode_coverage: radius={radius!r}; it must be above 0")
    if least < 1:
        raise ValueError(f"mode_coverage: least={least!r}; at least 1 sample makes a mode")
    distances = np.linalg.norm(points[:, None] - middles, axis=-1)  # (N, K)
    near = distances.min(1) <= radius
    counts = np.bincount(distances.argmin(1)[near], minlength=len(middles))  # (K,)
    return Coverage(int((counts >= least).sum()), float(near.mean()), counts)


def psnr(image: Array, reference: Array, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in decibels, 10·log₁₀(peak² / mean squared error); infinite for equal pictures.

    Parameters
    ----------
    image, reference : of one shape, any
    peak : the largest value a pixel can have: 1 for pixels from 0 to 1, 255 for bytes

    Raises
    ------
    ValueError
        If the shapes differ, or peak is not above 0.
    """
    a, b = np.asarray(image, dtype=np.float64), np.asarray(reference, dtype=np.float64)  # bytes would wrap around
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"psnr: image of shape {a.shape}, reference of {b.shape}; give two pictures of one shape")
    if not peak > 0:
        raise ValueError(f"psnr: peak={peak!r}; give the largest value a pixel can have, 1.0 or 255")
    error = float(np.mean((a - b) ** 2))
    return float(10 * np.log10(peak**2 / error)) if error else float("inf")


def nearest(samples: Array, examples: Array) -> Array:
    """The Euclidean distance of each sample to the nearest example: 0 where a model has copied one.

    Parameters
    ----------
    samples, examples : (N, …) and (M, …), equal after the first axis; images are compared pixel by pixel

    Returns
    -------
    distances : (N,) in float64

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are no examples.
    """
    a, b = np.asarray(samples, dtype=np.float64), np.asarray(examples, dtype=np.float64)
    if a.ndim < 2 or a.shape[1:] != b.shape[1:] or not len(b):
        raise ValueError(
            f"nearest: samples {a.shape}, examples {b.shape}; give (N, …) and (M, …), equal after the first axis"
        )
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T  # (N, M), without an (N, M, D) in between
    closest = squares.argmin(1)
    distances: Array = np.linalg.norm(a - b[closest], axis=1)  # exact: differences of squares lose digits near 0
    return distances


def _samples(function: str, name: str, values: Array) -> Array:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or 0 in points.shape:
        raise ValueError(f"{function}: {name} of shape {points.shape}; give (N, D), a row for each, at least one row")
    if not np.isfinite(points).all():
        raise ValueError(f"{function}: {name} has numbers that are not finite; look where they come from")
    return points


def _covariance(name: str, values: Array, D: int) -> Array:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.shape != (D, D):
        raise ValueError(
            f"gaussian_frechet: {name} of shape {matrix.shape}; the means have {D} numbers, give ({D}, {D})"
        )
    scale = np.abs(matrix).max() if matrix.size else 0.0
    if not np.allclose(matrix, matrix.T, atol=1e-8 * scale, rtol=1e-6):
        raise ValueError(f"gaussian_frechet: {name} is not symmetric; give a covariance matrix")
    if D and np.linalg.eigvalsh(matrix)[0] < -1e-6 * scale:  # a singular one may round to a little below 0
        raise ValueError(f"gaussian_frechet: {name} has an eigenvalue below 0; give a covariance matrix")
    return matrix
