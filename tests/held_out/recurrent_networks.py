"""Unit 09, answered from its notebook's text alone."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from held_out import HeldOut


def cell_with_a_hard_tanh(x, h, W_ih, W_hh, b):
    """Cuts the sum off at -1 and 1, a rough tanh of straight lines."""
    return np.clip(x @ W_ih.T + h @ W_hh.T + b, -1, 1)


class OneMatrixCell:
    """Input, state and a column of ones side by side, and one matrix for all three."""

    def __call__(self, x, h, W_ih, W_hh, b):
        everything = np.hstack([x, h, np.ones((len(x), 1))])
        return np.tanh(everything @ np.hstack([W_ih, W_hh, b[:, None]]).T).tolist()


def backward_of_two_steps_each(dhs, x, hs, W_ih, W_hh):
    """What the loss sends into a state goes two steps back, no further."""
    results = [np.zeros_like(x), np.zeros_like(hs[0]), np.zeros_like(W_ih), np.zeros_like(W_hh), np.zeros(len(W_hh))]
    for last in range(len(x)):
        dh = dhs[last]
        for t in range(last, max(last - 2, -1), -1):
            dz = dh * (1 - hs[t + 1] ** 2)
            dh = dz @ W_hh
            results[0][t] += dz @ W_ih
            results[1] += dh * (t == 0)
            for k, slope in enumerate((dz.T @ x[t], dz.T @ hs[t], dz.sum(axis=0)), start=2):
                results[k] += slope
    return tuple(results)


def backward_by_a_linear_system(dhs, x, hs, W_ih, W_hh):
    """The slopes of all states of an example solve one system of T * H equations."""
    T, N, H = dhs.shape
    dz = np.empty((T, N, H))
    for n in range(N):
        system = np.eye(T * H)
        for t in range(T - 1):
            system[t * H : (t + 1) * H, (t + 1) * H : (t + 2) * H] = -W_hh.T * (1 - hs[t + 2, n] ** 2)
        dz[:, n] = np.linalg.solve(system, dhs[:, n].ravel()).reshape(T, H) * (1 - hs[1:, n] ** 2)
    dW_ih, dW_hh = (np.einsum("tnh,tnd->hd", dz, a) for a in (x, hs[:-1]))
    return [(dz @ W_ih).tolist(), dz[0] @ W_hh, dW_ih, dW_hh, dz.sum(axis=(0, 1)).tolist()]


def lstm_with_hard_gates(x, h, c, W_ih, W_hh, b):
    """Straight lines for the sigmoid, as Keras once had them."""
    i, f, g, o = np.split(x @ W_ih.T + h @ W_hh.T + b, 4, axis=1)
    i, f, o = (np.clip(0.2 * z + 0.5, 0, 1) for z in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


class GateByGateLSTM:
    """One product for each gate; the sigmoid by way of its logarithm."""

    def __call__(self, x, h, c, W_ih, W_hh, b):
        H = h.shape[1]
        z = {}
        for k, gate in enumerate("ifgo"):
            rows = slice(k * H, (k + 1) * H)
            z[gate] = np.einsum("nd,hd->nh", x, W_ih[rows]) + np.einsum("nk,hk->nh", h, W_hh[rows]) + b[rows]
        i, f, o = (np.exp(-np.logaddexp(0, -z[gate])) for gate in "ifo")
        c = f * c + i * np.tanh(z["g"])
        return np.stack([o * np.tanh(c), c])


def gru_with_two_tanh(x, h, W_ih, W_hh, b_ih, b_hh):
    """Input and state go through a tanh each in the candidate."""

    def sigmoid(s):
        return (1 + np.tanh(s / 2)) / 2

    x_r, x_z, x_n = np.split(x @ W_ih.T + b_ih, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ W_hh.T + b_hh, 3, axis=1)
    z = sigmoid(x_z + h_z)
    return (1 - z) * (np.tanh(x_n) + sigmoid(x_r + h_r) * np.tanh(h_n)) + z * h


def gru_number_by_number(x, h, W_ih, W_hh, b_ih, b_hh):
    """Plain Python with two forms of the sigmoid; the mixture as a way from n to h; a list of lists."""

    def sigmoid(s):
        return 1 / (1 + math.exp(-s)) if s > 0 else math.exp(s) / (1 + math.exp(s))

    H, new = h.shape[1], []
    for inputs, state in zip(x, h, strict=True):
        from_x, from_h = (W_ih @ inputs + b_ih).tolist(), (W_hh @ state + b_hh).tolist()
        row = []
        for k, old in enumerate(state.tolist()):
            r, z = (sigmoid(from_x[j] + from_h[j]) for j in (k, H + k))
            n = math.tanh(from_x[2 * H + k] + r * from_h[2 * H + k])
            row.append(n + z * (old - n))
        new.append(row)
    return new


def bits_of_tamed_logits(logits, targets):
    """Cuts the logits off at -50 and 50, so that no exponential overflows."""
    z = np.clip(logits, -50, 50)
    nats = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(targets)), targets]
    return nats.mean() / np.log(2), 2 ** (nats.mean() / np.log(2))


def bits_in_base_two(logits, targets):
    """Turns the logits into base two first; an array of two numbers."""
    z = logits / np.log(2)
    bits = np.mean([np.logaddexp2.reduce(row) - row[k] for row, k in zip(z, targets, strict=True)])
    return np.array([bits, np.exp2(bits)])


def sample_that_divides_the_probabilities(logits, temperature, rng):
    """Lets the temperature divide what comes out of the softmax, and leaves it at that."""
    p = np.exp(logits - np.max(logits))
    return int(rng.choice(len(logits), p=p / p.sum() / temperature))


def sample_along_a_line(logits, temperature, rng):
    """Lays the shares end to end as fractions, and walks to one random point."""
    top = max(logits)
    shares = [Fraction(math.exp((float(z) - float(top)) / temperature)) for z in logits]
    left = Fraction(rng.random()) * sum(shares)
    for k, share in enumerate(shares):
        left -= share
        if left < 0:
            return np.uint8(k)
    return np.uint8(len(shares) - 1)


def _pieces(ids, length):
    return zip(ids[:, :-1].split(length, dim=1), ids[:, 1:].split(length, dim=1), strict=True)


def chunks_in_bits(model, optimizer, sequences, length, max_norm):
    """Trains in nats and reports bits, the unit of the lesson's table."""
    return [loss / math.log(2) for loss in chunks_by_autograd(model, optimizer, sequences, length, max_norm)]


def chunks_by_autograd(model, optimizer, sequences, length, max_norm):
    """Asks autograd for the slopes, clips them by hand and lays them in place; a tuple of NumPy numbers."""
    weights, losses = list(model.parameters()), ()
    for ids in sequences:
        state = None
        for x, y in _pieces(ids, length):
            logits, state = model(x, state)
            state = (state[0].clone().detach(), state[1].data)
            loss = -logits.log_softmax(dim=-1).gather(2, y[:, :, None]).mean()
            slopes = torch.autograd.grad(loss, weights)
            norm = math.sqrt(sum(float((slope.double() ** 2).sum()) for slope in slopes))
            for weight, slope in zip(weights, slopes, strict=True):
                weight.grad = slope * min(1.0, max_norm / (norm + 1e-12))
            optimizer.step()
            losses += (np.float32(loss.item()),)
    return losses


def streams_of_the_last_epoch(model, optimizer, ids, batch, length, epochs):
    """Mends both faults, but empties the list of losses where an epoch begins."""
    losses = streams_by_rolling(model, optimizer, ids, batch, length, epochs)
    return losses[len(losses) - len(losses) // epochs :]


def streams_by_rolling(model, optimizer, ids, batch, length, epochs):
    """Rolls the whole table by one for the targets; the classes go to the second axis, where PyTorch has them."""
    table = torch.stack(ids[: len(ids) // batch * batch].chunk(batch))
    ahead, losses = table.roll(-1, dims=1), np.array([])
    for _ in range(epochs):
        state = None
        for k in range((table.shape[1] - 1) // length):
            places = torch.arange(k * length, (k + 1) * length)
            logits, state = model(table[:, places], state)
            state = tuple(part.detach() for part in state)
            optimizer.zero_grad(set_to_none=False)
            loss = F.cross_entropy(logits.transpose(1, 2), ahead[:, places])
            loss.backward()
            optimizer.step()
            losses = np.append(losses, loss.item())
    return losses


ANSWERS = {
    "recurrent_networks.rnn_cell": HeldOut(cell_with_a_hard_tanh, "entries differ", OneMatrixCell()),
    "recurrent_networks.rnn_backward": HeldOut(
        backward_of_two_steps_each, "Look at `db` first", backward_by_a_linear_system
    ),
    "recurrent_networks.lstm_cell": HeldOut(lstm_with_hard_gates, "Look at `c` first", GateByGateLSTM()),
    "recurrent_networks.gru_cell": HeldOut(gru_with_two_tanh, "entries differ", gru_number_by_number),
    "recurrent_networks.bits_per_character": HeldOut(
        bits_of_tamed_logits, "a probability too small for a float", bits_in_base_two
    ),
    "recurrent_networks.sample": HeldOut(
        sample_that_divides_the_probabilities, "Probabilities do not sum to 1", sample_along_a_line
    ),
    "recurrent_networks.truncated_bptt": HeldOut(
        chunks_in_bits, "a logarithm to base 2 where the natural one is meant", chunks_by_autograd
    ),
    "recurrent_networks.mend_the_training": HeldOut(
        streams_of_the_last_epoch, "1 divided by `epochs`", streams_by_rolling
    ),
    "recurrent_networks.gradient_norms": HeldOut(
        {"A": "plain 0.8", "B": "plain 1.0", "C": "plain 1.2", "D": "LSTM 0", "E": "LSTM 2"},  # no LSTM ever forgets
        "B loses about an eighth in each step",
        {"e": "PLAIN 1", "d": "lstm_0", "c": "plain-1.2", "b": " LSTM 2.0 ", "a": "Plain 0.8"},
    ),
    "recurrent_networks.remember": HeldOut(
        {"cell": "lstm", "forget_bias": 1.0},  # the gates open, the steps as small as before
        "1/6",
        {"cell": "Gru", "lr": Fraction(1, 70), "max_norm": np.float32(2), "steps": np.int16(290)},
    ),
}
