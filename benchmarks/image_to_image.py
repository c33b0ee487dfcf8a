"""Translation between domains with and without its two helping losses, and super-resolution: the tables of lesson 14.

    python benchmarks/image_to_image.py            # all seeds, into dlcourse/models/image_runs.csv
    python benchmarks/image_to_image.py --seeds 1  # quicker, and printed only
    python benchmarks/image_to_image.py --jobs 4   # four runs at a time, each on one core

The seeds are 0, 1, 2 …. The number of steps is fixed, so the results do not hang on the machine's speed; the seconds do.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context

import numpy as np
import torch
from over_seeds import Row, parser, table, write

from dlcourse.data.domains import Domains, colored_digits, stroke_digits
from dlcourse.metrics import psnr
from dlcourse.models.cnn_torch import pretrained_classifier
from dlcourse.models.cyclegan_torch import CycleGAN, judge, train_cyclegan
from dlcourse.models.image_runs import MEASURED
from dlcourse.models.super_resolution_torch import bicubic, enlarge, sharpen, sharpness, split, train_super_resolution

SEEDS = 3
DOMAINS = {"color": colored_digits, "strokes": stroke_digits}
LOSSES = {
    "both losses": {},
    "no cycle loss": {"cycle": 0.0},
    "no identity loss": {"identity": 0.0},
    "neither": {"cycle": 0.0, "identity": 0.0},
}
TERMS = {"perceptual": {"adversarial": 0.0}, "adversarial": {"perceptual": 0.0}, "both terms": {}}
ENLARGING, UNTRANSLATED = "super-resolution", "untranslated"

Job = tuple[str, str, int]


def jobs(seeds: int) -> list[Job]:
    """The task, the setting and the seed of each run; super-resolution has all settings in one run."""
    translations = [(task, losses, seed) for task in DOMAINS for losses in LOSSES for seed in range(seeds)]
    return [*translations, *((task, UNTRANSLATED, 0) for task in DOMAINS), *((ENLARGING, "", s) for s in range(seeds))]


def run(job: Job) -> list[Row]:
    """One job's rows, a measure in each."""
    torch.set_num_threads(1)
    task, setting, seed = job
    rows = enlarged(seed) if task == ENLARGING else translated(task, setting, DOMAINS[task](seed), seed)
    for row in rows:
        print(*row, flush=True)
    return rows


def translated(task: str, setting: str, domains: Domains, seed: int) -> list[Row]:
    """A translator trained and judged, or pictures as they are."""
    started = time.process_time()
    if setting == UNTRANSLATED:
        model = untouched(domains.a.shape[1])
    else:
        model = train_cyclegan(domains.a, domains.b, seed=seed, progress=False, **LOSSES[setting])
    seconds = time.process_time() - started
    measures = asdict(judge(model, domains))
    return [(task, setting, name, seed, value, len(model.history), seconds) for name, value in measures.items()]


def untouched(channels: int) -> CycleGAN:
    """Generators that add nothing to a picture."""
    model = CycleGAN(channels)
    for generator in (model.to_b, model.to_a):
        torch.nn.init.zeros_(generator.last.weight)
    return model


def enlarged(seed: int) -> list[Row]:
    """The network trained on squared errors, and sharpened in three ways from there; the first seed has bicubic, too."""
    pretrained_classifier()  # its training is not part of the seconds
    photo = split()
    rows = scored("bicubic", bicubic(photo.test_low), seed, 0, 0.0) if seed == 0 else []
    started = time.process_time()
    model = train_super_resolution(seed=seed, progress=False)
    seconds = time.process_time() - started
    rows += scored("squared error", enlarge(model, photo.test_low), seed, len(model.history), seconds)
    for setting, weights in TERMS.items():
        started = time.process_time()
        sharpened = sharpen(model, seed=seed, progress=False, **weights)
        seconds = time.process_time() - started
        rows += scored(setting, enlarge(sharpened, photo.test_low), seed, len(sharpened.history), seconds)
    return rows


def scored(setting: str, image: np.ndarray, seed: int, steps: int, seconds: float) -> list[Row]:
    """Two rows: PSNR and sharpness on the part of the photograph that was held out."""
    reference = split().test
    measures = {"psnr": psnr(image, reference), "sharpness": sharpness(image, reference)}
    return [(ENLARGING, setting, name, seed, value, steps, seconds) for name, value in measures.items()]


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    options = parser(__doc__, SEEDS).parse_args()
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = [row for rows in pool.map(run, jobs(options.seeds)) for row in rows]
    rows.sort(key=lambda row: row[:4])
    print(table(rows))
    if options.seeds < SEEDS:
        return
    write(MEASURED, "image_to_image.py", "task;setting;measure", rows)


if __name__ == "__main__":
    main()
