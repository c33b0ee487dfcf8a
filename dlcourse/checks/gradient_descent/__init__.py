"""Unit 02: losses and their gradients, steps, batches, optimizers, and choosing a learning rate."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.gradient_descent.adam import ADAM
from dlcourse.checks.gradient_descent.batches import MINIBATCHES
from dlcourse.checks.gradient_descent.binary_entropy import BINARY_CROSS_ENTROPY
from dlcourse.checks.gradient_descent.choices import CURVES, LEARNING_RATE
from dlcourse.checks.gradient_descent.entropy import CROSS_ENTROPY
from dlcourse.checks.gradient_descent.momentum import MOMENTUM
from dlcourse.checks.gradient_descent.rmsprop import RMSPROP_REPAIR
from dlcourse.checks.gradient_descent.squared_error import MSE
from dlcourse.checks.gradient_descent.steps import GD_STEP

EXERCISES: tuple[Exercise, ...] = (
    MSE,
    GD_STEP,
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    MINIBATCHES,
    MOMENTUM,
    ADAM,
    RMSPROP_REPAIR,
    LEARNING_RATE,
    CURVES,
)
