"""The discriminator's loss from logits (Goodfellow et al. 2014, eq. 1), stable however sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
EachLoss = Callable[[Array], Any]

GUARDS = (1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-15)
BOUNDS = (10, 20, 30, 50, 100)
BENDS = (5, 10)


# --- what both exercises use --------------------------------------------------------------------------------------


def softplus(x: Array) -> Array:
    """ln(1 + e^x) without overflow."""
    return np.asarray(np.logaddexp(0.0, x))


def sigmoid(x: Array) -> Array:
    return np.asarray((1 + np.tanh(x / 2)) / 2)


def as_real(x: Array) -> Array:
    """-ln D: what a logit costs whoever wants it called real."""
    return softplus(-x)


def as_fake(x: Array) -> Array:
    """-ln(1 - D)."""
    return softplus(x)


def plainly(x: Array) -> Array:
    return np.asarray(np.log(1 + np.exp(x)))


def by_sigmoid(x: Array) -> Array:
    """D from an exponential that overflows where the logit is far below 0; the result is right all the same."""
    return np.asarray(1 / (1 + np.exp(-x)))


def without_absolute_value(x: Array) -> Array:
    """|x| + ln(1 + e^-|x|): right above 0, and the same below, where ln(1 + e^x) is small."""
    return np.asarray(np.abs(x) + np.log1p(np.exp(-np.abs(x))))


def bent_up_to(bound: float) -> EachLoss:
    """ln(1 + e^x), for which x itself is taken where it is larger than ``bound``."""
    return lambda x: np.where(x > bound, x, softplus(x))


def logit_cases(rng: np.random.Generator, parts: int) -> list[Case]:
    """Cases of ``parts`` arrays of logits, no two of the same length."""

    def case(label: str, *of_each: Any) -> Case:
        return Case(tuple(np.asarray(a, float) for a in of_each[:parts]), label)

    def drawn(scale: float, counts: tuple[int, int], shift: float = 0.0) -> list[Array]:
        return [shift + scale * rng.normal(size=n) for n in counts]

    below_one = [rng.uniform(0.1, 0.9, size=n) for n in (5, 4)]
    first = [np.array([1.0, -0.5, 2.0]), np.array([-1.5, 0.5])]
    return [
        case("", *(first if parts == 2 else first[::-1])),
        case("", *drawn(1.5, (6, 4))),
        case("", *drawn(2.5, (3, 7))),
        case("as many real images as fakes", *drawn(1.5, (5, 5))),
        case("logits between 0 and 1", *below_one),
        case("a single image of each kind", *drawn(1.5, (1, 1))),
        case("all logits alike", np.full(4, 0.3), np.full(3, 0.3)),
        case("a discriminator that is very sure and wrong", [-39.0, -41.5, 3.0], [43.0, -2.0]) if parts == 2
        else case("a discriminator that sees through every fake", [-39.0, -41.5, 3.0]),
        case("probabilities from a millionth down", [-14.0, -16.2, -18.5], [23.2, 27.8, 34.6]) if parts == 2
        else case("probabilities from a millionth down", [-14.0, -16.2, -18.5, -23.2, -27.8, -34.6]),
        case("a discriminator that is rather sure and wrong", [-10.5, -6.0], [11.0, 7.0, 5.5]) if parts == 2
        else case("a discriminator that is rather sure and wrong", [-10.5, -6.0]),
        case("logits beyond 1000", [-1200.0, 1100.0, 3.0, -1500.0], [1300.0, -1400.0, 0.5]),
    ]  # fmt: skip


def guarded(guard: float) -> tuple[EachLoss, EachLoss]:
    """The two logarithms with a number added inside."""
    return lambda x: -np.log(by_sigmoid(x) + guard), lambda x: -np.log(1 - by_sigmoid(x) + guard)


def cut_off(guard: float) -> tuple[EachLoss, EachLoss]:
    """The two logarithms of a probability that is kept between ``guard`` and 1 - ``guard``."""

    def between(x: Array) -> Array:
        return np.clip(by_sigmoid(x), guard, 1 - guard)

    return lambda x: -np.log(between(x)), lambda x: -np.log(1 - between(x))


def bounded(bound: float) -> tuple[EachLoss, EachLoss]:
    return lambda x: as_real(np.clip(x, -bound, bound)), lambda x: as_fake(np.clip(x, -bound, bound))


# --- gans.discriminator_loss --------------------------------------------------------------------------------------


def discriminator_loss(real_logits: Array, fake_logits: Array) -> Any:
    return np.logaddexp(0, -real_logits).mean() + np.logaddexp(0, fake_logits).mean()


def discriminator_loss_by_maximum(real_logits: Array, fake_logits: Array) -> Any:
    def mean_cost(logits: Array, target: float) -> Any:
        cost = np.maximum(logits, 0) - target * logits + np.log1p(np.exp(-np.abs(logits)))
        return cost.mean()

    return float(mean_cost(real_logits, 1.0) + mean_cost(fake_logits, 0.0))


def discriminator_loss_by_loop(real_logits: Array, fake_logits: Array) -> Any:
    def cost(logit: float) -> float:
        return logit + math.log1p(math.exp(-logit)) if logit > 0 else math.log1p(math.exp(logit))

    real = [cost(-logit) for logit in real_logits.tolist()]
    fake = [cost(logit) for logit in fake_logits.tolist()]
    return math.fsum(real) / len(real) + math.fsum(fake) / len(fake)


def of_both(
    real: EachLoss = as_real,
    fake: EachLoss = as_fake,
    pool: Callable[[Any], Any] = np.mean,
    join: Callable[[Any, Any], Any] = lambda real, fake: real + fake,
) -> Callable[..., Any]:
    """The discriminator's loss with one part exchanged."""

    def answer(real_logits: Array, fake_logits: Array) -> Any:
        with np.errstate(all="ignore"):
            return join(pool(real(real_logits)), pool(fake(fake_logits)))

    return answer


def of_logits(loss: Callable[[Array, Array], Any]) -> Callable[..., Any]:
    """A loss of both arrays, without NumPy's warnings."""

    def answer(real_logits: Array, fake_logits: Array) -> Any:
        with np.errstate(all="ignore"):
            return loss(real_logits, fake_logits)

    return answer


def by_pairs(real: Array, fake: Array) -> Any:
    pairs = list(zip(real, fake, strict=False))
    return np.mean([as_real(r) + as_fake(f) for r, f in pairs])


OVERFLOW = "Beyond, a number on the way is too large or too small for a float, and your loss becomes inf."
STABLE = "Which function of NumPy gives ln(1 + e^x), or ln(e^0 + e^x), without ever making e^x?"
GUARD_OF = "How do you get ln D from the logit without computing D first?"

DISCRIMINATOR_LOSS = Exercise(
    id="gans.discriminator_loss",
    kind="function",
    title="What the discriminator minimizes",
    points=2,
    minutes=10,
    difficulty=1,
    function="discriminator_loss",
    reference=discriminator_loss,
    alternatives=(discriminator_loss_by_maximum, discriminator_loss_by_loop),
    inputs=lambda rng: logit_cases(rng, 2),
    wrong=(
        Wrong(
            "real-and-fake-exchanged",
            of_both(real=as_fake, fake=as_real),
            "Your loss is that of a discriminator that calls fakes real and real images fake. Which of the two arrays should have large logits when it does well?",
        ),
        Wrong(
            "negative",
            of_both(join=lambda real, fake: -(real + fake)),
            "Your loss has the opposite sign, so that minimizing it makes the discriminator as bad as it can be. Which sign does the logarithm of a probability have, and which should a cost have?",
        ),
        Wrong(
            "halved",
            of_both(join=lambda real, fake: (real + fake) / 2),
            "Your loss is half of the one asked for: the mean of the two means. What does the task do with them?",
        ),
        Wrong(
            "one-mean-over-all",
            of_logits(lambda r, f: np.concatenate([as_real(r), as_fake(f)]).mean()),
            "You take one mean over real images and fakes together, so the more numerous kind counts more. How many means does the formula have?",
        ),
        Wrong(
            "one-mean-over-all-doubled",
            of_logits(lambda r, f: 2 * np.concatenate([as_real(r), as_fake(f)]).mean()),
            "Your loss is twice the mean over real images and fakes together, which is right only where there are as many of one kind as of the other. By what is each of the two sums divided?",
        ),
        Wrong(
            "summed",
            of_both(pool=np.sum),
            "You sum over the images, so a larger batch has a larger loss. By what should each of the two sums be divided?",
        ),
        Wrong(
            "divided-by-the-real-ones",
            of_logits(lambda r, f: as_real(r).mean() + as_fake(f).sum() / len(r)),
            "The sum over the fakes is divided by the number of *real* images. How many fakes are there?",
        ),
        Wrong(
            "divided-by-the-fakes",
            of_logits(lambda r, f: as_real(r).sum() / len(f) + as_fake(f).mean()),
            "The sum over the real images is divided by the number of *fakes*. How many real images are there?",
        ),
        Wrong(
            "pair-by-pair",
            of_logits(by_pairs),
            "You go through real images and fakes in pairs, and stop with the shorter array; the rest does not count. Do the two arrays need to have one length, by the formula?",
        ),
        Wrong(
            "fakes-left-out",
            of_both(join=lambda real, fake: real),
            "`fake_logits` has no effect: a discriminator that calls everything real would have no loss. What does the second term of the formula ask of it?",
        ),
        Wrong(
            "real-images-left-out",
            of_both(join=lambda real, fake: fake),
            "`real_logits` has no effect: a discriminator that calls everything fake would have no loss. What does the first term of the formula ask of it?",
        ),
        Wrong(
            "fakes-called-real",
            of_both(fake=as_real),
            "Your discriminator is rewarded for calling the fakes real as well: you take ln D of both arrays. Which probability does the formula take of the fakes?",
        ),
        Wrong(
            "real-images-called-fake",
            of_both(real=as_fake),
            "Your discriminator is rewarded for calling the real images fake as well: you take ln(1 - D) of both arrays. Which probability does the formula take of the real images?",
        ),
        Wrong(
            "minus-before-the-fakes",
            of_both(join=lambda real, fake: real - fake),
            "The real images' term is right, the fakes' has the opposite sign. Does the minus in front of the formula's first mean reach the second?",
        ),
        Wrong(
            "minus-before-the-real-images",
            of_both(join=lambda real, fake: fake - real),
            "The fakes' term is right, the real images' has the opposite sign. Which sign has ln D, and which should a cost have?",
        ),
        Wrong(
            "one-minus-outside",
            of_both(fake=lambda x: -1 - as_real(x)),
            "Of the fakes you take 1 - ln D in place of ln(1 - D). To which of the two does the `1 -` belong, the logarithm or the probability?",
        ),
        Wrong(
            "logarithm-forgotten",
            of_both(real=lambda x: 1 - sigmoid(x), fake=sigmoid),
            "You average the probabilities of being wrong, without a logarithm. What would a fake cost that the discriminator is quite sure is real?",
        ),
        Wrong(
            "probabilities-with-a-minus",
            of_both(real=lambda x: -sigmoid(x), fake=lambda x: -(1 - sigmoid(x))),
            "You average the probabilities of being right, with a minus, without a logarithm. What would a fake cost that the discriminator is quite sure is real?",
        ),
        Wrong(
            "logits-for-probabilities",
            of_both(real=lambda x: -np.log(x), fake=lambda x: -np.log(1 - x)),
            "You put the logits where the formula has D, and the logarithm of a negative number is nan. Which function turns a logit into a probability?",
        ),
        Wrong(
            "logarithm-of-the-mean",
            of_logits(lambda r, f: -np.log(sigmoid(r).mean()) - np.log(1 - sigmoid(f).mean())),
            "You average the probabilities and take the logarithm afterwards, so one image that fooled the discriminator is hidden among the others. Which comes first?",
        ),
        Wrong(
            "loss-of-the-mean-logit",
            of_logits(lambda r, f: as_real(r.mean()) + as_fake(f.mean())),
            "You average the logits and take the loss of the mean. Which comes first: the mean or the logarithm?",
        ),
        Wrong(
            "in-bits",
            of_both(join=lambda real, fake: (real + fake) / np.log(2)),
            "Your logarithms have base 2. What is the loss of a discriminator that always says 1/2, with the natural logarithm?",
        ),
        Wrong(
            "base-ten",
            of_both(join=lambda real, fake: (real + fake) / np.log(10)),
            "Your logarithms have base 10. What is the loss of a discriminator that always says 1/2, with the natural logarithm?",
        ),
        Wrong(
            "critic-of-wasserstein",
            of_both(real=lambda x: -x, fake=lambda x: x),
            "That is the loss of a Wasserstein critic, the fakes' mean logit minus the real ones'. It has no logarithm and no lower bound. What does the formula make of each logit first?",
        ),
        Wrong(
            "hinge",
            of_both(real=lambda x: np.maximum(0, 1 - x), fake=lambda x: np.maximum(0, 1 + x)),
            "That is the hinge loss, which some later GANs use. What does this task's formula take of D(x)?",
        ),
        Wrong(
            "without-its-bend",
            of_both(real=lambda x: np.maximum(0, -x), fake=lambda x: np.maximum(0, x)),
            "You take max(0, -logit) of the real images and max(0, logit) of the fakes, which is what the logarithms come to for very large logits alone. What does an image cost of which D says 1/2?",
        ),
        Wrong(
            "medians",
            of_both(pool=np.median),
            "You take the median of the costs, which one image that fooled the discriminator does not move. What does the formula take of them?",
        ),
        Wrong(
            "least-squares",
            of_both(real=lambda x: (x - 1) ** 2, fake=lambda x: x**2),
            "That is the loss of a least-squares GAN, the squared distance of the logits from 1 and 0. What does this task's formula take of D(x)?",
        ),
        Wrong(
            "least-squares-halved",
            of_both(real=lambda x: (x - 1) ** 2 / 2, fake=lambda x: x**2 / 2),
            "That is the loss of a least-squares GAN, half the squared distance of the logits from 1 and 0. What does this task's formula take of D(x)?",
        ),
        Wrong(
            "squared-probabilities",
            of_both(real=lambda x: (1 - sigmoid(x)) ** 2, fake=lambda x: sigmoid(x) ** 2),
            "You square the probabilities' distances from 1 and 0. What would the loss be for a discriminator that is quite sure and wrong, and what does the formula say?",
        ),
        Wrong(
            "sigmoid-twice",
            of_both(real=lambda x: as_real(sigmoid(x)), fake=lambda x: as_fake(sigmoid(x))),
            "The logits go through a sigmoid twice: your loss takes logits, and you hand it probabilities. How small could such a loss become?",
        ),
        Wrong(
            "one-sided-labels",
            of_both(real=lambda x: 0.9 * as_real(x) + 0.1 * as_fake(x)),
            "The real images' labels are smoothed to 0.9, a trick of Salimans et al. (2016). Does this task's formula have it?",
        ),
        Wrong(
            "each-image",
            of_both(pool=lambda losses: losses, join=lambda real, fake: np.concatenate([real, fake])),
            "You hand back one cost for each image. Which one number is asked for?",
        ),
        Wrong(
            "two-numbers",
            of_both(join=lambda real, fake: (real, fake)),
            "Both numbers are right. What does the formula do with them, to make one?",
        ),
        Wrong(
            "without-absolute-value",
            of_both(real=lambda x: without_absolute_value(-x), fake=without_absolute_value),
            "Your costs are the same whether the discriminator is right or wrong: for a logit x and for -x. Is a stable form, such as max(x, 0) + ln(1 + e^-|x|), copied with its signs and its absolute value in place?",
        ),
        Wrong(
            "overflow",
            of_both(real=lambda x: plainly(-x), fake=plainly),
            f"Right up to logits in the hundreds. {OVERFLOW} {STABLE}",
        ),
        Wrong(
            "logarithm-of-zero",
            of_both(real=lambda x: -np.log(by_sigmoid(x)), fake=lambda x: -np.log(1 - by_sigmoid(x))),
            f"Right, until D is so near 0 or 1 that a logarithm of 0 is taken, and your loss becomes inf: 1 - D is 0 in a float from a logit of about 37 on. {GUARD_OF}",
        ),
        *(
            Wrong(
                f"guard-added-{guard:g}",
                of_both(*guarded(guard)),
                f"{guard:g} is added inside the logarithms, so a discriminator that is sure and wrong pays too little. {GUARD_OF}",
            )
            for guard in GUARDS
        ),
        *(
            Wrong(
                f"cut-off-at-{guard:g}",
                of_both(*cut_off(guard)),
                f"The probabilities are kept {guard:g} away from 0 and 1, so a discriminator that is sure and wrong pays too little. {GUARD_OF}",
            )
            for guard in GUARDS
        ),
        *(
            Wrong(
                f"logits-bounded-by-{bound}",
                of_both(*bounded(bound)),
                f"The logits are cut off at -{bound} and {bound}, so beyond that a worse mistake costs no more, and sends no slope. {STABLE}",
            )
            for bound in BOUNDS
        ),
        *(
            Wrong(
                f"straight-beyond-{bound}",
                of_both(real=lambda x, bound=bound: bent_up_to(bound)(-x), fake=bent_up_to(bound)),  # type: ignore[misc]
                f"Right but for logits of medium size: from about {bound} on you take x itself for ln(1 + e^x), and that is too early. {STABLE}",
            )
            for bound in BENDS
        ),
    ),
    hints=(
        "Each real image costs -ln D(x), each fake -ln(1 - D). Write both in terms of the logit, with D = 1 / (1 + e^-logit).",
        "-ln D = ln(1 + e^-logit), and -ln(1 - D) = ln(1 + e^logit). One function of NumPy gives ln(e^a + e^b) for any a and b, however large.",
        "`np.logaddexp(0, -real_logits).mean()` is the first of the two means; the second looks like it, with another sign and the fakes.",
    ),
    unlocks="Small does not mean good: a discriminator without loss has nothing left to teach.",
)  # fmt: skip
