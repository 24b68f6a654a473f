"""How long a search may go on: trained trials, wall-clock time, or whichever of both ends first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from search_spaces import InputError

_MOST = 1e9
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhd]?)", re.ASCII)


@dataclass(frozen=True)
class Budget:
    """A study's total over all runs: ``trials`` trained, ``seconds`` with a worker alive."""

    trials: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """``30m``, ``50`` (trials), ``50,2h``; InputError for anything else."""
        trials: int | None = None
        seconds: float | None = None
        for part in text.split(","):
            match = _PART.fullmatch(part.strip().lower())
            if match is None:
                raise InputError(f"budget {text!r} cannot be read; {_EXAMPLES}")
            number, unit = float(match["number"]), match["unit"]
            if not 0 < number <= _MOST:
                raise InputError(
                    f"budget {text!r}: it must be more than 0 and at most {_MOST:g}; {_EXAMPLES}"
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
        """As ``parse`` reads it: ``50,2h``."""
        parts = [] if self.trials is None else [str(self.trials)]
        if self.seconds is not None:
            units = [unit for unit, length in _UNITS.items() if self.seconds % length == 0] or ["s"]
            parts.append(f"{_plain(self.seconds / _UNITS[units[-1]])}{units[-1]}")
        return ",".join(parts)

    def __str__(self) -> str:
        parts = [] if self.trials is None else [f"{self.trials} trials"]
        parts += [] if self.seconds is None else [format_seconds(self.seconds)]
        return " or ".join(parts)


def _plain(number: float) -> str:
    """Every digit, and no exponent."""
    return str(int(number)) if number.is_integer() else f"{Decimal(repr(number)):f}"


_EXAMPLES = "write 50 (trials), 30m, 2h, or 50,2h"


def format_seconds(seconds: float) -> str:
    """``1 h 05 min``, ``4 min 10 s``, ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def covered_seconds(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals: wall-clock time in which at least one worker was alive."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(intervals):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total
