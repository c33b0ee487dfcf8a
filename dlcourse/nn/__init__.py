"""Layers, losses and starting weights, with PyTorch's names, argument order and weight layouts."""

from dlcourse.nn import functional, init, utils
from dlcourse.nn.activations import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Tanh
from dlcourse.nn.linear import Flatten, Linear
from dlcourse.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from dlcourse.nn.module import Module, ModuleList, Parameter, Sequential

# fmt: off
__all__ = [
    "GELU", "BCEWithLogitsLoss", "CrossEntropyLoss", "Flatten", "L1Loss", "LeakyReLU", "Linear", "LogSoftmax",
    "MSELoss", "Module", "ModuleList", "NLLLoss", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid", "Softmax",
    "Tanh", "functional", "init", "utils",
]
