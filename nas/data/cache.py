"""A cache of decoded images on disk, so that only the first run decodes them.

An entry is a folder with two files: the pixels, and an index. It is written under another name and
renamed: it is there whole or not at all. Each of three locks, which the system frees when a process
ends in whatever way, says what may be touched:

* the writer of an entry holds ``KEY.lock``; others wait for it, and then find the entry;
* a ``KEY.*.part`` whose ``KEY.lock`` is free was left by a killed process, and is removed;
* a user of an entry holds a lock on its pixels; entries not in use may be removed for space.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from search_spaces import InputError, NasError

from ..system.files import json_text, write_json
from .shared_memory import Index, SharedMemory, StoredImages

FOLDER_VARIABLE = "NAS_CACHE"
LIMIT_VARIABLE = "NAS_CACHE_GB"
#: Enough for DIV2K with Flickr2K at two scales.
_LIMIT_GB = 64.0
#: Disk space that is left free.
_SPARE_BYTES = 5 * 10**9
#: Version of the format, a part of the keys.
_FORMAT = 1
_PIXELS, _INDEX = "pixels", "index.json"
_KEY = re.compile(r"[0-9a-f]{32}")


class CacheError(NasError):
    """An entry cannot be stored; the message says why."""


def state_of(file: Path) -> list[object]:
    """Values that identify a file and its version without reading it.

    They include ctime, which unlike mtime cannot be set back.
    """
    try:
        status = file.stat()
    except OSError:
        return [str(file)]
    return [str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


@dataclass(frozen=True)
class CachedFolder:
    """The folder and the scale of an entry's images."""

    folder: str
    scale: int


@dataclass(frozen=True)
class CachedImages:
    """An entry with its size and last use; ``origin`` is None if its index is damaged."""

    path: Path
    origin: CachedFolder | None
    bytes: int
    last_used: datetime
    in_use: bool


@dataclass(frozen=True)
class ImageCache:
    """The cache in ``folder``; its entries have ``limit_bytes`` at most in total."""

    folder: Path
    limit_bytes: int

    @classmethod
    def of_user(cls) -> Self:
        """The cache in NAS_CACHE, else XDG_CACHE_HOME, else ~/.cache.

        InputError if NAS_CACHE_GB is no size, CacheError if there is no home.
        """
        text = os.environ.get(LIMIT_VARIABLE, "").strip()
        try:
            gigabytes = float(text) if text else _LIMIT_GB
            limit = int(gigabytes * 1e9)
        except (ValueError, OverflowError):
            limit = -1
        if limit < 0:
            raise InputError(
                f"{LIMIT_VARIABLE}={text}: give the size of the cache in GB, such as {_LIMIT_GB:g}"
            )
        return cls(_user_folder() / "images", limit)

    def fetch(
        self,
        facts: Any,
        origin: CachedFolder,
        size: Callable[[], int],
        write: Callable[[IO[bytes]], Index],
    ) -> StoredImages:
        """The entry of ``facts``, JSON values that identify it.

        If there is none, ``write`` writes its pixels, about ``size()`` bytes; if it raises an
        error, nothing is left. CacheError if the entry cannot be stored.
        """
        facts = [_FORMAT, origin.folder, origin.scale, facts]
        key = hashlib.sha256(json_text(facts).encode()).hexdigest()[:32]
        try:
            found = self._open(key)
            if found is not None:
                return found
            self.folder.mkdir(parents=True, exist_ok=True)
            with _lock(self._lock(key)):
                return self._open(key) or self._build(key, origin, size(), write)
        except OSError as error:
            place = error.filename or self.folder
            raise CacheError(f"{place}: {error.strerror or error}") from None

    def entries(self) -> list[CachedImages]:
        """All entries, damaged ones included; the last used one at the end."""
        found = []
        for path in self._matching(""):
            with contextlib.suppress(FileNotFoundError):  # another process has removed it
                found.append(_look_at(path))
        return sorted(found, key=lambda entry: entry.last_used)

    def clear(self) -> list[CachedImages]:
        """Removes the entries that no process uses, and returns them."""
        self._remove_leftovers()
        return [entry for entry in self.entries() if _remove_unused(entry.path)]

    def _open(self, key: str) -> StoredImages | None:
        """Opens an entry; None if it is missing, damaged or changed."""
        index, pixels = (self.folder / key / name for name in (_INDEX, _PIXELS))
        try:
            description = _Description.read(index)
            memory = SharedMemory(str(pixels))
        except (OSError, ValueError):
            return None
        # Another process may have removed it before it was locked.
        if not (description.fits(memory.status) and _is_at(pixels, memory.status)):
            return None
        with contextlib.suppress(OSError):  # a cache that can only be read
            os.utime(index)
        return StoredImages(memory, description.index)

    def _build(
        self, key: str, origin: CachedFolder, size: int, write: Callable[[IO[bytes]], Index]
    ) -> StoredImages:
        for leftover in self._parts(key):
            shutil.rmtree(leftover, ignore_errors=True)
        for entry in self.entries():
            if entry.origin == origin:  # its files have changed since
                _remove_unused(entry.path)
        self._make_room(size, own=self._lock(key))
        part = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=self.folder))
        try:
            with (part / _PIXELS).open("xb") as file:
                index = write(file)
                file.flush()
                os.fsync(file.fileno())  # before it has its name: a machine may lose its power
                status = os.fstat(file.fileno())
            description = _Description(origin, status.st_size, status.st_mtime_ns, index)
            write_json(part / _INDEX, description.to_json())
            shutil.rmtree(self.folder / key, ignore_errors=True)  # it was damaged
            part.rename(self.folder / key)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        found = self._open(key)
        if found is None:
            raise CacheError(f"{self.folder / key}: what was written there cannot be read")
        return found

    def _make_room(self, size: int, own: Path) -> None:
        """Removes least recently used entries; CacheError, before that, if it is not enough."""
        self._remove_leftovers(own)
        entries = self.entries()
        held = sum(entry.bytes for entry in entries) + sum(map(_bytes, self._parts()))
        free = shutil.disk_usage(self.folder).free - _SPARE_BYTES
        unused = [entry for entry in entries if not entry.in_use]
        removable = sum(entry.bytes for entry in unused)
        what = f"{self.folder}: no room for {size / 1e9:.1f} GB"
        if held - removable + size > self.limit_bytes:
            raise CacheError(f"{what}, its limit is {self.limit_bytes / 1e9:g} GB")
        if size > free + removable:
            raise CacheError(f"{what}, the disk is full")
        for entry in unused:
            if held + size <= self.limit_bytes and size <= free:
                return
            if _remove_unused(entry.path):
                held, free = held - entry.bytes, free + entry.bytes
        if held + size > self.limit_bytes or size > free:  # meanwhile they are in use
            raise CacheError(what)

    def _remove_leftovers(self, own: Path | None = None) -> None:
        """Removes incomplete entries that nobody writes; ``own`` is a lock that is held already."""
        keys = {path.name[:32] for path in (*self._parts(), *self._matching(".lock"))}
        for lock in (self._lock(key) for key in keys):
            if lock != own:
                with contextlib.suppress(OSError), _lock(lock, wait=False):
                    for part in self._parts(lock.stem):
                        shutil.rmtree(part, ignore_errors=True)

    def _matching(self, ending: str) -> list[Path]:
        """Paths named by a key with the suffix ``ending``; other files are not the cache's."""
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path for path in paths if _KEY.fullmatch(path.name.removesuffix(ending))]

    def _parts(self, key: str = "*") -> list[Path]:
        paths = self.folder.glob(f"{key}.*.part")
        return [path for path in paths if _KEY.fullmatch(path.name[:32])]

    def _lock(self, key: str) -> Path:
        return self.folder / f"{key}.lock"


@dataclass(frozen=True)
class _Description:
    """The index file of an entry; size and time tell if the pixels were changed since."""

    origin: CachedFolder
    bytes: int
    modified_ns: int
    index: Index = field(repr=False)

    def fits(self, pixels: os.stat_result) -> bool:
        return (pixels.st_size, pixels.st_mtime_ns) == (self.bytes, self.modified_ns)

    def to_json(self) -> dict[str, Any]:
        content = asdict(self)
        return {"sha256": _digest(content), **content}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads an index file; ValueError if it is damaged."""
        try:
            content = json.loads(path.read_bytes())
            if content.pop("sha256") != _digest(content):
                raise ValueError(f"{path}: has another checksum")
            index = Index.from_json(content["index"])
            origin = CachedFolder(**content["origin"])
            description = cls(origin, content["bytes"], content["modified_ns"], index)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from None
        if index.bytes != description.bytes or not index.pairs:
            raise ValueError(f"{path}: {description.bytes} bytes for images of {index.bytes}")
        return description


def _digest(content: Any) -> str:
    return hashlib.sha256(json_text(content).encode()).hexdigest()


def _user_folder() -> Path:
    try:
        own = os.environ.get(FOLDER_VARIABLE)
        if own:
            return Path(own).expanduser().absolute()
        caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # By the XDG Base Directory Specification, a relative path is to be ignored.
        return (caches if caches.is_absolute() else Path.home() / ".cache") / "npu-nas"
    except RuntimeError as error:
        what = f"there is no folder for a cache ({error}); name one by {FOLDER_VARIABLE}"
        raise CacheError(what) from None


def _look_at(path: Path) -> CachedImages:
    index = path / _INDEX
    try:
        origin = _Description.read(index).origin
    except (OSError, ValueError):
        origin = None
    used = datetime.fromtimestamp((index if index.exists() else path).stat().st_mtime, UTC)
    return CachedImages(path, origin, _bytes(path), used, _is_used(path))


def _bytes(path: Path) -> int:
    """Size of an entry's pixels; the index is small."""
    try:
        return (path / _PIXELS).stat().st_size
    except OSError:
        return 0


def _is_used(path: Path) -> bool:
    try:
        with _unused(path):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _remove_unused(path: Path) -> bool:
    """Removes an entry; false if a process uses it."""
    try:
        with _unused(path):
            shutil.rmtree(path)
    except FileNotFoundError:  # without pixels, it is of no use
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _unused(path: Path) -> Iterator[None]:
    """Within, no process can start to use the entry; BlockingIOError if one uses it."""
    with (path / _PIXELS).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.contextmanager
def _lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """A lock between processes, released if its holder is killed; its file is removed afterwards.

    Without ``wait``, BlockingIOError if another process holds it.
    """
    while True:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_at(path, os.fstat(file.fileno())):  # else its last holder has removed it
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _is_at(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except FileNotFoundError:
        return False
