"""Recurrent layers: the same weights at every step, and a state that carries the past along.

A cell is one step; a layer runs over a sequence, as one op for each layer and direction (:mod:`dlcourse.ops.recurrent`,
with formulas and papers). Weights, their names and the order of the gates are PyTorch's. Shapes: T steps, N examples,
D = input_size, S = hidden_size, L = num_layers, twice that if bidirectional. The N may be left out everywhere.

The state is h, that of an LSTM a pair (h, c); it comes back as it is given, and a state not given is zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from dlcourse import ops
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.nn import init
from dlcourse.nn.module import Module, Parameter
from dlcourse.tensor import Tensor, apply_many, as_tensor

Nonlinearity = Literal["tanh", "relu"]
Rng = np.random.Generator | None
DEFAULTS = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False}  # fmt: skip


class Recurrent(Module):
    """What cells and layers share: an op, and weights for it.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : (G·S, D), (G·S, S), (G·S,), (G·S,) with G gates, uniform in ±1/√S; in a
        layer, names end in ``_l0``, ``_l1`` ... (whose D is the width of the layer below), backward in ``_reverse``
    """

    op: ClassVar[Callable[..., Any]]
    gates: ClassVar[int]
    states: ClassVar[str] = "h"
    nonlinearity: Nonlinearity = "tanh"  # of an RNN

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        if hidden_size < 1:
            raise ValueError(f"{type(self).__name__}: hidden_size={hidden_size}; it must be at least 1")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias

    def _weights(self, suffix: str) -> list[str]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if self.bias else 2]
        return [name + suffix for name in names]

    def _add_weights(self, suffix: str, D: int, rng: np.random.Generator) -> None:
        rows, bound = self.gates * self.hidden_size, 1 / math.sqrt(self.hidden_size)
        shapes: list[tuple[int, ...]] = [(rows, D), (rows, self.hidden_size), (rows,), (rows,)]
        for name, shape in zip(self._weights(suffix), shapes, strict=False):
            setattr(self, name, init.uniform_(Parameter(np.empty(shape, np.float32)), -bound, bound, rng))

    def _run(self, x: Tensor, states: Sequence[Tensor], suffix: str) -> tuple[Tensor, ...]:
        """All hidden states, and the last states, of one layer in one direction."""
        options = {"nonlinearity": self.nonlinearity} if self.gates == 1 else {}
        weights = [getattr(self, name) for name in self._weights(suffix)]
        return apply_many(type(self).op, x, *states, *weights, **options)

    def _checked(self, input: Any, axes: str) -> Tensor:
        x = as_tensor(input)
        if x.ndim not in (len(axes) - 1, len(axes)) or x.shape[-1] != self.input_size:
            raise ValueError(f"{type(self).__name__}: an input of shape {x.shape}; it must be ({', '.join(axes)}), or "
                             f"that without the N, where D is input_size={self.input_size}")  # fmt: skip
        return x

    def _given(self, hx: Any, shape: tuple[int, ...]) -> list[Tensor]:
        """The states before the first step."""
        name, pair = type(self).__name__, self.states == "hc"
        if hx is None:
            return [as_tensor(np.zeros(shape, next(self.parameters()).dtype)) for _ in self.states]
        if pair and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise TypeError(f"{name}: the state must be a pair (h, c), not {type(hx).__name__}")
        given = [as_tensor(state) for state in (hx if pair else (hx,))]
        for letter, state in zip(self.states, given, strict=True):
            if state.shape != shape:
                raise ValueError(f"{name}: state {letter} of shape {state.shape}; it must be {shape} for this input")
        return given

    def extra_repr(self) -> str:
        """The sizes, and what differs from the defaults."""
        said = [f", {name}={getattr(self, name)}" for name, default in DEFAULTS.items()
                if getattr(self, name, default) != default]  # fmt: skip
        return f"{self.input_size}, {self.hidden_size}{''.join(said)}"


class Cell(Recurrent):
    """One step."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None = None
    bias_hh: Parameter | None = None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, rng: Rng = None) -> None:
        super().__init__(input_size, hidden_size, bias)
        self._add_weights("", input_size, np.random.default_rng(rng))

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(N, D) and the state (N, S) -> the next state."""
        x = self._checked(input, "ND")
        states = self._given(hx, (*x.shape[:-1], self.hidden_size))
        if x.ndim == 1:
            last = [state[0] for state in self._run(x[None], [state[None] for state in states], "")[1:]]
        else:
            last = list(self._run(x, states, "")[1:])
        return last[0] if len(last) == 1 else tuple(last)


class RNNCell(Cell):
    """One step of :class:`RNN`."""

    op, gates = ops.rnn, 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: Nonlinearity = "tanh", rng: Rng = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, rng)
        self.nonlinearity = nonlinearity


class LSTMCell(Cell):
    """One step of :class:`LSTM`."""

    op, gates, states = ops.lstm, 4, "hc"


class GRUCell(Cell):
    """One step of :class:`GRU`."""

    op, gates = ops.gru, 3


class Layers(Recurrent):
    """One or several layers over a sequence, each fed the hidden states of the one below.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias : the sizes, and whether there are biases
    batch_first : whether input and output are (N, T, ...) instead of (T, N, ...); states are (L, N, S) in either case
    dropout : probability with which an entry on its way from one layer to the next is zeroed, in training
    bidirectional : whether there is a second direction, which reads from the end; it comes second in the output
    rng : source of the starting weights and of dropout; None is a fresh one
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, rng: Rng = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias)
        if num_layers < 1 or not 0 <= dropout <= 1:
            raise ValueError(f"{type(self).__name__}: num_layers={num_layers}, dropout={dropout}; there must be at "
                             "least 1 layer, and dropout lies between 0 and 1")  # fmt: skip
        self.num_layers, self.batch_first, self.dropout = num_layers, batch_first, dropout
        self.bidirectional, self.rng = bidirectional, np.random.default_rng(rng)
        for number in range(num_layers):
            for suffix in self._directions(number):
                self._add_weights(suffix, hidden_size * (1 + bidirectional) if number else input_size, self.rng)

    def _directions(self, number: int) -> list[str]:
        return [f"_l{number}", f"_l{number}_reverse"][: 1 + self.bidirectional]

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Any]:
        """(T, N, D) and the state (L, N, S) -> the top layer's h of all steps (T, N, S or 2S), the last state."""
        x = self._checked(input, "NTD" if self.batch_first else "TND")
        single, batch_first = x.ndim == 2, self.batch_first and x.ndim == 3
        x = x[:, None] if single else x.swapaxes(0, 1) if batch_first else x  # (T, N, D)
        L = self.num_layers * (1 + self.bidirectional)
        states = self._given(hx, (L, self.hidden_size) if single else (L, x.shape[1], self.hidden_size))
        output, last = self._stack(x, [state[:, None] if single else state for state in states])
        if single:
            output, last = output[:, 0], [state[:, 0] for state in last]
        output = output.swapaxes(0, 1) if batch_first else output
        return output, last[0] if len(last) == 1 else tuple(last)

    def _stack(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        first = zip(*states, strict=True)  # for each layer and direction, its h, or h and c
        last: list[list[Tensor]] = []
        for number in range(self.num_layers):
            if number and self.dropout:
                x = F.dropout(x, self.dropout, self.training, rng=self.rng)
            outputs = []
            for step, suffix in zip((1, -1), self._directions(number), strict=False):
                output, *end = self._run(x if step == 1 else x[::-1], next(first), suffix)
                outputs.append(output if step == 1 else output[::-1])
                last.append(end)
            x = outputs[0] if len(outputs) == 1 else F.concatenate(outputs, axis=-1)
        return x, [F.stack(ends) for ends in zip(*last, strict=True)]  # (L, N, S)


class RNN(Layers):
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or with ``nonlinearity="relu"`` (Elman 1990)."""

    op, gates = ops.rnn, 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: Nonlinearity = "tanh",
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        rng: Rng = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, rng)
        self.nonlinearity = nonlinearity


class LSTM(Layers):
    """A memory c that gates erase, write and read (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

    op, gates, states = ops.lstm, 4, "hc"


class GRU(Layers):
    """Gates that say how much of the state to renew (Cho et al. 2014), in PyTorch's form."""

    op, gates = ops.gru, 3
