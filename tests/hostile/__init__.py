"""Notebooks that do harm, and some that only look as if they did; each with the statuses that it should get.

Every one is unit 01 solved rightly, but for what is said here. Bombs go off only within the worker's own limits.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOLVED = Path(__file__).parents[2] / "solutions" / "01_neuron.ipynb"
SOFTMAX = "neuron.softmax"
RIGHT = """
import numpy as np
def softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
"""


@dataclass
class Hostile:
    """One submission: how it is made, what it should get, and at which levels of isolation it can be survived."""

    name: str
    data: bytes
    expected: dict[str, str] = field(default_factory=dict)  # exercises that do not pass
    ungraded: bool = False
    full_only: bool = False  # survived only there, or nothing that isolation has to do with


def solved() -> dict[str, Any]:
    return json.loads(SOLVED.read_text("utf-8"))


def code(source: str, **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": "extra", "metadata": metadata, "outputs": [], "execution_count": None, "source": source,
    }  # fmt: skip


def role(cell: dict[str, Any]) -> tuple[str, str]:
    ours = cell["metadata"].get("dlcourse", {})
    return ours.get("exercise", ""), ours.get("role", "")


def with_softmax(source: str, first: str = "") -> bytes:
    """The solved notebook with another softmax, and a cell before all others."""
    nb = solved()
    for cell in nb["cells"]:
        if role(cell) == (SOFTMAX, "solution"):
            cell["source"] = source
    if first:
        nb["cells"].insert(0, code(first))
    return json.dumps(nb).encode()


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    nb = solved()
    change(nb)
    return json.dumps(nb).encode()


def in_function(name: str, body: str, status: str | None, first: str = "", **options: Any) -> Hostile:
    """A softmax with these statements, and the right result after them."""
    lines = "\n    ".join(body.strip().split("\n"))
    source = f"import numpy as np, os, sys\ndef softmax(z):\n    {lines}\n    z = z - z.max(axis=-1, keepdims=True)\n    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)\n"
    return Hostile(name, with_softmax(source, first), {SOFTMAX: status} if status else {}, **options)


def in_cell(name: str, first: str, expected: dict[str, str] | None = None, **options: Any) -> Hostile:
    """A cell that the answers depend on (they use ``np``, which it touches) before all others."""
    return Hostile(name, with_softmax(RIGHT, first), expected or {}, **options)


def markdown_and_no_metadata(nb: dict[str, Any]) -> None:
    nb.pop("metadata")
    for cell in nb["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)


def nbformat_3(nb: dict[str, Any]) -> None:
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            cell["input"], cell["language"] = cell.pop("source"), "python"
            cell["prompt_number"] = cell.pop("execution_count")
    nb["worksheets"] = [{"cells": nb.pop("cells"), "metadata": {}}]
    nb["nbformat"], nb["nbformat_minor"] = 3, 0


def edited_checks(nb: dict[str, Any]) -> None:
    for cell in nb["cells"]:
        if role(cell)[1] == "check":
            cell["source"] = "def softmax(z):\n    return 'all is well'\nimport os; os._exit(0)"


def without(nb: dict[str, Any], wanted: str) -> None:
    nb["cells"] = [cell for cell in nb["cells"] if role(cell)[1] != wanted]


def duplicated(nb: dict[str, Any]) -> None:
    """Every answer again, as it was handed out, under the same cell ids; and every check twice."""
    copies = []
    for cell in nb["cells"]:
        copies.append(cell)
        if role(cell) == (SOFTMAX, "solution"):
            stub = copy.deepcopy(cell)
            stub["source"] = "def softmax(z):\n    raise NotImplementedError('Replace this line.')"
            copies.append(stub)
        elif role(cell)[1] in ("check", "solution"):
            copies.append(copy.deepcopy(cell))
    nb["cells"] = copies


def reordered(nb: dict[str, Any]) -> None:
    nb["cells"] = [nb["cells"][1], *nb["cells"][:1:-1], nb["cells"][0]]


def foreign_kernel(nb: dict[str, Any]) -> None:
    nb["metadata"] = {
        "kernelspec": {"name": "ir", "language": "R", "display_name": "R"},
        "language_info": {"name": "R"},
    }


def damaged(nb: dict[str, Any]) -> None:
    for i, cell in enumerate(nb["cells"]):
        cell["id"] = "same"
        cell["metadata"] = [None, 3, [], "x", cell["metadata"]][i % 5]
    nb["cells"] += [None, 7, {"cell_type": "code"}, {"cell_type": "code", "source": {"a": 1}}, {"source": [1, None]}]
    nb["metadata"] = "lost"


CRASHES = {
    "os._exit": "os._exit(0)",
    "os.abort": "os.abort()",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "kill self": "os.kill(os.getpid(), 9)",
}
COUNT = "softmax.calls = getattr(softmax, 'calls', 0) + 1"
BODIES: dict[str, tuple[str, str | None]] = {
    "loop": ("while True:\n    pass", "timeout"),
    "loop that catches all": ("while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass", "timeout"),
    "sleep": ("import time\ntime.sleep(1000)", "timeout"),
    "late crash": (f"{COUNT}\nif softmax.calls == 5: os._exit(0)", "crash"),
    "late sleep": (f"import time\n{COUNT}\nif softmax.calls == 5: time.sleep(1000)", "timeout"),
    "late array of 50 GB": (f"{COUNT}\nif softmax.calls == 5: np.ones(50 * 2**27)", "memory"),
    "replies ahead": (
        "import socket, struct\n"
        "text = b'[\"dict\", [\"number\", 70]]'\n"
        "try: socket.socket(fileno=3).sendall(struct.pack('>II', len(text), 0) + text)\n"
        "except OSError: pass",
        "tampered",
    ),
    "array of 50 GB": ("np.ones(50 * 2**27)", "memory"),
    "list bomb": ("bomb = [0]\nwhile True:\n    bomb = bomb * 8", "memory"),
    "recursion": ("return softmax(z)", "error"),
    "sys.exit": ("sys.exit(0)", "error"),
    **{name: (body, "crash") for name, body in CRASHES.items()},
    "fork bomb": ("for _ in range(500):\n    try:\n        if os.fork() == 0:\n            import time\n            time.sleep(600)\n    except OSError:\n        break", None),
    "output of 200 MB": ("for _ in range(20 if z.shape == (3,) else 0):\n    print('x' * 10_000_000)", None),
    "input": ("input()", "error"),
    "thread for ever": ("import threading\nif threading.active_count() == 1:\n    threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()", None),
    "daemon": ("if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        import time\n        time.sleep(600)\n    os._exit(0)", None),
    "references imported": ("from dlcourse.checks.neuron.softmax import softmax as right\nreturn right(z)", "forbidden"),
    "references by another way": ("right = getattr(__import__('dlcourse.che' + 'cks.neuron.softmax', fromlist=['x']), 'softmax')\nreturn right(z)", "forbidden"),
    "references from disk": ("import dlcourse.drivers\nreturn len(open(dlcourse.drivers.__file__.replace('drivers/__init__', 'checks/neuron/softmax')).read()) * z", "error"),
    "references by frames": ("import gc, __main__\nfound = [o for o in gc.get_objects() if type(o).__name__ == 'Exercise']\nframe = sys._getframe()\nwhile frame:\n    found += [v for v in frame.f_locals.values() if type(v).__name__ == 'Exercise']\n    frame = frame.f_back\nreturn found[0].reference(z)", "error"),
    "garbage on descriptors": ("for fd in range(64):\n    try:\n        os.write(fd, b'garbage' * 100)\n    except OSError:\n        pass", "tampered"),
    "json patched": ("import json\njson.dumps = lambda *a, **k: '{}'", "tampered"),
    "zeros on descriptors": ("for fd in range(3, 64):\n    try:\n        os.write(fd, bytes(8))\n    except OSError:\n        pass", "tampered"),
    "lies by __array__": ("class Lie:\n    def __array__(self, *a, **k): return np.ones(3)\n    def __eq__(self, other): return True\n    def __float__(self): return 1.0\n    def __reduce__(self): return (os._exit, (0,))\nreturn Lie()", "wrong"),
    "lies by a subclass": ("class Lie(np.ndarray):\n    def __eq__(self, other): return np.True_\n    def all(self, *a, **k): return True\n    __array__ = None\nreturn np.zeros_like(z).view(Lie)", "wrong"),
    "2 GB to return": ("return np.zeros(2**28)", "memory"),
    "200 MB to return": ("return np.zeros(25 * 2**20)", "memory"),
    "nan": ("return z * np.nan", "wrong"),
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', PORT), 2).sendall(b'answers')", "error"),
    "files outside": ("open(OUTSIDE, 'w').write('x')", "error"),
    "deleting outside": ("import shutil\nshutil.rmtree(os.path.dirname(OUTSIDE))", "error"),
    "reading others": ("return len(open(OUTSIDE + '.kept').read()) * z", "error"),
    "program started": ("import subprocess\nsubprocess.run(['/bin/true'], check=True)", "error"),
    "scratch is there": ("open('note.txt', 'w').write('x')\nassert open('note.txt').read() == 'x'", None),
    "environment": ("import locale\nos.chdir('/')\nos.environ.clear()\nlocale.setlocale(locale.LC_ALL, 'C')\nnp.random.seed(1)", None),
    "warnings": ("import warnings\nwarnings.warn('mind the step')\nprint('noise', file=sys.stderr)\nos.write(2, b'noise')", None),
    "slow but right": ("import time\ntime.sleep(2 if z.shape == (3,) else 0)", None),
}  # fmt: skip
CELLS: dict[str, tuple[str, dict[str, str]]] = {
    "loop in a trial": ("while True:\n    pass", {}),
    "loop in a definition": ("def spin():\n    while True: pass\nnothing = spin()\ndef scale(): return nothing", {}),
    "patched numpy": (
        "import numpy as np, numpy.testing, builtins\nnp.allclose = np.isclose = np.array_equal = lambda *a, **k: True\n"
        "numpy.testing.assert_allclose = lambda *a, **k: None\nbuiltins.all = lambda *a: True\nbuiltins.len = len",
        {},
    ),
    "check replaced": ("import dlcourse\ndlcourse.check = lambda *a: None\ndef check(*a): return True", {}),
    "np.seterr in a cell": ("import numpy as np\nnp.seterr(all='raise')", {}),
    "exit in a cell": ("import os, numpy as np\nnp.seterr(all=os._exit(3))", {}),
    "garbage in a cell": ("import os, numpy as np\nnp.x = os.write(3, b'x' * 1000)", {}),
    "error in a cell": ("import no_such_module\nraise ValueError", {}),
}


def cases() -> list[Hostile]:
    """All of them; PORT and OUTSIDE in their code are to be replaced."""
    found = [Hostile("right", json.dumps(solved()).encode())]
    found += [in_function(name, body, status) for name, (body, status) in BODIES.items()]
    found += [in_cell(name, first, expected) for name, (first, expected) in CELLS.items()]
    found += [
        in_function("kill parent", "import time\nos.kill(os.getppid(), 9)\ntime.sleep(0.2)", "error or pass", full_only=True),
        in_function("kill group", "import signal\nsignal.signal(15, signal.SIG_IGN)\nos.killpg(0, 9)", "crash"),
        in_function("kill all", "os.kill(-1, 9)", "error or pass", full_only=True),
        Hostile("checks deleted", changed(lambda nb: without(nb, "check")), full_only=True),
        Hostile("checks edited", changed(edited_checks), full_only=True),
        Hostile("cells duplicated", changed(duplicated), full_only=True),
        Hostile("reordered", changed(reordered), full_only=True),
        Hostile("metadata lost", changed(markdown_and_no_metadata), full_only=True),
        Hostile("metadata damaged", changed(damaged), full_only=True),
        Hostile("foreign kernel", changed(foreign_kernel), full_only=True),
        Hostile("nbformat 3", changed(nbformat_3), full_only=True),
        Hostile("no answers", changed(lambda nb: without(nb, "solution")), {"": "missing"}, full_only=True),
        Hostile("Schrödinger 猫 🐈", json.dumps(solved()).encode(), full_only=True),
        Hostile("bom", b"\xef\xbb\xbf" + json.dumps(solved()).encode(), full_only=True),
        Hostile("empty", b"", ungraded=True, full_only=True),
        Hostile("corrupt", bytes(range(256)) * 40, ungraded=True, full_only=True),
        Hostile("truncated", json.dumps(solved()).encode()[:5000], ungraded=True, full_only=True),
        Hostile("nested", b"[" * 1_000_000, ungraded=True, full_only=True),
        Hostile("no notebook", b'{"cells": 3}', ungraded=True, full_only=True),
        Hostile("huge", changed(lambda nb: nb["cells"][-1].update(outputs=[{"text": "x" * 50_000_000}])), full_only=True),
        Hostile("lambda", with_softmax("import numpy as np\nsoftmax = lambda z: np.exp(z - z.max(-1, keepdims=True)) / np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)"), full_only=True),
        Hostile("callable object", with_softmax(RIGHT.replace("softmax", "_soft") + "class Soft:\n    def __call__(self, z): return _soft(z)\nsoftmax = Soft()\n"), full_only=True),
        Hostile("type hints", with_softmax("import numpy as np\nfrom numpy.typing import NDArray\ndef softmax(z: NDArray[np.float64]) -> 'Nowhere':\n    def shifted(a: int): return a - a.max(axis=-1, keepdims=True)\n    e = np.exp(shifted(z))\n    return e / e.sum(axis=-1, keepdims=True)"), full_only=True),
        Hostile("other name", with_softmax(RIGHT.replace("softmax", "my_softmax")), full_only=True),
        Hostile("syntax error", with_softmax("def softmax(z)\n    return z"), {SOFTMAX: "error"}, full_only=True),
        Hostile("magics", with_softmax("%matplotlib inline\n!pip install x\n" + RIGHT), full_only=True),
        Hostile("deep code", with_softmax(RIGHT + "x = " + "(" * 5000 + ")" * 5000), full_only=True),
        Hostile("null bytes", with_softmax(RIGHT, "x = '\0'\ud800"), full_only=True),
        Hostile("stub", with_softmax("def softmax(z):\n    raise NotImplementedError"), {SOFTMAX: "missing"}, full_only=True),
        Hostile("forgot the sum", with_softmax("import numpy as np\ndef softmax(z): return np.exp(z)"), {SOFTMAX: "wrong"}, full_only=True),
    ]  # fmt: skip
    return found
