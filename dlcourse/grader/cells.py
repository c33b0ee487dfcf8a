"""The worker's view of a notebook: its statements, which of them the answers need, and the answers once they are run.

Definitions always run. Of the rest, only what an answer depends on does, directly or through other names: trials, plots
and trainings stay out, so that what goes wrong there costs no marks, and so do imports that only they use, which may take
longer than everything else.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dlcourse.cli.rechecking import bound_by, changed_by, read_by

_MAGIC = re.compile(r"^([ \t]*)[%!?].*$|^([ \t]*)[^#'\"\n]*\?{1,2}[ \t]*$", re.M)
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_IMPORTS = ast.Import | ast.ImportFrom
_LOOK_UP_ANY_NAME = {"eval", "exec", "globals", "locals", "vars", "modules", "__main__", "__dict__", "get_ipython"}


@dataclass
class Statement:
    """One top-level statement of a code cell.

    Parameters
    ----------
    key : (cell's number, position in the cell)
    node, name : the code, and the file name that tracebacks show
    exercise : what the cell's metadata names
    binds, changes : the names that it defines, and changes
    problem : why the names that it uses cannot be told, once that was tried
    """

    key: tuple[int, int]
    node: ast.stmt
    name: str
    exercise: str
    binds: set[str]
    changes: set[str]
    problem: str = ""

    @cached_property
    def reads(self) -> set[str]:
        """The names that it uses; looked for only where it counts, since it takes longer than reading the code."""
        if isinstance(self.node, _IMPORTS):
            return set()
        try:
            return read_by(self.node)
        except (RecursionError, SyntaxError, ValueError, MemoryError) as error:
            self.problem = f"line {self.node.lineno}: {type(error).__name__}"
            return set()

    @cached_property
    def mentions(self) -> list[str]:
        """Whatever it names: names, attributes, modules, and names in strings."""
        return [mentioned for node in ast.walk(self.node) for mentioned in _mentions(node)]


def statements_of(cells: Iterable[tuple[int, str, str]], names: set[str]) -> tuple[list[Statement], dict[int, str]]:
    """The statements of cells given as (number, source, exercise), and what is wrong with cells that cannot be read.

    In a cell with bad syntax, the blocks before and after the bad one are still read. A statement that parses and is no
    good Python all the same is left out where it is a definition, or these names depend on it.
    """
    statements: list[Statement] = []
    unreadable: dict[int, str] = {}
    for number, source, exercise in cells:
        name, code = f"<code cell {number}>", source
        body, problem = _body(code, name)
        if problem:
            code = _MAGIC.sub(r"\1\2pass", source)
            body, problem = _body(code, name)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        if problem:
            unreadable[number] = problem
        for position, node in enumerate(body):
            if not _is_check(node):
                statement = Statement((number, position), node, name, exercise, bound_by(node), changed_by(node))
                statements.append(statement)
    for statement in [*needed_by(names, statements), *filter(_is_definition, statements)]:
        if not statement.reads and statement.problem:
            unreadable[statement.key[0]] = statement.problem
    return [statement for statement in statements if not statement.problem], unreadable


def needed_by(names: set[str], statements: Sequence[Statement]) -> list[Statement]:
    """The statements that these names depend on, in their order."""
    wanted, chosen, grew = set(names), set[int](), True
    while grew:
        grew = False
        for index, statement in enumerate(statements):
            if index in chosen:
                continue
            if "*" in statement.binds or not (
                wanted.isdisjoint(statement.binds) and wanted.isdisjoint(statement.changes)
            ):
                chosen.add(index)
                wanted |= statement.reads
                grew = True
    return [statements[index] for index in sorted(chosen)]


def running(names: set[str], statements: Sequence[Statement]) -> list[Statement]:
    """The statements to run for these names, in their order: what they depend on, definitions, and imports.

    An import that would load a module is left out where nothing that runs can use it.
    """
    needed = {id(statement) for statement in needed_by(names, statements)}
    chosen = [s for s in statements if id(s) in needed or _is_definition(s)]
    used = {part for s in chosen for mentioned in s.mentions for part in mentioned.split(".")}
    used |= {name for s in chosen for name in s.reads}
    reached = tuple(f"{module}." for s in chosen for module in modules_of(s.node))
    runs = {id(s) for s in chosen}
    for s in statements:
        if isinstance(s.node, _IMPORTS) and (
            used & (s.binds | _LOOK_UP_ANY_NAME)
            or not _loads(s.node)
            or any(f"{module}.".startswith(reached) for module in modules_of(s.node))
        ):
            runs.add(id(s))
    return [s for s in statements if id(s) in runs]


def _is_definition(statement: Statement) -> bool:
    return isinstance(statement.node, _DEFINITIONS)


def _loads(node: ast.stmt) -> bool:
    """Whether an import would load a module."""
    if not isinstance(node, ast.ImportFrom):
        return any(name not in sys.modules for name in modules_of(node))
    module = sys.modules.get(node.module or "")
    return module is None or any(
        alias.name not in vars(module) and f"{node.module}.{alias.name}" not in sys.modules for alias in node.names
    )


def modules_of(node: ast.stmt) -> list[str]:
    """What an import makes known: modules, or what may be one; nothing for any other statement."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


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
        for mentioned in statement.mentions:
            for name in forbidden:
                if name in mentioned and f".{name}." in f".{mentioned}.":
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
