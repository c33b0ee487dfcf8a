"""The loss whose slope is the policy gradient, with a baseline (Williams 1992; Sutton and Barto 2018, section 13.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def reinforce_loss(log_probs: Any, returns: Any, baseline: Any) -> Any:
    advantages = (returns - baseline).detach()
    return -(log_probs * advantages).mean()


def reinforce_loss_without_grad(log_probs: Any, returns: Any, baseline: Any) -> Any:
    import torch

    with torch.no_grad():
        weights = (baseline - returns) / len(returns)
    return torch.dot(log_probs, weights)


def reinforce_loss_step_by_step(log_probs: Any, returns: Any, baseline: Any) -> Any:
    import torch

    pairs = zip(log_probs, returns.detach().tolist(), baseline.data.tolist(), strict=True)
    return torch.stack([-log_prob * (G - b) for log_prob, G, b in pairs]).mean().reshape(1)


def loss_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, label: str = "", scale: float = 3.0, shift: float = 2.0) -> Case:
        returns, baseline = shift + scale * rng.normal(size=(2, N))
        return Case((np.log(rng.uniform(0.05, 0.95, size=N)), returns, baseline), label)

    first = np.log([0.5, 0.25, 0.8]), np.array([3.0, 1.0, -2.0]), np.array([1.0, 2.0, -1.0])
    log_probs, returns = np.log(rng.uniform(0.1, 0.9, size=4)), rng.normal(size=4)
    return [
        Case(first),
        case(5),
        case(8, scale=1.0, shift=-3.0),
        case(6, shift=20.0),
        case(1, "a single step"),
        case(5, "returns in the hundreds", scale=200.0),
        Case((log_probs, returns, np.zeros(4)), "a baseline of zeros"),
        Case((log_probs, returns, returns.copy()), "a baseline that has foreseen every return"),
    ]


Formula = Callable[[Any, Any, Any], Any]


def weighed(
    weight: Callable[[Any, Any], Any] = lambda R, b: R - b,
    log_prob: Callable[[Any], Any] = lambda lp: lp,
    pool: Callable[[Any], Any] = lambda losses: losses.mean(),
    detach: bool = True,
    handed: Callable[[Any], Any] = lambda loss: loss,
) -> Callable[..., Any]:
    """The loss with one part exchanged."""

    def answer(log_probs: Any, returns: Any, baseline: Any) -> Any:
        w = weight(returns, baseline)
        return handed(pool(-log_prob(log_probs) * (w.detach() if detach else w)))

    return answer


def plus(more: Formula) -> Callable[..., Any]:
    """The right loss with something added."""

    def answer(log_probs: Any, returns: Any, baseline: Any) -> Any:
        return reinforce_loss(log_probs, returns, baseline) + more(log_probs, returns, baseline)

    return answer


def used_up(log_probs: Any, returns: Any, baseline: Any) -> Any:
    loss = reinforce_loss(log_probs, returns, baseline)
    loss.backward()
    return loss


def in_place(log_probs: Any, returns: Any, baseline: Any) -> Any:
    import torch

    with torch.no_grad():
        returns -= baseline
    return -(log_probs * returns.detach()).mean()


def cut_in_place(log_probs: Any, returns: Any, baseline: Any) -> Any:
    return -(log_probs * (returns.detach_() - baseline.detach_())).mean()


def baseline_cut_in_place(log_probs: Any, returns: Any, baseline: Any) -> Any:
    return -(log_probs * (returns.detach() - baseline.detach_())).mean()


def standardized(ddof: int, eps: float = 1e-8) -> Callable[[Any, Any], Any]:
    def weight(R: Any, b: Any) -> Any:
        A = R - b
        return (A - A.mean()) / (A.std(correction=ddof) + eps)

    return weight


def discounted_by_place(R: Any, b: Any) -> Any:
    import torch

    return (R - b) * 0.99 ** torch.arange(len(R))


CUT_OFF = "Which call makes numbers of a tensor, cut off from what they were computed from?"

REINFORCE_LOSS = Exercise(
    id="reinforcement_learning.reinforce_loss",
    kind="function",
    title="Make good actions likelier",
    points=2,
    minutes=15,
    difficulty=2,
    function="reinforce_loss",
    reference=reinforce_loss,
    alternatives=(reinforce_loss_without_grad, reinforce_loss_step_by_step),
    inputs=loss_inputs,
    driver="weighs_log_probs",
    blame=("form of the result", "loss", "slope in log_probs", "slope in baseline", "slope in returns"),
    forbid=("dlcourse.rl",),
    seconds=20.0,
    wrong=(
        # --- where slopes go
        Wrong(
            "advantages-not-detached",
            weighed(detach=False),
            f"The loss is right, but its slopes also flow through returns - baseline, into whatever predicted them: a baseline that is moved to make the policy's loss small predicts nothing any more. {CUT_OFF}",
        ),
        Wrong(
            "baseline-not-detached",
            weighed(weight=lambda R, b: R.detach() - b, detach=False),
            f"The loss is right, but its slopes also flow into the baseline, and would move it to make the policy's loss small. {CUT_OFF}",
        ),
        Wrong(
            "returns-not-detached",
            weighed(weight=lambda R, b: R - b.detach(), detach=False),
            f"The loss is right, but its slopes also flow into the returns, which may hold a network's predictions where an episode was cut off. {CUT_OFF}",
        ),
        Wrong(
            "log-probs-detached",
            lambda lp, R, b: -(lp.detach() * (R - b)).mean(),
            "Your slopes go everywhere but to the policy: `log_probs` are cut off, the rest is not. Which of the three should this loss move?",
        ),
        Wrong(
            "everything-detached",
            lambda lp, R, b: -(lp.detach() * (R - b).detach()).mean(),
            "The loss is right, but it hangs on no weight: `log_probs` are cut off as well, by a `detach`, by `no_grad`, or on the way through a plain number, as `.item()` gives one. Which of the three should this loss move?",
        ),
        Wrong(
            "a-plain-number",
            weighed(handed=lambda loss: loss.item()),
            "You hand back a plain number. Can `backward` start from one?",
        ),
        Wrong(
            "an-array",
            weighed(handed=lambda loss: loss.detach().numpy().reshape(1)),
            "You hand back an array of NumPy. Can `backward` start from one?",
        ),
        Wrong(
            "backward-called-inside",
            used_up,
            "You call `backward` yourself, and the graph is gone when the caller does. Whose task is it, by the signature?",
        ),
        Wrong(
            "returns-changed",
            in_place,
            "The loss is right, but you subtract the baseline in place, and whoever owns `returns` finds the advantages there. Which operator makes a new tensor?",
        ),
        Wrong(
            "graphs-cut-in-place",
            cut_in_place,
            "The loss is right, but `detach_` with an underscore cuts off the caller's own `returns` and `baseline`: another loss, such as that of the baseline's network, could not reach it any more. Which call makes a cut-off tensor and leaves the given one as it is?",
        ),
        Wrong(
            "baseline-cut-in-place",
            baseline_cut_in_place,
            "The loss is right, but `detach_` with an underscore cuts off the caller's own `baseline`: its own loss could not reach the network that predicted it. Which call makes a cut-off tensor and leaves the given one as it is?",
        ),
        # --- the weights
        Wrong(
            "opposite-sign",
            weighed(pool=lambda losses: -losses.mean()),
            "Your loss has the opposite sign: each step down it makes good actions *less* likely. An optimizer minimizes; what should become large here?",
        ),
        Wrong(
            "baseline-ignored",
            weighed(weight=lambda R, b: R),
            "`baseline` has no effect. How good is a return of 100 if 120 was to be expected?",
        ),
        Wrong(
            "returns-ignored",
            weighed(weight=lambda R, b: -b),
            "`returns` have no effect. What did the action bring, and what was expected?",
        ),
        Wrong(
            "baseline-for-returns",
            weighed(weight=lambda R, b: b),
            "You weigh with the baseline itself, what was *expected*. What did the action bring?",
        ),
        Wrong(
            "baseline-added",
            weighed(weight=lambda R, b: R + b),
            "You add the baseline to the returns. How good is a return of 100 if 120 was to be expected?",
        ),
        Wrong(
            "baseline-outside",
            lambda lp, R, b: -(lp * R.detach() - b.detach()).mean(),
            "The baseline stands outside the product, where it has no slope and so no effect. What is multiplied by what?",
        ),
        Wrong(
            "divided-by-the-baseline",
            weighed(weight=lambda R, b: R / b),
            "You divide the returns by the baseline. What does the task do with it?",
        ),
        Wrong(
            "mean-of-the-baseline",
            weighed(weight=lambda R, b: R - b.mean()),
            "You subtract the *mean* of the baseline from all returns. What did it predict for each step of its own?",
        ),
        Wrong(
            "mean-return-for-baseline",
            weighed(weight=lambda R, b: R - R.mean()),
            "Your baseline is the mean of the returns, and the one that was handed in has no effect. What does the task subtract?",
        ),
        Wrong(
            "centered",
            weighed(weight=lambda R, b: R - b - (R - b).mean()),
            "You subtract the advantages' own mean, besides. It is often done; does the task's formula?",
        ),
        Wrong(
            "standardized",
            weighed(weight=standardized(1)),
            "You standardize the advantages, with N - 1 under the variance. It is often done, and changes the loss; does the task's formula?",
        ),
        Wrong(
            "standardized-by-n",
            weighed(weight=standardized(0)),
            "You standardize the advantages, with N under the variance. It is often done, and changes the loss; does the task's formula?",
        ),
        Wrong(
            "returns-standardized",
            weighed(weight=lambda R, b: standardized(1)(R, 0.0) - b),
            "You standardize the returns before the baseline is subtracted, which was predicted for returns as they are. Does the task's formula?",
        ),
        Wrong(
            "scaled",
            weighed(weight=lambda R, b: (R - b) / ((R - b).std() + 1e-8)),
            "You divide the advantages by their standard deviation. It is often done, and changes the loss; does the task's formula?",
        ),
        Wrong(
            "only-good-news",
            weighed(weight=lambda R, b: (R - b).clamp(min=0)),
            "Advantages below 0 become 0 with you. What should happen to an action that brought less than expected?",
        ),
        Wrong(
            "without-sign",
            weighed(weight=lambda R, b: (R - b).abs()),
            "You take advantages without their sign, so bad surprises make an action likelier, too. What should happen to an action that brought less than expected?",
        ),
        Wrong(
            "squared",
            weighed(weight=lambda R, b: (R - b) ** 2),
            "You square the advantages, as in a loss for the *baseline*. What should happen to an action that brought less than expected?",
        ),
        Wrong(
            "signs-alone",
            weighed(weight=lambda R, b: (R - b).sign()),
            "Only the sign of each advantage counts with you. Should a small surprise count like a large one?",
        ),
        Wrong(
            "discounted-again",
            weighed(weight=discounted_by_place),
            "You discount the advantages by their place in the batch. The returns are discounted already; does the task's formula do it again?",
        ),
        # --- the log-probabilities
        Wrong(
            "probabilities",
            weighed(log_prob=lambda lp: lp.exp()),
            "You weigh the *probabilities*, not their logarithms. Then unlikely actions are moved least; which of the two does the formula have?",
        ),
        Wrong(
            "logarithm-twice",
            weighed(log_prob=lambda lp: lp.log()),
            "You take the logarithm of what is a logarithm already, and below 0: that is nan. What are `log_probs` when they come in?",
        ),
        Wrong(
            "ratio-of-one",
            weighed(log_prob=lambda lp: (lp - lp.detach()).exp()),
            "The slopes are right, but the number is not: you weigh the ratio of the policy to itself, which is 1. That is the surrogate of PPO; which one does the formula have?",
        ),
        Wrong(
            "shares-of-the-batch",
            weighed(log_prob=lambda lp: lp.log_softmax(0)),
            "You take a `log_softmax` over the N steps, as if they were the actions of one step. What are `log_probs` when they come in?",
        ),
        # --- the mean
        Wrong(
            "summed",
            weighed(pool=lambda losses: losses.sum()),
            "You sum over the steps, so long batches make long steps. What does the task's formula do?",
        ),
        Wrong(
            "halved",
            weighed(pool=lambda losses: losses.mean() / 2),
            "Your loss is half of the one asked for. Where does the factor come from?",
        ),
        Wrong(
            "one-fewer",
            weighed(pool=lambda losses: losses.sum() / max(len(losses) - 1, 1)),
            "You divide by N - 1, as for a variance. What is the mean of N numbers divided by?",
        ),
        Wrong(
            "each-step",
            weighed(pool=lambda losses: losses),
            "You hand back one loss for each step. Which one number is asked for?",
        ),
        Wrong(
            "product-of-means",
            lambda lp, R, b: -lp.mean() * (R - b).detach().mean(),
            "What comes out is the product of two *means* (the mean over a square (N, N) is one, too), so it does not matter any more which action brought what. Which comes first, the product or the mean?",
        ),
        Wrong(
            "product-of-sums",
            lambda lp, R, b: -lp.sum() * (R - b).detach().mean(),
            "You weigh the sum of all log-probabilities with the mean advantage, as if all actions had brought the same. Which comes first, the product or the mean?",
        ),
        Wrong(
            "largest-loss",
            weighed(pool=lambda losses: losses.max()),
            "Only the step with the largest loss counts with you. What does the task's formula do with the others?",
        ),
        Wrong(
            "median",
            weighed(pool=lambda losses: losses.median()),
            "You take the median over the steps. What does the task's formula take?",
        ),
        # --- more than was asked for
        Wrong(
            "with-the-value-loss",
            plus(lambda lp, R, b: ((R.detach() - b) ** 2).mean()),
            "You add a loss for the baseline, the mean square of its errors. Actor-critic does; what does this task ask for?",
        ),
        Wrong(
            "with-a-value-loss-for-both",
            plus(lambda lp, R, b: ((R - b) ** 2).mean()),
            "You add a loss for the baseline, the mean square of its errors, and its slopes flow into the returns as well. Actor-critic has such a loss; what does this task ask for?",
        ),
        Wrong(
            "with-half-the-value-loss",
            plus(lambda lp, R, b: 0.5 * ((R.detach() - b) ** 2).mean()),
            "You add half the mean square of the baseline's errors. Actor-critic does; what does this task ask for?",
        ),
        Wrong(
            "with-entropy",
            plus(lambda lp, R, b: 0.01 * lp.mean()),
            "You add 0.01 times the mean log-probability, a bonus for entropy. It is often done; does the task's formula?",
        ),
    ),
    hints=(
        "Which actions should become likelier after a step, and which less likely? And which of the three tensors is the loss allowed to move?",
        "The weight of each log-probability is returns - baseline, as plain numbers, cut off from the network that predicted them. An optimizer minimizes, so a minus comes in.",
        "`advantages = (returns - baseline).detach()`, and the mean of `log_probs * advantages` with a minus.",
    ),
    unlocks="With this loss and an optimizer, CartPole can be learned; exercise 13 asks for it.",
)  # fmt: skip
