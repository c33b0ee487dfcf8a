"""What unit 16's answers need beyond a plain call: losses with their slopes, a training to watch, a pole to balance."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers.adversaries import layers_that_take, result_of
from dlcourse.drivers.case import Opaque, plain
from dlcourse.drivers.layers import UnfitError, described, logits_of
from dlcourse.rl.envs import FARTHEST, VectorCartPole

Array = NDArray[Any]

# --- losses of a policy -------------------------------------------------------------------------------------------

ONE_NUMBER, USED_UP = "a tensor of one number", "a loss whose graph is used up"
NO_GRAPH, NO_SLOPE = "none: the loss hangs on no weight", "none"
AS_IT_CAME = "as it came"


def weighs_log_probs(answer: Callable[..., Any], log_probs: Array, returns: Array, baseline: Array) -> Any:
    """The loss that ``answer(log_probs, returns, baseline)`` gives for tensors with graphs, and where its slopes go."""
    return _loss_and_slopes(answer, {"log_probs": log_probs, "returns": returns, "baseline": baseline})


def clips_ratios(
    answer: Callable[..., Any], log_probs: Array, old_log_probs: Array, advantages: Array, clip: float | None = None
) -> Any:
    """The loss that ``answer(log_probs, old_log_probs, advantages, clip)`` gives for tensors with graphs, and its slopes."""
    arrays = {"log_probs": log_probs, "old_log_probs": old_log_probs, "advantages": advantages}
    return _loss_and_slopes(answer, arrays, *([] if clip is None else [clip]))


def _loss_and_slopes(answer: Callable[..., Any], arrays: dict[str, Array], *rest: Any) -> Any:
    """A loss and its slope in the first array; of each other array, whether a slope reaches it; what was changed."""
    import torch

    leaves = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays.values()]
    tensors = [leaf * 1.0 for leaf in leaves]  # as they come out of a network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        given = answer(*tensors, *rest)
    if given is None:
        return None
    if not isinstance(given, torch.Tensor):
        return {"form of the result": _form_in_words(given)}
    if given.numel() != 1:
        return {"form of the result": f"a tensor of shape {tuple(given.shape)}"}
    found: Any = [None] * len(leaves)
    if given.requires_grad:
        try:
            found = torch.autograd.grad(given.sum(), leaves, allow_unused=True)
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
            return {"form of the result": USED_UP}
    first, *others = arrays
    changed = [name for name, leaf, now in zip(arrays, leaves, tensors, strict=True) if not torch.equal(leaf, now)]
    cut = [name for name, now in zip(arrays, tensors, strict=True) if not now.requires_grad]
    done = [f"{' and '.join(names)} {what}" for names, what in ((changed, "changed"), (cut, "cut off")) if names]
    return {
        "form of the result": ONE_NUMBER,
        "loss": given.item(),
        f"slope in {first}": NO_GRAPH if found[0] is None else found[0].numpy(),
        **{
            f"slope in {name}": NO_SLOPE if slope is None or not slope.any() else "some"
            for name, slope in zip(others, found[1:], strict=True)
        },
        "what was handed in": "; ".join(done) or AS_IT_CAME,
    }


def _form_in_words(given: Any) -> str:
    kind = plain(given)
    if hasattr(kind, "type"):
        return str(kind.type)
    if isinstance(kind, tuple):
        return f"{len(kind)} values"
    return "a number, not a tensor" if np.ndim(kind) == 0 else "an array, not a tensor"


# --- a training to watch ------------------------------------------------------------------------------------------

LOSSES, NO_MEMORY = "a list of losses", "losses, while nothing is remembered"
ENDINGS = {"terminated": (True, False), "truncated": (False, True), "both": (True, True)}


class ScriptedEnv:
    """An environment with Gymnasium's interface whose episodes end when a script says so, whatever is done.

    Parameters
    ----------
    script : such as "3 terminated, 4 truncated, 2 both", lengths and endings of episodes, over and over
    seed : of starts and pushes
    """

    def __init__(self, script: str, seed: int) -> None:
        self.episodes = [(int(n), ENDINGS[how]) for n, how in re.findall(r"(\d+) (\w+)", script)]
        self.seed, self.number, self.taken, self.after_the_end = seed, -1, 0, 0
        self.state = np.zeros(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        """Start the next episode of the script."""
        self.number, self.taken = self.number + 1, 0
        self.state = np.random.default_rng([self.seed, self.number]).normal(size=3)
        return self.state.copy(), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step of the episode; behind its end nothing moves, and it is noted."""
        length, (terminated, truncated) = self.episodes[self.number % len(self.episodes)]
        if self.taken >= length or self.number < 0:
            self.after_the_end += 1
            return self.state.copy(), 0.0, terminated, truncated, {}
        self.taken += 1
        push = np.random.default_rng([self.seed, self.number, self.taken]).normal(size=(2, 3))
        self.state = 0.5 * self.state + push[int(action)]
        over = self.taken == length
        return self.state.copy(), float(self.state.sum()), over and terminated, over and truncated, {}


class Notebook:
    """A memory that keeps all transitions and says which it hands out by a script of its own.

    Parameters
    ----------
    batch : transitions in a sample
    seed : of what is drawn, together with how many there are
    """

    def __init__(self, batch: int, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self.kept: list[tuple[Array, int, float, Array, bool]] = []

    def add(self, observation: Any, action: Any, reward: Any, next_observation: Any, ended: Any) -> None:
        """Keep one transition."""
        seen, led = (np.array(o, float).reshape(3) for o in (observation, next_observation))
        self.kept.append((seen, int(action), float(reward), led, bool(ended)))

    def sample(self) -> tuple[Any, ...]:
        """Observations (N, 3), actions (N,), rewards (N,), next observations (N, 3), 1.0 where ended (N,): tensors."""
        import torch

        drawn = np.random.default_rng([self.seed, len(self.kept)]).integers(len(self.kept), size=self.batch)
        columns = zip(*(self.kept[k] for k in drawn), strict=True)
        s, a, r, s_next, ended = (np.array(column) for column in columns)
        return tuple(torch.from_numpy(array) for array in (s, a, r, s_next, ended.astype(float)))


class StrangeObservationError(Exception):
    """What was handed to the one who acts is no observation."""


class Chooser:
    """Actions by a script of its own, and a note of which network was asked, and about what.

    Whatever is learned changes nothing of what is done, so what is remembered tells of the memory alone.
    """

    def __init__(self, seed: int, names: dict[int, str]) -> None:
        self.rng, self.names = np.random.default_rng(seed), names
        self.asked: list[str] = []
        self.seen: list[Array] = []

    def __call__(self, network: Any, observation: Any) -> int:
        """What to do next."""
        if isinstance(observation, tuple | list | dict):
            raise StrangeObservationError(f"a {type(observation).__name__} for an observation")
        self.asked.append(self.names.get(id(network), "another network"))
        self.seen.append(np.array(observation, float).reshape(3))
        return int(self.rng.integers(2))


def trains_on_a_script(
    answer: Callable[..., Any], env: str, online: str, target: str, optimizer: str, act: str, memory: str,
    steps: int, gamma: float, copy_every: int,
) -> Any:  # fmt: skip
    """What becomes of two real networks in ``answer(env, online, …)``, what was remembered on the way, and the losses.

    Parameters
    ----------
    env : such as "3 terminated, 4 truncated; seed 7" (see :class:`ScriptedEnv`)
    online, target : such as "3, 5, 2, seed 1"
    optimizer : such as "SGD, lr 0.2"
    act, memory : such as "seed 4" and "4 at a time, seed 5"
    """
    from dlcourse.drivers.adversaries_torch import double_mlp
    from dlcourse.drivers.characters_torch import Watched, flat

    script, _, seed = env.partition("; seed ")
    networks = [double_mlp(*_whole(text)) for text in (online, target)]
    names = {id(network): name for network, name in zip(networks, ("online", "target"), strict=True)}
    world, notebook = ScriptedEnv(script, int(seed)), Notebook(*_whole(memory))
    chooser = Chooser(_whole(act)[0], names)
    descent = Watched(networks[0].parameters(), lr=float(re.findall(r"[\d.]+", optimizer)[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of a shape that the check is to tell of
        try:
            given = plain(answer(world, *networks, descent, chooser, notebook, steps, gamma, copy_every))
        except StrangeObservationError as strange:
            return {"form of the result": str(strange)}
    if given is None:
        return None
    form = _form_of_losses(given)
    if form:
        return {"form of the result": form}
    if not notebook.kept:
        return {"form of the result": NO_MEMORY}
    seen, actions, rewards, led, ended = (np.array(column, float) for column in zip(*notebook.kept, strict=True))
    return {
        "form of the result": LOSSES,
        "number of losses": len(given),
        "transitions remembered": len(notebook.kept),
        "steps in an episode that was over": world.after_the_end,
        "who is asked for actions": " and ".join(sorted(set(chooser.asked))),
        "observations acted on": np.array(chooser.seen),
        "observations remembered": seen,
        "next observations remembered": led,
        "what is remembered as the end": ended,
        "the first loss": float(given[0]),
        "actions remembered": actions,
        "rewards remembered": rewards,
        "the other losses": np.array(given[1:], float),
        "weights of online": flat(networks[0]),
        "weights of target": flat(networks[1]),
    }


def _whole(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _form_of_losses(given: Any) -> str:
    """What is wrong with the form of a list of losses; empty where nothing is."""
    if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind == "f" and len(given):
        return ""
    if not isinstance(given, tuple):
        return getattr(given, "type", "a number" if np.ndim(given) == 0 else "an array of another form")
    strange = next((item.type for item in given if isinstance(item, Opaque)), "")
    if strange:
        return f"{strange} among the losses"
    if not given:
        return "an empty list"
    return "" if all(np.ndim(item) == 0 and not isinstance(item, str) for item in given) else "a list of other things"


# --- a pole to balance --------------------------------------------------------------------------------------------

EPISODES, LONGEST = 100, 500
POLICY, NOT_FINITE, INPUTS, ONE_SCORE = "a policy", "scores that are not finite", "other inputs", "one number"


def balances(answer: Any) -> Any:
    """What a network, or its description, does to a hundred CartPoles that start where they always start here.

    Returns
    -------
    dict or None
        "form" in words; where it is ``POLICY``, also "actions" (500, 100), those with the largest score, and "worst", what
        those with the smallest would have been. Who judges plays them again (:func:`replayed`).
    """
    given = plain(described(_in_a_row(result_of(answer))))
    if given is None:
        return None
    try:
        layers = layers_that_take(4, given, INPUTS)
        scores = logits_of(layers, starts())
        if scores.shape != (EPISODES, 2):
            shape = scores.shape[1:]
            return {"form": ONE_SCORE if shape == (1,) else f"what comes out for each observation has shape {shape}"}
        if not np.isfinite(scores).all():
            return {"form": NOT_FINITE}
        return {
            "form": POLICY,
            "actions": _played(lambda x: logits_of(layers, x).argmax(axis=1)),
            "worst": _played(lambda x: logits_of(layers, x).argmin(axis=1)),
        }
    except UnfitError as unfit:
        return {"form": str(unfit)}


def _in_a_row(answer: Any) -> Any:
    """A single linear layer as the Sequential that it could stand in; anything else as it is."""
    torch = sys.modules.get("torch")
    return torch.nn.Sequential(answer) if torch is not None and type(answer) is torch.nn.Linear else answer


def starts() -> Array:
    """The start states (100, 4) of the episodes that count."""
    return np.random.default_rng(16).uniform(-0.05, 0.05, size=(EPISODES, 4))


def _played(choose: Callable[[Array], Array]) -> Array:
    """The actions (500, 100) of a policy, up to the last episode's end; zeros from then on."""
    actions = np.zeros((LONGEST, EPISODES), np.int8)

    def act(t: int, observations: Array) -> Array:
        chosen = choose(observations)
        actions[t] = chosen
        return chosen

    _lengths(act)
    return actions


def replayed(actions: Any) -> tuple[Array, Array]:
    """How long each pole stands if these actions (500, 100) are taken, and whether its cart has left the track.

    Raises
    ------
    ValueError
        If they are not 500 times 100 of 0 and 1.
    """
    taken: Array = np.asarray(actions)
    if taken.shape != (LONGEST, EPISODES) or taken.dtype.kind not in "iu" or not np.isin(taken, (0, 1)).all():
        raise ValueError("replayed: no actions of 100 CartPoles in 500 steps")
    return _lengths(lambda t, observations: taken[t])


def _lengths(act: Callable[[int, Array], Array]) -> tuple[Array, Array]:
    carts = VectorCartPole(EPISODES, np.random.default_rng(0), LONGEST)
    observations = carts.reset(starts()).astype(np.float64)
    lengths, left, up = np.zeros(EPISODES), np.zeros(EPISODES, bool), np.ones(EPISODES, bool)
    for t in range(LONGEST):
        seen, _, terminated, _, final = carts.step(act(t, observations))
        observations = seen.astype(np.float64)
        lengths += up
        left |= up & terminated & (np.abs(final[:, 0]) > FARTHEST)
        up &= ~terminated
        if not up.any():
            break
    return lengths, left
