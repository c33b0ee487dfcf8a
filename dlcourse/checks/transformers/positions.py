"""Positions as waves of many lengths (Vaswani et al. 2017, section 3.5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def sinusoidal_positions(T: int, d: int) -> Any:
    t = np.arange(T)[:, None]  # (T, 1)
    angles = t / 10000 ** (np.arange(0, d, 2) / d)  # (T, d/2)
    out = np.zeros((T, d))
    out[:, ::2] = np.sin(angles)
    out[:, 1::2] = np.cos(angles)[:, : d // 2]
    return out


def sinusoidal_positions_stacked(T: int, d: int) -> Any:
    rates = np.exp(-math.log(10000.0) * 2 * np.arange((d + 1) // 2) / d)
    angles = np.outer(np.arange(T), rates)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(T, -1)[:, :d]


def sinusoidal_positions_one_by_one(T: int, d: int) -> Any:
    table = np.empty((T, d))
    for t in range(T):
        for column in range(d):
            angle = t / 10000.0 ** (2 * (column // 2) / d)
            table[t, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return table


def sinusoidal_positions_as_shifted_sines(T: int, d: int) -> Any:
    column = np.arange(d)
    rates = np.power(1e-4, (column - column % 2) / d)
    return np.sin(np.arange(T).reshape(-1, 1) * rates + np.pi / 2 * (column % 2))


def sinusoidal_positions_step_by_step(T: int, d: int) -> Any:
    rates = 10000.0 ** (-np.arange(0, d, 2) / d)
    step, row, rows = np.exp(1j * rates), np.ones(d // 2, complex), []
    for _ in range(T):  # each row is the one before, turned by a step
        rows.append(np.stack([row.imag, row.real], axis=1).ravel())
        row = row * step
    return np.array(rows)


def woven(sines: Array, cosines: Array) -> Array:
    out = np.empty((len(sines), 2 * sines.shape[1]))
    out[:, ::2], out[:, 1::2] = sines, cosines
    return out


def variant(
    exponent: Callable[[Array, int], Array] = lambda i, d: 2 * i / d,
    rate: Callable[[Array], Array] = lambda e: 10000.0**-e,
    position: Callable[[Array], Array] = lambda t: t,
    waves: Callable[[Array], Array] = lambda a: woven(np.sin(a), np.cos(a)),
    handed: Callable[[Array], Any] = lambda table: table,
) -> Callable[[int, int], Any]:
    """The table with one step exchanged; ``exponent`` sees the number i of a pair."""

    def answer(T: int, d: int) -> Any:
        with np.errstate(all="ignore"):
            rates = rate(exponent(np.arange(d // 2), d))
            return handed(waves(position(np.arange(T))[:, None] * rates))

    return answer


def by_column(exponent: Callable[[Array, int], Array]) -> Callable[[int, int], Any]:
    """Each column, not each pair of columns, has an exponent of its own."""

    def answer(T: int, d: int) -> Any:
        column = np.arange(d)
        angles = np.arange(T)[:, None] * 10000.0 ** -exponent(column, d)
        return np.where(column % 2, np.cos(angles), np.sin(angles))

    return answer


def with_base(base: float) -> Callable[[Array], Array]:
    return lambda e: base**-e


def table_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((4, 4)),
        Case((6, 8)),
        Case((int(rng.integers(20, 60)), 6)),
        Case((5, 12)),
        Case((500, 16), "many positions"),
        Case((1, 8), "a single position"),
        Case((5, 2), "a single pair of columns"),
    ]


SINUSOIDAL_POSITIONS = Exercise(
    id="transformers.sinusoidal_positions",
    kind="function",
    title="Positions as waves",
    points=2,
    minutes=15,
    difficulty=2,
    function="sinusoidal_positions",
    reference=sinusoidal_positions,
    alternatives=(
        sinusoidal_positions_stacked,
        sinusoidal_positions_one_by_one,
        sinusoidal_positions_as_shifted_sines,
        sinusoidal_positions_step_by_step,
    ),
    inputs=table_inputs,
    wrong=(
        Wrong(
            "sine-and-cosine-exchanged",
            variant(waves=lambda a: woven(np.cos(a), np.sin(a))),
            "Cosines stand in the even columns and sines in the odd ones. Which of the two is 0 at position 0, and in which columns should it stand?",
        ),
        Wrong(
            "halves",
            variant(waves=lambda a: np.concatenate([np.sin(a), np.cos(a)], axis=1)),
            "All sines stand in the first half and all cosines in the second, as some programs have it. In which columns does the task want them?",
        ),
        Wrong(
            "halves-exchanged",
            variant(waves=lambda a: np.concatenate([np.cos(a), np.sin(a)], axis=1)),
            "All cosines stand in the first half and all sines in the second. In which columns does the task want them?",
        ),
        Wrong(
            "sines-only",
            variant(waves=lambda a: woven(np.sin(a), np.sin(a))),
            "Both columns of a pair hold the sine. Which function belongs to the odd columns?",
        ),
        Wrong(
            "cosines-only",
            variant(waves=lambda a: woven(np.cos(a), np.cos(a))),
            "Both columns of a pair hold the cosine. Which function belongs to the even columns?",
        ),
        Wrong(
            "cosine-negative",
            variant(waves=lambda a: woven(np.sin(a), -np.cos(a))),
            "The odd columns have the opposite sign. What is the cosine of 0?",
        ),
        Wrong(
            "sine-negative",
            variant(waves=lambda a: woven(-np.sin(a), np.cos(a))),
            "The even columns have the opposite sign, as with positions that count downwards. Should the sine of a small step ahead be above 0 or below?",
        ),
        Wrong(
            "two-missing",
            variant(exponent=lambda i, d: i / d),
            "The exponent of pair i is i/d: the 2 is missing, so the waves never get longer than 2π · 100. Up to nearly which number should the exponents go?",
        ),
        Wrong(
            "two-too-many",
            variant(exponent=lambda i, d: 4 * i / d),
            "The exponent of pair i is 4i/d, as when 2i is filled in twice, or divided by d/2. Is your i the number of a pair or twice that, and what is it divided by?",
        ),
        Wrong(
            "exponent-by-column",
            by_column(lambda c, d: c / d),
            "Each column c has the exponent c/d, so that a sine and the cosine beside it have different lengths of wave. Which exponent do both columns of a pair share?",
        ),
        Wrong(
            "twice-the-column",
            by_column(lambda c, d: 2 * c / d),
            "Each column c has the exponent 2c/d. In the formula, i counts *pairs* of columns: which i belongs to column 3?",
        ),
        Wrong(
            "cosine-of-the-next",
            by_column(lambda c, d: (c + c % 2) / d),
            "The cosines have the exponent (2i + 2)/d, that of the next pair. Which exponent do both columns of a pair share?",
        ),
        Wrong(
            "to-the-last-pair",
            variant(exponent=lambda i, d: i / max(d // 2 - 1, 1)),
            "Your exponents go from 0 to exactly 1, as some programs have it. In the formula, what is divided by d for the last pair?",
        ),
        Wrong(
            "divided-by-d-minus-one",
            variant(exponent=lambda i, d: 2 * i / (d - 1)),
            "Your exponents are 2i/(d - 1). What is 2i divided by in the formula?",
        ),
        Wrong(
            "divided-by-the-length",
            lambda T, d: variant(exponent=lambda i, d: 2 * i / T)(T, d),
            "Your exponents are 2i/T: the waves would depend on how long the text is. What is 2i divided by in the formula?",
        ),
        Wrong(
            "power-taken-first",
            variant(exponent=lambda i, d: i / d, rate=lambda e: 1 / (10000.0**2 * e)),
            "You divide by 10000² · i/d, since `10000 ** 2 * i / d` takes the power first; for pair 0 that is 0, and gives nan. Where do brackets belong?",
        ),
        Wrong(
            "product-for-power",
            variant(rate=lambda e: 1 / (10000.0 * e)),
            "You divide by 10000 · 2i/d, a product; for pair 0 that is 0, and gives nan. What does the raised 2i/d in the formula do with 10000?",
        ),
        Wrong(
            "last-pair-left-out",
            variant(waves=lambda a: woven(np.sin(a), np.cos(a)) * (np.arange(2 * a.shape[1]) < 2 * a.shape[1] - 2)),
            "The last two columns are still 0. With which pair does your loop end, and what does `range` do with its end?",
        ),
        Wrong(
            "pairs-from-one",
            variant(exponent=lambda i, d: 2 * (i + 1) / d),
            "The pairs are counted from 1, so even the fastest wave is slowed down. Which exponent has the first pair, i = 0?",
        ),
        Wrong(
            "exponent-negative",
            variant(exponent=lambda i, d: -2 * i / d),
            "The position is *multiplied* by 10000^(2i/d): from pair to pair the waves become shorter, where they should become longer. On which side of the fraction does the power stand?",
        ),
        Wrong(
            "whole-number-division",
            variant(exponent=lambda i, d: 2 * i // d),
            "All exponents are 0, so all pairs have the same wave. What does `//` do to 2/8?",
        ),
        Wrong(
            "pairs-backwards",
            variant(exponent=lambda i, d: 2 * i[::-1] / d),
            "The longest wave stands first. Which exponent has the first pair, i = 0?",
        ),
        Wrong(
            "base-a-thousand",
            variant(rate=with_base(1000.0)),
            "The base of your powers is 1,000. Which number does the formula have?",
        ),
        Wrong(
            "base-a-hundred-thousand",
            variant(rate=with_base(100000.0)),
            "The base of your powers is 100,000. Which number does the formula have?",
        ),
        Wrong(
            "base-e",
            variant(rate=lambda e: np.exp(-e)),
            "Your powers are those of e: exp(-2i/d) without a logarithm of 10,000. How do you write 10000^x with `exp`?",
        ),
        Wrong(
            "common-logarithm",
            variant(rate=lambda e: np.exp(-4.0 * e)),
            "You use the logarithm to base 10, which is 4, inside of `exp`. Which logarithm belongs to `exp`?",
        ),
        Wrong(
            "positions-from-one",
            variant(position=lambda t: t + 1),
            "Your positions count from 1. What should the first row be, and what is the sine of 0?",
        ),
        Wrong(
            "share-of-the-length",
            lambda T, d: variant(position=lambda t: t / T)(T, d),
            "Positions are divided by T, so the same place has another code in a longer text. By what does the formula divide t?",
        ),
        Wrong(
            "full-turns",
            variant(position=lambda t: 2 * np.pi * t),
            "The angles are multiplied by 2π, so the first sine is 0 at every position. What stands in the formula's bracket?",
        ),
        Wrong(
            "degrees",
            variant(position=lambda t: np.pi / 180 * t),
            "The angles are taken for degrees. What do `np.sin` and the formula take?",
        ),
        Wrong(
            "angles-alone",
            variant(waves=lambda a: np.repeat(a, 2, axis=1)),
            "The angles are right, and nothing is done with them. Which two functions stand before the formula's brackets?",
        ),
        Wrong(
            "transposed",
            variant(handed=lambda table: table.T),
            "Everything is right, in the shape (d, T). Which axis comes first?",
        ),
        Wrong(
            "scaled",
            variant(handed=lambda table: table / np.sqrt(table.shape[1])),
            "Everything is divided by √d. Does the formula have a factor before the waves?",
        ),
        Wrong(
            "pairs-apart",
            variant(waves=lambda a: np.stack([np.sin(a), np.cos(a)], axis=-1)),
            "The waves are right, in the shape (T, d/2, 2). How many axes does the task ask for?",
        ),
        Wrong(
            "half-the-width",
            variant(waves=lambda a: np.sin(a) + np.cos(a)),
            "Sine and cosine of a pair are added up, in half as many columns. How many columns belong to one pair?",
        ),
        Wrong(
            "with-a-batch-axis",
            variant(handed=lambda table: table[None]),
            "The table is right, with an axis in front for a batch, (1, T, d). Which shape does the task name?",
        ),
    ),
    hints=(
        "Make a table of angles first: T rows, one column for each *pair*. Then put sine and cosine of it into every second column.",
        "The rates of the pairs are 10000^(-2i/d) for i = 0 … d/2 - 1; `np.arange(0, d, 2)` is 2i already. Angles are positions as a column times rates as a row.",
        "`angles = np.arange(T)[:, None] / 10000 ** (np.arange(0, d, 2) / d)`, then `out[:, ::2] = np.sin(angles)`, and the odd columns from 1 with the cosine.",
    ),
    unlocks="Every position has a code of its own, and a step ahead turns it by the same angles everywhere.",
)  # fmt: skip
