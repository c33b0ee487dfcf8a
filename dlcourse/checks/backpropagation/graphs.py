"""The slopes of one operation, and a backward pass by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Slopes = tuple[float, float]

# --- backpropagation.local_gradients ------------------------------------------------------------------------------


def local_gradients(op: str, a: float, b: float) -> Slopes:
    if op == "add":
        return 1.0, 1.0
    if op == "sub":
        return 1.0, -1.0
    if op == "mul":
        return b, a
    if op == "div":
        return 1 / b, -a / b**2
    return b * a ** (b - 1), a**b * math.log(a)  # pow: both the base and the exponent may move


def local_gradients_from_output(op: str, a: float, b: float) -> Slopes:
    table: dict[str, Callable[[], Slopes]] = {
        "add": lambda: (1.0, 1.0),
        "sub": lambda: (1.0, -1.0),
        "mul": lambda: (b, a),
        "div": lambda: (1 / b, -(a / b) / b),
        "pow": lambda: (a**b * b / a, a**b * math.log(a)),
    }
    return table[op]()


def local_gradients_by_match(op: str, a: float, b: float) -> list[float]:
    match op:
        case "add" | "sub":
            return [1, 1 if op == "add" else -1]
        case "mul":
            return [b, a]
        case "div":
            return [b**-1, -a * b**-2]
        case _:
            return [b * np.power(a, b - 1), np.log(a) * np.power(a, b)]


def local_gradients_inputs(rng: np.random.Generator) -> list[Case]:
    def pair(low: float = 0.3, high: float = 2.5, signs: bool = True) -> list[float]:
        numbers = rng.uniform(low, high, 2) * (rng.choice([-1, 1], 2) if signs else 1)
        return [round(float(number), 3) for number in numbers]

    above, below = [1.7, 2.5], [0.6, 1.4]
    return [
        Case(("mul", 1.5, -0.4)),
        *(Case((op, *pair())) for op in ("add", "sub", "mul", "div", "div")),
        Case(("div", 1.2, -2.5)),
        *(Case(("pow", *numbers)) for numbers in (above, below, [2.2, 0.3], [0.4, -1.6], pair(0.3, 2.5, False))),
        *(Case((op, 0.0, 2.5), "a = 0") for op in ("add", "sub", "mul", "div")),
        *(Case((op, -1.5, 0.0), "b = 0") for op in ("add", "sub", "mul")),
        *(Case((op, -2.0, -2.0), "two equal numbers") for op in ("add", "sub", "mul", "div")),
        *(Case(("pow", 1.7, whole), "a whole exponent") for whole in (2.0, 3.0, -2.0)),
        *(Case(("pow", 1.7, small), "the exponents 0 and 1") for small in (0.0, 1.0)),
        Case(("pow", 1.0, 2.5), "the base 1"),
        Case(("pow", 1.3, 1.3), "two equal numbers"),
    ]


def mistaken(op: str, rule: Callable[[float, float], Slopes]) -> Callable[[str, float, float], Slopes]:
    """The right answer but for one operation."""
    return lambda name, a, b: rule(a, b) if name == op else local_gradients(name, a, b)


LOCAL_GRADIENTS = Exercise(
    id="backpropagation.local_gradients",
    kind="function",
    title="The slopes of one operation",
    points=1,
    minutes=8,
    difficulty=1,
    function="local_gradients",
    reference=local_gradients,
    alternatives=(local_gradients_from_output, local_gradients_by_match),
    inputs=local_gradients_inputs,
    returns=("da", "db"),
    wrong=(
        Wrong(
            "product-not-swapped",
            mistaken("mul", lambda a, b: (a, b)),
            'For "mul", each factor gets itself as its slope. If `a` grows by a little in `a * b`, '
            "what is that little multiplied with?",
        ),
        Wrong(
            "sum-hands-values",
            mistaken("add", lambda a, b: (a, b)),
            'For "add" you return the inputs themselves. If `a` grows by 0.01, by how much does `a + b` grow, '
            "and does that depend on how large `a` is?",
        ),
        Wrong(
            "difference-sign",
            mistaken("sub", lambda a, b: (1.0, 1.0)),
            'For "sub", the slope for `b` is positive. Does `a - b` grow when `b` grows?',
        ),
        Wrong(
            "quotient-sign",
            mistaken("div", lambda a, b: (1 / b, a / b**2)),
            'For "div", the slope for `b` has the wrong sign. With both numbers positive: '
            "does `a / b` grow or shrink when `b` grows?",
        ),
        Wrong(
            "quotient-not-squared",
            mistaken("div", lambda a, b: (1 / b, -a / b)),
            'For "div", the slope for `b` is -a / b: a power of `b` is missing. '
            "Write a / b as a times b to the power of -1: what does the power rule make of it?",
        ),
        Wrong(
            "quotient-of-slopes",
            mistaken("div", lambda a, b: (1.0, 1.0)),
            'For "div" both slopes are 1: the slope of each input was divided by that of the other. '
            "If `b` is 4, by how much does `a / b` grow when `a` grows by 1?",
        ),
        Wrong(
            "exponent-not-lowered",
            mistaken("pow", lambda a, b: (b * a**b, a**b * math.log(a))),
            'For "pow", the slope for `a` is b times a to the power of b: the exponent was not lowered. '
            "What is the slope of a², and what would yours give?",
        ),
        Wrong(
            "exponent-not-in-front",
            mistaken("pow", lambda a, b: (a ** (b - 1), a**b * math.log(a))),
            'For "pow", the exponent was lowered for `a`, but the factor in front is missing. What is the slope of a³?',
        ),
        Wrong(
            "exponent-held-fixed",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), 0.0)),
            'For "pow", the slope for the exponent is 0, as if `b` could not move. '
            "How does 2 to the power of b change when b goes from 3 to 3.01?",
        ),
        Wrong(
            "logarithm-missing",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), a**b)),
            'For "pow", the slope for `b` is the output itself, which is right for the base e only. '
            "Which factor takes care of another base?",
        ),
        Wrong(
            "logarithm-of-exponent",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), a**b * math.log(b))),
            'For "pow", the slope for `b` has the logarithm of the exponent. Write a to the power of b as '
            "exp(b · ln a): what stands beside the moving `b` there?",
        ),
        Wrong(
            "logarithm-to-base-ten",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), a**b * math.log10(a))),
            'For "pow", the slope for `b` has the logarithm to the base 10. Which base has a power that is its own slope?',
        ),
        Wrong(
            "logarithm-to-base-two",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), a**b * math.log2(a))),
            'For "pow", the slope for `b` has the logarithm to the base 2. Which base has a power that is its own slope?',
        ),
        Wrong(
            "exponent-lowered-in-log-term",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), a ** (b - 1) * math.log(a))),
            'For "pow", the exponent was lowered in the slope for `b` too. When only the exponent moves, which power does it multiply?',
        ),
        Wrong(
            "numerator-forgotten",
            mistaken("div", lambda a, b: (1 / b, -1 / b**2)),
            'For "div", the slope for `b` is that of 1 / b: `a` does not come in. If `a` is 10 times as large, '
            "by how much does `a / b` change when `b` moves?",
        ),
        Wrong(
            "power-rule-for-exponent",
            mistaken("pow", lambda a, b: (b * a ** (b - 1), a * b ** (a - 1))),
            'For "pow", the power rule was used for `b` as well, with base and exponent exchanged. '
            "When only the exponent moves, is this a power like x³ or an exponential like 2ˣ?",
        ),
    ),
    hints=(
        "Take one operation at a time. Ask: if `a` grows by a tiny bit and `b` stays, by how many bits does the output grow?",
        "The lesson's table of local rules has all but one; read it with g = 1. "
        "For the exponent's slope write the power as exp(b · ln a).",
        'Five cases, each returning a pair. For "div": 1 over `b`, and minus `a` over the square of `b`. For "pow": the '
        "power rule for `a`; for `b` the output times the natural logarithm of `a`.",
    ),
    unlocks="These pairs are the rules that every engine below stores.",
)

# --- backpropagation.by_hand --------------------------------------------------------------------------------------
# a = 2, b = -2.5: u = a·b = -5, v = u + a = -3, L = v² + 5u = -16

RIGHT = {"v": -6, "u": -1, "a": -3.5, "b": -2}

U_TOO_EARLY = (
    "The slope at u is right, but it was handed on to a before it was complete, with one of its two shares only. "
    "When is the slope of a box that is used twice ready to go on?"
)

BY_HAND = Exercise(
    id="backpropagation.by_hand",
    kind="value",
    title="A backward pass by hand",
    points=2,
    minutes=10,
    difficulty=1,
    function="hand_slopes",
    reference=RIGHT,
    driver="value",
    inputs=lambda rng: [Case()],
    wrong=(
        Wrong(
            "values-for-slopes",
            {"v": -3, "u": -5, "a": 2, "b": -2.5},
            "These are the values of the forward pass. How much does L change when each of them changes a little?",
        ),
        Wrong(
            "square-only",
            {"v": -6, "u": -6},
            "The slope at u has only the share that came through v. Where else does an arrow leave the box of u?",
        ),
        Wrong(
            "five-u-only",
            {"v": -6, "u": 5},
            "The slope at u has only the share that came through 5u. Where else does an arrow leave the box of u?",
        ),
        Wrong(
            "a-through-product-only",
            {**RIGHT, "a": 2.5},
            "All right but a: it has only the share through the product u. Which other box was made from a?",
        ),
        Wrong(
            "a-through-sum-only",
            {**RIGHT, "a": -6},
            "All right but a: it has only the share through the sum v. Which other box was made from a?",
        ),
        Wrong("a-before-u-was-complete", {"u": -1, "a": 9}, U_TOO_EARLY),
        Wrong(
            "b-before-u-was-complete",
            {"u": -1, "b": -12},
            "b got its share while the slope at u was still -6, the part through v alone. What has to be added at u before it is b's turn?",
        ),
        Wrong("a-from-five-u-only", {"u": -1, "a": -18.5}, U_TOO_EARLY),
        Wrong(
            "b-from-five-u-only",
            {"u": -1, "b": 10},
            "b got its share while the slope at u was still 5, the part through 5u alone. What has to be added at u before it is b's turn?",
        ),
        Wrong(
            "value-of-the-square",
            {"v": 9},
            "9 is the value of v², not its slope. If v goes from -3 to -2.9, by how much does v² change, and how many times 0.1 is that?",
        ),
        Wrong(
            "text-for-a-number",
            {"v": "-6"},
            "The number stands in quotes, and to Python that is text. What is the same entry without quotes?",
        ),
        Wrong(
            "square-from-output",
            {"v": 18},
            "For the square you took twice its output, v². Is the slope of v² written with what goes into the square, "
            "or with what comes out?",
        ),
        Wrong(
            "two-missing",
            {"v": -3},
            "The slope of the square is v in your pass. If v goes from -3 to -2.9, by how much does v² change, "
            "and how many times 0.1 is that?",
        ),
        Wrong(
            "sign-of-square",
            {"v": 6},
            "The slope at v came out positive. v is negative: does its square grow or shrink when v grows?",
        ),
        Wrong(
            "product-not-swapped",
            {"v": -6, "u": -1, "a": -8, "b": 2.5},
            "In u = a·b each factor was given its own value as local slope. If a grows by a little, "
            "what is that little multiplied with?",
        ),
        Wrong(
            "shares-multiplied",
            {"v": -6, "u": -30},
            "At u the two shares, -6 through v and 5 through 5u, were multiplied. Slopes along one path multiply: "
            "what do slopes of several paths do?",
        ),
        Wrong(
            "a-shares-multiplied",
            {**RIGHT, "a": -15},
            "All right but a, where the two shares, 2.5 through u and -6 through v, were multiplied. "
            "Slopes along one path multiply: what do slopes of several paths do?",
        ),
    ),
    hints=(
        "Start at L with 1 and go one box back at a time. First v: what is the slope of v² where v = -3?",
        "Two boxes are used twice: u (in v and in 5u) and a (in u and in v). Each gets the sum of two shares.",
        "v: 2·v. u: the slope of v times 1, plus 5. a: the slope of u times b, plus the slope of v times 1. "
        "b: the slope of u times a.",
    ),
    unlocks="From here on you let a program do this, and know what it does.",
)
