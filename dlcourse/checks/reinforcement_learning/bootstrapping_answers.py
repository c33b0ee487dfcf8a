"""Right and wrong targets of double DQN, in which each part can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers import Case

Array = NDArray[Any]


def dqn_target(
    reward: Array, terminated: Array, truncated: Array, next_q_online: Array, next_q_target: Array, gamma: float
) -> Any:
    best = next_q_online.argmax(axis=1)
    value = next_q_target[np.arange(len(reward)), best]
    return reward + gamma * np.where(terminated, 0.0, value)


def dqn_target_by_taking(
    reward: Array, terminated: Array, truncated: Array, next_q_online: Array, next_q_target: Array, gamma: float
) -> Any:
    best = np.argmax(next_q_online, axis=-1, keepdims=True)
    value = np.take_along_axis(next_q_target, best, axis=-1).squeeze(-1)
    return reward + gamma * (1 - terminated.astype(float)) * value


def dqn_target_one_by_one(
    reward: Array, terminated: Array, truncated: Array, next_q_online: Array, next_q_target: Array, gamma: float
) -> Any:
    targets = []
    for r, ended, online, values in zip(reward, terminated, next_q_online, next_q_target, strict=True):
        best = max(range(len(online)), key=lambda a: online[a])
        targets.append(r if ended else r + gamma * values[best])
    return np.array(targets)


def target_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, A: int, gamma: float = 0.9, label: str = "", scale: float = 2.0, shift: float = 1.0) -> Case:
        reward = scale * rng.normal(size=N)
        terminated, truncated = np.zeros(N, bool), np.zeros(N, bool)
        terminated[1::4], truncated[2::4] = True, True  # of four steps: one goes on, one ends, one is cut off,
        both = np.zeros(N, bool)
        both[3::4] = True  # and one ends at the very step at which it would have been cut off
        online, target = (shift + scale * rng.normal(size=(N, A)) for _ in range(2))
        return Case((reward, terminated | both, truncated | both, online, target, gamma), label)

    first = Case(
        (
            np.array([1.0, 1.0, 1.0]),
            np.array([False, True, False]),
            np.array([False, False, True]),
            np.array([[2.0, 3.0], [1.0, 0.5], [4.0, -1.0]]),
            np.array([[5.0, 4.0], [2.5, 7.0], [1.5, 6.0]]),
            0.5,
        )
    )
    three = [np.concatenate([-np.abs(rng.normal(size=(6, 2))) - 1, rng.normal(size=(6, 1)) - 9], axis=1) for _ in "ab"]
    flags = np.array([False, True, False, False, True, False]), np.array([False, False, True, False, True, False])
    return [
        first,
        case(8, 3),
        case(9, 5, 0.99),
        case(12, 4, 0.7),
        case(4, 4, label="as many actions as steps"),
        Case((rng.normal(size=6), *flags, *three, 0.9), "values that are all below 0"),
        case(5, 3, 0.0, "a discount of 0"),
        case(5, 3, 1.0, "a discount of 1"),
        case(1, 3, label="a single step"),
        case(8, 3, label="values in the thousands", scale=4000.0),
        Case(
            (rng.normal(size=6), *flags, np.zeros((6, 3)), np.repeat(rng.normal(size=(6, 1)) + 2, 3, axis=1), 0.9),
            "two actions that look equally good",
        ),
    ]


Rule = Callable[[Array, Array, Array, Array, Array, float], Any]


def by(rule: Rule) -> Callable[..., Any]:
    """An answer that follows a rule of (reward, terminated, truncated, online, target, gamma)."""

    def answer(
        reward: Array, terminated: Array, truncated: Array, next_q_online: Array, next_q_target: Array, gamma: float
    ) -> Any:
        with np.errstate(all="ignore"):
            return rule(reward, terminated, truncated, next_q_online, next_q_target, gamma)

    return answer


def picked(values: Array, actions: Array) -> Array:
    return np.asarray(values[np.arange(len(values)), actions])


def double(online: Array, target: Array) -> Array:
    return picked(target, online.argmax(axis=1))


def valued(value: Callable[[Array, Array], Any]) -> Callable[..., Any]:
    """The right target with another value of the next state, from the two tables."""
    return by(lambda r, term, trunc, on, tg, g: r + g * (1 - term) * value(on, tg))


def masked(keep: Callable[[Array, Array], Array]) -> Callable[..., Any]:
    """The right target but for the steps whose next state counts, from the two flags."""
    return by(lambda r, term, trunc, on, tg, g: r + g * np.where(keep(term, trunc), double(on, tg), 0.0))


def joined(join: Callable[[Array, Array, float], Any]) -> Callable[..., Any]:
    """The right parts put together in another way: reward, value of the next state with zeros, discount."""
    return by(lambda r, term, trunc, on, tg, g: join(r, np.where(term, 0.0, double(on, tg)), g))


def until_the_first_end(r: Array, term: Array, trunc: Array, on: Array, tg: Array, g: float) -> Any:
    """A loop with a `break` in it: from the first terminated step on, targets are rewards."""
    before = np.cumsum(term) == 0
    return r + g * np.where(before, double(on, tg), 0.0)


def value_of_the_next_row(on: Array, tg: Array) -> Array:
    return np.append(double(on, tg)[1:], 0.0)


def all_of_the_largest(on: Array, tg: Array) -> Array:
    """Where several actions look best, their values are added."""
    return np.asarray(((on == on.max(axis=1, keepdims=True)) * tg).sum(axis=1))


def first_two_actions(on: Array, tg: Array) -> Array:
    return np.where(on[:, 0] > on[:, 1], tg[:, 0], tg[:, 1])


def softmax(q: Array) -> Array:
    e = np.exp(q - q.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def erasing(r: Array, term: Array, trunc: Array, on: Array, tg: Array, g: float) -> Any:
    best = on.argmax(axis=1)
    tg[term] = 0
    return r + g * picked(tg, best)


def adding(r: Array, term: Array, trunc: Array, on: Array, tg: Array, g: float) -> Any:
    r += g * (1 - term) * double(on, tg)
    return r


def erasing_online(r: Array, term: Array, trunc: Array, on: Array, tg: Array, g: float) -> Any:
    on[term] = 0
    tg[term] = 0
    return r + g * double(on, tg)
