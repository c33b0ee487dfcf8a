"""Explorers for unit 07: a kernel on a photograph, a window that steps over an image, a digit drawn with the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.data import load_photograph
from dlcourse.plot import BLUE, ORANGE
from dlcourse.plot.convolution import draw_cells, draw_picture
from dlcourse.widgets import explore

__all__ = [
    "EXAMPLES",
    "IMAGES",
    "KERNELS",
    "DrawingPad",
    "KernelGrid",
    "drawing_explorer",
    "drawing_figure",
    "filter_image",
    "kernel_explorer",
    "kernel_figure",
    "rasterize",
    "scaled",
    "window_explorer",
    "window_figure",
]

Array = NDArray[Any]
Strokes = Sequence[Sequence[Sequence[float]]]  # lines of points (x, y), from 0 at the top left to 1 at the bottom right
Predict = Callable[[Array], Array]  # images (N, 1, 8, 8) -> probabilities (N, 10)

KERNELS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "vertical edges": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),  # Sobel and Feldman 1968
    "horizontal edges": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "as it is": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "blur": ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "outlines": ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
    "one pixel to the left": ((0, 0, 0), (0, 0, 1), (0, 0, 0)),
}
LARGEST = 8  # of a slider


def filter_image(image: Array, kernel: Array, stride: int = 1, padding: int = 0) -> Array:
    """Cross-correlation of one image (H, W) with one kernel (k, k), row by row of the kernel -> (oh, ow)."""
    x, k = np.pad(image, padding), len(kernel)
    oh, ow = ((n - k) // stride + 1 for n in x.shape)
    out = np.zeros((oh, ow), np.result_type(image, np.float32))
    for i in range(k):
        for j in range(k):
            out += kernel[i][j] * x[i : i + stride * oh : stride, j : j + stride * ow : stride][:oh, :ow]
    return out


def scaled(kernel: Array | Sequence[Sequence[int]]) -> Array:
    """The kernel over the sum of its entries, which keeps brightness; where that is not positive, over their sizes'."""
    entries = np.asarray(kernel, float)
    total = entries.sum() if entries.sum() > 0 else np.abs(entries).sum()
    return entries / (total or 1.0)


# --- a kernel on a photograph


class KernelGrid(w.GridBox):  # type: ignore[misc]
    """Nine sliders in a square; ``value`` holds their numbers row by row, and setting it moves all of them at once."""

    value = traitlets.Tuple()

    def __init__(self, kernel: Sequence[Sequence[int]]) -> None:
        places = [(row, column) for row in range(3) for column in range(3)]
        sliders = [
            w.IntSlider(value=kernel[row][column], min=-LARGEST, max=LARGEST, description=f"{row}, {column}",
                        style={"description_width": "28px"}, layout=w.Layout(width="190px"))
            for row, column in places
        ]  # fmt: skip
        super().__init__(sliders, layout=w.Layout(grid_template_columns="repeat(3, 200px)"))
        self._moving = False
        self.value = tuple(slider.value for slider in sliders)
        for slider in sliders:
            slider.observe(self._read, names="value")
        self.observe(self._move, names="value")

    def _read(self, _: Any = None) -> None:
        if not self._moving:
            self.value = tuple(slider.value for slider in self.children)

    def _move(self, change: Any) -> None:
        self._moving = True
        for slider, number in zip(self.children, change["new"], strict=True):
            slider.value = number
        self._moving = False


def _respond(ax: Axes, image: Array, kernel: Array) -> Array:
    """Draw the response to a kernel: light where it keeps brightness, else by its sign."""
    response = filter_image(image, scaled(kernel))
    bright = np.sum(kernel) > 0
    limit = 1.0 if bright else max(float(np.percentile(np.abs(response), 99)), 1e-6)
    draw_picture(ax, response, kind="light" if bright else "signed", limit=limit)
    return response


def _seen(kernel: Array, response: Array) -> str:
    total = int(np.sum(kernel))
    strong = f"{np.mean(np.abs(response) > 0.1):.0%} of the pixels respond by more than 0.1"
    if not kernel.any():
        return "All entries are 0: the response is 0 everywhere."
    if total > 0:
        return f"The entries sum to {total} and are divided by it, so even areas keep their brightness."
    if total == 0:
        return f"The entries sum to 0: even areas give 0, and what changes stands out; {strong}."
    return f"The entries sum to {total}: even areas give less than 0, the brighter the more; {strong}."


class _KernelPanel:
    """The photograph at the left, the response to the kernel at the right."""

    def __init__(self) -> None:
        self.image = load_photograph().mean(axis=0)
        self.figure, (before, self.after) = plt.subplots(1, 2, figsize=(7.6, 3), layout="constrained")
        draw_picture(before, self.image, "the photograph", "light")

    def update(self, kernel: tuple[int, ...]) -> str:
        """Draw the response; returns what the kernel does to even areas."""
        entries = np.array(kernel).reshape(3, 3)
        self.after.clear()
        response = _respond(self.after, self.image, entries)
        self.after.set_title("the response" + ("" if entries.sum() > 0 else ": red above zero, blue below"), fontsize=9)
        return _seen(entries, response)


def kernel_explorer() -> w.VBox:
    """Choose a 3×3 kernel or set it number by number, and see the response on a photograph."""
    panel, first = _KernelPanel(), next(iter(KERNELS))
    grid = KernelGrid(KERNELS[first])
    choice = w.Dropdown(options=list(KERNELS), value=first, description="kernel")

    def chosen(change: Any) -> None:
        grid.value = tuple(np.ravel(KERNELS[change["new"]]).tolist())

    choice.observe(chosen, names="value")
    return w.VBox([choice, explore(panel.figure, panel.update, {"kernel": grid})])


def kernel_figure(names: Sequence[str], finding: str) -> Figure:
    """The photograph and the responses to named kernels, side by side, standing still."""
    image = load_photograph().mean(axis=0)
    columns = len(names) + 1
    figure, axes = plt.subplots(1, columns, figsize=(2.6 * columns, 2.4), layout="constrained")
    draw_picture(axes[0], image, "the photograph", "light")
    for ax, name in zip(axes[1:], names, strict=True):
        _respond(ax, image, np.array(KERNELS[name]))
        ax.set_title(name, fontsize=9)
    figure.suptitle(finding, fontsize=11)
    return figure


# --- the window, step by step

IMAGES: dict[str, Array] = {
    "an edge": np.repeat([[0.0, 0, 0, 2, 2, 2]], 6, axis=0),
    "a corner": np.pad(np.full((3, 3), 2.0), ((3, 0), (3, 0))),
    "a slope": np.arange(6.0) + np.zeros((6, 1)),
    "a single dot": np.pad([[1.0]], ((2, 3), (2, 3))),
}
STEPPED = {
    "vertical edges": np.array([[-1.0, 0, 1]] * 3),
    "one to nine": np.arange(1.0, 10).reshape(3, 3),
    "average of nine": np.full((3, 3), 1 / 9),
    "one pixel to the left": np.array(KERNELS["one pixel to the left"], float),
}


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


class _WindowPanel:
    """The image with the window on it, the nine products, and the output as far as it is known."""

    def __init__(self) -> None:
        self.figure, self.axes = plt.subplots(
            1, 4, figsize=(9.4, 2.9), width_ratios=[1.45, 0.75, 0.75, 1.2], layout="constrained"
        )

    def update(self, image: str, kernel: str, step: int, stride: int, padding: int, turned: bool) -> str:
        """Draw one step of the window; returns the sum as a sentence."""
        x, weights = np.pad(IMAGES[image], padding), STEPPED[kernel][:: -1 if turned else 1, :: -1 if turned else 1]
        out = filter_image(x, weights, stride)
        row, column = divmod(min(step, out.size - 1), out.shape[1])
        top, left = stride * row, stride * column
        window = x[top : top + 3, left : left + 3]
        products = window * weights + 0.0  # without -0
        total = float(products.sum())
        done = np.where(np.arange(out.size).reshape(out.shape) <= row * out.shape[1] + column, out, np.nan)
        for ax in self.axes:
            ax.clear()
        border = f", padding {padding}" if padding else ""
        draw_cells(self.axes[0], x, f"image{border}, {len(x)} × {len(x)}", [(top, left, 3)], limit=6)
        draw_cells(self.axes[1], weights, "kernel" + (", turned" if turned else ""), limit=12)
        draw_cells(self.axes[2], products, f"products, sum {_number(total)}", limit=12)
        draw_cells(self.axes[3], done, f"output, {len(out)} × {len(out)}", [(row, column, 1)], limit=12)
        known = " + ".join(f"({_number(p)})" if p < 0 else _number(p) for p in products[products != 0]) or "0"
        return (
            f"The window stands at row {top}, column {left}. Products that are not 0: {known} = {_number(total)}, which is "
            f"output [{row}, {column}] of {len(out)} × {len(out)}."
        )


def window_explorer() -> w.VBox:
    """Step a 3×3 window over a small image, and see the products, their sum, and the output as it grows."""
    panel = _WindowPanel()
    controls: dict[str, Any] = {
        "image": w.Dropdown(options=list(IMAGES), description="image"),
        "kernel": w.Dropdown(options=list(STEPPED), description="kernel"),
        "step": w.IntSlider(value=1, min=0, max=35, description="step"),
        "stride": w.IntSlider(value=1, min=1, max=3, description="stride"),
        "padding": w.IntSlider(value=0, min=0, max=1, description="padding"),
        "turned": w.Checkbox(value=False, description="kernel turned around"),
    }
    return explore(panel.figure, panel.update, controls)


def window_figure(
    image: str, kernel: str, step: int, finding: str, stride: int = 1, padding: int = 0, turned: bool = False
) -> Figure:
    """One step of the window, standing still."""
    panel = _WindowPanel()
    panel.update(image, kernel, step, stride, padding, turned)
    panel.figure.suptitle(finding, fontsize=11)
    return panel.figure


# --- a digit drawn with the mouse

FINE, PEN, WIDEST = 32, 2.4, 21.0  # the bitmap's side, half the pen's width and a digit's width, in its pixels

EXAMPLES: dict[str, list[list[list[float]]]] = {
    "three": [[[0.25, 0.2], [0.45, 0.1], [0.68, 0.2], [0.68, 0.36], [0.45, 0.47], [0.7, 0.58], [0.72, 0.78],
               [0.5, 0.9], [0.25, 0.82]]],
    "seven": [[[0.25, 0.15], [0.75, 0.15], [0.42, 0.9]], [[0.35, 0.5], [0.68, 0.5]]],
    "five": [[[0.72, 0.12], [0.34, 0.12], [0.32, 0.44], [0.55, 0.4], [0.72, 0.55], [0.7, 0.78], [0.5, 0.9],
              [0.28, 0.82]]],
}  # fmt: skip

_PAD = """
function render({ model, el }) {
  const size = 220, canvas = document.createElement("canvas"), clear = document.createElement("button");
  canvas.width = canvas.height = size;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Draw a digit here with the mouse. With the keyboard: arrow keys move the pen, space puts it down or lifts it.");
  canvas.style.cssText = "border: 2px solid #777; background: white; touch-action: none; cursor: crosshair; display: block";
  clear.textContent = "Clear";
  clear.className = "jupyter-button";
  el.append(canvas, clear);
  const pen = canvas.getContext("2d");
  let strokes = model.get("value").map(line => line.slice());
  let drawing = false, at = [0.5, 0.5], keys = false, waiting = null;
  const paint = () => {
    pen.clearRect(0, 0, size, size);
    pen.lineWidth = 16; pen.lineCap = pen.lineJoin = "round"; pen.strokeStyle = "#000";
    for (const line of strokes) {
      pen.beginPath();
      line.forEach(([x, y], i) => i ? pen.lineTo(x * size, y * size) : pen.moveTo(x * size, y * size));
      if (line.length === 1) pen.lineTo(line[0][0] * size + 0.1, line[0][1] * size);
      pen.stroke();
    }
    if (keys) {
      pen.lineWidth = 3; pen.strokeStyle = drawing ? "#D55E00" : "#0072B2";
      pen.strokeRect(at[0] * size - 6, at[1] * size - 6, 12, 12);
    }
  };
  const send = () => {
    clearTimeout(waiting); waiting = null;
    model.set("value", strokes.map(line => line.slice()));
    model.save_changes();
  };
  const soon = () => { waiting ??= setTimeout(send, 150); };
  const place = event => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
      .map(v => Math.round(1000 * Math.min(1, Math.max(0, v))) / 1000);
  };
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    drawing = true; keys = false; strokes.push([place(event)]); paint(); soon();
  });
  canvas.addEventListener("pointermove", event => {
    if (!drawing || keys) return;
    strokes[strokes.length - 1].push(place(event)); paint(); soon();
  });
  const lift = () => { if (drawing && !keys) { drawing = false; send(); } };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("keydown", event => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault(); event.stopPropagation();
    keys = true;
    if (event.key === " ") {
      drawing = !drawing;
      if (drawing) strokes.push([at.slice()]); else send();
    } else {
      at = at.map((v, i) => Math.min(0.95, Math.max(0.05, v + 0.05 * move[i])));
      if (drawing) { strokes[strokes.length - 1].push(at.slice()); soon(); }
    }
    paint();
  });
  clear.addEventListener("click", () => { strokes = []; drawing = false; paint(); send(); });
  model.on("change:value", () => {
    if (drawing || waiting) return;
    strokes = model.get("value").map(line => line.slice()); paint();
  });
  paint();
}
export default { render };
"""


class DrawingPad(anywidget.AnyWidget):
    """A white square to draw on with a mouse, a finger or the arrow keys; ``value`` holds the lines as points (x, y)."""

    _esm = _PAD
    value: Any = traitlets.List().tag(sync=True)


def rasterize(strokes: Strokes) -> Array:
    """Lines as the digits of the data set: fitted to a 32×32 bitmap, and the ink counted in blocks of 4×4 -> (8, 8), 0 to 1.

    Size, place and the pen's width do not matter: the drawing is made as high as the bitmap (or, if it is very wide, as
    wide as digits are there), and drawn again with a pen of the width that is usual in the data set.
    """
    lines = [np.array(line, float) for line in strokes if len(line)]
    if not lines:
        return np.zeros((8, 8), np.float32)
    points = np.concatenate(lines)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    up = (FINE - 2 * PEN) / max(size[1], size[0] / 3, 0.05)
    scale = np.array([min(up, WIDEST / max(size[0], 1e-9)), up])
    middle = low + size / 2
    y, x = np.mgrid[:FINE, :FINE] + 0.5
    ink = np.zeros((FINE, FINE), bool)
    for line in lines:
        path = (line - middle) * scale + FINE / 2  # (P, 2)
        for (ax, ay), (bx, by) in zip(path, path[1:] if len(path) > 1 else path, strict=False):
            dx, dy = bx - ax, by - ay
            along = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
            ink |= (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2 <= PEN**2
    return np.asarray(ink.reshape(8, 4, 8, 4).mean(axis=(1, 3)), np.float32)


def _draw_guess(picture: Axes, bars: Axes, strokes: Strokes, predict: Predict) -> str:
    """Draw what the network sees, and its probabilities; returns its guess as a sentence."""
    image = rasterize(strokes)
    picture.clear()
    bars.clear()
    draw_picture(picture, image, "what the network sees")
    if not image.any():
        bars.set(xticks=range(10), ylim=(0, 1), xlabel="digit", ylabel="probability")
        return "Nothing is drawn yet."
    p = np.asarray(predict(image[None, None]))[0]
    best, second = np.argsort(-p)[:2]
    bars.bar(range(10), p, color=[ORANGE if digit == best else BLUE for digit in range(10)])
    bars.set(xticks=range(10), ylim=(0, 1), xlabel="digit", ylabel="probability")
    bars.set_title(f"a {best}, {p[best]:.1%}", fontsize=10)
    return f"The network says {best} with probability {p[best]:.1%}; next comes {second} with {p[second]:.1%}."


class _DrawingPanel:
    """What the network sees at the left, its probabilities at the right."""

    def __init__(self, predict: Predict) -> None:
        self.predict = predict
        self.figure, (self.picture, self.bars) = plt.subplots(
            1, 2, figsize=(6.4, 2.6), width_ratios=[1, 1.7], layout="constrained"
        )

    def update(self, strokes: Strokes) -> str:
        """Draw the guess about these lines, and say it."""
        return _draw_guess(self.picture, self.bars, strokes, self.predict)


def drawing_explorer(predict: Predict, strokes: Strokes | None = None) -> w.VBox:
    """Draw a digit, and see the probabilities that a network gives it while you draw.

    Parameters
    ----------
    predict : images (N, 1, 8, 8), from 0 to 1 in float32 -> probabilities (N, 10)
    strokes : what is drawn at first; a three by default
    """
    panel = _DrawingPanel(predict)
    pad = DrawingPad(value=[list(map(list, line)) for line in (EXAMPLES["three"] if strokes is None else strokes)])
    return explore(panel.figure, panel.update, {"strokes": pad})


def drawing_figure(drawings: Sequence[Strokes], predict: Predict, finding: str) -> Figure:
    """Drawings in a row, standing still: the lines, what the network sees, and its probabilities."""
    figure, axes = plt.subplots(
        3,
        len(drawings),
        figsize=(2.4 * len(drawings), 5),
        height_ratios=[1, 1, 0.9],
        squeeze=False,
        layout="constrained",
    )
    for (lines, picture, bars), strokes in zip(axes.T, drawings, strict=True):
        _draw_guess(picture, bars, strokes, predict)
        for line in strokes:
            x, y = np.array(line).T
            lines.plot(x, y, color="k", ls="-", lw=6, solid_capstyle="round", solid_joinstyle="round")
        lines.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], aspect="equal", title="drawn")
        lines.title.set_fontsize(9)
        lines.grid(False)
        if bars is not axes[2, 0]:
            bars.set_ylabel("")
    figure.suptitle(finding, fontsize=11)
    return figure
