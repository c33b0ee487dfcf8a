"""Unit 09: networks that read sequences, their memory, and what it costs to train it."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.recurrent_networks.bits import BITS_PER_CHARACTER
from dlcourse.checks.recurrent_networks.gru import GRU_CELL
from dlcourse.checks.recurrent_networks.lstm import LSTM_CELL
from dlcourse.checks.recurrent_networks.mending import TRAIN_ON_STREAMS
from dlcourse.checks.recurrent_networks.norms import GRADIENT_NORMS
from dlcourse.checks.recurrent_networks.remember import REMEMBER
from dlcourse.checks.recurrent_networks.rnn import RNN_CELL
from dlcourse.checks.recurrent_networks.sampling import SAMPLE
from dlcourse.checks.recurrent_networks.through_time import RNN_BACKWARD
from dlcourse.checks.recurrent_networks.truncated import TRUNCATED_BPTT

EXERCISES: tuple[Exercise, ...] = (
    RNN_CELL,
    RNN_BACKWARD,
    LSTM_CELL,
    GRU_CELL,
    BITS_PER_CHARACTER,
    SAMPLE,
    TRUNCATED_BPTT,
    TRAIN_ON_STREAMS,
    GRADIENT_NORMS,
    REMEMBER,
)
