"""What unit 16's answers need that leave something to chance: many choices between actions, a memory drawn from often."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain

Array = NDArray[Any]

CHOICES, FEW, REPEATED = 4000, 500, 60
TELLING = 200  # calls after which an answer has both explored and not, as good as surely
WHOLE = "a whole number"


def chooses(answer: Callable[..., Any], q: Array, epsilon: float, rng: np.random.Generator) -> Any:
    """What many calls of ``answer(q, epsilon, rng)`` give.

    Returns
    -------
    dict or None
        "form" of the results in words, of one that is no whole number if there is any; otherwise also "chosen", many of them, "again", the first
        ones from a generator of the same seed, and "greedy", whether other values always give the best action,
        however large epsilon is.
    """
    replay, handed = copy.deepcopy(rng), q.copy()  # whoever writes into q does so in the first call only
    first = answer(q, epsilon, rng)
    if first is None:
        return None
    count = CHOICES if epsilon > 0 and len(q) > 1 else FEW
    early = [first, *(answer(handed.copy(), epsilon, rng) for _ in range(TELLING - 1))]
    forms = {form_of_action(plain(one), len(q)) for one in early}
    if forms != {WHOLE}:
        return {"form": min(forms - {WHOLE})}
    chosen = [*early, *(answer(handed.copy(), epsilon, rng) for _ in range(count - TELLING))]
    again = [answer(handed.copy(), epsilon, replay) for _ in range(REPEATED)]
    others = np.random.default_rng(1).normal(size=(8, 6))
    greedy = all(int(answer(other, 0.95, rng)) == other.argmax() for other in others)
    return {"form": WHOLE, "chosen": np.array(chosen, int), "again": np.array(again, int), "greedy": greedy}


def form_of_action(given: Any, A: int) -> str:
    """What stands in an action's place, in words."""
    if isinstance(given, Opaque):
        return given.type
    if given is None or isinstance(given, bool | str | dict):
        return "None" if given is None else f"a {type(given).__name__}"
    array = np.asarray(given)
    if array.ndim == 0:
        return WHOLE if array.dtype.kind in "iu" else "a number that is not whole"
    return (
        "an array of one number"
        if array.size == 1
        else "one number for each action"
        if array.size == A
        else "an array of several numbers"
    )


# --- a memory -----------------------------------------------------------------------------------------------------

SAMPLES, AGAIN = 800, 10
NOTHING, AS_ADDED = "nothing", "as they were added"
PARTS = ("observation", "action", "reward", "next observation", "terminated")
CHANGES = (*(f"with another {part}" for part in PARTS), AS_ADDED)
GONE, PARTS_MISSING = "transitions that are gone from the buffer then", "transitions of another number of parts"
TRANSITIONS, COLUMNS = "a list of transitions", "one list for each part of a transition"


def remembers_steps(answer: Callable[..., Any], capacity: int, added: int, batch: int, rng: np.random.Generator) -> Any:
    """What a buffer of the class ``answer`` holds while transitions are added, and what many samples of it bring.

    Parameters
    ----------
    capacity, added, batch : room, transitions that are added, and the size of a sample
    rng : handed to ``sample``

    Returns
    -------
    dict
        "apart", what another buffer holds, to which nothing was added; "lengths" after each addition; "form" of a sample; "numbers", those of the transitions in each of many samples
        (-1 for none of those added), "order", whether they depend on `rng` and on what was drawn before, "again", the same for the first samples with a generator of the same seed;
        "whole", how transitions came back; "after", the length after all samples.
    """
    replay, seed = copy.deepcopy(rng), copy.deepcopy(rng)
    other, buffer = answer(capacity), answer(capacity)
    lengths = [len(buffer)]
    for k in range(added):
        buffer.add(transition(k))
        lengths.append(len(buffer))
    if len(other) and _brings_something(other):
        return {"apart": "what was added to the first", "lengths": np.zeros(0), "form": "not looked at"}
    found: dict[str, Any] = {"apart": NOTHING, "lengths": np.array(lengths)}
    twins = _twins(buffer)
    first = buffer.sample(batch, rng)
    form = form_of_sample(first, batch) if len(buffer) >= lengths[-1] else GONE
    if form != TRANSITIONS:
        return {**found, "form": form}
    samples = [list(first), *(list(buffer.sample(batch, rng)) for _ in range(SAMPLES - 1))]
    after = len(buffer)
    again = [list(buffer.sample(batch, replay)) for _ in range(AGAIN)]
    numbers = [[number_of(one) for one in sample] for sample in samples]
    if any(len(row) != batch for row in numbers):
        return {**found, "form": "samples of changing size"}
    return {
        **found,
        "form": form,
        "numbers": np.array(numbers),
        "again": np.array([[number_of(one) for one in sample] for sample in again if len(sample) == batch]),
        "order": _order_counts(twins, samples[:AGAIN], batch, replay=seed),
        "whole": min((changed_part(one) for sample in samples[:40] for one in sample), key=CHANGES.index),
        "after": after,
    }


def transition(k: int) -> tuple[Any, ...]:
    """The ``k``-th transition: observation, action, reward, next observation, terminated; the reward is its number."""
    return np.array([k / 3, -k]), k % 2, float(k), np.array([(k + 1) / 3, -k - 1]), k % 5 == 4


def form_of_sample(given: Any, batch: int) -> str:
    """What a sample is, in words."""
    if given is None:
        return "None"
    if isinstance(given, dict | str) or not isinstance(given, Iterable):
        return form_of_action(plain(given), batch)
    if isinstance(given, np.ndarray) and given.dtype != object:
        return "whole numbers" if given.dtype.kind in "iu" and given.ndim == 1 and given.size else "an array of numbers"
    if not hasattr(given, "__len__"):
        return "a generator"
    items = list(given)
    if not items:
        return "an empty list"
    if all(isinstance(item, int | np.integer) for item in items):
        return "whole numbers"
    if all(_is_transition(item) or item is None for item in items) and len(items) != 5:
        return TRANSITIONS if len(items) == batch else "a list of another number of transitions"
    sizes = {len(item) if isinstance(item, tuple) else 0 for item in items}
    if len(items) == batch and len(sizes) == 1 and not sizes & {0, 5}:
        return PARTS_MISSING
    if len(items) == 5 and not any(_is_transition(item) for item in items):
        return "a single transition" if _is_transition(tuple(items)) else COLUMNS
    return TRANSITIONS if len(items) == batch and all(map(_is_transition, items)) else "something else"


def _is_transition(given: Any) -> bool:
    row = isinstance(given, tuple | list) or (
        isinstance(given, np.ndarray) and given.shape == (5,) and given.dtype == object
    )
    return row and len(given) == 5 and np.shape(given[2]) == ()


def number_of(given: Any) -> int:
    """Which transition this is, by its reward; -1 for none."""
    return int(given[2]) if _is_transition(given) else -1


def changed_part(given: Any) -> str:
    """Which part of a transition is not as it was added, the first of them."""
    if not _is_transition(given):
        return AS_ADDED  # that it is none is told elsewhere
    pairs = zip(PARTS, given, transition(number_of(given)), strict=True)
    return next((f"with another {part}" for part, a, b in pairs if not np.array_equal(a, b)), AS_ADDED)


def _twins(buffer: Any) -> tuple[Any, ...]:
    try:
        return copy.deepcopy(buffer), copy.deepcopy(buffer)
    except Exception:  # what cannot be copied cannot be compared
        return ()


def _order_counts(twins: tuple[Any, ...], samples: list[Any], batch: int, replay: np.random.Generator) -> bool:
    """Whether ``rng`` decides what copies of the buffer bring, made before anything was drawn."""
    if not twins:
        return False
    seen = [[number_of(one) for one in sample] for sample in samples]
    same, others = (
        [[number_of(one) for one in twin.sample(batch, rng)] for _ in samples]
        for twin, rng in zip(twins, (replay, np.random.default_rng(987_654_321)), strict=True)
    )
    return same == seen and others != seen


def _brings_something(buffer: Any) -> bool:
    try:
        return bool(number_of(buffer.sample(1, np.random.default_rng(0))[0]) >= 0)
    except Exception:  # there is nothing to draw from, as it should be
        return False
