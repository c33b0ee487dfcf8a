"""Attention and multi-head attention beside PyTorch's, with masks of every kind."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from beside_torch import compare, stays_float32
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import Tensor, nn

F = nn.functional
TF = torch.nn.functional
attention = F.scaled_dot_product_attention
rng = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def some(*shape: int) -> np.ndarray:
    """A boolean mask without a row of False."""
    mask = rng.random(shape) < 0.6
    mask[..., 0] = True
    return mask


def floats(*shape: int) -> np.ndarray:
    return np.where(some(*shape), draw(*shape), -math.inf)


# ---- scaled dot-product attention

QKV = {
    "2-D": [(4, 3), (5, 3), (5, 2)],
    "3-D": [(2, 4, 3), (2, 5, 3), (2, 5, 3)],
    "heads": [(2, 3, 4, 3), (2, 3, 5, 3), (2, 3, 5, 6)],
    "one query": [(2, 3, 1, 3), (2, 3, 5, 3), (2, 3, 5, 3)],
    "one key": [(2, 3, 4, 3), (2, 3, 1, 3), (2, 3, 1, 3)],
    "width 1": [(2, 4, 1), (2, 5, 1), (2, 5, 1)],
    "shared keys": [(2, 3, 4, 3), (1, 1, 5, 3), (1, 1, 5, 3)],
    "values of more": [(4, 3), (5, 3), (2, 5, 3)],
}
MASKS = {
    "no mask": lambda lead, T, S: None,
    "boolean": lambda lead, T, S: some(T, S),
    "boolean, all heads": lambda lead, T, S: some(*lead, T, S),
    "boolean, keys": lambda lead, T, S: some(*lead, 1, S),
    "floats": lambda lead, T, S: floats(T, S),
    "floats, all heads": lambda lead, T, S: floats(*lead, T, S),
}


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}], ids=str)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shapes", QKV)
def test_attention_equals_pytorchs(shapes, mask, options):
    q, k, v = [draw(*shape) for shape in QKV[shapes]]
    given_mask = MASKS[mask](q.shape[:-2], q.shape[-2], k.shape[-2])
    T, S = q.shape[-2], k.shape[-2]
    theirs = None if given_mask is None else torch.tensor(given_mask)
    peer_options = dict(options)
    if theirs is not None and peer_options.pop("is_causal", False):  # PyTorch takes one or the other
        causal = torch.tril(torch.ones(T, S)).bool()
        theirs = theirs & causal if theirs.dtype == torch.bool else theirs.masked_fill(~causal, -math.inf)
    compare(
        lambda q, k, v: attention(q, k, v, given_mask, **options),
        lambda q, k, v: TF.scaled_dot_product_attention(q, k, v, theirs, **peer_options),
        q, k, v, differences=mask == "no mask",
    )  # fmt: skip


def test_an_added_mask_that_learns_gets_pytorchs_gradient():
    arrays = [*[draw(*shape) for shape in QKV["heads"]], draw(3, 4, 5)]
    compare(attention, TF.scaled_dot_product_attention, *arrays)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 3), max_size=2), *[st.integers(1, 6)] * 4, st.booleans())
def test_attention_of_any_shape_equals_pytorchs(lead, T, S, d, e, causal):
    compare(
        lambda q, k, v: attention(q, k, v, is_causal=causal),
        lambda q, k, v: TF.scaled_dot_product_attention(q, k, v, is_causal=causal),
        draw(*lead, T, d), draw(*lead, S, d), draw(*lead, S, e), differences=False, rtol=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize("lead", [(0,), (0, 2), (2, 0)], ids=str)
def test_an_empty_batch_passes(lead):
    compare(
        attention, TF.scaled_dot_product_attention, draw(*lead, 4, 3), draw(*lead, 5, 3), draw(*lead, 5, 3),
        differences=False,
    )  # fmt: skip


@pytest.mark.parametrize("mask", [np.zeros((4, 5), bool), np.full((4, 5), -math.inf)], ids=["boolean", "floats"])
def test_a_query_that_may_attend_to_nobody_gets_zeros_and_a_zero_gradient(mask):
    mask[1] = mask.dtype == bool or 0.5
    tensors = [Tensor(draw(*shape), requires_grad=True) for shape in ((4, 3), (5, 3), (5, 2))]
    out = attention(*tensors, mask)
    out.backward(np.ones((4, 2)))
    assert (out.data[[0, 2, 3]] == 0).all()
    assert (out.data[1] != 0).all()
    assert (tensors[0].grad[[0, 2, 3]] == 0).all()
    assert all(np.isfinite(tensor.grad).all() for tensor in tensors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_of_any_size_give_finite_weights(dtype):
    q, k, v = [Tensor(x.astype(dtype), requires_grad=True) for x in (1e4 * draw(4, 3), draw(5, 3), draw(5, 3))]
    out = attention(q, k, v)
    out.backward(np.ones((4, 3)))
    expected = v.data[(q.data @ k.data.T).argmax(1)]
    np.testing.assert_allclose(out.data, expected, rtol=1e-4)
    assert all(np.isfinite(tensor.grad).all() for tensor in (q, k, v))


def test_the_future_does_not_leak_where_its_scores_are_large():
    q, k, v = np.ones((3, 2)), np.array([[1.0, 1], [1, 1], [9e3, 9e3]]), np.array([[1.0], [3], [9e9]])
    np.testing.assert_allclose(attention(q, k, v, is_causal=True).data[:2], [[1], [2]])


def test_a_float64_mask_leaves_float32_as_it_is():
    stays_float32(lambda q, k, v: attention(q, k, v, floats(4, 5)), draw(4, 3), draw(5, 3), draw(5, 3))


def test_heads_that_were_split_off_are_joined_without_a_copy():
    x = [Tensor(draw(2, 4, 6), requires_grad=True) for _ in range(3)]
    out = attention(*[part.reshape(2, 4, 3, 2).swapaxes(1, 2) for part in x])
    assert np.shares_memory(out.data, out.swapaxes(1, 2).reshape(2, 4, 6).data)


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_dropout_drops_weights_and_its_gradient_knows_which(p):
    def ours(q, k, v, of=attention):
        return of(q, k, v, is_causal=True, dropout_p=p, rng=np.random.default_rng(0))

    q, k, v = draw(2, 4, 3), draw(2, 4, 3), draw(2, 4, 3)
    weights = ours(q, k, np.eye(4)).data
    full = attention(q, k, np.eye(4), is_causal=True).data
    kept = weights != 0
    np.testing.assert_allclose(weights[kept], full[kept] / (1 - p if p < 1 else 1))
    assert kept.sum() < (full != 0).sum()

    def theirs(q, k, v):
        scores = (q @ k.swapaxes(-1, -2) / math.sqrt(3)).masked_fill(torch.ones(4, 4).triu(1).bool(), -math.inf)
        return scores.softmax(-1) * torch.tensor(kept / (1 - p if p < 1 else 1)) @ v

    compare(ours, theirs, q, k, v)


def test_dropout_keeps_the_mean_and_is_another_each_time():
    ones = np.ones((1, 400, 4))
    outs = [attention(ones, ones, ones, dropout_p=0.25).data for _ in range(2)]
    assert outs[0].mean() == pytest.approx(1, abs=0.01)
    assert (outs[0] != outs[1]).any()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: attention(draw(4, 3), draw(5, 2), draw(5, 2)), ValueError, r"\(4, 3\).*\(5, 2\).*\(\.\.\., T, d\)"),
        (lambda: attention(draw(4, 3), draw(5, 3), draw(6, 3)), ValueError, r"\(5, 3\).*\(6, 3\)"),
        (lambda: attention(draw(3), draw(5, 3), draw(5, 3)), ValueError, r"query of shape \(3,\)"),
        (lambda: attention(draw(2, 4, 3), draw(3, 5, 3), draw(3, 5, 3)), ValueError, r"\(2, 4, 3\).*\(3, 5, 3\)"),
        (lambda: attention(draw(4, 3), draw(5, 3), draw(5, 3), some(5, 4)), ValueError, r"mask of shape \(5, 4\).*4, 5\)"),
        (lambda: attention(draw(4, 3), draw(5, 3), draw(5, 3), np.ones((4, 5), int)), TypeError, "booleans.*int64"),
        (lambda: attention(draw(4, 3), draw(5, 3), draw(5, 3), dropout_p=2), ValueError, "dropout_p=2"),
        (lambda: attention(draw(2, 4, 3), draw(2, 5, 3), draw(2, 5, 3), some(3, 4, 5)), ValueError, r"\(3, 4, 5\)"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_named(call, error, said):
    with pytest.raises(error, match=said):
        call()


# ---- MultiheadAttention

E, H, N, T, S = 6, 3, 2, 4, 5


def twins(**options) -> tuple[nn.MultiheadAttention, torch.nn.MultiheadAttention]:
    ours, theirs = nn.MultiheadAttention(E, H, **options), torch.nn.MultiheadAttention(E, H, **options).double()
    with torch.no_grad():
        for parameter in theirs.parameters():  # biases off 0
            parameter += 0.3 * torch.tensor(draw(*parameter.shape))
    for parameter in ours.parameters():
        parameter.data = parameter.data.astype(np.float64)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def side_by_side(ours, theirs, arrays, same: bool = False, **options) -> None:
    """Output, weights, gradients of inputs and of parameters; a gradient arrives through the weights too."""
    x = [Tensor(a, requires_grad=True) for a in arrays]
    t = [torch.tensor(a, requires_grad=True) for a in arrays]
    peer_options = {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}
    out, weights = ours(*(x * 3 if same else x), **options)
    expected, peer_weights = theirs(*(t * 3 if same else t), **peer_options)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    a = draw(*out.shape)
    loss, peer_loss = (out * a).sum(), (expected * torch.tensor(a)).sum()
    if peer_weights is None:
        assert weights is None
    else:
        np.testing.assert_allclose(weights.data, peer_weights.detach().numpy(), rtol=1e-9, atol=1e-12)
        b = draw(*weights.shape)
        loss, peer_loss = loss + (weights * b).sum(), peer_loss + (peer_weights * torch.tensor(b)).sum()
    ours.zero_grad()
    theirs.zero_grad()
    loss.backward()
    peer_loss.backward()
    for mine, peer in zip(x, t, strict=True):
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=1e-9, atol=1e-12)
    for (name, mine), (peer_name, peer) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == peer_name
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=1e-9, atol=1e-12)


def inputs(batch_first: bool, S: int = S) -> list[np.ndarray]:
    return [draw(N, L, E) if batch_first else draw(L, N, E) for L in (T, S, S)]


def keys_hidden(S: int) -> np.ndarray:
    hidden = np.zeros((N, S), bool)
    hidden[0, -1] = hidden[1, 1] = True
    return hidden


FORBID = {
    "no mask": lambda T, S: {},
    "boolean": lambda T, S: {"attn_mask": ~some(T, S)},
    "boolean, 3-D": lambda T, S: {"attn_mask": ~some(N * H, T, S)},
    "floats": lambda T, S: {"attn_mask": floats(T, S)},
    "floats, 3-D": lambda T, S: {"attn_mask": floats(N * H, T, S)},
    "padding": lambda T, S: {"key_padding_mask": keys_hidden(S)},
    "padding, floats": lambda T, S: {"key_padding_mask": draw(N, S)},
    "padding and boolean": lambda T, S: {"key_padding_mask": keys_hidden(S), "attn_mask": ~some(T, S)},
    "padding and floats": lambda T, S: {
        "key_padding_mask": np.where(keys_hidden(S), -math.inf, 0),
        "attn_mask": draw(T, S),
    },
}


@pytest.mark.parametrize("weights", ["mean", "each", "none"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("mask", FORBID)
def test_cross_attention_equals_pytorchs(mask, batch_first, weights):
    ours, theirs = twins(batch_first=batch_first)
    chosen = {"need_weights": weights != "none", "average_attn_weights": weights != "each"}
    side_by_side(ours, theirs, inputs(batch_first), **FORBID[mask](T, S), **chosen)


@pytest.mark.parametrize("mask", FORBID)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("train", [False, True])
def test_self_attention_equals_pytorchs(train, bias, mask):
    ours, theirs = twins(bias=bias, batch_first=True)
    side_by_side(ours.train(train), theirs.train(train), inputs(True, T)[:1], same=True, **FORBID[mask](T, T))


@pytest.mark.parametrize("need_weights", [False, True])
def test_causal_self_attention_equals_pytorchs(need_weights):
    ours, theirs = twins()
    mask = np.triu(np.ones((T, T), bool), 1)
    options = {"attn_mask": mask, "is_causal": True, "need_weights": need_weights}
    side_by_side(ours, theirs, inputs(False, T)[:1], same=True, **options)
    x = inputs(False, T)[0]
    np.testing.assert_array_equal(ours(x, x, x, is_causal=True)[0].data, ours(x, x, x, attn_mask=mask)[0].data)


@pytest.mark.parametrize("options", [{}, {"need_weights": False}, {"average_attn_weights": False}], ids=str)
def test_a_single_example_needs_no_batch_axis(options):
    ours, theirs = twins()
    side_by_side(ours, theirs, [draw(T, E), draw(S, E), draw(S, E)], **options)
    hidden = np.array([False, True, False, False, True])
    side_by_side(ours, theirs, [draw(T, E), draw(S, E), draw(S, E)], key_padding_mask=hidden, **options)
    side_by_side(ours, theirs, [draw(T, E), draw(S, E), draw(S, E)], attn_mask=~some(H, T, S), **options)


def test_an_empty_batch_attends_to_nothing():
    ours, theirs = twins(batch_first=True)
    side_by_side(ours, theirs, [np.ones((0, T, E))] * 3)


def test_the_state_crosses_both_ways():
    ours, theirs = nn.MultiheadAttention(E, H), torch.nn.MultiheadAttention(E, H)
    state = ours.state_dict()
    assert {name: value.shape for name, value in state.items()} == {
        name: tuple(value.shape) for name, value in theirs.state_dict().items()
    }
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    x = draw(T, N, E).astype(np.float32)
    out, expected = ours(x, x, x)[0], theirs(*[torch.tensor(x)] * 3)[0]
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-4, atol=1e-6)
    assert out.dtype == np.float32


def test_starting_weights_are_drawn_like_pytorchs_and_follow_the_rng():
    ours, theirs = nn.MultiheadAttention(96, 4, rng=np.random.default_rng(0)), torch.nn.MultiheadAttention(96, 4)
    for (name, mine), (_, peer) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert mine.dtype == np.float32, name
        assert np.abs(mine.data).max() == pytest.approx(peer.abs().max().item(), rel=0.02), name
    again = nn.MultiheadAttention(96, 4, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(ours.out_proj.weight.data, again.out_proj.weight.data)


@pytest.mark.parametrize("need_weights", [False, True])
def test_dropout_acts_in_training_only_and_follows_the_rng(need_weights):
    def layer():
        return nn.MultiheadAttention(E, H, dropout=0.5, batch_first=True, rng=np.random.default_rng(0))

    x = draw(N, T, E).astype(np.float32)
    dropped, again = layer(), layer()
    out = dropped(x, x, x, need_weights=need_weights)[0].data
    np.testing.assert_array_equal(out, again(x, x, x, need_weights=need_weights)[0].data)
    assert (out != dropped(x, x, x, need_weights=need_weights)[0].data).any()
    calm = [dropped.eval()(x, x, x, need_weights=need_weights)[0].data for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert (calm[0] != out).any()


def test_the_weights_returned_in_training_are_those_after_dropout():
    layer = nn.MultiheadAttention(E, H, dropout=0.5, batch_first=True)
    x = draw(N, 20, E).astype(np.float32)
    weights = layer(x, x, x, average_attn_weights=False)[1].data
    assert np.mean(weights == 0) == pytest.approx(0.5, abs=0.1)


def test_who_may_attend_to_nobody_gets_the_bias_alone():
    layer = nn.MultiheadAttention(E, H, batch_first=True)
    layer.out_proj.bias.data[:] = 3
    x = draw(N, T, E).astype(np.float32)
    out, weights = layer(x, x, x, key_padding_mask=np.ones((N, T), bool))
    assert (out.data == 3).all()
    assert (weights.data == 0).all()


def test_the_two_boolean_masks_mean_the_opposite():
    x, may = draw(1, T, E), some(T, T)
    layer = twins(batch_first=True)[0]
    weights = layer(x, x, x, attn_mask=~may)[1].data[0]
    assert ((weights > 0) == may).all()
    assert ((attention(x, x, np.eye(T), may).data[0] > 0) == may).all()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: nn.MultiheadAttention(6, 4), ValueError, "num_heads=4 does not divide embed_dim=6"),
        (lambda: nn.MultiheadAttention(6, 3, dropout=2), ValueError, "dropout=2 is no probability"),
        (
            lambda: nn.MultiheadAttention(6, 3)(*[np.ones((4, 2, 5))] * 3),
            ValueError,
            r"\(4, 2, 5\).*\(T, N, E\).*E = 6",
        ),
        (lambda: nn.MultiheadAttention(6, 3)(*[np.ones(6)] * 3), ValueError, r"\(6,\)"),
        (
            lambda: nn.MultiheadAttention(6, 3)(np.ones((4, 2, 6)), np.ones((5, 2, 6)), np.ones((4, 2, 6))),
            ValueError,
            r"\(4, 2, 6\), \(5, 2, 6\) and \(4, 2, 6\) do not fit",
        ),
        (
            lambda: nn.MultiheadAttention(6, 3, batch_first=True)(np.ones((4, 2, 6)), *[np.ones((5, 2, 6))] * 2),
            ValueError,
            r"\(4, 2, 6\), \(5, 2, 6\).*\(N, T, E\)",
        ),
        (
            lambda: nn.MultiheadAttention(6, 3)(*[np.ones((4, 2, 6))] * 3, attn_mask=np.ones((4, 5), bool)),
            ValueError,
            r"attn_mask has shape \(4, 5\); it must be one of \[\(4, 4\), \(6, 4, 4\)\]",
        ),
        (
            lambda: nn.MultiheadAttention(6, 3)(*[np.ones((4, 2, 6))] * 3, key_padding_mask=np.ones((4, 2), bool)),
            ValueError,
            r"key_padding_mask has shape \(4, 2\); it must be one of \[\(2, 4\)",
        ),
        (
            lambda: nn.MultiheadAttention(6, 3)(*[np.ones((4, 2, 6))] * 3, attn_mask=np.ones((4, 4), int)),
            TypeError,
            r"attn_mask holds booleans \(True = masked out\).*int64",
        ),
    ],
)
def test_what_does_not_fit_the_layer_is_named(call, error, said):
    with pytest.raises(error, match=said):
        call()
