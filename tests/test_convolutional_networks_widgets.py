"""The explorers of unit 07: kernels on a photograph, the window's steps, a drawing made like the digits and read."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from panels import parts

from dlcourse.data import load_digits, load_photograph
from dlcourse.models.cnn import train_small_cnn
from dlcourse.plot.convolution import architectures, draw_cells, draw_picture, receptive_fields
from dlcourse.widgets import convolutional_networks as explorers
from dlcourse.widgets.convolutional_networks import (
    EXAMPLES,
    IMAGES,
    KERNELS,
    STEPPED,
    DrawingPad,
    KernelGrid,
    drawing_explorer,
    drawing_figure,
    filter_image,
    kernel_explorer,
    kernel_figure,
    rasterize,
    scaled,
    window_explorer,
    window_figure,
)

# --- a kernel on a photograph


def test_the_photograph_has_three_channels_of_light():
    photo = load_photograph()
    assert (photo.shape, photo.dtype) == ((3, 180, 240), np.float32)
    assert 0 <= photo.min() < 0.05
    assert 0.95 < photo.max() <= 1


@pytest.mark.parametrize(("k", "stride", "padding"), [(3, 1, 0), (3, 2, 1), (2, 3, 0), (1, 2, 2)])
def test_a_filter_is_pytorchs_convolution(k, stride, padding):
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(7, 10)), rng.normal(size=(k, k))
    theirs = torch.nn.functional.conv2d(*(torch.tensor(a[None, None]) for a in (image, kernel)), None, stride, padding)
    assert np.allclose(filter_image(image, kernel, stride, padding), theirs[0, 0].numpy(), atol=1e-12)


def test_a_scaled_kernel_keeps_brightness_or_is_divided_by_the_sizes():
    assert scaled(KERNELS["blur"]).sum() == pytest.approx(1)
    assert scaled(KERNELS["sharpen"]).max() == 5
    assert np.abs(scaled(KERNELS["vertical edges"])).sum() == pytest.approx(1)
    assert not scaled(np.zeros((3, 3))).any()


def test_one_pixel_to_the_left_does_what_it_says():
    image = np.arange(20.0).reshape(4, 5)
    moved = filter_image(image, scaled(KERNELS["one pixel to the left"]))  # output [i, j] is centered on [i + 1, j + 1]
    assert np.array_equal(moved, image[1:-1, 2:])


def test_a_named_kernel_moves_all_sliders_and_redraws_once(monkeypatch):
    drawn = []
    real = explorers._respond
    monkeypatch.setattr(explorers, "_respond", lambda *arguments: drawn.append(1) or real(*arguments))
    choice, panel = kernel_explorer().children
    (grid,), picture, sentence = parts(panel)
    before = picture.value
    assert "sum to 0: even areas give 0" in sentence.value
    choice.value = "blur"
    assert [slider.value for slider in grid.children] == [1] * 9
    assert len(drawn) == 2  # at the start, and once for the nine sliders
    assert picture.value != before
    assert "sum to 9" in sentence.value


def test_a_single_slider_changes_the_kernel():
    choice, panel = kernel_explorer().children
    (grid,), _, sentence = parts(panel)
    choice.value = "as it is"
    grid.children[0].value = -4
    assert grid.value == (-4, 0, 0, 0, 1, 0, 0, 0, 0)
    assert "sum to -3: even areas give less than 0" in sentence.value
    grid.value = (0,) * 9
    assert "0 everywhere" in sentence.value


def test_the_grid_reads_its_sliders_row_by_row():
    grid = KernelGrid([[1, 2, 3], [4, 5, 6], [7, 8, -8]])
    assert grid.value == (1, 2, 3, 4, 5, 6, 7, 8, -8)
    assert [slider.description for slider in grid.children][:4] == ["0, 0", "0, 1", "0, 2", "1, 0"]


# --- the window


def test_a_step_names_its_products_and_their_sum():
    (image, _, step, *_), picture, sentence = parts(window_explorer())
    image.value, before = "a corner", picture.value
    step.value = 6
    assert "row 1, column 2. Products that are not 0: 2 + 2 = 4" not in sentence.value  # one row of the square only
    assert "row 1, column 2. Products that are not 0: 2 = 2, which is output [1, 2] of 4 × 4." in sentence.value
    step.value = 10
    assert "2 + 2 = 4, which is output [2, 2]" in sentence.value
    assert picture.value != before


def test_a_step_beyond_the_last_stays_on_the_last():
    (*_, step, stride, _, _), _, sentence = parts(window_explorer())
    step.value, stride.value = 35, 2
    assert "row 2, column 2" in sentence.value
    assert "output [1, 1] of 2 × 2" in sentence.value


def test_padding_lets_the_window_stand_on_the_border():
    (_, _, step, stride, padding, _), _, sentence = parts(window_explorer())
    step.value, padding.value, stride.value = 1, 1, 3
    assert "row 0, column 3. " in sentence.value
    assert "of 2 × 2" in sentence.value


@pytest.mark.parametrize("turned", [False, True])
def test_a_dot_shows_the_kernel_turned_around_unless_it_was_turned_before(turned):
    figure = window_figure("a single dot", "one to nine", 35, "title", turned=turned)
    numbers = [float(text.get_text()) for text in figure.axes[3].texts]
    kernel = STEPPED["one to nine"] if turned else STEPPED["one to nine"][::-1, ::-1]
    assert np.array_equal(np.reshape(numbers, (4, 4))[:3, :3], kernel)
    plt.close(figure)


def test_every_image_and_kernel_can_be_stepped():
    for image, kernel in zip(IMAGES, STEPPED, strict=True):
        plt.close(window_figure(image, kernel, 0, "title", stride=2, padding=1))


# --- a drawn digit

TEN = {
    0: [[[0.5, 0.1], [0.3, 0.3], [0.28, 0.7], [0.5, 0.9], [0.72, 0.7], [0.7, 0.3], [0.5, 0.1]]],
    1: [[[0.35, 0.3], [0.55, 0.1], [0.55, 0.9]]],
    2: [[[0.28, 0.3], [0.4, 0.12], [0.6, 0.12], [0.7, 0.3], [0.6, 0.5], [0.28, 0.88], [0.75, 0.88]]],
    3: EXAMPLES["three"],
    4: [[[0.5, 0.1], [0.25, 0.6], [0.78, 0.6]], [[0.58, 0.35], [0.55, 0.92]]],
    5: EXAMPLES["five"],
    6: [[[0.6, 0.1], [0.38, 0.35], [0.3, 0.65], [0.4, 0.88], [0.62, 0.88], [0.7, 0.7], [0.55, 0.55], [0.34, 0.62]]],
    7: EXAMPLES["seven"],
    8: [[[0.5, 0.5], [0.32, 0.3], [0.5, 0.1], [0.68, 0.3], [0.5, 0.5], [0.3, 0.72], [0.5, 0.9], [0.7, 0.72], [0.5, 0.5]]],
    9: [[[0.68, 0.3], [0.5, 0.45], [0.32, 0.32], [0.42, 0.12], [0.64, 0.14], [0.68, 0.3], [0.62, 0.6], [0.5, 0.9]]],
}  # fmt: skip


def moved(strokes, scale, right, down):
    return [[[right + scale * x, down + scale * y] for x, y in line] for line in strokes]


@pytest.mark.parametrize("digit", TEN)
def test_size_and_place_of_a_drawing_do_not_matter(digit):
    image = rasterize(TEN[digit])
    assert (image.shape, image.dtype) == ((8, 8), np.float32)
    assert 0 == image.min() < image.max() <= 1
    assert image.any(axis=1).all(), "like the digits of the data set, it fills all rows"
    small = rasterize(moved(TEN[digit], 0.3, 0.6, 0.1))
    assert np.abs(small - image).max() <= 2 / 16  # a pixel of the bitmap or two, by rounding


def test_the_ink_of_a_drawing_is_about_that_of_the_data_set():
    images, *_ = load_digits(images=True)
    drawn = np.mean([rasterize(strokes).sum() for strokes in TEN.values()])
    assert drawn == pytest.approx(images.sum(axis=(1, 2, 3)).mean(), rel=0.15)


def test_nothing_a_dot_and_a_line_can_be_drawn():
    assert not rasterize([]).any()
    assert not rasterize([[]]).any()
    dot, line = rasterize([[[0.2, 0.9]]]), rasterize([[[0.1, 0.5], [0.9, 0.5]]])
    assert 0 < dot.sum() < 1.5
    assert line[3:5].sum() > 0.99 * line.sum() > 2


@pytest.fixture(scope="module")
def predict():
    images, _, targets, _ = load_digits(images=True)
    model = train_small_cnn(images, targets, seed=0, epochs=8, augmented=True, progress=False)

    def probabilities(images):
        z = model(images).data
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return probabilities


def test_drawn_digits_are_read(predict):
    drawn = np.stack([rasterize(strokes) for strokes in TEN.values()])[:, None]
    guesses = predict(drawn).argmax(axis=1)
    assert np.sum(guesses == np.arange(10)) >= 8, guesses


def test_the_probabilities_follow_the_drawing(predict):
    (pad,), picture, sentence = parts(drawing_explorer(predict))
    assert "The network says 3 with probability" in sentence.value
    before = picture.value
    pad.value = TEN[0]
    assert "The network says 0 with probability" in sentence.value
    assert picture.value != before
    pad.value = []
    assert "Nothing is drawn yet." in sentence.value


def test_the_pad_needs_no_network_and_says_what_it_is():
    source = DrawingPad._esm
    assert "http" not in str(source)
    assert "aria-label" in str(source)
    assert DrawingPad(value=[[[0.5, 0.5]]]).get_state(["value"])["value"] == [[[0.5, 0.5]]]


# --- the figures


def test_the_figures_that_stand_still_can_be_drawn(predict):
    figures = [
        kernel_figure(["vertical edges", "blur"], "title"),
        drawing_figure([TEN[2], []], predict, "title"),
        architectures([("a", 1989, 4, 9760), ("b", 2014, 16, 138_000_000), ("c", 2015, 152, 60_000_000)], "title"),
    ]
    assert [ax.get_title() for ax in figures[0].axes] == ["the photograph", "vertical edges", "blur"]
    assert any("a: 9,760" in text.get_text() for text in figures[2].axes[1].texts)
    for figure in figures:
        figure.canvas.draw()
        plt.close(figure)


@pytest.mark.parametrize(
    ("layers", "cells"), [([(3, 1), (3, 1)], 5), ([(3, 1), (2, 2), (3, 1)], 8), ([(5, 2), (3, 1)], 9), ([(1, 1)], 1)]
)
def test_the_receptive_field_is_counted(layers, cells):
    figure = receptive_fields([("title", layers)], 13)
    (ax,) = figure.axes
    assert f"sees {cells} of" in ax.get_xlabel()
    at_input = [
        patch for patch in ax.patches if patch.get_y() < 0 and patch.get_facecolor()[2] > patch.get_facecolor()[0]
    ]
    assert len(at_input) == cells
    plt.close(figure)


def test_cells_hold_numbers_and_leave_out_what_is_not_known():
    figure, (left, right) = plt.subplots(1, 2)
    draw_cells(left, np.array([[1.5, np.nan], [-2, 0]]), windows=[(0, 1, 1)])
    assert [text.get_text() for text in left.texts] == ["1.5", "−2", "0"]
    assert len(left.patches) == 1
    draw_picture(right, np.zeros((2, 2)), "title", kind="signed")
    figure.canvas.draw()
    plt.close(figure)
