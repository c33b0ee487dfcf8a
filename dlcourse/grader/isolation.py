"""What keeps a submission in: layers, each of which is there only if a throw-away child has really tried it.

    namespaces          its own processes, network (none), shared memory and mounts
    mounts              a small file system in memory as its folder, all others read-only, the answers covered
    landlock            no file but the libraries to read, none to write outside its folder, no TCP, no signals
    limits              bounded memory, processor time, files, no core dumps
    unprivileged-user   where the grader runs as root: the worker becomes a user whom nothing belongs to
    process-count       a bounded number of processes
    system-calls        no sockets, not even to the machine's own services by a file's name; no rare calls to the kernel
    reaper              what a submission leaves behind becomes the grader's child, and is ended

*full* needs the namespaces, the limits, the count, the filter of system calls, and Landlock or the mounts; *process* needs the limits.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlcourse.grader import landlock, seccomp
from dlcourse.grader.results import Isolation

LAYERS = (
    "namespaces", "mounts", "landlock", "limits", "unprivileged-user", "process-count", "system-calls", "reaper",
)  # fmt: skip
OFF = {"full": set[str](), "process": {"namespaces", "mounts"}, "none": set(LAYERS) - {"reaper"}}
NOBODY = 65534
SCRATCH_MB = 64
PROCESSES = 64
CLONE = {"user": 0x10000000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x08000000, "mount": 0x00020000}
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/proc/cpuinfo",
          "/proc/meminfo", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random", "/dev/zero")  # fmt: skip
HIDDEN = ("checks", "_course", "mine.py", "__pycache__/mine.*.pyc")


@dataclass(frozen=True)
class Plan:
    """How to confine one worker.

    Parameters
    ----------
    layers : those to use
    scratch : the one folder that it may write to
    read : what it may read
    hide : folders that are covered, where there are mounts
    memory, seconds : MB beyond what the zygote takes, and processor time
    user : whom a grader that runs as root turns the worker into
    """

    layers: tuple[str, ...]
    scratch: str
    read: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    memory: int = 2048
    seconds: float = 120.0
    user: int = 0


def worker_user() -> int:
    """A number that no user has, one for each grader, so that nobody else's processes are counted or ended."""
    return 0x70000000 + os.getpid()


def level(layers: Iterable[str]) -> Isolation:
    """The level that these layers make."""
    has = set(layers)
    if {"namespaces", "limits", "process-count", "system-calls"} <= has and has & {"landlock", "mounts"}:
        return "full"
    return "process" if "limits" in has else "none"


# ---- what may be seen


def hidden_paths() -> list[str]:
    """The course's answers, wherever they lie."""
    package = Path(__file__).resolve().parents[1]
    found = [path for pattern in HIDDEN for path in package.glob(pattern)]
    if (package.parent / "pyproject.toml").is_file():
        found += [package.parent / name for name in ("solutions", "exercises", "notebooks", "tests", "tools", ".git")]
    return [str(path) for path in found if path.exists()]


def readable_paths(hidden: Sequence[str]) -> list[str]:
    """The system's libraries and Python's, without what is hidden: above a hidden path its siblings one by one."""
    package = Path(__file__).resolve().parents[1]
    places = {str(package), *SYSTEM, os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}
    for entry in sys.path:
        real = os.path.realpath(entry or ".")
        if entry and "-packages" in real:
            places.add(real)
    found: list[str] = []
    for place in sorted(places):
        found += _without(place, hidden)
    return list(dict.fromkeys(found))


def _without(place: str, hidden: Sequence[str]) -> list[str]:
    if place in hidden:
        return []
    if not any(path.startswith(place + "/") for path in hidden):
        return [place] if os.path.exists(place) else []
    try:
        inside = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError:
        return []
    return [path for entry in inside if not entry.is_symlink() for path in _without(entry.path, hidden)]


# ---- confining: from outside in, the first two before the last fork and `confine` in the worker itself


def enter_namespaces() -> None:
    """Leave the machine's processes, network, shared memory and mounts; the next fork is process 1.

    Who is not root needs a namespace of users for that, and becomes nobody in it.
    """
    user, group = os.geteuid(), os.getegid()
    kinds = [kind for kind in CLONE if kind != "user" or user != 0]
    if _libc().unshare(sum(CLONE[kind] for kind in kinds)):
        raise OSError(ctypes.get_errno(), "unshare")
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    if _libc().mount(None, b"/", None, 0x4000 | 1 << 19, None):  # what is mounted from now on stays here (slave)
        raise OSError(ctypes.get_errno(), "mount")


def cover(scratch: str, hide: Sequence[str]) -> None:
    """Make every mount read-only but a new one on ``scratch``, and cover the folders of ``hide``."""
    for path in hide:
        if os.path.isdir(path):
            _mount(path, "size=4k,mode=0555")
    read_only = struct.pack("QQQQ", 1, 0, 0, 0)
    if _libc().syscall(442, -100, b"/", 0x8000, read_only, ctypes.c_size_t(len(read_only))):  # mount_setattr, recursive
        raise OSError(ctypes.get_errno(), "mount_setattr")
    _mount(scratch, f"size={SCRATCH_MB}m,mode=0777")


def confine(plan: Plan) -> None:
    """All that a process can do to itself."""
    os.chdir(plan.scratch)
    if "limits" in plan.layers:
        _limit(plan)
    if "process-count" in plan.layers:
        _limit_processes(plan)
    if "landlock" in plan.layers:
        landlock.restrict(plan.read, [plan.scratch, "/dev/null"])
    if "unprivileged-user" in plan.layers:
        become(plan.user)
    if "namespaces" in plan.layers and "unprivileged-user" not in plan.layers:
        _keep_capabilities(0)  # those that came with the namespace
    if "system-calls" in plan.layers:
        seccomp.restrict()


def become(user: int) -> None:
    """Give up root for good, and become a user whom nothing belongs to.

    Where Python is installed for root alone (below ``/root``), the right to read is kept; Landlock bounds it then.
    """
    kept = 0 if _python_is_open_to_all() else 1 << 2  # CAP_DAC_READ_SEARCH
    _prctl(8, 1)  # a change of user does not take it away
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _keep_capabilities(kept)
    _prctl(38, 1)  # no new privileges


def _python_is_open_to_all() -> bool:
    return all(folder.stat().st_mode & 1 for path in (__file__, os.__file__) for folder in Path(path).resolve().parents)


def _keep_capabilities(kept: int) -> None:
    data = struct.pack("IIIIII", kept, kept, 0, 0, 0, 0)
    if _libc().capset(struct.pack("Ii", 0x20080522, 0), data):
        raise OSError(ctypes.get_errno(), "capset")


def _limit(plan: Plan) -> None:
    import resource

    seconds = int(plan.seconds) + 5
    limits = {"CORE": 0, "NOFILE": 64, "FSIZE": SCRATCH_MB << 20, "CPU": seconds}
    if sys.platform == "linux":  # elsewhere the kernel does not keep to it
        with open("/proc/self/statm") as file:
            limits["AS"] = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE") + (plan.memory << 20)
    for name, wanted in limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(number, (value, value))


def _limit_processes(plan: Plan) -> None:
    """No more than a few processes: of the worker's own user, or beyond what its user runs already."""
    import resource

    apart = bool({"unprivileged-user", "namespaces"} & set(plan.layers))
    most = PROCESSES + (0 if apart else _own_tasks())
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _own_tasks() -> int:
    """How many processes and threads this user has already."""
    count, user = 0, os.getuid()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def adopt_orphans() -> None:
    """What loses its parent below this process becomes its child."""
    if sys.platform != "linux" or _prctl(36, 1):
        raise OSError("no subreaper")


def _mount(path: str, options: str) -> None:
    flags = 2 | 4 | 8  # nosuid, nodev, noexec
    if _libc().mount(b"tmpfs", os.fsencode(path), b"tmpfs", flags, options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {path}")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> int:
    return int(_libc().prctl(option, value, 0, 0, 0))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


# ---- probing


def probe(off: Iterable[str] = ()) -> tuple[str, ...]:
    """The layers that work here, each tried in a child that ends at once; those of ``off`` are left out."""
    works: list[str] = []
    off = set(off)
    with tempfile.TemporaryDirectory(prefix="dlcourse-probe-") as folder:
        os.chmod(folder, 0o755)
        for layer in LAYERS:
            if layer in off or (layer == "mounts" and "namespaces" not in works):
                continue
            if _child_can(lambda layer=layer: _try(layer, tuple(works), folder)):  # type: ignore[misc]
                works.append(layer)
    return tuple(works)


def _child_can(action: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(10)
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _try(layer: str, works: tuple[str, ...], folder: str) -> None:
    """Apply a layer on top of those it stands on, and see that it holds."""
    if layer == "namespaces":
        enter_namespaces()
        _need(_child_can(lambda: _need(os.getpid() == 1)))
        _need(_unreachable())
    elif layer == "mounts":
        os.mkdir(f"{folder}/scratch")
        os.mkdir(f"{folder}/hidden")
        _write(f"{folder}/hidden/file", "secret")
        enter_namespaces()
        cover(f"{folder}/scratch", [f"{folder}/hidden"])
        _need(_refused(_write, f"{folder}/file", "") and not os.listdir(f"{folder}/hidden"))
        _write(f"{folder}/scratch/file", "")
    elif layer == "landlock":
        _need(landlock.abi() > 0)
        landlock.restrict(["/usr"], [])
        _need(_refused(open, __file__) and _refused(_write, f"{folder}/file", ""))
    elif layer == "limits":
        _limit(Plan((), folder, memory=64))
        _need(_refused(bytearray, 1 << 30) or sys.platform != "linux")
    elif layer == "unprivileged-user":
        _need(os.geteuid() == 0)
        if "landlock" in works:
            landlock.restrict(["/"], [])
        become(worker_user())
        _need(_refused(os.setuid, 0) and _refused(_write, f"{folder}/file", ""))
        _need("landlock" in works or _python_is_open_to_all())
    elif layer == "process-count":
        _try_process_count(works)
    elif layer == "system-calls":
        seccomp.restrict()
        _need(seccomp.works())
    elif layer == "reaper":
        adopt_orphans()


def _try_process_count(works: tuple[str, ...]) -> None:
    """See that the kernel counts, which it does not for root."""
    import resource

    def fork_at_the_limit() -> None:
        if "unprivileged-user" in works:
            become(worker_user())
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        _need(_refused(fork))

    def fork() -> None:
        if os.fork() == 0:
            os._exit(0)
        os.wait()

    if "namespaces" in works:
        enter_namespaces()
        _need(_child_can(lambda: _need(_child_can(fork_at_the_limit))))  # not process 1 itself, which counts otherwise
    else:
        fork_at_the_limit()


def _refused(action: Callable[..., object], *arguments: object) -> bool:
    try:
        action(*arguments)
    except (OSError, MemoryError):
        return True
    return False


def _unreachable() -> bool:
    """Whether there is no network, not even loopback: a machine that has one says "refused"."""
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", 9)) in (errno.ENETUNREACH, errno.EADDRNOTAVAIL)


def _need(fact: bool) -> None:
    if not fact:
        raise RuntimeError
