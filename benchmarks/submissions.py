"""Submissions as a class hands them in: the exercises of a unit, most of them answered as in solutions/, some wrong."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
UNIT = "01_neuron"
MISTAKES = {  # exercise -> an answer that runs and is wrong
    "neuron.forward": "def neuron(x, w, b):\n    return 1 / (1 + np.exp(-(w @ x)))",
    "neuron.leaky_relu": "def leaky_relu(z, slope=0.01):\n    return np.maximum(np.asarray(z), 0)",
    "neuron.softmax": "def softmax(z):\n    return np.exp(z) / np.exp(z).sum()",
    "neuron.perceptron_update": "def perceptron_update(w, b, x, target, lr):\n    return w + lr * target * x, b",
    "neuron.separable": 'separable = "ABD"',
}


def submission(mistakes: Collection[str] = (), checks: bool = True) -> NotebookNode:
    """The unit's exercise notebook, answered.

    Parameters
    ----------
    mistakes : ids of the exercises that are answered wrong
    checks : False leaves the check cells out, as a learner does who deletes them
    """
    solved = nbformat.read(ROOT / "solutions" / f"{UNIT}.ipynb", as_version=4)
    answers = {mark["exercise"]: cell.source for cell, mark in marked(solved) if mark["role"] == "solution"}
    answers |= {id: MISTAKES[id] for id in mistakes}
    notebook = nbformat.read(ROOT / "exercises" / f"{UNIT}.ipynb", as_version=4)
    for cell, mark in marked(notebook):
        if mark["role"] == "solution":
            cell.source = answers[mark["exercise"]]
        elif mark["role"] == "check" and not checks:
            notebook.cells.remove(cell)
    return notebook


def marked(notebook: NotebookNode) -> list[tuple[NotebookNode, NotebookNode]]:
    """The cells that belong to an exercise, each with the metadata that says to which, and as what."""
    return [(cell, cell.metadata["dlcourse"]) for cell in notebook.cells if "dlcourse" in cell.metadata]


def hand_in(notebook: NotebookNode, folder: Path) -> Path:
    """Write a submission as ``folder/01_neuron.ipynb``."""
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{UNIT}.ipynb")
    return folder / f"{UNIT}.ipynb"
