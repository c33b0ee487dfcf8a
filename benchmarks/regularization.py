"""What helps against too few labels, wrong labels and too many layers, over several seeds: the table of lesson 05.

    python benchmarks/regularization.py            # five seeds, into dlcourse/drivers/cures.csv
    python benchmarks/regularization.py --seeds 2  # quicker, and printed only

Each row is one run of ``dlcourse.drivers.cures``. The seeds are 0, 1, 2 …; nothing was tuned on them.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator

import numpy as np

from dlcourse.drivers.cures import CURES, KINDS, MEASURED, deep, few_labels

SEEDS = 5
LABELS = {"300 labels, 40 % drawn at random": (300, 0.4), "100 labels, all right": (100, 0.0)}
LONGER = ("none", "dropout", "augmentation", "dropout + augmentation")  # for 900 steps, too
DEPTHS = (10, 20, 40)

Row = tuple[str, str, int, float, float]


def runs(seeds: int) -> Iterator[Row]:
    """The situation, the cure, the seed, and the accuracies on training (where it was measured) and test digits."""
    for situation, (labels, noise) in LABELS.items():
        for cure, settings in CURES.items():
            for seed in range(seeds):
                result = few_labels(labels, noise, seed, **settings)
                yield situation, cure, seed, result.train, result.test
    for cure in LONGER:
        for seed in range(seeds):
            result = few_labels(300, 0.4, seed, steps=900, **CURES[cure])
            yield "the noisy labels, 900 steps", cure, seed, result.train, result.test
    for depth in DEPTHS:
        for kind in KINDS:
            for seed in range(seeds):
                yield f"{depth} layers of 32", kind, seed, float("nan"), deep(depth, kind, seed)


def table(rows: list[Row]) -> str:
    """Mean, and standard deviation over the seeds, of the test accuracy."""
    lines = []
    for situation, cure in dict.fromkeys(row[:2] for row in rows):
        tests = [row[4] for row in rows if row[:2] == (situation, cure)]
        lines.append(
            f"{situation:34s} {cure:24s} {np.mean(tests):.3f} ± {np.std(tests, ddof=1):.3f}  {np.round(tests, 3)}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = parser.parse_args().seeds
    started = time.process_time()
    rows = list(runs(seeds))
    print(table(rows))
    print(f"{time.process_time() - started:.0f} CPU seconds")
    if seeds < SEEDS:
        return
    made = f"# python benchmarks/regularization.py (Python {platform.python_version()}, NumPy {np.__version__})"
    lines = [f"{situation};{cure};{seed};{train:.6f};{test:.6f}" for situation, cure, seed, train, test in rows]
    MEASURED.write_text("\n".join([made, "situation;cure;seed;train;test", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
