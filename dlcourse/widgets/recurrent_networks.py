"""Explorers of unit 09: how a gradient fares on its way back through time, and what a language model types next."""

from __future__ import annotations

import html
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from dlcourse.plot import BLUE, ORANGE, RED
from dlcourse.plot.recurrent import lines_of
from dlcourse.widgets import explore

if TYPE_CHECKING:
    from dlcourse.models.char_lstm_torch import CharLSTM

__all__ = [
    "gradient_figure",
    "gradient_lengths",
    "gradient_through_time",
    "recurrent_matrix",
    "typewriter",
    "typewriter_figure",
]

Array = np.ndarray
SIZE, STEPS, SHOWN = 64, 100, 20
WIDTH, LINES, TYPED = 76, 19, 700  # of the page that the typewriter fills, and the characters it types


def recurrent_matrix(radius: float, seed: int = 0, size: int = SIZE) -> Array:
    """A matrix (S, S) of normal draws, scaled so that its largest eigenvalue has the absolute value ``radius``."""
    W = np.random.default_rng(seed).normal(size=(size, size))
    scaled: Array = W * (radius / np.abs(np.linalg.eigvals(W)).max())
    return scaled


@lru_cache(maxsize=512)
def gradient_lengths(radius: float, activation: str, seed: int = 0, steps: int = STEPS) -> Array:
    """Length of a gradient that starts with 1 at the last step, after 0, 1, ... ``steps`` steps back: (steps + 1,).

    The network is ``h' = φ(W_hh h + x)`` with 64 units and inputs drawn with standard deviation 0.3; it has run for 50
    steps before, so that its state is a usual one. One step back is ``g <- W_hhᵀ (φ'(z) g)``.

    Raises
    ------
    ValueError
        For an activation other than "tanh" and "none".
    """
    if activation not in ("tanh", "none"):
        raise ValueError(f"gradient_lengths: activation={activation!r}; choose 'tanh' or 'none'")
    rng = np.random.default_rng(seed + 1)
    W = recurrent_matrix(radius, seed)
    h, slopes = np.zeros(SIZE), []
    for x in 0.3 * rng.normal(size=(50 + steps, SIZE)):
        if activation == "tanh":
            h = np.tanh(W @ h + x)
        slopes.append(1 - h * h if activation == "tanh" else np.ones(SIZE))
    g = rng.normal(size=SIZE)
    g /= np.linalg.norm(g)
    lengths = [1.0]
    for slope in slopes[:-1 - steps:-1]:  # fmt: skip
        g = W.T @ (slope * g)
        lengths.append(float(np.linalg.norm(g)))
    return np.array(lengths)


def _verdict(last: float) -> str:
    if last < 1e-3:
        return "it has vanished"
    return "it has exploded" if last > 1e3 else "it still counts"


class _Gradients:
    """Eigenvalues in the plane at the left, the gradient's length over the steps at the right."""

    def __init__(self) -> None:
        self.figure, (self.plane, self.lengths) = plt.subplots(
            1, 2, figsize=(9, 3.3), layout="constrained", width_ratios=(1, 1.9)
        )

    def update(self, radius: float, activation: str) -> str:
        """Draw a matrix and what it does to a gradient; returns what happened as a sentence."""
        for ax in (self.plane, self.lengths):
            ax.clear()
        eigenvalues = np.linalg.eigvals(recurrent_matrix(radius))
        turn = np.linspace(0, 2 * np.pi, 200)
        self.plane.plot(np.cos(turn), np.sin(turn), color="0.4", lw=1, ls="--")
        self.plane.plot(eigenvalues.real, eigenvalues.imag, ls="", marker="o", ms=3, color=BLUE)
        self.plane.set(xlim=(-2.1, 2.1), ylim=(-2.1, 2.1), aspect="equal", xlabel="real part", ylabel="imaginary part")
        self.plane.set_title(f"Eigenvalues, radius {radius:.2f}")
        runs = [gradient_lengths(round(radius, 3), activation, seed) for seed in range(3)]
        for seed, run in enumerate(runs):
            self.lengths.semilogy(
                run, color=(BLUE, ORANGE, RED)[seed], ls=("-", "--", "-.")[seed], label=f"draw {seed}"
            )
        self.lengths.axhline(1, color="0.4", lw=1, ls=":")
        self.lengths.set(xlabel="steps back in time", ylabel="length of the gradient", ylim=(1e-20, 1e20))
        self.lengths.legend(fontsize=8, loc="upper left")
        last = float(np.median([run[-1] for run in runs]))
        self.lengths.set_title(f"After {STEPS} steps: {last:.0e}, {_verdict(last)}")
        return (
            f"Spectral radius {radius:.2f}, {'tanh' if activation == 'tanh' else 'no activation'}: a gradient of length 1 "
            f"has length {last:.1e} after {STEPS} steps back (the middle one of three draws); {_verdict(last)}."
        )


def gradient_figure(radius: float, activation: str = "tanh") -> Figure:
    """The explorer's picture for these settings, standing still."""
    panel = _Gradients()
    panel.update(radius, activation)
    return panel.figure


def gradient_through_time() -> w.VBox:
    """Drag the recurrent weights' spectral radius, and see what is left of a gradient up to 100 steps back."""
    panel = _Gradients()
    controls: dict[str, Any] = {
        "radius": w.FloatSlider(value=0.9, min=0.5, max=2.0, step=0.05, description="radius", continuous_update=False),
        "activation": w.Dropdown(options=("tanh", "none"), value="none", description="activation"),
    }
    return explore(panel.figure, panel.update, controls)


def _name(character: str) -> str:
    return {"\n": "⏎", " ": "␣"}.get(character, character)


class _Typewriter:
    """Bars of the likeliest next characters at the left, a page of what the model types at the right."""

    def __init__(self, model: CharLSTM) -> None:
        self.model = model
        self.figure, (self.bars, self.page) = plt.subplots(
            1, 2, figsize=(9, 3.9), layout="constrained", width_ratios=(1, 2.4)
        )

    def update(self, prefix: str, temperature: float, draw: int) -> str:
        """Draw distribution and sample; returns what is seen as a sentence."""
        from dlcourse.models.char_lstm_torch import generate, next_probabilities

        prefix = prefix or "\n"
        for ax in (self.bars, self.page):
            ax.clear()
        p, plain = (next_probabilities(self.model, prefix, T) for T in (temperature, 1.0))
        best = np.argsort(-plain, kind="stable")[:SHOWN]
        rows = np.arange(len(best))
        names = [_name(self.model.vocabulary[k]) for k in best]
        self.bars.barh(rows, p[best], color=BLUE, label=f"τ = {temperature:.1f}")
        self.bars.plot(plain[best], rows, ls="", marker="|", ms=9, mew=2, color=RED, label="τ = 1")
        self.bars.set_yticks(rows, names, family="monospace", fontsize=8, parse_math=False)
        self.bars.set(xlim=(0, 1), ylim=(len(best) - 0.5, -0.5), xlabel="probability")
        self.bars.set_title("Next character")
        self.bars.legend(fontsize=8, loc="lower right")
        self._write(prefix, generate(self.model, prefix, TYPED, temperature, np.random.default_rng(draw)))
        return (
            f"After {html.escape(repr(prefix[-20:]), quote=False)} at temperature {temperature:.1f} the likeliest next character is "
            f"{html.escape(repr(self.model.vocabulary[best[0]]), quote=False)} with probability {p[best[0]]:.2f}; the page shows draw {draw}."
        )

    def _write(self, prefix: str, text: str) -> None:
        """The prefix in bold blue, and as much of what follows as the page holds."""
        places = lines_of(text, WIDTH)
        start = max(0, places[len(prefix) - 1][0] - 5)  # a long prefix scrolls
        for after, color, weight in ((False, BLUE, "bold"), (True, "black", "normal")):
            rows = [[" "] * WIDTH for _ in range(LINES)]
            for number, (row, column, character) in enumerate(places):
                if start <= row < start + LINES and (number >= len(prefix)) == after and character != "\n":
                    rows[row - start][column] = character
            self.page.text(0, 1, "\n".join("".join(row) for row in rows), color=color, weight=weight, va="top",
                           family="monospace", fontsize=8, linespacing=1.25, parse_math=False,
                           transform=self.page.transAxes)  # fmt: skip
        self.page.axis("off")
        self.page.set_title("What the model types (the beginning in bold)")


def typewriter_figure(model: CharLSTM, prefix: str, temperature: float = 0.7, draw: int = 0) -> Figure:
    """The typewriter's picture for these settings, standing still."""
    panel = _Typewriter(model)
    panel.update(prefix, temperature, draw)
    return panel.figure


def typewriter(model: CharLSTM, prefix: str = "def ") -> w.VBox:
    """Type a beginning, choose a temperature: the distribution of the next character, and a page that goes on from it.

    Parameters
    ----------
    model : a language model in PyTorch, trained
    prefix : the beginning to start with
    """
    panel = _Typewriter(model)
    controls: dict[str, Any] = {
        "prefix": w.Textarea(value=prefix, description="beginning", rows=2, continuous_update=False),
        "temperature": w.FloatSlider(
            value=0.7, min=0.1, max=2.0, step=0.1, description="temperature", continuous_update=False
        ),
        "draw": w.BoundedIntText(value=0, min=0, max=999, description="draw"),
    }
    return explore(panel.figure, panel.update, controls)
