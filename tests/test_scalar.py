"""The scalar engine: its gradients against PyTorch's, reuse, long chains, and what a second backward does."""

import gc
import math

import pytest
import torch

from dlcourse.scalar import Value, collector_paused

LIBRARY = {Value: lambda v, name: getattr(v, name)(), torch.Tensor: lambda v, name: getattr(torch, name)(v)}


def call(v, name):
    return LIBRARY[type(v)](v, name)


EXPRESSIONS = {
    "add": lambda a, b: a + b,
    "add a number on either side": lambda a, b: 2.5 + a + b + 1.5,
    "sub": lambda a, b: a - b,
    "sub from a number": lambda a, b: 3.0 - a - 0.5 + b,
    "mul": lambda a, b: a * b,
    "mul by a number on either side": lambda a, b: 2.0 * a * b * -3.0,
    "div": lambda a, b: a / b,
    "div of and by a number": lambda a, b: 2.0 / a + b / 4.0,
    "neg": lambda a, b: -a * b,
    "pow": lambda a, b: a**3 + b**-0.5,
    "exp": lambda a, b: call(a * b, "exp"),
    "log": lambda a, b: call(a, "log") * b,
    "tanh": lambda a, b: call(a + b, "tanh") * a,
    "relu": lambda a, b: call(a - b, "relu") + call(b - a, "relu") * 2.0,
    "reused": lambda a, b: a * a + a * b + a,
    "diamond": lambda a, b: (lambda c: call(c, "tanh") * call(c, "exp") + c)(a * b),
    "neuron with a loss": lambda a, b: (call(a * 1.1 + b * -2.1 + 0.3, "tanh") - 1.0) ** 2,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize(("a", "b"), [(0.7, 1.3), (2.0, 0.31)])
def test_gradients_equal_pytorch(name, a, b):
    ours = Value(a), Value(b)
    theirs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (a, b)]
    out, reference = EXPRESSIONS[name](*ours), EXPRESSIONS[name](*theirs)
    out.backward()
    reference.backward()
    assert out.data == pytest.approx(reference.item(), rel=1e-12)
    assert [v.grad for v in ours] == pytest.approx([v.grad.item() for v in theirs], rel=1e-12)


def test_a_reused_value_sums_its_gradients():
    x = Value(3.0)
    (x * x + x).backward()
    assert x.grad == 7.0


def test_shared_paths_are_walked_once_however_many_they_are():
    x = Value(1.0)
    out = x
    for _ in range(60):  # 2**60 paths from x to out
        out = out + out
    out.backward()
    assert x.grad == 2.0**60


def test_a_chain_of_100_000_operations_works_and_is_freed():
    x = Value(1.0)
    with collector_paused():
        out = x
        for _ in range(100_000):
            out = out + 1e-5
        out.backward()
    assert x.grad == 1.0
    del out


def test_graph_puts_every_parent_before_its_child_and_leaves_out_strangers():
    x = Value(2.0)
    stranger = x * 5.0
    out = (x * x).tanh() + x
    order = out.graph()
    place = {id(value): i for i, value in enumerate(order)}
    assert all(place[id(parent)] < place[id(value)] for value in order for parent in value.parents)
    assert id(stranger) not in place
    assert len(place) == len(order) == 4


def test_leaves_add_up_over_two_calls_until_zero_grad():
    x = Value(3.0)
    out = (x * x) * 2.0
    out.backward()
    out.backward()
    assert x.grad == 24.0
    x.zero_grad()
    out.backward()
    assert x.grad == 12.0


def test_a_leaf_is_its_own_gradient_of_one():
    x = Value(3.0)
    x.backward()
    assert x.grad == 1.0


def test_relu_passes_nothing_at_and_below_zero():
    for number in (0.0, -1.0):
        x = Value(number)
        x.relu().backward()
        assert x.grad == 0.0


def test_a_power_that_is_a_value_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="log"):
        Value(2.0) ** Value(3.0)


def test_extreme_values_stay_finite():
    x = Value(1e4)
    (x.tanh() + (-x).exp()).backward()
    assert math.isfinite(x.grad)


def test_the_graph_holds_no_cycles():
    gc.collect()
    gc.disable()
    try:
        x = Value(0.5)
        for _ in range(100):
            ((x * x).tanh() + x.exp() / 3.0 - x.relu() ** 2).backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_collector_is_paused_only_inside_and_only_if_it_was_on():
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), collector_paused():
        _ = 1 / gc.isenabled()  # off inside, so this divides by zero
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
