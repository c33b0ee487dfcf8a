"""Regret of bandits, and returns of what tables have learned: the tables of lesson 16 that need no network.

    python benchmarks/reinforcement_tabular.py            # all seeds, into dlcourse/rl/tabular_runs.csv
    python benchmarks/reinforcement_tabular.py --seeds 1  # quicker, and printed only
    python benchmarks/reinforcement_tabular.py --jobs 2   # two runs at a time, each on one core

The seeds are 0, 1, 2 …. The number of episodes is fixed, so the results do not hang on the machine's speed; the seconds
do. Environments are the newest of that name in the Gymnasium that is installed.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from over_seeds import Row, parser, table, write

from dlcourse.rl.bandits import Strategy, epsilon_greedy, greedy, play_bandits, thompson, ucb
from dlcourse.rl.envs import make, play
from dlcourse.rl.runs import TABULAR
from dlcourse.rl.tabular import greedy as best_actions
from dlcourse.rl.tabular import q_learning, sarsa

SEEDS = 20
STRATEGIES: dict[str, Strategy] = {
    "greedy": greedy,
    "ε-greedy, ε = 0.1": epsilon_greedy(0.1),
    "ε-greedy, ε = 0.01": epsilon_greedy(0.01),
    "UCB, c = 2": ucb(2.0),
    "UCB, c = 1": ucb(1.0),
    "Thompson": thompson,
}
CLIFF: dict[str, Any] = {"gamma": 1.0, "epsilon": 0.1}
METHODS: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {
    ("CliffWalking", "Q-learning, α = 0.1"): (q_learning, {**CLIFF, "alpha": 0.1, "episodes": 1000}),
    ("CliffWalking", "Q-learning, α = 0.5"): (q_learning, {**CLIFF, "alpha": 0.5, "episodes": 500}),
    ("CliffWalking", "SARSA, α = 0.05"): (sarsa, {**CLIFF, "alpha": 0.05, "episodes": 4000}),
    ("CliffWalking", "SARSA, α = 0.1"): (sarsa, {**CLIFF, "alpha": 0.1, "episodes": 1000}),
    ("CliffWalking", "SARSA, α = 0.5"): (sarsa, {**CLIFF, "alpha": 0.5, "episodes": 500}),
    ("FrozenLake", "Q-learning, α = 0.1"): (q_learning, {"alpha": 0.1, "epsilon": (1.0, 0.02), "episodes": 6000}),
    ("FrozenLake", "Q-learning, α = 0.3 to 0.01"): (
        q_learning,
        {"alpha": (0.3, 0.01), "epsilon": (1.0, 0.1), "episodes": 4000},
    ),
    ("Taxi", "Q-learning, α = 0.5"): (q_learning, {"alpha": 0.5, "epsilon": (1.0, 0.0), "episodes": 2500}),
}
EPISODES = {"CliffWalking": 1, "FrozenLake": 500, "Taxi": 300}  # of the trained policy; the first has no chance in it
CLOCK = {"rows": ["GS1"], "rewards": {"G": 7.0}, "max_episode_steps": 10}  # 7 once, or 1 at every step: worth 10

Job = tuple[str, str, int]


def jobs(seeds: int) -> list[Job]:
    """The task, the method and the seed of each run."""
    names = [
        *(("bandit", name) for name in STRATEGIES),
        *METHODS,
        ("clock", "truncated"),
        ("clock", "taken for the end"),
    ]
    return [(*name, seed) for name in names for seed in range(seeds)]


def run(job: Job) -> list[Row]:
    """One job's rows of the file."""
    task, method, seed = job
    started = time.process_time()
    if task == "bandit":
        played = play_bandits(STRATEGIES[method], seed=seed)
        steps, results = 1000, {"regret": played.regret[-1], "best share": played.best[-1]}
        seconds = time.process_time() - started
    elif task == "clock":
        world, ends = make("GridWorld", **CLOCK), method != "truncated"
        learned = q_learning(world, episodes=1000, alpha=0.1, gamma=0.9, epsilon=(1.0, 0.1), seed=seed,
                             truncation_ends=ends, progress=False)  # fmt: skip
        steps, seconds = learned.steps, time.process_time() - started
        results = {"value": learned.Q[2].max(), "greedy return": play(world, best_actions(learned.Q), 1).mean()}
    else:
        learn, options = METHODS[task, method]
        learned = learn(task, seed=seed, progress=False, **options)
        steps, seconds = learned.steps, time.process_time() - started
        returns = play(task, best_actions(learned.Q), EPISODES[task], seed=1000 + seed)
        results = {"greedy return": returns.mean(), "training return": learned.returns[-200:].mean()}
    rows = [(task, method, quantity, seed, float(result), steps, seconds) for quantity, result in results.items()]
    print(*rows, sep="\n", flush=True)
    return rows


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    options = parser(__doc__, SEEDS).parse_args()
    todo = jobs(options.seeds)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = [row for some in pool.map(run, todo) for row in some]
    rows.sort(key=lambda row: [todo.index((row[0], row[1], 0)), row[2]])  # each quantity's seeds side by side
    print(table(rows))
    if options.seeds >= SEEDS:
        write(TABULAR, "reinforcement_tabular.py", "task;method;quantity", rows)


if __name__ == "__main__":
    main()
