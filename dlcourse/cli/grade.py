"""``dlcourse grade`` and ``dlcourse class``: submissions in, marks out, and every file of marks complete at any moment."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from dlcourse.cli.console import OK, PROBLEM, Json, err, fail, out, print_json

if TYPE_CHECKING:
    from dlcourse.grader.cluster import ClusterGrader
    from dlcourse.grader.outputs import Outputs
    from dlcourse.grader.results import Isolation, NotebookResult, Setting
    from dlcourse.grader.session import Grader, Options

FAILED, INTERRUPTED = 2, 130
EXIT_CODES = (
    "Exit codes: 0 all files were graded, 1 some file could not be graded at all (it is listed with the reason), "
    "2 the command was not understood or the grader itself failed, 130 stopped by Ctrl-C or SIGTERM."
)


class Level(StrEnum):
    """How far a submission is shut in; `docs/grading.md` says what each one keeps out."""

    FULL = "full"
    PROCESS = "process"
    NONE = "none"


def _level(level: Level | None) -> Isolation | None:
    return level.value if level else None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter("give a number of seconds")
    return value


Submissions = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", exists=True, help="Notebooks, and folders to search: student/NN_topic.ipynb."),
]
Jobs = Annotated[int, typer.Option(min=1, max=1024, help="Submissions graded at a time.")]
Seed = Annotated[
    int | None, typer.Option(min=0, max=2**32 - 1, help="Fixes the hidden inputs; drawn and recorded without it.")
]
Require = Annotated[Level | None, typer.Option(help="Refuse to grade with less isolation than this.")]
NbgraderPoints = Annotated[
    bool,
    typer.Option("--nbgrader-points", help="Points as most files' nbgrader metadata says, not as the course does."),
]


def grade_notebooks(
    paths: Submissions,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Everything, for programs and --resume.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="A gradebook: a row for each student.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="JUnit XML: a suite for each file.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A page for each learner and index.html for the class.")
    ] = None,
    jobs: Jobs = 1,
    timeout: Annotated[
        float, typer.Option(min=0.1, callback=_finite, help="Seconds for one call of an answer.")
    ] = 10.0,
    total: Annotated[
        float, typer.Option(min=0.1, callback=_finite, help="Seconds for one submission; the rest is timeout.")
    ] = 120.0,
    memory: Annotated[int, typer.Option(min=64, help="MB for one submission, beyond what Python itself takes.")] = 2048,
    seed: Seed = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the marks in --json of files that have not changed since.")
    ] = False,
    nbgrader_points: NbgraderPoints = False,
    require: Require = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Grade on the Dask cluster with this scheduler.")
    ] = None,
) -> None:
    """Grade submissions by people you do not know, without trusting their code.

    A folder is searched for notebooks; the folder that holds a notebook is its student. The same seed gives the same
    marks. Output files are written anew after every submission, each in one step.
    """
    from dlcourse.grader.outputs import Outputs
    from dlcourse.grader.session import Options

    if resume and json is None:
        fail("--resume goes on from a results file: name it with --json FILE")
    notebooks = _find(paths)
    run = Run(notebooks, Outputs(json, csv, junit, html), show=out)
    with _reported(run):
        run.prepare(resume)
        run.points = _points(notebooks, nbgrader_points)
        earlier_seed = run.earlier[0].seed if run.earlier and seed is None else seed
        options = Options(
            jobs=jobs, timeout=timeout, total=total, memory=memory, seed=earlier_seed, require=_level(require)
        )
        run.grade(options, dask)
    raise typer.Exit(_summary(run))


def show_class(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", exists=True, help="Submissions to grade, or a file of grade --json.")
    ],
    jobs: Jobs = 1,
    seed: Seed = None,
    nbgrader_points: NbgraderPoints = False,
    require: Require = None,
    as_json: Json = False,
) -> None:
    """Show a class: its marks, and which misconceptions it has, how often.

    A folder of submissions is graded first; the results file of an earlier `dlcourse grade --json` is only read.
    """
    from dlcourse.cli import classes
    from dlcourse.grader import reports
    from dlcourse.grader.outputs import Outputs
    from dlcourse.grader.session import Options

    if folder.is_file() and folder.suffix != ".ipynb":
        try:
            setting, marks = reports.read(folder)
        except (ValueError, OSError) as error:
            fail(error)
    else:
        notebooks = _find([folder])
        run = Run(notebooks, Outputs(), show=err)
        with _reported(run):
            run.points = _points(notebooks, nbgrader_points)
            run.grade(Options(jobs=jobs, seed=seed, require=_level(require)), None)
        setting, marks = run.setting, run.results()
    if as_json:
        print_json(classes.as_data(setting, marks))
    else:
        for part in classes.tables(marks):
            out.print(part)
    raise typer.Exit(PROBLEM if any(notebook.message for notebook in marks) else OK)


@dataclass
class Run:
    """One grading: what is to be graded, where the marks go, and those that are known so far."""

    notebooks: Sequence[Path]
    outputs: Outputs
    show: Console
    points: Mapping[str, float] = field(default_factory=dict)
    earlier: tuple[Setting, list[NotebookResult]] | None = None
    marks: dict[str, NotebookResult] = field(default_factory=dict)
    started: bool = False

    def prepare(self, resume: bool) -> None:
        """See that the outputs can be written, and read what there is to go on from."""
        from dlcourse.grader import reports

        file = self.outputs.json
        try:
            self.outputs.prepare()
            if file and file.exists() and file.stat().st_size:
                found = reports.read(file)
                if resume:
                    self.earlier = found
                elif found[1]:
                    err.print(
                        f"The {_files(len(found[1]))} in {file} will be replaced; --resume would keep what holds."
                    )
        except (ValueError, OSError) as error:
            fail(error)

    def grade(self, options: Options, dask: str | None) -> None:
        """Grade whatever is not known yet, and write all outputs after each file."""
        from dlcourse.grader.points import course_points

        with _grader(options, dask) as grader:
            self.points = self.points or course_points()
            self.setting = grader.setting
            self._say_setting()
            kept = self._carry_over()
            todo = [path for path in self.notebooks if _key(path) not in self.marks]
            if kept or not todo:
                self._write(kept)
            with _progress(self.show, len(todo)) as progress:
                bar = progress.add_task("", total=len(todo))
                for result in grader.grade(todo):
                    self._take(result)
                    self.show.print(_row(self.marks[_key(result.path)]), soft_wrap=True)
                    progress.advance(bar)

    def results(self) -> list[NotebookResult]:
        """All marks, in the order in which the files were named, whichever finished first."""
        order = {_key(path): number for number, path in enumerate(self.notebooks)}
        return sorted(self.marks.values(), key=lambda one: order.get(_key(one.path), len(order)))

    def _take(self, result: NotebookResult) -> None:
        from dlcourse.grader.points import weighted

        self.marks[_key(result.path)] = weighted(result, self.points)
        self._write([self.marks[_key(result.path)]])

    def _carry_over(self) -> list[NotebookResult]:
        from dlcourse.grader import outputs
        from dlcourse.grader.points import weighted

        if self.earlier is None:
            return []
        try:
            kept = outputs.carried_over(self.earlier, self.setting, self.notebooks)
        except ValueError as error:
            fail(f"cannot go on with {self.outputs.json}: {error}")
        self.marks = {_key(one.path): weighted(one, self.points) for one in kept}
        said = f"Resume     {_files(len(kept))} of {len(self.earlier[1])} kept"
        if self.earlier[0] != self.setting:
            said += f": they were graded with {outputs.difference(self.earlier[0], self.setting)}"
        self.show.print(said, soft_wrap=True)
        return list(self.marks.values())

    def _write(self, new: Sequence[NotebookResult]) -> None:
        self.started = True
        self.outputs.write(self.setting, self.results(), new)

    def _say_setting(self) -> None:
        layers = ", ".join(self.setting.layers) or "no layers"
        self.show.print(f"Isolation  {self.setting.isolation} ({layers})", soft_wrap=True)
        if self.setting.isolation != "full":
            self.show.print("           not all there is: docs/grading.md says what a submission can still do")
        self.show.print(f"Seed       {self.setting.seed}")


@contextmanager
def _reported(run: Run) -> Iterator[None]:
    """Whatever ends the grading early is said in a line, with how to go on."""
    try:
        with _polite_to_termination():
            yield
    except KeyboardInterrupt:
        _stop(run, "stopped", INTERRUPTED)
    except typer.Exit:
        raise
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _stop(run, f"cannot go on:{where} {error.strerror or error}", FAILED)
    except Exception as error:
        kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
        _stop(run, f"the grader failed: {kind}{error}", FAILED)


@contextmanager
def _polite_to_termination() -> Iterator[None]:
    """Take SIGTERM, as a batch system sends it, for a Ctrl-C: what was started is ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(run: Run, why: str, code: int) -> NoReturn:
    of = f" ({len(run.marks)} of {_files(len(run.notebooks))} graded)"
    if not run.started:
        fail(why, code)
    if run.outputs.json:
        fail(f"{why}{of}; to go on, give the same command with --resume", code)
    fail(f"{why}{of}; only a results file, --json FILE, lets --resume go on", code)


def _find(paths: Sequence[Path]) -> list[Path]:
    """The notebooks meant, each once."""
    from dlcourse.grader import session

    try:
        found = {_key(path): path for path in session.find_notebooks(paths)}
    except (OSError, ValueError) as error:
        fail(error)
    if not found:
        fail(f"there is no notebook in {', '.join(map(str, paths))}")
    return list(found.values())


def _points(notebooks: Sequence[Path], from_nbgrader: bool) -> dict[str, float]:
    """What the notebooks say; empty where the course's own points hold."""
    from dlcourse.grader import points, reports

    if not from_nbgrader:
        return {}
    agreed, differing = points.nbgrader_points(notebooks)
    for path in differing:
        err.print(f"Points     {reports.one_line(str(path))} says other points than most files", soft_wrap=True)
    return agreed


def _grader(options: Options, dask: str | None) -> Grader | ClusterGrader:
    if dask is None:
        from dlcourse.grader import session

        return session.Grader(options)
    from dlcourse.grader import cluster

    return cluster.ClusterGrader(dask, options)


def _progress(console: Console, total: int) -> Progress:
    """A bar with the time left, on a terminal only."""
    return Progress(
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        transient=True,
        disable=not console.is_terminal or not total,
    )


def _row(notebook: NotebookResult) -> Text:
    """One submission on a line."""
    from dlcourse.grader import reports
    from dlcourse.grader.classroom import untouched

    path = reports.one_line(notebook.path)
    if notebook.message:
        return Text.assemble(("✗ not graded  ", "red"), f"{path}  {reports.one_line(notebook.message)}")
    said = [
        f"{exercise.id} {exercise.status}" + (f" ({exercise.mistake})" if exercise.mistake else "")
        for exercise in notebook.exercises
        if exercise.status != "pass" and not untouched(exercise)
    ]
    left = sum(untouched(exercise) for exercise in notebook.exercises)
    said += [f"{left} not started"] if left else []
    sign, style = ("✓", "green") if notebook.points == notebook.max else ("·", "yellow")
    marks = f"{sign} {notebook.points:g} of {notebook.max:g}"
    return Text.assemble((f"{marks:<13} ", style), f"{path}  {reports.one_line('; '.join(said))}".rstrip())


def _summary(run: Run) -> int:
    results = run.results()
    failed = sum(bool(notebook.message) for notebook in results)
    graded = f"{_files(len(results) - failed)} graded"
    out.print(graded + (f", {failed} could not be graded" if failed else ""))
    written = [file for file in (run.outputs.json, run.outputs.csv, run.outputs.junit) if file]
    written += [run.outputs.html / "index.html"] if run.outputs.html else []
    if written:
        out.print(f"Written    {', '.join(map(str, written))}", soft_wrap=True)
    return PROBLEM if failed else OK


def _files(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"


def _key(path: str | Path) -> str:
    from dlcourse.grader.outputs import key

    return key(path)
