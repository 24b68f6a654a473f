"""What a space may ask of a trial, and choose from: what a study gives back as it was.

Optuna takes any choices; but once they went through its database, to another worker or the next
run, a tuple is a list and no choice any more, and 1 may have become True.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

#: What a database keeps; an enumeration's members if they are one of these.
_PLAIN = (bool, int, float, str)


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


class CheckedTrial:
    """The same trial; ValueError, where they are asked for, at choices that a study cannot keep."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of ``choices``, which are plain values."""
        choices = tuple(choices)
        _require_kept(name, choices)
        return self._trial.suggest_categorical(name, choices)


def kind(value: Any) -> type:
    """That equal values are told apart by: True is no 1, and 1 no 1.0."""
    return next((kind for kind in _PLAIN if isinstance(value, kind)), type(value))


def is_same(first: Any, second: Any) -> bool:
    """Are they equal, and of one kind? A database knows an enumeration's member as its value."""
    return bool(first == second) and kind(first) is kind(second)


def _require_kept(name: str, choices: Sequence[Any]) -> None:
    for place, choice in enumerate(choices):
        if choice is not None and not isinstance(choice, _PLAIN):
            raise ValueError(
                f"parameter {name!r} has a choice {choice!r}; a study keeps None, bool, int, "
                "float and str alone: choose from names, and look up what they mean"
            )
        for other in choices[:place]:
            if other == choice and not is_same(other, choice):
                raise ValueError(
                    f"parameter {name!r} has choices {other!r} and {choice!r}, which are equal to "
                    "a study; leave out one of them"
                )
