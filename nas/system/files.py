"""Reads and writes files: writing is atomic, and errors name the file."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import re
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from search_spaces import InputError
from search_spaces.files import require_no_special_file

from .text import PRINTABLE

if TYPE_CHECKING:
    import numpy.typing as npt

Row = TypeVar("Row")
#: Names of temporary files, without the final name, which may have the maximum length.
_TEMPORARY_NAME = re.compile(r"\.\d+\.[0-9a-f]{8}")
#: Exceptions that numpy and zipfile raise for damaged files.
_DAMAGE_ERRORS = (
    ValueError, KeyError, EOFError, OSError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def require_folder_or_nothing(path: Path, advice: str) -> None:
    """Raises InputError, with ``advice``, if ``path`` exists and is not a folder."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; {advice}")


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes named arrays as an NPZ file."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    write_whole(path, buffer.getvalue())


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text; escapes file names in it that are not UTF-8 (see module ``text``)."""
    write_whole(path, text.encode("utf-8", PRINTABLE))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file atomically; creates its folder if it is missing."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Writes ``json_text`` of ``value``, indented."""
    write_whole(path, f"{json_text(value, indent=1)}\n".encode())


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Reads the rows of a CSV file as dataclasses; an empty cell means the field's default."""
    from pydantic import TypeAdapter

    parse = TypeAdapter(kind).validate_python
    with path.open(newline="", encoding="utf-8") as file:
        return [
            parse({key: cell for key, cell in row.items() if cell}) for row in csv.DictReader(file)
        ]


def json_text(value: object, indent: int | None = None) -> str:
    """Returns standard JSON, which has no infinity and no NaN: they become null."""
    return json.dumps(_finite_or_null(value), indent=indent, allow_nan=False)


def _finite_or_null(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_or_null(item) for item in value]
    return value


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yields the path of a temporary file to write, which afterwards replaces ``path``.

    If ``path`` is a symbolic link, its target is replaced. If it is a device or a pipe, such as
    /dev/null, the content is written to it. OSErrors name ``path``.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            with tempfile.TemporaryDirectory(prefix="nas-") as folder:
                yield Path(folder) / "content"
                path.write_bytes((Path(folder) / "content").read_bytes())
        else:
            with _replacing(Path(os.path.realpath(path))) as temporary:
                yield temporary
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Yields a path in the folder of ``target``, which is then renamed to ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def is_left_over(path: Path) -> bool:
    """Returns whether ``path`` is a temporary file, as a process that is killed leaves behind."""
    return _TEMPORARY_NAME.fullmatch(path.name) is not None


def read_json(path: Path) -> Any:
    """Returns the value of a JSON file; raises InputError if it cannot be read."""
    with reading(path):
        try:
            return json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise InputError(f"cannot be read as JSON ({error})") from None


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Returns the named arrays of an NPZ file; raises InputError if it cannot be read."""
    import numpy as np

    with reading(path):
        content = path.read_bytes()
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise InputError(f"{len(content)} bytes that are no NPZ file; it is cut off or damaged")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return dict(file)
        except _DAMAGE_ERRORS as error:
            raise InputError(f"a damaged NPZ file ({error})") from None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns InputErrors and OSErrors into InputErrors that name the file.

    Raises InputError as well if ``path`` is a pipe, a socket or a device.
    """
    try:
        require_no_special_file(path)
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
