"""Each optimizer takes PyTorch's steps, twenty of them, over its options."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcourse import Tensor, nn, optim

CASES = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SGD decay": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "SGD momentum decay": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
    "SGD Nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD Nesterov decay": ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop options": ("RMSprop", {"lr": 3e-2, "alpha": 0.9, "eps": 1e-4}),
    "RMSprop momentum decay": ("RMSprop", {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.05}),
    "Adam": ("Adam", {}),
    "Adam options": ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    "Adam decay": ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    "AdamW": ("AdamW", {}),
    "AdamW decay": ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    "AdamW no decay": ("AdamW", {"lr": 0.05, "weight_decay": 0}),
}
START = [np.random.default_rng(0).standard_normal(shape) for shape in [(3, 4), (4,), ()]]


def gradients(step: int) -> list[np.ndarray | None]:
    """Some of them zero, and now and then none for the second parameter."""
    rng = np.random.default_rng(step)
    grads = [rng.standard_normal(p.shape) for p in START]
    grads[0][0] = 0
    return [grads[0], None if step % 7 == 3 else grads[1], np.asarray(grads[2])]


def run(name: str, options: dict, dtype: type, steps: int = 20, lr_from_step_10: float | None = None):
    ours = [Tensor(p.astype(dtype), requires_grad=True) for p in START]
    theirs = [torch.tensor(p.astype(dtype), requires_grad=True) for p in START]
    mine, peer = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(steps):
        if step == 10 and lr_from_step_10 is not None:
            mine.param_groups[0]["lr"] = peer.param_groups[0]["lr"] = lr_from_step_10
        for p, t, g in zip(ours, theirs, gradients(step), strict=True):
            p.grad = None if g is None else np.asarray(g, dtype)
            t.grad = None if g is None else torch.tensor(np.asarray(g, dtype))
        mine.step()
        peer.step()
        for p, t in zip(ours, theirs, strict=True):
            yield p, t.detach().numpy()


@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_are_pytorchs(case):
    for p, expected in run(*CASES[case], np.float64):
        np.testing.assert_allclose(p.data, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_float32_parameters_stay_float32(case):
    for p, expected in run(*CASES[case], np.float32):
        assert p.dtype == np.float32
        np.testing.assert_allclose(p.data, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", ["SGD momentum", "RMSprop", "Adam", "AdamW decay"])
def test_a_learning_rate_set_in_param_groups_takes_effect(case):
    for p, expected in run(*CASES[case], np.float64, lr_from_step_10=0.3):
        np.testing.assert_allclose(p.data, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_groups_have_their_own_options(name):
    def groups(parameters):
        return [{"params": parameters[:1], "lr": 0.5}, {"params": parameters[1], "weight_decay": 0.2}]

    ours = [Tensor(p.copy(), requires_grad=True) for p in START[:2]]
    theirs = [torch.tensor(p, requires_grad=True) for p in START[:2]]
    mine, peer = getattr(optim, name)(groups(ours), lr=0.01), getattr(torch.optim, name)(groups(theirs), lr=0.01)
    for step in range(20):
        for p, t, g in zip(ours, theirs, gradients(step), strict=False):
            p.grad, t.grad = g, None if g is None else torch.tensor(g)
        mine.step()
        peer.step()
    for p, t in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, t.detach().numpy(), rtol=1e-9)
    assert [group["lr"] for group in mine.param_groups] == [0.5, 0.01]


@pytest.mark.parametrize("case", CASES)
def test_a_step_moves_the_same_array_and_leaves_the_gradient(case):
    name, options = CASES[case]
    p = Tensor(np.ones(3), requires_grad=True)
    array, grad = p.data, np.array([1.0, -2.0, 0.5])
    p.grad = grad
    optimizer = getattr(optim, name)([p], **options)
    for _ in range(3):
        optimizer.step()
    assert p.data is array
    assert p.grad is grad
    assert grad.tolist() == [1, -2, 0.5]
    optimizer.zero_grad()
    assert p.grad is None


def test_wrong_arguments_are_explained():
    p = nn.Parameter([1.0])
    with pytest.raises(ValueError, match=r"got no parameters; model\.parameters"):
        optim.SGD([], lr=0.1)
    with pytest.raises(TypeError, match="Adam optimizes tensors, not ndarray"):
        optim.Adam([np.ones(2)])
    with pytest.raises(ValueError, match="lr=-1 is negative"):
        optim.SGD([p], lr=-1)
    with pytest.raises(ValueError, match="given twice"):
        optim.SGD([p, p], lr=0.1)
    with pytest.raises(ValueError, match="nesterov=True needs a momentum above 0"):
        optim.SGD([p], lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match=r"betas=\(0.9, 1.0\) must each be at least 0 and below 1"):
        optim.Adam([p], betas=(0.9, 1.0))
    assert len(optim.SGD(p, lr=0.1).param_groups[0]["params"]) == 1
