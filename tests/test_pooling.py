"""Pooling beside PyTorch's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import Tensor, nn, ops

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)


def distinct(*shape: int) -> np.ndarray:
    """Numbers with gaps between them, so that a small step never changes which is the largest."""
    return rng.permutation(np.linspace(-2, 2, int(np.prod(shape)))).reshape(shape)


WINDOWS = {  # shape of x, options
    "halves": ((2, 3, 4, 6), {"kernel_size": 2}),
    "a remainder": ((2, 2, 5, 7), {"kernel_size": 2}),
    "not square": ((2, 2, 6, 5), {"kernel_size": (3, 2)}),
    "overlapping": ((2, 2, 7, 6), {"kernel_size": 3, "stride": 2}),
    "overlapping, padding": ((2, 2, 7, 6), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "padding on one axis": ((2, 2, 4, 4), {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0)}),
    "gaps between windows": ((2, 2, 8, 9), {"kernel_size": 2, "stride": 3}),
    "gaps and padding": ((2, 2, 6, 6), {"kernel_size": 2, "stride": (3, 1), "padding": 1}),
    "single pixels": ((2, 2, 3, 3), {"kernel_size": 1}),
    "single pixels, a stride": ((2, 2, 5, 4), {"kernel_size": 1, "stride": 2}),
    "the whole image": ((2, 3, 4, 5), {"kernel_size": (4, 5)}),
    "an empty batch": ((0, 3, 4, 4), {"kernel_size": 2}),
    "an empty batch, padding": ((0, 3, 4, 4), {"kernel_size": 3, "padding": 1}),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_max_pooling_is_pytorchs(name):
    shape, options = WINDOWS[name]
    compare(
        partial(F.max_pool2d, **options), partial(TF.max_pool2d, **options), distinct(*shape), differences=shape[0] > 0
    )


@pytest.mark.parametrize("counted", [True, False], ids=["border counts", "border does not count"])
@pytest.mark.parametrize("name", WINDOWS)
def test_average_pooling_is_pytorchs(name, counted):
    shape, options = WINDOWS[name]
    options = options | {"count_include_pad": counted}
    compare(
        partial(F.avg_pool2d, **options), partial(TF.avg_pool2d, **options), distinct(*shape), differences=shape[0] > 0
    )


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_pooling_is_pytorchs_also_where_pixels_are_equal(data):
    draw, small = data.draw, st.tuples(st.integers(1, 4), st.integers(1, 4))
    kernel = draw(small)
    options = {"stride": draw(st.none() | small), "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel)}
    H, W = [draw(st.integers(k, 9)) for k in kernel]
    x = rng.integers(0, 3, (draw(st.integers(0, 3)), 2, H, W))  # many equal pixels
    compare(lambda x: F.max_pool2d(x, kernel, **options), lambda x: TF.max_pool2d(x, kernel, **options), x,
            differences=False)  # fmt: skip
    options["count_include_pad"] = draw(st.booleans())
    compare(lambda x: F.avg_pool2d(x, kernel, **options), lambda x: TF.avg_pool2d(x, kernel, **options), x,
            differences=False)  # fmt: skip


def test_the_first_of_equal_pixels_gets_the_whole_gradient():
    x = Tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    F.max_pool2d(x, 2).backward(np.full((1, 1, 1, 1), 3.0))
    np.testing.assert_array_equal(x.grad, [[[[3, 0], [0, 0]]]])


def test_nan_in_a_window_is_its_maximum():
    x = distinct(1, 1, 4, 4)
    x[0, 0, 1, 0] = np.nan
    out = F.max_pool2d(Tensor(x), 2).data
    np.testing.assert_array_equal(out, TF.max_pool2d(torch.tensor(x), 2).numpy())
    assert np.isnan(out).sum() == 1


def test_padding_is_never_the_largest_pixel():
    x = -distinct(1, 1, 4, 4) - 10
    assert (F.max_pool2d(x, 3, 1, 1).data < -5).all()


def test_after_a_convolution_pooling_agrees_too():
    def stack(F):
        return lambda x, w: F.avg_pool2d(F.max_pool2d(F.conv2d(x, w, padding=1), 2, 1), 2)

    compare(stack(F), stack(TF), distinct(3, 2, 6, 7), distinct(4, 2, 3, 3))


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_])
def test_whole_numbers_can_be_pooled(dtype, padding):
    x = rng.integers(0, 2, (2, 1, 4, 4)).astype(dtype)
    t = torch.tensor(x).double()
    np.testing.assert_array_equal(F.max_pool2d(x, 2, None, padding).data, TF.max_pool2d(t, 2, None, padding))
    np.testing.assert_array_equal(F.avg_pool2d(x, 2, None, padding).data, TF.avg_pool2d(t, 2, None, padding))


@pytest.mark.parametrize("options", [{"count_include_pad": True}, {"count_include_pad": False}, {}])
def test_the_op_itself_works_in_float32(options):
    op = ops.avg_pool2d if options else ops.max_pool2d
    out, backward = op(distinct(2, 2, 5, 5).astype(np.float32), 2, padding=1, **options)
    assert out.dtype == np.float32
    assert backward(out)[0].dtype == np.float32


LAYERS = {
    "MaxPool2d": [(2,), (3, 2), (3, 1, 1), ((2, 3), (1, 2), (1, 0))],
    "AvgPool2d": [(2,), (3, 2), (3, 1, 1), ((2, 3), (1, 2), (1, 0))],
}


@pytest.mark.parametrize(("kind", "arguments"), [(kind, a) for kind, all_ in LAYERS.items() for a in all_])
def test_a_layer_takes_pytorchs_arguments(kind, arguments):
    layer, peer = getattr(nn, kind)(*arguments), getattr(torch.nn, kind)(*arguments)
    compare(layer, peer, distinct(2, 2, 7, 6))
    compare(layer.eval(), peer.eval(), distinct(2, 2, 7, 6), differences=False)
    assert not layer.state_dict()


def test_a_layer_can_leave_the_border_out_of_the_mean():
    options = {"padding": 1, "count_include_pad": False}
    compare(nn.AvgPool2d(3, 2, **options), torch.nn.AvgPool2d(3, 2, **options), distinct(2, 2, 7, 6))


def test_a_printed_layer_shows_its_options():
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0)"
    assert repr(nn.AvgPool2d((2, 3), 1)) == (
        "AvgPool2d(kernel_size=(2, 3), stride=1, padding=0, count_include_pad=True)"
    )


x = distinct(2, 3, 5, 5)
MISTAKES = [
    (lambda pool: pool(x[0], 2), r"pool2d: the input must have four axes \(N, C, H, W\), not shape \(3, 5, 5\)"),
    (lambda pool: pool(x, 0), r"kernel_size=0 must be a whole number of at least 1"),
    (lambda pool: pool(x, 2.0), r"kernel_size=2.0 must be a whole number"),
    (lambda pool: pool(x, (2, 2, 2)), r"kernel_size=\(2, 2, 2\).*pair"),
    (lambda pool: pool(x, 2, 0), r"stride=0"),
    (lambda pool: pool(x, 2, None, -1), r"padding=-1"),
    (lambda pool: pool(x, 3, 1, 2), r"padding=2 must be at most half of kernel_size=3"),
    (lambda pool: pool(x, 6), r"a kernel that spans 6×6 pixels is larger than the image, 5×5"),
]


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_named_with_its_values(pool, mistake, said):
    with pytest.raises(ValueError, match=said):
        mistake(pool)
