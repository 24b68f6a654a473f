"""Finding a search space: one of the package by its name, or a user's by its file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ..errors import InputError
from ..files import require_no_special_file
from ..naming import path_of, unknown
from .space import Space, where


def load_space(name: str) -> Space:
    """A built-in space by its name, or a user's by the path of its file, FILE.py.

    Raises InputError, in one line and with the line of the file, if it cannot be used.
    """
    path = space_path(name)
    if path is None:
        module = next(module for module in built_in() if _short_name(module) == name)
        return _space(name, module)
    if path.suffix == ".py":
        return _load_file(path)
    raise InputError(
        f"{unknown('search space', name, _names())}; known: {', '.join(_names())}, or the path of "
        "a FILE.py with a function sample(trial)"
    )


def space_path(name: str) -> Path | None:
    """The file that ``name`` means; None for a built-in space."""
    return path_of(name, _names())


def built_in() -> tuple[ModuleType, ...]:
    """The spaces that come with this package."""
    from . import anchor, grouped, mobile, plain, reparam, residual

    return (anchor, plain, grouped, residual, reparam, mobile)


def _names() -> tuple[str, ...]:
    return tuple(map(_short_name, built_in()))


def _short_name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _load_file(path: Path) -> Space:
    try:
        require_no_special_file(path)
        source = path.read_text(encoding="utf-8")
    except InputError as error:
        raise InputError(f"search space {path}: {error}") from None
    except OSError as error:
        raise InputError(f"search space {path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"search space {path}: cannot be read ({error})") from None
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None:
        raise InputError(f"search space {path}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        # Not by the loader: no cache is left behind, and none is read that is out of date.
        with _with_neighbors(path):
            exec(compile(source, path, "exec"), vars(module))
    except SyntaxError as error:
        raise InputError(f"search space {path}, line {error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise InputError(f"search space {where(str(path), error)}") from error
    return _space(str(path), module)


@contextmanager
def _with_neighbors(path: Path) -> Iterator[None]:
    """Within, modules beside ``path`` can be imported, as if it were run as a script.

    They are read anew each time, as the file itself is.
    """
    folder, before = path.resolve().parent, set(sys.modules)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last, and for good: ``sample`` may import, too
    writes_no_cache, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_no_cache
        for name in sys.modules.keys() - before:
            if folder in Path(getattr(sys.modules[name], "__file__", None) or "").parents:
                del sys.modules[name]


def _space(name: str, module: ModuleType) -> Space:
    sample, version = getattr(module, "sample", None), getattr(module, "VERSION", 1)
    if not callable(sample):
        raise InputError(f"search space {name}: has no function sample(trial); add one")
    if not isinstance(version, int):
        raise InputError(f"search space {name}: VERSION is {version!r}; it must be a whole number")
    return Space(name, version, sample)
