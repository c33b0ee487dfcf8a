"""How large an output is, and how far a network sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

# --- convolutional_networks.output_size ---------------------------------------------------------------------------


def output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    return (size + 2 * padding - kernel_size) // stride + 1


def output_size_by_counting(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> Any:
    return len(range(-padding, size + padding - kernel_size + 1, stride))


def output_size_by_walking(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> Any:
    places, end = 0, kernel_size
    while end <= size + 2 * padding:
        places, end = places + 1, end + stride
    return float(places)


def size_inputs(rng: np.random.Generator) -> list[Case]:
    stride = int(rng.integers(2, 4))
    free = int(rng.integers(7, 11)) * stride + 1  # one more than the stride divides
    return [
        Case((7, 3)),
        Case((10, 3, 2, 1)),
        Case((8, 3, 1, 1)),
        Case((32, 5, 1, 0)),
        Case((12, 5, 3, 2)),
        Case((free + 4 - 2, 4, stride, 1)),
        Case((9, 2, 4, 0)),
        Case((11, 4, 1, 1)),
        Case((28, 5, 1, 2), "an output as large as the input"),
        Case((6, 3, 1, 2), "an output larger than the input"),
        Case((5, 5, 1, 0), "a kernel as large as the image"),
        Case((6, 1, 2, 0), "a kernel of one pixel"),
        Case((224, 7, 2, 3), "the first layer of ResNet"),
        Case((3, 2, 5, 0), "a stride longer than the image"),
        Case((2, 4, 1, 1), "a kernel that fits only thanks to the padding"),
    ]


def places(rule: Callable[[int, int, int, int], Any]) -> Callable[..., Any]:
    """An answer by this rule of size, kernel size, stride and padding."""

    def answer(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> Any:
        return rule(size, kernel_size, stride, padding)

    answer.__name__ = "output_size"
    return answer


def moving_like_a_pooling(size: int, kernel_size: int, stride: int | None = None, padding: int = 0) -> int:
    return (size + 2 * padding - kernel_size) // (stride or kernel_size) + 1


OUTPUT_SIZE = Exercise(
    id="convolutional_networks.output_size",
    kind="function",
    title="How large is the output?",
    points=1,
    minutes=5,
    difficulty=1,
    function="output_size",
    reference=output_size,
    alternatives=(output_size_by_counting, output_size_by_walking),
    inputs=size_inputs,
    wrong=(
        Wrong(
            "rounded-up",
            places(lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1),
            "You round up: the last window hangs over the edge. When the stride does not divide evenly, what happens to the pixels that are left over?",
        ),
        Wrong(
            "rounded-to-the-nearest",
            places(lambda n, k, s, p: round((n + 2 * p - k) / s + 1)),
            "You round to the nearest whole number. Does a window count that fits in only half?",
        ),
        Wrong(
            "steps-rounded-to-the-nearest",
            places(lambda n, k, s, p: round((n + 2 * p - k) / s) + 1),
            "You round the number of steps to the nearest whole number. Can a window take a step that is only half there?",
        ),
        Wrong(
            "not-rounded",
            places(lambda n, k, s, p: (n + 2 * p - k) / s + 1),
            "The formula is right, but where the stride does not divide evenly your result is a fraction. How many *whole* steps can the window take?",
        ),
        Wrong(
            "starting-place-forgotten",
            places(lambda n, k, s, p: (n + 2 * p - k) // s),
            "You count the steps that the window takes, one too few. How many places does a window have that takes 2 steps?",
        ),
        Wrong(
            "one-added-before-dividing",
            places(lambda n, k, s, p: (n + 2 * p - k + 1) // s),
            "The 1 is added before the division, so it is divided too. With a stride of 2 and a window that fits exactly once, what does yours give?",
        ),
        Wrong(
            "padding-on-one-side",
            places(lambda n, k, s, p: (n + p - k) // s + 1),
            "You count the padding once. On how many sides of a row does it lie?",
        ),
        Wrong(
            "padding-added-to-the-places",
            places(lambda n, k, s, p: (n - k) // s + 1 + 2 * p),
            "The padding is added to the number of places, not to the length of the row. With a stride of 2, how many more places do two more pixels give?",
        ),
        Wrong(
            "padding-ignored",
            places(lambda n, k, s, p: (n - k) // s + 1),
            "Your result does not know of the padding. By how many pixels does `padding=1` make a row longer?",
        ),
        Wrong(
            "padding-subtracted",
            places(lambda n, k, s, p: (n - 2 * p - k) // s + 1),
            "Your padding makes the row shorter. Does it add pixels or take some away?",
        ),
        Wrong(
            "stride-ignored",
            places(lambda n, k, s, p: n + 2 * p - k + 1),
            "Your window moves by single pixels, whatever `stride` is. How often can it move by `stride` before it reaches the end?",
        ),
        Wrong(
            "kernel-ignored",
            places(lambda n, k, s, p: (n + 2 * p) // s),
            "Your result does not know of the kernel's size. May a window begin at the last pixel of the row?",
        ),
        Wrong(
            "kernel-ignored-but-counted-from-one",
            places(lambda n, k, s, p: (n + 2 * p - 1) // s + 1),
            "Your result is that of a kernel of one pixel, whatever `kernel_size` is. Where does the last window begin that still fits?",
        ),
        Wrong(
            "same-padding-assumed",
            places(lambda n, k, s, p: math.ceil(n / s)),
            "Your result is that of *same* padding, the size divided by the stride. Which of the four arguments does it not depend on?",
        ),
        Wrong(
            "size-divided-by-the-stride",
            places(lambda n, k, s, p: n // s),
            "Your result is the size divided by the stride. How does it change when the kernel grows, and how when the padding does?",
        ),
        Wrong(
            "last-place-missing",
            places(lambda n, k, s, p: -(-(n + 2 * p - k) // s)),
            "A window that ends exactly with the row is missing. How many places does a window of 3 have in a row of 3 pixels, and is that `<` or `<=`?",
        ),
        Wrong(
            "half-a-kernel-taken-off",
            places(lambda n, k, s, p: (n + 2 * p - k // 2) // s + 1),
            "You take off half a kernel. The first window covers pixels 0 to k - 1: where does the last one begin, and how much of the row is out of reach for a beginning?",
        ),
        Wrong(
            "odd-kernels-only",
            places(lambda n, k, s, p: (n + 2 * p - 2 * (k // 2) - 1) // s + 1),
            "Right for odd kernels; an even one counts as one pixel larger than it is. What is `2 * (k // 2) + 1` for a kernel of 4?",
        ),
        Wrong(
            "brackets-missing",
            places(lambda n, k, s, p: n + 2 * p - k // s + 1),
            "The stride divides the kernel's size only. Which does Python work out first in `a - b // c`, and round what do brackets belong?",
        ),
        Wrong(
            "brackets-missing-before-the-padding",
            places(lambda n, k, s, p: n - k + 2 * p // s + 1),
            "The stride divides the padding only. Which does Python work out first in `a + b // c`, and round what do brackets belong?",
        ),
        Wrong(
            "stride-of-a-pooling",
            moving_like_a_pooling,
            "Right where `stride` is given. Where it is left out, your window moves by its own size, as a pooling layer's does. Which default does the task give?",
        ),
        Wrong(
            "kernel-for-stride",
            places(lambda n, k, s, p: (n + 2 * p) // k),
            "You divide by the kernel's size, as if windows lay side by side. By how many pixels does the window move each time?",
        ),
    ),
    hints=(
        "Draw a row of 7 boxes and slide a window of 3 along it. Then lay a box of padding at both ends, and move by 2.",
        "The row has size + 2 · padding pixels. The window's first place is 0, its last one at most (that length - kernel_size). How many steps of `stride` fit in between, and how many places are that?",
        "`(size + 2 * padding - kernel_size) // stride + 1`.",
    ),
    unlocks="Most shape errors in a CNN are this one line.",
)

# --- convolutional_networks.receptive_field -----------------------------------------------------------------------


def receptive_field(layers: Any) -> int:
    field, jump = 1, 1  # jump: how far apart in the image two neighbors of this layer are
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def receptive_field_from_the_output(layers: Any) -> Any:
    field = 1
    for kernel_size, stride in reversed(layers):
        field = (field - 1) * stride + kernel_size
    return field


def receptive_field_by_marking(layers: Any) -> Any:
    """The pixels themselves: which ones does the first output see?"""
    seen = {0}
    for kernel_size, stride in layers[::-1]:
        seen = {stride * place + a for place in seen for a in range(kernel_size)}
    return np.int64(max(seen) - min(seen) + 1)


def field_inputs(rng: np.random.Generator) -> list[Case]:
    def some(count: int) -> list[tuple[int, int]]:
        layers = [(int(rng.integers(2, 6)), int(rng.integers(1, 4))) for _ in range(count - 2)]
        return [(3, 2), *layers, (5, 1)]

    return [
        Case(([(3, 2), (5, 1)],)),
        Case(([(3, 1), (2, 2), (3, 1), (2, 2)],)),
        Case((some(4),)),
        Case((some(5),)),
        Case(([(5, 3), (3, 2), (4, 2)],)),
        Case(([(3, 1)] * 4,), "layers without a stride"),
        Case(([(7, 2)],), "a single layer"),
        Case(([(3, 2), (1, 1), (3, 2), (1, 1), (3, 1)],), "kernels of one pixel among them"),
        Case(([(1, 2), (2, 3), (3, 1)],), "strides larger than the kernel"),
        Case(([(2, 2), (2, 2), (2, 2)],), "windows side by side"),
        Case(([],), "no layer at all"),
    ]


def fields(step: Callable[[int, int, int, int], tuple[int, int]], start: int = 1) -> Callable[[Any], Any]:
    """An answer that goes through the layers with a step (field, jump, kernel size, stride) -> (field, jump)."""

    def answer(layers: Any) -> Any:
        field, jump = start, 1
        for k, s in layers:
            field, jump = step(field, jump, k, s)
        return field

    answer.__name__ = "receptive_field"
    return answer


def back_carelessly(layers: Any) -> int:
    field = 1
    for k, s in reversed(layers):
        field = field * s + k - 1
    return field


def pixels_counted(layers: Any) -> int:
    """How many different places along a side count; strides larger than the kernel leave gaps."""
    seen = {0}
    for k, s in reversed(layers):
        seen = {s * place + a for place in seen for a in range(k)}
    return len(seen)


def one_stride_for_all(layers: Any) -> int:
    gaps, jump = 0, 1
    for k, s in layers:
        gaps, jump = gaps + k - 1, jump * s
    return 1 + gaps * jump


RECEPTIVE_FIELD = Exercise(
    id="convolutional_networks.receptive_field",
    kind="function",
    title="How far does a network see?",
    points=2,
    minutes=12,
    difficulty=2,
    function="receptive_field",
    reference=receptive_field,
    alternatives=(receptive_field_from_the_output, receptive_field_by_marking),
    inputs=field_inputs,
    wrong=(
        Wrong(
            "strides-ignored",
            fields(lambda r, j, k, s: (r + k - 1, j)),
            "You add k - 1 for each layer, whatever came before. Behind a layer with stride 2, how far apart in the *image* are two neighbors?",
        ),
        Wrong(
            "own-stride-too-early",
            fields(lambda r, j, k, s: (r + (k - 1) * j * s, j * s)),
            "Each layer's own stride already widens its own window. A layer's window lies on the layer in front: whose strides set those places apart?",
        ),
        Wrong(
            "last-stride-only",
            fields(lambda r, j, k, s: (r + (k - 1) * j, s)),
            "Only the stride of the layer directly in front counts. Behind two layers of stride 2, how far apart in the image are two neighbors?",
        ),
        Wrong(
            "strides-added",
            fields(lambda r, j, k, s: (r + (k - 1) * j, j + s)),
            "You add up the strides. Behind two layers of stride 2, two neighbors lie 4 pixels apart in the image; behind three?",
        ),
        Wrong(
            "whole-kernels-added",
            fields(lambda r, j, k, s: (r + k * j, j * s)),
            "Each layer adds its whole kernel. How much does a window of 3 see beyond the one pixel that a window of 1 would see?",
        ),
        Wrong(
            "kernels-summed",
            fields(lambda r, j, k, s: (r + k, j), start=0),
            "Your result is the sum of the kernel sizes. Two layers of 3 × 3 with stride 1: which pixels does one output see, counted on paper?",
        ),
        Wrong(
            "kernels-multiplied",
            fields(lambda r, j, k, s: (r * k, j)),
            "You multiply the kernel sizes, as if windows never overlapped. Two layers of 3 × 3 with stride 1: which pixels does one output see, counted on paper?",
        ),
        Wrong(
            "kernels-times-their-strides",
            fields(lambda r, j, k, s: (r + k * s, j), start=0),
            "You add up each kernel times its own stride. Through a single layer of 3 × 3 with stride 2 an output sees 3 pixels: what does yours say?",
        ),
        Wrong(
            "own-stride-for-the-gaps",
            fields(lambda r, j, k, s: (r + (k - 1) * s, j)),
            "Each layer adds k - 1 gaps of its *own* stride. A layer's window lies on the places of the layer in front: whose strides set those apart in the image?",
        ),
        Wrong(
            "field-times-the-stride",
            fields(lambda r, j, k, s: (r * s + k - 1, j)),
            "Going forward, you multiply the whole field so far by each stride. Does a stride widen what the layers before it see, or the gaps between the places that come after it?",
        ),
        Wrong(
            "starting-pixel-forgotten",
            fields(lambda r, j, k, s: (r + (k - 1) * j, j * s), start=0),
            "One pixel is missing. What does an output see through a single layer of 3 × 3, and what does yours say?",
        ),
        Wrong(
            "from-the-wrong-end",
            lambda layers: receptive_field(layers[::-1]),
            "Your result is right for the layers in reverse order. Which end of the list is the image's, and do you go forward with the rule that belongs to the way back?",
        ),
        Wrong(
            "largest-kernel",
            lambda layers: max((k for k, _ in layers), default=1),
            "Your result is the largest kernel. Through two layers one after the other, does an output not see farther than through one?",
        ),
        Wrong(
            "first-layer-only",
            lambda layers: layers[0][0] if layers else 1,
            "Your result is what one place of the *first* layer sees. What does a window over several such places see together?",
        ),
        Wrong(
            "area",
            lambda layers: receptive_field(layers) ** 2,
            "Your result is the number of pixels in the square. What does the task ask for, the area or the side?",
        ),
        Wrong(
            "pixels-counted",
            pixels_counted,
            "You count the pixels that matter. Where a stride is larger than its kernel, some in between do not, yet they lie inside the square: how far is it from the first to the last one that matters?",
        ),
        Wrong(
            "kernel-and-stride-exchanged",
            lambda layers: receptive_field([(s, k) for k, s in layers]),
            "Your result is right for pairs (stride, kernel_size). In which order do the two numbers of a pair come?",
        ),
        Wrong(
            "last-layer-left-out",
            lambda layers: receptive_field(layers[:-1]),
            "Your result is right for the list without its last layer. Does one number behind the last layer not look through that one, too?",
        ),
        Wrong(
            "first-layer-left-out",
            lambda layers: receptive_field(layers[1:]),
            "Your result is right for the list without its first layer. What do you begin with, and does the loop still meet that layer?",
        ),
        Wrong(
            "all-strides-for-all-layers",
            one_stride_for_all,
            "You multiply all gaps by the product of *all* strides. Does a stride also move apart the places that its own layer, and those before it, look at?",
        ),
        Wrong(
            "strides-of-poolings-only",
            fields(lambda r, j, k, s: (r + (k - 1) * j, j * s if k == s else j)),
            "Strides count for you only where they equal the kernel's size, as in pooling. How far apart in the image are two neighbors behind a layer (3, 2)?",
        ),
        Wrong(
            "half-to-both-sides",
            fields(lambda r, j, k, s: (r + 2 * (k // 2) * j, j * s)),
            "Right for odd kernels only: you add k // 2 to both sides. How many gaps lie between the 2 pixels of a kernel of 2?",
        ),
        Wrong(
            "strides-counted-from-1-and-added",
            fields(lambda r, j, k, s: (r + (k - 1) * j, j + s - 1)),
            "Your jump grows by s - 1 at each layer. Behind two layers of stride 2 two neighbors lie 4 pixels apart in the image: what does your sum say?",
        ),
        Wrong(
            "with-its-jump",
            lambda layers: (receptive_field(layers), math.prod(s for _, s in layers)),
            "You hand back two numbers, the field and the gap between neighbors. Which of them is asked for?",
        ),
        Wrong(
            "gap-for-field",
            lambda layers: math.prod(s for _, s in layers),
            "Your result is the product of the strides: how far apart in the image two neighbors lie. How far does one of them see?",
        ),
        Wrong(
            "both-sides",
            lambda layers: (receptive_field(layers),) * 2,
            "You hand back the side twice, once for each direction. It is a square: how many numbers are asked for?",
        ),
        Wrong(
            "back-without-taking-off-one",
            back_carelessly,
            "Going back from the output you multiply the whole field by the stride. r places at stride s span (r - 1) · s + 1 beginnings: how many *gaps* are there between r places?",
        ),
    ),
    hints=(
        "Take two layers of 3 × 3 with stride 1 and mark by hand what one output sees: first in the layer between, then in the image. Then give the first of them stride 2.",
        "Keep two numbers: the field so far, and how far apart in the image two neighbors of the present layer are (1 at the start). A kernel of k reaches over k - 1 such gaps.",
        "For each layer: `field += (kernel_size - 1) * jump`, and after that `jump *= stride`.",
    ),
    unlocks="You can now tell whether a network could see a whole digit at once, before training it.",
)
