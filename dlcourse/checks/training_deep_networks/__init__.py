"""Unit 05: what keeps deep networks in training, and what keeps them from learning by heart."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.training_deep_networks.batch_norm import BATCH_NORM
from dlcourse.checks.training_deep_networks.batch_norm_back import BATCH_NORM_BACKWARD
from dlcourse.checks.training_deep_networks.blocks import RESIDUAL_BLOCK
from dlcourse.checks.training_deep_networks.clipping import CLIP_BY_NORM
from dlcourse.checks.training_deep_networks.diagnosis import DIAGNOSE, WHICH_CURVE
from dlcourse.checks.training_deep_networks.dropping import DROPOUT
from dlcourse.checks.training_deep_networks.layer_norm import LAYER_NORM
from dlcourse.checks.training_deep_networks.loops import TRAIN_WITH_VALIDATION
from dlcourse.checks.training_deep_networks.regularization import REGULARIZATION
from dlcourse.checks.training_deep_networks.schedules import COSINE_LR
from dlcourse.checks.training_deep_networks.stopping import EARLY_STOPPING
from dlcourse.checks.training_deep_networks.weight_decay import ADAMW

EXERCISES: tuple[Exercise, ...] = (
    DROPOUT,
    ADAMW,
    BATCH_NORM,
    BATCH_NORM_BACKWARD,
    EARLY_STOPPING,
    COSINE_LR,
    CLIP_BY_NORM,
    RESIDUAL_BLOCK,
    LAYER_NORM,
    TRAIN_WITH_VALIDATION,
    DIAGNOSE,
    REGULARIZATION,
    WHICH_CURVE,
)
