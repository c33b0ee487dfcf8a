"""Scaled dot-product attention (Vaswani et al. 2017, eq. 1): a lookup that mixes what it finds."""

from __future__ import annotations

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.transformers.attending_answers import (
    all_axes_reversed,
    attention,
    attention_by_einsum,
    attention_query_by_query,
    attention_with_holes_filled,
    attention_with_reductions_over_a_part,
    causal_where_none_is_given,
    empty_rows_see_themselves,
    first_mask_for_all,
    hidden_by,
    itself_allowed,
    keys_reshaped,
    largest_but_not_below_zero,
    masked_afterwards,
    masked_and_shared_out_again,
    naive,
    naive_with_holes,
    of_unit_length,
    ones_added,
    products,
    rows_emptied,
    shares_without_exponential,
    sigmoids,
    softmax,
    transposed,
    variant,
    with_causal,
    zeros_hidden,
)
from dlcourse.checks.transformers.attending_inputs import attention_inputs

MASK_MEANS = "True means that the query may look there"

ATTENTION = Exercise(
    id="transformers.attention",
    kind="function",
    title="Attention",
    points=4,
    minutes=25,
    difficulty=2,
    function="attention",
    reference=attention,
    alternatives=(
        attention_with_holes_filled,
        attention_by_einsum,
        attention_query_by_query,
        attention_with_reductions_over_a_part,
    ),
    rtol=1e-7,  # a constant of 1e-6 in the softmax's denominator shows
    inputs=attention_inputs,
    returns=("out", "weights"),
    blame=("weights", "out"),
    forbid=("torch", "dlcourse.nn", "dlcourse.ops"),
    wrong=(
        # --- the divisor
        Wrong(
            "scale-missing",
            variant(divisor=lambda q: 1.0),
            "The scores are not divided by √d, so with wide heads the softmax picks one key and its slopes vanish. By what does the formula divide q · k?",
        ),
        Wrong(
            "divided-by-d",
            variant(divisor=lambda q: q.shape[-1]),
            "The scores are divided by d itself (or by √d twice, once in q and once in k). A sum of d products of random numbers grows with √d: by what should it be divided, and how often?",
        ),
        Wrong(
            "times-the-root",
            variant(divisor=lambda q: q.shape[-1] ** -0.5),
            "The scores are *multiplied* by √d. Should wide heads have larger scores or smaller ones?",
        ),
        Wrong(
            "fourth-root",
            variant(divisor=lambda q: q.shape[-1] ** 0.25),
            "The scores are divided by the fourth root of d, as if only one of q and k were scaled (or the root taken twice). Which power of d does the formula name?",
        ),
        Wrong(
            "root-of-the-whole-width",
            variant(divisor=lambda q: float(np.sqrt(q.shape[1] * q.shape[3]))),
            "The scores are divided by √(h·d), the width of all heads together. Of how many products is one score the sum?",
        ),
        Wrong(
            "root-of-the-length",
            variant(divisor=lambda q: float(np.sqrt(q.shape[2]))),
            "The scores are divided by √T, the root of the number of positions. Which axis of q is the one that the product sums over?",
        ),
        Wrong(
            "root-of-the-heads",
            variant(divisor=lambda q: float(np.sqrt(q.shape[1]))),
            "The scores are divided by the root of `q.shape[1]`, the number of heads. Which axis of q holds the d numbers of one head?",
        ),
        Wrong(
            "scaled-after-the-softmax",
            variant(divisor=lambda q: 1.0, handed=lambda out, w, s: (out, w), weights_of=lambda s, m: softmax(s), mix=lambda w, q, k, v: w @ v / np.sqrt(q.shape[-1])),
            "The softmax is taken of the unscaled scores, and the *output* is divided by √d. Which numbers does the formula divide, and before or after the softmax?",
        ),
        Wrong(
            "output-scaled-too",
            variant(mix=lambda w, q, k, v: w @ v / np.sqrt(q.shape[-1])),
            "`weights` is right. The output is divided by √d once more. What is `out`, if the weights of a query sum to 1?",
        ),
        # --- the scores
        Wrong(
            "keys-not-transposed",
            variant(scores=lambda q, k: q @ k),
            "The scores are q @ k: where T and d differ, the shapes do not even fit. A score is the product of a query's d numbers with a key's d numbers: which axes of k should change places?",
        ),
        Wrong(
            "keys-reshaped",
            variant(scores=keys_reshaped),
            "k is brought to (N, h, d, T) by `reshape`, which keeps the numbers in their order and tears keys apart. What exchanges two axes?",
        ),
        Wrong(
            "all-axes-reversed",
            variant(scores=all_axes_reversed),
            "`k.T` turns all four axes round, heads and examples among them. Which two should change places, and what does `swapaxes` do?",
        ),
        Wrong(
            "queries-and-keys-exchanged",
            variant(scores=lambda q, k: products(k, q)),
            "Queries and keys are exchanged: your row t holds what *key* t scores with all queries. In weights[n, h, t, s], which of t and s is the one that asks?",
        ),
        Wrong(
            "keys-with-keys",
            variant(scores=lambda q, k: products(k, k)),
            "The scores are products of keys with keys; q has no effect. Who asks whom?",
        ),
        Wrong(
            "queries-with-queries",
            variant(scores=lambda q, k: products(q, q)),
            "The scores are products of queries with queries; k has no effect. Who asks whom?",
        ),
        Wrong(
            "scores-with-values",
            variant(scores=lambda q, k: products(q, k), handed=lambda out, w, s: (out, w), mix=lambda w, q, k, v: softmax(products(q, v) / np.sqrt(q.shape[-1])) @ v),
            "`weights` is right, and the output is made with other ones, from products of queries with *values*. Which weights should mix the values?",
        ),
        Wrong(
            "cosine-scores",
            variant(scores=lambda q, k: products(of_unit_length(q), of_unit_length(k)), divisor=lambda q: 1.0),
            "Your scores are cosines: queries and keys are divided by their lengths. By what one number does the formula divide instead?",
        ),
        Wrong(
            "cosine-scores-scaled",
            variant(scores=lambda q, k: products(of_unit_length(q), of_unit_length(k))),
            "Queries and keys are divided by their lengths, and then by √d as well: no score can be far from 0. What does the formula leave out of the two?",
        ),
        Wrong(
            "entry-by-entry",
            variant(scores=lambda q, k: q * k, hide=lambda s, m: s, mix=lambda w, q, k, v: w * v),
            "q * k multiplies entry by entry, so each query meets only the key of its own position. How many scores has one query if there are T keys?",
        ),
        # --- the softmax
        Wrong(
            "softmax-over-queries",
            variant(weights_of=lambda s, m: softmax(s, -2)),
            "The weights of each *key* sum to 1, over the queries: the softmax goes along axis -2. Over which axis do the candidates of one query lie?",
        ),
        Wrong(
            "softmax-over-heads",
            variant(weights_of=lambda s, m: softmax(s, 1)),
            "The softmax goes along axis 1, so that the heads compete with each other. Over which axis do the candidates of one query lie?",
        ),
        Wrong(
            "softmax-over-the-batch",
            variant(weights_of=lambda s, m: softmax(s, 0)),
            "The softmax goes along axis 0, so that examples of a batch compete with each other. Over which axis do the candidates of one query lie?",
        ),
        Wrong(
            "softmax-over-both",
            variant(weights_of=lambda s, m: softmax(s, (-2, -1))),
            "All weights of a head *together* sum to 1. How much weight has each single query to give away?",
        ),
        Wrong(
            "softmax-missing",
            variant(hide=hidden_by(0.0), weights_of=lambda s, m: s),
            "The values are mixed with the scores themselves, masked ones as 0: weights of any sign and size. What turns T scores into shares?",
        ),
        Wrong(
            "exponential-missing",
            variant(hide=lambda s, m: s, weights_of=shares_without_exponential),
            "Each score is divided by the sum of its row, so weights can be negative. What does the softmax do to the scores before it shares out?",
        ),
        Wrong(
            "sigmoid-for-softmax",
            variant(weights_of=sigmoids),
            "Each weight is the sigmoid of its score, so a row need not sum to 1. What makes the keys compete?",
        ),
        Wrong(
            "softmax-twice",
            variant(weights_of=lambda s, m: softmax(softmax(s))),
            "The softmax is applied twice, which flattens the weights, hidden positions included. How often does the formula take it?",
        ),
        Wrong(
            "overflow",
            variant(weights_of=naive),
            "Right on scores of ordinary size. With large ones the exponential overflows and the weights become nan. What may you subtract from a row of scores without changing its softmax?",
        ),
        Wrong(
            "largest-not-below-zero",
            variant(weights_of=largest_but_not_below_zero),
            "You subtract the largest score of a row only where it is above 0. A row of very low scores then underflows to 0 as a whole, and comes out like an empty one. Which rows need something to be subtracted?",
        ),
        Wrong(
            "overflow-turned-to-zero",
            variant(weights_of=lambda s, m: np.nan_to_num(naive(s, m))),
            "Right on scores of ordinary size. With large ones the exponential overflows, inf by inf is nan, and you turn that nan into 0: the best key loses all its weight. What may you subtract from a row of scores without changing its softmax?",
        ),
        Wrong(
            "overflow-and-empty-rows",
            variant(weights_of=naive_with_holes),
            "Right on ordinary inputs. Large scores overflow, and where a query may attend to nothing you divide 0 by 0. What may you subtract from a row first, and what should an empty row give?",
        ),
        Wrong(
            "one-maximum-for-all",
            variant(weights_of=lambda s, m: softmax(s, -1, largest_of=(0, 1, 2, 3))),
            "Right on ordinary inputs. You subtract the largest score of *all* rows; with large scores, whole rows then underflow to 0. Whose largest score should a row lose?",
        ),
        Wrong(
            "one-maximum-for-all-with-nan",
            variant(weights_of=lambda s, m: softmax(s, -1, empty="nan", largest_of=(0, 1, 2, 3))),
            "Right on ordinary inputs. You subtract the largest score of *all* rows, so that with large scores whole rows underflow to 0, and you divide 0 by 0 there, as you do where a query may attend to nothing. Whose largest score should a row lose?",
        ),
        # --- the mask
        Wrong(
            "mask-ignored",
            variant(before=lambda m, T: None),
            "The mask has no effect. Where does it come in, before or after the softmax?",
        ),
        Wrong(
            "mask-inverted",
            variant(before=lambda m, T: m if m is None else ~np.asarray(m)),
            f"The mask is taken the wrong way round: your queries look only where they must not. {MASK_MEANS}; which scores should be hidden? (PyTorch's MultiheadAttention has the opposite rule.)",
        ),
        Wrong(
            "mask-transposed",
            variant(before=transposed),
            "The mask's last two axes are exchanged. In mask[…, t, s], t is the query and s the key: do your scores stand the same way?",
        ),
        Wrong(
            "mask-after-the-softmax",
            variant(hide=lambda s, m: s, weights_of=masked_afterwards),
            "The mask multiplies the weights *after* the softmax: hidden keys have taken their share already, and the rest sums to less than 1. Where must the mask come in so that the others share out everything?",
        ),
        Wrong(
            "shared-out-again",
            variant(hide=lambda s, m: s, weights_of=masked_and_shared_out_again(True)),
            "You mask the weights after the softmax and share out again. That is right until a hidden key has by far the largest score: then the others have underflowed to 0 and nothing is left to share. What if the hidden ones never took part?",
        ),
        Wrong(
            "shared-out-again-with-nan",
            variant(hide=lambda s, m: s, weights_of=masked_and_shared_out_again(False)),
            "You mask the weights after the softmax and divide by what is left, which can be 0: where a query may attend to nothing, or where a hidden key had by far the largest score. What if the hidden ones never took part?",
        ),
        Wrong(
            "mask-as-zero",
            variant(hide=hidden_by(0.0)),
            "A hidden score becomes 0 (or nearly: is it 1e-9 where -1e9 is meant?). But the exponential of 0 is 1, so hidden keys keep a share. Which score has a share of nothing?",
        ),
        Wrong(
            "zeros-hidden",
            variant(hide=zeros_hidden),
            "Right on most inputs. But you hide every score that is 0 after the mask, also where a query and a key that may meet are at right angles. What tells a hidden score from one that is 0?",
        ),
        Wrong(
            "mask-added",
            variant(hide=ones_added),
            "The mask is added to the scores: True counts as 1, and so hidden keys only lose a little. What must a score be so that its exponential is 0?",
        ),
        Wrong(
            "hidden-by-minus-one",
            variant(hide=hidden_by(-1.0)),
            "A hidden score becomes -1, and its exponential is still 0.37. Which score has a share of nothing?",
        ),
        Wrong(
            "hidden-by-minus-ten",
            variant(hide=hidden_by(-10.0)),
            "A hidden score becomes -10: a small share is left, and in a row of low scores more than that. Which score has a share of nothing, whatever the others are?",
        ),
        Wrong(
            "hidden-by-minus-hundred",
            variant(hide=hidden_by(-100.0)),
            "A hidden score becomes -100. That is enough on ordinary scores; large ones go below it, and a row without any key to look at comes out as a plain mean. Which score is below all others, and what does the task say of an empty row?",
        ),
        Wrong(
            "hidden-by-minus-ten-thousand",
            variant(hide=hidden_by(-1e4)),
            "A hidden score becomes -10,000. Scores may be that low themselves, and a row without any key to look at comes out as a plain mean. Which score is below all others, and what does the task say of an empty row?",
        ),
        Wrong(
            "hidden-by-minus-ten-thousand-but-for-empty-rows",
            variant(hide=hidden_by(-1e4), weights_of=rows_emptied),
            "A hidden score becomes -10,000. Scores may be that low themselves, and then hidden keys get a share. Which score is below all others?",
        ),
        Wrong(
            "hidden-by-plus",
            variant(hide=hidden_by(1e9)),
            "A hidden score becomes huge and *positive*, so it takes all of the weight. Which sign is missing?",
        ),
        Wrong(
            "hidden-by-plus-infinity",
            variant(hide=hidden_by(np.inf)),
            "A hidden score becomes plus infinity, and infinity minus infinity is nan. Which sign is missing?",
        ),
        Wrong(
            "empty-rows-nan",
            variant(weights_of=lambda s, m: softmax(s, empty="nan")),
            "Right wherever a query may look somewhere. Where it may attend to nothing, all scores are minus infinity, and the softmax gives nan. What should come out there by the task?",
        ),
        Wrong(
            "empty-rows-uniform",
            variant(hide=hidden_by(-1e9)),
            "Right wherever a query may look somewhere. Where it may attend to nothing, it looks at everything alike, as happens if all its scores are the same huge negative number. What should come out there by the task?",
        ),
        Wrong(
            "empty-rows-see-themselves",
            variant(before=empty_rows_see_themselves),
            "Right wherever a query may look somewhere. One that may attend to nothing looks at its own position in your answer. What should come out there by the task?",
        ),
        Wrong(
            "mask-of-the-first",
            variant(before=first_mask_for_all),
            "Right where one mask serves the whole batch. Where each example has a mask of its own, all get that of the first. On which axis of the mask do the examples lie?",
        ),
        Wrong(
            "itself-always-allowed",
            variant(before=itself_allowed),
            "In your answer each query may always look at its own position, also where the mask says False. Does a mask have to allow that?",
        ),
        Wrong(
            "causal-as-well",
            variant(before=with_causal),
            "Your queries never look at later positions, whatever the mask says, or without one. Who decides here what is hidden?",
        ),
        Wrong(
            "causal-by-default",
            variant(before=causal_where_none_is_given),
            "Right with a mask. Without one, your queries do not look at later positions. Which keys may a query see if `mask` is None?",
        ),
        # --- the mixture, and what is handed back
        Wrong(
            "mixed-along-the-queries",
            variant(mix=lambda w, q, k, v: w.swapaxes(-1, -2) @ v),
            "`weights` is right. For the output its last two axes are exchanged, so each value is mixed with the weights of a column. Which axis of the weights runs along the values?",
        ),
        Wrong(
            "mixed-without-the-mask",
            variant(mix=lambda w, q, k, v: softmax(products(q, k) / np.sqrt(q.shape[-1])) @ v),
            "`weights` is right. The output is mixed with others, made without the mask, so that hidden values come through. Which weights should mix the values?",
        ),
        Wrong(
            "keys-mixed",
            variant(mix=lambda w, q, k, v: w @ k),
            "`weights` is right, and the output is a mixture of the *keys*. What does a query take away from the positions it looks at?",
        ),
        Wrong(
            "queries-mixed",
            variant(mix=lambda w, q, k, v: w @ q),
            "`weights` is right, and the output is a mixture of the *queries*. What does a query take away from the positions it looks at?",
        ),
        Wrong(
            "query-added",
            variant(mix=lambda w, q, k, v: w @ v + q),
            "`weights` is right. The query is added to the output: a residual connection belongs to the block around attention. What alone is `out` made of?",
        ),
        Wrong(
            "best-key-only",
            variant(mix=lambda w, q, k, v: np.take_along_axis(v, w.argmax(-1)[..., None], axis=2)),
            "`weights` is right. The output is the value of the best key alone. What makes a lookup soft?",
        ),
        Wrong(
            "weights-first",
            variant(handed=lambda out, w, s: (w, out)),
            "Both results are right, but exchanged. In which order does the task name them?",
        ),
        Wrong(
            "scores-handed-back",
            variant(handed=lambda out, w, s: (out, s)),
            "`out` is right. In place of the weights you hand back the scaled, masked scores. What has been done to the scores before they mix the values?",
        ),
        Wrong(
            "out-alone",
            variant(handed=lambda out, w, s: out),
            "You hand back `out` alone. Which second result does the task ask for?",
        ),
        Wrong(
            "heads-merged",
            variant(handed=lambda out, w, s: (out.swapaxes(1, 2).reshape(len(out), out.shape[2], -1), w)),
            "`weights` is right. The output's heads are merged already, (N, T, E). In which shape does the task ask for it?",
        ),
    ),
    hints=(
        "Four lines: scores, mask, softmax along the last axis, mixture. Write the shape behind each of them.",
        "The scores are q times k with k's last two axes exchanged, (N, h, T, T). Hidden ones become minus infinity before the softmax. A row that is hidden altogether has no largest score to subtract: take 0 there, and divide its zeros by 1.",
        "`scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])`, then `np.where(mask, scores, -np.inf)` if there is a mask. With `m` the largest of each row (0 where it is not finite): `powers = np.exp(scores - m)`, divided by their sum, or by 1 where that is 0.",
    ),
    unlocks="One lookup that is soft enough to be learned: everything else in this unit is built around it.",
)  # fmt: skip
