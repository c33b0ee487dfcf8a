"""A soft time limit that works in a notebook's kernel, and tells a real Ctrl-C from an answer that raises one.

What counts is processor time, so that a busy machine does not fail a right answer; an answer that sleeps or waits is
stopped after a few times as long by the clock. Neither counts what the answer has no part in: the time in which Python
looks for garbage among all objects of the session, and a halt of the whole process, however long, which is one tick of the clock. An alarm raises :class:`TimeLimit` in the running code. Where an ``except:`` in a loop swallows it, it is raised again at
the next line, which lies outside of that ``try``. It cannot stop one long call into C; the grader's worker
processes can.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

WAITING = 3  # times the limit, by the clock
TICKS = 10  # of the clock in this time: alarms that fall into a halt of the process arrive as one
AGAIN = 0.2  # seconds until the next alarm, where an answer swallows one
DRIVERS_FOLDER = os.path.dirname(__file__)  # frames of the code that set the limit are left alone


class TimeLimit(BaseException):
    """The answer took longer than it was given."""


class Interrupted(BaseException):
    """Ctrl-C was pressed while the answer ran."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeLimit` in the body when it computes longer than ``seconds``, or waits much longer."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and hasattr(signal, "setitimer"):
        with _alarm(seconds):
            yield
    else:
        with _timer_thread(seconds):
            yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    ticks, garbage = 0, _GarbageClock()

    def ring(signum: int, frame: FrameType | None) -> None:
        nonlocal ticks
        ticks += signum == signal.SIGALRM
        if signum == signal.SIGALRM and ticks < TICKS:
            return
        if signum == signal.SIGPROF and (owed := garbage.take()):
            signal.setitimer(signal.ITIMER_PROF, owed, AGAIN)
            return
        signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        sys.settrace(_no_new_frames)
        in_garbage_clock = False
        while frame is not None and frame.f_locals.get("self") is garbage:  # Python would swallow what is raised there
            in_garbage_clock, frame = True, frame.f_back
        while frame is not None and not frame.f_code.co_filename.startswith(DRIVERS_FOLDER):
            frame.f_trace = _raise_at_next_line
            frame = frame.f_back
        if not in_garbage_clock:
            raise TimeLimit

    traced_by = sys.gettrace()
    before = {number: signal.signal(number, ring) for number in (signal.SIGPROF, signal.SIGALRM)}
    tick = WAITING * seconds / TICKS
    gc.callbacks.append(garbage)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    signal.setitimer(signal.ITIMER_REAL, tick, tick)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        with suppress(ValueError):  # an answer may have cleared the list
            gc.callbacks.remove(garbage)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.settrace(traced_by)


class _GarbageClock:
    """Told by Python when it begins and ends to look for garbage, it keeps the processor time that goes there."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.seconds = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self.began = time.process_time()
        else:
            self.seconds, self.began = self.seconds + self._running(), None

    def _running(self) -> float:
        return 0.0 if self.began is None else time.process_time() - self.began

    def take(self) -> float:
        """The seconds that were not yet given back, also where an alarm rings before Python has ended."""
        seconds, self.seconds = self.seconds + self._running(), 0.0
        if self.began is not None:
            self.began = time.process_time()
        return seconds


def _no_new_frames(frame: FrameType, event: str, argument: Any) -> None:
    return None


def _raise_at_next_line(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line":
        raise TimeLimit
    return _raise_at_next_line


@contextmanager
def _timer_thread(seconds: float) -> Iterator[None]:
    thread, stop = threading.get_ident(), threading.Event()

    def ring() -> None:
        wait = WAITING * seconds
        while not stop.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeLimit))
            wait = AGAIN

    watcher = threading.Thread(target=ring, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with suppress(TimeLimit):
            stop.set()
            watcher.join()
        with suppress(TimeLimit):  # one that is on its way arrives here (taking it back would unsettle CPython 3.11)
            for _ in range(100):
                pass


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
