"""Where an agent acts: environments of Gymnasium by name, whole episodes with a policy, and many CartPoles in one array.

A step has two ways to be the last. *Terminated*: the task is over, nothing is earned after it. *Truncated*: a clock has
stopped the episode, and what would have come is still worth something (Towers et al., "Gymnasium", 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Episode", "VectorCartPole", "episode", "make", "play", "register"]

Policy = Callable[[Any], Any] | ArrayLike  # of an observation its action; or for states 0 … S - 1 an array of actions

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
LONGEST = 10_000  # steps of an episode in an environment without a clock, such as CliffWalking
FARTHEST, STEEPEST = 2.4, 12 * 2 * np.pi / 360  # from the middle in meters, from upright in radians


class VectorCartPole:
    """N CartPoles side by side, each Gymnasium's CartPole-v1 step by step (Barto, Sutton and Anderson 1983).

    An observation is the cart's position and velocity, the pole's angle and angular velocity; action 0 pushes to the
    left, 1 to the right; each step earns 1. A pole that falls, or a cart that leaves, terminates its episode; the clock
    truncates it. The next episode of that cart starts at once.

    Parameters
    ----------
    n : carts
    rng : NumPy Generator that the starts are drawn from
    max_steps : after which the clock stops an episode
    """

    actions = 2
    observation_shape = (4,)

    def __init__(self, n: int, rng: np.random.Generator, max_steps: int = 500) -> None:
        if n < 1 or max_steps < 1:
            raise ValueError(f"VectorCartPole: n={n!r}, max_steps={max_steps!r}; give at least 1 of each")
        self.n, self.rng, self.max_steps = n, rng, max_steps
        self.reset()

    def reset(self, states: ArrayLike | None = None) -> NDArray[np.float32]:
        """Start all episodes anew.

        Parameters
        ----------
        states : (n, 4) to start from; drawn between -0.05 and 0.05 if there are none

        Returns
        -------
        (n, 4) observations

        Raises
        ------
        ValueError
            If the states have another shape.
        """
        drawn = self._starts(self.n) if states is None else np.array(states, dtype=np.float64)
        if drawn.shape != (self.n, 4):
            raise ValueError(f"VectorCartPole.reset: states of shape {drawn.shape}; give ({self.n}, 4)")
        self.states, self.elapsed = drawn, np.zeros(self.n, dtype=np.int64)
        return drawn.astype(np.float32)

    def step(
        self, actions: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float32]]:
        """Push each cart once.

        Parameters
        ----------
        actions : (n,) of 0 and 1

        Returns
        -------
        observations : (n, 4) to act on next; where an episode has ended, the start of another
        rewards : (n,)
        terminated, truncated : (n,) booleans; both at once where a pole falls on the clock's last step
        final : (n, 4) where the step has led, in all rows: what to bootstrap from if it was truncated

        Raises
        ------
        ValueError
            If the actions have another shape or are neither 0 nor 1.
        """
        pushes = np.asarray(actions)
        right = pushes == 1
        if pushes.shape != (self.n,) or not (right | (pushes == 0)).all():
            raise ValueError(f"VectorCartPole.step: actions={actions!r}; give {self.n} of 0 (left) and 1 (right)")
        self.states = _pushed(self.states, right)
        self.elapsed += 1
        terminated = (np.abs(self.states[:, 0]) > FARTHEST) | (np.abs(self.states[:, 2]) > STEEPEST)
        truncated = self.elapsed >= self.max_steps
        final, over = self.states.astype(np.float32), terminated | truncated
        if over.any():
            self.states[over], self.elapsed[over] = self._starts(int(over.sum())), 0
        return self.states.astype(np.float32), np.ones(self.n), terminated, truncated, final

    def _starts(self, n: int) -> NDArray[np.float64]:
        return self.rng.uniform(-0.05, 0.05, size=(n, 4))


def _pushed(states: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The states (n, 4) a fiftieth of a second later, by Euler's method (Florian 2007, without friction)."""
    _, velocity, angle, turning = states.T
    force = np.where(right, FORCE, -FORCE)
    cosine, sine, mass = np.cos(angle), np.sin(angle), POLE + CART
    push = (force + POLE * HALF_LENGTH * np.square(turning) * sine) / mass
    turn = (GRAVITY * sine - cosine * push) / (HALF_LENGTH * (4.0 / 3.0 - POLE * np.square(cosine) / mass))
    speed_up = push - POLE * HALF_LENGTH * turn * cosine / mass
    return states + SECONDS * np.array([velocity, speed_up, turning, turn]).T


def register() -> None:
    """Make ``dlcourse/GridWorld-v0`` known to Gymnasium; a second call changes nothing."""
    import gymnasium

    if "dlcourse/GridWorld-v0" not in gymnasium.registry:
        gymnasium.register("dlcourse/GridWorld-v0", "dlcourse.rl.gridworld:GridWorld", max_episode_steps=100)


def make(id: str, **options: Any) -> Any:
    """An environment of Gymnasium; a name without a version gives the newest that is installed.

    Parameters
    ----------
    id : such as "Taxi" (Gymnasium 1.0 had Taxi-v3, 1.3 has Taxi-v4), "CartPole-v1" or "GridWorld", the course's own
    options : go on to ``gymnasium.make``

    Raises
    ------
    ValueError
        If no environment has that name.
    """
    import gymnasium

    register()
    if id not in gymnasium.registry and "-v" not in id:
        versions = [
            spec for spec in gymnasium.registry.values() if spec.name == id and spec.namespace in (None, "dlcourse")
        ]
        if not versions:
            raise ValueError(f"make: id={id!r}; Gymnasium knows no environment of that name, as it knows 'CartPole'")
        id = max(versions, key=lambda spec: spec.version or 0).id
    return gymnasium.make(id, **options)


class Episode(NamedTuple):
    """What was seen, done and earned.

    Attributes
    ----------
    observations : (T + 1, ...) the start and where each step has led
    actions : (T,)
    rewards : (T,)
    terminated : whether the last step ended the task; otherwise the clock stopped it
    """

    observations: NDArray[Any]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]
    terminated: bool


def episode(env: Any, policy: Policy, seed: int | None = None) -> Episode:
    """One episode from start to end, or 10,000 steps of it where no clock stops it.

    Parameters
    ----------
    env : an environment, or its name
    policy : observation -> action; where observations are numbers of states, an array with each state's action will do
    seed : of the environment; None goes on with the environment's own generator
    """
    act = _acting(policy)
    world, own = opened(env)
    observation, _ = world.reset(seed=seed)
    observations, actions, rewards, terminated = [observation], [], [], False
    for _ in range(LONGEST):
        action = int(act(observation))
        observation, reward, terminated, truncated, _ = world.step(action)
        observations.append(observation)
        actions.append(action)
        rewards.append(float(reward))
        if terminated or truncated:
            break
    if own:
        world.close()
    return Episode(np.array(observations), np.array(actions), np.array(rewards), bool(terminated))


def play(env: Any, policy: Policy, episodes: int = 100, seed: int = 0) -> NDArray[np.float64]:
    """The return, without a discount, of each of several episodes.

    Parameters
    ----------
    env : an environment with discrete actions, or its name
    policy : observation -> action, or an array with each state's action
    episodes : how many
    seed : of the first episode's start; the others go on with the same generator

    Returns
    -------
    (episodes,)
    """
    if episodes < 1:
        raise ValueError(f"play: episodes={episodes!r}; give at least 1")
    world, own = opened(env)
    returns = [episode(world, policy, seed if k == 0 else None).rewards.sum() for k in range(episodes)]
    if own:
        world.close()
    return np.array(returns)


def opened(env: Any) -> tuple[Any, bool]:
    """The environment itself, made if its name is given, and whether it was made here and has to be closed here."""
    return (make(env, disable_env_checker=True), True) if isinstance(env, str) else (env, False)


def _acting(policy: Policy) -> Callable[[Any], Any]:
    if callable(policy):
        return policy
    actions = np.asarray(policy)

    def act(observation: Any) -> Any:
        if np.ndim(observation) or np.asarray(observation).dtype.kind not in "iu":
            raise TypeError(
                f"play: the policy is an array, an action for each numbered state, but the environment shows "
                f"{observation!r}; give a function of that"
            )
        return actions[observation]

    return act
