"""A number that remembers how it was made, so that the slope of a result with respect to every number before it follows.

Each operation returns a new :class:`Value` that holds its inputs and a rule: given the slope of the final result with
respect to the output, the slopes with respect to the inputs. ``backward`` applies the rules from the newest value to
the oldest, so a value's own slope is complete before it is passed on (reverse accumulation: Linnainmaa 1970).
"""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Value", "collector_paused"]

Rule = Callable[[float], tuple[float, ...]]


class Value:
    """One number in a computation graph.

    Parameters
    ----------
    data : the number
    parents : the values it was made from; empty for a leaf, that is for an input or a weight
    rule : slope at this value -> slopes at the parents, in their order
    op : the sign or name of the operation, for drawings and messages
    label : a name, for drawings and messages
    """

    __slots__ = ("data", "grad", "label", "number", "op", "parents", "rule")
    _numbers = itertools.count()

    def __init__(
        self, data: float, parents: tuple[Value, ...] = (), rule: Rule | None = None, op: str = "", label: str = ""
    ) -> None:
        self.data, self.grad = float(data), 0.0
        self.parents, self.rule = parents, rule
        self.op, self.label = op, label
        self.number = next(Value._numbers)  # a result is always younger than what it was made from

    def __add__(self, other: Value | float) -> Value:
        a, b = self, _value(other)
        return Value(a.data + b.data, (a, b), lambda grad: (grad, grad), "+")

    def __mul__(self, other: Value | float) -> Value:
        a, b = self, _value(other)
        return Value(a.data * b.data, (a, b), lambda grad: (grad * b.data, grad * a.data), "×")

    def __pow__(self, power: float) -> Value:
        if isinstance(power, Value):
            raise TypeError("power is a Value; only a plain number is allowed: write (b * a.log()).exp() for a ** b")
        a = self
        return Value(a.data**power, (a,), lambda grad: (grad * power * a.data ** (power - 1),), f"^{power:g}")

    def exp(self) -> Value:
        """e to the power of this value."""
        out = math.exp(self.data)
        return Value(out, (self,), lambda grad: (grad * out,), "exp")

    def log(self) -> Value:
        """The natural logarithm."""
        a = self
        return Value(math.log(a.data), (a,), lambda grad: (grad / a.data,), "log")

    def tanh(self) -> Value:
        """The hyperbolic tangent; its slope 1 − tanh² is 1 at zero and vanishes on both sides."""
        out = math.tanh(self.data)
        return Value(out, (self,), lambda grad: (grad * (1 - out * out),), "tanh")

    def relu(self) -> Value:
        """This value where it is positive, else 0; the slope at the kink is taken as 0."""
        a = self
        return Value(max(a.data, 0.0), (a,), lambda grad: (grad if a.data > 0 else 0.0,), "relu")

    def __neg__(self) -> Value:
        return self * -1.0

    def __sub__(self, other: Value | float) -> Value:
        return self + -_value(other)

    def __truediv__(self, other: Value | float) -> Value:
        return self * _value(other) ** -1.0

    def __rsub__(self, other: float) -> Value:
        return _value(other) - self

    def __rtruediv__(self, other: float) -> Value:
        return _value(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def graph(self) -> list[Value]:
        """This value and all it depends on, each once and oldest first: every value stands after its parents."""
        found, stack = {self.number: self}, [self]
        while stack:  # no recursion: a chain of 100,000 operations is fine
            for parent in stack.pop().parents:
                if parent.number not in found:
                    found[parent.number] = parent
                    stack.append(parent)
        return [found[number] for number in sorted(found)]

    def backward(self) -> None:
        """Add the slope of this value with respect to each leaf to the leaf's ``grad``; set that of the values between.

        Leaves add up over several calls, as in PyTorch: call :meth:`zero_grad` on the weights before each step.
        """
        newest_first = self.graph()[::-1]
        for value in newest_first:
            if value.rule is not None:
                value.grad = 0.0
        self.grad += 1.0
        for value in newest_first:
            if value.rule is not None:
                for parent, grad in zip(value.parents, value.rule(value.grad)):  # noqa: B905  (strict= is slow)
                    parent.grad += grad

    def zero_grad(self) -> None:
        """Forget the slopes added up so far."""
        self.grad = 0.0

    def __repr__(self) -> str:
        return f"Value({self.data:.4g}, grad={self.grad:.4g})"


def _value(number: Value | float) -> Value:
    return number if isinstance(number, Value) else Value(number)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's cyclic garbage collector from running in the body.

    It walks over all living objects again and again while a graph of small objects grows, for nothing: the graph has no
    cycles and is freed by reference counts.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
