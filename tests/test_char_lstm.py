"""The language model in both engines, its training in PyTorch, and the tasks that need a memory."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse import nn, no_grad, optim
from dlcourse.data.memory import adding_problem, copy_problem
from dlcourse.data.text import CHARACTERS, Corpus
from dlcourse.models import char_lstm, char_lstm_torch
from dlcourse.models.char_lstm_torch import bits_per_character, generate, next_probabilities, train_language_model
from dlcourse.models.recurrent_runs import SOLVED, learn_to_add, measured

F = nn.functional
VOCABULARY = "\n abcdef"
rng = np.random.default_rng(0)


def twins(embedding=5, hidden=7):
    theirs = char_lstm_torch.CharLSTM(VOCABULARY, embedding, hidden)
    ours = char_lstm.CharLSTM(VOCABULARY, embedding, hidden)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def corpus_of(train, validation="abc"):
    return Corpus(train, validation, (Path("a.py"),), (Path("b.py"),), characters=VOCABULARY)


@pytest.fixture(scope="module")
def small():
    """A model that has learned that the letters from a to f follow one another, and that a line has one or two rounds."""
    draws = np.random.default_rng(0)
    text = "".join("abcdef" * draws.integers(1, 3) + "\n" for _ in range(600))
    return train_language_model(corpus_of(text), steps=150, embedding=8, hidden=24, length=16, batch=16, lr=2e-2)


# ---- the same model twice


def test_names_and_shapes_of_the_weights_are_the_same():
    ours, theirs = twins()
    expected = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert {name: array.shape for name, array in ours.state_dict().items()} == expected
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_weights_cross_to_pytorch_as_well():
    ours, theirs = char_lstm.CharLSTM(VOCABULARY, 5, 7), char_lstm_torch.CharLSTM(VOCABULARY, 5, 7)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()})
    ids = rng.integers(0, len(VOCABULARY), (2, 6))
    with no_grad(), torch.no_grad():
        np.testing.assert_allclose(ours(ids)[0].data, theirs(torch.from_numpy(ids))[0].numpy(), atol=1e-6)


def test_logits_and_state_equal_pytorchs_also_in_pieces():
    ours, theirs = twins()
    ids = rng.integers(0, len(VOCABULARY), (3, 12))
    whole, _ = theirs(torch.from_numpy(ids))
    state = None
    for start, end in ((0, 5), (5, 6), (6, 12)):
        logits, state = ours(ids[:, start:end], state)
        piece = whole[:, start:end].detach().numpy()
        np.testing.assert_allclose(logits.data, piece, atol=1e-6)
    assert logits.shape == (3, 6, len(VOCABULARY))
    _, (h, c) = theirs(torch.from_numpy(ids))
    np.testing.assert_allclose(state[0].data, h.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(state[1].data, c.detach().numpy(), atol=1e-6)
    assert state[0].shape == (1, 3, 7)


def test_twenty_steps_of_training_stay_together_with_pytorchs():
    ours, theirs = twins(8, 16)
    ours_o, theirs_o = optim.AdamW(ours.parameters(), lr=1e-2), torch.optim.AdamW(theirs.parameters(), lr=1e-2)
    text = rng.integers(0, len(VOCABULARY), (4, 20 * 10 + 1))
    state, peer, losses = None, None, []
    for step in range(20):
        chunk = text[:, step * 10 : step * 10 + 11]
        logits, state = ours(chunk[:, :-1], state)
        state = tuple(s.detach() for s in state)
        loss = F.cross_entropy(logits.reshape(-1, len(VOCABULARY)), chunk[:, 1:].reshape(-1))
        ours_o.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(ours.parameters(), 0.5)
        ours_o.step()

        chunk = torch.from_numpy(chunk)
        logits, peer = theirs(chunk[:, :-1], peer)
        peer = tuple(s.detach() for s in peer)
        peer_loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())
        theirs_o.zero_grad()
        peer_loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        theirs_o.step()

        losses.append(loss.item())
        assert loss.item() == pytest.approx(peer_loss.item(), abs=2e-5)
    assert losses[-1] != pytest.approx(losses[0], abs=1e-3)  # something was learned
    for name, tensor in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], tensor.numpy(), atol=2e-4)


def test_the_engines_model_starts_again_from_the_same_seed():
    first, second = (char_lstm.CharLSTM(VOCABULARY, 4, 5, rng=np.random.default_rng(3)) for _ in range(2))
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name])


# ---- training


def test_training_learns_what_follows(small):
    assert small.history[0] > 2.5  # log2 of 8 characters is 3
    assert np.mean(small.history[-20:]) < 0.3
    assert bits_per_character(small, "abcdef\n" * 20) < 0.5


def test_training_is_the_same_from_the_same_seed_and_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    settings = {"steps": 3, "embedding": 4, "hidden": 6, "length": 5, "batch": 2}
    runs = [train_language_model(corpus_of("abc\n" * 50), seed=seed, **settings) for seed in (1, 1, 2)]
    assert runs[0].history == runs[1].history != runs[2].history
    assert len(runs[0].history) == 3
    assert not runs[0].training
    assert torch.equal(before, torch.random.get_rng_state())


def test_training_never_reads_the_validation_text():
    settings = {"steps": 3, "embedding": 4, "hidden": 6, "length": 5, "batch": 2}
    runs = [train_language_model(corpus_of("abc\n" * 50, other), **settings) for other in ("abc", "ffff" * 50)]
    assert runs[0].history == runs[1].history


def test_the_state_goes_on_from_step_to_step(monkeypatch):
    given = []
    forward = char_lstm_torch.CharLSTM.forward

    def watched(model, ids, state=None):
        logits, after = forward(model, ids, state)
        given.append((ids, state, after))
        return logits, after

    monkeypatch.setattr(char_lstm_torch.CharLSTM, "forward", watched)
    text = "".join(rng.choice(list("abcdef"), 64))
    train_language_model(corpus_of(text), steps=3, embedding=4, hidden=6, length=5, batch=2)
    assert given[0][1] is None
    for (_, _, after), (_, before, _) in pairwise(given):
        assert torch.equal(before[0], after[0].detach())
        assert torch.equal(before[1], after[1].detach())
        assert not before[0].requires_grad
    for stream in torch.cat([ids for ids, _, _ in given], dim=1):  # and so does the text
        read = "".join(VOCABULARY[i] for i in stream)
        assert read in text + text


def test_an_interrupted_training_returns_what_it_has(monkeypatch):
    forward, calls = char_lstm_torch.CharLSTM.forward, []

    def interrupted(model, ids, state=None):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return forward(model, ids, state)

    monkeypatch.setattr(char_lstm_torch.CharLSTM, "forward", interrupted)
    model = train_language_model(corpus_of("abc\n" * 50), steps=50, embedding=4, hidden=6, length=5, batch=2)
    assert len(model.history) == 4
    assert not model.training
    assert math.isfinite(bits_per_character(model, "abc"))


def test_the_bar_shows_bits_per_character(said_by_the_bar):
    said = said_by_the_bar(char_lstm_torch)
    model = train_language_model(corpus_of("abc\n" * 50), steps=2, embedding=4, hidden=6, length=5, batch=2)
    assert said == [
        f"{model.history[0]:.2f} bits per character",
        f"{np.mean(model.history):.2f} bits per character",
    ]


def test_a_text_too_short_for_its_streams_is_an_error():
    with pytest.raises(
        ValueError, match=r"90 characters in batch=3 streams are 30 each, and length=32 .* a smaller batch"
    ):
        train_language_model(corpus_of("abc" * 30), batch=3)


# ---- measuring


def slow_bits(model, text):
    """One character after the other, with the state of all before."""
    ids, state, bits = [VOCABULARY.index(c) for c in text], None, []
    with torch.no_grad():
        for now, following in pairwise(ids):
            logits, state = model(torch.tensor([[now]]), state)
            bits.append(-torch.log2(logits[0, -1].softmax(0))[following].item())
    return float(np.mean(bits))


@pytest.mark.parametrize("count", [2, 3, 99, 101, 700])
def test_bits_per_character_in_one_piece_is_the_sum_over_the_characters(small, count):
    text = "".join(np.random.default_rng(count).choice(list(VOCABULARY), count))
    assert bits_per_character(small, text, streams=1) == pytest.approx(slow_bits(small, text), abs=1e-5)


def test_pieces_side_by_side_tell_nearly_the_same(small):
    text = "".join(np.random.default_rng(0).choice(list(VOCABULARY), 3001))
    assert bits_per_character(small, text, streams=20) == pytest.approx(slow_bits(small, text), abs=1e-3)


def test_a_model_that_knows_nothing_needs_log2_of_the_alphabet():
    model = char_lstm_torch.CharLSTM(VOCABULARY, 4, 6)
    for parameter in model.head.parameters():
        torch.nn.init.zeros_(parameter)
    assert bits_per_character(model, "abc def\n" * 40) == pytest.approx(3, abs=1e-6)


def test_a_text_of_one_character_has_nothing_to_predict(small):
    with pytest.raises(ValueError, match="a text of 1 characters; at least 2 are needed"):
        bits_per_character(small, "a")


# ---- writing


def test_writing_is_the_same_from_the_same_seed(small):
    texts = [generate(small, "ab", 60, 2.0, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("ab")
    assert len(texts[0]) == 62


def test_a_temperature_near_zero_always_takes_the_likeliest(small):
    text = generate(small, "abc", 20, 1e-4, np.random.default_rng(0))
    for end in range(3, len(text)):
        assert VOCABULARY[next_probabilities(small, text[:end]).argmax()] == text[end]
    assert text.startswith("abcdef")


def test_characters_are_written_as_often_as_the_distribution_says(small):
    p, draws = next_probabilities(small, "abcdef", 2.0), np.random.default_rng(0)
    counts = np.zeros(len(VOCABULARY))
    for _ in range(400):
        counts[VOCABULARY.index(generate(small, "abcdef", 1, 2.0, draws)[-1])] += 1
    assert 0.05 < p[VOCABULARY.index("a")] < 0.95  # there is something to choose
    assert np.abs(counts / 400 - p).max() < 0.08


@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
def test_temperature_divides_the_logits(small, temperature):
    p, q = next_probabilities(small, "abcdef"), next_probabilities(small, "abcdef", temperature)
    assert q.sum() == pytest.approx(1)
    np.testing.assert_allclose(q, p ** (1 / temperature) / (p ** (1 / temperature)).sum(), atol=1e-9)


@pytest.mark.parametrize("function", ["generate", "next_probabilities"])
def test_errors_of_writing_name_the_value_and_the_remedy(small, function):
    def call(text, temperature):
        return (
            generate(small, text, 3, temperature)
            if function == "generate"
            else next_probabilities(small, text, temperature)
        )

    with pytest.raises(ValueError, match=f"{function}: an empty text; give at least one character"):
        call("", 1.0)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"{function}: temperature={temperature}; it must be above 0"):
            call("a", temperature)


def test_the_full_alphabet_is_the_default():
    assert char_lstm.CharLSTM(embedding=2, hidden=3).vocabulary == CHARACTERS
    assert char_lstm_torch.CharLSTM(embedding=2, hidden=3).vocabulary == CHARACTERS


# ---- tasks that need a memory


def test_the_sum_of_the_two_marked_numbers_is_asked_for():
    x, y = adding_problem(500, 11, np.random.default_rng(0))
    assert x.shape == (500, 11, 2)
    assert y.shape == (500,)
    assert x.dtype == y.dtype == np.float32
    np.testing.assert_array_equal(x[:, :5, 1].sum(axis=1), 1)
    np.testing.assert_array_equal(x[:, 5:, 1].sum(axis=1), 1)
    np.testing.assert_allclose(y, [sum(value for value, mark in rows if mark) for rows in x], rtol=1e-6)
    assert set(np.nonzero(x[:, :, 1])[1]) == set(range(11))  # every place is marked at some time
    assert x[:, :, 0].min() >= 0
    assert x[:, :, 0].max() < 1


def test_answering_one_has_an_error_of_a_sixth():
    _, y = adding_problem(20_000, 5, np.random.default_rng(0))
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.005)


def test_the_copied_symbols_are_the_first_ones():
    x, y = copy_problem(50, 7, np.random.default_rng(0), symbols=4, copied=3)
    assert x.shape == y.shape == (50, 13)
    np.testing.assert_array_equal(x[:, :3], y[:, -3:])
    np.testing.assert_array_equal(y[:, :-3], 0)
    assert set(x[:, :3].flat) == {1, 2, 3, 4}
    np.testing.assert_array_equal(x[:, 3:9], 0)
    np.testing.assert_array_equal(x[:, 9], 5)  # the sign, 7 steps after the last symbol
    np.testing.assert_array_equal(x[:, 10:], 0)


def test_the_tasks_are_the_same_from_the_same_seed():
    for task in (adding_problem, copy_problem):
        first, second, other = (task(6, 20, np.random.default_rng(seed)) for seed in (0, 0, 1))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: adding_problem(0, 5, rng),
            "adding_problem: n=0, length=5; there must be at least 1 sequence of at least 2",
        ),
        (
            lambda: adding_problem(3, 1, rng),
            "adding_problem: n=3, length=1; there must be at least 1 sequence of at least 2",
        ),
        (
            lambda: copy_problem(1, 0, rng),
            "copy_problem: n=1, length=0; there must be at least 1 sequence of at least 1",
        ),
        (lambda: copy_problem(1, 5, rng, symbols=0), "copy_problem: symbols=0, copied=10; there must be at least 1"),
    ],
)
def test_tasks_of_no_size_are_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call()


# ---- runs over lengths and seeds


def test_a_gated_network_learns_to_add_over_twenty_steps():
    run = learn_to_add("GRU", 20, seed=0)
    assert run.solved
    assert run.error < 0.02 < 1 / 6
    assert 50 <= len(run.losses) < 2000
    assert run.losses[-50:].mean() < SOLVED <= run.losses[-51:-1].mean()  # it stops as soon as it is solved


def test_a_run_that_solves_nothing_ends_after_its_steps():
    run = learn_to_add("RNN", 30, seed=0, steps=5)
    assert not run.solved
    assert len(run.losses) == 5
    assert run.error > 0.05


def test_a_run_repeats_from_its_seed():
    runs = [learn_to_add("LSTM", 5, seed=seed, steps=4) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].losses, runs[1].losses)
    assert runs[0].error == runs[1].error
    assert not np.array_equal(runs[0].losses, runs[2].losses)


def test_another_kind_of_network_is_an_error():
    with pytest.raises(ValueError, match="kind='CNN'; choose 'RNN', 'LSTM', 'GRU'"):
        learn_to_add("CNN", 5, seed=0)


def test_what_was_measured_keeps_the_targets_of_the_lesson():
    runs = measured()
    (six,) = runs["bits per character", "6-gram", 0]
    lstm = runs["bits per character", "LSTM", 0]
    assert [run.seed for run in lstm] == [0, 1, 2]
    assert max(run.result for run in lstm) < min(2.65, six.result) - 0.2
    assert max(run.seconds for run in lstm) < 60


def test_what_was_measured_says_that_gates_remember_longer():
    runs = measured()
    for length in (40, 80, 150):
        plain, gru = runs["adding problem", "RNN", length], runs["adding problem", "GRU", length]
        assert len(plain) == len(gru) == 5
        assert min(run.result for run in plain) > 10 * max(run.result for run in gru)


def test_the_benchmarks_first_row_can_be_repeated():
    kept = measured()["adding problem", "GRU", 10][0]
    run = learn_to_add("GRU", 10, seed=0)
    assert run.error < 0.02
    assert len(run.losses) == pytest.approx(kept.steps, rel=0.2)  # sums are rounded differently on other processors
