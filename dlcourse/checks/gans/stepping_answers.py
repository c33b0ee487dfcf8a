"""Answers to the game's turn: three right ones, and a program whose lines can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.drivers import Case


def train_step(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
    from torch.nn import functional as F  # noqa: N812

    fake = G(z)
    loss_D = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    optimizer_D.zero_grad()
    loss_D.backward()  # type: ignore[no-untyped-call]
    optimizer_D.step()
    loss_G = F.softplus(-D(fake)).mean()
    optimizer_G.zero_grad()
    loss_G.backward()  # type: ignore[no-untyped-call]
    optimizer_G.step()
    return loss_D.item(), loss_G.item()


def train_step_without_grad(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    def cost(logits: Any, label: float) -> Any:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    with torch.no_grad():
        fake = G(z)
    loss_D = cost(D(real), 1.0) + cost(D(fake), 0.0)
    loss_D.backward()
    optimizer_D.step()
    loss_G = cost(D(G(z)), 1.0)
    loss_G.backward()
    optimizer_G.step()
    optimizer_D.zero_grad(set_to_none=False)  # what the generator's loss has left there, too
    optimizer_G.zero_grad(set_to_none=False)
    return [float(loss_D), float(loss_G)]


def train_step_by_autograd(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    losses = []
    for player, optimizer in ((D, optimizer_D), (G, optimizer_G)):
        if player is D:
            loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z))).mean()
        else:
            loss = -F.logsigmoid(D(G(z))).mean()
        weights = list(player.parameters())
        for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = slope
        optimizer.step()
        losses.append(loss.detach().numpy())
    return np.array(losses)


def turn_inputs(rng: np.random.Generator) -> list[Case]:
    def case(steps: int, n: int, m: int, label: str = "", head: str = "") -> Case:
        G = f"2, 4, 2, seed {rng.integers(1000)}"
        D = f"2, 5, 1, seed {rng.integers(1000)}{head}"
        real = 2.0 + 0.3 * rng.normal(size=(steps, n, 2))
        return Case((G, D, "SGD, lr 0.4", "SGD, lr 0.25", real, rng.normal(size=(steps, m, 2))), label)

    return [
        case(2, 3, 3),
        case(3, 4, 4),
        case(3, 6, 6),
        case(3, 5, 3, "unequal numbers of real images and noise"),
        case(1, 4, 4, "a single step"),
        case(2, 4, 4, "a discriminator whose logits are large", ", head times 90.0"),
    ]


def real_cost(logits: Any) -> Any:
    """-ln D, one for each logit."""
    from torch.nn import functional as F  # noqa: N812

    return F.softplus(-logits)


def fake_cost(logits: Any) -> Any:
    """-ln(1 - D)."""
    from torch.nn import functional as F  # noqa: N812

    return F.softplus(logits)


def both(real: Any, fake: Any) -> Any:
    return real_cost(real).mean() + fake_cost(fake).mean()


def program(
    detach: bool = True,
    retain: bool = False,
    forget_D: str = "before",
    forget_G: str = "before",
    minimax: bool = False,
    loss_of_D: Callable[[Any, Any], Any] = both,
    loss_of_G: Callable[[Any], Any] | None = None,
    order: str = "D, G",
    steps_by: Callable[[str], tuple[str, ...]] = lambda player: (player,),
    noise: Callable[[Any], Any] | None = None,
    noise_of_D: Callable[[Any], Any] | None = None,
    handed: Callable[[Any, Any], Any] = lambda D, G: (D.item(), G.item()),
    cut_G: bool = False,
) -> Callable[..., Any]:
    """The turn with some of its lines exchanged.

    ``forget`` is when gradients are set to zero: "at the top" of the turn, "before" or "behind" a player's backward,
    "after" its step, or "never"; ``steps_by`` says whose optimizers step when it is a player's turn.
    """

    def answer(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
        optimizers = {"G": optimizer_G, "D": optimizer_D}
        forget = {"G": forget_G, "D": forget_D}
        cost_of_G = loss_of_G or (
            (lambda logits: -fake_cost(logits).mean()) if minimax else lambda x: real_cost(x).mean()
        )
        for player in "DG":
            if forget[player] == "at the top":
                optimizers[player].zero_grad()
        fake = G(z)
        losses: dict[str, Any] = {}

        def measure(player: str) -> None:
            if player == "D":
                judged = fake if noise_of_D is None else G(noise_of_D(z))
                losses["D"] = loss_of_D(D(real), D(judged.detach() if detach else judged))
            else:
                seen = fake if noise is None else G(noise(z))
                losses["G"] = cost_of_G(D(seen.detach() if cut_G else seen))

        def move(player: str) -> None:
            if forget[player] == "before":
                optimizers[player].zero_grad()
            losses[player].backward(retain_graph=retain)
            if forget[player] == "behind":
                optimizers[player].zero_grad()
            for other in steps_by(player):
                optimizers[other].step()
            if forget[player] == "after":
                optimizers[player].zero_grad()

        if order == "both at once":
            measure("D")
            optimizer_D.zero_grad()
            losses["D"].backward()
            measure("G")
            kept = [p.grad.clone() for p in D.parameters()]
            optimizer_G.zero_grad()
            losses["G"].backward()
            for weight, slope in zip(D.parameters(), kept, strict=True):
                weight.grad = slope
            optimizer_D.step()
            optimizer_G.step()
        elif order == "G measured early":
            measure("D")
            measure("G")
            move("D")
            move("G")
        else:
            for player in order.split(", "):
                if player == "new fake":
                    fake = G(z)
                    continue
                measure(player)
                move(player)
        return handed(losses["D"], losses["G"])

    return answer


def added_up(cut: Callable[[Any], Any]) -> Callable[..., Any]:
    """Both losses added, one backward, two steps; ``cut`` is done to the fakes that the discriminator learns from."""

    def train_step(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
        fake = G(z)
        loss_D, loss_G = both(D(real), D(cut(fake))), real_cost(D(fake)).mean()
        optimizer_D.zero_grad()
        optimizer_G.zero_grad()
        (loss_D + loss_G).backward()
        optimizer_D.step()
        optimizer_G.step()
        return loss_D.item(), loss_G.item()

    return train_step


def graph_left_out(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
    """The generator's fakes are judged without a graph, to spare the discriminator."""
    import torch

    fake = G(z)
    loss_D = both(D(real), D(fake.detach()))
    optimizer_D.zero_grad()
    loss_D.backward()
    optimizer_D.step()
    with torch.no_grad():
        logits = D(fake)
    loss_G = real_cost(logits).mean()
    optimizer_G.zero_grad()
    loss_G.backward()
    optimizer_G.step()
    return loss_D.item(), loss_G.item()


def measured_afterwards(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
    """A right turn, whose losses are those after both steps."""
    train_step(G, D, optimizer_G, optimizer_D, real, z)
    logits = D(G(z))
    return both(D(real), logits).item(), real_cost(logits).mean().item()


def doubled_mean(real: Any, fake: Any) -> Any:
    import torch

    return 2 * torch.cat([real_cost(real), fake_cost(fake)]).mean()


def frozen_for_good(G: Any, D: Any, optimizer_G: Any, optimizer_D: Any, real: Any, z: Any) -> Any:
    """The discriminator is frozen for the generator's turn, and never thawed."""
    fake = G(z)
    loss_D = both(D(real), D(fake.detach()))
    optimizer_D.zero_grad()
    loss_D.backward()
    optimizer_D.step()
    D.requires_grad_(False)
    loss_G = real_cost(D(fake)).mean()
    optimizer_G.zero_grad()
    loss_G.backward()
    optimizer_G.step()
    return loss_D.item(), loss_G.item()


def naive(real: Any, fake: Any) -> Any:
    return -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()


def guarded(real: Any, fake: Any) -> Any:
    return -(real.sigmoid() + 1e-8).log().mean() - (1 - fake.sigmoid() + 1e-8).log().mean()


def noise_like(z: Any) -> Any:
    """Noise of its own, in z's shape."""
    import torch

    return torch.randn_like(z)
