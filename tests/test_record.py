"""The progress record: appended, locked, never lost; and the learner's own code living on in ``mine``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from dlcourse import check, hint, mine, progress, record, workspace
from dlcourse.checks import CheckFailed, find

WRITER = """
import sys
from pathlib import Path
from dlcourse import record
for i in range(int(sys.argv[2])):
    record.append(Path(sys.argv[1]), {"id": f"w{sys.argv[3]}.e{i}", "event": "check", "passed": True, "points": 1, "source": "x" * 500})
"""


def test_the_nearest_parent_with_a_marker_is_the_workspace(tmp_path, monkeypatch):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".dlcourse").mkdir()
    assert workspace.find(inner) == tmp_path.resolve()
    (tmp_path / "a" / ".dlcourse").mkdir()
    assert workspace.find(inner) == (tmp_path / "a").resolve()


def test_the_environment_names_the_workspace_where_no_folder_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert workspace.find() is None
    monkeypatch.setenv("DLCOURSE_WORKSPACE", str(tmp_path / "elsewhere"))
    assert workspace.find() == (tmp_path / "elsewhere").resolve()


def test_two_processes_write_at_once_and_nothing_is_lost(workspace):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(workspace), "40", str(number)]) for number in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    entries = record.read(workspace)
    assert len(entries) == 120
    assert all(len(entry.source) == 500 for entry in entries.values())


def test_a_kill_in_the_middle_of_writing_loses_no_earlier_entry(workspace):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(workspace), "100000", "0"])
    path = record.path_in(workspace)
    while not (path.exists() and path.stat().st_size > 5000):
        time.sleep(0.01)
    writer.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    writer.wait()
    before = len(record.read(workspace))
    assert before >= 5
    record.append(workspace, {"id": "after.kill", "event": "check", "passed": True, "points": 2})
    assert len(record.read(workspace)) == before + 1


def test_a_torn_last_line_is_skipped_and_stepped_over(workspace):
    record.append(workspace, {"id": "a.b", "event": "check", "passed": True, "points": 2})
    with open(record.path_in(workspace), "ab") as file:
        file.write(b'{"id": "c.d", "event": "che')
    assert list(record.read(workspace)) == ["a.b"]
    record.append(workspace, {"id": "e.f", "event": "check", "passed": False, "points": 0, "mistake": "sign"})
    entries = record.read(workspace)
    assert list(entries) == ["a.b", "e.f"]
    assert entries["e.f"].mistake == "sign"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_record_that_cannot_be_written_does_not_stop_a_check(workspace, capsys):
    (workspace / ".dlcourse").chmod(0o500)
    check("neuron.softmax", find("neuron.softmax").reference)
    assert "could not be recorded" in capsys.readouterr().out


def test_a_record_path_that_is_a_folder_does_not_stop_a_check(workspace, capsys):
    record.path_in(workspace).mkdir()
    check("neuron.softmax", find("neuron.softmax").reference)
    assert "could not be recorded" in capsys.readouterr().out


def test_attempts_hints_and_points_are_counted(workspace, capsys):
    with pytest.raises(CheckFailed):
        check("neuron.softmax", lambda z: np.exp(z))
    hint("neuron.softmax")
    hint("neuron.softmax")
    check("neuron.softmax", find("neuron.softmax").reference)
    entry = record.read(workspace)["neuron.softmax"]
    assert (entry.attempts, entry.hints, entry.passed, entry.points) == (2, 2, True, find("neuron.softmax").points)
    out = capsys.readouterr().out
    assert "Hint 1 of 3" in out
    assert "Hint 2 of 3" in out
    progress()
    assert " 1 of " in capsys.readouterr().out


def test_a_later_failure_does_not_take_a_pass_away(workspace):
    check("neuron.softmax", find("neuron.softmax").reference)
    with pytest.raises(CheckFailed):
        check("neuron.softmax", lambda z: z)
    assert record.read(workspace)["neuron.softmax"].passed


LEARNER = """
import numpy as np
from math import exp as power

TINY = 0.0

def shift(z):
    return z - z.max(axis=-1, keepdims=True)

def softmax(z):
    assert power(0) == 1
    e = np.exp(shift(z)) + TINY
    return e / e.sum(axis=-1, keepdims=True)
"""


def define(folder, text, name):
    """Run ``text`` as a cell would run, from a file that inspect can read."""
    path = folder / f"cell_{abs(hash(text))}.py"
    path.write_text(text)
    namespace = {"__name__": "__main__"}
    exec(compile(text, str(path), "exec"), namespace)
    return namespace[name]


def test_a_local_variable_named_like_a_global_one_does_not_keep_a_definition_from_being_stored(workspace):
    from dlcourse.checks.source import definition_of

    text = "e = lambda: 1\n\ndef softmax(z):\n    e = z + 1\n    return e\n"
    assert definition_of(define(workspace, text, "softmax")).strip() == text.split("\n\n")[1].strip()


def fresh_mine(capsys):
    mine._said.clear()
    capsys.readouterr()


def test_mine_is_the_learners_own_function_with_its_helpers_and_imports(workspace, capsys):
    check("neuron.softmax", define(workspace, LEARNER, "softmax"))
    fresh_mine(capsys)
    own = mine.softmax
    assert own.__code__.co_filename == "<your softmax>"
    assert capsys.readouterr().out == "mine.softmax: yours.\n"
    np.testing.assert_allclose(own(np.zeros((2, 4))), 0.25)


def test_mine_is_the_reference_until_the_exercise_is_passed(workspace, capsys):
    fresh_mine(capsys)
    assert mine.softmax is find("neuron.softmax").reference
    assert "until you pass neuron.softmax" in capsys.readouterr().out


def test_mine_is_the_reference_without_a_workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mine.softmax is find("neuron.softmax").reference


def test_mine_falls_back_and_says_so_where_the_source_no_longer_loads(workspace, capsys):
    event = {
        "id": "neuron.softmax",
        "event": "check",
        "passed": True,
        "points": 2,
        "source": "import not_there_at_all\n",
    }
    record.append(workspace, event)
    fresh_mine(capsys)
    assert mine.softmax is find("neuron.softmax").reference
    assert "no longer loads (ModuleNotFoundError" in capsys.readouterr().out


def test_mine_names_what_there_is_for_an_unknown_name():
    with pytest.raises(AttributeError, match="softmax"):
        mine.sofmax  # noqa: B018


def test_a_class_is_stored_from_its_cell(workspace):
    from dlcourse.checks.source import definition_of

    text = "import numpy as np\n\nclass Pair:\n    def __init__(self):\n        self.x = np.zeros(2)\n"
    source = definition_of(define(workspace, text, "Pair"))
    assert source == textwrap.dedent("import numpy as np\n\n" + text.split("\n\n", 1)[1])
