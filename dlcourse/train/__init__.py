"""One training loop for both engines and for your own models: ``fit`` and what belongs to it."""

from dlcourse.train.callbacks import Callback, EarlyStopping
from dlcourse.train.history import History
from dlcourse.train.loop import fit
from dlcourse.train.nonfinite import NonFiniteLossError

__all__ = ["Callback", "EarlyStopping", "History", "NonFiniteLossError", "fit"]
