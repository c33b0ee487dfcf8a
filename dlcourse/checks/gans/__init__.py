"""Unit 14: two networks that play against each other, and how to tell what came of it."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.gans.coverage import MODE_COVERAGE
from dlcourse.checks.gans.cycle import CYCLE_LOSS
from dlcourse.checks.gans.decibels import PSNR
from dlcourse.checks.gans.distance import FRECHET_DISTANCE
from dlcourse.checks.gans.losses import DISCRIMINATOR_LOSS
from dlcourse.checks.gans.optimal import OPTIMAL_DISCRIMINATOR
from dlcourse.checks.gans.penalty import GRADIENT_PENALTY
from dlcourse.checks.gans.records import DIAGNOSE
from dlcourse.checks.gans.rescue import RESCUE
from dlcourse.checks.gans.saturation import GENERATOR_LOSS
from dlcourse.checks.gans.spectral import SPECTRAL_NORM
from dlcourse.checks.gans.stepping import TRAIN_STEP

EXERCISES: tuple[Exercise, ...] = (
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    OPTIMAL_DISCRIMINATOR,
    TRAIN_STEP,
    GRADIENT_PENALTY,
    SPECTRAL_NORM,
    MODE_COVERAGE,
    CYCLE_LOSS,
    PSNR,
    FRECHET_DISTANCE,
    DIAGNOSE,
    RESCUE,
)
