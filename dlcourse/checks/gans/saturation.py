"""The generator's loss from logits, in the form that does not saturate (Goodfellow et al. 2014, section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.gans.losses import (
    BENDS,
    BOUNDS,
    GUARD_OF,
    GUARDS,
    OVERFLOW,
    STABLE,
    EachLoss,
    as_fake,
    as_real,
    bent_up_to,
    bounded,
    by_sigmoid,
    cut_off,
    guarded,
    logit_cases,
    plainly,
    sigmoid,
    without_absolute_value,
)

Array = NDArray[np.float64]


def generator_loss(fake_logits: Array) -> Any:
    return np.logaddexp(0, -fake_logits).mean()


def generator_loss_by_maximum(fake_logits: Array) -> Any:
    return float(np.mean(np.maximum(-fake_logits, 0) + np.log1p(np.exp(-np.abs(fake_logits)))))


def generator_loss_by_loop(fake_logits: Array) -> Any:
    total = 0.0
    for x in fake_logits.ravel():
        total += math.log1p(math.exp(-x)) if x >= 0 else math.log1p(math.exp(x)) - x
    return total / fake_logits.size


def of_fakes(
    each: EachLoss = as_real, pool: Callable[[Any], Any] = np.mean, after: Callable[[Any], Any] = lambda loss: loss
) -> Callable[..., Any]:
    """The generator's loss with one part exchanged."""

    def answer(fake_logits: Array) -> Any:
        with np.errstate(all="ignore"):
            return after(pool(each(fake_logits)))

    return answer


GENERATOR_LOSS = Exercise(
    id="gans.generator_loss",
    kind="function",
    title="What the generator minimizes",
    points=1,
    minutes=8,
    difficulty=1,
    function="generator_loss",
    reference=generator_loss,
    alternatives=(generator_loss_by_maximum, generator_loss_by_loop),
    inputs=lambda rng: logit_cases(rng, 1),
    wrong=(
        Wrong(
            "minimax",
            of_fakes(after=lambda loss: loss, each=lambda x: -as_fake(x)),
            "That is the minimax loss, the mean of ln(1 - D). It goes the right way, but where D sees through a fake its slope is nearly 0. Which logarithm does the non-saturating loss take?",
        ),
        Wrong(
            "the-discriminator's",
            of_fakes(each=as_fake),
            "That is what the fakes cost the *discriminator*: minimizing it makes them easier to see through. What does the generator want D to say of them?",
        ),
        Wrong(
            "negative",
            of_fakes(after=lambda loss: -loss),
            "Your loss has the opposite sign: it is the mean of ln D, and minimizing it makes the fakes easier to see through. Which sign should a cost have?",
        ),
        Wrong(
            "summed",
            of_fakes(pool=np.sum),
            "You sum over the fakes, so a larger batch has a larger loss. By what should the sum be divided?",
        ),
        Wrong(
            "halved",
            of_fakes(after=lambda loss: loss / 2),
            "Your loss is half of the one asked for. Where does the factor come from?",
        ),
        Wrong(
            "doubled",
            of_fakes(after=lambda loss: 2 * loss),
            "Your loss is twice the one asked for. Where does the factor come from?",
        ),
        Wrong(
            "both-terms-of-the-discriminator",
            of_fakes(each=lambda x: as_real(x) + as_fake(x)),
            "You add what the fakes cost the discriminator to what they cost the generator, which is least where D says 1/2. Does the generator want D to say 1/2?",
        ),
        Wrong(
            "logarithm-forgotten",
            of_fakes(each=lambda x: 1 - sigmoid(x)),
            "You average 1 - D, without a logarithm. How steep is it where D sees through a fake and is near 0?",
        ),
        Wrong(
            "minus-the-probability",
            of_fakes(each=lambda x: -sigmoid(x)),
            "You average -D, without a logarithm. How steep is it where D sees through a fake and is near 0?",
        ),
        Wrong(
            "logit-for-probability",
            of_fakes(each=lambda x: -np.log(x)),
            "You put the logits where the formula has D, and the logarithm of a negative number is nan. Which function turns a logit into a probability?",
        ),
        Wrong(
            "logarithm-of-the-mean",
            of_fakes(each=sigmoid, after=lambda mean: -np.log(mean)),
            "You average the probabilities and take the logarithm afterwards, so a fake that D sees through is hidden among the others. Which comes first?",
        ),
        Wrong(
            "loss-of-the-mean-logit",
            of_fakes(each=lambda x: x, after=as_real),
            "You average the logits and take the loss of the mean. Which comes first: the mean or the logarithm?",
        ),
        Wrong(
            "in-bits",
            of_fakes(after=lambda loss: loss / np.log(2)),
            "Your logarithm has base 2. What is the loss when D says 1/2 of every fake, with the natural logarithm?",
        ),
        Wrong(
            "base-ten",
            of_fakes(after=lambda loss: loss / np.log(10)),
            "Your logarithm has base 10. What is the loss when D says 1/2 of every fake, with the natural logarithm?",
        ),
        Wrong(
            "wasserstein",
            of_fakes(each=lambda x: -x),
            "That is a Wasserstein generator's loss, minus the mean logit. It has no logarithm and no lower bound. What does the formula make of each logit first?",
        ),
        Wrong(
            "hinge",
            of_fakes(each=lambda x: np.maximum(0, 1 - x)),
            "You take a hinge, max(0, 1 - logit). What does this task's formula take of D?",
        ),
        Wrong(
            "without-its-bend",
            of_fakes(each=lambda x: np.maximum(0, -x)),
            "You take max(0, -logit), which is what -ln D comes to for very large logits alone. What does a fake cost of which D says 1/2?",
        ),
        Wrong(
            "slope-for-loss",
            of_fakes(each=lambda x: sigmoid(x) - 1),
            "You average D - 1, which is the *slope* of the loss in each logit. Which number has that slope?",
        ),
        Wrong(
            "one-fewer",
            lambda fake_logits: as_real(fake_logits).sum() / np.float64(len(fake_logits) - 1),
            "You divide by M - 1, as for a variance. What is the mean of M numbers divided by?",
        ),
        Wrong(
            "median",
            of_fakes(pool=np.median),
            "You take the median of the costs, which one bad fake does not move. What does the formula take of them?",
        ),
        Wrong(
            "least-squares",
            of_fakes(each=lambda x: (x - 1) ** 2),
            "That is the loss of a least-squares GAN, the squared distance of the logits from 1. What does this task's formula take of D?",
        ),
        Wrong(
            "least-squares-halved",
            of_fakes(each=lambda x: (x - 1) ** 2 / 2),
            "That is the loss of a least-squares GAN, half the squared distance of the logits from 1. What does this task's formula take of D?",
        ),
        Wrong(
            "squared-probability",
            of_fakes(each=lambda x: (1 - sigmoid(x)) ** 2),
            "You square the probabilities' distance from 1. How large can such a loss become, however bad the fakes are, and how large the one asked for?",
        ),
        Wrong(
            "sigmoid-twice",
            of_fakes(each=lambda x: as_real(sigmoid(x))),
            "The logits go through a sigmoid twice: your loss takes logits, and you hand it probabilities. How small could such a loss become?",
        ),
        Wrong(
            "smoothed",
            of_fakes(each=lambda x: 0.9 * as_real(x) + 0.1 * as_fake(x)),
            "The label of the fakes is smoothed to 0.9, a trick for the *discriminator's* real images (Salimans et al. 2016). Does this task's formula have it?",
        ),
        Wrong(
            "each-fake",
            of_fakes(pool=lambda losses: losses),
            "You hand back one cost for each fake. Which one number is asked for?",
        ),
        Wrong(
            "without-absolute-value",
            of_fakes(each=lambda x: without_absolute_value(-x)),
            "Your cost is the same for a logit x and for -x. Is a stable form, such as max(x, 0) + ln(1 + e^-|x|), copied with its signs and its absolute value in place?",
        ),
        Wrong(
            "overflow",
            of_fakes(each=lambda x: plainly(-x)),
            f"Right up to logits in the hundreds. {OVERFLOW} {STABLE}",
        ),
        Wrong(
            "logarithm-of-zero",
            of_fakes(each=lambda x: -np.log(1 - by_sigmoid(-x))),
            f"Right, until D is so small that your code takes it for 0, and its logarithm is -inf: between logits of -35 and -39. {GUARD_OF}",
        ),
        *(
            Wrong(
                f"guard-added-{guard:g}",
                of_fakes(each=guarded(guard)[0]),
                f"{guard:g} is added inside the logarithm, so a fake that D is sure about costs too little, and sends too small a slope. {GUARD_OF}",
            )
            for guard in GUARDS
        ),
        *(
            Wrong(
                f"cut-off-at-{guard:g}",
                of_fakes(each=cut_off(guard)[0]),
                f"The probability is kept {guard:g} away from 0 and 1, so a fake that D is sure about costs too little, and sends no slope at all. {GUARD_OF}",
            )
            for guard in GUARDS
        ),
        *(
            Wrong(
                f"logits-bounded-by-{bound}",
                of_fakes(each=bounded(bound)[0]),
                f"The logits are cut off at -{bound} and {bound}, so a fake that D is surer about costs no more, and sends no slope. {STABLE}",
            )
            for bound in BOUNDS
        ),
        *(
            Wrong(
                f"straight-beyond-{bound}",
                of_fakes(each=lambda x, bound=bound: bent_up_to(bound)(-x)),  # type: ignore[misc]
                f"Right but for logits of medium size: from about -{bound} down you take -x itself for ln(1 + e^-x), and that is too early. {STABLE}",
            )
            for bound in BENDS
        ),
    ),
    hints=(
        "The generator wants D to call its images real. What does exercise 1's formula make a *real* image cost?",
        "-ln D = ln(1 + e^-logit), averaged over the fakes. Not -(-ln(1 - D)), which is the minimax loss.",
        "It is the first of exercise 1's two means, with `fake_logits` in the place of `real_logits`.",
    ),
    unlocks="Both losses send the generator the same way; only this one keeps pushing when the fakes are bad.",
)  # fmt: skip
