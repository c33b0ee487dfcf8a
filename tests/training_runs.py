"""Runs that test_train.py breaks off and resumes, or starts in several processes. As a program:

python tests/training_runs.py kill ENGINE TRIALS FOLDER        SIGKILL at random moments, resume, compare
torchrun --nproc-per-node 2 tests/training_runs.py share FOLDER    what several processes learn together
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse import data, nn, optim
from dlcourse.train import Callback, EarlyStopping, fit

EPOCHS, BATCH = 6, 16


def points(n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 4)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def numpy_run(checkpoint: Path | None, **options: Any) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """A run with every kind of state: shuffling, dropout, running means, moments, a schedule by steps, early stopping."""
    rng, X, y = np.random.default_rng(1), *points()
    dropout = nn.Dropout(0.2, rng=np.random.default_rng(2))
    model = nn.Sequential(nn.Linear(4, 16, rng=rng), nn.BatchNorm1d(16), dropout, nn.Tanh(), nn.Linear(16, 2, rng=rng))
    loader = data.DataLoader((X, y), BATCH, shuffle=True, rng=np.random.default_rng(3))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.05, epochs=EPOCHS, steps_per_epoch=len(loader))
    history = fit(
        model, loader, nn.CrossEntropyLoss(), optimizer, epochs=EPOCHS, val_loader=loader, schedule=schedule,
        schedule_every="step", max_norm=0.5, checkpoint=checkpoint, checkpoint_every=checkpoint and 3,
        **{"callbacks": [EarlyStopping(3)], **options},
    )  # fmt: skip
    return model.state_dict(), dict(history)


def torch_run(checkpoint: Path | None, **options: Any) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """The same in PyTorch, with its global generator."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    X, y = points()
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.2), torch.nn.Tanh(), torch.nn.Linear(16, 2)
    )
    loader = DataLoader(TensorDataset(torch.tensor(X), torch.tensor(y)), BATCH, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, epochs=EPOCHS, steps_per_epoch=len(loader))
    history = fit(
        model, loader, torch.nn.functional.cross_entropy, optimizer, epochs=EPOCHS, val_loader=[(X, y), (X[:1], y[:1])], schedule=schedule,
        schedule_every="step", max_norm=0.5, checkpoint=checkpoint, checkpoint_every=checkpoint and 3,
        **{"callbacks": [EarlyStopping(3)], "device": "cpu", **options},
    )  # fmt: skip
    return {name: value.cpu().numpy() for name, value in model.state_dict().items()}, dict(history)


RUNS = {"numpy": (numpy_run, "run.npz"), "torch": (torch_run, "run.pt")}


# ---- killing


def in_a_child(engine: str, folder: Path, kill_after: float | None) -> bool:
    """Train in a forked process, killed after so many seconds; whether it came to its end."""
    run, name = RUNS[engine]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            (folder / "result").write_bytes(pickle.dumps(run(folder / name)))
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("the run failed, see above")
    return os.WIFEXITED(status)


def kill_and_resume(engine: str, trials: int, folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """How often killed, how often in the middle of writing, how many kills left a run to resume, how many differ."""
    counts = {"trials": trials, "kills": 0, "while writing": 0, "resumed": 0, "different": 0}
    RUNS[engine][0](None)  # loads what is loaded on first use, once for all children
    unbroken = folder / "unbroken"
    unbroken.mkdir(parents=True)
    began = time.perf_counter()
    in_a_child(engine, unbroken, None)
    seconds = time.perf_counter() - began
    for trial in range(trials):
        place = folder / str(trial)
        place.mkdir()
        for _ in range(4):
            if in_a_child(engine, place, rng.uniform(0, seconds)):
                break
            counts["kills"] += 1
            counts["while writing"] += any(place.glob(".*.partial"))
            counts["resumed"] += (place / RUNS[engine][1]).exists()
        else:
            in_a_child(engine, place, None)
        results = [pickle.loads((each / "result").read_bytes()) for each in (unbroken, place)]
        counts["different"] += not same(*results)
    return counts


def same(one: Any, other: Any) -> bool:
    """Equal weights and histories, to the last bit."""
    (weights, history), (others, other_history) = one, other
    return history == other_history and all(weights[name].tobytes() == others[name].tobytes() for name in weights)


# ---- several processes


class Ask(Callback):
    """Asks to stop after an epoch, or breaks the run off after a step."""

    def __init__(self, epoch: int = 0, step: int = 0) -> None:
        self.epoch, self.step = epoch, step

    def on_step_end(self, run: Any) -> None:
        if run.step == self.step:
            raise InterruptedError

    def on_epoch_end(self, run: Any) -> None:
        if run.epoch == self.epoch:
            run.stop("asked")


def shared_run(loader: str, wrapped: bool = False, callbacks: Any = ()) -> tuple[dict[str, Any], Any]:
    """Train on batches of 8 in one process or in the group's; "sampler": each process has a loader of its own."""
    import torch
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

    torch.manual_seed(0)
    X, y = points(60)
    model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    dataset = TensorDataset(torch.tensor(X), torch.tensor(y))
    world, rank = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", "1"), ("RANK", "0")))
    if loader == "sampler" and world > 1:
        sampler = DistributedSampler(dataset, world, rank, shuffle=False)
        batches: Any = DataLoader(dataset, 8 // world, sampler=sampler)
    elif loader == "sampler":
        batches = DataLoader(dataset, 8)
    else:
        batches = DataLoader(dataset, 8, shuffle=True, generator=torch.Generator().manual_seed(5 + rank))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    network = DistributedDataParallel(model) if wrapped else model
    held_out = [(X[:7], y[:7]), (X[7:8], y[7:8])]  # neither comes out even
    history = fit(network, batches, torch.nn.functional.cross_entropy, optimizer, epochs=5, device="cpu",
                  val_loader=held_out, callbacks=callbacks, max_norm=1.0)  # fmt: skip
    epochs = getattr(batches.sampler, "epoch", None)
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}, (dict(history), epochs)


def share(folder: Path) -> None:
    """What each of several processes ends with, a file for each."""
    import torch.distributed as dist

    rank = int(os.environ["RANK"])
    results: dict[str, Any] = {name: shared_run(name) for name in ("whole", "sampler")}
    results["wrapped"] = shared_run("whole", wrapped=True)
    results["asked"] = shared_run("whole", callbacks=[Ask(epoch=3 if rank == 1 else 99)])
    results["unbroken"] = torch_run(folder / "unbroken.pt", callbacks=[Ask()])
    for at in (5, 11):  # with a checkpoint after steps 3 and 9: in the middle of an epoch
        try:
            torch_run(folder / "broken.pt", callbacks=[Ask(step=at)])
        except InterruptedError:
            dist.barrier()
    results["resumed"] = torch_run(folder / "broken.pt", callbacks=[Ask()])
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    if sys.argv[1] == "kill":
        engine, trials, place = sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
        if engine == "torch":
            import torch

            torch.set_num_threads(1)
        seed = int(sys.argv[5]) if len(sys.argv) > 5 else 0
        print(json.dumps(kill_and_resume(engine, trials, place, np.random.default_rng(seed))))
    else:
        share(Path(sys.argv[2]))
