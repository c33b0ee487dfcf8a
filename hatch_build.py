"""Build hook: a wheel carries the lessons and exercises as ``dlcourse/_course/``; an editable install reads the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CourseFiles(BuildHookInterface):
    """Adds notebooks/ and exercises/ to the standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build; `version` is "standard" or "editable"."""
        if version != "standard":
            return
        for folder in ("notebooks", "exercises"):
            for path in sorted(Path(self.root, folder).rglob("*")):
                inside = path.relative_to(self.root)
                if path.is_file() and not any(part.startswith((".", "__")) for part in inside.parts):
                    build_data["force_include"][str(path)] = f"dlcourse/_course/{inside.as_posix()}"
