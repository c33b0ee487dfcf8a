"""One step of an LSTM (Hochreiter & Schmidhuber 1997; with the forget gate of Gers, Schmidhuber & Cummins 2000)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.recurrent_networks.lstm_answers import (
    blocks_transposed,
    concatenated_in_another_order,
    gates_by_column,
    interleaved,
    lstm_cell,
    lstm_cell_gate_by_gate,
    lstm_cell_side_by_side,
    of_the_size,
    opened_by_negative_sums,
    sigmoid,
    variant,
)
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def lstm_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, H: int, label: str = "", scale: float = 1.0, cells: float = 1.0) -> Case:
        x, h, c = scale * rng.normal(size=(N, D)), rng.uniform(-0.9, 0.9, size=(N, H)), cells * rng.normal(size=(N, H))
        W_ih, W_hh = 0.7 * rng.normal(size=(4 * H, D)), 0.7 * rng.normal(size=(4 * H, H))
        return Case((x, h, c, W_ih, W_hh, 0.7 * rng.normal(size=4 * H)), label)

    small = Case((
        np.array([[1.0, -0.5], [0.5, 2.0]]),
        np.array([[0.4], [-0.6]]),
        np.array([[1.5], [-0.8]]),
        np.array([[0.5, 1.0], [-0.3, 0.2], [0.8, -0.4], [0.6, 0.3]]),
        np.array([[0.7], [-0.5], [0.4], [-0.9]]),
        np.array([0.1, 0.5, -0.2, 0.3]),
    ))  # fmt: skip
    x, _, _, W_ih, W_hh, b = case(3, 2, 4).args
    return [
        small,
        case(4, 3, 2),
        case(3, 2, 5),
        case(5, 4, 3),
        case(1, 3, 4, "a batch of one"),
        case(4, 4, 4, "as many examples as inputs and hidden units"),
        case(3, 1, 3, "a single input"),
        Case((x, np.zeros((3, 4)), np.zeros((3, 4)), W_ih, W_hh, b), "states of zeros, as at the first step"),
        case(3, 2, 4, "a cell that holds large numbers", cells=30.0),
        case(3, 2, 4, "large inputs", scale=1e4),
    ]


def order(gates: str, whose: str) -> Wrong:
    """The four blocks of rows taken for gates in another order."""
    return Wrong(
        "order-" + "".join(gates),
        variant(order=gates),
        f"Your results are those of rows taken as {', '.join(gates)}{whose}. Which block of H rows belongs to which gate by the task, and what does that gate multiply?",
    )


LSTM_CELL = Exercise(
    id="recurrent_networks.lstm_cell",
    kind="function",
    title="One step of an LSTM",
    points=4,
    minutes=25,
    difficulty=3,
    function="lstm_cell",
    reference=lstm_cell,
    alternatives=(lstm_cell_gate_by_gate, lstm_cell_side_by_side),
    inputs=lstm_inputs,
    returns=("h", "c"),
    blame=("c", "h"),
    wrong=(
        order("ifog", ", with the candidate last, as some courses have it"),
        order("figo", ": forget before input, or, which gives the same, i multiplies the old cell and f the candidate"),
        order("fiog", ", with the forget gate first and the candidate last"),
        order("igfo", ", with the candidate second, as TensorFlow's older cells have it"),
        order("iofg", ", as the exchange format ONNX has it"),
        order("gifo", ", with the candidate first"),
        order("oifg", ", with the output gate first"),
        order("ofig", ", from output to candidate"),
        order("fgio", ", with the input gate third"),
        order("ogfi", ", the whole order turned round"),
        Wrong(
            "old-cell-forgotten",
            variant(cell=lambda i, f, g, c, h: i * g),
            "The old cell state has no effect: c is i · g alone, so nothing lasts longer than a step. Which gate decides how much of the old c stays?",
        ),
        Wrong(
            "forget-gate-unused",
            variant(cell=lambda i, f, g, c, h: c + i * g),
            "The old cell state is kept whole, whatever the forget gate says (the LSTM of 1997 did so, too). What does f multiply?",
        ),
        Wrong(
            "input-gate-unused",
            variant(cell=lambda i, f, g, c, h: f * c + g),
            "The candidate enters the cell whole, whatever the input gate says. What does i multiply?",
        ),
        Wrong(
            "candidate-unused",
            variant(cell=lambda i, f, g, c, h: f * c + i),
            "The input gate itself is added to the cell, so it can only ever grow. What is it meant to let through?",
        ),
        Wrong(
            "forget-as-one-minus",
            variant(cell=lambda i, f, g, c, h: (1 - f) * c + i * g),
            "The old cell is multiplied by 1 - f. Does the forget gate, in spite of its name, say what is thrown away or what stays?",
        ),
        Wrong(
            "forget-gate-around-all",
            variant(cell=lambda i, f, g, c, h: f * (c + i * g)),
            "The forget gate multiplies what is taken in, too. In the line for c, which of the two terms does f stand before?",
        ),
        Wrong(
            "input-gate-around-all",
            variant(cell=lambda i, f, g, c, h: i * (c + g)),
            "The input gate multiplies the old cell, too, and f has no effect. In the line for c, what does each gate stand before?",
        ),
        Wrong(
            "gates-coupled",
            variant(cell=lambda i, f, g, c, h: f * c + (1 - f) * g),
            "The candidate is multiplied by 1 - f, and the input gate has no effect. That is another cell, with coupled gates; how many gates does this one have?",
        ),
        Wrong(
            "gates-coupled-by-input",
            variant(cell=lambda i, f, g, c, h: (1 - i) * c + i * g),
            "The old cell is multiplied by 1 - i, and the forget gate has no effect. That is another cell, with coupled gates; how many gates does this one have?",
        ),
        Wrong(
            "hidden-state-for-cell",
            variant(cell=lambda i, f, g, c, h: f * h + i * g),
            "The forget gate multiplies the old *hidden* state. Which of the two states is the long memory?",
        ),
        Wrong(
            "cell-squashed",
            variant(cell=lambda i, f, g, c, h: np.tanh(f * c + i * g), out=lambda o, c, old: o * c),
            "You hand on tanh of the cell as the new cell. `h` is right, but after many such steps the memory fades. Which of the two results is put through the tanh?",
        ),
        Wrong(
            "cell-squashed-twice",
            variant(cell=lambda i, f, g, c, h: np.tanh(f * c + i * g)),
            "The new cell goes through a tanh, and once more on its way to `h`. How often does tanh appear in the line for c, beside the one in g?",
        ),
        Wrong(
            "output-tanh-missing",
            variant(out=lambda o, c, old: o * c),
            "`c` is right. `h` is o times c itself, so it can leave -1 to 1. What is done to the cell before the output gate lets it through?",
        ),
        Wrong(
            "old-cell-squashed",
            variant(cell=lambda i, f, g, c, h: f * np.tanh(c) + i * g),
            "The old cell goes through a tanh before the forget gate multiplies it, so large memories are cut down at every step. What does f multiply in the formula?",
        ),
        Wrong(
            "relu-at-the-output",
            variant(out=lambda o, c, old: o * np.maximum(c, 0)),
            "`c` is right. For `h` the cell goes through ReLU. Which function does the formula name there?",
        ),
        Wrong(
            "output-gate-unused",
            variant(out=lambda o, c, old: np.tanh(c)),
            "`c` is right. `h` is tanh(c), whatever the output gate says. What does o multiply?",
        ),
        Wrong(
            "sigmoid-at-the-output",
            variant(out=lambda o, c, old: o * sigmoid(c)),
            "`c` is right. For `h` the cell goes through a sigmoid, so h is never negative. Which function does the formula name there?",
        ),
        Wrong(
            "old-cell-shown",
            variant(out=lambda o, c, old: o * np.tanh(old)),
            "`c` is right. `h` is made from the *old* cell, a step too late. Which one does the formula name?",
        ),
        Wrong(
            "gate-within-the-tanh",
            variant(out=lambda o, c, old: np.tanh(o * c)),
            "`c` is right. For `h` the output gate multiplies within the tanh. Where does the tanh's bracket close?",
        ),
        Wrong(
            "squashed-candidate-for-cell",
            variant(out=lambda o, c, old: np.tanh(o) * c),
            "`c` is right. For `h` the tanh is around the output gate in place of the cell. Which of the two factors has no bounds yet?",
        ),
        Wrong(
            "sigmoid-on-the-candidate",
            variant(of_g=sigmoid),
            "The candidate g goes through a sigmoid like the gates, so the cell can only be added to, never taken from. Which range should g have?",
        ),
        Wrong(
            "candidate-not-squashed",
            variant(of_g=lambda z: z),
            "The candidate g is the bare sum. Which function stands before its bracket?",
        ),
        Wrong(
            "candidate-squashed-twice",
            variant(of_g=lambda z: np.tanh(sigmoid(z))),
            "All four blocks go through the sigmoid, and the candidate then through tanh as well. Which function alone belongs to g?",
        ),
        Wrong(
            "relu-on-the-candidate",
            variant(of_g=lambda z: np.maximum(z, 0)),
            "The candidate g goes through ReLU. Which function stands before its bracket?",
        ),
        Wrong(
            "tanh-on-the-output-gate",
            variant(of_o=np.tanh),
            "`c` is right. The output gate goes through tanh, so it can turn signs round. A gate says how much passes: which range should it have?",
        ),
        Wrong(
            "tanh-on-all",
            variant(of_i=np.tanh, of_f=np.tanh, of_o=np.tanh),
            "All four blocks go through tanh. A gate says how much passes, from nothing to all: which function gives that range, and which of the four is no gate?",
        ),
        Wrong(
            "tanh-and-sigmoid-exchanged",
            variant(of_i=np.tanh, of_f=np.tanh, of_g=sigmoid, of_o=np.tanh),
            "The three gates go through tanh and the candidate through the sigmoid. Which of the two functions runs from 0 to 1, as a share must?",
        ),
        Wrong(
            "output-gate-not-squashed",
            variant(of_o=lambda z: z),
            "`c` is right. The output gate is the bare sum, of any size and sign. Which function turns a sum into a share between 0 and 1?",
        ),
        Wrong(
            "sigmoid-turned-round",
            variant(of_i=opened_by_negative_sums, of_f=opened_by_negative_sums, of_o=opened_by_negative_sums),
            "Your gates open where their sums are *negative*: 1 / (1 + e^z). Which sign has the exponent in the sigmoid?",
        ),
        Wrong(
            "sigmoid-of-the-size",
            variant(of_i=of_the_size, of_f=of_the_size, of_o=of_the_size),
            "A gate with a very negative sum is as open as one with a very positive sum: your sigmoid sees only the size of z. What should it give for negative z?",
        ),
        Wrong(
            "gates-not-squashed",
            variant(of_i=lambda z: z, of_f=lambda z: z, of_o=lambda z: z),
            "The gates are bare sums, of any size and sign. Which function turns a sum into a share between 0 and 1?",
        ),
        Wrong(
            "bias-twice",
            variant(bias=2.0),
            "The bias is in the sums twice, once with each matrix. PyTorch has two biases and adds them; how many does this cell have?",
        ),
        Wrong(
            "bias-forgotten",
            variant(bias=0.0),
            "The bias has no effect. Which three terms make the sums?",
        ),
        Wrong(
            "forget-bias-added",
            variant(of_f=lambda z: sigmoid(z + 1)),
            "You add 1 to the sums of the forget gate. That is a fine way to *start* a network, but where would it belong: into each step, or into the b that training begins with?",
        ),
        Wrong(
            "hidden-state-forgotten",
            variant(use_h=0.0),
            "The old hidden state has no effect on the gates. Which matrix multiplies it?",
        ),
        Wrong(
            "input-forgotten",
            variant(use_x=0.0),
            "The input has no effect: the cell is deaf. Which matrix multiplies x?",
        ),
        Wrong(
            "cell-state-at-the-gates",
            variant(looks_at_cell=True),
            "`W_hh` multiplies the old *cell* in place of the old hidden state. Which of the two do the gates look at?",
        ),
        Wrong(
            "recurrent-blocks-transposed",
            blocks_transposed,
            "In each gate the old state meets the *columns* of its block of `W_hh`; the shapes fit either way, since a block is square. Which product did you choose for `x`, and does the same rule hold for `h`?",
        ),
        Wrong(
            "rows-interleaved",
            interleaved,
            "You deal the rows out one by one, i, f, g, o, i, f …, as `reshape(N, H, 4)` and slices like `[::4]` do. Where do the H rows of one gate stand?",
        ),
        Wrong(
            "side-by-side-in-another-order",
            concatenated_in_another_order,
            "You put state and input side by side, and the two matrices side by side, but in different orders, so some inputs meet weights meant for the state. Which order has each of the two?",
        ),
        Wrong(
            "blocks-by-examples",
            gates_by_column,
            "You cut the (N, 4H) array of sums into four by `reshape(4, N, H)`, which mixes examples and gates. Which axis holds the four blocks one behind the other?",
        ),
        Wrong(
            "cell-first",
            variant(handed=lambda h, c: (c, h)),
            "The two results are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "as-in-pytorch",
            variant(handed=lambda h, c: (h, (h, c))),
            "You hand back the output and then the pair of states, as PyTorch's layer does. Which two arrays does this cell hand back?",
        ),
        Wrong(
            "hidden-state-alone",
            variant(handed=lambda h, c: h),
            "You hand back `h` alone, and the next step would have no memory. Which second result does the task ask for?",
        ),
        Wrong(
            "cell-twice",
            variant(handed=lambda h, c: (h, h)),
            "`h` is right, and it stands in both places. What should the second result hold?",
        ),
    ),
    hints=(
        "Compute all four sums at once: one array of shape (N, 4H). Then cut it into four blocks of H columns.",
        "Blocks in the order i, f, g, o, columns [:H], [H:2H] and so on. Sigmoid for the three gates, tanh for g. What the cell keeps is f · c, what it takes in i · g.",
        "`i, f, g, o = np.split(x @ W_ih.T + h @ W_hh.T + b, 4, axis=1)`; then c is `sigmoid(f) * c + sigmoid(i) * np.tanh(g)`, and h is the output gate times tanh of the *new* c.",
    ),
    unlocks="A memory that training can open and close: carry it along, and a network remembers over hundreds of steps.",
)  # fmt: skip
