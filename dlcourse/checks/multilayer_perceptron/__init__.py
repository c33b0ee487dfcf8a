"""Unit 04: classes as rows, forward and back through any depth, how to start, a loop to mend, a network that reads."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.multilayer_perceptron.backward import MLP_BACKWARD
from dlcourse.checks.multilayer_perceptron.confusion import CONFUSION_MATRIX
from dlcourse.checks.multilayer_perceptron.digits import DIGITS_NETWORK
from dlcourse.checks.multilayer_perceptron.forward import MLP_FORWARD
from dlcourse.checks.multilayer_perceptron.initialization import HE_INIT, SIGNAL
from dlcourse.checks.multilayer_perceptron.labels import ACCURACY, ONE_HOT
from dlcourse.checks.multilayer_perceptron.training import TRAIN_EPOCH

EXERCISES: tuple[Exercise, ...] = (
    ONE_HOT,
    ACCURACY,
    MLP_FORWARD,
    MLP_BACKWARD,
    HE_INIT,
    CONFUSION_MATRIX,
    TRAIN_EPOCH,
    SIGNAL,
    DIGITS_NETWORK,
)
