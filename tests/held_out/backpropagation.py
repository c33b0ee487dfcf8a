"""Unit 03, answered from its notebook's text alone."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from held_out import HeldOut

OPERATIONS = {
    "add": operator.add,
    "mul": operator.mul,
    "sub": operator.sub,
    "div": operator.truediv,
    "pow": operator.pow,
}


def local_gradients_both_power_rules(op, a, b):
    """Takes the power rule for the exponent too, and the logarithm on top of it."""
    table = {"add": (1.0, 1.0), "mul": (b, a), "sub": (1.0, -1.0)}
    if op == "div":
        return 1 / b, -a / b**2
    if op == "pow":
        return b * a ** (b - 1), b * a ** (b - 1) * math.log(a)
    return table[op]


def local_gradients_by_imaginary_nudge(op, a, b):
    """A tiny imaginary nudge: the imaginary part of the result is the slope, without a difference."""
    tiny, f = 1e-30, OPERATIONS[op]
    return [f(a + tiny * 1j, b).imag / tiny, f(a, b + tiny * 1j).imag / tiny]


def order_seen_when_pushed(parents, root):
    """Marks a name as seen when it is noted down to do, so that it can be left waiting below its child."""
    order, seen, to_do = [], {root}, [(root, False)]
    while to_do:
        name, parents_done = to_do.pop()
        if parents_done:
            order.append(name)
            continue
        to_do.append((name, True))
        for parent in parents[name]:
            if parent not in seen:
                seen.add(parent)
                to_do.append((parent, False))
    return order


def order_by_iterators(parents, root):
    """A stack of half-read lists of parents; gives a tuple."""
    order, seen, open_lists = [], {root}, [(root, iter(parents[root]))]
    while open_lists:
        name, rest = open_lists[-1]
        parent = next((p for p in rest if p not in seen), None)
        if parent is None:
            order.append(name)
            open_lists.pop()
        else:
            seen.add(parent)
            open_lists.append((parent, iter(parents[parent])))
    return tuple(order)


class ValueWithOwnNumberAsSlope:
    """With a plain number, the slope is the value's own number instead of the plain one."""

    born = itertools.count()

    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = float(data), 0.0, parents  # pairs (parent, local slope)
        self.number = next(self.born)

    def __add__(self, other):
        if not isinstance(other, type(self)):
            return type(self)(self.data + other, ((self, 1.0),))
        return type(self)(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        if not isinstance(other, type(self)):
            return type(self)(self.data * other, ((self, self.data),))
        return type(self)(self.data * other.data, ((self, other.data), (other, self.data)))

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self):
        out = math.tanh(self.data)
        return type(self)(out, ((self, 1 - out**2),))

    def backward(self):
        found, to_do = {self}, [self]
        while to_do:
            new = {parent for parent, _ in to_do.pop().parents} - found
            found |= new
            to_do += new
        self.grad = 1.0
        for value in sorted(found, key=lambda value: value.number, reverse=True):
            for parent, slope in value.parents:
                parent.grad += value.grad * slope


class FloatValue(float):
    """Is a float itself; goes back level by level, by the longest way from the inputs."""

    def __new__(cls, data, parents=()):
        self = super().__new__(cls, data)
        self.grad, self.parents = 0.0, parents
        self.level = 1 + max((parent.level for parent, _ in parents), default=-1)
        return self

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other

    @property
    def data(self):
        return float(self)

    def _result(self, data, *shares):
        return FloatValue(data, tuple((value, slope) for value, slope in shares if isinstance(value, FloatValue)))

    def __add__(self, other):
        return self._result(float(self) + float(other), (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        return self._result(float(self) * float(other), (self, float(other)), (other, float(self)))

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self):
        return self._result(math.tanh(self), (self, 1 / math.cosh(self) ** 2))

    def backward(self):
        levels, seen, to_do = {}, set(), [self]
        while to_do:
            value = to_do.pop()
            if value not in seen:
                seen.add(value)
                levels.setdefault(value.level, []).append(value)
                to_do += [parent for parent, _ in value.parents]
        self.grad = 1.0
        for level in sorted(levels, reverse=True):
            for value in levels[level]:
                for parent, slope in value.parents:
                    parent.grad = parent.grad + value.grad * slope


def unbroadcast_cut_into_copies(grad, shape):
    """Cuts the entries into copies of the small array in reading order, as if copies always lay in front."""
    return grad.reshape((-1, *shape)).sum(axis=0)


def unbroadcast_by_addresses(grad, shape):
    """Broadcasts the places' numbers the same way, and counts the slopes up at each number."""
    size = math.prod(shape)
    places = np.broadcast_to(np.arange(size).reshape(shape), grad.shape)
    return np.bincount(places.ravel(), weights=grad.ravel(), minlength=size).reshape(shape)


def matmul_backward_name_used_again(dout, A, B):
    """Calls the slope of A by the name A, so that the next line no longer has the matrix."""
    A = dout @ B.T
    return A, A.T @ dout


def matmul_backward_by_jacobians(dout, A, B):
    """Writes out the slopes of every entry of C with respect to every entry of A and of B."""
    (n, d), o = A.shape, B.shape[1]
    flat = dout.ravel()
    return (flat @ np.kron(np.eye(n), B.T)).reshape(n, d), (flat @ np.kron(A, np.eye(o))).reshape(d, o)


def linear_backward_squeezed(dout, x, W):
    """Squeezes before it sums, so that with one example the outputs are added up."""
    return dout @ W, dout.T @ x, np.squeeze(dout).sum(axis=0)


def linear_backward_example_by_example(dout, x, W):
    """The bias is the weight of one more input that is always 1; a list of arrays and lists."""
    total = np.zeros((W.shape[0], W.shape[1] + 1))
    dx = []
    for slopes, example in zip(dout, x, strict=True):
        total += np.multiply.outer(slopes, [*example, 1.0])
        dx.append([sum(s * w for s, w in zip(slopes, column, strict=True)) for column in W.T])
    return [dx, total[:, :-1], total[:, -1].tolist()]


def numerical_gradient_column_by_column(f, x, eps=1e-5):
    """Reads the entries column by column and writes the slopes row by row."""
    flat, slopes = x.ravel(order="F"), []
    for k in range(x.size):
        step = np.where(np.arange(x.size) == k, eps, 0.0)
        up, down = ((flat + sign * step).reshape(x.shape, order="F") for sign in (1, -1))
        slopes.append((f(up) - f(down)) / (2 * eps))
    return np.array(slopes).reshape(x.shape)


def numerical_gradient_by_recursion(f, x, eps=1e-5):
    """Fixes all but one slice of the first axis, then calls itself; a single number is nudged."""
    if x.ndim == 0:
        return (f(x + eps) - f(x - eps)) / (2 * eps)

    def with_slice(k, values):
        return f(np.concatenate([x[:k], [values], x[k + 1 :]]))

    return [
        numerical_gradient_by_recursion(lambda v, k=k: with_slice(k, v), np.asarray(x[k]), eps) for k in range(len(x))
    ]


def repaired_in_the_second_layer_only(X, y, W1, b1, W2, b2):
    """Divides by the outputs where dW2 and db2 are made, so that the way to the first layer stays too large."""
    h = np.tanh(X @ W1.T + b1)
    difference = h @ W2.T + b2 - y
    dout = 2 * difference / len(y)
    dW2, db2 = dout.T @ h / y.shape[1], dout.sum(axis=0) / y.shape[1]
    dz = dout @ W2 * (1 - h**2)
    return (difference**2).mean(), dz.T @ X, dz.sum(axis=0), dW2, db2


def repaired_entry_by_entry(X, y, W1, b1, W2, b2):
    """One output of one example after the other, and the shares add up."""
    loss, slopes = 0.0, [np.zeros_like(p) for p in (W1, b1, W2, b2)]
    for n, o in np.ndindex(y.shape):
        h = np.tanh(W1 @ X[n] + b1)
        error = W2[o] @ h + b2[o] - y[n, o]
        loss += error**2 / y.size
        g = 2 * error / y.size
        dz = g * W2[o] * (1 - h) * (1 + h)
        slopes[0] += np.outer(dz, X[n])
        slopes[1] += dz
        slopes[2][o] += g * h
        slopes[3][o] += g
    return [loss, *slopes]


class DigitReader:
    """Trains when it is first called, and reads one image at a time."""

    def __init__(self, hidden=32, rounds=20, lr=0.5):
        self.hidden, self.rounds, self.lr, self.params = hidden, rounds, lr, None

    def scores(self, X):
        W1, b1, W2, b2 = self.params
        h = np.tanh(X @ W1.T + b1)
        return h, h @ W2.T + b2

    def train(self):
        from dlcourse.data import load_digits

        X, _, y, _ = load_digits()
        X, targets, rng = X.astype(float), np.eye(10)[y], np.random.default_rng(0)
        self.params = [
            rng.normal(0, 1 / 8, (self.hidden, 64)),
            np.zeros(self.hidden),
            rng.normal(0, self.hidden**-0.5, (10, self.hidden)),
            np.zeros(10),
        ]
        for _ in range(self.rounds):
            for batch in np.array_split(rng.permutation(len(X)), len(X) // 32):
                h, scores = self.scores(X[batch])
                p = np.exp(scores - scores.max(axis=1, keepdims=True))
                dscores = (p / p.sum(axis=1, keepdims=True) - targets[batch]) / len(batch)
                dz = dscores @ self.params[2] * (1 - h**2)
                slopes = dz.T @ X[batch], dz.sum(axis=0), dscores.T @ h, dscores.sum(axis=0)
                for param, slope in zip(self.params, slopes, strict=True):
                    param -= self.lr * slope

    def __call__(self, X):
        if self.params is None:
            self.train()
        return [int(self.scores(image[None])[1].argmax()) for image in X]


READER = DigitReader()


def digits_as_a_column(X):
    """Keeps the axis along which the largest score was looked for."""
    return np.array(READER(X))[:, None]


ANSWERS = {
    "backpropagation.local_gradients": HeldOut(
        mistake=local_gradients_both_power_rules,
        says="`da` is right, `db` is not",
        odd=local_gradients_by_imaginary_nudge,
    ),
    "backpropagation.by_hand": HeldOut(
        mistake={"v": -6, "u": -1, "a": -8.5, "b": -2},  # minus times minus taken as minus in (-1)(-2.5) - 6
        says="Right: 'v', 'u' and 'b'",
        odd={"b": np.float32(-2), "a": np.array(-3.5), "u": -1, "v": -6},
    ),
    "backpropagation.topological_order": HeldOut(
        mistake=order_seen_when_pushed,
        says="parents that come after one of their children",
        odd=order_by_iterators,
    ),
    "backpropagation.value": HeldOut(
        mistake=ValueWithOwnNumberAsSlope,
        says="`a.grad` is not",
        odd=FloatValue,
    ),
    "backpropagation.unbroadcast": HeldOut(
        mistake=unbroadcast_cut_into_copies,
        says="entries differ; the first is",
        odd=unbroadcast_by_addresses,
    ),
    "backpropagation.matmul_backward": HeldOut(
        mistake=matmul_backward_name_used_again,
        says="Your result does not change when `A` changes",
        odd=matmul_backward_by_jacobians,
    ),
    "backpropagation.linear_backward": HeldOut(
        mistake=linear_backward_squeezed,
        says="`dx` and `dW` are right, `db` is not",
        odd=linear_backward_example_by_example,
    ),
    "backpropagation.numerical_gradient": HeldOut(
        mistake=numerical_gradient_column_by_column,
        says="The numbers are right but stand in another order",
        odd=numerical_gradient_by_recursion,
    ),
    "backpropagation.repair_backward": HeldOut(
        mistake=repaired_in_the_second_layer_only,
        says="on every input that factor is `y.shape[1]`",
        odd=repaired_entry_by_entry,
    ),
    "backpropagation.engine_training": HeldOut(
        mistake=digits_as_a_column,
        says="one class from 0 to 9 for each image",
        odd=READER,
    ),
}
