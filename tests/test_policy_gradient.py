"""Advantages, the three policy gradients, and the environments they play side by side."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.rl import trial_torch
from dlcourse.rl.envs import VectorCartPole, play
from dlcourse.rl.networks_torch import mlp
from dlcourse.rl.policies_torch import greedy_return
from dlcourse.rl.policy_gradient_torch import (
    GymnasiumVector,
    PolicyAgent,
    discounted,
    gae,
    judged,
    load_policy,
    mean_of,
    save_policy,
    train_a2c,
    train_ppo,
    train_reinforce,
)
from dlcourse.rl.runs import deep_runs
from dlcourse.rl.trial_torch import Trial

TRAININGS = [train_reinforce, train_a2c, train_ppo]
RNG = np.random.default_rng(0)
REWARDS, VALUES, LAST = RNG.normal(size=6), RNG.normal(size=6), 0.7
NEVER = np.zeros(6, bool)
GAMMA = 0.9


def at(*steps: int) -> np.ndarray:
    """True at these of six steps."""
    return np.isin(np.arange(6), steps)


def weights(network: nn.Module) -> np.ndarray:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()]).numpy()


# ---- advantages


def test_with_lambda_one_an_advantage_is_the_return_minus_the_value():
    advantages, returns = gae(REWARDS, VALUES, LAST, NEVER, GAMMA, 1.0)
    powers = GAMMA ** np.arange(7)
    sums = [(powers[: 6 - t] * REWARDS[t:]).sum() + powers[6 - t] * LAST for t in range(6)]
    np.testing.assert_allclose(returns, sums)
    np.testing.assert_allclose(advantages, np.array(sums) - VALUES)


def test_with_lambda_zero_an_advantage_is_one_steps_error():
    advantages, _ = gae(REWARDS, VALUES, LAST, NEVER, GAMMA, 0.0)
    np.testing.assert_allclose(advantages, REWARDS + GAMMA * np.append(VALUES[1:], LAST) - VALUES)


def test_between_them_errors_are_summed_with_powers_of_gamma_lambda():
    errors, _ = gae(REWARDS, VALUES, LAST, NEVER, GAMMA, 0.0)
    advantages, _ = gae(REWARDS, VALUES, LAST, NEVER, GAMMA, 0.5)
    expected = [sum((GAMMA * 0.5) ** k * errors[t + k] for k in range(6 - t)) for t in range(6)]
    np.testing.assert_allclose(advantages, expected)


def test_after_a_terminated_step_nothing_counts():
    advantages, _ = gae(REWARDS, VALUES, LAST, at(2), GAMMA, 0.8)
    alone, _ = gae(REWARDS[:3], VALUES[:3], 0.0, NEVER[:3], GAMMA, 0.8)
    np.testing.assert_allclose(advantages[:3], alone)


def test_after_a_truncated_step_the_value_of_where_it_led_counts_and_the_next_episode_does_not():
    final = np.full(6, 5.0)
    advantages, _ = gae(REWARDS, VALUES, LAST, NEVER, GAMMA, 0.8, at(2), final)
    alone, _ = gae(REWARDS[:3], VALUES[:3], 5.0, NEVER[:3], GAMMA, 0.8)
    np.testing.assert_allclose(advantages[:3], alone)


def test_a_step_both_terminated_and_truncated_is_terminated():
    both, _ = gae(REWARDS, VALUES, LAST, at(2), GAMMA, 0.8, at(2), np.full(6, 5.0))
    np.testing.assert_allclose(both, gae(REWARDS, VALUES, LAST, at(2), GAMMA, 0.8)[0])


def test_environments_do_not_mix():
    columns = [gae(REWARDS * k, VALUES, LAST + k, at(k), GAMMA, 0.8) for k in (1, 3)]
    together = gae(
        np.stack([REWARDS, REWARDS * 3], 1), np.stack([VALUES, VALUES], 1), np.array([LAST + 1, LAST + 3]),
        np.stack([at(1), at(3)], 1), GAMMA, 0.8,
    )  # fmt: skip
    for k in (0, 1):
        np.testing.assert_allclose(together[0][:, k], columns[k][0])
        np.testing.assert_allclose(together[1][:, k], columns[k][1])


def test_a_return_is_the_discounted_sum_of_what_follows():
    np.testing.assert_allclose(discounted(np.array([[1.0], [2.0], [3.0]]), 0.5), [[2.75], [3.5], [3.0]])


def test_the_baseline_is_the_mean_over_the_episodes_that_still_run():
    values, running = np.array([[1.0, 3.0], [5.0, 9.0]]), np.array([[True, True], [True, False]])
    np.testing.assert_allclose(mean_of(values, running), [[2.0], [5.0]])


# ---- the policy


@pytest.fixture
def agent() -> PolicyAgent:
    torch.manual_seed(0)
    return PolicyAgent("PPO", mlp(4, 8, 3, nn.Tanh), mlp(4, 8, 1, nn.Tanh), [(16, 9.5)], [(16, 10.0)], 16, 0.5, True)


def test_actions_are_drawn_as_often_as_their_probabilities_say(agent):
    observation = np.array([2.0, -1, 0.5, 1], np.float32)
    drawn = agent.draw(np.tile(observation, (20_000, 1)), np.random.default_rng(1))
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 20_000, agent.probabilities(observation), atol=0.02)


def test_an_agent_does_what_is_likeliest(agent):
    for observation in np.random.default_rng(2).normal(size=(10, 4)):
        assert agent.act(observation) == agent.probabilities(observation).argmax()


def test_probabilities_are_the_networks_softmax(agent):
    x = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    expected = torch.softmax(agent.policy(torch.from_numpy(x)), 1).detach().numpy()
    np.testing.assert_allclose(agent.probabilities(x), expected, atol=1e-6)


def test_log_probabilities_and_entropies_are_those_of_pytorchs_distribution(agent):
    x, actions = torch.randn(7, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    distribution = torch.distributions.Categorical(logits=agent.policy(x))
    log_probs, entropies = judged(agent.policy, x, actions)
    torch.testing.assert_close(log_probs, distribution.log_prob(actions))
    torch.testing.assert_close(entropies, distribution.entropy())


def test_without_a_critic_there_are_no_values(agent):
    with pytest.raises(ValueError, match="REINFORCE has no critic"):
        PolicyAgent("REINFORCE", agent.policy).values(np.zeros((1, 4)))


def test_a_saved_policy_comes_back_as_it_was(agent, tmp_path):
    save_policy(agent, tmp_path / "policy.pt")
    loaded = load_policy(tmp_path / "policy.pt")
    x = np.random.default_rng(4).normal(size=(5, 4))
    np.testing.assert_array_equal(loaded.probabilities(x), agent.probabilities(x))
    np.testing.assert_array_equal(loaded.values(x), agent.values(x))
    names = ("method", "history", "validation", "steps", "seconds", "solved")
    assert [getattr(loaded, name) for name in names] == [getattr(agent, name) for name in names]


def test_a_policy_without_critic_can_be_saved(agent, tmp_path):
    save_policy(PolicyAgent("REINFORCE", agent.policy), tmp_path / "policy.pt")
    assert load_policy(tmp_path / "policy.pt").critic is None


class Program:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [{"method": "PPO"}, Program(), [1, 2]], ids=["incomplete", "program", "list"])
def test_another_file_is_refused_and_not_run(content, tmp_path, capsys):
    torch.save(content, tmp_path / "policy.pt")
    with pytest.raises(ValueError, match=r"policy\.pt is no policy's file"):
        load_policy(tmp_path / "policy.pt")
    assert capsys.readouterr().out == ""


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_policy(tmp_path / "policy.pt")


# ---- trainings


@pytest.mark.parametrize("train", TRAININGS)
def test_a_method_solves_cartpole_and_gymnasiums_own_agrees(train):
    agent = train(seed=0, progress=False)
    assert agent.solved
    assert play("CartPole-v1", agent.act, 100, seed=123).mean() >= 475


def test_without_a_baseline_reinforce_weighs_actions_with_their_returns():
    plain, minus_mean = (train_reinforce(steps=1, seed=1, baseline=on, progress=False) for on in (False, True))
    assert not np.array_equal(weights(plain.policy), weights(minus_mean.policy))


def test_a_first_step_of_reinforce_moves_along_the_policy_gradient():
    trial = Trial("REINFORCE", VectorCartPole, seed=3, steps=1, n=16, lr=1e-2, width=64, stop_at=None)
    with trial.bar(False):
        played = next(trial.whole_episodes(look_every=5))
    before = trial.agent.policy
    lengths = played.running.sum(0)
    for k, length in enumerate(lengths):  # each episode counts to its end, and no step more
        assert played.terminated[length - 1, k]
        assert not played.terminated[: length - 1, k].any()
        assert not played.rewards[length:, k].any()
    returns = discounted(played.rewards, 0.99)
    advantages = (returns - mean_of(returns, played.running))[played.running]
    x, actions = (torch.from_numpy(array[played.running]) for array in (played.observations, played.actions))
    log_probs = torch.distributions.Categorical(logits=before(x)).log_prob(actions)
    (log_probs * torch.from_numpy(advantages).float()).mean().backward()
    gradient = np.concatenate([parameter.grad.flatten().numpy() for parameter in before.parameters()])

    after = train_reinforce(seed=3, steps=1, stop_at=None, progress=False).policy
    large = np.abs(gradient) > 1e-4 * np.abs(gradient).max()
    moved = weights(after) - weights(before)
    np.testing.assert_array_equal(np.sign(moved[large]), np.sign(gradient[large]))  # Adam's first step is the sign


def test_ppo_with_one_pass_over_one_batch_is_a2c():
    options = {"steps": 256, "length": 16, "lr": 3e-3, "lam": 0.9, "seed": 2, "progress": False}
    a2c = train_a2c(**options)
    ppo = train_ppo(**options, epochs=1, minibatch=256)
    np.testing.assert_allclose(weights(ppo.policy), weights(a2c.policy), atol=1e-4)
    np.testing.assert_allclose(weights(ppo.critic), weights(a2c.critic), atol=1e-4)
    assert np.abs(weights(a2c.policy)).max() > 0


@pytest.mark.parametrize("clip", [0.05, 0.4])
def test_ppos_clip_bounds_how_far_the_probabilities_move(clip):
    moved = {}
    for bound in (clip, 1e9):
        before = Trial("PPO", VectorCartPole, seed=4, steps=1, n=16, lr=1, width=64, stop_at=None).agent
        after = train_ppo(seed=4, steps=2048, clip=bound, epochs=20, entropy=0.0, stop_at=None, progress=False)
        x = np.random.default_rng(0).uniform(-0.2, 0.2, (200, 4))
        moved[bound] = np.abs(np.log(after.probabilities(x) / before.probabilities(x))).mean()
    assert moved[clip] < moved[1e9] / 1.5


@pytest.mark.parametrize("train", TRAININGS)
def test_a_seed_says_everything(train):
    runs = []
    for seed in (7, 7, 8):
        torch.manual_seed(len(runs))
        runs.append(train(steps=600, seed=seed, progress=False))
    np.testing.assert_array_equal(weights(runs[0].policy), weights(runs[1].policy))
    assert runs[0].history == runs[1].history
    assert not np.array_equal(weights(runs[0].policy), weights(runs[2].policy))


def test_the_global_generator_and_the_threads_are_left_alone():
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train_ppo(steps=1, progress=False)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_steps_are_those_of_all_environments_together():
    assert train_a2c(n=4, length=8, steps=33, progress=False).steps == 64
    assert train_ppo(n=2, length=10, steps=20, progress=False).steps == 20


def test_only_steps_of_running_episodes_are_counted():
    agent = train_reinforce(n=4, steps=1, progress=False)
    (steps, mean), *_ = agent.history
    assert steps == agent.steps == 4 * mean  # in CartPole each step earns 1


def test_training_goes_on_until_the_policy_is_good_enough():
    agent = train_a2c(steps=50_000, stop_at=1.0, progress=False)
    assert (agent.steps, agent.solved, len(agent.validation)) == (40 * 256, True, 1)


def test_an_interrupted_run_is_given_back(monkeypatch):
    descend, calls = Trial.descend, []

    def interrupted(trial, loss):
        calls.append(loss)
        if len(calls) == 3:
            raise KeyboardInterrupt
        descend(trial, loss)

    monkeypatch.setattr(Trial, "descend", interrupted)
    for train, steps in ((train_reinforce, None), (train_a2c, 3 * 256), (train_ppo, 2048)):
        calls.clear()
        agent = train(progress=False)
        assert not agent.solved
        assert agent.steps == (steps or agent.history[-1][0])
        assert agent.act(np.zeros(4)) in (0, 1)


def test_the_bar_tells_the_mean_return(said_by_the_bar):
    said = said_by_the_bar(trial_torch)
    agent = train_a2c(steps=1000)
    assert said == [f"mean return {mean:.0f}" for _, mean in agent.history]
    assert said


ODD = {"steps": 0, "n": 1.5, "width": 0, "lr": 0.0, "gamma": 1.5}
ODD_OF_CRITICS = {"length": 0, "lam": -0.1, "entropy": -1.0}


@pytest.mark.parametrize(
    ("train", "name", "value"),
    [
        *((train, name, value) for train in TRAININGS for name, value in ODD.items()),
        *((train, name, value) for train in (train_a2c, train_ppo) for name, value in ODD_OF_CRITICS.items()),
        *((train_ppo, name, value) for name, value in {"epochs": 0, "minibatch": 0, "clip": float("nan")}.items()),
    ],
)
def test_an_option_outside_of_its_bounds_is_refused(train, name, value):
    with pytest.raises(ValueError, match=f"{train.__name__}: {name}={value}; give "):
        train(**{name: value})


# ---- environments of Gymnasium's


def test_environments_of_gymnasiums_play_as_they_would_alone():
    worlds = GymnasiumVector("CartPole-v1", 3, np.random.default_rng(5))
    seeds = [int(seed) for seed in (np.random.default_rng(5).integers(2**31) for _ in range(1))]
    observations = worlds.reset()
    alone = gymnasium.make("CartPole-v1")
    np.testing.assert_array_equal(observations[0], alone.reset(seed=seeds[0])[0])
    for step in range(200):
        action = step % 3 == 0
        observations, rewards, terminated, truncated, final = worlds.step(np.full(3, int(action)))
        expected = alone.step(int(action))
        np.testing.assert_array_equal(final[0], expected[0])
        assert (rewards[0], terminated[0], truncated[0]) == expected[1:4]
        if terminated[0]:
            np.testing.assert_array_equal(observations[0], alone.reset()[0])
        else:
            np.testing.assert_array_equal(observations[0], final[0])


def test_an_episode_that_ends_starts_anew_and_its_last_observation_is_kept():
    worlds = GymnasiumVector("CartPole-v1", 2, np.random.default_rng(0))
    worlds.reset()
    ended = False
    while not ended:
        observations, _, terminated, _, final = worlds.step(np.ones(2))
        ended = terminated[0]
    assert np.abs(final[0, 2]) > 0.2
    assert np.abs(observations[0]).max() <= 0.05


@pytest.mark.parametrize("train", TRAININGS)
def test_any_environment_with_vectors_and_numbered_actions_will_do(train):
    agent = train("MountainCar-v0", n=2, steps=300, progress=False)
    assert agent.probabilities(np.zeros(2)).shape == (3,)
    assert agent.steps >= 300


@pytest.mark.parametrize(
    ("env", "said"),
    [("FrozenLake-v1", "observations are Discrete.16."), ("Pendulum-v1", "actions are Box")],
    ids=["numbered states", "continuous actions"],
)
def test_an_environment_of_another_kind_is_refused(env, said):
    with pytest.raises(ValueError, match=f"the environment's {said}"):
        train_ppo(env)


def test_a_greedy_return_is_the_mean_over_one_episode_each(agent):
    torch.manual_seed(1)
    agent = PolicyAgent("PPO", mlp(4, 8, 2, nn.Tanh))
    starts = np.random.default_rng(0)
    mean = greedy_return(agent, VectorCartPole(10, starts))
    states = np.random.default_rng(0)
    states.uniform(-0.05, 0.05, size=(10, 4))  # the first start is drawn when the carts are made
    lengths = []
    for state in states.uniform(-0.05, 0.05, size=(10, 4)):
        world = VectorCartPole(1, np.random.default_rng(9))
        observation, steps, over = world.reset(state[None]), 0, False
        while not over:
            observation, _, terminated, truncated, _ = world.step([agent.act(observation[0])])
            steps, over = steps + 1, bool(terminated[0] or truncated[0])
        lengths.append(steps)
    assert mean == pytest.approx(np.mean(lengths))


# ---- over seeds


@pytest.mark.parametrize("method", ["REINFORCE", "A2C", "PPO"])
def test_a_method_solves_cartpole_in_ten_seconds_from_every_seed(method):
    runs = deep_runs()["CartPole", method, "return"]
    assert len(runs) == 5
    assert all(run.result >= 475 and run.seconds <= 10 for run in runs)
