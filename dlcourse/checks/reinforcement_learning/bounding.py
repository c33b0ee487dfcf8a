"""UCB1 (Auer, Cesa-Bianchi & Fischer 2002): of all arms, play the one that could be the best."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case
from dlcourse.drivers.exploration import WHOLE, form_of_action

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def ucb(values: Array, counts: Counts, t: int, c: float) -> int:
    untried = np.flatnonzero(counts == 0)
    if untried.size:
        return int(untried[0])
    return int(np.argmax(values + c * np.sqrt(np.log(t) / counts)))


def ucb_by_infinity(values: Array, counts: Counts, t: int, c: float) -> Any:
    scores = np.full(len(values), np.inf)
    tried = counts > 0
    scores[tried] = values[tried] + c * np.sqrt(np.log(t) / counts[tried])
    return scores.argmax()


def ucb_by_loop(values: Array, counts: Counts, t: int, c: float) -> int:
    best, choice = -math.inf, 0
    for k, (value, n) in enumerate(zip(values.tolist(), counts.tolist(), strict=True)):
        if n == 0:
            return k
        score = value + c * math.sqrt(math.log(t)) / math.sqrt(n)
        if score > best:
            best, choice = score, k
    return choice


def ucb_inputs(rng: np.random.Generator) -> list[Case]:
    def case(counts: Any, values: Any, c: float, label: str = "") -> Case:
        counts = np.asarray(counts)
        return Case((np.asarray(values, float), counts, int(counts.sum()) + 1, c), label)

    def close_call(A: int, most: int, c: float, gap: float, label: str = "", shift: float = 0.0) -> Case:
        """Arms whose right scores lie ``gap`` and more apart: whatever bonus is a little off, another arm wins."""
        counts = np.geomspace(1, most, A).round().astype(int) + np.arange(A) // 2
        bonus = c * np.sqrt(np.log(counts.sum() + 1) / counts)
        behind = np.concatenate([[0.0], np.geomspace(gap, 40 * gap, A - 1)]) * rng.uniform(0.8, 1.2, A)
        order = rng.permutation(A)
        values = np.round(3 + shift - rng.permutation(behind) - bonus, 4)
        return case(counts[order], values[order], c, label)

    def some_untried(A: int, untried: list[int], c: float, label: str, scale: float = 1.0) -> Case:
        counts = rng.integers(1, 6, A)
        counts[untried] = 0
        return case(counts, np.where(counts > 0, scale * (rng.normal(size=A) + 1).round(2), 0.0), c, label)

    fresh = "untried arms"
    sizes, widths = ((5, 30), (8, 60), (10, 100), (12, 400), (10, 2000)), (0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 1.0)
    tight = [(A, most, c, c * gap) for A, most in sizes for c in (0.5, 1.6) for gap in widths]
    early = [(A, 3, c, gap) for A in (3, 4) for c in (2.0, 3.0) for gap in (0.004, 0.008, 0.012, 0.02, 0.1, 0.3)]
    return [
        case([10, 2, 4, 30], [0.5, 0.1, 0.3, 0.7], 0.5),
        *(close_call(*settings) for settings in (*tight, *early)),
        close_call(5, 40, 1.0, 0.05, "c = 1"),
        close_call(6, 40, 0.8, 0.1, "values below 0", shift=-9.0),
        close_call(6, 40, 0.0, 0.1, "c = 0"),
        close_call(6, 40, 2.0, 0.1, "large values", shift=1e4),
        case([0, 0, 0], np.zeros(3), 2.0, "the first step"),
        case([3, 0, 2, 1], [3.5, 0.0, 2.4, 2.9], 0.7, fresh),
        case([4, 3, 0, 3], [0.1, 0.2, 0.0, -0.1], 2.0, fresh),
        case([2, 3, 2, 0, 0], [-6.2, -5.1, -7.3, 0.0, 0.0], 1.0, fresh),
        case([2, 0, 0, 1], [0.6, 0.0, 0.0, 1.4], 0.7, fresh),
        case([3, 1, 0, 2], [0.0, 0.4, 0.0, -0.2], 1.0, fresh),
        case([4, 2, 3], [0.0, 0.7, 0.2], 0.5, "a mean of 0"),
        case([0, 1, 1, 0], [0.0, 0.4, 1.3, 0.0], 2.0, fresh),
        some_untried(5, [3], 2.0, fresh),
        some_untried(6, [2, 5], 1.0, fresh),
        some_untried(4, [1], 0.0, "an untried arm, and c = 0"),
        some_untried(5, [4], 0.01, "an untried arm, and large values", scale=1e4),
        case([7], [0.3], 2.0, "one arm"),
    ]


FORM, CHOICE = "the form of the result", "the arm"


def ucb_facts(case: Case, value: Any) -> dict[str, Any]:
    values, counts, t, c = case.args
    form = form_of_action(value, len(values))
    if form != WHOLE:
        return {FORM: form, CHOICE: "not looked at"}
    scores = np.where(counts > 0, values + c * np.sqrt(np.log(t) / np.maximum(counts, 1)), np.inf)
    best = np.flatnonzero(scores == scores.max()).tolist()
    said = f"{best[0]}" if len(best) == 1 else f"one of {best}"
    return {FORM: form, CHOICE: said if int(value) in best else f"{int(value)}"}


def arm(
    bonus: Callable[[Array, float, float], Any] = lambda n, t, c: c * np.sqrt(np.log(t) / n),
    score: Callable[[Array, Any, Array], Any] = lambda values, bonus, n: values + bonus,
    choose: Callable[[Any], Any] = np.argmax,
    fresh: Callable[[Any, Counts], Any] = lambda score, counts: np.where(counts == 0, np.inf, score),
    counted: Callable[[Counts], Any] = lambda counts: np.maximum(counts, 1),
    time: Callable[[int], float] = lambda t: t,
    handed: Callable[[int, Any, Array], Any] = lambda k, scores, values: k,
) -> Callable[..., Any]:
    """The choice with one part exchanged."""

    def answer(values: Array, counts: Counts, t: int, c: float) -> Any:
        n = counted(counts)
        with np.errstate(all="ignore"):
            scores = fresh(score(values, bonus(n, time(t), c), n), counts)
        return handed(int(choose(scores)), scores, values)

    return answer


def in_turn(values: Array, counts: Counts, t: int, c: float) -> Any:
    return t - 1 if t <= len(values) else ucb(values, counts, t, c)


def untried_at_random(values: Array, counts: Counts, t: int, c: float) -> Any:
    return np.flatnonzero(counts == 0) if (counts == 0).any() else ucb(values, counts, t, c)


def untried_by_value(values: Array, counts: Counts, t: int, c: float) -> Any:
    zeros = np.flatnonzero(values == 0)
    return int(zeros[0]) if zeros.size else ucb(values, counts, t, c)


def untried_at_first(values: Array, counts: Counts, t: int, c: float) -> Any:
    return int(counts.argmin()) if t <= len(values) else arm(fresh=lambda score, counts: score)(values, counts, t, c)


def counting(values: Array, counts: Counts, t: int, c: float) -> Any:
    k = ucb(values, counts, t, c)
    counts[k] += 1
    return k


WHICH = "Which share of the formula grows while an arm is *not* played, and which shrinks when it is?"


UCB = Exercise(
    id="reinforcement_learning.ucb",
    kind="function",
    title="The arm that could be the best",
    points=2,
    minutes=12,
    difficulty=2,
    function="ucb",
    reference=ucb,
    alternatives=(ucb_by_infinity, ucb_by_loop),
    inputs=ucb_inputs,
    facts=ucb_facts,
    returns=("the arm's index, a whole number",),
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "logarithm-of-the-counts",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(n) / n)),
            f"Your logarithm is that of the arm's own count, not of the step: an arm tried once gets no bonus at all. {WHICH}",
        ),
        Wrong(
            "counts-and-step-exchanged",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(n) / t)),
            f"Count and step stand in each other's place: your bonus grows with each play of the arm. {WHICH}",
        ),
        Wrong(
            "fraction-upside-down",
            arm(bonus=lambda n, t, c: c * np.sqrt(n / np.log(np.maximum(t, 2)))),
            f"Your fraction stands upside down: the more often an arm was played, the larger its bonus. {WHICH}",
        ),
        Wrong(
            "without-logarithm",
            arm(bonus=lambda n, t, c: c * np.sqrt(t / n)),
            "There is no logarithm of the step, so the bonus grows so fast that the arms are explored for ever. How much more should be explored after 1,000 steps than after 100?",
        ),
        Wrong(
            "without-the-step",
            arm(bonus=lambda n, t, c: c * np.sqrt(1 / n)),
            "The step `t` has no effect: the bonus is c / √count. Should an arm that looked bad be tried again some day?",
        ),
        Wrong(
            "without-root",
            arm(bonus=lambda n, t, c: c * np.log(t) / n),
            "There is no square root. How does the uncertainty of a mean fall with the number of plays: like 1 / n, or more slowly?",
        ),
        Wrong(
            "root-of-the-logarithm-alone",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(t)) / n),
            "Your root covers the logarithm alone, and the count stands outside of it. How far does the formula's root reach?",
        ),
        Wrong(
            "root-of-the-count-alone",
            arm(bonus=lambda n, t, c: c * np.log(t) / np.sqrt(n)),
            "Your root covers the count alone, and the logarithm stands outside of it. How far does the formula's root reach?",
        ),
        Wrong(
            "c-under-the-root",
            arm(bonus=lambda n, t, c: np.sqrt(c * np.log(t) / n)),
            "`c` stands under the root with you. Where does the formula have it?",
        ),
        Wrong(
            "c-ignored",
            arm(bonus=lambda n, t, c: np.sqrt(np.log(t) / n)),
            "`c` has no effect, it counts as 1. What should a larger `c` do?",
        ),
        Wrong(
            "two-under-the-root",
            arm(bonus=lambda n, t, c: c * np.sqrt(2 * np.log(t) / n)),
            "There is a 2 under your root, as in the first paper, which has no `c`. Does this task's formula have it?",
        ),
        Wrong(
            "logarithm-to-base-two",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log2(t) / n)),
            "Your logarithm has base 2. Which is meant by ln?",
        ),
        Wrong(
            "logarithm-to-base-ten",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log10(t) / n)),
            "Your logarithm has base 10. Which is meant by ln?",
        ),
        Wrong(
            "logarithm-of-one-more",
            arm(time=lambda t: t + 1),
            "You take the logarithm of t + 1. From which number does the task count the steps, and is there a danger in its logarithm?",
        ),
        Wrong(
            "logarithm-of-one-less",
            arm(time=lambda t: max(t - 1, 1)),
            "You take the logarithm of t - 1, the number of plays so far. What does the task call `t`?",
        ),
        Wrong(
            "logarithm-of-the-arms",
            lambda values, counts, t, c: arm(time=lambda t: len(values))(values, counts, t, c),
            "You take the logarithm of the number of *arms*. What should make the bonus of an arm grow that is not played?",
        ),
        Wrong(
            "logarithm-of-the-largest-count",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(n.max()) / n)),
            "You take the logarithm of the largest count. Of which number does the formula take it?",
        ),
        Wrong(
            "logarithm-of-the-fraction",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(t / n))),
            "Your logarithm is that of the whole fraction, t / count. How far does the formula's ln reach?",
        ),
        Wrong(
            "fraction-cut-off",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(t) // n)),
            "The fraction under your root loses its decimals, so that arms played a few times get no bonus at all. Which of Python's divisions is `//`?",
        ),
        Wrong(
            "without-bonus",
            arm(bonus=lambda n, t, c: 0.0),
            "Once all arms are tried, you always play the one with the largest value. How would you find out that another is better, which was unlucky at first?",
        ),
        Wrong(
            "bonus-alone",
            arm(score=lambda values, bonus, n: bonus),
            "Your score is the bonus alone, so the arm that was played least comes next, however bad. What have you learned of the arms so far?",
        ),
        Wrong(
            "bonus-subtracted",
            arm(score=lambda values, bonus, n: values - bonus),
            "You subtract the bonus: that is a lower bound, and it shuns arms that are little known. How good could an arm be at best?",
        ),
        Wrong(
            "bonus-multiplied",
            arm(score=lambda values, bonus, n: values * bonus),
            "You multiply value and bonus, so a value of 0 or less gets nothing from its uncertainty. How good could an arm be at best?",
        ),
        Wrong(
            "bonus-as-a-share",
            arm(score=lambda values, bonus, n: values * (1 + bonus)),
            "Your bonus is a share of the value: a bad arm gets hardly any, and one below 0 even loses by it. Does what an arm could be hiding depend on what it gave so far?",
        ),
        Wrong(
            "size-of-the-values",
            arm(score=lambda values, bonus, n: np.abs(values) + bonus),
            "Right while no value is below 0. You take the *size* of each, its sign forgotten. Which is better: -3 or 1?",
        ),
        Wrong(
            "values-as-sums",
            arm(score=lambda values, bonus, n: values / n + bonus),
            "You divide `values` by the counts. They are means already: what does the task say of them?",
        ),
        Wrong(
            "values-times-counts",
            arm(score=lambda values, bonus, n: values * n + bonus),
            "You multiply `values` by the counts, as if sums were to be compared. Which arm looks best then, whatever its mean?",
        ),
        Wrong(
            "smallest-score",
            arm(choose=np.argmin),
            "You choose the *smallest* score. Which end of the list is the arm that could be the best?",
        ),
        Wrong(
            "most-played",
            arm(score=lambda values, bonus, n: n),
            "You choose the arm that was played most often. What does that say about the others?",
        ),
        Wrong(
            "one-added-to-the-counts",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(t) / (n + 1)), counted=lambda counts: counts, fresh=lambda score, counts: score),
            "You divide by the count plus 1, against a division by 0, and every arm's bonus gets smaller. What does the task say about arms that have not been tried?",
        ),
        Wrong(
            "one-added-to-every-count",
            arm(bonus=lambda n, t, c: c * np.sqrt(np.log(t) / (n + 1))),
            "You divide by the count plus 1, though untried arms are taken care of, and every arm's bonus gets smaller. By what does the formula divide?",
        ),
        Wrong(
            "predictor-form",
            arm(bonus=lambda n, t, c: c * np.sqrt(t) / (1 + n)),
            "Your bonus is c √t / (1 + count), as programs for board games have it. Which does this task ask for?",
        ),
        Wrong(
            "hoeffding",
            arm(bonus=lambda n, t, c: np.sqrt(np.log(t) / (2 * n)) * c),
            "There is a 2 in your denominator. Does this task's formula have it?",
        ),
        Wrong(
            "untried-counted-as-one",
            arm(fresh=lambda score, counts: score),
            "Right once every arm has been tried. Before that, you treat an untried arm as if it had been played once, with a reward of 0. What does the task say about it?",
        ),
        Wrong(
            "untried-without-bonus",
            arm(fresh=lambda score, counts: np.where(counts == 0, 0.0, score)),
            "Right once every arm has been tried. Before that, an untried arm gets a score of 0. How good could it be at best?",
        ),
        Wrong(
            "untried-never",
            arm(fresh=lambda score, counts: np.where(counts == 0, -np.inf, score)),
            "Right once every arm has been tried, which with your function never happens: untried arms come last. How good could such an arm be at best?",
        ),
        Wrong(
            "small-number-for-the-count",
            arm(counted=lambda counts: np.maximum(counts, 1e-9), fresh=lambda score, counts: score),
            "Right, mostly. A tiny number in place of a count of 0 gives an untried arm a large bonus, but with a small `c` or large values not large enough. Can you tell untried arms apart without dividing?",
        ),
        Wrong(
            "untried-gets-a-thousand",
            arm(fresh=lambda score, counts: np.where(counts == 0, 1000.0, score)),
            "Right while values are not large. An untried arm gets a large number for its score, but some values are larger still. What is larger than any number?",
        ),
        Wrong(
            "value-of-zero-for-untried",
            untried_by_value,
            "You take an arm for untried if its *value* is 0. Can the mean of some rewards be 0? And where does it stand how often an arm was played?",
        ),
        Wrong(
            "untried-in-the-first-steps-only",
            untried_at_first,
            "Right in the first steps, as many as there are arms. After that, you do not ask any more whether an arm was tried, and treat one that was not as if it had been played once, with a reward of 0. Which argument says what was tried?",
        ),
        Wrong(
            "in-turn",
            in_turn,
            "Right if the arms are tried in the order of their numbers. In the first steps you play arm t - 1, whether it was tried or not. Which argument says what was tried?",
        ),
        Wrong(
            "all-untried",
            untried_at_random,
            "Right once every arm has been tried. Before that, you hand back all untried arms. How many can be played at once?",
        ),
        Wrong(
            "counted-from-one",
            arm(handed=lambda k, scores, values: k + 1),
            "Your arms are counted from 1. What is the index of the first entry of an array?",
        ),
        Wrong(
            "score-for-index",
            arm(handed=lambda k, scores, values: float(scores[k])),
            "You hand back a number that is not whole, such as the largest score. What does the task ask for: the best score, or its place?",
        ),
        Wrong(
            "scores-for-index",
            arm(handed=lambda k, scores, values: scores),
            "You hand back one number for each arm. Which of them is to be played?",
        ),
        Wrong(
            "array-for-index",
            arm(handed=lambda k, scores, values: np.array([k])),
            "You hand back an array of one index, as `np.where` and `np.argwhere` give. What does the task ask for?",
        ),
        Wrong(
            "counts-it-too",
            counting,
            "Your choice is right, but you add 1 to `counts` yourself, in the array that you were handed. Whose task is that, and what would come of counting twice?",
        ),
    ),
    hints=(
        "First look for arms with a count of 0. If there are none, every arm has a score: what it gave on average, and what it could still be hiding.",
        "The bonus is c times the root of ln(t) / counts, an array; add it to the values, and take the place of the largest.",
        "`untried = np.flatnonzero(counts == 0)`; if it has entries, return the first of them; else `np.argmax(values + c * np.sqrt(np.log(t) / counts))`.",
    ),
    unlocks="No chance is involved: whoever is uncertain is given the benefit of the doubt.",
)  # fmt: skip
