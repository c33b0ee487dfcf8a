"""The text of a learner's definition, with the helpers, constants and imports that it uses: enough to load it again."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import symtable
import types
from typing import Any


def definition_of(answer: Any) -> str:
    """Source that defines ``answer`` when it is executed in an empty module; empty where it cannot be had.

    The helpers are followed through the answer's own globals, as they are at this moment.
    """
    try:
        return _collect(answer)
    except Exception:  # a source that cannot be read costs nothing but the memory of it
        return ""


def _collect(answer: Any) -> str:
    function = _some_function(answer)
    if function is None:
        return ""
    namespace = function.__globals__
    lines: dict[str, str] = {}
    imports: dict[str, str] = {}
    todo = [(getattr(answer, "__name__", ""), answer)]
    while todo:
        name, thing = todo.pop()
        text = _definition(name, thing, namespace)
        if not text:
            return ""
        lines[name] = text
        for used in sorted(_globals_used_by(text)):
            if used in lines or used in imports or used not in namespace or hasattr(builtins, used):
                continue
            value = namespace[used]
            statement = _import_of(used, value)
            if statement:
                imports[used] = statement
            elif isinstance(value, types.FunctionType | type):
                todo.append((used, value))
            elif isinstance(value, int | float | str | bool | tuple):
                lines[used] = f"{used} = {value!r}"
    return "\n".join([*imports.values(), "", *reversed(lines.values())]) + "\n"


def _some_function(answer: Any) -> types.FunctionType | None:
    """The function itself, or a method of the class, by which the defining cell is found."""
    if isinstance(answer, types.FunctionType):
        unwrapped = inspect.unwrap(answer)
        return unwrapped if isinstance(unwrapped, types.FunctionType) else answer
    if isinstance(answer, type):
        return next((m for m in vars(answer).values() if isinstance(m, types.FunctionType)), None)
    return None


def _definition(name: str, thing: Any, namespace: dict[str, Any]) -> str:
    """The statement that binds ``name`` in the cell or file where ``thing`` was defined."""
    function = _some_function(thing)
    if function is None:
        return ""
    text = "".join(linecache.getlines(function.__code__.co_filename, namespace))
    last = ""
    for node in ast.parse(text).body:
        if name in _bound_by(node):
            start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            last = "\n".join(text.splitlines()[start - 1 : node.end_lineno])
    return last


def _bound_by(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()


def _globals_used_by(text: str) -> set[str]:
    """The names that the statement takes from its module; a local variable of the same name does not count."""
    names: set[str] = set()
    tables = [symtable.symtable(text, "<definition>", "exec")]
    while tables:
        table = tables.pop()
        at_module = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if (s.is_referenced() if at_module else s.is_global())}
        tables += table.get_children()
    return names


def _import_of(name: str, value: Any) -> str:
    """The import that brings ``value`` in again, or nothing where it was defined by the learner."""
    if isinstance(value, types.ModuleType):
        return (
            f"import {value.__name__} as {name}"
            if "." in value.__name__ or value.__name__ != name
            else f"import {name}"
        )
    module, origin = getattr(value, "__module__", None), getattr(value, "__qualname__", getattr(value, "__name__", ""))
    if not module or module in ("__main__", "builtins") or "." in origin or not origin:
        return ""
    return f"from {module} import {origin}" + (f" as {name}" if origin != name else "")
