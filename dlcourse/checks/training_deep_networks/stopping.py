"""When to stop, and which epoch's weights to keep (Prechelt 1998: stop after `patience` strips without a new minimum)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Losses = Sequence[float]


def early_stopping(val_losses: Losses, patience: int) -> Any:
    best = 0
    for epoch, loss in enumerate(val_losses):
        if loss < val_losses[best]:
            best = epoch
        if epoch - best == patience:
            return best, epoch
    return best, len(val_losses) - 1


def early_stopping_by_counting(val_losses: Losses, patience: int) -> Any:
    lowest, best, without = float("inf"), -1, 0
    for epoch in range(len(val_losses)):
        if val_losses[epoch] < lowest:
            lowest, best, without = val_losses[epoch], epoch, 0
        else:
            without += 1
        if without >= patience:
            break
    return [best, epoch]


def early_stopping_by_arrays(val_losses: Losses, patience: int) -> Any:
    losses = np.array(val_losses)
    lowest = np.minimum.accumulate(losses)
    new = np.r_[True, losses[1:] < lowest[:-1]]  # (T,)
    best = np.maximum.accumulate(np.where(new, np.arange(len(losses)), 0))
    over = np.flatnonzero(np.arange(len(losses)) - best >= patience)
    stopped = over[0] if over.size else len(losses) - 1
    return best[stopped], stopped


def stopping_inputs(rng: np.random.Generator) -> list[Case]:
    def case(losses: Sequence[float], patience: int, label: str = "") -> Case:
        return Case((list(losses), patience), label)

    falling = np.sort(rng.uniform(0.3, 2, 7))[::-1].round(2).tolist()
    return [
        case([0.9, 0.7, 0.8, 0.6, 0.65, 0.7, 0.75], 2),
        case([1.0, 0.8, 0.85, 0.7, 0.75, 0.72, 0.71, 0.9, 0.4, 0.3], 3),
        case([0.9, 0.95, 0.7, 0.75, 0.6, 0.65, 0.5, 0.55, 0.58, 0.61, 0.2], 3),
        case([2.0, 1.5, 1.6, 1.4, 1.7, 1.65, 1.45, 1.41, 1.3, 1.35, 1.5, 1.6, 1.55], 5),
        case([1.2, 1.0, 1.1, 1.05, 1.02, 0.9, 0.95, 0.97], 4),
        case([0.5, 0.4, 0.45, 0.42, 0.44, 0.3], 1),
        case([0.9, 0.71, 0.705, 0.8, 0.702, 0.75, 0.7, 0.72, 0.71, 0.69], 2),
        case([0.9, 0.6, 0.7, 0.599999, 0.65, 0.7, 0.3], 2, "a loss that is lower by a millionth"),
        case([0.8, 0.6, 0.62, 0.58, 0.6], 3, "losses that end before the patience does"),
        case(falling, 2, "losses that always fall"),
        case([0.4, 0.5, 0.6, 0.7, 0.1], 3, "a first epoch that is the best for long"),
        case([0.7, 0.5, 0.5, 0.5, 0.4], 2, "a lowest loss that comes again"),
        case([0.9, 0.6, 0.7, 0.6, 0.65, 0.5], 3, "a lowest loss that comes again"),
        case([0.8, 0.5, 0.6, 0.5, 0.55, 0.52], 2, "a lowest loss that comes again"),
        case([0.8, 0.5, 0.55, 0.6], 2, "a patience that ends at the last epoch"),
        case([1.3], 2, "one epoch"),
    ]


def variant(
    better: Callable[[float, float], bool] = lambda loss, lowest: loss < lowest,
    limit: Callable[[int], int] = lambda patience: patience,
    reset: bool = True,
    remembered: Callable[[Losses, int, int], float] = lambda losses, best, epoch: losses[best],
    best_of: Callable[[Losses, int, int], Any] = lambda losses, best, stopped: best,
    stop_of: Callable[[Losses, int, int], Any] = lambda losses, best, stopped: stopped,
    at_the_end: Callable[[Losses], Any] = lambda losses: len(losses) - 1,
) -> Callable[..., Any]:
    """Early stopping with one part exchanged."""

    def answer(val_losses: Losses, patience: int) -> Any:
        best, without, stopped = 0, 0, at_the_end(val_losses)
        for epoch in range(1, len(val_losses)):
            if better(val_losses[epoch], remembered(val_losses, best, epoch)):
                best, without = epoch, 0 if reset else without
            else:
                without += 1
            if without >= limit(patience):
                stopped = epoch
                break
        return best_of(val_losses, best, stopped), stop_of(val_losses, best, stopped)

    return answer


def latest_improvement(val_losses: Losses, patience: int) -> Any:
    """Compares with the loss of the epoch before."""
    return variant(remembered=lambda losses, best, epoch: losses[epoch - 1])(val_losses, patience)


def best_epoch_counted(val_losses: Losses, patience: int) -> Any:
    """The epoch of the lowest loss counts as the first without a new one."""
    best = 0
    for epoch, loss in enumerate(val_losses):
        if loss < val_losses[best]:
            best = epoch
        if epoch - best >= patience - 1:
            return best, epoch
    return best, len(val_losses) - 1


def first_epoch_counted(val_losses: Losses, patience: int) -> Any:
    best, without = 0, 0
    for epoch, loss in enumerate(val_losses):
        best, without = (epoch, 0) if loss < val_losses[best] else (best, without + 1)
        if without == patience:
            return best, epoch
    return best, len(val_losses) - 1


def stopped_after_the_best_of_all(val_losses: Losses, patience: int) -> Any:
    best = int(np.argmin(val_losses))
    return best, min(best + patience, len(val_losses) - 1)


def epoch_behind_the_stop(val_losses: Losses, patience: int) -> Any:
    best, stopped = early_stopping(val_losses, patience)
    return best, stopped + (stopped - best == patience)


def last_epoch_best_at_the_end(val_losses: Losses, patience: int) -> Any:
    best, stopped = early_stopping(val_losses, patience)
    return best if stopped - best == patience else stopped, stopped


def stop_beyond_the_list(val_losses: Losses, patience: int) -> Any:
    best, _ = early_stopping(val_losses, patience)
    return best, best + patience


def asked_before_looking(val_losses: Losses, patience: int) -> Any:
    best = 0
    for epoch, loss in enumerate(val_losses):
        if epoch - best >= patience:
            return best, epoch
        if loss < val_losses[best]:
            best = epoch
    return best, len(val_losses) - 1


def ties_not_counted(val_losses: Losses, patience: int) -> Any:
    best, without = 0, 0
    for epoch, loss in enumerate(val_losses):
        if loss < val_losses[best]:
            best, without = epoch, 0
        elif loss > val_losses[best]:
            without += 1
        if without == patience:
            return best, epoch
    return best, len(val_losses) - 1


EARLY_STOPPING = Exercise(
    id="training_deep_networks.early_stopping",
    kind="function",
    title="Early stopping with patience",
    points=2,
    minutes=12,
    difficulty=2,
    function="early_stopping",
    reference=early_stopping,
    alternatives=(early_stopping_by_counting, early_stopping_by_arrays),
    inputs=stopping_inputs,
    returns=("best_epoch", "stopped_epoch"),
    blame=("stopped_epoch", "best_epoch"),
    wrong=(
        Wrong(
            "one-epoch-too-patient",
            variant(limit=lambda patience: patience + 1),
            "You stop one epoch too late: you wait until there are *more* than `patience` epochs without a new lowest loss. With a patience of 2, after which of them is it over?",
        ),
        Wrong(
            "one-epoch-too-hasty",
            best_epoch_counted,
            "You stop one epoch too early. Does the epoch of the lowest loss itself count as one without improvement?",
        ),
        Wrong(
            "no-patience",
            variant(limit=lambda patience: 1),
            "You stop at the first epoch that brings no new lowest loss; `patience` has no effect. How many of them in a row are allowed?",
        ),
        Wrong(
            "count-not-reset",
            variant(reset=False),
            "You count all epochs without a new lowest loss, also those before the latest improvement. When does the count go back to 0?",
        ),
        Wrong(
            "compared-with-the-last-epoch",
            latest_improvement,
            "You compare each loss with that of the epoch before, so a small recovery after a rise counts as progress. With which earlier loss should it be compared?",
        ),
        Wrong(
            "compared-with-the-last-epoch-lowest-kept",
            variant(
                remembered=lambda losses, best, epoch: losses[epoch - 1],
                best_of=lambda losses, best, stopped: int(np.argmin(losses[: stopped + 1])),
            ),
            "`best_epoch` is the lowest of those that were run, but your count goes back to 0 whenever a loss is below that of the epoch *before*. "
            "Which event is the only one that should reset it?",
        ),
        Wrong(
            "best-of-all",
            variant(best_of=lambda losses, best, stopped: int(np.argmin(losses))),
            "`stopped_epoch` is right, but your best epoch is the lowest of the whole list. What came after the stop was never trained: "
            "which part of the list would you have seen?",
        ),
        Wrong(
            "never-stopped",
            lambda val_losses, patience: (int(np.argmin(val_losses)), len(val_losses) - 1),
            "You look through the whole list and never stop. Which epoch is the last one to be trained?",
        ),
        Wrong(
            "last-weights-kept",
            variant(best_of=lambda losses, best, stopped: stopped),
            "`stopped_epoch` is right, and you name it as the best epoch, too. By then the loss has not been at its lowest for a while: which weights are worth keeping?",
        ),
        Wrong(
            "stopped-at-the-best",
            variant(stop_of=lambda losses, best, stopped: best),
            "`best_epoch` is right, and you say that training stopped there. How could you have known then that nothing better would come?",
        ),
        Wrong(
            "ties-count",
            variant(better=lambda loss, lowest: loss <= lowest),
            "A loss that equals the lowest so far counts as an improvement with you. The task asks for less, not for as little. Which comparison says so?",
        ),
        Wrong(
            "small-improvements-ignored",
            variant(better=lambda loss, lowest: loss < lowest - 0.01),
            "A loss that is only a little below the lowest so far does not count with you. The task names no least amount: when is a loss a new lowest?",
        ),
        Wrong(
            "counted-from-one",
            variant(best_of=lambda losses, best, stopped: best + 1, stop_of=lambda losses, best, stopped: stopped + 1),
            "Both epochs are too large by one. From which number do the epochs count?",
        ),
        Wrong(
            "number-of-epochs",
            variant(stop_of=lambda losses, best, stopped: stopped + 1),
            "`best_epoch` is right. `stopped_epoch` is the number of epochs that were trained. What is the number of the last one, counted from 0?",
        ),
        Wrong(
            "length-at-the-end",
            variant(at_the_end=len),
            "Right where the patience runs out. Where it does not, your `stopped_epoch` is the length of the list. Which number has its last epoch?",
        ),
        Wrong(
            "none-at-the-end",
            variant(at_the_end=lambda losses: None),
            "Right where the patience runs out. Where the list ends before, you hand back None for `stopped_epoch`. Which epoch was the last one then?",
        ),
        Wrong(
            "loss-for-epoch",
            variant(best_of=lambda losses, best, stopped: losses[best]),
            "`stopped_epoch` is right. In place of the best epoch you hand back its loss. What does the task ask for, the value or where it stands?",
        ),
        Wrong(
            "highest",
            variant(better=lambda loss, lowest: loss > lowest),
            "You follow the *highest* loss, as one would with accuracies. Is a loss better when it is larger?",
        ),
        Wrong(
            "no-loss-low-enough",
            variant(remembered=lambda losses, best, epoch: 0.0),
            "No loss ever counts as a new lowest with you, so the best epoch stays 0 and the stop comes `patience` epochs behind it. With which lowest loss do you start, and can a first loss be below it?",
        ),
        Wrong(
            "no-loss-low-enough-and-the-first-counted",
            lambda val_losses, patience: (0, min(patience, len(val_losses)) - 1),
            "No loss counts as a new lowest with you, not even the first, so it is over after `patience` epochs in all. With which lowest loss do you start, and can a first loss be below it?",
        ),
        Wrong(
            "lowest-starts-at-one",
            variant(remembered=lambda losses, best, epoch: min(1.0, losses[best])),
            "A loss of 1 or more never counts as a new lowest with you: you begin as if 1 were the lowest so far. Which loss is the lowest after the first epoch?",
        ),
        Wrong(
            "first-epoch-counted",
            first_epoch_counted,
            "You count the first epoch as one without a new lowest loss, so as long as no later loss is below it, you stop too early. What is the lowest loss so far after one epoch?",
        ),
        Wrong(
            "stopped-after-the-best-of-all",
            stopped_after_the_best_of_all,
            "You take the lowest loss of the whole list and stop `patience` epochs behind it. Would the training have come so far without running out of patience?",
        ),
        Wrong(
            "epoch-behind-the-stop",
            epoch_behind_the_stop,
            "`best_epoch` is right. Where the patience runs out, your `stopped_epoch` is the first epoch that is *not* trained any more. Which one is the last that is?",
        ),
        Wrong(
            "last-epoch-best-at-the-end",
            last_epoch_best_at_the_end,
            "`stopped_epoch` is right, and so is `best_epoch` where the patience runs out. Where it does not, you name the last epoch as the best. Is its loss always the lowest?",
        ),
        Wrong(
            "stop-beyond-the-list",
            stop_beyond_the_list,
            "`best_epoch` is right, but your `stopped_epoch` is always `patience` epochs behind it, even where the list ends before. Which epoch was the last one then?",
        ),
        Wrong(
            "asked-before-looking",
            asked_before_looking,
            "You ask whether the patience is over before you look at the epoch's own loss, so a new lowest loss that comes just in time is missed. In which order do the two belong?",
        ),
        Wrong(
            "ties-not-counted",
            ties_not_counted,
            "A loss that equals the lowest so far neither resets your count nor adds to it. Does such an epoch bring a new lowest loss, or is it one more without?",
        ),
        Wrong(
            "last-of-equals",
            variant(best_of=lambda losses, best, stopped: max(e for e in range(stopped + 1) if losses[e] == losses[best])),
            "`stopped_epoch` is right. Where the lowest loss comes again before the stop, you name the last such epoch, though an equal loss is not a new lowest. Which of them was there first?",
        ),
    ),
    hints=(
        "Walk through the losses once and remember two things: the epoch of the lowest loss so far, and how long ago that was.",
        "A new lowest loss sets the best epoch anew. After each epoch: is the best one `patience` epochs back? Then this is where training stops.",
        "`if loss < val_losses[best]: best = epoch`, then `if epoch - best == patience: return best, epoch`; after the loop, the last epoch.",
    ),
    unlocks="It is the cheapest regularizer there is: it saves time.",
)  # fmt: skip
