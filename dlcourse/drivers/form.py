"""What kind of thing an answer is, told without running it and without the object itself, so that it can cross a process."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """Facts about an answer.

    Parameters
    ----------
    type : name of its type; of a class its own name
    callable, is_class, is_async : what it can be used as
    signature : of a function, as text; "" where it cannot be told
    refuses : why it cannot be called with all the arguments that the exercise has; "" where it can
    needs_defaults : it cannot be called with the required arguments alone
    takes_nothing : it can be called without any argument
    """

    type: str
    callable: bool = False
    is_class: bool = False
    is_async: bool = False
    signature: str = ""
    refuses: str = ""
    needs_defaults: bool = False
    takes_nothing: bool = False


def form_of(answer: Any, arguments: Sequence[str], required: Sequence[str]) -> Form:
    """The form of ``answer``, which will be called with ``arguments``, or with only those that are ``required``."""
    is_class = inspect.isclass(answer)
    name = str(getattr(answer, "__name__", "")) if is_class else type(answer).__name__
    if not callable(answer):
        return Form(name)
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):
        return Form(name, True, is_class, inspect.iscoroutinefunction(answer))
    return Form(
        name,
        True,
        is_class,
        inspect.iscoroutinefunction(answer),
        str(signature),
        _refusal(signature, arguments),
        bool(_refusal(signature, required)),
        not _refusal(signature, ()),
    )


def _refusal(signature: inspect.Signature, arguments: Sequence[str]) -> str:
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return str(error)
    return ""
