"""Decoded images in memory that all processes of this machine can see: none decodes them again."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .data import Data, ImagePair, ImageSet, Pixels, Skipped
from .layout import Layout

Shape = tuple[int, ...]


@dataclass(frozen=True)
class SharedData(Data):
    """Data as any other, but another process that is sent them gets a view of the same memory.

    They can be sent for as long as this process lives and holds them.
    """

    memory: _Memory = field(repr=False, compare=False)

    def __reduce__(self) -> tuple[object, ...]:
        sets = (_Shapes.of(self.training), _Shapes.of(self.validation))
        return _attach, (self.name, self.memory.path, *sets)


def share(data: Data) -> SharedData:
    """``data`` in shared memory, read-only."""
    sets = (data.training, data.validation)
    arrays = [pixels for images in sets for pair in images.pairs for pixels in (pair.lr, pair.hr)]
    memory = _Memory(arrays)
    training, validation = _views(memory.path, *map(_Shapes.of, sets))
    return SharedData(data.name, training, validation, memory)


class _Memory:
    """Anonymous memory with a path, by which this machine's processes may map it."""

    def __init__(self, arrays: list[Pixels]) -> None:
        self._descriptor = os.memfd_create("images")
        with os.fdopen(self._descriptor, "wb", closefd=False) as file:
            for array in arrays:
                file.write(np.ascontiguousarray(array).data)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def __del__(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True)
class _Shapes:
    """A set of images without its pixels: names, and shapes of LR and HR."""

    scale: int
    pairs: tuple[tuple[str, Shape, Shape], ...]
    skipped: tuple[Skipped, ...]
    layout: Layout | None

    @classmethod
    def of(cls, images: ImageSet) -> _Shapes:
        pairs = tuple((pair.name, pair.lr.shape, pair.hr.shape) for pair in images.pairs)
        return cls(images.scale, pairs, images.skipped, images.layout)


def _attach(name: str, path: str, training: _Shapes, validation: _Shapes) -> Data:
    return Data(name, *_views(path, training, validation))


def _views(path: str, *shapes: _Shapes) -> list[ImageSet]:
    """The image sets that lie one after another in the memory at ``path``."""
    with Path(path).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    place = 0

    def view(shape: Shape) -> Pixels:
        nonlocal place
        size = int(np.prod(shape))
        pixels = np.frombuffer(mapped, np.uint8, size, place).reshape(shape)
        place += size
        return pixels

    def pairs(shapes: _Shapes) -> Iterator[ImagePair]:
        return (ImagePair(name, view(lr), view(hr)) for name, lr, hr in shapes.pairs)

    return [ImageSet(s.scale, tuple(pairs(s)), s.skipped, s.layout) for s in shapes]
