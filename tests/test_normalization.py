"""Batch norm and layer norm beside PyTorch's: values, gradients, running statistics, and what is said of misuse."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import Tensor, nn

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


# ---- the functions


@pytest.mark.parametrize("parts", [0, 1, 2], ids=["bare", "weight", "weight and bias"])
@pytest.mark.parametrize(
    "shape", [(6, 3), (2, 3), (2, 3, 4), (1, 3, 2), (2, 3, 4, 5), (4, 3, 1, 1), (4, 1, 2, 2)], ids=str
)
def test_batch_norm_in_training_equals_pytorchs(shape, parts):
    parameters = [draw(shape[1]) for _ in range(parts)]
    compare(
        lambda x, *p: F.batch_norm(x, None, None, *p, training=True),
        lambda t, *p: TF.batch_norm(t, None, None, *p, training=True),
        draw(*shape), *parameters,
    )  # fmt: skip


@pytest.mark.parametrize("parts", [0, 1, 2], ids=["bare", "weight", "weight and bias"])
@pytest.mark.parametrize("shape", [(6, 3), (1, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_batch_norm_in_evaluation_equals_pytorchs(shape, parts):
    mean, var = draw(shape[1]), rng.uniform(0.5, 2, shape[1])
    compare(
        lambda x, *p: F.batch_norm(x, mean, var, *p, eps=0.1),
        lambda t, *p: TF.batch_norm(t, torch.tensor(mean), torch.tensor(var), *p, eps=0.1),
        draw(*shape), *[draw(shape[1]) for _ in range(parts)],
    )  # fmt: skip


def test_batch_norm_with_a_bias_alone_equals_pytorchs():
    compare(
        lambda x, b: F.batch_norm(x, None, None, bias=b, training=True),
        lambda t, b: TF.batch_norm(t, None, None, bias=b, training=True),
        draw(5, 3), draw(3),
    )  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(1, 5), st.lists(st.integers(1, 4), max_size=2), st.floats(1e-5, 1))
def test_batch_norm_of_any_shape_equals_pytorchs(N, C, places, eps):
    compare(
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=eps),
        lambda t, w, b: TF.batch_norm(t, None, None, w, b, True, eps=eps),
        draw(N, C, *places), draw(C), draw(C), differences=False, rtol=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize("parts", [0, 1, 2], ids=["bare", "weight", "weight and bias"])
@pytest.mark.parametrize(
    ("shape", "last"), [((4, 5), 5), ((5,), 5), ((2, 3, 5), (5,)), ((2, 3, 5), [3, 5]), ((2, 3, 5), (2, 3, 5)), ((3, 1), 1)],
    ids=str,
)  # fmt: skip
def test_layer_norm_equals_pytorchs(shape, last, parts):
    sizes = (last,) if isinstance(last, int) else tuple(last)
    compare(
        lambda x, *p: F.layer_norm(x, last, *p),
        lambda t, *p: TF.layer_norm(t, sizes, *p),
        draw(*shape), *[draw(*sizes) for _ in range(parts)],
    )  # fmt: skip


def test_layer_norm_with_a_bias_alone_equals_pytorchs():
    ours, theirs = lambda x, b: F.layer_norm(x, 4, bias=b), lambda t, b: TF.layer_norm(t, (4,), bias=b)
    compare(ours, theirs, draw(3, 4), draw(4))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), st.floats(1e-5, 1))
def test_layer_norm_of_any_shape_equals_pytorchs(shape, data, eps):
    last = tuple(shape[data.draw(st.integers(0, len(shape) - 1)) :])
    compare(
        lambda x, w, b: F.layer_norm(x, last, w, b, eps),
        lambda t, w, b: TF.layer_norm(t, last, w, b, eps),
        draw(*shape), draw(*last), draw(*last), differences=False, rtol=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2, 2), (2, 3, 0)], ids=str)
def test_an_empty_batch_passes_and_moves_no_statistics(shape):
    mean, var = np.zeros(3), np.ones(3)
    x = Tensor(np.ones(shape), requires_grad=True)
    out = F.batch_norm(x, mean, var, np.ones(3), np.ones(3), training=True)
    out.sum().backward()
    assert out.shape == x.grad.shape == shape
    assert (mean == 0).all()
    assert (var == 1).all()
    assert F.layer_norm(np.ones((0, 3)), 3).shape == (0, 3)
    assert F.layer_norm(np.ones((2, 0)), 0).shape == (2, 0)


def test_a_large_mean_costs_no_accuracy():
    x = draw(64, 3) + 1e6
    compare(
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda t: TF.batch_norm(t, None, None, training=True),
        x, differences=False, float32=False, rtol=1e-6,
    )  # fmt: skip
    x = (draw(1000, 3) + 1000).astype(np.float32)
    for out in (F.batch_norm(x, None, None, training=True), F.layer_norm(x.T.copy(), 1000)):
        assert out.data.std() == pytest.approx(1, abs=1e-3)
        assert np.abs(out.data.mean()) < 1e-3


def test_the_statistics_come_back_through_tensors_too():
    mean, var = Tensor(np.zeros(3)), Tensor(np.ones(3))
    F.batch_norm(np.arange(6.0).reshape(2, 3), mean, var, training=True, momentum=0.5)
    np.testing.assert_allclose(mean.data, [0.75, 1.25, 1.75])
    np.testing.assert_allclose(var.data, [2.75] * 3)  # half of 1 and half of 9/2, the unbiased variance


def test_float64_statistics_leave_float32_as_it_is():
    assert F.batch_norm(np.ones((2, 3), np.float32), np.zeros(3), np.ones(3)).dtype == np.float32


# ---- the layers


def twins(ours: nn.Module, theirs: torch.nn.Module) -> tuple[nn.Module, torch.nn.Module]:
    """Both in float64, with PyTorch's weights moved off 1 and 0."""
    theirs = theirs.double()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += torch.tensor(draw(*parameter.shape))
    for tensor in [*ours.parameters(), *[buffer for _, buffer in ours.named_buffers()]]:
        if tensor.dtype == np.float32:
            tensor.data = tensor.data.astype(np.float64)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def side_by_side(ours: nn.Module, theirs: torch.nn.Module, x: np.ndarray) -> None:
    """Output, gradients and state."""
    X, t = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, expected = ours(X), theirs(t)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    grad = np.random.default_rng(1).standard_normal(x.shape)
    ours.zero_grad()
    theirs.zero_grad()
    out.backward(grad)
    expected.backward(torch.tensor(grad))
    np.testing.assert_allclose(X.grad, t.grad.numpy(), rtol=1e-9, atol=1e-12)
    for (name, mine), (peer_name, peer) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == peer_name
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=1e-9, atol=1e-12)
    mine, peer = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(peer)
    for name in mine:
        assert mine[name].dtype == peer[name].numpy().dtype
        np.testing.assert_allclose(mine[name], peer[name].numpy(), rtol=1e-9, atol=1e-12)


OPTIONS = [
    {}, {"eps": 0.1}, {"momentum": 0.7}, {"momentum": None}, {"momentum": 0.0}, {"affine": False},
    {"track_running_stats": False}, {"affine": False, "track_running_stats": False},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("name", "shape"), [("BatchNorm1d", (6, 3)), ("BatchNorm1d", (4, 3, 5)), ("BatchNorm2d", (4, 3, 2, 3))], ids=str
)
def test_a_batch_norm_equals_pytorchs_through_training_and_evaluation(name, shape, options):
    ours, theirs = twins(getattr(nn, name)(3, **options), getattr(torch.nn, name)(3, **options))
    for mode in (True, True, True, False, True, False):
        side_by_side(ours.train(mode), theirs.train(mode), 2 * draw(*shape) + 1)


@pytest.mark.parametrize("options", [{}, {"eps": 0.1}, {"elementwise_affine": False}, {"bias": False}], ids=str)
@pytest.mark.parametrize(("last", "shape"), [(4, (3, 4)), ((2, 4), (3, 2, 4)), ([4], (2, 3, 4))], ids=str)
def test_a_layer_norm_equals_pytorchs(last, shape, options):
    ours, theirs = twins(nn.LayerNorm(last, **options), torch.nn.LayerNorm(last, **options))
    side_by_side(ours, theirs, draw(*shape))
    side_by_side(ours.eval(), theirs.eval(), draw(*shape))


def test_a_networks_state_crosses_both_ways_in_pytorchs_order():
    ours = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Sequential(nn.LayerNorm(3)))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Sequential(torch.nn.LayerNorm(3))
    )
    ours(draw(5, 4).astype(np.float32))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_buffers()] == [name for name, _ in theirs.named_buffers()]
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    x = draw(5, 4).astype(np.float32)
    np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-6)
    ours.load_state_dict(theirs.state_dict())
    assert ours.state_dict()["1.num_batches_tracked"] == 2
    assert ours.state_dict()["1.num_batches_tracked"].dtype == np.int64


def test_a_missing_buffer_is_named():
    state = nn.BatchNorm1d(3).state_dict()
    del state["running_mean"]
    state["running_var"] = np.ones(4)
    with pytest.raises(ValueError, match=r"'running_mean' of shape \(3,\) is missing; 'running_var' has shape \(4,\)"):
        nn.BatchNorm1d(3).load_state_dict(state)


def test_a_copied_layer_has_statistics_of_its_own():
    layer = nn.BatchNorm1d(2)
    twin = copy.deepcopy(layer)
    layer(draw(4, 2).astype(np.float32))
    assert (twin.running_mean.data == 0).all()
    assert twin.num_batches_tracked.data == 0
    assert [name for name, _ in twin.named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]


def test_layers_stay_in_float32_and_print_their_options():
    for layer, shape in ((nn.BatchNorm1d(3), (4, 3)), (nn.BatchNorm2d(3, affine=False), (4, 3, 2, 2))):
        out = layer(draw(*shape).astype(np.float32))
        assert {out.dtype, layer.running_mean.dtype, layer.running_var.dtype} == {np.dtype(np.float32)}
    assert repr(layer) == "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)"
    assert repr(nn.LayerNorm(3)) == "LayerNorm((3,), eps=1e-05, elementwise_affine=True)"
    assert nn.LayerNorm(3)(draw(2, 3).astype(np.float32)).dtype == np.float32


# ---- what is said of misuse


def test_one_value_for_each_channel_is_an_error_in_training_only():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match=r"in training, shape \(1, 3\) has one value for each channel.*eval\(\)"):
        layer(np.ones((1, 3), np.float32))
    assert layer.eval()(np.ones((1, 3), np.float32)).shape == (1, 3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 4))), r"BatchNorm1d\(3\) takes \(N, C\) or.*C = 3, not shape \(2, 4\)"),
        (lambda: nn.BatchNorm2d(3)(np.ones((2, 3))), r"BatchNorm2d\(3\) takes \(N, C, H, W\).*not shape \(2, 3\)"),
        (lambda: F.batch_norm(np.ones((2, 3)), None, None), "evaluation .* needs running_mean and running_var"),
        (lambda: F.batch_norm(np.ones((2, 3)), np.ones(2), np.ones(3)), r"batch_norm: .*\(2, 3\).*\(2,\), \(3,\)"),
        (lambda: F.batch_norm(np.ones((2, 3)), None, None, np.ones(2), training=True), r"batch_norm: .*\(2,\)"),
        (lambda: F.batch_norm(np.ones(3), None, None, training=True), r"batch_norm: .*\(3,\)"),
        (lambda: F.layer_norm(np.ones((2, 3)), 2), r"layer_norm: .*\(2, 3\).*\(2,\)"),
        (lambda: F.layer_norm(np.ones(3), (2, 3)), r"layer_norm: .*\(3,\).*\(2, 3\)"),
        (lambda: F.layer_norm(np.ones(3), ()), r"layer_norm: .*\(\)"),
        (lambda: F.layer_norm(np.ones((2, 3)), 3, np.ones(2)), r"layer_norm: .*\(2,\)"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
