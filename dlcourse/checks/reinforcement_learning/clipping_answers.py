"""Right and wrong forms of PPO's clipped surrogate, in which each part can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.drivers import Case


def ppo_clip(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    import torch

    A = advantages.detach()
    ratio = (log_probs - old_log_probs.detach()).exp()
    return -torch.min(ratio * A, ratio.clamp(1 - clip, 1 + clip) * A).mean()


def ppo_clip_by_maximum(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    import torch

    with torch.no_grad():
        A, old = advantages.clone(), old_log_probs.clone()
    ratio = torch.expm1(log_probs - old) + 1
    return torch.maximum(-A * ratio, -A * torch.clip(ratio, min=1 - clip, max=1 + clip)).mean()


def ppo_clip_by_sign(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    """The ratio is bounded above where the action was good, and below where it was bad: the rest of the formula cancels."""
    import torch

    A = advantages.detach()
    ratio = (log_probs - old_log_probs.detach()).exp()
    bounded = torch.where(A > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -torch.dot(bounded, A).reshape(1) / len(A)


def clip_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, clip: float = 0.2, label: str = "", scale: float = 1.0) -> Case:
        """Ratios inside the bounds, above and below them, by turns; advantages of both signs for each."""
        ratio = np.array([1 - clip * rng.uniform(-0.8, 0.8) for _ in range(N)])
        ratio[1::3] = 1 + clip * rng.uniform(1.3, 4, size=len(ratio[1::3]))
        ratio[2::3] = 1 - clip * rng.uniform(1.3, 3, size=len(ratio[2::3]))
        old = np.log(rng.uniform(0.2, 0.6, size=N))
        advantages = scale * rng.uniform(0.3, 2.5, size=N) * np.where(np.arange(N) // 3 % 2, -1, 1)
        return Case((old + np.log(ratio), old, advantages, clip), label)

    old = np.log([0.5, 0.5, 0.4, 0.4])
    first = Case((np.log([0.75, 0.75, 0.2, 0.2]), old, np.array([1.0, -1.0, 2.0, -2.0]), 0.2))
    same, change = np.log(rng.uniform(0.2, 0.8, size=5)), np.array([0.5, -0.1, 0.1, -0.5, 0.3])
    return [
        first,
        case(6),
        case(9, 0.3),
        case(12, 0.1),
        Case((same, same.copy(), rng.normal(size=5) + 0.3, 0.2), "a policy that has not changed yet"),
        case(1, label="a single step"),
        case(6, 0.2, "advantages in the hundreds", 200.0),
        Case((same + 3.0, same, np.array([1.0, -1.0, 0.5, -2.0, 1.5]), 0.2), "a policy that has changed a lot"),
        Case(
            (same + change, same, np.array([1.0, -1.0, 0.5, -2.0, 1.5])),
            "a clip that is not handed over",
        ),
        Case(
            (same - 800.0 + change, same - 800.0, np.array([1.0, -1.0, 0.5, -2.0, 1.5]), 0.2),
            "logarithms of tiny probabilities",
        ),
    ]


def variant(
    ratio: Callable[[Any, Any], Any] = lambda new, old: (new - old).exp(),
    bound: Callable[[Any, float], Any] = lambda ratio, clip: ratio.clamp(1 - clip, 1 + clip),
    choose: str = "min",
    advantage: Callable[[Any], Any] = lambda A: A,
    pool: Callable[[Any], Any] = lambda gains: -gains.mean(),
    cut: tuple[str, ...] = ("old", "advantages"),
    handed: Callable[[Any], Any] = lambda loss: loss,
) -> Callable[..., Any]:
    """The loss with one part exchanged; ``cut`` names what is detached, ``choose`` which of the two products is taken."""

    def answer(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
        import torch

        A = advantage(advantages.detach() if "advantages" in cut else advantages)
        r = ratio(log_probs, old_log_probs.detach() if "old" in cut else old_log_probs)
        free, bounded = r * A, bound(r, clip) * A
        gains: Any = {"min": torch.min, "max": torch.max, "free": lambda a, b: a, "bounded": lambda a, b: b}[choose]
        return handed(pool(gains(free, bounded)))

    return answer


def of_gains(gains: Callable[[Any, Any, float], Any]) -> Callable[..., Any]:
    """Minus the mean of gains, from ratio, advantages and clip."""

    def answer(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
        ratio = (log_probs - old_log_probs.detach()).exp()
        return -gains(ratio, advantages.detach(), clip).mean()

    return answer


def smaller(a: Any, b: Any) -> Any:
    import torch

    return torch.min(a, b)


def dual(ratio: Any, A: Any, clip: float) -> Any:
    import torch

    gains = torch.min(ratio * A, ratio.clamp(1 - clip, 1 + clip) * A)
    return torch.where(A < 0, torch.max(gains, 3 * A), gains)


def switched_off(ratio: Any, A: Any, clip: float) -> Any:
    """What lies outside the bounds counts 0."""
    return ratio * A * ((ratio - 1).abs() <= clip)


def masked_mean(ratio: Any, A: Any, clip: float) -> Any:
    inside = (ratio - 1).abs() <= clip
    return (ratio * A * inside).sum() / inside.sum().clamp(min=1)


def without_slope(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    return ppo_clip(log_probs.detach(), old_log_probs, advantages, clip)


def straight_through(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    """The right number, but the bounds let slopes through."""
    ratio, A = (log_probs - old_log_probs.detach()).exp(), advantages.detach()
    bounded = ratio + (ratio.clamp(1 - clip, 1 + clip) - ratio).detach()
    return -smaller(ratio * A, bounded * A).mean()


def slopes_to_all_others(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    return variant(cut=())(log_probs.detach(), old_log_probs, advantages, clip)


def slopes_to_the_advantages(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    return variant(cut=("old",))(log_probs.detach(), old_log_probs, advantages, clip)


def cut_in_place(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    old_log_probs.detach_(), advantages.detach_()
    return ppo_clip(log_probs, old_log_probs, advantages, clip)


def narrow_unless_told(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.1) -> Any:
    return ppo_clip(log_probs, old_log_probs, advantages, clip)


def wide_unless_told(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.3) -> Any:
    return ppo_clip(log_probs, old_log_probs, advantages, clip)


def with_entropy(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    return ppo_clip(log_probs, old_log_probs, advantages, clip) + 0.01 * log_probs.mean()


def plain_policy_gradient(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    return -(log_probs * advantages.detach()).mean()


def used_up(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    loss = ppo_clip(log_probs, old_log_probs, advantages, clip)
    loss.backward()
    return loss


def smaller_of_means(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    ratio, A = (log_probs - old_log_probs.detach()).exp(), advantages.detach()
    return -smaller((ratio * A).mean(), (ratio.clamp(1 - clip, 1 + clip) * A).mean())


def advantages_changed(log_probs: Any, old_log_probs: Any, advantages: Any, clip: float = 0.2) -> Any:
    import torch

    with torch.no_grad():
        advantages -= advantages.mean()
        advantages /= advantages.std() + 1e-8
    return ppo_clip(log_probs, old_log_probs, advantages, clip)


def standardized(A: Any) -> Any:
    return (A - A.mean()) / (A.std() + 1e-8)
