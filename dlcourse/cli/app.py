"""The command line itself: reads the arguments, calls what does the work, and says what came of it.

NumPy and the exercises are imported inside the commands that need them, so that ``dlcourse --help`` answers at once.
"""

from __future__ import annotations

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dlcourse import workspace
from dlcourse.cli import grade
from dlcourse.cli.console import EXIT_CODES, OK, PROBLEM, Json, fail, print_json
from dlcourse.cli.console import err as _err
from dlcourse.cli.console import out as _out
from dlcourse.workspace import MARKER

if TYPE_CHECKING:
    from dlcourse.cli.materials import Report
    from dlcourse.record import Entry

DEFAULT_WORKSPACE = Path("~/dlcourse-workspace")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=EXIT_CODES,
    help="A deep-learning course in Jupyter notebooks whose exercises name the mistake you made. Start with: dlcourse lab",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        _out.print(f"dlcourse {installed_version('dlcourse')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options that come before a command."""


@app.command(
    "lab",
    epilog=EXIT_CODES,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="[FOLDER] [OPTIONS]",
)
def open_lab(
    context: typer.Context,
    no_start: Annotated[bool, typer.Option("--no-start", help="Prepare the workspace without JupyterLab.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Bring back course files that you deleted.")] = False,
) -> None:
    """Make or update your workspace and open JupyterLab in it.

    FOLDER is your workspace. Without it: the workspace you are in, else ~/dlcourse-workspace. A file you changed is
    never overwritten; when the course has a newer version, that one is put beside yours.

    All other options go to JupyterLab, for example --no-browser or --port 8890. Ctrl-C ends it.
    """
    from dlcourse.cli import lab

    try:
        word, options = lab.split_options(context.args)
    except ValueError as error:
        fail(error)
    folder = _lab_folder(word)
    _prepare(folder, restore)
    if no_start:
        return
    _start(folder, options)


def _lab_folder(word: str | None) -> Path:
    """The workspace to open, refused where the course's own files or a plain file would be in the way."""
    folder = (Path(word).expanduser() if word else current_workspace() or DEFAULT_WORKSPACE.expanduser()).absolute()
    try:
        if folder.exists() and not folder.is_dir():
            fail(f"{folder} is a file; a workspace is a folder")
        for parent in folder.resolve().parents:
            if parent.is_file():
                fail(f"{folder} cannot be made: {parent} is a file")
        for parent in (folder.resolve(), *folder.resolve().parents):
            if (parent / "dlcourse" / "checks").is_dir() and (parent / "pyproject.toml").is_file():
                fail(
                    f"{folder} lies inside the course's own repository, {parent}, where your work would mix with it; "
                    f"choose another folder, for example: dlcourse lab {DEFAULT_WORKSPACE}"
                )
    except OSError as error:
        fail(f"cannot use {folder} as a workspace: {error.strerror or error}; choose another FOLDER", PROBLEM)
    return folder


def _prepare(folder: Path, restore: bool) -> None:
    """Copy or update the course's files and say what happened."""
    from dlcourse import course
    from dlcourse.cli import materials

    first = not (folder / MARKER).is_dir()
    try:
        course.root()
    except FileNotFoundError as error:
        fail(error, PROBLEM)
    try:
        report = materials.update(folder, installed_version("dlcourse"), restore)
    except OSError as error:
        fail(f"cannot write to the workspace {folder}: {error.strerror or error}; choose another FOLDER", PROBLEM)
    _out.print(f"Workspace  {folder}{' (new)' if first else ''}", soft_wrap=True)
    for line in _said(report):
        _out.print(f"           {line}", soft_wrap=True)


def _said(report: Report) -> list[str]:
    """What the learner should know about an update, a line each."""
    lines = [
        f"{len(files)} file{'s' * (len(files) != 1)} {verb}"
        for files, verb in ((report.new, "added"), (report.updated, "updated"))
        if files
    ]
    lines += [f"{name}: yours is kept as it is; the newer version is {beside}" for name, beside in report.beside]
    if report.deleted:
        names = ", ".join(report.deleted[:4]) + (", ..." if len(report.deleted) > 4 else "")
        lines.append(f"no longer here, and left so: {names} (dlcourse lab --restore brings them back)")
    if report.retired:
        lines.append(f"no longer part of the course, and yours to keep or delete: {', '.join(report.retired)}")
    return lines + [f"{name} could not be updated: {reason}" for name, reason in report.failed]


def _start(folder: Path, options: list[str]) -> NoReturn:
    """Run JupyterLab until it ends."""
    from importlib.util import find_spec

    from dlcourse.cli import doctor, lab

    if find_spec("jupyterlab") is None:
        fail(f"JupyterLab is not installed in this Python; mend: {doctor.pip('install jupyterlab')}", PROBLEM)
    if lab.is_root():
        reach = "is reachable only from this computer" if lab.stays_local(options) else "is open to the network"
        _err.print(f"Warning: running as root. JupyterLab starts with --allow-root and {reach}.", soft_wrap=True)

    def announce(address: str) -> None:
        _out.print(f"JupyterLab {address}", soft_wrap=True)
        _out.print("           Ctrl-C here ends it.")

    code = lab.serve(folder, options, announce)
    if code:
        log = lab.log_file(folder)
        for line in log.read_text("utf-8", errors="replace").splitlines()[-12:]:
            _err.print(f"  {line}", soft_wrap=True)
        fail(f"JupyterLab ended with exit code {code}; its log is {log}, and `dlcourse doctor` may say why", PROBLEM)
    _out.print("JupyterLab has ended.")
    raise typer.Exit(OK)


def current_workspace() -> Path | None:
    """The workspace around the current folder or in DLCOURSE_WORKSPACE, else the default one if it was made."""
    default = DEFAULT_WORKSPACE.expanduser()
    try:
        return workspace.find() or (default if (default / MARKER).is_dir() else None)
    except OSError:  # the current folder was deleted, or a home folder is closed to this user
        return None


def _entries() -> dict[str, Entry]:
    from dlcourse import record

    folder = current_workspace()
    return record.read(folder) if folder else {}


@app.command("list", epilog=EXIT_CODES)
def list_exercises(
    unit: Annotated[str | None, typer.Argument(help="Only this unit: 02, gradient_descent ...")] = None,
    as_json: Json = False,
) -> None:
    """List the units and their exercises with points, minutes and state."""
    from dlcourse.cli import reports

    units = reports.units(_entries())
    if unit is not None:
        try:
            wanted = reports.find_unit(unit, [one["unit"] for one in units])
        except ValueError as error:
            fail(error)
        units = [one for one in units if one["unit"] == wanted]
    if as_json:
        print_json({"units": units})
        return
    for one in units:
        if one["exercises"]:
            _out.print(reports.exercise_table(one))
        else:
            _out.print(f"{one['unit']}  {one['title']}: no exercises")


@app.command("progress", epilog=EXIT_CODES)
def show_progress(as_json: Json = False) -> None:
    """Show what you have passed, unit by unit."""
    from dlcourse.cli import reports

    folder = current_workspace()
    units = reports.units(_entries())
    following = reports.next_exercise(units)
    if as_json:
        place = str(folder) if folder else None
        print_json({"workspace": place, **reports.totals(units), "next": following, "units": units})
        return
    _out.print(reports.progress_table(units))
    if folder is None:
        _out.print("There is no workspace yet; dlcourse lab makes it.")
    elif following:
        _out.print(
            f"Next: {following['id']}, {following['title']} (about {following['minutes']} minutes)", soft_wrap=True
        )


@app.command("hint", epilog=EXIT_CODES)
def give_hint(
    exercise: Annotated[str, typer.Argument(metavar="ID", help="The exercise, for example neuron.softmax.")],
    every: Annotated[bool, typer.Option("--all", help="All three hints at once.")] = False,
) -> None:
    """Show the next hint of an exercise: a nudge, then the idea, then almost the code."""
    from dlcourse import record
    from dlcourse.cli import reports

    try:
        found = reports.find_exercise(exercise)
    except ValueError as error:
        fail(error)
    folder = current_workspace()
    seen = record.read(folder).get(found.id) if folder else None
    last = len(found.hints) if every else min((seen.hints if seen else 0) + 1, len(found.hints))
    for step in range(1 if every else last, last + 1):
        _out.print(f"Hint {step} of {len(found.hints)}: {found.hints[step - 1]}", soft_wrap=True)
    if folder is None:
        _err.print("(There is no workspace to remember this: the next call shows the same. --all shows every hint.)")
        return
    try:
        record.append(folder, {"id": found.id, "event": "hint", "step": last})
    except OSError as error:
        _err.print(
            f"(This could not be recorded in {record.path_in(folder)}: {error.strerror or error}.)", soft_wrap=True
        )


@app.command("watch", epilog=EXIT_CODES)
def watch_notebook(
    notebook: Annotated[str, typer.Argument(help="An exercise notebook, or a unit's name in your workspace.")],
    once: Annotated[
        bool, typer.Option("--once", help="Check once and end; exit code 1 unless all are passed.")
    ] = False,
) -> None:
    """Check a notebook's exercises again whenever you save it; Ctrl-C ends it."""
    from dlcourse.cli import reports
    from dlcourse.cli.watch import Watcher

    try:
        path = reports.find_notebook(notebook, current_workspace())
    except ValueError as error:
        fail(error)
    watcher = Watcher(path, lambda line: _out.print(line, soft_wrap=True))
    passed = True
    try:
        if once:
            passed = watcher.check()
        else:
            _out.print(f"Watching {path}. Save it to have it checked; Ctrl-C ends this.", soft_wrap=True)
            watcher.run()
    except KeyboardInterrupt:
        _out.print("")
    except ValueError as error:
        fail(f"{path}: {error}")
    except RuntimeError as error:
        fail(error, PROBLEM)
    raise typer.Exit(OK if passed else PROBLEM)


@app.command("doctor", epilog=EXIT_CODES)
def examine_installation(as_json: Json = False) -> None:
    """Say what is wrong with this installation and how to mend it."""
    from dlcourse.cli import doctor

    folder = current_workspace() or DEFAULT_WORKSPACE.expanduser()
    findings = []
    for finding in doctor.examine(folder):
        findings.append(finding)
        if as_json:
            continue
        sign = {"ok": "✓ ok", "note": "· note", "problem": "✗ problem"}[finding.status]
        _out.print(f"{sign:<10} {finding.check:<13} {finding.found}", soft_wrap=True)
        if finding.mend:
            _out.print(f"{'':<10} {'mend:':<13} {finding.mend}", soft_wrap=True)
    problems = sum(finding.status == "problem" for finding in findings)
    if as_json:
        print_json({"problems": problems, "checks": [vars(finding) for finding in findings]})
    else:
        _out.print(f"{problems or 'No'} problem{'s' * (problems != 1)} found.")
    raise typer.Exit(PROBLEM if problems else OK)


app.command("grade", epilog=grade.EXIT_CODES)(grade.grade_notebooks)
app.command("class", epilog=grade.EXIT_CODES)(grade.show_class)
