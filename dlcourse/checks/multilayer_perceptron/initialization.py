"""How large the weights are at the start (He et al. 2015, equation 10; Glorot & Bengio 2010, equation 16)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.lettered import by_letter, unknown_choices, wrong_choices
from dlcourse.drivers import Case, Rng

Array = NDArray[np.float64]
Generator = np.random.Generator


# --- multilayer_perceptron.he_init --------------------------------------------------------------------------------


def he_init(fan_in: int, fan_out: int, rng: Generator) -> Array:
    return rng.normal(0, math.sqrt(2 / fan_in), (fan_out, fan_in))


def he_init_uniform(fan_in: int, fan_out: int, rng: Generator) -> Array:
    limit = math.sqrt(6 / fan_in)
    return rng.uniform(-limit, limit, size=(fan_out, fan_in))


def he_init_row_by_row(fan_in: int, fan_out: int, rng: Generator) -> Any:
    return [(rng.standard_normal(fan_in) / (fan_in / 2) ** 0.5).tolist() for _ in range(fan_out)]


def he_inputs(rng: Generator) -> list[Case]:
    def case(fan_in: int, fan_out: int, label: str = "") -> Case:
        return Case((fan_in, fan_out, Rng(int(rng.integers(10_000)))), label)

    return [
        case(400, 160),
        case(150, 400),
        case(3, 5, "small layers"),
        case(4, 1, "a single neuron"),
        case(1, 6, "a single input"),
    ]


# Variances that mistakes lead to, by name; the nearest within 5 % is told.
VARIANCES: dict[str, Callable[[float, float], float]] = {
    "2 / fan_in": lambda i, o: 2 / i,
    "1 / fan_in": lambda i, o: 1 / i,
    "2 / fan_out": lambda i, o: 2 / o,
    "1 / fan_out": lambda i, o: 1 / o,
    "2 / (fan_in + fan_out)": lambda i, o: 2 / (i + o),
    "4 / fan_in": lambda i, o: 4 / i,
    "6 / fan_in": lambda i, o: 6 / i,
    "2 / (3 · fan_in)": lambda i, o: 2 / (3 * i),
    "1 / (3 · fan_in)": lambda i, o: 1 / (3 * i),
    "1 / fan_in²": lambda i, o: 1 / i**2,
    "2 / fan_in²": lambda i, o: 2 / i**2,
    "(2 / fan_in)²": lambda i, o: 4 / i**2,
    "fan_in / 2": lambda i, o: i / 2,
    "1": lambda i, o: 1.0,
    "0.0001": lambda i, o: 1e-4,
    "0": lambda i, o: 0.0,
}
LARGE = 10_000  # a variance is estimated from at least so many weights: then 5 % are five standard errors and more
VARIANCE, MEAN, SHAPE, SOURCE = "the variance of the weights", "their mean", "the shape", "the random numbers"
SAMPLE, FORM = "the variance from one draw to the next", "how the weights are distributed"


def he_facts(case: Case, value: Any) -> dict[str, Any]:
    fan_in, fan_out, _ = case.args
    first, second, again, other = (np.asarray(draw) for draw in value)
    facts: dict[str, Any] = {
        SHAPE: _shape(first.shape, fan_in, fan_out),
        "the weights are floats": first.dtype.kind == "f",
        SOURCE: _source(first, second, again, other),
    }
    if fan_in * fan_out >= LARGE:
        facts["weights that are all alike"] = _alike(first)
        spread = float(first.std()) or 1.0
        facts[MEAN] = "0" if abs(first.mean()) < 8 * spread / math.sqrt(max(first.size, 1)) else "not 0"
        facts[VARIANCE] = _variance(float(first.var()), fan_in, fan_out)
        facts[SAMPLE] = _sample(first, second, other)
        facts[FORM] = _form(first)
    return facts


def _shape(shape: tuple[int, ...], fan_in: int, fan_out: int) -> str:
    if shape == (fan_out, fan_in):
        return "(fan_out, fan_in)"
    return "(fan_in, fan_out)" if shape == (fan_in, fan_out) else str(shape)


def _source(first: Array, second: Array, again: Array, other: Array) -> str:
    if not np.array_equal(first, again):
        return "not from `rng` alone"
    if np.array_equal(first, other):
        return "the same at every call"
    return "`rng` started anew at every call" if np.array_equal(first, second) else "drawn from `rng`"


def _alike(W: Array) -> str:
    if np.ptp(W) == 0:
        return "all of them"
    if W.ndim == 2 and not np.ptp(W, axis=0).any():
        return "those of different neurons"
    if W.ndim == 2 and not np.ptp(W, axis=1).any():
        return "those of different inputs"
    return "none"


def _sample(*draws: Array) -> str:
    variances = [float(draw.var()) for draw in draws]
    alike = np.allclose(variances, variances[0], rtol=1e-9, atol=0)
    return "exactly the same" if alike and variances[0] > 0 else "differs a little, by chance"


def _form(W: Array) -> str:
    """Normal and uniform weights, truncated normal ones too, by a wide margin; what is neither, by what tells it."""
    if _alike(W) != "none":
        return "not looked at"
    z = (W - W.mean()) / W.std()
    if np.ptp(np.abs(W)) < 1e-6 * np.abs(W).max():
        return "all of one size"
    if abs((z**3).mean()) > 0.15:
        return "not the same on both sides"
    fourth = float((z**4).mean())  # uniform 1.8, normal 3
    return "too few far from 0" if fourth < 1.7 else "too many far from 0" if fourth > 3.3 else "normal or uniform"


def _variance(measured: float, fan_in: int, fan_out: int) -> str:
    nearest = min(VARIANCES, key=lambda name: abs(VARIANCES[name](fan_in, fan_out) - measured))
    wanted = VARIANCES[nearest](fan_in, fan_out)
    if abs(measured - wanted) <= 0.05 * wanted:
        return nearest
    return f"{measured * fan_in / 2:.2g} times 2 / fan_in"


def normal(std: Callable[[int, int], float]) -> Callable[[int, int, Generator], Array]:
    return lambda fan_in, fan_out, rng: rng.normal(0, std(fan_in, fan_out), (fan_out, fan_in))


def one_row(fan_in: int, fan_out: int, rng: Generator) -> Array:
    return np.tile(he_init(fan_in, 1, rng), (fan_out, 1))


def only_positive(fan_in: int, fan_out: int, rng: Generator) -> Array:
    return rng.random((fan_out, fan_in)) * math.sqrt(2 / fan_in)


def half_normal(fan_in: int, fan_out: int, rng: Generator) -> Array:
    return np.abs(he_init(fan_in, fan_out, rng))


def standardized_sample(fan_in: int, fan_out: int, rng: Generator) -> Array:
    W = rng.normal(size=(fan_out, fan_in))
    if W.size > 1:
        W = (W - W.mean()) / W.std()
    return W * math.sqrt(2 / fan_in)


HE_INIT = Exercise(
    id="multilayer_perceptron.he_init",
    kind="function",
    title="Weights that keep the signal's size",
    points=2,
    minutes=8,
    difficulty=1,
    function="he_init",
    reference=he_init,
    alternatives=(he_init_uniform, he_init_row_by_row),
    inputs=he_inputs,
    facts=he_facts,
    driver="draws",
    returns=("an array (fan_out, fan_in)",),
    wrong=(
        Wrong(
            "variance-for-standard-deviation",
            normal(lambda i, o: 2 / i),
            "The variance comes out as (2 / fan_in)². NumPy's `normal` takes a standard deviation, and you give it the variance. "
            "What has to be done to a variance to get the standard deviation?",
        ),
        Wrong(
            "xavier-for-one-side",
            normal(lambda i, o: 1 / math.sqrt(i)),
            "The variance is 1 / fan_in: it keeps the signal where nothing is cut off. ReLU cuts off half of it. What makes up for that half?",
        ),
        Wrong(
            "xavier",
            normal(lambda i, o: math.sqrt(2 / (i + o))),
            "The variance is 2 / (fan_in + fan_out), Xavier's (Glorot's), made for tanh and for both directions. "
            "Which one does the task name?",
        ),
        Wrong(
            "fan-out",
            normal(lambda i, o: math.sqrt(2 / o)),
            "The variance is 2 / fan_out. How many terms does the sum have that one neuron computes, and which of the two numbers counts them?",
        ),
        Wrong(
            "gain-not-under-the-root",
            normal(lambda i, o: 2 / math.sqrt(i)),
            "The variance is 4 / fan_in: the 2 stands outside the root. What has to be under it?",
        ),
        Wrong(
            "root-of-the-numerator-only",
            normal(lambda i, o: math.sqrt(2) / i),
            "The variance is 2 / fan_in²: the root was taken of the 2 alone. How far does the root sign reach?",
        ),
        Wrong(
            "divided-by-the-inputs",
            normal(lambda i, o: 1 / i),
            "The variance is 1 / fan_in²: numbers of variance 1 were divided by fan_in. What happens to a variance when the numbers are divided by something?",
        ),
        Wrong(
            "uniform-limit-too-small",
            lambda fan_in, fan_out, rng: rng.uniform(-math.sqrt(2 / fan_in), math.sqrt(2 / fan_in), (fan_out, fan_in)),
            "The variance is 2 / (3 · fan_in). You may draw uniformly, but ±the standard deviation are not the limits: "
            "which variance do uniform numbers from -a to a have?",
        ),
        Wrong(
            "normal-with-the-uniform-limit",
            normal(lambda i, o: math.sqrt(6 / i)),
            "The variance is 6 / fan_in. √(6 / fan_in) is the *limit* for uniform numbers. Which standard deviation do normal ones need?",
        ),
        Wrong(
            "pytorch-default",
            lambda fan_in, fan_out, rng: rng.uniform(-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), (fan_out, fan_in)),
            "The variance is 1 / (3 · fan_in), as in the layers that PyTorch makes when you say nothing. How much larger does He want it?",
        ),
        Wrong(
            "not-scaled",
            normal(lambda i, o: 1.0),
            "The variance is 1, however many inputs there are, so that a sum of many terms gets larger and larger. What should it be divided by?",
        ),
        Wrong(
            "small",
            normal(lambda i, o: 0.01),
            "The variance is 0.0001, however many inputs there are. After 30 layers nothing would be left of the signal. What should the variance depend on?",
        ),
        Wrong(
            "multiplied-for-divided",
            normal(lambda i, o: math.sqrt(i / 2)),
            "The variance is fan_in / 2: numerator and denominator are exchanged. Should weights be larger or smaller when there are more inputs?",
        ),
        Wrong(
            "zeros",
            lambda fan_in, fan_out, rng: np.zeros((fan_out, fan_in)),
            "All weights are 0. Then all hidden neurons compute the same and get the same slopes: what could ever make them different?",
        ),
        Wrong(
            "transposed",
            lambda fan_in, fan_out, rng: rng.normal(0, math.sqrt(2 / fan_in), (fan_in, fan_out)),
            "The shape is (fan_in, fan_out). In this course, as in PyTorch, W has one row for each output: which of the two comes first?",
        ),
        Wrong(
            "neurons-alike",
            one_row,
            "All neurons of the layer start with the same weights, so they stay the same for ever. How many numbers have to be drawn?",
        ),
        Wrong(
            "only-positive",
            only_positive,
            "No weight is negative, so the sums all lean to one side: `rng.random` draws from 0 to 1. Around which number should the weights lie?",
        ),
        Wrong(
            "without-sign",
            half_normal,
            "All weights are positive: their sign got lost. Which mean should they have?",
        ),
        Wrong(
            "signs-only",
            lambda fan_in, fan_out, rng: rng.choice([-1.0, 1.0], (fan_out, fan_in)) * math.sqrt(2 / fan_in),
            "The variance is right, but all weights have one size, and only their signs are random. Which two distributions does the task allow?",
        ),
        Wrong(
            "exponential",
            lambda fan_in, fan_out, rng: (rng.exponential(size=(fan_out, fan_in)) - 1) * math.sqrt(2 / fan_in),
            "Mean and variance are right, but the weights are not spread in the same way on both sides of 0. Which two distributions does the task allow?",
        ),
        Wrong(
            "standardized-sample",
            standardized_sample,
            "The variance of your weights is exactly the same at every draw: you rescale the drawn numbers by their own spread, so that each depends on all "
            "the others. What does the task say about how each one is drawn?",
        ),
        Wrong(
            "own-seed",
            lambda fan_in, fan_out, rng: he_init(fan_in, fan_out, np.random.default_rng(0)),
            "The weights are the same at every call, whichever `rng` comes in. Two layers of one size would start as twins. "
            "Where should the random numbers come from?",
        ),
        Wrong(
            "global-randomness",
            lambda fan_in, fan_out, rng: np.random.randn(fan_out, fan_in) * math.sqrt(2 / fan_in),  # noqa: NPY002
            "The size is right, but the weights do not come from `rng`: the same generator, started anew, gives others, "
            "so no run can be repeated. Which of your arguments can draw?",
        ),
    ),
    hints=(
        "Draw an array of the right shape from `rng`; what is left is how widely it spreads.",
        "Variance 2 / fan_in means standard deviation √(2 / fan_in). `rng.normal` takes the standard deviation.",
        "`rng.normal(mean, standard deviation, shape)`, with mean 0 and shape (fan_out, fan_in).",
    ),
    unlocks="With it, 30 layers are no deeper than 3, at least at the start.",
)


# --- multilayer_perceptron.signal_after_30_layers -----------------------------------------------------------------

CHOICES = ("small", "Xavier", "He", "large", "Xavier with tanh")
UNKNOWN, TURNED = "none of the five", "a key, not a value"
LETTERS = "ABCDE"
RIGHT = {"A": "Xavier", "B": "large", "C": "He", "D": "small", "E": "Xavier with tanh"}


def recipes(case: Case, value: Any) -> Any:
    """The answer letter by letter in one spelling; None where nothing is answered yet."""
    if isinstance(value, dict) and value and all(str(choice).strip().upper() in LETTERS for choice in value.values()):
        return dict.fromkeys(LETTERS, TURNED)
    return by_letter(LETTERS, value, _choice)


def _choice(given: Any) -> str:
    if given == TURNED:
        return TURNED
    words = " ".join(str(given).lower().replace("_", " ").replace("-", " ").replace("+", " ").split())
    words = {"xavier tanh": "xavier with tanh", "glorot": "xavier", "kaiming": "he"}.get(words, words)
    return next((choice for choice in CHOICES if choice.lower() == words), UNKNOWN)


WHY_NOT = {
    ("A", "small"): "A loses a factor of about 1.4 in each layer, some 50,000 in all. With weights of 0.01, what factor would a layer of 100 inputs and a ReLU bring?",
    ("A", "He"): "A goes down in nearly a straight line: each layer loses about the same share. Which recipe was made so that a ReLU layer loses nothing?",
    ("A", "large"): "A falls. Does a layer with a standard deviation of 0.2 and 100 inputs make the signal smaller or larger?",
    ("A", "Xavier with tanh"): "A falls by about the same factor in every layer, at its end as at its start. tanh is nearly the identity for small numbers: would it go on like that?",
    ("B", "small"): "B grows to more than 10,000. Can weights of size 0.01, a hundred to a sum, make a signal grow?",
    ("B", "Xavier"): "B grows by about 1.4 in each layer. Xavier keeps the sums at the size of the inputs, and ReLU then takes half of the power away. Can that grow?",
    ("B", "He"): "B grows by about the same factor in each layer. Which recipe was made so that a ReLU layer neither grows nor shrinks?",
    ("B", "Xavier with tanh"): "B passes 1 at once and grows to more than 10,000. How large can a number be that comes out of tanh?",
    ("C", "small"): "C stays near 1 for 30 layers. Can weights of size 0.01, a hundred to a sum, do that?",
    ("C", "Xavier"): "C wanders near 1 and does not fall steadily. Xavier keeps the sums, but what does ReLU do to half of them, thirty times?",
    ("C", "large"): "C stays near 1. What does a layer do to a signal when its weights are √2 times as large as He's?",
    ("C", "Xavier with tanh"): "C rises a little above 1 in places. Can the size of numbers that come out of tanh be above 1?",
    ("D", "Xavier"): "D loses more than nine tenths in each layer. How much does Xavier lose in a ReLU layer: a half of the power, or that much?",
    ("D", "He"): "D falls to 1e-35. Which recipe was made so that nothing is lost?",
    ("D", "large"): "D falls to 1e-35. In which direction should weights go wrong that are too large?",
    ("D", "Xavier with tanh"): "D falls by about the same large factor in every layer. tanh leaves small numbers nearly as they are: what would a signal of 0.01 lose there?",
    ("E", "small"): "E still has a tenth of the signal after 30 layers. What would be left after 30 factors of less than 0.1?",
    ("E", "Xavier"): "E falls ever more slowly: the line bends. With ReLU each layer takes the same share, whatever the size. Which activation takes less from smaller numbers?",
    ("E", "He"): "E loses more than a third in the first layer and less and less later on. He's recipe keeps the size, but for chance: which of the five curves is nearest to 1 at the end?",
    ("E", "large"): "E falls. Does a layer with a standard deviation of 0.2 and 100 inputs make the signal smaller or larger?",
}  # fmt: skip


SIGNAL = Exercise(
    id="multilayer_perceptron.signal_after_30_layers",
    kind="value",
    title="What is left after 30 layers?",
    points=2,
    minutes=10,
    difficulty=2,
    function="signal_recipes",
    reference=RIGHT,
    inputs=lambda rng: [Case()],
    driver="value",
    facts=recipes,
    wrong=(
        Wrong(
            "keys-and-values-exchanged",
            dict.fromkeys(LETTERS, TURNED),
            "Keys and values are exchanged: your dict goes from recipes to letters. In `{key: value}`, which of the two should the letters be?",
        ),
        *wrong_choices(WHY_NOT),
        *unknown_choices(LETTERS, CHOICES, UNKNOWN),
        Wrong(
            "not-a-dict",
            "He",
            "One answer for each of the five letters is asked for. How does a dict with the keys A to E look?",
        ),
    ),
    hints=(
        "Reckon one layer: a sum of 100 products has 100 times the variance of one product; ReLU then keeps half of the mean square.",
        "So the mean square is multiplied by 100 · std² / 2 in each ReLU layer. Put in 0.01, 0.1, √0.02 and 0.2, take the root, and raise it to the power 30.",
        "The factors for the size are about 0.07, 0.71, 1 and 1.41. Only tanh has no fixed factor: it takes much from large numbers and next to nothing from small ones.",
    ),
    unlocks="You can now foresee whether a deep network starts alive.",
)
