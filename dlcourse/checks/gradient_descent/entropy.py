"""Cross-entropy from logits over several classes, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Pair = tuple[Any, Any]


# --- gradient_descent.cross_entropy -------------------------------------------------------------------------------


def log_softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def cross_entropy(logits: Array, targets: Labels) -> Pair:
    log_p = log_softmax(logits)  # (N, C)
    rows = np.arange(len(targets))
    dlogits = np.exp(log_p)
    dlogits[rows, targets] -= 1
    return -log_p[rows, targets].mean(), dlogits / len(targets)


def cross_entropy_by_loop(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = 0.0, []
    for z, t in zip(logits.tolist(), targets.tolist(), strict=True):
        top = max(z)
        total = sum(math.exp(v - top) for v in z)
        loss += top + math.log(total) - z[t]
        dlogits.append([(math.exp(v - top) / total - (c == t)) / len(targets) for c, v in enumerate(z)])
    return loss / len(targets), dlogits


def cross_entropy_one_hot(logits: Array, targets: Labels) -> Pair:
    one_hot = np.eye(logits.shape[1])[targets]
    total = np.logaddexp.reduce(logits, axis=1)  # (N,)
    loss = np.mean(total - np.einsum("nc,nc->n", one_hot, logits))
    return loss, (np.exp(logits - total[:, None]) - one_hot) / logits.shape[0]


def cross_entropy_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, C: int, label: str = "", shift: float = 0.0) -> Case:
        return Case((2 * rng.normal(size=(N, C)) + shift, rng.permutation(np.arange(N) % C)), label)

    far = np.array([[1e4, -1e4, 0.0, 3.0], [-1e4, 1e4, 0.0, 1e4], [0.5, -0.3, 0.9, -1e4]])
    low = np.array([[-1e4, -9999.0, -10001.5, -9999.5], [-9998.0, -1e4, -9997.5, -1e4]])
    mild = np.array([[0.5, -0.3, 0.9, -1.2]])
    return [
        Case((np.array([[2.0, -1.0, 0.5, 0.3], [0.1, 1.2, -0.7, 0.8], [-0.4, 0.6, 1.1, -1.5]]), np.array([0, 3, 2]))),
        case(5, 3),
        case(4, 6),
        case(6, 2),
        Case((np.array([[0.3, -1.0, 1.2, 0.5]]), np.array([2])), "one example"),
        case(3, 5, "large logits", 1e4),
        Case((far, np.array([1, 1, 0])), "logits far apart"),
        Case((low, np.array([1, 0])), "logits all near -10,000"),
        Case((np.vstack([low, mild]), np.array([3, 1, 2])), "rows near -10,000 and ordinary ones"),
        Case((np.vstack([mild, -low, low]), np.array([0, 3, 1, 2, 0])), "rows near 10,000 and near -10,000"),
        Case((np.array([[0.0, 0.0, 0.0], [2.5, 2.5, 2.5]]), np.array([2, 0])), "equal logits"),
        Case((rng.normal(size=(4, 3)), np.array([1, 1, 1, 1])), "one true class for all"),
        Case((3 * rng.normal(size=(4, 4)), np.array([3, 0, 1, 1])), "as many classes as examples"),
    ]


def ce_overflowing(logits: Array, targets: Labels) -> Pair:
    e = np.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(targets))
    dlogits = p.copy()
    dlogits[rows, targets] -= 1
    return -np.log(p[rows, targets]).mean(), dlogits / len(targets)


def ce_log_of_zero(logits: Array, targets: Labels) -> Pair:
    p = np.exp(log_softmax(logits))
    rows = np.arange(len(targets))
    return -np.log(p[rows, targets]).mean(), cross_entropy(logits, targets)[1]


def ce_clipped(tiny: float) -> Callable[[Array, Labels], Pair]:
    def clipped(logits: Array, targets: Labels) -> Pair:
        p = np.exp(log_softmax(logits))[np.arange(len(targets)), targets]
        return -np.log(np.maximum(p, tiny)).mean(), cross_entropy(logits, targets)[1]

    return clipped


def ce_summed(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = cross_entropy(logits, targets)
    return loss * len(targets), dlogits * len(targets)


def ce_gradient_of_sum(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = cross_entropy(logits, targets)
    return loss, dlogits * len(targets)


def ce_over_everything(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = cross_entropy(logits, targets)
    return loss / logits.shape[1], dlogits / logits.shape[1]


def ce_gradient_is_softmax(logits: Array, targets: Labels) -> Pair:
    return cross_entropy(logits, targets)[0], np.exp(log_softmax(logits)) / len(targets)


def ce_true_class_only(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = cross_entropy(logits, targets)
    only = np.zeros_like(dlogits)
    rows = np.arange(len(targets))
    only[rows, targets] = dlogits[rows, targets]
    return loss, only


def ce_slope_of_probability(logits: Array, targets: Labels) -> Pair:
    p = np.exp(log_softmax(logits))
    rows = np.arange(len(targets))
    slopes = np.zeros_like(p)
    slopes[rows, targets] = -1 / p[rows, targets] / len(targets)
    return cross_entropy(logits, targets)[0], slopes


def ce_softmax_forgotten(logits: Array, targets: Labels) -> Pair:
    rows = np.arange(len(targets))
    slopes = np.array(logits, dtype=float)
    slopes[rows, targets] -= 1
    return cross_entropy(logits, targets)[0], slopes / len(targets)


def ce_wrong_axis(logits: Array, targets: Labels) -> Pair:
    log_p = log_softmax(logits.T).T
    rows = np.arange(len(targets))
    dlogits = np.exp(log_p)
    dlogits[rows, targets] -= 1
    return -log_p[rows, targets].mean(), dlogits / len(targets)


def ce_all_pairs(logits: Array, targets: Labels) -> Pair:
    log_p = log_softmax(logits)
    return -log_p[:, targets].mean(), cross_entropy(logits, targets)[1]


def ce_every_class(logits: Array, targets: Labels) -> Pair:
    return -log_softmax(logits).sum(axis=1).mean(), cross_entropy(logits, targets)[1]


def ce_log_forgotten(logits: Array, targets: Labels) -> Pair:
    p = np.exp(log_softmax(logits))
    return -p[np.arange(len(targets)), targets].mean(), cross_entropy(logits, targets)[1]


def ce_minus_forgotten(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = cross_entropy(logits, targets)
    return -loss, dlogits


def ce_gradient_turned(logits: Array, targets: Labels) -> Pair:
    loss, dlogits = cross_entropy(logits, targets)
    return loss, -dlogits


def ce_gradient_all_pairs(logits: Array, targets: Labels) -> Pair:
    dlogits = np.exp(log_softmax(logits))
    dlogits[:, targets] -= 1
    return cross_entropy(logits, targets)[0], dlogits / len(targets)


def ce_one_hot_not_averaged(logits: Array, targets: Labels) -> Pair:
    p, one_hot = np.exp(log_softmax(logits)), np.eye(logits.shape[1])[targets]
    return cross_entropy(logits, targets)[0], p / len(targets) - one_hot


def ce_true_logit_only(logits: Array, targets: Labels) -> Pair:
    return -logits[np.arange(len(targets)), targets].mean(), cross_entropy(logits, targets)[1]


def ce_one_too_low(logits: Array, targets: Labels) -> Pair:
    return cross_entropy(logits, targets - 1)


def ce_sigmoids(logits: Array, targets: Labels) -> Pair:
    one_hot, e = np.eye(logits.shape[1])[targets], np.exp(-np.abs(logits))
    p = np.where(logits >= 0, 1, e) / (1 + e)
    loss = (np.logaddexp(0, logits) - one_hot * logits).sum(axis=1).mean()
    return loss, (p - one_hot) / len(targets)


def ce_one_maximum_for_all(logits: Array, targets: Labels) -> Pair:
    e = np.exp(logits - logits.max())
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(targets))
    dlogits = p.copy()
    dlogits[rows, targets] -= 1
    return -np.log(p[rows, targets]).mean(), dlogits / len(targets)


def ce_maximum_of_zero(logits: Array, targets: Labels) -> Pair:
    e = np.exp(logits - np.maximum(0, logits.max(axis=1, keepdims=True)))
    total = e.sum(axis=1, keepdims=True)
    rows, top = np.arange(len(targets)), np.maximum(0, logits.max(axis=1))
    dlogits = e / total
    dlogits[rows, targets] -= 1
    return (np.log(total[:, 0]) + top - logits[rows, targets]).mean(), dlogits / len(targets)


CAPPED = (
    "The loss stays finite, since a tiny number keeps the logarithm from exploding, but at a made-up value: it stops growing, "
    "and who is sure and wrong by 20,000 should pay 20,000. What does log-sum-exp minus the true logit give?"
)

CROSS_ENTROPY = Exercise(
    id="gradient_descent.cross_entropy",
    kind="function",
    title="Cross-entropy from logits",
    points=3,
    minutes=20,
    difficulty=2,
    function="cross_entropy",
    reference=cross_entropy,
    alternatives=(cross_entropy_by_loop, cross_entropy_one_hot),
    inputs=cross_entropy_inputs,
    returns=("loss", "dlogits"),
    forbid=("torch", "CrossEntropyLoss"),
    wrong=(
        Wrong(
            "overflow",
            ce_overflowing,
            "Right for ordinary logits, but `exp` overflows for large ones, and inf / inf is nan. "
            "What may you subtract from a whole row without changing its softmax?",
        ),
        Wrong(
            "log-of-zero",
            ce_log_of_zero,
            "The softmax is safe, but where the true class is far behind, its probability underflows to 0 and the loss becomes inf. "
            "Can you get log p without taking the logarithm of p?",
        ),
        Wrong("clipped", ce_clipped(1e-12), CAPPED),
        Wrong("clipped-at-1e-15", ce_clipped(1e-15), CAPPED),
        Wrong("clipped-at-1e-8", ce_clipped(1e-8), CAPPED),
        Wrong(
            "sum-for-mean",
            ce_summed,
            "Loss and gradient are sums over the examples, so they grow with the batch. What is missing in both?",
        ),
        Wrong(
            "gradient-of-the-sum",
            ce_gradient_of_sum,
            "The loss is right, but the slopes are N times too large: they belong to the sum over the examples. "
            "What did the mean divide the loss by?",
        ),
        Wrong(
            "averaged-over-classes-too",
            ce_over_everything,
            "Everything is C times too small: the mean ran over the classes as well, where all but one term are zero. "
            "Over what does the mean go?",
        ),
        Wrong(
            "one-hot-forgotten",
            ce_gradient_is_softmax,
            "The loss is right, but the gradient is the softmax alone: it pushes the true class down along with the others. "
            "Prediction minus what?",
        ),
        Wrong(
            "true-class-only",
            ce_true_class_only,
            "The loss is right, but only the true class has a slope. The other logits stand in the sum below the fraction: "
            "if one of them rises, what happens to the true class's probability?",
        ),
        Wrong(
            "slope-of-the-probability",
            ce_slope_of_probability,
            "The loss is right, but the slopes are those with respect to the probabilities, -1/p. "
            "How do you get from there to the logits?",
        ),
        Wrong(
            "softmax-forgotten-in-the-gradient",
            ce_softmax_forgotten,
            "The loss is right, but the gradient is the logits minus the one-hot truth. "
            "What has to happen to logits before they can be compared with a truth of zeros and ones?",
        ),
        Wrong(
            "softmax-over-examples",
            ce_wrong_axis,
            "Your softmax runs down the columns, over the examples, so the probabilities of one example do not sum to 1. "
            "Which axis holds the classes?",
        ),
        Wrong(
            "every-row-with-every-target",
            ce_all_pairs,
            "The gradient is right, but the loss pairs every example with every target: the index `[:, targets]` picks an (N, N) array. "
            "How do you pick one entry from each row?",
        ),
        Wrong(
            "every-row-minus-every-target",
            ce_gradient_all_pairs,
            "The loss is right, but in the gradient every row loses 1 at *all* the targets of the batch: `[:, targets]` picks whole columns. "
            "How do you pick one entry from each row?",
        ),
        Wrong(
            "one-hot-not-averaged",
            ce_one_hot_not_averaged,
            "The loss is right, but in the gradient only the softmax is divided by N, the one-hot truth is not. "
            "Which of the two operations happened first?",
        ),
        Wrong(
            "true-logit-only",
            ce_true_logit_only,
            "The gradient is right, but the loss is only the true class's logit with a minus: raising *all* logits would lower it. "
            "Which term holds the others against it?",
        ),
        Wrong(
            "classes-counted-from-one",
            ce_one_too_low,
            "Each example is compared with the class before its own: you take 1 off the targets. From where do they count here?",
        ),
        Wrong(
            "a-sigmoid-for-each-class",
            ce_sigmoids,
            "Each class is treated as a yes-or-no question of its own, with a sigmoid, so the probabilities of a row need not sum to 1. "
            "Exactly one class is true: which function makes them compete?",
        ),
        Wrong(
            "one-maximum-for-all",
            ce_one_maximum_for_all,
            "You subtract the largest logit of the whole batch, so a row that lies far below it underflows to 0 / 0. "
            "Whose largest logit is the right one to subtract?",
        ),
        Wrong(
            "only-large-logits-shifted",
            ce_maximum_of_zero,
            "Right unless all logits of a row are far below 0: then every exponential underflows to 0, since you shift a row only when its largest logit is positive. "
            "What should the largest exponent of each row be?",
        ),
        Wrong(
            "every-class-counts",
            ce_every_class,
            "The gradient is right, but the loss adds up -log p of *all* classes, the wrong ones as well. Which one really happened?",
        ),
        Wrong(
            "log-forgotten",
            ce_log_forgotten,
            "The gradient is right, but the loss is the mean probability with a minus: there is no logarithm. "
            "What should it cost to give the truth a probability of nearly 0?",
        ),
        Wrong(
            "minus-forgotten",
            ce_minus_forgotten,
            "The gradient is right, but the loss is negative: log-probabilities without the minus. "
            "Should a better forecast give a higher or a lower loss?",
        ),
        Wrong(
            "gradient-turned",
            ce_gradient_turned,
            "The loss is right, the gradient has the opposite sign: truth minus prediction. "
            "Descent *subtracts* the gradient: should the true logit's slope be positive or negative?",
        ),
    ),
    hints=(
        "Get the logarithms of the probabilities first, an (N, C) array; both results come from it.",
        "log p = z - log-sum-exp(z), and subtracting the row's largest logit first keeps the exponents at 0 or below. "
        "The gradient is softmax minus one-hot, divided by N.",
        "`log_p[np.arange(N), targets]` picks each example's true class. For the gradient, take `np.exp(log_p)`, subtract 1 at the same places, divide by N.",
    ),
    unlocks="Every classifier and every language model of the course is trained with it.",
)
