"""PyTorch's own sample inputs for its ops, run through the engine: values and gradients in float64.

PyTorch tests its ops with inputs that ``torch.testing._internal`` makes. Each entry of ``OPS`` adapts one of these ops:
a function with PyTorch's arguments that calls ours. What the engine does not offer is skipped by a named reason and
counted; how many samples have to be compared stands beside each op, so that no op passes by skipping.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

from dlcourse import Tensor, nn

F = nn.functional


class NotOfferedError(Exception):
    """A sample uses what the engine does not have; the message names it."""


def refuse(reason: str, *given: Any) -> None:
    """Skip the sample if an option was given, that is, is neither None nor False."""
    if any(value is not None and value is not False for value in given):
        raise NotOfferedError(reason)


# ---- adapters: PyTorch's arguments, dim and keepdim among them, to ours


def axes(dim: Any) -> Any:
    return None if dim is None or dim in ((), []) else tuple(dim) if isinstance(dim, list | tuple) else dim


def unary(name: str) -> Callable[..., Any]:
    return lambda x: getattr(x, name)()


def reduction(name: str) -> Callable[..., Any]:
    return lambda x, dim=None, keepdim=False: getattr(x, name)(axes(dim), keepdim)


def var(x: Tensor, dim: Any = None, unbiased: Any = True, keepdim: bool = False, **options: Any) -> Tensor:
    if isinstance(dim, bool):  # var(unbiased) without an axis
        dim, unbiased = None, dim
    ddof = options.get("correction", int(unbiased))
    return x.var(axes(dim), keepdim, ddof=1 if ddof is None else ddof)


def extreme(name: str) -> Callable[..., Any]:
    """``max`` is a reduction of all entries or along an axis (with the places beside the values), or of two tensors."""

    def run(x: Tensor, other: Any = None, keepdim: bool = False) -> Tensor:
        if isinstance(other, Tensor):
            return getattr(F, f"{name}imum")(x, other)
        return getattr(x, name)(other, keepdim)

    return run


def add(a: Any, b: Any, *, alpha: Any = None) -> Tensor:
    refuse("alpha", alpha)
    return a + b


def sub(a: Any, b: Any, *, alpha: Any = None) -> Tensor:
    refuse("alpha", alpha)
    return a - b


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:  # bounds that are tensors
    x = x if min is None else F.maximum(x, min)
    return x if max is None else F.minimum(x, max)


def gather(x: Tensor, dim: int, index: Any, sparse_grad: Any = None) -> Tensor:
    refuse("an index with other axes", x.ndim == 0 or np.ndim(index) != x.ndim)
    key = list(np.ogrid[tuple(slice(n) for n in np.shape(index))])
    key[dim] = index
    return x[tuple(key)]


def index_select(x: Tensor, dim: int, index: Any) -> Tensor:
    refuse("an axis of a number", x.ndim == 0)
    return x[(slice(None),) * (dim % x.ndim) + (np.atleast_1d(index),)]


def select(x: Tensor, dim: int, index: int) -> Tensor:
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def masked_select(x: Tensor, mask: Any) -> Tensor:
    refuse("a mask that broadcasts", mask.shape != x.shape)
    return x[mask]


def masked_fill(x: Tensor, mask: Any, value: Any) -> Tensor:
    return F.where(mask, value, x)


def transpose(x: Tensor, a: int, b: int) -> Tensor:
    refuse("an axis of a number", x.ndim == 0)
    return x.swapaxes(a, b)


def cat(tensors: Any, dim: int = 0) -> Tensor:
    refuse("joining with an empty tensor of other axes", len({t.ndim for t in tensors}) > 1)
    return F.concatenate(tensors, dim)


def pad(x: Tensor, widths: Any, mode: str = "constant", value: Any = None) -> Tensor:
    refuse("negative padding", min(widths, default=0) < 0)
    return F.pad(x, widths, mode, 0.0 if value is None else value)


def class_loss(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Tensor, y: Any, weight: Any = None, ignore_index: Any = None, **options: Any) -> Tensor:
        refuse("weight", weight)
        refuse("ignore_index", ignore_index)
        refuse("label smoothing", options.pop("label_smoothing", 0.0) or None)
        refuse("probabilities as a target", isinstance(y, Tensor))
        return function(x, y, **options)

    return run


def pair_loss(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Tensor, y: Any, weight: Any = None, pos_weight: Any = None, **options: Any) -> Tensor:
        refuse("weight", weight)
        refuse("pos_weight", pos_weight)
        refuse("a target that broadcasts", x.shape != y.shape)
        return function(x, y, **options)

    return run


def batched(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """PyTorch takes an image without a batch, too; ours gets a batch of one."""
    return function(x) if x.ndim == 4 else function(x.reshape(1, *x.shape))[0]


def convolution(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Tensor, weight: Any, bias: Any = None, **options: Any) -> Tensor:
        if "dilation" not in inspect.signature(function).parameters:
            refuse("dilation", options.pop("dilation", 1) != 1)
        return batched(lambda x: function(x, weight, bias, **options), x)

    return run


def max_pool(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, **options: Any) -> Tensor:
    refuse("dilation", bool(np.max(options.pop("dilation", 1)) != 1))
    refuse("ceil_mode", options.pop("ceil_mode", None))
    refuse("return_indices", options.pop("return_indices", None))
    return batched(lambda x: F.max_pool2d(x, kernel_size, stride, padding, **options), x)


def avg_pool(
    x: Tensor, kernel: Any, stride: Any = None, padding: Any = 0, ceil: Any = None, include: Any = True, div: Any = None
) -> Tensor:
    refuse("ceil_mode", ceil)
    refuse("a divisor of one's own", div)
    return batched(lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=include), x)


def batch_norm(x: Tensor, *statistics: Any, **options: Any) -> Tensor:
    refuse("an input without channels", x.ndim < 2)
    return F.batch_norm(x, *statistics, **options)


def embedding(weight: Any, index: Any, **options: Any) -> Tensor:
    for name, value in options.items():
        refuse(name, value)
    return F.embedding(index, weight)


def attention(q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, **options: Any) -> Tensor:
    refuse("dropout, which is random", dropout_p or None)
    refuse("groups of queries", options.pop("enable_gqa", None))
    return F.scaled_dot_product_attention(q, k, v, attn_mask, **options)


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    refuse("dropout, which is random", training and 0 < p < 1)
    return F.dropout(x, p, training)


# op or op/variant -> (adapter, how many samples have to be compared at least)
OPS: dict[str, tuple[Callable[..., Any], int]] = {
    "add": (add, 8),
    "sub": (sub, 8),
    "mul": (lambda a, b: a * b, 8),
    "div/no_rounding_mode": (lambda a, b: a / b, 8),
    "true_divide": (lambda a, b: a / b, 8),
    "rsub": (lambda a, b, *, alpha=None: sub(b, a, alpha=alpha), 8),
    "__radd__": (lambda a, b: a.__radd__(b), 8),
    "__rsub__": (lambda a, b: a.__rsub__(b), 8),
    "__rmul__": (lambda a, b: a.__rmul__(b), 8),
    "__rdiv__": (lambda a, b: a.__rtruediv__(b), 8),
    "__rpow__": (lambda a, b: a.__rpow__(b), 8),
    "pow": (lambda a, b: a**b, 8),
    "neg": (lambda x: -x, 1),
    "matmul": (lambda a, b: a @ b, 12),
    "__rmatmul__": (lambda a, b: a.__rmatmul__(b), 12),
    "mm": (lambda a, b: a @ b, 2),
    "mv": (lambda a, b: a @ b, 1),
    "bmm": (lambda a, b: a @ b, 1),
    "dot": (lambda a, b: a @ b, 1),
    **{name: (unary(name), 1) for name in ("exp", "log", "sqrt", "abs", "tanh", "sigmoid")},
    "square": (lambda x: x**2, 1),
    "clamp": (clamp, 5),
    "maximum": (F.maximum, 8),
    "minimum": (F.minimum, 8),
    "sum": (reduction("sum"), 16),
    "mean": (reduction("mean"), 16),
    "amax": (reduction("max"), 16),
    "amin": (reduction("min"), 16),
    "var": (var, 10),
    "var/unbiased": (var, 2),
    **{f"max/{variant}": (extreme("max"), 2) for variant in ("reduction_with_dim", "reduction_no_dim", "binary")},
    **{f"min/{variant}": (extreme("min"), 2) for variant in ("reduction_with_dim", "reduction_no_dim", "binary")},
    "reshape": (lambda x, shape: x.reshape(shape), 5),
    "view": (lambda x, shape: x.reshape(shape), 5),
    "permute": (lambda x, dims: x.transpose(dims) if dims else x * 1, 3),
    "transpose": (transpose, 5),
    "T": (lambda x: x.T, 1),
    "__getitem__": (lambda x, key: x[key], 12),
    "index_select": (index_select, 2),
    "gather": (gather, 4),
    "select": (select, 2),
    "narrow": (lambda x, dim, start, length: x[(slice(None),) * (dim % x.ndim) + (slice(start, start + length),)], 2),
    "masked_select": (masked_select, 2),
    "masked_fill": (masked_fill, 4),
    "where": (lambda x, condition, other: F.where(condition, x, other), 5),
    "cat": (cat, 6),
    "stack": (F.stack, 6),
    "split": (lambda x, size, dim=0: F.split(x, size, dim), 2),
    "split/list_args": (lambda x, sizes, dim=0: F.split(x, sizes, dim), 3),
    "split_with_sizes": (lambda x, sizes, dim=0: F.split(x, sizes, dim), 3),
    "unbind": (F.unbind, 4),
    "softmax": (F.softmax, 6),
    "log_softmax": (F.log_softmax, 6),
    "nn.functional.pad/constant": (pad, 30),
    "nn.functional.relu": (F.relu, 3),
    "nn.functional.leaky_relu": (F.leaky_relu, 6),
    "nn.functional.gelu": (F.gelu, 6),
    "nn.functional.silu": (F.silu, 2),
    "nn.functional.cross_entropy": (class_loss(F.cross_entropy), 6),
    "nn.functional.nll_loss": (class_loss(F.nll_loss), 8),
    "nn.functional.mse_loss": (pair_loss(F.mse_loss), 5),
    "nn.functional.l1_loss": (pair_loss(F.l1_loss), 5),
    "nn.functional.binary_cross_entropy_with_logits": (pair_loss(F.binary_cross_entropy_with_logits), 6),
    "nn.functional.linear": (F.linear, 12),
    "nn.functional.conv2d": (convolution(F.conv2d), 22),
    "nn.functional.conv_transpose2d": (convolution(F.conv_transpose2d), 6),
    "nn.functional.max_pool2d": (max_pool, 120),
    "nn.functional.avg_pool2d": (avg_pool, 1),
    "nn.functional.batch_norm": (batch_norm, 8),
    "nn.functional.layer_norm": (F.layer_norm, 4),
    "nn.functional.embedding": (embedding, 2),
    "nn.functional.scaled_dot_product_attention": (attention, 10),
    "nn.functional.dropout": (dropout, 10),
    "nn.functional.one_hot": (F.one_hot, 5),
}
TOTAL = 750


# ---- the comparison


def into(x: Any) -> Any:
    """PyTorch's tensors to ours, and those of integers and booleans to arrays."""
    if isinstance(x, torch.Tensor):
        array = x.detach().numpy()
        return Tensor(array, x.requires_grad) if x.is_floating_point() else array.copy()
    if isinstance(x, tuple | list):
        parts = [into(part) for part in x]
        return parts if isinstance(x, list) else tuple(parts)
    return x


def leaves(kind: type, *parts: Any) -> list[Any]:
    """The tensors of a kind that ask for a gradient, in the order in which they are given."""
    found = []
    for part in parts:
        if isinstance(part, kind):
            found += [part] if part.requires_grad else []
        elif isinstance(part, tuple | list):
            found += leaves(kind, *part)
    return found


def compare(adapter: Callable[..., Any], op: Callable[..., Any], sample: Any) -> float:
    """Hold one sample's outputs and gradients together; the largest relative difference of a gradient."""
    theirs = (sample.input, *sample.args, *sample.kwargs.values())
    ours = [into(part) for part in theirs]
    count = 1 + len(sample.args)
    out = adapter(*ours[:count], **dict(zip(sample.kwargs, ours[count:], strict=True)))
    expected = op(sample.input, *sample.args, **sample.kwargs)
    outs = list(out) if isinstance(out, tuple) else [out]
    expecteds = list(expected) if isinstance(expected, tuple | list) else [expected]
    if len(expecteds) == len(outs) + 1:  # max along an axis gives places too
        expecteds = expecteds[:-1]
    x, t = leaves(Tensor, *ours), leaves(torch.Tensor, *theirs)
    rng, weights = np.random.default_rng(0), []
    for a, b in zip(outs, expecteds, strict=True):
        array = a.data if isinstance(a, Tensor) else a
        assert array.shape == tuple(b.shape)
        close(array, b)
        weights.append(rng.standard_normal(array.shape))
    grads: list[Any] = [None] * len(t)
    if any(b.requires_grad for b in expecteds):
        seeds = [torch.tensor(w) for w in weights]
        grads = list(torch.autograd.grad(expecteds, t, seeds, allow_unused=True))
        for a, w in zip(outs, weights, strict=True):
            a.backward(w, retain_graph=True)
    worst = 0.0
    for a, g in zip(x, grads, strict=True):
        grad = torch.zeros(a.shape) if g is None else g
        mine = np.zeros(a.shape) if a.grad is None else a.grad
        close(mine, grad)
        with np.errstate(all="ignore"):
            error = np.abs(mine - grad.numpy()) / (np.abs(grad.numpy()) + 1e-3)
        worst = max(worst, float(np.nanmax(error, initial=0.0)))
    return worst


def close(ours: Any, theirs: torch.Tensor) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)


@functools.cache
def run(key: str) -> tuple[int, Counter[str], float]:
    """All samples of one op: how many agreed, how many were skipped and why, the worst gradient."""
    name, _, variant = key.partition("/")
    found = [op for op in op_db if op.name == name and op.variant_test_name == variant]
    assert len(found) == 1, f"this PyTorch ({torch.__version__}) has {len(found)} ops named {key} in op_db; renamed?"
    op, adapter = found[0], OPS[key][0]
    integers = torch.float64 not in op.dtypes  # one_hot
    compared, skipped, worst = 0, Counter[str](), 0.0
    torch.manual_seed(0)
    for sample in op.sample_inputs("cpu", torch.int64 if integers else torch.float64, requires_grad=not integers):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                worst = max(worst, compare(adapter, op.op, sample))
            compared += 1
        except NotOfferedError as reason:
            skipped[str(reason)] += 1
        except Exception as error:
            error.add_note(f"{key}, sample: {sample.summary()}")
            raise
    return compared, skipped, worst


@pytest.mark.parametrize("key", OPS)
def test_pytorchs_samples_have_pytorchs_values_and_gradients(key, record_property):
    compared, skipped, worst = run(key)
    record_property("compared", compared)
    record_property("skipped", dict(skipped))
    record_property("worst gradient", worst)
    print(f"{key}: {compared} compared, worst gradient {worst:.1e}, skipped {dict(skipped)}")
    assert compared >= OPS[key][1], f"only {compared} samples compared; skipped: {dict(skipped)}"


def test_so_many_samples_are_compared_in_all():
    results = [run(key) for key in OPS]
    skipped = sum((result[1] for result in results), Counter())
    total = sum(result[0] for result in results)
    print(f"{total} samples of {len(OPS)} ops compared, worst gradient {max(r[2] for r in results):.1e}; "
          f"{skipped.total()} skipped: {dict(skipped)}")  # fmt: skip
    assert total >= TOTAL
