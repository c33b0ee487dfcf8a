"""Unit 07: networks that know that what they see is an image."""

from __future__ import annotations

from dlcourse.checks.convolutional_networks.budget import DIGITS_BUDGET
from dlcourse.checks.convolutional_networks.columns import IM2COL
from dlcourse.checks.convolutional_networks.convolution import CONV2D
from dlcourse.checks.convolutional_networks.convolution_back import CONV2D_BACKWARD
from dlcourse.checks.convolutional_networks.counting import PARAMETERS
from dlcourse.checks.convolutional_networks.maps import FEATURE_MAPS
from dlcourse.checks.convolutional_networks.mending import MEND_THE_CNN
from dlcourse.checks.convolutional_networks.pooling import MAX_POOL2D
from dlcourse.checks.convolutional_networks.pooling_back import MAX_POOL2D_BACKWARD
from dlcourse.checks.convolutional_networks.sizes import OUTPUT_SIZE, RECEPTIVE_FIELD
from dlcourse.checks.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    OUTPUT_SIZE,
    PARAMETERS,
    IM2COL,
    CONV2D,
    CONV2D_BACKWARD,
    MAX_POOL2D,
    MAX_POOL2D_BACKWARD,
    RECEPTIVE_FIELD,
    MEND_THE_CNN,
    FEATURE_MAPS,
    DIGITS_BUDGET,
)
