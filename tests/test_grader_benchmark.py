"""The grader's benchmark: it sees the memory of children, a command that fails, and a goal that is missed."""

from __future__ import annotations

import json
import os
import sys

import pytest

LARGE_CHILD = "x = bytearray(80 << 20); import time; time.sleep(0.5)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LARGE_CHILD!r}])"
REACHED = {"few": 6.0, "many": 30.0, "overhead": 0.2, "memory": 0.7, "growth": 1.0}


@pytest.fixture(scope="module")
def grader(benchmark_script):
    return benchmark_script("grader")


def test_the_memory_of_a_childs_child_counts(grader, tmp_path):
    used = grader.usage([sys.executable, "-c", PARENT], tmp_path, dict(os.environ))
    assert 80 < used.memory < 200
    assert used.seconds > 0.5


def test_a_command_that_fails_is_told_with_what_it_said(grader, tmp_path):
    with pytest.raises(RuntimeError, match="out of chalk"):
        grader.usage([sys.executable, "-c", "raise SystemExit('out of chalk')"], tmp_path, dict(os.environ))


def test_a_class_hands_in_right_and_wrong_submissions(grader, tmp_path):
    grader.hand_in_class(tmp_path, 6)
    texts = [path.read_text("utf-8") for path in sorted(tmp_path.rglob("*.ipynb"))]
    assert len(texts) == 6
    assert len(set(texts)) == 3, "four are right, two have mistakes of their own"


@pytest.mark.parametrize(
    ("name", "value"), [("few", 4.9), ("many", 19), ("overhead", 0.6), ("memory", 1.1), ("growth", 2)]
)
def test_a_missed_goal_is_named(grader, name, value):
    assert grader.missed(REACHED) == []
    assert grader.missed({**REACHED, name: value}) == [name]


def used(module, seconds, cpu, memory=100.0):
    return module.Usage(seconds, cpu, (memory, memory))


@pytest.fixture
def result(grader, monkeypatch):
    """What is reported of two rounds in which nbgrader takes 3 s to start and 4 s a submission, ours 1 s and 0.1 s."""
    monkeypatch.setattr(grader, "install_nbgrader", lambda folder: folder)
    monkeypatch.setattr(grader, "run_script", lambda folder: used(grader, 2.5, 2.0))
    monkeypatch.setattr(grader, "run_nbgrader", lambda python, folder, n: used(grader, 3 + 4 * n, 2 + 3 * n, 250.0))
    marks = {"exercises": [{"seconds": 0.02}, {"seconds": 0.03}]}
    monkeypatch.setattr(
        grader, "run_ours", lambda folder, n, jobs=1: (used(grader, 1 + 0.1 * n, 1 + 0.05 * n), [marks] * n)
    )
    return lambda scratch: grader.measure(scratch, 2)


def test_ratios_are_of_the_clock_and_of_processor_time(grader, result, tmp_path):
    found = result(tmp_path)
    assert found["ratios"] == pytest.approx(
        {"few": 27 / 1.6, "many": 243 / 7, "overhead": 0.05, "memory": 0.4, "growth": 1.0}, abs=1e-4
    )
    assert found["cpu_ratios"] == pytest.approx({"few": 20 / 1.3, "many": 182 / 4}, abs=1e-4)
    assert len(found["rounds"]) == 2
    assert "missed" not in grader.table(json.loads(json.dumps(found)))


def test_the_share_of_the_submissions_own_code_is_told(grader, result, tmp_path):
    text = " ".join(grader.notes_of(result(tmp_path)))
    assert "67% of what nbgrader takes" in text
    assert "50% of what dlcourse takes" in text


def test_the_page_shows_the_committed_results(grader):
    text = grader.PAGE.read_text("utf-8")
    assert grader.page(text, json.loads(grader.RESULTS.read_text("utf-8"))) == text, "run benchmarks/grader.py --page"


def test_the_figure_is_made_from_the_results(grader, tmp_path):
    grader.figure(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert grader.FIGURE.exists()
