"""A broken RMSProp to mend (Tieleman & Hinton 2012, in PyTorch's form): three faults, told one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def rmsprop_run(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def rmsprop_on_a_copy(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    param, square = np.array(param, dtype=float), 0.0 * param
    for t in range(len(grads)):
        square += (1 - beta) * (grads[t] * grads[t] - square)
        param -= lr * (grads[t] / (square**0.5 + eps))
    return param


def rmsprop_by_entry(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    out = np.empty(param.shape)
    for i in np.ndindex(*param.shape):
        p, square = float(param[i]), 0.0
        for grad in grads:
            square = beta * square + (1 - beta) * float(grad[i]) ** 2
            p -= lr * float(grad[i]) / (math.sqrt(square) + eps)
        out[i] = p
    return out


def rmsprop_inputs(rng: np.random.Generator) -> list[Case]:
    def case(T: int, shape: tuple[int, ...], beta: float, eps: float, label: str = "", scale: float = 1.0) -> Case:
        return Case((scale * rng.normal(size=(T, *shape)), rng.normal(size=shape), 0.1, beta, eps), label)

    grads = np.array([[0.5, -1.0], [1.5, 0.2], [-0.4, 0.8]])
    pauses = np.array([[0.5, -1.0, 0.3], [0.0, 0.0, 0.0], [0.0, 0.4, 0.0], [1.2, -0.6, 0.0], [0.3, 0.9, -0.7]])
    late = np.array([[0.0, 0.5], [0.0, -0.3], [0.8, 0.0]])
    start = np.array([1.0, -2.0, 0.5])
    return [
        Case((grads, np.array([1.0, -2.0]), 0.1, 0.9, 0.01)),
        case(5, (3,), 0.8, 0.05),
        case(4, (2, 3), 0.99, 0.02),
        case(1, (4,), 0.9, 1e-3, "a single step"),
        case(6, (2,), 0.9, 1e-8, "large gradients", 1e4),
        Case((pauses, start, 0.1, 0.9, 1e-8), "slopes of zero on the way"),
        Case((late, np.array([1.0, -1.0]), 0.1, 0.9, 1e-8), "slopes of zero at the start"),
        Case((0.1 * grads, np.array([1.0, -2.0]), 0.1, 0.9, 0.5), "an eps larger than the root"),
        Case((np.zeros((0, 3)), start, 0.1, 0.9, 0.01), "no steps at all"),
        case(4, (), 0.7, 0.01, "a param of shape ()"),
        case(3, (3, 3), 0.7, 0.01, "a square param"),
    ]


def broken(fresh_mean: bool = False, eps_inside: bool = False, writes: bool = False) -> Callable[..., Any]:
    """The program as handed out has all three faults; half-mended ones have some."""

    def rmsprop_broken(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
        square = np.zeros_like(param)
        for grad in grads:
            if fresh_mean:
                square = np.zeros_like(param)
            square = beta * square + (1 - beta) * grad**2
            root = np.sqrt(square + eps) if eps_inside else np.sqrt(square) + eps
            if writes:
                param -= lr * grad / root
            else:
                param = param - lr * grad / root
        return param

    return rmsprop_broken


def as_given(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    for grad in grads:
        square = np.zeros_like(param)
        square = beta * square + (1 - beta) * grad**2
        param -= lr * grad / np.sqrt(square + eps)
    return param


def weights_exchanged(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    return rmsprop_run(grads, param, lr, 1 - beta, eps)


def never_forgets(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        square = square + grad**2
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def corrected(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for t, grad in enumerate(grads, 1):
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / (np.sqrt(square / (1 - beta**t)) + eps)
    return param


def starts_with_first(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = grads[0] ** 2
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def first_step_only(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    return rmsprop_run(grads[:1], param, lr, beta, eps)


def eps_forgotten(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    return rmsprop_run(grads, param, lr, beta, 0.0)


def steps_from_the_start(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square, new = np.zeros_like(param), param
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        new = param - lr * grad / (np.sqrt(square) + eps)
    return new


def not_squared(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        square = beta * square + (1 - beta) * np.abs(grad)
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def old_mean(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        param = param - lr * grad / (np.sqrt(square) + eps)
        square = beta * square + (1 - beta) * grad**2
    return param


def one_mean(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = 0.0
    for grad in grads:
        square = beta * square + (1 - beta) * float(np.mean(grad**2))
        param = param - lr * grad / (math.sqrt(square) + eps)
    return param


def starts_at_one(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.ones_like(param)
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def eps_outside(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / np.sqrt(square) + eps
    return param


def eps_hard_coded(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    return rmsprop_run(grads, param, lr, beta, 1e-8)


def eps_as_a_floor(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / np.maximum(np.sqrt(square), eps)
    return param


def no_fading_where_flat(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    square = np.zeros_like(param)
    for grad in grads:
        square = np.where(grad == 0, square, beta * square + (1 - beta) * grad**2)
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def skips_flat_steps(grads: Array, param: Array, lr: float, beta: float, eps: float) -> Array:
    return rmsprop_run(np.array([grad for grad in grads if grad.any()]), param, lr, beta, eps)


FRESH = "the running mean of the squares never gets to run: look at what is known about earlier slopes when a new round begins"
INSIDE = "eps does not stand where PyTorch has it: is it added to the square or to its root"
WRITES = "the caller's `param` is overwritten"

RMSPROP_REPAIR = Exercise(
    id="gradient_descent.rmsprop_repair",
    kind="program",
    title="Mend a broken RMSProp",
    points=3,
    minutes=12,
    difficulty=2,
    function="rmsprop_run",
    reference=rmsprop_run,
    alternatives=(rmsprop_on_a_copy, rmsprop_by_entry),
    inputs=rmsprop_inputs,
    wrong=(
        Wrong(
            "as-given",
            as_given,
            "This does what the program did when it was handed out: all three faults are still in it. Start with the first lines of the loop: "
            "what does `square` hold when the second round begins?",
        ),
        Wrong(
            "mean-and-eps-left",
            broken(fresh_mean=True, eps_inside=True),
            f"The caller's `param` is safe now. Two faults are left. The first: {FRESH}. What should survive a round?",
        ),
        Wrong(
            "mean-and-writing-left",
            broken(fresh_mean=True, writes=True),
            f"eps is in its place now. Two faults are left. The first: {FRESH}. What should survive a round?",
        ),
        Wrong(
            "eps-and-writing-left",
            broken(eps_inside=True, writes=True),
            f"The running mean runs now. Two faults are left. The first: {INSIDE}?",
        ),
        Wrong(
            "mean-left",
            broken(fresh_mean=True),
            f"One fault is left: {FRESH}. What should survive a round?",
        ),
        Wrong(
            "eps-left",
            broken(eps_inside=True),
            f"One fault is left, and it shows most where slopes are small: {INSIDE}?",
        ),
        Wrong(
            "writing-left",
            broken(writes=True),
            f"The numbers are right. One fault is left: {WRITES}, and after your run the start is lost. Which statement writes into the array itself?",
        ),
        Wrong(
            "weights-of-the-mean-exchanged",
            weights_exchanged,
            "The old mean and the new square have each other's weights, so with beta = 0.9 nine tenths of the past are forgotten in each step. "
            "Was that part of the program broken?",
        ),
        Wrong(
            "never-forgets",
            never_forgets,
            "The squares are summed and never fade, so the steps shrink for ever: that is AdaGrad. "
            "What lets RMSProp forget?",
        ),
        Wrong(
            "corrected",
            corrected,
            "You added Adam's bias correction: a good idea, but RMSProp has none. Which steps does it change, the early or the late ones?",
        ),
        Wrong(
            "starts-with-the-first-square",
            starts_with_first,
            "The running mean starts at the first gradient's square. PyTorch's starts elsewhere, which makes its first steps longer. Where?",
        ),
        Wrong(
            "eps-hard-coded",
            eps_hard_coded,
            "Your result does not change with `eps` any more. Which number, if any, stands in its place?",
        ),
        Wrong(
            "eps-forgotten",
            eps_forgotten,
            "`eps` has no effect on your result any more. If it is missing: what is divided by what while all slopes have been zero so far?",
        ),
        Wrong(
            "eps-as-a-floor",
            eps_as_a_floor,
            "`eps` only acts where the root is smaller than it: you take the larger of the two. What does the formula do with them?",
        ),
        Wrong(
            "no-fading-where-flat",
            no_fading_where_flat,
            "Where a slope is exactly 0, your running mean keeps its size. It should fade there too. "
            "Does the formula treat a slope of 0 in a way of its own?",
        ),
        Wrong(
            "steps-without-slope-skipped",
            skips_flat_steps,
            "Where a whole gradient is 0, you skip the step, and the running mean with it. What does the first line of the formula give for g = 0?",
        ),
        Wrong(
            "first-step-only",
            first_step_only,
            "Only the first gradient is used. Is your `return` inside the loop?",
        ),
        Wrong(
            "not-squared",
            not_squared,
            "The running mean is one of the slopes' sizes, not of their squares. Under the root, which of the two has the right unit?",
        ),
        Wrong(
            "mean-one-step-late",
            old_mean,
            "Each step divides by the running mean of the steps before, so the first one divides by eps alone and leaps away. "
            "Which of the two lines of the loop comes first?",
        ),
        Wrong(
            "one-mean-for-all",
            one_mean,
            'All weights share one running mean, so all get the same step size. What does "elementwise" ask for?',
        ),
        Wrong(
            "starts-at-one",
            starts_at_one,
            "The running mean starts at 1. Which start does the task name?",
        ),
        Wrong(
            "eps-outside-the-fraction",
            eps_outside,
            "eps is added to the weights instead of to the denominator. Which pair of parentheses is missing?",
        ),
        Wrong(
            "steps-from-the-start",
            steps_from_the_start,
            "Every step sets out from the original `param`, so only the last one counts. From where should the second step set out?",
        ),
    ),
    hints=(
        "Run it by hand for two gradients and one weight, and write down `square` after each round.",
        "There are three faults: one lets the memory be lost, one puts eps in the wrong place, one changes what belongs to the caller.",
        "`square` starts once, before the loop; eps is added to the root, not under it; `param = param - ...` makes a new array.",
    ),
    unlocks="You can read an optimizer for faults, which is harder than writing one.",
)
