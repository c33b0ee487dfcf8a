"""Peak signal-to-noise ratio: the error of a picture on a scale of decibels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def psnr(image: Array, reference: Array, peak: float = 1.0) -> Any:
    error = np.mean((image.astype(float) - reference.astype(float)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(peak**2 / error)


def psnr_by_root(image: Array, reference: Array, peak: float = 1.0) -> Any:
    rmse = np.linalg.norm(image.astype(float) - reference) / math.sqrt(image.size)
    with np.errstate(divide="ignore"):
        return 20 * np.log10(peak) - 20 * np.log10(rmse)


def psnr_by_loop(image: Array, reference: Array, peak: float = 1.0) -> Any:
    pairs = list(zip(image.ravel().tolist(), reference.ravel().tolist(), strict=True))
    total = math.fsum((a - b) ** 2 for a, b in pairs)
    return math.inf if not total else 10 * math.log10(peak * peak * len(pairs) / total)


def psnr_inputs(rng: np.random.Generator) -> list[Case]:
    def case(shape: tuple[int, ...], noise: float, peak: float | None, label: str = "") -> Case:
        scale = peak or 1.0
        reference = scale * rng.uniform(0.05, 0.95, size=shape)
        image = reference + scale * noise * rng.normal(size=shape)
        return Case((image, reference, *([] if peak is None else [peak])), label)

    bytes_ = rng.integers(0, 256, size=(2, 4, 5)).astype(np.uint8)
    near = np.clip(bytes_[1].astype(int) + rng.integers(-9, 10, size=(4, 5)), 0, 255).astype(np.uint8)
    near[0, 0], bytes_[1, 0, 0] = 200, 220  # darker in one place at least
    same = rng.uniform(size=(3, 3))
    black = np.zeros((3, 4))
    eighths = rng.integers(4, 8, size=(3, 4)) / 8
    nearly = eighths + rng.choice([-1, 1], size=(3, 4)) * 2.0**-21  # both fit into float32 without rounding
    six_bits = rng.integers(0, 64, size=(2, 3, 4)).astype(np.uint8)
    return [
        Case((np.array([[0.5, 0.7]]), np.array([[0.4, 0.6]]))),
        case((4, 5), 0.1, 2.0),
        case((3, 4, 4), 0.05, 255.0),
        case((6, 3), 0.2, None),
        case((2, 3, 4), 0.08, 0.5),
        case((4, 4), 2.0, 1.0, "an image of noise"),
        Case((same, same.copy(), 2.0), "two equal images"),
        Case((0.1 * rng.uniform(size=(3, 4)), black, 1.0), "a black reference"),
        Case((near, bytes_[1], 255), "images of bytes (uint8)"),
        Case((bytes_[0], bytes_[1], 255), "images of bytes (uint8) that differ much"),
        Case((six_bits[0], six_bits[1], 63), "images of bytes (uint8) with another peak than 255"),
        Case((nearly, eighths, 1.0), "two images that are nearly equal"),
    ]


def mse(image: Array, reference: Array) -> Any:
    return np.mean((image.astype(float) - reference.astype(float)) ** 2)


def variant(
    error: Callable[[Array, Array], Any] = mse,
    power: Callable[[Array, Array, float], Any] = lambda image, reference, peak: peak**2,
    decibels: Callable[[Any, Any], Any] = lambda power, error: 10 * np.log10(power / error),
    no_error: float | None = math.inf,
) -> Callable[..., Any]:
    """The ratio with one part exchanged; ``no_error`` is said of equal images, None leaves it to the formula."""

    def answer(image: Array, reference: Array, peak: float = 1.0) -> Any:
        if no_error is not None and np.array_equal(image, reference):
            return no_error
        with np.errstate(all="ignore"):
            return decibels(power(image, reference, peak), error(image, reference))

    return answer


def with_another_default(image: Array, reference: Array, peak: float = 255.0) -> Any:
    return psnr(image, reference, peak)


def guarded(guard: float) -> Callable[..., Any]:
    return variant(decibels=lambda power, error: 10 * np.log10(power / (error + guard)), no_error=None)


def squares_of_bytes(image: Array, reference: Array) -> Any:
    return np.mean((image - reference) ** 2)


def in_two_bytes(image: Array, reference: Array) -> Any:
    if image.dtype != np.uint8:
        return mse(image, reference)
    return np.mean((image.astype(np.int16) - reference.astype(np.int16)) ** 2)


def of_scaled_bytes(image: Array, reference: Array) -> Any:
    return mse(image, reference) / (255.0**2 if image.dtype == np.uint8 else 1)


def equal_if_close(image: Array, reference: Array, peak: float = 1.0) -> Any:
    return math.inf if mse(image, reference) < 1e-12 else psnr(image, reference, peak)


def mean_over_channels(power: Any, squares: Array) -> Any:
    return np.mean(10 * np.log10(power / squares.mean(axis=(-2, -1))))


def wrapped_differences(image: Array, reference: Array) -> Any:
    return np.mean((image - reference).astype(float) ** 2)


PSNR = Exercise(
    id="gans.psnr",
    kind="function",
    title="An error in decibels",
    points=1,
    minutes=10,
    difficulty=1,
    function="psnr",
    reference=psnr,
    alternatives=(psnr_by_root, psnr_by_loop),
    inputs=psnr_inputs,
    forbid=("dlcourse.metrics", "skimage"),
    wrong=(
        Wrong(
            "peak-not-squared",
            variant(power=lambda image, reference, peak: peak),
            "`peak` stands over the mean *squared* error without being squared, which is right only for a peak of 1. In which unit are the two then?",
        ),
        Wrong(
            "peak-ignored",
            variant(power=lambda image, reference, peak: 1.0),
            "`peak` has no effect: your result is that for pixels from 0 to 1. Where does it stand in the formula?",
        ),
        Wrong(
            "peak-always-255",
            variant(power=lambda image, reference, peak: 255.0**2),
            "`peak` has no effect: you always take 255, as for bytes. Which peak do pixels from 0 to 1 have?",
        ),
        Wrong(
            "bytes-always-255",
            variant(power=lambda image, reference, peak: 255.0**2 if image.dtype == np.uint8 else peak**2),
            "Right, except for bytes whose peak is not 255, which you take for 255 all the same. Which argument says how bright a pixel can be?",
        ),
        Wrong(
            "bytes-scaled-and-not-the-peak",
            variant(error=of_scaled_bytes),
            "Right, except for bytes: you divide them by 255, and the peak stays what it was. In which unit are the two then?",
        ),
        Wrong(
            "default-of-255",
            with_another_default,
            "Right, where the call says which peak it wants. Called as `psnr(image, reference)`, yours takes 255. Which default value does the task ask for?",
        ),
        Wrong(
            "brightest-pixel-of-the-reference",
            variant(power=lambda image, reference, peak: np.max(reference).astype(float) ** 2),
            "You take the brightest pixel that occurs in the reference, so the result depends on what is in the picture. Which argument says how bright a pixel *can* be?",
        ),
        Wrong(
            "brightest-pixel-of-the-image",
            variant(power=lambda image, reference, peak: np.max(image).astype(float) ** 2),
            "You take the brightest pixel that occurs in the image, so one bright fault makes it look better. Which argument says how bright a pixel *can* be?",
        ),
        Wrong(
            "range-of-the-reference",
            variant(power=lambda image, reference, peak: np.ptp(reference.astype(float)) ** 2),
            "You take the range from the darkest to the brightest pixel of the reference. Which argument says how bright a pixel *can* be?",
        ),
        Wrong(
            "signal-to-noise-ratio",
            variant(power=lambda image, reference, peak: np.mean(reference.astype(float) ** 2)),
            "That is the signal-to-noise ratio, with the mean square of the reference on top. What stands there in the *peak* signal-to-noise ratio?",
        ),
        Wrong(
            "variance-on-top",
            variant(power=lambda image, reference, peak: np.var(reference.astype(float))),
            "The variance of the reference stands on top. What stands there in the *peak* signal-to-noise ratio?",
        ),
        Wrong(
            "negative",
            variant(decibels=lambda power, error: 10 * np.log10(error / power)),
            "Your result has the opposite sign: the better the image, the smaller it is. What stands on top of the fraction?",
        ),
        Wrong(
            "in-bels",
            variant(decibels=lambda power, error: np.log10(power / error)),
            "Your result is in bels. How many *deci*bels are one bel?",
        ),
        Wrong(
            "factor-20",
            variant(decibels=lambda power, error: 20 * np.log10(power / error)),
            "The factor 20 belongs to a ratio of sizes; your ratio is one of squares, so the result is twice too large. Which factor belongs to squares?",
        ),
        Wrong(
            "factor-10-of-roots",
            variant(decibels=lambda power, error: 10 * np.log10(np.sqrt(power / error))),
            "The factor 10 belongs to a ratio of squares; yours is one of sizes, peak to root-mean-square error, so the result is half of the right one. Which factor, or which ratio, do you need?",
        ),
        Wrong(
            "root-under-the-square",
            variant(decibels=lambda power, error: 10 * np.log10(power / np.sqrt(error))),
            "The peak is squared, and the error is not: you take its root. In which unit are the two then?",
        ),
        Wrong(
            "factor-20-peak-over-squares",
            variant(decibels=lambda power, error: 20 * np.log10(np.sqrt(power) / error)),
            "With the factor 20 the peak itself stands on top, and below it the mean *squared* error. Which root is missing?",
        ),
        Wrong(
            "natural-logarithm",
            variant(decibels=lambda power, error: 10 * np.log(power / error)),
            "Your logarithm is the natural one. By which factor of the error are 10 decibels defined?",
        ),
        Wrong(
            "base-two",
            variant(decibels=lambda power, error: 10 * np.log2(power / error)),
            "Your logarithm has base 2. By which factor of the error are 10 decibels defined?",
        ),
        Wrong(
            "logarithm-forgotten",
            variant(decibels=lambda power, error: 10 * power / error),
            "You hand back ten times the ratio itself. What brings ratios from 1 to a million onto a scale from 0 to 60?",
        ),
        Wrong(
            "absolute-error",
            variant(error=lambda image, reference: np.mean(np.abs(image.astype(float) - reference))),
            "Your error is the mean *absolute* difference. Which mean does the formula take?",
        ),
        Wrong(
            "absolute-error-squared",
            variant(error=lambda image, reference: np.mean(np.abs(image.astype(float) - reference)) ** 2),
            "You average absolute differences and square the mean. Which comes first in the formula?",
        ),
        Wrong(
            "mean-difference-squared",
            variant(error=lambda image, reference: np.mean(image.astype(float) - reference) ** 2),
            "You average the differences and square the mean, so that bright faults make up for dark ones. Which comes first?",
        ),
        Wrong(
            "summed",
            variant(error=lambda image, reference: np.sum((image.astype(float) - reference) ** 2)),
            "You sum the squares, so a larger picture looks worse. By what should the sum be divided?",
        ),
        Wrong(
            "rows-counted",
            variant(error=lambda image, reference: np.sum((image.astype(float) - reference) ** 2) / len(image)),
            "You divide the sum of squares by the length of the first axis. How many numbers does an image hold?",
        ),
        Wrong(
            "mean-of-ratios",
            variant(error=lambda image, reference: (image.astype(float) - reference) ** 2,
                    decibels=lambda power, error: np.mean([10 * np.log10(power / np.mean(row)) for row in error])),
            "You compute decibels for each entry of the first axis and average those. Which comes first: the mean of the squares or the logarithm?",
        ),
        Wrong(
            "mean-over-channels",
            variant(error=lambda image, reference: (image.astype(float) - reference) ** 2, decibels=mean_over_channels),
            "Right for images without channels. With channels you compute decibels for each and average those. Which comes first: the mean of the squares or the logarithm?",
        ),
        Wrong(
            "two-axes-counted",
            variant(error=lambda image, reference: np.sum((image.astype(float) - reference) ** 2) / math.prod(image.shape[:2])),
            "Right for images with two axes. With three you divide the sum of squares by the lengths of the first two alone. How many numbers does an image hold?",
        ),
        Wrong(
            "length-over-size",
            variant(error=lambda image, reference: np.linalg.norm(image.astype(float) - reference) / image.size),
            "You divide the *length* of the difference by the number of entries, and the length is a root of a sum of squares. What is missing before dividing?",
        ),
        Wrong(
            "clipped",
            lambda image, reference, peak=1.0: psnr(np.clip(image, 0, peak), reference, peak),
            "You clip the image to the range from 0 to the peak first, which hides a part of its error. Does the formula have such a step?",
        ),
        Wrong(
            "largest-error",
            variant(error=lambda image, reference: np.max((image.astype(float) - reference) ** 2)),
            "Your error is the largest squared difference. Which error of all pixels does the formula take?",
        ),
        Wrong(
            "variance-of-the-difference",
            variant(error=lambda image, reference: np.var(image.astype(float) - reference)),
            "Your error is the *variance* of the differences, so a picture that is too bright all over has none. From what are the squares to be measured?",
        ),
        Wrong(
            "one-added",
            variant(decibels=lambda power, error: 10 * np.log10(1 + power / error)),
            "You add 1 to the ratio within the logarithm, so the result cannot become negative. Does the formula have it?",
        ),
        Wrong(
            "bytes-wrap",
            variant(error=squares_of_bytes),
            "Right, except for bytes: their differences and squares stay bytes, and 200 - 220 comes out as 236. Into which type should the images be turned first?",
        ),
        Wrong(
            "differences-wrap",
            variant(error=wrapped_differences),
            "Right, except for bytes: their differences are bytes, too, and 200 - 220 comes out as 236. What should become a float, the difference or the images?",
        ),
        Wrong(
            "squares-in-two-bytes",
            variant(error=in_two_bytes),
            "Right, except for bytes that differ much: the squares of their differences stay int16, which ends at 32767. What is the largest square of a difference of two bytes?",
        ),
        Wrong(
            "nearly-equal-for-equal",
            equal_if_close,
            "Right, except for images that are nearly equal, for which you hand back infinity (`np.allclose`, or a bound on the error). For which error alone does the task ask for it?",
        ),
        *(
            Wrong(
                f"equal-images-{number:g}",
                variant(no_error=number),
                f"Right, except for equal images, for which you hand back {number:g}. What does the ratio go to as the error goes to 0, and what does the task ask for?",
            )
            for number in (100.0, 0.0, 99.0, -math.inf)
        ),
        Wrong(
            "nan-for-equal-images",
            variant(no_error=math.nan),
            "Right, except for equal images, for which you hand back nan. What does the ratio go to as the error goes to 0, and what does the task ask for?",
        ),
        *(
            Wrong(
                f"guard-added-{guard:g}",
                guarded(guard),
                f"{guard:g} is added to the error, so equal images get a number that says more about it than about them. What does the task ask for there?",
            )
            for guard in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
        ),
    ),
    hints=(
        "Begin with the mean of the squared differences, over all pixels and channels.",
        "10 times the logarithm, to base 10, of peak squared over that mean. And before you subtract: what type are the images, and what if the mean is 0?",
        "`error = np.mean((image.astype(float) - reference.astype(float)) ** 2)`, and `10 * np.log10(peak**2 / error)` unless the error is 0.",
    ),
    unlocks="Ten times the squared error costs 10 dB, whatever the picture.",
)  # fmt: skip
