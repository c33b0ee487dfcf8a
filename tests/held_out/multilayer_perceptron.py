"""Unit 04, answered from its notebook's text alone."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np

from dlcourse.data import load_digits
from held_out import HeldOut


def one_hot_with_minus_ones(targets, num_classes):
    """Plus one for the true class and minus one for all others, as for a network that ends in tanh."""
    return 2 * np.eye(num_classes)[targets] - 1


def one_hot_in_lists(targets, num_classes):
    """Plain Python, one row after the other."""
    return [[1.0 if c == target else 0.0 for c in range(num_classes)] for target in targets]


def accuracy_of_shifted_scores(logits, targets):
    """Subtracts each row's highest score first, as softmax does, but from the caller's own array."""
    logits -= logits.max(axis=1, keepdims=True)
    return float(np.mean(logits[np.arange(len(targets)), targets] == 0))


def accuracy_as_a_fraction(logits, targets):
    """Looks for the highest score in plain Python, and divides exactly."""
    chosen = [max(range(len(row)), key=row.__getitem__) for row in logits.tolist()]
    return Fraction(sum(c == t for c, t in zip(chosen, targets.tolist(), strict=True)), len(chosen))


def forward_squeezed(x, layers):
    """Drops every axis of length 1 at the end, so that one example alone loses its row."""
    for W, b in layers[:-1]:
        x = np.maximum(0, x @ W.T + b)
    return np.squeeze(x @ layers[-1][0].T + layers[-1][1])


def forward_by_recursion(x, layers):
    """The first layer, and then the rest of the network in the same way."""
    (W, b), *rest = layers
    z = np.einsum("ni,oi->no", x, W) + b
    return forward_by_recursion(np.where(z > 0, z, 0), rest) if rest else z


def backward_with_one_mask(dlogits, x, layers):
    """Written for two layers: only the slopes that leave the last layer pass ReLU."""
    inputs = [x]
    for W, b in layers[:-1]:
        inputs.append(np.maximum(0, inputs[-1] @ W.T + b))
    slopes, dz = [], dlogits
    for k in reversed(range(len(layers))):
        slopes.insert(0, (dz.T @ inputs[k], dz.sum(axis=0)))
        dz = dz @ layers[k][0]
        if k == len(layers) - 1:
            dz = dz * (inputs[k] > 0)
    return slopes


def _backward_for_one(dlogit, a, layers):
    (W, b), *rest = layers
    if not rest:
        return [(np.outer(dlogit, a), dlogit)], dlogit @ W
    z = W @ a + b
    slopes, da = _backward_for_one(dlogit, np.maximum(z, 0), rest)
    dz = np.where(z > 0, da, 0)
    return [(np.outer(dz, a), dz), *slopes], dz @ W


def backward_example_by_example(dlogits, x, layers):
    """Recursion for one example at a time, the slopes added up at the end; all in lists."""
    each = [_backward_for_one(dlogit, a, layers)[0] for dlogit, a in zip(dlogits, x, strict=True)]
    return [
        [sum(dW for dW, _ in pairs).tolist(), sum(db for _, db in pairs).tolist()] for pairs in zip(*each, strict=True)
    ]


def he_clipped(fan_in, fan_out, rng):
    """Clips at two standard deviations, which takes away some of the variance."""
    std = np.sqrt(2 / fan_in)
    return np.clip(rng.normal(0, std, (fan_out, fan_in)), -2 * std, 2 * std)


def he_by_box_and_muller(fan_in, fan_out, rng):
    """Normal numbers out of two uniform ones, by way of a random radius and a random angle."""
    radius = np.sqrt(-4 / fan_in * np.log1p(-rng.random((fan_out, fan_in))))
    return radius * np.cos(2 * np.pi * rng.random((fan_out, fan_in)))


def confusion_without_minlength(targets, predictions, num_classes):
    """Counts row · C + column, but the counts end with the largest place that occurs."""
    places = targets.astype(int) * num_classes + predictions
    return np.bincount(places).reshape(num_classes, num_classes)


def confusion_from_a_counter(targets, predictions, num_classes):
    """Counts the pairs in a dict; a list of lists."""
    counts = Counter(zip(targets.tolist(), predictions.tolist(), strict=True))
    return [[counts[i, j] for j in range(num_classes)] for i in range(num_classes)]


def _log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def epoch_with_the_loss_afterwards(X, y, W1, b1, W2, b2, order, batch_size, lr):
    """Mends both faults, but reads the loss of each batch behind its step."""
    total = 0.0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        x, t = X[chosen], y[chosen]
        h = np.maximum(0, x @ W1.T + b1)
        dlogits = (np.exp(_log_softmax(h @ W2.T + b2)) - np.eye(len(W2))[t]) / len(t)
        dz = (dlogits @ W2) * (h > 0)
        W1, b1 = W1 - lr * dz.T @ x, b1 - lr * dz.sum(axis=0)
        W2, b2 = W2 - lr * dlogits.T @ h, b2 - lr * dlogits.sum(axis=0)
        log_p = _log_softmax(np.maximum(0, x @ W1.T + b1) @ W2.T + b2)
        total -= log_p[np.arange(len(t)), t].sum()
    return W1, b1, W2, b2, total / len(X)


def epoch_in_copies(X, y, W1, b1, W2, b2, order, batch_size, lr):
    """Shuffles once at the start, works in place on copies of its own, and gives back a list."""
    X, y = X[order], y[order]
    W1, b1, W2, b2 = (array.copy() for array in (W1, b1, W2, b2))
    losses = []
    for start in range(0, len(y), batch_size):
        x, t = X[start : start + batch_size], y[start : start + batch_size]
        z = x @ W1.T + b1
        log_p = _log_softmax(z.clip(0) @ W2.T + b2)
        losses.extend(-np.take_along_axis(log_p, t[:, None], axis=1)[:, 0])
        dlogits = np.exp(log_p)
        dlogits[np.arange(len(t)), t] -= 1
        dz = dlogits @ W2 * (z > 0)
        rate = lr / len(t)
        W2 -= rate * dlogits.T @ z.clip(0)
        b2 -= rate * dlogits.sum(axis=0)
        W1 -= rate * dz.T @ x
        b1 -= rate * dz.sum(axis=0)
    return [W1, b1, W2, b2, np.mean(losses)]


def eleven_outputs():
    """A layer with outputs for the digits 0 to 10."""
    rng = np.random.default_rng(0)
    return [(rng.normal(0, 0.18, (30, 64)), np.zeros(30)), (rng.normal(0, 0.26, (11, 30)), np.zeros(11))]


def network_without_descent():
    """A random hidden layer that stays as it is, and behind it the least squares solution with a little decay."""
    X, _, y, _ = load_digits()
    X, rng = X.astype(float), np.random.default_rng(1)
    W1 = rng.normal(size=(260, 64))
    b1 = rng.normal(0, 0.5, 260) - W1 @ X.mean(axis=0)
    h = np.column_stack([np.maximum(0, X @ W1.T + b1), np.ones(len(X))])
    W2 = np.linalg.solve(h.T @ h + 10 * np.eye(261), h.T @ (2 * np.eye(10)[y.astype(int)] - 1)).T
    return ([W1.tolist(), b1.tolist()], [W2[:, :-1].tolist(), W2[:, -1].tolist()])


ANSWERS = {
    "multilayer_perceptron.one_hot": HeldOut(
        mistake=one_hot_with_minus_ones,
        says="expected 0, yours -1",
        odd=one_hot_in_lists,
    ),
    "multilayer_perceptron.accuracy": HeldOut(
        mistake=accuracy_of_shifted_scores,
        says="`logits` was changed in place",
        odd=accuracy_as_a_fraction,
    ),
    "multilayer_perceptron.mlp_forward": HeldOut(
        mistake=forward_squeezed,
        says="not yet for one example",
        odd=forward_by_recursion,
    ),
    "multilayer_perceptron.mlp_backward": HeldOut(
        mistake=backward_with_one_mask,
        says="`dW[-3]` is not",
        odd=backward_example_by_example,
    ),
    "multilayer_perceptron.he_init": HeldOut(
        mistake=he_clipped,
        says="the variance of the weights",
        odd=he_by_box_and_muller,
    ),
    "multilayer_perceptron.confusion_matrix": HeldOut(
        mistake=confusion_without_minlength,
        says="not yet for classes that do not occur",
        odd=confusion_from_a_counter,
    ),
    "multilayer_perceptron.train_epoch": HeldOut(
        mistake=epoch_with_the_loss_afterwards,
        says="`W1`, `b1`, `W2` and `b2` are right, `loss` is not",
        odd=epoch_in_copies,
    ),
    "multilayer_perceptron.signal_after_30_layers": HeldOut(
        mistake={"A": 0.1, "B": 0.2, "C": 0.141, "D": 0.01, "E": 0.1},  # standard deviations instead of names
        says="is none of the five names",
        odd={"E": "xavier-with-tanh", "D": np.str_("Small"), "C": " HE ", "B": "large", "A": "xavier"},
    ),
    "multilayer_perceptron.digits_network": HeldOut(
        mistake=eleven_outputs(),
        says="11 scores, not 10",
        odd=network_without_descent(),
    ),
}
