"""What PyTorch keeps in ``torch.nn.utils``: clipping the gradient (Pascanu, Mikolov & Bengio 2013, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from dlcourse.tensor import Tensor


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale all gradients together, in place, so that their joint length is at most ``max_norm``.

    Parameters
    ----------
    parameters : tensors; those without a gradient are passed over
    max_norm : the largest length allowed

    Returns
    -------
    The length before clipping, √(sum of all squared entries).
    """
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    grads = [tensor.grad for tensor in tensors if tensor.grad is not None]
    total_norm = math.sqrt(sum(float(np.vdot(grad, grad)) for grad in grads))
    scale = max_norm / (total_norm + 1e-6)
    if not scale >= 1:  # a NaN reaches all gradients, as in PyTorch
        for grad in grads:
            grad *= scale
    return total_norm
