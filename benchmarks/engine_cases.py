"""What benchmarks/engine.py times: networks written once for both engines, and training steps as a learner writes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FLOOR = 0.6  # of the goal: below it, continuous integration fails
V, T = 96, 64  # vocabulary and time steps of the language models

Step = Callable[[], Any]  # one training step; returns the loss


# ---- the two engines, and networks that are written once for both


@dataclass(frozen=True)
class Engine:
    """What the two engines spell differently; the networks below use the names that they share."""

    nn: Any
    optim: Any
    array: Callable[[Any], Any]  # a NumPy array as the engine takes a batch, integers too
    weight: Callable[[Any], Any]  # a NumPy array as something to learn
    thirds: Callable[[Any], Any]  # (..., 3E) -> three of (..., E)


def pytorch() -> Engine:
    import torch

    torch.set_num_threads(1)
    return Engine(
        torch.nn, torch.optim, torch.from_numpy, lambda a: torch.from_numpy(a.copy()).requires_grad_(),
        lambda x: x.chunk(3, -1),
    )  # fmt: skip


def ours() -> Engine:
    from dlcourse import Tensor, nn, optim

    return Engine(
        nn, optim, lambda a: Tensor(a) if a.dtype.kind == "f" else a, lambda a: Tensor(a, requires_grad=True),
        lambda x: nn.functional.split(x, x.shape[-1] // 3, -1),
    )  # fmt: skip


def mlp(engine: Engine, *sizes: int) -> Any:
    nn = engine.nn
    layers = [[nn.Linear(a, b), nn.ReLU()] for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(*list(itertools.chain(*layers))[:-1])


def cnn(engine: Engine, size: int, first: int, second: int) -> Any:
    nn = engine.nn
    return nn.Sequential(
        nn.Conv2d(1, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(second * (size // 4) ** 2, 10),
    )  # fmt: skip


def lstm(engine: Engine) -> Any:
    nn = engine.nn

    class Model(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(V, 128)
            self.lstm = nn.LSTM(128, 128, batch_first=True)
            self.head = nn.Linear(128, V)

        def forward(self, tokens: Any) -> Any:  # (N, T)
            hidden, _ = self.lstm(self.embedding(tokens))  # (N, T, S)
            return self.head(hidden).reshape(-1, V)

    return Model()


def gpt(engine: Engine, layers: int = 4, E: int = 128, heads: int = 4) -> Any:
    nn, F = engine.nn, engine.nn.functional

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(E), nn.LayerNorm(E)
            self.qkv, self.out = nn.Linear(E, 3 * E), nn.Linear(E, E)
            self.mlp = nn.Sequential(nn.Linear(E, 4 * E), nn.GELU(), nn.Linear(4 * E, E))

        def attend(self, x: Any) -> Any:  # (N, T, E)
            q, k, v = [  # (N, h, T, d)
                part.reshape(*x.shape[:2], heads, E // heads).swapaxes(1, 2) for part in engine.thirds(self.qkv(x))
            ]
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(mixed.swapaxes(1, 2).reshape(*x.shape))

        def forward(self, x: Any) -> Any:
            x = x + self.attend(self.norm_1(x))
            return x + self.mlp(self.norm_2(x))

    class Model(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.token, self.position = nn.Embedding(V, E), nn.Embedding(T, E)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(E), nn.Linear(E, V)

        def forward(self, tokens: Any) -> Any:  # (N, T)
            x = self.token(tokens) + self.position.weight  # (N, T, E)
            return self.head(self.norm(self.blocks(x))).reshape(-1, V)

    return Model()


# ---- steps to be timed


def images(N: int, *shape: int) -> Callable[[Any], tuple[Any, Any]]:
    return lambda rng: (rng.normal(size=(N, *shape)).astype("float32"), rng.integers(0, 10, N))


def text(N: int, steps: int = T) -> Callable[[Any], tuple[Any, Any]]:
    return lambda rng: (rng.integers(0, V, (N, steps)), rng.integers(0, V, N * steps))


def training(engine: Engine, build: Any, batch: Any, optimizer: str, lr: float, state: dict[str, Any] | None) -> Step:
    """One step of a training loop as a learner writes it, over eight batches in turn."""
    import numpy as np

    model = build(engine)
    if state is not None:
        model.load_state_dict(state)
    rng = np.random.default_rng(0)
    batches = itertools.cycle([[engine.array(part) for part in batch(rng)] for _ in range(8)])
    optim = getattr(engine.optim, optimizer)(model.parameters(), lr=lr)
    cross_entropy = engine.nn.functional.cross_entropy

    def step() -> Any:
        X, y = next(batches)
        loss = cross_entropy(model(X), y)
        optim.zero_grad()
        loss.backward()
        optim.step()
        return loss

    return step


def both(build: Any, batch: Any, optimizer: str, lr: float) -> Callable[[], tuple[Step, Step]]:
    """The training step of PyTorch and ours, from PyTorch's starting weights."""

    def start() -> tuple[Step, Step]:
        import torch

        torch.manual_seed(0)
        state = build(pytorch()).state_dict()
        arrays = {name: value.numpy() for name, value in state.items()}
        return (
            training(pytorch(), build, batch, optimizer, lr, state),
            training(ours(), build, batch, optimizer, lr, arrays),
        )

    return start


def small_ops(engine: Engine) -> Step:
    """Eleven different ops on 4×4 and back: nothing but overhead."""
    import numpy as np

    rng = np.random.default_rng(0)
    x, w, b = [engine.weight(rng.normal(size=size).astype("float32")) for size in [(4, 4), (4, 4), 4]]

    def step() -> Any:
        x.grad = w.grad = b.grad = None
        h = (x @ w + b).tanh() * x - w
        loss = (h.sigmoid() / 2).exp().reshape(2, 8).relu().sum()
        loss.backward()
        return loss

    return step


def chain(engine: Engine, nodes: int = 100_000) -> Step:
    import numpy as np

    start = engine.weight(np.ones(1, "float32"))

    def step() -> Any:
        start.grad, x = None, start
        for _ in range(nodes // 2):
            x = x * 0.9999 + 0.0001
        x.backward()
        return x

    return step


def longer_lstm() -> tuple[Step, Step]:
    """Our LSTM on sequences four times as long, and on those of the LSTM case."""
    return tuple(training(ours(), lstm, text(32, steps), "Adam", 1e-3, None) for steps in (4 * T, T))  # type: ignore


# ---- the cases


@dataclass(frozen=True)
class Case:
    key: str
    title: str
    goal: float
    steps: int  # taken by each engine in one round
    start: Callable[[], tuple[Step, Step]] | None  # None: peak memory, measured in processes of its own
    at_most: bool = False  # the goal is an upper limit
    columns: tuple[str, str] = ("torch, ms", "ours, ms")
    first_steps: int = 5  # before any is timed

    @property
    def floor(self) -> float:
        return round(self.goal / FLOOR if self.at_most else self.goal * FLOOR, 3)


CASES = [
    Case("mlp", "MLP 784-256-128-10, batch 64, Adam", 1.3, 20,
         both(lambda e: mlp(e, 784, 256, 128, 10), images(64, 784), "Adam", 1e-3)),
    Case("small_mlp", "MLP 64-128-10, batch 32, SGD", 2.5, 100,
         both(lambda e: mlp(e, 64, 128, 10), images(32, 64), "SGD", 1e-2)),
    Case("cnn28", "CNN 28×28: conv 8, pool, conv 16, pool, linear; batch 32, SGD", 1.2, 20,
         both(lambda e: cnn(e, 28, 8, 16), images(32, 1, 28, 28), "SGD", 1e-2)),
    Case("cnn8", "CNN 8×8: conv 16, pool, conv 32, pool, linear; batch 32, SGD", 1.2, 50,
         both(lambda e: cnn(e, 8, 16, 32), images(32, 1, 8, 8), "SGD", 1e-2)),
    Case("lstm", "LSTM 128, T=64, batch 32, vocabulary 96, Adam", 0.5, 2, both(lstm, text(32), "Adam", 1e-3)),
    Case("gpt", "GPT, 4 layers, d=128, 4 heads, T=64, batch 16, AdamW", 1.05, 1, both(gpt, text(16), "AdamW", 1e-3)),
    Case("small_ops", "Eleven ops on 4×4, forward and backward", 2.0, 200,
         lambda: (small_ops(pytorch()), small_ops(ours()))),
    Case("chain", "Chain of 100,000 nodes, forward and backward", 1.0, 1, lambda: (chain(pytorch()), chain(ours())),
         first_steps=1),
    Case("lstm_length", "LSTM, T=256 against T=64, both ours", 4.5, 1, longer_lstm, True, ("T=256, ms", "T=64, ms")),
    Case("gpt_memory", "GPT, peak memory, ours against PyTorch's", 1.2, 5, None, True, ("ours, MB", "torch, MB")),
]  # fmt: skip
