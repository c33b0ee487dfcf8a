"""What a Python programmer sees in each character of a source file: a string, a comment, indentation, a column.

A scanner of the plain kind, without a grammar: it follows quotes, escapes, number signs and brackets, and takes what
is inside the braces of an f-string for string.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["syntax_marks"]

Floats = NDArray[np.float64]


def syntax_marks(text: str) -> dict[str, Floats]:
    """For each of T characters, (T,): ``string``, ``comment``, ``indentation`` (0 or 1), ``column``, ``brackets`` (open).

    Quotes belong to their string, a comment begins with its number sign and ends before the newline, indentation is
    the blanks at the beginning of a line, the first column is 0.
    """
    T = len(text)
    marks = {name: np.zeros(T) for name in ("string", "comment", "indentation", "column", "brackets")}
    k = 0
    for line in text.splitlines(keepends=True):
        blanks = len(line) - len(line.lstrip(" "))
        marks["indentation"][k : k + blanks] = 1
        marks["column"][k : k + len(line)] = np.arange(len(line))
        k += len(line)
    k, depth = 0, 0
    while k < T:
        end = k + 1
        if text[k] == "#":
            end = text.find("\n", k) % (T + 1)  # -1, no newline, is T
            marks["comment"][k:end] = 1
        elif text[k] in "\"'":
            end = _end_of_string(text, k)
            marks["string"][k:end] = 1
        else:
            depth = max(0, depth + (text[k] in "([{") - (text[k] in ")]}"))
        marks["brackets"][k:end] = depth
        k = end
    return marks


def _end_of_string(text: str, start: int) -> int:
    """The place after the closing quotes, or after the line if a string of one line is not closed on it."""
    quotes = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    k = start + len(quotes)
    while k < len(text) and not text.startswith(quotes, k):
        if len(quotes) == 1 and text[k] == "\n":
            return k
        k += 2 if text[k] == "\\" else 1
    return min(k + len(quotes), len(text))
