"""Unit 05, answered from its notebook's text alone."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from held_out import HeldOut


def dropout_with_gaussian_noise(x, p, rng, training):
    """Multiplies by noise of mean 1 and of the variance that dropout would have."""
    return x * rng.normal(1, np.sqrt(p / (1 - p)), x.shape) if training else x


def dropout_by_rounding_down(x, p, rng, training):
    """A uniform number plus 1 - p, rounded down, is the mask; without p there is nothing to do."""
    if p == 0 or not training:
        return x.tolist()
    return x * np.floor(rng.random(x.shape) + (1 - p)) * (1 / (1 - p))


def adamw_with_the_root_first(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Takes the root of v, and corrects it afterwards with the factor for v itself."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    step = m / (1 - beta1**t) / (np.sqrt(v) / (1 - beta2**t) + eps)
    return param - lr * (step + weight_decay * param), m, v


def adamw_number_by_number(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Plain Python on flat lists; the results are shaped at the end."""
    rows = []
    for p, g, a, b in zip(*(np.ravel(array).tolist() for array in (param, grad, m, v)), strict=True):
        a, b = a + (1 - beta1) * (g - a), b + (1 - beta2) * (g * g - b)
        step = a / (1 - beta1**t) / (math.sqrt(b / (1 - beta2**t)) + eps)
        rows.append(((1 - lr * weight_decay) * p - lr * step, a, b))
    return [np.reshape(column, np.shape(param)) for column in zip(*rows, strict=True)]


def batch_norm_with_the_spread_about_the_running_mean(
    x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5
):
    """What goes into running_var is measured from the new running mean and not from the batch's."""
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        spread = ((x - running_mean) ** 2).sum(axis=0) / (len(x) - 1)
        running_var = (1 - momentum) * running_var + momentum * spread
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running_mean, running_var


def batch_norm_as_a_straight_line(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """One slope and one intercept for each feature; the variance by NumPy's covariance; single precision."""
    mean, var, n = running_mean, running_var, len(x)
    if training:
        mean, unbiased = np.average(x, axis=0), np.array([np.cov(column) for column in x.T])
        var = unbiased * (n - 1) / n
        running_mean = running_mean + momentum * (mean - running_mean)
        running_var = running_var + momentum * (unbiased - running_var)
    slope = gamma * (var + eps) ** -0.5
    return [np.float32(array) for array in (slope * x + (beta - slope * mean), running_mean, running_var)]


def back_by_large_nudges(dout, x, gamma, eps=1e-5):
    """Measures dx, to one side and with a nudge that is too large."""

    def loss(x):
        return (dout * gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)).sum()

    dx = np.empty(x.shape)
    for i in np.ndindex(*x.shape):
        nudged = x.copy()
        nudged[i] += 0.01
        dx[i] = (loss(nudged) - loss(x)) / 0.01
    return dx, (dout * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)).sum(axis=0), dout.sum(axis=0)


def back_by_the_jacobian(dout, x, gamma, eps=1e-5):
    """The whole matrix of slopes for each feature; dgamma and dbeta as lists."""
    n, dx, dgamma = len(x), np.empty(x.shape), []
    for j, column in enumerate(x.T):
        centered = column - column.mean()
        var = centered @ centered / n + eps
        jacobian = np.eye(n) - 1 / n - np.outer(centered, centered) / (n * var)
        dx[:, j] = gamma[j] / math.sqrt(var) * (jacobian @ dout[:, j])
        dgamma.append(float(dout[:, j] @ centered) / math.sqrt(var))
    return [dx, dgamma, [math.fsum(column) for column in dout.T]]


def stop_when_not_below_the_loss_of_back_then(val_losses, patience):
    """Compares with the loss of `patience` epochs ago, and not with the lowest."""
    for i in range(patience, len(val_losses)):
        if val_losses[i] >= val_losses[i - patience]:
            return int(np.argmin(val_losses[: i + 1])), i
    return int(np.argmin(val_losses)), len(val_losses) - 1


class StopByWaiting:
    """Called like a function; counts the epochs it has waited; NumPy's whole numbers."""

    def __call__(self, val_losses, patience):
        losses = iter(val_losses)
        lowest, best, last, waited = next(losses), 0, 0, 0
        for last, loss in enumerate(losses, start=1):
            waited += 1
            if loss < lowest:
                lowest, best, waited = loss, last, 0
            if waited == patience:
                break
        return [np.int32(best), np.int32(last)]


def cosine_on_the_way_up_as_well(step, total_steps, warmup_steps, lr_max, lr_min):
    """The warm-up follows half a wave, too, in place of a straight line."""
    if step < warmup_steps:
        return lr_max * (1 - np.cos(np.pi * step / warmup_steps)) / 2
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return lr_min + (lr_max - lr_min) * (1 + np.cos(np.pi * progress)) / 2


def cosine_in_fractions(step, total_steps, warmup_steps, lr_max, lr_min):
    """Exact on the way up; by the square of a sine on the way down."""
    if step < warmup_steps:
        return Fraction(lr_max) * Fraction(int(step), int(warmup_steps))
    quarter = math.pi / 2 * Fraction(int(step - warmup_steps), int(total_steps - warmup_steps))
    return Fraction(lr_max - (lr_max - lr_min) * math.sin(quarter) ** 2)


def clip_by_taking_off_the_excess(grads, max_norm):
    """Subtracts from every entry what the norm is too long by."""
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g - max(norm - max_norm, 0) for g in grads], norm


def clip_in_nested_lists(grads, max_norm):
    """One hypotenuse of all entries; nested lists in a list."""
    norm = math.hypot(*(float(entry) for g in grads for entry in np.ravel(g)))
    factor = max_norm / norm if norm > max_norm else 1
    return [[(g * factor).tolist() for g in grads], norm]


def block_that_returns_in_the_loop(x, W1, b1, W2, b2):
    """Hands back the first example, before the loop has come to the second."""
    for row in x:
        hidden = [max(0.0, w @ row + b) for w, b in zip(W1, b1, strict=True)]
        return row + W2 @ np.array(hidden) + b2
    return x


def block_of_columns(x, W1, b1, W2, b2):
    """Stands the examples upright; ReLU by setting entries to 0."""
    hidden = np.einsum("hd,nd->hn", W1, x)
    hidden += b1[:, None]
    hidden[hidden < 0] = 0
    return (x.T + W2 @ hidden + b2.reshape(-1, 1)).T.tolist()


def layer_norm_left_flat(x, gamma, beta, eps=1e-5):
    """Lays all examples below each other, and leaves them there."""
    x = x.reshape(-1, x.shape[-1])
    return gamma * (x - x.mean(1)[:, None]) / np.sqrt(x.var(1)[:, None] + eps) + beta


def layer_norm_by_recursion(x, gamma, beta, eps=1e-5):
    """Goes down to the rows; each of them in plain Python."""
    if np.ndim(x) > 1:
        return [layer_norm_by_recursion(part, gamma, beta, eps) for part in x]
    mean = sum(x) / len(x)
    std = (sum((entry - mean) ** 2 for entry in x) / len(x) + eps) ** 0.5
    return [g * (entry - mean) / std + b for entry, g, b in zip(x, gamma, beta, strict=True)]


def _train(model, optimizer, batches, X_val, y_val, epochs, ended):
    from dlcourse.nn import functional as F  # noqa: N812

    train_losses, val_losses = [], []
    while len(val_losses) < epochs:
        losses = []
        for X, y in batches:
            for p in model.train().parameters():
                p.grad = None
            losses.append(F.cross_entropy(model(X), y))
            losses[-1].backward()
            optimizer.step()
        train_losses.append(sum(loss.item() for loss in losses) / len(losses))
        scores = model.eval()(X_val)
        val_losses.append(np.mean([F.cross_entropy(scores[[i]], y_val[[i]]).item() for i in range(len(y_val))]))
        if ended:
            break
    return np.array([train_losses, val_losses])


def training_that_returns_in_the_loop(*arguments):
    """The `return` is indented too far, so there is one epoch."""
    return _train(*arguments, ended=True)


def training_that_validates_one_by_one(*arguments):
    """Takes the slopes away by hand; the validation loss is a mean over single examples."""
    return _train(*arguments, ended=False)


RUNS = {
    "a": "No shuffling", "b": "learning rate too low", "c": "EVAL_MODE_FORGOTTEN", "d": "dead-relus",
    "e": "leaking validation", "f": "labels misaligned", "g": "learning-rate-too-high", "h": "missing zero_grad",
}  # fmt: skip

ANSWERS = {
    "training_deep_networks.dropout": HeldOut(
        mistake=dropout_with_gaussian_noise,
        says="what becomes of entries that are kept",
        odd=dropout_by_rounding_down,
    ),
    "training_deep_networks.adamw": HeldOut(
        mistake=adamw_with_the_root_first,
        says="`m` and `v` are right, `param` is not",
        odd=adamw_number_by_number,
    ),
    "training_deep_networks.batch_norm": HeldOut(
        mistake=batch_norm_with_the_spread_about_the_running_mean,
        says="`out` and `running_mean` are right, `running_var` is not",
        odd=batch_norm_as_a_straight_line,
    ),
    "training_deep_networks.batch_norm_backward": HeldOut(
        mistake=back_by_large_nudges,
        says="`dgamma` and `dbeta` are right, `dx` is not",
        odd=back_by_the_jacobian,
    ),
    "training_deep_networks.early_stopping": HeldOut(
        mistake=stop_when_not_below_the_loss_of_back_then,
        says="Look at `stopped_epoch` first",
        odd=StopByWaiting(),
    ),
    "training_deep_networks.cosine_lr": HeldOut(
        mistake=cosine_on_the_way_up_as_well,
        says="Expected was",
        odd=cosine_in_fractions,
    ),
    "training_deep_networks.clip_by_norm": HeldOut(
        mistake=clip_by_taking_off_the_excess,
        says="`grads[0]` is not",
        odd=clip_in_nested_lists,
    ),
    "training_deep_networks.residual_block": HeldOut(
        mistake=block_that_returns_in_the_loop,
        says="the first part of the expected one along axis 0",
        odd=block_of_columns,
    ),
    "training_deep_networks.layer_norm": HeldOut(
        mistake=layer_norm_left_flat,
        says="The values are right, in another shape",
        odd=layer_norm_by_recursion,
    ),
    "training_deep_networks.train_with_validation": HeldOut(
        mistake=training_that_returns_in_the_loop,
        says="Your result has shape (1,)",
        odd=training_that_validates_one_by_one,
    ),
    "training_deep_networks.diagnose": HeldOut(
        mistake={**RUNS, "c": "overfitting"},
        says="What you wrote for C is none of the eight names",
        odd=[np.str_(RUNS[letter]) for letter in sorted(RUNS)],
    ),
    "training_deep_networks.regularization": HeldOut(
        mistake={"batch_norm": True, "early": True, "weight_decay": 5},  # all that looks good, but not what is needed
        says="stay clearly below the goal",
        odd={"augment": np.True_, "dropout": np.float32(0.2), "steps": np.int64(300)},
    ),
    "training_deep_networks.which_curve": HeldOut(
        mistake={"A": 0.25, "B": 1.41, "C": 1.02, "D": 0.71},  # the factors of a block, not the names
        says="What you wrote for A is none of the four names",
        odd={"d": "RELU", "c": " Residual-Scaled", "b": np.str_("residual"), "a": "Sigmoid"},
    ),
}
