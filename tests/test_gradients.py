"""gradcheck finds what is wrong, names the worst entry, and leaves its inputs as they were."""

from __future__ import annotations

import numpy as np
import pytest

from dlcourse import Tensor, gradcheck, nn
from dlcourse.gradients import GradientError, numerical_gradient
from dlcourse.tensor import as_op

F = nn.functional
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])


def test_a_right_gradient_passes():
    assert gradcheck(lambda x: x.tanh() * x, Tensor(X, requires_grad=True)) is True
    assert gradcheck(lambda a, b: a @ b.T, [X, X + 1]) is True
    assert gradcheck(lambda x: x.sum(), (X,)) is True
    assert gradcheck(lambda x: x * x, 1.5) is True


def test_a_wrong_gradient_names_the_worst_entry_and_both_values():
    def backward(dout, x):
        grad = 2 * x * dout
        grad[1, 2] *= 3
        return grad

    wrong = as_op(lambda x: x * x, backward)
    with pytest.raises(GradientError, match=r"1 of 36 .*output\[1, 2\].*input 0 at \[1, 2\] is -4.2 by.* -1.4 by"):
        gradcheck(wrong, Tensor(X, requires_grad=True))


def test_a_forgotten_gradient_is_found():
    with pytest.raises(GradientError, match="is 0 by backward"):
        gradcheck(lambda x: x.detach() * 2, X)


@pytest.mark.parametrize("factor", [-1, 2, 0.5, 1.01])
def test_a_gradient_off_by_a_factor_is_found(factor):
    with pytest.raises(GradientError):
        gradcheck(as_op(np.exp, lambda dout, x: factor * np.exp(x) * dout), X)


def test_inputs_and_their_gradients_stay_as_they_were():
    x = Tensor(X.copy(), requires_grad=True)
    x.grad = np.full_like(X, 7)
    gradcheck(lambda x: x * x, x)
    np.testing.assert_array_equal(x.data, X)
    assert (x.grad == 7).all()


def test_float32_inputs_are_checked_in_float64():
    assert gradcheck(lambda x: x.exp(), Tensor(X.astype(np.float32), requires_grad=True))


def test_only_inputs_that_ask_for_a_gradient_are_checked():
    wrong_for_b = as_op(lambda a, b: a * b, lambda dout, a, b: (dout * b, dout))
    a, b = Tensor(X, requires_grad=True), Tensor(X)
    assert gradcheck(wrong_for_b, (a, b))
    with pytest.raises(GradientError, match="input 1"):
        gradcheck(wrong_for_b, (X, X))


def test_integers_are_passed_on():
    assert gradcheck(lambda z, y: F.cross_entropy(z, y), (X, np.array([0, 2])))
    with pytest.raises(ValueError, match="no input is of a floating-point type"):
        gradcheck(lambda z: z, np.array([0, 2]))


def test_a_nan_is_named_with_its_place():
    with pytest.raises(ValueError, match=r"f's output holds nan at \[0, 1\]; choose inputs"):
        gradcheck(lambda x: x.log(), X)
    nan_at_the_end = as_op(lambda x: x, lambda dout, x: dout * np.where(x == X[1, 2], np.nan, 1))
    with pytest.raises(ValueError, match=r"gradient of input 0 by backward\(\) holds nan at \[1, 2\]"):
        gradcheck(nan_at_the_end, X)
    with pytest.raises(ValueError, match=r"by backward\(\) holds inf at \[1\]"):
        gradcheck(lambda x: x.sqrt().sum(), np.array([1.0, 0.0]))


def test_f_must_return_a_tensor():
    with pytest.raises(TypeError, match="f must return a Tensor, it returned float"):
        gradcheck(lambda x: 1.0, X)


def test_an_empty_input_has_nothing_to_check():
    assert gradcheck(lambda x: x * 2, np.ones((0, 3)))
    assert gradcheck(lambda a, b: a.sum() + b * b, [np.ones(0), np.ones(2)])
    with pytest.raises(GradientError, match="input 1 at"):
        gradcheck(lambda a, b: a.sum() + as_op(lambda b: b * b, lambda grad, b: grad)(b), [np.ones(0), np.ones(2)])
    assert numerical_gradient(np.sum, np.ones((0, 3))).shape == (0, 3)


def test_integers_have_no_numerical_gradient():
    with pytest.raises(TypeError, match="x holds int64, in which no small step exists"):
        numerical_gradient(lambda x: float((x * x).sum()), np.arange(3))


def test_a_numerical_gradient_is_right_to_nine_digits_and_leaves_x():
    x = X.copy()
    grad = numerical_gradient(lambda x: float((x**3).sum()), x)
    np.testing.assert_allclose(grad, 3 * X**2, rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(x, X)


def test_x_ends_as_it_was_even_if_f_fails():
    x = X.copy()
    with pytest.raises(ZeroDivisionError):
        numerical_gradient(lambda x: 1 / 0, x)
    np.testing.assert_array_equal(x, X)
