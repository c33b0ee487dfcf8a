"""What unit 14's exercises say of games, slopes and records, held against the games, slopes and records themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.checks import evaluate, find
from dlcourse.checks.exercise import cases_of
from dlcourse.checks.gans.coverage import mode_coverage
from dlcourse.checks.gans.decibels import psnr
from dlcourse.checks.gans.distance import frechet_distance
from dlcourse.checks.gans.losses import discriminator_loss
from dlcourse.checks.gans.optimal import optimal_discriminator
from dlcourse.checks.gans.penalty import by_backward, cleared, gradient_penalty
from dlcourse.checks.gans.rescue import CENTERS, on_the_ring, stairs, told
from dlcourse.checks.gans.saturation import generator_loss
from dlcourse.checks.gans.spectral import spectral_norm
from dlcourse.checks.gans.stepping_answers import frozen_for_good, graph_left_out, program, train_step
from dlcourse.drivers import adversaries
from dlcourse.drivers.adversaries import (
    CHANGED,
    CUT,
    FROZEN,
    GONE,
    KEPT,
    OLD_WEIGHTS,
    SECOND_TIME,
    covers_the_ring,
    normalizes,
    penalizes,
    plays,
)
from dlcourse.models.gan_records import ring_records
from dlcourse.models.gan_torch import RingSettings, train_ring_gan


def first_case(id: str) -> list[Any]:
    return cases_of(find(id), 0)[0].materialize()


def test_the_reference_losses_equal_those_that_gans_are_trained_with():
    from dlcourse.models import gan_torch

    real, fake = np.random.default_rng(0).normal(scale=3, size=(2, 7))
    tensors = torch.tensor(real), torch.tensor(fake)
    assert np.isclose(discriminator_loss(real, fake), gan_torch.discriminator_loss(*tensors).item())
    assert np.isclose(generator_loss(fake), gan_torch.generator_loss(tensors[1]).item())


def test_the_reference_measures_equal_those_of_the_course():
    from dlcourse import metrics

    rng = np.random.default_rng(1)
    samples = 2 * rng.normal(size=(200, 2))
    assert mode_coverage(samples, CENTERS, 0.7, 8) == metrics.mode_coverage(samples, CENTERS, 0.7, 8)[:2]
    image, reference = rng.random(size=(2, 3, 4, 4))
    assert np.isclose(psnr(image, reference, 2.0), metrics.psnr(image, reference, 2.0))
    x, y = rng.normal(size=(2, 50, 4)) * [[[1.0]], [[2.0]]]
    ours = frechet_distance(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert np.isclose(ours, metrics.frechet_distance(x, y))


def test_no_discriminator_on_a_grid_has_a_smaller_loss_than_the_optimal_one():
    rng = np.random.default_rng(2)
    p, q = rng.dirichlet(np.ones(9), size=2) / 0.25
    D, js = optimal_discriminator(p, q, 0.25)

    def loss(D: Any) -> float:
        return float(-0.25 * (p * np.log(D) + q * np.log(1 - D)).sum())

    assert np.isclose(loss(D), 2 * np.log(2) - 2 * js)
    assert all(loss(np.clip(D + 0.01 * rng.normal(size=9), 0.001, 0.999)) > loss(D) for _ in range(100))


def test_the_reference_penalty_equals_the_slope_measured_by_differences():
    torch.manual_seed(0)
    D = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    x = torch.tensor([[0.3, -0.7]], dtype=torch.float64)
    penalty = gradient_penalty(D, x, 0 * x, torch.ones(1, 1).double()).item()
    nudges = 1e-5 * torch.eye(2, dtype=torch.float64)
    slope = [(D(x + nudge) - D(x - nudge)).item() / 2e-5 for nudge in nudges]
    assert np.isclose(penalty, (np.hypot(*slope) - 1) ** 2, rtol=1e-6)


def test_the_reference_spectral_norm_arrives_at_the_largest_singular_value_and_its_slope():
    torch.manual_seed(0)
    weight = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    c = torch.randn(6, 4, dtype=torch.float64)
    ours, u = spectral_norm(weight, torch.ones(6, dtype=torch.float64) / 6**0.5, 500)
    theirs = weight / torch.linalg.matrix_norm(weight, 2)
    assert torch.allclose(ours, theirs)
    assert torch.allclose(u.abs(), torch.linalg.svd(weight)[0][:, 0].abs())
    slopes = [torch.autograd.grad((c * normal).sum(), weight)[0] for normal in (ours, theirs)]
    assert torch.allclose(*slopes)


# --- the game -----------------------------------------------------------------------------------------------------


def test_a_turn_is_watched_step_by_step():
    facts = plays(train_step, *first_case("gans.train_step"))
    assert facts["who steps"] == "D, G"
    assert facts["the generator before the discriminator's step"] == adversaries.UNTOUCHED
    assert facts["the generator in the whole turn"] == adversaries.REACHED
    given = plays(program(detach=False, retain=True), *first_case("gans.train_step"))
    assert given["the generator before the discriminator's step"] == adversaries.REACHED
    assert given["weights of G at the end"].tolist() == facts["weights of G at the end"].tolist()


@pytest.mark.parametrize(
    ("answer", "told"), [(gradient_penalty, KEPT), (cleared, GONE), (by_backward(create_graph=True), CHANGED)]
)
def test_what_becomes_of_gradients_that_were_there_before_a_penalty_is_told(answer, told):
    assert penalizes(answer, *first_case("gans.gradient_penalty"))["gradients in the weights of D"] == told


def test_troubles_with_graphs_are_told_from_other_errors():
    case = first_case("gans.train_step")
    assert plays(graph_left_out, *case) == {"the way back": CUT}
    assert plays(frozen_for_good, *case) == {"the way back": FROZEN}
    assert plays(program(detach=False), *case) == {"the way back": SECOND_TIME}
    assert plays(program(order="G measured early"), *case) == {"the way back": OLD_WEIGHTS}

    def another(*args: Any) -> Any:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        plays(another, *case)


@pytest.mark.parametrize(
    ("given", "form"),
    [((1.0,), "1 values"), (2.0, "one number"), ((1.0, torch.zeros(1)), "a Tensor in place of a number")],
)
def test_the_form_of_what_a_turn_hands_back_is_told(given, form):
    assert plays(lambda *args: given, *first_case("gans.train_step"))["form of the result"] == form


def test_a_turn_that_hands_back_nothing_is_none():
    assert plays(lambda *args: None, *first_case("gans.train_step")) is None


def test_the_half_mended_games_hold_the_faults_that_their_names_say():
    names = {wrong.name for wrong in find("gans.train_step").wrong}
    assert {"detach-left", "zero-left", "minimax-left", "detach-and-zero-left", "zero-and-minimax-left"} <= names
    as_given = program(forget_D="never", minimax=True, forget_G="at the top", detach=False, retain=True)
    assert evaluate("gans.train_step", as_given).mistake == "as-given"


# --- slopes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "form"),
    [(3.0, "a number, not a tensor"), (torch.zeros(2), "a tensor of shape (2,)"), (np.zeros(2), "an array")],
)
def test_the_form_of_a_penalty_is_told(given, form):
    assert penalizes(lambda *args: given, *first_case("gans.gradient_penalty"))["form of the result"] == form


def test_a_penalty_without_a_graph_says_so():
    given = penalizes(lambda D, real, fake, mix: torch.tensor(1.0), *first_case("gans.gradient_penalty"))
    assert given["slopes of the penalty in the weights of D"] == adversaries.NO_GRAPH
    assert penalizes(lambda *args: None, *first_case("gans.gradient_penalty")) is None


@pytest.mark.parametrize(
    ("given", "form"),
    [((torch.zeros(2), 1.0), "two values that are not both tensors"), ((1, 2, 3), "3 values"), (torch.zeros(2), "a Tensor")],
)  # fmt: skip
def test_the_form_of_a_spectral_norm_is_told(given, form):
    assert normalizes(lambda *args: given, *first_case("gans.spectral_norm"))["form of the result"] == form


# --- records ------------------------------------------------------------------------------------------------------


def near(samples: Any) -> Any:
    """Samples within 0.5 of each center, (8,)."""
    distances = np.linalg.norm(samples[:, None] - CENTERS, axis=2)
    return np.bincount(distances.argmin(1)[distances.min(1) < 0.5], minlength=8)


def test_the_records_show_what_the_messages_say():
    A, B, C, D, E = ring_records().values()
    assert all(record.samples.shape == (3, 120, 2) and len(record.steps) == 60 for record in (A, B, C, D, E))
    assert {int(near(samples).argmax()) for samples in A.samples} == {3}
    assert all(near(samples)[3] > 80 and near(samples).sum() == near(samples)[3] for samples in A.samples)
    late = A.steps > 300
    assert max(np.ptp(A.loss_D[late]), np.ptp(A.loss_G[late])) < 0.12
    assert B.loss_D.min() > 1.355
    assert B.loss_D.max() < 1.43
    assert B.samples.std(axis=1).max() < 0.02
    assert not any(near(samples).any() for samples in B.samples)
    counts = [int(near(samples).sum()) for samples in C.samples]
    assert counts == sorted(counts)
    assert all((near(samples) > 0).all() for samples in C.samples)
    assert abs(C.loss_D[-1] - 2 * np.log(2)) < 0.15
    assert abs(C.loss_G[-1] - np.log(2)) < 0.15
    assert np.ptp(D.loss_D[late]) > 1
    assert np.ptp(D.loss_D[-20:]) > 0.5
    assert min(np.linalg.norm(a - b) for a, b in zip(D.samples.mean(1), D.samples[1:].mean(1), strict=False)) > 1
    early = E.steps > 200
    assert max(np.abs(E.loss_D[early]).max(), np.abs(E.loss_G[early]).max()) < 0.001
    assert np.abs(E.samples - E.samples[0]).max() < 0.02


# --- the ring -----------------------------------------------------------------------------------------------------


class Own(nn.Module):
    """No Sequential."""


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (nn.Linear, "a class"),
        (RingSettings(), "settings"),
        ({"beta1": 0.5}, "settings"),
        ({"gamma": 0.5}, "a dict"),
        (np.zeros((3, 2)), "samples"),
        (torch.zeros(3, 2), "samples"),
        (3.0, "a float"),
        (lambda z: z, "a function"),
        (Own(), "a Module of another class than Sequential"),
        (nn.Sequential(), "it has no layers"),
        (nn.Sequential(nn.Linear(63, 2)), "another size of z"),
        (nn.Sequential(nn.Linear(64, 3)), "what comes out for each z has shape (3,)"),
        (nn.Sequential(nn.Linear(64, 5), Own()), "it has a layer that is not on the list: Own, a class of your own"),
        (nn.Sequential(nn.Linear(64, 5), nn.Linear(4, 2)), "layer 2, Linear, cannot take what comes: (5,)"),
    ],
)
def test_what_is_no_generator_is_told(answer, form):
    assert covers_the_ring(answer) == {"form": form}


def test_nothing_yet_is_none():
    assert covers_the_ring(None) is None


def test_the_samples_are_those_that_pytorch_draws_from_the_same_noise():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 2)).eval()
    z = torch.from_numpy(np.random.default_rng(14).normal(size=(2000, 64))).float()
    with torch.no_grad():
        assert np.allclose(covers_the_ring(network)["samples"], network(z), atol=1e-5)


@pytest.mark.parametrize(
    ("points", "fate"),
    [
        (on_the_ring(), "they cover the ring"),
        (on_the_ring(7, 3), "they cover the ring"),
        (on_the_ring(6, 3), "some modes, well"),
        (on_the_ring(8, 16), "they cover the ring"),
        (on_the_ring(8, 24), "all over, and too few near a center"),
        (on_the_ring(1, 1), "one mode"),
        (on_the_ring(1, 9), "hardly a mode"),
        (on_the_ring(size=1.0), "a ring of another size"),
        (on_the_ring(turn=np.pi / 8), "a ring turned by half a step"),
        (on_the_ring(3, 12), "some modes, with strays"),
        (on_the_ring() + 30, "far outside"),
    ],
)
def test_the_fate_of_samples_is_told(points, fate):
    assert told(covers_the_ring(stairs(points))["samples"]) == fate


def test_a_function_that_could_be_called_without_arguments_is_not_called():
    def train(settings=None):
        raise AssertionError("called")

    assert covers_the_ring(train) == {"form": "a function"}


def test_the_weights_alone_and_several_things_are_told_apart_from_samples():
    network = nn.Sequential(nn.Linear(64, 2))
    assert covers_the_ring(network.state_dict()) == {"form": adversaries.WEIGHTS}
    assert covers_the_ring((network, network)) == {"form": adversaries.SEVERAL}
    assert covers_the_ring((0.5, 0.5)) == {"form": "samples"}


def test_settings_that_the_hints_lead_to_rescue_the_game():
    settings = RingSettings(beta1=0.5, r1=0.1, lr_generator=0.002, lr_discriminator=0.002)
    run = train_ring_gan(settings, seed=1, steps=1000, progress=False)
    assert evaluate("gans.rescue", run.generator).passed
    assert evaluate("gans.rescue", run).mistake == "whole-run"
    assert evaluate("gans.rescue", settings).mistake == "settings-alone"
    assert evaluate("gans.rescue", run.discriminator).mistake == "another-size-of-z"
