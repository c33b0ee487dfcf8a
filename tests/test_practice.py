"""What unit 05's exercises say of runs, held against the runs themselves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dlcourse.checks import evaluate
from dlcourse.drivers.practice import EIGHT, GOAL, accuracies, eight_runs, four_slopes, regularized

CHANCE = 0.25  # an accuracy that is not far from guessing among ten digits


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, Any]]:
    return eight_runs()


def test_each_of_the_eight_faults_has_a_run(runs):
    from dlcourse.drivers.faults import FAULTS

    assert sorted(EIGHT.values()) == sorted(FAULTS)
    assert runs.keys() == {*EIGHT, "healthy"}


def test_the_healthy_run_is_as_the_task_describes_it(runs):
    assert runs["healthy"]["val_accuracy"][-1] > 0.75
    assert 1.1 < runs["healthy"]["val_loss"][-1] < 1.3


def test_a_is_easy_in_training_at_once_and_bad_in_validation(runs):
    assert runs["A"]["train_accuracy"][0] > 0.5
    assert runs["A"]["val_accuracy"][0] < 0.2
    assert runs["A"]["val_accuracy"][-1] > 0.3


def test_b_is_smooth_in_validation_and_still_falling(runs):
    assert (np.diff(runs["B"]["val_loss"]) < 0.02).all()
    for part in ("train_loss", "val_loss"):
        assert runs["B"][part][-5:].mean() < runs["B"][part][-10:-5].mean() - 0.01


def test_c_trains_as_usual_and_validates_badly(runs):
    assert abs(runs["C"]["train_loss"][-5:].mean() - runs["healthy"]["train_loss"][-5:].mean()) < 0.1
    assert runs["C"]["val_loss"][-5:].mean() > runs["healthy"]["val_loss"][-5:].mean() + 0.25
    assert runs["C"]["val_accuracy"][-5:].mean() < runs["healthy"]["val_accuracy"][-5:].mean() - 0.1


def test_d_stands_still_at_the_loss_of_guessing(runs):
    assert np.abs(runs["D"]["train_loss"] - np.log(10)).max() < 0.05
    assert np.abs(runs["D"]["val_loss"] - np.log(10)).max() < 0.05


def test_e_is_too_good_in_validation(runs):
    assert runs["E"]["val_loss"][-1] < 0.65 * runs["healthy"]["val_loss"][-1]
    assert abs(runs["E"]["train_loss"][-5:].mean() - runs["healthy"]["train_loss"][-5:].mean()) < 0.15


def test_f_learns_by_heart_and_validates_at_chance(runs):
    assert runs["F"]["train_loss"][-1] < runs["F"]["train_loss"][3] - 0.15
    assert runs["F"]["val_loss"].min() > 2.2
    assert runs["F"]["val_accuracy"].max() < CHANCE


def test_g_goes_up_and_down_near_two(runs):
    assert runs["G"]["val_accuracy"].max() > 0.4
    assert (np.diff(runs["G"]["val_loss"]) > 0.05).sum() > 5
    assert 1.7 < runs["G"]["val_loss"][5:].mean() < 2.3


def test_h_rises_and_rises(runs):
    assert runs["H"]["train_loss"][0] > 4.5
    assert runs["H"]["train_loss"][-5:].mean() > runs["H"]["train_loss"][2:7].mean() + 1
    assert runs["H"]["val_accuracy"].max() < CHANCE


def test_the_panels_show_each_run_beside_the_healthy_one(runs):
    from dlcourse.plot.runs import beside_healthy

    figure = beside_healthy(runs, "eight runs")
    assert len(figure.axes) == 16
    assert all(len(ax.lines) == 4 and ax.get_ylabel() for ax in figure.axes)
    plt.close(figure)


def test_the_four_slopes_are_as_the_alternative_text_says():
    slopes = four_slopes()
    assert all(sizes[-1] == pytest.approx(1) for sizes in slopes.values())
    assert slopes["A"][0] < 1e-18
    assert slopes["B"][0] > 1e5
    assert 1.5 < slopes["C"][0] < 4
    assert 1e-6 < slopes["D"][0] < 1e-4
    for a, b in pairwise(slopes["A"]):
        assert 0.2 < a / b < 0.3


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ({}, "learned-by-heart"),
        ({"batch_norm": True}, "learned-by-heart"),
        ({"dropout": 0.9}, "learned-too-little"),
        ({"weight_decay": 50.0}, "learned-too-little"),
        ({"steps": 40}, "falls-short"),
        ({"weight_decay": 10.0}, "falls-short"),
        ({"early": True}, "nearly"),
        ({"dropout": 0.5, "steps": 301}, "over-the-budget"),
        ({"dropout": -0.1}, "out-of-range"),
        ({"lr": 0.1}, "unknown-setting"),
        ({"dropout": float("nan")}, "not-a-number"),
        ("dropout", "not-a-dict"),
    ],
)
def test_settings_get_the_verdict_that_fits_their_runs(settings, mistake):
    assert evaluate("training_deep_networks.regularization", settings).mistake == mistake


@pytest.mark.parametrize("settings", [{"augment": True}, {"dropout": 0.6}])
def test_two_settings_alone_reach_the_goal_with_a_margin(settings):
    assert accuracies(settings)[0] > GOAL + 0.015
    assert regularized(settings) == {"fate": "reached"}


def test_no_settings_yet_is_no_verdict():
    assert regularized(None) is None
