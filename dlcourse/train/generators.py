"""The states of all sources of randomness in a run, so that a resumed one draws what the unbroken one would have drawn.

Generators are found where objects keep them: in attributes of the layers, the loss and the loaders, and of what these
hold (a dataset, a sampler, transforms in a list). One that only a closure knows is not found; a callback can save it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

DEPTH, LENGTH = 5, 64  # how far to look into objects, and how long a list of them may be

States = dict[str, Any]


def find(roots: Mapping[str, Any]) -> dict[str, Any]:
    """NumPy's and PyTorch's generators in the objects, each once, by the path that leads to it."""
    found: dict[str, Any] = {}
    for name, root in roots.items():
        others = {id(other) for other in roots.values() if other is not root}  # searched by themselves
        for path, generator in _search(root, name, DEPTH, others):
            if all(generator is not known for known in found.values()):
                found[path] = generator
    return found


def _search(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if _is_generator(value):
        yield path, value
    elif depth and id(value) not in seen:
        seen.add(id(value))
        for name, part in _parts(value):
            yield from _search(part, f"{path}.{name}", depth - 1, seen)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple | dict):
        named = value.items() if isinstance(value, dict) else enumerate(value)
        yield from ((str(name), part) for name, part in named) if len(value) <= LENGTH else ()
    elif type(value).__module__ != "builtins" and not isinstance(value, type):  # neither function, class nor module
        yield from getattr(value, "__dict__", {}).items()


def _is_generator(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return isinstance(value, np.random.Generator) or (torch is not None and isinstance(value, torch.Generator))


def read(found: Mapping[str, Any]) -> States:
    """Their states, and those of Python's and NumPy's global ones, as plain lists and numbers."""
    version, words, gauss = random.getstate()
    states = {
        "python": [version, list(words), gauss],
        "numpy": _plain(np.random.get_state(legacy=False)),  # noqa: NPY002  (not ours, but a user's transforms may draw)
    }
    for path, generator in found.items():
        is_numpy = isinstance(generator, np.random.Generator)
        states[path] = _plain(generator.bit_generator.state if is_numpy else generator.get_state())
    return states


def write(found: Mapping[str, Any], states: States) -> None:
    """Set them all to what ``read`` returned.

    Raises
    ------
    ValueError
        If there are generators without a saved state, or the other way round.
    """
    if different := found.keys() ^ (states.keys() - {"python", "numpy"}):
        raise ValueError(f"the generators {sorted(different)} are only in the checkpoint or only in this run; resume with "
                         "the loaders, model and loss that the run began with")  # fmt: skip
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(states["numpy"])  # noqa: NPY002
    for path, generator in found.items():
        if isinstance(generator, np.random.Generator):
            generator.bit_generator.state = states[path]
        else:
            import torch

            generator.set_state(torch.tensor(states[path], dtype=torch.uint8))


def _plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    to_list: Callable[[], Any] | None = getattr(state, "tolist", None)
    return to_list() if to_list is not None else state
