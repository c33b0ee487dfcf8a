"""Three right answers to the exercise that asks for a scalar engine."""

# ruff: noqa: D101, D102

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Rule = Callable[[float], tuple[float, ...]]


class MiniValue:
    """Stores its parents and a rule; walks them in a topological order."""

    def __init__(self, data: float, parents: tuple[MiniValue, ...] = (), rule: Rule | None = None) -> None:
        self.data, self.grad = data, 0.0
        self.parents, self.rule = parents, rule

    def lift(self, other: Any) -> MiniValue:
        return other if isinstance(other, MiniValue) else type(self)(other)

    def __add__(self, other: Any) -> MiniValue:
        other = self.lift(other)
        return type(self)(self.data + other.data, (self, other), lambda grad: (grad, grad))

    def __mul__(self, other: Any) -> MiniValue:
        other = self.lift(other)
        return type(self)(self.data * other.data, (self, other), lambda grad: (grad * other.data, grad * self.data))

    def __radd__(self, other: Any) -> MiniValue:
        return self.__add__(other)

    def __rmul__(self, other: Any) -> MiniValue:
        return self.__mul__(other)

    def tanh(self) -> MiniValue:
        out = math.tanh(self.data)
        return type(self)(out, (self,), lambda grad: (grad * (1 - out**2),))

    def order(self) -> list[MiniValue]:
        order: list[MiniValue] = []
        seen: set[int] = set()
        stack = [(self, False)]
        while stack:
            value, parents_done = stack.pop()
            if parents_done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack += [(parent, False) for parent in value.parents]
        return order

    def seed(self) -> None:
        self.grad = 1.0

    def hand_on(self) -> None:
        if self.rule is not None:
            for parent, grad in zip(self.parents, self.rule(self.grad), strict=True):
                parent.grad += grad

    def backward(self) -> None:
        self.seed()
        for value in reversed(self.order()):
            value.hand_on()


class ValueByBirth:
    born = 0

    def __init__(self, data: float, parents: tuple[Any, ...] = (), slopes: tuple[float, ...] = ()) -> None:
        self.data, self.grad = data, 0.0
        self.parents, self.slopes = parents, slopes  # local slopes are known as soon as the value is
        ValueByBirth.born += 1
        self.number = ValueByBirth.born

    def __add__(self, other: Any) -> ValueByBirth:
        if not isinstance(other, ValueByBirth):
            return ValueByBirth(self.data + other, (self,), (1.0,))
        return ValueByBirth(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> ValueByBirth:
        if not isinstance(other, ValueByBirth):
            return ValueByBirth(self.data * other, (self,), (other,))
        return ValueByBirth(self.data * other.data, (self, other), (other.data, self.data))

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self) -> ValueByBirth:
        return ValueByBirth(math.tanh(self.data), (self,), (1 - math.tanh(self.data) ** 2,))

    def backward(self) -> None:
        found, todo = {self}, [self]
        for value in todo:
            new = {parent for parent in value.parents if parent not in found}
            found |= new
            todo += new
        self.grad = 1.0
        for value in sorted(found, key=lambda value: -value.number):
            for parent, slope in zip(value.parents, value.slopes, strict=True):
                parent.grad += value.grad * slope


class ValueWithClosures:
    def __init__(self, data: float, parents: tuple[Any, ...] = ()) -> None:
        self.data, self.grad, self.parents = data, 0.0, parents
        self.push: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> ValueWithClosures:
        other = other if isinstance(other, ValueWithClosures) else ValueWithClosures(other)
        out = ValueWithClosures(self.data + other.data, (self, other))

        def push() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out.push = push
        return out

    def __mul__(self, other: Any) -> ValueWithClosures:
        other = other if isinstance(other, ValueWithClosures) else ValueWithClosures(other)
        out = ValueWithClosures(self.data * other.data, (self, other))

        def push() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.push = push
        return out

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self) -> ValueWithClosures:
        out = ValueWithClosures(math.tanh(self.data), (self,))

        def push() -> None:
            self.grad += out.grad / math.cosh(self.data) ** 2

        out.push = push
        return out

    def backward(self) -> None:
        uses: dict[Any, int] = {self: 0}
        todo: list[Any] = [self]
        for value in todo:
            for parent in value.parents:
                if parent not in uses:
                    todo.append(parent)
                uses[parent] = uses.get(parent, 0) + 1
        self.grad, ready = 1.0, [self]
        while ready:
            value = ready.pop()
            value.push()
            for parent in value.parents:
                uses[parent] -= 1
                if uses[parent] == 0:
                    ready.append(parent)
