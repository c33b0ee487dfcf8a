"""Each optimizer takes PyTorch's steps, twenty of them, over its options."""

from __future__ import annotations

import copy
import pickle

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
    with pytest.raises(TypeError, match="each group must be a dict with 'params', this is a Parameter"):
        optim.SGD([{"params": [p]}, nn.Parameter([1.0])], lr=0.1)
    with pytest.raises(TypeError, match=r"this is a dict\['param'\]"):
        optim.SGD([{"param": [p]}], lr=0.1)
    assert len(optim.SGD(p, lr=0.1).param_groups[0]["params"]) == 1


# ---- saving


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_beside_its_parameters_goes_on_with_the_same_steps(duplicate):
    parameters, optimizer = fresh("Adam")
    take_steps(parameters, optimizer, 0, 3)
    twins, twin = duplicate((parameters, optimizer))
    for tensors, one in ((parameters, optimizer), (twins, twin)):
        take_steps(tensors, one, 3, 5)
    for p, q in zip(parameters, twins, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def take_steps(parameters: list[Tensor], optimizer: optim.Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        for p, g in zip(parameters, gradients(step), strict=True):
            p.grad = None if g is None else g.astype(p.dtype)
        optimizer.step()


def fresh(case: str, dtype: type = np.float64) -> tuple[list[Tensor], optim.Optimizer]:
    name, options = CASES[case]
    parameters = [Tensor(p.astype(dtype), requires_grad=True) for p in START]
    groups = [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.02}]
    return parameters, getattr(optim, name)(groups, **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_equals_the_unbroken_one_bit_for_bit(case, dtype):
    unbroken, optimizer = fresh(case, dtype)
    take_steps(unbroken, optimizer, 0, 7)
    optimizer.param_groups[0]["lr"] = 0.03
    saved = pickle.dumps(([p.data for p in unbroken], optimizer.state_dict()))
    take_steps(unbroken, optimizer, 7, 20)

    arrays, state = pickle.loads(saved)
    resumed, again = fresh(case, dtype)
    for p, array in zip(resumed, arrays, strict=True):
        p.data[...] = array
    again.load_state_dict(state)
    take_steps(resumed, again, 7, 20)
    for p, q in zip(unbroken, resumed, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        assert q.dtype == dtype


@pytest.mark.parametrize("case", CASES)
def test_a_saved_state_has_pytorchs_form_of_arrays_and_plain_numbers(case):
    name, options = CASES[case]
    parameters, optimizer = fresh(case)
    take_steps(parameters, optimizer, 0, 2)
    theirs = [torch.tensor(p, requires_grad=True) for p in START]
    peer = getattr(torch.optim, name)([{"params": theirs[:2]}, {"params": theirs[2:], "lr": 0.02}], **options)
    sum(t.sum() for t in theirs).backward()
    peer.step()
    state, expected = optimizer.state_dict(), peer.state_dict()
    assert state.keys() == expected.keys()
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    for group, peer_group in zip(state["param_groups"], expected["param_groups"], strict=True):
        assert {key: peer_group[key] for key in group} == group
    assert set(state["state"]) <= {0, 1, 2}
    for number, values in state["state"].items():
        for value in values.values():
            assert isinstance(value, int | float) or value.shape == START[number].shape


def test_a_saved_state_shares_nothing_with_the_optimizer():
    parameters, optimizer = fresh("Adam")
    take_steps(parameters, optimizer, 0, 2)
    state = optimizer.state_dict()
    kept = pickle.dumps(state)
    take_steps(parameters, optimizer, 2, 3)
    assert pickle.dumps(state) == kept
    optimizer.load_state_dict(state)
    take_steps(parameters, optimizer, 2, 3)
    assert pickle.dumps(state) == kept
    assert optimizer.param_groups[0]["params"][0] is parameters[0]


def test_a_state_that_does_not_fit_is_named_and_changes_nothing():
    parameters, adam = fresh("Adam")
    take_steps(parameters, adam, 0, 2)
    before = pickle.dumps(adam.state_dict())
    with pytest.raises(
        ValueError, match=r"load_state_dict of Adam: .* have \[1\] parameters, this optimizer's \[2, 1\]"
    ):
        adam.load_state_dict(optim.Adam([Tensor([1.0])]).state_dict())
    with pytest.raises(ValueError, match=r"the saved state has no \['betas', 'eps'\]; is it another optimizer's"):
        adam.load_state_dict(fresh("SGD")[1].state_dict())
    with pytest.raises(ValueError, match=r"the saved groups have \[\] parameters"):
        adam.load_state_dict({})
    wrong = adam.state_dict()
    array_names = [name for name, value in wrong["state"][1].items() if isinstance(value, np.ndarray)]
    wrong["state"][1][array_names[-1]] = np.zeros(5)
    with pytest.raises(ValueError, match=r"of parameter 1 has shape \(5,\), the parameter \(4,\)"):
        adam.load_state_dict(wrong)
    assert pickle.dumps(adam.state_dict()) == before
