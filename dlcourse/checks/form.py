"""Is the answer the kind of thing that was asked for? Looked at before anything is run."""

from __future__ import annotations

import inspect
from typing import Any

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.tables import Finding
from dlcourse.drivers.form import Form, form_of


def form_problem(exercise: Exercise, answer: Any) -> Finding | None:
    """What keeps the answer from being tried at all, or None.

    Parameters
    ----------
    exercise : what was asked
    answer : what was handed to ``check``
    """
    return None if exercise.takes_value else problem_of(exercise, form_of(answer, *calls_of(exercise)))


def calls_of(exercise: Exercise) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All arguments that an answer is called with, and those without which it is never called."""
    if exercise.takes_value or exercise.kind == "class":
        return (), ()
    expected = inspect.signature(exercise.reference).parameters
    return exercise.arguments, tuple(name for name, p in expected.items() if p.default is p.empty)


def problem_of(exercise: Exercise, form: Form) -> Finding | None:
    """What keeps an answer of this form from being tried at all, or None."""
    if exercise.takes_value:
        return None
    name, right_call = exercise.function, f'`check("{exercise.id}", {exercise.function})`'
    if form.type == "NoneType":
        return Finding(
            "not-defined", (f"There is no `{name}` yet: it is None. Define it, run its cell, then {right_call}.",)
        )
    if form.type == "str":
        return Finding(
            "not-a-function", (f"That is a string. Hand over `{name}` itself, without quotes: {right_call}.",)
        )
    if not form.callable:
        line = f"That is a result ({form.type}), not the {_wanted(exercise)}. Without parentheses: {right_call}."
        return Finding("not-a-function", (line,))
    if exercise.kind == "class" and not form.is_class:
        return Finding("not-a-class", (f"`{name}` should be a class; this is a {form.type}.",))
    if exercise.kind != "class" and form.is_class:
        return Finding("not-a-function", (f"That is the class `{form.type}`; asked for is the function `{name}`.",))
    if form.is_async:
        return Finding("not-a-function", (f"`{name}` is defined with `async def`; a plain `def` is asked for.",))
    return _arity_problem(exercise, form)


def _wanted(exercise: Exercise) -> str:
    return "class itself" if exercise.kind == "class" else "function itself"


def _arity_problem(exercise: Exercise, form: Form) -> Finding | None:
    if exercise.kind == "class" or not form.signature:
        return None
    if form.refuses:
        line = f"The check calls `{exercise.signature}`, and your function takes {form.signature}: {form.refuses}."
        return Finding("wrong-signature", (line,))
    if form.needs_defaults:
        expected = inspect.signature(exercise.reference).parameters
        wanted = [str(p).partition(":")[0] + f"={p.default!r}" for p in expected.values() if p.default is not p.empty]
        line = f"The check also calls `{exercise.function}({', '.join(calls_of(exercise)[1])})`: which default values does the task ask for ({', '.join(wanted)})?"
        return Finding("wrong-signature", (line,))
    return None
