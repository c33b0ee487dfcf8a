"""What translating between domains and enlarging a photograph came to, over seeds and settings.

``benchmarks/image_to_image.py`` trains with each setting and seed and writes what came out into ``image_runs.csv`` beside
this file, where an installed course finds it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["MEASURED", "Run", "measured"]

MEASURED = Path(__file__).parent / "image_runs.csv"


class Run(NamedTuple):
    """One row of the file.

    Attributes
    ----------
    seed : of weights and draws, and of which half of the digits each domain gets
    result : the measure's value
    steps : updates; nothing where nothing was trained
    seconds : of one processor core
    """

    seed: int
    result: float
    steps: int
    seconds: float


def measured() -> dict[tuple[str, str, str], list[Run]]:
    """What the script wrote: (task, setting, measure) -> its runs, one for each seed.

    The tasks "color" and "strokes" have the settings "both losses", "no cycle loss", "no identity loss" and "neither", and
    "untranslated" for the pictures as they are; their measures are the attributes of ``cyclegan_torch.Translated``.
    "super-resolution" has "bicubic", "squared error", and from there on "perceptual", "adversarial" and "both terms"; its
    measures are "psnr", in decibels, and "sharpness".
    """
    found: dict[tuple[str, str, str], list[Run]] = {}
    for line in MEASURED.read_text(encoding="utf-8").splitlines()[2:]:
        task, setting, measure, seed, result, steps, seconds = line.split(";")
        run = Run(int(seed), float(result), int(steps), float(seconds))
        found.setdefault((task, setting, measure), []).append(run)
    return found
