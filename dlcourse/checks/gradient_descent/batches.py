"""Shuffled mini-batches: random answers, judged by what must be true of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Rng
from dlcourse.drivers.descent import MOST_BATCHES

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Batches = Iterator[tuple[Any, Any]]
Generator = np.random.Generator

SIZES = "the batches, and their sizes in order"
ENOUGH = 9  # with fewer examples two orders may agree by chance


def minibatches(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = rng.permutation(len(X))
    for i in range(0, len(X), batch_size):
        batch = order[i : i + batch_size]
        yield X[batch], y[batch]


def minibatches_as_list(X: Array, y: Labels, batch_size: int, rng: Generator) -> Any:
    order = list(range(len(X)))
    rng.shuffle(order)
    starts = range(0, len(order), batch_size)
    return [(X[order[i : i + batch_size]], y[order[i : i + batch_size]]) for i in starts]


def minibatches_by_split(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = np.argsort(rng.random(len(y)))
    for batch in np.split(order, np.arange(batch_size, len(y), batch_size)):
        yield [np.take(X, batch, axis=0), np.take(y, batch)]  # type: ignore[misc]


def minibatch_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, size: int, label: str = "") -> Case:
        X, y = rng.normal(size=(N, D)).round(2), rng.permutation(N) + 100
        return Case((X, y, size, Rng(int(rng.integers(1000)))), label)

    return [
        Case((rng.permutation(9)[:, None] / 10, rng.permutation(9) + 100, 4, Rng(int(rng.integers(1000))))),
        case(23, 3, 10),
        case(36, 2, 5),
        case(12, 3, 4, "a batch size that divides N"),
        case(3, 2, 8, "fewer examples than batch_size"),
        case(1, 4, 1, "one example"),
        case(11, 2, 1, "batches of one"),
    ]


def places(X: Array, batches: Sequence[Any]) -> list[list[int]]:
    """For each batch, the row of X that each of its examples is; -1 for one that is none."""
    found = []
    for xb, _ in batches:
        same = (np.asarray(xb, dtype=float)[:, None, :] == X[None, :, :]).all(axis=2)  # (B, N)
        found.append([int(row.argmax()) if row.any() else -1 for row in same])
    return found


def minibatch_facts(case: Case, value: Any) -> dict[str, Any]:
    X, y, size = case.args[:3]
    if any(epoch is None for epoch in value):
        return {SIZES: "nothing came"}
    if any(len(epoch) == MOST_BATCHES for epoch in value):
        return {SIZES: "without end"}
    epochs = [list(epoch) for epoch in value]
    form = next((said for epoch in epochs for batch in epoch if (said := _form(batch))), "")
    if form:
        return {SIZES: form}
    first, second, replay, other = [places(X, epoch) for epoch in epochs]
    orders = [[i for batch in epoch for i in batch] for epoch in (first, second, replay, other)]
    facts: dict[str, Any] = {
        SIZES: tuple(len(batch) for batch in first),
        "each y still belongs to its x": all(
            len(rows) == len(yb) and np.array_equal(y[rows], yb)
            for epoch, batches in zip((first, second), epochs, strict=False)
            for rows, (_, yb) in zip(epoch, batches, strict=True)
        ),
        "no example comes twice in one batch": all(len(set(b)) == len(b) for epoch in (first, second) for b in epoch),
        "every example comes exactly once in an epoch": all(
            sorted(order) == list(range(len(X))) for order in orders[:2]
        ),
        "the same generator, started anew, gives the same order": orders[0] == orders[2],
    }
    if len(X) >= ENOUGH:
        facts |= {
            "the examples come in another order than in X": orders[0] != sorted(orders[0]),
            "the labels come in another order than in y": bool(
                np.concatenate([np.asarray(yb) for _, yb in epochs[0]])[: len(y)].tolist() != y.tolist()
            ),
            "the second epoch comes in another order than the first": orders[0] != orders[1],
            "a generator with another seed gives another order": orders[0] != orders[3],
        }
        if size > 1:
            facts["examples are mixed, not whole blocks of neighbors"] = any(
                b - a != 1 for batch in first for a, b in itertools.pairwise(batch)
            )
    return facts


def _form(batch: Any) -> str:
    """What a batch is, where it is no pair of a (B, D) and a (B,) array."""
    if isinstance(batch, np.ndarray):
        return "places" if batch.ndim == 1 and batch.dtype.kind in "iu" else f"an array with {batch.ndim} axes"
    axes = tuple(np.ndim(part) for part in batch)
    known: dict[tuple[int, ...], str] = {(2, 1): "", (1, 2): "pairs (yb, xb)"}
    return known.get(axes, f"{len(axes)} parts with {axes} axes")


# --- known mistakes -----------------------------------------------------------------------------------------------


def _cut(X: Array, y: Labels, order: Any, size: int) -> Batches:
    for i in range(0, len(order), size):
        yield X[order[i : i + size]], y[order[i : i + size]]


def not_shuffled(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, np.arange(len(X)), batch_size)


def own_seed(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, np.random.default_rng(0).permutation(len(X)), batch_size)


def global_randomness(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, np.random.permutation(len(X)), batch_size)  # noqa: NPY002


def shuffled_apart(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    xs, ys = rng.permutation(len(X)), rng.permutation(len(X))
    for i in range(0, len(X), batch_size):
        yield X[xs[i : i + batch_size]], y[ys[i : i + batch_size]]


def only_x_shuffled(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = rng.permutation(len(X))
    for i in range(0, len(X), batch_size):
        yield X[order[i : i + batch_size]], y[i : i + batch_size]


def last_dropped(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = rng.permutation(len(X))
    return _cut(X, y, order[: len(X) // batch_size * batch_size], batch_size)


def last_filled_up(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = rng.permutation(len(X))
    return _cut(X, y, np.resize(order, -(-len(X) // batch_size) * batch_size), batch_size)


def with_replacement(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, rng.integers(len(X), size=len(X)), batch_size)


def drawn_anew(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for i in range(0, len(X), batch_size):
        batch = rng.choice(len(X), min(batch_size, len(X) - i), replace=False)
        yield X[batch], y[batch]


def count_for_size(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for batch in np.array_split(rng.permutation(len(X)), batch_size):
        yield X[batch], y[batch]


def evened_out(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for batch in np.array_split(rng.permutation(len(X)), -(-len(X) // batch_size)):
        yield X[batch], y[batch]


def shuffled_in_place(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = rng.permutation(len(X))
    X[:], y[:] = X[order], y[order]
    return _cut(X, y, np.arange(len(X)), batch_size)


def blocks_shuffled(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for i in rng.permutation(np.arange(0, len(X), batch_size)):
        yield X[i : i + batch_size], y[i : i + batch_size]


def first_only(X: Array, y: Labels, batch_size: int, rng: Generator) -> Any:
    batch = rng.permutation(len(X))[:batch_size]
    return [(X[batch], y[batch])]


def mixed_within(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for i in range(0, len(X), batch_size):
        batch = i + rng.permutation(min(batch_size, len(X) - i))
        yield X[batch], y[batch]


def x_shuffled_in_place(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    rng.shuffle(X)
    return _cut(X, y, np.arange(len(X)), batch_size)


def endless(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    while True:
        yield from minibatches(X, y, batch_size, rng)


def nothing(X: Array, y: Labels, batch_size: int, rng: Generator) -> None:
    list(minibatches(X, y, batch_size, rng))


def labels_first(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for xb, yb in minibatches(X, y, batch_size, rng):
        yield yb, xb


def places_only(X: Array, y: Labels, batch_size: int, rng: Generator) -> Iterator[Any]:
    order = rng.permutation(len(X))
    for i in range(0, len(X), batch_size):
        yield order[i : i + batch_size]


def sliding(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    order = rng.permutation(len(X))
    for i in range(len(X)):
        yield X[order[i : i + batch_size]], y[order[i : i + batch_size]]


def all_at_once(X: Array, y: Labels, batch_size: int, rng: Generator) -> Any:
    order = rng.permutation(len(X))
    return X[order], y[order]


MINIBATCHES = Exercise(
    id="gradient_descent.minibatches",
    kind="function",
    title="Mini-batches",
    points=3,
    minutes=15,
    difficulty=2,
    function="minibatches",
    reference=minibatches,
    alternatives=(minibatches_as_list, minibatches_by_split),
    inputs=minibatch_inputs,
    facts=minibatch_facts,
    driver="shuffles",
    returns=("pairs xb (B, D)", "yb (B,)"),
    wrong=(
        Wrong(
            "not-shuffled",
            not_shuffled,
            "Every epoch comes in the order of the file. If the file is sorted by label, what does the first batch teach?",
        ),
        Wrong(
            "own-seed",
            own_seed,
            "Every epoch comes in one and the same order, whichever `rng` you are given. Is a seed set inside your function? "
            "Where should the random numbers come from, so that the second epoch differs?",
        ),
        Wrong(
            "global-randomness",
            global_randomness,
            "The order does not come from `rng`: the same generator, started anew, gives another order, so no run can be repeated. "
            "Which of the four arguments can make random numbers?",
        ),
        Wrong(
            "shuffled-apart",
            shuffled_apart,
            "Inputs and labels are shuffled each by itself, so a picture of a 3 arrives with the label of a 7. "
            "How can one and the same order be used for both?",
        ),
        Wrong(
            "only-x-shuffled",
            only_x_shuffled,
            "The inputs are shuffled, the labels stay in their old order, so they no longer belong together. "
            "What should be done to `y` as well?",
        ),
        Wrong(
            "last-batch-dropped",
            last_dropped,
            "When batch_size does not divide N, the examples left over never appear in that epoch. "
            "How large may the last batch be?",
        ),
        Wrong(
            "last-batch-filled-up",
            last_filled_up,
            "The last batch is filled up with examples that came before, so some count twice in an epoch. "
            "Does every batch have to be full?",
        ),
        Wrong(
            "with-replacement",
            with_replacement,
            "Some examples come several times in an epoch, even in one batch, and others not at all: you draw *with* replacement. "
            "What gives each number exactly once, in random order?",
        ),
        Wrong(
            "drawn-anew-for-each-batch",
            drawn_anew,
            "Each batch is drawn from all examples, so in an epoch some come twice and others never. "
            "How often should you shuffle in one epoch?",
        ),
        Wrong(
            "count-for-size",
            count_for_size,
            "You cut the data into `batch_size` pieces. Is that argument the number of batches, or the number of examples in each?",
        ),
        Wrong(
            "evened-out",
            evened_out,
            "The number of batches is right, but their sizes are evened out. Where should a batch end, and which one may be smaller?",
        ),
        Wrong(
            "shuffled-in-place",
            shuffled_in_place,
            "The batches are fine, but the caller's own `X` and `y` have been reordered. "
            "What can you shuffle instead of the data?",
        ),
        Wrong(
            "blocks-shuffled",
            blocks_shuffled,
            "Only whole batches change places: neighbors in the file stay together for ever. "
            "In a file sorted by label, what would a batch look like?",
        ),
        Wrong(
            "mixed-within-the-batch",
            mixed_within,
            "The examples are mixed only inside each batch, which does not change its gradient: "
            "the same neighbors meet in every epoch. What should be shuffled before the cutting?",
        ),
        Wrong(
            "x-shuffled-in-place",
            x_shuffled_in_place,
            "`X` itself has been reordered, for the caller as well, and `y` has not, so labels no longer belong to their examples. "
            "What can you shuffle instead of the data?",
        ),
        Wrong(
            "endless",
            endless,
            "The batches never end. One call is one epoch: when has each example come once?",
        ),
        Wrong(
            "nothing",
            nothing,
            "Your function gives back None. Which word hands out a batch and goes on, and which hands back a finished list?",
        ),
        Wrong(
            "labels-first",
            labels_first,
            "The labels come first in each of your pairs. In which order does the task, and every training loop, expect the two?",
        ),
        Wrong(
            "places-only",
            places_only,
            "You hand out the places of the examples, not the examples. What do `X` and `y` hold at those places?",
        ),
        Wrong(
            "all-at-once",
            all_at_once,
            "Two whole arrays come back, not a sequence of pairs. Where does one batch end and the next begin?",
        ),
        Wrong(
            "sliding",
            sliding,
            "Each batch starts one example after the one before, so they overlap and there are N of them. "
            "How far should the start move from batch to batch?",
        ),
        Wrong(
            "first-batch-only",
            first_only,
            "Only one batch comes back. Does a `return` in your loop end it in the first round?",
        ),
    ),
    hints=(
        "Shuffle places, not data: the numbers 0 to N-1 in random order can index X and y alike.",
        "`rng.permutation(N)` gives such an order, another one at each call. Cut it into pieces of batch_size; the last may be shorter.",
        "Loop over `range(0, N, batch_size)`, slice the order from i to i + batch_size, and `yield` both arrays indexed with that slice.",
    ),
    unlocks="It feeds every training loop from unit 04 on.",
)
