"""What was tried and passed: lines of JSON in the workspace, one for each event, only ever appended.

A line is written in one go under a lock, so two notebooks may write at once; a kill in the middle of a write leaves a
torn last line, which readers skip and the next writer steps over.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcourse.lock import locked
from dlcourse.workspace import MARKER

FILE = "progress.jsonl"


@dataclass
class Entry:
    """The state of one exercise: attempts so far, hints read, and of the last pass its points and source."""

    id: str
    passed: bool = False
    points: float = 0.0
    attempts: int = 0
    hints: int = 0
    mistake: str | None = None
    when: str = ""
    source: str = ""


def path_in(workspace: Path) -> Path:
    """Where a workspace keeps its record."""
    return workspace / MARKER / FILE


def append(workspace: Path, event: dict[str, Any]) -> None:
    """Add one event: ``{"id": ..., "event": "check" or "hint", ...}``; the time is added here.

    Raises
    ------
    OSError
        If the record cannot be written.
    """
    path = path_in(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**event, "when": datetime.now(UTC).isoformat(timespec="seconds")}, ensure_ascii=False)
    with open(path, "ab+") as file, locked(file):
        size = file.seek(0, os.SEEK_END)
        torn = False
        if size:
            file.seek(size - 1)
            torn = file.read(1) != b"\n"
        file.write((b"\n" if torn else b"") + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(workspace: Path) -> dict[str, Entry]:
    """The state of every exercise that was ever tried; lines that cannot be read are skipped."""
    entries: dict[str, Entry] = {}
    try:
        lines = path_in(workspace).read_bytes().splitlines()
    except OSError:
        return entries
    for line in lines:
        try:
            event = json.loads(line)
            entry = entries.setdefault(event["id"], Entry(event["id"]))
            apply(entry, event)
        except (ValueError, KeyError, TypeError):
            continue
    return entries


def apply(entry: Entry, event: dict[str, Any]) -> None:
    """Bring an entry up to date with one event."""
    entry.when = str(event.get("when", ""))
    if event["event"] == "hint":
        entry.hints = max(entry.hints, int(event["step"]))
        return
    entry.attempts += 1
    entry.mistake = event.get("mistake")
    if event["passed"]:
        entry.passed = True
        entry.points = max(entry.points, float(event["points"]))
        entry.source = str(event.get("source", "")) or entry.source
