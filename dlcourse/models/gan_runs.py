"""What GANs came to over several seeds: the ring with one change at a time, and the digits.

``benchmarks/gans.py`` trains them and writes what came out into ``gan_runs.csv`` beside this file, where an installed
course finds it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["MEASURED", "DigitsResult", "RingResult", "digits_runs", "ring_runs"]

MEASURED = Path(__file__).parent / "gan_runs.csv"


class RingResult(NamedTuple):
    """One training on the ring of eight.

    Attributes
    ----------
    seed : of weights, noise and data
    modes : of 8, found at the end
    quality : share of samples near a mode at the end
    late_modes : found on average, in twelve looks over the second half of the training
    late_least : the fewest of these looks
    late_quality : average of these looks
    steps, seconds : updates of the generator, and seconds of one processor core
    """

    seed: int
    modes: int
    quality: float
    late_modes: float
    late_least: int
    late_quality: float
    steps: int
    seconds: float


class DigitsResult(NamedTuple):
    """One training on the digits, judged by 1000 samples; for ``real`` and ``noise``, no training and 450 pictures.

    Attributes
    ----------
    seed : of weights, noise and data
    classes : digits that are seen in more than 2 % of the samples
    confident : share of samples that the classifier is sure of
    frechet : Fréchet distance to the training digits
    nearest : median distance to the nearest training digit
    accuracy : share of samples that show the digit that was asked for; None if none was
    steps, seconds : updates of the generator, and seconds of one processor core
    """

    seed: int
    classes: int
    confident: float
    frechet: float
    nearest: float
    accuracy: float | None
    steps: int
    seconds: float


def ring_runs() -> dict[str, list[RingResult]]:
    """What the script wrote about the ring: the name of the settings -> its runs, one for each seed."""
    found: dict[str, list[RingResult]] = {}
    for setting, seed, values in _rows("ring"):
        modes, quality, late_modes, late_least, late_quality, steps, seconds = values
        run = RingResult(
            seed, int(modes), float(quality), float(late_modes), int(late_least), float(late_quality), int(steps),
            float(seconds),
        )  # fmt: skip
        found.setdefault(setting, []).append(run)
    return found


def digits_runs() -> dict[str, list[DigitsResult]]:
    """What the script wrote about the digits: the name of the model -> its runs, one for each seed."""
    found: dict[str, list[DigitsResult]] = {}
    for setting, seed, values in _rows("digits"):
        classes, confident, frechet, nearest, accuracy, steps, seconds = values
        run = DigitsResult(
            seed, int(classes), float(confident), float(frechet), float(nearest), float(accuracy) if accuracy else None,
            int(steps), float(seconds),
        )  # fmt: skip
        found.setdefault(setting, []).append(run)
    return found


def _rows(task: str) -> list[tuple[str, int, list[str]]]:
    """The setting, the seed and the seven values of each of the task's lines."""
    lines = [line.split(";") for line in MEASURED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [(setting, int(seed), values) for name, setting, seed, *values in lines if name == task]
