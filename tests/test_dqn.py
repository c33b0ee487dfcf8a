"""The replay buffer, returns over n steps, and deep Q-learning with its switches."""

from __future__ import annotations

import copy
import dataclasses

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.rl import dqn_torch
from dlcourse.rl.dqn_torch import DQNAgent, DQNConfig, epsilon, learn, train_dqn
from dlcourse.rl.envs import play
from dlcourse.rl.networks_torch import Mirror, mlp, one_thread
from dlcourse.rl.replay import NStep, ReplayBuffer, Transitions
from dlcourse.rl.runs import Run, deep_runs

SCALE = (0.5, 0.5, 5.0, 0.5)
ALL_FIVE = DQNConfig(n_step=3, observation_scale=SCALE)
SHORT = DQNConfig(steps=2100, width=16, updates=16, validate_every=1050, stop_at=None)


def filled(capacity: int, transitions: int) -> ReplayBuffer:
    buffer = ReplayBuffer(capacity, (2,))
    for k in range(transitions):
        buffer.add([k, -k], k % 3, k / 10, [k + 1, -k - 1], 0.9)
    return buffer


# ---- the buffer


def test_the_buffer_keeps_the_newest_transitions():
    seen = filled(5, 12).sample(500, np.random.default_rng(0)).observations[:, 0]
    assert set(seen) == {7, 8, 9, 10, 11}


def test_the_buffer_says_how_many_it_keeps():
    assert [len(filled(5, k)) for k in (0, 3, 5, 9)] == [0, 3, 5, 5]


def test_the_parts_of_a_transition_stay_together():
    batch = filled(100, 60).sample(200, np.random.default_rng(1))
    k = batch.observations[:, 0]
    np.testing.assert_array_equal(batch.observations[:, 1], -k)
    np.testing.assert_array_equal(batch.actions, k % 3)
    np.testing.assert_allclose(batch.rewards, k / 10, rtol=1e-6)
    np.testing.assert_array_equal(batch.next_observations, np.stack([k + 1, -k - 1], axis=1))


def test_each_transition_is_drawn_as_often_as_any_other():
    drawn = filled(10, 25).sample(20_000, np.random.default_rng(2)).observations[:, 0]
    counts = np.bincount(drawn.astype(int) - 15, minlength=10)
    assert (np.abs(counts - 2000) < 5 * np.sqrt(2000)).all()


def test_a_batch_is_a_copy():
    buffer = filled(1, 1)
    buffer.sample(1, np.random.default_rng(0)).observations[:] = 99
    assert buffer.sample(1, np.random.default_rng(0)).observations[0, 0] == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ReplayBuffer(0, (4,)), "capacity=0"),
        (lambda: filled(3, 0).sample(2, np.random.default_rng(0)), "the buffer is empty"),
        (lambda: filled(3, 2).sample(0, np.random.default_rng(0)), "batch=0"),
        (lambda: NStep(filled(3, 0), 0, 0.9), "n=0"),
    ],
    ids=["capacity", "empty", "batch", "n"],
)
def test_what_makes_no_sense_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


# ---- n steps


class Noted:
    """Stands for a buffer."""

    def __init__(self):
        self.added = []

    def add(self, *transition):
        self.added.append(transition)


def joined(n: int, steps: int, terminated: bool, truncated: bool) -> list[tuple]:
    """An episode with the observations 0, 1, 2 … and the rewards 1, 2, 3 …, at γ = 1/2."""
    noted = Noted()
    writer = NStep(noted, n, 0.5)
    for k in range(steps):
        last = k == steps - 1
        writer.add(k, 7, k + 1, k + 1, terminated and last, truncated and last)
    return noted.added


def test_one_step_is_passed_on_as_it_is():
    assert joined(1, 3, False, False) == [(0, 7, 1, 1, 0.5), (1, 7, 2, 2, 0.5), (2, 7, 3, 3, 0.5)]


def test_three_steps_are_summed_with_their_discounts():
    assert joined(3, 4, False, False) == [(0, 7, 1 + 2 / 2 + 3 / 4, 3, 1 / 8), (1, 7, 2 + 3 / 2 + 4 / 4, 4, 1 / 8)]


def test_a_terminated_episode_leaves_no_value_to_come():
    added = joined(3, 4, True, False)
    assert [row[0] for row in added] == [0, 1, 2, 3]
    assert added[1:] == [(1, 7, 4.5, 4, 0.0), (2, 7, 5.0, 4, 0.0), (3, 7, 4.0, 4, 0.0)]


def test_a_truncated_episode_counts_the_value_of_where_it_stood():
    assert joined(3, 4, False, True)[1:] == [(1, 7, 4.5, 4, 1 / 8), (2, 7, 5.0, 4, 1 / 4), (3, 7, 4.0, 4, 1 / 2)]


def test_no_return_runs_over_the_end_of_an_episode():
    noted = Noted()
    writer = NStep(noted, 3, 0.5)
    for k, over in enumerate([False, True, False, True]):
        writer.add(k, 0, 1, k + 1, False, over)
    assert [(row[0], row[2], row[3]) for row in noted.added] == [(0, 1.5, 2), (1, 1, 2), (2, 1.5, 4), (3, 1, 4)]


# ---- the networks


def test_the_mirror_computes_what_the_network_does_and_follows_its_weights():
    torch.manual_seed(0)
    for activation in (nn.ReLU, nn.Tanh):
        network = mlp(3, 8, 2, activation)
        mirror, x = Mirror(network), torch.randn(5, 3)
        optimizer = torch.optim.Adam(network.parameters(), 0.1, fused=True)
        network(x).sum().backward()
        optimizer.step()
        np.testing.assert_allclose(mirror(x.numpy()), network(x).detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(mirror(x[0].numpy()), network(x[0]).detach().numpy(), atol=1e-5)


def test_the_mirror_refuses_layers_that_it_does_not_know():
    with pytest.raises(ValueError, match="no layer Sigmoid"):
        Mirror(nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()))


def test_the_number_of_threads_is_restored():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


# ---- one update

BATCH = Transitions(
    np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32),
    np.array([0, 1, 1, 0, 1, 0]),
    np.array([1, 0, -1, 2, 0.5, 3], np.float32),
    np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32),
    np.array([0.9, 0.9, 0, 0.81, 0.9, 0], np.float32),
)


def two_networks() -> tuple[nn.Sequential, nn.Sequential]:
    """That never agree about the best action."""
    torch.manual_seed(3)
    network = mlp(3, 16, 2)
    target = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in target[-1].parameters():
            parameter.mul_(-2)
    return network, target


def goals(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return BATCH.rewards + BATCH.discounts * values[np.arange(6), chosen]


def huber(errors: np.ndarray) -> float:
    return float(np.where(np.abs(errors) < 1, errors**2 / 2, np.abs(errors) - 0.5).mean())


@pytest.mark.parametrize("double", [True, False])
def test_the_loss_is_hubers_of_the_error_against_the_double_or_the_plain_target(double):
    network, target = two_networks()
    online, other = (Mirror(copy.deepcopy(net))(BATCH.next_observations) for net in (network, target))
    values = Mirror(copy.deepcopy(network))(BATCH.observations)[np.arange(6), BATCH.actions]
    expected = huber(values - goals(other, (online if double else other).argmax(1)))
    _, loss = learn(
        network, target, torch.optim.SGD(network.parameters(), 0.1), BATCH, dataclasses.replace(SHORT, double=double)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_an_update_moves_the_network_and_not_the_target():
    network, target = two_networks()
    before, still = copy.deepcopy(network.state_dict()), copy.deepcopy(target.state_dict())
    learn(network, target, torch.optim.SGD(network.parameters(), 0.1), BATCH, SHORT)
    assert all(not torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(torch.equal(still[name], value) for name, value in target.state_dict().items())


def test_the_gradient_is_clipped():
    network, target = two_networks()
    before = copy.deepcopy(network)
    learn(network, target, torch.optim.SGD(network.parameters(), 1.0), BATCH, dataclasses.replace(SHORT, clip=0.01))
    pairs = zip(network.parameters(), before.parameters(), strict=True)
    moved = torch.cat([(new - old).flatten() for new, old in pairs])
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_epsilon_falls_in_a_line_and_stays():
    config = DQNConfig(epsilon_start=0.9, epsilon_end=0.1, epsilon_steps=100)
    assert [epsilon(step, config) for step in (0, 50, 100, 5000)] == pytest.approx([0.9, 0.5, 0.1, 0.1])


# ---- trainings


class Clock(gymnasium.Env):
    """One state; each step earns 1. A clock stops it after five steps, by what it calls a truncation or an end."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, ends: bool = False):
        self.ends = ends

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.ones(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        over = self.steps == 5
        return np.ones(1, np.float32), 1.0, over and self.ends, over and not self.ends, {}


CLOCK = DQNConfig(steps=1000, width=16, gamma=0.5, start=50, every=50, updates=50, epsilon_steps=1, epsilon_end=1)


@pytest.mark.parametrize("n_step", [1, 3])
def test_a_truncation_does_not_lower_what_a_state_is_worth(n_step):
    agent = train_dqn(Clock, config=dataclasses.replace(CLOCK, n_step=n_step), progress=False)
    np.testing.assert_allclose(agent.q_values(np.ones(1)), 2, atol=0.05)  # 1 + 1/2 + 1/4 + …


def test_an_end_lowers_what_a_state_is_worth():
    agent = train_dqn(lambda: Clock(ends=True), config=CLOCK, progress=False)  # four of five steps go on: 1 / (1 - .4)
    np.testing.assert_allclose(agent.q_values(np.ones(1)), 1 / 0.6, atol=0.12)


def test_with_all_five_ingredients_cartpole_is_solved():
    agent = train_dqn(config=ALL_FIVE, seed=1, progress=False)
    assert agent.solved
    assert agent.steps < 60_000
    assert play("CartPole-v1", agent.act, 100, seed=123).mean() >= 475


@pytest.fixture(scope="module")
def short() -> DQNAgent:
    return train_dqn(config=SHORT, seed=5, progress=False)


def test_the_history_counts_every_episodes_reward(short):
    steps, returns = np.array(short.history).T
    np.testing.assert_array_equal(np.cumsum(returns), steps)  # in CartPole each step earns 1
    assert short.steps == 2100


def test_the_curves_have_a_point_for_each_look_and_each_burst(short):
    assert [step for step, _ in short.validation] == [1050, 2100]
    assert [step for step, _, _ in short.values] == list(range(1024, 2100, 256))


def test_a_seed_says_everything(short):
    torch.manual_seed(99)
    again = train_dqn(config=SHORT, seed=5, progress=False)
    assert (again.history, again.values) == (short.history, short.values)
    assert train_dqn(config=SHORT, seed=6, progress=False).history != short.history


def test_the_global_generators_are_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    train_dqn(config=dataclasses.replace(SHORT, steps=1100), progress=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_agent_does_what_is_worth_most(short):
    observation = np.array([0.1, -0.2, 0.03, 0.4])
    values = short.q_values(observation)
    assert values.shape == (2,)
    assert short.act(observation) == values.argmax()
    np.testing.assert_allclose(short.q_values(np.stack([observation] * 3)), np.stack([values] * 3), rtol=1e-5)


def test_observations_are_scaled_for_the_network_and_its_user_alike():
    config = dataclasses.replace(SHORT, observation_scale=SCALE)
    agent = DQNAgent(mlp(4, 16, 2), config)
    plain = DQNAgent(agent.network, SHORT)
    x = np.array([0.1, -0.2, 0.03, 0.4], np.float32)
    np.testing.assert_allclose(agent.q_values(x), plain.q_values(x * np.array(SCALE, np.float32)), rtol=1e-6)


@pytest.mark.parametrize(("replay", "capacity"), [(True, 50_000), (False, 256)])
def test_without_replay_the_memory_ends_at_the_last_updates(monkeypatch, replay, capacity):
    made = []

    class Noticed(ReplayBuffer):
        def __init__(self, capacity, shape):
            made.append(capacity)
            super().__init__(capacity, shape)

    monkeypatch.setattr(dqn_torch, "ReplayBuffer", Noticed)
    train_dqn(config=dataclasses.replace(SHORT, steps=10, replay=replay), progress=False)
    assert made == [capacity]


@pytest.mark.parametrize("target_network", [True, False])
def test_without_a_target_network_the_targets_come_from_the_network_itself(monkeypatch, target_network):
    apart = []

    def noticed(network, target, *rest):
        apart.append(target is not network)
        return learn(network, target, *rest)

    monkeypatch.setattr(dqn_torch, "learn", noticed)
    train_dqn(config=dataclasses.replace(SHORT, steps=1100, target_network=target_network), progress=False)
    assert apart == [target_network] * 16


def test_training_goes_on_until_the_policy_is_good_enough():
    easy = dataclasses.replace(SHORT, stop_at=1.0)
    agent = train_dqn(config=easy, progress=False)
    assert (agent.steps, agent.solved) == (1050, True)


def test_an_interrupted_run_is_given_back(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(dqn_torch, "learn", interrupted)
    agent = train_dqn(config=SHORT, progress=False)
    assert (agent.steps, agent.solved) == (1024, False)
    assert agent.history
    assert agent.act(np.zeros(4)) in (0, 1)


def test_the_bar_tells_the_mean_return(said_by_the_bar):
    said = said_by_the_bar(dqn_torch)
    agent = train_dqn(config=dataclasses.replace(SHORT, steps=1100))
    until = [value for step, value in agent.history if step <= 1024]
    assert said == [f"mean return {np.mean(until[-20:]):.0f}"]


def test_any_environment_with_vectors_and_numbered_actions_will_do():
    agent = train_dqn("Acrobot-v1", config=dataclasses.replace(SHORT, steps=1100), progress=False)
    assert agent.q_values(np.zeros(6)).shape == (3,)
    assert all(value < 0 for _, value in agent.history)


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("n_step", 0), ("width", 0), ("batch", 0), ("capacity", 0), ("every", 0), ("updates", 0),
        ("epsilon_steps", 0), ("validate_every", 0), ("lr", 0.0), ("clip", -1.0), ("gamma", 1.5), ("epsilon_start", 2),
        ("epsilon_end", -0.1), ("start", -1), ("steps", 2.5), ("gamma", "much"),
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(ValueError, match=f"DQNConfig: {name}={value!r}; give "):
        DQNConfig(**{name: value})


def test_too_few_factors_for_the_observations_are_refused():
    with pytest.raises(ValueError, match="observation_scale has 2 factors, an observation 4 numbers"):
        train_dqn(config=DQNConfig(observation_scale=(1.0, 2.0)))


@pytest.mark.parametrize(
    ("env", "said"),
    [("FrozenLake-v1", "observations are Discrete.16."), ("Pendulum-v1", "actions are Box")],
    ids=["numbered states", "continuous actions"],
)
def test_an_environment_of_another_kind_is_refused(env, said):
    with pytest.raises(ValueError, match=f"train_dqn: the environment's {said}"):
        train_dqn(env)


def test_an_environment_itself_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="give a name, or a function that makes an environment"):
        train_dqn(gymnasium.make("CartPole-v1"))


# ---- over seeds


def test_the_textbooks_dqn_solves_cartpole_in_half_a_minute_for_four_seeds_of_five():
    runs = deep_runs()["CartPole", "DQN", "return"]
    assert len(runs) == 5
    assert sum(run.result >= 475 and run.seconds <= 30 for run in runs) >= 4


@pytest.fixture(scope="module")
def ablation() -> dict[tuple[str, str, str], list[Run]]:
    return {key: runs for key, runs in deep_runs().items() if key[0] != "CartPole"}


def test_every_run_of_the_ablation_took_as_many_steps(ablation):
    assert len(ablation) == (7 + 5) * 4
    for runs in ablation.values():
        assert [(run.seed, run.steps) for run in runs] == [(seed, 25_600) for seed in range(5)]


@pytest.mark.parametrize("start", ["all five", "textbook"])
def test_without_a_target_network_values_run_away(ablation, start):
    assert max(run.result for run in ablation[start, "nothing", "largest value"]) < 100
    assert min(run.result for run in ablation[start, "target network", "largest value"]) > 1000


@pytest.mark.parametrize("off", ["target network", "replay and target network", "n-step"])
def test_what_matters_most_is_the_target_network_and_the_n_steps(ablation, off):
    late = [np.mean([run.result for run in ablation["all five", name, "late return"]]) for name in ("nothing", off)]
    assert late[0] > 1.5 * late[1]
