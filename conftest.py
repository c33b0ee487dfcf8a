"""Notebooks under nbval: the same environment for each, and the processor time each takes, held to a budget.

Processor time is read from the kernel's process before it is stopped, imports included: a busy machine makes it longer
by its shared caches at most, not by waiting.
"""

from __future__ import annotations

import os
from typing import Any

import psutil
import pytest

UNIT_SECONDS = 45.0  # of one core for lesson and solutions together, on the average over the units that ran
NOTEBOOK_SECONDS = 90.0  # for any single notebook
SLACK = 1.5  # for a machine slower than the one this was set on

for name, value in {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}.items():
    os.environ[name] = value
os.environ.pop("DLCOURSE_WORKSPACE", None)

_seconds: dict[str, float] = {}  # notebook -> processor time; filled in the process that reports


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After a notebook's last cell: what its kernel has used."""
    manager = getattr(getattr(item.parent, "kernel", None), "km", None)
    if manager is None or (nextitem is not None and nextitem.parent is item.parent):
        return
    try:
        used = psutil.Process(manager.provisioner.pid).cpu_times()
    except (psutil.Error, AttributeError):  # the kernel died: its cells have failed, and say so
        return
    name = item.nodeid.partition("::")[0]
    item.user_properties.append(("processor time", (name, sum(used[:4]))))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In the process that reports: gather what the workers have measured."""
    if report.when == "teardown":
        _seconds.update(value for key, value in report.user_properties if key == "processor time")


def over_budget(seconds: dict[str, float]) -> list[str]:
    """What is said about notebooks that take too long; nothing where all keep the budget."""
    units: dict[str, float] = {}
    for name, used in seconds.items():
        unit = name.rpartition("/")[2]
        units[unit] = units.get(unit, 0.0) + used
    said = [f"{name}: {used:.0f} s" for name, used in seconds.items() if used > SLACK * NOTEBOOK_SECONDS]
    if units and (average := sum(units.values()) / len(units)) > SLACK * UNIT_SECONDS:
        said.append(f"a unit takes {average:.0f} s on average; the budget is {UNIT_SECONDS:.0f} s")
    return said


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run whose cells all pass but take too long."""
    if over_budget(_seconds) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the notebooks with their seconds."""
    if not _seconds:
        return
    terminalreporter.section("processor time of notebooks")
    for name, used in sorted(_seconds.items()):
        terminalreporter.line(f"{used:6.1f} s  {name}")
    for line in over_budget(_seconds):
        terminalreporter.line(f"OVER BUDGET  {line}", red=True)
