"""Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2, with PyTorch's factor lr on the decay)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def adamw_step(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return param - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * param), m, v


def adamw_as_in_pytorch(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    param = param * (1 - lr * weight_decay)
    m = m + (1 - beta1) * (grad - m)
    v = beta2 * v + (1 - beta2) * grad * grad
    denominator = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    return param - (lr / (1 - beta1**t)) * m / denominator, m, v


def adamw_by_loop(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    p, m, v = np.array(param), np.array(m), np.array(v)
    for i in np.ndindex(*p.shape):
        m[i] += (1 - beta1) * (grad[i] - m[i])
        v[i] += (1 - beta2) * (grad[i] ** 2 - v[i])
        step = m[i] / (1 - beta1**t) / (math.sqrt(v[i] / (1 - beta2**t)) + eps)
        p[i] -= lr * weight_decay * p[i] + lr * step
    return [p, m, v]


def adamw_inputs(rng: np.random.Generator) -> list[Case]:
    def case(shape: tuple[int, ...], *settings: float, label: str = "", scale: float = 1.0) -> Case:
        param, grad, m = rng.normal(size=shape), scale * rng.normal(size=shape), scale * rng.normal(size=shape)
        v = scale**2 * (0.1 + rng.random(shape))
        started = settings[0] > 1
        return Case((param, grad, m * started, v * started, *settings), label)

    p, g = np.array([1.0, -2.0, 0.5]), np.array([0.5, -1.5, 0.8])
    m, v = np.array([0.4, 0.3, -0.6]), np.array([0.2, 0.8, 0.5])
    zeros = np.zeros(3)
    return [
        Case((p, g, m, v, 3, 0.1, 0.9, 0.99, 1e-3, 0.2)),
        case((2, 3), 4, 0.05, 0.8, 0.9, 1e-2, 0.5),
        case((4,), 2, 0.2, 0.7, 0.95, 1e-3, 0.1),
        case((3, 2), 10, 0.01, 0.9, 0.999, 1e-2, 2.0),
        case((4,), 1, 0.1, 0.9, 0.999, 1e-8, 0.3, label="the first step, m and v zero"),
        case((3,), 5, 0.1, 0.9, 0.99, 1e-3, 0.0, label="no decay"),
        case((3,), 5, 1e-3, 0.9, 0.999, 1e-8, 0.01, label="usual settings"),
        case((3, 3), 6, 0.1, 0.8, 0.9, 1e-3, 0.4, label="square arrays"),
        case((4,), 5, 0.1, 0.9, 0.99, 1e-3, 0.2, label="large gradients", scale=1e4),
        Case((p, zeros, zeros, zeros, 2, 0.1, 0.9, 0.99, 1e-3, 0.5), "slopes that were always zero"),
        Case((p, np.array([0.0, 0.7, 0.0]), m, v, 4, 0.1, 0.9, 0.99, 1e-3, 0.5), "some slopes of zero"),
        Case((np.array([0.0, 1.5, -0.2]), g, m, v, 4, 0.1, 0.9, 0.99, 1e-3, 0.5), "a weight of zero"),
    ]  # fmt: skip


def variant(
    into_gradient: Callable[[Array, Array, float], Array] = lambda g, p, wd: g,
    into_m: Callable[[Array, Array, float], Array] = lambda g, p, wd: g,
    correct_m: Callable[[Array, float, int], Array] = lambda m, b, t: m / (1 - b**t),
    correct_v: Callable[[Array, float, int], Array] = lambda v, b, t: v / (1 - b**t),
    decayed: Callable[[Array, float, float], Any] = lambda p, lr, wd: p - lr * wd * p,
    direction: Callable[[Array, Array, float, Any], Array] = lambda m, v, eps, wd_p: m / (np.sqrt(v) + eps),
    after: Callable[[Array, float, float], Array] = lambda new, lr, wd: new,
    sign: float = 1.0,
) -> Callable[..., Any]:
    """AdamW with some of its parts exchanged."""

    def answer(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
        grad = into_gradient(grad, param, weight_decay)
        m = beta1 * m + (1 - beta1) * into_m(grad, param, weight_decay)
        v = beta2 * v + (1 - beta2) * grad**2
        step = direction(correct_m(m, beta1, t), correct_v(v, beta2, t), eps, weight_decay * param)
        return after(decayed(param, lr, weight_decay) - sign * lr * step, lr, weight_decay), m, v

    return answer


def whole(param: Array, lr: float, weight_decay: float) -> Array:
    return param


def corrected_handed_back(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    new, m, v = adamw_step(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)
    return new, m / (1 - beta1**t), v / (1 - beta2**t)


def in_place(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    new, m, v = adamw_step(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)
    param *= 1 - lr * weight_decay
    return new, m, v


def only_where_moving(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    new, m, v = adamw_step(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)
    return np.where(grad == 0, new + lr * weight_decay * param, new), m, v


def old_means_in_the_step(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    _, new_m, new_v = adamw_step(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)
    step = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return param - lr * (step + weight_decay * param), new_m, new_v


def gradient_for_the_mean(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    _, new_m, new_v = adamw_step(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)
    step = grad / (np.sqrt(new_v / (1 - beta2**t)) + eps)
    return param - lr * (step + weight_decay * param), new_m, new_v


def m_like_a_velocity(param: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:  # fmt: skip
    m, v = beta1 * m + grad, beta2 * v + (1 - beta2) * grad**2
    step = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return param - lr * (step + weight_decay * param), m, v


ADAMW = Exercise(
    id="training_deep_networks.adamw",
    kind="function",
    title="AdamW: decay that Adam cannot bend",
    points=3,
    minutes=15,
    difficulty=2,
    function="adamw_step",
    reference=adamw_step,
    alternatives=(adamw_as_in_pytorch, adamw_by_loop),
    inputs=adamw_inputs,
    returns=("param", "m", "v"),
    blame=("m", "v", "param"),
    wrong=(
        Wrong(
            "decay-in-the-gradient",
            variant(into_gradient=lambda g, p, wd: g + wd * p, decayed=whole),
            "The decay goes into the gradient, and so into m and v: that is Adam with L2. Adam then divides it by √v̂, so weights with large slopes hardly decay. "
            "What should the decay not pass through?",
        ),
        Wrong(
            "decay-in-m-only",
            variant(into_m=lambda g, p, wd: g + wd * p, decayed=whole),
            "The decay goes into m (not into v), so it is averaged and then divided by √v̂. Which quantity should it act on directly?",
        ),
        Wrong(
            "decayed-twice",
            variant(into_gradient=lambda g, p, wd: g + wd * p),
            "The decay comes in twice: in the gradient, and so in m and v, and directly on the weights. Which of the two does *decoupled* leave out?",
        ),
        Wrong(
            "decay-inside-the-fraction",
            variant(direction=lambda m, v, eps, wd_p: (m + wd_p) / (np.sqrt(v) + eps), decayed=whole),
            "m and v are right, but the decay is added to m̂ and gets divided by √v̂ + eps with it. Should a weight's decay depend on its slopes?",
        ),
        Wrong(
            "no-decay",
            variant(decayed=whole),
            "This is plain Adam: `weight_decay` has no effect. What does every weight lose in each step, whatever its slope?",
        ),
        Wrong(
            "decay-without-the-rate",
            variant(decayed=lambda p, lr, wd: p - wd * p),
            "m and v are right, but the weights lose `weight_decay` times themselves whatever the learning rate. In the formula here, which factor stands before the whole bracket?",
        ),
        Wrong(
            "decay-adds",
            variant(decayed=lambda p, lr, wd: p + lr * wd * p),
            "m and v are right, but the decay makes the weights *larger*. Which sign leads toward 0?",
        ),
        Wrong(
            "decayed-after-the-step",
            variant(decayed=whole, after=lambda new, lr, wd: new * (1 - lr * wd)),
            "m and v are right. You take Adam's step first and then shrink the result, so the step itself gets shrunk a little too. "
            "Which weights does the formula multiply by weight_decay: old or new ones?",
        ),
        Wrong(
            "same-amount-for-all",
            variant(decayed=lambda p, lr, wd: p - lr * wd * np.sign(p)),
            "m and v are right, but every weight moves toward 0 by the same amount, whatever its size: that is the decay of L1. "
            "How does L2's pull depend on the weight?",
        ),
        Wrong(
            "two-in-the-decay",
            variant(decayed=lambda p, lr, wd: p - 2 * lr * wd * p),
            "m and v are right, but the decay is twice as strong as the formula's. Did you put in the slope of w², and does the formula have a 2?",
        ),
        Wrong(
            "squared-weights",
            variant(decayed=lambda p, lr, wd: p - lr * wd * p**2),
            "m and v are right, but the decay is taken with the squared weight. The penalty is a square: what is its slope?",
        ),
        Wrong(
            "rate-twice-in-the-decay",
            variant(decayed=lambda p, lr, wd: p - lr * lr * wd * p),
            "m and v are right, but `lr` multiplies the decay twice. How often does it stand in the formula?",
        ),
        Wrong(
            "no-correction",
            variant(correct_m=lambda m, b, t: m, correct_v=lambda v, b, t: v),
            "m and v are right, but the step is taken with them as they are. They began at zero: by which factor is each still too small after t steps?",
        ),
        Wrong(
            "only-m-corrected",
            variant(correct_v=lambda v, b, t: v),
            "m and v are right, but only m is corrected for having begun at zero. Did v not begin there as well?",
        ),
        Wrong(
            "only-v-corrected",
            variant(correct_m=lambda m, b, t: m),
            "m and v are right, but only v is corrected for having begun at zero. Did m not begin there as well?",
        ),
        Wrong(
            "corrected-one-step-ahead",
            variant(correct_m=lambda m, b, t: m / (1 - b ** (t + 1)), correct_v=lambda v, b, t: v / (1 - b ** (t + 1))),
            "m and v are right, but they are corrected with t + 1. Which number does the first step come with here, 0 or 1?",
        ),
        Wrong(
            "corrected-means-handed-back",
            corrected_handed_back,
            "The new weights are right, but the m and v you hand back are the corrected ones, and the next step would correct them again. "
            "Which ones does the running mean go on from?",
        ),
        Wrong(
            "eps-inside-the-root",
            variant(direction=lambda m, v, eps, wd_p: m / np.sqrt(v + eps)),
            "m and v are right, but your eps stands under the root, where its effect is much larger. What is added to what in the denominator?",
        ),
        Wrong(
            "eps-missing",
            variant(direction=lambda m, v, eps, wd_p: np.divide(m, np.sqrt(v), out=np.full_like(m, np.nan), where=v > 0)),
            "m and v are right, but `eps` is missing in the denominator. What is divided by what where all slopes have been zero so far?",
        ),
        Wrong(
            "uphill",
            variant(sign=-1.0),
            "m and v are right, and so is the decay, but Adam's step goes uphill. Which sign does it have?",
        ),
        Wrong(
            "decay-only-where-sloped",
            only_where_moving,
            "Where the slope is exactly 0, your weight does not decay. Does the decay in the formula ask for the gradient at all?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but the array of weights that you were given was overwritten. What is the difference between `p *= k` and `p = p * k`?",
        ),
        Wrong(
            "old-means-in-the-step",
            old_means_in_the_step,
            "The m and v that you hand back are right, but the step is taken with the old ones, so this gradient has no say in it yet. Which of your lines comes first?",
        ),
        Wrong(
            "gradient-for-the-mean",
            gradient_for_the_mean,
            "m and v are right, but the step is taken along the gradient itself, not along its mean: that is RMSprop. Which symbol stands above √v̂ in the formula?",
        ),
        Wrong(
            "corrected-as-at-the-first-step",
            variant(correct_m=lambda m, b, t: m / (1 - b), correct_v=lambda v, b, t: v / (1 - b)),
            "m and v are right, but they are always corrected by 1 - β, as if it were the first step. What becomes of the correction as t grows?",
        ),
        Wrong(
            "root-forgotten",
            variant(direction=lambda m, v, eps, wd_p: m / (v + eps)),
            "m and v are right, but m̂ is divided by v̂ without the root. In which unit is v̂ measured, if slopes are measured in 1?",
        ),
        Wrong(
            "m-like-a-velocity",
            m_like_a_velocity,
            "m takes in the whole gradient, as the velocity of SGD with momentum does, so it is a sum and no mean. Which weight does the new gradient have in the formula?",
        ),
    ),
    hints=(
        "It is unit 02's `adam_step` with one term more. m, v and their corrections never see the decay.",
        "Decoupled means: the weights themselves shrink by the factor 1 - lr · weight_decay, and Adam's step is taken from there.",
        "`param - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * param)`.",
    ),
    unlocks="Nearly every large language model is trained with this step.",
)  # fmt: skip
