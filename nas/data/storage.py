"""Where decoded images are kept: in the user's cache, or in memory where that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

from search_spaces import NasError

from .cache import CachedFolder, CacheError, ImageCache
from .shared_memory import Index, StoredImages, available_bytes, store_in_memory


def store(
    facts: Any,
    origin: CachedFolder,
    size: Callable[[], int],
    write: Callable[[IO[bytes]], Index],
) -> tuple[StoredImages, tuple[str, ...]]:
    """What ``write`` writes, about ``size()`` bytes; and a remark if it is not in the cache.

    ``facts`` are JSON values that identify it there. NasError if it fits nowhere.
    """
    try:
        return ImageCache.of_user().fetch(facts, origin, size, write), ()
    except CacheError as error:
        reason = str(error)
    if size() > available_bytes():
        raise NasError(f"{origin.folder}: more than fits into memory, and not cached: {reason}")
    return store_in_memory(write), (f"kept in memory, to be made anew at the next start: {reason}",)
