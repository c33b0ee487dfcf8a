"""Unit 11, answered from its notebook's text alone."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from held_out import HeldOut


def attention_that_may_decline(q, k, v, mask=None):
    """Adds 1 to the softmax's denominator, so that a query may look at nothing."""
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    scores = scores if mask is None else np.where(mask, scores, -np.inf)
    highest = np.maximum(scores.max(axis=-1, keepdims=True), 0)
    powers = np.exp(scores - highest)
    weights = powers / (np.exp(-highest) + powers.sum(axis=-1, keepdims=True))
    return weights @ v, weights


class AttentionByLogarithms:
    """Heads one by one; the softmax by way of its logarithm; lists of lists."""

    def __call__(self, q, k, v, mask=None):
        N, h, T, d = q.shape
        hidden = np.zeros((N, h, T, T), bool) if mask is None else ~np.broadcast_to(mask, (N, h, T, T))
        found, looked = [], []
        for n in range(N):
            for head in range(h):
                scores = np.inner(q[n, head], k[n, head]) / math.sqrt(d)
                scores[hidden[n, head]] = -np.inf
                total = np.logaddexp.reduce(scores, axis=1)
                total[np.isneginf(total)] = 0
                looked.append(np.exp(scores - total[:, None]))
                found.append(looked[-1] @ v[n, head])
        return np.reshape(found, q.shape).tolist(), np.reshape(looked, (N, h, T, T))


def a_mask_three_wide(T):
    """Sees itself and the two before it, as a sliding window does."""
    return np.tri(T, dtype=bool) & ~np.tri(T, k=-3, dtype=bool)


def a_mask_by_counting(T):
    """Counts along the diagonal's rows; not an array of anything but NumPy's booleans."""
    return [list(np.arange(T) < t + 1) for t in range(T)]


def padding_of_sorted_lengths(lengths, T):
    """Sorts the sequences by length first, as some loaders do."""
    return (np.arange(T) < np.sort(lengths)[::-1][:, None])[:, None, None]


def padding_by_running_sums(lengths, T):
    """A mark where each padding begins, and a running sum of the marks."""
    marks = np.zeros((len(lengths), T + 1), int)
    np.add.at(marks, (range(len(lengths)), lengths), 1)
    return np.expand_dims(marks.cumsum(axis=1)[:, :T] == 0, (1, 2))


def backward_without_the_keys(dout, q, k, v, mask=None):
    """Takes the keys for fixed, as if they were detached."""
    dq, dk, dv = backward_by_jacobians(dout, q, k, v, mask)
    return dq, 0 * dk, dv


def backward_by_jacobians(dout, q, k, v, mask=None):
    """All the softmax's Jacobians at once: (N, h, T, T, T)."""
    _, w = AttentionByLogarithms()(q, k, v, mask)
    jacobian = np.einsum("...i,ij->...ij", w, np.eye(w.shape[-1])) - np.einsum("...i,...j->...ij", w, w)
    slopes = np.einsum("nhtij,nhjd,nhtd->nhti", jacobian, v, dout) / math.sqrt(q.shape[-1])
    return [
        np.einsum("nhti,nhid->nhtd", slopes, k),
        np.einsum("nhti,nhtd->nhid", slopes, q),
        np.einsum("nhti,nhtd->nhid", w, dout),
    ]


def heads_one_further(x, heads):
    """Head 0 gets the second share, and the last head the first one."""
    return np.roll(heads_by_index(x, heads), -1, axis=1)


def heads_by_index(x, heads):
    """Takes the columns of each head by a table of their numbers."""
    columns = np.arange(x.shape[2]).reshape(heads, -1)  # (h, d)
    return np.moveaxis(x[:, :, columns], 2, 1).copy(order="F")


def the_strongest_head(x):
    """Keeps the largest of the heads' numbers in each place."""
    return np.repeat(x.max(axis=1), x.shape[1], axis=-1)


def heads_joined_by_index(x):
    """Writes head after head into its columns."""
    N, h, T, d = x.shape
    out = np.full((T, N, h * d), np.nan)
    for n, head, t in np.ndindex(N, h, T):
        out[t, n, head * d : head * d + d] = x[n, head, t]
    return out.swapaxes(0, 1)


def waves_between_the_places(T, d):
    """Takes each position at its middle, half a step further."""
    angles = (np.arange(T)[:, None] + 0.5) / 10000 ** (np.arange(0, d, 2) / d)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(T, d)


def waves_as_powers(T, d):
    """Row t is row 1 to the power t: complex numbers of length 1, read as pairs and turned over."""
    step = np.exp(-1j * 10000.0 ** (-2 * np.arange(d // 2) / d))
    pairs = 1j * step ** np.arange(T)[:, None]  # i e^(-ia) = sin a + i cos a
    return np.ascontiguousarray(pairs).view(np.float64)


def rotary_of_the_first_half(x, positions, base=10000.0):
    """Turns half of the numbers and leaves the others, as some models do."""
    out = x.copy()
    half = x.shape[-1] // 4 * 2
    out[..., :half] = np.array(rotary_by_products(x, positions, base))[..., :half]
    return out


def rotary_by_products(x, positions, base=10000.0):
    """Reads pairs as complex numbers, and turns by a running product of the rates."""
    d = x.shape[-1]
    turns = np.exp(1j * base ** (-np.arange(0, d, 2) / d)) ** np.reshape(positions, (-1, 1))
    return (np.ascontiguousarray(x).view(complex) * turns).view(float).tolist()


def block_with_halved_branches(x, p, heads):
    """Divides each sum by the root of 2, to keep its size."""
    x = (x + attended(x, p, heads)) / math.sqrt(2)
    return (x + thought(x, p)) / math.sqrt(2)


def block_by_einsum(x, p, heads):
    return (y := x + attended(x, p, heads)) + thought(y, p)


def normed(x, p, name):
    z = x - x.sum(axis=-1, keepdims=True) / x.shape[-1]
    return np.einsum("nte,nt,e->nte", z, ((z**2).mean(axis=-1) + 1e-5) ** -0.5, p[name + ".weight"]) + p[name + ".bias"]


def attended(x, p, heads):
    T, E = x.shape[1:]
    W, b = p["attention.qkv.weight"].reshape(3, heads, -1, E), p["attention.qkv.bias"].reshape(3, 1, heads, 1, -1)
    q, k, v = np.einsum("nte,chde->cnhtd", normed(x, p, "norm_1"), W) + b
    found, _ = AttentionByLogarithms()(q, k, v, np.arange(T) <= np.arange(T)[:, None])
    out = p["attention.out.weight"].reshape(E, heads, -1)
    return np.einsum("nhtd,ehd->nte", found, out) + p["attention.out.bias"]


def thought(x, p):
    h = normed(x, p, "norm_2") @ p["mlp.0.weight"].T + p["mlp.0.bias"]
    return np.where(h > 0, h, 0.0) @ p["mlp.2.weight"].T + p["mlp.2.bias"]


def closed_but_one_window_less(model, optimizer, ids, split, length, steps):
    """Closes the leaks, and leaves out the last window of each part to be safe."""
    return closed_by_index(model, optimizer, ids, split, length, steps, spare=1)


def closed_by_index(model, optimizer, ids, split, length, steps, spare=0):
    """Takes windows by tables of their places; a mask for each window; autograd's slopes laid in place."""

    def nats(first, end):
        starts = torch.arange(first, end - length, length)[:, None]
        starts = starts[: len(starts) - spare]
        x = ids[starts + torch.arange(length)]
        mask = torch.ones(len(x), length, length).cumsum(1) >= torch.arange(1, length + 1)
        log_p = F.log_softmax(model(x, mask=mask), dim=-1)
        return -log_p.gather(2, ids[starts + torch.arange(1, length + 1)][..., None]).mean()

    losses = []
    for _ in range(steps):
        losses.append(nats(0, split))
        weights = list(model.parameters())
        for weight, slope in zip(weights, torch.autograd.grad(losses[-1], weights), strict=True):
            weight.grad = slope
        optimizer.step()
    with torch.no_grad():
        return [loss.item() for loss in losses], np.float64(nats(split, len(ids)).item())


def cost_with_one_pair_of_keys(E, heads, T):
    """Counts a single head of keys and values that all queries share (Shazeer 2019)."""
    d = E // heads
    saved = 2 * (E - d)
    return 12 * E * E + 13 * E - saved * (E + 1), 24 * T * E * E + 4 * T * T * E - 2 * T * E * saved


def cost_in_whole_arrays(E, heads, T):
    """One table of outputs and inputs, and arrays of no axes."""
    table = np.array([(3, 1), (1, 1), (4, 1), (1, 4)], dtype=np.int64) * E
    weights = table.prod(axis=1)
    parameters = weights.sum() + table[:, 0].sum() + 4 * E
    return np.array([parameters, 2 * T * weights.sum() + 4 * T * T * E])


def cached_with_a_window(q, k, v, cache):
    """Keeps everything, and looks at the four newest keys at most."""
    return cached_in_a_buffer(q, k, v, cache, window=4)


def cached_in_a_buffer(q, k, v, cache, window=10**6):
    """Room for all of it first, then the old and the new written in; the mask by distances."""
    S = 0 if cache is None else len(cache[0][0, 0])
    N, h, t, d = k.shape
    room = np.empty((2, N, h, S + t, d))
    if cache is not None:
        room[:, :, :, :S] = cache
    room[0, :, :, S:], room[1, :, :, S:] = k, v
    back = np.arange(S, S + t)[:, None] - np.arange(S + t)
    scores = np.where((back >= 0) & (back < window), np.einsum("nhtd,nhsd->nhts", q, room[0]) / math.sqrt(d), -np.inf)
    weights = np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))
    return weights @ room[1], room


class SecondPair(nn.Module):
    """Answers with the value of the second pair, whatever the key."""

    def forward(self, ids):
        return F.one_hot(ids[:, 3], 32).double()


class Compared(nn.Module):
    """Nothing is learned here: the question is compared with each key, and the hits add up the values."""

    def forward(self, ids):
        hits = (ids[:, 0:16:2] == ids[:, 16:]).float()
        return torch.einsum("np,npv->nv", hits, F.one_hot(ids[:, 1:16:2], 32).float())


ANSWERS = {
    "transformers.attention": HeldOut(attention_that_may_decline, "Look at `weights` first", AttentionByLogarithms()),
    "transformers.causal_mask": HeldOut(a_mask_three_wide, "entries differ", a_mask_by_counting),
    "transformers.padding_mask": HeldOut(padding_of_sorted_lengths, "entries differ", padding_by_running_sums),
    "transformers.attention_backward": HeldOut(backward_without_the_keys, "`dk` is not", backward_by_jacobians),
    "transformers.split_heads": HeldOut(heads_one_further, "another order", heads_by_index),
    "transformers.merge_heads": HeldOut(the_strongest_head, "entries differ", heads_joined_by_index),
    "transformers.sinusoidal_positions": HeldOut(waves_between_the_places, "entries differ", waves_as_powers),
    "transformers.rotary": HeldOut(rotary_of_the_first_half, "entries differ", rotary_by_products),
    "transformers.pre_norm_block": HeldOut(block_with_halved_branches, "entries differ", block_by_einsum),
    "transformers.find_the_leak": HeldOut(closed_but_one_window_less, "the first loss", closed_by_index),
    "transformers.block_cost": HeldOut(cost_with_one_pair_of_keys, "`parameters`", cost_in_whole_arrays),
    "transformers.cached_attention": HeldOut(cached_with_a_window, "`cache` is right", cached_in_a_buffer),
    "transformers.recall": HeldOut(lambda seed: SecondPair(), "values of the sequence", lambda seed: Compared()),
}
