"""Relations between a wrong result and the right one that can be told without knowing the mistake by name.

A relation is told only where it holds on every case that came out wrong, and contradicts none that came out right.
Where two explanations fit, both are told.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcourse.checks.compare import Array, Tolerance, as_array, close


@dataclass(frozen=True)
class Relation:
    """A finding: its name, and a sentence that is true of the learner's results."""

    name: str
    text: str


@dataclass(frozen=True, eq=False)
class Pair:
    """What one case should have given and what it gave; ``args`` by name."""

    expected: Array
    got: Array
    args: dict[str, Any]


Finder = Callable[[Sequence[Pair], Sequence[Pair], Tolerance], Relation | None]


def find_relation(
    wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance, finite: bool = True
) -> Relation | None:
    """The first relation that holds for all of ``wrong``; shapes within a pair are equal.

    Where a result is not finite, only a well-known function of the right one may explain it.
    """
    booleans = any(pair.expected.dtype.kind == "b" for pair in wrong)
    wrong, right = ([_in_numbers(pair) for pair in pairs] for pairs in (wrong, right))
    for finder in FINDERS if finite else (transformed,):
        if booleans and finder is reordered:
            continue  # as many True as there should be is no finding
        with np.errstate(all="ignore"):
            relation = finder(wrong, right, tolerance)
        if relation:
            return relation
    return None


def _in_numbers(pair: Pair) -> Pair:
    """True as 1 and False as 0, since booleans have no minus."""
    if "b" not in (pair.expected.dtype.kind, pair.got.dtype.kind):
        return pair
    return replace(pair, expected=pair.expected.astype(float), got=pair.got.astype(float))


def _telling(pairs: Sequence[Pair]) -> bool:
    """Whether there is enough to see a relation in: more than one number, not all of them alike."""
    numbers = np.concatenate([pair.expected.ravel() for pair in pairs])
    return bool(numbers.size > 1 and np.ptp(numbers.astype(float)) > 0)


def returns_an_argument(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """The result is one of the arguments, as it came in."""
    for name in wrong[0].args:
        values = [as_array(pair.args.get(name)) for pair in wrong]
        if all(
            value is not None
            and value.shape == pair.got.shape
            and value.size
            and close(value, pair.got, tolerance).all()
            for value, pair in zip(values, wrong, strict=True)
        ) and _telling(wrong):
            said = f"On every input that fails, what comes back is the argument `{name}` as it went in, unchanged."
            return Relation("argument-returned", said)
    return None


def transformed(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """The result is a well-known function of the right one."""
    if not _telling(wrong):
        return None
    fitting = [
        (name, words)
        for name, words, f in TRANSFORMS
        if all(
            f(p.expected).shape == p.got.shape and close(f(p.expected), p.got, tolerance).all()
            for p in (*wrong, *right)
        )
    ]
    if not fitting:
        return None
    said = _either([words for _, words in fitting[:2]])
    return Relation(
        fitting[0][0], f"On every input that fails, your result is {said}{'' if said.endswith('?') else '.'}"
    )


TRANSFORMS: tuple[tuple[str, str, Callable[[Array], Any]], ...] = (
    ("sign", "the right one with the opposite sign. Where does a minus sign come in, or get lost?", lambda a: -a),
    ("complement", "1 minus the right one", lambda a: 1 - a),
    ("absolute", "the right one without its sign", np.abs),
    ("square", "the square of the right one", lambda a: a * a),
    ("root", "the square root of the right one", np.sqrt),
    ("exponential", "the exponential of the right one: is a logarithm missing?", np.exp),
    ("logarithm", "the logarithm of the right one: is there a logarithm too many?", np.log),
    ("reciprocal", "1 divided by the right one", lambda a: 1 / a),
    ("rounded", "the right one rounded to a whole number", np.round),
    ("truncated", "the right one with its decimals cut off: is there an integer division or an integer array?", np.trunc),
    ("two-digits", "the right one rounded to two decimals: hand back the unrounded number", lambda a: np.round(a, 2)),
    ("transposed", "the right one transposed: rows and columns are exchanged", lambda a: np.swapaxes(a, -1, -2) if a.ndim >= 2 else a),
    ("reversed", "the right one in reverse order", lambda a: a[::-1] if a.ndim else a),
    ("shifted-later", "the right one shifted by one place (the first moved to the second)", lambda a: np.roll(a, 1, 0) if a.ndim else a),
    ("shifted-earlier", "the right one shifted by one place (the second moved to the first)", lambda a: np.roll(a, -1, 0) if a.ndim else a),
)  # fmt: skip


def proportional(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """The result is a multiple of the right one; where possible, what the factor equals."""
    factors = [_factor(pair, tolerance) for pair in wrong]
    if any(k is None for k in factors) or not _telling(wrong):
        return None
    ks = [float(k) for k in factors if k is not None]
    if all(abs(k) < 1e-12 for k in ks):
        return Relation("all-zero", "Every entry that comes back is zero where it should not be.")
    if len(ks) == 1 and wrong[0].expected.size == 1:
        return None  # any number is a multiple of another
    names = [name for name, of in _meanings(wrong) if _explains(of, ks, wrong, right)]
    shown = f"{ks[0]:.6g}"
    if names:
        return Relation(
            "constant-factor",
            f"Your result is the right one times {shown} on the input shown, and on every input that factor is {_either(names[:2])}.",
        )
    if np.ptp(ks) <= 1e-6 * abs(ks[0]):
        if any(not _zero(pair.expected) for pair in right):
            return None
        known = next((words for number, words in KNOWN_FACTORS if abs(ks[0] - number) < 1e-5 * number), "")
        return Relation("constant-factor", f"On every input your result is the right one times {shown}{known}.")
    if all(pair.expected.size > 2 for pair in wrong):
        return Relation(
            "proportional",
            f"On each input your result is a multiple of the right one (times {shown} on the one shown), "
            "but the factor changes with the input. What is it divided or multiplied by?",
        )
    return None


KNOWN_FACTORS = (
    (1 / math.log(2), ", which is 1 / ln 2: a logarithm to base 2 where the natural one is meant"),
    (1 / math.log(10), ", which is 1 / ln 10: a logarithm to base 10 where the natural one is meant"),
    (math.pi / 180, ", which is π / 180: degrees and radians are exchanged"),
    (180 / math.pi, ", which is 180 / π: degrees and radians are exchanged"),
)


def _factor(pair: Pair, tolerance: Tolerance) -> float | None:
    expected, got = pair.expected.astype(float).ravel(), pair.got.astype(float).ravel()
    if not expected.size or not np.isfinite(got).all() or _zero(expected):
        return None
    top = int(np.abs(expected).argmax())
    k = float(got[top] / expected[top])
    return k if close(k * expected, got, tolerance).all() else None


def _zero(array: Array) -> bool:
    return not np.any(array)


def _meanings(pairs: Sequence[Pair]) -> Iterator[tuple[str, Callable[[Pair], float | None]]]:
    """What a factor may be equal to: a length, a count, an argument, a plain number; each also as a divisor."""

    def inverse(of: Callable[[Pair], float | None]) -> Callable[[Pair], float | None]:
        return lambda pair: 1 / value if (value := of(pair)) else None

    plain_meanings = list(itertools.chain(_lengths(pairs), _scalars(pairs)))
    for name, of in plain_meanings:
        yield name, of
        yield f"1 divided by {name}", inverse(of)


def _lengths(pairs: Sequence[Pair]) -> Iterator[tuple[str, Callable[[Pair], float | None]]]:
    def length(name: str, axis: int) -> Callable[[Pair], float | None]:
        return lambda pair: _shape(pair, name)[axis] if len(_shape(pair, name)) > axis else None

    def size(name: str) -> Callable[[Pair], float | None]:
        return lambda pair: int(np.prod(_shape(pair, name))) if _shape(pair, name) else None

    for name in pairs[0].args:
        shape = _shape(pairs[0], name)
        for axis in range(len(shape)):
            yield f"the length of `{name}`" if len(shape) == 1 else f"`{name}.shape[{axis}]`", length(name, axis)
        if len(shape) > 1:
            yield f"the number of entries of `{name}`", size(name)


def _scalars(pairs: Sequence[Pair]) -> Iterator[tuple[str, Callable[[Pair], float | None]]]:
    def scalar(name: str, f: Callable[[float], float]) -> Callable[[Pair], float | None]:
        def of(pair: Pair) -> float | None:
            value = pair.args.get(name)
            return f(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None

        return of

    for name, value in pairs[0].args.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"`{name}`", scalar(name, lambda v: v)
            yield f"1 - `{name}`", scalar(name, lambda v: 1 - v)
            yield f"the square of `{name}`", scalar(name, lambda v: v * v)


def _shape(pair: Pair, name: str) -> tuple[int, ...]:
    value = pair.args.get(name)
    return value.shape if isinstance(value, np.ndarray) else ()


def _explains(
    of: Callable[[Pair], float | None], ks: list[float], wrong: Sequence[Pair], right: Sequence[Pair]
) -> bool:
    """Whether a meaning gives the factor on every wrong case, and 1 on every right one."""
    values = [of(pair) for pair in wrong]
    return all(v is not None and abs(v - k) <= 1e-6 * abs(k) for v, k in zip(values, ks, strict=True)) and all(
        _zero(pair.expected) or ((v := of(pair)) is not None and abs(v - 1) < 1e-6) for pair in right
    )


def offset(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """The result is the right one plus a number."""
    if right or not _telling(wrong):
        return None
    amounts = []
    for pair in wrong:
        difference = pair.got.astype(float) - pair.expected.astype(float)
        if not difference.size or not close(pair.expected + difference.flat[0], pair.got, tolerance).all():
            return None
        amounts.append(float(difference.flat[0]))
    if np.ptp(amounts) <= 1e-9 + 1e-6 * abs(amounts[0]):
        return Relation(
            "constant-offset", f"On every input that fails, your result is the right one plus {amounts[0]:.6g}."
        )
    if all(pair.expected.size > 2 for pair in wrong):
        return Relation(
            "offset",
            f"Every entry of your result is off by the same amount ({amounts[0]:.6g} on the input shown), "
            "which changes with the input. What is added once to all of them?",
        )
    return None


def off_by_an_argument(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """The result is the right one plus, minus, times or divided by an argument, entry by entry."""
    if not _telling(wrong):
        return None
    for name in wrong[0].args:
        for said, combine in COMBINATIONS:
            if all(_is_combination(pair, name, combine, tolerance) for pair in (*wrong, *right)):
                return Relation("off-by-argument", f"On every input your result is the right one {said} `{name}`.")
    return None


COMBINATIONS: tuple[tuple[str, Callable[[Array, Array], Array]], ...] = (
    ("plus", lambda a, b: a + b),
    ("minus", lambda a, b: a - b),
    ("times", lambda a, b: a * b),
    ("divided by", lambda a, b: a / b),
)


def _is_combination(pair: Pair, name: str, combine: Callable[[Array, Array], Array], tolerance: Tolerance) -> bool:
    argument = as_array(pair.args.get(name))
    if argument is None or argument.dtype.kind != "f" or not pair.expected.size:
        return False
    try:
        other = combine(pair.expected.astype(float), argument)
    except ValueError:  # the shapes do not go together
        return False
    return other.shape == pair.got.shape and bool(close(other, pair.got, tolerance).all())


def reordered(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """The right numbers in another order."""
    if all(
        pair.expected.size > 2 and close(np.sort(pair.expected, None), np.sort(pair.got, None), tolerance).all()
        for pair in wrong
    ):
        return Relation("reordered", "The numbers are right but stand in another order.")
    return None


def by_sign(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """Right on one side of zero of an array argument, wrong on the other, on enough entries to say so."""
    for name in wrong[0].args:
        bad, good = Counter[str](), Counter[str]()
        for pair in [*wrong, *right]:
            argument = as_array(pair.args.get(name))
            if argument is None or argument.shape != pair.got.shape or argument.dtype.kind != "f":
                break
            if argument.ndim == 0:  # one number says too little
                continue
            fits = close(pair.expected, pair.got, tolerance)
            bad.update(map(sign_of, argument[~fits].tolist()))
            good.update(map(sign_of, argument[fits].tolist()))
        else:
            for side, other in (("negative", "positive"), ("positive", "negative")):
                if bad[side] >= 3 and good[other] >= 3 and not bad[other] and not bad["zero"] and not good[side]:
                    return Relation(
                        f"wrong-for-{side}",
                        f"Entries where `{name}` is {side} come out wrong, the others right. What should happen to them?",
                    )
    return None


def sign_of(number: float) -> str:
    """The sign in words."""
    return "negative" if number < 0 else "positive" if number > 0 else "zero"


def some_rows(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """Only the first or only the last entry along the first axis is right, or wrong."""
    patterns = []
    for pair in wrong:
        if pair.expected.ndim < 1 or len(pair.expected) < 3:
            continue
        good = close(pair.expected, pair.got, tolerance).reshape(len(pair.expected), -1).all(axis=1)
        patterns.append(np.asarray(good))
    if len(patterns) < 2:  # one input alone may be right in its first entry by chance
        return None
    told: tuple[tuple[str, str, Callable[[Array], bool]], ...] = (
        ("first-only", "Only the first entry along the first axis is right: what is special about it? Or does a loop end too early?",
         lambda good: bool(good[0] and not good[1:].any())),
        ("last-only", "Only the last entry along the first axis is right: is it overwritten in every round of a loop?",
         lambda good: bool(good[-1] and not good[:-1].any())),
        ("last-missing", "Everything is right but the last entry along the first axis: does a range end one too early?",
         lambda good: bool(good[:-1].all() and not good[-1])),
        ("first-missing", "Everything is right but the first entry along the first axis: does a range start one too late?",
         lambda good: bool(good[1:].all() and not good[0])),
    )  # fmt: skip
    for name, text, test in told:
        if all(test(good) for good in patterns):
            return Relation(name, text)
    return None


def nearly(wrong: Sequence[Pair], right: Sequence[Pair], tolerance: Tolerance) -> Relation | None:
    """Off by a little everywhere: an approximation, or a small constant in the wrong place."""
    worst = 0.0
    for pair in wrong:
        scale = np.abs(pair.expected).max(initial=0.0)
        if not pair.expected.size or not np.isfinite(pair.got).all() or not scale:
            return None
        worst = max(worst, float(np.abs(pair.got - pair.expected).max() / scale))
    if worst < 2e-3:
        return Relation(
            "nearly",
            f"Nearly right: on the worst input off by {worst:.1e} of the largest entry. Is something approximated or rounded, "
            "or does a small constant stand in the wrong place?",
        )
    return None


def _either(names: Sequence[str]) -> str:
    return " (or, which is the same here, ".join(names) + ")" * (len(names) - 1)


FINDERS: tuple[Finder, ...] = (
    returns_an_argument,
    transformed,
    proportional,
    off_by_an_argument,
    offset,
    reordered,
    nearly,
    by_sign,
    some_rows,
)
