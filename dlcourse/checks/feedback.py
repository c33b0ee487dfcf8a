"""How a verdict reads: in JupyterLab as a box with a colored edge, elsewhere as plain text, never by color alone."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.drivers import Opaque

# JupyterLab's variables follow its theme; what stands after the comma is for everything else that shows HTML.
PASSED_COLOR, FAILED_COLOR = "var(--jp-success-color1,#2e7d32)", "var(--jp-error-color1,#c62828)"
BOX = (
    "border-left:4px solid {color};padding:.5em .8em;margin:.3em 0;max-width:70em;line-height:1.5;"
    "background:var(--jp-layout-color2,transparent);color:var(--jp-content-font-color1,inherit)"
)
CELL = "text-align:left;padding:.1em 1em .1em 0;vertical-align:baseline;background:none;color:inherit"
MONO = "font-family:var(--jp-code-font-family,monospace);font-size:.95em;color:inherit;background:none;padding:0"
PRE = f"margin:0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;line-height:1.4;{MONO}"


@dataclass(frozen=True)
class Verdict:
    """The result of a check.

    Parameters
    ----------
    id : the exercise
    passed : whether it counts
    mistake : name of the known wrong answer, or of the general relation that was found; None when passed
    points : earned
    lines : what is said, one sentence or two a line
    table : rows of (label, text), such as input, yours, expected
    compare : source of another right answer, shown folded after passing
    """

    id: str
    passed: bool
    mistake: str | None
    points: float
    lines: tuple[str, ...]
    table: tuple[tuple[str, str], ...] = ()
    compare: str = ""

    @property
    def heading(self) -> str:
        """The first line's word and the exercise."""
        return f"{'Passed' if self.passed else 'Not yet'}: {self.id}"

    @property
    def message(self) -> str:
        """All of it as plain text."""
        width = max((len(label) for label, _ in self.table), default=0)
        rows = [
            f"  {label:<{width}}  {text}".replace("\n", "\n" + " " * (width + 4)).rstrip() for label, text in self.table
        ]
        first, *rest = (*self.lines, "")
        return "\n".join([first, *rows, *(line for line in rest if line)])

    def __repr__(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.heading}\n{self.message}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        color, sign = (PASSED_COLOR, "✓") if self.passed else (FAILED_COLOR, "✗")
        first, *rest = (*self.lines, "")
        rows = "".join(
            f'<tr style="background:none"><th style="{CELL}">{escape(label)}</th>'
            f'<td style="{CELL}"><pre style="{PRE}">{escape(text)}</pre></td></tr>'
            for label, text in self.table
        )
        table = f'<table style="margin:.4em 0">{rows}</table>' if rows else ""
        after = "".join(f"<div>{_inline(line)}</div>" for line in rest if line)
        source = f'<pre style="{PRE};margin:.3em 0 0 1.2em">{escape(self.compare)}</pre>'
        compare = f"<details><summary>Another right answer, to compare</summary>{source}</details>"
        return (
            f'<div role="status" style="{BOX.format(color=color)}"><strong>{sign} {escape(self.heading)}</strong>'
            f"<div>{_inline(first)}</div>{table}{after}{compare if self.compare else ''}</div>"
        )


def _inline(text: str) -> str:
    """Escaped text in which `code` is set as code."""
    parts = escape(text, quote=False).split("`")
    if len(parts) % 2 == 0:
        return escape(text, quote=False)
    return "".join(f'<code style="{MONO}">{part}</code>' if i % 2 else part for i, part in enumerate(parts))


@dataclass
class CheckFailed(AssertionError):  # noqa: N818 - it is the learner's check that failed
    """Raised by a failed check: graders see an assertion, readers one short line instead of a traceback."""

    verdict: Verdict = field()

    def __str__(self) -> str:
        return f"{self.verdict.heading}\n{self.verdict.message}"

    def _render_traceback_(self, *args: Any, **kwargs: Any) -> list[str]:
        return [f"✗ {self.verdict.heading} (read the box above)"]


def brief(value: Any, width: int = 76, digits: int = 5) -> str:
    """A value on one line, or on few: numbers with some digits, large arrays by their shape and first entries."""
    if isinstance(value, float):
        return f"{value:.{digits + 1}g}"
    if isinstance(value, np.ndarray):
        return brief(value.item(), width, digits) if value.ndim == 0 else _array(value, width, digits)
    if isinstance(value, tuple | list):
        inside = ", ".join(brief(item, width, digits).replace("\n ", " ") for item in value)  # on one line
        if isinstance(value, list):
            return _clip(f"[{inside}]", 3 * width)
        return _clip(f"({inside},)" if len(value) == 1 else f"({inside})", 3 * width)
    if isinstance(value, dict):
        items = ", ".join(f"{key!r}: {brief(item, width, digits)}" for key, item in value.items()).replace("\n ", " ")
        return _clip("{" + items + "}", 3 * width)
    if isinstance(value, Opaque):
        return value.type
    return _clip(repr(value), 2 * width)


def _array(array: NDArray[Any], width: int, digits: int) -> str:
    """Rows one below the other, so that columns can be seen; a large array by its shape and first entries."""
    flat = _nested(array.tolist(), digits)
    if array.size > 40 or (len(array) > 5 and len(flat) > 2 * width):
        first = ", ".join(brief(item) for item in array.ravel()[:4].tolist())
        return f"shape {array.shape}: {first}, ..."
    if array.ndim == 1 or len(array) == 1 or len(array) > 5 or array.shape[-1] == 1:
        return flat
    return "[" + ",\n ".join(_nested(row, digits) for row in array.tolist()) + "]"


def _nested(items: Any, digits: int) -> str:
    if isinstance(items, list):
        return "[" + ", ".join(_nested(item, digits) for item in items) + "]"
    return f"{items:.{digits}g}" if isinstance(items, float) else str(items)


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 4] + " ..."


@cache
def source_of(function: Any) -> str:
    """The source of a right answer without its type annotations, or nothing where there is none to show."""
    try:
        text = inspect.cleandoc("\n" + inspect.getsource(function))
        node = ast.parse(text).body[0]
    except (TypeError, OSError, SyntaxError):
        return ""
    if not isinstance(node, ast.FunctionDef):
        return text
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    body = text.splitlines()[node.body[0].lineno - 1 :]
    return "\n".join([f"def {node.name}({ast.unparse(node.args)}):", *body])
