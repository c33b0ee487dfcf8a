"""A worker as the judge sees it: asked for outcomes, believed in nothing but what data can say, and given up in time."""

from __future__ import annotations

import inspect
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.judging import Standard
from dlcourse.drivers import Case, Failure, Opaque, Outcome, run_case
from dlcourse.drivers.case import plain
from dlcourse.drivers.form import Form
from dlcourse.grader.protocol import LAST_FAILURES, MEMORY_ERRORS, Channel, GarbledError
from dlcourse.grader.results import Status
from dlcourse.grader.workshop import Workshop

SET_UP_FAILED, OUT_OF_MEMORY = 70, 71
SIGNALS = {134: "abort", 135: "bus error", 136: "floating point exception", 137: "killed", 139: "segmentation fault"}
MOST_BYTES = 8 << 20  # about, in one request
Place = tuple[int, int]


class LostError(Exception):
    """The worker is gone, silent, or talks nonsense; it can be asked no more."""

    def __init__(self, status: Status, reason: str = "") -> None:
        super().__init__(status)
        self.status, self.reason = status, reason


class Remote:
    """One worker.

    Parameters
    ----------
    workshop : makes it
    memory, seconds : its limits
    """

    def __init__(self, workshop: Workshop, memory: int, seconds: float) -> None:
        self.workshop = workshop
        self.channel: Channel = workshop.start(memory, seconds)
        self.at: Place | None = None
        self.mentioned: dict[str, str] = {}
        self.unreadable: dict[int, str] = {}
        self.troubles: dict[Place, str] = {}
        self.forms: dict[str, Form] = {}
        self.defined_at: dict[str, Place] = {}
        self.wanted: tuple[str, ...] = ()
        self.loaded: tuple[str, ...] = ()
        self.number = 0
        self.coming: deque[Case] = deque()  # asked for, and not here yet
        self.gone = False
        self.begin(0.0, 0.0)

    def begin(self, until: float, timeout: float) -> None:
        """Turn to another exercise: by ``until`` it must be over, a single call within ``timeout`` seconds.

        A call that computes for half of that is stopped by the worker itself, and costs no worker.
        """
        self.until, self.timeout = until, timeout
        self.seconds, self.since = 0.0, 0.0
        self.used: list[str] = []
        self.outcomes: list[Outcome] = []

    def close(self) -> None:
        """End the worker."""
        self.channel.close()
        self.workshop.stop(self.gone)

    def load(self, submission: dict[str, Any], timeout: float, until: float) -> None:
        """Have the submission's cells run; ``at`` is then, or in the end, the statement that was running.

        Where they would import modules that should be imported before, these are ``wanted``, and no answer is there.

        Raises
        ------
        LostError
            If the worker did not survive that, or took too long.
        """
        self._send(submission, until)
        first = self._receive(until)
        self.mentioned = {id: name for id, name in _dict(first, "mentioned").items() if isinstance(name, str)}
        self.unreadable = {key: str(text)[:300] for key, text in _dict(first, "unreadable").items()}
        self.wanted = _some_of(submission["modules"], first.get("wanted"))
        if self.wanted:
            return
        while True:
            message = self._receive(min(until, time.monotonic() + timeout))
            if "at" not in message:
                break
            self.at = _place(message["at"])
        self.troubles = {_place(key): str(text)[:400] for key, text in _dict(message, "troubles").items()}
        self.defined_at = {id: _place(place) for id, place in _dict(message, "defined_at").items()}
        self.forms = {id: _form(facts) for id, facts in _dict(message, "forms").items()}
        self.loaded = _some_of(submission["modules"], message.get("loaded"))
        self.at = None

    def runner(self, standard: Standard, form: Form) -> Callable[[Case], Outcome]:
        """What runs the answer on a case.

        An answer that is a value comes here as data, and its driver runs here; so it does where the answer to such an
        exercise is a function, which is then called over there. A worker is never asked whether its own answer is right.
        """
        exercise = standard.exercise
        if not exercise.takes_value:
            return lambda case: self.run(exercise, exercise.driver, case, standard.cases)
        sent = self.run(exercise, "value", Case())
        if sent.failure:
            return lambda case: sent
        if isinstance(sent.value, Opaque) and form.callable and not form.is_class:
            return lambda case: self._run_here(exercise, case, Distant(self, exercise, form))
        return lambda case: run_case(exercise.driver, sent.value, case, self.timeout)

    def run(self, exercise: Exercise, driver: str, case: Case, cases: Sequence[Case] = ()) -> Outcome:
        """The outcome of a driver that runs over there; where memory ran out once, it is not asked for again.

        Parameters
        ----------
        exercise, driver, case : whose answer, how, and on what
        cases : where this is one of them, those after it are asked for with it, as they will be needed next
        """
        if self.outcomes and out_of_memory(self.outcomes[-1]):
            return self.outcomes[-1]
        if not self.coming or self.coming[0] is not case:
            self._ask(exercise, driver, _batch(case, cases))
        message = self._receive(min(self.until, time.monotonic() + self.timeout))
        self.coming.popleft()
        self.number += 1
        if message.get("number") != self.number:
            raise LostError("tampered")
        now = time.monotonic()
        self.seconds, self.since = self.seconds + now - self.since, now
        self.used += [name for name in _plain_tuple(message.get("used")) if isinstance(name, str)]
        outcome = _outcome(message, len(case.args))
        if outcome.failure and outcome.failure.type in LAST_FAILURES:
            self.coming.clear()
        self.outcomes.append(outcome)
        return outcome

    def _ask(self, exercise: Exercise, driver: str, cases: Sequence[Case]) -> None:
        assert not self.coming, "an outcome was asked for and not fetched"
        self.since = time.monotonic()
        request = {"id": exercise.id, "driver": driver, "cases": [case.args for case in cases]}
        self._send({**request, "seconds": self.timeout / 2}, min(self.until, self.since + self.timeout))
        self.coming.extend(cases)

    def _run_here(self, exercise: Exercise, case: Case, answer: Distant) -> Outcome:
        outcome = run_case(exercise.driver, answer, case, self.timeout / 2)
        if answer.lost:
            raise answer.lost
        if answer.asking:  # the driver's time was over while the worker was still busy
            raise LostError("timeout")
        return replace(outcome, failure=answer.failure) if outcome.failure and answer.failure else outcome

    def _send(self, message: dict[str, Any], until: float) -> None:
        try:
            self.channel.send(message, until)
        except TimeoutError:
            raise LostError("timeout") from None
        except OSError:
            raise self._died() from None

    def _receive(self, until: float) -> dict[str, Any]:
        try:
            return self.channel.receive(until)
        except TimeoutError:
            raise LostError("timeout") from None
        except EOFError:
            raise self._died() from None
        except GarbledError:
            raise LostError("tampered") from None

    def _died(self) -> LostError:
        status = self.workshop.stop(gone=True)
        if status == SET_UP_FAILED and not self.mentioned and self.at is None and self.number == 0:
            raise RuntimeError("the grader could not confine a worker; DLCOURSE_GRADER_DEBUG=1 shows why")
        if status == OUT_OF_MEMORY:
            return LostError("memory")
        if status == 128 + 24:
            return LostError("timeout")
        if status is None:
            return LostError("crash", "it hung up")
        return LostError(
            "crash", SIGNALS.get(status, f"signal {status - 128}" if status > 128 else f"exit code {status}")
        )


class Distant:
    """A function that lives in the worker, for a driver that runs here."""

    def __init__(self, worker: Remote, exercise: Exercise, form: Form) -> None:
        self.worker, self.exercise = worker, exercise
        self.lost: LostError | None = None
        self.failure: Failure | None = None
        self.asking = False
        kind = inspect.Parameter.VAR_POSITIONAL if form.takes_nothing else inspect.Parameter.POSITIONAL_ONLY
        self.__signature__ = inspect.Signature([inspect.Parameter("arguments", kind)])

    def __call__(self, *args: Any) -> Any:
        """Call it there; what it changed in its arguments is changed here too, and what it raised is raised."""
        self.asking = True
        try:
            outcome = self.worker.run(self.exercise, "call", Case(args))
        except LostError as lost:
            self.lost = lost
            raise
        self.asking = False
        if outcome.failure:
            self.failure = outcome.failure
            raise type(outcome.failure.type, (Exception,), {})(outcome.failure.text)
        for i in outcome.mutated:
            if isinstance(args[i], np.ndarray) and args[i].size:
                args[i].flat[0] = args[i].flat[0] + 1
        return outcome.value


def _batch(first: Case, cases: Sequence[Case]) -> list[Case]:
    """The case, and those of ``cases`` after it that fit into a request with it."""
    place = next((place for place, case in enumerate(cases) if case is first), None)
    if place is None:
        return [first]
    batch, size = [first], _size(first.args)
    for case in cases[place + 1 :]:
        size += _size(case.args)
        if size > MOST_BYTES:
            break
        batch.append(case)
    return batch


def _size(value: Any) -> int:
    """About as many bytes as it has on the line."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 24


def out_of_memory(outcome: Outcome) -> bool:
    """Whether the answer, or its result, needed more memory than there is."""
    return outcome.failure is not None and outcome.failure.type in MEMORY_ERRORS


# ---- what came over the line, put into form or refused


def _outcome(message: dict[str, Any], arguments: int) -> Outcome:
    failure = message.get("failure")
    mutated = _plain_tuple(message.get("mutated"))
    if any(type(i) is not int or not 0 <= i < arguments for i in mutated):
        raise LostError("tampered")
    return Outcome(
        value=None if failure else plain(message.get("value")),
        failure=_failure(failure) if failure is not None else None,
        mutated=mutated,
        printed=str(message.get("printed", ""))[:2_000],
        warned=tuple(str(text)[:300] for text in _plain_tuple(message.get("warned"))[:20]),
    )


def _failure(facts: Any) -> Failure:
    if not isinstance(facts, dict) or not re.fullmatch(r"\w{1,80}", str(facts.get("type"))):
        raise LostError("tampered")
    line = facts.get("line")
    return Failure(
        str(facts["type"]),
        str(facts.get("text", ""))[:300],
        line if type(line) is int and 0 <= line < 1_000_000 else 0,
        str(facts.get("source", ""))[:300],
    )


def _form(facts: Any) -> Form:
    if not isinstance(facts, dict) or not facts.keys() <= Form.__dataclass_fields__.keys():
        raise LostError("tampered")
    texts = {"type", "signature", "refuses"}
    if any(type(value) is not (str if name in texts else bool) for name, value in facts.items()):
        raise LostError("tampered")
    short: dict[str, Any] = {name: value[:300] if name in texts else value for name, value in facts.items()}
    return Form(**short)


def _dict(message: dict[str, Any], name: str) -> dict[Any, Any]:
    found = message.get(name)
    if not isinstance(found, dict):
        raise LostError("tampered")
    return found


def _place(value: Any) -> Place:
    if not isinstance(value, tuple | list) or len(value) != 2 or any(type(part) is not int for part in value):
        raise LostError("tampered")
    return (value[0], value[1])


def _some_of(names: Sequence[str], value: Any) -> tuple[str, ...]:
    said = {name for name in _plain_tuple(value) if isinstance(name, str)}
    return tuple(name for name in names if name in said)


def _plain_tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise LostError("tampered")
    return tuple(value)
