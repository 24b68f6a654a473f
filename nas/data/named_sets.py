"""Loads several folders of test images and gives them distinct names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .images import ImageSet, load_images

#: Name of the validation images, which no folder of test images gets.
VALIDATION = "validation"


def load_named_sets(folders: Sequence[Path], scale: int) -> dict[str, ImageSet]:
    """Loads the images of each folder, by the shortest end of its path that no other has.

    ``Set5/HR`` and ``Set14/HR`` keep these names, ``sets/Set5`` alone becomes ``Set5``. A folder
    given twice is loaded once. Raises the errors of ``load_images``.
    """
    return {name: load_images(folder, scale) for name, folder in names_of(folders).items()}


def names_of(folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the folders by distinct names, compared without case; none is ``VALIDATION``."""
    paths = list(dict.fromkeys(folder.resolve() for folder in folders))
    named: dict[str, Path] = {}
    for path in paths:
        others = [(VALIDATION,), *(_lower_parts(other) for other in paths if other != path)]
        own = _lower_parts(path)
        length = next(
            (n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)),
            len(own),
        )
        name = str(Path(*path.parts[-length:]))
        if any(name.lower() == taken.lower() for taken in named):  # paths differ in case only
            name += f" ({len(named) + 1})"
        named[name] = path
    return named


def _lower_parts(path: Path) -> tuple[str, ...]:
    return tuple(part.lower() for part in path.parts)
