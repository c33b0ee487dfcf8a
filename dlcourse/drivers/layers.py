"""Networks as plain data: a Sequential, ours or PyTorch's, taken apart into layers, and run again from the pieces.

So a trained network can cross from the process that runs a submission to the one that judges it, which counts its
numbers and sends images through it without running any of the submission's code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OPTIONS: dict[str, tuple[str, ...]] = {
    "Conv2d": ("stride", "padding", "dilation", "groups", "padding_mode"),
    "Linear": (),
    "BatchNorm1d": ("eps",),
    "BatchNorm2d": ("eps",),
    "MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "AvgPool2d": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    "AdaptiveMaxPool2d": ("output_size",),
    "AdaptiveAvgPool2d": ("output_size",),
    "Flatten": ("start_dim", "end_dim"),
    "ReLU": (),
    "LeakyReLU": ("negative_slope",),
    "GELU": ("approximate",),
    "SiLU": (),
    "Tanh": (),
    "Sigmoid": (),
    "Softmax": ("dim", "axis"),
    "LogSoftmax": ("dim", "axis"),
    "Dropout": (),
    "Dropout2d": (),
    "Identity": (),
}
ARRAYS = ("weight", "bias", "running_mean", "running_var")
ACTIVATIONS = ("ReLU", "GELU", "SiLU", "Tanh", "Sigmoid")
NOT_IN_USE = {"dilation": 1, "padding_mode": "zeros", "ceil_mode": False}  # what only PyTorch's layers have
LARGEST = 64  # no kernel, stride or padding for images of 8 × 8 is larger
MOST_NUMBERS = 1_000_000  # that a layer may make, or look at, for one image
TOGETHER = 50  # images that are sent through at once


class UnfitError(Exception):
    """A network that cannot be run as it is; says in words why."""


# --- taken apart --------------------------------------------------------------------------------------------------


def described(answer: Any) -> Any:
    """A network as ``{"network": its class, "layers": (layer, …)}``; anything else as it is.

    A layer is ``{"layer": its class, "options": {…}, "arrays": {…}}``, or ``{"again": place}`` where the layer of an
    earlier place, counted from 0, is used once more. A network that is no Sequential has no layers.
    """
    if not isinstance(answer, _module_classes()):
        return answer
    layers = list(_in_order(answer)) if type(answer).__name__ == "Sequential" else []
    places: dict[int, int] = {}
    parts = tuple(
        _layer(layer) if places.setdefault(id(layer), place) == place else {"again": places[id(layer)]}
        for place, layer in enumerate(layers)
    )
    return {"network": type(answer).__name__, "layers": parts}


def _module_classes() -> tuple[type, ...]:
    """The base classes of networks in the libraries that are loaded; an answer cannot be of another."""
    loaded = (sys.modules.get("dlcourse.nn.module"), sys.modules.get("torch.nn"))
    return tuple(module.Module for module in loaded if module is not None)


def _in_order(network: Any) -> Iterator[Any]:
    for child in network:  # a layer that stands in several places comes up in each of them
        if type(child).__name__ == "Sequential":
            yield from _in_order(child)
        else:
            yield child


def _layer(layer: Any) -> dict[str, Any]:
    name = type(layer).__name__
    if not type(layer).__module__.startswith(("torch.nn.", "dlcourse.nn")):
        name = f"{name}, a class of your own"
    if name not in OPTIONS:
        return {"layer": name, "options": {}, "arrays": {}}
    return {
        "layer": name,
        "options": {option: getattr(layer, option) for option in OPTIONS[name] if hasattr(layer, option)},
        "arrays": {key: _array(value) for key in ARRAYS if (value := getattr(layer, key, None)) is not None},
    }


def _array(tensor: Any) -> Array:
    tensor = tensor.detach()
    return np.asarray(tensor.cpu().float().numpy() if hasattr(tensor, "cpu") else tensor.numpy(), dtype=np.float32)


# --- put together again, from data that nobody vouches for --------------------------------------------------------


def layers_of(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers of a description, each of a kind that is known and with nothing in it but numbers.

    Raises
    ------
    UnfitError
        If one is not.
    """
    layers = description.get("layers")
    if not isinstance(layers, Sequence) or not 0 < len(layers) <= 200:
        raise UnfitError("it has no layers")
    found: list[dict[str, Any]] = []
    for layer in layers:
        if isinstance(layer, Mapping) and "again" in layer:
            found.append(_earlier(found, layer["again"]))
            continue
        name = layer.get("layer") if isinstance(layer, Mapping) else None
        if not isinstance(name, str) or name not in OPTIONS:
            raise UnfitError(f"it has a layer that is not on the list: {str(name)[:60]}")
        arrays = {key: _numbers(value) for key, value in dict(layer.get("arrays", {})).items()}
        found.append({"layer": name, "options": dict(layer.get("options", {})), "arrays": arrays})
        for option, usual in NOT_IN_USE.items():
            if option in found[-1]["options"] and found[-1]["options"][option] not in (usual, (usual, usual)):
                raise UnfitError(f"a {name} has {option}={found[-1]['options'][option]!r}")
    return found


def _earlier(found: Sequence[dict[str, Any]], place: Any) -> dict[str, Any]:
    if type(place) is not int or not 0 <= place < len(found):
        raise UnfitError("it uses a layer again that it does not have")
    return found[place]


def _numbers(value: Any) -> Array:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise UnfitError("a weight is no array of numbers")
    return value.astype(np.float64)


def count(layers: Sequence[Mapping[str, Any]]) -> int:
    """How many numbers these layers learn; a layer that is used again has no new ones."""
    each = {id(layer): layer["arrays"] for layer in layers}.values()
    return sum(arrays[key].size for arrays in each for key in ("weight", "bias") if key in arrays)


def logits_of(layers: Sequence[Mapping[str, Any]], images: Array, own_statistics: bool = False) -> Array:
    """What the network gives in evaluation mode for images (N, 1, 8, 8).

    Parameters
    ----------
    own_statistics : batch norm takes those of these images, as in training mode

    Raises
    ------
    UnfitError
        If shapes do not go together, with the layer's place and name.
    """
    if own_statistics:
        return _forward(layers, images, True)
    return np.concatenate([_forward(layers, part, False) for part in np.array_split(images, len(images) // TOGETHER)])


def _forward(layers: Sequence[Mapping[str, Any]], h: Array, own_statistics: bool) -> Array:
    from dlcourse.tensor import no_grad

    for place, layer in enumerate(layers, 1):
        came = h.shape
        try:
            with no_grad(), np.errstate(all="ignore"):
                h = np.asarray(_run(layer, h, own_statistics))
        except (ValueError, TypeError, KeyError, IndexError):
            raise UnfitError(f"layer {place}, {layer['layer']}, cannot take what comes: {came[1:]}") from None
        if h.size > MOST_NUMBERS * len(h):
            raise UnfitError(f"layer {place}, {layer['layer']}, makes too many numbers")
    return h


def _run(layer: Mapping[str, Any], h: Array, own_statistics: bool) -> Any:
    from dlcourse.nn import functional as F  # noqa: N812

    name, options, arrays = layer["layer"], layer["options"], layer["arrays"]
    if name == "Conv2d":
        weight = arrays["weight"]
        padding = options.get("padding", 0)
        padding = padding if padding in ("same", "valid") else _pair(padding)
        groups = options.get("groups", 1)
        _bounded(weight[0].size * groups * h.shape[2] * h.shape[3] * 4)
        return F.conv2d(h, weight, arrays.get("bias"), _pair(options.get("stride", 1)), padding, 1, groups).data
    if name == "Linear":
        return F.linear(h, arrays["weight"], arrays.get("bias")).data
    if name in ("BatchNorm1d", "BatchNorm2d"):
        return _batch_norm(h, arrays, float(options.get("eps", 1e-5)), own_statistics)
    if name in ("MaxPool2d", "AvgPool2d"):
        kernel = options["kernel_size"]
        stride = kernel if options.get("stride") is None else options["stride"]
        sizes = _pair(kernel), _pair(stride), _pair(options.get("padding", 0))
        if name == "MaxPool2d":
            return F.max_pool2d(h, *sizes).data
        return F.avg_pool2d(h, *sizes, count_include_pad=bool(options.get("count_include_pad", True))).data
    if name in ("AdaptiveMaxPool2d", "AdaptiveAvgPool2d"):
        return _shrunk(h, _pair(options["output_size"]), np.max if name == "AdaptiveMaxPool2d" else np.mean)
    if name == "Flatten":
        return _flattened(h, options.get("start_dim", 1), options.get("end_dim", -1))
    if name == "LeakyReLU":
        return np.where(h > 0, h, h * float(options.get("negative_slope", 0.01)))
    if name == "GELU":
        return F.gelu(h, "tanh" if options.get("approximate") == "tanh" else "none").data
    if name in ACTIVATIONS:
        activations: dict[str, Callable[[Any], Any]] = {"ReLU": F.relu, "SiLU": F.silu, "Tanh": F.tanh, "Sigmoid": F.sigmoid}  # fmt: skip
        return activations[name](h).data
    if name in ("Softmax", "LogSoftmax"):
        return _softmax(h, name, options.get("axis", options.get("dim")))
    return h  # dropout is off


def _softmax(h: Array, name: str, axis: Any) -> Array:
    axis = 1 if axis is None else axis
    if type(axis) is not int or axis in (0, -h.ndim):
        raise UnfitError(f"its {name} runs over axis {str(axis)[:20]}, the examples")
    z = h - h.max(axis=axis, keepdims=True)
    z = z - np.log(np.exp(z).sum(axis=axis, keepdims=True))
    return np.asarray(np.exp(z) if name == "Softmax" else z)


def _pair(value: Any) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or any(type(part) is not int or not 0 <= part <= LARGEST for part in pair):
        raise ValueError(f"{value!r} is no size")
    return pair


def _bounded(numbers: int) -> None:
    if numbers > MOST_NUMBERS:
        raise UnfitError("a convolution is too large for this task")


def _batch_norm(h: Array, arrays: Mapping[str, Array], eps: float, own_statistics: bool) -> Array:
    wide = (1, -1, *[1] * (h.ndim - 2))
    axes = (0, *range(2, h.ndim))
    mean, var = arrays.get("running_mean"), arrays.get("running_var")
    if own_statistics or mean is None or var is None:
        mean, var = h.mean(axis=axes), h.var(axis=axes)
    out = (h - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + eps)
    out = out * arrays["weight"].reshape(wide) if "weight" in arrays else out
    out = out + arrays["bias"].reshape(wide) if "bias" in arrays else out
    if out.shape != h.shape:
        raise ValueError("another number of channels")
    return out


def _shrunk(h: Array, size: tuple[int, int], summary: Callable[..., Array]) -> Array:
    """A mean or maximum of as many parts as asked for, along each of the last two axes; parts may overlap by a pixel."""
    for axis, parts in zip((2, 3), size, strict=True):
        n = h.shape[axis]
        pieces = [h.take(range(k * n // parts, -(-(k + 1) * n // parts)), axis=axis) for k in range(parts)]
        h = np.stack([summary(piece, axis=axis) for piece in pieces], axis=axis)
    return h


def _flattened(h: Array, start: Any, end: Any) -> Array:
    if start != 1 or end not in (-1, h.ndim - 1):
        raise ValueError("examples would be mixed")
    return h.reshape(len(h), -1)
