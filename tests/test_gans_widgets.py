"""Unit 14 beside its exercises: the two explorers and the pictures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from panels import parts

from dlcourse.models.gan_torch import RING_CENTERS, RingSettings, ring_coverage, train_ring_gan
from dlcourse.plot.gans import draw_belief, draw_images, draw_line, two_players
from dlcourse.widgets.gans import _RingPanel, between, latent_explorer, latent_figure, ring_explorer, ring_figure

pytestmark = pytest.mark.usefixtures("closed_figures")


# --- the ring


@pytest.fixture(scope="module")
def runs():
    settings = {"plain": RingSettings(), "calm": RingSettings(beta1=0.5)}
    return {name: train_ring_gan(each, seed=0, steps=24, frames=4, progress=False) for name, each in settings.items()}


def test_another_run_or_frame_redraws_the_picture_and_says_what_is_found(runs):
    (run, frame), picture, sentence = parts(ring_explorer(runs))
    assert frame.value == frame.max == 3
    assert "plain, step 24:" in sentence.value
    seen = {picture.value}
    frame.value = 1
    assert "plain, step 8:" in sentence.value
    seen.add(picture.value)
    run.value = "calm"
    assert "calm, step 8:" in sentence.value
    seen.add(picture.value)
    assert len(seen) == 3
    assert picture.alt in sentence.value


def test_the_sentence_counts_what_coverage_counts(runs):
    frames = runs["plain"].frames.copy()
    frames[2] = np.repeat(RING_CENTERS[:4], 100, axis=0)
    frames[2, ::2] = 0.0  # half of the samples in the middle of nowhere
    run = type(runs["plain"])(**{**vars(runs["plain"]), "frames": frames})
    (_, frame), _, sentence = parts(ring_explorer({"planted": run}))
    frame.value = 2
    assert ring_coverage(frames[2])[:2] == (4, 0.5)
    assert "4 of 8 modes, 50% of the samples lie near one" in sentence.value


def test_the_curves_mark_the_step_that_is_shown(runs):
    panel = _RingPanel(runs)
    panel.update("plain", 1)
    modes, quality, marker = panel.curve.lines
    assert set(marker.get_xdata()) == {8}
    assert list(modes.get_ydata()) == [found.modes / 8 for found in runs["plain"].coverage]
    assert list(quality.get_ydata()) == [found.quality for found in runs["plain"].coverage]


def test_frames_stand_still_in_a_row_for_each_run(runs):
    figure = ring_figure(runs, [0, 3], "What is seen")
    planes = figure.axes[:4]
    assert [ax.get_title().split(":")[0] for ax in planes] == ["step 0", "step 24"] * 2
    assert [ax.get_ylabel() for ax in planes] == ["plain", "", "calm", ""]
    assert np.allclose(planes[1].lines[-1].get_xydata(), runs["plain"].frames[3])
    assert figure.get_suptitle() == "What is seen"


def test_a_run_without_frames_is_an_error_that_says_how_to_get_some(runs):
    bare = train_ring_gan(seed=0, steps=1, progress=False)
    with pytest.raises(ValueError, match=r"'bare' kept no frames; .* frames=25"):
        ring_explorer({"bare": bare})
    with pytest.raises(ValueError, match="runs is empty"):
        ring_figure({}, [0], "nothing")


def test_the_discriminator_is_drawn_with_its_second_coordinate_upward():
    belief = np.zeros((3, 3))
    belief[2, 0] = 1.0  # sure at the top left
    _, ax = plt.subplots()
    picture = draw_belief(ax, np.zeros((1, 2)), belief, 3.0)
    assert picture.origin == "lower"
    assert tuple(picture.get_extent()) == (-3, 3, -3, 3)
    assert picture.get_array()[2, 0] == 1
    assert picture.get_clim() == (0, 1)


# --- the noise behind images


def test_the_arc_starts_and_ends_at_the_draws():
    start, end = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)
    assert np.array_equal(between(start, end, 0.0), start)
    assert np.allclose(between(start, end, 1.0), end, atol=1e-6)
    assert between(start, end, np.linspace(0, 1, 5)).shape == (5, 16)


def test_noise_on_the_arc_is_as_long_as_at_its_ends_and_on_the_line_it_is_not():
    start, end = np.random.default_rng(0).normal(size=(2, 20_000))
    length = np.linalg.norm(start)
    assert np.linalg.norm(between(start, end, 0.5)) == pytest.approx(length, rel=0.03)
    assert np.linalg.norm((start + end) / 2) == pytest.approx(length / np.sqrt(2), rel=0.03)


def test_draws_of_different_sizes_are_an_error():
    with pytest.raises(ValueError, match=r"start \(3,\), end \(4,\)"):
        between(np.zeros(3), np.zeros(4), 0.5)


def echo(noise, labels):
    """A generator whose images show the first number of the noise, and the label: (N, 1, 2, 2)."""
    images = np.zeros((len(noise), 1, 2, 2), np.float32)
    images[:, 0, 0, 0], images[:, 0, 1, 1] = 1 / (1 + np.exp(-noise[:, 0])), labels / 10
    return images


def test_every_control_of_the_walk_redraws_and_is_named_in_the_sentence():
    controls, picture, sentence = parts(latent_explorer(echo, 4))
    seen = {picture.value}
    for control, value in zip(controls, (7, 5, 6, 0.25), strict=True):
        control.value = value
        seen.add(picture.value)
    assert len(seen) == 5
    assert "A 7, 25% of the way from draw 5 to draw 6 of the noise." in sentence.value


def test_a_walk_asks_for_one_digit_and_goes_from_draw_to_draw():
    asked = []
    latent_figure(
        lambda noise, labels: asked.append((noise, labels)) or echo(noise, labels), 4, [(3, 0, 1), (8, 2, 0)], ""
    )
    (first, threes), (second, eights) = asked
    assert set(threes) == {3}
    assert set(eights) == {8}
    assert np.allclose(first[0], second[-1], atol=1e-6)  # draw 0
    assert np.allclose(first[0], np.random.default_rng(0).standard_normal(4), atol=1e-6)


# --- pictures


def sheet(images, columns, **options):
    _, ax = plt.subplots()
    draw_images(ax, images, columns, **options)
    return np.asarray(ax.images[0].get_array())


def test_images_stand_in_rows_with_white_between():
    images = np.zeros((3, 1, 2, 2))
    images[1] = 1
    drawn = sheet(images, 2)
    assert drawn.shape == (5, 5, 3)
    assert drawn[:2, :2].min() == 1  # no ink
    assert drawn[:2, 3:].max() == 0  # ink is black
    assert drawn[2].min() == drawn[:, 2].min() == drawn[3:, 3:].min() == 1
    assert np.array_equal(sheet(images[:, 0], 2), drawn)
    assert sheet(images, 2, ink=False)[:2, 3:].min() == 1


def test_colors_stay_as_they_are_and_are_cut_to_what_can_be_shown():
    red = np.zeros((1, 3, 2, 2))
    red[:, 0] = 1.5
    assert np.array_equal(sheet(red, 1), np.tile([1.0, 0, 0], (2, 2, 1)))


def test_what_is_no_batch_of_images_is_an_error():
    for shape in ((2, 2), (1, 2, 4, 4), (0, 1, 4, 4)):
        with pytest.raises(ValueError, match="give"):
            sheet(np.zeros(shape), 2)


def test_a_game_on_the_line_shows_two_densities_and_the_judge():
    _, ax = plt.subplots()
    x = np.linspace(-1, 1, 5)
    draw_line(ax, x, x * 0 + 0.5, x * 0 + 0.2, x * 0 + 0.7, "title")
    assert [line.get_ydata()[0] for line in ax.lines] == [0.5, 0.2, 0.7]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "real: density",
        "generated: density",
        "$D(x)$",
    ]


def test_the_diagram_names_both_players():
    said = " ".join(text.get_text() for text in two_players().axes[0].texts)
    assert all(word in said for word in ("noise", "generator", "discriminator", "fake", "real", "only $G$ steps"))
