"""Data for the lessons: made-up problems in the plane, the bundled digits, picture sets to download, and mini-batches."""

from dlcourse.data.digits import load_digits
from dlcourse.data.images import load_cifar10, load_fashion_mnist, load_mnist
from dlcourse.data.loader import DataLoader
from dlcourse.data.toy import circles, gaussian_ring, moons, spirals, xor

__all__ = [
    "DataLoader",
    "circles",
    "gaussian_ring",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "moons",
    "spirals",
    "xor",
]
