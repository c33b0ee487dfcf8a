"""An exercise on curves: a slope on its way back through fifty steps of five networks."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import WHICH_IS_LEFT, facts_of, mixed_up, open_choices, unknown_choices
from dlcourse.drivers import Case

NETWORKS = ("plain 0.8", "plain 1.0", "plain 1.2", "LSTM 0", "LSTM 2")
NO_NETWORK = "none of the five"
RIGHT = {"A": "plain 0.8", "B": "LSTM 2", "C": "plain 1.2", "D": "LSTM 0", "E": "plain 1.0"}
SPELLED = {name.lower(): name for name in NETWORKS} | {
    "plain 1": "plain 1.0",
    "lstm 0.0": "LSTM 0",
    "lstm 2.0": "LSTM 2",
}

SEEN = {
    "A": "A loses one fifth in each step.",
    "B": "B loses about an eighth in each step.",
    "C": "C grows toward the first step, to nearly 10,000.",
    "D": "D loses about half in each step.",
    "E": "E is 1 from the last step to the first.",
}
WOULD = {
    "plain 0.8": "An orthogonal matrix turns a slope without changing its length; times 0.8, what is left after a step?",
    "plain 1.0": "An orthogonal matrix turns a slope without changing its length. How would its curve look?",
    "plain 1.2": "An orthogonal matrix turns a slope without changing its length; times 1.2, what becomes of it in 50 steps?",
    "LSTM 0": "On its way along the cell, a slope is multiplied by f in each step. How large is the sigmoid of 0?",
    "LSTM 2": "On its way along the cell, a slope is multiplied by f in each step. How large is the sigmoid of 2?",
}


GRADIENT_NORMS = Exercise(
    id="recurrent_networks.gradient_norms",
    kind="value",
    title="Which network lets the slope through?",
    points=2,
    minutes=12,
    difficulty=2,
    function="norm_networks",
    reference=RIGHT,
    inputs=lambda rng: [Case()],
    driver="value",
    facts=facts_of("ABCDE", lambda words: SPELLED.get(words, words), NETWORKS, NO_NETWORK),
    wrong=(
        *mixed_up(RIGHT, NETWORKS, SEEN, WOULD),
        *unknown_choices(RIGHT, NETWORKS, NO_NETWORK),
        *open_choices(RIGHT, WHICH_IS_LEFT),
        Wrong(
            "not-a-dict",
            "LSTM 2",
            "One answer for each of the five letters is asked for. How does a dict with the keys A to E look?",
        ),
    ),
    hints=(
        "Find the factor by which the slope changes in one step of each network. The same factor again and again is a straight line on a log axis.",
        "Plain: W is orthogonal times a number, so the slope's length is multiplied by that number. LSTM with small weights: along the cell the factor is the forget gate, near the sigmoid of its bias.",
        "To the power 50: 1.2 gives about 9,000, 1.0 gives 1, and the sigmoid of 2, which is 0.88, about 0.002. Now 0.8 and the sigmoid of 0.",
    ),
    unlocks="One number in the bias of a gate decides how far back a network can learn.",
)
