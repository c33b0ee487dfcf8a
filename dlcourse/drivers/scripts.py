"""A driver for classes: it makes objects, applies operators, calls methods and reads attributes as a list of steps says.

A step is ``[target, verb, *operands]``. A string operand names an earlier target; anything else stands for itself.

    ["a", "new", 2.0]             a = answer(2.0)
    ["c", "+", "a", "b"]          c = a + b          (also - * / ** @ and "neg")
    ["_", "call", "c", "backward"]   c.backward()    (further operands are its arguments)
    ["g", "get", "a", "grad"]     g = a.grad
    ["v", "chain", "a", "+", 1.0, 5000]   v = (((a + 1.0) + 1.0) + ...), 5000 times

What is handed back: the targets of ``get``, and of ``call`` where the target does not begin with "_", by name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from dlcourse.drivers.case import plain

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
}


def script(answer: Callable[..., Any], steps: list[list[Any]]) -> dict[str, Any]:
    """Carry out the steps on objects of the class ``answer``."""
    registers: dict[str, Any] = {}
    results: dict[str, Any] = {}

    def real(operand: Any) -> Any:
        return registers[operand] if isinstance(operand, str) else operand

    for target, verb, *operands in steps:
        if verb == "new":
            made = answer(*map(real, operands))
        elif verb == "get":
            made = results[target] = plain(getattr(real(operands[0]), operands[1]))
        elif verb == "call":
            made = getattr(real(operands[0]), operands[1])(*map(real, operands[2:]))
            if not target.startswith("_"):
                results[target] = plain(made)
        elif verb == "neg":
            made = -real(operands[0])
        elif verb == "chain":
            made, (symbol, number, times) = real(operands[0]), operands[1:]
            for _ in range(times):
                made = OPERATORS[symbol](made, number)
        else:
            made = OPERATORS[verb](real(operands[0]), real(operands[1]))
        registers[target] = made
    return results
