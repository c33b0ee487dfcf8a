"""What ``benchmarks/transformers.py`` measured and wrote into ``transformer_runs.csv``, where an installed course finds it too.

Bits per character were measured with the standard library of the Python named in that file's first line; other versions
have other text, and other bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["MEASURED", "Run", "measured"]

MEASURED = Path(__file__).parent / "transformer_runs.csv"


class Run(NamedTuple):
    """One row of the file.

    Attributes
    ----------
    seed : of weights and data
    result : what the task says
    steps : updates made, or symbols written; 0 for models that count
    seconds : of one processor core
    """

    seed: int
    result: float
    steps: int
    seconds: float


def measured() -> dict[tuple[str, str, str], list[Run]]:
    """What the script wrote: (task, model, setting) -> its runs, one for each seed.

    The tasks are "bits per character" on the unseen files (of "GPT", by its positions, of "LSTM" and of "6-gram"),
    "milliseconds a step" of training (of "engine" and "PyTorch", in turns), and "milliseconds a symbol" in writing until
    the context is full (of "GPT", with and without the cache, by the context T).
    """
    found: dict[tuple[str, str, str], list[Run]] = {}
    for line in MEASURED.read_text(encoding="utf-8").splitlines()[2:]:
        task, model, setting, seed, result, steps, seconds = line.split(";")
        run = Run(int(seed), float(result), int(steps), float(seconds))
        found.setdefault((task, model, setting), []).append(run)
    return found
