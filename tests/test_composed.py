"""The composed form of every fused function: PyTorch's values and gradients, and the fused function's."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from beside_torch import compare, stays_float32

from dlcourse import Tensor, nn
from dlcourse.nn import composed

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


CLASSES, PIXELS = rng.integers(0, 4, 6), rng.integers(0, 4, (2, 3, 2))
MEAN, VAR = draw(3), draw(3) ** 2 + 0.5
MASK = rng.random((5, 7)) < 0.6
MASK[:, 0] = True
LONELY = MASK & (np.arange(5) != 2)[:, None]  # the third may attend to nobody
ADDED = np.where(MASK, draw(5, 7), -math.inf)
QKV = [(2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)]
SQUARE = [(2, 5, 4)] * 3

# name -> (function's name, call(function, *inputs), shapes)
CASES = {
    "softmax": ("softmax", lambda f, x: f(x, 1), [(3, 4, 2)]),
    "cross-entropy": ("cross_entropy", lambda f, x: f(x, CLASSES), [(6, 4)]),
    "cross-entropy, sum": ("cross_entropy", lambda f, x: f(x, CLASSES, reduction="sum"), [(6, 4)]),
    "cross-entropy of images": ("cross_entropy", lambda f, x: f(x, PIXELS, reduction="none"), [(2, 4, 3, 2)]),
    "cross-entropy of one example": ("cross_entropy", lambda f, x: f(x, np.array(2)), [(4,)]),
    "GELU": ("gelu", lambda f, x: f(x), [(3, 4)]),
    "GELU tanh": ("gelu", lambda f, x: f(x, approximate="tanh"), [(3, 4)]),
    "layer norm": ("layer_norm", lambda f, x, w, b: f(x, (5,), w, b), [(3, 2, 5), (5,), (5,)]),
    "layer norm over two axes": ("layer_norm", lambda f, x: f(x, (2, 5), eps=1e-3), [(3, 2, 5)]),
    "batch norm": ("batch_norm", lambda f, x, w, b: f(x, None, None, w, b, True), [(6, 3), (3,), (3,)]),
    "batch norm of images": ("batch_norm", lambda f, x, w, b: f(x, None, None, w, b, True), [(2, 3, 4, 2), (3,), (3,)]),
    "batch norm, bare": ("batch_norm", lambda f, x: f(x, None, None, training=True, eps=1e-2), [(6, 3)]),
    "batch norm, trained": ("batch_norm", lambda f, x, w, b: f(x, MEAN, VAR, w, b), [(2, 3, 4, 2), (3,), (3,)]),
    "convolution": ("conv2d", lambda f, x, w, b: f(x, w, b), [(2, 3, 6, 5), (4, 3, 3, 2), (4,)]),
    "convolution without bias": ("conv2d", lambda f, x, w: f(x, w, padding=1), [(2, 3, 4, 4), (2, 3, 3, 3)]),
    "convolution in strides": (
        "conv2d",
        lambda f, x, w, b: f(x, w, b, stride=(2, 3), padding=(2, 1)),
        [(2, 3, 6, 5), (4, 3, 3, 3), (4,)],
    ),
    "max-pool": ("max_pool2d", lambda f, x: f(x, 2), [(2, 3, 4, 5)]),
    "max-pool in strides": ("max_pool2d", lambda f, x: f(x, 3, 2, 1), [(2, 3, 6, 5)]),
    "max-pool, oblong": ("max_pool2d", lambda f, x: f(x, (2, 3), (1, 2), (0, 1)), [(2, 3, 6, 5)]),
    "average-pool": ("avg_pool2d", lambda f, x: f(x, 2), [(2, 3, 4, 5)]),
    "average-pool in strides": ("avg_pool2d", lambda f, x: f(x, 3, 2, 1), [(2, 3, 6, 5)]),
    "attention": ("scaled_dot_product_attention", lambda f, q, k, v: f(q, k, v), QKV),
    "attention, scaled": ("scaled_dot_product_attention", lambda f, q, k, v: f(q, k, v, scale=0.3), QKV),
    "attention, masked": ("scaled_dot_product_attention", lambda f, q, k, v: f(q, k, v, MASK), QKV),
    "attention, added": ("scaled_dot_product_attention", lambda f, q, k, v: f(q, k, v, ADDED), QKV),
    "attention, causal": ("scaled_dot_product_attention", lambda f, q, k, v: f(q, k, v, is_causal=True), SQUARE),
    "attention, a row alone": ("scaled_dot_product_attention", lambda f, q, k, v: f(q, k, v, LONELY), QKV),
}


def peer(name: str):
    """PyTorch's function, which takes arrays beside tensors here."""
    function = getattr(TF, name)

    def called(*args, **options):
        if name == "softmax":
            return function(*args, **options)
        read = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
        return function(*read, **options)

    return called


@pytest.mark.parametrize("case", CASES)
def test_the_composed_form_equals_pytorchs(case):
    name, call, shapes = CASES[case]
    ours, theirs = getattr(composed, name), peer(name)
    if case == "attention, a row alone":  # PyTorch's versions differ in what they give; zeros here
        out = call(ours, *[Tensor(draw(*shape)) for shape in shapes])
        assert (out.data[..., 2, :] == 0).all()
        return
    compare(lambda *x: call(ours, *x), lambda *t: call(theirs, *t), *[draw(*shape) for shape in shapes], float32=False)


@pytest.mark.parametrize("case", CASES)
def test_the_fused_function_equals_the_composed_form(case):
    name, call, shapes = CASES[case]
    arrays = [draw(*shape) for shape in shapes]
    results = []
    for module in (F, composed):
        x = [Tensor(a, requires_grad=True) for a in arrays]
        out = call(getattr(module, name), *x)
        out.backward(np.random.default_rng(1).standard_normal(out.shape))
        results.append([out.data, *[tensor.grad for tensor in x]])
    for fused, small in zip(*results, strict=True):
        np.testing.assert_allclose(fused, small, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_composed_form_stays_in_float32(case):
    if case in ("batch norm, trained", "attention, added"):
        return  # float64 statistics and masks widen
    name, call, shapes = CASES[case]
    stays_float32(lambda *x: call(getattr(composed, name), *x), *[draw(*shape) for shape in shapes])


@pytest.mark.parametrize("name", sorted({name for name, _, _ in CASES.values()}))
def test_fused_and_composed_take_the_same_arguments(name):
    fused, small = (inspect.signature(getattr(module, name)).parameters for module in (F, composed))
    assert [(p.name, p.default, p.kind) for p in small.values()] == [
        (p.name, p.default, p.kind) for p in fused.values() if p.name in small
    ]


@pytest.mark.parametrize("module", [F, composed], ids=["fused", "composed"])
def test_training_moves_the_running_statistics_as_pytorchs_does(module):
    x, mean, var = draw(4, 3, 2, 2), draw(3), draw(3) ** 2
    t_mean, t_var = torch.tensor(mean), torch.tensor(var)
    module.batch_norm(x, mean, var, training=True, momentum=0.3)
    TF.batch_norm(torch.tensor(x), t_mean, t_var, training=True, momentum=0.3)
    np.testing.assert_allclose(mean, t_mean.numpy(), rtol=1e-9)
    np.testing.assert_allclose(var, t_var.numpy(), rtol=1e-9)


@pytest.mark.parametrize("module", [F, composed], ids=["fused", "composed"])
def test_attention_with_dropout_drops_weights_and_scales_the_others(module):
    ones = np.ones((1, 400, 4))  # equal scores: each weight is 1/400
    out = module.scaled_dot_product_attention(ones, ones, ones, dropout_p=0.25, rng=np.random.default_rng(0))
    assert out.data.mean() == pytest.approx(1, abs=0.01)
    assert out.data.std() > 0.01


def test_the_composed_cross_entropy_of_huge_scores_is_finite():
    x = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    compare(
        lambda x: composed.cross_entropy(x, np.array([1, 1])),
        lambda t: TF.cross_entropy(t, torch.tensor([1, 1])),
        x,
        differences=False,
    )


# ---- LSTM


def lstm_inputs(T: int, N: int, D: int, S: int) -> list[np.ndarray]:
    return [draw(*shape) for shape in [(T, N, D), (N, S), (N, S), (4 * S, D), (4 * S, S), (4 * S,), (4 * S,)]]


@pytest.mark.parametrize("which", ["outputs", "h", "c", "all"])
@pytest.mark.parametrize("sizes", [(4, 2, 3, 5), (1, 3, 2, 2), (6, 1, 1, 1)], ids=str)
def test_the_composed_lstm_equals_pytorchs(sizes, which):
    weights = [draw(sizes[0], sizes[1], sizes[3]), draw(sizes[1], sizes[3]), draw(sizes[1], sizes[3])]

    def chosen(results, tensor):
        parts = {"outputs": [0], "h": [1], "c": [2], "all": [0, 1, 2]}[which]
        return sum((results[part] * tensor(weights[part])).sum() for part in parts)

    def theirs(x, h, c, *parameters):
        output, hs, cs = torch.ops.aten.lstm(x, [h[None], c[None]], list(parameters), True, 1, 0.0, False, False, False)
        return chosen((output, hs[0], cs[0]), torch.tensor)

    def ours(*x):
        return chosen(composed.lstm(*x), lambda w: w)

    compare(ours, theirs, *lstm_inputs(*sizes), differences=sizes[0] < 4, float32=False)


def test_the_layer_equals_the_composed_lstm():
    x, h, c, *parameters = lstm_inputs(5, 3, 4, 2)
    layer = nn.LSTM(4, 2)
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    for name, array in zip(names, parameters, strict=True):
        getattr(layer, name).data = array.copy()
    X, small = Tensor(x, requires_grad=True), [Tensor(a, requires_grad=True) for a in (x, h, c, *parameters)]
    fused_out, (fused_h, fused_c) = layer(X, (h[None], c[None]))
    outputs, last_h, last_c = composed.lstm(*small)
    pairs = [(fused_out, outputs), (fused_h[0], last_h), (fused_c[0], last_c)]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-9, atol=1e-12)
    sum((ours * ours).sum() for ours, _ in pairs).backward()
    sum((theirs * theirs).sum() for _, theirs in pairs).backward()
    np.testing.assert_allclose(X.grad, small[0].grad, rtol=1e-9, atol=1e-12)
    for name, tensor in zip(names, small[3:], strict=True):
        np.testing.assert_allclose(getattr(layer, name).grad, tensor.grad, rtol=1e-9, atol=1e-12)


def test_the_composed_lstm_stays_in_float32_and_needs_no_biases():
    arrays = lstm_inputs(3, 2, 4, 5)
    stays_float32(lambda *x: composed.lstm(*x)[0], *arrays)
    stays_float32(lambda *x: composed.lstm(*x)[2], *arrays[:5])
