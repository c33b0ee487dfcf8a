"""Grid worlds painted in text, with their model in the open: ``env.transitions`` is what value iteration looks into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

__all__ = ["ACTIONS", "GridWorld"]

ACTIONS = "←↓→↑"  # in FrozenLake's order
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # rows and columns
PLAIN = "S-#"
REWARDS = {"G": 1.0, "H": -1.0, **{str(k): float(k) for k in range(1, 10)}}
FINAL = "GH"

Model = dict[int, dict[int, list[tuple[float, int, float, bool]]]]


class GridWorld(gymnasium.Env[Any, Any]):
    """Walk over a grid, one cell a step; states are numbered row by row, walls included, and what is earned is earned
    on entering a cell.

    Parameters
    ----------
    rows : lines of text of one length, or one text of several lines. ``S`` start (of several, one is drawn), ``-`` free,
        ``#`` wall, ``G`` goal, which earns 1 and ends, ``H`` hole, which earns -1 and ends, ``1`` to ``9`` earn that
        much at each visit and do not end
    step_cost : taken off at every step
    slip : probability to slide to one of the two sides, half of it each, instead of where the action points
    rewards : another reward for a sign, such as {"G": 10.0}, or further signs with theirs, such as {"m": -0.5}
    render_mode : None or "ansi", a text in which ``@`` is the agent

    Attributes
    ----------
    rows : tuple of str
    transitions : P[s][a], a list of (probability, next state, reward, terminated); a wall, and a cell that has ended
        the task, lead to themselves for nothing

    Raises
    ------
    ValueError
        If the map has no start, lines of several lengths or an unknown sign, or slip is no probability.

    Actions are 0 left, 1 down, 2 right, 3 up; a step against a wall or the edge stays where it is.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self, rows: str | Sequence[str] = ("---G", "-#-H", "S---"), step_cost: float = 0.0, slip: float = 0.0,
        rewards: Mapping[str, float] | None = None, render_mode: str | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= slip <= 1:
            raise ValueError(f"GridWorld: slip={slip!r}; give a probability from 0 to 1")
        if render_mode not in (None, "ansi"):
            raise ValueError(f"GridWorld: render_mode={render_mode!r}; give None or 'ansi'")
        self._earned = {**REWARDS, **(rewards or {})}
        self.rows = _checked(rows, {*PLAIN, *self._earned})
        self.shape = len(self.rows), len(self.rows[0])
        self._signs = "".join(self.rows)
        self.starts = [s for s, sign in enumerate(self._signs) if sign == "S"]
        self.step_cost, self.slip, self.render_mode = step_cost, slip, render_mode
        self.transitions: Model = {s: {a: self._outcomes(s, a) for a in range(4)} for s in range(len(self._signs))}
        self.observation_space = gymnasium.spaces.Discrete(len(self._signs))
        self.action_space = gymnasium.spaces.Discrete(4)
        self._state: int | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Go to a start."""
        super().reset(seed=seed)
        self._state = int(self.np_random.choice(self.starts))
        return self._state, {"prob": 1 / len(self.starts)}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """One step; what can come of it, and how probably, stands in ``transitions``."""
        if self._state is None:
            raise RuntimeError("GridWorld.step: the world has not been started; call reset() first")
        if action not in self.transitions[self._state]:
            raise ValueError(f"GridWorld.step: action={action!r}; give 0 left, 1 down, 2 right or 3 up")
        outcomes = self.transitions[self._state][int(action)]
        chosen = np.searchsorted(np.cumsum([outcome[0] for outcome in outcomes]), self.np_random.random(), side="right")
        probability, self._state, reward, terminated = outcomes[min(int(chosen), len(outcomes) - 1)]
        return self._state, reward, terminated, False, {"prob": probability}

    def render(self) -> str | None:
        """The map as text, with the agent in it."""
        if self.render_mode != "ansi" or self._state is None:
            return None
        signs, W = self._signs[: self._state] + "@" + self._signs[self._state + 1 :], self.shape[1]
        return "\n".join(signs[k : k + W] for k in range(0, len(signs), W))

    def _outcomes(self, s: int, a: int) -> list[tuple[float, int, float, bool]]:
        """What comes of an action in a state; outcomes that are the same are told once."""
        if self._signs[s] in FINAL + "#":
            return [(1.0, s, 0.0, True)]
        found: dict[int, float] = {}
        for move, p in ((a, 1 - self.slip), ((a - 1) % 4, self.slip / 2), ((a + 1) % 4, self.slip / 2)):
            if p > 0:
                after = self._moved(s, move)
                found[after] = found.get(after, 0.0) + p
        return [
            (p, after, self._earned.get(self._signs[after], 0.0) - self.step_cost, self._signs[after] in FINAL)
            for after, p in found.items()
        ]

    def _moved(self, s: int, move: int) -> int:
        """Where a move leads: nowhere if the edge or a wall is in the way."""
        H, W = self.shape
        row, column = s // W + MOVES[move][0], s % W + MOVES[move][1]
        free = 0 <= row < H and 0 <= column < W and self._signs[row * W + column] != "#"
        return row * W + column if free else s


def _checked(rows: str | Sequence[str], known: set[str]) -> tuple[str, ...]:
    """The map as lines of one length, with a start and no unknown sign."""
    lines = tuple(line.strip() for line in (rows.split() if isinstance(rows, str) else rows))
    if not lines or not lines[0]:
        raise ValueError(f"GridWorld: rows={rows!r}; give lines of text such as ['---G', '-#-H', 'S---']")
    if len({len(line) for line in lines}) > 1:
        raise ValueError(
            f"GridWorld: the lines of {lines} are {[len(line) for line in lines]} long; give them one length"
        )
    unknown = sorted(set("".join(lines)) - known)
    if unknown:
        raise ValueError(
            f"GridWorld: rows have the sign {unknown[0]!r}; use S - # G H 1 … 9, or give its reward: rewards={{{unknown[0]!r}: …}}"
        )
    if "S" not in "".join(lines):
        raise ValueError(f"GridWorld: no S in {lines}; paint one where episodes start")
    return lines
