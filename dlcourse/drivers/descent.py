"""What unit 02's answers need beyond a plain call: a ravine to roll down, and epochs of batches under several seeds."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import plain

Array = NDArray[np.float64]

CURVATURES = np.array([1.0, 100.0])  # along the floor of the ravine and across it
AXES = np.array([[0.8, -0.6], [0.6, 0.8]])  # its columns: the direction of the floor, the direction across
START = AXES @ np.array([-1.0, 0.1])  # (2,): the loss is 1 here
BUDGET = 80
GOAL = 1e-6
NEARLY = 10.0  # a run that ends within this many times the goal is told that it is near
HARDLY = 0.5  # with less momentum than this no learning rate arrives in time
MOST_BATCHES = 300  # an endless generator ends here
MORE_EPOCHS = 32  # enough for every example to come early and late, whatever the seed


def ravine_loss(w: Array) -> Array:
    """The height of the ravine above its bottom: w (..., 2) -> (...,)."""
    along = np.asarray(w) @ AXES
    return np.asarray(0.5 * (CURVATURES * along * along).sum(axis=-1))


def ravine_gradient(w: Array) -> Array:
    """The ravine's slopes: w (2,) -> (2,)."""
    return np.asarray(AXES @ (CURVATURES * (AXES.T @ w)))


def roll(lr: float, momentum: float = 0.0, steps: int = BUDGET) -> tuple[Array, Array]:
    """Roll down the ravine from its start with v ← momentum·v + gradient, w ← w − lr·v.

    Parameters
    ----------
    lr : learning rate
    momentum : how much of the velocity is kept in a step
    steps : number of steps

    Returns
    -------
    path : (steps + 1, 2) array, the weights visited
    losses : (steps + 1,) array, the loss at each of them
    """
    w, v = START, np.zeros(2)
    path = [w]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            v = momentum * v + ravine_gradient(w)
            w = w - lr * v
            path.append(w)
        return np.array(path), ravine_loss(np.array(path))


def ravine(settings: Any) -> dict[str, Any] | None:
    """What becomes of a run with these settings, in words; None where there are none yet."""
    if settings is None:
        return None
    if not isinstance(settings, dict) or not {"lr", "momentum"} <= settings.keys():
        return {"fate": "no settings"}
    numbers = [_number(settings[name]) for name in ("lr", "momentum")]
    lr, momentum = numbers
    if lr is None or momentum is None:
        return {"fate": "not a number"}
    if lr <= 0:
        return {"fate": "learning rate not positive"}
    if not 0 <= momentum < 1:
        return {"fate": "momentum outside 0 to 1"}
    limit = 2 * (1 + momentum) / CURVATURES.max()
    if math.isclose(lr, limit, rel_tol=1e-6):
        return {"fate": "swings for ever"}
    if lr > limit:
        return {"fate": "ran away"}
    path, losses = roll(lr, momentum)
    fate = _fate(path @ AXES, losses)
    hardly = fate == "creeps along the floor" and momentum < HARDLY
    return {"fate": fate + ", hardly any momentum" * hardly}


def _number(value: Any) -> float | None:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    usable = isinstance(value, int | float | np.number) and not isinstance(value, bool | complex)
    return float(value) if usable and math.isfinite(value) else None


def _fate(along: Array, losses: Array) -> str:
    """How a stable run ended: ``along`` (T, 2) are the distances from the bottom along the floor and across."""
    if losses[-5:].max() <= GOAL:  # there to stay, not passing through
        return "arrived"
    if losses[-5:].max() <= NEARLY * GOAL:
        return "nearly arrived"
    last = 0.5 * CURVATURES * (along[-10:] ** 2)  # (10, 2): the loss of the last steps, by direction
    floor, across = last.max(axis=0)
    if across > floor:
        return "jumps from wall to wall"
    if (along[:, 0] > 0).any():
        return "swings past the bottom"
    return "creeps along the floor"


def shuffles(answer: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
    """Epochs of batches, and at the end whether every batch stayed as it was while the next ones were made.

    The first and the second epoch come one after the other from one generator, the last argument; the third replays the
    first from the same state, the fourth has another seed, and the rest go on from the second.
    """
    *data, rng = args
    replay, other = copy.deepcopy(rng), np.random.default_rng(987_654)
    epochs, all_kept = [], True
    for generator in (rng, rng, replay, other, *[rng] * MORE_EPOCHS):
        epoch, kept = _epoch(answer, *data, generator)
        epochs.append(epoch)
        all_kept = all_kept and kept
        if epoch is None or len(epoch) == MOST_BATCHES:
            break
    return (*epochs, all_kept)


def _epoch(answer: Callable[..., Any], *args: Any) -> tuple[Any, bool]:
    made = answer(*args)
    if made is None:
        return None, True
    held, copies = [], []
    for batch in itertools.islice(iter(made), MOST_BATCHES):
        held.append(batch)
        copies.append(plain(batch))
    return copies, all(_same(was, plain(now)) for was, now in zip(copies, held, strict=True))


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, tuple):
        return isinstance(now, tuple) and len(was) == len(now) and all(map(_same, was, now))
    return not isinstance(was, np.ndarray) or np.array_equal(was, now)
