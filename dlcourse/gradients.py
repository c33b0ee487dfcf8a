"""Gradient checking: the derivative by the rules against the derivative by small steps.

A central difference ``(f(x + ε) − f(x − ε)) / 2ε`` is wrong by about ε² plus rounding of about 10⁻¹⁶/ε, so in float64
with ε = 10⁻⁶ some nine digits are right (Nocedal & Wright 2006, *Numerical Optimization*, section 8.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlcourse.ops.inputs import as_array
from dlcourse.ops.rule import Array
from dlcourse.tensor import Tensor, no_grad

__all__ = ["GradientError", "gradcheck", "numerical_gradient"]


class GradientError(AssertionError):
    """A gradient differs from the central differences."""


def numerical_gradient(f: Callable[[Array], Any], x: Array, eps: float = 1e-5) -> Array:
    """The gradient of a scalar function by central differences.

    Parameters
    ----------
    f : function of an array of x's shape, returns a number
    x : floating-point array; ends as it was
    eps : the step

    Returns
    -------
    Array of x's shape.

    Raises
    ------
    TypeError
        If x holds integers, which a small step would leave as they are.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"numerical_gradient: x holds {x.dtype}, in which no small step exists; use x.astype(float)")
    return _jacobian(lambda: np.asarray(f(x)), x, eps).reshape(x.shape)


def _jacobian(f: Callable[[], Array], x: Array, eps: float) -> Array:
    """How each entry of f's result moves with each entry of x: (outputs, inputs). Changes x while it works."""
    columns = []
    for place in np.ndindex(x.shape):
        kept = x[place]
        try:
            x[place] = kept + eps
            above = np.array(f(), dtype=float)
            x[place] = kept - eps
            below = np.array(f(), dtype=float)
        finally:
            x[place] = kept
        columns.append((above - below).ravel() / (2 * eps))
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0))


def gradcheck(f: Callable[..., Tensor], inputs: Any, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3) -> bool:
    """Compare the gradients that ``backward`` finds with central differences, for every output and input entry.

    Parameters
    ----------
    f : function of tensors that returns a tensor of any shape
    inputs : tensor, array or number, or a sequence of them. They are checked in float64 copies. Tensors without
        ``requires_grad`` (unless no input has it) and integers are passed on unchecked
    eps : step of the central differences
    atol, rtol : a difference up to ``atol + rtol * |numerical|`` passes

    Returns
    -------
    True.

    Raises
    ------
    GradientError
        If an entry differs, naming the worst; it is an AssertionError.
    ValueError
        If no input can be differentiated, or f's value or a gradient is NaN or infinite.
    """
    tensors, checked = _copies(inputs)
    with np.errstate(all="ignore"):  # what is not finite is reported below, with its place
        out = f(*tensors)
        if not isinstance(out, Tensor):
            raise TypeError(f"gradcheck: f must return a Tensor, it returned {type(out).__name__}")
        _finite(out.data, "f's output")
        analytical = _by_backward(out, tensors, checked)
        for jacobian, i in zip(analytical, checked, strict=True):
            x = tensors[i].data
            if not x.size:
                continue
            _finite(jacobian.reshape(-1, *x.shape), f"the gradient of input {i} by backward()")
            numerical = _jacobian(lambda: _values(f, tensors), x, eps).reshape(jacobian.shape)
            _finite(numerical.reshape(-1, *x.shape), f"the gradient of input {i} by central differences")
            _compare(jacobian, numerical, i, x.shape, out.shape, atol, rtol)
    return True


def _copies(inputs: Any) -> tuple[list[Tensor], list[int]]:
    """The inputs as float64 tensors that ask for a gradient, and the numbers of those to check."""
    given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    floating = [i for i, x in enumerate(given) if as_array(x).dtype.kind == "f"]
    asked = [i for i in floating if not isinstance(given[i], Tensor) or given[i].requires_grad]
    checked = asked or floating
    if not checked:
        raise ValueError("gradcheck: no input is of a floating-point type; pass arrays like x.astype(np.float64)")
    tensors = [
        Tensor(np.array(as_array(x), dtype=np.float64), requires_grad=i in checked) if i in floating else x
        for i, x in enumerate(given)
    ]
    return tensors, checked


def _by_backward(out: Tensor, tensors: Sequence[Any], checked: Sequence[int]) -> list[Array]:
    """How each entry of the output moves with each entry of the checked inputs: arrays (outputs, inputs)."""
    jacobians = [np.zeros((out.size, tensors[i].size)) for i in checked]
    for row, place in enumerate(np.ndindex(out.shape) if out.requires_grad else ()):
        for i in checked:
            tensors[i].zero_grad()
        seed = np.zeros(out.shape, out.dtype)
        seed[place] = 1
        out.backward(seed, retain_graph=True)
        for jacobian, i in zip(jacobians, checked, strict=True):
            grad = tensors[i].grad
            jacobian[row] = 0 if grad is None else grad.ravel()
    return jacobians


def _values(f: Callable[..., Tensor], tensors: Sequence[Any]) -> Array:
    with no_grad():
        return f(*tensors).data


def _compare(
    ours: Array, numerical: Array, i: int, shape: tuple[int, ...], out_shape: tuple[int, ...], atol: float, rtol: float
) -> None:
    excess = np.abs(ours - numerical) - (atol + rtol * np.abs(numerical))
    if not (excess > 0).any():
        return
    row, column = np.unravel_index(np.argmax(excess), excess.shape)
    to = tuple(int(k) for k in np.unravel_index(row, out_shape))
    at = tuple(int(k) for k in np.unravel_index(column, shape))
    raise GradientError(
        f"gradcheck: {int((excess > 0).sum())} of {excess.size} derivatives differ. The worst: output{list(to)} with "
        f"respect to input {i} at {list(at)} is {ours[row, column]:.6g} by backward() and {numerical[row, column]:.6g} "
        "by central differences"
    )


def _finite(values: Array, what: str) -> None:
    """For a gradient, the first axis counts the outputs, the others are the input's."""
    if not np.isfinite(values).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0])
        at = place if what.startswith("f's") else place[1:]
        raise ValueError(
            f"gradcheck: {what} holds {values[place]} at {list(at)}; choose inputs where f is finite and smooth"
        )
