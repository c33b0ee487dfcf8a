"""A convolutional network in PyTorch to mend: three faults that stop it, and one that nobody hears."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def make_cnn(size: int, channels: int, classes: int) -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * channels * (size // 4) ** 2, classes),
    )


def make_cnn_as_a_class(size: int, channels: int, classes: int) -> Any:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(2 * channels * (size // 2 // 2) ** 2, classes)
            self.first = torch.nn.Conv2d(1, channels, (3, 3), padding="same")
            self.second = torch.nn.Conv2d(channels, channels + channels, 3, padding=(1, 1))

        def forward(self, x: Any) -> Any:
            for convolution in (self.first, self.second):
                x = torch.nn.functional.max_pool2d(convolution(x), 2).relu()
            return self.last(x.reshape(len(x), -1))

    return Net()


def make_cnn_with_a_lazy_layer(size: int, channels: int, classes: int) -> Any:
    from torch import nn

    def block(into: int, out: int) -> Any:
        return nn.Sequential(nn.Conv2d(into, out, 3, 1, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2), nn.Dropout(0.1))

    return nn.Sequential(
        block(1, channels), block(channels, channels * 2), nn.Flatten(1, -1), nn.LazyLinear(classes), nn.Identity()
    )


def cnn_inputs(rng: np.random.Generator) -> list[Case]:
    return [
        Case((8, 4, 10)),
        Case((12, 3, 5)),
        Case((16, 5, 7)),
        Case((10, 3, 4), "a size that 4 does not divide"),
        Case((7, 4, 3), "an odd size"),
        Case((8, 1, 10), "one channel"),
    ]


def program(
    into_second: str = "channels",
    flatten: Any = 1,
    features: Callable[[int, int], int] = lambda size, channels: 2 * channels * (size // 4) ** 2,
    last: str = "",
    pools: int = 2,
    padding: int = 1,
    collapse: bool = False,
    classes: int = 0,
) -> Callable[..., Any]:
    """The program with some of its lines exchanged; ``flatten``: the first axis that is joined, None without the layer."""

    def answer(size: int, channels: int, wanted: int) -> Any:
        from torch import nn

        between = 1 if into_second == "bent" else channels
        return nn.Sequential(
            nn.Conv2d(1, between, 3, padding=padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(
                {"one": 1, "bent": 1, "channels": channels, "doubled": 2 * channels}[into_second],
                2 * channels,
                3,
                padding=padding,
            ),
            nn.ReLU(),
            *([nn.MaxPool2d(2)] * (pools - 1)),
            *([nn.AdaptiveAvgPool2d(1)] if collapse else []),
            *([] if flatten is None else [nn.Flatten(flatten)]),
            nn.Linear(features(size, channels), classes or wanted),
            *([getattr(nn, last)(**({} if last in ("ReLU", "Sigmoid") else {"dim": 1}))] if last else []),
        )

    answer.__name__ = "make_cnn"
    return answer


def edited(change: Callable[[Any, list[Any], int, int], Any]) -> Callable[..., Any]:
    """The mended program with its layers edited: ``change(nn, layers, size, channels)`` works on the list."""

    def answer(size: int, channels: int, classes: int) -> Any:
        from torch import nn

        layers = list(make_cnn(size, channels, classes))
        change(nn, layers, size, channels)
        return nn.Sequential(*layers)

    answer.__name__ = "make_cnn"
    return answer


def exchange(**places: Callable[[Any, int, int], Any]) -> Callable[..., Any]:
    """The mended program with some layers exchanged, ``at3=lambda nn, size, channels: …`` the fourth one, say."""

    def change(nn: Any, layers: list[Any], size: int, channels: int) -> None:
        for place, layer in places.items():
            layers[int(place.removeprefix("at"))] = layer(nn, size, channels)

    return edited(change)


def collapsed(nn: Any, layers: list[Any], size: int, channels: int) -> None:
    layers[5], layers[7] = nn.AdaptiveAvgPool2d(1), nn.Linear(2 * channels, layers[7].out_features)


def rounded_up(nn: Any, layers: list[Any], size: int, channels: int) -> None:
    layers[2], layers[5] = nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, ceil_mode=True)
    layers[7] = nn.Linear(2 * channels * (-(-size // 4)) ** 2, layers[7].out_features)


def not_doubled(nn: Any, layers: list[Any], size: int, channels: int) -> None:
    layers[3] = nn.Conv2d(channels, channels, 3, padding=1)
    layers[7] = nn.Linear(channels * (size // 4) ** 2, layers[7].out_features)


def normalized(nn: Any, layers: list[Any], size: int, channels: int) -> None:
    layers.insert(4, nn.BatchNorm2d(2 * channels))
    layers.insert(1, nn.BatchNorm2d(channels))


def sixteen_channels(size: int, channels: int, classes: int) -> Any:
    return make_cnn(size, 16, classes)


def make_cnn_of_the_engine(size: int, channels: int, classes: int) -> Any:
    from dlcourse import nn

    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(channels * (size // 2) ** 2, classes),
    )  # fmt: skip


def once_halved(size: int, channels: int) -> int:
    return 2 * channels * (size // 2) ** 2


FAULTS: dict[str, dict[str, Any]] = {
    "second-convolution": {"into_second": "one"},
    "flatten": {"flatten": None},
    "features": {"features": once_halved},
    "softmax": {"last": "Softmax"},
}
FIRST = {
    "second-convolution": "The network stops at its second convolution, which expects 1 channel. How many does the first one hand on?",
    "flatten": "The second convolution is right. The linear layer still gets an image, (N, C, H, W): it works on the last axis only. Which layer makes one row of each example?",
    "features": "The images arrive at the linear layer as rows, but it expects more numbers than come. How often has the size been halved by then?",
    "softmax": "It runs and all shapes are right. But its scores still go through a softmax, and `cross_entropy` takes one itself. What does training twice squashed scores do to the slopes?",
}
MORE = {0: "", 1: " One more fault is left behind it.", 2: " Two more faults are left behind it."}


def left(faults: tuple[str, ...]) -> Wrong:
    """The program with these faults still in it."""
    if len(faults) == len(FAULTS):
        message = (
            "This is still the network as it was handed out, with all four faults. Send a batch through it layer by layer and print the shape behind each: "
            "at which layer does it stop, and what does that one expect?"
        )
        return Wrong("as-given", program(**_changes(faults)), message)
    return Wrong("-and-".join(faults) + "-left", program(**_changes(faults)), FIRST[faults[0]] + MORE[len(faults) - 1])


def _changes(faults: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for fault in faults for name, value in FAULTS[fault].items()}


MEND_THE_CNN = Exercise(
    id="convolutional_networks.mend_the_cnn",
    kind="program",
    title="Mend a CNN",
    points=3,
    minutes=15,
    difficulty=2,
    function="make_cnn",
    reference=make_cnn,
    alternatives=(make_cnn_as_a_class, make_cnn_with_a_lazy_layer),
    inputs=cnn_inputs,
    driver="builds_a_cnn",
    seconds=20,  # the first answer may have to wait until PyTorch is loaded
    blame=("forward", "numbers to learn", "scores"),
    wrong=(
        *(left(faults) for count in (4, 3, 2, 1) for faults in itertools.combinations(FAULTS, count)),
        Wrong(
            "channels-bent-to-fit",
            program(into_second="bent"),
            "The second convolution takes 1 channel, and you made the first one hand on 1 to fit. How many channels does the task's table give behind the first convolution?",
        ),
        Wrong(
            "channels-doubled-too-early",
            program(into_second="doubled"),
            "The network stops at its second convolution, which expects twice as many channels as come. How many does the first one hand on?",
        ),
        Wrong(
            "flattened-with-the-batch",
            program(flatten=0),
            "You flatten everything into one row, the examples too. Which axis has to stay, and from which one on does `nn.Flatten` join by itself?",
        ),
        Wrong(
            "flattened-from-the-rows-on",
            program(flatten=2),
            "You join rows and columns, but the channels stay an axis of their own. Which axes together make one row of an example?",
        ),
        Wrong(
            "second-pooling-removed",
            program(pools=1, features=once_halved),
            "You took the second pooling out so that the sizes fit. The linear layer now has four times as many weights. Which side was wrong, according to the task's table?",
        ),
        Wrong(
            "size-written-in",
            program(features=lambda size, channels: 2 * channels * 4),
            "Right for images of 8 × 8; others do not fit, since their size is written into the network as a number. How many pixels has an image behind the second pooling, written with `size`?",
        ),
        Wrong(
            "features-written-in",
            program(features=lambda size, channels: 128),
            "The linear layer expects 128 numbers, which fits 16 channels and images of 8 × 8 only. How many numbers arrive there, written with `size` and `channels`?",
        ),
        Wrong(
            "divided-too-late",
            program(features=lambda size, channels: 2 * channels * size**2 // 16),
            "Right where 4 divides the size. Otherwise pooling rounds down twice, along each side, and your formula only once, for the whole area. What becomes of a side of 10?",
        ),
        Wrong(
            "channels-not-doubled-in-the-features",
            program(features=lambda size, channels: channels * (size // 4) ** 2),
            "The images arrive at the linear layer as rows, but it expects half as many numbers as come. How many channels does the second convolution hand on?",
        ),
        Wrong(
            "side-for-area",
            program(features=lambda size, channels: 2 * channels * (size // 4)),
            "The images arrive at the linear layer as rows, but it expects one side of each small image, not its area. How many pixels has an image of size / 4 by size / 4?",
        ),
        Wrong(
            "pooled-to-one-pixel",
            program(collapse=True, features=lambda size, channels: 2 * channels),
            "It runs: you take the mean of each channel before the linear layer, which then has fewer weights. What does the task's table hand to the linear layer, one number for each channel or all of them?",
        ),
        Wrong(
            "classes-written-in",
            program(classes=10),
            "Right for ten classes; the 10 is written into the network as a number. Which argument says how many scores it gives?",
        ),
        Wrong(
            "layers-in-a-list",
            lambda size, channels, classes: list(make_cnn(size, channels, classes)),
            "You hand back the layers in a list, which cannot be called. What ties layers together to a network?",
        ),
        Wrong(
            "log-softmax",
            program(last="LogSoftmax"),
            "The shapes are right, and the scores go through a log-softmax: that goes with `nll_loss`. What does the task say the network hands back, and which loss does it name?",
        ),
        Wrong(
            "softmax-over-the-batch",
            edited(lambda nn, layers, size, channels: layers.append(nn.Softmax(dim=0))),
            "You turned the softmax to axis 0, where it runs over the examples. The task asks for raw logits: which layers stand behind the linear one in its table?",
        ),
        Wrong(
            "sigmoid-at-the-end",
            program(last="Sigmoid"),
            "The shapes are right, but the scores go through a sigmoid. The task asks for raw logits: which layers stand behind the linear one in its table?",
        ),
        Wrong(
            "softmax-before-the-linear-layer",
            edited(lambda nn, layers, size, channels: layers.insert(7, nn.Softmax(dim=1))),
            "You moved the softmax in front of the linear layer. `cross_entropy` takes one itself: where does the task's table have another?",
        ),
        Wrong(
            "average-pooling",
            exchange(at2=lambda nn, *_: nn.AvgPool2d(2), at5=lambda nn, *_: nn.AvgPool2d(2)),
            "The shapes are right, but both poolings take the mean of a window. Which pooling does the task's table name?",
        ),
        Wrong(
            "average-pooling-at-the-end",
            exchange(at5=lambda nn, size, _: nn.AvgPool2d(2)),
            "The shapes are right, but the second pooling takes means. Which pooling does the task's table name there?",
        ),
        Wrong(
            "second-pooling-collapses",
            edited(collapsed),
            "In place of the second pooling you take the mean of each channel, and the linear layer has fewer weights. What does the task's table hand to the linear layer?",
        ),
        Wrong(
            "no-padding",
            program(padding=0),
            "The convolutions have lost their padding: each makes the image 2 pixels lower and narrower. Which sizes does the task's table give behind them?",
        ),
        Wrong(
            "no-padding-and-fewer-features",
            program(padding=0, features=lambda size, channels: 2 * channels * (((size - 2) // 2 - 2) // 2) ** 2),
            "The convolutions have lost their padding: each makes the image 2 pixels lower and narrower, and you counted the linear layer's inputs accordingly. Which sizes does the task's table give behind them?",
        ),
        Wrong(
            "flattened-too-early",
            edited(lambda nn, layers, *_: layers.insert(3, layers.pop(6))),
            "You flatten before the second convolution, which needs rows and columns. What is the last layer that works on images?",
        ),
        Wrong(
            "flattened-before-the-pooling",
            edited(lambda nn, layers, *_: layers.insert(5, layers.pop(6))),
            "You flatten before the second pooling, which needs rows and columns. What is the last layer that works on images?",
        ),
        Wrong(
            "pixels-forgotten",
            program(features=lambda size, channels: 2 * channels),
            "The images arrive at the linear layer as rows, but it expects one number for each channel. How many pixels has each channel behind the second pooling?",
        ),
        Wrong(
            "area-divided-at-the-end",
            program(features=lambda size, channels: 2 * channels * (size**2 // 16)),
            "Right where 4 divides the size. Otherwise pooling rounds down twice, along each side, and your formula only once, for the whole area. What becomes of a side of 10?",
        ),
        Wrong(
            "pooling-rounds-up",
            edited(rounded_up),
            "Your poolings keep what does not make a whole window (`ceil_mode`), so that odd sizes come out too large. Which size does the task's table give behind them?",
        ),
        Wrong(
            "sides-rounded-up",
            program(features=lambda size, channels: 2 * channels * (-(-size // 4)) ** 2),
            "Right where 4 divides the size. Otherwise you round the side up, and pooling drops what does not make a whole window. What becomes of a side of 10?",
        ),
        Wrong(
            "batch-norm-added",
            edited(normalized),
            "You added batch norm behind the convolutions, a good idea elsewhere: here it has numbers of its own to learn. Does the task's table have it?",
        ),
        Wrong(
            "without-biases",
            exchange(
                at0=lambda nn, _, channels: nn.Conv2d(1, channels, 3, padding=1, bias=False),
                at3=lambda nn, _, channels: nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False),
            ),
            "The convolutions have no biases. By how many is your number of parameters smaller than the example's, 160 + 4,640 + 1,290 for `make_cnn(8, 16, 10)`?",
        ),
        Wrong(
            "second-convolution-not-doubled",
            edited(not_doubled),
            "The second convolution hands on as many channels as it gets. How many does the task's table give behind it?",
        ),
        Wrong(
            "first-convolution-doubled",
            exchange(
                at0=lambda nn, _, channels: nn.Conv2d(1, 2 * channels, 3, padding=1),
                at3=lambda nn, _, channels: nn.Conv2d(2 * channels, 2 * channels, 3, padding=1),
            ),
            "The first convolution hands on twice as many channels as the task's table says. Which of the two doubles them?",
        ),
        Wrong(
            "channels-written-in",
            sixteen_channels,
            "Right for 16 channels; the 16 is written into the network as a number. Which argument says how many channels the first convolution has?",
        ),
        Wrong(
            "engine-network",
            make_cnn_of_the_engine,
            "You hand back a network of the course's own engine. The task asks for one in PyTorch: from which library is the `nn` in your cell?",
        ),
        Wrong(
            "relu-at-the-end",
            program(last="ReLU"),
            "The shapes are right, but a ReLU stands behind the last layer: no score can be negative. Does the task's table have one there?",
        ),
    ),
    hints=(
        "Read the first error message: it names the layer's weight, and what came. Mend that, and read the next one. Three faults stop the network, the fourth does not.",
        "Write the shape behind each layer beside it: (N, 1, size, size), (N, channels, size, size), … At each layer compare what comes with what its arguments say it expects.",
        "The second convolution: `nn.Conv2d(channels, 2 * channels, …)`. Before the linear layer: `nn.Flatten()`. Its inputs: 2 · channels · (size // 4)². And cross-entropy wants the scores raw.",
    ),
    unlocks="The next `mat1 and mat2 shapes cannot be multiplied` will cost you a minute.",
)  # fmt: skip
