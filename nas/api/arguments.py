"""Types of the functions' arguments: names and paths, as for the commands, or objects."""

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
#: The name of a device, its folder, ``adb:SERIAL``, or a device from ``load_device``.
DeviceSource: TypeAlias = str | Path | Device


def argument_text(value: str | Path) -> str:
    """Returns a name or a path as the text that a command takes.

    A ``Path`` becomes absolute, so that it is never mistaken for the name of something built in.
    Raises InputError if ``value`` is neither a string nor a ``Path``.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Path):
        return str(value.absolute())
    raise InputError(f"{value!r}: give a name, or a path")


def device_of(source: DeviceSource) -> Device:
    """Returns the device that ``source`` names or is; raises InputError if there is none."""
    return source if isinstance(source, Device) else load_device(source)


def choice_of(kind: type[Choice], word: str, name: str) -> Choice:
    """Returns the choice with the value ``word`` for the argument ``name``.

    Raises InputError, which lists all choices, if there is none.
    """
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(kind)
        raise InputError(f"{name} {word!r}: choose one of {known}") from None
