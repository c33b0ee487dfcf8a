"""What goes wrong with a block's stream and its norms: mistakes by name."""

from __future__ import annotations

import numpy as np

from dlcourse.checks.exercise import Wrong
from dlcourse.checks.transformers.block_answers import (
    layer_norm,
    norm_by,
    norm_over,
    variant,
)
from dlcourse.checks.transformers.block_wiring import (
    first_residual_of_the_normed,
    half_post_norm,
    input_twice,
    network_first,
    norm_at_the_end,
    norm_behind_the_branch,
    post_norm,
    residual_of_the_normed,
    second_branch_from_the_attention,
    second_branch_from_the_first_norm,
    second_from_the_start,
    second_residual_of_the_normed,
    side_by_side,
)

RESIDUAL_LEFT_OUT = (
    "Without the way around it, a branch has to carry everything that is to survive. To what is its result added?"
)

STREAM_MISTAKES: tuple[Wrong, ...] = (
    # --- the stream, the branches and the norms
    Wrong(
        "post-norm",
        variant(wired=post_norm),
        "You normalize *after* each sum, as in the paper of 2017: that is a post-norm block, and the stream itself is rescaled twice. Where do the norms stand in a pre-norm block?",
    ),
    Wrong(
        "half-post-norm",
        variant(wired=half_post_norm),
        "The first half is right. In the second, the norm stands after the sum. What does the small network read?",
    ),
    Wrong(
        "normed-again-at-the-end",
        variant(wired=norm_at_the_end),
        "The second norm is applied once more to the result. Only a network's last block has a norm behind it, and that is not part of the block: what is handed on?",
    ),
    Wrong(
        "residual-of-the-normed",
        variant(wired=residual_of_the_normed),
        "You add each branch to the *normalized* stream, as when the line `x = norm(x)` writes over x. What should be left untouched by the norm?",
    ),
    Wrong(
        "first-residual-of-the-normed",
        variant(wired=first_residual_of_the_normed),
        "The attention's result is added to the *normalized* stream, as when the line `x = norm_1(x)` writes over x. What should be left untouched by the norm?",
    ),
    Wrong(
        "second-residual-of-the-normed",
        variant(wired=second_residual_of_the_normed),
        "The small network's result is added to the *normalized* stream, as when the line `x = norm_2(x)` writes over x. What should be left untouched by the norm?",
    ),
    Wrong(
        "norm-behind-the-branch",
        variant(wired=norm_behind_the_branch),
        "The norms are applied to what the branches give, before it is added. What should be normalized: what a branch reads, or what it gives?",
    ),
    Wrong(
        "residuals-missing",
        variant(wired=lambda x, n1, attend, n2, think: think(n2(attend(n1(x))))),
        f"Nothing is added to x: both residual connections are missing. {RESIDUAL_LEFT_OUT}",
    ),
    Wrong(
        "first-residual-missing",
        variant(wired=lambda x, n1, attend, n2, think: (a := attend(n1(x))) + think(n2(a))),
        f"The residual connection around the attention is missing. {RESIDUAL_LEFT_OUT}",
    ),
    Wrong(
        "second-residual-missing",
        variant(wired=lambda x, n1, attend, n2, think: think(n2(x + attend(n1(x))))),
        f"The residual connection around the small network is missing. {RESIDUAL_LEFT_OUT}",
    ),
    Wrong(
        "second-residual-from-the-start",
        variant(wired=second_from_the_start),
        "The small network's result is added to the block's *input*, so what attention found reaches nobody but the network. Which x is the second sum's?",
    ),
    Wrong(
        "input-added-twice",
        variant(wired=input_twice),
        "The block's input is added a second time at the end. It is in the stream already: what is the second sum made of?",
    ),
    Wrong(
        "branches-side-by-side",
        variant(wired=side_by_side),
        "Both branches read the block's input (some large models do that). In this task, may the small network see what attention has found?",
    ),
    Wrong(
        "network-first",
        variant(wired=network_first),
        "The small network comes first and attention second. In which order does the task name them?",
    ),
    Wrong(
        "network-reads-the-branch-alone",
        variant(wired=second_branch_from_the_attention),
        "The small network reads the attention's result alone, without the stream that it was added to. What goes into the second norm?",
    ),
    Wrong(
        "network-reads-the-first-norm",
        variant(wired=second_branch_from_the_first_norm),
        "The small network reads what the first norm gave; `norm_2` has no effect. What goes into the second norm?",
    ),
    Wrong(
        "no-norms",
        variant(wired=lambda x, n1, attend, n2, think: (y := x + attend(x)) + think(y)),
        "Neither norm has an effect. What do the branches read?",
    ),
    Wrong(
        "first-norm-missing",
        variant(wired=lambda x, n1, attend, n2, think: (y := x + attend(x)) + think(n2(y))),
        "`norm_1` has no effect: attention reads the stream as it is. What should it read?",
    ),
    Wrong(
        "second-norm-missing",
        variant(wired=lambda x, n1, attend, n2, think: (y := x + attend(n1(x))) + think(y)),
        "`norm_2` has no effect: the small network reads the stream as it is. What should it read?",
    ),
    Wrong(
        "norms-exchanged",
        variant(names=("norm_2", "norm_1")),
        "The two norms are exchanged. Which of them stands before the attention?",
    ),
    Wrong(
        "first-norm-twice",
        variant(names=("norm_1", "norm_1")),
        "The weights of `norm_1` are used in both places. Which norm stands before the small network?",
    ),
    Wrong(
        "second-norm-twice",
        variant(names=("norm_2", "norm_2")),
        "The weights of `norm_2` are used in both places. Which norm stands before the attention?",
    ),
    # --- inside the norm
    Wrong(
        "normed-over-the-batch",
        variant(norm=norm_over(0)),
        "Mean and variance go over the *batch*, so an example's result depends on its company. Over which axis does a layer norm go?",
    ),
    Wrong(
        "normed-over-time",
        variant(norm=norm_over(1)),
        "Mean and variance go over *time*, so earlier positions learn of later ones in spite of the mask. Over which axis does a layer norm go?",
    ),
    Wrong(
        "normed-over-time-and-width",
        variant(norm=norm_over((1, 2))),
        "Mean and variance go over all positions together, so earlier ones learn of later ones in spite of the mask. Over which axis does a layer norm go?",
    ),
    Wrong(
        "normed-over-all",
        variant(norm=norm_over((0, 1, 2))),
        "Mean and variance go over the whole array, later positions and other examples included. Over which axis does a layer norm go?",
    ),
    Wrong(
        "normed-over-batch-and-time",
        variant(norm=norm_over((0, 1))),
        "Mean and variance go over examples and positions, as in batch norm. Over which axis does a layer norm go?",
    ),
    Wrong(
        "variance-by-e-minus-one",
        variant(norm=norm_by(lambda a: np.sqrt(a.var(-1, keepdims=True, ddof=1) + 1e-5))),
        "The variance is divided by E - 1, as `torch.std` does it by itself. By what does a layer norm divide?",
    ),
    Wrong(
        "epsilon-outside-the-root",
        variant(norm=norm_by(lambda a: a.std(-1, keepdims=True) + 1e-5)),
        "The 1e-5 is added to the standard deviation, outside of the root. To what is it added in the formula?",
    ),
    Wrong(
        "epsilon-missing",
        variant(norm=norm_by(lambda a: a.std(-1, keepdims=True))),
        "There is no 1e-5 in your norm; where a position's numbers hardly differ, that shows. To what is it added in the formula?",
    ),
    Wrong(
        "epsilon-too-small",
        variant(norm=norm_by(lambda a: np.sqrt(a.var(-1, keepdims=True) + 1e-8))),
        "Your epsilon is 1e-8, or nearly that small: where a position's numbers hardly differ, that shows. Which number does the task name?",
    ),
    Wrong(
        "epsilon-of-other-libraries",
        variant(norm=norm_by(lambda a: np.sqrt(a.var(-1, keepdims=True) + 1e-6))),
        "Your epsilon is 1e-6, as some libraries have it. Which number does the task name?",
    ),
    Wrong(
        "epsilon-too-large",
        variant(norm=norm_by(lambda a: np.sqrt(a.var(-1, keepdims=True) + 1e-3))),
        "Your epsilon is 1e-3, as Keras has it by itself. Which number does the task name?",
    ),
    Wrong(
        "division-missing",
        variant(norm=norm_by(lambda a: np.ones(1))),
        "Your norm subtracts the mean and divides by nothing. By what does a layer norm divide?",
    ),
    Wrong(
        "root-missing",
        variant(norm=norm_by(lambda a: a.var(-1, keepdims=True) + 1e-5)),
        "Your norm divides by the variance. What is its root called, and which of the two has the unit of x?",
    ),
    Wrong(
        "mean-not-subtracted",
        variant(norm=lambda a, w, b: a / np.sqrt((a**2).mean(-1, keepdims=True) + 1e-5) * w + b),
        "Your norm divides by the root of the mean square and leaves the mean where it is: that is RMSNorm. What does a layer norm do first?",
    ),
    Wrong(
        "norm-bias-missing",
        variant(norm=lambda a, w, b: (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) * w),
        "The biases of the norms have no effect. What happens behind the division?",
    ),
    Wrong(
        "norm-bias-before-the-weight",
        variant(norm=lambda a, w, b: (layer_norm(a, 1.0, 0.0) + b) * w),
        "In your norms the bias is added first, and then multiplied by the weight with the rest. In which order does the task name the two?",
    ),
    Wrong(
        "norm-weights-missing",
        variant(norm=lambda a, w, b: (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5)),
        "Weights and biases of the norms have no effect. What happens behind the division?",
    ),
)  # fmt: skip
