"""Unit 02, answered from its notebook's text alone."""

from __future__ import annotations

import math

import numpy as np

from held_out import HeldOut


def mse_with_absolute_slopes(pred, target):
    """The slopes tell how far off each prediction is, but not on which side."""
    error = pred - target
    return np.mean(error**2), 2 * np.abs(error) / error.size


def mse_in_loops(pred, target):
    """One entry at a time; the gradient as a list of lists."""
    count, loss, rows = len(pred) * len(pred[0]), 0.0, []
    for guesses, truths in zip(pred, target, strict=True):
        rows.append([(guess - truth) * 2 / count for guess, truth in zip(guesses, truths, strict=True)])
        loss += sum((guess - truth) ** 2 / count for guess, truth in zip(guesses, truths, strict=True))
    return loss, rows


def step_that_empties_the_list(params, grads, lr):
    """Takes each gradient out of the caller's list."""
    return [param - lr * grads.pop(0) for param in params]


def step_by_recursion(params, grads, lr):
    """The first array, and then the rest of the list in the same way."""
    if not params:
        return []
    return [params[0] + grads[0] * -lr, *step_by_recursion(params[1:], grads[1:], lr)]


def binary_with_one_form_of_sigmoid(logits, targets):
    """Uses e^-|z| against overflow, but forgets that below zero the sigmoid then has another form."""
    p = 1 / (1 + np.exp(-np.abs(logits)))
    return np.mean(np.logaddexp(0, logits) - targets * logits), (p - targets) / len(logits)


def binary_example_by_example(logits, targets):
    """Turns each logit so that the truth is yes; the sigmoid by way of tanh."""
    loss, slopes = 0.0, []
    for z, y in zip(logits.tolist(), targets.tolist(), strict=True):
        margin = z if y else -z
        loss += (max(-margin, 0) + math.log1p(math.exp(-abs(margin)))) / len(logits)
        slopes.append(((1 + math.tanh(z / 2)) / 2 - y) / len(logits))
    return loss, slopes


def _log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def cross_entropy_without_the_slope_of_the_log_sum(logits, targets):
    """Takes the derivative of minus the true logit only."""
    truth = np.eye(logits.shape[1])[targets]
    return -np.sum(truth * _log_softmax(logits)) / len(targets), -truth / len(targets)


def cross_entropy_row_by_row(logits, targets):
    """Plain Python, one example after the other."""
    loss, slopes = 0.0, []
    for row, truth in zip(logits.tolist(), targets.tolist(), strict=True):
        top = max(row)
        total = math.fsum(math.exp(z - top) for z in row)
        loss += (math.log(total) + top - row[truth]) / len(targets)
        slopes.append([(math.exp(z - top) / total - (c == truth)) / len(targets) for c, z in enumerate(row)])
    return loss, slopes


def batches_with_an_empty_one(X, y, batch_size, rng):
    """Lets the range run to N + 1, so that an empty batch comes last where nothing is left over."""
    order = rng.permutation(len(y))
    for start in range(0, len(y) + 1, batch_size):
        yield X[order[start : start + batch_size]], y[order[start : start + batch_size]]


def batches_by_random_keys(X, y, batch_size, rng):
    """Gives each example a random number and sorts by it; cuts with np.split."""
    order = np.argsort(rng.random(len(y)))
    cuts = list(range(batch_size, len(y), batch_size))
    return list(zip(np.split(X[order], cuts), np.split(y[order], cuts), strict=True))


def momentum_with_its_numbers_exchanged(param, grad, velocity, lr, momentum):
    """Takes the learning rate for the momentum, and the momentum for the learning rate."""
    velocity = lr * velocity + grad
    return param - momentum * velocity, velocity


def momentum_in_copies(param, grad, velocity, lr, momentum):
    """Works in place, on copies of its own."""
    velocity, param = velocity.copy(), param.copy()
    velocity *= momentum
    velocity += grad
    param -= np.multiply(lr, velocity)
    return [param, velocity]


def adam_that_stops_correcting(param, grad, m, v, t, lr, beta1, beta2, eps):
    """After a hundred steps it leaves the correction out, as if it were 1 by then."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    if t > 100:
        return param - lr * m / (np.sqrt(v) + eps), m, v
    return param - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def adam_as_pytorch_does_it(param, grad, m, v, t, lr, beta1, beta2, eps):
    """Means by interpolation; the corrections on the rate and on the root."""
    m, v = m + (grad - m) * (1 - beta1), v - (1 - beta2) * (v - grad * grad)
    return param - lr / (1 - beta1**t) * m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + eps), m, v


def rmsprop_with_a_memory_for_each_step(grads, param, lr, beta, eps):
    """The memory is shaped like all the gradients at once, and so is what comes back."""
    square = np.zeros_like(grads)
    for grad in grads:
        square = beta * square + (1 - beta) * grad**2
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


def rmsprop_from_the_closed_form(grads, param, lr, beta, eps):
    """Writes each running mean as a weighted sum of all squares so far."""
    param = np.array(param, dtype=float)
    for t, grad in enumerate(grads):
        square = sum((1 - beta) * beta ** (t - i) * grads[i] ** 2 for i in range(t + 1))
        param = param - lr * grad / (np.sqrt(square) + eps)
    return param


ANSWERS = {
    "gradient_descent.mse": HeldOut(
        mistake=mse_with_absolute_slopes,
        says="the right one without its sign",
        odd=mse_in_loops,
    ),
    "gradient_descent.gd_step": HeldOut(
        mistake=step_that_empties_the_list,
        says="`grads` was changed in place",
        odd=step_by_recursion,
    ),
    "gradient_descent.binary_cross_entropy": HeldOut(
        mistake=binary_with_one_form_of_sigmoid,
        says="where `logits` is negative come out wrong",
        odd=binary_example_by_example,
    ),
    "gradient_descent.cross_entropy": HeldOut(
        mistake=cross_entropy_without_the_slope_of_the_log_sum,
        says="does not change when `logits` changes",
        odd=cross_entropy_row_by_row,
    ),
    "gradient_descent.minibatches": HeldOut(
        mistake=batches_with_an_empty_one,
        says="a batch size that divides N",
        odd=batches_by_random_keys,
    ),
    "gradient_descent.momentum": HeldOut(
        mistake=momentum_with_its_numbers_exchanged,
        says="when `lr` and `momentum` are exchanged",
        odd=momentum_in_copies,
    ),
    "gradient_descent.adam": HeldOut(
        mistake=adam_that_stops_correcting,
        says="not yet for a late step",
        odd=adam_as_pytorch_does_it,
    ),
    "gradient_descent.rmsprop_repair": HeldOut(
        mistake=rmsprop_with_a_memory_for_each_step,
        says="Your result has shape",
        odd=rmsprop_from_the_closed_form,
    ),
    "gradient_descent.learning_rate": HeldOut(
        mistake={"lr": 4 / (1 + 10), "momentum": (9 / 11) ** 2},  # Polyak's rate without its square
        says="This run diverges",
        odd={"momentum": np.float64(0.7), "lr": np.float32(0.03)},
    ),
    "gradient_descent.curves": HeldOut(
        mistake={"A": "unshuffled", "B": "too large", "C": "good", "D": "too small"},
        says="is none of the four names",
        odd={"D": "Rate too small", "C": "GOOD", "B": "rate-too-large", "A": " not shuffled "},
    ),
}
