"""The explorer of unit 04: it trains what its controls say, and says truly what came of it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dlcourse.widgets.multilayer_perceptron import (
    _cross_entropy,
    _forward,
    _slopes,
    _squared_error,
    draw_confusion,
    draw_images,
    fit_curve,
    playground,
    playground_figure,
    train_on_plane,
)


def test_a_wider_layer_redraws_the_picture_and_the_sentence():
    controls, picture, sentence = playground().children
    _, width, *_ = controls.children
    before, said = picture.value, sentence.value
    assert "1 hidden layer of 4, ReLU, 17 numbers" in said
    width.value = 32
    assert picture.value != before
    assert "129 numbers: every point is on the right side" in sentence.value


def test_without_an_activation_depth_changes_nothing():
    line = train_on_plane("spirals", 8, 0)
    stack = train_on_plane("spirals", 8, 3, "none")
    assert line.accuracy == pytest.approx(stack.accuracy, abs=0.02)
    assert stack.accuracy < 0.65


def test_without_an_activation_the_sentence_says_that_the_border_is_straight():
    controls, _, sentence = playground().children
    controls.children[3].value = "none"
    assert "the border is straight" in sentence.value


@pytest.mark.parametrize("where", ["spirals", "moons", "circles", "XOR"])
@pytest.mark.parametrize("activation", ["ReLU", "tanh"])
def test_two_layers_of_sixteen_separate_every_set(where, activation):
    run = train_on_plane(where, 16, 2, activation)
    assert run.accuracy > 0.97
    assert run.losses[-1] < 0.2 * run.losses[0]
    assert run.numbers == 2 * 16 + 16 + 16 * 16 + 16 + 16 + 1


@pytest.mark.parametrize("loss_of", [_cross_entropy, _squared_error])
@pytest.mark.parametrize("activation", ["ReLU", "tanh", "none"])
def test_the_slopes_are_those_of_a_nudge(activation, loss_of):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 2)), np.array([0.0, 1, 1, 0, 1])
    layers = [(rng.normal(size=(3, 2)), rng.normal(size=3)), (rng.normal(size=(1, 3)), rng.normal(size=1))]
    hs = _forward(X, layers, activation)
    slopes = _slopes(loss_of(hs[-1][:, 0], y)[1][:, None], hs, layers, activation)
    for p, slope in zip([p for layer in layers for p in layer], slopes, strict=True):
        for place in np.ndindex(p.shape):
            around = []
            for nudge in (1e-6, -2e-6):
                p[place] += nudge
                around.append(loss_of(_forward(X, layers, activation)[-1][:, 0], y)[0])
            p[place] += 1e-6
            assert slope[place] == pytest.approx((around[0] - around[1]) / 2e-6, abs=1e-7)


def test_an_unknown_place_is_refused_by_name():
    with pytest.raises(ValueError, match="where='moon'"):
        train_on_plane("moon", 4, 1)


def test_a_curve_is_followed_by_its_bends():
    x = np.linspace(0, 1, 50)[:, None]
    y = np.abs(x[:, 0] - 0.4)
    layers = fit_curve(x, y, width=8)
    assert np.abs(_forward(x, layers, "ReLU")[-1][:, 0] - y).max() < 0.1


def test_every_figure_of_the_lesson_can_be_drawn():
    figure = playground_figure([(4, 1, "ReLU"), (4, 0, "none")], "title")
    assert [ax.get_title() for ax in figure.axes][1].startswith("no hidden layer")
    other, axes = plt.subplots(1, 3)
    draw_images(axes[:1], np.zeros((1, 64)), ["a title"])
    draw_images(axes[1:2], np.zeros((1, 64)), signed=True)
    draw_confusion(axes[2], np.array([[3, 1], [0, 4]]))
    assert sorted(text.get_text() for text in axes[2].texts) == ["1", "3", "4"]
    for drawn in (figure, other):
        drawn.canvas.draw()
        plt.close(drawn)
