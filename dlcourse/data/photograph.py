"""A photograph to try filters on: scikit-learn's bundled ``china.jpg``, by Daniel Buechele (CC BY 2.0), cut and halved."""

from __future__ import annotations

import numpy as np

from dlcourse.ops.rule import Array

TOP, LEFT, HEIGHT, WIDTH = 8, 24, 180, 240  # the pavilion, in pixels of the halved photograph


def load_photograph() -> Array:
    """A pavilion above a lake in red, green and blue: (3, 180, 240), pixels from 0 to 1 in float32."""
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")[: 2 * (TOP + HEIGHT), : 2 * (LEFT + WIDTH)]
    halved = photo.reshape(TOP + HEIGHT, 2, LEFT + WIDTH, 2, 3).mean(axis=(1, 3)) / 255  # means over 2×2 pixels
    return np.ascontiguousarray(halved[TOP:, LEFT:].transpose(2, 0, 1), dtype=np.float32)
