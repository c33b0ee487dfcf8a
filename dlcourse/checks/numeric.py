"""What can be said about wrong numbers: type, shape, dtype, finiteness, mutation, a relation, the first difference."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse.checks.compare import Tolerance, alike, as_array, close, equal, kinds_agree, parts_of
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.feedback import brief
from dlcourse.checks.misshapen import explain_shape
from dlcourse.checks.relations import Pair, Relation, find_relation
from dlcourse.checks.tables import Finding, join, kind_in_words, part_of, split, table_of
from dlcourse.drivers import Case, Opaque, Outcome, run_case

if TYPE_CHECKING:
    from dlcourse.checks.judging import Trial


def numbers(exercise: Exercise, trials: Sequence[Trial], run: Callable[[Case], Outcome]) -> Finding:
    """Arrays and numbers: type, shape, dtype, finiteness, mutation, relation, first difference."""
    wrong = [trial for trial in trials if not trial.right]
    form = next((finding for trial in wrong if (finding := wrong_form(exercise, trial))), None)
    if form:
        return form
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    if all(equal(trial.expected.value, trial.got.value, tolerance) for trial in wrong):
        return input_mutated(exercise, wrong[0])
    as_one = list_finding(exercise, trials, tolerance)
    if as_one:
        return as_one
    parts = list(dict.fromkeys(part for trial in trials for part in split(exercise, trial.expected.value)))
    bad = [part for part in parts if not all(part_is_right(exercise, trial, part) for trial in trials)]
    if not bad:
        return Finding("different", ("The result differs from what is expected.",), table_of(exercise, wrong[0]))
    bad.sort(key=lambda part: exercise.blame.index(part) if part in exercise.blame else len(exercise.blame))
    intro: tuple[str, ...] = ()
    if len(parts) > 1:
        good = [f"`{part}`" for part in parts if part not in bad]
        intro = (f"{join(good)} {'is' if len(good) == 1 else 'are'} right, `{bad[0]}` is not.",) if good else ()
        if len(bad) > 1 and (swap := exchanged(exercise, trials, parts, tolerance)):
            return Finding("parts-exchanged", (swap,), table_of(exercise, wrong[0]))
        if len(bad) > 1:
            intro = (*intro, f"Look at `{bad[0]}` first.")
    finding = part_finding(exercise, trials, bad[0], run)
    mutated = next((trial for trial in wrong if trial.got.mutated), None)
    also = ("Besides, " + _mutated(exercise, mutated) + " changed in place.",) if mutated else ()
    finding = finding.after(*intro)
    return replace(finding, lines=(*finding.lines, *also))


def part_is_right(exercise: Exercise, trial: Trial, part: str) -> bool:
    """Whether one part of a trial's result is right; a part that this case does not have counts as right."""
    if part and part not in split(exercise, trial.expected.value):
        return True
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    return equal(part_of(exercise, trial.expected, part), part_of(exercise, trial.got, part), tolerance)


def list_finding(exercise: Exercise, trials: Sequence[Trial], tolerance: Tolerance) -> Finding | None:
    """A relation over all arrays of a result that is a list of them."""
    if exercise.returns or not isinstance(trials[0].expected.value, tuple):
        return None
    wrong: list[tuple[Trial, Pair]] = []
    right: list[tuple[Trial, Pair]] = []
    for trial in trials:
        wanted = [as_array(part) for part in trial.expected.value]
        parts = [as_array(part) for part in parts_of(trial.got.value, len(wanted)) or ()]
        if not wanted or any(
            a is None or b is None or a.shape != b.shape for a, b in itertools.zip_longest(wanted, parts)
        ):
            return None
        expected, got = (np.concatenate([a.ravel() for a in side if a is not None]) for side in (wanted, parts))
        pair = Pair(expected, got, dict(zip(exercise.arguments, trial.case.args, strict=False)))
        fits = equal(trial.expected.value, trial.got.value, tolerance)
        (right if fits else wrong).append((trial, pair))
    relation = relation_of(wrong, right, tolerance)
    return Finding(relation.name, (relation.text,), table_of(exercise, wrong[0][0])) if relation else None


def wrong_form(exercise: Exercise, trial: Trial) -> Finding | None:
    """None, a generator, a tuple of another length: what cannot be compared entry by entry."""
    expected, got = trial.expected.value, trial.got.value
    call = table_of(exercise, trial, result=False)
    if got is None:
        return Finding(
            "returned-none", ("It gave back None. Is there a `return`? Printing a value does not hand it back.",), call
        )
    if isinstance(got, Opaque):
        return Finding("wrong-type", (f"It gave back {got.type}; asked for is {kind_in_words(expected)}.",), call)
    if isinstance(expected, dict):
        return None
    if isinstance(expected, tuple):
        parts = parts_of(got, len(expected))
        names = ", ".join(split(exercise, expected))
        if parts is None:
            count = f"{len(got)} values" if isinstance(got, tuple) else kind_in_words(got)
            return Finding("wrong-parts", (f"It gave back {count}; asked for are {len(expected)}: ({names}).",), call)
        pairs = zip(split(exercise, expected), expected, parts, strict=True)
    else:
        pairs = zip([""], [expected], [got], strict=True)
    for name, want, have in pairs:
        if have is None and want is not None:
            return Finding("returned-none", (f"`{name}` is None.",), call)
        if as_array(want) is not None and as_array(have) is None:
            of = f"`{name}`" if name else "The result"
            return Finding("wrong-type", (f"{of} is {kind_in_words(have)}; asked for is {kind_in_words(want)}.",), call)
    return None


def exchanged(exercise: Exercise, trials: Sequence[Trial], parts: Sequence[str], tolerance: Tolerance) -> str:
    """Says so where the parts are right but stand in another order."""
    if not isinstance(trials[0].expected.value, tuple):
        return ""
    if len(parts) > 4:
        return ""
    for order in itertools.permutations(range(len(parts))):
        if all(
            (got := parts_of(trial.got.value, len(parts))) is not None
            and equal(trial.expected.value, tuple(got[k] for k in order), tolerance)
            for trial in trials
        ):
            return f"The values are right, but in another order than asked for: ({', '.join(parts)})."
    return ""


def part_finding(exercise: Exercise, trials: Sequence[Trial], part: str, run: Callable[[Case], Outcome]) -> Finding:
    """What is wrong with one part of the result."""
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    wrong: list[tuple[Trial, Pair]] = []
    right: list[tuple[Trial, Pair]] = []
    for trial in trials:
        if part and part not in split(exercise, trial.expected.value):
            continue
        expected, got = as_array(part_of(exercise, trial.expected, part)), as_array(part_of(exercise, trial.got, part))
        if expected is None or got is None:
            if part_is_right(exercise, trial, part):
                continue
            return other_difference(exercise, trial, part)
        pair = Pair(expected, got, dict(zip(exercise.arguments, trial.case.args, strict=False)))
        if equal(part_of(exercise, trial.expected, part), part_of(exercise, trial.got, part), tolerance):
            right.append((trial, pair))
        else:
            wrong.append((trial, pair))
    wrong.sort(key=lambda both: bool(both[0].case.label))  # ordinary inputs first
    misshapen = [(trial, pair) for trial, pair in wrong if pair.expected.shape != pair.got.shape]
    if misshapen:
        story = explain_shape([pair for _, pair in misshapen], tolerance)
        return Finding(story.name, (story.text,), table_of(exercise, misshapen[0][0], part=part))
    for trial, pair in wrong:
        if not kinds_agree(pair.expected, pair.got):
            return wrong_dtype(exercise, trial, pair, part, tolerance)
    return values_finding(exercise, trials, part, run, wrong, right)


def values_finding(
    exercise: Exercise,
    trials: Sequence[Trial],
    part: str,
    run: Callable[[Case], Outcome],
    wrong: Sequence[tuple[Trial, Pair]],
    right: Sequence[tuple[Trial, Pair]],
) -> Finding:
    """What is wrong with numbers of the right shape and dtype; what ordinary inputs show comes first."""
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    ordinary = [both for both in wrong if not both[0].case.label] or wrong
    relation, start = relation_of(wrong, right, tolerance), ""
    if not relation and len(ordinary) < len(wrong):
        relation = relation_of(ordinary, [both for both in right if not both[0].case.label], tolerance)
        start = "Special inputs aside: "
    if relation:
        said = start + relation.text[0].lower() + relation.text[1:] if start else relation.text
        return Finding(relation.name, (said,), table_of(exercise, wrong[0][0], part=part))
    unfinite = next((both for both in ordinary if not is_finite(both[1])), None)
    if unfinite:
        return not_finite(exercise, *unfinite, part)
    swap = swapped_arguments(exercise, trials, part)
    if swap:
        line = f"Your result is what comes out when `{swap[0]}` and `{swap[1]}` are exchanged. Which of them is which?"
        return Finding("arguments-exchanged", (line,), table_of(exercise, wrong[0][0], part=part))
    ignored = ignored_argument(exercise, trials, part, run)
    if ignored:
        line = f"Your result does not change when `{ignored}` changes. Where should it come in?"
        return Finding("argument-ignored", (line,), table_of(exercise, wrong[0][0], part=part))
    return first_difference(exercise, *ordinary[0], part, tolerance)


def relation_of(
    wrong: Sequence[tuple[Trial, Pair]], right: Sequence[tuple[Trial, Pair]], tolerance: Tolerance
) -> Relation | None:
    """The relation that holds on all the wrong and contradicts none of the right."""
    pairs = [pair for _, pair in wrong]
    return find_relation(pairs, [pair for _, pair in right], tolerance, finite=all(map(is_finite, pairs)))


def is_finite(pair: Pair) -> bool:
    """Whether an answer's numbers are all finite."""
    return bool(np.isfinite(pair.got.astype(float)).all())


def wrong_dtype(exercise: Exercise, trial: Trial, pair: Pair, part: str, tolerance: Tolerance) -> Finding:
    """Numbers of another kind than asked for."""
    values = close(pair.expected, pair.got, tolerance).all() if pair.got.dtype.kind != "O" else False
    start = "The values are right, but the" if values else "The"
    line = f"{start} dtype is {pair.got.dtype}; asked for is {pair.expected.dtype}. Where do the numbers turn into another type?"
    return Finding("wrong-dtype", (line,), table_of(exercise, trial, part=part))


def not_finite(exercise: Exercise, trial: Trial, pair: Pair, part: str) -> Finding:
    """NaN or infinity where a number was expected."""
    got = pair.got.astype(float)
    what = "nan" if np.isnan(got).any() else "inf"
    lines = [f"Your result holds {what}, and the right one is finite."]
    if trial.got.warned:
        lines.append(f"NumPy said: {trial.got.warned[0]}.")
    lines.append("Which step makes a number too large, divides zero by zero, or takes the logarithm of zero?")
    return Finding("not-finite", tuple(lines), table_of(exercise, trial, part=part))


def swapped_arguments(exercise: Exercise, trials: Sequence[Trial], part: str) -> tuple[str, str] | None:
    """Two arguments whose exchange gives the answer's result on every case."""
    if exercise.driver != "call":
        return None
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    names = exercise.arguments[: min(len(trial.case.args) for trial in trials)]  # defaults may be left out in some
    for i, j in itertools.combinations(range(len(names)), 2):
        if all(form_of(t.case.args[i]) == form_of(t.case.args[j]) for t in trials) and all(
            _gives(exercise, exchange(t.case, i, j), t.got, part, tolerance) for t in trials
        ):
            return names[i], names[j]
    return None


def form_of(value: Any) -> Any:
    """The shape of an argument; for a list of arrays, which need not be of one shape, all of theirs."""
    return [form_of(item) for item in value] if isinstance(value, list | tuple) else np.shape(value)


def exchange(case: Case, i: int, j: int) -> Case:
    """The case with two arguments exchanged."""
    args = list(case.args)
    args[i], args[j] = args[j], args[i]
    return replace(case, args=tuple(args))


def _gives(exercise: Exercise, case: Case, got: Outcome, part: str, tolerance: Tolerance) -> bool:
    """Whether the reference gives on this case what the answer gave on another."""
    outcome = run_case(exercise.driver, exercise.reference, case, exercise.seconds)
    return not outcome.failure and alike(part_of(exercise, outcome, part), part_of(exercise, got, part), tolerance)


def ignored_argument(exercise: Exercise, trials: Sequence[Trial], part: str, run: Callable[[Case], Outcome]) -> str:
    """An argument that the answer never looks at although the right result depends on it."""
    if exercise.driver != "call":
        return ""
    tried = [trial for trial in trials if not trial.case.label][:4]
    for i, name in enumerate(exercise.arguments[: len(trials[0].case.args)]):
        if _is_ignored(exercise, tried, i, part, run):
            return name
    return ""


def _is_ignored(exercise: Exercise, tried: Sequence[Trial], i: int, part: str, run: Callable[[Case], Outcome]) -> bool:
    """Whether the answer stays the same in at least four cases in which another argument ``i`` changes the right result."""
    unmoved = 0
    for trial in tried:
        for moved in nudged(trial.case, i) if i < len(trial.case.args) else ():
            reference = run_case(exercise.driver, exercise.reference, moved, exercise.seconds)
            if reference.failure or _same_part(exercise, reference, trial.expected, part):
                continue  # the right result does not change either: this says nothing
            again = run(moved)
            if again.failure or not _same_part(exercise, again, trial.got, part):
                return False  # it looks at it; nothing more is run, for some arguments make an answer slow
            unmoved += 1
    return unmoved >= 4


def _same_part(exercise: Exercise, a: Outcome, b: Outcome, part: str) -> bool:
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    return alike(part_of(exercise, a, part), part_of(exercise, b, part), tolerance)


def nudged(case: Case, i: int) -> list[Case]:
    """The case with its argument ``i`` changed in several ways, where that is a float or an array of floats."""
    value = case.args[i]
    if isinstance(value, float):
        others: list[Any] = [value * 0.7 + 0.01, value * 1.5, value + 0.2]
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        slope = np.linspace(0.01, 0.5, value.size).reshape(value.shape)
        others = [value * 0.7 + slope, -value, value[::-1] * 1.5 - 3 * slope if value.ndim else value + 1.0]
    else:
        return []
    return [replace(case, args=(*case.args[:i], other, *case.args[i + 1 :])) for other in others]


def first_difference(exercise: Exercise, trial: Trial, pair: Pair, part: str, tolerance: Tolerance) -> Finding:
    """The first entry that differs."""
    bad = ~close(pair.expected, pair.got, tolerance)
    if pair.expected.ndim == 0:
        line = f"Expected was {brief(pair.expected)}, yours is {brief(pair.got)}."
    else:
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        at = ", ".join(map(str, index))
        line = (
            f"{int(bad.sum())} of {bad.size} entries differ; the first is [{at}]: "
            f"expected {brief(_one(pair.expected[index]))}, yours {brief(_one(pair.got[index]))}."
        )
    return Finding(
        "different",
        (line, "Follow this one number by hand through your code: where does it part ways?"),
        table_of(exercise, trial, part=part),
    )


def _one(entry: Any) -> float | bool:
    """An entry of an array as one reads it: a whole number like a float, True as True."""
    return bool(entry) if isinstance(entry, np.bool_) else float(entry)


def other_difference(exercise: Exercise, trial: Trial, part: str) -> Finding:
    """Text or other values that differ."""
    return Finding("different", ("The result differs from what is expected.",), table_of(exercise, trial, part=part))


def input_mutated(exercise: Exercise, trial: Trial) -> Finding:
    """The values are right, but an argument was changed in place."""
    line = (
        f"The result is right, but {_mutated(exercise, trial)} changed in place, and whoever called your function still needs it. "
        "Which line writes into it (`+=`, `x[...] =`, `out=`, `shuffle`)?"
    )
    return Finding("input-mutated", (line,), table_of(exercise, trial, result=False))


def _mutated(exercise: Exercise, trial: Trial) -> str:
    """The arguments that were changed, and the verb that fits their number."""
    names, changed = exercise.arguments, trial.got.mutated
    said = join([f"`{names[i]}`" if i < len(names) else f"argument {i + 1}" for i in changed])
    return f"{said} {'was' if len(changed) == 1 else 'were'}"
