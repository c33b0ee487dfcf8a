"""The way back through a network of any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.multilayer_perceptron.forward import Layers, some_layers
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Slopes = list[tuple[Array, Array]]


def inputs_of(x: Array, layers: Layers) -> list[Array]:
    """What goes into each layer."""
    inputs = [x]
    for W, b in layers[:-1]:
        inputs.append(np.maximum(0, inputs[-1] @ W.T + b))
    return inputs


def mlp_backward(dlogits: Array, x: Array, layers: Layers) -> Slopes:
    inputs, dz = inputs_of(x, layers), dlogits
    slopes: Slopes = []
    for k in reversed(range(len(layers))):
        slopes.append((dz.T @ inputs[k], dz.sum(axis=0)))
        dz = (dz @ layers[k][0]) * (inputs[k] > 0)  # of no use for k = 0
    return slopes[::-1]


def mlp_backward_by_recursion(dlogits: Array, x: Array, layers: Layers) -> Any:
    def back(h: Array, rest: Layers) -> tuple[Array, Any]:
        """The slopes of what goes in, and those of the layers from here on."""
        W, b = rest[0]
        if len(rest) == 1:
            dz, later = dlogits, ()
        else:
            z = h @ W.T + b
            dh, later = back(np.where(z > 0, z, 0), rest[1:])
            dz = np.where(z > 0, dh, 0)
        return dz @ W, ([dz.T @ h, dz.sum(axis=0)], *later)

    return back(x, layers)[1]


def mlp_backward_by_example(dlogits: Array, x: Array, layers: Layers) -> Any:
    slopes = [[np.zeros_like(W), np.zeros_like(b)] for W, b in layers]
    for n in range(len(x)):
        inputs, dz = inputs_of(x[n : n + 1], layers), dlogits[n]
        for k in range(len(layers) - 1, -1, -1):
            h = inputs[k][0]
            slopes[k][0] += np.outer(dz, h)
            slopes[k][1] += dz
            dz = layers[k][0].T @ dz * np.sign(h) if k else dz
    return slopes


def backward_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, *sizes: int, label: str = "", scale: float = 1.0) -> Case:
        layers = some_layers(rng, *sizes)
        while True:  # in every hidden layer some neurons are on and some off, where there is room for both
            x = (scale * rng.normal(size=(N, sizes[0]))).round(2)
            on = [(h > 0).mean() for h in inputs_of(x, layers)[1:]]
            if all(0.15 < share < 0.85 for share in on):
                return Case((rng.normal(size=(N, sizes[-1])).round(2), x, layers), label)
            layers = some_layers(rng, *sizes)

    (W1, b1), (W2, b2) = some_layers(rng, 3, 4, 2)
    W1[[1, 3]] = b1[[1, 3]] = 0.0
    zeros = Case(
        (rng.normal(size=(3, 2)).round(2), rng.normal(size=(3, 3)).round(2), [(W1, b1), (W2, b2)]),
        "weighted sums of exactly 0",
    )
    return [
        Case((
            np.array([[0.5, -1.0], [-0.3, 0.8]]),
            np.array([[1.0, -2.0], [-0.5, 0.3]]),
            [
                (np.array([[1.0, 2.0], [-1.0, 0.5], [0.5, -1.0]]), np.array([3.5, 0.1, -0.2])),
                (np.array([[1.0, -2.0, -1.5], [-0.5, 1.0, 0.3]]), np.array([-0.3, 0.25])),
            ],
        )),
        case(5, 3, 4, 2),
        case(4, 3, 5, 6, 2),
        case(3, 4, 6, 5, 7, 3),
        case(6, 3, 4, label="a single layer"),
        case(1, 3, 5, 4, 2, label="one example"),
        case(6, 3, 3, 3, label="square weights"),
        case(4, 4, 4, 4, 4, label="square weights"),
        case(4, 3, 5, 1, label="a single output"),
        case(3, 2, 4, 3, label="large inputs", scale=1e4),
        zeros,
    ]  # fmt: skip


def way_back(
    mask: Callable[[Array, Array], Array] = lambda dh, h: dh * (h > 0),
    first: Callable[[Array], Array] = lambda dlogits: dlogits,
    dW: Callable[[Array, Array], Array] = lambda dz, h: dz.T @ h,
    db: Callable[[Array], Array] = lambda dz: dz.sum(axis=0),
    inputs: Callable[[Array, Layers], list[Array]] = inputs_of,
    handed: Callable[[Slopes], Any] = lambda slopes: slopes,
) -> Callable[[Array, Array, Layers], Any]:
    """The way back with one of its steps replaced."""

    def answer(dlogits: Array, x: Array, layers: Layers) -> Any:
        hs, dz = inputs(x, layers), first(dlogits)
        slopes: Any = []
        for k in reversed(range(len(layers))):
            slopes.insert(0, (dW(dz, hs[k]), db(dz)))
            dz = mask(dz @ layers[k][0], hs[k]) if k else dz
        return handed(slopes)

    return answer


def without_relu(x: Array, layers: Layers) -> list[Array]:
    inputs = [x]
    for W, b in layers[:-1]:
        inputs.append(inputs[-1] @ W.T + b)
    return inputs


def masked_at_the_end(dlogits: Array, x: Array, layers: Layers) -> Slopes:
    W, b = layers[-1]
    on = inputs_of(x, layers)[-1] @ W.T + b > 0
    return mlp_backward(dlogits * on, x, layers)


def with_slopes_of_inputs(dlogits: Array, x: Array, layers: Layers) -> Any:
    inputs, dz = inputs_of(x, layers), dlogits
    slopes: Any = []
    for k in reversed(range(len(layers))):
        dx = dz @ layers[k][0]
        slopes.insert(0, (dx, dz.T @ inputs[k], dz.sum(axis=0)))
        dz = dx * (inputs[k] > 0)
    return slopes


def slopes_of_x_too(dlogits: Array, x: Array, layers: Layers) -> Any:
    slopes = mlp_backward(dlogits, x, layers)
    W, _ = layers[0]
    return slopes, (slopes[0][1] * np.ones((len(x), 1))) @ W


def sums_before_relu(dlogits: Array, x: Array, layers: Layers) -> Slopes:
    inputs, sums = inputs_of(x, layers), [x]
    sums += [h @ W.T + b for h, (W, b) in zip(inputs, layers[:-1], strict=False)]
    dz = dlogits
    slopes: Slopes = []
    for k in reversed(range(len(layers))):
        slopes.insert(0, (dz.T @ sums[k], dz.sum(axis=0)))
        dz = (dz @ layers[k][0]) * (inputs[k] > 0)
    return slopes


def x_for_every_layer(dlogits: Array, x: Array, layers: Layers) -> Slopes:
    inputs, dz = inputs_of(x, layers), dlogits
    slopes: Slopes = []
    for k in reversed(range(len(layers))):
        slopes.insert(0, (dz.T @ x, dz.sum(axis=0)))
        dz = (dz @ layers[k][0]) * (inputs[k] > 0)
    return slopes


def dlogits_divided(dlogits: Array, x: Array, layers: Layers) -> Slopes:
    dlogits /= len(x)
    return mlp_backward(dlogits, x, layers)


def slope_one_at_zero(dlogits: Array, x: Array, layers: Layers) -> Slopes:
    inputs, dz = inputs_of(x, layers), dlogits
    slopes: Slopes = []
    for k in reversed(range(len(layers))):
        slopes.insert(0, (dz.T @ inputs[k], dz.sum(axis=0)))
        if k:
            W, b = layers[k - 1]
            dz = (dz @ layers[k][0]) * (inputs[k - 1] @ W.T + b >= 0)
    return slopes


MLP_BACKWARD = Exercise(
    id="multilayer_perceptron.mlp_backward",
    kind="function",
    title="Back through any number of layers",
    points=4,
    minutes=30,
    difficulty=3,
    function="mlp_backward",
    reference=mlp_backward,
    alternatives=(mlp_backward_by_recursion, mlp_backward_by_example),
    inputs=backward_inputs,
    driver="slopes_by_layer",
    blame=("form", "dW[-1]", "db[-1]", "dW[-2]", "db[-2]", "dW[-3]", "db[-3]", "dW[-4]", "db[-4]"),
    wrong=(
        Wrong(
            "relu-slope-forgotten",
            way_back(mask=lambda dh, h: dh),
            "The last layer is right, all before it are not: the slopes pass ReLU unchanged. How much does the output of a neuron "
            "change that is switched off, and which outputs of ReLU does a mask have to leave out?",
        ),
        Wrong(
            "relu-of-the-slopes",
            way_back(mask=lambda dh, h: np.maximum(dh, 0)),
            "You put the *slopes* through ReLU: negative ones are lost. What decides whether a slope passes, its own sign, "
            "or that of the sum that went into the neuron?",
        ),
        Wrong(
            "multiplied-by-the-output",
            way_back(mask=lambda dh, h: dh * h),
            "Behind ReLU you multiply the slopes by the neuron's output. Is ReLU's slope where it is on the output, or a fixed number?",
        ),
        Wrong(
            "slope-one-at-zero",
            slope_one_at_zero,
            "Right, except where a weighted sum is exactly 0: there your ReLU has slope 1. Which one does the task take, "
            "and does your comparison include equality?",
        ),
        Wrong(
            "mask-on-the-logits",
            masked_at_the_end,
            "`dlogits` is masked as if ReLU stood after the last layer too. What stands there?",
        ),
        Wrong(
            "divided-by-examples",
            way_back(first=lambda dlogits: dlogits / len(dlogits)),
            "All slopes are divided by the number of examples. The mean of the loss is already in `dlogits`: "
            "how often should the division happen?",
        ),
        Wrong(
            "bias-averaged",
            way_back(db=lambda dz: dz.mean(axis=0)),
            "Each `db` is a mean over the examples. The bias is used once in every example: how do slopes combine when one number is used several times?",
        ),
        Wrong(
            "bias-with-two-axes",
            way_back(db=lambda dz: dz.sum(axis=0, keepdims=True)),
            "Your `db` has shape (1, O). Subtracted from a b of shape (O,), it would turn the bias into a table. Which argument of the sum keeps the axis?",
        ),
        Wrong(
            "bias-not-summed",
            way_back(db=lambda dz: dz),
            "Your `db` holds one row for each example. The bias is one for all of them: how do their slopes combine?",
        ),
        Wrong(
            "weights-transposed",
            way_back(dW=lambda dz, h: h.T @ dz),
            "Each `dW` comes out with rows and columns exchanged. Which shape does a slope have, compared with what it belongs to?",
        ),
        Wrong(
            "inputs-without-relu",
            way_back(inputs=without_relu),
            "The numbers between your layers, which you need for the way back, are computed without ReLU. Is the way forward here the same as in `mlp_forward`?",
        ),
        Wrong(
            "weights-from-the-sums",
            sums_before_relu,
            "Every `db` is right. For `dW` you multiply by the sums before ReLU. What goes into a layer: the sums of the one before, or what ReLU leaves of them?",
        ),
        Wrong(
            "x-for-every-layer",
            x_for_every_layer,
            "You use `x` as the input of every layer, the later ones too. What goes into the second layer?",
        ),
        Wrong(
            "dlogits-divided-in-place",
            dlogits_divided,
            "All slopes are divided by the number of examples, and the caller's `dlogits` with them: it was changed in place. The mean of the loss "
            "is already in it: how often should the division happen?",
        ),
        Wrong(
            "last-layer-first",
            way_back(handed=lambda slopes: slopes[::-1]),
            "The pairs are right, but the last layer's comes first, as they are computed. In which order do the layers stand?",
        ),
        Wrong(
            "all-in-one-row",
            way_back(handed=lambda slopes: [slope for pair in slopes for slope in pair]),
            "You hand back all slopes in one row, dW, db, dW, db … How does the task group them?",
        ),
        Wrong(
            "weights-and-biases-apart",
            way_back(handed=lambda slopes: tuple(zip(*slopes, strict=True))),
            "You hand back all dW together and behind them all db (`zip(*pairs)` does that). How does the task group them?",
        ),
        Wrong(
            "something-beside-the-list",
            slopes_of_x_too,
            "You hand back two things, the list of slopes and an array beside it. The slopes with respect to `x` are not wanted: what alone is asked for?",
        ),
        Wrong(
            "slopes-of-inputs-too",
            with_slopes_of_inputs,
            "For each layer you hand back three things, the slopes of its inputs among them. Which two are asked for?",
        ),
        Wrong(
            "bias-first",
            way_back(handed=lambda slopes: [(db, dW) for dW, db in slopes]),
            "In your pairs db comes first. In which order do the pairs in `layers` have the two?",
        ),
        Wrong(
            "last-layer-only",
            way_back(handed=lambda slopes: slopes[-1:]),
            "Only the last layer's pair comes back. Does a `return` stand inside your loop, or does the loop end after one round?",
        ),
    ),
    hints=(
        "Go forward first and keep what goes into each layer: x, then the numbers behind each ReLU. Then go through the layers from the last to the first.",
        "At each layer: dW and db as in `linear_backward`, and the slopes of its inputs, `dz @ W`. Before the layer in front they pass ReLU: "
        "kept where its output is above 0, set to 0 elsewhere.",
        "`for k in reversed(range(len(layers)))`: append `(dz.T @ inputs[k], dz.sum(axis=0))`, then `dz = (dz @ W) * (inputs[k] > 0)`. At the end turn the list round.",
    ),
    unlocks="With `mlp_forward` this is a whole engine for this kind of network.",
)
