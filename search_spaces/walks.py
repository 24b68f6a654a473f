"""Walks through a space: what it asks, and how many networks it can say."""

from __future__ import annotations

import contextlib
import math
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .candidate import Candidate
from .errors import GraphError
from .space import Space

#: Up to this many combinations are counted one by one.
_COUNTABLE = 5000
_WALKS = 2000
_MOST_REFUSED = 2000


@dataclass(frozen=True)
class Question:
    """What a space asks a trial, and the answers it may get, in order."""

    name: str
    choices: tuple[Any, ...]

    @property
    def text(self) -> str:
        """All choices, or the ends and the step of a range of numbers."""
        numbers = len(self.choices) > 4 and all(type(choice) is int for choice in self.choices)
        if not numbers:
            return ", ".join(map(str, self.choices))
        step = self.choices[1] - self.choices[0]
        return f"{self.choices[0]} to {self.choices[-1]}" + (f", step {step}" if step > 1 else "")


@dataclass(frozen=True)
class Count:
    """Combinations of parameters; an estimate has a standard error."""

    combinations: float
    standard_error: float

    @property
    def exact(self) -> bool:
        return self.standard_error == 0


class Walk:
    """A trial that answers with given choices, by their index, then at random; it remembers."""

    def __init__(self, rng: random.Random, indices: Sequence[int] = ()) -> None:
        self._rng, self._indices = rng, indices
        self.questions: list[Question] = []
        self.answers: list[int] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return int(self._answer(Question(name, tuple(range(low, high + 1, step)))))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._answer(Question(name, tuple(choices)))

    def _answer(self, question: Question) -> Any:
        place = len(self.answers)
        given = place < len(self._indices)
        index = self._indices[place] if given else self._rng.randrange(len(question.choices))
        self.questions.append(question)
        self.answers.append(index)
        return question.choices[index]

    @property
    def combinations(self) -> int:
        """Product of the numbers of choices that were met."""
        return math.prod(len(question.choices) for question in self.questions)


def samples(space: Space, scale: int, count: int, seed: int) -> Iterator[tuple[Walk, Candidate]]:
    """``count`` random networks; the GraphError of combinations that are refused, if most are."""
    rng, refused = random.Random(seed), 0
    while count:
        walk = Walk(rng)
        try:
            candidate = space.draw(walk, scale)
        except GraphError:
            refused += 1
            if refused > _MOST_REFUSED:
                raise
            continue
        yield walk, candidate
        count -= 1


def questions(space: Space, scale: int, walks: int = 500) -> dict[Question, float]:
    """What ``space`` asks, with the share of random networks of which it does."""
    seen: dict[Question, int] = {}
    for walk, _ in samples(space, scale, walks, seed=0):
        for question in walk.questions:
            seen[question] = seen.get(question, 0) + 1
    return {question: number / walks for question, number in seen.items()}


def count(space: Space, scale: int) -> Count:
    """Counted, or estimated by random walks.

    The mean of the products of choices along random walks is the number of leaves (Knuth,
    "Estimating the Efficiency of Backtrack Programs", 1975). Different combinations may give the
    same network.
    """
    walk = _first_from(space, scale, [])
    for leaves in range(1, _COUNTABLE + 1):
        following = _following(walk)
        if following is None:
            return Count(leaves, 0.0)
        walk = _first_from(space, scale, following)
    rng = random.Random(0)
    products = [_walked(space, scale, Walk(rng)).combinations for _ in range(_WALKS)]
    error = statistics.stdev(products) / math.sqrt(_WALKS)
    return Count(statistics.fmean(products), error)


def _first_from(space: Space, scale: int, indices: Sequence[int]) -> Walk:
    """The walk that begins with ``indices`` and goes on with first choices."""
    return _walked(space, scale, Walk(_Firsts(), indices))


def _walked(space: Space, scale: int, walk: Walk) -> Walk:
    with contextlib.suppress(GraphError):  # a combination that is refused has been counted
        space.draw(walk, scale)
    return walk


def _following(walk: Walk) -> list[int] | None:
    """Indices of the next walk in order: the last answer that has another, and none after it."""
    for place in reversed(range(len(walk.answers))):
        if walk.answers[place] + 1 < len(walk.questions[place].choices):
            return [*walk.answers[:place], walk.answers[place] + 1]
    return None


class _Firsts(random.Random):
    """Always the first choice."""

    def randrange(self, *args: Any, **options: Any) -> int:
        return 0
