"""A table of trainings that several processes fill at once, each row as soon as it is there."""

from __future__ import annotations

import argparse
import contextlib
import csv
import fcntl
import io
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

from latency_models.processor import bind
from nas.data.images import ImageSet
from nas.system.files import read_rows

Row = TypeVar("Row")


@dataclass(frozen=True)
class Ledger(Generic[Row]):
    """The CSV file at ``path`` with a column for each field of the dataclass ``row``."""

    path: Path
    row: type[Row]

    def read(self) -> list[Row]:
        """All rows so far; an empty cell is the field's default, which None and "" must be."""
        return read_rows(self.path, self.row) if self.path.exists() else []

    def keep(self, row: Row) -> None:
        """Adds a row, whoever else does at the same time."""
        with appending(self.path) as file:
            text = io.StringIO()
            names = [field.name for field in fields(self.row)]  # type: ignore[arg-type]
            writer = csv.DictWriter(text, names, lineterminator="\n")
            if not self.path.stat().st_size:
                writer.writeheader()
            writer.writerow(asdict(row))  # type: ignore[call-overload]
            file.write(text.getvalue())


@contextlib.contextmanager
def appending(path: Path) -> Iterator[TextIO]:
    """Within, ``path`` is open for what is added to it, and for nobody else."""
    with path.open("a", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@dataclass(frozen=True)
class Part:
    """One of ``count`` equal shares of the work, on a core of its own if there are several."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """``1/2`` is the first of two."""
        index, count = (int(number) for number in text.split("/"))
        if not 1 <= index <= count:
            raise SystemExit(f"--part {text}: write 1/2 and 2/2")
        return cls(index - 1, count)

    def apply(self) -> None:
        """Binds this process to its core."""
        if self.count > 1:
            cores = sorted(os.sched_getaffinity(0))
            bind({cores[self.index % len(cores)]})

    def share(self, things: list[Any]) -> Iterator[Any]:
        """Those of ``things`` that are done here."""
        return iter(things[self.index :: self.count])


def training_arguments(about: str | None) -> argparse.ArgumentParser:
    """What a study that trains is told: images, and which share of the work."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--part", type=Part.parse, default=Part(0, 1), metavar="K/N")
    return parser


def described(images: ImageSet) -> dict[str, str | int]:
    """What tells these images from any others."""
    return {
        "fingerprint": images.fingerprint,
        "files": len(images.pairs),
        "pixels": images.pixels,
    }
