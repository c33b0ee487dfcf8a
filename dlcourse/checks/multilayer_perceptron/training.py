"""A training loop that does not learn: two faults to find, and each half-mended program has its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def softmax_minus_truth(logits: Array, t: Labels) -> tuple[Array, Array]:
    """The loss of each example, and softmax minus one-hot."""
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(t)), t], np.exp(log_p) - np.eye(logits.shape[1])[t]


def train_epoch(X: Array, y: Labels, W1: Array, b1: Array, W2: Array, b2: Array, order: Labels, batch_size: int, lr: float) -> Any:  # fmt: skip
    total = 0.0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        x, t = X[chosen], y[chosen]
        h = np.maximum(0, x @ W1.T + b1)  # (B, H)
        losses, difference = softmax_minus_truth(h @ W2.T + b2, t)
        total += losses.sum()
        dlogits = difference / len(t)
        dz = (dlogits @ W2) * (h > 0)
        W2, b2 = W2 - lr * dlogits.T @ h, b2 - lr * dlogits.sum(axis=0)
        W1, b1 = W1 - lr * dz.T @ x, b1 - lr * dz.sum(axis=0)
    return W1, b1, W2, b2, total / len(X)


def train_epoch_on_copies(X: Array, y: Labels, W1: Array, b1: Array, W2: Array, b2: Array, order: Labels, batch_size: int, lr: float) -> Any:  # fmt: skip
    X, y = X[order], y[order]
    params, losses = [p.copy() for p in (W1, b1, W2, b2)], []
    for i in range(0, len(X), batch_size):
        x, t = X[i : i + batch_size], y[i : i + batch_size]
        z = x @ params[0].T + params[1]
        h = np.where(z > 0, z, 0)
        each, d = softmax_minus_truth(h @ params[2].T + params[3], t)
        losses.extend(each.tolist())
        dz = np.where(z > 0, d @ params[2], 0)
        for p, slope in zip(params, (dz.T @ x, dz.sum(0), d.T @ h, d.sum(0)), strict=True):
            p -= lr / len(t) * slope
    return [*params, np.mean(losses)]


def train_epoch_by_split(X: Array, y: Labels, W1: Array, b1: Array, W2: Array, b2: Array, order: Labels, batch_size: int, lr: float) -> Any:  # fmt: skip
    long1, long2, loss = np.column_stack([W1, b1]), np.column_stack([W2, b2]), 0.0
    for chosen in np.split(order, range(batch_size, len(order), batch_size)):
        x = np.column_stack([X[chosen], np.ones(len(chosen))])
        h = np.column_stack([np.maximum(x @ long1.T, 0), np.ones(len(chosen))])
        each, d = softmax_minus_truth(h @ long2.T, y[chosen])
        loss += float(each.mean()) * len(chosen) / len(order)
        back = (d @ long2)[:, :-1] * (h[:, :-1] > 0)
        long2 = long2 - lr / len(chosen) * np.einsum("no,nh->oh", d, h)
        long1 = long1 - lr / len(chosen) * np.einsum("nh,ni->hi", back, x)
    return long1[:, :-1], long1[:, -1], long2[:, :-1], long2[:, -1], loss


def train_inputs(rng: np.random.Generator) -> list[Case]:
    def case(
        N: int, sizes: tuple[int, int, int], B: int, lr: float, label: str = "", order: Any = None, scale: float = 1.0
    ) -> Case:
        D, H, C = sizes
        y = rng.permutation(np.arange(N) % C)
        X = (scale * rng.normal(size=(N, D))).round(2)
        shapes = (H, D), (H,), (C, H), (C,)
        params = tuple(rng.normal(size=shape).round(2) for shape in shapes)
        return Case((X, y, *params, rng.permutation(N) if order is None else order, B, lr), label)

    return [
        case(3, (2, 3, 2), 3, 0.5, order=np.array([2, 0, 1])),
        case(5, (2, 3, 4), 2, 0.5, order=np.array([3, 0, 4, 1, 2])),
        case(10, (3, 5, 4), 4, 0.3),
        case(13, (4, 6, 3), 5, 0.2),
        case(9, (3, 4, 3), 3, 0.4),
        case(6, (3, 4, 3), 6, 0.5, "one batch with all examples"),
        case(5, (2, 4, 3), 1, 0.2, "batches of one example"),
        case(5, (3, 4, 2), 8, 0.3, "a batch size above the number of examples"),
        case(8, (3, 3, 3), 4, 0.3, "square weights"),
        case(7, (3, 5, 4), 3, 0.0, "a learning rate of 0"),
        case(8, (3, 5, 4), 8, 0.1, "large scores", scale=1e4),
    ]


def program(
    labels: Callable[[Labels, Labels, int, int], Labels] = lambda y, chosen, start, B: y[chosen],
    images: Callable[[Array, Labels, int, int], Array] = lambda X, chosen, start, B: X[chosen],
    stale: bool = True,
    mask: Callable[[Array, Array], Array] = lambda dh, h: dh * (h > 0),
    count: Callable[[Labels, int, int], float] = lambda t, B, N: len(t),
    sign: float = 1.0,
    keep: float = 0.0,
    last: bool = True,
    mean: str = "examples",
    first_moves: bool = True,
    in_place: bool = False,
    biases: bool = True,
    softmax: Callable[[Array, Labels], tuple[Array, Array]] = softmax_minus_truth,
    first_step_first: bool = False,
    saved_once: bool = False,
) -> Callable[..., Any]:
    """The program with its faults; ``stale``: the slopes pass W2 as it was on the way forward."""

    def answer(X: Array, y: Labels, W1: Array, b1: Array, W2: Array, b2: Array, order: Labels, batch_size: int, lr: float) -> Any:  # fmt: skip
        params = [W1, b1, W2, b2]
        sums = [np.zeros_like(p) for p in params]
        means: list[float] = []
        sizes: list[int] = []
        N = len(order)
        for start in range(0, N if last else N // batch_size * batch_size, batch_size):
            chosen = order[start : start + batch_size]
            x, t = images(X, chosen, start, batch_size), labels(y, chosen, start, batch_size)
            h = np.maximum(0, x @ params[0].T + params[1])
            losses, difference = softmax(h @ params[2].T + params[3], t)
            means.append(float(losses.mean()))
            sizes.append(len(t))
            d = sign * difference / count(t, batch_size, N)
            slopes: list[Any] = [None, None, d.T @ h, d.sum(axis=0)]
            moved = params[2] - lr * (keep * sums[2] + slopes[2])
            dz = mask(d @ (W2 if saved_once else params[2] if stale else moved), h)
            slopes[:2] = [dz.T @ x, dz.sum(axis=0)]
            if first_step_first:
                slopes[2] = d.T @ np.maximum(0, x @ (params[0] - lr * slopes[0]).T + params[1] - lr * slopes[1])
            sums = [keep * s + g for s, g in zip(sums, slopes, strict=True)]
            for k, g in enumerate(sums):
                if (k > 1 or first_moves) and (biases or k % 2 == 0):
                    if in_place:
                        params[k] -= lr * g
                    else:
                        params[k] = params[k] - lr * g
        if mean == "afterwards":
            h = np.maximum(0, X @ params[0].T + params[1])
            loss = softmax_minus_truth(h @ params[2].T + params[3], y)[0].mean()
        elif mean == "batches":
            loss = np.mean(means)
        elif mean == "last":
            loss = means[-1]
        elif mean == "sum":
            loss = np.dot(means, sizes)
        else:
            loss = np.dot(means, sizes) / N
        return (*params, float(loss))

    return answer


def unstable(logits: Array, t: Labels) -> tuple[Array, Array]:
    with np.errstate(all="ignore"):
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -log_p[np.arange(len(t)), t], np.exp(log_p) - np.eye(logits.shape[1])[t]


def shuffled_twice(X: Array, y: Labels, *others: Any) -> Any:
    order = others[4]
    return program()(X, y[order], *others)


def in_file_order(y: Any, chosen: Labels, start: int, B: int) -> Any:
    return y[start : start + B]


MISALIGNED = "images and labels of a batch do not belong together. Which order do `x` and `t` each follow"
MOVED = "the slopes pass `W2` after it has taken its step, though the logits came from the old one. Which line has to come earlier"

TRAIN_EPOCH = Exercise(
    id="multilayer_perceptron.train_epoch",
    kind="program",
    title="Mend a network that does not learn",
    points=4,
    minutes=25,
    difficulty=3,
    function="train_epoch",
    reference=train_epoch,
    alternatives=(train_epoch_on_copies, train_epoch_by_split),
    inputs=train_inputs,
    returns=("W1", "b1", "W2", "b2", "loss"),
    blame=("loss", "W2", "b2", "W1", "b1"),
    wrong=(
        Wrong(
            "as-given",
            program(labels=in_file_order, stale=False),
            "This is still the program as it was handed out, with both faults. Print one batch with its labels beside the images, before anything "
            "is computed: do they belong together?",
        ),
        Wrong(
            "moved-weights-left",
            program(stale=False),
            f"One fault is mended: the network learns now. The other one hardly shows in the accuracy: {MOVED}?",
        ),
        Wrong(
            "labels-left",
            program(labels=in_file_order),
            f"One fault is mended: the slopes are right for the batch. The other one is left: {MISALIGNED}?",
        ),
        Wrong(
            "order-dropped",
            program(labels=in_file_order, images=in_file_order),
            "Images and labels belong together now, but neither is shuffled any more: `order` is not used. "
            "In a file sorted by class, what would a batch look like?",
        ),
        Wrong(
            "order-dropped-and-moved-weights-left",
            program(labels=in_file_order, images=in_file_order, stale=False),
            "Images and labels belong together, but `order` is not used any more, and the second fault is still there: "
            "what do the slopes pass on their way back?",
        ),
        Wrong(
            "labels-shuffled-twice",
            shuffled_twice,
            "The labels are shuffled twice: once as a whole, and once more when the batch is taken from them. How often are the images?",
        ),
        Wrong(
            "images-in-file-order",
            program(images=in_file_order),
            f"Now the labels follow `order` and the images do not: {MISALIGNED}?",
        ),
        Wrong(
            "first-layer-moves-first",
            program(first_step_first=True),
            "The first layer takes its step first, and the slopes of `W2` then use hidden numbers of the new `W1`. With which weights should all four slopes be computed?",
        ),
        Wrong(
            "weights-saved-once",
            program(saved_once=True),
            "Right for the first batch. From the second on, the slopes pass `W2` as it was before the epoch. Where does your copy of it have to be made, before the loop or inside it?",
        ),
        Wrong(
            "maximum-not-subtracted",
            program(softmax=unstable),
            "Right, except for large scores, where the exponentials overflow. The program as it was handed out could cope with them: which of its lines is missing?",
        ),
        Wrong(
            "relu-slope-dropped",
            program(mask=lambda dh, h: dh),
            "The slopes pass ReLU unchanged in your program. That line was right: what does a neuron that is off let through?",
        ),
        Wrong(
            "relu-of-the-slopes",
            program(mask=lambda dh, h: np.maximum(0, dh)),
            "You put the slopes through ReLU on the way back. Which sign decides whether a slope passes, its own or that of the neuron's sum?",
        ),
        Wrong(
            "not-divided",
            program(count=lambda t, B, N: 1),
            "The slopes are those of the batch's *sum*, so the steps grow with the batch. What was `dlogits` divided by, and why?",
        ),
        Wrong(
            "divided-by-batch-size",
            program(count=lambda t, B, N: B),
            "Right for full batches. The last one may be smaller, and its slopes are divided by `batch_size` all the same. How many examples does it hold?",
        ),
        Wrong(
            "divided-by-all",
            program(count=lambda t, B, N: N),
            "The slopes are divided by the number of *all* examples, so each step is too short. Over how many does the loss of a batch take its mean?",
        ),
        Wrong(
            "uphill",
            program(sign=-1.0),
            "The weights go uphill: the loss grows with each step. Which sign does the step have, or the difference of softmax and one-hot?",
        ),
        Wrong(
            "slopes-pile-up",
            program(keep=1.0),
            "The slopes of all earlier batches are added to those of this one. Where does a batch's own sum begin, before the loop or inside it?",
        ),
        Wrong(
            "last-batch-dropped",
            program(last=False),
            "Only full batches are used: the examples that are left over teach nothing. How large may the last batch be?",
        ),
        Wrong(
            "mean-of-batch-losses",
            program(mean="batches"),
            "The weights are right. The loss is the mean of the batches' means, in which an example of a small last batch counts more than the others. "
            "What should each example count?",
        ),
        Wrong(
            "loss-of-the-last-batch",
            program(mean="last"),
            "The weights are right. The loss is that of the last batch alone. Over which examples does the task take the mean?",
        ),
        Wrong(
            "loss-not-divided",
            program(mean="sum"),
            "The weights are right. The loss is the sum over all examples. What makes it comparable between data sets of different sizes?",
        ),
        Wrong(
            "loss-of-the-new-weights",
            program(mean="afterwards"),
            "The weights are right. The loss is that of the weights at the end of the epoch. With which weights should the loss of each batch be taken?",
        ),
        Wrong(
            "first-layer-frozen",
            program(first_moves=False),
            "`W1` and `b1` come back as they went in: the first layer never moves. Which two lines does it need?",
        ),
        Wrong(
            "biases-frozen",
            program(biases=False),
            "Both biases come back as they went in. Which slopes are theirs?",
        ),
        Wrong(
            "in-place",
            program(in_place=True),
            "The numbers are right, but the caller's own weights were overwritten. Which statement writes into an array instead of making a new one?",
        ),
    ),
    hints=(
        "Two lines are at fault. Try the program with a single batch of all examples in the order 0, 1, 2 …: then one of the two faults cannot show.",
        "First: compare the lines that make `x` and `t`. Second: write behind each line whether it uses the weights of the way forward or newer ones.",
        "`t` has to be `y[chosen]`. And `dh = dlogits @ W2` belongs above the line that gives W2 its new value.",
    ),
    unlocks="From now on your first question to a network that does not learn: do inputs and labels belong together?",
)
