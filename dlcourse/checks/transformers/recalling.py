"""Associative recall: a network that is asked for what stood behind a key, a few symbols ago."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case
from dlcourse.drivers.attention import BUDGET, KEYS, RECALLS, STOPS_ALONE, Recalling, new_sequences, recall_sequences

Array = NDArray[Any]

FORM = "a network of PyTorch, from (N, 17) symbols to (N, 32) logits"
SIZE = f"at most {BUDGET:,} numbers to learn"
ALONE = "a sequence gets the same answer each time, alone and in company"
SAID = "at least 950 of 1,000 new sequences are answered rightly"


def train_recaller(seed: int) -> Any:
    import torch
    from torch import nn
    from torch.nn import functional as F  # noqa: N812

    class Recaller(nn.Module):
        def __init__(self, width: int = 32) -> None:
            super().__init__()
            self.embedding = nn.Embedding(32, width)
            self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
            self.head = nn.Linear(width, 32)

        def forward(self, ids: Any) -> Any:
            keys, values, asked = ids[:, :-1:2], ids[:, 1::2], ids[:, -1:]
            q, k, v = (f(self.embedding(a)) for f, a in ((self.q, asked), (self.k, keys), (self.v, values)))
            return self.head(F.scaled_dot_product_attention(q, k, v)[:, 0])  # one query finds one value

    torch.manual_seed(seed)
    rng, network = np.random.default_rng(seed), Recaller()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(200):
        ids, answers = map(torch.from_numpy, recall_sequences(64, rng))
        loss = F.cross_entropy(network(ids), answers)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network


def train_recaller_that_looks_back(seed: int) -> Any:
    import torch
    from torch import nn
    from torch.nn import functional as F  # noqa: N812

    class Recaller(nn.Module):
        """Each symbol is told which one stood before it; then the last one looks for whom that was itself."""

        def __init__(self) -> None:
            super().__init__()
            self.here, self.before = nn.Embedding(32, 24), nn.Embedding(33, 24)
            self.head = nn.Linear(24, 32)

        def forward(self, ids: Any) -> Any:
            before = F.pad(ids[:, :-1], (1, 0), value=32)
            scores = torch.einsum("ne,nte->nt", self.here(ids[:, -1]), self.before(before)) / 24**0.5
            return self.head(torch.einsum("nt,nte->ne", scores.softmax(-1), self.here(ids)))

    torch.manual_seed(seed)
    rng, network = np.random.default_rng(seed), Recaller()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(300):
        ids, answers = map(torch.from_numpy, recall_sequences(64, rng))
        optimizer.zero_grad()
        F.cross_entropy(network(ids), answers).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network


def seeds(rng: np.random.Generator) -> list[Case]:
    return [Case((int(rng.integers(1000)),))]


def facts_of_recall(case: Case, value: Any) -> dict[str, Any]:
    """What became of the network, in words, from what it said: the judge knows the right values."""
    if value["form"] != RECALLS:
        return {FORM: value["form"], SIZE: "not counted", ALONE: "not tried", SAID: "not tried"}
    said, alone = np.asarray(value["said"]), np.asarray(value["alone"])
    steady = "yes" if np.mean(said[: len(alone)] == alone) > 0.9 else "another one when it is alone"
    steady = steady if np.mean(said == value["again"]) > 0.99 else "another one each time"
    return {
        FORM: "yes",
        SIZE: "yes" if value["parameters"] <= BUDGET else "more",
        ALONE: steady,
        SAID: habit(case, said) if steady == "yes" else "not judged",
    }


def as_if(way: str) -> Any:
    """A training whose network answers in this way."""
    return lambda seed: Recalling(way)


def habit(case: Case, said: Array) -> str:
    """How many answers are right; and where few are, what they are instead."""
    ids, _ = new_sequences(case.args[0])
    keys, values, asked = ids[:, :-1:2], ids[:, 1::2], ids[:, -1]
    rows, place = np.arange(len(ids)), (keys == asked[:, None]).argmax(axis=1)
    right = float(np.mean(said == values[rows, place]))
    if right >= 0.95:
        return "yes"
    if right >= 0.8:
        return "nearly"
    if np.ptp(said) == 0:
        return "always the same symbol"
    others = {
        "the values, counted from 0": values[rows, place] - KEYS,
        "the value before": values[rows, np.maximum(place - 1, 0)],
        "the value behind": values[rows, np.minimum(place + 1, values.shape[1] - 1)],
        "the last value": values[:, -1],
        "the first value": values[:, 0],
        "the key itself": asked,
    }
    shares = {name: float(np.mean(said == other)) for name, other in others.items()}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] > max(0.6, right):
        return best
    if right > 0.3:
        return "on its way"
    if np.mean(said < KEYS) > 0.5:
        return "keys"
    present = float(np.mean((values == said[:, None]).any(axis=1)))
    return "some value of the sequence" if present > 0.8 else "guesses"


RECALL = Exercise(
    id="transformers.recall",
    kind="function",
    title="Recall",
    points=4,
    minutes=35,
    difficulty=3,
    function="train_recaller",
    reference=as_if("rightly"),  # what is expected costs no training
    alternatives=(train_recaller_that_looks_back, train_recaller),
    inputs=seeds,
    driver="recalls",
    facts=facts_of_recall,
    seconds=20.0,
    wrong=(
        Wrong(
            "nearly",
            as_if("nearly"),
            "Nearly: between 800 and 950 of 1,000 new sequences are answered rightly. Does the loss still fall when you stop, and is each step on *new* sequences?",
        ),
        Wrong(
            "on-its-way",
            as_if("on its way"),
            "More answers are right than chance explains, but fewer than 800 of 1,000. Does your loss still fall when you stop? If it stands still: can one position of your network see key and value of a pair together?",
        ),
        Wrong(
            "some-value-of-the-sequence",
            as_if("some value"),
            "The answers are values of the sequence, but those of any pair: your network knows what was there and not what belongs to whom. Where in your network does the last key meet the other keys, and what tells it which value stood beside which key?",
        ),
        Wrong(
            "guesses",
            as_if("guesses"),
            "The answers are no better than guesses. Does the loss fall below ln 16 = 2.8 while you train, and is the network that you hand back the trained one?",
        ),
        Wrong(
            "always-the-same",
            as_if("the same always"),
            "Every sequence gets the same answer. Print the logits of two sequences: where in your network does the difference between them get lost?",
        ),
        Wrong(
            "value-before",
            as_if("the value before"),
            "The answers are the values that stand right *before* the key: those of the pair before. In which order do key and value stand in a pair?",
        ),
        Wrong(
            "value-behind",
            as_if("the value behind"),
            "The answers are the values of the *next* pair. How far apart are a key and its value, and how far do you shift?",
        ),
        Wrong(
            "last-value",
            as_if("the last value"),
            "The answer is always the value of the last pair, whatever the key. How can your network look further back than two symbols, and by what does it choose?",
        ),
        Wrong(
            "first-value",
            as_if("the first value"),
            "The answer is always the value of the first pair, whatever the key. By what does your network choose where to look?",
        ),
        Wrong(
            "key-itself",
            as_if("the key itself"),
            "Your network repeats the key that it is asked about. What should an answer be made of: the keys it looks at, or the values?",
        ),
        Wrong(
            "some-key",
            as_if("some key"),
            "Most answers are keys, symbols below 16, as an untrained network may give them, or one that was trained on another target. Does your loss fall from step to step, and with what does it compare?",
        ),
        Wrong(
            "values-from-zero",
            as_if("values from zero"),
            "Your network counts the values from 0. As symbols they begin at 16: which logit belongs to the symbol 16?",
        ),
        Wrong(
            "needs-company",
            as_if("needs company"),
            "A sequence that is given alone is answered otherwise than in a batch of 1,000. Which line of your `forward` looks along the axis of the examples: a softmax over the wrong axis, a mean, a reshape?",
        ),
        Wrong(
            "restless",
            as_if("restless"),
            "The same 1,000 sequences get other answers when they are given once more, although the network is in `eval` mode: something random is at work in `forward`. How would that line learn that the training is over?",
        ),
        Wrong(
            "stops-alone",
            as_if(STOPS_ALONE),
            "Your network answers 1,000 sequences, and stops with an error when one comes alone, as ids of shape (1, 17). Which line of your `forward` counts on several examples?",
        ),
        Wrong(
            "axis-too-many",
            as_if("it gives logits with an axis of length 1"),
            "Your logits have the shape (N, 1, 32): the axis of the one question is still there. Which shape does the task ask for?",
        ),
        Wrong(
            "too-large",
            as_if("too large"),
            f"The answers are right, but your network has more than {BUDGET:,} numbers to learn. What does a matrix of width E cost, and which of yours can be narrower or go?",
        ),
        Wrong(
            "logits-of-values-alone",
            as_if("it gives logits for the values alone"),
            "Your network gives 16 logits, one for each value. For how many symbols does the task ask for them?",
        ),
        Wrong(
            "logits-at-each-position",
            as_if("it gives logits at each position"),
            "Your network gives logits at each of the 17 positions. At which of them is the question complete?",
        ),
        Wrong(
            "answers-not-logits",
            as_if("it gives one number for each sequence"),
            "Your network gives one number for each sequence. The check takes the arg-max by itself: how many logits does it want for each?",
        ),
        Wrong(
            "not-finite",
            as_if("it gives numbers that are not finite"),
            "Among the logits are nan or infinity: training ran away, or a softmax had nothing to look at. In which step did the loss become nan?",
        ),
        Wrong(
            "no-network",
            as_if("no network of PyTorch"),
            "That is no network of PyTorch, an `nn.Module`. Is it the class in place of an object of it, its weights, or a function?",
        ),
    ),
    hints=(
        "This is the soft dictionary of the lesson: the last key is the query, the other keys are the keys, and the values are the values. One attention is enough if it can see a pair as a pair.",
        "`ids[:, :-1:2]` are the keys, `ids[:, 1::2]` the values, `ids[:, -1:]` the question. Embed all of them; one linear layer each for q, k and v; `F.scaled_dot_product_attention`; a linear layer to 32 logits. No positions are needed.",
        "With a width of 32, Adam with a learning rate of 0.01 and 300 steps of 64 new sequences from `recall_sequences(64, rng)` are more than enough. The loss is `F.cross_entropy(network(ids), answers)`.",
    ),
    unlocks="Looking things up by content is what attention is for; language models do it in every sentence.",
)  # fmt: skip
