"""Twice as large: the photograph's parts, the network, its sharpened copy, and what many runs came to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as TF  # noqa: N812

from dlcourse.data import load_photograph
from dlcourse.metrics import psnr
from dlcourse.models import super_resolution_torch
from dlcourse.models.image_runs import measured
from dlcourse.models.super_resolution_torch import (
    PatchJudge,
    SuperResolver,
    bicubic,
    enlarge,
    sharpen,
    sharpness,
    shrink,
    split,
    train_super_resolution,
)

QUICK = {"batch": 4, "size": 8, "progress": False}
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photo():
    return split()


@pytest.fixture(scope="module")
def trained():
    return train_super_resolution(steps=200, progress=False)


def features():
    torch.manual_seed(0)
    return torch.nn.Conv2d(1, 4, 3)


# ---- the data


def test_the_two_parts_make_up_the_photograph(photo):
    np.testing.assert_array_equal(np.concatenate([photo.test, photo.train], axis=2), load_photograph())
    assert photo.test.shape == (3, 180, 72)
    assert photo.test_low.shape == (3, 90, 36)
    np.testing.assert_array_equal(photo.train_low, shrink(photo.train))


@pytest.mark.parametrize("columns", [0, -2, 7, 240, 300])
def test_columns_that_leave_nothing_or_half_a_pixel_are_refused(columns):
    with pytest.raises(ValueError, match=f"columns={columns}"):
        split(columns=columns)


def test_a_photograph_of_odd_height_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 181, 240\)"):
        split(np.zeros((3, 181, 240), np.float32))


def test_an_even_picture_stays_even():
    gray = np.full((1, 12, 10), 0.3, np.float32)
    np.testing.assert_allclose(shrink(gray), 0.3, atol=1e-6)
    np.testing.assert_allclose(bicubic(gray), 0.3, atol=1e-6)
    assert shrink(gray).shape == (1, 6, 5)
    assert bicubic(gray).shape == (1, 24, 20)


def test_shrinking_smooths_away_what_has_no_room():
    board = np.indices((16, 16)).sum(axis=0)[None] % 2
    np.testing.assert_allclose(shrink(board.astype(np.float32))[:, 2:-2, 2:-2], 0.5, atol=0.02)


def test_pixels_stay_between_0_and_1():
    edge = np.zeros((1, 16, 16), np.float32)
    edge[..., 8:] = 1
    assert bicubic(edge).min() == 0  # interpolation with cubics overshoots at edges
    assert bicubic(edge).max() == 1


@pytest.mark.parametrize("function", [shrink, bicubic, lambda image: enlarge(SuperResolver(4), image)])
def test_a_picture_without_channels_is_refused(function):
    with pytest.raises(ValueError, match=r"\(8, 8\); give \(C, H, W\)"):
        function(np.zeros((8, 8), np.float32))


# ---- networks and measures


def test_a_fresh_network_is_bicubic_interpolation(photo):
    np.testing.assert_allclose(enlarge(SuperResolver(), photo.test_low), bicubic(photo.test_low), atol=1e-6)


def test_channels_do_not_mix(trained):
    image = rng.random((3, 8, 8)).astype(np.float32)
    whole = enlarge(trained, image)
    for c in range(3):
        np.testing.assert_allclose(enlarge(trained, image[c : c + 1]), whole[c : c + 1], atol=1e-5)


def test_the_discriminator_scores_patches():
    assert PatchJudge()(torch.zeros(2, 1, 32, 32)).shape == (2, 1, 8, 8)


def test_sharpness_is_1_for_the_picture_itself_and_a_quarter_at_half_the_contrast(photo):
    assert sharpness(photo.test, photo.test) == 1
    assert sharpness(0.5 * photo.test + 0.2, photo.test) == pytest.approx(0.25, rel=1e-4)
    assert sharpness(bicubic(photo.test_low), photo.test) < 0.5


def test_sharpness_of_different_shapes_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 4, 4\) and reference \(1, 4, 6\)"):
        sharpness(np.zeros((1, 4, 4)), np.zeros((1, 4, 6)))


def test_small_and_large_patches_show_the_same_place():
    ramp = np.linspace(0, 1, 40 * 60, dtype=np.float32).reshape(1, 40, 60) + 0.1 * rng.random((1, 40, 60))
    large = torch.from_numpy(ramp.astype(np.float32))[:, None]
    low = TF.avg_pool2d(large, 2)
    x, y = super_resolution_torch._patches(low, large, 32, 6, np.random.default_rng(0))
    np.testing.assert_allclose(TF.avg_pool2d(y, 2).numpy(), x.numpy(), atol=1e-6)


# ---- training


def test_the_network_beats_bicubic_interpolation_where_it_was_not_trained(trained, photo):
    gain = psnr(enlarge(trained, photo.test_low), photo.test) - psnr(bicubic(photo.test_low), photo.test)
    assert gain > 0.3


def test_sharpening_makes_a_sharper_picture_that_is_further_off(trained, photo):
    sharpened = sharpen(trained, steps=120, adversarial=0.02, features=features(), progress=False)
    plain, sharper = enlarge(trained, photo.test_low), enlarge(sharpened, photo.test_low)
    assert sharpness(sharper, photo.test) > sharpness(plain, photo.test) + 0.05
    assert psnr(sharper, photo.test) < psnr(plain, photo.test)


def test_sharpening_leaves_the_network_it_is_given_as_it_was(trained):
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    history = list(trained.history)
    sharpened = sharpen(trained, steps=2, features=features(), **QUICK)
    assert len(sharpened.history) == 2
    assert trained.history == history
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name])
        assert not torch.equal(value, sharpened.state_dict()[name])


def test_without_the_perceptual_term_no_features_are_needed(trained, monkeypatch):
    monkeypatch.setattr(super_resolution_torch, "pretrained_classifier", lambda: pytest.fail("was asked for"))
    assert len(sharpen(trained, steps=1, perceptual=0.0, **QUICK).history) == 1


def test_the_perceptual_term_alone_changes_the_loss(trained):
    with_it, without = (
        sharpen(trained, steps=1, adversarial=0.0, perceptual=weight, features=features(), **QUICK)
        for weight in (1.0, 0.0)
    )
    assert with_it.history[0] > without.history[0]


def test_training_is_the_same_from_the_same_seed_and_leaves_torchs_generator_alone(trained):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (train_super_resolution(seed=seed, steps=3, **QUICK).history for seed in (1, 1, 2))
    assert one == same != other
    one, same, other = (sharpen(trained, seed=s, steps=3, perceptual=0.0, **QUICK).history for s in (1, 1, 2))
    assert one == same != other
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("train", ["train_super_resolution", "sharpen"])
def test_an_interrupt_returns_the_network_as_far_as_it_came(train, monkeypatch):
    calls = []
    patches = super_resolution_torch._patches

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return patches(*arguments)

    monkeypatch.setattr(super_resolution_torch, "_patches", interrupted)
    if train == "sharpen":
        model = sharpen(SuperResolver(), steps=50, perceptual=0.0, **QUICK)
    else:
        model = train_super_resolution(steps=50, **QUICK)
    assert len(model.history) == 2
    assert not model.training


@pytest.mark.parametrize("shape", [(180, 240), (3, 31, 40), (3, 30, 40)])
def test_a_photograph_too_small_or_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="at least 2·size = 32") as caught:
        train_super_resolution(np.zeros(shape, np.float32), steps=1, progress=False)
    assert str(shape) in str(caught.value)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="train_super_resolution: steps=0; give at least 1"):
        train_super_resolution(steps=0, progress=False)
    with pytest.raises(ValueError, match="sharpen: steps=-1; give at least 1"):
        sharpen(SuperResolver(), steps=-1, progress=False)


# ---- what many runs came to


def results(setting, measure):
    return np.array([run.result for run in measured()["super-resolution", setting, measure]])


def test_the_recorded_networks_gain_more_than_half_a_decibel():
    assert results("squared error", "psnr").min() > results("bicubic", "psnr")[0] + 0.5


def test_the_recorded_sharpened_networks_are_sharper_and_further_off_for_every_seed():
    for terms in ("adversarial", "both terms"):
        assert (results(terms, "sharpness") > results("squared error", "sharpness") + 0.05).all()
        assert (results(terms, "psnr") < results("squared error", "psnr") - 0.1).all()
