"""The exercise on Adam: its cases, and what is said about each known mistake."""

from __future__ import annotations

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.gradient_descent.adam_answers import (
    _mean,
    _times_t,
    _uncorrected,
    adam_as_in_pytorch,
    adam_by_loop,
    adam_step,
    betas_exchanged,
    correction_one_step_ahead,
    correction_one_step_behind,
    corrections_exchanged,
    eps_before_correction,
    eps_outside_the_fraction,
    gradient_in_the_step,
    in_place,
    old_means_used,
    second_from_first,
    still_where_flat,
    stops_where_flat,
    variant,
    variant_of_deviations,
)
from dlcourse.drivers import Case


def adam_inputs(rng: np.random.Generator) -> list[Case]:
    def case(shape: tuple[int, ...], *settings: float, label: str = "", scale: float = 1.0) -> Case:
        param, grad, m = rng.normal(size=shape), scale * rng.normal(size=shape), scale * rng.normal(size=shape)
        v = scale**2 * (0.1 + rng.random(shape))
        started = settings[0] > 1
        return Case((param, grad, m * started, v * started, *settings), label)

    p, g = np.array([1.0, -2.0, 0.5, 1.5, -0.3]), np.array([0.5, -1.5, 0.8, -0.2, 1.1])
    m, v = np.array([0.4, 0.3, -0.6, -0.25, 0.7]), np.array([0.2, 0.8, 0.5, 0.1, 1.3])
    first, zeros, some = (p, g, m, v), np.zeros(5), np.array([0.0, 0.7, 0.0, -0.4, 0.0])
    return [
        Case((*first, 3, 0.1, 0.8, 0.95, 0.01)),
        case((2, 3), 2, 0.3, 0.7, 0.9, 0.05),
        case((6,), 7, 0.2, 0.9, 0.99, 0.02),
        case((4, 2), 1, 0.1, 0.9, 0.999, 1e-3, label="the first step"),
        case((5,), 5000, 0.05, 0.9, 0.999, 1e-3, label="a late step"),
        case((2, 2, 3), 4, 0.1, 0.9, 0.999, 1e-8, label="tiny gradients", scale=1e-6),
        case((5,), 4, 0.1, 0.9, 0.999, 1e-8, label="large gradients", scale=1e4),
        Case((p, zeros, zeros, zeros, 1, 0.1, 0.9, 0.999, 1e-8), "a gradient of zero"),
        Case((p, zeros, m, v, 6, 0.1, 0.9, 0.99, 1e-8), "a gradient of zero, with live means"),
        Case((p, some, m, v, 6, 0.1, 0.9, 0.99, 1e-8), "some slopes of zero, with live means"),
        Case((p, some, zeros, zeros, 1, 0.1, 0.9, 0.99, 1e-8), "some slopes of zero at the first step"),
        Case((p, 0.1 * g, 0.1 * m, 0.01 * v, 5, 0.1, 0.9, 0.99, 0.5), "an eps larger than the root"),
        case((3, 3), 3, 0.2, 0.6, 0.95, 0.01, label="square arrays"),
    ]


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
    blame=("m", "v", "param"),
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
            "eps-hard-coded",
            variant(direction=lambda m, v, eps: m / (np.sqrt(v) + 1e-8)),
            "m and v are right, but your step does not change with `eps`. Which number, if any, stands in its place?",
        ),
        Wrong(
            "eps-forgotten",
            variant(direction=lambda m, v, eps: m / np.sqrt(v)),
            "m and v are right, but `eps` has no effect on your step. "
            "If it is missing: what is divided by what where all slopes have been zero so far?",
        ),
        Wrong(
            "eps-as-a-floor",
            variant(direction=lambda m, v, eps: m / np.maximum(np.sqrt(v), eps)),
            "m and v are right, but `eps` only acts where the root is smaller than it: you take the larger of the two. "
            "What does the formula do with them?",
        ),
        Wrong(
            "weight-still-where-flat",
            still_where_flat,
            "m and v are right, but where the gradient is exactly 0 your weight stays where it is. m remembers earlier slopes there: "
            "does the last line of the formula ask for the gradient at all?",
        ),
        Wrong(
            "stops-where-flat",
            stops_where_flat,
            "Where the whole gradient is 0, you leave everything as it was. The means should still fade, and the weights still move. "
            "What do the four lines give for g = 0?",
        ),
        Wrong(
            "v-of-the-deviations",
            variant_of_deviations,
            "m is right, but v averages the squares of g - m: how far slopes are from their mean. "
            "Which array is squared in the second line?",
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
