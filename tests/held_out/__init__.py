"""Answers that were written from the exercise notebooks' text alone, apart from the checks' own lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HeldOut:
    """A mistake that must fail, what its message must say, and an unusual answer that must pass.

    Parameters
    ----------
    mistake : a wrong answer that is not on the exercise's list
    says : words of the message that are true of this mistake
    odd : a right answer in an unusual form
    """

    mistake: Any
    says: str
    odd: Any
