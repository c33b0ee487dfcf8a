"""What unit 09's exercises say of networks and runs, held against the networks and runs themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dlcourse.checks import evaluate, find
from dlcourse.checks.exercise import cases_of
from dlcourse.checks.recurrent_networks.gru import gru_cell
from dlcourse.checks.recurrent_networks.lstm_answers import lstm_cell
from dlcourse.checks.recurrent_networks.rnn import rnn_cell
from dlcourse.checks.recurrent_networks.sampling import FAR, candidates, distance, softmax
from dlcourse.checks.recurrent_networks.through_time import forward, rnn_backward
from dlcourse.drivers.sequences import CUT, SECOND_TIME, five_norms, remembers, samples, trains_in_chunks


def draws(seed: int, *shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def test_the_reference_cells_equal_those_of_pytorch():
    for kind, gates in (("RNN", 1), ("LSTM", 4), ("GRU", 3)):
        x, h, c, *weights = draws(0, (3, 2), (3, 5), (3, 5), (5 * gates, 2), (5 * gates, 5), (5 * gates,), (5 * gates,))
        cell = getattr(torch.nn, f"{kind}Cell")(2, 5).double()
        cell.load_state_dict({name: torch.tensor(a) for name, a in zip(cell.state_dict(), weights, strict=True)})
        state = (torch.tensor(h), torch.tensor(c)) if kind == "LSTM" else torch.tensor(h)
        theirs = cell(torch.tensor(x), state)
        W_ih, W_hh, b_ih, b_hh = weights
        if kind == "LSTM":
            pairs = list(zip(lstm_cell(x, h, c, W_ih, W_hh, b_ih + b_hh), theirs, strict=True))
        elif kind == "GRU":
            pairs = [(gru_cell(x, h, W_ih, W_hh, b_ih, b_hh), theirs)]
        else:
            pairs = [(rnn_cell(x, h, W_ih, W_hh, b_ih + b_hh), theirs)]
        for a, b in pairs:
            assert np.allclose(a, b.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_the_reference_slopes_through_time_equal_those_of_pytorch():
    x, h0, W_ih, W_hh, b, dhs = draws(1, (5, 3, 2), (3, 4), (4, 2), (4, 4), (4,), (5, 3, 4))
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, h0, W_ih, W_hh, b)]
    x_, h, W_ih_, W_hh_, b_ = leaves
    loss = torch.zeros((), dtype=torch.float64)
    for t in range(5):
        h = torch.tanh(x_[t] @ W_ih_.T + h @ W_hh_.T + b_)
        loss = loss + (torch.tensor(dhs[t]) * h).sum()
    loss.backward()
    for ours, leaf in zip(rnn_backward(dhs, x, forward(x, h0, W_ih, W_hh, b), W_ih, W_hh), leaves, strict=True):
        assert np.allclose(ours, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_five_slopes_change_by_the_factors_that_the_messages_name():
    norms = five_norms()
    factor = {letter: (curve[1:] / curve[:-1]) ** -1 for letter, curve in norms.items()}
    for letter, low, high in (("A", 0.799, 0.801), ("B", 0.86, 0.91), ("D", 0.45, 0.56), ("E", 0.999, 1.001)):
        assert low < factor[letter].min()
        assert factor[letter].max() < high
    assert 9000 < norms["C"][0] < 10_000
    assert 1e-15 < norms["D"][0] < 1e-14
    assert 0.003 < norms["B"][0] < 0.0045
    assert all(curve[-1] == 1 and curve.shape == (51,) for curve in norms.values())


def test_an_lstms_slope_is_measured_as_differences_would():
    """The first step's cell is nudged in a copy of the forward pass."""
    from dlcourse.drivers import sequences

    rng = np.random.default_rng(0)
    H = sequences.WIDTH
    W_ih, W_hh = rng.normal(0, 0.1 / np.sqrt(H), (2, 4 * H, H))
    b = np.repeat([0.0, 2.0, 0.0, 0.0], H)
    inputs = [rng.normal(size=H) for _ in range(sequences.STEPS)]
    arrow = rng.normal(size=H)
    arrow /= np.linalg.norm(arrow)

    def last_cell(c0: Any) -> float:
        h, c = np.zeros((1, H)), c0[None]
        for x in inputs:
            h, c = lstm_cell(x[None], h, c, W_ih, W_hh, b)
        return float(c[0] @ arrow)

    slope = np.array([(last_cell(e) - last_cell(-e)) / 2e-5 for e in 1e-5 * np.eye(H)])
    assert np.isclose(np.linalg.norm(slope), sequences._lstm_norms(np.random.default_rng(0), 2.0)[0], rtol=1e-4)


def test_the_wrong_distributions_lie_far_from_the_right_one_somewhere():
    cases = [case for case in cases_of(find("recurrent_networks.sample"), 0) if not case.label]
    for name in list(candidates(*cases[0].args[:2]))[1:]:
        far = [
            distance(candidates(z, T)[name], softmax(z / T), 2000) > 2 * FAR
            for z, T in (case.args[:2] for case in cases)
        ]
        assert any(far), name


def test_a_sample_from_elsewhere_is_found_out():
    logits, rng = np.array([0.3, 1.0, -0.5]), np.random.default_rng(3)
    fresh = np.random.default_rng(8)
    given = samples(lambda z, T, rng: int(fresh.choice(len(z), p=softmax(z / T))), logits, 1.0, rng)
    assert not np.array_equal(given["drawn"][: len(given["again"])], given["again"])
    assert not given["greedy"]
    assert samples(lambda z, T, rng: int(z.argmax()), logits, 1.0, rng)["greedy"]
    assert samples(lambda z, T, rng: None, logits, 1.0, rng) is None


def test_a_graph_that_is_carried_along_is_told_from_other_errors():
    case = cases_of(find("recurrent_networks.truncated_bptt"), 0)[0]
    exercise = find("recurrent_networks.truncated_bptt")
    carried = next(wrong for wrong in exercise.wrong if wrong.name == "graph-carried-along")
    assert trains_in_chunks(carried.function, *case.materialize()) == {"the way back": SECOND_TIME}
    assert trains_in_chunks(exercise.reference, *case.materialize())["the way back"] == CUT

    def another(model: Any, *rest: Any) -> Any:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        trains_in_chunks(another, *case.materialize())


def test_clipping_bites_in_some_ordinary_steps_and_not_in_others():
    exercise = find("recurrent_networks.truncated_bptt")
    for seed in range(5):
        free = [
            trains_in_chunks(exercise.reference, *case.args[:4], 1e9)["norms of the gradients at each step"]
            / case.args[4]
            for case in cases_of(exercise, seed)
            if not case.label
        ]
        norms = np.concatenate(free)
        assert (norms > 1.05).any()


@pytest.mark.parametrize(
    ("settings", "fate"),
    [
        ({}, "remembers nothing"),
        ({"cell": "gru", "lr": 0.01}, "reached"),
        ({"cell": "gru", "lr": 0.003}, "on its way"),
        ({"cell": "gru", "steps": 301}, "over the budget"),
        ({"cell": "GRU ", "lr": 0}, "out of range"),
        ({"cell": "gru", "steps": 2.5}, "out of range"),
        ({"cell": "elman"}, "unknown cell"),
        ({"cell": None}, "unknown cell"),
        ({"lr": True}, "not a number"),
        ({"lr": None}, "not a number"),
        ({"forget_bias": float("nan")}, "not a number"),
        ({"rate": 0.1}, "unknown setting"),
        ({"cell": "gru", "lr": 0.01, "max_norm": None}, "reached"),
        ({"steps": 2}, "hardly moved"),
        ({"lr": 0.01, "max_norm": 1e-9, "steps": 30}, "hardly moved"),
        ([], "not a dict"),
    ],
)
def test_a_runs_fate_has_its_name(settings, fate):
    assert remembers(settings) == {"fate": fate}


def test_a_run_that_is_thrown_about_says_so():
    assert remembers({"cell": "rnn", "lr": 50.0, "steps": 5}) == {"fate": "thrown about"}


def test_the_streams_of_the_first_case_are_those_of_the_tasks_example():
    *_, ids, batch, length, _ = cases_of(find("recurrent_networks.mend_the_training"), 0)[0].args
    assert (len(ids), batch, length) == (22, 2, 4)


def test_an_unknown_mistake_in_training_is_told_by_its_first_wrong_part():
    def rate_halved(model, optimizer, sequences, length, max_norm):
        optimizer.param_groups[0]["lr"] /= 2
        return find("recurrent_networks.truncated_bptt").reference(model, optimizer, sequences, length, max_norm)

    verdict = evaluate("recurrent_networks.truncated_bptt", rate_halved)
    assert not verdict.passed
    assert "Look at `the rest of the list` first" in verdict.message


def test_a_list_of_texts_that_was_emptied_is_noticed():
    exercise = find("recurrent_networks.truncated_bptt")

    def emptying(model, optimizer, sequences, length, max_norm):
        losses = []
        while sequences:
            losses += exercise.reference(model, optimizer, [sequences.pop(0)], length, max_norm)
        return losses

    verdict = evaluate(exercise.id, emptying)
    assert verdict.mistake == "input-mutated"
    assert "`sequences` was changed in place" in verdict.message


def test_logits_that_are_divided_in_place_are_noticed_by_that():
    def dividing(logits, temperature, rng):
        logits /= temperature
        return int(rng.choice(len(logits), p=softmax(logits)))

    assert evaluate("recurrent_networks.sample", dividing).mistake == "input-mutated"
