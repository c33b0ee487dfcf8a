"""Which filter made which feature map: a prediction from the kernels alone."""

from __future__ import annotations

from typing import Any

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import OPEN, by_letter, mixed_up, open_choices, some_letter, unknown_choices
from dlcourse.drivers import Case
from dlcourse.drivers.filters import FILTERS, MADE_BY

UNKNOWN = "none of the six"

SEEN = {
    "A": "A is bright along the rectangle's upper edge and above the dot; its other edges stay dark.",
    "B": "B is brightest at the dot; of the rectangle only a thin outline is left, and its inside is as dark as the ground.",
    "C": "C is bright along the rectangle's right edge and to the right of the dot; its other edges stay dark.",
    "D": "In D the inside of the rectangle is as bright as it was, its edges are soft, and the dot has become a faint patch.",
    "E": "E is bright along the rectangle's left edge and to the left of the dot; its other edges stay dark.",
}
WOULD = {
    "right": "The kernel `right` adds what lies right of the pixel and takes off what lies left of it. At which edge of something bright is that positive?",
    "left": "The kernel `left` adds what lies left of the pixel and takes off what lies right of it. At which edge of something bright is that positive?",
    "below": "The kernel `below` adds what lies below the pixel and takes off what lies above it. At which edge of something bright is that positive?",
    "above": "The kernel `above` adds what lies above the pixel and takes off what lies below it. At which edge of something bright is that positive?",
    "spot": "The kernel `spot` gives 8 · 1 - 8 · 1 = 0 where all pixels are alike. Which pixels differ most from their neighbors, and what comes out there?",
    "blur": "The kernel `blur` takes the mean of nine pixels. What does it give inside of something bright, and what at a single bright pixel?",
}


def facts(case: Case, value: Any) -> Any:
    """The answer letter by letter in one spelling; None where nothing is answered yet."""

    def choice(given: Any) -> str:
        if isinstance(given, str) and given == OPEN:
            return OPEN
        words = str(given).strip().strip("'\"`").lower()
        return words if words in FILTERS else UNKNOWN

    some_letter(MADE_BY, value)
    return by_letter("ABCDE", value, choice)


FEATURE_MAPS = Exercise(
    id="convolutional_networks.feature_maps",
    kind="value",
    title="Which filter saw this?",
    points=2,
    minutes=10,
    difficulty=2,
    function="map_filters",
    reference=dict(MADE_BY),
    inputs=lambda rng: [Case()],
    driver="value",
    facts=facts,
    wrong=(
        *mixed_up(MADE_BY, FILTERS, SEEN, WOULD),
        *unknown_choices(MADE_BY, FILTERS, UNKNOWN),
        *open_choices(MADE_BY, "Where is it bright, and which kernel is positive there?"),
        Wrong(
            "not-a-dict",
            "spot",
            "One answer for each of the five letters is asked for. How does a dict with the keys A to E look?",
        ),
    ),
    hints=(
        "Lay each kernel on three places by hand: inside the rectangle, on its left edge, on its upper edge. Five of the six give 0 or a plain number there.",
        "Behind ReLU a kernel leaves only the places where its sum is positive. `right` is positive where the image gets brighter from left to right: where does that happen on a bright rectangle?",
        "It happens at the *left* edge. Likewise for the three others of its kind. The two that are left differ inside the rectangle: one gives 0 there, the other 1.",
    ),
    unlocks="You can read a filter, and so the first layer of every network that sees.",
)  # fmt: skip
