"""What others may import is described where it is defined: the reference is made of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

import latency_models
import nas
import search_spaces


def described(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Public classes and functions of a package, and the classes' own methods and properties."""
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        yield name, value
        for part, member in vars(value).items() if inspect.isclass(value) else ():
            plain = inspect.isfunction(member) or isinstance(member, property | classmethod)
            if plain and not part.startswith("_"):
                yield f"{name}.{part}", member


@pytest.mark.parametrize("module", [nas, search_spaces, latency_models])
def test_every_public_symbol_has_a_docstring(module: ModuleType) -> None:
    symbols = dict(described(module))
    assert symbols
    missing = [name for name, value in symbols.items() if not inspect.getdoc(value)]
    assert not missing


def test_functions_say_what_they_raise() -> None:
    for name, value in described(nas):
        if inspect.isfunction(value):
            assert "Raises" in (inspect.getdoc(value) or ""), name


def test_functions_show_how_they_are_called() -> None:
    for name, value in described(nas):
        if inspect.isfunction(value):
            assert f"nas.{name}(" in (inspect.getdoc(value) or ""), name
