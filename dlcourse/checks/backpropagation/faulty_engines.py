"""Scalar engines with one mistake each."""

# ruff: noqa: D101, D102 (each class is a wrong answer, named in value.py)
from __future__ import annotations

import itertools
import math
import weakref
from typing import Any, ClassVar

from dlcourse.checks.backpropagation.engine import MiniValue, Rule


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


class WholeGradEveryVisit(MiniValue):
    """Hands on all it has, each time it is reached; the ways are walked parent by parent."""

    def backward(self) -> None:
        self.seed()
        self.walk()

    def walk(self) -> None:
        self.hand_on()
        for parent in self.parents:
            parent.walk()  # type: ignore[attr-defined]


class WholeGradByStack(MiniValue):
    at_the_end = True

    def backward(self) -> None:
        self.seed()
        todo: list[MiniValue] = [self]
        while todo:
            value = todo.pop(-1 if self.at_the_end else 0)
            value.hand_on()
            todo += value.parents


class WholeGradByQueue(WholeGradByStack):
    at_the_end = False


class WholeGradOneByOne(MiniValue):
    """As above, but walks on from a parent before the next one has its share."""

    def backward(self) -> None:
        self.seed()
        self.walk()

    def walk(self) -> None:
        if self.rule is not None:
            for parent, grad in zip(self.parents, self.rule(self.grad), strict=True):
                parent.grad += grad
                parent.walk()  # type: ignore[attr-defined]


class IntsNotLifted(MiniValue):
    def lift(self, other: Any) -> MiniValue:
        return type(self)(other) if isinstance(other, float) else other


class TanhAlone(MiniValue):
    def tanh(self) -> MiniValue:
        out = math.tanh(self.data)
        return type(self)(out, (self,), lambda grad: (1 - out**2,))


class ParentsOnce(MiniValue):
    def hand_on(self) -> None:
        if self.rule is not None:
            for parent, grad in dict(zip(self.parents, self.rule(self.grad), strict=True)).items():
                parent.grad += grad


class SquareSpecial(MiniValue):
    def __mul__(self, other: Any) -> MiniValue:
        if other is self:
            return SquareSpecial(self.data * self.data, (self,), lambda grad: (2 * grad,))
        return MiniValue.__mul__(self, other)


class RootWithoutGrad(MiniValue):
    def backward(self) -> None:
        super().backward()
        self.grad = 0.0


class InnerGradsCleared(MiniValue):
    def hand_on(self) -> None:
        super().hand_on()
        if self.parents:
            self.grad = 0.0


class AddsInPlace(MiniValue):
    def __add__(self, other: Any) -> MiniValue:
        if isinstance(other, MiniValue):
            return super().__add__(other)
        self.data += other
        return self


class ZeroTakenForNothing(MiniValue):
    def lift(self, other: Any) -> MiniValue:
        return super().lift(other or 1.0)


class Counted(MiniValue):
    """Keeps all values in the order of their birth."""

    count: ClassVar[Any] = itertools.count()
    alive: ClassVar[weakref.WeakSet[Any]]

    def __init__(self, data: float, parents: tuple[MiniValue, ...] = (), rule: Rule | None = None) -> None:
        super().__init__(data, parents, rule)
        self.number = next(Counted.count)
        type(self).alive.add(self)


class GlobalTape(Counted):
    alive: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()

    def order(self) -> list[MiniValue]:
        return sorted(self.alive, key=lambda value: value.number)


class AllReset(Counted):
    alive: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()

    def seed(self) -> None:
        for value in self.alive:
            value.grad = 0.0
        self.grad = 1.0


class CountsDeadBranches(MiniValue):
    """Waits for a share from every use of a value, also from those that do not lead to the result."""

    def __init__(self, data: float, parents: tuple[MiniValue, ...] = (), rule: Rule | None = None) -> None:
        super().__init__(data, parents, rule)
        self.uses = 0
        for parent in parents:
            parent.uses += 1  # type: ignore[attr-defined]

    def backward(self) -> None:
        self.seed()
        ready: list[Any] = [self]
        while ready:
            value = ready.pop()
            value.hand_on()
            for parent in value.parents:
                parent.uses -= 1
                if parent.uses == 0:
                    ready.append(parent)
