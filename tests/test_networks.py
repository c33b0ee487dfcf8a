"""What unit 04's exercises say about signals, training and reading is so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcourse.checks.multilayer_perceptron.digits import good, training_digits
from dlcourse.checks.multilayer_perceptron.forward import mlp_forward
from dlcourse.checks.multilayer_perceptron.initialization import he_init
from dlcourse.checks.multilayer_perceptron.training import TRAIN_EPOCH, train_epoch
from dlcourse.drivers.networks import READ, SIZE, draws, five_signals, reads_with_layers, slopes_by_layer


def test_the_five_signals_end_where_the_figure_and_the_messages_say() -> None:
    signals = five_signals()
    ends = {letter: float(f"{sizes[-1]:.1g}") for letter, sizes in signals.items()}
    assert ends == {"A": 2e-5, "B": 2e4, "C": 0.6, "D": 2e-35, "E": 0.1}
    assert 1 < signals["C"].max() < 1.3
    assert 0.6 < signals["E"][1] < 2 / 3  # more than a third is lost in the first layer
    assert signals["E"].max() == signals["E"][0] <= 1
    assert all(np.ptp(np.diff(np.log(signals[letter]))) < 0.4 for letter in "ABD")  # nearly straight lines
    assert abs(math.log(signals["A"][0] / signals["A"][-1]) / 30 - math.log(1.4)) < 0.05


def five_epochs(epoch: Any, seed: int) -> tuple[list[float], float]:
    X, y = training_digits()
    rng = np.random.default_rng(seed)
    params: Any = (he_init(64, 32, rng), np.zeros(32), he_init(32, 10, rng), np.zeros(10))
    losses = []
    for _ in range(5):
        *params, loss = epoch(X, y, *params, rng.permutation(len(X)), 32, 0.1)
        losses.append(float(loss))
    W1, b1, W2, b2 = params
    return losses, float(np.mean(mlp_forward(X, [(W1, b1), (W2, b2)]).argmax(axis=1) == y))


def test_of_the_two_faults_of_the_training_loop_one_prevents_learning_and_the_other_hardly_shows() -> None:
    faulty = {wrong.name: wrong.function for wrong in TRAIN_EPOCH.wrong}
    for seed in range(3):
        losses, right = five_epochs(train_epoch, seed)
        assert losses[-1] < 0.6
        assert right > 0.85
        assert min(five_epochs(faulty["as-given"], seed)[0]) > math.log(10)
        assert min(five_epochs(faulty["labels-left"], seed)[0]) > math.log(10)
        assert abs(five_epochs(faulty["moved-weights-left"], seed)[1] - right) < 0.03


def test_the_budget_counts_weights_and_biases_up_to_and_with_the_last_one() -> None:
    layers = good()
    spare = 20_000 - sum(W.size + b.size for W, b in layers)
    hidden = len(layers[0][0])
    more = spare // (64 + 1 + 10)
    wider = [
        (np.vstack([layers[0][0], np.zeros((more, 64))]), np.zeros(hidden + more)),
        (np.hstack([layers[1][0], np.zeros((10, more))]), layers[1][1]),
    ]
    wider[0][1][:hidden] = layers[0][1]
    assert reads_with_layers(wider) == reads_with_layers(layers)
    too_wide = [(np.vstack([wider[0][0], np.zeros((1, 64))]), np.append(wider[0][1], 0)), (np.hstack([wider[1][0], np.zeros((10, 1))]), wider[1][1])]  # fmt: skip
    found = reads_with_layers(too_wide)
    assert found is not None
    assert (found[SIZE], found[READ]) == ("more than 20,000", "yes")


def test_slopes_are_told_from_the_last_layer_on() -> None:
    layers = [(np.zeros((3, 2)), np.zeros(3)), (np.zeros((4, 3)), np.zeros(4))]
    found = slopes_by_layer(lambda dlogits, x, layers: layers, np.zeros((5, 4)), np.zeros((5, 2)), layers)
    assert found is not None
    assert [np.shape(found[name]) for name in ("dW[-1]", "db[-1]", "dW[-2]", "db[-2]")] == [(4, 3), (4,), (3, 2), (3,)]


def test_weights_are_drawn_twice_replayed_and_drawn_from_another_seed() -> None:
    first, second, again, other = draws(he_init, 3, 2, np.random.default_rng(5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
