"""Training and validation images: decoded pairs of low and high resolution (LR and HR), uint8."""

from __future__ import annotations

import contextlib
import importlib.resources
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import IO

import numpy as np
import PIL
from PIL import Image

from search_spaces import InputError
from search_spaces.files import require_no_special_file
from search_spaces.naming import path_of

from ..system.files import write_whole
from .cache import CachedFolder, state_of
from .interpolation import resized
from .layout import SUFFIXES, Layout, find_layout
from .pictures import image_format, read_picture
from .pixels import Pixels
from .shared_memory import (
    Fingerprint,
    Half,
    Index,
    PixelWriter,
    StoredImages,
    store_in_memory,
)
from .storage import store

EMBEDDED = "embedded"
#: Smallest side of an LR image, from which a training patch can be cropped.
MIN_LR_SIDE = 33
#: In a folder without a validation part, every n-th image is held out for validation.
HOLD_OUT = 10

# Photographs in the scikit-image and scikit-learn packages; they are read from there.
_TRAINING = {
    "skimage.data": (
        "astronaut.png", "brick.png", "camera.png", "coffee.png", "grass.png", "gravel.png",
        "hubble_deep_field.jpg", "rocket.jpg",
    ),
    "sklearn.datasets.images": ("china.jpg",),
}  # fmt: skip
_VALIDATION = {
    "skimage.data": ("chelsea.png", "motorcycle_left.png"),
    "sklearn.datasets.images": ("flower.jpg",),
}


@dataclass(frozen=True)
class ImagePair:
    """One photograph, uint8 RGB: ``lr`` (H, W, 3) and ``hr`` (scale H, scale W, 3)."""

    name: str
    lr: Pixels
    hr: Pixels

    @property
    def is_flat(self) -> bool:
        """Whether all HR pixels are of one color, so that PSNR cannot tell networks apart."""
        color = self.hr[0, 0]
        return bool((self.hr[0] == color).all() and (self.hr == color).all())


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """Pairs of one scale, and the files that were skipped.

    ``layout`` is that of the folder, None for other images, whose ``place`` is a text for messages;
    ``remarks`` are warnings for the user.
    """

    scale: int
    pairs: tuple[ImagePair, ...]
    skipped: tuple[Skipped, ...] = ()
    layout: Layout | None = None
    remarks: tuple[str, ...] = ()
    place: str = "that come with the packages"

    def __post_init__(self) -> None:
        _require_some(self.pairs, self.skipped)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of all pixels, low and high resolution."""
        mark = Fingerprint()
        for pair in self.pairs:
            mark.add(pair.lr, pair.hr)
        return str(mark)

    @property
    def flat(self) -> tuple[str, ...]:
        """Names of images of one color."""
        return tuple(pair.name for pair in self.pairs if pair.is_flat)

    @property
    def pixels(self) -> int:
        """Number of HR pixels of all images."""
        return sum(pair.hr.shape[0] * pair.hr.shape[1] for pair in self.pairs)

    def in_turn(self) -> Iterator[ImagePair]:
        """The pairs, one after another; releases the memory of each before the next."""
        for pair in self.pairs:
            yield pair
            self.release()

    def release(self) -> None:
        """Releases memory of pixels that are not needed soon; see ``SharedImages``."""


@dataclass(frozen=True)
class SharedImages(ImageSet):
    """A ``half`` of ``stored`` images in shared memory; pickled, it maps the same memory.

    The images may exceed the memory, since pages of a file that are not in use can be dropped.
    """

    pairs: tuple[ImagePair, ...] = field(init=False)
    stored: StoredImages = field(kw_only=True)
    half: Half = field(kw_only=True, default=Half.WHOLE)

    def __post_init__(self) -> None:
        view = self.stored.memory.pixels
        pairs = (
            ImagePair(one.name, view(one.lr, place), view(one.hr, place + one.lr_bytes))
            for place, one in self.stored.index.of(self.half)
        )
        object.__setattr__(self, "pairs", tuple(pairs))
        super().__post_init__()

    def __reduce__(self) -> tuple[object, ...]:
        make = partial(SharedImages, stored=self.stored, half=self.half)
        return make, (self.scale, self.skipped, self.layout, self.remarks, self.place)

    @cached_property
    def fingerprint(self) -> str:
        """Computed when the images were stored."""
        return self.stored.index.fingerprints[self.half]

    @property
    def flat(self) -> tuple[str, ...]:
        return tuple(one.name for _, one in self.stored.index.of(self.half) if one.is_flat)

    def release(self) -> None:
        self.stored.memory.release()


@dataclass(frozen=True)
class Data:
    """Training and validation images; ``name`` is the name that the user gave."""

    name: str
    training: ImageSet
    validation: ImageSet

    @property
    def fingerprint(self) -> str:
        """Changes with any pixel, and with the split."""
        return f"{self.training.fingerprint}-{self.validation.fingerprint}"


def held_out(name: str, whole: SharedImages) -> Data:
    """Holds out every tenth image for validation; InputError if there are fewer than 2."""
    if len(whole.pairs) < 2:
        raise InputError(f"{name}: one usable image; at least 2 are needed, to hold one out")
    return Data(
        name,
        replace(whole, half=Half.TRAINING),
        replace(whole, half=Half.VALIDATION, skipped=(), remarks=()),
    )


def load_data(name: str, scale: int) -> Data:
    """Loads ``embedded``, or a folder: its train and valid parts, else every tenth image held out.

    InputError if the folder is missing or has no usable image.
    """
    path = data_path(name)
    if path is None:
        return Data(name, _load_embedded(_TRAINING, scale), _load_embedded(_VALIDATION, scale))
    folder = _named(name, path)
    parts = parts_of(folder)
    if parts is not None:
        return Data(name, *(load_images(part, scale) for part in parts))
    return held_out(name, load_images(folder, scale))


def load_validation(name: str, scale: int) -> ImageSet:
    """The validation part of ``embedded`` or of a folder; without parts, the whole folder."""
    path = data_path(name)
    if path is None:
        return _load_embedded(_VALIDATION, scale)
    folder = _named(name, path)
    parts = parts_of(folder)
    return load_images(folder if parts is None else parts[1], scale)


def load_images(folder: Path, scale: int) -> SharedImages:
    """Loads all images of a folder in the order of their names; unusable ones are skipped.

    LR images are the folder's own, if it has a layout that ``find_layout`` knows; else they are
    made by bicubic interpolation. Decoded images are kept in the user's cache.
    """
    layout = find_layout(_existing(folder), scale)
    if not layout.pairs and not layout.left_out:
        hint = "; ".join(["", *layout.remarks])
        raise InputError(f"{layout.folder}: no image ({', '.join(sorted(SUFFIXES))}) in it{hint}")
    stored, remarks = _cached(layout, scale)
    skipped = (*_left_out(layout), *_skipped(stored.index))
    return SharedImages(scale, skipped, layout, remarks, stored=stored)


def degrade(hr: Pixels, scale: int) -> ImagePair:
    """The pair of an HR image, cropped to a multiple of ``scale`` at its right and bottom.

    LR is made by ``resized``. The sides of ``hr`` must be ``scale`` at least.
    """
    height, width = (side // scale * scale for side in hr.shape[:2])
    hr = np.ascontiguousarray(hr[:height, :width])
    return ImagePair("", resized(hr, height // scale, width // scale), hr)


def read_rgb(path: Path) -> Pixels:
    """The upright pixels of a file as uint8 RGB; InputError if it is not an image."""
    return read_picture(path).rgb


def write_image(path: Path, pixels: Pixels) -> None:
    """Writes uint8 RGB (H, W, 3) atomically, in the format of the file's suffix."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format(path))
    write_whole(path, buffer.getvalue())


def data_path(name: str) -> Path | None:
    """The folder ``name``; None for the embedded images."""
    return path_of(name, (EMBEDDED,))


def _named(name: str, path: Path) -> Path:
    if not name:  # to pathlib it is the current folder
        raise InputError("data '': no folder is named; give one with images, or 'embedded'")
    return _existing(path)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}; give a folder of images, or 'embedded'")
    return folder


def parts_of(folder: Path) -> tuple[Path, Path] | None:
    """The folders of training and validation images in a folder, None if it has no such."""
    for train, valid in (("train", "valid"), ("DIV2K_train_HR", "DIV2K_valid_HR")):
        if (folder / train).is_dir() and (folder / valid).is_dir():
            return folder / train, folder / valid
    return None


def _load_embedded(names: dict[str, tuple[str, ...]], scale: int) -> SharedImages:
    paths = (
        Path(str(importlib.resources.files(package).joinpath(file)))
        for package, files in names.items()
        for file in files
    )
    stored = store_in_memory(partial(_decode, [(path, None) for path in paths], (), scale))
    return SharedImages(scale, stored=stored)


def _cached(layout: Layout, scale: int) -> tuple[StoredImages, tuple[str, ...]]:
    """The images in the cache; or in memory, with a remark that says why."""
    files = [[state_of(path) for path in pair if path is not None] for pair in layout.pairs]
    facts = [PIL.__version__, MIN_LR_SIDE, HOLD_OUT, files]
    size = partial(_estimated_bytes, layout, scale)
    write = partial(_decode, layout.pairs, _left_out(layout), scale)
    return store(facts, CachedFolder(str(layout.folder), scale), size, write)


def _estimated_bytes(layout: Layout, scale: int) -> int:
    """Estimated size of the decoded images, by the headers of their files."""
    pixels = 0
    for high, _ in layout.pairs:
        with contextlib.suppress(Exception):  # damaged files may raise any exception
            require_no_special_file(high)
            with Image.open(high) as image:
                pixels += image.width * image.height
    return 3 * (pixels + pixels // scale**2)


def _decode(
    files: Sequence[tuple[Path, Path | None]],
    left_out: Sequence[Skipped],
    scale: int,
    file: IO[bytes],
) -> Index:
    """Decodes and writes all usable pairs, one at a time; InputError if there are none."""
    writer = PixelWriter(file, HOLD_OUT)
    for path, low in files:
        try:
            pair = load_pair(path.name, path, low, scale)
        except InputError as error:
            writer.skip(path.name, str(error).removeprefix(f"{path}: "))
        else:
            writer.add(pair.name, pair.lr, pair.hr, pair.is_flat)
    index = writer.index()
    _require_some(index.pairs, (*left_out, *_skipped(index)))
    return index


def _left_out(layout: Layout) -> tuple[Skipped, ...]:
    return tuple(Skipped(path.name, reason) for path, reason in layout.left_out)


def _skipped(index: Index) -> tuple[Skipped, ...]:
    return tuple(Skipped(name, reason) for name, reason in index.skipped)


def _require_some(pairs: Sequence[object], skipped: Sequence[Skipped]) -> None:
    if not pairs:
        reasons = "; ".join(f"{item.name}: {item.reason}" for item in skipped[:3])
        raise InputError(f"no usable image ({reasons or 'none found'}); give a folder of photos")


def load_pair(name: str, path: Path, low: Path | None, scale: int) -> ImagePair:
    """Loads the pair of an HR file and of its LR file ``low``, None if that is to be made.

    InputError says what is wrong with either.
    """
    made = replace(make_pair(read_rgb(path), scale), name=name)
    return made if low is None else with_lr(made, read_rgb(low), f"its LR image {low}")


def make_pair(hr: Pixels, scale: int) -> ImagePair:
    """``degrade``; InputError if the image is too small to train on."""
    height, width = hr.shape[:2]
    if min(height, width) // scale < MIN_LR_SIDE:
        raise InputError(
            f"{width}x{height} is too small: each side needs {MIN_LR_SIDE * scale} pixels"
        )
    return degrade(hr, scale)


def with_lr(made: ImagePair, lr: Pixels, what: str) -> ImagePair:
    """The pair with a given LR image; InputError, with the name ``what``, for another size."""
    if lr.shape != made.lr.shape:
        (given_height, given_width), (height, width) = lr.shape[:2], made.lr.shape[:2]
        raise InputError(f"{what} is {given_width}x{given_height}, not {width}x{height}")
    return replace(made, lr=lr)
