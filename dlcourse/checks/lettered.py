"""What exercises share that show a figure with letters and ask for one of a few names for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dlcourse.checks.exercise import Wrong
from dlcourse.drivers import Case

OPEN = "nothing yet"
WHICH_IS_LEFT = "Which of the names that are left fits what you see there?"


def by_letter(letters: str, value: Any, choice: Callable[[Any], str]) -> dict[str, str] | None:
    """An answer, letter by letter, each as ``choice`` spells it; None where nothing is answered yet.

    Parameters
    ----------
    letters : the letters that are asked for
    value : a dict from letters to names, or the names in the letters' order
    choice : what was given for a letter -> the name in one spelling
    """
    if isinstance(value, dict):
        given = {str(key).strip().upper(): name for key, name in value.items()}
    else:
        given = dict(zip(letters, value, strict=True))
    if all(given.get(letter) is None for letter in letters):
        return None
    return {letter: OPEN if given.get(letter) is None else choice(given[letter]) for letter in letters}


def some_letter(letters: Iterable[str], value: Any) -> None:
    """Raise ValueError for a dict that has keys, and not one of the letters among them."""
    if isinstance(value, dict) and value and not {str(key).strip().upper() for key in value} & set(letters):
        raise ValueError("no key is a letter")


def facts_of(
    letters: str, spelled: Callable[[str], str], choices: tuple[str, ...], unknown: str
) -> Callable[[Case, Any], Any]:
    """Facts: the answer letter by letter in one spelling; None where nothing is answered yet."""

    def choice(given: Any) -> str:
        if given == OPEN:
            return OPEN
        words = spelled(" ".join(str(given).lower().replace("_", " ").replace("-", " ").replace(",", " ").split()))
        return words if words in choices else unknown

    def facts(case: Case, value: Any) -> Any:
        some_letter(letters, value)
        return by_letter(letters, value, choice)

    return facts


def wrong_choices(why_not: Mapping[tuple[str, str], str]) -> list[Wrong]:
    """A wrong answer for each letter and name that does not belong to it, with what is said about it."""
    return [
        Wrong(f"{letter}-{name}".lower().replace(" ", "-").replace("_", "-"), {letter: name}, message)
        for (letter, name), message in why_not.items()
    ]


def mixed_up(
    right: Mapping[str, str], names: Iterable[str], seen: Mapping[str, str], would: Mapping[str, str]
) -> list[Wrong]:
    """A wrong answer for each letter and each other name, from what is seen at the letter and what the name would look like.

    Parameters
    ----------
    right : the letters with the names that belong to them
    names : all that can be chosen
    seen : what the figure shows at each letter
    would : what it would show for each name, as a question
    """
    others = [(letter, name) for letter in right for name in names if name != right[letter]]
    return wrong_choices({(letter, name): f"{seen[letter]} {would[name]}" for letter, name in others})


def unknown_choices(letters: Iterable[str], names: Iterable[str], unknown: str) -> list[Wrong]:
    """A wrong answer for each letter: a name that is none of those asked for. ``unknown`` is "none of the four", say."""
    listed = ", ".join(f"'{name}'" for name in names)
    return [
        Wrong(
            f"{letter.lower()}-unknown",
            {letter: unknown},
            f"What you wrote for {letter} is {unknown} names ({listed}). Which of them fits best?",
        )
        for letter in letters
    ]


def open_choices(letters: Iterable[str], question: str) -> list[Wrong]:
    """A wrong answer for each letter: nothing is written for it yet."""
    return [
        Wrong(f"{letter.lower()}-open", {letter: OPEN}, f"For {letter} nothing is written yet. {question}")
        for letter in letters
    ]
