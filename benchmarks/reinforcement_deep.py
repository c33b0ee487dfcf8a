"""CartPole learned by four methods, and the DQN with one ingredient more or less at a time: tables of lesson 16.

    python benchmarks/reinforcement_deep.py            # all seeds, into dlcourse/rl/deep_runs.csv
    python benchmarks/reinforcement_deep.py --seeds 1  # quicker, and printed only
    python benchmarks/reinforcement_deep.py --jobs 4   # four runs at a time, each on one core

The seeds are 0, 1, 2 …. The methods stop when their own validation says so, the ablation after a fixed number of steps of
the environment; both count steps, so the results do not hang on the machine's speed; the seconds do. Reinforcement learning
magnifies rounding: another PyTorch or processor gives other runs, and the same picture.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from over_seeds import Row, parser, table, write

from dlcourse.rl.dqn_torch import DQNAgent, DQNConfig, train_dqn
from dlcourse.rl.envs import play
from dlcourse.rl.policy_gradient_torch import train_a2c, train_ppo, train_reinforce
from dlcourse.rl.runs import DEEP

SEEDS, STEPS = 5, 25_600
TEST_SEED = 123_456  # of the 100 episodes in Gymnasium's own CartPole-v1, which no training has seen
SCALE = (0.5, 0.5, 5.0, 0.5)

METHODS: dict[str, Callable[..., Any]] = {
    "DQN": train_dqn,
    "DQN, all five": partial(train_dqn, config=DQNConfig(n_step=3, observation_scale=SCALE)),
    "REINFORCE": train_reinforce,
    "REINFORCE, no baseline": partial(train_reinforce, baseline=False),
    "A2C": train_a2c,
    "PPO": train_ppo,
}
ALL_FIVE = DQNConfig(n_step=3, observation_scale=SCALE, steps=STEPS, stop_at=None)
TEXTBOOK = DQNConfig(steps=STEPS, stop_at=None)
AT_ONCE: dict[str, Any] = {"replay": False, "target_network": False, "every": 1, "updates": 1, "batch": 1}
OFF: dict[str, dict[str, Any]] = {
    "nothing": {},
    "replay": {"replay": False},
    "target network": {"target_network": False},
    "double": {"double": False},
    "replay and target network": AT_ONCE,  # one update from each step when it happens, and never again
    "n-step": {"n_step": 1},
    "scale": {"observation_scale": None},
}
ABLATION = {
    **{("all five", name): replace(ALL_FIVE, **change) for name, change in OFF.items()},
    **{("textbook", name): replace(TEXTBOOK, **change) for name, change in list(OFF.items())[:5]},
}

Job = tuple[str, str, int]


def jobs(seeds: int) -> list[Job]:
    """Of the methods a name, of the ablation a start and what is off; and the seed."""
    methods = [("CartPole", name, seed) for name in METHODS for seed in range(seeds)]
    return methods + [(start, off, seed) for start, off in ABLATION for seed in range(seeds)]


def run(job: Job) -> list[Row]:
    """One job's rows of the file."""
    task, name, seed = job
    rows = learned(name, seed) if task == "CartPole" else ablated(task, name, seed)
    print(*rows, sep="\n", flush=True)
    return rows


def learned(method: str, seed: int) -> list[Row]:
    """A method until its own validation is content: the mean return of 100 episodes."""
    agent = METHODS[method](seed=seed, progress=False)
    return [("CartPole", method, "return", seed, tested(agent.act), agent.steps, agent.seconds)]


def ablated(start: str, off: str, seed: int) -> list[Row]:
    """A DQN for a fixed number of steps: how good it was at the end and on the way, and what it believed."""
    agent: DQNAgent = train_dqn(config=ABLATION[start, off], seed=seed, progress=False)
    looks = np.array([mean for _, mean in agent.validation])
    measures = {
        "return": tested(agent.act),
        "late return": looks[len(looks) // 2 :].mean(),
        "best look": looks.max(),
        "largest value": max(value for _, value, _ in agent.values),
    }
    return [(start, off, name, seed, float(value), agent.steps, agent.seconds) for name, value in measures.items()]


def tested(act: Callable[[Any], int]) -> float:
    return float(play("CartPole-v1", act, 100, TEST_SEED).mean())


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    options = parser(__doc__, SEEDS).parse_args()
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = [row for rows in pool.map(run, jobs(options.seeds)) for row in rows]
    print(table(rows))
    if options.seeds < SEEDS:
        return
    write(DEEP, "reinforcement_deep.py", "task;setting;measure", rows)


if __name__ == "__main__":
    main()
