"""Bits per character of the models of lesson 09, and how far RNN, LSTM and GRU remember: the tables of that lesson.

    python benchmarks/recurrent_networks.py            # all seeds, into dlcourse/models/recurrent_runs.csv
    python benchmarks/recurrent_networks.py --seeds 1  # quicker, and printed only
    python benchmarks/recurrent_networks.py --jobs 4   # four runs at a time, each on one core

The seeds are 0, 1, 2 …. Bits per character belong to one Python: another version's standard library is another text. The
number of steps is fixed, so the results do not hang on the machine's speed; the seconds do.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

import platform
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from dlcourse.data.text import load_standard_library
from dlcourse.models.char_lstm_torch import bits_per_character, train_language_model
from dlcourse.models.ngram import NGram
from dlcourse.models.recurrent_runs import KINDS, MEASURED, learn_to_add

SEEDS, LANGUAGE_SEEDS = 5, 3
LENGTHS = (10, 20, 40, 80, 150)
COUNTING = {"unigram": 1, "bigram": 2, "6-gram": 6}
BITS, ADDING = "bits per character", "adding problem"

Job = tuple[str, str, int, int]
Row = tuple[str, str, int, int, float, int, float]


def jobs(seeds: int) -> list[Job]:
    """The task, the model, the length and the seed of each run, the long ones first."""
    language = [(BITS, "LSTM", 0, seed) for seed in range(min(seeds, LANGUAGE_SEEDS))]
    adding = [
        (ADDING, kind, length, seed)
        for length in reversed(LENGTHS)
        for kind in reversed(KINDS)
        for seed in range(seeds)
    ]
    return [*language, *adding, *((BITS, model, 0, 0) for model in COUNTING)]


def run(job: Job) -> Row:
    """One job's result, its steps, and its seconds of processor time."""
    torch.set_num_threads(1)
    task, model, length, seed = job
    corpus = load_standard_library()
    started, steps = time.process_time(), 0
    if task == ADDING:
        remembered = learn_to_add(model, length, seed)
        result, steps = remembered.error, len(remembered.losses)
    elif model == "LSTM":
        network = train_language_model(corpus, seed=seed, progress=False)
        result, steps = bits_per_character(network, corpus.validation), len(network.history)
    else:
        result = NGram(COUNTING[model]).fit(corpus.train).bits_per_character(corpus.validation)
    row = (*job, result, steps, time.process_time() - started)
    print(*row, flush=True)
    return row


def table(rows: list[Row]) -> str:
    """The results and steps of all seeds, a line for each model and length."""
    lines = []
    for key in dict.fromkeys(row[:3] for row in rows):
        these = [row for row in rows if row[:3] == key]
        task, model, length = key
        results = "  ".join(f"{row[4]:.4f} ({row[5]})" for row in these)
        seconds = np.mean([row[6] for row in these])
        lines.append(f"{task:20s} {model:8s} {length:4d}   {results}   {seconds:.1f} s")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    print(load_standard_library())
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = sorted(pool.map(run, jobs(options.seeds)), key=lambda row: (row[0], row[2], row[1], row[3]))
    print(table(rows))
    if options.seeds < SEEDS:
        return
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}"
    lines = [";".join(map(str, row[:4])) + f";{row[4]:.6f};{row[5]};{row[6]:.1f}" for row in rows]
    head = [f"# python benchmarks/recurrent_networks.py ({versions})", "task;model;length;seed;result;steps;seconds"]
    MEASURED.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
