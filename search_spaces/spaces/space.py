"""What a search space is: a function that draws a network, and a name for what it says."""

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
    """A search space: where it is from, and its version."""

    name: str
    version: int
    sample: Callable[..., Any] = field(repr=False, compare=False)
    #: by rows: so are all its networks, whatever the function says
    pixel_shuffle: PixelShuffle = PixelShuffle.OPERATOR

    @classmethod
    def of_function(cls, sample: Callable[..., Graph | Candidate]) -> Self:
        """A function as a space, called by its module and its name."""
        name = getattr(sample, "__qualname__", type(sample).__qualname__)
        return cls(object_word(f"{sample.__module__}.{name}"), 1, sample)

    def draw(self, trial: Trial, scale: int) -> Candidate:
        """One network for ``scale``; a space may return a bare Graph, deployed as it is.

        A combination that the space itself refuses comes as the GraphError that it raised. Any
        other failure of its function, or a result that is no such network, is an InputError.
        """
        asked = CheckedTrial(trial)
        try:
            drawn = self.sample(asked, scale=scale) if self._takes_scale else self.sample(asked)
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
        by_rows = self.pixel_shuffle is PixelShuffle.ROWS
        return candidate.shuffled(PixelShuffle.ROWS) if by_rows else candidate

    @cached_property
    def _takes_scale(self) -> bool:
        return "scale" in inspect.signature(self.sample).parameters


def where(name: str, error: BaseException) -> str:
    """The file, its last line on the way to ``error``, and the error, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == Path(name)]
    place = f"{name}, line {lines[-1]}" if lines else name
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{place}: {text}"
