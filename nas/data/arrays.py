"""Images in memory as training data, and the kinds of data that the Python functions accept."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from search_spaces import InputError
from search_spaces.naming import object_word

from .images import (
    HOLD_OUT,
    Data,
    ImagePair,
    ImageSet,
    SharedImages,
    Skipped,
    hold_out_validation,
    load_validation,
    make_pair,
    with_lr,
    write_image,
)
from .pixels import Pixels
from .shared_memory import Index, PixelWriter, store_in_memory

#: Name of images in memory, for messages.
_NAME_IN_MESSAGES = object_word("images")


@dataclass(frozen=True, eq=False)
class Images:
    """Photographs in memory: ``hr`` are uint8 RGB arrays (H, W, 3) of any sizes.

    ``lr`` are their low-resolution images in the same order, (H // scale, W // scale, 3); if they
    are omitted, LR images are made by antialiased bicubic interpolation. ``validation`` are the
    images to validate on; if they are omitted, every tenth image is held out, starting with the
    first. Raises InputError if an image has another type or shape, or if the numbers of ``lr`` and
    ``hr`` images differ.

        nas.Images(hr=photographs, validation=nas.Images(hr=others))
    """

    hr: Sequence[Pixels] | Pixels
    lr: Sequence[Pixels] | Pixels | None = None
    validation: Images | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "hr", _checked_arrays("hr", self.hr))
        if self.lr is not None:
            object.__setattr__(self, "lr", _checked_arrays("lr", self.lr))
            if len(self.lr) != len(self.hr):
                raise InputError(f"images: {len(self.hr)} of hr, but {len(self.lr)} of lr")
        if not isinstance(self.validation, Images | None):
            raise InputError("images: validation is no nas.Images; give nas.Images(hr=...)")
        if self.validation is not None and self.validation.validation is not None:
            raise InputError(
                "images: validation images have validation images themselves; omit those"
            )


def load_arrays(images: Images, scale: int, name: str = _NAME_IN_MESSAGES) -> Data:
    """Returns training and validation images in memory that is shared with worker processes."""
    whole = _shared_images(images, scale)
    if images.validation is None:
        return hold_out_validation(name, whole)
    return Data(name, whole, _shared_images(images.validation, scale))


def save_arrays(images: Images, folder: Path, scale: int) -> None:
    """Writes PNG files to ``folder``, from which ``load_data`` loads the same data."""
    temporary = folder.with_name(f".{uuid.uuid4().hex[:8]}")
    try:
        if images.validation is None:
            _write_files(images, temporary, scale)
        else:
            _write_files(images, temporary / "train", scale)
            _write_files(images.validation, temporary / "valid", scale)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _shared_images(images: Images, scale: int) -> SharedImages:
    stored = store_in_memory(partial(_write_pairs, images, scale))
    skipped = tuple(Skipped(name, reason) for name, reason in stored.index.skipped)
    return SharedImages(scale, skipped, place="in memory", stored=stored)


def _write_pairs(images: Images, scale: int, file: IO[bytes]) -> Index:
    """Writes the usable pairs to ``file``; raises InputError if there are none."""
    writer = PixelWriter(file, HOLD_OUT)
    for number in range(len(images.hr)):
        try:
            pair = _pair(images, number, scale)
        except InputError as error:
            writer.skip(f"image {number}", str(error))
        else:
            writer.add(_file_name(number), pair.lr, pair.hr, pair.is_flat)
    index = writer.index()
    if not index.pairs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in index.skipped[:3])
        raise InputError(f"no usable image ({reasons or 'none given'}); give other photographs")
    return index


def _pair(images: Images, number: int, scale: int) -> ImagePair:
    pair = make_pair(images.hr[number], scale)
    return pair if images.lr is None else with_lr(pair, images.lr[number], "its LR image")


def _write_files(images: Images, folder: Path, scale: int) -> None:
    """Writes HR files, and LR files if ``images`` has LR images."""
    hr_folder = folder if images.lr is None else folder / "HR"
    for number, hr in enumerate(images.hr):
        write_image(hr_folder / _file_name(number), hr)
        if images.lr is not None:
            lr_folder = folder / "LR_bicubic" / f"X{scale}"
            write_image(lr_folder / _file_name(number), images.lr[number])


#: A folder, the word ``embedded``, or images in memory, given as ``Images`` or as HR arrays.
DataSource: TypeAlias = str | Path | Images | Sequence[Pixels] | Pixels


def split_source(source: DataSource) -> tuple[str | None, Images | None]:
    """Returns ``(name, None)`` for a name or a folder, ``(None, images)`` for images in memory.

    A ``Path`` always means a folder, even if it is spelled ``embedded``.
    """
    if isinstance(source, str):
        return source, None
    if isinstance(source, Path):
        return str(source.absolute()), None
    return None, source if isinstance(source, Images) else Images(source)


def validation_of(source: DataSource, scale: int) -> ImageSet:
    """Returns the validation images; raises InputError if none are found or usable."""
    name, images = split_source(source)
    return (
        load_validation(name or "", scale)
        if images is None
        else _shared_images(images.validation or images, scale)
    )


def _file_name(number: int) -> str:
    return f"{number:06d}.png"


def _checked_arrays(what: str, images: Iterable[Pixels] | Pixels) -> tuple[Pixels, ...]:
    """Returns the images as arrays; raises InputError for the first that is not uint8 RGB."""
    if not isinstance(images, Iterable) or isinstance(images, str | bytes):
        raise InputError(f"images: {what} is {images!r}; give arrays, uint8 RGB of shape (H, W, 3)")
    checked = tuple(map(np.asarray, images))
    for number, image in enumerate(checked):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(
                f"images: {what}[{number}] is {image.dtype} of shape {image.shape}; "
                "give uint8 RGB of shape (H, W, 3)"
            )
    return checked
