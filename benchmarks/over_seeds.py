"""What the benchmarks share that train over seeds: their options, a table to read, and the file that lessons load."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

Row = tuple[str, str, str | int, int, float, int, float]  # three words, seed, result, steps, seconds


def parser(doc: str | None, seeds: int) -> argparse.ArgumentParser:
    """The options that all of them have."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=seeds)
    options.add_argument("--jobs", type=int, default=1)
    return options


def table(rows: Sequence[Row]) -> str:
    """The results of all seeds, a line for each three words, with the steps of the first and the mean seconds."""
    lines = []
    for key in dict.fromkeys(row[:3] for row in rows):
        these = [row for row in rows if row[:3] == key]
        results = "  ".join(f"{row[4]:.4f}" for row in these)
        seconds = sum(row[6] for row in these) / len(these)
        lines.append(f"{key[0]:22s} {key[1]:18s} {key[2]!s:24s} {results}   {these[0][5]} steps, {seconds:.1f} s")
    return "\n".join(lines)


def versions() -> str:
    """Of what the results may hang on."""
    import numpy as np
    import torch

    return f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}"


def write(path: Path, script: str, columns: str, rows: Iterable[Row]) -> None:
    """The file that ``dlcourse.models.runs`` reads.

    Parameters
    ----------
    path : the file
    script : its name in this folder, for the first line
    columns : names of the first three columns, such as "task;model;setting"
    rows : in the file's order
    """
    lines = [";".join(map(str, row[:4])) + f";{row[4]:.6f};{row[5]};{row[6]:.1f}" for row in rows]
    head = [f"# python benchmarks/{script} ({versions()})", f"{columns};seed;result;steps;seconds"]
    path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
