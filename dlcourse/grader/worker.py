"""The process that runs a submission: forked from the zygote, confined, and without anything worth stealing.

It reads the code, tells which forbidden names each answer mentions before any of the code has run, runs the statements
that the answers need, and then runs drivers on the cases that the judge sends, those of an exercise at once, until the
judge has enough.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any

from dlcourse.drivers import Case, Outcome
from dlcourse.drivers.form import form_of
from dlcourse.drivers.limits import time_limit
from dlcourse.drivers.run import run_and_forget
from dlcourse.grader import cells
from dlcourse.grader.protocol import LAST_FAILURES, Channel, TooLargeError, packed

MOST_PRINTED = 2_000
HELD_BACK = 0.005  # seconds that an outcome may wait for others to be sent with it
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
        self.number = 0
        self.unsent, self.sent_at = bytearray(), 0.0

    def serve(self) -> None:
        """The first message holds the submission; every other asks for the outcomes of an answer on some cases."""
        self.load(self.channel.receive())
        while True:
            request = self.channel.receive()
            shortcuts = Shortcuts(self.forbidden.get(request["id"], []))
            self.sent_at = time.monotonic()
            for args in request["cases"]:
                used: list[str] = []
                with watching(shortcuts, used):
                    outcome = run_and_forget(
                        request["driver"], self.answers[request["id"]], Case(args), request["seconds"]
                    )
                if self.reply(outcome, used) in LAST_FAILURES:
                    break
            self.flush()

    def load(self, submission: dict[str, Any]) -> None:
        """Run what the answers need, except what an earlier worker died of."""
        functions = {exercise["function"] for exercise in submission["exercises"]}
        statements, unreadable = cells.statements_of(submission["cells"], functions)
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
        chosen = cells.running({name for found in wanted.values() for name in found}, statements)
        imported = [f"{module}." for statement in chosen for module in cells.modules_of(statement.node)]
        to_load = [
            name
            for name in submission["modules"]
            if name not in sys.modules and any(module.startswith(f"{name}.") for module in imported)
        ]
        self.channel.send({"mentioned": mentioned, "unreadable": unreadable, "wanted": to_load})
        skip, troubles, made = set(submission["skip"]), {}, dict[tuple[tuple[int, int], str], Any]()
        self.prepare()
        known = set(sys.modules)
        for statement in chosen:
            if statement.key in skip:
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
        loaded = [name for name in submission["modules"] if name in sys.modules and name not in known]
        self.channel.send({"forms": forms, "troubles": troubles, "defined_at": defined_at, "loaded": loaded})

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

    def reply(self, outcome: Outcome, used: Sequence[str]) -> str:
        """Send an outcome, or soon will; where the value is too large for that, say so. The type of failure, or ""."""
        self.number += 1
        message = {
            "number": self.number,
            "value": outcome.value,
            "failure": asdict(outcome.failure) if outcome.failure else None,
            "mutated": outcome.mutated,
            "printed": outcome.printed[:MOST_PRINTED],
            "warned": tuple(text[:300] for text in outcome.warned[:20]),
            "used": list(used),
        }
        try:
            self.unsent += packed(message)
        except (TooLargeError, TypeError) as error:
            failure = {"type": type(error).__name__, "text": str(error), "line": 0, "source": ""}
            message |= {"value": None, "failure": failure}
            self.unsent += packed(message)
        if time.monotonic() > self.sent_at + HELD_BACK:
            self.flush()
        return message["failure"]["type"] if message["failure"] else ""

    def flush(self) -> None:
        """Send what is not sent yet."""
        self.channel.send_packed(self.unsent)
        self.unsent, self.sent_at = bytearray(), time.monotonic()


def _quiet(*arguments: Any, **options: Any) -> None:
    """Stands in for ``check``, ``hint`` and ``progress``."""


def _text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:
        return ""


class Shortcuts:
    """The functions that an exercise forbids, wherever the libraries have them.

    Parameters
    ----------
    forbidden : names of functions and modules
    """

    def __init__(self, forbidden: Sequence[str]) -> None:
        self.forbidden = forbidden
        self._loaded, self._places = 0, list[tuple[Any, str, Any, str]]()

    def places(self) -> list[tuple[Any, str, Any, str]]:
        """(module or class, attribute, function, the name that is forbidden), looked up anew when modules were loaded."""
        if len(sys.modules) != self._loaded:
            self._loaded, self._places = len(sys.modules), list(_places(self.forbidden))
        return self._places


@contextlib.contextmanager
def watching(shortcuts: Shortcuts, used: list[str]) -> Iterator[None]:
    """Within the body an import of a forbidden module is refused, a call of a forbidden function noted in ``used``."""
    import builtins

    forbidden, places = shortcuts.forbidden, shortcuts.places()
    real_import, real_import_module = builtins.__import__, importlib.import_module

    def checked_import(name: str, *rest: Any, **options: Any) -> Any:
        _refuse(name, forbidden, used)
        return real_import(name, *rest, **options)

    def checked_import_module(name: str, package: str | None = None) -> Any:
        _refuse(name, forbidden, used)
        return real_import_module(name, package)

    builtins.__import__, importlib.import_module = checked_import, checked_import_module
    try:
        for place, attribute, real, name in places:
            setattr(place, attribute, _counted(real, name, used))
        yield
    finally:
        builtins.__import__, importlib.import_module = real_import, real_import_module
        for place, attribute, real, _ in places:
            setattr(place, attribute, real)


def _refuse(name: str, forbidden: Sequence[str], used: list[str]) -> None:
    frame = sys._getframe(2)
    if not frame.f_code.co_filename.startswith("<code cell"):
        return  # a library may import what it likes
    for module in forbidden:
        if f"{name}.".startswith(f"{module}."):
            used.append(module)
            raise ShortcutError(f"this exercise is to be solved without {module}")


def _places(forbidden: Sequence[str]) -> Iterator[tuple[Any, str, Any, str]]:
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith(LIBRARIES) or module is None:
            continue
        for name in forbidden:
            path, _, last = name.rpartition(".")
            if path and module_name != path:
                continue
            real = vars(module).get(last)
            if isinstance(real, types.FunctionType | types.BuiltinFunctionType):
                yield module, last, real, name
            elif isinstance(real, type):
                yield real, "__init__", real.__init__, name  # type: ignore[misc]


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
