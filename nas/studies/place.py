"""The location of a study's database, without its password, and the errors of using it."""

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

URL_EXAMPLE = "postgresql+psycopg://USER@HOST/DATABASE"
#: Free disk space in bytes that SQLite needs for its journal; with less it reports I/O errors.
_MIN_FREE_BYTES = 1 << 17
#: Parts of database errors, in lower case, that tell their cause.
_FULL_DISK_MESSAGES = ("disk is full", "no space left", "quota exceeded")
_READ_ONLY_MESSAGES = ("readonly", "read-only")


class DatabaseError(NasError, optuna.exceptions.StorageInternalError):
    """The database is damaged, not one of Optuna's, or cannot be reached.

    It is a subclass of Optuna's error too, so that Optuna handles it as an error of its storage.
    """


class DiskFullError(DatabaseError):
    """The disk of the database is full."""


class UnreachableError(DatabaseError):
    """The server does not answer now, as while it restarts; the operation can be retried."""


@dataclass(frozen=True)
class Place:
    """The location of a database: a file on this machine or a URL."""

    #: Path or URL for messages, without the password.
    shown: str
    #: The SQLite file; None for a server or a database in memory.
    file: Path | None = None
    #: Passwords and tokens, which must not appear in messages.
    secrets: tuple[str, ...] = ()

    @classmethod
    def of_file(cls, database: Path) -> Self:
        """Returns the location of a SQLite file."""
        return cls(str(database), database)

    @classmethod
    def of_url(cls, url: str) -> Self:
        """Returns the location of ``url``; raises InputError if it is not a database URL."""
        parsed = parse_url(url)
        return cls(shown_url(url), _sqlite_file(parsed), tuple(_secrets_in(parsed)))

    def failure(self, cause: BaseException | str) -> DatabaseError:
        """Returns the error for ``cause``, with a message that says what the user can do."""
        reason = str(cause)
        for secret in self.secrets:
            reason = reason.replace(secret, "***")
        is_full = any(text in reason.lower() for text in _FULL_DISK_MESSAGES)
        if is_full or self._disk_is_full():
            return DiskFullError(
                f"{self.shown}: its disk is full ({reason}); free some space, then the same "
                "command goes on"
            )
        if any(text in reason.lower() for text in _READ_ONLY_MESSAGES):
            return DatabaseError(
                f"{self.shown}: cannot be written to ({reason}); check its permissions, or copy "
                "the study to another disk"
            )
        return DatabaseError(
            f"{self.shown}: the study's database cannot be used ({reason}); check its disk or "
            "server, restore it from a copy, or start another study by --study"
        )

    def _disk_is_full(self) -> bool:
        if self.file is None or not self.file.parent.is_dir():
            return False
        disk = os.statvfs(self.file.parent)
        # A file system without a disk, as /proc, has 0 blocks.
        return disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < _MIN_FREE_BYTES


def parse_url(url: str) -> URL:
    """Parses a database URL; raises InputError, whose message shows no password."""
    authority = url.partition("?")[0]
    if authority.count("@") > 1:
        raise InputError(
            f"--storage {shown_url(url)!r}: an @ in a user's name or a password is written %40"
        )
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        # A URL that cannot be parsed may contain a password anywhere behind an @ or a =.
        has_no_password = not set(url) & set("@=")
        reason = f" {url!r}: {error}" if has_no_password else ": this is not a database URL"
        raise InputError(f"--storage{reason}; write {URL_EXAMPLE}") from None


def require_shareable(url: str) -> None:
    """Raises InputError if ``url`` is not a database URL, or no other process can open it."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and _sqlite_file(parsed) is None:
        raise InputError(
            f"--storage {url!r}: no other process can open a database in memory; name a file by "
            "sqlite:///FILE, or leave the option out"
        )


def is_proxy(url: str) -> bool:
    """Returns whether ``url`` is a storage proxy's, grpc://HOST:PORT."""
    return url.lower().startswith("grpc:")


def _sqlite_file(parsed: URL) -> Path | None:
    """Returns the file of a SQLite URL; None for a server or a database in memory."""
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    name = str(parsed.database)
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0])
    return Path(name)


def _secrets_in(parsed: URL) -> list[str]:
    """Returns the passwords and tokens in a URL."""
    values = [parsed.password] if parsed.password else []
    for name, value in parsed.query.items():
        if name.lower().endswith(("password", "passwd", "pwd", "secret", "token")):
            values += [value] if isinstance(value, str) else list(value)
    # To replace a value of one or two characters would mutilate the messages.
    return [str(value) for value in values if len(str(value)) > 2]
