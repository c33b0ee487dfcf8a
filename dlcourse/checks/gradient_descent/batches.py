"""The exercise on mini-batches: random answers, judged by what must be true of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.gradient_descent.batches_answers import (
    all_at_once,
    blocks_shuffled,
    count_for_size,
    drawn_anew,
    endless,
    evened_out,
    first_only,
    full_blocks_shuffled,
    global_randomness,
    labels_first,
    labels_sorted,
    last_dropped,
    last_filled_up,
    last_stays_last,
    minibatches,
    minibatches_as_list,
    minibatches_by_split,
    mixed_within,
    not_shuffled,
    nothing,
    one_buffer,
    only_x_shuffled,
    own_seed,
    places_only,
    rest_stays,
    shuffled_apart,
    shuffled_in_place,
    sliding,
    small_data_not_shuffled,
    turned_round_a_circle,
    with_replacement,
    x_shuffled_in_place,
)
from dlcourse.drivers import Case, Rng
from dlcourse.drivers.descent import MOST_BATCHES

Array = NDArray[np.float64]

SIZES = "the batches, and their sizes in order"
TOGETHER = "how many neighbors in X follow each other in the batches"
FEW = "few"
CHANCE = 2  # so many of all epochs may come in the order of X, or repeat the one before, by chance
ENOUGH = 9  # with fewer examples two orders may agree by chance


def minibatch_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, size: int, label: str = "", classes: int = 0) -> Case:
        X, y = rng.normal(size=(N, D)).round(2), rng.permutation(N) + 100
        if classes:
            y = rng.permutation(np.arange(N) % classes)
        return Case((X, y, size, Rng(int(rng.integers(1000)))), label)

    return [
        Case((rng.permutation(9)[:, None] / 10, rng.permutation(9) + 100, 4, Rng(int(rng.integers(1000))))),
        case(23, 3, 10),
        case(36, 2, 5),
        case(12, 3, 4, "a batch size that divides N"),
        case(14, 2, 4, "labels that repeat", classes=3),
        case(3, 2, 8, "fewer examples than batch_size"),
        case(12, 2, 20, "fewer examples than batch_size"),
        case(10, 3, 10, "one batch of all examples"),
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
    *given, kept = value
    if any(epoch is None for epoch in given):
        return {SIZES: "nothing came"}
    if any(len(epoch) == MOST_BATCHES for epoch in given):
        return {SIZES: "without end"}
    epochs = [list(epoch) for epoch in given]
    form = next((said for epoch in epochs for batch in epoch if (said := _form(batch))), "")
    if form:
        return {SIZES: form}
    found = [places(X, epoch) for epoch in epochs]
    orders = [[i for batch in epoch for i in batch] for epoch in found]
    own = orders[:2] + orders[4:]  # those of the one generator, one after the other
    pairs = [
        (rows, yb)
        for epoch, batches in zip(found, epochs, strict=True)
        for rows, (_, yb) in zip(epoch, batches, strict=True)
    ]
    facts: dict[str, Any] = {
        SIZES: tuple(len(batch) for batch in found[0]),
        "each batch brings the labels of its own examples": all(
            len(rows) == len(yb) and sorted(y[rows].tolist()) == sorted(np.asarray(yb).tolist()) for rows, yb in pairs
        ),
        "each y still belongs to its x": all(
            len(rows) == len(yb) and np.array_equal(y[rows], yb) for rows, yb in pairs
        ),
        "no example comes twice in one batch": all(len(set(rows)) == len(rows) for rows, _ in pairs),
        "every example comes exactly once in an epoch": all(sorted(order) == list(range(len(X))) for order in orders),
        "the same generator, started anew, gives the same order": orders[0] == orders[2],
        "a batch stays as it was while the next ones are made": bool(kept),
    }
    if len(X) >= ENOUGH:
        labels = [np.concatenate([np.asarray(yb) for _, yb in batches]).tolist() for batches in epochs]
        facts |= {
            "the examples come in another order than in X": any(order != sorted(order) for order in orders),
            "the labels come in another order than in y": any(came[: len(y)] != y.tolist() for came in labels),
            "the second epoch comes in another order than the first": any(a != b for a, b in itertools.pairwise(own)),
            "a generator with another seed gives another order": any(order != orders[3] for order in own),
        }
        together = FEW if size == 1 else _neighbors(found, orders)
        coarse = together != FEW or not all(list(facts.values())[1:])  # then chance decides the rest: it is not judged
        sizes = {tuple(len(batch) for batch in epoch) for epoch in found}
        spots = [{order.index(i) for order in orders} for i in range(len(X))] if not coarse else []
        facts |= {
            TOGETHER: together,
            "the second epoch has batches of the same sizes as the first": coarse or len(sizes) == 1,
            "every epoch is shuffled, not only some": coarse
            or sum(order == sorted(order) for order in orders) <= CHANCE,
            "no epoch repeats the order of the one before": coarse
            or sum(a == b for a, b in itertools.pairwise(own)) <= CHANCE,
            "inside a batch the examples are in random order": coarse or size == 1 or not _all_sorted(found),
            "no example keeps its place in every epoch": all(len(places) > 1 for places in spots),
        }
    if len(X) > 1:
        coarse = not all(list(facts.values())[1:]) or facts.get(TOGETHER, FEW) != FEW
        facts["over many epochs every example comes early and late"] = coarse or _all_get_around(orders)
    return facts


def _neighbors(found: Sequence[list[list[int]]], orders: Sequence[list[int]]) -> str:
    """How many of the pairs that follow each other in a batch are neighbors in X as well, in words."""
    steps = [abs(b - a) for epoch in found for batch in epoch for a, b in itertools.pairwise(batch)]
    share = steps.count(1) / max(len(steps), 1)
    breaks = [sum(abs(b - a) != 1 for a, b in itertools.pairwise(order)) for order in orders]
    return "all" if share == 1 else "all but one pair" if max(breaks) == 1 else "most" if share > 0.7 else FEW


def _all_sorted(found: Sequence[list[list[int]]]) -> bool:
    return all(batch == sorted(batch) for epoch in found for batch in epoch)


def _all_get_around(orders: Sequence[list[int]]) -> bool:
    """Whether every example comes in the first half of some epochs and in the second half of others."""
    half = len(orders[0]) // 2
    return all(
        set().union(*(order[part] for order in orders)) == set(orders[0]) for part in (slice(half), slice(half, None))
    )


def _form(batch: Any) -> str:
    """What a batch is, where it is no pair of a (B, D) and a (B,) array."""
    if isinstance(batch, np.ndarray):
        return "places" if batch.ndim == 1 and batch.dtype.kind in "iu" else f"an array with {batch.ndim} axes"
    axes = tuple(np.ndim(part) for part in batch)
    known: dict[tuple[int, ...], str] = {(2, 1): "", (1, 2): "pairs (yb, xb)"}
    return known.get(axes, f"{len(axes)} parts with {axes} axes")


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
            "full-blocks-shuffled",
            full_blocks_shuffled,
            "Only whole batches change places, with the short one last: neighbors in the file stay together for ever. "
            "In a file sorted by label, what would a batch look like?",
        ),
        Wrong(
            "turned-round-a-circle",
            turned_round_a_circle,
            "Each epoch begins at a random place and then follows the order of the file: neighbors stay together for ever. "
            "In a file sorted by label, what would a batch look like?",
        ),
        Wrong(
            "labels-sorted-in-the-batch",
            labels_sorted,
            "Each batch has the right examples and the right labels, but inside it the labels stand in another order (sorted) than the examples. "
            "Which label belongs to the batch's first example?",
        ),
        Wrong(
            "one-keeps-its-place",
            last_stays_last,
            "One example (such as the first or the last of the file) keeps its place in every epoch. How many numbers does your shuffled order hold: all N?",
        ),
        Wrong(
            "rest-stays-at-the-end",
            rest_stays,
            "Only the examples that fill whole batches are shuffled: when batch_size does not divide N, the same few always make up the last batch. "
            "What should be shuffled before the cutting?",
        ),
        Wrong(
            "small-data-not-shuffled",
            small_data_not_shuffled,
            "When all examples fit into one batch, they come in the order of the file. "
            "Does the task make an exception for that?",
        ),
        Wrong(
            "one-buffer",
            one_buffer,
            "All your batches share one array, which is overwritten for the next batch, so whoever keeps them in a list holds the last one several times. "
            "Where should each batch get an array of its own?",
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
