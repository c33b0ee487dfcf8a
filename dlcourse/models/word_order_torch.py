"""Does attention know the order of words? A task of which nothing but the order is the answer, and longer texts than trained.

Attention sums over what it looks at, so without positions a sentence is a bag of words (Vaswani et al. 2017, section 3.5).
A causal mask changes that: how many words one can see is a position of a kind (Haviv et al. 2022).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.bars import progress_bar
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.models.gpt_config import GPTConfig, Positions
from dlcourse.models.gpt_torch import GPT

__all__ = ["ANIMALS", "BITES", "bits_by_place", "learn_who_bites", "who_bites_whom"]

ANIMALS = ("ant", "bat", "bear", "cat", "crow", "dog", "eel", "fox", "goat", "hare", "hen", "man")
BITES = len(ANIMALS)  # the number of the verb; the animals are 0 to 11
PADDED = 7  # words of a sentence

Ints = NDArray[np.int64]


def who_bites_whom(n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Sentences such as "dog bites man", among fillers, and the one who bites.

    Every sentence is there beside its twin, which has the same words, and the two animals exchanged. So whoever does not
    know the order is right in one of the two: the share is 1/2, whatever they do.

    Parameters
    ----------
    n : number of sequences N, even
    rng : source of the draws

    Returns
    -------
    ids : (N, 7) integers: two animals, a verb between them, maybe fillers before, and at least one behind
    biter : (N,) the number of the animal before the verb

    Raises
    ------
    ValueError
        If n is odd or below 2.
    """
    if n < 2 or n % 2:
        raise ValueError(f"who_bites_whom: n={n}; sentences come in twins, so give an even number of at least 2")
    half = n // 2
    pair = rng.permuted(np.tile(np.arange(BITES), (half, 1)), axis=1)[:, :2]
    first = rng.integers(0, PADDED - 3, half)[:, None]  # never last: the word that answers must not be an animal itself
    ids = np.full((n, PADDED), BITES + 1)
    twins = np.concatenate([pair, pair[:, ::-1]])
    place: Ints = np.tile(first, (2, 1))
    np.put_along_axis(ids, place + np.array([0, 2]), twins, 1)
    np.put_along_axis(ids, place + 1, BITES, 1)
    return ids, twins[:, 0]


def learn_who_bites(
    positions: Positions,
    *,
    seed: int = 0,
    causal: bool = False,
    steps: int = 300,
    batch: int = 64,
    progress: bool = False,
) -> float:
    """Train a small GPT to name the one who bites, at the last word, and say how often it is right in new sentences.

    Two layers, E = 32, h = 2; AdamW at 3e-3 with 30 steps of warm-up, new sentences in each step.

    Parameters
    ----------
    positions : "learned", "sinusoidal", "rotary" or "none"
    seed : of weights and sentences
    causal : whether each word sees only those before it; False is an encoder
    steps, batch : updates, and sentences N in each
    progress : whether to show a bar

    Returns
    -------
    The share that is right; 1/2 for whoever does not know the order.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = GPTConfig(BITES + 2, PADDED, width=32, heads=2, layers=2, positions=positions, causal=causal)
        model = GPT(config)
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    with progress_bar(progress, total=steps, desc=f"positions: {positions}", unit="step") as bar:
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 30)
            ids, biter = map(torch.from_numpy, who_bites_whom(batch, rng))
            loss = F.cross_entropy(model(ids)[:, -1], biter)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            bar.update()
    ids, biter = map(torch.from_numpy, who_bites_whom(1000, rng))
    with torch.no_grad():
        return float((model.eval()(ids)[:, -1].argmax(-1) == biter).double().mean())


@torch.no_grad()
def bits_by_place(model: GPT, tokenizer: Tokenizer, text: str, length: int) -> NDArray[np.float64]:
    """Bits per symbol at each place of windows of a text, which may be longer than the windows that a model was trained on.

    Parameters
    ----------
    model : with learned positions it cannot read more than its context
    tokenizer : the one that it was trained with
    text : to measure on, in windows side by side
    length : symbols T that are read

    Returns
    -------
    (T,) : the mean over the windows of -log2 p(next symbol), after 1, 2, … T symbols

    Raises
    ------
    ValueError
        If the text is shorter than a window and the symbol after it, or the model cannot read so much.
    """
    ids = torch.from_numpy(tokenizer.encode(text))
    windows = (len(ids) - 1) // length
    if windows < 1:
        raise ValueError(f"bits_by_place: a text of {len(ids)} symbols; length={length} needs at least {length + 1}")
    read, target = (ids[start : start + windows * length].view(windows, length) for start in (0, 1))
    device = model.token.weight.device
    losses = [
        F.cross_entropy(model(x.to(device)).mT, y.to(device), reduction="none").double().cpu()
        for x, y in zip(torch.split(read, 16), torch.split(target, 16), strict=True)
    ]
    bits: NDArray[np.float64] = torch.cat(losses).mean(0).numpy() / np.log(2)
    return bits
