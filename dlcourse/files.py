"""Files that change in one step: whoever reads one, now or after a crash, sees the old content or the new, never a half."""

from __future__ import annotations

import os
from pathlib import Path


def replace(target: Path, content: bytes, part: Path) -> None:
    """Put ``content`` at ``target``, by way of the file ``part`` in the same folder, which is gone afterwards.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is still there.
    """
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
