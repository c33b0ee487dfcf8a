"""Layer normalization (Ba, Kiros & Hinton 2016, equation 3): each example by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def layer_norm(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return np.asarray(gamma * (x - mean) / np.sqrt(var + eps) + beta)


def layer_norm_row_by_row(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Any:
    out = np.empty(x.shape)
    for index in np.ndindex(*x.shape[:-1]):
        row = x[index] - x[index].sum() / x.shape[-1]
        out[index] = gamma * row * ((row @ row) / len(row) + eps) ** -0.5 + beta
    return out


def layer_norm_turned(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Any:
    y = np.moveaxis(x, -1, 0)
    y = (y - np.mean(y, axis=0)) / np.sqrt(np.var(y, axis=0) + eps)
    return np.moveaxis(y, 0, -1) * gamma + beta


def layer_norm_inputs(rng: np.random.Generator) -> list[Case]:
    def case(*shape: int, eps: Any = (), label: str = "", scale: float = 1.0) -> Case:
        x = scale * (rng.normal(size=shape) * (0.5 + rng.random((*shape[:-1], 1))) + rng.normal(size=(*shape[:-1], 1)))
        return Case((x, 0.5 + rng.random(shape[-1]), rng.normal(size=shape[-1]), *eps), label)

    first = np.array([[1.0, 3.0, 5.0], [0.0, 0.5, -0.5]]), np.array([2.0, 0.5, 1.0]), np.array([0.5, 0.0, -1.0])
    soft = np.array([[0.001, -0.001, 0.002], [0.003, 0.0, -0.004]])
    flat = np.array([[2.0, 2.0, 2.0], [1.0, -1.0, 3.0]])
    return [
        Case((*first, 1e-2)),
        case(4, 5, eps=(0.1,)),
        case(6, 3, eps=(0.02,)),
        case(3, 4, label="eps left at its default"),
        case(4, 4, eps=(0.01,), label="as many examples as features"),
        case(1, 6, eps=(0.01,), label="one example"),
        case(2, 3, 5, eps=(0.05,), label="three axes"),
        case(3, 3, 3, eps=(0.05,), label="three axes"),
        Case((flat, *first[1:], 1e-3), "an example whose numbers are all the same"),
        Case((soft, *first[1:], 1e-4), "variances below eps"),
        case(3, 5, eps=(1e-4,), label="variances near eps", scale=0.01),
        case(3, 5, label="large numbers", scale=1e4),
    ]


def variant(
    axis: Any = -1,
    ddof: int = 0,
    center: bool = True,
    divisor: Callable[[Array, float], Array] = lambda var, eps: np.sqrt(var + eps),
    affine: Callable[[Array, Array, Array], Array] = lambda x_hat, gamma, beta: gamma * x_hat + beta,
) -> Callable[..., Any]:
    """Layer norm with some of its parts exchanged."""

    def answer(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
        with np.errstate(all="ignore"):
            mean, var = x.mean(axis=axis, keepdims=True), x.var(axis=axis, ddof=ddof, keepdims=True)
            return affine((x - mean if center else x) / divisor(var, eps), gamma, beta)

    return answer


def root_mean_square(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    return np.asarray(gamma * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps) + beta)


def two_variances(axis: Any) -> Callable[..., Any]:
    """The mean of each example, but the variance along another axis."""

    def answer(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
        var = x.var(axis=axis, keepdims=axis is not None)
        return np.asarray(gamma * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(var + eps) + beta)

    return answer


def mean_alone_divided(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    return np.asarray(gamma * x - x.mean(axis=-1, keepdims=True) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) + beta)


def mean_alone_divided_then_scaled(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return np.asarray(gamma * (x - mean / np.sqrt(var + eps)) + beta)


def scaled_first(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    return layer_norm(gamma * x + beta, np.ones_like(gamma), np.zeros_like(beta), eps)


def in_place(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    out = layer_norm(x, gamma, beta, eps)
    x -= x.mean(axis=-1, keepdims=True)
    return out


LAYER_NORM = Exercise(
    id="training_deep_networks.layer_norm",
    kind="function",
    title="Layer normalization",
    points=2,
    minutes=10,
    difficulty=2,
    function="layer_norm",
    reference=layer_norm,
    alternatives=(layer_norm_row_by_row, layer_norm_turned),
    inputs=layer_norm_inputs,
    wrong=(
        Wrong(
            "over-the-examples",
            variant(axis=0),
            "You take mean and variance over the examples, as batch norm does, so a result depends on who else is in the batch. "
            "Over which numbers does layer norm take them?",
        ),
        Wrong(
            "over-axis-one",
            lambda x, gamma, beta, eps=1e-5: variant(axis=1)(x, gamma, beta, eps),
            "Right for two axes. With three, axis 1 is no longer the one that holds the features. Which index always means the last axis?",
        ),
        Wrong(
            "over-everything",
            variant(axis=None),
            "You take one mean and one variance for the whole array, so the examples still influence each other. How many means does an (N, D) array need here?",
        ),
        Wrong(
            "over-all-but-the-first-axis",
            lambda x, gamma, beta, eps=1e-5: variant(axis=tuple(range(1, x.ndim)))(x, gamma, beta, eps),
            "Right for two axes. With three, you normalize over all axes but the first, so the places of one example are mixed. Over which single axis does the task normalize?",
        ),
        Wrong(
            "unbiased",
            variant(ddof=1),
            "You divide the sum of squares by D - 1, the unbiased variance. With which divisor is the variance of x̂ exactly 1 (but for eps)?",
        ),
        Wrong(
            "eps-outside-the-root",
            variant(divisor=lambda var, eps: np.sqrt(var) + eps),
            "Your eps stands outside the root, √var + eps. Where the variance is small that is another number. How far does the root sign reach?",
        ),
        Wrong(
            "eps-missing",
            variant(divisor=lambda var, eps: np.sqrt(var)),
            "`eps` is missing in the denominator. What comes out for an example whose numbers are all the same?",
        ),
        Wrong(
            "eps-as-a-floor",
            variant(divisor=lambda var, eps: np.sqrt(np.maximum(var, eps))),
            "Your eps only acts where the variance is smaller: you take the larger of the two. What does the formula do with them?",
        ),
        Wrong(
            "eps-as-a-floor-of-the-root",
            variant(divisor=lambda var, eps: np.maximum(np.sqrt(var), eps)),
            "Your eps only acts where the standard deviation is smaller: you take the larger of the two. What does the formula do with variance and eps?",
        ),
        Wrong(
            "eps-squared",
            variant(divisor=lambda var, eps: np.sqrt(var + eps**2)),
            "Under your root eps is squared. Which power of it does the formula add to the variance?",
        ),
        Wrong(
            "eps-ignored",
            lambda x, gamma, beta, eps=1e-5: layer_norm(x, gamma, beta),
            "The result does not change with `eps`; it comes out as for 1e-5. Which number stands in its place?",
        ),
        Wrong(
            "variance-of-everything",
            two_variances(None),
            "Each example has its own mean, but all share one variance, that of the whole array. Over which axis is the mean taken, and over which the variance?",
        ),
        Wrong(
            "variance-over-the-examples",
            two_variances(0),
            "Each example has its own mean, but the variances are taken over the first axis. Over which axis is the mean taken, and over which the variance?",
        ),
        Wrong(
            "mean-alone-divided",
            mean_alone_divided,
            "Only the mean is divided by the root, and `gamma` multiplies x alone: division comes before subtraction. Which part of the formula is one whole, and what keeps it together?",
        ),
        Wrong(
            "mean-alone-divided-then-scaled",
            mean_alone_divided_then_scaled,
            "Only the mean is divided by the root: division comes before subtraction. Which part of the formula is one whole, and what keeps it together?",
        ),
        Wrong(
            "scaled-first",
            scaled_first,
            "You scale by `gamma`, add `beta` and normalize after that, which takes much of both away again. Which of the two steps comes first?",
        ),
        Wrong(
            "divided-by-variance",
            variant(divisor=lambda var, eps: var + eps),
            "You divide by the variance, without the root. What turns a variance into the width that x is measured in?",
        ),
        Wrong(
            "root-taken-twice",
            variant(divisor=lambda var, eps: np.sqrt(np.sqrt(var) + eps)),
            "You take the root of the standard deviation, which is a root already. What stands under the root in the formula?",
        ),
        Wrong(
            "squares-summed",
            lambda x, gamma, beta, eps=1e-5: variant(divisor=lambda var, eps: np.sqrt(var * x.shape[-1] + eps))(x, gamma, beta, eps),
            "You divide by the root of the *sum* of squared deviations, so a row gets smaller the longer it is. By what is the sum divided to make a variance?",
        ),
        Wrong(
            "not-divided",
            variant(divisor=lambda var, eps: np.ones_like(var)),
            "The mean is subtracted, but the spread stays what it was. By what is the difference divided?",
        ),
        Wrong(
            "mean-not-subtracted",
            variant(center=False),
            "You divide by the standard deviation without subtracting the mean first. What should the mean of x̂ be?",
        ),
        Wrong(
            "root-mean-square",
            root_mean_square,
            "You divide by the root of the mean square and subtract no mean: that is RMSNorm, which many language models use. What does layer norm do with the mean?",
        ),
        Wrong(
            "weight-ignored",
            variant(affine=lambda x_hat, gamma, beta: x_hat + beta),
            "`gamma` has no effect on your result. Which part of the formula lets the network choose each feature's scale?",
        ),
        Wrong(
            "bias-ignored",
            variant(affine=lambda x_hat, gamma, beta: gamma * x_hat),
            "`beta` has no effect on your result. What is added at the end?",
        ),
        Wrong(
            "bias-before-scale",
            variant(affine=lambda x_hat, gamma, beta: gamma * (x_hat + beta)),
            "`beta` is added before `gamma` multiplies, so it gets multiplied as well. In which order does the formula have them?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but x itself was overwritten. Which line writes into it, and what is the same line with a new array?",
        ),
    ),
    hints=(
        "It is batch norm's formula with the other axis, and without any running statistics: training and eval are the same.",
        "The mean of each example needs an axis of length 1 to be subtracted from it: `keepdims=True`.",
        "`mean = x.mean(axis=-1, keepdims=True)`, the variance likewise; then x minus mean over the root of var + eps, times gamma, plus beta.",
    ),
    unlocks="Every transformer has two of them in each block (unit 11).",
)  # fmt: skip
