"""A school that uses nbgrader hands out the same exercises and gives the same marks (extra ``class``)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason='the extra "class" is not installed')
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
from submissions import UNIT, hand_in, submission  # noqa: E402

HANDED_IN = {
    "right": submission(),
    "wrong": submission(mistakes=["neuron.forward", "neuron.softmax", "neuron.separable"]),
    "deleted": submission(mistakes=["neuron.forward", "neuron.leaky_relu"], checks=False),
}


def nbgrader(course: Path, verb: str) -> None:
    bin = Path(sys.executable).parent  # nbgrader calls alembic from PATH
    env = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "DLCOURSE"))}
    env |= {"HOME": str(course), "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    words = [sys.executable, "-m", "nbgrader", verb, UNIT]
    done = subprocess.run(words, cwd=course, env=env, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course folder of nbgrader's with everything handed in and graded."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "source" / UNIT).mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{UNIT}.ipynb", folder / "source" / UNIT)
    (folder / "nbgrader_config.py").write_text(f'load_subconfig("{ROOT / "tools" / "nbgrader_config.py"}")\n')
    nbgrader(folder, "generate_assignment")
    for student, notebook in HANDED_IN.items():
        hand_in(notebook, folder / "submitted" / student / UNIT)
    nbgrader(folder, "autograde")
    return folder


def marks_of_nbgrader(course: Path, student: str) -> dict[str, tuple[float, float]]:
    """Points and maximum by exercise."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(UNIT, UNIT, student).grades
        return {grade.name.removesuffix("-check").replace("-", "."): (grade.score, grade.max_score) for grade in grades}


@pytest.fixture(scope="module")
def marks_of_dlcourse(course) -> dict[str, dict[str, tuple[float, float]]]:
    """The same files, graded by `dlcourse grade`'s core."""
    from dlcourse.grader.session import Grader, Options

    paths = {course / "submitted" / student / UNIT / f"{UNIT}.ipynb": student for student in HANDED_IN}
    with Grader(Options(seed=0)) as grader:
        return {
            paths[Path(result.path)]: {one.id: (one.points, one.max) for one in result.exercises}
            for result in grader.grade(list(paths))
        }


def test_the_assignment_handed_out_is_the_exercise_notebook(course):
    ours = nbformat.read(ROOT / "exercises" / f"{UNIT}.ipynb", as_version=4).cells
    theirs = nbformat.read(course / "release" / UNIT / f"{UNIT}.ipynb", as_version=4).cells
    assert [cell.source for cell in theirs] == [cell.source for cell in ours]
    assert [cell.metadata.get("tags") for cell in theirs] == [cell.metadata.get("tags") for cell in ours]


@pytest.mark.parametrize("student", HANDED_IN)
def test_nbgrader_and_the_grader_give_the_same_marks(course, marks_of_dlcourse, student):
    assert marks_of_nbgrader(course, student) == marks_of_dlcourse[student]


def test_a_right_submission_has_all_points_and_a_wrong_one_lacks_those_of_its_mistakes(course):
    right, wrong = marks_of_nbgrader(course, "right"), marks_of_nbgrader(course, "wrong")
    assert all(points == most > 0 for points, most in right.values())
    lost = {id for id, (points, _) in wrong.items() if points == 0}
    assert lost == {"neuron.forward", "neuron.softmax", "neuron.separable"}


def test_deleting_the_check_cells_neither_costs_nor_earns_points(course):
    deleted = marks_of_nbgrader(course, "deleted")
    assert {id for id, (points, _) in deleted.items() if points == 0} == {"neuron.forward", "neuron.leaky_relu"}
