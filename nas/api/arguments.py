"""What may be given to the functions: names and paths, as to the commands, or objects."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias, TypeVar

from latency_models.device import Device, load_device
from search_spaces import Candidate, Graph, InputError
from search_spaces.spaces.space import Space

Choice = TypeVar("Choice", bound=StrEnum)

#: The name of a space, a FILE.py, or a function ``sample(trial)`` or ``sample(trial, scale)``.
SpaceSource: TypeAlias = str | Path | Space | Callable[..., Graph | Candidate]
#: The name of a device, its folder, ``adb:SERIAL``, or what ``load_device`` made of one.
DeviceSource: TypeAlias = str | Path | Device


def word_of(value: str | Path) -> str:
    """As a command has it: a ``Path`` is one, though it be called like something built in.

    InputError if it is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Path):
        return str(value.absolute())
    raise InputError(f"{value!r}: give a name, or a path")


def device_of(source: DeviceSource) -> Device:
    """InputError if there is no such device."""
    return source if isinstance(source, Device) else load_device(source)


def member(kind: type[Choice], word: str, name: str) -> Choice:
    """The choice that ``word`` is; InputError, with the argument's ``name``, lists them."""
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(kind)
        raise InputError(f"{name} {word!r}: choose one of {known}") from None
