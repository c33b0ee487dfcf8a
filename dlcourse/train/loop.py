"""The training loop: forward, loss, backward, step, for as many epochs as asked, and what a long run needs around it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dlcourse.bars import progress_bar
from dlcourse.nn.module import Module
from dlcourse.train.callbacks import Callback
from dlcourse.train.engine import Engine, NumpyEngine
from dlcourse.train.history import History, Means
from dlcourse.train.run import Run, length

Metrics = Mapping[str, Callable[[Any, Any], float]]


def fit(
    model: Any, loader: Any, loss: Callable[..., Any], optimizer: Any, *, epochs: int, val_loader: Any = None,
    metrics: Metrics | None = None, schedule: Any = None, schedule_every: Literal["step", "epoch"] = "epoch",
    max_norm: float | None = None, callbacks: Sequence[Callback] = (), checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None, resume: bool = True, device: str = "auto", mixed_precision: bool = False,
    progress: bool = True,
) -> History:  # fmt: skip
    """Train a model of ``dlcourse.nn`` or of ``torch.nn``, and leave it in evaluation mode.

    Parameters
    ----------
    model : ``dlcourse.nn.Module`` or ``torch.nn.Module``, compiled or not
    loader : batches ``(X, y)``, or several inputs and then the target; iterated anew for each epoch
    loss : function of the model's outputs and the target, such as ``F.cross_entropy`` or a module
    optimizer : over the model's parameters
    epochs : passes over the data, those before a resumption included
    val_loader : batches to measure on after each epoch, in evaluation mode
    metrics : name -> function of outputs and target (arrays; for PyTorch's models tensors), a mean over the batch. None
        is the accuracy, where outputs are (N, C, ...) and the target is whole numbers (N, ...)
    schedule, schedule_every : a learning-rate schedule, and when its ``step()`` is due
    max_norm : clip the gradients to this joint length
    callbacks : objects told of the end of steps, epochs and the run, such as ``EarlyStopping``
    checkpoint : a file (.npz for our models, .pt for PyTorch's) written after each epoch, and after each
        ``checkpoint_every`` steps. If it exists, the run goes on from it, unless ``resume=False``
    device : for PyTorch's models; "auto" is the GPU (CUDA, MPS) if there is one. The model stays there
    mixed_precision : compute in float16 where that is safe, with scaled gradients; without effect except on CUDA
    progress : show a bar, where somebody can see it; TQDM_DISABLE=1 hides all bars

    Returns
    -------
    The history: "loss", "lr", each metric, and the same with "val_", one number for each epoch.

    Raises
    ------
    ValueError, TypeError
        If an argument makes no sense, or the checkpoint is another run's.
    NonFiniteLossError
        If the loss becomes NaN or infinite; the message names the place and the likely causes. The step is not taken.
    KeyboardInterrupt
        On Ctrl-C, after the running step and a checkpoint, if there is one; a second Ctrl-C does not wait.

    Notes
    -----
    A run that was killed at any moment, and is started again in the same way, ends with the weights and history of an
    unbroken one, bit for bit (on one machine, with deterministic operations). The generators are saved too, wherever
    model, loss and loaders keep them in attributes, and PyTorch's, NumPy's and Python's global ones; the loader's
    workers must not be persistent if they draw.

    Under ``torchrun`` each process trains on its share, and the first one writes and shows. ``fit`` joins the group and
    wraps the model in DistributedDataParallel unless you did. A loader with a DistributedSampler is told each epoch; of
    any other's batches, each process takes its rows, so that the same script gives the same steps as one process. There
    Ctrl-C ends the run at once. NumPy's models train in one process.
    """
    _check_options(epochs, max_norm, checkpoint, checkpoint_every, schedule_every, metrics, callbacks)
    loaders = {"loader": loader} | ({} if val_loader is None else {"val_loader": val_loader})
    for name, each in loaders.items():
        _check_loader(name, each)
    engine = _engine(model, loss, optimizer, device, mixed_precision)
    run = Run(engine, schedule, callbacks, loaders)
    path = _path(checkpoint, engine)
    if path is not None and resume:
        run.resume(path)

    with (
        _progress_bar(run, epochs, progress and engine.rank == 0) as bar,
        _interruptible(engine.world == 1) as interrupted,
    ):
        while run.epoch < epochs and not run.stopped:
            engine.model.train()
            for inputs, target in run.batches():  # X (N, D), y (N,)
                outputs, value = engine.forward(inputs, target)
                loss_now = run.number(value, (inputs, target), outputs)
                optimizer.zero_grad()
                engine.backward(value)
                stepped = engine.step(max_norm)

                if schedule is not None and schedule_every == "step" and stepped:
                    schedule.step()
                run.count_step(loss_now, _measure(engine, metrics, outputs, target), engine.examples(target))
                bar.update()
                if path is not None and checkpoint_every is not None and run.step % checkpoint_every == 0:
                    run.save(path)
                if interrupted():
                    _interrupt(run, path)

            engine.equalize()
            row = Means(engine.total(run.means.sums)).result()
            if val_loader is not None:
                row |= _validate(run, val_loader, metrics)
            row["lr"] = float(optimizer.param_groups[0]["lr"])
            if schedule is not None and schedule_every == "epoch":
                engine.schedule_step(schedule, row)
            run.count_epoch(row)
            bar.set_postfix({name: f"{figure:.4g}" for name, figure in row.items()})
            if path is not None:
                run.save(path)
            if interrupted():
                _interrupt(run, path)
    for callback in callbacks:
        callback.on_fit_end(run)
    engine.model.eval()
    return run.history


def _validate(run: Run, loader: Any, metrics: Metrics | None) -> dict[str, float]:
    """The mean loss and metrics over a loader, in evaluation mode."""
    engine, means = run.engine, Means()
    engine.model.eval()
    with engine.evaluation():
        for number, batch in enumerate(loader, 1):
            inputs, target = engine.inputs_and_target(batch, run.is_split["val_loader"], training=False)
            if not engine.examples(target):
                continue  # a small last batch leaves nothing for this process
            outputs, value = engine.evaluate(inputs, target)
            where = f"validation after epoch {run.epoch + 1}, batch {number}"
            loss_now = run.number(value, (inputs, target), outputs, where)
            means.add({"loss": loss_now, **_measure(engine, metrics, outputs, target)}, engine.examples(target))
    result = Means(engine.total(means.sums)).result("val_")
    if not result:
        raise ValueError("fit: val_loader gave no batches; leave it out, or give it some")
    return result


def _measure(engine: Engine, metrics: Metrics | None, outputs: Any, target: Any) -> dict[str, float]:
    if metrics is None:
        return engine.accuracy(outputs, target)
    with engine.evaluation():
        outputs, target = engine.plain(outputs), engine.plain(target)
        return {name: float(metric(outputs, target)) for name, metric in metrics.items()}


# ---- around the loop


def _engine(model: Any, loss: Callable[..., Any], optimizer: Any, device: str, mixed_precision: bool) -> Engine:
    torch = sys.modules.get("torch")  # whoever has a model of torch.nn has loaded it
    if torch is not None and isinstance(model, torch.nn.Module):
        from dlcourse.train.engine_torch import TorchEngine

        return TorchEngine(model, loss, optimizer, device, mixed_precision)
    if not isinstance(model, Module):
        raise TypeError(f"fit: model is a {type(model).__name__}; give a module of dlcourse.nn or of torch.nn")
    if device not in ("auto", "cpu"):
        raise ValueError(f"fit: device={device!r}, but NumPy's models compute on the CPU; write the model in torch.nn")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("fit: NumPy's models train in one process; start the script without torchrun")
    return NumpyEngine(model, loss, optimizer)


def _check_options(
    epochs: Any, max_norm: float | None, checkpoint: Any, every: Any, schedule_every: str, metrics: Metrics | None,
    callbacks: Any,
) -> None:  # fmt: skip
    for name, value in (("epochs", epochs), ("checkpoint_every", every)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ValueError(f"fit: {name}={value!r}; it must be a whole number of at least 1")
    if epochs is None:
        raise ValueError("fit: epochs=None; it must be a whole number of at least 1")
    if max_norm is not None and not max_norm > 0:
        raise ValueError(f"fit: max_norm={max_norm}; it must be above 0, or None for no clipping")
    if every is not None and checkpoint is None:
        raise ValueError(f"fit: checkpoint_every={every} needs a file: checkpoint='run.npz'")
    if schedule_every not in ("step", "epoch"):
        raise ValueError(f"fit: schedule_every={schedule_every!r}; choose 'step' or 'epoch'")
    if metrics is not None and (taken := {"loss", "lr"} & metrics.keys()):
        raise ValueError(f"fit: metrics has the names {sorted(taken)}, which the history needs; choose others")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(
                f"fit: the callback {callback!r} is no Callback; derive its class from dlcourse.train.Callback"
            )


def _check_loader(name: str, loader: Any) -> None:
    if hasattr(loader, "__next__"):
        raise TypeError(f"fit: {name} is an iterator, which is used up after one epoch; give a list of batches or a "
                        "DataLoader")  # fmt: skip
    if not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__"):
        raise TypeError(f"fit: {name} is a {type(loader).__name__}; give batches, such as data.DataLoader((X, y), 32)")
    if length(loader) == 0:
        raise ValueError(f"fit: {name} is empty; has it data, and batch_size no more than that with drop_last=True?")


def _path(checkpoint: str | Path | None, engine: Engine) -> Path | None:
    if checkpoint is None:
        return None
    if not hasattr(engine.optimizer, "state_dict"):
        raise TypeError(f"fit: a checkpoint needs {type(engine.optimizer).__name__}.state_dict() and load_state_dict()")
    path = Path(checkpoint).absolute()
    if path.is_dir():
        raise ValueError(f"fit: checkpoint={str(checkpoint)!r} is a folder; name a file in it")
    if engine.rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _progress_bar(run: Run, epochs: int, shown: bool) -> Any:
    batches = length(run.loaders["loader"])
    total = None if batches is None else epochs * batches
    return progress_bar(shown, total=total, initial=run.step, desc=f"{epochs} epochs", unit="step")


@contextlib.contextmanager
def _interruptible(active: bool) -> Iterator[Callable[[], bool]]:
    """Within it, the first Ctrl-C only sets a flag, so that no step is broken off half way; the second one breaks."""
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    in_main = threading.current_thread() is threading.main_thread()
    if not (active and in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(run: Run, path: Path | None) -> None:
    """Save, and end as Ctrl-C ends a program."""
    where = f"interrupted in epoch {run.epoch + 1} after {run.batch} of its batches"
    if path is None:
        raise KeyboardInterrupt(f"{where}; the model keeps its weights")
    run.save(path)
    raise KeyboardInterrupt(f"{where}; saved in {path}, the same call goes on from there")
