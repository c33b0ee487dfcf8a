"""A GAN on the ring that has to be kept from losing its modes; the answer is the trained generator."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Opaque
from dlcourse.drivers.adversaries import GENERATOR
from dlcourse.metrics import mode_coverage

Array = NDArray[np.float64]

FORM, SAMPLES = "what is handed over", "what its samples do"
MODES, QUALITY, RADIUS, LEAST = 7, 0.3, 0.2, 20
ANGLES = np.arange(8) * np.pi / 4
CENTERS = 2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def fate_of_samples(case: Case, value: Any) -> Any:
    """What the samples show, in words; None where nothing is answered yet."""
    if value is None:
        return None
    if value["form"] != GENERATOR:
        return {FORM: value["form"], SAMPLES: "not looked at"}
    return {FORM: GENERATOR, SAMPLES: told(np.asarray(value["samples"], float))}


def told(samples: Array) -> str:
    if not np.isfinite(samples).all():
        return "not finite"
    modes, quality, _ = mode_coverage(samples, CENTERS, RADIUS, LEAST)
    if modes >= MODES:
        return "they cover the ring" if quality >= QUALITY else "all over, and too few near a center"
    if samples.std(axis=0).max() < 0.005:
        return "all on one spot"
    size = np.linalg.norm(samples, axis=1).mean()
    if abs(size / 2 - 1) > 0.15 and _covers(samples * 2 / size):
        return "a ring of another size"
    if size > 4:
        return "far outside"
    if _covers(samples @ TURN):
        return "a ring turned by half a step"
    if np.quantile(np.linalg.norm(samples, axis=1), 0.95) < 1:
        return "a heap around the middle"
    if quality >= QUALITY:
        return "one mode" if modes <= 1 else "some modes, well"
    return "hardly a mode" if modes <= 1 else "some modes, with strays"


TURN = np.array([[np.cos(np.pi / 8), np.sin(np.pi / 8)], [-np.sin(np.pi / 8), np.cos(np.pi / 8)]])


def _covers(samples: Array) -> bool:
    modes, quality, _ = mode_coverage(samples, CENTERS, RADIUS, LEAST)
    return modes >= MODES and quality >= QUALITY


def layer(name: str, **arrays: Array) -> dict[str, Any]:
    return {"layer": name, "options": {}, "arrays": arrays}


def network(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"network": "Sequential", "layers": layers}


def stairs(points: Array, spread: float = 0.02) -> Callable[[], dict[str, Any]]:
    """A generator by hand: the first number of z chooses one of the points, all equally often; two others add noise.

    Two ReLUs make a step from each point to the next, two more carry each of the noisy coordinates.
    """

    def made() -> dict[str, Any]:
        K, steep = len(points), 500.0
        edges = np.array([NormalDist().inv_cdf(k / K) for k in range(1, K)])
        W, b = np.zeros((2 * (K - 1) + 4, 64)), np.zeros(2 * (K - 1) + 4)
        W[: 2 * (K - 1), 0] = steep
        b[: K - 1], b[K - 1 : 2 * (K - 1)] = -steep * edges, -steep * edges - 1
        W[-4:, 1:3] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
        rises = np.diff(points, axis=0).T  # (2, K - 1)
        noise = spread * np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
        out = np.concatenate([rises, -rises, noise], axis=1)
        return network(layer("Linear", weight=W, bias=b), layer("ReLU"), layer("Linear", weight=out, bias=points[0]))

    return made


def on_the_ring(modes: int = 8, strays: int = 4, size: float = 2.0, turn: float = 0.0) -> Array:
    """The first ``modes`` centers, and ``strays`` points that lie near none of the eight."""
    angles = np.arange(modes) * np.pi / 4 + turn
    between = (np.arange(strays) + 0.5) * np.pi / 4 + turn
    return np.concatenate(
        [r * np.stack([np.cos(a), np.sin(a)], axis=1) for r, a in ((size, angles), (1.2 * size, between))]
    )


good = stairs(on_the_ring())


def with_last(change: Callable[[Array, Array], tuple[Array, Array]]) -> Callable[[], dict[str, Any]]:
    """The good generator with weight and bias of its last layer changed."""

    def made() -> dict[str, Any]:
        first, relu, last = good()["layers"]
        weight, bias = change(last["arrays"]["weight"], last["arrays"]["bias"])
        return network(first, relu, layer("Linear", weight=weight, bias=bias))

    return made


def tall() -> dict[str, Any]:
    """A discriminator's form."""
    return network(layer("Linear", weight=np.zeros((5, 2)), bias=np.zeros(5)))


class Whole:
    """Stands for objects of the course that cross as no more than their class's name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> Opaque:
        """What is left of the object."""
        return Opaque(self.name)


RESCUE = Exercise(
    id="gans.rescue",
    kind="target",
    title="Rescue a game",
    points=4,
    minutes=25,
    difficulty=3,
    function="rescued",
    reference=good,
    inputs=lambda rng: [Case()],
    driver="covers_the_ring",
    facts=fate_of_samples,
    seconds=20.0,
    wrong=(
        Wrong(
            "hardly-a-mode",
            stairs(on_the_ring(1, 9)),
            "Your generator reaches one mode at most, and few of its samples are near a center. Do its samples still run about from one picture to the next, and which setting makes both players overshoot?",
        ),
        Wrong(
            "one-mode",
            stairs(on_the_ring(1, 1)),
            "Your generator has collapsed: it reaches one mode at most, with many of its samples. What could make the discriminator's slope lead on to the others?",
        ),
        Wrong(
            "some-modes-with-strays",
            stairs(on_the_ring(3, 12)),
            "Your generator reaches at least two modes, but not seven, and fewer than 30 of 100 samples are near a center. Do both numbers still rise when the training ends, or go up and down?",
        ),
        Wrong(
            "some-modes-well",
            stairs(on_the_ring(5, 1)),
            "At least 30 of 100 samples are near a center, but they reach fewer than seven modes. Did the missing ones get lost on the way, or were they never found, and which setting keeps the game from running in circles?",
        ),
        Wrong(
            "too-few-near",
            stairs(on_the_ring(8, 32)),
            "Your generator reaches at least seven modes, but fewer than 30 of 100 samples are near a center. If the share still rises at the end: which settings make both players' steps longer without making them overshoot?",
        ),
        Wrong(
            "one-spot",
            stairs(np.ones((2, 2)), 0.001),
            "All samples lie on one spot. Does your generator use z at all, and is the discriminator learning?",
        ),
        Wrong(
            "near-the-middle",
            stairs(np.zeros((2, 2)), 0.2),
            "Nearly all samples lie around the middle, less than half as far out as the clouds, where a generator's samples lie before it has learned. Has yours been trained, and for how many steps?",
        ),
        Wrong(
            "far-outside",
            with_last(lambda W, b: (W, b + 30)),
            "The samples lie far outside the ring, on average more than 4 from its middle. Which player runs away, and which learns too slowly to stop it?",
        ),
        Wrong(
            "not-finite",
            with_last(lambda W, b: (W * np.nan, b)),
            "The samples hold NaN or infinity: training ran away. In which step did a loss become NaN, and how large were the learning rates?",
        ),
        Wrong(
            "another-size",
            with_last(lambda W, b: (W / 2, b / 2)),
            "Your generator covers a ring of eight clouds, but one of another size. Where do your training samples come from, and how large is the ring of the task?",
        ),
        Wrong(
            "turned",
            stairs(on_the_ring(turn=np.pi / 8)),
            "Your generator covers a ring of eight clouds, but turned by half a step. Where do your training samples come from, and where does the ring's first cloud lie?",
        ),
        Wrong(
            "another-size-of-z",
            tall,
            "What you handed over takes no noise of 64 numbers: it wants rows of another length. Is it the generator, and which size of z was it built for?",
        ),
        Wrong(
            "whole-run",
            Whole("a RingRun"),
            "That is the whole run. Which of its attributes is the generator?",
        ),
        Wrong(
            "settings-alone",
            Whole("a RingSettings"),
            "Those are settings. What has to be trained with them, and what of that is asked for?",
        ),
        Wrong(
            "samples-alone",
            Whole("a Tensor"),
            "Those are numbers, such as samples. Which network makes them, given the noise of the check?",
        ),
        Wrong(
            "several-things",
            lambda: (Opaque("a RingRun"), Opaque("a RingSettings")),
            "You hand over several things at once. Which one of them makes samples from noise?",
        ),
        Wrong(
            "weights-alone",
            lambda: {"0.weight": np.zeros((2, 64)), "0.bias": np.zeros(2)},
            "Those are weights alone, as `state_dict` gives them. Which object holds them, and computes samples with them?",
        ),
        Wrong(
            "text-alone",
            "train_ring_gan(settings)",
            "That is text. Which call trains a generator, and does it stand within quotation marks?",
        ),
        Wrong(
            "class-alone",
            Whole("the class Generator"),
            "That is a class. Which object of it has been trained?",
        ),
        Wrong(
            "own-class",
            lambda: {"network": "Generator", "layers": ()},
            "Your network is a Module of another class than `nn.Sequential`, so the check cannot tell in which order its layers come. How would you write the same layers as one `nn.Sequential`?",
        ),
        Wrong(
            "a-function",
            lambda z: z[:, :2],
            "That is a function. Hand over the trained network itself, an `nn.Sequential`: which variable holds it?",
        ),
        Wrong(
            "logits",
            with_last(lambda W, b: (W[:1], b[:1])),
            "One number comes out for each z. Is it a discriminator, and how many coordinates has a sample on the ring?",
        ),
    ),
    hints=(
        "Look at lesson 14's table: which changes kept at least seven modes in all runs, and which only in some?",
        "Lower β₁ takes the players' momentum, with which they run in circles; R1 (`r1`) makes the discriminator flat at the real samples, so that it has nothing left to say when the fakes have arrived. One of them alone is not enough in so few steps at these learning rates.",
        "`beta1=0.5` and `r1=0.1` together. If the share near a center is still too small at the end, let both players learn at 0.002.",
    ),
    unlocks="The ring is covered: what it took were settings, not a larger network.",
)  # fmt: skip
