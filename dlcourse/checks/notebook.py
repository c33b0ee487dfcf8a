"""What a notebook calls: ``check``, ``hint`` and ``progress``.

A failed check raises ``CheckFailed``, an ``AssertionError``, so that a grader which runs the same cell sees it fail;
a passed one returns None. Nothing is written to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from dlcourse import record, workspace
from dlcourse.checks import TOPICS, catalog, evaluate, find
from dlcourse.checks.feedback import CheckFailed, Verdict
from dlcourse.checks.source import definition_of
from dlcourse.record import Entry

_session: dict[str, Entry] = {}  # what was passed where no workspace records it


def check(id: str, answer: Any) -> None:
    """Check an answer, show what was found, and record it in the workspace, if there is one.

    Parameters
    ----------
    id : the exercise, "topic.name"
    answer : your function or class itself (not a call of it), or your value

    Raises
    ------
    CheckFailed
        If the answer is not right yet.
    ValueError
        If no exercise has this id.
    """
    verdict = evaluate(id, answer)
    _remember(verdict, answer)
    _show(verdict)
    if not verdict.passed:
        raise CheckFailed(verdict)


def hint(id: str) -> None:
    """Show the next hint of an exercise; there are three, and after the last it is repeated.

    Raises
    ------
    ValueError
        If no exercise has this id.
    """
    exercise = find(id)
    step = min(_entry(id).hints + 1, len(exercise.hints))
    _record({"id": id, "event": "hint", "step": step})
    print(f"Hint {step} of {len(exercise.hints)}: {exercise.hints[step - 1]}")


def progress() -> None:
    """Show what is passed, unit by unit."""
    entries = entries_now()
    for topic, number in TOPICS.items():
        exercises = [exercise for exercise in catalog() if exercise.topic == topic]
        done = [exercise for exercise in exercises if exercise.id in entries and entries[exercise.id].passed]
        points = sum(exercise.points for exercise in done)
        total = sum(exercise.points for exercise in exercises)
        bar = "█" * len(done) + "░" * (len(exercises) - len(done))
        print(
            f"{number:02d}_{topic:<24} {bar:<12} {len(done):2d} of {len(exercises):2d} exercises, {points:g} of {total:g} points"
        )
    if workspace.find() is None:
        print("Only this session is counted: start with `dlcourse lab` to keep what you have passed.")


def entries_now() -> Mapping[str, Entry]:
    """The learner's record: the workspace's, or this session's where there is no workspace."""
    folder = workspace.find()
    return _session if folder is None else record.read(folder)


def _entry(id: str) -> Entry:
    return entries_now().get(id, Entry(id))


def _remember(verdict: Verdict, answer: Any) -> None:
    event: dict[str, Any] = {
        "id": verdict.id,
        "event": "check",
        "passed": verdict.passed,
        "points": verdict.points,
        "mistake": verdict.mistake,
    }
    if verdict.passed:
        event["source"] = definition_of(answer)
    _record(event)


def _record(event: dict[str, Any]) -> None:
    folder = workspace.find()
    if folder is None:
        record.apply(_session.setdefault(event["id"], Entry(event["id"])), event)
        return
    try:
        record.append(folder, event)
    except OSError as error:
        print(f"(This could not be recorded in {record.path_in(folder)}: {error.strerror or error}.)")


def _show(verdict: Verdict) -> None:
    """As a box in a notebook, as text elsewhere."""
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display(verdict)
            return
    print(repr(verdict))
