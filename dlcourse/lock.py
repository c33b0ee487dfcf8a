"""One process at a time: a lock on an open file, which the operating system lets go of when a process ends or is killed."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import IO


@contextlib.contextmanager
def locked(file: IO[bytes]) -> Iterator[None]:
    """Hold an exclusive lock on the file while the body runs; wait for as long as another holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        waiting = True
        while waiting:
            file.seek(0)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
                waiting = False
            except OSError as problem:  # it gives up after ten seconds
                if problem.errno != errno.EDEADLK:
                    raise
        try:
            yield
        finally:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
