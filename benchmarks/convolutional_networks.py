"""Classifiers of the digits on test images that are moved by one pixel, over several seeds: the table of lesson 07.

    OMP_NUM_THREADS=1 python benchmarks/convolutional_networks.py            # five seeds, into dlcourse/models/shifts.csv
    OMP_NUM_THREADS=1 python benchmarks/convolutional_networks.py --seeds 2  # quicker, and printed only

Each row is one training by ``dlcourse.models.shifts.classifier``: its CPU seconds, and the accuracy on the 450 test images
where they are and moved by a pixel in each of eight directions, all of them alike, with zeros coming in. Rates and epochs
were chosen on parts of the training images; the seeds are 0, 1, 2 …, and all that were run are in the table.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator

import numpy as np
import sklearn
import torch
from scipy.stats import binomtest

from dlcourse.models.shifts import DIRECTIONS, KINDS, MEASURED, accuracies, classifier

SEEDS, TESTED = 5, 450

Row = tuple[str, int, float, dict[str, float]]


def runs(seeds: int) -> Iterator[Row]:
    """The kind, the seed, the CPU seconds of training, and the accuracy for each direction."""
    classifier("SVM", 0)  # whoever is first pays for scikit-learn's and PyTorch's imports; here, nobody who is measured
    for kind in KINDS:
        for seed in range(seeds if kind != "SVM" else 1):  # the SVM's result depends on no seed
            started = time.process_time()
            classify = classifier(kind, seed)
            seconds = time.process_time() - started
            yield kind, seed, seconds, accuracies(classify)


def line(kind: str, rows: list[Row]) -> str:
    """Means over the seeds: where the images are (with the spread), moved straight, moved aslant."""
    found = {name: np.array([row[3][name] for row in rows if row[0] == kind]) for name in DIRECTIONS}
    straight = np.mean([found[name] for name in DIRECTIONS if name != "none" and " " not in name])
    aslant = np.mean([found[name] for name in DIRECTIONS if " " in name])
    here, seconds = found["none"], np.mean([row[2] for row in rows if row[0] == kind])
    spread = f"± {here.std(ddof=1):.4f}" if len(here) > 1 else ""
    low, high = binomtest(round(TESTED * here.mean()), TESTED).proportion_ci(method="wilson")
    return (f"{kind:22s} {here.mean():.4f} {spread:8s} ({low:.3f} to {high:.3f})   {straight:.3f}   {aslant:.3f}   "
            f"{seconds:5.1f} s   {np.round(here, 4)}")  # fmt: skip


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    rows: list[Row] = []
    print("kind                   test     over seeds, 95 % interval of 450   straight  aslant   CPU      each seed")
    for row in runs(seeds):
        rows.append(row)
        if row[0] == "SVM" or row[1] == seeds - 1:
            print(line(row[0], rows), flush=True)
    if seeds < SEEDS:
        return
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}, "
    versions += f"scikit-learn {sklearn.__version__}"
    made = f"# OMP_NUM_THREADS=1 python benchmarks/convolutional_networks.py ({versions})"
    header = ";".join(["kind", "seed", "seconds", *DIRECTIONS])
    lines = [
        ";".join([kind, str(seed), f"{seconds:.2f}", *(f"{found[name]:.6f}" for name in DIRECTIONS)])
        for kind, seed, seconds, found in rows
    ]
    MEASURED.write_text("\n".join([made, header, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
