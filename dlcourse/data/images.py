"""Three sets of pictures to download: MNIST and Fashion-MNIST (28×28, gray) and CIFAR-10 (32×32, in color).

They come as arrays in the form of ``load_digits``, in the split that their authors published, which is what results in
papers refer to. ``load_digits`` itself is bundled and needs no network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from dlcourse.data.download import fetch
from dlcourse.ops.rule import Array

Split = tuple[Array, Array, Array, Array]

# Data set -> the folders that hold its files, and each file's SHA-256. The sums are those of TensorFlow Datasets
# (url_checksums/), found again beside the MD5 sums that torchvision and the sets' own pages give for the same files.
SOURCES = {
    "mnist": (
        ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion-mnist": (
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
    "cifar-10": (
        ("https://www.cs.toronto.edu/~kriz", "https://cave.cs.toronto.edu/kriz"),
        {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
}
CIFAR_BATCHES = [
    f"cifar-10-batches-bin/{name}.bin" for name in (*map("data_batch_{}".format, range(1, 6)), "test_batch")
]


def load_mnist(images: bool = False, mirror: str | None = None) -> Split:
    """MNIST: handwritten digits, 60,000 to train on and 10,000 to test on (LeCun, Bottou, Bengio & Haffner 1998).

    The first call downloads 12 MB into the cache, later ones read them there.

    Parameters
    ----------
    images : shape (N, 1, 28, 28) for convolutions instead of (N, 784)
    mirror : address to download from instead, see ``dlcourse.data.download.fetch``

    Returns
    -------
    X_train, X_test, y_train, y_test : pixels from 0 to 1 in float32, classes 0 to 9 in int64

    Raises
    ------
    OSError
        If a file cannot be had; the message says where to put it by hand.
    ValueError
        If a file is not what its name says, or the mirror is not an address.
    """
    return _idx_set("mnist", images, mirror)


def load_fashion_mnist(images: bool = False, mirror: str | None = None) -> Split:
    """Fashion-MNIST: articles of clothing in the form of MNIST, and harder (Xiao, Rasul & Vollgraf 2017); 31 MB.

    The classes from 0: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.
    Parameters, results and errors are those of ``load_mnist``.
    """
    return _idx_set("fashion-mnist", images, mirror)


def load_cifar10(images: bool = False, mirror: str | None = None) -> Split:
    """CIFAR-10: 50,000 color photographs to train on and 10,000 to test on (Krizhevsky 2009); 162 MB.

    The classes from 0: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
    Parameters, results and errors are those of ``load_mnist``, with images (N, 3, 32, 32) or rows (N, 3072).
    """
    (path,) = _files("cifar-10", mirror)
    batches = [_cifar_records(path, name, raw) for name, raw in _members(path, CIFAR_BATCHES).items()]
    train, test = np.concatenate(batches[:5]), batches[5]
    return _split(train[:, 1:], train[:, 0], test[:, 1:], test[:, 0], (3, 32, 32) if images else (3072,))


def _files(data_set: str, mirror: str | None) -> list[Path]:
    folders, checksums = SOURCES[data_set]
    return [fetch(f"{data_set}/{name}", sha256, folders, mirror) for name, sha256 in checksums.items()]


def _idx_set(data_set: str, images: bool, mirror: str | None) -> Split:
    paths = _files(data_set, mirror)
    X, y, X_test, y_test = (_read_idx(path, ndim) for path, ndim in zip(paths, (3, 1, 3, 1), strict=True))
    for pixels, labels, path in ((X, y, paths[1]), (X_test, y_test, paths[3])):
        if len(pixels) != len(labels):
            raise ValueError(f"{path}: {len(labels)} labels for {len(pixels)} images")
    return _split(X, y, X_test, y_test, (1, *X.shape[1:]) if images else (math.prod(X.shape[1:]),))


def _split(X: Array, y: Array, X_test: Array, y_test: Array, shape: tuple[int, ...]) -> Split:
    """Bytes as they are in the files -> what the loaders return, each example with this shape."""
    X, X_test = (pixels.reshape(len(pixels), *shape).astype(np.float32) for pixels in (X, X_test))
    for pixels in (X, X_test):
        pixels /= 255  # in place: these are large
    return X, X_test, y.astype(np.int64), y_test.astype(np.int64)


def _read_idx(path: Path, ndim: int) -> Array:
    """An array of bytes with ``ndim`` axes from a gzipped IDX file (its format: LeCun, Cortes & Burges' MNIST page)."""
    import gzip  # here, since few who import the package download anything
    import zlib

    try:
        with gzip.open(path) as file:
            raw = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise ValueError(f"{path}: not a whole gzip file ({problem}); delete it and load again") from problem
    start = 4 + 4 * ndim  # two zeros, 8 for unsigned bytes, the number of axes, then each axis' length
    if len(raw) < start or raw[:4] != bytes([0, 0, 8, ndim]):
        raise ValueError(
            f"{path}: {len(raw)} bytes from {raw[:4].hex(' ')}; an IDX file with {ndim} axes begins with 00 00 08 0{ndim}"
        )
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", ndim, offset=4))
    if len(raw) - start != math.prod(shape):
        raise ValueError(f"{path}: {len(raw) - start} bytes of data, but its header says {shape}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _members(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The named files of a .tar.gz, in this order, read into memory: nothing is written to the disk."""
    import gzip
    import tarfile
    import zlib

    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                if place.is_absolute() or ".." in place.parts or not (member.isfile() or member.isdir()):
                    raise ValueError(f"{path}: refused, since {member.name!r} is a link or leads out of the archive")
                if member.name in names and (file := archive.extractfile(member)):
                    found[member.name] = file.read()
    except (EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error) as problem:
        raise ValueError(f"{path}: not a whole .tar.gz ({problem}); delete it and load again") from problem
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"{path}: without {', '.join(missing)}; it has {', '.join(found) or 'none of the batches'}")
    return {name: found[name] for name in names}


def _cifar_records(path: Path, name: str, raw: bytes) -> Array:
    """Records (N, 3073) of CIFAR-10's binary version: the class, then 1,024 red, green and blue pixels each."""
    if not raw or len(raw) % 3073:
        raise ValueError(f"{path}: {name} has {len(raw)} bytes, not a multiple of 3073")
    return np.frombuffer(raw, np.uint8).reshape(-1, 3073)
