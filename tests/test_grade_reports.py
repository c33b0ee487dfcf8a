"""Reports: what stands in them, and that names and messages by strangers stay text in every format."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from fake_grader import VERSIONS, graded, submission

from dlcourse.checks import catalog
from dlcourse.grader import classroom, pages, reports
from dlcourse.grader.outputs import Outputs
from dlcourse.grader.results import ExerciseResult, NotebookResult, Setting

SETTING = Setting("full", ("user namespace", "Landlock"), 7, VERSIONS)
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>`\x00\x1b[31m\u202e\ud800]]>"
STATUSES = ("pass", "wrong", "error", "timeout", "crash", "memory", "missing", "tampered", "forbidden")


def exercise(id="neuron.softmax", status="wrong", mistake=None, message="", most=2.0):
    return ExerciseResult(id, status, most if status == "pass" else 0.0, most, mistake, message, 0.1)


def notebook(path, *exercises, message=""):
    topic = exercises[0].id.split(".")[0] if exercises else ""
    points, most = sum(one.points for one in exercises), sum(one.max for one in exercises)
    digest = "" if message else "ab" * 32
    return NotebookResult(path, digest, classroom.student_of(path), topic, points, most, 0.5, message, exercises)


def table(results):
    return list(csv.DictReader(io.StringIO(reports.as_csv(results))))


@pytest.fixture
def in_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ---- JSON


def test_json_comes_back_the_same(tmp_path):
    results = [
        notebook("anna/01_neuron.ipynb", *(exercise(status=status, message=HOSTILE) for status in STATUSES)),
        notebook(f"{HOSTILE}/x.ipynb".replace("\0", ""), message=HOSTILE),
    ]
    reports.write(tmp_path / "m.json", reports.as_json(SETTING, results))
    assert reports.read(tmp_path / "m.json") == (SETTING, results)


@pytest.mark.parametrize(
    "change",
    [
        {"isolation": "total"},
        {"seed": "7"},
        {"seed": True},
        {"layers": 3},
        {"versions": []},
        {"notebooks": {}} | {"notebooks": [3]},
        {"notebooks": [{"path": "x"}]},
        {"version": "1"},
        {"version": True},
    ],
)
def test_a_damaged_results_file_is_named_as_such(tmp_path, change):
    data = json.loads(reports.as_json(SETTING, []))
    (tmp_path / "m.json").write_text(json.dumps(data | change))
    with pytest.raises(ValueError, match=r"m\.json is"):
        reports.read(tmp_path / "m.json")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", '"2"', "true", "null", "1e999"])
def test_marks_that_are_no_numbers_are_damage(tmp_path, value):
    text = reports.as_json(SETTING, [notebook("a/01_neuron.ipynb", exercise())])
    (tmp_path / "m.json").write_text(text.replace('"max": 2.0', f'"max": {value}'))
    with pytest.raises(ValueError, match="damaged"):
        reports.read(tmp_path / "m.json")


def test_a_file_is_replaced_in_one_step_and_through_a_link(tmp_path, monkeypatch):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    reports.write(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"

    def broken(*_):
        raise OSError("torn")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="torn"):
        reports.write(tmp_path / "real.json", "half")
    assert (tmp_path / "real.json").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_a_new_file_has_ordinary_permissions(tmp_path):
    (tmp_path / "other").write_text("")
    reports.write(tmp_path / "m.json", "x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "m.json")]
    assert modes[0] == modes[1]


# ---- CSV


def test_the_gradebook_has_a_row_for_each_student_and_a_column_for_each_exercise(in_class):
    rows = table(
        [
            notebook("zoe/01_neuron.ipynb", exercise(status="pass"), exercise("neuron.forward", "wrong", most=1.0)),
            notebook("zoe/02_gradient_descent.ipynb", exercise("gradient_descent.adam", "pass", most=4.0)),
            notebook("anna/01_neuron.ipynb", exercise(status="pass"), exercise("neuron.forward", "pass", most=1.0)),
            notebook("bob/01_neuron.ipynb", message="The file is empty."),
        ]
    )
    assert list(rows[0]) == [
        "student", "points", "max", "neuron", "gradient_descent",
        "neuron.forward", "neuron.softmax", "gradient_descent.adam", "notes",
    ]  # fmt: skip
    assert [row["student"] for row in rows] == ["anna", "bob", "zoe"]
    anna, bob, zoe = rows
    assert (anna["points"], anna["max"], anna["gradient_descent.adam"]) == ("3", "7", "")
    assert (bob["points"], bob["neuron"], bob["neuron.softmax"], bob["notes"]) == (
        "",
        "",
        "",
        "01_neuron.ipynb: The file is empty.",
    )
    assert (zoe["points"], zoe["neuron"], zoe["neuron.forward"], zoe["gradient_descent"]) == ("6", "2", "0", "4")


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-1+2", "@SUM(A1)"])
def test_a_name_is_no_formula(in_class, name):
    (row,) = table([notebook(f"{name.replace('/', '')}/01_neuron.ipynb", exercise())])
    assert row["student"].startswith("'")


def test_a_name_with_commas_quotes_and_line_breaks_stays_one_field(in_class):
    rows = table([notebook('a,"b\r\nc\x00d/01_neuron.ipynb', exercise(status="pass"))])
    assert len(rows) == 1
    assert rows[0]["student"] == 'a,"b c\\u0000d'
    assert rows[0]["neuron.softmax"] == "2"


# ---- who is who


def labels(*paths):
    return [row.student for row in classroom.rows([notebook(path, exercise()) for path in paths])]


def test_namesakes_in_different_folders_stay_two_students(in_class):
    assert labels("g1/anna/01_neuron.ipynb", "g2/anna/01_neuron.ipynb", "g1/bob/01_neuron.ipynb") == [
        "bob",
        "g1/anna",
        "g2/anna",
    ]


def test_the_folder_that_nbgrader_puts_between_is_no_student(in_class):
    adam = exercise("gradient_descent.adam", most=4.0)
    results = [
        notebook("submitted/anna/01_neuron/01_neuron.ipynb", exercise()),
        notebook("submitted/anna/02_gradient_descent/02_gradient_descent.ipynb", adam),
        notebook("submitted/bob/01_neuron/01_neuron.ipynb", exercise()),
        notebook("submitted/carl/carl.ipynb", exercise()),
    ]
    rows = classroom.rows(results)
    assert [(row.student, len(row.notebooks)) for row in rows] == [("anna", 2), ("bob", 1), ("carl", 1)]
    assert "by <bdi>anna</bdi>" in pages.submission_page(results[0])


def test_a_second_file_of_a_unit_gets_a_row_of_its_own(in_class):
    rows = classroom.rows([notebook(f"anna/{name}.ipynb", exercise()) for name in ("01_neuron", "01_neuron-Copy1")])
    assert [row.student for row in rows] == ["anna", "anna (01_neuron-Copy1.ipynb)"]
    assert rows[0].notes == ["also handed in: 01_neuron-Copy1.ipynb"]
    assert rows[1].notes == ["another file of the same unit"]


def test_files_of_a_whole_class_in_one_folder_are_not_taken_for_one_student(in_class):
    results = [notebook(f"all/{name}.ipynb", exercise(mistake="m")) for name in ("anna", "bob")]
    results.append(notebook("all/carl.ipynb", message="The file is empty."))
    assert [row.student for row in classroom.rows(results)] == [
        "all (anna.ipynb)",
        "all (bob.ipynb)",
        "all (carl.ipynb)",
    ]


def test_two_units_of_a_student_share_a_row(in_class):
    adam = exercise("gradient_descent.adam", most=4.0)
    results = [notebook("a/01_neuron.ipynb", exercise()), notebook("a/02_gradient_descent.ipynb", adam)]
    assert len(classroom.rows(results)) == 1


def test_an_unreadable_file_named_like_a_unit_stands_for_that_unit(in_class):
    adam = exercise("gradient_descent.adam", most=4.0)
    results = [notebook("a/01_neuron.ipynb", message="empty"), notebook("a/02_gradient_descent.ipynb", adam)]
    (row,) = classroom.rows(results)
    assert set(row.notebooks) == {"neuron", "gradient_descent"}
    assert row.notes == ["01_neuron.ipynb: empty"]


def test_names_that_differ_in_case_or_accents_only_are_pointed_out(in_class):
    rows = classroom.rows(
        [notebook(f"{name}/01_neuron.ipynb", exercise()) for name in ("José", "Jose\u0301", "JOSÉ", "li")]
    )
    assert len(rows) == 4
    assert [bool(row.notes) for row in rows] == [True, True, True, False]


def test_a_file_in_the_current_folder_belongs_to_that_folder(tmp_path, monkeypatch):
    (tmp_path / "anna").mkdir()
    monkeypatch.chdir(tmp_path / "anna")
    assert classroom.student_of("01_neuron.ipynb") == "anna"
    assert classroom.student_of("../bob/01_neuron.ipynb") == "bob"
    assert classroom.student_of("/01_neuron.ipynb") == "/"


def test_misconceptions_are_counted_by_student(in_class):
    spread = exercise(mistake="sum-over-examples")
    results = [
        notebook("anna/01_neuron.ipynb", spread),
        notebook("anna/01_neuron-Copy1.ipynb", spread),
        notebook("bob/01_neuron.ipynb", spread, exercise("neuron.forward", mistake="no-bias")),
        notebook("carl/01_neuron.ipynb", exercise(mistake="stub")),
        notebook("dora/01_neuron.ipynb", exercise(status="missing")),
        notebook("eve/01_neuron.ipynb", exercise(status="pass")),
    ]
    first, second = classroom.misconceptions(results)
    assert (first.exercise, first.mistake, first.count, first.of) == ("neuron.softmax", "sum-over-examples", 2, 5)
    assert first.text
    assert (second.mistake, second.count, second.of) == ("no-bias", 1, 1)
    softmax = classroom.standings(results)[1]
    assert (softmax.passed, softmax.tried, softmax.untouched) == (1, 2, 2)


# ---- JUnit


def test_junit_has_a_suite_for_each_file_with_its_counts(in_class):
    results = [
        notebook("anna/01_neuron.ipynb", *(exercise(status=status, message=HOSTILE) for status in STATUSES)),
        notebook("bob/x.ipynb", message=HOSTILE),
    ]
    top = ET.fromstring(reports.as_junit(results).encode("utf-8"))
    first, second = top
    assert [first.get(name) for name in ("name", "tests", "failures", "errors")] == [
        "anna/01_neuron.ipynb",
        "9",
        "3",
        "5",
    ]
    assert [second.get(name) for name in ("tests", "failures", "errors")] == ["1", "0", "1"]
    assert [top.get(name) for name in ("tests", "failures", "errors")] == ["10", "3", "6"]
    assert "<script>" in first.findtext("testcase/failure")
    assert "\\u0000" in first.findtext("testcase/failure")


# ---- pages


class Page(HTMLParser):
    """Tags with their attributes, ids, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def all_statuses(path="anna/01_neuron.ipynb"):
    ids = [one.id for one in catalog() if one.topic == "neuron"]
    return notebook(
        path, *(exercise(id, status, message=f"about {id}") for id, status in zip(ids, STATUSES, strict=False))
    )


def assert_sound(text):
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "link", "form", "base"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(not a["href"].startswith(("http", "javascript", "/", "..")) for a in page.all("a"))
    assert "default-src 'none'" in page.all("meta")[1]["content"]
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in attributes for attributes in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(a["href"][1:] in ids for a in page.all("a") if a["href"].startswith("#"))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", text)
    text.encode("utf-8")
    return page


def test_a_learners_page_tells_mistake_and_hint_and_no_solution(in_class):
    result = all_statuses()
    wrong = replace(result.exercises[1], mistake="overflow")
    page = assert_sound(
        pages.submission_page(replace(result, exercises=(result.exercises[0], wrong, *result.exercises[2:])))
    )
    for word in ("2 of 18 points", "overflow", "about neuron.sigmoid", "✓ Passed", "took too long", "Not found"):
        assert word in page.text
    by_id = {one.id: one for one in catalog()}
    hint = by_id["neuron.sigmoid"].hints[0].replace("`", "")
    assert hint in page.text
    for one in result.exercises:
        assert by_id[one.id].hints[-1].replace("`", "") not in page.text
    assert "about neuron.forward" not in page.text  # passed
    assert "index.html" not in json.dumps(page.tags)


def test_hostile_names_and_messages_stay_text(in_class):
    path = f"{HOSTILE}/{HOSTILE}.ipynb".replace("</", "<").replace("\0", "")
    bad = exercise(f"neuron.{HOSTILE}", "wrong", mistake=HOSTILE, message=HOSTILE)
    results = [
        notebook(path, bad, exercise(mistake=HOSTILE, message=HOSTILE)),
        notebook("b/" + HOSTILE, message=HOSTILE),
    ]
    texts = [*map(pages.submission_page, results), pages.class_page(SETTING, results)]
    for text in texts:
        assert "alert(1)" in assert_sound(text).text


def test_the_class_page_links_every_submission_and_says_its_chart_in_words(in_class):
    results = [all_statuses(f"{name}/01_neuron.ipynb") for name in ("anna", "bob")]
    results.append(notebook("carl/what.ipynb", message="The file is empty."))
    page = assert_sound(pages.class_page(SETTING, results))
    assert {a["href"] for a in page.all("a")} == {pages.page_name(one.path) for one in results}
    (chart,) = page.all("svg")
    assert chart["role"] == "img"
    assert "2 from 1.8 to 3.6" in page.text
    assert "The file is empty." in page.text
    assert "Seed: 7" in page.text
    assert_sound(pages.class_page(SETTING, []))
    assert_sound(pages.class_page(SETTING, results[2:]))


DANGEROUS = [
    "../x.ipynb", "../../etc/passwd/x.ipynb", "CON/CON.ipynb", "con/CON.ipynb", "nul.ipynb", "a/b.ipynb", "a-b/.ipynb",
    "...", "index/.html", "李/作业.ipynb", "李/課題.ipynb", "a" * 300 + "/x.ipynb", "A/b.ipynb", "a\\b/c:d*.ipynb", "\ud800/x.ipynb",
    "a\n/b.ipynb", "-rf/x.ipynb",
]  # fmt: skip


def test_every_path_has_a_page_name_that_is_safe_everywhere():
    names = [pages.page_name(path) for path in DANGEROUS]
    assert len({name.casefold() for name in names}) == len(DANGEROUS)
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,80}\.html", name)
        assert name != pages.CLASS_PAGE
        assert name.split(".")[0] not in ("con", "nul", "aux", "prn")


def test_pages_stay_in_their_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "html").mkdir()
    results = [notebook(path, exercise(message=HOSTILE)) for path in DANGEROUS]
    Outputs(html=Path("html")).write(SETTING, results, results)
    assert [path.name for path in tmp_path.iterdir()] == ["html"]
    assert len(list((tmp_path / "html").iterdir())) == len(DANGEROUS) + 1


def test_two_hundred_submissions_are_written_in_little_time(tmp_path, monkeypatch):
    import time

    monkeypatch.chdir(tmp_path)
    results = [graded(submission(tmp_path / f"s{number}" / "01_neuron.ipynb", xor="wrong:a")) for number in range(200)]
    outputs = Outputs(tmp_path / "m.json", tmp_path / "m.csv", tmp_path / "m.xml", tmp_path / "html")
    outputs.prepare()
    start = time.process_time()
    outputs.write(SETTING, results, results[-1:])
    assert time.process_time() - start < 0.5
