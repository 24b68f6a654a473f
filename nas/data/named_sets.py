"""Several folders of test images with distinct names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .images import ImageSet, load_images

#: Name of the validation images of a training, beside the test images.
VALIDATION = "validation"


def load_named_sets(folders: Sequence[Path], scale: int) -> dict[str, ImageSet]:
    """Loads the images of each folder; names are the shortest distinct ends of the paths.

    ``Set5/HR`` and ``Set14/HR`` keep these names, ``sets/Set5`` alone becomes ``Set5``. A folder
    given twice is loaded once. Raises as ``load_images``.
    """
    return {name: load_images(folder, scale) for name, folder in names_of(folders).items()}


def names_of(folders: Sequence[Path]) -> dict[str, Path]:
    """The folders by names that differ in more than case; none is ``VALIDATION``."""
    paths = list(dict.fromkeys(folder.resolve() for folder in folders))
    found: dict[str, Path] = {}
    for path in paths:
        others = [(VALIDATION,), *(_lowered(other) for other in paths if other != path)]
        own = _lowered(path)
        length = next(
            (n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)),
            len(own),
        )
        name = str(Path(*path.parts[-length:]))
        if any(name.lower() == taken.lower() for taken in found):  # they differ in capitals only
            name += f" ({len(found) + 1})"
        found[name] = path
    return found


def _lowered(path: Path) -> tuple[str, ...]:
    return tuple(part.lower() for part in path.parts)
