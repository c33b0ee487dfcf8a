"""The edges of the whole engine: float32 throughout, empty batches, huge numbers, long chains, memory given back.

The tables name every function of ``nn.functional``, every layer, op and optimizer; a new one has to be added.
"""

from __future__ import annotations

import inspect
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import ndtr

from dlcourse import Tensor, nn, ops, optim
from dlcourse.nn import composed

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def leaf(*shape: int) -> Tensor:
    return Tensor(draw(*shape), requires_grad=True)


CLASSES = np.array([0, 2, 1])
IMAGE = (2, 3, 6, 6)
fresh = np.random.default_rng

# name -> (call, shapes of its floating-point inputs)
FUNCTIONS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    **{
        name: (getattr(F, name), [(3, 4)])
        for name in ("relu", "leaky_relu", "sigmoid", "tanh", "silu", "softmax", "log_softmax")
    },
    "gelu": (lambda x: F.gelu(x) + F.gelu(x, "tanh"), [(3, 4)]),
    "linear": (F.linear, [(3, 4), (2, 4), (2,)]),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, 2, 1), [IMAGE, (4, 3, 3, 3), (4,)]),
    "conv_transpose2d": (lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1), [IMAGE, (3, 4, 3, 3), (4,)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), [IMAGE]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), [IMAGE]),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [IMAGE, (3,), (3,)]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (4,), w, b), [(3, 2, 4), (4,), (4,)]),
    "dropout": (lambda x: F.dropout(x, 0.3, rng=fresh(0)), [(3, 4)]),
    "embedding": (lambda w: F.embedding(CLASSES, w), [(4, 2)]),
    "scaled_dot_product_attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.2, is_causal=True, rng=fresh(0)),
        [(2, 3, 4)] * 3,
    ),
    "cross_entropy": (lambda x: F.cross_entropy(x, CLASSES), [(3, 4)]),
    "nll_loss": (lambda x: F.nll_loss(x, CLASSES), [(3, 4)]),
    "mse_loss": (F.mse_loss, [(3, 4), (3, 4)]),
    "l1_loss": (F.l1_loss, [(3, 4), (3, 4)]),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, [(3, 4), (3, 4)]),
    "where": (lambda a, b: F.where(np.arange(4) < 2, a, b), [(3, 4), (3, 4)]),
    "maximum": (F.maximum, [(3, 4), (4,)]),
    "minimum": (F.minimum, [(3, 4), (4,)]),
    "concatenate": (lambda a, b: F.concatenate([a, b], -1), [(3, 4), (3, 2)]),
    "stack": (lambda a, b: F.stack([a, b], 1), [(3, 4), (3, 4)]),
    "unbind": (F.unbind, [(3, 4)]),
    "split": (lambda x: F.split(x, 2, 1), [(3, 5)]),
    "pad": (lambda x: F.pad(x, (1, 2), value=0.5), [(3, 4)]),
    "composed.cross_entropy": (lambda x: composed.cross_entropy(x, CLASSES), [(3, 4)]),
}
NO_GRADIENT = {"one_hot"}

# layer -> (constructor's arguments, shapes of its inputs, target if it is a loss); N, the examples, is on axis `batch`
LAYERS: dict[str, tuple[dict[str, Any], list[tuple[int, ...]], Any]] = {
    **{
        name: ({}, [(3, 4)], None)
        for name in ("ReLU", "LeakyReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Flatten", "Identity")
    },
    "Softmax": ({}, [(3, 4)], None),
    "LogSoftmax": ({}, [(3, 4)], None),
    "Dropout": ({"p": 0.4}, [(3, 4)], None),
    "Linear": ({"in_features": 4, "out_features": 2}, [(3, 4)], None),
    "Conv2d": ({"in_channels": 3, "out_channels": 4, "kernel_size": 3}, [IMAGE], None),
    "ConvTranspose2d": ({"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": 2}, [IMAGE], None),
    "MaxPool2d": ({"kernel_size": 2}, [IMAGE], None),
    "AvgPool2d": ({"kernel_size": 2}, [IMAGE], None),
    "BatchNorm1d": ({"num_features": 4}, [(3, 4)], None),
    "BatchNorm2d": ({"num_features": 3}, [IMAGE], None),
    "LayerNorm": ({"normalized_shape": (4,)}, [(3, 4)], None),
    "Embedding": ({"num_embeddings": 5, "embedding_dim": 4}, [], None),
    "RNN": ({"input_size": 4, "hidden_size": 3, "num_layers": 2, "batch_first": True}, [(3, 5, 4)], None),
    "LSTM": ({"input_size": 4, "hidden_size": 3, "num_layers": 2, "batch_first": True}, [(3, 5, 4)], None),
    "GRU": ({"input_size": 4, "hidden_size": 3, "num_layers": 2, "batch_first": True}, [(3, 5, 4)], None),
    **{name: ({"input_size": 4, "hidden_size": 3}, [(3, 4)], None) for name in ("RNNCell", "LSTMCell", "GRUCell")},
    "MultiheadAttention": ({"embed_dim": 4, "num_heads": 2, "batch_first": True}, [(3, 5, 4)] * 3, None),
    "CrossEntropyLoss": ({}, [(3, 4)], CLASSES),
    "NLLLoss": ({}, [(3, 4)], CLASSES),
    "MSELoss": ({}, [(3, 4)], draw(3, 4)),
    "L1Loss": ({}, [(3, 4)], draw(3, 4)),
    "BCEWithLogitsLoss": ({}, [(3, 4)], (draw(3, 4) > 0).astype(np.float32)),
}
CONTAINERS = {"Module", "ModuleList", "Sequential"}

X = (2, 3)


def outputs(out: Any) -> list[Tensor]:
    """The tensors of an output, however deep in tuples."""
    if isinstance(out, Tensor):
        return [out]
    return [tensor for part in out if part is not None for tensor in outputs(part)]


def back(out: Any) -> None:
    """Through all outputs together."""
    sum((tensor * tensor).sum() for tensor in outputs(out)).backward()


# ---- the tables are whole


def test_every_function_of_the_engine_is_in_the_table():
    public = {
        name
        for name, function in inspect.getmembers(F, inspect.isfunction)
        if function.__module__ == F.__name__ and not name.startswith("_")
    }
    assert public - NO_GRADIENT == {name for name in FUNCTIONS if "." not in name}


def test_every_layer_is_in_the_table():
    layers = {name for name in nn.__all__ if inspect.isclass(cls := getattr(nn, name)) and issubclass(cls, nn.Module)}
    assert layers - CONTAINERS == set(LAYERS)


# ---- float32


def assert_float32(*arrays: Any) -> None:
    for array in arrays:
        assert array is not None
        assert array.dtype == np.float32


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_float32_through_every_function(name):
    call, shapes = FUNCTIONS[name]
    inputs = [leaf(*shape) for shape in shapes]
    out = call(*inputs)
    assert_float32(*outputs(out))
    back(out)
    assert_float32(*[x.grad for x in inputs])


def made(name: str) -> tuple[Any, list[Any], Any]:
    """The layer, its inputs, and its output or loss."""
    options, shapes, target = LAYERS[name]
    layer = getattr(nn, name)(**options)
    inputs: list[Any] = [leaf(*shape) for shape in shapes] or [CLASSES]
    return layer, inputs, layer(*inputs) if target is None else layer(*inputs, target)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_float32_through_every_layer(name, training):
    layer, inputs, _ = made(name)
    layer.train(training)
    target = LAYERS[name][2]
    out = layer(*inputs) if target is None else layer(*inputs, target)
    assert_float32(*outputs(out))
    back(out)
    assert_float32(*[x.grad for x in inputs if isinstance(x, Tensor)], *[p.grad for p in layer.parameters()])
    for array in layer.state_dict().values():
        assert array.dtype == np.float32 or array.dtype.kind == "i"


RULES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    **{
        name: ([X], {})
        for name in (
            *("abs", "exp", "gelu_tanh", "leaky_relu", "log_softmax", "max", "mean", "min", "neg", "relu", "sigmoid"),
            *("silu", "softmax", "sum", "tanh", "transpose", "unbind", "var"),
        )
    },
    **{name: ([X, X], {}) for name in ("add", "div", "l1_loss", "maximum", "minimum", "mse_loss", "mul", "sub")},
    "binary_cross_entropy_with_logits": ([X, X], {}),
    "concatenate": ([X, X], {}),
    "stack": ([X, X], {}),
    "log": ([X], {}),
    "sqrt": ([X], {}),
    "power": ([X, 2.5], {}),
    "clip": ([X], {"lo": -0.5, "hi": 0.5}),
    "gelu": ([X], {"normal_cdf": ndtr}),
    "cross_entropy": ([X, np.array([0, 2])], {}),
    "nll_loss": ([X, np.array([0, 2])], {}),
    "index": ([X], {"key": (np.array([0, 0, 1]), np.array([1, 1, 2]))}),
    "reshape": ([X], {"shape": (3, 2)}),
    "swapaxes": ([X], {"a": 0, "b": 1}),
    "split": ([X], {"sizes": (1, 2), "axis": 1}),
    "pad": ([X], {"widths": [(1, 0), (0, 2)], "value": 0.5}),
    "where": ([np.array([True, False, True]), X, X], {}),
    "matmul": ([X, (3, 4)], {}),
    "linear": ([X, (4, 3), (4,)], {}),
    "conv2d": ([IMAGE, (4, 3, 3, 3), (4,)], {}),
    "conv_transpose2d": ([IMAGE, (3, 4, 3, 3), (4,)], {}),
    "max_pool2d": ([IMAGE], {"kernel_size": 2}),
    "avg_pool2d": ([IMAGE], {"kernel_size": 2}),
    "scaled_dot_product_attention": ([(2, 5, 4), (2, 6, 4), (2, 6, 3), np.tri(5, 6, dtype=bool)], {}),
    "batch_norm": ([IMAGE, (3,), (3,)], {}),
    "layer_norm": ([X, (3,), (3,)], {"shape": (3,)}),
    "dropout": ([X], {"p": 0.4, "rng": fresh(0)}),
    "embedding": ([CLASSES, (4, 2)], {}),
    "rnn": ([(4, 2, 3), (2, 5), (5, 3), (5, 5), (5,), (5,)], {}),
    "lstm": ([(4, 2, 3), (2, 5), (2, 5), (20, 3), (20, 5), (20,), (20,)], {}),
    "gru": ([(4, 2, 3), (2, 5), (15, 3), (15, 5), (15,), (15,)], {}),
}


@pytest.mark.parametrize("name", ops.__all__)
def test_an_op_and_its_rule_compute_in_float32(name):
    """Not only in what the graph makes of them: a rule that computes in float64 takes twice the time."""
    given, options = RULES[name]
    arrays = [np.abs(draw(*part)) + 0.1 if isinstance(part, tuple) else part for part in given]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out, rule = getattr(ops, name)(*arrays, **options)
        outs = out if isinstance(out, tuple) else (out,)
        assert_float32(*outs)
        shares = rule(*[np.ones_like(one) for one in outs])
    assert_float32(*[share() if callable(share) else share for share in shares if share is not None])


@pytest.mark.parametrize("name", [name for name in optim.__all__ if name not in ("Optimizer", "lr_scheduler")])
def test_float32_stays_float32_in_every_optimizer_and_its_state(name):
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    optimizer = getattr(optim, name)(net.parameters(), lr=np.float64(0.01), weight_decay=0.1)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=6)
    for _ in range(5):
        F.cross_entropy(net(draw(3, 4)), np.array([0, 1, 1])).backward()
        nn.utils.clip_grad_norm_(net.parameters(), np.float64(0.5))
        optimizer.step()
        schedule.step()
    assert_float32(*[p.data for p in net.parameters()], *[p.grad for p in net.parameters()])
    for state in optimizer.state_dict()["state"].values():
        assert_float32(*[value for value in state.values() if isinstance(value, np.ndarray)])


# ---- empty batches


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_treats_an_empty_batch_as_pytorchs_does(name):
    options, shapes, target = LAYERS[name]
    options = {"dim" if key == "axis" else key: value for key, value in options.items()}
    peer = getattr(torch.nn, name)(**({"dim": -1} if "oftmax" in name else options))
    arrays: list[Any] = [np.zeros((0, *shape[1:]), np.float32) for shape in shapes] or [np.zeros((0, 2), int)]
    arrays += [] if target is None else [target[:0]]
    try:
        expected = peer(*[torch.tensor(a) for a in arrays])
    except (RuntimeError, ValueError):
        pytest.skip("PyTorch refuses an empty batch here")
    layer = getattr(nn, name)(**LAYERS[name][0])
    inputs = [Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = layer(*inputs)
        back(out)
    shapes_of = [tuple(t.shape) for t in torch.utils._pytree.tree_leaves(expected) if t is not None]
    assert [tensor.shape for tensor in outputs(out)] == shapes_of
    for parameter in layer.parameters():
        assert parameter.grad is None or (parameter.grad == 0).all()


# ---- huge numbers

HUGE = np.array([[1e4, -1e4, 0.0, 9e3], [-1e4, -1e4, 1e4, 1e4], [0.0, 1e-3, 1e4, -800.0]])
EXTREME: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (F.softmax, lambda t: TF.softmax(t, -1)),
    "log_softmax": (F.log_softmax, lambda t: TF.log_softmax(t, -1)),
    "cross_entropy": (lambda x: F.cross_entropy(x, CLASSES), lambda t: TF.cross_entropy(t, torch.tensor(CLASSES))),
    "sigmoid": (F.sigmoid, torch.sigmoid),
    "tanh": (F.tanh, torch.tanh),
    "silu": (F.silu, TF.silu),
    "gelu": (F.gelu, TF.gelu),
    "gelu tanh": (lambda x: F.gelu(x, "tanh"), lambda t: TF.gelu(t, approximate="tanh")),
    **{
        f"binary cross-entropy of {y}": (
            lambda x, y=y: F.binary_cross_entropy_with_logits(x, np.full(HUGE.shape, y, np.float32)),
            lambda t, y=y: TF.binary_cross_entropy_with_logits(t, torch.full(HUGE.shape, y, dtype=t.dtype)),
        )
        for y in (0.0, 0.25, 1.0)
    },
    "attention": (
        lambda x: F.scaled_dot_product_attention(x * 1e-2, x * 1e-2, np.eye(3, 4, dtype=np.float32)),
        lambda t: TF.scaled_dot_product_attention(t * 1e-2, t * 1e-2, torch.eye(3, 4, dtype=t.dtype)),
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EXTREME)
def test_huge_numbers_give_finite_and_right_results_without_a_warning(name, dtype):
    ours, theirs = EXTREME[name]
    x, t = Tensor(HUGE.astype(dtype), requires_grad=True), torch.tensor(HUGE, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = ours(x)
        out.sum().backward()
    expected = theirs(t)
    expected.sum().backward()
    assert out.dtype == dtype
    assert np.isfinite(out.data).all()
    assert np.isfinite(x.grad).all()
    tolerance = {"rtol": 1e-9, "atol": 1e-12} if dtype == np.float64 else {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(out.data, expected.detach().numpy(), **tolerance)
    np.testing.assert_allclose(x.grad, t.grad.numpy(), **tolerance)


# ---- long chains, and the memory behind them


def chain(x: Tensor, length: int) -> Tensor:
    """Ops of several kinds, one after the other."""
    kinds = (lambda y: y + 1.0, lambda y: y * 0.5, Tensor.tanh, lambda y: y - x, lambda y: y.reshape(1, 1).reshape(1))
    for i in range(length):
        x_or_y = kinds[i % len(kinds)]
        x = x_or_y(x)
    return x


def test_a_chain_of_100_000_nodes_needs_no_recursion():
    limit, frame, depth = sys.getrecursionlimit(), sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    try:
        sys.setrecursionlimit(depth + 60)
        x = leaf(1)
        y = chain(x, 100_000)
        y.backward()
        del y
    finally:
        sys.setrecursionlimit(limit)
    assert np.isfinite(x.grad).all()


def test_the_time_of_a_chain_is_linear_in_its_length():
    def seconds(length: int) -> float:
        start = time.process_time()
        chain(leaf(1), length).backward()
        return time.process_time() - start

    seconds(1000)
    short, long = min(seconds(10_000) for _ in range(3)), seconds(100_000)
    assert long < 50 * short  # 10 times, and Python's garbage collector on top; 100 times were it quadratic


def test_backward_frees_the_memory_of_the_graph_as_it_goes():
    """What is left are the leaf's gradient and the loss, though the loss is still held; on the way, little is added."""
    tracemalloc.start()
    try:
        x = Tensor(np.ones(100_000, np.float32), requires_grad=True)
        loss = x
        for _ in range(40):
            loss = (loss * 1.01).tanh()
        loss = loss.sum()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        loss.backward()
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    array = x.data.nbytes
    assert grown > 40 * array
    assert left < 3 * array
    assert peak < grown + 8 * array
    assert loss.requires_grad


def test_without_backward_the_graph_goes_with_its_last_tensor():
    tracemalloc.start()
    try:
        x = Tensor(np.ones(100_000, np.float32), requires_grad=True)
        loss = x
        for _ in range(40):
            loss = (loss * 1.01).tanh()
        del loss
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < 3 * x.data.nbytes
