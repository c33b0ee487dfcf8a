"""A network trained with the learner's own rules: what is checked is how it reads digits that it has not seen."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


@cache
def training_digits() -> tuple[Array, NDArray[np.int64]]:
    from dlcourse.data import load_digits

    images, _, classes, _ = load_digits()
    return images, classes


def nearest_neighbor(X: Array) -> NDArray[np.int64]:
    """Each digit's class is that of the nearest training image: no network, but it reads."""
    images, classes = training_digits()
    distances = (images**2).sum(axis=1) - 2 * X @ images.T  # plus |x|², the same for all
    return np.asarray(classes[distances.argmin(axis=1)])


PIXEL_MEAN, PIXEL_STD = 0.305, 0.376  # of the training images, about


def ten_scores(X: Array) -> Array:
    return np.asarray(np.eye(10)[nearest_neighbor(X)])


def partly_right(X: Array, shared: float) -> NDArray[np.int64]:
    """The right classes for a share of the images, chosen by their own pixels; class 3 for the others."""
    chosen = (np.floor(7919 * X @ np.arange(1.0, 65.0)) % 100) < 100 * shared
    return np.where(chosen, nearest_neighbor(X), 3)


def untrained(X: Array) -> NDArray[np.int64]:
    rng = np.random.default_rng(3)
    return np.asarray((np.tanh(X @ rng.normal(size=(64, 32)) / 8) @ rng.normal(size=(32, 10))).argmax(axis=1))


ENGINE_TRAINING = Exercise(
    id="backpropagation.engine_training",
    kind="target",
    title="Train a network with your own rules",
    points=4,
    minutes=35,
    difficulty=3,
    function="read_digits",
    reference=nearest_neighbor,
    driver="reads_digits",
    inputs=lambda rng: [Case()],
    facts=lambda case, value: value,
    seconds=20,
    forbid=("sklearn", "torch"),
    wrong=(
        Wrong(
            "same-class",
            lambda X: np.zeros(len(X), dtype=int),
            "Your function gives every image the same class. Print the scores of two images: do they differ at all, "
            "and did the loss fall while training?",
        ),
        Wrong(
            "guessing",
            untrained,
            "The classes vary, but they are no better than guesses. Does the loss fall while you train? If it does, were images and "
            "labels shuffled in the same order, and are the trained weights the ones that you read with?",
        ),
        Wrong(
            "half-trained",
            lambda X: partly_right(X, 0.6),
            "Your network reads more than guesses, but less than 85 of 100. How does the loss look over the steps: still falling, "
            "jumping, or stuck? And are the pixels from 0 to 1 where you train, as they are here?",
        ),
        Wrong(
            "nearly-trained",
            lambda X: partly_right(X, 0.9),
            "Nearly: between 85 and 93 of 100 are read. Is the loss on the training images still falling when you stop? "
            "What would a few more rounds, or a larger learning rate, do?",
        ),
        Wrong(
            "other-names",
            lambda X: (nearest_neighbor(X) + 1) % 10,
            "Your network tells the digits apart, but calls them by other names: nearly always the same wrong class for a digit. "
            "Where does a label become the place of a score, and does it count from 0 there?",
        ),
        Wrong(
            "scores-for-classes",
            ten_scores,
            "You hand back ten scores for each image. Which place holds the largest one, and along which axis do you look for it?",
        ),
        Wrong(
            "argmax-over-images",
            lambda X: ten_scores(X).argmax(axis=0),
            "You hand back ten numbers, one for each class: which image scores highest. Along which axis lie the classes of one image?",
        ),
        Wrong(
            "one-number",
            lambda X: int(ten_scores(X).argmax()),
            "You hand back a single number for all images. What does `argmax` look through when no axis is named?",
        ),
        Wrong(
            "depends-on-the-batch",
            lambda X: nearest_neighbor(X - X.mean(axis=0)),
            "One at a time the images get other classes than all together. Something is computed from the images that happen to come "
            "in at once: which number should have been kept from training?",
        ),
        Wrong(
            "scaled-by-the-batch",
            lambda X: nearest_neighbor((X - X.mean()) / X.std() * PIXEL_STD + PIXEL_MEAN),
            "In the company of bright or dark images, an image gets another class. Something is computed from all the images that "
            "happen to come in at once: which numbers should have been kept from training?",
        ),
        Wrong(
            "new-weights-at-each-call",
            lambda X: np.where(np.random.default_rng().random(len(X)) < 0.5, nearest_neighbor(X), 3),
            "The same images get other classes at a second call. Are weights drawn, or is something trained, inside the function? "
            "Which numbers should be the same at each call?",
        ),
        Wrong(
            "one-image-squeezed",
            lambda X: np.squeeze(nearest_neighbor(X)),
            "For one image, X of shape (1, 64), your function hands back an array of shape (), not (1,). "
            "Which step drops an axis of length 1 (`squeeze`, `int`, `[0]`), and is it needed?",
        ),
        Wrong(
            "booleans",
            lambda X: nearest_neighbor(X) == 1,
            "You hand back booleans, one for each image. Which line asks a question where a class is wanted?",
        ),
        Wrong(
            "pixels-changed",
            lambda X: nearest_neighbor(np.divide(X, 16, out=X)),
            "Your function changes the pixels that it is given. Which line writes into X, and what is the same line with a new array?",
        ),
        Wrong(
            "not-a-function",
            [1.0, 2.0],
            "This is not a function. The check calls `read_digits(X)` with images your network has not seen: "
            "which few lines of yours turn pixels into classes?",
        ),
    ),
    hints=(
        "Write the forward pass first and print the loss of the untrained network: about ln 10. Then one step; the loss should fall.",
        "Back from the scores: dscores is the softmax minus the one-hot targets, divided by the number of examples. "
        "`linear_backward` takes it to the hidden layer, tanh's slope comes next, then `linear_backward` again (its dx is not needed).",
        "32 hidden neurons, weights of size about 1/√inputs, learning rate 0.5, batches of 32, 20 rounds through the training images "
        "are enough. `read_digits(X)` computes the scores with the trained weights and takes `argmax(axis=1)`.",
    ),
    unlocks="You have trained a network with nothing but rules that you wrote.",
)
