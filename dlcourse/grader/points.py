"""What an exercise is worth: the course's points, or those that a school gave in nbgrader's metadata.

A submission carries that metadata, and whoever wrote the submission can edit it. So all files vote: an exercise is worth
what most of them say, and nobody changes a class's points by editing one file.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcourse.checks import catalog
from dlcourse.grader.results import ExerciseResult, NotebookResult

MOST_POINTS = 1000.0  # for one exercise; what a file says beyond is not counted as a vote
MOST_BYTES = 8_000_000  # larger files do not vote; ours have a twentieth of this


def course_points() -> dict[str, float]:
    """The points by exercise id, as the course has them."""
    return {exercise.id: float(exercise.points) for exercise in catalog()}


def nbgrader_points(paths: Iterable[Path]) -> tuple[dict[str, float], list[Path]]:
    """The points that most notebooks' nbgrader metadata gives, and the files that say something else.

    Where there is no metadata, or as many files say one thing as another, the course's points stand.
    """
    said = {path: read_points(path) for path in paths}
    votes: dict[str, Counter[float]] = defaultdict(Counter)
    for points in said.values():
        for id, value in points.items():
            votes[id][value] += 1
    agreed = course_points()
    for id, counter in votes.items():
        (value, count), *others = counter.most_common(2)
        if not others or others[0][1] < count:
            agreed[id] = value
    differing = [path for path, points in said.items() if any(agreed[id] != value for id, value in points.items())]
    return agreed, differing


def read_points(path: Path) -> dict[str, float]:
    """The points in one notebook's metadata, by exercise id; what cannot be read or believed is left out."""
    grade_ids = {f"{exercise.id.replace('.', '-')}-check": exercise.id for exercise in catalog()}
    found: dict[str, float] = {}
    try:
        if path.stat().st_size > MOST_BYTES:
            return {}
        cells = json.loads(path.read_bytes())["cells"]
        for cell in cells:
            id, points = _points_of(cell, grade_ids)
            if id:
                found.setdefault(id, points)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return found
    return found


def _points_of(cell: Any, grade_ids: Mapping[str, str]) -> tuple[str, float]:
    """The exercise that a cell grades and its points; "" for every other cell."""
    metadata = cell.get("metadata") if isinstance(cell, dict) else None
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if not isinstance(marks, dict) or marks.get("grade") is not True:
        return "", 0.0
    value = marks.get("points")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_POINTS:
        return "", 0.0  # NaN fails the comparison too
    return grade_ids.get(str(marks.get("grade_id")), ""), float(value)


def weighted(notebook: NotebookResult, points: Mapping[str, float]) -> NotebookResult:
    """The same result where each exercise is worth what `points` says; twice gives the same as once."""
    exercises = tuple(_weighted(exercise, points) for exercise in notebook.exercises)
    return replace(
        notebook,
        exercises=exercises,
        points=math.fsum(exercise.points for exercise in exercises),
        max=math.fsum(exercise.max for exercise in exercises),
    )


def _weighted(exercise: ExerciseResult, points: Mapping[str, float]) -> ExerciseResult:
    most = points.get(exercise.id, exercise.max)
    return replace(exercise, points=most if exercise.status == "pass" else 0.0, max=most)
