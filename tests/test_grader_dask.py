"""A class graded on a cluster has the marks it has here, also where a worker dies in the middle (extra ``class``)."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from dlcourse.cli.app import app
from dlcourse.grader import session
from dlcourse.grader.results import NotebookResult, Setting
from dlcourse.grader.session import Grader, Options

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed", reason='the extra "class" is not installed')
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from submissions import MISTAKES, hand_in, submission  # noqa: E402

from dlcourse.grader.cluster import AHEAD, ClusterGrader  # noqa: E402

OPTIONS = Options(seed=3)


class Starts(distributed.SchedulerPlugin):
    """How many times each task was given to a worker."""

    def __init__(self):
        self.count = Counter()

    def transition(self, key, start, finish, *args, **kwargs):
        if finish == "processing":
            self.count[key] += 1


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


def frail_cluster():
    return distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> list[Path]:
    folder, ids = tmp_path_factory.mktemp("class"), sorted(MISTAKES)
    paths = [
        hand_in(submission(ids[number % 6 : number % 6 + 1]), folder / f"student_{number:02d}") for number in range(8)
    ]
    paths[7].write_text("{", "utf-8")
    return paths


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> list[Path]:
    """Files that take no time to judge."""
    folder = tmp_path_factory.mktemp("damaged")
    paths = [folder / f"{number}.ipynb" for number in range(8)]
    for path in paths:
        path.write_text("{", "utf-8")
    return paths


@pytest.fixture(scope="module")
def graded_here(handed_in) -> dict[str, NotebookResult]:
    with Grader(OPTIONS) as grader:
        return {result.path: result for result in grader.grade(handed_in)}


def test_a_worker_killed_in_the_middle_costs_no_result_and_doubles_none(cluster, handed_in, graded_here):
    starts = Starts()
    cluster.scheduler.add_plugin(starts)
    with ClusterGrader(cluster.scheduler_address, OPTIONS) as grader:
        arriving = grader.grade(handed_in)
        before = [next(arriving) for _ in range(2)]
        victim = next(iter(cluster.workers.values())).pid
        family = psutil.Process(victim).children(recursive=True)
        os.kill(victim, signal.SIGKILL)
        results = [*before, *arriving]
        first_keys = {grader._key(Path(result.path), Path(result.path).read_bytes()) for result in before}
    assert {result.path: result.points for result in results} == {one.path: one.points for one in graded_here.values()}
    assert len(results) == len(handed_in)
    assert {starts.count[key] for key in first_keys} == {1}, "what had arrived is not graded again"
    assert sum(starts.count.values()) <= len(handed_in) + 2 + 2, "only what lay with the dead worker is"
    assert psutil.wait_procs(family, timeout=10)[1] == [], "the dead worker's children end with it"


def test_a_result_from_the_cluster_says_where_the_file_lies_here(cluster, handed_in, graded_here):
    with ClusterGrader(cluster.scheduler_address, OPTIONS) as grader:
        assert grader.setting.seed == OPTIONS.seed
        assert grader.setting.isolation in ("full", "process")
        (result,) = grader.grade(handed_in[:1])
    local = graded_here[str(handed_in[0])]
    assert (result.path, result.student, result.sha256) == (local.path, local.student, local.sha256)
    assert [(one.status, one.points, one.message) for one in result.exercises] == [
        (one.status, one.points, one.message) for one in local.exercises
    ]


def test_a_file_that_cannot_be_read_is_an_entry_with_a_message(cluster, handed_in, tmp_path):
    with ClusterGrader(cluster.scheduler_address, OPTIONS) as grader:
        results = {result.path: result for result in grader.grade([tmp_path / "none.ipynb", handed_in[7]])}
    assert "no such file" in results[str(tmp_path / "none.ipynb")].message
    assert "not a notebook" in results[str(handed_in[7])].message


def test_the_command_grades_on_the_cluster(cluster, damaged, tmp_path):
    words = ["grade", "--dask", cluster.scheduler_address, "--json", tmp_path / "marks.json", damaged[0].parent]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 1, "all of them are damaged, and said to be"
    assert len(json.loads((tmp_path / "marks.json").read_text("utf-8"))["notebooks"]) == len(damaged)


@pytest.mark.parametrize(("versions", "isolation"), [({"dlcourse": "9"}, "full"), ({}, "none")])
def test_a_worker_that_joins_with_less_is_refused(versions, isolation):
    grader = ClusterGrader("tcp://nowhere:1", OPTIONS)
    grader.setting = Setting("full", ("limits",), 3, session.versions())
    with pytest.raises(RuntimeError, match="joined"):
        grader._accept(Setting(isolation, (), 3, session.versions() | versions))


def test_an_address_where_nobody_answers_is_an_error_with_the_address(monkeypatch):
    monkeypatch.setattr("dlcourse.grader.cluster.SECONDS_TO_CONNECT", 1)
    with pytest.raises(RuntimeError, match=r"tcp://127\.0\.0\.1:9"), ClusterGrader("tcp://127.0.0.1:9"):
        pass


def test_a_worker_with_another_version_is_refused(cluster, monkeypatch):
    monkeypatch.setattr("dlcourse.grader.cluster.versions", lambda: {"dlcourse": "0.0.0+other"})
    with (
        pytest.raises(RuntimeError, match=r"has dlcourse .*, not 0\.0\.0\+other"),
        ClusterGrader(cluster.scheduler_address, OPTIONS),
    ):
        pass


def test_a_file_whose_workers_all_die_is_an_entry_with_a_message(damaged):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        frail_cluster() as cluster,
        ClusterGrader(cluster.scheduler_address, OPTIONS) as grader,
    ):
        worker = next(iter(cluster.workers.values())).pid
        os.kill(worker, signal.SIGSTOP)  # so that it has not finished when it dies
        threading.Timer(1, os.kill, (worker, signal.SIGKILL)).start()
        results = list(grader.grade(damaged))
    assert len(results) == len(damaged)
    assert sum("died" in result.message for result in results) == AHEAD, (
        "the one at work, and the one that waited there"
    )


def test_a_cluster_that_goes_away_is_an_error_and_not_a_mark(damaged, monkeypatch):
    monkeypatch.setattr("dlcourse.grader.cluster.SECONDS_TO_CONNECT", 3)
    with frail_cluster() as cluster, ClusterGrader(cluster.scheduler_address, OPTIONS) as grader:
        arriving = grader.grade(damaged)
        next(arriving)
        cluster.close()
        with pytest.raises(RuntimeError, match="cluster"):
            list(arriving)
