"""Softmax and the losses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from beside_torch import compare

from dlcourse import Tensor, nn

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)
EXTREME = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 0.0], [3.0, 1.0, -1e4]])
REDUCTIONS = ["mean", "sum", "none"]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_equals_pytorchs_along_any_axis(name, axis):
    ours, theirs = getattr(F, name), getattr(TF, name)
    compare(lambda x: ours(x, axis), lambda x: theirs(x, axis), rng.standard_normal((2, 3, 4)))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_huge_scores_is_finite_and_silent(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(lambda x: getattr(F, name)(x), lambda x: getattr(TF, name)(x, -1), EXTREME, differences=False)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 0)], ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_nothing_is_nothing(name, shape):
    compare(lambda x: getattr(F, name)(x), lambda x: getattr(TF, name)(x, -1), np.zeros(shape), differences=False)


CLASSES = [
    ((4, 3), (4,)),
    ((1, 3), (1,)),
    ((4, 1), (4,)),
    ((3,), ()),
    ((4, 3, 5), (4, 5)),
    ((2, 3, 4, 5), (2, 4, 5)),
    ((0, 3), (0,)),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shapes", CLASSES, ids=str)
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_a_loss_over_classes_equals_pytorchs(name, shapes, reduction):
    scores, target = shapes
    x = rng.standard_normal(scores)
    y = np.asarray(rng.integers(0, scores[min(1, len(scores) - 1)], target))
    ours, theirs = getattr(F, name), getattr(TF, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(
            lambda x: ours(x, y, reduction=reduction),
            lambda x: theirs(x, torch.tensor(y), reduction=reduction),
            x,
            differences=x.size > 0,
        )


def test_cross_entropy_of_huge_scores_is_finite_and_silent():
    y = np.array([1, 2, 0, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(
            lambda x: F.cross_entropy(x, y), lambda x: TF.cross_entropy(x, torch.tensor(y)), EXTREME, differences=False
        )


def test_the_fused_cross_entropy_equals_the_composed_one():
    y = np.array([0, 2, 1, 1])

    def composed(x):
        return -F.log_softmax(x)[np.arange(4), y].mean()

    compare(composed, lambda x: TF.cross_entropy(x, torch.tensor(y)), rng.standard_normal((4, 3)))


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_class_numbers_of_any_integer_type_and_tensors_of_them_are_targets(kind):
    x = rng.standard_normal((3, 3))
    y = np.array([0, 2, 1], kind)
    expected = F.cross_entropy(x, [0, 2, 1]).item()
    assert F.cross_entropy(x, y).item() == expected
    assert F.cross_entropy(x, Tensor(y)).item() == expected


PAIRED = ["mse_loss", "l1_loss", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)], ids=str)
@pytest.mark.parametrize("name", PAIRED)
def test_a_loss_of_pairs_equals_pytorchs_for_both_inputs(name, shape, reduction):
    x, y = rng.standard_normal(shape), rng.uniform(0.1, 0.9, shape)
    ours, theirs = getattr(F, name), getattr(TF, name)
    compare(lambda x, y: ours(x, y, reduction=reduction), lambda x, y: theirs(x, y, reduction=reduction), x, y)


@pytest.mark.parametrize("name", PAIRED)
def test_a_loss_of_huge_numbers_is_finite_and_silent(name):
    x = np.array([-1e4, -1e4, 1e4, 1e4, 0.0])
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(getattr(F, name), getattr(TF, name), x, y, differences=False)


@pytest.mark.parametrize("name", PAIRED)
def test_a_target_of_another_shape_is_refused_instead_of_broadcast(name):
    with pytest.raises(ValueError, match=rf"{name}: input of shape \(4, 1\) and target of shape \(4,\).*reshape"):
        getattr(F, name)(np.ones((4, 1)), np.ones(4))


def test_a_target_that_is_no_class_is_explained():
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match="class 3 in the target, but 3 scores"):
        F.cross_entropy(x, [0, 3])
    with pytest.raises(ValueError, match="class -1 in the target"):
        F.cross_entropy(x, [0, -1])
    with pytest.raises(TypeError, match=r"not float64; convert it with target\.astype\(int\)"):
        F.cross_entropy(x, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"scores of shape \(2, 3\).*target of shape \(2,\); got shape \(3,\)"):
        F.cross_entropy(x, [0, 1, 2])


def test_one_hot_targets_are_refused_by_shape():
    with pytest.raises(ValueError, match=r"one class number for each example"):
        F.cross_entropy(np.zeros((2, 3)), np.eye(3)[:2])


def test_an_unknown_reduction_lists_the_choices():
    with pytest.raises(ValueError, match="reduction='avg': choose 'mean', 'sum' or 'none'"):
        F.mse_loss(np.zeros(2), np.zeros(2), reduction="avg")
