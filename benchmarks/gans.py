"""Modes found on the ring with one change at a time, and digits drawn by GANs: the tables of lesson 14.

    python benchmarks/gans.py            # all seeds, into dlcourse/models/gan_runs.csv
    python benchmarks/gans.py --seeds 1  # quicker, and printed only
    python benchmarks/gans.py --jobs 4   # four runs at a time, each on one core

The seeds are 0, 1, 2 …. The number of steps is fixed, so the results do not hang on the machine's speed; the seconds do.
A game of two players magnifies rounding: another PyTorch or processor gives other runs, and the same picture.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from over_seeds import versions

from dlcourse.data.digits import load_digits
from dlcourse.models.cnn_torch import DigitsCNN, pretrained_classifier
from dlcourse.models.digits_gan_torch import judge_digits, train_dcgan, train_digits_gan
from dlcourse.models.gan_runs import MEASURED
from dlcourse.models.gan_torch import RING_SETTINGS, train_ring_gan

RING_SEEDS, DIGITS_SEEDS = 5, 3
LABELS = np.arange(1000) % 10
CONDITIONAL: dict[str, dict[str, Any]] = {
    "conditional": {},
    "conditional, no R1": {"r1": 0.0},
    "conditional, no average": {"decay": 0.0},
    "conditional, no labels": {"conditional": False},
    "conditional, β₁ = 0.9": {"beta1": 0.9},
    "conditional, β₁ = 0.9, no R1": {"beta1": 0.9, "r1": 0.0},
}
CONVOLUTIONAL: dict[str, dict[str, Any]] = {
    "DCGAN": {},
    "DCGAN, spectral norm": {"spectral_norm": True},
    "DCGAN, batch norm": {"batch_norm": True},
    "DCGAN, R1": {"r1": 1.0},
    "DCGAN, β₁ = 0": {"beta1": 0.0},
}

Job = tuple[str, str, int]
Row = tuple[str, ...]


def jobs(seeds: int) -> list[Job]:
    """The task, the setting and the seed of each run."""
    ring = [("ring", name, seed) for name in RING_SETTINGS for seed in range(seeds)]
    digits = [
        ("digits", name, seed) for name in (*CONDITIONAL, *CONVOLUTIONAL) for seed in range(min(seeds, DIGITS_SEEDS))
    ]
    return [*ring, ("digits", "real", 0), ("digits", "noise", 0), *digits]


def run(job: Job, classifier: DigitsCNN) -> Row:
    """One job's row of the file."""
    torch.set_num_threads(1)
    task, name, seed = job
    values = ring(name, seed) if task == "ring" else digits(name, seed, classifier)
    row = (task, name, str(seed), *values)
    print(*row, sep=";", flush=True)
    return row


def ring(name: str, seed: int) -> Row:
    started = time.process_time()
    trained = train_ring_gan(RING_SETTINGS[name], seed=seed, progress=False)
    seconds = time.process_time() - started
    last, late = trained.coverage[-1], trained.coverage[len(trained.coverage) // 2 :]
    modes = [look.modes for look in late]
    return (
        str(last.modes), f"{last.quality:.3f}", f"{np.mean(modes):.2f}", str(min(modes)),
        f"{np.mean([look.quality for look in late]):.3f}", str(len(trained.losses)), f"{seconds:.1f}",
    )  # fmt: skip


def digits(name: str, seed: int, classifier: DigitsCNN) -> Row:
    rng, started = np.random.default_rng(seed), time.process_time()
    steps, labels = 0, None
    if name == "real":
        pictures = load_digits()[1]
    elif name == "noise":
        pictures = rng.random((450, 64))
    elif name in CONDITIONAL:
        options = CONDITIONAL[name]
        model = train_digits_gan(seed=seed, progress=False, **options)
        labels = LABELS if options.get("conditional", True) else None
        pictures, steps = model.sample(LABELS if labels is not None else np.zeros_like(LABELS), rng), len(model.history)
    else:
        network = train_dcgan(seed=seed, progress=False, **CONVOLUTIONAL[name])
        pictures, steps = network.sample(1000, rng), len(network.history)
    seconds = time.process_time() - started
    found = judge_digits(pictures, labels, classifier)
    return (
        str(found.classes), f"{found.confident:.3f}", f"{found.frechet:.2f}", f"{found.nearest:.3f}",
        "" if found.accuracy is None else f"{found.accuracy:.3f}", str(steps), f"{seconds:.1f}",
    )  # fmt: skip


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=RING_SEEDS)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    todo, judge = jobs(options.seeds), pretrained_classifier()  # trained here once, not in each process
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = list(pool.map(run, todo, [judge] * len(todo)))
    if options.seeds < RING_SEEDS:
        return
    head = [
        f"# python benchmarks/gans.py ({versions()})",
        "# ring;setting;seed;modes;quality;late_modes;late_least;late_quality;steps;seconds",
        "# digits;setting;seed;classes;confident;frechet;nearest;accuracy;steps;seconds",
    ]
    MEASURED.write_text("\n".join([*head, *map(";".join, rows)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
