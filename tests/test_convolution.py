"""Convolution and transposed convolution beside PyTorch's."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from beside_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import Tensor, nn, no_grad, ops, optim
from dlcourse.ops.convolution import col2im, im2col
from dlcourse.ops.windows import windows

F = nn.functional
TF = torch.nn.functional
rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


CONVOLUTIONS = {  # shape of x, of weight, options
    "plain": ((2, 3, 5, 6), (4, 3, 3, 3), {}),
    "padding": ((2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1}),
    "one padding for each axis": ((2, 2, 4, 5), (3, 2, 2, 3), {"padding": (0, 2)}),
    "stride": ((2, 2, 7, 7), (3, 2, 3, 3), {"stride": 2, "padding": 1}),
    "one stride for each axis": ((1, 2, 7, 6), (2, 2, 3, 2), {"stride": (3, 1)}),
    "a stride larger than the kernel": ((2, 2, 8, 9), (3, 2, 2, 2), {"stride": 3}),
    "a stride that leaves a remainder": ((2, 2, 8, 8), (3, 2, 3, 3), {"stride": 3}),
    "patches": ((2, 3, 8, 8), (5, 3, 4, 4), {"stride": 4}),
    "a kernel of one pixel": ((2, 3, 4, 5), (4, 3, 1, 1), {}),
    "a kernel of one pixel with a stride": ((2, 3, 5, 5), (4, 3, 1, 1), {"stride": 2}),
    "a kernel as large as the image": ((2, 2, 5, 4), (3, 2, 5, 4), {}),
    "a kernel larger than the bare image": ((2, 1, 3, 3), (2, 1, 5, 5), {"padding": 2}),
    "a kernel wider than high": ((1, 2, 3, 8), (2, 2, 1, 7), {"padding": (0, 3)}),
    "more padding than kernel": ((1, 1, 2, 2), (1, 1, 2, 2), {"padding": 3}),
    "dilation": ((2, 2, 8, 7), (3, 2, 3, 2), {"dilation": (2, 3), "padding": 1}),
    "dilation and stride": ((2, 2, 9, 9), (3, 2, 2, 2), {"dilation": 3, "stride": 2}),
    "groups": ((2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    "each channel apart": ((2, 4, 5, 5), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    "same": ((2, 2, 5, 6), (3, 2, 3, 3), {"padding": "same"}),
    "same, an even kernel": ((2, 2, 5, 6), (3, 2, 4, 2), {"padding": "same"}),
    "same, dilated": ((1, 2, 7, 7), (3, 2, 2, 3), {"padding": "same", "dilation": (3, 2)}),
    "valid": ((1, 2, 5, 5), (3, 2, 3, 3), {"padding": "valid", "stride": 2}),
}
TRANSPOSED = {
    "plain": ((2, 3, 4, 5), (3, 2, 3, 3), {}),
    "padding": ((2, 3, 4, 5), (3, 2, 3, 3), {"padding": 1}),
    "stride": ((2, 3, 3, 4), (3, 2, 4, 4), {"stride": 2, "padding": 1}),
    "kernels side by side": ((2, 3, 3, 4), (3, 2, 2, 2), {"stride": 2}),
    "a stride larger than the kernel": ((2, 2, 3, 3), (2, 2, 2, 2), {"stride": 3}),
    "output padding": ((2, 2, 3, 3), (2, 3, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "options for each axis": (
        (1, 2, 3, 4), (2, 2, 2, 3), {"stride": (3, 2), "padding": (0, 1), "output_padding": (2, 0)}
    ),
    "a kernel of one pixel": ((2, 3, 3, 2), (3, 4, 1, 1), {}),
    "groups": ((2, 4, 3, 3), (4, 3, 3, 3), {"groups": 2, "stride": 2}),
    "dilation": ((2, 2, 3, 4), (2, 3, 3, 2), {"dilation": 2, "padding": 1}),
    "output padding below the dilation": ((1, 2, 3, 3), (2, 2, 2, 2), {"dilation": 3, "output_padding": 2}),
}  # fmt: skip


@pytest.mark.parametrize("bias", [True, False], ids=["with bias", "without"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_is_pytorchs(name, bias):
    x, weight, options = CONVOLUTIONS[name]
    arrays = [normal(*x), normal(*weight)] + [normal(weight[0])] * bias
    with warnings.catch_warnings():  # PyTorch's, about a copy that "same" may need
        warnings.simplefilter("ignore", UserWarning)
        compare(partial(F.conv2d, **options), partial(TF.conv2d, **options), *arrays)


@pytest.mark.parametrize("bias", [True, False], ids=["with bias", "without"])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolution_is_pytorchs(name, bias):
    x, weight, options = TRANSPOSED[name]
    arrays = [normal(*x), normal(*weight)] + [normal(weight[1] * options.get("groups", 1))] * bias
    compare(partial(F.conv_transpose2d, **options), partial(TF.conv_transpose2d, **options), *arrays)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=40)
@given(
    N=st.integers(0, 3), channels=pairs, size=st.tuples(st.integers(1, 9), st.integers(1, 9)), kernel=pairs,
    stride=pairs, padding=st.tuples(st.integers(0, 2), st.integers(0, 2)), dilation=pairs, groups=st.integers(1, 2),
)  # fmt: skip
def test_any_convolution_that_pytorch_can_do_and_its_transpose(
    N, channels, size, kernel, stride, padding, dilation, groups
):
    C, O = channels
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    weight, bias = normal(groups * O, C, *kernel), normal(groups * O)
    x = normal(N, groups * C, *size)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if all(n + 2 * p >= r for n, p, r in zip(size, padding, reach, strict=True)):
        compare(partial(F.conv2d, **options), partial(TF.conv2d, **options), x, weight, bias,
                differences=False)  # fmt: skip
    else:
        with pytest.raises(ValueError, match="larger than the image"):
            F.conv2d(x, weight, bias, **options)
    x, bias = normal(N, groups * O, *size), normal(groups * C)
    if all((n - 1) * s - 2 * p + r >= 1 for n, s, p, r in zip(size, stride, padding, reach, strict=True)):
        compare(partial(F.conv_transpose2d, **options), partial(TF.conv_transpose2d, **options), x, weight,
                bias, differences=False)  # fmt: skip
    else:
        with pytest.raises(ValueError, match="must leave something of the output"):
            F.conv_transpose2d(x, weight, bias, **options)


def test_a_large_kernel_on_a_large_image_is_pytorchs():
    options = {"padding": 5, "stride": 2}
    compare(partial(F.conv2d, **options), partial(TF.conv2d, **options), normal(3, 4, 33, 30),
            normal(5, 4, 11, 11), normal(5), differences=False)  # fmt: skip


def test_an_empty_batch_gives_an_empty_batch():
    options = {"stride": 2, "padding": 1}
    x, w = normal(0, 3, 6, 6), normal(3, 3, 3, 3)
    for name in ["conv2d", "conv_transpose2d"]:
        ours, theirs = getattr(F, name), getattr(TF, name)
        compare(partial(ours, **options), partial(theirs, **options), x, w, normal(3), differences=False)


def test_convolutions_in_a_row_agree_whatever_the_order_in_memory():
    def stack(F, relu):
        return lambda x, a, b, c: F.conv_transpose2d(
            relu(F.conv2d(F.conv2d(x, a, padding=1), b, stride=2)), c, stride=2
        )

    images = normal(3, 6, 6, 2).transpose(0, 3, 1, 2)  # channels last in memory
    compare(stack(F, F.relu), stack(TF, torch.relu), images, normal(3, 2, 3, 3), normal(4, 3, 2, 2), normal(4, 2, 3, 3))


def test_col2im_is_the_adjoint_of_im2col():
    where = windows("conv2d", (7, 6), (3, 2), stride=2, padding=1)
    image = normal(3, 7, 6, 2)
    columns = im2col(image, where)
    other = normal(*columns.shape)
    np.testing.assert_allclose((columns * other).sum(), (image * col2im(other, where)).sum())


def test_the_gradient_of_the_first_layers_images_is_never_computed():
    x, w = normal(2, 1, 5, 5), normal(3, 1, 3, 3)
    out, backward = ops.conv2d(x, w)
    for_x, for_w = backward(np.ones(out.shape))
    assert callable(for_x)
    assert callable(for_w)
    assert callable(ops.conv_transpose2d(x, w.reshape(1, 3, 3, 3))[1](np.ones((2, 3, 7, 7)))[0])


@pytest.mark.parametrize("padding", [0, 1])
def test_whole_numbers_as_images_give_float32(padding):
    images = rng.integers(0, 256, (2, 1, 4, 4)).astype(np.uint8)
    layer, peer = nn.Conv2d(1, 2, 3, padding=padding, rng=rng), torch.nn.Conv2d(1, 2, 3, padding=padding)
    layer.load_state_dict(peer.state_dict())
    out = layer(images)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.data, peer(torch.tensor(images).float()).detach().numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("op", [ops.conv2d, ops.conv_transpose2d])
def test_the_op_itself_works_in_float32(op):
    out, backward = op(*[normal(*shape).astype(np.float32) for shape in [(2, 3, 5, 5), (3, 3, 3, 3), (3,)]], padding=1)
    assert out.dtype == np.float32
    assert [grad().dtype for grad in backward(out)] == [np.float32] * 3


# ---- layers

LAYERS = {
    "Conv2d": ((2, 3, 6, 5), (3, 4, 3), {"stride": 2, "padding": 1}),
    "Conv2d, in PyTorch's order": ((2, 4, 8, 7), (4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, False), {}),
    "Conv2d, same": ((2, 3, 6, 5), (3, 4, 5), {"padding": "same"}),
    "ConvTranspose2d": ((2, 3, 4, 5), (3, 4, 4), {"stride": 2, "padding": 1}),
    "ConvTranspose2d, in PyTorch's order": ((2, 4, 3, 3), (4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, False, 2), {}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_with_pytorchs_weights_has_its_outputs_and_gradients(name):
    shape, arguments, options = LAYERS[name]
    kind = name.partition(",")[0]
    peer = getattr(torch.nn, kind)(*arguments, **options).double()
    layer = getattr(nn, kind)(*arguments, **options)
    assert {n: p.shape for n, p in layer.named_parameters()} == {n: tuple(p.shape) for n, p in peer.named_parameters()}
    for parameter in layer.parameters():
        parameter.data = parameter.data.astype(np.float64)
    layer.load_state_dict(peer.state_dict())
    X = normal(*shape)
    x, t = Tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    out, expected = layer(x), peer(t)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    seed = normal(*out.shape)
    out.backward(seed)
    expected.backward(torch.tensor(seed))
    np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-9, atol=1e-12)
    for (_, mine), (_, theirs) in zip(layer.named_parameters(), peer.named_parameters(), strict=True):
        np.testing.assert_allclose(mine.grad, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, rng=rng)
    peer.load_state_dict({n: torch.tensor(value) for n, value in layer.state_dict().items()})
    np.testing.assert_allclose(layer.eval()(X).data, peer.eval()(t).detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["Conv2d", "ConvTranspose2d"])
def test_starting_weights_are_float32_and_spread_like_pytorchs(kind):
    layer, peer = getattr(nn, kind)(8, 64, 5, groups=2, rng=rng), getattr(torch.nn, kind)(8, 64, 5, groups=2)
    for mine, theirs in zip(layer.parameters(), peer.parameters(), strict=True):
        assert mine.dtype == np.float32
        bound = 1 / np.sqrt(np.prod(layer.weight.shape[1:]))
        assert abs(mine.data).max() <= bound
        assert abs(mine.data).max() > 0.9 * bound
        assert abs(theirs).max().item() <= bound
    again = [getattr(nn, kind)(2, 2, 3, rng=np.random.default_rng(5)).weight.data for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_a_printed_layer_shows_its_options():
    assert repr(nn.Conv2d(3, 8, (3, 1), padding="same", groups=1)) == (
        "Conv2d(3, 8, kernel_size=(3, 1), stride=1, padding=same, dilation=1, groups=1, bias=True)"
    )
    assert repr(nn.ConvTranspose2d(4, 8, 2, stride=2, groups=2, bias=False)) == (
        "ConvTranspose2d(4, 8, kernel_size=(2, 2), stride=2, padding=0, output_padding=0, groups=2, bias=False, "
        "dilation=1)"
    )


def test_flatten_takes_pytorchs_range_of_axes():
    x = normal(2, 3, 4, 5)
    for axes in [(), (0,), (2,), (1, 2), (-3, -2), (0, 1), (3, 3)]:
        assert nn.Flatten(*axes)(x).shape == tuple(torch.nn.Flatten(*axes)(torch.tensor(x)).shape)
    assert nn.Flatten()(normal(0, 3, 4)).shape == (0, 12)
    with pytest.raises(ValueError, match=r"Flatten: shape \(3,\) has no axes from 1 to -1"):
        nn.Flatten()(normal(3))


def test_a_small_network_learns_to_tell_bars_from_columns():
    generator = np.random.default_rng(3)
    images, y = generator.normal(0, 0.3, (64, 1, 6, 6)).astype(np.float32), generator.integers(0, 2, 64)
    for image, label in zip(images, y, strict=True):
        place = generator.integers(0, 6)
        image[0][(slice(None), place) if label else place] += 2
    net = nn.Sequential(nn.Conv2d(1, 6, 3, rng=generator), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(),
                        nn.Linear(6, 2, rng=generator))  # fmt: skip
    optimizer = optim.Adam(net.parameters(), lr=0.03)
    for _ in range(60):
        loss = F.cross_entropy(net(images), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with no_grad():
        assert (net(images).data.argmax(1) == y).mean() > 0.95


# ---- mistakes

x, w = normal(2, 3, 5, 5), normal(4, 3, 3, 3)
MISTAKES = [
    (lambda: F.conv2d(x[0], w), r"conv2d: the input must have four axes.*\(3, 5, 5\).*x\[None\]"),
    (lambda: F.conv2d(x[:, 0], w), r"\(2, 5, 5\).*x\[:, None\]"),
    (lambda: F.conv2d(x, w[0]), r"conv2d: the weight must be \(O, C / groups, kh, kw\).*\(3, 3, 3\)"),
    (lambda: F.conv2d(x, w[:, :2]), r"takes 2 channels; the input of shape \(2, 3, 5, 5\), \(N, C, H, W\), has 3"),
    (lambda: F.conv2d(x, w, groups=3), r"a multiple of groups.*\(4, 3, 3, 3\) and groups=3"),
    (lambda: F.conv2d(x, w, groups=0), r"groups=0"),
    (lambda: F.conv2d(x, w[:0]), r"none empty; got shape \(0, 3, 3, 3\)"),
    (lambda: F.conv2d(x, w, normal(3)), r"bias must have a number for each of 4 output channels, not shape \(3,\)"),
    (lambda: F.conv2d(x, w, stride=0), r"conv2d: stride=0 must be a whole number of at least 1"),
    (lambda: F.conv2d(x, w, stride=1.5), r"stride=1.5 must be a whole number"),
    (lambda: F.conv2d(x, w, padding=-1), r"padding=-1 must be a whole number of at least 0"),
    (lambda: F.conv2d(x, w, padding=(1, 1, 1)), r"padding=\(1, 1, 1\) must be .* or a pair"),
    (lambda: F.conv2d(x, w, padding="some"), r"padding='some'"),
    (lambda: F.conv2d(x, w, padding="same", stride=2), r"padding='same' keeps the size, which needs stride=1"),
    (lambda: F.conv2d(x, w, dilation=0), r"dilation=0"),
    (lambda: F.conv2d(x, w, dilation=3), r"spans 7×7 pixels is larger than the image, 5×5 with padding=0"),
    (lambda: F.conv_transpose2d(x[0], w), r"conv_transpose2d: the input must have four axes"),
    (lambda: F.conv_transpose2d(x, w), r"\(4, 3, 3, 3\), \(C, O / groups, kh, kw\).* takes 4 channels;.* has 3"),
    (lambda: F.conv_transpose2d(x, w.swapaxes(0, 1), normal(3)), r"each of 4 output channels, not shape \(3,\)"),
    (lambda: F.conv_transpose2d(x, w.swapaxes(0, 1), output_padding=1), r"output_padding=1 must be smaller than stride"),
    (lambda: F.conv_transpose2d(x, w.swapaxes(0, 1), padding=4), r"padding=4 must leave something.*-1×-1"),
    (lambda: F.conv_transpose2d(x, w.swapaxes(0, 1), stride=(1, 0)), r"conv_transpose2d: stride=\(1, 0\)"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), r"groups=2 needs multiples of it as channels, not \(4, 3\)"),
    (lambda: nn.Conv2d(3, 4, 0), r"kernel_size=0 must be a whole number of at least 1"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_named_with_its_values(mistake, said):
    with pytest.raises(ValueError, match=said):
        mistake()
