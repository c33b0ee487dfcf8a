"""Slopes of attention (as in Dao et al. 2022, appendix B.2): three matrix products back, and one softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.transformers.attending_answers import (
    hidden_by,
    masked_and_shared_out_again,
    naive,
    naive_with_holes,
    softmax,
    transposed,
    with_causal,
)
from dlcourse.checks.transformers.attending_back_answers import (
    attention_backward,
    attention_backward_from_the_output,
    attention_backward_query_by_query,
    by_one_minus,
    mask_after,
    mask_only_on_the_way_back,
    root,
    swapped,
    through_softmax,
    variant,
)
from dlcourse.checks.transformers.attending_inputs import some_mask, with_a_hidden_best
from dlcourse.drivers import Case

Array = NDArray[Any]


def backward_inputs(rng: np.random.Generator) -> list[Case]:
    def arrays(N: int, h: int, T: int, d: int, scale: float = 1.0) -> tuple[Array, ...]:
        return tuple(size * rng.normal(size=(N, h, T, d)) for size in (1.0, scale, scale, 1.0))

    empty = some_mask(rng, 2, 1, 4, 4)
    empty[0, 0, 1] = empty[1, 0, 0] = False
    cases = [
        Case(arrays(1, 1, 3, 2)),
        Case(arrays(2, 3, 4, 5)),
        Case((*arrays(2, 3, 5, 2), np.tri(5, dtype=bool))),
        Case((*arrays(3, 2, 4, 3), np.arange(4) < np.array([2, 4, 3]).reshape(3, 1, 1, 1))),
        Case((*arrays(2, 3, 5, 4), some_mask(rng, 2, 3, 5, 5))),
        Case((*arrays(3, 3, 3, 3), some_mask(rng, 3, 3))),
        Case((*arrays(3, 2, 4, 6), some_mask(rng, 4, 4))),
        Case((*arrays(2, 2, 4, 3), empty), "queries that may attend to nothing"),
        Case(arrays(2, 2, 4, 3, 40.0), "large scores"),
        Case(arrays(2, 2, 1, 3), "a single position"),
    ]
    large = arrays(2, 2, 4, 3, 30.0)
    return [*cases, Case((*large, with_a_hidden_best(large[1], large[2])), "large scores behind a mask")]


ATTENTION_BACKWARD = Exercise(
    id="transformers.attention_backward",
    kind="function",
    title="The slopes of attention",
    points=5,
    minutes=35,
    difficulty=3,
    function="attention_backward",
    reference=attention_backward,
    alternatives=(attention_backward_from_the_output, attention_backward_query_by_query),
    inputs=backward_inputs,
    returns=("dq", "dk", "dv"),
    blame=("dv", "dq", "dk"),
    forbid=("torch", "dlcourse.nn", "dlcourse.ops"),
    wrong=(
        # --- back through the softmax
        Wrong(
            "softmax-skipped",
            variant(back=lambda w, dw: dw),
            "`dv` is right. The slopes go past the softmax as if it were not there. How does one weight of a row change when the score of *another* key grows?",
        ),
        Wrong(
            "sum-missing",
            variant(back=lambda w, dw: w * dw),
            "`dv` is right. The softmax's way back is half done: weights times slopes. A higher score takes weight from all others in its row; which sum has to be subtracted for that?",
        ),
        Wrong(
            "diagonal-only",
            variant(back=by_one_minus),
            "`dv` is right. You use w(1 - w), as for a sigmoid: what a score does to its own weight. What does it do to the other weights of its row?",
        ),
        Wrong(
            "sum-not-weighted",
            variant(back=lambda w, dw: w * (dw - dw.sum(-1, keepdims=True))),
            "`dv` is right. In the softmax's way back you subtract the plain sum of a row's slopes. With which numbers are they weighted in that sum?",
        ),
        Wrong(
            "mean-in-place-of-the-sum",
            variant(back=lambda w, dw: w * (dw - dw.mean(-1, keepdims=True))),
            "`dv` is right. In the softmax's way back you subtract the plain mean of a row's slopes, as if all weights were 1/T. Which mean is it?",
        ),
        Wrong(
            "mean-of-the-weighted",
            variant(back=lambda w, dw: w * (dw - (w * dw).mean(-1, keepdims=True))),
            "`dv` is right. In the softmax's way back you take the mean of w · dw over a row. The weights sum to 1 already: what is to be done with the products?",
        ),
        Wrong(
            "sum-not-times-the-weight",
            variant(back=lambda w, dw: w * dw - (w * dw).sum(-1, keepdims=True)),
            "`dv` is right. In the softmax's way back, the sum is subtracted outside the bracket, so keys of no weight get slopes, too. What multiplies the whole difference?",
        ),
        Wrong(
            "bracket-alone",
            variant(back=lambda w, dw: dw - (w * dw).sum(-1, keepdims=True)),
            "`dv` is right. In the softmax's way back you have the bracket without the weight in front of it. What multiplies the difference?",
        ),
        Wrong(
            "sum-added",
            variant(back=lambda w, dw: w * (dw + (w * dw).sum(-1, keepdims=True))),
            "`dv` is right. In the softmax's way back the sum is *added*. Does a higher score give weight to the others of its row, or take it?",
        ),
        Wrong(
            "sum-over-queries",
            variant(back=lambda w, dw: w * (dw - (w * dw).sum(-2, keepdims=True))),
            "`dv` is right. In the softmax's way back you sum over axis -2, the queries. Along which axis did the softmax share out?",
        ),
        Wrong(
            "sum-over-both",
            variant(back=lambda w, dw: w * (dw - (w * dw).sum((-1, -2), keepdims=True))),
            "`dv` is right. In the softmax's way back you sum over queries and keys together. Over which axis does the softmax of one query go?",
        ),
        Wrong(
            "sum-over-everything",
            variant(back=lambda w, dw: w * (dw - (w * dw).sum())),
            "`dv` is right. In the softmax's way back you sum over all examples, heads, queries and keys at once. Over which axis does the softmax of one query go?",
        ),
        Wrong(
            "sums-as-columns",
            variant(back=lambda w, dw: w * (dw - (w * dw).sum(-1)[..., None, :])),
            "`dv` is right. In the softmax's way back, the sum of row t is subtracted from *column* t. Which axis has to stay, with length 1, when you sum?",
        ),
        Wrong(
            "softmax-over-queries",
            variant(weights_of=lambda s, m: softmax(s, -2), back=lambda w, dw: w * (dw - (w * dw).sum(-2, keepdims=True))),
            "Your slopes are those of an attention whose softmax goes over axis -2, the queries. Over which axis does exercise 1 share out?",
        ),
        Wrong(
            "softmax-of-the-slopes",
            variant(back=lambda w, dw: softmax(dw)),
            "`dv` is right. You take the softmax of the slopes. What you need is how the softmax *changes* with its scores: which formula did unit 02's cross-entropy hide from you?",
        ),
        Wrong(
            "sign-turned",
            variant(back=lambda w, dw: w * ((w * dw).sum(-1, keepdims=True) - dw)),
            "`dv` is right; `dq` and `dk` have the opposite sign. In the softmax's bracket, what is subtracted from what?",
        ),
        # --- the factor
        Wrong(
            "scale-missing",
            variant(scale=lambda q: (1.0, 1.0)),
            "`dv` is right; `dq` and `dk` are too large by √d. The scores were divided by it on the way there: what happens on the way back?",
        ),
        Wrong(
            "scale-missing-for-q",
            variant(scale=lambda q: (1.0, 1 / root(q))),
            "`dk` and `dv` are right; `dq` is too large by √d. What was the product of q and k divided by, and so the slope of either?",
        ),
        Wrong(
            "scale-missing-for-k",
            variant(scale=lambda q: (1 / root(q), 1.0)),
            "`dq` and `dv` are right; `dk` is too large by √d. What was the product of q and k divided by, and so the slope of either?",
        ),
        Wrong(
            "scaled-twice",
            variant(scale=lambda q: (root(q) ** -2, root(q) ** -2)),
            "`dv` is right; `dq` and `dk` are divided by d. How often did √d stand on the way there?",
        ),
        Wrong(
            "scaled-twice-for-k",
            variant(scale=lambda q: (1 / root(q), root(q) ** -2)),
            "`dq` and `dv` are right; `dk` is divided by d. If q was divided by √d beforehand, is the √d not in it already?",
        ),
        Wrong(
            "scaled-twice-for-q",
            variant(scale=lambda q: (root(q) ** -2, 1 / root(q))),
            "`dk` and `dv` are right; `dq` is divided by d. If k was divided by √d beforehand, is the √d not in it already?",
        ),
        Wrong(
            "scale-turned-round",
            variant(scale=lambda q: (root(q), root(q))),
            "`dv` is right; `dq` and `dk` are *multiplied* by √d. Where a number divides on the way there, what does it do on the way back?",
        ),
        Wrong(
            "no-scale-at-all",
            variant(divisor=lambda q: 1.0, scale=lambda q: (1.0, 1.0)),
            "Your slopes are those of an attention without √d, there and back. By what are its scores divided?",
        ),
        Wrong(
            "no-scale-on-the-way-there",
            variant(divisor=lambda q: 1.0),
            "When you make the weights again, √d is missing; on the way back it is there. By what are the scores divided before the softmax?",
        ),
        Wrong(
            "divided-by-d",
            variant(divisor=lambda q: q.shape[-1], scale=lambda q: (1 / q.shape[-1], 1 / q.shape[-1])),
            "Your slopes are those of an attention whose scores are divided by d. Which power of d does the formula name?",
        ),
        Wrong(
            "root-of-the-length",
            variant(divisor=lambda q: float(np.sqrt(q.shape[2])), scale=lambda q: (q.shape[2] ** -0.5, q.shape[2] ** -0.5)),
            "Your slopes are those of an attention whose scores are divided by √T, the root of the number of positions. Which axis of q is the one that the product sums over?",
        ),
        # --- the products
        Wrong(
            "dv-not-transposed",
            variant(dv=lambda w, dout, v: w @ dout),
            "`dq` and `dk` are right. For `dv` the weights are not transposed. Value s went to all queries t with weights[t, s]: over which of the two do you sum?",
        ),
        Wrong(
            "dv-from-the-slopes-of-scores",
            variant(dv=lambda w, dout, v: swapped(through_softmax(w, dout @ swapped(v))) @ dout),
            "`dq` and `dk` are right. For `dv` you multiply `dout` with the slopes of the scores. out = weights @ v: by what was v multiplied on the way there?",
        ),
        Wrong(
            "dv-is-dout",
            variant(dv=lambda w, dout, v: dout),
            "`dq` and `dk` are right. `dv` is `dout` as it came, as if each value went to the query of its own position alone. To which queries did a value go, and how much of it?",
        ),
        Wrong(
            "dv-of-the-output",
            variant(dv=lambda w, dout, v: swapped(w) @ (w @ v)),
            "`dq` and `dk` are right. `dv` is made from the output itself. What should the weights carry back to the values?",
        ),
        Wrong(
            "dk-not-transposed",
            variant(dk=lambda ds, q, k: ds @ q),
            "`dq` and `dv` are right. For `dk` the slopes of the scores are not transposed. Key s met all queries t in scores[t, s]: over which of the two do you sum?",
        ),
        Wrong(
            "dq-transposed",
            variant(dq=lambda ds, q, k: swapped(ds) @ k),
            "`dk` and `dv` are right. For `dq` the slopes of the scores are transposed. Query t met all keys s in scores[t, s]: over which of the two do you sum?",
        ),
        Wrong(
            "transposes-exchanged",
            variant(dq=lambda ds, q, k: swapped(ds) @ k, dk=lambda ds, q, k: ds @ q),
            "`dv` is right. For `dq` the slopes of the scores are transposed, for `dk` they are not. Which of the two has the axis of the keys first?",
        ),
        Wrong(
            "dq-from-q",
            variant(dq=lambda ds, q, k: ds @ q, dk=lambda ds, q, k: swapped(ds) @ k),
            "`dv` is right. You multiply the slopes of the scores by q for `dq`, and by k for `dk`. In a product of two, what is the slope with respect to the one?",
        ),
        Wrong(
            "dq-and-dk-exchanged",
            variant(handed=lambda dq, dk, dv: (dk, dq, dv)),
            "`dv` is right; `dq` and `dk` stand in each other's place. In which order does the task name them?",
        ),
        Wrong(
            "from-last-to-first",
            variant(handed=lambda dq, dk, dv: (dv, dk, dq)),
            "All three are right, in the order in which one finds them: dv, dk, dq. In which order does the task name them?",
        ),
        Wrong(
            "dv-first",
            variant(handed=lambda dq, dk, dv: (dv, dq, dk)),
            "All three are right, but dv stands first. In which order does the task name them?",
        ),
        Wrong(
            "one-array",
            variant(handed=lambda dq, dk, dv: np.concatenate([dq, dk, dv], axis=-1)),
            "You hand back one array with the three side by side. How many arrays does the task ask for?",
        ),
        Wrong(
            "values-not-transposed",
            variant(dweights=lambda dout, v: dout @ v),
            "The slopes of the weights are dout @ v: where T and d differ, the shapes do not even fit. Weight [t, s] multiplied value s on its way to query t: which axes of v should change places?",
        ),
        Wrong(
            "values-reshaped",
            variant(dweights=lambda dout, v: dout @ v.reshape(*v.shape[:2], v.shape[3], v.shape[2])),
            "`dv` is right. For the slopes of the weights, v is brought to (N, h, d, T) by `reshape`, which keeps the numbers in their order and tears values apart. What exchanges two axes?",
        ),
        Wrong(
            "dv-from-the-values",
            variant(dv=lambda w, dout, v: swapped(w) @ v),
            "`dq` and `dk` are right. For `dv` the weights carry back the values themselves. What should they carry back?",
        ),
        Wrong(
            "dv-scaled",
            variant(dv=lambda w, dout, v: swapped(w) @ dout / np.sqrt(v.shape[-1])),
            "`dq` and `dk` are right. `dv` is divided by √d. Did √d stand between the values and the output?",
        ),
        Wrong(
            "averaged",
            variant(handed=lambda dq, dk, dv: (dq / len(dq), dk / len(dk), dv / len(dv))),
            "Everything is divided by N. Would a mean over the examples not be in `dout` already?",
        ),
        Wrong(
            "of-a-sum",
            variant(dweights=lambda dout, v: np.ones_like(dout) @ swapped(v)),
            "`dv` is right. `dq` and `dk` are those of a loss that is the plain sum of the output: `dout` has no effect on them. With what should v be multiplied on the way to the weights?",
        ),
        # --- the mask
        Wrong(
            "mask-ignored",
            variant(before=lambda m, T: None),
            "The mask has no effect. The slopes are those of which weights, with the mask or without?",
        ),
        Wrong(
            "mask-inverted",
            variant(before=lambda m, T: m if m is None else ~np.asarray(m)),
            "The mask is taken the wrong way round. What does True mean in the course?",
        ),
        Wrong(
            "mask-transposed",
            variant(before=transposed),
            "The mask's last two axes are exchanged. In mask[…, t, s], which is the query?",
        ),
        Wrong(
            "mask-after-the-softmax",
            variant(hide=lambda s, m: s, weights_of=mask_after),
            "When you make the weights again, the mask comes after the softmax, so they do not sum to 1. Where did it stand on the way there?",
        ),
        Wrong(
            "shared-out-again",
            variant(hide=lambda s, m: s, weights_of=masked_and_shared_out_again(True)),
            "When you make the weights again, you mask them after the softmax and share out anew. If a hidden key has by far the largest score, the others have underflowed to 0 by then. What if the hidden ones never took part?",
        ),
        Wrong(
            "shared-out-again-with-nan",
            variant(hide=lambda s, m: s, weights_of=masked_and_shared_out_again(False)),
            "When you make the weights again, you mask them after the softmax and divide by what is left, which can be 0: in an empty row, or where a hidden key had by far the largest score. What if the hidden ones never took part?",
        ),
        Wrong(
            "mask-on-the-slopes-only",
            mask_only_on_the_way_back,
            "The weights are made without the mask, and the slopes of the scores are then masked. On which weights does the softmax's way back depend?",
        ),
        Wrong(
            "mask-as-zero",
            variant(hide=hidden_by(0.0)),
            "When you make the weights again, hidden scores become 0 and keep a share. Which score has a share of nothing?",
        ),
        Wrong(
            "causal-as-well",
            variant(before=with_causal),
            "Your weights are causal, whatever the mask says, or without one. Who decides here what is hidden?",
        ),
        Wrong(
            "empty-rows-nan",
            variant(weights_of=lambda s, m: softmax(s, empty="nan")),
            "Right wherever a query may look somewhere. Where it may attend to nothing, the softmax gives nan, and from there it spreads to all keys and values. What are the weights of such a row?",
        ),
        Wrong(
            "empty-rows-uniform",
            variant(hide=hidden_by(-1e9)),
            "Right wherever a query may look somewhere. Where it may attend to nothing, your weights are 1/T each, and values receive slopes from a query that never saw them. What are the weights of such a row?",
        ),
        Wrong(
            "overflow",
            variant(weights_of=naive),
            "Right on scores of ordinary size. With large ones the exponential overflows. What may you subtract from a row of scores without changing its softmax?",
        ),
        Wrong(
            "overflow-and-empty-rows",
            variant(weights_of=naive_with_holes),
            "Right on ordinary inputs. Large scores overflow, and where a query may attend to nothing you divide 0 by 0. What may you subtract from a row first, and what are the weights of an empty row?",
        ),
    ),
    hints=(
        "Make the weights again first. Then go back step by step: out = weights @ v; weights = softmax(scores); scores = q @ kᵀ / √d. Each product sends back two slopes.",
        "From out: dv = weightsᵀ @ dout and dweights = dout @ vᵀ. Through the softmax, row by row: dscores = w · (dweights - sum of w · dweights). Hidden keys have w = 0, and need nothing more.",
        "`dscores = weights * (dweights - (weights * dweights).sum(-1, keepdims=True)) / np.sqrt(d)`; then `dq = dscores @ k`, and `dk` is `dscores` with its last two axes exchanged, times q.",
    ),
    unlocks="No library has to do this for you any more: you know how attention learns where to look.",
)  # fmt: skip
