"""The text of lesson 09, and the models that count."""

from __future__ import annotations

import math
import warnings
from collections import Counter

import numpy as np
import pytest

from dlcourse.data import text as text_module
from dlcourse.data.text import CHARACTERS, STAND_IN, TRAIN, VALIDATION, decode, encode, load_standard_library
from dlcourse.models.ngram import NGram


@pytest.fixture(scope="module")
def corpus():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no module may be missing here
        return load_standard_library()


def library(folder, modules, size=40_000):
    """A made-up standard library with these modules, each of ``size`` characters, the packages as folders."""
    for name in modules:
        file = folder.joinpath(*name.split(".")).with_suffix("")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_name(file.name + ".py").write_text(f"# {name}\n".ljust(size, "x"), encoding="utf-8")
    return folder


# ---- the corpus


def test_the_corpus_has_about_two_million_characters_and_a_tenth_of_that_unseen(corpus):
    assert 1_900_000 < len(corpus.train) < 2_500_000
    assert 150_000 < len(corpus.validation) < 300_000
    assert corpus.missing == ()
    assert len(corpus.train_files) == len(TRAIN)
    assert len(corpus.validation_files) == len(VALIDATION) == 8


def test_no_validation_file_and_no_package_of_one_is_trained_on(corpus):
    assert not set(corpus.train_files) & set(corpus.validation_files)
    assert not {name.split(".")[0] for name in TRAIN} & {name.split(".")[0] for name in VALIDATION}


def test_hardly_any_longer_piece_of_the_validation_text_stands_in_the_training_text(corpus):
    pieces = [corpus.validation[start : start + 100] for start in range(0, len(corpus.validation) - 100, 500)]
    assert sum(piece in corpus.train for piece in pieces) < 0.01 * len(pieces)


def test_the_text_is_the_files_one_after_the_other(corpus):
    whole = "".join(file.read_text(encoding="utf-8") for file in corpus.validation_files)
    assert len(whole) == len(corpus.validation)
    assert all(a == b or b == STAND_IN for a, b in zip(whole, corpus.validation, strict=True))


def test_the_alphabet_is_sorted_and_covers_the_text(corpus):
    assert list(CHARACTERS) == sorted(set(CHARACTERS))
    assert len(CHARACTERS) == 97
    assert set(corpus.train) | set(corpus.validation) <= set(CHARACTERS)
    assert corpus.characters == CHARACTERS


def test_decode_undoes_encode(corpus):
    piece = corpus.train[:5000] + CHARACTERS
    numbers = corpus.encode(piece)
    assert numbers.dtype == np.int64
    assert numbers.shape == (len(piece),)
    assert corpus.decode(numbers) == piece
    assert corpus.decode(list(numbers)) == piece
    assert corpus.decode([]) == ""


def test_whatever_is_not_in_the_alphabet_becomes_one_stand_in():
    assert decode(encode("a\té→b\r")) == f"a{STAND_IN * 3}b{STAND_IN}"


def test_an_alphabet_without_stand_in_refuses_other_characters():
    assert encode("abba", "ab").tolist() == [0, 1, 1, 0]
    with pytest.raises(ValueError, match=r"'c', which is none of the 2 characters; leave it out"):
        encode("abc", "ab")


@pytest.mark.parametrize("number", [-1, 97])
def test_a_number_of_no_character_is_an_error(number):
    with pytest.raises(ValueError, match=f"decode: {number} is the number of no character; numbers go from 0 to 96"):
        decode([5, number])


def test_the_corpus_tells_its_size_when_printed(corpus):
    assert f"{len(corpus.train):,} characters of 32 files" in repr(corpus)
    assert f"{len(corpus.validation):,} of 8 unseen files" in repr(corpus)
    assert len(repr(corpus)) < 300


def test_a_missing_module_is_a_warning_and_is_listed(tmp_path):
    library(tmp_path, set(TRAIN + VALIDATION) - {"typing", "csv"})
    with pytest.warns(UserWarning, match="no source of typing, csv in"):
        corpus = load_standard_library(tmp_path)
    assert corpus.missing == ("typing", "csv")
    assert "missing here: typing, csv" in repr(corpus)
    assert len(corpus.train) == (len(TRAIN) - 1) * 40_000


def test_a_module_that_became_a_package_is_found(tmp_path):
    library(tmp_path, set(TRAIN + VALIDATION) - {"zipfile"})
    (tmp_path / "zipfile").mkdir()
    (tmp_path / "zipfile" / "__init__.py").write_text("now a package", encoding="utf-8")
    corpus = load_standard_library(tmp_path)
    assert "now a package" in corpus.train


@pytest.mark.parametrize("there", [(), TRAIN, VALIDATION], ids=["nothing", "no validation", "no training"])
def test_a_python_without_sources_is_an_error_with_the_remedy(tmp_path, there):
    library(tmp_path, there)
    with pytest.raises(
        FileNotFoundError, match=rf"holds the source of {len(there)} of 40 .* shipped without .* Run the"
    ):
        load_standard_library(tmp_path)


def test_bytes_that_are_no_utf_8_do_no_harm(tmp_path):
    library(tmp_path, TRAIN + VALIDATION)
    (tmp_path / "csv.py").write_bytes(b"caf\xe9")
    assert f"caf{STAND_IN}" in load_standard_library(tmp_path).validation


def test_text_and_module_agree_on_their_names():
    assert all(hasattr(text_module, name) for name in text_module.__all__)


# ---- models that count


def witten_bell(text: str, order: int, vocabulary: str, context: str, character: str) -> float:
    """The formula, written with dictionaries."""
    p = 1 / len(vocabulary)
    for n in range(min(order - 1, len(context)) + 1):
        end = context[len(context) - n :]
        after = Counter(text[i + n] for i in range(len(text) - n) if text[i : i + n] == end)
        if after:
            p = (after[character] + len(after) * p) / (after.total() + len(after))
    return p


def test_a_unigrams_bits_by_hand():
    # of "aab" in an alphabet of 4: two different characters among three, so p(a) = (2 + 2/4) / (3 + 2) = 1/2
    model = NGram(1, "abcd").fit("aab")
    np.testing.assert_allclose(model.probabilities(""), [0.5, 0.3, 0.1, 0.1])
    np.testing.assert_allclose(model.bits("abc"), [1, math.log2(1 / 0.3), math.log2(10)])
    assert model.bits_per_character("aa") == pytest.approx(1)


def test_a_bigrams_bits_by_hand():
    # after "a" came a and b: p(b | a) = (1 + 2·0.3) / (2 + 2) = 0.4; after "b" came nothing: the unigram's p(a) = 0.5
    model = NGram(2, "abcd").fit("aab")
    np.testing.assert_allclose(model.bits("aba"), [1, math.log2(1 / 0.4), 1])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_sorted_tables_say_what_dictionaries_say(order):
    rng = np.random.default_rng(order)
    vocabulary = "abcde"
    train, new = ("".join(rng.choice(list(vocabulary[:4]), count)) for count in (200, 60))
    new += "e" + new
    model = NGram(order, vocabulary).fit(train)
    expected = [witten_bell(train, order, vocabulary, new[:i], character) for i, character in enumerate(new)]
    np.testing.assert_allclose(2 ** -model.bits(new), expected)
    np.testing.assert_allclose([model.probabilities(new[:i])[vocabulary.index(c)] for i, c in enumerate(new)], expected)


@pytest.mark.parametrize("context", ["", "s", "self.", "def __init__(self", "qzqzqz", "é\n", STAND_IN * 9])
def test_probabilities_sum_to_one_after_any_context(corpus, context):
    for order in (1, 2, 6):
        p = NGram(order).fit(corpus.train[:50_000]).probabilities(context)
        assert p.shape == (97,)
        assert p.min() > 0
        assert p.sum() == pytest.approx(1, abs=1e-12)


def test_longer_contexts_tell_more_on_unseen_files(corpus):
    unigram, bigram, six = (NGram(n).fit(corpus.train).bits_per_character(corpus.validation) for n in (1, 2, 6))
    assert 4.3 < unigram < 4.8
    assert 3.3 < bigram < 3.8
    assert 2.3 < six < 2.6


def test_what_was_read_is_less_surprising_than_what_is_new(corpus):
    model = NGram(6).fit(corpus.train[:200_000])
    assert model.bits_per_character(corpus.train[:200_000]) < model.bits_per_character(corpus.validation) - 0.5


def test_counting_text_is_written_again_from_the_same_seed():
    model = NGram(3, "ab\n").fit("abab\nabab\n")
    texts = [model.generate("a", 30, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("a")
    assert len(texts[0]) == 31
    assert texts[0].count("ab") > texts[0].count("aa")  # 10 to 1 in what was counted


def test_fitting_again_forgets_what_was_counted():
    once, twice = NGram(2, "ab").fit("bbbb"), NGram(2, "ab").fit("aaaa").fit("bbbb")
    np.testing.assert_array_equal(once.probabilities("b"), twice.probabilities("b"))


@pytest.mark.parametrize("order", [0, 10])
def test_an_order_that_does_not_fit_is_an_error(order):
    with pytest.raises(ValueError, match=f"order={order}; with 97 characters it must lie between 1 and 9"):
        NGram(order)


def test_the_highest_order_does_not_overflow():
    text = STAND_IN * 20  # the largest digit
    assert NGram(9).fit(text).bits(text)[-1] == pytest.approx(
        math.log2(1 / witten_bell(text, 9, CHARACTERS, text[:-1], STAND_IN))
    )


def test_errors_of_counting_models_say_what_to_do():
    with pytest.raises(ValueError, match="nothing was counted yet; call fit"):
        NGram(2).probabilities("a")
    with pytest.raises(ValueError, match=r"a text of 1 characters; order=2 needs at least as many"):
        NGram(2).fit("a")
    with pytest.raises(ValueError, match="the text is empty"):
        NGram(1).fit("a").bits_per_character("")
