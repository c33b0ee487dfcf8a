"""What unit 14's answers need beyond a plain call: translators of images, two players watched at a step, a ring to cover."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.case import Opaque, plain
from dlcourse.drivers.functions import register
from dlcourse.drivers.layers import UnfitError, described, layers_of, logits_of

Array = NDArray[Any]

# --- translators of images ----------------------------------------------------------------------------------------


@register
def darken(x: Array) -> Array:
    """x²: bright stays bright."""
    return np.asarray(x * x)


@register
def brighten(x: Array) -> Array:
    """Nearly the way back from ``darken``."""
    return np.asarray(0.9 * np.abs(x) ** 0.6 + 0.05)


@register
def invert(x: Array) -> Array:
    """1 - x, which undoes itself."""
    return np.asarray(1 - x)


@register
def hand_back(x: Array) -> Array:
    """The very array that is given, so who writes into the result writes into the images."""
    return x


@register
def turn_round(x: Array) -> Array:
    """Rows and columns in reverse, and a little less ink."""
    return np.asarray(0.8 * x[..., ::-1, ::-1])


@register
def colorize(x: Array) -> Array:
    """(N, 1, H, W) -> (N, 3, H, W): red as it is, green darker, no blue."""
    return np.concatenate([x, x * x / 2, np.zeros_like(x)], axis=1)


@register
def bleach(x: Array) -> Array:
    """(N, 3, H, W) -> (N, 1, H, W): the brightest of the three colors."""
    return np.asarray(x.max(axis=1, keepdims=True))


# --- two players --------------------------------------------------------------------------------------------------

SECOND_TIME = "backward runs twice through the same graph"
OLD_WEIGHTS = "backward runs through weights that a step has changed since"
FROZEN = "backward finds no graph in the discriminator's half of a later turn"
CUT = "backward finds no graph in the generator's half"
SAFE = "each backward finds its graph as it was"
UNTOUCHED, REACHED = "no slope reaches it", "a slope reaches it"


def plays(answer: Callable[..., Any], G: str, D: str, by_G: str, by_D: str, real: Array, z: Array) -> Any:
    """What ``answer(G, D, optimizer_G, optimizer_D, real, z)`` does to two real networks, called once for each batch.

    Parameters
    ----------
    G, D : such as "2, 4, 1, seed 7", or with ", head times 9" the same with a last layer of larger weights
    by_G, by_D : such as "SGD, lr 0.5"
    real : (S, N, 2), S batches
    z : (S, M, Z)
    """
    import torch

    from dlcourse.drivers.adversaries_torch import Player, double_mlp
    from dlcourse.drivers.characters_torch import flat

    networks = [double_mlp(*_numbers(text)) for text in (G, D)]
    log: list[str] = []
    for weight in networks[0].parameters():
        weight.register_hook(lambda slope: log.append("slope in G"))  # type: ignore[no-untyped-call]
    players = [
        Player(network.parameters(), float(_numbers(by)[0]), name, log)
        for network, by, name in zip(networks, (by_G, by_D), "GD", strict=True)
    ]
    early, reached, moved, weights = False, False, [], []
    losses: list[list[float]] = []
    for images, noise in zip(real, z, strict=True):
        log.clear()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                given = plain(answer(*networks, *players, torch.from_numpy(images), torch.from_numpy(noise)))
            except RuntimeError as error:
                graph = _graph_trouble(str(error), "D" in log, bool(losses))
                if not graph:
                    raise
                return {"the way back": graph}
        if given is None:
            return None
        form = _form_of_two(given)
        if form:
            return {"the way back": SAFE, "form of the result": form}
        early = early or "slope in G" in log[: log.index("D") if "D" in log else 0]
        reached = reached or "slope in G" in log
        moved.append(", ".join(name for name in log if name in "GD") or "nobody")
        losses.append([float(one) for one in given])
        weights.append([flat(network) for network in networks])
    return {
        "loss_D of the first step": losses[0][0],
        "loss_G of the first step": losses[0][1],
        "who steps": " then ".join(dict.fromkeys(moved)),
        "the generator before the discriminator's step": REACHED if early else UNTOUCHED,
        "the generator in the whole turn": REACHED if reached else UNTOUCHED,
        "the way back": SAFE,
        "form of the result": "two numbers",
        "weights of D after the first step": weights[0][1],
        "weights of G after the first step": weights[0][0],
        "losses of all steps, D's and G's by turns": np.array(losses).ravel(),
        "weights of D at the end": weights[-1][1],
        "weights of G at the end": weights[-1][0],
    }


def _numbers(text: str) -> list[Any]:
    """Whole numbers and others, as they come."""
    return [float(word) if "." in word else int(word) for word in re.findall(r"\d+\.?\d*", text)]


def _graph_trouble(said: str, D_has_moved: bool, later: bool) -> str:
    """What a ``backward`` had against its graph; empty where the error is about something else."""
    if "does not require grad" in said:
        return CUT if D_has_moved else FROZEN if later else ""
    return SECOND_TIME if "second time" in said else OLD_WEIGHTS if "inplace operation" in said else ""


def _form_of_two(given: Any) -> str:
    """What is wrong with the form of a pair of numbers; empty where nothing is."""
    if isinstance(given, np.ndarray) and given.shape == (2,):
        return ""
    if not isinstance(given, tuple):
        return getattr(given, "type", "one number" if np.ndim(given) == 0 else "an array of another form")
    strange = next((item.type for item in given if isinstance(item, Opaque)), "")
    if strange:
        return f"{strange} in place of a number"
    return "" if len(given) == 2 and all(np.ndim(item) == 0 for item in given) else f"{len(given)} values"


# --- slopes with respect to inputs, and what they are divided by ----------------------------------------------------

NO_GRAPH = "none: it hangs on no weight"
KEPT, GONE, CHANGED = "as they were", "set to zero", "something is added"


def penalizes(answer: Callable[..., Any], D: str, real: Array, fake: Array, mix: Array) -> Any:
    """The penalty that ``answer(D, real, fake, mix)`` gives, and what its own slope in the weights of D is."""
    import torch

    from dlcourse.drivers.adversaries_torch import double_mlp

    network = double_mlp(*_numbers(D))
    weights = list(network.parameters())
    for weight in weights:  # as the discriminator's loss may have left them
        weight.grad = torch.linspace(-1, 1, weight.numel(), dtype=weight.dtype).reshape(weight.shape)
    before = [weight.grad.clone() for weight in weights if weight.grad is not None]
    samples = [torch.from_numpy(array) for array in (real, fake, mix)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        given = answer(network, *samples)
    if given is None:
        return None
    if not isinstance(given, torch.Tensor):
        kind = plain(given)
        return {
            "form of the result": getattr(kind, "type", "a number, not a tensor" if np.ndim(kind) == 0 else "an array")
        }
    if given.numel() != 1:
        return {"form of the result": f"a tensor of shape {tuple(given.shape)}"}
    after = [weight.grad for weight in weights]
    kept = all(grad is not None and torch.equal(grad, old) for grad, old in zip(after, before, strict=True))
    gone = not kept and all(grad is None or not grad.any() for grad in after)
    slopes = (
        torch.autograd.grad(given.sum(), weights, allow_unused=True, retain_graph=True) if given.requires_grad else ()
    )
    found = [np.zeros(w.numel()) if s is None else s.numpy().ravel() for s, w in zip(slopes, weights, strict=False)]
    return {
        "penalty": given.item(),
        "form of the result": "a tensor of one number",
        "slopes of the penalty in the weights of D": np.concatenate(found) if found else NO_GRAPH,
        "gradients in the weights of D": KEPT if kept else GONE if gone else CHANGED,
        "graph behind real, fake and mix": "some" if any(array.requires_grad for array in samples) else "none",
    }


def normalizes(answer: Callable[..., Any], weight: Array, u: Array, steps: int) -> Any:
    """The two results of ``answer(weight, u, steps)``, and the slope of a weighted sum of the first in ``weight``."""
    import torch

    W = torch.from_numpy(weight).requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        given = answer(W, torch.from_numpy(u), steps)
    if given is None:
        return None
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(isinstance(g, torch.Tensor) for g in given):
        return {"form of the result": _form_of_tensors(given)}
    normal, direction = given
    c = np.random.default_rng(normal.numel()).normal(size=tuple(normal.shape))
    slope: Any = NO_GRAPH
    if normal.requires_grad:
        (found,) = torch.autograd.grad((normal * torch.from_numpy(c)).sum(), W, allow_unused=True, retain_graph=True)
        slope = NO_GRAPH if found is None else found.numpy()
    return {
        "u": direction.detach().numpy(),
        "weight / sigma": normal.detach().numpy(),
        "slopes in the weight": slope,
        "form of the result": "two tensors",
        "graph behind u": "some" if direction.requires_grad else "none",
    }


def _form_of_tensors(given: Any) -> str:
    if isinstance(given, tuple | list):
        return f"{len(given)} values" if len(given) != 2 else "two values that are not both tensors"
    kind = plain(given)
    return getattr(kind, "type", f"a {type(kind).__name__}")


# --- a ring to cover ----------------------------------------------------------------------------------------------

LATENT, SAMPLES = 64, 2000
GENERATOR, ANOTHER_Z = "a generator", "another size of z"
INSTEAD = {"a RingRun": "a run", "a RingSettings": "settings", "a Tensor": "samples", "a function": "a function"}
SEVERAL, WEIGHTS, TEXT = "several things", "weights alone", "text"


def covers_the_ring(answer: Any) -> Any:
    """Samples (2000, 2) of a network, or of its description, from noise (2000, 64) that is always the same.

    Returns
    -------
    dict or None
        "form" in words; where it is ``GENERATOR``, also "samples".
    """
    given = plain(described(result_of(answer)))
    if given is None:
        return None
    try:
        layers = layers_that_take(LATENT, given, ANOTHER_Z)
        samples = logits_of(layers, np.random.default_rng(14).normal(size=(SAMPLES, LATENT)))
    except UnfitError as unfit:
        return {"form": str(unfit)}
    if samples.shape != (SAMPLES, 2):
        return {"form": f"what comes out for each z has shape {samples.shape[1:]}"}
    return {"form": GENERATOR, "samples": samples}


def result_of(answer: Any) -> Any:
    """What a function without arguments returns; anything else as it is, a network too, whose signature says nothing."""
    if not callable(answer) or isinstance(answer, type) or hasattr(answer, "forward"):
        return answer
    try:
        wants = inspect.signature(answer).parameters
    except (TypeError, ValueError):  # some callables have no signature
        return answer
    return answer if wants else answer()


def layers_that_take(inputs: int, given: Any, misfit: str) -> list[Any]:
    """The layers of a description.

    Raises
    ------
    UnfitError
        That says what was handed over in place of a Sequential, or ``misfit`` if its first linear layer takes another
        number of inputs.
    """
    problem = _no_description(given)
    if problem:
        raise UnfitError(problem)
    layers = layers_of(given)
    widths = [layer["arrays"]["weight"].shape for layer in layers if layer["layer"] == "Linear"]
    if widths and widths[0][1:] != (inputs,):
        raise UnfitError(misfit)
    return layers


def _no_description(given: Any) -> str:
    """What was handed over in place of a Sequential; empty where it is one."""
    if isinstance(given, Opaque):
        return "a class" if given.type.startswith("the class ") else INSTEAD.get(given.type, given.type)
    if isinstance(given, dict) and "network" in given:
        return "" if given["network"] == "Sequential" else "a Module of another class than Sequential"
    if isinstance(given, dict):
        weights = any(str(name).endswith(("weight", "bias")) for name in given)
        return "settings" if "beta1" in given else WEIGHTS if weights else "a dict"
    if isinstance(given, tuple) and any(isinstance(item, Opaque | dict | str) for item in given):
        return SEVERAL
    if isinstance(given, str):
        return TEXT
    return "samples" if isinstance(given, np.ndarray | tuple) else f"a {type(given).__name__}"
