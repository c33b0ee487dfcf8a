"""Byte-pair encoding: which pairs are merged, that nothing is lost, and files."""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from dlcourse.data.text import STAND_IN, load_standard_library
from dlcourse.data.tokenizer import WORDS, Tokenizer

SAMPLE = """def forward(self, x):
    if x is None:  # nothing to do
        return [0.5, 12_345, "ä\t"]


    return self.forward(x) + self.forward(-x)
"""


def train(text, merges):
    return Tokenizer.train(text, merges, progress=False)


def slow_merges(text, merges):
    """Sennrich et al. 2016, algorithm 1: all pairs counted anew for each merge."""
    words, found = {tuple(word): times for word, times in Counter(WORDS.findall(text)).items()}, []
    for _ in range(merges):
        counts = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                counts[pair] += times
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        found.append(best)
        words = Counter({tuple(joined(word, best)): times for word, times in words.items()})
    return tuple(found)


def joined(word, pair):
    word, at = list(word), 0
    while at < len(word) - 1:
        if (word[at], word[at + 1]) == pair:
            word[at : at + 2] = [pair[0] + pair[1]]
        at += 1
    return word


# ---- merges


def test_the_most_frequent_pair_is_merged_first():
    tokenizer = train("low lower lowest", 3)  # "lo" and "ow" three times each, "we" twice
    assert tokenizer.merges == (("l", "o"), ("lo", "w"), (" ", "low"))
    assert tokenizer.tokens("low slower") == ["low", " ", "s", "low", "e", "r"]


def test_incremental_counts_give_the_merges_of_counting_anew():
    text = load_standard_library().validation[:6000]
    assert train(text, 120).merges == slow_merges(text, 120)


def test_a_letter_three_times_is_merged_from_the_left():
    tokenizer = train("aaa aaa", 1)
    assert tokenizer.tokens("aaa") == ["aa", "a"]


def test_later_merges_wait_for_earlier_ones():
    tokenizer = Tokenizer("abc" + STAND_IN, [("b", "c"), ("a", "b")])
    assert tokenizer.tokens("abcab") == ["a", "bc", "ab"]


def test_encoding_its_own_training_text_repeats_the_merges():
    text = load_standard_library().validation[:6000]
    tokenizer = train(text, 80)
    for word in set(WORDS.findall(text)):
        symbols = list(word)
        for pair in tokenizer.merges:
            symbols = joined(symbols, pair)
        assert tokenizer.tokens(word) == symbols


def test_no_symbol_reaches_across_words():
    tokenizer = train("ab ab ab ab\n    ab ab\n    ab", 50)
    assert set(tokenizer.vocabulary) <= {"\n", " ", "a", "b", STAND_IN, "ab", " ab", "  ", "    ", "\n  ", "\n    "}
    assert "\n    " in tokenizer.vocabulary  # a line break and its indentation are one


def test_merging_stops_when_no_pair_stands_there_twice():
    assert train("abcdef", 10).merges == ()
    assert len(train("ab ab", 10).merges) == 1


def test_two_ways_to_make_a_symbol_give_it_one_number():
    tokenizer = Tokenizer("abc" + STAND_IN, [("a", "b"), ("ab", "c"), ("b", "c"), ("a", "bc")])
    assert tokenizer.vocabulary == ("a", "b", "c", STAND_IN, "ab", "abc", "bc")
    assert len(tokenizer) == 7
    assert tokenizer.decode(tokenizer.encode("abcbc")) == "abcbc"


# ---- there and back


@pytest.mark.parametrize("text", ["", "a", SAMPLE, " \n \t\r\n  x", "".join(map(chr, range(0x250)))],
                         ids=["empty", "letter", "code", "blanks", "strange"])  # fmt: skip
def test_decoding_gives_the_text_back(text):
    tokenizer = train(SAMPLE + "".join(map(chr, range(0x250))), 40)
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64
    assert ids.shape == (len(tokenizer.tokens(text)),)
    assert tokenizer.decode(ids) == text == "".join(tokenizer.tokens(text))


def test_words_lose_no_character():
    text = "".join(np.random.default_rng(0).choice(list(" \n\t\x0baA_9.(é\u2003"), 5000))
    assert "".join(WORDS.findall(text)) == text


def test_a_character_never_seen_becomes_the_stand_in():
    tokenizer = train("ab ab", 2)
    assert tokenizer.tokens("abXab") == ["ab", STAND_IN, "ab"]


def test_merges_make_the_text_shorter():
    corpus = load_standard_library()
    lengths = [len(train(corpus.train[:100_000], merges).encode(corpus.validation[:20_000])) for merges in (0, 50, 200)]
    assert lengths[0] == 20_000
    assert lengths[0] > 1.3 * lengths[1] > 1.3 * lengths[2]


def test_five_hundred_merges_and_two_megabytes_take_less_than_ten_seconds():
    text = load_standard_library().train
    started = time.process_time()
    tokenizer = train(text, 500)
    ids = tokenizer.encode(text)
    assert time.process_time() - started < 10
    assert len(tokenizer.merges) == 500
    assert len(text) / len(ids) > 2.3  # 2.6 with Python 3.11


# ---- files and errors


def test_a_saved_tokenizer_comes_back(tmp_path):
    tokenizer = train(SAMPLE, 30)
    tokenizer.save(tmp_path / "code.json")
    again = Tokenizer.load(tmp_path / "code.json")
    assert (again.vocabulary, again.merges, again.characters) == (
        tokenizer.vocabulary, tokenizer.merges, tokenizer.characters,
    )  # fmt: skip
    assert again.tokens(SAMPLE) == tokenizer.tokens(SAMPLE)
    assert [path.name for path in tmp_path.iterdir()] == ["code.json"]


@pytest.mark.parametrize("content", ["{}", "[1]", "no json", '{"characters": "a", "merges": []}'])
def test_another_file_is_refused_by_its_name(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match=r"other\.json is no tokenizer's file .*Tokenizer\.save"):
        Tokenizer.load(tmp_path / "other.json")


def test_the_file_is_json(tmp_path):
    train("ab ab", 1).save(tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["merges"] == [["a", "b"]]


def test_errors_name_the_value_and_the_remedy():
    with pytest.raises(ValueError, match=r"Tokenizer\.train: an empty text; give one"):
        train("", 5)
    with pytest.raises(ValueError, match=r"merges=-1; give 0"):
        train("ab", -1)
    with pytest.raises(ValueError, match="8 is the number of no symbol; numbers go from 0 to 4"):
        train("ab ab", 1).decode([0, 8])
    with pytest.raises(ValueError, match="each must be there once"):
        Tokenizer("aa" + STAND_IN)
    with pytest.raises(ValueError, match=r"STAND_IN .* among them"):
        Tokenizer("ab")
    with pytest.raises(
        ValueError, match=r"the merge \('ab', 'c'\) uses 'ab', which is no character and made by no earlier"
    ):
        Tokenizer("abc" + STAND_IN, [("ab", "c"), ("a", "b")])
