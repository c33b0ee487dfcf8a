"""``dlcourse watch``: waits for a notebook to be saved and says what has changed about its exercises.

Each round runs in a fresh process (`rechecking`), so that code which loops forever or crashes costs one exercise and
not the watching.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.cli import rechecking
from dlcourse.cli.materials import fingerprint

POLL_SECONDS = 0.4
EXERCISE_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """The verdict on one exercise, as far as a reader needs it."""

    id: str
    passed: bool
    mistake: str | None
    message: str

    @property
    def untouched(self) -> bool:
        """Whether the exercise is still as it was handed out."""
        return self.mistake in ("stub", "as-given")


class Watcher:
    """Checks one notebook and tells what changed since the last time.

    Parameters
    ----------
    notebook : Path
        The saved .ipynb.
    say : function of one string
        Where the lines go.
    """

    def __init__(self, notebook: Path, say: Callable[[str], None]) -> None:
        self.notebook = notebook
        self.say = say
        self.shown: dict[str, Outcome] = {}

    def check(self) -> bool:
        """Check once; True when every exercise is passed.

        Raises
        ------
        ValueError
            If the file is not a notebook, or holds no exercise.
        """
        found = []
        for outcome in outcomes(self.notebook):
            found.append(outcome)
            if self.shown.get(outcome.id) != outcome and not outcome.untouched:
                self.say(f"{'✓ Passed' if outcome.passed else '✗ Not yet'}: {outcome.id}")
                for line in [] if outcome.passed else outcome.message.splitlines():
                    self.say(f"    {line}")
            self.shown[outcome.id] = outcome
        if not found:
            raise ValueError("it has no check cell; is it an exercise notebook?")
        passed, untouched = sum(o.passed for o in found), sum(o.untouched for o in found)
        rest = f", {untouched} not started" if untouched else ""
        self.say(f"{time.strftime('%H:%M:%S')}  {passed} of {len(found)} passed{rest}")
        return passed == len(found)

    def run(self) -> None:
        """Check at the start and after every save, until Ctrl-C."""
        for readable in saves(self.notebook):
            if not readable:
                self.say(f"{self.notebook.name} cannot be read as a notebook at the moment; waiting for the next save.")
                continue
            try:
                self.check()
            except (ValueError, OSError) as error:  # saved again while it was being read, or a file without exercises
                self.say(f"{self.notebook.name}: {error}")


def outcomes(notebook: Path, seconds: float = EXERCISE_SECONDS) -> Iterator[Outcome]:
    """The verdict on every check cell of a saved notebook, each as soon as it is known.

    Parameters
    ----------
    notebook : Path
        The saved .ipynb.
    seconds : float
        Time for one exercise; when it is over, the exercise is given up and the others go on.

    Raises
    ------
    ValueError
        If the file is not a notebook, as in the middle of a save.
    RuntimeError
        If the checks do not run at all in this installation.
    """
    rechecking.parse(notebook.read_text("utf-8"))
    finished: set[str] = set()
    while True:
        current = ""
        for message in _round(notebook, finished, seconds):
            if "finished" in message:
                return
            current = message["id"]
            if "passed" in message:
                finished.add(current)
                yield Outcome(current, message["passed"], message["mistake"], message["message"])
                current = ""
        if not current:
            raise RuntimeError(f"{sys.executable} could not run the checks; `dlcourse doctor` says what is missing")
        finished.add(current)  # the process ended in the middle of this one; go on without it
        text = f"Running its cells crashed Python, or took longer than {seconds:.0f} seconds. Is there an endless loop?"
        yield Outcome(current, False, "died", text)


def _round(notebook: Path, skip: set[str], seconds: float) -> Iterator[dict[str, Any]]:
    """The messages of one process; it is killed when an exercise takes too long."""
    command = [sys.executable, "-m", "dlcourse.cli.rechecking", str(notebook.resolve()), *sorted(skip)]
    env = {**os.environ, "MPLBACKEND": "Agg", "TQDM_DISABLE": "1"}
    process = subprocess.Popen(
        command, cwd=notebook.resolve().parent, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            timer.cancel()
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            yield json.loads(line)
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def saves(notebook: Path, poll: float = POLL_SECONDS) -> Iterator[bool]:
    """Yield True at the start and whenever the cells' sources change, False when they cannot be read for some time.

    A save that changes only outputs, as JupyterLab makes every two minutes, yields nothing.
    """
    seen: tuple[int, int] | None = None
    known = ""
    unreadable_since: float | None = None
    said = False
    while True:
        try:
            status = notebook.stat()
            state = (status.st_mtime_ns, status.st_size)
            if state != seen or unreadable_since is not None:
                rechecking.parse(notebook.read_text("utf-8"))
                seen, unreadable_since, said = state, None, False
                if (now := fingerprint(notebook)) != known:
                    known = now
                    yield True
        except (OSError, ValueError):  # in the middle of a save; only when it lasts is it worth a word
            unreadable_since = unreadable_since or time.monotonic()
            if time.monotonic() - unreadable_since > 3 and not said:
                said = True
                yield False
        time.sleep(poll)
