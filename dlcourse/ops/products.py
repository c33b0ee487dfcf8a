"""Matrix products, the ops in which a network spends its time.

For C = A B the rules are dA = dC Bᵀ and dB = Aᵀ dC: the only products of these arrays whose shapes fit.
Each is as expensive as the forward product, so each is computed only if it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlcourse.ops.rule import Array, Result


def matmul(a: Array, b: Array) -> Result:
    """``a @ b`` with NumPy's rules: (..., n, k) @ (..., k, m), or a vector on either side.

    Raises
    ------
    ValueError
        If the inner sizes differ, or an operand is a number.
    """
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}: a number has no rows; multiply by it with *")
    inner = b.shape[0] if b.ndim == 1 else b.shape[-2]
    if a.shape[-1] != inner:
        raise ValueError(
            f"matmul of shapes {a.shape} and {b.shape}: the last axis of the first has size {a.shape[-1]}, the "
            f"{'only' if b.ndim == 1 else 'second-last'} axis of the second has size {inner}; they must be equal "
            "(does one need transposing?)"
        )
    A: Array = a[None, :] if a.ndim == 1 else a  # (..., n, k)
    B: Array = b[:, None] if b.ndim == 1 else b  # (..., k, m)
    product: Array = A @ B  # (..., n, m)

    def backward(grad: Array) -> tuple[Callable[[], Array], Callable[[], Array]]:
        grad = grad.reshape(product.shape)

        def for_b() -> Array:
            if B.ndim == 2 and A.ndim > 2:  # one matrix for a whole batch: one product instead of a batch of them
                n = math.prod(A.shape[:-1])
                db = A.reshape(n, A.shape[-1]).T @ grad.reshape(n, product.shape[-1])
            else:
                db = A.swapaxes(-1, -2) @ grad
            return db[..., 0] if b.ndim == 1 else db

        return lambda: grad @ B.swapaxes(-1, -2), for_b

    added = tuple([-2] * (a.ndim == 1) + [-1] * (b.ndim == 1))
    return np.squeeze(product, added) if added else product, backward


def linear(x: Array, weight: Array, bias: Array | None = None) -> Result:
    """``x Wᵀ + b`` over the last axis: x (..., I), weight (O, I), bias (O,) -> (..., O), as one op.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: an input of shape {x.shape} does not fit a weight of shape {weight.shape}; the input's last axis "
            "must have the size of the weight's second, (..., I) and (O, I)"
        )
    flat = x.reshape(-1, x.shape[-1])  # (N, I): N counts all leading axes
    out = flat @ weight.T  # (N, O)
    if bias is not None:
        out = np.add(out, bias, out=out if out.dtype == bias.dtype else None)

    def backward(grad: Array) -> tuple[Callable[[], Array], ...]:
        g = grad.reshape(-1, weight.shape[0])  # (N, O)
        for_x_and_weight = (lambda: (g @ weight).reshape(x.shape), lambda: g.T @ flat)
        return for_x_and_weight if bias is None else (*for_x_and_weight, lambda: np.ones(len(g), g.dtype) @ g)

    return out.reshape(*x.shape[:-1], weight.shape[0]), backward
