"""A grading session: options, and a `Grader` that turns notebooks into results as they finish."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dlcourse import course
from dlcourse.checks import catalog
from dlcourse.checks.judging import Standard
from dlcourse.grader.crew import Crew, shown
from dlcourse.grader.isolation import level
from dlcourse.grader.judge import Examination
from dlcourse.grader.reading import Cell, UnreadableError, cells_of, read_bytes, topic_of
from dlcourse.grader.results import ExerciseResult, Isolation, NotebookResult, Setting
from dlcourse.grader.workshop import Workshop

LARGE = ("sklearn.datasets", "matplotlib.pyplot", "torch")  # they take a second, so nobody should load them twice
LEVELS: tuple[Isolation, ...] = ("none", "process", "full")


@dataclass(frozen=True)
class Options:
    """How to grade.

    Parameters
    ----------
    jobs : submissions graded at a time
    timeout : seconds by the clock for one call of an answer, and half as many of processor time. An exercise with all
        its calls, and the running of a notebook's cells, gets three times as long. Exercises that have more time in the
        notebook than the usual 5 s have more here in proportion, and so have the cells of their notebook.
    total : seconds for one submission; what is left then is *timeout*
    memory : MB that a submission may use beyond what Python and NumPy take
    seed : fixes the hidden inputs; drawn where it is None
    require : refuse to start below this level of isolation
    isolation : go down to this level; None for the best there is
    """

    jobs: int = 1
    timeout: float = 10.0
    total: float = 120.0
    memory: int = 2048
    seed: int | None = None
    require: Isolation | None = None
    isolation: Isolation | None = None


class Grader:
    """Grades notebooks; to be used in a ``with``, from a program's main thread.

    ``setting`` says under what; it is there once the ``with`` is entered.

    Raises
    ------
    ValueError
        If an option makes no sense.
    RuntimeError
        On entering, if this system cannot grade, or the required isolation is not to be had; the message names what is.
    """

    setting: Setting

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.standards: dict[str, list[Standard]] = {}
        self.loaded: set[str] = set()  # modules that a submission has loaded
        for name in ("jobs", "timeout", "total", "memory"):
            if getattr(self.options, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self.options, name)}")

    def __enter__(self) -> Grader:
        with ExitStack() as stack:
            self.workshop = stack.enter_context(Workshop(self.options.isolation))
            have = level(self.workshop.layers)
            wanted = self.options.require
            if wanted and LEVELS.index(have) < LEVELS.index(wanted):
                layers = ", ".join(self.workshop.layers) or "no layer"
                raise RuntimeError(f"isolation {wanted!r} is required; to be had is {have!r} ({layers})")
            seed = secrets.randbelow(1 << 31) if self.options.seed is None else self.options.seed
            self.setting = Setting(have, self.workshop.layers, seed, versions())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def grade(self, paths: Sequence[Path]) -> Iterator[NotebookResult]:
        """One result for every file, as they finish; whatever a file holds, nothing is raised.

        Parameters
        ----------
        paths : notebooks, as `find_notebooks` lists them
        """
        if self.options.jobs == 1 or len(paths) < 2:
            for path in paths:
                yield self.grade_one(path)
            return
        with Crew(replace(self.options, seed=self.setting.seed, jobs=1), min(self.options.jobs, len(paths))) as crew:
            yield from crew.grade(paths)

    def grade_one(self, path: Path, data: bytes | None = None) -> NotebookResult:
        """The result of one file.

        Parameters
        ----------
        path : the file; its folder's name is the student's
        data : its bytes, where they need not be read
        """
        start = time.monotonic()
        empty = NotebookResult(shown(path), "", student_of(path), "", 0.0, 0.0, 0.0, "", ())
        try:
            data = read_bytes(path) if data is None else data
            empty = replace(empty, sha256=hashlib.sha256(data).hexdigest())
            cells = cells_of(data)
            topic = topic_of(path.stem, data, cells, catalog())
            results = self._examine(topic, cells)
        except UnreadableError as reason:
            return replace(empty, message=str(reason), seconds=time.monotonic() - start)
        return replace(
            empty,
            topic=topic,
            points=sum(result.points for result in results),
            max=sum(result.max for result in results),
            seconds=time.monotonic() - start,
            exercises=tuple(results),
        )

    def _examine(self, topic: str, cells: Sequence[Cell]) -> list[ExerciseResult]:
        if topic not in self.standards:
            exercises = [exercise for exercise in catalog() if exercise.topic == topic]
            self.standards[topic] = [Standard(exercise, self.setting.seed) for exercise in exercises]
        named = dict.fromkeys((*imports_of(topic), *LARGE))
        self.workshop.import_first([name for name in named if self._is_needed(name, topic)])
        o = self.options
        examination = Examination(
            self.workshop, cells, self.standards[topic], list(named), o.timeout, o.total, o.memory
        )
        results = examination.results()
        self.loaded.update(examination.loaded)
        return results

    def _is_needed(self, module: str, topic: str) -> bool:
        """Whether to import a module before a unit's submissions are forked.

        What the references need, the answers will, so of what the unit's notebook imports that is taken which this process
        has. The rest serves trials and plots, which are not run, until a submission is seen to need it.
        """
        return module in self.loaded or (module in sys.modules and module in imports_of(topic))


def find_notebooks(paths: Sequence[Path]) -> list[Path]:
    """The notebooks among files and folders, each once.

    Folders are searched recursively, checkpoints and hidden folders left out; a file that is named is taken as it is.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        inside = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        for file in inside:
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if not hidden and not (file != path and file.is_dir()):
                found.setdefault(file.resolve(), file)
    return list(found.values())


def student_of(path: Path) -> str:
    """The name of the folder that holds the file."""
    return shown(path.absolute().parent.name)


def versions() -> dict[str, str]:
    """What the marks may depend on; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in ("dlcourse", "numpy", "torch"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@cache
def imports_of(topic: str) -> tuple[str, ...]:
    """The modules that a unit's exercise notebook imports, but for the checks."""
    try:
        notebook = next(unit.exercises for unit in course.units() if unit.topic == topic)
        cells = json.loads(notebook.read_text("utf-8"))["cells"] if notebook else []
    except (StopIteration, OSError, ValueError, KeyError):
        return ()
    found: list[str] = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        with suppress(SyntaxError):
            for node in ast.walk(ast.parse("".join(cell["source"]))):
                if isinstance(node, ast.Import):
                    found += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module == "dlcourse":
                    found += [name for a in node.names if find_spec(name := f"dlcourse.{a.name}")]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.append(node.module)
    return tuple(dict.fromkeys(name for name in found if not name.startswith(("dlcourse.checks", "dlcourse.mine"))))
