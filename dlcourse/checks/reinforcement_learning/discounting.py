"""What a reward is worth before it comes: discounted returns of a recording that may hold several episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def discounted_returns(rewards: Array, terminated: Flags, gamma: float) -> Any:
    returns, G = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards))):
        G = rewards[t] + gamma * G * (not terminated[t])
        returns[t] = G
    return returns


def returns_by_episode(rewards: Array, terminated: Flags, gamma: float) -> Any:
    ends = np.flatnonzero(terminated) + 1
    parts = []
    for part in np.split(rewards, ends[ends < len(rewards)]):
        G, found = 0.0, []
        for r in part[::-1]:
            G = r + gamma * G
            found.append(G)
        parts.append(found[::-1])
    return np.concatenate(parts)


def returns_by_table(rewards: Array, terminated: Flags, gamma: float) -> Any:
    t = np.arange(len(rewards))
    episode = np.cumsum(terminated) - 1 * terminated  # the number of the episode that each step belongs to
    ahead = t - t[:, None]  # (T, T): so many steps after step t
    counts = (ahead >= 0) & (episode == episode[:, None])
    return np.where(counts, gamma ** np.maximum(ahead, 0), 0.0) @ rewards


def returns_inputs(rng: np.random.Generator) -> list[Case]:
    def case(T: int, ends: list[int], gamma: float, label: str = "", scale: float = 1.0) -> Case:
        rewards = (scale * (rng.normal(size=T) + 0.5)).round(2)
        return Case((rewards, np.isin(np.arange(T), ends), gamma), label)

    a, b = sorted(rng.choice(np.arange(1, 9), 2, replace=False).tolist())
    return [
        Case((np.array([1.0, 0.0, 2.0, 3.0, 4.0]), np.array([False, False, True, False, False]), 0.5)),
        case(7, [2, 6], 0.9),
        case(11, [a, b + 1], 0.8),
        case(12, [4, 7, 11], 0.95),
        case(6, [5], 0.9, "one whole episode"),
        case(6, [], 0.7, "an episode that has not ended yet"),
        case(6, [0, 1, 2, 4], 0.9, "episodes of one step"),
        case(1, [0], 0.9, "a single step"),
        case(8, [3], 1.0, "gamma = 1"),
        case(8, [3, 7], 0.0, "gamma = 0"),
        case(7, [3], 0.9, "large rewards", scale=1e4),
        case(1500, [1200], 0.5, "a long recording"),
    ]


def backwards(
    start: Callable[[Array], float] = lambda rewards: 0.0,
    step: Callable[[float, float, float, bool], float] = lambda r, later, gamma, ends: r + gamma * later * (not ends),
    kept: Callable[[float, float, float, bool], float] = lambda G, r, gamma, ends: G,
    carried: Callable[[float, bool], float] = lambda G, ends: G,
    steps: Callable[[int], Any] = lambda T: reversed(range(T)),
    handed: Callable[[Any, Array, Flags], Any] = lambda returns, rewards, terminated: returns,
) -> Callable[..., Any]:
    """The loop from the last step to the first, with one part exchanged."""

    def answer(rewards: Array, terminated: Flags, gamma: float) -> Any:
        returns, G = np.zeros(len(rewards)), start(rewards)
        for t in steps(len(rewards)):
            G = step(rewards[t], G, gamma, bool(terminated[t]))
            returns[t] = kept(G, rewards[t], gamma, bool(terminated[t]))
            G = carried(G, bool(terminated[t]))
        return handed(returns, rewards, terminated)

    return answer


def since_the_start(terminated: Flags) -> NDArray[np.int64]:
    """How many steps of its episode went before each step."""
    first = np.concatenate([[True], terminated[:-1]])
    t = np.arange(len(terminated))
    return np.asarray(t - np.maximum.accumulate(np.where(first, t, 0)))


def at_the_start(rewards: Array, terminated: Flags, gamma: float) -> Array:
    """Each step gets the return of its episode's first step."""
    returns = discounted_returns(rewards, terminated, gamma)
    return np.asarray(returns[np.arange(len(rewards)) - since_the_start(terminated)])


def of_the_recording(rewards: Array, terminated: Flags, gamma: float) -> Array:
    """Discounted from the beginning of the episode, not from the step."""
    return np.asarray(gamma ** since_the_start(terminated) * discounted_returns(rewards, terminated, gamma))


def divided_again(rewards: Array, terminated: Flags, gamma: float) -> Array:
    """A cumulative sum of discounted rewards, divided by the discount: numbers too small for a float."""
    found = []
    for part in np.split(rewards, np.flatnonzero(terminated[:-1]) + 1):
        powers = gamma ** np.arange(len(part))
        found.append(np.cumsum((part * powers)[::-1])[::-1] / powers)
    return np.concatenate(found)


def handed_too_early(rewards: Array, terminated: Flags, gamma: float) -> Array:
    return np.append(discounted_returns(rewards, terminated, gamma)[1:], 0.0)


def within_the_episode(rewards: Array, terminated: Flags, gamma: float) -> Array:
    return np.asarray(handed_too_early(rewards, terminated, gamma) * ~terminated)


def from_step_zero(returns: Array, gamma: float) -> Array:
    return np.asarray(gamma ** np.arange(len(returns)) * returns)


def first_episode(returns: Array, rewards: Array, terminated: Flags) -> Array:
    return np.asarray(np.where(np.cumsum(terminated) - terminated == 0, returns, 0.0))


def one_step_ahead(rewards: Array, terminated: Flags, gamma: float) -> Array:
    later = np.append(rewards[1:], 0.0)
    return np.asarray(rewards + gamma * later * ~terminated)


def in_place(rewards: Array, terminated: Flags, gamma: float) -> Array:
    for t in reversed(range(len(rewards) - 1)):
        rewards[t] += gamma * rewards[t + 1] * (not terminated[t])
    return rewards


def normalized(returns: Array, rewards: Array, terminated: Flags) -> Array:
    return np.asarray((returns - returns.mean()) / (returns.std() + 1e-8))


def unfinished_dropped(returns: Array, rewards: Array, terminated: Flags) -> Array:
    finished = np.cumsum(terminated[::-1])[::-1] > 0
    return np.asarray(np.where(finished, returns, 0.0))


def unfinished_left_out(returns: Array, rewards: Array, terminated: Flags) -> Array:
    return np.asarray(returns[np.cumsum(terminated[::-1])[::-1] > 0])


def by_episode(returns: Array, rewards: Array, terminated: Flags) -> list[list[float]]:
    return [part.tolist() for part in np.split(returns, np.flatnonzero(terminated[:-1]) + 1)]


def of_each_episode(returns: Array, rewards: Array, terminated: Flags) -> Array:
    return np.asarray(returns[since_the_start(terminated) == 0])


DISCOUNTED_RETURNS = Exercise(
    id="reinforcement_learning.discounted_returns",
    kind="function",
    title="Discounted returns",
    points=2,
    minutes=10,
    difficulty=1,
    function="discounted_returns",
    reference=discounted_returns,
    alternatives=(returns_by_episode, returns_by_table),
    inputs=returns_inputs,
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "not-restarted",
            backwards(step=lambda r, later, gamma, ends: r + gamma * later),
            "`terminated` has no effect: rewards of the next episode count for the one before. What is there still to come, after a step that ends its episode?",
        ),
        Wrong(
            "restarted-a-step-early",
            backwards(step=lambda r, later, gamma, ends: r + gamma * later, carried=lambda G, ends: 0.0 if ends else G),
            "The step before a terminated one does not get to see the last reward of its own episode: the sum starts anew one step too early. When a loop runs backwards, does the sum begin again before the last reward is added, or after?",
        ),
        Wrong(
            "last-reward-lost",
            backwards(step=lambda r, later, gamma, ends: 0.0 if ends else r + gamma * later),
            "A terminated step gets a return of 0, and its own reward is lost for all steps before it. Does an episode's last step bring a reward?",
        ),
        Wrong(
            "terminated-reversed",
            backwards(step=lambda r, later, gamma, ends: r + gamma * later * ends),
            "Your sum goes on where an episode ends and starts anew everywhere else. Which way round is the flag?",
        ),
        Wrong(
            "ends-do-not-carry-over",
            backwards(step=lambda r, later, gamma, ends: r + gamma * later, kept=lambda G, r, gamma, ends: r if ends else G),
            "The terminated steps themselves are right, but the steps before them still count rewards of the next episode. What does the sum that your loop carries along hold, after a terminated step?",
        ),
        Wrong(
            "first-reward-discounted",
            backwards(kept=lambda G, r, gamma, ends: gamma * G),
            "Each return is `gamma` times the right one: you discount the first reward already. How many steps away is the reward of step t, seen from step t?",
        ),
        Wrong(
            "reward-of-the-step-left-out",
            backwards(kept=lambda G, r, gamma, ends: G - r),
            "Your return is what comes *after* the step, discounted, without its own reward. Which reward does the formula's sum begin with?",
        ),
        Wrong(
            "return-of-the-next-step",
            handed_too_early,
            "In place t stands the return of step t + 1, and 0 in the last. Is it written down before the reward of step t is added?",
        ),
        Wrong(
            "return-of-the-next-step-of-its-episode",
            within_the_episode,
            "In place t stands the return of step t + 1, and 0 in the last of an episode. Is it written down before the reward of step t is added?",
        ),
        Wrong(
            "tilde-of-a-number",
            backwards(step=lambda r, later, gamma, ends: r + gamma * later * (-2.0 if ends else -1.0)),
            "What is to come is multiplied by -1, or by -2 after a terminated step. That is what `~` makes of 0 and 1, and of Python's False and True. Which word turns a single yes into a no?",
        ),
        Wrong(
            "not-discounted",
            backwards(step=lambda r, later, gamma, ends: r + later * (not ends)),
            "`gamma` has no effect: your returns are plain sums of what is to come. What should a reward be worth that comes two steps later?",
        ),
        Wrong(
            "reward-discounted-not-the-rest",
            backwards(step=lambda r, later, gamma, ends: gamma * r + later * (not ends)),
            "You multiply the reward of the step by `gamma` and leave the sum of later ones as it is, so all rewards count alike. Which of the two loses by waiting?",
        ),
        Wrong(
            "one-minus-gamma",
            backwards(step=lambda r, later, gamma, ends: r + (1 - gamma) * later * (not ends)),
            "You discount by 1 - gamma. Would a far-sighted agent have a `gamma` near 0 or near 1?",
        ),
        Wrong(
            "discounted-twice",
            backwards(step=lambda r, later, gamma, ends: r + gamma**2 * later * (not ends)),
            "Each step discounts by gamma². In how many places do you multiply by `gamma` on the way from one step to the one before?",
        ),
        Wrong(
            "averaged",
            backwards(step=lambda r, later, gamma, ends: (1 - gamma) * r + gamma * later * (not ends)),
            "You mix the reward with weight 1 - gamma and the rest with weight gamma, as in a moving average. Which weight has the step's own reward in a return?",
        ),
        Wrong(
            "from-the-past",
            backwards(steps=range, step=lambda r, G, gamma, ends: r + gamma * G),
            "Your sum runs from the past to the present, and no flag starts it anew: each step collects the rewards that came *before* it. Which rewards can an action still change?",
        ),
        Wrong(
            "from-the-past-with-restarts",
            backwards(steps=range, step=lambda r, G, gamma, ends: r + gamma * G, carried=lambda G, ends: 0.0 if ends else G),
            "Your sum runs from the past to the present: each step collects the rewards of its episode that came *before* it. Which rewards can an action still change?",
        ),
        Wrong(
            "right-formula-in-the-wrong-direction",
            backwards(steps=range),
            "Your loop has the right line but runs from the first step to the last, so that `G` holds what came before. In which order must the steps be visited, if each return is built from the next one?",
        ),
        Wrong(
            "discounted-from-the-beginning",
            of_the_recording,
            "The return of step t comes with a factor of gamma to the power of t too many, where t counts from the episode's beginning: you discount to the first step. From where does each step look ahead?",
        ),
        Wrong(
            "discounted-from-step-zero",
            lambda rewards, terminated, gamma: from_step_zero(discounted_returns(rewards, terminated, gamma), gamma),
            "The return of step t comes with a factor of gamma to the power of t too many, where t counts from the beginning of the recording. From where does each step look ahead?",
        ),
        Wrong(
            "first-episode-only",
            backwards(handed=first_episode),
            "The first episode is right, and all steps after it get 0. What begins after a terminated step?",
        ),
        Wrong(
            "return-of-the-first-step",
            at_the_start,
            "All steps of an episode get the return of its first step. Can the third action still change the first reward?",
        ),
        Wrong(
            "one-per-episode",
            backwards(handed=of_each_episode),
            "You hand back one number for each episode, the return of its first step. How many does the task ask for?",
        ),
        Wrong(
            "one-number",
            backwards(handed=lambda returns, rewards, terminated: float(returns[0])),
            "You hand back one number, the return of the first step. How many returns does a recording of T steps have?",
        ),
        Wrong(
            "one-list-per-episode",
            backwards(handed=by_episode),
            "The numbers are right, but they stand in one list for each episode. What shape does the task ask for?",
        ),
        Wrong(
            "in-reverse-order",
            backwards(handed=lambda returns, rewards, terminated: returns[::-1]),
            "Your returns stand in reverse order: the one of the last step comes first, as a loop backwards appends them. In which order are they asked for?",
        ),
        Wrong(
            "rewards-themselves",
            backwards(handed=lambda returns, rewards, terminated: rewards.copy()),
            "You hand back the rewards, nothing is added to them. Which later rewards belong to the return of step t?",
        ),
        Wrong(
            "one-step-ahead",
            one_step_ahead,
            "You add only the next reward. Why does the formula's sum not stop after two terms?",
        ),
        Wrong(
            "last-step-left-out",
            backwards(steps=lambda T: reversed(range(T - 1))),
            "The last reward of the recording is in none of your returns, and its own is 0. With which index does your loop begin?",
        ),
        Wrong(
            "first-step-left-out",
            backwards(steps=lambda T: range(T - 1, 0, -1)),
            "The first return is 0, the others are right. `range(T - 1, 0, -1)` ends before its second number: which is the last index that your loop visits?",
        ),
        Wrong(
            "begun-with-the-last-reward",
            backwards(start=lambda rewards: float(rewards[-1])),
            "The sum begins with the last reward, which is then added once more. What is still to come after the last step?",
        ),
        Wrong(
            "unfinished-episode-is-zero",
            backwards(handed=unfinished_dropped),
            "The steps after the last termination get 0. Their episode has not ended within the recording, but rewards came: what does the task say of it?",
        ),
        Wrong(
            "unfinished-episode-left-out",
            backwards(handed=unfinished_left_out),
            "The steps after the last termination are missing in your result. Their episode has not ended within the recording, but rewards came: what does the task say of it?",
        ),
        Wrong(
            "normalized",
            backwards(handed=normalized),
            "Your returns have mean 0 and standard deviation 1, as some training loops make them afterwards. What does this task ask for?",
        ),
        Wrong(
            "mean-subtracted",
            backwards(handed=lambda returns, rewards, terminated: returns - returns.mean()),
            "The mean of all returns is subtracted, a simple baseline. Does this task ask for it?",
        ),
        Wrong(
            "in-place",
            in_place,
            "The returns are right, but they stand where the rewards were: the array that you were handed is overwritten. Who might still need the rewards, and where could the result go instead?",
        ),
        Wrong(
            "powers-too-small",
            divided_again,
            "Right, until a power of `gamma` is so small that a float makes it 0, and then you divide 0 by 0. Is there a way that never divides by what it multiplied with?",
        ),
    ),
    hints=(
        "The return of the last step is its reward. What do you need to add to the reward of the step before it?",
        "Go backwards: the return of step t is its reward plus gamma times the return of step t + 1, and nothing more if step t is terminated.",
        "In a loop over `reversed(range(T))`: `G = rewards[t] + gamma * G * (1 - terminated[t])`, then `returns[t] = G`.",
    ),
    unlocks="Whoever knows the return of each step knows what an action was worth, afterwards.",
)  # fmt: skip
