"""Stores decoded images in the user's cache, or in memory if the cache cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

from search_spaces import NasError

from .cache import CachedFolder, CacheError, ImageCache
from .shared_memory import Index, StoredImages, available_bytes, store_in_memory


def store(
    identity: Any,
    origin: CachedFolder,
    size: Callable[[], int],
    write: Callable[[IO[bytes]], Index],
) -> tuple[StoredImages, tuple[str, ...]]:
    """Stores the images that ``write`` writes, about ``size()`` bytes, unless they are cached.

    ``identity`` are JSON values that identify the images in the cache. Returns a remark with them
    if they are in memory only. Raises NasError if they fit neither into the cache nor into memory.
    """
    try:
        return ImageCache.of_user().fetch(identity, origin, size, write), ()
    except CacheError as error:
        reason = str(error)
    if size() > available_bytes():
        raise NasError(f"{origin.folder}: more than fits into memory, and not cached: {reason}")
    return store_in_memory(write), (f"kept in memory, to be made anew at the next start: {reason}",)
