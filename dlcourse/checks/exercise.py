"""An exercise as a record: what is asked, what is right, and every wrong answer that is known by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dlcourse.drivers import Case

Kind = Literal["function", "class", "program", "value", "target"]


@dataclass(frozen=True, eq=False)
class Wrong:
    """A mistake that learners make, and what to say to who made it.

    Parameters
    ----------
    name : kebab-case name of the mistake, unique within its exercise
    function : the wrong answer: a function or a class; for the kinds *value* and *target* the answer itself, where a
        dict needs to hold only the entries that are wrong
    message : which mistake gives exactly this result, and one question that leads on; never the solution
    """

    name: str
    function: Any
    message: str


@dataclass(frozen=True, eq=False)
class Exercise:
    """One graded exercise.

    Parameters
    ----------
    id : "topic.name"
    kind : function, class, program (broken code to mend), value (a prediction or choice) or target (a trained model, a
        policy or settings, which the check evaluates)
    title, points, minutes, difficulty : for the learner; difficulty 1 to 3
    function : the name that the learner defines, unique over the whole course
    reference : the right answer
    alternatives : right answers written differently
    inputs : makes the cases from a random generator; the first is the smallest, and has no label
    wrong : the known wrong answers
    hints : three steps: a nudge, the idea, almost the code
    returns : names of the parts, where the answer is a tuple
    driver : how an answer is exercised (``dlcourse.drivers.DRIVERS``)
    facts : for answers that are random or free: what must be true of them, in words -> plain value
    rtol, atol : tolerances for float64; float32 gets wider ones
    seconds : soft limit for one case
    forbid : names that would be a shortcut
    unlocks : what passing opens, in a short sentence
    blame : parts of the result in the order in which they are computed: where several are wrong, the first is shown
    """

    id: str
    kind: Kind
    title: str
    points: float
    minutes: int
    difficulty: int
    function: str
    reference: Any
    inputs: Callable[[np.random.Generator], list[Case]]
    wrong: tuple[Wrong, ...]
    hints: tuple[str, ...]
    alternatives: tuple[Any, ...] = ()
    returns: tuple[str, ...] = ()
    driver: str = "call"
    facts: Callable[[Case, Any], dict[str, Any]] | None = None
    rtol: float = 1e-6
    atol: float = 1e-8
    seconds: float = 5.0
    forbid: tuple[str, ...] = ()
    unlocks: str = ""
    blame: tuple[str, ...] = ()

    @property
    def topic(self) -> str:
        """The unit's topic, the id's first half."""
        return self.id.split(".")[0]

    @property
    def takes_value(self) -> bool:
        """Whether the answer is a value rather than something to call."""
        return self.kind in ("value", "target")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, read from the reference."""
        if self.takes_value or self.driver == "script":
            return ()
        return tuple(inspect.signature(self.reference).parameters)

    @property
    def signature(self) -> str:
        """How the check calls the answer, in words of code."""
        return f"{self.function}({', '.join(self.arguments)})"

    def wrong_answer(self, wrong: Wrong) -> Any:
        """A complete answer with this mistake and no other."""
        if self.takes_value and isinstance(self.reference, dict) and isinstance(wrong.function, dict):
            return {**self.reference, **wrong.function}
        return wrong.function


def cases_of(exercise: Exercise, seed: int) -> list[Case]:
    """The cases for a seed, the same ones every time."""
    return exercise.inputs(np.random.default_rng(seed))
