"""The tools that normalize notebooks and make exercises from solutions, on notebooks planted for them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode

TOOLS = Path(__file__).resolve().parents[1] / "tools"
DOUBLE = """def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""
STUB = """def double(x):
    \"\"\"Twice x.\"\"\"
    # YOUR CODE HERE
    raise NotImplementedError("Replace this line with your code.")"""
PROGRAM = """def total(xs):
    ### BEGIN SOLUTION
    result = 0
    for x in xs:
        result += x
    return result
    ### STUB
    # result = 0
    # for x in xs:
    #     result = x  # the last one wins
    #
    # return result
    ### END SOLUTION"""
HANDED_OUT = """def total(xs):
    result = 0
    for x in xs:
        result = x  # the last one wins

    return result"""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, working on a course of its own."""
    module = load("make_exercises")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "exercises").mkdir()
    return module


def solutions(*sources: str, tags: tuple[str, ...] = ()) -> NotebookNode:
    notebook = nbformat.v4.new_notebook()
    for count, source in enumerate(sources, 1):
        cell = nbformat.v4.new_code_cell(source, id=f"cell-{count}", execution_count=count)
        cell.outputs = [nbformat.v4.new_output("stream", text="said")]
        notebook.cells.append(cell)
    if tags:
        notebook.cells[-1].metadata["tags"] = list(tags)
    return notebook


def made(tool: ModuleType, notebook: NotebookNode) -> NotebookNode:
    return nbformat.reads(tool.make_exercise(notebook, "01_x.ipynb"), as_version=4)


def test_a_solution_becomes_a_stub_that_asks_for_code(tool):
    assert tool.exercise_source(DOUBLE, "here") == STUB


def test_two_solutions_in_one_cell_become_two_stubs(tool):
    assert tool.exercise_source(f"{DOUBLE}\n\n\n{DOUBLE}", "here") == f"{STUB}\n\n\n{STUB}"


def test_lines_after_the_stub_mark_become_the_text_that_is_handed_out(tool):
    assert tool.exercise_source(PROGRAM, "here") == HANDED_OUT


def test_a_stub_line_that_is_no_comment_is_refused(tool):
    with pytest.raises(ValueError, match="not a comment"):
        tool.exercise_source(PROGRAM.replace("# return result", "return result"), "here")


@pytest.mark.parametrize("mark", ["BEGIN", "END"])
def test_a_mark_without_its_other_half_is_refused_and_the_cell_named(tool, mark):
    broken = "\n".join(line for line in DOUBLE.splitlines() if f"### {mark}" not in line)
    with pytest.raises(ValueError, match=r"01_x\.ipynb: cell cell-1"):
        tool.make_exercise(solutions(broken), "01_x.ipynb")


def test_a_cell_without_marks_stays_as_it_is(tool):
    assert tool.exercise_source("x = 1  # BEGIN", "here") == "x = 1  # BEGIN"


def test_outputs_and_counts_go_and_ids_stay(tool):
    cells = made(tool, solutions("import numpy", DOUBLE, "double(1)")).cells
    assert [cell.id for cell in cells] == ["cell-1", "cell-2", "cell-3"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_a_cell_for_solutions_only_stays_behind(tool):
    cells = made(tool, solutions(DOUBLE, "secret = 1", tags=("solution-only",))).cells
    assert [cell.id for cell in cells] == ["cell-1"]


def test_cells_below_the_first_stub_may_fail_and_those_above_may_not(tool):
    cells = made(tool, solutions("import numpy", DOUBLE, "double(1)", tags=("nbval-check-output",))).cells
    tags = [cell.metadata.get("tags", []) for cell in cells]
    assert tags == [[], [], ["nbval-check-output", "raises-exception"]]


def test_what_is_missing_or_differs_is_reported_by_check_and_written_without(tool, tmp_path, capsys):
    nbformat.write(solutions(DOUBLE), tmp_path / "solutions" / "01_x.ipynb")
    exercise = tmp_path / "exercises" / "01_x.ipynb"
    assert tool.main(check=True) == 1
    assert not exercise.exists()
    assert tool.main(check=False) == 0
    assert tool.main(check=True) == 0
    exercise.write_text(exercise.read_text("utf-8").replace("YOUR CODE", "My code"), "utf-8")
    capsys.readouterr()
    assert tool.main(check=True) == 1
    assert "01_x.ipynb: differs from solutions/01_x.ipynb" in capsys.readouterr().out


def test_an_exercise_without_a_solution_is_named_and_never_deleted(tool, tmp_path, capsys):
    orphan = tmp_path / "exercises" / "09_orphan.ipynb"
    nbformat.write(solutions("x = 1"), orphan)
    assert tool.main(check=True) == 1
    assert tool.main(check=False) == 1
    assert "09_orphan.ipynb: has no solution" in capsys.readouterr().out
    assert orphan.exists()


def test_exercises_are_in_sync_with_solutions():
    words = [sys.executable, str(TOOLS / "make_exercises.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_normalizing_drops_what_differs_between_machines_and_keeps_what_is_written():
    cell = nbformat.v4.new_code_cell("f", id="same", execution_count=1)
    cell.metadata.update({"tags": ["nbval-check-output"], "execution": {"iopub.status.busy": "now"}, "trusted": True})
    plain = nbformat.v4.new_output("execute_result", {"text/plain": "<f at 0x7f00aa11bb22>"}, execution_count=1)
    widget = nbformat.v4.new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "VBox()"}
    )
    cell.outputs = [plain, widget, nbformat.v4.new_output("stream", name="stderr", text="\n")]
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [cell, nbformat.v4.new_markdown_cell("b", id="same")]
    notebook.metadata["widgets"] = {"state": {}}
    load("notebooks").normalize(notebook, "01_x")
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert dict(notebook.cells[0].metadata) == {"tags": ["nbval-check-output"]}
    assert [output.data["text/plain"] for output in notebook.cells[0].outputs] == ["<f at 0x0>"]
    assert notebook.cells[0].id == "same" != notebook.cells[1].id  # the first one keeps it
