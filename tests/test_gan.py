"""Losses and penalties of GANs, the trainings on line, ring and digits, and the judge of digits."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from dlcourse.data import load_digits
from dlcourse.models import gan_torch
from dlcourse.models.cnn_torch import DigitsCNN
from dlcourse.models.digits_gan_torch import DCGAN, DigitsGAN, judge_digits, train_dcgan, train_digits_gan
from dlcourse.models.gan_runs import digits_runs, ring_runs
from dlcourse.models.gan_torch import (
    RING_CENTERS,
    RING_SETTINGS,
    RingSettings,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    minimax_generator_loss,
    r1_penalty,
    ring_coverage,
    train_ring_gan,
)
from dlcourse.models.line_gan_torch import real_density, train_line_gan

LOGITS = torch.tensor([-3.0, 0.2, 1.7], dtype=torch.float64)
OTHERS = torch.tensor([2.0, -0.4, 0.0], dtype=torch.float64)


# ---- losses


def test_the_discriminators_loss_is_binary_cross_entropy_of_both_halves():
    BCE = nn.functional.binary_cross_entropy_with_logits
    expected = BCE(LOGITS, torch.ones(3).double()) + BCE(OTHERS, torch.zeros(3).double())
    assert discriminator_loss(LOGITS, OTHERS).item() == pytest.approx(expected.item())


def test_a_discriminator_that_cannot_tell_loses_two_log_two():
    assert discriminator_loss(torch.zeros(5), torch.zeros(2)).item() == pytest.approx(2 * math.log(2))


def test_the_generators_two_losses_are_the_logarithms_of_the_two_answers():
    D = torch.sigmoid(LOGITS)
    assert generator_loss(LOGITS).item() == pytest.approx((-D.log()).mean().item())
    assert minimax_generator_loss(LOGITS).item() == pytest.approx((1 - D).log().mean().item())


def test_only_the_minimax_gradient_dies_where_the_discriminator_is_sure():
    for loss, slope in ((generator_loss, -1.0), (minimax_generator_loss, 0.0)):
        logit = torch.tensor([-30.0], requires_grad=True)
        loss(logit).backward()
        assert logit.grad.item() == pytest.approx(slope, abs=1e-6)


def test_large_logits_overflow_nowhere():
    huge = torch.tensor([-1e4, 1e4], requires_grad=True)
    total = discriminator_loss(huge, -huge) + generator_loss(huge) + minimax_generator_loss(huge)
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(huge.grad).all()


# ---- penalties


def test_the_gradient_penalty_of_a_linear_critic_is_its_slope_minus_one_squared():
    w = torch.tensor([[3.0], [4.0]], requires_grad=True)
    penalty = gradient_penalty(lambda x: x @ w, torch.randn(6, 2), torch.randn(6, 2))
    assert penalty.item() == pytest.approx((5 - 1) ** 2)
    penalty.backward()  # 2 (‖w‖ - 1) w / ‖w‖
    np.testing.assert_allclose(w.grad.numpy(), [[4.8], [6.4]], rtol=1e-5)


def test_r1_of_a_linear_critic_is_half_its_slope_squared():
    w = torch.tensor([[3.0], [4.0]], requires_grad=True)
    penalty = r1_penalty(lambda x: x @ w, torch.randn(6, 2))
    assert penalty.item() == pytest.approx(12.5)
    penalty.backward()
    np.testing.assert_allclose(w.grad.numpy(), [[3.0], [4.0]], rtol=1e-5)


def test_the_gradient_penalty_looks_at_lines_from_real_to_fake():
    seen = []
    real, fake = torch.zeros(200, 2), torch.tensor([[1.0, 2.0]]).repeat(200, 1)
    gradient_penalty(lambda x: seen.append(x.detach()) or x.sum(1), real, fake, torch.Generator().manual_seed(0))
    (points,) = seen
    torch.testing.assert_close(points[:, 1], 2 * points[:, 0])  # one share for both coordinates
    assert 0 <= points[:, 0].min() < 0.1
    assert 0.9 < points[:, 0].max() <= 1


def test_each_image_has_one_slope():
    penalty = gradient_penalty(lambda x: 2 * x.flatten(1)[:, 0], torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4))
    assert penalty.item() == pytest.approx(1)


def test_penalties_send_no_gradient_to_the_samples():
    real, fake = torch.randn(4, 2, requires_grad=True), torch.randn(4, 2, requires_grad=True)
    D = gan_torch.mlp(2, 1, 8)
    (gradient_penalty(D, real, fake) + r1_penalty(D, real)).backward()
    assert real.grad is None
    assert fake.grad is None
    assert D[0].weight.grad is not None


def test_a_penalty_needs_as_many_fakes_as_reals():
    with pytest.raises(ValueError, match=r"real \(4, 2\), fake \(3, 2\)"):
        gradient_penalty(gan_torch.mlp(2, 1, 4), torch.zeros(4, 2), torch.zeros(3, 2))


# ---- the ring


def test_plain_adam_loses_the_ring_and_less_memory_with_r1_covers_it():
    plain = train_ring_gan(seed=0, steps=700, progress=False)
    cured = train_ring_gan(RING_SETTINGS["β₁ = 0.5 and R1"], seed=0, steps=700, progress=False)
    assert plain.coverage[-1].modes <= 3
    assert cured.coverage[-1].modes >= 7
    assert ring_coverage(cured.sample(2000)).modes >= 7


@pytest.mark.parametrize("name", RING_SETTINGS)
def test_every_setting_trains_and_keeps_frames(name):
    run = train_ring_gan(RING_SETTINGS[name], steps=24, frames=3, progress=False)
    assert run.frames.shape == (3, 400, 2)
    assert run.grids.shape == (3, 40, 40)
    assert run.frame_steps.tolist() == [0, 12, 24]
    assert run.losses.shape == (24, 2)
    assert run.coverage_steps.tolist() == list(range(1, 25))
    assert np.isfinite(run.grids).all()
    assert not np.array_equal(run.frames[0], run.frames[-1])


def test_looking_changes_nothing():
    settings = RingSettings(spectral_norm=True)
    seen, unseen = (train_ring_gan(settings, steps=30, frames=frames, progress=False) for frames in (10, 0))
    np.testing.assert_array_equal(seen.losses, unseen.losses)
    np.testing.assert_array_equal(seen.sample(20), unseen.sample(20))


def test_a_seed_repeats_a_run_and_leaves_pytorchs_generator_alone():
    before = torch.get_rng_state()
    runs = [train_ring_gan(seed=seed, steps=5, progress=False).losses for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert torch.equal(before, torch.get_rng_state())


def test_a_grid_shows_the_discriminator_from_the_lower_left_corner():
    run = train_ring_gan(steps=3, frames=2, progress=False)
    corner = torch.tensor([[-3.0, -3.0], [3.0, -3.0], [-3.0, 3.0]])
    with torch.no_grad():
        expected = run.discriminator(corner)[:, 0].numpy()
    np.testing.assert_allclose(run.grids[-1][[0, 0, -1], [0, -1, 0]], expected, atol=1e-5)


def test_the_discriminator_under_spectral_norm_is_nowhere_steeper_than_its_scale():
    run = train_ring_gan(RingSettings(spectral_norm=True), steps=60, progress=False)
    points = torch.randn(500, 2, requires_grad=True)
    (slopes,) = torch.autograd.grad(run.discriminator(points).sum(), points)
    assert slopes.norm(dim=1).max() < 1.1 * gan_torch.SPECTRAL_SCALE


def test_the_opponent_ahead_is_where_adam_would_take_the_discriminator():
    game = gan_torch._Ring(RingSettings(unrolled=4, through=True), seed=0)
    for _ in range(3):
        game.step()
    fake, points, start = game.G(game.noise()), torch.randn(50, 2), game.generator.get_state()
    found = game.opponent(fake)(points)

    game.generator.set_state(start)
    for _ in range(4):  # the discriminator itself goes there
        game.D_optimizer.zero_grad()
        game.loss(game.D, game.real(), fake.detach()).backward()
        game.D_optimizer.step()
    torch.testing.assert_close(found, game.D(points), atol=1e-4, rtol=1e-3)


def test_only_through_the_steps_does_the_opponent_depend_on_the_fakes():
    for through in (False, True):
        game = gan_torch._Ring(RingSettings(unrolled=2, through=through), seed=0)
        game.update(game.D, game.D_optimizer)
        fake = game.G(game.noise()).detach().requires_grad_()
        elsewhere = game.opponent(fake)(torch.randn(50, 2)).sum()
        (slope,) = torch.autograd.grad(elsewhere, fake, allow_unused=True)
        assert (slope is not None) == through


def test_unrolling_leaves_the_discriminator_to_its_own_steps():
    game = gan_torch._Ring(RingSettings(unrolled=3), seed=0)
    before = [parameter.clone() for parameter in game.D.parameters()]
    ahead = game.ahead()
    assert all(torch.equal(old, new) for old, new in zip(before, game.D.parameters(), strict=True))
    assert not torch.equal(ahead[0].weight, game.D[0].weight)


def test_real_samples_cover_the_ring():
    real = gan_torch.real_ring(2000, torch.Generator().manual_seed(0)).numpy()
    found = ring_coverage(real)
    assert found.modes == 8
    assert found.quality == 1
    assert np.linalg.norm(real[:, None] - RING_CENTERS, axis=-1).min(1).mean() == pytest.approx(0.025, abs=0.003)


@pytest.mark.parametrize(
    "change",
    [{"loss": "hinge"}, {"beta1": 1.0}, {"lr_generator": 0.0}, {"r1": -1.0}, {"batch": 0}, {"unrolled": -1}],
    ids=lambda change: next(iter(change)),
)
def test_settings_that_make_no_sense_are_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"{name}="):
        dataclasses.replace(RingSettings(), **change)


def test_whole_numbers_will_do_for_the_memory_of_adam():
    whole, parts = (train_ring_gan(RingSettings(beta1=b), steps=3, progress=False) for b in (0, 0.0))
    for a, b in zip(whole.generator.parameters(), parts.generator.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_setting_in_quotation_marks_is_refused():
    with pytest.raises(TypeError, match=r"beta1='0\.5'; it must be a number"):
        RingSettings(beta1="0.5")


def test_an_interrupted_run_is_given_back(monkeypatch):
    def interrupted(samples):
        raise KeyboardInterrupt

    monkeypatch.setattr(gan_torch, "ring_coverage", interrupted)
    run = train_ring_gan(steps=48, frames=2, progress=False)
    assert len(run.losses) == 2
    assert len(run.frames) == 1
    assert run.coverage == []


def test_no_steps_are_refused_by_every_training():
    for train in (train_ring_gan, train_line_gan, train_digits_gan, train_dcgan):
        with pytest.raises(ValueError, match=rf"{train.__name__}: steps=0"):
            train(steps=0, progress=False)


# ---- the line


def test_the_density_of_the_line_integrates_to_one():
    x = np.linspace(-10, 10, 4001)
    assert np.trapezoid(real_density(x), x) == pytest.approx(1)


def test_the_generator_on_the_line_comes_near_the_density():
    run = train_line_gan(seed=0, steps=600, frames=3, progress=False)
    distance = np.abs(run.generated - run.real).sum(1) * (run.grid[1] - run.grid[0])  # 2 where nothing overlaps
    assert distance[0] > 0.8
    assert distance[-1] < 0.6
    assert run.frame_steps.tolist() == [0, 300, 600]
    assert run.losses.shape == (600, 2)
    inside = run.real > 0.05
    assert np.abs(run.judged[-1][inside] - 0.5).max() < 0.3  # it can hardly tell


# ---- digits


def neighbors():
    X, _, y, _ = load_digits()
    return KNeighborsClassifier(3).fit(X, y)


def test_the_conditional_gan_draws_the_digit_it_is_told_to():
    before = torch.get_rng_state()
    model = train_digits_gan(steps=500, progress=False)
    labels = np.arange(300) % 10
    pictures = model.sample(labels, np.random.default_rng(0))
    assert pictures.shape == (300, 1, 8, 8)
    assert 0 <= pictures.min() <= pictures.max() <= 1
    assert (neighbors().predict(pictures.reshape(300, 64)) == labels).mean() > 0.8
    assert not model.training  # else a picture would hang on the others of its batch
    assert len(model.history) == 500
    assert torch.equal(before, torch.get_rng_state())


def test_dcgan_without_norms_draws_one_picture_and_batch_norm_spreads_it():
    spread = {}
    for batch_norm in (False, True):
        model = train_dcgan(steps=150, batch_norm=batch_norm, progress=False)
        pictures = model.sample(200, np.random.default_rng(0))
        spread[batch_norm] = pictures.reshape(200, 64).std(0).mean()
    real = load_digits()[0].std(0).mean()
    assert spread[False] < 0.35 * real
    assert spread[True] > 0.6 * real


def test_a_picture_hangs_on_its_own_noise_and_label_only():
    model = DigitsGAN().eval()
    z, labels = np.random.default_rng(1).standard_normal((5, model.latent)), np.array([3, 1, 4, 1, 5])
    together = model.draw(z, labels)
    alone = np.concatenate([model.draw(z[i : i + 1], labels[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_the_same_generator_draws_the_same_pictures():
    model, dcgan = DigitsGAN().eval(), DCGAN()
    first, second = (model.sample(np.array([1, 2]), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    first, second = (dcgan.sample(4, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_noise_of_another_size_and_labels_that_are_no_digits_are_refused():
    model = DigitsGAN()
    with pytest.raises(ValueError, match=r"give \(N, 16\)"):
        model.draw(np.zeros((2, 3)), np.array([1, 2]))
    with pytest.raises(ValueError, match="digits from 0 to 9"):
        model.draw(np.zeros((2, 16)), np.array([1, 10]))


def test_the_judge_counts_classes_and_finds_copies():
    torch.manual_seed(0)
    classifier = DigitsCNN().eval()
    X, _, _, _ = load_digits()
    found = judge_digits(X[:50], classifier=classifier)
    assert found.nearest == pytest.approx(0, abs=1e-6)
    assert found.accuracy is None
    one = judge_digits(np.repeat(X[:1], 50, axis=0) + 1e-4, classifier=classifier)
    assert one.classes == 1
    assert one.frechet > found.frechet
    with torch.no_grad():
        seen = classifier(torch.from_numpy(X[:50]).view(-1, 1, 8, 8)).argmax(1).numpy()
    seen[:10] = (seen[:10] + 1) % 10
    assert judge_digits(X[:50], seen, classifier).accuracy == pytest.approx(0.8)


def test_the_judge_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(4, 28, 28\)"):
        judge_digits(np.zeros((4, 28, 28)))
    with pytest.raises(ValueError, match=r"labels of shape \(3,\)"):
        judge_digits(np.zeros((4, 64)), np.zeros(3))


# ---- what was measured


def test_the_measured_runs_hold_every_setting_and_the_targets():
    ring, digits = ring_runs(), digits_runs()
    assert list(ring) == list(RING_SETTINGS)
    assert all(len(runs) >= 3 for runs in ring.values())
    assert max(run.late_modes for run in ring["base"]) <= 3
    assert min(run.modes for run in ring["β₁ = 0.5 and R1"]) >= 7
    assert all(run.frechet <= 20 and run.confident >= 0.85 and run.classes == 10 for run in digits["conditional"])
    assert all(run.classes <= 3 for run in digits["DCGAN"])
