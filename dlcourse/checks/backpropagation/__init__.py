"""Unit 03: local slopes, the order of a graph, backward rules of arrays, an engine, and what it learns."""

from dlcourse.checks.backpropagation.arrays import LINEAR_BACKWARD, MATMUL_BACKWARD
from dlcourse.checks.backpropagation.broadcast import UNBROADCAST
from dlcourse.checks.backpropagation.graphs import BY_HAND, LOCAL_GRADIENTS
from dlcourse.checks.backpropagation.nudging import NUMERICAL_GRADIENT
from dlcourse.checks.backpropagation.order import TOPOLOGICAL_ORDER
from dlcourse.checks.backpropagation.programs import REPAIR_BACKWARD
from dlcourse.checks.backpropagation.training import ENGINE_TRAINING
from dlcourse.checks.backpropagation.value import VALUE
from dlcourse.checks.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    LOCAL_GRADIENTS,
    BY_HAND,
    TOPOLOGICAL_ORDER,
    VALUE,
    UNBROADCAST,
    MATMUL_BACKWARD,
    LINEAR_BACKWARD,
    NUMERICAL_GRADIENT,
    REPAIR_BACKWARD,
    ENGINE_TRAINING,
)
