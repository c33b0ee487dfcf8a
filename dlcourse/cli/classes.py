"""What ``dlcourse class`` says: the same facts as plain data for programs and as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dlcourse.grader import classroom
from dlcourse.grader.reports import one_line
from dlcourse.grader.results import NotebookResult, Setting


def as_data(setting: Setting, notebooks: Sequence[NotebookResult]) -> dict[str, Any]:
    """The class as plain data: students with points by unit, exercises, misconceptions."""
    return {
        "isolation": setting.isolation,
        "seed": setting.seed,
        "max": sum(classroom.columns(notebooks).values()),
        "students": [
            {
                "student": row.student,
                "points": row.points if row.graded else None,
                "units": {unit: found.points for unit, found in row.notebooks.items() if not found.message},
                "notes": row.notes,
            }
            for row in classroom.rows(notebooks)
        ],
        "exercises": [vars(one) for one in classroom.standings(notebooks)],
        "misconceptions": [vars(one) for one in classroom.misconceptions(notebooks)],
    }


def tables(notebooks: Sequence[NotebookResult]) -> Iterator[Table]:
    """Marks, then misconceptions, then how each exercise went."""
    yield _marks(notebooks)
    yield _misconceptions(notebooks)
    yield _exercises(notebooks)


def _marks(notebooks: Sequence[NotebookResult]) -> Table:
    maxima = classroom.columns(notebooks)
    units = list(dict.fromkeys(id.split(".")[0] for id in maxima))
    table = _table("Marks")
    table.add_column("student", overflow="fold")
    for unit in units:
        table.add_column(unit, justify="right", overflow="fold")
    table.add_column(f"points of {sum(maxima.values()):g}", justify="right")
    table.add_column("notes", overflow="fold")
    for row in classroom.rows(notebooks):
        found = [row.notebooks.get(unit) for unit in units]
        marks = ["" if one is None else "not graded" if one.message else f"{one.points:g}" for one in found]
        total = f"{row.points:g}" if row.graded else ""
        table.add_row(*map(Text, (one_line(row.student), *marks, total, one_line("; ".join(row.notes)))))
    return table


def _misconceptions(notebooks: Sequence[NotebookResult]) -> Table:
    table = _table("Misconceptions")
    table.add_column("exercise", overflow="fold")
    table.add_column("mistake", overflow="fold")
    table.add_column("students", justify="right")
    table.add_column("")
    for one in classroom.misconceptions(notebooks):
        words = (one_line(one.exercise), one_line(one.mistake), f"{one.count} of {one.of}", _bar(one.count, one.of))
        table.add_row(*map(Text, words))
    return table


def _exercises(notebooks: Sequence[NotebookResult]) -> Table:
    table = _table("Exercises")
    table.add_column("exercise", overflow="fold")
    for name in ("passed", "not yet", "not started"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in classroom.standings(notebooks):
        numbers = map(str, (one.passed, one.tried, one.untouched))
        table.add_row(*map(Text, (one_line(one.id), *numbers, _bar(one.passed, one.of))))
    return table


def _table(title: str) -> Table:
    return Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")


def _bar(part: int, whole: int, width: int = 10) -> str:
    filled = round(width * part / max(whole, 1))
    return "█" * filled + "░" * (width - filled)
