"""What makes the grader fast, and must not change a mark: imports left out, cases sent at once, expectations kept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import hostile
import numpy as np
import pytest

from dlcourse.checks import find
from dlcourse.checks.exercise import cases_of
from dlcourse.checks.judging import Standard, judge
from dlcourse.drivers import Case, run_case
from dlcourse.grader import cells, session, worker
from dlcourse.grader.remote import MOST_BYTES, _batch
from dlcourse.grader.session import Grader, Options
from dlcourse.grader.zygote import _all_children, _children

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has the layers")


def runs(*sources: str) -> str:
    """The imports that run where the answer is called ``answer``, among statements one a cell."""
    found, unreadable = cells.statements_of([(i, source, "") for i, source in enumerate(sources)], {"answer"})
    assert unreadable == {}
    chosen = cells.running({"answer"}, found)
    return " ".join(str(s.key[0]) for s in chosen if "import" in sources[s.key[0]].split("\n")[0])


ANSWER = "def answer(x):\n    return {}"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["import never_loaded as plt", ANSWER.format("x"), "plt.plot(answer(1))"], ""),
        (["import never_loaded as plt", ANSWER.format("plt.sqrt(x)")], "0"),
        (["from never_loaded import root", ANSWER.format("helper(x)"), "helper = root"], "0"),
        (["from never_loaded import root", ANSWER.format("x"), "def other(x):\n    return root(x)"], "0"),
        (["from never_loaded import *", ANSWER.format("x")], "0"),
        (["import never_loaded as plt", ANSWER.format("globals()['p' + 'lt'].sqrt(x)")], "0"),
        (["import never_loaded as plt", ANSWER.format("mine.plt.sqrt(x)")], "0"),
        (["import never_loaded as plt", ANSWER.format("getattr(mine, 'plt').sqrt(x)")], "0"),
        (["import never", "import never.loaded", ANSWER.format("never.loaded.sqrt(x)")], "0 1"),
        (["import never as n", "from never.loaded import sqrt", ANSWER.format("n.loaded.sqrt(x)")], "0 1"),
        (["import never as n", "from other.loaded import sqrt", ANSWER.format("n.log(x)")], "0"),
        (["from never import nn", "from never.loaded import sqrt", ANSWER.format("nn.log(x)")], "0"),
        (["import json", "from math import sqrt", ANSWER.format("x")], "0 1"),
    ],
)
def test_an_import_that_loads_something_runs_only_where_it_can_be_used(sources, expected):
    assert runs(*sources) == expected


def test_code_that_parses_and_is_no_python_is_reported_for_definitions_and_answers():
    found, unreadable = cells.statements_of(
        [(1, "def twice(x, x):\n    pass", ""), (2, "answer = lambda x, x: x", ""), (3, "print(lambda x, x: x)", "")],
        {"answer"},
    )
    assert unreadable == {1: "line 1: SyntaxError", 2: "line 1: SyntaxError"}
    assert [statement.key for statement in found] == [(3, 0)]


def test_a_forbidden_function_of_a_module_loaded_in_between_is_found(monkeypatch):
    used: list[str] = []
    shortcuts = worker.Shortcuts(["torch.loaded_late.softmax"])
    assert shortcuts.places() == []
    late = type(sys)("torch.loaded_late")
    late.softmax = lambda z: z
    monkeypatch.setitem(sys.modules, "torch.loaded_late", late)
    with worker.watching(shortcuts, used):
        late.softmax(1)
    late.softmax(1)
    assert used == ["torch.loaded_late.softmax"]


def test_expectations_are_computed_once():
    exercise, calls = find("neuron.softmax"), []
    standard = Standard(exercise, 5)

    def run(case):
        calls.append(case)
        return run_case(exercise.driver, exercise.wrong_answer(exercise.wrong[0]), case)

    first = judge(standard, run)
    kept = dict(standard._outcomes)
    assert judge(standard, run) == first
    assert standard._outcomes == kept
    assert calls == [*standard.cases, *standard.cases]


def test_cases_go_together_as_far_as_they_fit():
    cases = cases_of(find("neuron.softmax"), 0)
    assert _batch(cases[1], cases) == cases[1:]
    assert _batch(cases_of(find("neuron.softmax"), 0)[1], cases) != cases[1:], "another case, however equal"
    large = [Case((np.zeros(MOST_BYTES // 2, np.uint8),)) for _ in range(3)]
    assert [len(_batch(large[0], large)), len(_batch(large[2], large))] == [2, 1]


@linux
def test_children_are_found_either_way():

    with subprocess.Popen(["sleep", "5"]) as child:
        assert child.pid in _children(os.getpid())
        assert child.pid in _all_children()[os.getpid()]
        child.kill()


LOADS = """
from sklearn.datasets import load_iris
def softmax(z):
    assert load_iris
"""
REST = hostile.RIGHT.strip().split("\n", 2)[2]


@pytest.fixture
def as_the_command_starts(monkeypatch):
    """The judge sees no library that only other tests have loaded."""
    libraries = ("sklearn", "matplotlib", "dlcourse.plot", "dlcourse.data")
    modules = {name: module for name, module in sys.modules.items() if not name.startswith(libraries)}
    monkeypatch.setattr(session, "sys", SimpleNamespace(modules=modules))


@linux
@pytest.mark.usefixtures("as_the_command_starts")
@pytest.mark.parametrize("memory", [64, 2048])
def test_a_library_is_imported_for_a_submission_that_uses_it_and_out_of_its_memory(tmp_path, memory):
    file = tmp_path / "01_neuron.ipynb"
    with Grader(Options(seed=1, memory=memory)) as grader:
        file.write_bytes(hostile.with_softmax(hostile.RIGHT))
        assert grader.grade_one(file).points == 19
        assert "sklearn.datasets" not in grader.workshop.warm, "only a trial in the notebook uses it"
        file.write_bytes(hostile.with_softmax(LOADS + REST))
        result = grader.grade_one(file)
        assert [(e.status, e.message) for e in result.exercises if e.status != "pass"] == []
        assert "sklearn.datasets" in grader.workshop.warm
        assert "matplotlib.pyplot" not in grader.workshop.warm


@linux
@pytest.mark.usefixtures("as_the_command_starts")
def test_a_library_that_a_submission_loads_unseen_is_imported_for_the_next(tmp_path):
    file = tmp_path / "01_neuron.ipynb"
    unseen = "loaded = __import__('sklearn.dat' + 'asets')\ndef softmax(z):\n    assert loaded\n"
    file.write_bytes(hostile.with_softmax(unseen + REST))
    with Grader(Options(seed=1)) as grader:
        for warm in (False, True):
            assert grader.grade_one(file).points == 19
            assert ("sklearn.datasets" in grader.workshop.warm) is warm


@linux
def test_what_one_case_costs_is_not_taken_from_the_next(tmp_path):
    slow = "import time, numpy as np\ndef softmax(z):\n    time.sleep(0.15)\n"
    file = tmp_path / "01_neuron.ipynb"
    file.write_bytes(hostile.with_softmax(slow + REST))
    with Grader(Options(seed=1, timeout=1.0)) as grader:
        start = time.monotonic()
        result = grader.grade_one(file)
    softmax = next(e for e in result.exercises if e.id == "neuron.softmax")
    cases = len(cases_of(find("neuron.softmax"), 1))
    assert cases * 0.15 > 1.0
    assert (softmax.status, softmax.points) == ("pass", softmax.max)
    assert cases * 0.15 <= softmax.seconds < time.monotonic() - start
