"""The twin of :mod:`dlcourse.models.char_lstm` in PyTorch, and what a language model is good for: train, measure, write."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.text import CHARACTERS, Corpus, decode, encode
from dlcourse.models.training_torch import rise_and_fall

__all__ = ["CharLSTM", "bits_per_character", "generate", "next_probabilities", "train_language_model"]

WARM_UP = 100  # characters read before a piece of text is measured

Floats = NDArray[np.float64]
State = tuple[torch.Tensor, torch.Tensor]


class CharLSTM(nn.Module):
    """Reads characters, and after each one says what the next may be.

    Parameters
    ----------
    vocabulary : the alphabet, V characters
    embedding : width E of the vector that stands for a character
    hidden : width S of the state

    Attributes
    ----------
    history : bits per character of each training step so far
    """

    def __init__(self, vocabulary: str = CHARACTERS, embedding: int = 64, hidden: int = 256) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.history: list[float] = []
        self.embedding = nn.Embedding(len(vocabulary), embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(vocabulary))

    def forward(self, ids: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Characters (N, T), and the state (h, c), each (1, N, S) -> the next ones' logits (N, T, V), and the last state.

        A state of None is zeros: nothing read yet.
        """
        h, state = self.lstm(self.embedding(ids), state)
        return self.head(h), state


def train_language_model(
    corpus: Corpus,
    *,
    seed: int = 0,
    steps: int = 2000,
    embedding: int = 64,
    hidden: int = 256,
    length: int = 32,
    batch: int = 32,
    lr: float = 6e-3,
    progress: bool = True,
) -> CharLSTM:
    """An LSTM that has read a text in ``batch`` places side by side, ``length`` characters of each in a step.

    The state goes on from step to step, the gradient does not: truncated backpropagation through time (Williams & Peng
    1990). AdamW, with 50 steps of warm-up and then a cosine down to a fiftieth of ``lr``; the gradient's norm is clipped
    at 1. With the standard library, 2095 steps read the text once; a stream at its end goes on at the beginning.

    The bar shows bits per character. Interrupt it (Kernel, Interrupt), and you get the model as far as it came.

    Parameters
    ----------
    corpus : its ``train`` is read, its ``validation`` is not
    seed : of the starting weights, and of the place where the first stream begins
    steps : updates
    embedding, hidden : widths E and S
    length, batch : characters T that the gradient goes back, and streams N
    lr : the largest learning rate
    progress : whether to show the bar

    Returns
    -------
    The model, in evaluation mode; its ``history`` has the bits per character of each step.

    Raises
    ------
    ValueError
        If a stream would be shorter than ``length``.
    """
    ids = torch.from_numpy(encode(corpus.train, corpus.characters))
    if len(ids) // batch <= length:
        raise ValueError(
            f"train_language_model: {len(ids)} characters in batch={batch} streams are {len(ids) // batch} each, and "
            f"length={length} of them are read at once; give a longer text, or a smaller batch or length"
        )
    first = int(np.random.default_rng(seed).integers(len(ids)))
    streams = first + torch.arange(batch)[:, None] * (len(ids) // batch)  # (N, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CharLSTM(corpus.characters, embedding, hidden)
    optimizer, state = torch.optim.AdamW(model.parameters(), lr), None
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = lr * rise_and_fall(step, steps, warm_up=50)
            places = streams + step * length + torch.arange(length + 1)
            chunk = ids[places % len(ids)]  # (N, T + 1)
            logits, state = model(chunk[:, :-1], state)
            state = (state[0].detach(), state[1].detach())
            loss = F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            model.history.append(loss.item() / math.log(2))
            bar.set_postfix_str(f"{np.mean(model.history[-50:]):.2f} bits per character", refresh=False)
            bar.update()  # which draws the bar ten times a second at most
    return model.eval()


@torch.no_grad()
def bits_per_character(model: CharLSTM, text: str, streams: int = 64) -> float:
    """The mean of -log2 p(character | all before it), over all characters but the first.

    To be quick, the text is read in pieces side by side. Each begins with the 100 characters before it, which are read
    and not counted, so that the state is not empty where a piece begins.

    Parameters
    ----------
    model : which says what may come next
    text : T characters, at least 2
    streams : number of pieces, N; fewer if the text is short

    Raises
    ------
    ValueError
        If the text has fewer than 2 characters.
    """
    if len(text) < 2:
        raise ValueError(f"bits_per_character: a text of {len(text)} characters; at least 2 are needed, one to predict")
    ids = torch.from_numpy(encode(text, model.vocabulary))
    targets = len(ids) - 1
    piece = -(-targets // max(1, min(streams, targets // WARM_UP)))  # at least WARM_UP long
    starts = torch.arange(0, targets, piece)[:, None]  # (N, 1)
    _, (h, c) = model(ids[(starts + torch.arange(-WARM_UP, 0)).clamp(0)])
    h[:, 0], c[:, 0] = 0, 0  # nothing stands before the first piece
    state, nats = (h, c), 0.0
    for offsets in torch.split(torch.arange(piece), 256):
        places = starts + offsets
        read = places.clamp(max=targets - 1)
        logits, state = model(ids[read], state)
        loss = F.cross_entropy(logits.flatten(0, 1), ids[read + 1].flatten(), reduction="none").view_as(places)
        nats += loss[places < targets].double().sum().item()
    return nats / targets / math.log(2)


@torch.no_grad()
def next_probabilities(model: CharLSTM, text: str, temperature: float = 1.0) -> Floats:
    """The distribution of the character after ``text``, (V,): softmax(logits / temperature).

    Raises
    ------
    ValueError
        If the text is empty, or the temperature not above 0.
    """
    _check("next_probabilities", text, temperature)
    logits, _ = model(torch.from_numpy(encode(text, model.vocabulary))[None])
    return _distribution(logits, temperature)


@torch.no_grad()
def generate(
    model: CharLSTM, prefix: str, length: int, temperature: float = 1.0, rng: np.random.Generator | None = None
) -> str:
    """``prefix`` and ``length`` further characters, each drawn from softmax(logits / temperature).

    Parameters
    ----------
    model : which says what may come next
    prefix : what stands there already, at least one character
    length : how many characters to write
    temperature : 1 takes the model at its word; below, likely characters become more likely, above, less
    rng : source of the draws; None is a fresh one

    Raises
    ------
    ValueError
        If the prefix is empty, or the temperature not above 0.
    """
    _check("generate", prefix, temperature)
    rng = np.random.default_rng(rng)
    ids = encode(prefix, model.vocabulary).tolist()
    read, state = ids, None
    for _ in range(length):
        logits, state = model(torch.tensor([read]), state)
        p = _distribution(logits, temperature)
        read = [int(rng.choice(len(p), p=p))]
        ids += read
    return decode(ids, model.vocabulary)


def _distribution(logits: torch.Tensor, temperature: float) -> Floats:
    """After the last of the T characters of one text: (1, T, V) -> (V,). Float64, so that it sums to 1 as NumPy demands."""
    p: Floats = (logits[0, -1].double() / temperature).softmax(0).numpy()
    return p


def _check(name: str, text: str, temperature: float) -> None:
    if not text:
        raise ValueError(f"{name}: an empty text; give at least one character to begin with, such as a newline")
    if not temperature > 0:
        raise ValueError(
            f"{name}: temperature={temperature}; it must be above 0, and near 0 the likeliest character is always taken"
        )
