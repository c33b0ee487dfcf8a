"""Matrix products."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from beside_torch import compare

from dlcourse import Tensor, nn, ops

F = nn.functional
rng = np.random.default_rng(0)
PAIRS = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((1, 1), (1, 1)),
    ((6, 5, 2, 3), (3, 4)),
    ((3,), (6, 5, 3, 4)),
]


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_a_matrix_product_equals_pytorchs(shapes):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    compare(lambda a, b: a @ b, lambda a, b: a @ b, a, b)


@pytest.mark.parametrize("shapes", [((0, 3), (3, 4)), ((2, 0), (0, 4)), ((0, 2, 3), (3, 4))], ids=str)
def test_an_empty_matrix_product_equals_pytorchs(shapes):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    compare(lambda a, b: a @ b, lambda a, b: a @ b, a, b, differences=False)


def test_a_matrix_times_itself_sums_both_gradients():
    compare(lambda a: a @ a, lambda a: a @ a, rng.standard_normal((3, 3)))
    compare(lambda a: a @ a.T, lambda a: a @ a.T, rng.standard_normal((3, 4)))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (5, 2, 3), (0, 3), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_equals_pytorchs(shape, bias):
    arrays = [rng.standard_normal(s) for s in [shape, (4, 3), (4,)][: 3 if bias else 2]]
    compare(F.linear, torch.nn.functional.linear, *arrays, differences=0 not in shape)


def test_the_fused_linear_equals_the_composed_one():
    x, W, b = rng.standard_normal((5, 3)), rng.standard_normal((4, 3)), rng.standard_normal(4)
    compare(lambda x, W, b: x @ W.T + b, torch.nn.functional.linear, x, W, b)


def test_a_gradient_that_nobody_needs_is_not_computed():
    _, backward = ops.linear(np.ones((2, 3)), np.ones((4, 3)), np.ones(4))
    assert all(callable(gradient) for gradient in backward(np.ones((2, 4))))


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((2, 3), (4, 5), r"shapes \(2, 3\) and \(4, 5\).*size 3.*second-last.*size 4"),
        ((3,), (4,), r"shapes \(3,\) and \(4,\).*size 3.*only axis.*size 4"),
        ((), (4,), r"a number has no rows"),
    ],
)
def test_a_product_that_does_not_fit_names_both_shapes(a, b, said):
    with pytest.raises(ValueError, match=said):
        Tensor(np.ones(a)) @ Tensor(np.ones(b))


def test_batches_that_do_not_broadcast_are_explained():
    with pytest.raises(ValueError, match=r"matmul: shapes \(2, 3, 4\) and \(5, 4, 3\) do not broadcast"):
        Tensor(np.ones((2, 3, 4))) @ Tensor(np.ones((5, 4, 3)))


@pytest.mark.parametrize(("x", "w"), [((2, 4), (5, 3)), ((), (5, 3)), ((2, 3), (3,))], ids=str)
def test_linear_explains_shapes_that_do_not_fit(x, w):
    with pytest.raises(ValueError, match=r"linear: an input of shape .* does not fit a weight of shape"):
        F.linear(np.ones(x), np.ones(w))


def test_a_weight_shared_by_a_batch_gets_its_gradient_by_one_product():
    _, backward = ops.matmul(np.ones((5, 2, 3)), np.ones((3, 4)))
    assert backward(np.ones((5, 2, 4)))[1]().shape == (3, 4)


def test_a_wider_bias_widens_a_linear_output():
    out = F.linear(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.full(4, 0.1))
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out.data, np.full((2, 4), 3 + 0.1))
