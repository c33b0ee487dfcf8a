"""Data for the lessons: made-up problems in the plane, the bundled digits, and mini-batches of either."""

from dlcourse.data.digits import load_digits
from dlcourse.data.loader import DataLoader
from dlcourse.data.toy import circles, gaussian_ring, moons, spirals, xor

__all__ = ["DataLoader", "circles", "gaussian_ring", "load_digits", "moons", "spirals", "xor"]
