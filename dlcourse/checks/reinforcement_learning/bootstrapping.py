"""What a DQN's values are pulled towards: the target of double DQN (van Hasselt et al. 2016, eq. 4)."""

from __future__ import annotations

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.reinforcement_learning.bootstrapping_answers import (
    adding,
    all_of_the_largest,
    by,
    double,
    dqn_target,
    dqn_target_by_taking,
    dqn_target_one_by_one,
    erasing,
    erasing_online,
    first_two_actions,
    joined,
    masked,
    picked,
    softmax,
    target_inputs,
    until_the_first_end,
    value_of_the_next_row,
    valued,
)

AFTER_END = "What can still be earned after a terminated step, and what after one that a clock cut off?"

DQN_TARGET = Exercise(
    id="reinforcement_learning.dqn_target",
    kind="function",
    title="What a value is pulled towards",
    points=3,
    minutes=15,
    difficulty=2,
    function="dqn_target",
    reference=dqn_target,
    alternatives=(dqn_target_by_taking, dqn_target_one_by_one),
    inputs=target_inputs,
    forbid=("dlcourse.rl",),
    wrong=(
        # --- which steps have a future
        Wrong(
            "bootstraps-through-termination",
            masked(lambda term, trunc: np.ones_like(term)),
            f"`terminated` has no effect: you add the value of a next state to steps after which there is none. {AFTER_END}",
        ),
        Wrong(
            "truncation-as-termination",
            masked(lambda term, trunc: ~(term | trunc)),
            f"You give truncated steps no future, as if the episode had ended by itself. {AFTER_END}",
        ),
        Wrong(
            "truncated-for-terminated",
            masked(lambda term, trunc: ~trunc),
            f"Your flags are exchanged: truncated steps get no future, and terminated ones get one. {AFTER_END}",
        ),
        Wrong(
            "mask-turned-round",
            masked(lambda term, trunc: term),
            "Only *terminated* steps get a future from you, and all others none. Which value should the mask have where `terminated` is True?",
        ),
        Wrong(
            "only-truncated-steps-go-on",
            masked(lambda term, trunc: trunc),
            "Only *truncated* steps get a future from you. What about those after which the episode goes on?",
        ),
        Wrong(
            "only-ended-steps-go-on",
            masked(lambda term, trunc: term | trunc),
            "Only steps that are terminated or truncated get a future from you. Is the mask turned round, and which of the two flags belongs in it?",
        ),
        Wrong(
            "truncation-wins",
            masked(lambda term, trunc: ~term | trunc),
            "A step that is terminated *and* truncated gets a future from you. Does the pole stand again because the clock has run out at the same moment?",
        ),
        Wrong(
            "only-both-end",
            masked(lambda term, trunc: ~term & ~trunc | (term & trunc)),
            "Steps with one of the flags get no future from you, those with both get one: the two flags seem to be compared with each other. Which one alone decides?",
        ),
        Wrong(
            "ends-only-with-both-flags",
            masked(lambda term, trunc: ~(term & trunc)),
            "Only a step that is terminated *and* truncated gets no future from you, and one that is terminated alone gets one. Which of the two flags decides by itself?",
        ),
        Wrong(
            "cut-off-is-all-that-goes-on",
            masked(lambda term, trunc: ~term & trunc),
            "Only steps that are truncated and not terminated get a future from you. What about those after which the episode goes on?",
        ),
        Wrong(
            "nobody-has-a-future",
            masked(lambda term, trunc: np.zeros_like(term)),
            "What comes back is the reward alone. What is the next state worth, and to which steps is that added?",
        ),
        Wrong(
            "terminated-steps-earn-nothing",
            by(lambda r, term, trunc, on, tg, g: (1 - term) * (r + g * double(on, tg))),
            "Your mask takes the *reward* of terminated steps, too. Was it not earned?",
        ),
        Wrong(
            "truncated-steps-earn-nothing",
            by(lambda r, term, trunc, on, tg, g: np.where(trunc, 0.0, r) + g * (1 - term) * double(on, tg)),
            "Truncated steps lose their reward with you. Was it not earned?",
        ),
        Wrong(
            "ended-steps-earn-nothing",
            by(lambda r, term, trunc, on, tg, g: (1 - (term | trunc)) * (r + g * double(on, tg))),
            f"Steps with one of the flags get 0 from you, and lose even their reward. Which flag counts, and for which part? {AFTER_END}",
        ),
        Wrong(
            "reward-only-at-the-end",
            by(lambda r, term, trunc, on, tg, g: np.where(term, r, g * double(on, tg))),
            "Steps that are not terminated lose their reward with you. What does the formula add to the value of the next state?",
        ),
        Wrong(
            "penalty-at-the-end",
            by(lambda r, term, trunc, on, tg, g: np.where(term, -1.0, r + g * double(on, tg))),
            "Terminated steps get -1 from you, a penalty that some programs for CartPole use. Which reward did they earn?",
        ),
        Wrong(
            "stops-at-the-first-end",
            by(until_the_first_end),
            "From the first terminated step on, no step of the batch gets a future from you, as after a `break` or a `return` in a loop. What do the steps of a batch have to do with each other?",
        ),
        # --- which value
        Wrong(
            "plain-dqn",
            valued(lambda on, tg: tg.max(axis=1)),
            "You take the target network's own largest value: that is DQN without the *double*. Who chooses the action here, and who says what it is worth?",
        ),
        Wrong(
            "online-alone",
            valued(lambda on, tg: on.max(axis=1)),
            "You take the online network's own largest value, and the target network has no effect. Who chooses the action here, and who says what it is worth?",
        ),
        Wrong(
            "networks-exchanged",
            valued(lambda on, tg: picked(on, tg.argmax(axis=1))),
            "Your networks have exchanged their parts: the target network chooses, and the online network says what it is worth. Which way round is it in the formula?",
        ),
        Wrong(
            "smaller-of-the-two-values",
            valued(lambda on, tg: np.minimum(double(on, tg), on.max(axis=1))),
            "You take the smaller of both networks' values of the chosen action, as TD3 does (Fujimoto et al. 2018). Whose value does the formula take?",
        ),
        Wrong(
            "smaller-of-the-two-maxima",
            valued(lambda on, tg: np.minimum(on.max(axis=1), tg.max(axis=1))),
            "You take the smaller of both networks' largest values. Which network chooses, and which says what the choice is worth?",
        ),
        Wrong(
            "largest-of-the-smaller",
            valued(lambda on, tg: np.minimum(on, tg).max(axis=1)),
            "You take the smaller value of each action, and then the largest of them. Which network chooses, and which says what the choice is worth?",
        ),
        Wrong(
            "larger-of-the-two-maxima",
            valued(lambda on, tg: np.maximum(on.max(axis=1), tg.max(axis=1))),
            "You take the larger of both networks' largest values, which overestimates even more than DQN without the double. Which network chooses, and which says what the choice is worth?",
        ),
        Wrong(
            "mean-of-both-networks",
            valued(lambda on, tg: (double(on, tg) + on.max(axis=1)) / 2),
            "You take the mean of both networks' values of the chosen action. Whose value does the formula take?",
        ),
        Wrong(
            "maximum-of-the-mean",
            valued(lambda on, tg: ((on + tg) / 2).max(axis=1)),
            "You average both networks' values and take the largest. Which network chooses, and which says what the choice is worth?",
        ),
        Wrong(
            "mean-chooses",
            valued(lambda on, tg: picked(tg, (on + tg).argmax(axis=1))),
            "Both networks together choose your action. Which of them chooses alone?",
        ),
        Wrong(
            "worst-action",
            valued(lambda on, tg: picked(tg, on.argmin(axis=1))),
            "Your action is the one that the online network thinks *least* of. Which one would it choose?",
        ),
        Wrong(
            "largest-without-its-sign",
            valued(lambda on, tg: picked(tg, np.abs(on).argmax(axis=1))),
            "Your action has the value that is farthest from 0, whatever its sign. Which of -9 and 1 would the online network choose?",
        ),
        Wrong(
            "mean-over-the-actions",
            valued(lambda on, tg: tg.mean(axis=1)),
            "You take the mean of the target network's values, as if any action could come next. Which one will be chosen?",
        ),
        Wrong(
            "sum-over-the-actions",
            valued(lambda on, tg: tg.sum(axis=1)),
            "You add the target network's values of all actions. How many of them will be chosen in the next step?",
        ),
        Wrong(
            "smallest-value",
            valued(lambda on, tg: tg.min(axis=1)),
            "You take the target network's smallest value. Which action will be chosen in the next step?",
        ),
        Wrong(
            "softmax-of-the-online-values",
            valued(lambda on, tg: (softmax(on) * tg).sum(axis=1)),
            "You weigh the target network's values by a softmax of the online ones, as if actions were drawn. Is the policy that is learned here drawn, or does it take the best?",
        ),
        Wrong(
            "first-action",
            valued(lambda on, tg: tg[:, 0]),
            "You always take the first action's value. Which action is it that counts?",
        ),
        Wrong(
            "last-action",
            valued(lambda on, tg: tg[:, -1]),
            "You always take the last action's value. Which action is it that counts?",
        ),
        Wrong(
            "best-of-the-first-two",
            valued(first_two_actions),
            "You compare the first two actions alone, which is enough for CartPole. How many columns may the tables have?",
        ),
        Wrong(
            "equals-added",
            valued(all_of_the_largest),
            "Where several actions look equally good to the online network, you add the values of all of them. How many will be chosen in the next step?",
        ),
        Wrong(
            "values-of-the-next-row",
            valued(value_of_the_next_row),
            "You take the values of the *next row*. Each row of the tables tells of the state its own step led to; does the order of a batch mean anything?",
        ),
        Wrong(
            "values-from-the-first-row",
            valued(lambda on, tg: tg.ravel()[on.argmax(axis=1)]),
            "You take all values from the first row, as `np.take` without an axis or `ravel` makes it. From which row does each choice want its value?",
        ),
        Wrong(
            "number-for-value",
            valued(lambda on, tg: on.argmax(axis=1)),
            "You add the *number* of the chosen action, 0 or 1 or 2, in the place of its value. What does `argmax` give, and where does its value stand?",
        ),
        Wrong(
            "values-below-zero-dropped",
            valued(lambda on, tg: np.maximum(double(on, tg), 0)),
            "A value below 0 becomes 0 with you. May a future not be bad?",
        ),
        # --- along which axis
        Wrong(
            "largest-over-the-batch",
            valued(lambda on, tg: tg.max(axis=0)),
            "Your largest values run over axis 0, the steps of the batch: one for each action. Along which axis do the actions of one step lie, and which network's largest value is meant?",
        ),
        Wrong(
            "choice-over-the-batch",
            valued(lambda on, tg: picked(tg, on.argmax(axis=0))),
            "Your `argmax` runs over axis 0, the steps of the batch: one choice for each action. Along which axis do the actions of one step lie?",
        ),
        Wrong(
            "choice-in-the-whole-table",
            valued(lambda on, tg: picked(tg, np.asarray(on.argmax()))),
            "Your `argmax` has no axis: it looks for one place in the whole table. How many choices are there to make, and along which axis?",
        ),
        Wrong(
            "largest-of-the-whole-table",
            valued(lambda on, tg: tg.max()),
            "You add the same number to all steps, the largest of the target network's whole table. How many choices are there to make, and along which axis?",
        ),
        Wrong(
            "largest-online-value-of-the-whole-table",
            valued(lambda on, tg: on.max()),
            "You add the same number to all steps, the largest of the online network's whole table. How many choices are there to make, and along which axis?",
        ),
        Wrong(
            "every-step-with-every-choice",
            valued(lambda on, tg: tg[:, on.argmax(axis=1)]),
            "`table[:, choices]` takes *every* choice from each row, so your result is a square. How do you take one entry from each row?",
        ),
        Wrong(
            "rows-for-entries",
            valued(lambda on, tg: tg[on.argmax(axis=1)]),
            "`table[choices]` takes whole *rows*, and it takes them by the numbers of actions. How do you take one entry from each row?",
        ),
        Wrong(
            "a-column",
            by(lambda r, term, trunc, on, tg, g: r[:, None] + g * (1 - term[:, None]) * double(on, tg)[:, None]),
            "The numbers are right but stand in a column, (N, 1). Subtracted from N values in a row, that makes a square. Which shape is asked for?",
        ),
        Wrong(
            "a-column-against-a-row",
            by(lambda r, term, trunc, on, tg, g: r + g * (1 - term) * double(on, tg)[:, None]),
            "A row of rewards (N,) and a column of values (N, 1) make a square (N, N) together. Which of your arrays has an axis too many?",
        ),
        Wrong(
            "all-actions",
            by(lambda r, term, trunc, on, tg, g: r[:, None] + g * (1 - term[:, None]) * tg),
            "You hand back a target for each action of the *next* state. Which one of them counts for a step?",
        ),
        Wrong(
            "mean-over-the-batch",
            by(lambda r, term, trunc, on, tg, g: (r + g * (1 - term) * double(on, tg)).mean()),
            "You hand back one number, the mean over the batch. How many steps need a target?",
        ),
        # --- reward and discount
        Wrong(
            "discount-forgotten",
            joined(lambda r, v, g: r + v),
            "`gamma` has no effect: the future counts in full. How much is a reward worth that comes one step later?",
        ),
        Wrong(
            "reward-forgotten",
            joined(lambda r, v, g: g * v),
            "`reward` has no effect. What has been earned in the step itself?",
        ),
        Wrong(
            "reward-discounted-as-well",
            joined(lambda r, v, g: g * (r + v)),
            "You discount the reward, too. Which of the two comes a step later?",
        ),
        Wrong(
            "reward-discounted-alone",
            joined(lambda r, v, g: g * r + v),
            "You discount the reward in the place of the future. Which of the two comes a step later?",
        ),
        Wrong(
            "discounted-twice",
            joined(lambda r, v, g: r + g**2 * v),
            "You discount the future twice. How many steps later does the next state come?",
        ),
        Wrong(
            "discount-turned-round",
            joined(lambda r, v, g: r + (1 - g) * v),
            "You multiply the future by 1 - gamma. What does a gamma close to 1 mean, an agent that looks far ahead or one that does not?",
        ),
        Wrong(
            "mixed",
            joined(lambda r, v, g: (1 - g) * r + g * v),
            "You mix reward and future with shares that add up to 1. Does the formula take anything away from the reward?",
        ),
        Wrong(
            "future-subtracted",
            joined(lambda r, v, g: r - g * v),
            "You subtract the future from the reward. Is a good next state a loss?",
        ),
        Wrong(
            "discounted-along-the-batch",
            joined(lambda r, v, g: r + g ** np.arange(1, len(r) + 1) * v),
            "You discount each step of the batch more than the one before, as if they followed on each other. What does the order of a batch mean that was drawn from a memory?",
        ),
        Wrong(
            "signs-of-rewards",
            joined(lambda r, v, g: np.sign(r) + g * v),
            "Only the sign of each reward counts with you, as Mnih and colleagues (2015) did for Atari. Does the task's formula?",
        ),
        Wrong(
            "rewards-clipped",
            joined(lambda r, v, g: np.clip(r, -1, 1) + g * v),
            "You clip rewards to -1 … 1, as some programs for Atari do. Does the task's formula?",
        ),
        Wrong(
            "error-for-target",
            by(lambda r, term, trunc, on, tg, g: r + g * (1 - term) * double(on, tg) - on.max(axis=1)),
            "You subtract a value at the end, as for an error. Do you know here which action was taken in the step itself, and is an error asked for?",
        ),
        Wrong(
            "future-alone-undiscounted",
            by(lambda r, term, trunc, on, tg, g: double(on, tg)),
            "What comes back is the value of the chosen action in the next state, and no more. What becomes of reward, discount and the end of an episode?",
        ),
        # --- in place
        Wrong(
            "target-table-erased",
            by(erasing),
            "The targets are right, but you write zeros into `next_q_target`, which belongs to the caller. Where could the zeros come in instead?",
        ),
        Wrong(
            "rewards-changed",
            by(adding),
            "The targets are right, but you add them into `reward`, and the memory that it came from now holds them. Which operator makes a new array?",
        ),
        Wrong(
            "both-tables-erased",
            by(erasing_online),
            "The targets are right, but you write zeros into both tables, which belong to the caller. Where could the zeros come in instead?",
        ),
    ),
    hints=(
        "Three questions for each step: which action would come next, what is it worth, and is there a next step at all?",
        "The online network chooses: `next_q_online.argmax(axis=1)`. The target network says what that choice is worth. `terminated` alone decides whether it counts; a truncated episode would have gone on.",
        "`next_q_target[np.arange(len(reward)), choices]` takes one entry from each row. Multiply by `gamma` and by `(1 - terminated)`, and add the reward.",
    ),
    unlocks="One line of this, a wrong flag, is among the most frequent bugs of the field.",
)  # fmt: skip
