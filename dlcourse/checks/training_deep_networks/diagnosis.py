"""Two exercises on curves: eight runs with a fault each, and slopes on their way back through thirty blocks."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import WHICH_IS_LEFT, facts_of, mixed_up, open_choices, unknown_choices, wrong_choices
from dlcourse.drivers import Case
from dlcourse.drivers.practice import EIGHT

# --- training_deep_networks.diagnose ------------------------------------------------------------------------------

FAULTS = tuple(sorted(EIGHT.values()))
UNKNOWN = "none of the eight"

SEEN = {
    "A": "A's training accuracy is above one half after the first epoch, with validation hardly above chance; then validation climbs slowly and unevenly.",
    "B": "B's validation curves are smooth, and when the run ends both losses are still on their way down.",
    "C": "C's training curves are like the healthy run's; its validation curves are jagged and far worse than the healthy ones.",
    "D": "D's losses lie near ln 10 = 2.30 from the first epoch to the last, without noise worth speaking of, and its accuracies near chance.",
    "E": "E's training curves are like the healthy run's; its validation loss falls to about half of the healthy one and never turns.",
    "F": "F's training loss falls, slowly; its validation loss gets no better at all, and its validation accuracy stays near chance.",
    "G": "G learns something in the first epochs; then its curves go up and down by turns, at losses near 2.",
    "H": "H's training loss begins high, and after the first few epochs it rises and rises; its accuracies are near chance throughout.",
}
WOULD = {
    "learning_rate_too_high": "Steps that are too large let a run learn something, then throw it about without ever settling. Is that what you see?",
    "learning_rate_too_low": "With steps that are too small everything goes the right way, smoothly, but slowly. Is that what you see?",
    "leaking_validation": "Validation examples that were trained on do better than new ones ever could. Is anything here too good to be true?",
    "no_shuffling": "Batches of a single class make training easy within an epoch, and the last class spoils validation. Is that what you see?",
    "dead_relus": "When no unit is ever on, all images get the same scores, and only the output's biases learn. Is that what you see?",
    "missing_zero_grad": "If slopes pile up, the steps get longer and longer in directions that are long out of date. Where would that lead the loss, and does it?",
    "eval_mode_forgotten": "With dropout at work in validation, training looks as usual and validation suffers, each time by other units. Is that what you see?",
    "labels_misaligned": "If images and labels do not belong together, they can be learned by heart, but nothing carries over to other images. Is that what you see?",
}


DIAGNOSE = Exercise(
    id="training_deep_networks.diagnose",
    kind="value",
    title="Eight sick runs",
    points=4,
    minutes=25,
    difficulty=3,
    function="run_faults",
    reference=dict(EIGHT),
    inputs=lambda rng: [Case()],
    driver="value",
    facts=facts_of("ABCDEFGH", lambda words: words.replace(" ", "_"), FAULTS, UNKNOWN),
    wrong=(
        *mixed_up(EIGHT, FAULTS, SEEN, WOULD),
        *unknown_choices(EIGHT, FAULTS, UNKNOWN),
        *open_choices(EIGHT, WHICH_IS_LEFT),
        Wrong(
            "not-a-dict",
            "dead_relus",
            "One answer for each of the eight letters is asked for. How does a dict with the keys A to H look?",
        ),
    ),
    hints=(
        "Sort first: in which runs is training itself like the healthy one, so that only validation can be at fault? In which is nothing learned at all?",
        "Two runs differ from the healthy one in validation only: one is too good, one too bad. In four the training accuracy stays below 0.3 without any jumping about: "
        "one loss stands still, one rises, one falls in training only, one falls everywhere.",
        "Of the last two, one has a training accuracy that is suspiciously high in the very first epoch; the other jumps about. What does an order of batches do, and what a step size?",
    ),
    unlocks="You now see in a minute what costs others an evening.",
)  # fmt: skip


# --- training_deep_networks.which_curve ---------------------------------------------------------------------------

NETWORKS = ("sigmoid", "ReLU", "residual", "residual scaled")
NO_NETWORK = "none of the four"
RIGHT = {"A": "sigmoid", "B": "residual", "C": "residual scaled", "D": "ReLU"}
SPELLED = {
    "relu": "ReLU",
    "scaled residual": "residual scaled",
    "residual (scaled)": "residual scaled",
    "residual plain": "residual",
    "plain residual": "residual",
}
WHY_NOT = {
    ("A", "ReLU"): "A loses more than seven tenths in each block. ReLU stops half of the entries and lets the others through whole: which share of the power is left, and which of the size?",
    ("A", "residual"): "A falls to 1e-19. In a residual block the slope has a way on which it meets nothing at all: can it get lost?",
    ("A", "residual scaled"): "A falls to 1e-19. In a residual block the slope has a way on which it meets nothing at all: can it get lost?",
    ("B", "sigmoid"): "B grows toward the first block. How large can the slope of a sigmoid be at most, and can a product of such numbers grow?",
    ("B", "ReLU"): "B grows toward the first block. Weights of variance 1/100 keep a slope's size on their way back, and ReLU stops half of the entries: can that grow?",
    ("B", "residual scaled"): "B grows to more than 100,000. When each branch adds only a thirtieth of the power, thirty times over: does that grow a millionfold?",
    ("C", "sigmoid"): "C stays near 1 over thirty blocks. How large can the slope of a sigmoid be at most, and what is that number to the power 30?",
    ("C", "ReLU"): "C stays near 1, a little above. What does a layer with weights of variance 1/100 and ReLU leave of a slope, thirty times over?",
    ("C", "residual"): "C stays near 1. When each block sends back the slope itself plus one of the same size through the branch, what happens to the power, thirty times over?",
    ("D", "sigmoid"): "D loses about three tenths in each block. How much would a sigmoid take, whose slope is a quarter at most?",
    ("D", "residual"): "D falls to 1e-5. In a residual block the slope has a way on which it meets nothing at all: can it get lost?",
    ("D", "residual scaled"): "D falls to 1e-5. In a residual block the slope has a way on which it meets nothing at all: can it get lost?",
}  # fmt: skip


WHICH_CURVE = Exercise(
    id="training_deep_networks.which_curve",
    kind="value",
    title="Which network lets the slopes through?",
    points=2,
    minutes=10,
    difficulty=2,
    function="slope_networks",
    reference=RIGHT,
    inputs=lambda rng: [Case()],
    driver="value",
    facts=facts_of("ABCD", lambda words: SPELLED.get(words, words), NETWORKS, NO_NETWORK),
    wrong=(
        *wrong_choices(WHY_NOT),
        *unknown_choices(RIGHT, (*NETWORKS[:3], "residual, scaled"), NO_NETWORK),  # spelled as the task has it
        *open_choices(RIGHT, WHICH_IS_LEFT),
        Wrong(
            "not-a-dict",
            "residual",
            "One answer for each of the four letters is asked for. How does a dict with the keys A to D look?",
        ),
    ),
    hints=(
        "Follow a slope back through one block of each kind: by which factor does its size change? Then raise that to the power 30.",
        "Weights of variance 1/100, a hundred to a sum, keep the size. The sigmoid then multiplies by its slope, at most 1/4; ReLU lets half of the entries through, so the size falls by √½.",
        "A residual block sends back the slope itself plus what comes through the branch: power 1 + 1 without scaling, 1 + 1/30 with it. Which two curves do not fall?",
    ),
    unlocks="You can now tell from a drawing of a network whether its first layer will learn.",
)  # fmt: skip
