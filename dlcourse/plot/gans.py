"""Pictures of a game between two networks: its diagram, its state in one and two dimensions, and images in rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.plot import BLACK, BLUE, GREEN, ORANGE, RED, SKY
from dlcourse.plot.diagrams import arrow, blank, node

__all__ = ["draw_belief", "draw_images", "draw_line", "two_players"]

Array = NDArray[Any]


def two_players() -> Figure:
    """The two networks, what goes into them, and which way each one's slopes go."""
    fig, ax = blank(8.8, 3.3, (-1.3, 8.6), (-2.1, 1.75))
    places = {"$z$": (0, 0.9, SKY), "$G$": (2, 0.9, ORANGE), "$x$": (4, -0.5, SKY), "$D$": (6, 0.2, BLUE)}
    for text, (x, y, color) in places.items():
        node(ax, (x, y), text, color, radius=0.42)
    node(ax, (4, 0.9), "$G(z)$", SKY, radius=0.42)
    for start, end in (((0, 0.9), (2, 0.9)), ((2, 0.9), (4, 0.9)), ((4, 0.9), (6, 0.2)), ((4, -0.5), (6, 0.2))):
        arrow(ax, start, end, gap=0.44)
    arrow(ax, (6, 0.2), (7.3, 0.2), gap=0.44)
    ax.text(6.95, 0.2, "logit: real?", va="center", fontsize=11)
    for at, text in (((0, 1.55), "noise"), ((2, 1.55), "generator"), ((4, 1.55), "fake"), ((4, -1.13), "real"),
                     ((6, 0.85), "discriminator")):  # fmt: skip
        ax.text(*at, text, ha="center", va="center", fontsize=10, style="italic")
    for heights, reach, color, line, text in (
        (-1.95, 2.0, RED, "--", "the generator's loss: slopes go through $D$, only $G$ steps"),
        (-1.55, 5.4, GREEN, "-", "the discriminator's loss: only $D$ steps"),
    ):
        ax.annotate("", (reach, heights), (6.6, heights),
                    arrowprops={"arrowstyle": "-|>", "color": color, "linestyle": line, "linewidth": 1.8})  # fmt: skip
        ax.text(reach - 0.15, heights, text, ha="right", va="center", fontsize=9, color=color)
    ax.set_xlim(-4.3, 8.6)
    return fig


def draw_line(
    ax: Axes, x: Array, real: Array, fake: Array, belief: Array, title: str = "", legend: bool = True
) -> None:
    """The game on a line: two densities, and how sure the discriminator is at each place that it looks at real data.

    Parameters
    ----------
    x, real, fake, belief : (n,) places, the densities there, and D from 0 to 1
    """
    ax.fill_between(x, real, color=BLUE, alpha=0.25, linewidth=0)
    ax.plot(x, real, color=BLUE, linestyle="-", label="real: density")
    ax.plot(x, fake, color=ORANGE, linestyle="--", label="generated: density")
    ax.plot(x, belief, color=BLACK, linestyle=":", label="$D(x)$")
    ax.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="density; D(x) from 0 to 1")
    ax.set_title(title, fontsize=10)
    if legend:
        ax.legend(loc="upper left", fontsize=8)


def draw_belief(
    ax: Axes, samples: Array, belief: Array, reach: float, centers: Array | None = None, title: str = ""
) -> Any:  # fmt: skip
    """The game in the plane: the discriminator as a heat map from purple (fake) to orange (real), samples as points.

    Parameters
    ----------
    samples : (n, 2) what the generator makes
    belief : (H, W) the discriminator from 0 to 1 over the square from -reach to reach, rows along the second coordinate
    reach : half the side of the square
    centers : (K, 2) where the real data lie, drawn as rings
    title : what is seen

    Returns
    -------
    the picture, for a color bar
    """
    picture = ax.imshow(belief, origin="lower", extent=(-reach, reach, -reach, reach), cmap="PuOr_r", vmin=0, vmax=1,
                        alpha=0.75)  # fmt: skip
    if centers is not None:
        ax.plot(centers[:, 0], centers[:, 1], linestyle="", marker="o", ms=9, mfc="none", mec=BLACK, mew=1.2)
    ax.plot(samples[:, 0], samples[:, 1], linestyle="", marker=".", ms=3, color=BLACK, alpha=0.6)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    ax.grid(False)
    ax.set_title(title, fontsize=10)
    return picture


def draw_images(ax: Axes, images: Array, columns: int, title: str = "", ink: bool = True, gap: int = 1) -> None:
    """Images in rows of ``columns``, one picture: (N, H, W), (N, 1, H, W) in gray or (N, 3, H, W) in color, from 0 to 1.

    Parameters
    ----------
    ink : whether 1 is black in gray images; otherwise it is white
    gap : pixels of white between the images

    Raises
    ------
    ValueError
        If the images have another shape, or there are none.
    """
    images = np.asarray(images, dtype=float)
    images = images[:, None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(f"draw_images: images of shape {images.shape}; give (N, H, W), (N, 1, H, W) or (N, 3, H, W)")
    N, C, H, W = images.shape
    shown = (
        np.clip(1 - images if ink and C == 1 else images, 0, 1).transpose(0, 2, 3, 1).repeat(4 - C if C == 1 else 1, 3)
    )
    rows = -(-N // columns)
    sheet = np.ones((rows * (H + gap) - gap, columns * (W + gap) - gap, 3))
    for k, image in enumerate(shown):
        top, left = k // columns * (H + gap), k % columns * (W + gap)
        sheet[top : top + H, left : left + W] = image
    ax.imshow(sheet, interpolation="nearest")
    ax.axis("off")
    ax.set_title(title, fontsize=10)
