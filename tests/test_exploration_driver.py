"""What unit 16's first exercises hold answers against: chance, memories, models, and the course's own code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dlcourse.checks import evaluate, find
from dlcourse.checks.exercise import cases_of
from dlcourse.checks.reinforcement_learning import chance
from dlcourse.checks.reinforcement_learning.discounting import discounted_returns
from dlcourse.checks.reinforcement_learning.exploring import RIGHT, choice_inputs, distributions, epsilon_greedy
from dlcourse.checks.reinforcement_learning.planning import planning_inputs, value_iteration
from dlcourse.checks.reinforcement_learning.replaying_answers import (
    BufferOfTheClass,
    ReplayBuffer,
    made,
    shuffles_itself,
)
from dlcourse.checks.reinforcement_learning.updating import q_update
from dlcourse.drivers import exploration
from dlcourse.drivers.exploration import NOTHING, TRANSITIONS, chooses, form_of_sample, remembers_steps, transition

Q = np.array([0.2, 1.0, 0.5, -0.3])


def test_a_share_is_called_unlikely_no_more_often_than_its_bound_says():
    n, p = 12, 0.3
    for share in range(n + 1):
        further = [k for k in range(n + 1) if (k >= share if share > n * p else k <= share)]
        tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in further)
        assert tail <= math.exp(-chance.unlikely(share / n, p, n)) + 1e-12


def test_a_share_of_what_never_happens_is_infinitely_unlikely():
    assert chance.unlikely(0.001, 0.0, 1000) == math.inf
    assert chance.unlikely(0.0, 0.0, 1000) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_right_distribution_of_choices_is_that_of_the_reference(seed: int):
    for case in choice_inputs(np.random.default_rng(seed)):
        q, epsilon, rng = case.materialize()
        draws = [epsilon_greedy(q, epsilon, rng) for _ in range(1500)]
        shares = np.bincount(draws, minlength=len(q)) / 1500
        assert chance.strangeness(shares, distributions(q, epsilon)[RIGHT], 1500) < chance.MOST


def test_known_distributions_are_probabilities():
    for case in choice_inputs(np.random.default_rng(0)):
        for name, p in distributions(*case.args[:2]).items():
            assert np.isclose(p.sum(), 1), name
            assert (p >= 0).all(), name


def test_choices_are_the_same_again_from_the_same_seed():
    told = chooses(epsilon_greedy, Q, 0.4, np.random.default_rng(3))
    assert told["form"] == exploration.WHOLE
    assert np.array_equal(told["chosen"][: len(told["again"])], told["again"])
    assert not told["greedy"]


def test_a_choice_that_is_an_array_now_and_then_is_told_by_its_array():
    def answer(q: Any, epsilon: float, rng: np.random.Generator) -> Any:
        return rng.integers(len(q)) if rng.random() < epsilon else np.flatnonzero(q == q.max())

    assert chooses(answer, Q, 0.4, np.random.default_rng(3)) == {"form": "an array of one number"}
    assert chooses(lambda q, epsilon, rng: None, Q, 0.4, np.random.default_rng(3)) is None


def test_a_full_buffer_brings_the_newest_transitions_as_they_were_added():
    told = remembers_steps(ReplayBuffer, 4, 6, 2, np.random.default_rng(0))
    assert told["lengths"].tolist() == [0, 1, 2, 3, 4, 4, 4]
    assert np.unique(told["numbers"]).tolist() == [2, 3, 4, 5]
    assert (told["form"], told["whole"], told["after"]) == (TRANSITIONS, exploration.AS_ADDED, 4)


def test_a_memory_of_the_class_is_found_whatever_it_holds_from_before():
    for added in (6, 20, 6):
        assert remembers_steps(BufferOfTheClass, 4, added, 2, np.random.default_rng(0))["apart"] != NOTHING


def test_a_length_that_is_always_the_capacity_is_no_shared_memory():
    class Answer(ReplayBuffer):
        def __len__(self) -> int:
            return self.capacity

    assert remembers_steps(Answer, 4, 6, 2, np.random.default_rng(0))["apart"] == NOTHING


def test_the_form_of_a_sample_is_told_in_words():
    rows = [transition(k) for k in range(3)]
    assert form_of_sample(rows, 3) == form_of_sample(tuple(map(list, rows)), 3) == TRANSITIONS
    assert form_of_sample(rows, 2) == "a list of another number of transitions"
    assert form_of_sample(tuple(zip(*rows, strict=True)), 3) == exploration.COLUMNS
    assert form_of_sample(rows[0], 3) == "a single transition"
    assert form_of_sample((row for row in rows), 3) == "a generator"
    assert form_of_sample(np.arange(3.0), 3) == "an array of numbers"
    assert form_of_sample(np.arange(3), 3) == form_of_sample([0, 1, 2], 3) == "whole numbers"
    assert form_of_sample([row[:4] for row in rows], 3) == exploration.PARTS_MISSING


def test_a_buffer_that_sample_empties_is_told_before_it_is_empty():
    class Answer(ReplayBuffer):
        def sample(self, batch: int, rng: np.random.Generator) -> Any:
            return [self.memory.pop(int(rng.integers(len(self.memory)))) for _ in range(batch)]

    assert remembers_steps(Answer, 4, 6, 2, np.random.default_rng(0))["form"] == exploration.GONE


def test_a_buffer_that_sample_shuffles_is_told_from_one_with_a_generator_of_its_own():
    class Own(ReplayBuffer):
        def __init__(self, capacity: int) -> None:
            super().__init__(capacity)
            self.rng = np.random.default_rng(0)

        def sample(self, batch: int, rng: np.random.Generator) -> Any:
            return super().sample(batch, self.rng)

    for answer, expected in ((made(sample=shuffles_itself), True), (Own, False)):
        told = remembers_steps(answer, 9, 12, 3, np.random.default_rng(0))
        assert not np.array_equal(told["numbers"][: len(told["again"])], told["again"])
        assert told["order"] == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_probabilities_of_every_model_add_up_to_one(seed: int):
    for case in planning_inputs(np.random.default_rng(seed)):
        for actions in case.args[0].values():
            for outcomes in actions.values():
                assert np.isclose(sum(outcome[0] for outcome in outcomes), 1)


def test_the_reference_values_equal_those_of_the_course_on_frozen_lake():
    from dlcourse.rl import envs, tabular

    P = envs.make("FrozenLake").unwrapped.P
    assert np.allclose(value_iteration(P, 0.95, 1e-10), tabular.value_iteration(P, 0.95, 1e-10).V, atol=1e-8)


def test_updates_at_random_come_to_the_values_of_the_model():
    P = planning_inputs(np.random.default_rng(0))[1].args[0]
    table, rng, s = np.zeros((len(P), len(P[0]))), np.random.default_rng(0), 0
    for k in range(30_000):
        s, a = int(rng.integers(len(P))), int(rng.integers(len(P[0])))
        _, s_next, r, terminated = P[s][a][rng.choice(len(P[s][a]), p=[o[0] for o in P[s][a]])]
        table = q_update(table, s, a, r, s_next, terminated, 20 / (200 + k / 8), 0.8)
    assert np.allclose(table.max(axis=1), value_iteration(P, 0.8, 1e-9), atol=0.15)


def test_returns_of_a_recording_are_those_of_its_episodes_one_by_one():
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=4), rng.normal(size=6)
    ends = np.isin(np.arange(10), [3, 9])
    together = discounted_returns(np.concatenate([one, two]), ends, 0.9)
    apart = [discounted_returns(part, np.arange(len(part)) == len(part) - 1, 0.9) for part in (one, two)]
    assert np.allclose(together, np.concatenate(apart))


@pytest.mark.parametrize("name", ["epsilon_greedy", "replay_buffer"])
def test_a_verdict_on_chance_is_the_same_each_time(name: str):
    id = f"reinforcement_learning.{name}"
    for wrong in find(id).wrong[:3]:
        first, second = (evaluate(id, wrong.function, seed=7) for _ in range(2))
        assert (first.mistake, first.message) == (second.mistake, second.message)


def test_no_right_arm_wins_by_less_than_rounding():
    cases = [case for seed in range(20) for case in cases_of(find("reinforcement_learning.ucb"), seed)]
    for case in cases:
        values, counts, t, c = case.args
        if counts.all() and len(values) > 1:
            scores = np.sort(values + c * np.sqrt(np.log(t) / counts))
            assert scores[-1] - scores[-2] > 1e-4
