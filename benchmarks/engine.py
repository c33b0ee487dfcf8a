"""The NumPy engine against PyTorch eager: the same networks from the same weights, one thread on one core.

    python benchmarks/engine.py                    # a table; --only cnn28 measures one case, --rounds 50 for longer
    python benchmarks/engine.py --json FILE        # the same for programs
    python benchmarks/engine.py --page             # table and figure of docs/benchmarks.md, from results/engine.json
    python benchmarks/engine.py --floors           # quickly; exit code 1 if a case lies below 60 % of its goal

Both engines first take five steps, and their losses must agree. Then they take turns; what counts is CPU time, and of
each turn the ratio PyTorch's / ours: above 1, ours is faster. Reported are the median ratio and its quartiles. The work
is done in a child process, because the number of threads and the memory settings must be in the environment before
NumPy is loaded. Python's garbage collector runs as usual, but passes over what the imports made: whoever uses one
engine does not carry the other's objects.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine_cases import CASES, FLOOR, Case, Step, gpt, ours, pytorch, text, training
from machines import processor

RESULTS = Path(__file__).parent / "results" / "engine.json"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
FIGURE = PAGE.with_name("engine-benchmark.png")
ROUNDS, QUICK_ROUNDS = 21, 5
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
KEEP_MEMORY = {  # freed arrays stay with the process; glibc would hand each large one back and fetch it anew
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 26),
}


# ---- measuring


def seconds(step: Step, steps: int) -> float:
    """CPU time of one step, the mean over several."""
    gc.collect()
    started = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - started) / steps


def alternate(case: Case, rounds: int) -> list[tuple[float, float]]:
    """Milliseconds of the two steps in each round, after a few steps whose losses agree."""
    assert case.start is not None
    pair = case.start()
    losses = [[float(step().item()) for _ in range(case.first_steps)] for step in pair]
    if not case.at_most:
        worst = max(abs(a - b) / abs(a) for a, b in zip(*losses, strict=True))
        assert worst < 1e-3, f"{case.key}: after the same steps the losses differ, {losses[0]} and {losses[1]}"
    gc.collect()
    gc.freeze()  # see above
    turns = []
    for i in range(rounds):
        times = {k: 1000 * seconds(pair[k], case.steps) for k in ((0, 1) if i % 2 else (1, 0))}
        turns.append((times[0], times[1]))
    gc.unfreeze()
    return turns


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """One line of the table."""
    turns = alternate(case, rounds) if case.start else [memory_in_children(case)]
    ratios = [a / b for a, b in turns]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return {
        "case": case.key, "title": case.title, "columns": case.columns,
        "times": [round(statistics.median(column), 4) for column in zip(*turns, strict=True)],
        "ratio": round(quartiles[1], 3), "quartiles": [round(quartiles[0], 3), round(quartiles[2], 3)],
        "goal": case.goal, "floor": case.floor, "at_most": case.at_most, "rounds": len(turns),
    }  # fmt: skip


def misses(row: dict[str, Any], limit: str) -> bool:
    """Whether the ratio lies on the wrong side of its "goal" or its "floor"."""
    return bool(row["ratio"] > row[limit] if row["at_most"] else row["ratio"] < row[limit])


def memory_in_children(case: Case) -> tuple[float, float]:
    """Peak memory in MB above what the imports take, of ours and of PyTorch, with glibc's own memory settings."""
    environment = {name: value for name, value in os.environ.items() if name not in KEEP_MEMORY}
    command = [sys.executable, __file__, "--memory"]
    ours_mb, torch_mb = [
        float(subprocess.run([*command, which], env=environment, capture_output=True, text=True, check=True).stdout)
        for which in ("ours", "pytorch")
    ]
    return ours_mb, torch_mb


def print_memory(which: str) -> None:
    engine = {"ours": ours, "pytorch": pytorch}[which]()
    training(engine, lambda e: gpt(e, 1, 8, 1), text(1), "AdamW", 1e-3, None)()  # loads what is loaded lazily
    base = peak_mb()
    step = training(engine, gpt, text(16), "AdamW", 1e-3, None)
    for _ in range(5):
        step()
    print(peak_mb() - base)


def peak_mb() -> float:
    """The most memory this process has held so far. (Linux's ru_maxrss would begin with the parent's.)"""
    with suppress(FileNotFoundError):
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def machine() -> dict[str, Any]:
    """What the ratios depend on besides the code."""
    import numpy as np
    import threadpoolctl
    import torch

    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    blas = [f"{pool['internal_api']} {pool['version']}" for pool in pools if "numpy" in pool["filepath"]]
    config = torch.__config__.show()
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(512, 512)).astype("float32") for _ in range(2))
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    ratios = [seconds(lambda: left @ right, 20) / seconds(lambda: a @ b, 20) for _ in range(7)]
    return {
        "cpu": processor(), "system": f"{platform.system()} {platform.machine()}", "python": platform.python_version(),
        "numpy": np.__version__, "torch": torch.__version__, "numpy_blas": ", ".join(blas) or "other",
        "torch_blas": next((name for name in ("mkl", "open", "accelerate") if f"BLAS_INFO={name}" in config), "other"),
        "matrix_product_ratio": round(statistics.median(ratios), 3),
    }  # fmt: skip


# ---- showing


def table(rows: Sequence[dict[str, Any]], on: dict[str, Any]) -> Iterator[str]:
    yield f"{'case':12} {'torch':>9} {'ours':>9}  {'ratio (quartiles)':21} {'goal':>6} {'floor':>6}"
    for row in rows:
        sign, spread = "≤" if row["at_most"] else "≥", "{:.2f}-{:.2f}".format(*row["quartiles"])
        note = "" if row["columns"][0] == "torch, ms" else f"  {' / '.join(row['columns'])}"
        note += "  (goal missed)" if misses(row, "goal") else ""
        yield (f"{row['case']:12} {row['times'][0]:9.3f} {row['times'][1]:9.3f}  {row['ratio']:6.2f} ({spread:11})  "
               f"{sign}{row['goal']:6} {sign}{row['floor']:6}{note}")  # fmt: skip
    yield "; ".join(f"{name}: {value}" for name, value in on.items())


def page(text: str, result: dict[str, Any]) -> str:
    """docs/benchmarks.md with its table, which ends with the line about the machine, made anew."""
    lines = ["| case | | | ratio (quartiles) | goal |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in result["cases"]:
        sign, spread = "≤" if row["at_most"] else "≥", "{:.2f}–{:.2f}".format(*row["quartiles"])
        ratio = f"{row['ratio']:.2f}" if misses(row, "goal") else f"**{row['ratio']:.2f}**"
        names, units = zip(*(column.split(", ") for column in row["columns"]), strict=True)
        cells = [f"{name} {value:.3g} {unit}" for name, value, unit in zip(names, row["times"], units, strict=True)]
        lines.append(f"| {row['title']} | {' | '.join(cells)} | {ratio} ({spread}) | {sign} {row['goal']} |")
    lines += ["", "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in result["machine"].items()) + "."]
    start, end = "<!-- table -->\n", "\n<!-- end of table -->"
    before, after = text.partition(start)[0], text.partition(end)[2]
    return before + start + "\n".join(lines) + end + after


def figure(path: Path) -> None:
    """Bars of the speed ratios on a logarithmic axis, each goal a black mark, and a dashed line where the two are equal."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in json.loads(RESULTS.read_text())["cases"] if not row["at_most"]][::-1]
    ratios, places = [row["ratio"] for row in rows], range(len(rows))
    faster = sum(row["quartiles"][0] > 1 for row in rows)
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(rows) + 1.6), layout="constrained")
    for place, row in zip(places, rows, strict=True):
        ahead = row["ratio"] > 1
        axes.barh(place, row["ratio"] - 1, left=1, height=0.6, color="#0072B2" if ahead else "#E69F00",
                  hatch="" if ahead else "//", edgecolor="white")  # fmt: skip
        axes.plot([row["goal"]] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
        axes.annotate(f"{row['ratio']:.2f}", (max(row["ratio"], row["goal"], 1), place), (6, 0),
                      textcoords="offset points", va="center")  # fmt: skip
    axes.axvline(1, color="black", linestyle="--", linewidth=1)
    axes.set(xscale="log", xlim=(min(0.4, *ratios) * 0.9, max(ratios) * 1.4), yticks=places,
             yticklabels=[row["title"] for row in rows])  # fmt: skip
    figure.suptitle(
        f"On one core, the NumPy engine is faster than PyTorch eager in {faster} of {len(rows)} small cases"
    )
    figure.supxlabel("CPU time, PyTorch eager / ours; right of the dashed line ours is faster; black marks: goals")
    axes.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100, metadata={"Software": ""})


def run(options: argparse.Namespace) -> int:
    """Measure and report; the exit code."""
    from tqdm import tqdm

    with suppress(AttributeError, OSError):  # Linux: stay on one core
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rounds = options.rounds or (QUICK_ROUNDS if options.floors else ROUNDS)
    rows = []
    for case in tqdm([case for case in CASES if options.only in (None, case.key)], disable=None):
        turns = rounds * 8 if options.floors and case.steps >= 50 else rounds  # the steps of these take no time
        row = measure(case, turns)
        if options.floors and misses(row, "floor"):
            row = measure(case, turns)  # once more: a machine may have been busy
        rows.append(row)
    on = machine()
    print("\n".join(table(rows, on)))
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": on, "cases": rows}, indent=1, ensure_ascii=False) + "\n")
    missed = [row["case"] for row in rows if misses(row, "floor")] if options.floors else []
    if missed:
        print(f"below {FLOOR:.0%} of the goal, twice: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=[case.key for case in CASES], metavar="CASE", help="one case by its key")
    parser.add_argument("--rounds", type=int, help=f"turns that the engines take ({ROUNDS})")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    parser.add_argument("--floors", action="store_true", help="quick; exit code 1 below 60 %% of a goal")
    parser.add_argument("--page", action="store_true", help=f"make {PAGE.name} and its figure from {RESULTS.name}")
    parser.add_argument("--memory", choices=["ours", "pytorch"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.page:
        PAGE.write_text(page(PAGE.read_text(), json.loads(RESULTS.read_text())))
        figure(FIGURE)
    elif options.memory:
        print_memory(options.memory)
    else:
        return run(options)
    return 0


if __name__ == "__main__":
    settings = THREADS | KEEP_MEMORY
    if "--memory" in sys.argv or all(os.environ.get(name) == value for name, value in settings.items()):
        sys.exit(main())
    sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | settings).returncode)
