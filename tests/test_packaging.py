"""What is installed is the course: the wheel carries it, a foreign environment runs it, the declarations agree."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import dlcourse
from dlcourse.cli import doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
IMPORTED_AS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}  # where the distribution has another name


EXTRAS = PROJECT["optional-dependencies"]


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def imported(*paths):
    """Top-level names of the third-party modules that these Python files import, anywhere in them."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"dlcourse"}


def test_every_third_party_import_is_a_declared_dependency():
    declared = names([*PROJECT["dependencies"], *EXTRAS["class"]]) | {
        "distributed"
    }  # dask[distributed] is two packages
    missing = {
        name
        for name in imported(*(ROOT / "dlcourse").rglob("*.py"))
        if canonicalize_name(IMPORTED_AS.get(name, name)) not in declared
    }
    assert not missing


def test_every_import_of_tests_and_tools_is_declared_in_an_extra():
    declared = names([*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["class"]]) | {"distributed"}
    own = {path.stem for folder in (".", "tests", "tools", "benchmarks") for path in (ROOT / folder).glob("*.py")}
    own |= {"tests", "tools"} | {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    found = imported(*ROOT.glob("conftest.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")) - own
    assert not {name for name in found if canonicalize_name(IMPORTED_AS.get(name, name)) not in declared}


def test_every_dependency_has_a_lower_and_an_upper_bound_and_none_is_pinned():
    for text in [*PROJECT["dependencies"], *EXTRAS["class"]]:
        assert {one.operator for one in Requirement(text).specifier} == {">=", "<"}, text
    for text in EXTRAS["test"]:
        assert {one.operator for one in Requirement(text).specifier} <= {">=", "<"}, text


def test_the_environment_says_nothing_of_its_own():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    assert {re.split(r"[ =<>!]", line)[0] for line in conda} == {"python", "pip"}
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert [line for line in pip if not line.startswith("--")] == ["-e .[test]"]
    (python,) = [line for line in conda if line.startswith("python")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.split("=")[-1])


def test_binder_installs_the_project_on_a_python_it_supports():
    lines = (ROOT / "binder/requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("--")] == ["-e ."]
    version = (ROOT / "binder/runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert os.access(ROOT / "binder/postBuild", os.X_OK)


def test_the_doctor_agrees_with_the_declared_ranges():
    ranges = {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, PROJECT["dependencies"])}
    assert SpecifierSet(re.search(r"torch([^\"]+)", doctor.CPU_TORCH)[1]) == SpecifierSet(ranges["torch"])
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, doctor.OLDEST_PYTHON))


def test_the_scripts_are_executable_and_bash_reads_them():
    for name in (".ci/run", "binder/postBuild"):
        assert os.access(ROOT / name, os.X_OK), name
        subprocess.run(["bash", "-n", str(ROOT / name)], check=True)


# --- the wheel -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_is_named_by_the_packages_version(wheel):
    assert wheel.name.startswith(f"dlcourse-{dlcourse.__version__}-py3-none-any")


def test_the_wheel_carries_all_lessons_and_exercises(wheel):
    carried = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("notebooks", "exercises"):
        for path in (ROOT / folder).glob("*.ipynb"):
            assert f"dlcourse/_course/{folder}/{path.name}" in carried


def test_the_wheel_carries_no_solutions_tests_or_tools(wheel):
    for name in zipfile.ZipFile(wheel).namelist():
        assert name.startswith(("dlcourse/", "dlcourse-")), name
        assert not {"solutions", "tests", "tools", "benchmarks", ".ipynb_checkpoints", "__pycache__"} & set(
            name.split("/")
        )
        assert not name.endswith(".gitkeep")
        if name.endswith(".ipynb"):
            assert b"### BEGIN SOLUTION" not in zipfile.ZipFile(wheel).read(name)


@pytest.fixture(scope="module")
def foreign(wheel, tmp_path_factory):
    """A fresh environment outside the clone with only the wheel in it.

    To spare the minutes and gigabytes of installing PyTorch again, its third-party packages are this environment's, seen
    through a .pth file. Only dlcourse itself comes from the wheel: .pth files in a folder that is itself named by a .pth
    file are not read, so the editable install does not come along. That the third-party packages would be installed by
    pip is what `test_every_third_party_import_is_a_declared_dependency` holds.
    """
    folder = tmp_path_factory.mktemp("foreign")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    here = [path for path in sys.path if path.rstrip("/").endswith(("site-packages", "dist-packages"))]
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, capture_output=True, check=True)
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    Path(own, "packages_of_the_test_environment.pth").write_text("\n".join(here) + "\n")
    return python


def run(python, *words, cwd):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "DLCOURSE", "JUPYTER"))}
    env |= {"HOME": str(cwd), "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [str(python), *words], cwd=cwd, env=env, capture_output=True, encoding="utf-8", check=False, timeout=120
    )


def test_the_installed_wheel_makes_a_workspace_outside_the_clone(foreign, tmp_path):
    where = run(foreign, "-c", "import dlcourse.course as c; print(c.__file__); print(c.root())", cwd=tmp_path)
    assert str(ROOT) not in where.stdout, "the wheel's package, not the clone's"
    script = foreign.with_name("dlcourse")
    done = run(script, "lab", "--no-start", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "dlcourse-workspace"
    for folder in ("notebooks", "exercises"):
        wanted = sorted(path.name for path in (ROOT / folder).glob("*.ipynb"))
        assert sorted(path.name for path in (made / folder).glob("*.ipynb")) == wanted
    assert not (made / "solutions").exists()


def test_the_installed_wheel_lists_the_exercises_and_checks_an_answer(foreign, tmp_path):
    done = run(foreign.with_name("dlcourse"), "list", cwd=tmp_path)
    assert "neuron.softmax" in done.stdout, done.stderr
    script = "from dlcourse.checks import evaluate; print(evaluate('neuron.softmax', lambda z: z).passed)"
    assert run(foreign, "-c", script, cwd=tmp_path).stdout.strip() == "False"


def test_an_editable_install_reads_the_repository_and_copies_nothing():
    import importlib.metadata

    from dlcourse import course

    files = importlib.metadata.files("dlcourse") or []
    assert not [file for file in files if "_course" in file.parts], "hatch_build.py adds them to the wheel only"
    assert course.root() == ROOT


def test_the_build_hook_is_what_puts_the_notebooks_into_the_wheel(tmp_path):
    sys.path.insert(0, str(ROOT))
    try:
        from hatch_build import CourseFiles
    finally:
        sys.path.remove(str(ROOT))
    (tmp_path / "notebooks/.ipynb_checkpoints").mkdir(parents=True)
    (tmp_path / "notebooks/.ipynb_checkpoints/01-checkpoint.ipynb").write_text("")
    (tmp_path / "notebooks/01.ipynb").write_text("")
    hook = CourseFiles(str(tmp_path), {}, None, None, "", "")
    for version, wanted in (("standard", ["dlcourse/_course/notebooks/01.ipynb"]), ("editable", [])):
        build = {"force_include": {}}
        hook.initialize(version, build)
        assert list(build["force_include"].values()) == wanted
