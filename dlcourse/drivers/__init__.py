"""Drivers exercise an answer and hand back plain values; they hold no reference solutions.

``check`` in a notebook and the grader's sandboxed worker run the same drivers on the same cases, so a case is made of
plain data only: numbers, strings, arrays, lists, and names of what cannot be written down as data (:class:`Rng` for a
random generator, :class:`Fn` for a function).
"""

import dlcourse.drivers.surfaces  # noqa: F401 (registers its functions)
from dlcourse.drivers.case import Case, Fn, Opaque, Rng
from dlcourse.drivers.functions import register
from dlcourse.drivers.run import DRIVERS, Failure, Outcome, run_case

__all__ = ["DRIVERS", "Case", "Failure", "Fn", "Opaque", "Outcome", "Rng", "register", "run_case"]
