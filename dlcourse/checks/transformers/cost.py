"""What a block costs: numbers to learn, and floating-point operations for a text (counted as in Kaplan et al. 2020, 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def block_cost(E: int, heads: int, T: int) -> Any:
    parameters = 12 * E * E + 13 * E
    flops = 24 * T * E * E + 4 * T * T * E
    return parameters, flops


def block_cost_layer_by_layer(E: int, heads: int, T: int) -> Any:
    layers = [(E, 3 * E), (E, E), (E, 4 * E), (4 * E, E)]
    d = E // heads
    parameters = 2 * (E + E) + sum(out * into + out for into, out in layers)
    multiply_adds = sum(T * into * out for into, out in layers) + heads * (T * d * T + T * T * d)
    return parameters, 2 * multiply_adds


def block_cost_from_shapes(E: int, heads: int, T: int) -> Any:
    shapes = [(3 * E, E), (E, E), (4 * E, E), (E, 4 * E)]
    parameters = 4 * E
    flops = 0
    for rows, columns in shapes:
        parameters += rows * (columns + 1)
        flops += 2 * rows * columns * T
    products = [(T, E // heads, T), (T, T, E // heads)]  # of one head
    flops += heads * sum(2 * a * b * c for a, b, c in products)
    return [parameters, flops]


def cost(
    parameters: Callable[[int, int, int], float] | None = None,
    flops: Callable[[int, int, int], float] | None = None,
    handed: Callable[[Any, Any], Any] = lambda p, f: (p, f),
) -> Callable[[int, int, int], Any]:
    """The cost with one of the two, or both, counted otherwise."""

    def answer(E: int, heads: int, T: int) -> Any:
        right = block_cost(E, heads, T)
        return handed(
            parameters(E, heads, T) if parameters else right[0], flops(E, heads, T) if flops else right[1]
        )  # fmt: skip

    return answer


def linears(T: int, E: int) -> int:
    return 24 * T * E * E


def cost_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((4, 2, 3)),
        Case((128, 4, 64)),
        Case((60, 3, 10)),
        Case((768, 12, 1024)),
        Case((int(8 * rng.integers(3, 9)), 8, int(rng.integers(20, 90)))),
        Case((6, 1, 5), "a single head"),
        Case((8, 2, 1), "a single position"),
    ]


BLOCK_COST = Exercise(
    id="transformers.block_cost",
    kind="function",
    title="What a block costs",
    points=2,
    minutes=20,
    difficulty=2,
    function="block_cost",
    reference=block_cost,
    alternatives=(block_cost_layer_by_layer, block_cost_from_shapes),
    inputs=cost_inputs,
    returns=("parameters", "flops"),
    blame=("parameters", "flops"),
    wrong=(
        # --- parameters
        Wrong(
            "matrices-only",
            cost(parameters=lambda E, h, T: 12 * E * E),
            "`flops` is right. `parameters` holds the matrices alone: neither the biases nor the two norms are counted. How many numbers has each of them?",
        ),
        Wrong(
            "biases-missing",
            cost(parameters=lambda E, h, T: 12 * E * E + 4 * E),
            "`flops` is right. `parameters` is 9E too small, as when the biases of the four linear layers are missing. How long is each of the four?",
        ),
        Wrong(
            "norms-missing",
            cost(parameters=lambda E, h, T: 12 * E * E + 9 * E),
            "`flops` is right. `parameters` is 4E too small: that is what the two layer norms learn (or the bias of `mlp.0`). Which numbers does a layer norm learn?",
        ),
        Wrong(
            "one-norm",
            cost(parameters=lambda E, h, T: 12 * E * E + 11 * E),
            "`flops` is right. `parameters` is 2E too small: one norm is missing, or two other vectors of length E. How many norms are there, and what does each learn?",
        ),
        Wrong(
            "one-bias-of-e-missing",
            cost(parameters=lambda E, h, T: 12 * E * E + 12 * E),
            "`flops` is right. `parameters` is E too small: one vector of length E is missing. Which biases and norms have that length, and how many are they?",
        ),
        Wrong(
            "wide-bias-counted-as-e",
            cost(parameters=lambda E, h, T: 12 * E * E + 10 * E),
            "`flops` is right. `parameters` is 3E too small: a bias of 4E numbers counted as E does that, or that of `qkv` left out. How many outputs has each linear layer, and so how many biases?",
        ),
        Wrong(
            "biases-all-of-e",
            cost(parameters=lambda E, h, T: 12 * E * E + 8 * E),
            "`flops` is right. `parameters` is 5E too small, as when all four biases have E numbers. How many outputs have `qkv` and `mlp.0`?",
        ),
        Wrong(
            "heads-times",
            cost(parameters=lambda E, h, T: h * 4 * E * E + 8 * E * E + 13 * E),
            "`flops` is right. In `parameters` every head has matrices of its own of the full width E. How wide is a head, if all of them together have E?",
        ),
        Wrong(
            "heads-divide",
            cost(parameters=lambda E, h, T: 4 * E * E // h + 8 * E * E + 13 * E),
            "`flops` is right. In `parameters` you count the attention's matrices of one head only. How many heads are there, and what is h times E/h?",
        ),
        Wrong(
            "per-position",
            cost(parameters=lambda E, h, T: T * (12 * E * E + 13 * E)),
            "`flops` is right. `parameters` is multiplied by T. Has every position weights of its own?",
        ),
        Wrong(
            "with-positions",
            cost(parameters=lambda E, h, T: 12 * E * E + 13 * E + T * E),
            "`flops` is right. In `parameters` T positions of E numbers are counted, too. Do they belong to the block, or to the network around it?",
        ),
        Wrong(
            "last-bias-too-wide",
            cost(parameters=lambda E, h, T: 12 * E * E + 16 * E),
            "`flops` is right. `parameters` is 3E too large, as when a bias of E numbers is counted with 4E. How many outputs has each linear layer, and so how many biases?",
        ),
        # --- operations
        Wrong(
            "one-a-multiply-add",
            cost(flops=lambda E, h, T: 12 * T * E * E + 2 * T * T * E),
            "`parameters` is right. `flops` is half of what it should be: a multiply-add is counted once. How many operations are one multiplication and one addition?",
        ),
        Wrong(
            "attention-missing",
            cost(flops=lambda E, h, T: linears(T, E)),
            "`parameters` is right. `flops` holds the linear layers alone. Which two products are made of activations only, without any weights?",
        ),
        Wrong(
            "one-product-missing",
            cost(flops=lambda E, h, T: linears(T, E) + 2 * T * T * E),
            "`parameters` is right. In `flops` the attention is half of what it should be: as when one of its two products is missing, or half of each (the allowed triangle alone, or a multiply-add counted once). How many products are there, and what does each cost by the task?",
        ),
        Wrong(
            "triangle-only",
            cost(flops=lambda E, h, T: linears(T, E) + 2 * T * (T + 1) * E),
            "`parameters` is right. In `flops` only the triangle that the mask allows is counted. Is the product of hidden pairs computed by one matrix product, and what does the task say of it?",
        ),
        Wrong(
            "heads-times-attention",
            cost(flops=lambda E, h, T: linears(T, E) + 4 * T * T * E * h),
            "`parameters` is right. In `flops` every head multiplies vectors of the full width E. How long are the vectors of one head?",
        ),
        Wrong(
            "one-head-of-attention",
            cost(flops=lambda E, h, T: linears(T, E) + 4 * T * T * E // h),
            "`parameters` is right. In `flops` the attention of one head is counted, T · T · d. How many heads are there?",
        ),
        Wrong(
            "attention-linear-in-t",
            cost(flops=lambda E, h, T: linears(T, E) + 4 * T * E),
            "`parameters` is right. In `flops` each query meets one key. How many keys are there for each of T queries?",
        ),
        Wrong(
            "attention-per-position",
            cost(flops=lambda E, h, T: linears(1, E) + 4 * T * E),
            "`parameters` is right. `flops` is that of one position. How many positions has the text?",
        ),
        Wrong(
            "linears-of-one-position",
            cost(flops=lambda E, h, T: linears(1, E) + 4 * T * T * E),
            "`parameters` is right. In `flops` the linear layers are counted for one position only. Through how many positions do they go?",
        ),
        Wrong(
            "twice-the-parameters",
            cost(flops=lambda E, h, T: 2 * T * (12 * E * E + 13 * E)),
            "`parameters` is right. `flops` is 2 · T · parameters, the usual rule of thumb. It counts additions of biases, which the task leaves out, and forgets what is quadratic in T: which two products are those?",
        ),
        Wrong(
            "biases-counted",
            cost(flops=lambda E, h, T: 2 * T * (12 * E * E + 13 * E) + 4 * T * T * E),
            "`parameters` is right. In `flops` biases and norms are counted as if they were products. What alone does the task count?",
        ),
        Wrong(
            "biases-counted-as-weights",
            cost(flops=lambda E, h, T: linears(T, E) + 4 * T * T * E + 18 * T * E),
            "`parameters` is right. `flops` is 18 · T · E too large, as when each bias counts for a multiply-add. What alone does the task count?",
        ),
        Wrong(
            "second-layer-missing-in-flops",
            cost(flops=lambda E, h, T: 16 * T * E * E + 4 * T * T * E),
            "`parameters` is right. In `flops` a layer of 4E² weights is missing, such as one of the small network's two, or the whole attention's four matrices. Do all the layers of your table take part?",
        ),
        Wrong(
            "out-missing-in-flops",
            cost(flops=lambda E, h, T: 22 * T * E * E + 4 * T * T * E),
            "`parameters` is right. In `flops` the layer `attention.out` is missing. What mixes the findings of the heads?",
        ),
        Wrong(
            "bias-additions-counted",
            cost(flops=lambda E, h, T: linears(T, E) + 4 * T * T * E + 9 * T * E),
            "`parameters` is right. `flops` is 9 · T · E too large: so many are the additions of the biases. What alone does the task count?",
        ),
        Wrong(
            "with-the-softmax",
            cost(flops=lambda E, h, T: linears(T, E) + 4 * T * T * E + h * T * T),
            "`parameters` is right. `flops` has h · T · T operations too many, as for the softmax or for dividing by √d. What alone does the task count?",
        ),
        Wrong(
            "with-the-way-back",
            cost(flops=lambda E, h, T: 3 * (linears(T, E) + 4 * T * T * E)),
            "`parameters` is right. `flops` is three times too large: the way back, which costs about twice the way there, is counted too. What does the task ask for?",
        ),
        # --- both
        Wrong(
            "qkv-as-one",
            cost(parameters=lambda E, h, T: 10 * E * E + 11 * E, flops=lambda E, h, T: 20 * T * E * E + 4 * T * T * E),
            "Both are too small: `attention.qkv` is counted as (E, E). How many vectors does it make of one?",
        ),
        Wrong(
            "out-missing",
            cost(parameters=lambda E, h, T: 11 * E * E + 12 * E, flops=lambda E, h, T: 22 * T * E * E + 4 * T * T * E),
            "Both are too small: the layer `attention.out` is missing. What mixes the findings of the heads?",
        ),
        Wrong(
            "out-missing-in-parameters",
            cost(parameters=lambda E, h, T: 11 * E * E + 12 * E),
            "`flops` is right. In `parameters` the layer `attention.out` is missing. What mixes the findings of the heads?",
        ),
        Wrong(
            "narrow-network",
            cost(parameters=lambda E, h, T: 6 * E * E + 10 * E, flops=lambda E, h, T: 12 * T * E * E + 4 * T * T * E),
            "Both are too small: the small network has E hidden units. How many has it by the task?",
        ),
        Wrong(
            "network-half-as-wide",
            cost(parameters=lambda E, h, T: 8 * E * E + 11 * E, flops=lambda E, h, T: 16 * T * E * E + 4 * T * T * E),
            "Both are too small: the small network has 2E hidden units. How many has it by the task?",
        ),
        Wrong(
            "out-missing-but-for-its-bias",
            cost(parameters=lambda E, h, T: 11 * E * E + 13 * E, flops=lambda E, h, T: 22 * T * E * E + 4 * T * T * E),
            "Both are too small by one matrix of E² numbers, while the biases are all there. Which layer of the table has that size?",
        ),
        Wrong(
            "qkv-of-each-head",
            cost(parameters=lambda E, h, T: 3 * h * E * E + 9 * E * E + 13 * E, flops=lambda E, h, T: 6 * T * h * E * E + 18 * T * E * E + 4 * T * T * E),
            "Both are too large: every head has a `qkv` of the full width E. How many rows has `attention.qkv.weight` in all?",
        ),
        Wrong(
            "half-the-network",
            cost(parameters=lambda E, h, T: 8 * E * E + 12 * E, flops=lambda E, h, T: 16 * T * E * E + 4 * T * T * E),
            "Both are too small: the second layer of the small network is missing. How does it come back from 4E to E?",
        ),
        Wrong(
            "network-missing",
            cost(parameters=lambda E, h, T: 4 * E * E + 8 * E, flops=lambda E, h, T: 8 * T * E * E + 4 * T * T * E),
            "Both are those without the small network. What makes up two thirds of a block's weights?",
        ),
        Wrong(
            "attention-only",
            cost(parameters=lambda E, h, T: 4 * E * E + 4 * E, flops=lambda E, h, T: 8 * T * E * E + 4 * T * T * E),
            "Both are those of the attention alone. What else is in a block?",
        ),
        Wrong(
            "matrices-and-rule-of-thumb",
            cost(parameters=lambda E, h, T: 12 * E * E, flops=lambda E, h, T: linears(T, E)),
            "`parameters` holds the matrices alone, and `flops` their products alone. Which vectors are learned, and which two products are made without weights?",
        ),
        Wrong(
            "exchanged",
            cost(handed=lambda p, f: (f, p)),
            "Both are right, but exchanged. In which order does the task name them?",
        ),
        Wrong(
            "parameters-alone",
            cost(handed=lambda p, f: p),
            "You hand back `parameters` alone. Which second number does the task ask for?",
        ),
    ),
    hints=(
        "Make a table of the four linear layers: inputs, outputs, weights, biases. For the second number: a product of (a, b) with (b, c) costs a · b · c multiply-adds.",
        "Weights: 3E², E², 4E², 4E²; biases 3E, E, 4E, E; each norm has 2E. Operations: each weight takes part once for each position; and of each head, T × d times d × T, and T × T times T × d.",
        "Parameters are 12E² + (biases 9E) + (norms 4E). Operations are 2 · T · 12E² for the layers, and 2 · 2 · T · T · d for each of the h heads, where h · d is E.",
    ),
    unlocks="Two numbers that decide what a language model costs, and where the square of T begins to hurt.",
)  # fmt: skip
