"""Right and wrong programs of the exercise on a broken DQN: each line of the training can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.drivers import Case


def train_q_network(
    env: Any, online: Any, target: Any, optimizer: Any, act: Any, memory: Any, steps: int, gamma: float, copy_every: int
) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    losses = []
    observation, _ = env.reset()
    for step in range(1, steps + 1):
        action = act(online, observation)
        next_observation, reward, terminated, truncated, _ = env.step(action)
        memory.add(observation, action, reward, next_observation, terminated)
        observation = next_observation
        if terminated or truncated:
            observation, _ = env.reset()
        s, a, r, s_next, ended = memory.sample()
        with torch.no_grad():
            choice = online(s_next).argmax(1, keepdim=True)
            y = r + gamma * (1 - ended) * target(s_next).gather(1, choice).squeeze(1)
        q = online(s).gather(1, a[:, None]).squeeze(1)
        loss = F.smooth_l1_loss(q, y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % copy_every == 0:
            target.load_state_dict(online.state_dict())
        losses.append(loss.item())
    return losses


def train_by_rows(
    env: Any, online: Any, target: Any, optimizer: Any, act: Any, memory: Any, steps: int, gamma: float, copy_every: int
) -> Any:
    """Rows and columns are matched the other way; parameters are copied one by one; no `no_grad`."""
    import torch

    losses, over, observation = np.empty(steps), True, None
    for step in range(steps):
        if over:
            observation = env.reset(seed=step)[0]
        before, action = observation, act(online, observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        over = terminated | truncated
        memory.add(before, action, reward, observation, 1.0 if terminated else 0.0)
        s, a, r, s_next, ended = memory.sample()
        rows = torch.arange(len(a))
        y = torch.where(ended > 0, r, r + gamma * target(s_next)[rows, online(s_next).argmax(dim=1)]).detach()[:, None]
        optimizer.zero_grad(set_to_none=False)
        loss = torch.nn.functional.huber_loss(online(s)[rows, a][:, None], y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if (step + 1) % copy_every == 0:
            with torch.no_grad():
                for old, new in zip(target.parameters(), online.parameters(), strict=True):
                    old.copy_(new)
        losses[step] = float(loss.detach())
    return losses


def train_episode_by_episode(
    env: Any, online: Any, target: Any, optimizer: Any, act: Any, memory: Any, steps: int, gamma: float, copy_every: int
) -> Any:
    import torch

    losses: list[float] = []
    while len(losses) < steps:
        observation, ended_now = env.reset()[0], False
        while not ended_now and len(losses) < steps:
            action = act(online, observation)
            led, reward, *flags, _ = env.step(action)
            memory.add(observation, action, reward, led, flags[0])
            observation, ended_now = led, any(flags)
            s, a, r, s_next, over = memory.sample()
            picked = torch.nn.functional.one_hot(online(s_next).argmax(-1), 2)
            y = (r + gamma * (1 - over) * (target(s_next) * picked).sum(-1)).detach()
            error = (online(s) * torch.nn.functional.one_hot(a, 2)).sum(-1) - y
            loss = torch.where(error.abs() < 1, error**2 / 2, error.abs() - 0.5).mean()
            online.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
            if len(losses) % copy_every == 0:
                target.load_state_dict(online.state_dict())
    return tuple(losses)


def training_inputs(rng: np.random.Generator) -> list[Case]:
    def case(script: str, steps: int, copy_every: int, gamma: float = 0.9, batch: int = 4, label: str = "") -> Case:
        def seed() -> str:
            return f"seed {rng.integers(1000)}"

        return Case(
            (
                f"{script}; {seed()}", f"3, 5, 2, {seed()}", f"3, 5, 2, {seed()}", "SGD, lr 0.3", seed(),
                f"{batch} at a time, {seed()}", steps, gamma, copy_every,
            ),
            label,
        )  # fmt: skip

    return [
        case("3 terminated, 2 truncated, 4 both", 9, 4),
        case("2 truncated, 3 terminated, 1 truncated, 2 both", 10, 4, 0.8),
        case("2 both, 1 terminated, 2 truncated, 3 terminated", 10, 3, 0.95, 6),
        case("20 terminated", 5, 2, label="an episode that is not over when the steps are"),
        case("2 truncated, 3 truncated", 6, 2, label="episodes that the clock always stops"),
        case("2 terminated, 1 truncated", 5, 50, label="a copy that is never due"),
    ]


# --- the known wrong answers ----------------------------------------------------------------------------------------

ENDED: dict[str, Callable[[bool, bool], Any]] = {
    "terminated": lambda term, trunc: term,
    "either": lambda term, trunc: term or trunc,
    "truncated": lambda term, trunc: trunc,
    "never": lambda term, trunc: False,
    "turned round": lambda term, trunc: not term,
    "both": lambda term, trunc: term and trunc,
    "only one": lambda term, trunc: term and not trunc,
}
OVER: dict[str, Callable[[bool, bool], bool]] = {
    "either": lambda term, trunc: term or trunc,
    "terminated": lambda term, trunc: term,
    "truncated": lambda term, trunc: trunc,
    "both": lambda term, trunc: term and trunc,
    "never": lambda term, trunc: False,
    "always": lambda term, trunc: True,
}
SHARES: dict[str, Callable[[int], float]] = {
    "half": lambda every: 0.5,
    "hundredth": lambda every: 0.01,
    "share": lambda every: 1 / every,
}


def program(
    ended: str = "terminated",
    over: str = "either",
    take_start: bool = True,
    start_of: Callable[[Any, Any], Any] = lambda observation, info: observation,
    learns_at_the_end: bool = True,
    one_episode: bool = False,
    curb: Callable[[Any], Any] = lambda parameters: None,
    remember: str = "in time",
    value: str = "double",
    mask: Callable[[Any], Any] = lambda ended: 1 - ended,
    target_of: Callable[[Any, Any, float], Any] = lambda r, future, gamma: r + gamma * future,
    squeeze: str = "q",
    q_of: str = "the action taken",
    loss_of: str = "huber",
    reduction: str = "mean",
    forget: str = "before",
    copy: str = "load",
    copy_when: Callable[[int, int], bool] = lambda step, every: step % every == 0,
    copy_first: bool = False,
    who_acts: str = "online",
    learn: bool = True,
    updates: int = 1,
    count: Callable[[int], int] = lambda steps: steps,
    return_early: bool = False,
    handed: Callable[[list[Any]], Any] = lambda losses: losses,
    kept: Callable[[Any], Any] = lambda loss: loss.item(),
) -> Callable[..., Any]:
    """The training with some of its lines exchanged."""

    def answer(
        env: Any, online: Any, target: Any, optimizer: Any, act: Any, memory: Any,
        steps: int, gamma: float, copy_every: int,
    ) -> Any:  # fmt: skip
        losses: list[Any] = []
        observation, _ = env.reset()
        first = observation
        for step in range(1, count(steps) + 1):
            action = act(target if who_acts == "target" else online, first if who_acts == "first" else observation)
            led, reward, terminated, truncated, _ = env.step(action)
            flag = ENDED[ended](terminated, truncated)
            if remember == "in time":
                memory.add(observation, action, reward, led, flag)
            before, observation = observation, led
            if remember == "moved on":
                memory.add(observation, action, reward, led, flag)
            if remember == "turned round":
                memory.add(led, action, reward, before, flag)
            if OVER[over](terminated, truncated):
                start = start_of(*env.reset())
                observation = start if take_start else observation
                if one_episode:
                    break
                if not learns_at_the_end:
                    continue
            if remember == "after the reset":
                memory.add(before, action, reward, observation, flag)
            for _ in range(updates):
                loss = _loss(online, target, memory.sample(), value, mask, target_of, gamma, squeeze, q_of, loss_of, reduction)  # fmt: skip
                if forget == "before":
                    optimizer.zero_grad()
                loss.backward()
                curb(online.parameters())
                if forget == "behind":
                    optimizer.zero_grad()
                if copy_first and copy_when(step, copy_every):
                    target = _copied(online, target, copy)
                if learn:
                    optimizer.step()
            if not copy_first and copy_when(step, copy_every):
                target = _copied(online, target, copy, copy_every)
            losses.append(kept(loss))
            if return_early:
                return handed(losses)
        return handed(losses)

    return answer


def clipped(parameters: Any) -> None:
    import torch

    torch.nn.utils.clip_grad_norm_(parameters, 1.0)


def _loss(
    online: Any, target: Any, batch: Any, value: str, mask: Any, target_of: Any, gamma: float,
    squeeze: str, q_of: str, loss_of: str, reduction: str,
) -> Any:  # fmt: skip
    import torch
    from torch.nn import functional as F  # noqa: N812

    s, a, r, s_next, ended = batch
    with torch.set_grad_enabled(value.endswith("with slopes")):
        y = target_of(r, mask(ended) * _future(online, target, s_next, value.split(",")[0]), gamma)
    values = online(s)
    q = {
        "the action taken": lambda: values.gather(1, a[:, None]).squeeze(1),
        "the best": lambda: values.max(1).values,
        "all": lambda: values.mean(1),
        "each with each": lambda: values[:, a],
        "the target's": lambda: target(s).gather(1, a[:, None]).squeeze(1) + 0 * values.sum(),
    }[q_of]()
    if squeeze == "neither":
        q = q[:, None]
    elif squeeze == "y alone":
        y = y[:, None]
    return {"huber": F.smooth_l1_loss, "squares": F.mse_loss, "sizes": F.l1_loss}[loss_of](q, y, reduction=reduction)


def _future(online: Any, target: Any, s_next: Any, value: str) -> Any:
    def picked(values: Any, choices: Any) -> Any:
        return values.gather(1, choices.argmax(1, keepdim=True)).squeeze(1)

    ways = {"double": (target, online), "plain": (target, target), "online": (online, online), "exchanged": (online, target)}  # fmt: skip
    says, chooses = ways[value]
    return picked(says(s_next), chooses(s_next))


def _copied(online: Any, target: Any, copy: str, every: int = 1) -> Any:
    """The network that is the target from now on."""
    import copy as copying

    import torch

    if copy == "name":
        return online
    if copy == "new object":
        return copying.deepcopy(online)
    if copy == "load":
        target.load_state_dict(online.state_dict())
    if copy == "backwards":
        online.load_state_dict(target.state_dict())
    if copy == "shared":
        for old, new in zip(target.parameters(), online.parameters(), strict=True):
            old.data = new.data
    if copy in SHARES:
        with torch.no_grad():
            for old, new in zip(target.parameters(), online.parameters(), strict=True):
                old.lerp_(new, SHARES[copy](every))
    return target
