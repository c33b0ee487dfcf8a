"""dlcourse: the companion package of the course, from a single neuron to AlphaZero.

The public names load on first use, so that ``import dlcourse`` costs NumPy and little more.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> (module, attribute); an attribute of None means the module itself
_PUBLIC = {
    "Tensor": ("dlcourse.tensor", "Tensor"),
    "no_grad": ("dlcourse.tensor", "no_grad"),
    "nn": ("dlcourse.nn", None),
    "optim": ("dlcourse.optim", None),
    "data": ("dlcourse.data", None),
    "train": ("dlcourse.train", None),
    "gradcheck": ("dlcourse.gradients", "gradcheck"),
    "check": ("dlcourse.checks.notebook", "check"),
    "hint": ("dlcourse.checks.notebook", "hint"),
    "progress": ("dlcourse.checks.notebook", "progress"),
    "mine": ("dlcourse.mine", None),
}

__all__ = ["Tensor", "check", "data", "gradcheck", "hint", "mine", "nn", "no_grad", "optim", "progress", "train"]

if TYPE_CHECKING:
    from dlcourse import data, mine, nn, optim, train
    from dlcourse.checks.notebook import check, hint, progress
    from dlcourse.gradients import gradcheck
    from dlcourse.tensor import Tensor, no_grad


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dlcourse' has no attribute {name!r}; it has {', '.join(__all__)}")
    module_name, attribute = _PUBLIC[name]
    module = importlib.import_module(module_name)
    value = module if attribute is None else getattr(module, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
