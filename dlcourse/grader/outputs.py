"""The files that a grading run writes after every submission, and what a later run takes over from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.grader import pages, reports
from dlcourse.grader.results import NotebookResult, Setting


@dataclass(frozen=True)
class Outputs:
    """Where the marks go; None for what is not wanted.

    Parameters
    ----------
    json, csv, junit : files
    html : a folder, made when it does not exist
    """

    json: Path | None = None
    csv: Path | None = None
    junit: Path | None = None
    html: Path | None = None

    def prepare(self) -> None:
        """See to it, before anything is graded, that all of them can be written and none of them destroys something else.

        Raises
        ------
        ValueError
            If one cannot, or is a file that grading did not write; the message names it.
        OSError
            If a folder cannot be made.
        """
        files = [file for file in (self.json, self.csv, self.junit) if file]
        if len({os.path.realpath(file) for file in files}) < len(files):
            raise ValueError("two of the output files are the same file")
        for file in files:
            _must_be_writable(file)
        if self.json and _there(self.json):
            reports.read(self.json)
        if self.csv and _there(self.csv):
            _must_begin(self.csv, b"student,points,max")
        if self.junit and _there(self.junit):
            _must_begin(self.junit, b"<testsuites")
        if self.html:
            self.html.mkdir(parents=True, exist_ok=True)
            if _there(index := self.html / pages.CLASS_PAGE):
                _must_begin(index, pages.GENERATOR.encode())

    def write(self, setting: Setting, notebooks: Sequence[NotebookResult], new: Iterable[NotebookResult]) -> None:
        """Write every file anew, and the pages of the submissions that are new.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        texts: list[tuple[Path | None, Callable[[], str]]] = [
            (self.json, lambda: reports.as_json(setting, notebooks)),
            (self.csv, lambda: reports.as_csv(notebooks)),
            (self.junit, lambda: reports.as_junit(notebooks)),
        ]
        for path, text in texts:
            if path:
                reports.write(path, text())
        if self.html:
            for notebook in new:
                reports.write(self.html / pages.page_name(notebook.path), pages.submission_page(notebook))
            reports.write(self.html / pages.CLASS_PAGE, pages.class_page(setting, notebooks))


def _there(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _must_be_writable(path: Path) -> None:
    if path.suffix == ".ipynb":
        raise ValueError(f"{path} is the name of a notebook; marks are written to a file with another ending")
    if path.is_dir():
        raise ValueError(f"{path} is a folder")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not an ordinary file")
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise ValueError(f"the folder of {path} does not exist")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"the folder of {path} cannot be written")


def _must_begin(path: Path, mark: bytes) -> None:
    """Refuse a file that something else has written: it would be lost."""
    with path.open("rb") as file:
        if mark not in file.read(1000):
            raise ValueError(f"{path} is there and was not written by dlcourse grade; name another file, or remove it")


def key(path: str | Path) -> str:
    """A path as results are matched by it: the same for ``anna/x.ipynb`` and ``./anna/x.ipynb``."""
    return os.path.abspath(path)


def carried_over(
    earlier: tuple[Setting, Sequence[NotebookResult]], setting: Setting, paths: Sequence[Path]
) -> list[NotebookResult]:
    """The earlier results that hold under this setting: of unchanged files, and of files that are not graded now.

    A file that could not be graded is tried again.

    Raises
    ------
    ValueError
        If marks of other files were made under another setting: one results file cannot hold both.
    """
    old, notebooks = earlier
    now = {key(path): path for path in paths}
    if old != setting:
        others = sum(key(notebook.path) not in now for notebook in notebooks)
        if others:
            raise ValueError(
                f"it holds the marks of {others} other file{'s' * (others != 1)}, made with {difference(old, setting)}; "
                "grade all of them again together, or write to another file"
            )
        return []
    return [notebook for notebook in notebooks if _holds(notebook, now.get(key(notebook.path)))]


def _holds(notebook: NotebookResult, path: Path | None) -> bool:
    if path is None:
        return True
    return not notebook.message and notebook.sha256 != "" and notebook.sha256 == _sha256(path)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def difference(old: Setting, new: Setting) -> str:
    """In words, what an earlier run was made with and this one is not."""
    said = []
    if old.seed != new.seed:
        said.append(f"seed {old.seed}")
    said += [f"{name} {version}" for name, version in old.versions.items() if new.versions.get(name) != version]
    if (old.isolation, old.layers) != (new.isolation, new.layers):
        said.append(f"isolation {old.isolation} ({', '.join(old.layers)})")
    return ", ".join(said) or "other versions"
