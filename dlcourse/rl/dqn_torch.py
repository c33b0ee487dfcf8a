"""Deep Q-learning (Mnih et al. 2015): a network learns what each action is worth from a memory of what happened.

Q(s, a) is the discounted sum of rewards after action a in state s, if the best actions follow. The network is moved towards
r + γ·max Q(s′, ·), its own guess one step later, and four ingredients keep this from running away: a replay buffer, a target
network that stands still for a while, double Q-learning (van Hasselt et al. 2016), and Huber's loss with clipped gradients.
Two more are optional: returns over n steps, and observations scaled to one size. Each is a switch in :class:`DQNConfig`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.models.options import check_options
from dlcourse.models.training_torch import descend, lower_rate
from dlcourse.rl.envs import make, play
from dlcourse.rl.networks_torch import Mirror, flat_sizes, mlp, one_thread
from dlcourse.rl.replay import NStep, ReplayBuffer, Transitions

__all__ = ["DQNAgent", "DQNConfig", "train_dqn"]

LOOK, PROOF = 5, 20  # episodes of a look at the policy, and those that prove it good enough
VALIDATION_SEED = 10_000_000  # far from the seeds of trainings and of tests


@dataclass(frozen=True)
class DQNConfig:
    """One way to train a DQN; what is not said is the textbook's, with values that suit CartPole-v1.

    Attributes
    ----------
    steps : of the environment, at most
    replay : True learns from all of the buffer; False from the steps since the last updates alone, which then are forgotten
    target_network : True takes targets from a copy of the network that stands still during a burst; False from itself
    double : True lets the network choose the next action and the target network value it; False leaves both to the latter.
        Without a target network there is no difference
    n_step : rewards that are summed before the network's guess is used
    observation_scale : a factor for each number of an observation, or None
    width : units of each of the two hidden layers
    lr : Adam's learning rate, which falls in a line to a tenth over ``steps``
    batch : transitions in an update
    capacity : of the buffer
    every, updates : after each ``every`` steps there is a burst of ``updates`` updates
    start : steps before the first burst
    gamma : discount of one step
    epsilon_start, epsilon_end, epsilon_steps : the share of random actions falls in a line from the one to the other
    clip : the gradient is shortened to this length
    validate_every : steps between two looks at the greedy policy, over 5 episodes of their own
    stop_at : training ends when a look, and 20 more episodes, average at least this; None never ends it. Give None, or a
        value of the environment's own, where the environment is not CartPole

    Raises
    ------
    ValueError
        If a value makes no sense (:func:`~dlcourse.models.options.check_options`).
    """

    steps: int = 60_000
    replay: bool = True
    target_network: bool = True
    double: bool = True
    n_step: int = 1
    observation_scale: tuple[float, ...] | None = None
    width: int = 128
    lr: float = 2.3e-3
    batch: int = 128
    capacity: int = 50_000
    every: int = 256
    updates: int = 64
    start: int = 1000
    gamma: float = 0.99
    epsilon_start: float = 1.0
    epsilon_end: float = 0.04
    epsilon_steps: int = 8000
    clip: float = 10.0
    validate_every: int = 1024
    stop_at: float | None = 485.0

    def __post_init__(self) -> None:
        unbounded = ("replay", "target_network", "double", "observation_scale", "stop_at")
        check_options("DQNConfig", {name: value for name, value in vars(self).items() if name not in unbounded})


@dataclass
class DQNAgent:
    """A trained network, and how it went.

    Attributes
    ----------
    network : (N, O) scaled observations -> Q-values (N, A)
    config : how it was trained
    history : (steps so far, return) of each finished episode of the training, random actions included
    validation : (steps so far, mean return of 5 greedy episodes) of each look
    values : (steps so far, mean of the batch's largest Q-values, loss) of the last update of each burst
    steps : of the environment
    seconds : of one processor core
    solved : whether ``stop_at`` was reached
    """

    network: nn.Sequential
    config: DQNConfig
    history: list[tuple[int, float]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    values: list[tuple[int, float, float]] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    solved: bool = False

    def __post_init__(self) -> None:
        self._mirror = Mirror(self.network)
        scale = self.config.observation_scale
        self._factors = None if scale is None else np.array(scale, np.float32)

    def scaled(self, observation: np.ndarray) -> np.ndarray:
        """What the network sees of an observation."""
        return observation if self._factors is None else observation * self._factors

    def q_values(self, observation: Any) -> np.ndarray:
        """What each action is worth: (O,) -> (A,), or (N, O) -> (N, A)."""
        return self._mirror(self.scaled(np.asarray(observation, np.float32)))

    def act(self, observation: Any) -> int:
        """The action that is worth most: (O,) -> its number."""
        return int(self.q_values(observation).argmax())


def train_dqn(
    env: str | Callable[[], Any] = "CartPole-v1",
    *,
    config: DQNConfig | None = None,
    seed: int = 0,
    progress: bool = True,
) -> DQNAgent:
    """Learn Q-values by acting. Interrupt it (Kernel, Interrupt), and you get the agent as far as it came.

    Parameters
    ----------
    env : name of an environment of Gymnasium's, or a function that makes one, with observations of shape (O,) and A actions
    config : the ingredients; None is ``DQNConfig()``
    seed : of weights, actions, batches and the environment; validation has seeds of its own
    progress : whether to show a bar, with the mean return of the last episodes

    Returns
    -------
    The agent, with its learning curves.

    Raises
    ------
    ValueError
        If the environment's observations or actions are of another kind, or ``observation_scale`` of another length.
    TypeError
        If ``env`` is neither a name nor a function.
    """
    config = config or DQNConfig()
    world, judge = made(env), made(env)
    inputs, actions = flat_sizes("train_dqn", world)
    check_scale(config, inputs)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = mlp(inputs, config.width, actions)
    agent = DQNAgent(network, config)
    target = copy.deepcopy(network) if config.target_network else network
    optimizer = torch.optim.Adam(network.parameters(), config.lr, fused=True)
    buffer = ReplayBuffer(config.capacity if config.replay else config.every, (inputs,))
    steps = NStep(buffer, config.n_step, config.gamma)

    started = time.process_time()
    bar = progress_bar(progress, total=config.steps, desc="DQN", unit="step")
    with bar, one_thread(), suppress(KeyboardInterrupt):
        observation, _ = world.reset(seed=seed)
        episode = 0.0
        for step in range(1, config.steps + 1):
            explore = rng.random() < epsilon(step, config)
            action = int(rng.integers(actions)) if explore else agent.act(observation)
            following, reward, terminated, truncated, _ = world.step(action)
            steps.add(agent.scaled(observation), action, reward, agent.scaled(following), terminated, truncated)
            observation, episode, agent.steps = following, episode + float(reward), step
            if terminated or truncated:
                agent.history.append((step, episode))
                observation, _ = world.reset()
                episode = 0.0

            if step % config.every == 0 and step >= config.start:
                lower_rate(optimizer, config.lr, step / config.steps)
                if config.target_network:
                    target.load_state_dict(network.state_dict())
                for _ in range(config.updates):
                    value, loss = learn(network, target, optimizer, buffer.sample(config.batch, rng), config)
                agent.values.append((step, value.item(), loss.item()))
                bar.set_postfix_str(said(agent), refresh=False)
                bar.update(config.every)
            if step % config.validate_every == 0 and good_enough(agent, judge, step):
                agent.solved = True
                break
    agent.seconds = time.process_time() - started
    return agent


# ---- the update


def learn(
    network: nn.Sequential,
    target: nn.Sequential,
    optimizer: torch.optim.Optimizer,
    batch: Transitions,
    config: DQNConfig,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One update; returns the mean of the largest Q-values, and the loss."""
    observations, actions, rewards, next_observations, discounts = map(torch.from_numpy, batch)
    with torch.no_grad():
        next_values = target(next_observations)  # (N, A)
        chooser = network(next_observations) if config.double and config.target_network else next_values
        best = chooser.argmax(1, keepdim=True)
        goals = rewards + discounts * next_values.gather(1, best)[:, 0]  # (N,)
    values = network(observations)  # (N, A)
    loss = F.smooth_l1_loss(values.gather(1, actions[:, None])[:, 0], goals)
    descend(optimizer, loss, [network], config.clip)
    return values.detach().max(1).values.mean(), loss.detach()


def epsilon(step: int, config: DQNConfig) -> float:
    """The share of random actions at a step."""
    gone = min(1.0, step / config.epsilon_steps)
    return config.epsilon_start + gone * (config.epsilon_end - config.epsilon_start)


# ---- the environments


def made(env: str | Callable[[], Any]) -> Any:
    """An environment of its own.

    Raises
    ------
    TypeError
        If it is neither a name nor a function.
    """
    if isinstance(env, str):
        return make(env)
    if not callable(env):
        raise TypeError(f"train_dqn: env={env!r}; give a name, or a function that makes an environment")
    return env()


def check_scale(config: DQNConfig, inputs: int) -> None:
    """Refuse factors that are too many or too few."""
    if config.observation_scale is not None and len(config.observation_scale) != inputs:
        raise ValueError(
            f"train_dqn: observation_scale has {len(config.observation_scale)} factors, an observation {inputs} numbers; "
            "give as many"
        )


def good_enough(agent: DQNAgent, judge: Any, step: int) -> bool:
    """Look at the greedy policy, and where that is promising, look again."""
    stop_at = agent.config.stop_at
    mean = play(judge, agent.act, LOOK, VALIDATION_SEED + step).mean()
    agent.validation.append((step, float(mean)))
    if stop_at is None or mean < stop_at:
        return False
    return bool(play(judge, agent.act, PROOF, 2 * VALIDATION_SEED + step).mean() >= stop_at)


def said(agent: DQNAgent) -> str:
    """What the bar shows."""
    last = [value for _, value in agent.history[-20:]]
    return f"mean return {np.mean(last):.0f}" if last else ""
