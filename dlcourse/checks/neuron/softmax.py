"""Exercise on softmax, safe for large scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.neuron.forward import expit
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def softmax(z: Array) -> Array:
    shifted = np.exp(z - z.max(axis=-1, keepdims=True))  # the largest exponent is 0: nothing overflows
    out: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return out


def softmax_by_rows(z: Array) -> Array:
    out = np.empty_like(z)
    for i, row in enumerate(z):
        e = np.exp(row - max(row))
        out[i] = e / e.sum()
    return out


def softmax_by_logs(z: Array) -> Array:
    return np.asarray(np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True)))


FAR_APART = "scores far apart"


def softmax_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((np.array([[0.5, -1.2, 2.0], [1.5, 0.0, -0.3]]),)),
        Case((rng.normal(size=(4, 3)) * 2,)),
        Case((rng.normal(size=(2, 5)) * 3,)),
        Case((rng.normal(size=(3, 2)),)),
        Case((rng.normal(size=(2, 5)),)),
        Case((rng.normal(size=(1, 4)),), "one example"),
        Case((rng.normal(size=(3, 1)),), "one class"),
        Case((rng.normal(size=(3, 3)) * 2,), "as many examples as classes"),
        Case((np.array([[2.0, 2.0, 2.0], [0.5, 0.5, -1.0]]),), "equal scores"),
        Case((np.array([[1001.0, 1002.0, 1003.0], [800.0, 799.0, 801.5]]),), "large scores"),
        Case((rng.normal(size=(3, 4)) + 1e4,), "large scores"),
        Case((np.array([[-800.0, -799.0, -801.5, -800.5], [-1003.0, -1002.0, -1001.0, -1000.0]]),), "very negative scores"),
        Case((rng.normal(size=(3, 4)) - 1e4,), "very negative scores"),
        Case((np.array([[-1e4, 1e4, 0.0], [-1e4, -1e4, -1.01e4]]),), FAR_APART),
        Case((np.array([[-9e3, -9001.0, -1e4], [9e3, 8999.0, 1e4], [1.0, 0.0, 2.0]]),), FAR_APART),
        Case((np.array([[400.0, 399.0], [-400.0, -401.0], [0.0, 1.0]]),), FAR_APART),
    ]  # fmt: skip


def softmax_overflowing(z: Array) -> Array:
    e = np.exp(z)
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def softmax_minus(z: Array, shift: Array) -> Array:
    return softmax_overflowing(z - shift)


def softmax_over_examples(z: Array) -> Array:
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return np.asarray(e / e.sum(axis=0, keepdims=True))


def softmax_over_everything(z: Array) -> Array:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def softmax_one_maximum(z: Array) -> Array:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def softmax_one_maximum_guarded(z: Array) -> Array:
    e = np.exp(z - z.max())
    return np.asarray(e / (e.sum(axis=-1, keepdims=True) + 1e-12))


def softmax_columns_shifted(z: Array) -> Array:
    return softmax_minus(z, z.max(axis=0, keepdims=True))


def softmax_divided_by_columns(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=0, keepdims=True))


def softmax_shifted_above(z: Array) -> Array:
    return np.asarray(np.exp(z - z.max(axis=-1, keepdims=True)) / np.exp(z).sum(axis=-1, keepdims=True))


def softmax_shifted_below(z: Array) -> Array:
    return np.asarray(np.exp(z) / np.exp(z - z.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True))


def softmax_not_exponentiated(z: Array) -> Array:
    return np.asarray(z / z.sum(axis=-1, keepdims=True))


def softmax_not_normalized(z: Array) -> Array:
    return np.asarray(np.exp(z - z.max(axis=-1, keepdims=True)))


def softmax_of_sigmoids(z: Array) -> Array:
    a = expit(z)
    return np.asarray(a / a.sum(axis=-1, keepdims=True))


def softmax_negated(z: Array) -> Array:
    return softmax(-z)


def softmax_as_choice(z: Array) -> Array:
    return np.asarray(np.eye(z.shape[-1])[z.argmax(axis=-1)])


SOFTMAX = Exercise(
    id="neuron.softmax",
    kind="function",
    title="Softmax that survives large scores",
    points=2,
    minutes=10,
    difficulty=2,
    function="softmax",
    reference=softmax,
    alternatives=(softmax_by_rows, softmax_by_logs),
    inputs=softmax_inputs,
    wrong=(
        Wrong(
            "overflow",
            softmax_overflowing,
            "Right for small scores, but `exp` overflows for large ones, and inf / inf is nan. "
            "What can you subtract from all scores of a row without changing their softmax?",
        ),
        Wrong(
            "one-maximum-for-all",
            softmax_one_maximum,
            "You subtract the largest score of the whole array from every row. A row far below it becomes all zeros, "
            "and 0 / 0 is nan. Whose maximum should each row subtract?",
        ),
        Wrong(
            "one-maximum-with-a-guard",
            softmax_one_maximum_guarded,
            "You subtract the largest score of the whole array from every row, so a row far below it becomes all zeros; "
            "the nan of 0 / 0 is avoided, but such a row does not sum to 1. Whose maximum should each row subtract?",
        ),
        Wrong(
            "maximum-of-the-first-row",
            lambda z: softmax_minus(z, z[0].max()),
            "You subtract the largest score of the first row from every row, so rows far above it overflow, and rows far "
            "below it become 0 / 0. Whose maximum should each row subtract?",
        ),
        Wrong(
            "maximum-of-each-column",
            softmax_columns_shifted,
            "You subtract the largest score of each column, so the scores of one row are shifted by different amounts "
            "and their differences change. Along which axis is the maximum to be taken?",
        ),
        Wrong(
            "divided-by-column-sums",
            softmax_divided_by_columns,
            "The maximum is taken for each row, but then you divide by the sums of the columns. "
            "Which sum makes a row add up to 1?",
        ),
        Wrong(
            "shift-in-the-numerator-only",
            softmax_shifted_above,
            "The largest score is subtracted in the numerator, but the denominator sums exponentials of the scores as "
            "they came, so the rows do not sum to 1. Why does subtracting leave the quotient alone, if done in both?",
        ),
        Wrong(
            "shift-in-the-denominator-only",
            softmax_shifted_below,
            "The largest score is subtracted in the denominator, but the numerator is the exponential of the scores as "
            "they came, so the rows do not sum to 1. Why does subtracting leave the quotient alone, if done in both?",
        ),
        Wrong(
            "minimum-subtracted",
            lambda z: softmax_minus(z, z.min(axis=-1, keepdims=True)),
            "You subtract the smallest score of each row, so the largest exponent is still as large as the row is wide, and "
            "overflows where scores lie far apart. Which score must be subtracted to make the largest exponent 0?",
        ),
        Wrong(
            "mean-subtracted",
            lambda z: softmax_minus(z, z.mean(axis=-1, keepdims=True)),
            "You subtract the mean of each row, so a score far above the mean still overflows. "
            "Which score must be subtracted to make the largest exponent 0?",
        ),
        Wrong(
            "scores-clipped",
            lambda z: softmax_overflowing(np.clip(z, -500, 500)),
            "You clip the scores, so all scores beyond the limit count the same, and large scores that differ come out equal. "
            "What can you do to all scores of a row that keeps their differences?",
        ),
        Wrong(
            "log-softmax",
            lambda z: z - np.logaddexp.reduce(z, axis=-1, keepdims=True),
            "These are the logarithms of the probabilities: none is above 0. Which function undoes a logarithm?",
        ),
        Wrong(
            "sum-over-examples",
            softmax_over_examples,
            "Your columns sum to 1, not your rows: each class is spread over the examples. "
            "Which axis holds the classes of one example?",
        ),
        Wrong(
            "sum-over-everything",
            softmax_over_everything,
            "All entries together sum to 1, so the examples compete with each other. What should each single row sum to?",
        ),
        Wrong(
            "exponential-missing",
            softmax_not_exponentiated,
            "The scores are divided by their sum without being exponentiated, so negative scores give negative "
            "probabilities. Which function makes every score positive?",
        ),
        Wrong(
            "not-normalized",
            softmax_not_normalized,
            "The largest entry of every row is 1: you exponentiate but never divide. What should a row sum to?",
        ),
        Wrong(
            "sigmoids-divided",
            softmax_of_sigmoids,
            "Each score goes through a sigmoid before the division, so no score can count for more than 1. "
            "Which function does softmax use to make scores positive?",
        ),
        Wrong(
            "only-the-winner",
            softmax_as_choice,
            "The largest score of each row gets 1 and the others 0: that is a hard choice. How much should a close "
            "second get?",
        ),
        Wrong(
            "sign",
            softmax_negated,
            "Your largest probability stands at the smallest score. Where did a minus sign come in?",
        ),
    ),
    hints=(
        "Compute one row by hand first: exponentiate every score, then divide by the row's sum.",
        "Subtracting the same number from all scores of a row changes nothing in the result. "
        "Choose the number so that the largest exponent is 0.",
        "`z.max(axis=-1, keepdims=True)` has one column; subtract it, take `np.exp`, "
        "and divide by the sum over the same axis, again with `keepdims=True`.",
    ),
    unlocks="It turns any network's scores into probabilities from unit 02 on.",
)
