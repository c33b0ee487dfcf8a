"""Embedding beside PyTorch's, and dropout: what it drops, what it keeps, and that the gradient knows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import Tensor, nn, no_grad

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)

# ---- embedding


@pytest.mark.parametrize("padding", [None, 0, 3, -1], ids=str)
@pytest.mark.parametrize("shape", [(), (7,), (2, 3), (2, 3, 2), (0,), (4, 0)], ids=str)
def test_an_embedding_equals_pytorchs(shape, padding):
    rows = rng.integers(0, 5, shape)
    compare(
        lambda w: F.embedding(rows, w, padding_idx=padding),
        lambda t: TF.embedding(torch.tensor(rows), t, padding_idx=padding),
        rng.standard_normal((5, 3)), differences=padding is None,
    )  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 5), st.lists(st.integers(0, 4), max_size=3))
def test_an_embedding_of_any_shape_equals_pytorchs(V, E, shape):
    rows = rng.integers(0, V, shape)
    ours, theirs = lambda w: F.embedding(rows, w), lambda t: TF.embedding(torch.tensor(rows), t)
    compare(ours, theirs, rng.standard_normal((V, E)), differences=False)


@pytest.mark.parametrize(
    "rows", [[0, 2, 2], np.array([0, 2, 2], np.uint8), Tensor(np.array([0, 2, 2])), (0, 2, 2)], ids=type
)
def test_rows_may_be_a_list_an_array_or_a_tensor(rows):
    weight = rng.standard_normal((3, 2))
    np.testing.assert_array_equal(F.embedding(rows, weight).data, weight[[0, 2, 2]])


@pytest.mark.parametrize("padding", [None, 2], ids=str)
def test_the_layer_has_pytorchs_key_output_and_gradient(padding):
    ours, theirs = nn.Embedding(5, 3, padding, rng=rng), torch.nn.Embedding(5, 3, padding)
    if padding is not None:
        assert (ours.weight.data[padding] == 0).all()
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    rows = np.array([[1, 2], [2, 4]])
    out, expected = ours(rows), theirs(torch.tensor(rows))
    np.testing.assert_array_equal(out.data, expected.detach().numpy())
    grad = rng.standard_normal(out.shape).astype(np.float32)
    out.backward(grad)
    expected.backward(torch.tensor(grad))
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=1e-6)
    assert ours.weight.grad.dtype == np.float32
    assert repr(ours) == repr(theirs)


def test_starting_weights_are_standard_normal_and_follow_the_rng():
    weight = nn.Embedding(300, 100, rng=np.random.default_rng(1)).weight
    assert weight.dtype == np.float32
    assert weight.data.mean() == pytest.approx(0, abs=0.02)
    assert weight.data.std() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(weight.data, nn.Embedding(300, 100, rng=np.random.default_rng(1)).weight.data)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: F.embedding([1.0], np.ones((2, 3))), TypeError, r"integers, not float64; use \.astype\(int\)"),
        (lambda: F.embedding([True], np.ones((2, 3))), TypeError, "integers, not bool"),
        (lambda: F.embedding([0, 2], np.ones((2, 3))), ValueError, "row 2 .* the weight has 2 rows: 0 to 1"),
        (lambda: F.embedding([-1, 0], np.ones((2, 3))), ValueError, "row -1"),
        (lambda: F.embedding([0], np.ones(3)), ValueError, r"two axes, \(V, E\), not shape \(3,\)"),
        (lambda: F.embedding([0], np.ones((2, 3)), padding_idx=2), ValueError, "padding_idx=2 is no row"),
        (lambda: nn.Embedding(2, 3, padding_idx=-3), ValueError, "padding_idx=-3 is no row"),
    ],
)
def test_what_is_no_row_is_named(call, error, said):
    with pytest.raises(error, match=said):
        call()


# ---- dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_the_share_p_and_keeps_the_mean(p):
    out = F.dropout(np.ones((200, 300), np.float32), p, rng=np.random.default_rng(0)).data
    assert out.dtype == np.float32
    assert np.mean(out == 0) == pytest.approx(p, abs=0.01)
    assert out.mean() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(np.unique(out), [0, 1 / (1 - p)], rtol=1e-6)


def test_entries_are_dropped_one_by_one_not_in_rows_or_columns():
    kept = F.dropout(np.ones((100, 100)), rng=np.random.default_rng(0)).data > 0
    for share in (kept.mean(0), kept.mean(1)):
        assert share.std() == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0, 2)], ids=str)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_gradient_has_the_mask_of_the_output(p, shape):
    x = Tensor(np.ones(shape), requires_grad=True)
    out = F.dropout(x, p, rng=np.random.default_rng(3))
    out.backward(np.full(shape, 2.0))
    np.testing.assert_allclose(x.grad, 2 * out.data)
    compare(
        lambda x: F.dropout(x, p, rng=np.random.default_rng(3)),
        lambda t: t * torch.tensor(np.asarray(out.data)),
        rng.standard_normal(shape), differences=0 not in shape, float32=False,
    )  # fmt: skip


def test_float32_and_float64_drop_the_same_entries():
    outs = [F.dropout(np.ones(50, dtype), rng=np.random.default_rng(0)) for dtype in (np.float32, np.float64)]
    np.testing.assert_array_equal(outs[0].data, outs[1].data)
    assert [out.dtype for out in outs] == [np.float32, np.float64]


def test_at_the_ends_everything_or_nothing_is_dropped():
    x = rng.standard_normal(20)
    np.testing.assert_array_equal(F.dropout(x, 0.0).data, x)
    assert (F.dropout(x, 1.0).data == 0).all()


def test_in_evaluation_the_input_passes_as_it_is():
    x = Tensor(rng.standard_normal(20))
    assert F.dropout(x, 0.5, training=False) is x
    layer = nn.Dropout(0.9).eval()
    assert layer(x) is x
    with no_grad():
        assert (layer.train()(x).data == 0).any()


def test_the_layer_draws_anew_each_time_and_follows_its_rng():
    x = np.ones(100)
    layer, again = nn.Dropout(rng=np.random.default_rng(5)), nn.Dropout(rng=np.random.default_rng(5))
    first, second = layer(x).data, layer(x).data
    assert (first != second).any()
    np.testing.assert_array_equal(again(x).data, first)
    np.testing.assert_array_equal(copy.deepcopy(again)(x).data, second)
    assert (nn.Dropout()(x).data != nn.Dropout()(x).data).any()
    assert repr(layer) == "Dropout(p=0.5)"
    assert layer.state_dict() == {}


@pytest.mark.parametrize("make", [lambda p: F.dropout(np.ones(2), p), lambda p: nn.Dropout(p)], ids=["F", "nn"])
@pytest.mark.parametrize("p", [-0.1, 1.5, 30])
def test_a_p_outside_of_0_and_1_is_named(make, p):
    with pytest.raises(ValueError, match=rf"p={p} is no probability; it must lie in \[0, 1\]"):
        make(p)
