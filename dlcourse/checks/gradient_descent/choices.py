"""Two exercises that ask for a choice: settings that reach a goal, and a diagnosis of four loss curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import by_letter, unknown_choices, wrong_choices
from dlcourse.drivers import Case


def no_inputs(rng: np.random.Generator) -> list[Case]:
    return [Case()]


# --- gradient_descent.learning_rate -------------------------------------------------------------------------------


def fate_of_the_run(case: Case, value: Any) -> Any:
    """What became of the run, in words; None where nothing is answered yet."""
    return None if value is None else {"the run arrives within the budget": value["fate"]}


LEARNING_RATE = Exercise(
    id="gradient_descent.learning_rate",
    kind="target",
    title="Down a ravine in 80 steps",
    points=3,
    minutes=15,
    difficulty=3,
    function="descent_settings",
    reference={"lr": 0.03, "momentum": 0.7},
    inputs=no_inputs,
    driver="ravine",
    facts=fate_of_the_run,
    wrong=(
        Wrong(
            "ran-away",
            {"lr": 0.05, "momentum": 0.0},
            "This run diverges: across the ravine it leaps farther and farther, since the learning rate is above the limit there. "
            "The curvature across is 100: which learning rate does that allow, with no momentum, and with yours?",
        ),
        Wrong(
            "exactly-at-the-limit",
            {"lr": 0.034, "momentum": 0.7},
            "This learning rate is exactly the limit for your momentum: across the ravine the run swings for ever, neither farther nor nearer. "
            "On which side of the limit does the swinging die out?",
        ),
        Wrong(
            "nearly-there",
            {"lr": 0.0198, "momentum": 0.7},
            "Nearly: in the last five steps the loss is above the goal, but by less than a factor of ten. The cell above prints it. "
            "Which of the two settings, changed a little, makes it smaller?",
        ),
        Wrong(
            "hardly-any-momentum",
            {"lr": 0.01, "momentum": 0.0},
            "The run is still on its way along the floor, and with so little momentum no stable learning rate arrives in 80 steps: the walls cap the rate, "
            "the floor is a hundred times flatter. What adds up the small slopes of the floor that all agree?",
        ),
        Wrong(
            "creeps",
            {"lr": 0.005, "momentum": 0.7},
            "The run is still on its way along the floor when the budget ends, though it has momentum. "
            "How far can you raise the learning rate (or the momentum) before the steps across get out of hand?",
        ),
        Wrong(
            "jumps-from-wall-to-wall",
            {"lr": 0.0199, "momentum": 0.0},
            "What is left of the loss at the end is mostly motion *across* the ravine, from wall to wall, that dies out too slowly: "
            "the learning rate is near its limit, or the momentum so large that nothing calms down. Which of the two is it here?",
        ),
        Wrong(
            "swings-past-the-bottom",
            {"lr": 0.01, "momentum": 0.9},
            "The run went past the bottom along the floor and has not come to rest: it had more speed than it could get rid of in 80 steps. "
            "What plays the part of friction?",
        ),
        Wrong(
            "rate-not-positive",
            {"lr": -0.01, "momentum": 0.5},
            "A learning rate of zero or less goes nowhere, or uphill. Which sign does the step already have?",
        ),
        Wrong(
            "momentum-out-of-range",
            {"lr": 0.01, "momentum": 1.0},
            "The momentum has to be at least 0 and less than 1: with 1 or more the old velocity never fades, with less than 0 it turns round. "
            "What part of the velocity should survive a step?",
        ),
        Wrong(
            "no-settings",
            (0.01, 0.9),
            'That is not a dict with the two keys `"lr"` and `"momentum"`. How do you write a dict that gives each name its number?',
        ),
        Wrong(
            "not-numbers",
            {"lr": 0.01, "momentum": None},
            "One of the two settings is no ordinary number. Which values do `lr` and `momentum` have in your dict?",
        ),
    ),
    hints=(
        "Find the learning rate at which the run goes wild without momentum, and begin at about two thirds of it. Add momentum in steps of 0.1, and raise the rate again when the run still creeps.",
        "Without momentum the limit is 2/100. Momentum raises it to 2(1 + momentum)/100 and makes the floor go faster.",
        "Polyak's analysis for curvatures 1 and 100: a learning rate of 4/(1 + 10)² and a momentum of (9/11)². Try values near those.",
    ),
    unlocks="You have tuned an optimizer by looking, which is most of the craft.",
)


# --- gradient_descent.curves --------------------------------------------------------------------------------------

CHOICES = ("good", "rate too large", "rate too small", "not shuffled")
UNKNOWN = "none of the four"


def diagnosis(case: Case, value: Any) -> Any:
    """The answer letter by letter in one spelling; None where nothing is answered yet."""
    return by_letter("ABCD", value, _choice)


def _choice(given: Any) -> str:
    words = " ".join(str(given).lower().replace("learning rate", "rate").replace("_", " ").replace("-", " ").split())
    words = words if words not in ("too large", "too small") else f"rate {words}"
    return words if words in CHOICES else UNKNOWN


WHY_NOT = {
    ("A", "good"): "A rises and falls by nearly the same amounts in every epoch after the first and never settles; a good run does not. What repeats with the dotted lines?",
    ("A", "rate too large"): "A moves smoothly from step to step, without sudden leaps: the size of its steps is not the trouble. What repeats with the dotted lines?",
    ("A", "rate too small"): "A covers a wide range of losses in a few steps, again and again: it moves fast enough. What repeats with the dotted lines?",
    ("B", "good"): "B leaps up and down from one step to the next and ends no lower than it was early on. What makes single steps go too far?",
    ("B", "rate too small"): "B moves far in every single step, upward too. What would a run with tiny steps look like?",
    ("B", "not shuffled"): "B's leaps come at irregular places, and no epoch looks like the one before. What would the same order of batches in every epoch bring about?",
    ("C", "rate too large"): "C falls at once and then stays quietly at the lowest loss of the four. Would steps that go too far let it rest?",
    ("C", "rate too small"): "C has reached its lowest level within the first epochs. What would a run look like that is short of speed?",
    ("C", "not shuffled"): "C shows no pattern that returns with each epoch. In which curve do the dotted lines mark a rhythm?",
    ("D", "good"): "D goes down, but after all the epochs it is still far from the bottom. Is there a curve that got to the bottom in the same time?",
    ("D", "rate too large"): "D never rises and never leaps. Which curve shows steps that go too far?",
    ("D", "not shuffled"): "D shows no rhythm of epochs; it is nearly a straight line. In which curve do the dotted lines mark a rhythm?",
}  # fmt: skip
DIAGNOSIS = {"A": "not shuffled", "B": "rate too large", "C": "good", "D": "rate too small"}


CURVES = Exercise(
    id="gradient_descent.curves",
    kind="value",
    title="Read four loss curves",
    points=2,
    minutes=8,
    difficulty=2,
    function="curve_faults",
    reference=DIAGNOSIS,
    inputs=no_inputs,
    driver="value",
    facts=diagnosis,
    wrong=(
        *wrong_choices(WHY_NOT),
        *unknown_choices("ABCD", CHOICES, UNKNOWN),
        Wrong(
            "not-a-dict",
            "not shuffled",
            "One answer for each of the four letters is asked for. How does a dict with the keys A, B, C and D look?",
        ),
    ),
    hints=(
        "Ask of each curve: does it move fast enough, does it come to rest, and is there a rhythm?",
        "Steps that go too far show as sudden leaps upward; a fixed order of batches as a pattern that returns with every epoch.",
        "Start with the two that fall quietly: which of them has arrived? Of the other two, one keeps time with the dotted lines.",
    ),
    unlocks="Unit 05 gives you four harder ones.",
)
