"""Optimizers, each a page of arithmetic; the same update, step by step, as PyTorch's."""

from dlcourse.optim import lr_scheduler
from dlcourse.optim.adam import Adam, AdamW
from dlcourse.optim.optimizer import Optimizer
from dlcourse.optim.rmsprop import RMSprop
from dlcourse.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
