"""A case: the arguments of one call, as plain data that can cross a process boundary, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from dlcourse.drivers.functions import FUNCTIONS


@dataclass(frozen=True)
class Rng:
    """Stands for ``np.random.default_rng(seed)`` among a case's arguments."""

    seed: int


@dataclass(frozen=True)
class Fn:
    """Stands for the function registered under this name among a case's arguments."""

    name: str


@dataclass(frozen=True)
class Opaque:
    """Stands in a result for a value that is not plain data; holds the name of its type."""

    type: str


@dataclass(frozen=True, eq=False)
class Case:
    """One call of an answer.

    Parameters
    ----------
    args : positional arguments, plain data (see the module's docstring)
    label : what is special about this case, in words that complete "for ..." ("large scores", "one example");
        empty for an ordinary one
    """

    args: tuple[Any, ...] = ()
    label: str = ""

    def materialize(self) -> list[Any]:
        """Fresh arguments: no array is shared with the case or with an earlier call."""
        return [_real(argument) for argument in self.args]


def _real(value: Any) -> Any:
    if isinstance(value, Rng):
        return np.random.default_rng(value.seed)
    if isinstance(value, Fn):
        return FUNCTIONS[value.name]
    if isinstance(value, np.ndarray):
        return value.copy(order="K")  # a transposed array stays one
    if isinstance(value, list | tuple):
        return type(value)(_real(item) for item in value)
    if isinstance(value, dict):
        return {key: _real(item) for key, item in value.items()}
    return value


def plain(value: Any) -> Any:
    """A copy of ``value`` as plain data; whatever is not data becomes an :class:`Opaque`.

    Only exact built-in types and base-class arrays are trusted: an object's own ``__array__`` or ``__float__`` is
    never asked.
    """
    if value is None or type(value) in (bool, int, float, complex, str, Opaque):
        return value
    if type(value) in (Fraction, Decimal):
        return float(value)
    if isinstance(value, np.generic):
        return np.array(value)
    if isinstance(value, np.ndarray):
        base = np.array(value, copy=True, subok=False)
        if base.dtype == object and any(type(item) in (Fraction, Decimal) for item in base.ravel().tolist()):
            return plain(base.tolist())
        return Opaque("an array of objects") if base.dtype == object and not _numeric_objects(base) else base
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return tuple(sorted((plain(item) for item in value), key=repr))
    return Opaque(_type_in_words(value))


def _numeric_objects(array: np.ndarray) -> bool:
    return all(isinstance(item, int | float | np.number) for item in array.ravel().tolist())


def _type_in_words(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return "a function"
    name = type(value).__name__
    return {"generator": "a generator", "Tensor": "a Tensor"}.get(name, f"a {name}")
