"""Truncated backpropagation through time (Williams & Peng 1990): the state goes on, the gradient does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.recurrent_networks.truncated_answers import PARTS, mean_of_each, program
from dlcourse.drivers import Case


def truncated_bptt(model: Any, optimizer: Any, sequences: Any, length: int, max_norm: float) -> Any:
    from torch import nn
    from torch.nn import functional as F  # noqa: N812

    losses = []
    for ids in sequences:
        state = None
        for start in range(0, ids.shape[1] - 1, length):
            chunk = ids[:, start : start + length + 1]
            logits, state = model(chunk[:, :-1], state)
            state = tuple(part.detach() for part in state)
            loss = F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            losses.append(loss.item())
    return losses


def truncated_by_hand(model: Any, optimizer: Any, sequences: Any, length: int, max_norm: float) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    losses = []
    for ids in sequences:
        x, y, state = ids[:, :-1].split(length, dim=1), ids[:, 1:].split(length, dim=1), None
        for inputs, targets in zip(x, y, strict=True):
            if state is not None:
                state = (state[0].detach(), state[1].detach())
            logits, state = model(inputs, state)
            loss = F.cross_entropy(logits.transpose(1, 2), targets)
            model.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                total = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
                for p in model.parameters():
                    p.grad *= torch.clamp(max_norm / (total + 1e-6), max=1.0)
            optimizer.step()
            losses.append(float(loss.detach()))
    return np.array(losses)


def truncated_with_arrays(model: Any, optimizer: Any, sequences: Any, length: int, max_norm: float) -> Any:
    import torch

    losses = []
    for ids in sequences:
        N, L = ids.shape
        state: Any = (torch.zeros(1, N, model.lstm.hidden_size).double(),) * 2
        start = 0
        while start < L - 1:
            end = min(start + length, L - 1)
            with torch.no_grad():
                state = tuple(part.clone() for part in state)
            logits, state = model(ids[:, start:end], state)
            log_p = logits.log_softmax(dim=-1)
            loss = -log_p.gather(2, ids[:, start + 1 : end + 1, None]).mean()
            grads = torch.autograd.grad(loss, list(model.parameters()))
            total = float(np.sqrt(sum(float((g**2).sum()) for g in grads)))
            for p, g in zip(model.parameters(), grads, strict=True):
                p.grad = g * min(1.0, max_norm / total)
            optimizer.step()
            losses.append(loss.item())
            start = end
    return tuple(losses)


def chunk_inputs(rng: np.random.Generator) -> list[Case]:
    def case(
        shapes: list[tuple[int, int]], length: int, max_norm: float, label: str = "", V: int = 5, head: str = ""
    ) -> Case:
        sequences = [rng.integers(0, V, size=shape) for shape in shapes]
        model = f"{V} characters, 4 hidden, seed {rng.integers(1000)}{head}"
        return Case((model, "SGD, lr 0.5", sequences, length, max_norm), label)

    return [
        case([(2, 6), (2, 6)], 3, 0.3),
        case([(3, 8), (3, 7)], 4, 0.5, V=6),
        case([(2, 7), (2, 9), (2, 5)], 3, 0.7),
        case([(3, 7), (3, 7)], 4, 1e3, "a limit that is never reached"),
        case([(2, 5), (2, 4)], 9, 0.4, "sequences shorter than a chunk"),
        case([(1, 7), (1, 6)], 3, 0.4, "a batch of one"),
        case([(3, 4), (3, 4)], 1, 0.4, "chunks of a single character"),
        case([(2, 7), (2, 7)], 3, 3.0, "large gradients", head=", head times 9"),
        case([(4, 8), (4, 8)], 4, 0.4, "as many sequences as steps in a chunk"),
    ]  # fmt: skip


TRUNCATED_BPTT = Exercise(
    id="recurrent_networks.truncated_bptt",
    kind="function",
    title="Carry the state, cut the graph",
    points=4,
    minutes=30,
    difficulty=3,
    function="truncated_bptt",
    reference=truncated_bptt,
    alternatives=(truncated_by_hand, truncated_with_arrays),
    inputs=chunk_inputs,
    driver="trains_in_chunks",
    blame=PARTS,
    rtol=1e-4,
    atol=1e-7,
    seconds=20.0,
    wrong=(
        Wrong(
            "graph-carried-along",
            program(cut="no"),
            "`backward` of the second chunk runs on into the first, whose graph is used up: at least one of h and c still hangs on it (or a mean of losses does). Which method hands on a tensor's numbers without its history?",
        ),
        Wrong(
            "graph-retained",
            program(cut="retained"),
            "The graph of earlier chunks is kept, and `backward` runs through steps whose weights have been changed since. Should the gradient go back that far at all, and what should be carried over instead?",
        ),
        Wrong(
            "state-not-carried",
            program(carry="nothing"),
            "Every chunk begins with an empty state, so the network never sees further back than a chunk. What does the model hand back beside the logits, and where does it belong?",
        ),
        Wrong(
            "state-of-the-first-chunk",
            program(carry="first"),
            "From the second chunk on, all begin with the state behind the *first* one. Where does the state become the newest?",
        ),
        Wrong(
            "hidden-state-alone",
            program(carry="h"),
            "Only h is carried over; c begins each chunk at zero. Which of the two is an LSTM's long memory?",
        ),
        Wrong(
            "cell-alone",
            program(carry="c"),
            "Only c is carried over; h begins each chunk at zero. Of how many parts is the state that the model hands back?",
        ),
        Wrong(
            "states-exchanged",
            program(carry="exchanged"),
            "h and c change places from one chunk to the next. In which order does the model hand them out and take them?",
        ),
        Wrong(
            "state-never-reset",
            program(reset=False),
            "The first sequence is right. The next one begins with the state that the one before left behind, as if its text went on. Where does a sequence begin?",
        ),
        Wrong(
            "not-clipped",
            program(clip="no"),
            "The steps are taken with gradients that were not clipped (or clipped too early, before `backward`, or too late, after the step). Between which two calls is the only place for it?",
        ),
        Wrong(
            "clipped-each-by-itself",
            program(clip="each"),
            "Each weight's gradient is clipped by its own norm, which changes the direction of the step. How many norms are there, if all gradients make one long vector?",
        ),
        Wrong(
            "clipped-by-value",
            program(clip="value"),
            "Single entries are cut off at ±max_norm, which bends the direction of the step. What is measured, and what is then multiplied, in `clip_by_norm`?",
        ),
        Wrong(
            "clipped-to-one",
            program(clip="one"),
            "The gradients are clipped to the norm 1, whatever the limit is. Which argument says how long they may be?",
        ),
        Wrong(
            "always-scaled",
            program(clip="always"),
            "The gradients are brought to the norm `max_norm` even where they are shorter. When should they stay as they are?",
        ),
        Wrong(
            "clipped-by-largest-entry",
            program(clip="largest"),
            "The gradients are scaled by their largest entry, not by the length of them all as one vector. Which norm does `clip_by_norm` measure?",
        ),
        Wrong(
            "slopes-pile-up",
            program(forget="never"),
            "The gradients of all chunks pile up. What does `backward` do with gradients that it finds?",
        ),
        Wrong(
            "slopes-pile-up-in-a-sequence",
            program(forget="each sequence"),
            "Within a sequence the gradients pile up: they are set back only where it begins. With the gradients of which chunks is a step to be taken?",
        ),
        Wrong(
            "steps-with-zeros",
            program(forget="after backward"),
            "The gradients are set back between `backward` and the step, so the weights never move. In which order do the calls come?",
        ),
        Wrong(
            "never-steps",
            program(step_each="never"),
            "The weights never move: the optimizer takes no step. Which call is missing?",
        ),
        Wrong(
            "one-step-a-sequence",
            program(step_each="sequence", forget="each sequence"),
            "One step is taken for each sequence, with the gradients of all its chunks. How many steps does the task ask for?",
        ),
        Wrong(
            "whole-sequences",
            program(chunks="one"),
            "Each sequence is read in one piece, so the gradient goes all the way back and memory grows with the text. How many characters does a chunk predict?",
        ),
        Wrong(
            "rest-padded",
            program(chunks="padded"),
            "The last, shorter chunk of a sequence is filled up with zeros, and 0 is a character, too: the network learns to predict some that are not in the text. How long may the last chunk be?",
        ),
        Wrong(
            "rest-dropped",
            program(chunks="full ones"),
            "Where a sequence does not divide evenly, its last, shorter chunk is missing. How many characters are left for it, and does `range` reach there?",
        ),
        Wrong(
            "boundary-lost",
            program(chunks="boundary lost"),
            "Each chunk predicts one character too few: nobody predicts the first character of the next chunk. How long must a piece be to hold `length` inputs *and* the target of the last one?",
        ),
        Wrong(
            "boundary-skipped",
            program(chunks="far apart"),
            "Your chunks begin length + 1 characters apart, so one character between two chunks is never read (or never predicted). A chunk's last target is the next chunk's first input: how far apart are their beginnings?",
        ),
        Wrong(
            "first-sequence-only",
            program(ends="sequence"),
            "You train on the first sequence, and hand back its losses. How far is the line with `return` indented?",
        ),
        Wrong(
            "first-chunk-only",
            program(ends="chunk"),
            "You train on one chunk, and hand back its loss. How far is the line with `return` indented?",
        ),
        Wrong(
            "targets-rolled",
            program(targets=lambda chunk: chunk[:, :-1].roll(-1, 1)),
            "Your targets are the inputs turned round by one place, so the last target of each chunk is its own first character. Which character follows the last input?",
        ),
        Wrong(
            "targets-not-shifted",
            program(targets=lambda chunk: chunk[:, :-1]),
            "Inputs and targets are the same characters, so the network learns to repeat what it has read. Which character is the target of the first one?",
        ),
        Wrong(
            "shifted-the-other-way",
            program(inputs=lambda chunk: chunk[:, 1:], targets=lambda chunk: chunk[:, :-1]),
            "Inputs and targets have changed places: each target is the character *before* its input. In which direction does a text go on?",
        ),
        Wrong(
            "last-character-only",
            program(logits_of=lambda logits: logits[:, -1], targets_of=lambda targets: targets[:, -1]),
            "Only the last character of each chunk is predicted, as in classifying a whole text. How many predictions does a chunk of T characters make?",
        ),
        Wrong(
            "logits-mixed-up",
            program(logits_of=lambda logits: logits.transpose(0, 1).flatten(0, 1)),
            "Logits and targets are flattened in different orders, one by time and one by example, so most logits meet a stranger's target. Which axis comes first in each of them?",
        ),
        Wrong(
            "targets-mixed-up",
            program(targets_of=lambda targets: targets.T.flatten()),
            "Logits are flattened example by example and targets place by place, so most logits meet a stranger's target. Which axis comes first in each of them?",
        ),
        Wrong(
            "logits-reshaped",
            program(logits_of=lambda logits: logits.reshape(logits.shape[0], logits.shape[2], -1), targets_of=lambda targets: targets),
            "Your logits have the shape (N, V, T) that `cross_entropy` takes, by a `reshape`, which exchanges no axes: it fills the new shape with the numbers in their old order. What does exchange two axes?",
        ),
        Wrong(
            "softmax-twice",
            program(logits_of=lambda logits: logits.flatten(0, 1).softmax(dim=-1)),
            "The logits go through a softmax before `cross_entropy`, which has one of its own. What does it want to be given?",
        ),
        Wrong(
            "no-softmax",
            program(logits_of=lambda logits: logits.flatten(0, 1), kind="nll"),
            "Your losses are minus the targets' logits: `nll_loss` picks entries and takes no softmax and no logarithm itself. Which function of `F` does all three?",
        ),
        Wrong(
            "trained-in-bits",
            program(logits_of=lambda logits: logits.flatten(0, 1), kind="bits"),
            "The losses are in bits, and so are the gradients, which makes them longer. Which logarithm does the task ask for?",
        ),
        Wrong(
            "summed-losses",
            program(reduction="sum"),
            "Each loss is the sum over all predictions of a chunk. By what is it divided, in the task?",
        ),
        Wrong(
            "summed-over-time",
            program(logits_of=lambda logits: logits.transpose(1, 2), targets_of=lambda targets: targets, reduction="over time"),
            "Each loss is a mean over the texts, but a sum over the places of a chunk, so longer chunks weigh more. By how many predictions is it divided, in the task?",
        ),
        Wrong(
            "losses-after-the-step",
            program(when="after"),
            "The training is right. Each loss is computed anew after its step, with the new weights. Which one does the task ask for?",
        ),
        Wrong(
            "one-loss-a-sequence",
            program(handed=mean_of_each),
            "The training is right. You hand back one mean loss for each sequence. For which pieces does the task ask for one?",
        ),
        Wrong(
            "last-sequence-only",
            program(handed=lambda losses: losses[-1]),
            "The training is right. You hand back the losses of the last sequence alone. Where is your list made empty?",
        ),
        Wrong(
            "list-for-each-sequence",
            program(handed=lambda losses: losses),
            "The numbers are right, but they stand in a list for each sequence. How many lists does the task ask for?",
        ),
        Wrong(
            "mean-loss",
            program(handed=lambda losses: sum(map(sum, losses)) / sum(map(len, losses))),
            "You hand back one number. How many numbers does the task ask for?",
        ),
        Wrong(
            "tensors-for-numbers",
            program(as_number=lambda loss: loss),
            "There are tensors in your list, and one that is not detached drags the graph of its chunk along. Which method turns a tensor of one number into a number?",
        ),
    ),
    hints=(
        "Two loops: over the sequences, where the state begins empty, and over the chunks, where it goes on. Inside stands an ordinary training step.",
        "A chunk needs length + 1 characters: all but the last are inputs, all but the first are targets. Between `backward` and `step` comes the clipping. And what goes into the next chunk is the state without its graph.",
        "`logits, state = model(chunk[:, :-1], state)`, then `state = tuple(part.detach() for part in state)`; `F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())`; the starts are `range(0, L - 1, length)`.",
    ),
    unlocks="Texts of any length can now be learned from, at the price of a chunk.",
)  # fmt: skip
