"""Several judges at a time, each a process with a zygote of its own; one that dies costs a second try and no more."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dlcourse.grader.results import NotebookResult

if TYPE_CHECKING:
    from dlcourse.grader.session import Options

PROGRAM = "import sys; sys.path[:] = {path!r}; from dlcourse.grader.crew import main; main()"


class Crew:
    """To be used in a ``with``.

    Parameters
    ----------
    options : for each judge
    size : how many
    """

    def __init__(self, options: Options, size: int) -> None:
        self.options, self.size = options, size
        self.waiting: queue.SimpleQueue[tuple[Path, int]] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[NotebookResult | BaseException] = queue.SimpleQueue()
        self.processes: list[subprocess.Popen[str]] = []
        self.closing = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing = True
        for process in self.processes:
            if process.stdin:
                process.stdin.close()  # it ends its zygote and itself
        for process in self.processes:
            try:
                process.wait(0.5 if kind else 10)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()

    def grade(self, paths: Sequence[Path]) -> Iterator[NotebookResult]:
        """The results, as they finish."""
        for path in paths:
            self.waiting.put((path, 1))
        self.left = len(paths)
        for _ in range(self.size):
            threading.Thread(target=self._tend, daemon=True).start()
        for _ in paths:
            result = self.done.get()
            if isinstance(result, BaseException):
                raise result
            yield result

    def _tend(self) -> None:
        """Hand one judge after the other what is waiting."""
        process: subprocess.Popen[str] | None = None
        try:
            while not self.closing:
                try:
                    path, tries = self.waiting.get_nowait()
                except queue.Empty:
                    return
                process = process if process and process.poll() is None else self._start()
                result = _ask(process, path)
                if result is None and tries == 1 and not self.closing:
                    self.waiting.put((path, 2))
                elif result is None:
                    self.done.put(_given_up(path))
                else:
                    self.done.put(result)
        except BaseException as error:
            self.done.put(error)

    def _start(self) -> subprocess.Popen[str]:
        root = str(Path(__file__).resolve().parents[2])
        path = [*(entry for entry in sys.path if os.path.isabs(entry)), *([] if root in sys.path else [root])]
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM.format(path=path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert process.stdin
        self.processes.append(process)
        process.stdin.write(json.dumps(asdict(self.options)) + "\n")
        process.stdin.flush()
        return process


def _ask(process: subprocess.Popen[str], path: Path) -> NotebookResult | None:
    """The result of one file; None if the judge died over it."""
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(os.fspath(path)) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        return NotebookResult.from_json(json.loads(line)) if line.endswith("\n") else None
    except (OSError, ValueError):
        process.kill()
        return None


def shown(path: Path | str) -> str:
    """A path as text; bytes in it that are no text are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _given_up(path: Path) -> NotebookResult:
    said = "The process that judged this file was ended twice; grade it by itself, with more isolation."
    return NotebookResult(shown(path), "", shown(path.absolute().parent.name), "", 0.0, 0.0, 0.0, said, ())


def main() -> None:
    """A judge of a crew: options, then paths on standard input, a line of JSON each; results on standard output."""
    from dlcourse.grader.session import Grader, Options

    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    options = Options(**json.loads(sys.stdin.readline()))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way what was started is ended, without a word
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError), Grader(options) as grader:
        for line in sys.stdin:
            results.write(json.dumps(grader.grade_one(Path(json.loads(line))).as_json()) + "\n")
            results.flush()
