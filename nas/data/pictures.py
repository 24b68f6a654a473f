"""Reads and writes pictures of any kind for networks with 8-bit RGB input and output.

* The orientation by EXIF is applied; other EXIF data are dropped, color profiles are kept.
* Grey becomes three equal channels, and luminance again; alpha is enlarged by bicubic.
* 16 bits per channel become the upper 8, since an INT8 model has 256 levels.
* Palettes become RGB; so does CMYK, by its profile if it has one.
* Of an animation or a TIFF of several pages the first image is read.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from search_spaces import InputError
from search_spaces.files import require_no_special_file

from ..system.files import writing
from .interpolation import resized
from .layout import SUFFIXES
from .pixels import Pixels

#: Longest sides that formats allow, in pixels.
_LONGEST = {"JPEG": 65_535, "WEBP": 16_383}
_WITHOUT_ALPHA = frozenset({"JPEG"})
#: Options of Pillow by format; the quality is high since enlarged pictures are examined closely.
_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
}


def image_format(path: Path) -> str:
    """Pillow's name of the format by the suffix of ``path``; InputError if that is unknown."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: unknown image ending; use one of {', '.join(sorted(SUFFIXES))}")
    return Image.registered_extensions()[path.suffix.lower()]


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright picture: ``rgb`` uint8 (H, W, 3), ``alpha`` uint8 (H, W) if it has one.

    ``is_grey`` tells that all channels are equal and the file had only one; ``profile`` is the
    file's ICC profile. It is the first of the file's ``frames``.
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
        """Pillow's name of what it is kept as: L, LA, RGB or RGBA."""
        return ("L" if self.is_grey else "RGB") + ("" if self.alpha is None else "A")


def read_picture(path: Path) -> Picture:
    """Reads a picture as described above; InputError if it is no image, or has 32-bit levels."""
    try:
        require_no_special_file(path)
        with Image.open(path) as image:
            frames = frame_count(image)
            image.load()
            return replace(_decoded(ImageOps.exif_transpose(image)), frames=frames)
    except (InputError, MemoryError) as error:
        raise type(error)(f"{path}: {error}") from None
    except Exception as error:  # damaged files may raise any exception
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: cannot be read as an image ({reason})") from None


def frame_count(image: Image.Image) -> int:
    """Frames of an animation or pages of a TIFF, of which only the first is read.

    Phones write MPO into .jpg files: further pictures there are previews and gain maps, which do
    not count; nor do pages that are damaged.
    """
    if image.format == "MPO":
        return 1
    with contextlib.suppress(Exception):  # bytes of strangers
        return int(getattr(image, "n_frames", 1))
    return 1


def frames_remark(frames: int) -> str:
    """The warning about a file of several frames; empty if there is one."""
    return f"only the first of {frames} frames or pages is read" if frames > 1 else ""


def bits_per_channel(image: Image.Image) -> int:
    """8, 16 or 32 bits as in the file, which Pillow's mode does not tell for color."""
    if image.mode in {"I", "F"}:
        return 32
    tiles = getattr(image, "tile", None)
    layout = tiles[0].args if tiles else ""
    raw_mode = layout[0] if isinstance(layout, tuple) and layout else layout
    return 16 if ";16" in f"{image.mode} {raw_mode}" else 8


def enlarged(picture: Picture, scale: int, strips: Iterable[Pixels]) -> Image.Image:
    """The enlargement of ``picture``, in its own mode.

    ``strips`` are uint8 RGB (h, scale W, 3), from the top down; they are pasted one by one, so that
    the result is in memory only once.
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
    """InputError if the format of ``path`` cannot store ``picture`` at that size."""
    file_format = image_format(path)
    longest = _LONGEST.get(file_format)
    if longest is not None and max(width, height) > longest:
        raise InputError(
            f"{path}: {file_format} holds no more than {longest} pixels a side, "
            f"not {width}x{height}; choose PNG or TIFF"
        )
    if file_format in _WITHOUT_ALPHA and picture.alpha is not None and picture.alpha.min() < 255:
        raise InputError(f"{path}: {file_format} has no transparency; choose PNG, WebP or TIFF")


def write_picture(path: Path, image: Image.Image, profile: bytes | None = None) -> None:
    """Writes atomically in the format of the file's suffix."""
    file_format = image_format(path)
    if file_format in _WITHOUT_ALPHA and image.mode.endswith("A"):
        image = image.convert(image.mode.removesuffix("A"))
    elif file_format == "BMP" and image.mode == "LA":
        image = image.convert("RGBA")
    settings = _SETTINGS.get(file_format, {})
    with writing(path) as temporary:
        image.save(temporary, file_format, icc_profile=profile, **settings)


def _decoded(image: Image.Image) -> Picture:
    if image.mode in {"I", "F"}:
        raise InputError("32-bit levels have no agreed black and white; save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):
        upper = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        image = _with_profile_of(image, Image.fromarray(upper))
    if image.mode == "CMYK":
        image = _cmyk_to_rgb(image)
    is_grey = image.mode in {"1", "L", "LA", "La"}
    profile = image.info.get("icc_profile")
    if not image.has_transparency_data:
        return Picture(np.asarray(image.convert("RGB")), None, is_grey, profile)
    whole = np.asarray(image.convert("RGBA"))
    return Picture(np.ascontiguousarray(whole[..., :3]), whole[..., 3].copy(), is_grey, profile)


def _with_profile_of(source: Image.Image, image: Image.Image) -> Image.Image:
    if "icc_profile" in source.info:
        image.info["icc_profile"] = source.info["icc_profile"]
    return image


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """Converts by the file's profile to sRGB, or else by subtraction."""
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
