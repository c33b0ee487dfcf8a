"""Softmax and the losses, each with its gradient in closed form.

Scores of ±10,000 must give finite, right results. So the largest score is subtracted before ``exp`` (the softmax does
not change when all scores move together), and logarithms of probabilities are computed from scores, never from the
probabilities, which underflow to 0.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from dlcourse.ops.elementwise import logistic
from dlcourse.ops.rule import Array, Result, Rule

Reduction = Literal["mean", "sum", "none"]


def softmax(x: Array, axis: int = -1) -> Result:
    """``exp(x) / sum(exp(x))`` along an axis; each slice sums to 1."""
    out = np.exp(x - _largest(x, axis))
    out /= out.sum(axis, keepdims=True)
    return out, lambda grad: (out * (grad - (grad * out).sum(axis, keepdims=True)),)


def _largest(x: Array, axis: int) -> Array:
    largest: Array = x.max(axis, keepdims=True) if x.size else x
    return largest


def log_softmax(x: Array, axis: int = -1) -> Result:
    """``log(softmax(x))`` along an axis, from the scores."""
    out = _log_softmax(x, axis)
    return out, lambda grad: (grad - np.exp(out) * grad.sum(axis, keepdims=True),)


def _log_softmax(x: Array, axis: int) -> Array:
    shifted = x - _largest(x, axis)
    log_probs: Array = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    return log_probs


def cross_entropy(logits: Array, target: Array, reduction: Reduction = "mean") -> Result:
    """Minus the log-probability of the right class; the gradient is softmax minus one-hot (Bishop 2006, eq. 4.109).

    Parameters
    ----------
    logits : (N, C) scores, or (C,) for one example, or (N, C, ...) with the classes on axis 1
    target : integers (N,), or a number, or (N, ...)
    """
    scores, classes, shape = _by_class("cross_entropy", logits, target)
    log_probs = _log_softmax(scores, -1)  # (N, C)
    rows = np.arange(len(classes))

    def rule(grad: Array) -> tuple[Array, None]:  # grad (N,) or ()
        d = np.exp(log_probs)
        d[rows, classes] -= 1
        d *= grad[..., None]
        return _to_layout(d, logits.shape), None

    return _reduce(-log_probs[rows, classes], shape, reduction, rule)


def nll_loss(log_probs: Array, target: Array, reduction: Reduction = "mean") -> Result:
    """Minus the entry of the right class, for what :func:`log_softmax` returned; shapes as in cross_entropy."""
    values, classes, shape = _by_class("nll_loss", log_probs, target)
    rows = np.arange(len(classes))

    def rule(grad: Array) -> tuple[Array, None]:  # grad (N,) or ()
        d = np.zeros(values.shape, grad.dtype)
        d[rows, classes] = -grad
        return _to_layout(d, log_probs.shape), None

    return _reduce(-values[rows, classes], shape, reduction, rule)


def _by_class(name: str, scores: Array, target: Array) -> tuple[Array, Array, tuple[int, ...]]:
    """Scores as (N, C), classes as (N,), and the shape of the loss before it is reduced; checks the target."""
    axis = 1 if scores.ndim > 1 else 0
    if scores.ndim == 0 or target.shape != scores.shape[:axis] + scores.shape[axis + 1 :]:
        raise ValueError(
            f"{name}: scores of shape {scores.shape} need one class number for each example, a target of shape "
            f"{scores.shape[:axis] + scores.shape[axis + 1 :]}; got shape {target.shape}"
        )
    C = scores.shape[axis]
    if target.dtype.kind not in "iu":
        raise TypeError(f"{name}: the target holds class numbers, so its dtype must be an integer one, not "
                        f"{target.dtype}; convert it with target.astype(int)")  # fmt: skip
    if target.size and (target.min() < 0 or target.max() >= C):
        wrong = target.min() if target.min() < 0 else target.max()
        raise ValueError(
            f"{name}: class {wrong} in the target, but {C} scores for each example: classes are 0 to {C - 1}"
        )
    flat = scores if scores.ndim == 2 else np.moveaxis(scores, axis, -1).reshape(-1, C)
    return flat, target.ravel(), target.shape


def _to_layout(d: Array, shape: tuple[int, ...]) -> Array:
    """From (N, C) back to the shape of the scores, classes on axis 1."""
    if len(shape) <= 2:
        return d.reshape(shape)
    return np.moveaxis(d.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _reduce(losses: Array, shape: tuple[int, ...], reduction: Reduction, rule: Rule) -> Result:
    """The mean, the sum or all of the losses; ``rule`` takes one gradient for each of them, or one for all."""
    if reduction == "none":
        return losses.reshape(shape), lambda grad: rule(grad.reshape(losses.shape))
    if reduction == "sum":
        return losses.sum(), rule
    if reduction == "mean":
        n = losses.size or math.nan
        return losses.sum() / n, lambda grad: rule(np.asarray(grad / n))
    raise ValueError(f"reduction={reduction!r}: choose 'mean', 'sum' or 'none'")


def mse_loss(x: Array, target: Array, reduction: Reduction = "mean") -> Result:
    """Squared error, by default its mean over all entries."""
    _same_shape("mse_loss", x, target)
    error = x - target
    return _reduce(error * error, x.shape, reduction, lambda grad: (2 * grad * error, lambda: -2 * grad * error))


def l1_loss(x: Array, target: Array, reduction: Reduction = "mean") -> Result:
    """Absolute error, by default its mean over all entries; the derivative at the corner is taken as 0."""
    _same_shape("l1_loss", x, target)
    error = x - target
    sign = np.sign(error)
    return _reduce(np.abs(error), x.shape, reduction, lambda grad: (grad * sign, lambda: -grad * sign))


def binary_cross_entropy_with_logits(x: Array, target: Array, reduction: Reduction = "mean") -> Result:
    """``-y log σ(x) - (1-y) log(1-σ(x))`` as ``max(x, 0) - x y + log(1 + exp(-|x|))``, which cannot overflow.

    The gradient with respect to x is σ(x) - y.
    """
    _same_shape("binary_cross_entropy_with_logits", x, target)
    losses = np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))
    return _reduce(losses, x.shape, reduction, lambda grad: (grad * (logistic(x) - target), lambda: -grad * x))


def _same_shape(name: str, x: Array, target: Array) -> None:
    if x.shape != target.shape:
        raise ValueError(
            f"{name}: input of shape {x.shape} and target of shape {target.shape} would broadcast to a loss over "
            "pairs that do not belong together; reshape one of them so that the shapes are equal"
        )
