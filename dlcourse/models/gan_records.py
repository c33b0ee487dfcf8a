"""Five recorded trainings of a GAN on the ring, each of which shows one thing that can happen.

``benchmarks/gan_records.py`` trains them and writes ``gan_records.csv`` beside this file. They are kept because a GAN's fate
hangs on the last digit: another machine or another PyTorch may tell another story from the same seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from dlcourse.ops.rule import Array

__all__ = ["RECORDS", "Record", "ring_records"]

RECORDS = Path(__file__).parent / "gan_records.csv"


class Record(NamedTuple):
    """What is kept of one training.

    Attributes
    ----------
    steps : (S,) steps made at the end of each stretch
    loss_D, loss_G : (S,) the losses' means over each stretch, the generator's as it was trained with
    sample_steps : (F,) steps made when samples were taken
    samples : (F, n, 2) samples of the same n noise vectors
    """

    steps: Array
    loss_D: Array  # noqa: N815
    loss_G: Array  # noqa: N815
    sample_steps: Array
    samples: Array


def ring_records() -> dict[str, Record]:
    """The five trainings, by their letters A to E."""
    lines: dict[str, dict[str, list[tuple[int, list[float]]]]] = {}
    for line in RECORDS.read_text(encoding="utf-8").splitlines()[2:]:
        letter, what, step, numbers = line.split(";")
        lines.setdefault(letter, {}).setdefault(what, []).append((int(step), [float(n) for n in numbers.split()]))
    return {letter: _record(of) for letter, of in sorted(lines.items())}


def _record(of: dict[str, list[tuple[int, list[float]]]]) -> Record:
    ((every, loss_D),), ((_, loss_G),) = of["loss_D"], of["loss_G"]
    steps = every * np.arange(1, len(loss_D) + 1)
    samples = np.array([numbers for _, numbers in of["samples"]]).reshape(len(of["samples"]), -1, 2)
    return Record(steps, np.array(loss_D), np.array(loss_G), np.array([step for step, _ in of["samples"]]), samples)
