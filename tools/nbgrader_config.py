"""nbgrader makes from solutions/ the same exercises that make_exercises.py makes.

    mkdir -p source/01_neuron && cp …/solutions/01_neuron.ipynb source/01_neuron/
    nbgrader generate_assignment 01_neuron --config …/tools/nbgrader_config.py
    nbgrader autograde           01_neuron --config …/tools/nbgrader_config.py

nbgrader's own ClearSolutions knows one stub for all cells; here it gives way to make_exercises.py, so that a broken
program is handed out as it is meant to be mended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearSolutions

sys.path.insert(0, str(Path(__file__).resolve().parent))
from make_exercises import empty


class EmptyExercises(ClearSolutions):
    """Solution regions become each exercise's starting text, and cells tagged ``solution-only`` go."""

    def preprocess(self, nb, resources):
        empty(nb, resources["nbgrader"]["notebook"])
        return nb, resources


steps = GenerateAssignment.class_traits()["preprocessors"].default()
c = get_config()  # noqa: F821 - defined by nbgrader where it reads this file
c.GenerateAssignment.preprocessors = [EmptyExercises if step is ClearSolutions else step for step in steps]
c.OverwriteCells.add_missing_cells = True  # a deleted check cell comes back, and the answer above it gets its marks
c.Execute.timeout = 120  # a check of a trained model on a busy machine takes more than the usual half minute
