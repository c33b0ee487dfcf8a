"""How long does a recurrent network remember? One run of the adding problem, and what many runs came to.

``benchmarks/recurrent_networks.py`` repeats the run over lengths and seeds, trains the language model three times, and
writes what came out into ``recurrent_runs.csv`` beside this file, where an installed course finds it too. Bits per
character were measured with the standard library of the Python named in that file's first line; other versions have
other text, and other bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlcourse import nn
from dlcourse.bars import progress_bar
from dlcourse.data.memory import adding_problem
from dlcourse.graph import no_grad
from dlcourse.models.runs import Run, read_runs
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.utils import clip_grad_norm_
from dlcourse.optim import Adam
from dlcourse.tensor import Tensor

__all__ = ["KINDS", "MEASURED", "SOLVED", "Adder", "Remembered", "Run", "learn_to_add", "measured"]

MEASURED = Path(__file__).parent / "recurrent_runs.csv"

Kind = Literal["RNN", "LSTM", "GRU"]
KINDS: tuple[Kind, ...] = ("RNN", "LSTM", "GRU")
SOLVED = 0.01  # mean squared error, 1/6 at the start: a sum is then off by a tenth


def measured() -> dict[tuple[str, str, int], list[Run]]:
    """What the script wrote: (task, model, length) -> its runs, one for each seed.

    The tasks are "bits per character" (of "unigram", "bigram", "6-gram", "LSTM"; their length is 0) and "adding problem"
    (of "RNN", "LSTM", "GRU").
    """
    return {(task, model, int(length)): runs for (task, model, length), runs in read_runs(MEASURED).items()}


class Adder(nn.Module):
    """A recurrent layer that reads the sequence, and a linear layer that answers from its last hidden state."""

    def __init__(self, kind: Kind, hidden: int, rng: np.random.Generator) -> None:
        if kind not in KINDS:
            raise ValueError(f"Adder: kind={kind!r}; choose {', '.join(map(repr, KINDS))}")
        self.layer = getattr(nn, kind)(2, hidden, batch_first=True, rng=rng)
        self.head = nn.Linear(hidden, 1, rng=rng)

    def forward(self, x: np.ndarray) -> Tensor:
        """(N, T, 2) -> (N,)."""
        h, _ = self.layer(x)
        answer: Tensor = self.head(h[:, -1]).reshape(-1)
        return answer


@dataclass(frozen=True)
class Remembered:
    """The end of a run.

    Attributes
    ----------
    error : mean squared error on 2000 new sequences; answering 1 always has 1/6
    losses : of each step, (steps,); every batch is new, so they are no training error either
    solved : whether the mean of the last 50 losses came below SOLVED, which ends the run
    """

    error: float
    losses: np.ndarray
    solved: bool


def learn_to_add(
    kind: Kind, length: int, seed: int, *, steps: int = 2000, hidden: int = 32, batch: int = 32, lr: float = 1e-2,
    progress: bool = False,
) -> Remembered:  # fmt: skip
    """Train a recurrent network on the adding problem until it is solved, or for ``steps`` updates.

    Adam, the gradient's norm clipped at 1, the same settings for all kinds and lengths.

    Parameters
    ----------
    kind : "RNN", "LSTM" or "GRU"
    length : steps T of a sequence
    seed : of weights and data
    steps : updates at most
    hidden, batch, lr : state size S, sequences in a batch N, learning rate
    progress : whether to show a bar
    """
    rng = np.random.default_rng(seed)
    model = Adder(kind, hidden, rng)
    optimizer = Adam(model.parameters(), lr=lr)
    losses: list[float] = []
    solved = False
    with progress_bar(progress, total=steps, desc=f"{kind}, {length} steps") as bar:
        while len(losses) < steps and not solved:
            x, y = adding_problem(batch, length, rng)
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
            solved = len(losses) >= 50 and float(np.mean(losses[-50:])) < SOLVED
            bar.update()
    x, y = adding_problem(2000, length, rng)
    with no_grad():
        error = float(np.mean((model(x).numpy() - y) ** 2))
    return Remembered(error, np.array(losses), solved)
