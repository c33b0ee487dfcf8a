"""The right answers of unit 05 are PyTorch's."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from dlcourse.checks import find

rng = np.random.default_rng(5)


def reference(name):
    return find(f"training_deep_networks.{name}").reference


def tensor(array, **options):
    return torch.tensor(array, dtype=torch.float64, **options)


def test_batch_norm_gives_the_same_output_and_buffers_in_both_modes():
    x, gamma, beta, mean, var = rng.normal(size=(6, 3)), *rng.normal(size=(3, 3)), rng.random(3) + 0.5
    for training in (True, False):
        buffers = tensor(mean), tensor(var)
        expected = F.batch_norm(tensor(x), *buffers, tensor(gamma), tensor(beta), training, 0.2, 1e-3)
        out, *kept = reference("batch_norm")(x, gamma, beta, mean, var, training, 0.2, 1e-3)
        np.testing.assert_allclose(out, expected.numpy())
        for ours, theirs in zip(kept, buffers, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy())


def test_batch_norm_backward_gives_the_same_slopes():
    x, dout, gamma = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=3)
    given = [tensor(array, requires_grad=True) for array in (x, gamma, np.zeros(3))]
    F.batch_norm(given[0], None, None, given[1], given[2], True, eps=0.01).backward(tensor(dout))
    for ours, theirs in zip(reference("batch_norm_backward")(dout, x, gamma, 0.01), given, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy())


def test_layer_norm_gives_the_same():
    x, gamma, beta = rng.normal(size=(2, 4, 3)), rng.normal(size=3), rng.normal(size=3)
    expected = F.layer_norm(tensor(x), (3,), tensor(gamma), tensor(beta), 0.01)
    np.testing.assert_allclose(reference("layer_norm")(x, gamma, beta, 0.01), expected.numpy())


def test_adamw_takes_the_same_steps():
    start = rng.normal(size=4)
    param, theirs = start, torch.nn.Parameter(tensor(start))
    optimizer = torch.optim.AdamW([theirs], lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.3)
    m = v = np.zeros(4)
    for t in range(1, 6):
        grad = rng.normal(size=4)
        theirs.grad = tensor(grad)
        optimizer.step()
        param, m, v = reference("adamw")(param, grad, m, v, t, 0.1, 0.8, 0.9, 1e-3, 0.3)
        np.testing.assert_allclose(param, theirs.detach().numpy())


def test_clipping_gives_the_same_norm_and_gradients():
    grads = [rng.normal(size=(3, 2)), rng.normal(size=4)]
    parameters = [torch.nn.Parameter(tensor(g)) for g in grads]
    for parameter, g in zip(parameters, grads, strict=True):
        parameter.grad = tensor(g)
    total = torch.nn.utils.clip_grad_norm_(parameters, 1.5)
    clipped, norm = reference("clip_by_norm")(grads, 1.5)
    np.testing.assert_allclose(norm, total.item())
    for ours, theirs in zip(clipped, parameters, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-5)
