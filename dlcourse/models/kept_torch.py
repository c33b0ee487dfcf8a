"""Weights that are trained once, on first use, and kept in the workspace: nobody downloads them, and nobody waits twice."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcourse import workspace as workspaces
from dlcourse.files import replace
from dlcourse.lock import locked

FOLDER = "models"


def load_or_train(
    model: nn.Module, name: str, train: Callable[[], dict[str, Any]], workspace: str | os.PathLike[str] | None
) -> None:
    """Give the model its weights: those of the file, or else those that ``train`` returns, which are put there.

    Parameters
    ----------
    model : what the weights are loaded into
    name : the file's name, in ``.dlcourse/models/`` of the workspace
    train : returns the state_dict of a trained model
    workspace : a folder; None is the one that the current folder lies in. Where there is none, nothing is kept

    Raises
    ------
    ValueError
        If the workspace is no folder.

    Warns
    -----
    UserWarning
        If the file was there and could not be used, or cannot be written.

    Notes
    -----
    Two processes that need the same weights do not both train: the second one waits for the first.
    """
    folder = workspaces.find() if workspace is None else Path(workspace).expanduser()
    if folder is None:
        model.load_state_dict(train())
        return
    if not folder.is_dir():
        raise ValueError(f"workspace={os.fspath(folder)!r} is no folder; give one that is there, or None for your own")
    path = folder / workspaces.MARKER / FOLDER / name
    if _fault(model, path) is None:
        return
    with _alone(path) as writable:
        fault = _fault(model, path)  # another process may have written it by now
        if fault is None:
            return
        if fault:
            warnings.warn(f"{path} could not be read ({fault}); the network is trained anew", stacklevel=2)
        weights = train()
        model.load_state_dict(weights)
        if writable:
            _keep(weights, path)


def _fault(model: nn.Module, path: Path) -> str | None:
    """Load the file into the model: None if that went well, "" if there is no file, or what is wrong with it."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as problem:
        return str(problem)
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if not all(torch.isfinite(value).all() for value in weights.values()):
            return "not all of its numbers are finite"
        model.load_state_dict(weights)
    except Exception as problem:  # an unreadable file makes torch.load raise almost anything
        return (
            f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else 'it is no file of weights'}"
        )
    return None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """While no other process is here; whether the folder can be written to (if not, others may be here too)."""
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(stack.enter_context(path.with_suffix(".lock").open("ab+"))))
        except OSError as problem:
            _warn_of_no_room(path, problem)
            yield False
            return
        yield True


def _keep(weights: dict[str, Any], path: Path) -> None:
    content = io.BytesIO()
    torch.save(weights, content)
    try:
        replace(path, content.getvalue(), path.with_suffix(".part"))
    except OSError as problem:
        _warn_of_no_room(path, problem)


def _warn_of_no_room(path: Path, problem: OSError) -> None:
    warnings.warn(f"{path} cannot be written ({problem}); the network is trained again in each session", stacklevel=2)
