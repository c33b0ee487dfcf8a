"""The explorer of unit 03: the step moves, and values and slopes appear where the engine puts them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
from panels import parts

from dlcourse.widgets.backpropagation import (
    GRAPHS,
    backward_steps,
    diamond_graph,
    graph_figure,
    hand_figure,
    hand_graph,
    moments,
    neuron_graph,
    slopes_in_a_row,
    steps_figure,
)


def test_a_step_redraws_the_picture_and_says_what_happens():
    (_, step, _), picture, sentence = parts(backward_steps("a short and a long path: u · tanh u", step=4))
    before = picture.value
    assert "slope of L by itself is 1" in sentence.value
    step.value = 6
    assert picture.value != before
    assert "to u, which now has 1.18" in sentence.value


def test_another_graph_with_fewer_steps_stays_at_its_last_step():
    (graph, step, _), _, sentence = parts(backward_steps())
    step.value = step.max
    graph.value = "a value used twice: x² + 3x"
    assert "Step 7 of 7" in sentence.value


@pytest.mark.parametrize("name", GRAPHS)
def test_the_last_step_holds_the_slopes_of_the_engine(name):
    build, places, _ = GRAPHS[name]
    root = build(0.7)
    last = moments(root)[-1]
    root.backward()
    assert last.grads == pytest.approx({value.number: value.grad for value in root.graph()})
    assert {value.label for value in root.graph()} == set(places)


def test_no_slope_is_known_before_the_way_back_begins():
    steps = moments(neuron_graph())
    assert all(not step.grads for step in steps[:8])
    assert len(steps[8].grads) == 1


def test_the_graph_of_the_exercise_has_the_values_of_its_text():
    root = hand_graph()
    assert {value.label: value.data for value in root.graph()} == {
        "a": 2, "b": -2.5, "u": -5, "v": -3, "5": 5, "v²": 9, "5u": -25, "L": -16,
    }  # fmt: skip


def test_every_figure_of_the_lesson_can_be_drawn():
    figures = [
        graph_figure(neuron_graph(), "title"),
        steps_figure("a short and a long path: u · tanh u", (4, 5), "title"),
        slopes_in_a_row((1.3, 1.7), (0.5, -0.8), 0.4, -1.0),
        hand_figure(),
    ]
    for figure in figures:
        figure.canvas.draw()
        plt.close(figure)


def test_the_diamond_hands_on_after_both_shares():
    said = [step.said for step in moments(diamond_graph(0.5))]
    assert said[-1].startswith("Backward through u: slope 1.18 arrives")
