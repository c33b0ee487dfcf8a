"""Explorers of unit 14: the training of a GAN on the ring, frame by frame, and a walk through the noise behind images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plot import BLUE, ORANGE, RED
from dlcourse.plot.gans import draw_belief, draw_images
from dlcourse.widgets import explore

if TYPE_CHECKING:
    from dlcourse.models.gan_torch import RingRun

__all__ = ["between", "latent_explorer", "latent_figure", "ring_explorer", "ring_figure"]

Array = np.ndarray
Generate = Callable[[Array, Array], Array]  # noise (N, Z), labels (N,) -> images (N, 1, H, W)


# ---- the ring


def _draw_frame(ax: Axes, run: RingRun, frame: int, name: str = "") -> tuple[Any, str]:
    """One moment of a run; returns the heat map, and what is seen in words."""
    from dlcourse.models.gan_torch import EXTENT, RING_CENTERS, ring_coverage

    found = ring_coverage(run.frames[frame])
    belief = 1 / (1 + np.exp(-np.clip(run.grids[frame], -50, 50)))
    step = int(run.frame_steps[frame])
    title = f"{name + ', ' if name else ''}step {step}: {found.modes} of {len(RING_CENTERS)} modes"
    picture = draw_belief(ax, run.frames[frame], belief, EXTENT, RING_CENTERS, title)
    return picture, (
        f"step {step}: {found.modes} of {len(RING_CENTERS)} modes, {found.quality:.0%} of the samples lie near one"
    )


class _RingPanel:
    """Samples and heat map at the left, modes and quality over the whole training at the right."""

    def __init__(self, runs: Mapping[str, RingRun]) -> None:
        self.runs = dict(runs)
        self.figure, (self.plane, self.curve) = plt.subplots(
            1, 2, figsize=(8.8, 3.8), layout="constrained", width_ratios=(1, 1.25)
        )
        self.bar: Any = None

    def update(self, run: str, frame: int) -> str:
        """Draw a frame of a run; returns what is seen as a sentence."""
        chosen = self.runs[run]
        frame = min(frame, len(chosen.frames) - 1)
        for ax in (self.plane, self.curve):
            ax.clear()
        picture, said = _draw_frame(self.plane, chosen, frame)
        if self.bar is None:
            self.bar = self.figure.colorbar(picture, ax=self.plane, shrink=0.8, label="$D$: how real it looks here")
        steps = chosen.coverage_steps
        modes = [found.modes / len(found.counts) for found in chosen.coverage]
        quality = [found.quality for found in chosen.coverage]
        self.curve.plot(steps, modes, marker="o", ms=4, color=BLUE, linestyle="-", label="modes found (share)")
        self.curve.plot(
            steps, quality, marker="s", ms=4, color=ORANGE, linestyle="--", label="samples near a mode (share)"
        )
        self.curve.axvline(chosen.frame_steps[frame], color=RED, linestyle=":", label="shown at the left")
        self.curve.set(xlabel="step", ylim=(-0.04, 1.28), xlim=(0, chosen.frame_steps[-1]), title=run)
        self.curve.set_yticks(np.linspace(0, 1, 5))
        self.curve.legend(fontsize=8, loc="upper left", ncols=2)
        return f"{run}, {said}."


def _check_runs(runs: Mapping[str, RingRun]) -> None:
    for name, run in runs.items():
        if not len(run.frames):
            raise ValueError(f"the run {name!r} kept no frames; train it with train_ring_gan(..., frames=25)")
    if not runs:
        raise ValueError("runs is empty; give at least one run, by its name")


def ring_explorer(runs: Mapping[str, RingRun]) -> w.VBox:
    """Scrub through the training of GANs on the ring: what the generator makes, and what the discriminator believes where.

    Parameters
    ----------
    runs : name -> a run of ``train_ring_gan`` with frames

    Raises
    ------
    ValueError
        If there is no run, or one has no frames.
    """
    _check_runs(runs)
    panel = _RingPanel(runs)
    last = max(len(run.frames) for run in runs.values()) - 1
    controls: dict[str, Any] = {
        "run": w.Dropdown(options=list(runs), description="settings"),
        "frame": w.IntSlider(value=last, min=0, max=last, description="frame", continuous_update=False),
    }
    return explore(panel.figure, panel.update, controls)


def ring_figure(runs: Mapping[str, RingRun], frames: Sequence[int], finding: str) -> Figure:
    """The same frames of several runs, standing still: a row for each run.

    Raises
    ------
    ValueError
        If there is no run, or one has no frames.
    """
    _check_runs(runs)
    figure, axes = plt.subplots(len(runs), len(frames), figsize=(2.3 * len(frames), 2.45 * len(runs) + 0.3),
                                squeeze=False, layout="constrained")  # fmt: skip
    for row, (name, run) in zip(axes, runs.items(), strict=True):
        for ax, frame in zip(row, frames, strict=True):
            picture, _ = _draw_frame(ax, run, frame)
            ax.set_title(ax.get_title().removesuffix(" modes"), fontsize=9)
        row[0].set_ylabel(name, fontsize=10)
    figure.colorbar(picture, ax=axes, shrink=0.8 / len(runs) ** 0.5, label="$D$: how real it looks here")
    figure.suptitle(finding, fontsize=11)
    return figure


# ---- the noise behind images


def between(start: Array, end: Array, way: float | Array) -> Array:
    """Noise on the way from one draw to another: at 0 the start, at 1 the end, in between on the arc of a circle.

    On the straight line the middle of two draws is too short: sums of half of each have half of the variance. Along the
    arc (White 2016) the length stays what normal noise has.

    Parameters
    ----------
    start, end : (Z,)
    way : a number, or (N,)

    Returns
    -------
    (Z,), or (N, Z)

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if start.shape != end.shape or start.ndim != 1:
        raise ValueError(f"between: start {start.shape}, end {end.shape}; give two vectors (Z,)")
    turn = 0.5 * np.pi * np.asarray(way, dtype=float)[..., None]
    noise: Array = (np.cos(turn) * start + np.sin(turn) * end).astype(start.dtype)
    return noise


class _LatentPanel:
    """The image at one place of the walk at the left, the whole walk at the right."""

    def __init__(self, generate: Generate, latent: int, columns: int = 9) -> None:
        self.generate, self.latent, self.columns = generate, latent, columns
        self.figure, (self.here, self.walk) = plt.subplots(
            1, 2, figsize=(8.8, 2.4), layout="constrained", width_ratios=(1, 3.6)
        )

    def noise(self, seed: int) -> Array:
        """The draw with that number, (Z,) in float32."""
        return np.random.default_rng(seed).standard_normal(self.latent).astype(np.float32)

    def images(self, digit: int, start: int, end: int, ways: Array) -> Array:
        """Images of one digit at places of the walk, (N, 1, H, W)."""
        noise = between(self.noise(start), self.noise(end), ways)
        return self.generate(noise, np.full(len(ways), digit))

    def update(self, digit: int, start: int, end: int, way: float) -> str:
        """Draw a place of a walk; returns what is seen as a sentence."""
        for ax in (self.here, self.walk):
            ax.clear()
        draw_images(self.here, self.images(digit, start, end, np.array([way])), 1, f"way {way:.2f}")
        ways = np.linspace(0, 1, self.columns)
        row = self.images(digit, start, end, ways)
        draw_images(self.walk, row, self.columns, f"from draw {start} to draw {end}")
        side = row.shape[-1] + 1
        self.walk.plot([way * (self.columns - 1) * side + side / 2 - 1], [side - 0.6], marker="^", color=RED, ms=9,
                       linestyle="", clip_on=False)  # fmt: skip
        return f"A {digit}, {way:.0%} of the way from draw {start} to draw {end} of the noise."


def latent_explorer(generate: Generate, latent: int) -> w.VBox:
    """Walk from one draw of the noise to another, and see the image change.

    Parameters
    ----------
    generate : noise (N, Z) in float32 and labels (N,) -> images (N, 1, H, W)
    latent : Z, numbers in a draw of the noise
    """
    panel = _LatentPanel(generate, latent)
    controls: dict[str, Any] = {
        "digit": w.IntSlider(value=3, min=0, max=9, description="digit"),
        "start": w.IntSlider(value=0, min=0, max=50, description="from draw"),
        "end": w.IntSlider(value=1, min=0, max=50, description="to draw"),
        "way": w.FloatSlider(value=0.5, min=0, max=1, step=0.05, description="way"),
    }
    return explore(panel.figure, panel.update, controls)


def latent_figure(generate: Generate, latent: int, walks: Sequence[tuple[int, int, int]], finding: str) -> Figure:
    """Walks standing still, one in each row: (digit, number of the first draw, number of the last)."""
    panel = _LatentPanel(generate, latent)
    plt.close(panel.figure)
    rows = [panel.images(*walk, np.linspace(0, 1, 12)) for walk in walks]
    figure, ax = plt.subplots(figsize=(7.6, 0.62 * len(walks) + 0.5), layout="constrained")
    draw_images(ax, np.concatenate(rows), 12)
    figure.suptitle(finding, fontsize=11)
    return figure
