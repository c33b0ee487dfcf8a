"""What unit 05's answers need beyond a plain call: units dropped again and again, lists of slopes, a model to train."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain

Array = NDArray[Any]

MORE_DRAWS = 3
PAIR = "the pair (list of arrays, number)"


def drops(answer: Callable[..., Any], x: Array, p: float, rng: np.random.Generator, training: bool) -> Any:
    """Draws of ``answer(x, p, rng, training)``: the first; the same again from its seed; from another seed; and further ones.

    What is no array, nor nested lists of numbers, is handed back by itself.
    """
    untouched, replay = x.copy(), copy.deepcopy(rng)
    first = plain(answer(x, p, rng, training))
    if not isinstance(first, np.ndarray | tuple):
        return first
    generators = (replay, np.random.default_rng(987_654), *[rng] * MORE_DRAWS)
    return (first, *(plain(answer(untouched.copy(), p, generator, training)) for generator in generators))


def clipped(answer: Callable[..., Any], grads: list[Array], max_norm: float) -> Any:
    """The norm and the arrays that ``answer(grads, max_norm)`` hands back, by name."""
    given = plain(answer(grads, max_norm))
    if given is None:
        return None
    form = _form_of_clipped(given, len(grads))
    if form:
        return {"form": form}
    arrays, norm = given
    return {"form": PAIR, "total_norm": norm, **{f"grads[{k}]": array for k, array in enumerate(arrays)}}


def _form_of_clipped(given: Any, count: int) -> str:
    if not isinstance(given, tuple):
        return given.type if isinstance(given, Opaque) else "one result, not two"
    if len(given) == 2:
        first, second = given
        if _is_list(first, count) and _is_number(second):
            return ""
        if _is_list(second, count) and _is_number(first):
            return "number and list exchanged"
        if isinstance(first, tuple) and not all(map(_is_number, first)) and not _is_number(second):
            return f"a list of arrays, and {second.type if isinstance(second, Opaque) else f'a list of {len(second)}'}"
        if not _is_number(first) and _is_number(second) and not isinstance(first, Opaque):
            if len(first) == 1:
                return "a list of one array, and a number"
            return f"a list of {len(first)}, and a number" if isinstance(first, tuple) else "one array and a number"
    if len(given) == count and not all(_is_number(part) for part in given):
        return "the list of arrays alone"
    in_one_row = len(given) == count + 1 and not isinstance(given[0], tuple)
    return "arrays and number in one row" if in_one_row else f"{len(given)} parts"


def _is_list(given: Any, count: int) -> bool:
    """A list of so many arrays; if all have one shape, they may also stand in one array."""
    return (isinstance(given, tuple) or (isinstance(given, np.ndarray) and given.ndim > 1)) and len(given) == count


def _is_number(given: Any) -> bool:
    return not isinstance(given, tuple | Opaque) and np.ndim(given) == 0


# --- a model to train, and what became of it ----------------------------------------------------------------------


def trains_a_model(
    answer: Callable[..., Any], model: str, optimizer: str, batches: Any, X_val: Array, y_val: Array, epochs: int
) -> Any:
    """The losses that ``answer`` reports when it trains a real model, and the weights that the model ends with.

    Parameters
    ----------
    model : such as "4-6-3, dropout 0.5, seed 7": inputs, hidden units (batch norm, ReLU, dropout), outputs
    optimizer : such as "SGD, lr 0.2"
    """
    from dlcourse.optim import SGD

    inputs, hidden, outputs, p, seed = (float(number) for number in re.findall(r"[\d.]+", model))
    network = _network(int(inputs), int(hidden), int(outputs), p, np.random.default_rng(int(seed)))
    step = SGD(network.parameters(), lr=float(re.findall(r"[\d.]+", optimizer)[0]))
    before, taken = _flat(network, "weight", "bias"), _counted(step)
    given = plain(answer(network, step, batches, X_val, y_val, epochs))
    if given is None:
        return None
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = tuple(given)
    form = _form_of_losses(given, epochs)
    if form:
        return {"form of the result": form}
    after = _flat(network, "weight", "bias")
    return {
        "form of the result": "two lists",
        "train_losses": given[0],
        "val_losses": given[1],
        "steps taken": _how_many(len(taken), epochs * len(batches), moved=bool((before != after).any())),
        "weights": after,
        "running statistics": _flat(network, "running_mean", "running_var"),
    }


def _how_many(taken: int, asked: int, moved: bool) -> str:
    """The number of steps in words; who moves the weights without the optimizer is believed."""
    if not taken:
        return "one for each batch" if moved else "none is taken"
    return "one for each batch" if taken == asked else "fewer than batches" if taken < asked else "more than batches"


def _form_of_losses(given: Any, epochs: int) -> str:
    """What is wrong with the form of the two lists of losses; empty where nothing is."""
    if not isinstance(given, tuple):
        return given.type if isinstance(given, Opaque) else "one thing, not two lists"
    strange = [
        item.type
        for part in given
        for item in (part if isinstance(part, tuple) else (part,))
        if isinstance(item, Opaque)
    ]
    if strange:
        return f"{strange[0]} in place of a number"
    if len(given) == 2:
        return ""
    if len(given) == epochs and all(isinstance(part, tuple) and len(part) == 2 for part in given):
        return "a pair for each epoch"
    return "a single list" if all(np.ndim(part) == 0 for part in given) else "not two lists"


def _flat(network: Any, *endings: str) -> Array:
    return np.concatenate([array.ravel() for name, array in network.state_dict().items() if name.endswith(endings)])


def _counted(optimizer: Any) -> list[int]:
    """A list that grows with every step the optimizer takes."""
    taken: list[int] = []
    step = optimizer.step

    def counting(*args: Any) -> Any:
        taken.append(1)
        return step(*args)

    optimizer.step = counting
    return taken


def _network(inputs: int, hidden: int, outputs: int, p: float, rng: np.random.Generator) -> Any:
    from dlcourse import nn

    norm = nn.BatchNorm1d(hidden)
    network = nn.Sequential(
        nn.Linear(inputs, hidden, rng=rng), norm, nn.ReLU(), nn.Dropout(p, rng=rng), nn.Linear(hidden, outputs, rng=rng)
    )
    for parameter in network.parameters():
        parameter.data = parameter.data.astype(np.float64)
    for _, buffer in network.named_buffers():
        buffer.data = buffer.data.astype(np.float64) if buffer.data.dtype.kind == "f" else buffer.data
    return network


# --- slopes on their way back through 30 blocks -------------------------------------------------------------------

WIDTH, DEPTH = 100, 30


def four_slopes(seed: int = 0) -> dict[str, Array]:
    """The size (root of the mean square) of the slope at the input of each of 30 blocks, for four networks A to D.

    Returns
    -------
    dict
        Letter -> (31,) array; entry k is the slope where block k + 1 begins, the last one that at the output, which is 1.
    """
    rng = np.random.default_rng(seed)
    built = {  # with a shortcut around each block?, variance of the weights times 100, factor on the branch, activation
        "A": (False, 1.0, 1.0, _sigmoid),
        "B": (True, 2.0, 1.0, _relu),
        "C": (True, 2.0, 1 / math.sqrt(DEPTH), _relu),
        "D": (False, 1.0, 1.0, _relu),
    }
    return {letter: _slopes(rng, *network) for letter, network in built.items()}


def _relu(z: Array) -> tuple[Array, Array]:
    return np.maximum(z, 0), (z > 0).astype(float)


def _sigmoid(z: Array) -> tuple[Array, Array]:
    h = 1 / (1 + np.exp(-z))
    return h, h * (1 - h)


def _slopes(
    rng: np.random.Generator,
    shortcut: bool,
    gain: float,
    branch: float,
    function: Callable[[Array], tuple[Array, Array]],
) -> Array:
    h, kept = rng.normal(size=(200, WIDTH)), []
    for _ in range(DEPTH):
        W = rng.normal(0, np.sqrt(gain / WIDTH), (WIDTH, WIDTH))
        out, slope = function(h @ W.T)
        kept.append((W, slope))
        h = h + branch * out if shortcut else out
    d = rng.normal(size=h.shape)
    sizes = [1.0]
    d /= np.sqrt((d**2).mean())
    for W, slope in reversed(kept):
        through = (d * slope) @ W
        d = d + branch * through if shortcut else through
        sizes.append(float(np.sqrt((d**2).mean())))
    return np.array(sizes[::-1])


# --- eight runs, each with another fault --------------------------------------------------------------------------

EIGHT = {
    "A": "no_shuffling",
    "B": "learning_rate_too_low",
    "C": "eval_mode_forgotten",
    "D": "dead_relus",
    "E": "leaking_validation",
    "F": "labels_misaligned",
    "G": "learning_rate_too_high",
    "H": "missing_zero_grad",
}


@cache
def eight_runs(seed: int = 0) -> dict[str, dict[str, Array]]:
    """The learning curves of eight faulty runs, by letter, and under "healthy" those of a run without fault."""
    from dlcourse.drivers.faults import learning_curves

    return {letter: learning_curves(fault, seed) for letter, fault in {**EIGHT, "healthy": "none"}.items()}


# --- settings against wrong labels --------------------------------------------------------------------------------

LABELS, WRONG_LABELS = 300, 0.4
BUDGET = 300  # steps
SEEDS = (11, 12, 13)
GOAL, NEARLY = 0.84, 0.80  # mean accuracy on held-out digits with right labels
BY_HEART = 0.75  # of the training labels about 0.64 are right: who hits more has learned wrong ones
TOO_LITTLE = 0.5
SWITCHES = ("batch_norm", "augment", "early")
SETTINGS = ("dropout", "batch_norm", "weight_decay", "smoothing", "augment", "early", "steps")


class Fate(str):
    """What became of a run, in place of settings: so that a known mistake need not be trained again."""


def regularized(settings: Any) -> dict[str, str] | None:
    """What becomes of three runs with these settings, in words; None where there are none yet."""
    if settings is None:
        return None
    if isinstance(settings, Fate):
        return {"fate": str(settings)}
    if not isinstance(settings, dict):
        return {"fate": "not a dict"}
    if not settings.keys() <= set(SETTINGS):
        return {"fate": "unknown setting"}
    problem = _out_of_range(settings)
    if problem:
        return {"fate": problem}
    held_out, training = accuracies(settings)
    if held_out >= GOAL:
        return {"fate": "reached"}
    if held_out >= NEARLY:
        return {"fate": "nearly"}
    if training > BY_HEART and not settings.get("early"):
        return {"fate": "learned by heart"}
    return {"fate": "learned too little" if held_out < TOO_LITTLE else "falls short"}


def accuracies(settings: dict[str, Any]) -> tuple[float, float]:
    """Mean accuracy over three runs, on held-out digits and on the training digits with their labels as they are."""
    return _accuracies(tuple(sorted((name, float(number)) for name, number in settings.items())))


@cache
def _accuracies(settings: tuple[tuple[str, float], ...]) -> tuple[float, float]:
    from threadpoolctl import threadpool_limits

    from dlcourse.drivers.cures import few_labels

    switches = {"batch_norm": bool, "augment": bool, "early": bool, "steps": int}
    given: dict[str, Any] = {name: switches.get(name, float)(number) for name, number in settings}
    with np.errstate(all="ignore"), threadpool_limits(1):  # on a busy machine, threads wait for one another
        runs = [few_labels(LABELS, WRONG_LABELS, seed, **{"steps": BUDGET, **given}) for seed in SEEDS]
    return float(np.mean([run.test for run in runs])), float(np.mean([run.train for run in runs]))


def _out_of_range(settings: dict[str, Any]) -> str:
    for name, given in settings.items():
        bare = given.item() if isinstance(given, np.generic | np.ndarray) and np.ndim(given) == 0 else given
        if not isinstance(bare, Real) or not math.isfinite(bare):
            return "not a number"
        number = float(bare)
        if name in SWITCHES and number not in (0, 1):
            return "a number for a switch"
        if name == "steps" and number != int(number):
            return "out of range"
        if name == "steps" and number > BUDGET:
            return "over the budget"
        lowest, below = {"dropout": (0, 1), "smoothing": (0, 1), "steps": (1, BUDGET + 1)}.get(name, (0, math.inf))
        if not lowest <= number < below:
            return "out of range"
    return ""
