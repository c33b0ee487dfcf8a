"""What unit 09's answers need beyond a plain call: many draws, training on text, slopes through time, a memory task."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain
from dlcourse.drivers.practice import Fate

Array = NDArray[Any]

# --- many draws ---------------------------------------------------------------------------------------------------

DRAWS, FEW = 3000, 500
REPEATED = 60


def samples(answer: Callable[..., Any], logits: Array, temperature: float, rng: np.random.Generator) -> Any:
    """What many calls of ``answer(logits, temperature, rng)`` give.

    Returns
    -------
    dict or None
        "form" of the results in words; and where they are whole numbers, "drawn", many of them (few where the logits are
        large or the temperature extreme), "again", the first ones from a generator of the same seed, and "greedy",
        whether other logits, nearly equal, always give the largest.
    """
    replay, handed = copy.deepcopy(rng), logits.copy()  # whoever writes into the logits does so in the first call only
    first = answer(logits, temperature, rng)
    if first is None:
        return None
    form = _form_of_draw(plain(first), len(logits))
    if form != "a whole number":
        return {"form": form}
    count = DRAWS if 0.3 < temperature < 3 and np.abs(handed).max() < 10 else FEW
    drawn = [first, *(answer(handed.copy(), temperature, rng) for _ in range(count - 1))]
    again = [answer(handed.copy(), temperature, replay) for _ in range(REPEATED)]
    if {_form_of_draw(plain(one), len(logits)) for one in (*drawn[-5:], *again[:5])} != {"a whole number"}:
        return {"form": "now a whole number, now something else"}
    others = np.random.default_rng(1).normal(size=(8, 6))
    greedy = all(int(answer(other, 5.0, rng)) == other.argmax() for other in others)
    return {"form": form, "drawn": np.array(drawn, int), "again": np.array(again, int), "greedy": greedy}


def _form_of_draw(given: Any, V: int) -> str:
    if isinstance(given, Opaque):
        return given.type
    if isinstance(given, bool | str | dict):
        return f"a {type(given).__name__}"
    array = np.asarray(given)
    if array.ndim == 0:
        return "a whole number" if array.dtype.kind in "iu" else "a number that is not whole"
    return "an array of one number" if array.size == 1 else "a row of V numbers" if array.size == V else "an array"


# --- training on text ---------------------------------------------------------------------------------------------

SECOND_TIME = "backward runs into the chunk before, whose graph is gone"
OLD_WEIGHTS = "backward runs into the chunk before, whose weights are no longer what they were"
CUT = "each backward stays within its chunk"


def trains_in_chunks(
    answer: Callable[..., Any], model: str, optimizer: str, sequences: Sequence[Array], length: int, max_norm: float
) -> Any:
    """The losses that ``answer`` reports when it trains a real model chunk by chunk, and what became of the model.

    Parameters
    ----------
    model : such as "5 characters, 4 hidden, seed 7", or with ", head times 9" the same with a head of larger weights
    optimizer : such as "SGD, lr 0.5"
    """
    import torch

    tensors = [torch.from_numpy(ids) for ids in sequences]  # they share memory, so that what is written shows
    handed = list(tensors)
    outcome = _trained(answer, model, optimizer, handed, length, max_norm)
    if isinstance(sequences, list) and list(map(id, handed)) != list(map(id, tensors)):
        sequences.clear()  # that the list was changed shows, too
    return outcome


def trains_on_streams(
    answer: Callable[..., Any], model: str, optimizer: str, ids: Array, batch: int, length: int, epochs: int
) -> Any:
    """The same for ``answer(model, optimizer, ids, batch, length, epochs)``, which cuts one text into streams."""
    import torch

    return _trained(answer, model, optimizer, torch.from_numpy(ids), batch, length, epochs)


def _trained(answer: Callable[..., Any], model: str, optimizer: str, *args: Any) -> Any:
    import torch

    from dlcourse.drivers.characters_torch import Characters, Watched, flat

    vocabulary, hidden, seed, *larger = (int(number) for number in re.findall(r"\d+", model))
    network = Characters(vocabulary, hidden, seed)
    with torch.no_grad():
        network.head.weight.mul_(larger[0] if larger else 1)
    step = Watched(network.parameters(), lr=float(re.findall(r"[\d.]+", optimizer)[0]))
    try:
        given = plain(answer(network, step, *args))
    except RuntimeError as error:
        graph = SECOND_TIME if "second time" in str(error) else OLD_WEIGHTS if "inplace operation" in str(error) else ""
        if not graph:
            raise
        return {"the way back": graph}
    if given is None:
        return None
    form = _form_of_losses(given)
    if form:
        return {"the way back": CUT, "form of the result": form}
    return {
        "the way back": CUT,
        "form of the result": "one list of numbers",
        "number of losses": len(given),
        "the first loss": float(given[0]) if len(given) else None,
        "the rest of the list": np.array(given[1:], float),
        "norms of the gradients at each step": np.array(step.norms),
        "weights": flat(network),
    }


def _form_of_losses(given: Any) -> str:
    """What is wrong with the form of the list of losses; empty where nothing is."""
    if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind == "f":
        return ""
    if isinstance(given, Opaque):
        return given.type
    if not isinstance(given, tuple):
        return "one number, not a list" if np.ndim(given) == 0 else "an array of another form"
    strange = next((item.type for item in given if isinstance(item, Opaque)), "")
    if strange:
        return f"{strange} in place of a number"
    return "lists within the list" if any(np.ndim(item) > 0 or isinstance(item, tuple) for item in given) else ""


# --- slopes on their way back through fifty steps -----------------------------------------------------------------

STEPS, WIDTH = 50, 64


def five_norms(seed: int = 0) -> dict[str, Array]:
    """The norm of a slope of 1 at the last of 50 steps on its way back to the first, for five networks A to E.

    Returns
    -------
    dict
        Letter -> (51,) array; entry k is the norm before step k + 1 (of the state h, in an LSTM of the cell c), the last
        one that behind the last step, which is 1.
    """
    rng = np.random.default_rng(seed)
    return {
        "A": _plain_norms(rng, 0.8),
        "B": _lstm_norms(rng, 2.0),
        "C": _plain_norms(rng, 1.2),
        "D": _lstm_norms(rng, 0.0),
        "E": _plain_norms(rng, 1.0),
    }


def _plain_norms(rng: np.random.Generator, scale: float) -> Array:
    """h <- W h + x, with W an orthogonal matrix times ``scale``."""
    W = scale * np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    d, norms = _unit(rng), [1.0]
    for _ in range(STEPS):
        d = d @ W
        norms.append(float(np.linalg.norm(d)))
    return np.array(norms[::-1])


def _lstm_norms(rng: np.random.Generator, forget_bias: float) -> Array:
    """An LSTM with small weights, whose forget gates have this bias; its inputs are noise."""
    W_ih, W_hh = rng.normal(0, 0.1 / math.sqrt(WIDTH), (2, 4 * WIDTH, WIDTH))
    b = np.repeat([0.0, forget_bias, 0.0, 0.0], WIDTH)
    h, c, kept = np.zeros(WIDTH), np.zeros(WIDTH), []
    for _ in range(STEPS):
        z = W_ih @ rng.normal(size=WIDTH) + W_hh @ h + b
        i, f, o = (1 / (1 + np.exp(-z[k * WIDTH : (k + 1) * WIDTH])) for k in (0, 1, 3))
        g = np.tanh(z[2 * WIDTH : 3 * WIDTH])
        old, c = c, f * c + i * g
        h = o * np.tanh(c)
        kept.append((i, f, g, o, old, c))
    dc, dh, norms = _unit(rng), np.zeros(WIDTH), [1.0]
    for i, f, g, o, old, c in reversed(kept):
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        do = dh * np.tanh(c)
        dz = np.concatenate([dc * g * i * (1 - i), dc * old * f * (1 - f), dc * i * (1 - g**2), do * o * (1 - o)])
        dc, dh = dc * f, dz @ W_hh
        norms.append(float(np.linalg.norm(dc)))
    return np.array(norms[::-1])


def _unit(rng: np.random.Generator) -> Array:
    d = rng.normal(size=WIDTH)
    return np.asarray(d / np.linalg.norm(d))


# --- a memory task ------------------------------------------------------------------------------------------------

LENGTH, BATCH, HIDDEN, BUDGET = 20, 64, 32, 300
SEEDS = (21, 22, 23)
GOAL, NEARLY, LOST, MEAN = 0.01, 0.03, 0.1, 0.12  # mean squared errors; to answer 1 always has 1/6
CELLS = ("rnn", "lstm", "gru")
LEFT_ALONE: dict[str, Any] = {"cell": "rnn", "lr": 0.001, "forget_bias": 0.0, "max_norm": math.inf, "steps": BUDGET}


def remembers(settings: Any) -> dict[str, str] | None:
    """What becomes of three runs with these settings, in words; None where there are none yet."""
    if settings is None:
        return None
    if isinstance(settings, Fate):
        return {"fate": str(settings)}
    if not isinstance(settings, dict):
        return {"fate": "not a dict"}
    if not settings.keys() <= LEFT_ALONE.keys():
        return {"fate": "unknown setting"}
    problem = _out_of_range(settings)
    if problem:
        return {"fate": problem}
    errors = memory_errors(settings)
    worst = max(errors)
    if not math.isfinite(worst) or worst > 0.25:
        way = _number(settings, "lr") * _number(settings, "steps")  # about how far Adam can carry a weight
        return {"fate": "hardly moved" if way < 0.1 or _number(settings, "max_norm") < 1e-6 else "thrown about"}
    if worst < GOAL:
        return {"fate": "reached"}
    if worst < NEARLY:
        return {"fate": "nearly"}
    if min(errors) < NEARLY and worst > LOST:
        return {"fate": "some of three"}
    return {"fate": "remembers nothing" if min(errors) > MEAN else "on its way"}


def memory_errors(settings: dict[str, Any]) -> tuple[float, ...]:
    """The mean squared error of three runs with these settings on 1,000 new sequences."""
    given = {**LEFT_ALONE, **{name: _bare(value) for name, value in settings.items()}}
    given["cell"] = str(given["cell"]).strip().lower()
    given["max_norm"] = _number(settings, "max_norm")
    return tuple(_memory_error(seed, **{**given, "steps": int(given["steps"])}) for seed in SEEDS)


@cache
def _memory_error(seed: int, cell: str, lr: float, forget_bias: float, max_norm: float, steps: int) -> float:
    from threadpoolctl import threadpool_limits

    from dlcourse import nn
    from dlcourse.data.memory import adding_problem
    from dlcourse.nn import functional as F  # noqa: N812
    from dlcourse.nn.utils import clip_grad_norm_
    from dlcourse.optim import Adam

    rng = np.random.default_rng(seed)
    body = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](2, HIDDEN, batch_first=True, rng=rng)
    head = nn.Linear(HIDDEN, 1, rng=rng)
    if cell == "lstm":
        body.bias_ih_l0.data[HIDDEN : 2 * HIDDEN] = forget_bias
        body.bias_hh_l0.data[HIDDEN : 2 * HIDDEN] = 0.0
    parameters = [*body.parameters(), *head.parameters()]
    optimizer = Adam(parameters, lr=lr)
    with np.errstate(all="ignore"), threadpool_limits(1):
        for _ in range(steps):
            x, y = adding_problem(BATCH, LENGTH, rng)
            loss = F.mse_loss(head(body(x)[0][:, -1])[:, 0], y)
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(parameters, max_norm)
            optimizer.step()
        x, y = adding_problem(1000, LENGTH, np.random.default_rng([seed, 1]))
        return float(F.mse_loss(head(body(x)[0][:, -1])[:, 0], y).item())


def _bare(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0 else value


def _number(settings: dict[str, Any], name: str) -> float:
    """A setting, or what it is where it is left alone; None leaves ``max_norm`` alone, too."""
    given = settings.get(name)
    return float(LEFT_ALONE[name] if given is None else given)


def _out_of_range(settings: dict[str, Any]) -> str:
    for name, given in settings.items():
        value = _bare(given)
        if name == "cell":
            if not isinstance(value, str) or value.strip().lower() not in CELLS:
                return "unknown cell"
            continue
        if name == "max_norm" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
            return "not a number"
        number = float(value)
        if name == "forget_bias" and math.isfinite(number):
            continue
        if name == "steps" and number > BUDGET:
            return "over the budget"
        if (name == "steps" and number != int(number)) or number <= 0 or (name != "max_norm" and math.isinf(number)):
            return "out of range"
    return ""
