"""The grader's benchmark: it sees the memory of children, a command that fails, and a goal that is missed."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LARGE_CHILD = "x = bytearray(80 << 20); import time; time.sleep(0.5)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LARGE_CHILD!r}])"
REACHED = {"few": 6.0, "many": 30.0, "overhead": 0.2, "memory": 0.7, "growth": 1.0}


@pytest.fixture(scope="module")
def grader():
    """benchmarks/grader.py, which lies outside of the package."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("grader")
    sys.path.remove(str(BENCHMARKS))


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
