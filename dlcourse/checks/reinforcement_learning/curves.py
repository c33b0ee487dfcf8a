"""An exercise on records: six learners on the same beam, and what is amiss with five of them."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import WHICH_IS_LEFT, facts_of, mixed_up, open_choices, unknown_choices
from dlcourse.drivers import Case

NAMES = (
    "healthy",
    "no exploration",
    "exploration never lowered",
    "truncation as termination",
    "value of the next episode",
    "learning rate too small",
)
NO_NAME = "none of the six"
RIGHT = {
    "A": "exploration never lowered",
    "B": "truncation as termination",
    "C": "healthy",
    "D": "learning rate too small",
    "E": "value of the next episode",
    "F": "no exploration",
}

SEEN = {
    "A": "A's value comes to the dotted line, so it knows what is best; but its episodes last about 20 steps from the first to the last.",
    "B": "B's episodes become longer, to about 30 steps, but its value settles near 13, well below the dotted line.",
    "C": "C's value comes to the dotted line, and its episodes become longer, from about 20 steps to more than 30.",
    "D": "D's value rises by about the same amount all the time and is still below 5 when the record ends.",
    "E": "E's value goes beyond the dotted line, to 20, which is what a step that always earns 1 would be worth for ever.",
    "F": "F's episodes last about 15 steps from the first to the last, fewer than those of any other, and its value stays near 10.",
}
WOULD = {
    "healthy": "A healthy learner's value comes to the dotted line, and its episodes become longer. Is that what you see?",
    "no exploration": "Who never tries anything by chance stays with what looked good first, and never learns what the other action is worth. Is that what you see?",
    "exploration never lowered": "Q-learning learns the value of the *best* actions while it does others; whoever acts by chance to the end never earns it. Is that what you see?",
    "truncation as termination": "Who takes the clock for an end believes that any state may be followed by nothing. In which direction does that move the value?",
    "value of the next episode": "Whose falls lead to the start of the next episode believes that a fall costs nothing. In which direction does that move the value?",
    "learning rate too small": "With a small learning rate everything goes the right way, slowly. Is that what you see?",
}


def spelled(words: str) -> str:
    """A name with an article, or in other words, is that name."""
    words = words.removeprefix("a ").removeprefix("the ")
    return {"small learning rate": "learning rate too small", "truncation taken as termination": "truncation as termination"}.get(words, words)  # fmt: skip


WHICH_FAULT = Exercise(
    id="reinforcement_learning.which_fault",
    kind="value",
    title="Six learners",
    points=3,
    minutes=15,
    difficulty=2,
    function="learner_faults",
    reference=RIGHT,
    inputs=lambda rng: [Case()],
    driver="value",
    facts=facts_of("ABCDEF", spelled, NAMES, NO_NAME),
    wrong=(
        *mixed_up(RIGHT, NAMES, SEEN, WOULD),
        *unknown_choices(RIGHT, NAMES, NO_NAME),
        *open_choices(RIGHT, WHICH_IS_LEFT),
        Wrong(
            "not-a-dict",
            "healthy",
            "One answer for each of the six letters is asked for. How does a dict with the keys A to F look?",
        ),
    ),
    hints=(
        "Look at the values first: which come to the dotted line, which go beyond it, and which stay below?",
        "Two come to the line, and only one of these earns what it knows. One goes beyond: what would have to be true of falling for 20 to be right? Three stay below.",
        "Of the three below, one has good returns all the same; one still rises when the record ends; and one never changes what it does.",
    ),
    unlocks="By their returns, B and E look nearly healthy; their values gave them away.",
)  # fmt: skip
