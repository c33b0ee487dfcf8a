"""Module: a layer or a network, which is parameters, further modules, and a function of its input.

A module finds its parts by looking through its own attributes: whatever is a Parameter, a Buffer or a Module belongs to
it. So there is nothing to register, and a part's name is the path of attributes that leads to it: ``hidden.weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

import numpy as np

from dlcourse.ops.rule import Array
from dlcourse.tensor import Tensor

T = TypeVar("T", bound=Tensor)


class Parameter(Tensor):
    """A tensor that a module learns: it asks for a gradient."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)


class Buffer(Tensor):
    """A tensor that a module keeps and saves but does not learn, such as a running mean; integers too."""

    __slots__ = ()


class Module:
    """Base class of layers and networks: define ``forward``; give parameters, buffers and submodules as attributes."""

    training: bool = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; called by calling the module."""
        raise NotImplementedError(f"{type(self).__name__} needs a forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """``module(x)`` is ``module.forward(x)``."""
        return self.forward(*args, **kwargs)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one, with their attribute's names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def modules(self) -> Iterator[Module]:
        """This module and all inside it."""
        yield self
        for _, child in self.named_children():
            yield from child.modules()

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Each parameter once, with its path: ``0.weight``; a shared one under its first name."""
        return _each_once(self._paths(Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Each parameter once: what an optimizer is given."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Each buffer once, with its path: ``1.running_mean``."""
        return _each_once(self._paths(Buffer))

    def _paths(self, *kinds: type[T], prefix: str = "") -> Iterator[tuple[str, T]]:
        """Parts of these kinds: first the module's own, kind by kind, then its children's."""
        for kind in kinds:
            for name, value in vars(self).items():
                if isinstance(value, kind):
                    yield prefix + name, value
        for name, child in self.named_children():
            yield from child._paths(*kinds, prefix=f"{prefix}{name}.")

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Call ``fn`` on each module, the inner ones first: to set starting weights by ``nn.init``, say."""
        for _, child in self.named_children():
            child.apply(fn)
        fn(self)
        return self

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all inside it to training mode (or, with False, to evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode."""
        return self.train(False)

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by name, with PyTorch's keys and shapes."""
        return {name: tensor.data.copy() for name, tensor in self._paths(Parameter, Buffer)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy values into the parameters and buffers, which stay the same objects and keep their dtype.

        Parameters
        ----------
        state_dict : name -> array (or anything that NumPy reads as one, such as a PyTorch tensor on the CPU)

        Raises
        ------
        ValueError
            If a name is missing or unexpected, or a shape differs; nothing is changed then.
        """
        own: dict[str, Tensor] = dict(self._paths(Parameter, Buffer))
        values = {name: np.asarray(value) for name, value in state_dict.items()}
        faults = [f"{name!r} of shape {own[name].shape} is missing" for name in own if name not in values]
        faults += [f"{name!r} of shape {values[name].shape} is unexpected" for name in values if name not in own]
        faults += [
            f"{name!r} has shape {values[name].shape}, the module's has shape {own[name].shape}"
            for name in own
            if name in values and values[name].shape != own[name].shape
        ]
        if faults:
            raise ValueError(f"load_state_dict of {type(self).__name__}: " + "; ".join(faults))
        for name, tensor in own.items():
            tensor.data[...] = values[name]

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module is printed."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        inside = "\n  " + "\n  ".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({inside})"


def _each_once(paths: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    seen: set[int] = set()
    for name, tensor in paths:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor


class ModuleList(Module):
    """Modules in a row, found by number; their names are "0", "1", …"""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__} holds modules, not {type(module).__name__}; functions such as "
                            "F.relu have modules beside them, such as nn.ReLU()")  # fmt: skip
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return list(self)[index]
        part = type(self)()
        for module in list(self)[index]:
            part.append(module)
        return part


class Sequential(ModuleList):
    """Modules applied one after the other: ``Sequential(Linear(2, 8), Tanh(), Linear(8, 1))``."""

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, input: Any) -> Any:
        """The output of the last module, each given the output of the one before."""
        for module in self:
            input = module(input)
        return input
