"""A policy as a network: observation -> probabilities of the actions; with its critic, its learning curve, and its file."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcourse.files import replace
from dlcourse.rl.networks_torch import Mirror, mlp

__all__ = ["PolicyAgent", "greedy_return", "load_policy", "save_policy"]

Array = np.ndarray


@dataclass
class PolicyAgent:
    """A trained policy, and how it went.

    Attributes
    ----------
    method : "REINFORCE", "A2C" or "PPO"
    policy : (N, O) -> logits (N, A)
    critic : (N, O) -> values (N, 1); None for REINFORCE
    history : (steps so far, mean return of the last 100 finished episodes) of each update, actions drawn
    validation : (steps so far, mean return of greedy episodes) of each look
    steps : of all environments together
    seconds : of one processor core
    solved : whether ``stop_at`` was reached
    """

    method: str
    policy: nn.Sequential
    critic: nn.Sequential | None = None
    history: list[tuple[int, float]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    solved: bool = False

    def __post_init__(self) -> None:
        self._policy = Mirror(self.policy)
        self._critic = None if self.critic is None else Mirror(self.critic)

    def probabilities(self, observation: Any) -> Array:
        """Of the actions: (O,) -> (A,), or (N, O) -> (N, A)."""
        logits = self._policy(np.asarray(observation, np.float32))
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        probabilities: Array = weights / weights.sum(-1, keepdims=True)
        return probabilities

    def act(self, observation: Any) -> int:
        """The likeliest action: (O,) -> its number."""
        return int(self.probabilities(observation).argmax())

    def draw(self, observations: Array, rng: np.random.Generator) -> Array:
        """Actions drawn by their probabilities: (N, O) -> (N,)."""
        heaps = self.probabilities(observations).cumsum(-1)
        actions: Array = (heaps[:, :-1] < rng.random((len(heaps), 1))).sum(-1)
        return actions

    def values(self, observations: Any) -> Array:
        """What the critic expects: (N, O) -> (N,).

        Raises
        ------
        ValueError
            If there is no critic.
        """
        if self._critic is None:
            raise ValueError(f"PolicyAgent.values: {self.method} has no critic; train_a2c and train_ppo train one")
        return self._critic(np.asarray(observations, np.float32))[..., 0]


def greedy_return(agent: PolicyAgent, worlds: Any) -> float:
    """Mean return of the likeliest actions, over one episode of each environment."""
    observations, totals = worlds.reset(), 0.0
    running = np.ones(len(observations), bool)
    while running.any():
        actions = agent.probabilities(observations).argmax(-1)
        observations, rewards, terminated, truncated, _ = worlds.step(actions)
        totals += float(rewards[running].sum())
        running &= ~(terminated | truncated)
    return totals / len(running)


def save_policy(agent: PolicyAgent, path: str | os.PathLike[str]) -> None:
    """Write weights, history and counts into one file, for :func:`load_policy`."""
    kept = {
        "method": agent.method, "policy": agent.policy.state_dict(),
        "critic": None if agent.critic is None else agent.critic.state_dict(),
        "history": agent.history, "validation": agent.validation,
        "steps": agent.steps, "seconds": agent.seconds, "solved": agent.solved,
    }  # fmt: skip
    content = io.BytesIO()
    torch.save(kept, content)
    target = Path(path)
    replace(target, content.getvalue(), target.with_name(f".{target.name}.part"))


def load_policy(path: str | os.PathLike[str]) -> PolicyAgent:
    """The agent of a file that :func:`save_policy` wrote. The file can hold numbers and text, not programs.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        policy, critic = _rebuilt(kept.pop("policy")), kept.pop("critic")
        return PolicyAgent(policy=policy, critic=None if critic is None else _rebuilt(critic), **kept)
    except OSError:
        raise
    except Exception as problem:  # an unreadable file makes torch.load raise almost anything
        why = "it holds more than numbers and text" if isinstance(problem, UnpicklingError) else repr(problem)
        raise ValueError(
            f"load_policy: {os.fspath(path)} is no policy's file ({why}); save_policy(agent, path) writes them"
        ) from None


def _rebuilt(weights: dict[str, torch.Tensor]) -> nn.Sequential:
    """The network that the weights belong to."""
    (width, inputs), outputs = weights["0.weight"].shape, len(weights["4.weight"])
    with torch.random.fork_rng(devices=[]):
        network = mlp(inputs, width, outputs, nn.Tanh)
    network.load_state_dict(weights)
    return network
