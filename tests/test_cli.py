"""The command line answers a learner's questions and mistakes: no traceback, the nearest name, documented exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from dlcourse import record
from dlcourse.checks import catalog
from dlcourse.cli import rechecking, watch
from dlcourse.cli.app import app

SOFTMAX = """\
def softmax(z):
    z = np.asarray(z, dtype=float)
    return shifted(z) / shifted(z).sum(axis=-1, keepdims=True)
"""
SHIFTED = """\
def shifted(z):
    return np.exp(z - z.max(axis=-1, keepdims=True))
"""
UNSTABLE = """\
def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
"""
CHECK = 'check("neuron.softmax", softmax)'
IMPORTS = "import numpy as np\nfrom dlcourse import check, hint, progress"


def notebook(*sources):
    cells = [{"cell_type": "code", "source": text, "outputs": [], "metadata": {}} for text in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls ``dlcourse ...`` in a home folder of its own and returns (exit code, output, errors)."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    if not (tmp_path / ".dlcourse").exists():
        monkeypatch.chdir(tmp_path)

    def run(*words):
        done = CliRunner().invoke(app, list(words))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert "Traceback" not in done.output
        return done.exit_code, done.stdout, done.stderr

    return run


def passed(folder, id, points):
    event = {"id": id, "event": "check", "passed": True, "points": points, "mistake": None}
    record.append(folder, event)


def test_help_is_fast_complete_and_tells_the_exit_codes():
    script = (
        "import sys\nfrom dlcourse.cli.app import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'numpy', 'torch', 'matplotlib', 'IPython', 'jupyterlab', 'jupyter_client'}))"
    )
    env = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip().endswith("[]"), "nothing heavy is imported for --help"
    for word in ("lab", "list", "progress", "hint", "watch", "grade", "class", "doctor", "Exit codes: 0", "--version"):
        assert word in done.stdout


def test_every_command_has_a_help_page(call):
    for command in ("lab", "list", "progress", "hint", "watch", "grade", "class", "doctor"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert "Exit codes" in out


def test_the_version_is_the_packages(call):
    from importlib.metadata import version

    assert call("--version")[:2] == (0, f"dlcourse {version('dlcourse')}\n")


def test_a_command_that_does_not_exist_suggests_the_nearest(call):
    code, _, err = call("progres")
    assert code == 2
    assert "progress" in err


def test_list_gives_points_minutes_and_state_for_programs(call, workspace):
    passed(workspace, "neuron.softmax", 2)
    code, out, err = call("list", "--json")
    assert (code, err) == (0, "")
    rows = {row["id"]: row for unit in json.loads(out)["units"] for row in unit["exercises"]}
    assert set(rows) == {exercise.id for exercise in catalog()}
    assert rows["neuron.softmax"]["state"] == "passed"
    for exercise in catalog():
        row = rows[exercise.id]
        assert (row["points"], row["minutes"], row["title"]) == (exercise.points, exercise.minutes, exercise.title)


def test_list_for_people_names_every_exercise_whole_in_80_columns(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call("list")
    assert code == 0
    for exercise in catalog():
        assert exercise.id in out


@pytest.mark.parametrize("word", ["01_neuron", "neuron", "01", "1"])
def test_list_takes_one_unit_by_any_of_its_names(call, word):
    code, out, _ = call("list", word, "--json")
    assert code == 0
    assert [unit["unit"] for unit in json.loads(out)["units"]] == ["01_neuron"]


def test_an_unknown_unit_suggests_the_nearest_and_prints_no_json(call):
    code, out, err = call("list", "neurno", "--json")
    assert (code, out) == (2, "")
    assert "did you mean" in err
    assert "neuron" in err


def test_progress_counts_what_was_passed_and_names_the_next(call, workspace):
    first = catalog()[0]
    passed(workspace, first.id, first.points)
    code, out, _ = call("progress", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["passed"], report["of"]) == (1, len(catalog()))
    assert (report["earned"], report["points"]) == (first.points, sum(e.points for e in catalog()))
    assert report["workspace"] == str(workspace)
    assert report["next"] is None or report["next"]["id"] != first.id
    assert f"1 of {len(catalog())}" in call("progress")[1]


def test_progress_without_a_workspace_says_how_to_get_one(call):
    code, out, _ = call("progress")
    assert code == 0
    assert "dlcourse lab" in out


def test_a_current_folder_that_was_deleted_is_no_traceback(call, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert call("progress")[0] == 0


def test_progress_outside_finds_the_default_workspace(call, tmp_path):
    home = tmp_path / "home" / "dlcourse-workspace"
    passed(home, "neuron.softmax", 2)
    assert json.loads(call("progress", "--json")[1])["passed"] == 1


def test_hints_come_one_after_the_other_and_the_last_is_repeated(call, workspace):
    seen = [call("hint", "neuron.softmax")[1] for _ in range(4)]
    assert [text.split(":")[0] for text in seen] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert record.read(workspace)["neuron.softmax"].hints == 3


def test_all_hints_come_at_once(call, workspace):
    code, out, _ = call("hint", "neuron.softmax", "--all")
    assert code == 0
    assert [f"Hint {n} of 3" in out for n in (1, 2, 3)] == [True] * 3


@pytest.mark.parametrize("word", ["neuron.sofmax", "softmax"])
def test_an_unknown_exercise_suggests_the_nearest(call, word):
    code, out, err = call("hint", word)
    assert (code, out) == (2, "")
    assert "did you mean neuron.softmax" in err


# --- lab, up to the start --------------------------------------------------------------------------------------------


def test_lab_prepares_the_default_workspace(call, tmp_path):
    code, out, _ = call("lab", "--no-start")
    assert code == 0
    assert "(new)" in out
    assert (tmp_path / "home/dlcourse-workspace/notebooks/01_neuron.ipynb").is_file()


def test_lab_opens_the_workspace_it_is_called_in(call, workspace):
    call("lab", "--no-start")
    assert (workspace / "notebooks/01_neuron.ipynb").is_file()


def test_lab_refuses_a_file_as_folder(call, tmp_path):
    (tmp_path / "taken").write_text("")
    for word in ("taken", "taken/inside"):
        code, _, err = call("lab", word, "--no-start")
        assert code == 2
        assert "is a file" in err


def test_lab_refuses_a_folder_inside_the_repository(call, request):
    inside = request.config.rootpath / "my-work"
    code, _, err = call("lab", str(inside), "--no-start")
    assert code == 2
    assert "repository" in err
    assert not inside.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a place that refuses even the superuser")
def test_lab_says_when_it_cannot_write(call):
    code, _, err = call("lab", "/proc/work", "--no-start")
    assert code == 1
    assert "cannot write to the workspace /proc/work" in err


def test_lab_names_the_file_that_it_keeps(call, workspace):
    mine = workspace / "notebooks/01_neuron.ipynb"
    mine.parent.mkdir()
    mine.write_text(notebook("my own"))
    _, out, _ = call("lab", "--no-start")
    assert "notebooks/01_neuron.ipynb: yours is kept" in out
    assert mine.read_text() == notebook("my own")
    assert "kept" not in call("lab", "--no-start")[1], "said once"


# --- watch -----------------------------------------------------------------------------------------------------------


def test_watch_checks_a_saved_notebook_once_and_records_the_pass(call, workspace):
    path = workspace / "answers.ipynb"
    path.write_text(notebook(IMPORTS, SHIFTED, SOFTMAX, CHECK))
    code, out, _ = call("watch", "answers.ipynb", "--once")
    assert code == 0, out
    assert "✓ Passed: neuron.softmax" in out
    entry = record.read(workspace)["neuron.softmax"]
    assert entry.passed
    assert "def shifted" in entry.source, "with its helper, for dlcourse.mine"


def test_watch_names_the_mistake_and_ends_with_1(call, tmp_path):
    (tmp_path / "answers.ipynb").write_text(notebook(IMPORTS, UNSTABLE, CHECK))
    code, out, _ = call("watch", "answers.ipynb", "--once")
    assert code == 1
    assert "✗ Not yet: neuron.softmax" in out
    assert "0 of 1 passed" in out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken", "{", "not a notebook|Expecting"),
        ("lesson", notebook("x = 1"), "no check cell"),
        ("missing", None, "no notebook"),
    ],
)
def test_watch_refuses_what_is_not_an_exercise_notebook(call, tmp_path, name, text, said):
    if text is not None:
        (tmp_path / f"{name}.ipynb").write_text(text)
    code, _, err = call("watch", f"{name}.ipynb", "--once")
    assert code == 2
    assert any(word in err for word in said.split("|"))


def test_watch_finds_a_unit_in_the_workspace_and_suggests_the_nearest(call, workspace):
    (workspace / "exercises").mkdir()
    (workspace / "exercises/01_neuron.ipynb").write_text(notebook(IMPORTS, SHIFTED, SOFTMAX, CHECK))
    assert call("watch", "neuron", "--once")[0] == 0
    code, _, err = call("watch", "01_nuron", "--once")
    assert code == 2
    assert "did you mean 01_neuron?" in err


def outcome(tmp_path, *sources, seconds=60.0):
    (tmp_path / "answers.ipynb").write_text(notebook(IMPORTS, *sources))
    return list(watch.outcomes(tmp_path / "answers.ipynb", seconds))


def test_only_what_an_answer_needs_is_run(tmp_path):
    (only,) = outcome(
        tmp_path,
        "%matplotlib inline\n!echo hello",
        "raise SystemExit",
        "z = [i for i in iter(int, 1)]  # endless, and not needed: z is a local name of softmax",
        SOFTMAX,
        SHIFTED,
        "print(softmax([1.0])); softmax(None)",
        CHECK,
    )
    assert only.passed, only.message


def test_a_change_of_what_an_answer_uses_is_run_too():
    book = rechecking.parse(
        notebook("a = []\nb = []", "a.append(1)\nb.append(1)\nfor i in range(3):\n    a[0] += i", "check('x.y', a)")
    )
    ((position, _, answer),) = book.checks
    lines = [statement.node.lineno for statement in rechecking.slice_for(book, position, answer)]
    assert lines == [1, 1, 3]


def test_a_cell_that_python_cannot_read_is_named(tmp_path):
    (only,) = outcome(tmp_path, SHIFTED, "def softmax(z)\n    return z", CHECK)
    assert not only.passed
    assert "code cell 3, line 1" in only.message


def test_a_definition_that_fails_is_named(tmp_path):
    (only,) = outcome(tmp_path, "limit = 1 / 0\n\ndef softmax(z, limit=limit):\n    return z", CHECK)
    assert "ZeroDivisionError" in only.message or "limit" in only.message


def test_an_endless_loop_or_a_crash_costs_one_exercise_and_not_the_others(tmp_path):
    loop = "while True:\n    forever = 1"
    crash = "import os\ncrashed = os._exit(3)"
    found = outcome(
        tmp_path,
        loop,
        crash,
        SHIFTED,
        SOFTMAX,
        'check("a.loop", forever)',
        'check("b.crash", crashed)',
        CHECK,
        seconds=4.0,
    )
    assert [(one.id, one.passed) for one in found] == [("a.loop", False), ("b.crash", False), ("neuron.softmax", True)]


def test_the_learners_prints_do_not_disturb_the_verdicts(tmp_path):
    (only,) = outcome(tmp_path, "x = print('{}')", SHIFTED.replace("(z)", "(z, x=x)", 1), SOFTMAX, CHECK)
    assert only.passed


def test_a_save_is_seen_once_an_output_is_not_and_half_a_save_is_waited_for(tmp_path):
    path = tmp_path / "answers.ipynb"
    path.write_text(notebook("a"))
    seen = []
    end = threading.Event()

    def follow():
        for state in watch.saves(path, poll=0.01):
            seen.append(state)
            if end.is_set():
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()

    def soon(count):
        deadline = time.monotonic() + 10
        while len(seen) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert seen == [True] * count

    soon(1)
    path.write_text(notebook("a")[:20])  # in the middle of a save
    soon(1)
    path.write_text(notebook("b"))
    soon(2)
    path.write_text(notebook("b").replace('"outputs": []', '"outputs": [{}]'))
    soon(2)
    path.unlink()
    time.sleep(0.1)
    end.set()
    path.write_text(notebook("c"))
    soon(3)
    thread.join(5)


def test_a_watcher_says_only_what_changed(tmp_path):
    path = tmp_path / "answers.ipynb"
    said = []
    watcher = watch.Watcher(path, said.append)
    path.write_text(notebook(IMPORTS, UNSTABLE, CHECK))
    assert not watcher.check()
    assert any("Not yet" in line for line in said)
    said.clear()
    assert not watcher.check()
    assert len(said) == 1, "only the sum"
    path.write_text(notebook(IMPORTS, SHIFTED, SOFTMAX, CHECK))
    said.clear()
    assert watcher.check()
    assert said[0] == "✓ Passed: neuron.softmax"
