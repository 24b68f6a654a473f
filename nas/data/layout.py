"""Finds the images of a folder, and the LR file of each HR file.

Supported are the layouts of DIV2K and Flickr2K (``X_HR`` beside ``X_LR_bicubic/X3``), of benchmark
sets (``HR`` beside ``LR_bicubic/X3``), of BasicSR (``GTmod12`` beside ``LRbicx4``, ``Set5`` beside
``Set5_bicLRx4``), and HR and LR files in one folder. LR files are never used as HR images.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from search_spaces import InputError
from search_spaces.files import require_no_special_file

from .roles import Role, read_name

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
#: Formats of images that are not supported.
_UNREAD = frozenset(
    {".avif", ".dng", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".pgm", ".ppm"}
)
#: Depth of the search in a folder without images.
_DEPTH = 3
#: Folders of archivers and viewers, which are ignored.
_FOREIGN = ("__MACOSX",)


@dataclass(frozen=True)
class Layout:
    """The images of a folder at one scale.

    ``folder`` has the HR files, ``low`` the LR files, None if LR images are made from HR. ``pairs``
    are the HR files in the order of their names, each with its LR file. ``left_out`` are images
    excluded by their names, with the reason; ``remarks`` are about files that are not read.
    """

    folder: Path
    low: Path | None
    pairs: tuple[tuple[Path, Path | None], ...]
    left_out: tuple[tuple[Path, str], ...] = ()
    remarks: tuple[str, ...] = ()


def find_layout(folder: Path, scale: int) -> Layout:
    """The layout of ``folder``; the same by any path or link to it.

    InputError if it has LR images only.
    """
    real = folder.resolve()
    high = _high_folder(real)
    if _is_low(high):
        raise InputError(
            f"{high}: by its name a folder of LR images; name that of the HR images, or rename it"
        )
    files, lows, left_out = _by_role(images_in(high))
    if lows and not files:
        raise InputError(f"{high}: by their names all images are LR; name the HR images' folder")
    remarks = [*_unread(high), *_beside(real, high), *_deeper(high)]
    within = _LowFiles(lows, scale).of_each(files)
    if _any_fits(within, scale):
        left_out += _lonely(lows, within, scale)
        return _paired(high, high, within, left_out, remarks)
    left_out += [(path, f"by its name LR, and no HR image has it at x{scale}") for path in lows]
    low = _low_folder(high, files, scale)
    if low is None and high == real:  # a link may be in a folder with links to LR folders
        low = _low_folder(folder.absolute(), files, scale)
    if low is not None:
        lows_of = _LowFiles(images_in(low), scale).of_each(files)
        return _paired(high, low, lows_of, left_out, remarks)
    remarks += [
        f"{path} is not read: no LR images of x{scale} by bicubic" for path in _low_siblings(high)
    ]
    pairs = tuple((path, None) for path in files)
    return Layout(high, None, pairs, tuple(left_out), tuple(remarks))


def images_in(folder: Path) -> list[Path]:
    """Paths with the suffix of an image, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def lonely_lows(layout: Layout) -> list[Path]:
    """Files in the folder of LR images without an HR image."""
    if layout.low is None or layout.low == layout.folder:
        return []
    taken = {low for _, low in layout.pairs}
    return [path for path in images_in(layout.low) if path not in taken]


def _paired(
    high: Path,
    low: Path,
    found: dict[Path, Path | None],
    left_out: Iterable[tuple[Path, str]],
    remarks: Iterable[str],
) -> Layout:
    missing = [(path, f"no LR image for it in {low}") for path, own in found.items() if own is None]
    pairs = tuple((path, own) for path, own in found.items() if own is not None)
    return Layout(high, low, pairs, tuple(sorted([*left_out, *missing])), tuple(remarks))


def _lonely(
    lows: Sequence[Path], found: dict[Path, Path | None], scale: int
) -> Iterator[tuple[Path, str]]:
    """LR files of this scale in the folder of HR files that have no HR file, with the reason."""
    taken = set(found.values())
    for path in lows:
        if path not in taken and read_name(path.stem).scale in (None, scale):
            yield path, "by its name LR, and no HR image has it"


class _LowFiles:
    """Index of the LR files of one scale, by the names of their HR files."""

    def __init__(self, paths: Iterable[Path], scale: int) -> None:
        self._by_key: dict[str, list[tuple[int, Path]]] = {}
        for path in paths:
            name = read_name(path.stem)
            if name.scale in (None, scale):
                self._enter(name.key, 1 if name.scale is None else 0, path)
            self._enter(path.stem.lower(), 2, path)  # HR and LR of one name in two folders

    def _enter(self, key: str, rank: int, path: Path) -> None:
        self._by_key.setdefault(key, []).append((rank, path))

    def of_each(self, highs: Iterable[Path]) -> dict[Path, Path | None]:
        """The LR file of each HR file."""
        return {high: self._of(high) for high in highs}

    def _of(self, high: Path) -> Path | None:
        name = read_name(high.stem)
        keys = {high.stem.lower()} | ({name.key} if name.role is Role.HIGH else set())
        found = [
            (rank, path.suffix != high.suffix, path)
            for key in keys
            for rank, path in self._by_key.get(key, ())
        ]
        return min(found)[-1] if found else None


def _by_role(
    files: Sequence[Path],
) -> tuple[list[Path], list[Path], list[tuple[Path, str]]]:
    """HR files, LR files, and those that are neither, with the reason, of one folder."""
    names = {path: read_name(path.stem) for path in files}
    tagged = [path for path, name in names.items() if name.role is Role.HIGH]
    keys = {path.stem.lower() for path in files} | {names[path].key for path in tagged}
    lows, plain = [], []
    for path, name in names.items():
        # With a scale but no tag, a name is that of an LR file only if the HR file is beside it.
        if name.role is Role.LOW or (name.role is None and name.scale and name.key in keys):
            lows.append(path)
        elif name.role is None:
            plain.append(path)
    if not lows:
        return list(files), [], []
    if not tagged:
        return plain, lows, []
    reason = "neither HR nor LR by its name, as others here are"
    return tagged, lows, [(path, reason) for path in plain]


def _high_folder(folder: Path) -> Path:
    """The folder itself, or the only one in it with images other than LR."""
    for _ in range(_DEPTH):
        if (folder / "HR").is_dir():
            return folder / "HR"
        if images_in(folder):
            return folder
        inner = [path for path in _folders(folder) if _holds_images(path) and not _is_low(path)]
        tagged = [path for path in inner if read_name(path.name).role is Role.HIGH]
        choice = tagged if len(tagged) == 1 else inner
        if len(choice) != 1:
            return folder
        folder = choice[0]
    return folder


def _low_folder(high: Path, files: Sequence[Path], scale: int) -> Path | None:
    """The folder beside ``high`` with the LR images of ``files``, None if there is none."""
    own = read_name(high.name)
    keys = {high.name.lower(), own.key.removesuffix("_sub")} if own.role else {high.name.lower()}
    sub = "_sub" if high.name.lower().endswith("_sub") else ""
    found = []
    for path in _low_siblings(high):
        name = read_name(path.name)
        if name.key not in keys or not name.is_bicubic or name.scale not in (None, scale):
            continue
        place, is_stated = _of_scale(path, f"x{scale}{sub}")
        if is_stated or name.scale == scale or (place and _fit(files, place, scale)):
            found.append((not is_stated and name.scale is None, place or path))
    return min(found)[1] if found else None


def _of_scale(folder: Path, wanted: str) -> tuple[Path | None, bool]:
    """The folder in ``folder`` with the LR images, and whether its name states their scale."""
    for _ in range(_DEPTH):
        inner = _folders(folder)
        stated = [path for path in inner if path.name.lower() == wanted]
        if stated:
            return stated[0], True
        if images_in(folder):
            return folder, False
        if len(inner) != 1 or re.fullmatch(r"x\d(_sub)?", inner[0].name, re.IGNORECASE):
            return None, False
        folder = inner[0]
    return None, False


def _fit(files: Sequence[Path], low: Path, scale: int) -> bool:
    """Whether any image in ``low`` has the size of the LR image of its HR file."""
    return _any_fits(_LowFiles(images_in(low), scale).of_each(files), scale)


def _any_fits(found: dict[Path, Path | None], scale: int) -> bool:
    return any(own is not None and _fits(high, own, scale) for high, own in found.items())


def _fits(high: Path, low: Path, scale: int) -> bool:
    try:
        require_no_special_file(high)
        require_no_special_file(low)
        with Image.open(high) as large, Image.open(low) as small:
            return small.size == (large.width // scale, large.height // scale)
    except Exception:  # damaged files may raise any exception
        return False


def _low_siblings(high: Path) -> list[Path]:
    """Folders beside ``high`` that by their name have its LR images."""
    own = read_name(high.name)
    return [
        path
        for path in _folders(high.parent)
        if (name := read_name(path.name)).role is Role.LOW
        and (own.role is Role.HIGH or name.key == high.name.lower())
    ]


def _is_low(folder: Path) -> bool:
    """Whether the folder has LR images by its name, or is ``X3`` in such a folder."""
    is_inner = re.fullmatch(r"x\d(_sub)?", folder.name, re.IGNORECASE)
    return read_name((folder.parent if is_inner else folder).name).role is Role.LOW


def _unread(folder: Path) -> list[str]:
    endings = Counter(path.suffix.lower() for path in folder.iterdir())
    return [
        f"{ending} is not read: {endings[ending]} in {folder}; convert to PNG"
        for ending in sorted(_UNREAD & set(endings))
    ]


def _beside(folder: Path, high: Path) -> list[str]:
    """A remark about images in ``folder``, if those in its subfolder ``high`` are read."""
    count = 0 if folder == high else len(images_in(folder))
    return [f"{count} images in {folder} are not read, but those in {high}"] if count else []


def _deeper(folder: Path) -> list[str]:
    """A remark about subfolders with images, which are not read."""
    names = [path.name for path in _folders(folder) if _holds_images(path)]
    if not names:
        return []
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return [f"images in folders within are not read: {shown}"]


def _holds_images(folder: Path, depth: int = _DEPTH) -> bool:
    return bool(images_in(folder)) or (
        depth > 1 and any(_holds_images(path, depth - 1) for path in _folders(folder))
    )


def _folders(folder: Path) -> list[Path]:
    """Readable subfolders in the order of their names."""
    if not os.access(folder, os.R_OK):
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name not in _FOREIGN
        and os.access(path, os.R_OK | os.X_OK)
    )
