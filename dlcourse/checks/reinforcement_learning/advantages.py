"""Generalized advantage estimation (Schulman et al. 2016, eqs. 11 to 16): a mean over all lengths of looking ahead."""

from __future__ import annotations

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.reinforcement_learning.advantages_answers import (
    everywhere,
    first_values_erased,
    gae,
    gae_by_matrix,
    gae_by_returns,
    gae_inputs,
    last_flag_ignored,
    monte_carlo,
    one_earlier,
    one_later,
    own_last_reward,
    rewards_overwritten,
    standardized,
    standardized_advantages_alone,
    swept,
    value_of_the_last_everywhere,
    values_overwritten,
    weighed_down,
    weighed_in_the_errors,
)

HOW_FAR = "What may flow from one episode into the one before it?"


GAE = Exercise(
    id="reinforcement_learning.gae",
    kind="function",
    title="How good was that, compared with what was expected?",
    points=3,
    minutes=20,
    difficulty=3,
    function="gae",
    reference=gae,
    alternatives=(gae_by_returns, gae_by_matrix),
    inputs=gae_inputs,
    returns=("advantages", "returns"),
    blame=("advantages", "returns"),
    forbid=("dlcourse.rl",),
    wrong=(
        # --- the end of an episode
        Wrong(
            "no-end-at-all",
            swept(goes_on=everywhere),
            f"`terminated` has no effect: the value of the next episode's first state and its advantages flow back over the border. {HOW_FAR}",
        ),
        Wrong(
            "advantages-flow-over-the-end",
            swept(trace_goes_on=everywhere),
            f"The errors δ are right, but the running sum goes on over the end of an episode. {HOW_FAR}",
        ),
        Wrong(
            "values-flow-over-the-end",
            swept(goes_on=everywhere, trace_goes_on=lambda terminated: 1.0 - terminated),
            "The running sum stops at the end of an episode, but the error δ of a terminated step takes in the next value, which belongs to the *next* episode. What is to come after a terminated step?",
        ),
        Wrong(
            "mask-turned-round",
            swept(goes_on=lambda terminated: terminated.astype(float)),
            "Only *terminated* steps have a future with you. Which value should the mask have where `terminated` is True?",
        ),
        Wrong(
            "mask-turned-round-in-the-sum",
            swept(trace_goes_on=lambda terminated: terminated.astype(float)),
            "The errors δ are right, but your running sum goes on only over the *ends* of episodes. Which value should its mask have where `terminated` is True?",
        ),
        Wrong(
            "mask-one-step-late",
            swept(goes_on=one_later),
            "Your mask looks at `terminated[t + 1]`, as where it tells whether the *next* observation begins an episode. By the task, of which step does `terminated[t]` tell the end?",
        ),
        Wrong(
            "mask-one-step-early",
            swept(goes_on=one_earlier),
            "Your mask looks at `terminated[t - 1]`. By the task, of which step does `terminated[t]` tell the end?",
        ),
        Wrong(
            "sum-stopped-one-step-late",
            swept(trace_goes_on=one_later),
            "The errors δ are right, but the mask of your running sum looks at `terminated[t + 1]`. Over which border must nothing flow?",
        ),
        Wrong(
            "sum-stopped-one-step-early",
            swept(trace_goes_on=one_earlier),
            "The errors δ are right, but the mask of your running sum looks at `terminated[t - 1]`. Over which border must nothing flow?",
        ),
        Wrong(
            "terminated-steps-expected-nothing",
            swept(error=lambda r, v, n, on, g: r + on * (g * n - v)),
            "In a terminated step you leave out the step's own value as well. Something was expected there, too: which of the two values is the future?",
        ),
        Wrong(
            "terminated-steps-have-no-error",
            swept(error=lambda r, v, n, on, g: on * (r + g * n - v)),
            "A terminated step has the error 0 with you. Was its reward not earned, and its value not expected?",
        ),
        Wrong(
            "last-flag-ignored",
            last_flag_ignored,
            "Behind the last step you use `last_value` even where that step was terminated. What is to come after a terminated step?",
        ),
        Wrong(
            "first-values-erased",
            first_values_erased,
            "You write a 0 into the values behind each terminated step. There it is right as a future, but the same entry is what the next episode's first step *expected*. In which of its two uses must a value count as 0?",
        ),
        # --- the value behind the last step
        Wrong(
            "last-value-ignored",
            swept(last=lambda values, last_value: 0.0),
            "`last_value` has no effect: you take 0 for what comes after the last step. The recording was cut off there; did the episode end?",
        ),
        Wrong(
            "last-step-expects-itself",
            swept(last=lambda values, last_value: float(values[-1])),
            "Behind the last step you use `values[-1]`, the value of that step's *own* state. Which number is the value of the state it leads to?",
        ),
        Wrong(
            "around-the-corner",
            swept(nexts=lambda values, last: np.roll(values, -1)),
            "The value behind the last step is the *first* one with you, as `np.roll` makes it. Which number is the value of the state that the last step leads to?",
        ),
        Wrong(
            "last-value-everywhere",
            swept(nexts=value_of_the_last_everywhere),
            "`last_value` is the next value of *every* step with you. To which state does an earlier step lead?",
        ),
        Wrong(
            "last-value-twice",
            own_last_reward,
            "`last_value` comes in twice: in the last reward, and in the last error. How often is the future of the last step to be counted?",
        ),
        Wrong(
            "sum-starts-with-the-last-value",
            swept(start=lambda deltas, last: last),
            "Your running sum starts with `last_value`, which is a value and no advantage. What is known of advantages behind the last step?",
        ),
        Wrong(
            "last-step-left-out",
            swept(after=lambda A: np.append(A[:-1], 0.0)),
            "The last advantage is 0 with you. Where does your loop begin, and which number does `last_value` give it?",
        ),
        # --- the errors
        Wrong(
            "own-value-for-the-next",
            swept(nexts=lambda values, last: values),
            "Your errors compare each value with itself. Which value does the reward lead to?",
        ),
        Wrong(
            "value-before",
            swept(nexts=lambda values, last: np.append(last, values[:-1])),
            "Your errors use the value *before*, values[t - 1], as the future. In which direction does time run?",
        ),
        Wrong(
            "errors-with-another-sign",
            swept(error=lambda r, v, n, on, g: v - r - g * on * n),
            "Your errors have the opposite sign: what was expected minus what came. Is an advantage good or bad news?",
        ),
        Wrong(
            "no-value-subtracted",
            swept(error=lambda r, v, n, on, g: r + g * on * n),
            "You do not subtract the step's own value. What was expected, before the step?",
        ),
        Wrong(
            "value-added",
            swept(error=lambda r, v, n, on, g: r + g * on * n + v),
            "You add the step's own value. Is what came compared with what was expected, or added to it?",
        ),
        Wrong(
            "rewards-ignored",
            swept(error=lambda r, v, n, on, g: g * on * n - v),
            "`rewards` have no effect. What came, besides the next state?",
        ),
        Wrong(
            "rewards-alone",
            swept(error=lambda r, v, n, on, g: r),
            "Your errors are the rewards alone: no value comes in. What was expected before the step, and what after it?",
        ),
        Wrong(
            "rewards-minus-values",
            swept(error=lambda r, v, n, on, g: r - v),
            "Your errors leave out the next state's value. What does a step bring besides its reward?",
        ),
        Wrong(
            "next-value-not-discounted",
            swept(error=lambda r, v, n, on, g: r + on * n - v),
            "The next value is not discounted in your errors. How many steps later does it come?",
        ),
        Wrong(
            "lam-in-the-errors",
            weighed_in_the_errors,
            "`lam` comes into your errors δ, beside gamma. Which of the two formulas has it?",
        ),
        Wrong(
            "own-value-discounted",
            swept(error=lambda r, v, n, on, g: r + on * n - g * v),
            "In your errors the step's own value is discounted in the place of the next one. Which of the two comes later?",
        ),
        Wrong(
            "everything-discounted",
            swept(error=lambda r, v, n, on, g: g * (r + on * n) - v),
            "Your errors discount the reward as well. Which of the two comes a step later?",
        ),
        Wrong(
            "reward-of-the-next-step",
            swept(error=lambda r, v, n, on, g: np.append(r[1:], 0.0) + g * on * n - v),
            "Your errors take `rewards[t + 1]`, as in books that give a reward the time of the state it leads to. Which index does the task give it?",
        ),
        # --- the running sum
        Wrong(
            "lam-forgotten",
            swept(decay=lambda gamma, lam: gamma),
            "`lam` has no effect in the running sum: you get the advantage of the whole rest of the episode, lam = 1. What does each further error fade by?",
        ),
        Wrong(
            "gamma-forgotten-in-the-sum",
            swept(decay=lambda gamma, lam: lam),
            "The errors δ are right, but the running sum fades by lam alone. By which product does each further error fade?",
        ),
        Wrong(
            "nothing-fades",
            swept(decay=lambda gamma, lam: 1.0),
            "The errors δ are right, but in the running sum nothing fades. By which product does each further error fade?",
        ),
        Wrong(
            "one-step-only",
            swept(decay=lambda gamma, lam: 0.0),
            "Your advantages are the errors δ alone, as for lam = 0. What is added to the error of one step?",
        ),
        Wrong(
            "lam-turned-round",
            swept(decay=lambda gamma, lam: gamma * (1 - lam)),
            "The running sum fades by gamma times 1 - lam. What does lam = 0 mean, one step or all of them?",
        ),
        Wrong(
            "gamma-squared",
            swept(decay=lambda gamma, lam: gamma * gamma * lam),
            "Each further error fades by gamma twice. The next value was discounted already where δ was made; by which product does the sum fade?",
        ),
        Wrong(
            "lam-squared",
            swept(decay=lambda gamma, lam: gamma * lam * lam),
            "Each further error fades by lam twice. By which product does the sum fade?",
        ),
        Wrong(
            "gamma-and-lam-added",
            swept(decay=lambda gamma, lam: gamma + lam),
            "Each further error is multiplied by the *sum* of gamma and lam, and grows. By which product does it fade?",
        ),
        Wrong(
            "from-the-front",
            swept(forwards=True),
            "Your sweep runs from the first step to the last, so each advantage is made of what was *before* it. From which end does it have to run?",
        ),
        Wrong(
            "backwards-list-not-turned",
            swept(after=lambda A: A[::-1].copy()),
            "Your advantages stand in the wrong order: the last step's first. What has to become of a list that was filled from the end?",
        ),
        Wrong(
            "weights-made-to-add-up",
            lambda rewards, values, last_value, terminated, gamma, lam: weighed_down(
                gae(rewards, values, last_value, terminated, gamma, lam), values, 1 - lam
            ),
            "Your advantages are (1 - lam) times the right ones. That factor stands in front of the mean over *n-step* advantages; is it still there when they are written as a sum of errors?",
        ),
        # --- the returns
        Wrong(
            "advantages-for-returns",
            swept(returned=lambda A, v, r, n, d: A.copy()),
            "The advantages are right, but your second result is the same once more. What is the value network to predict: how much better than expected, or how much?",
        ),
        Wrong(
            "values-subtracted",
            swept(returned=lambda A, v, r, n, d: A - v),
            "The advantages are right. For the returns you subtract the values. If an advantage is a return minus a value, what is the return?",
        ),
        Wrong(
            "rewards-added",
            swept(returned=lambda A, v, r, n, d: A + r),
            "The advantages are right. For the returns you add the *rewards*. If an advantage is a return minus a value, what is the return?",
        ),
        Wrong(
            "next-values-added",
            swept(returned=lambda A, v, r, n, d: A + n),
            "The advantages are right. For the returns you add the *next* state's values. Of which state is a return told?",
        ),
        Wrong(
            "one-step-returns",
            swept(returned=lambda A, v, r, n, d: d + v),
            "The advantages are right. Your returns look one step ahead alone: reward plus the next value. Which sum of errors does the task add to the values?",
        ),
        Wrong(
            "returns-of-rewards",
            monte_carlo(True),
            "The advantages are right. Your returns are the discounted rewards with `last_value` behind them, as lam = 1 would make them. What does the task add to the values?",
        ),
        Wrong(
            "returns-of-rewards-from-zero",
            monte_carlo(False),
            "The advantages are right. Your returns are the discounted rewards up to the end of the recording, and nothing behind it. What does the task add to the values?",
        ),
        Wrong(
            "values-for-returns",
            swept(returned=lambda A, v, r, n, d: v.copy()),
            "The advantages are right. Your returns are the values as they came in, which a network that predicts them could learn nothing from. What does the task add to them?",
        ),
        Wrong(
            "standardized",
            swept(after=standardized, returned=lambda A, v, r, n, d: A + v),
            "You standardize the advantages, and the returns are made of those. It is often done later, in the loss; does this task's formula?",
        ),
        Wrong(
            "advantages-standardized",
            standardized_advantages_alone,
            "The returns are right; the advantages are standardized at the end. It is often done later, in the loss; does this task's formula?",
        ),
        Wrong(
            "returns-first",
            swept(handed=lambda A, R: (R, A)),
            "Both results are right, but in the other order. Which does the task name first?",
        ),
        Wrong(
            "advantages-alone",
            swept(handed=lambda A, R: A),
            "You hand back the advantages alone. Which second result does the task ask for?",
        ),
        # --- in place
        Wrong(
            "values-overwritten",
            values_overwritten,
            "Both results are right, but the returns are written into `values`, which belong to the caller. Which operator makes a new array?",
        ),
        Wrong(
            "rewards-overwritten",
            rewards_overwritten,
            "Both results are right, but `last_value` is written into the last reward, and `rewards` belong to the caller. Where else could it come in?",
        ),
    ),
    hints=(
        "First make the errors δ of all steps: what came, the reward and the discounted value of the next state, minus what was expected. After a terminated step there is no next state.",
        "Then sweep from the last step to the first with one running number: δ plus gamma · lam times the running number, which is 0 wherever the step was terminated. The returns are advantages + values.",
        "`next_values = np.append(values[1:], last_value)`, `goes_on = 1 - terminated`, and in the loop `following = deltas[t] + gamma * lam * goes_on[t] * following`.",
    ),
    unlocks="Actor-critic and PPO both stand on these two arrays.",
)  # fmt: skip
