"""The small table under a finding: the input, what came back, what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse.checks.compare import Tolerance, equal
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.feedback import brief
from dlcourse.drivers import Fn, Opaque, Outcome, Rng

if TYPE_CHECKING:
    from dlcourse.checks.judging import Trial

Table = tuple[tuple[str, str], ...]
LONGEST_INPUT = 150


@dataclass(frozen=True)
class Finding:
    """What was found: the name of the mistake or relation, sentences (the table stands after the first), a table."""

    name: str
    lines: tuple[str, ...]
    table: Table = ()

    def after(self, *introduction: str) -> Finding:
        """The same finding with sentences before its first one."""
        first, *rest = self.lines
        return replace(self, lines=(" ".join((*introduction, first)), *rest))


def table_of(exercise: Exercise, trial: Trial, result: bool = True, part: str = "") -> Table:
    """Input, yours, expected: at most six rows."""
    rows: list[tuple[str, str]] = []
    if not exercise.takes_value and exercise.driver == "script":
        rows.append(("steps", _steps(trial.case.args[0])))
    elif not exercise.takes_value:
        names = exercise.arguments
        shown = list(zip(names, trial.case.args, strict=False))
        rows += [(name, _input(value)) for name, value in shown[:6]]
    printed = trial.got.printed.strip().splitlines()
    if printed:
        rows.append(("it printed", printed[0][:80] + (" ..." if len(printed) > 1 else "")))
    if result and not exercise.facts and not trial.got.failure:
        of = f" {part}" if part else ""
        got, expected = part_of(exercise, trial.got, part), part_of(exercise, trial.expected, part)
        digits = 5 if brief(got) != brief(expected) else 10
        rows.append((f"your{of}" if part else "yours", brief(got, digits=digits)))
        rows.append((f"expected{of}", brief(expected, digits=digits)))
    elif result and trial.got.failure:
        rows.append(("yours", f"{trial.got.failure.type}: {trial.got.failure.text}"[:LONGEST_INPUT]))
        if not exercise.facts:
            rows.append(("expected", brief(trial.expected.value)))
    elif result and exercise.facts:
        tolerance = Tolerance(exercise.rtol, exercise.atol)
        for fact, want in trial.expected.value.items():
            if not isinstance(trial.got.value, dict) or fact not in trial.got.value:
                continue
            have = trial.got.value[fact]
            if not equal(want, have, tolerance):
                rows += (
                    [("asked for", fact)]
                    if isinstance(want, bool)
                    else [("about", fact), ("yours", brief(have)), ("expected", brief(want))]
                )
                break
    return tuple(rows)


def _input(value: Any) -> str:
    if isinstance(value, Rng):
        return f"np.random.default_rng({value.seed})"
    if isinstance(value, Fn):
        return f"the function {value.name}"
    text = brief(value)
    return text if len(text) <= LONGEST_INPUT else text[: LONGEST_INPUT - 4] + " ..."


def _steps(steps: Sequence[Sequence[Any]]) -> str:
    said = []
    for hidden, verb, *operands in steps[:8]:
        target = hidden.lstrip("_")
        operands = [operand.lstrip("_") if isinstance(operand, str) else operand for operand in operands]
        if verb == "new":
            said.append(f"{target} = Class({', '.join(map(brief, operands))})")
        elif verb == "get":
            said.append(f"{operands[0]}.{operands[1]}")
        elif verb == "call":
            said.append((f"{target} = " if target else "") + f"{operands[0]}.{operands[1]}()")
        elif verb == "neg":
            said.append(f"{target} = -{operands[0]}")
        elif verb == "chain":
            said.append(f"{target} = {operands[0]} {operands[1]} {operands[2]} ... {operands[3]} times")
        else:
            said.append(f"{target} = {operands[0]} {verb} {operands[1]}")
    return "; ".join(said) + ("; ..." if len(steps) > 8 else "")


def kind_in_words(value: Any) -> str:
    """What kind of value this is, as one says it."""
    if isinstance(value, Opaque):
        return value.type
    if isinstance(value, np.ndarray) and value.ndim:
        text = " of text" if value.dtype.kind in "US" else ""
        return f"an array{text} of shape {value.shape}"
    if isinstance(value, bool | np.bool_):
        return "True or False"
    if isinstance(value, int | float | np.ndarray):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "a dict with the keys " + join([repr(key) for key in value]) if value else "an empty dict"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    return "None" if value is None else f"a {type(value).__name__}"


def split(exercise: Exercise, expected: Any) -> list[str]:
    """Names of the parts of a result; one empty name where it has no parts."""
    if isinstance(expected, dict):
        return list(expected)
    if not isinstance(expected, tuple):
        return [""]
    names = exercise.returns
    return list(names) if len(names) == len(expected) else [f"result[{i}]" for i in range(len(expected))]


def part_of(exercise: Exercise, outcome: Outcome, part: str) -> Any:
    """One named part of an outcome's value; the whole where the name is empty."""
    if not part:
        return outcome.value
    if isinstance(outcome.value, dict):
        return outcome.value.get(part)
    names = split(exercise, tuple(outcome.value))
    return outcome.value[names.index(part)] if part in names else None


def join(words: Sequence[str]) -> str:
    """The words as a list in a sentence."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
