"""What one neuron separates: the sets that an exercise shows, the exact test, the margin."""

from __future__ import annotations

import numpy as np
import pytest

from dlcourse.checks import find
from dlcourse.data.separation import is_separable, point_sets, widest_margin

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def test_and_is_separable_and_xor_is_not():
    assert is_separable(CORNERS, np.array([0, 0, 0, 1]))
    assert not is_separable(CORNERS, np.array([0, 1, 1, 0]))


def test_the_exercise_names_exactly_the_separable_sets():
    separable = [letter for letter, (X, y) in point_sets().items() if is_separable(X, y)]
    assert "".join(separable) == find("neuron.separable").reference


def test_no_upright_and_no_level_line_separates_set_b():
    X, y = point_sets()["B"]
    for axis in (0, 1):
        assert not is_separable(X[:, axis : axis + 1], y)


def test_no_line_through_the_origin_separates_set_d():
    X, y = point_sets()["D"]
    angles = np.linspace(0, 2 * np.pi, 3600)
    fires = X @ np.stack([np.cos(angles), np.sin(angles)]) > 0
    assert (fires != y[:, None].astype(bool)).sum(axis=0).min() > 0


def test_the_point_sets_are_the_same_on_every_call():
    again = point_sets()
    for letter, (X, y) in point_sets().items():
        np.testing.assert_array_equal(X, again[letter][0])
        np.testing.assert_array_equal(y, again[letter][1])


def test_the_widest_margin_of_two_points_is_half_their_distance_seen_from_the_bias():
    u, gamma = widest_margin(np.array([[-1.0], [1.0]]), np.array([0, 1]))
    np.testing.assert_allclose(u, [1, 0], atol=1e-6)
    assert gamma == pytest.approx(1, abs=1e-6)


def test_sets_that_no_line_separates_have_no_margin():
    with pytest.raises(ValueError, match="no hyperplane"):
        widest_margin(CORNERS, np.array([0, 1, 1, 0]))
