"""Unit 01: a neuron, a layer of them, activations, the perceptron, and what one neuron separates."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.neuron.activations import DERIVATIVES, LEAKY_RELU
from dlcourse.checks.neuron.forward import FORWARD, SIGMOID
from dlcourse.checks.neuron.layer import LAYER
from dlcourse.checks.neuron.perceptron import UPDATE
from dlcourse.checks.neuron.separation import SEPARABLE, XOR
from dlcourse.checks.neuron.softmax import SOFTMAX
from dlcourse.checks.neuron.training import TRAIN

EXERCISES: tuple[Exercise, ...] = (
    FORWARD,
    SIGMOID,
    LAYER,
    LEAKY_RELU,
    DERIVATIVES,
    SOFTMAX,
    UPDATE,
    TRAIN,
    SEPARABLE,
    XOR,
)
