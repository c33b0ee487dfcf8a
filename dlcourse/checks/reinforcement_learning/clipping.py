"""PPO's clipped surrogate (Schulman et al. 2017, eq. 7), as a loss to minimize."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.reinforcement_learning.clipping_answers import (
    advantages_changed,
    clip_inputs,
    cut_in_place,
    dual,
    masked_mean,
    narrow_unless_told,
    of_gains,
    plain_policy_gradient,
    ppo_clip,
    ppo_clip_by_maximum,
    ppo_clip_by_sign,
    slopes_to_all_others,
    slopes_to_the_advantages,
    smaller,
    smaller_of_means,
    standardized,
    straight_through,
    switched_off,
    used_up,
    variant,
    wide_unless_told,
    with_entropy,
    without_slope,
)

RATIO = "What is the ratio of two probabilities, in terms of their logarithms?"
BOUNDS = "Between which two numbers does the task keep the ratio, and what is bounded by them?"
PESSIMIST = "Which of the two products does the formula take, and when do they differ?"

PPO_CLIP = Exercise(
    id="reinforcement_learning.ppo_clip",
    kind="function",
    title="Not too far from where the data came from",
    points=3,
    minutes=20,
    difficulty=3,
    function="ppo_clip",
    reference=ppo_clip,
    alternatives=(ppo_clip_by_maximum, ppo_clip_by_sign),
    inputs=clip_inputs,
    driver="clips_ratios",
    blame=("form of the result", "loss", "slope in log_probs", "slope in advantages", "slope in old_log_probs"),
    forbid=("dlcourse.rl",),
    seconds=20.0,
    wrong=(
        # --- the ratio
        Wrong(
            "difference-for-ratio",
            variant(ratio=lambda new, old: new - old),
            f"Your ratio is the *difference* of the logarithms, without exp: it is 0 for a policy that has not changed. {RATIO}",
        ),
        Wrong(
            "ratio-of-logarithms",
            variant(ratio=lambda new, old: new / old),
            f"You divide one logarithm by the other. {RATIO}",
        ),
        Wrong(
            "detached-ratio-times-logarithm",
            variant(ratio=lambda new, old: (new.detach() - old).exp() * new, cut=("advantages",)),
            f"You multiply a ratio that is cut off from the policy with `log_probs`, and bound their product: the value is no ratio any more. {RATIO}",
        ),
        Wrong(
            "ratio-turned-round",
            variant(ratio=lambda new, old: (old - new).exp()),
            "Your ratio is upside down, old by new, so better actions become *less* likely. Which policy is being moved, and stands above?",
        ),
        Wrong(
            "new-probability-alone",
            variant(ratio=lambda new, old: new.exp()),
            f"Your ratio is the new probability alone: `old_log_probs` have no effect. {RATIO}",
        ),
        Wrong(
            "log-probs-for-ratio",
            variant(ratio=lambda new, old: new),
            f"You weigh `log_probs` themselves, as REINFORCE does, and bound *them*. {RATIO}",
        ),
        Wrong(
            "sum-of-logarithms",
            variant(ratio=lambda new, old: (new + old).exp()),
            f"You add the logarithms, which is the *product* of the probabilities. {RATIO}",
        ),
        Wrong(
            "ratio-minus-one",
            of_gains(lambda r, A, clip: smaller((r - 1) * A, (r - 1).clamp(-clip, clip) * A)),
            "You weigh ratio - 1. Its slopes are the right ones, the number is not. What does the formula multiply with the advantage?",
        ),
        Wrong(
            "first-order",
            variant(ratio=lambda new, old: 1 + new - old),
            f"Your ratio is 1 + the difference of the logarithms, which comes near the right one for small changes alone. {RATIO}",
        ),
        Wrong(
            "probabilities-first",
            variant(ratio=lambda new, old: new.exp() / old.exp()),
            f"You make probabilities first, and divide them. At logarithms of -800 both are 0 to the computer, and 0 / 0 is nan. {RATIO}",
        ),
        Wrong(
            "difference-of-probabilities",
            variant(ratio=lambda new, old: new.exp() - old.exp()),
            f"Your ratio is the *difference* of the two probabilities: it is 0 for a policy that has not changed. {RATIO}",
        ),
        Wrong(
            "plain-policy-gradient",
            plain_policy_gradient,
            "You weigh `log_probs` with the advantages, which is REINFORCE: `old_log_probs` and `clip` have no effect. What does the formula multiply with the advantage?",
        ),
        # --- the bounds
        Wrong(
            "not-clipped",
            variant(choose="free"),
            f"`clip` has no effect: the ratio may become as large as it likes. {BOUNDS}",
        ),
        Wrong(
            "clipped-alone",
            variant(choose="bounded"),
            f"You take the bounded product alone. A policy that has gone the *wrong* way, out of the bounds, has no slope to come back by. {PESSIMIST}",
        ),
        Wrong(
            "clip-around-zero",
            variant(bound=lambda r, clip: r.clamp(-clip, clip)),
            "You keep the ratio between -clip and clip, and a policy that has not changed has the ratio 1. Between which two numbers does the task keep it?",
        ),
        Wrong(
            "clip-above-alone",
            variant(bound=lambda r, clip: r.clamp(max=1 + clip)),
            "You bound the ratio from above alone. Which bound keeps a *bad* action from being pushed down too far?",
        ),
        Wrong(
            "clip-below-alone",
            variant(bound=lambda r, clip: r.clamp(min=1 - clip)),
            "You bound the ratio from below alone. Which bound keeps a *good* action from being pulled up too far?",
        ),
        Wrong(
            "bounds-as-a-quotient",
            variant(bound=lambda r, clip: r.clamp(1 / (1 + clip), 1 + clip)),
            "Your lower bound is 1 / (1 + clip). Which one does the task name?",
        ),
        Wrong(
            "bounds-of-the-logarithm",
            variant(bound=lambda r, clip: r.log().clamp(-clip, clip).exp()),
            f"You keep the *difference of the logarithms* between -clip and clip, so your bounds are e^-clip and e^clip. {BOUNDS}",
        ),
        Wrong(
            "clip-always-at-0.2",
            variant(bound=lambda r, clip: r.clamp(0.8, 1.2)),
            "Your bounds are 0.8 and 1.2, whatever `clip` is. Which number stands for the 0.2?",
        ),
        Wrong(
            "narrow-unless-told",
            narrow_unless_told,
            "Where `clip` is handed over, all is right; where it is not, your bounds are 0.9 and 1.1. Which default does the task name?",
        ),
        Wrong(
            "wide-unless-told",
            wide_unless_told,
            "Where `clip` is handed over, all is right; where it is not, your bounds are 0.7 and 1.3. Which default does the task name?",
        ),
        Wrong(
            "clip-halved",
            variant(bound=lambda r, clip: r.clamp(1 - clip / 2, 1 + clip / 2)),
            f"Your bounds lie half as far from 1 as they should. {BOUNDS}",
        ),
        Wrong(
            "clip-on-the-product",
            of_gains(lambda r, A, clip: smaller(r * A, (r * A).clamp(1 - clip, 1 + clip))),
            f"You bound the *product* of ratio and advantage. {BOUNDS}",
        ),
        Wrong(
            "clip-on-the-product-alone",
            of_gains(lambda r, A, clip: (r * A).clamp(1 - clip, 1 + clip)),
            f"You bound the *product* of ratio and advantage, and take nothing else. {BOUNDS}",
        ),
        Wrong(
            "clip-on-the-advantage",
            of_gains(lambda r, A, clip: smaller(r * A, r * A.clamp(1 - clip, 1 + clip))),
            f"You bound the *advantage*. {BOUNDS}",
        ),
        Wrong(
            "advantage-around-zero",
            of_gains(lambda r, A, clip: smaller(r * A, r * A.clamp(-clip, clip))),
            f"You keep the *advantage* between -clip and clip. {BOUNDS}",
        ),
        Wrong(
            "outside-counts-nothing",
            of_gains(switched_off),
            f"Steps whose ratio lies outside the bounds count 0 with you, on whichever side. {PESSIMIST}",
        ),
        Wrong(
            "outside-left-out",
            of_gains(masked_mean),
            f"You take the mean over the steps inside the bounds alone. {PESSIMIST}",
        ),
        # --- the smaller one
        Wrong(
            "larger-of-the-two",
            variant(choose="max"),
            f"You take the *larger* of the two products (or the smaller of their negatives), so the bound holds where it should not. {PESSIMIST}",
        ),
        Wrong(
            "smaller-ratio",
            of_gains(lambda r, A, clip: smaller(r, r.clamp(1 - clip, 1 + clip)) * A),
            "You take the smaller *ratio*, and multiply afterwards. With an advantage below 0, which of the two ratios makes the smaller product?",
        ),
        Wrong(
            "smaller-of-the-means",
            smaller_of_means,
            "You take both means first, and the smaller of those. For how many steps has the formula to choose, one by one?",
        ),
        Wrong(
            "smaller-without-sign",
            of_gains(lambda r, A, clip: smaller(r * A.abs(), r.clamp(1 - clip, 1 + clip) * A.abs())),
            "Your advantages have lost their sign. What should happen to an action that brought less than expected?",
        ),
        Wrong(
            "dual-clip",
            of_gains(dual),
            "You bound the loss of bad actions once more, at 3 times the advantage (Ye et al. 2020). Does this task's formula?",
        ),
        Wrong(
            "bounded-ratio-detached",
            variant(bound=lambda r, clip: r.detach().clamp(1 - clip, 1 + clip)),
            "The loss is right, but the bounded ratio is cut off, and where both products are equal it takes part of the slope away. Which of the tensors has to be cut off?",
        ),
        Wrong(
            "slopes-through-the-bounds",
            straight_through,
            "The loss is right, but slopes go through the bounded ratio as if it had no bounds, so nothing keeps the policy near the old one. Which slope has `clamp` outside its bounds?",
        ),
        # --- sign, mean, weights
        Wrong(
            "opposite-sign",
            variant(pool=lambda gains: gains.mean()),
            "Your loss has the opposite sign: it is what PPO *maximizes*. What does an optimizer of PyTorch do?",
        ),
        Wrong(
            "summed",
            variant(pool=lambda gains: -gains.sum()),
            "You sum over the steps. What does the task's formula do?",
        ),
        Wrong(
            "one-fewer",
            variant(pool=lambda gains: -gains.sum() / max(len(gains) - 1, 1)),
            "You divide by N - 1, as for a variance. What is the mean of N numbers divided by?",
        ),
        Wrong(
            "each-step",
            variant(pool=lambda gains: -gains),
            "You hand back one loss for each step. Which one number is asked for?",
        ),
        Wrong(
            "advantages-ignored",
            variant(advantage=lambda A: A * 0 + 1),
            "`advantages` have no effect. Which actions should become likelier?",
        ),
        Wrong(
            "standardized",
            variant(advantage=standardized),
            "You standardize the advantages. Most programs do it, before they call this loss; does the task's formula?",
        ),
        Wrong(
            "centered",
            variant(advantage=lambda A: A - A.mean()),
            "You subtract the advantages' own mean. Does the task's formula?",
        ),
        Wrong(
            "signs-alone",
            variant(advantage=lambda A: A.sign()),
            "Only the sign of each advantage counts with you. Should a small surprise count like a large one?",
        ),
        Wrong(
            "only-good-news",
            variant(advantage=lambda A: A.clamp(min=0)),
            "Advantages below 0 become 0 with you. What should happen to an action that brought less than expected?",
        ),
        # --- where slopes go
        Wrong(
            "advantages-not-detached",
            variant(cut=("old",)),
            "The loss is right, but its slopes also flow into `advantages`, and would move the values they were made of. Which call makes numbers of a tensor?",
        ),
        Wrong(
            "old-log-probs-not-detached",
            variant(cut=("advantages",)),
            "The loss is right, but its slopes also flow into `old_log_probs`: the policy of the past would be moved the other way. Which call makes numbers of a tensor?",
        ),
        Wrong(
            "nothing-detached",
            variant(cut=()),
            "The loss is right, but its slopes also flow into `old_log_probs` and `advantages`. Which one of the three tensors is the loss to move?",
        ),
        Wrong(
            "log-probs-detached",
            without_slope,
            "The loss is right, but it hangs on no weight: `log_probs` are cut off as well, by a `detach` or by `no_grad`. Which one of the three tensors is the loss to move?",
        ),
        Wrong(
            "slopes-to-all-others",
            slopes_to_all_others,
            "Your slopes go everywhere but to the policy: `log_probs` are cut off, the other two are not. Which one of the three tensors is the loss to move?",
        ),
        Wrong(
            "slopes-to-the-advantages",
            slopes_to_the_advantages,
            "Your slopes go to the advantages alone: the whole ratio is cut off, and with it the policy. Which one of the three tensors is the loss to move?",
        ),
        Wrong(
            "graphs-cut-in-place",
            cut_in_place,
            "The loss is right, but `detach_` with an underscore cuts off the caller's own `old_log_probs` and `advantages`. Which call makes a cut-off tensor and leaves the given one as it is?",
        ),
        Wrong(
            "a-plain-number",
            variant(handed=lambda loss: loss.item()),
            "You hand back a plain number. Can `backward` start from one?",
        ),
        Wrong(
            "backward-called-inside",
            used_up,
            "You call `backward` yourself, and the graph is gone when the caller does. Whose task is it, by the signature?",
        ),
        Wrong(
            "with-entropy",
            with_entropy,
            "You add 0.01 times the mean log-probability, a bonus for entropy. PPO's whole loss has one; does this task's formula?",
        ),
        Wrong(
            "advantages-changed",
            advantages_changed,
            "You standardize `advantages` in place, so the caller's own numbers are changed, and the loss is another one. Does the task's formula standardize?",
        ),
    ),
    hints=(
        "The ratio of new to old probability is 1 where the policy has not changed. Multiply it with the advantage: once as it is, once kept between 1 - clip and 1 + clip.",
        "`(log_probs - old_log_probs).exp()` is the ratio. Of the two products take the smaller, step by step; it is what should become large, so the loss has a minus. Old log-probabilities and advantages are plain numbers: `.detach()`.",
        "`torch.min(ratio * A, ratio.clamp(1 - clip, 1 + clip) * A)`, its mean, and a minus.",
    ),
    unlocks="With gae before it and a few passes over the same steps, that is all of PPO's policy.",
)  # fmt: skip
