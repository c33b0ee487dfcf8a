"""The ops: pure functions of arrays that return ``(out, backward)``; see :mod:`dlcourse.ops.rule`.

NumPy is all they need, so each can be read, called and tested without a graph.
"""

# fmt: off
# isort: off
from dlcourse.ops.elementwise import (
    abs, add, clip, div, exp, gelu, gelu_tanh, leaky_relu, log, maximum, minimum, mul, neg, power, relu, sigmoid, silu,
    sqrt, sub, tanh,
)
from dlcourse.ops.losses import (
    binary_cross_entropy_with_logits, cross_entropy, l1_loss, log_softmax, mse_loss, nll_loss, softmax,
)
from dlcourse.ops.products import linear, matmul
from dlcourse.ops.reductions import max, mean, min, sum, var
from dlcourse.ops.shapes import concatenate, index, pad, reshape, split, stack, swapaxes, transpose, unbind, where

__all__ = [
    "abs", "add", "binary_cross_entropy_with_logits", "clip", "concatenate", "cross_entropy", "div", "exp", "gelu",
    "gelu_tanh", "index", "l1_loss", "leaky_relu", "linear", "log", "log_softmax", "matmul", "max", "maximum", "mean",
    "min", "minimum", "mse_loss", "mul", "neg", "nll_loss", "pad", "power", "relu", "reshape", "sigmoid", "silu",
    "softmax", "split", "sqrt", "stack", "sub", "sum", "swapaxes", "tanh", "transpose", "unbind", "var", "where",
]
