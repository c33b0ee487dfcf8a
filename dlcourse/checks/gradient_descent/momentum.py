"""The step of gradient descent with momentum (Polyak 1964, in PyTorch's form)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Pair = tuple[Any, Any]


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
    agree = (np.array([0.3, -1.0, 2.0, 0.7]), np.array([0.5, -1.5, 0.25, -1.0]), np.array([1.0, -0.5, 0.75, -2.0]))
    turn = (np.array([1.5, 0.2, -0.4]), np.array([-0.5, 1.0, -0.3]), np.array([2.0, -0.25, 1.0]))
    live = (np.array([1.0, -2.0, 0.5, 0.25]), np.array([0.4, -0.3, 1.0, -0.6]))  # param, velocity
    return [
        Case(first),
        case((2, 3), 0.05, 0.8),
        Case((*agree, 0.15, 0.7)),
        Case((*turn, 0.25, 0.6)),
        case((4,), 0.3, 0.5),
        Case((param, grad, np.zeros((2, 4)), 0.2, 0.9), "the first step, velocity zero"),
        case((3,), 0.1, 0.0, "no momentum"),
        case((3, 2), 0.01, 0.95, "large gradients", 1e4),
        Case((live[0], np.zeros(4), live[1], 0.1, 0.9), "a gradient of zero, with speed left"),
        Case((live[0], np.array([0.0, 0.8, 0.0, 0.0]), live[1], 0.1, 0.9), "some slopes of zero, with speed left"),
        Case((live[0], -0.9 * live[1], live[1], 0.1, 0.9), "a gradient that just cancels the velocity"),
        case((3, 3), 0.2, 0.85, "square arrays"),
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


def momentum_still_at_zero(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    new = np.where(grad == 0, velocity, momentum * velocity + grad)
    return param - lr * new, new


def momentum_skips_zero(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    if not grad.any():
        return param.copy(), velocity.copy()
    return momentum_step(param, grad, velocity, lr, momentum)


def momentum_brakes(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    return momentum_step(param, grad, np.where(velocity * grad < 0, 0.0, velocity), lr, momentum)


def momentum_brakes_all(param: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> Pair:
    return momentum_step(param, grad, velocity * float(np.sum(velocity * grad) >= 0), lr, momentum)


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
    blame=("velocity", "param"),
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
            "no-fading-where-flat",
            momentum_still_at_zero,
            "Where the gradient is exactly 0, your velocity keeps its full size. It should fade there by `momentum` as everywhere else. "
            "Does the formula treat a slope of 0 in a way of its own?",
        ),
        Wrong(
            "stops-where-flat",
            momentum_skips_zero,
            "Where the whole gradient is 0, you leave everything as it was. A ball with speed rolls on over flat ground, and slows down. "
            "What do the two lines give for g = 0?",
        ),
        Wrong(
            "brakes-on-a-turn",
            momentum_brakes,
            "Where gradient and velocity have opposite signs, your old velocity is dropped. "
            "In the formula, does the old velocity's factor depend on the gradient?",
        ),
        Wrong(
            "brakes-when-they-disagree",
            momentum_brakes_all,
            "Where gradient and velocity as a whole point opposite ways (their products sum to less than 0), your old velocity is dropped. "
            "In the formula, does the old velocity's factor depend on the gradient?",
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
