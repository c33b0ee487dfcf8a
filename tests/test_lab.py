"""The learner's workspace is filled and updated without losing work, and JupyterLab really starts in it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from dlcourse import course
from dlcourse.cli import lab, materials

LESSON = "notebooks/01_neuron.ipynb"
EXERCISE = "exercises/01_neuron.ipynb"


def notebook(*sources, output=None):
    """A notebook's JSON; `output` is put under the last cell."""
    cells = [{"cell_type": "code", "source": [text], "outputs": [], "metadata": {}} for text in sources]
    cells[-1]["outputs"] = [output] if output else []
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A course of one lesson, one exercise notebook and one picture; write to it to publish a newer version."""
    top = tmp_path / "the course"
    for name, text in {LESSON: notebook("x = 1"), EXERCISE: notebook("y = 1"), "notebooks/cat.txt": "a cat"}.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    monkeypatch.setattr(course, "root", lambda: top)
    return top


@pytest.fixture
def work(tmp_path, shipped):
    """A workspace in its first state, under a name with a space and letters beyond ASCII."""
    folder = tmp_path / "mein Übungsheft ☃"
    materials.update(folder, "1.0")
    return folder


def files(folder):
    return sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and ".dlcourse" not in p.parts
    )


def test_a_new_workspace_gets_every_file_and_the_marker(work, shipped):
    assert files(work) == files(shipped) == sorted([LESSON, EXERCISE, "notebooks/cat.txt"])
    assert (work / ".dlcourse").is_dir()


def test_a_second_update_says_and_does_nothing(work):
    before = {name: (work / name).stat().st_mtime_ns for name in files(work)}
    assert materials.update(work, "1.0") == materials.Report()
    assert before == {name: (work / name).stat().st_mtime_ns for name in files(work)}


def test_an_unchanged_file_is_replaced_by_a_newer_one(work, shipped):
    (shipped / LESSON).write_text(notebook("x = 2"))
    assert materials.update(work, "2.0").updated == [LESSON]
    assert (work / LESSON).read_text() == notebook("x = 2")


def test_a_changed_file_is_kept_and_the_newer_one_lies_beside_it_once(work, shipped):
    mine = notebook("x = 1", "my own cell")
    (work / LESSON).write_text(mine)
    assert materials.update(work, "1.0") == materials.Report(), "nothing newer, so nothing to say"
    (shipped / LESSON).write_text(notebook("x = 2"))
    beside = "notebooks/01_neuron.new-2.0.ipynb"
    assert materials.update(work, "2.0").beside == [(LESSON, beside)]
    assert (work / LESSON).read_text() == mine
    assert (work / beside).read_text() == notebook("x = 2")
    (work / beside).unlink()
    assert materials.update(work, "2.0") == materials.Report(), "said once; and not made again after it was deleted"
    (shipped / LESSON).write_text(notebook("x = 3"))
    assert materials.update(work, "3.0").beside == [(LESSON, "notebooks/01_neuron.new-3.0.ipynb")]
    assert (work / LESSON).read_text() == mine


def test_a_newer_file_does_not_overwrite_one_that_was_put_beside_and_changed(work, shipped):
    (work / LESSON).write_text(notebook("mine"))
    taken = work / "notebooks/01_neuron.new-2.0.ipynb"
    taken.write_text(notebook("mine too"))
    (shipped / LESSON).write_text(notebook("x = 2"))
    assert materials.update(work, "2.0").beside == [(LESSON, "notebooks/01_neuron.new-2.0-2.ipynb")]
    assert taken.read_text() == notebook("mine too")


def test_running_a_notebook_does_not_count_as_changing_it(work, shipped):
    ran = notebook("x = 1", "", output={"output_type": "stream", "name": "stdout", "text": "ran"})
    (work / LESSON).write_text(ran)  # with the empty cell that JupyterLab appends
    assert materials.update(work, "1.0") == materials.Report()
    assert (work / LESSON).read_text() == ran, "the learner's outputs stay as long as nothing is newer"
    (shipped / LESSON).write_text(notebook("x = 2"))
    assert materials.update(work, "2.0").updated == [LESSON]


def test_newer_outputs_alone_are_not_an_update(work, shipped):
    (shipped / LESSON).write_text(notebook("x = 1", output={"output_type": "stream", "name": "stdout", "text": "new"}))
    assert materials.update(work, "2.0") == materials.Report()


def test_taking_the_newer_version_over_ends_the_matter(work, shipped):
    (work / LESSON).write_text(notebook("mine"))
    (shipped / LESSON).write_text(notebook("x = 2"))
    ((_, beside),) = materials.update(work, "2.0").beside
    os.replace(work / beside, work / LESSON)
    assert materials.update(work, "2.0") == materials.Report()
    (shipped / LESSON).write_text(notebook("x = 3"))
    assert materials.update(work, "3.0").updated == [LESSON]


def test_a_deleted_file_stays_away_is_said_once_and_comes_back_on_request(work, shipped):
    (work / LESSON).unlink()
    assert materials.update(work, "1.0").deleted == [LESSON]
    assert materials.update(work, "1.0") == materials.Report()
    (shipped / LESSON).write_text(notebook("x = 2"))
    assert materials.update(work, "2.0") == materials.Report()
    assert materials.update(work, "2.0", restore=True).new == [LESSON]
    assert (work / LESSON).read_text() == notebook("x = 2")


def test_a_file_that_was_there_before_the_workspace_is_never_overwritten(tmp_path, shipped):
    folder = tmp_path / "own"
    (folder / "notebooks").mkdir(parents=True)
    (folder / LESSON).write_text("not even a notebook")
    assert materials.update(folder, "1.0").beside == [(LESSON, "notebooks/01_neuron.new-1.0.ipynb")]
    assert (folder / LESSON).read_text() == "not even a notebook"


@pytest.mark.parametrize("damage", ["", "{", '{"files": 3}', None])
def test_a_damaged_record_of_what_was_installed_overwrites_nothing(work, shipped, damage):
    record = work / ".dlcourse" / materials.RECORD
    record.unlink() if damage is None else record.write_text(damage)
    (work / EXERCISE).write_text(notebook("my answer"))
    (shipped / LESSON).write_text(notebook("x = 2"))
    report = materials.update(work, "2.0")
    assert [name for name, _ in report.beside] == [EXERCISE, LESSON]
    assert (work / EXERCISE).read_text() == notebook("my answer")


def test_what_the_course_no_longer_has_stays_and_is_said_once(work, shipped):
    (shipped / LESSON).unlink()
    assert materials.update(work, "2.0").retired == [LESSON]
    assert materials.update(work, "2.0") == materials.Report()
    assert (work / LESSON).exists()


@pytest.mark.parametrize("moment", range(1, 9))
def test_an_interruption_at_any_write_leaves_whole_files_and_the_next_start_completes(
    work, shipped, monkeypatch, moment
):
    (work / EXERCISE).write_text(notebook("my answer"))
    for name in (LESSON, EXERCISE):
        (shipped / name).write_text(notebook("newer"))
    (shipped / "notebooks/02_more.ipynb").write_text(notebook("more"))
    calls = 0

    def interrupted(call):
        def wrapped(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == moment:
                raise KeyboardInterrupt
            return call(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:  # before each file is complete, and between its completion and the rename
        patch.setattr(os, "fsync", interrupted(os.fsync))
        patch.setattr(os, "replace", interrupted(os.replace))
        with pytest.raises(KeyboardInterrupt):
            materials.update(work, "2.0")
    for name in files(work):
        assert not name.endswith(".part")
        assert name.endswith(".txt") or json.loads((work / name).read_text())
    materials.update(work, "2.0")
    assert (work / EXERCISE).read_text() == notebook("my answer")
    assert (work / LESSON).read_text() == notebook("newer")
    assert files(work) == sorted([*files(shipped), "exercises/01_neuron.new-2.0.ipynb"]), (
        "complete, and the newer version beside only once"
    )
    assert materials.update(work, "2.0") == materials.Report()


def test_a_file_that_cannot_be_written_does_not_stop_the_others(work, shipped, monkeypatch):
    for name in (LESSON, EXERCISE):
        (shipped / name).write_text(notebook("newer"))
    replace = os.replace

    def refuse(source, target):
        if str(target).endswith(EXERCISE):
            raise PermissionError(13, "in use by another program")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    report = materials.update(work, "2.0")
    assert report.failed == [(EXERCISE, "in use by another program")]
    assert report.updated == [LESSON]
    monkeypatch.undo()
    monkeypatch.setattr(course, "root", lambda: shipped)
    assert materials.update(work, "2.0").updated == [EXERCISE]


# --- the options ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "folder", "options"),
    [
        ([], None, []),
        (["here"], "here", []),
        (["--no-browser", "here"], "here", ["--no-browser"]),
        (["--port", "8890", "here"], "here", ["--port", "8890"]),
        (["here", "--port=8890"], "here", ["--port=8890"]),
        (["--ServerApp.base_url", "/x", "a b"], "a b", ["--ServerApp.base_url", "/x"]),
    ],
)
def test_the_folder_is_told_apart_from_jupyterlabs_options(words, folder, options):
    assert lab.split_options(words) == (folder, options)


@pytest.mark.parametrize("words", [["a", "b"], ["--notebook-dir=x"], ["a", "--ServerApp.root_dir", "b"]])
def test_options_that_contradict_the_workspace_are_refused(words):
    with pytest.raises(ValueError, match=r"folder|FOLDER"):
        lab.split_options(words)


def test_jupyterlab_gets_the_memory_settings_and_the_workspace(tmp_path):
    env = lab.environment(tmp_path, {"MALLOC_TOP_PAD_": "7", "JUPYTER_CONFIG_PATH": "/etc/mine"})
    assert env["DLCOURSE_WORKSPACE"] == str(tmp_path)
    assert env["MALLOC_TOP_PAD_"] == "7", "what is set already wins"
    assert env["JUPYTER_CONFIG_PATH"].split(os.pathsep) == [str(lab.SETTINGS), "/etc/mine"]
    assert len(env["JUPYTER_TOKEN"]) >= 32
    assert set(lab.memory_settings()) in (
        set(),
        {f"MALLOC_{name}_" for name in ("MMAP_THRESHOLD", "TRIM_THRESHOLD", "TOP_PAD")},
    )


def test_old_glibc_gets_a_threshold_that_it_accepts(monkeypatch):
    monkeypatch.setattr(lab.platform, "libc_ver", lambda: ("glibc", "2.31"))
    assert lab.memory_settings()["MALLOC_MMAP_THRESHOLD_"] == str(2**25)
    monkeypatch.setattr(lab.platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert lab.memory_settings()["MALLOC_MMAP_THRESHOLD_"] == str(2**30)
    monkeypatch.setattr(lab.platform, "libc_ver", lambda: ("", ""))
    assert lab.memory_settings() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_the_memory_settings_keep_freed_arrays():
    """Fifty arrays of 8 MB, one after the other: by default each costs 2,000 page faults, kept memory costs them once."""
    script = (
        "import resource, numpy as np\n"
        "for _ in range(5): np.ones(10**6)\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(50): np.ones(10**6)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)\n"
    )
    env = {**os.environ, **lab.memory_settings()}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000


def test_the_superuser_is_kept_to_this_computer(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "is_root", lambda: True)
    assert {"--allow-root", "--ip=127.0.0.1"} <= set(lab.command(tmp_path, [], "/lab"))
    asked = lab.command(tmp_path, ["--ip", "0.0.0.0"], "/lab")
    assert "--ip=127.0.0.1" not in asked
    assert not lab.stays_local(["--ip", "0.0.0.0"])
    assert lab.stays_local(["--port=1"])
    monkeypatch.setattr(lab, "is_root", lambda: False)
    assert "--allow-root" not in lab.command(tmp_path, [], "/lab")


def test_the_first_start_opens_the_first_lesson_and_later_ones_what_was_open(work, shipped, monkeypatch):
    assert lab.first_page(work) == "/lab/tree/notebooks/01_neuron.ipynb"
    (work / ".dlcourse/jupyterlab").mkdir()
    (work / ".dlcourse/jupyterlab/default-37a8.jupyterlab-workspace").write_text("{}")
    assert lab.first_page(work) == "/lab"


# --- the real thing ------------------------------------------------------------------------------------------------


def start(tmp_path, folder, port="0"):
    env = {**os.environ, "HOME": str(tmp_path / "home"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "run")}
    env |= {"IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "dlcourse.cli", "lab", str(folder), "--no-browser", "--port", port]
    return subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def ask(url, **options):
    request = urllib.request.Request(url, **options)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_jupyterlab_starts_in_the_workspace_and_ends_with_its_kernels_on_a_signal(tmp_path, name):
    folder = tmp_path / "mein Übungsheft ☃"
    process = start(tmp_path, folder)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("JupyterLab "):
                break
        assert lines[-1].startswith("JupyterLab http://"), (lines, process.poll() and process.stderr.read())
        address = lines[-1].split()[1]
        base, token = address.split("/lab")[0], address.split("token=")[1]
        assert ask(f"{base}/api/status?token={token}")["kernels"] == 0
        assert {item["name"] for item in ask(f"{base}/api/contents?token={token}")["content"]} >= {"notebooks"}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(f"{base}/api/status?token=wrong")
        page = urllib.request.urlopen(f"{base}/lab?token={token}", timeout=20).read().decode()
        assert "@jupyterlab/apputils-extension:announcements" in page, "listed among the disabled extensions"
        kernel = ask(f"{base}/api/kernels?token={token}", data=b'{"name": "python3"}', method="POST")
        assert kernel["name"] == "python3"
        children = subprocess.run(
            ["pgrep", "-f", kernel["id"]], capture_output=True, text=True, check=False
        ).stdout.split()
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "Traceback" not in out + err
        assert ("running as root" in err) == (os.geteuid() == 0)
        time.sleep(0.2)
        assert not any(os.path.exists(f"/proc/{pid}") for pid in children), "its kernels end with it"
        with pytest.raises(urllib.error.URLError):
            ask(f"{base}/api/status?token={token}")
    finally:
        process.kill()


def test_the_address_is_said_only_once_somebody_listens_there():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        here = {"hostname": "0.0.0.0", "port": server.getsockname()[1], "sock": ""}
        assert not lab._listens(here)
        server.listen()
        assert lab._listens(here)


def test_a_jupyterlab_that_cannot_start_is_told_with_its_reason(tmp_path):
    process = start(tmp_path, tmp_path / "work", port="many")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "expected an int" in err
    assert "jupyterlab.log" in err
