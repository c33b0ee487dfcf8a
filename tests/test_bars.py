"""Progress bars: shown where somebody can see them, and nowhere else."""

from __future__ import annotations

import sys

import pytest

from dlcourse.bars import progress_bar


@pytest.fixture
def in_a_notebook(monkeypatch):
    """There tqdm takes ``disable`` from its arguments alone."""
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr("tqdm.auto.tqdm", lambda **options: options)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


@pytest.mark.usefixtures("in_a_notebook")
def test_a_notebook_shows_the_bar_unless_it_is_not_wanted():
    assert progress_bar(total=1) == {"total": 1}
    assert progress_bar(False, total=1) == {"total": 1, "disable": True}


@pytest.mark.usefixtures("in_a_notebook")
def test_the_variable_hides_the_bar_in_a_notebook_too(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert progress_bar(total=1) == {"total": 1, "disable": True}
