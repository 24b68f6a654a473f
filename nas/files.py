"""Nothing half-written, and whatever is wrong with a file told with its name."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces import InputError

if TYPE_CHECKING:
    import numpy.typing as npt


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes named arrays as an NPZ file."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    write_whole(path, buffer.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all; makes its folder if it is missing."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Writes ``json_text`` of ``value``, by lines."""
    write_whole(path, f"{json_text(value, indent=1)}\n".encode())


def json_text(value: object, indent: int | None = None) -> str:
    """JSON that every reader takes: a float that is not finite has no word there, and is null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place once it is written within."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """What fails within is the fault of the file: an InputError with its name."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
