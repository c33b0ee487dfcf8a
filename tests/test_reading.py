"""What the driver of the digits exercise says of an answer."""

from __future__ import annotations

import numpy as np
import pytest

from dlcourse.checks.backpropagation.training import nearest_neighbor
from dlcourse.drivers.reading import FORM, READ, reads_digits


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (3, "not a function"),
        (lambda X: None, "None"),
        (lambda X: "seven", "not an array of numbers"),
        (lambda X: np.zeros((len(X), 1)), "an array of shape (450, 1)"),
        (lambda X: np.full(len(X), 10), "other numbers than the classes 0 to 9"),
        (lambda X: np.full(len(X), np.nan), "other numbers than the classes 0 to 9"),
        (lambda X: X.argmax(), "a single number, of shape ()"),
        (lambda X: nearest_neighbor(X) * (len(X) > 1), "other classes when the images come one at a time"),
    ],
)
def test_an_answer_of_another_form_is_told_so_and_not_tried(answer, form):
    assert reads_digits(answer) == {FORM: form, READ: "not tried"}


@pytest.mark.parametrize(
    ("answer", "reading"),
    [
        (nearest_neighbor, "yes"),
        (lambda X: [int(c) for c in nearest_neighbor(X)], "yes"),
        (lambda X: np.zeros(len(X)), "always the same class"),
        (lambda X: 9 - nearest_neighbor(X), "told apart, but under other names"),
        (lambda X: X.argmax(axis=1) % 10, "no better than guessing"),
    ],
)
def test_the_reading_is_put_into_words(answer, reading):
    assert reads_digits(answer) == {FORM: "yes", READ: reading}


def test_changed_pixels_are_noticed():
    def answer(X):
        X *= 2
        return nearest_neighbor(X)

    assert reads_digits(answer)[FORM] == "the pixels were changed in place"
