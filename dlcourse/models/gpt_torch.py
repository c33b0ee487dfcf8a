"""The twin of :mod:`dlcourse.models.gpt` in PyTorch, and what a language model is good for: train, measure, look, write."""

from __future__ import annotations

import io
import math
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.text import Corpus
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.files import replace
from dlcourse.models.gpt_config import GPTConfig, check_ids, pair_turn, rotations, sinusoids, starting_spread
from dlcourse.models.text_windows_torch import Record, Windows
from dlcourse.models.training_torch import rise_and_fall
from dlcourse.train import fit
from dlcourse.train.engine_torch import choose_device

__all__ = [
    "GPT", "Block", "CausalSelfAttention", "GPTConfig", "KeyValueCache", "attention_maps", "bits_per_character",
    "generate", "load", "save", "train_gpt",
]  # fmt: skip


class KeyValueCache:
    """What the layers have computed of the text so far: with it, each further position costs one position's work.

    Attributes
    ----------
    keys, values : a (N, h, T, d) for each layer, empty before anything is read
    """

    def __init__(self) -> None:
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []

    def length(self, layer: int = 0) -> int:
        """The number of positions T that it holds of a layer; between two readings, the same for all."""
        return self.keys[layer].shape[2] if layer < len(self.keys) else 0

    def extend(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put new positions (N, h, t, d) behind a layer's; returns all of that layer's, (N, h, T + t, d)."""
        if layer == len(self.keys):
            self.keys.append(keys)
            self.values.append(values)
        else:
            self.keys[layer] = torch.cat([self.keys[layer], keys], dim=2)
            self.values[layer] = torch.cat([self.values[layer], values], dim=2)
        return self.keys[layer], self.values[layer]


class CausalSelfAttention(nn.Module):
    """Each position attends to itself and to earlier ones (to all with ``causal=False``), h times side by side.

    Attributes
    ----------
    qkv : Linear(E, 3E), queries, keys and values one below the other, each split into heads
    out : Linear(E, E)
    """

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def project(self, x: torch.Tensor, start: int = 0) -> list[torch.Tensor]:
        """Queries, keys and values, (N, h, T, d) each, of x (N, T, E) whose first position is number ``start``."""
        N, T, E = x.shape
        q, k, v = [part.reshape(N, T, self.config.heads, -1).swapaxes(1, 2) for part in self.qkv(x).split(E, -1)]
        if self.config.positions == "rotary":
            q, k = _turned(q, start), _turned(k, start)
        return [q, k, v]

    def forward(self, x: torch.Tensor, cache: KeyValueCache | None = None) -> torch.Tensor:
        """(N, T, E) -> (N, T, E); with a cache, x comes after what it holds, and is added to it."""
        N, T, E = x.shape
        start = 0 if cache is None else cache.length(self.layer)
        q, k, v = self.project(x, start)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        mask = torch.ones(T, start + T, dtype=torch.bool, device=x.device).tril(start) if start and T > 1 else None
        mixed = F.scaled_dot_product_attention(q, k, v, mask, is_causal=self.config.causal and not start)
        output: torch.Tensor = self.out(mixed.swapaxes(1, 2).reshape(N, T, E))
        return output

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """The softmax's output (N, h, T, T), row t for the position that attends, of x (N, T, E)."""
        q, k, _ = self.project(x)
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(self.config.head_width)
        if self.config.causal:
            allowed = torch.ones(scores.shape[2:], dtype=torch.bool, device=x.device).tril()
            scores = scores.masked_fill(~allowed, -math.inf)
        return scores.softmax(-1)


def _turned(x: torch.Tensor, start: int) -> torch.Tensor:
    """Rotary positions (Su et al. 2021, equation 34): each pair of (N, h, T, d) turned by its position's angles."""
    cosines, sines = (torch.from_numpy(table).to(x) for table in rotations(start, *x.shape[2:]))  # (T, d)
    return x * cosines + (x @ torch.from_numpy(pair_turn(x.shape[3])).to(x)) * sines


class Block(nn.Module):
    """Attention, then a small network at each position; what they give is added to what came in.

    Attributes
    ----------
    norm_1, attention : before the attention (``norm="post"``: after its sum), and the attention
    norm_2, mlp : the same for E -> 4E -> E with ReLU
    """

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        E = config.width
        self.pre = config.norm == "pre"
        self.norm_1 = nn.LayerNorm(E)
        self.attention = CausalSelfAttention(config, layer)
        self.norm_2 = nn.LayerNorm(E)
        self.mlp = nn.Sequential(nn.Linear(E, 4 * E), nn.ReLU(), nn.Linear(4 * E, E))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: torch.Tensor, cache: KeyValueCache | None = None) -> torch.Tensor:
        """(N, T, E) -> (N, T, E)."""
        if self.pre:
            x = x + self.dropout(self.attention(self.norm_1(x), cache))
            x = x + self.dropout(self.mlp(self.norm_2(x)))
        else:
            x = self.norm_1(x + self.dropout(self.attention(x, cache)))
            x = self.norm_2(x + self.dropout(self.mlp(x)))
        return x


class GPT(nn.Module):
    """Reads symbols, and at each position says what the next may be.

    Parameters
    ----------
    config : sizes and choices; the starting weights come from PyTorch's global generator

    Attributes
    ----------
    token : Embedding(V, E), whose weight is the output layer's too
    position : Embedding(context, E); only with learned positions
    blocks : the layers
    history : bits per character of each training step so far
    norm : before the output; with ``norm="post"``, where every block ends with one, none
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.history: list[float] = []
        self.token = nn.Embedding(config.vocabulary, config.width)
        if config.positions == "learned":
            self.position = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList([Block(config, layer) for layer in range(config.layers)])
        self.norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        for name, parameter in self.named_parameters():
            if name.endswith("weight") and parameter.ndim == 2:
                nn.init.normal_(parameter, std=starting_spread(config, name))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: torch.Tensor, cache: KeyValueCache | None = None) -> torch.Tensor:
        """Symbols (N, T) -> logits of the following ones (N, T, V).

        With a cache, the symbols come after those that it holds, and are added to it: reading a text in pieces gives
        what reading it at once gives.

        Raises
        ------
        ValueError
            If the shape is another, or there are more positions than were learned.
        """
        start = 0 if cache is None else cache.length()
        T = check_ids(self.config, ids.shape, start)
        x = self.token(ids)  # (N, T, E)
        if self.config.positions == "learned":
            x = x + self.position(torch.arange(start, start + T, device=ids.device))
        elif self.config.positions == "sinusoidal":
            x = x * math.sqrt(self.config.width) + torch.from_numpy(sinusoids(start, T, self.config.width)).to(x)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, cache)
        return F.linear(self.norm(x), self.token.weight)


# ---- training


def train_gpt(
    corpus: Corpus | str,
    tokenizer: Tokenizer,
    *,
    seed: int = 0,
    steps: int = 1200,
    batch: int = 8,
    lr: float = 3e-3,
    config: GPTConfig | None = None,
    device: str | None = None,
    progress: bool = True,
    warm_up: int = 60,
) -> GPT:
    """A GPT that has read windows of a text: in each pass over it all windows of ``context`` symbols, in random order.

    AdamW; the learning rate rises for ``warm_up`` steps and falls along a cosine to a fiftieth of ``lr``; the gradient's
    norm is clipped at 1. With the standard library in 500 merges, 1605 steps read the text once. The steps are taken by
    :func:`dlcourse.train.fit`: under ``torchrun``, the processes share each batch, and ``history`` is about a process's
    own part of it.

    The bar shows bits per character. Interrupt it (Kernel, Interrupt), and you get the model as far as it came.

    Parameters
    ----------
    corpus : its ``train`` is read, its ``validation`` is not; or a text
    tokenizer : cuts the text into symbols
    seed : of the starting weights, the windows' order and the dropout
    steps : updates
    batch : windows N in a step
    lr : the largest learning rate
    config : sizes and choices; None is ``GPTConfig(len(tokenizer), positions="rotary")``
    device : "cpu", "cuda" or "mps", where the model stays; None is the GPU if there is one
    progress : whether to show the bar
    warm_up : steps in which the learning rate rises

    Returns
    -------
    The model, in evaluation mode; its ``history`` has the bits per character of each step.

    Raises
    ------
    ValueError
        If the text is shorter than ``batch`` windows, the configuration is for another vocabulary, or a number makes no
        sense.
    """
    text = corpus if isinstance(corpus, str) else corpus.train
    config = GPTConfig(len(tokenizer), positions="rotary") if config is None else config
    ids = torch.from_numpy(tokenizer.encode(text))
    _check_training(config, tokenizer, len(ids), steps, batch, warm_up)
    with torch.random.fork_rng():  # PyTorch's global generator draws weights and dropout; afterwards it is as it was
        torch.manual_seed(seed)
        model = GPT(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rise_and_fall(step, steps, warm_up))
        windows = Windows(ids, config.context, batch, steps, seed)
        shown = progress and os.environ.get("RANK", "0") == "0"
        with progress_bar(shown, total=steps, desc="training", unit="step") as bar, suppress(KeyboardInterrupt):
            fit(
                model, windows, _loss, optimizer, epochs=1, metrics={}, schedule=schedule, schedule_every="step",
                max_norm=1.0, device=device or "auto", callbacks=[Record(len(text) / len(ids), bar)], progress=False,
            )  # fmt: skip
    return model.eval()


def _loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean over the symbols of -ln p: (N, T, V), (N, T) -> ()."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def _check_training(
    config: GPTConfig, tokenizer: Tokenizer, symbols: int, steps: int, batch: int, warm_up: int
) -> None:
    if config.vocabulary != len(tokenizer):
        raise ValueError(f"train_gpt: config.vocabulary={config.vocabulary}, but the tokenizer has {len(tokenizer)} "
                         "symbols; use GPTConfig(len(tokenizer), …)")  # fmt: skip
    if not config.causal:
        raise ValueError("train_gpt: causal=False would let each position see the symbol that it has to predict")
    for name, value, least in (("steps", steps, 1), ("batch", batch, 1), ("warm_up", warm_up, 0)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"train_gpt: {name}={value}; give a whole number, {least} or more")
    needed = (batch + 1) * config.context + 1  # wherever the first window begins
    if symbols < needed:
        raise ValueError(f"train_gpt: a text of {symbols} symbols; batch={batch} windows of context={config.context} need "
                         f"{needed}: give a longer text, or a smaller batch or context")  # fmt: skip


# ---- measuring and looking


@torch.no_grad()
def bits_per_character(model: GPT, tokenizer: Tokenizer, text: str, batch: int = 32) -> float:
    """The cost of a text, in bits for each of its characters: Σ -log2 p(symbol | those before it) / characters.

    Windows overlap by half, and only the second half counts, except in the first: so each symbol has at least half a
    window before it, or all there is. The first symbol, which nothing stands before, costs log2 V. A text can be cut
    into symbols in many ways, and only one of them is counted, so this is a little more than the model's true cost.

    Parameters
    ----------
    model : which says what may come next
    tokenizer : the one that it was trained with
    text : characters, one or more
    batch : windows that are read at once

    Raises
    ------
    ValueError
        If the text is empty, the tokenizer another one's, or the model not causal.
    """
    if not text:
        raise ValueError("bits_per_character: an empty text; give at least one character")
    _check_pair("bits_per_character", model, tokenizer)
    device, T = model.token.weight.device, model.config.context
    ids = torch.from_numpy(tokenizer.encode(text))
    targets = len(ids) - 1
    stride = max(1, T // 2)
    starts = torch.arange(0, max(1, targets - T + stride), stride)[:, None]  # (windows, 1)
    nats = math.log(len(tokenizer))
    for some in torch.split(starts, batch) if targets else ():
        places = some + torch.arange(T)
        read = places.clamp(max=targets - 1)
        logits = model(ids[read].to(device)).flatten(0, 1)
        loss = F.cross_entropy(logits, ids[read + 1].to(device).flatten(), reduction="none").cpu().view_as(places)
        counts = (places < targets) & ((places >= some + T - stride) | (some == 0))
        nats += loss[counts].double().sum().item()
    return nats / math.log(2) / len(text)


@torch.no_grad()
def attention_maps(model: GPT, ids: torch.Tensor | NDArray[np.int64]) -> torch.Tensor:
    """Where each position looks: ids (N, T) -> (layers, N, h, T, T), the weights with which t (first) attends to s (last).

    On the CPU. Computed as ``softmax(Q Kᵀ / √d)`` from what each layer is given when the model reads the text.
    """
    maps: list[torch.Tensor] = []

    def look(attention: Any, inputs: tuple[Any, ...]) -> None:
        maps.append(attention.weights(inputs[0]).cpu())

    blocks: Any = model.blocks
    hooks = [block.attention.register_forward_pre_hook(look) for block in blocks]
    try:
        model(torch.as_tensor(ids, device=model.token.weight.device))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(maps)


# ---- writing


@torch.no_grad()
def generate(
    model: GPT, tokenizer: Tokenizer, prefix: str, length: int, temperature: float = 1.0,
    rng: np.random.Generator | None = None, use_cache: bool = True,
) -> str:  # fmt: skip
    """``prefix`` and ``length`` further symbols, each drawn from softmax(logits / temperature).

    When the model's context is full, it goes on from the last half of it.

    Parameters
    ----------
    model : which says what may come next
    tokenizer : the one that it was trained with
    prefix : what stands there already, at least one character
    length : how many symbols to write
    temperature : 1 takes the model at its word; below, likely symbols become more likely, above, less
    rng : source of the draws; None is a fresh one
    use_cache : keep keys and values; False computes all of the context anew for each symbol, for the same text

    Raises
    ------
    ValueError
        If the prefix is empty, the temperature not above 0, or the tokenizer another one's.
    """
    if not prefix:
        raise ValueError("generate: an empty prefix; give at least one character to begin with, such as a newline")
    if length < 0:
        raise ValueError(f"generate: length={length}; give the number of symbols to write, 0 or more")
    if not temperature > 0:
        raise ValueError(f"generate: temperature={temperature}; it must be above 0, and near 0 the likeliest symbol is "
                         "always taken")  # fmt: skip
    _check_pair("generate", model, tokenizer)
    rng = np.random.default_rng(rng)
    device, T = model.token.weight.device, model.config.context
    ids = tokenizer.encode(prefix).tolist()
    start, cache, unread = max(0, len(ids) - T), KeyValueCache(), ids[-T:]
    for _ in range(length):
        if len(ids) - start > T:
            start = len(ids) - max(1, T // 2)
            cache, unread = KeyValueCache(), ids[start:]
        read = unread if use_cache else ids[start:]
        logits = model(torch.tensor([read], device=device), cache if use_cache else None)
        p = (logits[0, -1].double().cpu() / temperature).softmax(0).numpy()  # float64: sums to 1 as NumPy demands
        unread = [int(rng.choice(len(p), p=p))]
        ids += unread
    return prefix + tokenizer.decode(ids[len(ids) - length :])


def _check_pair(name: str, model: GPT, tokenizer: Tokenizer) -> None:
    if model.config.vocabulary != len(tokenizer):
        raise ValueError(f"{name}: the model knows {model.config.vocabulary} symbols, the tokenizer has {len(tokenizer)}; "
                         "give the tokenizer that it was trained with")  # fmt: skip
    if not model.config.causal:
        raise ValueError(f"{name}: the model has causal=False and has seen what it should predict; train a causal one")


# ---- keeping


def save(model: GPT, path: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> None:
    """Write configuration, weights, history and, if given, the tokenizer into one file, for :func:`load` on any machine."""
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    words = None if tokenizer is None else tokenizer.to_dict()
    kept = {"config": asdict(model.config), "weights": weights, "history": model.history, "tokenizer": words}
    content = io.BytesIO()
    torch.save(kept, content)
    target = Path(path)
    replace(target, content.getvalue(), target.with_name(f".{target.name}.part"))


def load(path: str | os.PathLike[str], device: str | None = "cpu") -> tuple[GPT, Tokenizer | None]:
    """The model, in evaluation mode, and the tokenizer if one was saved. The file can hold numbers and text, not programs.

    Parameters
    ----------
    path : a file that :func:`save` wrote
    device : "cpu", "cuda" or "mps"; None is the GPU if there is one

    Raises
    ------
    ValueError
        If the file holds something else, or there is no such device here.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        with torch.random.fork_rng(devices=[]):
            model = GPT(GPTConfig(**content["config"]))
        model.load_state_dict(content["weights"])
        model.history = list(content["history"])
        words = content["tokenizer"]
        tokenizer = None if words is None else Tokenizer.from_dict(words)
    except OSError:
        raise
    except Exception as problem:  # an unreadable file makes torch.load raise almost anything
        why = "it holds more than numbers and text" if isinstance(problem, UnpicklingError) else repr(problem)
        raise ValueError(f"load: {os.fspath(path)} is no GPT's file ({why}); save(model, path) writes them") from None
    return model.to(choose_device(device or "auto")).eval(), tokenizer
