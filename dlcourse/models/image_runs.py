"""What translating between domains and enlarging a photograph came to, over seeds and settings.

``benchmarks/image_to_image.py`` trains with each setting and seed and writes what came out into ``image_runs.csv`` beside
this file, where an installed course finds it too.
"""

from __future__ import annotations

from pathlib import Path

from dlcourse.models.runs import Run, read_runs

__all__ = ["MEASURED", "Run", "measured"]

MEASURED = Path(__file__).parent / "image_runs.csv"


def measured() -> dict[tuple[str, str, str], list[Run]]:
    """What the script wrote: (task, setting, measure) -> its runs, one for each seed.

    The tasks "color" and "strokes" have the settings "both losses", "no cycle loss", "no identity loss" and "neither", and
    "untranslated" for the pictures as they are; their measures are the attributes of ``cyclegan_torch.Translated``.
    "super-resolution" has "bicubic", "squared error", and from there on "perceptual", "adversarial" and "both terms"; its
    measures are "psnr", in decibels, and "sharpness".
    """
    return read_runs(MEASURED)
