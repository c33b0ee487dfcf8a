"""There and back again: the loss that holds two translators together without a single pair (Zhu et al. 2017, eq. 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Fn

Array = NDArray[np.float64]
Translator = Callable[[Array], Array]


def cycle_loss(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
    return np.abs(to_a(to_b(a)) - a).mean() + np.abs(to_b(to_a(b)) - b).mean()


def cycle_by_loop(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
    total = 0.0
    for images, there, back in ((a, to_b, to_a), (b, to_a, to_b)):
        errors = [float(np.average(abs(image - back(there(image[None]))[0]))) for image in images]
        total += sum(errors) / len(errors)
    return total


def cycle_by_norm(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
    first, second = (back - start for start, back in ((a, to_a(to_b(a))), (b, to_b(to_a(b)))))
    return np.linalg.norm(first.ravel(), 1) / a.size + np.linalg.norm(second.ravel(), 1) / b.size


def cycle_inputs(rng: np.random.Generator) -> list[Case]:
    def case(a: int, b: int, there: str, back: str, size: int = 3, label: str = "") -> Case:
        images = [rng.uniform(0.05, 0.95, size=(n, 1, size, size)) for n in (a, b)]
        return Case((*images, Fn(there), Fn(back)), label)

    color = rng.uniform(0.05, 0.95, size=(3, 3, 2, 2))
    return [
        Case((np.array([[[[0.2, 0.6]]]]), np.array([[[[0.9, 0.5]]]]), Fn("darken"), Fn("invert"))),
        case(3, 3, "darken", "brighten"),
        case(4, 4, "brighten", "turn_round", 4),
        case(3, 3, "turn_round", "darken"),
        case(2, 5, "darken", "turn_round", label="unequal numbers of images"),
        Case((rng.uniform(0.05, 0.95, (2, 1, 2, 2)), color, Fn("colorize"), Fn("bleach")), "gray and colored images"),
        case(3, 3, "invert", "invert", label="translators that undo each other"),
        case(2, 2, "hand_back", "hand_back", label="translators that hand back the array they are given"),
        Case((*rng.uniform(-1, 1, (2, 3, 1, 2, 2)), Fn("invert"), Fn("darken")), "images from -1 to 1"),
    ]


def there_and_back(a: Array, b: Array, to_b: Translator, to_a: Translator) -> tuple[Array, Array]:
    """What each round trip changes."""
    return to_a(to_b(a)) - a, to_b(to_a(b)) - b


def variant(
    differences: Callable[..., tuple[Any, Any]] = there_and_back,
    each: Callable[[Any], Any] = lambda difference: np.abs(difference).mean(),
    join: Callable[[Any, Any], Any] = lambda first, second: first + second,
) -> Callable[..., Any]:
    """The loss with one part exchanged."""

    def answer(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
        first, second = differences(a, b, to_b, to_a)
        return join(each(first), each(second))

    return answer


def pooled(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
    first, second = there_and_back(a, b, to_b, to_a)
    return (np.abs(first).sum() + np.abs(second).sum()) / (a.size + b.size)


def by_the_size_of_a(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
    first, second = there_and_back(a, b, to_b, to_a)
    return (np.abs(first).sum() + np.abs(second).sum()) / a.size


def in_pairs(a: Array, b: Array, to_b: Translator, to_a: Translator) -> tuple[Array, Array]:
    """The round trips of as many images as both sets have."""
    N = min(len(a), len(b))
    return there_and_back(a[:N], b[:N], to_b, to_a)


def clipped(a: Array, b: Array, to_b: Translator, to_a: Translator) -> tuple[Array, Array]:
    return np.clip(to_a(to_b(a)), 0, 1) - a, np.clip(to_b(to_a(b)), 0, 1) - b


def added(a: Array, b: Array, to_b: Translator, to_a: Translator) -> Any:
    identity = np.abs(to_b(b) - b).mean() + np.abs(to_a(a) - a).mean()
    return cycle_loss(a, b, to_b, to_a) + identity


CYCLE_LOSS = Exercise(
    id="gans.cycle_loss",
    kind="function",
    title="There and back again",
    points=2,
    minutes=10,
    difficulty=2,
    function="cycle_loss",
    reference=cycle_loss,
    alternatives=(cycle_by_loop, cycle_by_norm),
    inputs=cycle_inputs,
    wrong=(
        Wrong(
            "second-direction-missing",
            variant(join=lambda first, second: first),
            "Only the way from a to b and back counts, so `to_b` may do with images of `b`'s kind what it likes. Which second round trip belongs to the loss?",
        ),
        Wrong(
            "first-direction-missing",
            variant(join=lambda first, second: second),
            "Only the way from b to a and back counts, so `to_a` may do with images of `a`'s kind what it likes. Which second round trip belongs to the loss?",
        ),
        Wrong(
            "halved",
            variant(join=lambda first, second: (first + second) / 2),
            "Your loss is half of the one asked for: the mean of the two round trips. What does the formula do with them?",
        ),
        Wrong(
            "pooled",
            pooled,
            "You take one mean over the pixels of both round trips, so the larger set of images counts more. How many means does the formula have?",
        ),
        Wrong(
            "pooled-and-doubled",
            lambda a, b, to_b, to_a: 2 * pooled(a, b, to_b, to_a),
            "Your loss is twice the mean over the pixels of both round trips, which is right only where both sets are equally large. By what is each of the two sums divided?",
        ),
        Wrong(
            "divided-by-the-size-of-a",
            by_the_size_of_a,
            "Right while both sets hold equally many numbers. You divide both sums by the size of `a`. Over whose numbers does the second mean go?",
        ),
        Wrong(
            "cut-to-the-shorter",
            variant(in_pairs),
            "Right while there are as many images of `a` as of `b`. Of the larger set you leave out the images beyond the size of the smaller one. Which part of the formula needs pairs?",
        ),
        Wrong(
            "first-image-alone",
            variant(each=lambda d: np.abs(d[:1]).mean()),
            "You average over the first image of each set alone. Over what does the formula average?",
        ),
        Wrong(
            "clipped",
            variant(clipped),
            "Right for images from 0 to 1 that come back so. You cut what comes back to that range, which hides how far it went beyond. Does the formula have such a step?",
        ),
        Wrong(
            "squared",
            variant(each=lambda d: (d**2).mean()),
            "You average squares. Which of the two, the absolute value or the square, is a mean absolute error made of?",
        ),
        Wrong(
            "root-of-mean-square",
            variant(each=lambda d: np.sqrt((d**2).mean())),
            "You take the root of the mean square. What is a mean absolute error made of?",
        ),
        Wrong(
            "length-of-the-difference",
            variant(each=lambda d: np.sqrt((d**2).sum())),
            "You take the length of the difference, the root of a sum of squares. What is a mean absolute error made of?",
        ),
        Wrong(
            "absolute-value-forgotten",
            variant(each=np.mean),
            "You average differences with their signs, so that a pixel too bright makes up for one too dark. What keeps them from canceling?",
        ),
        Wrong(
            "absolute-value-of-the-mean",
            variant(each=lambda d: np.abs(d.mean())),
            "You average differences with their signs, and take the absolute value afterwards. Which comes first?",
        ),
        Wrong(
            "summed",
            variant(each=lambda d: np.abs(d).sum()),
            "You sum over all pixels, so a larger image or batch has a larger loss. By what should the sum be divided?",
        ),
        Wrong(
            "summed-over-pixels",
            variant(each=lambda d: np.abs(d).sum() / len(d)),
            "You sum over the pixels of an image and average over the images, so a larger image has a larger loss. Over what does the formula average?",
        ),
        Wrong(
            "summed-over-images",
            variant(each=lambda d: np.abs(d).mean(axis=(1, 2, 3)).sum()),
            "You average over the pixels of an image and sum over the images, so a larger batch has a larger loss. Over what does the formula average?",
        ),
        Wrong(
            "largest",
            variant(each=lambda d: np.abs(d).max()),
            "You take the largest difference. What does the formula take of all of them?",
        ),
        Wrong(
            "median",
            variant(each=lambda d: np.median(np.abs(d))),
            "You take the median of the differences. What does the formula take of all of them?",
        ),
        Wrong(
            "times-ten",
            variant(join=lambda first, second: 10 * (first + second)),
            "Your loss has the weight of 10 already, by which the paper multiplies it later. Is it part of this formula?",
        ),
        Wrong(
            "difference-of-the-two",
            variant(join=lambda first, second: first - second),
            "You subtract one round trip's loss from the other's, so making the second worse would help. How are the two joined?",
        ),
        Wrong(
            "product-of-the-two",
            variant(join=lambda first, second: first * second),
            "You multiply the two round trips' losses, so one of them at 0 would excuse the other. How are the two joined?",
        ),
        Wrong(
            "larger-of-the-two",
            variant(join=lambda first, second: max(first, second)),
            "You keep the larger of the two losses. How are the two joined?",
        ),
        Wrong(
            "two-numbers",
            variant(join=lambda first, second: (first, second)),
            "Both numbers are right. What does the formula do with them, to make one?",
        ),
        Wrong(
            "pairs-compared",
            variant(lambda a, b, to_b, to_a: (to_b(a) - b, to_a(b) - a)),
            "You compare the translation of each image of `a` with the image of `b` that stands in the same place, as if they were pairs. With what can an image be compared when nobody knows its pair?",
        ),
        Wrong(
            "identity-loss",
            variant(lambda a, b, to_b, to_a: (to_b(b) - b, to_a(a) - a)),
            "That is the *identity* loss: each translator is given images that are of its target's kind already. Which way does an image go here before it is compared?",
        ),
        Wrong(
            "identity-loss-added",
            added,
            "The round trips are right, but the identity loss is added: translators that are given images of their target's kind. Does this formula have it?",
        ),
        Wrong(
            "halfway",
            variant(lambda a, b, to_b, to_a: (to_b(a) - a, to_a(b) - b)),
            "You compare an image with its translation, so the best translator would change nothing. What has to happen to the translation before it is compared?",
        ),
        Wrong(
            "wrong-way-round",
            variant(lambda a, b, to_b, to_a: (to_b(to_a(a)) - a, to_a(to_b(b)) - b)),
            "The translators are in the wrong order: `to_a` is given images of `a`, and `to_b` images of `b`. Which of the two comes first for an image of `a`?",
        ),
        Wrong(
            "second-trip-wrong-way-round",
            variant(lambda a, b, to_b, to_a: (to_a(to_b(a)) - a, to_a(to_b(b)) - b)),
            "The first round trip is right; in the second, `b` goes the same way as `a`, through `to_b` first. Where does a trip that starts at `b` begin?",
        ),
        Wrong(
            "first-trip-wrong-way-round",
            variant(lambda a, b, to_b, to_a: (to_b(to_a(a)) - a, to_b(to_a(b)) - b)),
            "The second round trip is right; in the first, `a` goes the same way as `b`, through `to_a` first. Where does a trip that starts at `a` begin?",
        ),
        Wrong(
            "same-translator-twice",
            variant(lambda a, b, to_b, to_a: (to_b(to_b(a)) - a, to_a(to_a(b)) - b)),
            "Each image goes twice through the same translator. Which one brings it back?",
        ),
        Wrong(
            "compared-with-the-other",
            variant(lambda a, b, to_b, to_a: (to_a(to_b(a)) - b, to_b(to_a(b)) - a)),
            "The round trips are right, but what comes back from `a` is compared with `b`, and the other way round. To which image should a round trip lead?",
        ),
        Wrong(
            "compared-with-the-translation",
            variant(lambda a, b, to_b, to_a: (to_a(to_b(a)) - to_b(a), to_b(to_a(b)) - to_a(b))),
            "You compare the end of each round trip with its turning point. To which image should a round trip lead?",
        ),
    ),
    hints=(
        "Follow one image of `a`: which translator comes first, which second, and with what do you compare the result?",
        "|to_a(to_b(a)) - a|, averaged over all its numbers, is the first of two terms. The second begins with `b`.",
        "`np.abs(to_a(to_b(a)) - a).mean()` plus the same with every a and b exchanged.",
    ),
    unlocks="Who must come back has to leave the image's content somewhere on the way.",
)  # fmt: skip
