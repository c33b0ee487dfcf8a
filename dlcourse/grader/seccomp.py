"""Seccomp: the kernel refuses a process the system calls that no answer needs, for good.

Namespaces and Landlock leave a way to the machine's own services: a Unix socket with a name, such as the desktop's D-Bus
or Docker's, that a process of the same user may connect to. Without ``socket`` there is none. The other calls refused here
look into other processes, make namespaces or mounts, or are seldom used parts of the kernel that have had faults.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
REFUSED = {  # name: numbers on x86_64 and aarch64
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "io_uring_setup": (425, 425),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "open_by_handle_at": (304, 265),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273),
}  # fmt: skip
X32 = 0x40000000  # numbers from here on are x86_64's other way to make the same calls
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | 13, 0x80000000  # 13: EACCES
SET_SECCOMP, FILTER, NO_NEW_PRIVILEGES = 22, 2, 38


def restrict() -> None:
    """From now on this process, and what it starts, is refused the calls above.

    Raises
    ------
    OSError
        If the kernel does not offer that, or the numbers of this architecture's calls are not known here.
    """
    code = program(platform.machine())
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def program(machine: str) -> bytes:
    """The filter, in the kernel's byte code: eight bytes an instruction."""
    if machine not in ARCHITECTURES or struct.calcsize("P") != 8:
        raise OSError(f"no filter of system calls for {machine}")
    column, architecture = ARCHITECTURES[machine]
    numbers = [both[column] for both in REFUSED.values()]
    steps = [
        (LOAD, 0, 0, 4),  # the architecture
        (IF_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),  # the call's number
        (IF_AT_LEAST, len(numbers) + 1, 0, X32),
    ]
    steps += [(IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def works() -> bool:
    """Whether a socket is refused to this process, and ordinary work is not."""
    import socket

    try:
        socket.socket(socket.AF_UNIX).close()
    except PermissionError:
        return os.path.exists(os.curdir)
    return False
