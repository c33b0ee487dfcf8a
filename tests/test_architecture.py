"""The floors of the package: what may import what, and what an import costs.

The checker is a function of ``{path: source}``, so that each of its rules can be shown to fail on a planted file.
"""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dlcourse"
FLOORS = {
    0: ["ops", "data", "plot", "metrics", "workspace", "lock", "files", "bars", "record", "course"],
    1: ["graph", "tensor", "scalar"],
    2: ["nn", "optim", "gradients"],
    3: ["models", "rl", "train", "drivers"],
    4: ["checks", "mine"],
    5: ["cli", "widgets", "grader"],
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
# what may be imported inside of functions, and at a file's top level only in these folders and in *_torch.py
HEAVY = {"torch", "matplotlib", "sklearn", "scipy", "IPython", "ipywidgets"}
MAY_IMPORT_HEAVY = {"plot", "widgets"}
COLD_IMPORT_LIMIT = 0.050  # seconds over NumPy's


# ---- the checker


def parts(path: str) -> tuple[str, ...]:
    """``dlcourse/nn/init.py`` -> ("dlcourse", "nn", "init"); a package's __init__ is the package."""
    names = Path(path).with_suffix("").parts
    return names[:-1] if names[-1] == "__init__" else names


def imports(
    tree: ast.AST, module: tuple[str, ...], is_package: bool, top_level_only: bool
) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, each name of ``from a import b`` as ``a.b``, with the line."""
    for node in top_level(tree) if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(module if is_package else module[:-1])
            base = base[: len(base) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


def top_level(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when the file is imported: not the bodies of functions, not what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield other
                yield from top_level(other)
            continue
        yield node
        yield from top_level(node)


def faults(sources: Mapping[str, str]) -> list[str]:
    """Every breach of the rules, one sentence each, for files given as ``{"dlcourse/…": source}``."""
    modules = {".".join(parts(path)): path for path in sources}
    found: list[str] = []
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        tree = ast.parse(sources[path])
        is_package = path.endswith("__init__.py")
        found += floor_faults(name, path, tree, is_package)
        found += heavy_faults(name, path, tree, is_package)
        if is_package:
            found += name_faults(name, path, tree, modules)
        for imported, _ in imports(tree, parts(path), is_package, top_level_only=True):
            target = nearest(imported, modules)
            if target is not None and target != name:
                graph[name].add(target)
    return found + cycle_faults(graph)


def nearest(imported: str, modules: Mapping[str, str]) -> str | None:
    """The file behind ``dlcourse.nn.Linear``: ``dlcourse.nn``."""
    while imported and imported not in modules:
        imported = imported.rpartition(".")[0]
    return imported or None


def floor_faults(name: str, path: str, tree: ast.AST, is_package: bool) -> list[str]:
    found = []
    if name == "dlcourse":  # loads its public names when they are asked for
        return [
            f"{path}:{line} imports {imported}; the package's own file loads its names lazily"
            for imported, line in imports(tree, parts(path), is_package, top_level_only=True)
            if imported.startswith("dlcourse")
        ]
    own = name.split(".")[1]
    if own not in FLOOR:
        return [f"{path} is on no floor; give it one in FLOORS"]
    for imported, line in imports(tree, parts(path), is_package, top_level_only=False):
        if imported.split(".")[0] != "dlcourse":
            if own == "ops" and imported.split(".")[0] not in {"numpy", *sys.stdlib_module_names}:
                found.append(f"{path}:{line} imports {imported}; ops/ needs nothing but NumPy")
            continue
        target = imported.split(".")[1] if "." in imported else ""
        if target not in FLOOR:
            if imported != "dlcourse.__version__":
                found.append(f"{path}:{line} imports {imported}; nobody imports dlcourse/__init__.py")
        elif FLOOR[target] > FLOOR[own]:
            found.append(f"{path}:{line} is on floor {FLOOR[own]} and imports {imported} of floor {FLOOR[target]}")
    return found


def heavy_faults(name: str, path: str, tree: ast.AST, is_package: bool) -> list[str]:
    if name.endswith("_torch") or set(name.split(".")[1:2]) & MAY_IMPORT_HEAVY:
        return []
    return [
        f"{path}:{line} imports {imported.split('.')[0]} at its top level; do it inside the function that needs it"
        for imported, line in imports(tree, parts(path), is_package, top_level_only=True)
        if imported.split(".")[0] in HEAVY
    ]


def name_faults(name: str, path: str, tree: ast.AST, modules: Mapping[str, str]) -> list[str]:
    """``package.x`` must not be a module for some and a function for others, whatever was imported last."""
    inside = {m.removeprefix(f"{name}.").split(".")[0] for m in modules if m.startswith(f"{name}.")}
    bound: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != name:
            bound |= {alias.asname or alias.name for alias in node.names}
        elif name == "dlcourse" and isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PUBLIC":
            public = ast.literal_eval(node.value)
            bound |= {key for key, (_, attribute) in public.items() if attribute is not None}
    return [f"{path} gives {name}.{both} two meanings: a module and something else" for both in sorted(inside & bound)]


def cycle_faults(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import one another when they are imported; peels off whatever imports nothing that is left."""
    left = {name: set(targets) for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    in_cycle = {name for name in left if reaches(left, name, name)}
    return [f"import cycle among {', '.join(sorted(in_cycle))}"] if in_cycle else []


def reaches(graph: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    stack = [start]
    while stack:
        for target in graph.get(stack.pop(), set()) - seen:
            if target == goal:
                return True
            seen.add(target)
            stack.append(target)
    return False


# ---- the package keeps the rules


def package() -> dict[str, str]:
    return {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_course" not in path.parts
    }


def test_the_package_keeps_all_rules():
    sources = package()
    assert len(sources) > 30
    assert faults(sources) == []


# ---- and each rule fails on a planted file

SOUND = {
    "dlcourse/__init__.py": '_PUBLIC = {"Tensor": ("dlcourse.tensor", "Tensor"), "nn": ("dlcourse.nn", None)}',
    "dlcourse/ops/__init__.py": "from dlcourse.ops.products import mul",
    "dlcourse/ops/products.py": "import math\nimport numpy as np\nfrom numpy.typing import NDArray\ndef mul(): ...",
    "dlcourse/tensor.py": "from dlcourse import ops\nfrom dlcourse.ops import mul",
    "dlcourse/nn/__init__.py": "from dlcourse.nn import init\nfrom dlcourse.nn.linear import Linear",
    "dlcourse/nn/init.py": "",
    "dlcourse/nn/linear.py": "from . import init\nfrom dlcourse.tensor import Tensor\ndef f():\n    import torch",
    "dlcourse/plot/__init__.py": "import matplotlib.pyplot as plt",
    "dlcourse/models/gpt_torch.py": "import torch\nfrom torch import nn",
    "dlcourse/checks/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
}


def test_a_sound_package_has_no_faults():
    assert faults(SOUND) == []


@pytest.mark.parametrize(
    ("path", "source", "said"),
    [
        ("dlcourse/tensor.py", "from dlcourse.nn import Linear", "is on floor 1 and imports dlcourse.nn.Linear of floor 2"),
        ("dlcourse/tensor.py", "import dlcourse.optim", "is on floor 1 and imports dlcourse.optim of floor 2"),
        ("dlcourse/tensor.py", "from dlcourse import checks", "imports dlcourse.checks of floor 4"),
        ("dlcourse/tensor.py", "def f():\n    from dlcourse import checks", "imports dlcourse.checks of floor 4"),
        ("dlcourse/ops/products.py", "from ..nn.linear import Linear", "is on floor 0 and imports dlcourse.nn.linear.Linear"),
        ("dlcourse/drivers/run.py", "import dlcourse.checks.exercise", "is on floor 3 and imports dlcourse.checks.exercise"),
        ("dlcourse/nn/linear.py", "from dlcourse import Tensor", "nobody imports dlcourse/__init__.py"),
        ("dlcourse/nn/linear.py", "import dlcourse", "nobody imports dlcourse/__init__.py"),
        ("dlcourse/__init__.py", "from dlcourse.tensor import Tensor", "loads its names lazily"),
        ("dlcourse/ops/products.py", "import scipy.special", "needs nothing but NumPy"),
        ("dlcourse/ops/products.py", "def f():\n    from scipy.special import erf", "needs nothing but NumPy"),
        ("dlcourse/nn/linear.py", "import torch", "imports torch at its top level"),
        ("dlcourse/nn/linear.py", "try:\n    from torch import nn\nexcept ImportError:\n    pass", "imports torch at its"),
        ("dlcourse/nn/linear.py", "class A:\n    import scipy.special", "imports scipy at its top level"),
        ("dlcourse/checks/__init__.py", "from IPython.display import HTML", "imports IPython at its top level"),
        ("dlcourse/data/digits.py", "from sklearn import datasets", "imports sklearn at its top level"),
        ("dlcourse/mine.py", "import torch", "imports torch at its top level"),
        ("dlcourse/cli/__init__.py", "import ipywidgets", "imports ipywidgets at its top level"),
        ("dlcourse/tensor.py", "import matplotlib.pyplot as plt", "imports matplotlib at its top level"),
        ("dlcourse/helpers.py", "", "is on no floor"),
        ("dlcourse/ops/mul.py", "", "gives dlcourse.ops.mul two meanings"),
        ("dlcourse/nn/Linear.py", "", "gives dlcourse.nn.Linear two meanings"),
        ("dlcourse/nn/init.py", "from dlcourse.nn.linear import Linear", "import cycle among dlcourse.nn.init, dlcourse.nn.linear"),
        ("dlcourse/ops/products.py", "import dlcourse.ops", "import cycle among dlcourse.ops, dlcourse.ops.products"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(path, source, said):
    assert any(said in fault for fault in faults({**SOUND, path: source}))


def test_a_public_function_with_a_modules_name_is_found():
    sources = {
        "dlcourse/__init__.py": '_PUBLIC = {"tensor": ("dlcourse.tensor", "tensor")}',
        "dlcourse/tensor.py": "def tensor(): ...",
    }
    assert faults(sources) == ["dlcourse/__init__.py gives dlcourse.tensor two meanings: a module and something else"]


def test_an_import_inside_a_function_makes_no_cycle():
    sources = {
        "dlcourse/tensor.py": "def f():\n    import dlcourse.graph",
        "dlcourse/graph.py": "import dlcourse.tensor",
    }
    assert faults(sources) == []


# ---- what an import costs

NUMPY = "import numpy, numpy.random"
ENGINE = "import dlcourse; dlcourse.Tensor, dlcourse.nn, dlcourse.optim, dlcourse.data, dlcourse.gradcheck"


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )


@pytest.mark.parametrize("code", ["import dlcourse", ENGINE], ids=["dlcourse", "engine"])
def test_importing_loads_no_heavy_package(code):
    loaded = python(f"{code}\nimport sys; print(*sys.modules)").stdout.split()
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert "dlcourse" in loaded


def seconds(code: str, before: str = "") -> float:
    """Processor time of an import, which other programs on the machine change less than the time on the clock."""
    clock = "time.process_time()"
    return float(python(f"import time\n{before}\nstart = {clock}\n{code}\nprint({clock} - start)").stdout)


def test_importing_takes_little_more_than_numpy():
    python("import dlcourse")  # writes the bytecode
    assert statistics.median(seconds("import dlcourse", NUMPY) for _ in range(5)) < COLD_IMPORT_LIMIT


def test_the_whole_engine_loads_in_less_time_than_numpy():
    python(ENGINE)
    pairs = [(seconds(ENGINE, NUMPY), seconds(NUMPY)) for _ in range(5)]
    assert statistics.median(ours / numpys for ours, numpys in pairs) < 1
