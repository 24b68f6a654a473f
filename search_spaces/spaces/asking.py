"""The interface of trials, and a check that a study can store the choices of a space.

Optuna accepts any choices. But its database, through which they reach other workers and later runs,
turns a tuple into a list, which is then not among the choices, and may turn 1 into True.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

#: Types that a database stores; members of an enumeration count if they are instances of one.
_STORABLE_TYPES = (bool, int, float, str)


class Trial(Protocol):
    """A trial as spaces use it: the part of Optuna's interface that suggests values."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Returns an integer from ``low`` to ``high``, both included."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Returns a number from ``low`` to ``high``."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Returns one of ``choices``."""


class CheckedTrial:
    """Wraps a trial; raises ValueError for choices that a study cannot store."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Returns one of ``choices``; raises ValueError if a study cannot store them."""
        choices = tuple(choices)
        _require_storable(name, choices)
        return self._trial.suggest_categorical(name, choices)


def stored_type(value: Any) -> type:
    """Returns the type that tells equal values apart, such as True, 1 and 1.0."""
    return next((known for known in _STORABLE_TYPES if isinstance(value, known)), type(value))


def is_same(first: Any, second: Any) -> bool:
    """Returns whether two values are equal and stored as the same type.

    A member of an enumeration is the same as its value, since a database stores only the latter.
    """
    return bool(first == second) and stored_type(first) is stored_type(second)


def _require_storable(name: str, choices: Sequence[Any]) -> None:
    for index, choice in enumerate(choices):
        if choice is not None and not isinstance(choice, _STORABLE_TYPES):
            raise ValueError(
                f"parameter {name!r} has a choice {choice!r}; a study keeps None, bool, int, "
                "float and str alone: choose from names, and look up what they mean"
            )
        for other in choices[:index]:
            if other == choice and not is_same(other, choice):
                raise ValueError(
                    f"parameter {name!r} has choices {other!r} and {choice!r}, which are equal to "
                    "a study; leave out one of them"
                )
