"""Six filters, a drawn image, and what five of the filters make of it: unit 07's feature maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FILTERS: dict[str, list[list[float]]] = {
    "right": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "left": [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
    "below": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "above": [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
    "spot": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "blur": [[1 / 9, 1 / 9, 1 / 9], [1 / 9, 1 / 9, 1 / 9], [1 / 9, 1 / 9, 1 / 9]],
}
MADE_BY = {"A": "below", "B": "spot", "C": "left", "D": "blur", "E": "right"}


def drawn_image() -> Array:
    """A bright rectangle and a bright dot on dark ground: (18, 22), 0 is dark and 1 is bright."""
    image = np.zeros((18, 22))
    image[4:13, 3:12] = 1
    image[7, 17] = 1
    return image


def five_maps() -> dict[str, Array]:
    """What five of the six filters make of the drawn image, behind ReLU and without padding: letter -> (16, 20) array."""
    windows = np.lib.stride_tricks.sliding_window_view(drawn_image(), (3, 3))
    return {
        letter: np.maximum(np.einsum("hwab,ab->hw", windows, np.array(FILTERS[name])), 0)
        for letter, name in MADE_BY.items()
    }
