"""Lessons, solutions and exercises as files: complete, portable, readable, and run to their end by nbval and by hand."""

from __future__ import annotations

import ast
import copy
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from dlcourse import record
from dlcourse.checks import catalog

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))
PAGES = [path for name in ("README.md", "CONTRIBUTING.md") if (path := ROOT / name).exists()]
SETTINGS = (ROOT / "conftest.py").read_text("utf-8")
LONGEST_CELL = 20
STUB_MESSAGE = re.compile("handed out|Nothing is answered yet")
BRITISH = re.compile(
    r"\b((behavi|col|fav|neighb|hon|lab|flav|vap|rig|vig)our\w*|\w*(normal|optim|regular|initial|general|organ|recogn|"
    r"summar|visual|minim|maxim|standard|random|util|real|emphas|categor|parametr|vector|tokent|quant|serial|special)is"
    r"(e|ed|es|ing|ation|er|ers)|analys(e|ed|es|ing)|cent(re|res|red|ring)|(kilo|centi|milli)?metres?|fibres?|"
    r"(label|model|travel|cancel|signal|channel|level|total|fuel)l(ed|ing)|grey\w*|catalogue\w*|programmes?|defence|"
    r"artefacts?|whilst|amongst|learnt|sceptic\w*|judgement|ageing|cheque|plough)\b",
    re.I,
)
MACHINE = re.compile(
    r"(?<![\w.])/(home|Users|root|tmp|work|usr|opt|var|mnt|private)/\w|\b[A-Z]:\\\w|0x[0-9a-f]{6,}|ipykernel_\d+|site-packages"
)


def each(paths: list[Path]) -> Any:
    names = [f"{path.parent.name}/{path.stem}" for path in paths]
    return pytest.mark.parametrize("path", paths, ids=names)


@cache
def stored(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in stored(path).cells if cell.cell_type == "code" and cell.source.strip()]


def markdown(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text("utf-8")
    return "\n\n".join(cell.source for cell in stored(path).cells if cell.cell_type == "markdown")


def outputs(path: Path) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    for cell in code_cells(path):
        for output in cell.outputs:
            yield cell, output


def has_text(output: NotebookNode) -> bool:
    """Words or numbers to read: printed, or a value that is not a picture."""
    data = output.get("data", {})
    return output.output_type == "stream" or ("text/plain" in data and "image/png" not in data)


def said_in(output: NotebookNode) -> str:
    parts = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    parts += [value for key, value in output.get("data", {}).items() if key.startswith("text/")]
    return "\n".join(parts)


@cache
def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- as they are stored -------------------------------------------------------------------------------------------


def test_every_unit_has_its_lesson_its_solutions_and_its_exercises():
    names = [[path.name for path in paths] for paths in (LESSONS, SOLUTIONS, EXERCISES)]
    assert names[0]
    assert names[0] == names[1] == names[2]


@each(LESSONS + SOLUTIONS)
def test_every_cell_was_executed_in_order(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@each(LESSONS + SOLUTIONS)
def test_no_output_is_an_error_or_a_warning_on_stderr(path):
    bad = [cell.id for cell, output in outputs(path) if output.output_type == "error" or output.get("name") == "stderr"]
    assert bad == []


@each(LESSONS + SOLUTIONS)
def test_a_stored_notebook_is_normalized_and_agrees_with_the_catalog(path):
    notebook = copy.deepcopy(stored(path))
    if path.parent.name == "solutions":
        tool("notebooks").annotate(notebook)
    tool("notebooks").normalize(notebook, path.stem)
    assert nbformat.writes(notebook).rstrip("\n") + "\n" == path.read_text("utf-8")


@each(LESSONS + SOLUTIONS + EXERCISES)
def test_a_notebook_takes_at_most_500_kilobytes(path):
    assert path.stat().st_size <= 500_000


@each(LESSONS + SOLUTIONS)
def test_every_picture_says_in_words_what_it_shows(path):
    pictures = [(cell.id, output) for cell, output in outputs(path) if "image/png" in output.get("data", {})]
    silent = [id for id, output in pictures if len(output.metadata.get("image/png", {}).get("alt", "")) <= 20]
    assert silent == []
    assert "![](" not in markdown(path)


@each(LESSONS + EXERCISES)
def test_no_cell_is_longer_than_20_lines_save_two(path):
    long = {cell.id: len(cell.source.splitlines()) for cell in code_cells(path)}
    assert len({id: lines for id, lines in long.items() if lines > LONGEST_CELL}) <= 2, long


@each(LESSONS + SOLUTIONS)
def test_half_of_the_cells_with_text_output_are_compared_on_every_machine(path):
    spoken = [
        cell
        for cell in code_cells(path)
        if any(has_text(output) for output in cell.outputs)
        and cell.metadata.get("dlcourse", {}).get("role") != "check"  # a check raises by itself
    ]
    compared = [cell for cell in spoken if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(compared) >= len(spoken) / 2, [cell.id for cell in spoken if cell not in compared]


@each(LESSONS + SOLUTIONS)
def test_no_output_betrays_the_machine_it_was_made_on(path):
    found = [(cell.id, match[0]) for cell, output in outputs(path) if (match := MACHINE.search(said_in(output)))]
    assert found == []


# --- what a reader reads ------------------------------------------------------------------------------------------


@each(LESSONS)
def test_a_lesson_opens_with_its_title_a_promise_and_what_it_takes(path):
    first = stored(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(rf"# {int(path.stem[:2])}\. \w", first.source)
    assert "By the end" in first.source
    assert "minutes" in first.source


@each(LESSONS)
def test_a_lesson_asks_the_reader_and_folds_the_answers(path):
    text = markdown(path)
    assert re.search(r"^#+ (\d+\. )?Check yourself", text, re.M)
    assert 3 <= text.count("<details>") == text.count("</details>")
    assert "redict" in text


@each(LESSONS)
def test_a_lesson_ends_with_a_short_summary_and_where_to_read_on(path):
    found = re.search(r"^## Summary\n(.*?)(^## |\Z)", markdown(path), re.M | re.S)
    assert found
    assert 1 <= len([line for line in found[1].splitlines() if line.strip()]) <= 7
    assert re.search(r"^#+ (Read on|Where to read on)", markdown(path), re.M)


def explorers(path: Path) -> list[int]:
    """Cells that end in a call of what comes from ``dlcourse.widgets``: such a call shows an explorer."""
    names, found = set(), []
    for number, cell in enumerate(stored(path).cells):
        body = ast.parse(cell.source).body if cell.cell_type == "code" else []
        for node in body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dlcourse.widgets"):
                names |= {alias.asname or alias.name for alias in node.names}
        last = body[-1] if body else None
        if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and ast.unparse(last.value.func) in names:
            found.append(number)
    return found


@each(LESSONS)
def test_a_lesson_has_an_explorer_with_a_static_figure_beside_it(path):
    pictures = [
        number
        for number, cell in enumerate(stored(path).cells)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]
    assert explorers(path)
    assert all(any(abs(picture - explorer) <= 4 for picture in pictures) for explorer in explorers(path))


@each(SOLUTIONS + EXERCISES)
def test_a_check_stands_alone_in_its_cell_and_names_the_exercise_and_its_function(path):
    expected = [
        f'check("{exercise.id}", {exercise.function})' for exercise in catalog() if exercise.topic == path.stem[3:]
    ]
    assert [cell.source for cell in code_cells(path) if re.search(r"^\s*check\(", cell.source, re.M)] == expected


def american(text: str) -> list[str]:
    return sorted({match[0] for match in BRITISH.finditer(text)})


@each(LESSONS + SOLUTIONS)
def test_a_notebook_is_written_in_american_english(path):
    assert american("\n".join(cell.source for cell in stored(path).cells)) == []


def test_the_package_and_the_pages_are_written_in_american_english():
    files = [*PAGES, *sorted((ROOT / "dlcourse").rglob("*.py")), *sorted((ROOT / "tools").glob("*.py"))]
    found = {str(path.relative_to(ROOT)): words for path in files if (words := american(path.read_text("utf-8")))}
    assert found == {}


def test_british_spelling_would_be_found():
    text = "The behaviour of a normalised, grey-coloured center; analyse its neighbours. Normalize. Exercise, precise."
    assert american(text) == ["analyse", "behaviour", "coloured", "grey", "neighbours", "normalised"]


# --- links --------------------------------------------------------------------------------------------------------


def links(text: str) -> list[str]:
    """Targets of links and pictures that lie in the repository, without those in code or formulas."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$", "", text, flags=re.S)
    text = re.sub(r"`[^`\n]*`|\$[^$\n]*\$", "", text)
    found = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(path: Path) -> set[str]:
    """What can stand behind a # in a link: JupyterLab's form in notebooks, GitHub's in pages."""
    text = re.sub(r"```.*?```", "", markdown(path), flags=re.S)
    titles = [re.sub(r"[`*]", "", title).strip() for title in re.findall(r"^#{1,6} +(.+)$", text, re.M)]
    if path.suffix == ".ipynb":
        return {title.replace(" ", "-") for title in titles}
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(path: Path) -> list[str]:
    bad = []
    for link in links(markdown(path)):
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            bad.append(link)
    return bad


@each(PAGES + LESSONS + SOLUTIONS + EXERCISES)
def test_every_relative_link_and_picture_resolves(path):
    assert broken_links(path) == []


@each(LESSONS + EXERCISES)
def test_a_notebook_links_only_to_what_a_workspace_holds(path):
    for link in links(markdown(path)):
        target = (path.parent / unquote(link).partition("#")[0]).resolve()
        assert target == path.parent or target.parent.name in ("notebooks", "exercises"), link


def test_the_pictures_of_the_pages_are_small():
    assert [path.name for path in (ROOT / "docs").iterdir() if path.stat().st_size > 120_000] == []


def test_a_broken_link_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A title: yes\n[a](#a-title-yes) [b](#no) [c](page.md) ![d](no.png) `[e](no)` $[f](no)$ [g](https://no)\n"
    )
    assert broken_links(page) == ["#no", "no.png"]


# --- run ----------------------------------------------------------------------------------------------------------


@each(EXERCISES)
def test_run_all_reaches_the_end_of_an_untouched_exercise_notebook(path, workspace):
    notebook = copy.deepcopy(stored(path))
    folder = workspace / "exercises"
    folder.mkdir()
    NotebookClient(
        notebook, timeout=300, startup_timeout=180, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in cells)
    assert not [cell.source for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    for cell in cells:
        if cell.source.startswith("check("):
            said = "\n".join(said_in(output) for output in cell.outputs)
            assert STUB_MESSAGE.search(said), f"{cell.source}\n{said}"
            assert [output.get("ename") for output in cell.outputs] == [None, "CheckFailed"]
    mistakes = {id: entry.mistake for id, entry in record.read(workspace).items()}
    assert set(mistakes.values()) <= {"stub", "as-given"}, mistakes
    assert len(mistakes) == sum(cell.source.startswith("check(") for cell in cells)


PLANTED = [  # source, stored output, tagged, what nbval should find
    ("print('as stored')", "as stored\n", True, "passed"),
    ("print('changed')", "as stored\n", True, "failed"),
    ("print('changed')", "as stored\n", False, "passed"),
    ("raise ValueError", "", False, "failed"),
    ("2 + 2", "5", True, "failed"),
]


def run_planted(folder: Path, cells: list[NotebookNode], settings: str) -> subprocess.CompletedProcess[str]:
    """The plain test command, with one process, in a course that has these cells and the real settings."""
    (folder / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / "01_planted.ipynb")
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    (folder / "conftest.py").write_text(settings, "utf-8")
    words = [sys.executable, "-m", "pytest", "-n0", "-rA", "--color=no", "-p", "no:cacheprovider"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)


def test_nbval_runs_every_cell_and_compares_the_tagged_ones(tmp_path):
    cells = []
    for count, (source, text, tagged, _) in enumerate(PLANTED, 1):
        cell = nbformat.v4.new_code_cell(source, execution_count=count)
        if source == "2 + 2":
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=count)]
        elif text:
            cell.outputs = [nbformat.v4.new_output("stream", text=text)]
        cell.metadata["tags"] = ["nbval-check-output"] * tagged
        cells.append(cell)
    done = run_planted(tmp_path, cells, SETTINGS)
    results = re.findall(r"^(PASSED|FAILED) .*?::Cell (\d+)", done.stdout, re.M)
    found = {int(number): result.lower() for result, number in results}
    assert found == {number: expected for number, (*_, expected) in enumerate(PLANTED)}, done.stdout + done.stderr


def test_a_run_whose_notebooks_take_longer_than_the_budget_fails(tmp_path):
    settings = SETTINGS.replace("UNIT_SECONDS = 45.0", "UNIT_SECONDS = 0.01")
    assert settings != SETTINGS
    done = run_planted(tmp_path, [nbformat.v4.new_code_cell("sum(range(10**6))")], settings)
    assert "1 passed" in done.stdout
    assert re.search(r"^ +\d+\.\d s  notebooks/01_planted\.ipynb$", done.stdout, re.M), done.stdout + done.stderr
    assert ("OVER BUDGET" in done.stdout, done.returncode) == (True, 1)


def test_the_plain_test_command_runs_every_cell_and_keeps_a_notebook_on_one_worker():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    assert {"tests", "notebooks", "solutions"} <= set(options["testpaths"])
    assert "--dist loadfile" in options["addopts"]  # any other way of spreading breaks a notebook over two kernels
    words = [sys.executable, "-m", "pytest", "notebooks", "solutions", "--collect-only", "-q", "--color=no"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    for path in LESSONS + SOLUTIONS:
        cells = re.findall(rf"^{path.parent.name}/{path.name}::Cell \d+$", done.stdout, re.M)
        assert len(cells) == len([cell for cell in stored(path).cells if cell.cell_type == "code"]), done.stdout
