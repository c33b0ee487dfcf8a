"""Bits per character of the models of lesson 09, and how far RNN, LSTM and GRU remember: the tables of that lesson.

    python benchmarks/recurrent_networks.py            # all seeds, into dlcourse/models/recurrent_runs.csv
    python benchmarks/recurrent_networks.py --seeds 1  # quicker, and printed only
    python benchmarks/recurrent_networks.py --jobs 4   # four runs at a time, each on one core

The seeds are 0, 1, 2 …. Bits per character belong to one Python: another version's standard library is another text. The
number of steps is fixed, so the results do not hang on the machine's speed; the seconds do.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from over_seeds import Row, parser, table, write

from dlcourse.data.text import load_standard_library
from dlcourse.models.char_lstm_torch import bits_per_character, train_language_model
from dlcourse.models.ngram import NGram
from dlcourse.models.recurrent_runs import KINDS, MEASURED, learn_to_add

SEEDS, LANGUAGE_SEEDS = 5, 3
LENGTHS = (10, 20, 40, 80, 150)
COUNTING = {"unigram": 1, "bigram": 2, "6-gram": 6}
BITS, ADDING = "bits per character", "adding problem"

Job = tuple[str, str, int, int]


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


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    options = parser(__doc__, SEEDS).parse_args()
    print(load_standard_library())
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = sorted(pool.map(run, jobs(options.seeds)), key=lambda row: (row[0], row[2], row[1], row[3]))
    print(table(rows))
    if options.seeds < SEEDS:
        return
    write(MEASURED, "recurrent_networks.py", "task;model;length", rows)


if __name__ == "__main__":
    main()
