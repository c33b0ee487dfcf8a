"""Distances between sets of samples, modes, copies and decibels, each against a case that is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dlcourse.metrics import frechet_distance, gaussian_frechet, mode_coverage, nearest, psnr


def covariance(rng, D, rank=None):
    A = rng.standard_normal((D, rank or D))
    return A @ A.T


# ---- Fréchet distance


def test_equal_distributions_are_at_distance_zero():
    rng = np.random.default_rng(0)
    cov = covariance(rng, 6)
    assert gaussian_frechet(np.arange(6.0), cov, np.arange(6.0), cov) == pytest.approx(0, abs=1e-9)


def test_in_one_dimension_it_is_means_and_standard_deviations_squared():
    assert gaussian_frechet([1.0], [[4.0]], [4.0], [[25.0]]) == pytest.approx((4 - 1) ** 2 + (5 - 2) ** 2)


def test_covariances_that_do_not_commute_agree_with_scipys_matrix_root():
    rng = np.random.default_rng(1)
    first, second = covariance(rng, 5), covariance(rng, 5)
    expected = np.trace(first + second - 2 * sqrtm(first @ second).real)
    found = gaussian_frechet(np.zeros(5), first, np.zeros(5), second)
    assert found == pytest.approx(expected, rel=1e-8)
    elementwise = np.trace(first + second - 2 * np.sqrt(np.abs(first @ second)))
    assert found != pytest.approx(elementwise, rel=1e-2)


def test_singular_covariances_give_a_finite_distance():
    rng = np.random.default_rng(2)
    found = gaussian_frechet(np.zeros(8), covariance(rng, 8, rank=2), np.zeros(8), covariance(rng, 8, rank=3))
    assert np.isfinite(found)
    assert found > 0


def test_samples_are_compared_by_mean_and_covariance():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((300, 4)), 2 + 3 * rng.standard_normal((200, 4))
    expected = gaussian_frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(b, a) == pytest.approx(expected)
    assert expected == pytest.approx(4 * (2**2 + 2**2), rel=0.1)


def test_one_feature_is_enough():
    rng = np.random.default_rng(4)
    a = rng.standard_normal((50, 1))
    assert frechet_distance(a, a + 3) == pytest.approx(9)


def test_fewer_samples_of_one_distribution_seem_further_away():
    rng = np.random.default_rng(5)
    reference = rng.standard_normal((2000, 20))
    few, many = rng.standard_normal((30, 20)), rng.standard_normal((2000, 20))
    assert frechet_distance(few, reference) > 5 * frechet_distance(many, reference)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((np.zeros(3), np.zeros((3, 3))), r"features of shape \(3,\)"),
        ((np.zeros((4, 3)), np.zeros((4, 2))), "differ in width"),
        ((np.zeros((1, 3)), np.zeros((4, 3))), "at least 2"),
        ((np.full((4, 3), np.nan), np.zeros((4, 3))), "not finite"),
    ],
    ids=["one axis", "other width", "one sample", "nan"],
)
def test_samples_that_cannot_be_compared_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        frechet_distance(*arguments)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.eye(3), r"covariance of shape \(3, 3\)"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "not symmetric"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "eigenvalue below 0"),
    ],
    ids=["shape", "asymmetric", "negative"],
)
def test_what_is_no_covariance_is_refused(matrix, said):
    with pytest.raises(ValueError, match=said):
        gaussian_frechet(np.zeros(2), np.eye(2), np.zeros(2), matrix)


# ---- modes

CENTERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]])


def test_a_sample_counts_for_its_nearest_center_if_it_is_near():
    samples = [[0.1, 0.0], [0.9, 0.0], [1.1, 0.0], [0.0, 4.0], [9.0, 9.0]]
    found = mode_coverage(samples, CENTERS, radius=0.2)
    assert found.counts.tolist() == [1, 2, 0]
    assert found.modes == 2
    assert found.quality == pytest.approx(3 / 5)


def test_centers_closer_than_the_radius_do_not_count_a_sample_twice():
    found = mode_coverage([[0.4, 0.0]], CENTERS, radius=3.0)
    assert found.counts.tolist() == [1, 0, 0]


def test_a_mode_needs_so_many_samples():
    samples = np.repeat(CENTERS, [3, 2, 1], axis=0)
    assert [mode_coverage(samples, CENTERS, 0.1, least=least).modes for least in (1, 2, 3, 4)] == [3, 2, 1, 0]


def test_the_radius_itself_is_near_enough():
    assert mode_coverage([[0.0, 5.5]], CENTERS, radius=0.5).quality == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"radius": 0.0}, "radius=0.0"),
        ({"least": 0}, "least=0"),
        ({"samples": np.zeros((0, 2))}, "samples of shape"),
        ({"centers": np.zeros((3, 3))}, "differ in width"),
    ],
    ids=["radius", "least", "no samples", "width"],
)
def test_a_coverage_that_means_nothing_is_refused(change, said):
    arguments = {"samples": np.zeros((4, 2)), "centers": CENTERS, "radius": 1.0, "least": 1, **change}
    with pytest.raises(ValueError, match=said):
        mode_coverage(**arguments)


# ---- pictures


def test_an_error_of_a_tenth_of_the_peak_is_twenty_decibels():
    picture = np.full((4, 4), 0.5)
    assert psnr(picture + 0.1, picture) == pytest.approx(20)
    assert psnr(100 * picture + 10, 100 * picture, peak=100) == pytest.approx(20)


def test_bytes_do_not_wrap_around():
    dark, light = np.full((2, 2), 10, np.uint8), np.full((2, 2), 20, np.uint8)
    assert psnr(dark, light, peak=255) == pytest.approx(psnr(light, dark, peak=255))
    assert psnr(dark, light, peak=255) == pytest.approx(20 * np.log10(25.5))


def test_equal_pictures_have_infinitely_many_decibels():
    assert psnr(np.ones((2, 2)), np.ones((2, 2))) == float("inf")


def test_pictures_that_do_not_fit_and_a_peak_of_zero_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 2\), reference of \(2, 3\)"):
        psnr(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="peak=0"):
        psnr(np.ones(2), np.ones(2), peak=0)


def test_a_copy_is_at_distance_exactly_zero_from_the_examples():
    examples = np.random.default_rng(6).random((20, 1, 8, 8)) + 1000  # where differences of squares would round
    assert (nearest(examples[3:6], examples) == 0).all()


def test_nearest_is_the_smallest_of_all_distances():
    rng = np.random.default_rng(7)
    samples, examples = rng.random((5, 2, 3)), rng.random((9, 2, 3))
    every = np.sqrt(((samples[:, None] - examples) ** 2).sum((2, 3)))
    np.testing.assert_allclose(nearest(samples, examples), every.min(1))


def test_examples_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"samples \(2, 8\), examples \(2, 9\)"):
        nearest(np.zeros((2, 8)), np.zeros((2, 9)))
