"""Experience replay: transitions are kept and learned from again later, in random order (Lin 1992; Mnih et al. 2015).

Two neighbors in time look alike; a batch drawn from thousands of steps does not, and each step teaches many times. A ring of
arrays holds the newest transitions, and the oldest one makes room.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NStep", "ReplayBuffer", "Transitions"]


class Transitions(NamedTuple):
    """A batch from the buffer.

    Attributes
    ----------
    observations : (N, …) float32
    actions : (N,) int64
    rewards : (N,) float32, of n steps each discounted to the first
    next_observations : (N, …) float32, those n steps later
    discounts : (N,) float32: γⁿ, by which the value there counts, and 0 after a terminated step
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_observations: np.ndarray
    discounts: np.ndarray


class ReplayBuffer:
    """The newest transitions, up to ``capacity`` of them; ``len(buffer)`` says how many there are.

    Parameters
    ----------
    capacity : transitions that have room
    observation_shape : of one observation, such as (4,)

    Raises
    ------
    ValueError
        If capacity is below 1.
    """

    def __init__(self, capacity: int, observation_shape: tuple[int, ...]) -> None:
        if capacity < 1:
            raise ValueError(f"ReplayBuffer: capacity={capacity!r}; give at least 1")
        self.capacity = capacity
        self._kept = Transitions(
            np.zeros((capacity, *observation_shape), np.float32),
            np.zeros(capacity, np.int64),
            np.zeros(capacity, np.float32),
            np.zeros((capacity, *observation_shape), np.float32),
            np.zeros(capacity, np.float32),
        )
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, observation: Any, action: int, reward: float, next_observation: Any, discount: float) -> None:
        """Keep one transition, in the place of the oldest one if all are taken.

        Parameters
        ----------
        observation, next_observation : of the buffer's ``observation_shape``
        action : its number
        reward : what it brought
        discount : by which the value of ``next_observation`` counts: γ, and 0 if the step terminated
        """
        place = self._added % self.capacity
        for column, value in zip(self._kept, (observation, action, reward, next_observation, discount), strict=True):
            column[place] = value
        self._added += 1

    def sample(self, batch: int, rng: np.random.Generator) -> Transitions:
        """Transitions drawn uniformly, each as likely as any other, with repetition.

        Parameters
        ----------
        batch : how many, N
        rng : draws them

        Raises
        ------
        ValueError
            If the buffer is empty, or batch below 1.
        """
        if batch < 1:
            raise ValueError(f"ReplayBuffer.sample: batch={batch!r}; give at least 1")
        if not len(self):
            raise ValueError("ReplayBuffer.sample: the buffer is empty; add transitions first")
        chosen = rng.integers(len(self), size=batch)
        return Transitions(*(column[chosen] for column in self._kept))


class NStep:
    """Joins each step with the n - 1 after it, and hands the result to a buffer (Sutton & Barto 2018, eq. 7.1).

    The reward becomes r₁ + γ·r₂ + … + γⁿ⁻¹·rₙ, and the discount of the value n steps on is γⁿ. At an episode's end fewer steps
    are left: they are joined as far as they go.

    Parameters
    ----------
    buffer : where the joined transitions go
    n : steps to join; 1 joins none
    gamma : discount of one step

    Raises
    ------
    ValueError
        If n is below 1.
    """

    def __init__(self, buffer: ReplayBuffer, n: int, gamma: float) -> None:
        if n < 1:
            raise ValueError(f"NStep: n={n!r}; give at least 1")
        self.buffer, self.n, self.gamma = buffer, n, gamma
        self._waiting: deque[tuple[Any, int, float]] = deque()  # observation, action, reward

    def add(
        self, observation: Any, action: int, reward: float, next_observation: Any, terminated: bool, truncated: bool
    ) -> None:
        """Take one step of the environment.

        A terminated episode has no value after its end; a truncated one was only broken off, so the value of where it stood
        counts in full.
        """
        self._waiting.append((observation, action, float(reward)))
        if len(self._waiting) == self.n:
            self._pass_on(next_observation, terminated)
        while (terminated or truncated) and self._waiting:
            self._pass_on(next_observation, terminated)

    def _pass_on(self, next_observation: Any, terminated: bool) -> None:
        """Hand over the oldest waiting step with all rewards since."""
        joined = sum(self.gamma**k * reward for k, (_, _, reward) in enumerate(self._waiting))
        discount = 0.0 if terminated else self.gamma ** len(self._waiting)
        observation, action, _ = self._waiting.popleft()
        self.buffer.add(observation, action, joined, next_observation, discount)
