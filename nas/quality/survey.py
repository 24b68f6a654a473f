"""Examines a folder of images: its contents and its problems.

Images are read in the same way as for training, one at a time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from search_spaces import InputError

from ..data.images import HOLD_OUT, ImagePair, degrade, load_pair, parts_of
from ..data.layout import SUFFIXES, Layout, find_layout, unpaired_lr_files
from ..data.pictures import bits_per_channel, frame_count, frames_remark
from ..data.shared_memory import DataSplit, Fingerprint, split_of
from .similarity import psnr_db

#: Progress callback ``(what, done, total)``.
Observe = Callable[[str, int, int], None]

#: PSNR between a given LR image and the bicubic one of its HR image, below which the two show
#: different photographs. No usual way to make LR images leads to a lower PSNR.
_DIFFERENT_PHOTO_DB = 18.0
_TRAIN, _VALID, _WHOLE = "train", "valid", "all"


@dataclass(frozen=True)
class FileProblem:
    """A file or folder and a description of its problem."""

    file: Path
    what: str


@dataclass(frozen=True)
class Kind:
    """Format of an image file, such as PNG with RGB of 16 bits per channel."""

    format: str
    mode: str
    bits: int

    def __str__(self) -> str:
        return f"{self.format} {self.mode} {self.bits}-bit"


@dataclass(frozen=True)
class PartSurvey:
    """A folder of HR images and its folder of LR images, None if these are made from HR images.

    ``images`` is the number of images; ``usable`` is the number of those that can be trained on,
    which have ``pixels`` HR pixels in total. ``smallest`` and ``largest`` are (width, height) of
    usable files, ``kinds`` counts usable files by format. ``other_endings`` counts all
    other files by suffix. ``remarks`` are warnings about images and frames that are not read.
    """

    name: str
    folder: Path
    lr_folder: Path | None
    images: int
    usable: int
    pixels: int
    smallest: tuple[int, int] | None
    largest: tuple[int, int] | None
    kinds: tuple[tuple[Kind, int], ...]
    other_endings: tuple[tuple[str, int], ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """Result for a folder at one scale.

    ``fingerprint`` equals ``Data.fingerprint``; it is None if the folder cannot be trained on.
    """

    folder: Path
    scale: int
    parts: tuple[PartSurvey, ...]
    fingerprint: str | None
    problems: tuple[FileProblem, ...]


def survey(folder: Path, scale: int, observe: Observe = lambda what, done, total: None) -> Survey:
    """Reads every image that training at ``scale`` would read.

    Raises InputError if the folder does not exist.
    """
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {problem}; give a folder of images")
    ledger = _Ledger()
    subfolders = parts_of(folder)
    if subfolders is None:
        parts = [_examine(_WHOLE, folder, scale, ledger, observe)]
        needed = 2  # one of them is held out
    else:
        names = zip((_TRAIN, _VALID), subfolders, strict=True)
        parts = [_examine(name, part, scale, ledger, observe) for name, part in names]
        needed = 1
    for part in parts:
        if part.usable < needed:
            problem = f"{part.usable} usable images, at least {needed} needed"
            ledger.problems.append(FileProblem(part.folder, problem))
    return Survey(folder, scale, tuple(parts), ledger.fingerprint, tuple(ledger.problems))


@dataclass
class _Ledger:
    """Collects the fingerprints of training and validation images, duplicates, and problems."""

    problems: list[FileProblem] = field(default_factory=list)
    _usable: int = 0
    #: by part, ``_TRAIN`` and ``_VALID``
    _fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    #: the first file with given pixels, by the digest of the pixels
    _first_files: dict[bytes, Path] = field(default_factory=dict)

    def add(self, part: str, path: Path, pair: ImagePair) -> None:
        """Adds a usable pair; every tenth pair of a folder without parts counts as validation."""
        if part == _WHOLE:
            part = _TRAIN if split_of(self._usable, HOLD_OUT) is DataSplit.TRAINING else _VALID
        self._usable += 1
        self._fingerprints.setdefault(part, Fingerprint()).add(pair.lr, pair.hr)
        digest = hashlib.sha256(f"{pair.hr.shape}".encode() + pair.hr.tobytes()).digest()
        first = self._first_files.setdefault(digest, path)
        if first != path:
            self.problems.append(FileProblem(path, f"the same pixels as {first}"))

    @property
    def fingerprint(self) -> str | None:
        """``Data.fingerprint``, or None if there are no training or no validation images."""
        if len(self._fingerprints) < 2:
            return None
        return "-".join(str(self._fingerprints[part]) for part in (_TRAIN, _VALID))


@dataclass(frozen=True)
class _ReadFile:
    """A file that was read: ``pixels`` is its number of HR pixels, 0 if it is unusable."""

    path: Path
    kind: Kind | None
    size: tuple[int, int] | None
    pixels: int
    frames: int = 1


def _examine(name: str, folder: Path, scale: int, ledger: _Ledger, observe: Observe) -> PartSurvey:
    layout = find_layout(folder, scale)
    ledger.problems += [FileProblem(path, reason) for path, reason in layout.left_out]
    files = []
    for done, (path, lr_path) in enumerate(layout.pairs, 1):
        files.append(_read(name, path, lr_path, scale, ledger))
        observe(name, done, len(layout.pairs))
    ledger.problems += [
        FileProblem(path, "an LR image without its HR image") for path in unpaired_lr_files(layout)
    ]
    sizes = [file.size for file in files if file.size is not None]
    kinds = Counter(file.kind for file in files if file.kind is not None)
    return PartSurvey(
        name=name,
        folder=layout.folder,
        lr_folder=layout.low,
        images=len(layout.pairs) + len(layout.left_out),
        usable=sum(file.pixels > 0 for file in files),
        pixels=sum(file.pixels for file in files),
        smallest=min(sizes, key=_area, default=None),
        largest=max(sizes, key=_area, default=None),
        kinds=tuple(kinds.most_common()),
        other_endings=_other_endings(layout),
        remarks=(
            *layout.remarks,
            *(f"{file.path}: {frames_remark(file.frames)}" for file in files if file.frames > 1),
        ),
    )


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _read(part: str, path: Path, lr_path: Path | None, scale: int, ledger: _Ledger) -> _ReadFile:
    """Reads an HR file and its LR file as training does, and enters them into ``ledger``."""
    try:
        pair = load_pair(path.name, path, lr_path, scale)
    except InputError as error:
        ledger.problems.append(FileProblem(path, str(error).removeprefix(f"{path}: ")))
        return _ReadFile(path, None, None, 0)
    with Image.open(path) as image:
        kind = Kind(image.format or "", image.mode, bits_per_channel(image))
        size, frames = image.size, frame_count(image)
    ledger.add(part, path, pair)
    if pair.is_flat:
        problem = "flat, all pixels of one color: no network can be told from another by it"
        ledger.problems.append(FileProblem(path, problem))
    if lr_path is not None:
        similarity_db = psnr_db(pair.lr, degrade(pair.hr, scale).lr, border=0)
        if similarity_db < _DIFFERENT_PHOTO_DB:
            problem = f"its LR image {lr_path} shows something else ({similarity_db:.1f} dB)"
            ledger.problems.append(FileProblem(path, problem))
    return _ReadFile(path, kind, size, pair.hr.shape[0] * pair.hr.shape[1], frames)


def _other_endings(layout: Layout) -> tuple[tuple[str, int], ...]:
    """Counts the files that are not images by their suffix, the most frequent first."""
    files = (path for path in layout.folder.iterdir() if path.is_file())
    endings = (path.suffix or path.name for path in files if path.suffix.lower() not in SUFFIXES)
    return tuple(Counter(sorted(endings)).most_common())
