"""A training loop over streams of text, with two faults that raise no error: each half-mended loop has its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.recurrent_networks.truncated_answers import PARTS, in_one_list
from dlcourse.drivers import Case


def train_on_streams(model: Any, optimizer: Any, ids: Any, batch: int, length: int, epochs: int) -> Any:
    from torch.nn import functional as F  # noqa: N812

    L = len(ids) // batch
    streams = ids[: batch * L].reshape(batch, L)
    losses = []
    for _ in range(epochs):
        state = None
        for start in range(0, L - length, length):
            x = streams[:, start : start + length]
            y = streams[:, start + 1 : start + length + 1]
            logits, state = model(x, state)
            state = (state[0].detach(), state[1].detach())
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
    return losses


def train_on_streams_time_first(model: Any, optimizer: Any, ids: Any, batch: int, length: int, epochs: int) -> Any:
    from torch.nn import functional as F  # noqa: N812

    L = len(ids) // batch
    streams = ids[: batch * L].view(batch, L).T  # (L, N)
    losses = np.zeros((epochs, (L - 1) // length))
    for epoch in range(epochs):
        state = None
        for k in range((L - 1) // length):
            x, y = streams[k * length :][:length], streams[k * length + 1 :][:length]  # (T, N)
            logits, (h, c) = model(x.T, state)
            state = (h.detach(), c.detach())
            loss = F.cross_entropy(logits.transpose(0, 1).reshape(-1, logits.shape[-1]), y.reshape(-1))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            losses[epoch, k] = loss.item()
    return losses.ravel()


def train_on_streams_chunk_by_chunk(model: Any, optimizer: Any, ids: Any, batch: int, length: int, epochs: int) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    L = len(ids) // batch
    begin: Any
    rows = torch.stack([ids[n * L : (n + 1) * L] for n in range(batch)])
    chunks = rows.unfold(1, length + 1, length).unbind(1)  # (N, T + 1) each
    losses: list[float] = []
    while len(losses) < epochs * len(chunks):
        state = None
        for chunk in chunks:
            optimizer.zero_grad(set_to_none=False)
            with torch.no_grad():
                begin = None if state is None else tuple(part.clone() for part in state)
            logits, state = model(chunk[:, :-1], begin)
            loss = F.nll_loss(F.log_softmax(logits, dim=2).transpose(1, 2), chunk[:, 1:])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses += [float(loss.detach())]
    return losses


def stream_inputs(rng: np.random.Generator) -> list[Case]:
    def case(count: int, batch: int, length: int, epochs: int, label: str = "", V: int = 5, head: str = "") -> Case:
        ids = rng.integers(0, V, size=count)
        model = f"{V} characters, 4 hidden, seed {rng.integers(1000)}{head}"
        return Case((model, "SGD, lr 0.5", ids, batch, length, epochs), label)

    return [
        case(22, 2, 4, 2),
        case(37, 3, 5, 2, V=6),
        case(46, 4, 3, 2),
        case(40, 4, 3, 1, "one epoch"),
        case(30, 2, 4, 2, "large gradients", head=", head times 40"),
        case(21, 1, 4, 2, "a single stream"),
        case(39, 3, 3, 2, "as many streams as steps in a chunk"),
        case(26, 2, 4, 2, "streams that a chunk divides evenly but for one character"),
        case(24, 2, 4, 2, "streams that a chunk divides evenly"),
    ]  # fmt: skip


def program(
    axes: str = "right",
    shift: int | str = 1,
    reset: str = "each epoch",
    cut: bool = True,
    retained: bool = False,
    streams: str = "side by side",
    starts: str = "right",
    short: str = "",
    forget: str = "each chunk",
    logits_of: Callable[[Any], Any] = lambda logits: logits.flatten(0, 1),
    reduction: str = "mean",
    clip: float = 0.0,
    handed: Callable[[Any], Any] = in_one_list,
    as_number: Callable[[Any], Any] = lambda loss: loss.item(),
) -> Callable[..., Any]:
    """The loop with some of its lines exchanged."""

    def answer(model: Any, optimizer: Any, ids: Any, batch: int, length: int, epochs: int) -> Any:
        from torch import nn
        from torch.nn import functional as F  # noqa: N812

        L, ahead = len(ids) // batch, length if isinstance(shift, str) else shift
        cut_off = ids[: batch * L]
        rows = cut_off.reshape(batch, L) if streams == "side by side" else cut_off.reshape(L, batch).T
        losses: list[list[float]] = []
        state: Any = None
        for _ in range(epochs):
            losses.append([])
            if reset == "each epoch":
                state = None
            begin = max(-ahead, 0)
            end = {"too short": L - length - 1, "one too many": L - 1}.get(
                starts, L - max(ahead, 1) - length + 1 + begin
            )
            for start in range(begin, end, 1 if starts == "overlapping" else length):
                x, y = rows[:, start : start + length], rows[:, start + ahead : start + ahead + length]
                if starts == "one too many":
                    x = rows[:, start : min(start + length, L - 1)]
                if short == "chunk":
                    x, y = x[:, :-1], x[:, 1:]
                elif short == "logits":
                    y = x[:, 1:]
                elif short == "rolled":
                    y = x.roll(-1, 1)
                if axes in ("exchanged", "inputs only"):
                    x = x.T
                if axes in ("exchanged", "targets only"):
                    y = y.T
                if reset == "each chunk":
                    state = None
                logits, state = model(x, state)
                if short == "logits":
                    logits = logits[:, :-1]
                if cut:
                    state = (state[0].detach(), state[1].detach())
                loss = F.cross_entropy(logits_of(logits), y.flatten(), reduction=reduction)
                if forget == "each chunk":
                    optimizer.zero_grad()
                loss.backward(retain_graph=retained)  # type: ignore[no-untyped-call]
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                losses[-1].append(as_number(loss))
        return handed(losses)

    return answer


def with_targets_beyond(model: Any, optimizer: Any, ids: Any, batch: int, length: int, epochs: int) -> Any:
    """Cuts inputs and targets apart, one character from each other, and then both into streams."""
    from torch.nn import functional as F  # noqa: N812

    L = (len(ids) - 1) // batch
    inputs, targets = ids[: batch * L].reshape(batch, L), ids[1 : batch * L + 1].reshape(batch, L)
    losses = []
    for _ in range(epochs):
        state = None
        for start in range(0, L - length + 1, length):
            logits, state = model(inputs[:, start : start + length], state)
            state = (state[0].detach(), state[1].detach())
            loss = F.cross_entropy(logits.flatten(0, 1), targets[:, start : start + length].flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
    return losses


TRAIN_ON_STREAMS = Exercise(
    id="recurrent_networks.mend_the_training",
    kind="program",
    title="Mend a training loop",
    points=3,
    minutes=20,
    difficulty=2,
    function="train_on_streams",
    reference=train_on_streams,
    alternatives=(train_on_streams_time_first, train_on_streams_chunk_by_chunk),
    inputs=stream_inputs,
    driver="trains_on_streams",
    blame=PARTS,
    rtol=1e-4,
    atol=1e-7,
    seconds=20.0,
    wrong=(
        Wrong(
            "as-given",
            program(axes="exchanged", shift=0),
            "This is still the loop as it was handed out, with both faults. Print the shapes of x, y and `state[0]`, and the first characters of one row of x and y: which axis is time, and what is the network asked to predict?",
        ),
        Wrong(
            "axes-left",
            program(axes="exchanged"),
            "One fault is mended: the targets are the characters that come next. The other is left: the model takes (N, T), and reads your x along its other axis, from stream to stream. Which shape has `x`?",
        ),
        Wrong(
            "shift-left",
            program(shift=0),
            "One fault is mended: the model reads each stream along time. The other is left: inputs and targets are the same characters, so there is nothing to predict. Which character should the target of x[:, 0] be?",
        ),
        Wrong(
            "inputs-left-exchanged",
            program(axes="inputs only"),
            "The targets are right and stand stream by stream, but `x` still has time first, and the model reads it along the wrong axis. Which shape does the model take?",
        ),
        Wrong(
            "targets-left-exchanged",
            program(axes="targets only"),
            "`x` is right, but `y` still has time first, so behind `flatten` most logits meet the target of another place. In which order do the logits stand?",
        ),
        Wrong(
            "targets-exchanged-and-not-shifted",
            program(axes="targets only", shift=0),
            "`x` is right. `y` still has time first, and it holds the same characters as x. Which character should the first target be, and in which order do the logits stand?",
        ),
        Wrong(
            "inputs-exchanged-and-not-shifted",
            program(axes="inputs only", shift=0),
            "`y` stands stream by stream now, but holds the same characters as x, and `x` still has time first. Which shape does the model take, and which character comes next?",
        ),
        Wrong(
            "shifted-the-other-way",
            program(shift=-1),
            "The targets are the characters *before* the inputs, which the network has already read. In which direction does a text go on?",
        ),
        Wrong(
            "shifted-by-a-chunk",
            program(shift="a chunk"),
            "The targets lie a whole chunk further on. How far ahead is the *next* character?",
        ),
        Wrong(
            "boundary-lost",
            program(short="chunk"),
            "You shift within the chunk: one character fewer goes in, and nobody predicts the first character of the next chunk. How many inputs does the task give each chunk, and where is the target of the last one?",
        ),
        Wrong(
            "last-logits-dropped",
            program(short="logits"),
            "You drop the last logits of each chunk and shift the chunk against itself, so nobody predicts the first character of the next chunk. Where in `streams` is the target of the last input?",
        ),
        Wrong(
            "targets-rolled",
            program(short="rolled"),
            "Your targets are the inputs turned round by one place, so the last target of each chunk is its own first character. Which character follows the last input?",
        ),
        Wrong(
            "streams-dealt-out",
            program(streams="dealt out"),
            "The text is dealt out like cards: neighbors in a stream are `batch` characters apart in the text. In which order does `reshape` fill rows, and should a row be a piece of the text?",
        ),
        Wrong(
            "targets-beyond-the-stream",
            with_targets_beyond,
            "You cut (len(ids) - 1) // batch characters for each stream, and a stream's last target is the first character of the next. How long are the streams in the task, and within what must the targets lie?",
        ),
        Wrong(
            "state-reset-in-each-chunk",
            program(reset="each chunk"),
            "Both faults are mended, but a new one has come in: every chunk begins with an empty state. Where does a stream begin, and where does it only go on?",
        ),
        Wrong(
            "state-never-reset",
            program(reset="never"),
            "The first epoch is right. The next begins at the top of the text with the state from its end. Where does the state have to be emptied?",
        ),
        Wrong(
            "graph-carried-along",
            program(cut=False),
            "`backward` of the second chunk runs on into the first, whose graph is used up. Both halves of the state were cut off from their history before: are they still?",
        ),
        Wrong(
            "graph-retained",
            program(cut=False, retained=True),
            "The graph of earlier chunks is kept, and `backward` runs through steps whose weights have been changed since. Which line kept the gradient within its chunk?",
        ),
        Wrong(
            "last-chunk-lost",
            program(starts="too short"),
            "Where the streams come out even, the last chunk is missing. Which is the last character that can be a target?",
        ),
        Wrong(
            "rest-too",
            program(starts="one too many"),
            "You train on the shorter rest of the streams, too. Which chunks does the task ask for?",
        ),
        Wrong(
            "chunks-overlap",
            program(starts="overlapping"),
            "Your chunks begin one character apart and overlap, while the state goes on from the end of the one before. How far is it from one start to the next?",
        ),
        Wrong(
            "slopes-pile-up",
            program(forget="never"),
            "The gradients of all chunks pile up. Which call sets them back, and is it still there?",
        ),
        Wrong(
            "logits-mixed-up",
            program(logits_of=lambda logits: logits.transpose(0, 1).flatten(0, 1)),
            "Inputs and targets are right, but the logits are flattened time first and the targets stream first, so most logits meet a stranger's target. Which of the two should change?",
        ),
        Wrong(
            "clipped",
            program(clip=1.0),
            "Both faults are mended, but the gradients are now clipped to the norm 1, as in another exercise. Does this loop's task mention a limit?",
        ),
        Wrong(
            "tensors-for-numbers",
            program(as_number=lambda loss: loss.detach()),
            "There are tensors in your list, where numbers are asked for. Which method turns a tensor of one number into a number, as the loop did when it was handed out?",
        ),
        Wrong(
            "one-loss-an-epoch",
            program(handed=lambda losses: [sum(epoch) / len(epoch) for epoch in losses]),
            "The training is right. You hand back one mean loss for each epoch. For which pieces does the task ask for one?",
        ),
        Wrong(
            "list-for-each-epoch",
            program(handed=lambda losses: losses),
            "The numbers are right, but they stand in a list for each epoch. How many lists does the task ask for?",
        ),
    ),
    hints=(
        "Neither fault raises an error. Print the shape of `x` and compare it with what the model takes. Then print one row of x beside the same row of y.",
        "A loss near 0 after a few steps is suspicious: what is easy to predict? And the state's shape tells how many streams the model believes it reads.",
        "Take away both `.T`, so that x and y are (N, T). And y begins one character later than x: `streams[:, start + 1 : start + length + 1]`.",
    ),
    unlocks="Two faults without an error message: look at shapes and at one row of the data before you look at losses.",
)  # fmt: skip
