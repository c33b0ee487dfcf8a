"""Adam (Kingma & Ba 2015, Algorithm 1), and what goes wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Triple = tuple[Any, Any, Any]
Step = Callable[[Array, Array, Array, Array, int, float, float, float, float], Triple]


def adam_step(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


def adam_as_in_pytorch(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m = m + (1 - beta1) * (grad - m)
    v = v * beta2 + grad * grad * (1 - beta2)
    denominator = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    return param - lr / (1 - beta1**t) * (m / denominator), m, v


def adam_by_loop(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    p, m, v = np.array(param), np.array(m), np.array(v)
    for i in np.ndindex(*p.shape):
        m[i] = beta1 * m[i] + (1 - beta1) * grad[i]
        v[i] = beta2 * v[i] + (1 - beta2) * grad[i] * grad[i]
        p[i] -= lr * (m[i] / (1 - beta1**t)) / (math.sqrt(v[i] / (1 - beta2**t)) + eps)
    return p, m, v


# --- known mistakes: Adam with one line different -----------------------------------------------------------------


def _mean(mean: Array, new: Array, beta: float) -> Array:
    return beta * mean + (1 - beta) * new


def _corrected(mean: Array, beta: float, t: int) -> Array:
    return np.asarray(mean / (1 - beta**t))


def _uncorrected(mean: Array, beta: float, t: int) -> Array:
    return mean


def _times_t(mean: Array, beta: float, t: int) -> Array:
    return np.asarray(mean / np.float64(1 - beta * t))


def _direction(m_hat: Array, v_hat: Array, eps: float) -> Array:
    return np.asarray(m_hat / (np.sqrt(v_hat) + eps))


def variant(
    first: Callable[[Array, Array, float], Array] = _mean,
    second: Callable[[Array, Array, float], Array] = lambda v, g, beta: _mean(v, g**2, beta),
    correct_m: Callable[[Array, float, int], Array] = _corrected,
    correct_v: Callable[[Array, float, int], Array] = _corrected,
    direction: Callable[[Array, Array, float], Array] = _direction,
    sign: float = 1.0,
    hand_back_corrected: bool = False,
) -> Step:
    """Adam with some of its parts exchanged."""

    def adam_variant(
        param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
    ) -> Triple:
        m, v = first(m, grad, beta1), second(v, grad, beta2)
        m_hat, v_hat = correct_m(m, beta1, t), correct_v(v, beta2, t)
        new = param - sign * lr * direction(m_hat, v_hat, eps)
        return (new, m_hat, v_hat) if hand_back_corrected else (new, m, v)

    return adam_variant


def betas_exchanged(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    return adam_step(param, grad, m, v, t, lr, beta2, beta1, eps)


def correction_one_step_behind(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    new = variant(
        correct_m=lambda m, b, t: m / np.float64(1 - b ** (t - 1)),
        correct_v=lambda v, b, t: v / np.float64(1 - b ** (t - 1)),
    )
    return new(param, grad, m, v, t, lr, beta1, beta2, eps)  # fmt: skip


def correction_one_step_ahead(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    new = variant(correct_m=lambda m, b, t: m / (1 - b ** (t + 1)), correct_v=lambda v, b, t: v / (1 - b ** (t + 1)))
    return new(param, grad, m, v, t, lr, beta1, beta2, eps)


def eps_before_correction(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = _mean(m, grad, beta1), _mean(v, grad**2, beta2)
    rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    return param - rate * m / (np.sqrt(v) + eps), m, v


def in_place(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m *= beta1
    m += (1 - beta1) * grad
    v *= beta2
    v += (1 - beta2) * grad**2
    return param - lr * _direction(_corrected(m, beta1, t), _corrected(v, beta2, t), eps), m, v


def old_means_used(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    new = param - lr * _direction(_corrected(m, beta1, t), _corrected(v, beta2, t), eps)
    return new, _mean(m, grad, beta1), _mean(v, grad**2, beta2)


def gradient_in_the_step(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    _, m, v = adam_step(param, grad, m, v, t, lr, beta1, beta2, eps)
    return param - lr * _direction(grad, _corrected(v, beta2, t), eps), m, v


def second_from_first(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m = _mean(m, grad, beta1)
    v = _mean(v, m**2, beta2)
    return param - lr * _direction(_corrected(m, beta1, t), _corrected(v, beta2, t), eps), m, v


def corrections_exchanged(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = _mean(m, grad, beta1), _mean(v, grad**2, beta2)
    return param - lr * _direction(_corrected(m, beta2, t), _corrected(v, beta1, t), eps), m, v


def eps_outside_the_fraction(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m, v = _mean(m, grad, beta1), _mean(v, grad**2, beta2)
    return param - lr * _corrected(m, beta1, t) / np.sqrt(_corrected(v, beta2, t)) + eps, m, v


def still_where_flat(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    new, m, v = adam_step(param, grad, m, v, t, lr, beta1, beta2, eps)
    return np.where(grad == 0, param, new), m, v


def stops_where_flat(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    if not grad.any():
        return param.copy(), m.copy(), v.copy()
    return adam_step(param, grad, m, v, t, lr, beta1, beta2, eps)


def variant_of_deviations(
    param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Triple:
    m = _mean(m, grad, beta1)
    v = _mean(v, (grad - m) ** 2, beta2)
    return param - lr * _direction(_corrected(m, beta1, t), _corrected(v, beta2, t), eps), m, v
