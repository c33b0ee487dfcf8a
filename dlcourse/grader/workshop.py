"""The judge's hold on its zygote: it starts it, asks for workers and has them ended, and starts another if it dies."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from dlcourse.checks import catalog
from dlcourse.grader import isolation
from dlcourse.grader.isolation import Plan
from dlcourse.grader.protocol import Channel
from dlcourse.grader.results import Isolation
from dlcourse.grader.zygote import STARTED_WITH

# one thread: a fork of a process with more may hang
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
QUIET = {"MPLBACKEND": "Agg", "MALLOC_ARENA_MAX": "2", "TQDM_DISABLE": "1"}
TOKEN = "DLCOURSE_GRADER"  # in the environment of the zygote and of all its forks
PATIENCE = 120.0  # seconds for an answer of the zygote, which may be importing torch


class Workshop:
    """To be used in a ``with``.

    Parameters
    ----------
    forced : level of isolation to go down to; None for the best there is

    Raises
    ------
    RuntimeError
        On entering, if this system cannot fork or the zygote does not start.
    """

    def __init__(self, forced: Isolation | None = None) -> None:
        self.off = sorted(isolation.OFF[forced or "full"])
        self.layers: tuple[str, ...] = ()
        self.warm: list[str] = []

    def __enter__(self) -> Workshop:
        if not hasattr(os, "fork"):
            raise RuntimeError("grading needs Linux or macOS; on Windows use WSL")
        self.folder = Path(tempfile.mkdtemp(prefix="dlcourse-grader-"))
        self.folder.chmod(0o711)
        try:
            self._start_zygote()
            catalog()  # imported while the zygote imports NumPy
            hidden = isolation.hidden_paths()
            self.layers = tuple(self._ask("probe", off=self.off)["layers"])
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.plan = Plan(
            self.layers,
            str(self.folder / "scratch"),
            tuple(isolation.readable_paths(hidden)),
            tuple(hidden),
            user=isolation.worker_user(),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_zygote()
        shutil.rmtree(self.folder, ignore_errors=True)

    def import_first(self, modules: Sequence[str]) -> None:
        """Have these modules imported before the next fork."""
        new = [name for name in modules if name not in self.warm]
        if new:
            self.warm += new
            self._ask("warm", modules=new)

    def start(self, memory: int, seconds: float) -> Channel:
        """A new worker's end of the line; the former must have been stopped."""
        scratch = Path(self.plan.scratch)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        plan = asdict(replace(self.plan, memory=memory, seconds=seconds))
        for _ in range(2):
            ours, theirs = socket.socketpair()
            try:
                self._ask("start", theirs, plan=plan)
                return Channel(ours)
            except (OSError, EOFError):
                ours.close()
                self._restart()
            finally:
                theirs.close()
        raise RuntimeError("the grader's zygote does not start workers")

    def stop(self, gone: bool = False) -> int | None:
        """End the worker with all that it started; its exit code if it had ended by itself, 128 and more for a signal."""
        try:
            status: int | None = self._ask("stop", gone=gone)["status"]
        except (OSError, EOFError, ValueError):
            status = None
            self._restart()
        shutil.rmtree(self.plan.scratch, ignore_errors=True)
        return status

    def _start_zygote(self) -> None:
        self.control, theirs = socket.socketpair()
        self.token = secrets.token_hex(16)
        self.control.settimeout(PATIENCE)
        root = str(Path(__file__).resolve().parents[2])
        here = os.getcwd()
        path = [entry for entry in sys.path if os.path.isabs(entry) and (entry != here or entry == root)]
        if root not in path:
            path.append(root)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", STARTED_WITH.format(path=path, control=theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("DLCOURSE_GRADER_DEBUG") else subprocess.DEVNULL,
            env={**_harmless(os.environ), **ONE_THREAD, **QUIET, TOKEN: self.token},
        )
        theirs.close()

    def _restart(self) -> None:
        """Start another zygote in place of one that a submission has ended."""
        self._end_zygote()
        self._start_zygote()
        if self.warm:
            self._ask("warm", modules=self.warm)

    def _end_zygote(self) -> None:
        if not hasattr(self, "process"):
            return
        self.control.close()  # it ends its workers and itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.returncode:  # it was killed, and could not end what it had started
            _end_all_with(self.token)

    def _ask(self, order: str, end: socket.socket | None = None, **details: Any) -> dict[str, Any]:
        data = json.dumps({"do": order, **details}).encode() + b"\n"
        socket.send_fds(self.control, [data], [end.fileno()] if end else [])
        answer = bytearray()
        while not answer.endswith(b"\n"):
            part = self.control.recv(1 << 16)
            if not part:
                raise EOFError
            answer += part
        found: dict[str, Any] = json.loads(answer)
        return found


def _harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python needs to run; passwords and tokens that the grader's environment holds are no submission's affair."""
    kept = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE")
    return {name: value for name, value in environment.items() if name in kept or name.startswith("DLCOURSE_TEST")}


def _end_all_with(token: str) -> None:
    """Kill every process whose environment bears the token, where /proc shows environments."""
    mark = f"{TOKEN}={token}".encode()
    for _ in range(100):
        found = False
        for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
            with contextlib.suppress(OSError):
                if name.isdigit() and mark in Path(f"/proc/{name}/environ").read_bytes():
                    os.kill(int(name), signal.SIGKILL)
                    found = True
        if not found:
            return
        time.sleep(0.01)
