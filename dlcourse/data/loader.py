"""Mini-batches: the examples in a new order each epoch, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlcourse.ops.rule import Array


class DataLoader:
    """Iterate over arrays in mini-batches; each ``for`` is one epoch.

    Parameters
    ----------
    arrays : arrays with one row for each example, such as ``(X, y)``
    batch_size : examples in a batch; the last batch may be smaller
    shuffle : draw a new order for each epoch
    drop_last : leave a smaller last batch out
    rng : source of the order; None is a fresh one

    Raises
    ------
    ValueError
        If there are no arrays, their lengths differ, or the batch size is below 1.
    TypeError
        If one array stands where a tuple of arrays belongs, or the batch size is not a whole number.

    Examples
    --------
    >>> loader = DataLoader((np.zeros((5, 2)), np.arange(5)), batch_size=2)
    >>> [y.tolist() for X, y in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        arrays: Sequence[Array],
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        if isinstance(arrays, np.ndarray):  # its rows would pass for arrays
            raise TypeError(
                f"DataLoader: arrays is one array of shape {arrays.shape}; give a tuple, such as (X,) or (X, y)"
            )
        if not isinstance(batch_size, int | np.integer):
            raise TypeError(f"DataLoader: batch_size={batch_size!r}; it must be a whole number")
        self.arrays = tuple(np.asarray(array) for array in arrays)
        lengths = [len(array) for array in self.arrays]
        if len(set(lengths)) != 1:
            raise ValueError(f"DataLoader: arrays of {lengths} examples; give at least one, all of the same length")
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size={batch_size}; it must be at least 1")
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.rng = np.random.default_rng() if rng is None else rng

    def __len__(self) -> int:
        """The number of batches."""
        n = len(self.arrays[0])
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        n = len(self.arrays[0])
        order = self.rng.permutation(n) if self.shuffle else np.arange(n)
        for i in range(len(self)):
            batch = order[i * self.batch_size : (i + 1) * self.batch_size]
            yield tuple(array[batch] for array in self.arrays)
