"""Unit 05 beside its exercises: the schedule explorer, the eight faults and their symptoms, the cures and their table."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from panels import parts

from dlcourse.data import load_digits
from dlcourse.drivers.cures import CURES, KINDS, Deep, affine, deep, few_labels, measured, some_digits
from dlcourse.drivers.faults import EPOCHS, FAULTS, NOISE, learning_curves
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.widgets.training_deep_networks import (
    DECAYS,
    STEPS,
    cures_figure,
    ill_runs_figure,
    rate,
    schedule_designer,
    schedule_figure,
    train_with_schedule,
)

GUESSING = np.log(10)


# --- the schedule explorer


def test_another_schedule_redraws_the_picture_and_says_what_came_out():
    (peak, _, decay), picture, sentence = parts(schedule_designer())
    before = picture.value
    assert "Peak rate 0.03" in sentence.value
    peak.value, decay.value = 0.003, "cosine"
    assert picture.value != before
    assert "0.003" in sentence.value
    assert "then cosine" in sentence.value


@pytest.mark.parametrize("decay", DECAYS)
def test_a_schedule_begins_at_zero_and_reaches_its_peak_after_the_warm_up(decay):
    rates = np.array([rate(step, 0.1, 40, decay) for step in range(STEPS)])
    assert rates[0] == 0
    assert rates.max() == rates[40] == pytest.approx(0.1)
    assert (np.diff(rates[:41]) > 0).all()
    assert (np.diff(rates[40:]) <= 1e-12).all()


def test_a_decay_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="choose one of constant, cosine"):
        rate(0, 0.1, 0, "linear")


def test_warm_up_and_cosine_save_a_rate_that_is_too_high():
    saved = [train_with_schedule(0.03, 40, "cosine", seed).test for seed in range(3)]
    lost = [train_with_schedule(0.03, 0, "constant", seed).test for seed in range(3)]
    assert np.mean(saved) > np.mean(lost) + 0.15


def test_the_figure_that_stands_still_names_the_schedule():
    figure = schedule_figure(0.003, 20, "three steps")
    assert "three steps" in figure.axes[0].get_title()
    plt.close(figure)


# --- the eight faults: each shows its own symptom, whatever the seed


def test_the_same_seed_gives_the_same_curves_and_another_one_others():
    first, again, other = (learning_curves("none", seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert {curve.shape for curve in first.values()} == {(EPOCHS,)}
    assert not np.array_equal(first["val_loss"], other["val_loss"])


def test_a_fault_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="choose one of learning_rate_too_high"):
        learning_curves("overfitting", 0)


def healthy(c):
    return c["val_accuracy"][-5:].mean() > 0.6 and (c["val_accuracy"][:8] > c["train_accuracy"][:8]).mean() > 0.7


def too_high(c):
    return 0.12 < c["train_accuracy"][-10:].mean() < 0.5 and c["val_accuracy"].std() > 0.04


def too_low(c):
    return c["train_accuracy"][-1] < 0.4 and (c["val_loss"][10:] < c["val_loss"][:-10]).mean() > 0.9


def leaking(c):
    floor = -(1 - NOISE) * np.log(1 - NOISE) - NOISE * np.log(NOISE / 9)
    return c["val_loss"][-1] < floor and (c["val_loss"] < c["train_loss"]).all()


def not_shuffled(c):
    return (
        c["train_accuracy"][0] > 0.5 and c["val_accuracy"][0] < 0.2 and c["val_accuracy"][-1] < c["train_accuracy"][-1]
    )


def dead(c):
    return np.abs(c["val_loss"] - GUESSING).max() < 0.06 and c["train_loss"].std() < 0.02


def piling_up(c):
    return c["train_loss"][-10:].mean() > c["train_loss"][10:20].mean() > GUESSING and c["train_accuracy"][-1] < 0.2


def always_dropping(c):
    return (c["val_accuracy"][5:] < c["train_accuracy"][5:]).mean() > 0.6 and c["val_accuracy"][-5:].mean() > 0.5


def misaligned(c):
    return c["train_accuracy"][-3:].mean() > 0.17 > c["val_accuracy"][-5:].mean()


SYMPTOMS = dict(
    zip(
        ("none", *FAULTS),
        (healthy, too_high, too_low, leaking, not_shuffled, dead, piling_up, always_dropping, misaligned),
        strict=True,
    )
)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_fault_shows_its_own_symptom_and_no_healthy_run_shows_it(seed):
    runs = {fault: learning_curves(fault, seed) for fault in SYMPTOMS}
    seen = {fault: [name for name, symptom in SYMPTOMS.items() if symptom(curves)] for fault, curves in runs.items()}
    for fault, symptoms in seen.items():
        assert fault in symptoms, (fault, symptoms)
    assert set(seen["none"]) <= {"none"}


def test_all_runs_are_drawn_with_their_titles():
    curves = learning_curves("dead_relus", 0)
    figure = ill_runs_figure([("A", curves), ("B", {**curves, "val_loss": np.full(EPOCHS, np.nan)})], columns=2)
    assert [ax.get_title() for ax in figure.axes[:2]] == ["A", "B"]
    plt.close(figure)


# --- the cures


def test_augmentation_by_nothing_changes_nothing():
    X = load_digits()[0][:7]
    rng = np.random.default_rng(0)
    assert np.allclose(affine(X, rng, shift=0, degrees=0, zoom=0), X, atol=1e-6)
    assert affine(X, rng).dtype == X.dtype


def test_augmentation_moves_every_picture_in_its_own_way_and_keeps_its_range():
    X = np.repeat(load_digits()[0][:1], 5, axis=0)
    moved = affine(X, np.random.default_rng(0))
    assert len(np.unique(moved.round(6), axis=0)) == 5
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-6
    assert np.allclose(moved.sum(axis=1), X.sum(axis=1), rtol=0.3)


def test_some_digits_have_as_many_wrong_labels_as_asked_for():
    X, y, _, _ = some_digits(1000, 0.4, np.random.default_rng(0))
    X_train, _, y_train, _ = load_digits()
    right = {x.tobytes(): label for x, label in zip(X_train, y_train, strict=True)}
    wrong = np.mean([right[x.tobytes()] != label for x, label in zip(X, y, strict=True)])
    assert abs(wrong - 0.36) < 0.05


def test_a_run_learns_and_tells_its_curves():
    result = few_labels(100, 0.0, seed=0, steps=100, curves=True)
    assert result.test > 0.7
    assert {len(curve) for curve in result.curves.values()} == {10}


def test_a_deep_residual_network_learns_where_a_plain_one_does_not():
    assert deep(40, "residual", 0, steps=100) > 0.8 > deep(40, "plain", 0, steps=100)


@pytest.mark.parametrize("kind", [*KINDS, "sigmoid"])
def test_every_kind_of_deep_network_has_slopes_in_all_its_layers(kind):
    X, _, y, _ = load_digits()
    model = Deep(3, kind, np.random.default_rng(0))
    F.cross_entropy(model(X[:16]), y[:16]).backward()
    assert all(np.abs(parameter.grad).sum() > 0 for name, parameter in model.named_parameters() if "weight" in name)


def test_another_kind_is_an_error():
    with pytest.raises(ValueError, match="plain, batch norm, residual, sigmoid"):
        Deep(3, "dense", np.random.default_rng(0))


def test_the_table_has_five_seeds_of_every_cure():
    table = measured()
    assert {len(tests) for tests in table.values()} == {5}
    situations = {situation for situation, _ in table}
    assert len(situations) == 6
    assert {cure for situation, cure in table if situation.startswith("100")} == set(CURES)


def test_the_table_is_drawn_a_panel_for_each_situation():
    table = measured()
    figure = cures_figure(table, {"20 layers of 32": "one", "40 layers of 32": "two"}, columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    plt.close(figure)
