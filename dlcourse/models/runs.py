"""Tables over seeds: a script in ``benchmarks/`` writes them, an installed course reads them, a lesson repeats a row.

A file's first line is the command and the versions it ran with, its second names the columns: three that say what was
run, then seed, result, steps and seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Run", "read_runs"]


class Run(NamedTuple):
    """One row of a table.

    Attributes
    ----------
    seed : of weights and data
    result : what the row's first three columns name
    steps : updates made; 0 where nothing was trained
    seconds : of one processor core
    """

    seed: int
    result: float
    steps: int
    seconds: float


def read_runs(path: Path) -> dict[tuple[str, str, str], list[Run]]:
    """A table: its first three columns -> the runs, one for each seed, in the file's order."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[2:]:
        first, second, third, seed, result, steps, seconds = line.split(";")
        run = Run(int(seed), float(result), int(steps), float(seconds))
        found.setdefault((first, second, third), []).append(run)
    return found
