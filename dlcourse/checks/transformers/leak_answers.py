"""Right and wrong programs of the exercise on leaks: each line of the training and the test can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def train_and_test(model: Any, optimizer: Any, ids: Any, split: int, length: int, steps: int) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    def windows(text: Any) -> Any:
        count = (len(text) - 1) // length
        x = text[: count * length].reshape(count, length)
        y = text[1 : count * length + 1].reshape(count, length)
        return x, y

    def loss_of(x: Any, y: Any) -> Any:
        return F.cross_entropy(model(x, mask).flatten(0, 1), y.flatten())

    mask = torch.ones(length, length).tril().bool()
    losses = []
    for _ in range(steps):
        loss = loss_of(*windows(ids[:split]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return losses, loss_of(*windows(ids[split:])).item()


def train_and_test_by_unfolding(model: Any, optimizer: Any, ids: Any, split: int, length: int, steps: int) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    chunks = [text.unfold(0, length + 1, length) for text in (ids[:split], ids[split:])]  # (M, T + 1) each
    t = torch.arange(length)
    losses = np.zeros(steps)
    for step in range(steps):
        optimizer.zero_grad(set_to_none=False)
        logits = model(chunks[0][:, :-1], mask=t <= t[:, None])
        loss = F.cross_entropy(logits.transpose(1, 2), chunks[0][:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses[step] = loss.item()
    with torch.no_grad():
        log_p = model(chunks[1][:, :-1], t <= t[:, None]).log_softmax(-1)
    return [losses, -log_p.gather(2, chunks[1][:, 1:, None]).mean()[None].numpy()[0]]


def train_and_test_window_by_window(model: Any, optimizer: Any, ids: Any, split: int, length: int, steps: int) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    def starts(first: int, end: int) -> range:
        return range(first, end - length, length)

    def loss_at(start: int) -> Any:
        x, y = ids[None, start : start + length], ids[start + 1 : start + length + 1]
        return F.cross_entropy(model(x, torch.tril(torch.ones(1, length, length)) > 0)[0], y)

    losses: tuple[float, ...] = ()
    for _ in range(steps):
        loss = torch.stack([loss_at(start) for start in starts(0, split)]).mean()
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses += (float(loss.detach()),)
    with torch.no_grad():
        return losses, float(np.mean([loss_at(start).item() for start in starts(split, len(ids))]))


# --- the known wrong answers ----------------------------------------------------------------------------------------

MASKS: dict[str, Callable[[Any], Any]] = {
    "causal": lambda ones: ones.tril(),
    "one too far": lambda ones: ones.tril(diagonal=1),
    "upper": lambda ones: ones.triu(),
    "inverted": lambda ones: ones.triu(diagonal=1),
    "strict": lambda ones: ones.tril(diagonal=-1),
    "everything": lambda ones: ones,
    "itself": lambda ones: ones.tril().triu(),
}


def cut(text: Any, length: int, targets: str, stride: int = 0) -> Any:
    """Inputs and targets (M, T) of a text, with the targets found in one of several ways.

    ``targets`` may end in ", in fewer windows": as many as have all their targets within the text.
    """
    way, _, fewer = targets.partition(", ")
    count = (len(text) - (2 if way == "two ahead" else bool(fewer))) // length
    x, behind = (a[: count * length].reshape(count, length) for a in (text, text.roll(-1)))
    ways = {
        "rolled": lambda: (x, x.roll(-1, 1)),
        "rolled together": lambda: (x, x.flatten().roll(-1).view_as(x)),
        "rolled first": lambda: (x, behind),
        "same": lambda: (x, x),
        "shorter": lambda: (x[:, :-1], x[:, 1:]),
        "last column dropped": lambda: (x[:, :-1], behind[:, :-1]),
        "previous": lambda: (x, x.roll(1, 1)),
        "two ahead": lambda: (x, text[2 : 2 + count * length].reshape(count, length)),
    }
    if way in ways:
        return ways[way]()
    chunks = text.unfold(0, length + 1, length + 1 if way == "apart" else stride or length)
    return chunks[:, :-1], chunks[:, 1:]


def program(
    mask: str = "causal",
    targets: str = "next",
    train_on: Callable[[Any, int], Any] = lambda ids, split: ids[:split],
    test_on: Callable[[Any, int], Any] = lambda ids, split: ids[split:],
    test_mask: str = "the same",
    booleans: bool = True,
    forget: bool = True,
    reduction: str = "mean",
    stride: int = 0,
    test_at: str = "the end",
    steps_done: Callable[[int], int] = lambda steps: steps,
    late: bool = False,
    tested: Callable[[float, list[float]], Any] = lambda loss, losses: loss,
    handed: Callable[[Any, Any], Any] = lambda losses, test: (losses, test),
) -> Callable[..., Any]:
    """The training and the test with some of their lines exchanged."""

    def answer(model: Any, optimizer: Any, ids: Any, split: int, length: int, steps: int) -> Any:
        import torch
        from torch.nn import functional as F  # noqa: N812

        def loss_of(text: Any, which: str) -> Any:
            x, y = cut(text, length, targets, stride)
            allowed = None if which == "none" else MASKS[which](torch.ones(x.shape[1], x.shape[1]))
            if booleans and allowed is not None:
                allowed = allowed.bool()
            return F.cross_entropy(model(x, allowed).flatten(0, 1), y.flatten(), reduction=reduction)

        def test() -> float:
            with torch.no_grad():
                return float(loss_of(test_on(ids, split), mask if test_mask == "the same" else test_mask))

        losses: list[float] = []
        before = test() if test_at == "the start" else 0.0
        for _ in range(steps_done(steps)):
            loss = loss_of(train_on(ids, split), mask)
            if forget:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss_of(train_on(ids, split), mask).item() if late else loss.item())
        return handed(losses, tested(before if test_at == "the start" else test(), losses))

    return answer


def whole(ids: Any, split: int) -> Any:
    return ids


def windows_before_the_split(model: Any, optimizer: Any, ids: Any, split: int, length: int, steps: int) -> Any:
    """Cuts the whole text into windows, and deals the windows out."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    x, y = cut(ids, length, "next")
    first = split // length
    mask, losses = torch.ones(length, length).tril().bool(), []
    for _ in range(steps):
        loss = F.cross_entropy(model(x[:first], mask).flatten(0, 1), y[:first].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return losses, F.cross_entropy(model(x[first:], mask).flatten(0, 1), y[first:].flatten()).item()
