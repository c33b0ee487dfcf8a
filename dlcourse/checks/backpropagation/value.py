"""The exercise that asks for a scalar engine: scripts that try one, and what the wrong ones get to hear."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from dlcourse.checks.backpropagation.engine import MiniValue, ValueByBirth, ValueWithClosures
from dlcourse.checks.backpropagation.faulty_engines import (
    AddsInPlace,
    AllReset,
    CountsDeadBranches,
    EveryPath,
    FactorLost,
    GlobalTape,
    InnerGradsCleared,
    IntsNotLifted,
    LeftOnly,
    LevelByLevel,
    LocalOnly,
    NoReflected,
    NotSwapped,
    NumbersNotLifted,
    OneStep,
    Overwriting,
    ParentsOnce,
    Recursive,
    RootWithoutGrad,
    SeededWithData,
    SquareSpecial,
    SumLikeProduct,
    TanhAlone,
    TanhForgets,
    TanhFromInput,
    TanhSlopeOfSigmoid,
    TanhUnsquared,
    Unseeded,
    WholeGradByQueue,
    WholeGradByStack,
    WholeGradEveryVisit,
    WholeGradOneByOne,
    ZeroTakenForNothing,
)
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def steps(start: dict[str, float], *operations: list[Any], grads: str = "abL", root: str = "L") -> tuple[list[Any]]:
    """Make values, compute, call backward on the root, and read the root's number and some slopes."""
    made = [[name, "new", number] for name, number in start.items()]
    read = [[f"{name}.grad", "get", name, "grad"] for name in grads]
    backward = [["_", "call", root, "backward"]]
    return ([*made, *operations, [f"{root}.data", "get", root, "data"], *backward, *read],)


def value_inputs(rng: np.random.Generator) -> list[Case]:
    a, b, c = (round(float(n), 2) for n in rng.uniform(0.3, 0.9, 3) * rng.choice([-1, 1], 3) + 0.05)
    start = {"a": a, "b": b}
    product, total, bent = ["p", "*", "a", "b"], ["s", "+", "a", "b"], ["_t", "call", "p", "tanh"]
    return [
        Case(steps({"a": 1.5, "b": -0.4}, ["L", "*", "a", "b"])),
        Case(steps({**start, "c": c}, product, ["L", "+", "p", "c"], grads="abcpL")),
        Case(steps(start, ["_", "call", "a", "tanh"], product, bent, ["L", "*", "_t", "a"])),
        Case(steps(start, total, ["L", "*", "s", "a"], grads="absL")),
        Case(steps(start, product, bent, ["L", "*", "p", "_t"], grads="abp")),
        Case(steps(start, product, bent, ["q", "+", "_t", "b"], ["L", "*", "q", "p"], grads="abpq")),
        Case(steps({"a": 0.7, "b": -0.6}, product, bent, ["q", "*", "p", "_t"], ["r", "+", "q", "p"], ["L", "*", "r", "_t"], grads="abpqr")),
        Case(steps(start, ["d", "*", "a", 3.0], ["e", "+", "d", 0.7], ["L", "*", "e", "b"], grads="abde")),
        Case(steps(start, ["d", "*", "a", 3], ["e", "+", "d", -2], ["L", "*", "e", "b"], grads="abde")),
        Case(steps(start, ["d", "*", 3.0, "a"], ["e", "+", 0.7, "d"], ["L", "*", "e", "b"], grads="abde"), "a number on the left"),
        Case(steps(start, ["d", "*", 3, "a"], ["e", "+", 2, "d"], ["L", "*", "e", "b"], grads="abde"), "a whole number on the left"),
        Case(steps({"a": 3.0}, ["L", "*", "a", "a"], grads="aL"), "a value times itself"),
        Case(steps({"a": -1.5}, ["q", "*", "a", "a"], ["L", "*", "q", "q"], grads="aqL"), "a value times itself"),
        Case(steps({"a": 3.0}, ["L", "+", "a", "a"], grads="aL"), "a value plus itself"),
        Case(steps({"a": 2.0}, ["x", "+", "a", 1], ["L", "*", "x", "a"], ["a.data", "get", "a", "data"], grads="ax"), "a value that is used again after + 1"),
        Case(steps({"a": 2.0}, ["x", "*", "a", 3], ["L", "*", "x", "a"], ["a.data", "get", "a", "data"], grads="ax"), "a value that is used again after * 3"),
        Case(steps({"a": 2.0, "b": 3.0}, ["d", "*", "a", 0], ["e", "*", 0.0, "b"], ["f", "+", "d", "e"], ["g", "+", "f", 0], ["L", "+", "g", "a"], grads="abde"), "the number 0 as an operand"),
        Case(steps({"a": 0.0, "b": 2.0}, product, ["L", "+", "p", "a"], grads="abp"), "a value that is 0"),
        Case(steps({"a": 2.0}, grads="a", root="a"), "backward called on an input"),
        Case(steps({"a": 2.0, "b": 3.0}, product, bent, ["q", "*", "p", "p"], ["L", "+", "q", "a"], grads="abpq"), "a result that is not used further"),
        Case(two_graphs(), "a second graph"),
        Case(steps({"a": 20.0, "b": -20.0}, ["_t", "call", "a", "tanh"], ["_s", "call", "b", "tanh"], ["L", "*", "_t", "_s"]), "tanh far from 0"),
        Case(steps({**start, "c": c}, product, ["L", "+", "p", "a"], ["x", "*", "L", "c"], grads="abcx"), "a value that L does not depend on"),
        Case(steps(start, total, *doublings("s", 40), grads="ab"), "many paths"),
        Case(steps(start, ["L", "chain", "a", "+", 0.5, 2500], grads="a"), "a chain of 2,500 additions"),
    ]  # fmt: skip


def two_graphs() -> tuple[list[Any]]:
    """One graph made and walked, then another; nothing in the first may change."""
    (first,) = steps({"a": 2.0, "b": 3.0}, ["p", "*", "a", "b"], ["L", "*", "p", "a"], grads="")
    (second,) = steps({"c": 5.0}, ["M", "*", "c", "c"], grads="c", root="M")
    return ([*first, *second, *([f"{name}.grad", "get", name, "grad"] for name in "abpLM")],)


def doublings(name: str, times: int) -> list[list[Any]]:
    names = [name, *(f"d{i}" for i in range(times - 1)), "L"]
    return [[new, "+", old, old] for old, new in itertools.pairwise(names)]


HANDED_ON_TWICE = (
    "A value that is reached by two ways hands on all it has each time it is reached, so that the first share goes on twice. "
    "How often should a value hand on, and when?"
)

VALUE = Exercise(
    id="backpropagation.value",
    kind="class",
    title="A number that remembers",
    points=4,
    minutes=35,
    difficulty=3,
    function="MiniValue",
    reference=MiniValue,
    alternatives=(ValueByBirth, ValueWithClosures),
    driver="script",
    inputs=value_inputs,
    seconds=1,
    wrong=(
        Wrong(
            "overwritten",
            Overwriting,
            "A value that is used twice keeps only the share that came last: its slope is overwritten. "
            "What should happen when a second share arrives?",
        ),
        Wrong(
            "order",
            LevelByLevel,
            "Right as long as all ways to a value are equally long. Where a short and a long way meet, a value hands its slope on "
            "before the share from the long way has arrived. Which order makes every value wait?",
        ),
        Wrong(
            "right-operand-forgotten",
            LeftOnly,
            "Only the left operand of + and × gets a slope; the right one stays at 0. Which of the two may change the result?",
        ),
        Wrong(
            "seed-missing",
            Unseeded,
            "Every slope is 0 afterwards. The backward pass starts at the result, with its slope with respect to itself: "
            "which number is that, and is a slope set back to 0 after it was found?",
        ),
        Wrong(
            "numbers-not-wrapped",
            NumbersNotLifted,
            "With a plain number as the other operand your class stops with an AttributeError: a float has no `.data`. "
            "What could you turn the number into before you use it?",
        ),
        Wrong(
            "number-on-the-left",
            NoReflected,
            "A value on the left works, a plain number on the left does not: Python asks the number first, which knows nothing of "
            "your class. Which two special methods does Python try next?",
        ),
        Wrong(
            "product-not-swapped",
            NotSwapped,
            "In a product each factor gets its own number as local slope. If a grows a little in a·b, "
            "what is that little multiplied with?",
        ),
        Wrong(
            "tanh-from-input",
            TanhFromInput,
            "The slope of tanh is 1 minus the square of something, and you took its input. "
            "What is tanh's slope at 2, where the curve is nearly flat, and what does yours give?",
        ),
        Wrong(
            "tanh-not-squared",
            TanhUnsquared,
            "The slope of tanh came out as 1 minus its output, which is not even the same on both sides of 0. "
            "The curve is symmetric: what is missing?",
        ),
        Wrong(
            "tanh-slope-of-sigmoid",
            TanhSlopeOfSigmoid,
            "The slope that tanh hands on is out·(1 - out), which belongs to the sigmoid. "
            "Which line of the lesson's table is tanh's?",
        ),
        Wrong(
            "tanh-forgets",
            TanhForgets,
            "Behind a tanh all slopes are missing: its result knows nothing of the value it was made from. "
            "What do the results of + and × store that this one does not?",
        ),
        Wrong(
            "sum-like-product",
            SumLikeProduct,
            "In a sum each operand's slope is multiplied with its own number. If a grows by a little, "
            "by how much does a + b grow, whatever a is?",
        ),
        Wrong(
            "factor-lost",
            FactorLost,
            "With a plain number as a factor, the value's slope passes as if the factor were 1. "
            "If x grows by 1, by how much does 3·x grow?",
        ),
        Wrong(
            "seed-is-data",
            SeededWithData,
            "The backward pass starts with the number in the result instead of its slope, so that all slopes are too large by this "
            "factor. By how much does L grow when L grows by 1?",
        ),
        Wrong(
            "arriving-slope-ignored",
            LocalOnly,
            "Each value hands back its local slope alone, as if the slope that arrived were always 1. "
            "The chain rule is a product along the path: of what?",
        ),
        Wrong(
            "one-step",
            OneStep,
            "Only the direct parents of the result get a slope; what lies behind them stays at 0. "
            "Who hands the slopes on from there, and at which end does the walk begin?",
        ),
        Wrong("shares-handed-on-twice", WholeGradEveryVisit, HANDED_ON_TWICE),
        Wrong("shares-handed-on-twice-by-stack", WholeGradByStack, HANDED_ON_TWICE),
        Wrong("shares-handed-on-twice-by-queue", WholeGradByQueue, HANDED_ON_TWICE),
        Wrong("shares-handed-on-twice-in-turn", WholeGradOneByOne, HANDED_ON_TWICE),
        Wrong(
            "whole-numbers-not-wrapped",
            IntsNotLifted,
            "A float as the other operand works, a whole number such as 3 does not: an int is not a float to `isinstance`. "
            "What does your code do with an operand that is neither a MiniValue nor a float?",
        ),
        Wrong(
            "tanh-arriving-slope-ignored",
            TanhAlone,
            "tanh hands back its local slope alone, so that whatever arrives from above is lost there; + and × are right. "
            "What do their rules multiply with that this one does not?",
        ),
        Wrong(
            "same-operand-once",
            ParentsOnce,
            "Where both operands are the same value, as in x·x or y + y, only one of the two shares arrives. "
            "What does a dict or a set do with a parent that comes twice?",
        ),
        Wrong(
            "square-special-rule",
            SquareSpecial,
            "A value times itself has a rule of its own in your class, and it hands back twice the slope that arrives, whatever the value. "
            "How steep is x² at 3? And is a rule of its own needed?",
        ),
        Wrong(
            "result-without-slope",
            RootWithoutGrad,
            "All slopes are right but one: `.grad` of the result itself is 0 afterwards. How fast does L grow with L, "
            "and where is this number written down?",
        ),
        Wrong(
            "inner-slopes-cleared",
            InnerGradsCleared,
            "The inputs have the right slopes, but those of the values between are 0 afterwards. "
            "When a value has handed its slope on, does somebody still want to read it?",
        ),
        Wrong(
            "changed-in-place",
            AddsInPlace,
            "Adding a plain number changes the value itself: after x + 1, x is no longer what it was. "
            "What should `+` hand back, and what should it leave alone?",
        ),
        Wrong(
            "zero-taken-for-nothing",
            ZeroTakenForNothing,
            "With the number 0 as the other operand, your class goes on as if it were 1. To `or` and `if`, 0 counts as nothing: "
            "how can you ask instead what kind of operand it is?",
        ),
        Wrong(
            "all-values-walked",
            GlobalTape,
            "`backward` runs over all values ever made, also over those of another graph, which hand on a second time. "
            "Where can you start so that you meet only what the result was made from?",
        ),
        Wrong(
            "all-slopes-reset",
            AllReset,
            "`backward` sets the slopes of all values ever made to 0, also those that the result does not depend on. "
            "The task says what happens to them: which values may it touch?",
        ),
        Wrong(
            "dead-branch-waited-for",
            CountsDeadBranches,
            "A value that was used once more, in something that does not lead to the result, waits for ever for that share. "
            "Which uses should be counted?",
        ),
        Wrong(
            "recursive",
            Recursive,
            "All slopes are right, but `backward` calls itself from value to value, and Python allows only some 1,000 calls inside "
            "each other: a long chain ends in a RecursionError. Can a list of what is still to do take the place of the calls?",
        ),
        Wrong(
            "every-path",
            EveryPath,
            "The slopes are right, but each path is walked on its own, and with every doubling there are twice as many: forty "
            "doublings do not end in your lifetime. How can a value collect all its shares before it hands on once?",
        ),
    ),
    hints=(
        "Begin with `__init__`, `__mul__` and a `backward` that works for L = a·b alone. Then a·b + c, then a·a.",
        "Every result stores its parents and a rule that turns the slope at the result into slopes at the parents. `backward` puts 1 "
        "at the result, then lets each value hand on once, in an order in which all children of a value come before it.",
        "Number the values as they are made; a result always has a larger number than its parents. Collect what the result depends "
        "on with a list (no recursion), sort by number from large to small, and for each: for every parent, add its share to "
        "`parent.grad`. `__radd__` and `__rmul__` can call the other two.",
    ),
    unlocks="This is the engine that trains any network made of +, × and tanh.",
)
