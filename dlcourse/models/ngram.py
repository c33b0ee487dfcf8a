"""Models that count: what followed these n - 1 characters before?

A context seen seldom, or never, says little, so every order leans on the next shorter one, the more so the more
different characters followed the context: Witten-Bell smoothing (Witten & Bell 1991, method C; interpolated as in
Chen & Goodman 1999, section 2.3)::

    p(c | context) = (count(context c) + u·p(c | shorter context)) / (count(context) + u)

where u is the number of different characters that followed the context, and below the empty context p is 1/V.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dlcourse.data.text import CHARACTERS, decode, encode

__all__ = ["NGram"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class NGram:
    """A character model of order n: 1 is the unigram, 2 the bigram, 6 looks at the five characters before.

    Contexts and contexts with their next character are kept as sorted whole numbers in base V, with their counts.

    Parameters
    ----------
    order : n, characters in all: the context has n - 1
    vocabulary : the alphabet, V characters

    Raises
    ------
    ValueError
        If the order is below 1, or so high that V**order does not fit into 63 bits.
    """

    def __init__(self, order: int, vocabulary: str = CHARACTERS) -> None:
        most = int(63 / math.log2(max(len(vocabulary), 2)))
        if not 1 <= order <= most:
            raise ValueError(
                f"NGram: order={order}; with {len(vocabulary)} characters it must lie between 1 and {most}"
            )
        self.order, self.vocabulary = order, vocabulary
        self.tables: list[tuple[Integers, Integers, Integers, Integers, Integers]] = []

    def fit(self, text: str) -> NGram:
        """Count all orders from 1 to n in a text, and forget what was counted before."""
        if len(text) < self.order:
            raise ValueError(f"NGram.fit: a text of {len(text)} characters; order={self.order} needs at least as many")
        ids, V = encode(text, self.vocabulary), len(self.vocabulary)
        self.tables = []
        for n in range(1, self.order + 1):
            grams, counts = np.unique(_numbers(ids, n, V), return_counts=True)
            contexts, first = np.unique(grams // V, return_index=True)  # grams of one context are neighbors
            followers = np.diff(first, append=len(grams))
            self.tables.append((grams, counts, contexts, np.add.reduceat(counts, first), followers))
        return self

    def bits(self, text: str) -> Floats:
        """How surprising each character is: (T,) of -log2 p(character | what stands before it in the text).

        The first characters have shorter contexts, the very first none.
        """
        self._check_fitted("bits")
        ids, V = encode(text, self.vocabulary), len(self.vocabulary)
        p = np.full(len(ids), 1 / V)
        for n, table in enumerate(self.tables[: len(ids)], 1):
            grams = _numbers(ids, n, V)
            p[n - 1 :] = _interpolated(table, grams, grams // V, p[n - 1 :])
        bits: Floats = -np.log2(p)
        return bits

    def bits_per_character(self, text: str) -> float:
        """The mean of :meth:`bits`.

        Raises
        ------
        ValueError
            If the text is empty.
        """
        if not text:
            raise ValueError("NGram.bits_per_character: the text is empty; give at least one character")
        return float(self.bits(text).mean())

    def probabilities(self, context: str) -> Floats:
        """The distribution of the next character, (V,): of the context, the last n - 1 characters are looked at."""
        self._check_fitted("probabilities")
        V = len(self.vocabulary)
        ids = encode(context, self.vocabulary)[max(0, len(context) - self.order + 1) :]
        p, number = np.full(V, 1 / V), 0
        for n, table in enumerate(self.tables[: len(ids) + 1]):  # n characters of context
            number += int(ids[-n]) * V ** (n - 1) if n else 0
            p = _interpolated(table, number * V + np.arange(V), np.full(V, number), p)
        return p

    def generate(self, prefix: str, length: int, rng: np.random.Generator) -> str:
        """``prefix`` and ``length`` further characters, each drawn from :meth:`probabilities`."""
        ids = list(encode(prefix, self.vocabulary))
        for _ in range(length):
            context = decode(ids[max(0, len(ids) - self.order + 1) :], self.vocabulary)
            p = self.probabilities(context)
            ids.append(rng.choice(len(p), p=p / p.sum()))
        return decode(ids, self.vocabulary)

    def _check_fitted(self, name: str) -> None:
        if not self.tables:
            raise ValueError(f"NGram.{name}: nothing was counted yet; call fit(text) first")


def _numbers(ids: Integers, n: int, V: int) -> Integers:
    """All n neighbors of (T,) as digits of one number in base V, the last the lowest: (T - n + 1,)."""
    numbers = np.zeros(len(ids) - n + 1, np.int64)
    for k in range(n):
        numbers = numbers * V + ids[k : k + len(numbers)]
    return numbers


def _interpolated(
    table: tuple[Integers, Integers, Integers, Integers, Integers], grams: Integers, contexts: Integers, shorter: Floats
) -> Floats:
    """p(c | context) of each gram, given what the shorter context says; an unseen context says what the shorter says."""
    known_grams, counts, known_contexts, totals, followers = table
    count, total, u = (
        _look_up(grams, known_grams, counts),
        _look_up(contexts, known_contexts, totals),
        _look_up(contexts, known_contexts, followers),
    )
    seen = total > 0
    return np.where(seen, (count + u * shorter) / np.where(seen, total + u, 1), shorter)


def _look_up(wanted: Integers, known: Integers, values: Integers) -> Integers:
    """The value of each wanted number, 0 where it is not among the known ones, which are sorted."""
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    found: Integers = np.where(known[place] == wanted, values[place], 0)
    return found
