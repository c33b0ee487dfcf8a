"""The best discriminator for two known densities, and how far apart these are (Goodfellow et al. 2014, section 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[np.float64]


def optimal_discriminator(p_real: Array, p_fake: Array, dx: float) -> Any:
    both = p_real + p_fake
    D = np.where(both > 0, p_real / np.where(both > 0, both, 1.0), 0.5)
    real, fake = p_real > 0, p_fake > 0  # 0 · ln 0 counts as 0
    js = np.sum(p_real[real] * np.log(2 * D[real])) + np.sum(p_fake[fake] * np.log(2 * (p_fake[fake] / both[fake])))
    return D, 0.5 * dx * js


def optimal_by_loop(p_real: Array, p_fake: Array, dx: float) -> Any:
    D, js = [], 0.0
    for p, q in zip(p_real.tolist(), p_fake.tolist(), strict=True):
        D.append(p / (p + q) if p + q else 0.5)
        js += p / 2 * math.log(2 * p / (p + q)) if p else 0.0
        js += q / 2 * math.log(2 * q / (p + q)) if q else 0.0
    return D, js * dx


def optimal_by_scipy(p_real: Array, p_fake: Array, dx: float) -> Any:
    from scipy.special import rel_entr

    middle = (p_real + p_fake) / 2
    D = np.full(p_real.shape, 0.5)
    np.divide(p_real, 2 * middle, out=D, where=middle > 0)
    return D, dx * (rel_entr(p_real, middle) + rel_entr(p_fake, middle)).sum() / 2


def density_inputs(rng: np.random.Generator) -> list[Case]:
    def case(p: Any, q: Any, dx: float, label: str = "") -> Case:
        p, q = (np.asarray(a, float) for a in (p, q))
        return Case((p / (p.sum() * dx), q / (q.sum() * dx), dx), label)

    def clouds(n: int, dx: float) -> tuple[Array, Array]:
        x = dx * np.arange(n)
        middles, widths = rng.uniform(0.25, 0.75, 2) * x[-1], rng.uniform(0.2, 0.4, 2) * x[-1]
        p, q = (np.exp(-(((x - m) / w) ** 2) / 2) for m, w in zip(middles, widths, strict=True))
        return p + rng.uniform(0, 0.3, n), q + rng.uniform(0, 0.3, n)

    p, _ = clouds(6, 0.5)
    far = np.exp(-np.array([0.0, 1.0, 420.0, 470.0])), np.exp(-np.array([1.0, 0.0, 424.0, 467.0]))
    small = np.exp(-np.array([0.0, 1.0, 14.0, 18.0, 21.0, 24.0, 28.0, 35.0]))
    return [
        Case((np.array([0.8, 1.2]), np.array([1.6, 0.4]), 0.5)),
        case(*clouds(7, 0.5), 0.5),
        case(*clouds(12, 0.2), 0.2),
        case(*clouds(5, 2.0), 2.0),
        case(small, small[[1, 0, 3, 2, 5, 4, 7, 6]], 0.25, "densities that fall to 1e-15"),
        case(*far, 0.25, "densities that are tiny, not zero"),
        case(
            [1.0, 2.0, 1e-18, 1.0],
            [2.0, 1e-19, 1.0, 1.0],
            0.25,
            "places where one density is a tiny share of the other",
        ),
        case([0.0, 1.0, 2.0, 1.0], [1.0, 1.0, 0.0, 2.0], 0.5, "places where one of the densities is zero"),
        case([1.0, 0.0, 2.0, 1.0], [1.0, 0.0, 1.0, 2.0], 0.5, "a place where both densities are zero"),
        case([1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, 3.0], 0.5, "densities that do not overlap"),
        case(p, p.copy(), 0.5, "equal densities"),
    ]


def best(p: Array, q: Array) -> Array:
    both = p + q
    return np.asarray(np.where(both > 0, p / np.where(both > 0, both, 1.0), 0.5))


def relative(p: Array, m: Array) -> Array:
    """p · ln(p / m), 0 where p is."""
    ratio = np.where(p > 0, p, 1.0) / np.where(p > 0, m, 1.0)
    return np.asarray(p * np.log(ratio))


def divergence(p: Array, q: Array, dx: float) -> Any:
    m = (p + q) / 2
    return dx * (relative(p, m) + relative(q, m)).sum() / 2


def variant(
    D: Callable[[Array, Array], Any] = best,
    js: Callable[[Array, Array, float], Any] = divergence,
    handed: Callable[[Any, Any], Any] = lambda D, js: (D, js),
) -> Callable[..., Any]:
    """The two results with one of them exchanged."""

    def answer(p_real: Array, p_fake: Array, dx: float) -> Any:
        with np.errstate(all="ignore"):
            return handed(D(p_real, p_fake), js(p_real, p_fake, dx))

    return answer


def unguarded(p: Array, q: Array, dx: float) -> Any:
    m = (p + q) / 2
    return dx * (p * np.log(p / m) + q * np.log(q / m)).sum() / 2


def where_both(p: Array, q: Array, dx: float) -> Any:
    both = (p > 0) & (q > 0)
    return divergence(p[both], q[both], dx)


def by_subtraction(p: Array, q: Array, dx: float) -> Any:
    """The fakes' half from 1 - D."""
    D, fake = best(p, q), q > 0
    return dx * (relative(p, (p + q) / 2).sum() + (q[fake] * np.log(2 * (1 - D[fake]))).sum()) / 2


def without(place: slice) -> Callable[[Array, Array, float], Any]:
    return lambda p, q, dx: divergence(p[place], q[place], dx)


def somebody(p: Array, q: Array) -> NDArray[np.bool_]:
    """Where at least one of the densities is not 0."""
    return np.asarray((p + q) > 0)


def with_guard(guard: float) -> Callable[[Array, Array, float], Any]:
    def js(p: Array, q: Array, dx: float) -> Any:
        m = (p + q) / 2
        return dx * (p * np.log((p + guard) / (m + guard)) + q * np.log((q + guard) / (m + guard))).sum() / 2

    return js


def divided_by_more(guard: float) -> Callable[..., Any]:
    return variant(D=lambda p, q: p / (p + q + guard))


def trapezoid(p: Array, q: Array, dx: float) -> Any:
    m = (p + q) / 2
    heights = (relative(p, m) + relative(q, m)) / 2
    return dx * (heights[1:] + heights[:-1]).sum() / 2


def value_of_the_game(p: Array, q: Array, dx: float) -> Any:
    """V of the best discriminator: 2 JS - 2 ln 2."""
    D = best(p, q)
    return dx * (relative(p, p / np.where(D > 0, D, 1)) + relative(q, q / np.where(D < 1, 1 - D, 1))).sum()


OPTIMAL_DISCRIMINATOR = Exercise(
    id="gans.optimal_discriminator",
    kind="function",
    title="The best discriminator there is",
    points=3,
    minutes=18,
    difficulty=2,
    function="optimal_discriminator",
    reference=optimal_discriminator,
    alternatives=(optimal_by_loop, optimal_by_scipy),
    inputs=density_inputs,
    returns=("D", "js"),
    blame=("D", "js"),
    wrong=(
        Wrong(
            "probability-of-fake",
            variant(D=lambda p, q: best(q, p)),
            "`js` is right. Your `D` is near 1 where *fakes* are likely. Of which kind should it give the probability?",
        ),
        Wrong(
            "ratio-of-densities",
            variant(D=lambda p, q: p / q),
            "`js` is right. Your `D` is the ratio of the two densities, which can be larger than 1. Of all samples that fall in a place, which share is real?",
        ),
        Wrong(
            "logit-for-probability",
            variant(D=lambda p, q: np.log(p) - np.log(q)),
            "`js` is right. Your `D` is the logarithm of the densities' ratio, the logit of the best discriminator. What turns it into a probability?",
        ),
        Wrong(
            "mean-for-sum",
            variant(D=lambda p, q: 2 * best(p, q)),
            "`js` is right. Your `D` divides by the *mean* of the two densities and goes up to 2. By what is a share divided?",
        ),
        Wrong(
            "hard-decision",
            variant(D=lambda p, q: np.where(p > q, 1.0, np.where(p < q, 0.0, 0.5))),
            "`js` is right. Your `D` decides for the likelier kind, with certainty. How sure can it be where both kinds occur?",
        ),
        Wrong(
            "sigmoid-of-the-difference",
            variant(D=lambda p, q: 1 / (1 + np.exp(q - p))),
            "`js` is right. Your `D` is the sigmoid of the *difference* of the densities. In a place that hardly any sample reaches, but only real ones do, what should D say?",
        ),
        Wrong(
            "difference",
            variant(D=lambda p, q: p - q),
            "`js` is right. Your `D` is the difference of the densities, which can be negative. Of all samples that fall in a place, which share is real?",
        ),
        Wrong(
            "zero-by-zero",
            variant(D=lambda p, q: p / (p + q)),
            "Right, except where both densities are zero: there you divide 0 by 0. What does the task ask for in such a place?",
        ),
        Wrong(
            "zero-by-zero-throughout",
            variant(D=lambda p, q: p / (p + q), js=unguarded),
            "`D` is right, except where both densities are zero: there you divide 0 by 0, and the task names a value. `js` is nan wherever a density is 0: what is 0 · ln 0 to be?",
        ),
        Wrong(
            "zero-where-neither",
            variant(D=lambda p, q: np.where(somebody(p, q), best(p, q), 0.0)),
            "Right, except where both densities are zero: there your `D` is 0. What does the task ask for in such a place?",
        ),
        Wrong(
            "one-where-neither",
            variant(D=lambda p, q: np.where(somebody(p, q), best(p, q), 1.0)),
            "Right, except where both densities are zero: there your `D` is 1. What does the task ask for in such a place?",
        ),
        *(
            Wrong(
                f"guard-added-{guard:g}",
                divided_by_more(guard),
                f"`js` is right. In `D`, {guard:g} is added to the sum of the densities, so far out, where both are smaller than that, D is near 0 whichever is larger. "
                "Only one case needs care: which?",
            )
            for guard in (1e-6, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)
        ),
        *(
            Wrong(
                f"neither-below-{bound:g}",
                variant(D=lambda p, q, bound=bound: np.where(p + q > bound, best(p, q), 0.5)),  # type: ignore[misc]
                "Right, except where both densities are small: there your `D` is 1/2, as if they were 0. Which kind is the likelier far out, where one density is 1e-200 and the other 1e-202?",
            )
            for bound in (1e-8, 1e-10, 1e-12)
        ),
        Wrong(
            "half-where-no-real-ones",
            variant(D=lambda p, q: np.where(p > 0, best(p, q), 0.5)),
            "Right, except where the density of the real samples is zero: there your `D` is 1/2, whatever the fakes do. How likely is a sample real in a place that only fakes reach?",
        ),
        Wrong(
            "half-where-no-fakes",
            variant(D=lambda p, q: np.where(q > 0, best(p, q), 0.5)),
            "Right, except where the density of the fakes is zero: there your `D` is 1/2, whatever the real samples do. How likely is a sample real in a place that no fake reaches?",
        ),
        Wrong(
            "kullback-leibler",
            variant(js=lambda p, q, dx: dx * relative(p, q).sum()),
            "`D` is right. Your `js` compares the real density with the *fake* one, which is infinite where fakes never come. With which third density does the formula compare both?",
        ),
        Wrong(
            "kullback-leibler-turned-round",
            variant(js=lambda p, q, dx: dx * relative(q, p).sum()),
            "`D` is right. Your `js` compares the fake density with the *real* one, which is infinite where real samples never come. With which third density does the formula compare both?",
        ),
        Wrong(
            "jeffreys",
            variant(js=lambda p, q, dx: dx * (relative(p, q) + relative(q, p)).sum() / 2),
            "`D` is right. Your `js` compares the two densities with each other, both ways, and is infinite where only one of them is zero. With which third density does the formula compare them?",
        ),
        Wrong(
            "jeffreys-not-halved",
            variant(js=lambda p, q, dx: dx * (relative(p, q) + relative(q, p)).sum()),
            "`D` is right. Your `js` is the sum of the two divergences between the densities, infinite where only one of them is zero. With which third density does the formula compare them?",
        ),
        Wrong(
            "not-halved",
            variant(js=lambda p, q, dx: 2 * divergence(p, q, dx)),
            "`D` is right. Your `js` is twice the one asked for: up to 2 ln 2. Which factor stands in front of the two sums?",
        ),
        Wrong(
            "quartered",
            variant(js=lambda p, q, dx: divergence(p, q, dx) / 2),
            "`D` is right. Your `js` is half of the one asked for. How often do you halve, and how often does the formula?",
        ),
        Wrong(
            "real-half-alone",
            variant(js=lambda p, q, dx: dx * relative(p, (p + q) / 2).sum() / 2),
            "`D` is right. Your `js` has the real half only. Which term does the fake density add?",
        ),
        Wrong(
            "real-part-alone",
            variant(js=lambda p, q, dx: dx * relative(p, (p + q) / 2).sum()),
            "`D` is right. Your `js` compares the real density with the mean, and leaves out the fake one. Which two numbers are averaged?",
        ),
        Wrong(
            "fake-half-alone",
            variant(js=lambda p, q, dx: dx * relative(q, (p + q) / 2).sum() / 2),
            "`D` is right. Your `js` has the fake half only. Which term does the real density add?",
        ),
        Wrong(
            "fake-part-alone",
            variant(js=lambda p, q, dx: dx * relative(q, (p + q) / 2).sum()),
            "`D` is right. Your `js` compares the fake density with the mean, and leaves out the real one. Which two numbers are averaged?",
        ),
        Wrong(
            "sum-for-mean",
            variant(js=lambda p, q, dx: divergence(p, q, dx) - np.log(2) * dx * (p + q).sum() / 2),
            "`D` is right. Your `js` is ln 2 too small: both densities are divided by their *sum*. What is m?",
        ),
        Wrong(
            "value-of-the-game",
            variant(js=value_of_the_game),
            "`D` is right. Your `js` is the best discriminator's value of the game, which is negative. How is JS obtained from it?",
        ),
        Wrong(
            "loss-of-the-discriminator",
            variant(js=lambda p, q, dx: -value_of_the_game(p, q, dx)),
            "`D` is right. Your `js` is the best discriminator's *loss*, which is largest where the densities agree. What is JS for equal densities?",
        ),
        Wrong(
            "negative",
            variant(js=lambda p, q, dx: -divergence(p, q, dx)),
            "`D` is right. Your `js` has the opposite sign. Which of p and m stands on top in the logarithm?",
        ),
        Wrong(
            "root",
            variant(js=lambda p, q, dx: np.sqrt(np.maximum(divergence(p, q, dx), 0))),
            "`D` is right. Your `js` is the square root of the divergence, the *distance*, which is what SciPy's `jensenshannon` gives. How do you get back?",
        ),
        Wrong(
            "in-bits",
            variant(js=lambda p, q, dx: divergence(p, q, dx) / np.log(2)),
            "`D` is right. Your `js` is in bits. How large can it become at most in nats, the unit asked for?",
        ),
        Wrong(
            "spacing-forgotten",
            variant(js=lambda p, q, dx: divergence(p, q, 1.0)),
            "`D` is right. Your `js` does not depend on `dx`: the same densities on a finer grid would be further apart. What does a sum over a grid need to stand for an integral?",
        ),
        Wrong(
            "spacing-divides",
            variant(js=lambda p, q, dx: divergence(p, q, 1 / dx)),
            "`D` is right. Your `js` is divided by `dx`. How wide is the strip that each place of the grid stands for?",
        ),
        Wrong(
            "mean-over-the-grid",
            variant(js=lambda p, q, dx: divergence(p, q, 1 / len(p))),
            "`D` is right. Your `js` takes the mean over the grid. How wide is the strip that each place of the grid stands for?",
        ),
        Wrong(
            "trapezoid",
            variant(js=trapezoid),
            "`D` is right. Your `js` is an integral by trapezoids, in which the first and the last place count half. What does the formula do with each place?",
        ),
        Wrong(
            "first-place-left-out",
            variant(js=without(slice(1, None))),
            "`D` is right. Your `js` leaves out the first place of the grid. Which places does the formula's sum run over?",
        ),
        Wrong(
            "last-place-left-out",
            variant(js=without(slice(-1))),
            "`D` is right. Your `js` leaves out the last place of the grid. Which places does the formula's sum run over?",
        ),
        Wrong(
            "one-minus-d",
            variant(js=by_subtraction),
            "`D` is right. Your `js` takes the fakes' share from 1 - D, which is 0 in a float where D is nearly 1: the logarithm becomes -inf. How do you get q / (p + q) without subtracting?",
        ),
        Wrong(
            "total-variation",
            variant(js=lambda p, q, dx: dx * np.abs(p - q).sum() / 2),
            "`D` is right. Your `js` is the total variation, half of the sum of |p - q|. Where do logarithms come in?",
        ),
        Wrong(
            "hellinger",
            variant(js=lambda p, q, dx: dx * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2),
            "`D` is right. Your `js` is the squared Hellinger distance, made from roots. Where do logarithms come in?",
        ),
        Wrong(
            "zero-times-infinity",
            variant(js=unguarded),
            "`D` is right, and `js` where no density is zero. Elsewhere it is nan: 0 · ln 0 comes out as 0 times infinity. What does the formula count it as?",
        ),
        Wrong(
            "only-where-both",
            variant(js=where_both),
            "`D` is right. Your `js` leaves out each place where *one* of the densities is zero, and with it what tells them apart best. Which of the two terms is 0 there, and which is not?",
        ),
        *(
            Wrong(
                f"guard-in-the-logarithm-{guard:g}",
                variant(js=with_guard(guard)),
                f"`D` is right. {guard:g} is added to both densities within the logarithms of `js`, so it comes out a little wrong. Only a density of exactly 0 needs care: what is its term?",
            )
            for guard in (1e-3, 1e-4, 1e-5, 1e-6)
        ),
        Wrong(
            "exchanged",
            variant(handed=lambda D, js: (js, D)),
            "The two results are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "discriminator-alone",
            variant(handed=lambda D, js: D),
            "You hand back `D` alone. Which second result does the task ask for?",
        ),
        Wrong(
            "divergence-alone",
            variant(handed=lambda D, js: js),
            "You hand back the divergence alone. Which other result does the task ask for?",
        ),
    ),
    hints=(
        "At one place of the grid, real samples fall with density p and fakes with density q, and there are as many of one kind as of the other. A sample lies there: how likely is it real?",
        "D = p / (p + q), and 1/2 where p + q is 0. For JS: m = (p + q) / 2, the sum of p ln(p / m) over the grid, the same for q, half of each, times dx. Where p is 0, its term is 0.",
        "`real = p_real > 0`, then `np.sum(p_real[real] * np.log(p_real[real] / m[real]))` is the first sum; the second looks the same. `np.divide(a, b, out=..., where=...)` leaves alone what `where` leaves out.",
    ),
    unlocks="No network can beat this D. What it earns is what the generator minimizes.",
)  # fmt: skip
