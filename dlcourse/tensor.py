"""Tensor: an array that remembers how it was computed, so that ``backward`` can find its gradient.

``apply`` runs an op (:mod:`dlcourse.ops`) and records its rule; ``backward`` is :mod:`dlcourse.graph`'s. Names and
meaning are PyTorch's; the words for arrays (``axis``, ``keepdims``, ``ddof``) are NumPy's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dlcourse import ops
from dlcourse.graph import Node, fan_out, no_grad, numbers, recording, unbroadcast, walk_back
from dlcourse.ops.inputs import as_array, axes_or_shape, broadcast_fault, index_key, narrow, new_array, operand
from dlcourse.ops.reductions import Axis
from dlcourse.ops.rule import Array, Result, Rule

__all__ = ["Tensor", "apply", "apply_many", "as_op", "as_tensor", "floating", "no_grad", "unbroadcast"]


class Tensor:
    """An array with a gradient.

    Parameters
    ----------
    data : array, number or nested list, copied. Arrays keep their dtype, integers too; Python's numbers and lists of
        them become float32, also whole ones (class numbers are better kept in a plain integer array)
    requires_grad : whether ``backward`` shall leave a gradient in ``.grad``

    Attributes
    ----------
    data : the array
    grad : array of the same shape and dtype, or None before the first ``backward``
    requires_grad : True for a tensor that asked for it, and for all that is computed from it

    Raises
    ------
    TypeError
        If ``requires_grad`` is asked of integers or booleans, which have no derivative.
    """

    __slots__ = ("__weakref__", "data", "grad", "number", "parents", "requires_grad", "rule")
    __array_ufunc__ = None  # else ``array * tensor`` would be an array of objects

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self.data: Array = new_array(data).copy()
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(f"requires_grad=True needs floats, not {self.dtype}; convert with data.astype(np.float32)")
        self.grad: Array | None = None
        self.requires_grad = requires_grad
        self.parents: Sequence[Node | None] = ()
        self.rule: Rule | None = None  # None: a leaf, made by hand rather than computed
        self.number = next(numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its entries."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of its entries."""
        return self.data.size

    def item(self) -> float:
        """The one entry, as a Python number."""
        if self.size != 1:
            raise ValueError(
                f"item: shape {self.shape} has {self.size} entries, not one; reduce it first: .mean().item()"
            )
        return self.data.item()  # type: ignore[no-any-return]

    def numpy(self) -> Array:
        """The array itself, not a copy."""
        return self.data

    def detach(self) -> Tensor:
        """The same array without its history: no gradient flows back through it."""
        return as_tensor(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.data, dtype) if copy else np.asarray(self.data, dtype)

    def __float__(self) -> float:
        return float(self.item())

    def __format__(self, spec: str) -> str:  # f"{loss:.3f}"
        return format(self.item() if spec else str(self), spec)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __reduce__(self) -> tuple[Any, ...]:  # copies and pickles are leaves, without the history
        return type(self), (self.data, self.requires_grad and self.rule is None), (None, {"grad": self.grad})

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(apply_many(ops.unbind, self))

    def __repr__(self) -> str:
        grad = ", requires_grad=True" if self.requires_grad else ""
        body = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=100, precision=4)
        return f"Tensor({body}, dtype={self.dtype}{grad})"

    # ---- gradients

    def backward(self, grad: Any = None, retain_graph: bool = False) -> None:
        """Add to ``.grad`` of every leaf the derivative of this tensor with respect to it.

        Parameters
        ----------
        grad : array of this tensor's shape, the gradient that arrives here; may be left out for a single entry (1)
        retain_graph : keep the graph, so that ``backward`` can run again; otherwise its memory is freed

        Raises
        ------
        ValueError
            If this tensor has several entries and no ``grad`` is given, or one of another shape.
        RuntimeError
            If no gradient was recorded, or the graph was freed by an earlier ``backward``.
        """
        walk_back(self, self._seed(grad), retain_graph)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def _seed(self, grad: Any) -> Array:
        if not self.requires_grad:
            raise RuntimeError("backward: no gradient was recorded; create the tensors that should get one with "
                               "requires_grad=True, and compute outside of no_grad()")  # fmt: skip
        if grad is None and self.size != 1:
            raise ValueError(f"backward: shape {self.shape} is not a single number; reduce it first, for example with "
                             ".mean(), or pass backward(grad) an array of that shape")  # fmt: skip
        seed = np.ones(self.shape, self.dtype) if grad is None else np.asarray(grad, self.dtype)
        if seed.shape != self.shape:
            raise ValueError(f"backward: grad has shape {seed.shape}, the tensor {self.shape}; they must be equal")
        return seed

    # ---- arithmetic

    def __add__(self, other: Any) -> Tensor:
        return apply(ops.add, self, other)

    def __radd__(self, other: Any) -> Tensor:
        return apply(ops.add, other, self)

    def __sub__(self, other: Any) -> Tensor:
        return apply(ops.sub, self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return apply(ops.sub, other, self)

    def __mul__(self, other: Any) -> Tensor:
        return apply(ops.mul, self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return apply(ops.mul, other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return apply(ops.div, self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return apply(ops.div, other, self)

    def __pow__(self, other: Any) -> Tensor:
        return apply(ops.power, self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return apply(ops.power, other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return apply(ops.matmul, self, as_tensor(other))

    def __rmatmul__(self, other: Any) -> Tensor:
        return apply(ops.matmul, as_tensor(other), self)

    def __neg__(self) -> Tensor:
        return apply(ops.neg, self)

    def __iadd__(self, other: Any) -> Tensor:
        return self._in_place(self + other)

    def __isub__(self, other: Any) -> Tensor:
        return self._in_place(self - other)

    def __imul__(self, other: Any) -> Tensor:
        return self._in_place(self * other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._in_place(self / other)

    def _in_place(self, new: Tensor) -> Tensor:
        """``w -= lr * w.grad`` changes a weight itself, and only under no_grad; any other ``x -= y`` is ``x = x - y``."""
        if self.rule is not None or not self.requires_grad:
            return new
        if recording.get():
            raise RuntimeError("a tensor with requires_grad=True is changed in place, which no gradient can follow; write "
                               "x = x + ... for a new tensor, or change a weight inside of no_grad()")  # fmt: skip
        self.data[...] = new.data
        return self

    # Comparisons give plain boolean arrays: masks have no gradient.

    def __lt__(self, other: Any) -> Array:
        return np.less(self.data, as_array(other))

    def __le__(self, other: Any) -> Array:
        return np.less_equal(self.data, as_array(other))

    def __gt__(self, other: Any) -> Array:
        return np.greater(self.data, as_array(other))

    def __ge__(self, other: Any) -> Array:
        return np.greater_equal(self.data, as_array(other))

    def __eq__(self, other: object) -> Any:
        return np.equal(self.data, as_array(other))

    def __ne__(self, other: object) -> Any:
        return np.not_equal(self.data, as_array(other))

    __hash__ = object.__hash__

    # ---- one entry at a time

    def exp(self) -> Tensor:
        """e to the power of each entry."""
        return apply(ops.exp, floating(self))

    def log(self) -> Tensor:
        """Natural logarithm."""
        return apply(ops.log, floating(self))

    def sqrt(self) -> Tensor:
        """Square root."""
        return apply(ops.sqrt, floating(self))

    def abs(self) -> Tensor:
        """Absolute value."""
        return apply(ops.abs, self)

    __abs__ = abs

    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""
        return apply(ops.tanh, floating(self))

    def sigmoid(self) -> Tensor:
        """``1 / (1 + exp(-x))``."""
        return apply(ops.sigmoid, floating(self))

    def relu(self) -> Tensor:
        """``max(x, 0)``."""
        return apply(ops.relu, self)

    def clip(self, lo: float | None = None, hi: float | None = None) -> Tensor:
        """Entries held between ``lo`` and ``hi``."""
        return apply(ops.clip, self, lo=lo, hi=hi)

    # ---- reductions

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Sum over all axes, one, or several."""
        return apply(ops.sum, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Mean over all axes, one, or several."""
        return apply(ops.mean, self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
        """Variance, the sum of squares divided by ``n - ddof``. PyTorch's default is 1, NumPy's and this one is 0."""
        return apply(ops.var, self, axis=axis, keepdims=keepdims, ddof=ddof)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Largest entry (the values alone, as in NumPy); equal ones share the gradient."""
        return apply(ops.max, self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Smallest entry (the values alone, as in NumPy); equal ones share the gradient."""
        return apply(ops.min, self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Array:
        """Where the largest entry is, as plain integers: ``(logits.argmax(1) == labels).mean()`` is the accuracy."""
        return np.asarray(np.argmax(self.data, axis))

    # ---- shapes

    def reshape(self, *shape: Any) -> Tensor:
        """The same entries in another shape: ``reshape(2, -1)`` or ``reshape((2, -1))``."""
        return apply(ops.reshape, self, shape=axes_or_shape(shape))

    def transpose(self, *axes: Any) -> Tensor:
        """Axes in the given order, as in NumPy; without arguments, reversed. PyTorch calls this ``permute``."""
        return apply(ops.transpose, self, axes=axes_or_shape(axes) or None)

    def swapaxes(self, a: int, b: int) -> Tensor:
        """Two axes exchanged."""
        return apply(ops.swapaxes, self, a=a, b=b)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """Axes reversed."""
        return apply(ops.transpose, self)

    def __getitem__(self, key: Any) -> Tensor:
        return apply(ops.index, self, key=index_key(key))


# ---- recording


def apply(op: Callable[..., Result], *inputs: Any, **options: Any) -> Tensor:
    """Run an op on tensors, arrays and numbers, and record it if a gradient will be needed.

    Parameters
    ----------
    op : function ``(*arrays, **options) -> (out, backward)``, see :mod:`dlcourse.ops.rule`
    inputs : tensors, arrays, numbers
    options : passed on to the op; nothing is differentiated with respect to them

    Returns
    -------
    Tensor. It is float64 only if an input was: float32 stays float32 beside integers and Python numbers.
    """
    out, rule, parents = _run(op, inputs, options)
    return _node(out, parents, rule)


def apply_many(op: Callable[..., Any], *inputs: Any, **options: Any) -> tuple[Tensor, ...]:
    """:func:`apply` for an op with several outputs, whose rule takes one gradient for each."""
    outs, rule, parents = _run(op, inputs, options)
    gather, deliver = fan_out(rule, outs)
    above = (_node(np.zeros(()), parents, gather),) if parents else ()
    return tuple([_node(out, above, deliver_one) for out, deliver_one in zip(outs, deliver, strict=True)])


def as_op(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Tensor]:
    """A function of tensors from a plain pair of functions of arrays, such as the pair of an exercise.

    Parameters
    ----------
    forward : ``forward(*arrays, **options) -> out``
    backward : ``backward(dout, *arrays, **options)`` -> the gradient of each array, alone or as a tuple. It may ask for
        the first few arrays only: ``linear_backward(dout, x, W) -> (dx, dW, db)`` fits ``linear(x, W, b)``

    Returns
    -------
    Function ``(*tensors, **options) -> Tensor`` through which gradients flow.

    Examples
    --------
    >>> square = as_op(lambda x: x * x, lambda dout, x: 2 * x * dout)
    >>> w = Tensor([3.0], requires_grad=True)
    >>> square(w).backward()
    >>> w.grad
    array([6.], dtype=float32)
    """
    takes = _required_arguments(backward) - 1

    def op(*arrays: Array, **options: Any) -> Result:
        def rule(grad: Array) -> Sequence[Any]:
            grads = backward(grad, *arrays[:takes], **options)
            return grads if isinstance(grads, tuple | list) else (grads,)

        rule.__qualname__ = getattr(backward, "__name__", "backward")
        return forward(*arrays, **options), rule

    op.__name__ = getattr(forward, "__name__", "forward")
    return lambda *tensors, **options: apply(op, *tensors, **options)


def _required_arguments(function: Callable[..., Any]) -> int:
    """How many positional arguments without a default it takes; many if it takes any number."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 1000
    return sum(p.default is p.empty and p.kind is not p.KEYWORD_ONLY for p in parameters)


def _run(op: Callable[..., Any], inputs: Sequence[Any], options: dict[str, Any]) -> tuple[Any, Rule, Sequence[Any]]:
    """The op's output or outputs, its rule, and the inputs that need a gradient, None for the others; () for none."""
    arrays: list[Any] = []
    parents: list[Tensor | None] = []
    needed = False
    for x in inputs:  # one pass with plain appends: this is the price of every op, however small
        if isinstance(x, Tensor):
            arrays.append(x.data)
            parents.append(x if x.requires_grad else None)
            needed = needed or x.requires_grad
        else:
            arrays.append(operand(x))
            parents.append(None)
    try:
        out, rule = op(*arrays, **options)
    except ValueError as error:
        if "could not be broadcast" in str(error) and op.__module__.startswith("dlcourse.ops"):
            raise ValueError(broadcast_fault(op.__name__, arrays)) from None
        raise
    out = tuple([narrow(one, arrays) for one in out]) if isinstance(out, tuple) else narrow(out, arrays)
    return out, rule, parents if needed and recording.get() else ()


def _node(data: Array, parents: Sequence[Node | None], rule: Rule | None) -> Tensor:
    """A computed tensor; it keeps its rule only if a parent needs a gradient."""
    node = Tensor.__new__(Tensor)
    node.data, node.grad, node.number = data, None, next(numbers)
    node.parents, node.rule, node.requires_grad = (parents, rule, True) if parents else ((), None, False)
    return node


def as_tensor(x: Any) -> Tensor:
    """``x`` itself if it is a tensor, else a constant that shares its memory."""
    return x if isinstance(x, Tensor) else _node(new_array(x), (), None)


def floating(x: Any) -> Tensor:
    """``x`` as a tensor; pixels and other small or unsigned integers become float32, else NumPy counts modulo 256."""
    tensor = as_tensor(x)
    kind = "f" if tensor.requires_grad else tensor.data.dtype.kind
    if kind == "f" or (kind == "i" and tensor.data.itemsize > 2):
        return tensor
    return as_tensor(tensor.data.astype(np.float32))
