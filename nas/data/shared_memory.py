"""Decoded images in memory that the processes of one machine share.

Images are stored one after another, LR before HR, in a file of the cache or in anonymous memory,
with an index of their positions. Other processes receive the path and the index and map the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

#: (height, width, channels)
Shape = tuple[int, ...]


class DataSplit(StrEnum):
    """Which of the stored images: all, those for training, or those held out for validation."""

    WHOLE = "whole"
    TRAINING = "training"
    VALIDATION = "validation"


class Fingerprint:
    """Digest of all LR and HR pixels added to it; ``str`` gives 16 hex digits."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, lr: npt.NDArray[np.uint8], hr: npt.NDArray[np.uint8]) -> None:
        for pixels in (lr, hr):
            self._digest.update(f"{pixels.shape}".encode())
            self._digest.update(np.ascontiguousarray(pixels).data)

    def __str__(self) -> str:
        return self._digest.hexdigest()[:16]


@dataclass(frozen=True)
class IndexedPair:
    """An image's name, the shapes of its LR and HR pixels, and whether it has one color only."""

    name: str
    lr: Shape
    hr: Shape
    is_flat: bool

    def __post_init__(self) -> None:
        if not all(len(shape) == 3 and min(shape) > 0 for shape in (self.lr, self.hr)):
            raise ValueError(f"an image of {self.lr} and {self.hr}")

    @property
    def lr_bytes(self) -> int:
        return _bytes(self.lr)

    @property
    def bytes(self) -> int:
        return self.lr_bytes + _bytes(self.hr)


@dataclass(frozen=True)
class Index:
    """The stored images in order, and the ``skipped`` images as (name, reason).

    Every ``hold_out``-th image, starting with the first, is held out for validation.
    ``fingerprints`` has the digest of the images of each ``DataSplit``.
    """

    pairs: tuple[IndexedPair, ...]
    skipped: tuple[tuple[str, str], ...]
    hold_out: int
    fingerprints: dict[str, str]

    @property
    def bytes(self) -> int:
        """Size of all pixels."""
        return sum(pair.bytes for pair in self.pairs)

    def pairs_of(self, split: DataSplit) -> Iterator[tuple[int, IndexedPair]]:
        """Yields the images of ``split``, each with the offset of its first byte."""
        offset = 0
        for number, pair in enumerate(self.pairs):
            if split in (DataSplit.WHOLE, split_of(number, self.hold_out)):
                yield offset, pair
            offset += pair.bytes

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverts ``asdict``; raises ValueError, KeyError or TypeError for other data."""
        pairs = (
            IndexedPair(
                str(pair["name"]), tuple(pair["lr"]), tuple(pair["hr"]), bool(pair["is_flat"])
            )
            for pair in data["pairs"]
        )
        skipped = tuple((str(name), str(reason)) for name, reason in data["skipped"])
        return cls(tuple(pairs), skipped, int(data["hold_out"]), dict(data["fingerprints"]))


def split_of(number: int, hold_out: int) -> DataSplit:
    """Returns the split of image ``number`` if every ``hold_out``-th image is held out."""
    return DataSplit.TRAINING if number % hold_out else DataSplit.VALIDATION


class PixelWriter:
    """Writes images to a file, one at a time, and keeps their index."""

    def __init__(self, file: IO[bytes], hold_out: int) -> None:
        self._file, self._hold_out = file, hold_out
        self._pairs: list[IndexedPair] = []
        self._skipped: list[tuple[str, str]] = []
        self._fingerprints = {split: Fingerprint() for split in DataSplit}

    def add(
        self,
        name: str,
        lr: npt.NDArray[np.uint8],
        hr: npt.NDArray[np.uint8],
        is_flat: bool,
    ) -> None:
        for split in (DataSplit.WHOLE, split_of(len(self._pairs), self._hold_out)):
            self._fingerprints[split].add(lr, hr)
        for pixels in (lr, hr):
            self._file.write(np.ascontiguousarray(pixels).data)
        self._pairs.append(IndexedPair(name, lr.shape, hr.shape, is_flat))

    def skip(self, name: str, reason: str) -> None:
        self._skipped.append((name, reason))

    def index(self) -> Index:
        """Returns the index of all images written so far."""
        fingerprints = {split.value: str(mark) for split, mark in self._fingerprints.items()}
        return Index(tuple(self._pairs), tuple(self._skipped), self._hold_out, fingerprints)


class SharedMemory:
    """A read-only mapping of a file; an unpickled copy in another process maps the same file.

    ``owned`` is the descriptor of anonymous memory, which other processes can map as long as this
    process keeps the descriptor open.
    """

    def __init__(self, path: str, owned: int | None = None) -> None:
        self.path = path
        self._owned: int | None = None
        with Path(path).open("rb") as file:
            # The mapping duplicates the descriptor and so keeps the lock: the cache does not remove
            # the file as long as a process maps it.
            fcntl.flock(file, fcntl.LOCK_SH)
            self.status = os.fstat(file.fileno())
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._owned = owned

    def __del__(self) -> None:
        if self._owned is not None:
            os.close(self._owned)

    def __reduce__(self) -> tuple[object, ...]:
        return SharedMemory, (self.path,)

    def pixels(self, shape: Shape, offset: int) -> npt.NDArray[np.uint8]:
        """Returns a view of the image that begins at byte ``offset``."""
        return np.frombuffer(self._mapped, np.uint8, _bytes(shape), offset).reshape(shape)

    def release(self) -> None:
        """Releases the pages that this process has read; views stay valid and reload them."""
        self._mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class StoredImages:
    """Stored pixels with their index."""

    memory: SharedMemory = field(repr=False, compare=False)
    index: Index


def store_in_memory(write: Callable[[IO[bytes]], Index]) -> StoredImages:
    """Stores in anonymous memory what ``write`` writes to its file."""
    descriptor = os.memfd_create("images")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            index = write(file)
        memory = SharedMemory(f"/proc/{os.getpid()}/fd/{descriptor}", descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return StoredImages(memory, index)


def available_bytes() -> int:
    """Returns the memory of the machine that is available without swapping, in bytes."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


def _bytes(shape: Shape) -> int:
    return int(np.prod(shape))
