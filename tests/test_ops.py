"""Elementwise ops and reductions, held against PyTorch and central differences."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

from dlcourse import Tensor, nn, ops

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)


def draw(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Numbers away from 0 and from one another, where corners and ties would make a derivative a matter of taste."""
    n = int(np.prod(shape))
    spread = np.linspace(low, high, n + 2)[1:-1] + 0.01
    return rng.permutation(spread).reshape(shape)


UNARY = {
    "neg": (lambda x: -x, lambda x: -x),
    "exp": (Tensor.exp, torch.exp),
    "abs": (Tensor.abs, torch.abs),
    "tanh": (Tensor.tanh, torch.tanh),
    "sigmoid": (Tensor.sigmoid, torch.sigmoid),
    "relu": (Tensor.relu, torch.relu),
    "clip": (lambda x: x.clip(-0.7, 0.9), lambda x: x.clip(-0.7, 0.9)),
    "clip below": (lambda x: x.clip(lo=-0.3), lambda x: x.clip(min=-0.3)),
    "clip above": (lambda x: x.clip(hi=0.3), lambda x: x.clip(max=0.3)),
    "F.relu": (F.relu, TF.relu),
    "F.leaky_relu": (F.leaky_relu, TF.leaky_relu),
    "F.leaky_relu .3": (lambda x: F.leaky_relu(x, 0.3), lambda x: TF.leaky_relu(x, 0.3)),
    "F.sigmoid": (F.sigmoid, torch.sigmoid),
    "F.tanh": (F.tanh, torch.tanh),
    "F.gelu": (F.gelu, TF.gelu),
    "F.gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), lambda x: TF.gelu(x, approximate="tanh")),
    "F.silu": (F.silu, TF.silu),
    "x + 2": (lambda x: x + 2, lambda x: x + 2),
    "2 + x": (lambda x: 2 + x, lambda x: 2 + x),
    "x - 2": (lambda x: x - 2, lambda x: x - 2),
    "2 - x": (lambda x: 2 - x, lambda x: 2 - x),
    "x * 2": (lambda x: x * 2.5, lambda x: x * 2.5),
    "2 * x": (lambda x: 2.5 * x, lambda x: 2.5 * x),
    "x / 2": (lambda x: x / 2.5, lambda x: x / 2.5),
    "2 / x": (lambda x: 2.5 / x, lambda x: 2.5 / x),
    "x ** 0": (lambda x: x**0, lambda x: x**0),
    "x ** 1": (lambda x: x**1, lambda x: x**1),
    "x ** 2": (lambda x: x**2, lambda x: x**2),
    "x ** 3": (lambda x: x**3, lambda x: x**3),
    "x ** 4": (lambda x: x**4, lambda x: x**4),
    "x ** -1": (lambda x: x**-1, lambda x: x**-1),
    "x ** -2.0": (lambda x: x**-2.0, lambda x: x**-2.0),
    "2 ** x": (lambda x: 2**x, lambda x: 2**x),
}
POSITIVE = {
    "log": (Tensor.log, torch.log),
    "sqrt": (Tensor.sqrt, torch.sqrt),
    "x ** 0.5": (lambda x: x**0.5, lambda x: x**0.5),
    "x ** -0.5": (lambda x: x**-0.5, lambda x: x**-0.5),
    "x ** 1.7": (lambda x: x**1.7, lambda x: x**1.7),
}
BINARY = {
    "+": (lambda a, b: a + b, lambda a, b: a + b),
    "-": (lambda a, b: a - b, lambda a, b: a - b),
    "*": (lambda a, b: a * b, lambda a, b: a * b),
    "/": (lambda a, b: a / b, lambda a, b: a / b),
    "maximum": (F.maximum, torch.maximum),
    "minimum": (F.minimum, torch.minimum),
}
SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4)]
PAIRS = [
    ((), ()),
    ((3,), ()),
    ((), (2, 3)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((2, 3), (2, 1)),
    ((4, 1, 3), (2, 1)),
    ((1,), (2, 3)),
    ((1, 1), (3,)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one_entry_equals_pytorchs(name, shape):
    compare(*UNARY[name], draw(*shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", POSITIVE)
def test_a_function_of_a_positive_entry_equals_pytorchs(name, shape):
    compare(*POSITIVE[name], draw(*shape, low=0.1, high=3))


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_entries_broadcasts_like_pytorchs(name, shapes):
    a, b = shapes
    compare(*BINARY[name], draw(*a), draw(*b) + 0.003)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_a_power_of_two_tensors_equals_pytorchs(shapes):
    a, b = shapes
    compare(lambda a, b: a**b, lambda a, b: a**b, draw(*a, low=0.2, high=2), draw(*b))


def test_a_power_at_base_zero_has_pytorchs_gradients():
    compare(lambda a, b: a**b, lambda a, b: a**b, [0.0, 0.0, 2.0], [2.0, 0.0, 0.0], differences=False)


@pytest.mark.parametrize("name", [*UNARY])
def test_an_empty_array_passes_through(name):
    compare(*UNARY[name], np.zeros((0, 3)), differences=False)


@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), st.sampled_from(sorted(BINARY)))
@settings(max_examples=60, deadline=None)
def test_any_shapes_that_broadcast_have_pytorchs_gradients(shapes, name):
    a, b = shapes.input_shapes
    compare(*BINARY[name], draw(*a), draw(*b) + 0.003, differences=False)


@pytest.mark.parametrize("name", ["*", "-", "/", "maximum"])
def test_a_reused_input_sums_both_gradients(name):
    ours, theirs = BINARY[name]
    compare(lambda a: ours(a, a * a), lambda a: theirs(a, a * a), draw(2, 3))


def test_an_input_used_in_many_places_sums_all_gradients():
    def f(a):
        b = a * a
        return ((a + b) * a + b / (a * a + 1) - a) * b

    compare(f, f, draw(2, 3))


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_entries_share_the_gradient_like_pytorchs(name):
    compare(*BINARY[name], [1.0, 2.0, 3.0], [1.0, 5.0, 3.0], differences=False)


@pytest.mark.parametrize("name", ["relu", "F.leaky_relu", "abs", "clip", "F.silu", "F.gelu", "x ** 3", "x ** 0"])
def test_the_gradient_at_a_corner_is_pytorchs(name):
    compare(*UNARY[name], [0.0, -0.7, 0.9], differences=False)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "F.gelu", "F.gelu tanh", "F.silu", "F.leaky_relu"])
def test_an_activation_of_huge_numbers_is_finite_and_silent(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(*UNARY[name], [-1e4, -800.0, -90.0, -40.0, 40.0, 90.0, 800.0, 1e4], differences=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sigmoid_is_right_where_it_is_tiny(dtype):
    x = np.array([-700.0 if dtype == np.float64 else -80.0, -3e38], dtype)
    np.testing.assert_allclose(F.sigmoid(x).data, torch.sigmoid(torch.tensor(x)).numpy(), rtol=1e-6)
    np.testing.assert_allclose(F.silu(x).data, TF.silu(torch.tensor(x)).numpy(), rtol=1e-6)


PIXELS = {
    **{name: (lambda x, name=name: getattr(x, name)()) for name in ("exp", "log", "sqrt", "tanh", "sigmoid")},
    **{name: getattr(F, name) for name in ("silu", "gelu", "leaky_relu", "softmax", "log_softmax")},
    "linear": lambda x: F.linear(x, x),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "layer_norm": lambda x: F.layer_norm(x, 4),
    "conv2d": lambda x: F.conv2d(x.reshape(1, 1, 3, 4), x.reshape(1, 1, 3, 4)[..., :2]),
    "cross_entropy": lambda x: F.cross_entropy(x, [0, 1, 2]),
    "mse_loss": lambda x: F.mse_loss(x, x[::-1]),
    "l1_loss": lambda x: F.l1_loss(x, x[::-1]),
    "bce": lambda x: F.binary_cross_entropy_with_logits(x, x[::-1]),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int64, bool])
@pytest.mark.parametrize("name", PIXELS)
def test_pixels_are_computed_with_as_float32(name, dtype):
    x = np.array([[1, 5, 90, 100], [3, 0, 80, 2], [7, 7, 100, 60]]).astype(dtype)
    with np.errstate(divide="ignore", over="ignore"):
        out, expected = PIXELS[name](Tensor(x)), PIXELS[name](Tensor(x.astype(np.float32)))
    assert out.dtype == (np.int64 if dtype is np.int64 and name in ("linear", "conv2d") else np.float32)
    np.testing.assert_allclose(out.data, expected.data, rtol=1e-5, atol=1e-6)


def test_the_exact_gelu_is_the_default():
    x = np.array([-1.0, 0.5, 2.0])
    exact = 0.5 * x * (1 + torch.erf(torch.tensor(x / np.sqrt(2))).numpy())
    np.testing.assert_allclose(F.gelu(x).data, exact, rtol=1e-12)


def test_gelu_in_float32_is_exact_to_a_millionth_and_so_is_its_derivative():
    x = np.linspace(-15, 15, 200_001).astype(np.float32)  # more than one piece
    ours, exact = Tensor(x, requires_grad=True), torch.tensor(x.astype(np.float64), requires_grad=True)
    out, expected = F.gelu(ours), TF.gelu(exact)
    out.sum().backward()
    expected.sum().backward()
    assert out.dtype == ours.grad.dtype == np.float32
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=0, atol=5e-7)
    np.testing.assert_allclose(ours.grad, exact.grad.numpy(), rtol=0, atol=5e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_has_its_limits_far_from_zero(dtype):
    x = Tensor(np.array([-np.inf, -1e30, -50, 50, 1e30, np.inf], dtype), requires_grad=True)
    out = F.gelu(x)
    out.backward(np.ones(6))
    np.testing.assert_array_equal(out.data, np.maximum(x.data, 0))
    np.testing.assert_array_equal(x.grad, [0, 0, 0, 1, 1, 1])


# ---- reductions

AXES = [None, 0, 1, -1, -2, (0, 1), (0, -1), (-3, 2), (0, 1, 2)]


def torch_axes(axis, ndim=3):
    return tuple(range(ndim)) if axis is None else axis


REDUCTIONS = {
    "sum": (lambda x, a, k: x.sum(a, k), lambda x, a, k: x.sum(torch_axes(a), k)),
    "mean": (lambda x, a, k: x.mean(a, k), lambda x, a, k: x.mean(torch_axes(a), k)),
    "var": (lambda x, a, k: x.var(a, k), lambda x, a, k: x.var(torch_axes(a), correction=0, keepdim=k)),
    "var ddof 1": (lambda x, a, k: x.var(a, k, ddof=1), lambda x, a, k: x.var(torch_axes(a), correction=1, keepdim=k)),
    "max": (lambda x, a, k: x.max(a, k), lambda x, a, k: x.amax(torch_axes(a), k)),
    "min": (lambda x, a, k: x.min(a, k), lambda x, a, k: x.amin(torch_axes(a), k)),
}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_equals_pytorchs(name, axis, keepdims):
    ours, theirs = REDUCTIONS[name]
    compare(lambda x: ours(x, axis, keepdims), lambda x: theirs(x, axis, keepdims), draw(2, 3, 4))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_a_reduction_of_a_number_is_the_number(name):
    ours, _ = REDUCTIONS[name]
    compare(lambda x: ours(x, None, False), lambda x: getattr(x, name)(), np.array(1.5))


@given(array_shapes(min_dims=1, max_dims=4, max_side=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_reduction_of_any_shape_along_any_axis_equals_pytorchs(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    keepdims = data.draw(st.booleans())
    ours, theirs = REDUCTIONS[data.draw(st.sampled_from(["sum", "mean", "var", "max", "min"]))]
    compare(lambda x: ours(x, axis, keepdims), lambda x: theirs(x, axis, keepdims), draw(*shape), differences=False)


@pytest.mark.parametrize("name", ["max", "min"])
def test_equal_extremes_share_the_gradient(name):
    ours, theirs = REDUCTIONS[name]
    x = [[1.0, 3.0, 3.0], [1.0, 1.0, 3.0]]
    compare(lambda x: ours(x, -1, False), lambda x: theirs(x, -1, False), x, differences=False)
    compare(lambda x: ours(x, None, False), lambda x: getattr(x, name)(), x, differences=False)


def test_the_sum_of_nothing_is_zero_and_its_mean_is_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty = Tensor(np.zeros((0, 3)), requires_grad=True)
        assert empty.sum().item() == 0
        assert np.isnan(empty.mean().item())
        assert np.isnan(empty.mean(axis=0).data).all()
        assert empty.mean(axis=1).shape == (0,)
        empty.mean().backward()
        assert empty.grad.shape == (0, 3)


def test_the_variance_of_large_numbers_does_not_cancel():
    x = 1e8 + draw(50)
    np.testing.assert_allclose(Tensor(x).var().item(), (x - 1e8).var(), rtol=1e-6)


# ---- the form of an op


def test_an_op_is_a_function_of_arrays_that_returns_its_output_and_its_rule():
    a, b = draw(2, 3), draw(2, 3)
    out, backward = ops.mul(a, b)
    np.testing.assert_array_equal(out, a * b)
    da, db = backward(np.ones((2, 3)))
    np.testing.assert_array_equal(da, b)
    np.testing.assert_array_equal(db, a)


def test_a_small_whole_power_is_a_product():
    x = draw(7).astype(np.float32)
    np.testing.assert_array_equal(ops.power(x, 3)[0], x * x * x)
    assert ops.power(x, 3)[0].dtype == np.float32
