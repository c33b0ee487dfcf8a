"""``mine.softmax``: your own function where it has passed its exercise, the course's reference until then.

    from dlcourse import mine

    probabilities = mine.softmax(scores)

Which of the two you get is said once for each name.
"""

from __future__ import annotations

from typing import Any

from dlcourse import record, workspace
from dlcourse.checks import catalog
from dlcourse.checks.exercise import Exercise

_said: set[str] = set()


def __getattr__(name: str) -> Any:
    exercise = next((e for e in catalog() if e.function == name and not e.takes_value), None)
    if exercise is None or name.startswith("_"):
        raise AttributeError(f"no exercise asks for {name!r}; there are {', '.join(__dir__())}")
    folder = workspace.find()
    entry = record.read(folder).get(exercise.id) if folder else None
    if entry is None or not entry.passed:
        _say(name, f"mine.{name}: the course's own, until you pass {exercise.id}.")
        return exercise.reference
    return _load(exercise, entry.source)


def __dir__() -> list[str]:
    return sorted(exercise.function for exercise in catalog() if not exercise.takes_value)


def _load(exercise: Exercise, source: str) -> Any:
    """The learner's definition executed again; the reference, and why, where that fails."""
    name = exercise.function
    namespace: dict[str, Any] = {"__name__": f"mine_{name}"}
    try:
        if not source:
            raise ValueError("its source was not stored")
        exec(compile(source, f"<your {name}>", "exec"), namespace)
        found = namespace[name]
    except Exception as error:
        _say(name, f"mine.{name}: the course's own, since yours no longer loads ({type(error).__name__}: {error}).")
        return exercise.reference
    _say(name, f"mine.{name}: yours.")
    return found


def _say(name: str, text: str) -> None:
    if text not in _said:
        _said.add(text)
        print(text)
