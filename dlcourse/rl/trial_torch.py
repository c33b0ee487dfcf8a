"""What all policy gradients do: play N environments side by side, look at the policy now and then, and stop in time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import nn

from dlcourse.bars import progress_bar
from dlcourse.models.options import check_options
from dlcourse.models.training_torch import descend, lower_rate
from dlcourse.rl.envs import make
from dlcourse.rl.networks_torch import flat_sizes, mlp
from dlcourse.rl.policies_torch import PolicyAgent, greedy_return

__all__ = ["GymnasiumVector", "Maker", "Rollout", "Trial"]

Array = np.ndarray
Maker = Callable[[int, np.random.Generator], Any]  # (n, rng) -> n environments such as VectorCartPole
LONGEST = 0.5  # gradient of a network
LOOK, PROOF = 20, 4  # greedy episodes of a look at the policy; as many looks prove that it is good enough


class Rollout(NamedTuple):
    """T steps of N environments.

    Attributes
    ----------
    observations, final : (T, N, O) what was acted on, and what the action led to (no new start)
    actions, rewards, terminated, truncated : (T, N)
    running : (T, N) whether the step counts; where whole episodes are played, some end before others
    """

    observations: Array
    final: Array
    actions: Array
    rewards: Array
    terminated: Array
    truncated: Array
    running: Array

    def flat(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Observations (T·N, O) and actions (T·N,)."""
        return torch.from_numpy(self.observations).flatten(0, 1), torch.from_numpy(self.actions).flatten()


class Trial:
    """One training: its environments, its networks with their optimizer, its rollouts one after the other, and its bar."""

    def __init__(
        self, method: str, env: str | Maker, *, seed: int, steps: int, n: int, lr: float, width: int,
        stop_at: float | None, **others: float,
    ) -> None:  # fmt: skip
        told = {"steps": steps, "n": n, "lr": lr, "width": width}
        check_options(f"train_{method.lower()}", told | others)  # the others are used elsewhere
        self.rng, self.steps, self.lr, self.stop_at = np.random.default_rng(seed), steps, lr, stop_at
        make_worlds = (lambda count, rng: GymnasiumVector(env, count, rng)) if isinstance(env, str) else env
        self.worlds = make_worlds(n, self.rng)
        self.judge = make_worlds(LOOK, np.random.default_rng([seed, 1]))
        self.n, inputs = n, self.worlds.observation_shape[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            policy = mlp(inputs, width, self.worlds.actions, nn.Tanh)
            critic = None if method == "REINFORCE" else mlp(inputs, width, 1, nn.Tanh)
            nn.init.normal_(cast(nn.Linear, policy[-1]).weight, std=0.01)  # at first, all actions are about as likely
        self.agent = PolicyAgent(method, policy, critic)
        self.networks = [network for network in (policy, critic) if network is not None]
        parameters = [parameter for network in self.networks for parameter in network.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr, fused=True)
        self.returns, self.current = deque[float](maxlen=100), np.zeros(n)

    def bar(self, progress: bool) -> Any:
        """The bar, to be entered before the rollouts are asked for."""
        self._bar = progress_bar(progress, total=self.steps, desc=self.agent.method, unit="step")
        return self._bar

    def rollouts(self, length: int, look_every: int) -> Iterator[Rollout]:
        """``length`` steps of each environment, again and again, until the steps are spent or the policy is good enough."""
        observations = self.worlds.reset()
        for _ in self.updates(look_every):
            rows = []
            for _ in range(length):
                row, observations = self.played(observations, np.ones(self.n, bool))
                rows.append(row)
            yield self.counted(rows)

    def whole_episodes(self, look_every: int) -> Iterator[Rollout]:
        """One episode of each environment, again and again; what is played after its end does not count."""
        for _ in self.updates(look_every):
            observations, running, rows = self.worlds.reset(), np.ones(self.n, bool), []
            self.current[:] = 0
            while running.any():
                row, observations = self.played(observations, running)
                rows.append(row)
                running = running & ~(row.terminated | row.truncated)
            yield self.counted(rows)

    def played(self, observations: Array, running: Array) -> tuple[Rollout, Array]:
        """One step of all environments, and what they show then."""
        actions = self.agent.draw(observations, self.rng)
        following, rewards, terminated, truncated, final = self.worlds.step(actions)
        rewards = np.where(running, rewards, 0)
        self.current += rewards
        over = (terminated | truncated) & running
        self.returns.extend(self.current[over])
        self.current[over] = 0
        return Rollout(observations, final, actions, rewards, terminated, truncated, running), following

    def updates(self, look_every: int) -> Iterator[int]:
        """Counts updates, looks at the policy after some of them, and ends when enough is done."""
        started, update, agent = time.process_time(), 0, self.agent
        while agent.steps < self.steps and not agent.solved:
            lower_rate(self.optimizer, self.lr, agent.steps / self.steps)
            yield update
            update += 1
            if update % look_every == 0:
                agent.solved = self.good_enough()
            agent.seconds = time.process_time() - started

    def counted(self, rows: list[Rollout]) -> Rollout:
        """The steps as one rollout, noted in the agent's history."""
        played = Rollout(*map(np.stack, zip(*rows, strict=True)))
        taken = int(played.running.sum())
        self.agent.steps += taken
        if self.returns:
            mean = float(np.mean(self.returns))
            self.agent.history.append((self.agent.steps, mean))
            self._bar.set_postfix_str(f"mean return {mean:.0f}", refresh=False)
        self._bar.update(taken)
        return played

    def descend(self, loss: torch.Tensor) -> None:
        """One update, the gradient of each network no longer than 0.5."""
        descend(self.optimizer, loss, self.networks, LONGEST)

    def good_enough(self) -> bool:
        """Look at the greedy policy, and where that is promising, look again."""
        mean = greedy_return(self.agent, self.judge)
        self.agent.validation.append((self.agent.steps, mean))
        if self.stop_at is None or mean < self.stop_at:
            return False
        return bool(np.mean([greedy_return(self.agent, self.judge) for _ in range(PROOF)]) >= self.stop_at)


class GymnasiumVector:
    """N environments of Gymnasium's played one after the other, with the interface of ``VectorCartPole``.

    Parameters
    ----------
    name : such as "Acrobot-v1"
    n : environments
    rng : draws their seeds

    Raises
    ------
    ValueError
        If the observations are no vector of numbers, or the actions not 0, 1, 2 …
    """

    def __init__(self, name: str, n: int, rng: np.random.Generator) -> None:
        self.n, self.rng = n, rng
        self._envs = [make(name) for _ in range(n)]
        inputs, self.actions = flat_sizes("GymnasiumVector", self._envs[0])
        self.observation_shape = (inputs,)

    def reset(self) -> Array:
        """Start all episodes anew: observations (N, O)."""
        return np.stack([env.reset(seed=int(self.rng.integers(2**31)))[0] for env in self._envs])

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, Array]:
        """One action in each: observations to act on next, rewards, terminated, truncated, observations before a new start."""
        steps = [env.step(int(action)) for env, action in zip(self._envs, actions, strict=True)]
        final, rewards, terminated, truncated = (np.array(column) for column in list(zip(*steps, strict=True))[:4])
        observations = final.copy()
        for k in np.flatnonzero(terminated | truncated):
            observations[k], _ = self._envs[k].reset()
        return observations, rewards.astype(float), terminated, truncated, final
