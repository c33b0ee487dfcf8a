"""The ops: pure functions of arrays that return ``(out, backward)``; see :mod:`dlcourse.ops.rule`.

NumPy is all they need, so each can be read, called and tested without a graph.
"""

# fmt: off
# isort: off
from dlcourse.ops.attention import scaled_dot_product_attention
from dlcourse.ops.convolution import conv2d, conv_transpose2d
from dlcourse.ops.elementwise import (
    abs, add, clip, div, exp, gelu, gelu_tanh, leaky_relu, log, maximum, minimum, mul, neg, power, relu, sigmoid, silu,
    sqrt, sub, tanh,
)
from dlcourse.ops.losses import (
    binary_cross_entropy_with_logits, cross_entropy, l1_loss, log_softmax, mse_loss, nll_loss, softmax,
)
from dlcourse.ops.lookup import embedding
from dlcourse.ops.masks import dropout
from dlcourse.ops.normalization import batch_norm, layer_norm
from dlcourse.ops.pooling import avg_pool2d, max_pool2d
from dlcourse.ops.products import linear, matmul
from dlcourse.ops.recurrent import gru, lstm, rnn
from dlcourse.ops.reductions import max, mean, min, sum, var
from dlcourse.ops.shapes import concatenate, index, pad, reshape, split, stack, swapaxes, transpose, unbind, where

__all__ = [
    "abs", "add", "avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits", "clip", "concatenate", "conv2d",
    "conv_transpose2d", "cross_entropy", "div", "dropout", "embedding", "exp", "gelu", "gelu_tanh", "gru", "index",
    "l1_loss", "layer_norm", "leaky_relu", "linear", "log", "log_softmax", "lstm", "matmul", "max", "max_pool2d",
    "maximum", "mean", "min", "minimum", "mse_loss", "mul", "neg", "nll_loss", "pad", "power", "relu", "reshape", "rnn",
    "scaled_dot_product_attention", "sigmoid", "silu", "softmax", "split", "sqrt", "stack", "sub", "sum", "swapaxes",
    "tanh", "transpose", "unbind", "var", "where",
]
