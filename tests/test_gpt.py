"""GPT in both engines: the same numbers, positions, masks and the cache; and training, measuring and writing in PyTorch."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse import nn, no_grad, optim
from dlcourse.data.text import Corpus
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.models import gpt, gpt_config, gpt_torch
from dlcourse.models.gpt_config import GPTConfig
from dlcourse.models.gpt_torch import attention_maps, bits_per_character, generate, train_gpt
from dlcourse.models.transformer_runs import measured

POSITIONS = ("learned", "sinusoidal", "rotary", "none")
EVERY = [{"positions": p, "norm": n, "causal": c} for p, n, c in product(POSITIONS, ("pre", "post"), (True, False))]
each_kind = pytest.mark.parametrize("options", EVERY, ids=lambda o: f"{o['positions']}-{o['norm']}-{o['causal']}")
CAUSAL = [options for options in EVERY if options["causal"]]
each_causal = pytest.mark.parametrize("options", CAUSAL, ids=lambda o: f"{o['positions']}-{o['norm']}")

rng = np.random.default_rng(0)
F, TF = nn.functional, torch.nn.functional


def config(**options):
    return GPTConfig(**{"vocabulary": 30, "context": 12, "width": 16, "heads": 4, "layers": 2, **options})


def twins(seed=0, **options):
    """The same model in both engines, with weights four times as large as at the start: attention is not flat."""
    ours = gpt.GPT(config(**options), rng=np.random.default_rng(seed)).eval()
    theirs = gpt_torch.GPT(config(**options)).eval()
    theirs.load_state_dict({name: torch.from_numpy(4 * array) for name, array in ours.state_dict().items()})
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def symbols(N=3, T=12, V=30):
    return np.random.default_rng(N * T).integers(0, V, (N, T))


def run(model, ids, **options):
    """Logits as an array, in either engine."""
    if isinstance(model, nn.Module):
        with no_grad():
            return model(ids, **options).numpy()
    with torch.no_grad():
        return model(torch.from_numpy(ids), **options).numpy()


TEXT = "".join("abcdef" * np.random.default_rng(i).integers(1, 3) + "\n" for i in range(600))
LETTERS = Tokenizer.train(TEXT, 3, progress=False)
QUICK = {"steps": 3, "batch": 2, "config": GPTConfig(len(LETTERS), context=8, width=8, heads=2, layers=1),
         "progress": False, "device": "cpu"}  # fmt: skip


@pytest.fixture(scope="module")
def small():
    """A model that has learned that the letters from a to f follow one another, and that a line has one or two rounds."""
    shape = GPTConfig(len(LETTERS), context=16, width=32, heads=2, layers=2, positions="rotary")
    return train_gpt(TEXT, LETTERS, steps=100, batch=8, config=shape, lr=1e-2, warm_up=10, progress=False, device="cpu")


# ---- the same model twice


@each_kind
def test_names_and_shapes_of_the_weights_are_the_same(options):
    ours, theirs = gpt.GPT(config(**options)), gpt_torch.GPT(config(**options))
    expected = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert {name: array.shape for name, array in ours.state_dict().items()} == expected
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ("position.weight" in expected) == (options["positions"] == "learned")


@each_kind
def test_logits_equal_pytorchs(options):
    ours, theirs = twins(**options)
    logits = run(ours, symbols())
    np.testing.assert_allclose(logits, run(theirs, symbols()), atol=1e-5)
    assert logits.shape == (3, 12, 30)
    assert logits.std() > 0.1


def test_the_head_is_the_embedding():
    ours, theirs = twins()
    for model, parameters in ((ours, dict(ours.named_parameters())), (theirs, dict(theirs.named_parameters()))):
        before = run(model, symbols())
        weight = parameters["token.weight"]
        weight.data[7] = 0 * weight.data[7]  # a symbol that the text below does not have
        after = run(model, symbols() % 7)
        assert (after[..., 7] == 0).all()
        assert not (before[..., 7] == 0).all()
        assert not any("head" in name for name in parameters)


@pytest.mark.parametrize("positions", POSITIONS)
def test_fifty_steps_of_training_stay_together_with_pytorchs(positions):
    shape = config(positions=positions)
    ours, theirs = gpt.GPT(shape, rng=np.random.default_rng(1)), gpt_torch.GPT(shape)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()})
    ours_o, theirs_o = optim.AdamW(ours.parameters(), lr=3e-3), torch.optim.AdamW(theirs.parameters(), lr=3e-3)
    text = np.cumsum(np.random.default_rng(2).integers(1, 3, (4, 50 * 12 + 1)), 1) % 30
    losses, gaps = [], []
    for step in range(50):
        chunk = text[:, step * 12 : step * 12 + 13]
        loss = F.cross_entropy(ours(chunk[:, :-1]).reshape(-1, 30), chunk[:, 1:].reshape(-1))
        ours_o.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(ours.parameters(), 1.0)
        ours_o.step()
        chunk = torch.from_numpy(chunk)
        peer_loss = TF.cross_entropy(theirs(chunk[:, :-1]).flatten(0, 1), chunk[:, 1:].flatten())
        theirs_o.zero_grad()
        peer_loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        theirs_o.step()
        losses.append(loss.item())
        gaps.append(abs(loss.item() - peer_loss.item()))
    assert max(gaps) < 1e-4
    assert losses[-1] < losses[0] - 0.3


def test_the_same_seed_gives_the_same_model_in_either_engine():
    for start in (lambda seed: gpt.GPT(config(), rng=np.random.default_rng(seed)).state_dict(), started_by_torch):
        first, second, other = (start(seed) for seed in (3, 3, 4))
        assert all(np.array_equal(first[name], second[name]) for name in first)
        assert not np.array_equal(first["token.weight"], other["token.weight"])


def started_by_torch(seed):
    torch.manual_seed(seed)
    return {name: tensor.numpy() for name, tensor in gpt_torch.GPT(config()).state_dict().items()}


def test_both_engines_start_alike():
    ours, theirs = gpt.GPT(config(width=64)).state_dict(), gpt_torch.GPT(config(width=64)).state_dict()
    for name, array in ours.items():
        spread = theirs[name].std().item()
        assert array.std() == pytest.approx(spread, rel=0.2, abs=1e-9), name
        assert array.mean() == pytest.approx(theirs[name].mean().item(), abs=0.01), name
    assert ours["blocks.0.mlp.2.weight"].std() < 0.7 * ours["blocks.0.mlp.0.weight"].std()


# ---- what a position may know


@each_causal
@pytest.mark.parametrize("engine", [0, 1], ids=["engine", "torch"])
def test_a_symbol_changes_no_logits_before_it(options, engine):
    model = twins(**options)[engine]
    ids = symbols()
    changed = ids.copy()
    changed[:, 7] = (ids[:, 7] + 1) % 30
    before, after = run(model, ids), run(model, changed)
    np.testing.assert_array_equal(before[:, :7], after[:, :7])
    assert (np.abs(before[:, 7:] - after[:, 7:]).max((0, 2)) > 1e-4).all()


def test_an_encoder_sees_both_sides():
    for model in twins(causal=False):
        ids = symbols()
        changed = ids.copy()
        changed[:, 7] = (ids[:, 7] + 1) % 30
        assert (np.abs(run(model, ids) - run(model, changed)).max((0, 2)) > 1e-4).all()


def test_without_positions_an_encoder_cannot_tell_the_order():
    order = np.random.default_rng(0).permutation(12)
    for positions in POSITIONS:
        for model in twins(causal=False, positions=positions):
            there = run(model, symbols()[:, order])
            same = np.allclose(there, run(model, symbols())[:, order], atol=1e-4)
            assert same == (positions == "none")


def test_rotary_attention_depends_on_distances_only():
    ours, theirs = twins(positions="rotary")
    x = rng.standard_normal((2, 6, 16)).astype(np.float32)
    for start in (3, 40):
        attention = theirs.blocks[0].attention
        (q, k, _), (moved_q, moved_k, _) = (attention.project(torch.from_numpy(x), s) for s in (0, start))
        torch.testing.assert_close(q @ k.mT, moved_q @ moved_k.mT, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(q, moved_q, atol=1e-2)
        here = ours.blocks[0].attention.project(nn.functional.relu(x) - nn.functional.relu(-x), start)
        np.testing.assert_allclose(here[0].numpy(), moved_q.detach().numpy(), atol=1e-5)


def test_rotary_turns_neighbors_as_a_pair():
    cosines, sines = gpt_config.rotations(5, 1, 4)  # position 5, pairs at angles 5 and 5/100
    x = np.array([[1.0, 0.0, 0.0, 2.0]])
    turned = x * cosines + (x @ gpt_config.pair_turn(4)) * sines
    expected = [math.cos(5), math.sin(5), -2 * math.sin(0.05), 2 * math.cos(0.05)]
    np.testing.assert_allclose(turned[0], expected, atol=1e-6)


def test_sinusoids_have_sines_in_even_columns():
    table = gpt_config.sinusoids(2, 3, 6)
    for row, position in enumerate((2, 3, 4)):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / 6)
            np.testing.assert_allclose(table[row, 2 * i : 2 * i + 2], [math.sin(angle), math.cos(angle)], atol=1e-6)


def test_post_norm_leaves_each_block_normalized():
    block = gpt_torch.Block(config(norm="post"))
    out = block(torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0)) * 9)
    torch.testing.assert_close(out.mean(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(-1, correction=0), torch.ones(2, 5), atol=1e-3, rtol=0)
    stream = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0)) * 9
    assert gpt_torch.Block(config(norm="pre"))(stream).var() > 20  # the sum passes unchanged


def test_dropout_acts_in_training_only():
    for model in (gpt.GPT(config(dropout=0.5)), gpt_torch.GPT(config(dropout=0.5))):
        assert not np.array_equal(run(model, symbols()), run(model, symbols()))
        model.eval()
        np.testing.assert_array_equal(run(model, symbols()), run(model, symbols()))


# ---- the cache


@each_causal
@pytest.mark.parametrize("engine", [0, 1], ids=["engine", "torch"])
def test_reading_in_pieces_with_a_cache_equals_reading_at_once(options, engine):
    model, module = twins(**options)[engine], (gpt, gpt_torch)[engine]
    whole, cache, ids = run(model, symbols()), module.KeyValueCache(), symbols()
    for start, end in ((0, 4), (4, 5), (5, 6), (6, 12)):
        assert cache.length() == start
        piece = run(model, ids[:, start:end], cache=cache)
        np.testing.assert_allclose(piece, whole[:, start:end], atol=1e-5)
    assert [tuple(keys.shape) for keys in cache.keys] == [(3, 4, 12, 4)] * 2
    assert [tuple(values.shape) for values in cache.values] == [(3, 4, 12, 4)] * 2


def test_a_cache_is_filled_in_reading_order():
    _, model = twins(positions="none")
    at_once, in_pieces = gpt_torch.KeyValueCache(), gpt_torch.KeyValueCache()
    run(model, symbols(), cache=at_once)
    for start in range(12):
        run(model, symbols()[:, start : start + 1], cache=in_pieces)
    for one, other in zip(at_once.keys + at_once.values, in_pieces.keys + in_pieces.values, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "none"])
def test_positions_that_are_not_learned_reach_beyond_the_context(positions):
    ours, theirs = twins(positions=positions)
    np.testing.assert_allclose(run(ours, symbols(2, 30)), run(theirs, symbols(2, 30)), atol=1e-5)


# ---- looking


@each_kind
def test_attention_maps_are_the_weights_that_the_model_uses(options):
    _, model = twins(**options)
    ids, used = symbols(), []
    attend = TF.scaled_dot_product_attention

    def watched(q, k, v, mask=None, is_causal=False):
        used.append(attend(q, k, torch.eye(k.shape[2]).expand(*k.shape[:3], -1), mask, is_causal=is_causal))
        return attend(q, k, v, mask, is_causal=is_causal)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(gpt_torch.F, "scaled_dot_product_attention", watched)
        maps = attention_maps(model, ids)
    assert maps.shape == (2, 3, 4, 12, 12)  # layers, N, h, T, T
    torch.testing.assert_close(maps, torch.stack(used), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 3, 4, 12))
    assert not any(block.attention._forward_pre_hooks for block in model.blocks)


def test_causal_maps_have_nothing_above_the_diagonal():
    maps = attention_maps(twins()[1], symbols())
    assert torch.equal(maps.triu(1), torch.zeros_like(maps))


# ---- configuration and errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary": 0}, "vocabulary=0; give a whole number, 1 or more"),
        ({"layers": 1.5}, "layers=1.5; give a whole number"),
        ({"context": True}, "context=True; give a whole number"),
        ({"heads": 5}, "heads=5 does not divide width=16"),
        ({"positions": "learnt"}, "positions='learnt'; choose 'learned', 'sinusoidal', 'rotary', 'none'"),
        ({"norm": "middle"}, "norm='middle'; choose 'pre', 'post'"),
        ({"causal": None}, "causal=None; choose True, False"),
        ({"positions": "rotary", "width": 12}, "positions='rotary' works on pairs of numbers, so 3 must be even"),
        ({"positions": "sinusoidal", "width": 15, "heads": 3}, "so 15 must be even"),
        ({"dropout": 1.0}, "dropout=1.0; it must be 0 or more and less than 1"),
        ({"dropout": math.nan}, "dropout=nan"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_configuration_that_makes_no_sense_is_named(options, said):
    with pytest.raises(ValueError, match=said):
        config(**options)


@pytest.mark.parametrize("engine", [0, 1], ids=["engine", "torch"])
def test_wrong_symbols_are_named(engine):
    model, module = twins()[engine], (gpt, gpt_torch)[engine]
    with pytest.raises(ValueError, match=r"ids of shape \(12,\); give \(N, T\)"):
        run(model, symbols()[0])
    with pytest.raises(ValueError, match=r"ids of shape \(3, 0\)"):
        run(model, symbols()[:, :0])
    with pytest.raises(ValueError, match="13 positions, but it has learned only context=12"):
        run(model, symbols(1, 13))
    cache = module.KeyValueCache()
    run(model, symbols(1, 10), cache=cache)
    with pytest.raises(ValueError, match="13 positions, but it has learned only context=12"):
        run(model, symbols(1, 3), cache=cache)
    encoder, cache = twins(causal=False)[engine], module.KeyValueCache()
    run(encoder, symbols(1, 4), cache=cache)
    with pytest.raises(ValueError, match="a cache works with causal=True only"):
        run(encoder, symbols(1, 4), cache=cache)


# ---- training


def test_training_learns_what_follows(small):
    assert small.history[0] > 1.2
    assert np.mean(small.history[-20:]) < 0.3  # one bit where a line may end, each 6 or 7 characters
    assert bits_per_character(small, LETTERS, "abcdef\n" * 20) < 0.4
    assert len(small.history) == 100
    assert not small.training


def test_the_first_step_costs_about_log2_of_the_vocabulary():
    model = train_gpt(TEXT, LETTERS, **QUICK)
    symbols_per_character = len(LETTERS.encode(TEXT)) / len(TEXT)
    assert model.history[0] == pytest.approx(math.log2(len(LETTERS)) * symbols_per_character, rel=0.1)


def test_training_is_the_same_from_the_same_seed_and_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    runs = [train_gpt(TEXT, LETTERS, seed=seed, **QUICK) for seed in (1, 1, 2)]
    assert runs[0].history == runs[1].history != runs[2].history
    assert torch.equal(before, torch.random.get_rng_state())


def test_training_never_reads_the_validation_text():
    corpora = [Corpus(TEXT, other, (Path("a.py"),), (Path("b.py"),)) for other in ("abc", "fff" * 50)]
    first, second = (train_gpt(corpus, LETTERS, **QUICK) for corpus in corpora)
    assert first.history == second.history == train_gpt(TEXT, LETTERS, **QUICK).history


def test_each_pass_reads_every_window_once():
    ids = torch.arange(101)
    windows = gpt_torch.Windows(ids, context=10, batch=3, steps=3, seed=0)
    batches = list(windows)
    assert len(batches) == len(windows) == 3
    read = torch.cat([x for x, _ in batches])
    assert all(torch.equal(x + 1, y) for x, y in batches)
    assert len(set(read.flatten().tolist())) == 90  # nothing twice
    assert all(torch.equal(row, row[0] + torch.arange(10)) for row in read)
    assert (read[:, 0].diff() != 10).any()  # not in order


def test_the_learning_rate_rises_and_falls():
    rates = [gpt_torch.rise_and_fall(step, 100, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, abs=0.01)
    assert max(rates) == pytest.approx(0.98, abs=0.01)
    assert np.argmax(rates) == 9
    assert rates[100] == pytest.approx(0.02)
    assert gpt_torch.rise_and_fall(0, 100, 0) == pytest.approx(1.0)


def test_an_interrupted_training_returns_what_it_has(monkeypatch):
    forward, calls = gpt_torch.GPT.forward, []

    def interrupted(model, ids, cache=None):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return forward(model, ids, cache)

    monkeypatch.setattr(gpt_torch.GPT, "forward", interrupted)
    model = train_gpt(TEXT, LETTERS, **{**QUICK, "steps": 50})
    assert len(model.history) == 2
    assert not model.training
    assert math.isfinite(bits_per_character(model, LETTERS, "abc"))


def test_the_bar_shows_bits_per_character(said_by_the_bar):
    said = said_by_the_bar(gpt_torch)
    model = train_gpt(TEXT, LETTERS, **QUICK)
    expected = [f"{np.mean(model.history[:n]):.2f} bits per character" for n in (1, 2, 3)]
    assert said == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"config": GPTConfig(5)}, r"config\.vocabulary=5, but the tokenizer has \d+ symbols"),
        ({"config": GPTConfig(len(LETTERS), causal=False)}, "causal=False would let each position see"),
        ({"steps": 0}, "steps=0; give a whole number, 1 or more"),
        ({"batch": 2.5}, r"batch=2\.5; give a whole number"),
        ({"warm_up": -1}, "warm_up=-1; give a whole number, 0 or more"),
        ({"batch": 5000}, r"a text of \d+ symbols; batch=5000 windows of context=8 need .* a smaller batch"),
    ],
    ids=["vocabulary", "causal", "steps", "batch", "warm_up", "text"],
)
def test_errors_of_training_name_the_value(options, said):
    with pytest.raises(ValueError, match=said):
        train_gpt(TEXT, LETTERS, **{**QUICK, **options})


PROGRAM = """
import os, pickle, sys
from test_gpt import LETTERS, QUICK, TEXT
from dlcourse.models.gpt_torch import train_gpt
model = train_gpt(TEXT, LETTERS, **{**QUICK, "steps": 8, "batch": 4})
weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
open(f"{sys.argv[1]}/{os.environ['RANK']}.pickle", "wb").write(pickle.dumps(weights))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="torchrun's gloo is tried on Linux and macOS")
def test_two_processes_under_torchrun_learn_what_one_does(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    first, second = (pickle.loads((tmp_path / f"{rank}.pickle").read_bytes()) for rank in (0, 1))
    alone = train_gpt(TEXT, LETTERS, **{**QUICK, "steps": 8, "batch": 4}).state_dict()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
        np.testing.assert_allclose(array, alone[name].numpy(), atol=1e-4, err_msg=name)


# ---- measuring


def slow_bits(model, text, T):
    """Symbol after symbol, each with what the windows of bits_per_character give it: T/2 to T before it."""
    ids, bits = LETTERS.encode(text).tolist(), [math.log2(len(LETTERS))]
    for place in range(1, len(ids)):
        start = max(0, (place - 1 - T // 2) // (T // 2) * (T // 2)) if place > T else 0
        logits = run(model, np.array([ids[start:place]]))[0, -1]
        bits.append(-torch.from_numpy(logits).log_softmax(0)[ids[place]].item() / math.log(2))
    return sum(bits) / len(text)


@pytest.mark.parametrize("count", [1, 2, 5, 17, 33, 100])
def test_bits_per_character_is_the_sum_over_all_symbols(small, count):
    text = "".join(np.random.default_rng(count).choice(list("\nabcdef"), count))
    assert bits_per_character(small, LETTERS, text, batch=2) == pytest.approx(slow_bits(small, text, 16), abs=1e-4)


def test_each_symbol_has_half_a_window_before_it(small):
    given = []
    forward = gpt_torch.GPT.forward

    def watched(model, ids, cache=None):
        given.append(ids)
        return forward(model, ids, cache)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpt_torch.GPT, "forward", watched)
        bits_per_character(small, LETTERS, TEXT[:400])
    windows = torch.cat(given)
    assert all(torch.equal(one[8:], other[:8]) for one, other in pairwise(windows[:-1]))


def test_a_model_that_knows_nothing_needs_log2_of_the_vocabulary():
    model = gpt_torch.GPT(GPTConfig(len(LETTERS), context=8, width=8, heads=2, layers=1))
    torch.nn.init.zeros_(model.token.weight)
    expected = math.log2(len(LETTERS)) * len(LETTERS.encode(TEXT[:500])) / 500
    assert bits_per_character(model, LETTERS, TEXT[:500]) == pytest.approx(expected, abs=1e-5)


# ---- writing


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_with_and_without_the_cache_the_same_text_is_written(small, temperature):
    texts = [generate(small, LETTERS, "abc", 60, temperature, np.random.default_rng(1), use_cache=use)
             for use in (True, False)]  # fmt: skip
    assert texts[0] == texts[1]
    assert len(LETTERS.encode(texts[0])) > 3 * 16  # the context was full more than once


def test_the_cache_is_filled_anew_once_in_half_a_context(small, monkeypatch):
    read, forward = [], gpt_torch.GPT.forward

    def watched(model, ids, cache=None):
        read.append(ids.shape[1])
        return forward(model, ids, cache)

    monkeypatch.setattr(gpt_torch.GPT, "forward", watched)
    generate(small, LETTERS, "abc", 60)
    assert set(read) == {1, 8, len(LETTERS.encode("abc"))}
    assert read.count(8) == 5  # at the 17th symbol, and from there at each 9th


def test_writing_is_the_same_from_the_same_seed(small):
    texts = [generate(small, LETTERS, "ab", 30, 2.0, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("ab")


def test_a_learned_model_writes_lines_like_those_it_read(small):
    text = generate(small, LETTERS, "\n", 120, 0.5, np.random.default_rng(0))
    lines = text.split("\n")[1:-1]
    assert len(lines) > 5
    assert sum(line in ("abcdef", "abcdefabcdef") for line in lines) > 0.8 * len(lines)


def test_a_temperature_near_zero_always_takes_the_likeliest(small):
    first, second = (generate(small, LETTERS, "ab", 12, 1e-4, np.random.default_rng(seed)) for seed in (0, 1))
    assert first == second


def test_a_prefix_longer_than_the_context_is_read_from_its_end(small):
    prefix = "f" * 50 + "abcdef\n" * 20 + "abc"
    short = generate(small, LETTERS, prefix[-60:], 3, 1e-4)
    assert generate(small, LETTERS, prefix, 3, 1e-4) == prefix + short[60:]


def test_writing_nothing_gives_the_prefix_back(small):
    assert generate(small, LETTERS, "abXc", 0) == "abXc"
    assert generate(small, LETTERS, "abXc", 2).startswith("abXc")


def test_errors_of_measuring_and_writing_name_the_value(small):
    with pytest.raises(ValueError, match="generate: an empty prefix; give at least one character"):
        generate(small, LETTERS, "", 3)
    with pytest.raises(ValueError, match="bits_per_character: an empty text"):
        bits_per_character(small, LETTERS, "")
    with pytest.raises(ValueError, match="length=-1; give the number of symbols"):
        generate(small, LETTERS, "a", -1)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"generate: temperature={temperature}; it must be above 0"):
            generate(small, LETTERS, "a", 3, temperature)
    other = Tokenizer.train(TEXT, 1, progress=False)
    for call in (lambda: generate(small, other, "a", 3), lambda: bits_per_character(small, other, "ab")):
        with pytest.raises(ValueError, match=r"the model knows \d+ symbols, the tokenizer has \d+; give the tokenizer"):
            call()
    encoder = gpt_torch.GPT(GPTConfig(len(LETTERS), causal=False))
    for call in (lambda: generate(encoder, LETTERS, "a", 3), lambda: bits_per_character(encoder, LETTERS, "ab")):
        with pytest.raises(ValueError, match="the model has causal=False and has seen what it should predict"):
            call()


# ---- files


def test_a_saved_model_comes_back_with_its_tokenizer(small, tmp_path):
    gpt_torch.save(small, tmp_path / "gpt.pt", LETTERS)
    model, tokenizer = gpt_torch.load(tmp_path / "gpt.pt")
    assert model.config == small.config
    assert model.history == small.history
    assert not model.training
    assert tokenizer.vocabulary == LETTERS.vocabulary
    text = TEXT[:300]
    assert bits_per_character(model, tokenizer, text) == bits_per_character(small, LETTERS, text)
    assert [path.name for path in tmp_path.iterdir()] == ["gpt.pt"]


def test_a_model_saved_alone_comes_back_alone(small, tmp_path):
    gpt_torch.save(small, tmp_path / "gpt.pt")
    assert gpt_torch.load(tmp_path / "gpt.pt")[1] is None


class Planted:
    def __reduce__(self):
        return (os.mkdir, ("planted",))


def test_a_file_with_a_program_in_it_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"config": Planted()}, "bad.pt")
    with pytest.raises(
        ValueError,
        match=r"bad\.pt is no GPT's file \(it holds more than numbers and text\); save\(model, path\) writes them",
    ):
        gpt_torch.load("bad.pt")
    assert not Path("planted").exists()


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"config": {}}, 2)], ids=["empty", "text", "pickle"])
def test_another_file_is_refused_by_its_name(tmp_path, content):
    (tmp_path / "other.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"(?s)other\.pt is no GPT's file .*save\(model, path\) writes them"):
        gpt_torch.load(tmp_path / "other.pt")


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        gpt_torch.load(tmp_path / "nothing.pt")


# ---- what the benchmark wrote


def test_the_measured_runs_keep_the_target_for_three_seeds():
    runs = measured()["bits per character", "GPT", "rotary"]
    assert [run.seed for run in runs] == [0, 1, 2]
    assert max(run.result for run in runs) < 2.3
    assert max(run.seconds for run in runs) < 60


def test_the_cache_pays_the_more_the_longer_the_text():
    milliseconds = {key[2]: runs[0].result for key, runs in measured().items() if key[0] == "milliseconds a symbol"}
    gains = [milliseconds[f"without cache, T={T}"] / milliseconds[f"with cache, T={T}"] for T in (64, 256, 1024)]
    assert 1 < gains[0] < gains[1] < gains[2]
