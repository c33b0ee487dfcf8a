"""Two masks: nobody looks into the future, and nobody looks at padding. True means that a query may look there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def causal_mask(T: int) -> Any:
    return np.tri(T, dtype=bool)


def causal_mask_by_comparing(T: int) -> Any:
    t = np.arange(T)
    return t[:, None] >= t  # row t: the keys up to t


def causal_mask_row_by_row(T: int) -> Any:
    mask = np.zeros((T, T), dtype=np.bool_)
    for t in range(T):
        mask[t, : t + 1] = True
    return mask


def causal_mask_as_lists(T: int) -> Any:
    return [[s <= t for s in range(T)] for t in range(T)]


def causal_mask_carried_on(T: int) -> Any:
    return np.logical_or.accumulate(np.eye(T, dtype=bool)[:, ::-1], axis=1)[:, ::-1]


def strict_but_the_first(T: int) -> Any:
    mask = np.tri(T, k=-1, dtype=bool)
    mask[0, 0] = True
    return mask


def key_zero_hidden(T: int) -> Any:
    mask = np.tri(T, dtype=bool)
    mask[1:, 0] = False
    return mask


def lower(k: int = 0) -> Callable[[int], Any]:
    return lambda T: np.tri(T, k=k, dtype=bool)


def upper(k: int = 0) -> Callable[[int], Any]:
    return lambda T: np.triu(np.ones((T, T), dtype=bool), k=k)


CAUSAL_MASK = Exercise(
    id="transformers.causal_mask",
    kind="function",
    title="No look into the future",
    points=1,
    minutes=6,
    difficulty=1,
    function="causal_mask",
    reference=causal_mask,
    alternatives=(causal_mask_by_comparing, causal_mask_row_by_row, causal_mask_as_lists, causal_mask_carried_on),
    inputs=lambda rng: [Case((3,)), Case((5,)), Case((int(rng.integers(6, 12)),)), Case((1,), "a single position"), Case((70,), "many positions")],
    wrong=(
        Wrong(
            "transposed",
            upper(),
            "Your mask is the other triangle: query 0 may see everything, the last one only itself. Rows are queries and columns keys; what should row 0 hold?",
        ),
        Wrong(
            "strict",
            lower(-1),
            "No position may look at itself in your mask, and the first at nothing at all. Does a position know its own input when it predicts the next?",
        ),
        Wrong(
            "strict-but-the-first",
            strict_but_the_first,
            "No position may look at itself in your mask but the first, which would have nothing else. Does a position know its own input when it predicts the next?",
        ),
        Wrong(
            "key-zero-hidden",
            key_zero_hidden,
            "Nobody but query 0 may look at key 0. Does a loop over the keys begin at 1, and what does 'everything before it' take in?",
        ),
        Wrong(
            "one-too-far",
            lower(1),
            "Each position may look at the one behind it: exactly the one that it has to predict. Where should the triangle end?",
        ),
        Wrong(
            "inverted",
            upper(1),
            "Your mask is True for what is hidden, as in PyTorch's MultiheadAttention. In the course, what does True mean?",
        ),
        Wrong(
            "everything-allowed",
            lambda T: np.ones((T, T), dtype=bool),
            "Your mask allows everything. Which keys would tell position t what it has to predict?",
        ),
        Wrong(
            "nothing-allowed",
            lambda T: np.zeros((T, T), dtype=bool),
            "Your mask allows nothing. Which keys may position t see?",
        ),
        Wrong(
            "itself-only",
            lambda T: np.eye(T, dtype=bool),
            "Each position may look at itself alone: that is the diagonal. Which other keys may it see?",
        ),
        Wrong(
            "two-only",
            lambda T: np.tri(T, dtype=bool) & ~np.tri(T, k=-2, dtype=bool),
            "Each position may look at itself and the one before, no further. How far back should it be able to look?",
        ),
        Wrong(
            "all-but-itself",
            lambda T: ~np.eye(T, dtype=bool),
            "Each position may look everywhere but at itself. Which part of that is the future?",
        ),
        Wrong(
            "rows-turned-round",
            lambda T: np.tri(T, dtype=bool)[::-1],
            "The rows stand in reverse order: query 0 may see everything. How many keys may query 0 see?",
        ),
        Wrong(
            "columns-turned-round",
            lambda T: np.tri(T, dtype=bool)[:, ::-1],
            "The columns stand in reverse order: query 0 may see the last key alone. Which key may it see?",
        ),
        Wrong(
            "floats",
            lambda T: np.tril(np.ones((T, T))),
            "The triangle is right, but of floats, 1.0 and 0.0. A mask of the course says True or False: which dtype, or which comparison, gives that?",
        ),
        Wrong(
            "whole-numbers",
            lambda T: np.tril(np.ones((T, T), dtype=np.int64)),
            "The triangle is right, but of whole numbers, 1 and 0. A mask of the course says True or False: which dtype, or which comparison, gives that?",
        ),
        Wrong(
            "to-be-added",
            lambda T: np.where(np.tri(T, dtype=bool), 0.0, -np.inf),
            "That is a mask to be added to the scores, 0 and minus infinity. What does the task ask for?",
        ),
        Wrong(
            "to-be-added-large",
            lambda T: np.where(np.tri(T, dtype=bool), 0.0, -1e9),
            "That is a mask to be added to the scores, 0 and a huge negative number. What does the task ask for?",
        ),
        Wrong(
            "inverted-numbers",
            lambda T: np.triu(np.ones((T, T)), k=1),
            "You hand back floats, and a 1 where a key is hidden. What should stand for 'may attend' by the task, and of which type?",
        ),
        Wrong(
            "one-row-too-many",
            lambda T: np.tri(T + 1, dtype=bool),
            "Your mask is (T + 1, T + 1). How many queries and how many keys are there?",
        ),
        Wrong(
            "axes-for-batch-and-heads",
            lambda T: np.tri(T, dtype=bool)[None, None],
            "The mask is right, with two axes in front, (1, 1, T, T). It broadcasts over batch and heads without them: which shape does the task name?",
        ),
        Wrong(
            "flat",
            lambda T: np.arange(T) >= 0,
            "You hand back one row of T entries. How many rows has a table that says for each *query* which keys it may see?",
        ),
    ),
    hints=(
        "Draw it for T = 3: three rows for three queries. How many True has each?",
        "Query t may see key s if s ≤ t. Two ways: compare positions as a column with positions as a row, or take the lower triangle of a table of True.",
        "`np.tri(T, dtype=bool)`, or `np.arange(T)[:, None] >= np.arange(T)`.",
    ),
    unlocks="One triangle lets a network learn from all T positions of a text at once.",
)  # fmt: skip


# --- padding --------------------------------------------------------------------------------------------------------


def padding_mask(lengths: Array, T: int) -> Any:
    return (np.arange(T) < np.asarray(lengths)[:, None])[:, None, None, :]


def padding_mask_filled(lengths: Array, T: int) -> Any:
    mask = np.full((len(lengths), 1, 1, T), True)
    for n, length in enumerate(lengths):
        mask[n, ..., length:] = False
    return mask


def padding_mask_as_lists(lengths: Array, T: int) -> Any:
    return [[[[t < length for t in range(T)]]] for length in lengths]


def padding_mask_by_counting(lengths: Array, T: int) -> Any:
    return np.less.outer(np.arange(T), lengths).T.reshape(-1, 1, 1, T)


def padded(
    compare: Callable[[Array, Array, int], Array] = lambda t, L, T: t < L,
    shaped: Callable[[Array], Array] = lambda m: m[:, None, None, :],
) -> Callable[..., Any]:
    """The mask with its comparison, its shape or its type exchanged; the comparison sees (T,) and (N, 1)."""
    return lambda lengths, T: shaped(compare(np.arange(T), np.asarray(lengths)[:, None], T))


def lengths_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((np.array([2, 4, 1]), 5)),
        Case((np.array([3, 1, 2, 4]), 6)),
        Case((rng.permutation([1, 2, 5, 6, 3]), 8)),
        Case((rng.permutation([7, 2, 4]), 7)),
        Case((np.array([3, 3]), 3), "sequences without padding"),
        Case((np.array([0, 2]), 4), "an empty sequence"),
        Case(([3, 1], 4), "lengths in a list"),
        Case((np.array([2]), 3), "a single sequence"),
    ]


def cut_from_the_end(lengths: Array, T: int) -> Any:
    mask = np.ones((len(lengths), 1, 1, T), dtype=bool)
    for n, length in enumerate(lengths):
        mask[n, ..., -(T - length) :] = False  # -0 is 0: a full row is emptied
    return mask


PADDING_MASK = Exercise(
    id="transformers.padding_mask",
    kind="function",
    title="No look at padding",
    points=1,
    minutes=8,
    difficulty=1,
    function="padding_mask",
    reference=padding_mask,
    alternatives=(padding_mask_filled, padding_mask_as_lists, padding_mask_by_counting),
    inputs=lengths_inputs,
    wrong=(
        Wrong(
            "inverted",
            padded(lambda t, L, T: t >= L),
            "Your mask is True at the padding. In the course, what does True mean?",
        ),
        Wrong(
            "one-too-many",
            padded(lambda t, L, T: t <= L),
            "One position of padding (if there is any) is allowed in each row. A sequence of length 2 stands at positions 0 and 1: how does 2 compare with its length?",
        ),
        Wrong(
            "one-too-few",
            padded(lambda t, L, T: t < L - 1),
            "The last position of each sequence is hidden, too. A sequence of length 2 stands at positions 0 and 1: how does 1 compare with its length?",
        ),
        Wrong(
            "position-zero-hidden",
            padded(lambda t, L, T: (t > 0) & (t <= L)),
            "Position 0 is hidden and one behind the end is allowed, as if positions counted from 1. Where does a sequence begin?",
        ),
        Wrong(
            "padding-in-front",
            padded(lambda t, L, T: t >= T - L),
            "You allow the *last* positions, as if the padding stood in front. Where does it stand in this task?",
        ),
        Wrong(
            "last-only",
            padded(lambda t, L, T: t == L - 1),
            "Only the last position of each sequence is allowed. What of those before it?",
        ),
        Wrong(
            "longest-for-all",
            padded(lambda t, L, T: (t < L.max()) & (L >= 0)),
            "All rows are those of the longest sequence. Which row belongs to which length?",
        ),
        Wrong(
            "shortest-for-all",
            padded(lambda t, L, T: (t < L.min()) & (L >= 0)),
            "All rows are those of the shortest sequence. Which row belongs to which length?",
        ),
        Wrong(
            "first-for-all",
            padded(lambda t, L, T: (t < L[0]) & (L >= 0)),
            "All rows are those of the first sequence. Which row belongs to which length?",
        ),
        Wrong(
            "never-empty",
            padded(lambda t, L, T: t < np.maximum(L, 1)),
            "Right wherever a sequence has a position at all. In an empty one, your position 0 counts as real. How many real positions has a sequence of length 0?",
        ),
        Wrong(
            "full-ones-emptied",
            cut_from_the_end,
            "A sequence without any padding comes out all False. If you cut from the end, `-(T - length):` becomes `-0:` there: where does that slice begin?",
        ),
        Wrong(
            "everything-allowed",
            padded(lambda t, L, T: (t >= 0) & (L >= 0)),
            "Your mask allows everything. From which position on is a sequence padded?",
        ),
        Wrong(
            "no-axes-for-heads-and-queries",
            padded(shaped=lambda m: m),
            "The rows are right, in the shape (N, T). Against scores of shape (N, h, T, T) that would be taken for queries and keys, if it fits at all. Where do two axes of length 1 belong?",
        ),
        Wrong(
            "no-axis-for-queries",
            padded(shaped=lambda m: m[:, None]),
            "The rows are right, in the shape (N, 1, T). Against (N, h, T, T), axes are matched from the right: what would your N meet?",
        ),
        Wrong(
            "batch-on-the-third-axis",
            padded(shaped=lambda m: m[None, None]),
            "The rows are right, in the shape (1, 1, N, T): the examples stand on the axis of the queries. On which axis do the scores have them?",
        ),
        Wrong(
            "batch-on-the-second-axis",
            padded(shaped=lambda m: m[None, :, None]),
            "The rows are right, in the shape (1, N, 1, T): the examples stand on the axis of the heads. On which axis do the scores have them?",
        ),
        Wrong(
            "queries-hidden",
            padded(shaped=lambda m: m[:, None, :, None]),
            "Your mask is (N, 1, T, 1): it stops padding from *asking*, while everybody may still look at it. On which axis do the keys lie?",
        ),
        Wrong(
            "queries-and-keys-hidden",
            padded(shaped=lambda m: m[:, None, :, None] & m[:, None, None, :]),
            "Your mask is (N, 1, T, T) and stops padding from asking as well, which leaves rows that may attend to nothing. Which shape does the task name?",
        ),
        Wrong(
            "repeated-for-each-query",
            padded(shaped=lambda m: np.repeat(m[:, None, None], m.shape[1], axis=2)),
            "The rows are right and repeated for each query, (N, 1, T, T). Broadcasting does that by itself: which shape does the task name?",
        ),
        Wrong(
            "transposed",
            padded(shaped=lambda m: m.T[:, None, None]),
            "The examples stand where the positions belong: your shape is (T, 1, 1, N). On which axis do the scores have the keys?",
        ),
        Wrong(
            "causal-as-well",
            padded(shaped=lambda m: m[:, None, None] & np.tri(m.shape[1], dtype=bool)),
            "Your mask is causal as well. Such masks are combined where both are needed, with `&`; what alone does this one say?",
        ),
        Wrong(
            "floats",
            padded(shaped=lambda m: m[:, None, None].astype(np.float64)),
            "The mask is right, but of floats, 1.0 and 0.0. A mask of the course says True or False: which comparison gives that?",
        ),
        Wrong(
            "whole-numbers",
            padded(shaped=lambda m: m[:, None, None].astype(np.int64)),
            "The mask is right, but of whole numbers, 1 and 0. A mask of the course says True or False: which comparison gives that?",
        ),
        Wrong(
            "to-be-added",
            padded(shaped=lambda m: np.where(m, 0.0, -np.inf)[:, None, None]),
            "That is a mask to be added to the scores, 0 and minus infinity. What does the task ask for?",
        ),
        Wrong(
            "as-long-as-the-longest",
            lambda lengths, T: padding_mask(lengths, int(np.max(lengths))),
            "Your rows are as long as the longest sequence. To which length have all of them been padded?",
        ),
    ),
    hints=(
        "For one sequence of length 3 out of T = 5, write the row by hand: which positions are real?",
        "Position t is real if t < length. Compare all positions with all lengths at once: (T,) with (N, 1) gives (N, T). Then two axes of length 1 are still missing.",
        "`(np.arange(T) < lengths[:, None])` is (N, T), with `lengths` as an array; `[:, None, None, :]` puts the axes of heads and queries between.",
    ),
    unlocks="Sequences of different lengths can now share a batch.",
)  # fmt: skip
