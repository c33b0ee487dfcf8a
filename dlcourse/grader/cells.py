"""The worker's view of a notebook: its statements, which of them the answers need, and the answers once they are run.

Imports and definitions always run. Of the rest, only what an answer depends on does, directly or through other names:
trials, plots and trainings stay out, so that what goes wrong there costs no marks.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlcourse.cli.rechecking import bound_by, changed_by, read_by

_MAGIC = re.compile(r"^([ \t]*)[%!?].*$|^([ \t]*)[^#'\"\n]*\?{1,2}[ \t]*$", re.M)
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_IMPORTS = ast.Import | ast.ImportFrom


@dataclass
class Statement:
    """One top-level statement of a code cell.

    Parameters
    ----------
    key : (cell's number, position in the cell)
    node, name : the code, and the file name that tracebacks show
    exercise : what the cell's metadata names
    binds, changes, reads : the names that it defines, changes and uses
    """

    key: tuple[int, int]
    node: ast.stmt
    name: str
    exercise: str
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)


def statements_of(cells: Iterable[tuple[int, str, str]]) -> tuple[list[Statement], dict[int, str]]:
    """The statements of cells given as (number, source, exercise), and what is wrong with cells that cannot be read.

    In a cell with bad syntax, the blocks before and after the bad one are still read.
    """
    statements: list[Statement] = []
    unreadable: dict[int, str] = {}
    for number, source, exercise in cells:
        name = f"<code cell {number}>"
        code = source if _parses(source) else _MAGIC.sub(r"\1\2pass", source)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        body, problem = _body(code, name)
        if problem:
            unreadable[number] = problem
        for position, node in enumerate(body):
            statement = Statement((number, position), node, name, exercise)
            if _is_check(node):
                continue
            try:
                statement.binds, statement.changes = bound_by(node), changed_by(node)
                statement.reads = read_by(node)
            except (RecursionError, SyntaxError, ValueError, MemoryError) as error:
                unreadable[number] = f"line {node.lineno}: {type(error).__name__}"
                continue
            statements.append(statement)
    return statements, unreadable


def needed_by(names: set[str], statements: Sequence[Statement]) -> list[Statement]:
    """The statements that these names depend on, in their order."""
    wanted, chosen, grew = set(names), set[int](), True
    while grew:
        grew = False
        for index, statement in enumerate(statements):
            if index not in chosen and ("*" in statement.binds or wanted & (statement.binds | statement.changes)):
                chosen.add(index)
                wanted |= statement.reads
                grew = True
    return [statements[index] for index in sorted(chosen)]


def always_runs(statement: Statement) -> bool:
    """Whether this is an import or a definition."""
    return isinstance(statement.node, _IMPORTS | _DEFINITIONS)


def is_stub(statement: Statement) -> bool:
    """Whether this is an answer as it was handed out."""
    node = statement.node
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Constant) and node.value.value is None
    return isinstance(node, _DEFINITIONS) and any(
        isinstance(inner, ast.Raise) and inner.exc is not None and "NotImplementedError" in ast.unparse(inner.exc)
        for inner in ast.walk(node)
    )


def forbidden_in(statements: Iterable[Statement], forbidden: Sequence[str]) -> str:
    """The first forbidden name that these statements mention: as a name, an attribute, an import or a string."""
    for statement in statements:
        for node in ast.walk(statement.node):
            for mentioned in _mentions(node):
                for name in forbidden:
                    if f".{name}." in f".{mentioned}.":
                        return name
    return ""


def _mentions(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute():
            return [_dotted(node)]
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names):
            return [f"{module or ''}.{alias.name}" for alias in names]
        case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.]{2,100}", text):
            return [text]
    return []


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id] if isinstance(node, ast.Name) else parts))


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _body(code: str, name: str) -> tuple[list[ast.stmt], str]:
    try:
        return ast.parse(code, name).body, ""
    except SyntaxError as error:
        return _readable_blocks(code, name), f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return [], f"{type(error).__name__}: {error}"


def _readable_blocks(code: str, name: str) -> list[ast.stmt]:
    """The statements of those top-level blocks that are good Python, at their own line numbers."""
    lines = code.split("\n")
    starts = [i for i, line in enumerate(lines) if re.match(r"[^\s#)\]}]", line)]
    body: list[ast.stmt] = []
    for start, end in zip(starts[:2000], [*starts[1:], len(lines)], strict=False):
        try:
            tree = ast.parse("\n".join(lines[start:end]), name)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        body += ast.increment_lineno(tree, start).body
    return body


def _is_check(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Call(ast.Name("check" | "hint" | "progress"))):
            return True
    return False


def candidates(statements: Sequence[Statement], function: str, exercise: str) -> list[tuple[Statement, str]]:
    """Where an answer is defined, the best first, with the name that it has there.

    The cell that bears the exercise's id comes first, then any place that defines the function; of several the last;
    one as it was handed out comes after all that are not. In the exercise's own cell a lone definition under another
    name is taken for the answer.
    """
    found = [(s, function) for s in statements if function in s.binds and not isinstance(s.node, _IMPORTS)]
    if not found:
        own = [s for s in statements if s.exercise == exercise and isinstance(s.node, _DEFINITIONS)]
        found = [(s, next(iter(s.binds))) for s in own] if len(own) == 1 else []
    order = {id(s): i for i, s in enumerate(statements)}
    return sorted(found, key=lambda both: (is_stub(both[0]), both[0].exercise != exercise, -order[id(both[0])]))


def fresh_namespace() -> dict[str, Any]:
    """Where a notebook's code runs: the names that every notebook has."""
    return {"__name__": "__main__", "display": lambda *things, **options: None, "get_ipython": lambda: None}
