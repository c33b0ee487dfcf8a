"""Layers, losses and starting weights, with PyTorch's names, argument order and weight layouts."""

from dlcourse.nn import functional, init, utils
from dlcourse.nn.activations import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Tanh
from dlcourse.nn.attention import MultiheadAttention
from dlcourse.nn.convolution import Conv2d, ConvTranspose2d
from dlcourse.nn.dropout import Dropout
from dlcourse.nn.embedding import Embedding
from dlcourse.nn.linear import Flatten, Identity, Linear
from dlcourse.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from dlcourse.nn.module import Buffer, Module, ModuleList, Parameter, Sequential
from dlcourse.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from dlcourse.nn.pooling import AvgPool2d, MaxPool2d
from dlcourse.nn.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

# fmt: off
__all__ = [
    "GELU", "GRU", "LSTM", "RNN", "AvgPool2d", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Buffer", "Conv2d",
    "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "GRUCell", "Identity", "L1Loss",
    "LSTMCell", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "MSELoss", "MaxPool2d", "Module", "ModuleList",
    "MultiheadAttention", "NLLLoss", "Parameter", "RNNCell", "ReLU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Tanh",
    "functional", "init", "utils",
]
