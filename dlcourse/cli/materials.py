"""The learner's own copy of the course: made once, updated later, and no file the learner changed is overwritten.

What was installed is remembered as a fingerprint of each file in ``.dlcourse/installed.json``. A notebook's
fingerprint covers the sources of its cells and not their outputs, so running a lesson does not count as changing it.

===================  =====================================================================================
file in workspace    what an update does
===================  =====================================================================================
not there yet        installs it
as it was installed  replaces it when the course has a newer one
changed              keeps it, and puts a newer one beside it, once, as ``NAME.new-VERSION.ipynb``
deleted or renamed   leaves it away and says so once; ``restore=True`` brings it back
===================  =====================================================================================

A file appears by a rename and is recorded afterwards, so that an interruption at any moment loses nothing and the next
start completes the work.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dlcourse import course, files
from dlcourse.workspace import MARKER

RECORD = "installed.json"
STALE_PART = 3600.0  # seconds after which a half-written file belongs to nobody


@dataclass
class Report:
    """What `update` did, each file relative to the workspace."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)
    """Pairs (the learner's changed file, the newer version that now lies beside it)."""
    deleted: list[str] = field(default_factory=list)
    """Files that the learner deleted or renamed, named at the first start that misses them."""
    retired: list[str] = field(default_factory=list)
    """Files that the course no longer has; they stay in the workspace."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Pairs (file, reason)."""


def fingerprint(path: Path) -> str:
    """Hash of a notebook's cell sources, or of the bytes of any other file.

    Empty cells do not count: JupyterLab appends one whenever the last cell is run.
    """
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        try:
            cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(content)["cells"]]
            content = json.dumps([cell for cell in cells if cell[1].strip()]).encode()
        except (ValueError, KeyError, TypeError):
            pass  # not a notebook any more: its bytes stand for it
    return hashlib.sha256(content).hexdigest()[:32]


def update(workspace: Path, version: str, restore: bool = False) -> Report:
    """Bring the course's files in `workspace` up to date; see the table above.

    Parameters
    ----------
    workspace : Path
        Made when it does not exist.
    version : str
        The course's version, for the names of files put beside changed ones.
    restore : bool
        Bring back the files that the learner deleted.

    Raises
    ------
    OSError
        If the workspace itself cannot be written. A single file that cannot be is reported in ``failed``.
    """
    top, names, report = course.root(), course.files(), Report()
    (workspace / MARKER).mkdir(parents=True, exist_ok=True)
    record = _read_record(workspace)
    for name in names:
        entry = record.setdefault(name, {})
        try:
            _update_file(top / name, workspace, name, entry, version, restore, report)
        except OSError as error:
            report.failed.append((name, error.strerror or str(error)))
        if not entry:
            del record[name]
    report.retired += sorted(set(record) - set(names))
    for name in report.retired:
        del record[name]
    _write(workspace / MARKER / RECORD, json.dumps({"version": version, "files": record}, indent=1).encode())
    return report


def _update_file(
    source: Path, workspace: Path, name: str, entry: dict[str, str], version: str, restore: bool, report: Report
) -> None:
    target = workspace / name
    newest = fingerprint(source)
    installed = entry.get("installed")
    if not target.exists():
        if installed is None or restore:
            _write(target, source.read_bytes())
            entry.clear()
            entry["installed"] = newest
            report.new.append(name)
        elif "deleted" not in entry:
            entry["deleted"] = version
            report.deleted.append(name)
        return
    entry.pop("deleted", None)
    found = fingerprint(target)
    if found == newest:
        entry["installed"] = newest
    elif found == installed:
        _write(target, source.read_bytes())
        entry["installed"] = newest
        report.updated.append(name)
    elif newest not in (installed, entry.get("offered")):
        beside = _put_beside(source, workspace, name, newest, version)
        entry["offered"] = newest
        report.beside.append((name, beside))


def _put_beside(source: Path, workspace: Path, name: str, newest: str, version: str) -> str:
    """Copy `source` next to the learner's changed file under a name that is free, or that already holds the same."""
    path = PurePosixPath(name)
    count = 1
    while True:
        suffix = f".new-{version}" + (f"-{count}" if count > 1 else "")
        beside = path.with_name(path.stem + suffix + path.suffix)
        target = workspace / beside
        if not target.exists():
            _write(target, source.read_bytes())
            return str(beside)
        if fingerprint(target) == newest:
            return str(beside)
        count += 1


def _write(target: Path, content: bytes) -> None:
    """Put `content` at `target` in one step, and sweep up what a killed process left of an earlier one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for part in target.parent.glob(f".{target.name}.*.part"):
        if time.time() - part.stat().st_mtime > STALE_PART:
            part.unlink(missing_ok=True)
    files.replace(target, content, part=target.with_name(f".{target.name}.{os.getpid()}.part"))


def _read_record(workspace: Path) -> dict[str, dict[str, str]]:
    """What was installed, by file; empty when there is no record or it is damaged (then nothing is overwritten)."""
    try:
        files = json.loads((workspace / MARKER / RECORD).read_text("utf-8"))["files"]
        return {str(name): {str(k): str(v) for k, v in entry.items()} for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
