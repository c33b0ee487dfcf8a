"""The way back through batch normalization (Ioffe & Szegedy 2015, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Triple = tuple[Any, Any, Any]


def batch_norm_backward(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Triple:
    std = np.sqrt(x.var(axis=0) + eps)  # (D,)
    x_hat = (x - x.mean(axis=0)) / std  # (N, D)
    dx_hat = dout * gamma
    dx = (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / std
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


def batch_norm_backward_step_by_step(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Any:
    N = len(x)
    centered = x - x.sum(axis=0) / N
    var = (centered**2).sum(axis=0) / N
    scale = (var + eps) ** -0.5
    dx_hat = gamma * dout
    dvar = (dx_hat * centered).sum(axis=0) * -0.5 * scale**3
    dmean = -(dx_hat * scale).sum(axis=0) - 2 * dvar * centered.sum(axis=0) / N
    return [
        dx_hat * scale + 2 * dvar * centered / N + dmean / N,
        np.einsum("nd,nd->d", dout, centered * scale),
        dout.sum(0),
    ]


def batch_norm_backward_by_matrix(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Any:
    """Feature by feature, with the full (N, N) matrix of derivatives."""
    N, D = x.shape
    dx, dgamma = np.empty(x.shape), np.empty(D)
    for d in range(D):
        std = np.sqrt(x[:, d].var() + eps)
        x_hat = (x[:, d] - x[:, d].mean()) / std
        jacobian = (np.eye(N) - 1 / N - np.outer(x_hat, x_hat) / N) * gamma[d] / std
        dx[:, d], dgamma[d] = jacobian @ dout[:, d], dout[:, d] @ x_hat
    return dx, dgamma, np.ones(N) @ dout


def backward_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, *eps: float, label: str = "", scale: float = 1.0, size: float = 1.0) -> Case:
        x = scale * (rng.normal(size=(N, D)) * (0.5 + rng.random(D)) + rng.normal(size=D))
        return Case((size * rng.normal(size=(N, D)), x, 0.5 + rng.random(D), *eps), label)

    first = (
        np.array([[1.0, 0.0], [0.0, 2.0], [-0.5, 1.0]]),
        np.array([[1.0, 4.0], [3.0, 0.0], [5.0, 5.0]]),
        np.array([2.0, 0.5]),
    )
    flat = np.array([[2.0, 1.0], [2.0, 4.0], [2.0, -1.0]])
    return [
        Case((*first, 1e-3)),
        case(5, 3, 0.01),
        case(7, 2, 0.1),
        case(4, 3, label="eps left at its default"),
        case(2, 3, 0.05, label="a batch of two"),
        case(4, 4, 0.02, label="as many examples as features"),
        case(6, 1, 0.01, label="a single feature"),
        Case((np.ones((4, 2)) * [0.5, -2.0], rng.normal(size=(4, 2)), np.array([1.5, 0.7]), 0.01), "the same slope for all examples"),
        Case((rng.normal(size=(3, 2)), flat, np.array([1.5, 0.7]), 1e-3), "a feature that is the same in all examples"),
        case(5, 3, 1e-4, label="variances near eps", scale=0.01),
        case(5, 2, 1e-5, label="large numbers", scale=1e3, size=100.0),
    ]  # fmt: skip


def variant(
    dx: Callable[[Array, Array, Array], Array] = lambda d, x_hat, std: (
        (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / std
    ),
    dgamma: Callable[[Array, Array, Array], Array] = lambda dout, x_hat, x: (dout * x_hat).sum(axis=0),
    dbeta: Callable[[Array], Array] = lambda dout: dout.sum(axis=0),
    var: Callable[[Array], Array] = lambda x: x.var(axis=0),
    divisor: Callable[[Array, float], Array] = lambda var, eps: np.sqrt(var + eps),
    scaled: Callable[[Array, Array], Array] = lambda dout, gamma: dout * gamma,
) -> Callable[..., Any]:
    """The way back with some of its parts exchanged."""

    def answer(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Triple:
        with np.errstate(all="ignore"):
            std = divisor(var(x), eps)
            x_hat = (x - x.mean(axis=0)) / std
            return dx(scaled(dout, gamma), x_hat, std), dgamma(dout, x_hat, x), dbeta(dout)

    return answer


def variant_with_raw_x(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Triple:
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat, d = (x - x.mean(axis=0)) / std, dout * gamma
    return (d - d.mean(axis=0) - x * (d * x_hat).mean(axis=0)) / std, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


def gamma_on_the_direct_path_only(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Triple:
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    dx = (dout * gamma - dout.mean(axis=0) - x_hat * (dout * x_hat).mean(axis=0)) / std
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


def in_place(dout: Array, x: Array, gamma: Array, eps: float = 1e-5) -> Triple:
    result = batch_norm_backward(dout, x, gamma, eps)
    dout *= gamma
    return result


BATCH_NORM_BACKWARD = Exercise(
    id="training_deep_networks.batch_norm_backward",
    kind="function",
    title="Back through batch normalization",
    points=4,
    minutes=30,
    difficulty=3,
    function="batch_norm_backward",
    reference=batch_norm_backward,
    alternatives=(batch_norm_backward_step_by_step, batch_norm_backward_by_matrix),
    inputs=backward_inputs,
    returns=("dx", "dgamma", "dbeta"),
    blame=("dbeta", "dgamma", "dx"),
    wrong=(
        Wrong(
            "statistics-as-constants",
            variant(dx=lambda d, x_hat, std: d / std),
            "`dgamma` and `dbeta` are right. In `dx`, mean and variance are treated as constants, but each example moves both. "
            "What would happen to `out` if all examples of a feature rose by the same amount, and what does your dx say?",
        ),
        Wrong(
            "variance-as-constant",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right, and in `dx` the path through the mean is there; the one through the variance is missing. "
            "Which term, along x̂, has to be taken off as well?",
        ),
        Wrong(
            "mean-as-constant",
            variant(dx=lambda d, x_hat, std: (d - x_hat * (d * x_hat).mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right, and in `dx` the path through the variance is there; the one through the mean is missing. "
            "What should the column sums of dx be, if moving a whole column changes nothing?",
        ),
        Wrong(
            "sums-for-means",
            variant(dx=lambda d, x_hat, std: (d - d.sum(axis=0) - x_hat * (d * x_hat).sum(axis=0)) / std),
            "`dgamma` and `dbeta` are right. In `dx` both subtracted terms are sums and not means, so N times too large. "
            "One example moves the mean of N numbers: by how much?",
        ),
        Wrong(
            "terms-added",
            variant(dx=lambda d, x_hat, std: (d + d.mean(axis=0) + x_hat * (d * x_hat).mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right. In `dx` the two paths through the statistics come in with a plus. "
            "When one x rises, so does the mean: does that make the other x̂ larger or smaller?",
        ),
        Wrong(
            "mean-term-summed",
            variant(dx=lambda d, x_hat, std: (d - d.sum(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right. In `dx` the path through the mean comes in N times too strong; the other two are right. "
            "How far does the mean move when one of N numbers moves by 1?",
        ),
        Wrong(
            "sign-of-the-variance-term",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0) + x_hat * (d * x_hat).mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right. In `dx` the path through the variance has the wrong sign; the other two are right. "
            "When the variance rises, does x̂ move toward 0 or away from it?",
        ),
        Wrong(
            "raw-x-in-the-variance-term",
            variant_with_raw_x,
            "`dgamma` and `dbeta` are right. In `dx` the term of the variance is multiplied by x as it came, not by x̂. Which of the two measures how far an example is from the mean?",
        ),
        Wrong(
            "averaged-over-all-features",
            variant(dx=lambda d, x_hat, std: (d - d.mean() - x_hat * (d * x_hat).mean()) / std),
            "`dgamma` and `dbeta` are right. In `dx` both subtracted means run over the whole array, so features get mixed. Whose statistics does an entry influence?",
        ),
        Wrong(
            "x-hat-forgotten",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0) - (d * x_hat).mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right. In `dx` the term of the variance is the same for all examples. An example far from the mean moves the "
            "variance more: which factor, another one for each example, is missing?",
        ),
        Wrong(
            "not-divided",
            variant(dx=lambda d, x_hat, std: d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)),
            "`dgamma` and `dbeta` are right. `dx` is the slope with respect to x - mean measured in deviations: the division by √(var + eps) is missing. "
            "What is x̂'s slope with respect to x?",
        ),
        Wrong(
            "multiplied-by-n",
            lambda dout, x, gamma, eps=1e-5: variant(
                dx=lambda d, x_hat, std: (len(x) * d - d.sum(axis=0) - x_hat * (d * x_hat).sum(axis=0)) / std
            )(dout, x, gamma, eps),
            "`dgamma` and `dbeta` are right. `dx` is N times too large: you wrote it with sums and N · g, and one division is missing. By what is the bracket divided?",
        ),
        Wrong(
            "divided-by-the-variance",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / std**2),
            "`dgamma` and `dbeta` are right. `dx` is divided by var + eps, without the root. By what was x divided on the way forward?",
        ),
        Wrong(
            "multiplied-for-divided",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) * std),
            "`dgamma` and `dbeta` are right. `dx` is multiplied by √(var + eps). On the way forward x is divided by it: "
            "if dividing by 10 makes x̂ move a tenth as far as x, what is the slope?",
        ),
        Wrong(
            "gamma-forgotten",
            variant(scaled=lambda dout, gamma: dout),
            "`dgamma` and `dbeta` are right. `dx` does not change with `gamma`, though the slopes pass the multiplication by it first. "
            "What is the slope with respect to x̂?",
        ),
        Wrong(
            "gamma-divided",
            variant(scaled=lambda dout, gamma: dout / gamma),
            "`dgamma` and `dbeta` are right. `dx` is divided by `gamma`. Does a slope that passes a multiplication backward get divided or multiplied?",
        ),
        Wrong(
            "dgamma-with-raw-x",
            variant(dgamma=lambda dout, x_hat, x: (dout * x).sum(axis=0)),
            "`dx` and `dbeta` are right. `dgamma` is taken with x itself. By what is gamma multiplied in the formula of `out`?",
        ),
        Wrong(
            "dgamma-with-centered-x",
            variant(dgamma=lambda dout, x_hat, x: (dout * (x - x.mean(axis=0))).sum(axis=0)),
            "`dx` and `dbeta` are right. `dgamma` is taken with x minus its mean, not yet divided by the spread. By what is gamma multiplied in the formula?",
        ),
        Wrong(
            "parameters-averaged",
            variant(dgamma=lambda dout, x_hat, x: (dout * x_hat).mean(axis=0), dbeta=lambda dout: dout.mean(axis=0)),
            "`dx` is right. `dgamma` and `dbeta` are means over the examples. One gamma serves all N of them: how do its slopes come together?",
        ),
        Wrong(
            "parameters-not-summed",
            variant(dgamma=lambda dout, x_hat, x: dout * x_hat, dbeta=lambda dout: dout),
            "`dgamma` and `dbeta` have shape (N, D), one row for each example. One gamma serves all of them: how do its slopes come together?",
        ),
        Wrong(
            "summed-over-features",
            variant(dgamma=lambda dout, x_hat, x: (dout * x_hat).sum(axis=1), dbeta=lambda dout: dout.sum(axis=1)),
            "`dgamma` and `dbeta` are summed over the features, one number for each example. Which axis is shared by one gamma?",
        ),
        Wrong(
            "unbiased",
            variant(var=lambda x: x.var(axis=0, ddof=1)),
            "`dbeta` is right; the others are taken with the unbiased variance, divided by N - 1. With which one does batch norm normalize a batch?",
        ),
        Wrong(
            "eps-outside-the-root",
            variant(divisor=lambda var, eps: np.sqrt(var) + eps),
            "`dbeta` is right; in the others eps stands outside the root. How far does the root sign reach on the way forward?",
        ),
        Wrong(
            "eps-missing",
            variant(divisor=lambda var, eps: np.sqrt(var)),
            "`dbeta` is right; in the others eps is missing. What comes out for a feature that is the same in all examples?",
        ),
        Wrong(
            "eps-ignored",
            lambda dout, x, gamma, eps=1e-5: batch_norm_backward(dout, x, gamma),
            "`dgamma` and `dx` do not change with `eps`; they come out as for 1e-5. Which number stands in its place?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but `dout` was overwritten, and whoever called you still needs it. What is the difference between `d *= g` and `d = d * g`?",
        ),
        Wrong(
            "averaged-over-the-features",
            variant(
                dx=lambda d, x_hat, std: (
                    (d - d.mean(axis=1, keepdims=True) - x_hat * (d * x_hat).mean(axis=1, keepdims=True)) / std
                )
            ),
            "`dgamma` and `dbeta` are right. In `dx` both subtracted means run over the features of one example. Over which axis did the way forward take its mean and variance?",
        ),
        Wrong(
            "centered-x-in-the-variance-term",
            variant(
                dx=lambda d, x_hat, std: (d - d.mean(axis=0) - x_hat * std * (d * x_hat).mean(axis=0)) / std
            ),
            "`dgamma` and `dbeta` are right. In `dx` the term of the variance is multiplied by x minus its mean, not yet divided by the spread. In which unit is x̂ measured?",
        ),
        Wrong(
            "variance-term-halved",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0) / 2) / std),
            "`dgamma` and `dbeta` are right. In `dx` the path through the variance comes in half as strong as it should. What is the slope of a square, and did its factor get lost?",
        ),
        Wrong(
            "inner-x-hat-forgotten",
            variant(dx=lambda d, x_hat, std: (d - d.mean(axis=0) - x_hat * d.mean(axis=0)) / std),
            "`dgamma` and `dbeta` are right. In `dx` the term of the variance is x̂ times the mean of the slopes alone. By how much the variance changes `out` depends on where each example lies: what is averaged with its slope?",
        ),
        Wrong(
            "gamma-on-the-direct-path-only",
            gamma_on_the_direct_path_only,
            "`dgamma` and `dbeta` are right. In `dx` `gamma` multiplies the direct path, but not the two through the mean and the variance. Do slopes on those paths pass the multiplication by `gamma`, too?",
        ),
        Wrong(
            "last-term-alone-divided",
            variant(dx=lambda d, x_hat, std: d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0) / std),
            "`dgamma` and `dbeta` are right. In `dx` only the last of the three terms is divided by √(var + eps). What does the division apply to, and which brackets say so?",
        ),
    ),
    hints=(
        "Rebuild x̂ and the standard deviation first, as on the way forward. `dbeta` and `dgamma` are sums over the examples of dout and of dout · x̂.",
        "x reaches `out` on three paths: directly, through the mean, through the variance. With g = dout · gamma, the mean's path takes off the mean of g, the variance's takes off "
        "x̂ times the mean of g · x̂.",
        "`dx = (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std`, with `g = dout * gamma`.",
    ),
    unlocks="It is the shortest proof that a mean inside a network must be differentiated too.",
)  # fmt: skip
