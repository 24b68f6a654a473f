"""Configuration files of Arm's compiler: systems and their memory, under names.

Arm's own, vela.ini, holds its reference systems; makers of chips have files of their own.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

from search_spaces import InputError

_SYSTEM, _MEMORY = "System_Config.", "Memory_Mode."
_OF_MEMORIES = (
    "clock_scale", "ports_used", "burst_length", "read_latency", "write_latency", "max_reads",
    "max_writes",
)  # fmt: skip
#: Vela's keys, by their small letters.
_KEYS = {
    f"{memory}_{key}".lower(): f"{memory}_{key}"
    for memory in ("Sram", "Dram", "OnChipFlash", "OffChipFlash")
    for key in _OF_MEMORIES
}


@dataclass(frozen=True)
class VelaConfig:
    """A configuration file, once it can be read; ``where`` names it in messages."""

    where: str
    text: str = field(repr=False)
    #: the same in a form that all of Vela reads alike, for the compiler
    plain_text: str = field(repr=False)
    systems: tuple[str, ...]
    memory_modes: tuple[str, ...]

    @classmethod
    def of_arm(cls) -> VelaConfig:
        """Arm's description of its reference systems, as Vela ships it."""
        return cls.read(files("ethosu") / "config_files" / "Arm" / "vela.ini", "Vela")

    @classmethod
    def read(cls, file: Traversable, where: str = "") -> VelaConfig:
        """InputError if ``file`` is missing, or is no such file."""
        where = where or str(file)
        try:
            text = file.read_text(encoding="utf-8-sig")
            ini = configparser.ConfigParser()
            ini.read_string(text)
            plain_text = _plain(ini)
        except OSError as error:
            raise InputError(f"{where}: cannot be read ({error.strerror})") from None
        except (UnicodeDecodeError, configparser.Error) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{where}: no configuration file of Vela: {reason}") from None

        def named(prefix: str) -> tuple[str, ...]:
            return tuple(s.removeprefix(prefix) for s in ini.sections() if s.startswith(prefix))

        return cls(where, text, plain_text, named(_SYSTEM), named(_MEMORY))

    def system(self, name: str | None) -> str:
        """The system of that ``name``, without one the only one; InputError lists those it has."""
        return self._chosen(_SYSTEM, name, self.systems)

    def memory_mode(self, name: str | None) -> str:
        """The memory mode of that ``name``, as ``system``."""
        return self._chosen(_MEMORY, name, self.memory_modes)

    def _chosen(self, prefix: str, name: str | None, known: Sequence[str]) -> str:
        if name is None and len(known) == 1:
            return known[0]
        listed = ", ".join(known) or "none"
        if name is None and not known:
            raise InputError(f"{self.where} has no section [{prefix}NAME]; Vela needs one")
        if name is None:
            raise InputError(f"{self.where} has several {prefix}*; name one of: {listed}")
        if name not in known:
            raise InputError(f"{self.where} has no {prefix}{name}; it has {listed}")
        return name


def _plain(ini: configparser.ConfigParser) -> str:
    """The systems and memory modes of ``ini``, written with ``key=value`` alone.

    Vela reads a file twice: its Python part as configparser does, its compiler more narrowly. That
    one takes a key in other letters, or of a section DEFAULT, for missing and the memory for a fast
    one, and stumbles over ``#`` and ``:``.
    """
    lines: list[str] = []
    for section in ini.sections():
        if section.startswith((_SYSTEM, _MEMORY)):
            lines.append(f"[{section}]")
            for key, value in ini.items(section):
                lines.append(f"{_KEYS.get(key, key)}={' '.join(value.split())}")
    return "\n".join([*lines, ""])
