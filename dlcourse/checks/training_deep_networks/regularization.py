"""Settings that get more out of digits with wrong labels than plain training does."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case
from dlcourse.drivers.practice import Fate


def fate_of_the_runs(case: Case, value: Any) -> Any:
    """What became of the runs, in words; None where nothing is answered yet."""
    return None if value is None else {"the runs reach the goal within the budget": value["fate"]}


def no_inputs(rng: np.random.Generator) -> list[Case]:
    return [Case()]


REGULARIZATION = Exercise(
    id="training_deep_networks.regularization",
    kind="target",
    title="Learn from teachers who are often wrong",
    points=4,
    minutes=25,
    difficulty=3,
    function="regularization",
    reference={"augment": True},
    inputs=no_inputs,
    driver="regularized",
    facts=fate_of_the_runs,
    seconds=20,
    wrong=(
        Wrong(
            "learned-by-heart",
            Fate("learned by heart"),
            "The runs hit more of the training labels than are right, so they have learned wrong ones by heart, and the held-out digits suffer. "
            "Which of the settings make learning by heart harder?",
        ),
        Wrong(
            "learned-too-little",
            Fate("learned too little"),
            "The runs get less than half of the held-out digits right: within these steps hardly anything was learned. "
            "Which of your settings is so strong, or so short, that nothing gets through?",
        ),
        Wrong(
            "falls-short",
            Fate("falls short"),
            "The runs learned, but stay clearly below the goal on the held-out digits. Compare their training accuracy with the share of labels that are right: "
            "is there too little restraint or too much of it?",
        ),
        Wrong(
            "nearly",
            Fate("nearly"),
            "Nearly: the mean over the three runs is at most 4 points below the goal. Which of your settings, made a little stronger or weaker, brings more, "
            "and which have you not tried yet?",
        ),
        Wrong(
            "over-the-budget",
            {"steps": 1000},
            "Your runs take more steps than the budget allows. Would more steps help at all, where a network can learn wrong labels by heart?",
        ),
        Wrong(
            "out-of-range",
            {"dropout": 1.5},
            "One of your settings is out of its range: dropout and smoothing run from 0 to below 1, the decay from 0 up, steps in whole numbers from 1. Which one is it?",
        ),
        Wrong(
            "number-for-a-switch",
            {"early": 5},
            "`batch_norm`, `augment` and `early` can only be on or off, and one of yours is another number. What does the table give as its meaning?",
        ),
        Wrong(
            "unknown-setting",
            {"weight-decay": 1.0},
            "There is a key in your dict that is no setting. Which names does the table list, and how exactly are they spelled?",
        ),
        Wrong(
            "not-a-number",
            {"dropout": "0.5"},
            "One of your settings is neither a number nor True or False. Which value has quotes around it, or is None or nan?",
        ),
        Wrong(
            "not-a-dict",
            (0.5, 1.0),
            "That is not a dict. How do you write a dict that gives each setting's name its value?",
        ),
    ),
    hints=(
        "Begin with one setting at a time, and print both accuracies: what helps brings the training accuracy *down* toward the share of right labels.",
        "Strong decay (about 5) and stopping early help, batch norm does not, and smoothing only a little. Two of the other settings reach the goal alone.",
        "Dropout of a half or a little more makes learning by heart hard; augmentation makes new images of the same labels, so that a wrong label is hard to remember. "
        "Both at once slow learning down, and the steps are few.",
    ),
    unlocks="You have seen that no cure helps everywhere, and how to find the one that does.",
)  # fmt: skip
