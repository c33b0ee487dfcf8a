"""A memory of transitions to draw from (Lin 1992): the newest ones, each as likely as any other."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.reinforcement_learning.chance import MOST, unlikely
from dlcourse.checks.reinforcement_learning.replaying_answers import (
    BufferOfADeque,
    BufferOfAList,
    BufferOfTheClass,
    ReplayBuffer,
    block,
    drawn,
    forgets_the_end,
    forgets_the_newest,
    halves,
    in_columns,
    in_single_precision,
    keeps_the_state_twice,
    made,
    mirrored,
    neighbors,
    never_forgets,
    newer_more_often,
    older_more_often,
    one_too_few,
    one_too_many,
    overwrites_at_random,
    overwrites_the_first,
    packs_again,
    removes_what_it_draws,
    shuffles_itself,
    skips_a_place,
    skips_the_first,
    starts_over,
    stops_when_full,
    twice,
)
from dlcourse.drivers import Case, Rng
from dlcourse.drivers.exploration import NOTHING, TRANSITIONS

Array = NDArray[np.float64]
Generator = np.random.Generator


def buffer_inputs(rng: Generator) -> list[Case]:
    def case(capacity: int, added: int, batch: int, label: str = "") -> Case:
        return Case((capacity, added, batch, Rng(int(rng.integers(10_000)))), label)

    return [
        case(4, 6, 2),
        case(8, 21, 3),
        case(10, 24, 4),
        case(6, 18, 4),
        case(10, 7, 3, "a buffer that is not full"),
        case(7, 7, 3, "a buffer that has become full"),
        case(7, 8, 3, "one transition more than there is room for"),
        case(9, 30, 1, "samples of one"),
        case(1, 5, 1, "room for one transition"),
        case(6, 9, 6, "samples as large as the buffer"),
    ]


APART, LENGTHS, FORM, WHOLE, KEPT, SHARES, PLACES, SOURCE, AFTER = (
    "what a second buffer holds, to which nothing was added",
    "len(buffer), at first and after each `add`",
    "the form of a sample",
    "the transitions that come back",
    "which transitions come in many samples",
    "how often each of them comes",
    "how the places of a sample hang together",
    "the random numbers",
    "what the samples leave in the buffer",
)


def buffer_facts(case: Case, value: Any) -> dict[str, Any]:
    capacity, added, batch, _ = case.args
    came = f"{KEPT}, after {added} were added"
    unseen = dict.fromkeys((WHOLE, came, SHARES, PLACES, SOURCE, AFTER), "not looked at")
    facts: dict[str, Any] = {APART: value["apart"], LENGTHS: value["lengths"], FORM: value["form"]}
    if facts[APART] != NOTHING:
        return {**facts, LENGTHS: "not looked at", FORM: "not looked at", **unseen}
    if value["form"] != TRANSITIONS:
        return {**facts, **unseen}
    numbers = value["numbers"]  # (samples, batch)
    held = range(max(0, added - capacity), added)
    kept = _kept(np.unique(numbers).tolist(), list(held), added)
    every = kept == "the newest"
    return {
        **facts,
        WHOLE: value["whole"],
        came: kept,
        SHARES: _shares(numbers, list(held)) if every else "not looked at",
        PLACES: _places(numbers, list(held)) if every else "not looked at",
        SOURCE: _source(numbers, value["again"], len(held) > batch, value["order"]),
        AFTER: "everything" if value["after"] == value["lengths"][-1] else "not everything",
    }


def _kept(came: list[int], held: list[int], added: int) -> str:
    if came == held:
        return "the newest"
    if -1 in came:
        return "some that were never added"
    names = {
        "the first ones added": list(range(len(held))),
        "all that were ever added": list(range(added)),
        "the first ones and the very newest": [*range(len(held) - 1), added - 1],
        "one too many": list(range(max(0, held[0] - 1), added)),
        "all but the very newest": held[:-1],
        "all but the oldest": held[1:],
        "the very newest alone": held[-1:],
        "the oldest alone": held[:1],
    }
    found = next((name for name, numbers in names.items() if came == numbers), "")
    if found:
        return found
    if set(came) < set(held):
        last = list(range(came[0], added))
        return "only the last ones" if came == last else "only the oldest" if came[0] == held[0] else "only some"
    return "some that are too old"


def _shares(numbers: Array, held: list[int]) -> str:
    """Whether all come equally often; if not, who is preferred."""
    counts = np.bincount(numbers.ravel() - held[0], minlength=len(held))
    n, p = int(counts.sum()), 1 / len(held)
    if all(unlikely(count / n, p, n) < MOST for count in counts.tolist()):
        return "each as often as any other"
    rest = counts[:-1]
    if counts[-1] > rest.max() and unlikely(rest.max() / rest.sum(), 1 / len(rest), int(rest.sum())) < MOST:
        return "the newest more often, the others alike"
    half = len(held) // 2
    newer, older = counts[-half:].mean(), counts[:half].mean()
    return (
        "newer ones more often"
        if newer > 1.2 * older
        else "older ones more often"
        if older > 1.2 * newer
        else "unevenly"
    )


def _places(numbers: Array, held: list[int]) -> str:
    if numbers.shape[1] < 3 or len(held) < 6 or numbers.shape[1] > len(held) / 2:
        return "not at all"
    if (numbers == numbers[:, :1]).all():
        return "one transition, several times"
    if (np.diff(numbers, axis=1) >= 0).all():
        return "in order of age"
    if (np.diff(numbers, axis=1) <= 0).all():
        return "the newest first"
    steps, sums = np.diff(numbers, axis=1) % len(held), (numbers[:, 1:] + numbers[:, :-1]) % len(held)
    if (steps == 1).mean() > 0.9:
        return "neighbors in a row"
    ways = (("equally far apart", steps), ("one place decides another", sums))
    return next((way for way, told in ways if any(_mostly_one(column) for column in told.T)), "not at all")


def _mostly_one(numbers: Array) -> bool:
    return bool(np.bincount(numbers.astype(int)).max() > len(numbers) / 2)


def _source(numbers: Array, again: Array, free: bool, order: bool) -> str:
    if free and (numbers == numbers[0]).all():
        return "no chance at all"
    same = again.shape == numbers[: len(again)].shape and np.array_equal(numbers[: len(again)], again)
    return "rng" if same or not free else "rng, and what was drawn before" if order else "not from rng alone"


REPLAY_BUFFER = Exercise(
    id="reinforcement_learning.replay_buffer",
    kind="class",
    title="A memory to learn from",
    points=3,
    minutes=20,
    difficulty=2,
    function="ReplayBuffer",
    reference=ReplayBuffer,
    alternatives=(BufferOfADeque, BufferOfAList),
    inputs=buffer_inputs,
    driver="remembers_steps",
    facts=buffer_facts,
    returns=("a list of transitions",),
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "stops-when-full",
            made(add=stops_when_full),
            "Once the buffer is full, nothing new stays in it: for ever it holds the first transitions, those of an agent that could do nothing yet. Which one should give way?",
        ),
        Wrong(
            "never-forgets",
            made(add=never_forgets),
            "Nothing is ever forgotten: `len` goes beyond `capacity`. What must happen when the buffer is full?",
        ),
        Wrong(
            "newest-gives-way",
            made(add=forgets_the_newest),
            "In a full buffer, the new transition takes the place of the *newest* one, and the old ones stay. `list.pop()` takes from the end: which end holds the oldest?",
        ),
        Wrong(
            "first-place-overwritten",
            made(add=overwrites_the_first),
            "In a full buffer, every new transition is written to place 0. Which place comes next, after that one?",
        ),
        Wrong(
            "starts-over",
            made(add=starts_over),
            "A full buffer is emptied before something new comes in. How many transitions must give way for one?",
        ),
        Wrong(
            "one-too-many",
            made(add=one_too_many),
            "Your buffer holds one transition more than `capacity`. Is it asked whether there is *too much*, or whether there is *no room left*?",
        ),
        Wrong(
            "one-too-few",
            made(add=one_too_few),
            "Your buffer holds one transition less than `capacity`. Does the oldest have to go as soon as the buffer is full, or only when one more comes?",
        ),
        Wrong(
            "random-place-overwritten",
            made(add=overwrites_at_random),
            "In a full buffer some of the older transitions survive newer ones: it is not the oldest that gives way. Where does the oldest one stand?",
        ),
        Wrong(
            "goes-round-too-early",
            made(add=skips_a_place),
            "In a full buffer the last place is never overwritten. The place goes round, modulo which number?",
        ),
        Wrong(
            "one-place-late",
            made(add=skips_the_first),
            "When the buffer has become full, the oldest transition is spared for one round, and the second oldest gives way first. At which place does the round begin?",
        ),
        Wrong(
            "single-precision",
            made(add=in_single_precision),
            "Observations come back changed: they are rounded, as `float32` does. What does the task say of how the buffer keeps a transition?",
        ),
        Wrong(
            "parts-missing",
            made(add=packs_again),
            "Transitions come back with another number of parts than five. Did one get lost, or is a tuple packed into a tuple, as a star in `add(self, *transition)` does?",
        ),
        Wrong(
            "added-twice",
            made(add=twice),
            "Each `add` puts two entries into the buffer. Does `append` stand beside the line that writes to a place?",
        ),
        Wrong(
            "termination-lost",
            made(add=forgets_the_end),
            "Transitions come back changed: `terminated` is False in all of them. What would the target of such a transition be?",
        ),
        Wrong(
            "next-state-lost",
            made(add=keeps_the_state_twice),
            "Transitions come back changed: in place of the next observation stands the one before. Which of a transition's parts must survive?",
        ),
        Wrong(
            "newest-only",
            made(sample=drawn(lambda N, batch, rng: np.arange(N - batch, N))),
            "Every sample is the last `batch` transitions. They come from a few moments of one episode: why does a replay buffer draw at random from all it has?",
        ),
        Wrong(
            "oldest-only",
            made(sample=drawn(lambda N, batch, rng: np.arange(batch))),
            "Every sample is the first `batch` transitions that the buffer holds. Where does `rng` come in?",
        ),
        Wrong(
            "from-the-newer-half",
            made(sample=drawn(halves)),
            "You draw from the newer part of the buffer alone. How likely should each of the transitions in it be?",
        ),
        Wrong(
            "newer-more-often",
            made(sample=drawn(newer_more_often)),
            "Newer transitions come more often than older ones. How likely does the task want each of them to be?",
        ),
        Wrong(
            "newest-in-every-sample",
            made(sample=drawn(lambda N, batch, rng: np.append(N - 1, rng.integers(N, size=batch - 1)))),
            "The newest transition comes more often than the others, and these all alike, as if each sample had a place kept for it. How likely does the task want each to be?",
        ),
        Wrong(
            "older-more-often",
            made(sample=drawn(older_more_often)),
            "Older transitions come more often than newer ones. How likely does the task want each of them to be?",
        ),
        Wrong(
            "never-the-newest",
            made(sample=drawn(lambda N, batch, rng: rng.integers(max(N - 1, 1), size=batch))),
            "The newest transition never comes. Is the upper end of `rng.integers` one of its numbers?",
        ),
        Wrong(
            "never-the-oldest",
            made(sample=drawn(lambda N, batch, rng: rng.integers(min(1, N - 1), N, size=batch))),
            "The oldest transition never comes. Where does the range of your random places begin?",
        ),
        Wrong(
            "last-place-never-drawn",
            made(sample=lambda b, batch, rng: [b.memory[k] for k in rng.integers(max(len(b.memory) - 1, 1), size=batch)]),
            "The last place of the list is never drawn. Is the upper end of `rng.integers` one of its numbers?",
        ),
        Wrong(
            "places-never-filled",
            made(sample=lambda b, batch, rng: [b.memory[k] if k < len(b.memory) else None for k in rng.integers(b.capacity, size=batch)]),
            "Right when the buffer is full. Before, you also draw from places where nothing stands yet. How many transitions are there?",
        ),
        Wrong(
            "neighbors",
            made(sample=drawn(neighbors)),
            "A sample is a run of neighbors from a random place on. They come from the same few moments, and resemble each other: how does each get a place of its own?",
        ),
        Wrong(
            "regular-distance",
            made(sample=drawn(lambda N, batch, rng: (rng.integers(N) + max(1, N // batch) * np.arange(batch)) % N)),
            "Two places of a sample always lie equally far apart, so that one decides the other. How many random numbers does a sample of `batch` transitions need?",
        ),
        Wrong(
            "mirrored-places",
            made(sample=drawn(mirrored)),
            "One place of a sample decides another: where the one is, follows from the other. How many random numbers does a sample of `batch` transitions need?",
        ),
        Wrong(
            "block-of-neighbors",
            made(sample=drawn(block)),
            "A sample is a slice from a random place on, so its transitions are neighbors, and the first and last of the buffer come rarely. How does each get a place of its own?",
        ),
        Wrong(
            "in-order-of-age",
            made(sample=drawn(lambda N, batch, rng: np.sort(rng.integers(N, size=batch)))),
            "Your samples are sorted: older transitions always stand before newer ones. May the first place of a sample hold any transition?",
        ),
        Wrong(
            "newest-first",
            made(sample=drawn(lambda N, batch, rng: -np.sort(-rng.integers(N, size=batch)))),
            "Your samples are sorted: newer transitions always stand before older ones. May the first place of a sample hold any transition?",
        ),
        Wrong(
            "rounded-to-a-place",
            made(sample=drawn(lambda N, batch, rng: np.round(rng.random(batch) * (N - 1)).astype(int))),
            "Not all come equally often: the first and the last of the buffer about half as often as the others, as if `rng.random() * (N - 1)` were rounded. Which numbers from 0 to 2 are rounded to 0, and which to 1?",
        ),
        Wrong(
            "shuffled-memory",
            made(sample=shuffles_itself),
            "A sample depends on those drawn before it: `sample` changes something in the buffer, such as the order of its list by `rng.shuffle`. How would `add` still find the oldest transition?",
        ),
        Wrong(
            "one-for-all",
            made(sample=lambda b, batch, rng: [b.memory[int(rng.integers(len(b.memory)))]] * batch),
            "A sample is one transition, repeated. How many random places does a sample of `batch` need?",
        ),
        Wrong(
            "own-seed",
            made(sample=lambda b, batch, rng: ReplayBuffer.sample(b, batch, np.random.default_rng(0))),
            "Every sample is the same: it begins with the same random numbers each time. Who hands you a generator that goes on?",
        ),
        Wrong(
            "another-generator",
            made(sample=lambda b, batch, rng: [random.choice(b.memory) for _ in range(batch)]),
            "With `rng` started anew from the same seed, other transitions come: random numbers are from elsewhere, such as the module `random`. Which generator does the task hand you?",
        ),
        Wrong(
            "removes-what-it-draws",
            made(sample=removes_what_it_draws),
            "Whatever is drawn is gone from the buffer. How often may a transition be learned from?",
        ),
        Wrong(
            "places-for-transitions",
            made(sample=lambda b, batch, rng: rng.integers(len(b.memory), size=batch)),
            "A sample of yours holds numbers, places in the buffer perhaps. What stands in these places?",
        ),
        Wrong(
            "columns-for-transitions",
            made(sample=in_columns),
            "A sample of yours holds five lists: one for the observations, one for the actions and so on. A network will want that; what does the task ask for?",
        ),
        Wrong(
            "one-transition",
            made(sample=lambda b, batch, rng: b.memory[int(rng.integers(len(b.memory)))]),
            "A sample of yours is a single transition, not in a list. How many does `batch` ask for?",
        ),
        Wrong(
            "everything",
            made(sample=lambda b, batch, rng: [b.memory[k] for k in rng.permutation(len(b.memory))]),
            "A sample of yours holds another number of transitions than `batch`, such as all of them. How many are asked for?",
        ),
        Wrong(
            "generator",
            made(sample=lambda b, batch, rng: (b.memory[k] for k in rng.integers(len(b.memory), size=batch))),
            "`sample` hands back a generator, whose transitions can be read once. What does the task ask for: is there a comprehension in round brackets?",
        ),
        Wrong(
            "shared-memory",
            BufferOfTheClass,
            "What is added to one buffer is in every other, too: their list belongs to the class, not to the object. In which method, and with which word before it, does an object get a list of its own?",
        ),
        Wrong(
            "length-is-capacity",
            made(length=lambda b: b.capacity),
            "`len` gives the capacity, however much the buffer holds. What is it in the beginning?",
        ),
        Wrong(
            "length-counts-all",
            made(length=lambda b: b.added),
            "`len` counts everything that was ever added. What is it when old transitions have given way?",
        ),
        Wrong(
            "length-is-the-place",
            made(length=lambda b: b.place),
            "`len` gives the place that is written to next, and that goes round to 0. How many transitions does a full buffer hold?",
        ),
    ),
    hints=(
        "Two questions: what gives way when the buffer is full, and how likely is each transition in a sample?",
        "Keep a list and the place to write to next, which goes round modulo capacity. Sample places with `rng.integers`.",
        "`add`: append while there is room, else `self.memory[self.place] = transition`; then `self.place = (self.place + 1) % self.capacity`. `sample`: `[self.memory[k] for k in rng.integers(len(self.memory), size=batch)]`.",
    ),
    unlocks="Neighbors in time resemble each other; drawn from a memory, they hardly know each other.",
)  # fmt: skip
