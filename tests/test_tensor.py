"""The tensor and its graph: what is recorded, what is freed, what stays float32, and what the errors say."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from beside_torch import compare

from dlcourse import Tensor, nn, no_grad
from dlcourse.ops.inputs import as_array
from dlcourse.tensor import apply, as_op, as_tensor, unbroadcast

F = nn.functional


def leaf(*values: float) -> Tensor:
    return Tensor(np.array(values), requires_grad=True)


# ---- data and dtypes


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (3, np.float32),
        (3.5, np.float32),
        ([1, 2], np.float32),
        ([[1.0], [2.0]], np.float32),
        ([], np.float32),
        ([True, False], np.bool_),
        (np.ones(2), np.float64),
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.float16), np.float16),
        (np.float64(3), np.float64),
        ([np.ones(2), np.ones(2)], np.float64),
        (np.arange(3), np.int64),
        (np.ones(2, bool), np.bool_),
        (torch.ones(2), np.float32),
        (torch.ones(2, dtype=torch.float64), np.float64),
    ],
    ids=repr,
)
def test_pythons_numbers_become_float32_and_arrays_keep_their_dtype(data, dtype):
    assert Tensor(data).dtype == dtype


def test_a_tensor_copies_its_data_so_that_training_leaves_the_given_array_alone():
    array = np.ones(3)
    w = Tensor(array, requires_grad=True)
    w.data -= 1
    assert array.tolist() == [1, 1, 1]
    assert Tensor(w).data is not w.data


def test_as_tensor_shares_memory_and_returns_a_tensor_itself():
    array = np.ones(3)
    assert as_tensor(array).data is array
    x = leaf(1.0)
    assert as_tensor(x) is x
    assert as_tensor([1.0]).dtype == np.float32


def test_shape_dtype_ndim_item_numpy_and_length():
    x = Tensor([[1.0, 2.0, 3.0]])
    assert (x.shape, x.ndim, x.size, len(x)) == ((1, 3), 2, 3, 1)
    assert x[0, 1].item() == 2
    assert type(x[0, 1].item()) is float
    assert float(x[0, 1]) == 2
    assert x.numpy() is x.data
    assert np.asarray(x) is x.data
    assert np.array(x) is not x.data
    assert repr(x) == "Tensor([[1., 2., 3.]], dtype=float32)"
    assert repr(leaf(1.0)) == "Tensor([1.], dtype=float64, requires_grad=True)"


def test_a_tensor_of_words_or_of_a_ragged_list_is_refused():
    with pytest.raises(TypeError, match="a tensor holds numbers, not list"):
        Tensor(["a"])
    with pytest.raises(ValueError, match=r"are all rows equally long\?"):
        Tensor([[1.0], [1.0, 2.0]])


def test_integers_cannot_require_a_gradient():
    with pytest.raises(TypeError, match=r"needs floats, not int64; convert with data\.astype"):
        Tensor(np.arange(3), requires_grad=True)


OTHERS = [2, 2.5, np.float64(2), np.array(2.0), np.int64(2), np.arange(1, 4), np.array([True] * 3), [1, 2, 3]]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("op", ["+", "-", "*", "/", "**"])
def test_float32_stays_float32_beside_numbers_and_integers_on_either_side(op, other):
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    compute = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "**": lambda a, b: a**b,
    }[op]
    for a, b in [(x, other), (other, x)]:
        x.zero_grad()
        out = compute(a, b)
        assert isinstance(out, Tensor)
        assert out.dtype == np.float32
        out.sum().backward()
        assert x.grad.dtype == np.float32
        expected = compute(np.asarray(as_array(a), float), np.asarray(as_array(b), float))
        np.testing.assert_allclose(out.data, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_array_times_tensor_is_a_tensor(kind):
    x, array = Tensor(np.ones((2, 3), kind), requires_grad=True), np.arange(3, dtype=kind)
    for out in [array * x, x * array, array + x, array - x, x / (array + 1), (array + 1) / x, array**x]:
        assert isinstance(out, Tensor)
        assert out.shape == (2, 3)
        assert out.dtype == kind
    for out in [np.ones((4, 2), kind) @ x, x @ np.ones((3, 4), kind)]:
        assert isinstance(out, Tensor)
        assert out.requires_grad


def test_float64_arrays_widen_and_the_gradient_keeps_the_tensors_dtype():
    x = Tensor([1.0, 2.0], requires_grad=True)
    out = x * np.array([1.0, 2.0])
    assert out.dtype == np.float64
    out.sum().backward()
    assert x.grad.dtype == np.float32


def test_integer_tensors_compute_in_float32_where_fractions_arise():
    x = Tensor(np.arange(1, 4))
    for out in [x / 2, x.mean(), x.exp(), x.sqrt(), x.var(), F.softmax(x), x * 0.5]:
        assert out.dtype == np.float32
    assert x.sum().dtype == (x + 1).dtype == np.int64


def test_comparisons_give_plain_masks():
    x = Tensor([1.0, 2.0, 3.0])
    assert (x > 2).tolist() == [False, False, True]
    assert (x >= 2).tolist() == [False, True, True]
    assert (np.float32(2) > x).tolist() == [True, False, False]
    assert (x <= x).all()
    assert (x == np.array([1, 0, 3])).tolist() == [True, False, True]
    assert (np.array([1, 0, 3]) == x).tolist() == [True, False, True]
    assert (x != x[0]).tolist() == [False, True, True]
    assert len({x, x}) == 1
    assert bool(x[0] < 2)


def test_numpys_functions_refuse_a_tensor_instead_of_losing_its_gradient():
    with pytest.raises(TypeError, match="Tensor"):
        np.exp(leaf(1.0))


# ---- backward


def test_gradients_sum_over_calls_until_zero_grad():
    x = leaf(3.0)
    (x * x).backward()
    (x * x).backward()
    assert x.grad.tolist() == [12]
    x.zero_grad()
    assert x.grad is None


def test_a_zero_dimensional_gradient_is_an_array():
    x = Tensor(3.0, requires_grad=True)
    for _ in range(3):
        (x * x).backward()
    assert isinstance(x.grad, np.ndarray)
    assert x.grad.shape == ()
    assert x.grad == 18


def test_backward_takes_the_gradient_that_arrives():
    x = leaf(1.0, 2.0)
    (x * x).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2, 40]
    (x * x).backward(Tensor([1.0, 0.0]))
    assert x.grad.tolist() == [4, 40]


def test_backward_on_a_leaf_gives_one():
    x = leaf(1.0)
    x.backward()
    assert x.grad.tolist() == [1]


def test_two_leaves_never_share_a_gradient_array():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = np.ones(2)
    (a + b).backward(seed)
    a.grad *= 100
    assert b.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]


@pytest.mark.parametrize(
    "f", [lambda x: x.sum(), lambda x: x.mean(), lambda x: x.T.sum(), lambda x: F.concatenate([x, x]).sum()]
)
def test_a_gradient_can_be_written_to(f):
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    f(x).backward()
    x.grad *= 2
    x.grad[0, 0] = 5
    assert x.grad[0, 0] == 5
    assert x.grad[1, 2] != 5


def test_a_constant_gets_no_gradient():
    x, c = leaf(2.0), Tensor([5.0])
    (x * c).backward()
    assert c.grad is None
    assert not (c * c).requires_grad


def test_only_leaves_keep_a_gradient():
    x = leaf(2.0)
    y = x * 3
    (y * y).backward()
    assert y.grad is None
    assert x.grad.tolist() == [36]


def test_detach_cuts_the_graph_and_shares_the_array():
    x = leaf(2.0)
    y = (x * x).detach()
    assert not y.requires_grad
    (x * y).backward()
    assert x.grad.tolist() == [4]
    assert x.detach().data is x.data


def test_no_grad_records_nothing_and_ends_after_an_error():
    x = leaf(2.0)
    with no_grad():
        assert not (x * x).requires_grad
        with no_grad():
            pass
        assert not (x * x).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * x).requires_grad

    @no_grad()
    def evaluate():
        return x * x

    assert not evaluate().requires_grad
    assert not evaluate().requires_grad


def test_a_chain_of_100_000_nodes_goes_back_and_is_freed():
    x = Tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward(retain_graph=True)
    assert x.grad.tolist() == [1]
    del y  # the kept graph is forgotten: that must not overflow the stack either


def test_a_graph_whose_paths_double_at_every_step_is_walked_once():
    x = y = leaf(1.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.tolist() == [2.0**60]


def test_backward_frees_the_graph():
    gc.disable()  # so that reference counts alone must do it
    try:
        x = leaf(1.0, 2.0)
        middle = x.exp()
        watched = weakref.ref(middle)
        loss = (middle * middle).sum()
        del middle
        assert watched() is not None
        loss.backward()
        assert watched() is None
    finally:
        gc.enable()


def test_a_second_backward_through_a_freed_graph_says_what_to_do():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"shape \(\) was freed by an earlier backward.*retain_graph=True"):
        loss.backward()
    shared = x.exp()
    (shared * 2).sum().backward()
    with pytest.raises(RuntimeError, match=r"shape \(2,\) was freed"):
        (shared * 3).sum().backward()
    assert x.grad.tolist() == (2 * x.data + 2 * np.exp(x.data)).tolist()


def test_retain_graph_allows_a_second_backward():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]


def test_backward_from_several_entries_needs_a_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match=r"backward: shape \(2,\) is not a single number; reduce it first"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"grad has shape \(3,\), the tensor \(2,\)"):
        (x * x).backward(np.ones(3))


def test_backward_without_a_recorded_gradient_says_why():
    with pytest.raises(RuntimeError, match=r"no gradient was recorded.*requires_grad=True"):
        Tensor([1.0]).backward()


def test_item_of_several_entries_names_the_shape():
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        leaf(1.0, 2.0).item()


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "maximum"])
def test_shapes_that_do_not_broadcast_are_named_with_the_rule(op):
    a, b = Tensor(np.ones((2, 3))), Tensor(np.ones((4,)))
    compute = {"add": a.__add__, "sub": a.__sub__, "mul": a.__mul__, "div": a.__truediv__}
    with pytest.raises(
        ValueError, match=rf"{op}: shapes \(2, 3\) and \(4,\) do not broadcast: counted from the last axis"
    ):
        compute.get(op, lambda b: F.maximum(a, b))(b)


# ---- what Python's own words ask for


def test_a_weight_changes_in_place_under_no_grad_as_in_pytorch():
    w = nn.Parameter([1.0, 2.0])
    given, array = w, w.data
    with no_grad():
        w -= 0.5 * np.ones(2)
        w *= 4
        w /= 2
        w += 1
    assert w is given
    assert w.data is array
    assert (array.tolist(), array.dtype) == ([2.0, 4.0], np.float32)


def test_a_weight_that_is_changed_while_recording_is_refused():
    w = nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match=r"write x = x .* or change a weight inside of no_grad"):
        w -= 0.1


def test_other_tensors_are_replaced_not_changed_by_an_assignment():
    x, w = Tensor([1.0]), leaf(3.0)
    y, total = x, w * 2
    y += 1
    total += w
    assert (x.item(), y.item()) == (1, 2)
    total.backward()
    assert w.grad == [3]


def test_the_absolute_value_a_format_and_the_place_of_the_largest():
    assert abs(Tensor([-1.0, 2.0])).data.tolist() == [1, 2]
    assert f"{Tensor(1.23456):.2f}" == "1.23"
    assert f"{Tensor([1.0])}" == str(Tensor([1.0]))
    with pytest.raises(ValueError, match="2 entries, not one"):
        f"{Tensor([1.0, 2.0]):.2f}"
    assert (Tensor([[1.0, 3.0], [5.0, 4.0]]).argmax(1) == [1, 0]).all()
    assert Tensor([[1.0, 3.0], [5.0, 4.0]]).argmax() == 2


# ---- copies


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_is_a_leaf_of_its_own(duplicate):
    """Had it the original's place in time, a graph with both would mix them up: a target network beside its source."""
    w = leaf(2.0)
    twin = duplicate(w)
    assert twin.data is not w.data
    assert twin.requires_grad
    (w * 3 + twin * 5 * w).backward()
    assert (w.grad.tolist(), twin.grad.tolist()) == ([13], [10])
    again = duplicate(w)
    assert again.grad.tolist() == [13]
    assert not duplicate(w * 2).requires_grad


# ---- the graph's own parts


@pytest.mark.parametrize(
    ("shape", "to"),
    [
        ((2, 3), (3,)),
        ((2, 3), (2, 1)),
        ((2, 3), ()),
        ((4, 2, 3), (1, 3)),
        ((2, 3), (1, 1)),
        ((2, 3), (2, 3)),
        ((1,), ()),
    ],
    ids=str,
)
def test_unbroadcast_sums_down_to_the_shape(shape, to):
    grad = np.arange(np.prod(shape), dtype=float).reshape(shape)
    x = torch.ones(to, requires_grad=True)
    x.expand(shape).backward(torch.tensor(grad))
    out = unbroadcast(grad, to)
    assert out.shape == to
    np.testing.assert_allclose(out, x.grad.numpy())


@pytest.mark.parametrize(("shape", "to"), [((3,), (2, 3)), ((2, 3), (2,)), ((3,), (2,))], ids=str)
def test_unbroadcast_refuses_what_was_not_broadcast(shape, to):
    with pytest.raises(ValueError, match="cannot be summed down"):
        unbroadcast(np.ones(shape), to)


def test_apply_records_any_op():
    def double(x):
        return 2 * x, lambda grad: (2 * grad,)

    x = leaf(3.0)
    apply(double, x).backward()
    assert x.grad.tolist() == [2]


# ---- a learner's pair in the engine


def test_as_op_turns_an_exercises_pair_into_a_layer_that_trains():
    def linear(x, W, b):
        return x @ W.T + b

    def linear_backward(dout, x, W):  # asks for two of the three inputs, as in the exercise
        return dout @ W, dout.T @ x, dout.sum(axis=0)

    layer = as_op(linear, linear_backward)
    arrays = [np.random.default_rng(0).standard_normal(shape) for shape in [(5, 3), (4, 3), (4,)]]
    compare(layer, torch.nn.functional.linear, *arrays)


def test_as_op_takes_options_single_gradients_and_numbers():
    scale = as_op(lambda x, factor=1.0: x * factor, lambda dout, x, factor=1.0: dout * factor)
    x = Tensor([1.0, 2.0], requires_grad=True)
    scale(x, factor=3.0).sum().backward()
    assert x.grad.tolist() == [3, 3]
    loss = as_op(lambda x: float((x**2).sum()), lambda dout, x: 2 * x * dout)(x)
    assert loss.dtype == np.float32
    loss.backward()
    assert x.grad.tolist() == [5, 7]


def test_as_op_passes_all_inputs_to_a_backward_that_takes_any_number():
    add3 = as_op(lambda a, b, c: a + b + c, lambda dout, *inputs: [dout for _ in inputs])
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    add3(a, b, c).backward()
    assert a.grad == b.grad == c.grad == 1


def test_a_learners_gradient_of_a_wrong_shape_or_number_names_their_function():
    def square_backward(dout, x):
        return np.ones(3)

    with pytest.raises(ValueError, match=r"square_backward: .*shape \(3,\) for input 0 of shape \(2,\)"):
        as_op(lambda x: x * x, square_backward)(leaf(1.0, 2.0)).backward(np.ones(2))

    def product_backward(dout, a, b):
        return dout * b

    with pytest.raises(ValueError, match="product_backward: the backward rule returned 1 gradients for 2 inputs"):
        as_op(lambda a, b: a * b, product_backward)(leaf(1.0), leaf(2.0)).backward()


def test_an_error_in_a_learners_forward_keeps_its_own_words():
    def add(a, b):
        return np.ones(2) + np.ones(3)

    with pytest.raises(ValueError, match="operands could not be broadcast together"):
        as_op(add, lambda dout, a, b: (dout, dout))(leaf(1.0), leaf(2.0))
