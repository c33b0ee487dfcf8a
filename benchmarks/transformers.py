"""The tables of lesson 11: GPT's bits per character beside the LSTM's, a training step in both engines, and the cache.

    python benchmarks/transformers.py             # all, into dlcourse/models/transformer_runs.csv
    python benchmarks/transformers.py --seeds 1   # quicker, and printed only
    python benchmarks/transformers.py --jobs 4    # four language models at a time, each on one core

The seeds are 0, 1, 2. Bits per character belong to one Python: another version's standard library is another text. The
number of steps is fixed, so the results do not hang on the machine's speed; the seconds do. Training steps are timed as
in ``engine.py``, in turns and by processor time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from engine import KEEP_MEMORY, THREADS, measure
from engine_cases import Case, Step
from over_seeds import Row, parser, table, write

SEEDS = 3
BITS, STEP, SYMBOL = "bits per character", "milliseconds a step", "milliseconds a symbol"
POSITIONS = ("rotary", "learned", "sinusoidal", "none")
CONTEXTS = (64, 256, 1024)
BATCH, ROUNDS = 8, 21

Job = tuple[str, str, str, int]


# ---- bits per character


def jobs(seeds: int) -> list[Job]:
    """The task, the model, the setting and the seed of each language model.

    The LSTM runs once, for its seconds in the same hour; ``recurrent_runs.csv`` has its other seeds.
    """
    gpt = [(BITS, "GPT", positions, seed) for positions in POSITIONS for seed in range(seeds)]
    return [*gpt, (BITS, "LSTM", "", 0), (BITS, "6-gram", "", 0)]


def run(job: Job) -> Row:
    """One language model's bits on the unseen files, its steps, and its seconds of processor time without the measuring."""
    import torch

    from dlcourse.data.text import load_standard_library
    from dlcourse.models import char_lstm_torch

    torch.set_num_threads(1)
    _, model, setting, seed = job
    corpus = load_standard_library()
    started, steps = time.process_time(), 0
    if model == "6-gram":
        from dlcourse.models.ngram import NGram

        counts = NGram(6).fit(corpus.train)
        seconds, result = time.process_time() - started, counts.bits_per_character(corpus.validation)
    elif model == "LSTM":
        lstm = char_lstm_torch.train_language_model(corpus, seed=seed, progress=False)
        seconds, steps = time.process_time() - started, len(lstm.history)
        result = char_lstm_torch.bits_per_character(lstm, corpus.validation)
    else:
        result, steps, seconds = language_model(corpus, setting, seed)
    row = (*job, result, steps, seconds)
    print(*row, flush=True)
    return row


def language_model(corpus: Any, positions: Any, seed: int) -> tuple[float, int, float]:
    """A GPT's bits, its steps, and its seconds, those of its tokenizer included."""
    from dlcourse.data.tokenizer import Tokenizer
    from dlcourse.models.gpt_torch import GPTConfig, bits_per_character, train_gpt

    started = time.process_time()
    tokenizer = Tokenizer.train(corpus.train, progress=False)
    config = GPTConfig(len(tokenizer), positions=positions)
    gpt = train_gpt(corpus, tokenizer, seed=seed, config=config, device="cpu", progress=False)
    seconds = time.process_time() - started
    return bits_per_character(gpt, tokenizer, corpus.validation), len(gpt.history), seconds


# ---- a step of training, in both engines


def training_steps(positions: Any) -> tuple[Step, Step]:
    """A step of PyTorch and of ours, from the same weights, on the same symbols."""
    import numpy as np
    import torch

    from dlcourse import nn, optim
    from dlcourse.models import gpt, gpt_torch

    torch.set_num_threads(1)
    config = gpt.GPTConfig(597, positions=positions)
    ours, theirs = gpt.GPT(config, rng=np.random.default_rng(0)), gpt_torch.GPT(config)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()})
    chunks = np.random.default_rng(1).integers(0, config.vocabulary, (8, BATCH, config.context + 1))
    V = config.vocabulary

    def step_of(model: Any, optimizer: Any, cross_entropy: Any, own: Any) -> Step:
        turns = iter(range(10**9))

        def step() -> Any:
            chunk = chunks[next(turns) % len(chunks)]
            loss = cross_entropy(model(own(chunk[:, :-1])).reshape(-1, V), own(chunk[:, 1:]).reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    return (
        step_of(
            theirs, torch.optim.AdamW(theirs.parameters(), lr=1e-3), torch.nn.functional.cross_entropy, torch.tensor
        ),
        step_of(ours, optim.AdamW(ours.parameters(), lr=1e-3), nn.functional.cross_entropy, lambda ids: ids),
    )


def time_steps(positions: str, rounds: int) -> list[Row]:
    """Median milliseconds of a step in each engine, and the median of the ratio PyTorch's / ours."""
    started = time.process_time()
    row = measure(Case("gpt", "", 1.0, 1, lambda: training_steps(positions)), rounds)
    seconds = time.process_time() - started
    setting = f"{positions}, batch {BATCH}"
    results = dict(zip(("PyTorch", "engine"), row["times"], strict=True)) | {"PyTorch / engine": row["ratio"]}
    print(setting, results, row["quartiles"], flush=True)
    return [(STEP, model, setting, 0, result, rounds, seconds) for model, result in results.items()]


# ---- writing with and without the cache


def time_writing(T: int) -> list[Row]:
    """Milliseconds a symbol, until a context of T is full, from one symbol on; a model of the usual size, not trained."""
    import numpy as np
    import torch

    from dlcourse.data.tokenizer import Tokenizer
    from dlcourse.models.gpt_torch import GPT, GPTConfig, generate

    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = Tokenizer("".join(map(chr, range(0x4E00, 0x4E00 + 596))) + "\ufffd")
    model = GPT(GPTConfig(len(tokenizer), context=T, positions="rotary")).eval()
    rows, written = [], []
    for use_cache in (True, False):
        generate(model, tokenizer, "\u4e00", 5, use_cache=use_cache)
        started, rng = time.process_time(), np.random.default_rng(0)
        texts = max(1, 1024 // T)
        written.append([generate(model, tokenizer, "\u4e00", T - 1, 1.0, rng, use_cache) for _ in range(texts)])
        seconds, symbols = time.process_time() - started, texts * (T - 1)
        setting = f"{'with' if use_cache else 'without'} cache, T={T}"
        rows.append((SYMBOL, "GPT", setting, 0, 1000 * seconds / symbols, symbols, seconds))
        print(*rows[-1], flush=True)
    assert written[0] == written[1], "the cache changes what is written"
    return rows


def main() -> None:
    """Measure, print, and with all seeds write the file."""
    options = parser(__doc__, SEEDS).parse_args()
    from dlcourse.models.transformer_runs import MEASURED

    rows = [row for positions in ("learned", "rotary") for row in time_steps(positions, ROUNDS)]
    rows += [row for T in CONTEXTS for row in time_writing(T)]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        rows = sorted(pool.map(run, jobs(options.seeds)), key=lambda row: row[:4]) + rows
    print(table(rows))
    if options.seeds < SEEDS:
        return
    write(MEASURED, "transformers.py", "task;model;setting", rows)


if __name__ == "__main__":
    settings = THREADS | KEEP_MEMORY
    if all(os.environ.get(name) == value for name, value in settings.items()):
        main()
    else:
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | settings).returncode)
