"""From outcomes to a verdict: known mistakes first, then what can be told without knowing the mistake.

The judge never runs an answer itself: it is handed ``run``, which takes a case and gives its outcome. In a notebook
that is a call in the same process, in the grader a message to a sandboxed worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dlcourse.checks import findings
from dlcourse.checks.compare import Tolerance, equal, same_result, same_value
from dlcourse.checks.exercise import Exercise, Wrong, cases_of
from dlcourse.checks.feedback import Verdict, source_of
from dlcourse.checks.tables import Finding
from dlcourse.drivers import Case, Outcome, run_case

Run = Callable[[Case], Outcome]


@dataclass(frozen=True, eq=False)
class Trial:
    """One case with the outcome of the answer and that of the reference, facts in place of values where they count."""

    case: Case
    got: Outcome
    expected: Outcome
    right: bool
    raw: Any  # the answer's value itself


class Standard:
    """What answers are held against: the cases of a seed, and what the reference and the known wrong answers do on them.

    Each of these outcomes is computed when it is first asked for, and once, however many answers are judged.

    Parameters
    ----------
    exercise : what was asked
    seed : fixes the cases
    """

    def __init__(self, exercise: Exercise, seed: int = 0) -> None:
        self.exercise, self.seed = exercise, seed
        self._outcomes: dict[tuple[Wrong | None, Case], Outcome] = {}

    @cached_property
    def cases(self) -> list[Case]:
        """The cases, the first of which is the smallest."""
        return cases_of(self.exercise, self.seed)

    def expected(self, case: Case) -> Outcome:
        """What the reference gives.

        Raises
        ------
        RuntimeError
            If it gives nothing.
        """
        outcome = self._outcome(None, self.exercise.reference, case, 60)
        if outcome.failure:
            del self._outcomes[None, case]  # not kept: a machine may be short of memory for a moment
            raise RuntimeError(f"{self.exercise.id}: the reference fails: {outcome.failure}")
        return outcome

    def mistaken(self, wrong: Wrong, case: Case) -> Outcome:
        """What a known wrong answer gives."""
        return self._outcome(wrong, self.exercise.wrong_answer(wrong), case, self.exercise.seconds)

    def _outcome(self, wrong: Wrong | None, answer: Any, case: Case, seconds: float) -> Outcome:
        if (wrong, case) not in self._outcomes:
            outcome = run_case(self.exercise.driver, answer, case, seconds)
            self._outcomes[wrong, case] = with_facts(self.exercise, case, outcome)
        return self._outcomes[wrong, case]


def judge(standard: Standard, run: Run) -> Verdict:
    """Run the answer on every case, and say whether it is right and, if not, what is wrong.

    Parameters
    ----------
    standard : what was asked, and is expected
    run : runs the answer on a case

    Returns
    -------
    Verdict
    """
    exercise, trials = standard.exercise, try_all(standard, run)
    if all(trial.right for trial in trials):
        return passed(exercise, trials)
    unsolved = findings.unsolved(exercise, trials)
    finding = unsolved or known_mistake(standard, trials) or findings.general(exercise, trials, run)
    return failed(exercise, finding)


def try_all(standard: Standard, run: Run) -> list[Trial]:
    """Outcomes on all cases, up to the first that runs out of time or is not started at all."""
    exercise = standard.exercise
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    trials = []
    for case in standard.cases:
        raw = run(case)
        got, expected = with_facts(exercise, case, raw), standard.expected(case)
        right = not got.failure and not got.mutated and equal(expected.value, got.value, tolerance)
        trials.append(Trial(case, got, expected, right, raw.value))
        if got.failure and got.failure.type in ("TimeLimit", "NotImplementedError"):
            break
    return trials


def with_facts(exercise: Exercise, case: Case, outcome: Outcome) -> Outcome:
    """The outcome with its value replaced by the facts that count, where the exercise states facts."""
    if exercise.facts is None or outcome.failure:
        return outcome
    if exercise.takes_value and (
        outcome.value is None or (isinstance(outcome.value, str | tuple) and not outcome.value)
    ):
        return outcome  # nothing is answered yet
    try:
        facts: Any = exercise.facts(case, outcome.value)
    except Exception:  # the value has not the form that the facts are read from
        facts = {"the result has the form asked for": False}
    return Outcome(facts, None, outcome.mutated, outcome.printed, outcome.warned)


def known_mistake(standard: Standard, trials: Sequence[Trial]) -> Finding | None:
    """The named wrong answers that cannot be told apart from this one, on every case; else on every ordinary case."""
    exercise = standard.exercise
    every = [wrong for wrong in exercise.wrong if matches(standard, wrong, trials, exact=True)]
    if every:
        return findings.named(exercise, trials, every)
    ordinary = [trial for trial in trials if not trial.case.label]
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    if exercise.takes_value or len(ordinary) == len(trials):
        return None
    if all(not trial.got.failure and equal(trial.expected.value, trial.got.value, tolerance) for trial in ordinary):
        return None  # the values are right there: whatever is wrong is not what a known mistake does
    partly = [wrong for wrong in exercise.wrong if matches(standard, wrong, ordinary, exact=False)]
    return findings.named(exercise, ordinary, partly, everywhere=False) if partly else None


def matches(standard: Standard, wrong: Wrong, trials: Sequence[Trial], exact: bool) -> bool:
    """Whether the answer does on all these cases what the wrong one does."""
    exercise = standard.exercise
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    if exercise.kind == "value" and isinstance(exercise.reference, dict) and isinstance(wrong.function, dict):
        given = trials[0].got.value
        return isinstance(given, dict) and all(
            key in given and equal(value, given[key], tolerance) for key, value in wrong.function.items()
        )
    same = same_result if exact else same_value
    return all(same(standard.mistaken(wrong, trial.case), trial.got, tolerance) for trial in trials)


def passed(exercise: Exercise, trials: Sequence[Trial]) -> Verdict:
    """The verdict on a right answer."""
    points = f"{exercise.points:g} point{'s' if exercise.points != 1 else ''}"
    unlocks = f" {exercise.unlocks}" if exercise.unlocks else ""
    tried = (
        "Right"
        if exercise.takes_value
        else f"Right on all {len(trials)} inputs"
        if len(trials) > 1
        else "Right on the input tried"
    )
    lines = (f"{tried}: {points}.{unlocks}", *findings.remarks(trials))
    other = exercise.alternatives[0] if exercise.alternatives and not exercise.takes_value else None
    return Verdict(exercise.id, True, None, exercise.points, lines, compare=source_of(other) if other else "")


def failed(exercise: Exercise, finding: Finding) -> Verdict:
    """The verdict on a wrong answer."""
    lines = (*finding.lines, f'Stuck? `hint("{exercise.id}")`')
    return Verdict(exercise.id, False, finding.name, 0.0, lines, finding.table)
