"""Right and wrong sweeps of generalized advantage estimation, in which each part can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers import Case

Array = NDArray[Any]


def gae(rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float) -> Any:
    goes_on = 1.0 - terminated
    next_values = np.append(values[1:], last_value)
    deltas = rewards + gamma * goes_on * next_values - values
    advantages = np.zeros(len(rewards))
    following = 0.0
    for t in reversed(range(len(rewards))):
        following = deltas[t] + gamma * lam * goes_on[t] * following
        advantages[t] = following
    return advantages, advantages + values


def gae_by_returns(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    """From the λ-return, G = r + γ ((1 - λ) V' + λ G'), the advantages afterwards."""
    returns, G, V = [], last_value, last_value
    for r, v, ended in zip(rewards[::-1], values[::-1], terminated[::-1], strict=True):
        G = r if ended else r + gamma * ((1 - lam) * V + lam * G)
        V = v
        returns.append(G)
    backwards = np.array(returns, float)
    return [backwards[::-1] - values, backwards[::-1].copy()]


def gae_by_matrix(rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float) -> Any:
    """Each advantage as the weighted sum of the errors that follow: row t, column k has the weight (γλ)^(k - t)."""
    T = len(rewards)
    episode = np.cumsum(np.concatenate([[0], terminated[:-1]]))  # number of the episode of each step
    ahead = np.arange(T) - np.arange(T)[:, None]
    together = (ahead >= 0) & (episode == episode[:, None])
    weights = np.where(together, (gamma * lam) ** np.maximum(ahead, 0), 0.0)
    nexts = np.where(terminated, 0.0, np.concatenate([values[1:], np.reshape(last_value, 1)]))
    advantages = weights @ (rewards + gamma * nexts - values)
    return advantages, values + advantages


def gae_inputs(rng: np.random.Generator) -> list[Case]:
    def case(ends: str, gamma: float = 0.9, lam: float = 0.8, label: str = "", scale: float = 1.0) -> Case:
        T = len(ends)
        rewards, values = scale * rng.normal(size=(2, T)) + 0.5
        terminated = np.array([c == "x" for c in ends])
        return Case((rewards, values, float(scale * rng.normal() + 1.5), terminated, gamma, lam), label)

    first = Case(
        (
            np.array([1.0, 1.0, 1.0, 1.0]),
            np.array([2.0, 1.0, 3.0, 4.0]),
            2.0,
            np.array([False, True, False, False]),
            0.5,
            0.5,
        )
    )
    return [
        first,
        case("...x..x..."),
        case("..x.....", 0.99, 0.95),
        case("....x..x.x..", 0.7, 0.6),
        case("......", label="an episode that goes on all the time"),
        case("..x..x", label="an episode that ends with the last step"),
        case("xxx", label="episodes of a single step"),
        case(".", label="a single step"),
        case("...x...", 0.9, 0.0, "lam of 0"),
        case("...x...", 0.9, 1.0, "lam of 1"),
        case("...x...", 1.0, 0.9, "gamma of 1"),
        case("...x...", 0.0, 0.9, "gamma of 0"),
        case("." * 150 + "x" + "." * 149, 0.99, 0.95, "300 steps", 5.0),
    ]


Sweep = Callable[[Array, Array, float, Array, float, float], tuple[Any, Any]]


def swept(
    last: Callable[[Array, float], float] = lambda values, last_value: last_value,
    nexts: Callable[[Array, float], Array] = lambda values, last: np.append(values[1:], last),
    error: Callable[[Array, Array, Array, Array, float], Array] = lambda r, v, n, on, g: r + g * on * n - v,
    goes_on: Callable[[Array], Array] = lambda terminated: 1.0 - terminated,
    trace_goes_on: Callable[[Array], Array] | None = None,
    decay: Callable[[float, float], float] = lambda gamma, lam: gamma * lam,
    start: Callable[[Array, float], float] = lambda deltas, last: 0.0,
    after: Callable[[Array], Array] = lambda advantages: advantages,
    returned: Callable[[Array, Array, Array, Array, Array], Any] = lambda A, v, r, n, d: A + v,
    forwards: bool = False,
    handed: Callable[[Any, Any], Any] = lambda A, R: (A, R),
) -> Callable[..., Any]:
    """The sweep with one part exchanged; ``error`` gets rewards, values, next values, whether it goes on, and gamma."""

    def answer(rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float) -> Any:
        with np.errstate(all="ignore"):
            on = goes_on(terminated)
            trace = on if trace_goes_on is None else trace_goes_on(terminated)
            final = last(values, last_value)
            following_values = nexts(values, final)
            deltas = error(rewards, values, following_values, on, gamma)
            A, following = np.zeros(len(rewards)), start(deltas, final)
            for t in range(len(rewards)) if forwards else reversed(range(len(rewards))):
                following = deltas[t] + decay(gamma, lam) * trace[t] * following
                A[t] = following
            A = after(A)
            return handed(A, returned(A, values, rewards, following_values, deltas))

    return answer


def everywhere(terminated: Array) -> Array:
    return np.ones(len(terminated))


def one_later(terminated: Array) -> Array:
    """Whether the episode goes on behind the *next* step."""
    return np.append(1.0 - terminated[1:], 1.0)


def one_earlier(terminated: Array) -> Array:
    return np.append(1.0, 1.0 - terminated[:-1])


def value_of_the_last_everywhere(values: Array, last: float) -> Array:
    return np.full(len(values), last)


def weighed_in_the_errors(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    """gamma * lam where the errors have gamma alone."""
    errors = swept(error=lambda r, v, n, on, g: r + g * lam * on * n - v)
    return errors(rewards, values, last_value, terminated, gamma, lam)


def last_flag_ignored(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    return gae(rewards, values, last_value, np.append(terminated[:-1], False), gamma, lam)


def first_values_erased(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    """One table of T + 1 values, with a 0 behind each terminated step, is used for both terms of the error."""
    V = np.append(values, last_value)
    V[1:][terminated] = 0
    A, _ = gae(rewards, V[:-1], float(V[-1]), terminated, gamma, lam)
    return A, A + values


def standardized_advantages_alone(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    A, R = gae(rewards, values, last_value, terminated, gamma, lam)
    return standardized(A), R


def standardized(A: Array) -> Array:
    return np.asarray((A - A.mean()) / (A.std() + 1e-8))


def monte_carlo(end: bool) -> Callable[..., Any]:
    """Right advantages, and returns that are rewards alone, discounted; from the last value or from 0."""

    def answer(rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float) -> Any:
        A, _ = gae(rewards, values, last_value, terminated, gamma, lam)
        G, total = np.zeros(len(rewards)), last_value if end else 0.0
        for t in reversed(range(len(rewards))):
            total = rewards[t] + gamma * (1 - terminated[t]) * total
            G[t] = total
        return A, G

    return answer


def values_overwritten(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    A, _ = gae(rewards, values, last_value, terminated, gamma, lam)
    values += A
    return A, values


def rewards_overwritten(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    rewards[-1] += gamma * (1 - terminated[-1]) * last_value
    return gae(rewards, values, 0.0, terminated, gamma, lam)


def own_last_reward(
    rewards: Array, values: Array, last_value: float, terminated: Array, gamma: float, lam: float
) -> Any:
    """The last value is added to the last reward, undiscounted, and used again."""
    more = rewards.copy()
    more[-1] += gamma * (1 - terminated[-1]) * last_value
    return gae(more, values, last_value, terminated, gamma, lam)


def weighed_down(both: Any, values: Array, share: float) -> Any:
    A = share * both[0]
    return A, A + values
