"""One step of a GRU (Cho et al. 2014), with the reset behind the product, as in PyTorch and cuDNN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.recurrent_networks.lstm_answers import of_the_size, opened_by_negative_sums, sigmoid
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


def gru_cell(x: Array, h: Array, W_ih: Array, W_hh: Array, b_ih: Array, b_hh: Array) -> Array:
    def sigma(z: Array) -> Array:
        return (1 + np.tanh(z / 2)) / 2  # safe for large z

    x_r, x_z, x_n = np.split(x @ W_ih.T + b_ih, 3, axis=1)  # (N, H) each
    h_r, h_z, h_n = np.split(h @ W_hh.T + b_hh, 3, axis=1)
    r, z = sigma(x_r + h_r), sigma(x_z + h_z)
    return (1 - z) * np.tanh(x_n + r * h_n) + z * h


def gru_cell_gate_by_gate(x: Array, h: Array, W_ih: Array, W_hh: Array, b_ih: Array, b_hh: Array) -> Array:
    H = h.shape[1]
    rows = [slice(k * H, (k + 1) * H) for k in range(3)]
    with np.errstate(over="ignore"):
        r, z = (1 / (1 + np.exp(-(x @ W_ih[k].T + b_ih[k] + h @ W_hh[k].T + b_hh[k]))) for k in rows[:2])
    n = np.tanh(x @ W_ih[rows[2]].T + b_ih[rows[2]] + r * (h @ W_hh[rows[2]].T + b_hh[rows[2]]))
    return n + z * (h - n)


def gru_cell_gates_together(x: Array, h: Array, W_ih: Array, W_hh: Array, b_ih: Array, b_hh: Array) -> Any:
    N, H = h.shape
    from_x, from_h = (x @ W_ih.T + b_ih).reshape(N, 3, H), (h @ W_hh.T + b_hh).reshape(N, 3, H)
    gates = sigmoid(from_x[:, :2] + from_h[:, :2])
    n = np.tanh(from_x[:, 2] + gates[:, 0] * from_h[:, 2])
    return np.where(gates[:, 1] == 1, h, gates[:, 1] * h + (1 - gates[:, 1]) * n).tolist()


def gru_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, H: int, label: str = "", scale: float = 1.0) -> Case:
        x, h = scale * rng.normal(size=(N, D)), rng.uniform(-0.9, 0.9, size=(N, H))
        W_ih, W_hh = 0.7 * rng.normal(size=(3 * H, D)), 0.8 * rng.normal(size=(3 * H, H))
        return Case((x, h, W_ih, W_hh, 0.7 * rng.normal(size=3 * H), 0.7 * rng.normal(size=3 * H)), label)

    small = Case((
        np.array([[1.0, -0.5], [0.5, 2.0]]),
        np.array([[0.8, -0.4], [-0.6, 0.5]]),
        np.array([[0.5, 1.0], [-0.6, 0.2], [0.8, -0.4], [0.3, 0.7], [-0.9, 0.6], [0.4, -0.5]]),
        np.array([[0.7, 0.3], [-0.5, 0.8], [0.4, 0.2], [-0.9, 0.6], [0.5, -0.7], [0.3, 0.9]]),
        np.array([0.1, 0.5, -0.2, 0.4, 0.2, -0.3]),
        np.array([-0.4, 0.3, 0.6, -0.1, 0.7, 0.5]),
    ))  # fmt: skip
    x, _, W_ih, W_hh, b_ih, b_hh = case(3, 2, 4).args
    return [
        small,
        case(4, 3, 2),
        case(3, 2, 5),
        case(5, 4, 3),
        case(1, 3, 4, "a batch of one"),
        case(4, 4, 4, "as many examples as inputs and hidden units"),
        case(3, 1, 3, "a single input"),
        case(3, 2, 1, "a single hidden unit"),
        Case((x, np.zeros((3, 4)), W_ih, W_hh, b_ih, b_hh), "a state of zeros, as at the first step"),
        case(3, 2, 4, "large inputs", scale=1e4),
    ]


def reset_behind(x_n: Array, h_n: Array, r: Array, h: Array, W_n: Array, b_n: Array) -> Array:
    return np.tanh(x_n + r * h_n)


def variant(
    order: str = "rzn",
    of_r: Function = sigmoid,
    of_z: Function = sigmoid,
    reset: Callable[[Array, Array], Array] = lambda r, z: r,
    candidate: Callable[..., Array] = reset_behind,
    mix: Callable[[Array, Array, Array, Array], Any] = lambda z, n, h, r: (1 - z) * n + z * h,
    biases: Callable[[Array, Array], tuple[Array, Array]] = lambda b_ih, b_hh: (b_ih, b_hh),
    gates_see: Callable[[Array, Array], Array] = lambda from_x, from_h: from_x + from_h,
    blocks: Callable[[Array, int, int], Any] = lambda sums, N, H: np.split(sums, 3, axis=1),
) -> Callable[..., Any]:
    """The step with one part exchanged; ``candidate(x_n, h_n, r, h, W_n, b_n)``."""

    def answer(x: Array, h: Array, W_ih: Array, W_hh: Array, b_ih: Array, b_hh: Array) -> Any:
        N, H = h.shape
        for_x, for_h = biases(b_ih, b_hh)
        from_x = dict(zip(order, blocks(x @ W_ih.T + for_x, N, H), strict=True))
        from_h = dict(zip(order, blocks(h @ W_hh.T + for_h, N, H), strict=True))
        k = order.index("n")
        W_n, b_n = W_hh[k * H : (k + 1) * H], for_h[k * H : (k + 1) * H]
        with np.errstate(all="ignore"):
            r, z = (of(gates_see(from_x[gate], from_h[gate])) for gate, of in (("r", of_r), ("z", of_z)))
            return mix(z, candidate(from_x["n"], from_h["n"], reset(r, z), h, W_n, b_n), h, r)

    return answer


def order(gates: str, whose: str) -> Wrong:
    """The three blocks of rows taken for gates in another order."""
    return Wrong(
        "order-" + gates,
        variant(order=gates),
        f"Your results are those of rows taken as {', '.join(gates)}{whose}. Which block of H rows belongs to which of the three by the task?",
    )


def blocks_transposed(x: Array, h: Array, W_ih: Array, W_hh: Array, b_ih: Array, b_hh: Array) -> Array:
    """Each gate's square block of ``W_hh`` used the other way round."""
    return gru_cell(x, h, W_ih, np.concatenate([block.T for block in np.split(W_hh, 3)]), b_ih, b_hh)


def one_bias(b: Array) -> tuple[Array, Array]:
    return b, np.zeros_like(b)


GRU_CELL = Exercise(
    id="recurrent_networks.gru_cell",
    kind="function",
    title="One step of a GRU",
    points=3,
    minutes=20,
    difficulty=3,
    function="gru_cell",
    reference=gru_cell,
    alternatives=(gru_cell_gate_by_gate, gru_cell_gates_together),
    inputs=gru_inputs,
    wrong=(
        Wrong(
            "reset-before-the-product",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + (r * h) @ W_n.T + b_n)),
            "The reset gate multiplies the old state *before* the matrix, as in the paper of 2014. PyTorch, and this task, take the product first. What does r multiply in the formula above?",
        ),
        Wrong(
            "other-textbook",
            variant(
                candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + (r * h) @ W_n.T + b_n),
                mix=lambda z, n, h, r: z * n + (1 - z) * h,
            ),
            "This is the version that many articles print: r multiplies the old state before the matrix, and z weighs the new one. PyTorch differs in both. In the formulas above, what does r multiply, and which of the two does z keep?",
        ),
        Wrong(
            "reset-without-the-bias",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + r * (h_n - b_n) + b_n)),
            "The reset gate multiplies the product with `W_hh`, but not `b_hh`, which stands outside, with `b_ih`. How far does the bracket behind r reach?",
        ),
        Wrong(
            "recurrent-candidate-bias-forgotten",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + r * (h_n - b_n))),
            "The gates have both biases, the candidate only that of `b_ih`. What stands in the bracket behind r, beside the product?",
        ),
        Wrong(
            "update-for-reset",
            variant(reset=lambda r, z: z),
            "In the candidate z multiplies the state's part, and r has no effect. Which gate decides how much of the past the candidate sees?",
        ),
        Wrong(
            "reset-of-everything",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(r * (x_n + h_n))),
            "The reset gate multiplies the input's part, too, so at r near 0 the cell is deaf. Which part of the sum is it meant to silence?",
        ),
        Wrong(
            "reset-of-the-input",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(r * x_n + h_n)),
            "The reset gate multiplies the input's part in place of the state's. Which of the two is the past?",
        ),
        Wrong(
            "reset-behind-the-tanh",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: r * np.tanh(x_n + h_n)),
            "The reset gate multiplies the candidate after its tanh. Where in the formula's bracket does r stand?",
        ),
        Wrong(
            "reset-unused",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + h_n)),
            "The reset gate has no effect on the candidate. How could the cell make a fresh start without it?",
        ),
        Wrong(
            "reset-as-one-minus",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + (1 - r) * h_n)),
            "The state's part of the candidate is multiplied by 1 - r. Which stands in the formula?",
        ),
        Wrong(
            "reset-twice",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + r * ((r * h) @ W_n.T + b_n))),
            "The reset gate is at work twice, before the matrix and behind it. How often does r appear in the formula?",
        ),
        Wrong(
            "state-unused-in-candidate",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n)),
            "The candidate is made from the input alone. Which second term stands in its bracket?",
        ),
        Wrong(
            "state-without-its-matrix",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.tanh(x_n + r * h)),
            "In the candidate the old state is added without its matrix. Which rows of `W_hh` are meant for n?",
        ),
        Wrong(
            "update-exchanged",
            variant(mix=lambda z, n, h, r: z * n + (1 - z) * h),
            "z and 1 - z are exchanged (papers and libraries differ here). By the task, does z near 1 keep the old state or take the new one?",
        ),
        Wrong(
            "update-keeps-all",
            variant(mix=lambda z, n, h, r: n + z * h),
            "The candidate is added whole. To which number should the shares of old and new add up?",
        ),
        Wrong(
            "old-state-kept-whole",
            variant(mix=lambda z, n, h, r: (1 - z) * n + h),
            "The old state is kept whole, whatever the update gate says. To which number should the shares of old and new add up?",
        ),
        Wrong(
            "old-state-dropped",
            variant(mix=lambda z, n, h, r: (1 - z) * n),
            "Of the old state nothing is carried over directly, and without that way the cell forgets as a plain one does. Which second term does the last line have?",
        ),
        Wrong(
            "candidate-alone",
            variant(mix=lambda z, n, h, r: n),
            "What comes back is the candidate n; the update gate has no effect. Which last line mixes old and new?",
        ),
        Wrong(
            "reset-for-update",
            variant(mix=lambda z, n, h, r: (1 - r) * n + r * h),
            "The last line mixes by r, and z has no effect. Which of the two gates decides how much is kept?",
        ),
        Wrong(
            "reset-state-mixed",
            variant(mix=lambda z, n, h, r: (1 - z) * n + z * r * h),
            "In the last line, too, the old state is multiplied by r. Which h does that line name?",
        ),
        Wrong(
            "squashed-again",
            variant(mix=lambda z, n, h, r: np.tanh((1 - z) * n + z * h)),
            "The mixture goes through one more tanh, so a kept state fades step by step. How many tanh does the formula have?",
        ),
        order("zrn", ": update before reset, as Keras has it"),
        order("nrz", ", with the candidate first"),
        order("nzr", ", the whole order turned round"),
        order("rnz", ", with the update gate last"),
        order("znr", ", with the reset gate last"),
        Wrong(
            "sigmoid-on-the-candidate",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: sigmoid(x_n + r * h_n)),
            "The candidate goes through a sigmoid like the gates, so it is never negative. Which function does its line name?",
        ),
        Wrong(
            "candidate-not-squashed",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: x_n + r * h_n),
            "The candidate is the bare sum, and the state has no bounds. Which function does its line name?",
        ),
        Wrong(
            "relu-on-the-candidate",
            variant(candidate=lambda x_n, h_n, r, h, W_n, b_n: np.maximum(x_n + r * h_n, 0)),
            "The candidate goes through ReLU. Which function does its line name?",
        ),
        Wrong(
            "sigmoid-turned-round",
            variant(of_r=opened_by_negative_sums, of_z=opened_by_negative_sums),
            "Your gates open where their sums are *negative*: 1 / (1 + e^s). Which sign has the exponent in the sigmoid?",
        ),
        Wrong(
            "sigmoid-of-the-size",
            variant(of_r=of_the_size, of_z=of_the_size),
            "A gate with a very negative sum is as open as one with a very positive sum: your sigmoid sees only the size of its sum. What should it give for negative sums?",
        ),
        Wrong(
            "tanh-on-the-gates",
            variant(of_r=np.tanh, of_z=np.tanh),
            "Both gates go through tanh. A gate says which share passes: which function gives numbers from 0 to 1?",
        ),
        Wrong(
            "tanh-on-the-update-gate",
            variant(of_z=np.tanh),
            "The update gate goes through tanh, so a share can be negative. Which function gives numbers from 0 to 1?",
        ),
        Wrong(
            "gates-not-squashed",
            variant(of_r=lambda s: s, of_z=lambda s: s),
            "The gates are bare sums. Which function turns a sum into a share between 0 and 1?",
        ),
        Wrong(
            "gates-blind-to-the-state",
            variant(gates_see=lambda from_x, from_h: from_x),
            "The gates look at the input alone. What else decides whether to keep or to replace?",
        ),
        Wrong(
            "gates-blind-to-the-input",
            variant(gates_see=lambda from_x, from_h: from_h),
            "The gates look at the old state alone. What else decides whether to keep or to replace?",
        ),
        Wrong(
            "recurrent-bias-forgotten",
            variant(biases=lambda b_ih, b_hh: one_bias(b_ih)),
            "`b_hh` has no effect. In the gates one bias would do for both; why not in the candidate, where r comes in?",
        ),
        Wrong(
            "input-bias-forgotten",
            variant(biases=lambda b_ih, b_hh: (np.zeros_like(b_ih), b_hh)),
            "`b_ih` has no effect. Which product does it stand beside?",
        ),
        Wrong(
            "biases-forgotten",
            variant(biases=lambda b_ih, b_hh: one_bias(np.zeros_like(b_ih))),
            "Neither of the biases has an effect. Beside which product does each of them stand?",
        ),
        Wrong(
            "biases-exchanged",
            variant(biases=lambda b_ih, b_hh: (b_hh, b_ih)),
            "The two biases are exchanged: the gates cannot tell, the candidate can. Which of them does r multiply?",
        ),
        Wrong(
            "biases-both-with-the-state",
            variant(biases=lambda b_ih, b_hh: one_bias(b_ih + b_hh)[::-1]),
            "Both biases are added to the state's part, so in the candidate r multiplies both. Which of them stands outside of its bracket?",
        ),
        Wrong(
            "biases-added-twice",
            variant(biases=lambda b_ih, b_hh: (b_ih + b_hh, b_ih + b_hh)),
            "Each bias comes in twice, with the input and with the state. Beside which product does each of them stand?",
        ),
        Wrong(
            "recurrent-blocks-transposed",
            blocks_transposed,
            "In each block the old state meets the *columns* of `W_hh`; the shapes fit either way, since a block is square. Which product did you choose for `x`, and does the same rule hold for `h`?",
        ),
        Wrong(
            "rows-interleaved",
            variant(blocks=lambda sums, N, H: np.moveaxis(sums.reshape(N, H, 3), 2, 0)),
            "You deal the rows out one by one, r, z, n, r, z …, as `reshape(N, H, 3)` and slices like `[::3]` do. Where do the H rows of one gate stand?",
        ),
        Wrong(
            "blocks-by-examples",
            variant(blocks=lambda sums, N, H: sums.reshape(3, N, H)),
            "You cut the (N, 3H) sums by `reshape(3, N, H)`, which mixes examples and gates. Which axis holds the three blocks one behind the other?",
        ),
        Wrong(
            "handed-back-twice",
            variant(mix=lambda z, n, h, r: (((1 - z) * n + z * h), ((1 - z) * n + z * h))),
            "You hand back two things, output and state, as PyTorch's layers do. In a GRU they are the same array: what alone does the task ask for?",
        ),
    ),
    hints=(
        "Keep the two products apart, one from x with `b_ih`, one from h with `b_hh`, each (N, 3H), because r multiplies only one of them.",
        "Cut both into three blocks in the order r, z, n. Gates: sigmoid of the two blocks' sum. Candidate: tanh of x's block plus r times h's block, its bias included.",
        "With `x_r, x_z, x_n = np.split(x @ W_ih.T + b_ih, 3, axis=1)` and the same for h: `n = np.tanh(x_n + r * h_n)`, and the result is `(1 - z) * n + z * h`.",
    ),
    unlocks="Two gates, no second state, three quarters of an LSTM's weights.",
)  # fmt: skip
