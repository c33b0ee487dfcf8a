"""Run an answer on one case and say what happened, whatever the answer does.

The global random generators are seeded before and restored afterwards, so that nothing random decides a verdict.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import linecache
import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.drivers.adversaries import covers_the_ring, normalizes, penalizes, plays
from dlcourse.drivers.attention import recalls, trains_and_tests
from dlcourse.drivers.budgets import reads_with_convolutions
from dlcourse.drivers.building import builds_a_cnn
from dlcourse.drivers.case import Case, plain
from dlcourse.drivers.descent import ravine, shuffles
from dlcourse.drivers.environments import balances, clips_ratios, trains_on_a_script, weighs_log_probs
from dlcourse.drivers.exploration import chooses, remembers_steps
from dlcourse.drivers.layers import described
from dlcourse.drivers.limits import Interrupted, TimeLimit, real_interrupts, time_limit
from dlcourse.drivers.networks import draws, reads_with_layers, slopes_by_layer
from dlcourse.drivers.practice import clipped, drops, regularized, trains_a_model
from dlcourse.drivers.reading import reads_digits
from dlcourse.drivers.scripts import script
from dlcourse.drivers.sequences import remembers, samples, trains_in_chunks, trains_on_streams

MOST_ITEMS = 10_000  # an endless generator ends here


@dataclass(frozen=True)
class Failure:
    """An exception in the answer's own code: its type and text, and the innermost line that the learner wrote."""

    type: str
    text: str
    line: int = 0
    source: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one call gave: a plain value or a failure, which arguments it changed, what it printed and warned of."""

    value: Any = None
    failure: Failure | None = None
    mutated: tuple[int, ...] = ()
    printed: str = ""
    warned: tuple[str, ...] = ()


def call(answer: Callable[..., Any], *args: Any) -> Any:
    """``answer(*args)``."""
    return answer(*args)


def iterate(answer: Callable[..., Any], *args: Any) -> list[Any]:
    """All that ``answer(*args)`` yields, up to a bound."""
    return [plain(item) for item in itertools.islice(iter(answer(*args)), MOST_ITEMS)]


def epochs(answer: Callable[..., Any], *args: Any) -> list[list[Any]]:
    """Two passes with the same arguments, a random generator among them going on from the first to the second."""
    return [iterate(answer, *args), iterate(answer, *args)]


def value(answer: Any, *args: Any) -> Any:
    """The answer itself; a network as the list of its layers."""
    return described(answer)


DRIVERS: dict[str, Callable[..., Any]] = {
    "call": call,
    "iterate": iterate,
    "epochs": epochs,
    "script": script,
    "value": value,
    "reads_digits": reads_digits,
    "ravine": ravine,
    "shuffles": shuffles,
    "draws": draws,
    "slopes_by_layer": slopes_by_layer,
    "reads_with_layers": reads_with_layers,
    "drops": drops,
    "clipped": clipped,
    "trains_a_model": trains_a_model,
    "regularized": regularized,
    "samples": samples,
    "trains_in_chunks": trains_in_chunks,
    "trains_on_streams": trains_on_streams,
    "remembers": remembers,
    "builds_a_cnn": builds_a_cnn,
    "reads_with_convolutions": reads_with_convolutions,
    "trains_and_tests": trains_and_tests,
    "recalls": recalls,
    "plays": plays,
    "penalizes": penalizes,
    "normalizes": normalizes,
    "covers_the_ring": covers_the_ring,
    "chooses": chooses,
    "remembers_steps": remembers_steps,
    "weighs_log_probs": weighs_log_probs,
    "clips_ratios": clips_ratios,
    "trains_on_a_script": trains_on_a_script,
    "balances": balances,
}


def run_case(driver: str, answer: Any, case: Case, seconds: float = 5.0) -> Outcome:
    """Run ``answer`` on ``case`` under a time limit; raises nothing but KeyboardInterrupt for a pressed Ctrl-C."""
    with _random_state_kept():
        return run_and_forget(driver, answer, case, seconds)


def run_and_forget(driver: str, answer: Any, case: Case, seconds: float) -> Outcome:
    """The same in a process whose global random generators nobody else needs; keeping them takes half of the time."""
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    args = case.materialize()
    printed = io.StringIO()
    result, failure = None, None
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        np.errstate(over="warn", divide="warn", invalid="warn", under="ignore"),
        real_interrupts(),
    ):
        warnings.simplefilter("always")
        try:
            with time_limit(seconds):
                result = plain(DRIVERS[driver](answer, *args))
        except Interrupted:
            raise
        except TimeLimit:
            failure = Failure("TimeLimit", f"{seconds:g}")
        except BaseException as error:  # whatever an answer raises is a finding, SystemExit included
            failure = describe(error)
    return Outcome(
        value=result,
        failure=failure,
        mutated=tuple(i for i, (was, now) in enumerate(zip(case.args, args, strict=True)) if changed(was, now)),
        printed=printed.getvalue(),
        warned=tuple(dict.fromkeys(str(warning.message) for warning in caught)),
    )


def describe(error: BaseException) -> Failure:
    """The failure with the innermost frame of the learner's own code: a notebook cell or a file that is not a library."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
        and "/dlcourse/drivers/" not in frame.filename.replace("\\", "/")
        and not frame.filename.startswith("<frozen")
    ]
    text = _safe_text(error)
    if not own:
        return Failure(type(error).__name__, text)
    last = own[-1]
    source = (linecache.getline(last.filename, last.lineno or 0) or last.line or "").strip()
    return Failure(type(error).__name__, text, last.lineno or 0, source)


def _safe_text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except Exception:
        return ""


def changed(was: Any, now: Any) -> bool:
    """Whether an argument was changed in place; random generators and functions may change."""
    if isinstance(was, np.ndarray):
        same_form = isinstance(now, np.ndarray) and was.shape == now.shape and was.dtype == now.dtype
        if same_form and was.tobytes() == now.tobytes():
            return False
        return not (same_form and np.array_equal(was, now, equal_nan=was.dtype.kind in "fc"))
    if isinstance(was, list | tuple):
        return len(was) != len(now) or any(changed(a, b) for a, b in zip(was, now, strict=True))
    if isinstance(was, dict):
        return was.keys() != now.keys() or any(changed(was[key], now[key]) for key in was)
    if type(was) in (bool, int, float, str):
        return type(now) is not type(was) or (now != was and was == was)  # NaN stays NaN
    return False


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
