"""Compare what came back with what was expected: first the form, then the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers import Opaque, Outcome

Array = NDArray[Any]


@dataclass(frozen=True)
class Tolerance:
    """How near is near enough: relative and absolute, for float64 results."""

    rtol: float
    atol: float

    def of(self, *arrays: Array) -> tuple[float, float]:
        """The tolerances for these arrays: float32 carries about 7 digits, so it is given more room."""
        if any(array.dtype in (np.float32, np.float16) for array in arrays):
            return max(self.rtol, 1e-4), max(self.atol, 1e-6)
        return self.rtol, self.atol


def as_array(value: Any) -> Array | None:
    """The value as a numeric or boolean array, or None where it is neither a number, an array nor nested lists of them."""
    if isinstance(value, str | dict | Opaque) or value is None:
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # ragged
        return None
    return array if array.dtype.kind in "bifcu" or _holds_numbers(array) else None


def _holds_numbers(array: Array) -> bool:
    return array.dtype == object and all(isinstance(item, int | float | np.number) for item in array.ravel().tolist())


def close(a: Array, b: Array, tolerance: Tolerance) -> NDArray[np.bool_]:
    """Entry by entry: equal within tolerance, and NaN and infinities in the same places; the shapes must broadcast."""
    rtol, atol = tolerance.of(a, b)
    if a.dtype == object or b.dtype == object:
        a, b = a.astype(float), b.astype(float)
    if a.dtype.kind == "b":
        a = a.astype(int)
    if b.dtype.kind == "b":
        b = b.astype(int)
    return np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def all_close(a: Array, b: Array, tolerance: Tolerance) -> bool:
    """Whether all entries are `close`; of the same numbers to the last bit it is told at once, and most answers are."""
    if a.dtype == b.dtype != object and a.shape == b.shape and a.tobytes() == b.tobytes():
        return True
    return bool(close(a, b, tolerance).all())


def equal(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    """Whether ``got`` is right: values, shape, and a dtype of the right kind."""
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and expected.keys() <= got.keys()  # more than was asked for does no harm
            and all(equal(expected[key], got[key], tolerance) for key in expected)
        )
    if isinstance(expected, tuple):
        parts = parts_of(got, len(expected))
        return parts is not None and all(equal(a, b, tolerance) for a, b in zip(expected, parts, strict=True))
    if expected is None or isinstance(expected, str | Opaque):
        return type(expected) is type(got) and bool(expected == got)
    a, b = as_array(expected), as_array(got)
    if a is None or b is None or a.shape != b.shape or not kinds_agree(a, b, got):
        return False
    return all_close(a, b, tolerance)


def parts_of(got: Any, count: int) -> tuple[Any, ...] | None:
    """The separate results in ``got``, or None where it does not hold that many."""
    if isinstance(got, tuple) and len(got) == count:
        return got
    if isinstance(got, np.ndarray) and got.ndim >= 1 and len(got) == count:
        return tuple(got)
    return None


def kinds_agree(expected: Array, got: Array, original: Any = None) -> bool:
    """Whether the dtypes are of one kind; a whole number may stand for a float where it is a plain Python number."""
    if expected.dtype.kind == "f":
        return got.dtype.kind == "f" or (type(original) is int and got.ndim == 0)
    if expected.dtype.kind in "iu":
        return got.dtype.kind in "iu" or (got.dtype.kind == "f" and got.ndim == 0)
    return expected.dtype.kind == got.dtype.kind


def same_result(a: Outcome, b: Outcome, tolerance: Tolerance) -> bool:
    """Whether two outcomes cannot be told apart: value or exception, and the arguments changed."""
    return a.mutated == b.mutated and same_value(a, b, tolerance)


def same_value(a: Outcome, b: Outcome, tolerance: Tolerance) -> bool:
    """Whether two outcomes have the same value, or the same type of exception."""
    if a.failure or b.failure:
        return bool(a.failure and b.failure and a.failure.type == b.failure.type)
    return alike(a.value, b.value, tolerance)


def alike(a: Any, b: Any, tolerance: Tolerance) -> bool:
    """Symmetric sameness of two results of answers: form, shape, kind of dtype, NaN pattern, values."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key], tolerance) for key in a)
    if isinstance(a, tuple) and isinstance(
        b, tuple
    ):  # part by part: stacked, parts of different dtypes would look alike
        return len(a) == len(b) and all(alike(p, q, tolerance) for p, q in zip(a, b, strict=True))
    x, y = as_array(a), as_array(b)
    if x is not None and y is not None:
        kinds = "iu" if x.dtype.kind in "iu" else x.dtype.kind
        return x.shape == y.shape and y.dtype.kind in kinds and all_close(x, y, tolerance)
    if isinstance(a, tuple) != isinstance(b, tuple):
        return False
    return type(a) is type(b) and np.array_equal(a, b)  # arrays of text may differ in shape
