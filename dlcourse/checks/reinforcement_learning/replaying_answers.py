"""Answers to the exercise on the replay buffer, right and wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

Generator = np.random.Generator


class ReplayBuffer:
    """A ring: when it is full, the place to write to goes round."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.memory, self.place = capacity, [], 0  # type: ignore[var-annotated]

    def add(self, transition: Any) -> None:
        """Put one in."""
        if len(self.memory) < self.capacity:
            self.memory.append(transition)
        else:
            self.memory[self.place] = transition
        self.place = (self.place + 1) % self.capacity

    def sample(self, batch: int, rng: Generator) -> Any:
        """Draw some."""
        return [self.memory[k] for k in rng.integers(len(self.memory), size=batch)]

    def __len__(self) -> int:
        return len(self.memory)


class BufferOfADeque:
    """The newest transitions, to draw from at random."""

    def __init__(self, capacity: int) -> None:
        self.memory: deque[Any] = deque(maxlen=capacity)

    def add(self, transition: Any) -> None:
        """Put one in."""
        self.memory.append(transition)

    def sample(self, batch: int, rng: Generator) -> Any:
        """Draw some."""
        places = rng.choice(len(self.memory), batch, replace=False)
        return [self.memory[k] for k in places]

    def __len__(self) -> int:
        return len(self.memory)


class BufferOfAList(list[Any]):
    """The oldest goes first; a sample is the beginning of a shuffled list of places."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def add(self, transition: Any) -> None:
        """Put one in."""
        self.append(transition)
        del self[: -self.capacity]

    def sample(self, batch: int, rng: Generator) -> Any:
        """Draw some."""
        return tuple(self[k] for k in rng.permutation(len(self))[:batch])


def made(
    add: Callable[[Any, Any], None] | None = None,
    sample: Callable[[Any, int, Generator], Any] | None = None,
    length: Callable[[Any], Any] | None = None,
    start: Callable[[Any], None] | None = None,
) -> type:
    """The buffer with one method exchanged."""

    class Answer(ReplayBuffer):
        def __init__(self, capacity: int) -> None:
            super().__init__(capacity)
            self.added = 0
            if start:
                start(self)

        def add(self, transition: Any) -> None:
            self.added += 1
            (add or ReplayBuffer.add)(self, transition)

        def sample(self, batch: int, rng: Generator) -> Any:
            return (sample or ReplayBuffer.sample)(self, batch, rng)

        def __len__(self) -> int:
            return (length or ReplayBuffer.__len__)(self)

    return Answer


def drawn(places: Callable[[int, int, Generator], Any]) -> Callable[[Any, int, Generator], Any]:
    """A sample of the places in order of age, 0 for the oldest."""

    def sample(buffer: Any, batch: int, rng: Generator) -> Any:
        turn = buffer.place if len(buffer.memory) == buffer.capacity else 0
        by_age = buffer.memory[turn:] + buffer.memory[:turn]
        return [by_age[int(k)] for k in places(len(by_age), batch, rng)]

    return sample


def mirrored(N: int, batch: int, rng: Generator) -> Any:
    """Every other place lies opposite to the one before it."""
    places = rng.integers(N, size=batch)
    places[1::2] = N - 1 - places[: batch - batch % 2 : 2]
    return places


def stops_when_full(buffer: Any, transition: Any) -> None:
    if len(buffer.memory) < buffer.capacity:
        buffer.memory.append(transition)


def never_forgets(buffer: Any, transition: Any) -> None:
    buffer.memory.append(transition)


def forgets_the_newest(buffer: Any, transition: Any) -> None:
    if len(buffer.memory) == buffer.capacity:
        buffer.memory.pop()
    buffer.memory.append(transition)


def overwrites_the_first(buffer: Any, transition: Any) -> None:
    if len(buffer.memory) == buffer.capacity:
        buffer.memory[0] = transition
    else:
        buffer.memory.append(transition)


def starts_over(buffer: Any, transition: Any) -> None:
    if len(buffer.memory) == buffer.capacity:
        buffer.memory.clear()
    buffer.memory.append(transition)


def one_too_many(buffer: Any, transition: Any) -> None:
    buffer.memory.append(transition)
    if len(buffer.memory) > buffer.capacity + 1:
        del buffer.memory[0]


def one_too_few(buffer: Any, transition: Any) -> None:
    buffer.memory.append(transition)
    if len(buffer.memory) >= buffer.capacity and buffer.capacity > 1:
        del buffer.memory[0]


def overwrites_at_random(buffer: Any, transition: Any) -> None:
    if len(buffer.memory) < buffer.capacity:
        buffer.memory.append(transition)
    else:
        buffer.memory[(7 * buffer.added + buffer.added // 3) % buffer.capacity] = transition


def skips_a_place(buffer: Any, transition: Any) -> None:
    """The place goes round one too early."""
    if len(buffer.memory) < buffer.capacity:
        buffer.memory.append(transition)
    else:
        buffer.memory[buffer.place] = transition
        buffer.place = (buffer.place + 1) % max(buffer.capacity - 1, 1)


def skips_the_first(buffer: Any, transition: Any) -> None:
    if len(buffer.memory) < buffer.capacity:
        buffer.memory.append(transition)
    else:
        buffer.place = (buffer.place + 1) % buffer.capacity
        buffer.memory[buffer.place] = transition


def in_single_precision(buffer: Any, transition: Any) -> None:
    s, a, r, s_next, ends = transition
    ReplayBuffer.add(buffer, (s.astype(np.float32), a, r, s_next.astype(np.float32), ends))


def packs_again(buffer: Any, *transition: Any) -> None:
    ReplayBuffer.add(buffer, transition)


def shuffles_itself(buffer: Any, batch: int, rng: Generator) -> Any:
    rng.shuffle(buffer.memory)
    return buffer.memory[:batch]


def twice(buffer: Any, transition: Any) -> None:
    ReplayBuffer.add(buffer, transition)
    ReplayBuffer.add(buffer, transition)


def forgets_the_end(buffer: Any, transition: Any) -> None:
    s, a, r, s_next, _ = transition
    ReplayBuffer.add(buffer, (s, a, r, s_next, False))


def keeps_the_state_twice(buffer: Any, transition: Any) -> None:
    s, a, r, _, ends = transition
    ReplayBuffer.add(buffer, (s, a, r, s, ends))


class BufferOfTheClass:
    """The list belongs to the class, and so to all buffers."""

    memory: list[Any] = []  # noqa: RUF012 - this is the mistake

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def add(self, transition: Any) -> None:
        """Put one in."""
        self.memory.append(transition)
        del self.memory[: -self.capacity]

    def sample(self, batch: int, rng: Generator) -> Any:
        """Draw some."""
        return [self.memory[k] for k in rng.integers(len(self.memory), size=batch)]

    def __len__(self) -> int:
        return len(self.memory)


def removes_what_it_draws(buffer: Any, batch: int, rng: Generator) -> Any:
    while len(buffer.memory) < batch:
        buffer.memory.append((np.zeros(2), 0, -1.0, np.zeros(2), False))
    return [buffer.memory.pop(int(rng.integers(len(buffer.memory)))) for _ in range(batch)]


def in_columns(buffer: Any, batch: int, rng: Generator) -> Any:
    return tuple(map(list, zip(*ReplayBuffer.sample(buffer, batch, rng), strict=True)))


def halves(N: int, batch: int, rng: Generator) -> Any:
    return rng.integers(N // 2, N, size=batch)


def newer_more_often(N: int, batch: int, rng: Generator) -> Any:
    return rng.choice(N, batch, p=np.arange(1, N + 1) / (N * (N + 1) / 2))


def older_more_often(N: int, batch: int, rng: Generator) -> Any:
    return rng.choice(N, batch, p=np.arange(N, 0, -1) / (N * (N + 1) / 2))


def neighbors(N: int, batch: int, rng: Generator) -> Any:
    return (rng.integers(N) + np.arange(batch)) % N


def block(N: int, batch: int, rng: Generator) -> Any:
    return rng.integers(N - batch + 1) + np.arange(batch)
