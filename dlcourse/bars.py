"""Progress bars where somebody can see them: in a terminal or a notebook. TQDM_DISABLE=1 hides all."""

from __future__ import annotations

import os
import sys
from typing import Any


def progress_bar(wanted: bool = True, **options: Any) -> Any:
    """A bar of tqdm's, with its options; a hidden one where it is not wanted or nobody looks."""
    from tqdm.auto import tqdm

    seen = sys.stderr.isatty() or "ipykernel" in sys.modules
    if not wanted or not seen or os.environ.get("TQDM_DISABLE"):  # in notebooks tqdm does not look there itself
        options["disable"] = True
    return tqdm(**options)
