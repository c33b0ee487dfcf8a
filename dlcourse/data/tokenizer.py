"""Byte-pair encoding: the most frequent pair of neighbors becomes a symbol of its own, again and again.

Gage 1994, "A new algorithm for data compression"; for language models Sennrich, Haddow & Birch 2016, algorithm 1. Here
the smallest symbols are characters, and no symbol reaches beyond a word, a number, a run of signs, or a line break with
the indentation behind it.
"""

from __future__ import annotations

import heapq
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.bars import progress_bar
from dlcourse.data.text import STAND_IN
from dlcourse.files import replace

__all__ = ["Tokenizer"]

Pair = tuple[str, str]

# a space belongs to what follows it; every character of any text is in one of the five kinds
WORDS = re.compile(r" ?[A-Za-z_]+| ?[0-9]+| ?[^\sA-Za-z0-9_]+|\n *|\s+")
LEAST = 2  # a pair that stands in one place only shortens nothing that is yet to come


class Tokenizer:
    """Text to numbers and back, by merges that :meth:`train` found.

    Parameters
    ----------
    characters : the smallest symbols, each once; what is none of them is read as STAND_IN, which must be among them
    merges : pairs of symbols, the first merge first

    Attributes
    ----------
    vocabulary : the V symbols: the characters, then what the merges make
    merges : as given, as a tuple

    Raises
    ------
    ValueError
        If characters repeat, lack STAND_IN, or a merge uses a symbol that is not there yet.

    Examples
    --------
    >>> tokenizer = Tokenizer.train("low lower lowest", merges=3)
    >>> tokenizer.tokens("lower")
    ['lowe', 'r']
    """

    def __init__(self, characters: str, merges: Iterable[Sequence[str]] = ()) -> None:
        if len(set(characters)) != len(characters) or STAND_IN not in characters:
            raise ValueError(f"Tokenizer: characters={characters!r}; each must be there once, and STAND_IN "
                             f"({STAND_IN!r}) among them for those that are not")  # fmt: skip
        self.merges: tuple[Pair, ...] = tuple((first, second) for first, second in merges)
        place = {character: number for number, character in enumerate(characters)}
        for pair in self.merges:
            strange = [symbol for symbol in pair if symbol not in place]
            if strange:
                raise ValueError(f"Tokenizer: the merge {pair} uses {strange[0]!r}, which is no character and made by no "
                                 "earlier merge; give the merges in the order in which they were found")  # fmt: skip
            place.setdefault(pair[0] + pair[1], len(place))  # two merges may make the same symbol
        self.characters, self.vocabulary = characters, tuple(place)
        self._place = place
        self._rank = {pair: rank for rank, pair in reversed(list(enumerate(self.merges)))}
        self._known: dict[str, list[int]] = {}  # words met so far

    @classmethod
    def train(cls, text: str, merges: int = 500, progress: bool = True) -> Tokenizer:
        """Find the merges: each time the most frequent pair of the text so far, of equally frequent ones the first by letters.

        The pairs are counted once; then each merge corrects the counts around the places where it acts.

        Parameters
        ----------
        text : to learn from
        merges : how many; fewer, if no pair stands there twice any more
        progress : whether to show a bar

        Raises
        ------
        ValueError
            If there is no text, or ``merges`` is negative.
        """
        if not text:
            raise ValueError("Tokenizer.train: an empty text; give one to count pairs in")
        if merges < 0:
            raise ValueError(f"Tokenizer.train: merges={merges}; give 0 (only characters) or more")
        words = Counter(WORDS.findall(text))
        with progress_bar(progress, total=merges, desc="merging", unit="merge") as bar:
            found = _learn(words, merges, bar)
        return cls("".join(sorted({STAND_IN, *text})), found)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"Tokenizer: {len(self)} symbols, {len(self.characters)} characters and {len(self.merges)} merges"

    def encode(self, text: str) -> NDArray[np.int64]:
        """A text -> (T,) int64, the numbers of its symbols in the vocabulary."""
        numbers = [number for word in WORDS.findall(text) for number in self._word(word)]
        return np.array(numbers, np.int64)

    def decode(self, numbers: Iterable[int]) -> str:
        """Numbers (T,) from 0 to V - 1 -> the text.

        Raises
        ------
        ValueError
            If a number is no place in the vocabulary.
        """
        places = np.asarray(list(numbers), np.int64)
        outside = places[(places < 0) | (places >= len(self))]
        if len(outside):
            raise ValueError(f"Tokenizer.decode: {outside[0]} is the number of no symbol; numbers go from 0 to "
                             f"{len(self) - 1}")  # fmt: skip
        return "".join(self.vocabulary[place] for place in places)

    def tokens(self, text: str) -> list[str]:
        """The text cut into symbols; together they are the text, with STAND_IN for characters never seen."""
        return [self.vocabulary[number] for number in self.encode(text)]

    def to_dict(self) -> dict[str, Any]:
        """Characters and merges, all that it is, in text and lists: for a file."""
        return {"characters": self.characters, "merges": [list(pair) for pair in self.merges]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Tokenizer:
        """The tokenizer that :meth:`to_dict` described."""
        return cls(content["characters"], content["merges"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write characters and merges into a JSON file."""
        target = Path(path)
        content = json.dumps(self.to_dict(), indent=0)
        replace(target, content.encode(), target.with_name(f".{target.name}.part"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls.from_dict(content)
        except (ValueError, TypeError, KeyError) as problem:
            raise ValueError(f"Tokenizer.load: {os.fspath(path)} is no tokenizer's file ({problem}); Tokenizer.save "
                             "writes them") from problem  # fmt: skip

    def _word(self, word: str) -> list[int]:
        """The numbers of a word: of the merges that fit, the one found first, until none fits."""
        if word not in self._known:
            symbols = [character if character in self._place else STAND_IN for character in word]
            while fitting := [self._rank[pair] for pair in pairwise(symbols) if pair in self._rank]:
                symbols = _merged(symbols, self.merges[min(fitting)])
            self._known[word] = [self._place[symbol] for symbol in symbols]
        return self._known[word]


def _learn(words: Counter[str], merges: int, bar: object) -> list[Pair]:
    """The pairs to merge, in order, from each word's number of occurrences."""
    split, times = [list(word) for word in words], list(words.values())
    counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # the words that a pair may stand in
    for index, symbols in enumerate(split):
        for pair in pairwise(symbols):
            counts[pair] += times[index]
            places[pair].add(index)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)
    found: list[Pair] = []
    while len(found) < merges and queue and queue[0][0] <= -LEAST:
        count, pair = heapq.heappop(queue)
        if counts[pair] != -count:  # has changed since; its new count is in the queue too
            continue
        found.append(pair)
        changed: dict[Pair, None] = {}  # in an order that is the same each time
        for index in places.pop(pair):
            before, after = split[index], _merged(split[index], pair)
            for old in pairwise(before):
                counts[old] -= times[index]
                changed[old] = None
            for new in pairwise(after):
                counts[new] += times[index]
                changed[new] = None
                places[new].add(index)
            split[index] = after
        for other in changed:
            if counts[other] >= LEAST:
                heapq.heappush(queue, (-counts[other], other))
        bar.update()  # type: ignore[attr-defined]
    return found


def _merged(symbols: list[str], pair: Pair) -> list[str]:
    """The symbols with each occurrence of the pair made one, from left to right."""
    after, at = [], 0
    while at < len(symbols):
        joins = tuple(symbols[at : at + 2]) == pair
        after.append(pair[0] + pair[1] if joins else symbols[at])
        at += 1 + joins
    return after
