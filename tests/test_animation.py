"""Pictures that move: what is kept of their frames, how they are shown, what is refused."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from dlcourse.plot.animation import animated_png, show_animation

pytestmark = pytest.mark.usefixtures("closed_figures")


def squares(count):
    """Frames with a black square that moves, as PNG."""
    for k in range(count):
        pixels = np.full((20, 40, 3), 255, np.uint8)
        pixels[5:15, 3 * k : 3 * k + 10] = 0
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        yield buffer.getvalue()


def test_an_animation_plays_every_frame_and_rests_on_the_last():
    pictures = list(squares(5))
    animation = Image.open(io.BytesIO(animated_png(pictures, 100, plays=2)))
    assert animation.n_frames == 6  # the first of them stands for the animation where nothing moves
    assert animation.info["loop"] == 2
    shown, durations = [], []
    for k in range(6):
        animation.seek(k)
        shown.append(np.asarray(animation.convert("RGB")))
        durations.append(animation.info.get("duration"))
    originals = [np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures]
    assert all(np.array_equal(a, b) for a, b in zip(shown, [originals[-1], *originals], strict=True))
    assert durations[1:] == [100] * 4 + [400]


def test_the_same_frames_give_the_same_bytes():
    assert animated_png(list(squares(3)), 100, 1) == animated_png(list(squares(3)), 100, 1)


def test_an_animation_is_displayed_with_its_words_and_its_figure_is_closed(monkeypatch):
    shown, drawn = [], []
    monkeypatch.setattr("dlcourse.plot.animation.display", lambda data, raw, metadata: shown.append((data, metadata)))
    figure, _ = plt.subplots(figsize=(2, 1))
    show_animation(figure, drawn.append, 3, "A line that moves.")
    ((data, metadata),) = shown
    assert drawn == [0, 1, 2]
    assert metadata == {"image/png": {"alt": "A line that moves."}}
    assert data["text/plain"] == "<Animation: A line that moves.>"
    assert not plt.fignum_exists(figure.number)


def test_an_animation_without_words_or_frames_is_an_error():
    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="alt is empty"):
        show_animation(figure, lambda k: None, 2, " ")
    with pytest.raises(ValueError, match="needs one frame"):
        show_animation(figure, lambda k: None, 0, "Nothing moves.")
