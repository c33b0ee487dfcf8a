"""The toy problems, the digits' split, and the loader."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets, model_selection

from dlcourse import data

TOYS = {"spirals": 2, "moons": 2, "circles": 2, "gaussian_ring": 8, "xor": 2}


@pytest.mark.parametrize("name", TOYS)
def test_a_toy_problem_has_float32_points_and_equal_classes(name):
    X, y = getattr(data, name)(50, rng=np.random.default_rng(0))
    assert X.shape == (50 * TOYS[name], 2)
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [50] * TOYS[name]


@pytest.mark.parametrize("name", TOYS)
def test_a_toy_problem_follows_its_rng(name):
    toy = getattr(data, name)
    first, second = (toy(20, rng=np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (toy(20)[0] != toy(20)[0]).any()
    np.testing.assert_array_equal(toy(20, noise=0)[0], toy(20, noise=0)[0])


def test_spirals_wind_as_often_as_asked_and_never_meet():
    X, y = data.spirals(400, n_classes=3, turns=2.5, noise=0)
    for arm in range(3):
        angle = np.unwrap(np.arctan2(*X[y == arm].T[::-1]))
        assert (angle[-1] - angle[0]) / (2 * np.pi) == pytest.approx(2.5 * 0.95, rel=1e-3)
    gap = np.linalg.norm(X[y == 0][:, None] - X[y == 1][None], axis=-1).min()
    assert gap > 0.05


def test_circles_and_the_ring_have_their_radii():
    X, y = data.circles(30, radii=(2.0, 0.5), noise=0)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), np.where(y == 0, 2, 0.5), rtol=1e-6)
    X, y = data.gaussian_ring(500, n_modes=5, radius=3, noise=0.1, rng=np.random.default_rng(0))
    centers = np.stack([X[y == k].mean(axis=0) for k in range(5)])
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 3, atol=0.03)


def test_xor_is_class_1_where_exactly_one_coordinate_is_positive():
    X, y = data.xor(41, noise=0.1, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y == 1, (X[:, 0] > 0) != (X[:, 1] > 0))
    assert {tuple(corner) for corner in np.sign(X).tolist()} == {(-1, -1), (1, 1), (-1, 1), (1, -1)}


def test_the_digits_are_split_as_everywhere_in_the_course():
    X, X_test, y, y_test = data.load_digits()
    assert X.shape == (1347, 64)
    assert X_test.shape == (450, 64)
    assert X.dtype == X_test.dtype == np.float32
    assert y.dtype == y_test.dtype == np.int64
    assert (X.min(), X.max()) == (0, 1)
    all_y = datasets.load_digits().target
    peers = model_selection.train_test_split(all_y, test_size=450, stratify=all_y, random_state=0)
    np.testing.assert_array_equal(y, peers[0])
    np.testing.assert_array_equal(y_test, peers[1])
    assert np.abs(np.bincount(y) / 1347 - np.bincount(y_test) / 450).max() < 0.003


def test_the_digits_as_images_are_the_same_pixels():
    flat, images = data.load_digits()[0], data.load_digits(images=True)[0]
    assert images.shape == (1347, 1, 8, 8)
    np.testing.assert_array_equal(images.reshape(1347, 64), flat)


def test_the_digits_are_not_each_others_copies_across_the_split():
    X, X_test, _, _ = data.load_digits()
    assert not {row.tobytes() for row in X} & {row.tobytes() for row in X_test}


@pytest.mark.parametrize("n", [1, 7, 12])
def test_a_shuffled_epoch_gives_every_example_once_with_its_label(n):
    X, y = np.arange(n)[:, None] * 10.0, np.arange(n)
    batches = list(data.DataLoader((X, y), 4, shuffle=True, rng=np.random.default_rng(0)))
    assert [len(yb) for _, yb in batches] == [4] * (n // 4) + [n % 4] * (n % 4 > 0)
    assert sorted(np.concatenate([yb for _, yb in batches])) == list(range(n))
    for xb, yb in batches:
        np.testing.assert_array_equal(xb[:, 0], 10 * yb)


def test_each_epoch_has_its_own_order_and_the_rng_decides_it():
    def epochs(seed):
        loader = data.DataLoader((np.arange(50),), 50, shuffle=True, rng=np.random.default_rng(seed))
        return [next(iter(loader))[0].tolist() for _ in range(2)]

    first, second = epochs(0)
    assert first != second
    assert epochs(0) == [first, second]
    assert epochs(1)[0] != first


def test_without_shuffling_the_order_is_kept():
    assert [b[0].tolist() for b in data.DataLoader([np.arange(5)], 2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(("n", "drop_last", "count"), [(10, False, 4), (10, True, 3), (9, True, 3), (0, False, 0)])
def test_the_length_is_the_number_of_batches(n, drop_last, count):
    loader = data.DataLoader((np.zeros(n),), 3, drop_last=drop_last)
    assert len(loader) == len(list(loader)) == count


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match=r"arrays of \[3, 4\] examples"):
        data.DataLoader((np.zeros(3), np.zeros(4)))
    with pytest.raises(ValueError, match="batch_size=0; it must be at least 1"):
        data.DataLoader((np.zeros(3),), 0)
    with pytest.raises(ValueError, match="at least one"):
        data.DataLoader(())
    with pytest.raises(TypeError, match=r"one array of shape \(3, 2\); give a tuple"):
        data.DataLoader(np.zeros((3, 2)))
    with pytest.raises(TypeError, match=r"batch_size=2\.5; it must be a whole number"):
        data.DataLoader((np.zeros(3),), 2.5)


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("count", [0, -1, 2.5])
def test_a_toy_problem_needs_a_whole_number_of_points(name, count):
    with pytest.raises(ValueError, match=f"n_per_class={count}; it must be a whole number of at least 1"):
        getattr(data, name)(count)


def test_a_toy_problem_needs_a_whole_number_of_classes():
    with pytest.raises(ValueError, match="n_classes=0"):
        data.spirals(n_classes=0)
    with pytest.raises(ValueError, match="n_modes=0"):
        data.gaussian_ring(n_modes=0)
