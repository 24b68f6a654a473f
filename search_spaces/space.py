"""What a search space is: a function that draws a network, and a name for what it says."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from .candidate import Candidate
from .errors import InputError, NasError
from .graph import Graph
from .naming import path_of


class Trial(Protocol):
    """What a space may ask of a trial: the part of Optuna's interface that suggests values."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number from ``low`` to ``high``, both included."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from ``low`` to ``high``."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of ``choices``."""


@dataclass(frozen=True)
class Space:
    """A search space: where it is from, and its version."""

    name: str
    version: int
    sample: Callable[..., Any] = field(repr=False, compare=False)

    def draw(self, trial: Trial, scale: int) -> Candidate:
        """One network for ``scale``; a space may return a bare Graph, deployed as it is.

        A combination that the space itself refuses comes as the GraphError that it raised. Any
        other failure of its function, or a result that is no such network, is an InputError.
        """
        takes_scale = "scale" in inspect.signature(self.sample).parameters
        try:
            drawn = self.sample(trial, scale=scale) if takes_scale else self.sample(trial)
        except NasError:
            raise
        except Exception as error:
            raise InputError(f"search space {_where(self.name, error)}") from error
        candidate = Candidate(drawn) if isinstance(drawn, Graph) else drawn
        if not isinstance(candidate, Candidate):
            raise InputError(
                f"search space {self.name}: sample() returned {type(drawn).__name__}; "
                "it must return a Graph or a Candidate"
            )
        if candidate.graph.scale != scale:
            raise InputError(
                f"search space {self.name}: sample() returned a x{candidate.graph.scale} network "
                f"where x{scale} is asked for; give it a parameter named scale"
            )
        return candidate


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
        f"unknown search space {name!r}; known: {', '.join(_names())}, or the path of a FILE.py "
        "with a function sample(trial)"
    )


def space_path(name: str) -> Path | None:
    """The file that ``name`` means; None for a built-in space."""
    return path_of(name, _names())


def built_in() -> tuple[ModuleType, ...]:
    """The spaces that come with this package."""
    from . import anchor, grouped, mobile, plain, reparam, residual  # they import this module

    return (anchor, plain, grouped, residual, reparam, mobile)


def _names() -> tuple[str, ...]:
    return tuple(map(_short_name, built_in()))


def _short_name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _load_file(path: Path) -> Space:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"search space {path}: cannot be read ({error})") from None
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None:
        raise InputError(f"search space {path}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        # Not by the loader: no cache is left behind, and none is read that is out of date.
        with _with_neighbours(path):
            exec(compile(source, path, "exec"), vars(module))
    except SyntaxError as error:
        raise InputError(f"search space {path}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        raise InputError(f"search space {_where(str(path), error)}") from error
    return _space(str(path), module)


@contextmanager
def _with_neighbours(path: Path) -> Iterator[None]:
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


def _where(name: str, error: Exception) -> str:
    """The file, its last line on the way to ``error``, and the error, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == Path(name)]
    place = f"{name}, line {lines[-1]}" if lines else name
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{place}: {text}"
