"""Recurrent networks over a whole sequence: one layer, in one direction, is one op.

Only the product with the hidden state has to wait for the step before. So one product ahead of the loop takes the
inputs of all T steps to the gates, and backward collects ``dz``, the gradients of what entered the gates, from which
the gradients of weights and inputs are one product each (backpropagation through time; Werbos 1990).

Shapes: x (T, N, D), or (N, D) for one step; states (N, S); with G gates W_ih (G·S, D), W_hh (G·S, S), and either both
biases b_ih and b_hh (G·S,) or none. Each op returns the hidden states of all steps (T, N, S), then the last states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dlcourse.ops.rule import Array, Gradient
from dlcourse.ops.shapes import SeveralResults


def rnn(
    x: Array, h: Array, W_ih: Array, W_hh: Array, *biases: Array, nonlinearity: Literal["tanh", "relu"] = "tanh"
) -> SeveralResults:
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or relu (Elman 1990). -> all h, the last h."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"rnn: nonlinearity={nonlinearity!r}; choose 'tanh' or 'relu'")
    x, z, W_T = _project("rnn", 1, x, (h,), W_ih, W_hh)
    H, bias = _history(h, z), sum(biases)
    for t in range(len(z)):
        z[t] += H[t] @ W_T + bias
        H[t + 1] = np.tanh(z[t]) if nonlinearity == "tanh" else np.maximum(z[t], 0)

    def backward(dH: Array, dh: Array) -> Sequence[Gradient]:
        slope = 1 - H[1:] * H[1:] if nonlinearity == "tanh" else H[1:] > 0
        dz = np.empty(dH.shape, dH.dtype)
        for t in reversed(range(len(dz))):
            np.multiply(dh + dH[t], slope[t], out=dz[t])
            dh = dz[t] @ W_hh
        return _gradients(x, H, dz, dz, (dh,), W_ih, len(biases))

    return (H[1:], H[-1].copy()), backward


def lstm(x: Array, h: Array, c: Array, W_ih: Array, W_hh: Array, *biases: Array) -> SeveralResults:
    """A memory c that gates erase, write and read (Hochreiter & Schmidhuber 1997; f: Gers, Schmidhuber & Cummins 2000).

    ``c' = f c + i g`` and ``h' = o tanh(c')``, where the rows of ``W_ih x + b_ih + W_hh h + b_hh`` give, in this
    order, the gates i and f (sigmoid), the candidate g (tanh) and the gate o (sigmoid). -> all h, the last h and c.
    """
    x, z, W_T = _project("lstm", 4, x, (h, c), W_ih, W_hh)  # z (T, N, 4S)
    gates = np.empty_like(_by_gate(z, 4), order="C")  # (T, 4, N, S): each gate of a step in one piece
    H, C, bias = _history(h, z), _history(c, z), sum(biases)
    tanh_C = np.empty_like(C)
    for t in range(len(z)):
        gates[t] = _by_gate(z[t] + H[t] @ W_T + bias, 4)
        i, f, g, o = gates[t]
        _sigmoid(gates[t, :2])
        np.tanh(g, out=g)
        _sigmoid(o)
        np.add(f * C[t], i * g, out=C[t + 1])
        np.tanh(C[t + 1], out=tanh_C[t + 1])
        np.multiply(o, tanh_C[t + 1], out=H[t + 1])

    def backward(dH: Array, dh: Array, dc: Array) -> Sequence[Gradient]:
        dz = np.empty((*dH.shape[:2], len(W_hh)), dH.dtype)
        d_gates = np.empty_like(gates[0])
        di, df, dg, do = d_gates
        for t in reversed(range(len(dz))):
            i, f, g, o = gates[t]
            dh = dh + dH[t]
            np.multiply(dh, tanh_C[t + 1], out=do)
            dc = dc + o * (dh - do * tanh_C[t + 1])  # tanh' = 1 - tanh²
            np.multiply(dc, g, out=di)
            np.multiply(dc, C[t], out=df)
            np.multiply(dc, i, out=dg)
            slope = gates[t] - gates[t] * gates[t]  # σ' = σ - σ²
            np.subtract(1, g * g, out=slope[2])
            np.multiply(d_gates, slope, out=_by_gate(dz[t], 4))
            dh, dc = dz[t] @ W_hh, dc * f
        return _gradients(x, H, dz, dz, (dh, dc), W_ih, len(biases))

    return (H[1:], H[-1].copy(), C[-1].copy()), backward


def gru(x: Array, h: Array, W_ih: Array, W_hh: Array, *biases: Array) -> SeveralResults:
    """Gates that say how much of the state to renew (Cho et al. 2014, equations 5 to 8). -> all h, the last h.

    ``h' = (1 - z) n + z h`` with ``n = tanh(x_n + r h_n)``; the rows of ``W_ih x + b_ih`` and of ``W_hh h + b_hh``
    stand in the order r, z, n. As in PyTorch, r multiplies h_n, a product with its bias; in the paper, it multiplies h.
    """
    x, z_x, W_T = _project("gru", 3, x, (h,), W_ih, W_hh)  # z_x (T, N, 3S)
    gates = np.empty_like(_by_gate(z_x, 3), order="C")  # (T, 3, N, S)
    H = _history(h, z_x)
    H_n = np.empty_like(H[1:])
    b_ih, b_hh = biases or (0, 0)
    for t in range(len(gates)):
        gates[t] = _by_gate(z_x[t] + b_ih, 3)
        z_h = _by_gate(H[t] @ W_T + b_hh, 3)
        r, z, n = gates[t]
        gates[t, :2] += z_h[:2]
        _sigmoid(gates[t, :2])
        H_n[t] = z_h[2]
        np.tanh(n + r * H_n[t], out=n)
        np.add(n, z * (H[t] - n), out=H[t + 1])

    def backward(dH: Array, dh: Array) -> Sequence[Gradient]:
        dz_x, dz_h = (np.empty((*dH.shape[:2], len(W_hh)), dH.dtype) for _ in range(2))
        for t in reversed(range(len(gates))):
            r, z, n = gates[t]
            dr, dz, dn = _by_gate(dz_x[t], 3)
            dh = dh + dH[t]
            np.multiply(dh * (1 - z), 1 - n * n, out=dn)
            np.multiply(dn * H_n[t], r - r * r, out=dr)
            np.multiply(dh * (H[t] - n), z - z * z, out=dz)
            dz_h[t] = dz_x[t]
            _by_gate(dz_h[t], 3)[2] *= r  # h_n arrived multiplied by r
            dh = dh * z + dz_h[t] @ W_hh
        return _gradients(x, H, dz_x, dz_h, (dh,), W_ih, len(biases))

    return (H[1:], H[-1].copy()), backward


def _sigmoid(z: Array) -> None:
    """In place: σ(z) = (1 + tanh(z/2)) / 2, which cannot overflow."""
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def _by_gate(z: Array, G: int) -> Array:
    """(..., N, G·S) seen as (..., G, N, S), the same memory."""
    return z.reshape(*z.shape[:-1], G, z.shape[-1] // G).swapaxes(-3, -2)


def _history(state: Array, z: Array) -> Array:
    """Room for a state before the first step and after each, (T + 1, N, S)."""
    room = np.empty((len(z) + 1, *state.shape), z.dtype)
    room[0] = state
    return room


def _project(
    name: str, G: int, x: Array, states: Sequence[Array], W_ih: Array, W_hh: Array
) -> tuple[Array, Array, Array]:
    """The input in one piece; what it brings to the gates at all steps, (T, N, G·S); and W_hh transposed."""
    T, N, D = x.shape if x.ndim == 3 else (1, *x.shape) if x.ndim == 2 else (0, 0, 0)
    S = W_hh.shape[-1]
    if T == 0 or W_ih.shape != (G * S, D) or W_hh.shape != (G * S, S) or any(h.shape != (N, S) for h in states):
        raise ValueError(
            f"{name}: an input of shape {x.shape}, states of {[h.shape for h in states]}, weights of {W_ih.shape} and "
            f"{W_hh.shape}; they must be (T, N, D) or (N, D), (N, S), ({G}·S, D) and ({G}·S, S), with T at least 1"
        )
    x = np.ascontiguousarray(x, np.result_type(x, W_ih) if x.dtype.kind == "f" else W_ih.dtype)
    z = (x.reshape(T * N, D) @ W_ih.T).reshape(T, N, G * S)
    W_T = W_hh.T if T < 8 else np.ascontiguousarray(W_hh.T)  # a copy, where AVX-512 products then repay it
    return x, z.astype(np.result_type(z, *states), copy=False), W_T


def _gradients(
    x: Array, H: Array, dz_x: Array, dz_h: Array, d_states: Sequence[Array], W_ih: Array, biases: int
) -> Sequence[Gradient]:
    """From the gradients of what x and h brought to the gates at all steps, those of the op's inputs."""
    rows_x, rows_h = dz_x.reshape(-1, len(W_ih)), dz_h.reshape(-1, len(W_ih))  # (T·N, G·S)
    db_x = rows_x.sum(axis=0)
    db_h = db_x if dz_h is dz_x else rows_h.sum(axis=0)
    return (
        lambda: (rows_x @ W_ih).reshape(x.shape),
        *d_states,
        lambda: rows_x.T @ x.reshape(-1, x.shape[-1]),
        lambda: rows_h.T @ H[:-1].reshape(-1, H.shape[-1]),
        *(db_x, db_h)[:biases],
    )
