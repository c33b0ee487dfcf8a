"""Values in a table: computed from a known model, or learned from steps (Bellman 1957; Watkins 1989; Rummery and Niranjan 1994).

``P[s][a]`` is a list of ``(probability, next state, reward, terminated)``, as in Gymnasium's small environments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlcourse.bars import progress_bar
from dlcourse.rl.envs import LONGEST, make, opened

__all__ = [
    "Learned", "Solved", "action_values", "greedy", "q_learning", "sarsa", "shaped", "transitions", "value_iteration",
]  # fmt: skip

Array = NDArray[np.float64]
Schedule = float | tuple[float, float]
Model = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]


class Solved(NamedTuple):
    """What value iteration found.

    Attributes
    ----------
    V : (S,) the value of each state
    policy : (S,) the action that is best in it, of several the first
    history : (K + 1, S) the values after 0, 1, … K sweeps
    """

    V: Array
    policy: NDArray[np.int64]
    history: Array


class Learned(NamedTuple):
    """What was learned from steps.

    Attributes
    ----------
    Q : (S, A) the value of each action in each state
    returns : (episodes,) of the training, exploration included; fewer if it was interrupted
    steps : taken in all
    """

    Q: Array
    returns: Array
    steps: int


def transitions(env: Any) -> Model:
    """The model P of a small environment, which may be wrapped or given by its name; P itself comes back as it is.

    Raises
    ------
    TypeError
        If the environment tells none.
    """
    if isinstance(env, Mapping):
        return env
    base = (make(env) if isinstance(env, str) else env).unwrapped
    model = getattr(base, "transitions", getattr(base, "P", None))
    if not isinstance(model, Mapping):
        raise TypeError(f"transitions: {base!r} tells no model; FrozenLake, CliffWalking, Taxi and GridWorld do")
    return model


def action_values(P: Model, V: Array, gamma: float) -> Array:
    """One look ahead: for each state and action, (S, A), the mean of reward + gamma · V of what follows.

    Nothing follows a terminated step, so its V does not count.
    """
    return np.array(
        [
            [sum(p * (r + gamma * V[after] * (not over)) for p, after, r, over in P[s][a]) for a in range(len(P[s]))]
            for s in range(len(P))
        ]
    )


def value_iteration(
    P: Any, gamma: float = 0.99, tol: float = 1e-8, epsilon: float = 0.0, sweeps: int = 10_000
) -> Solved:
    """The best values of a known model: look ahead in all states, take the best action, and again until nothing moves.

    Parameters
    ----------
    P : the model, or an environment that tells it, or its name
    gamma : discount, from 0 to 1
    tol : stop when no value moves by more
    epsilon : share of actions that are taken by chance; the values are then the best that an explorer can have, which
        is what SARSA comes to
    sweeps : at most

    Raises
    ------
    ValueError
        If gamma or epsilon lies outside, or the values still move after all sweeps, as without a discount they may for ever.
    """
    P = transitions(P)
    if not (0 <= gamma <= 1 and 0 <= epsilon <= 1 and sweeps >= 1):
        raise ValueError(
            f"value_iteration: gamma={gamma!r}, epsilon={epsilon!r}, sweeps={sweeps!r}; "
            "give 0 to 1, 0 to 1, and at least 1 sweep"
        )
    history = [np.zeros(len(P))]
    for _ in range(sweeps):
        Q = action_values(P, history[-1], gamma)
        history.append((1 - epsilon) * Q.max(1) + epsilon * Q.mean(1))
        if np.abs(history[-1] - history[-2]).max() <= tol:
            return Solved(history[-1], greedy(action_values(P, history[-1], gamma)), np.array(history))
    raise ValueError(
        f"value_iteration: gamma={gamma!r}, and values still move by {np.abs(history[-1] - history[-2]).max():.2g} "
        f"after {sweeps} sweeps; a smaller gamma settles sooner"
    )


def shaped(P: Any, potential: Array, gamma: float) -> Model:
    """The model with γ Φ(s′) - Φ(s) added to each reward, which leaves the best policies as they are (Ng et al. 1999).

    Parameters
    ----------
    P : the model, or an environment that tells it, or its name
    potential : (S,) Φ; what ends the task leads to a potential of 0, whatever stands there
    gamma : the discount that the values will have
    """
    extra = np.asarray(potential, dtype=float)
    return {
        s: {
            a: [(p, after, r + gamma * extra[after] * (not over) - extra[s], over) for p, after, r, over in outcomes]
            for a, outcomes in actions.items()
        }
        for s, actions in transitions(P).items()
    }


def greedy(Q: ArrayLike) -> NDArray[np.int64]:
    """The best action of each state, (S, A) -> (S,); of several the first."""
    best: NDArray[np.int64] = np.asarray(Q).argmax(1)
    return best


def q_learning(
    env: Any, *, episodes: int = 1000, alpha: Schedule = 0.5, gamma: float = 0.99, epsilon: Schedule = 0.1,
    seed: int = 0, truncation_ends: bool = False, progress: bool = True,
) -> Learned:  # fmt: skip
    """Learn from each step what the best action would give next: Q(s, a) += α (r + γ max Q(s′, ·) - Q(s, a)).

    Parameters
    ----------
    env : an environment with numbered states and actions, or its name
    episodes : to play; one without a clock is stopped after 10,000 steps
    alpha : step size, from 0 to 1; a pair goes in a line from its first to its second over the first 70 % of the
        episodes. Where chance rules, a large step forgets what it averages over
    gamma : discount, from 0 to 1
    epsilon : probability of an action by chance, or a pair
    seed : of the environment and of the exploration
    truncation_ends : the mistake of taking the clock's last step for the task's end, as if nothing could come after it
    progress : show a bar with the mean return

    Returns
    -------
    Learned; after an interrupt, of what was learned until then

    Raises
    ------
    ValueError
        If an option lies outside its bounds.
    TypeError
        If states or actions are not numbered.
    """

    def best(values: list[float], following: int) -> float:
        return max(values)

    return _learn("q_learning", best, env, episodes, alpha, gamma, epsilon, seed, truncation_ends, progress)


def sarsa(
    env: Any, *, episodes: int = 1000, alpha: Schedule = 0.5, gamma: float = 0.99, epsilon: Schedule = 0.1,
    seed: int = 0, truncation_ends: bool = False, progress: bool = True,
) -> Learned:  # fmt: skip
    """Learn what the policy itself will do next, its exploration included: Q(s, a) += α (r + γ Q(s′, a′) - Q(s, a)).

    Options, result and errors are those of ``q_learning``.
    """

    def followed(values: list[float], following: int) -> float:
        return values[following]

    return _learn("sarsa", followed, env, episodes, alpha, gamma, epsilon, seed, truncation_ends, progress)


def _learn(
    function: str, worth: Callable[[list[float], int], float], env: Any, episodes: int, alpha: Schedule, gamma: float,
    epsilon: Schedule, seed: int, truncation_ends: bool, progress: bool,
) -> Learned:  # fmt: skip
    """Both methods: ``worth`` says what a state is worth, from its actions' values and the action that is taken next."""
    if episodes < 1 or not 0 <= gamma <= 1:
        raise ValueError(f"{function}: episodes={episodes!r}, gamma={gamma!r}; give at least 1, and 0 to 1")
    sizes, chances = (_line(function, *named, episodes) for named in (("alpha", alpha), ("epsilon", epsilon)))
    world, own = opened(env)
    S, A = _sizes(function, world)
    rng, Q = np.random.default_rng(seed), [[0.0] * A for _ in range(S)]  # lists: a step looks at a few numbers only
    returns: list[float] = []
    steps = 0
    try:
        with progress_bar(progress, total=episodes, unit="episode") as bar:
            for k, (size, chance) in enumerate(zip(sizes, chances, strict=True)):
                state, _ = world.reset(seed=seed if k == 0 else None)
                action, earned = _explore(Q[state], chance, rng), 0.0
                for _ in range(LONGEST):
                    after, reward, terminated, truncated, _ = world.step(action)
                    following = _explore(Q[after], chance, rng)
                    ends = terminated or (truncated and truncation_ends)
                    target = reward if ends else reward + gamma * worth(Q[after], following)
                    Q[state][action] += size * (target - Q[state][action])
                    state, action, earned, steps = after, following, earned + float(reward), steps + 1
                    if terminated or truncated:
                        break
                returns.append(earned)
                if k % 20 == 0:
                    bar.set_postfix_str(f"mean return {np.mean(returns[-100:]):.2f}", refresh=False)
                bar.update()
    except KeyboardInterrupt:
        pass
    if own:
        world.close()
    return Learned(np.array(Q), np.array(returns), steps)


def _explore(values: list[float], epsilon: float, rng: np.random.Generator) -> int:
    """Any action with probability epsilon, otherwise the best, ties broken by chance."""
    if rng.random() < epsilon:
        return int(rng.random() * len(values))
    largest = max(values)
    best = [action for action, value in enumerate(values) if value == largest]
    return best[0] if len(best) == 1 else best[int(rng.random() * len(best))]


def _sizes(function: str, env: Any) -> tuple[int, int]:
    """The numbers of states and of actions."""
    states, actions = getattr(env.observation_space, "n", None), getattr(env.action_space, "n", None)
    if states is None or actions is None:
        raise TypeError(
            f"{function}: {env!r} has observations {env.observation_space} and actions {env.action_space}; "
            "a table needs both numbered (Discrete)"
        )
    return int(states), int(actions)


def _line(function: str, name: str, given: Schedule, episodes: int) -> list[float]:
    """A number for each episode: the one that is given, or from the first to the last and then the last."""
    first, last = given if isinstance(given, tuple) else (given, given)
    if not (0 <= first <= 1 and 0 <= last <= 1):
        raise ValueError(f"{function}: {name}={given!r}; give a number from 0 to 1, or two")
    return [first + (last - first) * min(1.0, k / (0.7 * episodes)) for k in range(episodes)]
