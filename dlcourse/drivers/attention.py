"""What unit 11's answers need beyond a plain call: a reader to train and test, and a task of association."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain

Array = NDArray[Any]

# --- a reader that must not see the future ------------------------------------------------------------------------

NOBODY = "nobody sees a later position"
LATER = "a position sees later ones"
NUMBERS = "nobody sees a later position, by a mask of numbers"


def trains_and_tests(
    answer: Callable[..., Any], model: str, optimizer: str, ids: Array, split: int, length: int, steps: int
) -> Any:
    """What ``answer(model, optimizer, ids, split, length, steps)`` reports of a real model, and what became of the model.

    Parameters
    ----------
    model : such as "6 symbols, length 5, width 4, seed 7"
    optimizer : such as "SGD, lr 0.5"
    """
    import torch

    from dlcourse.drivers.attention_torch import Reader
    from dlcourse.drivers.characters_torch import Watched, flat

    reader = Reader(*(int(number) for number in re.findall(r"\d+", model)))
    seen: set[str] = set()  # in training and in testing

    def note(module: Any, inputs: Any, given: Any) -> None:
        mask = inputs[1] if len(inputs) > 1 else given.get("mask")
        T = inputs[0].shape[1]
        allowed = torch.ones(T, T).bool() if mask is None else mask.bool().expand(len(inputs[0]), T, T).any(0)
        hidden = NOBODY if mask is None or mask.dtype == torch.bool else NUMBERS
        seen.add(LATER if bool(allowed.triu(1).any()) else hidden)

    reader.register_forward_pre_hook(note, with_kwargs=True)
    step = Watched(reader.parameters(), lr=float(re.findall(r"[\d.]+", optimizer)[0]))
    given = plain(answer(reader, step, torch.from_numpy(ids), split, length, steps))
    if given is None:
        return None
    form = _form_of_report(given)
    if form:
        return {"form of the result": form}
    losses, test_loss = given
    return {
        "form of the result": "a list of losses and a number",
        "the mask": next((found for found in (LATER, NUMBERS) if found in seen), NOBODY),
        "number of losses": len(losses),
        "the first loss": float(losses[0]) if len(losses) else None,
        "the rest of the list": np.array(losses[1:], float),
        "weights": flat(reader),
        "the test loss": float(test_loss),
    }


def _form_of_report(given: Any) -> str:
    """What is wrong with the form of (losses, test loss); empty where nothing is."""
    if not isinstance(given, tuple) or len(given) != 2:
        return f"{len(given)} results" if isinstance(given, tuple) else _kind(given)
    losses, test_loss = given
    if _kind(losses) == "a number" and (isinstance(test_loss, tuple) or np.ndim(test_loss) == 1):
        return "a number and a list"
    if isinstance(losses, tuple):
        strange = next((_kind(loss) for loss in losses if _kind(loss) != "a number"), "")
        if strange:
            return f"{strange} among the losses"
    elif not (isinstance(losses, np.ndarray) and losses.ndim == 1 and losses.dtype.kind == "f"):
        return f"{_kind(losses)} in place of the list of losses"
    return "" if _kind(test_loss) == "a number" else f"{_kind(test_loss)} in place of the test loss"


def _kind(value: Any) -> str:
    """What kind of thing that is, in words."""
    if isinstance(value, Opaque):
        return value.type
    if isinstance(value, float | int | np.ndarray) and np.ndim(value) == 0 and not isinstance(value, bool):
        return "a number" if np.asarray(value).dtype.kind in "fiu" else "no number"
    if value is None:
        return "None"
    return {"tuple": "a list", "ndarray": "an array", "str": "a string", "dict": "a dict"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )


# --- associative recall -------------------------------------------------------------------------------------------

KEYS, VALUES, PAIRS = 16, 16, 8
SYMBOLS = KEYS + VALUES
BUDGET = 10_000  # numbers to learn


def recall_sequences(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Sequences of ``PAIRS`` pairs of a key and a value, with one of the keys behind them, and the value asked for.

    The keys of a sequence, symbols from 0, differ from each other; values, symbols from ``KEYS``, may come twice.

    Returns
    -------
    ids : (count, 2 PAIRS + 1) whole numbers, key, value, key, value, …, key
    answers : (count,) the value that stood behind that key

    Raises
    ------
    ValueError
        If ``count`` is less than 1.
    """
    if count < 1:
        raise ValueError(f"recall_sequences: count={count}; ask for 1 sequence or more")
    keys = rng.permuted(np.tile(np.arange(KEYS), (count, 1)), axis=1)[:, :PAIRS]
    values = rng.integers(KEYS, SYMBOLS, size=(count, PAIRS))
    asked = rng.integers(PAIRS, size=count)
    pairs = np.stack([keys, values], axis=2).reshape(count, -1)  # (count, 2 PAIRS)
    rows = np.arange(count)
    return np.concatenate([pairs, keys[rows, asked][:, None]], axis=1), values[rows, asked]


class Recalling(str):
    """How a network answers, in place of one: so that a known mistake need not be trained."""


def recalls(answer: Callable[[int], Any], seed: int) -> Any:
    """What the network that ``answer(seed)`` trains says to sequences that it has not seen.

    Returns
    -------
    dict or None
        "form" in words; where it is ``RECALLS``, also "parameters", their number, "said", the symbol with the largest
        logit for each of :func:`new_sequences`, "again", what it says to them when asked once more, and "alone", the
        same for the first ones given one by one.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # whoever does not seed it gets the same network every time all the same
        network = answer(seed)
    if network is None:
        return None
    ids, _ = new_sequences(seed)
    if isinstance(network, Recalling):
        return _as_if(str(network), ids)
    if not isinstance(network, torch.nn.Module):
        return {"form": "no network of PyTorch"}
    network.eval()
    given: list[Array | str] = []
    try:
        with torch.no_grad():
            for part in (ids, ids, *ids[:FEW, None]):
                given.append(_said(network, torch.from_numpy(part)))
    except (RuntimeError, IndexError, ValueError, TypeError, AttributeError) as error:
        several = given and not isinstance(given[0], str)
        return {"form": STOPS_ALONE if several else f"it stops: {str(error)[:150]}"}
    amiss = next((said for said in given if isinstance(said, str)), "")
    if amiss:
        return {"form": amiss}
    parameters = sum(p.numel() for p in network.parameters())
    return {
        "form": RECALLS,
        "parameters": parameters,
        "said": given[0],
        "again": given[1],
        "alone": np.concatenate(given[2:]),
    }


def new_sequences(seed: int) -> tuple[Array, Array]:
    """The thousand sequences, with their answers, by which a network that was trained with this seed is judged."""
    return recall_sequences(1000, np.random.default_rng([seed, 11]))


RECALLS = "a network with logits for each symbol"
STOPS_ALONE = "it stops when a sequence comes alone"
FEW = 50


def _said(network: Any, ids: Any) -> Array | str:
    """The symbols with the largest logits (N,), wherever the weights are; or what is amiss with the logits."""
    import torch

    device = next((p.device for p in network.parameters()), ids.device)
    logits = network(ids.to(device))
    if not isinstance(logits, torch.Tensor):
        return f"it gives {getattr(plain(logits), 'type', type(logits).__name__)}"
    shape, N = tuple(logits.shape), len(ids)
    if shape != (N, SYMBOLS):
        known = {
            (N,): "it gives one number for each sequence",
            (N, VALUES): "it gives logits for the values alone",
            (N, ids.shape[1], SYMBOLS): "it gives logits at each position",
            (N, 1, SYMBOLS): "it gives logits with an axis of length 1",
        }
        of = "a single sequence" if N == 1 else f"{N} sequences"
        return known.get(shape, f"for {of} it gives the shape {shape}")
    if not bool(logits.isfinite().all()):
        return "it gives numbers that are not finite"
    said: Array = logits.argmax(-1).cpu().numpy().astype(np.int64)
    return said


def _as_if(way: str, ids: Array) -> dict[str, Any]:
    """What a network would say that answers in this way."""
    if way.startswith(("no ", "it ")):
        return {"form": way}
    keys, values, asked = ids[:, :-1:2], ids[:, 1::2], ids[:, -1]
    rows, right = np.arange(len(ids)), (keys == asked[:, None]).argmax(axis=1)
    rng = np.random.default_rng(5)
    some, other = rng.random(len(ids)), rng.integers(PAIRS, size=len(ids))
    said: Array = {
        "the value before": values[rows, np.maximum(right - 1, 0)],
        "the value behind": values[rows, np.minimum(right + 1, PAIRS - 1)],
        "the last value": values[:, -1],
        "the first value": values[:, 0],
        "some value": values[rows, other],
        "the key itself": asked,
        "some key": keys[rows, other],
        "the same always": np.full(len(ids), KEYS),
        "guesses": rng.integers(KEYS, SYMBOLS, size=len(ids)),
        "values from zero": values[rows, right] - KEYS,
    }.get(way, values[rows, right])
    share = {"nearly": 0.88, "on its way": 0.6}.get(way, 1.0)
    said = np.where(some < share, said, values[rows, (right + 3) % PAIRS])
    alone = rng.integers(KEYS, SYMBOLS, size=FEW) if way == "needs company" else said[:FEW]
    again = np.roll(said, 1) if way == "restless" else said
    parameters = 50_000 if way == "too large" else 6_000
    return {"form": RECALLS, "parameters": parameters, "said": said, "again": again, "alone": alone}
