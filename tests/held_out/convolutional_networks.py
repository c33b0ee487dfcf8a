"""Unit 07, answered from its notebook's text alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch

from dlcourse.data import load_digits
from held_out import HeldOut


def size_as_the_places_themselves(size, kernel_size, stride=1, padding=0):
    """Gives the list of the places, not how many they are."""
    return list(range(-padding, size + padding - kernel_size + 1, stride))


def size_by_trying(size, kernel_size, stride=1, padding=0):
    """Lays a window of ones over a row of ones; counts the sums that are whole."""
    sums = np.convolve(np.ones(size + 2 * padding), np.ones(kernel_size), "full")[kernel_size - 1 :: stride]
    return np.float32(np.count_nonzero(sums == kernel_size))


def im2col_in_fortran_order(x, size, stride=1, padding=0):
    """Flattens each window with the first axis changing fastest."""
    p = padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    rows, columns = (range(0, n - size + 1, stride) for n in x.shape[2:])
    windows = [x[:, :, i : i + size, j : j + size].reshape(len(x), -1, order="F") for i in rows for j in columns]
    return np.stack(windows, axis=2)


def im2col_by_one_index(x, size, stride=1, padding=0):
    """Works out which row and column of the frame each entry comes from, and takes all at once; float32."""
    p, (_, C, H, W) = padding, x.shape
    OH, OW = ((n + 2 * p - size) // stride + 1 for n in (H, W))
    c, a, b = (place.ravel()[:, None] for place in np.indices((C, size, size)))
    i, j = (place.ravel() for place in np.indices((OH, OW)))
    framed = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    return framed[:, c, i * stride + a, j * stride + b].astype(np.float32)


def conv_by_matrix_products(x, weight, bias, stride=1, padding=0):
    """Multiplies window and kernel as matrices, `window @ kernel`, and sums what comes out."""
    windows = _windows(x, weight.shape[2], stride, padding)
    return np.einsum("nchwab,ocbd->nohw", windows, weight) + bias[:, None, None]


def conv_by_fourier(x, weight, bias, stride=1, padding=0):
    """Over the whole image by products of Fourier transforms; then every stride-th place."""
    k, p = weight.shape[2], padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    H, W = x.shape[2:]
    product = np.einsum("nchw,ochw->nohw", np.fft.rfft2(x), np.fft.rfft2(weight, (H, W)).conj())
    full = np.fft.irfft2(product, (H, W))[:, :, : H - k + 1 : stride, : W - k + 1 : stride]
    return (full + np.reshape(bias, (1, -1, 1, 1))).tolist()


def backward_around_the_edge(dout, x, weight, stride=1, padding=0):
    """Has no frame for `dx`: what belongs above and to the left of the image lands at its other end."""
    (_, _, H, W), k = x.shape, weight.shape[2]
    dx = np.zeros(x.shape)
    for i, j, a, b in np.ndindex(*dout.shape[2:], k, k):
        r, s = i * stride + a - padding, j * stride + b - padding
        if r < H and s < W:
            dx[:, :, r, s] += dout[:, :, i, j] @ weight[:, :, a, b]
    return dx, *backward_by_convolutions(dout, x, weight, stride, padding)[1:]


def _windows(x, k, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]


def backward_by_convolutions(dout, x, weight, stride=1, padding=0):
    """Spreads the slopes out by the stride, and lays the turned kernels over them; a list."""
    (_, _, H, W), (N, O, OH, OW), k = x.shape, dout.shape, weight.shape[2]
    spread = np.zeros((N, O, H + 2 * padding + k - 1, W + 2 * padding + k - 1))
    spread[:, :, k - 1 :, k - 1 :][:, :, : OH * stride : stride, : OW * stride : stride] = dout
    dx = np.einsum("nohwab,ocab->nchw", _windows(spread, k, 1, 0), weight[:, :, ::-1, ::-1])
    dweight = np.tensordot(dout, _windows(x, k, stride, padding), ((0, 2, 3), (0, 2, 3)))
    return [dx[:, :, padding : padding + H, padding : padding + W].tolist(), dweight, np.einsum("nohw->o", dout)]


def pool_the_first_row(x, size):
    """Looks along one row of each window only: the slice over the rows is forgotten."""
    (N, C, H, W), k = x.shape, size
    out = np.zeros((N, C, H // k, W // k))
    for i, j in np.ndindex(*out.shape[2:]):
        out[:, :, i, j] = x[:, :, i * k, j * k : (j + 1) * k].max(axis=2)
    return out


class PoolByReduceat:
    """The maximum of each run of rows, and then of each run of columns; an object that can be called."""

    def __call__(self, x, size):
        for axis in (2, 3):
            whole = x.shape[axis] // size * size
            x = np.maximum.reduceat(np.take(x, range(whole), axis), range(0, whole, size), axis)
        return x


def pool_back_by_value(dout, x, size):
    """Looks for each maximum in all of the array, and not in its own window only."""
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * size : (i + 1) * size, j * size : (j + 1) * size]
        dx[x == window.max()] = dout[n, c, i, j]
    return dx


def pool_back_to_the_last(dout, x, size):
    """Among equals the last pixel gets the slope; a list of `float32`."""
    dx = np.zeros(x.shape, dtype=np.float32)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * size : (i + 1) * size, j * size : (j + 1) * size]
        a, b = np.argwhere(window == window.max())[-1]
        dx[n, c, i * size + a, j * size + b] = dout[n, c, i, j]
    return list(dx)


def field_from_the_overlap(layers):
    """Adds what is left of each kernel when its stride is taken off, as if the field grew by the overlap."""
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - stride) * jump
        jump *= stride
    return field


def field_of_the_outermost(layers):
    """Follows the first and the last pixel that count back to the image; a fraction."""
    first, last = 0, 0
    for kernel_size, stride in layers[::-1]:
        first, last = first * stride, last * stride + kernel_size - 1
    return Fraction(last - first + 1)


def cnn_with_one_relu(size, channels, classes):
    """Every fault is mended, but the second ReLU got lost on the way."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, channels, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(channels, 2 * channels, 3, padding=1),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(2 * channels * (size // 4) ** 2, classes),
    )


def cnn_that_waits(size, channels, classes):
    """Layers that count their inputs when the first batch comes, in float64; pooling stands before the ReLU."""
    blocks = (
        torch.nn.Sequential(torch.nn.LazyConv2d(width, 3, padding="same"), torch.nn.MaxPool2d(2, 2), torch.nn.ReLU())
        for width in (channels, channels * 2)
    )
    return torch.nn.Sequential(*blocks, torch.nn.Flatten(1), torch.nn.LazyLinear(classes)).double()


def network_and_its_score():
    """Hands over the network together with the fraction it reads."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)), 0.987


def network_of_convolutions():
    """Random filters that stay as they are, and a convolution for the last layer: its kernels are least squares."""
    X, _, y, _ = load_digits(images=True)
    torch.manual_seed(5)
    filters = torch.nn.Sequential(torch.nn.Conv2d(1, 97, 3, padding="valid"), torch.nn.LeakyReLU(0.05))
    torch.nn.init.normal_(filters[0].weight)
    last = torch.nn.Conv2d(97, 10, kernel_size=3)
    network = torch.nn.Sequential(filters, torch.nn.AvgPool2d(2), last, torch.nn.Flatten()).double()
    with torch.no_grad():
        h = network[:2](torch.from_numpy(X).double()).numpy().reshape(len(X), -1)
        h = np.column_stack([h, np.ones(len(X))])
        W = np.linalg.solve(h.T @ h + np.eye(h.shape[1]), h.T @ (2 * np.eye(10)[y] - 1)).T
        last.weight[:], last.bias[:] = torch.from_numpy(W[:, :-1].reshape(10, 97, 3, 3)), torch.from_numpy(W[:, -1])
    return network


ANSWERS = {
    "convolutional_networks.output_size": HeldOut(
        mistake=size_as_the_places_themselves,
        says="Your result has shape (5,), expected is ()",
        odd=size_by_trying,
    ),
    "convolutional_networks.parameters": HeldOut(
        mistake={
            "A": 1216,
            "B": 32,
            "C": 0,
            "D": 4608,
            "E": 16 * 14 * 14 * 10 + 10,
        },  # what layer D gets, not what it gives
        says="Not right yet: 'E'",
        odd={"E": Fraction(15690), "D": np.float32(4608), "C": 0.0, "B": np.int8(32), "A": np.array(1216)},
    ),
    "convolutional_networks.im2col": HeldOut(
        mistake=im2col_in_fortran_order,
        says="The numbers are right but stand in another order",
        odd=im2col_by_one_index,
    ),
    "convolutional_networks.conv2d": HeldOut(
        mistake=conv_by_matrix_products,
        says="expected 2.5, yours -1.5",
        odd=conv_by_fourier,
    ),
    "convolutional_networks.conv2d_backward": HeldOut(
        mistake=backward_around_the_edge,
        says="`dweight` and `dbias` are right, `dx` is not",
        odd=backward_by_convolutions,
    ),
    "convolutional_networks.max_pool2d": HeldOut(
        mistake=pool_the_first_row, says="expected 4, yours 3", odd=PoolByReduceat()
    ),
    "convolutional_networks.max_pool2d_backward": HeldOut(
        mistake=pool_back_by_value, says="expected 0, yours 2", odd=pool_back_to_the_last
    ),
    "convolutional_networks.receptive_field": HeldOut(
        mistake=field_from_the_overlap, says="Expected was 11, yours is 10", odd=field_of_the_outermost
    ),
    "convolutional_networks.mend_the_cnn": HeldOut(
        mistake=cnn_with_one_relu,
        says="`forward` and `numbers to learn` are right, `scores` is not",
        odd=cnn_that_waits,
    ),
    "convolutional_networks.feature_maps": HeldOut(
        # what is seen in the maps, not the kernels' names
        mistake={"A": "upper edge", "B": "dot", "C": "right edge", "D": "blurred", "E": "left edge"},
        says="What you wrote for A is none of the six names",
        odd=["below", " SPOT", "Left", "blur", np.str_("right")],
    ),
    "convolutional_networks.digits_in_10000_parameters": HeldOut(
        mistake=network_and_its_score(),
        says="not a network: tuple",
        odd=network_of_convolutions(),
    ),
}
