"""Explorers of unit 11: how sharply a softmax chooses, who moves when an input moves, and where a trained head looks."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dlcourse.plot import BLUE, RED
from dlcourse.plot.attention import attention_map, token_strip, visible
from dlcourse.widgets import explore

if TYPE_CHECKING:
    from dlcourse.data.tokenizer import Tokenizer
    from dlcourse.models.gpt_torch import GPT

__all__ = [
    "MASKS",
    "WORDS",
    "MaskPad",
    "attention_explorer",
    "attention_figure",
    "mask_explorer",
    "mask_figure",
    "moved",
    "sharpness",
    "sharpness_explorer",
    "sharpness_figure",
    "weights_of",
]

Array = NDArray[Any]
Mask = Sequence[Sequence[bool]]

# --- how sharply a softmax chooses

KEYS, DRAWS, SHOWN = 32, 100, 12
WIDTHS = (1, 4, 16, 64, 256, 1024)


def weights_of(d: int, exponent: float, temperature: float = 1.0, draws: int = DRAWS, seed: int = 0) -> Array:
    """Weights (draws, 32) that a random query gives to 32 random keys: softmax(q·k / d^exponent / temperature).

    All entries of queries and keys are standard normal.

    Raises
    ------
    ValueError
        If d is not positive, or the temperature is not.
    """
    if d < 1 or not temperature > 0:
        raise ValueError(f"weights_of: d={d}, temperature={temperature}; both must be above 0")
    rng = np.random.default_rng(seed)
    q, k = rng.normal(size=(draws, 1, d)), rng.normal(size=(draws, KEYS, d))
    scores = (q * k).sum(axis=2) / d**exponent / temperature  # (draws, 32)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights: Array = powers / powers.sum(axis=1, keepdims=True)
    return weights


@lru_cache(maxsize=1024)
def sharpness(d: int, exponent: float, temperature: float = 1.0) -> tuple[float, float]:
    """Mean entropy of such weights in bits (5 = all 32 alike), and the middle slope of the softmax.

    The slope is the length of the softmax's Jacobian ``diag(p) - p pᵀ`` (Frobenius norm): what a slope with respect to
    the weights is multiplied by on its way to the scores. The middle one of the draws is given.
    """
    p = weights_of(d, exponent, temperature)
    entropy = -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1).mean()
    squares = (p**2).sum(axis=1)
    slopes = np.sqrt(np.maximum(squares - 2 * (p**3).sum(axis=1) + squares**2, 0))
    return float(entropy), float(np.median(slopes))


def _choice(entropy: float) -> str:
    if entropy < 1.5:
        return "nearly all goes to one or two keys"
    return "all keys count nearly alike" if entropy > 4.8 else "some keys count more than others"


class _Sharpness:
    """One query's weights at the left; entropy over the width at the right."""

    def __init__(self) -> None:
        self.figure, (self.bars, self.curve) = plt.subplots(
            1, 2, figsize=(9, 2.9), layout="constrained", width_ratios=(1.2, 1)
        )

    def update(self, exponent: float, temperature: float, width: int) -> str:
        """Draw weights and entropy; returns what is seen as a sentence."""
        for ax in (self.bars, self.curve):
            ax.clear()
        exponent, temperature = round(exponent, 3), round(temperature, 3)
        p = np.sort(weights_of(width, exponent, temperature)[0])[::-1][:SHOWN]
        self.bars.bar(range(1, SHOWN + 1), p, color=BLUE)
        self.bars.set(
            ylim=(0, 1), xticks=range(1, SHOWN + 1), xlabel=f"the {SHOWN} largest of {KEYS} keys", ylabel="weight"
        )
        self.bars.set_title(f"One query: scores / ${width}^{{{exponent:g}}}$ / {temperature:g}")
        entropies = [sharpness(d, exponent, temperature)[0] for d in WIDTHS]
        self.curve.semilogx(WIDTHS, entropies, color=BLUE, marker="o")
        entropy, slope = sharpness(width, exponent, temperature)
        self.curve.plot([width], [entropy], color=RED, marker="D", ms=9, ls="")
        self.curve.axhline(np.log2(KEYS), color="0.4", lw=1, ls=":")
        self.curve.set(ylim=(-0.1, 5.4), xlabel="width d", ylabel="entropy in bits")
        self.curve.set_xticks(WIDTHS, WIDTHS)
        self.curve.minorticks_off()
        self.curve.set_title(f"{entropy:.1f} of {np.log2(KEYS):.0f} bits at width {width}")
        return (
            f"Scores over {width}^{exponent:g}, temperature {temperature:g}: the largest weight is {p[0]:.2f}; on the mean "
            f"the entropy is {entropy:.2f} of 5 bits, the softmax's slope {slope:.1e}; {_choice(entropy)}."
        )


def sharpness_figure(exponent: float, temperature: float = 1.0, width: int = 64) -> Figure:
    """The explorer's picture for these settings, standing still."""
    panel = _Sharpness()
    panel.update(exponent, temperature, width)
    return panel.figure


def sharpness_explorer() -> w.VBox:
    """Slide the exponent of d and the temperature, and see how sharply a query chooses among 32 random keys."""
    panel = _Sharpness()
    controls: dict[str, Any] = {
        "exponent": w.FloatSlider(value=0.0, min=0, max=1, step=0.05, description="exponent", continuous_update=False),
        "temperature": w.FloatSlider(
            value=1.0, min=0.1, max=4, step=0.1, description="temperature", continuous_update=False
        ),
        "width": w.Dropdown(options=WIDTHS, value=64, description="width d"),
    }
    return explore(panel.figure, panel.update, controls)


# --- who moves when an input moves

WORDS = ("the", "dog", "that", "barks", "bites", "nobody")
_T = len(WORDS)
_AGE = np.arange(_T)[:, None] - np.arange(_T)  # of a key, seen from a query
MASKS: dict[str, Array] = {
    "causal": np.tri(_T, dtype=bool),
    "all see all": np.ones((_T, _T), bool),
    "strictly before": np.tri(_T, k=-1, dtype=bool),
    "the last two": (_AGE >= 0) & (_AGE < 2),
    "the last two words are padding": np.repeat([[True] * (_T - 2) + [False] * 2], _T, axis=0),
    "turned around (a mistake)": np.tri(_T, dtype=bool).T,
}
MOVED = 1e-9  # what an output must change by to count; a nudge is of length 1

_MASK_PAD = """
function render({ model, el }) {
  const words = model.get("words"), n = words.length, cell = 34, left = 92, top = 74;
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.width = left + n * cell + 44; canvas.height = top + n * cell + 4;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The mask: a row for each query, a column for each key. Paint with the mouse; with the keyboard, arrow keys move and space switches a cell.");
  canvas.style.cssText = "background: white; touch-action: none; cursor: cell; display: block";
  el.append(canvas);
  let mask = model.get("value").map(row => row.slice()), painting = null, at = [0, 0], keys = false;
  const paint = () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.font = "13px sans-serif"; pen.fillStyle = "#000"; pen.textBaseline = "middle";
    words.forEach((word, i) => {
      pen.textAlign = "right"; pen.fillText(word, left - 8, top + (i + 0.5) * cell);
      pen.save(); pen.translate(left + (i + 0.5) * cell, top - 8); pen.rotate(-Math.PI / 3);
      pen.textAlign = "left"; pen.fillText(word, 0, 0); pen.restore();
    });
    mask.forEach((row, i) => row.forEach((may, j) => {
      const x = left + j * cell, y = top + i * cell;
      pen.fillStyle = may ? "#0072B2" : "#fff"; pen.fillRect(x, y, cell, cell);
      pen.strokeStyle = "#777"; pen.lineWidth = 1; pen.strokeRect(x + 0.5, y + 0.5, cell, cell);
      if (!may) return;
      pen.fillStyle = "#fff"; pen.textAlign = "center"; pen.fillText("✓", x + cell / 2, y + cell / 2);
    }));
    if (!keys) return;
    pen.strokeStyle = "#D55E00"; pen.lineWidth = 3;
    pen.strokeRect(left + at[1] * cell + 2, top + at[0] * cell + 2, cell - 3, cell - 3);
  };
  const send = () => { model.set("value", mask.map(row => row.slice())); model.save_changes(); };
  const place = event => {
    const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
    const i = Math.floor(((event.clientY - box.top) * scale - top) / cell);
    const j = Math.floor(((event.clientX - box.left) * scale - left) / cell);
    return i >= 0 && j >= 0 && i < n && j < n ? [i, j] : null;
  };
  canvas.addEventListener("pointerdown", event => {
    const spot = place(event);
    if (!spot) return;
    canvas.setPointerCapture(event.pointerId);
    keys = false; painting = !mask[spot[0]][spot[1]]; mask[spot[0]][spot[1]] = painting; paint();
  });
  canvas.addEventListener("pointermove", event => {
    const spot = painting === null ? null : place(event);
    if (spot) { mask[spot[0]][spot[1]] = painting; paint(); }
  });
  const lift = () => { if (painting !== null) { painting = null; send(); } };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("keydown", event => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault(); event.stopPropagation();
    keys = true;
    if (move) at = at.map((v, axis) => Math.min(n - 1, Math.max(0, v + move[axis])));
    else { mask[at[0]][at[1]] = !mask[at[0]][at[1]]; send(); }
    paint();
  });
  model.on("change:value", () => { if (painting === null) { mask = model.get("value").map(row => row.slice()); paint(); } });
  paint();
}
export default { render };
"""


class MaskPad(anywidget.AnyWidget):
    """A grid to paint a mask on, a row for each query; ``value`` holds it as lists of True (may attend) and False."""

    _esm = _MASK_PAD
    value: Any = traitlets.List().tag(sync=True)
    words: Any = traitlets.List().tag(sync=True)


def _layers(x: Array, mask: Array, layers: int) -> Array:
    """Attention with random projections and a residual connection, ``layers`` times: (T, 8) -> (T, 8)."""
    rng = np.random.default_rng(1)
    for _ in range(layers):
        q, k, v = (x @ rng.normal(size=(8, 8)) / 8**0.5 for _ in range(3))
        scores = np.where(mask, q @ k.T / 8**0.5, -np.inf)
        highest = np.max(scores, axis=1, keepdims=True, initial=-1e9)
        powers = np.exp(scores - highest)
        x = x + powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300) @ v
    return x


def moved(mask: Mask | Array, changed: int, layers: int = 1) -> Array:
    """How far each output moves when one input is moved by a vector of length 1: (T,).

    Each layer is one head of attention with this mask and random projections, added to its input.

    Parameters
    ----------
    mask : (T, T), True where the query of the row may attend to the key of the column
    changed : which input is moved
    layers : how many, one after the other

    Raises
    ------
    ValueError
        If the mask is not square, or there is no such input.
    """
    may = np.asarray(mask, bool)
    if may.ndim != 2 or may.shape[0] != may.shape[1]:
        raise ValueError(f"moved: a mask of shape {may.shape}; it must be square, a row for each query")
    if not 0 <= changed < len(may):
        raise ValueError(f"moved: changed={changed}; the inputs are numbered from 0 to {len(may) - 1}")
    rng = np.random.default_rng(0)
    x, nudge = rng.normal(size=(len(may), 8)), rng.normal(size=8)
    other = x.copy()
    other[changed] += nudge / np.linalg.norm(nudge)
    return np.asarray(np.linalg.norm(_layers(x, may, layers) - _layers(other, may, layers), axis=1))


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) if words else "none"


class _Masks:
    """The mask at the left; at the right, how far each output moves when one input does."""

    def __init__(self) -> None:
        self.figure, (self.grid, self.bars) = plt.subplots(
            1, 2, figsize=(7.6, 2.9), layout="constrained", width_ratios=(1, 1.5)
        )

    def update(self, mask: Mask, changed: int, layers: int) -> str:
        """Draw mask and changes; returns which outputs moved as a sentence."""
        for ax in (self.grid, self.bars):
            ax.clear()
        may = np.asarray(mask, bool)
        attention_map(self.grid, may.astype(float), WORDS, WORDS, "the mask: dark = may attend", size=9)
        self.grid.add_patch(Rectangle((changed - 0.5, -0.5), 1, len(may), fill=False, edgecolor=RED, lw=2))
        self.grid.set(ylabel="query", xlabel="key")
        far = moved(may, changed, layers)
        touched = far > MOVED
        early = touched & (np.arange(len(may)) < changed)
        colors = [RED if e else BLUE for e in early]
        bars = self.bars.bar(range(len(WORDS)), far, color=colors)
        for bar, e in zip(bars, early, strict=True):
            bar.set_hatch("///" if e else "")
        self.bars.set_xticks(range(len(WORDS)), WORDS)
        self.bars.set(ylabel="output moves by", xlabel="position")
        names = [word for word, hit in zip(WORDS, touched, strict=True) if hit]
        leak = [word for word, hit in zip(WORDS, early, strict=True) if hit]
        self.bars.set_title(
            f"“{WORDS[changed]}” moved, {layers} layer{'s' * (layers > 1)}: "
            + ("it leaks back" if leak else "nothing leaks back")
        )
        said = f"When “{WORDS[changed]}” changes, these outputs change: {_listed(names)}."
        blind = [word for word, row in zip(WORDS, may, strict=True) if not row.any()]
        said += (
            f" {_listed(leak)} learned of a later word: no model of the next word may do that."
            if leak
            else " No earlier one does."
        )
        return said + (f" Nobody to attend to, so the input is kept: {_listed(blind)}." if blind else "")


def mask_figure(mask: str, changed: int = 3, layers: int = 1) -> Figure:
    """The explorer's picture for one of MASKS, standing still."""
    panel = _Masks()
    panel.update(MASKS[mask].tolist(), changed, layers)
    return panel.figure


def mask_explorer() -> w.VBox:
    """Paint a mask, choose an input to move, and see which outputs of one or more layers of attention move with it."""
    panel, first = _Masks(), "causal"
    pad = MaskPad(value=MASKS[first].tolist(), words=list(WORDS))
    choice = w.Dropdown(options=list(MASKS), value=first, description="begin with")

    def chosen(change: Any) -> None:
        pad.value = MASKS[change["new"]].tolist()

    choice.observe(chosen, names="value")
    controls: dict[str, Any] = {
        "mask": pad,
        "changed": w.Dropdown(options=[(word, k) for k, word in enumerate(WORDS)], value=3, description="move"),
        "layers": w.IntSlider(value=1, min=1, max=5, description="layers", continuous_update=False),
    }
    return w.VBox([choice, explore(panel.figure, panel.update, controls)])


# --- where a trained head looks

MOST = 28  # tokens that a map has room for
LINES = 11.0  # of text beside it


def _most(model: GPT) -> int:
    """How many tokens are shown: with learned positions, a model reads no more than its context."""
    return min(MOST, model.config.context) if model.config.positions == "learned" else MOST


class _Attention:
    """The map of one head at the left; at the right, the text shaded by what one token looks at."""

    def __init__(self, model: GPT, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.figure, (self.map, self.strip) = plt.subplots(
            1, 2, figsize=(9.4, 4.4), layout="constrained", width_ratios=(1.25, 1)
        )

    def update(self, text: str, layer: int, head: int, token: int) -> str:
        """Draw a head's weights; returns what the chosen token looks at most as a sentence."""
        import torch

        from dlcourse.models.gpt_torch import attention_maps

        for ax in (self.map, self.strip):
            ax.clear()
        ids = np.asarray(self.tokenizer.encode(text or "\n"))[: _most(self.model)]
        tokens = [self.tokenizer.decode(ids[k : k + 1]) for k in range(len(ids))]
        maps = attention_maps(self.model, torch.as_tensor(ids)[None])  # (layers, N, h, T, T)
        weights = np.asarray(maps[layer, 0, head].detach().cpu(), np.float64)  # (T, T)
        query = min(token, len(tokens) - 1)
        attention_map(self.map, weights, tokens, tokens, f"layer {layer}, head {head}", size=7)
        self.map.set(ylabel="query", xlabel="key")
        self.map.axhline(query - 0.5, color=RED, lw=1, ls="-")
        self.map.axhline(query + 0.5, color=RED, lw=1, ls="-")
        token_strip(self.strip, tokens, weights[query], chosen=query, width=34)
        self.strip.set_ylim(min(self.strip.get_ylim()[0], -LINES), 0.1)  # few lines stand together at the top
        best = int(weights[query].argmax())
        self.strip.set_title(f"what token {query} (framed) looks at")
        names = [html.escape(visible(tokens[k]), quote=False) for k in (query, best)]
        return (
            f"Layer {layer}, head {head}: token {query}, “{names[0]}”, looks most at token {best}, “{names[1]}”, with a weight of "
            f"{weights[query, best]:.2f}."
        )


def attention_figure(model: GPT, tokenizer: Tokenizer, text: str, layer: int, head: int, token: int = MOST) -> Figure:
    """The explorer's picture for these settings, standing still; token beyond the last means the last."""
    panel = _Attention(model, tokenizer)
    panel.update(text, layer, head, token)
    return panel.figure


def attention_explorer(model: GPT, tokenizer: Tokenizer, text: str) -> w.VBox:
    """Type a text, choose layer, head and token: the head's map, and the text shaded by what the token looks at.

    Parameters
    ----------
    model, tokenizer : a GPT in PyTorch, trained, and what it reads with
    text : the text to start with; its first 28 tokens are shown (fewer if the model has learned fewer positions)
    """
    panel, config = _Attention(model, tokenizer), model.config
    controls: dict[str, Any] = {
        "text": w.Textarea(value=text, description="text", rows=3, continuous_update=False),
        "layer": w.IntSlider(value=0, min=0, max=config.layers - 1, description="layer", continuous_update=False),
        "head": w.IntSlider(value=0, min=0, max=config.heads - 1, description="head", continuous_update=False),
        "token": w.IntSlider(value=MOST, min=0, max=MOST, description="token", continuous_update=False),
    }
    return explore(panel.figure, panel.update, controls)
