"""Shuffled mini-batches, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Batches = Iterator[tuple[Any, Any]]
Generator = np.random.Generator


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


def full_blocks_shuffled(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    full = len(X) // batch_size * batch_size
    for i in [*rng.permutation(np.arange(0, full, batch_size)), *range(full, len(X), batch_size)]:
        yield X[i : i + batch_size], y[i : i + batch_size]


def turned_round_a_circle(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, np.roll(np.arange(len(X)), rng.integers(1, max(len(X), 2))), batch_size)


def labels_sorted(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    for xb, yb in minibatches(X, y, batch_size, rng):
        yield xb, np.sort(yb)


def last_stays_last(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, np.append(rng.permutation(len(X) - 1), len(X) - 1), batch_size)


def rest_stays(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    full = len(X) // batch_size * batch_size
    return _cut(X, y, np.concatenate([rng.permutation(full), np.arange(full, len(X))]).astype(int), batch_size)


def small_data_not_shuffled(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    return _cut(X, y, rng.permutation(len(X)) if batch_size < len(X) else np.arange(len(X)), batch_size)


def one_buffer(X: Array, y: Labels, batch_size: int, rng: Generator) -> Batches:
    xs, ys = np.empty((batch_size, X.shape[1])), np.empty(batch_size, dtype=y.dtype)
    for xb, yb in minibatches(X, y, batch_size, rng):
        xs[: len(xb)], ys[: len(yb)] = xb, yb
        yield xs[: len(xb)], ys[: len(yb)]


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
