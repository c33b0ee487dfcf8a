"""Backpropagation through time (Werbos 1990) of a plain recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.recurrent_networks.rnn import rnn_cell
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def rnn_backward(dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
    dx, dW_ih, dW_hh, db = np.zeros_like(x), np.zeros_like(W_ih), np.zeros_like(W_hh), np.zeros_like(hs[0, 0])
    dh = np.zeros_like(hs[0])  # (N, H), what comes back from the steps behind
    for t in reversed(range(len(x))):
        dz = (dhs[t] + dh) * (1 - hs[t + 1] ** 2)
        dx[t] = dz @ W_ih
        dW_ih += dz.T @ x[t]
        dW_hh += dz.T @ hs[t]
        db += dz.sum(axis=0)
        dh = dz @ W_hh
    return dx, dh, dW_ih, dW_hh, db


def rnn_backward_all_at_the_end(dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
    dzs = np.empty_like(dhs)
    dh: Any = 0.0
    for t in range(len(x) - 1, -1, -1):
        dzs[t] = (1 - hs[t + 1]) * (1 + hs[t + 1]) * (dhs[t] + dh)
        dh = dzs[t] @ W_hh
    dW_ih, dW_hh = np.einsum("tnh,tnd->hd", dzs, x), np.einsum("tnh,tnk->hk", dzs, hs[:-1])
    return [dzs @ W_ih, dh, dW_ih, dW_hh, dzs.sum(axis=(0, 1))]


def rnn_backward_by_recursion(dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
    def back(t: int) -> Any:
        """The slope of the state before step t, and the slopes of everything from step t on."""
        if t == len(x):
            return np.zeros(hs[0].shape), [], 0, 0, 0
        later, dxs, dW_ih, dW_hh, db = back(t + 1)
        dz = (later + dhs[t]) * (1 - np.square(hs[t + 1]))
        return dz @ W_hh, [dz @ W_ih, *dxs], dW_ih + dz.T @ x[t], dW_hh + dz.T @ hs[t], db + dz.sum(axis=0)

    dh0, dxs, dW_ih, dW_hh, db = back(0)
    return np.stack(dxs), dh0, dW_ih, dW_hh, db


def forward(x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array) -> Array:
    """All states (T + 1, N, H), the first one that before the first step."""
    hs = [h0]
    for inputs in x:
        hs.append(rnn_cell(inputs, hs[-1], W_ih, W_hh, b))
    return np.stack(hs)


def backward_inputs(rng: np.random.Generator) -> list[Case]:
    def case(T: int, N: int, D: int, H: int, label: str = "", scale: float = 1.0, last_only: bool = False) -> Case:
        x, h0 = scale * rng.normal(size=(T, N, D)), rng.uniform(-0.8, 0.8, size=(N, H))
        W_ih, W_hh = 0.5 * rng.normal(size=(H, D)), 0.6 * rng.normal(size=(H, H))
        hs, dhs = forward(x, h0, W_ih, W_hh, 0.3 * rng.normal(size=H)), rng.normal(size=(T, N, H))
        if last_only:
            dhs[:-1] = 0.0
        return Case((dhs, x, hs, W_ih, W_hh), label)

    x, h0 = np.array([[[1.0]], [[-0.5]], [[0.5]]]), np.array([[0.2, -0.4]])
    W_ih, W_hh = np.array([[0.5], [-0.8]]), np.array([[0.6, -0.3], [0.4, 0.7]])
    dhs = np.array([[[0.5, -1.0]], [[1.0, 0.25]], [[-0.5, 2.0]]])
    return [
        Case((dhs, x, forward(x, h0, W_ih, W_hh, np.array([0.1, -0.2])), W_ih, W_hh)),
        case(4, 3, 2, 5),
        case(3, 2, 4, 3),
        case(5, 4, 3, 2),
        case(1, 3, 2, 4, "a single step"),
        case(4, 1, 3, 2, "a batch of one"),
        case(3, 3, 3, 3, "as many steps as examples, inputs and hidden units"),
        case(12, 2, 2, 3, "twelve steps"),
        case(4, 3, 2, 3, "a loss at the last step only", last_only=True),
        case(3, 2, 2, 4, "states at ±1, where tanh is flat", scale=1e4),
        case(3, 2, 3, 1, "a single hidden unit"),
    ]


Step = Callable[..., Array]


def way_back(
    slope: Callable[[Array, Array], Array] = lambda new, old: 1 - new**2,
    join: Callable[[Array, Array, bool], Array] = lambda direct, later, at_the_end: direct + later,
    carry: Step = lambda dz, dh, W_hh: dz @ W_hh,
    to_x: Step = lambda dz, dh, W_ih: dz @ W_ih,
    for_W_ih: Step = lambda dz, inputs: dz.T @ inputs,
    for_W_hh: Step = lambda dz, old, new: dz.T @ old,
    for_b: Step = lambda dz: dz.sum(axis=0),
    pool: Callable[[list[Array]], Array] = lambda parts: np.sum(parts, axis=0),
    ahead: bool = False,
    first: int = 0,
    missed: int = 0,
    piles_up: bool = False,
    joined_late: bool = False,
    handed: Callable[..., Any] = lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dx, dh0, dW_ih, dW_hh, db),
) -> Callable[..., Any]:
    """The way back with one of its steps replaced; ``pool`` makes one slope of those of all steps, the last one first."""

    def answer(dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
        T = len(x)
        later: Array = np.zeros_like(hs[0])
        dh = later
        dx, parts = np.zeros_like(x), []
        for t in range(T) if ahead else reversed(range(first, T - missed)):
            dh = join(dhs[t], later, t == T - 1)
            dz = dhs[t] * slope(hs[t + 1], hs[t]) + later if joined_late else dh * slope(hs[t + 1], hs[t])
            dx[t] = to_x(dz, dh, W_ih)
            parts.append((for_W_ih(dz, x[t]), for_W_hh(dz, hs[t], hs[t + 1]), for_b(dz)))
            later = carry(dz, dh, W_hh) + later * piles_up
        parts = parts or [(0 * W_ih, 0 * W_hh, 0 * hs[0, 0])]
        dW_ih, dW_hh, db = (pool(list(part)) for part in zip(*parts, strict=True))
        return handed(dx, later, dW_ih, dW_hh, db, dh)

    return answer


def altered(change: Callable[..., Any]) -> Callable[..., Any]:
    """The right results with some of them replaced, by name; ``change(results, dhs, x, hs, W_ih, W_hh)``."""

    def answer(*inputs: Array) -> Any:
        right = dict(zip(("dx", "dh0", "dW_ih", "dW_hh", "db"), rnn_backward(*inputs), strict=True))
        return tuple((right | change(right, *inputs)).values())

    return answer


def with_initial_state_zero(right: Any, dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
    return {"dW_hh": rnn_backward(dhs, x, np.concatenate([0 * hs[:1], hs[1:]]), W_ih, W_hh)[3]}


def with_states_two_back(right: Any, dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
    dzs = [step[4] for step in steps(dhs, x, hs, W_ih, W_hh)]
    return {"dW_hh": sum(dz.T @ hs[t - 1] for t, dz in enumerate(dzs))}


def steps(dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> list[Any]:
    """What each step adds: (dW_ih, dW_hh, db) and, for all, the slopes before the tanh (N, H)."""
    dh, out = 0 * hs[0], list[Any]()
    for t in reversed(range(len(x))):
        dz = (dhs[t] + dh) * (1 - hs[t + 1] ** 2)
        dh = dz @ W_hh
        out.insert(0, (t, dz.T @ x[t], dz.T @ hs[t], dz.sum(axis=0), dz))
    return out


def states_one_too_early(dhs: Array, x: Array, hs: Array, W_ih: Array, W_hh: Array) -> Any:
    """As if ``hs[t]`` came out of step t, and nothing had gone into the first one."""
    return rnn_backward(dhs, x, np.concatenate([0 * hs[:1], hs[:-1]]), W_ih, W_hh)


def overwritten(name: str) -> Wrong:
    """One of the weights' slopes set, not added to, in each step."""
    k = {"dW_ih": 1, "dW_hh": 2, "db": 3}[name]
    return Wrong(
        f"overwritten-{name.replace('_', '-').lower()}",
        altered(lambda right, *inputs: {name: steps(*inputs)[0][k]}),
        f"All but `{name}` are right. `{name}` is that of the first step alone, the last one that the loop comes to. Does a `=` stand where the steps' slopes should add up?",
    )


RNN_BACKWARD = Exercise(
    id="recurrent_networks.rnn_backward",
    kind="function",
    title="Backpropagation through time",
    points=5,
    minutes=35,
    difficulty=3,
    function="rnn_backward",
    reference=rnn_backward,
    alternatives=(rnn_backward_all_at_the_end, rnn_backward_by_recursion),
    inputs=backward_inputs,
    returns=("dx", "dh0", "dW_ih", "dW_hh", "db"),
    blame=("db", "dW_ih", "dx", "dW_hh", "dh0"),
    wrong=(
        Wrong(
            "not-through-time",
            way_back(join=lambda direct, later, end: direct),
            "Each step sees only what the loss sends to it directly; what comes back from the steps behind is lost, so a network trained this way cannot "
            "learn to remember. By which second way does h_t reach the loss?",
        ),
        Wrong(
            "direct-slopes-lost",
            way_back(join=lambda direct, later, end: direct if end else later),
            "Only the last step takes what the loss sends to it directly; the other rows of `dhs` have no effect. On how many ways does a state in the middle reach the loss?",
        ),
        Wrong(
            "tanh-slope-forgotten",
            way_back(slope=lambda new, old: np.ones_like(new)),
            "The slopes pass the tanh unchanged. By which factor does tanh change when its sum does, told from its output?",
        ),
        Wrong(
            "sigmoid-slope",
            way_back(slope=lambda new, old: new * (1 - new)),
            "You use h(1 - h), the slope of a sigmoid. Which is that of tanh, told from its output?",
        ),
        Wrong(
            "square-forgotten",
            way_back(slope=lambda new, old: 1 - new),
            "You multiply by 1 - h. How large would that be for a state near -1, where tanh is flat?",
        ),
        Wrong(
            "tanh-twice",
            way_back(slope=lambda new, old: 1 - np.tanh(new) ** 2),
            "You take the tanh of the states once more before you square them. Do `hs` hold the sums, or what came out of the tanh?",
        ),
        Wrong(
            "slope-at-the-old-state",
            way_back(slope=lambda new, old: 1 - old**2),
            "For the slope of the tanh in step t you take the state that went *into* that step. Which row of `hs` came out of it?",
        ),
        Wrong(
            "tanh-slope-turned-round",
            way_back(slope=lambda new, old: new**2 - 1),
            "You multiply by h² - 1, which is never positive. Does tanh rise or fall when its sum grows?",
        ),
        Wrong(
            "states-one-too-early",
            states_one_too_early,
            "You take `hs[t]` for the state that comes *out* of step t, and let nothing go into the first step. Which state stands in `hs[0]`?",
        ),
        Wrong(
            "tanh-slope-squared",
            way_back(slope=lambda new, old: (1 - new**2) ** 2),
            "The tanh's slope is multiplied in twice at each step. How many tanh does a slope pass in one step?",
        ),
        Wrong(
            "square-for-slope",
            way_back(slope=lambda new, old: new**2),
            "You multiply by h². Where should the slope of tanh be largest: at 0, or at ±1?",
        ),
        Wrong(
            "carried-past-the-tanh",
            way_back(carry=lambda dz, dh, W_hh: dh @ W_hh),
            "Going back to the state before, you leave out the tanh of the step, so only the last step's `dx` comes out right. Which slope does `W_hh` meet on the way back: that of the state, or that of the sum before the tanh?",
        ),
        Wrong(
            "input-past-the-tanh",
            way_back(to_x=lambda dz, dh, W_ih: dh @ W_ih),
            "All but `dx` are right. In `dx` the tanh's slope is missing. What lies between a state and the input of its step?",
        ),
        Wrong(
            "recurrent-weights-transposed",
            way_back(carry=lambda dz, dh, W_hh: dz @ W_hh.T),
            "On the way back from one state to the one before you multiply by the transposed `W_hh`; the shapes fit either way. On the way forward it was `h @ W_hh.T`: what belongs behind dz on the way back?",
        ),
        Wrong(
            "carried-slopes-pile-up",
            way_back(piles_up=True),
            "What comes back from a step is added to what came back before, so a slope from the end also jumps over steps. When step t is done, what alone goes on to step t - 1?",
        ),
        Wrong(
            "state-slope-kept",
            way_back(carry=lambda dz, dh, W_hh: dh + dz @ W_hh),
            "Beside what goes back through `W_hh`, the slope of the state itself goes on to the step before, as along a shortcut. By which ways does h_(t-1) enter h_t?",
        ),
        Wrong(
            "joined-behind-the-tanh",
            way_back(joined_late=True),
            "What comes back from the step behind is added *after* the slope of the tanh, which only what the loss sends directly goes through. Which slope is the sum of both ways: that of the state, or that of the sum before the tanh?",
        ),
        Wrong(
            "recurrent-weights-skipped",
            way_back(carry=lambda dz, dh, W_hh: dz),
            "The slope goes from one step to the one before without the weights between them. Through which matrix did the old state enter the sum?",
        ),
        Wrong(
            "new-state-for-old",
            way_back(for_W_hh=lambda dz, old, new: dz.T @ new),
            "All but `dW_hh` are right. For it you pair each step's slope with the state that came *out* of the step. Which state did `W_hh` multiply?",
        ),
        Wrong(
            "two-states-back",
            altered(with_states_two_back),
            "All but `dW_hh` are right. For it you pair step t with `hs[t - 1]`, a state too early (and at t = 0 with the very last one). Which row of `hs` went into step t?",
        ),
        Wrong(
            "initial-state-left-out",
            altered(with_initial_state_zero),
            "All but `dW_hh` are right. To `dW_hh` the first step adds nothing, as if the initial state were zero. What did `W_hh` multiply in the first step?",
        ),
        Wrong(
            "recurrent-slopes-transposed",
            way_back(for_W_hh=lambda dz, old, new: old.T @ dz),
            "All but `dW_hh` are right, and that one is transposed, which its shape cannot tell you. A weight in row i feeds unit i: which of the two factors belongs to the rows?",
        ),
        Wrong(
            "input-slopes-transposed",
            way_back(for_W_ih=lambda dz, inputs: inputs.T @ dz),
            "`dW_ih` comes out transposed. Which shape does a slope have, compared with what it belongs to?",
        ),
        Wrong(
            "both-transposed",
            way_back(for_W_ih=lambda dz, inputs: inputs.T @ dz, for_W_hh=lambda dz, old, new: old.T @ dz),
            "`dW_ih` and `dW_hh` both come out transposed, the second without its shape telling you. Which of the two factors belongs to the rows of a weight matrix?",
        ),
        Wrong(
            "first-step-only",
            way_back(pool=lambda parts: parts[-1]),
            "`dx` and `dh0` are right. The slopes of the weights are those of the first step alone, the last one that the loop comes to. Does a `=` stand where the steps' slopes should add up?",
        ),
        overwritten("dW_ih"),
        overwritten("dW_hh"),
        overwritten("db"),
        Wrong(
            "clipped",
            altered(lambda right, *inputs: {k: np.clip(right[k], -5, 5) for k in ("dW_ih", "dW_hh", "db")}),
            "The slopes of the weights are cut off at -5 and 5, as some training loops do before they take a step. Does the task ask for the slopes or for a step?",
        ),
        Wrong(
            "last-step-only",
            way_back(pool=lambda parts: parts[0]),
            "`dx` and `dh0` are right. The slopes of the weights are those of the last step alone. In how many steps is each weight used, and how do its slopes combine?",
        ),
        Wrong(
            "averaged-over-time",
            way_back(pool=lambda parts: np.mean(parts, axis=0)),
            "`dx` and `dh0` are right. The slopes of the weights are divided by the number of steps. How do slopes combine when one weight is used several times?",
        ),
        Wrong(
            "kept-step-by-step",
            way_back(pool=lambda parts: np.stack(parts[::-1])),
            "`dx` and `dh0` are right. The slopes of the weights come step by step, with an axis for time. One matrix serves all steps: how do its slopes combine?",
        ),
        Wrong(
            "bias-averaged",
            way_back(for_b=lambda dz: dz.mean(axis=0)),
            "All but `db` are right. `db` is a mean over the examples. The bias is used once in every example: how do slopes combine when one number is used several times?",
        ),
        Wrong(
            "bias-not-summed",
            way_back(for_b=lambda dz: dz),
            "All but `db` are right. `db` still has one row for each example. Which shape has the bias itself?",
        ),
        Wrong(
            "bias-with-two-axes",
            way_back(for_b=lambda dz: dz.sum(axis=0, keepdims=True)),
            "All but `db` are right, and its numbers are, too, but its shape is (1, H). Which argument of the sum keeps the axis?",
        ),
        Wrong(
            "averaged-over-examples",
            way_back(
                for_W_ih=lambda dz, inputs: dz.T @ inputs / len(dz),
                for_W_hh=lambda dz, old, new: dz.T @ old / len(dz),
                for_b=lambda dz: dz.mean(axis=0),
            ),
            "`dx` and `dh0` are right. The slopes of weights and bias are divided by the number of examples. If the loss is a mean, that division is already in `dhs`: how often should it happen?",
        ),
        Wrong(
            "forward-in-time",
            way_back(ahead=True),
            "Your loop runs from the first step to the last, and hands slopes forward. In which direction does a state have an effect, and in which does its slope travel?",
        ),
        Wrong(
            "first-step-missed",
            way_back(first=1),
            "Your loop ends before the very first step: what that step sends to `dx`, to the weights and to `dh0` is missing. Which is the last value of t, going backward?",
        ),
        Wrong(
            "last-step-missed",
            way_back(missed=1),
            "Your loop begins one step too early in time: what the loss sends into the very last state has no effect. Which is the first value of t, going backward?",
        ),
        Wrong(
            "weights-first",
            way_back(handed=lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dW_ih, dW_hh, db, dx, dh0)),
            "The five results are right, but those of the weights and the bias come first. In which order does the task name them?",
        ),
        Wrong(
            "initial-state-last",
            way_back(handed=lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dx, dW_ih, dW_hh, db, dh0)),
            "The five results are right, but the slope of the initial state comes last. In which order does the task name them?",
        ),
        Wrong(
            "slopes-of-inputs-reversed",
            way_back(handed=lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dx[::-1], dh0, dW_ih, dW_hh, db)),
            "All but `dx` are right. In `dx` the last step stands first: the loop comes to it first, and appends. In which order does `x` have the steps?",
        ),
        Wrong(
            "first-state-for-initial",
            way_back(handed=lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dx, dh1, dW_ih, dW_hh, db)),
            "All but `dh0` are right. What you hand back is the slope of h_1, the state *after* the first step. What lies between it and the initial state?",
        ),
        Wrong(
            "first-direct-slope-added",
            altered(lambda right, dhs, *others: {"dh0": right["dh0"] + dhs[0]}),
            "All but `dh0` are right. To `dh0` you add `dhs[0]`. Into which state does the loss send `dhs[0]`: the initial one, or the one behind the first step?",
        ),
        Wrong(
            "initial-state-through-a-tanh",
            altered(lambda right, dhs, x, hs, *others: {"dh0": right["dh0"] * (1 - hs[0] ** 2)}),
            "All but `dh0` are right. `dh0` goes through the slope of one tanh more, at the initial state. Did that state come out of a step?",
        ),
        Wrong(
            "initial-state-of-zeros",
            way_back(handed=lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dx, np.zeros_like(dh0), dW_ih, dW_hh, db)),
            "All but `dh0` are right; it is zero everywhere. What does the loop hold when it has gone through the first step?",
        ),
        Wrong(
            "six-results",
            way_back(handed=lambda dx, dh0, dW_ih, dW_hh, db, dh1: (dx, dh0, dW_ih, dW_hh, db, dh1)),
            "You hand back six things. Which five does the task ask for, and in which order?",
        ),
    ),
    hints=(
        "Unroll the network on paper for three steps. Each state has two ways to the loss: directly, and through the next state. Its slope is the sum of both, so begin at the last step.",
        "In step t: dh = dhs[t] plus what came back from step t + 1 (nothing at the last one). Past the tanh it becomes dz = dh · (1 - h²) with the state that *came out* of the step, hs[t + 1]. From dz follow all others, as in `linear_backward`.",
        "Within the loop, from the last t to the first: `dz = (dhs[t] + dh) * (1 - hs[t + 1] ** 2)`; the weights' slopes add up, `dz.T @ x[t]` and `dz.T @ hs[t]`; and `dh = dz @ W_hh` goes on to the step before.",
    ),
    unlocks="This loop is where gradients vanish and explode: `W_hh` multiplies once for each step.",
)  # fmt: skip
