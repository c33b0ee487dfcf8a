"""Marks as pages that people read: one for each submission, for its learner, and one of the class, for the teacher.

A page is one file without scripts, and forbids them: whatever a submission wrote into a name or a message is shown as
text. A learner's page tells the mistake and gives the first hint, never the solution, and does not link to the class.
"""

from __future__ import annotations

import hashlib
import re
import statistics
import unicodedata
from collections.abc import Sequence
from html import escape
from pathlib import Path

from dlcourse.checks import TOPICS, catalog
from dlcourse.grader import classroom
from dlcourse.grader.reports import one_line, plain
from dlcourse.grader.results import ExerciseResult, NotebookResult, Setting

CLASS_PAGE = "index.html"
GENERATOR = "dlcourse grade"
STATES = {
    "pass": "✓ Passed",
    "wrong": "✗ Not yet",
    "error": "✗ It stopped with an error",
    "timeout": "✗ It took too long",
    "crash": "✗ It ended Python",
    "memory": "✗ It needed too much memory",
    "missing": "· Not found",
    "tampered": "✗ It interfered with the grading",
    "forbidden": "✗ A shortcut that this exercise rules out",
}
NOT_STARTED = "· Not started"

_STYLE = """\
:root{color-scheme:light dark;--line:#8886;--good:#1b6e2b;--bad:#b3261e;--bar:#2f6db5}
@media(prefers-color-scheme:dark){:root{--good:#7ed492;--bad:#ff9d94;--bar:#79aef0}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:0 auto;padding:1em}
h1{font-size:1.6em;line-height:1.25}h2{font-size:1.2em;margin-top:2em}
table{border-collapse:collapse;margin:1em 0}caption{text-align:left;font-weight:bold;padding:.3em 0}
th,td{text-align:left;vertical-align:top;padding:.25em 1.2em .25em 0;border-bottom:1px solid var(--line)}
th{font-weight:600}td.n,th.n{text-align:right}.wide{overflow-x:auto}
td,th,h1,h2{overflow-wrap:anywhere}td.n,th.n,th code{overflow-wrap:normal}figure{margin:1em 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:4px solid var(--line);padding:.4em .8em;margin:.6em 0}
code,pre{font-family:ui-monospace,monospace;font-size:.93em}
.good{color:var(--good)}.bad{color:var(--bad)}.hint{border-left:4px solid var(--bar);padding:.1em .8em}
.track{display:block;width:8em;height:.8em;margin-top:.35em;border:1px solid var(--line)}
.track span{display:block;height:100%;background:var(--bar)}
svg{max-width:100%;height:auto}svg rect{fill:var(--bar)}svg text{fill:currentColor;font-size:13px}
"""


def page_name(path: str) -> str:
    """A file name for a submission's page: safe on every system, and another one for every path.

    The hash keeps apart what reads the same in ASCII or differs only in case, and makes of CON, ``..`` and the like
    ordinary names.
    """
    words = f"{classroom.student_of(path)}-{Path(path).stem}"
    ascii_only = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:48].strip("-")
    digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable or 'submission'}-{digest}.html"


# ---- one submission


def submission_page(notebook: NotebookResult) -> str:
    """What a learner reads: the marks, and for each exercise that is not passed what was found and the first hint."""
    name = one_line(Path(notebook.path).name)
    who = f"<p>Handed in by {_name(classroom.student_of(notebook.path))} as {_name(name)}</p>"
    if notebook.message:
        text = f"<h1>This file could not be graded</h1>{who}<pre>{_text(notebook.message)}</pre>"
        return _page(f"{name}: not graded", text)
    marks = f"{_figure(notebook.points)} of {_figure(notebook.max)} points"
    title = f"{_unit(notebook.topic)}: {marks}"
    rows = "".join(
        f'<tr><th scope="row">{_linked(exercise)}</th><td>{_state(exercise)}</td>'
        f'<td class="n">{_figure(exercise.points)} of {_figure(exercise.max)}</td></tr>'
        for exercise in notebook.exercises
    )
    table = (
        '<table><caption>The exercises</caption><thead><tr><th scope="col">exercise</th><th scope="col">result</th>'
        f'<th scope="col" class="n">points</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    sections = "".join(_section(exercise) for exercise in notebook.exercises if exercise.status != "pass")
    return _page(title, f"<h1>{_text(title)}</h1>{who}{table}{sections}")


def _section(result: ExerciseResult) -> str:
    exercise = next((one for one in catalog() if one.id == result.id), None)
    hint = f'<p class="hint">A hint: {_inline(exercise.hints[0])}</p>' if exercise and exercise.hints else ""
    message = f"<pre>{_text(result.message)}</pre>" if result.message else ""
    heading = f'<h2 id="{_text(result.id)}">{_text(_title(result.id))}</h2>'
    return f"<section>{heading}<p>{_state(result)}{_mistake(result)}</p>{message}{hint}</section>"


def _mistake(result: ExerciseResult) -> str:
    known = classroom.known_mistakes().get((result.id, result.mistake or ""))
    return f" (the mistake is known as <code>{_text(result.mistake or '')}</code>)" if known else ""


def _state(result: ExerciseResult) -> str:
    if result.mistake in classroom.UNTOUCHED:
        return NOT_STARTED
    color = "good" if result.status == "pass" else "bad"
    return f'<span class="{color}">{STATES[result.status]}</span>'


def _linked(result: ExerciseResult) -> str:
    title = _text(_title(result.id))
    return title if result.status == "pass" else f'<a href="#{_text(result.id)}">{title}</a>'


def _title(id: str) -> str:
    return next((one.title for one in catalog() if one.id == id), id)


def _unit(topic: str) -> str:
    number = f"Exercises {TOPICS[topic]}: " if topic in TOPICS else ""
    return number + topic.replace("_", " ")


# ---- the class


def class_page(setting: Setting, notebooks: Sequence[NotebookResult]) -> str:
    """What the teacher reads: the marks, how each exercise went, and which mistakes were made by how many."""
    rows = classroom.rows(notebooks)
    graded = [row for row in rows if row.graded]
    most = sum(classroom.columns(notebooks).values())
    points = [row.points for row in graded]
    text = f"<h1>The class: {len(notebooks)} file{'s' * (len(notebooks) != 1)}</h1>"
    if points:
        text += (
            f"<p>Mean {statistics.mean(points):.1f}, median {_figure(statistics.median(points))} "
            f"of {_figure(most)} points.</p>{_histogram(points, most)}"
        )
    text += _marks_table(rows, notebooks) + _misconception_table(notebooks) + _exercise_table(notebooks)
    versions = ", ".join(f"{name} {version}" for name, version in setting.versions.items())
    text += (
        f"<h2>How this was graded</h2><p>Isolation: {_text(setting.isolation)} "
        f"({_text(', '.join(setting.layers) or 'no layers')}). Seed: {setting.seed}. {_text(versions)}.</p>"
    )
    return _page("The class", text)


def _marks_table(rows: Sequence[classroom.Row], notebooks: Sequence[NotebookResult]) -> str:
    maxima = classroom.columns(notebooks)
    units = list(dict.fromkeys(id.split(".")[0] for id in maxima))
    most = {unit: sum(value for id, value in maxima.items() if id.split(".")[0] == unit) for unit in units}
    head = "".join(
        f'<th scope="col" class="n">{_text(unit)}<br>of {_figure(value)}</th>' for unit, value in most.items()
    )
    body = "".join(_marks_row(row, units) for row in rows)
    return (
        '<h2 id="marks">Marks</h2><div class="wide"><table><caption>Points by student and unit</caption>'
        f'<thead><tr><th scope="col">student</th>{head}<th scope="col" class="n">all</th>'
        f'<th scope="col">notes</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def _marks_row(row: classroom.Row, units: Sequence[str]) -> str:
    cells = ""
    for unit in units:
        notebook = row.notebooks.get(unit)
        shown = "" if notebook is None else "not graded" if notebook.message else _figure(notebook.points)
        cells += f'<td class="n">{_page_link(notebook, shown) if notebook else shown}</td>'
    unknown = [
        _page_link(found, one_line(Path(found.path).name)) for unit, found in row.notebooks.items() if unit not in units
    ]
    notes = "; ".join([*unknown, *(_text(one_line(note)) for note in row.notes)])
    total = _figure(row.points) if row.graded else ""
    return f'<tr><th scope="row">{_name(row.student)}</th>{cells}<td class="n">{total}</td><td>{notes}</td></tr>'


def _page_link(notebook: NotebookResult, text: str) -> str:
    return f'<a href="{page_name(notebook.path)}">{_text(text)}</a>'


def _misconception_table(notebooks: Sequence[NotebookResult]) -> str:
    found = classroom.misconceptions(notebooks)
    if not found:
        return '<h2 id="misconceptions">Misconceptions</h2><p>None was found.</p>'
    body = "".join(
        f'<tr><th scope="row"><code>{_text(one.exercise)}</code></th><td><code>{_text(one.mistake)}</code>'
        f'{_said(one.text)}</td><td class="n">{one.count} of {one.of}</td><td>{_bar(one.count, one.of)}</td></tr>'
        for one in found
    )
    return (
        '<h2 id="misconceptions">Misconceptions</h2><table><caption>Which mistakes, and by how many students of those '
        'who handed the exercise in</caption><thead><tr><th scope="col">exercise</th><th scope="col">mistake</th>'
        f'<th scope="col" class="n">students</th><td></td></tr></thead><tbody>{body}</tbody></table>'
    )


def _exercise_table(notebooks: Sequence[NotebookResult]) -> str:
    body = "".join(
        f'<tr><th scope="row"><code>{_text(one.id)}</code><br>{_text(one.title)}</th>'
        f'<td class="n">{one.passed}</td><td class="n">{one.tried}</td><td class="n">{one.untouched}</td>'
        f"<td>{_bar(one.passed, one.of)}</td></tr>"
        for one in classroom.standings(notebooks)
    )
    return (
        '<h2 id="exercises">Exercises</h2><table><caption>How many students passed each exercise</caption><thead><tr>'
        '<th scope="col">exercise</th><th scope="col" class="n">passed</th><th scope="col" class="n">not yet</th>'
        f'<th scope="col" class="n">not started</th><td></td></tr></thead><tbody>{body}</tbody></table>'
    )


def _said(text: str) -> str:
    return f"<br>{_inline(text)}" if text else " (found, but no known misconception gives it)"


def _bar(part: int, whole: int) -> str:
    """A bar beside a number that says the same."""
    percent = 100 * part / max(whole, 1)
    return f'<span class="track" aria-hidden="true"><span style="width:{percent:.0f}%"></span></span>'


def _histogram(points: Sequence[float], most: float) -> str:
    """How the points are spread, in ten bars of equal width."""
    counts = [0] * 10
    for value in points:
        counts[min(int(10 * value / most), 9) if most else 0] += 1
    edges = [f"{_figure(round(most * step / 10, 2))}" for step in range(11)]
    described = "; ".join(
        f"{count} from {edges[step]} to {edges[step + 1]}" for step, count in enumerate(counts) if count
    )
    parts = []
    for step, count in enumerate(counts):
        height = 110 * count / max(counts)
        left = 10 + 56 * step
        parts.append(f'<rect x="{left}" y="{130 - height:.1f}" width="52" height="{height:.1f}"/>')
        parts.append(f'<text x="{left + 26}" y="{124 - height:.1f}" text-anchor="middle">{count or ""}</text>')
    ticks = "".join(
        f'<text x="{8 + 56 * step}" y="148" text-anchor="middle">{edge}</text>' for step, edge in enumerate(edges)
    )
    title = "Students by points"
    return (
        '<figure><svg role="img" viewBox="0 0 590 170" width="590" aria-labelledby="spread spread-text">'
        f'<title id="spread">{title}</title><desc id="spread-text">{described}</desc>{"".join(parts)}{ticks}'
        '<text x="290" y="167" text-anchor="middle">points</text></svg>'
        f"<figcaption>{title}: {described}.</figcaption></figure>"
    )


# ---- pieces


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="generator" content="{GENERATOR}">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )


def _text(text: str) -> str:
    return escape(plain(text))


def _name(text: str) -> str:
    """A stranger's name, which may be written from right to left without turning its neighbors around."""
    return f"<bdi>{_text(one_line(text))}</bdi>"


def _inline(text: str) -> str:
    """Escaped text in which `code` is set as code."""
    parts = _text(text).split("`")
    if len(parts) % 2 == 0:
        return _text(text)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _figure(value: float) -> str:
    return f"{value:.10g}"
