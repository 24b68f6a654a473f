"""A cache of decoded images on disk, so that only the first run decodes them.

An entry is a folder with two files: the pixels, and an index. It is written under a temporary name
and then renamed, so that incomplete entries are never read. File locks, which the operating system
releases however a process ends, decide what may be changed:

* The writer of an entry holds ``KEY.lock``; other processes wait for it and then find the entry.
* A ``KEY.*.part`` whose ``KEY.lock`` is free was left by a killed process and is removed.
* Each user of an entry holds a lock on its pixels; entries not in use may be removed for space.
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
#: Default limit of the size; DIV2K with Flickr2K at two scales needs less.
_LIMIT_GB = 64.0
#: Disk space that is left free.
_SPARE_BYTES = 5 * 10**9
#: Version of the entry format; a part of each key, so that older entries are not found.
_FORMAT = 1
_PIXELS, _INDEX = "pixels", "index.json"
_KEY = re.compile(r"[0-9a-f]{32}")


class CacheError(NasError):
    """An entry cannot be stored; the message says why."""


def file_state(file: Path) -> list[object]:
    """Returns values that identify a file and its version, without reading the file.

    They include ctime, which programs cannot set back as they can mtime.
    """
    try:
        status = file.stat()
    except OSError:
        return [str(file)]
    return [str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


@dataclass(frozen=True)
class CachedFolder:
    """The source folder and the scale of the images of an entry."""

    folder: str
    scale: int


@dataclass(frozen=True)
class CachedImages:
    """A cache entry with its size and last use; ``origin`` is None if its index is damaged."""

    path: Path
    origin: CachedFolder | None
    bytes: int
    last_used: datetime
    in_use: bool


@dataclass(frozen=True)
class ImageCache:
    """The cache in ``folder``; all its entries together have at most ``limit_bytes``."""

    folder: Path
    limit_bytes: int

    @classmethod
    def of_user(cls) -> Self:
        """Returns the cache in NAS_CACHE, else in XDG_CACHE_HOME, else in ~/.cache.

        Raises InputError if NAS_CACHE_GB is not a size, CacheError if there is no home folder.
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
        identity: Any,
        origin: CachedFolder,
        size: Callable[[], int],
        write: Callable[[IO[bytes]], Index],
    ) -> StoredImages:
        """Returns the entry that the JSON values ``identity`` identify; creates it if missing.

        To create it, ``write`` writes the pixels, about ``size()`` bytes; if ``write`` raises an
        error, nothing is kept. Raises CacheError if the entry cannot be stored.
        """
        identity = [_FORMAT, origin.folder, origin.scale, identity]
        key = hashlib.sha256(json_text(identity).encode()).hexdigest()[:32]
        try:
            found = self._open_entry(key)
            if found is not None:
                return found
            self.folder.mkdir(parents=True, exist_ok=True)
            with _process_lock(self._lock_path(key)):
                return self._open_entry(key) or self._create_entry(key, origin, size(), write)
        except OSError as error:
            place = error.filename or self.folder
            raise CacheError(f"{place}: {error.strerror or error}") from None

    def entries(self) -> list[CachedImages]:
        """Returns all entries, including damaged ones, the most recently used one last."""
        found = []
        for path in self._paths_of_keys(suffix=""):
            with contextlib.suppress(FileNotFoundError):  # another process removed the entry
                found.append(_entry_at(path))
        return sorted(found, key=lambda entry: entry.last_used)

    def clear(self) -> list[CachedImages]:
        """Removes all entries that no process uses, and returns them."""
        self._remove_leftovers()
        return [entry for entry in self.entries() if _remove_unused(entry.path)]

    def _open_entry(self, key: str) -> StoredImages | None:
        """Opens an entry; returns None if it is missing, damaged or changed."""
        index, pixels = (self.folder / key / name for name in (_INDEX, _PIXELS))
        try:
            description = _EntryIndex.read(index)
            memory = SharedMemory(str(pixels))
        except (OSError, ValueError):
            return None
        # Another process may have removed the file before this one locked it.
        if not (description.matches(memory.status) and _is_same_file(pixels, memory.status)):
            return None
        with contextlib.suppress(OSError):  # the cache may be read-only
            os.utime(index)
        return StoredImages(memory, description.index)

    def _create_entry(
        self, key: str, origin: CachedFolder, size: int, write: Callable[[IO[bytes]], Index]
    ) -> StoredImages:
        """Writes a new entry under its lock, which the caller holds, and opens it."""
        for leftover in self._incomplete(key):
            shutil.rmtree(leftover, ignore_errors=True)
        for entry in self.entries():
            if entry.origin == origin:  # made from earlier versions of the same files
                _remove_unused(entry.path)
        self._make_room(size, held_lock=self._lock_path(key))
        part = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=self.folder))
        try:
            with (part / _PIXELS).open("xb") as file:
                index = write(file)
                file.flush()
                os.fsync(file.fileno())  # a loss of power after the renaming loses no pixels
                status = os.fstat(file.fileno())
            description = _EntryIndex(origin, status.st_size, status.st_mtime_ns, index)
            write_json(part / _INDEX, description.to_json())
            shutil.rmtree(self.folder / key, ignore_errors=True)  # a damaged entry
            part.rename(self.folder / key)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        found = self._open_entry(key)
        if found is None:
            raise CacheError(f"{self.folder / key}: the new entry cannot be read back")
        return found

    def _make_room(self, size: int, held_lock: Path) -> None:
        """Removes the least recently used entries until ``size`` bytes fit.

        Raises CacheError, before any is removed, if removing all unused entries is not enough.
        """
        self._remove_leftovers(held_lock)
        entries = self.entries()
        used = sum(entry.bytes for entry in entries) + sum(map(_pixel_bytes, self._incomplete()))
        free = shutil.disk_usage(self.folder).free - _SPARE_BYTES
        unused = [entry for entry in entries if not entry.in_use]
        removable = sum(entry.bytes for entry in unused)
        message = f"{self.folder}: no room for {size / 1e9:.1f} GB"
        if used - removable + size > self.limit_bytes:
            raise CacheError(f"{message}, its limit is {self.limit_bytes / 1e9:g} GB")
        if size > free + removable:
            raise CacheError(f"{message}, the disk is full")
        for entry in unused:
            if used + size <= self.limit_bytes and size <= free:
                return
            if _remove_unused(entry.path):
                used, free = used - entry.bytes, free + entry.bytes
        if used + size > self.limit_bytes or size > free:  # other processes now use the entries
            raise CacheError(message)

    def _remove_leftovers(self, held_lock: Path | None = None) -> None:
        """Removes incomplete entries and lock files of killed processes.

        The lock ``held_lock`` of the caller and its incomplete entry are left alone.
        """
        keys = {path.name[:32] for path in (*self._incomplete(), *self._paths_of_keys(".lock"))}
        for lock in (self._lock_path(key) for key in keys):
            if lock != held_lock:
                with contextlib.suppress(OSError), _process_lock(lock, wait=False):
                    for part in self._incomplete(lock.stem):
                        shutil.rmtree(part, ignore_errors=True)

    def _paths_of_keys(self, suffix: str) -> list[Path]:
        """Returns the paths named KEY + ``suffix``; other files do not belong to the cache."""
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path for path in paths if _KEY.fullmatch(path.name.removesuffix(suffix))]

    def _incomplete(self, key: str = "*") -> list[Path]:
        """Returns the incomplete entries of ``key``, or of all keys."""
        paths = self.folder.glob(f"{key}.*.part")
        return [path for path in paths if _KEY.fullmatch(path.name[:32])]

    def _lock_path(self, key: str) -> Path:
        return self.folder / f"{key}.lock"


@dataclass(frozen=True)
class _EntryIndex:
    """Content of an entry's index file; size and time reveal later changes of the pixel file."""

    origin: CachedFolder
    bytes: int
    modified_ns: int
    index: Index = field(repr=False)

    def matches(self, pixels: os.stat_result) -> bool:
        return (pixels.st_size, pixels.st_mtime_ns) == (self.bytes, self.modified_ns)

    def to_json(self) -> dict[str, Any]:
        content = asdict(self)
        return {"sha256": _digest(content), **content}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads an index file; raises ValueError if it is damaged."""
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
        named = os.environ.get(FOLDER_VARIABLE)
        if named:
            return Path(named).expanduser().absolute()
        caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # The XDG Base Directory Specification demands that a relative path is ignored.
        return (caches if caches.is_absolute() else Path.home() / ".cache") / "npu-nas"
    except RuntimeError as error:
        message = f"there is no folder for a cache ({error}); name one by {FOLDER_VARIABLE}"
        raise CacheError(message) from None


def _entry_at(path: Path) -> CachedImages:
    index = path / _INDEX
    try:
        origin = _EntryIndex.read(index).origin
    except (OSError, ValueError):
        origin = None
    used = datetime.fromtimestamp((index if index.exists() else path).stat().st_mtime, UTC)
    return CachedImages(path, origin, _pixel_bytes(path), used, _is_in_use(path))


def _pixel_bytes(path: Path) -> int:
    """Returns the size of an entry's pixels; the index is small and not counted."""
    try:
        return (path / _PIXELS).stat().st_size
    except OSError:
        return 0


def _is_in_use(path: Path) -> bool:
    try:
        with _exclusive_use(path):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _remove_unused(path: Path) -> bool:
    """Removes an entry unless a process uses it; returns whether it was removed."""
    try:
        with _exclusive_use(path):
            shutil.rmtree(path)
    except FileNotFoundError:  # an entry without pixels is useless
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _exclusive_use(path: Path) -> Iterator[None]:
    """Keeps other processes from using the entry; raises BlockingIOError if one uses it already."""
    with (path / _PIXELS).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.contextmanager
def _process_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds a lock against other processes, which the operating system releases if this one dies.

    The lock file is removed afterwards. Raises BlockingIOError without ``wait`` if another process
    holds the lock.
    """
    while True:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_same_file(path, os.fstat(file.fileno())):  # else its last holder removed it
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _is_same_file(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except FileNotFoundError:
        return False
