"""Where a study's database is, as it may be told to people; and what has become of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

import optuna
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from search_spaces import InputError, NasError

from ..system.passwords import shown_url

EXAMPLE = "postgresql+psycopg://USER@HOST/DATABASE"
#: SQLite needs as much for its journal; with less it speaks of input and output errors.
_ROOM_BYTES = 1 << 17
_SIGNS_OF_A_FULL_DISK = ("disk is full", "no space left", "quota exceeded")
_SIGNS_OF_A_READ_ONLY_ONE = ("readonly", "read-only")


class DatabaseError(NasError, optuna.exceptions.StorageInternalError):
    """The database is damaged, somebody else's, or out of reach.

    To Optuna it is one of its own, so that it tries again where it does so.
    """


class DiskFullError(DatabaseError):
    """The database cannot grow."""


class UnreachableError(DatabaseError):
    """The server was there and does not answer now: it may be starting anew."""


@dataclass(frozen=True)
class Place:
    """A database: ``shown`` without its password; its ``file``, where it is one on this machine."""

    shown: str
    file: Path | None = None
    #: what no message may hold
    secrets: tuple[str, ...] = ()

    @classmethod
    def of_file(cls, database: Path) -> Self:
        return cls(str(database), database)

    @classmethod
    def of_url(cls, url: str) -> Self:
        """InputError if ``url`` is none."""
        parsed = parse_url(url)
        return cls(shown_url(url), _file_of(parsed), tuple(_secrets_of(parsed)))

    def failure(self, cause: BaseException | str) -> DatabaseError:
        """What people are told of ``cause``, and what they can do."""
        reason = str(cause)
        for secret in self.secrets:
            reason = reason.replace(secret, "***")
        if any(sign in reason.lower() for sign in _SIGNS_OF_A_FULL_DISK) or self._has_no_room():
            return DiskFullError(
                f"{self.shown}: its disk is full ({reason}); free some space, then the same "
                "command goes on"
            )
        if any(sign in reason.lower() for sign in _SIGNS_OF_A_READ_ONLY_ONE):
            return DatabaseError(
                f"{self.shown}: cannot be written to ({reason}); see to its permissions, or copy "
                "the study to another disk"
            )
        return DatabaseError(
            f"{self.shown}: the study's database cannot be used ({reason}); check its disk or "
            "server, restore it from a copy, or start another study by --study"
        )

    def _has_no_room(self) -> bool:
        if self.file is None or not self.file.parent.is_dir():
            return False
        disk = os.statvfs(self.file.parent)
        # What is no disk, as /proc, has no blocks at all.
        return disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < _ROOM_BYTES


def parse_url(url: str) -> URL:
    """InputError if ``url`` is none; it says nothing that might be a password."""
    authority = url.partition("?")[0]
    if authority.count("@") > 1:
        raise InputError(
            f"--storage {shown_url(url)!r}: an @ in a user's name or a password is written %40"
        )
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        # Taken apart wrongly, anything in it may be one.
        innocent = not set(url) & set("@=")
        said = f" {url!r}: {error}" if innocent else ": this is no URL of a database"
        raise InputError(f"--storage{said}; write {EXAMPLE}") from None


def require_shareable(url: str) -> None:
    """InputError if ``url`` is none, or of a database that no other process can open."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and _file_of(parsed) is None:
        raise InputError(
            f"--storage {url!r}: a database in memory is no other process's; name a file by "
            "sqlite:///FILE, or leave it out"
        )


def is_proxy(url: str) -> bool:
    """Is it a storage proxy's, grpc://HOST:PORT, and no database's own?"""
    return url.lower().startswith("grpc:")


def _file_of(parsed: URL) -> Path | None:
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    name = str(parsed.database)
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0])
    return Path(name)


def _secrets_of(parsed: URL) -> list[str]:
    values = [parsed.password] if parsed.password else []
    for name, value in parsed.query.items():
        if name.lower().endswith(("password", "passwd", "pwd", "secret", "token")):
            values += [value] if isinstance(value, str) else list(value)
    # A shorter one would take half of any message with it, and is in none.
    return [str(value) for value in values if len(str(value)) > 2]
