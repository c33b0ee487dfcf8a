"""The exercises: what is right, which mistakes are known, and what is said about them."""

from __future__ import annotations

import difflib
import importlib
import os
from functools import cache, lru_cache
from typing import Any

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.feedback import CheckFailed, Verdict
from dlcourse.checks.form import form_problem
from dlcourse.checks.judging import Standard, failed, judge
from dlcourse.checks.tables import Finding
from dlcourse.drivers import run_case

__all__ = ["TOPICS", "CheckFailed", "Exercise", "Verdict", "Wrong", "catalog", "evaluate", "find"]

# In the order of the course; the number is the unit's.
TOPICS = {
    "neuron": 1,
    "gradient_descent": 2,
    "backpropagation": 3,
    "multilayer_perceptron": 4,
    "training_deep_networks": 5,
    "convolutional_networks": 7,
    "recurrent_networks": 9,
    "transformers": 11,
    "gans": 14,
    "reinforcement_learning": 16,
}


@cache
def _by_id() -> dict[str, Exercise]:
    exercises = {}
    for topic in [only] if (only := os.environ.get("DLCOURSE_ONLY_TOPIC")) else TOPICS:
        for exercise in importlib.import_module(f"dlcourse.checks.{topic}").EXERCISES:
            exercises[exercise.id] = exercise
    return exercises


def catalog() -> list[Exercise]:
    """All exercises, in the order of the course."""
    return list(_by_id().values())


def find(id: str) -> Exercise:
    """The exercise with this id.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest.
    """
    try:
        return _by_id()[id]
    except (KeyError, TypeError):
        near = difflib.get_close_matches(str(id), _by_id(), n=1, cutoff=0.4)
        raise ValueError(f"no exercise has the id {id!r}" + (f"; did you mean {near[0]!r}?" if near else "")) from None


def evaluate(id: str, answer: Any, seed: int = 0) -> Verdict:
    """Judge an answer without printing or recording anything.

    Parameters
    ----------
    id : the exercise, "topic.name"
    answer : the learner's function, class or value
    seed : fixes the inputs; the same seed gives the same verdict

    Returns
    -------
    Verdict
        With ``passed``, ``mistake``, ``message``, ``points``. Whatever the answer does ends in a verdict.

    Raises
    ------
    ValueError
        If no exercise has this id.
    """
    exercise = find(id)
    problem: Finding | None = form_problem(exercise, answer)
    if problem:
        return failed(exercise, problem)
    return judge(_standard(exercise, seed), lambda case: run_case(exercise.driver, answer, case, exercise.seconds))


@lru_cache(maxsize=4)  # who answers wrongly tries again
def _standard(exercise: Exercise, seed: int) -> Standard:
    return Standard(exercise, seed)
