"""Several processes that train one model, each on its share of a batch (Li et al. 2020, "PyTorch Distributed").

``torchrun`` starts them and sets RANK, LOCAL_RANK and WORLD_SIZE. Here is what they must say to one another; the mean of
the gradients is DistributedDataParallel's.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import IterableDataset


def join(device: torch.device) -> tuple[int, int]:
    """This process's rank and the number of processes; joins the group that the environment names, if there is one."""
    if not dist.is_available():
        return 0, 1
    if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(leave)
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def leave() -> None:
    """End the group in order, or NCCL complains."""
    if dist.is_initialized():
        dist.destroy_process_group()


def local_rank() -> int:
    """Which of this machine's GPUs is this process's."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def total(sums: dict[str, list[float]], device: torch.device) -> dict[str, list[float]]:
    """The entries of all processes, added up in float64; the same on each of them."""
    everybody = gather(sums)
    names = list(dict.fromkeys(name for each in everybody for name in each))
    table = [[sums.get(name, [0.0, 0.0])[i] for i in range(2)] for name in names]
    tensor = torch.tensor(table, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return dict(zip(names, tensor.tolist(), strict=True))


def anywhere(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process."""
    tensor = torch.tensor(float(flag), device=device)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return bool(tensor.item())


def gather(value: Any) -> list[Any]:
    """The values of all processes, by rank."""
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def from_first(value: Any) -> Any:
    """The value that process 0 has."""
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def broadcast(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrite them by process 0's."""
    for tensor in tensors:
        dist.broadcast(tensor, src=0)


def sampler_of(loader: Any) -> Any:
    """What chooses a DataLoader's examples; None for other loaders."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    return getattr(batch_sampler, "sampler", None) or getattr(loader, "sampler", None)


def is_split(loader: Any) -> bool:
    """Whether the loader gives each process its own examples: it has a DistributedSampler or reads a stream."""
    return hasattr(sampler_of(loader), "set_epoch") or isinstance(getattr(loader, "dataset", None), IterableDataset)


def share(part: Any, rank: int, world: int, even: bool) -> Any:
    """Every ``world``-th row of a tensor, an array or a list or dict of them, from ``rank`` on.

    Where the rows do not come out ``even``, the first ones are taken again, as DistributedSampler does: all processes
    then take part in each step with equally many examples.
    """
    if isinstance(part, dict):
        return {name: share(each, rank, world, even) for name, each in part.items()}
    if isinstance(part, tuple | list):
        return type(part)(share(each, rank, world, even) for each in part)
    n = len(part)
    rows = range(rank, -(-n // world) * world if even else n, world)
    return part[[row % n for row in rows]]
