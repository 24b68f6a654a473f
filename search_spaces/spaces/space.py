"""Search spaces: functions that draw a network, with a name and a version."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..errors import InputError, NasError
from ..graph.graph import Graph
from ..naming import object_word
from ..transforms.candidate import Candidate
from ..transforms.shuffling import PixelShuffle
from .asking import CheckedTrial, Trial


@dataclass(frozen=True)
class Space:
    """A search space; ``name`` is a built-in name, a path, or the word for a Python function."""

    name: str
    version: int
    sample: Callable[..., Any] = field(repr=False, compare=False)
    #: if ROWS, all networks get this form, whatever deployment ``sample`` returns
    pixel_shuffle: PixelShuffle = PixelShuffle.OPERATOR

    @classmethod
    def of_function(cls, sample: Callable[..., Graph | Candidate]) -> Self:
        """Returns a space of a function, named by the function's module and name."""
        name = getattr(sample, "__qualname__", type(sample).__qualname__)
        return cls(object_word(f"{sample.__module__}.{name}"), 1, sample)

    def draw(self, trial: Trial, scale: int) -> Candidate:
        """Draws a network for ``scale``; a Graph from ``sample`` is deployed without rewrites.

        A NasError of ``sample``, such as GraphError for an invalid combination, is passed on.
        Raises InputError for any other failure of ``sample`` and for a result that is not a Graph
        or Candidate of this scale.
        """
        checked = CheckedTrial(trial)
        try:
            drawn = self.sample(checked, scale=scale) if self._takes_scale else self.sample(checked)
        except NasError:
            raise
        except (Exception, SystemExit) as error:
            raise InputError(f"search space {where(self.name, error)}") from error
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
        uses_rows = self.pixel_shuffle is PixelShuffle.ROWS
        return candidate.shuffled(PixelShuffle.ROWS) if uses_rows else candidate

    @cached_property
    def _takes_scale(self) -> bool:
        return "scale" in inspect.signature(self.sample).parameters


def where(name: str, error: BaseException) -> str:
    """Returns one line with the file, its line number in the traceback, and the error."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == Path(name)]
    location = f"{name}, line {lines[-1]}" if lines else name
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{location}: {text}"
