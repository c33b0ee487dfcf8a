"""Translation, induction heads, positions, the place of the norm, and time in T: tables of lesson 11.

    python benchmarks/attention.py            # all seeds, into dlcourse/models/attention_runs.csv
    python benchmarks/attention.py --seeds 1  # quicker, and printed only
    python benchmarks/attention.py --jobs 4   # four runs at a time, each on one core
    python benchmarks/attention.py --only translation induction  # these tasks anew; the file's other rows stay

The seeds are 0, 1, 2. The number of steps is fixed, so the results do not hang on the machine's speed; the seconds, of
processor time, and the milliseconds of a forward pass do.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: seconds of one core

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from over_seeds import Row, parser, table, write

from dlcourse.data.numerals import number_words, split_pairs
from dlcourse.data.text import Corpus, load_standard_library
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.models.attention_heads_torch import copying_accuracy, induction_scores, train_on_repeats
from dlcourse.models.attention_runs import MEASURED, measured
from dlcourse.models.gpt_config import GPTConfig
from dlcourse.models.gpt_torch import CausalSelfAttention, bits_per_character, train_gpt
from dlcourse.models.translation_torch import alignment, exact, train_translator
from dlcourse.models.word_order_torch import bits_by_place, learn_who_bites

SEEDS = 3
POSITIONS = ("none", "sinusoidal", "learned", "rotary")
DEPTHS, WARM_UPS = (2, 6), (0, 100)
LENGTHS = (64, 128, 256, 512, 1024, 2048)
TRAINED = 32  # symbols of a window in the task of longer texts
REPEATS = 15  # forward passes, of which the median counts

Job = tuple[str, str, str, int]
Found = dict[str, float]  # setting -> result


def jobs(seeds: int) -> list[Job]:
    """The task, the model, the setting and the seed of each run."""
    depths = [f"{depth} layers, warm-up {warm_up}" for depth in reversed(DEPTHS) for warm_up in WARM_UPS]
    found = [("translation", "Translator", "")]
    found += [("induction", layers, "") for layers in ("1 layer", "2 layers")]
    found += [("who bites whom", name, setting) for name in POSITIONS for setting in ("encoder", "causal")]
    found += [("bits per symbol", name, "") for name in POSITIONS]
    found += [("bits at the end", norm, depth) for depth in depths for norm in ("pre-norm", "post-norm")]
    timed = [("milliseconds", model, str(T), 0) for T in LENGTHS for model in ("attention", "LSTM")]
    return [*((*job, seed) for job in found for seed in range(seeds)), *timed]


def translation(model: str, setting: str, seed: int) -> tuple[Found, int]:
    """Held-out numbers: right in every word, and looked at where they should be."""
    training, held_out = split_pairs(number_words(), seed=seed)
    translator = train_translator(training, seed=seed, progress=False)
    aligned = alignment(translator, [english for english, _ in held_out[:100]])
    return {"exact": exact(translator, held_out), "aligned": aligned}, len(translator.history)


def induction(model: str, setting: str, seed: int) -> tuple[Found, int]:
    """Repeated random sequences, with one layer and with two."""
    gpt = train_on_repeats(layers=int(model[0]), seed=seed, progress=False)
    return {"accuracy": copying_accuracy(gpt), "best head": float(induction_scores(gpt).max())}, len(gpt.history)


def who_bites(model: Any, setting: str, seed: int) -> tuple[Found, int]:
    """A task that is about nothing but order."""
    steps = 300
    return {setting: learn_who_bites(model, seed=seed, causal=setting == "causal", steps=steps)}, steps


@lru_cache(maxsize=1)
def text() -> tuple[Corpus, Tokenizer]:
    """The corpus, and a tokenizer for it: made once in a process."""
    corpus = load_standard_library()
    return corpus, Tokenizer.train(corpus.train, 500, progress=False)


def longer(model: Any, setting: str, seed: int) -> tuple[Found, int]:
    """Language models that were trained on windows of 32 symbols, and read longer ones."""
    corpus, tokenizer = text()
    config = GPTConfig(len(tokenizer), TRAINED, width=64, heads=4, layers=2, positions=model)
    gpt = train_gpt(corpus, tokenizer, seed=seed, steps=600, batch=32, config=config, device="cpu", progress=False)
    found, length = {}, TRAINED if model == "learned" else 4 * TRAINED
    bits = bits_by_place(gpt, tokenizer, corpus.validation, length)
    for first, last in ((TRAINED // 2, TRAINED), (TRAINED, 2 * TRAINED), (2 * TRAINED, 4 * TRAINED)):
        if last <= length:
            found[f"{first + 1}-{last}"] = float(bits[first:last].mean())
    return found, len(gpt.history)


def norms(model: Any, setting: str, seed: int) -> tuple[Found, int]:
    """Where the norm stands, how deep the network is, and whether the rate rises slowly: bits per character, unseen files."""
    corpus, tokenizer = text()
    depth, warm_up = int(setting.split()[0]), int(setting.split()[-1])
    config = GPTConfig(len(tokenizer), 64, width=64, heads=4, layers=depth, norm=model.removesuffix("-norm"))
    gpt = train_gpt(
        corpus, tokenizer, seed=seed, steps=500, config=config, warm_up=warm_up, device="cpu", progress=False
    )
    return {setting: bits_per_character(gpt, tokenizer, corpus.validation[:60_000])}, len(gpt.history)


@torch.no_grad()
def forward_time(model: str, setting: str, seed: int) -> tuple[Found, int]:
    """One text of T steps through one layer of width 128."""
    x = torch.randn(1, int(setting), 128, generator=torch.Generator().manual_seed(seed))
    torch.manual_seed(seed)
    config = GPTConfig(2, width=128, heads=4)
    layer = CausalSelfAttention(config) if model == "attention" else torch.nn.LSTM(128, 128, batch_first=True)
    layer.eval()(x)
    times = []
    for _ in range(REPEATS):
        started = time.process_time_ns()
        layer(x)
        times.append(time.process_time_ns() - started)
    return {setting: float(np.median(times)) / 1e6}, REPEATS


TASKS: dict[str, Callable[[str, str, int], tuple[Found, int]]] = {
    "translation": translation, "induction": induction, "who bites whom": who_bites, "bits per symbol": longer,
    "bits at the end": norms, "milliseconds": forward_time,
}  # fmt: skip


def run(job: Job) -> list[Row]:
    """One job's results, its steps, and its seconds of processor time."""
    torch.set_num_threads(1)
    task, model, setting, seed = job
    if task.startswith("bits"):
        text()  # before the clock starts
    started = time.process_time()
    found, steps = TASKS[task](model, setting, seed)
    seconds = time.process_time() - started
    rows = [(task, model, name, seed, result, steps, seconds) for name, result in found.items()]
    print(*rows, sep="\n", flush=True)
    return rows


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    options_parser = parser(__doc__, SEEDS)
    options_parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    options = options_parser.parse_args()
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        chosen = [job for job in jobs(options.seeds) if job[0] in options.only]
        rows = [row for found in pool.map(run, chosen) for row in found]
    print(table(rows))
    if options.seeds < SEEDS:
        return
    if set(options.only) != set(TASKS):
        rows += [row for row in written() if row[0] not in options.only]
    order = {key: number for number, key in enumerate(dict.fromkeys(row[:3] for row in rows))}
    rows.sort(key=lambda row: (list(TASKS).index(row[0]), order[row[:3]], row[3]))
    write(MEASURED, "attention.py", "task;model;setting", rows)


def written() -> list[Row]:
    """The rows of the file."""
    return [(*key, *each) for key, runs in measured().items() for each in runs]


if __name__ == "__main__":
    main()
