"""Tables of values: what value iteration computes, what Q-learning and SARSA learn, and what truncation taken for the end does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dlcourse.rl import tabular
from dlcourse.rl.envs import episode, make, play
from dlcourse.rl.gridworld import GridWorld
from dlcourse.rl.runs import tabular_runs
from dlcourse.rl.tabular import action_values, greedy, q_learning, sarsa, shaped, transitions, value_iteration

CLIFF = {"gamma": 1.0, "epsilon": 0.1, "progress": False}
LAKE = {"episodes": 4000, "alpha": (0.3, 0.01), "epsilon": (1.0, 0.1), "progress": False}
CLOCK = {"rows": ["GS1"], "rewards": {"G": 7.0}, "max_episode_steps": 10}  # 7 once, or 1 at each step, worth 10


# ---- value iteration


def test_values_on_a_line_fall_by_the_discount():
    found = value_iteration(GridWorld(["S--G"]), gamma=0.5)
    np.testing.assert_allclose(found.V, [0.25, 0.5, 1, 0])
    assert found.policy[:3].tolist() == [2, 2, 2]


def test_history_holds_the_values_of_each_sweep():
    found = value_iteration(GridWorld(["S--G"]), gamma=0.5)
    np.testing.assert_allclose(found.history, [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0.5, 1, 0], *[[0.25, 0.5, 1, 0]] * 2])


def test_nothing_follows_a_terminated_step():
    P = {0: {0: [(1.0, 1, 2.0, True)]}, 1: {0: [(1.0, 1, 5.0, False)]}}
    np.testing.assert_allclose(action_values(P, np.array([3.0, 50.0]), 0.9), [[2], [50]])


def test_chances_are_weighed():
    P = {0: {0: [(0.25, 1, 4.0, True), (0.75, 0, 0.0, False)]}, 1: {0: [(1.0, 1, 0.0, True)]}}
    V = value_iteration(P, gamma=0.8).V  # V = 0.25·4 + 0.75·0.8 V
    np.testing.assert_allclose(V[0], 1 / 0.4)


def test_the_values_are_those_of_their_own_policy():
    P, gamma = transitions("FrozenLake"), 0.99
    found = value_iteration(P, gamma, tol=1e-12)
    S = len(P)
    step, earned = np.zeros((S, S)), np.zeros(S)
    for s in range(S):
        for p, after, reward, over in P[s][int(found.policy[s])]:
            earned[s] += p * reward
            step[s, after] += p * (not over)
    np.testing.assert_allclose(found.V, np.linalg.solve(np.eye(S) - gamma * step, earned), atol=1e-9)


def test_cliff_walking_is_thirteen_steps_long():
    found = value_iteration("CliffWalking", gamma=1.0)
    assert found.V[36] == -13
    assert play("CliffWalking", found.policy, 1)[0] == -13


def test_on_the_frozen_lake_the_values_come_true():
    found = value_iteration("FrozenLake", gamma=1.0, tol=1e-10)
    world = make("FrozenLake", max_episode_steps=2000)
    assert abs(play(world, found.policy, 1500).mean() - found.V[0]) < 0.05


def test_an_explorer_keeps_away_from_the_cliff():
    careful = value_iteration("CliffWalking", gamma=1.0, epsilon=0.1)
    assert play("CliffWalking", careful.policy, 1)[0] == -15
    explorer = np.random.default_rng(0)

    def policy(state):
        return explorer.integers(4) if explorer.random() < 0.1 else careful.policy[state]

    assert abs(play("CliffWalking", policy, 1500).mean() - careful.V[36]) < 2


def test_rewards_that_never_end_need_a_discount():
    world = GridWorld(["S1"])
    np.testing.assert_allclose(value_iteration(world, 0.9, tol=1e-10).V, 10)
    with pytest.raises(ValueError, match=r"gamma=1\.0, and values still move by 1 after 50 sweeps; a smaller gamma"):
        value_iteration(world, 1.0, sweeps=50)


def test_the_model_may_be_wrapped_or_named_or_given():
    P = GridWorld().transitions
    assert transitions(P) is P
    assert transitions(make("GridWorld")) == P == transitions("GridWorld")
    with pytest.raises(TypeError, match="tells no model; FrozenLake"):
        transitions("CartPole")


def test_of_several_best_actions_greedy_takes_the_first():
    assert greedy([[0.0, 2.0, 2.0], [1.0, 1.0, 1.0]]).tolist() == [1, 0]


# ---- shaping


def test_a_potential_changes_the_values_and_not_the_policy():
    world, potential = GridWorld(["---G", "-#-H", "S---"], slip=0.2), np.random.default_rng(0).normal(size=12)
    plain, other = value_iteration(world, 0.9), value_iteration(shaped(world, potential, 0.9), 0.9)
    walks = [s for s in range(12) if world.rows[s // 4][s % 4] in "S-"]
    np.testing.assert_allclose(other.V[walks], (plain.V - potential)[walks], atol=1e-6)
    assert other.policy[walks].tolist() == plain.policy[walks].tolist()


def test_a_coin_on_the_way_is_farmed_and_a_potential_is_not():
    coin = GridWorld(["S1-G"], rewards={"G": 5.0})
    assert episode(coin, [2, 2, 2, 0]).terminated
    farmed = value_iteration(coin, 0.95)
    assert farmed.policy[1] != 2  # stays where each visit earns
    bare = GridWorld(["S--G"], rewards={"G": 5.0})
    assert value_iteration(shaped(bare, [0, 1, 2, 3], 0.95), 0.95).policy[:3].tolist() == [2, 2, 2]


# ---- learning from steps


@pytest.mark.parametrize("seed", range(3))
def test_q_learning_walks_along_the_cliff_and_sarsa_keeps_away(seed):
    shortest = q_learning("CliffWalking", alpha=0.1, seed=seed, **CLIFF)
    safe = sarsa("CliffWalking", alpha=0.1, seed=seed, **CLIFF)
    assert play("CliffWalking", greedy(shortest.Q), 1)[0] == -13
    walk = episode("CliffWalking", greedy(safe.Q))
    assert walk.rewards.sum() in (-15, -17)
    beside = [s for s in walk.observations if 25 <= s <= 34]  # the row above the cliff
    assert not beside
    assert safe.returns[-200:].mean() > shortest.returns[-200:].mean() + 10


def test_q_learning_comes_to_the_values_of_value_iteration():
    world = GridWorld(["---G", "-#-H", "S---"])
    learned = q_learning(world, episodes=400, alpha=1.0, gamma=0.9, epsilon=1.0, progress=False)
    best = value_iteration(world, 0.9)
    np.testing.assert_allclose(learned.Q, action_values(world.transitions, best.V, 0.9), atol=1e-6)


def test_sarsa_comes_to_the_values_of_an_explorer():
    world = GridWorld(["---G", "-#-H", "S---"], step_cost=0.1)
    learned = sarsa(world, episodes=4000, alpha=(0.2, 0.005), gamma=0.9, epsilon=0.3, progress=False)
    careful = value_iteration(world, 0.9, epsilon=0.3)
    walks = [0, 1, 2, 4, 8]  # on the way
    expected = action_values(world.transitions, careful.V, 0.9).max(1)
    np.testing.assert_allclose(learned.Q.max(1)[walks], expected[walks], atol=0.06)
    assert (value_iteration(world, 0.9).V - expected)[8] > 0.15  # not those of who never explores


@pytest.mark.parametrize("seed", range(3))
def test_a_taxi_learns_to_earn_seven(seed):
    learned = q_learning("Taxi", episodes=2500, epsilon=(1.0, 0.0), seed=seed, progress=False)
    assert play("Taxi", greedy(learned.Q), 300, seed=100).mean() >= 7


@pytest.mark.parametrize("seed", range(3))
def test_the_frozen_lake_is_crossed_in_65_of_100_tries(seed):
    assert play("FrozenLake", greedy(q_learning("FrozenLake", seed=seed, **LAKE).Q), 500, seed=100).mean() >= 0.65


@pytest.mark.parametrize("seed", range(3))
def test_a_clock_taken_for_the_end_gives_a_wrong_value_and_a_wrong_choice(seed):
    options = {"episodes": 1000, "alpha": 0.1, "gamma": 0.9, "epsilon": (1.0, 0.1), "seed": seed, "progress": False}
    world = make("GridWorld", **CLOCK)
    right, wrong = q_learning(world, **options), q_learning(world, **options, truncation_ends=True)
    assert abs(right.Q[2].max() - 10) < 0.1
    assert wrong.Q[2].max() < 7
    assert play(world, greedy(right.Q), 1)[0] == 10
    assert play(world, greedy(wrong.Q), 1)[0] == 7


@pytest.mark.parametrize("learn", [q_learning, sarsa])
def test_a_terminated_step_counts_as_the_end_in_both_ways(learn):
    world = GridWorld(["SG"])
    for truncation_ends in (False, True):
        Q = learn(world, episodes=50, alpha=1.0, gamma=0.9, progress=False, truncation_ends=truncation_ends).Q
        assert Q[0, 2] == 1
        assert not Q[1].any()


def test_ties_are_broken_by_chance_and_exploration_takes_any_action():
    rng = np.random.default_rng(0)
    tied = np.bincount([tabular._explore([0.0, 2.0, 1.0, 2.0], 0.0, rng) for _ in range(2000)], minlength=4) / 2000
    np.testing.assert_allclose(tied, [0, 0.5, 0, 0.5], atol=0.05)
    half = np.bincount([tabular._explore([0.0, 2.0, 1.0, 0.0], 0.4, rng) for _ in range(2000)], minlength=4) / 2000
    np.testing.assert_allclose(half, [0.1, 0.7, 0.1, 0.1], atol=0.05)


def test_the_action_that_sarsa_counts_on_is_the_one_it_takes(monkeypatch):
    explore, chosen, taken = tabular._explore, [], []

    class Watched(GridWorld):
        def step(self, action):
            taken.append(action)
            return super().step(action)

    monkeypatch.setattr(tabular, "_explore", lambda *given: chosen.append(explore(*given)) or chosen[-1])
    sarsa(Watched(["S--G", "----"]), episodes=1, epsilon=1.0, progress=False)
    assert taken == chosen[:-1]
    assert len(taken) > 5


def test_a_pair_goes_down_in_a_line_and_then_stays():
    assert tabular._line("f", "epsilon", (1.0, 0.3), 10) == pytest.approx(
        [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.3, 0.3]
    )
    assert tabular._line("f", "epsilon", 0.2, 3) == [0.2] * 3


def test_returns_and_steps_are_counted():
    learned = q_learning(GridWorld(["SG"], step_cost=0.5), episodes=30, epsilon=0.0, progress=False)
    assert learned.returns.shape == (30,)
    assert (learned.returns[-20:] == 0.5).all()
    assert learned.steps == ((1 - learned.returns) / 0.5).sum()  # each earns 1 in the end and pays a half at each step


def test_a_seed_learns_the_same_again_and_leaves_the_global_generator_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, again, other = (q_learning("Taxi", episodes=5, epsilon=1.0, seed=s, progress=False).returns for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("learn", [q_learning, sarsa])
def test_an_interrupted_training_returns_what_it_has(learn):
    class Interrupted(GridWorld):
        starts_left = 6

        def reset(self, **options):
            self.starts_left -= 1
            if self.starts_left < 0:
                raise KeyboardInterrupt
            return super().reset(**options)

    learned = learn(Interrupted(["SG"]), episodes=100, progress=False)
    assert learned.returns.tolist() == [1] * 6
    assert learned.Q[0, 2] > 0


def test_the_bar_tells_the_mean_return(said_by_the_bar):
    said = said_by_the_bar(tabular)
    q_learning(GridWorld(["SG"]), episodes=41)
    assert said == ["mean return 1.00"] * 3


def test_an_episode_without_an_end_is_left(monkeypatch):
    monkeypatch.setattr(tabular, "LONGEST", 25)
    learned = q_learning(GridWorld(["S#G"]), episodes=2, progress=False)
    assert learned.steps == 50


@pytest.mark.parametrize("learn", [q_learning, sarsa])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"episodes": 0}, "episodes=0"),
        ({"gamma": 1.1}, "gamma=1.1; give at least 1, and 0 to 1"),
        ({"alpha": -0.1}, "alpha=-0.1; give a number from 0 to 1, or two"),
        ({"epsilon": (0.5, 2)}, r"epsilon=\(0\.5, 2\); give"),
    ],
    ids=["episodes", "gamma", "alpha", "epsilon"],
)
def test_bad_options_are_refused(learn, option, said):
    with pytest.raises(ValueError, match=f"{learn.__name__}: .*{said}"):
        learn("FrozenLake", **option)


def test_value_iteration_refuses_bad_options():
    for option in ({"gamma": 1.5}, {"epsilon": -1.0}, {"sweeps": 0}):
        with pytest.raises(ValueError, match=f"value_iteration: .*{next(iter(option))}={next(iter(option.values()))}"):
            value_iteration("FrozenLake", **option)


def test_states_that_are_not_numbered_are_refused():
    with pytest.raises(TypeError, match=r"q_learning: .*observations Box.*a table needs both numbered \(Discrete\)"):
        q_learning("CartPole")


# ---- the table over seeds


def test_the_table_over_seeds_reaches_the_targets():
    results = {key: [run.result for run in runs] for key, runs in tabular_runs().items()}
    assert all(len(values) >= 10 for values in results.values())
    assert set(results["CliffWalking", "Q-learning, α = 0.1", "greedy return"]) == {-13}
    assert set(results["CliffWalking", "SARSA, α = 0.05", "greedy return"]) == {-15}
    assert min(results["Taxi", "Q-learning, α = 0.5", "greedy return"]) >= 7
    assert min(results["FrozenLake", "Q-learning, α = 0.3 to 0.01", "greedy return"]) >= 0.65
    truncated, ended = (results["clock", name, "value"] for name in ("truncated", "taken for the end"))
    assert min(truncated) > 9.9
    assert max(ended) < 7


def test_sweeps_bring_the_values_nearer_by_the_discount_at_least():
    history = value_iteration("FrozenLake", 0.9).history
    moves = np.abs(np.diff(history, axis=0)).max(1)
    assert all(later <= 0.9 * earlier + 1e-12 for earlier, later in pairwise(moves))
