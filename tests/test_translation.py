"""Numbers in words, and the encoder-decoder Transformer that translates them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcourse.data.numerals import join_words, number_words, split_pairs, split_words
from dlcourse.models import attention_runs
from dlcourse.models.translation_torch import (
    END,
    Attention,
    Translator,
    alignment,
    cross_attention,
    exact,
    train_translator,
    translate,
)

PAIRS = number_words(1000)


@pytest.fixture(scope="module")
def learned():
    """A model that has read 300 of the numbers below a thousand, and 100 others."""
    training, held_out = split_pairs(PAIRS, training=300, held_out=100)
    return train_translator(training, steps=200, width=32, layers=1, batch=32, lr=6e-3, progress=False), held_out


@pytest.fixture
def fresh():
    torch.manual_seed(0)
    return Translator(["one", "two", "three"], ["un", "deux"], width=8, heads=2).eval()


# ---- numbers in words


def test_the_pair_of_a_number_stands_at_the_number_minus_one():
    assert number_words()[4790] == (
        "four thousand seven hundred ninety-one",
        "quatre mille sept cent quatre-vingt-onze",
    )
    assert len(number_words()) == 9999


def test_no_numeral_has_a_comma_or_an_and():
    words = {word for english, french in number_words() for word in split_words(english) + split_words(french)}
    assert "and" not in words
    assert not any("," in word for word in words)
    assert len(words) == 30 + 27 - 2  # "-" and "six" are in both languages


def test_a_changed_list_of_numbers_changes_no_later_one():
    number_words(20).clear()
    assert len(number_words(20)) == 19


def test_words_join_to_the_text_that_was_split():
    assert split_words("Ninety-one") == ["ninety", "-", "one"]
    assert all(join_words(split_words(text)) == text for pair in PAIRS for text in pair)


def test_held_out_pairs_are_none_of_those_to_learn_from():
    training, held_out = split_pairs(PAIRS, training=600, held_out=399)
    assert sorted(training + held_out) == sorted(PAIRS)


def test_another_seed_splits_otherwise_and_the_same_one_alike():
    assert split_pairs(PAIRS, training=10, seed=3) == split_pairs(PAIRS, training=10, seed=3)
    assert split_pairs(PAIRS, training=10, seed=3) != split_pairs(PAIRS, training=10, seed=4)


def test_more_pairs_than_there_are_cannot_be_split():
    with pytest.raises(ValueError, match=r"training=900 and held_out=100 of 999 pairs"):
        split_pairs(PAIRS, training=900, held_out=100)


def test_a_limit_without_numbers_is_refused():
    with pytest.raises(ValueError, match="limit=1"):
        number_words(1)


# ---- the model


def test_attention_is_that_of_torch_with_the_same_weights():
    torch.manual_seed(0)
    ours, theirs = Attention(8, 2), torch.nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.out_proj.weight.copy_(ours.out.weight)
    x, memory = torch.randn(3, 4, 8), torch.randn(3, 5, 8)
    words = torch.arange(5) < torch.tensor([[5], [3], [1]])  # (N, S)
    out, weights = ours(x, memory, words[:, None, None])
    expected, expected_weights = theirs(x, memory, memory, key_padding_mask=~words, average_attn_weights=False)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(weights, expected_weights)


def test_padding_behind_a_sentence_changes_no_logit(fresh):
    target = torch.tensor([[1, 3, 4]])
    bare, padded = fresh(torch.tensor([[3, 5, 2]]), target), fresh(torch.tensor([[3, 5, 2, 0, 0]]), target)
    torch.testing.assert_close(bare, padded)


def test_a_later_word_of_the_translation_changes_no_earlier_logit(fresh):
    source = torch.tensor([[3, 5, 2]])
    one, other = fresh(source, torch.tensor([[1, 3, 4]])), fresh(source, torch.tensor([[1, 3, 3]]))
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2], other[:, 2])


def test_every_word_that_was_read_changes_the_first_logit(fresh):
    def first(*source):
        return fresh(torch.tensor([[*source, 2]]), torch.tensor([[1]]))

    assert not any(torch.allclose(first(3, 4, 5), other) for other in (first(4, 4, 5), first(3, 3, 5), first(3, 4, 4)))


def test_exchanged_words_are_read_as_another_sentence(fresh):
    assert not torch.allclose(
        fresh(torch.tensor([[3, 4, 2]]), torch.tensor([[1]])), fresh(torch.tensor([[4, 3, 2]]), torch.tensor([[1]]))
    )


def test_a_width_that_is_no_multiple_of_twice_the_heads_is_refused():
    with pytest.raises(ValueError, match="width=9, heads=2"):
        Translator(["one"], ["un"], width=9, heads=2)


# ---- learned


def test_numbers_never_seen_are_translated(learned):
    model, held_out = learned
    assert exact(model, held_out) >= 0.8


def test_a_list_gives_what_its_texts_give_one_by_one(learned):
    model, held_out = learned
    texts = [english for english, _ in held_out[:8]]
    assert translate(model, texts) == [translate(model, text) for text in texts]


def test_exact_is_the_share_of_translations_that_are_right(learned):
    model, held_out = learned
    texts = [english for english, _ in held_out[:3]]
    right = list(zip(texts, translate(model, texts), strict=True))
    assert exact(model, right) == 1
    assert exact(model, [*right, (texts[0], "douze mille")]) == 0.75


def test_cross_attention_has_a_row_for_each_word_and_rows_that_sum_to_one(learned):
    model, _ = learned
    source, produced, weights = cross_attention(model, "three hundred forty-two")
    assert source == ["three", "hundred", "forty", "-", "two", END]
    assert produced == [*split_words(translate(model, "three hundred forty-two")), END]
    assert weights.shape == (1, 2, len(produced), len(source))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)


def test_words_are_written_while_looking_at_their_counterparts(learned):
    model, held_out = learned
    untrained = Translator(model.source_words[3:], model.target_words[3:], 32, 2, 1).eval()
    texts = [english for english, _ in held_out[:40]]
    assert alignment(model, texts) >= 0.6
    with pytest.raises(ValueError, match="no word to judge by"):
        alignment(untrained, ["one"])


def test_the_same_seed_trains_the_same_model():
    runs = [train_translator(PAIRS[:50], seed=seed, steps=5, width=8, progress=False).history for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_training_leaves_the_global_generator_as_it_was():
    before = torch.get_rng_state()
    train_translator(PAIRS[:50], steps=2, width=8, progress=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_interrupted_training_returns_the_model_as_far_as_it_came(monkeypatch):
    steps, step = [], torch.optim.AdamW.step

    def interrupted(self, *arguments):
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", interrupted)
    model = train_translator(PAIRS[:50], steps=50, width=8, progress=False)
    assert len(model.history) == 3
    assert not model.training


def test_a_word_never_seen_is_named(learned):
    with pytest.raises(ValueError, match="'million' is none of the"):
        translate(learned[0], "one million")


def test_an_empty_text_is_refused(learned):
    with pytest.raises(ValueError, match="an empty text"):
        translate(learned[0], " ")


@pytest.mark.parametrize("call", [lambda: train_translator([]), lambda: exact(None, [])], ids=["train", "exact"])
def test_no_pairs_are_refused(call):
    with pytest.raises(ValueError, match="pairs is empty"):
        call()


# ---- measured


@pytest.mark.parametrize(
    ("task", "model", "setting", "least", "most"),
    [
        ("translation", "Translator", "exact", 0.97, 1),
        ("translation", "Translator", "aligned", 0.9, 1),
        ("induction", "2 layers", "accuracy", 0.95, 1),
        ("induction", "2 layers", "best head", 0.9, 1),
        ("induction", "1 layer", "accuracy", 0, 0.2),
        ("who bites whom", "none", "encoder", 0.5, 0.5),
        ("who bites whom", "none", "causal", 0.95, 1),
        ("bits at the end", "post-norm", "6 layers, warm-up 0", 3.2, 3.4),
        ("bits at the end", "post-norm", "6 layers, warm-up 100", 2.5, 2.9),
        ("bits at the end", "pre-norm", "6 layers, warm-up 0", 2.5, 2.7),
    ],
)
def test_all_three_written_runs_lie_between(task, model, setting, least, most):
    runs = attention_runs.measured()[task, model, setting]
    assert [run.seed for run in runs] == [0, 1, 2]
    assert all(least <= run.result <= most for run in runs)


def test_attention_is_written_as_quadratic_and_the_lstm_as_linear_in_time():
    runs = attention_runs.measured()
    growth = {
        m: runs["milliseconds", m, "2048"][0].result / runs["milliseconds", m, "512"][0].result
        for m in ("attention", "LSTM")
    }
    assert growth["attention"] > 5 > growth["LSTM"]
