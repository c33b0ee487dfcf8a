"""The steps of gradient descent and of momentum (Polyak 1964, in PyTorch's form)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Pair = tuple[Any, Any]


# --- gradient_descent.gd_step -------------------------------------------------------------------------------------


def gd_step(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * g for p, g in zip(params, grads, strict=True)]


def gd_step_by_loop(params: list[Array], grads: list[Array], lr: float) -> Any:
    new = []
    for i in range(len(params)):
        p = params[i].copy()
        p -= lr * grads[i]
        new.append(p)
    return new


def gd_step_by_map(params: list[Array], grads: list[Array], lr: float) -> Any:
    return tuple(map(lambda p, g: np.add(p, -lr * g), params, grads))


def gd_step_inputs(rng: np.random.Generator) -> list[Case]:
    def case(lr: float, *shapes: tuple[int, ...], label: str = "", scale: float = 1.0) -> Case:
        params = [rng.normal(size=shape) for shape in shapes]
        grads = [scale * rng.normal(size=shape) for shape in shapes]
        return Case((params, grads, lr), label)

    return [
        Case(([np.array([1.0, -2.0, 0.5]), np.array([3.0])], [np.array([0.5, 1.5, -2.0]), np.array([-4.0])], 0.1)),
        case(0.3, (2, 3), (3,)),
        case(0.02, (4, 2), (4,), (1, 4)),
        case(0.5, (3, 2), label="a single array"),
        case(0.01, (2,), (5, 2), label="large gradients", scale=1e4),
    ]


def gd_in_place(params: list[Array], grads: list[Array], lr: float) -> Any:
    for p, g in zip(params, grads, strict=True):
        p -= lr * g
    return params


def gd_uphill(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p + lr * g for p, g in zip(params, grads, strict=True)]


def gd_without_rate(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - g for p, g in zip(params, grads, strict=True)]


def gd_only_the_step(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [-lr * g for g in grads]


def gd_first_only(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [params[0] - lr * grads[0]]


def gd_sign(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * np.sign(g) for p, g in zip(params, grads, strict=True)]


def gd_normalized(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * g / np.linalg.norm(g) for p, g in zip(params, grads, strict=True)]


def gd_relative(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p * (1 - lr * g) for p, g in zip(params, grads, strict=True)]


def gd_rate_on_difference(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [lr * (p - g) for p, g in zip(params, grads, strict=True)]


def gd_gradient_averaged(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * np.mean(g) for p, g in zip(params, grads, strict=True)]


def gd_shared_among_arrays(params: list[Array], grads: list[Array], lr: float) -> Any:
    return [p - lr * g / len(params) for p, g in zip(params, grads, strict=True)]


GD_STEP = Exercise(
    id="gradient_descent.gd_step",
    kind="function",
    title="One step of gradient descent",
    points=1,
    minutes=5,
    difficulty=1,
    function="gd_step",
    reference=gd_step,
    alternatives=(gd_step_by_loop, gd_step_by_map),
    inputs=gd_step_inputs,
    wrong=(
        Wrong(
            "in-place",
            gd_in_place,
            "The numbers you return are right, but the arrays you were given (or their list) were overwritten, "
            "so whoever kept the old weights has lost them. Which statement writes into something instead of making something new?",
        ),
        Wrong(
            "uphill",
            gd_uphill,
            "Each weight moves *with* its slope, so the loss rises. Where the slope is positive, which way is down?",
        ),
        Wrong(
            "learning-rate-forgotten",
            gd_without_rate,
            "The whole gradient is subtracted: the result does not depend on `lr`. What should scale the step?",
        ),
        Wrong(
            "only-the-step",
            gd_only_the_step,
            "You hand back the steps, not the places where they lead. From where is the step taken?",
        ),
        Wrong(
            "first-array-only",
            gd_first_only,
            "Only the first array is updated and handed back. Does your loop end, or return, in its first round?",
        ),
        Wrong(
            "only-the-sign",
            gd_sign,
            "Every entry moves by exactly `lr`, however steep the slope. What in the formula makes steps short where it is flat?",
        ),
        Wrong(
            "gradient-normalized",
            gd_normalized,
            "Each gradient is divided by its own length, so every array moves by exactly `lr`. "
            "Does the formula divide by anything?",
        ),
        Wrong(
            "step-times-weight",
            gd_relative,
            "Each step is multiplied by the weight itself, so a weight of zero could never move. "
            "What does the step depend on, besides `lr`?",
        ),
        Wrong(
            "gradient-averaged",
            gd_gradient_averaged,
            "All entries of an array move by the same amount: each gradient is averaged to one number first. "
            "Whose slope should move which weight?",
        ),
        Wrong(
            "divided-by-the-number-of-arrays",
            gd_shared_among_arrays,
            "Each step is divided by the number of arrays in the list. Does one array's step depend on how many others there are?",
        ),
        Wrong(
            "rate-times-difference",
            gd_rate_on_difference,
            "The learning rate multiplies the weight as well as the gradient. Which of the two should it scale?",
        ),
    ),
    hints=(
        "Walk through both lists together: each array of weights has its own array of slopes, of the same shape.",
        "New weights = old weights minus learning rate times slopes. An expression makes a new array; `-=` overwrites the old one.",
        "`zip(params, grads)` gives the pairs; collect `p - lr * g` for each of them in a new list.",
    ),
    unlocks="All training in this course is this line, with better steps.",
)


# --- gradient_descent.momentum ------------------------------------------------------------------------------------


def momentum_step(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity + grad
    return param - lr * velocity, velocity


def momentum_by_loop(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    new_param, new_velocity = np.empty(param.shape), np.empty(param.shape)
    for i in np.ndindex(*param.shape):
        new_velocity[i] = velocity[i] * momentum + grad[i]
        new_param[i] = param[i] - lr * new_velocity[i]
    return new_param, new_velocity


def momentum_on_copies(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Any:
    param, velocity = np.array(param), np.array(velocity)
    velocity *= momentum
    velocity += grad
    param -= lr * velocity
    return [param, velocity]


def momentum_inputs(rng: np.random.Generator) -> list[Case]:
    def case(shape: tuple[int, ...], lr: float, momentum: float, label: str = "", scale: float = 1.0) -> Case:
        param, grad, velocity = rng.normal(size=shape), scale * rng.normal(size=shape), rng.normal(size=shape)
        return Case((param, grad, velocity, lr, momentum), label)

    first = (np.array([1.0, -2.0, 0.5]), np.array([0.5, 1.5, -2.0]), np.array([0.4, -0.3, 1.0]), 0.1, 0.9)
    param, grad = rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    return [
        Case(first),
        case((2, 3), 0.05, 0.8),
        case((4,), 0.3, 0.5),
        Case((param, grad, np.zeros((2, 4)), 0.2, 0.9), "the first step, velocity zero"),
        case((3,), 0.1, 0.0, "no momentum"),
        case((3, 2), 0.01, 0.95, "large gradients", 1e4),
    ]


def momentum_averaged(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity + (1 - momentum) * grad
    return param - lr * velocity, velocity


def momentum_rate_inside(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity + lr * grad
    return param - velocity, velocity


def momentum_polyak(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity - lr * grad
    return param + velocity, velocity


def momentum_old_velocity(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    return param - lr * velocity, momentum * velocity + grad


def momentum_nesterov(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity + grad
    return param - lr * (grad + momentum * velocity), velocity


def momentum_uphill(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity + grad
    return param + lr * velocity, velocity


def momentum_unused(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    return param - lr * grad, momentum * velocity + grad


def momentum_not_kept(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    return param - lr * (momentum * velocity + grad), velocity


def momentum_on_gradient(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = velocity + momentum * grad
    return param - lr * velocity, velocity


def momentum_without_friction(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = velocity + grad
    return param - lr * velocity, velocity


def momentum_rate_on_gradient_only(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    return param - momentum * velocity - lr * grad, momentum * velocity + grad


def momentum_on_both(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * (velocity + grad)
    return param - lr * velocity, velocity


def momentum_complement(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = (1 - momentum) * velocity + grad
    return param - lr * velocity, velocity


def momentum_subtracted(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity = momentum * velocity - grad
    return param - lr * velocity, velocity


def momentum_in_place(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    velocity *= momentum
    velocity += grad
    return param - lr * velocity, velocity


MOMENTUM = Exercise(
    id="gradient_descent.momentum",
    kind="function",
    title="Momentum",
    points=2,
    minutes=8,
    difficulty=1,
    function="momentum_step",
    reference=momentum_step,
    alternatives=(momentum_by_loop, momentum_on_copies),
    inputs=momentum_inputs,
    returns=("param", "velocity"),
    wrong=(
        Wrong(
            "averaged",
            momentum_averaged,
            "You mix velocity and gradient as a running mean, with 1 - momentum on the gradient, so the steps come out "
            "shorter by that factor in the long run. Which factor stands before g in the formula here?",
        ),
        Wrong(
            "learning-rate-inside",
            momentum_rate_inside,
            "Your `lr` scales the gradient *inside* the velocity. That treats the old velocity as if it held the learning "
            "rate already. In the formula here, in which of the two lines does `lr` stand?",
        ),
        Wrong(
            "velocity-points-downhill",
            momentum_polyak,
            "This is the other convention, in which the velocity holds -lr times the gradients and is added (Polyak's). "
            "It is a good method, but the velocities you hand back and receive mean something else. What is v in the formula here?",
        ),
        Wrong(
            "old-velocity-used",
            momentum_old_velocity,
            "The weights move with the velocity of the step before; today's gradient has no effect on them yet. "
            "Which of the two lines has to come first?",
        ),
        Wrong(
            "nesterov",
            momentum_nesterov,
            "The velocity is right, but the weights take a look-ahead step, gradient plus momentum times velocity: "
            "that is Nesterov's variant. What is subtracted in plain momentum?",
        ),
        Wrong(
            "uphill",
            momentum_uphill,
            "The velocity is right, but the weights move *with* it, uphill: it is made of slopes. Which sign leads down?",
        ),
        Wrong(
            "velocity-not-used",
            momentum_unused,
            "The velocity is right, but the weights move with the gradient alone, as if there were no momentum. "
            "What should the step be taken with?",
        ),
        Wrong(
            "velocity-not-kept",
            momentum_not_kept,
            "The new weights are right, but the velocity comes back unchanged, so next time nothing will be remembered. "
            "Which velocity does the next step need?",
        ),
        Wrong(
            "momentum-on-the-gradient",
            momentum_on_gradient,
            "Your `momentum` multiplies the gradient, and the old velocity is kept whole, so it never fades. "
            "Which of the two should lose a little in every step?",
        ),
        Wrong(
            "no-friction",
            momentum_without_friction,
            "The old velocity is kept whole: `momentum` has no effect on your result, and the ball never slows down. "
            "What should multiply the old velocity?",
        ),
        Wrong(
            "rate-on-the-gradient-only",
            momentum_rate_on_gradient_only,
            "The velocity is right, but in the step `lr` scales the gradient alone, not the old velocity that goes with it. "
            "What does the whole new velocity get multiplied by?",
        ),
        Wrong(
            "momentum-on-both",
            momentum_on_both,
            "Your `momentum` multiplies the new gradient along with the old velocity. Should today's slope be weakened too?",
        ),
        Wrong(
            "complement-kept",
            momentum_complement,
            "The old velocity is multiplied by 1 - momentum, so with 0.9 only a tenth survives each step. "
            "Should a large momentum mean a long memory or a short one?",
        ),
        Wrong(
            "gradient-subtracted-twice",
            momentum_subtracted,
            "The gradient enters the velocity with a minus, and the velocity is subtracted again: two minuses lead uphill. "
            "Where does the one minus of descent stand in the formula?",
        ),
        Wrong(
            "in-place",
            momentum_in_place,
            "The numbers are right, but the velocity array that you were given was overwritten. "
            "What is the difference between `v *= m` and `v = v * m`?",
        ),
    ),
    hints=(
        "Two lines, in this order: first the new velocity, then the step with it.",
        "The new velocity is momentum times the old one plus the gradient, undiminished. The step is lr times that new velocity.",
        "`velocity = momentum * velocity + grad` makes a new array; then return `param - lr * velocity` and the velocity.",
    ),
    unlocks="Most image networks are still trained with it.",
)
