"""Pictures that move: frames drawn one after the other, as an animated PNG with a text alternative."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from dlcourse.plot import png

__all__ = ["animated_png", "show_animation"]


def show_animation(
    figure: Figure, draw: Callable[[int], None], frames: int | Sequence[int], alt: str, milliseconds: int = 250,
    plays: int = 3, dpi: int = 80,
) -> None:  # fmt: skip
    """Display an animated PNG once, with a text alternative, and close the figure; where PNGs stand still, its last frame.

    Parameters
    ----------
    figure : its size stays as it is: no layout may move the axes from frame to frame
    draw : called with the number of a frame; changes the figure
    frames : how many, or their numbers
    alt : what the animation shows, in one or two sentences
    milliseconds : each frame's; the last one stays four times as long
    plays : how often it plays before it rests on the last frame; 0 is for ever
    dpi : dots per inch

    Raises
    ------
    ValueError
        If ``alt`` is empty or there are no frames.
    """
    import matplotlib.pyplot as plt

    numbers = range(frames) if isinstance(frames, int) else frames
    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the animation shows")
    if not len(numbers):
        raise ValueError(f"frames={frames!r}; an animation needs one frame at least")
    pictures = []
    for number in numbers:
        draw(number)
        pictures.append(png(figure, dpi))
    data = {"image/png": animated_png(pictures, milliseconds, plays), "text/plain": f"<Animation: {alt}>"}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def animated_png(pictures: Sequence[bytes], milliseconds: int, plays: int) -> bytes:
    """PNG pictures of one size as one animated PNG in 32 colors; a viewer that cannot animate shows the last one."""
    from PIL import Image

    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    width, height = min(image.width for image in images), min(image.height for image in images)
    images = [image.crop((0, 0, width, height)) for image in images]
    colors = images[-1].quantize(32, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [image.quantize(palette=colors, dither=Image.Dither.NONE) for image in images]
    palette = np.array(colors.getpalette(), dtype=np.uint8).reshape(-1, 3)
    palette[np.asarray(frames[0])[0, 0]] = 255  # the corner is paper, which Pillow takes for the nearest lines' gray
    for frame in frames:
        frame.putpalette(palette.ravel().tolist())
    buffer = io.BytesIO()
    durations = [milliseconds] * (len(frames) - 1) + [4 * milliseconds]
    frames[-1].save(buffer, format="PNG", save_all=True, default_image=True, append_images=frames, duration=durations,
                    loop=plays, optimize=True)  # fmt: skip
    return buffer.getvalue()
