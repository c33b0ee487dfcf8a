"""A checkpoint is one file that is replaced in one step: whenever a run is killed, the old one or the new one is whole.

NumPy's runs are saved as .npz: the arrays, and one text in JSON that says where in the state each belongs. PyTorch's are
saved by ``torch.save`` and read with ``weights_only=True``. Neither can run code when it is read.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse import files
from dlcourse.ops.rule import Array


def replace(path: Path, content: bytes) -> None:
    """Write a file beside, force it to the disk, and put it in the place of the old one in one step."""
    files.replace(path, content, part=path.with_name(f".{path.name}.partial"))
    with contextlib.suppress(OSError):  # Windows has no such thing
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def encode(state: dict[str, Any]) -> bytes:
    """Nested dicts, lists and tuples of arrays and plain values, as an .npz file.

    Raises
    ------
    TypeError
        If there is anything else in the state.
    """
    arrays: dict[str, Array] = {}
    text = json.dumps(_without_arrays(state, arrays))
    buffer = io.BytesIO()
    np.savez(buffer, state=np.frombuffer(text.encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode(content: bytes) -> dict[str, Any]:
    """What ``encode`` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        state = json.loads(file["state"].tobytes())
        return _with_arrays(state, {name: file[name] for name in file.files})  # type: ignore[no-any-return]


def _without_arrays(value: Any, arrays: dict[str, Array]) -> Any:
    """What is not JSON as ``{kind: ...}``; arrays go into ``arrays``."""
    if isinstance(value, np.ndarray | np.generic):
        name = f"array{len(arrays)}"
        arrays[name] = np.asarray(value)
        if arrays[name].dtype.hasobject:
            raise TypeError("an array of Python objects cannot be saved in a checkpoint")
        return {"array" if isinstance(value, np.ndarray) else "scalar": name}
    if isinstance(value, dict):
        return {"dict": [[_without_arrays(k, arrays), _without_arrays(v, arrays)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        items = [_without_arrays(item, arrays) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint holds arrays, numbers, strings, lists and dicts, not {type(value).__name__}")


def _with_arrays(value: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "dict":
        return {_with_arrays(k, arrays): _with_arrays(v, arrays) for k, v in content}
    if kind == "tuple":
        return tuple(_with_arrays(item, arrays) for item in content)
    return arrays[content] if kind == "array" else arrays[content][()]
