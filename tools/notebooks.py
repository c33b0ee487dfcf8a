"""Execute notebooks, store them normalized, and keep what is generated in them up to date.

    python tools/notebooks.py run  notebooks/01_neuron.ipynb ...   # annotate, execute, normalize, save in place
    python tools/notebooks.py norm solutions/01_neuron.ipynb ...   # the same without executing
    python tools/notebooks.py from-py draft.py notebooks/01_neuron.ipynb   # a py:percent draft into a notebook

The .ipynb is the one source. To edit one as text:

    jupytext --to py:percent notebooks/NN_topic.ipynb -o draft.py
    ... edit draft.py ...
    jupytext --update --to ipynb draft.py -o notebooks/NN_topic.ipynb

Two runs give the same bytes, pictures included. In solutions/, the lines with an exercise's points and its hints are
written from the catalog (``dlcourse/checks``), as is the metadata that nbgrader and the grader read.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
KEPT_CELL_METADATA = {"tags", "dlcourse", "nbgrader", "slideshow", "editable", "deletable"}
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
CHECK = re.compile(r'^check\("([a-z0-9_]+\.[a-z0-9_]+)", ', re.M)
POINTS_LINE = re.compile(r"^`([a-z0-9_]+\.[a-z0-9_]+)`( · .*)?$", re.M)
BEGIN = "### BEGIN SOLUTION"


def execute(nb: NotebookNode, folder: Path, timeout: int = 300) -> None:
    os.environ.update(ENVIRONMENT)
    NotebookClient(
        nb,
        timeout=timeout,
        startup_timeout=120,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # else the pieces that print() arrives in depend on the machine's mood
        store_widget_state=True,  # False fails with an Output widget in nbclient 0.11
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def normalize(nb: NotebookNode, stem: str) -> None:
    """Keep only what is the same on every machine: metadata by whitelist, ids made once, no widget state."""
    nb.nbformat, nb.nbformat_minor = 4, 5
    nb.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    seen: set[str] = set()
    for number, cell in enumerate(nb.cells):
        kept = {k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA and v not in ([], {})}
        cell.metadata = nbformat.from_dict(kept)
        if not cell.get("id") or cell["id"] in seen:
            cell["id"] = hashlib.sha1(f"{stem}/{number}/{cell.source}".encode()).hexdigest()[:8]
        seen.add(cell["id"])
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := normalize_output(output)) is not None]
    nbformat.validate(nb)


def normalize_output(output: NotebookNode) -> NotebookNode | None:
    if output.output_type == "stream" and output.name == "stderr" and not output.text.strip():
        return None
    if "data" in output:
        if WIDGET_VIEW in output.data:  # a widget lives only with a kernel; a static figure stands beside it
            return None
        if "text/plain" in output.data:
            output.data["text/plain"] = ADDRESS.sub("0x0", output.data["text/plain"])
    return output


def annotate(nb: NotebookNode) -> None:
    """Write an exercise's points line, hints cell and metadata from the catalog: one source for each fact."""
    from dlcourse.checks import catalog

    exercises = {exercise.id: exercise for exercise in catalog()}
    current = None
    cells: list[NotebookNode] = []
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            if "hints" in cell.metadata.get("tags", []):
                continue  # made anew below
            found = POINTS_LINE.search(cell.source)
            if found:
                current = exercises[found[1]]
                cell.source = POINTS_LINE.sub(points_line(current), cell.source, count=1)
                cell.metadata["dlcourse"] = {"exercise": current.id, "role": "task"}
        elif found := CHECK.search(cell.source):
            current = exercises[found[1]]
            mark(cell, current, "check")
            cells += [cell, hints_cell(current)]
            continue
        elif BEGIN in cell.source:
            if current is None:
                raise ValueError(f"cell {cell.get('id')}: a solution before any `topic.name` line")
            mark(cell, current, "solution")
        cells.append(cell)
    nb.cells = cells


def points_line(exercise) -> str:
    points = f"{exercise.points:g} point{'s' if exercise.points != 1 else ''}"
    dots = "●" * exercise.difficulty + "○" * (3 - exercise.difficulty)
    return f"`{exercise.id}` · {points} · about {exercise.minutes} minutes · difficulty {dots}"


def hints_cell(exercise) -> NotebookNode:
    steps = "\n".join(
        f"<details><summary>Hint {number}</summary>\n\n{text}\n\n</details>"
        for number, text in enumerate(exercise.hints, 1)
    )
    cell = nbformat.v4.new_markdown_cell(steps, id=hashlib.sha1(f"hints/{exercise.id}".encode()).hexdigest()[:8])
    cell.metadata = nbformat.from_dict({"tags": ["hints"], "dlcourse": {"exercise": exercise.id, "role": "hints"}})
    return cell


def mark(cell: NotebookNode, exercise, role: str) -> None:
    cell.metadata["dlcourse"] = {"exercise": exercise.id, "role": role}
    graded = role == "check"
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": f"{exercise.id.replace('.', '-')}-{role}",
        "grade": graded,
        "solution": not graded,
        "locked": graded,
        "task": False,
        **({"points": exercise.points} if graded else {}),
    }


def save(nb: NotebookNode, path: Path) -> int:
    text = nbformat.writes(nb).rstrip("\n") + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return len(text)


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[0] not in ("run", "norm", "from-py"):
        print(__doc__)
        return 2
    verb, *names = arguments
    if verb == "from-py":
        import jupytext

        draft, target = Path(names[0]), Path(names[1])
        save(jupytext.read(draft, fmt="py:percent"), target)
        return 0
    for path in map(Path, names):
        nb = nbformat.read(path, as_version=4)
        if path.resolve().parent.name == "solutions":
            annotate(nb)
        started = time.perf_counter()
        if verb == "run":
            execute(nb, path.parent)
        normalize(nb, path.stem)
        size = save(nb, path)
        print(f"{path}: {size / 1000:.0f} kB, {time.perf_counter() - started:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
