"""Checks in a real kernel, without a browser: what is recorded, what is shown, and how an endless loop ends."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.util import run_sync
from nbformat import NotebookNode

from dlcourse import record
from dlcourse.checks import TOPICS, catalog, find

ROOT = Path(__file__).resolve().parents[1]

START = "import numpy as np\nfrom dlcourse import check, hint, mine"
RIGHT = """
def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""
OVER_EXAMPLES = RIGHT.replace("-1", "0")
ENDLESS = """
def softmax(z):
    open("begun", "w").close()
    while True:
        pass
"""
CHECK = 'check("neuron.softmax", softmax)'


class Kernel:
    """One kernel, as a notebook in a folder of the workspace has it."""

    def __init__(self, folder: Path) -> None:
        self.client = NotebookClient(
            nbformat.v4.new_notebook(),
            timeout=180,
            startup_timeout=180,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )

    async def run_later(self, source: str) -> list[NotebookNode]:
        cells = self.client.nb.cells
        cells.append(nbformat.v4.new_code_cell(source))
        cell = await self.client.async_execute_cell(cells[-1], len(cells) - 1)
        return cell.outputs

    def run(self, source: str) -> list[NotebookNode]:
        """Outputs of a cell, an error among them."""
        return run_sync(self.run_later)(source)

    def restart(self) -> None:
        async def restart() -> None:
            await self.client.km.restart_kernel(now=True)
            await self.client.kc.wait_for_ready(timeout=180)

        run_sync(restart)()


@pytest.fixture
def notebooks(workspace: Path) -> Path:
    """The folder of a workspace in which a learner's notebooks lie."""
    folder = workspace / "exercises"
    folder.mkdir()
    return folder


@pytest.fixture
def kernel(notebooks: Path):
    started = Kernel(notebooks)
    with started.client.setup_kernel():
        assert started.run(START) == []
        yield started


def shown(outputs: list[NotebookNode]) -> str:
    """All text that a reader sees, a traceback included; a print that came in two pieces is one text."""
    text = ""
    for piece, output in enumerate(outputs):
        if output.output_type == "stream":
            text += output.text
        else:
            ends = "\n" if piece else ""
            text += ends + ("\n".join(output.traceback) if output.output_type == "error" else output.data["text/plain"])
    return text


def test_a_check_in_a_notebook_is_recorded_in_the_workspace_around_it(kernel, workspace):
    kernel.run(RIGHT)
    outputs = kernel.run(CHECK)
    assert [output.output_type for output in outputs] == ["display_data"]
    assert "Passed" in shown(outputs)
    entry = record.read(workspace)["neuron.softmax"]
    assert (entry.passed, entry.attempts, entry.points) == (True, 1, find("neuron.softmax").points)
    assert "z.max(axis=-1, keepdims=True)" in entry.source
    assert "mine.softmax: yours." in shown(kernel.run("mine.softmax(np.zeros((1, 3)))"))


def test_a_failed_check_is_a_box_and_one_line_with_nothing_on_stderr(kernel, workspace):
    kernel.run(OVER_EXAMPLES)
    box, error = kernel.run(CHECK)
    assert box.output_type == "display_data"
    assert "Your columns sum to 1" in box.data["text/plain"]
    assert "Your columns sum to 1" in box.data["text/html"]
    assert error.output_type == "error"
    assert error.ename == "CheckFailed"
    assert len("\n".join(error.traceback).splitlines()) == 1
    assert record.read(workspace)["neuron.softmax"].mistake == "sum-over-examples"


def test_an_endless_loop_ends_in_a_message_that_asks_about_the_loop(kernel):
    assert find("neuron.softmax").seconds == 5.0
    kernel.run(ENDLESS)
    started = time.perf_counter()
    text = shown(kernel.run(CHECK))
    assert time.perf_counter() - started <= 20  # five seconds of processor time, on a busy machine
    assert "still running after 5 s" in text
    assert "Traceback" not in text
    assert shown(kernel.run("print(1 + 1)")) == "2\n"


def test_interrupting_the_kernel_stops_a_check_whose_answer_loops(kernel, notebooks, workspace):
    async def interrupt() -> None:
        while not (notebooks / "begun").exists():
            await asyncio.sleep(0.02)
        await kernel.client.km.interrupt_kernel()

    async def both() -> list[NotebookNode]:
        outputs, _ = await asyncio.gather(kernel.run_later(CHECK), interrupt())
        return outputs

    kernel.run(ENDLESS)
    outputs = run_sync(both)()
    assert [(output.output_type, output.get("ename")) for output in outputs] == [("error", "KeyboardInterrupt")]
    assert "neuron.softmax" not in record.read(workspace)  # an interrupted check is no attempt
    kernel.run(RIGHT)
    assert "Passed" in shown(kernel.run(CHECK))


TOGETHER = """
import time
from dlcourse import check, hint
from dlcourse.checks import CheckFailed

open("ready-{here}", "w").close()
while not os.path.exists("ready-{there}"):
    time.sleep(0.001)
for _ in range(40):
    try:
        check("neuron.softmax", softmax)
    except CheckFailed:
        pass
"""


def test_two_kernels_that_record_at_once_lose_nothing(kernel, notebooks, workspace):
    other = Kernel(notebooks)

    async def both() -> list[list[NotebookNode]]:
        here, there = TOGETHER.format(here="a", there="b"), TOGETHER.format(here="b", there="a")
        return await asyncio.gather(kernel.run_later(here), other.run_later(there))

    with other.client.setup_kernel():
        for one in (kernel, other):
            one.run(START + "\nimport os" + OVER_EXAMPLES)
        for outputs in run_sync(both)():
            assert len(outputs) == 40
    assert record.read(workspace)["neuron.softmax"].attempts == 80


@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_passed_in_a_notebook_lives_on_in_mine(kernel, workspace, topic):
    path = ROOT / "solutions" / f"{TOPICS[topic]:02d}_{topic}.ipynb"
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            kernel.run(cell.source)
    asked = [exercise for exercise in catalog() if exercise.topic == topic]
    assert all(record.read(workspace)[exercise.id].passed for exercise in asked)
    kernel.restart()
    kernel.run(START)
    for exercise in asked:
        if not exercise.takes_value:
            said = shown(kernel.run(f"own = mine.{exercise.function}"))
            assert said == f"mine.{exercise.function}: yours.\n"
            said = shown(
                kernel.run(f'from dlcourse.checks import evaluate\nprint(evaluate("{exercise.id}", own).message)')
            )
            assert said.startswith("Right"), said


def test_hints_go_on_after_a_restart_of_the_kernel(kernel):
    hints = find("neuron.softmax").hints
    first = shown(kernel.run('hint("neuron.softmax")'))
    assert first == f"Hint 1 of 3: {hints[0]}\n"
    kernel.restart()
    kernel.run(START)
    second = shown(kernel.run('hint("neuron.softmax")'))
    assert second == f"Hint 2 of 3: {hints[1]}\n"
