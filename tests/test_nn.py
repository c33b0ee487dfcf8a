"""Layers, losses and starting weights beside PyTorch's, with the same weights in both."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from beside_torch import compare

from dlcourse import Tensor, data, nn, optim

rng = np.random.default_rng(0)


def twins() -> tuple[nn.Sequential, torch.nn.Sequential]:
    """One network in both, in float64, with PyTorch's weights."""
    theirs = torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.GELU(), torch.nn.Sequential(torch.nn.Linear(7, 3, bias=False), torch.nn.Tanh())
    ).double()
    ours = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Sequential(nn.Linear(7, 3, bias=False), nn.Tanh()))
    for parameter in ours.parameters():
        parameter.data = parameter.data.astype(np.float64)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


# ---- Module


def test_a_network_with_pytorchs_weights_has_its_outputs_and_gradients():
    ours, theirs = twins()
    X, y = rng.standard_normal((6, 5)), rng.integers(0, 3, 6)
    x, t = Tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    out, expected = ours(x), theirs(t)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    nn.CrossEntropyLoss()(out, y).backward()
    torch.nn.CrossEntropyLoss()(expected, torch.tensor(y)).backward()
    np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-9, atol=1e-12)
    pairs = list(zip(ours.named_parameters(), theirs.named_parameters(), strict=True))
    assert len(pairs) == 3
    for (name, mine), (peer_name, peer) in pairs:
        assert name == peer_name
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_weights_cross_to_pytorch_and_back():
    ours, theirs = twins()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, rng=rng)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    X = rng.standard_normal((4, 5))
    np.testing.assert_allclose(ours(X).data, theirs(torch.tensor(X)).detach().numpy(), rtol=1e-9)
    ours.load_state_dict(theirs.state_dict())  # PyTorch's own tensors are read too


def test_a_state_dict_holds_copies():
    layer = nn.Linear(2, 3, rng=rng)
    state = layer.state_dict()
    assert {name: value.shape for name, value in state.items()} == {"weight": (3, 2), "bias": (3,)}
    state["weight"][...] = 99
    assert not (layer.weight.data == 99).any()


def test_loading_keeps_the_parameters_and_their_dtype():
    layer = nn.Linear(2, 3)
    weight, array = layer.weight, layer.weight.data
    layer.load_state_dict({"weight": np.full((3, 2), 0.5), "bias": [1, 2, 3]})
    assert layer.weight is weight
    assert layer.weight.data is array
    assert array.dtype == np.float32
    assert (array == 0.5).all()


def test_a_state_dict_that_does_not_fit_is_named_and_changes_nothing():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    before = net.state_dict()
    state = net.state_dict()
    state["0.weight"] = np.zeros((2, 3))
    state["extra"] = np.zeros(4)
    del state["2.bias"]
    with pytest.raises(ValueError, match="load_state_dict of Sequential") as raised:
        net.load_state_dict(state)
    said = str(raised.value)
    assert "'0.weight' has shape (2, 3), the module's has shape (3, 2)" in said
    assert "'extra' of shape (4,) is unexpected" in said
    assert "'2.bias' of shape (1,) is missing" in said
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


class Tied(nn.Module):
    """One weight used in two places, a list of layers, and parts set in an unusual order."""

    def __init__(self) -> None:
        self.inner = nn.ModuleList([nn.Linear(2, 2, rng=rng)])
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.inner.append(nn.Tanh())
        self.again = self.inner[0]

    def forward(self, x):
        for layer in self.inner:
            x = layer(x)
        return self.again(x) * self.scale


def test_a_shared_parameter_is_given_once_and_gets_both_gradients():
    net = Tied()
    assert [name for name, _ in net.named_parameters()] == ["scale", "inner.0.weight", "inner.0.bias"]
    assert list(net.state_dict()) == [
        "scale", "inner.0.weight", "inner.0.bias", "again.weight", "again.bias",
    ]  # fmt: skip
    net(np.ones((3, 2), np.float32)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_names_and_their_order_are_pytorchs():
    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
            self.scale = torch.nn.Parameter(torch.ones(2))
            self.inner.append(torch.nn.Tanh())
            self.again = self.inner[0]

    assert list(Tied().state_dict()) == list(Theirs().state_dict())
    assert [n for n, _ in Tied().named_parameters()] == [n for n, _ in Theirs().named_parameters()]


def test_a_module_list_is_indexed_and_counted():
    layers = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    assert len(layers) == 2
    assert isinstance(layers[-1], nn.Tanh)
    net = nn.Sequential(nn.Linear(2, 3), *layers)
    assert type(net[:2]) is nn.Sequential
    assert list(net[:2]) == [net[0], net[1]]
    np.testing.assert_array_equal(net[:2](np.ones(2)).data, net[1](net[0](np.ones(2))).data)
    with pytest.raises(TypeError, match=r"Sequential holds modules, not function"):
        nn.Sequential(nn.functional.relu)


def test_apply_reaches_every_module_the_inner_ones_first_as_in_pytorch():
    def names(package):
        seen = []
        net = package.Sequential(package.Linear(2, 2), package.Sequential(package.ReLU()))
        assert net.apply(lambda module: seen.append(type(module).__name__)) is net
        return seen

    assert names(nn) == names(torch.nn)


def test_a_seed_can_stand_for_a_generator():
    for layer in (nn.Linear, nn.Embedding, nn.LSTM):
        np.testing.assert_equal(layer(3, 2, rng=0).state_dict(), layer(3, 2, rng=0).state_dict())
    x = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(nn.Dropout(rng=1)(x).data, nn.functional.dropout(x, rng=1).data)


def test_whole_numbers_of_numpy_are_sizes_too():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(nn.LayerNorm(np.int64(3))(x).data, nn.LayerNorm(3)(x).data)
    assert len(nn.functional.split(x, np.int64(1))) == 2


def test_train_and_eval_reach_every_module():
    net = Tied()
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty needs a forward method"):
        Empty()(1)


def test_a_network_prints_as_pytorchs_does():
    ours = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Sequential(torch.nn.ReLU()))
    assert repr(ours) == repr(theirs)


# ---- layers and losses


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5)], ids=str)
def test_linear_takes_any_leading_axes(shape):
    ours, theirs = nn.Linear(5, 4, rng=rng), torch.nn.Linear(5, 4)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    X = rng.standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(ours(X).data, theirs(torch.tensor(X)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_linears_starting_weights_are_drawn_like_pytorchs_and_follow_the_rng():
    ours, theirs = nn.Linear(100, 200, rng=np.random.default_rng(1)), torch.nn.Linear(100, 200)
    for mine, peer in [(ours.weight, theirs.weight), (ours.bias, theirs.bias)]:
        assert mine.dtype == np.float32
        assert np.abs(mine.data).max() == pytest.approx(peer.abs().max().item(), rel=0.05)
        assert mine.data.std() == pytest.approx(peer.std().item(), rel=0.15)
    again = nn.Linear(100, 200, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(ours.weight.data, again.weight.data)
    assert (nn.Linear(100, 200).weight.data != nn.Linear(100, 200).weight.data).any()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nn.ReLU(), torch.nn.ReLU()),
        (nn.LeakyReLU(), torch.nn.LeakyReLU()),
        (nn.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
        (nn.Sigmoid(), torch.nn.Sigmoid()),
        (nn.Tanh(), torch.nn.Tanh()),
        (nn.GELU(), torch.nn.GELU()),
        (nn.GELU("tanh"), torch.nn.GELU("tanh")),
        (nn.SiLU(), torch.nn.SiLU()),
        (nn.Softmax(1), torch.nn.Softmax(1)),
        (nn.Softmax(), torch.nn.Softmax(-1)),
        (nn.LogSoftmax(1), torch.nn.LogSoftmax(1)),
        (nn.Flatten(), torch.nn.Flatten()),
    ],
    ids=lambda module: str(module),
)
def test_a_module_without_weights_equals_pytorchs(ours, theirs):
    compare(ours, theirs, rng.standard_normal((2, 3, 4)))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss"])
def test_a_loss_module_equals_pytorchs(name, reduction):
    ours, theirs = getattr(nn, name)(reduction=reduction), getattr(torch.nn, name)(reduction=reduction)
    x = rng.standard_normal((4, 3))
    if name in ("CrossEntropyLoss", "NLLLoss"):
        y = rng.integers(0, 3, 4)
        compare(lambda x: ours(x, y), lambda x: theirs(x, torch.tensor(y)), x)
    else:
        compare(ours, theirs, x, rng.uniform(0, 1, (4, 3)))


def test_an_unknown_gelu_lists_the_choices():
    with pytest.raises(ValueError, match="approximate='erf'; choose 'none' or 'tanh'"):
        nn.functional.gelu(1.0, "erf")


# ---- starting weights


@pytest.mark.parametrize("shape", [(300, 200), (40, 30, 5, 3)], ids=str)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniform_", {}),
        ("uniform_", {"a": -2, "b": 3}),
        ("normal_", {}),
        ("normal_", {"mean": 1, "std": 2}),
        ("xavier_uniform_", {}),
        ("xavier_normal_", {"gain": 2.0}),
        ("kaiming_uniform_", {"a": math.sqrt(5)}),
        ("kaiming_uniform_", {"nonlinearity": "relu"}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("kaiming_normal_", {"nonlinearity": "tanh"}),
    ],
    ids=str,
)
def test_starting_weights_have_pytorchs_mean_spread_and_range(name, options, shape):
    ours, theirs = Tensor(np.empty(shape, np.float32)), torch.empty(shape)
    assert getattr(nn.init, name)(ours, **options, rng=np.random.default_rng(0)) is ours
    getattr(torch.nn.init, name)(theirs, **options)
    spread = theirs.std().item()
    assert ours.dtype == np.float32
    assert ours.data.mean() == pytest.approx(theirs.mean().item(), abs=0.03 * spread)
    assert ours.data.std() == pytest.approx(spread, rel=0.03)
    if "uniform" in name:
        assert ours.data.max() == pytest.approx(theirs.max().item(), rel=0.01)


def test_constants_fill_a_tensor():
    x = Tensor(np.empty((2, 3)))
    assert (nn.init.zeros_(x).data == 0).all()
    assert (nn.init.ones_(x).data == 1).all()
    assert (nn.init.constant_(x, 2.5).data == 2.5).all()


@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_the_gain_is_pytorchs(nonlinearity):
    assert nn.init.calculate_gain(nonlinearity) == pytest.approx(torch.nn.init.calculate_gain(nonlinearity))


def test_starting_weights_explain_wrong_arguments():
    with pytest.raises(ValueError, match=r"at least two axes.*got shape \(3,\)"):
        nn.init.xavier_uniform_(Tensor(np.ones(3)))
    with pytest.raises(ValueError, match="mode='in': choose 'fan_in' or 'fan_out'"):
        nn.init.kaiming_normal_(Tensor(np.ones((2, 2))), mode="in")
    with pytest.raises(ValueError, match="nonlinearity='swish': choose one of"):
        nn.init.kaiming_normal_(Tensor(np.ones((2, 2))), nonlinearity="swish")


# ---- clipping


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 1e9])
def test_clipping_equals_pytorchs_and_returns_the_length_before(max_norm):
    grads = [rng.standard_normal((3, 4)), rng.standard_normal(5), None]
    ours, theirs = [], []
    for grad in grads:
        mine, peer = Tensor(np.ones(2)), torch.ones(2 if grad is None else grad.shape, dtype=torch.float64)
        mine.grad, peer.grad = (None, None) if grad is None else (grad.copy(), torch.tensor(grad))
        ours.append(mine)
        theirs.append(peer)
    norm = nn.utils.clip_grad_norm_(iter(ours), max_norm)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, max_norm).item(), rel=1e-12)
    for mine, peer in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(mine.grad, peer.grad.numpy(), rtol=1e-9)


def test_clipping_spreads_a_nan_to_all_gradients_like_pytorchs():
    ours, theirs = [Tensor([1.0]), Tensor([1.0])], [torch.ones(1), torch.ones(1)]
    for mine, peer, g in zip(ours, theirs, (np.nan, 1.0), strict=True):
        mine.grad, peer.grad = np.array([g], np.float32), torch.tensor([g])
    assert np.isnan(nn.utils.clip_grad_norm_(ours, 1.0))
    torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    assert [np.isnan(t.grad[0]) for t in ours] == [bool(t.grad.isnan()) for t in theirs] == [True, True]


def test_clipping_keeps_float32():
    x = Tensor([1.0], requires_grad=True)
    (x * 100).backward()
    nn.utils.clip_grad_norm_(x, 1.0)
    assert x.grad.dtype == np.float32
    assert x.grad[0] == pytest.approx(1, rel=1e-5)


# ---- all together


def test_a_network_learns_the_digits_and_stays_in_float32():
    X, X_test, y, y_test = data.load_digits()
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(64, 128, rng=rng), nn.ReLU(), nn.Linear(128, 10, rng=rng))
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(20):
        for xb, yb in data.DataLoader((X, y), 32, shuffle=True, rng=rng):
            loss = nn.functional.cross_entropy(net(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.dtype == np.float32
    assert {p.dtype for p in net.parameters()} == {p.grad.dtype for p in net.parameters()} == {np.dtype(np.float32)}
    assert (net(X_test).data.argmax(axis=1) == y_test).mean() >= 0.96


def test_a_small_network_separates_the_spirals():
    X, y = data.spirals(150, turns=1.5, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    net = nn.Sequential(
        nn.Linear(2, 48, rng=rng), nn.ReLU(), nn.Linear(48, 48, rng=rng), nn.ReLU(), nn.Linear(48, 2, rng=rng)
    )
    optimizer = optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(400):
        loss = nn.functional.cross_entropy(net(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (net(X).data.argmax(axis=1) == y).mean() >= 0.98
