"""A driver for answers that read handwritten digits: it hands over the held-out ones and says how it went."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain

Array = NDArray[Any]
FORM, READ = "one class from 0 to 9 for each image", "93 of 100 held-out digits are read"
WANTED = 0.93
NO_BETTER_THAN_GUESSING = 0.25  # pure guesses give .10


def reads_digits(answer: Any) -> dict[str, Any]:
    """Whether ``answer(X)``, X (N, 64) pixels from 0 to 1, gives the classes of the held-out digits, and what else it does."""
    if not callable(answer):
        return _found("not a function")
    kept, y = _held_out()
    X = kept.copy()
    guesses = plain(answer(X))
    if not np.array_equal(X, kept):
        return _found("the pixels were changed in place")
    form = _form(guesses, len(y))
    if form:
        return _found(form)
    guesses = np.asarray(guesses).astype(int)
    again = plain(answer(kept.copy()))
    if _form(again, len(y)) or not np.array_equal(np.asarray(again), guesses):
        return _found("other classes at a second call with the same images")
    alone = [plain(answer(kept[i : i + 1])) for i in range(20)]
    form = _form(alone[0], 1)
    if form:
        return _found(f"with one image: {form}")
    if not np.array_equal(np.ravel(alone), guesses[:20]):
        return _found("other classes when the images come one at a time")
    noise = np.random.default_rng(0).uniform(0.7, 1, (200, kept.shape[1]))
    for others in (noise, 1 - noise):  # bright and dark company
        together = plain(answer(np.concatenate([kept[:60], others])))
        if _form(together, 260) or not np.array_equal(np.asarray(together)[:60], guesses[:60]):
            return _found("other classes when other images come with them")
    dim = 0.6 * kept[:60]
    apart, together = plain(answer(dim.copy())), plain(answer(np.concatenate([dim, noise])))
    if _form(apart, 60) or _form(together, 260) or not np.array_equal(np.asarray(together)[:60], np.asarray(apart)):
        return _found("other classes when other images come with them")
    return _found("yes", _reading(guesses, y))


def _found(form: str, reading: str = "not tried") -> dict[str, Any]:
    return {FORM: form, READ: reading}


@cache
def _held_out() -> tuple[Array, Array]:
    from dlcourse.data import load_digits

    _, X, _, y = load_digits()
    return X.astype(np.float64), y


def _form(guesses: Any, count: int) -> str:
    """What is wrong with the form of the classes; empty where nothing is."""
    if guesses is None:
        return "None"
    if isinstance(guesses, Opaque):
        return guesses.type
    try:
        array = np.asarray(guesses) if isinstance(guesses, np.ndarray | tuple | list | int | float) else None
    except ValueError:  # parts of different lengths
        return "several results of different lengths"
    if array is None or array.dtype.kind not in "biuf":
        return "not an array of numbers"
    if array.shape != (count,):
        return {
            (count, 10): "ten scores for each image",
            (10,): "one number for each class",
            (): "a single number, of shape ()",
        }.get(array.shape, f"an array of shape {array.shape}")
    if array.dtype.kind == "b":
        return "booleans"
    if not np.isin(array, np.arange(10)).all():
        return "other numbers than the classes 0 to 9"
    return ""


def _reading(guesses: Array, y: Array) -> str:
    right = float(np.mean(guesses == y))
    if right >= WANTED:
        return "yes"
    if len(np.unique(guesses)) == 1:
        return "always the same class"
    if right < NO_BETTER_THAN_GUESSING and _consistent(guesses, y) > 0.8:
        return "told apart, but under other names"
    if right < NO_BETTER_THAN_GUESSING:
        return "no better than guessing"
    return "less than 85 of 100" if right < 0.85 else "between 85 and 93 of 100"


def _consistent(guesses: Array, y: Array) -> float:
    """The share that would be right if each guess stood for the digit that it is mostly given for."""
    return float(sum(np.bincount(y[guesses == g]).max() for g in np.unique(guesses)) / len(y))
