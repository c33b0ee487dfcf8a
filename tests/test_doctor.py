"""Each fault of an installation, made for the purpose, is found and comes with its mend."""

from __future__ import annotations

import importlib.metadata
import json
import os
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcourse import course
from dlcourse.cli import doctor
from dlcourse.cli.app import app

WORKING_TORCH = """
__version__ = "2.9.0+cu128"
class _Sum:
    def sum(self): return 1.0
def ones(n, device): {ones}
class version: cuda = {built_for}
class cuda:
    @staticmethod
    def is_available(): return {sees_gpu}
"""


def found(finding, status, *words):
    """The finding has this status and its text these words; a problem has a mend."""
    assert finding.status == status, finding
    for word in words:
        assert word in finding.found, finding
    assert status == "ok" or finding.mend, finding
    return finding


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Puts a module of this name and text before the installed one, for this and for child processes."""

    def put(name, text):
        folder = tmp_path / "modules"
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "__init__.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return put


@pytest.fixture
def without(monkeypatch):
    """Makes an installed package look as if it were not there."""
    find_spec = doctor.importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name in names else find_spec(name))

    return hide


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a shell script of this name first on the PATH."""

    def put(name, text):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
        return path

    return put


def fake_torch(module, built_for=None, sees_gpu=False, ones="return _Sum()"):
    module("torch", WORKING_TORCH.format(built_for=repr(built_for), sees_gpu=sees_gpu, ones=ones))


def test_this_installation_has_no_problem(tmp_path):
    for finding in doctor.examine(tmp_path / "work"):
        assert finding.status != "problem", finding


def test_an_old_python_is_found(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 4, "final", 0))
    found(doctor.python(), "problem", "older than 3.11")


def test_a_32_bit_python_is_found(monkeypatch):
    monkeypatch.setattr(doctor.sys, "maxsize", 2**31 - 1)
    found(doctor.python(), "problem", "32-bit")


def test_another_activated_environment_is_noted(monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere/else")
    found(doctor.python(), "note", "/somewhere/else")


def test_a_missing_package_and_one_out_of_range_are_found_with_one_command(monkeypatch):
    version = importlib.metadata.version

    def other(name):
        if name == "gymnasium":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2" if name == "numpy" else version(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", other)
    finding = found(doctor.packages(), "problem", "gymnasium is missing", "numpy 1.2 is outside")
    assert '"gymnasium' in finding.mend
    assert '"numpy' in finding.mend
    assert finding.mend.startswith(sys.executable), "installs into this Python, whatever the PATH says"


def test_a_missing_torch_is_found(without):
    without("torch")
    assert "whl/cpu" in found(doctor.torch(), "problem", "not installed").mend


def test_a_torch_that_does_not_load_is_found_with_its_own_words(module):
    module("torch", "raise OSError('libcudart.so.12: cannot open shared object file')")
    assert "--force-reinstall" in found(doctor.torch(), "problem", "does not load", "libcudart.so.12").mend


def test_a_torch_that_kills_python_is_found(module):
    module("torch", "import os; os._exit(132)")
    found(doctor.torch(), "problem", "exit code 132")


def test_a_torch_that_hangs_is_found(module, monkeypatch):
    module("torch", "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.5)
    found(doctor.torch(), "problem", "no answer")


@pytest.mark.skipif(os.name == "nt", reason="the driver is a shell script here")
def test_a_torch_built_for_a_newer_driver_is_found(module, program):
    program("nvidia-smi", "echo 470.82.01")
    fake_torch(module, built_for="12.8")
    finding = found(doctor.torch(), "problem", "CUDA 12.8", "driver 470.82.01")
    assert "update the NVIDIA driver" in finding.mend


@pytest.mark.skipif(os.name == "nt", reason="the driver is a shell script here")
def test_a_torch_for_cuda_without_a_card_works_and_is_noted(module, program):
    program("nvidia-smi", "exit 9")
    fake_torch(module, built_for="12.8")
    found(doctor.torch(), "note", "no NVIDIA card")


def test_a_torch_without_code_for_this_card_is_found(module):
    fake_torch(module, built_for="12.8", sees_gpu=True, ones="raise RuntimeError('CUDA error: no kernel image')")
    found(doctor.torch(), "problem", "no kernel image")


def test_a_missing_jupyterlab_is_found(without):
    without("jupyterlab")
    assert "jupyterlab" in found(doctor.jupyterlab(), "problem", "not installed").mend


def test_a_broken_jupyterlab_is_found(module):
    module("jupyterlab", "import a_package_that_is_not_there")
    found(doctor.jupyterlab(), "problem", "a_package_that_is_not_there")


@pytest.fixture
def kernel_spec(tmp_path, monkeypatch):
    """Writes the kernel python3 that Jupyter finds first."""

    def put(text):
        path = tmp_path / "jupyter/kernels/python3/kernel.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps({"argv": text, "display_name": "Python 3"}))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        return path.parent

    return put


def test_a_kernel_in_a_python_that_is_gone_is_found(kernel_spec, tmp_path):
    folder = kernel_spec(["/gone/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    finding = found(doctor.kernel(tmp_path), "problem", "/gone/bin/python", "not there")
    assert str(folder) in finding.mend
    assert "ipykernel install --sys-prefix" in finding.mend


@pytest.mark.skipif(os.name == "nt", reason="the other Python is a shell script here")
def test_a_kernel_in_another_python_is_found(kernel_spec, program, tmp_path):
    other = program("python-elsewhere", """echo '{"prefix": "/another/environment"}'""")
    kernel_spec([str(other), "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    found(doctor.kernel(tmp_path), "problem", "another Python", str(other))


@pytest.mark.skipif(os.name == "nt", reason="the other Python is a shell script here")
def test_a_kernel_whose_python_lacks_ipykernel_is_found(kernel_spec, program, tmp_path):
    other = program("python-bare", "echo \"ModuleNotFoundError: No module named 'ipykernel'\" >&2; exit 1")
    kernel_spec([str(other), "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    found(doctor.kernel(tmp_path), "problem", "No module named 'ipykernel'")


@pytest.mark.parametrize("text", ["{", []])
def test_a_kernel_that_cannot_be_read_is_found(kernel_spec, tmp_path, text):
    kernel_spec(text)
    found(doctor.kernel(tmp_path), "problem")


def test_a_kernel_named_by_a_plain_python_is_this_one(kernel_spec, tmp_path):
    kernel_spec(["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    found(doctor.kernel(tmp_path), "ok")


def test_a_missing_ipykernel_is_found(without, tmp_path):
    without("ipykernel")
    found(doctor.kernel(tmp_path), "problem", "ipykernel")


def test_missing_course_files_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(course, "__file__", str(tmp_path / "site-packages/dlcourse/course.py"))
    (tmp_path / "site-packages/notebooks").mkdir(parents=True)  # left there by some other package
    found(doctor.course_files(), "problem", "missing from this installation")


def test_a_file_that_hides_a_library_is_found(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/torch.py").write_text("")
    (tmp_path / "random.py").write_text("")
    (tmp_path / "my_helpers.py").write_text("")
    finding = found(doctor.hiding_files(tmp_path), "problem", "notebooks/torch.py", "random.py")
    assert "my_helpers" not in finding.found


@pytest.mark.parametrize("variable", ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"])
def test_a_jupyter_folder_that_cannot_be_written_is_found(monkeypatch, tmp_path, variable):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file" / "folder"))
    assert variable in found(doctor.write_access(tmp_path), "problem", "is a file").mend


def test_a_workspace_that_cannot_be_written_is_found(tmp_path):
    (tmp_path / "file").write_text("")
    assert "dlcourse lab FOLDER" in found(doctor.write_access(tmp_path / "file"), "problem", "the workspace").mend


@pytest.mark.skipif(sys.platform != "linux", reason="needs a place that refuses even the superuser")
def test_a_place_that_refuses_is_found_whoever_asks():
    assert doctor.cannot_write(Path("/proc/work"))


def test_a_full_disk_is_found(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 100 * 2**20))
    found(doctor.disk(tmp_path / "not/yet"), "problem", "100 MB free")


def test_a_check_that_breaks_is_a_finding_and_the_others_still_run(monkeypatch, tmp_path):
    def broken():
        raise RuntimeError("no such luck")

    monkeypatch.setattr(doctor, "packages", broken)
    monkeypatch.setattr(doctor, "_probe", lambda *_: ({"version": "1", "built_for": None, "sees_gpu": False}, ""))
    findings = list(doctor.examine(tmp_path))
    assert "no such luck" in findings[1].found
    assert len(findings) == 9


def test_the_command_ends_with_1_where_something_is_wrong_and_0_otherwise(monkeypatch):
    problem = doctor.Finding("disk", "problem", "100 MB free", "free some space")
    fine = doctor.Finding("python", "ok", "3.12")
    monkeypatch.setattr(doctor, "examine", lambda _: iter([fine, problem]))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "free some space" in done.stdout
    assert "1 problem found" in done.stdout
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["checks"][1]["mend"] == "free some space"
    monkeypatch.setattr(doctor, "examine", lambda _: iter([fine]))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0


def test_without_a_library_of_its_own_the_command_line_says_so(module):
    module("rich", "raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')")
    done = subprocess.run([sys.executable, "-m", "dlcourse.cli", "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the package rich is missing" in done.stderr
    assert "Traceback" not in done.stderr
