"""A training and a test that come out too good, since the future leaks in three places: each leak that is left has its name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.transformers.leak_answers import (
    program,
    train_and_test,
    train_and_test_by_unfolding,
    train_and_test_window_by_window,
    whole,
    windows_before_the_split,
)
from dlcourse.drivers import Case

PARTS = (
    "form of the result",
    "the mask",
    "number of losses",
    "the first loss",
    "the rest of the list",
    "weights",
    "the test loss",
)


def leak_inputs(rng: np.random.Generator) -> list[Case]:
    def case(count: int, split: int, length: int, steps: int, label: str = "", V: int = 6) -> Case:
        ids = rng.integers(0, V, size=count)
        return Case((f"{V} symbols, length {length}, width 4, seed {rng.integers(1000)}", "SGD, lr 0.5", ids, split, length, steps), label)  # fmt: skip

    return [
        case(31, 18, 4, 3),
        case(47, 28, 5, 2, V=7),
        case(38, 22, 3, 3),  # one symbol less, and there is a window less
        case(33, 20, 4, 1, "a single step"),
        case(36, 20, 4, 2, "texts that windows divide evenly"),
        case(23, 10, 4, 2, "more test text than training text"),
    ]


LEFT = {
    "mask": "the mask lets each position see one place too far",
    "targets": "the last target of a window is its own first symbol, which everybody in it sees",
    "split": "the test text is part of the training text",
}

HALF_MENDED = {
    "still-rolled-in-fewer-windows": (
        "rolled, in fewer windows",
        "The number of windows is right now, but the last target of each is still its own first symbol, which everybody in it sees.",
        "Which symbol of the text stands behind a window's last one?",
    ),
    "rolled-before-the-cut": (
        "rolled first",
        "You roll the whole text before the cut, so where windows divide it evenly, the last target is the text's very first symbol.",
        "How many full windows have all their targets within the text?",
    ),
    "rolled-together": (
        "rolled together",
        "You roll all the windows as one row. That mends all of them but the last, whose last target is the very first symbol.",
        "Which symbol should it be, and is it always there?",
    ),
    "rolled-together-in-fewer-windows": (
        "rolled together, in fewer windows",
        "The number of windows is right, and you roll all of them as one row. That mends all of them but the last, whose last target is the very first symbol.",
        "Which symbol of the text should it be?",
    ),
}
BAD_MASKS = {
    "strict": ("strict", "Now the mask is too strict: no position sees itself, the first sees nothing at all.", "Is a position's own symbol part of the future?"),
    "transposed": ("upper", "Your mask shows each position itself and all *later* ones.", "In which triangle lies the past?"),
    "inverted": ("inverted", "Your mask shows each position the later ones only.", "What does True mean here?"),
    "of-everything": ("everything", "Your mask hides nothing.", "Which symbol does position 0 then see that it has to predict?"),
}  # fmt: skip


def as_tensor(number: float) -> Any:
    import torch

    return torch.tensor(number)


def half_mended() -> Iterator[Wrong]:
    """A leak that was mended in a wrong way, alone and together with each of the others."""
    for name, (targets, finding, question) in HALF_MENDED.items():
        yield Wrong(name, program(targets=targets), f"Two leaks are closed, the third in part. {finding} {question}")
        for beside, faults in (
            ("mask", {"mask": "one too far"}),
            ("split", {"train_on": whole}),
            ("mask-and-split", {"mask": "one too far", "train_on": whole}),
        ):
            left = " and ".join(LEFT[leak] for leak in beside.split("-and-"))
            yield Wrong(
                f"{name}-with-{beside}-left",
                program(targets=targets, **faults),
                f"Not all the leaks are closed yet. {finding} Untouched so far: {left}. {question}",
            )
    for name, (mask, finding, question) in BAD_MASKS.items():
        yield Wrong(f"mask-{name}", program(mask=mask), f"The other two leaks are closed. {finding} {question}")
        for beside, faults in (
            ("targets", {"targets": "rolled"}),
            ("split", {"train_on": whole}),
            ("targets-and-split", {"targets": "rolled", "train_on": whole}),
        ):
            left = " and ".join(LEFT[leak] for leak in beside.split("-and-"))
            yield Wrong(
                f"mask-{name}-with-{beside}-left",
                program(mask=mask, **faults),
                f"You have changed the mask, which is not right yet. {finding} Untouched so far: {left}. {question}",
            )


FIND_THE_LEAK = Exercise(
    id="transformers.find_the_leak",
    kind="program",
    title="Find the leak",
    points=4,
    minutes=25,
    difficulty=2,
    function="train_and_test",
    reference=train_and_test,
    alternatives=(train_and_test_by_unfolding, train_and_test_window_by_window),
    inputs=leak_inputs,
    driver="trains_and_tests",
    blame=PARTS,
    rtol=1e-6,
    atol=1e-8,
    seconds=20.0,
    wrong=(
        Wrong(
            "as-given",
            program(mask="one too far", targets="rolled", train_on=whole),
            "This is still the program as it was handed out, with all three leaks. Begin with the mask for a length of 4: print it. Which columns may row 0 see, and which symbol is it to predict?",
        ),
        Wrong(
            "mask-and-targets-left",
            program(mask="one too far", targets="rolled"),
            f"One leak is closed: the test text is not trained on any more. Two are left: {LEFT['mask']}, and {LEFT['targets']}. What should be the last target of a window?",
        ),
        Wrong(
            "mask-and-split-left",
            program(mask="one too far", train_on=whole),
            f"One leak is closed: the targets are the symbols that follow. Two are left: {LEFT['mask']}, and {LEFT['split']}. Print the mask for a length of 4: which columns may row 0 see?",
        ),
        Wrong(
            "targets-and-split-left",
            program(targets="rolled", train_on=whole),
            f"One leak is closed: nobody sees a later position. Two are left: {LEFT['targets']}, and {LEFT['split']}. Where does the symbol behind a window's last one stand?",
        ),
        Wrong(
            "mask-left",
            program(mask="one too far"),
            f"Two leaks are closed. One is left: {LEFT['mask']}, exactly to the symbol that it has to predict. Which diagonal should be the last one of the triangle?",
        ),
        Wrong(
            "targets-left",
            program(targets="rolled"),
            f"Two leaks are closed. One is left: {LEFT['targets']}. `roll` takes what falls out at one end in again at the other: where does the right symbol stand?",
        ),
        Wrong(
            "split-left",
            program(train_on=whole),
            f"Two leaks are closed. One is left: {LEFT['split']}. A test says something about new text only: which part of `ids` may the training see?",
        ),
        # --- leaks that mending may bring
        *half_mended(),
        Wrong(
            "mask-of-numbers",
            program(booleans=False),
            "No leak is left. But the mask holds the numbers 1 and 0, not True and False. Which kind of mask does the task promise the model?",
        ),
        Wrong(
            "mask-left-in-the-test",
            program(test_mask="one too far"),
            "The training is right. In the test, each position sees one place too far. What should the test have in common with the training?",
        ),
        Wrong(
            "targets-the-inputs-in-fewer-windows",
            program(targets="same, in fewer windows"),
            "The number of windows is right, but the targets are the inputs themselves, which each position sees. Which symbol is the target of a window's first position?",
        ),
        Wrong(
            "windows-apart",
            program(targets="apart"),
            "There is no leak any more, but each of your windows takes length + 1 symbols for itself, so that the next one begins a symbol late. Which symbol may two neighboring windows share, as target of one and input of the other?",
        ),
        Wrong(
            "last-column-dropped",
            program(targets="last column dropped, in fewer windows"),
            "There is no leak any more, but you leave out the last position of each window, so that the model reads length - 1 symbols. Where in the text does the missing target stand?",
        ),
        Wrong(
            "targets-the-inputs",
            program(targets="same"),
            "Now the targets are the inputs themselves, which each position sees. Which symbol is the target of a window's first position?",
        ),
        Wrong(
            "targets-the-previous",
            program(targets="previous"),
            "The targets are rolled the other way: each position has to say what came *before* it, which it sees. In which direction lies the future?",
        ),
        Wrong(
            "targets-two-ahead",
            program(targets="two ahead"),
            "The targets stand two symbols behind their inputs, so one symbol is skipped. Which symbol is the target of a window's first position?",
        ),
        Wrong(
            "windows-shorter",
            program(targets="shorter"),
            "There is no leak any more. But inputs and targets are both cut from a window of `length` symbols, so that only length - 1 are left for the model. How many symbols does a window of `length` inputs and all its targets need?",
        ),
        Wrong(
            "mask-itself-only",
            program(mask="itself"),
            "Now each position sees itself alone. What else does it know when it predicts the next?",
        ),
        Wrong(
            "no-mask-in-the-test",
            program(test_mask="everything"),
            "The training is right. In the test, positions see later ones, which they have never learned to use: no mask, or another one. What should the test have in common with the training?",
        ),
        # --- what is trained and tested on
        Wrong(
            "tested-on-the-training-text",
            program(test_on=lambda ids, split: ids[:split]),
            "The training is right, and then tested on the same text. Which part has the model never seen?",
        ),
        Wrong(
            "tested-on-everything",
            program(test_on=whole),
            "The training is right. The test goes over the whole text, the training part included. Which part has the model never seen?",
        ),
        Wrong(
            "parts-exchanged",
            program(train_on=lambda ids, split: ids[split:], test_on=lambda ids, split: ids[:split]),
            "You train behind `split` and test before it. Which part of the text is for training by the task?",
        ),
        Wrong(
            "one-symbol-over-the-border",
            program(train_on=lambda ids, split: ids[: split + 1]),
            "The training text reaches one symbol over the border, into the test text. Must the last target lie within the training text?",
        ),
        Wrong(
            "training-text-a-symbol-short",
            program(train_on=lambda ids, split: ids[: split - 1]),
            "No leak is left, but the training text ends one symbol too early; where its last window needs that symbol, the window is lost. Does the last target have to be left out, if it lies before `split`?",
        ),
        Wrong(
            "test-a-symbol-early",
            program(test_on=lambda ids, split: ids[split - 1 :]),
            "The training is right. The test text begins one symbol too early, with the last one of the training text. Which is the first symbol that does not belong to the training text?",
        ),
        Wrong(
            "windows-before-the-split",
            windows_before_the_split,
            "You cut the whole text into windows and deal these out, so the test's windows begin elsewhere, and one may lie across the border. What comes first by the task: the split or the windows?",
        ),
        Wrong(
            "windows-overlap",
            program(stride=1),
            "There is no leak any more, but your windows overlap: each begins one symbol after the other. Where does the second window begin by the task?",
        ),
        Wrong(
            "test-a-symbol-late",
            program(test_on=lambda ids, split: ids[split + 1 :]),
            "The training is right. The test text begins one symbol too late. Which is the first symbol that does not belong to the training text?",
        ),
        # --- the rest of the program
        Wrong(
            "gradients-add-up",
            program(forget=False),
            "No leak is left, but the gradients of earlier steps are never forgotten, and add up. Which call has been lost?",
        ),
        Wrong(
            "summed-losses",
            program(reduction="sum"),
            "No leak is left, but the losses are sums over all positions, and so are the gradients. What does the task ask for?",
        ),
        Wrong(
            "tested-before-training",
            program(test_at="the start"),
            "The training is right, but the test comes before it. What is a test of an untrained model worth?",
        ),
        Wrong(
            "test-in-bits",
            program(tested=lambda loss, losses: loss / math.log(2)),
            "The training is right. The test loss is divided by ln 2, so it counts bits. What does the task ask for?",
        ),
        Wrong(
            "perplexity",
            program(tested=lambda loss, losses: math.exp(loss)),
            "The training is right. In place of the test loss you hand back its exponential, the perplexity. What does the task ask for?",
        ),
        Wrong(
            "last-loss-for-the-test",
            program(tested=lambda loss, losses: losses[-1]),
            "The training is right. In place of the test loss you hand back the last loss of the training. On which text is a test?",
        ),
        Wrong(
            "a-step-too-many",
            program(steps_done=lambda steps: steps + 1),
            "No leak is left, but there is one step too many. How many losses should the list hold?",
        ),
        Wrong(
            "a-single-step",
            program(steps_done=lambda steps: 1),
            "No leak is left, but only one step is taken, whatever `steps` is. Where does the loop end, and is there a `return` inside it?",
        ),
        Wrong(
            "losses-after-the-step",
            program(late=True),
            "The training is right, but your losses are those *after* each step. When does the task measure them?",
        ),
        Wrong(
            "losses-as-tensors",
            program(handed=lambda losses, test: ([as_tensor(loss) for loss in losses], test)),
            "No number is missing, but the list of losses holds tensors, each of which may keep the whole graph behind it in memory. How do you get a plain number out of a tensor that holds one?",
        ),
        Wrong(
            "test-loss-as-tensor",
            program(handed=lambda losses, test: (losses, as_tensor(test))),
            "The list is right in form, but the test loss is a tensor. How do you get a plain number out of a tensor that holds one?",
        ),
        Wrong(
            "one-loss",
            program(handed=lambda losses, test: (float(np.mean(losses)), test)),
            "The first of your two results is a single number, such as the mean of the losses or the last of them. What does the task ask for, beside the test loss?",
        ),
        Wrong(
            "exchanged",
            program(handed=lambda losses, test: (test, losses)),
            "The two results are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "losses-alone",
            program(handed=lambda losses, test: losses),
            "You hand back the list of losses alone. What else does the task ask for?",
        ),
        Wrong(
            "one-loss-alone",
            program(handed=lambda losses, test: [test]),
            "You hand back a list of one number. Which two results does the task ask for?",
        ),
        Wrong(
            "one-number",
            program(handed=lambda losses, test: test),
            "You hand back a single number. Which two results does the task ask for?",
        ),
    ),
    hints=(
        "On random symbols nobody can be better than ln V. Close one leak after the other and watch the losses: the detector in the cell *Try it* shows who sees whom.",
        "First leak: in row t of the mask, which is the last True? Second: look at the last column of y beside the first of x. Third: which text does the training get?",
        "`.tril()` without a diagonal; windows whose targets come from the text, `text[1 : count * length + 1]` with `count = (len(text) - 1) // length`; and `windows(ids[:split])` for the training.",
    ),
    unlocks="A result that is too good is a bug report.",
)  # fmt: skip
