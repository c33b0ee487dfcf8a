"""JupyterLab started for a learner: in their workspace, on this computer only, without asking the network anything.

It runs as a child process because the C library reads its memory settings only at the start of a process. They make it
keep freed memory: a training step allocates the same large arrays again and again, and by default each of them is
handed back to the system and asked for anew, zeroed page by page (three to thirteen times slower for arrays of 1 to
100 MB, measured with glibc 2.36).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dlcourse import course
from dlcourse.workspace import MARKER

SETTINGS = Path(__file__).with_name("jupyter")  # no announcements, no extension catalog: both would ask the network
STOP_SECONDS = 15.0

# JupyterLab's options whose value may stand in the next word; --Class.trait is the general form of the same
_TAKE_A_VALUE = {
    *("--ip", "--port", "--port-retries", "--sock", "--sock-mode", "--transport", "--keyfile", "--certfile"),
    *("--client-ca", "--browser", "--gateway-url", "--log-level", "--config", "--app-dir"),
}
_FOLDER_OPTIONS = ("--notebook-dir", "--preferred-dir", "--ServerApp.root_dir", "--ServerApp.preferred_dir")


def split_options(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Tell the one FOLDER apart from options that go on to JupyterLab, such as ``--port 8890``.

    Raises
    ------
    ValueError
        If there is more than one folder, or an option that would move JupyterLab out of the workspace.
    """
    folders: list[str] = []
    options: list[str] = []
    value_comes = False
    for word in words:
        if value_comes or word.startswith("-"):
            options.append(word)
        else:
            folders.append(word)
        takes = word in _TAKE_A_VALUE or (word.startswith("--") and "." in word and "=" not in word)
        value_comes = takes and not value_comes
        if word.split("=")[0] in _FOLDER_OPTIONS:
            raise ValueError(f"{word.split('=')[0]} is set by dlcourse; name the folder instead: dlcourse lab FOLDER")
    if len(folders) > 1:
        raise ValueError(f"one folder at most, but there are {len(folders)}: {', '.join(folders)}")
    return (folders[0] if folders else None), options


def environment(workspace: Path, outer: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables JupyterLab and its kernels run with; what the learner has set already wins."""
    env = dict(os.environ if outer is None else outer)
    for name, value in memory_settings().items():
        env.setdefault(name, value)
    env["DLCOURSE_WORKSPACE"] = str(workspace)
    env.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # this Python's kernel before one left in the home folder
    env.setdefault("JUPYTERLAB_WORKSPACES_DIR", str(_layouts(workspace)))
    env["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(SETTINGS), env.get("JUPYTER_CONFIG_PATH")]))
    env.setdefault("JUPYTER_TOKEN", secrets.token_hex(24))  # not an option: other users can read a command line
    return env


def memory_settings() -> dict[str, str]:
    """glibc's settings that keep up to 1 GiB of freed memory; nothing on other C libraries.

    glibc before 2.35 ignores a threshold above 32 MiB, and then treats every array of 128 KiB as a large one.
    """
    library, version = platform.libc_ver()
    if library != "glibc":
        return {}
    old = tuple(int(part) for part in version.split(".")[:2]) < (2, 35)
    return {
        "MALLOC_MMAP_THRESHOLD_": str(2**25 if old else 2**30),
        "MALLOC_TRIM_THRESHOLD_": str(2**30),
        "MALLOC_TOP_PAD_": str(2**28),
    }


def first_page(workspace: Path) -> str:
    """The page to open: the first lesson in a new workspace, later whatever the learner had open."""
    if not any(_layouts(workspace).glob("*")):
        for unit in course.units():
            if unit.lesson and (workspace / "notebooks" / unit.lesson.name).exists():
                return f"/lab/tree/notebooks/{quote(unit.lesson.name)}"
    return "/lab"


def command(workspace: Path, options: Sequence[str], page: str) -> list[str]:
    """The command line that starts JupyterLab; the learner's `options` come last and win."""
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={workspace}", f"--LabApp.default_url={page}"]
    if is_root():
        words.append("--allow-root")
        if not _names(options, "--ip", "--ServerApp.ip"):
            words.append("--ip=127.0.0.1")
    return [*words, *options]


def stays_local(options: Sequence[str]) -> bool:
    """Whether the learner's `options` leave JupyterLab reachable from this computer only."""
    words = [option for word in options for option in word.split("=", 1)]
    given = [after for name, after in itertools.pairwise(words) if name in ("--ip", "--ServerApp.ip")]
    return all(address in ("localhost", "::1") or address.startswith("127.") for address in given)


def is_root() -> bool:
    """Whether this is the superuser, as in most containers. JupyterLab refuses to start then unless it is told to."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def serve(workspace: Path, options: Sequence[str], announce: Callable[[str], None]) -> int:
    """Run JupyterLab until it ends or Ctrl-C does it; call `announce` with its address once it answers.

    Returns
    -------
    int
        JupyterLab's exit code; 0 when it was stopped by Ctrl-C or a signal.
    """
    page = first_page(workspace)
    env = environment(workspace)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        # Its log would bury the address; who asks for a log level wants to see it.
        wants_log = _names(options, "--log-level", "--Application.log_level", "--debug")
        log = None if wants_log else stack.enter_context(log_file(workspace).open("wb"))
        # A terminal sends Ctrl-C to the whole group. In a session of its own JupyterLab does not get it, and so neither
        # asks "Shut down this server?" nor dies before its kernels; Windows knows no sessions, but does not ask either.
        process = subprocess.Popen(
            command(workspace, options, page),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=os.name != "nt",
        )
        try:
            address = _wait_for_address(process, env["JUPYTER_TOKEN"], page)
            if address:
                announce(address)
            return process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _stop(process)


def log_file(workspace: Path) -> Path:
    """What JupyterLab and its kernels wrote since the last start."""
    return workspace / MARKER / "jupyterlab.log"


def _wait_for_address(process: subprocess.Popen[bytes], token: str, page: str) -> str | None:
    """The address with its token, from the file that a running server leaves in Jupyter's runtime folder."""
    from jupyter_core.paths import jupyter_runtime_dir

    started = time.time() - 2
    while process.poll() is None:
        for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
            server = _server(path, started)
            ours = server and (server.get("token") == token or server.get("pid") == process.pid)
            if server and ours and _listens(server):
                query = f"?token={server['token']}" if server.get("token") else ""
                return f"{server['url'].rstrip('/')}{page}{query}"
        time.sleep(0.1)
    return None


def _server(path: Path, since: float) -> dict[str, Any] | None:
    try:
        if path.stat().st_mtime < since:
            return None
        server: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return server
    except (OSError, ValueError):  # being written at this moment, or gone again
        return None


def _listens(server: dict[str, Any]) -> bool:
    """Whether the server takes connections: it leaves its file a moment before it listens."""
    if server.get("sock"):
        return True
    host = "127.0.0.1" if server["hostname"] in ("0.0.0.0", "*") else server["hostname"]
    try:
        socket.create_connection((host, server["port"]), timeout=2).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End JupyterLab with its kernels: politely, and by force when that takes too long or Ctrl-C comes again."""
    if process.poll() is not None:
        return
    if os.name != "nt":
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def _layouts(workspace: Path) -> Path:
    """Where JupyterLab keeps which tabs are open: in the workspace, so that two workspaces do not share them."""
    return workspace / MARKER / "jupyterlab"


def _names(options: Sequence[str], *names: str) -> bool:
    return any(option.split("=")[0] in names for option in options)
