"""Survey of a folder of images: what it holds, and what is wrong with it.

Everything is read as training reads it, one image at a time.
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
from ..data.shared_memory import Fingerprint, DataSplit, split_of
from .similarity import psnr_db

#: Told ``(what, done, total)`` as the work goes on.
Observe = Callable[[str, int, int], None]

#: However LR was made of a photograph, it is closer than this to what we would make of it;
#: that of another photograph is not.
_SAME_PHOTO_DB = 18.0
_TRAIN, _VALID, _WHOLE = "train", "valid", "all"


@dataclass(frozen=True)
class FileProblem:
    """A file or a folder, and what is wrong with it."""

    file: Path
    what: str


@dataclass(frozen=True)
class Kind:
    """Format of files as they are on disk: PNG, RGB of 16 bits a channel."""

    format: str
    mode: str
    bits: int

    def __str__(self) -> str:
        return f"{self.format} {self.mode} {self.bits}-bit"


@dataclass(frozen=True)
class PartSurvey:
    """One folder of HR images, and that of its LR ones, None if they are made from HR.

    ``usable`` of its ``images`` can be trained on and have ``pixels`` HR pixels in all; of these,
    ``smallest`` and ``largest`` are the files' (width, height), and ``kinds`` counts what they are.
    ``other_endings`` counts files that are passed over, ``remarks`` tell of images, and of frames
    of a file, that are.
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
    """A folder at one scale; ``fingerprint`` is ``Data.fingerprint``, None if it cannot be used."""

    folder: Path
    scale: int
    parts: tuple[PartSurvey, ...]
    fingerprint: str | None
    problems: tuple[FileProblem, ...]


def survey(folder: Path, scale: int, observe: Observe = lambda what, done, total: None) -> Survey:
    """Reads every image that training at ``scale`` would read.

    Raises InputError if there is no such folder.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}; give a folder of images")
    ledger = _Ledger()
    own = parts_of(folder)
    if own is None:
        parts = [_examine(_WHOLE, folder, scale, ledger, observe)]
        needed = 2  # one is held out
    else:
        names = zip((_TRAIN, _VALID), own, strict=True)
        parts = [_examine(name, part, scale, ledger, observe) for name, part in names]
        needed = 1
    for part in parts:
        if part.usable < needed:
            what = f"{part.usable} usable images, at least {needed} needed"
            ledger.problems.append(FileProblem(part.folder, what))
    return Survey(folder, scale, tuple(parts), ledger.fingerprint, tuple(ledger.problems))


@dataclass
class _Ledger:
    """What is known of all images together: the fingerprint of both halves, twins, problems."""

    problems: list[FileProblem] = field(default_factory=list)
    _usable: int = 0
    _halves: dict[str, Fingerprint] = field(default_factory=dict)
    _first: dict[bytes, Path] = field(default_factory=dict)

    def enter(self, part: str, path: Path, pair: ImagePair) -> None:
        """Counts a usable pair in; of a whole folder every tenth one is held out."""
        if part == _WHOLE:
            part = _TRAIN if split_of(self._usable, HOLD_OUT) is DataSplit.TRAINING else _VALID
        self._usable += 1
        self._halves.setdefault(part, Fingerprint()).add(pair.lr, pair.hr)
        digest = hashlib.sha256(f"{pair.hr.shape}".encode() + pair.hr.tobytes()).digest()
        first = self._first.setdefault(digest, path)
        if first != path:
            self.problems.append(FileProblem(path, f"the same pixels as {first}"))

    @property
    def fingerprint(self) -> str | None:
        if len(self._halves) < 2:
            return None
        return "-".join(str(self._halves[part]) for part in (_TRAIN, _VALID))


@dataclass(frozen=True)
class _Seen:
    """One file: ``pixels`` of HR that can be used, none if it cannot, and its ``frames``."""

    path: Path
    kind: Kind | None
    size: tuple[int, int] | None
    pixels: int
    frames: int = 1


def _examine(name: str, folder: Path, scale: int, ledger: _Ledger, observe: Observe) -> PartSurvey:
    layout = find_layout(folder, scale)
    ledger.problems += [FileProblem(path, reason) for path, reason in layout.left_out]
    seen = []
    for done, (path, low) in enumerate(layout.pairs, 1):
        seen.append(_read(name, path, low, scale, ledger))
        observe(name, done, len(layout.pairs))
    ledger.problems += [
        FileProblem(path, "an LR image without its HR image") for path in unpaired_lr_files(layout)
    ]
    sizes = [file.size for file in seen if file.size is not None]
    kinds = Counter(file.kind for file in seen if file.kind is not None)
    return PartSurvey(
        name=name,
        folder=layout.folder,
        lr_folder=layout.low,
        images=len(layout.pairs) + len(layout.left_out),
        usable=sum(file.pixels > 0 for file in seen),
        pixels=sum(file.pixels for file in seen),
        smallest=min(sizes, key=_area, default=None),
        largest=max(sizes, key=_area, default=None),
        kinds=tuple(kinds.most_common()),
        other_endings=_other_endings(layout),
        remarks=(
            *layout.remarks,
            *(f"{file.path}: {frames_remark(file.frames)}" for file in seen if file.frames > 1),
        ),
    )


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _read(part: str, path: Path, low: Path | None, scale: int, ledger: _Ledger) -> _Seen:
    try:
        pair = load_pair(path.name, path, low, scale)
    except InputError as error:
        ledger.problems.append(FileProblem(path, str(error).removeprefix(f"{path}: ")))
        return _Seen(path, None, None, 0)
    with Image.open(path) as image:
        kind = Kind(image.format or "", image.mode, bits_per_channel(image))
        size, frames = image.size, frame_count(image)
    ledger.enter(part, path, pair)
    if pair.is_flat:
        what = "flat, all pixels of one color: no network can be told from another by it"
        ledger.problems.append(FileProblem(path, what))
    if low is not None:
        likeness = psnr_db(pair.lr, degrade(pair.hr, scale).lr, border=0)
        if likeness < _SAME_PHOTO_DB:
            what = f"its LR image {low} shows something else ({likeness:.1f} dB)"
            ledger.problems.append(FileProblem(path, what))
    return _Seen(path, kind, size, pair.hr.shape[0] * pair.hr.shape[1], frames)


def _other_endings(layout: Layout) -> tuple[tuple[str, int], ...]:
    files = (path for path in layout.folder.iterdir() if path.is_file())
    endings = (path.suffix or path.name for path in files if path.suffix.lower() not in SUFFIXES)
    return tuple(Counter(sorted(endings)).most_common())
