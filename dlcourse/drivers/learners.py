"""Records of one tabular Q-learner on a beam, which learns as it should, and with each of five faults that people meet.

The beam has nine places, and a ball rolls on it. Tilting the beam to either side mostly moves the ball one place that way, but
a gust may carry it the other way. Each step earns 1; a ball that rolls off has fallen, which terminates the episode, and after
40 steps a clock truncates it. Everything but the fault stays the same. Each record is a real run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["EPISODES", "FAULTS", "GAMMA", "LONGEST", "Record", "learner_record", "learner_records", "true_value"]

Array = NDArray[np.float64]

PLACES, MIDDLE, LONGEST, GUST = 9, 4, 40, 0.35
EPISODES, GAMMA, ALPHA = 600, 0.95, 0.1

FAULTS = (
    "truncation as termination",
    "value of the next episode",
    "no exploration",
    "exploration never lowered",
    "learning rate too small",
)

BY_LETTER = {"A": FAULTS[3], "B": FAULTS[0], "C": "none", "D": FAULTS[4], "E": FAULTS[1], "F": FAULTS[2]}


class Record(NamedTuple):
    """What is kept of one learner.

    Attributes
    ----------
    returns : (EPISODES,) steps that each episode lasted, actions by chance included
    values : (EPISODES,) what the learner thinks after each episode that the middle of the beam is worth
    """

    returns: Array
    values: Array


def learner_record(fault: str, seed: int) -> Record:
    """Learn once.

    Parameters
    ----------
    fault : one of ``FAULTS``, or "none"
    seed : decides the gusts and the actions by chance

    Raises
    ------
    ValueError
        For a fault that is not known.
    """
    if fault not in (*FAULTS, "none"):
        raise ValueError(f"learner_record: fault={fault!r}; choose one of {', '.join(FAULTS)}, or none")
    rng = np.random.default_rng([seed, 16])
    Q = np.zeros((PLACES, 2))
    alpha = ALPHA / 50 if fault == "learning rate too small" else ALPHA
    rows = []
    for episode in range(EPISODES):
        epsilon = _epsilon(fault, episode)
        rows.append((_episode(Q, fault, alpha, epsilon, rng), Q[MIDDLE].max()))
    returns, values = np.array(rows, float).T
    return Record(returns, values)


def learner_records(seed: int = 1) -> dict[str, Record]:
    """Six learners, one of them without a fault, by their letters A to F."""
    return {letter: learner_record(fault, seed) for letter, fault in BY_LETTER.items()}


def _epsilon(fault: str, episode: int) -> float:
    """The share of actions by chance."""
    if fault == "no exploration":
        return 0.0
    return 1.0 if fault == "exploration never lowered" else max(0.02, 1 - episode / 200)


def _episode(Q: Array, fault: str, alpha: float, epsilon: float, rng: np.random.Generator) -> int:
    """Learn from one episode, and say how long it was."""
    place = MIDDLE
    for step in range(1, LONGEST + 1):
        by_chance, which, gust = rng.random(3).tolist()
        action = int(which < 0.5) if by_chance < epsilon else int(Q[place, 1] > Q[place, 0])
        led = place + (1 if action else -1) * (-1 if gust < GUST else 1)
        terminated, truncated = not 0 <= led < PLACES, step == LONGEST
        ended = terminated or (truncated and fault == "truncation as termination")
        if fault == "value of the next episode" and (terminated or truncated):
            future = Q[MIDDLE].max()  # the observation that an automatic reset hands back
        else:
            future = 0.0 if ended else Q[led].max()
        Q[place, action] += alpha * (1 + GAMMA * future - Q[place, action])
        if terminated or truncated:
            break
        place = led
    return step


def true_value() -> float:
    """What the middle of the beam is worth if the best actions follow, by value iteration."""
    V = np.zeros(PLACES + 2)  # a place beyond each end, worth nothing
    for _ in range(1000):
        left, right = V[:-2], V[2:]
        V[1:-1] = 1 + GAMMA * np.maximum((1 - GUST) * left + GUST * right, (1 - GUST) * right + GUST * left)
    return float(V[MIDDLE + 1])
