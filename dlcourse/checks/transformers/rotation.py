"""Rotary positions (Su et al. 2021, eq. 34): pairs of numbers are turned by angles that grow with the position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def rotary(x: Array, positions: Array, base: float = 10000.0) -> Any:
    d = x.shape[-1]
    angles = np.asarray(positions)[:, None] * base ** (-np.arange(0, d, 2) / d)  # (T, d/2)
    cos, sin = np.cos(angles), np.sin(angles)
    a, b = x[..., ::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., ::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out


def rotary_by_complex_numbers(x: Array, positions: Array, base: float = 10000.0) -> Any:
    d = x.shape[-1]
    pairs = x[..., ::2] + 1j * x[..., 1::2]
    rates = np.exp(-np.log(base) * np.arange(d // 2) / (d / 2))
    turned = pairs * np.exp(1j * np.outer(positions, rates))
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


def rotary_by_matrices(x: Array, positions: Array, base: float = 10000.0) -> Any:
    N, h, T, d = x.shape
    out = np.zeros((N, h, T, d))
    for t, position in enumerate(positions):
        for i in range(d // 2):
            angle = position / base ** (2 * i / d)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            out[:, :, t, 2 * i : 2 * i + 2] = x[:, :, t, 2 * i : 2 * i + 2] @ turn.T
    return out


def rotary_with_neighbors(x: Array, positions: Array, base: float = 10000.0) -> Any:
    d = x.shape[-1]
    angles = np.repeat(np.asarray(positions)[:, None] / base ** (np.arange(0, d, 2) / d), 2, axis=1)  # (T, d)
    neighbors = np.stack([-x[..., 1::2], x[..., ::2]], axis=-1).reshape(x.shape)
    return x * np.cos(angles) + neighbors * np.sin(angles)


# --- the known wrong answers ----------------------------------------------------------------------------------------

Pair = tuple[Array, Array]


def interleaved(x: Array) -> Pair:
    return x[..., ::2], x[..., 1::2]


def in_halves(x: Array) -> Pair:
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def woven(a: Array, b: Array) -> Array:
    return np.stack([a, b], axis=-1).reshape(*a.shape[:-1], -1)


def side_by_side(a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1)


def turned(a: Array, b: Array, cos: Array, sin: Array) -> Pair:
    return a * cos - b * sin, a * sin + b * cos


def overwritten(a: Array, b: Array, cos: Array, sin: Array) -> Pair:
    a = a * cos - b * sin
    return a, a * sin + b * cos


def variant(
    exponent: Callable[[Array, int], Array] = lambda i, d: 2 * i / d,
    rate: Callable[[float, Array], Array] = lambda base, e: base**-e,
    position: Callable[[Array], Array] = lambda p: p,
    pairs: Callable[[Array], Pair] = interleaved,
    turn: Callable[[Array, Array, Array, Array], Pair] = turned,
    joined: Callable[[Array, Array], Array] = woven,
    along: Callable[[Array], Array] = lambda angles: angles,
) -> Callable[..., Any]:
    """The turn with one step exchanged; ``exponent`` sees the number i of a pair."""

    def answer(x: Array, positions: Array, base: float = 10000.0) -> Any:
        d = x.shape[-1]
        with np.errstate(all="ignore"):
            rates = rate(base, exponent(np.arange(d // 2), d))
            angles = along(position(np.asarray(positions))[:, None] * rates)
            return joined(*turn(*pairs(x), np.cos(angles), np.sin(angles)))

    return answer


def angles_of_halves(x: Array, positions: Array, base: float = 10000.0) -> Any:
    """Neighbors are turned, by a table of angles that was made for halves."""
    d = x.shape[-1]
    angles = np.asarray(positions)[:, None] * base ** (-np.arange(0, d, 2) / d)
    table = np.concatenate([angles, angles], axis=1)
    neighbors = woven(-x[..., 1::2], x[..., ::2])
    return x * np.cos(table) + neighbors * np.sin(table)


def halves_with_angles_of_neighbors(x: Array, positions: Array, base: float = 10000.0) -> Any:
    d = x.shape[-1]
    table = np.repeat(np.asarray(positions)[:, None] * base ** (-np.arange(0, d, 2) / d), 2, axis=1)
    a, b = in_halves(x)
    return x * np.cos(table) + side_by_side(-b, a) * np.sin(table)


def by_column(exponent: Callable[[Array, int], Array]) -> Callable[..., Any]:
    """Each column has an angle of its own."""

    def answer(x: Array, positions: Array, base: float = 10000.0) -> Any:
        d = x.shape[-1]
        angles = np.asarray(positions)[:, None] * base ** -exponent(np.arange(d), d)
        return x * np.cos(angles) + woven(-x[..., 1::2], x[..., ::2]) * np.sin(angles)

    return answer


def waves_added(x: Array, positions: Array, base: float = 10000.0) -> Any:
    d = x.shape[-1]
    angles = np.asarray(positions)[:, None] * base ** (-np.arange(0, d, 2) / d)
    return x + woven(np.sin(angles), np.cos(angles))


def rotary_inputs(rng: np.random.Generator) -> list[Case]:
    def x(N: int, h: int, T: int, d: int) -> Array:
        return rng.normal(size=(N, h, T, d))

    return [
        Case((np.array([[[[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 2.0, 1.0], [0.5, -1.0, 1.0, 0.0]]]]), np.arange(3))),
        Case((x(2, 3, 5, 6), np.arange(5))),
        Case((x(2, 3, 4, 8), np.array([3, 9, 1, 40]))),
        Case((x(3, 2, 5, 4), np.arange(7, 12), 50.0)),
        Case((x(4, 4, 4, 8), np.arange(2, 6), 100.0)),
        Case((x(2, 2, 3, 6), np.array([0, 1000, 2500])), "positions far apart"),
        Case((x(2, 2, 3, 2), np.arange(3)), "a single pair"),
        Case((x(1, 2, 1, 6), np.array([11]), 500.0), "a single position"),
    ]


ROTARY = Exercise(
    id="transformers.rotary",
    kind="function",
    title="Turn queries and keys",
    points=3,
    minutes=20,
    difficulty=2,
    function="rotary",
    reference=rotary,
    alternatives=(rotary_with_neighbors, rotary_by_complex_numbers, rotary_by_matrices),
    inputs=rotary_inputs,
    wrong=(
        Wrong(
            "turned-back",
            variant(turn=lambda a, b, c, s: (a * c + b * s, b * c - a * s)),
            "Every pair is turned the other way, by the negative angle. Is the minus in the wrong line? Where does (1, 0) go when it is turned by a small positive angle?",
        ),
        Wrong(
            "halves",
            variant(pairs=in_halves, joined=side_by_side),
            "You pair number i with number i + d/2, as some programs do. Which two numbers make a pair in this task?",
        ),
        Wrong(
            "joined-in-halves",
            variant(joined=side_by_side),
            "The pairs are turned rightly, but come back in another order: all first numbers, then all second ones. Where did the two of a pair stand in x?",
        ),
        Wrong(
            "taken-in-halves",
            variant(pairs=in_halves),
            "You take number i and number i + d/2 for a pair and put them back side by side. Which two numbers make a pair in this task?",
        ),
        Wrong(
            "angles-of-halves",
            angles_of_halves,
            "Neighbors are paired, but their angles come from a table of two equal halves, so the two of a pair are turned by different angles. In which order must the angles be repeated?",
        ),
        Wrong(
            "halves-with-angles-of-neighbors",
            halves_with_angles_of_neighbors,
            "The angles stand in twos, right for neighbors, but you pair number i with number i + d/2. Which two numbers make a pair in this task?",
        ),
        Wrong(
            "both-plus",
            variant(turn=lambda a, b, c, s: (a * c + b * s, a * s + b * c)),
            "Both lines have a plus, so lengths change. In a turn, one of the four products has a minus: which?",
        ),
        Wrong(
            "both-minus",
            variant(turn=lambda a, b, c, s: (a * c - b * s, a * s - b * c)),
            "Both lines have a minus: that is a mirror, not a turn. What should come out at position 0?",
        ),
        Wrong(
            "sine-and-cosine-exchanged",
            variant(turn=lambda a, b, c, s: (a * s - b * c, a * c + b * s)),
            "Sine and cosine are exchanged, so even at position 0 something is turned. What is the cosine of 0?",
        ),
        Wrong(
            "cosine-alone",
            variant(turn=lambda a, b, c, s: (a * c, b * c)),
            "Each number is multiplied by a cosine, and that is all. What does a turn add from the other number of the pair?",
        ),
        Wrong(
            "cosine-and-sine",
            variant(turn=lambda a, b, c, s: (a * c, b * s)),
            "The first number of a pair is multiplied by the cosine, the second by the sine. How many products does the turn of a pair have?",
        ),
        Wrong(
            "overwritten",
            variant(turn=overwritten),
            "The first number of each pair is right. For the second you use the *new* first one: was it written over before it was needed?",
        ),
        Wrong(
            "results-exchanged",
            variant(joined=lambda a, b: woven(b, a)),
            "The two numbers of each pair have changed places in the result. Which of them should stand first?",
        ),
        Wrong(
            "pairs-exchanged",
            variant(pairs=lambda x: (x[..., 1::2], x[..., ::2])),
            "You take the second number of each pair for the first. Which of them stands at an even place?",
        ),
        Wrong(
            "second-as-it-was",
            variant(turn=lambda a, b, c, s: (a * c - b * s, b)),
            "The first number of each pair is right, the second comes back as it was. Which other line has the formula?",
        ),
        Wrong(
            "first-as-it-was",
            variant(turn=lambda a, b, c, s: (a, a * s + b * c)),
            "The second number of each pair is right, the first comes back as it was. Which other line has the formula?",
        ),
        Wrong(
            "waves-added",
            waves_added,
            "You add sines and cosines, as exercise 6 makes them. What is done here with a pair, so that its length stays as it is?",
        ),
        Wrong(
            "two-missing",
            variant(exponent=lambda i, d: i / d),
            "The exponent of pair i is i/d. Which exponent does the formula have?",
        ),
        Wrong(
            "two-too-many",
            variant(exponent=lambda i, d: 4 * i / d),
            "The exponent of pair i is 4i/d, as when 2i is filled in twice. Is your i the number of a pair, or already twice that?",
        ),
        Wrong(
            "angle-by-column",
            by_column(lambda c, d: c / d),
            "Each column has an angle of its own, with the exponent c/d. By how many angles is one pair turned?",
        ),
        Wrong(
            "angle-by-twice-the-column",
            by_column(lambda c, d: 2 * c / d),
            "Each column has an angle of its own, with the exponent 2c/d. By how many angles is one pair turned?",
        ),
        Wrong(
            "exponent-rounded",
            variant(exponent=lambda i, d: 1.0 * (i > 0)),
            "The exponent is 0 for the first pair and -1 for all others, as when a division is rounded down. Which kind of division does `//` do?",
        ),
        Wrong(
            "angle-rounded",
            variant(along=np.floor),
            "Your angles are whole numbers: the fractions are cut off. In which step is an array of whole numbers made?",
        ),
        Wrong(
            "exponent-positive",
            variant(exponent=lambda i, d: -2 * i / d),
            "The position is multiplied by base^(2i/d), so later pairs turn faster and faster. Which sign has the exponent?",
        ),
        Wrong(
            "to-the-last-pair",
            variant(exponent=lambda i, d: i / max(d // 2 - 1, 1)),
            "Your exponents go from 0 to exactly -1. In the formula, what is divided by d for the last pair?",
        ),
        Wrong(
            "pairs-from-one",
            variant(exponent=lambda i, d: 2 * (i + 1) / d),
            "The pairs are counted from 1. Which exponent has the first pair, i = 0?",
        ),
        Wrong(
            "same-angle-for-all",
            variant(exponent=lambda i, d: 0.0 * i),
            "All pairs of a position are turned by the same angle. What makes some pairs slow and others fast?",
        ),
        Wrong(
            "base-fixed",
            variant(rate=lambda base, e: 10000.0**-e),
            "Right where `base` is left at 10,000; another base has no effect. Where does the argument belong?",
        ),
        Wrong(
            "base-e",
            variant(rate=lambda base, e: np.exp(-e)),
            "Your powers are those of e, and `base` has no effect. How do you write base^x with `exp`?",
        ),
        Wrong(
            "positions-ignored",
            variant(position=lambda p: np.arange(len(p))),
            "Right where the positions are 0, 1, 2, …; others have no effect. What does the argument `positions` say about row t of x?",
        ),
        Wrong(
            "positions-from-the-first",
            variant(position=lambda p: p - p[0]),
            "Right where the first position is 0; you count from the first one. By which number is each position's angle multiplied?",
        ),
        Wrong(
            "positions-from-one",
            variant(position=lambda p: p + 1),
            "Every position is taken for the one after it. By which angle is position 0 turned?",
        ),
        Wrong(
            "last-pair-left",
            variant(exponent=lambda i, d: np.where(i == i[-1], np.inf, 2 * i / d)),
            "All pairs are right but the last, which is not turned at all. Where does your loop or slice end?",
        ),
        Wrong(
            "positions-modulo-the-length",
            variant(position=lambda p: p % len(p)),
            "Positions beyond the number of rows start again at 0, as in a table that is too short. By which number is each position's angle multiplied?",
        ),
        Wrong(
            "full-turns",
            variant(position=lambda p: 2 * np.pi * p),
            "The angles are multiplied by 2π. Does the formula speak of turns or of angles?",
        ),
        Wrong(
            "degrees",
            variant(position=lambda p: np.pi / 180 * p),
            "The angles are taken for degrees. What do `np.sin` and the formula take?",
        ),
        Wrong(
            "along-the-heads",
            variant(along=lambda angles: angles[:, None, :]),
            "The angles lie along the axis of the heads: (T, 1, d/2) where it fits at all. On which axis of x are the positions?",
        ),
        Wrong(
            "turned-twice",
            variant(position=lambda p: 2 * p),
            "Every pair is turned by twice its angle. What is multiplied by 2 here that should not be?",
        ),
        Wrong(
            "half-missing",
            variant(joined=lambda a, b: a),
            "You hand back the first number of each pair alone, half as many as in x. Where is the second line of the turn?",
        ),
    ),
    hints=(
        "One angle for each position and pair: a table (T, d/2). Then turn all pairs at once, with every second number of x.",
        "Angles: positions as a column times base^(-2i/d) as a row. With a the even places and b the odd ones: a cos - b sin, and a sin + b cos. It broadcasts over N and heads.",
        "`angles = positions[:, None] * base ** (-np.arange(0, d, 2) / d)`; `a, b = x[..., ::2], x[..., 1::2]`; a new array `out` gets `out[..., ::2] = a * np.cos(angles) - b * np.sin(angles)`, and the odd places the other sum.",
    ),
    unlocks="Turned like this, q · k depends on how far apart two positions are, and on nothing else about them.",
)  # fmt: skip
