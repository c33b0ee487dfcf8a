"""The exercise on dropout, judged by what must be true of its draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.training_deep_networks.dropping_answers import (
    divided_by_p,
    dropout,
    dropout_by_choice,
    dropout_entry_by_entry,
    drops_in_eval,
    fixed_number,
    fixed_number_a_row,
    flag_reversed,
    global_randomness,
    half,
    in_place,
    keeps_with_p,
    mask_alone,
    mask_in_training,
    mask_too,
    measured_share,
    never_drops,
    normal_threshold,
    not_scaled,
    one_decision,
    own_seed,
    p_is_the_keep_probability,
    removed,
    scaled_down,
    scaled_in_both,
    scaled_in_eval,
    scaled_up_in_eval,
    whole_columns,
    whole_rows,
)
from dlcourse.drivers import Case, Rng

Array = NDArray[np.float64]
Generator = np.random.Generator


def dropout_inputs(rng: Generator) -> list[Case]:
    def case(shape: tuple[int, ...], p: float, training: bool, label: str = "") -> Case:
        return Case((rng.normal(size=shape).round(3) + 0.0005, p, Rng(int(rng.integers(10_000))), training), label)

    zeros = rng.normal(size=(4, 5)) * (np.arange(20).reshape(4, 5) % 3 > 0)
    return [
        case((3, 6), 0.3, True),
        case((50, 200), 0.3, True),
        case((200, 60), 0.15, True),
        case((4, 5), 0.4, False),
        case((100, 100), 0.8, True, "most units dropped"),
        case((5, 4), 0.0, True, "p = 0"),
        case((7,), 0.25, True, "a single axis"),
        case((2, 3, 4), 0.25, True, "three axes"),
        case((1, 5), 0.25, False, "one example in eval"),
        Case((zeros, 0.3, Rng(int(rng.integers(10_000))), True), "entries that are 0 already"),
    ]


SHAPE, FLOATS, KEPT, EVAL, SHARE, TOGETHER, SOURCE = (
    "the shape of the result",
    "the result holds floats",
    "what becomes of entries that are kept",
    "the result in eval",
    "the share of entries that are dropped",
    "what is dropped together",
    "the random numbers",
)
LARGE = 5_000  # from so many entries on, a share within 0.03 is six standard deviations


def dropout_facts(case: Case, value: Any) -> dict[str, Any]:
    x, p, _, training = case.args
    second = isinstance(value[0], tuple) and len(value[0]) == 2 and np.shape(value[0][0]) == x.shape
    draws = [np.asarray(draw[0] if second else draw) for draw in value]
    first, replay, other, *later = draws
    facts: dict[str, Any] = {
        SHAPE: "that of x" if first.shape == x.shape else str(first.shape),
        FLOATS: first.dtype.kind == "f",
    }
    if second:
        facts[SHAPE] = "that of x, but there is a second result"
    if second or first.shape != x.shape:
        return {
            **facts,
            **dict.fromkeys(
                [EVAL] if not training else [KEPT, *[SHARE, TOGETHER] * (x.size > LARGE), SOURCE], "not looked at"
            ),
        }
    if not training:
        return {**facts, EVAL: _in_eval(x, p, first)}
    facts[KEPT] = _kept(x, p, first)
    if x.size > LARGE:
        facts[SHARE] = _share(p, float(np.mean(first == 0)))
        facts[TOGETHER] = _together([draw == 0 for draw in draws])
    facts[SOURCE] = _source(first, replay, other, later[0], x.size > LARGE)
    return facts


def _in_eval(x: Array, p: float, out: Array) -> str:
    if np.allclose(out, x):
        return "x as it came"
    if np.any((out == 0) & (x != 0)):
        return "some entries are 0"
    factors = {"x · (1 - p)": 1 - p, "x / (1 - p)": 1 / (1 - p), "x · p": p}
    return next((name for name, factor in factors.items() if np.allclose(out, factor * x)), "something else")


def _kept(x: Array, p: float, out: Array) -> str:
    if not np.isfinite(out).all():
        return "not finite"
    kept = (out != 0) & (x != 0)
    if np.any(out[x == 0]):
        return "entries of 0 change"
    if not kept.any():
        return "x / (1 - p)"
    factor = out[kept] / x[kept]
    if np.ptp(factor) > 1e-4 * abs(factor[0]):
        return "by different factors"
    names = {
        "x / (1 - p)": 1 / (1 - p),
        "x": 1.0,
        "x · (1 - p)": 1 - p,
        "x / p": 1 / p if p else np.inf,
        "x · p": p,
        "x / (share kept in this draw)": np.count_nonzero(x) / kept.sum(),
        "x / √(1 - p)": (1 - p) ** -0.5,
    }
    return next((name for name, of in names.items() if abs(factor[0] - of) <= 1e-4 * abs(of)), "another factor")


def _share(p: float, share: float) -> str:
    names = {"p": p, "1 - p": 1 - p, "none": 0.0, "all": 1.0, "half": 0.5}
    name = min(names, key=lambda name: abs(names[name] - share))
    return name if abs(names[name] - share) < 0.03 else "another share"


def _together(zeros: list[NDArray[np.bool_]]) -> str:
    first = zeros[0]
    if not first.any() or first.all():
        decided = {bool(mask.all()) for mask in zeros if mask.all() or not mask.any()}
        return "all entries at once" if len(decided) == 2 else "nothing"
    if (first == first[:1]).all():
        return "whole columns"
    if (first == first[:, :1]).all():
        return "whole rows"
    if np.ptp(first.sum(axis=1)) == 0:
        return "the same number in each row"
    same_number = len({int(mask.sum()) for mask in zeros if mask.shape == first.shape}) == 1
    different = any((mask != first).any() for mask in zeros if mask.shape == first.shape)
    return "the same number each time" if same_number and different else "nothing"


def _source(first: Array, replay: Array, other: Array, second: Array, large: bool) -> str:
    if not np.array_equal(first, replay):
        return "not from `rng` alone"
    if large and np.any(first == 0):
        if np.array_equal(first, other):
            return "the same at every call"
        if np.array_equal(first, second):
            return "`rng` started anew at every call"
    return "drawn from `rng`"


DROPOUT = Exercise(
    id="training_deep_networks.dropout",
    kind="function",
    title="Inverted dropout",
    points=2,
    minutes=10,
    difficulty=1,
    function="dropout",
    reference=dropout,
    alternatives=(dropout_by_choice, dropout_entry_by_entry),
    inputs=dropout_inputs,
    driver="drops",
    facts=dropout_facts,
    wrong=(
        Wrong(
            "not-scaled",
            not_scaled,
            "The entries that are kept stay as they are, so in training the next layer gets less in total than in eval. By which factor, on average, and how do you make up for it?",
        ),
        Wrong(
            "scaled-in-eval",
            scaled_in_eval,
            "You scale in eval and not in training. That is dropout as it was first published; *inverted* dropout leaves eval alone. In which mode does the scaling belong then?",
        ),
        Wrong(
            "scaled-in-both",
            scaled_in_both,
            "Training is right. In eval you multiply by 1 - p as well, but the scaling in training has already made up for the missing entries. What is left to do in eval?",
        ),
        Wrong(
            "scaled-up-in-eval",
            scaled_up_in_eval,
            "Training is right. In eval you divide by 1 - p as well, though nothing is missing there. What is left to do in eval?",
        ),
        Wrong(
            "mask-handed-back-too",
            mask_too,
            "You hand back something beside the result, such as its mask. A layer's backward pass could use that; what does this task ask for?",
        ),
        Wrong(
            "scaled-down",
            scaled_down,
            "The kept entries are multiplied by 1 - p, which makes them smaller still. What must the few that are left do so that the mean stays what it was?",
        ),
        Wrong(
            "divided-by-p",
            divided_by_p,
            "The kept entries are divided by p. What share of the entries is kept?",
        ),
        Wrong(
            "keeps-with-p",
            keeps_with_p,
            "You keep an entry with probability p and scale as if you dropped it with p. Which comparison decides, and which way round is it?",
        ),
        Wrong(
            "p-is-the-keep-probability",
            p_is_the_keep_probability,
            "You treat p as the probability of being *kept*, consistently. Some papers do. What does p stand for in this task, and in PyTorch?",
        ),
        Wrong(
            "drops-in-eval",
            drops_in_eval,
            "You drop entries in eval, too, so predictions change from call to call. What does the flag `training` decide?",
        ),
        Wrong(
            "flag-reversed",
            flag_reversed,
            "In training you do nothing, and in eval you drop. Which way round is your `if`?",
        ),
        Wrong(
            "never-drops",
            never_drops,
            "No entry is dropped, in training neither. What should happen to a share p of them?",
        ),
        Wrong(
            "whole-columns",
            whole_columns,
            "All examples lose the same features: your mask has one number for each column. How many independent decisions does an (N, D) array need?",
        ),
        Wrong(
            "whole-rows",
            whole_rows,
            "Whole examples are dropped: your mask has one number for each row. How many independent decisions does an (N, D) array need?",
        ),
        Wrong(
            "fixed-number",
            fixed_number,
            "You drop exactly the same number of entries at each call. Each entry should be decided on its own, so that the number varies a little. Which comparison decides one entry?",
        ),
        Wrong(
            "fixed-number-in-each-row",
            fixed_number_a_row,
            "Each row loses exactly the same number of entries. Each entry should be decided on its own, so that the number varies a little. Which comparison decides one entry?",
        ),
        Wrong(
            "share-measured",
            measured_share,
            "You divide by the share that happened to be kept in this draw. Then one entry's fate changes all the others' values. Which fixed number does the task divide by?",
        ),
        Wrong(
            "always-a-half",
            half,
            "Half of the entries are dropped, whatever p is. With which number do you compare the random ones?",
        ),
        Wrong(
            "mask-alone",
            mask_alone,
            "What you hand back in training is the mask, with no x in it. What is the mask for?",
        ),
        Wrong(
            "entries-removed",
            removed,
            "The dropped entries are taken out, so the shape is lost. What should stand in their places?",
        ),
        Wrong(
            "normal-numbers",
            normal_threshold,
            "The share that is dropped is neither p nor 1 - p. Are your random numbers uniform between 0 and 1, so that a share p of them lies below p?",
        ),
        Wrong(
            "own-seed",
            own_seed,
            "The same entries are dropped at every call, whichever `rng` comes in, so these units are never trained. Where should the random numbers come from?",
        ),
        Wrong(
            "global-randomness",
            global_randomness,
            "The draws do not come from `rng`: the same generator, started anew, gives others, so no run can be repeated. Which of your arguments can draw?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The numbers are right, but x was overwritten, and the way back may still need it. What is the difference between `x *= mask` and `x * mask`?",
        ),
        Wrong(
            "one-decision-for-all",
            one_decision,
            "Either every entry is dropped or none is: you draw a single random number for the whole array. How many independent decisions does it need?",
        ),
        Wrong(
            "mask-handed-back-in-training",
            mask_in_training,
            "In training you hand back something beside the result, such as its mask; in eval the result alone. What does this task ask for in both?",
        ),
    ),
    hints=(
        "In eval there is nothing to do. In training draw one random number for each entry, of the same shape as x.",
        "A number that is uniform between 0 and 1 lies below p with probability p: those entries become 0. The others are made larger, so that the mean stays the same on average.",
        "`mask = rng.random(x.shape) >= p`, then x times the mask, divided by 1 - p.",
    ),
    unlocks="You can now forget at random, and remember on average.",
)  # fmt: skip
