"""One step of a plain recurrent network (Elman 1990, with a tanh)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def sigmoid(z: Array) -> Any:
    return np.exp(-np.logaddexp(0, -z))


def rnn_cell(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Array:
    return np.asarray(np.tanh(x @ W_ih.T + h @ W_hh.T + b))


def rnn_cell_side_by_side(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    both = np.concatenate([x, h], axis=1)  # (N, D + H)
    return np.tanh(both @ np.concatenate([W_ih, W_hh], axis=1).T + b)


def rnn_cell_by_loop(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    rows = []
    for example, state in zip(x, h, strict=True):
        rows.append([np.tanh(w @ example + u @ state + c) for w, u, c in zip(W_ih, W_hh, b, strict=True)])
    return np.array(rows)


def rnn_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, H: int, label: str = "", scale: float = 1.0) -> Case:
        x, h = rng.normal(size=(N, D)), rng.uniform(-1, 1, size=(N, H))
        W_ih, W_hh = 0.6 * rng.normal(size=(H, D)), 0.6 * rng.normal(size=(H, H))
        return Case((scale * x, h, W_ih, W_hh, 0.7 * rng.normal(size=H)), label)

    small = Case((
        np.array([[1.0, -0.5, 0.5]]),
        np.array([[0.4, -0.8]]),
        np.array([[0.5, 1.0, -0.4], [-0.3, 0.2, 0.8]]),
        np.array([[0.5, -0.25], [0.3, 0.7]]),
        np.array([0.1, -0.3]),
    ))  # fmt: skip
    x, _, W_ih, W_hh, b = case(3, 2, 4).args
    return [
        small,
        case(4, 3, 2),
        case(3, 2, 5),
        case(6, 4, 3),
        case(1, 3, 4, "a batch of one"),
        case(4, 4, 4, "as many examples as inputs and hidden units"),
        case(3, 1, 4, "a single input"),
        case(3, 2, 1, "a single hidden unit"),
        Case((x, np.zeros((3, 4)), W_ih, W_hh, b), "a state of zeros"),
        case(3, 2, 4, "large inputs", scale=1e4),
    ]


def variant(
    squash: Callable[[Array], Array] = np.tanh,
    sums: Callable[[Array, Array, Array], Array] = lambda from_x, from_h, b: from_x + from_h + b,
    from_h: Callable[[Array, Array], Array] = lambda h, W_hh: h @ W_hh.T,
    last: Callable[[Array, Array], Any] = lambda new, old: new,
) -> Callable[..., Any]:
    """The step with one part exchanged."""

    def answer(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
        with np.errstate(all="ignore"):
            return last(squash(sums(x @ W_ih.T, from_h(h, W_hh), b)), h)

    return answer


def other_order(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    both = np.concatenate([h, x], axis=1)
    return np.tanh(both @ np.concatenate([W_ih, W_hh], axis=1).T + b)


def rows_as_steps(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    state, rows = h[0], []
    for example in x:
        state = np.tanh(W_ih @ example + W_hh @ state + b)
        rows.append(state)
    return np.array(rows)


def reshaped(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    return np.tanh((W_ih @ x.T + W_hh @ h.T).reshape(len(x), -1) + b)


def input_alone(x: Array, h: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    return np.tanh(x @ W_ih.T + b)


RNN_CELL = Exercise(
    id="recurrent_networks.rnn_cell",
    kind="function",
    title="One step of a recurrent network",
    points=1,
    minutes=8,
    difficulty=1,
    function="rnn_cell",
    reference=rnn_cell,
    alternatives=(rnn_cell_side_by_side, rnn_cell_by_loop),
    inputs=rnn_inputs,
    wrong=(
        Wrong(
            "state-forgotten",
            input_alone,
            "The old state has no effect: every step begins as if nothing had come before. Which matrix is there to carry the past along?",
        ),
        Wrong(
            "tanh-missing",
            variant(squash=lambda z: z),
            "What comes back is the sum before the tanh. Step after step it can grow without bounds: what keeps a state between -1 and 1?",
        ),
        Wrong(
            "sigmoid-for-tanh",
            variant(squash=sigmoid),
            "You use the sigmoid, so a state can never be negative. Which function does the formula name?",
        ),
        Wrong(
            "relu-for-tanh",
            variant(squash=lambda z: np.maximum(z, 0)),
            "You use ReLU, so a state has no upper bound. Which function does the formula name?",
        ),
        Wrong(
            "bias-forgotten",
            variant(sums=lambda from_x, from_h, b: from_x + from_h),
            "The bias has no effect. Which three terms stand under the tanh?",
        ),
        Wrong(
            "bias-twice",
            variant(sums=lambda from_x, from_h, b: from_x + from_h + 2 * b),
            "The bias is in the sum twice, once with each matrix. PyTorch has two biases; how many does this cell have?",
        ),
        Wrong(
            "recurrent-weights-transposed",
            variant(from_h=lambda h, W_hh: h @ W_hh),
            "The old state meets the *columns* of `W_hh`; the shapes fit either way, since it is square. Which product did you choose for `x`, and does the same rule hold for `h`?",
        ),
        Wrong(
            "entry-by-entry",
            variant(from_h=lambda h, W_hh: h * np.diag(W_hh)),
            "Each hidden unit sees only its own old value, through the diagonal of `W_hh`. Which old values should it see?",
        ),
        Wrong(
            "recurrent-weights-ignored",
            variant(from_h=lambda h, W_hh: h),
            "The old state is added as it is, without its matrix. What turns (N, H) into (N, H) here?",
        ),
        Wrong(
            "squashed-apart",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: np.tanh(from_x + b) + np.tanh(from_h)),
            "Input (with the bias) and state go through a tanh each and are added afterwards, so the result can leave -1 to 1. How many tanh are there in the formula, and where does its bracket close?",
        ),
        Wrong(
            "bracket-closed-early",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: np.tanh(from_x + from_h) + b),
            "The bias is added behind the tanh. Where does its bracket close?",
        ),
        Wrong(
            "state-behind-the-tanh",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: np.tanh(from_x + b) + from_h),
            "Only the input and the bias go through the tanh; the state's part is added behind it. Where does the bracket close?",
        ),
        Wrong(
            "input-behind-the-tanh",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: from_x + np.tanh(from_h + b)),
            "Only the state and the bias go through the tanh; the input's part is added outside. Where does the bracket begin?",
        ),
        Wrong(
            "state-and-bias-behind-the-tanh",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: np.tanh(from_x) + from_h + b),
            "Only the input's part goes through the tanh; state and bias are added behind it. Where does the bracket close?",
        ),
        Wrong(
            "state-squashed-alone",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: from_x + np.tanh(from_h) + b),
            "Only the state's part goes through the tanh; input and bias are added outside. Where does the bracket begin, and where does it close?",
        ),
        Wrong(
            "squashed-apart-without-the-bias",
            variant(squash=lambda z: z, sums=lambda from_x, from_h, b: np.tanh(from_x) + np.tanh(from_h) + b),
            "Input and state go through a tanh each, and the bias is added behind both. How many tanh are there in the formula, and where does its bracket close?",
        ),
        Wrong(
            "old-state-added",
            variant(last=lambda new, old: old + new),
            "You add the old state to the new one, like the shortcut of a residual block. What does the formula's left side equal?",
        ),
        Wrong(
            "old-state-squashed-again",
            variant(from_h=lambda h, W_hh: np.tanh(h) @ W_hh.T),
            "The old state goes through a tanh again before it meets its matrix. It came out of one already: how often does the formula apply it in a step?",
        ),
        Wrong(
            "multiplied",
            variant(sums=lambda from_x, from_h, b: from_x * from_h + b),
            "What comes from the input and what comes from the state are multiplied entry by entry. How does the formula combine the two?",
        ),
        Wrong(
            "rows-as-steps",
            rows_as_steps,
            "You go through the rows of `x` as if they were steps in time, and hand the state from row to row. The rows are different examples, all at the same step: which state belongs to each of them?",
        ),
        Wrong(
            "reshaped-for-transposed",
            reshaped,
            "Your sums are laid out as (H, N), one column for each example, and are then *reshaped* to (N, H), which mixes examples and units. What exchanges two axes and takes every number along?",
        ),
        Wrong(
            "side-by-side-in-another-order",
            other_order,
            "You put state and input side by side, and the two matrices side by side, but in different orders, so some inputs meet weights meant for the state. Which order has each of the two?",
        ),
        Wrong(
            "handed-back-twice",
            variant(last=lambda new, old: (new, new)),
            "You hand back two things, output and state, as PyTorch's layers do. In this cell they are the same array: what alone does the task ask for?",
        ),
    ),
    hints=(
        "It is a linear layer with two inputs, x and the old state, and one tanh at the end.",
        "Both products are made like unit 04's layer: an array with one row for each example, times a transposed weight matrix. Both are (N, H), and b (H,) broadcasts over the rows.",
        "`np.tanh(x @ W_ih.T + ...)`, with the same product of `h` and `W_hh`, and `b`, inside the same bracket.",
    ),
    unlocks="Called in a loop, it reads sequences of any length.",
)  # fmt: skip
