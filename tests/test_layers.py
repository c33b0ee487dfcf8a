"""What unit 07's drivers say about networks, filters and feature maps is so."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as torch_nn

from dlcourse import nn
from dlcourse.checks.convolutional_networks.budget import good
from dlcourse.checks.convolutional_networks.mending import make_cnn, make_cnn_as_a_class
from dlcourse.drivers import Case, run_case
from dlcourse.drivers.budgets import BUDGET, FORM, READ, SIZE, reads_with_convolutions
from dlcourse.drivers.building import builds_a_cnn
from dlcourse.drivers.filters import FILTERS, MADE_BY, drawn_image, five_maps
from dlcourse.drivers.layers import UnfitError, count, described, layers_of, logits_of
from dlcourse.grader.protocol import Channel

IMAGES = np.random.default_rng(0).random((60, 1, 8, 8)).astype(np.float32)


def of_every_kind() -> torch_nn.Sequential:
    torch.manual_seed(0)
    network = torch_nn.Sequential(
        torch_nn.Sequential(torch_nn.Conv2d(1, 6, 3, stride=1, padding=1, bias=False), torch_nn.BatchNorm2d(6)),
        torch_nn.LeakyReLU(0.1),
        torch_nn.Conv2d(6, 8, (3, 5), padding="same", groups=2),
        torch_nn.GELU(approximate="tanh"),
        torch_nn.MaxPool2d(3, stride=2, padding=1),
        torch_nn.Conv2d(8, 5, 2, padding=(1, 0)),
        torch_nn.SiLU(),
        torch_nn.AvgPool2d(2, stride=1, padding=1, count_include_pad=False),
        torch_nn.GELU(),
        torch_nn.AdaptiveMaxPool2d((4, 3)),
        torch_nn.AdaptiveAvgPool2d((3, 2)),
        torch_nn.Dropout(0.5),
        torch_nn.Flatten(),
        torch_nn.Linear(30, 12),
        torch_nn.BatchNorm1d(12),
        torch_nn.Tanh(),
        torch_nn.Linear(12, 11, bias=False),
        torch_nn.Sigmoid(),
        torch_nn.Identity(),
        torch_nn.Linear(11, 10),
    )
    for _ in range(3):
        network(torch.from_numpy(IMAGES))  # moves the running statistics
    return network


def test_a_network_run_from_its_pieces_gives_what_pytorch_gives() -> None:
    network = of_every_kind()
    layers = layers_of(described(network))
    assert count(layers) == sum(weight.numel() for weight in network.parameters())
    for own in (False, True):
        network.train(own)
        for layer in network.modules():
            if isinstance(layer, torch_nn.Dropout):
                layer.eval()
        with torch.no_grad():
            theirs = network(torch.from_numpy(IMAGES)).numpy()
        np.testing.assert_allclose(logits_of(layers, IMAGES.astype(float), own), theirs, atol=2e-5)


def test_a_network_of_the_engine_is_taken_apart_like_pytorchs() -> None:
    rng = np.random.default_rng(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=rng), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10, rng=rng)
    )  # fmt: skip
    network(IMAGES)
    network.eval()
    np.testing.assert_allclose(
        logits_of(layers_of(described(network)), IMAGES.astype(float)), network(IMAGES).data, atol=1e-5
    )


def test_a_layer_that_stands_in_several_places_is_run_in_each_and_counted_once() -> None:
    torch.manual_seed(0)
    relu, twice = torch_nn.ReLU(), torch_nn.Conv2d(4, 4, 3, padding=1)
    parts = [torch_nn.Conv2d(1, 4, 3), relu, twice, relu, torch_nn.Sequential(twice, relu), torch_nn.Flatten()]
    network = torch_nn.Sequential(*parts, torch_nn.Linear(144, 10))
    layers = layers_of(described(network))
    assert len(layers) == 8
    assert count(layers) == sum(weight.numel() for weight in network.parameters())
    with torch.no_grad():
        theirs = network(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(logits_of(layers, IMAGES.astype(float)), theirs, atol=2e-5)


@pytest.mark.parametrize("place", [1, -1, "0", None])
def test_an_earlier_layer_that_is_not_there_is_refused(place: Any) -> None:
    with pytest.raises(UnfitError, match="again"):
        layers_of({"layers": ({"layer": "ReLU", "options": {}, "arrays": {}}, {"again": place})})


@pytest.mark.parametrize("softmax", [torch_nn.Softmax(dim=1), torch_nn.LogSoftmax(dim=-1), nn.Softmax()])
def test_a_softmax_runs_over_the_classes(softmax: Any) -> None:
    network = torch_nn.Sequential(torch_nn.Flatten(), torch_nn.Linear(64, 10))
    library = torch_nn if isinstance(softmax, torch_nn.Module) else nn
    layers = layers_of(described(network)) + layers_of(described(library.Sequential(softmax)))
    with torch.no_grad():
        logits = network(torch.from_numpy(IMAGES))
    theirs = softmax(logits if library is torch_nn else logits.numpy())
    theirs = theirs.numpy() if library is torch_nn else theirs.data
    np.testing.assert_allclose(logits_of(layers, IMAGES.astype(float)), theirs, atol=2e-5)


def test_what_is_no_network_stays_as_it_is() -> None:
    for answer in (None, 3, {"A": 1}, len):
        assert described(answer) is answer


def test_a_class_of_ones_own_is_not_run() -> None:
    class Net(torch_nn.Module):
        pass

    assert described(Net()) == {"network": "Net", "layers": ()}
    found = described(torch_nn.Sequential(Net()))
    with pytest.raises(UnfitError, match="Net, a class of your own"):
        layers_of(found)


def test_a_description_crosses_the_graders_line() -> None:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    sent = run_case("value", of_every_kind()[:1], Case())
    ours.send({"value": sent.value})
    came = theirs.receive()["value"]
    np.testing.assert_array_equal(came["layers"][0]["arrays"]["weight"], sent.value["layers"][0]["arrays"]["weight"])
    assert came["layers"][0]["options"]["padding"] == (1, 1)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (torch_nn.Conv2d(1, 10, 3, padding=1000), "cannot take"),
        (torch_nn.Conv2d(1, 10, 3, dilation=2), "dilation"),
        (torch_nn.Conv2d(1, 10, 3, padding=1, padding_mode="circular"), "padding_mode"),
        (torch_nn.Conv2d(3, 10, 3), "layer 1, Conv2d, cannot take what comes"),
        (torch_nn.MaxPool2d(3, ceil_mode=True), "ceil_mode"),
        (torch_nn.AdaptiveAvgPool2d(3000), "cannot take"),
        (torch_nn.Flatten(0), "cannot take"),
        (torch_nn.Softmax(dim=0), "the examples"),
        (torch_nn.LSTM(8, 10), "not on the list: LSTM"),
    ],
)
def test_a_layer_that_cannot_be_run_is_named(layer: Any, said: str) -> None:
    answer = reads_with_convolutions(torch_nn.Sequential(layer))
    assert answer is not None
    assert said in answer[FORM]


@pytest.mark.parametrize("value", [-1, 10**9, 1.5, "3", (1, 2, 3), None])
def test_a_size_that_nobody_vouches_for_is_refused(value: Any) -> None:
    layers = layers_of(
        {"layers": ({"layer": "MaxPool2d", "options": {"kernel_size": 2, "stride": 2, "padding": value}},)}
    )
    with pytest.raises(UnfitError):
        logits_of(layers, IMAGES.astype(float))


def test_the_budget_includes_its_last_number() -> None:
    network = good()
    spare = BUDGET - count(layers_of(network))
    for more, size in ((spare, "within the budget"), (spare + 1, f"more than {BUDGET:,}")):
        wider = {
            **network,
            "layers": (*network["layers"], {"layer": "Identity", "options": {}, "arrays": {"weight": np.ones(more)}}),
        }
        answer = reads_with_convolutions(wider)
        assert answer is not None
        assert answer[SIZE] == size
        assert answer[READ] == "yes"


def test_the_same_layers_give_the_same_scores_however_they_are_written() -> None:
    state = torch.get_rng_state()
    one, other = (builds_a_cnn(maker, 10, 3, 4) for maker in (make_cnn, make_cnn_as_a_class))
    np.testing.assert_allclose(one["scores"], other["scores"], atol=1e-12)
    assert np.ptp(one["scores"]) > 0.1
    assert torch.equal(state, torch.get_rng_state())


def test_each_map_shows_what_its_message_says() -> None:
    maps = five_maps()
    rows, columns = np.nonzero(drawn_image())
    top, bottom, left, right = rows.min() - 1, rows.max() - 1, columns.min() - 1, columns[rows == rows.min()].max() - 1
    dot = 6, 16  # one less than in the image: there is no padding
    assert drawn_image()[dot[0] + 1, dot[1] + 1] == 1
    for letter, edge in (
        ("A", np.s_[top - 1 : top + 1, left : right + 1]),
        ("C", np.s_[top : bottom + 1, right : right + 2]),
        ("E", np.s_[top : bottom + 1, left - 1 : left + 1]),
    ):
        assert maps[letter][edge].min() >= 2
        assert maps[letter].sum() <= 1.5 * maps[letter][edge].sum()
    assert maps["A"][dot[0] - 1, dot[1]] == maps["C"][dot[0], dot[1] + 1] == maps["E"][dot[0], dot[1] - 1] == 1
    assert maps["B"].max() == maps["B"][dot] == 8
    assert maps["B"][top + 1 : bottom, left + 1 : right].max() == 0
    assert maps["D"][top + 1 : bottom, left + 1 : right].min() == pytest.approx(1)
    assert maps["D"][dot] == pytest.approx(1 / 9)
    assert set(MADE_BY.values()) == set(FILTERS) - {"above"}
