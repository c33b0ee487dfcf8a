"""Run one expression in the engine and in PyTorch, in float64, and hold values and gradients together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dlcourse import Tensor, gradcheck

RTOL, ATOL = 1e-9, 1e-12


def compare(
    ours: Callable[..., Tensor],
    theirs: Callable[..., torch.Tensor],
    *arrays: Any,
    differences: bool = True,
    float32: bool = True,
    rtol: float = RTOL,
) -> None:
    """Values, gradients, central differences; and that float32 inputs give float32 outputs and gradients."""
    arrays = tuple(np.array(a, dtype=np.float64) for a in arrays)
    originals = [a.copy() for a in arrays]
    x = [Tensor(a, requires_grad=True) for a in arrays]
    t = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = ours(*x), theirs(*t)
    assert out.shape == tuple(expected.shape)
    assert isinstance(out.data, np.ndarray)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=rtol, atol=ATOL)
    weights = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(weights)
    expected.backward(torch.tensor(weights))
    for mine, peer in zip(x, t, strict=True):
        assert isinstance(mine.grad, np.ndarray), "the gradient must be an array"
        assert peer.grad is not None
        assert mine.grad.shape == mine.shape
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=rtol, atol=ATOL)
    for array, original in zip(arrays, originals, strict=True):
        np.testing.assert_array_equal(array, original)
    if differences:
        gradcheck(ours, x, rtol=1e-5, atol=1e-6)
    if float32:
        stays_float32(ours, *arrays)


def stays_float32(ours: Callable[..., Tensor], *arrays: Any) -> None:
    x = [Tensor(a.astype(np.float32), requires_grad=True) for a in arrays]
    out = ours(*x)
    assert out.dtype == np.float32
    out.backward(np.ones(out.shape))
    for tensor in x:
        assert tensor.grad is not None
        assert tensor.grad.dtype == np.float32
