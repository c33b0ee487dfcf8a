"""Set before any kernel starts: one thread a process, no progress bars, and no learner's workspace."""

from __future__ import annotations

import os

import pytest

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


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A fresh workspace, with the current folder in it."""
    (tmp_path / ".dlcourse").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
