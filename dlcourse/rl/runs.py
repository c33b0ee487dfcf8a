"""What agents came to over several seeds; scripts in ``benchmarks/`` measured it and wrote the tables beside this file."""

from __future__ import annotations

from pathlib import Path

from dlcourse.models.runs import Run, read_runs

__all__ = ["DEEP", "TABULAR", "Run", "deep_runs", "tabular_runs"]

TABULAR = Path(__file__).parent / "tabular_runs.csv"
DEEP = Path(__file__).parent / "deep_runs.csv"


def tabular_runs() -> dict[tuple[str, str, str], list[Run]]:
    """Bandits and tables, from ``benchmarks/reinforcement_tabular.py``: (task, method, quantity) -> its runs.

    The tasks are "bandit" ("regret" and "best share" of each strategy after 1000 pulls), "CliffWalking", "FrozenLake"
    and "Taxi" (of each method the "greedy return" after the training, the "training return" in its last 200 episodes),
    and "clock" (the "greedy return" and the "value" of staying where 1 is earned at every step, which is 10, with the
    clock's last step taken for a truncation or for the end).
    """
    return read_runs(TABULAR)


def deep_runs() -> dict[tuple[str, str, str], list[Run]]:
    """Networks, from ``benchmarks/reinforcement_deep.py``: (task, setting, measure) -> its runs, one for each seed.

    "CartPole" has the methods "DQN", "DQN, all five", "REINFORCE", "REINFORCE, no baseline", "A2C" and "PPO", and the
    measure "return": the mean of 100 new episodes, after a training that stopped when its own validation was content.

    "all five" (replay, target network, double, n-step, scale) and "textbook" (the first three) have what was switched off:
    "nothing", "replay" (only the 256 steps since the last burst are learned from), "target network", "double", "replay and
    target network" (one update from each step when it happens), and the first also "n-step" and "scale". Each run takes
    25,600 steps. Its measures are the "return" of 100 new episodes at the end, the "late return" (mean of the looks at the
    greedy policy in the second half), the "best look", and the "largest value", a batch's mean; upright forever is worth 100.
    """
    return read_runs(DEEP)
