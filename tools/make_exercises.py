"""solutions/*.ipynb -> exercises/*.ipynb: solution regions become stubs, outputs go, cell ids stay.

    python tools/make_exercises.py            # write
    python tools/make_exercises.py --check    # exit 1 when a committed exercise differs

A solution region runs from ``### BEGIN SOLUTION`` to ``### END SOLUTION``. Comment lines after ``### STUB`` inside it
become the exercise's starting text (a broken program, a signature with blanks); without them the stub raises
NotImplementedError. A cell tagged ``solution-only`` stays behind.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION[ \t]*\n(.*?)^[ \t]*### END SOLUTION[ \t]*$", re.M | re.S)
STUB_MARK = re.compile(r"^[ \t]*### STUB[ \t]*\n", re.M)
STUB = '{0}# YOUR CODE HERE\n{0}raise NotImplementedError("Replace this line with your code.")'


def stub(region: re.Match[str]) -> str:
    """The starting text of a solution region: its commented stub lines uncommented, or the default."""
    indent, body = region[1], region[2]
    parts = STUB_MARK.split(body)
    if len(parts) == 1:
        return STUB.format(indent)
    lines = []
    for line in parts[1].splitlines():
        text = line.removeprefix(indent)
        if text and not text.startswith("#"):
            raise ValueError(f"a line after ### STUB is not a comment: {line!r}")
        lines.append((indent + text.removeprefix("#").removeprefix(" ")).rstrip())
    return "\n".join(lines)


def exercise_source(source: str, where: str) -> str:
    new = REGION.sub(stub, source).rstrip()
    if "### BEGIN" in new or "### END" in new:
        raise ValueError(f"{where}: a BEGIN without its END, or the reverse")
    return new


def empty(nb: NotebookNode, name: str) -> None:
    """Turn a solution notebook into the exercise notebook, in place."""
    cells, begun = [], False
    for cell in nb.cells:
        tags = list(cell.metadata.get("tags", []))
        if "solution-only" in tags:
            continue
        if cell.cell_type == "code":
            new = exercise_source(cell.source, f"{name}: cell {cell['id']}")
            solved_here = new != cell.source.rstrip()
            begun = begun or solved_here
            if begun and not solved_here and "raises-exception" not in tags:
                cell.metadata["tags"] = [*tags, "raises-exception"]  # Run All reaches the end of an untouched notebook
            cell.source, cell.outputs, cell.execution_count = new, [], None
        cells.append(cell)
    nb.cells = cells


def make_exercise(nb: NotebookNode, name: str) -> str:
    """The text of the exercise notebook made from a solution notebook."""
    empty(nb, name)
    nbformat.validate(nb)
    return nbformat.writes(nb).rstrip("\n") + "\n"


def main(check: bool) -> int:
    target = ROOT / "exercises"
    wanted = {
        path.name: make_exercise(nbformat.read(path, as_version=4), path.name)
        for path in sorted((ROOT / "solutions").glob("*.ipynb"))
    }
    differing = []
    for name, text in wanted.items():
        path = target / name
        if not path.exists() or path.read_text("utf-8") != text:
            differing.append(f"{name}: {'differs from' if check else 'written anew from'} solutions/{name}")
            if not check:
                target.mkdir(exist_ok=True)
                path.write_text(text, "utf-8", newline="\n")
    orphans = [f"{path.name}: has no solution" for path in target.glob("*.ipynb") if path.name not in wanted]
    print(*(differing + orphans or ["exercises/ is in sync with solutions/"]), sep="\n")
    return int(bool(orphans) or (check and bool(differing)))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
