"""A learning rate that warms up and then follows a cosine (Loshchilov & Hutter 2017, equation 5; Goyal et al. 2017 for the warm-up)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def cosine_lr(step: int, total_steps: int, warmup_steps: int, lr_max: float, lr_min: float) -> float:
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


def cosine_lr_by_squares(step: int, total_steps: int, warmup_steps: int, lr_max: float, lr_min: float) -> Any:
    if step <= warmup_steps and warmup_steps:
        return np.interp(step, [0, warmup_steps], [0.0, lr_max])
    half = math.pi / 2 * (step - warmup_steps) / (total_steps - warmup_steps)
    return lr_max * math.cos(half) ** 2 + lr_min * math.sin(half) ** 2


def cosine_lr_from_the_mean(step: int, total_steps: int, warmup_steps: int, lr_max: float, lr_min: float) -> Any:
    mean, swing = np.float64(lr_max + lr_min) / 2, (lr_max - lr_min) / 2
    after = max(step - warmup_steps, 0)
    rate = mean + swing * np.cos(after * np.pi / (total_steps - warmup_steps))
    return rate if step >= warmup_steps else rate * step / warmup_steps


def cosine_inputs(rng: np.random.Generator) -> list[Case]:
    def case(step: int, total: int, warmup: int, high: float, low: float, label: str = "") -> Case:
        return Case((step, total, warmup, high, low), label)

    return [
        case(6, 12, 4, 0.1, 0.02),
        case(3, 20, 5, 0.4, 0.1),
        case(9, 20, 5, 0.4, 0.1),
        case(17, 20, 5, 0.4, 0.1),
        case(2, 50, 10, 0.02, 0.001),
        case(31, 50, 10, 0.02, 0.001),
        case(45, 60, 12, 1.0, 0.3),
        case(70, 100, 20, 0.3, 0.05),
        case(0, 20, 5, 0.4, 0.1, "the first step"),
        case(1, 20, 5, 0.4, 0.1, "the second step"),
        case(5, 20, 5, 0.4, 0.1, "the end of the warm-up"),
        case(4, 20, 5, 0.4, 0.1, "the step before the warm-up ends"),
        case(20, 20, 5, 0.4, 0.1, "the last step"),
        case(19, 20, 5, 0.4, 0.1, "the step before the last"),
        case(0, 10, 0, 0.2, 0.01, "no warm-up"),
        case(3, 10, 0, 0.2, 0.01, "no warm-up"),
        case(10, 10, 0, 0.2, 0.01, "no warm-up"),
        case(7, 15, 3, 0.5, 0.0, "a lowest rate of 0"),
        case(2, 15, 3, 0.5, 0.0, "a lowest rate of 0"),
        case(1, 8, 1, 0.5, 0.1, "a warm-up of one step"),
    ]


def variant(
    warm: Callable[[int, int, float, float], Any] = lambda step, warmup, high, low: high * step / warmup,
    progress: Callable[[int, int, int], float] = lambda step, total, warmup: (step - warmup) / (total - warmup),
    curve: Callable[[float, float, float], float] = lambda t, high, low: (
        low + (high - low) * (1 + math.cos(math.pi * t)) / 2
    ),
    warming: Callable[[int, int], bool] = lambda step, warmup: step < warmup,
) -> Callable[..., Any]:
    """The schedule with one part exchanged."""

    def answer(step: int, total_steps: int, warmup_steps: int, lr_max: float, lr_min: float) -> Any:
        if warming(step, warmup_steps):
            return warm(step, warmup_steps, lr_max, lr_min)
        return curve(progress(step, total_steps, warmup_steps), lr_max, lr_min)

    return answer


def both_at_once(step: int, total_steps: int, warmup_steps: int, lr_max: float, lr_min: float) -> float:
    decayed = lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * step / total_steps)) / 2
    return decayed * min(1.0, step / warmup_steps) if warmup_steps else decayed


COSINE_LR = Exercise(
    id="training_deep_networks.cosine_lr",
    kind="function",
    title="Warm up, then follow a cosine",
    points=2,
    minutes=10,
    difficulty=2,
    function="cosine_lr",
    reference=cosine_lr,
    alternatives=(cosine_lr_by_squares, cosine_lr_from_the_mean),
    inputs=cosine_inputs,
    wrong=(
        Wrong(
            "no-warm-up",
            variant(warming=lambda step, warmup: False, progress=lambda step, total, warmup: step / total),
            "There is no warm-up: the rate starts at `lr_max` and follows a cosine over all steps. Where do the first `warmup_steps` steps begin and end?",
        ),
        Wrong(
            "warm-up-from-the-lowest",
            variant(warm=lambda step, warmup, high, low: low + (high - low) * step / warmup),
            "Your warm-up rises from `lr_min`. Behind the warm-up all is right. At which rate does the task begin, and is that the same as where it ends?",
        ),
        Wrong(
            "one-step-ahead",
            variant(warm=lambda step, warmup, high, low: high * (step + 1) / warmup),
            "Your warm-up is one step ahead: it takes step + 1, which many libraries do. What does the task want at step 0?",
        ),
        Wrong(
            "constant-warm-up",
            variant(warm=lambda step, warmup, high, low: low),
            "During the warm-up your rate stays at `lr_min`. Which shape does the task give it?",
        ),
        Wrong(
            "zero-in-the-warm-up",
            variant(warm=lambda step, warmup, high, low: high * (step // warmup)),
            "During the whole warm-up your rate is 0, and behind it all is right. Which kind of division gives a whole number?",
        ),
        Wrong(
            "cosine-over-all-steps",
            variant(progress=lambda step, total, warmup: step / total),
            "The warm-up is right, but the cosine has been running since step 0, so the rate jumps down where it takes over. At which step should the cosine be at its top?",
        ),
        Wrong(
            "cosine-before-its-start",
            variant(warming=lambda step, warmup: False),
            "Right from the end of the warm-up on. Before it, your cosine runs on to the left, where its progress is below 0. What should happen in the first `warmup_steps` steps?",
        ),
        Wrong(
            "warm-up-one-step-short",
            variant(warm=lambda step, warmup, high, low: high * step / (warmup - 1) if warmup > 1 else high),
            "Your warm-up reaches `lr_max` one step early, at `warmup_steps` - 1. At which step does the task want it?",
        ),
        Wrong(
            "one-outside-the-half",
            variant(curve=lambda t, high, low: low + (high - low) * math.cos(math.pi * t) / 2),
            "Half a cosine runs from ½ to -½, so your rate starts too low and ends below `lr_min`. What has to be added before the halving?",
        ),
        Wrong(
            "ends-too-late",
            variant(progress=lambda step, total, warmup: (step - warmup) / total),
            "The warm-up is right and the cosine begins at its top, but it does not arrive at `lr_min` at the last step. How many steps are left for it after the warm-up?",
        ),
        Wrong(
            "one-step-short",
            variant(progress=lambda step, total, warmup: (step - warmup) / (total - warmup - 1)),
            "The cosine arrives at the bottom one step early, at `total_steps` - 1. At which step does the task want `lr_min`?",
        ),
        Wrong(
            "warm-up-and-cosine-multiplied",
            both_at_once,
            "Your cosine runs from step 0, and the warm-up multiplies it, so `lr_max` is never reached. Should the two follow each other or act together?",
        ),
        Wrong(
            "minimum-ignored",
            variant(curve=lambda t, high, low: high * (1 + math.cos(math.pi * t)) / 2),
            "Your cosine goes down to 0 and not to `lr_min`. Between which two rates does it swing?",
        ),
        Wrong(
            "minimum-added",
            variant(curve=lambda t, high, low: low + high * (1 + math.cos(math.pi * t)) / 2),
            "Your cosine goes from `lr_max` + `lr_min` down to `lr_min`: the low rate is added, but the swing was not made smaller. How far is it from top to bottom?",
        ),
        Wrong(
            "floor",
            variant(curve=lambda t, high, low: max(low, high * (1 + math.cos(math.pi * t)) / 2)),
            "Your cosine goes toward 0 and is cut off at `lr_min`. The task wants a curve that comes to rest exactly at `lr_min`: between which two rates does it swing?",
        ),
        Wrong(
            "half-forgotten",
            variant(curve=lambda t, high, low: low + (high - low) * (1 + math.cos(math.pi * t))),
            "Your cosine starts too high: 1 + cos runs from 2 to 0. Which factor makes that 1 to 0?",
        ),
        Wrong(
            "plain-cosine",
            variant(curve=lambda t, high, low: low + (high - low) * math.cos(math.pi * t)),
            "cos(π·t) runs from 1 to -1, so your rate falls below `lr_min`, perhaps below 0. How do you turn 1 to -1 into 1 to 0?",
        ),
        Wrong(
            "quarter-of-a-wave",
            variant(curve=lambda t, high, low: low + (high - low) * math.cos(math.pi / 2 * t)),
            "You use a quarter of a wave, from 1 to 0: it begins right and ends right, but falls fastest at the end. Which part of the wave is flat at both ends?",
        ),
        Wrong(
            "whole-wave",
            variant(curve=lambda t, high, low: low + (high - low) * (1 + math.cos(2 * math.pi * t)) / 2),
            "Your curve has gone down and up again by the last step: that is a whole wave. How much of a wave lies between top and bottom?",
        ),
        Wrong(
            "upside-down",
            variant(curve=lambda t, high, low: low + (high - low) * (1 - math.cos(math.pi * t)) / 2),
            "Behind the warm-up your rate rises from `lr_min` to `lr_max`. At which end should the cosine begin?",
        ),
        Wrong(
            "straight-line",
            variant(curve=lambda t, high, low: high + (low - high) * t),
            "The warm-up is right, and then the rate falls along a straight line. That is a schedule, too, but which curve does the task ask for?",
        ),
        Wrong(
            "degrees",
            variant(curve=lambda t, high, low: low + (high - low) * (1 + math.cos(180 * t)) / 2),
            "Your cosine is given degrees. In which unit does `cos` measure an angle, and how large is half a turn in it?",
        ),
        Wrong(
            "no-warm-up-crashes",
            variant(warming=lambda step, warmup: step <= warmup),
            "With `warmup_steps=0` your code divides 0 by 0 at step 0. Which steps belong to the warm-up when it has none, and what does `<` do that `<=` does not?",
        ),
        Wrong(
            "pi-forgotten",
            variant(curve=lambda t, high, low: low + (high - low) * (1 + math.cos(t)) / 2),
            "Your cosine is given a number that runs from 0 to 1, so at the last step it has not come far down. How long is half a wave in radians?",
        ),
        Wrong(
            "warm-up-with-one-more",
            variant(warm=lambda step, warmup, high, low: high * (step + 1) / (warmup + 1)),
            "Your warm-up takes step + 1 out of `warmup_steps` + 1, so step 0 is already above 0. Which rate does the task want there?",
        ),
        Wrong(
            "warm-up-at-the-top",
            variant(warm=lambda step, warmup, high, low: high),
            "During the warm-up your rate is already `lr_max`; behind it all is right. From where to where should it rise first?",
        ),
        Wrong(
            "warm-up-not-subtracted",
            variant(progress=lambda step, total, warmup: step / (total - warmup)),
            "The length of your half wave is right, but it is measured from step 0, so it has already begun where the warm-up ends. How many steps lie behind the warm-up at step `warmup_steps`?",
        ),
        Wrong(
            "cosine-alone-halved",
            variant(curve=lambda t, high, low: low + (high - low) * (1 + math.cos(math.pi * t) / 2)),
            "You halve the cosine, but not the 1 beside it, so your rate begins above `lr_max` and ends above `lr_min`. What does the division by 2 apply to?",
        ),
        Wrong(
            "sum-for-difference",
            variant(curve=lambda t, high, low: (high + low) / 2 * (1 + math.cos(math.pi * t))),
            "Your cosine falls from `lr_max` + `lr_min` to 0: half the *sum* of the two rates multiplies 1 + cos. With which rates should it begin and end?",
        ),
        Wrong(
            "cosine-one-step-ahead",
            variant(progress=lambda step, total, warmup: (step + 1 - warmup) / (total - warmup)),
            "Your cosine is one step ahead: it counts step + 1, so at the end of the warm-up it has already left its top. Which progress belongs to step `warmup_steps`?",
        ),
    ),
    hints=(
        "Two pieces: one for steps before `warmup_steps`, one from there on. At the seam both give `lr_max`.",
        "Behind the warm-up, measure the progress t from 0 to 1: steps since the warm-up, divided by the steps that are left for the cosine. (1 + cos πt) / 2 then falls from 1 to 0.",
        "`lr_max * step / warmup_steps` while `step < warmup_steps`; then `lr_min + (lr_max - lr_min) * (1 + cos(pi * t)) / 2`.",
    ),
    unlocks="You have the schedule that most networks of the last years were trained with.",
)  # fmt: skip
