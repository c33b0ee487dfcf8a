"""Exercises on what neurons can tell apart: four sets of points to judge by eye, and a network for XOR set by hand."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


# --- neuron.separable ---------------------------------------------------------------------------------------------

SEPARATED = "BD"
SEEN = {
    "A": "Set A does not belong in your answer: the segment from one group of circles to the other crosses the segment from "
    "one group of squares to the other, so whichever line you draw leaves two different kinds on one side. "
    "Which set of the lesson has the same pattern, turned by 45 degrees?",
    "C": "Set C does not belong in your answer: its square lies inside the ring of circles, and every straight line "
    "that passes the square has circles on both of its sides. Where would a line have to go to have the square alone on one side?",
    "B": "You left out set B. True, no upright and no level line separates its kinds. Must a neuron's line be upright or level?",
    "D": "You left out set D. True, no line through the origin separates its kinds, and one kind is rare. "
    "Does a neuron's line have to run through the origin, or through the middle of the points?",
}


def letters_of(answer: Any) -> str:
    """The answer's letters in order: from a string, a list or a dict of letters with True or False.

    Raises
    ------
    ValueError
        If it holds anything but the letters A to D.
    """
    if isinstance(answer, dict):
        answer = [letter for letter, yes in answer.items() if isinstance(yes, int | np.ndarray) and yes]
    text = answer if isinstance(answer, str) else " ".join(answer)
    text = "ABCD" if text.strip().lower() == "all" else text
    letters = re.sub(r"\band\b|[\s,;.&+'\"()\[\]{}]", "", text, flags=re.IGNORECASE).upper()
    if not letters or set(letters) - set("ABCD"):
        raise ValueError(f"not letters from A to D: {answer!r}")
    return "".join(sorted(set(letters)))


def separable_facts(case: Case, answer: Any) -> dict[str, Any]:
    return {"the sets that you name": letters_of(answer)}


def said_of(letters: str) -> str:
    """What is told first about a wrong choice: one set that is wrongly in it, else one that is wrongly out."""
    too_many = [letter for letter in letters if letter not in SEPARATED]
    missing = [letter for letter in SEPARATED if letter not in letters]
    return SEEN[(too_many + missing)[0]]


def wrong_choices() -> tuple[Wrong, ...]:
    """Every choice of sets but the right one."""
    choices = ["".join(c) for count in range(1, 5) for c in itertools.combinations("ABCD", count)]
    return tuple(Wrong(f"answered-{c.lower()}", c, said_of(c)) for c in choices if c != SEPARATED)


SEPARABLE = Exercise(
    id="neuron.separable",
    kind="value",
    title="What can one neuron separate?",
    points=1,
    minutes=5,
    difficulty=1,
    function="separable",
    reference=SEPARATED,
    inputs=lambda rng: [Case()],
    driver="value",
    facts=separable_facts,
    returns=('a string of letters from A to D, such as "AB"',),
    wrong=wrong_choices(),
    hints=(
        "One neuron draws one straight line, at any angle and in any place.",
        "Lay a ruler on the screen. A set is impossible as soon as a circle lies between two squares, or a square within "
        "a triangle of circles, or when a line from circle to circle crosses one from square to square.",
        "Stretch a rubber band around each kind. If the two rubber bands do not overlap, a line fits between them; "
        "if they do, none does.",
    ),
    unlocks="You can tell by eye when a hidden layer is needed.",
)


# --- neuron.xor ---------------------------------------------------------------------------------------------------

POINTS = ((0, 0), (0, 1), (1, 0), (1, 1))
WANTED = (0, 1, 1, 0)
OUTPUTS = "the outputs for (0, 0), (0, 1), (1, 0), (1, 1)"
# What would make a network right if it were read so; False is said only where it is the reason.
ROWS = "each row of `W1` belongs to one hidden neuron"
ABOVE = "a neuron fires only where its score is above 0"
BIASES = "a bias is added to the score, not taken off it"
CAUSES = (ROWS, ABOVE, BIASES)


def xor_network() -> Any:
    return np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([-0.5, -1.5]), np.array([1.0, -1.0]), -0.5


def xor_by_exclusions() -> Any:
    return [[2, -2], [-2, 2]], [-1, -1], [2, 2], -1


def xor_by_nand() -> Any:
    return np.array([[3.0, 3.0], [-1.0, -1.0]]), np.array([-1.0, 1.5]), np.array([1.0, 1.0]), np.array(-1.5)


def outputs_of(W1: Array, b1: Array, w2: Array, b2: Array, at_zero: bool = False) -> tuple[int, ...]:
    """The outputs, 0 or 1, of a network of step neurons on the four points; ``at_zero``: they fire at a score of 0 too."""

    def step(z: Array) -> Array:
        return np.asarray((z > 0) | (at_zero & (z == 0)), dtype=float)

    return tuple(int(a) for a in step(step(np.array(POINTS, dtype=float) @ W1.T + b1) @ w2 + b2))


def xor_facts(case: Case, answer: Any) -> dict[str, Any]:
    if not isinstance(answer, tuple) or len(answer) != 4:
        raise ValueError("not four parts")
    W1, b1, w2, b2 = (np.asarray(part, dtype=float) for part in answer)
    parts = {"W1": W1, "b1": b1, "w2": w2}
    form: dict[str, Any] = {f"the shape of `{name}`": str(part.shape) for name, part in parts.items()}
    form["`b2` is one number"] = b2.size == 1
    form["all weights and biases are finite"] = all(bool(np.isfinite(part).all()) for part in (W1, b1, w2, b2))
    right_form = list(form.values()) == ["(2, 2)", "(2,)", "(2,)", True, True]
    if not right_form:
        return {**form, **dict.fromkeys(CAUSES, True), OUTPUTS: ()}
    b2 = b2.reshape(())
    outputs = outputs_of(W1, b1, w2, b2)
    read_otherwise = {
        ROWS: outputs_of(W1.T, b1, w2, b2),
        ABOVE: outputs_of(W1, b1, w2, b2, at_zero=True),
        BIASES: outputs_of(W1, -b1, w2, -b2),
    }
    cause = next((name for name in CAUSES if outputs != WANTED == read_otherwise[name]), None)
    return {**form, **{name: name != cause for name in CAUSES}, OUTPUTS: () if cause else outputs}


def one_neuron(w1: float, w2: float, b: float) -> Any:
    """A network whose hidden layer hands the inputs on, so that the output neuron sees them."""
    return lambda: (np.eye(2), np.array([-0.5, -0.5]), np.array([w1, w2]), b)


XOR_WRONG = (
    Wrong(
        "rows-and-columns",
        lambda: (np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([-0.5, -3.5]), np.array([1.0, -1.0]), -0.5),
        "Your network would be right with the rows and columns of W1 exchanged. "
        "Do the two weights of one hidden neuron stand in a row of W1 or in a column?",
    ),
    Wrong(
        "zero-score-silent",
        lambda: (np.ones((2, 2)), np.array([-1.0, -2.0]), np.array([1.0, -1.0]), -1.0),
        "Your network would be right if a score of exactly 0 fired, but a step neuron fires only above 0. "
        "Which of your neurons sees a score of exactly 0, and where between two scores would its bias be safe?",
    ),
    Wrong(
        "thresholds-for-biases",
        lambda: (np.ones((2, 2)), np.array([0.5, 1.5]), np.array([1.0, -1.0]), 0.5),
        "Your network would be right if each bias were a threshold that the weighted sum has to exceed. "
        "But a bias is added to that sum: which number added does the same as a threshold?",
    ),
    Wrong(
        "or",
        one_neuron(1, 1, -0.5),
        "Your network computes OR: it fires for (1, 1) as well. Which hidden neuron could notice that both inputs are 1, "
        "and with which sign should it reach the output?",
    ),
    Wrong(
        "and",
        one_neuron(1, 1, -1.5),
        "Your network computes AND: it fires for (1, 1) only. For which two points should it fire instead?",
    ),
    Wrong(
        "nand",
        one_neuron(-1, -1, 1.5),
        "Your network computes NAND: right but for (0, 0), where it fires too. "
        "What could keep it silent when neither input is 1?",
    ),
    Wrong(
        "nor",
        one_neuron(-1, -1, 0.5),
        "Your network fires for (0, 0) only (NOR). For which two points should it fire instead?",
    ),
    Wrong(
        "equal-inputs",
        lambda: (np.ones((2, 2)), np.array([-0.5, -1.5]), np.array([-1.0, 1.0]), 0.5),
        "Your network is exactly the opposite of XOR: it fires where the inputs are equal. "
        "What can you do to a neuron's weights and bias to turn its answer around?",
    ),
    Wrong(
        "never-fires",
        one_neuron(1, 1, -5.0),
        "Your network is silent for all four points. Compute the score of the output neuron by hand for (0, 1): "
        "what keeps it from being above 0?",
    ),
    Wrong(
        "always-fires",
        one_neuron(1, 1, 5.0),
        "Your network fires for all four points. Compute the score of the output neuron by hand for (0, 0): "
        "what keeps it above 0?",
    ),
    Wrong(
        "first-input",
        one_neuron(1, 0, -0.5),
        "Your network repeats its first input. What would have to change at (0, 1) and at (1, 1), "
        "where only the second input differs?",
    ),
    Wrong(
        "second-input",
        one_neuron(0, 1, -0.5),
        "Your network repeats its second input. What would have to change at (1, 0) and at (1, 1), "
        "where only the first input differs?",
    ),
    Wrong(
        "not-first-input",
        one_neuron(-1, 0, 0.5),
        "Your network gives the opposite of its first input and takes no notice of the second. "
        "Which of the four points come out wrong, and what do they have in common?",
    ),
    Wrong(
        "not-second-input",
        one_neuron(0, -1, 0.5),
        "Your network gives the opposite of its second input and takes no notice of the first. "
        "Which of the four points come out wrong, and what do they have in common?",
    ),
    Wrong(
        "first-without-second",
        one_neuron(1, -1, -0.5),
        "Your network fires for (1, 0) only: one half of XOR. Which hidden neuron could see the other half, (0, 1)?",
    ),
    Wrong(
        "second-without-first",
        one_neuron(-1, 1, -0.5),
        "Your network fires for (0, 1) only: one half of XOR. Which hidden neuron could see the other half, (1, 0)?",
    ),
    Wrong(
        "all-but-second",
        one_neuron(1, -1, 0.5),
        "Your network fires everywhere except for (0, 1), where it should. Three of the four points are wrong: "
        "is a sign in the output neuron the other way round?",
    ),
    Wrong(
        "all-but-first",
        one_neuron(-1, 1, 0.5),
        "Your network fires everywhere except for (1, 0), where it should. Three of the four points are wrong: "
        "is a sign in the output neuron the other way round?",
    ),
)

XOR = Exercise(
    id="neuron.xor",
    kind="function",
    title="A network for XOR, set by hand",
    points=3,
    minutes=15,
    difficulty=3,
    function="xor_network",
    reference=xor_network,
    alternatives=(xor_by_exclusions, xor_by_nand),
    inputs=lambda rng: [Case()],
    returns=("W1", "b1", "w2", "b2"),
    facts=xor_facts,
    wrong=XOR_WRONG,
    hints=(
        "Say XOR with the words and, or, not in two different ways. Each way is a network.",
        "Each half of XOR is one line: a neuron that fires for (1, 0) only, and one that fires for (0, 1) only. "
        "What does the output neuron have to do with the two?",
        "A neuron that fires for (1, 0) only has a positive first weight, a negative second one, and a bias between the "
        "score of (1, 0) and that of the others. The output neuron is an OR: positive weights, and a bias just below 0.",
    ),
    unlocks="From unit 03 on the network finds such weights by itself.",
)
