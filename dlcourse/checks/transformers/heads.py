"""Many small lookups side by side: an axis of E numbers is cut into heads, and put together again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def split_heads(x: Array, heads: int) -> Any:
    N, T, E = x.shape
    return x.reshape(N, T, heads, E // heads).transpose(0, 2, 1, 3)


def split_heads_by_cutting(x: Array, heads: int) -> Any:
    return np.stack(np.split(x, heads, axis=2), axis=1)


def split_heads_in_a_loop(x: Array, heads: int) -> Any:
    N, T, E = x.shape
    d = E // heads
    out = np.zeros((N, heads, T, d))
    for head in range(heads):
        out[:, head] = x[..., head * d : (head + 1) * d]
    return out


def split_heads_along_the_transpose(x: Array, heads: int) -> Any:
    N, T, _ = x.shape
    return np.swapaxes(x.swapaxes(1, 2).reshape(N, heads, -1, T), 2, 3)


def split_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((np.arange(8.0).reshape(1, 2, 4), 2)),
        Case((rng.normal(size=(2, 3, 8)), 2)),
        Case((rng.normal(size=(2, 5, 6)), 3)),
        Case((rng.normal(size=(3, 4, 10)), 5)),
        Case((rng.normal(size=(2, 4, 16)), 4)),
        Case((rng.normal(size=(2, 3, 4)), 1), "a single head"),
        Case((rng.normal(size=(2, 1, 6)), 2), "a single position"),
    ]


def shape_of(x: Array, heads: int) -> tuple[int, int, int, int]:
    N, T, E = x.shape
    return N, T, heads, E // heads


def every_hth_number(x: Array, heads: int) -> Any:
    N, T, _, d = shape_of(x, heads)
    return x.reshape(N, T, d, heads).transpose(0, 3, 1, 2)


SPLIT_HEADS = Exercise(
    id="transformers.split_heads",
    kind="function",
    title="Cut into heads",
    points=1,
    minutes=8,
    difficulty=1,
    function="split_heads",
    reference=split_heads,
    alternatives=(split_heads_by_cutting, split_heads_in_a_loop, split_heads_along_the_transpose),
    inputs=split_inputs,
    wrong=(
        Wrong(
            "reshaped-at-once",
            lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1),
            "The shape is right, the numbers are not: `reshape` keeps them in their order, so head 0 holds the first positions whole instead of a part of each. Which axis has to be cut in two, and which two axes then change places?",
        ),
        Wrong(
            "not-transposed",
            lambda x, heads: x.reshape(*shape_of(x, heads)),
            "The cut is right, but the axes stand as (N, T, h, d): heads behind time. Attention multiplies the last two axes: which ones should these be?",
        ),
        Wrong(
            "every-h-th-number",
            every_hth_number,
            "Head i takes every h-th number, i, i + h, … (the axis is cut into (d, h)). Which numbers belong to head 0 by the task, and so which of h and d comes first in the reshape?",
        ),
        Wrong(
            "every-h-th-behind-time",
            lambda x, heads: x.reshape(*x.shape[:2], -1, heads),
            "The axes stand as (N, T, d, h): the cut has d and h exchanged, and nothing has changed places. Which of h and d comes first in the reshape, and which axes change places?",
        ),
        Wrong(
            "positions-last",
            lambda x, heads: x.reshape(*shape_of(x, heads)).transpose(0, 2, 3, 1),
            "The heads are right, but inside of each the axes stand as (d, T). In which order does the task name them?",
        ),
        Wrong(
            "heads-first",
            lambda x, heads: x.reshape(*shape_of(x, heads)).transpose(2, 0, 1, 3),
            "The heads stand in front of the batch, (h, N, T, d). Which axis comes first in the course?",
        ),
        Wrong(
            "time-first",
            lambda x, heads: x.reshape(*shape_of(x, heads)).swapaxes(0, 1),
            "The cut is right, but time has changed places with the batch: (T, N, h, d). Which axis has to change places with time?",
        ),
        Wrong(
            "heads-as-examples",
            lambda x, heads: split_heads(x, heads).reshape(-1, x.shape[1], x.shape[2] // heads),
            "Heads and examples share one axis, (N · h, T, d). How many axes does the task ask for?",
        ),
        Wrong(
            "transposed-before-the-cut",
            lambda x, heads: x.swapaxes(1, 2).reshape(len(x), heads, x.shape[1], -1),
            "You exchange time and width first, and the reshape then tears positions apart. Cut the last axis while it is still the last: which axes change places afterwards?",
        ),
        Wrong(
            "heads-of-h-numbers",
            lambda x, heads: x.reshape(*x.shape[:2], -1, heads).swapaxes(1, 2),
            "Your axis 1 has E / h entries, and each of them h numbers: number of heads and width of a head are exchanged. Which of the two is `heads`?",
        ),
        Wrong(
            "time-cut",
            lambda x, heads: x.reshape(len(x), heads, -1, x.shape[2]),
            "You cut *time* into pieces, each with all E numbers. Should a head see some positions whole, or a part of every position?",
        ),
        Wrong(
            "whole-for-each",
            lambda x, heads: np.repeat(x[:, None], heads, axis=1),
            "Each head gets all E numbers. How many should each have, so that together they cost no more than one?",
        ),
        Wrong(
            "backwards",
            lambda x, heads: split_heads(x, heads)[:, ::-1],
            "The heads stand in reverse order. Which numbers belong to head 0?",
        ),
        Wrong(
            "numbers-backwards",
            lambda x, heads: split_heads(x, heads)[..., ::-1],
            "Inside of each head the numbers stand in reverse order. What order did they have in x?",
        ),
        Wrong(
            "wrong-two-exchanged",
            lambda x, heads: x.reshape(*shape_of(x, heads)).swapaxes(1, 3),
            "The cut is right, but time has changed places with d in place of h: (N, d, h, T). Which two axes should change places?",
        ),
        Wrong(
            "last-two-exchanged",
            lambda x, heads: x.reshape(*shape_of(x, heads)).swapaxes(2, 3),
            "The cut is right, but h and d have changed places: (N, T, d, h). Which two axes should change places?",
        ),
        Wrong(
            "list-of-heads",
            lambda x, heads: np.array(np.split(x, heads, axis=1)),
            "You split along axis 1, which is time (where it can be split). Which axis holds the E numbers, and where does the new axis of heads belong?",
        ),
        Wrong(
            "first-head-only",
            lambda x, heads: split_heads(x, heads)[:, 0],
            "You hand back one head alone, (N, T, d). How many are there?",
        ),
    ),
    hints=(
        "Two steps: cut the last axis into two, then exchange two axes. Write down the shape after each.",
        "E = h · d. A reshape to (N, T, h, d) makes head 0 of the first d numbers of each position, head 1 of the next d. Now T and h have to change places.",
        "`x.reshape(N, T, heads, E // heads)`, then `.swapaxes(1, 2)`.",
    ),
    unlocks="Several lookups for the price of one.",
)  # fmt: skip


# --- and back -------------------------------------------------------------------------------------------------------


def merge_heads(x: Array) -> Any:
    N, h, T, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, T, h * d)


def merge_heads_by_joining(x: Array) -> Any:
    return np.concatenate(list(x.swapaxes(0, 1)), axis=-1)


def merge_heads_in_a_loop(x: Array) -> Any:
    N, h, T, d = x.shape
    out = np.empty((N, T, h * d))
    for t in range(T):
        out[:, t] = x[:, :, t].reshape(N, -1)
    return out


def merge_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((np.arange(8.0).reshape(1, 2, 2, 2),)),
        Case((rng.normal(size=(2, 2, 3, 4)),)),
        Case((rng.normal(size=(2, 3, 5, 2)),)),
        Case((rng.normal(size=(3, 5, 4, 2)),)),
        Case((rng.normal(size=(2, 4, 4, 4)),)),
        Case((rng.normal(size=(2, 1, 3, 4)),), "a single head"),
        Case((rng.normal(size=(2, 2, 1, 3)),), "a single position"),
    ]


MERGE_HEADS = Exercise(
    id="transformers.merge_heads",
    kind="function",
    title="Put the heads together",
    points=1,
    minutes=6,
    difficulty=1,
    function="merge_heads",
    reference=merge_heads,
    alternatives=(merge_heads_by_joining, merge_heads_in_a_loop),
    inputs=merge_inputs,
    wrong=(
        Wrong(
            "reshaped-at-once",
            lambda x: x.reshape(len(x), x.shape[2], -1),
            "The shape is right, the numbers are not: `reshape` keeps them in their order, and so positions of head 0 are joined with each other. Which two axes have to change places first?",
        ),
        Wrong(
            "transposed-too-far",
            lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), x.shape[2], -1),
            "The heads' numbers are shuffled together, one of each head in turn: the axes stood as (N, T, d, h) when you joined them. Which of h and d should stand last?",
        ),
        Wrong(
            "wrong-two-exchanged",
            lambda x: x.swapaxes(1, 3).reshape(len(x), x.shape[2], -1),
            "You exchange h with d before joining. Which two axes have to change places so that T stands behind N?",
        ),
        Wrong(
            "last-two-exchanged",
            lambda x: x.swapaxes(2, 3).reshape(len(x), x.shape[2], -1),
            "You exchange T with d before joining. Which two axes have to change places so that T stands behind N?",
        ),
        Wrong(
            "sizes-misread",
            lambda x: x.swapaxes(1, 2).reshape(len(x), x.shape[1], -1),
            "The axes are exchanged rightly and then joined to (N, h, T · d), as if x were (N, T, h, d). In which order does x name its sizes?",
        ),
        Wrong(
            "sizes-misread-at-once",
            lambda x: x.reshape(len(x), x.shape[1], -1),
            "Your result is (N, h, T · d): each *head* has become one long vector, as if x were (N, T, h, d). In which order does x name its sizes, and which two axes change places first?",
        ),
        Wrong(
            "batch-and-heads-exchanged",
            lambda x: x.swapaxes(0, 1).reshape(len(x), x.shape[2], -1),
            "The heads are brought in front of the batch before joining, so examples are mixed. Which axis stays where it is?",
        ),
        Wrong(
            "examples-joined",
            lambda x: np.concatenate(list(x), axis=-1),
            "Joined are the *examples*, (h, T, N · d): functions that join arrays take x apart along its first axis. Which axis holds the heads?",
        ),
        Wrong(
            "not-joined",
            lambda x: x.swapaxes(1, 2),
            "The axes stand right, (N, T, h, d), but the last two are still apart. How many axes does the result have?",
        ),
        Wrong(
            "not-joined-head-last",
            lambda x: x.transpose(0, 2, 3, 1),
            "You hand back (N, T, d, h). Which two axes are to become one, and in which order?",
        ),
        Wrong(
            "summed",
            lambda x: x.sum(axis=1),
            "The heads are added up, (N, T, d), and nobody can tell any more which one found what. How wide is a position whose heads stand side by side?",
        ),
        Wrong(
            "averaged",
            lambda x: x.mean(axis=1),
            "The heads are averaged, (N, T, d), and nobody can tell any more which one found what. How wide is a position whose heads stand side by side?",
        ),
        Wrong(
            "joined-along-time",
            lambda x: np.concatenate([x[:, i] for i in range(x.shape[1])], axis=1),
            "The heads stand one behind the other along *time*, (N, h · T, d). Along which axis do they belong?",
        ),
        Wrong(
            "first-head-only",
            lambda x: x[:, 0],
            "You hand back the first head alone. What about the others?",
        ),
        Wrong(
            "positions-last",
            lambda x: merge_heads(x).swapaxes(1, 2),
            "Everything is joined, but the axes stand as (N, E, T). In which order does the task name them?",
        ),
        Wrong(
            "time-first",
            lambda x: merge_heads(x).swapaxes(0, 1),
            "Everything is joined, but time stands in front, (T, N, E). In which order does the task name them?",
        ),
        Wrong(
            "flat",
            lambda x: merge_heads(x).reshape(-1, x.shape[1] * x.shape[3]),
            "Examples and positions share one axis, (N · T, E). How many axes does the task ask for?",
        ),
        Wrong(
            "all-flat",
            lambda x: merge_heads(x).reshape(len(x), -1),
            "Each example is one long row, (N, T · E). Which axis was to be kept?",
        ),
        Wrong(
            "backwards",
            lambda x: merge_heads(x[:, ::-1]),
            "The heads stand in reverse order. Which one gives the first d numbers of a position?",
        ),
        Wrong(
            "batch-and-time-exchanged",
            lambda x: x.transpose(2, 0, 1, 3).reshape(len(x), x.shape[2], -1),
            "Time is brought in front of the batch before joining, so examples and positions are mixed. Which axis stays where it is?",
        ),
    ),
    hints=(
        "It is `split_heads` backwards, the last step first. What was its last step?",
        "Exchange h and T first: (N, T, h, d). Then the last two axes stand side by side and in order, and can be joined.",
        "`x.swapaxes(1, 2).reshape(N, T, h * d)`.",
    ),
    unlocks="Cut, look, join: multi-head attention is complete but for two matrices.",
)  # fmt: skip
