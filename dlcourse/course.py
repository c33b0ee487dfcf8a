"""Where the course's own files are: the repository when the install is editable, ``dlcourse/_course/`` in a wheel.

Everything that needs a lesson or an exercise notebook asks here, so that the two kinds of install differ in one place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("notebooks", "exercises")
_UNIT = re.compile(r"\d\d_[a-z0-9_]+")


@dataclass(frozen=True)
class Unit:
    """One unit of the course: a lesson and its exercises, which share the name ``NN_topic``."""

    name: str
    title: str
    lesson: Path | None
    exercises: Path | None

    @property
    def number(self) -> int:
        """The unit's place in the course, from 1."""
        return int(self.name[:2])

    @property
    def topic(self) -> str:
        """The name without its number: the first half of the unit's exercise ids."""
        return self.name[3:]


def root() -> Path:
    """The folder that holds ``notebooks/`` and ``exercises/``.

    Raises
    ------
    FileNotFoundError
        If this installation carries no course files.
    """
    package = Path(__file__).resolve().parent
    repository = package.parent
    # site-packages may hold a folder named notebooks/ that some other package left there: a repository has pyproject.toml
    candidates = [package / "_course", *([repository] if (repository / "pyproject.toml").is_file() else [])]
    for folder in candidates:
        if (folder / FOLDERS[0]).is_dir():
            return folder
    raise FileNotFoundError(
        f"the course's notebooks are missing from this installation ({package}); "
        "install dlcourse again, from its repository or its wheel"
    )


def files() -> list[str]:
    """Every file that a learner's workspace gets, relative to `root()` and with forward slashes."""
    top = root()
    found = (path.relative_to(top) for name in FOLDERS for path in (top / name).rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part.startswith((".", "__")) for part in path.parts))


def units() -> list[Unit]:
    """The units in their order, each with its lesson, its exercises, or both."""
    top = root()
    names = {path.stem for folder in FOLDERS for path in (top / folder).glob("*.ipynb") if _UNIT.fullmatch(path.stem)}
    return [_unit(top, name) for name in sorted(names)]


def _unit(top: Path, name: str) -> Unit:
    paths = [top / folder / f"{name}.ipynb" for folder in FOLDERS]
    lesson, exercises = (path if path.is_file() else None for path in paths)
    title = _title(lesson) if lesson else None
    return Unit(name, title or name[3:].replace("_", " ").capitalize(), lesson, exercises)


def _title(notebook: Path) -> str | None:
    """The notebook's first heading, without its number."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells[:3] if cell["cell_type"] == "markdown")
    found = re.search(r"^# +(.+)$", text, re.M)
    return re.sub(r"^(Unit +)?\d+[.:]? +([-–—·] +)?", "", found[1].strip()) if found else None
