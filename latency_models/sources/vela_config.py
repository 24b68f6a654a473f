"""Configuration files of Arm's compiler Vela: named system configurations and memory modes.

Arm's vela.ini describes its reference systems; chip vendors provide files of their own.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

from search_spaces import InputError

_SYSTEM_PREFIX, _MEMORY_PREFIX = "System_Config.", "Memory_Mode."
_MEMORY_KEYS = (
    "clock_scale", "ports_used", "burst_length", "read_latency", "write_latency", "max_reads",
    "max_writes",
)  # fmt: skip
#: Key in lower case -> the key as Vela spells it.
_VELA_KEYS = {
    f"{memory}_{key}".lower(): f"{memory}_{key}"
    for memory in ("Sram", "Dram", "OnChipFlash", "OffChipFlash")
    for key in _MEMORY_KEYS
}


@dataclass(frozen=True)
class VelaConfig:
    """A valid configuration file; ``where`` names it in messages."""

    where: str
    text: str = field(repr=False)
    #: the normalized text, which both of Vela's parsers read alike
    plain_text: str = field(repr=False)
    systems: tuple[str, ...]
    memory_modes: tuple[str, ...]

    @classmethod
    def read_packaged(cls) -> VelaConfig:
        """Reads Arm's description of its reference systems, which comes with Vela."""
        return cls.read(files("ethosu") / "config_files" / "Arm" / "vela.ini", "Vela")

    @classmethod
    def read(cls, file: Traversable, where: str = "") -> VelaConfig:
        """Reads ``file``; InputError if it is missing or not a configuration file of Vela."""
        where = where or str(file)
        try:
            text = file.read_text(encoding="utf-8-sig")
            ini = configparser.ConfigParser()
            ini.read_string(text)
            plain_text = _normalized_text(ini)
        except OSError as error:
            raise InputError(f"{where}: cannot be read ({error.strerror})") from None
        except (UnicodeDecodeError, configparser.Error) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{where}: no configuration file of Vela: {reason}") from None

        def names_with(prefix: str) -> tuple[str, ...]:
            return tuple(s.removeprefix(prefix) for s in ini.sections() if s.startswith(prefix))

        return cls(where, text, plain_text, names_with(_SYSTEM_PREFIX), names_with(_MEMORY_PREFIX))

    def system(self, name: str | None) -> str:
        """Returns the system ``name``; None: the only one. InputError lists the existing ones."""
        return self._chosen(_SYSTEM_PREFIX, name, self.systems)

    def memory_mode(self, name: str | None) -> str:
        """Returns the memory mode ``name``, like ``system``."""
        return self._chosen(_MEMORY_PREFIX, name, self.memory_modes)

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


def _normalized_text(ini: configparser.ConfigParser) -> str:
    """Returns the systems and memory modes of ``ini``, written with ``key=value`` lines only.

    Vela parses a file twice: its Python part with configparser, and its compiler with a stricter
    parser. The latter ignores keys in another case or in a section DEFAULT, and then assumes fast
    memory; it also fails on ``#`` and ``:``.
    """
    lines: list[str] = []
    for section in ini.sections():
        if section.startswith((_SYSTEM_PREFIX, _MEMORY_PREFIX)):
            lines.append(f"[{section}]")
            for key, value in ini.items(section):
                lines.append(f"{_VELA_KEYS.get(key, key)}={' '.join(value.split())}")
    return "\n".join([*lines, ""])
