"""Numbers in English and in French words: a small language pair with real grammar, of which there is as much as one wants.

One speaks of "four twenties and eleven" where the other says "ninety-one", so words have to be reordered, split and put
together, and whoever knows a few of the rules can judge a translation. The words come from num2words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

__all__ = ["COUNTERPARTS", "Pair", "join_words", "number_words", "split_pairs", "split_words"]

Pair = tuple[str, str]

# French words that come from one English word wherever both stand; not "quatre", which is in "quatre-vingts" too
COUNTERPARTS = {
    "deux": "two", "trois": "three", "cinq": "five", "six": "six", "sept": "seven", "huit": "eight", "neuf": "nine",
    "trente": "thirty", "quarante": "forty", "cinquante": "fifty", "cent": "hundred", "cents": "hundred", "mille": "thousand",
}  # fmt: skip


def number_words(limit: int = 10_000) -> list[Pair]:
    """The numbers from 1 to ``limit`` - 1 in English and in French: ``number_words()[90]`` is ("ninety-one", "quatre-vingt-onze").

    English is written without commas and without "and" ("four thousand seven hundred ninety-one"). Zero is left out:
    its words stand in no other number, so nobody who has not seen it could translate it.

    Parameters
    ----------
    limit : the first number that is left out, at least 2

    Raises
    ------
    ValueError
        If limit is below 2.
    """
    if limit < 2:
        raise ValueError(f"number_words: limit={limit} leaves no number; the words begin with 1, so give at least 2")
    return list(_number_words(limit))


@lru_cache(maxsize=2)  # a second of one core for ten thousand
def _number_words(limit: int) -> tuple[Pair, ...]:
    from num2words import num2words

    return tuple(
        (num2words(n).replace(",", "").replace(" and ", " "), num2words(n, lang="fr").replace(",", ""))
        for n in range(1, limit)
    )


def split_pairs(
    pairs: Sequence[Pair], *, training: int = 2000, held_out: int = 500, seed: int = 0
) -> tuple[list[Pair], list[Pair]]:
    """Shuffle, and take some pairs to learn from and others, none of them the same, to measure on.

    Parameters
    ----------
    pairs : at least ``training + held_out`` of them
    training, held_out : how many of each
    seed : of the shuffling

    Returns
    -------
    training, held_out : two lists

    Raises
    ------
    ValueError
        If there are too few pairs.
    """
    if min(training, held_out) < 0 or training + held_out > len(pairs):
        raise ValueError(
            f"split_pairs: training={training} and held_out={held_out} of {len(pairs)} pairs; ask for fewer, or make more "
            "with a larger limit in number_words"
        )
    order = np.random.default_rng(seed).permutation(len(pairs))[: training + held_out]
    chosen = [pairs[place] for place in order]
    return chosen[:training], chosen[training:]


def split_words(text: str) -> list[str]:
    """The words of a numeral; a hyphen is a word of its own: "ninety-one" -> ["ninety", "-", "one"]."""
    return text.lower().replace("-", " - ").split()


def join_words(words: Sequence[str]) -> str:
    """The reverse of :func:`split_words`: ["ninety", "-", "one"] -> "ninety-one"."""
    return " ".join(words).replace(" - ", "-")
