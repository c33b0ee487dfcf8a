"""Ops that treat every entry alone: each derivative stands beside its function.

Where two arrays meet, they broadcast as in NumPy; the rules return gradients of the output's shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlcourse.ops.rule import Array, Gradient, Operand, Result


def add(a: Operand, b: Operand) -> Result:
    """``a + b``."""
    return np.add(a, b), lambda grad: (grad, grad)


def sub(a: Operand, b: Operand) -> Result:
    """``a - b``."""
    return np.subtract(a, b), lambda grad: (grad, lambda: -grad)


def mul(a: Operand, b: Operand) -> Result:
    """``a * b``."""
    return np.multiply(a, b), lambda grad: (grad * b, grad * a)


def div(a: Operand, b: Operand) -> Result:
    """``a / b``."""
    out = np.true_divide(a, b)
    return out, lambda grad: (grad / b, lambda: -grad * out / b)


def neg(x: Array) -> Result:
    """``-x``."""
    return -x, lambda grad: (-grad,)


def power(x: Operand, exponent: Operand) -> Result:
    """``x ** exponent``."""
    if isinstance(exponent, int | float) and isinstance(x, np.ndarray):
        return _fixed_power(x, exponent)
    out: Array = np.power(x, exponent)

    def for_x(grad: Array) -> Array:  # an exponent of 0 has gradient 0, also at x = 0
        slope: Array = exponent * np.power(x, np.where(np.equal(exponent, 0), 1, np.subtract(exponent, 1)))
        return grad * slope

    def for_exponent(grad: Array) -> Array:  # 0 ** positive stays 0 when the exponent moves: no log(0)
        stays_zero = np.equal(x, 0) & np.greater_equal(exponent, 0)
        slope: Array = out * np.log(np.where(stays_zero, 1, x))
        return grad * slope

    return out, lambda grad: (lambda: for_x(grad), lambda: for_exponent(grad))


def _fixed_power(x: Array, n: float) -> Result:
    """``x`` to the power of a number. A cube is a product: ``x * x * x`` is 100 times as fast as ``x**3``."""
    if n == 0:
        return np.ones_like(x), lambda grad: (np.zeros_like(x), None)
    out: Array = x * x * x if n == 3 else x**n
    return out, lambda grad: (grad * (n * x ** (n - 1)), None)


def exp(x: Array) -> Result:
    """e to the x."""
    out = np.exp(x)
    return out, lambda grad: (grad * out,)


def log(x: Array) -> Result:
    """Natural logarithm."""
    return np.log(x), lambda grad: (grad / x,)


def sqrt(x: Array) -> Result:
    """Square root."""
    out = np.sqrt(x)
    return out, lambda grad: (grad / (2 * out),)


def abs(x: Array) -> Result:
    """Absolute value; the derivative at the corner is taken as 0."""
    return np.absolute(x), lambda grad: (grad * np.sign(x),)


def clip(x: Array, lo: float | None = None, hi: float | None = None) -> Result:
    """``x`` held between ``lo`` and ``hi``; entries strictly outside get no gradient."""
    low = -math.inf if lo is None else lo
    high = math.inf if hi is None else hi
    return np.clip(x, low, high), lambda grad: (grad * ((x >= low) & (x <= high)),)


def maximum(a: Operand, b: Operand) -> Result:
    """The larger of two entries; where they are equal, each gets half of the gradient."""
    return np.maximum(a, b), lambda grad: _to_winner(grad, np.greater, a, b)


def minimum(a: Operand, b: Operand) -> Result:
    """The smaller of two entries; where they are equal, each gets half of the gradient."""
    return np.minimum(a, b), lambda grad: _to_winner(grad, np.less, a, b)


def _to_winner(grad: Array, wins: np.ufunc, a: Operand, b: Operand) -> tuple[Gradient, Gradient]:
    tie = np.equal(a, b) * grad.dtype.type(0.5)
    return lambda: np.asarray(grad * (wins(a, b) + tie)), lambda: np.asarray(grad * (wins(b, a) + tie))


def tanh(x: Array) -> Result:
    """Hyperbolic tangent."""
    out = np.tanh(x)
    return out, lambda grad: (grad * (1 - out * out),)


def sigmoid(x: Array) -> Result:
    """``1 / (1 + exp(-x))``."""
    out = logistic(x)
    return out, lambda grad: (grad * out * (1 - out),)


def logistic(x: Array) -> Array:
    """The sigmoid's values alone. Where ``exp(-x)`` overflows, its reciprocal is 0, which is right."""
    with np.errstate(over="ignore"):
        out: Array = np.exp(-x)
    out += 1
    return 1 / out


def relu(x: Array) -> Result:
    """``max(x, 0)``; the derivative at the corner is taken as 0 (Nair & Hinton 2010)."""
    out: Array = np.maximum(x, 0)
    return out, lambda grad: (grad * (out > 0),)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Result:
    """``x`` where positive, else ``negative_slope * x`` (Maas, Hannun & Ng 2013)."""
    slope = negative_slope + (1 - negative_slope) * (x > 0).astype(x.dtype)
    return x * slope, lambda grad: (grad * slope,)


def silu(x: Array) -> Result:
    """``x * sigmoid(x)``, also called swish (Hendrycks & Gimpel 2016; Ramachandran et al. 2017)."""
    gate = logistic(x)
    return x * gate, lambda grad: (grad * gate * (1 + x * (1 - gate)),)


def gelu(x: Array, normal_cdf: Callable[[Array], Array]) -> Result:
    """``x * Φ(x)`` with Φ the standard normal's distribution function (Hendrycks & Gimpel 2016, section 2).

    ``normal_cdf`` is passed in: NumPy has no error function, and this floor needs nothing but NumPy. It is slow; for
    float32 a polynomial takes its place, which is exact to 4e-7.
    """
    flat = x.reshape(-1).astype(np.result_type(x, np.float32), copy=False)
    out = np.empty_like(flat)
    slope = np.empty_like(out)
    for start in range(0, flat.size, 1 << 16):  # pieces that stay in the cache from step to step
        piece = slice(start, start + (1 << 16))
        _gelu(flat[piece], normal_cdf, out[piece], slope[piece])
    return out.reshape(x.shape), lambda grad: (grad * slope.reshape(x.shape),)


def _gelu(x: Array, normal_cdf: Callable[[Array], Array], out: Array, slope: Array) -> None:
    """Fill ``out`` and the derivative. With Q = Φ(-|x|), GELU is ``max(x, 0) - |x| Q``, right also where it is tiny."""
    near = np.clip(x, -40, 40)  # beyond, Q is 0, and x² might overflow
    size = np.abs(near)
    bell = near * near
    bell *= -0.5
    np.exp(bell, out=bell)  # the normal density times √(2π)
    tail = _normal_tail(size, bell) if out.dtype == np.float32 else normal_cdf(-size)
    np.greater(x, 0, out=slope, casting="unsafe")
    slope -= tail
    np.abs(slope, out=slope)  # Φ(x), to which x φ(x) is added
    bell *= 1 / math.sqrt(2 * math.pi)
    bell *= near
    slope += bell
    tail *= size
    np.clip(x, 0, math.inf, out=out)  # faster than np.maximum
    out -= tail


def _normal_tail(z: Array, bell: Array) -> Array:
    """``Φ(-z)`` for z at least 0, given ``exp(-z²/2)`` (Abramowitz & Stegun 1964, 7.1.26, halved, at z/√2)."""
    t = z * (0.3275911 / math.sqrt(2))
    t += 1
    np.divide(1, t, out=t)
    tail: Array = t * 0.5307027145
    for coefficient in (-0.7265760135, 0.7107068705, -0.142248368, 0.127414796):
        tail += coefficient
        tail *= t
    tail *= bell
    return tail


def gelu_tanh(x: Array) -> Result:
    """GELU by a hyperbolic tangent: ``x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`` (Hendrycks & Gimpel 2016)."""
    scale = math.sqrt(2 / math.pi)
    t = np.tanh(scale * (x + 0.044715 * x * x * x))

    def backward(grad: Array) -> tuple[Array]:
        inner = scale * (1 + 3 * 0.044715 * x * x)
        return (grad * 0.5 * (1 + t + x * (1 - t * t) * inner),)

    return 0.5 * x * (1 + t), backward
