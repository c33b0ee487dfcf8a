"""The exercise that asks for a scalar engine: scripts that try one, and engines with one mistake each."""

# ruff: noqa: D101, D102 (each class is a wrong answer, named below)
from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from dlcourse.checks.backpropagation.engine import MiniValue, ValueByBirth, ValueWithClosures
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

# --- cases --------------------------------------------------------------------------------------------------------


def steps(start: dict[str, float], *operations: list[Any], grads: str = "ab", root: str = "L") -> tuple[list[Any]]:
    """Make values, compute, call backward on the root, and read the root's number and some slopes."""
    made = [[name, "new", number] for name, number in start.items()]
    read = [[f"{name}.grad", "get", name, "grad"] for name in grads]
    backward = [["_", "call", root, "backward"]]
    return ([*made, *operations, [f"{root}.data", "get", root, "data"], *backward, *read],)


def value_inputs(rng: np.random.Generator) -> list[Case]:
    a, b, c = (round(float(n), 2) for n in rng.uniform(0.3, 0.9, 3) * rng.choice([-1, 1], 3) + 0.05)
    start = {"a": a, "b": b}
    product, total = ["p", "*", "a", "b"], ["s", "+", "a", "b"]
    return [
        Case(steps({"a": 1.5, "b": -0.4}, ["L", "*", "a", "b"])),
        Case(steps({**start, "c": c}, product, ["L", "+", "p", "c"], grads="abcp")),
        Case(steps(start, ["_", "call", "a", "tanh"], product, ["_t", "call", "p", "tanh"], ["L", "*", "_t", "a"])),
        Case(steps(start, total, ["L", "*", "s", "a"], grads="abs")),
        Case(steps(start, product, ["_t", "call", "p", "tanh"], ["L", "*", "p", "_t"], grads="abp")),
        Case(steps(start, product, ["_t", "call", "p", "tanh"], ["q", "+", "_t", "b"], ["L", "*", "q", "p"], grads="abpq")),
        Case(steps(start, ["d", "*", "a", 3.0], ["e", "+", "d", 0.7], ["L", "*", "e", "b"], grads="abde")),
        Case(steps(start, ["d", "*", 3.0, "a"], ["e", "+", 0.7, "d"], ["L", "*", "e", "b"], grads="abde"), "a number on the left"),
        Case(steps({**start, "c": c}, product, ["L", "+", "p", "a"], ["x", "*", "L", "c"], grads="abcx"), "a value that L does not depend on"),
        Case(steps(start, total, *doublings("s", 40), grads="ab"), "many paths"),
        Case(steps(start, ["L", "chain", "a", "+", 0.5, 2500], grads="a"), "a chain of 2,500 additions"),
    ]  # fmt: skip


def doublings(name: str, times: int) -> list[list[Any]]:
    names = [name, *(f"d{i}" for i in range(times - 1)), "L"]
    return [[new, "+", old, old] for old, new in itertools.pairwise(names)]


# --- wrong answers ------------------------------------------------------------------------------------------------


class Overwriting(MiniValue):
    def hand_on(self) -> None:
        if self.rule is not None:
            for parent, grad in zip(self.parents, self.rule(self.grad), strict=True):
                parent.grad = grad


class LevelByLevel(MiniValue):
    def order(self) -> list[MiniValue]:
        found: dict[MiniValue, None] = {self: None}
        todo: list[MiniValue] = [self]
        for value in todo:
            new = {parent: None for parent in value.parents if parent not in found}
            found |= new
            todo += new
        return todo[::-1]


class LeftOnly(MiniValue):
    def hand_on(self) -> None:
        if self.rule is not None:
            self.parents[0].grad += self.rule(self.grad)[0]


class Unseeded(MiniValue):
    def seed(self) -> None: ...


class NumbersNotLifted(MiniValue):
    def lift(self, other: Any) -> MiniValue:
        return other  # type: ignore[no-any-return]


class NoReflected(MiniValue):
    __radd__ = __rmul__ = None  # type: ignore[assignment]


class NotSwapped(MiniValue):
    def __mul__(self, other: Any) -> MiniValue:
        other = self.lift(other)
        return type(self)(self.data * other.data, (self, other), lambda grad: (grad * self.data, grad * other.data))


class TanhFromInput(MiniValue):
    def tanh(self) -> MiniValue:
        return type(self)(math.tanh(self.data), (self,), lambda grad: (grad * (1 - self.data**2),))


class TanhUnsquared(MiniValue):
    def tanh(self) -> MiniValue:
        out = math.tanh(self.data)
        return type(self)(out, (self,), lambda grad: (grad * (1 - out),))


class TanhSlopeOfSigmoid(MiniValue):
    def tanh(self) -> MiniValue:
        out = math.tanh(self.data)
        return type(self)(out, (self,), lambda grad: (grad * out * (1 - out),))


class TanhForgets(MiniValue):
    def tanh(self) -> MiniValue:
        return type(self)(math.tanh(self.data))


class SumLikeProduct(MiniValue):
    def __add__(self, other: Any) -> MiniValue:
        other = self.lift(other)
        return type(self)(self.data + other.data, (self, other), lambda grad: (grad * self.data, grad * other.data))


class FactorLost(MiniValue):
    def __mul__(self, other: Any) -> MiniValue:
        if not isinstance(other, MiniValue):
            return type(self)(self.data * other, (self,), lambda grad: (grad,))
        return super().__mul__(other)


class SeededWithData(MiniValue):
    def seed(self) -> None:
        self.grad = self.data


class LocalOnly(MiniValue):
    def hand_on(self) -> None:
        if self.rule is not None:
            for parent, grad in zip(self.parents, self.rule(1.0), strict=True):
                parent.grad += grad


class OneStep(MiniValue):
    def backward(self) -> None:
        self.seed()
        self.hand_on()


class Recursive(MiniValue):
    def order(self) -> list[MiniValue]:
        order: list[MiniValue] = []
        seen: set[int] = set()

        def visit(value: MiniValue) -> None:
            if id(value) not in seen:
                seen.add(id(value))
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        return order


class EveryPath(MiniValue):
    def backward(self, grad: float = 1.0) -> None:
        self.grad += grad
        if self.rule is not None:
            for parent, part in zip(self.parents, self.rule(grad), strict=True):
                parent.backward(part)  # type: ignore[call-arg]


class FullGradEveryPath(MiniValue):
    def backward(self) -> None:
        if self.grad == 0.0:
            self.grad = 1.0
        self.hand_on()
        for parent in self.parents:
            if parent.rule is not None:
                parent.backward()


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
        Wrong(
            "shares-handed-on-twice",
            FullGradEveryPath,
            "A value that is reached by two ways hands on all it has each time it is reached, so that the first share goes on twice. "
            "How often should a value hand on, and when?",
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
