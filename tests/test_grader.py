"""The grader's core: hostile and damaged notebooks in one folder, graded in one go, and what is left afterwards."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import hostile
import numpy as np
import pytest

from dlcourse.checks import catalog
from dlcourse.checks.exercise import cases_of
from dlcourse.drivers import Opaque
from dlcourse.grader import isolation
from dlcourse.grader.protocol import HEADER, Channel, GarbledError, TooLargeError
from dlcourse.grader.results import ExerciseResult, NotebookResult, Setting
from dlcourse.grader.session import Grader, Options, find_notebooks, imports_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has the layers")


def processes_of(run: str) -> list[int]:
    """Everything that runs and was started by this test."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and run.encode() in Path(f"/proc/{name}/environ").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found


def grade_all(folder: Path, level: str) -> dict[str, NotebookResult]:
    options = Options(jobs=2, timeout=5.0, total=40.0, memory=768, seed=7, isolation=level)
    with Grader(options) as grader:
        if level == "full" and grader.setting.isolation != "full":
            pytest.skip(f"no full isolation here: {grader.setting.layers}")
        assert grader.setting.isolation == level
        return {Path(result.path).parent.name: result for result in grader.grade(find_notebooks([folder]))}


@pytest.mark.slow
@pytest.mark.parametrize("level", ["full", "process"])
def test_strangers_notebooks_get_their_marks_and_leave_nothing(tmp_path, monkeypatch, level):
    run = f"{tmp_path}-{time.time()}"
    monkeypatch.setenv("DLCOURSE_TEST_RUN", run)  # the zygotes, and all that is forked from them, bear it
    cases = [case for case in hostile.cases() if level == "full" or not case.full_only]
    outside = tmp_path / "outside" / "file"
    outside.parent.mkdir()
    kept = outside.with_name("file.kept")
    kept.write_text("precious")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        for case in cases:
            file = tmp_path / "class" / case.name / "01_neuron.ipynb"
            file.parent.mkdir(parents=True)
            data = case.data.replace(b"PORT", str(server.getsockname()[1]).encode())
            file.write_bytes(data.replace(b"OUTSIDE", json.dumps(repr(str(outside)))[1:-1].encode()))
        results = grade_all(tmp_path / "class", level)
        with pytest.raises(TimeoutError):
            server.accept()
    assert kept.read_text() == "precious"
    assert not outside.exists()
    assert processes_of(run) == []
    wrong = []
    for case in cases:
        result = results[case.name]
        if case.ungraded:
            if result.exercises or not result.message:
                wrong.append((case.name, "graded"))
            continue
        everywhere = case.expected.get("")
        for exercise in result.exercises:
            wanted = everywhere or case.expected.get(exercise.id, "pass")
            if exercise.status not in wanted.split(" or "):
                wrong.append((case.name, exercise.id, exercise.status, wanted, exercise.message))
        if not result.exercises:
            wrong.append((case.name, result.message))
    assert wrong == []


def test_the_documentation_says_how_much_is_tried():
    cases, text = hostile.cases(), Path(__file__).parents[1].joinpath("docs", "grading.md").read_text("utf-8")
    both = sum(not case.full_only for case in cases)
    assert f"| `full` | {len(cases)} | {len(cases)} |" in text
    assert f"switched off | {both} | {both} |" in text
    assert f"The other {len(cases) - both - 2}\n" in text


@pytest.fixture(scope="module")
def grader():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_TOKEN", "abc")
        with Grader() as grader:
            yield grader


# ---- the protocol


def pair() -> tuple[Channel, Channel]:
    a, b = socket.socketpair()
    return Channel(a), Channel(b)


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        nan = a.dtype.kind in "fc"
        return (
            a.shape == b.shape
            and a.dtype == b.dtype
            and (a.strides == b.strides or not a.size)
            and np.array_equal(a, b, equal_nan=nan)
        )
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))


def test_every_hidden_input_crosses_unchanged():
    here, there = pair()
    for exercise in catalog():
        for case in cases_of(exercise, 3):
            here.send({"args": case.args})
            assert same(there.receive(time.monotonic() + 5)["args"], case.args), exercise.id


def test_values_of_every_kind_cross_unchanged():
    here, there = pair()
    value = {
        "a": (1, 2.5, True, None, "ä", 1 << 80, 1j, float("nan"), float("-inf"), [1, [2]]),
        "b": (np.zeros((0, 3)), np.array("text"), np.float32(2), np.array([1 << 70, 2], dtype=object), Opaque("a set")),
        (1, 2): np.arange(6, dtype=">i2").reshape(2, 3),
    }
    here.send({"v": value})
    assert same(there.receive()["v"], value)


@pytest.mark.parametrize(
    "text",
    [
        b"[1", b"7", b'{"a": 1}', b'["dict", ["a"]]', b'["dict", [["list"], 1]]', b'["dict", ["a", ["nothing", 1]]]',
        b'["dict", ["a", ["array", "|O8", [1], "C", 0]]]', b'["dict", ["a", ["array", "<f8", [9], "C", 0]]]',
        b'["dict", ["a", ["array", "<f8", [-1], "C", 0]]]', b'["dict", ["a", ["array", "<f8", [4294967296, 4294967296], "C", 0]]]',
        b'["dict", ["a", ["array", "<f8", [1], "C", -8]]]', b'["dict", ["a", ["objects", [1], ["opaque", "x"]]]]',
        b"[" * 100_000, b'["dict", ["a", ' + b"9" * 10_000 + b"]]", b"\xff\xfe",
    ],
)  # fmt: skip
def test_garbage_is_refused(text):
    here, there = pair()
    here.end.sendall(HEADER.pack(len(text), 0) + text)
    with pytest.raises(GarbledError):
        there.receive(time.monotonic() + 5)


def test_lengths_are_bounded_before_anything_is_read():
    here, there = pair()
    here.end.sendall(HEADER.pack(1 << 31, 1 << 31))
    with pytest.raises(GarbledError):
        there.receive(time.monotonic() + 5)
    with pytest.raises(TooLargeError):
        here.send({"v": np.zeros(1 << 24)})


# ---- results, isolation, options


def test_results_come_back_from_json():
    exercise = ExerciseResult("neuron.xor", "wrong", 0.0, 2.0, "mixed-up", "No.", 0.1)
    result = NotebookResult("a/b.ipynb", "00", "a", "neuron", 0.0, 2.0, 1.0, "", (exercise,))
    setting = Setting("full", ("landlock",), 3, {"python": "3.11"})
    assert NotebookResult.from_json(json.loads(json.dumps(result.as_json()))) == result
    assert Setting.from_json(json.loads(json.dumps(setting.as_json()))) == setting


def test_nothing_that_is_hidden_can_be_read():
    hidden = isolation.hidden_paths()
    assert any(path.endswith("/checks") for path in hidden)
    for path in isolation.readable_paths(hidden):
        assert not any(secret == path or secret.startswith(path + "/") for secret in hidden)


def test_required_isolation_that_is_not_there_is_refused():
    with pytest.raises(RuntimeError, match="'full' is required"), Grader(Options(require="full", isolation="none")):
        pass


def test_an_option_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="jobs"):
        Grader(Options(jobs=0))


def test_the_same_seed_gives_the_same_marks_and_another_is_drawn(grader, tmp_path):
    file = tmp_path / "ada" / "01_neuron.ipynb"
    file.parent.mkdir()
    file.write_bytes(hostile.with_softmax("import numpy as np\ndef softmax(z): return np.exp(z)"))
    first = grader.grade_one(file)
    assert (first.student, first.points, first.max) == ("ada", 17, 19)
    with Grader(Options(seed=grader.setting.seed)) as again:
        second = again.grade_one(file)
    assert [replace(e, seconds=0) for e in first.exercises] == [replace(e, seconds=0) for e in second.exercises]


SHORTCUTS = {
    "in the code": "from dlcourse.nn import functional as F\ndef binary_cross_entropy(logits, targets):\n    return F.binary_cross_entropy_with_logits(logits, targets)",
    "by a helper": "from dlcourse.nn.functional import binary_cross_entropy_with_logits as other\ndef helper(a, b): return other(a, b)\ndef binary_cross_entropy(logits, targets):\n    return helper(logits, targets)",
    "counted": "import dlcourse.nn.functional as F\ndef binary_cross_entropy(logits, targets):\n    return getattr(F, 'binary_cross' + '_entropy_with_logits')(logits, targets)",
}  # fmt: skip


def test_shortcuts_are_found_in_the_code_and_while_it_runs_and_nowhere_else(grader, tmp_path):
    solution = hostile.SOLVED.with_name("02_gradient_descent.ipynb").read_text("utf-8")
    for name, source in {**SHORTCUTS, "unused": SHORTCUTS["in the code"].split("\n")[0]}.items():
        nb = json.loads(solution)
        for cell in nb["cells"]:
            if hostile.role(cell) == ("gradient_descent.binary_cross_entropy", "solution"):
                cell["source"] = source if name in SHORTCUTS else [f"{source}\n", *cell["source"]]
            if hostile.role(cell) == ("gradient_descent.cross_entropy", "solution") and name == "counted":
                cell["source"] = "def cross_entropy(logits, targets):\n    return __import__('tor' + 'ch').ones(1)"
        file = tmp_path / name / "02_gradient_descent.ipynb"
        file.parent.mkdir()
        file.write_text(json.dumps(nb), "utf-8")
    results = list(grader.grade(find_notebooks([tmp_path])))
    found = {r.student: {e.id: e for e in r.exercises if e.status != "pass"} for r in results}
    assert found.pop("unused") == {}
    assert found["counted"].pop("gradient_descent.cross_entropy").status == "forbidden"
    for exercises in found.values():
        (exercise,) = exercises.values()
        assert (exercise.status, exercise.points) == ("forbidden", 0)
        assert "binary_cross_entropy_with_logits" in exercise.message


def test_the_environment_of_the_teacher_is_not_shown(grader, tmp_path):
    file = tmp_path / "01_neuron.ipynb"
    file.write_bytes(hostile.with_softmax("import os\ndef softmax(z): raise ValueError(os.environ['SECRET_TOKEN'])"))
    (result,) = grader.grade([file])
    (softmax,) = [e for e in result.exercises if e.status != "pass"]
    assert "KeyError" in softmax.message


def test_a_name_that_is_no_text_can_be_written_down(grader, tmp_path):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe/01.ipynb"))
    (result,) = grader.grade([file])
    assert result.message == "There is no such file."
    json.dumps(result.as_json(), ensure_ascii=False).encode()


def test_a_folder_is_searched_without_checkpoints(tmp_path):
    for name in ("a/01_neuron.ipynb", "a/.ipynb_checkpoints/01_neuron-checkpoint.ipynb", "b/c/02.ipynb", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_notebooks([tmp_path, tmp_path / "a" / "01_neuron.ipynb", tmp_path / "none.ipynb"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a/01_neuron.ipynb",
        "b/c/02.ipynb",
        "none.ipynb",
    ]


def test_the_zygote_never_loads_the_answers():
    code = (
        "import dlcourse.grader.zygote, dlcourse.grader.worker, sys, importlib\n"
        f"for name in {imports_of('neuron') + imports_of('gradient_descent') + imports_of('backpropagation')!r}:\n"
        "    importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.startswith(('dlcourse.checks', 'dlcourse.mine'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
