"""The budget of a search: a number of trained trials, wall-clock time, or both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from search_spaces import InputError

_MAX = 1e9
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART_PATTERN = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhd]?)", re.ASCII)


@dataclass(frozen=True)
class Budget:
    """A study's limits over all its runs; the search ends when it reaches the first of them.

    ``trials`` counts trained candidates; ``seconds`` is wall-clock time with a worker alive.
    """

    trials: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses ``30m``, ``50`` (trials) or ``50,2h``; raises InputError for anything else."""
        trials: int | None = None
        seconds: float | None = None
        for part in text.split(","):
            match = _PART_PATTERN.fullmatch(part.strip().lower())
            if match is None:
                raise InputError(f"budget {text!r} cannot be read; {_EXAMPLES}")
            number, unit = float(match["number"]), match["unit"]
            if not 0 < number <= _MAX:
                raise InputError(
                    f"budget {text!r}: it must be more than 0 and at most {_MAX:g}; {_EXAMPLES}"
                )
            if unit and seconds is None:
                seconds = number * _UNITS[unit]
            elif not unit and trials is None and number.is_integer():
                trials = int(number)
            else:
                raise InputError(
                    f"budget {text!r}: at most one time and one whole number; {_EXAMPLES}"
                )
        return cls(trials, seconds)

    @property
    def option(self) -> str:
        """The budget as text that ``parse`` reads back, as ``50,2h``."""
        parts = [] if self.trials is None else [str(self.trials)]
        if self.seconds is not None:
            units = [unit for unit, length in _UNITS.items() if self.seconds % length == 0] or ["s"]
            parts.append(f"{_decimal_text(self.seconds / _UNITS[units[-1]])}{units[-1]}")
        return ",".join(parts)

    def __str__(self) -> str:
        parts = [] if self.trials is None else [f"{self.trials} trials"]
        parts += [] if self.seconds is None else [format_seconds(self.seconds)]
        return " or ".join(parts)


def _decimal_text(number: float) -> str:
    """Formats ``number`` with all its digits and without an exponent."""
    return str(int(number)) if number.is_integer() else f"{Decimal(repr(number)):f}"


_EXAMPLES = "write 50 (trials), 30m, 2h, or 50,2h"


def format_seconds(seconds: float) -> str:
    """Formats a duration as ``1 h 05 min``, ``4 min 10 s`` or ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def covered_seconds(intervals: Iterable[tuple[float, float]]) -> float:
    """Returns the length of the union of (start, stop) intervals.

    With the intervals of workers it is the time in which at least one worker was alive.
    """
    total, end = 0.0, float("-inf")
    for start, stop in sorted(intervals):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total
