"""Settings with which a recurrent network learns to add two numbers that stand far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case
from dlcourse.drivers.practice import Fate


def fate_of_the_runs(case: Case, value: Any) -> Any:
    """What became of the runs, in words; None where nothing is answered yet."""
    return None if value is None else {"all three runs reach the goal within the budget": value["fate"]}


def no_inputs(rng: np.random.Generator) -> list[Case]:
    return [Case()]


REMEMBER = Exercise(
    id="recurrent_networks.remember",
    kind="target",
    title="Remember two numbers out of twenty",
    points=4,
    minutes=20,
    difficulty=3,
    function="memory",
    reference={"cell": "gru", "lr": 0.01},
    inputs=no_inputs,
    driver="remembers",
    facts=fate_of_the_runs,
    seconds=20.0,
    wrong=(
        Wrong(
            "remembers-nothing",
            Fate("remembers nothing"),
            "All of the runs end with an error not far below 1/6, which is what you get for answering 1 whatever comes in: nothing is remembered. Over twenty steps, which cell lets a slope through, "
            "and are your steps long enough for so small a budget?",
        ),
        Wrong(
            "some-of-three",
            Fate("some of three"),
            "At least one run is there or nearly there, and at least one has hardly begun: with these settings it depends on the start. Which setting decides whether an LSTM keeps its cell when training begins, "
            "and which cell has one state only, to keep or to replace?",
        ),
        Wrong(
            "on-its-way",
            Fate("on its way"),
            "At least one run has begun to remember, but the budget ends before all of them are near the goal. Which of your settings makes learning slower than it need be, or lets it down from time to time?",
        ),
        Wrong(
            "nearly",
            Fate("nearly"),
            "Nearly: in each run the error is below 0.03, but not in all below 0.01. Which of your settings, made a little larger or smaller, brings the rest?",
        ),
        Wrong(
            "thrown-about",
            Fate("thrown about"),
            "At least one run ends with an error above 0.25, worse than answering 1 always, or with numbers that are not finite. Do your steps throw the network about, or does another setting keep it from learning even the mean?",
        ),
        Wrong(
            "hardly-moved",
            Fate("hardly moved"),
            "At least one run ends with an error above 0.25, worse than answering 1 always, and the weights are still near their start: Adam moves one by about the learning rate in a step, by less where gradients are clipped to nearly nothing. "
            "Which of your settings makes their way so short?",
        ),
        Wrong(
            "over-the-budget",
            {"steps": 1000},
            "Your runs take more steps than the budget allows. What can you change to learn faster in 300?",
        ),
        Wrong(
            "unknown-cell",
            {"cell": "transformer"},
            'The check knows the cells "rnn", "lstm" and "gru", written so. Which of them do you want?',
        ),
        Wrong(
            "out-of-range",
            {"lr": -0.01},
            "One of your settings is out of its range: learning rate (a finite one) and `max_norm` lie above 0, steps are whole numbers from 1. Which one is it?",
        ),
        Wrong(
            "unknown-setting",
            {"hidden": 64},
            "There is a key in your dict that is no setting. Which names does the table list, and how exactly are they spelled?",
        ),
        Wrong(
            "not-a-number",
            {"lr": "0.01"},
            "One of your settings should be a number and is none: it is a string (in quotes), None, True or nan. Which one is it?",
        ),
        Wrong(
            "not-a-dict",
            ("gru", 0.01),
            "That is not a dict. How do you write a dict that gives each setting's name its value?",
        ),
    ),
    hints=(
        "Change one setting at a time and print the errors. 0.167 means that nothing is remembered yet.",
        "A plain cell does not get there in 300 steps. And Adam's usual 0.001 is a small step when there are so few of them.",
        "The GRU does it with ten times that learning rate or a little more. The LSTM can, too, where its forget gates begin open (a bias above 0), but in so few steps not from every start.",
    ),
    unlocks="The same network, the same task: whether it remembers was decided by its gates.",
)
