"""What ``benchmarks/attention.py`` measured and wrote into ``attention_runs.csv``, where an installed course finds it too.

Bits were measured with the standard library of the Python named in that file's first line; other versions have other
text, and other bits.
"""

from __future__ import annotations

from pathlib import Path

from dlcourse.models.runs import Run, read_runs

__all__ = ["MEASURED", "Run", "measured"]

MEASURED = Path(__file__).parent / "attention_runs.csv"


def measured() -> dict[tuple[str, str, str], list[Run]]:
    """What the script wrote: (task, model, setting) -> its runs, one for each seed.

    - "translation" of "Translator": the share of held-out numbers that is "exact", and how often words were "aligned".
    - "induction" of "1 layer" and "2 layers": "accuracy" from the second round on, and the "best head"'s score.
    - "who bites whom", by positions: the share that is right, of an "encoder" and of a "causal" network.
    - "bits per symbol", by positions, of networks trained on 32 symbols: at the places "17-32", "33-64" and "65-128" of
      longer texts. Learned positions have none beyond 32.
    - "bits at the end" of 500 steps, per character of unseen files, "pre-norm" or "post-norm", by depth and warm-up such
      as "6 layers, warm-up 100". Who knows how often each symbol comes, and nothing else, has about 3.3.
    - "milliseconds" of a forward pass of "attention" and "LSTM", by the number of time steps T.
    """
    return read_runs(MEASURED)
