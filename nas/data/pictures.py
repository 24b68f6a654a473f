"""Reads and writes pictures of any kind for networks with 8-bit RGB input and output.

* The EXIF orientation is applied; other EXIF data are dropped, color profiles are kept.
* Grey is read as three equal channels and written as grey again.
* Alpha is enlarged by bicubic interpolation.
* Of 16 bits per channel the upper 8 are kept, since an INT8 model has 256 levels. A TIFF of 16 bits
  may be a negative, whose level 0 is white.
* Palettes and L*a*b* are converted to RGB; so is CMYK, by its color profile if it has one.
* Only the first image of an animation or of a TIFF with several pages is read.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from search_spaces import InputError
from search_spaces.files import require_no_special_file

from ..system.files import writing
from .interpolation import resized
from .layout import SUFFIXES
from .pixels import Pixels

#: Longest side that a format allows, in pixels.
_MAX_SIDE = {"JPEG": 65_535, "WEBP": 16_383}
_WITHOUT_ALPHA = frozenset({"JPEG"})
#: Pillow's options for saving; the quality is high since users examine enlarged pictures closely.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
}


def image_format(path: Path) -> str:
    """Returns Pillow's name of the format of ``path``; raises InputError for an unknown suffix."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: unknown image ending; use one of {', '.join(sorted(SUFFIXES))}")
    return Image.registered_extensions()[path.suffix.lower()]


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright picture: ``rgb`` uint8 (H, W, 3), and ``alpha`` uint8 (H, W) or None.

    ``is_grey`` means that the file had a single channel, so that the three are equal; ``profile``
    is the file's ICC profile; ``frames`` is the file's number of frames or pages.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    is_grey: bool = False
    profile: bytes | None = None
    frames: int = 1

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or not self.rgb.size:
            raise InputError(f"a picture of {self.rgb.shape}; it must be (height, width, 3)")
        if self.alpha is not None and self.alpha.shape != self.rgb.shape[:2]:
            raise InputError(f"alpha of {self.alpha.shape} for a picture of {self.rgb.shape[:2]}")

    @property
    def mode(self) -> str:
        """Pillow's mode of the picture's enlargement: L, LA, RGB or RGBA."""
        return ("L" if self.is_grey else "RGB") + ("" if self.alpha is None else "A")


def read_picture(path: Path) -> Picture:
    """Reads a picture as the module describes.

    Raises InputError if the file is not an image, or has 32 bits per channel.
    """
    try:
        require_no_special_file(path)
        with Image.open(path) as image:
            frames, is_negative = frame_count(image), _is_16_bit_negative(image)
            _require_interleaved(image)
            image.load()
            upright = ImageOps.exif_transpose(image)
            return replace(_decoded(upright, is_negative=is_negative), frames=frames)
    except (InputError, MemoryError) as error:
        raise type(error)(f"{path}: {error}") from None
    except Exception as error:  # damaged files may raise any exception
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: cannot be read as an image ({reason})") from None


def frame_count(image: Image.Image) -> int:
    """Returns the number of frames of an animation or of pages of a TIFF.

    Phones write MPO data into .jpg files: the additional pictures in them are previews and gain
    maps, which are not counted. The count is 1 if it cannot be read from a damaged file.
    """
    if image.format == "MPO":
        return 1
    with contextlib.suppress(Exception):  # damaged files may raise any exception
        return int(getattr(image, "n_frames", 1))
    return 1


def frames_remark(frames: int) -> str:
    """Returns a warning if a file has several frames or pages, else an empty text."""
    return f"only the first of {frames} frames or pages is read" if frames > 1 else ""


def bits_per_channel(image: Image.Image) -> int:
    """Returns 8, 16 or 32, as in the file; Pillow's mode does not tell 16-bit color from 8-bit."""
    if image.mode in {"I", "F"}:
        return 32
    tiles = getattr(image, "tile", None)
    layout = tiles[0].args if tiles else ""
    raw_mode = layout[0] if isinstance(layout, tuple) and layout else layout
    return 16 if ";16" in f"{image.mode} {raw_mode}" else 8


def _is_16_bit_negative(image: Image.Image) -> bool:
    """Returns whether level 0 of a 16-bit TIFF is white, which Pillow ignores.

    Pillow inverts such levels itself if they have 8 bits or less.
    """
    tags = getattr(image, "tag_v2", {})
    return image.mode.startswith("I;16") and tags.get(ExifTags.Base.PhotometricInterpretation) == 0


def _require_interleaved(image: Image.Image) -> None:
    """Raises InputError for uncompressed 16-bit planes, of which Pillow reads wrong levels.

    It takes the bytes of a plane for 8-bit levels. Compressed planes are read correctly.
    """
    tags, tiles = getattr(image, "tag_v2", {}), getattr(image, "tile", [])
    is_planar = tags.get(ExifTags.Base.PlanarConfiguration) == 2
    is_raw = any(tile.codec_name == "raw" for tile in tiles)
    if is_planar and is_raw and max(tags.get(ExifTags.Base.BitsPerSample, (8,))) > 8:
        raise InputError(
            "16-bit color in separate planes cannot be read; save it with interleaved channels"
        )


def enlarged(picture: Picture, scale: int, strips: Iterable[Pixels]) -> Image.Image:
    """Joins the strips of an enlargement of ``picture``, and converts them to its mode.

    ``strips`` are uint8 RGB, (h, scale W, 3), from top to bottom; they are pasted one by one, so
    that the result is in memory only once.
    """
    height, width = (side * scale for side in picture.rgb.shape[:2])
    canvas = Image.new(picture.mode, (width, height))
    top = 0
    for strip in strips:
        canvas.paste(Image.fromarray(strip).convert(picture.mode), (0, top))
        top += len(strip)
    if picture.alpha is not None:
        canvas.putalpha(Image.fromarray(resized(picture.alpha, height, width)))
    return canvas


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Joins two pictures of equal size and mode."""
    both = Image.new(left.mode, (left.width + right.width, left.height))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def require_writable(path: Path, picture: Picture, width: int, height: int) -> None:
    """Raises InputError if the format of ``path`` cannot store ``picture`` at the given size."""
    file_format = image_format(path)
    longest = _MAX_SIDE.get(file_format)
    if longest is not None and max(width, height) > longest:
        raise InputError(
            f"{path}: {file_format} holds no more than {longest} pixels a side, "
            f"not {width}x{height}; choose PNG or TIFF"
        )
    if file_format in _WITHOUT_ALPHA and picture.alpha is not None and picture.alpha.min() < 255:
        raise InputError(f"{path}: {file_format} has no transparency; choose PNG, WebP or TIFF")


def write_picture(path: Path, image: Image.Image, profile: bytes | None = None) -> None:
    """Writes ``image`` atomically, in the format of the file's suffix."""
    file_format = image_format(path)
    if file_format in _WITHOUT_ALPHA and image.mode.endswith("A"):
        image = image.convert(image.mode.removesuffix("A"))
    elif file_format == "BMP" and image.mode == "LA":
        image = image.convert("RGBA")
    settings = _SAVE_OPTIONS.get(file_format, {})
    with writing(path) as temporary:
        image.save(temporary, file_format, icc_profile=profile, **settings)


def _decoded(image: Image.Image, *, is_negative: bool) -> Picture:
    if image.mode in {"I", "F"}:
        raise InputError("32-bit levels have no agreed black and white; save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):
        upper = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        upper = 255 - upper if is_negative else upper
        image = _with_profile_of(image, Image.fromarray(upper))
    if image.mode == "CMYK":
        image = _cmyk_to_rgb(image)
    is_grey = image.mode in {"1", "L", "LA", "La"}
    # Pillow converts L*a*b* to sRGB, to which a profile of L*a*b* does not apply.
    profile = None if image.mode == "LAB" else image.info.get("icc_profile")
    if not image.has_transparency_data:
        return Picture(np.asarray(image.convert("RGB")), None, is_grey, profile)
    rgba = np.asarray(image.convert("RGBA"))
    return Picture(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].copy(), is_grey, profile)


def _with_profile_of(source: Image.Image, image: Image.Image) -> Image.Image:
    if "icc_profile" in source.info:
        image.info["icc_profile"] = source.info["icc_profile"]
    return image


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """Converts to sRGB by the file's color profile, or to RGB by Pillow's formula without one."""
    profile = image.info.get("icc_profile")
    with contextlib.suppress(ImageCms.PyCMSError, OSError):
        if profile:
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb, outputMode="RGB"
            )
            if converted is not None:
                converted.info.pop("icc_profile", None)
                return converted
    plain = image.convert("RGB")
    plain.info.pop("icc_profile", None)
    return plain
