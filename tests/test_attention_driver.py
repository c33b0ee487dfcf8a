"""What unit 11's exercises say of attention, blocks and networks, held against PyTorch, the models and the runs themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from held_out.transformers_again import ANSWERS
from torch import nn

from dlcourse import no_grad
from dlcourse.checks import evaluate, find
from dlcourse.checks.exercise import cases_of
from dlcourse.checks.transformers.attending_answers import attention
from dlcourse.checks.transformers.attending_back_answers import attention_backward
from dlcourse.checks.transformers.block import SHAPES
from dlcourse.checks.transformers.block_answers import pre_norm_block
from dlcourse.checks.transformers.caching import cached_attention
from dlcourse.checks.transformers.cost import block_cost
from dlcourse.checks.transformers.leak_answers import program, train_and_test
from dlcourse.checks.transformers.rotation import rotary
from dlcourse.drivers.attention import (
    BUDGET,
    KEYS,
    LATER,
    NOBODY,
    NUMBERS,
    PAIRS,
    SYMBOLS,
    new_sequences,
    recall_sequences,
    recalls,
    trains_and_tests,
)
from dlcourse.drivers.attention_torch import Reader, outputs_that_change


def draws(seed: int, count: int, *shape: int) -> list[Any]:
    return list(np.random.default_rng(seed).normal(size=(count, *shape)))


# ---- the references


def test_the_reference_attention_and_its_slopes_equal_pytorchs():
    q, k, v, dout = draws(0, 4, 2, 3, 5, 4)
    mask = np.random.default_rng(1).random((2, 1, 5, 5)) < 0.6
    mask |= np.eye(5, dtype=bool)
    leaves = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    out = nn.functional.scaled_dot_product_attention(*leaves, torch.tensor(mask))
    np.testing.assert_allclose(attention(q, k, v, mask)[0], out.detach().numpy(), atol=1e-12)
    theirs = torch.autograd.grad(out, leaves, torch.tensor(dout))
    for a, b in zip(attention_backward(dout, q, k, v, mask), theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-12)


@pytest.mark.parametrize("engine", ["gpt", "gpt_torch"])
def test_weights_of_a_real_block_drop_into_the_exercise(engine):
    module = pytest.importorskip(f"dlcourse.models.{engine}")
    block = module.Block(module.GPTConfig(vocabulary=9, width=12, heads=3))
    p = {name: np.asarray(weight, float) for name, weight in block.state_dict().items()}
    assert {name: w.shape for name, w in p.items()} == {n: tuple(12 * f for f in s) for n, s in SHAPES.items()}
    p = {name: w + 0.1 * np.random.default_rng(len(name)).normal(size=w.shape) for name, w in p.items()}  # biases, too
    (x,) = draws(2, 1, 2, 6, 12)
    if engine == "gpt":
        from dlcourse import Tensor

        block.load_state_dict(p)
        with no_grad():
            theirs = block(Tensor(x)).data
    else:
        block.load_state_dict({name: torch.tensor(w) for name, w in p.items()})
        theirs = block.double()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(pre_norm_block(x, p, 3), theirs, atol=1e-5)


def test_the_cost_of_a_block_is_the_real_blocks_and_its_products_counted_by_pytorch():
    from torch.utils.flop_counter import FlopCounterMode

    from dlcourse.models.gpt_torch import Block, GPTConfig

    block = Block(GPTConfig(vocabulary=9, width=48, heads=4))
    parameters, flops = block_cost(48, 4, 10)
    assert parameters == sum(w.numel() for w in block.parameters())
    attend = nn.functional.scaled_dot_product_attention
    q = torch.zeros(1, 4, 10, 12)
    with FlopCounterMode(display=False) as counted:
        for layer in (block.attention.qkv, block.attention.out, block.mlp):
            layer(torch.zeros(1, 10, 48))
        (q @ q.mT) @ q
    assert counted.get_total_flops() == flops
    assert attend(q, q, q).shape == q.shape


def test_a_cache_read_in_pieces_equals_causal_attention_at_once():
    q, k, v = draws(3, 3, 2, 3, 7, 4)
    cache, found = None, []
    for start, end in ((0, 2), (2, 3), (3, 7)):
        out, cache = cached_attention(*(a[:, :, start:end] for a in (q, k, v)), cache)
        found.append(out)
    np.testing.assert_allclose(np.concatenate(found, 2), attention(q, k, v, np.tri(7, dtype=bool))[0], atol=1e-12)
    np.testing.assert_array_equal(cache, [k, v])


def test_rotary_products_depend_on_the_distance_alone():
    q, k = draws(4, 2, 1, 2, 1, 6)
    near, far = ((rotary(q, np.array([t])) * rotary(k, np.array([t - 4]))).sum(-1) for t in (4, 900))
    np.testing.assert_allclose(near, far, atol=1e-9)


# ---- the reader and its leak

MODEL, SGD = "6 symbols, length 4, width 4, seed 1", "SGD, lr 0.5"


def report_of(answer: Any) -> Any:
    return trains_and_tests(answer, MODEL, SGD, np.random.default_rng(0).integers(0, 6, 40), 22, 4, 3)


def test_the_detector_sees_the_triangle_of_a_causal_mask_and_the_leak_of_one_place():
    reader = Reader(5, 4, 8, seed=0)
    ones = torch.ones(4, 4)
    np.testing.assert_array_equal(outputs_that_change(reader, 4, ones.tril().bool()), np.triu(np.ones((4, 4))) > 0)
    np.testing.assert_array_equal(outputs_that_change(reader, 4, ones.tril(1).bool()), np.triu(np.ones((4, 4)), -1) > 0)
    assert outputs_that_change(reader, 4).all()


def test_a_position_that_may_see_nobody_depends_on_itself_alone():
    strict = torch.ones(4, 4).tril(-1).bool()
    assert outputs_that_change(Reader(5, 4, 8, seed=0), 4, strict)[:, 0].tolist() == [True, False, False, False]


def test_the_driver_tells_whether_anybody_saw_the_future_in_training_or_in_the_test():
    assert report_of(train_and_test)["the mask"] == NOBODY
    assert report_of(program(mask="one too far"))["the mask"] == LATER
    assert report_of(program(test_mask="none"))["the mask"] == LATER
    assert report_of(program(booleans=False))["the mask"] == NUMBERS


def test_each_leak_makes_the_test_loss_of_random_symbols_better_than_the_program_without_it():
    def test_loss(**faults: Any) -> float:
        noise = torch.from_numpy(np.random.default_rng(0).integers(0, 8, 1200))
        model = Reader(8, 6, 16, seed=0)
        return program(**faults)(model, torch.optim.Adam(model.parameters(), lr=0.02), noise, 900, 6, 60)[1]

    honest = test_loss()
    assert honest > np.log(8)
    leaks = [{"mask": "one too far"}, {"targets": "rolled"}, {"train_on": lambda ids, split: ids}]
    assert all(test_loss(**leak) < honest for leak in leaks)
    assert test_loss(mask="one too far", targets="rolled") < 0.5


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (([1.0, 2.0], "low"), "a string in place of the test loss"),
        (([1.0, 2.0], None), "None in place of the test loss"),
        (([1.0, 2.0], [1.0]), "a list in place of the test loss"),
        ((1.0, 2.0), "a number in place of the list of losses"),
        ((1.0, [2.0]), "a number and a list"),
        (([[1.0], [2.0]], 1.0), "a list among the losses"),
        (([torch.ones(())], 1.0), "a Tensor among the losses"),
        ((1.0, 2.0, 3.0), "3 results"),
        (1.0, "a number"),
        (np.ones((2, 2)), "an array"),
    ],
    ids=["words", "none", "list", "one-loss", "exchanged", "nested", "tensor", "three", "one", "array"],
)
def test_a_report_of_another_form_is_told_in_words(given, form):
    assert report_of(lambda *_: given) == {"form of the result": form}


def test_a_program_that_gives_nothing_back_is_told_so():
    assert "None" in evaluate("transformers.find_the_leak", lambda *_: None).message


# ---- recall


class Says(nn.Module):
    """Gives the logits that a function makes of ids."""

    def __init__(self, logits: Any, numbers: int = 0) -> None:
        super().__init__()
        self.logits, self.unused = logits, nn.Parameter(torch.zeros(numbers))

    def forward(self, ids: torch.Tensor) -> Any:
        return self.logits(ids)


def scores_of(symbols: torch.Tensor) -> torch.Tensor:
    return nn.functional.one_hot(symbols, SYMBOLS).double()


def looked_up(ids: torch.Tensor, shift: int = 0) -> torch.Tensor:
    place = (ids[:, :-1:2] == ids[:, -1:]).int().argmax(1) + shift
    return ids[torch.arange(len(ids)), 2 * place.clamp(0, PAIRS - 1) + 1]


def test_recall_sequences_hold_distinct_keys_values_behind_them_and_the_right_answer():
    ids, answers = recall_sequences(300, np.random.default_rng(0))
    assert ids.shape == (300, 2 * PAIRS + 1)
    assert all(len(set(row)) == PAIRS for row in ids[:, :-1:2])
    assert ids[:, :-1:2].max() < KEYS <= ids[:, 1::2].min()
    assert all(row[2 * list(row[:-1:2]).index(row[-1]) + 1] == answer for row, answer in zip(ids, answers, strict=True))
    assert len(np.unique(answers)) == SYMBOLS - KEYS
    with pytest.raises(ValueError, match="count=0"):
        recall_sequences(0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("network", "mistake"),
    [
        (Says(lambda ids: scores_of(looked_up(ids, -1))), "value-before"),
        (Says(lambda ids: scores_of(looked_up(ids, 1))), "value-behind"),
        (Says(lambda ids: scores_of(ids[:, -2])), "last-value"),
        (Says(lambda ids: scores_of(ids[:, 1])), "first-value"),
        (Says(lambda ids: scores_of(ids[:, -1])), "key-itself"),
        (Says(lambda ids: scores_of(ids[:, 4])), "some-key"),
        (Says(lambda ids: scores_of(ids[:, 7])), "some-value-of-the-sequence"),
        (Says(lambda ids: scores_of(looked_up(ids) - KEYS)), "values-from-zero"),
        (Says(lambda ids: scores_of(0 * ids[:, 0])), "always-the-same"),
        (Says(lambda ids: scores_of(ids.sum(1) % KEYS + KEYS)), "guesses"),
        (Says(lambda ids: scores_of(torch.where(ids[:, 0] < 14, looked_up(ids), ids[:, 0]))), "nearly"),
        (Says(lambda ids: scores_of(torch.where(ids[:, 0] < 9, looked_up(ids), ids[:, 0]))), "on-its-way"),
        (Says(lambda ids: scores_of(looked_up(ids)).roll(int(len(ids) == 1), 1)), "needs-company"),
        (Says(lambda ids: scores_of(looked_up(ids)), BUDGET + 1), "too-large"),
        (Says(lambda ids: scores_of(looked_up(ids))[:, KEYS:]), "logits-of-values-alone"),
        (Says(lambda ids: scores_of(ids)), "logits-at-each-position"),
        (Says(lambda ids: looked_up(ids)), "answers-not-logits"),
        (Says(lambda ids: scores_of(looked_up(ids)) * torch.nan), "not-finite"),
        (Says(lambda ids: scores_of(looked_up(ids))[:, None]), "axis-too-many"),
        (Says(lambda ids: scores_of(looked_up(ids)) * torch.rand(len(ids), SYMBOLS).round()), "restless"),
        (Says(lambda ids: scores_of(looked_up(ids)).expand(1000, -1) if len(ids) == 1000 else ids.view(17)[17]), "stops-alone"),
        (Says, "no-network"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_a_network_with_a_habit_is_told_of_it(network, mistake):
    for seed in range(3):
        assert evaluate("transformers.recall", lambda _: network, seed).mistake == mistake


def test_a_network_is_judged_in_eval_mode():
    network = nn.Sequential(Says(lambda ids: scores_of(looked_up(ids))), nn.Dropout(0.9))
    assert evaluate("transformers.recall", lambda seed: network).passed


def test_a_network_that_stops_is_told_where_and_raises_nothing():
    assert "it stops" in evaluate("transformers.recall", lambda seed: nn.Linear(16, 32)).message


def test_a_training_that_stops_or_forgets_to_return_is_told_so():
    def stops(seed: int) -> Any:
        raise ZeroDivisionError(f"seed {seed}")

    assert "ZeroDivisionError" in evaluate("transformers.recall", stops).message
    assert "Is there a `return`?" in evaluate("transformers.recall", lambda seed: None).message


def test_a_network_that_cannot_read_one_sequence_alone_is_told_the_shape():
    squeezed = Says(lambda ids: scores_of(looked_up(ids)).squeeze(0))
    said = "for a single sequence it gives the shape (32,)"
    assert said in evaluate("transformers.recall", lambda seed: squeezed).message


def test_what_a_network_says_crosses_as_arrays_and_the_judge_counts():
    said = recalls(lambda seed: Says(lambda ids: scores_of(looked_up(ids)), 7), 3)
    assert said["parameters"] == 7
    assert said["said"].tolist() == new_sequences(3)[1].tolist()
    case = cases_of(find("transformers.recall"), 0)[0]
    facts = find("transformers.recall").facts(
        case, recalls(lambda seed: Says(lambda ids: scores_of(ids[:, 1])), *case.args)
    )
    assert "the first value" in facts.values()


def test_training_leaves_pytorchs_global_generator_as_it_was_and_is_the_same_each_time():
    drawn: list[float] = []

    def train(seed: int) -> Any:
        drawn.append(torch.rand(()).item())
        return Says(lambda ids: scores_of(looked_up(ids)))

    before = torch.random.get_rng_state()
    for _ in range(2):
        recalls(train, 5)
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.random.get_rng_state(), before)


# ---- masks, whose entries are booleans


def test_an_unknown_wrong_mask_gets_a_sentence_with_true_and_false():
    verdict = evaluate("transformers.causal_mask", lambda T: np.tri(T, dtype=bool) & ~np.tri(T, k=-3, dtype=bool))
    assert "expected True, yours False" in verdict.message


# ---- answers from the text alone, by a second learner


@pytest.mark.parametrize("id", ANSWERS)
def test_another_learners_mistake_fails_with_a_true_message_and_the_odd_answer_passes(id: str) -> None:
    for seed in range(3):
        mistake, odd = (evaluate(id, answer, seed) for answer in (ANSWERS[id].mistake, ANSWERS[id].odd))
        assert not mistake.passed
        assert ANSWERS[id].says in mistake.message
        assert odd.passed, odd.message
