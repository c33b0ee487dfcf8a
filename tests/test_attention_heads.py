"""What heads look at, the GPT that grows an induction head, and word order with and without positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcourse.data.tokenizer import Tokenizer
from dlcourse.models import attention_heads_torch as heads
from dlcourse.models.attention_heads_torch import (
    INDUCTION,
    PATTERNS,
    HeadScores,
    copying_accuracy,
    head_scores,
    induction_scores,
    repeats,
    train_on_repeats,
)
from dlcourse.models.gpt_config import GPTConfig
from dlcourse.models.gpt_torch import GPT
from dlcourse.models.word_order_torch import BITES, bits_by_place, learn_who_bites, who_bites_whom

TEXT = "if a:\n    b\n    c\nelse:\n    d\n" * 6
TOKENIZER = Tokenizer.train(TEXT, merges=8, progress=False)


def untrained(positions="learned", layers=2, context=24):
    torch.manual_seed(0)
    return GPT(GPTConfig(len(TOKENIZER), context, width=16, heads=2, layers=layers, positions=positions)).eval()


@pytest.fixture(scope="module")
def copying():
    return train_on_repeats(layers=2, steps=270, progress=False)


def shown(monkeypatch, maps):
    """head_scores, as if the heads of every model had the given attention: a function of N, T -> (layers, N, h, T, T)."""
    monkeypatch.setattr(heads, "attention_maps", lambda model, ids: torch.from_numpy(maps(ids)))
    return head_scores(untrained(), TOKENIZER, "\n" + TEXT)


def constant(weights):
    """Attention (T, T) of the one head of one layer, for every text."""
    return lambda ids: np.broadcast_to(weights(ids.shape[1]), (1, len(ids), 1, ids.shape[1], ids.shape[1])).copy()


# ---- patterns


def test_a_head_that_looks_one_back_has_a_previous_token_score_of_one(monkeypatch):
    scores = shown(monkeypatch, constant(lambda T: np.eye(T, k=-1))).scores
    assert scores["previous token"] == 1
    assert scores["first token"] < 0.1
    assert scores["line start"] == 0


def test_a_head_that_looks_at_the_first_place_has_a_first_token_score_of_one(monkeypatch):
    scores = shown(monkeypatch, constant(lambda T: np.eye(T)[np.zeros(T, int)])).scores
    assert scores["first token"] == 1
    assert scores["line start"] == scores["indentation above"] == 0


def test_a_head_that_looks_at_the_last_line_break_has_a_line_start_score_of_one(monkeypatch):
    def at_break(ids):
        breaks = np.array([symbol.startswith("\n") for symbol in TOKENIZER.vocabulary])[np.asarray(ids)]
        last = np.maximum.accumulate(np.where(breaks, np.arange(breaks.shape[1]), 0), axis=1)
        return np.eye(breaks.shape[1])[last][None, :, None]

    scores = shown(monkeypatch, at_break).scores
    assert scores["line start"] == 1
    assert scores["previous token"] < 0.5


def test_a_head_that_looks_at_earlier_breaks_has_an_indentation_score_of_one(monkeypatch):
    def at_breaks(ids):
        breaks = np.array([symbol.startswith("\n") for symbol in TOKENIZER.vocabulary])[np.asarray(ids)]
        T = breaks.shape[1]
        maps = (breaks[:, None] & np.tri(T, k=-1, dtype=bool) & (np.arange(T) > 0)).astype(float)
        return (maps / np.maximum(maps.sum(-1, keepdims=True), 1))[None, :, None]

    assert shown(monkeypatch, at_breaks).scores["indentation above"] == pytest.approx(1)


def test_even_attention_scores_chance_in_every_pattern(monkeypatch):
    found = shown(monkeypatch, constant(lambda T: np.tri(T) / np.arange(1, T + 1)[:, None]))
    assert set(found.scores) == {*PATTERNS, INDUCTION}
    for pattern, score in found.scores.items():
        assert score.item() == pytest.approx(found.chance[pattern])
        assert 0 < score < 1


def test_scores_have_a_row_for_each_layer_and_a_column_for_each_head():
    found = head_scores(untrained(layers=3), TOKENIZER, TEXT)
    assert {score.shape for score in found.scores.values()} == {(3, 2)}


def test_the_best_head_is_named_by_layer_and_number():
    found = HeadScores({"previous token": np.array([[0.1, 0.2], [0.7, 0.3]])}, {})
    assert found.best("previous token") == (1, 0, 0.7)
    with pytest.raises(ValueError, match="choose 'previous token'"):
        found.best("next token")


def test_a_text_without_line_breaks_has_no_best_indentation_head():
    found = head_scores(untrained(), TOKENIZER, "abcde")
    assert np.isnan(found.scores["indentation above"]).all()
    assert np.isfinite(found.scores["previous token"]).all()
    with pytest.raises(ValueError, match="no place"):
        found.best("indentation above")


def test_another_models_tokenizer_is_refused():
    with pytest.raises(ValueError, match="give the one that it was trained with"):
        head_scores(untrained(), Tokenizer.train("ab" * 9, merges=1, progress=False), TEXT)


def test_a_text_of_two_symbols_is_refused():
    with pytest.raises(ValueError, match="at least 3"):
        head_scores(untrained(), TOKENIZER, "a")


# ---- induction


def test_a_sequence_begins_anew_after_its_period_and_not_before():
    ids, periods = repeats(50, 30, (4, 9), 12, np.random.default_rng(0))
    assert set(periods) == set(range(4, 10))
    for row, period in zip(ids, periods, strict=True):
        np.testing.assert_array_equal(row[period:], row[:-period])
        assert len(set(row[:period])) == period


@pytest.mark.parametrize(("length", "period", "symbols"), [(8, 8, 9), (8, 0, 9), (30, 10, 9), (30, (6, 5), 9)])
def test_a_period_that_repeats_nothing_is_refused(length, period, symbols):
    with pytest.raises(ValueError, match="repeats: length="):
        repeats(2, length, period, symbols, np.random.default_rng(0))


def test_a_head_that_looks_behind_the_last_occurrence_has_an_induction_score_of_one(monkeypatch):
    monkeypatch.setattr(
        heads, "attention_maps", lambda model, ids: torch.from_numpy(constant(lambda T: np.eye(T, k=1 - T // 2))(ids))
    )
    assert induction_scores(untrained()) == 1


def test_a_length_beyond_the_context_is_refused():
    with pytest.raises(ValueError, match="length=26; give 4 to 24"):
        induction_scores(untrained(), length=26)


def test_two_layers_learn_to_copy_with_an_induction_head(copying):
    assert copying_accuracy(copying) >= 0.9
    assert induction_scores(copying)[1].max() >= 0.5
    assert induction_scores(copying)[0].max() <= 0.2


def test_one_layer_does_not():
    model = train_on_repeats(layers=1, steps=270, progress=False)
    assert copying_accuracy(model) <= 0.3
    assert induction_scores(model).max() <= 0.3


def test_the_loss_stays_a_guess_for_long_and_then_falls(copying):
    assert np.mean(copying.history[50:100]) > 0.9 * np.log(24)
    assert np.mean(copying.history[-10:]) < 0.5


def test_training_on_repeats_is_seeded_and_leaves_the_global_generator_as_it_was():
    before = torch.get_rng_state()
    runs = [train_on_repeats(seed=seed, steps=3, progress=False).history for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert torch.equal(torch.get_rng_state(), before)


# ---- word order


def test_each_sentence_has_a_twin_with_the_same_words_and_the_other_answer():
    ids, biter = who_bites_whom(40, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(ids[:20]), np.sort(ids[20:]))
    assert (biter[:20] != biter[20:]).all()
    assert (ids[:, -1] == BITES + 1).all()


def test_who_bites_stands_before_the_verb():
    ids, biter = who_bites_whom(40, np.random.default_rng(0))
    verb = (ids == BITES).argmax(1)
    np.testing.assert_array_equal(ids[np.arange(40), verb - 1], biter)


def test_an_odd_number_of_sentences_is_refused():
    with pytest.raises(ValueError, match="n=3"):
        who_bites_whom(3, np.random.default_rng(0))


def test_an_encoder_without_positions_is_right_in_one_of_two():
    assert learn_who_bites("none", steps=30) <= 0.5


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_with_positions_it_learns_who_bites(positions):
    assert learn_who_bites(positions, steps=150) >= 0.95


def test_a_causal_mask_is_a_position_too():
    assert learn_who_bites("none", causal=True, steps=150) >= 0.95


def test_bits_at_each_place_have_the_mean_of_the_whole_window():
    model = untrained("rotary")
    ids = torch.from_numpy(TOKENIZER.encode(TEXT))
    windows = (len(ids) - 1) // 30
    with torch.no_grad():
        logits = model(ids[: windows * 30].view(windows, 30))
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[1 : windows * 30 + 1]).item() / np.log(2)
    bits = bits_by_place(model, TOKENIZER, TEXT, 30)
    assert bits.shape == (30,)
    assert bits.mean() == pytest.approx(expected, rel=1e-5)


def test_learned_positions_cannot_read_more_than_their_context():
    with pytest.raises(ValueError, match="context=24"):
        bits_by_place(untrained("learned"), TOKENIZER, TEXT, 30)


def test_a_text_shorter_than_a_window_is_refused():
    with pytest.raises(ValueError, match="needs at least 31"):
        bits_by_place(untrained(), TOKENIZER, "abc", 30)
