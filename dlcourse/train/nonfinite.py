"""A loss that is no longer a number ends the run at once, with what can be known about the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.ops.rule import Array


class NonFiniteLossError(FloatingPointError):
    """The loss became NaN or infinite.

    Attributes
    ----------
    epoch, batch_number, step : where: epoch and batch of the epoch counted from 1, step of the whole run from 1
    batch : the batch itself, inputs and target, to look at and to try again
    """

    def __init__(self, message: str, epoch: int, batch_number: int, step: int, batch: tuple[Any, ...]) -> None:
        super().__init__(message)
        self.epoch, self.batch_number, self.step, self.batch = epoch, batch_number, step, batch


def explanation(
    value: float, where: str, parts: Sequence[Array | None], weights: Mapping[str, Array | None], outputs: Array | None,
    losses: Sequence[float],
) -> str:  # fmt: skip
    """The message: what was looked at, and the causes that are left.

    Parameters
    ----------
    value : the loss
    where : the place, such as "epoch 3, batch 2 (step 10)"
    parts : the batch's arrays, the target last
    weights : the model's parameters and buffers, as they were when this loss was computed
    outputs : the model's, or None where they are no array
    losses : of the steps before, the latest last
    """
    bad_parts = [
        f"{_part_name(i, len(parts))} holds {_rows(part)}"
        for i, part in enumerate(parts)
        if part is not None and not _finite(part)
    ]
    bad_weights = [name for name, array in weights.items() if not _finite(array)]
    lines = [f"the loss is {value} in {where}; the error's .batch holds that batch."]
    if bad_parts:
        lines += [f"Bad input: the batch's {'; its '.join(bad_parts)}. Clean the data."]
    else:
        lines += ["The batch itself is finite."]
    if bad_weights:
        lines += [f"The weights were NaN or infinite before this step already: {_some(bad_weights)}. An earlier step did "
                  "it: too high a learning rate, or a gradient that is no number, as of sqrt(x) or log(x) at 0 and of a "
                  "division by 0."]  # fmt: skip
    elif not bad_parts and not _finite(outputs):
        lines += ["The weights are finite, the model's outputs are not: a log of 0, a division by 0 or an overflow (exp; "
                  "in mixed precision, anything above 65504) inside the model."]  # fmt: skip
    elif not bad_parts:
        lines += ["Weights and outputs are finite, so the loss function itself is to blame: a log of 0 (take the loss "
                  "that works on scores, such as cross_entropy), a division by 0, a mean over nothing, or an overflow."]  # fmt: skip
    lines += [_advice(losses)]
    return "\n".join(lines)


def _advice(losses: Sequence[float]) -> str:
    before = (
        f"The losses before were {', '.join(f'{loss:.4g}' for loss in losses)}" if losses else "It is the first step"
    )
    if len(losses) > 1 and losses[-1] > 2 * min(losses):
        return f"{before}: they grow, which points to the learning rate. Try a tenth of it, or clip with max_norm=1."
    return f"{before}. If nothing else explains it, try a tenth of the learning rate, or clip with max_norm=1."


def _finite(array: Array | None) -> bool:
    return array is None or array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _part_name(index: int, count: int) -> str:
    if index == count - 1:
        return "target"
    return "input" if count == 2 else f"input {index}"


def _rows(part: Array) -> str:
    bad = ~np.isfinite(part)
    kinds = " and ".join(name for name, test in (("NaN", np.isnan), ("infinity", np.isinf)) if test(part).any())
    if part.ndim == 0:
        return kinds
    rows = np.flatnonzero(bad.reshape(len(part), -1).any(1))
    return f"{kinds} in row{'s' if len(rows) > 1 else ''} {_some([str(row) for row in rows])}"


def _some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
