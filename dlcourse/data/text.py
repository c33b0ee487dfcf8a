"""Text to model: the source of your own Python's standard library, which every reader has without a download.

Two fixed lists of modules, one to train on and one that stays unseen. They exist in CPython 3.11 to 3.14, but what is
written in them differs from version to version, so sizes and bits per character do too, by a percent or two.
"""

from __future__ import annotations

import sysconfig
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHARACTERS", "STAND_IN", "TRAIN", "VALIDATION", "Corpus", "decode", "encode", "load_standard_library"]

STAND_IN = "\ufffd"  # the character that Unicode keeps for what cannot be shown
CHARACTERS = "\n" + "".join(map(chr, range(32, 127))) + STAND_IN

# fmt: off
TRAIN = (
    "argparse", "asyncio.base_events", "collections", "contextlib", "copy", "dataclasses", "difflib", "email.message",
    "enum", "functools", "heapq", "http.client", "http.cookiejar", "http.server", "imaplib", "inspect", "ipaddress",
    "logging", "mailbox", "multiprocessing.managers", "optparse", "pickle", "shutil", "smtplib", "ssl", "subprocess",
    "tarfile", "threading", "typing", "unittest.case", "unittest.mock", "zipfile",
)
VALIDATION = (
    "calendar", "configparser", "csv", "gettext", "html.parser", "json.decoder", "textwrap", "xmlrpc.client",
)
# fmt: on
LEAST = 1_000_000  # characters to train on, without which the lesson would not be the same


@dataclass(frozen=True, repr=False)
class Corpus:
    """A text to learn from, and unseen files to measure on.

    Attributes
    ----------
    train, validation : the files, one after the other in the order of their names; only characters of CHARACTERS
    characters : the alphabet, sorted, V = 97: newline, printable ASCII, and a stand-in for everything else
    train_files, validation_files : where the text comes from
    missing : names of modules that this Python has no source of
    """

    train: str
    validation: str
    train_files: tuple[Path, ...]
    validation_files: tuple[Path, ...]
    missing: tuple[str, ...] = ()
    characters: str = CHARACTERS

    def encode(self, text: str) -> NDArray[np.int64]:
        """A text of T characters -> (T,) their numbers in the alphabet."""
        return encode(text, self.characters)

    def decode(self, numbers: Iterable[int]) -> str:
        """Numbers (T,) -> the text."""
        return decode(numbers, self.characters)

    def __repr__(self) -> str:
        said = (
            f"Corpus: {len(self.train):,} characters of {len(self.train_files)} files to train on, "
            f"{len(self.validation):,} of {len(self.validation_files)} unseen files, {len(self.characters)} different "
            "ones"
        )
        return said + (f"; missing here: {', '.join(self.missing)}" if self.missing else "")


def encode(text: str, characters: str = CHARACTERS) -> NDArray[np.int64]:
    """A text of T characters -> (T,) int64, each character's place in ``characters``.

    Raises
    ------
    ValueError
        If a character is in no place and ``characters`` has no stand-in for it.
    """
    place = {character: number for number, character in enumerate(characters)}
    strange = sorted(set(text) - place.keys())
    if strange and STAND_IN not in place:
        raise ValueError(f"encode: the text has {strange[0]!r}, which is none of the {len(characters)} characters; "
                         "leave it out, or use an alphabet with STAND_IN in it")  # fmt: skip
    table = place | {character: place.get(STAND_IN, -1) for character in strange}
    return np.fromiter(map(table.__getitem__, text), np.int64, len(text))


def decode(numbers: Iterable[int], characters: str = CHARACTERS) -> str:
    """Numbers (T,) from 0 to V - 1 -> the text of T characters.

    Raises
    ------
    ValueError
        If a number is no place in ``characters``.
    """
    places = np.asarray(list(numbers), np.int64)
    outside = places[(places < 0) | (places >= len(characters))]
    if len(outside):
        raise ValueError(
            f"decode: {outside[0]} is the number of no character; numbers go from 0 to {len(characters) - 1}"
        )
    return "".join(characters[place] for place in places)


def load_standard_library(folder: Path | str | None = None) -> Corpus:
    """The source of TRAIN and VALIDATION, modules of your Python's standard library: about 2.1 and 0.2 million characters.

    Parameters
    ----------
    folder : where the standard library lies; None asks the Python that runs

    Raises
    ------
    FileNotFoundError
        If hardly anything is there, as in a Python that is shipped without its sources. A few missing modules are a
        warning only, and stand in the result's ``missing``.
    """
    root = Path(sysconfig.get_paths()["stdlib"] if folder is None else folder)
    found = {name: _source(root, name) for name in TRAIN + VALIDATION}
    missing = tuple(name for name, path in found.items() if path is None)
    train_files = tuple(path for name in TRAIN if (path := found[name]))
    validation_files = tuple(path for name in VALIDATION if (path := found[name]))
    train, validation = _read(train_files), _read(validation_files)
    if len(train) < LEAST or not validation:
        raise FileNotFoundError(
            f"load_standard_library: {root} holds the source of {len(found) - len(missing)} of {len(found)} modules; "
            "some Pythons are shipped without it. Run the course with the Python of python.org, conda, uv or your "
            "system's full package, or name a folder that has argparse.py: load_standard_library('/usr/lib/python3.11')"
        )
    if missing:
        warnings.warn(f"load_standard_library: no source of {', '.join(missing)} in {root}; the text is shorter, and "
                      "bits per character are a little different", stacklevel=2)  # fmt: skip
    return Corpus(train, validation, train_files, validation_files, missing)


def _source(root: Path, name: str) -> Path | None:
    """The file of a module, or of a package: pathlib.py became pathlib/__init__.py in Python 3.13."""
    path = root.joinpath(*name.split("."))
    return next((file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if file.is_file()), None)


def _read(files: Iterable[Path]) -> str:
    text = "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
    return text.translate({ord(character): STAND_IN for character in set(text) - set(CHARACTERS)})
