"""What the heads of a trained GPT look at, and a small GPT in which a head learns to look where a sequence was before.

A pattern is a rule that says, for some places of a text, which earlier places a head of that kind would look at. A head's
score is the share of its attention that goes there, to be compared with the share that it would have if it spread its
attention evenly. The induction head is the one of Olsson et al. (2022): in a random sequence that is repeated, it looks at
what came *after* the last occurrence of the word that it reads, which takes two layers that work together.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.models.gpt_config import GPTConfig
from dlcourse.models.gpt_torch import GPT, attention_maps

__all__ = [
    "INDUCTION", "PATTERNS", "Head", "HeadScores", "copying_accuracy", "head_scores", "induction_scores", "repeats",
    "train_on_repeats",
]  # fmt: skip

PATTERNS = ("previous token", "first token", "line start", "indentation above")  # of text
INDUCTION = "induction"  # of repeated random sequences
SYMBOLS = 24  # of the random sequences that train_on_repeats makes
PERIODS = (SYMBOLS // 2, SYMBOLS)  # the shortest and the longest round in them

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Head(NamedTuple):
    """A head, and how much of a pattern it shows.

    Attributes
    ----------
    layer, head : both count from 0
    score : share of attention, between 0 and 1
    """

    layer: int
    head: int
    score: float


@dataclass(frozen=True)
class HeadScores:
    """How much of each pattern each head shows.

    Attributes
    ----------
    scores : for each pattern, (layers, h): the mean share of a head's attention that goes where the pattern says
    chance : for each pattern, that share for a head that spreads its attention evenly over all it may look at
    """

    scores: dict[str, Floats]
    chance: dict[str, float]

    def best(self, pattern: str) -> Head:
        """The head with the highest score.

        Raises
        ------
        ValueError
            If the pattern was not measured, or the text has no place where it could show.
        """
        if pattern not in self.scores:
            raise ValueError(f"best: pattern={pattern!r}; choose {', '.join(map(repr, self.scores))}")
        found = self.scores[pattern]
        if np.isnan(found).any():
            raise ValueError(f"best: the text has no place where {pattern!r} could show; give a longer one")
        layer, head = np.unravel_index(found.argmax(), found.shape)
        return Head(int(layer), int(head), float(found.max()))


# ---- patterns in a text


def head_scores(model: GPT, tokenizer: Tokenizer, text: str, *, windows: int = 48, seed: int = 0) -> HeadScores:
    """What each head looks at in a text, and in repeated random sequences of its symbols.

    The places t of a window, the later one that looks, and the earlier ones s that a pattern means:

    - "previous token": all t but the first; s = t - 1.
    - "first token": all t but the first; s = 0, whatever stands there.
    - "line start": t at least two after the last line break of the window; s is that line break, whose symbol may hold
      the indentation behind it. (One after it, this would be the previous token.)
    - "indentation above": t before a line break, where the next line's indentation has to be foreseen; s is any earlier
      line break of the window but its first place.
    - "induction": see :func:`induction_scores`.

    Parameters
    ----------
    model : trained on text
    tokenizer : which the model was trained with
    text : at least three symbols; pieces as long as the model's context are taken from all over it
    windows : how many pieces at most, N
    seed : of the random sequences

    Raises
    ------
    ValueError
        If the text is shorter than three symbols, or the model's vocabulary is not the tokenizer's.
    """
    if len(tokenizer) != model.config.vocabulary:
        raise ValueError(f"head_scores: the tokenizer has {len(tokenizer)} symbols, the model {model.config.vocabulary}; "
                         "give the one that it was trained with")  # fmt: skip
    ids = tokenizer.encode(text)
    if len(ids) < 3:
        raise ValueError(f"head_scores: a text of {len(ids)} symbols; at least 3 are needed, better hundreds")
    T = min(model.config.context, len(ids) - 1)
    starts = np.unique(np.linspace(0, len(ids) - T - 1, max(1, min(windows, len(ids) // T))).astype(int))
    pieces = ids[starts[:, None] + np.arange(T + 1)]  # (N, T + 1)
    breaks = np.array([symbol.startswith("\n") for symbol in tokenizer.vocabulary])[pieces]
    maps = _maps(model, pieces[:, :-1])
    found = {name: _score(maps, *place) for name, place in _patterns(breaks).items()}
    found[INDUCTION] = _induction(model, model.config.context, min(windows, 32), seed)
    return HeadScores(
        {name: score for name, (score, _) in found.items()}, {name: even for name, (_, even) in found.items()}
    )


def _patterns(breaks: NDArray[np.bool_]) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which symbols of the pieces are line breaks (N, T + 1) -> for each pattern, t (N, T) and s (N, T, T)."""
    N, T = breaks.shape[0], breaks.shape[1] - 1
    t, s = np.arange(T)[:, None], np.arange(T)
    now, then = breaks[:, :-1], breaks[:, 1:]
    later = np.broadcast_to(t[:, 0] > 0, (N, T))
    last = np.maximum.accumulate(np.where(now, s, -1), axis=1)  # (N, T), the last line break up to t, or -1
    above = now[:, None] & (s < t) & (s > 0)  # (N, T, T)
    return dict(zip(PATTERNS, [
        (later, np.broadcast_to(s == t - 1, (N, T, T))),
        (later, np.broadcast_to(s == 0, (N, T, T))),
        ((last > 0) & (s - last >= 2), s == last[:, :, None]),
        (then & above.any(-1), above),
    ], strict=True))  # fmt: skip


def _maps(model: GPT, ids: Ints) -> Floats:
    """(N, T) -> (layers, N, h, T, T)."""
    maps = [attention_maps(model, part) for part in np.array_split(ids, -(-len(ids) // 16))]
    together: Floats = torch.cat(maps, 1).double().numpy()
    return together


def _score(maps: Floats, t: NDArray[np.bool_], s: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Attention (layers, N, h, T, T), places (N, T) and (N, T, T) -> (layers, h), and the share if spread evenly.

    Where a text has no such place, all are not-a-number.
    """
    if not t.any():
        return np.full((maps.shape[0], maps.shape[2]), np.nan), math.nan
    shares = (maps * s[:, None]).sum(-1)  # (layers, N, h, T)
    even = s.sum(-1) / np.arange(1, t.shape[1] + 1)  # (N, T)
    return shares.transpose(0, 2, 1, 3)[:, :, t].mean(-1), float(even[t].mean())


# ---- random sequences that are repeated


def repeats(
    n: int, length: int, period: int | tuple[int, int], symbols: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Random sequences that begin anew after a while: nothing tells what comes next but what stood there before.

    Parameters
    ----------
    n : number of sequences, N
    length : their length T
    period : how many symbols a round has, all different and in random order; a pair (least, most) draws that number for
        each sequence, so that no fixed distance can be learned
    symbols : V, from which they are drawn
    rng : source of the draws

    Returns
    -------
    ids : (N, T), numbers from 0 to V - 1
    periods : (N,)

    Raises
    ------
    ValueError
        If a period is below 1, above the number of symbols, or leaves nothing to be repeated.
    """
    least, most = (period, period) if isinstance(period, int) else period
    if not 1 <= least <= most <= symbols or most >= length:
        raise ValueError(f"repeats: length={length}, period={period}, symbols={symbols}; a period must be at least 1, below "
                         "the length and not above the number of symbols, and of two the smaller comes first")  # fmt: skip
    periods = rng.integers(least, most + 1, n)
    drawn = rng.permuted(np.tile(np.arange(symbols), (n, 1)), axis=1)
    return np.take_along_axis(drawn, np.arange(length) % periods[:, None], 1), periods


def induction_scores(model: GPT, *, length: int | None = None, sequences: int = 32, seed: int = 0) -> Floats:
    """For each head (layers, h), the share of attention that makes an induction head (Olsson et al. 2022).

    The sequences have ``length`` symbols of the model's vocabulary, in random order, and their second half repeats the
    first. At each place of the second half the present symbol is known from half a sequence ago; what is measured is the
    attention on the place after that one, where the symbol stands that comes next.

    Parameters
    ----------
    model : any GPT that reads from left to right
    length : T, rounded down to an even number; None is the model's context
    sequences : N
    seed : of the draws

    Raises
    ------
    ValueError
        If length is below 4 or above the model's context, or half of it above the vocabulary.
    """
    return _induction(model, model.config.context if length is None else length, sequences, seed)[0]


def _induction(model: GPT, length: int, sequences: int, seed: int) -> tuple[Floats, float]:
    if not 4 <= length <= model.config.context:
        raise ValueError(f"induction_scores: length={length}; give 4 to {model.config.context}, the model's context")
    half = length // 2
    ids, _ = repeats(sequences, 2 * half, half, model.config.vocabulary, np.random.default_rng(seed))
    place = np.arange(2 * half)
    t = np.broadcast_to(place >= half, ids.shape)
    s = np.broadcast_to(place == place[:, None] - half + 1, (*ids.shape, 2 * half))
    return _score(_maps(model, ids), t, s)


# ---- a GPT that learns nothing else


def train_on_repeats(
    *, layers: int = 2, seed: int = 0, steps: int = 300, lr: float = 2e-3, batch: int = 32, progress: bool = True
) -> GPT:
    """A small GPT that has read nothing but random sequences, each repeated with a period of its own, 12 to 24 symbols.

    In the first round nothing can be foreseen; from the second one on everything, by whoever finds where the present
    symbol stood before and copies what came after it. No batch comes twice. The loss counts the places from the second
    round on. AdamW with 50 steps of warm-up; the gradient's norm is clipped at 1. The matrices of the blocks begin three
    times as large as a GPT's usually do: with attention that is less even at first, a head is found sooner.

    Parameters
    ----------
    layers : blocks; an induction head needs two
    seed : of the starting weights and the sequences
    steps : updates
    lr : the learning rate after the warm-up
    batch : sequences N in a step
    progress : whether to show the bar; interrupt the training, and you get the model as far as it came

    Returns
    -------
    The model (V = 24, T = 48, E = 64, h = 4), in evaluation mode; its ``history`` has the loss of each step in nats per
    symbol, log 24 = 3.18 for whoever guesses.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GPT(GPTConfig(SYMBOLS, context=2 * SYMBOLS, width=64, heads=4, layers=layers))
    with torch.no_grad():
        for matrix in (each for each in model.blocks.parameters() if each.ndim == 2):
            matrix.mul_(3)
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr)
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 50)
            ids, known = _sequences(batch, rng)
            logits = model(ids[:, :-1])  # (N, T - 1, V)
            loss = F.cross_entropy(logits[known], ids[:, 1:][known])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            model.history.append(loss.item())
            bar.set_postfix_str(f"{np.mean(model.history[-20:]):.2f} nats per symbol", refresh=False)
            bar.update()
    return model.eval()


def _sequences(n: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences (N, T), and for each place but the last whether what comes next can be known (N, T - 1)."""
    ids, periods = repeats(n, 2 * SYMBOLS, PERIODS, SYMBOLS, rng)
    return torch.from_numpy(ids), torch.from_numpy(np.arange(2 * SYMBOLS - 1) >= periods[:, None])


@torch.no_grad()
def copying_accuracy(model: GPT, *, sequences: int = 200, seed: int = 1_000) -> float:
    """How often a model of :func:`train_on_repeats` foresees the next symbol from the second round on, in new sequences.

    Whoever guesses is right once in 24 times. A bit more is to be had without finding any place, by naming a symbol that
    has not come up again yet.

    Parameters
    ----------
    model : from :func:`train_on_repeats`
    sequences : how many, N
    seed : of the sequences
    """
    ids, known = _sequences(sequences, np.random.default_rng(seed))
    right = model(ids[:, :-1]).argmax(-1) == ids[:, 1:]
    return float(right[known].double().mean())
