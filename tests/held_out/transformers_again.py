"""The second half of unit 11 once more, by another learner who had the text alone."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from held_out import HeldOut


def rotary_by_places(x, positions, base=10000.0):
    """Takes each number's neighbor by a table of places, and a sign that alternates."""
    d = x.shape[-1]
    places = np.arange(d)
    angles = np.multiply.outer(np.array(list(positions), float), base ** -(places // 2 * 2 / d))
    return x * np.cos(angles) + np.where(places % 2, 1, -1) * x[..., places ^ 1] * np.sin(angles)


def rotary_for_reading(x, positions, base=10000.0):
    """Rounds to three decimals, as the example is printed."""
    return rotary_by_places(x, positions, base).round(3)


def block_position_by_position(x, p, heads, reads=None):
    """A loop over everything; ``reads`` says what queries and keys are made of."""
    E = x.shape[2]
    d = E // heads
    out = np.empty(x.shape)
    for n, stream in enumerate(x):
        normed = [norm_of(row, p, "norm_1") for row in stream]
        W, b = p["attention.qkv.weight"], p["attention.qkv.bias"]
        looks = [W[: 2 * E] @ row + b[: 2 * E] for row in (normed if reads is None else reads(stream))]
        values = [W[2 * E :] @ row + b[2 * E :] for row in normed]
        for t in range(len(stream)):
            found = np.zeros(E)
            for part in (slice(head * d, head * d + d) for head in range(heads)):
                scores = np.array([looks[t][:E][part] @ looks[s][E:][part] for s in range(t + 1)]) / math.sqrt(d)
                powers = np.exp(scores - max(scores))
                found[part] = sum(w * values[s][part] for s, w in enumerate(powers / sum(powers)))
            y = stream[t] + p["attention.out.weight"] @ found + p["attention.out.bias"]
            hidden = p["mlp.0.weight"] @ norm_of(y, p, "norm_2") + p["mlp.0.bias"]
            out[n, t] = y + p["mlp.2.weight"] @ (abs(hidden) + hidden) / 2 + p["mlp.2.bias"]
    return out


def norm_of(row, p, name):
    off = row - sum(row) / len(row)
    return off / math.sqrt(off @ off / len(row) + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def block_that_looks_before_the_norm(x, p, heads):
    """Makes queries and keys of the stream as it is; only the values are those of the norm."""
    return block_position_by_position(x, p, heads, reads=lambda stream: stream)


def closed_by_lists(model, optimizer, ids, split, length, steps, batch=slice(None)):
    """Lists of windows; the model in its modes; no gradients in inference mode."""

    def loss_of(text, part):
        starts = range(0, len(text) - length, length)
        x, y = (torch.stack([text[s + k : s + k + length] for s in starts])[part] for k in (0, 1))
        return F.cross_entropy(model(x, mask=at[:, None] >= at).permute(0, 2, 1), y)

    at, losses = torch.arange(length), []
    for _ in range(steps):
        optimizer.zero_grad()
        losses.append(loss_of(ids[:split], batch))
        losses[-1].backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        test = float(loss_of(ids[split:], slice(None)))
    model.train()
    return [float(loss.detach()) for loss in losses], test


def closed_but_with_the_first_window_alone(*given):
    """Closes the leaks, and trains on one window in place of all of them."""
    return closed_by_lists(*given, batch=slice(1))


def cost_of_real_layers(E, heads, T):
    """Builds the layers, and counts what they hold."""
    linear = [nn.Linear(E, 3 * E), nn.Linear(E, E), nn.Linear(E, 4 * E), nn.Linear(4 * E, E)]
    learned = sum(w.numel() for layer in (*linear, nn.LayerNorm(E), nn.LayerNorm(E)) for w in layer.parameters())
    return learned, sum(2 * T * layer.weight.numel() for layer in linear) + heads * 4 * T * (E // heads) * T


def cost_of_two_heads(E, heads, T):
    """Takes the example's two heads for all there ever are."""
    parameters, flops = cost_of_real_layers(E, heads, T)
    return parameters, flops - (heads - 2) * 4 * T * (E // heads) * T


def cached_one_by_one(q, k, v, cache):
    """Appends one position, looks, and goes on."""
    keys, values = (k[:, :, :0], v[:, :, :0]) if cache is None else cache
    out = []
    for i in range(q.shape[2]):
        keys, values = np.append(keys, k[:, :, [i]], axis=2), np.append(values, v[:, :, [i]], axis=2)
        scores = (q[:, :, [i]] * keys).sum(axis=-1) / math.sqrt(q.shape[3])
        powers = np.exp(scores.T - scores.max(axis=-1).T).T
        out.append((powers[..., None] * values).sum(axis=2) / powers.sum(axis=2)[..., None])
    return np.stack(out, axis=2), [keys, values]


def cached_findings(q, k, v, cache):
    """Keeps what the new positions found in place of their values."""
    out, (keys, values) = cached_one_by_one(q, k, v, cache)
    return out, (keys, np.append(values[:, :, : -q.shape[2]], out, axis=2))


class Gathered(nn.Module):
    """Takes the value at the key's place; whole numbers for logits would do as well."""

    def forward(self, ids):
        place = (ids[:, :-1] == ids[:, -1:]).long().argmax(dim=1, keepdim=True) + 1
        return F.one_hot(ids.gather(1, place)[:, 0], 32).float() * 9 - 4


class OnlyForBatchesOf64(Gathered):
    """Has the size of the training's batches written into it."""

    def forward(self, ids):
        return super().forward(ids.view(64, 17))


ANSWERS = {
    "transformers.rotary": HeldOut(rotary_for_reading, "Nearly right", rotary_by_places),
    "transformers.pre_norm_block": HeldOut(
        block_that_looks_before_the_norm, "entries differ", block_position_by_position
    ),
    "transformers.find_the_leak": HeldOut(closed_but_with_the_first_window_alone, "the first loss", closed_by_lists),
    "transformers.block_cost": HeldOut(cost_of_two_heads, "`flops` is not", cost_of_real_layers),
    "transformers.cached_attention": HeldOut(cached_findings, "`cache` is not", cached_one_by_one),
    "transformers.recall": HeldOut(lambda seed: OnlyForBatchesOf64(), "it stops", lambda seed: Gathered()),
}
