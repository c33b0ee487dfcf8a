"""Where a learner's results live: the nearest parent folder with ``.dlcourse/`` in it.

Failing that, the folder that the environment variable DLCOURSE_WORKSPACE names; failing that, nowhere, and nothing
is recorded: so a test run or a grading school sees the same course as a first-day learner.
"""

from __future__ import annotations

import os
from pathlib import Path

MARKER = ".dlcourse"


def find(start: Path | None = None) -> Path | None:
    """The workspace that ``start`` (the current folder by default) lies in, or None."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / MARKER).is_dir():
            return folder
    named = os.environ.get("DLCOURSE_WORKSPACE")
    return Path(named).expanduser().resolve() if named else None
