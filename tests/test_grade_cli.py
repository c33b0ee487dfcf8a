"""``dlcourse grade`` and ``dlcourse class``: rows, files, exit codes, resuming; mostly with a stand-in for the grader."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

import psutil
import pytest
from fake_grader import FakeGrader, find_notebooks, submission
from typer.testing import CliRunner

from dlcourse.cli.app import app
from dlcourse.grader import pages, reports, session

NEURON_POINTS = 19


@pytest.fixture
def fake(monkeypatch):
    """The grader's stand-in, with its own memory of what it graded."""

    class Fresh(FakeGrader):
        graded: ClassVar[list[str]] = []

    monkeypatch.setattr(session, "Grader", Fresh)
    monkeypatch.setattr(session, "find_notebooks", find_notebooks)
    return Fresh


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert "Traceback" not in done.output
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def folder(tmp_path):
    """A class of three, one of whom handed in something that is no notebook."""
    submission(tmp_path / "class" / "anna" / "01_neuron.ipynb")
    submission(tmp_path / "class" / "bob" / "01_neuron.ipynb", softmax="wrong:sum-over-examples", xor="missing")
    (tmp_path / "class" / "carl").mkdir()
    (tmp_path / "class" / "carl" / "01_neuron.ipynb").write_text("{broken")
    return tmp_path / "class"


def test_every_file_gets_a_row_and_isolation_comes_first(fake, call, folder):
    code, out, _ = call("grade", "class")
    assert code == 1  # carl's file could not be graded
    lines = out.splitlines()
    assert lines[0] == "Isolation  full (user namespace, Landlock)"
    assert lines[1].split() == ["Seed", "4242"]
    assert any(line.startswith(f"✓ {NEURON_POINTS} of {NEURON_POINTS}") and "anna" in line for line in lines)
    bob = next(line for line in lines if "bob" in line)
    assert "neuron.softmax wrong (sum-over-examples); 1 not started" in bob
    assert any(line.startswith("✗ not graded") and "This is not a notebook." in line for line in lines)
    assert lines[-1] == "2 files graded, 1 could not be graded"


def test_all_graded_is_exit_code_0(fake, call, folder):
    assert call("grade", "class/anna", "class/bob/01_neuron.ipynb")[0] == 0


def test_the_json_has_exactly_the_documented_keys(fake, call, folder):
    assert call("grade", "--json", "marks.json", "--seed", "7", "class")[0] == 1
    data = json.loads((folder.parent / "marks.json").read_text())
    assert list(data) == ["version", "isolation", "layers", "seed", "versions", "notebooks"]
    assert (data["version"], data["isolation"], data["seed"]) == (1, "full", 7)
    for notebook in data["notebooks"]:
        assert set(notebook) == {"path", "sha256", "points", "max", "seconds", "message", "exercises"}
        for exercise in notebook["exercises"]:
            assert set(exercise) == {"id", "status", "points", "max", "mistake", "message", "seconds"}
    assert [one["path"] for one in data["notebooks"]] == [f"class/{s}/01_neuron.ipynb" for s in ("anna", "bob", "carl")]
    assert data["notebooks"][2]["message"] == "This is not a notebook."


def test_all_outputs_at_once(fake, call, folder):
    words = ["--json", "m.json", "--csv", "m.csv", "--junit", "m.xml", "--html", "new/pages"]
    code, out, _ = call("grade", *words, "class")
    assert code == 1
    assert "m.json, m.csv, m.xml, new/pages/index.html" in out.splitlines()[-1]
    assert len(list(csv.reader((folder.parent / "m.csv").open(newline="")))) == 4
    assert ET.parse(folder.parent / "m.xml").getroot().get("tests") == "21"
    assert len(list((folder.parent / "new" / "pages").glob("*.html"))) == 4
    assert not list(folder.parent.rglob("*.part"))


def test_files_are_complete_after_every_submission(fake, call, folder, monkeypatch):
    seen = []
    original = fake.grade

    def watched(self, paths):
        for result in original(self, paths):
            yield result
            seen.append(len(reports.read(folder.parent / "m.json")[1]))  # the row has just been taken

    monkeypatch.setattr(fake, "grade", watched)
    call("grade", "--json", "m.json", "class")
    assert seen == [1, 2, 3]


def test_ctrl_c_leaves_what_is_known_and_resume_does_the_rest(fake, call, folder, monkeypatch):
    monkeypatch.setattr(fake, "stop_after", 2)
    code, _, err = call("grade", "--json", "m.json", "--csv", "m.csv", "class")
    assert code == 130
    assert "2 of 3 files graded" in err
    assert "--resume" in err
    assert len(reports.read(folder.parent / "m.json")[1]) == 2
    assert len((folder.parent / "m.csv").read_text().splitlines()) == 3
    monkeypatch.setattr(fake, "stop_after", None)
    fake.graded.clear()
    code, out, _ = call("grade", "--json", "m.json", "--resume", "class")
    assert code == 1
    assert "Resume     1 file of 2 kept" in out
    # anna was still to do, and what could not be graded is tried again
    assert sorted(fake.graded) == ["class/anna/01_neuron.ipynb", "class/carl/01_neuron.ipynb"]
    assert len(reports.read(folder.parent / "m.json")[1]) == 3


def test_ctrl_c_without_a_results_file_says_that_nothing_resumes(fake, call, folder, monkeypatch):
    monkeypatch.setattr(fake, "stop_after", 1)
    code, _, err = call("grade", "class")
    assert code == 130
    assert "only a results file" in err


def test_resume_keeps_the_recorded_seed_and_grades_only_what_changed(fake, call, folder):
    call("grade", "--json", "m.json", "--seed", "99", "class/anna", "class/bob")
    submission(folder / "bob" / "01_neuron.ipynb", softmax="timeout")
    fake.graded.clear()
    code, out, _ = call("grade", "--json", "m.json", "--resume", "class/anna", "class/bob")
    assert code == 0
    assert "Seed       99" in out
    assert fake.graded == ["class/bob/01_neuron.ipynb"]
    marks = {one.path: one.points for one in reports.read(folder.parent / "m.json")[1]}
    assert marks == {"class/anna/01_neuron.ipynb": NEURON_POINTS, "class/bob/01_neuron.ipynb": NEURON_POINTS - 2}
    fake.graded.clear()
    assert call("grade", "--json", "m.json", "--resume", "./class/../class/anna", "class/bob")[0] == 0
    assert fake.graded == []


@pytest.mark.parametrize("changed", ["seed", "versions", "isolation"])
def test_marks_made_under_another_setting_are_made_anew(fake, call, folder, monkeypatch, changed):
    call("grade", "--json", "m.json", "--seed", "1", "class/anna", "class/bob")
    words = ["--seed", "2"] if changed == "seed" else []
    if changed == "versions":
        monkeypatch.setattr(fake, "versions", {"dlcourse": "0.2.0"})
    if changed == "isolation":
        monkeypatch.setattr(fake, "isolation", "process")
    fake.graded.clear()
    code, out, _ = call("grade", "--json", "m.json", "--resume", *words, "class/anna", "class/bob")
    assert code == 0
    assert len(fake.graded) == 2
    assert "0 files of 2 kept: they were graded with" in out
    # and where not all of them are graded again, the others are not thrown away
    code, _, err = call("grade", "--json", "m.json", "--resume", "--seed", "3", "class/anna")
    assert code == 2
    assert "the marks of 1 other file" in err
    assert len(reports.read(folder.parent / "m.json")[1]) == 2


def test_a_class_may_be_graded_part_by_part_into_one_file(fake, call, folder):
    call("grade", "--json", "m.json", "class/anna")
    assert call("grade", "--json", "m.json", "--resume", "class/bob")[0] == 0
    assert len(reports.read(folder.parent / "m.json")[1]) == 2


def test_without_resume_old_marks_are_replaced_and_that_is_said(fake, call, folder):
    call("grade", "--json", "m.json", "class/anna", "class/bob")
    code, _, err = call("grade", "--json", "m.json", "class/anna")
    assert code == 0
    assert "The 2 files in m.json will be replaced" in err
    assert len(reports.read(folder.parent / "m.json")[1]) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"version": 2, "notebooks": []}', "of version 2"),
        ('{"version": 1, "notebooks": [', "damaged"),
        ('{"version": 1, "notebooks": []}', "damaged: KeyError"),
        ('{"cells": []}', "no results file of dlcourse"),
        ("[" * 100_000, "damaged"),
    ],
)
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_file_that_is_not_ours_is_never_overwritten(fake, call, folder, content, said, resume):
    (folder.parent / "m.json").write_text(content)
    code, _, err = call("grade", "--json", "m.json", *resume, "class")
    assert code == 2
    assert said in err
    assert (folder.parent / "m.json").read_text() == content
    assert fake.graded == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "m", "--csv", "./m"], "the same file"),
        (["--json", "class/anna/01_neuron.ipynb"], "name of a notebook"),
        (["--csv", "class"], "is a folder"),
        (["--csv", "nowhere/m.csv"], "does not exist"),
        (["--json", "/dev/null"], "not an ordinary file"),
        (["--csv", "mine.csv"], "not written by dlcourse grade"),
        (["--junit", "mine.csv"], "not written by dlcourse grade"),
        (["--html", "site"], "not written by dlcourse grade"),
        (["--html", "mine.csv"], "File exists"),
        (["--resume"], "--json FILE"),
    ],
)
def test_outputs_that_cannot_be_or_would_destroy_something_are_refused(fake, call, folder, words, said):
    (folder.parent / "mine.csv").write_text("student,what I typed all night\n")
    (folder.parent / "site").mkdir()
    (folder.parent / "site" / "index.html").write_text("<h1>My site</h1>")
    code, _, err = call("grade", *words, "class")
    assert code == 2
    assert said in err
    assert fake.graded == []
    assert (folder.parent / "mine.csv").read_text() == "student,what I typed all night\n"


@pytest.mark.parametrize("words", [["nowhere"], ["empty"], []])
def test_nothing_to_grade_is_exit_code_2(fake, call, folder, words):
    (folder.parent / "empty").mkdir()
    code, _, err = call("grade", *words)
    assert code == 2
    assert err


@pytest.mark.parametrize(
    "words", [["--timeout", "nan"], ["--jobs", "0"], ["--seed", "-1"], ["--memory", "1"], ["--require", "half"]]
)
def test_options_out_of_range_are_exit_code_2(fake, call, folder, words):
    assert call("grade", *words, "class")[0] == 2


def test_isolation_below_what_is_required_is_refused(fake, call, folder, monkeypatch):
    monkeypatch.setattr(fake, "isolation", "process")
    code, out, err = call("grade", "--require", "full", "class")
    assert code == 2
    assert "only process is to be had" in err
    assert "anna" not in out
    code, out, _ = call("grade", "--require", "process", "class/anna")
    assert code == 0
    assert "docs/grading.md" in out


def test_a_grader_that_fails_in_the_middle_is_exit_code_2_and_loses_nothing(fake, call, folder, monkeypatch):
    monkeypatch.setattr(fake, "fail_after", 1)
    code, _, err = call("grade", "--json", "m.json", "class")
    assert code == 2
    assert "the cluster was lost (1 of 3 files graded)" in err
    assert len(reports.read(folder.parent / "m.json")[1]) == 1


def test_a_disk_that_cannot_be_written_any_more_is_exit_code_2(fake, call, folder, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(reports, "write", full)
    code, _, err = call("grade", "--json", "m.json", "class")
    assert code == 2
    assert "m.json No space left on device" in err


def test_the_dask_option_takes_the_cluster(fake, call, folder, monkeypatch):
    from dlcourse.grader import cluster

    asked = []
    monkeypatch.setattr(cluster, "ClusterGrader", lambda address, options: asked.append(address) or fake(options))
    assert call("grade", "--dask", "tcp://there:8786", "class/anna")[0] == 0
    assert asked == ["tcp://there:8786"]


def test_names_cannot_write_to_the_terminal(fake, call, tmp_path):
    submission(tmp_path / "\x1b[2Jeve\n\u202e" / "01_neuron.ipynb", softmax="wrong")
    code, out, _ = call("grade", ".")
    assert code == 0
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "eve" in out


# ---- nbgrader's points


def with_points(path, points):
    cell = {"metadata": {"nbgrader": {"grade": True, "grade_id": "neuron-softmax-check", "points": points}}}
    data = json.loads(submission(path, sigmoid="wrong").read_text())
    path.write_text(json.dumps({**data, "cells": [*(points is not None) * [cell], 3, {"metadata": []}]}))


def softmax_max(path):
    return [next(e.max for e in one.exercises if e.id == "neuron.softmax") for one in reports.read(path)[1]]


def test_nbgrader_points_are_what_most_files_say(fake, call, tmp_path):
    for name, points in {"anna": 5, "bob": 5.0, "cheat": 1000, "lost": None}.items():
        with_points(tmp_path / "class" / name / "01_neuron.ipynb", points)
    code, _, err = call("grade", "--json", "m.json", "--nbgrader-points", "class")
    assert code == 0
    assert softmax_max(tmp_path / "m.json") == [5.0] * 4
    assert {one.points for one in reports.read(tmp_path / "m.json")[1]} == {NEURON_POINTS - 2 + 3}
    assert "cheat" in err
    assert "anna" not in err
    # resumed without the option, the kept marks are worth the course's points again
    fake.graded.clear()
    call("grade", "--json", "m.json", "--resume", "class")
    assert fake.graded == []
    assert softmax_max(tmp_path / "m.json") == [2.0] * 4


def test_where_as_many_files_say_one_thing_as_another_the_courses_points_stand(fake, call, tmp_path):
    for name, points in {"anna": 5, "bob": 7}.items():
        with_points(tmp_path / "class" / name / "01_neuron.ipynb", points)
    _, _, err = call("grade", "--json", "m.json", "--nbgrader-points", "class")
    assert softmax_max(tmp_path / "m.json") == [2.0, 2.0]
    assert "anna" in err
    assert "bob" in err


@pytest.mark.parametrize("points", [-1, 1001, float("nan"), float("inf"), "7", True, None, [5], 10**400])
def test_points_that_cannot_be_believed_do_not_count(fake, call, tmp_path, points):
    with_points(tmp_path / "class" / "anna" / "01_neuron.ipynb", points)
    assert call("grade", "--json", "m.json", "--nbgrader-points", "class")[0] == 0
    assert softmax_max(tmp_path / "m.json") == [2.0]


# ---- the class


def test_class_shows_marks_and_which_misconceptions_how_often(fake, call, folder):
    submission(folder / "dora" / "01_neuron.ipynb", softmax="wrong:sum-over-examples", sigmoid="wrong:stub")
    code, out, err = call("class", "class")
    assert code == 1
    assert "Isolation" in err
    row = next(line for line in out.splitlines() if "sum-over-examples" in line)
    assert "neuron.softmax" in row
    assert "2 of 3" in row
    assert "stub" not in out
    assert "This is not a notebook." in " ".join(out.split())


def test_class_reads_a_results_file_without_grading(fake, call, folder):
    call("grade", "--json", "m.json", "class")
    fake.graded.clear()
    code, out, _ = call("class", "--json", "m.json")
    assert code == 1
    assert fake.graded == []
    data = json.loads(out)
    assert data["misconceptions"][0] | {"text": ""} == {
        "exercise": "neuron.softmax", "mistake": "sum-over-examples", "count": 1, "of": 2, "text": "",
    }  # fmt: skip
    assert [one["student"] for one in data["students"]] == ["anna", "bob", "carl"]
    assert data["students"][1]["units"] == {"neuron": NEURON_POINTS - 5}
    assert data["students"][2]["points"] is None


def test_class_of_a_damaged_file_is_exit_code_2(fake, call, tmp_path):
    (tmp_path / "m.json").write_text("{}")
    assert call("class", "m.json")[0] == 2


# ---- with the grader itself

SOLUTIONS = Path(__file__).parents[1] / "solutions"


@pytest.fixture
def real_class(tmp_path):
    """One right, one with a known mistake, one who tries to end the grader, and one whose file is cut off."""
    right = (SOLUTIONS / "01_neuron.ipynb").read_text("utf-8")
    data = json.loads(right)
    for cell in data["cells"]:
        text = "".join(cell["source"])
        cell["source"] = (
            text.replace("axis=-1, keepdims=True)", "axis=0, keepdims=True)") if "def softmax" in text else text
        )
    hostile = json.loads(right)
    attack = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    hostile["cells"].insert(
        1, {**attack, "source": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos._exit(0)"}
    )
    spy = json.loads(right)
    look = (
        "import os\ndef leaky_relu(z, slope=0.01):\n    raise LookupError(f'seen: {os.environ.get(\"SCHOOL_TOKEN\")}')"
    )
    for cell in spy["cells"]:
        cell["source"] = look if "def leaky_relu" in "".join(cell["source"]) else cell["source"]
    texts = {
        "anna": right,
        "bob": json.dumps(data),
        "spy": json.dumps(spy),
        "eve": json.dumps(hostile),
        "zoe": right[:5000],
    }
    for name, text in texts.items():
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / "01_neuron.ipynb").write_text(text, "utf-8")
    return tmp_path


def command(*words):
    return [sys.executable, "-m", "dlcourse.cli", *words]


@pytest.mark.skipif(sys.platform == "win32", reason="the grader needs fork")
def test_a_real_class_is_graded_and_resumed(real_class):
    words = ["grade", "--json", "m.json", "--csv", "m.csv", "--html", "pages", "--seed", "3", "class"]
    env = {**os.environ, "SCHOOL_TOKEN": "very-secret"}
    done = subprocess.run(command(*words), cwd=real_class, env=env, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 1, done.stderr
    setting, marks = reports.read(real_class / "m.json")
    assert setting.seed == 3
    assert f"Isolation  {setting.isolation}" in done.stdout
    anna, bob, eve, spy, zoe = marks
    assert (anna.points, anna.max) == (NEURON_POINTS, NEURON_POINTS)
    assert bob.points == NEURON_POINTS - 2
    assert next(one.mistake for one in bob.exercises if one.id == "neuron.softmax") == "sum-over-examples"
    assert eve.points == NEURON_POINTS
    seen = next(one for one in spy.exercises if one.id == "neuron.leaky_relu")
    assert (seen.status, spy.points) == ("error", NEURON_POINTS - 1)
    assert "LookupError: seen: None" in seen.message
    assert zoe.message
    page = (real_class / "pages" / pages.page_name(bob.path)).read_text("utf-8")
    assert "Which axis holds the classes of one example?" in page
    assert "np.exp" not in page
    before = (real_class / "m.json").read_bytes()
    (real_class / "class" / "zoe" / "01_neuron.ipynb").unlink()
    done = subprocess.run(
        command(*words, "--resume"), cwd=real_class, capture_output=True, encoding="utf-8", timeout=300
    )
    assert "5 files of 5 kept" in done.stdout
    assert (real_class / "m.json").read_bytes() == before
    done = subprocess.run(command("class", "m.json"), cwd=real_class, capture_output=True, encoding="utf-8", timeout=60)
    assert "1 of 4" in next(line for line in done.stdout.splitlines() if "sum-over" in line)


@pytest.mark.skipif(sys.platform == "win32", reason="the grader needs fork")
@pytest.mark.parametrize(("jobs", "ended_by"), [("1", signal.SIGTERM), ("2", signal.SIGINT)])
def test_stopping_the_real_grader_leaves_complete_files_and_no_process(real_class, jobs, ended_by):
    words = command("grade", "--json", "m.json", "--jobs", jobs, "class")
    process = subprocess.Popen(
        words, cwd=real_class, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True
    )
    for line in process.stdout:
        if "class/" in line:
            break
    below = psutil.Process(process.pid).children(recursive=True)
    assert below
    os.killpg(process.pid, ended_by)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert reports.read(real_class / "m.json")[1]
    assert not psutil.wait_procs(below, timeout=10)[1]
