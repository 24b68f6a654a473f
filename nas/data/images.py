"""Training and validation images: decoded uint8 pairs of low and high resolution (LR, HR)."""

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
from .cache import CachedFolder, file_state
from .interpolation import resized
from .layout import SUFFIXES, Layout, find_layout
from .pictures import image_format, read_picture
from .pixels import Pixels
from .shared_memory import (
    DataSplit,
    Fingerprint,
    Index,
    PixelWriter,
    StoredImages,
    store_in_memory,
)
from .storage import store

EMBEDDED = "embedded"
#: Smallest side of a usable LR image, in pixels: training crops patches from it.
MIN_LR_SIDE = 33
#: Without separate validation images, every ``HOLD_OUT``-th image is held out for validation.
HOLD_OUT = 10

# Photographs in the installed scikit-image and scikit-learn packages, by package.
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
        """Whether all HR pixels have one color, so that the image cannot distinguish networks."""
        color = self.hr[0, 0]
        return bool((self.hr[0] == color).all() and (self.hr == color).all())


@dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """Image pairs of one scale, and the images that were skipped.

    ``layout`` describes the folder that the images were read from. If it is None, ``place``
    says in messages where the images come from. ``remarks`` are warnings for the user.
    """

    scale: int
    pairs: tuple[ImagePair, ...]
    skipped: tuple[Skipped, ...] = ()
    layout: Layout | None = None
    remarks: tuple[str, ...] = ()
    place: str = "that come with the packages"

    def __post_init__(self) -> None:
        _require_usable(self.pairs, self.skipped)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all LR and HR pixels, 16 hex digits."""
        fingerprint = Fingerprint()
        for pair in self.pairs:
            fingerprint.add(pair.lr, pair.hr)
        return str(fingerprint)

    @property
    def flat(self) -> tuple[str, ...]:
        """Names of the images that have one color only."""
        return tuple(pair.name for pair in self.pairs if pair.is_flat)

    @property
    def pixels(self) -> int:
        """Total number of HR pixels."""
        return sum(pair.hr.shape[0] * pair.hr.shape[1] for pair in self.pairs)

    def in_turn(self) -> Iterator[ImagePair]:
        """Yields the pairs one by one; releases the memory of each before the next."""
        for pair in self.pairs:
            yield pair
            self.release()

    def release(self) -> None:
        """Releases the memory of the pixels if they can be read again, as in ``SharedImages``."""


@dataclass(frozen=True)
class SharedImages(ImageSet):
    """Images in shared memory: the part ``split`` of the images in ``stored``.

    An unpickled copy in another process maps the same memory. The images may exceed the memory of
    the machine, since the operating system can drop and re-read pages of a mapped file.
    """

    pairs: tuple[ImagePair, ...] = field(init=False)
    stored: StoredImages = field(kw_only=True)
    split: DataSplit = field(kw_only=True, default=DataSplit.WHOLE)

    def __post_init__(self) -> None:
        view = self.stored.memory.pixels
        pairs = (
            ImagePair(pair.name, view(pair.lr, offset), view(pair.hr, offset + pair.lr_bytes))
            for offset, pair in self.stored.index.pairs_of(self.split)
        )
        object.__setattr__(self, "pairs", tuple(pairs))
        super().__post_init__()

    def __reduce__(self) -> tuple[object, ...]:
        make = partial(SharedImages, stored=self.stored, split=self.split)
        return make, (self.scale, self.skipped, self.layout, self.remarks, self.place)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of all pixels, which was computed when the images were stored."""
        return self.stored.index.fingerprints[self.split]

    @property
    def flat(self) -> tuple[str, ...]:
        return tuple(
            pair.name for _, pair in self.stored.index.pairs_of(self.split) if pair.is_flat
        )

    def release(self) -> None:
        self.stored.memory.release()


@dataclass(frozen=True)
class Data:
    """Training and validation images; ``name`` is the name or folder that the user gave."""

    name: str
    training: ImageSet
    validation: ImageSet

    @property
    def fingerprint(self) -> str:
        """Digest of all pixels and of the split into training and validation images."""
        return f"{self.training.fingerprint}-{self.validation.fingerprint}"


def hold_out_validation(name: str, whole: SharedImages) -> Data:
    """Holds out every tenth image for validation; raises InputError for fewer than 2 images."""
    if len(whole.pairs) < 2:
        raise InputError(f"{name}: one usable image; at least 2 are needed, to hold one out")
    return Data(
        name,
        replace(whole, split=DataSplit.TRAINING),
        replace(whole, split=DataSplit.VALIDATION, skipped=(), remarks=()),
    )


def load_data(name: str, scale: int) -> Data:
    """Loads training and validation images: ``embedded``, or those of a folder.

    A folder has subfolders for training and validation; otherwise, every tenth image is held out
    for validation. Raises InputError if the folder is missing or has no usable image.
    """
    path = data_path(name)
    if path is None:
        return Data(name, _load_embedded(_TRAINING, scale), _load_embedded(_VALIDATION, scale))
    folder = _existing_named_folder(name, path)
    parts = parts_of(folder)
    if parts is not None:
        return Data(name, *(load_images(part, scale) for part in parts))
    return hold_out_validation(name, load_images(folder, scale))


def load_validation(name: str, scale: int) -> ImageSet:
    """Loads the validation images of ``embedded`` or of a folder.

    All images of the folder are loaded if it has no subfolders for training and validation.
    """
    path = data_path(name)
    if path is None:
        return _load_embedded(_VALIDATION, scale)
    folder = _existing_named_folder(name, path)
    parts = parts_of(folder)
    return load_images(folder if parts is None else parts[1], scale)


def load_images(folder: Path, scale: int) -> SharedImages:
    """Loads all usable images of a folder in the order of their names, and skips the others.

    LR images are read if the folder has a layout that ``find_layout`` recognizes; otherwise, they
    are made by bicubic interpolation. Decoded images are kept in the user's cache.
    """
    layout = find_layout(_existing_folder(folder), scale)
    if not layout.pairs and not layout.left_out:
        hint = "; ".join(["", *layout.remarks])
        raise InputError(f"{layout.folder}: no image ({', '.join(sorted(SUFFIXES))}) in it{hint}")
    stored, remarks = _stored(layout, scale)
    skipped = (*_left_out(layout), *_skipped(stored.index))
    return SharedImages(scale, skipped, layout, remarks, stored=stored)


def degrade(hr: Pixels, scale: int) -> ImagePair:
    """Makes an unnamed pair from an HR image by bicubic interpolation (``resized``).

    The HR image is cropped at its right and bottom to multiples of ``scale``. Both of its sides
    must have at least ``scale`` pixels.
    """
    height, width = (side // scale * scale for side in hr.shape[:2])
    hr = np.ascontiguousarray(hr[:height, :width])
    return ImagePair("", resized(hr, height // scale, width // scale), hr)


def read_rgb(path: Path) -> Pixels:
    """Reads an image as upright uint8 RGB (H, W, 3); raises InputError if it cannot be read."""
    return read_picture(path).rgb


def write_image(path: Path, pixels: Pixels) -> None:
    """Writes uint8 RGB (H, W, 3) atomically, in the format of the file's suffix."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format(path))
    write_whole(path, buffer.getvalue())


def data_path(name: str) -> Path | None:
    """Returns the folder ``name``, or None for the embedded images."""
    return path_of(name, (EMBEDDED,))


def _existing_named_folder(name: str, path: Path) -> Path:
    if not name:  # pathlib would take it for the current folder
        raise InputError("data '': no folder is named; give one with images, or 'embedded'")
    return _existing_folder(path)


def _existing_folder(folder: Path) -> Path:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}; give a folder of images, or 'embedded'")
    return folder


def parts_of(folder: Path) -> tuple[Path, Path] | None:
    """Returns the subfolders with training and with validation images, None without them."""
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


def _stored(layout: Layout, scale: int) -> tuple[StoredImages, tuple[str, ...]]:
    """Returns the decoded images from the cache, or from memory with a remark that says why."""
    files = [[file_state(path) for path in pair if path is not None] for pair in layout.pairs]
    identity = [PIL.__version__, MIN_LR_SIDE, HOLD_OUT, files]
    size = partial(_estimated_bytes, layout, scale)
    write = partial(_decode, layout.pairs, _left_out(layout), scale)
    return store(identity, CachedFolder(str(layout.folder), scale), size, write)


def _estimated_bytes(layout: Layout, scale: int) -> int:
    """Estimates the size of the decoded images from the headers of their files."""
    pixels = 0
    for hr_file, _ in layout.pairs:
        with contextlib.suppress(Exception):  # damaged files may raise any exception
            require_no_special_file(hr_file)
            with Image.open(hr_file) as image:
                pixels += image.width * image.height
    return 3 * (pixels + pixels // scale**2)


def _decode(
    files: Sequence[tuple[Path, Path | None]],
    left_out: Sequence[Skipped],
    scale: int,
    file: IO[bytes],
) -> Index:
    """Decodes and writes all usable pairs, one at a time; raises InputError if there are none."""
    writer = PixelWriter(file, HOLD_OUT)
    for path, lr_path in files:
        try:
            pair = load_pair(path.name, path, lr_path, scale)
        except InputError as error:
            writer.skip(path.name, str(error).removeprefix(f"{path}: "))
        else:
            writer.add(pair.name, pair.lr, pair.hr, pair.is_flat)
    index = writer.index()
    _require_usable(index.pairs, (*left_out, *_skipped(index)))
    return index


def _left_out(layout: Layout) -> tuple[Skipped, ...]:
    return tuple(Skipped(path.name, reason) for path, reason in layout.left_out)


def _skipped(index: Index) -> tuple[Skipped, ...]:
    return tuple(Skipped(name, reason) for name, reason in index.skipped)


def _require_usable(pairs: Sequence[object], skipped: Sequence[Skipped]) -> None:
    if not pairs:
        reasons = "; ".join(f"{item.name}: {item.reason}" for item in skipped[:3])
        raise InputError(f"no usable image ({reasons or 'none found'}); give a folder of photos")


def load_pair(name: str, path: Path, lr_path: Path | None, scale: int) -> ImagePair:
    """Loads an HR file and its LR file; makes the LR image if ``lr_path`` is None.

    Raises InputError if one of the files is unusable.
    """
    pair = replace(make_pair(read_rgb(path), scale), name=name)
    if lr_path is None:
        return pair
    return with_lr(pair, read_rgb(lr_path), f"its LR image {lr_path}")


def make_pair(hr: Pixels, scale: int) -> ImagePair:
    """Calls ``degrade``; raises InputError if the image is too small for training."""
    height, width = hr.shape[:2]
    if min(height, width) // scale < MIN_LR_SIDE:
        raise InputError(
            f"{width}x{height} is too small: each side needs {MIN_LR_SIDE * scale} pixels"
        )
    return degrade(hr, scale)


def with_lr(pair: ImagePair, lr: Pixels, lr_name: str) -> ImagePair:
    """Returns ``pair`` with another LR image; raises InputError if that has another size."""
    if lr.shape != pair.lr.shape:
        (given_height, given_width), (height, width) = lr.shape[:2], pair.lr.shape[:2]
        raise InputError(f"{lr_name} is {given_width}x{given_height}, not {width}x{height}")
    return replace(pair, lr=lr)
