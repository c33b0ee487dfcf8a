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
from dlcourse.checks.judging import Standard, failed, judge
from dlcourse.drivers import Outcome
from dlcourse.grader.protocol import MEMORY_ERRORS
from dlcourse.grader.reading import Cell
from dlcourse.grader.remote import LostError, Remote, out_of_memory
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
    standards : what the exercises of its unit are held against
    modules : if the submission's code imports one of them, it is imported before the worker is forked, which takes none
        of its time and memory; `loaded` tells afterwards which of them a worker had to load all the same
    timeout, total : seconds for a call, and for the submission
    memory : MB
    """

    def __init__(
        self,
        workshop: Workshop,
        cells: Sequence[Cell],
        standards: Sequence[Standard],
        modules: Sequence[str],
        timeout: float,
        total: float,
        memory: int,
    ) -> None:
        self.workshop, self.cells, self.standards, self.modules = workshop, cells, standards, modules
        self.timeout, self.memory, self.total = timeout, memory, total
        # for a statement: a unit whose exercises take longer has trainings among its cells
        self.loading = timeout * max([1.0, *(standard.exercise.seconds / USUAL_SECONDS for standard in standards)])
        self.until = time.monotonic() + total
        self.workers = 0
        self.faults: dict[tuple[int, int], Status] = {}  # statements that ended a worker
        self.worker: Remote | None = None
        self.loaded: tuple[str, ...] = ()

    def results(self) -> list[ExerciseResult]:
        """A mark for every exercise."""
        try:
            return [self._result(standard) for standard in self.standards]
        finally:
            self._drop()

    def _result(self, standard: Standard) -> ExerciseResult:
        start = time.monotonic()
        try:
            worker = self._loaded()
            return self._examined(standard, worker)
        except LostError as lost:
            said = SAID[lost.status] + (f" ({lost.reason})." if lost.status == "crash" else "")
            return self._failed(standard.exercise, lost.status, None, said, time.monotonic() - start)

    def _loaded(self) -> Remote:
        """A worker that has run the submission's cells, all but those at fault."""
        while self.worker is None:
            if self.workers >= MOST_WORKERS or time.monotonic() >= self.until:
                raise LostError("timeout" if self.workers < MOST_WORKERS else "crash", "too often")
            self.workers += 1
            self.worker = Remote(self.workshop, self.memory, self.total)
            try:
                until = min(self.until, time.monotonic() + CALLS * self.loading)
                self.worker.load(self._submission(), self.loading, until)
                self.loaded = self.worker.loaded
                if self.worker.wanted:
                    self._import(self.worker.wanted)
            except LostError as lost:
                at = self.worker.at
                self._drop()
                if at is None or at in self.faults:
                    raise
                self.faults[at] = lost.status
        return self.worker

    def _submission(self) -> dict[str, Any]:
        exercises = []
        for exercise in (standard.exercise for standard in self.standards):
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
            "modules": [name for name in self.modules if name not in self.workshop.warm],
            "seconds": self.loading / 2,  # of processor time: then the statement is given up, and not the worker
        }

    def _examined(self, standard: Standard, worker: Remote) -> ExerciseResult:
        exercise = standard.exercise
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
        try:
            self._prepare(standard)
            worker.begin(min(self.until, time.monotonic() + CALLS * limit), limit)
            verdict = judge(standard, worker.runner(standard, form))
        except LostError:
            self._drop()
            raise
        except Exception as error:  # a value that the checks were not made for
            if worker.coming:
                self._drop()
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

    def _import(self, modules: Sequence[str]) -> None:
        """Have modules imported for the next worker, and give up this one, which has begun to do it itself."""
        start = time.monotonic()
        self._drop()
        self.workshop.import_first(modules)
        self.until += time.monotonic() - start

    def _prepare(self, standard: Standard) -> None:
        """Compute what is expected, which takes none of the submission's time."""
        start = time.monotonic()
        for case in standard.cases:
            standard.expected(case)
        self.until += time.monotonic() - start

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
