"""Batch normalization (Ioffe & Szegedy 2015, algorithm 1, in PyTorch's conventions), and what people write in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Norm = Callable[..., Any]


def batch_norm(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running_mean, running_var


def batch_norm_folded(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """As one scale and one shift for each feature; the variance as the mean of squares minus the squared mean."""
    if not training:
        scale = gamma * (running_var + eps) ** -0.5
        return [x * scale + (beta - running_mean * scale), running_mean.copy(), running_var.copy()]
    N = len(x)
    mean = np.ones(N) @ x / N
    var = np.einsum("nd,nd->d", x, x) / N - mean**2
    scale = gamma * (var + eps) ** -0.5
    new_mean = running_mean + momentum * (mean - running_mean)
    new_var = running_var + momentum * (var * N / (N - 1) - running_var)
    return [x * scale + (beta - mean * scale), new_mean, new_var]


def batch_norm_by_loop(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    out, means, variances = np.empty(x.shape), np.array(running_mean), np.array(running_var)
    for d, column in enumerate(x.T):
        mean, var = running_mean[d], running_var[d]
        if training:
            mean = sum(column) / len(column)
            squares = sum((number - mean) ** 2 for number in column)
            var = squares / len(column)
            means[d] += momentum * (mean - means[d])
            variances[d] += momentum * (squares / (len(column) - 1) - variances[d])
        for n, number in enumerate(column):
            out[n, d] = gamma[d] * (number - mean) / (var + eps) ** 0.5 + beta[d]
    return out, means, variances


# --- known mistakes: batch norm with one part exchanged -----------------------------------------------------------


def variant(
    mean_of: Callable[[Array], Any] = lambda x: x.mean(axis=0),
    var_of: Callable[[Array], Any] = lambda x: x.var(axis=0),
    var_to_keep: Callable[[Array], Any] = lambda x: x.var(axis=0, ddof=1),
    mean_to_keep: Callable[[Array], Any] = lambda x: x.mean(axis=0),
    center: Callable[[Array, Any], Array] = lambda x, mean: x - mean,
    divisor: Callable[[Any, float], Any] = lambda var, eps: np.sqrt(var + eps),
    affine: Callable[[Array, Array, Array], Array] = lambda x_hat, gamma, beta: gamma * x_hat + beta,
    mix: Callable[[Array, Any, float], Any] = lambda old, new, m: (1 - m) * old + m * new,
    mix_mean: Callable[[Array, Any, float], Any] | None = None,
    mix_var: Callable[[Array, Any, float], Any] | None = None,
    uses_batch: Callable[[bool], bool] = lambda training: training,
    updates: Callable[[bool], bool] = lambda training: training,
    own_momentum: float | None = None,
    with_updated: bool = False,
) -> Norm:
    """Batch norm with some of its parts exchanged."""

    def answer(
        x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> Any:  # fmt: skip
        new_mean, new_var = running_mean, running_var
        with np.errstate(all="ignore"):
            if updates(training):
                m = momentum if own_momentum is None else own_momentum
                new_mean = (mix_mean or mix)(running_mean, mean_to_keep(x), m)
                new_var = (mix_var or mix)(running_var, var_to_keep(x), m)
            mean, var = (mean_of(x), var_of(x)) if uses_batch(training) else (running_mean, running_var)
            if with_updated:
                mean, var = new_mean, new_var
            return affine(center(x, mean) / divisor(var, eps), gamma, beta), new_mean, new_var

    return answer


def kept(old: Array, new: Any, m: float) -> Array:
    return old


def buffers_in_place(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    out, new_mean, new_var = batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    running_mean[...], running_var[...] = new_mean, new_var
    return out, running_mean, running_var


def input_in_place(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    out, new_mean, new_var = batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    x -= x.mean(axis=0) if training else running_mean
    return out, new_mean, new_var


def running_of_the_output(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    out = batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[0]
    if not training:
        return out, running_mean, running_var
    new_mean = (1 - momentum) * running_mean + momentum * out.mean(axis=0)
    return out, new_mean, (1 - momentum) * running_var + momentum * out.var(axis=0, ddof=1)


def running_of_x_hat(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    out = batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[0]
    if not training:
        return out, running_mean, running_var
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    new_mean = (1 - momentum) * running_mean + momentum * x_hat.mean(axis=0)
    return out, new_mean, (1 - momentum) * running_var + momentum * x_hat.var(axis=0, ddof=1)


def running_var_corrected_whole(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    out, new_mean, new_var = batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    if training:
        new_var = ((1 - momentum) * running_var + momentum * x.var(axis=0)) * len(x) / (len(x) - 1)
    return out, new_mean, new_var


def in_evaluation(rule: Callable[..., Any]) -> Callable[..., Any]:
    """An answer that is right in training, and does this in evaluation."""

    def answer(
        x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> Any:  # fmt: skip
        if training:
            return batch_norm(x, gamma, beta, running_mean, running_var, True, momentum, eps)
        return rule(x, gamma, beta, running_mean, running_var, momentum, eps)

    return answer


@in_evaluation
def eval_var_as_std(x: Array, gamma: Array, beta: Array, mean: Array, var: Array, momentum: float, eps: float) -> Any:
    return gamma * (x - mean) / (var + eps) + beta, mean, var


@in_evaluation
def eval_without_eps(x: Array, gamma: Array, beta: Array, mean: Array, var: Array, momentum: float, eps: float) -> Any:
    with np.errstate(all="ignore"):
        return gamma * (x - mean) / np.sqrt(var) + beta, mean, var


@in_evaluation
def eval_without_affine(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, momentum: float, eps: float
) -> Any:
    return (x - mean) / np.sqrt(var + eps), mean, var


@in_evaluation
def eval_changes_nothing(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, momentum: float, eps: float
) -> Any:
    return x.copy(), mean, var


@in_evaluation
def eval_on_updated(x: Array, gamma: Array, beta: Array, mean: Array, var: Array, momentum: float, eps: float) -> Any:
    new_mean = (1 - momentum) * mean + momentum * x.mean(axis=0)
    new_var = (1 - momentum) * var + momentum * x.var(axis=0)
    return gamma * (x - new_mean) / np.sqrt(new_var + eps) + beta, new_mean, new_var


def defaults_only(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, training: bool,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    return batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, 1e-5)
