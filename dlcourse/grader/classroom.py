"""A class seen as a whole: one row for each student, and which mistakes were made by how many.

A student is a folder. Nothing is merged and nothing chosen by us: where somebody hands in two files of one unit, the one
named like the unit, ``01_neuron.ipynb``, stands in the student's row and every other file gets a row of its own.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.checks import TOPICS, catalog
from dlcourse.grader.results import ExerciseResult, NotebookResult

UNTOUCHED = ("stub", "as-given")  # the mistakes' names of an exercise that was left as it was handed out
_UNIT_FILE = re.compile(r"\d\d_([a-z0-9_]+)")


@dataclass
class Row:
    """One line of the class: a student's submissions, at most one for each unit.

    Parameters
    ----------
    student : the folder's name, longer where two folders share it, with the file's where it has several of one unit
    notebooks : by the unit's topic; "" for a file whose unit is not known
    notes : what the teacher should know
    """

    student: str
    notebooks: dict[str, NotebookResult] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def graded(self) -> bool:
        """Whether any of the files could be graded."""
        return any(not notebook.message for notebook in self.notebooks.values())

    @property
    def points(self) -> float:
        """Earned in all units."""
        return sum(notebook.points for notebook in self.notebooks.values())

    def exercises(self) -> dict[str, ExerciseResult]:
        """The marks by exercise id."""
        return {exercise.id: exercise for notebook in self.notebooks.values() for exercise in notebook.exercises}


@dataclass(frozen=True)
class Misconception:
    """A mistake that students made: ``count`` of the ``of`` students who handed in the exercise.

    ``text`` is what the course says about it; "" where it is a general finding, such as a wrong shape.
    """

    exercise: str
    mistake: str
    count: int
    of: int
    text: str


@dataclass(frozen=True)
class Standing:
    """How one exercise went, in numbers of students."""

    id: str
    title: str
    passed: int
    tried: int
    untouched: int

    @property
    def of(self) -> int:
        """All who handed in its unit."""
        return self.passed + self.tried + self.untouched


def student_of(path: str) -> str:
    """The name of the folder that a submission lies in, nbgrader's own folder not counted."""
    return folder_of(path).name or str(folder_of(path))


def folder_of(path: str) -> Path:
    """The student's folder, from the root: that of the file, or the one above where nbgrader has put one between.

    nbgrader keeps ``anna/01_neuron.ipynb`` as ``anna/01_neuron/01_neuron.ipynb``.
    """
    file = Path(os.path.abspath(path))
    between = file.parent.name == file.stem and _UNIT_FILE.fullmatch(file.stem)
    return file.parent.parent if between else file.parent


def unit_of(notebook: NotebookResult) -> str:
    """The unit's topic, from the file's name where it could not be graded; "" where neither tells."""
    named = _UNIT_FILE.fullmatch(Path(notebook.path).stem)
    return notebook.topic or (named[1] if named and named[1] in TOPICS else "")


def rows(notebooks: Iterable[NotebookResult]) -> list[Row]:
    """The class, a row for each student, in the order of their names."""
    folders: dict[Path, list[NotebookResult]] = defaultdict(list)
    for notebook in notebooks:
        folders[folder_of(notebook.path)].append(notebook)
    labels = _labels(folders)
    found = [row for folder, files in folders.items() for row in _student_rows(labels[folder], files)]
    alike = Counter(_folded(row.student) for row in found)
    for row in found:
        if alike[_folded(row.student)] > 1:
            row.notes.append("another name differs from this one only in case or in the encoding of its accents")
    return sorted(found, key=lambda row: (_folded(row.student), row.student))


def _student_rows(label: str, files: Sequence[NotebookResult]) -> list[Row]:
    """The student's row first, then one for each further file of a unit that is in it already."""
    row, others = Row(label), []
    groups: dict[str, list[NotebookResult]] = defaultdict(list)
    for notebook in files:
        groups[unit_of(notebook)].append(notebook)
    for unit, group in groups.items():
        first = _standing_for(unit, group, len(files) == 1)
        for notebook in sorted(group, key=lambda notebook: notebook.path):
            name = Path(notebook.path).name
            if notebook is first:
                row.notebooks[unit] = notebook
                row.notes += [f"{name}: {notebook.message}"] if notebook.message else []
                continue
            if first is not None:
                row.notes.append(f"also handed in: {name}")
            notes = [notebook.message] if notebook.message else []
            notes += ["another file of the same unit"] if unit else []
            others.append(Row(f"{label} ({name})", {unit: notebook}, notes))
    return [*([row] if row.notebooks else []), *others]


def _standing_for(unit: str, group: Sequence[NotebookResult], alone: bool) -> NotebookResult | None:
    """The file of a unit that stands in the student's row: the only one, or the only one that is named like a unit."""
    if len(group) == 1 and (unit or alone):
        return group[0]
    named = [notebook for notebook in group if _UNIT_FILE.fullmatch(Path(notebook.path).stem)]
    return named[0] if unit and len(named) == 1 else None


def _labels(folders: Iterable[Path]) -> dict[Path, str]:
    """A name for each folder: its own, with as much of the path before it as tells it from its namesakes."""
    wanted = list(folders)
    depth = dict.fromkeys(wanted, 1)
    while True:
        labels = {folder: "/".join(folder.parts[-depth[folder] :]) for folder in wanted}
        count = Counter(labels.values())
        shared = [folder for folder in wanted if count[labels[folder]] > 1 and depth[folder] < len(folder.parts)]
        if not shared:
            return labels
        for folder in shared:
            depth[folder] += 1


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def columns(notebooks: Iterable[NotebookResult]) -> dict[str, float]:
    """The exercises that occur, in the order of the course, each with the points to be had."""
    most: dict[str, float] = {}
    for notebook in notebooks:
        for exercise in notebook.exercises:
            most[exercise.id] = max(exercise.max, most.get(exercise.id, 0.0))
    place = {exercise.id: number for number, exercise in enumerate(catalog())}
    return {id: most[id] for id in sorted(most, key=lambda id: (place.get(id, len(place)), id))}


def standings(notebooks: Iterable[NotebookResult]) -> list[Standing]:
    """For each exercise, how many passed it, tried it, and left it as it was."""
    notebooks = list(notebooks)
    titles = {exercise.id: exercise.title for exercise in catalog()}
    best: dict[str, dict[Path, int]] = defaultdict(dict)  # exercise -> student -> 2 passed, 1 tried, 0 untouched
    for notebook in notebooks:
        folder = folder_of(notebook.path)
        for exercise in notebook.exercises:
            rank = 2 if exercise.status == "pass" else 0 if untouched(exercise) else 1
            best[exercise.id][folder] = max(rank, best[exercise.id].get(folder, 0))
    return [
        Standing(id, titles.get(id, ""), *(list(best[id].values()).count(rank) for rank in (2, 1, 0)))
        for id in columns(notebooks)
    ]


def misconceptions(notebooks: Iterable[NotebookResult]) -> list[Misconception]:
    """Which mistakes were made, by how many students, the most frequent first."""
    notebooks = list(notebooks)
    who: dict[tuple[str, str], set[Path]] = defaultdict(set)
    for notebook in notebooks:
        for exercise in notebook.exercises:
            if exercise.mistake and exercise.status != "pass" and not untouched(exercise):
                who[exercise.id, exercise.mistake].add(folder_of(notebook.path))
    of = {standing.id: standing.of for standing in standings(notebooks)}
    texts = known_mistakes()
    found = [
        Misconception(id, mistake, len(students), of[id], texts.get((id, mistake), ""))
        for (id, mistake), students in who.items()
    ]
    return sorted(found, key=lambda one: (-one.count, one.exercise, one.mistake))


def known_mistakes() -> dict[tuple[str, str], str]:
    """What the course says about each wrong answer that it knows, by exercise id and the mistake's name."""
    return {
        (exercise.id, wrong.name): wrong.message
        for exercise in catalog()
        for wrong in exercise.wrong
        if wrong.name not in UNTOUCHED
    }


def untouched(exercise: ExerciseResult) -> bool:
    """Whether the exercise was left as it was handed out, or left away."""
    return exercise.status == "missing" or exercise.mistake in UNTOUCHED
