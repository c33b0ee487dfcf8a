"""Checks a saved notebook outside its kernel: ``python -m dlcourse.cli.rechecking NOTEBOOK [ID TO SKIP ...]``.

For each check cell it runs what the answer needs and nothing else: the statements that define or change a name the
answer uses, directly or through other names. Trials, plots and prints stay out, so a notebook that trains for a minute
is still checked in a second. The verdicts leave as lines of JSON.
"""

from __future__ import annotations

import ast
import contextlib
import json
import linecache
import os
import re
import symtable
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.M)


@dataclass
class Statement:
    """One top-level statement of a code cell."""

    node: ast.stmt
    cell: str
    binds: set[str]
    changes: set[str]
    reads: set[str]
    done: bool = False


@dataclass
class Notebook:
    """The code of a notebook as statements, its check cells as (position, id, answer), and the cells with bad syntax."""

    statements: list[Statement] = field(default_factory=list)
    checks: list[tuple[int, str, ast.expr]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Notebook:
    """Take a notebook's JSON apart.

    Raises
    ------
    ValueError
        If it is not a notebook, as in the middle of a save.
    """
    try:
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in cells]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a notebook: {error!r}") from error
    notebook = Notebook()
    for number, source in enumerate(sources, 1):
        name = f"<code cell {number}>"
        code = _MAGIC.sub(r"\1pass", source)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        try:
            body = ast.parse(code, name).body
        except SyntaxError as error:
            notebook.unreadable[source] = f"code cell {number}, line {error.lineno}: {error.msg}"
            continue
        for node in body:
            found = _check_call(node)
            if found:
                notebook.checks.append((len(notebook.statements), *found))
            else:
                notebook.statements.append(Statement(node, name, bound_by(node), changed_by(node), read_by(node)))
    return notebook


def slice_for(notebook: Notebook, position: int, answer: ast.expr) -> list[Statement]:
    """The statements before `position` that the answer depends on, in their order."""
    needed = read_by(answer)
    chosen: set[int] = set()
    grew = True
    while grew:  # a function may use a helper that is defined below it, so one pass backwards is not enough
        grew = False
        for index, statement in enumerate(notebook.statements[:position]):
            if index not in chosen and ("*" in statement.binds or needed & (statement.binds | statement.changes)):
                chosen.add(index)
                needed |= statement.reads
                grew = True
    return [notebook.statements[index] for index in sorted(chosen)]


def recheck(path: Path, skip: set[str], send: Any) -> None:
    """Send one verdict for every check cell, and record what is newly passed."""
    from dlcourse.checks import evaluate

    notebook = parse(path.read_text("utf-8"))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for position, id, expression in notebook.checks:
        if id in skip:
            continue
        send({"id": id, "started": True})
        trouble = _run(slice_for(notebook, position, expression), namespace)
        try:
            answer = eval(compile(ast.Expression(expression), "<check>", "eval"), namespace)
        except Exception as error:
            send({"id": id, "passed": False, "mistake": "not-defined", "message": _why(notebook, id, error, trouble)})
            continue
        try:
            verdict = evaluate(id, answer)
        except ValueError as error:  # an id that no exercise has
            send({"id": id, "passed": False, "mistake": "unknown-id", "message": str(error)})
            continue
        if verdict.passed:
            _record(path, verdict.id, verdict.points, answer)
        send({"id": id, "passed": verdict.passed, "mistake": verdict.mistake, "message": verdict.message})
    send({"id": "", "finished": True})


def _run(statements: list[Statement], namespace: dict[str, Any]) -> str:
    """Execute what has not been executed yet; the first thing that went wrong, in words."""
    trouble = ""
    for statement in statements:
        if statement.done:
            continue
        statement.done = True
        try:
            exec(compile(ast.Module([statement.node], []), statement.cell, "exec"), namespace)
        except Exception as error:
            where = f"{statement.cell.strip('<>')}, line {statement.node.lineno}"
            trouble = trouble or f"{where}: {type(error).__name__}: {error}"
    return trouble


def _why(notebook: Notebook, id: str, error: Exception, trouble: str) -> str:
    """Why there is no answer: a cell that cannot be read, one that fails, or nothing was defined."""
    name = getattr(error, "name", None) or id.split(".")[-1]
    for source, problem in notebook.unreadable.items():
        if re.search(rf"\b{re.escape(name)}\b", source):
            return f"Python cannot read the cell of `{name}`: {problem}."
    return trouble or f"There is no answer yet: {type(error).__name__}: {error}."


def _record(path: Path, id: str, points: float, answer: Any) -> None:
    """Add a pass to the workspace's record, unless the same one is there already."""
    from dlcourse import record, workspace
    from dlcourse.checks.source import definition_of

    folder = workspace.find(path.parent)
    if folder is None:
        return
    source = definition_of(answer)
    entry = record.read(folder).get(id)
    if entry and entry.passed and entry.source == source:
        return
    event = {"id": id, "event": "check", "passed": True, "points": points, "mistake": None, "source": source}
    with contextlib.suppress(OSError):  # `dlcourse doctor` says what keeps the record from being written
        record.append(folder, event)


def _check_call(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """(id, answer) when the statement is ``check("topic.name", answer)``."""
    match node:
        case ast.Expr(ast.Call(ast.Name("check"), [ast.Constant(str(id)), answer])):
            return id, answer
    return None


def bound_by(statement: ast.stmt) -> set[str]:
    """The names that a statement defines, and ``*`` for a star import."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}  # what is bound inside stays inside
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def changed_by(statement: ast.stmt) -> set[str]:
    """The names whose value a statement may change: ``x[0] = 1``, ``x.y = 1``, ``x.append(1)``."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set()
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            found.add(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found.add(_root(node.value.func) if isinstance(node.value.func, ast.Attribute) else "")
    return found - {""}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def read_by(node: ast.AST) -> set[str]:
    """The notebook's names that a statement or an expression uses; a function's own variables are not among them."""
    top = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        inner += table.get_children()
    return names


def main(arguments: list[str]) -> None:
    """Send the verdicts to standard output, which the learner's own prints do not reach."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def send(message: dict[str, Any]) -> None:
        results.write(json.dumps(message) + "\n")
        results.flush()

    recheck(Path(arguments[0]), set(arguments[1:]), send)


if __name__ == "__main__":
    main(sys.argv[1:])
