"""Every exercise against a mistake and an odd but right answer that its author did not write."""

from __future__ import annotations

import importlib

import pytest
from held_out import HeldOut

from dlcourse.checks import TOPICS, catalog, evaluate

ANSWERS: dict[str, HeldOut] = {
    id: answers for topic in TOPICS for id, answers in importlib.import_module(f"held_out.{topic}").ANSWERS.items()
}
IDS = [exercise.id for exercise in catalog()]


@pytest.mark.parametrize("id", IDS)
def test_a_mistake_that_is_not_on_the_list_fails_with_a_true_message(id: str) -> None:
    for seed in range(3):
        verdict = evaluate(id, ANSWERS[id].mistake, seed)
        assert not verdict.passed
        assert ANSWERS[id].says in verdict.message


@pytest.mark.parametrize("id", IDS)
def test_an_odd_but_right_answer_passes(id: str) -> None:
    for seed in range(3):
        verdict = evaluate(id, ANSWERS[id].odd, seed)
        assert verdict.passed, verdict.message
