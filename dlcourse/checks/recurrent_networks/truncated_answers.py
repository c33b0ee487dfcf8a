"""Known wrong answers to truncated backpropagation through time: one program with some of its lines exchanged."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

PARTS = (
    "the way back",
    "form of the result",
    "number of losses",
    "the first loss",
    "the rest of the list",
    "norms of the gradients at each step",
    "weights",
)


def in_one_list(losses: Any) -> Any:
    return [loss for of_one in losses for loss in of_one]


def program(
    carry: str = "state",
    reset: bool = True,
    cut: str = "detach",
    forget: str = "each chunk",
    clip: str = "global",
    step_each: str = "chunk",
    chunks: str = "all",
    inputs: Callable[[Any], Any] = lambda chunk: chunk[:, :-1],
    targets: Callable[[Any], Any] = lambda chunk: chunk[:, 1:],
    logits_of: Callable[[Any], Any] = lambda logits: logits.flatten(0, 1),
    targets_of: Callable[[Any], Any] = lambda targets: targets.flatten(),
    reduction: str = "mean",
    kind: str = "cross-entropy",
    when: str = "before",
    ends: str = "",
    handed: Callable[[Any], Any] = in_one_list,
    as_number: Callable[[Any], Any] = lambda loss: loss.item(),
) -> Callable[..., Any]:
    """The training with some of its lines exchanged."""

    def answer(model: Any, optimizer: Any, sequences: Any, length: int, max_norm: float) -> Any:
        import torch
        from torch import nn
        from torch.nn import functional as F  # noqa: N812

        def clipped() -> None:
            parameters = list(model.parameters())
            if clip == "global":
                nn.utils.clip_grad_norm_(parameters, max_norm)
            elif clip == "each":
                for p in parameters:
                    nn.utils.clip_grad_norm_([p], max_norm)
            elif clip == "value":
                nn.utils.clip_grad_value_(parameters, max_norm)
            elif clip == "one":
                nn.utils.clip_grad_norm_(parameters, 1.0)
            elif clip == "largest":
                nn.utils.clip_grad_norm_(parameters, max_norm, norm_type=float("inf"))
            elif clip == "always":
                total = torch.sqrt(torch.stack([(p.grad**2).sum() for p in parameters]).sum())
                for p in parameters:
                    p.grad *= max_norm / total

        def measured(logits: Any, y: Any, texts: int) -> Any:
            if kind == "nll":
                return F.nll_loss(logits_of(logits), targets_of(y))
            whole = "sum" if reduction == "over time" else reduction
            loss = F.cross_entropy(logits_of(logits), targets_of(y), reduction=whole)
            return loss / texts if reduction == "over time" else loss / math.log(2) if kind == "bits" else loss

        losses: list[list[Any]] = []
        state: Any = None
        for ids in sequences:
            if reset:
                state = None
            losses.append([])
            if forget == "each sequence":
                optimizer.zero_grad()
            L = ids.shape[1]
            size = L - 1 if chunks == "one" else length
            last = L - length if chunks == "full ones" else L - 1
            width, stride = size + (chunks != "boundary lost"), size + (chunks == "far apart")
            for start in range(0, last, stride):
                chunk = ids[:, start : start + width]
                if chunk.shape[1] < 2:
                    continue
                if chunks == "padded":
                    chunk = F.pad(chunk, (0, width - chunk.shape[1]))
                begin = state
                logits, new = model(inputs(chunk), begin)
                if carry == "state":
                    state = new
                elif carry == "first":
                    state = new if state is None else state
                elif carry == "h":
                    state = (new[0], torch.zeros_like(new[1]))
                elif carry == "c":
                    state = (torch.zeros_like(new[0]), new[1])
                elif carry == "exchanged":
                    state = (new[1], new[0])
                if cut == "detach" and state is not None:
                    state = (state[0].detach(), state[1].detach())
                loss = measured(logits, targets(chunk), len(ids))
                if forget == "each chunk":
                    optimizer.zero_grad()
                loss.backward(retain_graph=cut == "retained")
                if forget == "after backward":
                    optimizer.zero_grad()
                if step_each == "chunk":
                    clipped()
                    optimizer.step()
                if when == "after":
                    with torch.no_grad():
                        loss = measured(model(inputs(chunk), begin)[0], targets(chunk), len(ids))
                losses[-1].append(as_number(loss))
                if ends == "chunk":
                    return handed(losses)
            if step_each == "sequence":
                clipped()
                optimizer.step()
            if ends == "sequence":
                break
        return handed(losses)

    return answer


def mean_of_each(losses: Any) -> Any:
    return [sum(of_one) / len(of_one) for of_one in losses]
