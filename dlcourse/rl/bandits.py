"""Bandits: arms that pay by chance, one pull at a time, and how much is lost by not knowing the best (Robbins 1952).

A strategy is a function of what is known: ``strategy(values, counts, t, rng) -> actions``, for N bandits at once, where
``values`` (N, A) are the averages of what each arm has paid so far, ``counts`` (N, A) its pulls, and ``t`` pulls are past.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Bandits", "Played", "Strategy", "epsilon_greedy", "greedy", "play_bandits", "thompson", "ucb"]

Array = NDArray[np.float64]
Actions = NDArray[np.int64]
Strategy = Callable[[Array, Array, int, np.random.Generator], Actions]


class Bandits:
    """Many bandits side by side; an arm pays its mean, itself drawn from N(0, 1), plus noise from N(0, 1).

    Parameters
    ----------
    rng : NumPy Generator of the means and the noise
    runs : bandits N
    arms : of each, A

    Attributes
    ----------
    means : (N, A)
    best : (N,) the arm with the largest mean
    values, counts : (N, A) averages of what was paid, and pulls so far
    """

    def __init__(self, rng: np.random.Generator, runs: int = 500, arms: int = 10) -> None:
        if runs < 1 or arms < 2:
            raise ValueError(f"Bandits: runs={runs!r}, arms={arms!r}; give at least 1 run and 2 arms")
        self.rng, self.runs, self.arms = rng, runs, arms
        self.means = rng.normal(size=(runs, arms))
        self.best = self.means.argmax(1)
        self.values, self.counts = np.zeros((runs, arms)), np.zeros((runs, arms))

    def pull(self, actions: ArrayLike) -> Array:
        """Pull one arm of each bandit, (N,) -> what they pay, (N,); values and counts take it in."""
        arms, rows = np.asarray(actions), np.arange(self.runs)
        if arms.shape != (self.runs,) or arms.min() < 0 or arms.max() >= self.arms:
            raise ValueError(f"Bandits.pull: actions={actions!r}; give {self.runs} numbers from 0 to {self.arms - 1}")
        rewards: Array = self.means[rows, arms] + self.rng.normal(size=self.runs)
        self.counts[rows, arms] += 1
        self.values[rows, arms] += (rewards - self.values[rows, arms]) / self.counts[rows, arms]
        return rewards

    def regret(self, actions: ArrayLike) -> Array:
        """What these pulls are worth less than the best ones, (N,)."""
        rows = np.arange(self.runs)
        lost: Array = self.means[rows, self.best] - self.means[rows, np.asarray(actions)]
        return lost


def greedy(values: Array, counts: Array, t: int, rng: np.random.Generator) -> Actions:
    """The arm that has paid best so far, ties broken by chance."""
    return _largest(values, rng)


def epsilon_greedy(epsilon: float) -> Strategy:
    """With probability epsilon any arm, otherwise the greedy one."""
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon_greedy: epsilon={epsilon!r}; give a probability from 0 to 1")

    def strategy(values: Array, counts: Array, t: int, rng: np.random.Generator) -> Actions:
        N, A = values.shape
        return np.where(rng.random(N) < epsilon, rng.integers(A, size=N), _largest(values, rng))

    return strategy


def ucb(c: float = 2.0) -> Strategy:
    """The arm with the largest value + c √(ln t / count), untried arms first (Auer, Cesa-Bianchi and Fischer 2002)."""
    if c < 0:
        raise ValueError(f"ucb: c={c!r}; give 0 or more")

    def strategy(values: Array, counts: Array, t: int, rng: np.random.Generator) -> Actions:
        bonus = c * np.sqrt(np.log(t + 1) / np.maximum(counts, 1))
        return _largest(np.where(counts == 0, np.inf, values + bonus), rng)

    return strategy


def thompson(values: Array, counts: Array, t: int, rng: np.random.Generator) -> Actions:
    """Draw each arm's mean from what is believed of it, and pull the arm with the largest draw (Thompson 1933).

    The belief starts from N(0, 1), which is how these bandits are made, and knows that the noise has variance 1: more
    than the other strategies are told.
    """
    belief = counts * values / (counts + 1)  # mean of the posterior, whose variance is 1 / (counts + 1)
    chosen: Actions = (belief + rng.normal(size=values.shape) / np.sqrt(counts + 1)).argmax(1)
    return chosen


def _largest(scores: Array, rng: np.random.Generator) -> Actions:
    """The largest of each row, ties broken by chance."""
    best = scores == scores.max(1, keepdims=True)
    chosen: Actions = np.where(best, rng.random(scores.shape), -1).argmax(1)
    return chosen


class Played(NamedTuple):
    """How a strategy fared, averaged over all bandits.

    Attributes
    ----------
    regret : (T,) what was lost up to each pull, pull included
    best : (T,) share of bandits whose best arm was pulled
    """

    regret: Array
    best: Array


def play_bandits(strategy: Strategy, steps: int = 1000, runs: int = 500, arms: int = 10, seed: int = 0) -> Played:
    """Let a strategy pull ``steps`` times on each of ``runs`` bandits; a seed gives each strategy the same bandits."""
    if steps < 1:
        raise ValueError(f"play_bandits: steps={steps!r}; give at least 1")
    bandits, rng = Bandits(np.random.default_rng(seed), runs, arms), np.random.default_rng((seed, 1))
    lost, found = np.zeros(steps), np.zeros(steps)
    for t in range(steps):
        actions = strategy(bandits.values, bandits.counts, t, rng)
        lost[t], found[t] = bandits.regret(actions).mean(), (actions == bandits.best).mean()
        bandits.pull(actions)
    return Played(lost.cumsum(), found)
