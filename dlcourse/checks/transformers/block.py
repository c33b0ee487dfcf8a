"""A block of a Transformer: attention and a small network, each behind a layer norm, each added to what came in.

Pre-norm as in Xiong et al. 2020; names and shapes of the weights are those of :class:`dlcourse.models.gpt.Block`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.transformers.block_answers import (
    attended,
    cut_by_heads_first,
    cut_by_reshape,
    cut_every_hth,
    cut_every_third,
    cut_in_one,
    cut_with_width_for_heads,
    gelu,
    gelu_by_tanh,
    pre_norm_block,
    pre_norm_block_head_by_head,
    pre_norm_block_in_pytorch,
    relu_first,
    softmax,
    thought,
    variant,
)
from dlcourse.checks.transformers.block_stream import STREAM_MISTAKES
from dlcourse.drivers import Case

Array = NDArray[Any]

SHAPES = {
    "norm_1.weight": (1,),
    "norm_1.bias": (1,),
    "attention.qkv.weight": (3, 1),
    "attention.qkv.bias": (3,),
    "attention.out.weight": (1, 1),
    "attention.out.bias": (1,),
    "norm_2.weight": (1,),
    "norm_2.bias": (1,),
    "mlp.0.weight": (4, 1),
    "mlp.0.bias": (4,),
    "mlp.2.weight": (1, 4),
    "mlp.2.bias": (1,),
}  # in units of E


def weights(E: int, rng: np.random.Generator) -> dict[str, Array]:
    """Weights of a block of width E, none of them 0 or 1, so that each of them shows."""
    p = {}
    for name, factors in SHAPES.items():
        shape = tuple(E * factor for factor in factors)
        spread = 0.5 if len(shape) == 1 else 1 / np.sqrt(shape[1])
        p[name] = spread * rng.normal(size=shape) + (1 if name.startswith("norm") and "weight" in name else 0)
    return p


def block_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, T: int, E: int, heads: int, label: str = "", scale: float = 1.0, sharp: float = 1.0) -> Case:
        x, p = scale * rng.normal(size=(N, T, E)), weights(E, rng)
        p["attention.qkv.weight"] *= sharp
        return Case((x, p, heads), label)

    return [
        case(1, 2, 4, 2),
        case(2, 5, 6, 3),
        case(3, 4, 8, 2),
        case(4, 4, 16, 4),
        case(2, 3, 4, 1, "a single head"),
        case(2, 1, 6, 2, "a single position"),
        case(1, 4, 6, 2, "a batch of one"),
        case(2, 4, 6, 2, "inputs that are nearly 0", scale=0.003),
        case(2, 4, 6, 2, "large scores", sharp=40.0),
    ]


PRE_NORM_BLOCK = Exercise(
    id="transformers.pre_norm_block",
    kind="function",
    title="A block",
    points=5,
    minutes=35,
    difficulty=3,
    function="pre_norm_block",
    reference=pre_norm_block,
    alternatives=(pre_norm_block_head_by_head, pre_norm_block_in_pytorch),
    inputs=block_inputs,
    forbid=("TransformerEncoderLayer", "MultiheadAttention", "dlcourse.models"),
    wrong=(
        *STREAM_MISTAKES,
        # --- inside the attention
        Wrong(
            "not-causal",
            variant(attend=attended(mask=lambda T: np.ones((T, T), dtype=bool))),
            "Your positions look at later ones, too. Which mask does a block that writes text need?",
        ),
        Wrong(
            "looks-ahead-only",
            variant(attend=attended(mask=lambda T: np.triu(np.ones((T, T), dtype=bool)))),
            "Your positions look at themselves and at *later* ones: the mask is transposed. Where do the rows of the triangle grow longer?",
        ),
        Wrong(
            "mask-inverted",
            variant(attend=attended(mask=lambda T: np.triu(np.ones((T, T), dtype=bool), k=1))),
            "Your positions look only where they must not, at later ones. What does True mean in your mask, and what in your attention?",
        ),
        Wrong(
            "mask-one-too-far",
            variant(attend=attended(mask=lambda T: np.tri(T, k=1, dtype=bool))),
            "Each position sees one position too many, the next one. Where does the triangle end?",
        ),
        Wrong(
            "mask-strict",
            variant(attend=attended(mask=lambda T: np.tri(T, k=-1, dtype=bool))),
            "No position sees itself, and the first sees nothing at all: the mask is too strict. Is a position's own vector part of the future?",
        ),
        Wrong(
            "hidden-by-0",
            variant(attend=attended(hidden=0.0)),
            "The scores of later positions are set to 0, and e⁰ is no small weight. Which score has a weight of 0?",
        ),
        Wrong(
            "hidden-behind-the-softmax",
            variant(attend=attended(struck=lambda T: np.tri(T))),
            "Later positions take part in the softmax and lose their weights only afterwards, so the others no longer sum to 1. When must they be hidden?",
        ),
        Wrong(
            "overflow",
            variant(attend=attended(shared=lambda s: np.exp(s) / np.exp(s).sum(-1, keepdims=True))),
            "Right on scores of ordinary size. With large ones the exponential overflows. What may you subtract from a row of scores without changing its softmax?",
        ),
        Wrong(
            "scale-missing",
            variant(attend=attended(divisor=lambda d, E, T: 1.0)),
            "The scores are not divided by √d. By what does attention divide them?",
        ),
        Wrong(
            "root-of-the-whole-width",
            variant(attend=attended(divisor=lambda d, E, T: float(np.sqrt(E)))),
            "The scores are divided by √E. Of how many products is the score of *one head* the sum?",
        ),
        Wrong(
            "divided-by-d",
            variant(attend=attended(divisor=lambda d, E, T: d)),
            "The scores are divided by d. Which power of d does the formula name?",
        ),
        Wrong(
            "softmax-over-queries",
            variant(attend=attended(shared=lambda s: softmax(s, -2))),
            "The softmax goes over the queries. Over which axis do the candidates of one query lie?",
        ),
        Wrong(
            "order-kqv",
            variant(attend=attended(order="kqv")),
            "You take the first third of `qkv` for the keys and the second for the queries. In which order does the task name them?",
        ),
        Wrong(
            "order-vkq",
            variant(attend=attended(order="vkq")),
            "You take the thirds of `qkv` for values, keys and queries. In which order does the task name them?",
        ),
        Wrong(
            "order-qvk",
            variant(attend=attended(order="qvk")),
            "You take the second third of `qkv` for the values and the last for the keys. In which order does the task name them?",
        ),
        Wrong(
            "order-kvq",
            variant(attend=attended(order="kvq")),
            "You take the thirds of `qkv` for keys, values and queries. In which order does the task name them?",
        ),
        Wrong(
            "order-vqk",
            variant(attend=attended(order="vqk")),
            "You take the thirds of `qkv` for values, queries and keys. In which order does the task name them?",
        ),
        Wrong(
            "cut-head-by-head",
            variant(attend=attended(cut=cut_by_heads_first)),
            "You cut `qkv` into heads first and each head into q, k and v. In which order do the rows of `attention.qkv.weight` stand by the task?",
        ),
        Wrong(
            "every-third",
            variant(attend=attended(cut=cut_every_third)),
            "You deal the columns of `qkv` out in turn, one to q, one to k, one to v. Where do the E columns of q stand?",
        ),
        Wrong(
            "heads-reshaped",
            variant(attend=attended(cut=cut_by_reshape)),
            "Your heads are made by `reshape` alone, which mixes positions and heads. Which two axes have to change places after the cut?",
        ),
        Wrong(
            "every-hth-number",
            variant(attend=attended(cut=cut_every_hth)),
            "Head i takes every h-th number. Which numbers belong to head 0?",
        ),
        Wrong(
            "one-head",
            variant(attend=attended(cut=cut_in_one)),
            "`heads` has no effect: you have one head of width E. What does the number of heads change?",
        ),
        Wrong(
            "width-for-heads",
            variant(attend=attended(cut=cut_with_width_for_heads)),
            "You make heads of width h, and E / h of them. Which of the two is `heads`?",
        ),
        Wrong(
            "merged-by-reshape",
            variant(attend=attended(joined=lambda a: a.reshape(len(a), a.shape[2], -1))),
            "Your heads are put together by `reshape` alone, which joins positions of one head. Which two axes have to change places first?",
        ),
        Wrong(
            "out-missing",
            variant(attend=attended(out=lambda a, p: a)),
            "`attention.out` has no effect. What mixes the findings of the heads before they are added to the stream?",
        ),
        Wrong(
            "out-not-transposed",
            variant(attend=attended(out=lambda a, p: a @ p["attention.out.weight"] + p["attention.out.bias"])),
            "`attention.out.weight` is not transposed; it is square, so the shapes fit either way. Which product did you choose for the other weights?",
        ),
        Wrong(
            "out-bias-missing",
            variant(attend=attended(out=lambda a, p: a @ p["attention.out.weight"].T)),
            "`attention.out.bias` has no effect. What does a linear layer add?",
        ),
        Wrong(
            "qkv-bias-missing",
            variant(attend=attended(qkv_bias=0.0)),
            "`attention.qkv.bias` has no effect. What does a linear layer add?",
        ),
        Wrong(
            "linear-biases-missing",
            variant(attend=attended(qkv_bias=0.0, out=lambda a, p: a @ p['attention.out.weight'].T), think=thought(bias=(0.0, 0.0))),
            "The biases of all four linear layers have no effect. What does a linear layer add?",
        ),
        Wrong(
            "biases-of-attention-missing",
            variant(attend=attended(qkv_bias=0.0, out=lambda a, p: a @ p['attention.out.weight'].T)),
            "Both biases of the attention have no effect. What does a linear layer add?",
        ),
        # --- inside the small network
        Wrong(
            "relu-missing",
            variant(think=thought(act=lambda h: h)),
            "The small network has no ReLU, so its two layers are one. Where does it stand?",
        ),
        Wrong(
            "relu-first",
            variant(think=relu_first),
            "The ReLU stands before the first layer of the small network. Between which layers does it belong?",
        ),
        Wrong(
            "relu-at-the-end-too",
            variant(think=thought(end=lambda y: np.maximum(y, 0))),
            "There is a ReLU behind the second layer, too, so that nothing can ever be taken away from the stream. Between which layers does the only one stand?",
        ),
        Wrong(
            "relu-at-the-end-only",
            variant(think=thought(act=lambda h: h, end=lambda y: np.maximum(y, 0))),
            "The ReLU stands behind the second layer. Between which layers does it belong?",
        ),
        Wrong(
            "gelu",
            variant(think=thought(act=gelu)),
            "The small network has GELU, as BERT does. Which nonlinearity does the task name?",
        ),
        Wrong(
            "gelu-by-tanh",
            variant(think=thought(act=gelu_by_tanh)),
            "The small network has GELU (by its approximation with tanh), as the first GPTs do. Which nonlinearity does the task name?",
        ),
        Wrong(
            "tanh",
            variant(think=thought(act=np.tanh)),
            "The small network has tanh. Which nonlinearity does the task name?",
        ),
        Wrong(
            "biases-of-the-network-missing",
            variant(think=thought(bias=(0.0, 0.0))),
            "The biases of the small network have no effect. What does a linear layer add?",
        ),
        Wrong(
            "first-bias-of-the-network-missing",
            variant(think=thought(bias=(0.0, 1.0))),
            "`mlp.0.bias` has no effect. What does a linear layer add?",
        ),
        Wrong(
            "last-bias-of-the-network-missing",
            variant(think=thought(bias=(1.0, 0.0))),
            "`mlp.2.bias` has no effect. What does a linear layer add?",
        ),
        Wrong(
            "network-missing",
            variant(wired=lambda x, n1, attend, n2, think: x + attend(n1(x))),
            "Only the first half is there: x plus attention. What comes after it?",
        ),
        Wrong(
            "attention-missing",
            variant(wired=lambda x, n1, attend, n2, think: x + think(n2(x))),
            "Only the second half is there: x plus the small network. What comes before it?",
        ),
    ),
    hints=(
        "Two lines say it all: `x = x + attend(norm_1(x))`, then `x = x + think(norm_2(x))`. Write the helpers one by one; the functions of exercises 1, 2, 5 and 6 of this notebook may be used.",
        "A linear layer is `a @ W.T + b`. Attention: one layer gives (N, T, 3E), three thirds along the last axis, each cut into heads; look, causally; put together; the layer `out`. Network: layer `mlp.0`, ReLU, layer `mlp.2`.",
        "`q, k, v = (split_heads(a, heads) for a in np.split(qkv, 3, axis=-1))`, then `merge_heads(attention(q, k, v, causal_mask(T))[0])` through `attention.out`. The norm: minus mean, divided by `np.sqrt(var + 1e-5)`, both over the last axis with `keepdims=True`, times weight plus bias.",
    ),
    unlocks="Stack it, put an embedding before and a linear layer behind it, and you have a GPT.",
)  # fmt: skip
