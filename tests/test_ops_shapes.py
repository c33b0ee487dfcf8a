"""Ops that move entries: reshaping, indexing, joining, cutting, padding, choosing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis.extra.numpy import basic_indices, integer_array_indices

from dlcourse import Tensor, nn, ops
from dlcourse.ops.shapes import scatter_sum

F = nn.functional
TF = torch.nn.functional
X = np.random.default_rng(0).standard_normal((3, 4, 5))


def test_reshape_takes_sizes_or_a_tuple():
    for shape in [(12, 5), (-1,), (5, 2, -1), (1, 3, 20)]:
        compare(lambda x, s=shape: x.reshape(*s), lambda x, s=shape: x.reshape(*s), X)
        compare(lambda x, s=shape: x.reshape(s), lambda x, s=shape: x.reshape(s), X)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (-1, 0, 1), (-2, -1, 0)], ids=str)
def test_transpose_is_pytorchs_permute(axes):
    compare(lambda x: x.transpose(*axes), lambda x: x.permute(*axes), X)
    compare(lambda x: x.transpose(axes), lambda x: x.permute(axes), X)


def test_transpose_without_axes_reverses_them():
    compare(lambda x: x.transpose(), lambda x: x.permute(2, 1, 0), X)
    compare(lambda x: x.T, lambda x: x.permute(2, 1, 0), X)
    compare(lambda x: x.T, lambda x: x.T, X[0])


@pytest.mark.parametrize("axes", [(0, 1), (0, -1), (-2, -1), (1, 1)], ids=str)
def test_swapaxes_equals_pytorchs(axes):
    compare(lambda x: x.swapaxes(*axes), lambda x: x.swapaxes(*axes), X)


INTEGERS = np.array([2, 0, 2, 2])
KEYS = {
    "integer": 1,
    "negative integer": -1,
    "two integers": (1, 2),
    "all integers": (1, 2, 3),
    "slice": slice(1, 3),
    "slice with a step": (slice(None), slice(None, None, 2)),
    "empty slice": slice(2, 2),
    "ellipsis": (..., 0),
    "new axis": (slice(None), None, 2),
    "integer and slice": (1, slice(1, 3)),
    "integer array": INTEGERS,
    "list": [0, 2, 0],
    "NumPy integer": np.int64(1),
    "integer array on axis 1": (slice(None), INTEGERS),
    "two integer arrays": (np.array([0, 2, 0]), np.array([1, 1, 1])),
    "a pair that broadcasts": (np.array([[0], [2]]), np.array([1, 3, 3])),
    "integer and array": (0, INTEGERS),
    "array, slice, array": (np.array([0, 1, 0]), slice(None), np.array([2, 2, 2])),
    "2-d integer array": np.array([[0, 1], [1, 1]]),
    "negative integers in an array": np.array([-1, 0, -1]),
    "mask of all": X > 0.3,
    "mask of one axis": np.array([True, False, True]),
    "mask of nothing": np.zeros((3, 4, 5), bool),
    "mask on axis 1": (slice(None), np.array([True, False, True, True])),
    "mask and integer array": (np.array([True, False, True]), np.array([1, 1])),
}


@pytest.mark.parametrize("name", KEYS)
def test_an_index_equals_pytorchs(name):
    key = KEYS[name]

    def for_torch(part):
        return torch.tensor(part) if isinstance(part, np.ndarray | list) else part

    peer_key = tuple(map(for_torch, key)) if isinstance(key, tuple) else for_torch(key)
    compare(lambda x: x[key], lambda x: x[peer_key], X)


def test_tensors_and_lists_of_booleans_can_be_an_index():
    compare(lambda x: x[Tensor(INTEGERS)], lambda x: x[torch.tensor(INTEGERS)], X)
    compare(lambda x: x[[True, False, True]], lambda x: x[[0, 2]], X)
    compare(lambda x: x[x > 0.3], lambda x: x[x > 0.3], X)
    compare(lambda x: x[[]], lambda x: x[0:0], X)


@given(basic_indices(X.shape, allow_newaxis=True, allow_ellipsis=True))
@settings(max_examples=80, deadline=None)
def test_any_basic_index_gives_each_entry_its_gradient(key):
    weights = np.arange(X.size, dtype=float).reshape(X.shape)
    x = Tensor(X.copy(), requires_grad=True)
    out = x[key]
    np.testing.assert_array_equal(out.data, X[key])
    out.backward(weights[key])
    expected = np.zeros_like(X)
    expected[key] = weights[key]
    np.testing.assert_array_equal(x.grad, expected)


@given(integer_array_indices(X.shape))
@settings(max_examples=80, deadline=None)
def test_any_integer_index_sums_the_gradients_of_repeated_entries(key):
    x = Tensor(X.copy(), requires_grad=True)
    out = x[key]
    weights = np.arange(1.0, out.size + 1).reshape(out.shape)
    out.backward(weights)
    expected = np.zeros_like(X)
    np.add.at(expected, key, weights)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12)


def test_scatter_sum_adds_where_places_repeat():
    out = scatter_sum(np.array([1.0, 2.0, 4.0], np.float32), np.array([3, 0, 3]), 5)
    np.testing.assert_array_equal(out, np.array([2, 0, 0, 5, 0], np.float32))
    assert out.dtype == np.float32


@pytest.mark.parametrize("key", [np.array([0.0, 1.0]), [0.5], Tensor([1.0])], ids=["array", "list", "tensor"])
def test_an_index_of_another_dtype_is_explained(key):
    with pytest.raises(TypeError, match=r"integers.*not an array of dtype float.*astype\(int\)"):
        Tensor(X)[key]


def test_an_index_out_of_range_names_the_size():
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 3"):
        Tensor(X)[7]


# ---- several tensors


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concatenate_equals_pytorchs(axis):
    shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    shapes[1][axis], shapes[2][axis] = 1, 5
    arrays = [np.random.default_rng(1).standard_normal(shape) for shape in shapes]
    compare(lambda *t: F.concatenate(t, axis), lambda *t: torch.concatenate(t, axis), *arrays)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_stack_equals_pytorchs(axis):
    compare(lambda a, b, c: F.stack([a, b, c], axis), lambda a, b, c: torch.stack([a, b, c], axis), X[0], X[1], X[2])


def test_a_tensor_joined_with_itself_gets_both_gradients():
    compare(lambda a: F.concatenate([a, a * a, a]), lambda a: torch.concatenate([a, a * a, a]), X[0])
    compare(lambda a: F.stack([a, a]), lambda a: torch.stack([a, a]), X[0])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_unbind_equals_pytorchs(axis):
    def ours(x):
        parts = F.unbind(x, axis)
        return parts[0] * parts[1] + parts[-1]

    compare(ours, lambda x: (p := x.unbind(axis))[0] * p[1] + p[-1], X)


@pytest.mark.parametrize(("sizes", "axis"), [(2, 0), (2, 1), (3, -1), ([1, 3], 1), ([2, 0, 3], 2), (9, 0)], ids=str)
def test_split_cuts_by_size_like_pytorchs_not_by_count_like_numpys(sizes, axis):
    ours, theirs = F.split(Tensor(X), sizes, axis), torch.tensor(X).split(sizes, axis)
    assert [part.shape for part in ours] == [tuple(part.shape) for part in theirs]

    def join(parts, concatenate):
        return concatenate([part * (i + 1.0) for i, part in enumerate(parts)], axis)

    compare(lambda x: join(F.split(x, sizes, axis), F.concatenate), lambda x: join(x.split(sizes, axis), torch.cat), X)


def test_pieces_that_nothing_is_computed_from_count_as_zeros():
    compare(lambda x: F.unbind(x)[1], lambda x: x.unbind()[1], X)
    compare(lambda x: F.split(x, [1, 3], 1)[1].exp(), lambda x: x.split([1, 3], 1)[1].exp(), X)


def test_pieces_can_be_used_in_two_backward_passes():
    x = Tensor(X.copy(), requires_grad=True)
    a, b, _ = F.unbind(x)
    (a * 2).sum().backward(retain_graph=True)
    b.sum().backward()
    assert x.grad[:, 0, 0].tolist() == [2, 1, 0]


def test_iterating_gives_the_slices_of_the_first_axis():
    compare(
        lambda x: sum((row * (i + 1) for i, row in enumerate(x)), start=Tensor(0.0)),
        lambda x: x[0] + 2 * x[1] + 3 * x[2],
        X,
    )


def test_split_sizes_that_do_not_add_up_are_named():
    with pytest.raises(ValueError, match=r"split: sizes \[1, 1\] add up to 2, axis 1 of shape \(3, 4, 5\) has 4"):
        F.split(Tensor(X), [1, 1], 1)
    with pytest.raises(ValueError, match="none may be negative"):
        F.split(Tensor(X), [5, -1], 1)
    with pytest.raises(ValueError, match=r"sizes \[0, 0, 0\] add up to 0"):
        F.split(Tensor(X), 0)


@pytest.mark.parametrize("join", [lambda: F.concatenate([X, X], axis=3), lambda: F.split(X, 1, axis=3)])
def test_an_axis_that_does_not_exist_is_named(join):
    with pytest.raises(np.exceptions.AxisError, match="axis 3 is out of bounds for array of dimension 3"):
        join()


def test_two_axes_of_three_are_no_transposition():
    with pytest.raises(ValueError, match=r"axes \(0, 1\) for shape \(3, 4, 5\); .* swapaxes"):
        Tensor(X).transpose(0, 1)


def test_a_border_of_none_is_zero_as_in_pytorch():
    np.testing.assert_array_equal(F.pad(X, (1, 1), value=None).data, TF.pad(torch.tensor(X), (1, 1)).numpy())


@pytest.mark.parametrize("pad", [(1, 2), (0, 0), (1, 0, 2, 3), (0, 1, 1, 0, 2, 2), ()], ids=str)
def test_pad_counts_from_the_last_axis_like_pytorchs(pad):
    compare(lambda x: F.pad(x, pad, value=1.5), lambda x: TF.pad(x, pad, value=1.5) if pad else x.clone(), X)


@pytest.mark.parametrize("pad", [(1,), (1, 1) * 4, (-1, 0)], ids=str)
def test_a_pad_that_does_not_fit_is_explained(pad):
    with pytest.raises(ValueError, match=r"pad=.*shape \(3, 4, 5\)"):
        F.pad(Tensor(X), pad)


@pytest.mark.parametrize("shapes", [((4, 5), (4, 5)), ((5,), (4, 1)), ((), (4, 5))], ids=str)
def test_where_equals_pytorchs(shapes):
    a, b = (np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes))
    mask = X[0] > 0
    compare(lambda a, b: F.where(mask, a, b), lambda a, b: torch.where(torch.tensor(mask), a, b), a, b)


def test_where_takes_numbers_infinities_and_keeps_float32():
    mask = np.array([True, False, True])
    out = F.where(mask, Tensor([1.0, 2.0, 3.0]), -np.inf)
    assert out.dtype == np.float32
    assert out.data.tolist() == [1, -np.inf, 3]
    assert F.where(Tensor([1, 0, 1]) > 0, 1.0, Tensor([5.0, 5.0, 5.0])).data.tolist() == [1, 5, 1]


def test_one_hot_equals_pytorchs_and_is_a_plain_array():
    for y, n in [([0, 2, 1], -1), ([0, 2, 1], 5), ([[0], [3]], 4), ([], 3)]:
        ours = F.one_hot(np.array(y, int), n)
        np.testing.assert_array_equal(ours, TF.one_hot(torch.tensor(y, dtype=torch.int64), n).numpy())
        assert isinstance(ours, np.ndarray)


def test_one_hot_explains_wrong_classes():
    with pytest.raises(ValueError, match="classes from 0 to 4 do not fit num_classes=3"):
        F.one_hot(np.array([0, 4]), 3)
    with pytest.raises(TypeError, match="not float64"):
        F.one_hot(np.array([0.0, 1.0]), 3)


def test_backward_through_all_steps_of_a_sequence_is_linear_in_their_number():
    """One zero array for each step would make 4 times the steps cost 16 times the memory traffic."""
    out, backward = ops.unbind(np.ones((1000, 3)))
    (grad,) = backward(*out)
    assert grad.shape == (1000, 3)
