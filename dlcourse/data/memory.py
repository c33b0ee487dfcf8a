"""Two tasks that nothing but memory solves: what the answer needs stands many steps before it is asked for.

Both are made up anew at every call, so nothing can be learned by heart, and their length is a dial.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["adding_problem", "copy_problem"]


def adding_problem(n: int, length: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Numbers go by, two of them are marked, and at the end their sum is asked for (Hochreiter & Schmidhuber 1997).

    One mark stands in the first half, one in the second. Who answers 1 always has a mean squared error of 1/6, the
    variance of the sum of two uniform numbers.

    Parameters
    ----------
    n : number of sequences, N
    length : their length T, at least 2
    rng : source of the numbers and places

    Returns
    -------
    x : (N, T, 2), a number between 0 and 1, and a mark 0 or 1
    y : (N,), the sum of the two marked numbers

    Raises
    ------
    ValueError
        If n is below 1 or length below 2.
    """
    _check("adding_problem", n, length, 2)
    values = rng.random((n, length), np.float32)
    marks = np.zeros((n, length), np.float32)
    rows, half = np.arange(n), length // 2
    marks[rows, rng.integers(0, half, n)] = 1
    marks[rows, rng.integers(half, length, n)] = 1
    return np.stack([values, marks], axis=-1), (values * marks).sum(axis=1)


def copy_problem(
    n: int, length: int, rng: np.random.Generator, symbols: int = 8, copied: int = 10
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Some symbols, a long pause, a sign, and then the symbols have to be said again (Arjovsky, Shah & Bengio 2016).

    With V = symbols + 2: 0 is the blank, 1 to ``symbols`` are the symbols, V - 1 is the sign. Who remembers nothing
    says blanks and then guesses: ``copied``·log(symbols) / T nats per step.

    Parameters
    ----------
    n : number of sequences, N
    length : steps between the last symbol and the sign, the first of the blanks counted
    rng : source of the symbols
    symbols, copied : how many there are to choose from, and how many are to be remembered

    Returns
    -------
    x : (N, T) integers, T = length + 2·copied: the symbols, length - 1 blanks, the sign, and blanks
    y : (N, T) integers: blanks, and in the last ``copied`` steps the symbols

    Raises
    ------
    ValueError
        If n, length, symbols or copied is below 1.
    """
    _check("copy_problem", n, length, 1)
    if symbols < 1 or copied < 1:
        raise ValueError(f"copy_problem: symbols={symbols}, copied={copied}; there must be at least 1 of each")
    said = rng.integers(1, symbols + 1, (n, copied))
    x = np.zeros((n, length + 2 * copied), np.int64)
    y = np.zeros_like(x)
    x[:, :copied] = said
    x[:, copied + length - 1] = symbols + 1
    y[:, -copied:] = said
    return x, y


def _check(name: str, n: int, length: int, least: int) -> None:
    if n < 1 or length < least:
        raise ValueError(f"{name}: n={n}, length={length}; there must be at least 1 sequence of at least {least} steps")
