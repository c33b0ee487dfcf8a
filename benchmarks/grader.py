"""`dlcourse grade` against nbgrader's autograde: the same submissions on the same machine in one run.

    python benchmarks/grader.py               # a table; exit code 1 if a goal is missed; about five minutes
    python benchmarks/grader.py --json FILE   # the same for programs

Both grade a class that hands in the exercises of unit 1, every third submission with mistakes. nbgrader comes into an
environment of its own, which sees this one's packages, so that both run the same Python, NumPy and dlcourse. Its time
for 60 submissions is extrapolated from those for 1 and for 6, since each takes as long as the last; ours is measured.
Time is wall time, start-up included. Memory is the largest sum over the process tree, sampled every 0.1 s; pages that
processes share are counted once (PSS, Linux) or, where the system does not tell, in each (RSS).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from submissions import MISTAKES, ROOT, UNIT, hand_in, submission

NBGRADER = "0.9.6"
FEW, MANY, CLASS = 6, 60, 200
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


# ---- the comparison


def measure(scratch: Path) -> dict:
    python = install_nbgrader(scratch / "environment")
    theirs = {count: run_nbgrader(python, scratch / f"theirs-{count}", count) for count in (1, FEW)}
    ours = {count: run_ours(scratch / f"ours-{count}", count) for count in (FEW, MANY)}
    whole_class, marks = run_ours(scratch / "class", CLASS, jobs=2)
    assert len(marks) == CLASS
    each_of_theirs = (theirs[FEW].seconds - theirs[1].seconds) / (FEW - 1)
    theirs_many = theirs[FEW].seconds + (MANY - FEW) * each_of_theirs
    each_of_ours = (ours[MANY][0].seconds - ours[FEW][0].seconds) / (MANY - FEW)
    notebooks = ours[MANY][1]
    theirs_many_cpu = theirs[FEW].cpu + (MANY - FEW) * (theirs[FEW].cpu - theirs[1].cpu) / (FEW - 1)
    own = sum(exercise["seconds"] for notebook in notebooks for exercise in notebook["exercises"]) / MANY
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "nbgrader": {"version": NBGRADER, **{str(count): asdict(used) for count, used in theirs.items()}},
        "dlcourse": {str(count): asdict(used) for count, (used, _) in ours.items()},
        "class": asdict(whole_class),
        "nbgrader_many_seconds": theirs_many,
        "nbgrader_each_seconds": each_of_theirs,
        "dlcourse_each_seconds": each_of_ours,
        "cpu_ratios": {
            "few": theirs[FEW].cpu / ours[FEW][0].cpu,
            "many": theirs_many_cpu / ours[MANY][0].cpu,
        },
        "ratios": {
            "few": theirs[FEW].seconds / ours[FEW][0].seconds,
            "many": theirs_many / ours[MANY][0].seconds,
            "overhead": each_of_ours - own,
            "memory": max(used.memory for used, _ in ours.values()) / theirs[FEW].memory,
            "growth": whole_class.halves[1] / whole_class.halves[0],
        },
    }


def missed(ratios: dict[str, float]) -> list[str]:
    """The goals that were not reached: two are floors, the others ceilings."""
    floors = ("few", "many")
    return [name for name, goal in GOALS.items() if (ratios[name] < goal if name in floors else ratios[name] > goal)]


def table(result: dict) -> str:
    theirs, ours, ratios = result["nbgrader"], result["dlcourse"], result["ratios"]
    memory = {name: max(used["halves"]) for name, used in (("theirs", theirs[str(FEW)]), ("ours", ours[str(MANY)]))}
    rows = [
        (f"{FEW} submissions", theirs[str(FEW)]["seconds"], ours[str(FEW)]["seconds"], "s", "few", "times, at least 5"),
        (f"{MANY} submissions*", result["nbgrader_many_seconds"], ours[str(MANY)]["seconds"], "s", "many", "times, at least 20"),
        ("one more submission", result["nbgrader_each_seconds"], result["dlcourse_each_seconds"], "s", "overhead", "s beyond the answers' own time, at most 0.5"),
        ("peak memory", memory["theirs"], memory["ours"], "MB", "memory", "times, at most 1"),
        (f"{CLASS} submissions, 2 jobs", None, result["class"]["seconds"], "s", "growth", "times the memory in the second half, at most 1.25"),
    ]  # fmt: skip
    lines = [f"{'':28}{'nbgrader ' + theirs['version']:>16}{'dlcourse grade':>18}"]
    short = missed(ratios)
    for title, left, right, unit, key, goal in rows:
        shown = "-" if left is None else f"{left:.1f} {unit}"
        verdict = "MISSED " if key in short else ""
        lines.append(f"{title:28}{shown:>16}{right:>15.2f} {unit:2}   {verdict}{ratios[key]:.2f} {goal}")
    few, many = result["cpu_ratios"]["few"], result["cpu_ratios"]["many"]
    lines.append(
        f"{'processor time':28}{few:.1f} and {many:.1f} times, for {FEW} and {MANY}: a busy machine changes it less"
    )
    lines.append(
        f"* nbgrader's extrapolated from 1 and {FEW}; the {CLASS} peaked at {max(result['class']['halves']):.0f} MB"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dlcourse-benchmark-") as folder:
        try:
            result = measure(Path(folder))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(table(result))
    return int(bool(missed(result["ratios"])))


if __name__ == "__main__":
    sys.exit(main())
