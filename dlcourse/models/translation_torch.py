"""An encoder-decoder Transformer that translates: one stack reads the whole sentence, the other writes, word by word.

The writer has two kinds of attention in each block: one over what it has written so far, which no later word may enter,
and one over all that was read. The second says which words a word was made from. Vaswani et al. (2017), section 3, with
the norm before each sublayer (Xiong et al. 2020) instead of after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.numerals import COUNTERPARTS, Pair, join_words, split_words
from dlcourse.models.gpt_config import sinusoids
from dlcourse.models.training_torch import rise_and_fall

__all__ = [
    "END", "Attention", "DecoderBlock", "EncoderBlock", "Translator", "alignment", "cross_attention", "exact",
    "train_translator", "translate",
]  # fmt: skip

PADDING, START, END = "<pad>", "<start>", "<end>"
SPECIAL = (PADDING, START, END)  # the first three words of both vocabularies: 0, 1 and 2
LONGEST = 40  # words that a translation may have

Floats = NDArray[np.float32]


class Attention(nn.Module):
    """Heads that ask with ``x`` and look things up in ``memory``, which may be ``x`` itself.

    Parameters
    ----------
    width : E, a multiple of heads
    heads : h, each of width d = E / h
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x (N, T, E), memory (N, S, E), mask True = may attend -> output (N, T, E), weights (N, h, T, S)."""
        q, k, v = self._split(self.query(x)), self._split(self.key(memory)), self._split(self.value(memory))
        scores = q @ k.mT / math.sqrt(q.shape[-1])  # (N, h, T, S)
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        weights = scores.softmax(-1)
        merged = (weights @ v).transpose(1, 2).flatten(2)  # (N, T, E)
        out: torch.Tensor = self.out(merged)
        return out, weights

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """(N, T, E) -> (N, h, T, d)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))


class EncoderBlock(nn.Module):
    """Every word looks at every other one, and then thinks for itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.mlp = _mlp(width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(N, S, E), mask (N, 1, 1, S) -> (N, S, E)."""
        h = self.norm_1(x)
        x = x + self.attention(h, h, mask)[0]
        x = x + self.mlp(self.norm_2(x))
        return x


class DecoderBlock(nn.Module):
    """Every word looks at what was written before it, then at what was read, and then thinks for itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.cross_attention = Attention(width, heads)
        self.norm_3 = nn.LayerNorm(width)
        self.mlp = _mlp(width)

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor, causal: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x (N, T, E), memory (N, S, E), masks (T, T) and (N, 1, 1, S) -> (N, T, E), and weights (N, h, T, S)."""
        h = self.norm_1(x)
        x = x + self.attention(h, h, causal)[0]
        read, weights = self.cross_attention(self.norm_2(x), memory, mask)
        x = x + read
        x = x + self.mlp(self.norm_3(x))
        return x, weights


class Translator(nn.Module):
    """Reads words of one language and says, for each place of the translation, which word may come next.

    Parameters
    ----------
    source_words, target_words : the two vocabularies without the three special words, which are put before them
    width, heads, layers : E, h, and the number of blocks of each of the two stacks

    Attributes
    ----------
    history : loss of each training step so far, nats per word
    """

    def __init__(
        self, source_words: Sequence[str], target_words: Sequence[str], width: int = 64, heads: int = 2, layers: int = 2
    ) -> None:
        super().__init__()
        if heads < 1 or width % (2 * heads):
            raise ValueError(
                f"Translator: width={width}, heads={heads}; the width must be a multiple of twice the heads"
            )
        self.source_words = (*SPECIAL, *source_words)
        self.target_words = (*SPECIAL, *target_words)
        self.history: list[float] = []
        self.source = nn.Embedding(len(self.source_words), width)
        self.target = nn.Embedding(len(self.target_words), width)
        self.encoder = nn.ModuleList(EncoderBlock(width, heads) for _ in range(layers))
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(DecoderBlock(width, heads) for _ in range(layers))
        self.decoder_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(self.target_words))

    def encode(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read. Words (N, S) -> what is known of each (N, S, E), and which are words and not padding (N, 1, 1, S)."""
        mask = (ids != 0)[:, None, None]
        x = self.source(ids) + _positions(ids.shape[1], self.source.embedding_dim)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x), mask

    def decode(
        self, ids: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Write. Words so far (N, T) -> the next ones' logits (N, T, V), and each block's cross-attention (N, h, T, S)."""
        T = ids.shape[1]
        causal = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.target(ids) + _positions(T, self.target.embedding_dim)
        maps = []
        for block in self.decoder:
            x, weights = block(x, memory, causal, mask)
            maps.append(weights)
        return self.head(self.decoder_norm(x)), maps

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Words read (N, S) and words written so far (N, T) -> logits of the words after them (N, T, V)."""
        logits, _ = self.decode(target, *self.encode(source))
        return logits


def _positions(T: int, width: int) -> torch.Tensor:
    """Vaswani et al. (2017), section 3.5: (T, E)."""
    return torch.from_numpy(sinusoids(0, T, width))


# ---- words and numbers


def _numbers(text: str, words: Sequence[str], name: str) -> list[int]:
    """The text's words in a vocabulary, and END."""
    place = {word: number for number, word in enumerate(words)}
    unknown = [word for word in split_words(text) if word not in place]
    if unknown:
        raise ValueError(
            f"{name}: {unknown[0]!r} is none of the {len(words) - len(SPECIAL)} words that the model has learned; use "
            f"words such as {', '.join(map(repr, words[4:9]))}"
        )
    return [*(place[word] for word in split_words(text)), place[END]]


def _pad(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Rows of different lengths -> (N, T), filled up with 0."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


# ---- training


def train_translator(
    pairs: Sequence[Pair],
    *,
    seed: int = 0,
    steps: int = 600,
    width: int = 64,
    heads: int = 2,
    layers: int = 2,
    batch: int = 64,
    lr: float = 3e-3,
    progress: bool = True,
) -> Translator:
    """A Translator that has learned from pairs, given the right words so far at every place (teacher forcing).

    AdamW with weight decay .01; the rate climbs for a tenth of the steps and then falls along a cosine; the gradient's
    norm is clipped at 1. The bar shows the loss. Interrupt it (Kernel, Interrupt), and you get the model as far as it came.

    Parameters
    ----------
    pairs : (source, target); the vocabularies are their words
    seed : of the starting weights and of the draws
    steps : updates
    width, heads, layers : of the model
    batch : pairs N in a step, drawn with replacement
    lr : the largest learning rate
    progress : whether to show the bar

    Returns
    -------
    The model, in evaluation mode; its ``history`` has the loss of each step in nats per word.

    Raises
    ------
    ValueError
        If there are no pairs.
    """
    if not pairs:
        raise ValueError("train_translator: pairs is empty; give (source, target) texts, such as number_words()")
    read, written = (sorted({word for pair in pairs for word in split_words(pair[side])}) for side in (0, 1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Translator(read, written, width, heads, layers)
    source = _pad([_numbers(text, model.source_words, "train_translator") for text, _ in pairs])  # (pairs, S)
    target = _pad([[1, *_numbers(text, model.target_words, "train_translator")] for _, text in pairs])
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.01)
    with progress_bar(progress, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = lr * rise_and_fall(step, steps, warm_up=steps // 10, least=0.01)
            chosen = torch.from_numpy(rng.integers(len(pairs), size=batch))
            x, y = _trim(source[chosen]), _trim(target[chosen])
            logits = model(x, y[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), y[:, 1:].flatten(), ignore_index=0)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            model.history.append(loss.item())
            bar.set_postfix_str(f"{np.mean(model.history[-20:]):.3f} nats per word", refresh=False)
            bar.update()
    return model.eval()


def _trim(ids: torch.Tensor) -> torch.Tensor:
    """Without the columns in which all is padding: a batch is as wide as its longest sentence."""
    return ids[:, : int((ids != 0).sum(1).max())]


# ---- what it is good for


@overload
def translate(model: Translator, text: str) -> str: ...
@overload
def translate(model: Translator, text: list[str]) -> list[str]: ...
def translate(model: Translator, text: str | list[str]) -> str | list[str]:
    """The likeliest word at each place, one after the other, until the model ends the sentence.

    Parameters
    ----------
    model : from :func:`train_translator`
    text : one text, or a list of them, which is much quicker than one by one

    Returns
    -------
    The translation, or a list of them; at most 40 words each.

    Raises
    ------
    ValueError
        If a text is empty or has a word that the model has never seen.
    """
    texts = [text] if isinstance(text, str) else list(text)
    found = [
        join_words(words) for part in range(0, len(texts), 256) for words in _write(model, texts[part : part + 256])
    ]
    return found[0] if isinstance(text, str) else found


@torch.no_grad()
def _write(model: Translator, texts: Sequence[str]) -> list[list[str]]:
    if not all(split_words(text) for text in texts):
        raise ValueError("translate: an empty text; give at least one word, such as 'seven'")
    memory, mask = model.encode(_pad([_numbers(text, model.source_words, "translate") for text in texts]))
    ids = torch.ones(len(texts), 1, dtype=torch.long)
    while ids.shape[1] <= LONGEST and not bool((ids == 2).any(1).all()):
        logits, _ = model.decode(ids, memory, mask)
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], 1)
    rows = [row[1 : row.index(2) if 2 in row else None] for row in ids.tolist()]
    return [[model.target_words[number] for number in row] for row in rows]


@torch.no_grad()
def cross_attention(model: Translator, text: str) -> tuple[list[str], list[str], Floats]:
    """Where the writer looked while it wrote each word of a translation.

    Parameters
    ----------
    model : from :func:`train_translator`
    text : what is to be translated

    Returns
    -------
    source : the S words read, the last of them END
    produced : the T words written, the last of them END
    weights : (layers, h, T, S); row t belongs to the step that wrote word t, and sums to 1

    Raises
    ------
    ValueError
        If the text is empty or has a word that the model has never seen.
    """
    (produced,) = _write(model, [text])
    numbers = [model.target_words.index(word) for word in produced]
    memory, mask = model.encode(torch.tensor([_numbers(text, model.source_words, "cross_attention")]))
    _, maps = model.decode(torch.tensor([[1, *numbers]]), memory, mask)
    weights: Floats = torch.cat(maps).numpy()
    return [*split_words(text), END], [*produced, END], weights


def exact(model: Translator, pairs: Sequence[Pair]) -> float:
    """The share of pairs whose translation is right in every word.

    Raises
    ------
    ValueError
        If there are no pairs, or a text has a word that the model has never seen.
    """
    if not pairs:
        raise ValueError("exact: pairs is empty; give at least one (source, target)")
    found = translate(model, [source for source, _ in pairs])
    return float(
        np.mean([made == join_words(split_words(target)) for made, (_, target) in zip(found, pairs, strict=True)])
    )


def alignment(model: Translator, texts: Sequence[str]) -> float:
    """How often the writer looked most at the word that it was about to translate, on average over layers and heads.

    It is counted where the right place is beyond doubt: for the French words of ``COUNTERPARTS`` that stand in a
    translation once, if their English counterpart stands in the source once.

    Raises
    ------
    ValueError
        If no such word is in any translation.
    """
    hits = []
    for text in texts:
        source, produced, weights = cross_attention(model, text)
        looked = weights.mean((0, 1)).argmax(-1)  # (T,)
        for place, word in enumerate(produced):
            origin = COUNTERPARTS.get(word)
            if origin and produced.count(word) == source.count(origin) == 1:
                hits.append(looked[place] == source.index(origin))
    if not hits:
        raise ValueError(
            f"alignment: no word to judge by in {len(texts)} texts; give English numerals with a hundred or more"
        )
    return float(np.mean(hits))
