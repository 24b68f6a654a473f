"""CSV tables that several processes append to, and command-line parts that studies share."""

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
        """Returns all rows so far; an empty cell gives the field's default, None or empty text."""
        return read_rows(self.path, self.row) if self.path.exists() else []

    def keep(self, row: Row) -> None:
        """Appends a row; other processes may append at the same time."""
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
    """Context in which ``path`` is open for appending, exclusively for this process."""
    with path.open("a", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@dataclass(frozen=True)
class Part:
    """Share ``index`` of ``count`` equal shares of the work; several run on a core each."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Parses ``1/2``, the first share of two."""
        index, count = (int(number) for number in text.split("/"))
        if not 1 <= index <= count:
            raise SystemExit(f"--part {text}: write 1/2 and 2/2")
        return cls(index - 1, count)

    def apply(self) -> None:
        """Binds this process to its own core if there are several shares."""
        if self.count > 1:
            cores = sorted(os.sched_getaffinity(0))
            bind({cores[self.index % len(cores)]})

    def share(self, items: list[Any]) -> Iterator[Any]:
        """Returns the items that belong to this share."""
        return iter(items[self.index :: self.count])


def training_arguments(about: str | None) -> argparse.ArgumentParser:
    """Returns a parser of the arguments of studies that train: images, and share of the work."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--part", type=Part.parse, default=Part(0, 1), metavar="K/N")
    return parser


def described(images: ImageSet) -> dict[str, str | int]:
    """Returns a fingerprint and sizes that identify a set of images."""
    return {
        "fingerprint": images.fingerprint,
        "files": len(images.pairs),
        "pixels": images.pixels,
    }
