"""The explorers of unit 01: a control moves, and the picture and the sentence follow."""

from __future__ import annotations

import numpy as np
from panels import parts

from dlcourse.widgets.neuron import activation_slope, decision_line, mistakes_of, perceptron_replay

X = np.array([[0.0, 0.0], [1.0, 0.2], [0.1, 1.0], [1.2, 1.1]])
y = np.array([0.0, 0.0, 0.0, 1.0])


def test_a_slider_redraws_the_line_and_counts_the_errors_anew():
    (w1, w2, b), picture, sentence = parts(decision_line(X, y, ("no", "yes"), ("x1", "x2")))
    before = picture.value
    w1.value, w2.value, b.value = 1.0, 1.0, -1.5
    assert picture.value != before
    assert "0 errors" in sentence.value


def test_zero_weights_draw_no_line_and_still_count():
    (w1, w2, b), _, sentence = parts(decision_line(X, y, ("no", "yes"), ("x1", "x2")))
    w1.value = w2.value = b.value = 0.0
    assert "1 yes on the side called no" in sentence.value


def test_the_replay_ends_without_errors_on_separable_points():
    (mistake,), picture, _ = parts(perceptron_replay(X, y, ("no", "yes"), ("x1", "x2"), epochs=200))
    before = picture.value
    mistake.value = mistake.max
    assert picture.value != before
    _, _, w, b = mistakes_of(X, y, 1.0, 200)[-1]
    assert np.array_equal(X @ w + b > 0, y > 0)


def test_the_slope_explorer_says_the_slope():
    (name, z), _, sentence = parts(activation_slope({"tanh": np.tanh, "square": lambda z: z**2}))
    name.value, z.value = "square", 3.0
    assert "9.0000" in sentence.value
    assert "0.60000" in sentence.value
