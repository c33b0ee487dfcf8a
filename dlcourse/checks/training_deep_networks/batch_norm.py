"""The exercise on batch normalization: its cases, and what is said about each known mistake."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.training_deep_networks.batch_norm_answers import (
    batch_norm,
    batch_norm_by_loop,
    batch_norm_folded,
    buffers_in_place,
    defaults_only,
    eval_changes_nothing,
    eval_on_updated,
    eval_var_as_std,
    eval_without_affine,
    eval_without_eps,
    input_in_place,
    kept,
    running_of_the_output,
    running_of_x_hat,
    running_var_corrected_whole,
    variant,
)
from dlcourse.drivers import Case


def batch_norm_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, training: bool, *settings: float, label: str = "", scale: float = 1.0) -> Case:
        x = scale * (rng.normal(size=(N, D)) * (0.5 + rng.random(D)) + rng.normal(size=D))
        gamma, beta = 0.5 + rng.random(D), rng.normal(size=D)
        running = scale * rng.normal(size=D), scale**2 * (0.3 + rng.random(D))
        return Case((x, gamma, beta, *running, training, *settings), label)

    x, gamma, beta = np.array([[1.0, 4.0], [3.0, 0.0], [5.0, 5.0]]), np.array([2.0, 0.5]), np.array([0.5, -1.0])
    running = np.array([0.5, 1.0]), np.array([0.5, 2.0])
    flat = np.array([[2.0, 1.0, -3.0], [2.0, 4.0, -3.0], [2.0, -1.0, -3.0]])
    nearly = 0.01 * rng.normal(size=(6, 3))
    return [
        Case((x, gamma, beta, *running, True, 0.2, 1e-3)),
        Case((x, gamma, beta, *running, False, 0.2, 1e-3)),
        case(5, 3, True, 0.3, 1e-2),
        case(7, 4, False, 0.3, 1e-2),
        case(6, 2, True, 0.05, 1e-4),
        case(4, 3, False, 0.4, 0.1),
        case(5, 3, True, label="momentum and eps left at their defaults"),
        case(5, 3, False, label="momentum and eps left at their defaults"),
        case(2, 3, True, 0.1, 1e-5, label="a batch of two"),
        case(1, 4, False, 0.1, 1e-5, label="one example in eval mode"),
        case(4, 4, True, 0.2, 1e-3, label="as many examples as features"),
        case(4, 4, False, 0.2, 1e-3, label="as many examples as features"),
        case(5, 1, True, 0.2, 1e-3, label="a single feature"),
        Case((flat, *_affine(rng, 3), rng.normal(size=3), 0.5 + rng.random(3), True, 0.1, 1e-5), "a feature that is the same in all examples"),
        Case((nearly, *_affine(rng, 3), rng.normal(size=3), 1e-4 * (1 + rng.random(3)), True, 0.1, 1e-4), "variances as small as eps"),
        Case((nearly, *_affine(rng, 3), rng.normal(size=3), np.array([0.0, 1e-4, 0.0]), False, 0.1, 1e-4), "running variances of zero"),
        case(6, 3, True, 0.1, 1e-5, label="large numbers", scale=1e3),
        case(4, 2, True, 1.0, 1e-3, label="a momentum of 1"),
        case(4, 2, True, 0.0, 1e-3, label="a momentum of 0"),
    ]  # fmt: skip


def _affine(rng: np.random.Generator, D: int) -> Any:
    return 0.5 + rng.random(D), rng.normal(size=D)


BATCH_NORM = Exercise(
    id="training_deep_networks.batch_norm",
    kind="function",
    title="Batch normalization, in training and in eval",
    points=5,
    minutes=30,
    difficulty=3,
    function="batch_norm",
    reference=batch_norm,
    alternatives=(batch_norm_folded, batch_norm_by_loop),
    inputs=batch_norm_inputs,
    returns=("out", "running_mean", "running_var"),
    blame=("out", "running_mean", "running_var"),
    wrong=(
        Wrong(
            "weight-ignored",
            variant(affine=lambda x_hat, gamma, beta: x_hat + beta),
            "The running statistics are right, but `gamma` has no effect on `out`: every feature leaves with the same spread. "
            "Which part of the formula lets the network choose that spread?",
        ),
        Wrong(
            "bias-ignored",
            variant(affine=lambda x_hat, gamma, beta: gamma * x_hat),
            "The running statistics are right, but `beta` has no effect on `out`, so in training every feature's mean is 0. "
            "Which part of the formula lets the network choose the mean?",
        ),
        Wrong(
            "scale-and-bias-ignored",
            variant(affine=lambda x_hat, gamma, beta: x_hat),
            "`out` is x̂ itself, the normalized input: neither `gamma` nor `beta` has an effect. What is done with x̂ last?",
        ),
        Wrong(
            "bias-before-scale",
            variant(affine=lambda x_hat, gamma, beta: gamma * (x_hat + beta)),
            "`beta` is added before `gamma` multiplies, so it gets multiplied as well. What should the mean of a feature of `out` be in training?",
        ),
        Wrong(
            "weight-and-bias-exchanged",
            variant(affine=lambda x_hat, gamma, beta: beta * x_hat + gamma),
            "`gamma` is added and `beta` multiplied. Which of the two is the scale, and which is the shift?",
        ),
        Wrong(
            "nothing-kept",
            variant(mix=kept),
            "`out` is right, but after training the running mean and variance are still those that came in: eval would use the "
            "starting values for ever. Which two lines only training has?",
        ),
        Wrong(
            "running-var-never-updated",
            variant(mix_var=kept),
            "`out` and `running_mean` are right, but after training `running_var` is still what came in. Which buffer follows the batch's spread?",
        ),
        Wrong(
            "running-mean-never-updated",
            variant(mix_mean=kept),
            "`out` and `running_var` are right, but after training `running_mean` is still what came in. Which buffer follows the batch's mean?",
        ),
        Wrong(
            "running-var-biased",
            variant(var_to_keep=lambda x: x.var(axis=0)),
            "`out` and `running_mean` are right. `running_var` takes in the batch variance divided by N; the task, like PyTorch, keeps the "
            "estimate for unseen data there. Which divisor makes a variance unbiased?",
        ),
        Wrong(
            "running-holds-the-deviation",
            variant(var_to_keep=lambda x: x.std(axis=0, ddof=1)),
            "`out` and `running_mean` are right, but `running_var` takes in the batch's standard deviation. In eval the root is taken again: "
            "what should the buffer hold, by its name?",
        ),
        Wrong(
            "running-holds-the-biased-deviation",
            variant(var_to_keep=lambda x: x.std(axis=0)),
            "`out` and `running_mean` are right, but `running_var` takes in the batch's standard deviation, the one that is divided by N. "
            "What should the buffer hold by its name, and with which divisor?",
        ),
        Wrong(
            "running-var-with-eps",
            lambda x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5: variant(
                var_to_keep=lambda a: a.var(axis=0, ddof=1) + eps
            )(x, gamma, beta, running_mean, running_var, training, momentum, eps),
            "`running_var` takes in the variance with eps already added, and in eval eps is added again. Where is eps needed: in what is kept, "
            "or in what is divided by?",
        ),
        Wrong(
            "momentum-reversed",
            variant(mix=lambda old, new, m: m * old + (1 - m) * new),
            "`out` is right. The running statistics keep `momentum` of the old and take 1 - momentum of the new: with 0.1 they forget nearly "
            "everything at each step. In PyTorch's convention, which of the two does momentum weigh?",
        ),
        Wrong(
            "momentum-reversed-and-biased",
            variant(mix=lambda old, new, m: m * old + (1 - m) * new, var_to_keep=lambda x: x.var(axis=0)),
            "`out` is right. The running statistics have two faults: `momentum` weighs the old value, not the new one, and the variance that goes in is divided by N. "
            "Which weight and which divisor does the task name?",
        ),
        Wrong(
            "correction-upside-down",
            variant(var_to_keep=lambda x: x.var(axis=0) * (len(x) - 1) / len(x)),
            "`out` and `running_mean` are right. What goes into `running_var` is the variance times (N - 1) / N, which makes it smaller. "
            "Is the unbiased variance smaller or larger than the other one?",
        ),
        Wrong(
            "momentum-ignored",
            variant(own_momentum=0.1),
            "The running statistics do not change with `momentum`; they come out as for 0.1. Which number stands in its place?",
        ),
        Wrong(
            "eps-ignored",
            defaults_only,
            "`out` does not change with `eps`; it comes out as for 1e-5. Which number stands in its place?",
        ),
        Wrong(
            "replaced",
            variant(mix=lambda old, new, m: new),
            "`out` is right, but the running statistics become those of this one batch and forget all earlier ones. "
            "How much of the old value should stay?",
        ),
        Wrong(
            "added-without-fading",
            variant(mix=lambda old, new, m: old + m * new),
            "`out` is right, but in the running statistics momentum times the new is added while the old is kept whole, so nothing is ever forgotten. "
            "To which number should the two weights of a running mean add up?",
        ),
        Wrong(
            "eval-uses-the-batch",
            variant(uses_batch=lambda training: True),
            "Training is right. In eval you still normalize with the batch's own mean and variance, so an example's result depends on its company, "
            "and one alone becomes `beta`. Which statistics were kept for this?",
        ),
        Wrong(
            "eval-as-training",
            variant(uses_batch=lambda training: True, updates=lambda training: True),
            "The flag `training` has no effect: in eval, too, you normalize with the batch and update the running statistics. "
            "What would a test set do to the network that way?",
        ),
        Wrong(
            "eval-updates-too",
            variant(updates=lambda training: True),
            "`out` is right, but in eval the running statistics change as well, so evaluating changes the network. When may they move?",
        ),
        Wrong(
            "eval-looks-at-the-batch-first",
            eval_on_updated,
            "Training is right. In eval you normalize with running statistics that were updated with this very batch. Should an evaluation leave any trace in them?",
        ),
        Wrong(
            "updates-in-eval-only",
            variant(updates=lambda training: not training),
            "`out` is right, but the running statistics move in eval and stand still in training. In which mode are they to learn from the batch?",
        ),
        Wrong(
            "training-uses-running",
            variant(uses_batch=lambda training: False),
            "Eval is right. In training you normalize with the running statistics that came in, so the batch itself is not normalized. "
            "Whose mean and variance does training use?",
        ),
        Wrong(
            "training-uses-updated-running",
            variant(with_updated=True),
            "Eval and the buffers are right. In training you normalize with the *updated* running statistics, a mixture of old and new. "
            "Whose mean and variance does training use?",
        ),
        Wrong(
            "flag-reversed",
            variant(uses_batch=lambda training: not training, updates=lambda training: not training),
            "Training and eval are exchanged: with `training=True` you use the running statistics, with False those of the batch. "
            "Which branch does your `if` lead to?",
        ),
        Wrong(
            "divided-by-variance",
            variant(divisor=lambda var, eps: var + eps),
            "You divide by the variance, without the root, so features that spread little are blown up and others squashed. "
            "What turns a variance into the width that x is measured in?",
        ),
        Wrong(
            "eval-divides-by-variance",
            eval_var_as_std,
            "Training is right. In eval you divide by `running_var` itself. What does the buffer hold, and what is divided by in training?",
        ),
        Wrong(
            "normalized-by-unbiased",
            variant(var_of=lambda x: x.var(axis=0, ddof=1)),
            "The running statistics are right. `out` is normalized with the unbiased variance (divided by N - 1), so its own spread comes out a little "
            "small. Which divisor makes the batch's variance exactly 1?",
        ),
        Wrong(
            "squares-summed",
            variant(var_of=lambda x: x.var(axis=0) * len(x)),
            "The running statistics are right. `out` is normalized with the *sum* of the squared deviations. By what is it divided to make a variance?",
        ),
        Wrong(
            "divisors-exchanged",
            variant(var_of=lambda x: x.var(axis=0, ddof=1), var_to_keep=lambda x: x.var(axis=0)),
            "The two variances are exchanged: the unbiased one normalizes the batch, the biased one is kept. "
            "Which of them describes this batch, and which estimates the spread of all data?",
        ),
        Wrong(
            "eps-outside-the-root",
            variant(divisor=lambda var, eps: np.sqrt(var) + eps),
            "Your eps stands outside the root, √var + eps. Where the variance is small that is another number. How far does the root sign reach?",
        ),
        Wrong(
            "eps-missing",
            variant(divisor=lambda var, eps: np.sqrt(var)),
            "`eps` is missing in the denominator. What comes out for a feature that is the same in all examples?",
        ),
        Wrong(
            "eval-without-eps",
            eval_without_eps,
            "Training is right. In eval `eps` is missing in the denominator. Should the two modes divide differently?",
        ),
        Wrong(
            "eval-without-scale-and-bias",
            eval_without_affine,
            "Training is right. In eval `gamma` and `beta` have no effect. Which parts of the formula depend on the mode?",
        ),
        Wrong(
            "eval-does-nothing",
            eval_changes_nothing,
            "Training is right. In eval you hand x back as it came, as dropout does. What do the next layers expect after training: "
            "raw numbers or normalized ones?",
        ),
        Wrong(
            "eps-as-a-floor",
            variant(divisor=lambda var, eps: np.sqrt(np.maximum(var, eps))),
            "Your eps only acts where the variance is smaller: you take the larger of the two. What does the formula do with them?",
        ),
        Wrong(
            "examples-for-features",
            variant(
                mean_of=lambda x: x.mean(axis=1, keepdims=True),
                var_of=lambda x: x.var(axis=1, keepdims=True),
            ),
            "In training you normalize each example over its features: that is layer norm. "
            "Which numbers does batch norm compare: those of one row or of one column?",
        ),
        Wrong(
            "rows-everywhere",
            variant(
                mean_of=lambda x: x.mean(axis=1, keepdims=True),
                var_of=lambda x: x.var(axis=1, keepdims=True),
                mean_to_keep=lambda x: x.mean(axis=1, keepdims=True),
                var_to_keep=lambda x: x.var(axis=1, ddof=1, keepdims=True) if x.shape[1] > 1 else np.nan * x,
            ),
            "Mean and variance are taken over each row, so the running statistics come out one for each example and no longer (D,). "
            "Over which axis do the examples lie?",
        ),
        Wrong(
            "one-statistic-for-all",
            variant(
                mean_of=np.mean, var_of=np.var, mean_to_keep=np.mean, var_to_keep=lambda x: np.var(x, ddof=1),
            ),
            "Mean and variance are taken over the whole array, so features of different size keep their differences. "
            "How many means does an (N, D) batch have?",
        ),
        Wrong(
            "mean-not-subtracted",
            variant(center=lambda x, mean: x),
            "You divide by the spread without subtracting the mean first. What should the mean of x̂ be?",
        ),
        Wrong(
            "spread-about-zero",
            variant(var_of=lambda x: (x**2).mean(axis=0)),
            "The variance that you normalize with is the mean of x², which measures the spread about 0. About which number should it be measured?",
        ),
        Wrong(
            "statistics-of-x-hat",
            running_of_x_hat,
            "`out` is right, but the running statistics take in the mean and variance of x̂, which are nearly 0 and 1 for every batch. What does eval use them on: x or x̂?",
        ),
        Wrong(
            "statistics-of-the-output",
            running_of_the_output,
            "`out` is right, but the running statistics take in the mean and variance of `out`. What does eval use them on: x or out?",
        ),
        Wrong(
            "buffers-in-place",
            buffers_in_place,
            "The numbers are right, but the buffers that you were given were overwritten. Which statement writes into an array (`+=`, `*=`, `[...] =`), "
            "and which makes a new one?",
        ),
        Wrong(
            "input-in-place",
            input_in_place,
            "The numbers are right, but x itself was overwritten, and backpropagation still needs it. "
            "Which line writes into it, and what is the same line with a new array?",
        ),
        Wrong(
            "whole-running-var-corrected",
            running_var_corrected_whole,
            "`out` and `running_mean` are right. In `running_var`, N / (N - 1) multiplies the old value as well, not only the variance of the batch. Which of the two was divided by N?",
        ),
        Wrong(
            "momentum-reversed-for-the-variance",
            variant(mix_var=lambda old, new, m: m * old + (1 - m) * new),
            "`out` and `running_mean` are right. In `running_var`, `momentum` weighs the old value and not the new one. How did you mix the two for the mean?",
        ),
    ),
    hints=(
        "First decide which mean and variance normalize: the batch's in training, the running ones in eval. The formula behind that is one and the same.",
        "`x.mean(axis=0)` and `x.var(axis=0)` have shape (D,) and broadcast over the rows. Only what is kept in `running_var` uses `ddof=1`.",
        "In training `running_mean = (1 - momentum) * running_mean + momentum * mean`, and likewise the variance. At the end, in both modes, "
        "x minus the mean, divided by `np.sqrt(var + eps)`, times gamma, plus beta.",
    ),
    unlocks="Most forgotten `eval()` calls in the world come to light through this layer.",
)  # fmt: skip
