"""Recurrent layers and cells beside PyTorch's, with the same weights in both."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import Tensor, gradcheck, nn, ops, optim
from dlcourse.tensor import apply_many

F = nn.functional
RTOL, ATOL = 1e-9, 1e-12
LAYERS = {
    "RNN": ("RNN", {}),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}),
    "GRU": ("GRU", {}),
    "LSTM": ("LSTM", {}),
}
CELLS = {name: (kind + "Cell", options) for name, (kind, options) in LAYERS.items()}
rng = np.random.default_rng(0)


def twins(kind: str, *sizes: int, **options: Any) -> tuple[nn.Module, torch.nn.Module]:
    """One layer in both, in float64, with PyTorch's weights."""
    theirs = getattr(torch.nn, kind)(*sizes, **options).double()
    ours = getattr(nn, kind)(*sizes, **options)
    for parameter in ours.parameters():
        parameter.data = parameter.data.astype(np.float64)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def flat(result: Any) -> list[Any]:
    """The tensors of a layer's or a cell's result: output, h and, for an LSTM, c."""
    return [tensor for part in result for tensor in flat(part)] if isinstance(result, tuple | list) else [result]


def hold_together(ours, theirs, X, states=(), used=None) -> None:
    """Outputs, and the gradients of inputs, initial states and parameters, if the outputs ``used`` enter the loss."""

    def pair(tensors):
        return None if not tensors else tensors[0] if len(tensors) == 1 else tuple(tensors)

    x, hx = Tensor(X, requires_grad=True), [Tensor(s, requires_grad=True) for s in states]
    t, ht = torch.tensor(X, requires_grad=True), [torch.tensor(s, requires_grad=True) for s in states]
    out, expected = flat(ours(x, pair(hx))), flat(theirs(t, pair(ht)))
    assert len(out) == len(expected)
    for mine, peer in zip(out, expected, strict=True):
        assert mine.shape == tuple(peer.shape)
        np.testing.assert_allclose(mine.data, peer.detach().numpy(), rtol=RTOL, atol=ATOL)
    loss, peer_loss = Tensor(0.0), torch.zeros(())
    for i in used or range(len(out)):
        weights = np.random.default_rng(i).standard_normal(out[i].shape)
        loss, peer_loss = loss + (out[i] * weights).sum(), peer_loss + (expected[i] * torch.tensor(weights)).sum()
    loss.backward()
    peer_loss.backward()
    parameters = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    for mine, peer in [(x, t), *zip(hx, ht, strict=True), *parameters]:
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=RTOL, atol=ATOL)


def draw_states(name: str, *shape: int) -> list[np.ndarray]:
    return [rng.standard_normal(shape) for _ in range(2 if name == "LSTM" else 1)]


# ---- layers


@pytest.mark.parametrize("batch_first", [False, True], ids=["TND", "NTD"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_equals_pytorchs(name, num_layers, bias, batch_first):
    kind, options = LAYERS[name]
    for bidirectional, given_states in itertools.product([False, True], repeat=2):
        options = options | {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        ours, theirs = twins(kind, 3, 5, num_layers, **options)
        L = num_layers * (1 + bidirectional)
        hold_together(ours, theirs, rng.standard_normal((4, 6, 3)),
                      draw_states(name, L, 4 if batch_first else 6, 5) if given_states else [])  # fmt: skip


@pytest.mark.parametrize(
    ("name", "used"),
    [(name, used) for name in LAYERS for used in ([0], [1], [0, 1])]
    + [("LSTM", used) for used in ([2], [0, 2], [1, 2])],
    ids=str,
)
def test_gradients_come_through_whichever_outputs_are_used(name, used):
    ours, theirs = twins(LAYERS[name][0], 3, 4, 2, **LAYERS[name][1])
    hold_together(ours, theirs, rng.standard_normal((5, 2, 3)), draw_states(name, 2, 2, 4), used)


@pytest.mark.parametrize("name", LAYERS)
@settings(deadline=None, max_examples=20)
@given(st.tuples(*[st.integers(1, 12)] + [st.integers(1, 4)] * 3, st.integers(1, 2)))
def test_a_layer_of_any_size_equals_pytorchs(name, sizes):
    T, N, D, S, L = sizes
    ours, theirs = twins(LAYERS[name][0], D, S, L, **LAYERS[name][1])
    hold_together(ours, theirs, rng.standard_normal((T, N, D)), draw_states(name, L, N, S))


@pytest.mark.parametrize("shape", [(1, 2, 3), (5, 0, 3), (5, 3), (1, 3)], ids=["T=1", "N=0", "no N", "no N, T=1"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_takes_short_empty_and_single_sequences_as_pytorchs_does(name, shape):
    for batch_first in (False, True):
        ours, theirs = twins(LAYERS[name][0], 3, 4, 2, batch_first=batch_first, **LAYERS[name][1])
        X = rng.standard_normal(shape if len(shape) == 2 or not batch_first else (shape[1], shape[0], 3))
        hold_together(ours, theirs, X, draw_states(name, 2, *shape[1:-1], 4))


@pytest.mark.parametrize("name", LAYERS)
def test_a_long_sequence_with_large_inputs_stays_finite_and_right(name):
    ours, theirs = twins(LAYERS[name][0], 3, 4, **LAYERS[name][1])
    theirs.weight_hh_l0.data *= 0.5
    ours.load_state_dict(theirs.state_dict())
    hold_together(ours, theirs, rng.standard_normal((100, 2, 3)) * rng.choice([1, 1e4], (100, 1, 1)))


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_equal_central_differences(name):
    ours, _ = twins(LAYERS[name][0], 2, 3, 2, bidirectional=True, **LAYERS[name][1])
    states = [Tensor(s, requires_grad=True) for s in draw_states(name, 4, 2, 3)]

    def total(x, *states):
        return sum((out * out).sum() for out in flat(ours(x, states[0] if len(states) == 1 else states)))

    gradcheck(total, [Tensor(rng.standard_normal((4, 2, 2)), requires_grad=True), *states], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_float32(name):
    layer = getattr(nn, LAYERS[name][0])(3, 4, 2, **LAYERS[name][1])
    x = Tensor(rng.standard_normal((5, 2, 3)).astype(np.float32), requires_grad=True)
    out = flat(layer(x))
    sum((o * o).sum() for o in out).backward()
    dtypes = {a.dtype for a in [*out, x.grad, *[p.grad for p in layer.parameters()]]}
    assert dtypes == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", LAYERS)
def test_one_hot_integers_are_taken_as_numbers(name):
    layer = getattr(nn, LAYERS[name][0])(3, 4, **LAYERS[name][1])
    X = F.one_hot(rng.integers(0, 3, (5, 2)), 3)
    out = layer(X)[0]
    out.sum().backward()
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out.data, layer(X.astype(np.float32))[0].data)


def test_dropout_acts_between_layers_and_only_in_training():
    layer = nn.LSTM(3, 50, 2, dropout=0.5, rng=np.random.default_rng(0))
    plain = nn.LSTM(3, 50, 2)
    plain.load_state_dict(layer.state_dict())
    X = rng.standard_normal((4, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(layer.eval()(X)[0].data, plain(X)[0].data)
    (first, (h, _)), (second, _) = layer.train()(X), layer(X)
    assert (first.data != second.data).any()
    np.testing.assert_array_equal(h.data[0], plain(X)[1][0].data[0])  # the first layer is as it was
    assert (h.data[1] != plain(X)[1][0].data[1]).any()


def test_full_dropout_leaves_the_second_layer_without_input():
    ours, theirs = twins("GRU", 3, 4, 2, dropout=1.0)
    hold_together(ours, theirs, rng.standard_normal((4, 2, 3)))


@pytest.mark.parametrize("name", [*LAYERS, *CELLS])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_cross_to_pytorch_and_back(name, bias):
    for kind, options in [LAYERS[name], CELLS[name]]:
        options = options | {"bias": bias}
        if not kind.endswith("Cell"):
            options = options | {"num_layers": 2, "bidirectional": True}
        ours, theirs = getattr(nn, kind)(3, 4, **options), getattr(torch.nn, kind)(3, 4, **options)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
        X = rng.standard_normal((5, 3)).astype(np.float32)
        for mine, peer in zip(flat(ours(X)), flat(theirs(torch.tensor(X))), strict=True):
            np.testing.assert_allclose(mine.data, peer.detach().numpy(), rtol=1e-5, atol=1e-6)
        ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell"])
def test_starting_weights_are_drawn_like_pytorchs_and_follow_the_rng(kind):
    ours, theirs = getattr(nn, kind)(50, 100, rng=np.random.default_rng(1)), getattr(torch.nn, kind)(50, 100)
    for mine, peer in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert np.abs(mine.data).max() == pytest.approx(peer.abs().max().item(), rel=0.05)
        assert mine.data.std() == pytest.approx(peer.std().item(), rel=0.1)
    again = getattr(nn, kind)(50, 100, rng=np.random.default_rng(1))
    assert all((a.data == b.data).all() for a, b in zip(ours.parameters(), again.parameters(), strict=True))
    assert (next(getattr(nn, kind)(2, 3).parameters()).data != next(getattr(nn, kind)(2, 3).parameters()).data).any()


def test_layers_print_as_pytorchs_do():
    for kind, sizes, options in [
        ("LSTM", (3, 4, 2), {"dropout": 0.1, "batch_first": True, "bidirectional": True}),
        ("GRU", (3, 4), {"bias": False}),
        ("RNNCell", (3, 4), {"nonlinearity": "relu"}),
        ("LSTMCell", (3, 4), {"bias": False}),
    ]:
        assert repr(getattr(nn, kind)(*sizes, **options)) == repr(getattr(torch.nn, kind)(*sizes, **options))


# ---- cells


@pytest.mark.parametrize("shape", [(6, 3), (1, 3), (0, 3), (3,)], ids=str)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_equals_pytorchs(name, bias, shape):
    ours, theirs = twins(CELLS[name][0], 3, 5, bias=bias, **CELLS[name][1])
    hold_together(ours, theirs, rng.standard_normal(shape), draw_states(name, *shape[:-1], 5))
    hold_together(ours, theirs, rng.standard_normal(shape))


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_stepped_in_a_loop_equals_the_layer(name):
    layer, _ = twins(LAYERS[name][0], 3, 4, **LAYERS[name][1])
    cell, _ = twins(CELLS[name][0], 3, 4, **CELLS[name][1])
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    X = rng.standard_normal((6, 2, 3))
    a, b, state, outputs = Tensor(X, requires_grad=True), Tensor(X, requires_grad=True), None, []
    for x in F.unbind(a):
        state = cell(x, state)
        outputs.append(state[0] if name == "LSTM" else state)
    weights = rng.standard_normal((6, 2, 4))
    output = layer(b)[0]
    np.testing.assert_allclose(F.stack(outputs).data, output.data, rtol=RTOL, atol=ATOL)
    (F.stack(outputs) * weights).sum().backward()
    (output * weights).sum().backward()
    np.testing.assert_allclose(a.grad, b.grad, rtol=RTOL, atol=ATOL)
    for mine, whole in zip(cell.parameters(), layer.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad, whole.grad, rtol=RTOL, atol=ATOL)


# ---- ops


@pytest.mark.parametrize(("op", "gates", "states"), [(ops.rnn, 1, 1), (ops.gru, 3, 1), (ops.lstm, 4, 2)])
def test_an_op_gives_the_gradient_of_each_of_its_inputs(op, gates, states):
    T, N, D, S = 3, 2, 2, 3
    layer = {1: torch.nn.RNN, 3: torch.nn.GRU, 4: torch.nn.LSTM}[gates](D, S)
    names = [name for name, _ in layer.named_parameters()]

    def theirs(x, *rest):
        hx = rest[0][None] if states == 1 else (rest[0][None], rest[1][None])
        return torch.func.functional_call(layer, dict(zip(names, rest[states:], strict=True)), (x, hx))[0]

    arrays = [rng.standard_normal(shape) for shape in [(T, N, D), *[(N, S)] * states]]
    weights = [rng.standard_normal(p.shape) for p in layer.parameters()]
    compare(lambda *inputs: apply_many(op, *inputs)[0], theirs, *arrays, *weights)


@pytest.mark.parametrize("op", [ops.rnn, ops.gru])
def test_an_ops_backward_can_run_again(op):
    gates = 3 if op is ops.gru else 1
    arrays = [rng.standard_normal(s) for s in [(4, 2, 3), (2, 5), (gates * 5, 3), (gates * 5, 5)]]
    (out, last), rule = op(*arrays)
    grads = [rng.standard_normal(out.shape), rng.standard_normal(last.shape)]
    originals = [a.copy() for a in [*arrays, *grads]]
    first, second = ([g() if callable(g) else g for g in rule(*grads)] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    for array, original in zip([*arrays, *grads], originals, strict=True):
        np.testing.assert_array_equal(array, original)


def test_an_op_refuses_shapes_that_do_not_fit():
    x, h, W, U = (np.ones(s) for s in [(4, 2, 3), (2, 5), (15, 3), (15, 5)])
    for wrong in [(x[..., :2], h, W, U), (x, h[:1], W, U), (x, h, W[:14], U), (x, h, W, U[:, :4]), (x[:0], h, W, U)]:
        with pytest.raises(ValueError, match=r"gru: an input of shape .*\(3·S, D\) and \(3·S, S\), with T at least 1"):
            ops.gru(*wrong)


# ---- in use


def test_a_sequence_in_pieces_with_the_state_detached_is_truncated_backpropagation_through_time():
    ours, theirs = twins("LSTM", 3, 4, 2)
    X = rng.standard_normal((12, 2, 3))
    state, peer_state, outputs = None, None, []
    for chunk in (X[:4], X[4:8], X[8:]):
        out, state = ours(chunk, state)
        peer_out, peer_state = theirs(torch.tensor(chunk), peer_state)
        (out * out).sum().backward()
        (peer_out * peer_out).sum().backward()
        state, peer_state = tuple(s.detach() for s in state), tuple(s.detach() for s in peer_state)
        outputs.append(out.data)
    for mine, peer in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=RTOL, atol=ATOL)
    np.testing.assert_allclose(np.concatenate(outputs), ours(X)[0].data, rtol=RTOL, atol=ATOL)


def test_an_lstm_learns_to_recall_the_first_of_six_symbols():
    draws, start = np.random.default_rng(0), np.random.default_rng(1)
    lstm, head = nn.LSTM(4, 32, rng=start), nn.Linear(32, 4, rng=start)
    optimizer = optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.02)
    for _ in range(300):
        symbols = draws.integers(0, 4, (6, 32))
        _, (h, _) = lstm(F.one_hot(symbols, 4))
        loss = F.cross_entropy(head(h[0]), symbols[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01  # chance: log 4 = 1.39


def seconds(run, T: int) -> float:
    def once():
        start = time.process_time()
        run(T)
        return time.process_time() - start

    return min(once() for _ in range(5))


def test_time_grows_with_the_length_and_not_with_its_square():
    layer, cell = nn.LSTM(8, 16), nn.LSTMCell(8, 16)

    def whole(T: int) -> None:
        layer(Tensor(np.zeros((T, 4, 8), np.float32), requires_grad=True))[0].sum().backward()

    def stepped(T: int) -> None:
        state, outputs = None, []
        for x in F.unbind(Tensor(np.zeros((T, 4, 8), np.float32), requires_grad=True)):
            state = cell(x, state)
            outputs.append(state[0])
        F.stack(outputs).sum().backward()

    for run in (whole, stepped):
        assert seconds(run, 512) < 8 * seconds(run, 128)  # linear: 4; quadratic: 16


# ---- errors


def test_an_input_that_does_not_fit_is_named():
    with pytest.raises(
        ValueError, match=r"LSTM: an input of shape \(5, 2, 4\); it must be \(T, N, D\), .* D is input_size=3"
    ):
        nn.LSTM(3, 4)(np.ones((5, 2, 4)))
    with pytest.raises(ValueError, match=r"GRU: an input of shape \(3,\); it must be \(N, T, D\)"):
        nn.GRU(3, 4, batch_first=True)(np.ones(3))
    with pytest.raises(ValueError, match=r"RNNCell: an input of shape \(5, 2, 3\); it must be \(N, D\)"):
        nn.RNNCell(3, 4)(np.ones((5, 2, 3)))
    with pytest.raises(ValueError, match=r"LSTM: an input of shape \(\); it must be"):
        nn.LSTM(3, 4)(1.0)
    with pytest.raises(ValueError, match=r"rnn: an input of shape \(0, 2, 3\).*T at least 1"):
        nn.RNN(3, 4)(np.ones((0, 2, 3)))


def test_a_state_that_does_not_fit_is_named():
    X, h = np.ones((5, 2, 3)), np.ones((1, 2, 4))
    with pytest.raises(ValueError, match=r"GRU: state h of shape \(2, 4\); it must be \(1, 2, 4\)"):
        nn.GRU(3, 4)(X, h[0])
    with pytest.raises(ValueError, match=r"LSTM: state c of shape \(1, 1, 4\); it must be \(1, 2, 4\)"):
        nn.LSTM(3, 4)(X, (h, h[:, :1]))
    with pytest.raises(ValueError, match=r"GRU: state h of shape \(1, 2, 4\); it must be \(1, 5, 4\)"):
        nn.GRU(3, 4, batch_first=True)(X, h)
    with pytest.raises(TypeError, match=r"LSTM: the state must be a pair \(h, c\), not ndarray"):
        nn.LSTM(3, 4)(X, h)
    with pytest.raises(TypeError, match=r"LSTMCell: the state must be a pair \(h, c\), not Tensor"):
        nn.LSTMCell(3, 4)(X[0], Tensor(h[0]))


def test_options_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match="GRU: hidden_size=0; it must be at least 1"):
        nn.GRU(3, 0)
    with pytest.raises(ValueError, match=r"LSTM: num_layers=0, dropout=0\.0; there must be at least 1 layer"):
        nn.LSTM(3, 4, 0)
    with pytest.raises(ValueError, match=r"LSTM: num_layers=2, dropout=1\.5; .*between 0 and 1"):
        nn.LSTM(3, 4, 2, dropout=1.5)
    with pytest.raises(ValueError, match="rnn: nonlinearity='elu'; choose 'tanh' or 'relu'"):
        nn.RNN(3, 4, nonlinearity="elu")(np.ones((5, 2, 3)))
