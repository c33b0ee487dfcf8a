"""A residual block (He et al. 2016, equation 1): what it was given, plus what it makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def relu(z: Array) -> Array:
    return np.asarray(np.maximum(0, z))


def residual_block(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    return np.asarray(x + relu(x @ W1.T + b1) @ W2.T + b2)


def residual_block_row_by_row(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    return [row + W2 @ np.clip(W1 @ row + b1, 0, None) + b2 for row in x]


def residual_block_on_a_copy(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    h = np.einsum("nd,hd->nh", x, W1) + b1
    out = x.copy()
    out += np.einsum("nh,dh->nd", np.where(h > 0, h, 0), W2) + b2
    return out


def block_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, D: int, H: int, label: str = "", scale: float = 1.0) -> Case:
        shapes = (N, D), (H, D), (H,), (D, H), (D,)
        return Case(
            tuple((scale if k == 0 else 1.0) * rng.normal(size=s).round(2) for k, s in enumerate(shapes)), label
        )

    x, W1, b1, W2, b2 = case(3, 2, 4).args
    return [
        case(2, 3, 4),
        case(4, 2, 5),
        case(5, 3, 2),
        case(1, 3, 4, "one example"),
        case(3, 3, 3),
        case(4, 4, 4, "square weights"),
        case(3, 1, 5, "a single feature"),
        Case((x, W1, b1, 0 * W2, 0 * b2), "a branch that gives 0"),
        Case((x, 0 * W1, -np.abs(b1), W2, b2), "hidden units that are all off"),
        case(3, 4, 2, "large numbers", 1e4),
    ]


def variant(
    hidden: Callable[[Array], Array] = relu,
    combine: Callable[[Array, Array], Array] = lambda x, branch: x + branch,
    before: Callable[[Array], Array] = lambda x: x,
    first_bias: bool = True,
    second_bias: bool = True,
) -> Callable[..., Any]:
    """The block with one part exchanged."""

    def answer(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
        h = hidden(before(x) @ W1.T + (b1 if first_bias else 0 * b1))
        return combine(x, h @ W2.T + (b2 if second_bias else 0 * b2))

    return answer


def weights_as_they_lie(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    return x + relu(x @ W1 + b1) @ W2 + b2


def first_bias_behind_relu(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    return x + (relu(x @ W1.T) + b1) @ W2.T + b2


def reshaped_weights(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    return x + relu(x @ W1.reshape(W1.shape[::-1]) + b1) @ W2.reshape(W2.shape[::-1]) + b2


def sigmoid(z: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(z / 2))


def in_place(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    x += relu(x @ W1.T + b1) @ W2.T + b2
    return x


def around_each_layer(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    h = relu(x @ W1.T + b1)
    return x + h + (h @ W2.T + b2)


RESIDUAL_BLOCK = Exercise(
    id="training_deep_networks.residual_block",
    kind="function",
    title="A residual block",
    points=1,
    minutes=6,
    difficulty=1,
    function="residual_block",
    reference=residual_block,
    alternatives=(residual_block_row_by_row, residual_block_on_a_copy),
    inputs=block_inputs,
    wrong=(
        Wrong(
            "no-shortcut",
            variant(combine=lambda x, branch: branch),
            "This is the branch alone; x itself does not come through. With weights of 0, what should the block hand on?",
        ),
        Wrong(
            "no-relu",
            variant(hidden=lambda z: z),
            "ReLU is missing, so the whole block is one linear layer. Between which two steps does it stand?",
        ),
        Wrong(
            "relu-at-the-end",
            variant(combine=lambda x, branch: relu(x + branch)),
            "Your sum goes through ReLU, as in the first residual networks. In the formula here nothing may stand in the way of x: what does ReLU do to a negative one?",
        ),
        Wrong(
            "relu-on-the-branch",
            variant(combine=lambda x, branch: x + relu(branch)),
            "The branch ends in a second ReLU, so it can only ever add. Should the block be able to make a number smaller?",
        ),
        Wrong(
            "relu-moved",
            variant(hidden=lambda z: z, combine=lambda x, branch: x + relu(branch)),
            "ReLU stands behind the second layer, not between the two. What do two linear layers in a row amount to?",
        ),
        Wrong(
            "relu-first",
            variant(before=relu, hidden=lambda z: z),
            "ReLU stands before the first layer (as in pre-activation networks), not between the two. Which array does the formula apply it to?",
        ),
        Wrong(
            "relu-on-the-input-too",
            variant(before=relu),
            "ReLU is also applied to x on its way into the branch. How often does it stand in the formula?",
        ),
        Wrong(
            "shortcut-through-relu",
            variant(combine=lambda x, branch: relu(x) + branch),
            "The shortcut carries ReLU of x. What happens to the slopes of the negative entries, thirty blocks deep?",
        ),
        Wrong(
            "sign-of-the-branch",
            variant(combine=lambda x, branch: x - branch),
            "The branch is subtracted. Which sign joins the two?",
        ),
        Wrong(
            "multiplied",
            variant(combine=lambda x, branch: x * branch),
            "Input and branch are multiplied, so a branch of 0 wipes everything out. Which operation leaves x as it is then?",
        ),
        Wrong(
            "averaged",
            variant(combine=lambda x, branch: (x + branch) / 2),
            "You take the mean of input and branch, so x is halved in each block. What is left of it after thirty?",
        ),
        Wrong(
            "added-twice",
            variant(combine=lambda x, branch: 2 * x + branch),
            "x is added twice. Is there a second shortcut somewhere, or a `+=` too many?",
        ),
        Wrong(
            "first-bias-forgotten",
            variant(first_bias=False),
            "`b1` has no effect on your result. Where does it come in, before or behind ReLU?",
        ),
        Wrong(
            "second-bias-forgotten",
            variant(second_bias=False),
            "`b2` has no effect on your result. What is added behind the second layer?",
        ),
        Wrong(
            "weights-not-transposed",
            weights_as_they_lie,
            "You multiply by the weights as they lie. W1 is (H, D), one row for each hidden unit. What has to be done with it so that x (N, D) fits, square or not?",
        ),
        Wrong(
            "weights-reshaped",
            reshaped_weights,
            "Your weights have fitting shapes, but their numbers stand in other places: `reshape` reads row by row and fills row by row. "
            "What turns rows into columns?",
        ),
        Wrong(
            "second-weights-reshaped",
            lambda x, W1, b1, W2, b2: residual_block(x, W1, b1, W2.reshape(W2.shape[::-1]).T, b2),
            "`W2` has a fitting shape, but its numbers stand in other places: `reshape` reads row by row and fills row by row. What turns rows into columns?",
        ),
        Wrong(
            "first-bias-behind-relu",
            first_bias_behind_relu,
            "`b1` is added behind ReLU, so it cannot decide which units are on. What stands inside the parentheses of ReLU?",
        ),
        Wrong(
            "sigmoid-for-relu",
            variant(hidden=sigmoid),
            "The hidden units go through a sigmoid. Which function does the formula name, and what does it do with a number above 0?",
        ),
        Wrong(
            "tanh-for-relu",
            variant(hidden=np.tanh),
            "The hidden units go through tanh. Which function does the formula name, and what does it do with a number above 0?",
        ),
        Wrong(
            "leaky-relu",
            variant(hidden=lambda z: np.where(z > 0, z, 0.01 * z)),
            "Where a hidden unit is negative, a hundredth of it still comes through: that is leaky ReLU. What does ReLU itself make of a negative number?",
        ),
        Wrong(
            "absolute-value",
            variant(hidden=np.abs),
            "You take the absolute value of the hidden units, so the negative ones come through with their sign turned. What does ReLU make of a negative number?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but x was overwritten, and the way back still needs it. What is the difference between `x += f` and `x + f`?",
        ),
        Wrong(
            "shortcut-around-each-layer",
            around_each_layer,
            "You add the hidden units to the sum as well, which fits only where H = D. How many shortcuts does the formula have, and around what?",
        ),
    ),
    hints=(
        "The branch is an ordinary two-layer network from D to D. At the end x is added to it, as it came in.",
        "Hidden units: `x @ W1.T + b1`, shape (N, H), through ReLU. Then `@ W2.T + b2`, shape (N, D).",
        "`return x + np.maximum(0, x @ W1.T + b1) @ W2.T + b2`.",
    ),
    unlocks="One plus sign made networks of a hundred layers trainable.",
)  # fmt: skip
