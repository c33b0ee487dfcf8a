"""Explorers of unit 16: a bandit to play against UCB, a grid to paint on, and a trained agent with its Q-values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlcourse.plot import BLUE, ORANGE, RED
from dlcourse.plot.reinforcement import draw_cartpole, draw_grid
from dlcourse.rl.bandits import ucb
from dlcourse.widgets import explore
from dlcourse.widgets.grid_pad import GridPad

__all__ = [
    "MAPS",
    "PLAYERS",
    "Arms",
    "Duel",
    "Ride",
    "bandit_explorer",
    "bandit_figure",
    "duel",
    "grid_explorer",
    "grid_figure",
    "replay_explorer",
    "replay_figure",
    "ride",
    "swept",
]

Array = NDArray[Any]

# --- a bandit to play against UCB

ARMS, PULLS, CONFIDENCE = 5, 40, 1.0


class Duel(NamedTuple):
    """A game so far.

    Attributes
    ----------
    means : (A,) what the arms pay on average
    values, counts : (A,) means of what they have paid to the player, and how often
    yours, theirs : (n,) regret of the player and of UCB after each pull
    paid : what the last pull has paid; 0 before the first
    """

    means: Array
    values: Array
    counts: Array
    yours: Array
    theirs: Array
    paid: float


def duel(game: int, pulled: Sequence[int]) -> Duel:
    """Play these arms, and UCB beside them on the same machine: an arm's n-th pull pays the same to both.

    Parameters
    ----------
    game : number of the machine
    pulled : arms, at most 40, numbered from 0

    Raises
    ------
    ValueError
        If there is no such arm, or there are too many pulls.
    """
    if len(pulled) > PULLS or not np.isin(pulled, range(ARMS)).all():
        raise ValueError(f"duel: pulled={list(pulled)!r}; give at most {PULLS} numbers from 0 to {ARMS - 1}")
    arms = np.asarray(pulled, dtype=int)
    means, payments = _machine(game)
    values, counts, paid = _played(payments, arms)
    theirs = _ucb_pulls(payments, len(arms))
    lost = means.max() - means
    return Duel(means, values, counts, lost[arms].cumsum(), lost[theirs].cumsum(), paid)


def _machine(game: int) -> tuple[Array, Array]:
    """What the arms pay on average, (A,), and what each arm's n-th pull pays, (A, 40)."""
    rng = np.random.default_rng(game)
    means = rng.normal(size=ARMS)
    return means, means[:, None] + rng.normal(size=(ARMS, PULLS))


def _played(payments: Array, arms: Array) -> tuple[Array, Array, float]:
    """Each arm's mean payment and count, and the last payment."""
    counts = np.bincount(arms, minlength=ARMS)
    values = np.array([payments[arm, :n].mean() if n else 0.0 for arm, n in enumerate(counts)])
    return values, counts, float(payments[arms[-1], counts[arms[-1]] - 1]) if len(arms) else 0.0


def _ucb_pulls(payments: Array, pulls: int) -> Array:
    """The arms that UCB pulls, with less doubt than usual since the game is short."""
    strategy, rng = ucb(CONFIDENCE), np.random.default_rng(0)
    arms: list[int] = []
    for t in range(pulls):
        values, counts, _ = _played(payments, np.array(arms, dtype=int))
        arms.append(int(strategy(values[None], counts[None], t, rng)[0]))
    return np.array(arms, dtype=int)


class Arms(w.HBox):  # type: ignore[misc]
    """A button for each arm; ``value`` lists what was pulled, the first pull first."""

    value: Any = traitlets.List()

    def __init__(self) -> None:
        super().__init__()
        self.children = [w.Button(description=f"arm {arm + 1}", layout=w.Layout(width="5.5em")) for arm in range(ARMS)]
        for arm, button in enumerate(self.children):
            button.on_click(lambda _, arm=arm: self.pull(arm))

    def pull(self, arm: int) -> None:
        """Pull an arm, unless the game is over."""
        if len(self.value) < PULLS:
            self.value = [*self.value, arm]


class _Bandit:
    """What is known of the arms at the left, both regrets at the right."""

    def __init__(self) -> None:
        self.figure, (self.arms, self.regret) = plt.subplots(
            1, 2, figsize=(8.6, 3.0), layout="constrained", width_ratios=(1, 1.25)
        )

    def update(self, pulled: Sequence[int], game: int) -> str:
        """Draw a game so far; returns what was paid and lost as a sentence."""
        for ax in (self.arms, self.regret):
            ax.clear()
        now, over = duel(game, pulled), len(pulled) >= PULLS
        numbers, tried = np.arange(1, ARMS + 1), now.counts > 0
        self.arms.bar(numbers[tried], now.values[tried], color=BLUE, alpha=0.6)
        self.arms.errorbar(numbers[tried], now.values[tried], 1 / np.sqrt(now.counts[tried]), fmt="none", ecolor="0.2",
                           capsize=4)  # fmt: skip
        if over:
            self.arms.plot(numbers, now.means, linestyle="", marker="D", color=RED, label="true mean")
            self.arms.legend(fontsize=8)
        self.arms.axhline(0, color="0.3", linewidth=0.8, linestyle="-")
        self.arms.set(xlim=(0.4, ARMS + 0.6), ylim=(-3.2, 3.2), ylabel="mean payment")
        self.arms.set_xticks(numbers, [f"arm {k}\n{n}×" for k, n in zip(numbers, now.counts, strict=True)])
        self.arms.set_title("what the arms have paid you")
        steps = np.arange(1, len(pulled) + 1)
        self.regret.plot(steps, now.yours, color=ORANGE, linestyle="-", label="you")
        self.regret.plot(steps, now.theirs, color=BLUE, linestyle="--", label="UCB")
        self.regret.set(xlabel="pulls", ylabel="regret", xlim=(0, PULLS + 1))
        self.regret.set_ylim(0, max(1.0, self.regret.get_ylim()[1]) if len(steps) else 1.0)
        self.regret.legend(fontsize=8, loc="upper left")
        self.regret.set_title(_score(now))
        return _bandit_said(now, pulled, over)


def _score(now: Duel) -> str:
    if not len(now.yours):
        return "regret: nobody has pulled yet"
    return f"regret after {len(now.yours)} pulls: you {now.yours[-1]:.1f}, UCB {now.theirs[-1]:.1f}"


def _bandit_said(now: Duel, pulled: Sequence[int], over: bool) -> str:
    if not pulled:
        return f"Pull an arm. You have {PULLS} pulls."
    said = f"Pull {len(pulled)}: arm {pulled[-1] + 1} paid {now.paid:.2f}. "
    if not over:
        return said + f"{PULLS - len(pulled)} pulls are left."
    ahead = "You win" if now.yours[-1] < now.theirs[-1] else "UCB wins" if now.yours[-1] > now.theirs[-1] else "A draw"
    return (
        said
        + f"{ahead}. The best arm was {now.means.argmax() + 1}, which you pulled {now.counts[now.means.argmax()]} times."
    )


def bandit_explorer() -> w.VBox:
    """Pull the arms of a bandit yourself, 40 times, with UCB beside you."""
    panel, arms = _Bandit(), Arms()
    game = w.BoundedIntText(value=0, min=0, max=1000, description="game number")
    game.observe(lambda _: setattr(arms, "value", []), names="value")
    return explore(panel.figure, panel.update, {"pulled": arms, "game": game})


def _greedy(game: int) -> list[int]:
    """Each arm once, then always the one that has paid best on average so far."""
    (_, payments), pulled = _machine(game), list(range(ARMS))
    while len(pulled) < PULLS:
        pulled.append(int(_played(payments, np.array(pulled))[0].argmax()))
    return pulled


def _commits(game: int) -> list[int]:
    """Each arm three times, then forever the one that paid best on average."""
    first = list(range(ARMS)) * 3
    return first + [int(duel(game, first).values.argmax())] * (PULLS - len(first))


PLAYERS: dict[str, Callable[[int], list[int]]] = {
    "greedy after one pull of each": _greedy,
    "three pulls of each, then stay": _commits,
}


def bandit_figure(game: int, strategy: str) -> Figure:
    """The explorer's picture after a game of one of PLAYERS, standing still."""
    panel = _Bandit()
    panel.update(PLAYERS[strategy](game), game)
    return panel.figure


# --- a grid to paint on

MAPS: dict[str, tuple[str, ...]] = {
    "a wall with a gap": ("-----G", "-----H", "-####-", "------", "S-----"),
    "along a cliff": ("------", "------", "------", "S----G", "-HHHH-"),
    "a coin that never runs out": ("-----G", "--##--", "--##--", "1-----", "-S----"),
    "empty": ("-----G", "------", "------", "------", "S-----"),
}
BRUSHES = {"wall": "#", "free": "-", "goal: +1, the end": "G", "hole: −1, the end": "H", "coin: +1 at each visit": "1"}
FIRST_MAP = "a wall with a gap"
MOST_SWEEPS = 40
SAME = 1e-9  # actions whose worth differs by no more are drawn as equal
MOVING = 1e-4  # a sweep that changes no value by more has found them


def swept(rows: Sequence[str], sweeps: int, gamma: float, slip: float) -> tuple[Array, Array]:
    """Values (S,) after some sweeps of value iteration over a grid, and the values one sweep earlier.

    Parameters
    ----------
    rows : of a GridWorld
    sweeps : 0 or more; all values are 0 at first
    gamma, slip : discount, and the probability to slide to a side
    """
    from dlcourse.rl.gridworld import GridWorld
    from dlcourse.rl.tabular import action_values

    P = GridWorld(rows, slip=slip).transitions
    V = before = np.zeros(len(P))
    for _ in range(sweeps):
        V, before = action_values(P, V, gamma).max(axis=1), V
    return V, before


class _Grid:
    """Values after some sweeps as colors and numbers, and as arrows the way that looks best by them."""

    def __init__(self) -> None:
        self.figure, self.plane = plt.subplots(figsize=(5.2, 4.6), layout="constrained")

    def update(self, rows: Sequence[str], sweeps: int, gamma: float, slip: float) -> str:
        """Draw the values; returns what the start is worth as a sentence."""
        self.plane.clear()
        gamma, slip = round(gamma, 3), round(slip, 3)
        V, before = swept(rows, sweeps, gamma, slip)
        draw_values(self.plane, rows, V, gamma, slip, _sweeps(sweeps))
        start = V["".join(rows).index("S")]
        moves = np.abs(V - before).max()
        said = f"{_sweeps(sweeps).capitalize()} with γ = {gamma:g} the start is worth {start:.2f}"
        if not sweeps:
            return said + "; nothing has been looked at."
        return said + (
            "; no value moves any more." if moves < MOVING else f"; some value still moves by {moves:.2g} a sweep."
        )


def draw_values(ax: Any, rows: Sequence[str], V: Array, gamma: float, slip: float, title: str) -> None:
    """A grid with its values, and as arrows the actions that are best by them; none where all are worth the same."""
    from dlcourse.rl.gridworld import GridWorld
    from dlcourse.rl.tabular import action_values

    Q = action_values(GridWorld(rows, slip=slip).transitions, V, gamma)  # (S, A)
    policy = np.where(np.ptp(Q, axis=1) > SAME, Q.argmax(axis=1), -1)
    draw_grid(ax, rows, V, policy, title=title)


def grid_figure(panels: Sequence[tuple[str, int, float]], finding: str, gamma: float = 0.9) -> Figure:
    """The explorer's picture for several settings, side by side, standing still.

    Parameters
    ----------
    panels : of each the name of one of MAPS, how many sweeps, and the slip
    finding : what is seen
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.0 * len(panels), 2.9), layout="constrained", squeeze=False)
    for ax, (name, sweeps, slip) in zip(axes[0], panels, strict=True):
        V, _ = swept(MAPS[name], sweeps, gamma, slip)
        title = f"{_sweeps(sweeps)}, slip {slip:g}" if slip else _sweeps(sweeps)
        draw_values(ax, MAPS[name], V, gamma, slip, title)
    figure.suptitle(finding, fontsize=11)
    return figure


def _sweeps(count: int) -> str:
    return f"after {count} sweep{'s' * (count != 1)}"


def grid_explorer() -> w.VBox:
    """Paint walls, goals, holes and coins, and step value iteration."""
    panel = _Grid()
    pad = GridPad(value=list(MAPS[FIRST_MAP]))
    begin = w.Dropdown(options=list(MAPS), value=FIRST_MAP, description="begin with")
    brush = w.Dropdown(options=list(BRUSHES), description="paint")

    def begun(change: Any) -> None:
        pad.value = list(MAPS[change["new"]])

    def brushed(change: Any) -> None:
        pad.brush = BRUSHES[change["new"]]

    begin.observe(begun, names="value")
    brush.observe(brushed, names="value")
    controls: dict[str, Any] = {
        "rows": pad,
        "sweeps": w.IntSlider(value=3, min=0, max=MOST_SWEEPS, description="sweeps", continuous_update=False),
        "gamma": w.FloatSlider(value=0.9, min=0.5, max=1, step=0.01, description="γ", continuous_update=False),
        "slip": w.FloatSlider(value=0, min=0, max=0.8, step=0.1, description="slip", continuous_update=False),
    }
    return w.VBox([w.HBox([begin, brush]), explore(panel.figure, panel.update, controls)])


# --- a trained agent with its Q-values

WINDOW = 100  # steps that are shown around the chosen one
UPRIGHT = 0.05  # degrees that would be told as 0.0


class Ride(NamedTuple):
    """An episode of CartPole with what the agent thought of it.

    Attributes
    ----------
    observations : (T, 4) before each push: place, speed, angle, angular speed
    values : (T, 2) Q-values of pushing left and right there
    fell : whether it ended because the pole fell or the track did; otherwise time was up
    """

    observations: Array
    values: Array
    fell: bool


def ride(q_values: Callable[[Array], Array], start: Sequence[float], most: int = 500) -> Ride:
    """Play CartPole greedily from a start state.

    Parameters
    ----------
    q_values : observations (N, 4) -> (N, 2)
    start : place, speed, angle, angular speed
    most : steps
    """
    from dlcourse.rl.envs import VectorCartPole

    env = VectorCartPole(1, np.random.default_rng(0), max_steps=most)
    observation, seen, values, over = env.reset([list(start)]), [], [], False
    while not over:
        seen.append(observation[0])
        values.append(q_values(observation)[0])
        observation, _, terminated, truncated, _ = env.step([int(values[-1].argmax())])
        over = bool(terminated[0] or truncated[0])
    return Ride(np.array(seen), np.array(values), bool(terminated[0]))


class _Replay:
    """The cart at one moment at the left; at the right, lean and Q-values in the steps around it."""

    def __init__(self, q_values: Callable[[Array], Array]) -> None:
        self.q_values = q_values
        self.rides: dict[tuple[float, ...], Ride] = {}
        self.figure, axes = plt.subplot_mosaic(
            [["cart", "lean"], ["cart", "values"]], figsize=(9.2, 3.3), layout="constrained", width_ratios=(1.15, 1)
        )
        self.cart, self.lean, self.values = (axes[name] for name in ("cart", "lean", "values"))

    def ride(self, lean: float, speed: float) -> Ride:
        """The episode from that start, played once."""
        start = (0.0, round(speed, 3), round(float(np.deg2rad(lean)), 6), 0.0)
        if start not in self.rides:
            self.rides[start] = ride(self.q_values, start)
        return self.rides[start]

    def update(self, lean: float, speed: float, step: int) -> str:
        """Draw a moment of an episode; returns what the agent thinks and does as a sentence."""
        now = self.ride(lean, speed)
        step = min(step, len(now.observations) - 1)
        left, right = (float(value) for value in now.values[step])
        push = "right" if right > left else "left"
        draw_cartpole(self.cart, now.observations[step], f"step {step}: push {push}")
        x, sign = float(now.observations[step, 0]), 1 if push == "right" else -1
        self.cart.annotate("", (x + 0.85 * sign, 0.1), (x + 0.27 * sign, 0.1),
                           arrowprops={"arrowstyle": "-|>", "color": "0.1", "linewidth": 2})  # fmt: skip
        self._draw_curves(now, step)
        angle = np.rad2deg(now.observations[step, 2])
        ends = "the pole falls or the cart leaves" if now.fell else "time is up"
        return f"Step {step} of {len(now.observations)}, when {ends}: the pole {_leans(angle)}; pushing left is worth {left:.2f}, right {right:.2f}: it pushes {push}."

    def _draw_curves(self, now: Ride, step: int) -> None:
        angles, more = np.rad2deg(now.observations[:, 2]), now.values[:, 1] - now.values[:, 0]
        first = max(0, min(step - WINDOW // 2, len(more) - WINDOW))
        seen = slice(first, first + WINDOW)
        for ax, curve, color, label in (
            (self.lean, angles, ORANGE, "lean (°)"),
            (self.values, more, BLUE, "Q(right) − Q(left)"),
        ):
            ax.clear()
            ax.axhline(0, color="0.4", linestyle=":", linewidth=1.2)
            ax.plot(np.arange(len(curve))[seen], curve[seen], color=color, linestyle="-", linewidth=1.4)
            ax.axvline(step, color=RED, linestyle="--", linewidth=1.2)
            ax.set(ylabel=label, xlim=(first - 1, first + WINDOW))
        self.values.set_xlabel("step")
        said = "then it is lost" if now.fell else "until time is up"
        self.lean.set_title(f"an episode of {len(now.values)} steps, {said}", fontsize=10)


def _leans(angle: float) -> str:
    if abs(angle) < UPRIGHT:
        return "stands upright"
    return f"leans {abs(angle):.1f} degrees to the {'right' if angle > 0 else 'left'}"


def replay_explorer(q_values: Callable[[Array], Array]) -> w.VBox:
    """Set how the pole leans and the cart rolls at the start, and see the agent play from there, with its Q-values.

    Parameters
    ----------
    q_values : observations (N, 4) -> (N, 2)
    """
    panel = _Replay(q_values)
    controls: dict[str, Any] = {
        "lean": w.FloatSlider(value=3, min=-11, max=11, step=1, description="lean (°)", continuous_update=False),
        "speed": w.FloatSlider(value=0, min=-2, max=2, step=0.25, description="speed", continuous_update=False),
        "step": w.IntSlider(value=0, min=0, max=499, description="step"),
    }
    return explore(panel.figure, panel.update, controls)


def replay_figure(q_values: Callable[[Array], Array], lean: float, speed: float, step: int) -> Figure:
    """The explorer's picture for these settings, standing still."""
    panel = _Replay(q_values)
    panel.update(lean, speed, step)
    return panel.figure
