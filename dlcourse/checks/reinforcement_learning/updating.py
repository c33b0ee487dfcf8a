"""One step of Q-learning (Watkins 1989), which learns about the best action whatever the agent did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def q_update(Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float) -> Any:
    target = r + gamma * (not terminated) * Q[s_next].max()
    new = Q.copy()
    new[s, a] += alpha * (target - Q[s, a])
    return new


def q_update_as_a_mixture(
    Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float
) -> Any:
    future = 0.0 if terminated else gamma * np.max(Q[s_next, :])
    new = np.array(Q)
    new[s][a] = (1 - alpha) * Q[s, a] + alpha * (r + future)
    return new


def q_update_in_lists(
    Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float
) -> Any:
    rows = Q.tolist()
    target = r
    if not terminated:
        target += gamma * max(rows[s_next])
    return [
        [q + alpha * (target - q) if (i, j) == (s, a) else q for j, q in enumerate(row)] for i, row in enumerate(rows)
    ]


def update_inputs(rng: np.random.Generator) -> list[Case]:
    def case(S: int, A: int, terminated: bool = False, label: str = "", **given: Any) -> Case:
        Q = (given.pop("shift", 0.0) + given.pop("scale", 1.0) * rng.normal(size=(S, A))).round(2)
        s, s_next = rng.choice(S, 2, replace=False).tolist() if S > 1 else (0, 0)
        s_next = s if given.pop("stays", False) else s_next
        a = int(rng.choice([k for k in range(A) if k != Q[s_next].argmax()])) if A > 1 else 0
        a = int(Q[s_next].argmax()) if given.pop("best", False) else a
        r = given.pop("r", round(float(rng.normal()), 1) + 0.05)
        settings = {"alpha": 0.2, "gamma": 0.9, **given}
        return Case((Q, s, a, r, s_next, terminated, settings["alpha"], settings["gamma"]), label)

    first = Case((np.array([[0.0, 1.0], [2.0, 4.0], [0.5, -1.0]]), 0, 1, 1.0, 1, False, 0.5, 0.9))
    return [
        first,
        case(4, 3, alpha=0.1, gamma=0.8),
        case(6, 4, alpha=0.3),
        case(3, 5, alpha=0.7, gamma=0.95),
        case(4, 3, True),
        case(5, 2, True, alpha=0.6, gamma=0.7),
        case(4, 4, label="values that are all negative", shift=-6.0),
        case(4, 3, label="a step that stays where it is", stays=True),
        case(4, 3, label="the best action leads back to its state", stays=True, best=True),
        case(3, 3, label="alpha = 1", alpha=1.0),
        case(3, 3, label="gamma = 0", gamma=0.0),
        case(3, 3, label="gamma = 1", gamma=1.0),
        case(4, 3, label="a reward of 0", r=0.0),
        case(4, 3, label="large values", scale=1e4),
        case(5, 1, label="a single action"),
    ]


def updated(
    ahead: Callable[[Array, int, int, int], Any] = lambda Q, s, a, s_next: Q[s_next].max(),
    going_on: Callable[[bool], float] = lambda terminated: float(not terminated),
    target: Callable[[float, float, Any, float], Any] = lambda r, gamma, ahead, on: r + gamma * on * ahead,
    blend: Callable[[Any, Any, float], Any] = lambda old, target, alpha: old + alpha * (target - old),
    old: Callable[[Array, int, int, int], Any] = lambda Q, s, a, s_next: Q[s, a],
    place: Callable[[int, int, int], Any] = lambda s, a, s_next: (s, a),
    table: Callable[[Array], Array] = lambda Q: Q.copy(),
    handed: Callable[[Array, int, int], Any] = lambda new, s, a: new,
    idle: bool = False,
) -> Callable[..., Any]:
    """The update with one part exchanged."""

    def answer(Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float) -> Any:
        if idle and terminated:
            return Q.copy()
        goal = target(r, gamma, ahead(Q, s, a, s_next), going_on(terminated))
        changed = blend(old(Q, s, a, s_next), goal, alpha)
        new = table(Q)
        new[place(s, a, s_next)] = changed
        return handed(new, s, a)

    return answer


def error_handed(Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float) -> Any:
    return r + gamma * (not terminated) * Q[s_next].max() - Q[s, a]


def change_handed(Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float) -> Any:
    return q_update(Q, s, a, r, s_next, terminated, alpha, gamma) - Q


def old_value_kept(
    Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float
) -> Any:
    new = Q.copy()
    new[s, a] += alpha * (r + (not terminated) * (gamma * Q[s_next].max() - Q[s, a]))
    return new


def next_row_cleared(
    Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float
) -> Any:
    new = q_update(Q, s, a, r, s_next, terminated, alpha, gamma)
    if terminated:
        new[s_next] = 0.0
    return new


def row_moved(Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float) -> Any:
    new = Q.copy()
    new[s] += alpha * (r + gamma * (not terminated) * Q[s_next].max() - Q[s])
    return new


def own_entry_left_out(
    Q: Array, s: int, a: int, r: float, s_next: int, terminated: bool, alpha: float, gamma: float
) -> Any:
    new = Q.copy()
    if Q.shape[1] > 1:
        new[s, a] = -np.inf
    new[s, a] = (1 - alpha) * Q[s, a] + alpha * (r + gamma * (not terminated) * new[s_next].max())
    return new


def of_a_softmax(values: Array) -> Any:
    e = np.exp(values - values.max())
    return (e / e.sum()) @ values


Q_UPDATE = Exercise(
    id="reinforcement_learning.q_update",
    kind="function",
    title="One step of Q-learning",
    points=2,
    minutes=12,
    difficulty=2,
    function="q_update",
    reference=q_update,
    alternatives=(q_update_as_a_mixture, q_update_in_lists),
    inputs=update_inputs,
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "bootstraps-through-termination",
            updated(going_on=lambda terminated: 1.0),
            "`terminated` has no effect: after the last step of an episode you still count on the value of the state that it ended in. What can be earned there?",
        ),
        Wrong(
            "terminated-reversed",
            updated(going_on=lambda terminated: float(terminated)),
            "You look ahead after a terminated step and nowhere else. Which way round is the flag?",
        ),
        Wrong(
            "tilde-of-a-python-bool",
            updated(going_on=lambda terminated: -1.0 - float(terminated)),
            "The value of the next state comes with a factor of -1, or -2 after termination. That is what `~` makes of Python's False and True, which it takes for 0 and 1. Which word turns a single yes into a no?",
        ),
        Wrong(
            "last-reward-lost",
            updated(target=lambda r, gamma, ahead, on: (r + gamma * ahead) * on),
            "After a terminated step your target is 0, and the reward of that step is lost. Which part of the target falls away with the future, and which does not?",
        ),
        Wrong(
            "no-update-after-termination",
            updated(idle=True),
            "A terminated step leaves your Q as it was. Is there nothing to learn from the last reward of an episode?",
        ),
        Wrong(
            "old-value-kept-at-the-end",
            old_value_kept,
            "After a terminated step the old value is not subtracted: you add alpha · r to it. What falls away with the end of an episode: what is to come, or what was believed so far?",
        ),
        Wrong(
            "next-row-cleared",
            next_row_cleared,
            "After a terminated step, the whole row of `s_next` is 0 in your table. Right, nothing more comes in *this* episode: but what of another one that passes through that state?",
        ),
        Wrong(
            "termination-replaces-the-value",
            updated(blend=lambda old, goal, alpha: goal[1] if goal[0] else old + alpha * (goal[1] - old), target=lambda r, gamma, ahead, on: (on == 0, r + gamma * on * ahead)),
            "After a terminated step you put the reward itself in the table, without `alpha`. If the last reward is random, should one of them wipe out what was learned from all before?",
        ),
        Wrong(
            "value-ahead-of-the-action-taken",
            updated(ahead=lambda Q, s, a, s_next: Q[s_next, a]),
            "Your target uses the value of the *same* action in the next state. Nobody says that the agent will repeat it: which action does Q-learning suppose there?",
        ),
        Wrong(
            "mean-ahead",
            updated(ahead=lambda Q, s, a, s_next: Q[s_next].mean()),
            "Your target uses the mean over the next state's actions, as if the agent went on at random. Which action does Q-learning suppose there?",
        ),
        Wrong(
            "worst-ahead",
            updated(ahead=lambda Q, s, a, s_next: Q[s_next].min()),
            "Your target uses the smallest value of the next state. Which action does Q-learning suppose there?",
        ),
        Wrong(
            "sum-ahead",
            updated(ahead=lambda Q, s, a, s_next: Q[s_next].sum()),
            "Your target adds up the values of all actions of the next state. How many of them can the agent take?",
        ),
        Wrong(
            "first-action-ahead",
            updated(ahead=lambda Q, s, a, s_next: Q[s_next, 0]),
            "Your target uses the value of action 0 in the next state, whichever is best. How do you find the best one?",
        ),
        Wrong(
            "best-action-for-its-value",
            updated(ahead=lambda Q, s, a, s_next: float(Q[s_next].argmax())),
            "Your target adds the *number* of the best action in the next state, as `argmax` gives it. What is asked for: which action is best, or what it is worth?",
        ),
        Wrong(
            "softmax-ahead",
            updated(ahead=lambda Q, s, a, s_next: of_a_softmax(Q[s_next])),
            "Your target weighs the next state's values by their softmax, which is near the largest but not it. What does the formula take of them?",
        ),
        Wrong(
            "largest-of-the-table",
            updated(ahead=lambda Q, s, a, s_next: Q.max()),
            "Your target uses the largest value of the *whole* table. In which row may the next action be looked up?",
        ),
        Wrong(
            "largest-of-the-action",
            updated(ahead=lambda Q, s, a, s_next: Q[:, a].max()),
            "Your maximum runs over the states: it takes column `a`, not a row. Over which axis may the agent choose?",
        ),
        Wrong(
            "maximum-of-the-state-left",
            updated(ahead=lambda Q, s, a, s_next: Q[s].max()),
            "Your target uses the best value of the state that was *left*, s. Where is the agent after the step?",
        ),
        Wrong(
            "never-below-zero",
            updated(ahead=lambda Q, s, a, s_next: max(0.0, Q[s_next].max())),
            "Right while the next state's best value is positive. Where all its values are negative you use 0, as a search does that starts from `best = 0`. With what could it start?",
        ),
        Wrong(
            "largest-size",
            updated(ahead=lambda Q, s, a, s_next: np.abs(Q[s_next]).max()),
            "Your target uses the largest *size* among the next state's values, signs forgotten. Which is better: -3 or 1?",
        ),
        Wrong(
            "not-discounted",
            updated(target=lambda r, gamma, ahead, on: r + on * ahead),
            "`gamma` has no effect: what comes later counts in full. Where does it come in?",
        ),
        Wrong(
            "reward-discounted-too",
            updated(target=lambda r, gamma, ahead, on: gamma * (r + on * ahead)),
            "You multiply the whole target by `gamma`, and the reward of this very step loses value with it. Which part lies in the future?",
        ),
        Wrong(
            "one-minus-gamma",
            updated(target=lambda r, gamma, ahead, on: r + (1 - gamma) * on * ahead),
            "You discount by 1 - gamma. Would a far-sighted agent have a `gamma` near 0 or near 1?",
        ),
        Wrong(
            "reward-discounted-not-the-future",
            updated(target=lambda r, gamma, ahead, on: gamma * r + on * ahead),
            "`gamma` stands before the reward, not before what comes after it. Which of the two lies in the future?",
        ),
        Wrong(
            "reward-forgotten",
            updated(target=lambda r, gamma, ahead, on: gamma * on * ahead),
            "The reward has no effect on your Q. From what else could the agent learn what is good?",
        ),
        Wrong(
            "reward-subtracted",
            updated(target=lambda r, gamma, ahead, on: gamma * on * ahead - r),
            "The reward enters your target with a minus. Should a large reward make the action look better or worse?",
        ),
        Wrong(
            "discounted-difference",
            lambda Q, s, a, r, s_next, terminated, alpha, gamma: updated(blend=lambda old, goal, alpha: old + alpha * goal, target=lambda r, gamma, ahead, on: r + gamma * (on * ahead - Q[s, a]))(Q, s, a, r, s_next, terminated, alpha, gamma),
            "`gamma` multiplies the old value, too: you wrote gamma · (max - old). Around what do the formula's parentheses stand?",
        ),
        Wrong(
            "old-value-not-subtracted",
            updated(blend=lambda old, target, alpha: old + alpha * target),
            "You add alpha times the target to the old value, so Q grows with each visit, even where it is right already. By how much is the old value off?",
        ),
        Wrong(
            "target-for-the-value",
            updated(blend=lambda old, target, alpha: target),
            "`alpha` has no effect: the target replaces the old value. If the next reward is another, what is left of what was learned before?",
        ),
        Wrong(
            "alpha-times-the-target",
            updated(blend=lambda old, target, alpha: alpha * target),
            "The new value is alpha times the target, and the old one is gone. What share of it should stay?",
        ),
        Wrong(
            "old-value-taken-off-twice",
            updated(blend=lambda old, target, alpha: (1 - alpha) * old + alpha * (target - old)),
            "The old value is taken off twice: once by the weight 1 - alpha, and once more in the difference. Which of the two ways of writing the formula do you want?",
        ),
        Wrong(
            "alpha-for-the-reward-alone",
            updated(target=lambda r, gamma, ahead, on: (r, gamma * on * ahead), blend=lambda old, goal, alpha: alpha * goal[0] + goal[1]),
            "`alpha` multiplies the reward alone: the future counts in full, and the old value not at all. Around what do the formula's parentheses stand?",
        ),
        Wrong(
            "weights-exchanged",
            updated(blend=lambda old, target, alpha: alpha * old + (1 - alpha) * target),
            "The old value keeps the weight alpha, and the target gets 1 - alpha. What should a small `alpha` mean: a small step or a large one?",
        ),
        Wrong(
            "away-from-the-target",
            updated(blend=lambda old, target, alpha: old - alpha * (target - old)),
            "The value moves *away* from the target. Does the minus belong to the step, as in gradient descent, or to the difference?",
        ),
        Wrong(
            "full-error",
            updated(blend=lambda old, target, alpha: old + (target - alpha * old)),
            "`alpha` multiplies the old value alone, not the whole error. Around what do the formula's parentheses stand?",
        ),
        Wrong(
            "error-of-the-best-action",
            updated(old=lambda Q, s, a, s_next: Q[s].max()),
            "You move the *best* value of state s towards the target and write it in place of Q[s, a]. Which entry's error is it?",
        ),
        Wrong(
            "compared-with-the-next-state",
            updated(old=lambda Q, s, a, s_next: Q[s_next, a]),
            "The old value that you start from stands in the row of the *next* state. Which entry is being corrected?",
        ),
        Wrong(
            "written-to-the-next-state",
            updated(place=lambda s, a, s_next: (s_next, a)),
            "The new value is right but stands in the row of the next state. For which state and action was it learned?",
        ),
        Wrong(
            "row-moved",
            row_moved,
            "All actions of state s move towards the target. What does the agent know now of those that it did not take?",
        ),
        Wrong(
            "own-entry-left-out",
            own_entry_left_out,
            "Right, except where a step leads back to its own state: there the entry that is being learned does not count among the next actions. May the agent not do the same again?",
        ),
        Wrong(
            "whole-row",
            updated(place=lambda s, a, s_next: s),
            "All actions of state s get the new value. What does the agent know now of those that it did not take?",
        ),
        Wrong(
            "whole-column",
            updated(place=lambda s, a, s_next: (slice(None), a)),
            "Action a gets the new value in all states. What does the agent know now of the states where it was not?",
        ),
        Wrong(
            "best-action-written",
            lambda Q, s, a, r, s_next, terminated, alpha, gamma: q_update(Q, s, int(Q[s_next].argmax()), r, s_next, terminated, alpha, gamma),
            "You correct the action that would be best in the next state, not the one that was taken. Which action earned the reward?",
        ),
        Wrong(
            "in-place",
            updated(table=lambda Q: Q),
            "The result is right, but it is the old table, overwritten: whoever calls your function loses it. On what could you write instead?",
        ),
        Wrong(
            "empty-table",
            updated(table=np.zeros_like),
            "The new value is right, but all others are 0: you began with an empty table. What becomes of what was learned about the other states?",
        ),
        Wrong(
            "number-for-the-table",
            updated(handed=lambda new, s, a: new[s, a]),
            "You hand back the new value alone. What does the task ask for?",
        ),
        Wrong(
            "row-for-the-table",
            updated(handed=lambda new, s, a: new[s]),
            "You hand back row s alone. What does the task ask for?",
        ),
        Wrong(
            "error-for-the-table",
            error_handed,
            "You hand back the error, target minus old value. What does the task ask for, and what has `alpha` to do with it?",
        ),
        Wrong(
            "change-for-the-table",
            change_handed,
            "You hand back the *change* of the table: all entries but one are 0. What does the task ask for?",
        ),
    ),
    hints=(
        "One entry changes: Q[s, a]. What was it, and what does this step say it should be?",
        "The target is the reward, plus gamma times the largest entry of row `s_next` unless the step is terminated. The entry moves a share alpha of the way to it, in a copy of Q.",
        "`new = Q.copy()`, then `new[s, a] += alpha * (r + gamma * (1 - terminated) * Q[s_next].max() - Q[s, a])`.",
    ),
    unlocks="Repeat this often enough, and a taxi finds its passengers.",
)  # fmt: skip
