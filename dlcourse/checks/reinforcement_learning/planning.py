"""Value iteration (Bellman 1957): what each state is worth, where chance and rewards are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case
from dlcourse.drivers.limits import TimeLimit

Array = NDArray[np.float64]
Outcomes = Sequence[tuple[float, int, float, bool]]
Model = Mapping[int, Mapping[int, Outcomes]]


def value_iteration(P: Model, gamma: float, tol: float) -> Any:
    V, change = np.zeros(len(P)), np.inf
    while change >= tol:
        old = V
        V = np.array(
            [max(sum(p * (r + gamma * old[n] * (not ends)) for p, n, r, ends in P[s][a]) for a in P[s]) for s in range(len(P))]
        )  # fmt: skip
        change = np.abs(V - old).max()
    return V


def values_in_place(P: Model, gamma: float, tol: float) -> Any:
    V = [0.0] * len(P)
    while True:
        change = 0.0
        for s, actions in P.items():
            best = -np.inf
            for outcomes in actions.values():
                q = 0.0
                for p, s_next, r, terminated in outcomes:
                    q += p * r if terminated else p * (r + gamma * V[s_next])
                best = max(best, q)
            change, V[s] = max(change, abs(best - V[s])), best
        if change < tol:
            return V


def values_by_tables(P: Model, gamma: float, tol: float) -> Any:
    S, A = len(P), len(P[0])
    to, reward = np.zeros((S, A, S)), np.zeros((S, A))
    for s in range(S):
        for a in range(A):
            for p, s_next, r, terminated in P[s][a]:
                reward[s, a] += p * r
                to[s, a, s_next] += p * (1 - terminated)
    V = reward.max(axis=1)
    while np.max(np.abs((new := (reward + gamma * to @ V).max(axis=1)) - V)) >= tol:
        V = new
    return new


# --- worlds -------------------------------------------------------------------------------------------------------

SMALL = [
    [[(1.0, 1, 1.0, False)], [(0.5, 0, 0.0, False), (0.5, 1, 4.0, True)]],
    [[(1.0, 0, -1.0, False)], [(1.0, 1, 2.0, True)]],
]


def planning_inputs(rng: np.random.Generator) -> list[Case]:
    def random(S: int, A: int, shift: float = 0.0, scale: float = 1.0, ending: float = 0.2) -> list[list[Outcomes]]:
        """Each action has one to three outcomes, in tenths; an episode may end in any of the states."""

        def outcomes() -> Outcomes:
            shares = rng.permutation([[10], [7, 3], [2, 8], [3, 6, 1], [2, 3, 5]][int(rng.integers(5))])
            places = rng.choice(S, len(shares), replace=False).tolist()
            rewards = (scale * (rng.normal(size=len(shares)) + shift)).round(1).tolist()
            ends = (rng.random(len(shares)) < ending).tolist()
            return [(k / 10, s, r, e) for k, s, r, e in zip(shares.tolist(), places, rewards, ends, strict=True)]

        return [[outcomes() for _ in range(A)] for _ in range(S)]

    def grid(rows: int, columns: int, goal: int, pit: int, cost: float, slip: float) -> list[list[Outcomes]]:
        """Up, down, left, right; with probability ``slip`` to each side; in the goal and the pit the episode is over."""

        def moved(s: int, a: int) -> int:
            i, j = divmod(s, columns)
            di, dj = [(-1, 0), (1, 0), (0, -1), (0, 1)][a]
            return min(max(i + di, 0), rows - 1) * columns + min(max(j + dj, 0), columns - 1)

        def outcomes(s: int, a: int) -> Outcomes:
            if s in (goal, pit):
                return [(1.0, s, 0.0, True)]
            ways = [(1 - 2 * slip, a), (slip, (2, 3)[a % 2] if a < 2 else (0, 1)[a % 2])] if slip else [(1.0, a)]
            ways += [(slip, (3, 2)[a % 2] if a < 2 else (1, 0)[a % 2])] if slip else []
            reached = [(p, moved(s, way)) for p, way in ways]
            return [(p, n, (n == goal) - (n == pit) - cost, n in (goal, pit)) for p, n in reached]

        return [[outcomes(s, a) for a in range(4)] for s in range(rows * columns)]

    def corridor(S: int) -> list[list[Outcomes]]:
        """One step on, or stay; 0.5 for reaching the end: with every sweep, one more value becomes known."""
        way: list[list[Outcomes]] = [[[(1.0, s + 1, 0.0, False)], [(1.0, s, 0.0, False)]] for s in range(S - 2)]
        end: Outcomes = [(1.0, S - 1, 0.0, True)]
        return [*way, [[(1.0, S - 1, 0.5, True)], [(1.0, S - 2, 0.0, False)]], [end, end]]

    def case(states: Sequence[Sequence[Outcomes]], gamma: float, tol: float = 1e-9, label: str = "") -> Case:
        return Case(({s: dict(enumerate(actions)) for s, actions in enumerate(states)}, gamma, tol), label)

    return [
        case(SMALL, 0.5),
        case(random(4, 2), 0.8),
        case(random(5, 3), 0.9),
        case(grid(3, 4, 11, 7, 0.0, 0.1), 0.95),
        case(grid(3, 3, 4, 2, 0.04, 0.2), 0.9),
        case(random(6, 3, shift=-2.5), 0.7),
        case(grid(1, 6, 0, 5, 1.0, 0.0), 1.0, label="gamma = 1"),
        case(random(5, 3), 0.0, label="gamma = 0"),
        case(random(4, 2, ending=0.0), 0.9, label="episodes that never end"),
        case(random(4, 2, scale=1000.0), 0.9, 1e-6, label="large rewards"),
        case([[[(1.0, 0, 1.0, False)]]], 0.5, label="one state"),
        case(corridor(30), 1.0, 0.1, label="a long corridor"),
    ]


# --- the sweep with one part exchanged ------------------------------------------------------------------------------

MOST_SWEEPS = 2500  # who has not settled by then never will


def weighed(outcomes: Sequence[Any], worths: Sequence[float]) -> float:
    return sum(float(outcome[0]) * worth for outcome, worth in zip(outcomes, worths, strict=True))


def settled(new: list[float], old: list[float], tol: float, sweeps: int) -> bool:
    return max(abs(a - b) for a, b in zip(new, old, strict=True)) < tol


def planned(
    worth: Callable[[float, float, float, bool], float] = lambda r, gamma, ahead, ends: r + gamma * ahead * (not ends),
    ahead: Callable[[list[float], int, int, int], float] = lambda V, s, a, s_next: V[s_next],
    pool: Callable[[Sequence[Any], Sequence[float]], float] = weighed,
    choose: Callable[[Sequence[Any], list[float]], float] = lambda actions, q: max(q),
    stop: Callable[[list[float], list[float], float, int], bool] = settled,
    handed: Callable[[list[float], Array], Any] = lambda V, Q: np.array(V),
    in_place: bool = False,
    held: bool = False,
    start: float = 0.0,
) -> Callable[..., Any]:
    """Sweeps over all states until ``stop``; who never stops runs out of time, here at once."""

    def answer(P: Model, gamma: float, tol: float) -> Any:
        V, zero = [start] * len(P), endings(P) if held else set()
        for sweeps in range(1, MOST_SWEEPS):
            old, Q = list(V), []
            seen = V if in_place else old
            for s, actions in P.items():
                q = [
                    pool(outcomes, [worth(r, gamma, ahead(seen, s, a, n), ends) for _, n, r, ends in outcomes])
                    for a, outcomes in actions.items()
                ]
                V[s] = 0.0 if s in zero else choose(list(actions.values()), q)
                Q.append(q)
            if not np.isfinite(V).all():
                break
            if stop(V, old, tol, sweeps):
                return handed(V, np.array(Q))
        raise TimeLimit

    return answer


def endings(P: Model) -> set[int]:
    """The states in which some episode ends."""
    return {n for actions in P.values() for outcomes in actions.values() for _, n, _, ends in outcomes if ends}


def after(count: int) -> Callable[..., bool]:
    return lambda new, old, tol, sweeps: sweeps == count


def likeliest(outcomes: Sequence[Any], worths: Sequence[float]) -> float:
    shares = [outcome[0] for outcome in outcomes]
    return worths[shares.index(max(shares))]


def until_one_ends(outcomes: Sequence[Any], worths: Sequence[float]) -> float:
    ends = [outcome[3] for outcome in outcomes]
    last = ends.index(True) + 1 if any(ends) else len(ends)
    return weighed(outcomes[:last], worths[:last])


def with_the_last_reward(outcomes: Sequence[Any], worths: Sequence[float]) -> float:
    return float(outcomes[-1][2] + sum(p * (w - r) for (p, _, r, _), w in zip(outcomes, worths, strict=True)))


def rewards_unweighted(outcomes: Sequence[Any], worths: Sequence[float]) -> float:
    return sum(float(r + p * (w - r)) for (p, _, r, _), w in zip(outcomes, worths, strict=True))


def future_unweighted(outcomes: Sequence[Any], worths: Sequence[float]) -> float:
    return sum(float(p * r + (w - r)) for (p, _, r, _), w in zip(outcomes, worths, strict=True))


def best_reward_now(actions: Sequence[Any], q: list[float]) -> float:
    now = [sum(p * r for p, _, r, _ in outcomes) for outcomes in actions]
    return q[now.index(max(now))]


VALUE_ITERATION = Exercise(
    id="reinforcement_learning.value_iteration",
    kind="function",
    title="Value iteration",
    points=3,
    minutes=20,
    difficulty=2,
    function="value_iteration",
    reference=value_iteration,
    alternatives=(values_in_place, values_by_tables),
    inputs=planning_inputs,
    atol=1e-6,
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "bootstraps-through-termination",
            planned(worth=lambda r, gamma, ahead, ends: r + gamma * ahead),
            "The flag `terminated` has no effect: where the episode is over, you still add the value of the state that it ended in. What can be earned after the end?",
        ),
        Wrong(
            "last-reward-lost",
            planned(worth=lambda r, gamma, ahead, ends: 0.0 if ends else r + gamma * ahead),
            "An outcome that ends the episode counts for nothing with you, not even its reward. Which part falls away with the future, and which does not?",
        ),
        Wrong(
            "terminated-reversed",
            planned(worth=lambda r, gamma, ahead, ends: r + gamma * ahead * ends),
            "You look ahead where the episode is over and nowhere else. Which way round is the flag?",
        ),
        Wrong(
            "states-where-episodes-end-held-at-zero",
            planned(held=True),
            "Every state in which some episode ends has the value 0 with you. Can it also be a state from which another episode goes on, and to what does `terminated` belong: a state or a transition?",
        ),
        Wrong(
            "not-discounted",
            planned(worth=lambda r, gamma, ahead, ends: r + ahead * (not ends)),
            "`gamma` has no effect: what comes later counts in full, and where no episode ends the values grow without end. Where does it come in?",
        ),
        Wrong(
            "reward-discounted-too",
            planned(worth=lambda r, gamma, ahead, ends: gamma * (r + ahead * (not ends))),
            "You multiply the reward of the very next step by `gamma`, too. Which part lies in the future?",
        ),
        Wrong(
            "discounted-twice",
            planned(worth=lambda r, gamma, ahead, ends: r + gamma**2 * ahead * (not ends)),
            "Each step discounts by gamma². In how many places do you multiply by `gamma`?",
        ),
        Wrong(
            "one-minus-gamma",
            planned(worth=lambda r, gamma, ahead, ends: r + (1 - gamma) * ahead * (not ends)),
            "You discount by 1 - gamma. Would a far-sighted agent have a `gamma` near 0 or near 1?",
        ),
        Wrong(
            "reward-forgotten",
            planned(worth=lambda r, gamma, ahead, ends: gamma * ahead * (not ends)),
            "All your values are 0: no reward ever enters them. What does an outcome bring beside the state that it leads to?",
        ),
        Wrong(
            "probabilities-ignored",
            planned(pool=lambda outcomes, worths: sum(worths)),
            "You add up the outcomes of an action as if each were certain. What is the mean of two outcomes with probabilities 0.9 and 0.1?",
        ),
        Wrong(
            "outcomes-alike",
            planned(pool=lambda outcomes, worths: sum(worths) / len(worths)),
            "You take the plain mean of an action's outcomes, as if all were equally likely. Which weight should each of them have?",
        ),
        Wrong(
            "first-outcome-only",
            planned(pool=lambda outcomes, worths: worths[0]),
            "You look at the first outcome of each action alone and count it as certain. What of the others in the list?",
        ),
        Wrong(
            "first-outcome-weighed",
            planned(pool=lambda outcomes, worths: outcomes[0][0] * worths[0]),
            "You look at the first outcome of each action alone, with its probability. What of the others in the list?",
        ),
        Wrong(
            "last-outcome-only",
            planned(pool=lambda outcomes, worths: outcomes[-1][0] * worths[-1]),
            "Only the last outcome of each action counts, with its probability. Does each round of a loop overwrite the sum that it should add to?",
        ),
        Wrong(
            "outcomes-after-an-ending-lost",
            planned(pool=until_one_ends),
            "Behind an outcome that ends the episode you look at no other of its list, as a `break` would do. Do they not happen any more?",
        ),
        Wrong(
            "reward-of-the-last-outcome",
            planned(pool=with_the_last_reward),
            "You add the reward of the *last* outcome, once and in full, for all outcomes of an action. Is it added after the loop over them?",
        ),
        Wrong(
            "likeliest-outcome",
            planned(pool=likeliest),
            "You count on the likeliest outcome of each action, as if nothing else could happen. What does a small chance of a pit do to an expected value?",
        ),
        Wrong(
            "best-outcome",
            planned(pool=lambda outcomes, worths: max(worths)),
            "You take the best *outcome* of an action. The agent may choose its action: may it choose its luck?",
        ),
        Wrong(
            "best-weighed-outcome",
            planned(pool=lambda outcomes, worths: max(o[0] * w for o, w in zip(outcomes, worths, strict=True))),
            "You take the largest of all single products, over actions and outcomes alike. Which of the two is the agent's choice, and over which must you add up first?",
        ),
        Wrong(
            "reward-not-weighed",
            planned(pool=rewards_unweighted),
            "The probability weighs the future alone, and the reward of every outcome is added in full. Around what do the formula's parentheses stand?",
        ),
        Wrong(
            "future-not-weighed",
            planned(pool=future_unweighted),
            "The probability weighs the reward alone, and the future of every outcome is added in full. Around what do the formula's parentheses stand?",
        ),
        Wrong(
            "mean-over-actions",
            planned(choose=lambda actions, q: sum(q) / len(q)),
            "Your value is the mean over the actions: what an agent gets that acts at random. What would the best agent do?",
        ),
        Wrong(
            "worst-action",
            planned(choose=lambda actions, q: min(q)),
            "Your value is that of the *worst* action. Which one would the best agent take?",
        ),
        Wrong(
            "first-action",
            planned(choose=lambda actions, q: q[0]),
            "Your value is that of action 0, whichever is best. Over what does the formula take its maximum?",
        ),
        Wrong(
            "last-action",
            planned(choose=lambda actions, q: q[-1]),
            "Your value is that of the last action, whichever is best. Does each round of a loop overwrite what should be compared?",
        ),
        Wrong(
            "best-reward-now",
            planned(choose=best_reward_now),
            "You choose the action with the best *next* reward, and then look what it is worth. Which action would lead to more in the long run?",
        ),
        Wrong(
            "never-below-zero",
            planned(choose=lambda actions, q: max(0.0, *q)),
            "None of your values is below 0, though all actions of a state may be bad. Does a search begin with `best = 0`?",
        ),
        Wrong(
            "value-of-the-same-state",
            planned(ahead=lambda V, s, a, s_next: V[s]),
            "You look up the value of the state that is *left*. Where is the agent after the step?",
        ),
        Wrong(
            "value-at-the-action",
            planned(ahead=lambda V, s, a, s_next: V[a % len(V)]),
            "You look up the value at the number of the *action*. Which of the four parts of an outcome says where the step leads?",
        ),
        Wrong(
            "one-sweep",
            planned(stop=after(1)),
            "You stop after one sweep over the states: your values know the next reward alone. How does a reward get known three steps away, and when is it time to stop?",
        ),
        Wrong(
            "one-sweep-in-place",
            planned(stop=after(1), in_place=True),
            "You stop after one sweep, which uses new values as soon as they are there. Is what you keep as the old V for comparison the very same array, so that nothing ever seems to change?",
        ),
        *(
            Wrong(
                f"{count}-sweeps",
                planned(stop=after(count)),
                f"You stop after {count} sweeps, whether the values have settled or not. What does `tol` say about when to stop?",
            )
            for count in (2, 10, 100)
        ),
        Wrong(
            "change-of-the-last-state",
            planned(stop=lambda new, old, tol, sweeps: abs(new[-1] - old[-1]) < tol),
            "You stop too early where the *last* state settles before the others: its change alone decides. Does each state overwrite the change that was noted for the ones before?",
        ),
        Wrong(
            "change-of-the-first-state",
            planned(stop=lambda new, old, tol, sweeps: abs(new[0] - old[0]) < tol),
            "You stop too early where the *first* state settles before the others: its change alone decides. What must hold for all of them?",
        ),
        Wrong(
            "one-state-settled",
            planned(stop=lambda new, old, tol, sweeps: min(abs(a - b) for a, b in zip(new, old, strict=True)) < tol),
            "You stop as soon as *some* state hardly changes, which a state at the end of the world never does. What must hold for all of them?",
        ),
        Wrong(
            "mean-change",
            planned(stop=lambda new, old, tol, sweeps: sum(abs(a - b) for a, b in zip(new, old, strict=True)) < tol * len(new)),
            "Right in small worlds. In a long corridor, where each sweep changes one value, you stop although this one changes by more than `tol`. Is it a mean over the states that you compare, or do you compare with something larger than `tol`? What must hold for each state?",
        ),
        Wrong(
            "not-from-zeros",
            planned(start=1.0),
            "Right where `gamma` is below 1. Your values do not start from zeros, and with `gamma` = 1 an agent that may stand still keeps for ever what it was promised at first. With which values does the task start?",
        ),
        Wrong(
            "change-with-its-sign",
            planned(stop=lambda new, old, tol, sweeps: max(a - b for a, b in zip(new, old, strict=True)) < tol),
            "You stop too early where values fall: a change of -1 is less than `tol`. What makes a change large?",
        ),
        Wrong(
            "action-values",
            planned(handed=lambda V, Q: Q),
            "You hand back one number for each state *and action*. What does the task ask for?",
        ),
        Wrong(
            "policy-for-values",
            planned(handed=lambda V, Q: Q.argmax(axis=1)),
            "You hand back the number of the best action in each state, the policy. What does the task ask for?",
        ),
        Wrong(
            "values-and-policy",
            planned(handed=lambda V, Q: (np.array(V), Q.argmax(axis=1))),
            "You hand back two results, the values and the policy. What does the task ask for?",
        ),
        Wrong(
            "value-of-the-first-state",
            planned(handed=lambda V, Q: V[0]),
            "You hand back one number, the value of state 0. How many does the task ask for?",
        ),
    ),
    hints=(
        "For one state: what is each action worth, if the values of all states were known? Then: which action would you take?",
        "An action is worth the sum over its outcomes of p · (r + gamma · V[s'] if the episode goes on, else r). The new V[s] is the best action's. Sweep over all states until the largest change, as a size, is below tol; compare with a copy.",
        "`while True: old = V.copy(); for s in range(len(P)): V[s] = max(sum(p * (r + gamma * old[n] * (1 - d)) for p, n, r, d in P[s][a]) for a in P[s])`, and return when `np.abs(V - old).max() < tol`.",
    ),
    unlocks="Who knows the values knows what to do: the action whose sum is the largest.",
)  # fmt: skip
