"""What an op is, for the whole engine.

An op is a pure function of arrays. It returns its output and a *backward rule*: a function from the gradient of the
loss with respect to the output (``grad``, the output's shape) to the gradients with respect to each input::

    def mul(a, b):
        return a * b, lambda grad: (grad * b, grad * a)

A rule computes a vector-Jacobian product (Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3) and returns
a tuple with one entry for each input. An entry is

- an array. Where the input was broadcast, it may have the output's shape: the graph sums it down, once for all ops;
- a function without arguments that computes a *new* array: it is called only if that input needs a gradient
  (for matrix products, whose gradients cost as much as the output);
- None where the input has no gradient.

An op with several outputs returns a tuple of arrays, and its rule takes one gradient for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Operand: TypeAlias = "Array | float"  # a Python number stays one, so that float32 stays float32
Gradient: TypeAlias = "Array | Callable[[], Array] | None"
Rule: TypeAlias = Callable[..., Sequence[Gradient]]
Result: TypeAlias = tuple[Array, Rule]
