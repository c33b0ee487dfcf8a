"""Figures of agents: what is drawn where on a grid, the cart, bands over seeds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyArrow, Rectangle

from dlcourse.plot.reinforcement import draw_band, draw_cartpole, draw_grid, smoothed

ROWS = ["--G", "S#H"]


@pytest.fixture
def ax():
    figure, axes = plt.subplots(figsize=(3, 2))
    yield axes
    plt.close(figure)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def arrows(ax):
    """The column, row and direction of each arrow."""
    found = {}
    for arrow in ax.patches:
        if isinstance(arrow, FancyArrow):
            middle = arrow.get_xy().mean(0)
            dx, dy = np.sign(np.round((arrow._dx, arrow._dy), 6))
            found[round(middle[0]), round(middle[1])] = (dx, dy)
    return found


def test_values_stand_on_the_cells_where_one_can_be(ax):
    draw_grid(ax, ROWS, [1, 2, 3, 4, 5, 6], form=".0f")
    places = {text.get_text(): (round(text.get_position()[0]), round(text.get_position()[1])) for text in ax.texts}
    assert places == {"1": (0, 0), "2": (1, 0), "4": (0, 1), "G": (2, 0), "H": (2, 1), "S": (0, 1)}


def test_a_sign_makes_room_for_a_number_or_an_arrow_and_stands_in_the_middle_without(ax):
    draw_grid(ax, ["-S"])
    draw_grid(ax, ["-S"], [1, 2])
    draw_grid(ax, ["-S"], policy=[0, 0])
    places = [text.get_position() for text in ax.texts if text.get_text() == "S"]
    assert places[0] == (1, 0)
    assert all(x < 0.8 and y < -0.2 for x, y in places[1:])


def test_arrows_point_where_the_actions_lead(ax):
    draw_grid(ax, ROWS, policy=[2, 1, 0, 3, 0, 0])
    assert arrows(ax) == {(0, 0): (1, 0), (1, 0): (0, 1), (0, 1): (0, -1)}


def test_another_order_of_actions_gives_other_arrows(ax):
    draw_grid(ax, ROWS, policy=[[2, 1, 0], [3, 0, 0]], moves="↑→↓←")
    assert arrows(ax) == {(0, 0): (0, 1), (1, 0): (1, 0), (0, 1): (-1, 0)}


def test_a_negative_action_draws_no_arrow(ax):
    draw_grid(ax, ROWS, policy=[-1, 1, -1, -1, -1, -1])
    assert arrows(ax) == {(1, 0): (0, 1)}


def test_a_larger_value_has_a_darker_shade(ax):
    draw_grid(ax, ["S--"], [0.0, 1.0, 2.0])
    shades = [sum(cell.get_facecolor()[:3]) for cell in ax.patches if isinstance(cell, Rectangle)]
    assert shades[0] > shades[1] > shades[2] > 1.2  # dark, and pale enough for black letters


def test_equal_values_can_be_drawn(ax):
    draw_grid(ax, ["S--"], np.zeros(3))
    assert texts(ax).count("0.00") == 3


def test_a_path_goes_through_the_states(ax):
    draw_grid(ax, ROWS, path=[3, 0, 1, 2])
    (line,) = ax.lines
    assert np.array(line.get_data()).T.tolist() == [[0, 1], [0, 0], [1, 0], [2, 0]]


def test_the_first_row_is_above(ax):
    draw_grid(ax, ROWS)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (ROWS, {"values": np.zeros(5)}, r"values of shape \(5,\); the map has 2 × 3 states"),
        (ROWS, {"policy": np.zeros((6, 4))}, r"policy of shape \(6, 4\)"),
        (["--", "-"], {}, "several lengths"),
    ],
    ids=["values", "policy", "lines"],
)
def test_what_does_not_fit_the_map_is_refused(ax, rows, options, said):
    with pytest.raises(ValueError, match=said):
        draw_grid(ax, rows, **options)


def test_a_pole_that_leans_to_the_right_has_its_tip_there(ax):
    for angle in (0.2, -0.2):
        draw_cartpole(ax, [1.0, 0, angle, 0], "step 3")
        (x0, x1), _ = ax.lines[-1].get_data()
        assert x0 == 1.0
        assert np.sign(x1 - x0) == np.sign(angle)
    assert ax.get_title() == "step 3"
    assert len(ax.patches) == 1  # what was drawn before is gone


@pytest.mark.parametrize("window", [1, 3, 10], ids=str)
def test_smoothing_averages_what_came_before(window):
    curves = np.random.default_rng(0).normal(size=(2, 7))
    expected = [[row[max(0, k - window + 1) : k + 1].mean() for k in range(7)] for row in curves]
    np.testing.assert_allclose(smoothed(curves, window), expected)


def test_a_band_reaches_from_the_lowest_to_the_highest_seed(ax):
    curves = np.array([[0.0, 1, 2], [2, 3, 10]])
    draw_band(ax, curves, "two seeds", x=[10, 20, 30])
    (line,), (band,) = ax.lines, ax.collections
    assert line.get_xydata().tolist() == [[10, 1], [20, 2], [30, 6]]
    assert line.get_label() == "two seeds"
    corners = band.get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} >= {(10, 0), (10, 2), (30, 2), (30, 10)}


def test_bad_curves_are_refused(ax):
    with pytest.raises(ValueError, match=r"curves of shape \(3,\); give \(seeds, T\)"):
        draw_band(ax, [1, 2, 3], "one")
    with pytest.raises(ValueError, match="window=0"):
        smoothed([1, 2], 0)
