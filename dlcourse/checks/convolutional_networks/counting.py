"""How many numbers a network learns."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

# The network is printed in the notebook: 3 channels of 32 × 32 pixels come in.
RIGHT = {
    "A": 3 * 16 * 5 * 5 + 16,  # Conv2d(3, 16, 5): 32 -> 28
    "B": 2 * 16,  # BatchNorm2d(16)
    "C": 0,  # MaxPool2d(2): 28 -> 14
    "D": 16 * 32 * 3 * 3,  # Conv2d(16, 32, 3, padding=1, bias=False): 14 -> 14, then pooled to 7
    "E": 32 * 7 * 7 * 10 + 10,  # Linear
}


PARAMETERS = Exercise(
    id="convolutional_networks.parameters",
    kind="value",
    title="How many numbers does it learn?",
    points=2,
    minutes=10,
    difficulty=1,
    function="parameter_counts",
    reference=RIGHT,
    inputs=lambda rng: [Case()],
    driver="value",
    wrong=(
        # --- A: Conv2d(3, 16, 5)
        Wrong(
            "a-without-biases",
            {"A": 3 * 16 * 25},
            "A: those are the kernels' numbers alone. What is added to each output channel, and how many of them are there?",
        ),
        Wrong(
            "a-without-input-channels",
            {"A": 16 * 25 + 16},
            "A: you count one 5 × 5 kernel for each output channel. On how many input channels does each of them look, with numbers of its own for each?",
        ),
        Wrong(
            "a-without-input-channels-and-biases",
            {"A": 16 * 25},
            "A: you count one 5 × 5 kernel for each output channel, and nothing else. On how many input channels does each of them look, and what is added behind the sum?",
        ),
        Wrong(
            "a-without-output-channels",
            {"A": 3 * 25 + 1},
            "A: that is what it takes for one output channel. How many of them are there?",
        ),
        Wrong(
            "a-bias-for-each-kernel",
            {"A": 3 * 16 * 25 + 3 * 16},
            "A: you count a bias for each pair of input and output channel. The formula adds the bias behind the sum over the input channels: how often?",
        ),
        Wrong(
            "a-bias-for-each-input",
            {"A": 3 * 16 * 25 + 3},
            "A: you count a bias for each *input* channel. To which channels are the biases added?",
        ),
        Wrong(
            "a-one-bias",
            {"A": 3 * 16 * 25 + 1},
            "A: you count a single bias for the whole layer. How many entries does `bias` have in `conv2d`?",
        ),
        Wrong(
            "a-kernel-of-five",
            {"A": 3 * 16 * 5 + 16},
            "A: your kernels have 5 numbers. `kernel_size=5` says how many rows *and* columns a kernel has: how many numbers is that?",
        ),
        Wrong(
            "a-for-each-pixel",
            {"A": (3 * 16 * 25 + 16) * 28 * 28},
            "A: you count the kernels anew for each output pixel. Does a convolution learn other numbers at each place of the image?",
        ),
        Wrong(
            "a-output-numbers",
            {"A": 16 * 28 * 28},
            "A: that is how many numbers come *out* of the layer for one image. Which numbers does it learn?",
        ),
        Wrong(
            "a-as-a-linear-layer",
            {"A": 3 * 32 * 32 * 16 + 16},
            "A: that is what a linear layer from all pixels to 16 numbers would take. How many pixels does one kernel see?",
        ),
        # --- B: BatchNorm2d(16)
        Wrong(
            "b-with-running-statistics",
            {"B": 4 * 16},
            "B: you count the running means and variances too. Are they learned by gradient descent, or measured along the way?",
        ),
        Wrong(
            "b-everything-stored",
            {"B": 4 * 16 + 1},
            "B: that is all the layer's `state_dict` holds: running means and variances, and a counter of batches, too. Which of these numbers get a gradient?",
        ),
        Wrong(
            "b-scale-only",
            {"B": 16},
            "B: you count one number for each channel. Batch norm multiplies by γ, and what does it do after that?",
        ),
        Wrong(
            "b-nothing",
            {"B": 0},
            "B: nothing to learn, you say. What are γ and β in batch normalization, and how many of them are there?",
        ),
        Wrong(
            "b-one-pair",
            {"B": 2},
            "B: you count one γ and one β for the whole layer. Does each channel have its own?",
        ),
        Wrong(
            "b-for-each-pixel",
            {"B": 2 * 16 * 28 * 28},
            "B: you count a γ and a β for each pixel. `BatchNorm2d(16)` knows nothing of the image's size: what can it have 16 of?",
        ),
        # --- C: MaxPool2d(2)
        Wrong(
            "c-one-window",
            {"C": 4},
            "C: you count the four pixels of a window. Does taking the largest of four numbers need any number that is learned?",
        ),
        Wrong(
            "c-for-each-channel",
            {"C": 4 * 16},
            "C: you count a window for each channel. Does taking the largest of four numbers need any number that is learned?",
        ),
        Wrong(
            "c-outputs",
            {"C": 16 * 14 * 14},
            "C: that is how many numbers come *out* of the layer for one image. Which numbers does it learn?",
        ),
        # --- D: Conv2d(16, 32, 3, padding=1, bias=False)
        Wrong(
            "d-with-biases",
            {"D": 16 * 32 * 9 + 32},
            "D: you count 32 biases. What does the printed line say about them?",
        ),
        Wrong(
            "d-without-input-channels",
            {"D": 32 * 9},
            "D: you count one 3 × 3 kernel for each output channel. On how many input channels does each of them look, with numbers of its own for each?",
        ),
        Wrong(
            "d-without-input-channels-but-with-biases",
            {"D": 32 * 9 + 32},
            "D: you count one 3 × 3 kernel and one bias for each output channel. On how many input channels does each of them look, and what does the printed line say about biases?",
        ),
        Wrong(
            "d-channels-of-the-image",
            {"D": 3 * 32 * 9},
            "D: you count 3 input channels, those of the image. How many come out of the layers before D?",
        ),
        Wrong(
            "d-output-numbers",
            {"D": 32 * 14 * 14},
            "D: that is how many numbers come *out* of the layer for one image. Which numbers does it learn?",
        ),
        Wrong(
            "d-without-output-channels",
            {"D": 16 * 9},
            "D: that is what it takes for one output channel. How many of them are there?",
        ),
        Wrong(
            "d-kernel-of-three",
            {"D": 16 * 32 * 3},
            "D: your kernels have 3 numbers. `kernel_size=3` says how many rows *and* columns a kernel has: how many numbers is that?",
        ),
        Wrong(
            "d-padding-counted",
            {"D": 16 * 32 * 25},
            "D: you count kernels of 5 × 5. Does padding make the kernel larger, or the image?",
        ),
        # --- E: Linear
        Wrong(
            "e-without-biases",
            {"E": 32 * 49 * 10},
            "E: those are the weights alone. What does a linear layer add to each of its ten outputs?",
        ),
        Wrong(
            "e-channels-only",
            {"E": 32 * 10 + 10},
            "E: you count one number for each channel that comes in. What does `Flatten` make of 32 channels with all their pixels?",
        ),
        Wrong(
            "e-channels-only-without-biases",
            {"E": 32 * 10},
            "E: you count one number for each channel that comes in, and no biases. What does `Flatten` make of 32 channels with all their pixels, and what does a linear layer add to each output?",
        ),
        Wrong(
            "e-inputs",
            {"E": 32 * 49},
            "E: that is how many numbers `Flatten` hands on. To how many outputs does each of them go, and what is added to those?",
        ),
        Wrong(
            "e-outputs",
            {"E": 10},
            "E: that is how many numbers come *out* of the layer for one image. Which numbers does it learn?",
        ),
        Wrong(
            "e-one-channel",
            {"E": 49 * 10 + 10},
            "E: you count the pixels of a single channel. What does `Flatten` make of all 32 of them?",
        ),
        Wrong(
            "e-side-for-area",
            {"E": 32 * 7 * 10 + 10},
            "E: you count 7 pixels for each channel. How many has an image of 7 × 7?",
        ),
        Wrong(
            "e-one-pooling-forgotten",
            {"E": 32 * 14 * 14 * 10 + 10},
            "E: you count 14 × 14 pixels for each channel. How often is the image pooled on its way to `Flatten`?",
        ),
        Wrong(
            "e-no-pooling",
            {"E": 32 * 28 * 28 * 10 + 10},
            "E: you count 28 × 28 pixels for each channel. What do the two pooling layers leave of them?",
        ),
        Wrong(
            "e-image-as-it-came",
            {"E": 32 * 32 * 32 * 10 + 10},
            "E: you count 32 × 32 pixels for each channel, as they came in. What do the layers before `Flatten` leave of the size?",
        ),
        Wrong(
            "e-first-layer-keeps-the-size",
            {"E": 32 * 8 * 8 * 10 + 10},
            "E: you count 8 × 8 pixels for each channel, as if only pooling made the image smaller. Which layer has no padding?",
        ),
        Wrong(
            "e-second-layer-shrinks",
            {"E": 32 * 6 * 6 * 10 + 10},
            "E: you count 6 × 6 pixels for each channel. One layer makes the image smaller for you than it is: how many places has a window of 5 in a row of 32, and what does layer D's padding do?",
        ),
        Wrong(
            "e-channels-of-the-first-layer",
            {"E": 16 * 49 * 10 + 10},
            "E: you count 16 channels. How many come out of layer D?",
        ),
        Wrong(
            "not-a-dict",
            sum(RIGHT.values()),
            "One number for each of the letters A to E is asked for. How does a dict with these keys look?",
        ),
    ),
    hints=(
        "Three of the five are formulas you know: a convolution has a kernel for each pair of input and output channel, batch norm has two numbers for each channel, a linear layer a weight for each pair and a bias for each output.",
        "A kernel of size k has k · k numbers, and there are O · C of them; the biases, if any, are O. For E follow the image's size through the layers: 32, then behind A, the pooling, D, the pooling.",
        "Sizes: 32 → 28 → 14 → 14 → 7. A is 3 · 16 · 25 + 16; E is (32 channels · 7 · 7 pixels) · 10 + 10.",
    ),
    unlocks="You can now read a network's size off its printed form.",
)
