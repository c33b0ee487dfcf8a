"""The course itself under test: every exercise, its stub, its solutions, and every wrong answer that is known."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from dlcourse.checks import TOPICS, catalog, evaluate
from dlcourse.checks.compare import Tolerance, same_result
from dlcourse.checks.exercise import Exercise, cases_of
from dlcourse.checks.judging import with_facts
from dlcourse.drivers import DRIVERS, run_case

ROOT = Path(__file__).resolve().parents[1]
SEEDS = range(20)
EXERCISES = catalog()
PAIRS = [(exercise, wrong) for exercise in EXERCISES for wrong in exercise.wrong]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
each_wrong = pytest.mark.parametrize(("exercise", "wrong"), PAIRS, ids=[f"{e.id}-{w.name}" for e, w in PAIRS])


@cache
def notebook_of(folder: str, topic: str) -> Any:
    return nbformat.read(ROOT / folder / f"{TOPICS[topic]:02d}_{topic}.ipynb", as_version=4)


@cache
def answers_in(folder: str, topic: str) -> dict[str, Any]:
    """What the definitions of a notebook give, cell by cell; try-it and check cells are left out."""
    namespace: dict[str, Any] = {"__name__": "notebook"}
    for cell in notebook_of(folder, topic).cells:
        role = cell.metadata.get("dlcourse", {}).get("role")
        imports = cell.cell_type == "code" and cell.source.lstrip().startswith(("import", "from"))
        if cell.cell_type == "code" and (role == "solution" or imports):
            exec(compile(cell.source, f"{folder}/{topic}", "exec"), namespace)
    return namespace


def handed_in(folder: str, exercise: Exercise) -> Any:
    return answers_in(folder, exercise.topic).get(exercise.function)


@each_exercise
def test_the_untouched_stub_is_unsolved_and_says_so_kindly(exercise: Exercise) -> None:
    verdict = evaluate(exercise.id, handed_in("exercises", exercise))
    assert not verdict.passed
    assert verdict.mistake in ("stub", "as-given")
    assert "Error" not in verdict.message


@each_exercise
def test_the_solution_notebook_passes_on_twenty_seeds(exercise: Exercise) -> None:
    answer = handed_in("solutions", exercise)
    for seed in SEEDS if not exercise.takes_value else [0]:
        verdict = evaluate(exercise.id, answer, seed)
        assert verdict.passed, verdict.message
        assert verdict.points == exercise.points


@each_exercise
def test_two_right_answers_written_differently_pass(exercise: Exercise) -> None:
    if exercise.takes_value:
        assert evaluate(exercise.id, exercise.reference).passed
        return
    assert len(exercise.alternatives) >= 2
    for answer in (exercise.reference, *exercise.alternatives):
        for seed in SEEDS:
            verdict = evaluate(exercise.id, answer, seed)
            assert verdict.passed, f"{answer}: {verdict.message}"


@each_wrong
def test_a_known_wrong_answer_fails_and_is_named_as_itself(exercise: Exercise, wrong: Any) -> None:
    for seed in (0, 1, 2):
        verdict = evaluate(exercise.id, exercise.wrong_answer(wrong), seed)
        assert not verdict.passed
        assert verdict.mistake == wrong.name
        assert wrong.message in verdict.message
        assert "Or, since the result would be the same" not in verdict.message


@each_exercise
def test_no_two_wrong_answers_are_confused(exercise: Exercise) -> None:
    if exercise.takes_value:
        names = [evaluate(exercise.id, exercise.wrong_answer(wrong)).mistake for wrong in exercise.wrong]
        assert len(set(names)) == len(exercise.wrong)
        return
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    cases = cases_of(exercise, 0)
    done = [
        [
            with_facts(exercise, case, run_case(exercise.driver, wrong.function, case, exercise.seconds))
            for case in cases
        ]
        for wrong in exercise.wrong
    ]
    for i, first in enumerate(done):
        for j in range(i):
            same = all(same_result(a, b, tolerance) for a, b in zip(first, done[j], strict=True))
            assert not same, f"{exercise.wrong[i].name} and {exercise.wrong[j].name} give the same results"


@each_exercise
def test_the_record_is_complete(exercise: Exercise) -> None:
    assert len(exercise.wrong) >= 4
    assert len({wrong.name for wrong in exercise.wrong}) == len(exercise.wrong)
    assert len(exercise.hints) == 3
    assert all(hint.strip() for hint in exercise.hints)
    assert exercise.driver in DRIVERS
    assert exercise.difficulty in (1, 2, 3)
    assert exercise.points > 0
    assert exercise.id.split(".")[0] in TOPICS


def test_every_name_that_a_learner_defines_is_unique() -> None:
    names = [exercise.function for exercise in EXERCISES]
    assert len(names) == len(set(names))


@each_exercise
def test_the_first_case_is_an_ordinary_small_one(exercise: Exercise) -> None:
    first = cases_of(exercise, 0)[0]
    assert not first.label
    numbers = sum(a.size for a in first.args if isinstance(a, np.ndarray))
    assert numbers <= 60


@each_wrong
def test_a_message_is_short_and_asks_a_question(exercise: Exercise, wrong: Any) -> None:
    assert 20 <= len(wrong.message) <= 420
    assert "?" in wrong.message
    verdict = evaluate(exercise.id, exercise.wrong_answer(wrong))
    assert len(verdict.lines) + len(verdict.table) <= 11
    assert len([line for line in verdict.lines if line]) <= 8


@each_exercise
def test_a_check_takes_less_than_five_seconds(exercise: Exercise) -> None:
    answers = [exercise.reference, *(exercise.wrong_answer(wrong) for wrong in exercise.wrong)]
    for answer in answers:
        started = time.process_time()
        evaluate(exercise.id, answer)
        assert time.process_time() - started < 5


@each_exercise
def test_exercise_and_solution_notebooks_hold_its_cells(exercise: Exercise) -> None:
    for folder in ("solutions", "exercises"):
        cells = notebook_of(folder, exercise.topic).cells
        roles = [
            c.metadata["dlcourse"]["role"]
            for c in cells
            if c.metadata.get("dlcourse", {}).get("exercise") == exercise.id
        ]
        assert roles == ["task", "solution", "check", "hints"]
        sources = [c.source for c in cells if c.cell_type == "code"]
        assert f'check("{exercise.id}", {exercise.function})' in sources
