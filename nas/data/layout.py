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

#: Suffixes of supported image formats.
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
#: Suffixes of image formats that are not supported.
_UNSUPPORTED_SUFFIXES = frozenset(
    {".avif", ".dng", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".pgm", ".ppm"}
)
#: Number of folder levels that are searched for images.
_SEARCH_DEPTH = 3
#: Folders that archivers add; they are ignored.
_IGNORED_FOLDERS = ("__MACOSX",)


@dataclass(frozen=True)
class Layout:
    """The images of a folder at one scale.

    ``folder`` has the HR files, ``low`` has the LR files; ``low`` is None if LR images are to be
    made from HR images. ``pairs`` are the HR files in the order of their names, each with its LR
    file. ``left_out`` are excluded images with the reason, such as a missing LR file. ``remarks``
    are warnings about files that are not read.
    """

    folder: Path
    low: Path | None
    pairs: tuple[tuple[Path, Path | None], ...]
    left_out: tuple[tuple[Path, str], ...] = ()
    remarks: tuple[str, ...] = ()


def find_layout(folder: Path, scale: int) -> Layout:
    """Finds the layout of ``folder``, which does not depend on the path or link that names it.

    Raises InputError if the folder has LR images only.
    """
    resolved = folder.resolve()
    hr_folder = _hr_folder(resolved)
    if _is_lr_folder(hr_folder):
        raise InputError(
            f"{hr_folder}: by its name a folder of LR images; name that of the HR images, "
            "or rename it"
        )
    hr_files, lr_files, left_out = _split_by_role(images_in(hr_folder))
    if lr_files and not hr_files:
        raise InputError(
            f"{hr_folder}: by their names all images are LR; name the HR images' folder"
        )
    remarks = [
        *_unsupported_files(hr_folder),
        *_images_outside(resolved, hr_folder),
        *_images_in_subfolders(hr_folder),
    ]
    lr_by_hr = _LrFileIndex(lr_files, scale).find_all(hr_files)
    if _any_size_matches(lr_by_hr, scale):
        left_out += _unpaired(lr_files, lr_by_hr, scale)
        return _paired_layout(hr_folder, hr_folder, lr_by_hr, left_out, remarks)
    left_out += [(path, f"by its name LR, and no HR image has it at x{scale}") for path in lr_files]
    lr_folder = _lr_folder(hr_folder, hr_files, scale)
    if lr_folder is None and hr_folder == resolved:
        # The link ``folder`` may be beside links to LR folders.
        lr_folder = _lr_folder(folder.absolute(), hr_files, scale)
    if lr_folder is not None:
        lr_by_hr = _LrFileIndex(images_in(lr_folder), scale).find_all(hr_files)
        return _paired_layout(hr_folder, lr_folder, lr_by_hr, left_out, remarks)
    remarks += [
        f"{path} is not read: no LR images of x{scale} by bicubic"
        for path in _lr_siblings(hr_folder)
    ]
    pairs = tuple((path, None) for path in hr_files)
    return Layout(hr_folder, None, pairs, tuple(left_out), tuple(remarks))


def images_in(folder: Path) -> list[Path]:
    """Returns the paths in ``folder`` with the suffix of an image, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def unpaired_lr_files(layout: Layout) -> list[Path]:
    """Returns the files without an HR file in a separate folder of LR images."""
    if layout.low is None or layout.low == layout.folder:
        return []
    paired = {lr_file for _, lr_file in layout.pairs}
    return [path for path in images_in(layout.low) if path not in paired]


def _paired_layout(
    hr_folder: Path,
    lr_folder: Path,
    lr_by_hr: dict[Path, Path | None],
    left_out: Iterable[tuple[Path, str]],
    remarks: Iterable[str],
) -> Layout:
    """Returns a layout with the pairs of ``lr_by_hr``; HR files without an LR file are left out."""
    missing = [
        (hr, f"no LR image for it in {lr_folder}") for hr, lr in lr_by_hr.items() if lr is None
    ]
    pairs = tuple((hr, lr) for hr, lr in lr_by_hr.items() if lr is not None)
    return Layout(hr_folder, lr_folder, pairs, tuple(sorted([*left_out, *missing])), tuple(remarks))


def _unpaired(
    lr_files: Sequence[Path], lr_by_hr: dict[Path, Path | None], scale: int
) -> Iterator[tuple[Path, str]]:
    """Yields the LR files of this scale that have no HR file, with the reason to exclude them."""
    paired = set(lr_by_hr.values())
    for path in lr_files:
        if path not in paired and read_name(path.stem).scale in (None, scale):
            yield path, "by its name LR, and no HR image has it"


class _LrFileIndex:
    """Finds LR files of one scale by the names of their HR files."""

    def __init__(self, paths: Iterable[Path], scale: int) -> None:
        #: (rank, path) by key; the file of lowest rank is preferred.
        self._by_key: dict[str, list[tuple[int, Path]]] = {}
        for path in paths:
            name = read_name(path.stem)
            if name.scale in (None, scale):
                self._add(name.key, 1 if name.scale is None else 0, path)
            # In separate folders, an LR file may have the name of its HR file.
            self._add(path.stem.lower(), 2, path)

    def _add(self, key: str, rank: int, path: Path) -> None:
        self._by_key.setdefault(key, []).append((rank, path))

    def find_all(self, hr_files: Iterable[Path]) -> dict[Path, Path | None]:
        """Returns the LR file of each HR file, None where there is none."""
        return {hr_file: self._find(hr_file) for hr_file in hr_files}

    def _find(self, hr_file: Path) -> Path | None:
        """Returns the LR file of lowest rank, preferably with the same suffix, or None."""
        name = read_name(hr_file.stem)
        keys = {hr_file.stem.lower()} | ({name.key} if name.role is Role.HIGH else set())
        found = [
            (rank, path.suffix != hr_file.suffix, path)
            for key in keys
            for rank, path in self._by_key.get(key, ())
        ]
        return min(found)[-1] if found else None


def _split_by_role(
    files: Sequence[Path],
) -> tuple[list[Path], list[Path], list[tuple[Path, str]]]:
    """Splits the files of one folder into HR files, LR files, and others with the reason."""
    names = {path: read_name(path.stem) for path in files}
    tagged = [path for path, name in names.items() if name.role is Role.HIGH]
    keys = {path.stem.lower() for path in files} | {names[path].key for path in tagged}
    lr_files, plain = [], []
    for path, name in names.items():
        # A name with a scale but no tag is an LR file's only if the HR file is in the same folder.
        if name.role is Role.LOW or (name.role is None and name.scale and name.key in keys):
            lr_files.append(path)
        elif name.role is None:
            plain.append(path)
    if not lr_files:
        return list(files), [], []
    if not tagged:
        return plain, lr_files, []
    reason = "neither HR nor LR by its name, as others here are"
    return tagged, lr_files, [(path, reason) for path in plain]


def _hr_folder(folder: Path) -> Path:
    """Returns ``folder``, or its only subfolder with HR images if it has no images itself."""
    for _ in range(_SEARCH_DEPTH):
        if (folder / "HR").is_dir():
            return folder / "HR"
        if images_in(folder):
            return folder
        inner = [
            path for path in _folders(folder) if _holds_images(path) and not _is_lr_folder(path)
        ]
        tagged = [path for path in inner if read_name(path.name).role is Role.HIGH]
        choices = tagged if len(tagged) == 1 else inner
        if len(choices) != 1:
            return folder
        folder = choices[0]
    return folder


def _lr_folder(hr_folder: Path, hr_files: Sequence[Path], scale: int) -> Path | None:
    """Returns the folder beside ``hr_folder`` with the LR images of ``hr_files``, or None."""
    hr_name = read_name(hr_folder.name)
    keys = {hr_folder.name.lower()}
    if hr_name.role:
        keys.add(hr_name.key.removesuffix("_sub"))
    sub = "_sub" if hr_folder.name.lower().endswith("_sub") else ""
    found = []
    for path in _lr_siblings(hr_folder):
        name = read_name(path.name)
        if name.key not in keys or not name.is_bicubic or name.scale not in (None, scale):
            continue
        inner, is_stated = _folder_of_scale(path, f"x{scale}{sub}")
        if is_stated or name.scale == scale or (inner and _folder_matches(hr_files, inner, scale)):
            found.append((not is_stated and name.scale is None, inner or path))
    return min(found)[1] if found else None


def _folder_of_scale(folder: Path, wanted: str) -> tuple[Path | None, bool]:
    """Finds the folder ``wanted``, or else one with images, in ``folder`` or below it.

    Returns it with whether its name is ``wanted`` and so states the scale.
    """
    for _ in range(_SEARCH_DEPTH):
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


def _folder_matches(hr_files: Sequence[Path], lr_folder: Path, scale: int) -> bool:
    """Returns whether any image in ``lr_folder`` has the LR size of its HR file."""
    return _any_size_matches(_LrFileIndex(images_in(lr_folder), scale).find_all(hr_files), scale)


def _any_size_matches(lr_by_hr: dict[Path, Path | None], scale: int) -> bool:
    return any(lr is not None and _size_matches(hr, lr, scale) for hr, lr in lr_by_hr.items())


def _size_matches(hr_file: Path, lr_file: Path, scale: int) -> bool:
    try:
        require_no_special_file(hr_file)
        require_no_special_file(lr_file)
        with Image.open(hr_file) as hr, Image.open(lr_file) as lr:
            return lr.size == (hr.width // scale, hr.height // scale)
    except Exception:  # damaged files may raise any exception
        return False


def _lr_siblings(hr_folder: Path) -> list[Path]:
    """Returns the folders beside ``hr_folder`` whose names say that they have its LR images."""
    is_tagged = read_name(hr_folder.name).role is Role.HIGH
    return [
        path
        for path in _folders(hr_folder.parent)
        if (name := read_name(path.name)).role is Role.LOW
        and (is_tagged or name.key == hr_folder.name.lower())
    ]


def _is_lr_folder(folder: Path) -> bool:
    """Returns whether the folder's name says LR images, or it is ``X3`` in such a folder."""
    is_inner = re.fullmatch(r"x\d(_sub)?", folder.name, re.IGNORECASE)
    return read_name((folder.parent if is_inner else folder).name).role is Role.LOW


def _unsupported_files(folder: Path) -> list[str]:
    """Returns a remark about the files of each unsupported image format."""
    counts = Counter(path.suffix.lower() for path in folder.iterdir())
    return [
        f"{suffix} is not read: {counts[suffix]} in {folder}; convert to PNG"
        for suffix in sorted(_UNSUPPORTED_SUFFIXES & set(counts))
    ]


def _images_outside(folder: Path, hr_folder: Path) -> list[str]:
    """Returns a remark about images in ``folder`` if its subfolder ``hr_folder`` is read."""
    count = 0 if folder == hr_folder else len(images_in(folder))
    return [f"{count} images in {folder} are not read, but those in {hr_folder}"] if count else []


def _images_in_subfolders(folder: Path) -> list[str]:
    """Returns a remark about subfolders with images, which are not read."""
    names = [path.name for path in _folders(folder) if _holds_images(path)]
    if not names:
        return []
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return [f"images in folders within are not read: {shown}"]


def _holds_images(folder: Path, depth: int = _SEARCH_DEPTH) -> bool:
    """Returns whether there are images in ``folder`` or down to ``depth`` levels of folders."""
    return bool(images_in(folder)) or (
        depth > 1 and any(_holds_images(path, depth - 1) for path in _folders(folder))
    )


def _folders(folder: Path) -> list[Path]:
    """Returns the readable subfolders in the order of their names."""
    if not os.access(folder, os.R_OK):
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name not in _IGNORED_FOLDERS
        and os.access(path, os.R_OK | os.X_OK)
    )
