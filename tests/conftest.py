"""What several test files share. The environment of every test is set in the conftest.py of the repository root."""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def pytest_collection_finish():
    """A million objects of the collected tests live to the end: nobody has to look for garbage among them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def benchmark_script():
    """``benchmark_script("engine")`` is benchmarks/engine.py, which lies outside of the package."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def closed_figures():
    """No figure that a test leaves open stays open for the next."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A fresh workspace, with the current folder in it."""
    (tmp_path / ".dlcourse").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said_by_the_bar(monkeypatch):
    """``said_by_the_bar(module)`` is a list of what the progress bars of that module will show."""
    said = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def update(self, n=1):
            pass

        def set_postfix_str(self, text, refresh):
            said.append(text)

    def watch(module):
        monkeypatch.setattr(module, "progress_bar", lambda wanted, **options: Bar())
        return said

    return watch
