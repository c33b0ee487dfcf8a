"""Handwritten digits, 8×8 pixels: scikit-learn's bundled copy of the test set of Alpaydin & Kaynak (1998)."""

from __future__ import annotations

import numpy as np

from dlcourse.ops.rule import Array


def load_digits(images: bool = False) -> tuple[Array, Array, Array, Array]:
    """The 1,797 digits in the course's standard split: 1,347 to train on, 450 to test on, each digit's share kept.

    Parameters
    ----------
    images : shape (N, 1, 8, 8) for convolutions instead of (N, 64)

    Returns
    -------
    X_train, X_test, y_train, y_test : pixels from 0 to 1 in float32, classes 0 to 9 in int64; the order of
        scikit-learn's ``train_test_split``
    """
    from sklearn import datasets, model_selection

    X, y = datasets.load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)  # the bundled pixels count from 0 to 16
    if images:
        X = X.reshape(-1, 1, 8, 8)
    parts = model_selection.train_test_split(X, y.astype(np.int64), test_size=450, stratify=y, random_state=0)
    X_train, X_test, y_train, y_test = parts
    return X_train, X_test, y_train, y_test
