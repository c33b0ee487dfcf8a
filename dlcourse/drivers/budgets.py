"""Digits read by a convolutional network within a budget of numbers, and what is amiss where they are not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import plain
from dlcourse.drivers.layers import UnfitError, count, described, layers_of, logits_of

Array = NDArray[Any]

FORM = "a Sequential of layers on the list that fit together, from (N, 1, 8, 8) to (N, 10)"
SIZE = "the number of parameters"
READ = "985 of 1000 held-out digits are read"
BUDGET = 10_000
WANTED = 0.985
TELLING = 0.9  # what a network reads at least where it is used as it was trained


def reads_with_convolutions(answer: Any) -> dict[str, str] | None:
    """Whether a network, or its description, reads the held-out digits within the budget, and what is amiss if not."""
    answer = described(answer)
    if callable(answer) and not isinstance(answer, type):
        if _wants_arguments(answer):
            return {FORM: "a function, not a network", SIZE: "not counted", READ: "not tried"}
        answer = described(answer())
    if answer is None:
        return None
    try:
        layers = layers_of(_description(plain(answer)))
        numbers = count(layers)
        size = "within the budget" if numbers <= BUDGET else f"more than {BUDGET:,}"
        if numbers > 100 * BUDGET:
            return {FORM: "yes", SIZE: size, READ: "not tried"}
        return {FORM: "yes", SIZE: size, READ: _reading(layers)}
    except UnfitError as unfit:
        return {FORM: str(unfit), SIZE: "not counted", READ: "not tried"}


def _wants_arguments(answer: Callable[..., Any]) -> bool:
    """Whether it cannot be called without any, as what makes a network can."""
    try:
        inspect.signature(answer).bind()
    except (TypeError, ValueError):
        return True
    return False


def _description(given: Any) -> dict[str, Any]:
    if isinstance(given, dict) and "network" in given:
        if given["network"] != "Sequential":
            raise UnfitError("a Module of another class than Sequential")
        return given
    if isinstance(given, dict) and any(isinstance(value, np.ndarray) for value in given.values()):
        raise UnfitError("weights without layers, as in a state_dict")
    raise UnfitError(f"not a network: {getattr(given, 'type', type(given).__name__)}")


def _reading(layers: list[dict[str, Any]]) -> str:
    X, y, train = _held_out()
    logits = logits_of(layers, X)
    if logits.shape != (len(y), 10):
        raise UnfitError(f"what comes out for an image has shape {logits.shape[1:]}, not (10,)")
    if not np.isfinite(logits).all():
        return "the scores are not finite"
    right = _share(logits, y)
    if right >= WANTED:
        return "yes"
    changed: dict[str, Callable[[Array], Array]] = {
        "it reads the pixels from 0 to 16": lambda X: 16 * X,
        "it reads the pixels from 0 to 255": lambda X: 255 * X,
        "it reads pixels from 0 to 1/16": lambda X: X / 16,
        "it reads pixels from 0 to 1/255": lambda X: X / 255,
        "it reads inverted pixels": lambda X: 1 - X,
        "it reads pixels from -1 to 1": lambda X: 2 * X - 1,
        "it reads standardized pixels": lambda X: (X - train.mean()) / train.std(),
        "it reads images turned over their diagonal": lambda X: X.swapaxes(2, 3),
    }
    shares = {name: _share(logits_of(layers, change(X)), y) for name, change in changed.items()}
    if shares["it reads the pixels from 0 to 255"] <= shares["it reads the pixels from 0 to 16"] + 0.01:
        del shares["it reads the pixels from 0 to 255"]  # next to 16 times the ink, the biases hardly count any more
    best, telling = max(shares.values()), max(TELLING, right + 0.03)
    if any("running_mean" in layer["arrays"] for layer in layers):
        own = _share(logits_of(layers, X, own_statistics=True), y)  # these make up for pixels on another scale, too
        if own >= telling and (best < telling or own > best + 0.05):
            return "it reads with the statistics of the batch"
    if best >= telling:
        return max(shares, key=lambda name: shares[name])
    guesses = logits.argmax(axis=1)
    if np.ptp(guesses) == 0:
        return "always the same class"
    if right < 0.25:
        return "no better than guessing"
    return "less than 90 of 100" if right < TELLING else "between 900 and 985 of 1000"


def _share(logits: Array, y: Array) -> float:
    return float(np.mean(logits.argmax(axis=1) == y))


@cache
def _held_out() -> tuple[Array, Array, Array]:
    from dlcourse.data import load_digits

    train, X, _, y = load_digits(images=True)
    return X.astype(np.float64), y, train.astype(np.float64)
