"""What may stand where an array is expected: arrays, numbers, lists, and whatever NumPy can read (tensors too)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array

FLOAT64 = np.dtype(np.float64)  # comparing with np.float64 itself would make this anew for each op


def as_array(x: Any) -> Array:
    """``x`` as an array with NumPy's own dtype: whole numbers stay integers."""
    return x if isinstance(x, np.ndarray) else np.asarray(x)


def new_array(data: Any) -> Array:
    """The array of a new tensor: NumPy's arrays and scalars keep their dtype, Python's numbers become float32.

    Raises
    ------
    TypeError
        If the data are not numbers.
    ValueError
        If the lists in a list are not equally long.
    """
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"a {type(data).__name__} that is no array; are all rows equally long? ({error})") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"a tensor holds numbers, not {type(data).__name__} of dtype {array.dtype}")
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    from_python = not hasattr(first, "__array__") and array.dtype != bool
    return array.astype(np.float32) if from_python else array


def operand(x: Any) -> Any:
    """An op's input that is no tensor: a number stays Python's number, which never widens float32 to float64."""
    if isinstance(x, (int, float)):
        return x
    if isinstance(x, np.ndarray):
        return x.item() if x.ndim == 0 and x.dtype.kind == "f" else x
    return x.item() if isinstance(x, np.generic) else new_array(x)


def narrow(out: Any, inputs: Sequence[Any]) -> Array:
    """An op's output as an array, of float64 only if an input was: beside integers, float32 stays float32."""
    array: Array = out if type(out) is np.ndarray else np.asarray(out)
    if array.dtype == FLOAT64 and not any(isinstance(x, np.ndarray) and x.dtype == FLOAT64 for x in inputs):
        return array.astype(np.float32)
    return array


def broadcast_fault(name: str, inputs: Sequence[Any]) -> str:
    """What to say when the shapes of an op's inputs do not fit."""
    shapes = " and ".join(str(np.shape(x)) for x in inputs)
    return (
        f"{name}: shapes {shapes} do not broadcast: counted from the last axis, two sizes must be equal, or one of "
        "them 1; reshape one of the inputs"
    )


def index_key(key: Any) -> Any:
    """An index with arrays in place of tensors and lists.

    Raises
    ------
    TypeError
        If an array in it holds neither integers nor booleans.
    """
    if isinstance(key, tuple):
        return tuple(index_key(part) for part in key)
    if not isinstance(key, list) and not hasattr(key, "__array__"):
        return key
    array = np.asarray(key)
    if array.dtype.kind not in "iub" and (array.size or hasattr(key, "__array__")):
        raise TypeError(
            f"an index must be integers, slices or a boolean mask, not an array of dtype {array.dtype}; convert it "
            "with .astype(int)"
        )
    return array if array.dtype.kind in "iub" else array.astype(int)  # an empty list


def axes_or_shape(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """``(2, 3)`` from ``f(2, 3)`` and from ``f((2, 3))``."""
    if len(arguments) == 1 and isinstance(arguments[0], tuple | list):
        return tuple(arguments[0])
    return arguments
