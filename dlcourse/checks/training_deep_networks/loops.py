"""A training script with validation, run on a real model: two faults to find, and each half-mended script has its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def train_with_validation(model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int) -> Any:
    from dlcourse.nn import functional as F  # noqa: N812
    from dlcourse.tensor import no_grad

    train_losses, val_losses = [], []
    for _ in range(epochs):
        model.train()
        total = 0.0
        for X, y in batches:
            loss = F.cross_entropy(model(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        train_losses.append(total / len(batches))
        model.eval()
        with no_grad():
            val_losses.append(F.cross_entropy(model(X_val), y_val).item())
    return train_losses, val_losses


def train_with_forgetting_after_the_step(
    model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int
) -> Any:
    from dlcourse.nn import functional as F  # noqa: N812

    losses = np.zeros((2, epochs))
    model.zero_grad()
    for epoch in range(epochs):
        model.train(True)
        for X, y in batches:
            loss = F.cross_entropy(model(X), y)
            losses[0, epoch] += loss.item() / len(batches)
            loss.backward()
            optimizer.step()
            model.zero_grad()
        model.train(False)
        losses[1, epoch] = F.cross_entropy(model(X_val), y_val).item()
    model.train()
    return losses


def train_with_validation_one_by_one(
    model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int
) -> Any:
    from dlcourse.nn import functional as F  # noqa: N812

    history: list[tuple[float, float]] = []
    while len(history) < epochs:
        seen = []
        for X, y in batches:
            model.train()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(X), y)
            loss.backward()
            optimizer.step()
            seen.append(float(loss.data))
        model.eval()
        each = [F.cross_entropy(model(X_val[n : n + 1]), y_val[n : n + 1]).item() for n in range(len(y_val))]
        history.append((float(np.mean(seen)), sum(each) / len(each)))
    return list(zip(*history, strict=True))


def training_inputs(rng: np.random.Generator) -> list[Case]:
    def case(
        sizes: tuple[int, int, int],
        p: float,
        lr: float,
        count: int,
        B: int,
        epochs: int,
        label: str = "",
        shift: int = 0,
    ) -> Case:
        D, H, C = sizes
        centers = rng.normal(size=(C, D))

        def some(n: int) -> Any:
            y = rng.permutation(np.arange(n) % C)
            return (centers[y] + 0.5 * rng.normal(size=(n, D))).round(2), y

        batches = [some(B) for _ in range(count)]
        model = f"{D}-{H}-{C}, dropout {p}, seed {rng.integers(1000)}"
        X_val, y_val = some(6)
        return Case((model, f"SGD, lr {lr}", batches, X_val, (y_val + shift) % C, epochs), label)

    return [
        case((2, 4, 3), 0.5, 0.2, 2, 4, 2),
        case((3, 6, 3), 0.3, 0.1, 3, 5, 3),
        case((4, 5, 2), 0.5, 0.3, 4, 6, 2),
        case((3, 8, 3), 0.2, 0.2, 2, 6, 4),
        case((3, 6, 3), 0.5, 0.2, 1, 8, 3, "one batch in each epoch"),
        case((3, 6, 3), 0.5, 0.2, 3, 4, 1, "one epoch"),
        case((3, 8, 3), 0.2, 0.3, 4, 6, 4, "validation that gets worse", shift=1),
    ]


def program(
    forget: str = "each batch",
    train_mode: str = "each epoch",
    eval_mode: bool = True,
    eval_first: bool = False,
    eval_behind: bool = False,
    step_each: str = "batch",
    share: bool = False,
    validation_first: bool = False,
    learns_from_validation: str = "",
    train_loss: str = "mean",
    measured_on: str = "validation",
    handed: Callable[[Any, Any], Any] = lambda train_losses, val_losses: (train_losses, val_losses),
) -> Callable[..., Any]:
    """The script with some of its lines exchanged.

    ``forget``: where the slopes are set back to zero; ``share``: each loss is divided by the number of batches first.
    """

    def answer(model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int) -> Any:
        from dlcourse.nn import functional as F  # noqa: N812

        train_losses: list[float] = []
        val_losses: list[float] = []

        def validate() -> None:
            if train_mode == "exchanged":
                model.train()
            elif eval_mode:
                model.eval()
            X, y = (X_val, y_val) if measured_on != "training" else batches[-1]
            scores = model(X)
            loss = F.cross_entropy(scores, y)
            hits = float(np.mean(scores.data.argmax(axis=1) == y))
            val_losses.append(hits if measured_on == "accuracy" else loss.item())
            if eval_behind:
                model.eval()
            if learns_from_validation:
                if learns_from_validation == "afresh":
                    optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        if train_mode == "once":
            model.train()
        if eval_first:
            model.eval()
        seen: list[float] = []
        for _ in range(epochs):
            if validation_first:
                validate()
            if train_mode == "each epoch":
                model.train()
            if train_mode == "exchanged":
                model.eval()
            if forget == "each epoch":
                optimizer.zero_grad()
            seen = list(seen) if train_loss == "never reset" else []
            for X, y in batches:
                loss = F.cross_entropy(model(X), y)
                seen.append(loss.item())
                if forget == "each batch":
                    optimizer.zero_grad()
                (loss / len(batches) if share else loss).backward()
                if forget == "after backward":
                    optimizer.zero_grad()
                for _ in range({"batch": 1, "half batch": 2}.get(step_each, 0)):
                    optimizer.step()
            if step_each == "epoch":
                optimizer.step()
            if train_loss == "of the new weights":
                model.eval()
                seen = [F.cross_entropy(model(X), y).item() for X, y in batches]
            of_epoch = {
                "last": seen[-1],
                "sum": sum(seen),
                "never reset": sum(seen) / len(batches),
                "by epochs": sum(seen) / epochs,
                "by batch size": sum(seen) / len(batches[0][1]),
                "by examples": sum(seen) / sum(len(y) for _, y in batches),
            }
            train_losses.append(of_epoch.get(train_loss, sum(seen) / len(seen)))
            if not validation_first:
                validate()
        return handed(train_losses, val_losses)

    return answer


def tensors(train_losses: list[float], val_losses: list[float]) -> Any:
    from dlcourse.tensor import Tensor

    return [Tensor(loss) for loss in train_losses], val_losses


def epochs_alike(model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int) -> Any:
    train_losses, val_losses = program()(model, optimizer, batches, X_val, y_val, epochs)
    return float(np.mean(train_losses)), float(np.mean(val_losses))


def lowest_so_far(model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int) -> Any:
    train_losses, val_losses = program()(model, optimizer, batches, X_val, y_val, epochs)
    return train_losses, np.minimum.accumulate(val_losses)


def last_ones(model: Any, optimizer: Any, batches: Any, X_val: Any, y_val: Any, epochs: int) -> Any:
    train_losses, val_losses = program()(model, optimizer, batches, X_val, y_val, epochs)
    return train_losses[-1], val_losses[-1]


TRAIN_WITH_VALIDATION = Exercise(
    id="training_deep_networks.train_with_validation",
    kind="program",
    title="Mend a training script",
    points=3,
    minutes=20,
    difficulty=2,
    function="train_with_validation",
    reference=train_with_validation,
    alternatives=(train_with_forgetting_after_the_step, train_with_validation_one_by_one),
    inputs=training_inputs,
    driver="trains_a_model",
    blame=("form of the result", "train_losses", "steps taken", "weights", "running statistics", "val_losses"),
    wrong=(
        Wrong(
            "as-given",
            program(forget="each epoch", eval_mode=False),
            "This is still the script as it was handed out, with both faults. Print the size of the slopes before each step of an epoch: "
            "from which batches do they come?",
        ),
        Wrong(
            "never-forgets",
            program(forget="never", eval_mode=False),
            "The slopes are now never set back to zero, and the other fault is still there, too. What does `backward` do with slopes that it finds?",
        ),
        Wrong(
            "eval-mode-left",
            program(eval_mode=False),
            "One fault is mended: training is right. The other one spoils the validation losses: which two layers of the model behave differently when "
            "nobody trains, and who tells them?",
        ),
        Wrong(
            "piling-up-left",
            program(forget="each epoch"),
            "One fault is mended: validation is done as it should be. The other one is left: with which slopes does the *second* batch of an epoch take its step?",
        ),
        Wrong(
            "piling-up-everywhere",
            program(forget="never"),
            "Validation is done as it should be, but now the slopes are never set back to zero. What does `backward` do with slopes that it finds?",
        ),
        Wrong(
            "steps-with-zeros",
            program(forget="after backward"),
            "Every step is taken with slopes that are zero, so the weights never move. Either the slopes are set back between `backward` and `step`, "
            "or `step` comes before `backward`. In which order do the three calls have to come?",
        ),
        Wrong(
            "never-steps",
            program(step_each="never"),
            "The weights never move: the optimizer takes no step at all. Which of its calls moves them?",
        ),
        Wrong(
            "stays-in-eval-mode",
            program(train_mode="once"),
            "Right in the first epoch. From the second on the model trains in eval mode: no unit is dropped any more, and the running statistics stand still. "
            "Who tells it that validation is over?",
        ),
        Wrong(
            "trains-in-eval-mode",
            program(train_mode="never", eval_first=True),
            "The model is in eval mode while it trains: nothing is dropped and the running statistics never move. When should it be told what?",
        ),
        Wrong(
            "eval-mode-comes-late",
            program(train_mode="once", eval_mode=False, eval_behind=True),
            "The model is told to evaluate only behind the first validation loss, and nobody tells it to train again. Just before which line should each mode begin, in every epoch?",
        ),
        Wrong(
            "modes-exchanged",
            program(train_mode="exchanged"),
            "The two modes are exchanged: the model trains in eval mode and is validated in training mode. In which of the two should units be dropped?",
        ),
        Wrong(
            "one-step-an-epoch",
            program(forget="each epoch", step_each="epoch"),
            "The optimizer takes one step for each epoch, with the summed slopes of all batches. How many steps does the task's example count?",
        ),
        Wrong(
            "two-steps-a-batch",
            program(step_each="half batch"),
            "The optimizer takes two steps for each batch. How many does the task ask for, and where is the second call?",
        ),
        Wrong(
            "piling-up-in-shares",
            program(forget="each epoch", share=True),
            "Validation is right. The slopes still pile up within an epoch, only each divided by the number of batches. Of which batches are the slopes that the task asks for?",
        ),
        Wrong(
            "validated-before-training",
            program(validation_first=True),
            "Each validation loss is that of the model *before* the epoch. Which moment does the task name?",
        ),
        Wrong(
            "learns-from-validation",
            program(learns_from_validation="afresh"),
            "The model takes a step on the validation data. After that, they no longer tell how it does on data it has not seen. Which calls have no place there?",
        ),
        Wrong(
            "learns-from-validation-and-batches",
            program(learns_from_validation="on top"),
            "The model takes a step with the slopes of the validation data, piled on those of the last batch. What must validation data never be used for?",
        ),
        Wrong(
            "accuracy-for-loss",
            program(measured_on="accuracy"),
            "Training is right. Your validation list holds the share of right guesses, not the loss. Which function measures the loss in training?",
        ),
        Wrong(
            "lowest-so-far",
            lowest_so_far,
            "Training is right. Your validation list never rises: each entry is the lowest loss so far. What would such a list hide from you?",
        ),
        Wrong(
            "validated-on-training-data",
            program(measured_on="training"),
            "Training is right. Your validation losses are those of the last training batch. Which two arguments are meant for validation?",
        ),
        Wrong(
            "last-batch-for-mean",
            program(train_loss="last"),
            "The weights are right. Your training loss of an epoch is that of its last batch. Over which losses does the task take the mean?",
        ),
        Wrong(
            "sum-for-mean",
            program(train_loss="sum"),
            "The weights are right. Your training loss of an epoch is the sum over its batches. By what is it divided?",
        ),
        Wrong(
            "divided-by-epochs",
            program(train_loss="by epochs"),
            "The weights are right. You divide the sum of an epoch's losses by the number of epochs. How many losses are in that sum?",
        ),
        Wrong(
            "divided-by-batch-size",
            program(train_loss="by batch size"),
            "The weights are right. You divide the sum of the batches' losses by the size of a batch. How many losses are in that sum?",
        ),
        Wrong(
            "divided-by-examples",
            program(train_loss="by examples"),
            "The weights are right. You divide the sum of the batches' losses by the number of examples, but each of them is a mean already. How many losses are in that sum?",
        ),
        Wrong(
            "sum-not-reset",
            program(train_loss="never reset"),
            "The weights are right, and so is the first training loss. The later ones hold the losses of the earlier epochs, too. Where does the sum of an epoch begin?",
        ),
        Wrong(
            "loss-of-the-new-weights",
            program(train_loss="of the new weights"),
            "The weights are right. Your training losses are those of the weights at the end of the epoch, with nothing dropped. When does the task take the loss of each batch?",
        ),
        Wrong(
            "tensors-for-numbers",
            program(handed=tensors),
            "There are tensors among your losses, and each drags its whole graph along. Which method turns a tensor of one number into a number?",
        ),
        Wrong(
            "lists-exchanged",
            program(handed=lambda train_losses, val_losses: (val_losses, train_losses)),
            "The two lists are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "pairs-for-lists",
            program(handed=lambda train_losses, val_losses: list(zip(train_losses, val_losses, strict=True))),
            "You hand back one pair for each epoch. The task asks for two lists: how do you turn pairs into lists?",
        ),
        Wrong(
            "training-losses-alone",
            program(handed=lambda train_losses, val_losses: train_losses),
            "You hand back a single list. Which other one does the task ask for?",
        ),
        Wrong(
            "last-epoch-only",
            last_ones,
            "The weights are right. You hand back the losses of the last epoch alone. How many numbers does each list hold?",
        ),
        Wrong(
            "averaged-over-epochs",
            epochs_alike,
            "The weights are right. You hand back one mean over all epochs. How many numbers does each list hold?",
        ),
    ),
    hints=(
        "Two lines are at fault: one stands in the wrong place, one is missing. One spoils the training, the other only what is measured.",
        "First: `backward` adds to the slopes that are there; see where they are set back. Second: dropout and batch norm have two modes; see who switches them.",
        "`optimizer.zero_grad()` belongs into the inner loop, before `loss.backward()`. And `model.eval()` belongs before the validation loss; `model.train()` at the top of the epoch switches back.",
    ),
    unlocks="These two are the first lines to look for in anybody's script.",
)  # fmt: skip
