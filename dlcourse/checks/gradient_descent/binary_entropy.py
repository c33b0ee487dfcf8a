"""Binary cross-entropy from logits, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Pair = tuple[Any, Any]


# --- gradient_descent.binary_cross_entropy ------------------------------------------------------------------------


def sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, e) / (1 + e))


def binary_cross_entropy(logits: Array, targets: Array) -> Pair:
    loss = np.mean(np.logaddexp(0, logits) - targets * logits)
    return loss, (sigmoid(logits) - targets) / len(logits)


def binary_by_loop(logits: Array, targets: Array) -> Pair:
    loss, slopes = 0.0, []
    for z, y in zip(logits.tolist(), targets.tolist(), strict=True):
        e = math.exp(-abs(z))
        p = 1 / (1 + e) if z >= 0 else e / (1 + e)
        loss += max(z, 0) - y * z + math.log1p(e)
        slopes.append((p - y) / len(logits))
    return loss / len(logits), slopes


def binary_by_tanh(logits: Array, targets: Array) -> Pair:
    log_p, log_q = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
    loss = -np.where(targets == 1, log_p, log_q).mean()
    return loss, (0.5 * (1 + np.tanh(logits / 2)) - targets) / targets.shape[0]


def binary_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, label: str = "", scale: float = 2.0) -> Case:
        targets = np.zeros(N)
        targets[: N // 2] = 1
        return Case((scale * rng.normal(size=N), rng.permutation(targets)), label)

    def fixed(logits: list[float], targets: list[int], label: str) -> Case:
        return Case((np.array(logits), np.array(targets, dtype=float)), label)

    return [
        Case((np.array([2.0, -1.0, 0.5]), np.array([1.0, 0.0, 0.0]))),
        case(5),
        case(4, scale=1.0),
        Case((np.array([rng.normal()]), np.array([1.0])), "one example"),
        fixed([40.0, -45.0, 60.0, -50.0, 0.3], [0, 1, 1, 0, 1], "sure neurons"),
        fixed([1e4, -1e4, 1e4, -1e4, 1.5], [1, 0, 0, 1, 1], "logits of ten thousand"),
        fixed([0.0, 2.0, -1.0, 0.0], [1, 0, 1, 0], "a logit of exactly 0"),
        fixed([-1e4, -1e4, 1e4], [0, 1, 1], "large logits, most of them negative"),
        fixed([1e4, 1e4, -1e4], [0, 1, 1], "large logits, most of them positive"),
        fixed([-1e4, -2.0, -800.0], [1, 0, 1], "logits that are all negative"),
        fixed([1e4, 2.0, 800.0], [0, 1, 0], "logits that are all positive"),
        fixed([-800.0], [1], "one neuron, sure and wrong"),
        fixed([17.0], [1], "one neuron, sure and right"),
        fixed([-17.0], [0], "one neuron, sure and right"),
        fixed([0.4, -1.2, 2.5], [0, 0, 0], "targets of 0 only"),
        fixed([0.4, -1.2, 2.5, -0.3], [1, 1, 1, 1], "targets of 1 only"),
    ]  # fmt: skip


def binary_naive(logits: Array, targets: Array) -> Pair:
    p = 1 / (1 + np.exp(-logits))
    return -np.mean(targets * np.log(p) + (1 - targets) * np.log(1 - p)), (p - targets) / len(p)


def binary_clipped(tiny: float) -> Callable[[Array, Array], Pair]:
    def clipped(logits: Array, targets: Array) -> Pair:
        p = np.clip(sigmoid(logits), tiny, 1 - tiny)
        return -np.mean(targets * np.log(p) + (1 - targets) * np.log(1 - p)), (p - targets) / len(p)

    return clipped


def binary_shifted(tiny: float) -> Callable[[Array, Array], Pair]:
    def shifted(logits: Array, targets: Array) -> Pair:
        p = sigmoid(logits)
        return -np.mean(targets * np.log(p + tiny) + (1 - targets) * np.log(1 - p + tiny)), (p - targets) / len(p)

    return shifted


def binary_logits_clipped(most: float) -> Callable[[Array, Array], Pair]:
    def logits_clipped(logits: Array, targets: Array) -> Pair:
        return binary_cross_entropy(np.clip(logits, -most, most), targets)

    return logits_clipped


def binary_exp_overflows(logits: Array, targets: Array) -> Pair:
    p = 1 / (1 + np.exp(-logits))
    return np.mean(np.log(1 + np.exp(logits)) - targets * logits), (p - targets) / len(p)


def binary_summed(logits: Array, targets: Array) -> Pair:
    return np.sum(np.logaddexp(0, logits) - targets * logits), sigmoid(logits) - targets


def binary_gradient_of_sum(logits: Array, targets: Array) -> Pair:
    return binary_cross_entropy(logits, targets)[0], sigmoid(logits) - targets


def binary_positives_only(logits: Array, targets: Array) -> Pair:
    return np.mean(targets * np.logaddexp(0, -logits)), targets * (sigmoid(logits) - 1) / len(logits)


def binary_loss_positives_only(logits: Array, targets: Array) -> Pair:
    return np.mean(targets * np.logaddexp(0, -logits)), (sigmoid(logits) - targets) / len(logits)


def binary_of_probability(logits: Array, targets: Array) -> Pair:
    p = sigmoid(logits)
    return binary_cross_entropy(logits, targets)[0], (p - targets) / (p * (1 - p)) / len(p)


def binary_sigmoid_twice(logits: Array, targets: Array) -> Pair:
    p = sigmoid(logits)
    return binary_cross_entropy(logits, targets)[0], (p - targets) * p * (1 - p) / len(p)


def binary_sigmoid_forgotten(logits: Array, targets: Array) -> Pair:
    return binary_cross_entropy(logits, targets)[0], (logits - targets) / len(logits)


def binary_signs_as_labels(logits: Array, targets: Array) -> Pair:
    return np.mean(np.logaddexp(0, -targets * logits)), -targets * sigmoid(-targets * logits) / len(logits)


def binary_targets_exchanged(logits: Array, targets: Array) -> Pair:
    return binary_cross_entropy(logits, 1 - targets)


def binary_gradient_turned(logits: Array, targets: Array) -> Pair:
    return binary_cross_entropy(logits, targets)[0], (targets - sigmoid(logits)) / len(logits)


def binary_minus_forgotten(logits: Array, targets: Array) -> Pair:
    loss, dlogits = binary_cross_entropy(logits, targets)
    return -loss, dlogits


def binary_squared(logits: Array, targets: Array) -> Pair:
    p = sigmoid(logits)
    return np.mean((p - targets) ** 2), 2 * (p - targets) * p * (1 - p) / len(p)


def binary_one_each(logits: Array, targets: Array) -> Pair:
    return np.logaddexp(0, logits) - targets * logits, (sigmoid(logits) - targets) / len(logits)


def binary_negatives_halved(logits: Array, targets: Array) -> Pair:
    loss, dlogits = binary_cross_entropy(logits, targets)
    return loss / 2, dlogits / 2


def binary_nan_replaced(logits: Array, targets: Array) -> Pair:
    p = 1 / (1 + np.exp(-logits))
    losses = np.nan_to_num(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)))
    return np.mean(losses), (p - targets) / len(p)


def binary_zero_left_out(logits: Array, targets: Array) -> Pair:
    loss, dlogits = binary_cross_entropy(logits, targets)
    return loss, np.where(logits == 0, -targets / len(logits), dlogits)


def binary_one_form_for_all(logits: Array, targets: Array) -> Pair:
    p = 1 / (1 + np.exp(-logits)) if logits.mean() >= 0 else np.exp(logits) / (1 + np.exp(logits))
    return binary_cross_entropy(logits, targets)[0], (p - targets) / len(p)


CAPPED = (
    "The loss stays finite, since {} keeps the logarithm from exploding, but at a made-up value: it stops growing, "
    "and a neuron that is sure and wrong with a logit of 10,000 should pay 10,000. Which form of the loss never takes the logarithm of p?"
)

BINARY_CROSS_ENTROPY = Exercise(
    id="gradient_descent.binary_cross_entropy",
    kind="function",
    title="Binary cross-entropy that survives sure neurons",
    points=3,
    minutes=15,
    difficulty=2,
    function="binary_cross_entropy",
    reference=binary_cross_entropy,
    alternatives=(binary_by_loop, binary_by_tanh),
    inputs=binary_inputs,
    returns=("loss", "dlogits"),
    forbid=("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"),
    wrong=(
        Wrong(
            "naive",
            binary_naive,
            "Right for small logits. For large ones the probability rounds to exactly 0 or 1, the logarithm of 0 is -inf, and "
            "0 times -inf is nan. Can you write the loss in terms of z, without ever forming p?",
        ),
        Wrong("clipped", binary_clipped(1e-12), CAPPED.format("clipping p")),
        Wrong("clipped-at-1e-15", binary_shifted(1e-15), CAPPED.format("the tiny number in it")),
        Wrong("clipped-at-1e-8", binary_shifted(1e-8), CAPPED.format("the tiny number in it")),
        Wrong("clipped-at-1e-10", binary_clipped(1e-10), CAPPED.format("clipping p")),
        Wrong("shifted-by-1e-300", binary_shifted(1e-300), CAPPED.format("the tiny number in it")),
        Wrong(
            "nan-replaced",
            binary_nan_replaced,
            "Right for small logits. For large ones the logarithm of 0 gives -inf and nan, and replacing these by other numbers "
            "hides that the loss is lost. Can you write it in terms of z, without ever forming p?",
        ),
        Wrong(
            "zero-left-out",
            binary_zero_left_out,
            "Right, except where a logit is exactly 0: the slope there takes p for 0. Do your two cases, z > 0 and z < 0, cover every z?",
        ),
        Wrong(
            "one-form-for-the-whole-batch",
            binary_one_form_for_all,
            "The loss is right, but for the slopes you choose one form of the sigmoid for the whole batch, so large logits of the other sign overflow. "
            "How can each entry get its own form?",
        ),
        Wrong("clipped-at-1e-7", binary_clipped(1e-7), CAPPED.format("clipping p")),
        Wrong("logits-clipped-at-30", binary_logits_clipped(30), CAPPED.format("clipping the logits")),
        Wrong("logits-clipped-at-500", binary_logits_clipped(500), CAPPED.format("clipping the logits")),
        Wrong(
            "exp-overflows",
            binary_exp_overflows,
            "The right formula, but e to a large logit overflows to inf before the logarithm can shrink it. "
            "How can log(1 + e^z) be written so that the exponent is never positive?",
        ),
        Wrong(
            "sum-for-mean",
            binary_summed,
            "Loss and gradient are those of a sum over the examples, so they grow with the batch. What is missing in both?",
        ),
        Wrong(
            "gradient-of-the-sum",
            binary_gradient_of_sum,
            "The loss is right, but the slopes are N times too large: they belong to the sum. "
            "What did you divide the loss by, and the slopes not?",
        ),
        Wrong(
            "negatives-ignored",
            binary_positives_only,
            "Examples with target 0 cost nothing and have no slope: only y·log p is there. "
            "What should a neuron pay that says 0.99 when the truth is 0?",
        ),
        Wrong(
            "negatives-ignored-in-the-loss",
            binary_loss_positives_only,
            "The gradient is right, but the loss only counts the examples with target 1. "
            "Which second term speaks for those with target 0?",
        ),
        Wrong(
            "slope-of-the-probability",
            binary_of_probability,
            "The loss is right, but the slopes are those with respect to the probability p. "
            "You were asked for those with respect to z: by which rule do you get from p to z?",
        ),
        Wrong(
            "sigmoid-derivative-once-too-often",
            binary_sigmoid_twice,
            "The loss is right, but the slopes carry a factor p(1-p) too many. It cancels against one that the logarithm brings. "
            "What remains when you write the chain from loss to p to z in full?",
        ),
        Wrong(
            "sigmoid-forgotten-in-the-gradient",
            binary_sigmoid_forgotten,
            "The loss is right, but the slopes take the logit for the probability: z - y instead of p - y. "
            "What turns a logit into a probability?",
        ),
        Wrong(
            "labels-plus-minus-one",
            binary_signs_as_labels,
            "This is the formula for labels -1 and +1. With targets 0 and 1, an example with target 0 always costs log 2 and has no slope. "
            "Which form goes with 0 and 1?",
        ),
        Wrong(
            "targets-exchanged",
            binary_targets_exchanged,
            "Yes and no have changed places: a neuron that is right pays. Which term belongs to target 1, log p or log(1-p)?",
        ),
        Wrong(
            "gradient-turned",
            binary_gradient_turned,
            "The loss is right, the slopes have the opposite sign: truth minus prediction. "
            "If the truth is 0 and you raise the logit, does the loss rise or fall?",
        ),
        Wrong(
            "minus-forgotten",
            binary_minus_forgotten,
            "The gradient is right, but the loss is negative: the mean of log-probabilities without the minus. "
            "Should a better forecast give a higher or a lower loss?",
        ),
        Wrong(
            "squared-error",
            binary_squared,
            "This is the squared error of the probabilities, which hardly slopes where a neuron is sure and wrong. "
            "Which loss comes from the likelihood of a yes or no?",
        ),
        Wrong(
            "halved",
            binary_negatives_halved,
            "Loss and gradient are half of the right ones. Is each example counted as two terms in your mean, of which one is always zero?",
        ),
        Wrong(
            "one-loss-for-each-example",
            binary_one_each,
            "The gradient is right, but there are N losses instead of their mean. What makes one number of them?",
        ),
    ),
    hints=(
        "Start with the gradient: prediction minus truth, divided by N. Then the loss, first for small logits.",
        "Put p = σ(z) into the formula and simplify: log(1 + e^z) - y·z. Then see to it that no exponent is positive.",
        "`np.logaddexp(0, z)` is log(e⁰ + e^z) without overflow; for the sigmoid, use e^(-|z|) and treat z ≥ 0 and z < 0 apart.",
    ),
    unlocks="It trains every yes-or-no model, and later a GAN's discriminator.",
)
