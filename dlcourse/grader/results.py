"""What grading gives: results as plain records, each of which goes to JSON and comes back the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["pass", "wrong", "error", "timeout", "crash", "memory", "missing", "tampered", "forbidden"]
Isolation = Literal["full", "process", "none"]


@dataclass(frozen=True)
class ExerciseResult:
    """The mark of one exercise.

    Parameters
    ----------
    id : "topic.name"
    status : what happened; *tampered* means that the worker broke the protocol, never that check cells were edited
    points, max : earned, and to be had
    mistake : the misconception's name, where one is known
    message : a reason that the learner can use; never the solution
    seconds : the answer's own time
    """

    id: str
    status: Status
    points: float
    max: float
    mistake: str | None
    message: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ExerciseResult:
        """The record that ``as_json`` took apart."""
        return cls(**data)


@dataclass(frozen=True)
class NotebookResult:
    """One submission's marks.

    Parameters
    ----------
    path : the file, as it was handed over
    sha256 : of its bytes; "" where it could not be read
    student : the name of the folder that holds the file
    topic : the unit's topic; "" where the file could not be graded
    points, max : sums over the exercises
    seconds : wall time
    message : "" or why the file could not be graded at all
    exercises : one for each exercise of the topic
    """

    path: str
    sha256: str
    student: str
    topic: str
    points: float
    max: float
    seconds: float
    message: str
    exercises: tuple[ExerciseResult, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "exercises": [exercise.as_json() for exercise in self.exercises]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NotebookResult:
        """The record that ``as_json`` took apart."""
        exercises = tuple(ExerciseResult.from_json(exercise) for exercise in data["exercises"])
        return cls(**{**data, "exercises": exercises})


@dataclass(frozen=True)
class Setting:
    """What the marks were made under.

    Parameters
    ----------
    isolation : the level in force
    layers : the names of what it is made of
    seed : fixes the hidden inputs
    versions : of Python, dlcourse and NumPy, and of torch where it is installed
    """

    isolation: Isolation
    layers: tuple[str, ...]
    seed: int
    versions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Setting:
        """The record that ``as_json`` took apart."""
        return cls(**{**data, "layers": tuple(data["layers"])})
