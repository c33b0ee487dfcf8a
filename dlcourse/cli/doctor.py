"""What is wrong with this installation, and the command that mends it.

Each check looks at one thing that is known to go wrong, and none trusts the others: what might crash (torch, a kernel's
Python) runs in a process of its own, and a library that may be missing is imported only inside its check.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlcourse import course
from dlcourse.cli import lab

PROBE_SECONDS = 180.0
FREE_MEGABYTES = 500
OLDEST_PYTHON = (3, 11)
LIBRARIES = (
    "numpy",
    "scipy",
    "matplotlib",
    "torch",
    "sklearn",
    "gymnasium",
    "ipywidgets",
    "IPython",
    "dlcourse",
    "tqdm",
)
CPU_TORCH = '"torch>=2.6,<2.14" --index-url https://download.pytorch.org/whl/cpu'


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: what was found, and what to do about it."""

    check: str
    status: Literal["ok", "note", "problem"]
    found: str
    mend: str = ""


def examine(workspace: Path) -> Iterator[Finding]:
    """Run every check, each in turn as the caller asks for the next finding."""
    checks: tuple[Callable[[], Finding], ...] = (
        python,
        packages,
        torch,
        jupyterlab,
        lambda: kernel(workspace),
        course_files,
        lambda: hiding_files(workspace),
        lambda: write_access(workspace),
        lambda: disk(workspace),
    )
    for check in checks:
        try:
            yield check()
        except Exception as error:  # a check that breaks is itself a finding, and the others still run
            name = getattr(check, "__name__", "check").strip("<>")
            yield Finding(name, "problem", f"this check itself failed: {error!r}", "please report it with these words")


def python() -> Finding:
    """The Python that runs: new enough, and 64-bit, which PyTorch requires."""
    found = f"{sys.version.split()[0]} at {sys.executable}"
    mend = "install a 64-bit Python 3.11 or newer from python.org, make a new environment with it, and install there"
    if tuple(sys.version_info) < OLDEST_PYTHON:
        return Finding("python", "problem", f"{found} is older than 3.11", mend)
    if sys.maxsize < 2**32:
        return Finding("python", "problem", f"{found} is a 32-bit Python", mend)
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if active and Path(active).resolve() != Path(sys.prefix).resolve():
        text = f"{found}, while the activated environment is {active}: a plain `python` or `pip` is another one"
        return Finding(
            "python", "note", text, f"call it by its path, {_quoted(sys.executable)}, or activate its environment"
        )
    return Finding("python", "ok", found)


def packages() -> Finding:
    """Every declared dependency: there, and in the tested range."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return Finding("packages", "problem", "packaging is missing", pip("install packaging"))
    wrong: list[str] = []
    mends: list[str] = []
    declared = importlib.metadata.requires("dlcourse") or []
    needed = [requirement for text in declared if "extra ==" not in str((requirement := Requirement(text)).marker)]
    for requirement in needed:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
        else:
            if requirement.specifier.contains(version, prereleases=True):
                continue
            wrong.append(f"{requirement.name} {version} is outside {requirement.specifier}")
        mends.append(f'"{requirement.name}{requirement.specifier}"')
    if wrong:
        return Finding("packages", "problem", "; ".join(wrong), pip("install " + " ".join(mends)))
    return Finding("packages", "ok", f"{len(needed)} packages, all in the tested range")


_TORCH_PROBE = """
import json, torch
report = {"version": str(torch.__version__), "built_for": torch.version.cuda, "sees_gpu": torch.cuda.is_available()}
try:
    float(torch.ones(2, device="cuda" if report["sees_gpu"] else "cpu").sum())
except Exception as error:
    report["error"] = str(error).strip().splitlines()[0]
print("\\n" + json.dumps(report))
"""


def torch() -> Finding:
    """PyTorch: it imports, computes, and fits the graphics driver if it was built for one."""
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", "problem", "PyTorch is not installed", pip(f"install {CPU_TORCH}"))
    reinstall = pip(f"install --force-reinstall {CPU_TORCH}")
    report, error = _probe([sys.executable, "-P", "-c", _TORCH_PROBE])
    if report is None:
        return Finding("torch", "problem", f"PyTorch is installed but does not load: {error}", reinstall)
    version, built_for = report["version"], report["built_for"]
    if "error" in report and report["sees_gpu"]:
        found = f"PyTorch {version} does not fit this graphics card: {report['error']}"
        return Finding("torch", "problem", found, f"{reinstall}   (the course needs no graphics card)")
    if "error" in report:
        return Finding("torch", "problem", f"PyTorch {version} does not compute: {report['error']}", reinstall)
    if built_for and not report["sees_gpu"]:
        driver = _driver()
        if driver:
            found = f"PyTorch {version} is built for CUDA {built_for}, which the driver {driver} does not support"
            mend = f"update the NVIDIA driver, or take the build without CUDA, which is enough here: {reinstall}"
            return Finding("torch", "problem", found, mend)
        found = f"{version}; built for CUDA {built_for} but there is no NVIDIA card: it works, on the CPU"
        return Finding("torch", "note", found, f"to save several GB: {reinstall}")
    return Finding("torch", "ok", f"{version}, computing on the {'graphics card' if report['sees_gpu'] else 'CPU'}")


def jupyterlab() -> Finding:
    """JupyterLab: it is there and starts."""
    if importlib.util.find_spec("jupyterlab") is None:
        mend = pip('install "jupyterlab>=4.2,<5"')
        return Finding("jupyterlab", "problem", "JupyterLab is not installed in this Python", mend)
    probe = 'import jupyterlab.labapp, json; print("\\n" + json.dumps({"version": jupyterlab.__version__}))'
    report, error = _probe([sys.executable, "-P", "-c", probe])
    if report is None:
        mend = pip('install --force-reinstall "jupyterlab>=4.2,<5"')
        return Finding("jupyterlab", "problem", f"JupyterLab is installed but does not load: {error}", mend)
    return Finding("jupyterlab", "ok", str(report["version"]))


_KERNEL_PROBE = """
import json, sys
from jupyter_client.kernelspec import KernelSpecManager
spec = KernelSpecManager().get_kernel_spec("python3")
print("\\n" + json.dumps({"argv": spec.argv, "folder": spec.resource_dir}))
"""
_PREFIX_PROBE = 'import ipykernel, json, sys; print("\\n" + json.dumps({"prefix": sys.prefix}))'


def kernel(workspace: Path) -> Finding:
    """The kernel that notebooks start: it can run, and in the same Python as this command."""
    env = lab.environment(workspace)
    mend = f"{_quoted(sys.executable)} -m ipykernel install --sys-prefix"
    if importlib.util.find_spec("ipykernel") is None:
        return Finding("kernel", "problem", "ipykernel is missing: no notebook can run", pip("install ipykernel"))
    spec, error = _probe([sys.executable, "-P", "-c", _KERNEL_PROBE], env)
    if spec is None:
        return Finding("kernel", "problem", f"the kernel python3 cannot be read: {error}", mend)
    argv, folder = spec["argv"], spec["folder"]
    if not isinstance(argv, list) or not argv:
        return Finding("kernel", "problem", f"the kernel in {folder} names no program", mend)
    mend = f"delete the folder {folder}, then: {mend}"
    program = str(argv[0])
    # Jupyter reads a plain "python" in its own kernel as the Python that it runs in itself
    program = sys.executable if program in ("python", "python3", Path(sys.executable).name) else program
    found = shutil.which(program)
    if found is None:
        return Finding("kernel", "problem", f"the kernel in {folder} points to {program}, which is not there", mend)
    report, error = _probe([found, "-P", "-c", _PREFIX_PROBE], env)
    if report is None:
        return Finding("kernel", "problem", f"the kernel's Python {program} cannot run notebooks: {error}", mend)
    if Path(str(report["prefix"])).resolve() != Path(sys.prefix).resolve():
        text = f"the kernel in {folder} runs another Python, {program}, than dlcourse, {sys.executable}"
        return Finding("kernel", "problem", text, mend)
    return Finding("kernel", "ok", f"python3 in {folder}")


def course_files() -> Finding:
    """The lessons and exercises that come with the package."""
    mend = pip("install --force-reinstall --no-deps dlcourse   (or, from its repository, -e .)")
    try:
        units, top = course.units(), course.root()
    except (OSError, ValueError, KeyError) as error:
        return Finding("course files", "problem", str(error), mend)
    if not units:
        return Finding("course files", "problem", f"no lesson or exercise in {top}", mend)
    return Finding("course files", "ok", f"{len(units)} unit{'s' * (len(units) != 1)} in {top}")


def hiding_files(workspace: Path) -> Finding:
    """Files named like a library: a notebook beside ``torch.py`` imports that file instead of PyTorch."""
    libraries = {*sys.stdlib_module_names, *LIBRARIES}
    found = [
        path
        for folder in (workspace, *(workspace / name for name in course.FOLDERS))
        for path in sorted(folder.glob("*.py"))
        if path.stem in libraries
    ]
    if found:
        names = ", ".join(path.relative_to(workspace).as_posix() for path in found)
        text = f"in {workspace}, {names}: a notebook that imports that name gets this file instead"
        return Finding("hiding files", "problem", text, "rename it, or move it out of the workspace")
    return Finding("hiding files", "ok", "no file in the workspace hides a library")


def write_access(workspace: Path) -> Finding:
    """The folders that a session writes to: the workspace's and Jupyter's own."""
    try:
        from jupyter_core import paths
    except ImportError:
        return Finding("write access", "problem", "jupyter_core is missing", pip("install jupyter-core"))
    jupyter = {
        "JUPYTER_CONFIG_DIR": paths.jupyter_config_dir(),
        "JUPYTER_DATA_DIR": paths.jupyter_data_dir(),
        "JUPYTER_RUNTIME_DIR": paths.jupyter_runtime_dir(),
        "IPYTHONDIR": os.environ.get("IPYTHONDIR") or str(Path.home() / ".ipython"),
    }
    refused = {name: f"{folder}: {why}" for name, folder in jupyter.items() if (why := cannot_write(Path(folder)))}
    mends = [f"make Jupyter's folders yours again, or name others in {', '.join(refused)}"] if refused else []
    if why := cannot_write(workspace):
        refused["workspace"] = f"the workspace {workspace}: {why}"
        mends.append("choose another folder: dlcourse lab FOLDER")
    if refused:
        return Finding("write access", "problem", f"cannot write to {'; '.join(refused.values())}", "; ".join(mends))
    return Finding("write access", "ok", f"the workspace {workspace} and Jupyter's folders")


def cannot_write(folder: Path) -> str:
    """Why nothing can be written to `folder`, or to where it would be made; empty when it can.

    Permission bits say too little (read-only disks, the superuser, network drives): it tries.
    """
    try:
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            return f"{folder} is a file"
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def disk(workspace: Path) -> Finding:
    """Room for the workspace and what a session leaves in it."""
    folder = workspace
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 2**20
    if free < FREE_MEGABYTES:
        mend = "free some space (pip cache purge often frees several GB), or choose another folder: dlcourse lab FOLDER"
        return Finding("disk", "problem", f"{free} MB free at {folder}; a session needs {FREE_MEGABYTES} MB", mend)
    return Finding("disk", "ok", f"{free / 1024:.0f} GB free at {folder}")


def pip(words: str) -> str:
    """A pip command line for exactly this Python, whatever the shell's PATH says."""
    return f"{_quoted(sys.executable)} -m pip {words}"


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path


def _probe(arguments: list[str], env: Mapping[str, str] | None = None) -> tuple[dict[str, object] | None, str]:
    """Run a script that prints one line of JSON last; its report, or None and the last words of what went wrong."""
    try:
        done = subprocess.run(
            arguments, env=env, capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {PROBE_SECONDS:.0f} seconds"
    except OSError as error:
        return None, error.strerror or str(error)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return None, said[-1].strip() if said else f"it ended with exit code {done.returncode}"
    try:
        report: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
        return report, ""
    except (ValueError, IndexError):
        return None, "it printed nothing that can be read"


def _driver() -> str | None:
    """The version of the NVIDIA driver, or None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split("\n")[0].strip() or None if done.returncode == 0 else None
