"""CartPole, to be solved; the answer is a trained policy, and the check plays what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Opaque
from dlcourse.drivers.environments import LONGEST, NOT_FINITE, POLICY, replayed

Array = NDArray[np.float64]

FORM, BALANCE = "what is handed over", "how the pole fares"
WANTED, SOME, LITTLE = 475, 200, 30
BALANCED = "it stands"
KINDS = {  # by the beginning of the driver's words
    "it has a layer that is not on the list": "a layer that is not on the list",
    "what comes out for each observation": "another number of scores",
    "layer ": "layers that do not fit together",
    "its ": "a softmax over the examples",
    **dict.fromkeys(("a float", "a int", "a bool"), "samples"),
    **dict.fromkeys(("a Adam", "a SGD", "a RMSprop"), "an optimizer"),
}
TOLD = (
    "a PolicyAgent", "a DQNAgent", "a class", "a function", "a Module of another class than Sequential",
    "a layer that is not on the list", "a softmax over the examples",
)  # fmt: skip


def fate_of_the_pole(case: Case, value: Any) -> Any:
    """How long the pole stands, in words; None where nothing is answered yet."""
    if value is None:
        return None
    if value["form"] != POLICY:
        return {FORM: formed(value["form"]), BALANCE: "not looked at"}
    return {FORM: POLICY, BALANCE: told(value["actions"], value["worst"])}


def formed(form: str) -> str:
    """What was handed over, in words that do not depend on its numbers."""
    known = next((words for start, words in KINDS.items() if form.startswith(start)), form)
    return "something else" if known.startswith(("a ", "settings")) and known not in TOLD else known


def told(actions: Any, worst: Any) -> str:
    """What becomes of a hundred poles, from the actions that were taken."""
    lengths, left = replayed(actions)
    mean, lost = lengths.mean(), lengths < LONGEST
    if mean >= WANTED:
        return BALANCED
    taken = {int(a) for k, n in enumerate(lengths.astype(int)) for a in np.unique(actions[:n, k])}
    if len(taken) == 1:
        return "always the same action"
    if replayed(worst)[0].mean() >= WANTED:
        return "it would stand with the smallest score"
    if mean < LITTLE:
        return "no longer than by chance"
    if left[lost].mean() > 0.5:
        return "the cart leaves the track"
    return "some time" if mean < SOME else "a long time"


def layer(name: str, **arrays: Array) -> dict[str, Any]:
    return {"layer": name, "options": {}, "arrays": arrays}


def linear(*weights: float, bias: float = 0.0) -> Callable[[], dict[str, Any]]:
    """A network of one layer whose second score is a weighted sum of the observation, and whose first is minus that."""

    def made() -> dict[str, Any]:
        W, b = np.array([[-w for w in weights], weights]), np.array([-bias, bias])
        return {"network": "Sequential", "layers": [layer("Linear", weight=W, bias=b)]}

    return made


def changed(change: Callable[[Array], Array]) -> Callable[[], dict[str, Any]]:
    """The good policy with another weight."""

    def made() -> dict[str, Any]:
        description = good()
        W = change(description["layers"][0]["arrays"]["weight"])
        return {**description, "layers": [layer("Linear", weight=W, bias=np.zeros(len(W)))]}

    return made


good = linear(0.1, 0.3, 1.0, 1.0)  # push the way the pole falls, and a little against where the cart runs


class Whole:
    """Stands for an object that crosses as no more than its class's name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> Opaque:
        """What is left of the object."""
        return Opaque(self.name)


SOLVE_CARTPOLE = Exercise(
    id="reinforcement_learning.solve_cartpole",
    kind="target",
    title="Keep the pole up",
    points=4,
    minutes=30,
    difficulty=3,
    function="cartpole_policy",
    reference=good,
    inputs=lambda rng: [Case()],
    driver="balances",
    facts=fate_of_the_pole,
    seconds=20.0,
    wrong=(
        Wrong(
            "always-the-same-action",
            linear(0.0, 0.0, 0.0, 0.0, bias=1.0),
            "Your policy does the same in every step. Was the network trained, and if it was: has its loss the right sign, or did its scores grow so large early on that nothing else was tried any more?",
        ),
        Wrong(
            "no-longer-than-by-chance",
            linear(1.0, 0.0, 0.0, 0.0),
            "The pole stands for fewer than 30 steps on average, and actions by chance reach 22. Was the network trained, and is the sign of the loss right?",
        ),
        Wrong(
            "smallest-score-is-best",
            changed(lambda W: -W),
            "With the action of the *smallest* score, your pole stands; the check takes the largest. Which sign does the loss have, or which column belongs to which action?",
        ),
        Wrong(
            "some-time",
            linear(0.0, 0.0, 1.0, 0.0),
            "The pole stands for 30 to 199 steps on average. Do the returns of your training still rise when it ends?",
        ),
        Wrong(
            "cart-leaves",
            linear(0.0, 0.0, 0.0, 1.0),
            "The pole does not fall so soon, but the cart runs off the track: in most of the episodes that fail, that is why. Were the training's episodes long enough to learn what happens out there?",
        ),
        Wrong(
            "a-long-time",
            linear(0.0, -0.3, 1.0, 1.0),
            "The pole stands for at least 200 steps on average, and not yet for 475. Do the returns of your training still rise when it ends, or go up and down?",
        ),
        Wrong(
            "not-finite",
            changed(lambda W: W * np.nan),
            f"Your network gives {NOT_FINITE}: training ran away. In which step did the loss become NaN, and what was divided by what there?",
        ),
        Wrong(
            "other-inputs",
            changed(lambda W: np.tile(W, (1, 2))),
            "Your network takes rows of another length than 4. What does an observation of CartPole consist of?",
        ),
        Wrong(
            "one-number",
            changed(lambda W: W[:1]),
            "One number comes out for each observation, as from a critic, or as a probability. How many scores does the task ask for, and which network gives them?",
        ),
        Wrong(
            "other-scores",
            changed(lambda W: W[[0, 1, 1]]),
            "More than two scores come out for each observation. How many actions has CartPole?",
        ),
        Wrong(
            "other-layers",
            lambda: {"network": "Sequential", "layers": [layer("LayerNorm"), *good()["layers"]]},
            "Your network has a layer that the check does not know. With which of the layers that the task names could you build it?",
        ),
        Wrong(
            "no-layers",
            lambda: {"network": "Sequential", "layers": []},
            "Your `nn.Sequential` is empty. Which layers make two scores from four numbers?",
        ),
        Wrong(
            "layers-do-not-fit",
            lambda: {"network": "Sequential", "layers": [*good()["layers"], *good()["layers"]]},
            "A layer of your network gets another number of inputs than it takes. How many numbers come out of the layer before it?",
        ),
        Wrong(
            "softmax-over-the-examples",
            lambda: {"network": "Sequential", "layers": [*good()["layers"], {**layer("Softmax"), "options": {"dim": 0}}]},
            "Your softmax runs over axis 0, along the observations, so what one cart does depends on the others. Along which axis do the scores of one observation lie?",
        ),
        Wrong(
            "something-else",
            lambda: {"policy": good()},
            "That is neither a network nor anything that the check can play with. Which variable holds the trained `nn.Sequential`?",
        ),
        Wrong(
            "an-optimizer",
            Whole("a Adam"),
            "That is an optimizer. Whose weights does it move?",
        ),
        Wrong(
            "whole-agent",
            Whole("a PolicyAgent"),
            "That is a whole agent. Which of its attributes is the policy's network?",
        ),
        Wrong(
            "whole-dqn",
            Whole("a DQNAgent"),
            "That is a whole agent with its history. Which of its attributes is the network?",
        ),
        Wrong(
            "numbers-alone",
            Whole("a Tensor"),
            "Those are numbers, such as actions, scores or returns. Which network makes them, given the observations of the check?",
        ),
        Wrong(
            "several-things",
            lambda: (Opaque("a PolicyAgent"), Opaque("a list")),
            "You hand over several things at once. Which one of them gives scores for an observation?",
        ),
        Wrong(
            "weights-alone",
            lambda: {"0.weight": np.zeros((2, 4)), "0.bias": np.zeros(2)},
            "Those are weights alone, as `state_dict` gives them. Which object holds them, and computes scores with them?",
        ),
        Wrong(
            "text-alone",
            "train_policy(0)",
            "That is text. Which call trains a policy, and does it stand within quotation marks?",
        ),
        Wrong(
            "class-alone",
            Whole("the class Sequential"),
            "That is a class. Which object of it has been trained?",
        ),
        Wrong(
            "own-class",
            lambda: {"network": "Policy", "layers": ()},
            "Your network is a Module of another class than `nn.Sequential`, so the check cannot tell in which order its layers come. How would you write the same layers as one `nn.Sequential`?",
        ),
        Wrong(
            "a-function",
            lambda observation: 0,
            "That is a function. Hand over the trained network itself, an `nn.Sequential`: which variable holds it?",
        ),
    ),
    hints=(
        "REINFORCE is the shortest way: play whole episodes with actions drawn from the policy, compute discounted returns (exercise 1), subtract a baseline, and take one step on the loss of exercise 8. Some fifty of these are enough.",
        "Sixteen poles side by side give sixteen episodes for an update. As a baseline, the mean return of those that still stand at the same step will do. Divide the advantages by their standard deviation before they go into the loss of exercise 8, and one learning rate fits short and long episodes.",
        "Linear(4, 64), ReLU, Linear(64, 2); Adam with a learning rate of 0.01; gamma 0.99; `torch.distributions.Categorical(logits=policy(x)).log_prob(actions)` knows the log-probabilities of the actions that `play_together` drew.",
    ),
    unlocks="Nobody told the network what a pole is.",
)  # fmt: skip
