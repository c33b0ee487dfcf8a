"""Two sets of pictures that show the same things in different ways, without saying which belongs to which.

Unpaired image-to-image translation (Zhu et al. 2017) starts from such sets. Here the true partner of every picture is
known, as both are made from the same handwritten digit: half of the training digits make domain A, the other half domain
B, so no digit is in both, and the test digits are shown in both, to measure on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcourse.data.digits import load_digits
from dlcourse.ops.rule import Array

__all__ = ["SIZE", "Domains", "colored_digits", "enlarge", "read_digits", "stroke_digits", "thicken"]

SIZE = 16  # pixels of a side
RED = np.array([1.0, 0.1, 0.1], np.float32)  # of a digit in domain A
BLUE = np.array([0.1, 0.1, 0.8], np.float32)  # domain B's background
YELLOW = np.array([0.9, 0.9, 0.1], np.float32)  # and its digits


@dataclass(frozen=True)
class Domains:
    """Pictures of two domains, pixels from 0 to 1 in float32.

    Attributes
    ----------
    a, b : (N, C, 16, 16) and (M, C, 16, 16), to train on; they show different digits, so nothing pairs them
    test_a, test_b : (450, C, 16, 16) each; picture i of one and picture i of the other show the same digit
    test_labels : (450,) the digits of the test pictures
    """

    a: Array
    b: Array
    test_a: Array
    test_b: Array
    test_labels: NDArray[np.int64]


def colored_digits(seed: int = 0) -> Domains:
    """A: red digits on black. B: yellow digits on blue. Three channels.

    Parameters
    ----------
    seed : decides which half of the training digits each domain gets
    """
    digits, others, test, labels = _halves(seed)
    return Domains(_red(digits), _yellow_on_blue(others), _red(test), _yellow_on_blue(test), labels)


def stroke_digits(seed: int = 0) -> Domains:
    """A: digits as they were written, light on dark. B: digits whose strokes are two pixels thicker. One channel.

    Parameters
    ----------
    seed : decides which half of the training digits each domain gets
    """
    digits, others, test, labels = _halves(seed)
    return Domains(digits, thicken(others), test, thicken(test), labels)


def enlarge(digits: Array) -> Array:
    """Digits with a border of one pixel, twice as large: (N, 1, 8, 8) -> (N, 1, 16, 16), bilinear.

    Raises
    ------
    ValueError
        If the digits have another shape.
    """
    if digits.ndim != 4 or digits.shape[1:] != (1, 8, 8):
        raise ValueError(
            f"enlarge: digits of shape {digits.shape}; give (N, 1, 8, 8), as load_digits(images=True) does"
        )
    framed = np.pad(digits, ((0, 0), (0, 0), (1, 1), (1, 1)))
    weights = _bilinear(10, SIZE)
    large: Array = weights @ framed @ weights.T
    return large


def thicken(images: Array) -> Array:
    """Every pixel becomes the largest of the 3×3 around it, a dilation: (N, C, H, W) -> (N, C, H, W)."""
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    thick: Array = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), axis=(2, 3)).max(axis=(4, 5))
    return thick


def read_digits(images: Array) -> Array:
    """The digits that pictures of domain A show, (N, C, 16, 16) -> (N, 1, 8, 8): what a classifier of digits can read.

    A red picture is projected onto its red, and the enlargement undone by least squares; for a picture made from a digit,
    that is the digit.

    Raises
    ------
    ValueError
        If the pictures have neither one nor three channels of 16×16 pixels.
    """
    if images.ndim != 4 or images.shape[1:] not in {(1, SIZE, SIZE), (3, SIZE, SIZE)}:
        raise ValueError(f"read_digits: images of shape {images.shape}; give (N, 1, 16, 16) or (N, 3, 16, 16)")
    if images.shape[1] == 3:
        images = np.tensordot(images, RED / (RED @ RED), axes=(1, 0))[:, None]  # (N, 1, 16, 16)
    back = np.linalg.pinv(_bilinear(10, SIZE))  # (10, 16)
    framed = back @ images @ back.T
    return np.clip(framed[..., 1:-1, 1:-1], 0, 1).astype(np.float32)


def _halves(seed: int) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """The training digits in two halves, and the test digits with their labels, all enlarged."""
    train, test, _, labels = load_digits(images=True)
    order = np.random.default_rng(seed).permutation(len(train))
    half = len(train) // 2
    return enlarge(train[order[:half]]), enlarge(train[order[half:]]), enlarge(test), labels


def _red(digits: Array) -> Array:
    """(N, 1, H, W) -> (N, 3, H, W)."""
    colored: Array = digits * RED[:, None, None]
    return colored


def _yellow_on_blue(digits: Array) -> Array:
    """(N, 1, H, W) -> (N, 3, H, W), a pixel of 0 blue, of 1 yellow, and between in proportion."""
    colored: Array = BLUE[:, None, None] + digits * (YELLOW - BLUE)[:, None, None]
    return colored


def _bilinear(size: int, larger: int) -> Array:
    """The matrix (larger, size) of linear interpolation, pixels being areas and not points, so none is at the edge."""
    places = np.clip((np.arange(larger) + 0.5) * size / larger - 0.5, 0, size - 1)
    weights: Array = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(size))).astype(np.float32)
    return weights
