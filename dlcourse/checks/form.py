"""Is the answer the kind of thing that was asked for? Looked at before anything is run."""

from __future__ import annotations

import inspect
from typing import Any

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.tables import Finding


def form_problem(exercise: Exercise, answer: Any) -> Finding | None:
    """What keeps the answer from being tried at all, or None.

    Parameters
    ----------
    exercise : what was asked
    answer : what was handed to ``check``
    """
    if exercise.takes_value:
        return None
    name, right_call = exercise.function, f'`check("{exercise.id}", {exercise.function})`'
    if answer is None:
        return Finding(
            "not-defined", (f"There is no `{name}` yet: it is None. Define it, run its cell, then {right_call}.",)
        )
    if isinstance(answer, str):
        return Finding(
            "not-a-function", (f"That is a string. Hand over `{name}` itself, without quotes: {right_call}.",)
        )
    if not callable(answer):
        line = f"That is a result ({type(answer).__name__}), not the {_wanted(exercise)}. Without parentheses: {right_call}."
        return Finding("not-a-function", (line,))
    if exercise.kind == "class" and not inspect.isclass(answer):
        return Finding("not-a-class", (f"`{name}` should be a class; this is a {type(answer).__name__}.",))
    if exercise.kind != "class" and inspect.isclass(answer):
        return Finding(
            "not-a-function", (f"That is the class `{answer.__name__}`; asked for is the function `{name}`.",)
        )
    if inspect.iscoroutinefunction(answer):
        return Finding("not-a-function", (f"`{name}` is defined with `async def`; a plain `def` is asked for.",))
    return _arity_problem(exercise, answer)


def _wanted(exercise: Exercise) -> str:
    return "class itself" if exercise.kind == "class" else "function itself"


def _arity_problem(exercise: Exercise, answer: Any) -> Finding | None:
    if exercise.kind == "class":
        return None
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):
        return None
    expected = inspect.signature(exercise.reference)
    required = [name for name, p in expected.parameters.items() if p.default is p.empty]
    try:
        signature.bind(*exercise.arguments)
    except TypeError as error:
        line = f"The check calls `{exercise.signature}`, and your function takes {signature}: {error}."
        return Finding("wrong-signature", (line,))
    try:
        signature.bind(*required)
    except TypeError:
        wanted = [
            str(p).partition(":")[0] + f"={p.default!r}"
            for p in expected.parameters.values()
            if p.default is not p.empty
        ]
        line = f"The check also calls `{exercise.function}({', '.join(required)})`: which default values does the task ask for ({', '.join(wanted)})?"
        return Finding("wrong-signature", (line,))
    return None
