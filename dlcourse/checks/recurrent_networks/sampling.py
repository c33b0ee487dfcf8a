"""Sample a character at a temperature (Ackley, Hinton & Sejnowski 1985), judged by the distribution of many draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Rng

Array = NDArray[np.float64]
Generator = np.random.Generator


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def sample(logits: Array, temperature: float, rng: Generator) -> int:
    scores = logits / temperature
    p = np.exp(scores - scores.max())
    return int(rng.choice(len(logits), p=p / p.sum()))


def sample_with_gumbel_noise(logits: Array, temperature: float, rng: Generator) -> Any:
    return np.argmax(logits / temperature + rng.gumbel(size=len(logits)))


def sample_by_walking(logits: Array, temperature: float, rng: Generator) -> int:
    scores = list(map(float, logits))
    top = max(scores)
    weights = [math.exp((s - top) / temperature) for s in scores]
    rest, k = rng.random() * math.fsum(weights), 0
    while k < len(weights) - 1 and rest >= weights[k]:
        rest -= weights[k]
        k += 1
    return k


def sample_inputs(rng: Generator) -> list[Case]:
    def case(logits: Any, temperature: float, label: str = "") -> Case:
        order = rng.permutation(len(logits))
        return Case((np.array(logits, float)[order], temperature, Rng(int(rng.integers(10_000)))), label)

    return [
        case([1.4, 2.0, 0.8, 0.2], 0.35),
        case([2.0, 0.4, -0.8, 3.6, -3.0, 1.2, 0.1], 2.5),
        case([0.3, 1.3, -0.5, 0.9, 1.9, -1.2, 0.7], 0.4),
        case([0.4, 1.6, -0.6, 1.0], 1.0, "a temperature of 1"),
        case([2.0, 1.2, 1.998], 0.001, "a temperature near 0"),
        case([2.0, -1.5, 0.5, 1.0], 100.0, "a high temperature"),
        case([1000.5, 1000.0, 999.0, 1001.5], 0.4, "large logits"),
        case([1000.0, 600.0, 200.0], 400.0, "large logits and a high temperature"),
        case([-1000.0, -1001.0, -1000.5], 0.4, "large negative logits"),
        case([0.7, 0.7, 0.7, 0.7], 0.8, "equal logits"),
        case([0.4], 0.8, "an alphabet of one character"),
    ]


FORM, DISTRIBUTION, SOURCE = "the form of the result", "the distribution of many draws", "the random numbers"
FAR = 5.0  # how many times its expected error the count of a character may lie away


def candidates(logits: Array, T: float) -> dict[str, Array]:
    """Which distributions are known, the right one first."""
    index = np.arange(len(logits))
    e = np.exp(logits - logits.max())
    found = {
        "softmax of logits / temperature": softmax(logits / T),
        "all alike": np.full(len(logits), 1 / len(logits)),
        "softmax of logits": softmax(logits),
        "softmax of logits · temperature": softmax(logits * T),
        "softmax of -logits / temperature": softmax(-logits / T),
        "softmax of logits / temperature²": softmax(logits / T**2),
        "softmax of probabilities / temperature": softmax(e / e.sum() / T),
        "in proportion to |logits|": np.abs(logits) / max(np.abs(logits).sum(), 1e-12),
        "2 to the power of logits / temperature": softmax(math.log(2) * logits / T),
        "always the largest": (index == logits.argmax()).astype(float),
    }
    return found


def distance(share: Array, p: Array, n: int) -> float:
    """How far counts lie from a distribution: the largest multiple of the error to be expected (and two draws more)."""
    beyond = np.maximum(np.abs(share - p) - 2.0 / n, 0.0)
    return float((beyond / np.maximum(np.sqrt(p * (1 - p) / n), 1e-12)).max())


def nearest(logits: Array, T: float, share: Array, n: int) -> str:
    known = candidates(logits, T)
    right = next(iter(known))
    if distance(share, known[right], n) < FAR:
        return right  # at T = 1, or with equal logits, several are the same
    best = known[min(known, key=lambda name: distance(share, known[name], n))]
    if distance(share, best, n) >= FAR:
        return "another"
    return next(
        name for name in known if np.abs(known[name] - best).max() < 0.01
    )  # the first of several that are alike


def sample_facts(case: Case, value: Any) -> dict[str, Any]:
    logits, T, _ = case.args
    facts: dict[str, Any] = {FORM: value["form"]}
    if value["form"] != "a whole number":
        return {**facts, DISTRIBUTION: "not looked at", SOURCE: "not looked at"}
    drawn, again = value["drawn"], value["again"]
    if drawn.min() < 0 or drawn.max() >= len(logits):
        outside = "below 0" if drawn.min() < 0 else "V or above"
        return {**facts, DISTRIBUTION: f"some are {outside}", SOURCE: "not looked at"}
    share = np.bincount(drawn, minlength=len(logits)) / len(drawn)
    p = softmax(logits / T)
    if (p**2).sum() > 0.8:  # nearly every draw is the same one anyhow
        return {**facts, DISTRIBUTION: nearest(logits, T, share, len(drawn)), SOURCE: "rng"}
    if len(set(drawn.tolist())) == 1:
        always = "always the largest" if value["greedy"] else "always the same"
        return {**facts, DISTRIBUTION: always, SOURCE: "no chance at all"}
    facts[DISTRIBUTION] = nearest(logits, T, share, len(drawn))
    facts[SOURCE] = "rng" if np.array_equal(drawn[: len(again)], again) else "not from rng"
    return facts


def by(score: Callable[[list[float], float], list[float]]) -> Callable[..., int]:
    """A draw in proportion to the exponentials of some scores."""

    def answer(logits: Array, temperature: float, rng: Generator) -> int:
        return sample_by_walking(score(logits.tolist(), temperature), 1.0, rng)  # type: ignore[arg-type]

    return answer


def powers(scores: list[float]) -> list[float]:
    """A softmax, on a list."""
    top = max(scores)
    e = [math.exp(s - top) for s in scores]
    return [x / sum(e) for x in e]


def handing(form: Callable[[int, Array], Any]) -> Callable[..., Any]:
    """The right draw, handed back in another form."""

    def answer(logits: Array, temperature: float, rng: Generator) -> Any:
        return form(sample_by_walking(logits, temperature, rng), logits)

    return answer


OTHER = np.random.default_rng(123)


SAMPLE = Exercise(
    id="recurrent_networks.sample",
    kind="function",
    title="Sample at a temperature",
    points=2,
    minutes=12,
    difficulty=2,
    function="sample",
    reference=sample_by_walking,
    alternatives=(sample, sample_with_gumbel_noise),
    inputs=sample_inputs,
    driver="samples",
    facts=sample_facts,
    wrong=(
        Wrong(
            "temperature-multiplied",
            by(lambda z, T: [s * T for s in z]),
            "Over thousands of draws, your characters come as from logits *times* the temperature: the hotter, the more predictable. What should a high temperature do to the differences between the logits?",
        ),
        Wrong(
            "temperature-ignored",
            by(lambda z, T: z),
            "Over thousands of draws, your characters come as at temperature 1, whatever it is (dividing the *probabilities* and making them add up to 1 again has no effect either). Which numbers does the temperature divide?",
        ),
        Wrong(
            "always-the-largest",
            lambda logits, temperature, rng: int(np.argmax(logits)),
            "Every draw gives the character with the largest logit. Where do the random numbers come in, and at which temperature alone would this be right?",
        ),
        Wrong(
            "all-alike",
            lambda logits, temperature, rng: int(rng.integers(len(logits))),
            "All characters come equally often, whatever the logits. Which argument of `rng.choice` says how likely each of them is?",
        ),
        Wrong(
            "least-likely-first",
            by(lambda z, T: [-s / T for s in z]),
            "The smallest logit comes most often. Is there a minus sign too many before the exponential?",
        ),
        Wrong(
            "temperature-twice",
            by(lambda z, T: [s / T**2 for s in z]),
            "The temperature is at work twice: the draws come as from logits / temperature². In how many lines do you divide?",
        ),
        Wrong(
            "softmax-twice",
            by(lambda z, T: [p / T for p in powers(z)]),
            "Your draws come as if a softmax were taken of probabilities divided by the temperature: two softmaxes, one behind the other. To which numbers does the temperature belong, logits or probabilities?",
        ),
        Wrong(
            "no-exponential",
            by(lambda z, T: [math.log(abs(s)) for s in z]),
            "Your draws come in proportion to the logits themselves, without an exponential or a temperature. What turns logits, which may be negative, into probabilities?",
        ),
        Wrong(
            "powers-of-two",
            by(lambda z, T: [math.log(2) * s / T for s in z]),
            "Your draws come in proportion to powers of 2. Which base does the softmax have?",
        ),
        Wrong(
            "own-seed",
            lambda logits, temperature, rng: sample_by_walking(logits, temperature, np.random.default_rng(0)),
            "The same logits give the same character in every call: nothing is left to chance, or each call begins with the same random number. Who hands you a generator that goes on?",
        ),
        Wrong(
            "another-generator",
            lambda logits, temperature, rng: sample_by_walking(logits, temperature, OTHER),
            "The distribution is right, but with `rng` started anew from the same seed other characters come: the random numbers are from elsewhere. Which generator does the task hand you?",
        ),
        Wrong(
            "power-of-probabilities",
            by(lambda z, T: [math.log(p) / T if p > 0 else -math.inf for p in powers(z)]),
            "Right until logits are large *and* the temperature is high: there, small probabilities are 0 before the temperature comes to them, and no power makes them larger again. Where does the task divide by it?",
        ),
        Wrong(
            "counted-from-one",
            handing(lambda k, logits: k + 1),
            "Your draw can be V, and the last index is V - 1. From where do indices count?",
        ),
        Wrong(
            "value-for-index",
            handing(lambda k, logits: float(logits[k])),
            "You hand back a float: one of the logits or of the probabilities, perhaps, or an index that was turned into one. What does the task ask for: a value, or its place, as a whole number?",
        ),
        Wrong(
            "array-for-index",
            handing(lambda k, logits: np.array([k])),
            "You hand back an array of one index, as `size=1` gives. What does the task ask for?",
        ),
        Wrong(
            "one-hot-for-index",
            handing(lambda k, logits: np.eye(len(logits))[k]),
            "You hand back a whole row, one entry for each character. What does the task ask for: the row, or the place in it?",
        ),
    ),
    hints=(
        "First make probabilities, with a softmax; then draw one index with them. The temperature comes before both.",
        "Divide the logits by the temperature, subtract the largest, exponentiate, divide by the sum. A generator has a method that draws from given probabilities.",
        "`return int(rng.choice(len(logits), p=p))`, with p the softmax of `logits / temperature`.",
    ),
    unlocks="With it, a model that can only predict begins to write.",
)  # fmt: skip
