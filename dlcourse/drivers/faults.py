"""Learning curves of one small network, trained as it should be and with each of eight faults that people meet.

Everything else stays the same: the digits, a fifth of whose labels are wrong (so that nobody honest gets far beyond four
fifths on validation), two hidden layers with dropout, SGD. Each curve is a real run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcourse.data import DataLoader, load_digits
from dlcourse.graph import no_grad
from dlcourse.nn import Dropout, Linear, ReLU, Sequential
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.ops.rule import Array
from dlcourse.optim import SGD

__all__ = ["EPOCHS", "FAULTS", "NOISE", "learning_curves"]

EPOCHS, BATCH, WIDTH, DROPOUT = 30, 10, 256, 0.6
NOISE = 0.2  # the share of labels, in training and in validation, that are some other digit
TRAIN, VALIDATION = 400, 200  # examples
LR, HIGH, LOW = 0.1, 0.35, 0.001  # learning rates

FAULTS = (
    "learning_rate_too_high",
    "learning_rate_too_low",
    "leaking_validation",
    "no_shuffling",
    "dead_relus",
    "missing_zero_grad",
    "eval_mode_forgotten",
    "labels_misaligned",
)


@dataclass(frozen=True)
class _Data:
    X: Array  # (TRAIN, 64), from 0 to 1
    y: Array  # (TRAIN,)
    X_val: Array  # (VALIDATION, 64)
    y_val: Array  # (VALIDATION,)


def learning_curves(fault: str, seed: int) -> dict[str, Array]:
    """Train once and measure after each epoch.

    Parameters
    ----------
    fault : one of ``FAULTS``, or "none"
    seed : decides the examples, their wrong labels, the starting weights and the order of the batches

    Returns
    -------
    dict
        "train_loss" and "train_accuracy", means over the epoch's batches while it trains, dropout at work; "val_loss" and
        "val_accuracy", after the epoch; each (EPOCHS,).

    Raises
    ------
    ValueError
        For a fault that is not known.
    """
    if fault not in (*FAULTS, "none"):
        raise ValueError(f"learning_curves: fault={fault!r}; choose one of {', '.join(FAULTS)}, or none")
    rng = np.random.default_rng([seed, 5])
    data = _data(fault, rng)
    model = _network(fault, rng)
    lr = {"learning_rate_too_high": HIGH, "learning_rate_too_low": LOW}.get(fault, LR)
    optimizer = SGD(model.parameters(), lr=lr)
    loader = DataLoader((data.X, data.y), BATCH, shuffle=fault != "no_shuffling", rng=rng)
    rows = []
    with np.errstate(all="ignore"):
        for _ in range(EPOCHS):
            training = _epoch(model, optimizer, loader, forget=fault != "missing_zero_grad")
            rows.append((*training, *_validate(model, data, in_training=fault == "eval_mode_forgotten")))
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    return dict(zip(names, np.array(rows).T, strict=True))


def _data(fault: str, rng: np.random.Generator) -> _Data:
    X, _, y, _ = load_digits()
    drawn = rng.permutation(len(y))[: TRAIN + VALIDATION]
    X, y = X[drawn], y[drawn]
    wrong = rng.random(len(y)) < NOISE
    y = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    X, X_val, y, y_val = X[:TRAIN], X[TRAIN:], y[:TRAIN], y[TRAIN:]
    if fault == "leaking_validation":  # the validation examples were not taken out of training
        X, y = np.concatenate([X[VALIDATION:], X_val]), np.concatenate([y[VALIDATION:], y_val])
    if fault == "no_shuffling":  # a file in the order of its labels
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    if fault == "labels_misaligned":  # the examples were shuffled, their labels were not
        X = X[rng.permutation(TRAIN)]
    return _Data(X, y, X_val, y_val)


def _network(fault: str, rng: np.random.Generator) -> Sequential:
    parts: list[Linear | ReLU | Dropout] = []
    for fan_in in (64, WIDTH):
        layer = Linear(fan_in, WIDTH, rng=rng)
        layer.weight.data *= np.sqrt(6)  # He's variance, 2 / fan_in, in place of PyTorch's 1 / (3 fan_in)
        assert layer.bias is not None
        layer.bias.data[...] = -20.0 if fault == "dead_relus" else 0.0
        parts += [layer, ReLU(), Dropout(DROPOUT, rng=rng)]
    return Sequential(*parts, Linear(WIDTH, 10, rng=rng))


def _epoch(model: Sequential, optimizer: SGD, loader: DataLoader, forget: bool) -> tuple[float, float]:
    """Mean loss and accuracy over an epoch's batches."""
    model.train()
    loss_sum, right, seen = 0.0, 0, 0
    for X, y in loader:  # X (N, 64), y (N,)
        logits = model(X)
        loss = F.cross_entropy(logits, y)
        if forget:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum, seen = loss_sum + loss.item() * len(y), seen + len(y)
        right += int((logits.data.argmax(axis=1) == y).sum())
    return loss_sum / seen, right / seen


def _validate(model: Sequential, data: _Data, in_training: bool) -> tuple[float, float]:
    model.train(in_training)
    with no_grad():
        logits = model(data.X_val)
        loss = F.cross_entropy(logits, data.y_val).item()
    return loss, float((logits.data.argmax(axis=1) == data.y_val).mean())
