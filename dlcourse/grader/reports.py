"""Marks as files that programs read: JSON, which is also what a later run resumes from, CSV and JUnit XML.

Names of files and messages come from strangers. So they are escaped for each format, and every file is replaced in one
step: a reader, or the next run after a kill, sees the old one or the new one and never half of one.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

from dlcourse import files
from dlcourse.grader import classroom
from dlcourse.grader.results import ExerciseResult, Isolation, NotebookResult, Setting, Status

VERSION = 1
NOTEBOOK_KEYS = ("path", "sha256", "points", "max", "seconds", "message", "exercises")
EXERCISE_KEYS = ("id", "status", "points", "max", "mistake", "message", "seconds")
SETTING_KEYS = ("isolation", "layers", "seed", "versions")
FAILURES = ("wrong", "missing", "forbidden")  # JUnit: the answer is at fault; every other status is an error
_LARGEST_FILE = 1 << 30
# what XML 1.0 cannot hold, and what would move the text around on a page or in a terminal
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_FORMULA = ("=", "+", "-", "@")


def plain(text: str) -> str:
    """The text with control characters, halves of characters and reversed writing made visible as escapes."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())


# ---- JSON


def as_json(setting: Setting, notebooks: Iterable[NotebookResult]) -> str:
    """The results with what they were made under, a line for each submission."""
    head = json.dumps({"version": VERSION, **{key: getattr(setting, key) for key in SETTING_KEYS}}, indent=1)
    lines = ",\n".join(map(_line, notebooks))
    return f'{head.removesuffix("}").rstrip()},\n "notebooks": [\n{lines}\n]}}\n'


@lru_cache(5_000)  # the file is written anew after every submission
def _line(notebook: NotebookResult) -> str:
    exercises = [{key: getattr(one, key) for key in EXERCISE_KEYS} for one in notebook.exercises]
    return json.dumps({key: getattr(notebook, key) for key in NOTEBOOK_KEYS} | {"exercises": exercises})


def read(path: Path) -> tuple[Setting, list[NotebookResult]]:
    """What a results file holds.

    Raises
    ------
    ValueError
        If it is damaged, of another version, or no results file at all.
    OSError
        If it cannot be read.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"{path} is too large to be a results file")
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no results file, or damaged: {error}") from error
    version = data.get("version") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or "notebooks" not in data:
        raise ValueError(f"{path} is no results file of dlcourse grade")
    if version != VERSION:
        raise ValueError(f"{path} is a results file of version {version}; this dlcourse reads version {VERSION}")
    try:
        return _setting(data), [_notebook(one) for one in data["notebooks"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _setting(data: dict[str, Any]) -> Setting:
    isolation: Isolation = _one_of(get_args(Isolation), data["isolation"])
    versions = {_text(name): _text(version) for name, version in data["versions"].items()}
    return Setting(isolation, tuple(_text(layer) for layer in data["layers"]), _whole(data["seed"]), versions)


def _notebook(data: dict[str, Any]) -> NotebookResult:
    path = _text(data["path"])
    exercises = tuple(_exercise(one) for one in data["exercises"])
    return NotebookResult(
        path=path,
        sha256=_text(data["sha256"]),
        student=classroom.student_of(path),
        topic=exercises[0].id.split(".")[0] if exercises else "",
        points=_number(data["points"]),
        max=_number(data["max"]),
        seconds=_number(data["seconds"]),
        message=_text(data["message"]),
        exercises=exercises,
    )


def _exercise(data: dict[str, Any]) -> ExerciseResult:
    status: Status = _one_of(get_args(Status), data["status"])
    mistake = None if data["mistake"] is None else _text(data["mistake"])
    numbers = {name: _number(data[name]) for name in ("points", "max", "seconds")}
    return ExerciseResult(_text(data["id"]), status, mistake=mistake, message=_text(data["message"]), **numbers)


def _one_of(allowed: Sequence[Any], value: object) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise TypeError(f"{value!r} is no number from 0 on")
    return float(value)


# ---- CSV


def as_csv(notebooks: Sequence[NotebookResult]) -> str:
    """A gradebook: a row for each student with points, max, a column for each unit and exercise, and notes.

    An exercise of a unit that was not handed in stays empty; so do the points of a student none of whose files could be
    graded. A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    exercises = classroom.columns(notebooks)
    units = list(dict.fromkeys(id.split(".")[0] for id in exercises))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["student", "points", "max", *(units if len(units) > 1 else []), *exercises, "notes"])
    for row in classroom.rows(notebooks):
        marks = row.exercises()
        graded = {unit: notebook.points for unit, notebook in row.notebooks.items() if not notebook.message}
        writer.writerow(
            [
                _spreadsheet(row.student),
                _figure(row.points if row.graded else ""),
                _figure(sum(exercises.values())),
                *([_figure(graded.get(unit, "")) for unit in units] if len(units) > 1 else []),
                *(_figure(marks[id].points if id in marks else "") for id in exercises),
                _spreadsheet("; ".join(row.notes)),
            ]
        )
    return out.getvalue()


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


def _spreadsheet(text: str) -> str:
    text = one_line(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


# ---- JUnit XML


def as_junit(notebooks: Sequence[NotebookResult]) -> str:
    """One testsuite for each file; a file that could not be graded has one test case, which is an error."""
    top = ET.Element("testsuites")
    for notebook in notebooks:
        top.append(_suite(notebook))
    _counts(top, list(top.iter("testcase")), sum(notebook.seconds for notebook in notebooks))
    ET.indent(top, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(top, encoding="unicode") + "\n"


def _suite(notebook: NotebookResult) -> ET.Element:
    suite = ET.Element("testsuite", name=plain(notebook.path))
    classname = plain(notebook.path)
    if notebook.message:
        case = ET.SubElement(suite, "testcase", classname=classname, name="the file", time="0")
        ET.SubElement(case, "error", type="not graded", message=one_line(notebook.message))
    for exercise in notebook.exercises:
        time = f"{exercise.seconds:.3f}"
        case = ET.SubElement(suite, "testcase", classname=classname, name=plain(exercise.id), time=time)
        if exercise.status != "pass":
            kind = "failure" if exercise.status in FAILURES else "error"
            reason = exercise.mistake or exercise.status
            found = ET.SubElement(case, kind, type=exercise.status, message=one_line(reason))
            found.text = plain(exercise.message)
    _counts(suite, list(suite), notebook.seconds)
    return suite


def _counts(element: ET.Element, cases: Sequence[ET.Element], seconds: float) -> None:
    element.set("tests", str(len(cases)))
    for plural, kind in (("failures", "failure"), ("errors", "error")):
        element.set(plural, str(sum(case.find(kind) is not None for case in cases)))
    element.set("time", f"{seconds:.3f}")


# ---- files


def write(path: Path, text: str) -> None:
    """Put the text at `path`, or where a link there leads, in one step.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is still there.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".dlcourse-{os.getpid()}.part")
    files.replace(target, text.encode("utf-8", "backslashreplace"), part)
