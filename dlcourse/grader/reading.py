"""From a file to code cells, whatever has happened to the file; nothing of it is parsed as Python here, let alone run.

Notebooks of nbformat 3 and 4 are read, with metadata, ids, kernel names and output lost or damaged.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.checks.exercise import Exercise

MOST_BYTES = 100 << 20
MOST_CODE = 1 << 20
MOST_CELLS = 5_000

_DEFINED = re.compile(r"^(?:def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=", re.M)


class UnreadableError(Exception):
    """The file is no notebook that can be graded; says why."""


@dataclass(frozen=True)
class Cell:
    """A code cell: its number among the notebook's cells from 1, its code, and the exercise that its metadata names."""

    number: int
    source: str
    exercise: str = ""


def read_bytes(path: Path) -> bytes:
    """The file's bytes.

    Raises
    ------
    UnreadableError
        If there is no such file, or it is too large.
    """
    try:
        if not path.is_file():
            raise UnreadableError("There is no such file.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnreadableError(
                f"The file has {size >> 20} MB; at most {MOST_BYTES >> 20} MB are read. Clear its outputs."
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise UnreadableError(f"The file cannot be opened: {getattr(error, 'strerror', None) or error}.") from None


def cells_of(data: bytes) -> list[Cell]:
    """The notebook's code cells without its check cells.

    Raises
    ------
    UnreadableError
        If this is no notebook.
    """
    if not data.strip():
        raise UnreadableError("The file is empty.")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        notebook = json.loads(text)
    except (UnicodeDecodeError, ValueError) as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise UnreadableError(f"This is not a notebook: its JSON is damaged or cut off{where}.") from None
    except (RecursionError, MemoryError):
        raise UnreadableError("This is not a notebook: its JSON is nested too deeply.") from None
    found = _raw_cells(notebook)
    if not found:
        raise UnreadableError("The notebook has no cells.")
    cells = [cell for number, raw in enumerate(found[:MOST_CELLS], 1) if (cell := _cell(number, raw))]
    size = sum(len(cell.source) for cell in cells)
    if size > MOST_CODE:
        raise UnreadableError(f"The notebook holds {size >> 20} MB of code; at most {MOST_CODE >> 20} MB are read.")
    return cells


def topic_of(name: str, data: bytes, cells: Sequence[Cell], exercises: Sequence[Exercise]) -> str:
    """The unit that a notebook belongs to: most of its exercises, by id and by function; else what its file name says.

    Raises
    ------
    UnreadableError
        If it shows no exercise and is named like no unit.
    """
    known = {exercise.id: exercise.topic for exercise in exercises}
    functions = {exercise.function: exercise.topic for exercise in exercises}
    topics = list(dict.fromkeys(known.values()))
    votes: Counter[str] = Counter()
    for cell in cells:
        if cell.exercise in known:
            votes[known[cell.exercise]] += 3
        for found in _DEFINED.finditer(cell.source):
            if (function := found[1] or found[2]) in functions:
                votes[functions[function]] += 2
    named = [topic for topic in topics if re.search(rf"(?<![a-z]){topic}(?![a-z])", name.lower())]
    for topic in named:
        votes[topic] += 1
    if not votes:
        for id in set(re.findall(rb"\b[a-z_]{3,40}\.[a-z_0-9]{2,60}\b", data[: 4 << 20])):
            if id.decode() in known:
                votes[known[id.decode()]] += 1
    if not votes:
        raise UnreadableError("No exercise of the course is in this notebook, and its name is not that of a unit.")
    return max(topics, key=lambda topic: votes[topic])


def _raw_cells(notebook: Any) -> list[Any]:
    """The list of cells: nbformat 4's, or those of nbformat 3's worksheets."""
    if not isinstance(notebook, dict):
        return []
    cells = notebook.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = notebook.get("worksheets")
    found: list[Any] = []
    for sheet in sheets if isinstance(sheets, list) else []:
        if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list):
            found += sheet["cells"]
    return found


def _cell(number: int, raw: Any) -> Cell | None:
    """The cell, unless it holds no code or is a check cell."""
    if not isinstance(raw, dict) or raw.get("cell_type", "code") != "code":
        return None
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str) or not source.strip():
        return None
    source = source.encode("utf-8", "replace").decode()  # half of a surrogate pair cannot be sent
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    ours, nbgraders = metadata.get("dlcourse"), metadata.get("nbgrader")
    ours, nbgraders = (value if isinstance(value, dict) else {} for value in (ours, nbgraders))
    is_check = ours.get("role") == "check" or (nbgraders.get("grade") is True and nbgraders.get("solution") is not True)
    if is_check:
        return None
    id = ours.get("exercise")
    if not isinstance(id, str):
        grade_id = nbgraders.get("grade_id")
        id = grade_id.removesuffix("-solution").replace("-", ".", 1) if isinstance(grade_id, str) else ""
    return Cell(number, source.replace("\r\n", "\n").replace("\r", "\n"), id)
