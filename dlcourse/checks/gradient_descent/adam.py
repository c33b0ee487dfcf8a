"""Adam (Kingma & Ba 2015, Algorithm 1), and what goes wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

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


def adam_inputs(rng: np.random.Generator) -> list[Case]:
    def case(shape: tuple[int, ...], *settings: float, label: str = "", scale: float = 1.0) -> Case:
        param, grad, m = rng.normal(size=shape), scale * rng.normal(size=shape), scale * rng.normal(size=shape)
        v = scale**2 * (0.1 + rng.random(shape))
        started = settings[0] > 1
        return Case((param, grad, m * started, v * started, *settings), label)

    first = (np.array([1.0, -2.0]), np.array([0.5, -1.5]), np.array([0.4, 0.3]), np.array([0.2, 0.8]))
    zeros = (np.zeros(2), np.zeros(2), np.zeros(2))
    return [
        Case((*first, 3, 0.1, 0.8, 0.95, 0.01)),
        case((2, 3), 2, 0.3, 0.7, 0.9, 0.05),
        case((4,), 7, 0.2, 0.9, 0.99, 0.02),
        case((4, 2), 1, 0.1, 0.9, 0.999, 1e-3, label="the first step"),
        case((5,), 5000, 0.05, 0.9, 0.999, 1e-3, label="a late step"),
        case((2, 2, 3), 4, 0.1, 0.9, 0.999, 1e-8, label="tiny gradients", scale=1e-6),
        case((5,), 4, 0.1, 0.9, 0.999, 1e-8, label="large gradients", scale=1e4),
        Case((np.array([1.5, -0.5]), *zeros, 1, 0.1, 0.9, 0.999, 1e-8), "a gradient of zero"),
    ]


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


ADAM = Exercise(
    id="gradient_descent.adam",
    kind="function",
    title="Adam with bias correction",
    points=4,
    minutes=20,
    difficulty=3,
    function="adam_step",
    reference=adam_step,
    alternatives=(adam_as_in_pytorch, adam_by_loop),
    inputs=adam_inputs,
    returns=("param", "m", "v"),
    wrong=(
        Wrong(
            "no-correction",
            variant(correct_m=_uncorrected, correct_v=_uncorrected),
            "m and v are right, but the step is taken with them as they are. They began at zero: "
            "by which factor is each still too small after t steps?",
        ),
        Wrong(
            "only-m-corrected",
            variant(correct_v=_uncorrected),
            "m and v are right, but only m is corrected, so the early steps are far too long. Did v not begin at zero as well?",
        ),
        Wrong(
            "only-v-corrected",
            variant(correct_m=_uncorrected),
            "m and v are right, but only v is corrected, so the early steps are too short. Did m not begin at zero as well?",
        ),
        Wrong(
            "corrected-means-handed-back",
            variant(hand_back_corrected=True),
            "The new weights are right, but the m and v you hand back are the corrected ones, and the next step would correct them again. "
            "Which ones does the running mean go on from?",
        ),
        Wrong(
            "eps-inside-the-root",
            variant(direction=lambda m, v, eps: m / np.sqrt(v + eps)),
            "Your eps stands under the root, where its effect is much larger: the root of 1e-8 is 1e-4. "
            "What is added to what in Adam's denominator?",
        ),
        Wrong(
            "eps-forgotten",
            variant(direction=lambda m, v, eps: m / np.sqrt(v)),
            "m and v are right, but eps has no effect: where all slopes have been zero so far, you divide zero by zero. "
            "What is eps there to prevent, and where must it stand for that?",
        ),
        Wrong(
            "eps-outside-the-fraction",
            eps_outside_the_fraction,
            "m and v are right, but eps is added to the weights instead of to the denominator. "
            "Which pair of parentheses is missing?",
        ),
        Wrong(
            "v-from-m",
            second_from_first,
            "m is right, but v averages the squares of m, not those of the gradient. "
            "Which array should be squared in the second line?",
        ),
        Wrong(
            "one-size-for-all",
            variant(second=lambda v, g, b: _mean(v, np.full_like(g, np.sum(g**2)), b)),
            "m is right, but v takes in the sum of all squared slopes for every weight, so one steep weight slows all the others. "
            'What does "elementwise" ask for?',
        ),
        Wrong(
            "corrections-exchanged",
            corrections_exchanged,
            "m and v are right, but m is corrected with beta2 and v with beta1. Which beta built which mean?",
        ),
        Wrong(
            "beta-times-t",
            variant(correct_m=_times_t, correct_v=_times_t),
            "m and v are right, but the correction uses beta times t, which soon exceeds 1 and turns the sign around. "
            "What does the little t above the beta mean?",
        ),
        Wrong(
            "eps-before-the-correction",
            eps_before_correction,
            "Nearly: eps is added to the root of v *before* v is corrected (the shortcut at the end of the paper's section 2). "
            "The result differs where eps counts. To which root, that of v or that of its corrected form, does Algorithm 1 add it?",
        ),
        Wrong(
            "root-forgotten",
            variant(direction=lambda m, v, eps: m / (v + eps)),
            "You divide by the mean square itself. Its unit is that of a squared slope: what makes a slope's unit of it, so that it cancels with m's?",
        ),
        Wrong(
            "gradient-not-squared",
            variant(second=_mean, direction=lambda m, v, eps: m / (np.sqrt(np.abs(v)) + eps)),
            "v is the running mean of the slopes, not of their squares, so positive and negative ones cancel. "
            "What should v measure?",
        ),
        Wrong(
            "betas-exchanged",
            betas_exchanged,
            "`beta1` and `beta2` have changed places. Which of the two means, of slopes or of squares, is the one with the longer memory?",
        ),
        Wrong(
            "means-without-the-new-weight",
            variant(first=lambda m, g, b: b * m + g, second=lambda v, g, b: b * v + g**2),
            "m and v are sums that fade, not means: the factor on the new gradient is missing in both. "
            "If all slopes were 1, what would a mean of them be in the long run?",
        ),
        Wrong(
            "weights-of-the-mean-exchanged",
            variant(first=lambda m, g, b: (1 - b) * m + b * g, second=lambda v, g, b: (1 - b) * v + b * g**2),
            "The old mean and the new gradient have each other's weights, so with beta = 0.9 nine tenths are forgotten in each step. "
            "Which of the two should be nearly kept?",
        ),
        Wrong(
            "correction-multiplied",
            variant(correct_m=lambda m, b, t: m * (1 - b**t), correct_v=lambda v, b, t: v * (1 - b**t)),
            "m and v are right, but the correction makes them smaller still. They are too small by the factor 1 - beta^t: "
            "what undoes a factor?",
        ),
        Wrong(
            "correction-without-t",
            variant(correct_m=lambda m, b, t: m / (1 - b), correct_v=lambda v, b, t: v / (1 - b)),
            "The correction divides by 1 - beta at every step, which is right at t = 1 only. "
            "After many steps the mean is hardly too small any more: where does t come in?",
        ),
        Wrong(
            "t-counted-from-zero",
            correction_one_step_behind,
            "Your exponent is t - 1, so that the first step divides by 1 - beta^0 = 0. With which t does the first step arrive?",
        ),
        Wrong(
            "t-raised-again",
            correction_one_step_ahead,
            "Your correction is one step ahead: the exponent is t + 1. Does `t` not count the present step already?",
        ),
        Wrong(
            "old-means-used",
            old_means_used,
            "m and v are right, but the step is taken with those of the step before. In which order do the lines of the algorithm stand?",
        ),
        Wrong(
            "gradient-in-the-step",
            gradient_in_the_step,
            "m and v are right, but the step is taken with the bare gradient over the root: that is RMSProp. What is m for?",
        ),
        Wrong(
            "uphill",
            variant(sign=-1.0),
            "m and v are right, but the weights move uphill. Which sign leads down?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but the arrays m and v that you were given were overwritten. "
            "What is the difference between `m *= beta1` and `m = beta1 * m`?",
        ),
    ),
    hints=(
        "Four lines: new m, new v, both corrected under new names, the step. The means handed back are the uncorrected ones.",
        "Both means start at zero, so after t steps they carry only 1 - beta^t of their weight: divide it out. "
        "eps is added after the root is taken.",
        "`m_hat = m / (1 - beta1**t)`, likewise for v with beta2, and then `lr * m_hat / (np.sqrt(v_hat) + eps)` is subtracted.",
    ),
    unlocks="Transformers, GANs and most of this course train with it; unit 05 turns it into AdamW.",
)
