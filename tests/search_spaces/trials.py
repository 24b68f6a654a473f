"""Trials without Optuna: given values, and random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class FixedTrial:
    """Answers with given values and keeps what it was asked."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.asked: list[str] = []

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        value = self._take(name)
        assert value in range(low, high + 1, step)
        return int(value)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = float(self._take(name))
        assert low <= value <= high
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        value = self._take(name)
        assert value in choices
        return value

    def _take(self, name: str) -> Any:
        assert name not in self.asked
        self.asked.append(name)
        return self.values[name]


class RandomTrial:
    """Answers at random, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return int(self._random.choice(range(low, high + 1, step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return float(self._random.uniform(low, high))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return choices[int(self._random.integers(len(choices)))]
