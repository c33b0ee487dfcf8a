"""Figures that every reader can see: one style, colors safe for color-blind readers, and a text alternative.

Colors are those of Okabe and Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

__all__ = ["COLORS", "LINES", "MARKERS", "png", "show", "use_style"]

BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
)  # fmt: skip
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))


def use_style() -> None:
    """Set matplotlib's defaults to the course's: legible sizes, a light grid, colors that differ in line style too."""
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "image.cmap": "viridis",
            "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=LINES),
        }
    )


def png(fig: Figure, dpi: int = 90) -> bytes:
    """The figure as PNG bytes, the same bytes for the same figure."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def show(fig: Figure, alt: str, dpi: int = 90) -> None:
    """Display a figure once, with a text alternative for readers who cannot see it, and close it.

    Parameters
    ----------
    fig : matplotlib Figure
    alt : what the figure shows, in one or two sentences
    dpi : dots per inch of the stored picture

    Raises
    ------
    ValueError
        If ``alt`` is empty.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the figure shows")
    data: dict[str, Any] = {"image/png": _with_palette(png(fig, dpi)), "text/plain": f"<Figure: {alt}>"}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})
    plt.close(fig)


def _with_palette(picture: bytes) -> bytes:
    """The PNG in at most 256 colors: a third of the bytes, and for line drawings no visible difference."""
    from PIL import Image

    image, buffer = Image.open(io.BytesIO(picture)).convert("RGB"), io.BytesIO()
    palette = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
