"""Each schedule sets PyTorch's rates, step by step and beyond its end, and goes on where it was saved."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pytest
import torch

from dlcourse import Tensor, optim
from dlcourse.optim import lr_scheduler

STEPS = 40
SCHEDULES = {
    "steps": ("StepLR", {"step_size": 7}),
    "steps of one": ("StepLR", {"step_size": 1, "gamma": 0.9}),
    "line": ("LinearLR", {}),
    "line up": ("LinearLR", {"start_factor": 0.1, "total_iters": 12}),
    "line to nothing": ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20}),
    "cosine": ("CosineAnnealingLR", {"T_max": 25}),
    "cosine up again": ("CosineAnnealingLR", {"T_max": 6}),
    "cosine above a floor": ("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.003}),
    "cosine of one": ("CosineAnnealingLR", {"T_max": 1, "eta_min": 0.003}),
    "cycle": ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS}),
    "cycle of epochs": ("OneCycleLR", {"max_lr": 0.5, "epochs": 8, "steps_per_epoch": 5}),
    "cycle of lines": ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "anneal_strategy": "linear"}),
    "cycle with an early peak": ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "pct_start": 0.1}),
    "cycle from the peak": ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "pct_start": 0.0}),
    "cycle with factors": (
        "OneCycleLR",
        {"max_lr": 0.5, "total_steps": STEPS, "div_factor": 5.0, "final_div_factor": 10.0},
    ),
    "cycle with momenta": (
        "OneCycleLR",
        {"max_lr": 0.5, "total_steps": STEPS, "base_momentum": 0.5, "max_momentum": 0.8},
    ),
    "cycle without momenta": ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "cycle_momentum": False}),
}
OPTIMIZERS = {
    "SGD": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD without momentum": ("SGD", {"lr": 0.1}),
    "RMSprop": ("RMSprop", {"lr": 0.01, "momentum": 0.5}),
    "Adam": ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    "AdamW": ("AdamW", {"lr": 0.05}),
}
START = [np.random.default_rng(0).standard_normal(shape) for shape in [(3, 4), (4,)]]


def pair(name: str, options: dict, groups: bool = False):
    """Our parameters and optimizer, and PyTorch's; as two groups with other rates if asked."""
    mine, peers = [Tensor(p, requires_grad=True) for p in START], [torch.tensor(p, requires_grad=True) for p in START]

    def grouped(p):
        return [{"params": p[:1], "lr": 0.2}, {"params": p[1:]}] if groups else p

    return (
        mine,
        getattr(optim, name)(grouped(mine), **options),
        peers,
        getattr(torch.optim, name)(grouped(peers), **options),
    )


def schedules(names: list[str], mine: optim.Optimizer, peer: torch.optim.Optimizer):
    """The named schedules over both optimizers."""
    cases = [SCHEDULES[name] for name in names]
    ours = [getattr(lr_scheduler, name)(mine, **options) for name, options in cases]
    return ours, [getattr(torch.optim.lr_scheduler, name)(peer, **options) for name, options in cases]


def gradients(step: int) -> list[np.ndarray]:
    rng = np.random.default_rng(step)
    return [rng.standard_normal(p.shape) for p in START]


def set_gradients(parameters, step: int) -> None:
    for p, g in zip(parameters, gradients(step), strict=True):
        p.grad = torch.tensor(g) if isinstance(p, torch.Tensor) else g


def momentum(group: dict) -> float:
    return group["betas"][0] if "betas" in group else group["momentum"]


def same_run(names: list[str], optimizer: str, groups: bool = False) -> None:
    mine, ours, peers, theirs = pair(*OPTIMIZERS[optimizer], groups)
    our_schedules, their_schedules = schedules(names, ours, theirs)
    for step in range(STEPS):
        for parameters, opt, running in ((mine, ours, our_schedules), (peers, theirs, their_schedules)):
            set_gradients(parameters, step)
            opt.step()
            for schedule in running:
                schedule.step()
        for a, b in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert a["lr"] == pytest.approx(b["lr"], rel=1e-9, abs=1e-14), step
            assert momentum(a) == pytest.approx(momentum(b), rel=1e-12), step
        for a, b in zip(our_schedules, their_schedules, strict=True):
            np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-9, atol=1e-14)
            assert a.last_epoch == b.last_epoch
        for p, t in zip(mine, peers, strict=True):
            np.testing.assert_allclose(p.data, t.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_momenta_and_parameters_are_pytorchs_at_every_step_and_beyond_the_end(name, optimizer):
    same_run([name], optimizer)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_group_follows_from_its_own_rate(name, optimizer):
    same_run([name], optimizer, groups=True)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize(
    "names",
    [["line up", "cosine"], ["line", "steps"], ["steps", "cosine above a floor"], ["line", "steps of one", "cosine"]],
    ids=" * ".join,
)
def test_schedules_on_one_optimizer_multiply_like_pytorchs(names, optimizer):
    same_run(names, optimizer)


def test_a_highest_rate_for_each_group_is_pytorchs():
    _, ours, _, theirs = pair("SGD", {"lr": 0.1}, groups=True)
    mine = lr_scheduler.OneCycleLR(ours, [0.1, 0.7], total_steps=5)
    peer = torch.optim.lr_scheduler.OneCycleLR(theirs, [0.1, 0.7], total_steps=5)
    for _ in range(5):
        assert mine.get_last_lr() == pytest.approx(peer.get_last_lr(), rel=1e-12)
        theirs.step()
        mine.step()
        peer.step()


def test_a_rate_set_by_hand_in_between_is_kept_like_pytorchs():
    _, ours, _, theirs = pair("SGD", {"lr": 0.1})
    (mine,), (peer,) = schedules(["cosine"], ours, theirs)
    for step in range(20):
        if step == 5:
            ours.param_groups[0]["lr"] = theirs.param_groups[0]["lr"] = 1.0
        theirs.step()
        mine.step()
        peer.step()
        assert mine.get_last_lr() == pytest.approx(peer.get_last_lr(), rel=1e-9)


def test_a_step_beyond_the_cycles_total_is_pytorchs_value_error():
    _, ours, _, theirs = pair("SGD", {"lr": 0.1})
    mine = optim.lr_scheduler.OneCycleLR(ours, 0.5, total_steps=3)
    peer = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.5, total_steps=3)
    theirs.step()
    for _ in range(3):
        mine.step()
        peer.step()
        assert mine.get_last_lr() == pytest.approx(peer.get_last_lr(), rel=1e-12)
    with pytest.raises(ValueError, match="step 4"):
        peer.step()
    with pytest.raises(ValueError, match="OneCycleLR: this is step 4 of a schedule with total_steps=3"):
        mine.step()


# ---- saving


def run(parameters, optimizer, schedule, first: int, last: int) -> None:
    for step in range(first, last):
        set_gradients(parameters, step)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_run_equals_the_unbroken_one_bit_for_bit(name, optimizer):
    unbroken, ours, _, _ = pair(*OPTIMIZERS[optimizer], groups=True)
    kind, options = SCHEDULES[name]
    schedule = getattr(lr_scheduler, kind)(ours, **options)
    run(unbroken, ours, schedule, 0, 15)
    saved = pickle.dumps(([p.data for p in unbroken], ours.state_dict(), schedule.state_dict()))
    run(unbroken, ours, schedule, 15, STEPS)

    arrays, of_optimizer, of_schedule = pickle.loads(saved)
    resumed, again, _, _ = pair(*OPTIMIZERS[optimizer], groups=True)
    for p, array in zip(resumed, arrays, strict=True):
        p.data[...] = array
    schedule = getattr(lr_scheduler, kind)(again, **options)
    again.load_state_dict(of_optimizer)
    schedule.load_state_dict(of_schedule)
    run(resumed, again, schedule, 15, STEPS)
    for p, q in zip(unbroken, resumed, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert [g["lr"] for g in ours.param_groups] == [g["lr"] for g in again.param_groups]


@pytest.mark.parametrize("name", SCHEDULES)
def test_last_epoch_goes_on_with_the_optimizers_rates(name):
    kind, options = SCHEDULES[name]
    _, ours, _, _ = pair("SGD", {"lr": 0.1}, groups=True)
    schedule = getattr(lr_scheduler, kind)(ours, **options)
    rates = []
    for step in range(STEPS):
        if step == 15:
            _, again, _, _ = pair("SGD", {"lr": 0.1}, groups=True)
            again.load_state_dict(ours.state_dict())
            resumed = getattr(lr_scheduler, kind)(again, **options, last_epoch=schedule.last_epoch - 1)
            assert resumed.get_last_lr() == schedule.get_last_lr()
        schedule.step()
        if step >= 15:
            resumed.step()
            rates.append((schedule.get_last_lr(), resumed.get_last_lr()))
    assert all(a == b for a, b in rates)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedules_state_is_a_copy_of_plain_numbers(name):
    _, ours, _, _ = pair("SGD", {"lr": 0.1})
    kind, options = SCHEDULES[name]
    schedule = getattr(lr_scheduler, kind)(ours, **options)
    state = schedule.state_dict()
    json.dumps(state)
    assert "optimizer" not in state
    state["base_lrs"][0] = 99.0
    schedule.get_last_lr()[0] = 99.0
    assert schedule.base_lrs[0] < 1
    assert schedule.get_last_lr()[0] < 1
    other = schedule.state_dict()
    schedule.load_state_dict(other)
    other["base_lrs"][0] = 99.0
    assert schedule.base_lrs[0] < 1


def test_the_state_of_another_schedule_is_refused():
    _, ours, _, _ = pair("SGD", {"lr": 0.1})
    _, two_groups, _, _ = pair("SGD", {"lr": 0.1}, groups=True)
    stairs = lr_scheduler.StepLR(ours, 3)
    with pytest.raises(ValueError, match=r"load_state_dict of StepLR for 1 groups needs .*another schedule\?"):
        stairs.load_state_dict(lr_scheduler.LinearLR(ours).state_dict())
    with pytest.raises(ValueError, match="for 1 groups"):
        stairs.load_state_dict(lr_scheduler.StepLR(two_groups, 3).state_dict())


# ---- errors


def test_a_whole_number_of_numpy_counts_steps():
    assert lr_scheduler.StepLR(pair("SGD", {"lr": 0.1})[1], np.int64(3)).step_size == 3


def test_wrong_options_are_explained():
    _, sgd, _, _ = pair("SGD", {"lr": 0.1})
    with pytest.raises(ValueError, match="step_size must be a whole number of steps above 0, not 0"):
        lr_scheduler.StepLR(sgd, 0)
    with pytest.raises(ValueError, match=r"T_max must be a whole number of steps above 0, not 2\.5"):
        lr_scheduler.CosineAnnealingLR(sgd, 2.5)
    with pytest.raises(ValueError, match="total_iters must be a whole number"):
        lr_scheduler.LinearLR(sgd, total_iters=0)
    with pytest.raises(ValueError, match=r"start_factor=0 must lie in \(0, 1\], end_factor=1.0"):
        lr_scheduler.LinearLR(sgd, start_factor=0)
    with pytest.raises(ValueError, match=r"total_steps, or epochs \* steps_per_epoch, must be a whole number"):
        lr_scheduler.OneCycleLR(sgd, 0.1, epochs=3)
    with pytest.raises(ValueError, match=r"pct_start=30 must lie in \[0, 1\]"):
        lr_scheduler.OneCycleLR(sgd, 0.1, 100, pct_start=30)
    with pytest.raises(ValueError, match="anneal_strategy='cosine' be 'cos' or 'linear'"):
        lr_scheduler.OneCycleLR(sgd, 0.1, 100, anneal_strategy="cosine")
    with pytest.raises(ValueError, match="max_lr has 2 values for 1 groups"):
        lr_scheduler.OneCycleLR(sgd, [0.1, 0.2], 100)
    with pytest.raises(ValueError, match=r"last_epoch=3 goes on with a schedule, but a group .* has no 'initial_lr'"):
        lr_scheduler.StepLR(pair("SGD", {"lr": 0.1})[1], 3, last_epoch=3)
    with pytest.raises(TypeError, match="StepLR sets the rates of an optimizer, not of float"):
        lr_scheduler.StepLR(0.1, 3)
    with pytest.raises(TypeError, match="OneCycleLR sets the rates of an optimizer, not of list"):
        lr_scheduler.OneCycleLR([], 0.1, 100)


def test_an_optimizer_without_momentum_cannot_cycle_it():
    class Plain(optim.Optimizer):
        pass

    plain = Plain([Tensor([1.0])], {"lr": 0.1})
    with pytest.raises(ValueError, match="no momentum to cycle; pass cycle_momentum=False"):
        lr_scheduler.OneCycleLR(plain, 0.1, 100)
    assert lr_scheduler.OneCycleLR(plain, 0.1, 100, cycle_momentum=False).get_last_lr() == [0.1 / 25]


def test_a_schedule_is_silent():
    _, sgd, _, _ = pair("SGD", {"lr": 0.1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lr_scheduler.StepLR(sgd, 3).step()
