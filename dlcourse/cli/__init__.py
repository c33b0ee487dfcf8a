"""The command ``dlcourse``: a workspace with JupyterLab, progress and hints, checks on save, marks for a class, and a doctor.

``app`` reads the command line, ``materials`` copies the course, ``lab`` starts JupyterLab, ``reports`` writes lists and
progress, ``watch`` and ``rechecking`` check a notebook on save, ``grade`` and ``classes`` mark submissions, ``doctor`` examines
the installation; ``console`` is where they all write.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a library missing even for that is said in one line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that has no ✓ shows a ? instead of failing
            stream.reconfigure(errors="replace")
    try:
        from dlcourse.cli.app import app

        app()
    except ModuleNotFoundError as error:
        name = (error.name or "dlcourse").split(".")[0]
        if name == "dlcourse":
            raise
        sys.exit(f"dlcourse: the package {name} is missing. Mend: {sys.executable} -m pip install {name}")
    except ImportError as error:
        sys.exit(f"dlcourse: a package is broken: {error}. `dlcourse doctor` says how to mend it")
