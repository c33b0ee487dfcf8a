"""Where a kernel stands on an image: the windows of a convolution or a pooling.

Here, and in the ops that use it, images are (C, H, W, N), the examples last: then what one pixel of the kernel meets, over
all windows, is a slice of the image in runs of N or more numbers, which NumPy handles fast however small the image is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np

from dlcourse.ops.rule import Array

Pair: TypeAlias = tuple[int, int]  # height, width
Size: TypeAlias = int | Pair  # one number stands for both


class Windows(NamedTuple):
    """``oh·ow`` windows of ``kernel`` pixels each, ``stride`` apart, on an image with a border."""

    image: Pair  # H, W
    out: Pair  # oh, ow
    kernel: Pair
    stride: Pair
    dilation: Pair  # from a pixel of a window to the next
    border: tuple[Pair, Pair]  # (above, below), (left, right)

    def take(self, image: Array, border: float = 0) -> list[Array]:
        """What each pixel of the kernel meets, row by row: (C, H, W, N) -> k·k views (C, oh, ow, N)."""
        if self.border != ((0, 0), (0, 0)):
            bare = image
            image = np.full(self._padded(image), border, np.result_type(image.dtype, border))
            self._crop(image)[...] = bare
        return [image[pixels] for pixels in self._slices()]

    def add_back(self, parts: Iterable[Array]) -> Array:
        """Each entry added to the pixel that ``take`` took it from: k·k arrays (C, oh, ow, N) -> (C, H, W, N)."""
        apart = all(s > d * (k - 1) for s, d, k in zip(self.stride, self.dilation, self.kernel, strict=True))
        image = None
        for pixels, part in zip(self._slices(), parts, strict=True):
            image = np.zeros(self._padded(part), part.dtype) if image is None else image
            if apart:  # no pixel is in two windows
                image[pixels] = part
            else:
                image[pixels] += part
        assert image is not None
        return self._crop(image)

    def _slices(self) -> list[tuple[slice, ...]]:
        rows, columns = [
            [slice(i * d, i * d + (n - 1) * s + 1, s) for i in range(k)]
            for n, k, s, d in zip(self.out, self.kernel, self.stride, self.dilation, strict=True)
        ]
        return [(slice(None), row, column) for row in rows for column in columns]

    def _padded(self, like: Array) -> tuple[int, ...]:
        return like.shape[0], self.image[0] + sum(self.border[0]), self.image[1] + sum(self.border[1]), like.shape[-1]

    def _crop(self, padded: Array) -> Array:
        (top, _), (left, _) = self.border
        return padded[:, top : top + self.image[0], left : left + self.image[1]]


def windows(name: str, image: Pair, kernel: Pair, stride: object, padding: object, dilation: object = 1) -> Windows:
    """As many windows as an image of size (H, W) has room for; ``name`` is the op's, for errors.

    Raises
    ------
    ValueError
        If an option is no whole number or pair of them, or the kernel is larger than the padded image.
    """
    s, d = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
    reach = [d[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    if padding == "same" and s != (1, 1):
        raise ValueError(f"{name}: padding='same' keeps the size, which needs stride=1, not stride={stride!r}")
    if padding == "same":
        top, left = [((r - 1) // 2, r // 2) for r in reach]
    else:
        top, left = [(p, p) for p in pair(name, "padding", 0 if padding == "valid" else padding, 0)]
    room = [image[0] + sum(top) - reach[0], image[1] + sum(left) - reach[1]]
    if min(room) < 0:
        raise ValueError(
            f"{name}: a kernel that spans {reach[0]}×{reach[1]} pixels is larger than the image, {image[0]}×{image[1]} "
            f"with padding={padding!r}; use a smaller kernel, more padding, or fewer layers that shrink the image"
        )
    return Windows(image, (room[0] // s[0] + 1, room[1] // s[1] + 1), kernel, s, d, (top, left))


def pair(name: str, option: str, value: object, least: int) -> Pair:
    """An option for height and width, from a whole number for both or from a pair."""
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2 or not all(isinstance(one, int | np.integer) and one >= least for one in both):
        raise ValueError(
            f"{name}: {option}={value!r} must be a whole number of at least {least}, or a pair of them (height, width)"
        )
    return int(both[0]), int(both[1])


def as_image(name: str, x: Array) -> Array:
    """(N, C, H, W) -> (C, H, W, N), a view; ValueError if there are not four axes."""
    if x.ndim != 4:
        raise ValueError(
            f"{name}: the input must have four axes (N, C, H, W), not shape {x.shape}; a single image becomes a batch by "
            "x[None], gray images (N, H, W) get their channel by x[:, None]"
        )
    return x.transpose(1, 2, 3, 0)


def as_batch(image: Array) -> Array:
    """(C, H, W, N) -> (N, C, H, W), a view; the ops that follow keep this order in memory."""
    return image.transpose(3, 0, 1, 2)
