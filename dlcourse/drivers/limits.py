"""A soft time limit that works in a notebook's kernel, and tells a real Ctrl-C from an answer that raises one.

An alarm raises :class:`TimeLimit` in the running code, again and again, so that an ``except:`` in a loop does not
swallow it. It cannot stop one long call into C; the grader's worker processes can.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeLimit(BaseException):
    """The answer took longer than it was given."""


class Interrupted(BaseException):
    """Ctrl-C was pressed while the answer ran."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeLimit` in the body when it runs longer than ``seconds``."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and hasattr(signal, "setitimer"):
        with _alarm(seconds):
            yield
    else:
        with _timer_thread(seconds):
            yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(signum: int, frame: FrameType | None) -> None:
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _timer_thread(seconds: float) -> Iterator[None]:
    thread, stop = threading.get_ident(), threading.Event()

    def ring() -> None:
        wait = seconds
        while not stop.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeLimit))
            wait = 0.2

    watcher = threading.Thread(target=ring, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)


@contextmanager
def real_interrupts() -> Iterator[None]:
    """Within the body a pressed Ctrl-C raises :class:`Interrupted`, so that ``raise KeyboardInterrupt`` is told apart."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Interrupted:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
