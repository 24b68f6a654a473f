"""The path of a candidate, as its page tells it: a small search takes it, and is watched."""

from __future__ import annotations

import importlib
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from types import FrameType, FunctionType

import pytest
from markdown_it import MarkdownIt

from latency_models import Worker
from nas.system.cores import Cores

from ..nas.commands import QUICK, SMALL, execute
from .pages import ROOT

PAGE = ROOT / "docs" / "architecture.md"
MOST_MODULES = 18


@dataclass(frozen=True)
class Row:
    """A function that a candidate passes through; names of the types that it takes and gives."""

    module: str
    function: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.module}.{self.function}"

    @property
    def resolved(self) -> FunctionType:
        found = attrgetter(self.function)(importlib.import_module(self.module))
        assert isinstance(found, FunctionType)
        return found


def rows() -> tuple[Row, ...]:
    """The page's table."""
    tokens = MarkdownIt("commonmark").enable("table").parse(PAGE.read_text(encoding="utf-8"))
    cells = [
        tuple(child.content for child in token.children or () if child.type == "code_inline")
        for before, token in pairwise(tokens)
        if before.type == "td_open"
    ]
    return tuple(
        Row(module, function, takes, gives)
        for (module,), (function,), takes, gives in zip(*[iter(cells)] * 4, strict=True)
    )


ROWS = rows()


def test_a_candidate_passes_through_few_modules() -> None:
    assert ROWS
    assert len({row.module for row in ROWS}) <= MOST_MODULES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_functions_take_and_give_what_the_table_says(row: Row) -> None:
    signature = inspect.signature(row.resolved)
    taken = " ".join(str(parameter.annotation) for parameter in signature.parameters.values())
    assert set(row.takes) <= words(taken)
    assert set(row.gives) <= words(str(signature.return_annotation))


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


#: Where a function is, by module and name: another process may import it from another folder.
Place = tuple[str, str]


def place_of(frame: FrameType) -> Place:
    return str(frame.f_globals.get("__name__")), frame.f_code.co_qualname


def watched(
    log: str,
    places: frozenset[Place],
    function: Callable[..., object],
    *args: object,
    **kwargs: object,
) -> object:
    """Runs ``function``, and adds a line to ``log`` for each call of those at ``places``."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and place_of(frame) in places:
            os.write(descriptor, "\t".join(place_of(frame)).encode() + b"\n")

    sys.setprofile(note)
    try:
        return function(*args, **kwargs)
    finally:
        sys.setprofile(None)
        os.close(descriptor)


def watching(
    real: Callable[..., object], leading: int, log: str, places: frozenset[Place]
) -> Callable[..., object]:
    """A method of ``Worker`` that has its function, behind ``leading`` arguments, watched."""

    def follow(self: Worker, *args: object, **kwargs: object) -> object:
        return real(self, *args[:leading], watched, log, places, *args[leading:], **kwargs)

    return follow


class RunHere:
    """Stands for a process of ``nas worker``: it has run within this one."""

    def __init__(self, command: Sequence[str], share: Cores) -> None:
        answer = execute(Path.cwd(), *command[command.index("worker") :])
        self.stdout, self.stderr = io.StringIO(answer.output), io.StringIO(answer.errors)
        self.code = answer.code

    def wait(self) -> int:
        return self.code


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Functions of the table that a search of one trial called, one after another."""
    from nas.cli import main

    folder = tmp_path_factory.mktemp("search")
    log, places = str(folder / "calls"), frozenset((row.module, row.function) for row in ROWS)
    options = ("--study", "s", "--budget", "1", "--no-baselines", "--seed", "3", *SMALL, *QUICK)
    with pytest.MonkeyPatch.context() as patch:
        for method, leading in (("call", 1), ("follow", 2)):
            patch.setattr(Worker, method, watching(getattr(Worker, method), leading, log, places))
        patch.setattr("nas.searching.worker_processes._begin", RunHere)
        patch.setattr(sys, "argv", ["nas", "search", *options])
        patch.chdir(folder)
        with pytest.raises(SystemExit) as end:
            watched(log, places, main)
    assert not end.value.code
    assert list((folder / "studies/s/pareto").glob("*.tflite"))
    lines = Path(log).read_text(encoding="utf-8").splitlines()
    return tuple(line.replace("\t", ".") for line in lines)


def test_a_search_calls_them_in_that_order(calls: tuple[str, ...]) -> None:
    to_come = iter(calls)
    for row in ROWS:
        assert row.name in to_come, f"{row.name} is not called after the one above it"


def test_every_package_is_told_of() -> None:
    told = re.findall(r"^\*\*`([\w.]+)`\*\*", PAGE.read_text(encoding="utf-8"), re.M)
    parts = {f"nas.{path.parent.name}" for path in (ROOT / "nas").glob("*/__init__.py")}
    assert set(told) == {"search_spaces", "latency_models", *parts}
    assert len(told) == len(set(told))
