"""Files from the network, once: resumed where a transfer broke off, checked, and kept in the user's cache.

A file becomes visible in the cache only when it is whole and its SHA-256 is right. Until then its bytes gather in a
``.part`` beside it, and a lock lets one process at a time write there.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlcourse.bars import progress_bar
from dlcourse.lock import locked

TIMEOUT = 20.0  # seconds without a byte
TRIES = 3  # at one address, since more bytes have last come
PAUSE = 0.5  # seconds before the second try, and as many more before each later one


class _UnavailableError(Exception):
    """The address does not have the file, however often it is asked."""


def cache_folder() -> Path:
    """Where downloads are kept: DLCOURSE_CACHE, or a folder of ours in XDG_CACHE_HOME or the platform's cache."""
    if named := os.environ.get("DLCOURSE_CACHE"):
        return Path(named).expanduser().absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not shared.is_absolute():  # the XDG specification: a relative path is to be ignored
        if sys.platform == "win32":
            shared = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            shared = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return shared / "dlcourse"


def fetch(name: str, sha256: str, folders: Sequence[str], mirror: str | None = None) -> Path:
    """The path of a file in the cache, downloaded if it is not there yet.

    Parameters
    ----------
    name : the file's place in the cache and on a mirror, such as ``"mnist/train-images-idx3-ubyte.gz"``
    sha256 : its checksum, 64 hexadecimal digits
    folders : addresses of folders that hold the file, tried in order
    mirror : address of a folder laid out like the cache, asked instead of ``folders``: ``http://``, ``https://`` or
        ``file://``; None is the environment variable DLCOURSE_MIRROR, if it is set

    Returns
    -------
    path of the file; its checksum has been compared

    Raises
    ------
    ValueError
        If the mirror is no such address.
    OSError
        If no address gives the file with the right checksum, with the reason for each, or the cache is not writable.
    """
    path = cache_folder() / name
    mirror = mirror or os.environ.get("DLCOURSE_MIRROR")
    if mirror and not mirror.startswith(("http://", "https://", "file://")):
        raise ValueError(
            f"mirror={mirror!r}: it must begin with http://, https:// or file://, such as {Path('data').resolve().as_uri()}"
        )
    addresses = [f"{mirror.rstrip('/')}/{name}"] if mirror else [f"{folder}/{path.name}" for folder in folders]
    if path.is_file() and not _fault(path, sha256):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".lock").touch()
    except OSError as problem:
        raise OSError(f"cannot write to the cache ({problem}); set DLCOURSE_CACHE to a folder of yours") from problem
    with open(path.parent / ".lock", "ab") as lock, locked(lock):
        failures = _bring(path, sha256, addresses)
    if path.exists():
        return path
    raise OSError(
        "\n  ".join([f"{name} could not be downloaded.", *failures])
        + "\nWithout a network, dlcourse.data.load_digits() gives 1,797 bundled digits of 8×8 pixels. To bring the file by "
        f"hand, save it as\n  {path}\nor name a mirror by mirror= or the environment variable DLCOURSE_MIRROR."
    )


def _bring(path: Path, sha256: str, addresses: Sequence[str]) -> list[str]:
    """Put the file in its place, from the first address that gives it; what went wrong on the way."""
    failures = []
    if path.exists():
        if not (wrong := _fault(path, sha256)):  # another process has just brought it
            return []
        path.unlink()
        failures.append(f"{path}: {wrong}; removed")
    part = path.with_name(f"{path.name}.part")
    for address in addresses:
        try:
            _download(address, part, sha256)
        except (ConnectionError, _UnavailableError) as problem:
            failures.append(f"{address}: {problem}")
        else:
            os.replace(part, path)
            break
    return failures


def _download(address: str, part: Path, sha256: str) -> None:
    """Fill the .part file, going on where it ends; return only if its checksum is right."""
    failures, most = 0, _size(part)
    while True:
        start = _size(part)
        try:
            _transfer(address, part, start)
        except ConnectionError:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if failures == TRIES:
                raise
            time.sleep(PAUSE * failures)
            continue
        if not (wrong := _fault(part, sha256)):
            return
        part.unlink()
        if start == 0:  # otherwise what was there before may be to blame
            raise _UnavailableError(wrong)


def _transfer(address: str, part: Path, start: int) -> None:
    """One request: append what comes to the .part file, or begin it anew if the server cannot resume."""
    response = _response(address, start)
    if response is None:
        return
    with response:
        resumed = response.status == 206
        length = response.headers.get("Content-Length", "")
        have = start if resumed else 0
        total = have + int(length) if length.isdigit() else None
        bar = progress_bar(total=total, initial=have, desc=part.stem, unit="B", unit_scale=True, unit_divisor=1024)
        with open(part, "ab" if resumed else "wb") as file, bar:
            for piece in _pieces(response):
                file.write(piece)
                bar.update(len(piece))
                have += len(piece)
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke off after {have:,} of {total:,} bytes")


def _response(address: str, start: int) -> Any:
    """The server's answer to a request for the bytes from ``start`` on; None if it says that there are none."""
    from http.client import HTTPException
    from urllib import error, request

    headers = {"User-Agent": "dlcourse"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        return request.urlopen(request.Request(address, headers=headers), timeout=TIMEOUT)
    except error.HTTPError as answer:
        answer.close()
        if answer.code == 416 and start:
            return None
        # 408 and 429 ask for another try, as does whatever went wrong inside of the server
        temporary = answer.code >= 500 or answer.code in (408, 429)
        raise (ConnectionError if temporary else _UnavailableError)(f"HTTP {answer.code} {answer.reason}") from answer
    except (OSError, HTTPException) as problem:
        raise ConnectionError(str(getattr(problem, "reason", problem))) from problem


def _pieces(response: Any) -> Iterator[bytes]:
    """The response's bytes as they arrive; what goes wrong in the network, and not on the disk, is a ConnectionError."""
    from http.client import HTTPException

    try:
        while piece := response.read1(1 << 16):
            yield piece
    except (OSError, HTTPException) as problem:
        raise ConnectionError(str(problem)) from problem


def _fault(path: Path, sha256: str) -> str:
    """What is wrong with a file; nothing if its checksum is right."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == sha256 else f"its SHA-256 is {found}, expected {sha256} ({_size(path):,} bytes)"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
