"""Unit 09 beside its exercises: the two explorers, the pictures, and what a programmer sees in a source file."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from panels import parts

from dlcourse.data.syntax import syntax_marks
from dlcourse.models.char_lstm_torch import CharLSTM, generate
from dlcourse.plot.recurrent import lines_of, lstm_cell, shade_text, unrolled
from dlcourse.widgets.recurrent_networks import (
    STEPS,
    gradient_figure,
    gradient_lengths,
    gradient_through_time,
    recurrent_matrix,
    typewriter,
    typewriter_figure,
)

# --- the gradient on its way back


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.7])
def test_a_recurrent_matrix_has_the_spectral_radius_asked_for(radius):
    assert np.abs(np.linalg.eigvals(recurrent_matrix(radius, seed=3))).max() == pytest.approx(radius)


def test_without_an_activation_the_radius_is_the_factor_of_a_step_in_the_long_run():
    for radius in (0.9, 1.1):
        lengths = gradient_lengths(radius, "none", steps=400)
        assert lengths[0] == 1
        assert (lengths[400] / lengths[200]) ** (1 / 200) == pytest.approx(radius, rel=0.01)


def test_the_gradient_with_tanh_is_that_of_pytorch():
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    W, inputs = torch.tensor(recurrent_matrix(1.3)), 0.3 * rng.normal(size=(50 + STEPS, 64))
    h, states = torch.zeros(64, dtype=torch.float64, requires_grad=True), []
    for x in inputs:
        states.append(h)
        h = torch.tanh(W @ h + torch.tensor(x))
    states.append(h)
    g = rng.normal(size=64)
    (h * torch.tensor(g / np.linalg.norm(g))).sum().backward(inputs=states[-1 - STEPS : -1])
    expected = [state.grad.norm().item() for state in states[-1 - STEPS : -1]][::-1]
    assert np.allclose(gradient_lengths(1.3, "tanh")[1:], expected, rtol=1e-9, atol=0)


def test_tanh_makes_a_gradient_vanish_that_would_explode_without_it():
    for seed in range(3):
        assert gradient_lengths(1.1, "none", seed)[-1] > 100
        assert gradient_lengths(1.1, "tanh", seed)[-1] < 1e-3


def test_an_activation_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="activation='relu'; choose 'tanh' or 'none'"):
        gradient_lengths(1.0, "relu")


def test_another_radius_redraws_the_picture_and_says_what_is_left():
    (radius, activation), picture, sentence = parts(gradient_through_time())
    before = picture.value
    assert "Spectral radius 0.90, no activation" in sentence.value
    assert "vanished" in sentence.value
    radius.value = 1.5
    assert picture.value != before
    assert "exploded" in sentence.value
    activation.value = "tanh"
    assert "Spectral radius 1.50, tanh" in sentence.value
    assert "still counts" in sentence.value
    assert picture.alt in sentence.value


def test_the_figure_that_stands_still_says_what_is_left():
    figure = gradient_figure(0.5, "tanh")
    assert "0.50" in figure.axes[0].get_title()
    assert "vanished" in figure.axes[1].get_title()
    plt.close(figure)


# --- the typewriter


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return CharLSTM(embedding=4, hidden=8).eval()


def page(figure):
    return [text.get_text().split("\n") for text in figure.axes[1].texts]


def test_another_beginning_or_temperature_redraws_and_says_what_is_likeliest(model):
    (prefix, temperature, draw), picture, sentence = parts(typewriter(model))
    seen = {picture.value}
    assert "'def '" in sentence.value
    for control, value in ((prefix, "import <os>"), (temperature, 0.1), (draw, 1)):
        control.value = value
        seen.add(picture.value)
    assert len(seen) == 4
    assert "import &lt;os&gt;" in sentence.value
    assert "temperature 0.1" in sentence.value


def test_the_page_shows_the_beginning_and_what_the_model_types_after_it(model):
    figure = typewriter_figure(model, "def $x$", 1.0, draw=5)
    bold, typed = page(figure)
    assert bold[0].rstrip() == "def $x$"
    expected = generate(model, "def $x$", 700, 1.0, np.random.default_rng(5)).split("\n")[0]
    assert typed[0].strip() == expected[7:76].strip()
    plt.close(figure)


def test_an_empty_beginning_is_a_new_line_and_a_long_one_scrolls(model):
    plt.close(typewriter_figure(model, "", 0.5))
    figure = typewriter_figure(model, "\n".join(f"line {k}" for k in range(60)), 0.5)
    bold, _ = page(figure)
    assert [line.rstrip() for line in bold[:7]] == [f"line {k}" for k in range(54, 60)] + [""]
    plt.close(figure)


def test_the_bars_are_the_distribution_at_the_temperature(model):
    cold, warm = (typewriter_figure(model, "x", temperature) for temperature in (0.1, 2.0))
    assert cold.axes[0].patches[0].get_width() > warm.axes[0].patches[0].get_width()
    assert cold.axes[0].lines[0].get_xdata()[0] == pytest.approx(warm.axes[0].lines[0].get_xdata()[0])  # T = 1
    plt.close("all")


# --- pictures


def test_an_unrolled_network_has_a_state_an_input_and_a_guess_for_each_step():
    figure = unrolled("abc", "bcd")
    said = [text.get_text() for text in figure.axes[0].texts]
    assert {"$h_1$", "$h_2$", "$h_3$", "a", "b", "c", "d"} <= set(said)
    assert "$h_4$" not in said
    plt.close(figure)


def test_the_cell_is_drawn_with_all_its_gates():
    figure = lstm_cell()
    said = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert all(f"${gate}$" in said for gate in "figo")
    plt.close(figure)


def test_a_text_is_broken_at_newlines_and_at_the_width():
    assert lines_of("ab\ncde", 2) == [(0, 0, "a"), (0, 1, "b"), (1, 0, "\n"), (2, 0, "c"), (2, 1, "d"), (3, 0, "e")]


def test_each_character_is_shaded_by_its_value():
    figure, ax = plt.subplots()
    picture = shade_text(ax, "ab\nc", np.array([1.0, -1.0, 0.0, 0.5]), width=5)
    assert np.array_equal(picture.get_array()[:, :3].filled(9), [[1, -1, 0], [0.5, 9, 9]])
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="3 values for 4 characters"):
        shade_text(ax, "ab\nc", np.zeros(3))
    plt.close(figure)


# --- what a programmer sees


def where(name, text):
    return "".join("x" if mark else "." for mark in syntax_marks(text)[name])


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ("a = 'b' + c", "....xxx...."),
        ("'it\\'s' + x", "xxxxxxx...."),
        ('"#" # "no"', "xxx......."),
        ('"""a"b\n""" c', "xxxxxxxxxx.."),
        ("'open\nx = 1", "xxxxx......"),
        ("# it's\nx", "........"),
        ("x = '", "....x"),
    ],
)
def test_quotes_open_and_close_a_string(text, strings):
    assert where("string", text) == strings


def test_a_comment_ends_with_its_line():
    assert where("comment", 'x # y\n"#"\n# z') == "..xxx" + "....." + "xxx"


def test_indentation_column_and_open_brackets():
    marks = syntax_marks("if x:\n    f([1,\n  2]) ')'")
    assert marks["indentation"].sum() == 4 + 2
    assert marks["column"][[0, 5, 6, 10]].tolist() == [0, 5, 0, 4]
    assert marks["brackets"][[11, 12, 16, -1]].tolist() == [1, 2, 2, 0]
    assert all(len(mark) == len("if x:\n    f([1,\n  2]) ')'") for mark in marks.values())


def test_an_empty_text_has_no_marks():
    assert all(len(mark) == 0 for mark in syntax_marks("").values())
