"""Opens 30 GB of images in a cache, reads batches of them, and tells what memory that took.

Run as a program: the most that a process ever held is of its whole life.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO

from nas.data.cache import CachedFolder, ImageCache
from nas.data.images import SharedImages
from nas.data.patches import PatchSampler
from nas.data.shared_memory import DataSplit, Index, IndexedPair

COUNT, LR, HR = 3300, (452, 680, 3), (1356, 2040, 3)
BATCHES, BATCH, PATCH = 160, 2, 64
_FINGERPRINTS = {split.value: "0123456789abcdef" for split in DataSplit}


def write(file: IO[bytes]) -> Index:
    """A file with a hole in place of its bytes takes no room on the disk."""
    pairs = (IndexedPair(f"{number}.png", LR, HR, False) for number in range(COUNT))
    index = Index(tuple(pairs), (), 10, _FINGERPRINTS)
    file.truncate(index.bytes)
    return index


def write_nothing(file: IO[bytes]) -> Index:
    raise AssertionError("it is there already")


def peak_bytes() -> int:
    """Of this program; ``ru_maxrss`` begins with what the process had that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def main(folder: str) -> None:
    cache = ImageCache(Path(folder), 10**12)
    cache.fetch("sparse", CachedFolder("photos", 3), lambda: 0, write)
    stored = cache.fetch("sparse", CachedFolder("photos", 3), lambda: 0, write_nothing)
    images = SharedImages(3, stored=stored)
    opened = {
        "images": len(images.pairs),
        "fingerprint": images.fingerprint,
        "flat": images.flat,
        "bytes": stored.index.bytes,
        "opened_bytes": peak_bytes(),
    }
    sampler = PatchSampler(images, BATCH, PATCH)
    for step in range(BATCHES):
        sampler.batch_of(0, step)
    print(json.dumps({**opened, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(sys.argv[1])
