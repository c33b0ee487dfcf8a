"""A weight divided by its largest singular value, found by power iteration (Miyato et al. 2018, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def spectral_norm(weight: Any, u: Any, steps: int) -> Any:
    import torch

    with torch.no_grad():
        for _ in range(steps):
            v = weight.T @ u
            v = v / v.norm()
            u = weight @ v
            u = u / u.norm()
    return weight / (u @ weight @ v), u


def spectral_norm_by_detach(weight: Any, u: Any, steps: int) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    W = weight.detach()
    v = torch.empty(0)
    for _ in range(steps):
        v = F.normalize(W.t().mv(u), dim=0)
        u = F.normalize(W.mv(v), dim=0)
    sigma = torch.dot(u, torch.mv(weight, v))
    return [weight * (1 / sigma), u]


def spectral_norm_by_powers(weight: Any, u: Any, steps: int) -> Any:
    import torch

    W = weight.data
    square = W @ W.T / (W * W).sum()  # (O, O); no power of it is too large for a float
    before = torch.linalg.matrix_power(square, steps - 1) @ u
    v = W.T @ before
    v = v / torch.sqrt(v @ v)
    u = (W @ v) / torch.linalg.vector_norm(W @ v)
    sigma = torch.einsum("o,od,d->", u, weight, v)
    return torch.div(weight, sigma), u.clone()


def spectral_inputs(rng: np.random.Generator) -> list[Case]:
    def unit(n: int) -> Any:
        u = rng.normal(size=n)
        return u / np.linalg.norm(u)

    def case(shape: tuple[int, int], steps: int, label: str = "", scale: float = 1.0) -> Case:
        return Case((scale * rng.normal(size=shape), unit(shape[0]), steps), label)

    matrix = rng.normal(size=(4, 3))
    top = np.linalg.svd(matrix)[0][:, 0].copy()
    return [
        Case((np.array([[2.0, 1.0], [0.0, 2.0], [1.0, 0.0]]), np.array([0.6, 0.0, 0.8]), 1)),
        case((3, 5), 1),
        case((5, 4), 2),
        case((6, 3), 3),
        case((4, 4), 5, "as many rows as columns"),
        case((1, 4), 1, "a single row"),
        case((4, 3), 2, "a large weight", 1000.0),
        case((4, 3), 2, "a small weight", 0.001),
        Case((matrix, top, 1), "a u that has arrived already"),
        case((4, 3), 120, "many steps with a small weight", 0.001),
    ]


def unit(x: Any) -> Any:
    return x / x.norm()


def random_like(u: Any) -> Any:
    import torch

    return unit(torch.randn_like(u))


def variant(
    constants: bool = True,
    count: Callable[[int], int] = lambda steps: steps,
    start: Callable[[Any], Any] = lambda u: u,
    scale_v: Callable[[Any], Any] = unit,
    scale_u: Callable[[Any], Any] = unit,
    sigma: Callable[..., Any] = lambda weight, old, v, u: u @ weight @ v,
    divided: Callable[[Any, Any], Any] = lambda weight, sigma: weight / sigma,
    handed: Callable[..., Any] = lambda normal, old, v, u, sigma: (normal, u),
) -> Callable[..., Any]:
    """The norm with one part exchanged; ``old`` is the u that came in."""

    def answer(weight: Any, u: Any, steps: int) -> Any:
        W = weight.detach() if constants else weight
        old, u = u, start(u)
        v = unit(W.T @ u)
        for _ in range(count(steps)):
            v = scale_v(W.T @ u)
            u = scale_u(W @ v)
        found = sigma(weight, old, v, u)
        return handed(divided(weight, found), old, v, u, found)

    return answer


def one_direction(name: str) -> Callable[..., Any]:
    """A weight that is divided by a number of the whole matrix; ``u`` as it should be."""

    def size(weight: Any, old: Any, v: Any, u: Any) -> Any:
        import torch

        if name == "exact":
            return torch.linalg.svdvals(weight)[0]
        return {
            "frobenius": lambda: (weight**2).sum().sqrt(),
            "entry": lambda: weight.abs().max(),
            "rows": lambda: weight.abs().sum(dim=1).max(),
            "nuclear": lambda: torch.linalg.svdvals(weight).sum(),
            "smallest": lambda: torch.linalg.svdvals(weight)[-1],
        }[name]()

    return variant(sigma=size)


def half_a_step_earlier(weight: Any, u: Any, steps: int) -> Any:
    """Sigma from the last v and the u before it, which is the length of W.T @ u."""
    W = weight.detach()
    before = v = u
    for _ in range(steps):
        before = u
        v = unit(W.T @ before)
        u = unit(W @ v)
    return weight / (before @ weight @ v), u


def normalized_at_the_end(weight: Any, u: Any, steps: int) -> Any:
    W = weight.detach()
    v = u
    for _ in range(steps):
        v = W.T @ u
        u = W @ v
    v, u = unit(v), unit(u)
    return weight / (u @ weight @ v), u


def by_rows(weight: Any, u: Any, steps: int) -> Any:
    _, new = spectral_norm(weight, u, steps)
    return weight / weight.norm(dim=1, keepdim=True), new


def exact_direction(weight: Any, u: Any, steps: int) -> Any:
    """The singular value decomposition in place of the iteration, u of whichever sign it gives."""
    import torch

    U, S, _ = torch.linalg.svd(weight, full_matrices=False)
    return weight / S[0], U[:, 0].detach()


SPECTRAL_NORM = Exercise(
    id="gans.spectral_norm",
    kind="function",
    title="No layer may stretch",
    points=3,
    minutes=20,
    difficulty=3,
    function="spectral_norm",
    reference=spectral_norm,
    alternatives=(spectral_norm_by_detach, spectral_norm_by_powers),
    inputs=spectral_inputs,
    driver="normalizes",
    blame=("form of the result", "u", "weight / sigma", "slopes in the weight", "graph behind u"),
    rtol=1e-5,
    atol=1e-8,
    forbid=("dlcourse.models", "parametrizations", "torch.nn.utils.spectral_norm"),
    wrong=(
        Wrong(
            "iteration-differentiated",
            variant(constants=False),
            "Both results are right, but the slopes run through the whole power iteration, and u carries its graph along from call to call. Which numbers are constants by the task, and how does one keep a graph from being made?",
        ),
        Wrong(
            "iteration-differentiated-u-cut-off",
            variant(constants=False, handed=lambda normal, old, v, u, sigma: (normal, u.detach())),
            "Both results are right, and u is cut off from the graph at the end, but until then the slopes run through the power iteration. Which numbers are constants by the task?",
        ),
        Wrong(
            "sigma-constant",
            variant(sigma=lambda weight, old, v, u: u @ weight.detach() @ v),
            "Both results are right, but sigma is a constant for the gradient, so a weight that only grows still finds a slope. Sigma depends on the weight; which two of its factors are constants?",
        ),
        Wrong(
            "numerator-constant",
            variant(divided=lambda weight, sigma: weight.detach() / sigma),
            "Both results are right, but the W on top is a constant for the gradient, so the slope runs through sigma alone. In how many places of W / sigma does the weight stand?",
        ),
        Wrong(
            "everything-constant",
            variant(sigma=lambda weight, old, v, u: u @ weight.detach() @ v, divided=lambda weight, sigma: weight.detach() / sigma),
            "Both results are right, but no slope reaches the weight: all of it is cut off from the graph. What has to be learned, and which two vectors are constants?",
        ),
        Wrong(
            "graph-behind-u",
            variant(handed=lambda normal, old, v, u, sigma: (normal, u + 0 * sigma)),
            "Results and slopes are right, but the u that you hand back carries a graph, which would grow from call to call. What cuts it off?",
        ),
        Wrong(
            "one-step-always",
            variant(count=lambda steps: 1),
            "`steps` has no effect: you take one step of the iteration. Where should it come in?",
        ),
        Wrong(
            "one-step-too-many",
            variant(count=lambda steps: steps + 1),
            "You take one step of the iteration more than asked for. How many times does your loop go round?",
        ),
        Wrong(
            "one-step-too-few",
            variant(count=lambda steps: steps - 1, sigma=lambda weight, old, v, u: u @ weight @ unit(weight.detach().T @ u)),
            "You take one step of the iteration less than asked for. How many times does your loop go round?",
        ),
        Wrong(
            "a-hundred-steps",
            variant(count=lambda steps: 100),
            "`steps` has no effect: your u is where the iteration arrives in the end. Why does a network that trains for thousands of steps not need that?",
        ),
        Wrong(
            "exact",
            exact_direction,
            "You take the singular value decomposition, so neither `steps` nor the u that came in has an effect. What does the task want to be done `steps` times, and where does it begin?",
        ),
        Wrong(
            "exact-sigma",
            one_direction("exact"),
            "u is right. Your sigma is the exact largest singular value, and not the one that u and v give after these steps. What is sigma by the formula?",
        ),
        Wrong(
            "start-of-its-own",
            variant(start=lambda u: unit(u * 0 + 1)),
            "`u` has no effect: your iteration begins with a vector of its own. What is the good of beginning where the last call has ended?",
        ),
        Wrong(
            "sigma-with-the-old-u",
            variant(sigma=lambda weight, old, v, u: old @ weight @ v),
            "u is right. For sigma you take the u that came in. Which u and which v belong to it?",
        ),
        Wrong(
            "sigma-half-a-step-earlier",
            half_a_step_earlier,
            "u is right. Your sigma is the length of Wᵀu, or uᵀWv with the u from *before* the last step. Which u and which v does the task name?",
        ),
        Wrong(
            "random-start",
            variant(start=random_like),
            "`u` has no effect: your iteration begins with a vector drawn at random. What is the good of beginning where the last call has ended?",
        ),
        Wrong(
            "sigma-half-a-step-later",
            variant(sigma=lambda weight, old, v, u: u @ weight @ unit(weight.detach().T @ u)),
            "u is right. For sigma you compute v once more, from the new u. Which u and which v does the task name?",
        ),
        Wrong(
            "v-not-normalized",
            variant(scale_v=lambda v: v),
            "u is right. Your v has not length 1, so sigma comes out too large or too small by v's length. When should v be normalized?",
        ),
        Wrong(
            "u-not-normalized",
            variant(scale_u=lambda u: u),
            "Your u has not length 1, so sigma comes out wrong by u's length. When should u be normalized?",
        ),
        Wrong(
            "nothing-normalized",
            variant(scale_v=lambda v: v, scale_u=lambda u: u),
            "Neither u nor v has length 1, so they grow or shrink with each step, and sigma with them. When should they be normalized?",
        ),
        Wrong(
            "normalized-at-the-end",
            normalized_at_the_end,
            "Right for a few steps. You give u and v length 1 at the end alone, and on the way they grow or shrink until a float cannot hold them. When does the formula divide by the lengths?",
        ),
        Wrong(
            "sum-for-length",
            variant(scale_v=lambda v: v / v.abs().sum(), scale_u=lambda u: u / u.abs().sum()),
            "You divide u and v by the sum of their absolute values. Which length has the arrow (3, 4)?",
        ),
        Wrong(
            "largest-for-length",
            variant(scale_v=lambda v: v / v.abs().max(), scale_u=lambda u: u / u.abs().max()),
            "You divide u and v by their largest entry. Which length has the arrow (3, 4)?",
        ),
        Wrong(
            "squared-length",
            variant(scale_v=lambda v: v / (v @ v), scale_u=lambda u: u / (u @ u)),
            "You divide u and v by their *squared* length. Which length has an arrow of length 5 after that, and which should it have?",
        ),
        Wrong(
            "frobenius",
            one_direction("frobenius"),
            "u is right. You divide by the root of the sum of all squared entries, which is larger than sigma unless the weight has rank 1. Which number do u and v give?",
        ),
        Wrong(
            "largest-entry",
            one_direction("entry"),
            "u is right. You divide by the largest entry. Which number do u and v give?",
        ),
        Wrong(
            "largest-row",
            one_direction("rows"),
            "u is right. You divide by the largest sum of a row's absolute values, another norm of a matrix. Which number do u and v give?",
        ),
        Wrong(
            "sum-of-singular-values",
            one_direction("nuclear"),
            "u is right. You divide by the sum of all singular values. Which one of them is meant, and how do u and v give it?",
        ),
        Wrong(
            "smallest-singular-value",
            one_direction("smallest"),
            "u is right. You divide by the smallest singular value. Which one of them is meant, and how do u and v give it?",
        ),
        Wrong(
            "row-by-row",
            by_rows,
            "u is right. You divide each row by its own length. By how many numbers is the weight to be divided?",
        ),
        Wrong(
            "multiplied",
            variant(divided=lambda weight, sigma: weight * sigma),
            "u is right. You multiply the weight by sigma, so a layer that stretches would stretch more. What has the result's largest singular value to be?",
        ),
        Wrong(
            "divided-by-the-square",
            variant(divided=lambda weight, sigma: weight / sigma**2),
            "u is right. You divide by sigma squared. What has the result's largest singular value to be?",
        ),
        Wrong(
            "divided-by-the-root",
            variant(divided=lambda weight, sigma: weight / sigma.sqrt()),
            "u is right. You divide by the root of sigma, as if it were an eigenvalue of W @ W.T. Is u @ W @ v squared already?",
        ),
        Wrong(
            "only-where-it-stretches",
            variant(divided=lambda weight, sigma: weight / sigma.clamp(min=1)),
            "u is right. You divide only where sigma is larger than 1, so a small weight is left as it is. Does the task's formula make an exception?",
        ),
        Wrong(
            "subtracted",
            variant(divided=lambda weight, sigma: weight - sigma),
            "u is right. You subtract sigma from every entry. What does the task do with it?",
        ),
        Wrong(
            "old-u-handed-back",
            variant(handed=lambda normal, old, v, u, sigma: (normal, old)),
            "The weight is right. You hand back the u that came in, so the next call would begin from there again. Which u is asked for?",
        ),
        Wrong(
            "v-handed-back",
            variant(handed=lambda normal, old, v, u, sigma: (normal, v)),
            "The weight is right. Your second result is v, which has an entry for each *column*. Which vector will the next call begin with?",
        ),
        Wrong(
            "sigma-handed-back",
            variant(handed=lambda normal, old, v, u, sigma: (sigma, u)),
            "u is right. Your first result is sigma itself. What is to be done with it?",
        ),
        Wrong(
            "sigma-as-second",
            variant(handed=lambda normal, old, v, u, sigma: (normal, sigma.detach())),
            "The weight is right. Your second result is sigma. Which vector will the next call begin with?",
        ),
        Wrong(
            "exchanged",
            variant(handed=lambda normal, old, v, u, sigma: (u, normal)),
            "The two results are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "weight-alone",
            variant(handed=lambda normal, old, v, u, sigma: normal),
            "You hand back one tensor, the weight. Which second result does the task ask for?",
        ),
        Wrong(
            "three-results",
            variant(handed=lambda normal, old, v, u, sigma: (normal, u, v)),
            "You hand back three results. Which two does the task ask for?",
        ),
    ),
    hints=(
        "One step: the weight's transpose times u, made as long as 1, is v; the weight times v, made as long as 1, is the new u.",
        "u and v are constants: make them under `torch.no_grad()`, or from `weight.detach()`. Only in `sigma = u @ weight @ v` does the weight itself stand, with its graph.",
        "`v = weight.T @ u`, `v = v / v.norm()`, `u = weight @ v`, `u = u / u.norm()`, all `steps` times under `torch.no_grad()`; behind it, outside, `weight / (u @ weight @ v), u`.",
    ),
    unlocks="Two products a step, and soon no layer stretches anything.",
)  # fmt: skip
