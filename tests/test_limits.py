"""The soft time limit counts what an answer does, and nothing that happens around it."""

import gc
import os
import signal
import subprocess
import time

import pytest

from dlcourse.drivers import Case, run_case

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="alarms exist on POSIX systems only")


def runs_out(answer, seconds):
    """Whether the answer is stopped by a limit of so many seconds."""
    failure = run_case("call", lambda: answer(), Case(()), seconds).failure
    assert failure is None or failure.type == "TimeLimit"
    return failure is not None


@pytest.fixture
def collection():
    """Seconds in which Python looks through a crowded session for garbage."""
    crowd = [[number] for number in range(500_000)]
    began = time.process_time()
    gc.collect()
    yield time.process_time() - began
    del crowd


def test_looking_for_garbage_in_a_crowded_session_counts_for_nothing(collection):
    assert not runs_out(lambda: [gc.collect() for _ in range(4)], 2 * collection)


def test_an_answer_that_only_looks_for_garbage_is_stopped_all_the_same(collection):
    def collects_for_ever():
        while True:
            gc.collect()

    assert runs_out(collects_for_ever, collection)


def test_an_answer_that_computes_is_stopped_also_after_it_looked_for_garbage(collection):
    def computes():
        gc.collect()
        end = time.process_time() + 60
        while time.process_time() < end:
            pass

    began = time.process_time()
    assert runs_out(computes, 0.1)
    assert time.process_time() - began < 30


def test_an_answer_that_waits_is_stopped_after_three_times_the_limit_by_the_clock():
    began = time.monotonic()
    assert runs_out(lambda: time.sleep(60), 0.1)
    assert 0.25 < time.monotonic() - began < 30


def test_a_halt_of_the_whole_process_counts_for_nothing():
    def is_halted():
        subprocess.Popen(["/bin/sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)

    assert not runs_out(is_halted, 0.2)
