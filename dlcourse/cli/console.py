"""Where the commands write, and how they end: one line instead of a traceback, and documented exit codes."""

from __future__ import annotations

import json
from typing import Annotated, NoReturn

import typer
from rich.console import Console

OK, PROBLEM, USAGE = 0, 1, 2
EXIT_CODES = "Exit codes: 0 all is well, 1 something was found or is not passed, 2 the command was not understood."

out = Console(highlight=False, markup=False, emoji=False)
err = Console(highlight=False, markup=False, emoji=False, stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program, and nothing else.")]


def fail(message: object, code: int = USAGE) -> NoReturn:
    """End with one line on standard error instead of a traceback."""
    err.print(f"dlcourse: {message}", soft_wrap=True)
    raise typer.Exit(code)


def print_json(data: object) -> None:
    """Write data for a program."""
    typer.echo(json.dumps(data, indent=2))
