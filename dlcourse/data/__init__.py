"""Data for the lessons: made-up problems, bundled digits and a photograph, picture sets to download, text, mini-batches."""

from dlcourse.data.digits import load_digits
from dlcourse.data.images import load_cifar10, load_fashion_mnist, load_mnist
from dlcourse.data.loader import DataLoader
from dlcourse.data.memory import adding_problem, copy_problem
from dlcourse.data.photograph import load_photograph
from dlcourse.data.text import load_standard_library
from dlcourse.data.toy import circles, gaussian_ring, moons, spirals, xor

__all__ = [
    "DataLoader",
    "adding_problem",
    "circles",
    "copy_problem",
    "gaussian_ring",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "load_photograph",
    "load_standard_library",
    "moons",
    "spirals",
    "xor",
]
