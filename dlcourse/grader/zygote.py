"""A process that has imported the libraries, and nothing of the answers, and forks a worker for each submission.

It is started afresh (``exec``), so that nothing of the judge's memory is in it, and it is one thread with one-threaded
libraries, since a fork of more is not safe. For each worker there are two processes between: one that leaves the
machine's namespaces, and process 1 of the new ones.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections import defaultdict
from typing import Any

from dlcourse.grader import isolation
from dlcourse.grader.isolation import Plan

STARTED_WITH = "import sys; sys.path[:] = {path!r}; from dlcourse.grader.zygote import main; main({control})"


class Zygote:
    """Answers the judge's orders, one line of JSON each, over a socket that workers never see."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.keeper = 0

    def serve(self) -> None:
        """Until the judge hangs up; whatever runs then is ended."""
        while True:
            data, ends = self._order()
            if not data:
                break
            order = json.loads(data)
            answer = getattr(self, f"on_{order.pop('do')}")(*ends, **order)
            self.control.sendall(json.dumps(answer).encode() + b"\n")
        self.on_stop(gone=False)

    def _order(self) -> tuple[bytes, list[int]]:
        """The next line, and the socket that came with it; an empty line when the judge is gone."""
        data, ends = bytearray(), list[int]()
        while not data.endswith(b"\n"):
            part, more, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
            if not part:
                return b"", ends
            data += part
            ends += more
        return bytes(data), ends

    def on_probe(self, off: list[str]) -> dict[str, Any]:
        """Which layers of isolation work here."""
        return {"layers": isolation.probe(off)}

    def on_warm(self, modules: list[str]) -> dict[str, Any]:
        """Import what the notebooks of a unit import."""
        for name in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()
        return {}

    def on_start(self, end: int, plan: dict[str, Any]) -> dict[str, Any]:
        """Fork a worker that talks through ``end``."""
        chosen = Plan(**plan)
        if "reaper" in chosen.layers:
            isolation.adopt_orphans()
        if "unprivileged-user" in chosen.layers:
            os.chown(chosen.scratch, chosen.user, chosen.user)
        self.keeper = os.fork()
        if self.keeper == 0:
            _keep(end, chosen, self.control)
        os.close(end)
        return {"pid": self.keeper}

    def on_stop(self, gone: bool) -> dict[str, Any]:
        """End the worker with all that it started; how it ended, if that was by itself."""
        status: int | None = None
        if self.keeper:
            if gone:
                status = _ended(self.keeper, 1.0)
            if status is None:
                end_descendants(self.keeper)
            self.keeper = 0
        end_descendants()
        return {"status": status}


def _keep(end: int, plan: Plan, control: socket.socket) -> None:
    """Leave the namespaces, let process 1 start the worker, and end as it ends."""
    try:
        control.close()
        os.setsid()
        if "namespaces" in plan.layers:
            isolation.enter_namespaces()
            if "mounts" in plan.layers:
                isolation.cover(plan.scratch, plan.hide)
            first = os.fork()
            if first:
                os.close(end)
                _end_as(first)
        child = os.fork()
        if child:
            os.close(end)
            _end_as(child)
        _become_worker(end, plan)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(2, f"worker: {type(error).__name__}: {error}\n".encode())
    os._exit(70)


def _become_worker(end: int, plan: Plan) -> None:
    from dlcourse.grader import worker
    from dlcourse.grader.protocol import Channel

    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    isolation.confine(plan)
    worker.enter(end)
    for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR"):
        os.environ[name] = plan.scratch
    try:
        worker.work(Channel(socket.socket(fileno=3)))
    except (EOFError, OSError):
        os._exit(0)
    except MemoryError:
        os._exit(71)


def _end_as(child: int) -> None:
    """Wait for the child and exit with its code, or 128 plus the signal that ended it; other orphans are reaped."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _ended(pid: int, seconds: float) -> int | None:
    """The exit code of a child that ends within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def end_descendants(known: int = 0) -> None:
    """Kill every process that descends from this one, until none is left; where they are not to be seen, ``known``."""
    while True:
        for pid in {*descendants(os.getpid()), *([known] if known else [])}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        known = 0  # once reaped, its number may be another's
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def descendants(root: int) -> list[int]:
    """The processes below ``root``, as /proc shows them."""
    children = _children if os.path.exists("/proc/thread-self/children") else _all_children().__getitem__
    found: set[int] = set()
    waiting = [root]
    while waiting:
        new = set(children(waiting.pop())) - found
        found |= new
        waiting += new
    return sorted(found)


def _children(parent: int) -> list[int]:
    """The children of all threads of a process; none where it has ended."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{parent}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def _all_children() -> defaultdict[int, list[int]]:
    """The children of every process, for a kernel that does not tell them of one."""
    found = defaultdict[int, list[int]](list)
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                found[int(file.read().rpartition(b")")[2].split()[1])].append(int(name))
    return found


def main(control: int) -> None:
    """Serve the judge at the other end of the socket ``control``."""
    import numpy.random  # noqa: F401 (NumPy itself puts it off, and every worker needs it)

    import dlcourse.grader.worker  # noqa: F401 (with NumPy and the drivers, before the first fork)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the judge's affair, who then hangs up
    sys.dont_write_bytecode = True
    with contextlib.suppress(ConnectionError):
        Zygote(socket.socket(fileno=control)).serve()
