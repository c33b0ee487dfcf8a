"""Mostly the best, now and then any: epsilon-greedy choices, judged by the distribution of many of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.reinforcement_learning.chance import nearest
from dlcourse.drivers import Case, Rng
from dlcourse.drivers.exploration import WHOLE

Array = NDArray[np.float64]
Generator = np.random.Generator


def epsilon_greedy(q: Array, epsilon: float, rng: Generator) -> int:
    if rng.random() < epsilon:
        return int(rng.integers(len(q)))
    return int(rng.choice(np.flatnonzero(q == q.max())))


def epsilon_greedy_by_probabilities(q: Array, epsilon: float, rng: Generator) -> Any:
    best = q == q.max()
    p = epsilon / len(q) + (1 - epsilon) * best / best.sum()
    return rng.choice(len(q), p=p)


def epsilon_greedy_by_shuffling(q: Array, epsilon: float, rng: Generator) -> Any:
    order = rng.permutation(len(q))
    return order[0] if rng.uniform() < epsilon else order[q[order].argmax()]


def choice_inputs(rng: Generator) -> list[Case]:
    def case(q: Any, epsilon: float, label: str = "") -> Case:
        return Case((rng.permutation(np.array(q, float)), epsilon, Rng(int(rng.integers(10_000)))), label)

    return [
        case([0.4, -1.1, 0.9], 0.35),
        case([0.1, 0.8, -0.4, -1.6, 0.5], 0.75),
        case([0.1, 0.9, 0.3, -0.7, 0.6, -0.2], 0.8),
        case([0.2, 1.0, 0.5, -1.3], 0.0, "epsilon = 0"),
        case([0.2, 1.0, 0.5, -1.3], 1.0, "epsilon = 1"),
        case([1.0, 0.2, 1.0, -0.5], 0.0, "two best actions"),
        case([0.3, 1.2, -0.6, 1.2, 1.2], 0.0, "three best actions"),
        case([1.0, 1.0, 0.0, 0.0], 0.4, "two best actions, and epsilon above 0"),
        case([0.0, 0.0, 0.0, 0.0], 0.0, "values that are all alike"),
        case([-0.5, -1.8, -1.1], 0.0, "values that are all negative"),
        case([1e4, 9e3, -9.5e3], 0.0, "large values"),
        case([0.5, 0.501, 0.4995], 0.0, "values close together"),
        case([0.5, 0.5001, 0.4], 0.0, "values that differ in the fourth place"),
        case([0.4], 0.35, "a single action"),
    ]


FORM, DISTRIBUTION, SOURCE = "the form of the result", "the distribution of many choices", "the random numbers"
RIGHT = "any action with probability epsilon, else one of the best"


def distributions(q: Array, epsilon: float) -> dict[str, Array]:
    """Which distributions are known, the right one first."""
    A = len(q)
    best, one, alike = (q == q.max()) / (q == q.max()).sum(), np.eye(A), np.full(A, 1 / A)

    def mixed(share: float, greedy: Array, exploring: Array = alike) -> Array:
        return np.asarray(share * exploring + (1 - share) * greedy)

    others = (1 - best) / (A - 1) if A > 1 else alike
    all_but_last = np.append(np.ones(A - 1), 0.0) / (A - 1) if A > 1 else alike
    ends_half = np.array([0.5, *np.ones(A - 2), 0.5]) / (A - 1) if A > 1 else alike
    e, n = np.exp(q - q.max()), int((q == q.max()).sum())
    flips = np.zeros(A)
    flips[q == q.max()] = [0.5 ** (n - max(k, 1)) for k in range(n)]
    return {
        RIGHT: mixed(epsilon, best),
        "all alike": alike,
        "always one of the best": best,
        "always the first of the best": one[q.argmax()],
        "one of the others with probability epsilon": mixed(epsilon, best, others),
        "ties to the first": mixed(epsilon, one[q.argmax()]),
        "ties to the last": mixed(epsilon, one[A - 1 - q[::-1].argmax()]),
        "epsilon reversed": mixed(1 - epsilon, best),
        "the worst for the best": mixed(epsilon, (q == q.min()) / (q == q.min()).sum()),
        "any action in half of the calls": mixed(0.5, best),
        "compared with a normal number": mixed(0.5 * (1 + math.erf(epsilon / math.sqrt(2))), best),
        "explores less than epsilon": mixed(epsilon * (1 - 1 / A), best),
        "explores with epsilon / A": mixed(epsilon / A, best),
        "never explores the last": mixed(epsilon, best, all_but_last),
        "never explores the first": mixed(epsilon, best, all_but_last[::-1]),
        "one random number for both": (1 - epsilon) * best + np.diff(np.minimum(np.arange(A + 1) / A, epsilon)),
        "softmax": e / e.sum(),
        "explores by softmax": mixed(epsilon, best, e / e.sum()),
        "explores the first and last half as often": mixed(epsilon, best, ends_half),
        "the first ones for the best": mixed(epsilon, (np.arange(A) < n) / n),
        "ties by coin flips": mixed(epsilon, flips),
        "the largest size": mixed(epsilon, one[np.abs(q).argmax()]),
        "nothing below zero": mixed(epsilon, one[q.argmax() if q.max() > 0 else 0]),
    }


def choice_facts(case: Case, value: Any) -> dict[str, Any]:
    q, epsilon, _ = case.args
    facts: dict[str, Any] = {FORM: value["form"]}
    if value["form"] != WHOLE:
        return {**facts, DISTRIBUTION: "not looked at", SOURCE: "not looked at"}
    chosen, again = value["chosen"], value["again"]
    if chosen.min() < 0 or chosen.max() >= len(q):
        outside = "below 0" if chosen.min() < 0 else "A or above"
        return {**facts, DISTRIBUTION: f"some are {outside}", SOURCE: "not looked at"}
    shares, known = np.bincount(chosen, minlength=len(q)) / len(chosen), distributions(q, epsilon)
    if known[RIGHT].max() < 1 and np.ptp(chosen) == 0 and epsilon > 0:
        always = "always the best action" if value["greedy"] else "always the same action"
        return {**facts, DISTRIBUTION: always, SOURCE: "no chance at all"}
    facts[DISTRIBUTION] = nearest(shares, known, len(chosen))
    if known[RIGHT].max() < 1 and np.ptp(chosen) == 0:
        return {**facts, SOURCE: "no chance at all"}  # which of the best it is tells more
    facts[SOURCE] = "rng" if np.array_equal(chosen[: len(again)], again) else "not from rng alone"
    return facts


def choosing(
    explores: Callable[[float, int, Generator], bool] = lambda epsilon, A, rng: rng.random() < epsilon,
    exploring: Callable[[Array, Generator], Any] = lambda q, rng: rng.integers(len(q)),
    greedy: Callable[[Array, Generator], Any] = lambda q, rng: rng.choice(np.flatnonzero(q == q.max())),
    handed: Callable[[int, Array], Any] = lambda k, q: k,
    whole: bool = True,
) -> Callable[..., Any]:
    """The choice with one part exchanged."""

    def answer(q: Array, epsilon: float, rng: Generator) -> Any:
        k = exploring(q, rng) if explores(epsilon, len(q), rng) else greedy(q, rng)
        return handed(int(k) if whole else k, q)

    return answer


def another_best(q: Array, rng: Generator) -> int:
    return int(rng.choice(np.flatnonzero(q == q.max())))


def one_of_the_others(q: Array, rng: Generator) -> int:
    k = another_best(q, rng)
    return int(rng.choice([j for j in range(len(q)) if j != k]))


def one_number_for_both(q: Array, epsilon: float, rng: Generator) -> int:
    u = rng.random()
    return int(u * len(q)) if u < epsilon else another_best(q, rng)


def duels(q: Array, rng: Generator) -> int:
    """Whoever draws level with the best so far takes its place in half of the cases."""
    best = 0
    for k in range(1, len(q)):
        if q[k] > q[best] or (q[k] == q[best] and rng.random() < 0.5):
            best = k
    return best


def by_softmax(q: Array, rng: Generator) -> int:
    e = np.exp(q - q.max())
    return int(rng.choice(len(q), p=e / e.sum()))


def softmax_choice(q: Array, epsilon: float, rng: Generator) -> int:
    return by_softmax(q, rng)


OTHER = np.random.default_rng(123)


EPSILON_GREEDY = Exercise(
    id="reinforcement_learning.epsilon_greedy",
    kind="function",
    title="Mostly the best, now and then any",
    points=2,
    minutes=10,
    difficulty=1,
    function="epsilon_greedy",
    reference=epsilon_greedy,
    alternatives=(epsilon_greedy_by_probabilities, epsilon_greedy_by_shuffling),
    inputs=choice_inputs,
    driver="chooses",
    facts=choice_facts,
    returns=("the action's index, a whole number",),
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "ties-to-the-first",
            choosing(greedy=lambda q, rng: q.argmax()),
            "Right while one action is the best. Of several that are equally good you always take the *first*, as `argmax` does, so with a table of zeros an agent runs the same way for ever. How do you find all of the best?",
        ),
        Wrong(
            "ties-to-the-last",
            choosing(greedy=lambda q, rng: len(q) - 1 - q[::-1].argmax()),
            "Right while one action is the best. Of several that are equally good you always take the *last*. How do you find all of the best, and choose among them?",
        ),
        Wrong(
            "ties-by-coin-flips",
            choosing(greedy=duels),
            "Right while no more than two actions share the largest value. Of three, the last comes in half of the cases: a coin decides between each one and the best so far. How likely should each of three be?",
        ),
        Wrong(
            "place-among-the-best",
            choosing(greedy=lambda q, rng: rng.integers((q == q.max()).sum())),
            "When you do not explore, action 0 comes if one action is the best, 0 or 1 if two are, and so on: you draw a place in the *list of the best*. Which action stands in that place?",
        ),
        Wrong(
            "noise-against-ties",
            choosing(greedy=lambda q, rng: (q + 1e-3 * rng.random(len(q))).argmax()),
            "Right where values are well apart. Of two that differ by 0.0001, the smaller one comes too often: is noise added to the values, or are they compared with a tolerance? When does the task call actions equally good?",
        ),
        Wrong(
            "explores-by-softmax",
            choosing(exploring=by_softmax),
            "When you explore, better actions come more often, as a softmax of the values has it. How likely should each be then?",
        ),
        Wrong(
            "rounded-to-an-index",
            choosing(exploring=lambda q, rng: round(rng.random() * (len(q) - 1))),
            "When you explore, the first and the last action come half as often as those between. Which numbers from 0 to 2 are rounded to 0, and which to 1?",
        ),
        Wrong(
            "four-actions",
            choosing(exploring=lambda q, rng: rng.integers(4)),
            "When you explore, you draw from four actions, however many there are. Where do you learn how many there are?",
        ),
        Wrong(
            "value-drawn",
            choosing(exploring=lambda q, rng: rng.choice(q)),
            "When you explore, you draw one of the *values*, with its decimals cut off. What is to be drawn: a value, or a place?",
        ),
        Wrong(
            "explores-the-others-only",
            choosing(exploring=one_of_the_others),
            "Over thousands of calls, the best action comes too rarely: when you explore, you leave it out. How often does *any* action, drawn at random, happen to be the best one?",
        ),
        Wrong(
            "always-greedy",
            choosing(explores=lambda epsilon, A, rng: False),
            "You always choose the best action, `epsilon` has no effect. How would you find out that another one is better than it looks?",
        ),
        Wrong(
            "always-at-random",
            choosing(explores=lambda epsilon, A, rng: True),
            "All actions come equally often, whatever the values (the *place* in a shuffled copy is as random, by the way). When does your function use what it knows?",
        ),
        Wrong(
            "epsilon-reversed",
            choosing(explores=lambda epsilon, A, rng: rng.random() > epsilon),
            "You explore with probability 1 - epsilon. Which way round is the comparison, and what should a small `epsilon` mean?",
        ),
        Wrong(
            "worst-for-best",
            choosing(greedy=lambda q, rng: q.argmin()),
            "When you do not explore, you choose the action with the *smallest* value. Which one is best?",
        ),
        Wrong(
            "coin-flip",
            choosing(explores=lambda epsilon, A, rng: rng.random() < 0.5),
            "You explore in half of the calls, whatever `epsilon` is. With what should the random number be compared?",
        ),
        Wrong(
            "normal-number",
            choosing(explores=lambda epsilon, A, rng: rng.normal() < epsilon),
            "You explore too often: a *normal* random number lies below `epsilon` in more than half of the calls. Which random numbers are below 0.2 in a fifth of them?",
        ),
        Wrong(
            "chance-that-any-is-another",
            choosing(explores=lambda epsilon, A, rng: rng.random() < epsilon * (1 - 1 / A)),
            "You explore too rarely: with probability epsilon · (1 - 1/A), and then among *all* actions. Is the formula for how often the best action comes taken for the probability of being greedy?",
        ),
        Wrong(
            "epsilon-divided",
            choosing(explores=lambda epsilon, A, rng: rng.random() < epsilon / A),
            "You explore with probability epsilon / A. That is how often *each* action should come by exploring: how often is it any of them?",
        ),
        Wrong(
            "never-explores-the-last",
            choosing(exploring=lambda q, rng: rng.integers(len(q) - 1)),
            "Exploring never brings the last action. Is the upper end of `rng.integers` one of its numbers?",
        ),
        Wrong(
            "never-explores-the-first",
            choosing(exploring=lambda q, rng: rng.integers(1, len(q))),
            "Exploring never brings action 0. Where does the range of your random index begin?",
        ),
        Wrong(
            "one-number-for-both",
            one_number_for_both,
            "Exploring brings the first actions and never the last ones. Does the random number that decided to explore, and is small therefore, also choose the action?",
        ),
        Wrong(
            "softmax",
            softmax_choice,
            "Your choices follow a softmax of the values; `epsilon` has no effect. How likely is the second-best action by this task?",
        ),
        Wrong(
            "largest-size",
            choosing(greedy=lambda q, rng: np.abs(q).argmax()),
            "When you do not explore, you choose the value of the largest *size*, its sign forgotten. Which is better: -3 or 1?",
        ),
        Wrong(
            "nothing-below-zero",
            choosing(greedy=lambda q, rng: another_best(q, rng) if q.max() > 0 else 0),
            "Right while some value is positive. Where none is, you choose action 0, as a search does that starts from `best = 0`. With what could it start?",
        ),
        Wrong(
            "own-seed",
            lambda q, epsilon, rng: epsilon_greedy(q, epsilon, np.random.default_rng(0)),
            "The same values give the same action in every call: nothing is left to chance, or each call begins with the same random number. Who hands you a generator that goes on?",
        ),
        Wrong(
            "another-generator",
            lambda q, epsilon, rng: epsilon_greedy(q, epsilon, OTHER),
            "The distribution is right, but with `rng` started anew from the same seed other actions come: random numbers are from elsewhere. Which generator does the task hand you?",
        ),
        Wrong(
            "counted-from-one",
            choosing(handed=lambda k, q: k + 1),
            "Your action can be A, and the last index is A - 1. From where do indices count, and where does the range of a random one end?",
        ),
        Wrong(
            "value-for-index",
            choosing(handed=lambda k, q: float(q[k])),
            "You hand back a number that is not whole, such as the value of the action. What does the task ask for: a value, or its place?",
        ),
        Wrong(
            "array-for-index",
            choosing(handed=lambda k, q: np.array([k])),
            "You hand back an array of one index, as `np.flatnonzero` and `size=1` give. What does the task ask for?",
        ),
        Wrong(
            "all-of-the-best",
            choosing(greedy=lambda q, rng: np.flatnonzero(q == q.max()), whole=False),
            "When you do not explore, you hand back an array: the places of all actions that share the largest value, such as `np.flatnonzero` gives, even if it is one. Which single action is to be taken?",
        ),
        Wrong(
            "probabilities-for-action",
            lambda q, epsilon, rng: epsilon / len(q) + (1 - epsilon) * (q == q.max()) / (q == q.max()).sum(),
            "You hand back one number for each action, such as its probability. Which single action is to be taken?",
        ),
    ),
    hints=(
        "Two decisions: whether to explore, with one random number, and then which action.",
        "With probability epsilon any of the A actions, the best among them; else draw one of the places where q equals its maximum.",
        "`if rng.random() < epsilon: return int(rng.integers(len(q)))`, and else `int(rng.choice(np.flatnonzero(q == q.max())))`.",
    ),
    unlocks="A small epsilon costs a little for ever; none at all can cost everything.",
)  # fmt: skip
