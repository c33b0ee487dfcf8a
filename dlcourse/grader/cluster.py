"""A class on a Dask cluster: one task for each submission, run by a `Grader` in the worker that gets it.

A task depends on nothing but the file's bytes, the options and the seed, and leaves nothing behind. So Dask may run it
again where a worker dies, and the marks are the same. A result is fetched as soon as it is there and then given up: a
worker's later death takes back nothing that has arrived, and none of it is graded twice.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import secrets
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dlcourse.grader.reading import UnreadableError, read_bytes
from dlcourse.grader.results import NotebookResult, Setting
from dlcourse.grader.session import LEVELS, Grader, Options, student_of, versions

AHEAD = 2  # submissions sent for each thread of the cluster: it always has the next one, and nobody holds all of them
SECONDS_TO_CONNECT = 30


class ClusterGrader:
    """Grades notebooks on the workers of a cluster; used like `Grader`, in a ``with``.

    Parameters
    ----------
    address : of Dask's scheduler, such as ``tcp://10.0.0.5:8786``
    options : ``jobs`` counts for nothing here: the cluster has as many as its workers

    Raises
    ------
    RuntimeError
        On entering, if the cluster is not to be had, has no workers, or a worker may not grade: it has no dlcourse, an
        other version of it, or not the required isolation. While grading, if the cluster is lost.
    """

    setting: Setting

    def __init__(self, address: str, options: Options | None = None) -> None:
        self.address = address
        options = options or Options()
        seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed
        self.options = replace(options, jobs=1, seed=seed)
        self._client: Any = None

    def __enter__(self) -> ClusterGrader:
        try:
            from distributed import Client
        except ImportError as error:
            raise RuntimeError("--dask needs the extra `class`: pip install -e '.[class]'") from error
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it logs is raised here as well
        try:
            self._client = Client(self.address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
            self._client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            self.__exit__()
            raise RuntimeError(f"no Dask cluster with workers answers at {self.address}: {error}") from error
        try:
            self.setting = self._weakest_setting()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _weakest_setting(self) -> Setting:
        """Start a grader on every worker; what they all keep to is what the weakest keeps to."""
        settings = []
        for worker in self._client.nthreads():
            future = self._client.submit(
                _setting, self.options, workers=[worker], allow_other_workers=False, pure=False
            )
            setting = Setting.from_json(_result(future, f"the worker {worker} cannot grade"))
            _same_version(setting, f"the worker {worker}")
            settings.append(setting)
        return min(settings, key=lambda setting: (LEVELS.index(setting.isolation), len(setting.layers)))

    def grade(self, paths: Sequence[Path]) -> Iterator[NotebookResult]:
        """One result for every file, as they finish; whatever a file holds, nothing is raised."""
        try:
            yield from self._results(deque(dict.fromkeys(paths)))
        except OSError as error:
            raise RuntimeError(f"the cluster at {self.address} is lost: {error}") from error

    def _results(self, left: deque[Path]) -> Iterator[NotebookResult]:
        from distributed import KilledWorker, as_completed

        sent: dict[str, tuple[Path, str]] = {}  # a task's key -> its file, and the hash of what was in it
        arriving = as_completed(loop=self._client.loop)
        while left or sent:
            while left and len(sent) < AHEAD * max(1, sum(self._client.nthreads().values())):
                path = left.popleft()
                try:
                    data = read_bytes(path)
                except UnreadableError as error:
                    yield _ungraded(path, "", str(error))
                    continue
                key = self._key(path, data)
                sent[key] = (path, hashlib.sha256(data).hexdigest())
                arriving.add(self._client.submit(_grade, path.name, data, self.options, key=key))
            if not sent:
                return
            future = next(arriving)
            path, digest = sent.pop(future.key)
            try:
                answer = _result(future, f"the cluster at {self.address} failed")
                self._accept(Setting.from_json(answer["setting"]))
                result = NotebookResult.from_json(answer["result"])
                yield replace(result, path=str(path), student=student_of(path))
            except RuntimeError as error:
                if not isinstance(error.__cause__, KilledWorker):
                    raise
                yield _ungraded(path, digest, "Every worker that graded this file died.")

    def _accept(self, setting: Setting) -> None:
        """Refuse what a worker has graded that came later and keeps to less than was said of the cluster."""
        _same_version(setting, "a worker that joined")
        if LEVELS.index(setting.isolation) < LEVELS.index(self.setting.isolation):
            raise RuntimeError(f"a worker joined whose isolation is {setting.isolation}, not {self.setting.isolation}")

    def _key(self, path: Path, data: bytes) -> str:
        """The task's name: equal for equal files at the same place, under the same options."""
        told = json.dumps([str(path), hashlib.sha256(data).hexdigest(), asdict(self.options)])
        return f"dlcourse-grade-{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _result(future: Any, what_failed: str) -> Any:
    """What a task gave; the cluster lets go of it."""
    try:
        return future.result()
    except Exception as error:  # of the worker's or of Dask's: no file is to blame for it
        raise RuntimeError(f"{what_failed}: {error}") from error
    finally:
        future.release()


def _same_version(setting: Setting, who: str) -> None:
    ours, theirs = versions().get("dlcourse"), setting.versions.get("dlcourse")
    if theirs != ours:
        raise RuntimeError(f"{who} has dlcourse {theirs}, not {ours} as here")


def _ungraded(path: Path, digest: str, message: str) -> NotebookResult:
    return NotebookResult(str(path), digest, student_of(path), "", 0.0, 0.0, 0.0, message, ())


# ---- in the worker

_one_at_a_time = threading.Lock()  # an answer's printed text and its time limit belong to the whole process
_graders: dict[Options, Grader] = {}  # at most one: starting it costs more than grading a submission


def _setting(options: Options) -> dict[str, Any]:
    with _one_at_a_time:
        return _grader(options).setting.as_json()


def _grade(name: str, data: bytes, options: Options) -> dict[str, Any]:
    """The result of a file that lies elsewhere, from its bytes, and what it was made under."""
    with _one_at_a_time:
        grader = _grader(options)
        return {"setting": grader.setting.as_json(), "result": grader.grade_one(Path(name), data).as_json()}


def _grader(options: Options) -> Grader:
    """This process's grader, started where it has none for these options yet."""
    if options not in _graders:
        _stop()
        _graders[options] = Grader(options).__enter__()
    return _graders[options]


@atexit.register
def _stop() -> None:
    while _graders:
        _graders.popitem()[1].__exit__(None, None, None)
