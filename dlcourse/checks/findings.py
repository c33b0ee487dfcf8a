"""What can be said about a wrong answer, in the order in which it helps: form before numbers, numbers before hints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse.checks.compare import Array, Tolerance, as_array, equal
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.feedback import brief
from dlcourse.checks.numeric import input_mutated, numbers
from dlcourse.checks.tables import Finding, join, kind_in_words, table_of
from dlcourse.drivers import Case, Failure, Outcome

if TYPE_CHECKING:
    from dlcourse.checks.judging import Trial


def unsolved(exercise: Exercise, trials: Sequence[Trial]) -> Finding | None:
    """The exercise as it was handed out."""
    first = trials[0].got
    if first.failure and first.failure.type == "NotImplementedError":
        return Finding(
            "stub", (f"`{exercise.function}` is still as it was handed out. Write it, run its cell, then this one.",)
        )
    if exercise.takes_value and not first.failure and _blank(first.value):
        return Finding("stub", (f"Nothing is answered yet. Set `{exercise.function}` in the cell above and run it.",))
    return None


def _blank(value: Any) -> bool:
    """None, nothing, or a form in which nothing is filled in."""
    if isinstance(value, dict):
        return all(map(_blank, value.values()))
    return value is None or (isinstance(value, str | tuple) and not value)


def named(exercise: Exercise, trials: Sequence[Trial], wrongs: Sequence[Wrong], everywhere: bool = True) -> Finding:
    """One known mistake, or the two that fit equally well."""
    start = "" if everywhere else "This is so on every ordinary input. "
    lines = [start + wrongs[0].message]
    if len(wrongs) > 1:
        joint = "And also: " if exercise.takes_value else "Or, since the result would be the same: "
        lines.append(joint + wrongs[1].message)
    trial = smallest([trial for trial in trials if not trial.right])
    if not everywhere:
        lines.append("Special inputs come out a little differently; mend this first, then check again.")
    return Finding(wrongs[0].name, tuple(lines), () if exercise.takes_value else table_of(exercise, trial))


def smallest(trials: Sequence[Trial]) -> Trial:
    """The ordinary trial with the least to read; the first where none is ordinary."""

    def reading(trial: Trial) -> tuple[bool, int]:
        if trial.case.label:
            return True, 0
        return False, sum(np.size(a) if isinstance(a, np.ndarray) else 1 for a in trial.case.args)

    return min(trials, key=reading)


def general(exercise: Exercise, trials: Sequence[Trial], run: Callable[[Case], Outcome]) -> Finding:
    """What holds without knowing the mistake by name."""
    wrong = [trial for trial in trials if not trial.right]
    failing = next((trial for trial in wrong if trial.got.failure), None)
    finding = (
        exception(exercise, failing)
        if failing
        else value_finding(exercise, wrong[0])
        if exercise.takes_value
        else facts_finding(exercise, wrong)
        if exercise.facts
        else numbers(exercise, trials, run)
    )
    return with_label(finding, trials)


def with_label(finding: Finding, trials: Sequence[Trial]) -> Finding:
    """The finding, preceded by which inputs it is about where the ordinary ones are right."""
    labels = {trial.case.label for trial in trials if not trial.right}
    if "" in labels:
        return finding
    return finding.after(f"Right on ordinary inputs, not yet for {'; '.join(sorted(labels))}.")


# --- exceptions ---------------------------------------------------------------------------------------------------


def exception(exercise: Exercise, trial: Trial) -> Finding:
    """An exception or a time limit in the learner's code."""
    failure = trial.got.failure
    assert failure is not None
    if failure.type == "TimeLimit":
        line = (
            f"Your code was still running after {failure.text} s and was stopped. Does a loop ever end? "
            "What changes from one round to the next?"
        )
        return Finding("timeout", (line,), table_of(exercise, trial, result=False))
    where = (("in line", f"{failure.line}: {failure.source}"),) if failure.source else ()
    lines = [
        f"Your code stopped with {failure.type}: {failure.text}"
        if failure.text
        else f"Your code stopped with {failure.type}."
    ]
    advice = _advice(exercise, failure)
    if advice:
        lines.append(advice)
    return Finding("exception", tuple(lines), (*where, *table_of(exercise, trial, result=False)))


def _advice(exercise: Exercise, failure: Failure) -> str:
    text = failure.text
    if failure.type == "NameError":
        return "Was the cell that defines this name run, the imports at the top among them?"
    if failure.type == "TypeError" and "positional argument" in text and not failure.source:
        return f"The check calls it as `{exercise.signature}`."
    if "broadcast" in text or "matmul" in text or "not aligned" in text:
        return "Write the shapes of the arrays in this line beside it: which two axes should meet?"
    if "truth value of an array" in text:
        return "`if`, `and` and `max` want one yes or no, and an array has many. Which NumPy function chooses entry by entry?"
    if failure.type == "TypeError" and ("0-dimensional" in text or "length-1" in text or "size-1" in text):
        return "A function of one number (such as those of `math`) was given an array. What is its NumPy counterpart?"
    if failure.type == "RecursionError":
        return "A function that calls itself goes only about 1,000 levels deep. Can a loop with a list of what is left to do take its place?"
    if failure.type == "AxisError":
        return "Which axes does the array still have in this line? A sum without `keepdims` moves those behind it up by one."
    if failure.type == "IndexError":
        return "Which is the last valid index here?"
    return ""


# --- values, facts ------------------------------------------------------------------------------------------------


def value_finding(exercise: Exercise, trial: Trial) -> Finding:
    """An unknown wrong value: which parts are right is told, what is expected is not."""
    expected, got = trial.expected.value, trial.got.value
    if isinstance(expected, dict):
        return _value_by_key(exercise, trial)
    if type(expected) is not type(got) and not (as_array(expected) is not None and as_array(got) is not None):
        kind = kind_in_words(expected)
        return Finding(
            "wrong-type", (f"`{exercise.function}` should be {kind}; yours is {kind_in_words(got)}: {brief(got)}.",)
        )
    return Finding(
        "wrong-value",
        (f"`{exercise.function} = {brief(got)}` is not it. Which of your assumptions can you test in a cell?",),
    )


def _value_by_key(exercise: Exercise, trial: Trial) -> Finding:
    expected, got = trial.expected.value, trial.got.value
    if not isinstance(got, dict):
        return Finding("wrong-type", (f"`{exercise.function}` should be a dict with the keys {join(list(expected))}.",))
    if exercise.facts:
        return facts_finding(exercise, [trial])
    missing = [key for key in expected if key not in got or got[key] is None]
    if missing:
        return Finding(
            "missing-key", (f"`{exercise.function}` has no value for {join([repr(key) for key in missing])} yet.",)
        )
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    bad = [key for key in expected if not equal(expected[key], got[key], tolerance)]
    good = [key for key in expected if key not in bad]
    lines = [f"Not right yet: {join([repr(key) for key in bad])}."]
    if good:
        lines.append(f"Right: {join([repr(key) for key in good])}.")
    return Finding("wrong-value", tuple(lines), tuple((key, f"yours {brief(got[key])}") for key in bad[:4]))


def facts_finding(exercise: Exercise, wrong: Sequence[Trial]) -> Finding:
    """The first fact that should hold and does not."""
    mutated = next((trial for trial in wrong if trial.got.mutated), None)
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    for trial in wrong:
        expected, got = trial.expected.value, trial.got.value
        if not expected.keys() <= got.keys():
            return other_form(exercise, trial)
        for fact, want in expected.items():
            if not equal(want, got[fact], tolerance):
                return _fact_finding(exercise, trial, fact, want, got[fact])
    if mutated:
        return input_mutated(exercise, mutated)
    raise RuntimeError(f"{exercise.id}: all facts agree, yet the answer is not right")


def other_form(exercise: Exercise, trial: Trial) -> Finding:
    """A result from which the facts cannot be read."""
    if exercise.takes_value:
        line = f"`{exercise.function}` is {kind_in_words(trial.raw)}, which is not the form asked for."
        return Finding("wrong-type", (line, _asked_form(exercise)), (("yours", brief(trial.raw)),))
    call = table_of(exercise, trial, result=False)
    if trial.raw is None:
        line = "It gave back None. Is there a `return`? Printing a value does not hand it back."
        return Finding("returned-none", (line,), call)
    line = f"It gave back {kind_in_words(trial.raw)} of a form that was not asked for."
    return Finding("wrong-type", (line, _asked_form(exercise)), (*call, ("yours", brief(trial.raw))))


def _asked_form(exercise: Exercise) -> str:
    return "Read again what the task asks it to give back" + (
        f": {', '.join(exercise.returns)}." if exercise.returns else "."
    )


def _fact_finding(exercise: Exercise, trial: Trial, fact: str, want: Any, got: Any) -> Finding:
    inputs = table_of(exercise, trial, result=False)
    if isinstance(want, bool):
        return Finding("fact", (f"This should be true and is not yet: {fact}.",), inputs)
    if exercise.takes_value:
        return Finding("fact", (f"This is not right yet: {fact}.",), (("yours", brief(got)),))
    return Finding(
        "fact", (f"Something else than expected: {fact}.",), (*inputs, ("yours", brief(got)), ("expected", brief(want)))
    )


def remarks(trials: Sequence[Trial]) -> tuple[str, ...]:
    """What is worth saying about a right answer."""
    found = []
    if any(array.dtype == np.float32 for trial in trials for array in _arrays(trial.got.value)):
        found.append(
            "Your result is float32: right to its seven digits. Keeping the input's float64 would give sixteen."
        )
    warned = next((text for trial in trials for text in trial.got.warned), None)
    if warned:
        found.append(f"On the way there was a warning: {warned}")
    return tuple(found)


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, tuple):
        return [array for item in value for array in _arrays(item)]
    return [value] if isinstance(value, np.ndarray) else []
