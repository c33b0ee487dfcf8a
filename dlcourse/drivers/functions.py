"""Functions that a case can name, for exercises whose argument is itself a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}


def register(function: F) -> F:
    """Make ``function`` available to cases as ``Fn(function.__name__)``.

    Raises
    ------
    ValueError
        If another function has that name.
    """
    name = function.__name__
    if FUNCTIONS.get(name, function) is not function:
        raise ValueError(f"a function named {name!r} is registered already; choose another name")
    FUNCTIONS[name] = function
    return function
