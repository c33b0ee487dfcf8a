"""Right and wrong answers of the exercise on a Transformer's block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Weights = dict[str, Array]


def pre_norm_block(x: Array, p: Weights, heads: int) -> Any:
    def norm(a: Array, name: str) -> Array:
        centered = a - a.mean(axis=-1, keepdims=True)
        spread = np.sqrt(a.var(axis=-1, keepdims=True) + 1e-5)
        return np.asarray(centered / spread * p[f"{name}.weight"] + p[f"{name}.bias"])

    def linear(a: Array, name: str) -> Array:
        return np.asarray(a @ p[f"{name}.weight"].T + p[f"{name}.bias"])

    N, T, E = x.shape
    qkv = linear(norm(x, "norm_1"), "attention.qkv").reshape(N, T, 3, heads, E // heads)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # (N, h, T, d) each
    scores = np.where(np.tri(T, dtype=bool), q @ k.swapaxes(2, 3) / np.sqrt(E // heads), -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = powers / powers.sum(axis=-1, keepdims=True) @ v
    x = x + linear(mixed.swapaxes(1, 2).reshape(N, T, E), "attention.out")
    hidden = np.maximum(linear(norm(x, "norm_2"), "mlp.0"), 0)
    return x + linear(hidden, "mlp.2")


def pre_norm_block_head_by_head(x: Array, p: Weights, heads: int) -> Any:
    E = x.shape[2]
    T, d = x.shape[1], E // heads

    def norm(a: Array, which: int) -> Array:
        mean, var = a.mean(axis=2)[..., None], a.var(axis=2)[..., None]
        return np.asarray(p[f"norm_{which}.weight"] * (a - mean) * (var + 1e-5) ** -0.5 + p[f"norm_{which}.bias"])

    n, found = norm(x, 1), []
    for head in range(heads):
        q, k, v = (
            n @ p["attention.qkv.weight"][rows].T + p["attention.qkv.bias"][rows]
            for rows in (slice(part * E + head * d, part * E + (head + 1) * d) for part in range(3))
        )
        scores = np.einsum("ntd,nsd->nts", q, k) / d**0.5 - 1e30 * np.triu(np.ones((T, T)), k=1)
        powers = np.exp(scores - scores.max(axis=2, keepdims=True))
        found.append(powers / powers.sum(axis=2, keepdims=True) @ v)
    x = x + np.concatenate(found, axis=2) @ p["attention.out.weight"].T + p["attention.out.bias"]
    h = norm(x, 2) @ p["mlp.0.weight"].T + p["mlp.0.bias"]
    return x + (h * (h > 0)) @ p["mlp.2.weight"].T + p["mlp.2.bias"]


def pre_norm_block_in_pytorch(x: Array, p: Weights, heads: int) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    w, a = {name: torch.as_tensor(value) for name, value in p.items()}, torch.as_tensor(x)
    N, T, E = x.shape

    def linear(a: Any, name: str) -> Any:
        return F.linear(a, w[f"{name}.weight"], w[f"{name}.bias"])

    n = F.layer_norm(a, (E,), w["norm_1.weight"], w["norm_1.bias"])
    q, k, v = (part.view(N, T, heads, -1).transpose(1, 2) for part in linear(n, "attention.qkv").chunk(3, dim=2))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    a = a + linear(mixed.transpose(1, 2).reshape(N, T, E), "attention.out")
    n = F.layer_norm(a, (E,), w["norm_2.weight"], w["norm_2.bias"])
    return (a + linear(linear(n, "mlp.0").relu(), "mlp.2")).numpy()


# --- the known wrong answers: a block of exchangeable parts -----------------------------------------------------------


def layer_norm(a: Array, weight: Any, bias: Any) -> Array:
    return np.asarray((a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) * weight + bias)


def norm_over(axis: Any) -> Callable[[Array, Array, Array], Array]:
    def norm(a: Array, weight: Array, bias: Array) -> Array:
        return np.asarray(
            (a - a.mean(axis, keepdims=True)) / np.sqrt(a.var(axis, keepdims=True) + 1e-5) * weight + bias
        )

    return norm


def norm_by(divisor: Callable[[Array], Array]) -> Callable[[Array, Array, Array], Array]:
    return lambda a, weight, bias: (a - a.mean(-1, keepdims=True)) / divisor(a) * weight + bias


def split(a: Array, heads: int) -> Array:
    return a.reshape(*a.shape[:2], heads, -1).swapaxes(1, 2)


def merge(a: Array) -> Array:
    return a.swapaxes(1, 2).reshape(len(a), a.shape[2], -1)


def cut_in_three(qkv: Array, heads: int) -> list[Array]:
    return [split(part, heads) for part in np.split(qkv, 3, axis=-1)]


def softmax(scores: Array, axis: int = -1) -> Array:
    highest = scores.max(axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(highest), 0, highest))
    total = powers.sum(axis, keepdims=True)
    return np.asarray(powers / np.where(total == 0, 1, total))


def attended(
    cut: Callable[[Array, int], list[Array]] = cut_in_three,
    order: str = "qkv",
    divisor: Callable[[int, int, int], float] = lambda d, E, T: float(np.sqrt(d)),
    mask: Callable[[int], Any] = lambda T: np.tri(T, dtype=bool),
    shared: Callable[[Array], Array] = softmax,
    joined: Callable[[Array], Array] = merge,
    qkv_bias: float = 1.0,
    hidden: float = -np.inf,
    struck: Callable[[int], Any] | None = None,
    out: Callable[[Array, Weights], Array] = lambda a, p: a @ p["attention.out.weight"].T + p["attention.out.bias"],
) -> Callable[[Array, Weights, int], Array]:
    """The branch of attention with one part exchanged."""

    def branch(n: Array, p: Weights, heads: int) -> Array:
        T, E = n.shape[1:]
        qkv = n @ p["attention.qkv.weight"].T + qkv_bias * p["attention.qkv.bias"]
        parts = dict(zip(order, cut(qkv, heads), strict=True))
        q, k, v = parts["q"], parts["k"], parts["v"]
        scores = q @ k.swapaxes(-1, -2) / divisor(q.shape[-1], E, T)
        looked = shared(scores) * struck(T) if struck else shared(np.where(mask(T), scores, hidden))
        return out(joined(looked @ v), p)

    return branch


def thought(
    act: Callable[[Array], Array] = lambda h: np.maximum(h, 0),
    end: Callable[[Array], Array] = lambda y: y,
    bias: tuple[float, float] = (1.0, 1.0),
) -> Callable[[Array, Weights], Array]:
    """The branch of the small network with one part exchanged."""

    def branch(n: Array, p: Weights) -> Array:
        h = act(n @ p["mlp.0.weight"].T + bias[0] * p["mlp.0.bias"])
        return end(h @ p["mlp.2.weight"].T + bias[1] * p["mlp.2.bias"])

    return branch


def relu_first(n: Array, p: Weights) -> Array:
    return thought(act=lambda h: h)(np.maximum(n, 0), p)


Branches = tuple[Callable[[Array], Array], Callable[[Array], Array], Callable[[Array], Array], Callable[[Array], Array]]


def in_order(
    x: Array,
    norm_1: Callable[[Array], Array],
    attend: Callable[[Array], Array],
    norm_2: Callable[[Array], Array],
    think: Callable[[Array], Array],
) -> Array:
    x = x + attend(norm_1(x))
    return x + think(norm_2(x))


def variant(
    norm: Callable[[Array, Array, Array], Array] = layer_norm,
    names: tuple[str, str] = ("norm_1", "norm_2"),
    attend: Callable[[Array, Weights, int], Array] | None = None,
    think: Callable[[Array, Weights], Array] | None = None,
    wired: Callable[..., Array] = in_order,
) -> Callable[..., Any]:
    """The block with one part exchanged; ``wired`` says how x goes through its four parts."""
    attend, think = attend or attended(), think or thought()

    def answer(x: Array, p: Weights, heads: int) -> Any:
        def normed(name: str) -> Callable[[Array], Array]:
            return lambda a: norm(a, p[f"{name}.weight"], p[f"{name}.bias"])

        with np.errstate(all="ignore"):
            return wired(
                x, normed(names[0]), lambda a: attend(a, p, heads), normed(names[1]), lambda a: think(a, p)
            )  # fmt: skip

    return answer


def gelu(h: Array) -> Array:
    from scipy.special import erf

    return np.asarray(h * (1 + erf(h / np.sqrt(2))) / 2)


def gelu_by_tanh(h: Array) -> Array:
    return np.asarray(h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))))


def cut_by_heads_first(qkv: Array, heads: int) -> list[Array]:
    """Each head's q, k and v side by side, as some programs lay them out."""
    parts = qkv.reshape(*qkv.shape[:2], heads, 3, -1).transpose(3, 0, 2, 1, 4)
    return list(parts)


def cut_every_third(qkv: Array, heads: int) -> list[Array]:
    return [split(qkv[..., part::3], heads) for part in range(3)]


def cut_by_reshape(qkv: Array, heads: int) -> list[Array]:
    N, T, _ = qkv.shape
    return [part.reshape(N, heads, T, -1) for part in np.split(qkv, 3, axis=-1)]


def cut_every_hth(qkv: Array, heads: int) -> list[Array]:
    return [part.reshape(*part.shape[:2], -1, heads).transpose(0, 3, 1, 2) for part in np.split(qkv, 3, axis=-1)]


def cut_in_one(qkv: Array, heads: int) -> list[Array]:
    return [split(part, 1) for part in np.split(qkv, 3, axis=-1)]


def cut_with_width_for_heads(qkv: Array, heads: int) -> list[Array]:
    E = qkv.shape[-1] // 3
    return [split(part, E // heads) for part in np.split(qkv, 3, axis=-1)]
