"""What several test files share. The environment of every test is set in the conftest.py of the repository root."""

from __future__ import annotations

import pytest


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A fresh workspace, with the current folder in it."""
    (tmp_path / ".dlcourse").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
