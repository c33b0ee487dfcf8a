"""The way forward through a network of any depth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]


def mlp_forward(x: Array, layers: Layers) -> Array:
    for W, b in layers[:-1]:
        x = np.maximum(0, x @ W.T + b)  # (N, H)
    W, b = layers[-1]
    return x @ W.T + b  # (N, C)


def mlp_forward_by_recursion(x: Array, layers: Layers) -> Array:
    (W, b), *rest = layers
    z = np.einsum("ni,oi->no", x, W) + b
    return mlp_forward_by_recursion(z * (z > 0), rest) if rest else z


def mlp_forward_by_example(x: Array, layers: Layers) -> list[list[float]]:
    rows = []
    for h in x.tolist():
        for k, (W, b) in enumerate(layers):
            h = [max(v, 0.0) for v in h] if k else h
            h = [math.fsum(w * v for w, v in zip(row, h, strict=True)) + s for row, s in zip(W, b, strict=True)]
        rows.append(h)
    return rows


def some_layers(rng: np.random.Generator, *sizes: int, scale: float = 1.0) -> Layers:
    """Layers from sizes[0] inputs to sizes[-1] outputs, weights with two decimals, biases that are not zero."""
    return [
        ((scale * rng.normal(size=(o, i)) * math.sqrt(2 / i)).round(2), rng.normal(size=o).round(2) + 0.005)
        for i, o in itertools.pairwise(sizes)
    ]


def forward_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, *sizes: int, label: str = "", scale: float = 1.0) -> Case:
        return Case(((scale * rng.normal(size=(N, sizes[0]))).round(2), some_layers(rng, *sizes)), label)

    x, W, b = (
        np.array([[1.0, -2.0], [-0.5, 0.3]]),
        np.array([[1.0, 2.0], [-1.0, 0.5], [0.5, -1.0]]),
        np.array([0.5, 0.1, -0.2]),
    )
    out = (np.array([[1.0, -2.0, -1.5], [-0.5, 1.0, 0.3]]), np.array([-0.3, 0.25]))
    return [
        Case((x, [(W, b), out])),
        case(5, 3, 4, 2),
        case(4, 3, 5, 6, 2),
        case(3, 4, 6, 5, 4, 3),
        case(6, 3, 4, label="a single layer"),
        case(1, 3, 5, 4, 2, label="one example"),
        case(4, 3, 1, 2, label="a hidden layer with a single neuron"),
        case(3, 3, 3, 3, label="square weights"),
        case(2, 2, 2, 2, 2, label="square weights"),
        case(3, 2, 4, 3, label="large inputs", scale=1e4),
    ]  # fmt: skip


def network(
    between: Callable[[Array], Array] = lambda z: np.maximum(0, z),
    after: Callable[[Array], Array] = lambda z: z,
    before: Callable[[Array], Array] = lambda x: x,
    linear: Callable[[Array, Array, Array], Array] = lambda x, W, b: x @ W.T + b,
    used: Callable[[Layers], Layers] = lambda layers: layers,
) -> Callable[[Array, Layers], Any]:
    """The network with its activations, its linear step or the layers that it uses replaced."""

    def answer(x: Array, layers: Layers) -> Array:
        h = before(x)
        *hidden, last = used(list(layers))
        for W, b in hidden:
            h = between(linear(h, W, b))
        return after(linear(h, *last))

    return answer


def relu_first_only(x: Array, layers: Layers) -> Array:
    for k, (W, b) in enumerate(layers):
        z = x @ W.T + b
        x = np.maximum(0, z) if k == 0 and len(layers) > 1 else z
    return x


def relu_one_layer_late(x: Array, layers: Layers) -> Array:
    for k, (W, b) in enumerate(layers):
        x = x @ W.T + b
        if k > 0:
            x = np.maximum(0, x)
    return x


def bias_after_relu(x: Array, layers: Layers) -> Array:
    for k, (W, b) in enumerate(layers):
        x = np.maximum(0, x @ W.T) + b if k < len(layers) - 1 else x @ W.T + b
    return x


def last_bias_forgotten(x: Array, layers: Layers) -> Array:
    return mlp_forward(x, layers) - layers[-1][1]


def first_and_last(x: Array, layers: Layers) -> Array:
    (W1, b1), (W2, b2) = layers[0], layers[-1]
    return np.maximum(0, x @ W1.T + b1) @ W2.T + b2


def list_emptied(x: Array, layers: Layers) -> Array:
    while len(layers) > 1:
        W, b = layers.pop(0)
        x = np.maximum(0, x @ W.T + b)
    W, b = layers.pop(0)
    return x @ W.T + b


def all_kept(x: Array, layers: Layers) -> list[Array]:
    outs = [x]
    for k, (W, b) in enumerate(layers):
        outs.append(outs[-1] @ W.T + b if k == len(layers) - 1 else np.maximum(0, outs[-1] @ W.T + b))
    return outs


def before_the_last(x: Array, layers: Layers) -> Array:
    for W, b in layers[:-1]:
        x = np.maximum(0, x @ W.T + b)
    return x


def skips(x: Array, layers: Layers) -> Array:
    for k, (W, b) in enumerate(layers):
        z = x @ W.T + b
        h = np.maximum(0, z) if k < len(layers) - 1 else z
        x = h + x if h.shape == x.shape else h
    return x


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


MLP_FORWARD = Exercise(
    id="multilayer_perceptron.mlp_forward",
    kind="function",
    title="Forward through any number of layers",
    points=2,
    minutes=10,
    difficulty=1,
    function="mlp_forward",
    reference=mlp_forward,
    alternatives=(mlp_forward_by_recursion, mlp_forward_by_example),
    inputs=forward_inputs,
    wrong=(
        Wrong(
            "relu-after-the-last-layer",
            network(after=lambda z: np.maximum(0, z)),
            "ReLU stands after the last layer too, so no score can be negative, and a wrong class cannot be pushed down any more. "
            "Between which layers does the task want it?",
        ),
        Wrong(
            "no-relu",
            network(between=lambda z: z),
            "There is no ReLU: the layers, however many, collapse into a single linear one. What stands between two layers?",
        ),
        Wrong(
            "relu-on-the-input",
            network(before=lambda x: np.maximum(0, x)),
            "The inputs go through ReLU before the first layer, so negative inputs are lost. What comes first in each layer?",
        ),
        Wrong(
            "relu-on-every-input-of-a-layer",
            network(before=lambda x: np.maximum(0, x), between=lambda z: z),
            "Only the raw inputs go through ReLU, and nothing between the layers. Which variable does your ReLU read, and when?",
        ),
        Wrong(
            "relu-after-the-first-layer-only",
            relu_first_only,
            "Right with two layers. With more, only the first is followed by ReLU. Which layers are followed by another one?",
        ),
        Wrong(
            "bias-forgotten",
            network(linear=lambda x, W, b: x @ W.T),
            "The biases have no effect: your result is what comes out when they are all zero. What does a layer compute besides its matrix product?",
        ),
        Wrong(
            "last-bias-forgotten",
            last_bias_forgotten,
            "Only the last layer's bias has no effect. What does the last layer compute besides its matrix product?",
        ),
        Wrong(
            "first-and-last-only",
            first_and_last,
            "You use the first layer and the last one, and none between them. What should happen to a list of three layers?",
        ),
        Wrong(
            "bias-after-relu",
            bias_after_relu,
            "In the hidden layers the bias is added after ReLU, so that it no longer moves the bend. Which comes first, + b or max(0, ·)?",
        ),
        Wrong(
            "reshape-for-transpose",
            network(linear=lambda x, W, b: x @ W.reshape(W.shape[::-1]) + b),
            "The shapes fit, but the weights stand in wrong places: `reshape` keeps the order of reading and only cuts the rows elsewhere. "
            "Which operation exchanges rows and columns?",
        ),
        Wrong(
            "relu-one-layer-late",
            relu_one_layer_late,
            "The first layer is not followed by ReLU, the others are, the last one too. If you ask `if k > 0`: which layers should the question leave out?",
        ),
        Wrong(
            "tanh-for-relu",
            network(between=np.tanh),
            "Between your layers stands tanh. Which function does the task name?",
        ),
        Wrong(
            "sigmoid-for-relu",
            network(between=lambda z: (1 + np.tanh(z / 2)) / 2),
            "Between your layers stands the sigmoid. Which function does the task name?",
        ),
        Wrong(
            "absolute-for-relu",
            network(between=np.abs),
            "Negative sums come out positive between your layers: you take their size. What does ReLU do with a negative number?",
        ),
        Wrong(
            "leaky-relu",
            network(between=lambda z: np.where(z > 0, z, 0.01 * z)),
            "A hundredth of each negative sum gets through between your layers: that is the leaky ReLU of unit 01. What does the plain one let through?",
        ),
        Wrong(
            "softmax-at-the-end",
            network(after=softmax),
            "You hand back probabilities: each row sums to 1. The loss takes its own softmax later. What are the numbers called before it?",
        ),
        Wrong(
            "last-layer-left-out",
            before_the_last,
            "What comes back are the numbers behind the last ReLU, before the last layer. Which layer has not been used yet?",
        ),
        Wrong(
            "input-added-again",
            skips,
            "Where a layer's output has the shape of its input, you add the input again. Residual connections come in unit 05: "
            "what does the formula here say?",
        ),
        Wrong(
            "every-layer-handed-back",
            all_kept,
            "You hand back a list with the numbers behind every layer. Useful for the way back, but asked for are the logits. Which entry are they?",
        ),
        Wrong(
            "list-emptied",
            list_emptied,
            "The logits are right, but `layers` is empty afterwards, and the network is gone for whoever called you. "
            "Which method takes things out of a list, and how do you go through one without that?",
        ),
    ),
    hints=(
        "One loop over the layers: what comes out of one goes into the next.",
        "Each layer is `x @ W.T + b`, with the shapes (N, I) @ (I, O) + (O,). All layers but the last are followed by ReLU.",
        "Loop over `layers[:-1]` with ReLU, then treat `layers[-1]` without it. Or ask in the loop whether this is the last one.",
    ),
    unlocks="Three lines that hold for 2 layers or 200.",
)
