"""Landlock: a Linux process gives up the files, TCP ports and signals that it does not need, and cannot take them back.

By system calls through ctypes; see landlock(7) for the numbers. Rules only add, so what is to stay hidden must not lie
below anything that is allowed.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from functools import cache

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all architectures
READ_FILE, READ_DIR, WRITE_FILE, TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
MAKE_DEVICES = 1 << 6 | 1 << 11  # character and block devices
EXECUTE, IOCTL = 1, 1 << 15
FILE_RIGHTS = READ_FILE | WRITE_FILE | TRUNCATE  # what a rule for a file that is no folder may grant
FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many rights on files an ABI knows; 16 from 5 on
NO_NEW_PRIVILEGES = 38


@cache
def abi() -> int:
    """The version of Landlock that the kernel offers; 0 where there is none."""
    try:
        return max(0, int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))
    except (OSError, AttributeError):
        return 0


def restrict(read: Iterable[str], write: Iterable[str]) -> None:
    """From now on this process, and what it starts, reads below ``read``, reads and writes below ``write``, and no more.

    No TCP connection, no signal to a process outside, no program to be executed.

    Raises
    ------
    OSError
        If the kernel refuses.
    """
    version = abi()
    every = (1 << FS_RIGHTS.get(version, 16)) - 1
    net, scoped = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = struct.pack("QQQ", every, net, scoped)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = _call(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in read:
            _allow(ruleset, path, READ_FILE | READ_DIR)
        for path in write:
            _allow(ruleset, path, every & ~EXECUTE & ~IOCTL & ~MAKE_DEVICES)
        if _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there, or not for us, need not be allowed
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= FILE_RIGHTS
        _call(ADD_RULE, ruleset, 1, struct.pack("=Qi", rights & ((1 << FS_RIGHTS.get(abi(), 16)) - 1), place), 0)
    finally:
        os.close(place)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc().syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
