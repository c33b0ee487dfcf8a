"""Unit 16: learning from rewards, and how to tell what was learned."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.reinforcement_learning.advantages import GAE
from dlcourse.checks.reinforcement_learning.balance import SOLVE_CARTPOLE
from dlcourse.checks.reinforcement_learning.bootstrapping import DQN_TARGET
from dlcourse.checks.reinforcement_learning.bounding import UCB
from dlcourse.checks.reinforcement_learning.clipping import PPO_CLIP
from dlcourse.checks.reinforcement_learning.curves import WHICH_FAULT
from dlcourse.checks.reinforcement_learning.discounting import DISCOUNTED_RETURNS
from dlcourse.checks.reinforcement_learning.exploring import EPSILON_GREEDY
from dlcourse.checks.reinforcement_learning.planning import VALUE_ITERATION
from dlcourse.checks.reinforcement_learning.policy_loss import REINFORCE_LOSS
from dlcourse.checks.reinforcement_learning.replaying import REPLAY_BUFFER
from dlcourse.checks.reinforcement_learning.training import FIX_THE_DQN
from dlcourse.checks.reinforcement_learning.updating import Q_UPDATE

EXERCISES: tuple[Exercise, ...] = (
    DISCOUNTED_RETURNS,
    EPSILON_GREEDY,
    UCB,
    VALUE_ITERATION,
    Q_UPDATE,
    REPLAY_BUFFER,
    DQN_TARGET,
    REINFORCE_LOSS,
    GAE,
    PPO_CLIP,
    FIX_THE_DQN,
    WHICH_FAULT,
    SOLVE_CARTPOLE,
)
