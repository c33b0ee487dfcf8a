"""Networks with too few labels, wrong labels or too many layers, and what is commonly done against it.

One run each, small enough to be repeated over many seeds: ``benchmarks/regularization.py`` does so, and writes what came
out into ``cures.csv`` beside this file, where an installed course finds it too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.data import load_digits
from dlcourse.graph import no_grad
from dlcourse.nn import BatchNorm1d, Dropout, Linear, Module, ModuleList, ReLU, Sequential, init
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn.utils import clip_grad_norm_
from dlcourse.ops.rule import Array
from dlcourse.optim import SGD, AdamW

__all__ = [
    "CURES",
    "KINDS",
    "MEASURED",
    "Deep",
    "Result",
    "affine",
    "deep",
    "few_labels",
    "measured",
    "perceptron",
    "some_digits",
]

MEASURED = Path(__file__).parent / "cures.csv"

WIDTH, STEPS, BATCH, LR = 256, 300, 64, 1e-3

CURES: dict[str, dict[str, Any]] = {
    "none": {},
    "dropout": {"dropout": 0.5},
    "early stopping": {"early": True},
    "weight decay": {"weight_decay": 1.0},
    "strong decay": {"weight_decay": 5.0},
    "augmentation": {"augment": True},
    "batch norm": {"batch_norm": True},
    "label smoothing": {"smoothing": 0.2},
    "dropout + augmentation": {"dropout": 0.5, "augment": True},
}
KINDS = ("plain", "batch norm", "residual")


def measured() -> dict[tuple[str, str], Array]:
    """What the script wrote: (situation, cure) -> the test accuracy of each seed, (S,)."""
    lines = MEASURED.read_text(encoding="utf-8").splitlines()[2:]
    found: dict[tuple[str, str], list[float]] = {}
    for situation, cure, _, _, test in (line.split(";") for line in lines):
        found.setdefault((situation, cure), []).append(float(test))
    return {key: np.array(tests) for key, tests in found.items()}


@dataclass(frozen=True)
class Result:
    """The end of a run.

    Attributes
    ----------
    train : accuracy on what it was trained on, wrong labels counted as right
    test : accuracy on the 450 test digits, whose labels are right
    curves : "train_loss", "val_loss", "test" measured every ten steps, if they were asked for
    """

    train: float
    test: float
    curves: dict[str, Array]


def some_digits(labels: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Training and validation digits, X (N, 64), y (N,), X_val (100, 64), y_val (100,).

    A share ``noise`` of either's labels was replaced by any digit, which in one case of ten is the right one.
    """
    X, _, y, _ = load_digits()
    drawn = rng.permutation(len(y))[: labels + 100]
    X, y = X[drawn], y[drawn]
    y = np.where(rng.random(len(y)) < noise, rng.integers(0, 10, len(y)), y)
    return X[:labels], y[:labels], X[labels:], y[labels:]


def perceptron(rng: np.random.Generator, dropout: float = 0.0, batch_norm: bool = False) -> Sequential:
    """64 - 256 - 256 - 256 - 10 with ReLU; batch norm before it, dropout behind it."""
    parts: list[Module] = []
    for fan_in in (64, WIDTH, WIDTH):
        parts.append(Linear(fan_in, WIDTH, rng=rng))
        parts += [BatchNorm1d(WIDTH)] if batch_norm else []
        parts.append(ReLU())
        parts += [Dropout(dropout, rng)] if dropout else []
    return Sequential(*parts, Linear(WIDTH, 10, rng=rng))


def few_labels(
    labels: int, noise: float, seed: int, dropout: float = 0.0, batch_norm: bool = False, weight_decay: float = 0.0,
    early: bool = False, augment: bool = False, smoothing: float = 0.0, steps: int = STEPS, curves: bool = False,
) -> Result:  # fmt: skip
    """Train on a few digits with AdamW, and test.

    Parameters
    ----------
    labels, noise : how many training digits, and the share of their labels that is drawn at random
    seed : decides the digits, the wrong labels, the starting weights, and what is random in training
    dropout, batch_norm, weight_decay, smoothing : the usual settings; 0 and False for without
    early : report the weights of the lowest loss on 100 further labels, as noisy, looked at every ten steps
    augment : move, turn and stretch the digits, anew for each batch
    steps : batches of 64
    curves : measure every ten steps, too
    """
    rng = np.random.default_rng(seed)
    X, y, X_val, y_val = some_digits(labels, noise, rng)
    _, X_test, _, y_test = load_digits()
    model = perceptron(rng, dropout, batch_norm)
    optimizer = AdamW(model.parameters(), LR, weight_decay=weight_decay)
    best, stopped, rows = math.inf, 0.0, []
    for step in range(1, steps + 1):
        batch = rng.integers(0, labels, BATCH)
        x = affine(X[batch], rng) if augment else X[batch]
        loss = _smoothed(model(x), y[batch], smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (early or curves) and step % 10 == 0:
            (train_loss, _), (val_loss, _) = _measure(model, X, y), _measure(model, X_val, y_val)
            test = _measure(model, X_test, y_test)[1]
            rows.append((step, train_loss, val_loss, test))
            if val_loss < best:
                best, stopped = val_loss, test
            model.train()
    measured = dict(zip(("step", "train_loss", "val_loss", "test"), np.array(rows).T, strict=True)) if curves else {}
    test = stopped if early else _measure(model, X_test, y_test)[1]
    return Result(_measure(model, X, y)[1], test, measured)


def _smoothed(logits: Any, y: Array, smoothing: float) -> Any:
    loss = F.cross_entropy(logits, y)
    if not smoothing:
        return loss
    return (1 - smoothing) * loss - smoothing * F.log_softmax(logits, 1).mean()


def _measure(model: Module, X: Array, y: Array) -> tuple[float, float]:
    """Mean loss and accuracy in evaluation mode."""
    model.eval()
    with no_grad():
        logits = model(X)
        loss = F.cross_entropy(logits, y).item()
    return loss, float((logits.data.argmax(axis=1) == y).mean())


def affine(X: Array, rng: np.random.Generator, shift: float = 1.0, degrees: float = 15.0, zoom: float = 0.12) -> Array:
    """Each 8×8 picture moved, turned and stretched a little, in its own way: (N, 64) -> (N, 64), bilinear.

    Parameters
    ----------
    shift : pixels at most, along either axis
    degrees : turned by so many at most
    zoom : larger or smaller by this share at most
    """
    N = len(X)
    angle = np.deg2rad(rng.uniform(-degrees, degrees, N))
    scale, (down, right) = 1 + rng.uniform(-zoom, zoom, N), rng.uniform(-shift, shift, (2, N))
    rows, columns = (grid.ravel() - 3.5 for grid in np.mgrid[:8, :8])  # (64,) each, from the center
    c, s = (scale * np.cos(angle))[:, None], (scale * np.sin(angle))[:, None]
    r = c * rows - s * columns + down[:, None] + 3.5  # (N, 64): where each pixel's value comes from
    q = s * rows + c * columns + right[:, None] + 3.5
    padded = np.pad(X.reshape(N, 8, 8), ((0, 0), (1, 2), (1, 2)))  # zeros around, where nothing was drawn
    r, q = np.clip(r, -1, 8) + 1, np.clip(q, -1, 8) + 1
    top, left = r.astype(int), q.astype(int)
    a, b, n = r - top, q - left, np.arange(N)[:, None]
    upper = (1 - b) * padded[n, top, left] + b * padded[n, top, left + 1]
    lower = (1 - b) * padded[n, top + 1, left] + b * padded[n, top + 1, left + 1]
    return np.asarray((1 - a) * upper + a * lower, dtype=X.dtype)


class Deep(Module):
    """A narrow network of many layers, 64 - 32 - 32 - … - 32 - 10, from He's starting weights.

    Parameters
    ----------
    depth : the number of layers of 32 units
    kind : "plain"; "batch norm" in front of each ReLU; "residual", each layer added to what it was given, times 1/√depth;
        "sigmoid" in place of ReLU, for comparison
    rng : source of the starting weights
    """

    def __init__(self, depth: int, kind: str, rng: np.random.Generator, width: int = 32) -> None:
        if kind not in (*KINDS, "sigmoid"):
            raise ValueError(f"Deep: kind={kind!r}; choose one of {', '.join(KINDS)}, sigmoid")
        self.kind = kind
        self.entry, self.exit = Linear(64, width, rng=rng), Linear(width, 10, rng=rng)
        self.layers = ModuleList(_he(width, rng) for _ in range(depth))
        self.norms = ModuleList(BatchNorm1d(width) for _ in range(depth if kind == "batch norm" else 0))
        self.branch = 1 / math.sqrt(depth) if kind == "residual" else 0.0

    def hidden(self, x: Any) -> list[Any]:
        """What each layer hands on, (N, width), from the entry's to the last one's: (N, 64) -> depth + 1 of them."""
        states = [self.entry(x)]
        for k, layer in enumerate(self.layers):
            z = layer(states[-1])
            z = self.norms[k](z) if len(self.norms) else z
            z = z.sigmoid() if self.kind == "sigmoid" else F.relu(z)
            states.append(states[-1] + self.branch * z if self.branch else z)
        return states

    def forward(self, x: Any) -> Any:
        """(N, 64) -> logits (N, 10)."""
        return self.exit(self.hidden(x)[-1])


def _he(width: int, rng: np.random.Generator) -> Linear:
    layer = Linear(width, width, rng=rng)
    init.kaiming_normal_(layer.weight, nonlinearity="relu", rng=rng)
    if layer.bias is not None:
        init.zeros_(layer.bias)
    return layer


def deep(depth: int, kind: str, seed: int, steps: int = 400) -> float:
    """Test accuracy of a deep network after so many steps of SGD with momentum on all digits, gradients clipped at 5."""
    rng = np.random.default_rng(seed)
    X, X_test, y, y_test = load_digits()
    model = Deep(depth, kind, rng)
    optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(steps):
        batch = rng.integers(0, len(y), BATCH)
        loss = F.cross_entropy(model(X[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return _measure(model, X_test, y_test)[1]
