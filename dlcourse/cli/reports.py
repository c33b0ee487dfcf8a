"""What ``dlcourse list`` and ``dlcourse progress`` say: the same facts as plain data for programs and as tables for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dlcourse import course
from dlcourse.checks import TOPICS, catalog
from dlcourse.record import Entry

if TYPE_CHECKING:
    from dlcourse.checks import Exercise

STATES = {"passed": ("✓ passed", "green"), "tried": ("· tried", "yellow"), "open": ("open", "")}


def units(entries: Mapping[str, Entry]) -> list[dict[str, Any]]:
    """Every unit with its exercises and what the learner's record says about them.

    Parameters
    ----------
    entries : dict of Entry
        The record by exercise id; empty where there is no workspace.
    """
    lessons = {unit.topic: unit for unit in course.units()}
    exercises: dict[str, list[Exercise]] = {topic: [] for topic in TOPICS}
    for exercise in catalog():
        exercises.setdefault(exercise.topic, []).append(exercise)
    names = {unit.name for unit in lessons.values()} | {f"{number:02d}_{topic}" for topic, number in TOPICS.items()}
    found = []
    for name in sorted(names):
        topic = name[3:]
        title = lessons[topic].title if topic in lessons else topic.replace("_", " ").capitalize()
        rows = [_exercise(exercise, entries.get(exercise.id)) for exercise in exercises.get(topic, [])]
        found.append({"unit": name, "title": title, **_sums(rows), "exercises": rows})
    return found


def _exercise(exercise: Exercise, entry: Entry | None) -> dict[str, Any]:
    entry = entry or Entry(exercise.id)
    return {
        "id": exercise.id,
        "title": exercise.title,
        "kind": exercise.kind,
        "points": exercise.points,
        "minutes": exercise.minutes,
        "difficulty": exercise.difficulty,
        "state": "passed" if entry.passed else "tried" if entry.attempts else "open",
        "earned": entry.points if entry.passed else 0.0,
        "attempts": entry.attempts,
        "hints": entry.hints,
    }


def _sums(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "passed": sum(row["state"] == "passed" for row in rows),
        "of": len(rows),
        "earned": sum(row["earned"] for row in rows),
        "points": sum(row["points"] for row in rows),
    }


def totals(units: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Passed exercises and points over all units."""
    return {name: sum(unit[name] for unit in units) for name in ("passed", "of", "earned", "points")}


def exercise_table(unit: Mapping[str, Any]) -> Table:
    """One unit as a table: an exercise a row, its title under its id, so that the longest id fits in 80 columns."""
    table = Table(title=f"{unit['unit']}  {unit['title']}", box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.pad_edge, table.collapse_padding = False, True
    table.add_column("exercise", min_width=max((len(row["id"]) for row in unit["exercises"]), default=0))
    for name in ("points", "minutes"):
        table.add_column(name, justify="right")
    table.add_column("level", justify="center")
    table.add_column("state", no_wrap=True)
    for row in unit["exercises"]:
        word, style = STATES[row["state"]]
        dots = "●" * row["difficulty"] + "○" * (3 - row["difficulty"])
        label = Group(Text(row["id"], "bold"), Padding(Text(row["title"]), (0, 0, 0, 2)))
        table.add_row(label, f"{row['points']:g}", str(row["minutes"]), dots, Text(word, style))
    return table


def progress_table(units: Sequence[Mapping[str, Any]]) -> Table:
    """The units that have exercises, with a bar each, and their sum."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("unit", overflow="fold")
    table.add_column("")
    table.add_column("exercises", justify="right")
    table.add_column("points", justify="right")
    for unit in (unit for unit in units if unit["of"]):
        bar = "█" * unit["passed"] + "░" * (unit["of"] - unit["passed"])
        table.add_row(unit["unit"], bar, f"{unit['passed']} of {unit['of']}", _points(unit))
    whole = totals(units)
    table.add_section()
    table.add_row("all", "", f"{whole['passed']} of {whole['of']}", _points(whole))
    return table


def _points(row: Mapping[str, Any]) -> str:
    return f"{row['earned']:g} of {row['points']:g}"


def next_exercise(units: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The first exercise that is not passed yet."""
    rows = (row for unit in units for row in unit["exercises"])
    return next((dict(row) for row in rows if row["state"] != "passed"), None)


def find_unit(word: str, names: Sequence[str]) -> str:
    """The unit meant by ``02_gradient_descent``, ``gradient_descent``, ``02`` or ``2``.

    Raises
    ------
    ValueError
        If it is none of them; the message names the nearest.
    """
    for name in names:
        if word in (name, name[3:], name[:2]) or (word.isdecimal() and int(word) == int(name[:2])):
            return name
    raise ValueError(f"there is no unit {word!r}{suggestion(word, [*names, *(name[3:] for name in names)])}")


def find_exercise(word: str) -> Exercise:
    """The exercise with this id.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest.
    """
    exercises = {exercise.id: exercise for exercise in catalog()}
    if word in exercises:
        return exercises[word]
    same_name = [id for id in exercises if word in (id.split(".")[1], exercises[id].function)]
    nearest = suggestion(word, list(exercises)) if not same_name else f"; did you mean {' or '.join(same_name)}?"
    raise ValueError(f"no exercise has the id {word!r}{nearest or '; `dlcourse list` shows them all'}")


def suggestion(word: str, known: Sequence[str]) -> str:
    """``; did you mean ...?`` with the nearest known words, or nothing where none is near."""
    near = list(dict.fromkeys(difflib.get_close_matches(word, known, n=2, cutoff=0.5)))
    return f"; did you mean {' or '.join(near)}?" if near else ""


def find_notebook(word: str, folder: Path | None) -> Path:
    """The notebook file meant by a path, or by a unit's name for that unit's exercises in the workspace.

    Raises
    ------
    ValueError
        If there is no such file; the message names the nearest.
    """
    path = Path(word).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name one notebook in it")
    places = [path.parent, *([folder / "exercises"] if folder else [])]
    here = {other.stem: other for place in places for other in sorted(place.glob("*.ipynb"))}
    if path.parent == Path(".") and folder:
        units = {stem: other for stem, other in here.items() if other.parent == folder / "exercises"}
        matches = [stem for stem in units if path.stem in (stem, stem[3:], stem[:2])]
        if matches:
            return units[matches[0]]
    raise ValueError(f"there is no notebook {word}{suggestion(path.stem, list(here))}")
