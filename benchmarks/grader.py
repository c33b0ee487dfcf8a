"""`dlcourse grade` against nbgrader's autograde: the same submissions on the same machine in one run.

    python benchmarks/grader.py               # a table; exit code 1 if a goal is missed; three minutes on a quiet machine
    python benchmarks/grader.py --json FILE   # the same for programs
    python benchmarks/grader.py --page        # table and figure of docs/benchmarks.md, from results/grader.json

Both grade a class that hands in the exercises of unit 1, every third submission with mistakes. nbgrader comes into an
environment of its own, which sees this one's packages, so that both run the same Python, NumPy and dlcourse. Its time
for 60 submissions is extrapolated from those for 1 and for 6, since each takes as long as the last; ours is measured.
The two take turns, and of each round the ratios count; reported are medians. Time is taken by the clock, which is what
one waits for, and as processor time, which a busy machine changes less; start-up is in both. Memory is the largest sum
over the process tree, sampled every 0.1 s; pages that processes share are counted once (PSS, Linux) or, where the system
does not tell, in each (RSS). What the notebooks themselves need is measured by running their code as a plain script.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from machines import processor
from submissions import MISTAKES, ROOT, UNIT, hand_in, submission

RESULTS = Path(__file__).parent / "results" / "grader.json"
PAGE = ROOT / "docs" / "benchmarks.md"
FIGURE = PAGE.with_name("grader-benchmark.png")
NBGRADER = "0.9.6"
FEW, MANY, CLASS = 6, 60, 200
ROUNDS = 2
FLOORS = ("few", "many")
GOALS = {"few": 5.0, "many": 20.0, "overhead": 0.5, "memory": 1.0, "growth": 1.25}


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds by the clock and of processor time, and the peak memory of its process tree in MB,
    in the first and in the second half of the time.
    """

    seconds: float
    cpu: float
    halves: tuple[float, float]

    @property
    def memory(self) -> float:
        return max(self.halves)


# ---- measuring


def memory_of(process: psutil.Process) -> float:
    """MB; pages shared with other processes count for a part of one each."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        pass
    try:
        return process.memory_info().rss / 2**20
    except psutil.Error:  # it has ended
        return 0.0


def cpu_of_children() -> float:
    """Processor time of all descendants that have ended and were waited for."""
    times = os.times()
    return times.children_user + times.children_system


def usage(command: Sequence[str], cwd: Path, env: dict[str, str]) -> Usage:
    """Run a command, and watch it."""
    samples: list[tuple[float, float]] = []
    done = threading.Event()
    with open(cwd / "log.txt", "w", encoding="utf-8") as log:
        started, cpu = time.perf_counter(), cpu_of_children()
        child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tree = psutil.Process(child.pid)

        def watch() -> None:
            while not done.wait(0.1):
                try:
                    processes = [tree, *tree.children(recursive=True)]
                except psutil.Error:
                    return
                samples.append((time.perf_counter() - started, sum(map(memory_of, processes))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = child.wait()
        seconds = time.perf_counter() - started
        cpu = cpu_of_children() - cpu
        done.set()
        watcher.join()
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{(cwd / 'log.txt').read_text('utf-8')[-2000:]}")
    first, second = ([mb for at, mb in samples if (at < seconds / 2) == early] for early in (True, False))
    return Usage(seconds, cpu, (max(first, default=0.0), max(second, default=0.0)))


def environment(home: Path, *bins: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "DLCOURSE", "PYTHON"))}
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join([*map(str, bins), os.environ["PATH"]])}


def hand_in_class(folder: Path, count: int, inner: str = "") -> None:
    """Hand in ``folder/student_007/…``, every third one with mistakes."""
    ids = list(MISTAKES)
    for number in range(count):
        mistakes = {ids[number % len(ids)], ids[number // 2 % len(ids)]} if number % 3 == 2 else set()
        hand_in(submission(mistakes), folder / f"student_{number:03d}" / inner)


# ---- the two graders


def install_nbgrader(folder: Path) -> Path:
    """An environment with nbgrader in it, and the packages of this one in sight."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    here = [path for path in sys.path if path.rstrip("/").endswith(("site-packages", "dist-packages"))]
    Path(own, "measured_beside.pth").write_text("\n".join([*here, str(ROOT)]) + "\n")
    command = [str(python), "-m", "pip", "install", "--quiet", f"nbgrader=={NBGRADER}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"nbgrader {NBGRADER} could not be installed:\n{done.stderr[-2000:]}")
    return python


def run_nbgrader(python: Path, folder: Path, count: int) -> Usage:
    """Autograde a class in a new course folder; making the assignment does not count."""
    (folder / "source" / UNIT).mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{UNIT}.ipynb", folder / "source" / UNIT)
    (folder / "nbgrader_config.py").write_text(f'load_subconfig("{ROOT / "tools" / "nbgrader_config.py"}")\n')
    env = environment(folder, python.parent, Path(sys.executable).parent)
    usage([str(python), "-m", "nbgrader", "generate_assignment", UNIT], folder, env)
    hand_in_class(folder / "submitted", count, UNIT)
    return usage([str(python), "-m", "nbgrader", "autograde", UNIT], folder, env)


def run_ours(folder: Path, count: int, jobs: int = 1) -> tuple[Usage, list[dict]]:
    """`dlcourse grade` on a class, and what it found."""
    hand_in_class(folder / "class", count)
    command = [sys.executable, "-m", "dlcourse.cli", "grade", "--jobs", str(jobs), "--json", "marks.json", "class"]
    used = usage(command, folder, environment(folder))
    return used, json.loads((folder / "marks.json").read_text("utf-8"))["notebooks"]


def run_script(folder: Path) -> Usage:
    """All code of a right submission, checks and trials included, as a script: what its author's code itself takes."""
    folder.mkdir()
    code = [cell.source for cell in submission().cells if cell.cell_type == "code"]
    (folder / "script.py").write_text("\n\n".join(code), "utf-8")
    env = {**environment(folder), "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    return usage([sys.executable, "script.py"], folder, env)


# ---- the comparison


def measure(scratch: Path, rounds: int) -> dict:
    """All that is reported: medians over the rounds, and the ratios of each."""
    python = install_nbgrader(scratch / "environment")
    on, turns = machine(), []
    for number in range(rounds):
        folder = scratch / f"round-{number}"
        folder.mkdir()
        turns.append(one_round(python, folder))
    (scratch / "class").mkdir()
    whole_class, marks = run_ours(scratch / "class", CLASS, jobs=2)
    assert len(marks) == CLASS
    names = ("few", "many", "overhead", "memory")
    return {
        "machine": on,
        "nbgrader_version": NBGRADER,
        "rounds": turns,
        "class": asdict(whole_class),
        "ratios": {
            **{name: middle(turn["ratios"][name] for turn in turns) for name in names},
            "growth": round(whole_class.halves[1] / whole_class.halves[0], 3),
        },
        "cpu_ratios": {name: middle(turn["cpu_ratios"][name] for turn in turns) for name in FLOORS},
    }


def one_round(python: Path, folder: Path) -> dict:
    """Both graders in turns, and what follows from that."""
    for name in ("theirs-1", f"ours-{FEW}", f"theirs-{FEW}", f"ours-{MANY}", f"ours-again-{FEW}"):
        (folder / name).mkdir()
    script = run_script(folder / "script")
    theirs_1 = run_nbgrader(python, folder / "theirs-1", 1)
    ours_few, _ = run_ours(folder / f"ours-{FEW}", FEW)
    theirs_few = run_nbgrader(python, folder / f"theirs-{FEW}", FEW)
    ours_many, notebooks = run_ours(folder / f"ours-{MANY}", MANY)
    ours_again, _ = run_ours(folder / f"ours-again-{FEW}", FEW)
    ours = {kind: middle([getattr(ours_few, kind), getattr(ours_again, kind)]) for kind in ("seconds", "cpu")}
    answers = sum(exercise["seconds"] for notebook in notebooks for exercise in notebook["exercises"]) / MANY
    found: dict = {"script": {"seconds": script.seconds, "cpu": script.cpu}, "answers_seconds": answers}
    for kind in ("seconds", "cpu"):
        few, one = getattr(theirs_few, kind), getattr(theirs_1, kind)
        each, many = (few - one) / (FEW - 1), getattr(ours_many, kind)
        found[kind] = {
            "nbgrader": {"few": few, "many": few + (MANY - FEW) * each, "each": each},
            "dlcourse": {"few": ours[kind], "many": many, "each": (many - ours[kind]) / (MANY - FEW)},
        }
    memory = {"nbgrader": theirs_few.memory, "dlcourse": max(ours_few.memory, ours_many.memory)}
    found |= {"memory": memory, "cpu_ratios": ratios_of(found["cpu"])}
    overhead = found["seconds"]["dlcourse"]["each"] - answers
    found["ratios"] = {
        **ratios_of(found["seconds"]),
        "overhead": overhead,
        "memory": memory["dlcourse"] / memory["nbgrader"],
    }
    return found


def ratios_of(times: dict) -> dict[str, float]:
    """How many times as long nbgrader takes."""
    return {name: times["nbgrader"][name] / times["dlcourse"][name] for name in FLOORS}


def middle(values: Iterable[float]) -> float:
    return round(statistics.median(values), 4)


def machine() -> dict[str, object]:
    """What the numbers depend on besides the code."""
    return {
        "cpu": processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(), "load before": round(psutil.getloadavg()[0], 1),
    }  # fmt: skip


def missed(ratios: dict[str, float]) -> list[str]:
    """The goals that were not reached: two are floors, the others ceilings."""
    return [name for name, goal in GOALS.items() if (ratios[name] < goal if name in FLOORS else ratios[name] > goal)]


def lines_of(result: dict) -> list[tuple[str, str, str, str, str]]:
    """The table: what, nbgrader, ours, the result, the goal."""
    turns, ratios, cpu = result["rounds"], result["ratios"], result["cpu_ratios"]

    def seconds(kind: str, whose: str, name: str, digits: int = 1) -> str:
        return f"{middle(turn[kind][whose][name] for turn in turns):.{digits}f} s"

    rows = []
    for name, count in (("few", f"{FEW} submissions"), ("many", f"{MANY} submissions*")):
        for kind, by, ratio in (("seconds", "by the clock", ratios), ("cpu", "processor time", cpu)):
            goal = f"≥ {GOALS[name]:g}" if kind == "seconds" else ""
            both = (seconds(kind, "nbgrader", name), seconds(kind, "dlcourse", name))
            rows.append((f"{count}, {by}", *both, f"{ratio[name]:.1f} times", goal))
    each = (seconds("seconds", "nbgrader", "each", 2), seconds("seconds", "dlcourse", "each", 2))
    beyond = f"{ratios['overhead']:.2f} s beyond the answers"
    rows.append(("one more, by the clock", *each, beyond, f"≤ {GOALS['overhead']:g} s"))
    memory = [f"{middle(turn['memory'][whose] for turn in turns):.0f} MB" for whose in ("nbgrader", "dlcourse")]
    rows.append(("peak memory, one worker", *memory, f"{ratios['memory']:.2f} times", f"≤ {GOALS['memory']:g}"))
    peak = f"{result['class']['seconds']:.0f} s, {max(result['class']['halves']):.0f} MB"
    growth = f"{ratios['growth']:.2f} times the memory in the second half"
    rows.append((f"{CLASS} submissions, 2 jobs", "", peak, growth, f"≤ {GOALS['growth']:g}"))
    return rows


def notes_of(result: dict) -> list[str]:
    """What the submissions' own code takes, and where this was measured."""
    turns = result["rounds"]
    script, answers = middle(turn["script"]["cpu"] for turn in turns), middle(turn["answers_seconds"] for turn in turns)
    theirs, ours = (middle(turn[kind][whose]["each"] for turn in turns)
                    for kind, whose in (("cpu", "nbgrader"), ("seconds", "dlcourse")))  # fmt: skip
    return [
        f"* nbgrader's extrapolated from 1 and {FEW}.",
        f"All code of one notebook, run as a plain script, takes {script:.2f} s of processor time, imports included: "
        f"{script / theirs:.0%} of what nbgrader takes for one more. The answers' calls take {answers:.3f} s by the clock, "
        f"{answers / ours:.0%} of what dlcourse takes.",
        "; ".join(f"{name}: {value}" for name, value in result["machine"].items()) + ".",
    ]


def table(result: dict) -> str:
    short = missed(result["ratios"])
    rows = [("", f"nbgrader {result['nbgrader_version']}", "dlcourse grade", "", "goal"), *lines_of(result)]
    lines = [f"{row[0]:34}{row[1]:>16}{row[2]:>18}   {row[3]:42}{row[4]}" for row in rows]
    return "\n".join([*lines, *notes_of(result), *([f"missed: {', '.join(short)}"] if short else [])])


# ---- the page


def page(text: str, result: dict) -> str:
    """docs/benchmarks.md with the grader's table made anew."""
    head = [
        f"| | nbgrader {result['nbgrader_version']} | `dlcourse grade` | | goal |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rows = [f"| {' | '.join(row)} |".replace("*", "\\*") for row in lines_of(result)]
    notes = [note.replace("* ", "\\* ", 1) if note.startswith("*") else note for note in notes_of(result)]
    made = "\n".join([*head, *rows, *(line for note in notes for line in ("", note))])
    start, end = "<!-- table of the grader -->\n", "\n<!-- end of the grader's table -->"
    return text.partition(start)[0] + start + made + end + text.partition(end)[2]


def figure(path: Path) -> None:
    """Bars of the four ratios on a logarithmic axis, the goals black marks."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    result = json.loads(RESULTS.read_text("utf-8"))
    bars = [
        (f"{count} submissions, {by}", result[ratios][name], goal, color, hatch)
        for name, count in (("few", FEW), ("many", MANY))
        for ratios, by, goal, color, hatch in (
            ("ratios", "by the clock", GOALS[name], "#0072B2", ""), ("cpu_ratios", "processor time", None, "#E69F00", "//"),
        )
    ][::-1]  # fmt: skip
    figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
    for place, (_, ratio, goal, color, hatch) in enumerate(bars):
        axes.barh(place, ratio - 1, left=1, height=0.6, color=color, hatch=hatch, edgecolor="white")
        axes.annotate(f"{ratio:.1f}", (max(ratio, goal or 1), place), (6, 0), textcoords="offset points", va="center")
        if goal:
            axes.plot([goal] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
    most = max(ratio for _, ratio, *_ in bars)
    axes.set(xscale="log", xlim=(1, most * 1.5), yticks=range(len(bars)), yticklabels=[bar[0] for bar in bars])
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if tick < most * 1.5]
    axes.set_xticks(ticks, map(str, ticks))
    axes.minorticks_off()
    least, largest = (pick(result["ratios"][name] for name in FLOORS) for pick in (min, max))
    faster = f"{least:.0f} to {largest:.0f} times as fast as nbgrader's autograde"
    figure.suptitle(f"Start-up included, dlcourse grade is {faster}")
    figure.supxlabel("time of nbgrader / time of dlcourse grade; black marks: goals")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100, metadata={"Software": ""})
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there too")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns that the two take ({ROUNDS})")
    parser.add_argument("--page", action="store_true", help=f"make {PAGE.name} and its figure from {RESULTS.name}")
    options = parser.parse_args(arguments)
    if options.page:
        PAGE.write_text(page(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")
        figure(FIGURE)
        return 0
    with tempfile.TemporaryDirectory(prefix="dlcourse-benchmark-") as folder:
        try:
            result = measure(Path(folder), options.rounds)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
    if options.json:
        options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(table(result))
    return int(bool(missed(result["ratios"])))


if __name__ == "__main__":
    sys.exit(main())
