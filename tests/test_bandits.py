"""Bandits: what the strategies choose, what is kept of the pulls, and the order of their regrets."""

from __future__ import annotations

import numpy as np
import pytest

from dlcourse.rl.bandits import Bandits, epsilon_greedy, greedy, play_bandits, thompson, ucb
from dlcourse.rl.runs import tabular_runs

VALUES = np.array([[0.0, 2.0, 1.0, 2.0]])


def chosen(strategy, values, counts, t=10, times=4000, seed=0):
    """How often each arm is chosen."""
    N, A = times, np.shape(values)[1]
    known = np.repeat(np.asarray(values, dtype=float), N, 0), np.repeat(np.asarray(counts, dtype=float), N, 0)
    return np.bincount(strategy(*known, t, np.random.default_rng(seed)), minlength=A) / N


# ---- what is kept of the pulls


def test_values_are_averages_of_what_was_paid_and_counts_are_pulls():
    bandits, rng = Bandits(np.random.default_rng(0), runs=3, arms=2), np.random.default_rng(1)
    paid = [[[], []] for _ in range(3)]
    for _ in range(50):
        arms = rng.integers(2, size=3)
        for run, (arm, reward) in enumerate(zip(arms, bandits.pull(arms), strict=True)):
            paid[run][arm].append(reward)
    np.testing.assert_allclose(bandits.values, [[np.mean(arm) for arm in run] for run in paid])
    assert bandits.counts.tolist() == [[len(arm) for arm in run] for run in paid]


def test_an_arm_pays_its_mean_with_noise_of_variance_one():
    bandits = Bandits(np.random.default_rng(0), runs=1, arms=2)
    rewards = np.array([bandits.pull([1])[0] for _ in range(4000)])
    assert abs(rewards.mean() - bandits.means[0, 1]) < 0.06
    assert abs(rewards.std() - 1) < 0.05


def test_the_best_arm_has_no_regret_and_another_its_distance():
    bandits = Bandits(np.random.default_rng(0), runs=200, arms=3)
    assert (bandits.regret(bandits.best) == 0).all()
    worst = bandits.means.argmin(1)
    np.testing.assert_allclose(bandits.regret(worst), bandits.means.max(1) - bandits.means.min(1))


# ---- what the strategies choose


def test_greedy_breaks_ties_by_chance():
    np.testing.assert_allclose(chosen(greedy, VALUES, np.ones((1, 4))), [0, 0.5, 0, 0.5], atol=0.04)


@pytest.mark.parametrize(
    ("epsilon", "shares"), [(0.0, [0, 0.5, 0, 0.5]), (1.0, [0.25] * 4), (0.4, [0.1, 0.4, 0.1, 0.4])], ids=str
)
def test_epsilon_greedy_takes_any_arm_with_probability_epsilon(epsilon, shares):
    np.testing.assert_allclose(chosen(epsilon_greedy(epsilon), VALUES, np.ones((1, 4))), shares, atol=0.04)


def test_ucb_tries_each_arm_once_first():
    np.testing.assert_allclose(chosen(ucb(2.0), VALUES, [[1, 5, 0, 0]]), [0, 0, 0.5, 0.5], atol=0.04)


@pytest.mark.parametrize(("c", "arm"), [(0.5, 0), (2.0, 1)], ids=["little", "much"])
def test_ucb_weighs_a_value_against_how_little_is_known(c, arm):
    # bonus of the first arm c √(ln 100 / 90) = 0.23 c, of the second c √(ln 100 / 9) = 0.72 c; they lie 0.6 apart
    assert chosen(ucb(c), [[0.6, 0.0]], [[90, 9]], t=99)[arm] == 1


@pytest.mark.parametrize(
    ("values", "counts", "second"),
    [
        ([1.0, 0.0], [3, 0], 0.251),  # beliefs N(0.75, 1/4) and N(0, 1): Φ(-0.75 / √1.25)
        ([1.0, 0.5], [3, 3], 0.298),  # beliefs N(0.75, 1/4) and N(0.375, 1/4): Φ(-0.375 / √0.5)
    ],
    ids=["one is unknown", "both are known a little"],
)
def test_thompson_chooses_an_arm_as_often_as_it_may_be_the_best(values, counts, second):
    np.testing.assert_allclose(chosen(thompson, [values], [counts]), [1 - second, second], atol=0.025)


# ---- how they fare


@pytest.mark.parametrize("seed", range(3))
def test_regrets_come_in_the_known_order(seed):
    strategies = (greedy, epsilon_greedy(0.1), ucb(2.0), thompson)
    regrets = [play_bandits(strategy, seed=seed).regret[-1] for strategy in strategies]
    assert (np.diff(regrets) < -30).all()


def test_regret_adds_up_and_the_best_arm_is_found_more_often():
    played = play_bandits(ucb(2.0), steps=400, runs=200)
    assert played.regret.shape == played.best.shape == (400,)
    assert (np.diff(played.regret) >= 0).all()
    assert played.best[-50:].mean() > played.best[:50].mean() + 0.3


def test_who_knows_the_best_arm_loses_nothing():
    best = Bandits(np.random.default_rng(7), 50, 10).best
    played = play_bandits(lambda values, counts, t, rng: best, steps=5, runs=50, seed=7)
    assert played.regret.tolist() == [0] * 5
    assert played.best.tolist() == [1] * 5


def test_a_seed_plays_the_same_game_again():
    one, again, other = (play_bandits(thompson, 30, 20, seed=seed).regret for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_the_table_over_seeds_has_the_order_in_every_seed_and_a_row_can_be_repeated():
    runs = tabular_runs()
    names = ("greedy", "ε-greedy, ε = 0.1", "UCB, c = 2", "Thompson")
    table = np.array([[run.result for run in runs["bandit", name, "regret"]] for name in names])
    assert table.shape[1] >= 10
    assert (np.diff(table, axis=0) < 0).all()
    assert abs(play_bandits(thompson, seed=0).regret[-1] - table[3, 0]) < 10


# ---- bad input


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Bandits(np.random.default_rng(0), runs=0), "runs=0"),
        (lambda: Bandits(np.random.default_rng(0), arms=1), "arms=1"),
        (lambda: Bandits(np.random.default_rng(0), 2, 3).pull([0]), "give 2 numbers from 0 to 2"),
        (lambda: Bandits(np.random.default_rng(0), 2, 3).pull([0, 3]), "give 2 numbers from 0 to 2"),
        (lambda: Bandits(np.random.default_rng(0), 2, 3).pull([0, -1]), "give 2 numbers from 0 to 2"),
        (lambda: epsilon_greedy(1.5), "epsilon=1.5; give a probability"),
        (lambda: ucb(-1.0), "c=-1.0; give 0 or more"),
        (lambda: play_bandits(greedy, steps=0), "steps=0; give at least 1"),
    ],
    ids=["runs", "arms", "shape", "too large", "negative", "epsilon", "c", "steps"],
)
def test_bad_input_is_refused_with_a_remedy(call, said):
    with pytest.raises(ValueError, match=said):
        call()
