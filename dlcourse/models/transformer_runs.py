"""What ``benchmarks/transformers.py`` measured and wrote into ``transformer_runs.csv``, where an installed course finds it too.

Bits per character were measured with the standard library of the Python named in that file's first line; other versions
have other text, and other bits.
"""

from __future__ import annotations

from pathlib import Path

from dlcourse.models.runs import Run, read_runs

__all__ = ["MEASURED", "Run", "measured"]

MEASURED = Path(__file__).parent / "transformer_runs.csv"


def measured() -> dict[tuple[str, str, str], list[Run]]:
    """What the script wrote: (task, model, setting) -> its runs, one for each seed.

    The tasks are "bits per character" on the unseen files (of "GPT", by its positions, of "LSTM" and of "6-gram"),
    "milliseconds a step" of training (of "engine" and "PyTorch", in turns), and "milliseconds a symbol" in writing until
    the context is full (of "GPT", with and without the cache, by the context T).
    """
    return read_runs(MEASURED)
