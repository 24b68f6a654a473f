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
    held_out,
    load_data,
    load_validation,
    make_pair,
    with_lr,
    write_image,
)
from .pixels import Pixels
from .shared_memory import Index, PixelWriter, store_in_memory

#: Their name in messages.
_NAME = object_word("images")


@dataclass(frozen=True, eq=False)
class Images:
    """Photographs in memory: ``hr`` are uint8 arrays of RGB, (H, W, 3), of any sizes.

    ``lr`` are their low-resolution images in the same order, (H // scale, W // scale, 3); without
    them they are made by antialiased bicubic. ``validation`` are images to judge on; without them
    every tenth is held out, from the first on. InputError if one is no such array, or there are
    not as many ``lr`` as ``hr``.

        nas.Images(hr=photographs, validation=nas.Images(hr=others))
    """

    hr: Sequence[Pixels] | Pixels
    lr: Sequence[Pixels] | Pixels | None = None
    validation: Images | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "hr", _checked("hr", self.hr))
        if self.lr is not None:
            object.__setattr__(self, "lr", _checked("lr", self.lr))
            if len(self.lr) != len(self.hr):
                raise InputError(f"images: {len(self.hr)} of hr, but {len(self.lr)} of lr")
        if not isinstance(self.validation, Images | None):
            raise InputError("images: validation is no nas.Images; give nas.Images(hr=...)")
        if self.validation is not None and self.validation.validation is not None:
            raise InputError("images: those to validate on have others to validate on; leave one")


def load_arrays(images: Images, scale: int, name: str = _NAME) -> Data:
    """To train and to judge on, in memory that worker processes see."""
    whole = _shared(images, scale)
    if images.validation is None:
        return held_out(name, whole)
    return Data(name, whole, _shared(images.validation, scale))


def save_arrays(images: Images, folder: Path, scale: int) -> None:
    """Keeps them as PNG files in ``folder``, which ``load_data`` reads as ``load_arrays`` does."""
    part = folder.with_name(f".{uuid.uuid4().hex[:8]}")
    try:
        if images.validation is None:
            _write(images, part, scale)
        else:
            _write(images, part / "train", scale)
            _write(images.validation, part / "valid", scale)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _shared(images: Images, scale: int) -> SharedImages:
    stored = store_in_memory(partial(_store, images, scale))
    skipped = tuple(Skipped(name, reason) for name, reason in stored.index.skipped)
    return SharedImages(scale, skipped, place="in memory", stored=stored)


def _store(images: Images, scale: int, file: IO[bytes]) -> Index:
    """Writes the usable pairs to ``file``; InputError if there are none."""
    writer = PixelWriter(file, HOLD_OUT)
    for number in range(len(images.hr)):
        try:
            pair = _pair(images, number, scale)
        except InputError as error:
            writer.skip(f"image {number}", str(error))
        else:
            writer.add(_file(number), pair.lr, pair.hr, pair.is_flat)
    index = writer.index()
    if not index.pairs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in index.skipped[:3])
        raise InputError(f"no usable image ({reasons or 'none given'}); give other photographs")
    return index


def _pair(images: Images, number: int, scale: int) -> ImagePair:
    made = make_pair(images.hr[number], scale)
    return made if images.lr is None else with_lr(made, images.lr[number], "its LR image")


def _write(images: Images, folder: Path, scale: int) -> None:
    """Writes HR files, and LR files if there are given LR images."""
    high = folder if images.lr is None else folder / "HR"
    for number, hr in enumerate(images.hr):
        write_image(high / _file(number), hr)
        if images.lr is not None:
            low = folder / "LR_bicubic" / f"X{scale}" / _file(number)
            write_image(low, images.lr[number])


#: A folder, ``embedded``, or images in memory, as ``Images`` or as HR arrays.
DataSource: TypeAlias = str | Path | Images | Sequence[Pixels] | Pixels


def split_source(source: DataSource) -> tuple[str | None, Images | None]:
    """The name of a data source, or images in memory; a ``Path`` always means a folder."""
    if isinstance(source, str):
        return source, None
    if isinstance(source, Path):
        return str(source.absolute()), None
    return None, source if isinstance(source, Images) else Images(source)


def data_of(source: DataSource, scale: int) -> Data:
    """Training and validation images; InputError if missing, or without a usable image."""
    word, images = split_source(source)
    return load_data(word or "", scale) if images is None else load_arrays(images, scale)


def validation_of(source: DataSource, scale: int) -> ImageSet:
    """Validation images; InputError as ``data_of``."""
    word, images = split_source(source)
    return (
        load_validation(word or "", scale)
        if images is None
        else _shared(images.validation or images, scale)
    )


def _file(number: int) -> str:
    return f"{number:06d}.png"


def _checked(what: str, images: Iterable[Pixels] | Pixels) -> tuple[Pixels, ...]:
    """The images as arrays; InputError names the first that is not uint8 RGB."""
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
