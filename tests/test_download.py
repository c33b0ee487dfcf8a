"""Downloads, against a server on loopback that misbehaves in every way we know of."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data import download, images

BODY = np.random.default_rng(0).bytes(300_000)
GOOD = hashlib.sha256(BODY).hexdigest()
NAME = "toys/body.bin"


class Server(ThreadingHTTPServer):
    """Serves ``files`` and follows a script: one word for each request, then behaves."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {f"/{NAME}": BODY}
        self.script: list[str] = []
        self.asked: list[tuple[str, str | None]] = []  # path and Range of each request
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that went away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args):
        pass

    def answer(self, code, body, headers=(), claimed=None):
        self.send_response(code)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        wanted = self.headers["Range"]
        self.server.asked.append((self.path, wanted))
        act = self.server.script.pop(0) if self.server.script else ""
        body = self.server.files.get(self.path)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if act.isdigit():
            self.answer(int(act), b"an error page")
        elif body is None:
            self.answer(404, b"not here")
        elif act == "wrong":
            self.answer(200, b"<html>a login page</html>")
        elif act == "short":  # whole by its own account
            self.answer(200, body[:1000])
        elif act == "slow":
            time.sleep(1)
        elif act == "stall":  # sends a part, then nothing more
            self.answer(200, body[:1000], claimed=len(body))
            self.wfile.flush()
            time.sleep(1)
        elif act == "endless":  # sends a part and waits to be killed
            self.answer(200, body[:200_000], claimed=len(body))
            self.wfile.flush()
            time.sleep(20)
        elif act == "no length":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)
        elif act == "ignore":
            self.answer(200, body)
        elif act.startswith("ignore and drop"):  # after so many bytes
            self.answer(200, body[: int(act.split()[-1])], claimed=len(body))
        elif act == "other bytes":
            self.answer(206, body[5:], [("Content-Range", f"bytes 5-{len(body) - 1}/{len(body)}")])
        elif wanted and start >= len(body):
            self.answer(416, b"", [("Content-Range", f"bytes */{len(body)}")])
        else:
            rest = body[start:]
            headers = [("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")] if wanted else []
            sent = rest[:100_000] if act == "drop" else rest[:0] if act == "drop at once" else rest
            self.answer(206 if wanted else 200, sent, headers, claimed=len(rest))


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("DLCOURSE_MIRROR", raising=False)
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    return tmp_path / "cache"


@pytest.fixture
def part(cache):
    path = cache / f"{NAME}.part"
    path.parent.mkdir(parents=True)
    return path


def fetch(server, **options):
    return download.fetch(NAME, GOOD, [f"{server.address}/toys"], **options)


def left(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.name != ".lock")


# ---- a file arrives


def test_a_file_is_placed_in_the_cache_and_asked_for_once(server, cache):
    assert fetch(server) == cache / NAME
    assert (cache / NAME).read_bytes() == BODY
    assert fetch(server) == cache / NAME
    assert server.asked == [(f"/{NAME}", None)]
    assert left(cache) == ["body.bin"]


def test_without_a_length_the_checksum_decides(server, cache):
    server.script = ["no length"]
    assert fetch(server).read_bytes() == BODY


def test_a_dropped_connection_is_resumed_where_it_broke_off(server, cache):
    server.script = ["drop", "drop"]
    assert fetch(server).read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_what_advances_is_tried_on_and_what_does_not_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 3)
    server.script = ["drop", "drop at once", "drop", "drop at once"]
    assert fetch(server).read_bytes() == BODY
    server.asked.clear()
    (cache / NAME).unlink()
    server.script = ["drop", "drop at once", "drop at once"]
    with pytest.raises(OSError, match="broke off after 100,000 of 300,000 bytes"):
        fetch(server)
    assert left(cache) == ["body.bin.part"]


def test_a_later_call_goes_on_with_what_an_earlier_one_has(server, part):
    part.write_bytes(BODY[:123])
    assert fetch(server).read_bytes() == BODY
    assert server.asked == [(f"/{NAME}", "bytes=123-")]
    assert not part.exists()


@pytest.mark.parametrize("act", ["ignore", "other bytes"])
def test_a_server_that_does_not_resume_sends_the_file_anew(server, part, act):
    part.write_bytes(BODY[:123])
    server.script = [act]
    assert fetch(server).read_bytes() == BODY


def test_a_server_that_never_resumes_and_always_drops_is_given_up(server, cache):
    server.script = ["ignore and drop 100000", "ignore and drop 50000"] * 20
    with pytest.raises(OSError, match="broke off"):
        fetch(server)
    assert len(server.asked) == download.TRIES


def test_a_complete_part_needs_no_more_bytes(server, part):
    part.write_bytes(BODY)
    assert fetch(server).read_bytes() == BODY
    assert server.asked == [(f"/{NAME}", f"bytes={len(BODY)}-")]


@pytest.mark.parametrize("stale", [BODY + b"more", b"x" * len(BODY), b"x" * 123, BODY[:-1] + b"?"])
def test_a_part_of_something_else_is_thrown_away(server, part, stale):
    part.write_bytes(stale)
    assert fetch(server).read_bytes() == BODY
    assert server.asked[-1] == (f"/{NAME}", None)


@pytest.mark.parametrize("act", ["500", "503", "429", "slow", "stall"])
def test_what_may_pass_is_tried_again(server, act):
    server.script = [act, act]
    assert fetch(server).read_bytes() == BODY
    assert len(server.asked) == 3


# ---- it does not


@pytest.mark.parametrize("act", ["wrong", "short"])
def test_a_wrong_body_is_named_by_both_checksums_and_not_kept(server, cache, act):
    server.script = [act]
    found = hashlib.sha256(b"<html>a login page</html>" if act == "wrong" else BODY[:1000]).hexdigest()
    with pytest.raises(OSError, match=f"its SHA-256 is {found}, expected {GOOD}"):
        fetch(server)
    assert left(cache) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", ["404", "403", "410"])
def test_what_is_not_there_is_not_asked_for_again(server, cache, code):
    server.script = [code]
    with pytest.raises(OSError, match=f"{server.address}/{NAME}: HTTP {code}"):
        fetch(server)
    assert len(server.asked) == 1
    assert left(cache) == []


def test_a_server_that_is_too_slow_is_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    server.script = ["slow"] * 10
    with pytest.raises(OSError, match="timed out"):
        fetch(server)
    assert len(server.asked) == download.TRIES


def test_the_next_address_is_asked_where_one_fails(server):
    found = download.fetch(NAME, GOOD, [f"{server.address}/elsewhere", f"{server.address}/toys"])
    assert found.read_bytes() == BODY
    assert [path for path, _ in server.asked] == ["/elsewhere/body.bin", f"/{NAME}"]


def unreachable():
    """An address on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_offline_the_error_names_the_bundled_digits_and_where_to_put_the_file(cache, monkeypatch):
    folders = (unreachable(), unreachable())
    monkeypatch.setitem(images.SOURCES, "mnist", (folders, images.SOURCES["mnist"][1]))
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        data.load_mnist()
    for words in (
        *folders,
        "Connection refused",
        "dlcourse.data.load_digits()",
        str(cache / "mnist" / "train-images-idx3-ubyte.gz"),
        "DLCOURSE_MIRROR",
    ):
        assert words in str(caught.value)


def test_a_host_that_has_no_address_is_an_offline_error_too(monkeypatch):
    def nobody(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(OSError, match="Name or service not known"):
        download.fetch(NAME, GOOD, ["http://nowhere.invalid"])


def test_a_file_put_in_place_by_hand_needs_no_network(cache):
    (cache / NAME).parent.mkdir(parents=True)
    (cache / NAME).write_bytes(BODY)
    assert download.fetch(NAME, GOOD, [unreachable()]) == cache / NAME


def test_a_damaged_file_in_the_cache_is_replaced_or_named(server, cache):
    fetch(server)
    (cache / NAME).write_bytes(BODY[:-1])
    assert fetch(server).read_bytes() == BODY
    (cache / NAME).write_bytes(BODY[:-1])
    with pytest.raises(OSError, match=r"body\.bin: its SHA-256 is .*; removed"):
        download.fetch(NAME, GOOD, [unreachable()])
    assert left(cache) == []


def test_a_full_disk_is_not_taken_for_the_network(server, cache, monkeypatch):
    def full(path, mode="r"):
        if str(path).endswith(".part") and "r" not in mode:
            raise OSError(28, "No space left on device")
        return open(path, mode)

    monkeypatch.setattr(download, "open", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        fetch(server)
    assert len(server.asked) == 1


# ---- where


def test_a_mirror_is_laid_out_like_the_cache(server, tmp_path, monkeypatch):
    nobody = [unreachable()]
    server.files = {f"/deep/down/{NAME}": BODY}
    assert download.fetch(NAME, GOOD, nobody, mirror=f"{server.address}/deep/down/").read_bytes() == BODY
    (tmp_path / "cache").rename(tmp_path / "a share")
    monkeypatch.setenv("DLCOURSE_MIRROR", (tmp_path / "a share").as_uri())
    assert download.fetch(NAME, GOOD, nobody).read_bytes() == BODY
    assert len(server.asked) == 1


def test_a_mirror_that_lacks_the_file_is_not_passed_over(server, tmp_path):
    with pytest.raises(OSError, match="No such file"):
        fetch(server, mirror=tmp_path.as_uri())
    assert server.asked == []


@pytest.mark.parametrize("mirror", ["/srv/data", "ftp://host/data", "host/data"])
def test_a_mirror_must_be_an_address(server, mirror):
    with pytest.raises(ValueError, match=rf"mirror='{mirror}': it must begin with http://, https:// or file://"):
        fetch(server, mirror=mirror)


def test_the_cache_is_where_the_user_or_the_platform_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_CACHE", "~/here")
    assert download.cache_folder() == Path.home() / "here"
    monkeypatch.delenv("DLCOURSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / "dlcourse"
    for platform, place in {"linux": ".cache", "darwin": "Library/Caches", "win32": "AppData/Local"}.items():
        monkeypatch.setattr(sys, "platform", platform)
        for relative in ("", "not/absolute"):
            monkeypatch.setenv("XDG_CACHE_HOME", relative)
            assert download.cache_folder() == Path.home() / place / "dlcourse"


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(server, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match=r"cannot write to the cache .*file.*; set DLCOURSE_CACHE"):
        fetch(server)


# ---- several processes

CHILD = f"""
import sys
from dlcourse.data import download
print(download.fetch({NAME!r}, {GOOD!r}, [sys.argv[1] + "/toys"]))
"""


def child(server):
    return subprocess.Popen([sys.executable, "-c", CHILD, server.address], stdout=subprocess.PIPE, text=True)


def test_a_killed_transfer_is_resumed_by_the_next_process(server, part):
    server.script = ["endless"]
    process = child(server)
    deadline = time.monotonic() + 10
    while (not part.exists() or part.stat().st_size < 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    have = part.stat().st_size
    assert 100_000 <= have <= 200_000
    assert fetch(server).read_bytes() == BODY
    assert server.asked == [(f"/{NAME}", None), (f"/{NAME}", f"bytes={have}-")]


def test_two_processes_at_once_download_once(server, cache):
    server.script = ["stall"]  # the first to come is held up, so that the second has to wait for it
    both = [child(server), child(server)]
    assert [process.communicate()[0].strip() for process in both] == [str(cache / NAME)] * 2
    assert [wanted for _, wanted in server.asked].count(None) == 1
    assert (cache / NAME).read_bytes() == BODY


# ---- the data sets


def idx(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def tar(members):
    """A .tar.gz of (name, bytes or a link's target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname, content = tarfile.SYMTYPE, content, b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def share(tmp_path, monkeypatch):
    """A function that puts a data set's files on a mirror and their checksums into the registry."""
    monkeypatch.setenv("DLCOURSE_MIRROR", (tmp_path / "share").as_uri())

    def put(data_set, files):
        checksums = {}
        for name, content in zip(images.SOURCES[data_set][1], files, strict=True):
            path = tmp_path / "share" / data_set / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            checksums[name] = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(images.SOURCES, data_set, ((), checksums))

    return put


RNG = np.random.default_rng(1)
PIXELS = [RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (7, 3)]
LABELS = [RNG.integers(0, 10, n, dtype=np.uint8) for n in (7, 3)]
IDX = [idx(array) for array in (PIXELS[0], LABELS[0], PIXELS[1], LABELS[1])]
BATCHES = [RNG.integers(0, 10, (n, 3073), dtype=np.uint8) for n in (2, 3, 1, 2, 2, 4)]
CIFAR = list(zip(images.CIFAR_BATCHES, map(np.ndarray.tobytes, BATCHES), strict=True))


@pytest.mark.parametrize("data_set", ["mnist", "fashion-mnist"])
def test_the_idx_sets_come_in_the_form_of_the_digits(share, data_set):
    share(data_set, map(gzip.compress, IDX))
    load = data.load_mnist if data_set == "mnist" else data.load_fashion_mnist
    X, X_test, y, y_test = load()
    assert [a.shape for a in (X, X_test, y, y_test)] == [(7, 784), (3, 784), (7,), (3,)]
    assert [a.dtype for a in (X, X_test, y, y_test)] == [np.float32, np.float32, np.int64, np.int64]
    np.testing.assert_array_equal(X * 255, PIXELS[0].reshape(7, 784))
    np.testing.assert_array_equal(X_test * 255, PIXELS[1].reshape(3, 784))
    np.testing.assert_array_equal(y, LABELS[0])
    np.testing.assert_array_equal(y_test, LABELS[1])
    np.testing.assert_array_equal(load(images=True)[0], X.reshape(7, 1, 28, 28))
    X[0] = 0  # the arrays are the caller's own


def test_cifar_comes_in_the_form_of_the_digits(share):
    extra = [("cifar-10-batches-bin/readme.html", b"hello")]
    share("cifar-10", [tar([*extra, *CIFAR[::-1]])])  # the order in the archive does not matter
    X, X_test, y, y_test = data.load_cifar10(images=True)
    train = np.concatenate(BATCHES[:5])
    assert (X.dtype, y.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(X, train[:, 1:].reshape(10, 3, 32, 32) / np.float32(255))
    np.testing.assert_array_equal(y, train[:, 0])
    np.testing.assert_array_equal(X_test, BATCHES[5][:, 1:].reshape(4, 3, 32, 32) / np.float32(255))
    np.testing.assert_array_equal(y_test, BATCHES[5][:, 0])
    np.testing.assert_array_equal(data.load_cifar10()[0], X.reshape(10, 3072))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(IDX[0])[:-9], "not a whole gzip file .*delete it"),
        (b"not gzipped", "not a whole gzip file"),
        (
            gzip.compress(b"\0\0\x0d\x03" + IDX[0][4:]),
            "bytes from 00 00 0d 03; an IDX file with 3 axes begins with 00 00 08 03",
        ),
        (gzip.compress(IDX[1]), "bytes from 00 00 08 01; an IDX"),
        (gzip.compress(IDX[0][:3]), "3 bytes from 00 00 08;"),
        (gzip.compress(IDX[0][:10]), "10 bytes from 00 00 08 03"),
        (gzip.compress(b""), "0 bytes from"),
        (gzip.compress(IDX[0][:-1]), r"5487 bytes of data, but its header says \(7, 28, 28\)"),
        (gzip.compress(IDX[0] + b"x"), "5489 bytes of data"),
        (gzip.compress(IDX[2]), "7 labels for 3 images"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",  # a gzip file holds the time it was made
)
def test_an_idx_file_that_is_none_is_explained(share, content, words):
    share("mnist", [content, *map(gzip.compress, IDX[1:])])
    with pytest.raises(ValueError, match=words):
        data.load_mnist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar([("../evil", b"x"), *CIFAR]), r"refused, since '\.\./evil' is a link or leads out of the archive"),
        (tar([*CIFAR, ("a/../../evil", b"x")]), "refused"),
        (tar([*CIFAR, ("/etc/evil", b"x")]), "refused, since '/etc/evil'"),
        (tar([*CIFAR[1:], (CIFAR[0][0], "/etc/passwd")]), "refused, since 'cifar-10-batches-bin/data_batch_1.bin'"),
        (tar(CIFAR)[:-2000], "not a whole .tar.gz"),
        (b"not a tar", "not a whole .tar.gz"),
        (gzip.compress(b"gzipped, but no tar"), "not a whole .tar.gz"),
        (tar(CIFAR[:-1]), r"without cifar-10-batches-bin/test_batch\.bin"),
        (tar([]), "it has none of the batches"),
        (tar([(CIFAR[0][0], b"x" * 3072), *CIFAR[1:]]), r"data_batch_1\.bin has 3072 bytes, not a multiple of 3073"),
        (tar([(CIFAR[0][0], b""), *CIFAR[1:]]), r"data_batch_1\.bin has 0 bytes"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",  # a gzip file holds the time it was made
)
def test_an_archive_that_climbs_out_or_is_not_whole_is_refused(share, tmp_path, content, words):
    share("cifar-10", [content])
    with pytest.raises(ValueError, match=words):
        data.load_cifar10()
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
    assert left(tmp_path / "cache") == ["cifar-10-binary.tar.gz"]  # nothing is unpacked


def test_the_registry_has_a_checksum_for_each_file():
    for folders, checksums in images.SOURCES.values():
        assert all(folder.startswith("http") and not folder.endswith("/") for folder in folders)
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in checksums.values())


# ---- the bar


class Bar:
    """Stands for tqdm, and remembers."""

    def __init__(self, total=None, initial=0, disable=False, **options):
        self.total, self.n, self.disable = total, initial, disable
        made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        pass

    def update(self, n):
        self.n += n


made: list[Bar] = []


@pytest.mark.parametrize("act", ["", "ignore", "no length"])
def test_the_bar_starts_with_what_is_there_and_ends_full(server, part, monkeypatch, act):
    made.clear()
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    part.write_bytes(BODY[:150_000])
    server.script = [act]
    fetch(server)
    assert [(bar.total, bar.n) for bar in made] == [(None if act == "no length" else 300_000, 300_000)]


def test_there_is_a_bar_where_somebody_looks_and_none_elsewhere(server, cache, monkeypatch):
    made.clear()
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # a plug-in of pytest may have brought it
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        fetch(server).unlink()
    assert [bar.disable for bar in made] == [False, True]
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # in a notebook
    fetch(server)
    assert not made[-1].disable
