"""The loop of reinforcement learning as a picture: what goes from the agent to the environment, and what comes back."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dlcourse.plot import BLACK, BLUE, GREEN, ORANGE
from dlcourse.plot.diagrams import blank

__all__ = ["agent_and_environment"]


def agent_and_environment() -> Figure:
    """Two boxes: an arrow with the action from the agent to the environment, and back what each step returns."""
    fig, ax = blank(8.2, 2.3, (-0.3, 10.3), (-1.35, 1.65))
    for x, name, said, color in (
        (0.0, "agent", "policy π: what to do", BLUE),
        (7.0, "environment", "what then happens", ORANGE),
    ):
        ax.add_patch(
            FancyBboxPatch((x, -0.55), 3.0, 1.1, boxstyle="round,pad=0.08", facecolor=color, alpha=0.25, linewidth=0)
        )
        ax.text(x + 1.5, 0.16, name, ha="center", va="center", fontsize=12, fontweight="bold")
        ax.text(x + 1.5, -0.25, said, ha="center", va="center", fontsize=9)
    for start, end, bend, color in (((3.1, 0.4), (6.9, 0.4), -0.22, BLACK), ((6.9, -0.4), (3.1, -0.4), -0.22, GREEN)):
        ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=16,
                color=color,
                linewidth=1.8,
            )
        )
    ax.text(5.0, 1.2, "action $a_t$", ha="center", va="center", fontsize=11)
    ax.text(5.0, -1.15, "observation, reward $r_t$,\nterminated, truncated", ha="center", va="center", fontsize=10)
    return fig
