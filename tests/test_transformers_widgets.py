"""Unit 11 beside its exercises: the three explorers and the pictures of attention."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from panels import parts

from dlcourse.data.tokenizer import Tokenizer
from dlcourse.models.gpt_torch import GPT, GPTConfig, attention_maps
from dlcourse.plot.attention import attention_map, blocks, families, soft_lookup, split_and_merge, token_strip, visible
from dlcourse.widgets.transformers import (
    MASKS,
    MOST,
    WORDS,
    MaskPad,
    attention_explorer,
    attention_figure,
    mask_explorer,
    mask_figure,
    moved,
    sharpness,
    sharpness_explorer,
    sharpness_figure,
    weights_of,
)

pytestmark = pytest.mark.usefixtures("closed_figures")


# --- how sharply a softmax chooses


def test_weights_of_a_query_sum_to_one_and_are_those_of_attention():
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(5, 1, 16)), rng.normal(size=(5, 32, 16))
    theirs = torch.softmax(torch.tensor(q) @ torch.tensor(k).mT / 4 / 0.7, -1)[:, 0].numpy()
    found = weights_of(16, 0.5, 0.7, draws=5)
    assert np.allclose(found, theirs)
    assert np.allclose(found.sum(axis=1), 1)


def test_the_slope_is_the_length_of_the_softmaxs_jacobian():
    p = weights_of(16, 0.3)
    lengths = [np.linalg.norm(np.diag(row) - np.outer(row, row)) for row in p]
    assert sharpness(16, 0.3)[1] == pytest.approx(np.median(lengths))


def test_only_the_root_keeps_entropy_and_slope_at_every_width():
    rooted, plain, flat = ([sharpness(d, exponent) for d in (16, 256, 1024)] for exponent in (0.5, 0.0, 1.0))
    assert np.ptp([entropy for entropy, _ in rooted]) < 0.2
    assert min(slope for _, slope in rooted) > 0.2
    assert plain[-1][0] < 0.3
    assert plain[-1][1] < 1e-3
    assert flat[-1][0] > 4.99


@pytest.mark.parametrize(("d", "temperature"), [(0, 1.0), (4, 0.0), (4, -1.0)])
def test_a_width_or_temperature_that_makes_no_sense_is_an_error(d, temperature):
    with pytest.raises(ValueError, match=f"d={d}, temperature={temperature}"):
        weights_of(d, 0.5, temperature)


def test_exponent_temperature_and_width_redraw_and_say_how_sharp_it_is():
    (exponent, temperature, width), picture, sentence = parts(sharpness_explorer())
    seen = {picture.value}
    assert "nearly all goes to one or two keys" in sentence.value
    for control, value in ((exponent, 0.5), (temperature, 4.0), (width, 1024)):
        control.value = value
        seen.add(picture.value)
    assert len(seen) == 4
    assert "1024^0.5, temperature 4" in sentence.value
    assert "all keys count nearly alike" in sentence.value
    assert picture.alt in sentence.value


def test_the_sharp_figure_that_stands_still_marks_the_entropy():
    figure = sharpness_figure(0.0, width=256)
    assert figure.axes[1].get_title() == f"{sharpness(256, 0.0)[0]:.1f} of 5 bits at width 256"


# --- who moves when an input moves


def reaches(mask, layers):
    return np.stack([moved(mask, s, layers) > 1e-9 for s in range(len(mask))], axis=1)


@pytest.mark.parametrize("name", sorted(MASKS))
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_an_output_moves_if_a_path_of_the_mask_leads_to_it(name, layers):
    step = MASKS[name] | np.eye(len(WORDS), dtype=bool)  # the residual connection
    assert np.array_equal(reaches(MASKS[name], layers), np.linalg.matrix_power(step.astype(int), layers) > 0)


def test_a_mask_that_is_not_square_or_an_input_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"\(2, 3\); it must be square"):
        moved(np.ones((2, 3)), 0)
    with pytest.raises(ValueError, match="changed=6; the inputs are numbered from 0 to 5"):
        moved(MASKS["causal"], 6)


def test_a_painted_mask_redraws_and_names_the_outputs_that_learn_of_the_future():
    choice, panel = mask_explorer().children
    (pad, changed, layers), picture, sentence = parts(panel)
    assert "these outputs change: barks, bites, nobody. No earlier one does" in sentence.value
    before = picture.value
    pad.value = [[*row[:3], True, *row[4:]] if k == 0 else row for k, row in enumerate(pad.value)]
    assert picture.value != before
    assert "the learned of a later word" in sentence.value
    choice.value = "the last two"
    assert pad.value == MASKS["the last two"].tolist()
    assert "change: barks, bites. No" in sentence.value
    layers.value = 2
    assert "change: barks, bites, nobody. No" in sentence.value
    changed.value = 5
    assert "change: nobody. No" in sentence.value


def test_who_may_attend_to_nobody_is_named():
    choice, panel = mask_explorer().children
    _, picture, sentence = parts(panel)
    choice.value = "strictly before"
    assert "Nobody to attend to, so the input is kept: the." in sentence.value
    assert picture.alt in sentence.value


def test_the_pad_carries_mask_and_words():
    pad = MaskPad(value=MASKS["causal"].tolist(), words=list(WORDS))
    assert pad.value[0] == [True, False, False, False, False, False]
    assert "pointerdown" in pad._esm
    assert "keydown" in pad._esm


def test_the_mask_that_stands_still_says_whether_it_leaks():
    titles = [mask_figure(name, 3).axes[1].get_title() for name in ("causal", "turned around (a mistake)")]
    assert "nothing leaks back" in titles[0]
    assert "it leaks back" in titles[1]


# --- where a head looks

TEXT = "\n    def <area>(self):\n        return self.width"


@pytest.fixture(scope="module")
def trained():
    tokenizer = Tokenizer.train(TEXT * 3, merges=12, progress=False)
    torch.manual_seed(0)
    model = GPT(GPTConfig(len(tokenizer), context=64, width=16, heads=2, layers=2)).eval()
    with torch.no_grad():
        for block in model.blocks:
            block.attention.qkv.weight.mul_(100)  # fresh heads look everywhere alike
    return model, tokenizer


def test_the_map_that_is_shown_is_that_of_the_chosen_head(trained):
    model, tokenizer = trained
    figure = attention_figure(model, tokenizer, TEXT, layer=1, head=1, token=5)
    ids = tokenizer.encode(TEXT)[:MOST]
    expected = attention_maps(model, torch.tensor(ids)[None])[1, 0, 1].numpy()
    assert np.allclose(figure.axes[0].images[0].get_array(), expected)
    assert figure.axes[0].get_title() == "layer 1, head 1"


def test_another_text_layer_head_or_token_redraws_and_says_what_the_token_looks_at(trained):
    (text, layer, head, token), picture, sentence = parts(attention_explorer(*trained, TEXT))
    assert (layer.max, head.max) == (1, 1)
    seen = {picture.value}
    for control, value in ((layer, 1), (head, 1), (token, 3), (text, "def <x>")):
        control.value = value
        seen.add(picture.value)
    assert len(seen) == 5
    assert "Layer 1, head 1: token 3" in sentence.value
    assert "<x>" not in sentence.value


def test_an_empty_text_and_a_long_one_are_shown(trained):
    assert len(attention_figure(*trained, "", 0, 0).axes[0].get_xticklabels()) == 1
    figure = attention_figure(*trained, "x y z " * 40, 0, 0)
    assert len(figure.axes[0].get_xticklabels()) == MOST


# --- pictures


def said(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_a_lookup_shows_weights_and_their_mean_of_the_values():
    texts = said(soft_lookup("q", ["a", "b"], [10, 20], np.array([0.25, 0.75])))
    assert {"q", "a", "b", "0.25", "0.75", "17.5"} <= set(texts)


def test_heads_are_drawn_as_columns_and_a_reshape_as_it_is():
    texts = said(split_and_merge(3, 4, 2))
    cells = [text for text in texts if len(text) == 3 and text[1] == ","]
    assert len(cells) == 4 * 12
    assert cells[12:18] == ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]
    assert cells[24:30] == ["0,0", "0,1", "0,2", "0,3", "1,0", "1,1"]


def test_blocks_and_families_name_their_parts():
    assert said(blocks()).count("LayerNorm") == 4
    assert {"encoder", "decoder", "encoder-decoder", "cross-attention"} <= set(said(families()))


@pytest.mark.parametrize(
    ("token", "shown"), [("\n        ", "⏎␣8"), (" self", "␣self"), ("   ", "␣3"), ("x", "x"), ("\n", "⏎")]
)
def test_blanks_and_newlines_of_a_token_are_visible(token, shown):
    assert visible(token) == shown


def test_a_map_has_a_name_for_each_row_and_column():
    _, ax = plt.subplots()
    attention_map(ax, np.eye(2, 3), ["a", "b"], ["x", "$y", "z"], "title")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "$y", "z"]
    with pytest.raises(ValueError, match=r"\(2, 3\) for 2 queries and 2 keys"):
        attention_map(ax, np.eye(2, 3), ["a", "b"], ["x", "y"], "title")


def test_a_strip_breaks_at_newlines_and_at_the_width():
    _, ax = plt.subplots()
    token_strip(ax, ["ab", "cd", "\n", "e"], np.array([0.0, 1.0, 0.5, 0.5]), width=3)
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places["b"] == (1.5, -0.5)
    assert places["c"] == (0.5, -1.5)
    assert places["e"] == (0.5, -2.5)
    with pytest.raises(ValueError, match="1 values for 2 tokens"):
        token_strip(ax, ["a", "b"], np.zeros(1))


def test_a_model_of_fewer_learned_positions_is_shown_no_more_tokens_than_it_can_read(trained):
    tokenizer = trained[1]
    short = GPT(GPTConfig(len(tokenizer), 8, width=16, heads=2, layers=1, positions="learned")).eval()
    figure = attention_figure(short, tokenizer, TEXT, 0, 0)
    assert len(figure.axes[0].get_xticklabels()) == 8
