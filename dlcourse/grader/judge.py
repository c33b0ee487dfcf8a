"""The judge of one submission: it has the answers, sends cases to the worker, and never runs anything that was handed in.

What comes back is data, compared as ``check`` compares it. Where the worker dies or is silent for too long, another is
forked that leaves out what was at fault, so that one bad answer costs one answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.feedback import Verdict
from dlcourse.checks.form import calls_of, problem_of
from dlcourse.checks.judging import failed, judge
from dlcourse.drivers import Outcome
from dlcourse.grader.reading import Cell
from dlcourse.grader.remote import MEMORY_ERRORS, LostError, Remote, out_of_memory
from dlcourse.grader.results import ExerciseResult, Status
from dlcourse.grader.workshop import Workshop

CALLS = 3  # times ``timeout`` for one exercise with all its calls, and for running the cells
USUAL_SECONDS = 5.0  # of an exercise that does not say how long a call may take
MOST_WORKERS = 25  # for one submission
SAID: dict[str, str] = {
    "timeout": "Your code was still running when its time was over and was stopped. Does a loop ever end?",
    "crash": "Your code ended the whole Python process",
    "memory": "Your code asked for more memory than there is. How large does an array or a list become?",
    "tampered": "What came back was not from your function: something in your code writes where the grader reads.",
}


class Examination:
    """One submission in the hands of the judge.

    Parameters
    ----------
    workshop : makes the workers
    cells : the submission's code
    exercises : those of its unit
    seed : fixes the hidden inputs
    timeout, total : seconds for a call, and for the submission
    memory : MB
    """

    def __init__(
        self,
        workshop: Workshop,
        cells: Sequence[Cell],
        exercises: Sequence[Exercise],
        seed: int,
        timeout: float,
        total: float,
        memory: int,
    ) -> None:
        self.workshop, self.cells, self.exercises = workshop, cells, exercises
        self.seed, self.timeout, self.memory, self.total = seed, timeout, memory, total
        self.until = time.monotonic() + total
        self.workers = 0
        self.faults: dict[tuple[int, int], Status] = {}  # statements that ended a worker
        self.worker: Remote | None = None

    def results(self) -> list[ExerciseResult]:
        """A mark for every exercise."""
        try:
            return [self._result(exercise) for exercise in self.exercises]
        finally:
            self._drop()

    def _result(self, exercise: Exercise) -> ExerciseResult:
        start = time.monotonic()
        try:
            worker = self._loaded()
            return self._examined(exercise, worker)
        except LostError as lost:
            said = SAID[lost.status] + (f" ({lost.reason})." if lost.status == "crash" else "")
            return self._failed(exercise, lost.status, None, said, time.monotonic() - start)

    def _loaded(self) -> Remote:
        """A worker that has run the submission's cells, all but those at fault."""
        while self.worker is None:
            if self.workers >= MOST_WORKERS or time.monotonic() >= self.until:
                raise LostError("timeout" if self.workers < MOST_WORKERS else "crash", "too often")
            self.workers += 1
            self.worker = Remote(self.workshop, self.memory, self.total)
            try:
                until = min(self.until, time.monotonic() + CALLS * self.timeout)
                self.worker.load(self._submission(), self.timeout, until)
            except LostError as lost:
                at = self.worker.at
                self._drop()
                if at is None or at in self.faults:
                    raise
                self.faults[at] = lost.status
        return self.worker

    def _submission(self) -> dict[str, Any]:
        exercises = []
        for exercise in self.exercises:
            arguments, required = calls_of(exercise)
            exercises.append(
                {
                    "id": exercise.id,
                    "function": exercise.function,
                    "arguments": list(arguments),
                    "required": list(required),
                    "forbid": list(exercise.forbid),
                }
            )
        return {
            "cells": [(cell.number, cell.source, cell.exercise) for cell in self.cells],
            "exercises": exercises,
            "skip": list(self.faults),
            "seconds": self.timeout / 2,  # of processor time: then the statement is given up, and not the worker
        }

    def _examined(self, exercise: Exercise, worker: Remote) -> ExerciseResult:
        shortcut = worker.mentioned.get(exercise.id)
        if shortcut:
            return self._forbidden(exercise, shortcut, 0.0)
        form = worker.forms.get(exercise.id)
        if form is None:
            return self._missing(exercise, worker)
        problem = problem_of(exercise, form)
        if problem:
            verdict, status = failed(exercise, problem), "missing" if problem.name == "not-defined" else "wrong"
            return self._failed(exercise, status, verdict.mistake, verdict.message, 0.0)  # type: ignore[arg-type]
        limit = self.timeout * exercise.seconds / USUAL_SECONDS
        worker.begin(min(self.until, time.monotonic() + CALLS * limit), limit)
        try:
            verdict = judge(exercise, worker.runner(exercise, form), self.seed)
        except LostError:
            self._drop()
            raise
        except Exception as error:  # a value that the checks were not made for
            said = f"This answer could not be judged ({type(error).__name__}). Please tell your teacher."
            return self._failed(exercise, "error", None, said, worker.seconds)
        if worker.used:
            return self._forbidden(exercise, worker.used[0], worker.seconds)
        if verdict.passed:
            return ExerciseResult(
                exercise.id, "pass", exercise.points, exercise.points, None, verdict.message, worker.seconds
            )
        status = status_of(verdict, worker.outcomes)
        return self._failed(exercise, status, verdict.mistake, verdict.message, worker.seconds)

    def _missing(self, exercise: Exercise, worker: Remote) -> ExerciseResult:
        """Why there is no answer: its cell failed, cannot be read, or is not there."""
        place = worker.defined_at.get(exercise.id)
        if place in self.faults:
            return self._failed(exercise, self.faults[place], None, SAID[self.faults[place]], 0.0)
        if place in worker.troubles:
            said = worker.troubles[place]
            kind = said.partition(": ")[2].partition(":")[0]
            status: Status = "timeout" if kind == "TimeLimit" else "memory" if kind in MEMORY_ERRORS else "error"
            said = SAID[status] if status != "error" else f"Code cell {place[0]} stopped in {said}."
            return self._failed(exercise, status, None, said, 0.0)
        for cell in self.cells:
            problem = worker.unreadable.get(cell.number)
            if problem and (
                cell.exercise == exercise.id or re.search(rf"\b{re.escape(exercise.function)}\b", cell.source)
            ):
                said = f"Python cannot read cell {cell.number}, where `{exercise.function}` is: {problem}."
                return self._failed(exercise, "error", "syntax-error", said, 0.0)
        said = f"There is no `{exercise.function}` in this notebook."
        return self._failed(exercise, "missing", "not-defined", said, 0.0)

    def _forbidden(self, exercise: Exercise, name: str, seconds: float) -> ExerciseResult:
        said = (
            "Your answer reaches for the course's own answers."
            if name.startswith("dlcourse.checks")
            else f"Your answer uses `{name}`, which this exercise is to be solved without."
        )
        return self._failed(exercise, "forbidden", None, said, seconds)

    def _failed(
        self, exercise: Exercise, status: Status, mistake: str | None, message: str, seconds: float
    ) -> ExerciseResult:
        return ExerciseResult(exercise.id, status, 0.0, exercise.points, mistake, printable(message), seconds)

    def _drop(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


def status_of(verdict: Verdict, outcomes: Sequence[Outcome]) -> Status:
    """The status of an answer that was judged and did not pass."""
    if any(map(out_of_memory, outcomes)):
        return "memory"
    if any(outcome.failure and outcome.failure.type == "TimeLimit" for outcome in outcomes):
        return "timeout"
    if verdict.mistake == "stub":
        return "missing"
    return "error" if verdict.mistake == "exception" else "wrong"


def printable(text: str) -> str:
    """The text without what a terminal or a page could take for an order."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
