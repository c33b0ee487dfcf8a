"""Unit 01, answered from its notebook's text alone."""

from __future__ import annotations

import math

import numpy as np

from held_out import HeldOut


def _sigmoid(z):
    return 0.5 * (1 + np.tanh(np.asarray(z) / 2))


def neuron_as_a_batch_of_one(x, w, b):
    """Turns x into a row, as for a layer, and forgets to take the one number out again."""
    return _sigmoid(x[None, :] @ w + b)


def neuron_by_recursion(x, w, b):
    """Moves one product after the other into the bias; the sigmoid by way of tanh."""
    if len(x) == 0:
        return (1 + math.tanh(b / 2)) / 2
    return neuron_by_recursion(x[1:], w[1:], b + w[0] * x[0])


def sigmoid_with_nan_wiped_out(z):
    """Computes e^z / (1 + e^z) and makes the nan of large scores 0, where it should be 1."""
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return np.nan_to_num(e / (1 + e))


def sigmoid_by_logaddexp(z):
    """The logarithm of 1 + e^-z first, in one function that cannot overflow."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(z, dtype=float)))


def layer_reshaped(X, W, b):
    """Puts the neurons first and then forces the shape (N, O), which mixes the examples."""
    return _sigmoid(W @ X.T + b[:, None]).reshape(len(X), len(W))


def layer_with_ones_column(X, W, b):
    """Takes the bias as a weight on a constant input 1, and gives nested lists."""
    inputs, weights = np.column_stack([X, np.ones(len(X))]), np.column_stack([W, b])
    return _sigmoid(np.einsum("nd,od->no", inputs, weights)).tolist()


def leaky_relu_with_two_leaks(z, slope=0.01):
    """Adds the leak to ReLU on both sides of zero."""
    return np.maximum(z, 0) + slope * np.asarray(z)


def leaky_relu_in_a_copy(z, slope=0.01):
    """Writes into a copy, and only where z is not positive."""
    out = np.array(z, dtype=float)
    np.multiply(out, slope, out=out, where=out <= 0)
    return out


def slopes_without_chain_rule(z):
    """Takes tanh as 2 sigmoid(2z) - 1 and forgets that 2z grows twice as fast as z."""
    s, t = _sigmoid(z), _sigmoid(2 * z)
    return s * (1 - s), 2 * t * (1 - t), np.where(z > 0, 1.0, 0.0)


def slopes_by_cosh(z):
    """Both slopes from cosh, whose infinity gives the right 0; ReLU's from the sign; in one array (3, ...)."""
    with np.errstate(over="ignore"):
        return np.array([1 / (2 * np.cosh(z / 2)) ** 2, 1 / np.cosh(z) ** 2, (np.sign(z) + 1) / 2])


def softmax_minus_largest_size(z):
    """Subtracts the largest absolute score, so that rows of very negative scores become 0 / 0."""
    with np.errstate(all="ignore"):
        e = np.exp(z - np.abs(z).max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


def softmax_by_ratios(z):
    """One over the sum of all ratios to the own exponential; a ratio that overflows gives the right 0."""
    with np.errstate(over="ignore"):
        return 1 / np.exp(z[:, None, :] - z[:, :, None]).sum(axis=2)


def update_bias_by_sum_of_inputs(w, b, x, target, lr):
    """Nudges the bias as if it stood on every input instead of on a constant 1."""
    error = target - float(w @ x + b > 0)
    return w + lr * error * x, b + lr * error * x.sum()


def update_one_by_one(w, b, x, target, lr):
    """Looks the push up in a table, and goes through lists."""
    fires = sum(p * q for p, q in zip(w, x, strict=True)) + b > 0
    push = {(1, False): lr, (0, True): -lr}.get((int(target), bool(fires)), 0.0)
    return [p + push * q for p, q in zip(w, x, strict=True)], b + push


def train_counting_after_the_epoch(X, y, epochs, lr):
    """Notes how many examples are wrong at the end of an epoch, not how many mistakes were made in it."""
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, []
    for _ in range(epochs):
        for x, target in zip(X, y, strict=True):
            error = target - float(w @ x + b > 0)
            w, b = w + lr * error * x, b + lr * error
        mistakes.append(int(np.sum((X @ w + b > 0) != y)))
        if mistakes[-1] == 0:
            break
    return w, b, mistakes


def train_by_recursion(X, y, epochs, lr, start=None):
    """One epoch, then itself; weights and bias in one vector."""
    v = np.zeros(X.shape[1] + 1) if start is None else start
    if epochs == 0:
        return v[:-1], v[-1], []
    wrong = 0
    for x, target in zip(np.column_stack([X, np.ones(len(X))]), y, strict=True):
        error = target - float(v @ x > 0)
        v, wrong = v + lr * error * x, wrong + int(abs(error))
    if wrong == 0:
        return v[:-1], v[-1], [0]
    w, b, later = train_by_recursion(X, y, epochs - 1, lr, v)
    return w, b, [wrong, *later]


def xor_halves_joined_by_and():
    """The right two halves of XOR, but the output neuron waits for both at once."""
    return np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([-0.5, -0.5]), np.array([1.0, 1.0]), -1.5


def xor_without_biases():
    """No bias at all, in tuples of whole numbers."""
    return ((1, -1), (-1, 1)), (0, 0), (1, 1), 0


ANSWERS = {
    "neuron.forward": HeldOut(
        mistake=neuron_as_a_batch_of_one,
        says="The values are right, in another shape",
        odd=neuron_by_recursion,
    ),
    "neuron.sigmoid": HeldOut(
        mistake=sigmoid_with_nan_wiped_out,
        says="not yet for very large scores",
        odd=sigmoid_by_logaddexp,
    ),
    "neuron.layer": HeldOut(
        mistake=layer_reshaped,
        says="The numbers are right but stand in another order",
        odd=layer_with_ones_column,
    ),
    "neuron.leaky_relu": HeldOut(
        mistake=leaky_relu_with_two_leaks,
        says="where `z` is positive come out wrong, the others right",
        odd=leaky_relu_in_a_copy,
    ),
    "neuron.derivatives": HeldOut(
        mistake=slopes_without_chain_rule,
        says="On every input your result is the right one times",
        odd=slopes_by_cosh,
    ),
    "neuron.softmax": HeldOut(
        mistake=softmax_minus_largest_size,
        says="Your result holds nan",
        odd=softmax_by_ratios,
    ),
    "neuron.perceptron_update": HeldOut(
        mistake=update_bias_by_sum_of_inputs,
        says="`w` is right, `b` is not",
        odd=update_one_by_one,
    ),
    "neuron.train_perceptron": HeldOut(
        mistake=train_counting_after_the_epoch,
        says="`w` and `b` are right, `mistakes` is not",
        odd=train_by_recursion,
    ),
    "neuron.separable": HeldOut(
        mistake="ABD",
        says="Set A does not belong in your answer",
        odd=["d", "b"],
    ),
    "neuron.xor": HeldOut(
        mistake=xor_halves_joined_by_and,
        says="silent for all four points",
        odd=xor_without_biases,
    ),
}
