"""Environments: CartPoles beside Gymnasium's, grid worlds, environments by name, whole episodes."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from dlcourse.rl import envs
from dlcourse.rl.envs import VectorCartPole, episode, make, play, register
from dlcourse.rl.gridworld import GridWorld


def leaning(observations):
    """Push to where the pole leans and turns: balances for as long as one likes."""
    x, velocity, angle, turning = np.asarray(observations).T
    return (angle + 0.3 * turning + 0.03 * x + 0.06 * velocity > 0).astype(int)


# ---- CartPoles


@pytest.mark.parametrize("share_of_chance", [1.0, 0.1], ids=["by chance", "mostly balancing"])
def test_a_cart_goes_step_by_step_where_gymnasiums_goes(share_of_chance):
    real, rng = make("CartPole-v1"), np.random.default_rng(0)
    carts = VectorCartPole(1, rng)
    observation, _ = real.reset(seed=0)
    carts.reset(real.unwrapped.state[None])
    ends, clocks = 0, 0
    for _ in range(10_000):
        action = rng.integers(2) if rng.random() < share_of_chance else leaning(observation)
        observation, reward, terminated, truncated, _ = real.step(int(action))
        _, rewards, fallen, stopped, final = carts.step([action])
        np.testing.assert_allclose(final[0], observation, rtol=0, atol=1e-6)
        assert (rewards[0], fallen[0], stopped[0]) == (reward, terminated, truncated)
        ends, clocks = ends + terminated, clocks + truncated
        if terminated or truncated:
            observation, _ = real.reset()
            carts.reset(real.unwrapped.state[None])
    assert ends > 300 if share_of_chance == 1 else clocks >= 10


def test_a_cart_does_not_feel_the_others():
    starts = np.random.default_rng(1).uniform(-0.05, 0.05, size=(3, 4))
    together, alone = VectorCartPole(3, np.random.default_rng(0)), VectorCartPole(1, np.random.default_rng(0))
    together.reset(starts)
    alone.reset(starts[1:2])
    for pushes in np.random.default_rng(2).integers(2, size=(8, 3)):
        beside, single = together.step(pushes)[4][1], alone.step(pushes[1:2])[4][0]
        np.testing.assert_array_equal(beside, single)


def test_a_cart_that_has_fallen_starts_anew_and_the_others_go_on():
    carts = VectorCartPole(2, np.random.default_rng(0))
    carts.reset([[0, 0, 0.2, 3.0], [0, 0, 0, 0]])
    observations, rewards, terminated, truncated, final = carts.step([0, 1])
    assert terminated.tolist() == [True, False]
    assert not truncated.any()
    assert rewards.tolist() == [1, 1]
    assert final[0, 2] > envs.STEEPEST
    assert np.abs(observations[0]).max() <= 0.05
    np.testing.assert_array_equal(observations[1], final[1])
    assert carts.elapsed.tolist() == [0, 1]


def test_a_cart_that_leaves_the_track_has_failed():
    carts = VectorCartPole(2, np.random.default_rng(0))
    carts.reset([[2.39, 3, 0, 0], [-2.39, -3, 0, 0]])
    assert carts.step([1, 0])[2].tolist() == [True, True]


def test_the_clock_truncates_and_does_not_terminate():
    carts = VectorCartPole(1, np.random.default_rng(0), max_steps=3)
    carts.reset([[0, 0, 0, 0]])
    ends = [carts.step([k % 2])[2:4] for k in range(3)]
    assert [(bool(terminated[0]), bool(truncated[0])) for terminated, truncated in ends] == [
        (False, False), (False, False), (False, True),
    ]  # fmt: skip
    assert carts.elapsed[0] == 0


def test_a_pole_that_falls_on_the_clocks_last_step_is_terminated_too():
    carts = VectorCartPole(1, np.random.default_rng(0), max_steps=1)
    carts.reset([[0, 0, 0.2, 3.0]])
    _, _, terminated, truncated, _ = carts.step([0])
    assert (terminated[0], truncated[0]) == (True, True)


def test_starts_come_from_the_generator():
    one, other = (VectorCartPole(4, np.random.default_rng(3)).reset() for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (4, 4)
    assert one.dtype == np.float32
    assert 0.03 < np.abs(one).max() <= 0.05


def test_stated_starts_are_left_as_they_are():
    starts = np.zeros((2, 4))
    carts = VectorCartPole(2, np.random.default_rng(0))
    carts.reset(starts)
    carts.step([1, 1])
    assert not starts.any()


def test_observations_are_arrays_of_ones_own():
    carts = VectorCartPole(2, np.random.default_rng(0))
    before = carts.reset()
    kept = before.copy()
    observations, *_, final = carts.step([0, 1])
    final[:] = 9
    assert np.abs(observations).max() < 9
    np.testing.assert_array_equal(before, kept)
    assert observations.flags.c_contiguous


@pytest.mark.parametrize(
    "actions", [[0], [0, 2], [0, -1], [[0, 1]], [0, 0.5]], ids=["one", "two", "minus", "a row", "half"]
)
def test_actions_that_are_none_are_refused(actions):
    with pytest.raises(ValueError, match=r"VectorCartPole\.step: actions=.*give 2 of 0 \(left\) and 1 \(right\)"):
        VectorCartPole(2, np.random.default_rng(0)).step(actions)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="n=0"):
        VectorCartPole(0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="max_steps=0"):
        VectorCartPole(1, np.random.default_rng(0), max_steps=0)
    with pytest.raises(ValueError, match=r"states of shape \(4,\); give \(1, 4\)"):
        VectorCartPole(1, np.random.default_rng(0)).reset(np.zeros(4))


def test_carts_need_neither_gymnasium_nor_torch():
    code = (
        "import sys, numpy as np\nfrom dlcourse.rl.envs import VectorCartPole\n"
        "VectorCartPole(2, np.random.default_rng(0)).step([0, 1])\nprint(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "dlcourse.rl.envs" in loaded
    assert not {"gymnasium", "torch", "matplotlib"} & set(loaded)


# ---- grid worlds


def merged(model):
    """P with outcomes that are the same told once, sorted."""
    found = {}
    for s, actions in model.items():
        for a, outcomes in actions.items():
            chances = {}
            for p, after, reward, over in outcomes:
                key = int(after), float(reward), bool(over)
                chances[key] = chances.get(key, 0) + p
            found[s, a] = sorted((key, round(p, 12)) for key, p in chances.items())
    return found


@pytest.mark.parametrize("slippery", [False, True], ids=["firm", "slippery"])
def test_a_frozen_lake_in_text_has_the_model_of_gymnasiums(slippery):
    lake = gymnasium.make("FrozenLake-v1", is_slippery=slippery).unwrapped
    rows = [b"".join(row).decode().replace("F", "-") for row in lake.desc]
    world = GridWorld(rows, slip=2 / 3 if slippery else 0.0, rewards={"H": 0.0})
    assert merged(world.transitions) == merged(lake.P)


def test_gymnasium_finds_nothing_to_complain_of():
    register()
    register()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("dlcourse/GridWorld-v0", slip=0.2).unwrapped)
        check_env(make("GridWorld", render_mode="ansi").unwrapped)


@pytest.mark.parametrize("slip", [0.0, 0.3, 1.0])
def test_what_can_come_of_an_action_has_probability_one(slip):
    world = GridWorld(["S-1", "#-G", "H--"], slip=slip)
    sums = [sum(outcome[0] for outcome in world.transitions[s][a]) for s in range(9) for a in range(4)]
    np.testing.assert_allclose(sums, 1)


def test_a_slip_goes_to_the_two_sides():
    world = GridWorld(["---", "-S-", "---"], slip=0.4)
    assert world.transitions[4][2] == [(0.6, 5, 0.0, False), (0.2, 7, 0.0, False), (0.2, 1, 0.0, False)]


@pytest.mark.parametrize(("action", "after"), [(0, 3), (1, 3), (2, 4), (3, 0)], ids=["edge", "below", "free", "up"])
def test_edges_and_walls_stop_a_step(action, after):
    world = GridWorld(["-#-", "S-#"])
    assert world.transitions[3][action] == [(1.0, after, 0.0, False)]
    assert world.transitions[4][3] == [(1.0, 4, 0.0, False)]
    assert world.transitions[4][2] == [(1.0, 4, 0.0, False)]


def test_goal_and_hole_end_and_digits_earn_at_every_visit():
    world = GridWorld(["G3S", "--H"], step_cost=0.25)
    assert world.transitions[1][0] == [(1.0, 0, 0.75, True)]
    assert world.transitions[2][1] == [(1.0, 5, -1.25, True)]
    assert world.transitions[2][0] == [(1.0, 1, 2.75, False)]
    assert world.transitions[1][3] == [(1.0, 1, 2.75, False)]  # bumps into the edge and stays where 3 is earned


def test_a_cell_that_ends_and_a_wall_lead_to_themselves_for_nothing():
    world = GridWorld(["SG#H"], step_cost=1.0)
    for s in (1, 2, 3):
        assert all(world.transitions[s][a] == [(1.0, s, 0.0, True)] for a in range(4))


def test_rewards_may_be_others_and_signs_be_added():
    world = GridWorld(["SmG"], rewards={"G": 10.0, "m": -0.5})
    assert world.transitions[0][2] == [(1.0, 1, -0.5, False)]
    assert world.transitions[1][2] == [(1.0, 2, 10.0, True)]


def test_steps_come_as_often_as_the_model_says():
    world = GridWorld(["---", "-S-", "---"], slip=0.4)
    world.reset(seed=0)
    seen = []
    for _ in range(4000):
        world.reset()
        seen.append(world.step(2)[0])
    shares = [seen.count(s) / 4000 for s in (5, 7, 1)]
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.03)


def test_an_episode_starts_at_each_start():
    world = GridWorld(["S-S", "-G-"])
    world.reset(seed=0)
    assert {world.reset()[0] for _ in range(40)} == {0, 2}


def test_a_text_of_several_lines_is_a_map_too():
    assert GridWorld("S-G\n-#-\n").rows == ("S-G", "-#-")
    assert GridWorld("""
        S-G
        -#-
    """).rows == ("S-G", "-#-")


def test_the_map_shows_the_agent():
    world = GridWorld(["S-G", "---"], render_mode="ansi")
    world.reset(seed=0)
    world.step(1)
    assert world.render() == "S-G\n@--"
    assert GridWorld(["SG"]).render() is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "give lines of text"),
        ([""], "give lines of text"),
        (["S--", "-G"], r"are \[3, 2\] long; give them one length"),
        (["S-x"], r"the sign 'x'.*rewards=\{'x': …\}"),
        (["--G"], "no S in"),
    ],
    ids=["nothing", "an empty line", "two lengths", "a sign", "no start"],
)
def test_an_odd_map_is_refused_with_a_remedy(rows, said):
    with pytest.raises(ValueError, match=f"GridWorld: .*{said}"):
        GridWorld(rows)


def test_other_odd_options_are_refused():
    with pytest.raises(ValueError, match=r"slip=1\.5; give a probability"):
        GridWorld(slip=1.5)
    with pytest.raises(ValueError, match="render_mode='human'; give None or 'ansi'"):
        GridWorld(render_mode="human")
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        GridWorld().step(0)
    world = GridWorld()
    world.reset(seed=0)
    with pytest.raises(ValueError, match="action=4; give 0 left"):
        world.step(4)


# ---- environments by name


def test_a_name_without_a_version_gives_the_newest():
    register()
    newest = {"CartPole": "CartPole-v1", "GridWorld": "dlcourse/GridWorld-v0"}
    for name in ("Taxi", "CliffWalking"):
        versions = [s.version for s in gymnasium.registry.values() if s.name == name and s.namespace is None]
        newest[name] = f"{name}-v{max(versions)}"
    assert {name: make(name).spec.id for name in newest} == newest


def test_of_two_versions_the_larger_number_is_newer(monkeypatch):
    known = {f"Pole-v{k}": gymnasium.envs.registration.EnvSpec(f"Pole-v{k}") for k in (2, 10, 9)}
    known["jax/Pole-v11"] = gymnasium.envs.registration.EnvSpec("jax/Pole-v11")
    monkeypatch.setattr(gymnasium, "registry", {**gymnasium.registry, **known})
    monkeypatch.setattr(gymnasium, "make", lambda id, **options: (id, options))
    assert make("Pole", size=3) == ("Pole-v10", {"size": 3})
    assert make("Pole-v9") == ("Pole-v9", {})


def test_a_name_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="id='CartPoole'; Gymnasium knows no environment"):
        make("CartPoole")


def test_options_go_on_to_the_environment():
    assert make("FrozenLake", is_slippery=False).unwrapped.P[0][1] != make("FrozenLake").unwrapped.P[0][1]


# ---- whole episodes


def test_an_episode_tells_all_that_happened():
    seen = episode(GridWorld(["S--G"], step_cost=0.1), lambda state: 2)
    assert seen.observations.tolist() == [0, 1, 2, 3]
    assert seen.actions.tolist() == [2, 2, 2]
    np.testing.assert_allclose(seen.rewards, [-0.1, -0.1, 0.9])
    assert seen.terminated


def test_an_episode_that_the_clock_stops_is_not_terminated():
    seen = episode(make("GridWorld", rows=["S--G"], max_episode_steps=2), [2, 0, 0, 0])
    assert seen.observations.tolist() == [0, 1, 0]
    assert not seen.terminated


def test_an_array_is_a_policy_of_numbered_states():
    world = make("GridWorld", rows=["S-G", "-H-"])
    assert play(world, [2, 2, 0, 0, 0, 0], 3).tolist() == [1, 1, 1]
    assert play(world, [1, 2, 0, 2, 0, 0], 3).tolist() == [-1, -1, -1]


def test_a_seed_plays_the_same_episodes():
    one, again, other = (play("FrozenLake", np.arange(16) % 4, 60, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() or one.sum() == 0
    lengths = [play("CartPole", lambda o: int(o[2] > 0), 5, seed=seed).tolist() for seed in (0, 0, 1)]
    assert lengths[0] == lengths[1] != lengths[2]
    assert len(set(lengths[0])) > 1


def test_a_balancing_policy_earns_500_on_the_real_cartpole():
    assert play("CartPole", lambda observation: int(leaning(observation)), 10).tolist() == [500] * 10


def test_an_environment_without_a_clock_is_left_in_the_end(monkeypatch):
    monkeypatch.setattr(envs, "LONGEST", 50)
    assert make("CliffWalking").spec.max_episode_steps is None
    assert play("CliffWalking", np.zeros(48, dtype=int), 1).tolist() == [-50]


def test_an_environment_that_was_made_here_is_closed_and_another_is_not(monkeypatch):
    closed = []
    monkeypatch.setattr(GridWorld, "close", lambda self: closed.append(self))
    world = make("GridWorld", rows=["SG"])
    play(world, [2, 0], 2)
    assert not closed
    play("GridWorld", lambda state: 2 if state > 7 or state < 3 else 3, 2)
    assert len(closed) == 1


def test_playing_no_episodes_is_refused():
    with pytest.raises(ValueError, match="episodes=0; give at least 1"):
        play("CartPole", lambda observation: 0, 0)


def test_an_array_of_actions_is_refused_where_states_are_not_numbered():
    with pytest.raises(TypeError, match="give a function"):
        play("CartPole-v1", np.zeros(4), 1)
