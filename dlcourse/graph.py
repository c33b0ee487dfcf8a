"""The graph behind a tensor, and the walk that brings gradients back through it.

Every node is numbered when it is made. Sorting by number puts each node before everything it was computed from, which
is the order that reverse-mode differentiation needs (Rumelhart, Hinton & Williams 1986; Baydin et al. 2018, section 3):
when a node's turn comes, all of its gradient has arrived. No recursion is involved, so a chain of 100,000 nodes is no
problem. The walk also undoes broadcasting, here once instead of in every rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import numpy as np

from dlcourse.ops.rule import Array, Gradient, Rule

recording: ContextVar[bool] = ContextVar("recording", default=True)
numbers = itertools.count()


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: ``with no_grad():`` for evaluation, or ``@no_grad()`` on a function."""
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


class Node(Protocol):
    """What the walk needs of a tensor."""

    data: Array
    grad: Array | None
    number: int  # grows with time
    parents: Sequence[Node | None]  # what it was computed from; None for an input without a gradient
    rule: Rule | None  # from its gradient to those of its inputs; None for a leaf, made by hand


def walk_back(root: Node, seed: Array, retain_graph: bool) -> None:
    """Add to every leaf's ``grad`` its gradient, given the root's; free the graph behind unless it is to be kept."""
    pending = {root.number: seed}
    owned: set[int] = set()  # numbers of the pending gradients that no other array shares
    nodes = _by_age(root)
    while nodes:
        node = nodes.pop()  # so that its arrays are freed as the walk goes on
        grad = pending.pop(node.number, None)  # None: the rules said that nothing flows here
        if grad is not None and node.rule is None:
            grad = grad if node.number in owned else grad.copy()
            node.grad = grad if node.grad is None else np.asarray(node.grad + grad)
        elif grad is not None:
            _send(node, grad, pending, owned)
        if node.rule is not None and not retain_graph:
            node.parents, node.rule = (), freed


def _by_age(root: Node) -> list[Node]:
    """Everything that the root was computed from and that needs a gradient, the oldest first, the root last."""
    found = {root.number: root}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.rule is freed:
            raise RuntimeError(
                f"backward: the graph behind a tensor of shape {node.data.shape} was freed by an earlier backward(); "
                "compute the forward pass again, or call the earlier one with retain_graph=True"
            )
        for parent in node.parents:
            if parent is not None and parent.number not in found:
                found[parent.number] = parent
                stack.append(parent)
    return [found[number] for number in sorted(found)]


def fan_out(rule: Rule, outs: Sequence[Array]) -> tuple[Rule, list[Rule]]:
    """The rules for an op with several outputs, which hang on one hidden node, the hub.

    Returns
    -------
    gather : the hub's rule. It runs after the outputs' and hands what they left to ``rule``, zeros where an output was
        not used
    deliver : each output's rule, which leaves its gradient for ``gather``
    """
    blanks = [(out.shape, out.dtype) for out in outs]
    arrived: dict[int, Array] = {}

    def gather(_: Array) -> Sequence[Gradient]:
        grads = [arrived.pop(i) if i in arrived else np.zeros(*blank) for i, blank in enumerate(blanks)]
        return rule(*grads)

    def deliver_to(place: int) -> Rule:
        def deliver(grad: Array) -> tuple[Array]:
            arrived[place] = grad
            return (np.zeros(()),)  # to the hub: a sign that something arrived

        return deliver

    return gather, [deliver_to(i) for i in range(len(outs))]


def freed(*_: Array) -> Sequence[Array]:
    """The rule of a node whose graph is gone; the walk recognizes it and says so."""
    raise RuntimeError("the graph was freed")


def _send(node: Node, grad: Array, pending: dict[int, Array], owned: set[int]) -> None:
    """Hand the node's gradient on to its parents through its rule."""
    assert node.rule is not None
    shares = node.rule(grad)
    if len(shares) != len(node.parents):
        raise ValueError(
            f"{_name(node.rule)}: the backward rule returned {len(shares)} gradients for {len(node.parents)} inputs; "
            "it must return a tuple with one for each, None where there is none"
        )
    for place, parent in enumerate(node.parents):
        share = shares[place]
        if parent is None or share is None:
            continue
        if isinstance(share, np.ndarray):
            array, fresh = share, False
        else:
            array, fresh = np.asarray(share() if callable(share) else share), callable(share)
        if array.shape != parent.data.shape:
            array, fresh = _fit(array, node.rule, place, parent.data.shape), True
        if array.dtype != parent.data.dtype:
            array, fresh = array.astype(parent.data.dtype), True
        number = parent.number
        if number not in pending:
            pending[number] = array
            if fresh and array.base is None:
                owned.add(number)
        elif number in owned:
            pending[number] += array
        else:
            pending[number] = np.asarray(pending[number] + array)
            owned.add(number)


def _fit(grad: Array, rule: Rule, place: int, shape: tuple[int, ...]) -> Array:
    try:
        return unbroadcast(grad, shape)
    except ValueError:
        raise ValueError(
            f"{_name(rule)}: the backward rule returned a gradient of shape {grad.shape} for input {place} of shape "
            f"{shape}"
        ) from None


def _name(rule: Rule) -> str:
    return rule.__qualname__.partition(".")[0]


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an input of shape ``shape`` was broadcast.

    Raises
    ------
    ValueError
        If ``shape`` does not broadcast to the shape of ``grad``.
    """
    extra = grad.ndim - len(shape)
    axes = list(range(extra))
    for axis, size in enumerate(shape, extra):
        if extra < 0 or size not in (1, grad.shape[axis]):
            raise ValueError(f"a gradient of shape {grad.shape} cannot be summed down to shape {shape}")
        if size != grad.shape[axis]:
            axes.append(axis)
    summed: Array = np.add.reduce(grad, axis=tuple(axes), keepdims=True)
    return summed.reshape(shape)
