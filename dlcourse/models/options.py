"""The bounds of what a training can be told, in one place for all that are told the same."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

__all__ = ["check_options"]

COUNTS = {
    "steps", "n", "length", "width", "epochs", "minibatch", "n_step", "batch", "capacity", "every", "updates",
    "epsilon_steps", "validate_every",
}  # fmt: skip
SHARES = {"gamma", "lam", "epsilon_start", "epsilon_end"}
POSITIVE = {"lr", "clip"}


def check_options(owner: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that makes no sense.

    Parameters
    ----------
    owner : the function or class that was told so
    options : names with values; those with names in ``COUNTS`` are whole and at least 1, in ``SHARES`` from 0 to 1, in
        ``POSITIVE`` above 0, and all others 0 or more

    Raises
    ------
    ValueError
        That names owner, option, value and bounds.
    """
    for name, value in options.items():
        number = isinstance(value, Real)
        if name in COUNTS:
            fits, wanted = isinstance(value, Integral) and int(value) >= 1, "at least 1, a whole number"
        elif name in SHARES:
            fits, wanted = number and 0 <= value <= 1, "a number from 0 to 1"
        elif name in POSITIVE:
            fits, wanted = number and value > 0, "a number above 0"
        else:
            fits, wanted = number and value >= 0, "0 or more"
        if not fits:
            raise ValueError(f"{owner}: {name}={value!r}; give {wanted}")
