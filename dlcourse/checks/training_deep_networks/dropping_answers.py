"""Inverted dropout (Srivastava et al. 2014, section 10, and Hinton et al. 2012), and what people write in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Generator = np.random.Generator


def dropout(x: Array, p: float, rng: Generator, training: bool) -> Array:
    if not training:
        return x
    return np.asarray(x * (rng.random(x.shape) >= p) / (1 - p))


def dropout_by_choice(x: Array, p: float, rng: Generator, training: bool) -> Any:
    if training:
        return x * rng.choice([0.0, 1 / (1 - p)], size=x.shape, p=[p, 1 - p])
    return x.copy()


def dropout_entry_by_entry(x: Array, p: float, rng: Generator, training: bool) -> Any:
    out = np.array(x, dtype=float)
    for i in np.ndindex(*x.shape) if training else ():
        out[i] = 0.0 if rng.binomial(1, p) else out[i] / (1 - p)
    return out


# --- known mistakes -----------------------------------------------------------------------------------------------


def not_scaled(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random(x.shape) >= p) if training else x


def scaled_in_eval(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random(x.shape) >= p) if training else x * (1 - p)


def scaled_in_both(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return dropout(x, p, rng, True) if training else x * (1 - p)


def scaled_up_in_eval(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return dropout(x, p, rng, True) if training else x / (1 - p)


def mask_too(x: Array, p: float, rng: Generator, training: bool) -> Any:
    mask = rng.random(x.shape) >= p
    return (x * mask / (1 - p) if training else x), mask


def mask_in_training(x: Array, p: float, rng: Generator, training: bool) -> Any:
    return mask_too(x, p, rng, True) if training else x


def one_decision(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random() >= p) / (1 - p) if training else x


def scaled_down(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random(x.shape) >= p) * (1 - p) if training else x


def divided_by_p(x: Array, p: float, rng: Generator, training: bool) -> Array:
    with np.errstate(all="ignore"):
        return np.where(rng.random(x.shape) >= p, x / np.float64(p), 0.0) if training else x


def keeps_with_p(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random(x.shape) < p) / (1 - p) if training else x


def p_is_the_keep_probability(x: Array, p: float, rng: Generator, training: bool) -> Array:
    with np.errstate(all="ignore"):
        return np.where(rng.random(x.shape) < p, x / np.float64(p), 0.0) if training else x


def drops_in_eval(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return dropout(x, p, rng, True)


def flag_reversed(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return dropout(x, p, rng, not training)


def never_drops(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x.copy()


def whole_columns(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random(x.shape[-1]) >= p) / (1 - p) if training else x


def whole_rows(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random((len(x), *[1] * (x.ndim - 1))) >= p) / (1 - p) if training else x


def own_seed(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return dropout(x, p, np.random.default_rng(0), training)


def global_randomness(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (np.random.rand(*x.shape) >= p) / (1 - p) if training else x  # noqa: NPY002


def fixed_number(x: Array, p: float, rng: Generator, training: bool) -> Array:
    if not training:
        return x
    dropped = np.arange(x.size) < round(p * x.size)
    return np.asarray(x * ~rng.permutation(dropped).reshape(x.shape) / (1 - p))


def fixed_number_a_row(x: Array, p: float, rng: Generator, training: bool) -> Array:
    if not training:
        return x
    dropped = np.broadcast_to(np.arange(x.shape[-1]) < round(p * x.shape[-1]), x.shape)
    return np.asarray(x * ~rng.permuted(dropped, axis=-1) / (1 - p))


def measured_share(x: Array, p: float, rng: Generator, training: bool) -> Array:
    if not training:
        return x
    mask = rng.random(x.shape) >= p
    return x * mask / max(float(mask.mean()), 1e-9)


def half(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.random(x.shape) >= 0.5) / (1 - p) if training else x


def mask_alone(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return (rng.random(x.shape) >= p) / (1 - p) if training else x


def removed(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x[rng.random(x.shape) >= p] / (1 - p) if training else x


def normal_threshold(x: Array, p: float, rng: Generator, training: bool) -> Array:
    return x * (rng.normal(size=x.shape) >= p) / (1 - p) if training else x


def in_place(x: Array, p: float, rng: Generator, training: bool) -> Array:
    if training:
        x *= rng.random(x.shape) >= p
        x /= 1 - p
    return x
