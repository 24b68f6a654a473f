"""Loads search spaces: built-in ones by name, or a user's by the path of its file."""

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
    """Returns a built-in space by its name, or a user's by the path of its file, FILE.py.

    Raises a one-line InputError, with the line number in the file, if the space cannot be loaded.
    """
    path = space_path(name)
    if path is None:
        module = next(module for module in built_in() if _space_name(module) == name)
        return _space_of_module(name, module)
    if path.suffix == ".py":
        return _load_file(path)
    known = _built_in_names()
    raise InputError(
        f"{unknown('search space', name, known)}; known: {', '.join(known)}, or the path of "
        "a FILE.py with a function sample(trial)"
    )


def space_path(name: str) -> Path | None:
    """Returns the path of the file that ``name`` denotes; None for a built-in space."""
    return path_of(name, _built_in_names())


def built_in() -> tuple[ModuleType, ...]:
    """Returns the modules of the built-in spaces."""
    from . import anchor, grouped, mobile, plain, reparam, residual

    return (anchor, plain, grouped, residual, reparam, mobile)


def _built_in_names() -> tuple[str, ...]:
    return tuple(map(_space_name, built_in()))


def _space_name(module: ModuleType) -> str:
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
        # Not executed by the import system, which would write a bytecode cache or read a stale one.
        with _importable_folder(path):
            exec(compile(source, path, "exec"), vars(module))
    except SyntaxError as error:
        raise InputError(f"search space {path}, line {error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise InputError(f"search space {where(str(path), error)}") from error
    return _space_of_module(str(path), module)


@contextmanager
def _importable_folder(path: Path) -> Iterator[None]:
    """Context in which modules in the folder of ``path`` can be imported, as by a script.

    They are removed from ``sys.modules`` afterwards, so that each load reads their current source.
    """
    folder, loaded_before = path.resolve().parent, set(sys.modules)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last, and permanently, since ``sample`` may import later
    writes_no_cache, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_no_cache
        for name in sys.modules.keys() - loaded_before:
            if folder in Path(getattr(sys.modules[name], "__file__", None) or "").parents:
                del sys.modules[name]


def _space_of_module(name: str, module: ModuleType) -> Space:
    sample, version = getattr(module, "sample", None), getattr(module, "VERSION", 1)
    if not callable(sample):
        raise InputError(f"search space {name}: has no function sample(trial); add one")
    if not isinstance(version, int):
        raise InputError(f"search space {name}: VERSION is {version!r}; it must be a whole number")
    return Space(name, version, sample)
