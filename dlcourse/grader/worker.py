"""The process that runs a submission: forked from the zygote, confined, and without anything worth stealing.

It reads the code, tells which forbidden names each answer mentions before any of the code has run, runs the statements
that the answers need, and then runs drivers on the cases that the judge sends, until the judge has enough.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any

from dlcourse.drivers import Case, Outcome, run_case
from dlcourse.drivers.form import form_of
from dlcourse.drivers.limits import time_limit
from dlcourse.grader import cells
from dlcourse.grader.protocol import Channel, TooLargeError

MOST_PRINTED = 2_000
ALWAYS_FORBIDDEN = ("dlcourse.checks",)
LIBRARIES = ("dlcourse.", "torch", "sklearn", "scipy")


class ShortcutError(ImportError):
    """A module that the exercise forbids was imported while the answer ran."""


def work(channel: Channel) -> None:
    """Serve the judge until it hangs up."""
    Worker(channel).serve()


class Worker:
    """A submission with its namespace and its answers."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.module = types.ModuleType("__main__")
        self.answers: dict[str, Any] = {}
        self.forbidden: dict[str, list[str]] = {}

    def serve(self) -> None:
        """The first message holds the submission; every other asks for one outcome."""
        self.load(self.channel.receive())
        while True:
            request = self.channel.receive()
            used: list[str] = []
            with watching(self.forbidden.get(request["id"], []), used):
                outcome = run_case(
                    request["driver"], self.answers[request["id"]], Case(request["args"]), request["seconds"]
                )
            self.reply(request["number"], outcome, used)

    def load(self, submission: dict[str, Any]) -> None:
        """Run what the answers need, except what an earlier worker died of."""
        statements, unreadable = cells.statements_of(submission["cells"])
        places: dict[str, list[tuple[cells.Statement, str]]] = {}
        mentioned: dict[str, str] = {}
        wanted: dict[tuple[int, int], set[str]] = {}
        for exercise in submission["exercises"]:
            id = exercise["id"]
            places[id] = cells.candidates(statements, exercise["function"], id)
            self.forbidden[id] = [*exercise["forbid"], *ALWAYS_FORBIDDEN]
            for statement, name in places[id]:
                wanted.setdefault(statement.key, set()).add(name)
            if places[id]:
                best, name = places[id][0]
                used = [best, *cells.needed_by({name} | best.reads, statements)]
                mentioned[id] = cells.forbidden_in(used, self.forbidden[id])
        self.channel.send({"mentioned": mentioned, "unreadable": unreadable})
        names = {name for found in wanted.values() for name in found}
        needed = {statement.key for statement in cells.needed_by(names, statements)}
        skip, troubles, made = set(submission["skip"]), {}, dict[tuple[tuple[int, int], str], Any]()
        self.prepare()
        for statement in statements:
            if statement.key in skip or not (cells.always_runs(statement) or statement.key in needed):
                continue
            self.channel.send({"at": statement.key})
            problem = self.run(statement, submission["seconds"])
            if problem:
                troubles[statement.key] = problem
            for name in wanted.get(statement.key, ()):
                if name in self.module.__dict__ and not problem:
                    made[statement.key, name] = self.module.__dict__[name]
        forms = {}
        for exercise in submission["exercises"]:
            id = exercise["id"]
            for statement, name in places[id]:
                if (statement.key, name) in made:
                    self.answers[id] = made[statement.key, name]
                    forms[id] = self.form(self.answers[id], exercise)
                    break
        defined_at = {id: found[0][0].key for id, found in places.items() if found}
        self.channel.send({"forms": forms, "troubles": troubles, "defined_at": defined_at})

    def prepare(self) -> None:
        """Put stand-ins where the course's checks would be."""
        self.module.__dict__.update(cells.fresh_namespace())
        sys.modules["__main__"] = self.module
        quiet = {"check": _quiet, "hint": _quiet, "progress": _quiet}
        for name in ("dlcourse.checks", "dlcourse.checks.notebook"):
            stand_in = types.ModuleType(name)
            stand_in.__dict__.update(quiet)
            sys.modules[name] = stand_in
        mine = types.ModuleType("dlcourse.mine")
        mine.__dict__["__getattr__"] = self._own
        sys.modules["dlcourse.mine"] = mine

    def _own(self, name: str) -> Any:
        try:
            return self.module.__dict__[name]
        except KeyError:
            raise AttributeError(f"while grading, mine.{name} is what the notebook defines itself: nothing") from None

    def run(self, statement: cells.Statement, seconds: float) -> str:
        """Execute a statement; what went wrong, in words."""
        import ast

        try:
            code = compile(ast.Module([statement.node], []), statement.name, "exec")
            with time_limit(seconds):
                exec(code, self.module.__dict__)
        except BaseException as error:  # SystemExit and the time limit included
            return f"line {statement.node.lineno}: {type(error).__name__}: {_text(error)}"
        return ""

    def form(self, answer: Any, exercise: dict[str, Any]) -> dict[str, Any]:
        """The answer's form as plain data; a class's metaclass, or whatever else, may make even this fail."""
        try:
            return asdict(form_of(answer, exercise["arguments"], exercise["required"]))
        except Exception:
            return {"type": type(answer).__name__, "callable": callable(answer)}

    def reply(self, number: int, outcome: Outcome, used: Sequence[str]) -> None:
        """Send an outcome; where the value is too large for that, say so."""
        message = {
            "number": number,
            "value": outcome.value,
            "failure": asdict(outcome.failure) if outcome.failure else None,
            "mutated": outcome.mutated,
            "printed": outcome.printed[:MOST_PRINTED],
            "warned": tuple(text[:300] for text in outcome.warned[:20]),
            "used": list(used),
        }
        try:
            self.channel.send(message)
        except (TooLargeError, TypeError) as error:
            failure = {"type": type(error).__name__, "text": str(error), "line": 0, "source": ""}
            self.channel.send({**message, "value": None, "failure": failure})


def _quiet(*arguments: Any, **options: Any) -> None:
    """Stands in for ``check``, ``hint`` and ``progress``."""


def _text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:
        return ""


@contextlib.contextmanager
def watching(forbidden: Sequence[str], used: list[str]) -> Iterator[None]:
    """Within the body an import of a forbidden module is refused, a call of a forbidden function noted in ``used``."""
    import builtins

    changes = list(_counting(forbidden, used))
    real_import, real_import_module = builtins.__import__, importlib.import_module

    def checked_import(name: str, *rest: Any, **options: Any) -> Any:
        _refuse(name, forbidden, used)
        return real_import(name, *rest, **options)

    def checked_import_module(name: str, package: str | None = None) -> Any:
        _refuse(name, forbidden, used)
        return real_import_module(name, package)

    builtins.__import__, importlib.import_module = checked_import, checked_import_module
    try:
        for place, name, _, counted in changes:
            setattr(place, name, counted)
        yield
    finally:
        builtins.__import__, importlib.import_module = real_import, real_import_module
        for place, name, real, _ in changes:
            setattr(place, name, real)


def _refuse(name: str, forbidden: Sequence[str], used: list[str]) -> None:
    frame = sys._getframe(2)
    if not frame.f_code.co_filename.startswith("<code cell"):
        return  # a library may import what it likes
    for module in forbidden:
        if f"{name}.".startswith(f"{module}."):
            used.append(module)
            raise ShortcutError(f"this exercise is to be solved without {module}")


def _counting(forbidden: Sequence[str], used: list[str]) -> Iterator[tuple[Any, str, Any, Any]]:
    """(module, name, function, the same function counted) for every forbidden function in the libraries at hand."""
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith(LIBRARIES) or module is None:
            continue
        for name in forbidden:
            *path, last = name.split(".")
            if path and module_name != ".".join(path):
                continue
            real = vars(module).get(last)
            if isinstance(real, types.FunctionType | types.BuiltinFunctionType):
                yield module, last, real, _counted(real, name, used)
            elif isinstance(real, type):
                yield real, "__init__", real.__init__, _counted(real.__init__, name, used)  # type: ignore[misc]


def _counted(real: Callable[..., Any], name: str, used: list[str]) -> Callable[..., Any]:
    @wraps(real)
    def counted(*arguments: Any, **options: Any) -> Any:
        used.append(name)
        return real(*arguments, **options)

    return counted


def enter(end: int) -> None:
    """Nothing of the grader's stays open but the socket ``end``; input and output lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.dup2(end, 3)
    os.closerange(4, 4096)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
