"""What judge and worker say to each other: JSON and raw arrays over one socket, and nothing that is believed unseen.

A message is two lengths, a JSON text, and the arrays' bytes after it. The reading side bounds both lengths before it
reads and checks every dtype, shape and place; whatever does not fit raises `GarbledError`. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from math import prod
from typing import Any, Literal

import numpy as np

from dlcourse.drivers import Fn, Opaque, Rng

MOST_TEXT = 16 << 20
MOST_BYTES = 64 << 20
DEEPEST = 40
HEADER = struct.Struct(">II")
MEMORY_ERRORS = {"MemoryError", "_ArrayMemoryError", "TooLargeError"}
LAST_FAILURES = {"TimeLimit", "NotImplementedError", *MEMORY_ERRORS}  # no other case is run after one of them
DTYPE = re.compile(r"[<>|=](?:b1|[iu][1248]|f(?:2|4|8|16)|c(?:8|16|32)|U\d{1,6})")


class GarbledError(Exception):
    """The other side does not keep to the protocol."""


class TooLargeError(Exception):
    """A value is larger than a message may be."""


class Channel:
    """One end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._come = bytearray()  # what has come and is not read yet

    def send(self, message: dict[str, Any], until: float | None = None) -> None:
        """Send a message, up to a time as in `receive`.

        Raises
        ------
        TooLargeError
            If it does not fit; nothing has been sent then.
        OSError
            If the other side is gone.
        """
        self.send_packed(packed(message), until)

    def send_packed(self, data: bytes | bytearray, until: float | None = None) -> None:
        """Send messages that are `packed` already."""
        self.end.settimeout(None if until is None else max(0.01, until - time.monotonic()))
        self.end.sendall(data)

    def receive(self, until: float | None = None) -> dict[str, Any]:
        """The next message.

        Parameters
        ----------
        until : when to give up, by ``time.monotonic()``

        Raises
        ------
        TimeoutError
            If it has not come by then.
        EOFError
            If the other side is gone.
        GarbledError
            If it is no message.
        """
        text_length, raw_length = HEADER.unpack(self._exactly(HEADER.size, until))
        if text_length > MOST_TEXT or raw_length > MOST_BYTES:
            raise GarbledError("lengths out of bounds")
        text, raw = self._exactly(text_length, until), self._exactly(raw_length, until)
        try:
            message = _decoded(json.loads(text), raw, 0)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, RecursionError) as error:
            raise GarbledError(f"{type(error).__name__}") from None
        if not isinstance(message, dict):
            raise GarbledError("not a message")
        return message

    def close(self) -> None:
        """Close this end."""
        self.end.close()

    def _exactly(self, count: int, until: float | None) -> bytes:
        while len(self._come) < count:
            if until is None:
                self.end.settimeout(None)
            else:
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self.end.settimeout(left)
            try:
                part = self.end.recv(1 << 18)
            except ConnectionError:
                part = b""
            if not part:
                raise EOFError
            self._come += part
        with memoryview(self._come) as view:
            found = bytes(view[:count])
        del self._come[:count]
        return found


def packed(message: dict[str, Any]) -> bytes:
    """A message as it goes over the line.

    Raises
    ------
    TooLargeError
        If it is larger than the other side would read.
    """
    raw = bytearray()
    try:
        text = json.dumps(_encoded(message, raw, 0)).encode()
    except RecursionError:
        raise TooLargeError("nested too deeply") from None
    if len(text) > MOST_TEXT or len(raw) > MOST_BYTES:
        raise TooLargeError(f"{(len(text) + len(raw)) >> 20} MB")
    return b"".join((HEADER.pack(len(text), len(raw)), text, raw))


def _encoded(value: Any, raw: bytearray, depth: int) -> Any:
    """Plain data as JSON, arrays in ``raw``: what is not a JSON scalar becomes a list that begins with its kind."""
    if depth > DEEPEST:
        raise TooLargeError("nested too deeply")
    if value is None or type(value) in (bool, float, str):
        return value
    if type(value) is int:
        return value if abs(value) < 1 << 63 else ["int", hex(value)]
    if type(value) is complex:
        return ["complex", value.real, value.imag]
    if isinstance(value, np.generic):
        return ["scalar", _encoded(np.array(value), raw, depth + 1)]
    if isinstance(value, np.ndarray):
        return _encoded_array(value, raw, depth)
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return [kind, *(_encoded(item, raw, depth + 1) for item in value)]
    if isinstance(value, dict):
        return ["dict", *([_encoded(key, raw, depth + 1), _encoded(v, raw, depth + 1)] for key, v in value.items())]
    if isinstance(value, Opaque):
        return ["opaque", value.type]
    if isinstance(value, Rng):
        return ["rng", value.seed]
    if isinstance(value, Fn):
        return ["fn", value.name]
    raise TypeError(f"{type(value).__name__} is not plain data")


def _encoded_array(value: np.ndarray[Any, Any], raw: bytearray, depth: int) -> Any:
    if value.dtype == object:
        return ["objects", list(value.shape), *(_encoded(item, raw, depth + 1) for item in value.ravel().tolist())]
    if not DTYPE.fullmatch(value.dtype.str):
        return ["opaque", f"an array of {value.dtype}"]
    if len(raw) + value.nbytes > MOST_BYTES:
        raise TooLargeError(f"{(len(raw) + value.nbytes) >> 20} MB")
    order: Literal["C", "F"] = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    start = len(raw)
    raw += value.tobytes(order=order)
    return ["array", value.dtype.str, list(value.shape), order, start]


def _decoded(value: Any, raw: bytes, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if not isinstance(value, list):
        if isinstance(value, dict):
            raise ValueError("a bare object")
        return value
    kind, *parts = value
    if kind in ("list", "tuple"):
        items = [_decoded(item, raw, depth + 1) for item in parts]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {_key(_decoded(key, raw, depth + 1)): _decoded(item, raw, depth + 1) for key, item in parts}
    if kind == "array":
        return _decoded_array(parts, raw)
    if kind == "scalar":
        array = _decoded(parts[0], raw, depth + 1)
        return array[()] if isinstance(array, np.ndarray) and array.ndim == 0 else _fail()
    if kind == "objects":
        return _decoded_objects(parts)
    if kind == "int":
        return int(_of(str, parts[0])[:5000], 16)
    if kind == "complex":
        return complex(float(parts[0]), float(parts[1]))
    if kind == "rng":
        return Rng(_of(int, parts[0]))
    makers = {"opaque": Opaque, "fn": Fn}
    return makers[kind](_of(str, parts[0])[:200])


def _decoded_array(parts: list[Any], raw: bytes) -> Any:
    name, shape, order, start = parts
    if not DTYPE.fullmatch(_of(str, name)) or order not in ("C", "F") or len(shape) > 32:
        _fail()
    if any(type(length) is not int or not 0 <= length <= 1 << 32 for length in shape):
        _fail()
    dtype = np.dtype(name)
    count, start = prod(shape), _of(int, start)
    if count * dtype.itemsize > MOST_BYTES or not 0 <= start <= len(raw) - count * dtype.itemsize:
        _fail()
    if name.endswith("b1"):
        array = np.frombuffer(raw, np.uint8, count, start) != 0
    else:
        array = np.frombuffer(raw, dtype, count, start) if dtype.itemsize else np.zeros(count, dtype)
    array = np.array(array).reshape(shape, order=order)
    if dtype.kind == "U":
        array.tolist()  # raises where these are no characters
    return array


def _decoded_objects(parts: list[Any]) -> Any:
    shape, *items = parts
    if any(type(length) is not int or length < 0 for length in shape) or prod(shape) != len(items):
        _fail()
    numbers = [_decoded(item, b"", 1) for item in items]
    if any(type(number) not in (int, float, bool) for number in numbers):
        _fail()
    array = np.empty(len(items), dtype=object)
    array[:] = numbers
    return array.reshape(shape)


def _key(key: Any) -> Any:
    return key if isinstance(key, str | int | float | bool | tuple) or key is None else _fail()


def _of(kind: type, value: Any) -> Any:
    return value if type(value) is kind else _fail()


def _fail() -> Any:
    raise ValueError("not in the protocol")
