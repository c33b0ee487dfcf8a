"""What unit 04's answers need beyond a plain call: slopes told layer by layer, weights drawn again and again, digits read."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain

Array = NDArray[Any]
Layers = Sequence[tuple[Array, Array]]

PAIRS = "one pair (dW, db) for each layer"
WIDTH, DEPTH = 100, 30


def slopes_by_layer(answer: Callable[..., Any], *args: Any) -> dict[str, Any] | None:
    """The slopes that ``answer(dlogits, x, layers)`` hands back, by name: the last layer's first, as they are computed."""
    layers = list(args[-1])
    given = plain(answer(*args))
    if given is None:
        return None
    form = _form_of_pairs(given, len(layers))
    if form:
        return {"form": form}
    found: dict[str, Any] = {"form": PAIRS}
    for back, (dW, db) in enumerate(reversed(given), 1):
        found[f"dW[-{back}]"], found[f"db[-{back}]"] = dW, db
    return found


def _form_of_pairs(given: Any, count: int) -> str:
    if not isinstance(given, tuple):
        return given.type if isinstance(given, Opaque) else f"a {type(given).__name__}"
    sizes = [len(pair) if isinstance(pair, tuple) else 0 for pair in given]
    if len(given) == count and sizes == [2] * count:
        return ""
    if not any(sizes):
        return f"{len(given)} arrays, not in pairs"
    if set(sizes) == {2}:
        return f"{len(given)} pairs for {count} layers"
    return ", then ".join(f"a group of {size}" if size else "something by itself" for size in sizes)


def draws(answer: Callable[..., Any], *args: Any) -> Any:
    """Four results: two one after the other from one generator, the first replayed from its seed, one from another seed.

    What is no array, nor nested lists of numbers, is handed back by itself.
    """
    *sizes, rng = args
    replay = copy.deepcopy(rng)
    first = plain(answer(*sizes, rng))
    if not isinstance(first, np.ndarray | tuple) or not _is_table(first):
        return first
    generators = (rng, replay, np.random.default_rng(987_654))
    return (first, *(plain(answer(*sizes, generator)) for generator in generators))


def _is_table(value: Any) -> bool:
    """Whether nested lists of numbers, or arrays, make one array."""
    try:
        np.asarray(value)
    except ValueError:
        return False
    return True


# --- a signal on its way through a deep network -------------------------------------------------------------------


def five_signals(seed: int = 0) -> dict[str, Array]:
    """The size (root of the mean square) of a signal at its entry and behind each of 30 layers, for five recipes A to E.

    Returns
    -------
    dict
        Letter -> (31,) array.
    """
    recipes: dict[str, tuple[float, Callable[[Array], Array]]] = {
        "A": (0.1, _relu),
        "B": (0.2, _relu),
        "C": (0.02**0.5, _relu),
        "D": (0.01, _relu),
        "E": (0.1, np.tanh),
    }
    return {letter: _signal(std, function, seed) for letter, (std, function) in recipes.items()}


def _signal(std: float, function: Callable[[Array], Array], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(200, WIDTH))  # (N, H)
    sizes = [np.sqrt(np.mean(h**2))]
    for _ in range(DEPTH):
        h = function(h @ rng.normal(0, std, (WIDTH, WIDTH)).T)
        sizes.append(np.sqrt(np.mean(h**2)))
    return np.array(sizes)


def _relu(z: Array) -> Array:
    return np.maximum(z, 0)


# --- digits read by a network that is handed over as its weights ---------------------------------------------------

FORM, SIZE, READ = (
    "one pair (W, b) for each layer",
    "the number of weights and biases",
    "97 of 100 held-out digits are read",
)
BUDGET = 20_000
WANTED = 0.97
TELLING = 0.9  # what a network reads at least where it is used as it was trained


def reads_with_layers(answer: Any) -> dict[str, str] | None:
    """Whether a ReLU network, given as its (W, b) pairs, reads the held-out digits, and what is amiss if not."""
    if callable(answer) and _takes_nothing(answer):
        answer = answer()
    if answer is None:
        return None
    given = plain(answer)
    form = _form_of_network(given)
    if form:
        return {FORM: form, SIZE: "not counted", READ: "not tried"}
    layers = [(np.asarray(W, dtype=float), np.asarray(b, dtype=float)) for W, b in given]
    numbers = sum(W.size + b.size for W, b in layers)
    size = "within the budget" if numbers <= BUDGET else f"more than {BUDGET:,}"
    return {FORM: "yes", SIZE: size, READ: _reading(layers)}


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def _form_of_network(given: Any) -> str:
    """What is wrong with the form of the layers; empty where nothing is."""
    if isinstance(given, Opaque):
        return given.type
    if not isinstance(given, tuple) or not given:
        return "not a list of layers"
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in given):
        flat = all(isinstance(part, np.ndarray) for part in given)
        return "arrays that are not in pairs" if flat else "not a list of pairs"
    width = 64
    shapes = []
    for W, b in given:
        arrays = [np.asarray(part) if isinstance(part, np.ndarray | tuple) else None for part in (W, b)]
        if any(array is None or array.dtype.kind not in "fiu" for array in arrays):
            return "pairs of something else than arrays of numbers"
        shapes.append(tuple(array.shape for array in arrays if array is not None))
    as_columns = all(len(W) == 2 and b == W[1:] for W, b in shapes) and any(W[0] != W[1] for W, _ in shapes)
    if as_columns and shapes[0][0][0] == 64 and shapes[-1][0][1] == 10:
        return "the weights lie as (I, O)"
    for W, b in shapes:
        if len(W) != 2 or b != W[:1]:
            return f"a W of shape {W} with a b of shape {b}"
        if W[1] != width:
            return f"a layer for {W[1]} numbers where {width} come in"
        width = W[0]
    return "" if width == 10 else f"{width} scores, not 10"


def _reading(layers: Layers) -> str:
    X, y, mean, std = _held_out()
    with np.errstate(all="ignore"):
        logits = _logits(layers, X)
        if not np.isfinite(logits).all():
            return "the scores are not finite"
        right = _share(logits, y)
        if right >= WANTED:
            return "yes"
        others = {
            "it reads the pixels from 0 to 16": _logits(layers, 16 * X),
            "it reads standardized pixels": _logits(layers, (X - mean) / np.where(std > 0, std, 1)),
            "it reads pixels minus their mean": _logits(layers, X - mean),
            "it reads inverted pixels": _logits(layers, 1 - X),
            "it reads pixels from -1 to 1": _logits(layers, 2 * X - 1),
            "it reads with tanh": _logits(layers, X, np.tanh),
            "it reads with the sigmoid": _logits(layers, X, lambda z: 1 / (1 + np.exp(-z))),
            "it reads without ReLU": _logits(layers, X, lambda z: z),
        }
        shares = {name: _share(scores, y) for name, scores in others.items()}
    name = max(shares, key=lambda name: shares[name])
    if shares[name] >= max(TELLING, right + 0.03):
        return name
    guesses = logits.argmax(axis=1)
    if np.ptp(guesses) == 0:
        return "always the same class"
    if right < 0.25:
        named = sum(np.bincount(y[guesses == guess]).max() for guess in np.unique(guesses))
        return "told apart, but under other names" if named / len(y) > 0.8 else "no better than guessing"
    return "less than 90 of 100" if right < 0.9 else "between 90 and 97 of 100"


def _logits(layers: Layers, h: Array, function: Callable[[Array], Array] = _relu) -> Array:
    for k, (W, b) in enumerate(layers):
        h = (function(h) if k else h) @ W.T + b
    return h


def _share(logits: Array, y: Array) -> float:
    return float(np.mean(logits.argmax(axis=1) == y))


@cache
def _held_out() -> tuple[Array, Array, Array, Array]:
    from dlcourse.data import load_digits

    train, X, _, y = load_digits()
    return X.astype(np.float64), y, train.mean(axis=0, dtype=float), train.std(axis=0, dtype=float)
