"""A DQN's training (Mnih et al. 2015, algorithm 1) with four faults that raise no error."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.reinforcement_learning.training_answers import (
    clipped,
    program,
    train_by_rows,
    train_episode_by_episode,
    train_q_network,
    training_inputs,
)

FAULTS: dict[str, dict[str, Any]] = {
    "clock": {"ended": "either"},
    "start": {"take_start": False},
    "square": {"squeeze": "neither"},
    "name": {"copy": "name"},
}
LEFT = {
    "clock": "steps that the clock cut off are remembered as ended",
    "start": "what `reset` hands back never becomes the observation that is acted on",
    "square": "of q and y, one is a column (N, 1) and the other a row (N,), which make a square",
    "name": "`target = online` copies nothing: from then on both names mean one network",
}
ASK = {
    "clock": "What could still have been earned when the clock stopped the episode?",
    "start": "From which observation does the first action of the next episode come?",
    "square": "Print the shapes of q and y: how many differences should there be?",
    "name": "Which method writes one network's weights into another?",
}
NUMBERS = {1: "One", 2: "Two", 3: "Three"}


OTHERWISE: dict[str, tuple[str, dict[str, Any], str]] = {
    "another-object": (
        "name",
        {"copy": "new object"},
        "Your target is a new network now, and the one that was handed in keeps its old weights.",
    ),
    "no-end-remembered": ("clock", {"ended": "never"}, "No step at all is remembered as ended now."),
    "truncated-remembered": (
        "clock",
        {"ended": "truncated"},
        "`truncated` is remembered now in the place of `terminated`.",
    ),
    "reset-only-when-terminated": (
        "start",
        {"over": "terminated"},
        "`reset` is no longer called where the clock has stopped an episode.",
    ),
}


def mended_otherwise() -> list[Wrong]:
    """A wrong answer for each fault that was mended amiss, with each choice of others that are still there."""
    found = []
    for name, (mended, change, finding) in OTHERWISE.items():
        others = [fault for fault in FAULTS if fault != mended]
        for many in (3, 2, 1):
            for left in combinations(others, many):
                options = {key: value for fault in left for key, value in FAULTS[fault].items()} | change
                still = f"Besides, {NUMBERS[many].lower()} of the four faults {'is' if many == 1 else 'are'} left: {'; '.join(LEFT[fault] for fault in left)}."
                found.append(
                    Wrong(f"{name}-and-left-{'-'.join(left)}", program(**options), f"{finding} {still} {ASK[left[0]]}")
                )
    return found


def partly_mended() -> list[Wrong]:
    """A wrong answer for each choice of faults that are still there."""
    found = []
    for many in (3, 2, 1):
        for left in combinations(FAULTS, many):
            options = {key: value for name in left for key, value in FAULTS[name].items()}
            mended = f"{NUMBERS[4 - many]} of the four faults {'is' if many == 3 else 'are'} mended."
            still = f"{NUMBERS[many]} {'is' if many == 1 else 'are'} left: {'; '.join(LEFT[name] for name in left)}."
            found.append(Wrong(f"left-{'-'.join(left)}", program(**options), f"{mended} {still} {ASK[left[0]]}"))
    return found


FIX_THE_DQN = Exercise(
    id="reinforcement_learning.fix_the_dqn",
    kind="program",
    title="Mend a DQN",
    points=4,
    minutes=30,
    difficulty=3,
    function="train_q_network",
    reference=train_q_network,
    alternatives=(train_by_rows, train_episode_by_episode),
    inputs=training_inputs,
    driver="trains_on_a_script",
    blame=(
        "form of the result", "steps in an episode that was over", "number of losses", "who is asked for actions",
        "observations acted on", "transitions remembered", "observations remembered", "next observations remembered",
        "actions remembered", "rewards remembered", "what is remembered as the end", "the first loss",
        "the other losses", "weights of online", "weights of target",
    ),
    rtol=1e-5,
    atol=1e-8,
    seconds=20.0,
    forbid=("dlcourse.rl",),
    wrong=(
        Wrong(
            "as-given",
            program(ended="either", take_start=False, squeeze="neither", copy="name"),
            "This is still the training as it was handed out, with all four faults. Follow one episode to its end, line by line: what is remembered, and where does the next one begin?",
        ),
        *partly_mended(),
        *mended_otherwise(),
        Wrong(
            "both-of-reset",
            program(start_of=lambda observation, info: (observation, info)),
            "After the first episode, what is acted on is a tuple and no array: all that `reset` hands back. What are its two parts?",
        ),
        Wrong(
            "info-for-observation",
            program(start_of=lambda observation, info: info),
            "After the first episode, what is acted on is a dict and no array: the second part of what `reset` hands back. Which part holds the observation?",
        ),
        # --- what is remembered
        Wrong(
            "nothing-remembered",
            lambda env, online, target, optimizer, act, memory, steps, *rest: [1.0] * steps,
            "The losses have the right form, but nothing was put into the memory. Which steps does the network learn from?",
        ),
        Wrong(
            "no-end-remembered",
            program(ended="never"),
            "No step is remembered as ended, so terminated ones get a future. Which of the two flags belongs into the memory?",
        ),
        Wrong(
            "truncated-remembered",
            program(ended="truncated"),
            "`truncated` is remembered in the place of `terminated`. After which of the two is there nothing to come?",
        ),
        Wrong(
            "end-turned-round",
            program(ended="turned round"),
            "Your memory holds `not terminated`, and the loss takes 1 minus that. How often should the flag be turned round on its way?",
        ),
        Wrong(
            "only-both-are-an-end",
            program(ended="both"),
            "A step is remembered as ended only where it is terminated *and* truncated. Which flag alone decides?",
        ),
        Wrong(
            "truncation-wins",
            program(ended="only one"),
            "A step that is terminated and truncated at once is not remembered as ended. Does the pole stand again because the clock has run out at the same moment?",
        ),
        Wrong(
            "remembered-after-moving-on",
            program(remember="moved on"),
            "When the transition is remembered, `observation` is already the next one, so each step leads from a state to itself. Which line has to come first?",
        ),
        Wrong(
            "remembered-after-the-reset",
            program(remember="after the reset"),
            "When the transition is remembered, `reset` has already replaced the observation, so an episode's last step leads into the next episode. Which line has to come first?",
        ),
        Wrong(
            "remembered-backwards",
            program(remember="turned round"),
            "Observation and next observation are exchanged in the memory. Which of them did the action answer?",
        ),
        # --- when an episode is over
        Wrong(
            "reset-only-when-terminated",
            program(over="terminated"),
            "An episode that the clock has stopped is not reset, and your steps go on in it. After which flags does Gymnasium want a `reset`?",
        ),
        Wrong(
            "reset-only-when-truncated",
            program(over="truncated"),
            "An episode that is terminated is not reset, and your steps go on in it. After which flags does Gymnasium want a `reset`?",
        ),
        Wrong(
            "reset-only-when-both",
            program(over="both"),
            "Only where both flags are set do you reset, and in other episodes your steps go on behind the end. After which flags does Gymnasium want a `reset`?",
        ),
        Wrong(
            "never-reset",
            program(over="never"),
            "There is no `reset` in your loop, and your steps go on behind the end of the first episode. What does Gymnasium want when an episode is over?",
        ),
        Wrong(
            "always-reset",
            program(over="always"),
            "You reset after every step, so no episode is longer than one. When is it due?",
        ),
        # --- who acts
        Wrong(
            "target-acts",
            program(who_acts="target"),
            "The target network chooses the actions. Which of the two knows more by now?",
        ),
        Wrong(
            "always-sees-the-first-observation",
            program(who_acts="first"),
            "Your actions all answer the very first observation. Which variable holds what is seen now?",
        ),
        # --- the target
        Wrong(
            "plain-dqn",
            program(value="plain"),
            "The target network chooses the next action as well, which is DQN without the *double*. The program had that part right: who chose there?",
        ),
        Wrong(
            "target-unused",
            program(value="online"),
            "The online network says itself what its choice is worth, so it runs after its own tail. The program had that part right: who said it there?",
        ),
        Wrong(
            "networks-exchanged",
            program(value="exchanged"),
            "Your networks have exchanged their parts: the target network chooses, and the online network says what it is worth. Which way round had the program it?",
        ),
        Wrong(
            "slopes-through-the-target",
            program(value="online, with slopes"),
            "The online network values its own choice, and slopes flow through that value, too: the loss pulls y towards q. What was `no_grad` there for, and which network said what the choice is worth?",
        ),
        Wrong(
            "mask-left-out",
            program(mask=lambda ended: ended * 0 + 1),
            "`ended` has no effect on y: terminated steps get a future. What does the memory keep the flag for?",
        ),
        Wrong(
            "mask-turned-round",
            program(mask=lambda ended: ended),
            "In y, only steps that *have* ended get a future. What was the `1 -` for?",
        ),
        Wrong(
            "discount-left-out",
            program(target_of=lambda r, future, gamma: r + future),
            "`gamma` has no effect on y. How much is a reward worth that comes one step later?",
        ),
        Wrong(
            "reward-left-out",
            program(target_of=lambda r, future, gamma: gamma * future),
            "The rewards have no effect on y. What can be learned without them?",
        ),
        # --- the loss
        Wrong(
            "best-value-pulled",
            program(q_of="the best"),
            "You pull the *largest* value of each state, whatever was done there. Of which action do you know what it brought?",
        ),
        Wrong(
            "each-state-with-each-action",
            program(q_of="each with each"),
            "`values[:, a]` takes *every* action of the batch from each row, so q is a square. How do you take one entry from each row?",
        ),
        Wrong(
            "mean-value-pulled",
            program(q_of="all"),
            "You pull the mean over all actions. Of which action do you know what it brought?",
        ),
        Wrong(
            "target's-value-pulled",
            program(q_of="the target's"),
            "You pull the target network's value, which the optimizer cannot move. Whose value should come nearer to y?",
        ),
        Wrong(
            "squares",
            program(loss_of="squares"),
            "No fault is left, but your loss is the mean square, in the place of Huber's. Which one had the program?",
        ),
        Wrong(
            "sizes",
            program(loss_of="sizes"),
            "No fault is left, but your loss is the mean absolute error, in the place of Huber's. Which one had the program?",
        ),
        Wrong(
            "summed",
            program(reduction="sum"),
            "No fault is left, but your loss is a sum over the batch. What had the program?",
        ),
        # --- the step
        Wrong(
            "gradients-add-up",
            program(forget="never"),
            "No fault of the program is left, but the gradients of earlier steps are not set to zero (or in the first step alone), and add up. Which call belongs into each step?",
        ),
        Wrong(
            "gradients-forgotten-too-soon",
            program(forget="behind"),
            "The optimizer never moves the online network: its `step` is missing, or the gradients are set to zero between `backward` and `step`. In which order do the three calls belong?",
        ),
        Wrong(
            "no-update-at-the-end",
            program(learns_at_the_end=False),
            "Steps that end an episode get no update, and no loss, as after a `continue` behind `reset`. How many updates does each step have?",
        ),
        Wrong(
            "ends-with-the-first-episode",
            program(one_episode=True),
            "Your training stops where the first episode does, as after a `break`. How many steps does `steps` ask for, and what follows on an episode's end?",
        ),
        Wrong(
            "gradients-clipped",
            program(curb=clipped),
            "No fault is left, but you clip the gradients to a norm of 1. Many programs do; did this one?",
        ),
        Wrong(
            "two-updates",
            program(updates=2),
            "You learn twice in each step. How often did the program?",
        ),
        # --- the copy
        Wrong(
            "never-copied",
            program(copy="none"),
            "The target network keeps the weights of the start. When is it to become like the online network?",
        ),
        Wrong(
            "copied-backwards",
            program(copy="backwards"),
            "You write the *old* weights into the online network, and what was learned since is lost. Which network gets whose weights?",
        ),
        Wrong(
            "another-object",
            program(copy="new object"),
            "You train right, but with a new network of your own as the target: the one that was handed in keeps its old weights, and the caller looks at that. Which method writes weights into a network that is there already?",
        ),
        Wrong(
            "copied-in-every-step",
            program(copy_when=lambda step, every: True),
            "You copy after every step, so the target never stands still. What is `copy_every` for?",
        ),
        Wrong(
            "copied-once",
            program(copy_when=lambda step, every: step == every),
            "The first copy comes in time, and no other after it. When is the second one due?",
        ),
        Wrong(
            "copied-a-step-early",
            program(copy_when=lambda step, every: (step + 1) % every == 0),
            "You copy one step too early. With steps counted from 1, after which one is the first copy due?",
        ),
        Wrong(
            "copied-a-step-late",
            program(copy_when=lambda step, every: (step - 1) % every == 0),
            "You copy after step 1, and one step late from then on, as if steps were counted from 0. After which one is the first copy due?",
        ),
        Wrong(
            "half-copied",
            program(copy="half"),
            "You move the target half of the way to the online network. Such soft copies exist; what does the task ask for?",
        ),
        Wrong(
            "soft-copies",
            program(copy="hundredth", copy_when=lambda step, every: True),
            "You move the target a hundredth of the way in each step. Such soft copies exist (Lillicrap et al. 2016); what does the task ask for?",
        ),
        Wrong(
            "shared-weights",
            program(copy="shared"),
            "From the first copy on, both networks *share* their weights: what the optimizer does to the one happens to the other. How do you write numbers into weights that are there already?",
        ),
        Wrong(
            "soft-copies-by-copy-every",
            program(copy="share", copy_when=lambda step, every: True),
            "You move the target 1 / copy_every of the way in each step. Such soft copies exist (Lillicrap et al. 2016); what does the task ask for?",
        ),
        Wrong(
            "copied-before-the-step",
            program(copy_first=True),
            "Where a copy is due, you make it *before* the optimizer's step, so the target misses that step. After which call does a step of the program end?",
        ),
        # --- the end
        Wrong(
            "a-step-too-many",
            program(count=lambda steps: steps + 1),
            "No fault is left, but there is one step too many. How many losses should the list hold?",
        ),
        Wrong(
            "a-step-too-few",
            program(count=lambda steps: steps - 1),
            "No fault is left, but there is one step too few. How many losses should the list hold?",
        ),
        Wrong(
            "a-single-step",
            program(return_early=True),
            "Only one step is taken, whatever `steps` is. Where does the `return` stand?",
        ),
        Wrong(
            "losses-as-tensors",
            program(kept=lambda loss: loss),
            "The list of losses holds tensors, and a tensor that is not detached keeps its whole graph in memory. How do you get a plain number out of a tensor that holds one?",
        ),
        Wrong(
            "mean-loss",
            program(handed=lambda losses: sum(losses) / len(losses)),
            "You hand back one number. How many losses does the task ask for?",
        ),
        Wrong(
            "last-loss-in-a-list",
            program(handed=lambda losses: losses[-1:]),
            "Your list holds one loss alone, the last. How many steps were there?",
        ),
    ),
    hints=(
        "Walk through the last step of an episode by hand, once where the pole falls and once where the clock stops it. Then print the shapes in the loss, and `target is online` after the first copy.",
        "Two faults sit around the end of an episode, one in a shape, one in an equals sign.",
        "`memory.add(..., terminated)`; `observation, _ = env.reset()`; a `.squeeze(1)` behind `gather`; `target.load_state_dict(online.state_dict())`.",
    ),
    unlocks="None of the four raises an error: print shapes, and play single episodes by hand.",
)  # fmt: skip
