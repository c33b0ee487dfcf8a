"""Bits per character and perplexity (Shannon 1951; Jelinek et al. 1977)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def nats(logits: Array, targets: Array) -> Array:
    """-ln p of each target, (T,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.asarray(-log_p[np.arange(len(targets)), targets])


def bits_per_character(logits: Array, targets: Array) -> Any:
    bits = nats(logits, targets).mean() / np.log(2)
    return bits, 2.0**bits


def bits_by_loop(logits: Array, targets: Array) -> Any:
    total = 0.0
    for scores, target in zip(logits, targets, strict=True):
        top = max(scores)
        total += (top - scores[target]) + math.log(math.fsum(math.exp(s - top) for s in scores))
    return [total / len(targets) / math.log(2), math.exp(total / len(targets))]


def bits_by_logaddexp2(logits: Array, targets: Array) -> Any:
    scores = logits * math.log2(math.e)
    each = np.logaddexp2.reduce(scores, axis=1) - scores[np.arange(len(scores)), targets]
    return np.float64(np.average(each)), np.exp2(np.average(each))


def bits_inputs(rng: np.random.Generator) -> list[Case]:
    def case(T: int, V: int, label: str = "", scale: float = 1.5) -> Case:
        return Case((scale * rng.normal(size=(T, V)), rng.integers(0, V, size=T)), label)

    small = np.log(np.array([[1.0, 2.0, 1.0], [4.0, 2.0, 2.0], [1.0, 1.0, 6.0]]))  # p: 1/2, 1/4, 1/8
    sure = 1e4 * np.eye(4)[[0, 2, 1, 3, 0]]
    missed = 30.0 * np.eye(3)[[0, 1, 2, 0]]
    logits = 10.0 + rng.normal(size=(4, 5))
    levels = np.array([[0.0], [800.0], [0.0], [800.0]])
    return [
        Case((small + 0.5, np.array([1, 2, 0]))),
        case(6, 4),
        case(5, 8),
        case(9, 3),
        case(1, 5, "a single character"),
        case(4, 4, "as many steps as characters in the alphabet"),
        Case((np.zeros((5, 6)), rng.integers(0, 6, size=5)), "equal logits"),
        Case((logits, rng.integers(0, 5, size=4)), "logits that are all positive"),
        Case((1000.0 + case(4, 3).args[0], rng.integers(0, 3, size=4)), "large logits"),
        Case((levels + case(4, 3).args[0], rng.integers(0, 3, size=4)), "rows that lie far apart"),
        Case((sure, np.array([0, 2, 1, 3, 0])), "a model that is sure and right"),
        Case((missed, np.array([0, 1, 2, 1])), "a model that is sure and once wrong"),
        Case((1000.0 * np.eye(4)[[0, 1, 2]], np.array([0, 1, 3])), "a probability too small for a float"),
    ]


def variant(
    each: Callable[[Array, Array], Array] = nats,
    pool: Callable[[Array], Any] = np.mean,
    to_bits: Callable[[Any], Any] = lambda mean: mean / np.log(2),
    perplexity: Callable[[Any, Any, Array], Any] = lambda bits, mean, each: np.exp(mean),
    handed: Callable[[Any, Any], Any] = lambda bits, perplexity: (bits, perplexity),
) -> Callable[..., Any]:
    """The two numbers with one part exchanged; ``perplexity(bits, mean in nats, nats of each)``."""

    def answer(logits: Array, targets: Array) -> Any:
        with np.errstate(all="ignore"):
            of_each = each(logits, targets)
            mean = pool(of_each)
            return handed(to_bits(mean), perplexity(to_bits(mean), mean, of_each))

    return answer


def probabilities(logits: Array) -> Array:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def entropies(logits: Array, targets: Array) -> Array:
    p = probabilities(logits)
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1))


def shifted_again(logits: Array, targets: Array) -> Array:
    return nats(logits[:-1], targets[1:]) if len(targets) > 1 else nats(logits, targets)


def picked(logits: Array, targets: Array) -> Array:
    return np.asarray(logits[np.arange(len(targets)), targets])


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def over_time(logits: Array, targets: Array) -> Array:
    shifted = logits - logits.max(axis=0)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=0))
    return np.asarray(-log_p[np.arange(len(targets)), targets])


def of_the_mean_probability(bits: Any, mean: Any, each: Array) -> Any:
    return 1 / np.mean(np.exp(-each))


def guard_added(guard: float) -> Wrong:
    return Wrong(
        "guard-added" if guard == 1e-9 else f"guard-added-{guard:g}",
        variant(each=lambda logits, targets: -np.log(picked(probabilities(logits), targets) + guard)),
        "A small number is added to the probabilities, so a very unlikely character looks cheaper than it is. How do you get log p without computing p first?",
    )


def cut_off(guard: float) -> Wrong:
    return Wrong(
        f"cut-off-at-{guard:g}",
        variant(each=lambda logits, targets: -np.log(np.maximum(picked(probabilities(logits), targets), guard))),
        f"Probabilities below {guard:g} are cut off there, so a very unlikely character looks cheaper than it is. How do you get log p without computing p first?",
    )


def skipped(logits: Array, targets: Array) -> Array:
    p = picked(probabilities(logits), targets)
    return np.asarray(-np.log(np.where(p > 0, p, 1.0)))


def less_than_all(logits: Array, targets: Array) -> Array:
    shifted = logits - logits.max()
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - picked(shifted, targets))


def over_all(logits: Array, targets: Array) -> Array:
    shifted = logits - logits.max()
    return np.asarray(np.log(np.exp(shifted).sum()) - picked(shifted, targets))


def log_sum(logits: Array) -> Array:
    """ln of the sum of exponentials, each row's largest logit subtracted, (T,)."""
    return np.asarray(np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)))


def below_the_largest(logits: Array, targets: Array) -> Array:
    return np.asarray(logits.max(axis=1) - picked(logits, targets))


def shifted_back(logits: Array, targets: Array) -> Array:
    return nats(logits[1:], targets[:-1]) if len(targets) > 1 else nats(logits, targets)


def of_mixed_bases(logits: Array, targets: Array) -> Array:
    """Half in bits: the result is taken for bits, so here it is brought to nats."""
    return np.asarray((below_the_largest(logits, targets) + log_sum(logits) / np.log(2)) * np.log(2))


def unguarded(logits: Array, targets: Array) -> Array:
    return np.asarray(-np.log(probabilities(logits)[np.arange(len(targets)), targets]))


BITS_PER_CHARACTER = Exercise(
    id="recurrent_networks.bits_per_character",
    kind="function",
    title="Bits per character and perplexity",
    points=2,
    minutes=12,
    difficulty=2,
    function="bits_per_character",
    reference=bits_per_character,
    alternatives=(bits_by_loop, bits_by_logaddexp2),
    inputs=bits_inputs,
    returns=("bits", "perplexity"),
    blame=("bits", "perplexity"),
    wrong=(
        Wrong(
            "nats-for-bits",
            variant(to_bits=lambda mean: mean),
            "The perplexity is right. Your first number is in nats, with the natural logarithm, as a framework's cross-entropy is. By which number does one divide to count in bits?",
        ),
        Wrong(
            "nats-for-bits-and-base-two",
            variant(to_bits=lambda mean: mean, perplexity=lambda bits, mean, each: 2.0**mean),
            "Your first number is in nats, and the perplexity raises 2 to it. Which base belongs to nats, and how do they become bits?",
        ),
        Wrong(
            "base-two-of-nats",
            variant(perplexity=lambda bits, mean, each: 2.0**mean),
            "`bits` is right. For the perplexity you raise 2 to the mean in *nats*. Which base belongs to which unit?",
        ),
        Wrong(
            "e-to-the-bits",
            variant(perplexity=lambda bits, mean, each: np.exp(bits)),
            "`bits` is right. For the perplexity you raise e to the mean in *bits*. Which base belongs to which unit?",
        ),
        Wrong(
            "multiplied-by-ln-two",
            variant(to_bits=lambda mean: mean * np.log(2)),
            "The perplexity is right. You multiply the nats by ln 2. A bit is the smaller unit: should the number in bits be larger or smaller than that in nats?",
        ),
        Wrong(
            "multiplied-by-ln-two-throughout",
            variant(to_bits=lambda mean: mean * np.log(2), perplexity=lambda bits, mean, each: 2.0**bits),
            "You multiply the nats by ln 2. A bit is the smaller unit: should the number in bits be larger or smaller than that in nats?",
        ),
        Wrong(
            "base-ten",
            variant(to_bits=lambda mean: mean / np.log(10)),
            "The perplexity is right. Your first number is made with the logarithm to base 10. Which base counts questions that are answered by yes or no?",
        ),
        Wrong(
            "base-ten-throughout",
            variant(to_bits=lambda mean: mean / np.log(10), perplexity=lambda bits, mean, each: 2.0**bits),
            "Your logarithm has base 10. Which base counts questions that are answered by yes or no?",
        ),
        Wrong(
            "summed",
            variant(pool=np.sum, perplexity=lambda bits, mean, each: np.exp(each.mean())),
            "The perplexity is right. `bits` is the sum over the whole text. By what must it be divided to be *per character*?",
        ),
        Wrong(
            "summed-throughout",
            variant(pool=np.sum),
            "You sum over the text, so longer texts look harder. By what must the sum be divided to be *per character*?",
        ),
        Wrong(
            "minus-forgotten",
            variant(each=lambda logits, targets: -nats(logits, targets)),
            "Your bits are negative, and the perplexity is below 1. Which sign does the logarithm of a probability have, and which should a cost have?",
        ),
        Wrong(
            "minus-forgotten-in-bits",
            variant(to_bits=lambda mean: -mean / np.log(2)),
            "The perplexity is right, but your bits are negative. Which sign does the logarithm of a probability have?",
        ),
        Wrong(
            "perplexity-upside-down",
            variant(perplexity=lambda bits, mean, each: np.exp(-mean)),
            "`bits` is right. Your perplexity is below 1: it is the mean probability (the geometric one). Between how many characters is the model undecided, so to speak?",
        ),
        Wrong(
            "perplexities-averaged",
            variant(perplexity=lambda bits, mean, each: np.mean(np.exp(each))),
            "`bits` is right. You take the mean of the perplexities of single characters, which one surprise can blow up. What comes first: the mean or the power?",
        ),
        Wrong(
            "perplexity-of-the-whole-text",
            variant(perplexity=lambda bits, mean, each: np.exp(each.sum())),
            "`bits` is right. Your perplexity is 1 divided by the probability of the whole text, and grows with each character. What must come before the power, so that it is *per character*?",
        ),
        Wrong(
            "probabilities-averaged",
            variant(perplexity=of_the_mean_probability),
            "`bits` is right. Your perplexity is 1 divided by the mean probability. What is averaged: the probabilities or their logarithms?",
        ),
        Wrong(
            "probabilities-averaged-throughout",
            variant(to_bits=lambda mean: mean / np.log(2), pool=lambda each: -np.log(np.mean(np.exp(-each)))),
            "You average the probabilities and take the logarithm afterwards, so a character that was thought impossible costs next to nothing. Which comes first?",
        ),
        Wrong(
            "perplexity-squared-bits",
            variant(perplexity=lambda bits, mean, each: bits**2),
            "`bits` is right. Your perplexity is its square. Which of the two numbers is the exponent?",
        ),
        Wrong(
            "entropy-of-the-predictions",
            variant(each=entropies),
            "`targets` has no effect: you measure how undecided the model is, not how wrong. Which character's probability counts at each step?",
        ),
        Wrong(
            "shifted-again",
            variant(each=shifted_again),
            "You compare each step's logits with the target of the *next* step and leave one out. By the task, is row t of `logits` meant for `targets[t]` or for the one behind it?",
        ),
        Wrong(
            "shifted-back",
            variant(each=shifted_back),
            "You compare each step's logits with the target of the step *before* and leave one out. By the task, which target is row t of `logits` meant for?",
        ),
        Wrong(
            "targets-rolled",
            variant(each=lambda logits, targets: nats(logits, np.roll(targets, -1))),
            "You compare each step's logits with the *next* target, and the last step's with the first. By the task, which target is row t of `logits` meant for?",
        ),
        Wrong(
            "all-targets-in-all-rows",
            variant(each=lambda logits, targets: -log_softmax(logits)[:, targets]),
            "From every row you take the columns of *all* targets, T × T numbers, and average them. Which index of the rows goes with `targets`, so that each row gives one number?",
        ),
        Wrong(
            "most-likely-character",
            variant(each=lambda logits, targets: -log_softmax(logits).max(axis=1)),
            "`targets` has no effect: you take the probability of the character that the model likes best. Whose probability counts?",
        ),
        Wrong(
            "softmax-over-time",
            variant(each=over_time),
            "Your softmax runs down the columns, over time. Over which axis do the probabilities of one step add up to 1?",
        ),
        Wrong(
            "softmax-over-everything",
            variant(each=over_all),
            "Your softmax runs over all T × V logits at once. Over which numbers do the probabilities of one step add up to 1?",
        ),
        Wrong(
            "log-of-the-sum-forgotten",
            variant(each=below_the_largest),
            "You measure how far the target's logit lies below the largest of its row. What else does the logarithm of a softmax subtract?",
        ),
        Wrong(
            "largest-subtracted-in-one-place",
            variant(each=lambda logits, targets: log_sum(logits) - picked(logits, targets)),
            "The row's largest logit is subtracted inside the exponentials, but not from the logit in front. What happens to the result when you add 10 to all logits, and what should happen?",
        ),
        Wrong(
            "bases-mixed",
            variant(each=of_mixed_bases),
            "The sum of exponentials goes through log2, while the logit itself stays in nats. In which unit is a logit, and when are both brought to bits?",
        ),
        Wrong(
            "softmax-of-powers-of-two",
            variant(each=lambda logits, targets: nats(logits * np.log(2), targets)),
            "Your softmax takes powers of 2. The bits come in with the logarithm: which base has the softmax itself?",
        ),
        Wrong(
            "all-characters-averaged",
            variant(each=lambda logits, targets: -log_softmax(logits)),
            "`targets` has no effect: you average over all characters of the alphabet. Which one of each row counts?",
        ),
        Wrong(
            "softmax-forgotten",
            variant(each=lambda logits, targets: -picked(logits, targets)),
            "You take the logits for logarithms of probabilities. Do the exponentials of a row add up to 1?",
        ),
        Wrong(
            "logarithm-of-logits",
            variant(each=lambda logits, targets: -np.log(picked(logits, targets))),
            "You take the logarithm of the logits themselves, which can be negative. What must happen to a row of logits before it is one of probabilities?",
        ),
        Wrong(
            "logarithm-forgotten",
            variant(each=lambda logits, targets: -probabilities(logits)[np.arange(len(targets)), targets]),
            "You average the probabilities without a logarithm. How many yes-or-no questions does a probability of 1/8 stand for?",
        ),
        Wrong(
            "one-minus-probability",
            variant(each=lambda logits, targets: 1 - probabilities(logits)[np.arange(len(targets)), targets]),
            "You average 1 minus the probability. How many yes-or-no questions does a probability of 1/8 stand for?",
        ),
        Wrong(
            "unguarded-logarithm",
            variant(each=unguarded),
            "Right, until a probability is too small for a float: then its logarithm is -inf. How do you get the logarithm of a softmax without computing the softmax first?",
        ),
        *(guard_added(guard) for guard in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)),
        *(cut_off(guard) for guard in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)),
        Wrong(
            "guarded-by-1e-300",
            variant(each=lambda logits, targets: -np.log(picked(probabilities(logits), targets) + 1e-300)),
            "A tiny number, about 1e-300, keeps the logarithm from -inf, but no bits can then be more than a thousand, however unlikely a character is. How do you get log p without computing p first?",
        ),
        Wrong(
            "zero-probabilities-skipped",
            variant(each=skipped),
            "A character whose probability underflows to 0 costs nothing in your mean, though it is the greatest surprise of all. How do you get log p without computing p first?",
        ),
        Wrong(
            "largest-of-all-rows",
            variant(each=less_than_all),
            "You subtract the largest of *all* logits, so in a row that lies far below it every exponential becomes 0. Over which axis is the largest needed?",
        ),
        Wrong(
            "exchanged",
            variant(handed=lambda bits, perplexity: (perplexity, bits)),
            "The two numbers are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "bits-alone",
            variant(handed=lambda bits, perplexity: bits),
            "You hand back one number. Which second one does the task ask for?",
        ),
        Wrong(
            "of-each-character",
            variant(pool=lambda each: each, perplexity=lambda bits, mean, each: np.exp(each)),
            "You hand back numbers for each character. Which one number sums up the text, and when is the mean taken?",
        ),
    ),
    hints=(
        "At each step only one probability counts: that of the character that really came. Its surprise is -log2 p. Average over the steps.",
        "Unit 02's cross-entropy is this mean in nats. Divide by ln 2 for bits. The perplexity undoes the logarithm again: 2 to the bits, or e to the nats.",
        "`log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))` with z the logits minus the largest of each row; pick `log_p[np.arange(T), targets]`, take minus the mean, divide by `np.log(2)`; the perplexity is `2 ** bits`.",
    ),
    unlocks="Now you can compare any two models of text, whatever they are made of.",
)  # fmt: skip
