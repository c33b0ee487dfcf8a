"""An exercise on records: five trainings of a GAN, and what became of each."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import WHICH_IS_LEFT, facts_of, mixed_up, open_choices, unknown_choices
from dlcourse.drivers import Case

FATES = ("healthy", "oscillation", "collapse", "vanishing gradient", "weak discriminator")
NO_FATE = "none of the five"
RIGHT = {
    "A": "collapse",
    "B": "weak discriminator",
    "C": "healthy",
    "D": "oscillation",
    "E": "vanishing gradient",
}

SEEN = {
    "A": "A's samples sit around one cloud of the ring, the same one in all three pictures, and its losses hardly change after the first 300 steps.",
    "B": "B's discriminator loss stays between 1.36 and 1.43 from the first step to the last, and 2 ln 2 = 1.386 is the loss of one that always says 1/2; all samples lie on one spot, where there is no cloud.",
    "C": "C's samples lie on all sides from the first picture on, and nearer to the clouds in each; its losses end within 0.15 of 1.39 and 0.69, those of a discriminator that says 1/2.",
    "D": "D's losses go up and down to the end, and in each of its three pictures the samples are somewhere else.",
    "E": "E's discriminator loss is 0 from step 200 on, and the generator's too; the samples have not moved from the first picture to the last.",
}
WOULD = {
    "healthy": "A healthy run's samples spread to all clouds of the ring, and neither player wins. Is that what you see?",
    "oscillation": "In an oscillating run the samples run after the discriminator, and leave a place once it has found them there. Is that what you see?",
    "collapse": "A collapsed generator makes one kind of sample, of which the discriminator cannot rid it: some cloud of the ring, and no other. Is that what you see?",
    "vanishing gradient": "Where D is sure of every fake, the minimax loss of the generator is flat, and near 0. Is that what you see?",
    "weak discriminator": "A discriminator that hardly learns goes on saying the same, near 1/2, of everything, and its loss stays near 2 ln 2 = 1.386. Is that what you see?",
}


def spelled(words: str) -> str:
    """A name with an article, or in the plural, is that name."""
    words = words.removeprefix("a ").removeprefix("the ").removeprefix("mode ")
    return {"oscillating": "oscillation", "collapsed": "collapse", "vanishing gradients": "vanishing gradient"}.get(
        words, words
    )


DIAGNOSE = Exercise(
    id="gans.diagnose",
    kind="value",
    title="Five games",
    points=3,
    minutes=15,
    difficulty=2,
    function="game_fates",
    reference=RIGHT,
    inputs=lambda rng: [Case()],
    driver="value",
    facts=facts_of("ABCDE", spelled, FATES, NO_FATE),
    wrong=(
        *mixed_up(RIGHT, FATES, SEEN, WOULD),
        *unknown_choices(RIGHT, FATES, NO_FATE),
        *open_choices(RIGHT, WHICH_IS_LEFT),
        Wrong(
            "not-a-dict",
            "collapse",
            "One answer for each of the five letters is asked for. How does a dict with the keys A to E look?",
        ),
    ),
    hints=(
        "Look at the pictures first: in which rows do the samples stay in about the same place, in which do they move across the ring, and in which do they spread?",
        "In one row they stay around a cloud of the ring, in two on a spot near the middle. For these two look at the discriminator's loss: who is sure of everything, and who of nothing?",
        "A loss of 0 is a discriminator that sees through every fake: then ln(1 - D) is flat. A loss of 1.39 is one that always says 1/2. Of the two rows that move, one ends all around the ring.",
    ),
    unlocks="No loss curve alone tells these apart: always look at the samples.",
)  # fmt: skip
