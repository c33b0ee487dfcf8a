"""Right and wrong answers of the exercise on the LSTM cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


def sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))


def lstm_cell(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    def sigma(z: Array) -> Array:
        return (1 + np.tanh(z / 2)) / 2  # safe for large z

    i, f, g, o = np.split(x @ W_ih.T + h @ W_hh.T + b, 4, axis=1)  # (N, H) each
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def lstm_cell_gate_by_gate(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    def block(k: int) -> Array:
        rows = slice(k * H, (k + 1) * H)
        return x @ W_ih[rows].T + h @ W_hh[rows].T + b[rows]

    H = h.shape[1]
    with np.errstate(over="ignore"):
        i, f, o = (1 / (1 + np.exp(-block(k))) for k in (0, 1, 3))
    new_c = f * c + i * np.tanh(block(2))
    return [o * np.tanh(new_c), new_c]


def lstm_cell_side_by_side(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    N, H = h.shape
    both = np.hstack([x, h])  # (N, D + H)
    sums = (both @ np.hstack([W_ih, W_hh]).T + b).reshape(N, 4, H)
    gates = np.exp(-np.logaddexp(0, -sums))
    new_c = gates[:, 1] * c + gates[:, 0] * np.tanh(sums[:, 2])
    return gates[:, 3] * np.tanh(new_c), new_c


def step(
    sums: dict[str, Array],
    h: Array,
    c: Array,
    of_i: Function,
    of_f: Function,
    of_g: Function,
    of_o: Function,
    cell: Callable[..., Array],
    out: Callable[..., Array],
    handed: Callable[[Array, Array], Any],
) -> Any:
    i, f, g, o = of_i(sums["i"]), of_f(sums["f"]), of_g(sums["g"]), of_o(sums["o"])
    new = cell(i, f, g, c, h)
    return handed(out(o, new, c), new)


def variant(
    order: str = "ifgo",
    of_i: Function = sigmoid,
    of_f: Function = sigmoid,
    of_g: Function = np.tanh,
    of_o: Function = sigmoid,
    cell: Callable[..., Array] = lambda i, f, g, c, h: f * c + i * g,
    out: Callable[..., Array] = lambda o, c, old: o * np.tanh(c),
    handed: Callable[[Array, Array], Any] = lambda h, c: (h, c),
    bias: float = 1.0,
    use_h: float = 1.0,
    use_x: float = 1.0,
    looks_at_cell: bool = False,
    blocks: Callable[[Array, int, int], Any] = lambda z, N, H: np.split(z, 4, axis=1),
) -> Callable[..., Any]:
    """The step with one part exchanged."""

    def answer(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
        N, H = h.shape
        z = use_x * (x @ W_ih.T) + use_h * ((c if looks_at_cell else h) @ W_hh.T) + bias * b
        with np.errstate(all="ignore"):
            sums = dict(zip(order, blocks(z, N, H), strict=True))
            return step(sums, h, c, of_i, of_f, of_g, of_o, cell, out, handed)

    return answer


interleaved = variant(blocks=lambda z, N, H: np.moveaxis(z.reshape(N, H, 4), 2, 0))
gates_by_column = variant(blocks=lambda z, N, H: z.reshape(4, N, H))


def blocks_transposed(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    """Each gate's square block of ``W_hh`` used the other way round."""
    return lstm_cell(x, h, c, W_ih, np.concatenate([block.T for block in np.split(W_hh, 4)]), b)


def opened_by_negative_sums(z: Array) -> Array:
    return sigmoid(-z)


def of_the_size(z: Array) -> Array:
    return sigmoid(np.abs(z))


def concatenated_in_another_order(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    z = np.hstack([h, x]) @ np.hstack([W_ih, W_hh]).T + b
    i, f, g, o = np.split(z, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c
